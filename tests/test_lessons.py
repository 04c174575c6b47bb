"""The real lessons: both editions fit their source, and behave as each should."""

from __future__ import annotations

import copy
import re
import sys
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
@pytest.mark.parametrize("edition", ["student", "solved"])
def test_no_widget_is_half_saved(lesson, edition) -> None:
    """GitHub refuses a notebook with a widget's state but without its models."""
    text = getattr(lesson, edition).read_text()
    assert "widgets" not in nbformat.reads(text, as_version=4).metadata
    assert "application/vnd.jupyter.widget" not in text


def test_where_sliders_were_a_still_grid_is_stored() -> None:
    (lesson,) = find_lessons(ROOT, ["06"])
    notebook = nbformat.read(lesson.solved, as_version=4)
    windows = [cell for cell in notebook.cells if "cu.explore(" in cell.source]
    windows = [cell for cell in windows if cell.cell_type == "code"]
    assert len(windows) == 4
    for cell in windows:
        (still,) = [output for output in cell.outputs if output.output_type == "display_data"]
        assert list(still.data) == ["image/png", "text/plain"]
        assert still.metadata["image/png"]["alt"].startswith("A still grid")


@each_lesson
def test_the_empty_student_edition_runs_and_says_so(lesson) -> None:
    notebook = nbformat.read(lesson.student, as_version=4)
    execute(notebook, lesson)
    said = [line for line in printed(notebook) if re.match(rf"{lesson.number}\.\d+ ", line)]
    own = [name for name in EXERCISES if name.startswith(f"{lesson.number}.")]
    assert said == [f"{name} ○ not started: the reference stands in" for name in own]
    assert len(own) >= 8


@pytest.mark.slow
def test_without_any_source_lesson_4_runs_on_two_photographs(monkeypatch, tmp_path) -> None:
    """No npm client, no host that answers, an empty cache: the sample serves, and says so."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the port that discards everything
    (lesson,) = find_lessons(ROOT, ["04"])
    notebook = nbformat.read(lesson.student, as_version=4)
    execute(notebook, lesson)
    text = "\n".join(printed(notebook))
    assert "patches of two photographs, not CIFAR-10" in text
    assert "10 of 10 classes" in text  # of the shipped generator, which needs no data


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
