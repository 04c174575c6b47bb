"""A run that is stopped, killed or fails anywhere, and goes on as if nothing had happened."""

from __future__ import annotations

import copy
import errno
import itertools
import math
import multiprocessing
import os
import random
import shutil
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import interrupted_run
import numpy as np
import pytest
import torch
from helpers import assert_complains, bad_inputs
from interrupted_run import EPOCH, NOISE, STAGES, make_images, make_networks, make_step, run
from torch import Tensor, nn
from torch.utils.data import DataLoader

from course_utils.checkpoints import (
    clear_unfinished,
    list_checkpoints,
    load_checkpoint,
    load_newest,
    save_checkpoint,
)
from course_utils.data import BatchLoader, ImageSet, random_rotation
from course_utils.losses import discriminator_loss, generator_loss
from course_utils.settings import fork_random
from course_utils.training import History
from course_utils.training.averaging import Average

STEPS = 2 * EPOCH  # of `run`, unless told otherwise


pytestmark = pytest.mark.usefixtures("own_randomness")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, Any]:
    """What an uninterrupted run ends with."""
    folder = tmp_path_factory.mktemp("whole")
    with fork_random():
        run(folder)
    return read_outcome(folder)


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every tensor and plain value in nested dicts, lists and tuples, with the way to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        yield f"{path} length", len(value)
        for place, inner in enumerate(value):
            yield from flatten(inner, f"{path}[{place}]")
    else:
        yield path, value


def read_outcome(folder: Path) -> dict[str, Any]:
    """All that the newest checkpoint holds, but how long it took and why it ended."""
    state, complaints = load_newest(folder)
    assert complaints == {}
    for name in ("seconds", "stopped"):
        del state["history"][name]
    return dict(flatten(state))


def find_differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The ways to whatever is not equal bit for bit."""
    assert one.keys() == other.keys()

    def equal(a: Any, b: Any) -> bool:
        if isinstance(a, Tensor):
            return a.dtype == b.dtype and torch.equal(a, b)
        return type(a) is type(b) and a == b

    return [path for path in one if not equal(one[path], other[path])]


def press_stop_at(step: int):
    """A callback that presses the stop button."""

    def press(progress) -> None:
        if progress.step == step and not progress.history.stopped:  # not at the last look as well
            signal.raise_signal(signal.SIGINT)

    return press


def stop_at(
    step: int, checkpoint: str | Path | None, /, *arguments: Any, **options: Any
) -> History:
    history = run(checkpoint, *arguments, callbacks=[press_stop_at(step)], **options)
    assert history.stopped == "interrupted"
    return history


# --- resumed exactly -------------------------------------------------------------------------


@pytest.mark.parametrize("stopped", range(1, STEPS))
def test_a_resumed_run_ends_bit_for_bit_the_same(tmp_path, whole, stopped, capsys):
    """At any place in an epoch, with other weights, noise, order and dropout before resuming."""
    history = stop_at(stopped, tmp_path)
    assert load_newest(tmp_path)[0]["step"] == stopped
    assert (
        f"stopped after step {stopped} of {STEPS}; saved in {tmp_path}" in capsys.readouterr().out
    )
    history = run(tmp_path, start=2)
    assert f"goes on from step {stopped} in {tmp_path}" in capsys.readouterr().out
    assert history.stopped == ""
    assert find_differences(read_outcome(tmp_path), whole) == []


def test_a_resumed_run_in_fp16_has_its_loss_scales(tmp_path):
    fp16 = {"precision": "fp16"}
    with fork_random():
        run(tmp_path / "whole", **fp16)
    for stopped in (1, EPOCH, STEPS - 1):
        folder = tmp_path / str(stopped)
        stop_at(stopped, folder, **fp16)
        run(folder, start=2, **fp16)
        assert find_differences(read_outcome(folder), read_outcome(tmp_path / "whole")) == []


def test_a_run_stopped_after_every_step_ends_the_same(tmp_path, whole):
    for step in range(1, STEPS):
        assert stop_at(step, tmp_path, start=step).images == 8 * step - 4 * (step // EPOCH)
    history = run(tmp_path, start=2)
    assert history.images == 2 * interrupted_run.IMAGES
    assert find_differences(read_outcome(tmp_path), whole) == []


def test_the_same_networks_and_loader_may_go_on_in_the_same_process(tmp_path, whole):
    """As when a cell is stopped and run again."""
    step, loader = make_step(), BatchLoader(make_images(), 8, "cpu", augment=random_rotation(20))
    twin = make_step(*copy.deepcopy((step.D, step.G)))
    twin_loader = BatchLoader(make_images(), 8, "cpu", augment=random_rotation(20))
    twin_loader.load_state_dict(loader.state_dict())
    run(tmp_path / "whole", step=twin, loader=twin_loader, seed=3)
    stop_at(4, tmp_path / "parts", step=step, loader=loader, seed=3)
    run(tmp_path / "parts", step=step, loader=loader, seed=3)
    parts, expected = (read_outcome(tmp_path / name) for name in ("parts", "whole"))
    assert find_differences(parts, expected) == []


ENTRIES = [
    "D", "G", "D_solver", "G_solver", "averaged", "random.python", "random.numpy", "random.torch",
    "noise", "loader", "loader.generator", "loader.epoch_start", "fixed_noise", "history", "step",
    "epoch",
]  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_of_the_state_matters(tmp_path, whole, entry, capsys):
    """With one entry from the run's first step, the outcome is another: the test above can fail."""
    early, late = tmp_path / "early", tmp_path / "late"
    stop_at(1, early, start=2 if entry == "fixed_noise" else 1)  # it is drawn only once
    stop_at(EPOCH + 2, late)
    old, state = load_newest(early)[0], load_newest(late)[0]
    outer, _, inner = entry.partition(".")
    if inner:
        state[outer][inner] = old[outer][inner]
    else:
        state[outer] = old[outer]
    if entry in ("epoch", "step"):
        state[entry] = 0
    save_checkpoint(late, state)
    run(late, start=2)
    assert f"goes on from step {state['step']}" in capsys.readouterr().out
    late, reference = read_outcome(late), whole
    keys = late.keys() & reference.keys()
    both = ({key: found[key] for key in keys} for found in (late, reference))
    assert find_differences(*both) != [] or late.keys() != reference.keys()


