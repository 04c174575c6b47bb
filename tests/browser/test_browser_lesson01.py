"""Lesson 1 in a browser, as a student has it: all cells run, then one exercise is answered."""

from __future__ import annotations

import re

import pytest
from lab import open_notebook

from course_utils.exercises import EXERCISES

pytestmark = pytest.mark.slow


def test_a_student_runs_lesson_1_and_answers_an_exercise(lab, page, console, snap) -> None:
    notebook = open_notebook(page, lab.address("01_mlp_gan.ipynb"))
    snap(page, "opened")
    notebook.run_all()
    snap(page, "ran")

    assert notebook.errors() == []
    assert [p for p in notebook.prompts() if not re.fullmatch(r"\[\d+\]:", p)] == []
    said = [line for line in notebook.printed() if re.match(r"01\.\d+ ", line)]
    own = [name for name in EXERCISES if name.startswith("01.")]
    assert said == [f"{name} ○ not started: the reference stands in" for name in own]

    cell = notebook.cell('"01.1")')
    empty = notebook.read(cell)
    for name, answer, verdict in [
        ("wrong", "return q / (p + q)", r"01\.1 ✗ .*hint: .*share of p, not of q"),
        ("right", "return p / (p + q)", r"01\.1 ✓ right"),
    ]:
        notebook.write(cell, re.sub(r"raise NotImplementedError.*", answer, empty))
        notebook.run(cell)
        snap(page, name)
        assert re.search(verdict, "\n".join(notebook.outputs(cell)), re.DOTALL)

    assert notebook.errors() == []
    assert console.errors == []
