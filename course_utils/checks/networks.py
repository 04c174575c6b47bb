"""What checks ask of a whole network, and the tests of the pairs by name."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..layers import copy_network
from ..models import (
    build_dc_classifier,
    build_dc_generator,
    build_discriminator,
    build_generator,
    count_params,
    sample_noise,
)
from ..settings import fork_random
from ..validation import need_count
from .effects import is_equal
from .words import HINT_OUTPUT, WrongAnswer, describe, name_value, one_line


def expect_count(model: nn.Module, expected: int, hint: str = "") -> None:
    """`model` has `expected` trainable parameters."""
    got = count_params(model)
    if got != expected:
        if got == 0:
            hint = "are the layers attributes of self (self.layers = nn.Sequential(...), no list)?"
        raise WrongAnswer(f"{expected:,} parameters", f"{got:,}", hint or _HINT_COUNT)


_HINT_COUNT = "compare each layer's sizes with the list; a Linear(a, b) has a·b + b parameters"
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
    model = copy_network(model).cpu().float()  # what follows changes weights and statistics
    _fill(model)
    got, orders = _run(model, inputs)
    if not isinstance(got, Tensor):
        raise WrongAnswer("a tensor from the network", describe(got), HINT_OUTPUT)
    for slots, before in orders:
        if _agrees(got, reference, [before], inputs):
            _expect_same_effects(model, slots, reference, inputs)
            return got
    states = [before for _, before in orders]
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
        f"outputs such as {name_value(want.flatten()[:3])} for the same weights",
        name_value(got.flatten()[:3]),
        "go through the list of layers: order, activations and their slopes, the last layer",
    )


def expect_float32(model: nn.Module) -> None:
    """Weights of another type take no images of the course: the first batch would be an error."""
    for weight in model.parameters():
        if weight.dtype != torch.float32:
            hint = "leave the type of the weights as it comes: no .double(), no .half()"
            raise WrongAnswer("weights of type torch.float32", weight.dtype, hint)


def _expect_same_effects(
    model: nn.Module, slots: State, reference: nn.Module, inputs: Tensor
) -> None:
    """What the output does not show, after one pass of both: statistics, gradients, eval mode."""
    ours = [*reference.parameters(), *reference.buffers()]
    count = sum(1 for _ in reference.parameters())
    if not all(map(is_equal, slots[count:], ours[count:])):
        hint = "BatchNorm with its own momentum and eps, called once a pass"
        raise WrongAnswer("the reference's running statistics", "others", hint)
    slopes = [
        _slopes(network, inputs, weights[:count])
        for network, weights in ((model, slots), (reference, ours))
    ]
    for came, want in zip(*slopes):
        if not torch.allclose(came, want, rtol=1e-2, atol=1e-4 * want.abs().max().item()):
            hint = "no detach, no no_grad, no .data in forward: gradients must reach every layer"
            raise WrongAnswer("the reference's gradients", "others", hint)
    _expect_same_for_other_weights(model, slots[:count], reference, ours[:count], inputs)


def _expect_same_for_other_weights(
    model: nn.Module, slots: State, reference: nn.Module, ours: State, inputs: Tensor
) -> None:
    """In eval mode, the same outputs: with large weights it shows where a layer cuts values off."""
    cases = [("in eval mode", 1, 0), ("for larger weights", 3, 0)]
    cases += [("for larger weights", 10, 0), ("of the other sign", -1, -2)]
    for where, times, start in cases:
        for weight in (*slots[start:], *ours[start:]):
            weight.mul_(times)
        outputs = [net.eval()(inputs.clone()).flatten() for net in (model, reference)]
        if not torch.allclose(*outputs, rtol=1e-3, atol=1e-4 * outputs[1].abs().max().item()):
            hint = "each layer as listed: nothing after the last one, nothing that cuts values off"
            if times == 1:
                hint = (
                    "dropout and norm as modules, which know of .eval(), or with "
                    "training=self.training"
                )
            raise WrongAnswer(f"the reference's output {where}", "another", hint)


def _slopes(network: nn.Module, inputs: Tensor, weights: State) -> list[Tensor]:
    """The gradients of all inputs and weights, of a sum in which each output counts differently."""
    torch.manual_seed(0)
    with torch.enable_grad():
        given = inputs.clone().requires_grad_()
        kept = given * 1  # a leaf could not be changed in place, as an image can
        output = network.train()(kept).flatten()
        if not torch.equal(kept, given):
            hint = "no inplace=True on what comes in"
            raise WrongAnswer("inputs unchanged", "other values", hint)
        if not output.requires_grad:
            return [torch.zeros_like(slot) for slot in (given, *weights)]
        scores = output @ torch.linspace(0.5, 1.5, output.numel())
        slots = [given, *(weight for weight in weights)]
        found = torch.autograd.grad(scores, slots, allow_unused=True)
    return [torch.zeros_like(slot) if slope is None else slope for slot, slope in zip(slots, found)]


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


def _run(model: nn.Module, inputs: Tensor) -> tuple[Any, list[tuple[State, State]]]:
    """The output; and parameters and buffers with their values before, in two possible orders.

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
    orders: dict[tuple[int, ...], State] = {}  # the two are mostly the same
    for modules in (defined, dict.fromkeys([*used, *defined])):
        slots = [p for m in modules for p in m.parameters(recurse=False)]
        slots += [b for m in modules for b in m.buffers(recurse=False)]
        unique = {id(slot): slot for slot in slots}
        orders[tuple(unique)] = list(unique.values())
    return got, [(slots, [before[i] for i in order]) for order, slots in orders.items()]


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
            "a network (an nn.Module)", describe(model), "call build_...() first, and return in it"
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
                f"{type(problem).__name__}: {one_line(problem)}",
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
