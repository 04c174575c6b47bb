"""What a check says of a mutant, and in what a mutant differs from the reference."""

from __future__ import annotations

import copy
import functools
import random
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks import judge
from course_utils.exercises import EXERCISES
from course_utils.exercises.questions import INPUTS, QUESTIONS, Arguments, Draw

from .generate import Mutant, define, make_mutants

SECONDS = 3.0  # for a mutant; the check of a reference takes a tenth of one at most
Facts = dict[str, list[Any]]  # by aspect: what was seen, in the order in which it was seen


@dataclass(frozen=True)
class Result:
    """`mark` is the check's; `aspects` say in what one called right differs from the reference."""

    mutant: Mutant
    mark: str
    aspects: frozenset[str] = frozenset()


def judge_mutant(mutant: Mutant) -> Result:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answer = define(mutant.exercise, mutant.text)
        except Exception:
            return Result(mutant, "wrong")
        mark = judge(EXERCISES[mutant.exercise].ask, answer, SECONDS).mark
        if mark != "right":
            return Result(mutant, mark)
        return Result(mutant, mark, find_differences(mutant.exercise, answer))


@functools.cache
def record(exercise: str) -> list[Arguments]:
    """The arguments that the check gives to an answer, before the answer sees them."""
    reference, asked = EXERCISES[exercise].reference, []

    def answer(*arguments: Any) -> Any:
        with suppress(Exception):  # what cannot be copied is asked by questions.py alone
            asked.append(copy_arguments(arguments))
        return reference(*arguments)

    verdict = judge(EXERCISES[exercise].ask, answer)
    assert verdict.mark == "right", (exercise, verdict)
    return asked


def copy_arguments(arguments: Arguments) -> Arguments:
    """Independent of the originals, but linked among each other as those are.

    A tensor that was computed becomes a leaf: its history cannot be copied.
    """
    known: dict[int, Any] = {}
    for value in arguments:
        if isinstance(value, Tensor) and not value.is_leaf:
            known[id(value)] = value.detach().clone().requires_grad_(value.requires_grad)
        elif isinstance(value, torch.Generator):
            known[id(value)] = torch.Generator()
            known[id(value)].set_state(value.get_state())
    return tuple(copy.deepcopy(value, known) for value in arguments)


@functools.lru_cache(maxsize=1)
def mutants_of(exercise: str) -> list[Mutant]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_mutants(exercise, record(exercise))


# Differences ----------------------------------------------------------------------------------


def find_differences(exercise: str, answer: Any) -> frozenset[str]:
    """The aspects in which `answer` and the reference differ on some question."""
    found = set()
    for variant, make, seen in _reference_facts(exercise):
        facts = _observe(exercise, answer, make)
        found |= {
            aspect if variant in ("plain", "gradients") else f"{aspect} ({variant})"
            for aspect in seen.keys() | facts.keys()
            if not _same(seen.get(aspect), facts.get(aspect))
        }
    return frozenset(found)


@functools.lru_cache(maxsize=1)  # the networks of some take hundreds of megabytes
def _reference_facts(exercise: str) -> list[tuple[str, Callable[[], Arguments], Facts]]:
    """The questions that the reference has an answer to, each with what is seen of it."""
    known = []
    for variant, make in _questions(exercise):
        facts = _observe(exercise, EXERCISES[exercise].reference, make)
        if "error" not in facts:
            known.append((variant, make, facts))
    assert known, exercise
    return known


def _questions(exercise: str) -> Iterator[tuple[str, Callable[[], Arguments]]]:
    builds = exercise in INPUTS
    seeds = range(3 if builds else 16)
    makes: list[Callable[[], Arguments]] = [
        functools.partial(_draw, exercise, seed) for seed in seeds
    ]
    if exercise != "06.7":  # which takes 150 steps
        makes += [functools.partial(copy_arguments, asked) for asked in record(exercise)[:4]]
    plain = not builds and not any(isinstance(value, nn.Module) for value in makes[0]())
    for number, make in enumerate(makes):
        yield "plain", make
        if plain:
            yield "gradients", functools.partial(_with_gradients, make)
        if plain and (number < 4 or number >= len(seeds)):
            yield "float64", functools.partial(_as_doubles, make)
            yield "elsewhere", functools.partial(_elsewhere, make)


def _draw(exercise: str, seed: int) -> Arguments:
    return QUESTIONS[exercise](Draw(seed))


def _with_gradients(make: Callable[[], Arguments]) -> Arguments:
    return _change(make, lambda t: t.requires_grad_() if t.is_floating_point() else t)


def _as_doubles(make: Callable[[], Arguments]) -> Arguments:
    return _change(make, lambda t: t.double() if t.is_floating_point() else t)


def _elsewhere(make: Callable[[], Arguments]) -> Arguments:
    """On a device that every machine has; it keeps shapes, but no numbers."""
    return _change(make, lambda t: t.to("meta"))


def _change(make: Callable[[], Arguments], change: Callable[[Tensor], Tensor]) -> Arguments:
    return tuple(change(value) if isinstance(value, Tensor) else value for value in make())


def _observe(exercise: str, answer: Any, make: Callable[[], Arguments]) -> Facts:
    """Two calls with the same arguments, and all that they leave behind."""
    facts: Facts = defaultdict(list)
    with _random_kept():
        arguments = make()
        more = getattr(arguments, "more", ())
        torch.default_generator.manual_seed(1)
        own, results = random.getstate(), []
        try:
            for _ in range(2):
                got = answer(*arguments)
                results.append(got)
                _look(got, arguments, facts)
                if isinstance(got, nn.Module):
                    break
        except Exception as problem:
            facts["error"].append(type(problem).__name__)
        facts["random state"] += [torch.get_rng_state(), random.getstate() == own]
        facts["settings"] += [torch.is_grad_enabled(), torch.get_default_dtype()]
        torch.set_grad_enabled(True)
        if "error" not in facts:
            try:
                if results and isinstance(results[0], nn.Module):
                    size = INPUTS[exercise](*arguments) if exercise in INPUTS else (1,)
                    _look_inside(results[0], size, facts)
                else:
                    _look_after((*arguments, *more), facts)
                    _go_backward(results, (*arguments, *more), facts)
            except Exception as problem:
                facts["error"].append(type(problem).__name__)
    return dict(facts)


