"""Layers whose weight is computed, or not there yet: what initialises and copies them."""

from __future__ import annotations

import copy
import math
import warnings

import pytest
import torch
from helpers import assert_complains, bad_inputs
from torch import Tensor, nn
from torch.nn import utils
from torch.nn.utils import parametrizations, parametrize, prune

from course_utils import explore
from course_utils.layers import copy_network
from course_utils.models import (
    build_generator,
    count_params,
    initialize_for_leaks,
    initialize_weights,
    use_spectral_norm,
)

pytestmark = pytest.mark.usefixtures("own_randomness")

WAYS = {
    "spectral": parametrizations.spectral_norm,
    "weight": parametrizations.weight_norm,
    "weight, all as one": lambda layer: parametrizations.weight_norm(layer, dim=None),
    "spectral, older": utils.spectral_norm,
    "weight, older": utils.weight_norm,
    "weight, older, all as one": lambda layer: utils.weight_norm(layer, dim=None),
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", 0.3),
}
LAYERS = {
    "Linear": (lambda: nn.Linear(30, 40), (30,)),
    "Conv1d": (lambda: nn.Conv1d(6, 12, 5), (6, 9)),
    "Conv2d": (lambda: nn.Conv2d(6, 12, 3), (6, 5, 5)),
    "Conv3d": (lambda: nn.Conv3d(4, 9, 3), (4, 3, 3, 3)),
}
TRANSPOSED = {
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(12, 6, 4), (12, 3)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(12, 6, 4), (12, 3, 3)),
    "ConvTranspose3d": (lambda: nn.ConvTranspose3d(9, 4, 3), (9, 2, 2, 2)),
}
BY_NAME = LAYERS | TRANSPOSED


def make(way: str, name: str = "Linear") -> tuple[nn.Module, Tensor]:
    """A layer that has been used, its weight computed in a way, and what it takes."""
    build, shape = BY_NAME[name]
    layer, batch = build(), torch.randn(2, *shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the older ways are on their way out
        WAYS[way](layer)
    layer(batch)
    return layer, batch


def drawn(name: str, start) -> Tensor:
    """What `start` gives a plain layer, after the seed of these tests."""
    torch.manual_seed(5)
    plain = BY_NAME[name][0]()
    torch.manual_seed(6)
    plain.apply(start)
    return plain.weight.detach()


def expected(way: str, weight: Tensor, layer: nn.Module) -> Tensor:
    """The weight that counts, if `weight` was drawn."""
    if way == "pruned":
        return weight * layer.weight_mask
    if way.startswith("spectral"):
        sides = (1, 0) if isinstance(layer, tuple(TRANSPOSED_TYPES)) else (0, 1)
        matrix = weight.transpose(*sides) if sides == (1, 0) else weight
        return weight / torch.linalg.matrix_norm(matrix.flatten(1).double(), 2)
    return weight


TRANSPOSED_TYPES = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


# --- initialisation --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["Linear", "Conv2d", "ConvTranspose2d"])
def test_the_weight_that_counts_is_the_one_drawn(way, name, mode):
    layer, batch = make(way, name)
    layer.train(mode)
    parameters = [*layer.parameters()]
    torch.manual_seed(6)
    layer.apply(initialize_weights)
    want = expected(way, drawn(name, initialize_weights), layer).float()
    assert layer.training == mode
    assert all(module.training == mode for module in layer.modules())
    layer.eval()
    layer(batch)
    # spectral norm's estimate is of 15 steps, here as at its beginning: some per cent
    near = 0.1 if way.startswith("spectral") else 1e-5
    torch.testing.assert_close(layer.weight, want, rtol=near, atol=1e-7)
    assert torch.equal(layer.bias, torch.zeros_like(layer.bias))
    assert [*map(id, layer.parameters())] == [*map(id, parameters)]  # a solver holds these


@pytest.mark.parametrize("way", WAYS)
def test_hes_weights_reach_the_weight_that_counts(way):
    layer, batch = make(way)
    torch.manual_seed(6)
    layer.apply(initialize_for_leaks)
    want = expected(way, drawn("Linear", initialize_for_leaks), layer).float()
    layer.eval()(batch)
    near = 0.1 if way.startswith("spectral") else 1e-5
    torch.testing.assert_close(layer.weight, want, rtol=near, atol=1e-7)


@pytest.mark.parametrize("name", BY_NAME)
def test_convolutions_of_every_kind_are_touched(name):
    layer = BY_NAME[name][0]()
    nn.init.constant_(layer.weight, 7)
    layer.apply(initialize_weights)
    ins, outs = layer.weight.shape[1] * layer.weight[0, 0].numel(), layer.weight[:, 0].numel()
    bound = math.sqrt(6 / (ins + outs))
    assert 0.9 * bound < layer.weight.abs().max() <= bound
    nn.init.constant_(layer.weight, 7)
    layer.apply(initialize_for_leaks)
    is_touched = name in LAYERS  # He's rule counts what goes into an output: not so there
    assert (layer.weight == 7).all() != is_touched


@pytest.mark.parametrize("size", [(20, 20), (20, 30), (30, 20)])
@pytest.mark.parametrize("orthogonal_map", [None, "householder", "cayley"])
@pytest.mark.parametrize("trivial", [True, False])
def test_an_orthogonal_weight_is_another_and_stays_orthogonal(size, orthogonal_map, trivial):
    layer = parametrizations.orthogonal(
        nn.Linear(*size), orthogonal_map=orthogonal_map, use_trivialization=trivial
    )
    before = layer.weight.detach()
    layer.apply(initialize_weights)
    assert (layer.weight - before).abs().max() > 0.1
    values = torch.linalg.svdvals(layer.weight.detach())
    torch.testing.assert_close(values, torch.ones(20), rtol=0, atol=1e-4)


class Symmetric(nn.Module):
    """A parametrization without a way back."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).mT


def test_a_parametrization_without_a_way_back_has_its_original_drawn():
    layer = nn.Linear(30, 30)
    nn.init.constant_(layer.weight, 7)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    layer.apply(initialize_weights)
    original, bound = layer.parametrizations.weight.original, math.sqrt(6 / 60)
    assert 0.9 * bound < original.abs().max() <= bound
    assert torch.equal(layer.weight, Symmetric()(original))


def test_other_layers_stay_as_they_are_under_spectral_norm_too():
    for layer in (
        nn.Embedding(5, 4),
        parametrizations.spectral_norm(nn.Embedding(5, 4)),
        nn.GRU(3, 2),
    ):
        before = copy.deepcopy(layer.state_dict())
        layer.apply(initialize_weights)
        layer.apply(initialize_for_leaks)
        assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


class Computed(nn.Linear):
    """A layer that computes its weight in a way of its own."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.original = nn.Parameter(self.weight.detach())
        del self.weight
        self.weight = self.original * 2


LAZY = [nn.LazyLinear(3), nn.LazyConv2d(3, 2), nn.LazyConvTranspose2d(3, 2), nn.LazyConv1d(3, 2)]


@pytest.mark.parametrize("layer", LAZY, ids=lambda layer: type(layer).__name__)
def test_a_lazy_layer_says_what_to_do_first(layer):
    network = nn.Sequential(layer)
    kind = type(layer).__name__
    for act in (lambda: network.apply(initialize_weights), lambda: use_spectral_norm(network)):
        with pytest.raises(ValueError, match=rf"expected .* got a {kind} .* network\(batch\)"):
            act()
    if not isinstance(layer, nn.LazyConvTranspose2d):
        with pytest.raises(ValueError, match=kind):
            network.apply(initialize_for_leaks)


def test_a_lazy_layer_that_has_seen_a_batch_is_like_any_other():
    network = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d())
    network(torch.randn(4, 5))
    nn.init.constant_(network[0].weight, 7)
    network.apply(initialize_weights)
    assert network[0].weight.abs().max() < 1
    assert count_params(network) == 5 * 3 + 3 + 2 * 3


