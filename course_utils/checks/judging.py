"""How a verdict on an answer is reached, whatever the answer does.

`judge` runs a check so that nothing the answer does can break the notebook: exceptions, endless
loops, `sys.exit`, changed random states and settings.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..settings import fork_random
from .unfinished import find_line_left_in
from .words import WrongAnswer, describe, one_line

TIME_LIMIT = 10.0  # seconds; every check of the course takes well under one


@dataclass(frozen=True)
class Verdict:
    """`mark` is "right", "wrong" or "not started"; `text` is the line that says why."""

    mark: str
    text: str

    def __str__(self) -> str:
        return {"right": "✓", "wrong": "✗", "not started": "○"}[self.mark] + " " + self.text


class _TimeUp(BaseException):
    """Thrown into an answer that runs too long; a BaseException, so `except Exception` lets go."""


def judge(ask: Callable[[Any], None], answer: Any, seconds: float | None = None) -> Verdict:
    """Run the check `ask` on `answer`, for at most `seconds` (`TIME_LIMIT`), and say what it found.

    The answer runs in a thread of its own, so that an endless loop can be left behind on every
    system. Random states are forked and seeded: watching never changes a run.
    """
    seconds = TIME_LIMIT if seconds is None else seconds
    outcome: list[Verdict] = []

    def attempt() -> None:
        with suppress(_TimeUp):
            try:
                _expect_callable(answer)
                ask(answer)
                verdict = Verdict("right", "right")
            except BaseException as problem:  # whatever it was, it becomes a verdict
                verdict = _read(problem)
            outcome.append(verdict)

    late = True
    with _settings_kept():
        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        try:
            thread.join(seconds)
            late = thread.is_alive()
        finally:  # also when the student interrupts the kernel
            if late:
                _stop(thread)
    if late or not outcome:
        limit = f"it was still running after {seconds:g} seconds"
        return Verdict("wrong", f"{limit}; hint: does a loop in it ever end?")
    return outcome[0]


@contextmanager
def _settings_kept() -> Iterator[None]:
    """Inside: seeded, float32. Outside: random states and settings are as they were."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    streams, environment = (sys.stdout, sys.stderr), dict(os.environ)
    with fork_random(seed=0), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the verdict says what is wrong; a red box would only add
        torch.set_default_dtype(torch.float32)
        torch.set_num_threads(1)  # small work: starting more costs more than they bring
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.set_num_threads(threads)
            sys.stdout, sys.stderr = streams
            if environment != dict(os.environ):
                os.environ.clear()
                os.environ.update(environment)


def _expect_callable(answer: Any) -> None:
    if isinstance(answer, nn.Module) or not callable(answer):
        raise WrongAnswer(
            "a function or a class", describe(answer), "give `check` its bare name, without ( )"
        )


def _read(problem: BaseException) -> Verdict:
    """The verdict that belongs to what a check raised."""
    if isinstance(problem, NotImplementedError) and not problem.args:
        # The empty exercise. PyTorch raises the same type for other reasons, with a message.
        line = find_line_left_in(problem)
        if line is None:
            return Verdict("not started", "not started: the reference stands in")
        left = f"`raise NotImplementedError` still stands in line {line} of your cell"
        return Verdict("wrong", f"{left}; hint: delete that line: it ends your answer there")
    own = isinstance(problem, WrongAnswer)  # with a hint at its end, which must not be cut
    text = one_line(problem, longest=400 if own else 200)
    if isinstance(problem, AssertionError):
        return Verdict("wrong", text or "an assert of your own failed")
    hint = next((f"; hint: {hint}" for part, hint in _KNOWN_ERRORS if part in text), "")
    where = _line_in_notebook(problem)
    return Verdict("wrong", f"it raised {type(problem).__name__}: {text or '-'}{where}{hint}")


_KNOWN_ERRORS = (  # a part of what Python or PyTorch says, and what it means in an exercise
    ("positional argument", "count the arguments: those of the exercise and those of each layer"),
    ("name 'F' is not defined", "from torch.nn import functional as F, in a cell before"),
    ("name 'np' is not defined", "import numpy as np, in a cell before; torch has most of it"),
    ("is not defined", "is it spelled as in the parameters, and did the cell that makes it run?"),
    ("used as indices", "indices are whole numbers, or True and False for each place"),
    ("is not callable", "is there a ( ) too many, or an operator missing before it?"),
    (
        "mat1 and mat2",
        "the inner sizes of a product must agree; before a Linear, Flatten images first",
    ),
    ("is invalid for input of size", "reshape(-1, ...) leaves the batch size open"),
    ("before Module.__init__() call", "super().__init__() comes first in __init__"),
    ('missing the required "forward"', "is forward spelled so, and indented inside the class?"),
    ("leaf Variable", "leave arguments as they are, or change weights under torch.no_grad()"),
    ("backward through the graph a second time", "one backward for one loss; detach the fakes"),
    ("does not require grad", "a loss that was cut off by .item() or detach cannot go backward"),
    ("Can't call numpy()", "torch functions instead of NumPy's: NumPy keeps no gradients"),
    ("arget size", "make labels with torch.ones_like or zeros_like: they fit every batch"),
    ("should be between 0 and 1", "these are logits: use F.binary_cross_entropy_with_logits"),
    ("Can't detach views", "fakes.detach() makes a new tensor; detach_() changes the fakes"),
    ("has no attribute 'backward'", "backward belongs to the loss itself: no .item() before it"),
    ("'method' object is not", "call it: model.parameters(), with ( )"),
    (
        "Boolean value of Tensor",
        "several numbers are no yes or no: clamp or torch.where; of .min(dim=1) take .values",
    ),
    ("torch.return_types", "torch.max(s, 0) finds the largest entry; s.clamp(min=0) cuts each"),
    ("not implemented for 'Byte'", "make the pixels float first"),
    (
        "Got: Long",
        "whole numbers have no mean: .float() first, or, if they are indices, x[indices]",
    ),
    ("could not infer output dtype", "True and False have no mean: .float() first"),
    ("can be converted to Python scalars", "torch.log, torch.sqrt, ...: math takes one number"),
    ("must be Tensor, not", "torch's functions take tensors; for one number: math.sqrt, ..."),
    ("slice indices must be integers", "whole numbers only: // instead of /"),
    ("number of sizes provided", "several values for one place: make room first, or x[:, i] = ..."),
    (
        "unsupported operand type(s)",
        "a network is no number: loop over its parameters()",
    ),
    ("must match the size of tensor", "print both shapes: which sizes should be the same?"),
)


def _line_in_notebook(problem: BaseException) -> str:
    """The last line of the student's own code that the exception passed, if any."""
    for frame in reversed(traceback.extract_tb(problem.__traceback__)):
        if "ipykernel_" in frame.filename or frame.filename.startswith("<ipython-input"):
            code = f": {frame.line}" if frame.line else ""
            return f" (line {frame.lineno} of your cell{code})"
    return ""


def _stop(thread: threading.Thread) -> None:
    """Ask the thread to end, a few times: code that swallows every exception may need more."""
    for _ in range(20):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(_TimeUp)
        )
        thread.join(0.05)
        if not thread.is_alive():
            return
