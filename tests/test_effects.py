"""Right values with wrong side effects: of every exercise each such answer is refused.

The answers are made from the references, one way of going wrong at a time. Those that students
write by themselves stand in `answers_lessonNN.py`.
"""

from __future__ import annotations

import functools

import pytest
import torch
from test_exercises import WRONG
from torch import nn

from course_utils.checks import judge
from course_utils.exercises import EXERCISES

FUNCTIONS = {i: e for i, e in EXERCISES.items() if not isinstance(e.reference, type)}


def _tensors(values, kind=torch.Tensor):
    return [v for v in values if isinstance(v, kind)]


def _map(change, value):
    """`change` of each float tensor in what an answer returns."""
    if isinstance(value, torch.Tensor):
        return change(value) if value.is_floating_point() else value
    if isinstance(value, (tuple, list)):
        return type(value)(_map(change, part) for part in value)
    return value


def constant(reference):
    """What fits the first example, whatever is asked."""
    first = []

    def answer(*given):
        first.append(reference(*given))
        return first[0]

    return answer


def no_gradient(reference):
    return lambda *given: _map(torch.Tensor.detach, reference(*given))


def steeper(reference):
    return lambda *given: _map(lambda out: 2 * out - out.detach(), reference(*given))


def in_place(reference):
    def answer(*given):
        got = reference(*given)
        with torch.no_grad():
            for value in _tensors(given):
                value.copy_(torch.zeros_like(value) if value.any() else torch.ones_like(value))
        return got

    return answer


def changed_list(reference):
    def answer(*given):
        got = reference(*given)
        for value in given:
            if isinstance(value, list):
                value.append(value[0])
        return got

    return answer


def seeded(reference):
    def answer(*given):
        torch.manual_seed(0)
        return reference(*given)

    return answer


def switched_off(reference):
    def answer(*given):
        got = reference(*given)
        torch.set_grad_enabled(False)
        return got

    return answer


def other_mode(reference):
    def answer(*given):
        got = reference(*given)
        for network in _tensors(given, nn.Module):
            network.train(not network.training)
        return got

    return answer


def moved_weights(reference):
    def answer(*given):
        got = reference(*given)
        with torch.no_grad():
            for network in _tensors(given, nn.Module):
                for weight in network.parameters():
                    weight += 0.1
        return got

    return answer


def frozen(reference):
    def answer(*given):
        got = reference(*given)
        for network in _tensors(given, nn.Module):
            for weight in network.parameters():
                weight.requires_grad_(not weight.requires_grad)
        return got

    return answer


def kept_graph(reference):
    def answer(*given):
        weights = [w for net in _tensors(given, nn.Module) for w in net.parameters()]
        tie = sum(0 * w.sum() for w in weights if w.requires_grad)
        return _map(lambda out: out + tie, reference(*given))

    return answer


def too_steep_a_step(reference):
    """The right value, and then a second step."""

    def answer(*given):
        got = reference(*given)
        for solver in _tensors(given, torch.optim.Optimizer):
            solver.step()
        return got

    return answer


# Each way of going wrong, a word of its verdict, and how to tell where it makes a difference: by
# one call of the reference.
KINDS = {
    constant: ("", lambda given, got: got is not None),
    no_gradient: ("", lambda given, got: _learns(got)),
    steeper: ("", lambda given, got: _learns(got)),
    in_place: ("unchanged", lambda given, got: bool(_tensors(given))),
    changed_list: ("", lambda given, got: any(isinstance(v, list) for v in given)),
    seeded: ("seed", lambda given, got: True),
    switched_off: ("switched on", lambda given, got: True),
    other_mode: ("mode", lambda given, got: bool(_tensors(given, nn.Module))),
    moved_weights: ("", lambda given, got: bool(_weights(given))),
    frozen: ("", lambda given, got: bool(_weights(given))),
    kept_graph: (
        "",
        lambda given, got: any(w.requires_grad for w in _weights(given)) and _is_bare(got),
    ),
    too_steep_a_step: ("", lambda given, got: bool(_tensors(given, torch.optim.Optimizer))),
}


def _weights(given):
    return [w for network in _tensors(given, nn.Module) for w in network.parameters()]


def _floats(got):
    found = []
    _map(found.append, got)
    return found


def _learns(got):
    return any(value.requires_grad for value in _floats(got))


def _is_bare(got):
    return bool(_floats(got)) and not _learns(got)


@functools.cache
def first_call(exercise_id):
    """What the check gives to an answer at first, and what the reference makes of it."""
    exercise, seen = EXERCISES[exercise_id], []

    def answer(*given):
        got = exercise.reference(*given)
        seen.append((given, got))
        return got

    assert judge(exercise.ask, answer).mark == "right"
    return (*seen[0], len(seen))


def rows():
    for exercise_id in FUNCTIONS:
        given, got, _ = first_call(exercise_id)
        for kind, (word, matters) in KINDS.items():
            if kind is constant and (isinstance(got, nn.Module) or not given):
                continue  # the same network each time is what it asks for
            if matters(given, got):
                yield pytest.param(exercise_id, kind, word, id=f"{exercise_id}-{kind.__name__}")


ROWS = list(rows())


@pytest.mark.parametrize(("exercise_id", "kind", "word"), ROWS)
def test_right_values_with_wrong_effects_are_refused(exercise_id, kind, word):
    exercise = EXERCISES[exercise_id]
    verdict = judge(exercise.ask, kind(exercise.reference))
    assert verdict.mark == "wrong", verdict
    assert "; hint: " in str(verdict)
    assert word in str(verdict)


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_every_exercise_has_wrong_answers_of_five_kinds(exercise_id):
    """Those made here, and the hints of its own table that differ."""
    made = sum(row.values[0] == exercise_id for row in ROWS)
    hints = {words for words, _ in WRONG[exercise_id]}
    assert made + len(hints) >= 8
    assert made >= 2 or exercise_id not in FUNCTIONS