def test_everything_is_saved(tmp_path):
    run(tmp_path, num_epochs=1)
    state = load_newest(tmp_path)[0]
    assert {
        "D", "G", "D_solver", "G_solver", "averaged", "history", "epoch", "step", "position",
        "random", "noise", "loader", "fixed_noise", "settings",
    } <= set(state)  # fmt: skip
    assert {"python", "numpy", "torch"} <= set(state["random"])
    assert {"generator", "epoch_start", "position"} == set(state["loader"])
    assert (state["epoch"], state["step"], state["position"]) == (1, EPOCH, 0)
    kinds = {type(value) for _, value in flatten(state)}
    assert kinds <= {Tensor, int, float, bool, str, type(None)}


def test_more_epochs_continue_the_run(tmp_path, whole, capsys):
    run(tmp_path, num_epochs=1)
    history = run(tmp_path, num_epochs=1, start=2)
    assert history.step[-1] == EPOCH
    said = capsys.readouterr().out
    assert "all 1 epochs are done" in said and "more num_epochs" in said and "fresh=True" in said
    run(tmp_path, num_epochs=2, start=3)
    assert f"goes on from step {EPOCH}" in capsys.readouterr().out
    assert find_differences(read_outcome(tmp_path), whole) == []


def test_a_run_killed_after_its_last_step_still_logs_it(tmp_path):
    """The save after the last step comes before the end's own log and sample."""
    options = {"show_every": 100, "log_every": 100}
    expected = run(tmp_path / "whole", **options)
    folder = tmp_path / "killed"
    run(folder, **options)
    newest, before = list_checkpoints(folder)  # that of the end, that of the last step
    assert load_checkpoint(before)["step"] == STEPS
    newest.unlink()
    history = run(folder, start=2, **options)
    assert history.step == expected.step == [1, STEPS]
    assert [step for step, _ in history.samples] == [0, STEPS]


def test_a_stop_at_the_last_step_loses_nothing(tmp_path):
    """The button pressed in the last step: there is nothing left to stop."""
    options = {"show_every": 5, "log_every": 100}
    expected = run(tmp_path / "whole", **options)
    folder = tmp_path / "stopped"

    class Pressing(interrupted_run.AdversarialStep):
        calls = 0

        def __call__(self, images, labels):
            self.calls += 1
            if self.calls == STEPS:
                signal.raise_signal(signal.SIGINT)
            return super().__call__(images, labels)

    interrupted_run.set_seed(1)
    run(folder, step=make_step(kind=Pressing), **options)
    history = run(folder, start=2, step=make_step(kind=Pressing), **options)
    assert history.step == expected.step
    assert [step for step, _ in history.samples] == [step for step, _ in expected.samples]


class PlainLoader:
    """The same batches each epoch, and no way to say where it stands."""

    def __init__(self) -> None:
        loader = BatchLoader(make_images(), 8, "cpu", shuffle=False)
        self.batches = list(loader)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


def make_data_loader() -> DataLoader:
    return DataLoader(make_images(), 8, shuffle=True)


@pytest.mark.parametrize("make_loader", [PlainLoader, make_data_loader])
def test_other_loaders_start_the_epoch_again_and_say_so(tmp_path, make_loader, capsys):
    stop_at(EPOCH + 2, tmp_path, loader=make_loader())
    seen = []
    run(tmp_path, start=2, loader=make_loader(), callbacks=[seen.append])
    said = capsys.readouterr().out
    assert "this loader cannot go on inside an epoch: epoch 2 starts again" in said
    assert load_newest(tmp_path)[0]["step"] == EPOCH + 2 + EPOCH
    assert {progress.total_steps for progress in seen} == {EPOCH + 2 + EPOCH}


@pytest.mark.parametrize("make_loader", [PlainLoader, make_data_loader])
def test_other_loaders_are_exact_between_two_epochs(tmp_path, make_loader, capsys):
    run(tmp_path / "whole", loader=make_loader())
    stop_at(EPOCH, tmp_path / "parts", loader=make_loader())
    capsys.readouterr()
    run(tmp_path / "parts", start=2, loader=make_loader())
    assert "starts again" not in capsys.readouterr().out
    parts, expected = (read_outcome(tmp_path / name) for name in ("parts", "whole"))
    assert find_differences(parts, expected) == []


# --- watching --------------------------------------------------------------------------------


def test_watching_never_changes_a_run(tmp_path, whole):
    loader = BatchLoader(make_images(), 8, "cpu", augment=random_rotation(20), seed=5)
    seen, open_epochs = [], []

    def meddle(progress) -> None:
        """Draws from everything, takes batches, switches modes, samples; cleans up nothing."""
        random.random(), np.random.rand(3), torch.rand(3), torch.randn(2, 2)
        game = progress.game
        torch.rand(5, generator=game.generator)
        game.draw_noise(7)
        next(iter(loader))
        if progress.step % 3 == 0:
            list(loader)
        open_epochs.append(iter(loader))
        next(open_epochs[0], None)  # an epoch begun in one callback, continued in the next ones
        game.G.eval(), game.D.eval(), progress.history.averaged.train()
        game.G[3].train()
        seen.append(game.sample(game.draw_noise(2)))
        game.D(game.G(game.draw_noise(3))).sum()
        torch.manual_seed(9), random.seed(9), np.random.seed(9)
        interrupted_run.set_seed(7)

    def twin() -> BatchLoader:
        return BatchLoader(make_images(), 8, "cpu", augment=random_rotation(20), seed=5)

    run(tmp_path / "alone", loader=twin(), checkpoint_every=1000)
    run(tmp_path / "watched", loader=loader, checkpoint_every=1000, callbacks=[meddle])
    watched, alone = (read_outcome(tmp_path / name) for name in ("watched", "alone"))
    assert find_differences(watched, alone) == []
    assert len(seen) == STEPS + 1
    rare = {"show_every": 5, "loader": twin(), "checkpoint_every": 1000}
    run(tmp_path / "rarely shown", **rare)
    rarely = read_outcome(tmp_path / "rarely shown")
    rarely, alone = (
        {path: value for path, value in found.items() if not path.startswith("history.samples")}
        for found in (rarely, alone)
    )
    assert find_differences(rarely, alone) == []


