"""How a verdict on an answer is reached and shown, and the tests of whole networks.

A check raises `WrongAnswer` with what it expected, what it got and a hint. `judge` runs a check
so that nothing the answer does can break the notebook: exceptions, endless loops, `sys.exit`,
changed random states and settings.
"""

from __future__ import annotations

import copy
import ctypes
import functools
import math
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from .models import (
    build_dc_classifier,
    build_dc_generator,
    build_discriminator,
    build_generator,
    count_params,
    sample_noise,
)
from .settings import fork_random
from .validation import need_count

TIME_LIMIT = 10.0  # seconds; every check of the course takes well under one


class WrongAnswer(AssertionError):
    """An answer that is not right: what was expected, what came, and a hint."""

    def __init__(self, expected: Any, got: Any, hint: str = "") -> None:
        self.hint = hint
        text = f"expected {_short(expected)}, got {_short(got)}"
        super().__init__(text + (f"; hint: {hint}" if hint else ""))


@dataclass(frozen=True)
class Verdict:
    """`mark` is "right", "wrong" or "not started"; `text` is the line that says why."""

    mark: str
    text: str

    def __str__(self) -> str:
        return {"right": "✓", "wrong": "✗", "not started": "○"}[self.mark] + " " + self.text


class _TimeUp(BaseException):
    """Thrown into an answer that runs too long; a BaseException, so `except Exception` lets go."""


def judge(ask: Callable[[Any], None], answer: Any, seconds: float | None = None) -> Verdict:
    """Run the check `ask` on `answer`, for at most `seconds` (`TIME_LIMIT`), and say what it found.

    The answer runs in a thread of its own, so that an endless loop can be left behind on every
    system. Random states are forked and seeded: watching never changes a run.
    """
    seconds = TIME_LIMIT if seconds is None else seconds
    outcome: list[Verdict] = []

    def attempt() -> None:
        with suppress(_TimeUp):
            try:
                _expect_callable(answer)
                ask(answer)
                verdict = Verdict("right", "right")
            except BaseException as problem:  # whatever it was, it becomes a verdict
                verdict = _read(problem)
            outcome.append(verdict)

    late = True
    with _settings_kept():
        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        try:
            thread.join(seconds)
            late = thread.is_alive()
        finally:  # also when the student interrupts the kernel
            if late:
                _stop(thread)
    if late or not outcome:
        limit = f"it was still running after {seconds:g} seconds"
        return Verdict("wrong", f"{limit}; hint: does a loop in it ever end?")
    return outcome[0]


