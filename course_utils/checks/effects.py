"""What a right answer does besides its value: the reference is called beside it, and compared.

Each call of an answer is made twice from the same state: by the reference on copies of the
arguments, and by the answer on the arguments themselves. Then all that a value does not show has
to agree: where gradients go and how large they are, which weights move, batch-norm statistics,
modes, solvers, the random state, and what was given.
"""

from __future__ import annotations

import copy
import inspect
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from .values import describe_question, expect_same_value
from .words import WrongAnswer, name_difference

NEW_TENSOR = "make a new tensor: no +=, no x[...] = ..., no method that ends with _"
HALVES = torch.float16, torch.bfloat16
_SEED = 7_031_000  # one that no answer sets by itself
_LET_GO = "return it with .detach(): else all that led to it stays in memory"
_LET_THROUGH = "gradients must get through here: no detach, no .item(), no no_grad, no clamp"


class InputChanged(WrongAnswer):
    """An answer that changed what it was given: all that is compared afterwards would mislead."""


class Watched:
    """An answer that is called beside the reference; `conclude` raises what differed.

    With `learns`, gradients are asked for of every float tensor that is given: the answer is part
    of a network. What is found waits until the check has looked at the value, whose hints are
    nearer to the mistake.
    """

    def __init__(
        self, answer: Callable[..., Any], reference: Callable[..., Any], learns: bool = False
    ) -> None:
        self._answer, self._reference, self._learns = answer, reference, learns
        self._names = list(inspect.signature(reference).parameters)
        self._problem: WrongAnswer | None = None
        self._calls = 0
        self._want: Any = None
        self._draws = False  # whether the reference drew at random at the latest call

    def __call__(self, *given: Any) -> Any:
        """What the answer makes of it.

        Raises:
            WrongAnswer: at once, where what was given or the gradient's switch has changed.
        """
        if self._problem is not None or any(_is_elsewhere(value) for value in given):
            return self._answer(*given)
        if self._learns:
            given = tuple(map(_as_in_a_network, given))
        self._calls += 1
        seed = _SEED + self._calls
        before, mirrored = _copy(given), _copy(given)
        torch.manual_seed(seed)
        with _solvers_that_step() as right:
            want = self._want = self._reference(*mirrored)
        self._draws = _has_drawn(seed, before, mirrored)
        torch.manual_seed(seed)
        with _solvers_that_step() as used:
            got = self._answer(*given)
        _expect_gradients_on()
        for name, old, mirror, mine in zip(self._names, before, mirrored, given):
            _expect_unchanged(name, old, mirror, mine)
        try:
            _expect_no_seed(seed)
            _expect_same_kind(right, used)
            self._compare(before, mirrored, given)
            _expect_same_gradients(self._names, mirrored, given, want, got)
        except WrongAnswer as problem:
            self._problem = problem
        return got

    def conclude(self) -> None:
        """Raise the first thing that differed, if anything did."""
        if self._problem is not None:
            raise self._problem

    def ask_like_the_reference(self, given: tuple[Any, ...], value: bool = True) -> None:
        """One more question, whose right answer is the reference's, in value and effects."""
        text = describe_question(self._names, given)
        with redirect_stdout(io.StringIO()):  # what the answer prints, it has printed already
            got = self(*given)
        self.conclude()
        _expect_same_types(given, self._want, got)
        if value:
            expect_same_value(self._want, got, text, drawn=self._draws)

    def _compare(
        self, before: tuple[Any, ...], mirrored: tuple[Any, ...], given: tuple[Any, ...]
    ) -> None:
        elsewhere = set().union(*map(_find_behind, given))  # behind a tensor with a graph
        for name, old, mirror, mine in zip(self._names, before, mirrored, given):
            if isinstance(mine, Tensor):
                _expect_tensor_kept(name, mirror, mine)
            elif isinstance(mine, nn.Module):
                _expect_same_state(name, old, mirror, mine, elsewhere)
            elif isinstance(mine, Optimizer):
                _expect_same_solver(name, mirror, mine, elsewhere)
            elif isinstance(mine, torch.Generator):
                _expect_same_draws(name, old, mirror, mine)