@bad_inputs(
    ("lazy", lambda: count_params(nn.LazyLinear(3)), ValueError, "model", "LazyLinear"),
    ("computed", lambda: initialize_weights(Computed()), ValueError, "module", "Computed"),
)
def test_what_cannot_be_filled_or_counted_is_named(call, error, name, got):
    assert_complains(call, error, name, got)


def test_spectral_norm_reaches_convolutions_of_every_kind():
    for build, _ in BY_NAME.values():
        assert parametrize.is_parametrized(use_spectral_norm(build()), "weight")


# --- copies ----------------------------------------------------------------------------------


class Notes(nn.Module):
    """A layer that notes what it saw, as one does to look into a network."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.seen, self.last = nn.Linear(30, 30), [], {}

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(self.layer(x))
        self.last["h"] = (self.seen[-1], self.seen)  # a loop of containers, too
        self.last["self"] = self.last
        return self.seen[-1]


def make_notes() -> tuple[nn.Module, Tensor]:
    layer, batch = Notes(), torch.randn(2, 30)
    layer(batch)
    return layer, batch


@pytest.mark.parametrize("way", [*WAYS, "notes"])
def test_a_copy_of_a_used_layer_is_its_own_and_the_same(way):
    layer, batch = make_notes() if way == "notes" else make(way)
    want = layer.eval()(batch)
    twin = copy_network(nn.Sequential(layer))
    torch.testing.assert_close(twin(batch), want)
    shared = {id(p) for p in layer.parameters()} & {id(p) for p in twin.parameters()}
    assert not shared
    with torch.no_grad():
        for p in layer.parameters():
            p.mul_(3)
    torch.testing.assert_close(twin(batch), want)


def test_what_a_copy_is_for():
    """The day that torch copies these by itself, `copy_network` may go."""
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(make("weight, older")[0])


def test_a_discriminator_that_was_used_can_be_asked_in_the_window():
    D = nn.Sequential(
        nn.Flatten(), *[nn.Linear(784, 30), make("weight, older")[0], nn.Linear(40, 1)]
    )
    D(torch.randn(2, 1, 28, 28))
    assert 0 <= explore(build_generator(8), discriminator=D).belief.value <= 1
