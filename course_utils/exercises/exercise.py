"""What an exercise is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..checks import Watched, watch_making
from .questions import FREE_VALUES, INPUTS, QUESTIONS, Draw

SEEDS = range(1000, 1024)  # of the random questions: always the same, on every machine


@dataclass(frozen=True)
class Exercise:
    """One exercise of a lesson.

    Attributes:
        id: lesson and number, such as "01.3".
        reference: the answer of the solved edition; it stands in while the student's is not right.
        question: what is asked of the value; called with the answer, raises `WrongAnswer` unless
            it is right.
        learns: whether networks are trained through it, so that gradients have to get through.
    """

    id: str
    reference: Callable[..., Any]
    question: Callable[[Any], None]
    learns: bool = False

    def ask(self, answer: Any) -> None:
        """The whole check: fixed examples with hints that fit, and then random questions.

        Of each, what a right answer does besides its value is looked at, too (`Watched`).

        A class is asked by its instances: `expect_same_network` looks at what they do.
        """
        if isinstance(self.reference, type) or isinstance(answer, type):
            self.question(watch_making(answer))
            return
        watched = Watched(answer, self.reference, self.learns)
        self.question(watched)
        watched.conclude()
        if self.id in QUESTIONS and self.id not in INPUTS:
            for seed in SEEDS:
                given = QUESTIONS[self.id](Draw(seed))
                watched.ask_like_the_reference(given, value=self.id not in FREE_VALUES)
