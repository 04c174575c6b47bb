"""The stop button: Ctrl-C, or the square in Jupyter, ends training after the present step.

In a notebook it ends the cell as well: whatever would train next in the same cell raises
`Stopped`. Nothing says where a script's own loop over runs should end, so there it goes on to
the next run; a second press during the same step interrupts at once, there as here.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

INTERRUPTED = "interrupted"  # what `stopped` says of a run that the button has ended


class Stopped(KeyboardInterrupt):
    """Ends a cell whose stop button was pressed; a notebook shows one line and no traceback."""

    def __init__(
        self, text: str = "stopped: this cell ends here; what was trained until now is kept"
    ) -> None:
        super().__init__(text)

    def _render_traceback_(self) -> list[str]:  # IPython asks an exception for it
        return [str(self)]


class StopButton:
    """Inside `with`, SIGINT only sets `pressed`; a second one interrupts at once, as usual."""

    def __init__(self) -> None:
        self.pressed = False
        self._process = os.getpid()
        self._former: object = None

    def __enter__(self) -> StopButton:
        # elsewhere than in the main thread no signal arrives, and none may be asked for
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *error: object) -> None:
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)
        if self.pressed:
            _cell.stop()

    def _press(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return  # a loader's worker, which the signal reaches too
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        print("stopping after this step (press again to stop at once)")


class Stoppable:
    """What `stoppable` returns; `stopped` is "interrupted" once the button was pressed, else ""."""

    def __init__(self, batches: Iterable[Any]) -> None:
        self._batches = batches
        self.stopped = ""

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        if self.stopped:
            return
        end_stopped_cell()
        with StopButton() as button:
            try:
                for batch in self._batches:
                    if not button.pressed:
                        yield batch
                    if button.pressed:
                        break
            except RuntimeError:  # Ctrl-C reaches a DataLoader's workers too, and ends them
                if not button.pressed:
                    raise
            if button.pressed:
                self.stopped = INTERRUPTED


def stoppable(batches: Iterable[Any]) -> Stoppable:
    """The same batches, for a loop that the stop button ends after the present step.

    The loop then ends as if there were no more batches: what comes after it still runs, and
    `stopped` says "interrupted". Every later loop over the same object is empty.

    Args:
        batches: a loader, a `range`, or any other iterable.

    Raises:
        TypeError: `batches` cannot be iterated over.
        Stopped: the stop button has ended other training in the same notebook cell.

    Example:
        batches = stoppable(loader)
        for images, labels in batches:
            ...  # one step
        history.stopped = batches.stopped
    """
    if not isinstance(batches, Iterable) and not hasattr(batches, "__getitem__"):
        raise TypeError(f"batches: expected a loader, got {type(batches).__name__}")
    end_stopped_cell()
    return Stoppable(batches)


def end_stopped_cell() -> None:
    """Raise `Stopped` where the stop button has been pressed in the cell that is running."""
    if _cell.stopped and threading.current_thread() is threading.main_thread():
        raise Stopped


class _Cell:
    """Whether the stop button was pressed in the notebook cell that is running."""

    stopped = False

    def stop(self) -> None:
        """Holds until the cell ends; outside IPython there is no cell, and nothing is held."""
        try:
            from IPython import get_ipython
        except ImportError:
            return
        shell = get_ipython()
        if shell is None:
            return
        # before a cell as well: a stop between two cells (a widget's) is none of the next one's
        for event in ("pre_execute", "post_execute"):
            shell.events.register(event, self.forget)
        self.stopped = True

    def forget(self) -> None:
        self.stopped = False


_cell = _Cell()
