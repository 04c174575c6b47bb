"""The stop button: Ctrl-C, or the square in Jupyter, ends training after the present step."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType


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

    def _press(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return  # a loader's worker, which the signal reaches too
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        print("stopping after this step (press again to stop at once)")
