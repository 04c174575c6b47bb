"""What recipes reach: which runs are missing, what a run leaves, and the pages made from it."""

from __future__ import annotations

import io
import itertools
import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers import assert_complains, bad_inputs, read_arguments, steady
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from course_utils import losses, recipes
from course_utils.data import combine, load_mnist, random_colour, random_rotation, random_shift
from course_utils.models import (
    build_cifar10_discriminator,
    build_deep_generator,
    build_discriminator,
    count_params,
    initialize_weights,
)
from course_utils.pretrained import read_pretrained
from course_utils.recipes import JUDGED, RECIPES, Recipe, get_recipe
from course_utils.results import load_results, measure, measure_results, report, write_results
from course_utils.results.ingredients import (
    BASE,
    BUDGET,
    INGREDIENTS,
    VARIANTS,
    compare,
    describe_ingredients,
    find_recipe,
    list_names,
)
from course_utils.results.measure import (
    POINTS,
    NoteDistance,
    count_compared,
    describe_quality,
    describe_run,
    find_missing,
    fingerprint,
    measure_run,
)
from course_utils.results.report import (
    BASELINE,
    BASELINE_EPOCHS,
    CIFAR10_PAIR,
    MARKS,
    choose_rows,
    compare_precisions,
    data_of,
    describe_equal_minutes,
    describe_recipes,
    describe_results,
    draw_curves,
    find_chapters,
    name_figure,
    place,
    replace_table,
)
from course_utils.results.store import ROOT, STORE, load_day, save_rows
from course_utils.shipped import FOLDER
from course_utils.training import History

pytestmark = pytest.mark.filterwarnings("ignore:the Fréchet distance of")

KEYS = {  # as `load_results` lists them, and `settings`, which tells whether a run is outdated
    *("recipe", "profile", "seed", "numbers", "main", "epochs", "steps", "minutes"),
    *("images_per_second", "memory_gb", "machine", "parameters", "distance", "floor"),
    *("shares", "verdict", "curve", "settings"),
}
MACHINE = "CPU, 2 threads; Python 3.11.7, torch 2.9.0; a processor"
BATCHES = 50  # an epoch of the tiny recipes; the history has an entry every 50 steps


# --- tiny recipes ----------------------------------------------------------------------------


def load_some(limit: int | None = None):
    return load_mnist(limit=16 * BATCHES)


def build_D() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 1))


def build_G(noise_size: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(noise_size, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))


TINY = replace(
    RECIPES["mlp_logits"],
    summary="tiny",
    load=load_some,
    build_D=build_D,
    build_G=build_G,
    epochs=(5, 6),
    batch_size=16,
    noise_size=3,
    ema=0.5,
)


@pytest.fixture
def tiny(monkeypatch) -> Iterator[dict[str, Recipe]]:
    """Two recipes of few weights and no others, few samples, and float32 whatever the machine."""
    known = dict(RECIPES)
    RECIPES.clear()
    RECIPES.update(mlp_sigmoid=replace(TINY, ema=None), mlp_logits=TINY)
    for profile in JUDGED:
        monkeypatch.setitem(JUDGED, profile, 60)
    monkeypatch.setattr(measure, "ON_CURVE", 60)
    set_native(monkeypatch, "fp32")
    yield RECIPES
    RECIPES.clear()
    RECIPES.update(known)


@pytest.fixture
def tiny_base(tiny) -> Recipe:
    """The recipe that ingredients change, with few weights."""
    RECIPES[BASE] = replace(TINY, ema=None)
    return RECIPES[BASE]


def set_native(monkeypatch, numbers: str) -> None:
    """What "auto" means on this machine."""
    monkeypatch.setattr(
        measure, "choose_precision", lambda asked, device: numbers if asked == "auto" else asked
    )


@pytest.fixture
def root(tmp_path) -> Path:
    """A course's folder without a course."""
    root = tmp_path / "course"
    (root / "docs" / "figures").mkdir(parents=True)
    (root / "course_utils").mkdir()
    (root / "README.md").write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter é\n", "utf-8")
    return root


@pytest.fixture
def trained(monkeypatch) -> list[tuple]:
    """Runs are made in this process; which ones is kept."""
    made = []

    def in_this_process(*task) -> None:
        made.append(task[1:4])
        measure_run(*task)

    monkeypatch.setattr(measure, "_in_own_process", in_this_process)
    return made


def steady_part(row: dict) -> dict:
    """What two runs of the same kind have in common: no time, no memory."""
    timed = ("minutes", "images_per_second", "memory_gb", "curve")
    curve = [point[1:] for point in row["curve"]]
    return {key: value for key, value in row.items() if key not in timed} | {"curve": curve}


# --- one run ---------------------------------------------------------------------------------


def read_row(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def test_what_a_run_leaves(tiny, root, tmp_path, capsys):
    measure_run(tmp_path / "run", "mlp_logits", 0, "main", "cpu", root)
    row = read_row(tmp_path / "run")
    assert row.keys() == KEYS
    assert (row["recipe"], row["profile"], row["seed"], row["main"]) == (
        "mlp_logits",
        "cpu",
        0,
        True,
    )
    assert (row["numbers"], row["epochs"], row["steps"]) == ("fp32", 5, 5 * BATCHES)
    assert row["settings"] == fingerprint(TINY)
    assert row["parameters"] == [785, 4 * 784]
    minutes, steps, distances = zip(*row["curve"])
    assert list(steps) == [BATCHES * n for n in range(1, 6)]  # one point an epoch
    # an epoch of these is over in so few milliseconds that its minutes may be 0.000
    assert list(minutes) == sorted(minutes) and minutes[0] >= 0 < minutes[-1]
    assert all(math.isfinite(distance) and distance > 0 for distance in distances)
    assert row["minutes"] == pytest.approx(minutes[-1], abs=0.0051)
    assert row["images_per_second"] == pytest.approx(16 * row["steps"] / minutes[-1] / 60, rel=0.01)
    assert row["memory_gb"] > 0 and len(row["machine"].split(";")) >= 2 and row["verdict"]
    # the last point and the distance are of the same samples, here as many
    assert row["distance"] == pytest.approx(distances[-1], abs=0.02) and row["floor"] > 0
    assert len(row["shares"]) == 10 and sum(row["shares"]) == pytest.approx(1, abs=1e-3)
    assert "mlp_logits, seed 0, fp32, 5 epochs" in capsys.readouterr().out


def test_the_first_seed_is_shipped(tiny, root, tmp_path):
    before = {path.name: path.stat().st_mtime_ns for path in FOLDER.iterdir()}
    measure_run(tmp_path / "run", "mlp_logits", 0, "main", "cpu", root)
    row = read_row(tmp_path / "run")
    figure = root / "docs" / "figures" / "results_mlp_logits.png"
    assert figure.read_bytes() == (tmp_path / "run" / "samples.png").read_bytes()
    facts = read_pretrained("mlp_logits", "G", root / "course_utils" / "weights").facts
    told = ("recipe", "seed", "profile", "epochs", "minutes", "machine", "numbers")
    assert {key: facts[key] for key in told} == {key: row[key] for key in told}
    assert facts["command"] == "python -m course_utils results mlp_logits"
    assert facts["distance"] == pytest.approx(row["distance"], rel=0.02)  # half precision
    after = {path.name: path.stat().st_mtime_ns for path in FOLDER.iterdir()}
    assert {name: after[name] for name in before} == before  # the course's own were left alone


@pytest.mark.parametrize(
    "name, seed, kind", [("mlp_logits", 1, "main"), ("mlp_logits", 0, "compared")]
)
def test_other_runs_are_not_shipped(tiny, root, tmp_path, name, seed, kind):
    measure_run(tmp_path / "run", name, seed, kind, "short", root)
    assert read_row(tmp_path / "run")["seed"] == seed
    assert not list((root / "docs" / "figures").iterdir())
    assert not (root / "course_utils" / "weights").exists()


def test_a_recipe_whose_networks_are_not_shipped_has_its_samples_shown(tiny, root, tmp_path):
    measure_run(tmp_path / "run", "mlp_sigmoid", 0, "main", "short", root)
    assert (root / "docs" / "figures" / "results_mlp_sigmoid.png").is_file()
    assert not (root / "course_utils" / "weights").exists()


@pytest.mark.parametrize(
    "precision, native, kind, expected",
    [
        ("auto", "fp32", "main", "fp32"),
        ("auto", "fp32", "compared", "bf16"),
        ("auto", "bf16", "main", "bf16"),
        ("auto", "bf16", "compared", "fp32"),
        ("fp32", "bf16", "main", "fp32"),
        ("fp32", "bf16", "compared", "bf16"),
    ],
)
def test_the_precision_of_a_run(
    tiny, root, tmp_path, monkeypatch, precision, native, kind, expected
):
    set_native(monkeypatch, native)
    given = []

    def spy(recipe, folder, epochs, profile, *, seed, callbacks, precision):
        given.append((epochs, profile, seed, precision))
        return None, History(stopped="interrupted")

    monkeypatch.setattr(Recipe, "train", spy)
    RECIPES["mlp_logits"] = replace(TINY, precision=precision)
    with pytest.raises(SystemExit, match="goes on"):
        measure_run(tmp_path / "run", "mlp_logits", 2, kind, "cpu", root)
    assert given == [(5 if kind == "main" else 3, "cpu", 2, expected)]
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_run_of_an_ingredient(tiny_base, root, tmp_path):
    """For a few epochs only; it is shown in a table, by nothing else."""
    measure_run(tmp_path / "run", f"{BASE}+averaged", 0, "ingredient", "cpu", root)
    row = read_row(tmp_path / "run")
    assert row.keys() == KEYS and row["recipe"] == "cifar10_dcgan+averaged" and not row["main"]
    assert (row["epochs"], row["steps"]) == (BUDGET, BUDGET * BATCHES) == (3, 150)
    assert [step for _, step, _ in row["curve"]] == [50, 100, 150]
    assert row["settings"] == fingerprint(replace(tiny_base, ema=0.999))
    assert not list((root / "docs" / "figures").iterdir())
    assert not (root / "course_utils" / "weights").exists()


def test_a_comparison_is_the_beginning_of_the_whole_run(tiny, root, tmp_path):
    """Also where the learning rate depends on how much of the training is done."""
    RECIPES["mlp_logits"] = replace(TINY, schedule=losses.linear_decay, epochs=(4, 6), lr=0.01)
    rates = {}

    class Solver(torch.optim.SGD):
        def step(self, closure=None) -> None:
            rates.setdefault(kind, []).append(float(self.param_groups[0]["lr"]))
            super().step(closure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            recipes, "get_optimizer", lambda model, lr, betas: Solver(model.parameters(), lr)
        )
        for kind in ("main", "compared"):
            measure_run(tmp_path / kind, "mlp_logits", 1, kind, "cpu", root)
    assert len(rates["main"]) == 2 * 4 * BATCHES and len(rates["compared"]) == 2 * 3 * BATCHES
    assert rates["compared"] == pytest.approx(rates["main"][: 6 * BATCHES])
    assert min(rates["main"]) < min(rates["compared"]) < 0.01
    rows = [read_row(tmp_path / kind) for kind in ("main", "compared")]
    # both belong to the recipe as it is, and are found again
    assert {row["settings"] for row in rows} == {fingerprint(RECIPES["mlp_logits"])}


@pytest.mark.parametrize(
    "name, expected",
    [("mlp_sigmoid", 3), ("mlp_ls", 3), ("dcgan", 1), ("dcgan_ls", 1), ("dcgan_rotated", 2),
     ("dcgan_strided", 2), ("cifar10_dcgan", 2), ("cifar10_better", 2)],
)  # fmt: skip
def test_the_epochs_of_a_comparison(name, expected):
    assert count_compared(name) == expected


def test_every_recipe_can_be_compared():
    assert all(1 <= count_compared(name) <= r.epochs[0] for name, r in RECIPES.items())


def test_a_run_that_was_cut_off_inside_an_epoch_leaves_the_same_row(tiny, root, tmp_path):
    """One point an epoch: epochs are counted by them."""

    class Cut(Exception):
        pass

    real, note = recipes.train, NoteDistance(TINY)

    def callback(progress) -> None:
        if progress.step % BATCHES == 0:
            note(progress)
        elif progress.step > 2 * BATCHES:
            raise Cut

    def cut(step, loader, **options):
        return real(step, loader, **options | {"show_every": 25, "callbacks": [callback]})

    measure_run(tmp_path / "whole", "mlp_logits", 1, "main", "cpu", root)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Cut):
        patch.setattr(recipes, "train", cut)
        TINY.train(tmp_path / "cut", 5, "cpu", seed=1, precision="fp32")
    measure_run(tmp_path / "cut", "mlp_logits", 1, "main", "cpu", root)
    cut_row, whole = read_row(tmp_path / "cut"), read_row(tmp_path / "whole")
    assert [step for _, step, _ in cut_row["curve"]] == [step for _, step, _ in whole["curve"]]
    assert steady_part(cut_row) == steady_part(whole)


