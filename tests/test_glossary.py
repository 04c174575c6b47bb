"""Each term is introduced where it first appears, and one thing has one name in all lessons.

The rule: the first cell of the course that uses a term introduces it, or a cell directly beside
that one does, in the lesson that the glossary names. Headings, formulas, code and comments are
uses; imports, and the words of pictures and links, are none.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from glossary import BANNED, TERMS

from course_utils.authoring import find_lessons
from course_utils.authoring.sources import read_cells

ROOT = Path(__file__).parent.parent


@cache
def read_course() -> list[tuple[str, str]]:
    """("01-004", its text) of each cell of the solved editions, in the order of the course."""
    return [
        (f"{lesson.number}-{cell.place:03d}", flatten(cell.editions["solved"], cell.kind))
        for lesson in find_lessons(ROOT)
        for cell in read_cells(lesson)
    ]


def flatten(text: str, kind: str) -> str:
    """The text as one line, without what is no use of a word."""
    if kind == "code":
        text = re.sub(r"^\s*(import|from) .*$", "", text, flags=re.MULTILINE)
        text = re.sub(r"\n\s*# ", " ", text)  # a comment of several lines
    text = re.sub(r"!?\[[^\]]*\]\([^)]*\)", "", text)
    return " ".join(text.split())


def find_fault(cells: list[tuple[str, str]], use: str, introduction: str, lesson: str) -> str:
    """What is wrong with a row of the glossary, in words; "" if nothing is."""
    uses = [i for i, (_, text) in enumerate(cells) if re.search(use, text)]
    introduced = [i for i, (_, text) in enumerate(cells) if re.search(introduction, text)]
    if not uses or not introduced:
        return "a dead row: no lesson " + ("introduces it" if uses else "uses it")
    beside = [i for i in introduced if abs(i - uses[0]) <= 1]
    if not beside:
        return f"first used in {cells[uses[0]][0]}, introduced in {cells[introduced[0]][0]}"
    place = cells[beside[0]][0]
    return "" if place.startswith(lesson) else f"introduced in {place}, not in lesson {lesson}"


@pytest.mark.parametrize("term", TERMS)
def test_each_term_stands_beside_its_introduction_at_first(term: str) -> None:
    assert find_fault(read_course(), *TERMS[term]) == ""


@pytest.mark.parametrize("word", BANNED)
def test_one_thing_has_one_name(word: str) -> None:
    pattern, instead, example = BANNED[word]
    assert re.search(pattern, example), "a pattern that finds nothing"
    found = [place for place, text in read_course() if re.search(pattern, text)]
    assert not found, f"{found}: write {instead!r}"


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        (["", "a mode", "**mode** is", ""], ""),
        (["", "**mode** is", "a mode", ""], ""),
        (["a mode", "", "**mode** is", ""], "first used in 01-000, introduced in 01-002"),
        (["a mode", "", "", ""], "a dead row: no lesson introduces it"),
        (["", "", "", ""], "a dead row: no lesson uses it"),
        (["", "", "", "**mode** is"], "introduced in 02-003, not in lesson 01"),
    ],
)
def test_the_test_itself_finds_what_is_in_the_wrong_place(texts: list[str], fault: str) -> None:
    places = ["01-000", "01-001", "01-002", "02-003"]
    cells = list(zip(places, texts, strict=True))
    assert find_fault(cells, r"\bmode\b", r"\*\*mode\*\* is", "01") == fault


def test_a_use_is_found_over_line_breaks_and_not_in_imports_and_pictures() -> None:
    code = "from a import half\n# half\n# precision\nx = 1"
    assert flatten(code, "code") == "half precision x = 1"
    assert flatten("half\nprecision ![a mode](b.png) [a mode](c.md)", "markdown") == (
        "half precision"
    )
