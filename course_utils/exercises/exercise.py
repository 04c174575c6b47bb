"""What an exercise is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Exercise:
    """One exercise of a lesson.

    Attributes:
        id: lesson and number, such as "01.3".
        reference: the answer of the solved edition; it stands in while the student's is not right.
        ask: the check; called with the student's answer, raises `WrongAnswer` unless it is right.
    """

    id: str
    reference: Callable[..., Any]
    ask: Callable[[Any], None]