@pytest.mark.parametrize("augment", [None, random_rotation(20)])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_batch_loader_goes_on_anywhere(augment, drop_last, shuffle):
    def build(seed: int) -> BatchLoader:
        return BatchLoader(make_images(), 8, "cpu", augment, shuffle, drop_last, seed)

    def take(loader: BatchLoader, count: int) -> list[Tensor]:
        batches = []
        while len(batches) < count:
            for images, _ in loader:
                batches.append(images)
                if len(batches) == count:
                    break
        return batches

    epoch = len(build(1))
    expected = take(build(1), 3 * epoch)
    for stopped in range(2 * epoch + 1):
        loader = build(1)
        take(loader, stopped)
        with loader.forked():
            take(loader, 3)
        other = build(2)
        other.load_state_dict(loader.state_dict())
        with other.forked():
            take(other, 2)
        rest = take(other, 3 * epoch - stopped)
        assert all(torch.equal(a, b) for a, b in zip(rest, expected[stopped:], strict=True))


# --- killed ----------------------------------------------------------------------------------


class Child:
    """A process that runs `run` in a folder and reports its steps."""

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["torch._dynamo", "course_utils.training", "course_utils.data", "pytest"]
    )

    def __init__(self, folder: Path, start: int, num_epochs: int, stage: str | None = None):
        self.reports, theirs = self.context.Pipe(duplex=False)
        arguments = (theirs, str(folder), start, num_epochs, stage)
        self.process = self.context.Process(target=interrupted_run.run_in_a_child, args=arguments)
        self.process.start()
        theirs.close()

    def hear(self) -> int | str | None:
        """Its next report; None once it is gone."""
        assert self.reports.poll(60), "the child says nothing any more"
        try:
            return self.reports.recv()
        except (EOFError, ConnectionResetError):
            return None

    def wait(self) -> None:
        while self.hear() is not None:
            pass
        self.process.join(60)

    def end(self) -> None:
        if self.process.is_alive():
            self.process.kill()
        self.process.join(60)
        self.reports.close()


def interrupt_often(folder: Path, number: signal.Signals, times: int, epochs: int) -> list[int]:
    """Send the signal at random moments, as often as told; then let it finish. Every start."""
    chance = random.Random(0)
    starts = []
    for attempt in range(times + 1):
        child = Child(folder, attempt + 1, epochs)
        try:
            starts.append(child.hear())
            if attempt < times:
                wanted = starts[-1] + chance.randint(2, 4)
                while (heard := child.hear()) != wanted:
                    assert isinstance(heard, int), f"ended by itself: {heard}"
                time.sleep(chance.uniform(0, 0.03))
                os.kill(child.process.pid, number)
            reports = []
            while (heard := child.hear()) is not None:
                reports.append(heard)
            child.process.join(60)
            if attempt == times:
                assert reports[-1] == "done" and child.process.exitcode == 0
            elif number == signal.SIGKILL:
                assert child.process.exitcode == -signal.SIGKILL
            else:
                assert reports[-1] == "interrupted" and child.process.exitcode == 0
        finally:
            child.end()
    return starts


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("times", [4, pytest.param(25, marks=pytest.mark.slow)])
def test_a_run_stopped_at_random_moments_ends_bit_for_bit_the_same(tmp_path, number, times):
    epochs = 2 * times
    run(tmp_path / "whole", epochs)
    starts = interrupt_often(tmp_path / "parts", number, times, epochs)
    assert len(starts) == times + 1 and starts[0] == 0
    assert all(later > earlier for earlier, later in itertools.pairwise(starts))
    parts, whole = (read_outcome(tmp_path / name) for name in ("parts", "whole"))
    assert find_differences(parts, whole) == []
    assert list((tmp_path / "parts").glob("*.unfinished")) == []
    assert len(list_checkpoints(tmp_path / "parts")) == 2


@pytest.mark.parametrize("stage", STAGES)
def test_a_process_killed_at_a_stage_of_a_save(tmp_path, whole, stage, capsys):
    saved, unfinished = STAGES[stage]
    child = Child(tmp_path, 1, 2, stage)
    try:
        child.wait()
        assert child.process.exitcode == -signal.SIGKILL
    finally:
        child.end()
    assert len(list(tmp_path.glob("*.unfinished"))) == unfinished
    state, complaints = load_newest(tmp_path)
    assert state["step"] == saved and complaints == {}
    kept = 3 if stage in ("after the rename", "before the old one goes") else 2
    assert len(list_checkpoints(tmp_path)) == kept
    run(tmp_path, start=2)
    assert f"goes on from step {saved}" in capsys.readouterr().out
    assert find_differences(read_outcome(tmp_path), whole) == []
    assert list(tmp_path.glob("*.unfinished")) == []
    assert len(list_checkpoints(tmp_path)) == 2


# --- damaged files ---------------------------------------------------------------------------


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def test_a_damaged_file_is_named_and_the_one_before_is_used(tmp_path, whole, capsys):
    folder = tmp_path / "stopped"
    stop_at(4, folder)
    save_checkpoint(folder, load_newest(folder)[0])
    newest = list_checkpoints(folder)[0]
    damage(newest)
    capsys.readouterr()
    run(folder, start=2)
    said = capsys.readouterr().out
    assert f"{newest} is damaged" in said and "goes on from step 4" in said
    assert find_differences(read_outcome(folder), whole) == []


def test_a_damaged_file_does_not_push_out_a_good_one(tmp_path):
    """Two are kept to have one to fall back on: a damaged one is none."""
    stop_at(4, tmp_path)
    damage(list_checkpoints(tmp_path)[0])
    stop_at(5, tmp_path, checkpoint_every=1000)  # one save
    damage(list_checkpoints(tmp_path)[0])
    assert load_newest(tmp_path)[0] is not None


