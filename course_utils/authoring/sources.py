"""A lesson's source: where it is, its cells, and what is an answer in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jupytext

BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"
TO_DO = "raise NotImplementedError  # your answer here"

_ALMOST_A_MARKER = re.compile(r"\b(BEGIN|END)[\s_-]*SOLUTION\b", re.IGNORECASE)
# Without `comment_magics: False` jupytext would wake up comments such as `# cat pictures`.
_PERCENT = {"extension": ".py", "format_name": "percent", "comment_magics": False}


class LessonError(ValueError):
    """What an author has to put right, and where."""


@dataclass(frozen=True)
class Lesson:
    """One lesson of the checkout at `root`, and the places of its files."""

    root: Path
    source: Path

    @property
    def number(self) -> str:
        """The lesson's two digits: "01"."""
        return self.source.name[:2]

    @property
    def name(self) -> str:
        """What its files are called: "01_mlp_gan"."""
        return self.source.stem

    @property
    def student(self) -> Path:
        """The notebook with empty exercises."""
        return self.root / "notebooks" / f"{self.name}.ipynb"

    @property
    def solved(self) -> Path:
        """The notebook with answers and outputs."""
        return self.source.with_suffix(".ipynb")

    def figure(self, name: str) -> Path:
        """Where the picture made by the cell tagged `figure:name` is kept."""
        return self.root / "docs" / "figures" / f"{self.number}_{name}.png"

    def show(self, path: Path) -> str:
        """`path` as a message names it: from the root, with forward slashes on every machine."""
        return path.relative_to(self.root).as_posix()


@dataclass(frozen=True)
class Cell:
    """One cell as its author wrote it; `place` counts from 1, `line` is its first in the file."""

    kind: str
    text: str
    tags: tuple[str, ...]
    file: str
    place: int
    line: int

    def where(self, offset: int = 0) -> str:
        """The address to begin a complaint with, `offset` lines below the cell's first."""
        return f"{self.file}:{self.line + offset} (cell {self.place})"

    @cached_property
    def editions(self) -> dict[str, str]:
        """The cell's text in the "student" and in the "solved" edition."""
        return cut_solutions(self) if self.kind == "code" else dict.fromkeys(EDITIONS, self.text)

    @cached_property
    def tree(self) -> ast.Module:
        """The solved code, parsed."""
        return ast.parse(self.editions["solved"])


EDITIONS = ("student", "solved")


def find_root(start: Path | str | None = None) -> Path:
    """The checkout that `start` (or else the present folder) lies in.

    Raises:
        LessonError: there is none.
    """
    start = Path(start or ".").resolve()
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").is_file() and (folder / "solutions").is_dir():
            return folder
    raise LessonError(
        f"{start} is not inside a checkout of the course (a folder with pyproject.toml and "
        "solutions/). Change to one: lessons are built and run from their sources."
    )


def find_lessons(root: Path | str | None = None, numbers: Collection[str] = ()) -> list[Lesson]:
    """The lessons in `solutions/`, in order: all of them, or those with the given numbers."""
    root = find_root(root)
    lessons = [Lesson(root, path) for path in sorted(root.glob("solutions/[0-9][0-9]_*.py"))]
    known = [lesson.number for lesson in lessons]
    for number in known:
        if known.count(number) > 1:
            raise LessonError(f"solutions/: more than one source is numbered {number}")
    for number in numbers:
        if number not in known:
            raise LessonError(f"no lesson {number}; there are: {', '.join(known) or 'none yet'}")
    return [lesson for lesson in lessons if not numbers or lesson.number in numbers]


def read_cells(lesson: Lesson) -> list[Cell]:
    """The cells of a lesson's source, each already proven to split into two good editions.

    Raises:
        LessonError: a marker is misplaced, or an edition would not compile.
    """
    text = lesson.source.read_text(encoding="utf-8")
    cells: list[Cell] = []
    position = 0
    for place, node in enumerate(jupytext.reads(text, fmt=_PERCENT).cells, start=1):
        source = node.source.strip("\n")
        # jupytext keeps no line numbers: look for the cell from the end of the one before.
        found = text.find(source if node.cell_type == "code" else source.split("\n")[0], position)
        position = max(position, found)
        line = text.count("\n", 0, position) + 1
        tags = tuple(node.metadata.get("tags", ()))
        file = lesson.show(lesson.source)
        cells.append(Cell(node.cell_type, source, tags, file, place, line))
        position += len(source.split("\n")[0])
    _need_editions(cells)
    return cells


def cut_solutions(cell: Cell) -> dict[str, str]:
    """Both editions of a code cell: the same text, but for the marked blocks."""
    student: list[str] = []
    solved: list[str] = []
    opened = None
    for offset, line in enumerate(cell.text.split("\n")):
        marker = line.strip()
        if marker not in (BEGIN, END):
            if _ALMOST_A_MARKER.search(line):  # else a slip of the pen would publish the answer
                raise LessonError(f"{cell.where(offset)}: a marker is a line '{BEGIN}' or '{END}'")
            solved.append(line)
            if opened is None:
                student.append(line)
        elif marker == BEGIN and opened is None:
            opened = offset
            student.append(line.replace(BEGIN, TO_DO))
        elif marker == END and opened is not None:
            opened = None
        else:
            missing = END if marker == BEGIN else BEGIN
            raise LessonError(f"{cell.where(offset)}: '{marker}' with no '{missing}' before it")
    if opened is not None:
        raise LessonError(f"{cell.where(opened)}: '{BEGIN}' with no '{END}' in its cell")
    return {"student": "\n".join(student), "solved": "\n".join(solved)}


def find_checks(cell: Cell) -> Iterator[tuple[str, str]]:
    """Each `check(name, "01.3")` in the cell, as name and exercise."""
    for node in ast.walk(cell.tree):
        match node:
            case ast.Call(
                func=ast.Name("check"), args=[ast.Name(name), ast.Constant(str(exercise)), *_]
            ):
                yield name, exercise


def _need_editions(cells: list[Cell]) -> None:
    """Every code cell compiles in both editions, and no empty exercise can stop the lesson."""
    code = [cell for cell in cells if cell.kind == "code"]
    for cell in code:
        for edition in EDITIONS:
            _need_syntax(cell, edition)
    for cell, following in zip(code, [*code[1:], None], strict=False):
        if BEGIN not in cell.text:
            continue
        _need_function(cell)
        if not any(find_checks(cell)) and not (following and any(find_checks(following))):
            raise LessonError(
                f"{cell.where()}: the solution is never checked: follow it with "
                'name = check(name, "NN.N"), in this cell or the next'
            )


def _need_syntax(cell: Cell, edition: str) -> None:
    text = cell.editions[edition]
    try:
        compile(text, cell.file, "exec", dont_inherit=True)
    except SyntaxError as error:
        where = cell.where((error.lineno or 1) - 1)
        raise LessonError(f"{where}: the {edition} edition does not compile: {error.msg}") from None


def _need_function(cell: Cell) -> None:
    """An empty exercise may raise when called, never while the cell itself runs."""
    tree = ast.parse(cell.editions["student"])
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    safe = {line for node in functions for line in range(node.lineno + 1, node.end_lineno + 1)}
    for line, text in enumerate(cell.editions["student"].split("\n"), start=1):
        if text.strip() == TO_DO and line not in safe:
            raise LessonError(
                f"{cell.where()}: a solution must stand inside a function or method, or its "
                "empty exercise would stop the student edition"
            )
