"""The gallery of runs that go well or fail, and the table of how often their verdicts are right."""

from __future__ import annotations

import json
import math
import signal

import pytest
import torch
from helpers import assert_complains, bad_inputs
from torch import Tensor

from course_utils import gallery, verdicts
from course_utils.diagnosis import ADVICE, Signs
from course_utils.gallery import (
    BATCH,
    CASES,
    HEALTHY,
    LEAST_SQUARES,
    LOG_EVERY,
    PAIRS,
    InBlocks,
    Setup,
    build_norm_discriminator,
    play,
    play_case,
    saturating_loss,
)
from course_utils.training import AdversarialStep, History, Progress, Stopped
from course_utils.verdicts import (
    SEEN,
    SETUPS,
    UNSEEN,
    describe_verdicts,
    measure_run,
    measure_verdicts,
    note_classes,
)

pytestmark = pytest.mark.usefixtures("own_randomness")

STEPS = 20


def play_watched(setup: Setup, steps: int = 3, **options) -> tuple[AdversarialStep, History]:
    """The step object of a run, and its history."""
    kept: list[Progress] = []
    history = play(setup, steps, callbacks=[kept.append], **options)
    return kept[-1].game, history


def numbers(history: History) -> tuple:
    return history.step, history.d_loss, history.g_loss, history.d_real, history.d_fake