def test_nothing_but_damaged_files_is_an_error_and_fresh_starts_over(tmp_path, whole):
    stop_at(4, tmp_path)
    for path in list_checkpoints(tmp_path):
        damage(path)
    assert_complains(lambda: run(tmp_path), ValueError, "checkpoint", "only damaged ones")
    with pytest.raises(ValueError, match="fresh=True"):
        run(tmp_path)
    run(tmp_path, fresh=True)
    assert find_differences(read_outcome(tmp_path), whole) == []


@pytest.mark.parametrize("kind", ["another run's", "no run's", "no settings"])
def test_a_foreign_state_with_the_right_sum_is_not_taken(
    tmp_path, monkeypatch, whole, kind, capsys
):
    """Under a name the folder is this run's: what does not fit in it is refused by name."""
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    stop_at(4, "mine")
    (folder,) = tmp_path.iterdir()
    mine = load_newest(folder)[0]
    foreign = {
        "another run's": mine | {"settings": mine["settings"] | {"noise": "9 normal"}},
        "no run's": {"settings": mine["settings"], "weights": torch.ones(3)},
        "no settings": {"epoch": 1},
    }[kind]
    path = save_checkpoint(folder, foreign, keep=9)
    capsys.readouterr()
    run("mine", start=2)
    assert str(path) in capsys.readouterr().out
    assert find_differences(read_outcome(folder), whole) == []


# --- the disk --------------------------------------------------------------------------------


def full(*arguments: Any, **named: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["os.fsync", "open", "os.replace"])
def test_a_full_disk_is_a_warning_and_training_goes_on(tmp_path, monkeypatch, whole, where):
    """Full from step 3 on, free again from step 6 on: the last good file stays, then newer ones."""
    found = {}

    def watch(progress) -> None:
        if progress.step == 3:
            module = "course_utils.checkpoints"
            monkeypatch.setattr(f"{module}.{where}", full, raising=where != "open")
        if progress.step in (3, 6):
            found[progress.step] = sorted(path.name for path in tmp_path.iterdir())
        if progress.step == 6:
            assert load_newest(tmp_path)[0]["step"] == 2
            monkeypatch.undo()

    with pytest.warns(UserWarning, match="not saved .*No space left.*training goes on") as caught:
        run(tmp_path, callbacks=[watch])
    assert len(caught) == 1  # once, not at every step
    assert found[3] == found[6]  # nothing lost, no unfinished file
    assert find_differences(read_outcome(tmp_path), whole) == []


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.warns(UserWarning, match="not saved") as caught:
        history = run(tmp_path / "taken")
    assert len(caught) == 1 and history.step[-1] == STEPS and history.stopped == ""
    with pytest.warns(UserWarning, match="not saved"):
        run(tmp_path / "taken" / "inside", num_epochs=1)
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_folder_removed_meanwhile_is_made_again(tmp_path):
    folder = tmp_path / "run"

    def remove(progress) -> None:
        if progress.step == 3:
            shutil.rmtree(folder)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(folder, num_epochs=1, callbacks=[remove])
    assert load_newest(folder)[0]["step"] == EPOCH


# --- when it saves ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, expected",
    [({}, [3, 6, 9, 12, 12]), ({"checkpoint_every": 100.0}, [4, 8, 12, 12]),
     ({"checkpoint_every": 10**6}, [12]), ({"checkpoint_every": 0}, [*range(1, 13), 12])],
)  # fmt: skip
def test_saved_every_so_many_seconds_and_at_the_end(tmp_path, monkeypatch, options, expected):
    """By a clock on which each step takes 25 seconds. 60 is the default."""
    now, saved = [0.0], []
    monkeypatch.setattr("course_utils.training.loop.time.monotonic", lambda: now[0])
    keep = save_checkpoint
    monkeypatch.setattr(
        "course_utils.training.runs.save_checkpoint",
        lambda folder, state, kept: saved.append(state["step"]) or keep(folder, state, kept),
    )

    def tick(progress) -> None:
        now[0] += 25

    interrupted_run.set_seed(1)
    loader = BatchLoader(make_images(), 8, "cpu", seed=1)
    interrupted_run.train(
        make_step(), loader, num_epochs=2, show_every=1, callbacks=[tick], checkpoint=tmp_path,
        precision="fp32", **options,
    )  # fmt: skip
    assert saved == expected
    assert [load_checkpoint(path)["step"] for path in list_checkpoints(tmp_path)] == (saved[:-3:-1])


def test_the_table_follows_each_save(tmp_path):
    def compare(progress) -> None:
        if progress.step > 1:
            state = load_newest(tmp_path)[0]
            assert state["step"] == progress.step - 1
            table = History.from_csv(tmp_path / "history.csv")
            assert table.step == state["history"]["step"]
            assert table.d_loss == state["history"]["d_loss"]

    history = run(tmp_path, callbacks=[compare], log_every=1)
    assert (tmp_path / "history.csv").read_text() == history.to_csv()


# --- numbers that are not finite -------------------------------------------------------------


class GoingWrong(interrupted_run.AdversarialStep):
    """One of its scores is not finite at step `bad_step`, and right again afterwards."""

    bad_step, name, value = 7, "d_loss", math.nan
    calls = 0

    def __call__(self, images, labels):
        self.calls += 1
        scores = super().__call__(images, labels)
        if self.calls == self.bad_step:
            scores[self.name] = torch.tensor(self.value)
        return scores


