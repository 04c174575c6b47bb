"""What was meant by a mistyped exercise number."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence


def explain_unknown(given: object, known: Sequence[str]) -> str:
    """What was expected instead of `given`: the nearest numbers of its lesson."""
    text = str(given).strip()
    numbers = re.fullmatch(r"\D*0*(\d+)\D+0*(\d+)\D*", text)
    meant = f"{int(numbers[1]):02d}.{int(numbers[2])}" if numbers else text
    lesson = [name for name in known if name.split(".")[0] == meant.split(".")[0]]
    near = [meant] if meant in known else difflib.get_close_matches(meant, lesson, n=3, cutoff=0)
    if not near:
        return f"exercise_id: expected a lesson and a number, such as {known[0]!r}; got {given!r}"
    said = f"exercise_id: expected {' or '.join(map(repr, near))}"
    if not isinstance(given, str):
        return f"{said}, in quotes; got {given!r} without"
    return f"{said} (this lesson has {lesson[0]} to {lesson[-1]}); got {given!r}"