def test_a_finished_run_is_measured_again_without_training(tiny, root, tmp_path, capsys):
    rows = []
    for _ in range(2):
        measure_run(tmp_path / "run", "mlp_logits", 1, "main", "cpu", root)
        rows.append(steady_part(read_row(tmp_path / "run")))
    assert "all 5 epochs are done" in capsys.readouterr().out
    assert rows[0] == rows[1]


def make_history(**extra) -> History:
    history = History(images=120_000, seconds=900.0)
    for step in (1, 50, 100, 150):
        scores = {"d_loss": 1.0, "g_loss": 1.0, "d_real": 0.5, "d_fake": 0.5}
        history.log(step, scores)
        if step > 1:
            history.note("at_step", step)
            history.note("training", 6.0 * step)
            history.note("distance", 1000.0 / step)
    return history


def test_time_and_curve_by_hand():
    row = describe_run(make_history())
    assert row["curve"] == [[5.0, 50, 20.0], [10.0, 100, 10.0], [15.0, 150, 6.67]]
    assert (row["steps"], row["minutes"]) == (150, 15.0)
    assert row["images_per_second"] == round(120_000 / 900)


def test_the_time_of_judging_is_no_time_of_training(monkeypatch):
    clock = iter([100.0, 103.0, 200.0, 204.0, 300.0, 300.5])
    distances = iter([9.0, 8.0, 7.0])
    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(measure, "draw_samples", lambda game, count: torch.zeros(2, 1, 28, 28))
    monkeypatch.setattr(
        measure, "frechet_classifier_distance", lambda *given, floor: next(distances)
    )
    note, history = NoteDistance(TINY), History()
    game = SimpleNamespace(device=torch.device("cpu"))
    progress = SimpleNamespace(history=history, game=game, step=0, total_steps=150)
    for step, seconds in ((50, 10.0), (100, 25.0), (150, 40.0)):
        history.log(step, {"d_loss": 1.0})
        history.seconds, progress.step = seconds, step
        note(progress)
    assert history.extra["training"] == [10.0, 25.0 - 3, 40.0 - 3 - 4]
    assert history.extra["judging"] == [3.0, 7.0, 7.5]
    assert history.extra["at_step"] == [50, 100, 150]
    assert history.extra["distance"] == [9.0, 8.0, 7.0]


def test_samples_out_of_range_have_no_distance(monkeypatch):
    monkeypatch.setattr(
        measure, "draw_samples", lambda game, count: torch.full((9, 1, 28, 28), 3.0)
    )
    history = History()
    history.log(50, {"d_loss": 1.0})
    game = SimpleNamespace(device=torch.device("cpu"))
    NoteDistance(TINY)(SimpleNamespace(history=history, game=game, step=50, total_steps=50))
    assert math.isnan(history.extra["distance"][0]) and history.extra["at_step"] == [50]


def measured_epochs(epochs: int, *given, monkeypatch) -> list[int]:
    """The epochs of a long run after which `NoteDistance(..., *given)` measures something."""
    found = []
    monkeypatch.setattr(measure, "draw_samples", lambda game, count: torch.zeros(9, 1, 28, 28))
    monkeypatch.setattr(
        measure, "frechet_classifier_distance", lambda *given, floor: found.append(epoch) or 1.0
    )
    note, history = NoteDistance(TINY, *given), History()
    game = SimpleNamespace(device=torch.device("cpu"))
    for epoch in range(1, epochs + 1):
        history.log(7 * epoch, {"d_loss": 1.0})
        note(
            SimpleNamespace(
                history=history, game=game, epoch=epoch - 1, step=7 * epoch, total_steps=7 * epochs
            )
        )
    kept = [step / 7 for step in history.extra["at_step"] if step == step]
    assert kept == found
    return found


@steady
@given(st.integers(1, 400), st.data())
def test_a_long_run_is_measured_now_and_then_and_at_its_end(epochs, data):
    compared = data.draw(st.integers(1, epochs))
    with pytest.MonkeyPatch.context() as patch:
        found = measured_epochs(epochs, epochs, compared, monkeypatch=patch)
    assert found[-1] == epochs and compared in found
    assert min(epochs, POINTS) <= len(found) <= 2 * POINTS
    gaps = [late - early for early, late in zip([0, *found], found)]
    assert max(gaps) == max(1, epochs // POINTS)  # evenly, but for the last and the compared one


@pytest.mark.parametrize("epochs, expected", [(3, 3), (20, 20), (39, 39), (50, 25), (100, 20)])
def test_how_many_points_a_curve_has(monkeypatch, epochs, expected):
    assert len(measured_epochs(epochs, epochs, monkeypatch=monkeypatch)) == expected


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
@pytest.mark.parametrize("name", RECIPES)
def test_what_is_compared_later_is_measured(monkeypatch, name, profile):
    """The precisions after a few epochs, and the first pair's distance for all others."""
    epochs = get_recipe(name).count_epochs(profile)
    found = measured_epochs(epochs, epochs, count_compared(name), monkeypatch=monkeypatch)
    assert count_compared(name) in found
    if name == BASELINE:
        assert BASELINE_EPOCHS in found


def test_a_run_measures_the_points_that_its_length_asks_for(tiny, root, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "POINTS", 2)
    monkeypatch.setitem(measure.COMPARED, "mlp", 1)
    measure_run(tmp_path / "run", "mlp_logits", 1, "main", "cpu", root)
    assert [step / BATCHES for _, step, _ in read_row(tmp_path / "run")["curve"]] == [1, 2, 4, 5]


def test_a_run_that_goes_on_after_an_epoch_has_no_other_points(tiny, root, tmp_path, monkeypatch):
    """There the loop counts the epoch to come as the present one."""
    monkeypatch.setattr(measure, "POINTS", 2)
    monkeypatch.setitem(measure.COMPARED, "mlp", 1)

    class Cut(Exception):
        pass

    class CutOff(NoteDistance):
        def __call__(self, progress) -> None:
            super().__call__(progress)
            if progress.step == 3 * BATCHES:
                raise Cut

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Cut):
        patch.setattr(measure, "NoteDistance", CutOff)
        measure_run(tmp_path / "cut", "mlp_logits", 1, "main", "cpu", root)
    for name in ("cut", "whole"):
        measure_run(tmp_path / name, "mlp_logits", 1, "main", "cpu", root)
    rows = [steady_part(read_row(tmp_path / name)) for name in ("cut", "whole")]
    assert rows[0] == rows[1] and len(rows[0]["curve"]) == 4


