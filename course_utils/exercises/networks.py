"""Whole networks as exercises: the verdict on one, and the mistakes that strided pairs share."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ..checks import Slip, WrongAnswer, expect_float32, expect_same_network, replace_layers
from ..models import count_params


def expect_network(
    model: Any,
    right: nn.Sequential,
    inputs: Tensor,
    slips: Sequence[Slip],
    by_count: Mapping[int, str],
) -> Tensor:
    """As `expect_same_network`; `by_count` has a hint for so many parameters too many."""
    if not isinstance(model, nn.Module):
        came = "None (is a return missing?)" if model is None else f"a {type(model).__name__}"
        raise WrongAnswer("a network (an nn.Module)", came, "return nn.Sequential(...)")
    expect_float32(model)
    hint = by_count.get(count_params(model) - count_params(right), "")
    try:
        return expect_same_network(model, right, inputs, slips, hint)
    except (WrongAnswer, NotImplementedError):
        raise
    except Exception as problem:
        text = " ".join(str(problem).split())[:60]
        raise WrongAnswer(
            f"a network that takes {tuple(inputs.shape)}",
            f"{type(problem).__name__}: {text}",
            "follow the sides block by block: is a stride or a padding off?",
        ) from problem


def expect_other_sizes(answer: Any, reference: Any, *sizes: int) -> None:
    """Asked for other sizes, the answer makes a network as large as the reference does."""
    want, made = count_params(reference(*sizes)), answer(*sizes)
    got = count_params(made) if isinstance(made, nn.Module) else 0
    if got != want:
        asked = ", ".join(map(str, sizes))
        hint = "use the arguments: no fixed number in their place, no network made once for all"
        raise WrongAnswer(f"{want:,} parameters when asked for {asked}", f"{got:,}", hint)


def spoil(
    right: nn.Sequential,
    kind: type[nn.Module],
    instead: nn.Module,
    hint: str,
    which: int | None = None,
) -> Slip:
    """The reference with layers of one kind replaced; it shares the other layers."""
    return Slip(functools.partial(replace_layers, right, kind, instead, which), hint)


def one_by_one(right: nn.Sequential, kind: type[nn.Module]) -> list[Slip]:
    """The reference with one layer of a kind left out, each in turn."""
    count = sum(type(layer) is kind for layer in right)
    return [
        spoil(right, kind, nn.Identity(), f"the {word} {kind.__name__} is missing", which)
        for which, word in zip(range(count), ("first", "second", "third"))
    ]


def discriminator_slips(right: nn.Sequential) -> list[Slip]:
    """What goes wrong between the convolutions of a strided D."""
    slope = "the slope is 0.2 here; LeakyReLU() alone takes 0.01"
    return [
        spoil(right, nn.LeakyReLU, nn.LeakyReLU(0.01), slope),
        spoil(right, nn.LeakyReLU, nn.LeakyReLU(0.02), "the slope is 0.2, not 0.02"),
        spoil(right, nn.LeakyReLU, nn.ReLU(), "LeakyReLU(0.2) in D, not ReLU"),
        spoil(right, nn.LeakyReLU, nn.Identity(), "a LeakyReLU(0.2) after each convolution"),
        *one_by_one(right, nn.LeakyReLU),
        *(
            spoil(right, nn.LeakyReLU, nn.LeakyReLU(0.01), f"{slope} (look at all three)", i)
            for i in range(3)
        ),
        Slip(lambda: _norm_last(right), "batch norm before its LeakyReLU, not after"),
    ]


def generator_slips(right: nn.Sequential) -> list[Slip]:
    """What goes wrong between the convolutions of a strided G, and at its end."""
    leak = "ReLU in G; the leak belongs to D"
    black = nn.Sequential(nn.ReLU(), nn.Tanh())
    return [
        spoil(right, nn.Tanh, nn.Identity(), "a Tanh is missing at the end"),
        spoil(right, nn.Tanh, nn.Sigmoid(), "Tanh at the end, not Sigmoid: [-1, 1]"),
        spoil(right, nn.ReLU, nn.LeakyReLU(0.2), leak),
        spoil(right, nn.ReLU, nn.LeakyReLU(0.01), leak),
        spoil(right, nn.ReLU, nn.Identity(), "a ReLU after each batch norm"),
        spoil(right, nn.ReLU, nn.Tanh(), "ReLU in between; Tanh is the last"),
        *one_by_one(right, nn.ReLU),
        Slip(lambda: _norm_last(right), "batch norm before its ReLU, not after"),
        spoil(right, nn.Tanh, black, "no ReLU before the Tanh: black"),
        Slip(lambda: nn.Sequential(*right, nn.Sigmoid()), "Tanh is the last: no Sigmoid after it"),
    ]


def _norm_last(network: nn.Sequential) -> nn.Sequential:
    """The same layers with each batch norm after its activation."""
    layers = list(network)
    for i, layer in enumerate(network):
        if isinstance(layer, nn.BatchNorm2d):
            layers[i], layers[i + 1] = layers[i + 1], layers[i]
    return nn.Sequential(*layers)