@contextmanager
def _settings_kept() -> Iterator[None]:
    """Inside: seeded, float32. Outside: random states and settings are as they were."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    streams, environment = (sys.stdout, sys.stderr), dict(os.environ)
    with fork_random(seed=0):
        torch.set_default_dtype(torch.float32)
        torch.set_num_threads(1)  # small work: starting more costs more than they bring
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.set_num_threads(threads)
            sys.stdout, sys.stderr = streams
            if environment != dict(os.environ):
                os.environ.clear()
                os.environ.update(environment)


def _expect_callable(answer: Any) -> None:
    if isinstance(answer, nn.Module) or not callable(answer):
        raise WrongAnswer(
            "a function or a class", _describe(answer), "give `check` its bare name, without ( )"
        )


def _read(problem: BaseException) -> Verdict:
    """The verdict that belongs to what a check raised."""
    if isinstance(problem, NotImplementedError) and not problem.args:
        # The empty exercise. PyTorch raises the same type for other reasons, with a message.
        return Verdict("not started", "not started: the reference stands in")
    text = _one_line(problem)
    if isinstance(problem, AssertionError):
        return Verdict("wrong", text or "an assert of your own failed")
    hint = next((f"; hint: {hint}" for part, hint in _KNOWN_ERRORS if part in text), "")
    where = _line_in_notebook(problem)
    return Verdict("wrong", f"it raised {type(problem).__name__}: {text or '-'}{where}{hint}")


_KNOWN_ERRORS = (  # a part of what Python or PyTorch says, and what it means in an exercise
    ("positional argument", "count the arguments: those of the exercise and those of each layer"),
    ("is not defined", "is it spelled as in the parameters, and did the cell that makes it run?"),
    ("used as indices", "indices are whole numbers, or True and False for each place"),
    ("is not callable", "is there a ( ) too many, or an operator missing before it?"),
    (
        "mat1 and mat2",
        "the inner sizes of a product must agree; before a Linear, Flatten images first",
    ),
    ("is invalid for input of size", "reshape(-1, ...) leaves the batch size open"),
    ("before Module.__init__() call", "super().__init__() comes first in __init__"),
    ('missing the required "forward"', "is forward spelled so, and indented inside the class?"),
    ("leaf Variable", "leave arguments as they are, or change weights under torch.no_grad()"),
    ("backward through the graph a second time", "one backward for one loss; detach the fakes"),
    ("does not require grad", "a loss that was cut off by .item() or detach cannot go backward"),
    ("Can't call numpy()", "torch functions instead of NumPy's: NumPy keeps no gradients"),
    ("arget size", "make labels with torch.ones_like or zeros_like: they fit every batch"),
    ("should be between 0 and 1", "these are logits: use F.binary_cross_entropy_with_logits"),
    ("Can't detach views", "fakes.detach() makes a new tensor; detach_() changes the fakes"),
    ("has no attribute 'backward'", "backward belongs to the loss itself: no .item() before it"),
    ("'method' object is not", "call it: model.parameters(), with ( )"),
    ("Boolean value of Tensor", "clamp, relu or torch.where; max and if look at one number only"),
    ("torch.return_types", "torch.max(s, 0) finds the largest entry; s.clamp(min=0) cuts each"),
    ("not implemented for 'Byte'", "make the pixels float first"),
    ("could not infer output dtype", "True and False have no mean: .float() first"),
    ("must match the size of tensor", "print both shapes: which sizes should be the same?"),
)


def _one_line(problem: BaseException) -> str:
    """What the exception says: one line, printable everywhere, not too long."""
    try:
        text = " ".join(str(problem).split())
    except Exception:  # its own __str__ is broken
        text = "(it cannot say what is wrong)"
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."


_LONGEST = 200  # characters of an exception's message


def _line_in_notebook(problem: BaseException) -> str:
    """The last line of the student's own code that the exception passed, if any."""
    for frame in reversed(traceback.extract_tb(problem.__traceback__)):
        if "ipykernel_" in frame.filename or frame.filename.startswith("<ipython-input"):
            code = f": {frame.line}" if frame.line else ""
            return f" (line {frame.lineno} of your cell{code})"
    return ""


def _stop(thread: threading.Thread) -> None:
    """Ask the thread to end, a few times: code that swallows every exception may need more."""
    for _ in range(20):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(_TimeUp)
        )
        thread.join(0.05)
        if not thread.is_alive():
            return


# What checks ask of a value ------------------------------------------------------------------


def expect_close(
    got: Any,
    expected: Any,
    hint: str = "",
    tolerance: float = 1e-4,
    slips: Sequence[tuple[Any, str]] = (),
) -> None:
    """`got` is a number or tensor equal to `expected` within `tolerance`, the shape included.

    `slips` are values that common mistakes lead to, each with the hint that mends the mistake.
    """
    want = torch.as_tensor(expected, dtype=torch.float64).detach()
    if isinstance(got, bool) or not isinstance(got, (Real, Tensor)):
        raise WrongAnswer(_name_value(want), _describe(got), "return a tensor")
    have = got.detach().cpu() if isinstance(got, Tensor) else torch.tensor(float(got))
    if have.is_complex():
        raise WrongAnswer(_name_value(want), "complex numbers", hint)
    have = have.to(torch.float64)
    if have.shape != want.shape:
        if want.ndim == 0:
            raise WrongAnswer("one number", f"shape {tuple(have.shape)}", "is a .mean() missing?")
        if have.numel() == 1:
            hint = "one value for each entry: no mean, no sum"
        elif have.numel() == want.numel():
            hint = "keep the shape as it comes"
        raise WrongAnswer(f"shape {tuple(want.shape)}", f"shape {tuple(have.shape)}", hint)
    if _is_close(have, want, tolerance):
        return
    for value, why in slips:
        wrong = torch.as_tensor(value, dtype=torch.float64).detach()
        if wrong.shape == have.shape and _is_close(have, wrong, tolerance, equal_nan=True):
            hint = why
            break
    raise WrongAnswer(_name_value(want), _name_value(have), hint)