def test_distances_are_measured_where_the_training_is(monkeypatch):
    """Drawn samples come back on the CPU; a GPU would wait while that looks at them."""
    moved = []

    class Drawn:
        def to(self, device) -> Tensor:
            moved.append(device)
            return torch.zeros(9, 1, 28, 28)

    monkeypatch.setattr(measure, "draw_samples", lambda game, count: Drawn())
    monkeypatch.setattr(measure, "frechet_classifier_distance", lambda *given, floor: 1.0)
    game = SimpleNamespace(device=torch.device("meta"))
    history = History()
    history.log(50, {"d_loss": 1.0})
    NoteDistance(TINY)(SimpleNamespace(history=history, game=game, step=50, total_steps=50))
    assert moved == [game.device] and history.extra["distance"] == [1.0]


def test_points_that_could_not_be_measured_are_left_out():
    history = make_history()
    history.extra["distance"][-1] = math.nan
    assert [step for _, step, _ in describe_run(history)["curve"]] == [50, 100]
    history = History(step=[1], images=100, seconds=120.0, d_loss=[1.0], g_loss=[1.0],
                      d_real=[0.5], d_fake=[0.5])  # fmt: skip
    row = describe_run(history)
    assert (row["curve"], row["minutes"], row["images_per_second"]) == ([], 2.0, 1)


def test_a_run_without_quality():
    assert describe_quality("no quality to measure") == {
        "distance": None,
        "floor": None,
        "shares": [0.0] * 10,
    }


@pytest.mark.parametrize("code, fine", [(0, True), (1, False), (-9, False)])
def test_a_run_that_ends_with_an_error_stops_the_others(monkeypatch, code, fine):
    started = []

    class Process:
        exitcode = code

        def __init__(self, target, args) -> None:
            assert target is measure_run and args == ("folder", "dcgan", 2, "main", "cpu", "root")

        def start(self) -> None:
            started.append(1)

        def join(self) -> None:
            started.append(2)

    monkeypatch.setattr(
        measure.multiprocessing, "get_context", lambda kind: SimpleNamespace(Process=Process)
    )
    task = ("folder", "dcgan", 2, "main", "cpu", "root")
    if fine:
        measure._in_own_process(*task)
    else:
        with pytest.raises(RuntimeError, match=r"^dcgan 2 main: the run ended with an error"):
            measure._in_own_process(*task)
    assert started == [1, 2]


# --- what is missing -------------------------------------------------------------------------


def stub(name: str, seed: int, kind: str = "main", profile: str = "cpu", **changed) -> dict:
    settings = fingerprint(find_recipe(name))
    row = {"recipe": name, "profile": profile, "seed": seed, "main": kind == "main"}
    return row | {"settings": settings, "numbers": "bf16"} | changed


def test_everything_is_missing_at_first_seed_after_seed(tiny, monkeypatch):
    names = list(RECIPES)
    main = [(name, seed, "main") for seed in (0, 1, 2) for name in names]
    assert find_missing(names, 3, "cpu", []) == main
    assert find_missing(names[1:], 1, "cpu", []) == [("mlp_logits", 0, "main")]
    set_native(monkeypatch, "bf16")
    compared = [(name, seed, "compared") for _, seed, _ in main[::2] for name in names]
    assert find_missing(names, 3, "cpu", []) == main + compared
    assert find_missing(names, 3, "gpu", []) == main + compared
    assert find_missing(names, 3, "short", []) == main


def test_only_what_is_missing_is_made(tiny, monkeypatch):
    set_native(monkeypatch, "bf16")
    names = list(RECIPES)
    everything = find_missing(names, 2, "cpu", [])
    rows = [stub(*task) for task in everything]
    assert find_missing(names, 2, "cpu", rows) == []
    for index, task in enumerate(everything):
        assert find_missing(names, 2, "cpu", rows[:index] + rows[index + 1 :]) == [task]
    assert find_missing(names, 3, "cpu", rows) == [
        (name, 2, kind) for kind in ("main", "compared") for name in names
    ]
    assert find_missing(names, 2, "gpu", rows) == everything  # another profile's do not count


def test_ingredients_are_missing_after_all_recipes(tiny_base, monkeypatch):
    one, two = f"{BASE}+averaged", f"{BASE}+batch"
    names = ["mlp_logits", one, BASE, two]
    set_native(monkeypatch, "bf16")
    expected = [
        *((name, seed, "main") for seed in (0, 1) for name in ("mlp_logits", BASE)),
        *((name, seed, "compared") for seed in (0, 1) for name in ("mlp_logits", BASE)),
        *((name, seed, "ingredient") for seed in (0, 1) for name in (one, two)),
    ]
    assert find_missing(names, 2, "gpu", []) == expected
    rows = [stub(*task, profile="gpu") for task in expected]
    assert find_missing(names, 2, "gpu", rows) == []
    for index, task in enumerate(expected):
        assert find_missing(names, 2, "gpu", rows[:index] + rows[index + 1 :]) == [task]
    set_native(monkeypatch, "fp32")
    assert find_missing([one], 2, "cpu", []) == [(one, seed, "ingredient") for seed in (0, 1)]
    assert find_missing([one], 1, "short", []) == [(one, 0, "ingredient")]


def test_a_changed_base_makes_its_ingredients_missing_again(tiny_base):
    names = [f"{BASE}+averaged", f"{BASE}+adam"]
    rows = [stub(name, 0, "ingredient") for name in names]
    assert find_missing(names, 1, "cpu", rows) == []
    RECIPES[BASE] = replace(tiny_base, betas=(0.1, 0.2))  # which Adam's own replace
    assert find_missing(names, 1, "cpu", rows) == [(names[0], 0, "ingredient")]


def test_a_comparison_belongs_to_its_recipe_and_not_to_an_ingredient(tiny_base, monkeypatch):
    set_native(monkeypatch, "bf16")
    rows = [stub(f"{BASE}+nothing", 0, "ingredient")]
    assert find_missing([BASE], 1, "cpu", rows) == [(BASE, 0, "main"), (BASE, 0, "compared")]
    rows = [stub(BASE, 0, "main"), stub(BASE, 0, "compared")]
    name = f"{BASE}+nothing"
    assert find_missing([BASE, name], 1, "cpu", rows) == [(name, 0, "ingredient")]


def test_a_changed_recipe_is_missing_again(tiny):
    names = list(RECIPES)
    rows = [stub(name, seed) for name in names for seed in (0, 1)]
    RECIPES["mlp_logits"] = replace(TINY, lr=5e-4)
    assert find_missing(names, 2, "cpu", rows) == [("mlp_logits", seed, "main") for seed in (0, 1)]
    RECIPES["mlp_logits"] = replace(TINY, summary="other words")
    assert find_missing(names, 2, "cpu", rows) == []


def test_a_run_in_bfloat16_is_none_of_a_recipe_in_float32(tiny):
    RECIPES["mlp_logits"] = replace(TINY, precision="fp32")
    rows = [stub("mlp_logits", 0), stub("mlp_logits", 1, numbers="fp32")]
    assert find_missing(["mlp_logits"], 2, "cpu", rows) == [("mlp_logits", 0, "main")]


def test_the_comparison_of_a_recipe_in_float32_stays_in_bfloat16(tiny, monkeypatch):
    set_native(monkeypatch, "bf16")
    RECIPES["mlp_logits"] = replace(TINY, precision="fp32")
    rows = [stub("mlp_logits", 0, numbers="fp32"), stub("mlp_logits", 0, "compared")]
    assert find_missing(["mlp_logits"], 1, "cpu", rows) == []


def shift(images: Tensor, generator: torch.Generator) -> Tensor:
    return images.roll(1, dims=3)


