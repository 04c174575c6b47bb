"""A lesson executed from its first cell to its last, and what a real run leaves behind."""

from __future__ import annotations

import base64
import inspect
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Collection
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from tqdm import tqdm

from ..settings import (
    MEASURED,
    PROFILES,
    describe_machine,
    get_profile,
    name_processor,
    peak_memory,
)
from ..validation import need_choice
from .editions import (
    build_lessons,
    hash_code,
    hash_outputs,
    make_edition,
    read_measured,
    to_bytes,
    write_if_changed,
)
from .opening import OPENING
from .sources import Lesson, LessonError, find_lessons

CELL_TIMEOUT = 4 * 3600  # seconds: a long training is no fault; a kernel that hangs still ends
_FIGURE_TAG = "figure:"
_COMPARED = "nbval-check-output"
_QUIET = ["--log-level=ERROR"]  # some versions remark on their sockets at every start
_WIDGET = "application/vnd.jupyter.widget-view+json"
_NAMELESS = "No description has been provided for this image"  # nbconvert's words
_GPU_MEMORY = """import torch
of_the_gpu = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0"""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def execute_lessons(
    root: Path | str | None = None, numbers: Collection[str] = (), profile: str | None = None
) -> None:
    """`execute_lesson` for all the lessons, or for those with the given numbers."""
    for lesson in find_lessons(root, numbers):
        execute_lesson(lesson, profile)


def execute_lesson(
    lesson: Lesson, profile: str | None = None, timeout: int = CELL_TIMEOUT
) -> dict[str, Any]:
    """Run the solved edition for real: its outputs, pictures and cost are kept, then rebuilt.

    The profile "short" learns nothing: there, only the cost is kept. Returns that cost.

    Raises:
        LessonError: a cell failed; nothing was kept.
    """
    profile = need_choice(profile or get_profile(), "profile", PROFILES)
    code = hash_code(lesson)
    notebook = make_edition(lesson, "solved", outputs=False, pictures=False)
    # In a folder of its own: an earlier run's checkpoints would make this one look quick.
    with tempfile.TemporaryDirectory() as folder:
        runs = str(Path(folder).resolve())
        cost = _run_cells(lesson, notebook, profile, runs, timeout)
        names = {runs: "runs", str(lesson.root): ".", str(Path.home()): "~"}
        noisy = _find_noisy(notebook)
        _tidy(notebook, names)
    if profile != "short":
        for name, picture in _find_figures(lesson, notebook).items():
            write_if_changed(lesson.figure(name), picture)
        _sign(notebook, profile, code)
        write_if_changed(lesson.solved, to_bytes(notebook))
    _note_cost(lesson, profile, cost)
    for cell in noisy:
        print(f"{lesson.name}: cell {cell} is tagged {_COMPARED}, but its widget or stderr is not")
        print("  kept, so the comparison will fail: take off the tag, or what it shows")
    print(f"{lesson.name}: {cost['minutes']} minutes, {cost['memory_gb']} GB ({profile})")
    build_lessons(lesson.root, (lesson.number,))
    return cost


def measure_lesson(
    number: str, profile: str, root: Path | str | None = None, timeout: int = CELL_TIMEOUT
) -> dict[str, Any]:
    """What a lesson's solved edition costs; its outputs are thrown away, nothing is written.

    Raises:
        LessonError: there is no such lesson, or a cell failed.
    """
    need_choice(profile, "profile", PROFILES)
    (lesson,) = find_lessons(root, (number,))
    notebook = make_edition(lesson, "solved", outputs=False, pictures=False)
    with tempfile.TemporaryDirectory() as folder:
        return _run_cells(lesson, notebook, profile, str(Path(folder).resolve()), timeout)