def _is_close(have: Tensor, want: Tensor, tolerance: float, equal_nan: bool = False) -> bool:
    return torch.allclose(have, want, rtol=tolerance, atol=tolerance, equal_nan=equal_nan)


def expect_gradients(loss: Any, want: Tensor, inputs: list[Tensor]) -> None:
    """`loss` can be trained on: its gradients are those of `want`."""
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        raise WrongAnswer(
            "a tensor that backward can start from",
            "one cut off from its inputs" if isinstance(loss, Tensor) else "a bare number",
            "no .item(), no detach, no no_grad: training needs the gradient",
        )
    hint = "every score needs its gradient: no detach, no clamp, no new torch.tensor(...)"
    slopes = torch.autograd.grad(loss, inputs, allow_unused=True, retain_graph=True)
    wants = torch.autograd.grad(want, inputs, retain_graph=True)
    for slope, wanted in zip(slopes, wants):
        if slope is None:
            raise WrongAnswer("a gradient for each argument", "none", hint)
        if not torch.allclose(slope, wanted, rtol=1e-3, atol=1e-4):
            expected = ", ".join(f"{g:.3g}" for g in wanted.flatten().tolist())
            got = ", ".join(f"{g:.3g}" for g in slope.flatten().tolist())
            raise WrongAnswer(f"gradients {expected}", got, hint)


def expect_tensor(
    got: Any,
    shape: tuple[int, ...],
    hint: str = "",
    known: Mapping[tuple[int, ...], str] | None = None,
) -> Tensor:
    """`got` is a tensor of this shape; `known` are hints for shapes that mistakes lead to."""
    if not isinstance(got, Tensor):
        raise WrongAnswer(f"a tensor of shape {shape}", _describe(got), "return one tensor")
    came = tuple(got.shape)
    if came != shape:
        raise WrongAnswer(f"shape {shape}", f"shape {came}", (known or {}).get(came, hint))
    return got


def expect_number(
    got: Any, want: Any, hint: str, slips: Sequence[tuple[Any, str]] = (), many: str = ""
) -> None:
    """`got` is the number `want`; `many` is the hint if there are several."""
    if isinstance(got, bool) or not isinstance(got, (Real, Tensor)):
        raise WrongAnswer(_short(float(want)), _describe(got), "return a number")
    if isinstance(got, Tensor) and got.ndim > 0:
        raise WrongAnswer("one number", f"shape {tuple(got.shape)}", many or hint)
    expect_close(got, want, hint, slips=slips)


def expect_images(got: Any, count: int, hint: str = "") -> Tensor:
    """`got` is a batch of `count` digits `(count, 1, 28, 28)`, finite floats in [-1, 1]."""
    shape = (count, 1, 28, 28)
    if not isinstance(got, Tensor):
        raise WrongAnswer(f"a tensor of shape {shape}", _describe(got), _HINT_OUTPUT)
    if tuple(got.shape) != shape:
        raise WrongAnswer(f"shape {shape}", f"shape {tuple(got.shape)}", hint)
    low, high = got.min().item(), got.max().item()
    if not (low >= -1 and high <= 1):
        raise WrongAnswer(
            "pixels in [-1, 1]", f"pixels from {low:.2f} to {high:.2f}", "end with a Tanh"
        )
    return got


