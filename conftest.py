"""For pytest, wherever it is started: short profile, nothing kept in the checkout, no red boxes."""

import os
import re
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("COURSE_PROFILE", "short")
if "COURSE_RUNS" not in os.environ:
    _runs = tempfile.TemporaryDirectory(prefix="course-runs-")  # gone when pytest ends
    os.environ["COURSE_RUNS"] = _runs.name

ROOT = Path(__file__).parent
# Not what students hand in: warnings of theirs are theirs.
OWN = (ROOT / "notebooks", ROOT / "solutions")
# A line of a progress bar, or an empty one.
PROGRESS = re.compile(r"\d+%\||\d+(\.\d+)?(it|step|s)/(s|it|step)|^\s*$")


def is_own_cell(item):
    """Whether a test is a cell of a notebook of the course."""
    return item.path.suffix == ".ipynb" and item.path.parent in OWN


def find_red(outputs):
    """The lines on stderr that are no progress bar; a notebook shows them in red."""
    texts = [out.text for out in outputs if out.get("name") == "stderr"]
    lines = re.split(r"[\r\n]+", "".join(texts))
    return [line for line in lines if not PROGRESS.search(line)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """The kernels of our own notebooks, which start here, show every warning."""
    if not is_own_cell(item):
        return (yield)
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "always"
    try:
        return (yield)
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A cell of our own notebooks that prints on stderr fails."""
    result = yield
    red = find_red(getattr(item, "test_outputs", ())) if is_own_cell(item) else []
    assert not red, "the cell prints on stderr:\n" + "\n".join(red)
    return result