CHANGES = {
    "lr": {"lr": 5e-4},
    "betas": {"betas": (0.5, 0.99)},
    "batch_size": {"batch_size": 32},
    "noise": {"noise": "normal"},
    "noise_size": {"noise_size": 4},
    "epochs": {"epochs": (5, 7)},
    "ema": {"ema": 0.9},
    "no ema": {"ema": None},
    "augment": {"augment": random_rotation(20)},
    "another augment": {"augment": shift},
    "D's layers": {"build_D": build_discriminator},
    "D's activation": {"build_D": lambda: nn.Sequential(*build_D(), nn.Sigmoid())},
    "G's layers": {"build_G": lambda size: nn.Sequential(nn.Linear(size, size), *build_G(size))},
    "loss of D": {"discriminator_loss": losses.ls_discriminator_loss},
    "loss of G": {"generator_loss": losses.ls_generator_loss},
    "as_probability": {"as_probability": None},
    "prepare": {"prepare": initialize_weights},
    "augment_both": {"augment_both": random_shift(2)},
    "penalty": {"penalty": losses.r1_penalty(0.1)},
    "schedule": {"schedule": losses.linear_decay},
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_settings_change_with_whatever_a_recipe_decides(changed):
    assert fingerprint(replace(TINY, **changed)) != fingerprint(TINY)


def test_settings_change_with_the_angle_of_a_rotation():
    known = {fingerprint(replace(TINY, augment=random_rotation(angle))) for angle in (10, 20, 30)}
    assert len(known) == 3


def test_settings_change_with_the_numbers_that_functions_hold():
    changes = [
        *({"penalty": losses.r1_penalty(weight)} for weight in (0.1, 0.2)),
        *({"augment_both": random_colour(strength)} for strength in (0.5, 1)),
        *({"augment_both": random_shift(2, flip)} for flip in (False, True)),
        {"augment": random_shift(2)},
        *(
            {"augment_both": combine(random_shift(pixels), random_colour(strength))}
            for pixels, strength in ((2, 1), (3, 1), (2, 0.5))
        ),
        {"augment_both": combine(random_colour(1), random_shift(2))},
        {"augment_both": combine(random_shift(2))},
    ]
    known = {fingerprint(replace(TINY, **changed)) for changed in changes}
    assert len(known) == len(changes)


def test_fields_that_settings_do_not_tell_keep_their_defaults():
    """A recipe's settings tell what differs from these: who changes one changes every recipe that
    does not set it, and nothing would say that it has to be trained again."""
    assert {field.name: field.default for field in fields(Recipe)[7:]} == {
        "batch_size": 128,
        "lr": 1e-3,
        "betas": (0.5, 0.999),
        "noise_size": 96,
        "noise": "uniform",
        "classes": 0,
        "as_probability": torch.sigmoid,
        "prepare": None,
        "augment": None,
        "augment_both": None,
        "penalty": None,
        "schedule": None,
        "ema": None,
        "precision": "auto",
    }


def test_settings_stay_where_nothing_is_decided():
    assert fingerprint(TINY) == fingerprint(replace(TINY))
    assert fingerprint(TINY) == fingerprint(replace(TINY, summary="x", precision="fp32"))
    again = replace(TINY, augment=random_rotation(20)), replace(TINY, augment=random_rotation(20))
    assert fingerprint(again[0]) == fingerprint(again[1])


def test_every_recipe_has_settings_of_its_own():
    known = [fingerprint(recipe) for recipe in RECIPES.values()]
    assert len(set(known)) == len(known)
    assert all(re.fullmatch("[0-9a-f]{12}", word) for word in known)


# --- ingredients -----------------------------------------------------------------------------

GAME = {"discriminator_loss", "generator_loss", "as_probability"}
CHANGED = {  # the fields in which each differs from the base
    "nothing": set(),
    "logits": {"build_D", *GAME},
    "averaged": {"ema"},
    "decay": {"schedule"},
    "batch": {"batch_size"},
    "augmented": {"augment_both"},
    "spectral": {"build_D"},
    "penalty": {"build_D", "penalty", *GAME},
    "adam": {"lr", "betas"},
    "deeper": {"build_G"},
}


def test_ingredients_have_names_and_words_of_their_own():
    assert list(INGREDIENTS) == list(CHANGED)
    assert list(VARIANTS) == [f"cifar10_dcgan+{name}" for name in CHANGED]
    words = [says for says, _ in INGREDIENTS.values()]
    assert len(set(words)) == len(words) and not any("|" in says for says in words)
    assert list_names() == [*RECIPES, *VARIANTS]


@pytest.mark.parametrize("name", CHANGED)
def test_each_ingredient_changes_what_it_says_and_nothing_else(name):
    base, variant = get_recipe(BASE), find_recipe(f"{BASE}+{name}")
    differing = {
        field.name
        for field in fields(Recipe)
        if getattr(base, field.name) != getattr(variant, field.name)
    }
    assert differing == CHANGED[name]
    assert variant.data == "CIFAR-10"


def find_ingredient(name: str) -> Recipe:
    return find_recipe(f"{BASE}+{name}")


def test_the_numbers_of_the_ingredients_are_those_in_their_words():
    def numbers_of(name: str) -> list[float]:
        return [float(n) for n in re.findall(r"\d[\d.]*(?:e-\d+)?", INGREDIENTS[name][0])]

    assert numbers_of("averaged") == [find_ingredient("averaged").ema] == [0.999]
    batch = find_ingredient("batch")
    assert numbers_of("batch") == [batch.batch_size, get_recipe(BASE).batch_size] == [128, 32]
    adam = find_ingredient("adam")
    assert numbers_of("adam") == [adam.lr, *adam.betas]
    D = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    slope = D[1].weight.detach().square().sum().item()  # R1 of a line is weight/2 |w|²
    penalty = find_ingredient("penalty").penalty(D, torch.zeros(2, 1, 2, 2), None).item()
    assert re.search(r"R1 penalty \((.+?)\)", INGREDIENTS["penalty"][0])[1] == "0.1"
    assert penalty == pytest.approx(0.1 / 2 * slope)
    assert [find_ingredient("decay").schedule(share) for share in (0.5, 0.75, 1)] == [1, 0.5, 0]


def kinds(network: nn.Module) -> set[type[nn.Module]]:
    return {type(module) for module in network.modules()}


def test_the_discriminators_of_the_ingredients():
    base = build_cifar10_discriminator()
    norms = 2 * 128 + 2 * 256  # the numbers that batch norm has
    logits, spectral, penalized = (
        find_ingredient(name).build_D() for name in ("logits", "spectral", "penalty")
    )
    logits.load_state_dict(base.state_dict())
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        expected = base.eval()(images)
        torch.testing.assert_close(torch.sigmoid(logits.eval()(images)), expected)
    for D in (spectral, penalized):
        assert count_params(D) == count_params(base) - norms
        assert nn.BatchNorm2d not in kinds(D) and nn.Dropout2d in kinds(D)
    assert isinstance(spectral[-1], nn.Sigmoid) and nn.Sigmoid not in kinds(penalized)
    normed = [m for m in spectral.modules() if isinstance(m, nn.Conv2d)]
    assert len(normed) == 4 and all(hasattr(m, "parametrizations") for m in normed)
    for layer in penalized:
        if isinstance(layer, nn.Conv2d):  # He's weights
            spread = layer.weight.square().mean().item() * layer.weight[0].numel() * 1.04 / 2
            assert spread == pytest.approx(1, abs=5 * (2 / layer.weight.numel()) ** 0.5)
    assert find_ingredient("deeper").build_G is build_deep_generator


@pytest.mark.parametrize("name", CHANGED)
def test_each_ingredient_takes_a_step(name):
    recipe = find_ingredient(name)
    step, loader = recipe.build(limit=recipe.batch_size)
    images, labels = next(iter(loader))
    before = [p.detach().clone() for p in (*step.D.parameters(), *step.G.parameters())]
    step.D.train(), step.G.train()
    scores = step(images, labels)
    assert all(torch.isfinite(value) for value in scores.values())
    assert 0 < scores["d_real"] < 1 and 0 < scores["d_fake"] < 1  # probabilities, in every game
    after = [*step.D.parameters(), *step.G.parameters()]
    assert not any(torch.equal(p, q) for p, q in zip(before, after))


def test_each_ingredient_has_settings_of_its_own():
    known = {name: fingerprint(find_recipe(name)) for name in list_names()}
    assert known.pop(f"{BASE}+nothing") == known[BASE]
    assert len(set(known.values())) == len(known)


def test_every_recipe_is_found_by_its_name():
    assert all(find_recipe(name) is recipe for name, recipe in RECIPES.items())


def test_without_the_base_there_are_no_ingredients(tiny):
    assert list_names() == ["mlp_sigmoid", "mlp_logits"]
    with pytest.raises(ValueError, match=r"^name: expected one of mlp_logits, mlp_sigmoid; got"):
        find_recipe(VARIANTS[0])


def test_ingredients_follow_the_base(tiny_base):
    assert find_ingredient("averaged") == replace(tiny_base, ema=0.999)


@bad_inputs(
    *(
        (repr(name), lambda name=name: find_recipe(name), ValueError, "name", repr(name))
        for name in (
            *("gan", "", "+", "averaged", "+averaged", f"{BASE}+", f"{BASE}+salt", None, 3),
            *(f"{BASE}+averaged+batch", f"{BASE} + averaged", "cifar10_better+averaged"),
        )
    )
)
def test_bad_names(call, error, name, got):
    assert_complains(call, error, name, got)


# --- from end to end -------------------------------------------------------------------------


def test_from_nothing_to_the_pages(tiny, root, tmp_path, trained):
    measure_results(seeds=2, profile="cpu", runs=tmp_path / "runs", root=root)
    assert trained == [(name, seed, "main") for seed in (0, 1) for name in RECIPES]
    rows = load_results(root / STORE)
    assert [(row["recipe"], row["seed"]) for row in rows] == [
        (name, seed) for name in RECIPES for seed in (0, 1)
    ]
    assert rows[0]["distance"] != rows[1]["distance"]  # seeds differ
    assert {path.name for path in (tmp_path / "runs" / "cpu").iterdir()} == {
        f"{name}-{seed}-main-{fingerprint(RECIPES[name])}" for name in RECIPES for seed in (0, 1)
    }
    page = (root / "docs" / "results.md").read_text(encoding="utf-8")
    assert page == describe_results(rows)
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert describe_recipes(rows) in readme and "old" not in readme
    linked = re.findall(r"\]\((figures/[^)]+)\)", page)
    assert linked and all((root / "docs" / name).is_file() for name in linked)
    assert (root / "course_utils" / "weights" / "gan_mlp_logits.json").is_file()

    trained.clear()
    kept = (root / STORE).read_bytes()
    measure_results(seeds=2, profile="cpu", runs=tmp_path / "other", root=root)
    assert not trained and not (tmp_path / "other").exists()
    assert (root / STORE).read_bytes() == kept
    assert (root / "docs" / "results.md").read_text(encoding="utf-8") == page


def test_ingredients_from_nothing_to_the_page(tiny_base, root, tmp_path, trained):
    names = [f"{BASE}+nothing", f"{BASE}+averaged"]
    measure_results(names, seeds=1, profile="cpu", runs=tmp_path / "runs", root=root)
    assert trained == [(name, 0, "ingredient") for name in names]
    rows = load_results(root / STORE)
    assert [row["recipe"] for row in rows] == names
    page = (root / "docs" / "results.md").read_text(encoding="utf-8")
    assert describe_ingredients(rows) in page and "### One ingredient at a time" in page
    assert {path.name for path in (tmp_path / "runs" / "cpu").iterdir()} == {
        f"{name}-0-ingredient-{fingerprint(find_recipe(name))}" for name in names
    }
    trained.clear()
    measure_results(names, seeds=1, profile="cpu", runs=tmp_path / "other", root=root)
    assert not trained


def test_a_changed_recipe_is_trained_again(tiny, root, tmp_path, trained):
    options = {"seeds": 1, "profile": "cpu", "runs": tmp_path / "runs", "root": root}
    measure_results(["mlp_logits"], **options)
    (before,) = load_results(root / STORE)
    RECIPES["mlp_logits"] = replace(TINY, lr=5e-4)
    measure_results(["mlp_logits"], **options)
    (after,) = load_results(root / STORE)
    assert trained == 2 * [("mlp_logits", 0, "main")]
    assert after["settings"] != before["settings"] and after["distance"] != before["distance"]


def test_what_was_measured_is_kept_when_a_later_run_fails(tiny, root, tmp_path, monkeypatch):
    def fail_at_the_second(*task) -> None:
        if task[1] == "mlp_logits":
            raise RuntimeError("power cut")
        measure_run(*task)

    monkeypatch.setattr(measure, "_in_own_process", fail_at_the_second)
    with pytest.raises(RuntimeError, match="power cut"):
        measure_results(seeds=1, profile="cpu", runs=tmp_path / "runs", root=root)
    assert [row["recipe"] for row in load_results(root / STORE)] == ["mlp_sigmoid"]


@pytest.mark.parametrize(
    "options, said",
    [
        ({"names": ["gan"]}, "names: expected one of"),
        ({"names": ["mlp_logits", "gan"]}, "names: expected one of"),
        ({"names": [f"{BASE}+averaged", f"{BASE}+salt"]}, "names: expected one of"),
        ({"seeds": 0}, "seeds: expected at least 1"),
        ({"profile": "fast"}, "profile: expected one of"),
    ],
)
def test_what_cannot_be_measured_trains_nothing(root, tmp_path, trained, options, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        measure_results(**{"runs": tmp_path / "runs", "root": root, "profile": "cpu"} | options)
    assert not trained and not (root / STORE).exists()


def test_the_arguments():
    text = read_arguments(measure_results)
    assert text.startswith("names=None, *, seeds=3, profile=None, runs='runs/results', root=")


# --- the store -------------------------------------------------------------------------------


def make_row(recipe="mlp_sigmoid", seed=0, profile="cpu", main=True, **changed) -> dict:
    """A row of no run: at 100 after one minute, at 50 after two, ... at 16.7 after six."""
    row = {
        "recipe": recipe,
        "profile": profile,
        "seed": seed,
        "main": main,
        "numbers": "fp32",
        "settings": "abc",
        "epochs": 6,
        "steps": 600,
        "minutes": 6.0,
        "images_per_second": 1000,
        "memory_gb": 0.5,
        "machine": MACHINE,
        "verdict": "healthy",
        "curve": [[float(n), 100 * n, 100.0 / n] for n in range(1, 7)],
        "parameters": [267_009, 1_952_528],
        "distance": 16.0,
        "floor": 0.35,
        "shares": [0.1] * 10,
    }
    assert row.keys() == KEYS and changed.keys() <= KEYS
    return row | changed


def test_rows_are_stored_one_a_line_in_the_order_of_the_recipes(tmp_path):
    path = tmp_path / "results.json"
    rows = [
        make_row("dcgan", 1, "gpu"),
        make_row("dcgan", 0, "cpu", main=False),
        make_row("dcgan", 0, "cpu"),
        make_row("mlp_sigmoid", 1, "cpu"),
        make_row("mlp_sigmoid", 0, "cpu"),
    ]
    save_rows(rows[:2], path)
    save_rows(rows[2:], path)
    assert load_results(path) == [rows[4], rows[3], rows[2], rows[1], rows[0]]
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) == 2 + len(rows) and json.loads(text) == load_results(path)
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_ingredients_are_stored_after_the_recipes(tmp_path):
    path = tmp_path / "results.json"
    names = [*RECIPES, *VARIANTS]
    rows = [make_row(name, main=name in RECIPES) for name in reversed(names)]
    save_rows(rows, path)
    assert [row["recipe"] for row in load_results(path)] == names
    save_rows([make_row(VARIANTS[1], main=False, distance=5.0)], path)
    assert [r["distance"] for r in load_results(path) if r["recipe"] == VARIANTS[1]] == [5.0]
    assert len(load_results(path)) == len(names)


def test_a_row_replaces_the_one_of_its_name(tmp_path):
    path = tmp_path / "results.json"
    save_rows([make_row(seed=seed) for seed in (0, 1)], path)
    save_rows([make_row(seed=1, distance=5.0)], path)
    assert [row["distance"] for row in load_results(path)] == [16.0, 5.0]
    save_rows([make_row(seed=1, main=False, distance=7.0), make_row(seed=1, profile="gpu")], path)
    assert [row["distance"] for row in load_results(path)] == [16.0, 5.0, 7.0, 16.0]
    save_rows([], path)
    assert len(load_results(path)) == 4


def test_a_recipe_that_is_no_more_comes_last(tmp_path):
    path = tmp_path / "results.json"
    save_rows([make_row("gone"), make_row("dcgan_strided"), make_row("mlp_sigmoid")], path)
    assert [r["recipe"] for r in load_results(path)] == ["mlp_sigmoid", "dcgan_strided", "gone"]


def test_no_file_no_results(tmp_path):
    assert load_results(tmp_path / "results.json") == []


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[", b"\xff", b"null", b"5", b'"text"', b"[5]", b'["text"]', b"[null]", b"[[]]"),
        *(b"[{}]", b'{"recipe": "dcgan"}', b'[{"recipe": "dcgan"}]'),
        b'[{"recipe": "dcgan", "profile": "fast", "main": true, "seed": 0}]',
    ],
    ids=repr,
)
def test_a_damaged_store_is_named(tmp_path, data):
    path = tmp_path / "results.json"
    path.write_bytes(data)
    for call in (lambda: load_results(path), lambda: save_rows([make_row()], path)):
        with pytest.raises(ValueError, match=r"^results\.json: expected .*, got a damaged file"):
            call()
    assert path.read_bytes() == data  # what is left of it is not overwritten


