"""How checks ask: what is given must stay as it is, and PyTorch's errors get a hint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ..checks import NEW_TENSOR, InputChanged, WrongAnswer

__all__ = ["NEW_TENSOR", "Slips", "ask_and_keep", "explained"]

Slips = list[tuple[Any, str]]  # what a common mistake leads to, and the hint that mends it


def ask_and_keep(answer: Any, hint: str, **given: Any) -> Any:
    """What `answer` makes of what is given, by position; its tensors must stay as they are."""
    copies = {k: v.clone() if isinstance(v, Tensor) else v for k, v in given.items()}
    try:
        return answer(*copies.values())
    except InputChanged as problem:
        raise problem.hinting(hint) from None


@contextmanager
def explained(*known: tuple[str, str, str, str]) -> Iterator[None]:
    """Inside, errors of PyTorch get a hint: a part of what it says, then a wrong answer's words."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError) as problem:
        text = str(problem)
        for part, expected, came, hint in known:
            if part in text:
                raise WrongAnswer(expected, came, hint) from problem
        raise
