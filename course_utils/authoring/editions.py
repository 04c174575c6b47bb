"""The two notebooks of a lesson: made from its source, byte for byte the same everywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import warnings
from collections.abc import Collection
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ..checkpoints import write_atomically
from ..settings import MEASURED, PROFILES, describe_memory
from .opening import badge_cell, read_address, setup_cell, strict_cell, unsaved_runs_cell
from .sources import Cell, Lesson, LessonError, find_lessons, read_cells

_PICTURE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<path>[^)]*)\)")
_MEASURED_HERE = re.compile(r"^<!-- measured -->$", re.MULTILINE)
# Only what every viewer draws from inside a page: Markdown renderers refuse other data addresses.
_PICTURE_TYPES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".webp": "webp"}


def build_lessons(root: Path | str | None = None, numbers: Collection[str] = ()) -> list[Path]:
    """Write both editions of the lessons, executing nothing; the files that changed.

    The solved edition keeps the outputs of the cells whose code is as it was.

    Raises:
        LessonError: a source has to be put right first.
    """
    changed = []
    for lesson in find_lessons(root, numbers):
        student, solved = (to_bytes(make_edition(lesson, name)) for name in ("student", "solved"))
        for path, content in ((lesson.student, student), (lesson.solved, solved)):
            is_new = write_if_changed(path, content)
            print(f"{lesson.show(path)}: {'written' if is_new else 'unchanged'}")
            changed += [path] if is_new else []
    return changed


def make_edition(
    lesson: Lesson, edition: str, *, outputs: bool = True, pictures: bool = True
) -> NotebookNode:
    """The "student" or the "solved" notebook.

    A lesson about to be run wants no `outputs` of the last time, and can do without `pictures`
    in its prose: the run may be what makes them.

    Raises:
        LessonError: the source has to be put right first.
    """
    cells = read_cells(lesson)
    nodes = [_make_node(lesson, cell, edition, pictures) for cell in cells]
    code_begins = next((i for i, cell in enumerate(cells) if cell.kind == "code"), len(cells))
    address = read_address(lesson.root)
    start = [setup_cell(lesson, address), unsaved_runs_cell(lesson)]
    if edition == "solved":
        start.insert(1, strict_cell(lesson))
    course = {"lesson": lesson.number, "edition": edition, "source_sha256": _hash_source(lesson)}
    if edition == "solved" and outputs:
        executed = _restore_outputs(nodes, lesson.solved)
        course |= {"executed": executed} if executed else {}
    notebook = new_notebook(
        cells=[
            badge_cell(lesson, address, edition),
            *nodes[:code_begins],
            *start,
            *nodes[code_begins:],
        ],
        metadata={
            "course": course,
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    notebook.nbformat_minor = 5  # not "the newest this nbformat knows"
    return notebook


def to_bytes(notebook: NotebookNode) -> bytes:
    """The notebook as its file holds it."""
    nbformat.validate(notebook)
    return (nbformat.v4.writes(notebook) + "\n").encode()


def write_if_changed(path: Path, content: bytes) -> bool:
    """Put `content` into the file, whole or not at all; whether it was something new."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return True


def hash_code(lesson: Lesson) -> str:
    """What the lesson's outputs depend on: its code with the answers, not its prose."""
    code = [cell.editions["solved"] for cell in read_cells(lesson) if cell.kind == "code"]
    return _hash(code)


def hash_outputs(notebook: NotebookNode, executed: dict[str, Any]) -> str:
    """What a run left behind, and what is noted about the run."""
    outputs = [[c.execution_count, c.outputs] for c in notebook.cells if c.cell_type == "code"]
    noted = {key: value for key, value in executed.items() if key != "outputs_sha256"}
    return _hash([noted, outputs])


def read_measured(root: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """What real runs took: lesson -> profile -> minutes, memory and machine."""
    path = root / "course_utils" / MEASURED.name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _make_node(lesson: Lesson, cell: Cell, edition: str, pictures: bool) -> NotebookNode:
    metadata = {"tags": list(cell.tags)} if cell.tags else {}
    text, identity = cell.editions[edition], f"{lesson.number}-{cell.place:03d}"
    if cell.kind == "code":
        return new_code_cell(text, id=identity, metadata=metadata)
    text = _MEASURED_HERE.sub(lambda _: _measured_table(lesson), text)
    if pictures:
        text = _PICTURE.sub(lambda found: _embed(lesson, cell, **found.groupdict()), text)
    return new_markdown_cell(text, id=identity, metadata=metadata)


def _embed(lesson: Lesson, cell: Cell, alt: str, path: str) -> str:
    """The picture inside the text: the one form that GitHub, Colab and JupyterLab all show."""
    if not alt.strip():
        raise LessonError(f"{cell.where()}: the picture {path} has no alt text: ![what it shows]()")
    file, kind = lesson.source.parent / path, _PICTURE_TYPES.get(Path(path).suffix.lower())
    if kind is None:
        raise LessonError(f"{cell.where()}: {path} is not a local png, jpeg, gif or webp file")
    if not file.is_file():
        raise LessonError(
            f"{cell.where()}: there is no picture {path}; "
            f"`make outputs` makes those of cells tagged figure:NAME"
        )
    return f"![{alt}](data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()})"


def _measured_table(lesson: Lesson) -> str:
    """A row for each profile that was measured; nothing at all where none was."""
    costs = read_measured(lesson.root).get(lesson.number, {})
    rows = []
    for profile in (profile for profile in PROFILES if profile in costs):
        cost = costs[profile]
        taken = f"{cost['minutes']:.1f} | {describe_memory(cost)} | {cost['machine']}"
        rows.append(f"| `{profile}` | {taken} |")
    head = ["| profile | minutes | memory | machine |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows]) if rows else ""


def _restore_outputs(nodes: list[NotebookNode], path: Path) -> dict[str, Any] | None:
    """Give `nodes` the outputs that their code has in the notebook at `path`, and its record.

    Code is matched in order, so that inserting or removing a cell costs only its own outputs.
    The record is handed on as it was: its hashes tell `check` what no longer fits.
    """
    saved = read_saved(path)
    if saved is None:
        return None
    old = [cell for cell in saved.cells if cell.cell_type == "code"]
    new = [cell for cell in nodes if cell.cell_type == "code"]
    sources = [[cell.source for cell in cells] for cells in (old, new)]
    matcher = SequenceMatcher(None, *sources, autojunk=False)
    for i, j, size in matcher.get_matching_blocks():
        for before, after in zip(old[i : i + size], new[j : j + size], strict=True):
            after.outputs, after.execution_count = before.outputs, before.execution_count
    executed = saved.metadata.get("course", {}).get("executed")
    return executed if isinstance(executed, dict) else None


def read_saved(path: Path) -> NotebookNode | None:
    """The notebook at `path`; None if there is none or if it is broken (a merge, a hand edit)."""
    try:
        notebook = nbformat.v4.reads(path.read_text(encoding="utf-8"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whatever is amiss, `check` will say
            nbformat.validate(notebook)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, nbformat.ValidationError):
        return None
    return notebook if isinstance(notebook.metadata.get("course", {}), dict) else None


def _hash_source(lesson: Lesson) -> str:
    # Read as text: a checkout with Windows line ends is the same source.
    return _hash(lesson.source.read_text(encoding="utf-8"))


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
