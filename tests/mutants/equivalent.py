"""Mutants that may be called right, each with the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch

from .judging import Result


@dataclass(frozen=True)
class Reason:
    """Why mutants are as right as the reference.

    Attributes:
        exercises: patterns of exercises, such as "01.1 05.*".
        why: one line.
        change: a regular expression found in "kind" or in the lines that differ; "" for all.
        aspects: patterns; every difference that was seen must be one of these.
    """

    exercises: str
    why: str
    change: str = ""
    aspects: str = ""

    def covers(self, result: Result) -> bool:
        mutant = result.mutant
        return (
            any(fnmatch(mutant.exercise, pattern) for pattern in self.exercises.split())
            and re.search(self.change, f"{mutant.kind}\n{mutant.diff}") is not None
            and all(
                any(fnmatch(aspect, pattern) for pattern in self.aspects.split(", "))
                for aspect in result.aspects
            )
        )


EQUIVALENT: list[Reason] = [
    # What makes no difference anywhere, by the kind of change. Kinds in which a weak question
    # could hide a difference (constants, comparisons, other functions) are explained one by one.
    Reason("*", "the second time changes nothing", "^statement twice"),
    Reason("*", "neither statement needs the other", "^statements? (swapped|moved)"),
    Reason("*", "nothing in it keeps a gradient", "^no_grad around a statement"),
    Reason(
        "*", "so it is already, or it is undone before it shows", "^(at the start|change before)"
    ),
    Reason("*", "no gradient passes here, or none comes of it", r"^wrap x\.detach|^no detach"),
    Reason("*", "more digits on the way; the result is what it was", r"^wrap x\.double"),
    Reason(
        "*",
        "it adds an axis of size 1 or takes one, and nothing after it minds",
        r"^wrap x\.(squeeze|unsqueeze|T\b)",
    ),
    Reason("*", "values lie in that range already", r"^wrap x\.(clamp|abs)|^wrap int"),
    Reason("*", "an order that nothing after it minds", r"^wrap x\.(flip|sort)"),
    Reason("*", "one entry, or a mean of means", r"^wrap x(\.mean|\[)"),
    Reason(
        "*",
        "a shape, a sign or an order comes of it, and that stays",
        r"^wrap (-x|x [+-] 1|2 \* x)",
    ),
    Reason("*", "unpacked all the same", "^list"),
    Reason("*", "a + b is b + a, and a * b is b * a", "^order"),
    Reason("*", "no arguments, so always the same answer", "^first result for ever"),
]


def explain(result: Result) -> str | None:
    """The reason why this mutant may be called right, or None."""
    return next((reason.why for reason in EQUIVALENT if reason.covers(result)), None)