@contextmanager
def _random_kept() -> Iterator[None]:
    """As `fork_random`, for the processor alone: the many seeds of a run cost less so."""
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    torch.default_generator.manual_seed(0)
    yield
    torch.set_rng_state(torch_state)
    random.setstate(python_state)


def _look(got: Any, arguments: Arguments, facts: Facts) -> None:
    """The result itself."""
    if isinstance(got, Tensor):
        facts["kind"] += [tuple(got.shape), got.dtype, got.device.type]
        facts["gradient"].append(got.requires_grad)
        facts["value"].append(_values(got))
        storages = [a.untyped_storage()._cdata for a in arguments if isinstance(a, Tensor)]
        facts["shared memory"].append(got.untyped_storage()._cdata in storages)
    elif isinstance(got, (tuple, list)):
        facts["kind"].append(len(got))
        for part in got:
            _look(part, arguments, facts)
    elif isinstance(got, dict):
        facts["value"].append(sorted(got.items()))
    elif isinstance(got, (bool, int, float)):
        facts["kind"].append(type(got).__name__)
        facts["value"].append(torch.tensor(float(got), dtype=torch.float64))
    elif isinstance(got, str) or got is None:
        facts["value"].append(got)
    else:
        facts["kind"].append(type(got).__name__)


def _values(tensor: Tensor) -> Any:
    return None if tensor.is_meta else tensor.detach().clone()


def _look_after(arguments: tuple[Any, ...], facts: Facts) -> None:
    """What has become of the arguments."""
    for value in arguments:
        if isinstance(value, Tensor):
            facts["arguments"].append(_values(value))
            facts["modes"].append(value.requires_grad)
        elif isinstance(value, nn.Module):
            facts["parameters"] += [_values(p) for p in value.parameters()]
            facts["statistics"] += [_values(b) for b in value.buffers()]
            facts["modes"] += [m.training for m in value.modules()]
            facts["modes"] += [p.requires_grad for p in value.parameters()]
            facts["left gradients"] += [_gradient(p) for p in value.parameters()]
        elif isinstance(value, torch.optim.Optimizer):
            for state in value.state.values():
                facts["parameters"] += [v for v in state.values() if isinstance(v, Tensor)]
        elif isinstance(value, torch.Generator):
            facts["random state"].append(value.get_state())
        else:
            facts["arguments"].append(repr(value))


def _gradient(tensor: Tensor) -> Tensor | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return None if tensor.grad is None else tensor.grad.clone()


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (tuple, list)):
        return [tensor for part in value for tensor in _tensors(part)]
    if isinstance(value, nn.Module):
        return list(value.parameters())
    return []


def _go_backward(results: list[Any], arguments: tuple[Any, ...], facts: Facts) -> None:
    """The gradients that results send back to the arguments, all that they lead to."""
    for number, tensor in enumerate(_tensors(results)):
        if tensor.requires_grad and not tensor.is_meta:
            source = torch.Generator().manual_seed(number)
            weights = torch.rand(tensor.shape, generator=source) + 0.5
            try:
                (tensor * weights).sum().backward(retain_graph=True)
            except RuntimeError as problem:
                facts["gradient"].append(type(problem).__name__)
    for value in arguments:
        facts["gradient"] += [_gradient(tensor) for tensor in _tensors(value)]


def _look_inside(network: nn.Module, size: tuple[int, ...], facts: Facts) -> None:
    """What a network computes, sends back and keeps, in both modes, with weights of some size."""
    facts["initial weights"] += [_values(p) for p in network.parameters()]
    facts["kind"] += [tuple(p.shape) for p in network.parameters()]
    facts["modes"] += [network.training, *(p.requires_grad for p in network.parameters())]
    source = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in network.parameters():
            spread = (len(weight) / weight.numel()) ** 0.5 if weight.ndim > 1 else 0.3
            weight.add_(torch.randn(weight.shape, generator=source), alpha=1.5 * spread)
    for count in (5, 2):
        inputs = torch.randn(count, *size, generator=source)
        given = inputs.clone().requires_grad_()
        torch.default_generator.manual_seed(2)
        got = network.train()(given)
        facts["kind"].append(tuple(got.shape))
        facts["value"].append(_values(got))
        facts["arguments"].append(torch.equal(given, inputs))
        facts["statistics"] += [_values(b) for b in network.buffers()]
        facts["gradient"].append(got.requires_grad)
        if got.requires_grad:
            (got * torch.linspace(0.5, 1.5, got.numel()).reshape(got.shape)).sum().backward()
            facts["gradient"] += [_gradient(t) for t in (given, *network.parameters())]
        with torch.no_grad():
            facts["value in eval mode"].append(_values(network.eval()(inputs)))


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        if first.shape != second.shape:
            return False
        if torch.equal(first, second):
            return True
        one, two = first.double(), second.double()
        finite = one[one.isfinite()].abs()
        size = finite.max().item() if len(finite) else 0.0
        return torch.allclose(one, two, rtol=1e-4, atol=1e-6 * size + 1e-12, equal_nan=True)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_same, first, second))
    if isinstance(first, Tensor) or isinstance(second, Tensor):
        return False
    return first == second