def test_a_cut_off_store_is_named(tmp_path):
    path = tmp_path / "results.json"
    save_rows([make_row(), make_row(seed=1)], path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"^results\.json: expected"):
        load_results(path)


# --- pages from rows made up -----------------------------------------------------------------


def cells(table: str, name: str) -> list[str]:
    """The cells of a recipe's row."""
    (line,) = [line for line in table.splitlines() if line.startswith(f"| `{name}` |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


THREE = [
    make_row(seed=0, distance=10.0, minutes=1.0, memory_gb=0.25, images_per_second=900),
    make_row(seed=1, distance=30.0, minutes=6.0, memory_gb=0.75, shares=[0.19, 0.01] + 8 * [0.1]),
    make_row(seed=2, distance=20.0, minutes=2.0, images_per_second=12_000),
]


def test_the_readmes_table():
    table = describe_recipes(THREE)
    summary = RECIPES["mlp_sigmoid"].summary
    assert cells(table, "mlp_sigmoid") == [
        "`mlp_sigmoid`",
        summary,
        "20.0",
        "2.0",
        "CPU, 2 threads",
    ]
    lines = table.splitlines()
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == ["mlp_sigmoid"]  # all measured
    assert {line.count("|") for line in lines} == {6} and not table.endswith("\n")


def test_the_readme_shows_the_longest_profile():
    card = "NVIDIA H100, 80 GB; Python 3.11.7, torch 2.9.0; a processor"
    gpu = make_row(profile="gpu", distance=3.0, minutes=1.5, machine=card)
    for rows in ([*THREE, gpu], [gpu, *THREE]):
        assert cells(describe_recipes(rows), "mlp_sigmoid")[2:] == [
            "3.0",
            "1.5",
            "NVIDIA H100, 80 GB",
        ]


def test_runs_of_a_comparison_are_in_no_table():
    other = make_row(main=False, distance=1000.0, minutes=1000.0)
    assert describe_recipes([*THREE, other]) == describe_recipes(THREE)


def test_the_page():
    page = describe_results(THREE)
    found = cells(page.split("### Against")[0], "mlp_sigmoid")
    assert found[1:] == [
        *("267,009, 1,952,528", "10.0, 30.0, 20.0", "20.0", "0.35", "1.0%", "1,000", "2.0"),
        *("0.75", "fp32"),
    ]
    assert re.findall("^## .*profile.*$", page, re.MULTILINE) == ["## MNIST, profile `cpu`"]
    assert f"Machine: {MACHINE}." in page
    assert "bfloat16 against" not in page and "`dcgan`" not in page  # not measured
    for link in ("figures/results_cpu_mnist.png", "figures/results_mlp_sigmoid.png"):
        assert len(re.findall(rf"!\[[^\]]{{20,}}\]\({link}\)", page)) == 1
    assert page.startswith("# ") and page.endswith("\n") and not page.endswith("\n\n")


def test_each_profile_has_its_chapter():
    page = describe_results([*THREE, make_row(profile="gpu", distance=3.0)])
    cpu, gpu = page.split("## MNIST, profile `gpu`")
    assert (
        "## MNIST, profile `cpu`" in cpu and "10.0, 30.0, 20.0" in cpu and "10.0, 30.0" not in gpu
    )
    assert cells(gpu.split("### Against")[0], "mlp_sigmoid")[2] == "3.0"


ALL_KINDS = [
    make_row("cifar10_better", profile="gpu"),
    make_row(f"{BASE}+averaged", profile="cpu", main=False),
    make_row("mlp_logits", profile="gpu"),
    make_row("cifar10_better", profile="gpu", main=False),
    make_row(BASE, profile="gpu"),
    make_row("mlp_sigmoid"),
    make_row("gone", profile="gpu"),
]


def test_chapters_by_data_set_and_then_by_profile():
    assert find_chapters(ALL_KINDS) == [
        ("cpu", "MNIST"),
        ("gpu", "MNIST"),
        ("cpu", "CIFAR-10"),
        ("gpu", "CIFAR-10"),
    ]
    assert find_chapters([]) == [] and find_chapters(ALL_KINDS[:1]) == [("gpu", "CIFAR-10")]
    chosen = [choose_rows(ALL_KINDS, *chapter) for chapter in find_chapters(ALL_KINDS)]
    assert [[row["recipe"] for row in rows] for rows in chosen] == [
        ["mlp_sigmoid"],
        ["mlp_logits", "gone"],
        [f"{BASE}+averaged"],
        ["cifar10_better", "cifar10_better", BASE],
    ]


def test_the_data_of_a_row():
    assert {data_of(make_row(name)) for name in RECIPES if "cifar10" in name} == {"CIFAR-10"}
    assert {data_of(make_row(name)) for name in VARIANTS} == {"CIFAR-10"}
    assert {data_of(make_row(n)) for n in RECIPES if "cifar10" not in n} == {"MNIST"}
    assert data_of(make_row("gone")) == "MNIST"  # of the course's first recipes


def test_each_chapter_has_a_figure_of_its_own():
    names = {name_figure(*chapter) for chapter in find_chapters(ALL_KINDS)}
    assert names == {
        *("results_cpu_mnist.png", "results_gpu_mnist.png"),
        *("results_cpu_cifar10.png", "results_gpu_cifar10.png"),
    }
    page = describe_results(ALL_KINDS)
    without = {"results_cpu_cifar10.png"}  # ingredients only: no recipe's curve to draw
    assert all(page.count(f"(figures/{name})") == (name not in without) for name in names)
    # no recipe's own picture is overwritten by one of them
    assert not names & {f"results_{name}.png" for name in list_names()}


def test_a_chapter_holds_what_belongs_to_its_data_set():
    page = describe_results(ALL_KINDS)
    parts = re.split("^## (.*)$", page, flags=re.MULTILINE)[1:]
    chapters = dict(zip(parts[::2], parts[1::2]))
    assert list(chapters) == [
        *("MNIST, profile `cpu`", "MNIST, profile `gpu`"),
        *("CIFAR-10, profile `cpu`", "CIFAR-10, profile `gpu`", "Samples"),
    ]
    for title, text in list(chapters.items())[:-1]:
        assert ("### Against the first pair" in text) == ("MNIST" in title)
        assert ("### At equal minutes" in text) == (title == "CIFAR-10, profile `gpu`")
        assert ("`cifar10_better`" in text) == (title == "CIFAR-10, profile `gpu`")
        assert ("`mlp_sigmoid`" in text) == ("MNIST" in title)
    assert "nan" not in page and "inf" not in page


def test_precisions_of_one_data_set_are_in_its_chapter():
    rows = [
        make_row("cifar10_better", seed, "gpu", curve=curve((1, 80), (2, 40)), numbers="bf16")
        for seed in (0, 1, 2)
    ]
    rows += [
        row | {"main": False, "numbers": "fp32", "curve": curve((1, 80), (2, 41 + row["seed"])),
               "steps": 200}
        for row in rows
    ]  # fmt: skip
    page = describe_results([*THREE, *rows])
    mnist, colours = page.split("## CIFAR-10")
    assert "bfloat16 against" not in mnist
    told = cells(colours.split("### bfloat16")[1].split("## Samples")[0], "cifar10_better")
    assert told[1:] == ["200", "41.0, 42.0, 43.0", "40.0, 40.0, 40.0", "inside"]
    open_ones = re.search("^Not compared yet.*$", colours, re.MULTILINE)[0]
    assert "`cifar10_dcgan`" in open_ones and "mlp" not in open_ones


def test_a_page_without_runs():
    page = describe_results([])
    assert "profile" not in page and "nan" not in page


def curve(*points: tuple[float, float]) -> list[list[float]]:
    return [[minutes, 100 * n, distance] for n, (minutes, distance) in enumerate(points, 1)]


def test_how_many_times_nearer():
    """The baseline is at 60, 100 and 200 after five epochs: 100 in the middle."""
    rows = [
        make_row(seed=seed, curve=curve(*[(n + 1.0, 5 * far / (n + 1)) for n in range(6)]))
        for seed, far in enumerate((200.0, 60.0, 100.0))
    ]
    rows += [
        make_row("dcgan", 0, curve=curve((2.0, 50.0), (4.9, 25.0), (5.1, 10.0), (10.1, 1.0))),
        make_row("dcgan", 1, curve=curve((2.0, 50.0), (5.0, 20.0), (10.0, 5.0))),
        make_row("dcgan", 2, curve=curve((2.0, 10.0))),
    ]
    told = report._describe_ratios(rows)
    assert "is at 100.0 after 5 epochs (middle of 3 seeds, 5,000 samples)" in told
    # 25, 20, 10 within five minutes: 20; 10, 5, 10 within ten: 10
    assert cells(told, "dcgan")[1:] == ["3", "5 times", "10 times"]
    # itself: 100 after five minutes, 5/6 of it after six
    assert cells(told, "mlp_sigmoid")[1:] == ["3", "1 times", "1 times"]
    assert "mlp_ls" not in told


def test_without_the_first_pair_there_is_nothing_to_compare_with():
    told = report._describe_ratios([make_row("dcgan")])
    assert told == "`mlp_sigmoid` was not measured."
    compared_only = [make_row(main=False), make_row("dcgan")]
    assert report._describe_ratios(compared_only) == told


def timed(recipe: str, seed: int, *points: tuple[float, float]) -> dict:
    """A main run of as many minutes as its last point says."""
    return make_row(recipe, seed, "gpu", curve=curve(*points), minutes=points[-1][0])


def test_the_better_pair_at_equal_minutes():
    rows = [
        timed(BASE, 0, (0.5, 90.0), (1.0, 60.0), (1.9, 48.0), (4.0, 30.0)),
        timed(BASE, 1, (0.4, 80.0), (1.2, 50.0), (2.0, 40.0), (4.1, 35.0)),
        timed(BASE, 2, (0.5, 99.0), (0.9, 70.0), (2.0, 44.0), (3.7, 20.0)),
        timed("cifar10_better", 0, (0.3, 45.0), (1.0, 20.0), (2.0, 11.0)),
        timed("cifar10_better", 1, (0.5, 30.0), (0.8, 25.0), (1.8, 12.0)),
        timed("cifar10_better", 2, (0.5, 36.0), (0.9, 10.0), (1.9, 10.0)),
    ]
    lines = describe_equal_minutes(rows).splitlines()
    assert lines[0].count("|") == 5 and BASE in lines[0] and "cifar10_better" in lines[0]
    assert lines[2:] == [
        "| 0.5 | 90.0, 80.0, 99.0 | 45.0, 30.0, 36.0 | 2.5 |",  # 90 against 36
        "| 1 | 60.0, 80.0, 70.0 | 20.0, 25.0, 10.0 | 3.5 |",  # 70 against 20
        "| 2 | 48.0, 40.0, 44.0 | 11.0, 12.0, 10.0 | 4.0 |",  # 1.8 minutes are nearly two
    ]  # after four minutes only one of both was still training
    assert (
        describe_equal_minutes([*rows, make_row(BASE, 0, "gpu", main=False)]).splitlines() == lines
    )


@pytest.mark.parametrize(
    "late",
    [
        timed("cifar10_better", 1, (0.6, 30.0), (2.0, 25.0)),
        timed("cifar10_better", 1, (0.1, 30.0), (0.44, 25.0)),
        make_row("cifar10_better", 1, "gpu", curve=[]),
    ],
    ids=["no point by then", "ended before", "broke down"],
)
def test_a_moment_that_not_every_run_came_to_is_left_out(late):
    rows = [
        timed(BASE, 0, (0.2, 90.0), (0.6, 80.0)),
        timed("cifar10_better", 0, (0.2, 50.0), (0.6, 40.0)),
    ]
    assert "| 0.5 | 90.0 | 50.0 | 1.8 |" in describe_equal_minutes(rows)
    assert describe_equal_minutes([*rows, late]) == "Not measured yet for both."


def test_one_of_both_alone_is_at_no_equal_minutes():
    for name in (BASE, "cifar10_better"):
        rows = [timed(name, 0, (0.2, 90.0), (9.0, 80.0))]
        assert describe_equal_minutes(rows) == "Not measured yet for both."
    assert describe_equal_minutes([]) == "Not measured yet for both."


def tried(name: str, *distances: float | None, minutes: float = 2.0) -> list[dict]:
    """The runs of an ingredient, by seed: the distance at the end; None breaks down on the way."""
    return [
        make_row(
            f"{BASE}+{name}",
            seed,
            main=False,
            minutes=minutes + seed,
            steps=200,
            curve=curve((1, 500.0), *([] if distance is None else [(2, distance)])),
        )
        for seed, distance in enumerate(distances)
    ]


def test_the_table_of_ingredients_by_hand():
    rows = [
        *tried("nothing", 100.0, 120.0, 110.0),
        *tried("logits", 80.0, 99.9, 90.0, minutes=1.5),
        *tried("averaged", 120.1, 300.0, 121.0),
        *tried("decay", 90.0, 119.0, 95.0),
        *tried("batch", 100.0, 90.0, 95.0),  # as near as the best of the base is not nearer
        *tried("augmented", 120.0, 130.0, 140.0),
        *tried("spectral", 80.0, None, 90.0),
        *tried("penalty", None, None, None),
        *tried("adam", 130.0, None, 140.0),
        *tried("deeper", 50.0),
    ]
    rows[-5]["curve"] = []  # at once
    lines = describe_ingredients(rows[::-1][::-1]).splitlines()
    assert lines[0].count("|") == 6 and lines[1] == "| --- | --- | --- | --- | --- |"
    words = {name: says for name, (says, _) in INGREDIENTS.items()}
    assert lines[2:] == [
        f"| {words['nothing']} | 100.0, 120.0, 110.0 | 110.0 |  | 3.00 |",
        f"| {words['logits']} | 80.0, 99.9, 90.0 | 90.0 | better | 2.50 |",
        f"| {words['averaged']} | 120.1, 300.0, 121.0 | 121.0 | worse | 3.00 |",
        f"| {words['decay']} | 90.0, 119.0, 95.0 | 95.0 | undecided | 3.00 |",
        f"| {words['batch']} | 100.0, 90.0, 95.0 | 95.0 | undecided | 3.00 |",
        f"| {words['augmented']} | 120.0, 130.0, 140.0 | 130.0 | undecided | 3.00 |",
        f"| {words['spectral']} | 80.0, inf, 90.0 | 90.0 | undecided | 3.00 |",
        f"| {words['penalty']} | inf, inf, inf | inf | worse | 3.00 |",
        f"| {words['adam']} | 130.0, inf, 140.0 | 140.0 | worse | 3.00 |",
        f"| {words['deeper']} | 50.0 | 50.0 | better | 2.00 |",
    ]


def test_ingredients_are_shown_beside_the_pair_as_it_is_only():
    both = [*tried("nothing", 100.0), *tried("batch", 90.0)]
    assert len(describe_ingredients(both).splitlines()) == 4
    for rows in ([], both[:1], both[1:], [make_row(BASE, 0)]):
        assert describe_ingredients(rows) == ""
        assert "One ingredient" not in describe_results(rows)
    page = describe_results([*both, make_row(BASE, 0)])
    assert page.count("### One ingredient at a time") == 1
    assert f"{BUDGET} epochs (150,000 images)" in page
    alone = describe_results(both)  # nothing of recipes that were not trained
    assert "figures/" not in alone and "| recipe |" not in alone and "equal minutes" not in alone
    assert alone.count("### One ingredient at a time") == 1


def test_ingredients_are_in_no_other_table():
    rows = [make_row(BASE, 0, distance=25.0)]
    both = [*rows, *tried("nothing", 100.0), *tried("batch", 90.0)]
    assert describe_recipes(both) == describe_recipes(rows)
    assert report._table(both) == report._table(rows)
    assert report._describe_precisions(both, "CIFAR-10") == ""
    alone = draw_curves(both[1:])  # without any recipe there is nothing to draw
    assert alone.startswith(b"\x89PNG")


def test_chance_looks_better_or_worse_in_one_case_of_ten():
    """As the page says: of all ways to share six distances out among two equally good ones."""
    verdicts = [
        compare(base, [n for n in range(6) if n not in base])
        for base in itertools.combinations(range(6), 3)
    ]
    assert (verdicts.count("better"), verdicts.count("worse"), len(verdicts)) == (1, 1, 20)
    page = describe_results([*tried("nothing", 100.0), *tried("batch", 90.0)])
    assert re.search(r"chance alone looks so in one\s+case of ten", page)


@steady
@given(*(st.lists(st.floats(0, 1000), min_size=1, max_size=4) for _ in range(2)))
def test_better_one_way_is_worse_the_other(one, other):
    opposite = {"better": "worse", "worse": "better", "undecided": "undecided"}
    assert compare(other, one) == opposite[compare(one, other)]
    assert compare(one, one) == "undecided"
    assert compare(one, [math.inf]) == "worse"


@pytest.mark.parametrize(
    "fp32, bf16, expected",
    [
        # mean 2, standard deviation 1: the spread is 0 to 4
        ([1.0, 2.0, 3.0], [0.0, 2.5, 9.0], "inside"),
        ([1.0, 2.0, 3.0], [4.0], "inside"),
        ([1.0, 2.0, 3.0], [0.0], "inside"),
        ([1.0, 2.0, 3.0], [4.1, 4.2, 0.1], "above it"),
        ([3.0, 2.0, 1.0], [-0.1, -0.2, 5.0], "below it"),
        ([2.0, 2.0, 2.0], [2.0], "inside"),
        ([2.0, 3.0], [9.0, 9.0], "open: too few seeds"),
    ],
)
def test_where_the_middle_lies(fp32, bf16, expected):
    assert place(fp32, bf16) == expected
    assert place(fp32=fp32, bf16=bf16) == expected


def compared(seed: int, distance: float, steps: int = 200, **changed) -> dict:
    points = curve((1.0, 90.0), (2.0, distance))[: steps // 100]
    return make_row(
        "mlp_ls", seed, main=False, numbers="bf16", steps=steps, curve=points, **changed
    )


def test_precisions_are_compared_after_equal_steps():
    main = [
        make_row("mlp_ls", seed, curve=curve((1, 80), (2, 40 + seed), (3, 20)))
        for seed in (0, 1, 2)
    ]
    found = compare_precisions([*main, compared(0, 41.0), compared(2, 45.0)], "mlp_ls")
    assert found == (200, {"fp32": [40, 42], "bf16": [41.0, 45.0]})  # seed 1 has no partner
    page = describe_results([*main, compared(0, 41.0), compared(2, 45.0)])
    row = cells(page.split("### bfloat16")[1].split("## Samples")[0], "mlp_ls")
    assert row[1:] == ["200", "40.0, 42.0", "41.0, 45.0", "open: too few seeds"]


def test_the_main_runs_may_be_the_ones_in_bfloat16():
    main = [make_row("mlp_ls", numbers="bf16", curve=curve((1, 80), (2, 40)))]
    other = [compared(0, 50.0) | {"numbers": "fp32"}]
    assert compare_precisions(main + other, "mlp_ls") == (200, {"fp32": [50.0], "bf16": [40]})


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [make_row("mlp_ls")],
        [compared(0, 41.0)],
        [make_row("mlp_ls", 1), compared(0, 41.0)],
        [make_row("dcgan"), compared(0, 41.0)],
        [make_row("mlp_ls"), compared(0, 41.0) | {"curve": []}],
        [make_row("mlp_ls", curve=curve((1, 80))), compared(0, 41.0)],
    ],
    ids=["nothing", "one side", "other side", "other seed", "other recipe", "broke down", "short"],
)
def test_what_cannot_be_compared_is_left_out(rows):
    assert compare_precisions(rows, "mlp_ls") is None
    assert "bfloat16 against" not in describe_results([*rows, make_row(seed=5)])


BROKEN = {"distance": None, "floor": None, "shares": [0.0] * 10, "verdict": "broke down"}


@pytest.mark.parametrize("points", [0, 2])
@pytest.mark.parametrize("recipe", ["mlp_sigmoid", "dcgan"])
@pytest.mark.parametrize("seeds", [(0,), (1,), (0, 1, 2)], ids=["first", "second", "all"])
def test_runs_that_broke_down_have_their_place_on_every_page(recipe, points, seeds):
    """They have no distance, and a curve that ends early or has no point at all."""
    rows = [make_row(name, seed) for name in ("mlp_sigmoid", "dcgan") for seed in (0, 1, 2)]
    rows = [
        row | BROKEN | {"curve": row["curve"][:points]}
        if row["recipe"] == recipe and row["seed"] in seeds
        else row
        for row in rows
    ]
    page = describe_results(rows)
    assert cells(page.split("### Against")[0], recipe)[2].count("none") == len(seeds)
    assert len(cells(describe_recipes(rows), recipe)) == 5
    assert draw_curves(rows).startswith(b"\x89PNG")


def test_the_curves_are_a_picture():
    rows = [make_row(name, seed) for name in RECIPES for seed in (0, 1)]
    picture = Image.open(io.BytesIO(draw_curves(rows)))
    assert picture.format == "PNG" and min(picture.size) > 300


def test_the_curves_are_those_of_the_first_seed(monkeypatch):
    drawn = []
    monkeypatch.setattr(report, "render", lambda figure: drawn.append(figure) or b"")
    later = curve((1.0, 7.0), (2.0, 3.0))
    draw_curves([make_row("dcgan", 0, curve=later), make_row("dcgan", 1), make_row(main=False)])
    draw_curves([make_row(name) for name in RECIPES])
    (axis,) = drawn[0].axes
    (line,) = axis.lines
    assert line.get_label() == "dcgan" and axis.get_yscale() == "log"
    assert list(line.get_xdata()) == [1.0, 2.0] and list(line.get_ydata()) == [7.0, 3.0]
    looks = {(line.get_color(), line.get_marker()) for line in drawn[1].axes[0].lines}
    assert len(looks) == len({mark for _, mark in looks}) == len(RECIPES)  # also without colours
    assert axis.get_xlabel() and axis.get_ylabel()


# --- the README and the files ---------------------------------------------------------------


def test_only_the_table_is_replaced():
    before, after = "# Title\n\né | `x`\n", "\n\nthe end, without a line's end"
    for old in ("", "old\n", "| a |\n| b |\n"):
        got = replace_table(f"{before}{MARKS[0]}\n{old}{MARKS[1]}{after}", THREE)
        assert got == f"{before}{MARKS[0]}\n{describe_recipes(THREE)}\n{MARKS[1]}{after}"
        assert replace_table(got, THREE) == got
        assert (
            replace_table(got, [])
            == f"{before}{MARKS[0]}\n{describe_recipes([])}\n{MARKS[1]}{after}"
        )


@pytest.mark.parametrize(
    "text", ["", "text", MARKS[0], MARKS[1], f"{MARKS[1]}\n{MARKS[0]}\n"], ids=range(5)
)
def test_a_readme_without_the_marks_is_left_alone(root, text):
    with pytest.raises(ValueError, match=r"^README\.md: expected the lines <!-- recipes"):
        replace_table(text, THREE)
    (root / "README.md").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"^README\.md: expected"):
        write_results(root)
    assert (root / "README.md").read_text(encoding="utf-8") == text


