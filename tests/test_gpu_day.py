"""A GPU day, tried where there is none: its order, its limits, what it keeps, and its tables."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import pytest
import torch
from helpers import assert_complains, steady
from hypothesis import given
from hypothesis import strategies as st

from course_utils import __main__, bench
from course_utils.gpu_day import PARTS, day, fill_tables, parts, run_day, tables
from course_utils.recipes import RECIPES
from course_utils.results.day import describe_minutes, describe_numbers
from course_utils.results.report import describe_results
from course_utils.results.store import DAY, load_day
from course_utils.settings import MEASURED, describe_memory

ROOT = Path(__file__).parents[1]


def make_run(found: dict, **facts) -> dict:
    return {"found": found, "seconds": 1.0, "beside": 1, "toy": False, "machine": "card"} | facts


# --- what is asked for --------------------------------------------------------------------------


def test_names_mean_parts_and_tasks_in_the_order_of_their_worth():
    everything = day.choose_tasks([])
    assert everything[0] == ("tests", "gpu") and len(set(everything)) == len(everything)
    assert [part for part, _ in everything] == [p for p in PARTS for _ in PARTS[p].tasks]
    assert day.choose_tasks(["lessons", "bench"]) == [
        *(("bench", pair) for pair in bench.PAIRS),
        *(("lessons", number) for number in parts.LESSONS),
    ]
    assert day.choose_tasks(["bench/mlp"]) == [("bench", "mlp")]
    assert day.choose_tasks(["numbers/dcgan,*"]) == [
        ("numbers", f"dcgan,{numbers},{seed}") for numbers in ("fp32", "fp16") for seed in range(3)
    ]


def test_the_parts_ask_for_what_there_is():
    assert set(parts.IN_HALVES) <= set(RECIPES) and set(parts.PAIR) <= set(RECIPES)
    assert tuple(sorted(f.name[:2] for f in ROOT.glob("solutions/*.py"))) == parts.LESSONS
    assert all((ROOT / file).is_file() for file in parts.TESTS)
    for part in PARTS.values():
        assert part.toy and part.limit > day.SHORTEST


@pytest.mark.parametrize("name", ["lesson", "bench/nothing", "bench/mlp*x", ""])
def test_an_unknown_name_is_refused_with_those_that_there_are(name):
    assert_complains(lambda: day.choose_tasks([name]), ValueError, "gpu-day", repr(name))


def test_without_a_gpu_nothing_is_begun(monkeypatch, capsys):
    monkeypatch.setattr(day, "get_device", lambda: torch.device("cpu"))
    assert_complains(run_day, ValueError, "gpu-day", "none")
    assert __main__.main(["gpu-day"]) == 1 and "--toy" in capsys.readouterr().err


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), "5"])
def test_minutes_are_a_positive_number(minutes):
    with pytest.raises((ValueError, TypeError), match="minutes: expected"):
        run_day(minutes=minutes, toy=True)


def test_samples_of_a_data_set_are_not_measured_on(monkeypatch):
    asked = []

    class Data:
        name, is_sample = "CIFAR-10 train", True

    monkeypatch.setattr(parts, "load_mnist", lambda limit: asked.append("m") or real)
    monkeypatch.setattr(parts, "load_cifar10", lambda limit: asked.append("c") or Data)
    real = type("Real", (), {"name": "MNIST train", "is_sample": False})
    parts.need_real_data("bench", "mlp")
    parts.need_real_data("lessons", "05")
    assert asked == ["m", "m"]
    for task in (("bench", "cifar10"), ("lessons", "04"), ("minutes", "0,cifar10_better")):
        with pytest.raises(RuntimeError, match=f"{'/'.join(task)}: expected CIFAR-10 train"):
            parts.need_real_data(*task)


# --- a day of small tasks -----------------------------------------------------------------------


def never(task: str, toy: bool) -> dict:
    raise AssertionError("measured in the wrong process")


@pytest.fixture
def small_day(monkeypatch, tmp_path):
    """Two parts of tasks that each are a line of Python; returns (their scripts, a run of them)."""
    monkeypatch.setattr(day, "get_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(day, "describe_card", lambda: "card")
    monkeypatch.setattr(day, "SHORTEST", 0)
    made = {
        "first": parts.Part(never, ("a", "b"), limit=60),
        "second": parts.Part(never, ("c", "d"), limit=60, beside=2),
    }
    for name in list(PARTS):
        monkeypatch.delitem(PARTS, name)
    for name, part in made.items():
        monkeypatch.setitem(PARTS, name, part)
    done = tmp_path / "done"
    scripts = dict.fromkeys("abcd", "answer(1)")

    def write_command(task, answer, toy):
        start = f"""