def watch_making(kind: Callable[..., Any]) -> Callable[..., Any]:
    """What makes the networks that `kind` makes; WrongAnswer where more than those was changed."""

    def make(*given: Any) -> Any:
        torch.manual_seed(_SEED)
        made = kind(*given)
        _expect_gradients_on()
        _expect_no_seed(_SEED)
        return made

    return make


def _as_in_a_network(value: Any) -> Any:
    """A float tensor as a layer gets it: with a graph behind it."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.detach().requires_grad_() * 1
    return value


def _has_drawn(seed: int, before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    """Whether the reference has drawn, from the global source or from one that it was given."""
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    pairs = [(state, torch.get_rng_state())]
    pairs += [
        (old.get_state(), new.get_state())
        for old, new in zip(before, after)
        if isinstance(old, torch.Generator)
    ]
    return not all(torch.equal(*pair) for pair in pairs)


@contextmanager
def _solvers_that_step() -> Iterator[list[Optimizer]]:
    """Inside, each optimiser that makes a step is noted, once."""
    seen: list[Optimizer] = []

    def note(solver: Optimizer, *_: Any) -> None:
        if not any(solver is other for other in seen):
            seen.append(solver)

    handle = register_optimizer_step_pre_hook(note)
    try:
        yield seen
    finally:
        handle.remove()


# Copies -----------------------------------------------------------------------------------------


def _copy(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Copies that belong together: a solver's parameters are those of the copied network.

    A tensor with a graph behind it becomes a leaf of the same values.
    """
    memo: dict[int, Any] = {}
    for value in given:
        if isinstance(value, Tensor) and value.grad_fn is not None:
            memo[id(value)] = value.detach().clone().requires_grad_()
        elif isinstance(value, torch.Generator):
            memo[id(value)] = torch.Generator(value.device).set_state(value.get_state())
    copies = copy.deepcopy(given, memo)
    for value, twin in zip(given, copies):
        for weight, other in zip(_parameters(value), _parameters(twin)):
            other.grad = None if weight.grad is None else weight.grad.clone()  # not copied else
    return copies


def _parameters(value: Any) -> Iterator[Tensor]:
    return value.parameters() if isinstance(value, nn.Module) else iter(())


def _is_elsewhere(value: Any) -> bool:
    return isinstance(value, Tensor) and value.device.type == "meta"  # it holds no numbers


def _find_behind(value: Any) -> set[int]:
    """The ids of the parameters that the graph behind a tensor leads to.

    Copies of that tensor have no graph, so what a backward pass does there cannot be compared.
    """
    found: set[int] = set()
    waiting = [value.grad_fn] if isinstance(value, Tensor) and value.grad_fn else []
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        if hasattr(node, "variable"):
            found.add(id(node.variable))
        following = {after for after, _ in node.next_functions if after is not None} - seen
        seen |= following
        waiting += following
    return found


# What must agree --------------------------------------------------------------------------------


def _expect_gradients_on() -> None:
    if not torch.is_grad_enabled():
        torch.set_grad_enabled(True)
        raise WrongAnswer(
            "gradients switched on afterwards",
            "off",
            "set_grad_enabled(False) lasts; `with torch.no_grad():` ends by itself",
        )


def _expect_unchanged(name: str, old: Any, mirror: Any, mine: Any) -> None:
    if isinstance(mine, Tensor):
        if torch.equal(old, mirror) and not is_equal(old, mine):
            raise InputChanged(f"{name} unchanged", "other values", NEW_TENSOR)
    elif isinstance(mine, (list, dict, set)) and mine != mirror:
        hint = f"no pop, sort or append: a copy, list({name}), is yours"
        raise InputChanged(f"{name} as it was", "a changed one", hint)


def _expect_no_seed(seed: int) -> None:
    """The random state still descends from `seed`."""
    if torch.initial_seed() != seed:
        hint = "no manual_seed here: whoever calls chooses the seed"
        raise WrongAnswer("the random state left alone", "a new seed", hint)