def test_the_files_that_are_written(root, capsys):
    rows = [*THREE, make_row(profile="gpu", distance=3.0), make_row(BASE, profile="gpu")]
    save_rows(rows, root / STORE)
    write_results(root)
    assert {path.name for path in (root / "docs" / "figures").iterdir()} == {
        "results_cpu_mnist.png",
        "results_gpu_mnist.png",
        "results_gpu_cifar10.png",
    }
    assert (root / "docs" / "results.md").read_text(encoding="utf-8") == describe_results(rows)
    assert (root / "README.md").read_text(encoding="utf-8") == (
        f"before\n{MARKS[0]}\n{describe_recipes(rows)}\n{MARKS[1]}\nafter é\n"
    )
    assert "results.md" in capsys.readouterr().out


def test_a_course_without_a_readme(root):
    (root / "README.md").unlink()
    save_rows(THREE, root / STORE)
    write_results(root)
    assert (root / "docs" / "results.md").is_file() and not (root / "README.md").exists()


# --- what is really stored -------------------------------------------------------------------

STORED = load_results()


def test_the_stored_pages_are_those_of_the_stored_runs():
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert page == describe_results(STORED, load_day())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert replace_table(readme, STORED) == readme


def seeds_of(name: str) -> set[int]:
    return {r["seed"] for r in STORED if r["recipe"] == name and r["main"] == (name in RECIPES)}