@pytest.mark.parametrize(
    "bad_step, name, value",
    [
        (1, "d_loss", math.nan),
        (5, "g_loss", math.inf),
        (EPOCH, "d_loss", -math.inf),
        (EPOCH + 1, "d_real", math.nan),
        (STEPS, "g_loss", math.nan),
    ],
)
@pytest.mark.parametrize("log_every", [1, 1000])
@pytest.mark.parametrize("checkpoint_every", [0, 1000])
def test_a_loss_that_is_not_finite(
    tmp_path, bad_step, value, name, log_every, checkpoint_every, capsys
):
    """Found and named at its own step even when losses are read late, and never saved."""
    step = make_step(kind=GoingWrong)
    step.bad_step, step.name, step.value = bad_step, name, value
    options = {"log_every": log_every, "checkpoint_every": checkpoint_every, "show_every": 1000}
    history = run(tmp_path, step=step, **options)
    assert f"{name} is {value} at step {bad_step}" in history.stopped
    said = capsys.readouterr().out
    assert f"stopped: {name} is {value} at step {bad_step}" in said
    assert "learning rate" in said and "logarithm" in said
    state, complaints = load_newest(tmp_path)
    assert complaints == {}
    if bad_step == 1 or checkpoint_every == 1000:
        assert state is None
    else:
        assert state["step"] == bad_step - 1
        assert f"last good checkpoint is kept in {tmp_path}" in said
        assert all(math.isfinite(x) for x in state["history"]["d_loss"])


def fails_once() -> Any:
    calls = []

    def loss(real: Tensor, fake: Tensor) -> Tensor:
        calls.append(1)
        right = discriminator_loss(real, fake)
        return right * math.nan if len(calls) == 7 else right

    return loss


def test_a_loss_that_ruins_the_networks_keeps_the_last_good_checkpoint(tmp_path, capsys):
    history = run(tmp_path, step=make_step(losses=(fails_once(), generator_loss)), log_every=1000)
    assert "d_loss is nan at step 7" in history.stopped
    state = load_newest(tmp_path)[0]
    assert state["step"] == 6
    tensors = [value for _, value in flatten(state) if isinstance(value, Tensor)]
    assert all(torch.isfinite(t).all() for t in tensors if t.is_floating_point())
    assert f"kept in {tmp_path}" in capsys.readouterr().out


@pytest.mark.parametrize("network", ["D", "G", "averaged"])
@pytest.mark.parametrize("checkpoint_every", [0, 1000])
def test_weights_that_are_not_finite_are_never_saved(tmp_path, network, checkpoint_every, capsys):
    """A parameter that no loss depends on, so that every score stays finite."""
    step = make_step()
    step.G.register_parameter("idle", nn.Parameter(torch.zeros(3)))
    step.D.register_parameter("idle", nn.Parameter(torch.zeros(3)))

    def spoil(progress) -> None:
        if progress.step == 5:
            with torch.no_grad():
                getattr(progress.game, network).idle[1] = math.nan

    history = run(tmp_path, step=step, callbacks=[spoil], checkpoint_every=checkpoint_every)
    assert history.stopped.startswith("not finite")
    assert f"{network}.idle" in history.stopped
    assert all(map(math.isfinite, history.d_loss))
    state = load_newest(tmp_path)[0]
    assert state is None if checkpoint_every else state["step"] == 4
    assert "holds NaN" in capsys.readouterr().out


# --- the stop button -------------------------------------------------------------------------


def test_the_stop_button_finishes_the_step_and_is_an_ordinary_button_afterwards(capsys):
    before = signal.getsignal(signal.SIGINT)
    history = stop_at(3, None)
    assert history.images == 3 * 8 and history.step == [1, 2, 3]
    assert history.samples[-1][0] == 3  # what was trained is there to look at
    assert "stopped after step 3 of 12" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_press_stops_at_once(tmp_path):
    before = signal.getsignal(signal.SIGINT)

    def press_twice(progress) -> None:
        if progress.step == 3:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, callbacks=[press_twice])
    assert signal.getsignal(signal.SIGINT) is before
    assert load_newest(tmp_path)[0]["step"] == 3  # between two steps the run is whole: it is saved


def test_a_stop_during_a_save_leaves_the_save_whole(tmp_path, monkeypatch, whole):
    replace, calls = os.replace, []

    def press_and_replace(old, new):
        calls.append(new)
        if len(calls) == 10:
            signal.raise_signal(signal.SIGINT)
        replace(old, new)

    monkeypatch.setattr("course_utils.checkpoints.os.replace", press_and_replace)
    assert run(tmp_path).stopped == "interrupted"
    assert load_newest(tmp_path)[0]["step"] == 4
    monkeypatch.undo()
    run(tmp_path, start=2)
    assert find_differences(read_outcome(tmp_path), whole) == []


def test_a_run_in_a_thread_needs_no_button(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(run(tmp_path, num_epochs=1)))
    thread.start()
    thread.join(60)
    assert found[0].step[-1] == EPOCH


# --- the averaged G --------------------------------------------------------------------------


def test_the_average_by_hand():
    step, seen = make_step(), []
    run(None, step=step, ema=0.75, callbacks=[lambda p: seen.append(copy.deepcopy(p.game.G))])
    averaged = step.averaged
    expected = [p.detach().clone() for p in seen[0].parameters()]
    for network in seen[1:]:
        for mean, value in zip(expected, network.parameters()):
            mean.copy_(0.75 * mean + 0.25 * value.detach())
    for mean, value in zip(averaged.parameters(), expected):
        torch.testing.assert_close(mean, value, rtol=1e-5, atol=1e-6)
        assert not mean.requires_grad
    for mean, value in zip(averaged.buffers(), step.G.buffers()):
        assert torch.equal(mean, value)
    assert not torch.equal(averaged[0].weight, step.G[0].weight)


def test_the_average_of_plain_numbers():
    """From 0, towards 1 with decay 0.9: 0.1, 0.19, 0.271."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average = Average(network, 0.9)
    nn.init.ones_(network.weight)
    for expected in (0.1, 0.19, 0.271):
        average.update()
        assert average.network.weight.item() == pytest.approx(expected, rel=1e-6)
    assert network.weight.item() == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_average_of_many_tensors_is_the_plain_loops(dtype):
    """Weight after weight; what batch norm counts and measures is taken over as it is."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5)
    ).to(dtype)
    average = Average(network, 0.99)
    expected = [p.detach().clone() for p in network.parameters()]
    for count in range(1, 6):
        network(torch.randn(4, 3, 8, 8, dtype=dtype) * count)  # moves the statistics
        with torch.no_grad():
            for p in network.parameters():
                p.add_(torch.randn_like(p))
        average.update()
        for mean, value in zip(expected, network.parameters()):
            mean.copy_(mean + (1 - 0.99) * (value.detach() - mean))
        for got, mean in zip(average.network.parameters(), expected, strict=True):
            torch.testing.assert_close(
                got, mean, rtol=0, atol=1e-6 if dtype.itemsize == 4 else 1e-14
            )
            assert not got.requires_grad
        for got, value in zip(average.network.buffers(), network.buffers(), strict=True):
            assert torch.equal(got, value) and got is not value
        assert average.network[1].num_batches_tracked == count
    assert not torch.equal(average.network[0].weight, network[0].weight)


