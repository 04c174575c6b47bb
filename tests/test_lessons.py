"""The real lessons: both editions fit their source, and behave as each should."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from course_utils.authoring import check_lessons, find_lessons
from course_utils.exercises import EXERCISES

ROOT = Path(__file__).parent.parent
LESSONS = find_lessons(ROOT)

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)


def test_there_is_a_lesson() -> None:
    assert LESSONS


def test_notebooks_fit_their_sources() -> None:
    assert check_lessons(ROOT) == []


@each_lesson
def test_the_empty_student_edition_runs_and_says_so(lesson) -> None:
    notebook = nbformat.read(lesson.student, as_version=4)
    execute(notebook, lesson)
    said = [line for line in printed(notebook) if re.match(rf"{lesson.number}\.\d+ ", line)]
    own = [name for name in EXERCISES if name.startswith(f"{lesson.number}.")]
    assert said == [f"{name} ○ not started: the reference stands in" for name in own]
    assert len(own) >= 8


@each_lesson
def test_the_solved_edition_stops_at_a_wrong_answer(lesson) -> None:
    """Without `COURSE_STRICT` from outside: the edition is strict by itself."""
    notebook = nbformat.read(lesson.solved, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    first = next(i for i, cell in enumerate(cells) if " = check(" in cell.source)
    name = re.search(r"(\w+) = check\(", cells[first].source)[1]
    opening = [cell for cell in cells[:first] if is_needed(cell)]
    wrong = copy.deepcopy(cells[first])
    wrong.source = wrong.source.replace(f"{name} = check(", f"{name} = check(len or ")
    notebook.cells = [*opening, wrong]
    with pytest.raises(CellExecutionError) as stop:
        execute(notebook, lesson)
    assert stop.value.ename == "ExerciseNotPassed"
    assert re.match(rf"{lesson.number}\.\d+ ✗ ", stop.value.evalue)


def is_needed(cell) -> bool:
    """The setup, strictness and imports: what the first exercise needs to be checked."""
    return "setup" in cell.id or "strict" in cell.id or cell.source.startswith(("import", "from"))


def execute(notebook, lesson) -> None:
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(
        cwd=str(lesson.student.parent)
    )


def printed(notebook) -> list[str]:
    streams = (
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream"
    )
    return "".join(streams).splitlines()
