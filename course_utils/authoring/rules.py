"""What `make check` asks: notebooks that fit their source, and lessons that fit the house."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from nbformat import NotebookNode

from .editions import hash_code, hash_outputs, make_edition, read_saved, to_bytes
from .sources import BEGIN, Cell, Lesson, LessonError, find_checks, find_lessons, read_cells

LONGEST_CELL = 40
LONG_CELL, SHARE_BELOW_LONG = 20, 0.9
TYPICAL_CELL = (3, 8)
WIDEST_ROW = 100  # characters: what fits 1,000 pixels without a line break
UNFINISHED = "not measured yet"
CORE = """
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F
import course_utils as cu
"""

_COLUMNS = re.compile(r"\S {2,}\S")
_LOADING = re.compile(r"\S+ (train|test): [\d,]+ (of [\d,]+ )?images from ")

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def check_lessons(
    root: Path | str | None = None,
    numbers: Collection[str] = (),
    references: Mapping[str, Any] | None = None,
) -> list[str]:
    """Everything that has drifted or breaks a rule, a line each; empty when all is well.

    `references` maps an exercise ("01.3") to an object whose `.reference` is its right answer;
    left out, it is the course's own `EXERCISES`.
    """
    lessons = find_lessons(root, numbers)
    if not lessons:
        return ["solutions/: there is no lesson (NN_name.py)"]
    if references is None:
        from ..exercises import EXERCISES  # late: building a lesson does not need them

        references = EXERCISES
    problems = [] if numbers else list(_find_orphans(lessons))
    for lesson in lessons:
        try:
            cells = [cell for cell in read_cells(lesson) if cell.kind == "code"]
            problems += _check_notebooks(lesson)
            problems += _check_sizes(lesson, cells)
            problems += _check_imports(cells)
            problems += _check_calls(cells)
            problems += _check_devices(cells)
            problems += compare_answers(lesson, cells, references)
        except LessonError as error:
            problems.append(str(error))
    return problems


def compare_answers(
    lesson: Lesson, cells: list[Cell], references: Mapping[str, Any]
) -> Iterator[str]:
    """Where the answers in a lesson's code cells and the references of its checks part company."""
    asked = set()
    for before, cell in zip([None, *cells], cells, strict=False):
        for name, exercise in find_checks(cell):
            asked.add(exercise)
            home = next((c for c in (cell, before) if c and _find_definition(c.tree, name)), None)
            if exercise not in references:
                yield f"{cell.where()}: course_utils.exercises knows no exercise {exercise}"
            elif home is None:
                yield f"{cell.where()}: no `{name}` to check in this cell or the one before"
            elif BEGIN not in home.text:
                yield f"{home.where()}: `{name}` stands in both editions: no '{BEGIN}' in its cell"
            elif not _is_same(_find_definition(home.tree, name), references[exercise].reference):
                yield f"{home.where()}: `{name}` is not the reference of exercise {exercise}"
    for exercise in references:
        if exercise.startswith(f"{lesson.number}.") and exercise not in asked:
            yield f"{lesson.show(lesson.source)}: no cell checks exercise {exercise}"


def _check_notebooks(lesson: Lesson) -> Iterator[str]:
    for edition, path in (("student", lesson.student), ("solved", lesson.solved)):
        name, wanted = lesson.show(path), make_edition(lesson, edition)
        if not path.is_file():
            yield f"{name}: missing; run `make lessons`"
        elif path.read_bytes() != to_bytes(wanted):
            yield (
                f"{name}: {_first_difference(wanted, path)} is not what "
                f"{lesson.show(lesson.source)} makes (edited by hand, or the source went on); "
                "run `make lessons`"
            )
        if UNFINISHED in to_bytes(wanted).decode():
            yield f"{name}: it says {UNFINISHED!r}; leave out what has no figure"
    if lesson.solved.is_file():
        yield from _check_outputs(lesson)


def _check_outputs(lesson: Lesson) -> Iterator[str]:
    name, notebook = lesson.show(lesson.solved), make_edition(lesson, "solved")
    executed = notebook.metadata.course.get("executed")
    if not executed:
        yield f"{name}: no outputs yet; run `make outputs`"
    elif executed.get("code_sha256") != hash_code(lesson):
        yield f"{name}: outputs are older than their source; run `make outputs`"
    elif executed.get("outputs_sha256") != hash_outputs(notebook, executed):
        yield f"{name}: outputs are not those of a run (edited by hand?); run `make outputs`"
    for cell in notebook.cells:
        for problem in _check_table(_get_printed(cell)):
            yield f"{name}: cell {cell.id}: {problem}"


def _get_printed(cell: NotebookNode) -> list[str]:
    """The lines of text under a cell; pictures have none."""
    lines = []
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        lines += str(output.get("text", "")).splitlines()
        lines += [] if "image/png" in data else str(data.get("text/plain", "")).splitlines()
    return lines