ONE_SEED = {"mlp_relu"}  # so far; the README says so


def test_every_recipe_was_measured_from_three_seeds():
    for name in RECIPES:
        assert seeds_of(name) >= ({0} if name in ONE_SEED else {0, 1, 2}), name


def test_every_ingredient_was_measured_from_three_seeds():
    assert {name: sorted(seeds_of(name)) for name in VARIANTS} == {
        name: [0, 1, 2] for name in VARIANTS
    }


def test_equal_minutes_are_those_of_one_machine():
    for profile in ("cpu", "gpu"):
        rows = [r for r in choose_rows(STORED, profile, "CIFAR-10") if r["recipe"] in CIFAR10_PAIR]
        assert len({row["machine"] for row in rows}) <= 1, profile


def test_bfloat16_is_used_only_where_it_was_seen_to_do_no_harm():
    """What was not compared yet is named on the page."""
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for (profile, data), name in itertools.product(find_chapters(STORED), RECIPES):
        rows = choose_rows(STORED, profile, data)
        found = compare_precisions(rows, name)
        if RECIPES[name].precision != "auto" or not any(row["recipe"] == name for row in rows):
            continue
        if found is None:
            assert re.search(rf"Not compared yet.*`{name}`", page), name
        elif name in ONE_SEED:
            assert re.search(rf"`{name}` .*open: too few seeds", page), name
        else:
            assert len(found[1]["fp32"]) == len(found[1]["bf16"]) == 3, name
            assert place(**found[1]) != "above it", name