import json, os, subprocess, sys, time
def answer(value):
    open({str(done)!r}, "a").write({task[1]!r})
    text = json.dumps({{"found": {{"value": value}}, "toy": {toy}, "machine": "card"}})
    open({str(answer)!r}, "w").write(text)
"""
        return [sys.executable, "-c", start + scripts[task[1]]]

    monkeypatch.setattr(day, "write_command", write_command)
    store = tmp_path / "day.json"

    def run(*names, **options):
        whole = run_day(names, store=store, logs=tmp_path / "logs", **options)
        return whole, load_day(store), done.read_text() if done.exists() else ""

    return scripts, run


def test_a_day_runs_in_order_and_goes_on_with_what_is_missing(small_day):
    scripts, run = small_day
    whole, found, order = run("first")
    assert whole and order == "ab" and set(found) == {"first/a", "first/b"}
    assert found["first/a"] | {"seconds": 0} == make_run({"value": 1}, seconds=0)
    scripts["a"] = "answer(2)"
    whole, found, order = run()
    assert whole and order[:2] == "ab" and sorted(order) == list("abcd")
    assert found["first/a"]["found"] == {"value": 1}  # what is there is not measured again
    assert {found[name]["beside"] for name in ("second/c", "second/d")} <= {1, 2}


def test_a_task_that_fails_leaves_the_others(small_day, capsys):
    scripts, run = small_day
    scripts["a"] = "raise ValueError('a typing error')"
    scripts["c"] = "pass"  # it ends well, and leaves no answer
    whole, found, _ = run()
    assert not whole and set(found) == {"first/b", "second/d"}
    said = capsys.readouterr().out
    assert "first/a: failed (exit code 1)" in said and "ValueError: a typing error" in said
    assert "second/c: failed (exit code 0)" in said
    assert said.rstrip().endswith("left: first/a, second/c")
    scripts |= {"a": "answer(1)", "c": "answer(1)"}
    whole, found, _ = run()
    assert whole and len(found) == 4


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes as Linux shows them")
def test_a_task_that_takes_too_long_is_ended_with_all_it_has_started(
    small_day, monkeypatch, tmp_path, capsys
):
    scripts, run = small_day
    child = tmp_path / "child"
    scripts["a"] = f"""
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(child)!r}, "w").write(str(child.pid))
time.sleep(600)
"""
    monkeypatch.setitem(PARTS, "first", parts.Part(never, ("a", "b"), limit=2))
    whole, found, order = run("first")
    assert not whole and set(found) == {"first/b"} and order == "b"
    assert "first/a: stopped after" in capsys.readouterr().out
    wait = time.monotonic() + 30  # for the system to bury it
    while is_alive(int(child.read_text())) and time.monotonic() < wait:
        time.sleep(0.05)
    assert not is_alive(int(child.read_text()))


def test_a_day_that_is_cut_off_keeps_what_it_found_and_ends_its_tasks(
    small_day, monkeypatch, tmp_path
):
    scripts, run = small_day
    scripts["b"] = f"open({str(tmp_path / 'b')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    rest = time.sleep

    def press_ctrl_c(seconds):
        rest(seconds)
        if (tmp_path / "b").is_file() and (tmp_path / "b").read_text():
            raise KeyboardInterrupt

    monkeypatch.setattr(day.time, "sleep", press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert set(load_day(tmp_path / "day.json")) == {"first/a"}
    assert not is_alive(int((tmp_path / "b").read_text()))


def test_when_the_time_is_up_nothing_more_is_begun(small_day, monkeypatch, capsys):
    _, run = small_day
    monkeypatch.setattr(day, "SHORTEST", 15)
    whole, found, order = run(minutes=0.2)
    assert not whole and found == {} and order == ""
    assert "left: first/a, first/b, second/c, second/d" in capsys.readouterr().out


def test_the_answer_of_an_earlier_try_is_not_taken_for_this_one(small_day, tmp_path):
    scripts, run = small_day
    run("first/a")
    (tmp_path / "day.json").unlink()
    scripts["a"] = "sys.exit(0)"
    assert run("first/a")[:2] == (False, {})


# --- the file -----------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"a/b": 1}', '{"a/b": {"found": {}}}', "[1]"])
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path, damage):
    store = tmp_path / "day.json"
    store.write_text(damage)
    assert_complains(lambda: load_day(store), ValueError, "day.json", "a damaged file")
    with pytest.raises(ValueError):
        day.save_found(store, ("a", "b"), make_run({}))
    assert store.read_text() == damage


NAMES = st.text("ab01", min_size=1, max_size=3)


@steady
@given(
    st.dictionaries(st.tuples(NAMES, NAMES), st.dictionaries(NAMES, st.floats(0, 9)), max_size=5)
)
def test_findings_are_added_one_by_one(tmp_path_factory, findings):
    store = tmp_path_factory.mktemp("day") / "day.json"
    for task, found in findings.items():
        day.save_found(store, task, make_run(found))
    expected = {"/".join(task): make_run(found) for task, found in findings.items()}
    assert load_day(store) == expected
    if expected:  # a line each: that is what a diff can show
        assert store.read_text().count("\n") == len(expected) + 2


# --- the tables ---------------------------------------------------------------------------------


def numbers_of(name: str, fp32: list, fp16: list, **facts) -> dict:
    return {
        f"numbers/{name},{numbers},{seed}": make_run({"steps": 2811, "distance": d}, **facts)
        for numbers, each in (("fp32", fp32), ("fp16", fp16))
        for seed, d in enumerate(each)
    }


@pytest.mark.parametrize(
    ("fp32", "fp16", "row"),
    [
        ([5, 6, 7], [5, 7.9, 9], "5.0, 6.0, 7.0 | 5.0, 7.9, 9.0 | inside |"),
        ([5, 6, 7], [1, 8.1, 9], "5.0, 6.0, 7.0 | 1.0, 8.1, 9.0 | above it |"),
        ([5, 6, 7], [1, 3.9, 9], "5.0, 6.0, 7.0 | 1.0, 3.9, 9.0 | below it |"),
        ([5, 6, 7], [5, None, 6], "5.0, 6.0, 7.0 | 5.0, inf, 6.0 | open: a run broke down |"),
        ([5, 6], [5, 6], "5.0, 6.0 | 5.0, 6.0 | open: too few seeds |"),
    ],
)
def test_fp16_is_compared_with_the_spread_of_float32(fp32, fp16, row):
    page = describe_numbers(numbers_of("dcgan", fp32, fp16))
    assert f"| `dcgan` | 2,811 | {row}" in page and page.startswith("Machine: card.")
    (rest,) = [line for line in page.splitlines() if line.startswith("Not compared")]
    assert "`cgan`" in rest and "`dcgan`" not in rest and "`mlp_relu`" not in rest


def test_what_was_not_measured_in_both_or_was_only_tried_out_is_left_out():
    assert describe_numbers({}) == describe_minutes({}) == ""
    assert describe_numbers(numbers_of("dcgan", [5, 6, 7], [])) == ""
    assert describe_numbers(numbers_of("dcgan", [5, 6, 7], [5, 6, 7], toy=True)) == ""
    page = describe_numbers(
        numbers_of("cgan", [5, 6, 7], []) | numbers_of("dcgan", [5, 6, 7], [5, 6, 7])
    )
    assert "| `dcgan`" in page and "| `cgan`" not in page
    assert "in fp16 there all the same: " in page and page.count("`cgan`") == 1


def test_equal_minutes_are_a_row_for_each_recipe():
    runs = {
        f"minutes/{seed},{name}": make_run(
            {"minutes": 0.5 + seed / 100, "epochs": 20, "steps": 9, "images": 10**6, "distance": d}
        )
        for name, each in (("cifar10_dcgan", [9, 8, 7]), ("cifar10_better", [4, None, 5]))
        for seed, d in enumerate(each)
    }
    page = describe_minutes(runs)
    assert "| `cifar10_dcgan` | 0.51 | 20 | 1,000,000 | 9.0, 8.0, 7.0 | 8.0 |" in page
    assert "| `cifar10_better` | 0.51 | 20 | 1,000,000 | 4.0, inf, 5.0 | 5.0 |" in page
    assert "## At equal minutes, alone" in describe_results([], runs)
    assert "## At equal minutes, alone" not in describe_results([])


def test_a_lesson_costs_what_the_day_found_and_says_who_was_beside():
    found = {"minutes": 1.25, "memory_gb": 2.0, "gpu_memory_gb": 0.5}
    costs = {"02": {"cpu": {"minutes": 9}}}
    costs = tables.add_lessons(
        costs,
        {"lessons/02": make_run(found), "lessons/03": make_run(found, beside=7), "bench/mlp": {}},
    )
    assert costs["02"] == {"cpu": {"minutes": 9}, "gpu": found | {"machine": "card"}}
    assert costs["03"]["gpu"]["machine"] == "card; 7 lessons side by side"
    assert describe_memory(found) == "2.0 GB, 0.5 GB on the GPU"
    assert describe_memory({"memory_gb": 1.04}) == "1.0 GB"


def test_the_readme_gets_minutes_where_there_are_any():
    page = (
        "| | lesson | CPU | GPU |\n| --- | --- | --- | --- |\n| 01 | a | old | |\n| 02 | b | | |\n"
    )
    costs = {"01": {"cpu": {"minutes": 2.04}}, "03": {"gpu": {"minutes": 1.0}}}
    filled = tables.replace_minutes(page, costs)
    assert filled.splitlines()[2:] == ["| 01 | a | 2.0 |  |", "| 02 | b |  |  |"]
    costs["02"] = {"gpu": {"minutes": 0.96}}
    again = tables.replace_minutes(filled, costs)
    assert again.splitlines()[2:] == ["| 01 | a | 2.0 |  |", "| 02 | b |  | 1.0 |"]


def test_pairs_that_were_benched_are_rows_with_their_part_of_the_limit():
    rates = {"fp32": 51.5e12, "bf16": 813e12, "copy": 2.75e12}
    row = {
        **{"pair": "MLP", "way": "tutorial", "precision": "fp32", "images_per_second": 4176.8},
        **{"ratio": 1.0, "peak_gb": 0.104, "ms_per_step": 30.63, "fraction_of_limit": 0.00195},
        **{"rates": rates, "flops": 1.9e9, "bytes": 62e6},
    }
    page = tables.describe_bench({"bench/mlp": make_run({"rounds": 5, "rows": [row]})})
    assert "| MLP | tutorial | fp32 | 4,177 | 1.00 | 0.10 | 30.63 | 0.2% |" in page
    assert "float32 51.5 TFLOP/s" in page and "copy 2.8 TB/s" in page
    other = row | {"rates": rates | {"copy": 2.65e12}}
    both = tables.describe_bench({"bench/mlp": make_run({"rounds": 5, "rows": [row, other]})})
    assert "float32 51.5 TFLOP/s" in both and "copy 2.6 to 2.8 TB/s" in both
    assert "MLP: 1.90 GFLOP a step, 62 MB moved by Adam" in page
    assert tables.describe_bench({}) == ""
    marked = f"a\n{tables.MARKS[0]}\nold\n{tables.MARKS[1]}\nb\n"
    assert tables.replace_table(marked, {}) == f"a\n{tables.MARKS[0]}\n\n{tables.MARKS[1]}\nb\n"
    for page in ("", marked.replace(tables.MARKS[1], ""), tables.MARKS[1] + tables.MARKS[0]):
        with pytest.raises(ValueError, match=r"performance\.md: expected the lines"):
            tables.replace_table(page, {})


def test_all_tables_are_those_that_follow_from_the_file(tmp_path):
    """Also: a second filling changes nothing."""
    for folder in ("docs", "solutions", "notebooks"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    numbers = [ROOT / DAY, MEASURED, ROOT / "course_utils" / "results.json"]
    for file in [*numbers, *ROOT.glob("*.txt"), ROOT / "README.md", ROOT / "pyproject.toml"]:
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    fill_tables(tmp_path)
    texts = ["README.md", "docs/performance.md", "docs/results.md", "course_utils/measured.json"]
    notebooks = [str(f.relative_to(ROOT)) for f in ROOT.glob("*/*.ipynb")]
    for file in [*texts, *notebooks]:
        assert (tmp_path / file).read_bytes() == (ROOT / file).read_bytes(), file


def test_the_stored_day_was_no_try_out_and_is_of_tasks_that_there_are():
    known = {"/".join(task) for task in day.choose_tasks([])}
    for name, run in load_day().items():
        assert name in known and not run["toy"] and "driver" in run["machine"]


# --- all of it, in toy size ---------------------------------------------------------------------


@pytest.mark.usefixtures("own_randomness")
@pytest.mark.parametrize("name", PARTS)
def test_each_part_measures_something_in_toy_size(name, tmp_path):
    """As its own process does it; what comes out goes into the file, and toys into no table."""
    for task in PARTS[name].toy:
        assert (
            __main__.main(
                ["gpu-day", "--toy", "--task", f"{name}/{task}", "--into", str(tmp_path / "found")]
            )
            == 0
        )
        answer = json.loads((tmp_path / "found").read_text())
        assert answer["toy"] and answer["found"] and "cores" in answer["machine"]
        day.save_found(tmp_path / "day.json", (name, task), answer | {"seconds": 1, "beside": 1})
    toys = load_day(tmp_path / "day.json")
    assert len(toys) == len(PARTS[name].toy)
    assert describe_numbers(toys) == describe_minutes(toys) == ""


@pytest.mark.slow
def test_the_whole_day_in_toy_size(tmp_path):
    """Each part once, in its own process, as a GPU day runs it."""
    store = tmp_path / "toy.json"
    assert run_day(toy=True, store=store, logs=tmp_path / "logs", minutes=20)
    found = load_day(store)
    assert set(found) == {f"{name}/{task}" for name, part in PARTS.items() for task in part.toy}
    assert all(run["toy"] and run["seconds"] > 0 for run in found.values())
