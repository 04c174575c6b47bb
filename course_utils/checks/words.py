"""The words of a verdict: what was expected, what came, and a hint."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class WrongAnswer(AssertionError):
    """An answer that is not right: what was expected, what came, and a hint."""

    def __init__(self, expected: Any, got: Any, hint: str = "") -> None:
        self.expected, self.got, self.hint = expected, got, hint
        text = f"expected {short(expected)}, got {short(got)}"
        super().__init__(text + (f"; hint: {hint}" if hint else ""))

    def hinting(self, hint: str) -> WrongAnswer:
        """The same with another hint."""
        return WrongAnswer(self.expected, self.got, hint)


def short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def name_value(value: Tensor) -> str:
    """'1.386' or '[0.5, 0.25, ...]'."""
    if value.ndim == 0:
        return f"{value.item():.4g}"
    first = ", ".join(f"{v:.4g}" for v in value.flatten()[:4].tolist())
    return f"[{first}{', ...' if value.numel() > 4 else ''}]"


def name_difference(want: Tensor, got: Tensor) -> tuple[str, str]:
    """The two values in words that differ: with enough digits, and the first place that differs."""
    words = name_value(want), name_value(got)
    if words[0] != words[1]:
        return words
    want, got = want.detach().double(), got.detach().double()
    worst = max((want - got).abs().nan_to_num(nan=torch.inf).max().item() / 2, 0.0)
    place = tuple(((want - got).abs().nan_to_num(nan=torch.inf) >= worst).nonzero()[0].tolist())
    wanted, came = want[place].item(), got[place].item()
    digits = next((d for d in range(4, 18) if f"{wanted:.{d}g}" != f"{came:.{d}g}"), 17)
    where = f" at [{', '.join(map(str, place))}]" if place else ""
    return f"{wanted:.{digits}g}{where}", f"{came:.{digits}g}{where}"


def describe(value: Any) -> str:
    """What came instead, in few words; whatever it is, looking at it does no harm."""
    if value is None:
        return "None (is a return missing?)"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, nn.Module):
        return f"a network ({type(value).__name__})"
    if type(value) in (list, tuple, dict, set):
        return f"a {type(value).__name__} of {len(value)}"
    try:
        text = str(value)
    except Exception:
        return f"an object of type {type(value).__name__}"
    return f"{type(value).__name__} {text[:40]!r}"


def one_line(problem: BaseException, longest: int = 200) -> str:
    """What the exception says: one line, printable everywhere, of at most so many characters."""
    try:
        text = " ".join(str(problem).split())
    except Exception:  # its own __str__ is broken
        text = "(it cannot say what is wrong)"
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= longest else text[:longest] + " ..."


HINT_OUTPUT = "forward returns one tensor: is the return there?"
