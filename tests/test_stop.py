"""The stop button in a notebook: it ends the cell, and what was trained until then is there."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from helpers import assert_complains
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from torch.utils.data import DataLoader

import course_utils as cu
from course_utils import gallery
from course_utils.training import interrupt

ROOT = Path(__file__).parent.parent
PATIENCE = 120  # seconds; only a test that fails waits for so long

SETUP = """
import torch, course_utils as cu
from torch import nn
from tqdm.auto import tqdm

torch.set_num_threads(1)

class Loader:
    def __init__(self, count): self.count = count
    def __len__(self): return self.count
    def __iter__(self):
        batch = torch.zeros(4, 1, 2, 2), torch.zeros(4).long()
        return (batch for _ in range(self.count))

def say(progress):
    if progress.step == 5:
        print("trained", flush=True)

def play(count=10**9):
    D = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    G = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Unflatten(1, (1, 2, 2)))
    solvers = cu.get_optimizer(D), cu.get_optimizer(G)
    return cu.run_a_gan(
        D, G, *solvers, cu.discriminator_loss, cu.generator_loss, Loader(count),
        num_epochs=1, noise_size=3, show_every=5, callbacks=[say],
    )
"""


class Outcome(NamedTuple):
    status: str
    printed: str
    error: str
    traceback: list[str]


class ThisPython(KernelManager):
    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


class Notebook:
    """A kernel, and a finger on the square button."""

    def __init__(self, manager: KernelManager) -> None:
        self.manager, self.client = manager, manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def run(self, cell: str, press_after: str | None = None) -> Outcome:
        """Run a cell to its end; the button is pressed once when `press_after` is printed."""
        sent = self.client.execute(cell)
        printed, error, traceback, pressed = "", "", [], press_after is None
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            printed += content["text"] if kind == "stream" else ""
            if kind == "error":
                error, traceback = content["ename"], content["traceback"]
            if not pressed and press_after in printed:
                pressed = True
                self.manager.interrupt_kernel()
            if kind == "status" and content["execution_state"] == "idle":
                break
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"]["msg_id"] == sent:
                return Outcome(reply["content"]["status"], printed, error, traceback)


@pytest.fixture(scope="module")
def notebook():
    manager = ThisPython()
    manager.start_kernel(env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=str(ROOT))
    notebook = Notebook(manager)
    assert notebook.run(SETUP).status == "ok"
    yield notebook
    notebook.client.stop_channels()
    manager.shutdown_kernel(now=True)


# --- in a kernel, with real signals ------------------------------------------------------------

LOOP = """
histories = {}
for name in ("one", "two"):
    histories[name] = play()
"""


def test_a_cell_of_several_runs_ends_and_keeps_the_first(notebook):
    outcome = notebook.run(LOOP, press_after="trained")
    assert outcome.status == "error" and outcome.error == "Stopped"
    assert outcome.traceback == [str(cu.Stopped())]  # one plain line
    assert outcome.printed.count("steps on cpu") == 1  # the second was not started
    kept = notebook.run(
        "print(list(histories), histories['one'].stopped);"
        "print(histories['one'].step[-1] == histories['one'].samples[-1][0] >= 5)"
    )
    assert kept.printed == "['one'] interrupted\nTrue\n"


def test_a_single_run_goes_on_to_the_cells_next_line(notebook):
    outcome = notebook.run("history = play(); print('after:', history.stopped)", "trained")
    assert outcome.status == "ok" and outcome.printed.endswith("after: interrupted\n")


@pytest.mark.parametrize("cell", ["play()", LOOP])
def test_the_next_cell_trains_again(notebook, cell):
    notebook.run(cell, press_after="trained")
    outcome = notebook.run("print([play(6).stopped for _ in range(2)])")
    assert outcome.status == "ok" and outcome.printed.endswith("['', '']\n")


BY_HAND = """
batches, done = cu.stoppable(Loader(10**9)), 0
for epoch in range(3):
    for images, labels in tqdm(batches):
        done += 1
        if done == 5:
            print("trained", flush=True)
        last = done
