"""A burst of requests that becomes a single one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Latest:
    """Does `work` soon after it is asked to, however often that is: requests never queue up.

    What is asked while one is due is the same request. After each time it waits as long as that
    took, so that half of the time is left to take in where the sliders are; and at least `rest`
    seconds, for what may come a moment later.
    """

    def __init__(self, work: Callable[[], None], rest: float = 0.0) -> None:
        self.work, self.rest = work, rest
        self._due: asyncio.TimerHandle | None = None
        self._free = 0.0  # when it may work again

    def ask(self) -> None:
        if self._due is not None:  # what is due will see the latest state
            return
        wait = max(self._free - time.perf_counter(), self.rest)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a plain script: nobody could do it later
            wait = 0.0
        if wait > 0:
            self._due = loop.call_later(wait, self._run)
        else:
            self._run()

    def drop(self) -> None:
        """What is due is not needed any more."""
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def now(self) -> None:
        """At once, in place of what is due."""
        self.drop()
        self._run()

    def _run(self) -> None:
        self._due = None
        began = time.perf_counter()
        try:
            self.work()
        finally:
            now = time.perf_counter()
            self._free = now + (now - began)
