"""What follows from a GPU day: the lessons' tables, the README's, performance.md, results.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..authoring import build_lessons
from ..checkpoints import write_atomically
from ..results import write_results
from ..results.store import DAY, ROOT, Row, load_day
from ..settings import MEASURED

MARKS = "<!-- gpu: written by `python -m course_utils gpu-day --fill` -->", "<!-- /gpu -->"
TERA = 1e12
RATES = (("float32", "fp32", "TFLOP/s"), ("bfloat16", "bf16", "TFLOP/s"), ("copy", "copy", "TB/s"))


def fill_tables(root: Path = ROOT) -> None:
    """Write all tables anew; what was not measured is left out of them."""
    day = load_day(root / DAY)
    real = {name: run for name, run in day.items() if not run["toy"]}
    measured = root / "course_utils" / MEASURED.name
    costs = add_lessons(json.loads(measured.read_text(encoding="utf-8")), real)
    text = json.dumps(costs, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_atomically(measured, text.encode())
    _rewrite(root / "docs" / "performance.md", lambda page: replace_table(page, real))
    _rewrite(root / "README.md", lambda page: replace_minutes(page, costs))
    write_results(root)
    build_lessons(root)


def add_lessons(costs: dict[str, Any], day: dict[str, Row]) -> dict[str, Any]:
    """What lessons cost by profile, with what the day found for "gpu"."""
    for name, run in day.items():
        part, lesson = name.split("/")
        if part == "lessons":
            costs.setdefault(lesson, {})["gpu"] = run["found"] | {"machine": _tell(run)}
    return costs


def _tell(run: Row) -> str:
    """The machine, and whether it was shared."""
    beside = f"; {run['beside']} lessons side by side" if run["beside"] > 1 else ""
    return run["machine"] + beside


def replace_minutes(page: str, costs: dict[str, Any]) -> str:
    """The README with the last two cells of each lesson's row as they were measured."""

    def fill(row: re.Match[str]) -> str:
        own = costs.get(row["number"], {})
        cells = [f"{own[p]['minutes']:.1f}" if p in own else "" for p in ("cpu", "gpu")]
        return f"{row['start']} {cells[0]} | {cells[1]} |"

    return re.sub(r"^(?P<start>\| (?P<number>\d\d) \|.*\|)[^|]*\|[^|]*\|$", fill, page, flags=re.M)


def replace_table(page: str, day: dict[str, Row]) -> str:
    """performance.md with the table of the pairs that were benched on a GPU.

    Raises:
        ValueError: the page lacks the marks.
    """
    begin, end = (page.find(mark) for mark in MARKS)
    if not 0 <= begin < end:
        raise ValueError(f"performance.md: expected the lines {MARKS[0]} and {MARKS[1]}")
    return f"{page[:begin]}{MARKS[0]}\n{describe_bench(day)}\n{page[end:]}"


def describe_bench(day: dict[str, Row]) -> str:
    """The rows of each pair, and the rates behind its limit; "" where none was measured."""
    runs = [run for name, run in day.items() if name.startswith("bench/")]
    if not runs:
        return ""
    machines = "; ".join(sorted({run["machine"] for run in runs}))
    rounds = sorted({run["found"]["rounds"] for run in runs})
    rows = [row for run in runs for row in run["found"]["rows"]]
    lines = [
        f"{machines}; the card to itself; median of {', '.join(map(str, rounds))} rounds.",
        "",
        "| pair | way | precision | images/s | ratio | peak GB | ms a step | of the limit |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row['pair']} | {row['way']} | {row['precision']} | "
            f"{row['images_per_second']:,.0f} | {row['ratio']:.2f} | {row['peak_gb']:.2f} | "
            f"{row['ms_per_step']:.2f} | {row['fraction_of_limit']:.1%} |"
        )
    return "\n".join([*lines, "", _describe_rates(rows)])


def _describe_rates(rows: Sequence[dict[str, Any]]) -> str:
    spans = []
    for word, key, unit in RATES:
        values = sorted({f"{row['rates'][key] / TERA:.1f}" for row in rows}, key=float)
        spans.append(f"{word} {' to '.join(dict.fromkeys((values[0], values[-1])))} {unit}")
    costs = dict.fromkeys(
        f"{row['pair']}: {row['flops'] / 1e9:.2f} GFLOP a step, {row['bytes'] / 1e6:.0f} MB "
        "moved by Adam"
        for row in rows
    )
    return f"Rates in the same run: {', '.join(spans)}. {'; '.join(costs)}."


def _rewrite(path: Path, change: Callable[[str], str]) -> None:
    write_atomically(path, change(path.read_text(encoding="utf-8")).encode())
