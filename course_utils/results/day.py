"""What a GPU day adds to docs/results.md: fp16 against float32, and equal minutes alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean, median, stdev

from ..recipes import RECIPES
from .store import SEEDS, Row

Day = dict[str, Row]

NUMBERS = """Cards without bfloat16 (a T4) multiply fp16, whose range is small: there losses are
scaled, and `auto` uses it. It does no harm to a recipe where the middle distance of its seeds lies
inside float32's spread or below it, after the same number of steps from the same seeds; these are
fewer than a whole training has."""

MINUTES = """Each run had the card to itself, and as many epochs as fit into the same minutes: a
learning rate that falls has fallen at their end."""


def describe_numbers(day: Day) -> str:
    """The table of fp16 against float32; "" where no recipe was trained in both."""
    found = _group(day, "numbers", lambda words: (words[0], words[1]))
    lines = [
        "| recipe | steps | float32, each seed | fp16, each seed | fp16's middle is |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in dict.fromkeys(name for name, _ in found):
        both = [found.get((name, numbers), []) for numbers in ("fp32", "fp16")]
        if all(both):
            whole, half = ([_distance(run) for run in runs] for runs in both)
            cells = [", ".join(f"{d:.1f}" for d in each) for each in (whole, half)]
            steps = both[0][0]["found"]["steps"]
            lines.append(
                f"| `{name}` | {steps:,} | {cells[0]} | {cells[1]} | {place(whole, half)} |"
            )
    table = _finish(lines, day, "numbers")
    open_ones = [
        f"`{name}`"
        for name, recipe in RECIPES.items()
        if recipe.precision == "auto" and (name, "fp16") not in found
    ]
    if table and open_ones:
        table += f"\n\nNot compared yet, and in fp16 there all the same: {', '.join(open_ones)}."
    return table


def describe_minutes(day: Day) -> str:
    """The table of recipes at equal minutes; "" where nothing was measured."""
    found = _group(day, "minutes", lambda words: words[1])
    lines = [
        "| recipe | minutes | epochs | images seen | distance, each seed | middle |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, runs in found.items():
        facts = [run["found"] for run in runs]
        each = [_distance(run) for run in runs]
        minutes, epochs, images = (
            median(f[key] for f in facts) for key in ("minutes", "epochs", "images")
        )
        lines.append(
            f"| `{name}` | {minutes:.2f} | {epochs:.0f} | {images:,.0f} | "
            f"{', '.join(f'{d:.1f}' for d in each)} | {median(each):.1f} |"
        )
    return _finish(lines, day, "minutes")


def _group(day: Day, part: str, key: Callable[[list[str]], object]) -> dict:
    """The runs of a part by `key` of the words in their names, in the order of their names."""
    found: dict = {}
    for name, run in sorted(day.items()):
        own, task = name.split("/")
        if own == part and not run["toy"]:
            found.setdefault(key(task.split(",")), []).append(run)
    return found


def _distance(run: Row) -> float:
    """Endless where the run had broken down."""
    distance = run["found"]["distance"]
    return math.inf if distance is None else distance


def _finish(lines: list[str], day: Day, part: str) -> str:
    if len(lines) == 2:
        return ""
    own = [run for name, run in day.items() if name.startswith(f"{part}/") and not run["toy"]]
    machines = sorted({run["machine"] for run in own})
    return "\n".join([f"Machine: {'; '.join(machines)}.", "", *lines])


def place(fp32: Sequence[float], bf16: Sequence[float]) -> str:
    """Where the middle of a half precision's distances lies: "inside" float32's, or beside it."""
    if len(fp32) < SEEDS:
        return "open: too few seeds"
    if math.inf in (*fp32, *bf16):
        return "open: a run broke down"
    offset = median(bf16) - fmean(fp32)
    if abs(offset) <= 2 * stdev(fp32):
        return "inside"
    return "above it" if offset > 0 else "below it"