def copy_weights(*networks: torch.nn.Module) -> list[Tensor]:
    return [p.detach().clone() for network in networks for p in network.parameters()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


# --- the riddles ------------------------------------------------------------------------------


@pytest.mark.parametrize("fixed", [False, True], ids=["as it is", "fixed"])
@pytest.mark.parametrize("number", CASES)
def test_each_riddle_plays_and_a_seed_decides_it(number, fixed):
    one, again = (play_case(number, STEPS, fixed=fixed, seed=3) for _ in range(2))
    assert one.step == [1, *range(LOG_EVERY, STEPS + 1, LOG_EVERY)] and not one.stopped
    assert all(math.isfinite(v) for values in numbers(one) for v in values)
    assert [step for step, _ in one.samples] == [0, STEPS]
    assert one.images == STEPS * BATCH
    assert numbers(one) == numbers(again)
    for (_, first), (_, second) in zip(one.samples, again.samples, strict=True):
        assert torch.equal(first, second)


def test_another_seed_is_another_run():
    assert numbers(play_case(2, 2, seed=0)) != numbers(play_case(2, 2, seed=1))


@pytest.mark.parametrize("number", CASES)
def test_fixed_plays_the_fix(number):
    case = CASES[number]
    fixed = numbers(play_case(number, 5, fixed=True))
    assert fixed == numbers(play(case.fix, 5))
    played = numbers(play_case(number, 5))
    assert played == numbers(play(case.setup, 5))
    assert (fixed == played) is (case.cause == "healthy")


def test_a_fix_changes_only_what_is_wrong():
    """The riddles about rates are mended by the rates of lesson 1, and by nothing else."""
    for case in CASES.values():
        if case.setup.build_D is None:
            assert case.fix is HEALTHY
        else:
            assert case.fix.build_D is case.setup.build_D and case.fix.lr == case.setup.lr
            assert (case.setup.one_pass, case.fix.one_pass) == (True, False)


# --- a setup is what the run is made of -------------------------------------------------------


def test_the_learning_rates_are_those_of_the_setup():
    game, _ = play_watched(Setup("", lr=(1e-3, 1e-5)))
    assert [group["lr"] for group in game.param_groups] == [1e-3, 1e-5]
    assert isinstance(game.D_solver, torch.optim.Adam)
    game, _ = play_watched(Setup("", lr=(0.1, 0.2), momentum=0.5))
    assert [(g["lr"], g["momentum"]) for g in game.param_groups] == [(0.1, 0.5), (0.2, 0.5)]
    assert isinstance(game.G_solver, torch.optim.SGD)


def test_losses_scores_and_steps_are_those_of_the_setup():
    game, history = play_watched(Setup("", **LEAST_SQUARES))
    assert (game.discriminator_loss, game.generator_loss) == LEAST_SQUARES["losses"]
    assert abs(history.d_real[0]) < 0.45  # a score of a new network, not a probability near 0.5
    assert type(play_watched(Setup("", step=InBlocks))[0]) is InBlocks
    assert play_watched(Setup("", steps=4), steps=9)[1].step[-1] == 4


@pytest.mark.parametrize("one_pass", [True, False])
def test_batch_norm_in_d_sees_one_batch_or_two(one_pass):
    game, _ = play_watched(Setup("", build_D=build_norm_discriminator, one_pass=one_pass))
    seen = {int(layer.num_batches_tracked) for layer in game.D if hasattr(layer, "running_mean")}
    # a pass for D's update (of both, or one each), and one for G's
    assert seen == {3 * (2 if one_pass else 3)}


@pytest.mark.parametrize("pair", PAIRS)
def test_both_pairs_play(pair):
    game, history = play_watched(HEALTHY, steps=2, pair=pair)
    assert type(game.D) is type(PAIRS[pair].build_D())
    assert len(list(game.D.parameters())) == len(list(PAIRS[pair].build_D().parameters()))
    assert history.step == [1, 2] and not history.stopped


def test_callbacks_are_called():
    kept: list[Progress] = []
    history = play_case(1, 3, callbacks=[kept.append])
    assert [progress.step for progress in kept] == [0, 3]
    assert kept[0].history is history


@pytest.mark.parametrize("fixed, name", [(False, "run 5:"), (True, "run 5, mended:")])
def test_a_riddle_has_a_bar_with_its_name(capsys, fixed, name):
    play_case(5, 2, fixed=fixed)
    bar = capsys.readouterr().err
    assert name in bar and "2/2" in bar
    play(HEALTHY, 2)
    assert capsys.readouterr().err == ""


def test_digits_come_up_again_in_a_long_run(monkeypatch):
    """Where there are fewer digits than steps need, no more than a few steps are too many."""
    load, few = gallery.load_mnist, 10 * BATCH
    monkeypatch.setattr(gallery, "load_mnist", lambda limit: load(limit=min(limit, few)))
    assert play(HEALTHY, 10).step[-1] == 10
    assert play(HEALTHY, 11).step[-1] == 12  # two passes over six batches, not over ten
    assert play(HEALTHY, 20).step[-1] == 20


# --- learning in blocks -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "losses, steps", [({}, 152), (LEAST_SQUARES, 52)], ids=["logits", "least squares"]
)
def test_only_one_player_learns_in_each_block(losses, steps):
    learned = []

    class Watched(InBlocks):
        def __call__(self, images, labels):
            before = copy_weights(self.D), copy_weights(self.G)
            scores = super().__call__(images, labels)
            assert set(scores) == {"d_loss", "g_loss", "d_real", "d_fake"}
            assert all(torch.isfinite(value) for value in scores.values())
            learned.append(
                "".join(
                    name
                    for name, network, old in zip("DG", (self.D, self.G), before)
                    if not same(old, copy_weights(network))
                )
            )
            return scores

    play(Setup("", step=Watched, **losses), steps)
    # step n, counted from 1, belongs to block n // 50: the first block lacks step 0
    assert learned == ["DG"[step // 50 % 2] for step in range(1, steps + 1)]


def test_the_idle_player_is_scored_all_the_same():
    _, history = play_watched(Setup("", step=InBlocks), steps=100)
    assert len(history.d_loss) == len(history.g_loss) == len(history.d_real) == 11
    assert len(set(history.d_real)) == len(set(history.g_loss)) == 11


def test_the_loss_that_saturates():
    """The mean of log(1 - D(G(z))): the classic form, with D as a probability."""
    logits = torch.tensor([-3.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    loss = saturating_loss(logits)
    assert loss.item() == pytest.approx(torch.log(1 - torch.sigmoid(logits)).mean().item())
    (slopes,) = torch.autograd.grad(loss, logits)
    assert (slopes < 0).all()  # G raises its scores ...
    assert slopes[0].abs() < slopes[1].abs() / 5  # ... but hardly where D is sure


# --- bad input --------------------------------------------------------------------------------


@bad_inputs(
    ("number: none such", lambda: play_case(6, 2), ValueError, "number", "6"),
    ("number: a word", lambda: play_case("1", 2), ValueError, "number", "'1'"),
    ("fixed", lambda: play_case(1, 2, fixed="yes"), TypeError, "fixed", "str"),
    ("steps: none", lambda: play_case(1, 0), ValueError, "steps", "0"),
    ("steps: a fraction", lambda: play_case(1, 2.5), TypeError, "steps", "float"),
    ("seed: below 0", lambda: play_case(1, 2, seed=-1), ValueError, "seed", "-1"),
    ("seed: True", lambda: play(HEALTHY, 2, seed=True), TypeError, "seed", "bool"),
    ("pair", lambda: play(HEALTHY, 2, pair="CNN"), ValueError, "pair", "'CNN'"),
    ("pairs", lambda: measure_verdicts("unused", ["CNN"]), ValueError, "pair", "'CNN'"),
    (
        "callbacks",
        lambda: play_case(1, 1, callbacks=print),
        TypeError,
        "callbacks",
        "builtin",
    ),
)
def test_bad_input(call, error, name, got):
    assert_complains(call, error, name, got)


# --- how often the verdicts are right ---------------------------------------------------------


def test_no_seed_is_both_used_for_thresholds_and_reported():
    assert not set(SEEN) & set(UNSEEN)
    assert set(verdicts.PLAYED["MLP"][1]) == {*SEEN, *UNSEEN}


def test_every_verdict_has_runs_and_every_run_its_own_name():
    for setups in SETUPS.values():
        assert {kind for kind, _ in setups} == set(ADVICE)
        runs = [(kind, setup.what) for kind, setup in setups]
        assert len(set(runs)) == len(runs)  # the table finds them by it
    assert verdicts.PLAYED.keys() == PAIRS.keys() == SETUPS.keys()


def make_row(kind: str, verdict: str, *, seed: int = 5, pair: str = "MLP", signs=True, **changed):
    """A row as `measure_run` makes it."""
    what = next(setup.what for known, setup in SETUPS[pair] if known == kind)
    known = {"steps": 900, "gap": 0.5, "swing": 0.1, "moved": 1.0, "moved_lately": 0.5}
    known |= {"spread": 0.6, "classes": 9.0}
    row = {"pair": pair, "kind": kind, "what": what, "seed": seed, "verdict": verdict}
    return row | {"signs": known | changed if signs else None}


def read_table(text: str, title: str, first: str) -> dict[tuple[str, ...], list[str]]:
    """The rows of a section's table whose head begins with `first`, by their first cell(s)."""
    section = next(part for part in text.split("## ") if part.startswith(title))
    lines = section[section.index(f"| {first}") :].split("\n\n")[0].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    keys = 2 if first == "run" else 1
    return {tuple(row[:keys]): dict(zip(head[keys:], row[keys:], strict=True)) for row in rows}


REPORTED, FOR_THRESHOLDS = "MLP pair, seeds 5 to 9", "MLP pair, seeds 0 to 4"


def test_rows_are_counted():
    rows = [
        make_row("healthy", "healthy", seed=5),
        make_row("healthy", "healthy", seed=6),
        make_row("healthy", "oscillation", seed=7),
        make_row("D has won", "D has won", seed=5),
        make_row("not finite", "D has won", seed=5),
        make_row("oscillation", "healthy", seed=1),  # another group
        make_row("not finite", "not finite", seed=1, pair="DCGAN"),
    ]
    text = describe_verdicts(rows)
    assert "3 of 5 right (60%)" in text.split("## ")[2]
    assert "0 of 1 right (0%)" in text.split("## ")[1]
    assert "1 of 1 right (100%)" in text.split("## ")[3]
    counts = read_table(text, REPORTED, "|")
    assert {(k[0], v): n for k, row in counts.items() for v, n in row.items() if n} == {
        ("healthy", "healthy"): "2",
        ("healthy", "oscillation"): "1",
        ("D has won", "D has won"): "1",
        ("not finite", "D has won"): "1",
    }
    assert [key[0] for key in counts] == list(ADVICE) == list(counts["healthy",])
    assert read_table(text, FOR_THRESHOLDS, "|")["oscillation",]["healthy"] == "1"


def test_ranges_leave_out_what_is_unknown():
    rows = [
        make_row("healthy", "healthy", seed=5, gap=0.25, swing=math.nan, classes=math.nan),
        make_row("healthy", "healthy", seed=6, gap=-0.5, swing=math.nan, classes=8.0),
        make_row("healthy", "healthy", seed=7, gap=0.75, swing=0.125, classes=10.0),
        make_row("not finite", "not finite", seed=5, signs=False),  # it had no step to look at
        make_row("healthy", "healthy", seed=0, gap=99.0),  # another group
    ]
    ranges = read_table(describe_verdicts(rows), REPORTED, "run")
    healthy = ranges["healthy", HEALTHY.what]
    assert healthy == {
        "gap": "-0.50 to 0.75",
        "swing": "0.12 to 0.12",
        "moved": "1.00 to 1.00",
        "moved_lately": "0.50 to 0.50",
        "spread": "0.60 to 0.60",
        "classes": "8.00 to 10.00",
    }
    nothing = next(setup.what for kind, setup in SETUPS["MLP"] if kind == "not finite")
    assert set(ranges["not finite", nothing].values()) == {""}
    assert len(ranges) == len(SETUPS["MLP"])


def test_a_group_without_runs_is_left_out():
    text = describe_verdicts([make_row("healthy", "healthy", pair="DCGAN", seed=1)])
    assert text.count("## ") == 1 and "## DCGAN pair" in text
    assert "nan" not in text


def test_a_run_that_breaks_at_once_has_a_verdict_and_no_signs(monkeypatch):
    broken = History(stopped="not finite: d_loss is nan at step 1")
    monkeypatch.setattr(verdicts, "play", lambda *args, **options: broken)
    row = measure_run("MLP", "not finite", HEALTHY, 900, 5)
    assert (row["verdict"], row["signs"]) == ("not finite", None)


def test_a_run_that_the_stop_button_cut_short_has_no_verdict(monkeypatch):
    def press(progress):
        if progress.step == 0:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(verdicts, "note_classes", press)
    with pytest.raises(Stopped, match="no verdict"):
        measure_run("MLP", "healthy", HEALTHY, 5, 5)


def test_classes_are_noted_at_the_end_only(monkeypatch):
    monkeypatch.setattr(verdicts, "SAMPLES", 100)
    history = play(HEALTHY, 12, callbacks=[note_classes])
    assert history.step == [1, 10, 12]
    *early, last = history.extra["classes"]
    assert all(math.isnan(value) for value in early) and 1 <= last <= 10
    early_on = History(step=[10])
    note_classes(Progress(0, 10, 12, None, early_on))  # it does not even ask for samples
    assert early_on.extra == {}


def test_both_files_are_written(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(verdicts, "PLAYED", {"MLP": (2, (7,)), "DCGAN": (1, (0,))})
    short = next(run for run in SETUPS["MLP"] if run[1].steps == 60)
    chosen = [*SETUPS["MLP"][:3], short]
    monkeypatch.setitem(verdicts.SETUPS, "MLP", tuple(chosen))
    monkeypatch.setattr(verdicts, "SAMPLES", 100)
    out = tmp_path / "new" / "folder"
    measure_verdicts(out, ["MLP"])
    assert {path.name for path in out.iterdir()} == {"verdicts.json", "verdicts.md"}
    rows = json.loads((out / "verdicts.json").read_text())
    assert [(row["kind"], row["what"]) for row in rows] == [(k, s.what) for k, s in chosen]
    for row in rows:
        assert (row["pair"], row["seed"], row["verdict"]) == ("MLP", 7, "not yet started")
        assert set(row["signs"]) == set(Signs.__dataclass_fields__)
    assert [row["signs"]["steps"] for row in rows] == [2, 2, 2, 60]
    text = (out / "verdicts.md").read_text()
    assert text == describe_verdicts(rows) and "1 of 4 right (25%)" in text
    said = capsys.readouterr().out
    assert said.count(": WRONG: ") == 3 and said.count(": right: ") == 1
    assert f"written: {out / 'verdicts.md'}" in said