def test_the_average_is_the_plain_loops_to_the_last_bit():
    """As torch's own step for one tensor has it, whatever the layout in memory."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(6, 5))
    network.to(memory_format=torch.channels_last)
    average = Average(network, 0.999)
    expected = [p.detach().clone() for p in network.parameters()]
    for _ in range(5):
        with torch.no_grad():
            for p in network.parameters():
                p.mul_(1.5).add_(torch.randn_like(p))
        average.update()
        for mean, value in zip(expected, network.parameters()):
            mean.lerp_(value.detach(), 1 - 0.999)
    for got, mean in zip(average.network.parameters(), expected, strict=True):
        assert torch.equal(got, mean) and got.stride() == mean.stride()


def test_samples_come_from_the_average():
    step = make_step()
    history = run(None, step=step)
    assert history.averaged is step.averaged is not None
    noise = step.draw_noise(4)
    with torch.no_grad():
        assert torch.equal(step.sample(noise), copy.deepcopy(step.averaged).eval()(noise))
        assert not torch.equal(step.sample(noise), copy.deepcopy(step.G).eval()(noise))
    without = run(None, step=step, ema=None)
    assert without.averaged is None and step.averaged is None


def test_a_resumed_run_carries_the_average(tmp_path):
    stop_at(4, tmp_path)
    history = run(tmp_path, start=2)
    for name, value in load_newest(tmp_path)[0]["averaged"].items():
        assert torch.equal(history.averaged.state_dict()[name], value)


# --- the schedule ----------------------------------------------------------------------------


def falling(done: float) -> float:
    return 1 - 0.5 * done


def watch_rates(rates: dict[int, tuple[float, float]]):
    def watch(progress) -> None:
        if progress.step:
            game = progress.game
            rates[progress.step] = tuple(
                float(solver.param_groups[0]["lr"]) for solver in (game.D_solver, game.G_solver)
            )

    return watch


def test_learning_rates_follow_the_schedule_and_are_put_back():
    step, rates = make_step(), {}
    step.G_solver.param_groups[0]["lr"] = 0.1
    run(None, step=step, schedule=falling, callbacks=[watch_rates(rates)])
    assert rates == {
        n: pytest.approx((0.002 * falling((n - 1) / STEPS), 0.1 * falling((n - 1) / STEPS)))
        for n in range(1, STEPS + 1)
    }
    assert step.D_solver.param_groups[0]["lr"] == 0.002
    assert step.G_solver.param_groups[0]["lr"] == 0.1


def test_rates_are_put_back_after_an_error():
    step = make_step()

    def fail(progress) -> None:
        if progress.step == 5:
            raise RuntimeError("a callback's own fault")

    with pytest.raises(RuntimeError):
        run(None, step=step, schedule=falling, callbacks=[fail])
    assert step.D_solver.param_groups[0]["lr"] == 0.002
    assert step.one_pass is None


def test_a_resumed_run_follows_the_same_curve(tmp_path):
    expected, parts = {}, {}
    run(tmp_path / "whole", schedule=falling, callbacks=[watch_rates(expected)])
    callbacks = [watch_rates(parts), press_stop_at(8)]
    run(tmp_path / "parts", schedule=falling, callbacks=callbacks)
    del parts[8]
    step = make_step()
    run(tmp_path / "parts", start=2, step=step, schedule=falling, callbacks=[watch_rates(parts)])
    parts[8] = expected[8]  # seen again at the start, before the schedule sets it
    assert parts == {n: pytest.approx(rates) for n, rates in expected.items()}
    assert step.D_solver.param_groups[0]["lr"] == 0.002
    found, whole = (read_outcome(tmp_path / name) for name in ("parts", "whole"))
    assert find_differences(found, whole) == []


def test_more_epochs_with_a_schedule_that_ends_at_nothing(tmp_path):
    """After one epoch the rate is 1/6 of what it was; 2 epochs go on from half of it."""
    rates = {}
    run(tmp_path, num_epochs=1, schedule=fade)
    run(tmp_path, num_epochs=2, start=2, schedule=fade, callbacks=[watch_rates(rates)])
    assert rates[EPOCH + 1] == pytest.approx((0.001, 0.001))


def fade(done: float) -> float:
    return 1 - done


# --- memory layouts --------------------------------------------------------------------------


def make_wide_step(dtype: torch.dtype) -> interrupted_run.AdversarialStep:
    """Convolutions with several channels in and out: layouts differ only in such."""
    D = nn.Sequential(
        nn.Conv2d(1, 6, 3, stride=2, padding=1), nn.LeakyReLU(0.1),
        nn.Conv2d(6, 5, 3, stride=2, padding=1), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(20, 1),
    )  # fmt: skip
    G = nn.Sequential(
        nn.Linear(NOISE, 80), nn.Unflatten(1, (5, 4, 4)), nn.ReLU(),
        nn.ConvTranspose2d(5, 6, 4, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(6, 1, 3, padding=1), nn.Tanh(),
    )  # fmt: skip
    return make_step(D.to(dtype), G.to(dtype))


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request):
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(torch.float32)


def run_wide(folder: Path, dtype: torch.dtype, stop: int | None = None, start: int = 1, **options):
    interrupted_run.set_seed(start)
    step = make_wide_step(dtype)
    callbacks = [press_stop_at(stop)] if stop else []
    batches = Converted(BatchLoader(make_images(), 8, "cpu"), dtype)
    options = {"precision": "auto" if dtype == torch.float64 else "fp32"} | options
    run(folder, start=start, step=step, loader=batches, callbacks=callbacks, **options)
    return step


class Converted:
    """A `BatchLoader` whose images are of another type."""

    def __init__(self, loader: BatchLoader, dtype: torch.dtype) -> None:
        self.loader, self.dtype = loader, dtype
        self.state_dict, self.load_state_dict = loader.state_dict, loader.load_state_dict
        self.forked = loader.forked

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self):
        return ((images.to(self.dtype), labels) for images, labels in self.loader)


def compare_layouts(tmp_path: Path, dtype: torch.dtype, first: bool, second: bool) -> float:
    """The largest difference between the weights of a run that changed its layout and one not."""
    layouts = {"fused": True, "num_epochs": 1}
    whole = run_wide(tmp_path / "whole", dtype, channels_last=first, **layouts)
    run_wide(tmp_path / "parts", dtype, stop=3, channels_last=first, **layouts)
    parts = run_wide(tmp_path / "parts", dtype, start=2, channels_last=second, **layouts)
    assert parts.D[2].weight.is_contiguous(memory_format=torch.channels_last) == second
    return max(
        (a - b).abs().max().item()
        for network in ("D", "G", "averaged")
        for a, b in zip(getattr(parts, network).parameters(), getattr(whole, network).parameters())
    )


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [False, True])
def test_a_run_goes_on_in_another_memory_layout(tmp_path, dtype, first, second):
    """Adam's averages must lie as the parameters lie: its fused kernel pairs by memory order."""
    tolerance = 0 if first == second else {torch.float32: 1e-4, torch.float64: 1e-9}[dtype]
    assert compare_layouts(tmp_path, dtype, first, second) <= tolerance


