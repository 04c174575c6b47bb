"""How checks ask: what is given must stay as it is, and PyTorch's errors get a hint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..checks import NEW_TENSOR, WrongAnswer

__all__ = ["NEW_TENSOR", "Slips", "ask_and_keep", "explained"]

Slips = list[tuple[Any, str]]  # what a common mistake leads to, and the hint that mends it


def ask_and_keep(answer: Any, hint: str, **given: Any) -> Any:
    """What `answer` makes of what is given, by position; its tensors must stay as they are."""
    tensors = {name: value for name, value in given.items() if isinstance(value, Tensor)}
    copies = {name: value.clone() for name, value in tensors.items()}
    got = answer(*(given | copies).values())
    for name, value in tensors.items():
        if not torch.equal(copies[name], value):
            raise WrongAnswer(f"{name} unchanged", "other values", hint)
    return got


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
