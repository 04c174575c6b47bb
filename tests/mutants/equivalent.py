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


EQUIVALENT: list[Reason] = []


def explain(result: Result) -> str | None:
    """The reason why this mutant may be called right, or None."""
    return next((reason.why for reason in EQUIVALENT if reason.covers(result)), None)
