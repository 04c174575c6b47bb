"""The generator of coordinates: known values, the same picture in every size, the fast way."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from course_utils import coordinates
from course_utils.coordinates import (
    CoordinateGenerator,
    Coordinates,
    build_coordinate_generator,
    fold,
    make_grid,
    run,
)
from course_utils.models import count_params
from course_utils.pretrained import load_pretrained

SIDES = st.integers(1, 40)


def make_generator(seed=0, noise_dim=5):
    """One in eval mode, its batch norms with statistics and weights of their own."""
    torch.manual_seed(seed)
    G = build_coordinate_generator(noise_dim)
    for layer in G:
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -1, 1)
            layer.running_mean.uniform_(-1, 1)
            layer.running_var.uniform_(0.5, 2)
    return G.eval()


# The grid --------------------------------------------------------------------------------------


def test_the_grid_of_two_by_two_is_known():
    half, root = 0.5, math.sqrt(0.5)
    want = [
        [[-half, -half, root, 1], [half, -half, root, 1]],
        [[-half, half, root, 1], [half, half, root, 1]],
    ]
    assert torch.allclose(make_grid(2), torch.tensor(want))


@given(SIDES)
def test_a_grid_is_centred_and_stays_inside(side):
    points = make_grid(side)
    assert points.shape == (side, side, 4)
    assert points[..., :2].abs().max() < 1
    assert torch.allclose(points[..., :2].mean(dim=(0, 1)), torch.zeros(2), atol=1e-6)
    assert torch.allclose(points[0, :, 0], points[-1, :, 0])  # x is the same in every row
    assert torch.allclose(points[..., 0], points[..., 1].T)
    assert torch.allclose(points[..., 2] ** 2, points[..., 0] ** 2 + points[..., 1] ** 2)


@given(st.integers(1, 12), st.sampled_from([3, 5, 7]))
def test_centres_stay_where_they_are_when_a_picture_is_an_odd_factor_larger(side, factor):
    large = make_grid(side * factor)[factor // 2 :: factor, factor // 2 :: factor]
    assert torch.allclose(large, make_grid(side), atol=1e-6)


# The layer -------------------------------------------------------------------------------------


def test_features_are_planes_and_cones():
    numbers = torch.tensor([[1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 3]])
    x, y, radius, three = Coordinates(4, side=6)(numbers)[0]
    grid = make_grid(6)
    for values, wanted in zip((x, y, radius), grid.unbind(dim=2)[:3], strict=True):
        assert torch.equal(values, wanted)
    assert torch.equal(three, torch.full((6, 6), 3.0))


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "28"])
def test_wrong_sizes_are_complained_of(wrong):
    with pytest.raises((TypeError, ValueError), match="side"):
        Coordinates(4, wrong)
    with pytest.raises((TypeError, ValueError), match="side"):
        make_generator().at(wrong)
    with pytest.raises((TypeError, ValueError), match="side"):
        make_generator().draw(torch.zeros(1, 5), wrong)


# The generator ---------------------------------------------------------------------------------


def test_its_parameters_are_as_many_as_its_docstring_says():
    assert count_params(build_coordinate_generator()) == 66_753
    assert count_params(build_coordinate_generator(65)) == 66_753 + 128
    assert "66,753" in build_coordinate_generator.__doc__


def test_it_gives_digits_and_takes_only_latents_of_its_size():
    G = make_generator()
    images = G(torch.randn(3, 5))
    assert images.shape == (3, 1, 28, 28)
    assert images.abs().max() <= 1
    with pytest.raises(ValueError, match="shape"):
        G(torch.randn(3, 6))


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 60), st.integers(1, 3), st.integers(0, 1000))
def test_drawn_fast_it_is_the_same_picture(side, count, seed):
    G, latents = make_generator(seed % 5), torch.randn(count, 5)
    with torch.no_grad():
        plain = G.at(side)(latents)
    assert torch.allclose(G.draw(latents, side), plain, atol=2e-4)


@pytest.mark.parametrize("points", [1, 7, 100, 10_000])
def test_how_many_points_at_a_time_changes_nothing(points, monkeypatch):
    G, latents = make_generator(), torch.randn(2, 5)
    whole = G.draw(latents, 23)
    monkeypatch.setattr(coordinates, "POINTS", points)
    assert torch.allclose(G.draw(latents, 23), whole, atol=1e-5)


def test_flat_parts_are_interpolated_to_within_a_grey_level():
    G, latents = load_pretrained("cppn"), torch.randn(12, 64)
    exact = G.draw(latents, 448)
    greys = [((pictures + 1) * 127.5).round() for pictures in (exact, G.draw(latents, 448, 0.02))]
    assert (greys[0] - greys[1]).abs().max() <= 2  # one, and one of rounding
    assert torch.equal(G.draw(latents[:2], 100, 0.02), G.draw(latents[:2], 100))  # too small


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([112, 120, 136]), st.floats(0.001, 3), st.integers(0, 4))
def test_what_is_not_flat_is_asked_for(side, flat, seed):
    G, latents = make_generator(seed), torch.randn(1, 5)
    exact, fast = G.draw(latents, side), G.draw(latents, side, flat)
    coarse = G.draw(latents, side // 4)
    smooth = F.interpolate(coarse, scale_factor=4, mode="bilinear")
    assert bool(torch.isclose(fast, exact, atol=1e-4).logical_or(fast == smooth).all())
    if flat > 2:  # no picture changes by more
        assert torch.equal(fast, smooth)


def test_a_picture_without_any_edge_is_drawn():
    G = make_generator()
    nn.init.zeros_(G[-2].weight)
    assert G.draw(torch.randn(1, 5), 112, 0.01).std() < 1e-6


@pytest.mark.parametrize("flat", [-0.1, math.nan, "0"])
def test_flat_is_a_number(flat):
    with pytest.raises((TypeError, ValueError), match="flat"):
        make_generator().draw(torch.zeros(1, 5), 112, flat)


def test_a_larger_picture_goes_through_the_pixels_of_the_small_one():
    G, latents = make_generator(), torch.randn(2, 5)
    small, large = G.draw(latents, 28), G.draw(latents, 84)
    assert torch.allclose(large[:, :, 1::3, 1::3], small, atol=1e-5)


def test_at_is_a_copy_of_another_size():
    G = make_generator()
    before = copy.deepcopy(G.state_dict())
    large = G.at(56)
    assert (G.side, large.side) == (28, 56)
    nn.init.zeros_(large[1].weight)
    assert all(torch.equal(value, before[key]) for key, value in G.state_dict().items())
    assert large(torch.randn(1, 5)).shape == (1, 1, 56, 56)


def test_it_draws_in_eval_mode_only():
    G = make_generator().train()
    with pytest.raises(RuntimeError, match=r"G\.eval\(\)"):
        G.draw(torch.randn(1, 5))


def test_its_pixels_do_not_know_their_neighbours():
    """A point's grey value is the same whichever points are asked with it."""
    G, latents = make_generator(), torch.randn(1, 5)
    points = make_grid(9).flatten(0, 1)
    planes = G[: G.place](latents).reshape(-1, 4)
    layers = fold([(planes, None), *G[G.place + 1 :]])
    alone = torch.cat([run(layers, point[None]) for point in points])
    assert torch.allclose(alone, run(layers, points), atol=1e-5)


def test_gradients_reach_the_latent_and_all_parameters():
    G = build_coordinate_generator(5)
    latents = torch.randn(4, 5, requires_grad=True)
    G(latents).square().sum().backward()
    assert latents.grad.abs().sum() > 0
    assert all(part.grad.abs().sum() > 0 for part in G.parameters())


def test_a_stack_of_other_layers_is_drawn_too():
    torch.manual_seed(0)
    G = CoordinateGenerator(
        nn.Linear(3, 8), Coordinates(2), nn.Tanh(), nn.Conv2d(2, 1, 1), nn.Tanh()
    ).eval()
    latents = torch.randn(2, 3)
    assert torch.allclose(G.draw(latents, 11), G.at(11)(latents), atol=1e-5)