print("after:", batches.stopped, done == last >= 5)
"""


def test_a_loop_by_hand_ends_after_its_step_in_all_epochs(notebook):
    outcome = notebook.run(BY_HAND, press_after="trained")
    assert outcome.status == "ok"
    assert outcome.printed.count("stopping after this step") == 1
    assert outcome.printed.endswith("after: interrupted True\n")


@pytest.mark.parametrize("further", ["play(6)", "cu.stoppable(range(3))", "next(iter(later))"])
def test_after_a_loop_by_hand_nothing_else_trains_in_that_cell(notebook, further):
    cell = "later = cu.stoppable(range(3))" + BY_HAND + further
    outcome = notebook.run(cell, press_after="trained")
    assert outcome.error == "Stopped" and outcome.printed.endswith("after: interrupted True\n")


def test_a_loop_that_failed_leaves_the_button_as_it_was(notebook):
    failed = notebook.run("for batch in cu.stoppable(range(3)): raise ValueError")
    assert failed.error == "ValueError"
    outcome = notebook.run("print('waiting', flush=True)\nwhile True: pass", press_after="waiting")
    assert outcome.error == "KeyboardInterrupt"
    assert notebook.run("play(6)").status == "ok"


# --- without a kernel --------------------------------------------------------------------------


def press() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def stopped_cell(monkeypatch):
    """As in a notebook cell in which the button was pressed."""
    monkeypatch.setattr(interrupt._cell, "stopped", True)


def test_a_script_has_no_cell_to_end():
    for _ in range(2):
        done = []
        batches = cu.stoppable(range(5))
        for number in batches:
            done.append(number)
            if number == 2:
                press()
        assert done == [0, 1, 2] and batches.stopped == "interrupted"
        assert list(batches) == []


def test_without_a_press_nothing_is_stopped():
    before = signal.getsignal(signal.SIGINT)
    batches = cu.stoppable([1, 2, 3])
    assert len(batches) == 3 and list(batches) == list(batches) == [1, 2, 3]
    assert batches.stopped == "" and signal.getsignal(signal.SIGINT) is before


def test_a_press_between_two_steps_begins_no_further_one():
    def load():
        yield 1
        press()
        yield 2

    batches = cu.stoppable(load())
    assert list(batches) == [1] and batches.stopped == "interrupted"


def test_a_second_press_in_the_same_step_interrupts_at_once():
    before = signal.getsignal(signal.SIGINT)

    def train() -> None:
        for _ in cu.stoppable(range(5)):
            press()
            press()

    with pytest.raises(KeyboardInterrupt) as caught:
        train()
    assert caught.type is KeyboardInterrupt
    del caught  # its frames hold the loop
    assert signal.getsignal(signal.SIGINT) is before


class Broken(DataLoader):
    """A loader whose worker dies, as the signal reaches it too."""

    def __init__(self, pressed: bool) -> None:
        super().__init__(range(3))
        self.pressed = pressed

    def __iter__(self) -> Any:
        yield 1
        if self.pressed:
            press()
        raise RuntimeError("DataLoader worker exited unexpectedly")


def test_a_worker_that_the_signal_has_ended_is_no_error():
    batches = cu.stoppable(Broken(pressed=True))
    assert list(batches) == [1] and batches.stopped == "interrupted"
    with pytest.raises(RuntimeError, match="worker"):
        list(cu.stoppable(Broken(pressed=False)))


def test_what_is_no_loader_is_named():
    assert_complains(lambda: cu.stoppable(3), TypeError, "batches", "int")


def test_a_riddle_of_a_stopped_cell_does_not_even_load(stopped_cell, monkeypatch):
    monkeypatch.setattr(gallery, "load_mnist", lambda **_: pytest.fail("loaded"))
    with pytest.raises(cu.Stopped):
        gallery.play_case(1, 2)


def test_a_thread_has_no_button_and_is_not_stopped(stopped_cell):
    """A check's, for instance, that is still at work."""
    found = []
    thread = threading.Thread(target=lambda: found.append(list(cu.stoppable(range(3)))))
    thread.start()
    thread.join(PATIENCE)
    assert found == [[0, 1, 2]]


# --- what is shown of a run that was cut short ---------------------------------------------------


@pytest.mark.parametrize("stopped", ["interrupted", "not finite: d_loss is nan at step 7"])
def test_a_title_says_that_a_run_was_cut_short(stopped):
    history = cu.History(step=[1, 1200], stopped=stopped)
    assert cu.label_run("MLP", history) == "MLP (cut short after step 1,200)"
    assert cu.label_run("MLP", cu.History(stopped=stopped)) == "MLP (cut short)"
    assert cu.label_run("MLP", cu.History(step=[1, 1200])) == "MLP"
    assert_complains(lambda: cu.label_run("MLP", [1]), TypeError, "history", "list")
    assert_complains(lambda: cu.label_run(3, history), TypeError, "title", "int")


def numbers(stopped: str) -> cu.History:
    curves = {name: [0.5, 0.6] for name in ("d_loss", "g_loss", "d_real", "d_fake")}
    samples = [(1, torch.zeros(4, 1, 2, 2)), (9, torch.ones(4, 1, 2, 2))]
    return cu.History(step=[1, 9], samples=samples, stopped=stopped, **curves)


def test_figures_of_a_run_say_that_it_was_cut_short(monkeypatch):
    shown = []
    monkeypatch.setattr("course_utils.plots.show_figure", lambda *figure: shown.append(figure))
    cu.plot_losses(numbers("interrupted"))
    cu.plot_losses(numbers(""))
    (cut, words), (whole, others) = shown
    assert cut.get_suptitle() == "This run was cut short after step 9" and "cut short" in words
    assert whole.get_suptitle() == "" and "cut short" not in others


def test_a_grid_of_a_history_shows_its_last_samples_and_says_where_it_ended(monkeypatch):
    shown = []
    monkeypatch.setattr("course_utils.plots.show_figure", lambda *figure: shown.append(figure))
    cu.show_grids([("one", numbers("")), ("two", numbers("interrupted"))], "Two runs.")
    one, two = shown[0][0].axes
    assert one.get_title() == "one" and two.get_title() == "two\n(cut short after step 9)"
    assert one.images[0].get_array().max() == 1
    empty = cu.History()
    assert_complains(lambda: cu.show_grids([("none", empty)], "-"), ValueError, "grids", "without")
