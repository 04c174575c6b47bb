"""Lesson 6 in a browser, as a student has it: run all, then play with the first window."""

from __future__ import annotations

import re

import pytest
from explorer_window import Window, measure_latency, move_each_slider, press_every_button
from lab import open_notebook

from course_utils.exercises import EXERCISES

pytestmark = pytest.mark.slow

PATIENCE = 1000.0  # milliseconds: far above what a slider takes anywhere


def test_a_student_runs_lesson_6_and_walks(lab, page, console, snap) -> None:
    notebook = open_notebook(page, lab.address("06_latent_space.ipynb"))
    snap(page, "opened")
    notebook.run_all()
    assert notebook.errors() == []
    assert [p for p in notebook.prompts() if not re.fullmatch(r"\[\d+\]:", p)] == []
    said = [line for line in notebook.printed() if re.match(r"06\.\d+ ", line)]
    own = [name for name in EXERCISES if name.startswith("06.")]
    assert said == [f"{name} ○ not started: the reference stands in" for name in own]
    assert page.locator(".gan-explorer").count() == 4

    window = Window(notebook)
    window.root.scroll_into_view_if_needed()
    snap(page, "ran")
    move_each_slider(window, snap)
    assert measure_latency(window, "lesson06")["median_ms"] < PATIENCE
    press_every_button(window, lab.folder / "runs" / "explorer", snap)
    window.click("principal directions")
    window.wait_for("status", "Sliders: principal directions")
    move_each_slider(window, snap)
    assert notebook.errors() == []
    assert console.errors == []