def expect_count(model: nn.Module, expected: int, hint: str = "") -> None:
    """`model` has `expected` trainable parameters."""
    got = count_params(model)
    if got != expected:
        if got == 0:
            hint = "are the layers attributes of self (self.layers = nn.Sequential(...), no list)?"
        raise WrongAnswer(f"{expected:,} parameters", f"{got:,}", hint or _HINT_COUNT)


_HINT_COUNT = "compare each layer's sizes with the list; a Linear(a, b) has a·b + b parameters"
_HINT_OUTPUT = "forward returns one tensor: is the return there?"
_HINT_SHAPE = "the first size is the batch's; is a layer's size, stride or padding off?"


@dataclass(frozen=True)
class Slip:
    """A common mistake: a network that makes it, and the hint that mends it."""

    build: Callable[[], nn.Module]
    hint: str


@torch.no_grad()
def expect_same_network(
    model: nn.Module,
    reference: nn.Module,
    inputs: Tensor,
    slips: Sequence[Slip] = (),
    hint_count: str = "",
) -> Tensor:
    """With the same weights, `model` computes what `reference` computes; returns what that is.

    Both get the same random weights, large enough that every layer shows in the output. They are
    copied one by one, so that how the model is written does not matter. Where the outputs differ,
    the slips are tried in turn: one that computes what the model computes names the mistake.
    """
    expect_count(model, count_params(reference), hint_count)
    model = copy.deepcopy(model).cpu().float()  # what follows changes weights and statistics
    _fill(model)
    got, states = _run(model, inputs)
    if not isinstance(got, Tensor):
        raise WrongAnswer("a tensor from the network", _describe(got), _HINT_OUTPUT)
    if _agrees(got, reference, states, inputs):
        return got
    if not any(_takes(reference, state) for state in states):
        raise WrongAnswer("layers of the listed sizes, in that order", "others", _HINT_COUNT)
    want = _output(reference, inputs)
    if not _same_size(got, want):
        raise WrongAnswer(f"shape {tuple(want.shape)}", f"shape {tuple(got.shape)}", _HINT_SHAPE)
    for slip in slips:
        if _agrees(got, slip.build(), states, inputs):
            raise WrongAnswer("the reference's output for the same weights", "another", slip.hint)
    if _is_random(model, inputs) and not _is_random(reference, inputs):
        raise WrongAnswer("the same output each time", "others", "no Dropout or noise in the list")
    raise WrongAnswer(
        f"outputs such as {_name_value(want.flatten()[:3])} for the same weights",
        _name_value(got.flatten()[:3]),
        "go through the list of layers: order, activations and their slopes, the last layer",
    )


def _is_random(network: nn.Module, inputs: Tensor) -> bool:
    """Whether its output in training mode hangs on the seed."""
    first, second = (_output(network, inputs, seed) for seed in (0, 1))
    return not torch.allclose(first, second, rtol=1e-4, atol=1e-5)


def _fill(model: nn.Module) -> None:
    """Random weights, always the same: fresh ones may be too small, or all 0, to show anything."""
    torch.manual_seed(0)
    for weight in model.parameters():
        if weight.ndim > 1:
            weight.normal_(std=math.sqrt(2 * min(weight.shape[:2]) / weight.numel()))
        else:
            weight.add_(torch.randn_like(weight), alpha=0.3)


def replace_layers(
    network: nn.Sequential, kind: type[nn.Module], instead: nn.Module, which: int | None = None
) -> nn.Sequential:
    """The same layers, but those of one kind (or only number `which` of them) replaced."""
    places = [i for i, layer in enumerate(network) if type(layer) is kind]
    chosen = places if which is None else places[which : which + 1]
    return nn.Sequential(*(instead if i in chosen else layer for i, layer in enumerate(network)))


State = list[Tensor]  # all parameters, then all buffers