@cache
def settings_of(name: str) -> tuple[str, list[int]]:
    """The fingerprint, and the sizes of D and G."""
    recipe = find_recipe(name)
    networks = recipe.build_D(), recipe.build_G(recipe.noise_size)
    return fingerprint(recipe), [count_params(network) for network in networks]


def reads_code_alike(machine: str) -> bool:
    """Whether the Python there writes a function's code as the one here does."""
    there, here = int(re.search(r"Python 3\.(\d+)", machine)[1]), sys.version_info.minor
    return (there < 11) == (here < 11)


def name_row(row: dict) -> str:
    return f"{row['recipe']}-{row['profile']}-{'main' if row['main'] else 'side'}-{row['seed']}"


@pytest.mark.parametrize("row", STORED, ids=name_row)
def test_a_stored_run_is_whole(row):
    name, recipe = row["recipe"], find_recipe(row["recipe"])
    assert row.keys() == KEYS and row["profile"] in ("cpu", "gpu")
    whole = recipe.count_epochs(row["profile"])
    part = BUDGET if name in VARIANTS else count_compared(name)
    assert row["epochs"] == (whole if row["main"] else min(whole, part))
    assert row["main"] <= (name in RECIPES)
    settings, sizes = settings_of(name)
    assert row["parameters"] == sizes
    if row["main"] and recipe.precision == "fp32":
        assert row["numbers"] == "fp32", "the recipe trains in other numbers by now"
    if reads_code_alike(row["machine"]):
        assert row["settings"] == settings, "the recipe was changed since"
    if name in VARIANTS and row["distance"] is None:
        assert row["verdict"] != "healthy"  # one that broke down has its place in the table
        return
    minutes, steps, distances = zip(*row["curve"])
    assert list(minutes) == sorted(set(minutes)) and list(steps) == sorted(set(steps))
    epoch, rest = divmod(row["steps"], row["epochs"])
    assert rest == 0 and all(step % epoch == 0 for step in steps) and steps[-1] == row["steps"]
    assert min(row["epochs"], POINTS) <= len(steps) <= 2 * POINTS
    if row["epochs"] < 2 * POINTS:  # a point an epoch
        assert len(steps) == row["epochs"]
    assert min(distances) > 0
    assert row["minutes"] == pytest.approx(minutes[-1], abs=0.006) and row["memory_gb"] > 0
    assert sum(row["shares"]) == pytest.approx(1, abs=2e-3) and 0 < row["floor"] < row["distance"]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_uses_bfloat16_only_where_it_was_measured_to_do_no_harm(name):
    for profile in ("cpu", "gpu"):
        found = compare_precisions([r for r in STORED if r["profile"] == profile], name)
        if found is not None and place(**found[1]) == "above it":
            assert RECIPES[name].precision == "fp32"


def test_the_documented_keys():
    listed = re.findall(r"`(\w+)`", load_results.__doc__.split("Keys:")[1].split("Raises:")[0])
    assert KEYS - {"settings"} <= set(listed)
