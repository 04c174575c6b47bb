"""Ways through latent space: ends, lengths and directions, and generators that are frozen."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import assert_complains, bad_inputs, steady
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_utils.explorer.generator import FrozenGenerator
from course_utils.explorer.latent import (
    first_activations,
    follow,
    lerp,
    principal_directions,
    slerp,
)
from course_utils.models import build_dc_generator, build_generator, build_strided_generator
from course_utils.pretrained import load_pretrained

pytestmark = pytest.mark.usefixtures("own_randomness")

ENDS = torch.tensor([0.0, 1.0])


def pair(seed: int, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(torch.randn(2, dim, generator=torch.Generator().manual_seed(seed)))


# Lines and arcs ------------------------------------------------------------------------------


@steady
@given(st.integers(0, 10**6), st.integers(2, 40))
@pytest.mark.parametrize("between", [lerp, slerp])
def test_a_path_begins_at_a_and_ends_at_b(between, seed, dim) -> None:
    a, b = pair(seed, dim)
    torch.testing.assert_close(between(a, b, ENDS), torch.stack([a, b]), rtol=1e-4, atol=1e-4)


@steady
@given(st.integers(0, 10**6), st.integers(2, 40))
def test_an_arc_between_vectors_of_one_length_keeps_it(seed, dim) -> None:
    a, b = (vector / vector.norm() for vector in pair(seed, dim))
    lengths = slerp(a, b, torch.linspace(0, 1, 9)).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(9), rtol=1e-3, atol=1e-3)


@steady
@given(st.integers(0, 10**6), st.integers(2, 40))
def test_an_arc_turns_at_an_even_pace(seed, dim) -> None:
    a, b = (vector / vector.norm() for vector in pair(seed, dim))
    steps = slerp(a, b, torch.linspace(0, 1, 9)).diff(dim=0).norm(dim=1)
    torch.testing.assert_close(steps, steps.mean().expand(8), rtol=1e-2, atol=1e-4)


def test_known_middles() -> None:
    a, b, half = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([0.5])
    assert lerp(a, b, half).tolist() == [[0.5, 0.5]]
    torch.testing.assert_close(slerp(a, b, half), torch.full((1, 2), math.sqrt(0.5)))


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_parallel_vectors_have_a_line_between_them(factor) -> None:
    a = torch.tensor([3.0, -4.0, 1.0])
    path = slerp(a, factor * a, torch.linspace(0, 1, 5))
    torch.testing.assert_close(path, lerp(a, factor * a, torch.linspace(0, 1, 5)))


@bad_inputs(
    ("no tensor", lambda: lerp([1.0], torch.ones(1), ENDS), TypeError, "a", "list"),
    ("two sizes", lambda: lerp(torch.ones(2), torch.ones(3), ENDS), ValueError, "b", "3"),
    ("rows", lambda: slerp(torch.ones(1, 2), torch.ones(2), ENDS), ValueError, "a", "1, 2"),
    ("t a column", lambda: lerp(*torch.ones(2, 2), ENDS[:, None]), ValueError, "t", "2, 1"),
    ("NaN", lambda: lerp(torch.full((2,), math.nan), torch.ones(2), ENDS), ValueError, "a", "NaN"),
    ("length 0", lambda: slerp(torch.zeros(2), torch.ones(2), ENDS), ValueError, "a", "0"),
)
def test_bad_ends_are_named(call, error, name, got) -> None:
    assert_complains(call, error, name, got)


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_a_walk_visits_its_stops_and_keeps_their_length(kind) -> None:
    stops = FrozenGenerator(build_generator(20), noise=kind).draw(4, seed=0)
    path = follow(stops, 6, 20)
    assert path.shape == (19, 20)
    torch.testing.assert_close(path[::6], stops, rtol=1e-4, atol=1e-4)
    assert path.norm(dim=1).min() > 0.9 * stops.norm(dim=1).min()


# Directions ----------------------------------------------------------------------------------


def make_lopsided(dim: int = 6) -> nn.Module:
    """A generator that listens to coordinate 2 most, to 4 a little less, and hardly to others."""
    first = nn.Linear(dim, dim)
    with torch.no_grad():
        first.weight.copy_(torch.diag(torch.tensor([0.01, 0.01, 1.0, 0.01, 0.5, 0.01])))
        first.bias.fill_(5.0)  # so that ReLU lets everything through
    return nn.Sequential(first, nn.ReLU(), nn.Linear(dim, 784), nn.Tanh())


def test_directions_are_those_that_the_first_layer_listens_to() -> None:
    directions = principal_directions(FrozenGenerator(make_lopsided()), 2)
    for direction, coordinate in zip(directions, (2, 4), strict=True):
        assert direction.abs().argmax() == coordinate
        assert direction.abs().max() > 0.98


@pytest.mark.parametrize("build", [build_generator, build_strided_generator, build_dc_generator])
def test_directions_are_orthonormal_and_the_same_each_time(build) -> None:
    frozen = FrozenGenerator(build(24))
    state = torch.random.get_rng_state()
    directions = principal_directions(frozen, 8, samples=200)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.testing.assert_close(directions @ directions.T, torch.eye(8), rtol=0, atol=1e-4)
    assert torch.equal(directions, principal_directions(frozen, 8, samples=200))


@pytest.mark.parametrize("name", ["mlp_logits", "dcgan_rotated", "cifar10_better"])
def test_a_direction_changes_a_picture_more_than_a_coordinate(name) -> None:
    frozen = FrozenGenerator(load_pretrained(name))
    z = frozen.draw(20, seed=1)

    def change(basis) -> float:
        moved = [(frozen(z + frozen.deviation * way) - frozen(z)).abs().mean() for way in basis]
        return torch.stack(moved).mean().item()

    directions = principal_directions(frozen, 5, samples=500)
    assert change(directions) > 1.5 * change(torch.eye(frozen.dim)[:5])


def test_a_network_with_fewer_activations_than_directions_gets_all_it_asked_for() -> None:
    narrow = nn.Sequential(nn.Linear(10, 3), nn.ReLU(), nn.Linear(3, 784), nn.Tanh())
    directions = principal_directions(FrozenGenerator(narrow), 8, samples=100)
    torch.testing.assert_close(directions @ directions.T, torch.eye(8), rtol=0, atol=1e-4)


def test_activations_are_taken_before_later_layers_change_them() -> None:
    frozen = FrozenGenerator(
        nn.Sequential(nn.Linear(4, 5), nn.ReLU(inplace=True), nn.Linear(5, 784), nn.Tanh())
    )
    z = frozen.draw(300, seed=0)
    want = torch.relu(frozen.network[0](z))
    torch.testing.assert_close(first_activations(frozen, z), want)
    assert not frozen.network[1]._forward_hooks


@bad_inputs(
    (
        "too many",
        lambda: principal_directions(FrozenGenerator(build_generator(4)), 5),
        ValueError,
        "count",
        "5",
    ),
    (
        "none",
        lambda: principal_directions(FrozenGenerator(build_generator(4)), 0),
        ValueError,
        "count",
        "0",
    ),
)
def test_bad_counts_are_named(call, error, name, got) -> None:
    assert_complains(call, error, name, got)


# The frozen generator ------------------------------------------------------------------------


def test_it_is_a_copy_that_stays_as_it_was() -> None:
    G = build_generator(12).train()
    frozen = FrozenGenerator(G)
    z = frozen.draw(3, seed=0)
    before = frozen(z)
    with torch.no_grad():
        for weight in G.parameters():
            weight.zero_()
    assert G.training
    assert torch.equal(frozen(z), before)
    assert frozen.shape == (1, 28, 28)


@pytest.mark.parametrize(
    "build, dim", [(build_generator, 96), (build_strided_generator, 100), (build_dc_generator, 96)]
)
def test_the_size_of_a_latent_is_read_off_the_network(build, dim) -> None:
    assert FrozenGenerator(build(dim)).dim == dim


@pytest.mark.parametrize("name", ["mlp_logits", "dcgan_strided", "dcgan_rotated", "cifar10_better"])
def test_a_shipped_generator_says_what_it_is_fed_with(name) -> None:
    G = load_pretrained(name)
    frozen = FrozenGenerator(G)
    assert (frozen.dim, frozen.kind) == (G.noise_size, G.noise)


def test_draws_are_the_same_for_a_seed_and_move_no_random_state() -> None:
    frozen = FrozenGenerator(build_generator(8), noise="normal")
    state = torch.random.get_rng_state()
    first, again, other = (frozen.draw(5, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


class Mute(nn.Module):
    """A generator without a layer that could tell the size of its latents."""

    def forward(self, z):
        return torch.tanh(z).repeat(1, 196)[:, :784]


@bad_inputs(
    ("a function", lambda: FrozenGenerator(len), TypeError, "generator", "builtin"),
    ("the class", lambda: FrozenGenerator(nn.Linear), TypeError, "generator", "class"),
    ("a size that is not told", lambda: FrozenGenerator(Mute()), ValueError, "noise_dim", "None"),
    (
        "another size",
        lambda: FrozenGenerator(build_generator(96), 100),
        ValueError,
        "generator",
        "error",
    ),
    (
        "an unknown noise",
        lambda: FrozenGenerator(build_generator(9), noise="pink"),
        ValueError,
        "noise",
        "pink",
    ),
    (
        "no images",
        lambda: FrozenGenerator(nn.Linear(4, 5)),
        ValueError,
        "generator's images",
        "2, 5",
    ),
    (
        "out of range",
        lambda: FrozenGenerator(nn.Sequential(nn.Linear(4, 784), nn.Softplus(beta=0.1))),
        ValueError,
        "generator's images",
        "",
    ),
)
def test_what_is_no_generator_is_named(call, error, name, got) -> None:
    assert_complains(call, error, name, got)


def test_with_its_size_a_generator_without_layers_can_be_frozen() -> None:
    assert FrozenGenerator(Mute(), 4).shape == (1, 28, 28)
