"""The cells that every lesson begins with, made here so that no source repeats them."""

from __future__ import annotations

import re
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from .sources import Lesson, LessonError

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10: the same library under its older name, as pytest has it
    import tomli as tomllib

# The names of the cells of code that stand in no source; their ids end in them.
OPENING = ("setup", "strict", "colab")

# Colab holds these in versions that fit each other; the last is of no use inside a notebook.
_NEVER_INSTALLED = {"torch", "torchvision", "numpy", "ipywidgets", "jupyterlab"}

_SETUP = """
# @title Setup: finds the course's helpers, at home and in Colab. Running it again does no harm.
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ADDRESS = os.environ.get("COURSE_REPO", "{address}")
IN_COLAB = "google.colab" in sys.modules or bool(find_spec("google") and find_spec("google.colab"))
places = [Path.cwd(), *Path.cwd().parents, Path.cwd() / "{folder}"]
course = next((p for p in places if os.path.isfile(p / "course_utils/__init__.py")), None)

if IN_COLAB and not course and not find_spec("course_utils"):
    course = places[-1]
    with tempfile.TemporaryDirectory(dir=".") as half:  # half a download never becomes the course
        fetch = ["git", "clone", "--depth", "1", ADDRESS, half + "/course"]
        try:
            subprocess.run(fetch, check=True, capture_output=True, text=True, timeout=600)
            os.rename(half + "/course", course)
        except (OSError, subprocess.SubprocessError) as error:
            reason = getattr(error, "stderr", None) or error
            raise RuntimeError(f"No course from {{ADDRESS}}: {{reason}}\\n{advice}") from None
if course and str(course) not in sys.path:
    sys.path.insert(0, str(course))
if not find_spec("course_utils"):
    raise ModuleNotFoundError(f"No course here: run `git clone {{ADDRESS}}` and work in there.")
missing = [name for name in {needed} if IN_COLAB and not find_spec(name)]
if missing:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *missing])
"""

_ADVICE = "Is the network there, and the address right? Then run this cell again."

_UNSAVED_RUNS = """
# In Colab, runs vanish with the machine. True keeps them in your Google Drive.
KEEP_RUNS_ON_DRIVE = False
if IN_COLAB and KEEP_RUNS_ON_DRIVE:
    from google.colab import drive

    drive.mount("/content/drive")
    os.environ["COURSE_RUNS"] = "/content/drive/MyDrive/gan-course/runs"
if IN_COLAB and "COURSE_RUNS" not in os.environ:
    print("Your runs do not outlive this machine: set KEEP_RUNS_ON_DRIVE = True to keep them.")
"""

_STRICT = """
# This is the solved edition: a wrong answer stops it here, where the student edition goes on.
os.environ["COURSE_STRICT"] = "1"
"""


def read_address(root: Path) -> str:
    """The course's address on GitHub, from the one place that holds it: pyproject.toml."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    address = settings.get("project", {}).get("urls", {}).get("Repository", "")
    address = address.rstrip("/").removesuffix(".git")
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address):
        raise LessonError(
            "pyproject.toml: [project.urls] Repository should be https://github.com/OWNER/NAME "
            f"(Colab opens notebooks from there), got {address!r}"
        )
    return address


def badge_cell(lesson: Lesson, address: str, edition: str) -> NotebookNode:
    """The button that opens the student edition in Colab."""
    repository = address.removeprefix("https://github.com/")
    colab = "https://colab.research.google.com"
    text = (
        f"[![Open in Colab]({colab}/assets/colab-badge.svg)]"
        f"({colab}/github/{repository}/blob/main/{lesson.show(lesson.student)})"
    )
    if edition == "solved":
        text += "\n\nThis is the solved edition; the button opens the one with empty exercises."
    return new_markdown_cell(text, id=f"{lesson.number}-badge")


def setup_cell(lesson: Lesson, address: str) -> NotebookNode:
    """The cell that makes `course_utils` importable, in Colab and at home."""
    text = _SETUP.format(
        address=address,
        folder=address.rsplit("/", 1)[1],
        advice=_ADVICE,
        needed=_read_needed(lesson.root),
    )
    cell = _code(lesson, "setup", text)
    # Folded away where notebooks can fold: in Colab behind its title, in JupyterLab behind a click.
    cell.metadata.update({"cellView": "form", "jupyter": {"source_hidden": True}})
    return cell


def unsaved_runs_cell(lesson: Lesson) -> NotebookNode:
    """The cell that keeps runs on Drive if asked to, and says so if they would be lost."""
    return _code(lesson, "colab", _UNSAVED_RUNS)


def strict_cell(lesson: Lesson) -> NotebookNode:
    """The cell that makes the solved edition stop at a wrong answer."""
    return _code(lesson, "strict", _STRICT)


def _code(lesson: Lesson, name: str, text: str) -> NotebookNode:
    identity = f"{lesson.number}-{name}"
    return new_code_cell(text.strip("\n"), id=identity, metadata={"tags": [name]})


def _read_needed(root: Path) -> list[str]:
    """The packages of requirements.txt that a Colab machine may be given if it lacks them."""
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = [found[0].lower() for line in lines if (found := re.match(r"[\w.-]+", line))]
    return sorted(set(names) - _NEVER_INSTALLED)