def _run(model: nn.Module, inputs: Tensor) -> tuple[Any, list[State]]:
    """The output, and the state before it in the two orders that make sense.

    Layers may be defined in any order in `__init__`: the order of their use counts. Weights used
    without calling their layer (`F.linear(x, layer.weight)`) come as they were defined.
    """
    before = {id(slot): slot.clone() for slot in (*model.parameters(), *model.buffers())}
    defined = list(model.modules())
    used: list[nn.Module] = []
    hooks = [m.register_forward_pre_hook(lambda m, _: used.append(m)) for m in defined]
    got = _output(model, inputs)
    for hook in hooks:
        hook.remove()
    orders = {}  # the two are mostly the same
    for modules in (defined, dict.fromkeys([*used, *defined])):
        slots = [p for m in modules for p in m.parameters(recurse=False)]
        slots += [b for m in modules for b in m.buffers(recurse=False)]
        orders[tuple(dict.fromkeys(map(id, slots)))] = None
    return got, [[before[i] for i in order] for order in orders]


def _takes(network: nn.Module, state: State) -> bool:
    """Whether the parameters and buffers fit; if so, they are copied into `network`."""
    slots = [*network.parameters(), *network.buffers()]
    if [s.shape for s in slots] != [s.shape for s in state]:
        return False
    for slot, value in zip(slots, state, strict=True):
        slot.copy_(value)
    return True


def _output(network: nn.Module, inputs: Tensor, seed: int = 0) -> Any:
    """The network's output in training mode, random layers drawing from `seed`."""
    torch.manual_seed(seed)
    return network.train()(inputs.clone())


def _agrees(got: Tensor, network: nn.Module, states: Sequence[State], inputs: Tensor) -> bool:
    """Whether `network` computes `got` with one of the states."""
    for state in states:
        if _takes(network, state):
            want = _output(network, inputs)
            if _same_size(got, want) and torch.allclose(
                got.flatten(), want.flatten(), rtol=1e-4, atol=1e-5
            ):
                return True
    return False


def _same_size(got: Tensor, want: Tensor) -> bool:
    """As many numbers for as many images; how they are arranged is another question."""
    return got.numel() == want.numel() and got.shape[:1] == want.shape[:1]


# The pairs by name ----------------------------------------------------------------------------


def test_discriminator(model: nn.Module) -> None:
    """AssertionError with a hint unless `model` is the MLP discriminator (267,009 parameters)."""
    _test_network(model, build_discriminator)


def test_generator(model: nn.Module, noise_dim: int = 4) -> None:
    """AssertionError with a hint unless `model` is the MLP generator for `noise_dim`.

    1,858,320 parameters at `noise_dim=4`; 1,024 more for each further dimension.
    """
    _test_network(model, build_generator, need_count(noise_dim, "noise_dim"))


def test_dc_classifier(model: nn.Module) -> None:
    """AssertionError with a hint unless `model` is the max-pool discriminator (1,102,721)."""
    _test_network(model, build_dc_classifier)


def test_dc_generator(model: nn.Module, noise_dim: int = 4) -> None:
    """AssertionError with a hint unless `model` is the batch-norm generator for `noise_dim`.

    6,580,801 parameters at `noise_dim=4`; 1,024 more for each further dimension.
    """
    _test_network(model, build_dc_generator, need_count(noise_dim, "noise_dim"))


test_dc_classifer = test_dc_classifier  # as the assignment that made the name familiar spells it

for _function in (test_discriminator, test_generator, test_dc_classifier, test_dc_generator):
    _function.__test__ = False  # the name begins with test_, but it is not one of pytest's


