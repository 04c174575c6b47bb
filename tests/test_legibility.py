"""Sharpness, contrast and poor sight: known values, and what has to hold for all pictures."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2.functional import gaussian_blur

from course_utils import load_mnist
from course_utils.data.images import to_unit
from course_utils.legibility import (
    WAYS,
    blur,
    contrast,
    edge_width,
    enlarge,
    legibility,
    look_at,
    luminance,
    read_digits,
    steepen,
)
from course_utils.metrics.features import load_judge, look


def make_ramp(side, width):
    """A picture with one vertical edge that climbs from -1 to 1 over that share of its width."""
    x = (torch.arange(side) + 0.5) / side - 0.5
    return (2 * x / width).clamp(-1, 1).repeat(side, 1)[None, None]


@pytest.fixture(scope="module")
def digits():
    images = load_mnist("test", limit=64)
    return to_unit(images.images), images.labels.long()


# Edges -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [0.1, 0.25, 0.5])
def test_the_width_of_a_ramp_is_known(width):
    """From 10 to 90 % is 0.8 of its way."""
    assert edge_width(make_ramp(1000, width)) == pytest.approx(0.8 * width, rel=0.01)


def test_the_width_of_a_slanted_edge_is_that_across_it():
    x = (torch.arange(1000) + 0.5) / 1000 - 0.5
    slanted = ((x + x[:, None]) / math.sqrt(2) / 0.1).clamp(-1, 1)[None, None]
    # the picture's corners cut off a little of it
    assert edge_width(slanted) == pytest.approx(0.8 * 0.2, rel=0.03)


def test_a_step_has_no_width_and_a_flat_picture_no_edge():
    assert edge_width(make_ramp(10, 1e-6)) == 0
    with pytest.raises(ValueError, match="edges"):
        edge_width(torch.zeros(2, 1, 5, 5))


@given(st.floats(0.15, 0.6), st.floats(1.5, 10))
def test_steeper_edges_are_narrower_and_stay_in_place(width, factor):
    image = make_ramp(200, width)
    steep = steepen(image, factor)
    assert edge_width(steep) < edge_width(image)
    assert torch.equal(steep.sign(), image.sign())
    assert steep.abs().max() <= 1


def test_steepening_is_multiplying_before_the_tanh():
    inside = torch.linspace(-2, 2, 25).reshape(1, 1, 5, 5)
    assert torch.allclose(steepen(inside.tanh(), 3), (3 * inside).tanh(), atol=1e-5)
    assert torch.isfinite(steepen(torch.tensor([[[[-1.0, 1.0]]]]), 5)).all()


@pytest.mark.parametrize("way", WAYS)
def test_enlarged_pictures_keep_their_range_and_their_mean(way, digits):
    images = digits[0][:4]
    large = enlarge(images, 112, way)
    assert large.shape == (4, 1, 112, 112)
    assert large.abs().max() <= 1
    assert torch.allclose(large.mean(dim=(2, 3)), images.mean(dim=(2, 3)), atol=0.02)


def test_nearest_repeats_pixels(digits):
    large = enlarge(digits[0][:2], 56, "nearest")
    assert torch.equal(large[:, :, ::2, ::2], digits[0][:2])
    assert torch.equal(large[:, :, 1::2, 1::2], digits[0][:2])


# Contrast --------------------------------------------------------------------------------------


def test_black_and_white_have_a_contrast_of_21():
    assert contrast(make_ramp(10, 1e-6)) == pytest.approx(21)


def test_luminance_has_the_known_values_of_wcag():
    greys = torch.tensor([0, 118 / 255, 119 / 255, 1.0])
    light = luminance(greys)
    assert light[0] == 0
    assert light[3] == 1
    # the lightest grey on white that reaches 4.5 is #767676, as the guidelines' tools know
    ratios = (1.05 / (light + 0.05)).tolist()
    assert ratios[1] > 4.5 > ratios[2]


def test_contrast_needs_ink_and_paper():
    for grey in (-1.0, 1.0):
        with pytest.raises(ValueError, match="ink and paper"):
            contrast(torch.full((1, 1, 4, 4), grey))


@given(st.floats(0.05, 1.0), st.floats(0.05, 1.0))
def test_less_ink_is_less_contrast(one, other):
    pale, dark = sorted((one, other))
    step = make_ramp(10, 1e-6)
    assert contrast(step.clamp(max=pale)) <= contrast(step.clamp(max=dark)) + 1e-5


# Poor sight ------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(st.floats(0.02, 0.06))
def test_blur_is_the_blur_of_torchvision(share):
    image = torch.full((1, 1, 40, 40), -1.0)
    image[:, :, 15:25, 18:22] = 1.0
    reach = math.ceil(3 * (share * 40))
    wanted = gaussian_blur(image, [2 * reach + 1] * 2, [share * 40] * 2)
    inside = slice(10, 30)  # beyond its edges torchvision mirrors the picture
    got = blur(image, share)
    assert torch.allclose(got[..., inside, inside], wanted[..., inside, inside], atol=1e-4)


@settings(max_examples=10, deadline=None)
@example(5e-324, 5)  # so small that its square is 0
@given(st.floats(0, 0.1), st.integers(5, 30))
def test_blur_keeps_range_and_paper(share, side):
    image = torch.rand(2, 1, side, side) * 2 - 1
    assert blur(image, share).abs().max() <= 1 + 1e-5
    paper = torch.full((1, 1, side, side), -1.0)
    assert torch.allclose(blur(paper, share), paper, atol=1e-5)


def test_without_blur_digits_are_seen_as_they_are(digits):
    assert torch.equal(look_at(digits[0]), digits[0])
    assert torch.allclose(look_at(enlarge(digits[0], 448, "nearest")), digits[0], atol=1e-5)


def test_reading_is_the_classifier(digits):
    found, certainty = read_digits(digits[0])
    logits = look(digits[0], load_judge("mnist")).logits
    assert torch.equal(found, logits.argmax(dim=1))
    assert torch.allclose(certainty, logits.softmax(dim=1).amax(dim=1))
    assert legibility(digits[0], digits[1], 0.0) > 0.95


def test_the_larger_the_blur_the_fewer_are_read(digits):
    read = [legibility(digits[0], digits[1], share) for share in (0, 0.03, 0.05, 0.2)]
    assert read == sorted(read, reverse=True)
    assert read[-1] < 0.5


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: enlarge(x, 0), "side"),
        (lambda x: enlarge(x, 56, "lanczos"), "way"),
        (lambda x: enlarge(x * 300, 56), "images"),
        (lambda x: steepen(x, 0), "factor"),
        (lambda x: steepen(x, math.nan), "factor"),
        (lambda x: blur(x, -0.1), "share"),
        (lambda x: edge_width(x[0]), "images"),
        (lambda x: contrast(x.long()), "images"),
    ],
)
def test_wrong_input_is_named(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call(torch.zeros(1, 1, 28, 28) + 0.5)