def _expect_same_kind(right: list[Optimizer], used: list[Optimizer]) -> None:
    """As many solvers as the reference uses, of the same kind; none at all may be by hand."""
    if not used or not right:
        return
    kind = type(right[0]).__name__
    if len(used) > len(right):
        hint = f"make {kind} once, before the loop: it remembers the gradients of earlier steps"
        raise WrongAnswer("one solver for all steps", f"{len(used)} of them", hint)
    if type(used[0]) is not type(right[0]):
        raise WrongAnswer(f"{kind}", type(used[0]).__name__, f"torch.optim.{kind}, as asked")
    for name, value in right[0].defaults.items():
        if name in ("lr", "betas", "momentum") and used[0].defaults.get(name) != value:
            came = f"{name}={used[0].defaults.get(name)}"
            raise WrongAnswer(f"{kind} with {name}={value}", came, f"give it {name} as asked")


def _expect_tensor_kept(name: str, mirror: Tensor, mine: Tensor) -> None:
    if mine.requires_grad != mirror.requires_grad:
        raise WrongAnswer(
            f"`{name}` as it was given",
            "one that requires_grad was changed of",
            f"leave `{name}` as it is; a copy of it, {name}.detach().clone(), is yours",
        )
    _expect_no_gradient_left(name, mirror, mine)


def _expect_no_gradient_left(name: str, mirror: Tensor, mine: Tensor) -> None:
    """Where the reference leaves no gradient behind, the answer leaves none."""
    left, mirrored = (_gradient_of(tensor) for tensor in (mine, mirror))
    if left is not None and left.count_nonzero() and mirrored is None:
        raise WrongAnswer(
            f"no gradient left in `{name}`",
            "one",
            "is a backward too many here, or a detach missing?",
        )


def _gradient_of(tensor: Tensor) -> Tensor | None:
    kept = tensor.is_leaf or tensor.retains_grad
    return tensor.grad if kept else None


def _expect_same_state(
    name: str, old: nn.Module, mirror: nn.Module, mine: nn.Module, elsewhere: set[int]
) -> None:
    """Modes, weights and statistics of `mine` are those of `mirror`."""
    modes = [[part.training for part in net.modules()] for net in (mirror, mine)]
    if modes[0] != modes[1]:
        raise WrongAnswer(
            f"`{name}` in the mode that it came in",
            "the other one",
            f"no {name}.train() or {name}.eval() here: the mode stays with whoever calls",
        )
    for buffers in zip(old.buffers(), mirror.buffers(), mine.buffers()):
        if not is_equal(*buffers[1:]):
            often = f"call `{name}` as often as needed, and with these batches only"
            raise WrongAnswer(f"the statistics that one pass leaves in `{name}`", "others", often)
    for weights in zip(old.parameters(), mirror.parameters(), mine.parameters()):
        if weights[1].requires_grad != weights[2].requires_grad:
            hint = f"requires_grad_ of `{name}` again as it was"
            raise WrongAnswer(f"`{name}` as ready to learn as before", "another", hint)
        if id(weights[2]) in elsewhere:
            continue
        if not is_equal(*weights[1:]):
            moved = not torch.equal(*weights[:2])
            raise WrongAnswer(
                f"`{name}` {'after the same step' if moved else 'unchanged'}",
                "other weights",
                "one backward, one step" if moved else f"nothing here may change `{name}`",
            )
        _expect_no_gradient_left(name, *weights[1:])


def _expect_same_solver(name: str, mirror: Optimizer, mine: Optimizer, elsewhere: set[int]) -> None:
    settings = [
        [{k: v for k, v in group.items() if k != "params"} for group in solver.param_groups]
        for solver in (mirror, mine)
    ]
    if settings[0] != settings[1]:
        raise WrongAnswer(f"the settings of `{name}`", "others", f"leave `{name}` as it comes")
    counts = [[len(group["params"]) for group in s.param_groups] for s in (mirror, mine)]
    steps = [
        [
            float(state["step"])
            for weight, state in solver.state.items()
            if "step" in state and id(weight) not in elsewhere
        ]
        for solver in (mirror, mine)
    ]
    if counts[0] != counts[1] or (not elsewhere and steps[0] != steps[1]):
        raise WrongAnswer(f"one step of `{name}`", "another number", "one step a call")


def _expect_same_draws(
    name: str, old: torch.Generator, mirror: torch.Generator, mine: torch.Generator
) -> None:
    first, wanted, came = (source.get_state() for source in (old, mirror, mine))
    if torch.equal(first, wanted) != torch.equal(first, came):
        raise WrongAnswer(
            f"draws from `{name}`", "none", f"hand it on: generator={name}; and set no seed of it"
        )