def _test_network(model: Any, build: Callable[..., nn.Sequential], *noise_dim: int) -> None:
    """Compare with what `build` makes; the slips are that network, spoiled one way at a time."""
    if not isinstance(model, nn.Module):
        raise WrongAnswer(
            "a network (an nn.Module)", _describe(model), "call build_...() first, and return in it"
        )
    hint_count = ""
    if noise_dim:
        hint_count = f"{_HINT_COUNT}; noise_dim is {noise_dim[0]} here: if yours is not, give it"
    with fork_random(seed=0):
        inputs = sample_noise(4, *noise_dim) if noise_dim else _digits()
        try:
            right = build(*noise_dim)
            got = expect_same_network(model, right, inputs, _slips(right), hint_count)
        except (WrongAnswer, NotImplementedError):
            raise
        except Exception as problem:
            raise WrongAnswer(
                f"a network that takes {tuple(inputs.shape)}",
                f"{type(problem).__name__}: {_one_line(problem)}",
                _HINT_SHAPE,
            ) from problem
    shapes = [(4, 1, 28, 28), (4, 784)] if noise_dim else [(4, 1)]
    if tuple(got.shape) not in shapes:
        raise WrongAnswer(f"shape {shapes[0]}", f"shape {tuple(got.shape)}", _HINT_SHAPE)


def _slips(right: nn.Sequential) -> list[Slip]:
    """What goes wrong in these four networks; the slips share the layers of `right`."""
    swaps: list[tuple[type[nn.Module], nn.Module, str]] = [
        (nn.LeakyReLU, nn.LeakyReLU(0.2), "the slope is 0.01"),
        (nn.LeakyReLU, nn.ReLU(), "LeakyReLU(0.01), not ReLU"),
        (nn.LeakyReLU, nn.Identity(), "every LeakyReLU is missing"),
        (nn.ReLU, nn.LeakyReLU(0.01), "ReLU, not LeakyReLU"),
        (nn.ReLU, nn.Identity(), "every ReLU is missing"),
        (nn.Tanh, nn.Identity(), "a Tanh is missing at the end"),
        (nn.Tanh, nn.Sigmoid(), "Tanh at the end, not Sigmoid"),
    ]
    kinds = [type(layer) for layer in right]
    slips = [
        Slip(functools.partial(replace_layers, right, kind, instead), hint)
        for kind, instead, hint in swaps
        if kind in kinds
    ]
    for kind in (nn.LeakyReLU, nn.ReLU):
        for which, word in zip(range(kinds.count(kind)), ("first", "second", "third")):
            spoiled = functools.partial(replace_layers, right, kind, nn.Identity(), which)
            slips.append(Slip(spoiled, f"the {word} {kind.__name__} is missing"))
    if nn.BatchNorm1d in kinds:
        slips.append(Slip(lambda: _norm_first(right), "first ReLU, then BatchNorm"))
    end = "Tanh is the last" if nn.Tanh in kinds else "these are logits"
    return [*slips, Slip(lambda: nn.Sequential(right, nn.Sigmoid()), f"{end}: no Sigmoid after it")]


def _norm_first(network: nn.Sequential) -> nn.Sequential:
    """The same network with each batch norm before its activation."""
    layers = list(network)
    for i, layer in enumerate(layers):
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layers[i - 1], layers[i] = layer, layers[i - 1]
    return nn.Sequential(*layers)


def _digits() -> Tensor:
    """Four images of nothing in particular, shaped and scaled like digits."""
    return sample_noise(4, 784).reshape(4, 1, 28, 28)


# Words ----------------------------------------------------------------------------------------


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _name_value(value: Tensor) -> str:
    """'1.386' or '[0.5, 0.25, ...]'."""
    if value.ndim == 0:
        return f"{value.item():.4g}"
    first = ", ".join(f"{v:.4g}" for v in value.flatten()[:4].tolist())
    return f"[{first}{', ...' if value.numel() > 4 else ''}]"


def _describe(value: Any) -> str:
    """What came instead, in few words; whatever it is, looking at it does no harm."""
    if value is None:
        return "None (is a return missing?)"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, nn.Module):
        return f"a network ({type(value).__name__})"
    if type(value) in (list, tuple, dict, set):
        return f"a {type(value).__name__} of {len(value)}"
    try:
        text = str(value)
    except Exception:
        return f"an object of type {type(value).__name__}"
    return f"{type(value).__name__} {text[:40]!r}"