@pytest.mark.parametrize("first", [False, True])
def test_a_layout_that_is_not_matched_would_be_seen(tmp_path, monkeypatch, first):
    """Without the matching, the same comparison fails: the test above can fail."""
    for module in ("runs", "speed"):
        monkeypatch.setattr(f"course_utils.training.{module}.match_layout", lambda solver: None)
    assert compare_layouts(tmp_path, torch.float32, first, not first) > 1e-4


# --- names, paths, and what is said ----------------------------------------------------------


@pytest.fixture
def runs(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path / "all runs"))
    return tmp_path / "all runs"


def least(a: Tensor, b: Tensor | None = None) -> Tensor:
    return a.square().mean() + (0 if b is None else b.square().mean())


CHANGES = {  # what is changed: (the setting that is named, what it was, what it is)
    "lr": ({"lr": 0.005}, "D_solver", "0.002", "0.005"),
    "betas": ({"betas": (0.25, 0.999)}, "G_solver", "0.5", "0.25"),
    "loss": ({"losses": (least, generator_loss)}, "discriminator_loss", "discrim", "least"),
    "noise": ({"noise": "normal"}, "noise", "uniform", "normal"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_name_resumes_and_changed_settings_start_a_new_run(runs, change, capsys):
    changed, setting, was, now = CHANGES[change]
    stop_at(3, "dcgan")
    (folder,) = runs.iterdir()
    assert folder.name.startswith("dcgan-") and len(folder.name) == len("dcgan-") + 8
    assert f"a new run in {folder}" in capsys.readouterr().out
    stop_at(5, "dcgan", start=2)
    assert f"goes on from step 3 in {folder}" in capsys.readouterr().out
    stop_at(2, "dcgan", start=3, step=make_step(**changed))
    said = capsys.readouterr().out
    (other,) = set(runs.iterdir()) - {folder}
    assert f"a new run in {other}" in said and "settings have changed" in said
    assert str(folder) in said
    line = said.partition(f"{setting}: was ")[2]
    before, after = line.partition(", is ")[::2]
    assert was in before and now in after.partition(";")[0]
    assert load_newest(folder)[0]["step"] == 5  # the former run is kept
    stop_at(6, "dcgan", start=4)
    assert f"goes on from step 5 in {folder}" in capsys.readouterr().out
    stop_at(4, "dcgan", start=5, step=make_step(**changed))
    assert f"goes on from step 2 in {other}" in capsys.readouterr().out


def test_another_name_is_another_run_and_not_a_changed_one(runs, capsys):
    stop_at(3, "dcgan")
    stop_at(3, "dcgan-deep", step=make_step(lr=0.01))
    stop_at(2, "deep", step=make_step(lr=0.02))
    said = capsys.readouterr().out
    assert said.count("a new run in") == 3 and "have changed" not in said
    assert len(list(runs.iterdir())) == 3


def test_runs_are_kept_in_runs_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_RUNS")
    monkeypatch.chdir(tmp_path)
    stop_at(1, "dcgan")
    (folder,) = (tmp_path / "runs").iterdir()
    assert len(list_checkpoints(folder)) == 2


def test_fresh_starts_over(tmp_path, whole, capsys):
    stop_at(7, tmp_path)
    run(tmp_path, fresh=True)
    assert f"a fresh start in {tmp_path}" in capsys.readouterr().out
    assert find_differences(read_outcome(tmp_path), whole) == []
    assert {load_checkpoint(path)["step"] for path in list_checkpoints(tmp_path)} == {STEPS}


def test_after_a_fresh_start_no_file_of_the_former_run_is_left(tmp_path):
    stop_at(7, tmp_path)
    stop_at(1, tmp_path, fresh=True, checkpoint_every=1000)
    assert [load_checkpoint(path)["step"] for path in list_checkpoints(tmp_path)] == [1]


def test_a_fresh_start_that_saves_nothing_leaves_the_former_run(tmp_path):
    stop_at(7, tmp_path)

    def fail(progress) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run(tmp_path, fresh=True, callbacks=[fail])
    assert load_newest(tmp_path)[0]["step"] == 7


@pytest.mark.parametrize("change", CHANGES)
def test_a_path_refuses_changed_settings_and_lists_them(tmp_path, change):
    changed, setting, was, now = CHANGES[change]
    stop_at(3, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    step = make_step(**changed)
    weights = copy.deepcopy(step.G.state_dict())
    assert_complains(lambda: run(tmp_path, step=step), ValueError, "checkpoint", "others")
    assert_complains(lambda: run(str(tmp_path), step=step), ValueError, "checkpoint", "others")
    with pytest.raises(ValueError) as caught:
        run(tmp_path, step=step)
    text = str(caught.value)
    assert str(tmp_path) in text and f"{setting}: was" in text and "resume='weights'" in text
    assert was in text and now in text
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert all(torch.equal(weights[name], value) for name, value in step.G.state_dict().items())


def test_only_the_weights_under_other_settings(tmp_path, capsys):
    stop_at(7, tmp_path)
    saved = load_newest(tmp_path)[0]
    seen = {}

    def look(progress) -> None:
        if progress.step == 0:
            seen["game"] = copy.deepcopy([progress.game.D, progress.game.G, progress.game.averaged])
            seen["state"] = len(progress.game.D_solver.state)

    step = make_step(lr=0.005)
    run(tmp_path, step=step, resume="weights", callbacks=[look], checkpoint_every=1000)
    assert f"only the weights, of step 7, from {tmp_path}" in capsys.readouterr().out
    for name, network in zip(("D", "G", "averaged"), seen["game"]):
        for key, value in network.state_dict().items():
            assert torch.equal(value, saved[name][key])
    assert seen["state"] == 0  # the optimisers start anew
    state = load_newest(tmp_path)[0]
    assert state["step"] == STEPS and state["D_solver"]["param_groups"][0]["lr"] == 0.005


def test_only_the_weights_of_the_latest_run_of_a_name(runs, capsys):
    stop_at(3, "dcgan")
    (folder,) = runs.iterdir()
    stop_at(2, "dcgan", step=make_step(lr=0.005), resume="weights")
    assert f"only the weights, of step 3, from {folder}" in capsys.readouterr().out
    assert len(list(runs.iterdir())) == 2 and load_newest(folder)[0]["step"] == 3


@pytest.mark.parametrize("ema", [None, 0.9])
def test_only_the_weights_with_or_without_an_average(tmp_path, ema):
    """A run without an average begins one at the network itself, and the other way round."""
    stop_at(3, tmp_path, ema=ema)
    saved, seen = load_newest(tmp_path)[0], []
    wanted = 0.9 if ema is None else None
    look = [lambda p: seen.append(copy.deepcopy(p.game.averaged or p.game.G).state_dict())]
    run(tmp_path, ema=wanted, resume="weights", callbacks=look)
    assert all(torch.equal(value, saved["G"][name]) for name, value in seen[0].items())


def test_weights_of_other_networks_are_refused(tmp_path):
    stop_at(3, tmp_path)
    D, G = make_networks()
    G = nn.Sequential(nn.Linear(NOISE, 64), nn.Unflatten(1, (1, 8, 8)), nn.Tanh())
    assert_complains(
        lambda: run(tmp_path, step=make_step(D, G), resume="weights"), ValueError, "checkpoint",
        "others",
    )  # fmt: skip


def test_nothing_to_resume_from_is_a_new_run(tmp_path, capsys):
    run(tmp_path / "new", num_epochs=1, resume="weights")
    assert f"a new run in {tmp_path / 'new'}" in capsys.readouterr().out


def test_unfinished_files_of_a_killed_process_are_cleared(tmp_path):
    stop_at(2, tmp_path)
    leftover = tmp_path / "checkpoint-000009.pt.123.unfinished"
    leftover.write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    stop_at(3, tmp_path)
    assert not leftover.exists() and (tmp_path / "notes.txt").exists()
    clear_unfinished(tmp_path / "nowhere")


def names_to_refuse():
    bad = ["", ".", "..", "a b", " dcgan", "dcgan ", ".hidden", "-dcgan", "dcgan\n", "größe", "a*"]
    for name in bad:
        yield repr(name), lambda n=name: run(n), ValueError, "checkpoint", repr(name)
    for value in (5, 2.5, True, ["dcgan"], b"dcgan"):
        yield repr(value), lambda v=value: run(v), TypeError, "checkpoint", repr(value)


@bad_inputs(
    *names_to_refuse(),
    ("resume: some", lambda: run("a", resume="some"), ValueError, "resume", "'some'"),
    ("resume: None", lambda: run("a", resume=None), ValueError, "resume", "None"),
    ("resume: True", lambda: run("a", resume=True), ValueError, "resume", "True"),
    ("fresh: text", lambda: run("a", fresh="no"), TypeError, "fresh", "'no'"),
    ("seconds: negative", lambda: run("a", checkpoint_every=-1), ValueError,
     "checkpoint_every", "-1"),
    ("seconds: NaN", lambda: run("a", checkpoint_every=math.nan), ValueError,
     "checkpoint_every", "nan"),
    ("seconds: text", lambda: run("a", checkpoint_every="60"), TypeError,
     "checkpoint_every", "'60'"),
    ("seconds: None", lambda: run("a", checkpoint_every=None), TypeError,
     "checkpoint_every", "None"),
    ("ema: 1", lambda: run("a", ema=1), ValueError, "ema", "1"),
    ("ema: negative", lambda: run("a", ema=-0.1), ValueError, "ema", "-0.1"),
    ("ema: True", lambda: run("a", ema=True), TypeError, "ema", "True"),
    ("ema: text", lambda: run("a", ema="0.9"), TypeError, "ema", "'0.9'"),
    ("schedule: number", lambda: run("a", schedule=0.5), TypeError, "schedule", "0.5"),
)  # fmt: skip
def test_bad_input(runs, call, error, name, got):
    assert_complains(call, error, name, got)
    assert not runs.exists()


def test_images_of_another_count_are_another_run(runs):
    stop_at(2, "dcgan")
    images = make_images()
    fewer = ImageSet(images.images[:40], images.labels[:40])
    loader = BatchLoader(fewer, 8, "cpu", augment=random_rotation(20))
    stop_at(2, "dcgan", loader=loader)
    assert len(list(runs.iterdir())) == 2
