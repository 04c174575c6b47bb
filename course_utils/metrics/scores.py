"""A number that knows how many samples it is from, and what real images would get."""

from __future__ import annotations

import math


class Score(float):
    """A metric's value. It is an ordinary float, and prints with all that is known about it.

    Attributes:
        name: the metric's name.
        count: how many samples it was measured on.
        floor: the same metric of as many real test images (a `Score`), or None: what a perfect
            generator would get.
        error: its standard error, or None.
    """

    name: str
    count: int
    floor: Score | None
    error: float | None

    def __new__(
        cls,
        value: float,
        name: str,
        count: int,
        floor: Score | None = None,
        error: float | None = None,
    ) -> Score:
        score = super().__new__(cls, value)
        score.name, score.count, score.floor, score.error = name, count, floor, error
        return score

    def __repr__(self) -> str:
        line = f"{self.name} {self.figure} ({self.count:,} samples"
        if self.floor is not None:
            line += f"; {self.floor.count:,} real test images: {self.floor.figure}"
        return line + ")"

    __str__ = __repr__

    def __reduce__(self) -> tuple:
        return Score, (float(self), self.name, self.count, self.floor, self.error)

    @property
    def figure(self) -> str:
        """The value with four digits or four decimals, and its standard error."""
        error = "" if self.error is None else f" ± {_short(self.error)}"
        return _short(float(self)) + error


def _short(value: float) -> str:
    if not math.isfinite(value) or value == 0:
        return f"{value:.0f}"
    places = max(0, 3 - max(-1, math.floor(math.log10(abs(value)))))
    return f"{value:,.{min(places, 4)}f}"