def run_lesson(
    number: str, out: Path | str, root: Path | str | None = None, timeout: int = CELL_TIMEOUT
) -> Path:
    """Run a lesson's solved edition here and leave the notebook, its HTML and samples in `out`.

    The checkout stays as it was. A run that fails leaves the notebook as far as it came.

    Raises:
        LessonError: there is no such lesson, or a cell failed.
    """
    (lesson,) = find_lessons(root, (number,))
    out = Path(out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    notebook = make_edition(lesson, "solved", outputs=False)
    runs = os.environ.get("COURSE_RUNS") or str(out / "checkpoints")
    try:
        _run_cells(lesson, notebook, get_profile(), str(Path(runs).resolve()), timeout)
    finally:
        _tidy(notebook, {})
        write_if_changed(out / f"{lesson.name}.ipynb", to_bytes(notebook))
    page = out / f"{lesson.name}.html"
    write_if_changed(page, to_html(notebook, lesson.name).encode())
    made = [out / f"{lesson.name}.ipynb", page]
    samples = _find_figures(lesson, notebook).get("samples")
    if samples:
        write_if_changed(out / "samples.png", samples)
        made.append(out / "samples.png")
    print("\n".join(map(str, made)))
    return out


def to_html(notebook: NotebookNode, title: str) -> str:
    """The notebook as one page that needs no network, but for the typesetting of formulas."""
    from nbconvert import HTMLExporter  # slow to import, and only this needs it

    exporter = HTMLExporter(require_js_url="", embed_images=True)
    exporter.log.setLevel("ERROR")
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": title}})
    return _name_pictures(page.replace('<script src=""></script>', ""), notebook)


def _name_pictures(page: str, notebook: NotebookNode) -> str:
    """Give pictures the alternative text of their outputs, which nbconvert leaves out."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    known = [output.get("metadata", {}).get("image/png", {}) for output in outputs]
    words = iter([escape(facts["alt"]) for facts in known if "alt" in facts])
    return re.sub(rf'(?<=alt="){_NAMELESS}(?=")', lambda found: next(words, found[0]), page)


class _ThisPython(AsyncKernelManager):
    """Kernels of the present interpreter, whatever a kernelspec called python3 says here."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *_QUIET]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def _run_cells(
    lesson: Lesson, notebook: NotebookNode, profile: str, runs: str, timeout: int
) -> dict[str, Any]:
    """Execute the cells in place; the first one that fails ends it. What it cost."""
    client = NotebookClient(
        notebook, kernel_manager_class=_ThisPython, timeout=timeout, record_timing=False
    )
    environment = os.environ | {"COURSE_PROFILE": profile, "COURSE_RUNS": runs}
    for name in ("MPLBACKEND", "COURSE_STRICT"):  # the notebook decides on both
        environment.pop(name, None)
    lesson.student.parent.mkdir(exist_ok=True)
    begin = time.perf_counter()
    with client.setup_kernel(cwd=str(lesson.student.parent), env=environment):
        _execute_all(lesson, client, notebook)
        minutes = (time.perf_counter() - begin) / 60
        memory = _measure_memory(client, notebook)
    machine = f"{describe_machine()}; {name_processor()}, {os.cpu_count()} cores"
    return {"minutes": round(minutes, 2), **memory, "machine": machine}


def _execute_all(lesson: Lesson, client: NotebookClient, notebook: NotebookNode) -> None:
    count = 0
    for place, cell in enumerate(tqdm(notebook.cells, desc=lesson.name, unit="cell")):
        count += cell.cell_type == "code"
        try:
            client.execute_cell(cell, place, execution_count=count)
        except (CellControlSignal, DeadKernelError) as error:
            trace = _COLOURS.sub("", str(error))
            raise LessonError(f"{lesson.name}: cell {cell.id} failed\n{trace}") from None


