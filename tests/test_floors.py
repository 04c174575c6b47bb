"""No room of the package reaches up a floor, and importing it stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "course_utils"

FLOORS = {
    0: ("settings", "validation"),
    1: ("coordinates", "data", "layers", "losses", "models", "shipped", "summary"),
    2: ("checkpoints", "metrics", "plots"),
    3: ("animation", "checks", "diagnosis", "legibility", "training"),
    4: (
        *("dashboard", "exercises", "explorer", "gallery"),
        *("large_print", "pretrained", "recipes"),
    ),
    5: (
        *("__main__", "authoring", "bench", "classifiers"),
        *("doctor", "extra_data", "gpu_day", "results", "verdicts"),
    ),
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
HALL = "__init__"  # course_utils/__init__.py: it hands on the names of floors 0 to 4
# the imports allowed within a floor
NEIGHBOURS = {
    ("settings", "validation"),
    ("__main__", "authoring"),
    ("__main__", "bench"),
    ("__main__", "classifiers"),
    ("__main__", "doctor"),
    ("__main__", "extra_data"),
    ("__main__", "gpu_day"),
    ("__main__", "results"),
    ("__main__", "verdicts"),
    ("coordinates", "models"),
    ("diagnosis", "training"),
    ("gpu_day", "authoring"),
    ("gpu_day", "bench"),
    ("gpu_day", "results"),
    ("large_print", "pretrained"),
    ("models", "layers"),
    ("models", "summary"),
    ("pretrained", "recipes"),
    ("summary", "layers"),
}
HEAVY = ["ipywidgets", "pandas", "sklearn", "mlxtend", "pyarrow", "huggingface_hub", "jupytext"]


def find_room(path: Path) -> str:
    """The room that a module belongs to: the first part of its path inside the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def find_imports(node: ast.AST, package: tuple[str, ...]) -> set[str]:
    """The rooms that code in `package` imports, at the top or inside functions.

    What stands under `if TYPE_CHECKING:` never runs, so it does not count.
    """
    rooms = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            rooms |= {name_room(tuple(alias.name.split("."))) for alias in child.names}
        elif isinstance(child, ast.ImportFrom):
            start = package[: len(package) - child.level + 1] if child.level else ()
            base = start + tuple(child.module.split(".") if child.module else ())
            rooms |= {name_room((*base, alias.name)) for alias in child.names}
        elif is_type_checking(child):
            for other in child.orelse:
                rooms |= find_imports(ast.Module([other], []), package)
        else:
            rooms |= find_imports(child, package)
    return rooms - {""}


def name_room(dotted: tuple[str, ...]) -> str:
    """("course_utils", "data", "load") -> "data"; "" for anything outside the package."""
    if dotted[0] != "course_utils":
        return ""
    inside = dotted[1] if len(dotted) > 1 else HALL
    is_room = (PACKAGE / inside).is_dir() or (PACKAGE / f"{inside}.py").is_file()
    return inside if is_room else HALL  # `from course_utils import check`: by way of the hall


def find_fault(room: str, imported: str) -> str:
    """What is wrong with `room` importing `imported`; "" if nothing is."""
    for name in (room, imported):
        if name not in FLOOR_OF and name != HALL:
            return f"course_utils/{name} has no floor yet: place it in FLOORS of {__file__}"
    if room == imported or (room, imported) in NEIGHBOURS:
        return ""
    if room == HALL:
        allowed = FLOOR_OF[imported] <= 4
    else:
        allowed = imported != HALL and FLOOR_OF[imported] < FLOOR_OF[room]
    return "" if allowed else f"{room} imports {imported}: only floors below its own are open to it"


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_floors_below(path):
    room = find_room(path)
    package = ("course_utils", *path.relative_to(PACKAGE).parts[:-1])
    tree = ast.parse(path.read_text(encoding="utf-8"))
    faults = {find_fault(room, imported) for imported in find_imports(tree, package) | {room}}
    assert faults <= {""}


def test_every_room_was_seen():
    rooms = {find_room(path) for path in MODULES}
    assert rooms >= {HALL, "settings", "validation", "models", "losses", "data", "plots"}
    assert rooms >= {"training", "checks", "exercises", "authoring"}


@pytest.mark.parametrize(
    "code, package, rooms",
    [
        ("from .models import count_params", (), {"models"}),
        ("from . import models, losses", (), {"models", "losses"}),
        ("from ..settings import start", ("data",), {"settings"}),
        ("from .. import training", ("data",), {"training"}),
        ("from .images import ImageSet", ("data",), {"data"}),
        ("from . import sources", ("data",), {"data"}),
        ("import course_utils.plots as p", (), {"plots"}),
        ("from course_utils.checks import judge", (), {"checks"}),
        ("from course_utils import check", (), {HALL}),
        ("import course_utils", (), {HALL}),
        ("import torch, os.path\nfrom torch import nn", (), set()),
        ("def f():\n    if True:\n        from .training import train", (), {"training"}),
        ("if TYPE_CHECKING:\n    from .training import train", (), set()),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    from .training import train", (), {"training"}),
    ],
)
def test_imports_are_found(code, package, rooms):
    assert find_imports(ast.parse(code), ("course_utils", *package)) == rooms


@pytest.mark.parametrize(
    "room, imported, fault",
    [
        ("training", "models", ""),
        ("settings", "validation", ""),
        ("data", "data", ""),
        ("__main__", "authoring", ""),
        (HALL, "exercises", ""),
        ("validation", "settings", "only floors below"),
        ("models", "losses", "only floors below"),
        ("plots", "training", "only floors below"),
        ("models", HALL, "only floors below"),
        (HALL, "authoring", "only floors below"),
        ("authoring", "__main__", "only floors below"),
        ("attic", "models", "attic has no floor yet"),
        ("models", "attic", "attic has no floor yet"),
    ],
)
def test_reaching_up_is_a_fault(room, imported, fault):
    found = find_fault(room, imported)
    assert fault in found
    assert bool(fault) == bool(found)


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, course_utils; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    imported = set(run.stdout.split())
    assert imported >= {"torch", "course_utils.training"}
    assert imported.isdisjoint(HEAVY)
