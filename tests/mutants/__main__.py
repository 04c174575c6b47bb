"""`python -m tests.mutants [07 01.6 ...]`: how many mutants are refused, and which survive."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

from course_utils.exercises import EXERCISES

from .equivalent import explain
from .judging import Result
from .running import run

REPORT = Path("runs/mutants")


def main(chosen: list[str]) -> int:
    exercises = [i for i in EXERCISES if not chosen or i in chosen or i[:2] in chosen]
    if not exercises:
        print(f"expected lessons or exercises such as 07 or 01.6, got {' '.join(chosen)}")
        return 2
    start, results = time.monotonic(), []
    for result in run(exercises):
        results.append(result)
        if len(results) % 500 == 0:
            seconds, where = time.monotonic() - start, result.mutant.exercise
            print(f"{len(results)} mutants, {seconds:.0f} s, now {where}", file=sys.stderr)
    report = describe(results)
    print(report)
    print(f"{time.monotonic() - start:.0f} seconds")
    REPORT.mkdir(parents=True, exist_ok=True)
    (REPORT / "report.md").write_text(report, encoding="utf-8")
    rows = [as_row(result) for result in results if result.mark == "right"]
    (REPORT / "right.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 1 if any(find_survivors(results)) else 0


def find_survivors(results: list[Result]) -> list[Result]:
    """Called right, and not explained."""
    return [result for result in results if result.mark == "right" and explain(result) is None]


def as_row(result: Result) -> dict[str, object]:
    mutant = result.mutant
    return {
        "exercise": mutant.exercise,
        "kind": mutant.kind,
        "diff": mutant.diff,
        "differs in": sorted(result.aspects),
        "reason": explain(result),
        "text": mutant.text,
    }


def describe(results: list[Result]) -> str:
    """A table by lesson, then the survivors by exercise, each with its lines."""
    lines = [
        "| lesson | made | refused | equivalent | survive |",
        "| --- | --- | --- | --- | --- |",
    ]
    survivors = find_survivors(results)
    lessons = sorted({result.mutant.exercise[:2] for result in results})
    for lesson in [*lessons, ""]:
        own = [r for r in results if r.mutant.exercise.startswith(lesson)]
        refused = sum(r.mark != "right" for r in own)
        left = sum(r.mutant.exercise.startswith(lesson) for r in survivors)
        equivalent = len(own) - refused - left
        lines.append(f"| {lesson or 'all'} | {len(own)} | {refused} | {equivalent} | {left} |")
    lines.append("")
    for exercise in EXERCISES:
        own = [r for r in survivors if r.mutant.exercise == exercise]
        if own:
            lines += ["", f"## {exercise}: {len(own)} survive", ""]
        groups = Counter(_aspects(r) for r in own)
        for aspects, count in groups.most_common():
            lines += [f"### {exercise}, {count} that differ in {aspects}", ""]
            for result in own:
                if _aspects(result) == aspects:
                    lines += [f"{result.mutant.kind}", "```diff", result.mutant.diff, "```"]
    return "\n".join(lines) + "\n"


def _aspects(result: Result) -> str:
    return ", ".join(sorted(result.aspects)) or "nothing that was seen"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