def _measure_memory(client: NotebookClient, notebook: NotebookNode) -> dict[str, float]:
    """Ask the kernel itself, through a cell that is gone again before anything is saved."""
    question = f"{inspect.getsource(peak_memory)}\n{_GPU_MEMORY}\nprint(peak_memory(), of_the_gpu)"
    notebook.cells.append(new_code_cell(question))
    try:
        answer = client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1)
        own, of_the_gpu = (round(float(text), 2) for text in answer.outputs[0].text.split())
        return {"memory_gb": own} | ({"gpu_memory_gb": of_the_gpu} if of_the_gpu else {})
    finally:
        notebook.cells.pop()


def _tidy(notebook: NotebookNode, names: dict[str, str]) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = tidy_outputs(cell.outputs, names)


def tidy_outputs(outputs: list[NotebookNode], names: dict[str, str]) -> list[NotebookNode]:
    """What of a cell's outputs is worth keeping, with the machine's folders given new `names`.

    Gone are stderr (progress bars, warnings) and widgets, which are dead once their kernel is: of
    a widget that comes with a picture, the picture stays.
    """
    kept: list[NotebookNode] = []
    for output in outputs:
        if _is_picture(output):
            output.data.pop(_WIDGET, None)
        if _is_noise(output):
            continue
        if output.output_type == "stream" and kept and kept[-1].output_type == "stream":
            kept[-1].text += output.text
        else:
            kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = _settle(output.text)
    return [_rename(output, names) for output in kept]


def _is_noise(output: NotebookNode) -> bool:
    is_widget = _WIDGET in output.get("data", {}) and not _is_picture(output)
    return output.get("name") == "stderr" or is_widget


def _find_noisy(notebook: NotebookNode) -> list[str]:
    """The cells whose outputs are compared in tests, yet hold something that is not kept."""
    return [
        cell.id
        for cell in notebook.cells
        if _COMPARED in cell.metadata.get("tags", ()) and any(map(_is_noise, cell.outputs))
    ]


def _settle(text: str) -> str:
    """Printed text as a terminal shows it in the end: of an overwritten line, its last state."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)


def _rename(value: Any, names: dict[str, str]) -> Any:
    """No folder of the machine stays in any text; pictures are left alone."""
    if isinstance(value, str):
        for folder, name in names.items():
            if folder != os.sep:  # some containers have no home
                value = re.sub(rf"(?<![\w.-]){re.escape(folder)}(?![\w-])", name, value)
        return value
    if isinstance(value, list):
        return [_rename(item, names) for item in value]
    if isinstance(value, dict):
        renamed = {
            key: item if key.startswith("image/") else _rename(item, names)
            for key, item in value.items()
        }
        return nbformat.from_dict(renamed)
    return value


def _sign(notebook: NotebookNode, profile: str, code: str) -> None:
    """Note what was run; the cells made by `opening` stay bare, as the machine speaks in them."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.id.endswith(OPENING):
            cell.outputs, cell.execution_count = [], None
    executed = {"profile": profile, "code_sha256": code}
    executed["outputs_sha256"] = hash_outputs(notebook, executed)
    notebook.metadata.course["executed"] = executed


def _find_figures(lesson: Lesson, notebook: NotebookNode) -> dict[str, bytes]:
    """The last picture of each cell tagged `figure:NAME`."""
    figures = {}
    for cell in notebook.cells:
        drawn = [o.data["image/png"] for o in cell.get("outputs", ()) if _is_picture(o)]
        for tag in cell.metadata.get("tags", ()):
            if tag.startswith(_FIGURE_TAG):
                if not drawn:
                    raise LessonError(f"{lesson.name}: cell {cell.id}, tagged {tag}, drew nothing")
                figures[tag.removeprefix(_FIGURE_TAG)] = base64.b64decode(drawn[-1])
    return figures


def _is_picture(output: NotebookNode) -> bool:
    return "image/png" in output.get("data", {})


def _note_cost(lesson: Lesson, profile: str, cost: dict[str, Any]) -> None:
    measured = read_measured(lesson.root)
    measured.setdefault(lesson.number, {})[profile] = cost
    text = json.dumps(measured, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_if_changed(lesson.root / "course_utils" / MEASURED.name, text.encode())