def _check_table(lines: list[str]) -> Iterator[str]:
    """What makes a printed table hard to read: two lines or more with gaps between columns."""
    rows = [place for place, line in enumerate(lines) if _COLUMNS.search(line)]
    if len(rows) < 2:
        return
    for line in (lines[row] for row in rows):
        if len(line) > WIDEST_ROW:
            yield f"a table of {len(line)} characters; it should fit {WIDEST_ROW}: {line[:40]} ..."
    for line in lines[rows[0] : rows[-1]]:
        if _LOADING.match(line):
            yield f"data are loaded in the middle of a table; load first: {line[:40]} ..."


def _check_sizes(lesson: Lesson, cells: list[Cell]) -> Iterator[str]:
    lengths = [len(cell.editions["solved"].splitlines()) for cell in cells]
    for cell, length in zip(cells, lengths, strict=True):
        if length > LONGEST_CELL:
            yield f"{cell.where()}: {length} lines; no code cell goes over {LONGEST_CELL}"
    if not lengths:
        return
    share, typical = sum(n < LONG_CELL for n in lengths) / len(lengths), median(lengths)
    name, (low, high) = lesson.show(lesson.source), TYPICAL_CELL
    if share < SHARE_BELOW_LONG:
        yield f"{name}: {share:.0%} of its code cells are under {LONG_CELL} lines; 90% should be"
    if not low <= typical <= high:
        yield f"{name}: its median code cell has {typical:g} lines; it should be {low} to {high}"


def _check_imports(cells: list[Cell]) -> Iterator[str]:
    """A student who writes `F.` or `nn.` has it in every lesson, or `F` is a red NameError."""
    home = next((c for c in cells if "import course_utils as cu" in c.text), None)
    if home is None:  # no lesson of this course, as those of the tests
        return
    before = cells[: cells.index(home) + 1]
    found = {ast.unparse(node) for cell in before for node in cell.tree.body}
    missing = [line for line in CORE.strip().split("\n") if line not in found]
    if missing:
        yield f"{home.where()}: the first imports of every lesson hold `{'`, `'.join(missing)}`"


def _check_calls(cells: list[Cell]) -> Iterator[str]:
    """No `f(*(a, b))`: that is f(a, b), and a riddle to those who have not met the star."""
    for cell in cells:
        for node in ast.walk(cell.tree):
            given = node.args if isinstance(node, ast.Call) else ()
            for part in given:
                if isinstance(part, ast.Starred) and isinstance(part.value, ast.Tuple | ast.List):
                    yield f"{cell.where(part.lineno - 1)}: plain arguments, in place of *( )"


def _check_devices(cells: list[Cell]) -> Iterator[str]:
    """Networks that are trained are moved first, or a GPU stands idle all through the lesson."""
    moved: set[str] = set()
    for cell in cells:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Assign) and ".to(" in ast.unparse(node.value):
                for target in node.targets:
                    moved |= {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}
        for node in ast.walk(cell.tree):
            if not isinstance(node, ast.Call) or len(node.args) < 2:
                continue
            called = ast.unparse(node.func).split(".")[-1]
            if called.endswith("Step") or called == "run_a_gan":
                names = [part.id for part in node.args[:2] if isinstance(part, ast.Name)]
                left = [name for name in names if name not in moved]
                if left and len(names) == 2:  # not a pair behind a star
                    where = cell.where(node.lineno - 1)
                    yield f"{where}: `{left[0]}` is trained where it was made: .to(device)"


def _find_orphans(lessons: list[Lesson]) -> Iterator[str]:
    made = {path for lesson in lessons for path in (lesson.student, lesson.solved)}
    root = lessons[0].root
    for path in sorted([*root.glob("notebooks/*.ipynb"), *root.glob("solutions/*.ipynb")]):
        if path not in made:
            yield f"{path.relative_to(root).as_posix()}: no source makes it; delete it"


def _first_difference(wanted: NotebookNode, path: Path) -> str:
    """Which cell to look at, for the message; the bytes have the last word."""
    found = read_saved(path)
    if found is None:
        return "the file (it cannot be read as a notebook)"
    for mine, other in zip(wanted.cells, found.cells, strict=False):
        if mine != other:
            return f"cell {mine.id}"
    return "the file"


def _find_definition(tree: ast.Module, name: str) -> _Definition | None:
    """The last `def` or `class` of that name at the cell's own level."""
    found = [node for node in tree.body if isinstance(node, _Definition) and node.name == name]
    return found[-1] if found else None


def _is_same(answer: _Definition, reference: Any) -> bool:
    """Whether two definitions are the same program, comments and docstrings aside."""
    source = textwrap.dedent(inspect.getsource(reference))
    return _to_text(answer) == _to_text(ast.parse(source).body[0])


def _to_text(definition: ast.stmt) -> str:
    copy = ast.parse(ast.unparse(definition)).body[0]
    for node in ast.walk(copy):
        if isinstance(node, _Definition) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(copy)