def _expect_same_types(given: tuple[Any, ...], want: Any, got: Any) -> None:
    """Of what has the type of all that was given, the type stays: a network takes no other.

    And nothing becomes half precision, whose three digits hold no mean of thousands.
    """
    kinds = {tensor.dtype for tensor in _list_tensors(list(given))}
    for wanted, came in zip(_list_tensors(want), _list_tensors(got)):
        stays = wanted.ndim > 0 and kinds == {wanted.dtype}
        halved = came.dtype in HALVES and wanted.dtype not in HALVES
        if halved or (stays and came.dtype != wanted.dtype):
            hint = "leave the type of the numbers as it comes: no .double(), no .half()"
            raise WrongAnswer(f"numbers of type {wanted.dtype}", came.dtype, hint)


def _expect_same_gradients(
    names: list[str], mirrored: tuple[Any, ...], given: tuple[Any, ...], want: Any, got: Any
) -> None:
    """From each tensor that comes back, the same gradients flow to all that can learn."""
    wants, gots = list(_list_tensors(want)), list(_list_tensors(got))
    if [w.shape for w in wants] != [g.shape for g in gots]:
        return  # the check has its own words for that
    for wanted, came in zip(wants, gots):
        if came.requires_grad and not wanted.requires_grad:
            raise WrongAnswer("a plain tensor", "one with its graph still behind it", _LET_GO)
        if wanted.requires_grad and not came.requires_grad:
            raise WrongAnswer("a tensor that backward can start from", "a bare one", _LET_THROUGH)
    pairs = [(w, g) for w, g in zip(wants, gots) if w.requires_grad]
    if not all(is_equal(w.detach(), g.detach()) for w, g in pairs):
        return  # drawn in another way: the gradients are others too
    slots = [*_list_learners(names, mirrored)], [*_list_learners(names, given)]
    if not pairs or not slots[0]:
        return
    # one direction for all, so that what is wrong in one entry shows
    weights = [torch.linspace(0.5, 1.5, w.numel()).reshape(w.shape).to(w) for w, _ in pairs]
    slopes = [
        torch.autograd.grad(
            [pair[side] for pair in pairs],
            [slot for _, slot in slots[side]],
            weights,
            retain_graph=True,
            allow_unused=True,
        )
        for side in (0, 1)
    ]
    for (name, slot), wanted, came in zip(slots[0], *slopes):
        wanted = torch.zeros_like(slot) if wanted is None else wanted
        missing, came = came is None, torch.zeros_like(slot) if came is None else came
        if torch.allclose(came, wanted, rtol=1e-3, atol=1e-5):
            continue
        if not came.count_nonzero():
            expected = f"a gradient for {name}"
            raise WrongAnswer(expected, "none" if missing else "zeros", _LET_THROUGH)
        if not wanted.count_nonzero():
            raise WrongAnswer(
                f"no gradient for {name}", "one", f"{name} learns nothing here: detach"
            )
        expected, other = name_difference(wanted, came)
        hint = "a part is cut off by detach or no_grad, or counted twice: detach only what is named"
        raise WrongAnswer(f"gradients {expected} for {name}", other, hint)


def _list_tensors(value: Any) -> Iterator[Tensor]:
    """The float tensors in what came back, in order."""
    if isinstance(value, Tensor) and value.is_floating_point():
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _list_tensors(part)


def _list_learners(names: list[str], given: tuple[Any, ...]) -> Iterator[tuple[str, Tensor]]:
    """All that a gradient could reach: tensors given, and the parameters of networks."""
    for name, value in zip(names, given):
        if isinstance(value, Tensor) and value.requires_grad:
            yield f"`{name}`", value
        elif isinstance(value, nn.Module):
            for inner, weight in value.named_parameters():
                if weight.requires_grad:
                    yield f"`{name}` ({inner})", weight


def is_equal(left: Tensor, right: Tensor) -> bool:
    """The same shape, type and values, but for rounding."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if not left.is_floating_point():
        return torch.equal(left, right)
    return torch.allclose(left, right, rtol=1e-4, atol=1e-6, equal_nan=True)
