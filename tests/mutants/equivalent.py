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


# Numbers that are printed, drawn or compared.
NOT_TRAINED = "01.1 01.3 02.1 02.2 02.9 03.1 03.4 03.5 03.6 03.7 03.8 04.1 04.6 04.8 04.9 05.* "
NOT_TRAINED += "06.1 06.2 06.3 06.4 06.5 06.6 06.8 06.9 07.2 07.6 07.7 07.8 07.9 08.1 08.2 08.5 "
NOT_TRAINED += "08.6 08.7 08.8 08.9 08.10"

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
    # What is seen to differ, and does no harm. Losses, layers and steps are not among these.
    Reason(
        NOT_TRAINED,
        "nobody trains on this result, so no gradient is asked for",
        "",
        "gradient, modes",
    ),
    Reason(
        "*",
        "one number with more digits, or several in an exercise that mixes types by itself",
        r"double|float64",
        "kind*, gradient, modes, value (float64), value (elsewhere)",
    ),
    Reason("01.6 01.7", "the loss as a plain number is as detached", r"\.item\(\)", "*"),
    Reason("*", "in place on a result of its own", "with inplace=True", "*"),
    Reason("*", "no arguments, so always the same answer", "^first result for ever"),
]


def explain(result: Result) -> str | None:
    """The reason why this mutant may be called right, or None."""
    return next((reason.why for reason in EQUIVALENT if reason.covers(result)), None)
