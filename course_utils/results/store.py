"""The file of all measured runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..checkpoints import write_atomically
from ..recipes import RECIPES
from ..settings import PROFILES
from .ingredients import VARIANTS

ROOT = Path(__file__).parents[2]  # the course's folder
STORE = Path("course_utils", "results.json")  # in it
DAY = Path("course_utils", "gpu_day", "day.json")  # what a GPU day found
SEEDS = 3  # from how many each recipe is trained; fewer are too few to compare
ON_CURVE = 5_000  # samples behind each point of a curve

_OF_A_TASK = {"found", "seconds", "beside", "toy", "machine"}

Row = dict[str, Any]


def load_results(path: Path = ROOT / STORE) -> list[Row]:
    """All runs that were measured, one dictionary each, in the order of the recipes.

    Keys: `recipe`, `settings` (its fingerprint), `profile`, `seed`, `numbers` ("bf16" or
    "fp32"), `main` (False for runs that compare precisions or ingredients), `epochs`,
    `steps`, `minutes`, `images_per_second`, `memory_gb`, `machine`, `parameters` (of D, of G),
    `distance`, `floor`, `shares` (of the ten classes), `verdict`, `curve` (lists of minutes,
    step, distance).

    Raises:
        ValueError: the file is damaged.
    """
    if not path.is_file():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return sorted(rows, key=order_of)
    except (KeyError, TypeError, ValueError) as problem:
        raise ValueError(f"{path.name}: expected a list of runs, got a damaged file") from problem


def load_day(path: Path = ROOT / DAY) -> dict[str, Row]:
    """What was found on a GPU day, by part/task: `found`, `seconds`, `beside`, `toy`, `machine`.

    Raises:
        ValueError: the file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        day = json.loads(path.read_text(encoding="utf-8"))
        if all(run.keys() >= _OF_A_TASK for run in day.values()):
            return day
        problem = None
    except (AttributeError, ValueError) as error:
        problem = error
    raise ValueError(f"{path.name}: expected what a GPU day found, got a damaged file") from problem


def order_of(row: Row) -> tuple:
    names = [*RECIPES, *VARIANTS]
    place = names.index(row["recipe"]) if row["recipe"] in names else len(names)
    return PROFILES.index(row["profile"]), place, not row["main"], row["seed"]


def save_rows(rows: Sequence[Row], path: Path) -> None:
    """Store runs in addition to those there, in the place of older ones of the same name."""
    kept = {key_of(row): row for row in [*load_results(path), *rows]}
    lines = ",\n".join(json.dumps(row) for row in sorted(kept.values(), key=order_of))
    write_atomically(path, f"[\n{lines}\n]\n".encode())


def key_of(row: Row) -> tuple:
    return tuple(row[name] for name in ("recipe", "profile", "seed", "main"))
