"""Answers stand folded: after Run all, nothing above or below an exercise gives it away."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from course_utils import gallery
from course_utils.authoring import find_lessons, make_edition

(LESSON,) = find_lessons(Path(__file__).parent.parent, ["05"])
FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)


def unfold(text: str) -> str:
    """What stands there before any click."""
    return FOLDED.sub("", text)


def test_the_texts_and_code_of_lesson_5_do_not_name_the_cause_of_a_run() -> None:
    cells = make_edition(LESSON, "student", pictures=False).cells
    for line in unfold("\n".join(cell.source for cell in cells)).splitlines():
        assert not re.search(r"\bCASES\[\d", line), line
        for number, case in gallery.CASES.items():
            named = rf"\bruns?\W{{1,2}}{number}\b.*\b{case.cause}\b"
            assert not re.search(named, line, re.IGNORECASE), line


def test_the_outputs_of_lesson_5_do_not_name_them_either() -> None:
    """Neither what was done to a run nor what `diagnose` says of it is printed in the open."""
    printed = []
    for cell in nbformat.read(LESSON.solved, as_version=4).cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            printed += [output.get("text", ""), data.get("text/plain", "")]
            printed += [data.get("text/html", "")]
    everything = "\n".join(printed)
    text = unfold(everything)
    for number, case in gallery.CASES.items():
        assert case.setup.what in everything and case.setup.what not in text
        assert not re.search(rf"run {number}.*{case.cause}", text)
