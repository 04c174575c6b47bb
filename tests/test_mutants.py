"""The checks refuse wrong answers that a machine has made; `make mutants` tries all of them."""

from __future__ import annotations

import random

from mutants import generate, judging
from mutants.equivalent import explain

from course_utils.exercises import EXERCISES

SHARE = 1 / 160  # some 200 of all


def test_a_sample_of_mutants_leaves_no_survivor():
    luck = random.Random(0)
    made = [
        mutant
        for exercise in EXERCISES
        for mutant in generate.make_mutants(exercise, choose=lambda: luck.random() < SHARE)
    ]
    assert 150 <= len(made) <= 250
    results = [judging.judge_mutant(mutant) for mutant in made]
    assert sum(result.mark == "wrong" for result in results) > len(made) / 2
    survivors = [r.mutant for r in results if r.mark == "right" and explain(r) is None]
    assert survivors == [], "\n\n".join(f"{m.exercise} {m.kind}\n{m.diff}" for m in survivors)
