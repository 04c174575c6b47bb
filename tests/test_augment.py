"""Random changes to images: each against its arithmetic, and what all of them have in common."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from helpers import assert_complains, bad_inputs, read_arguments, steady
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from course_utils.data import (
    BatchLoader,
    ImageSet,
    augment,
    combine,
    random_colour,
    random_rotation,
    random_shift,
    rotate,
)

pytestmark = pytest.mark.usefixtures("own_randomness")

AUGMENTS = {
    "rotation": random_rotation(20),
    "shift": random_shift(2),
    "shift and mirror": random_shift(2, flip=True),
    "colour": random_colour(),
    "several": combine(random_shift(1, flip=True), random_colour(0.5)),
}
all_of_them = pytest.mark.parametrize("change", AUGMENTS.values(), ids=AUGMENTS)
seeds = st.integers(0, 2**32 - 1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_images(count: int, channels: int = 3, height: int = 7, width: int = 6, **kind) -> Tensor:
    return torch.rand(count, channels, height, width, **kind) * 1.8 - 0.9


def broadcast(image: Tensor, count: int) -> Tensor:
    """The same image so many times."""
    return image.expand(count, *image.shape).clone()


# --- what all of them have in common ---------------------------------------------------------


@all_of_them
@steady
@given(
    shape=st.tuples(
        st.integers(1, 5), st.sampled_from([1, 3]), st.integers(3, 9), st.integers(3, 9)
    ),
    seed=seeds,
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_shape_and_type_stay_and_the_images_given_too(change, shape, seed, dtype):
    images = torch.rand(shape, generator=seeded(seed), dtype=dtype) * 2 - 1
    before = images.clone()
    changed = change(images, seeded(seed))
    assert changed.shape == shape and changed.dtype == dtype
    assert torch.isfinite(changed).all() and torch.equal(images, before)


@all_of_them
def test_the_generator_decides_and_no_other(change):
    images, before = make_images(20), torch.get_rng_state()
    first, again, other = (change(images, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
    source = seeded(3)
    change(images, source)
    assert not torch.equal(change(images, source), first)  # the next batch is changed anew


@all_of_them
def test_each_image_is_changed_in_its_own_way(change):
    changed = change(broadcast(make_images(1)[0], 40), seeded())
    assert len(changed.flatten(1).unique(dim=0)) > 12  # a shift by up to 2 knows 25 ways


@all_of_them
def test_no_image_depends_on_its_neighbours(change):
    images = make_images(6)
    changed = change(images, seeded())
    images[1:] = make_images(5)
    torch.testing.assert_close(change(images, seeded())[0], changed[0], rtol=0, atol=0)


@all_of_them
def test_gradients_pass_through(change):
    """Those of backward are those that a small push shows."""
    images = make_images(2, height=4, width=5, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: change(x, seeded()), (images,))


@pytest.mark.parametrize("name", sorted(AUGMENTS.keys() - {"rotation"}))
def test_draws_are_the_same_in_every_precision(name):
    images = make_images(9, dtype=torch.float64)
    exact, rounded = (AUGMENTS[name](x, seeded()) for x in (images, images.float()))
    torch.testing.assert_close(rounded.double(), exact, rtol=0, atol=1e-6)


@all_of_them
def test_a_loader_takes_them(change):
    images = torch.randint(256, (10, 3, 8, 8), dtype=torch.uint8)
    loader = BatchLoader(ImageSet(images, torch.arange(10)), 4, "cpu", augment=change, seed=0)
    assert [tuple(x.shape) for x, _ in loader] == [(4, 3, 8, 8), (4, 3, 8, 8), (2, 3, 8, 8)]


# --- several ---------------------------------------------------------------------------------


def test_several_changes_come_one_after_the_other():
    def double(images: Tensor, generator: torch.Generator) -> Tensor:
        return 2 * images

    def add(images: Tensor, generator: torch.Generator) -> Tensor:
        return images + 1

    images = make_images(3)
    assert torch.equal(combine(double, add)(images, seeded()), 2 * images + 1)
    assert torch.equal(combine(add, double)(images, seeded()), 2 * (images + 1))
    assert torch.equal(combine(combine(add), double, double)(images, seeded()), 4 * (images + 1))


def test_no_change_at_all():
    images = make_images(3)
    assert combine()(images, seeded()) is images


def test_all_of_several_draw_from_the_same_generator():
    images, source = make_images(5), seeded()
    expected = random_colour(0.4)(random_shift(2)(images, source), source)
    assert torch.equal(combine(random_shift(2), random_colour(0.4))(images, seeded()), expected)


# --- shift -----------------------------------------------------------------------------------


def draw_shifts(pixels: int, flip: bool, count: int, seed: int) -> list[tuple[int, int, bool]]:
    """The draws for each image, in their order: rows, columns, and then who is mirrored."""
    source = seeded(seed)
    rows, columns = torch.randint(2 * pixels + 1, (2, count, 1), generator=source)[..., 0].tolist()
    coins = torch.rand(count, 1, generator=source)[:, 0].tolist() if flip else count * [1.0]
    return [(r, c, coin < 0.5) for r, c, coin in zip(rows, columns, coins)]


@steady
@given(st.integers(0, 3), st.booleans(), st.integers(1, 6), seeds)
def test_a_shifted_image_is_cut_out_of_the_mirrored_one(pixels, flip, count, seed):
    """Image after image, by NumPy."""
    images = torch.rand(count, 2, 5, 7, generator=seeded(seed))
    sides = [(0, 0), (0, 0), (pixels, pixels), (pixels, pixels)]
    wide = np.pad(images.numpy(), sides, mode="reflect")
    moved = random_shift(pixels, flip)(images, seeded(seed))
    for got, image, (row, column, mirrored) in zip(
        moved.numpy(), wide, draw_shifts(pixels, flip, count, seed), strict=True
    ):
        cut = image[:, row : row + 5, column : column + 7]
        assert np.array_equal(got, cut[..., ::-1] if mirrored else cut)


def moves_of(image: Tensor, pixels: int, flip: bool) -> list[Tensor]:
    """Everything that may become of one image."""
    wide = F.pad(image[None], (pixels,) * 4, mode="reflect")[0]
    height, width = image.shape[1:]
    steps = range(2 * pixels + 1)
    moved = [wide[:, y : y + height, x : x + width] for y in steps for x in steps]
    return moved + [m.flip(2) for m in moved] * flip


@pytest.mark.parametrize("flip", [False, True])
def test_every_way_to_move_comes_up_about_as_often(flip):
    image = torch.rand(1, 6, 6)
    moved = random_shift(1, flip)(image.expand(600, 1, 6, 6), seeded())
    ways = moves_of(image, 1, flip)
    counts = [sum(torch.equal(m, way) for m in moved) for way in ways]
    assert sum(counts) == 600
    assert min(counts) > 600 / len(ways) / 3 and max(counts) < 600 / len(ways) * 2


def test_no_shift_changes_nothing_and_a_mirror_alone_mirrors_half():
    images = make_images(400)
    assert torch.equal(random_shift(0)(images, seeded()), images)
    moved = random_shift(0, flip=True)(images, seeded())
    mirrored = [torch.equal(got, image.flip(2)) for got, image in zip(moved, images)]
    assert abs(sum(mirrored) - 200) < 5 * 10  # five standard errors
    assert all(torch.equal(moved[i], images[i]) for i in range(400) if not mirrored[i])


def test_a_shifts_gradient_counts_how_often_a_pixel_is_shown():
    pixels, height, width = 2, 6, 5
    images = make_images(8, 1, height, width).requires_grad_()
    random_shift(pixels, flip=True)(images, seeded(1)).sum().backward()
    numbers = np.arange(height * width).reshape(height, width)
    wide = np.pad(numbers, pixels, mode="reflect")
    for got, (row, column, _) in zip(images.grad, draw_shifts(pixels, True, 8, 1), strict=True):
        shown = wide[row : row + height, column : column + width].ravel()
        times = np.bincount(shown, minlength=height * width)
        assert got.flatten().tolist() == times.tolist()
        assert times.sum() == height * width


# --- colour ----------------------------------------------------------------------------------

# one row of two pixels: their greys are 0 and 0.2, the middle of the image is 0.1
TWO_PIXELS = torch.tensor([[0.6, 0.2], [0.0, 0.2], [-0.6, 0.2]])
DRAWS = {  # (strength, draws for brightness, saturation, contrast): the pixels by hand
    "as it was": (1, (0.5, 0.5, 0.5), [[0.6, 0.2], [0.0, 0.2], [-0.6, 0.2]]),
    "brighter": (1, (1.0, 0.5, 0.5), [[1.1, 0.7], [0.5, 0.7], [-0.1, 0.7]]),
    "darker by half": (0.5, (0.0, 0.5, 0.5), [[0.35, -0.05], [-0.25, -0.05], [-0.85, -0.05]]),
    "grey": (1, (0.5, 0.0, 0.5), [[0.0, 0.2], [0.0, 0.2], [0.0, 0.2]]),
    "twice the colour": (1, (0.5, 1.0, 0.5), [[1.2, 0.2], [0.0, 0.2], [-1.2, 0.2]]),
    "half the colour": (0.5, (0.5, 0.0, 0.5), [[0.3, 0.2], [0.0, 0.2], [-0.3, 0.2]]),
    "half the contrast": (1, (0.5, 0.5, 0.0), [[0.35, 0.15], [0.05, 0.15], [-0.25, 0.15]]),
    "more contrast": (1, (0.5, 0.5, 1.0), [[0.85, 0.25], [-0.05, 0.25], [-0.95, 0.25]]),
    # + 0.25; 1.5 times as far from greys of 0.25 and 0.45; 1.25 times as far from 0.35
    "all at once": (0.5, (1.0, 1.0, 1.0), [[1.35, 0.475], [0.225, 0.475], [-0.9, 0.475]]),
}


@pytest.mark.parametrize("strength, draws, expected", DRAWS.values(), ids=DRAWS)
def test_colours_by_hand(monkeypatch, strength, draws, expected):
    drawn = torch.tensor(draws).reshape(3, 1, 1, 1, 1)
    monkeypatch.setattr(augment.torch, "rand", lambda *shape, **options: drawn)
    changed = random_colour(strength)(TWO_PIXELS.reshape(1, 3, 1, 2), seeded())
    torch.testing.assert_close(changed.reshape(3, 2), torch.tensor(expected), rtol=0, atol=1e-6)


def test_no_strength_is_no_change():
    images = make_images(9)
    torch.testing.assert_close(random_colour(0)(images, seeded()), images, rtol=0, atol=1e-6)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_the_colours_fill_their_ranges_evenly(strength):
    """Brightness moves the mean; saturation and contrast scale what lies around it."""
    image = make_images(1, dtype=torch.float64)[0]
    grey = image.mean(dim=0, keepdim=True)
    changed = random_colour(strength)(broadcast(image, 4000), seeded())
    brightness = (changed.mean(dim=(1, 2, 3)) - image.mean()) / (strength / 2)
    of_grey = changed.mean(dim=1, keepdim=True)
    contrast = (of_grey - of_grey.mean(dim=(1, 2, 3), keepdim=True)).std(dim=(1, 2, 3))
    contrast = contrast / grey.std() - 1
    saturation = (changed - of_grey).std(dim=(1, 2, 3)) / (image - grey).std() / (1 + contrast) - 1
    for factor in (brightness, contrast / (strength / 2), saturation / strength):
        assert -1.000001 < factor.min() < -0.99 and 0.99 < factor.max() < 1.000001
        assert abs(factor.mean()) < 5 / math.sqrt(3 * 4000)
        assert abs((factor**2).mean() - 1 / 3) < 5 * math.sqrt(4 / 45 / 4000)
    pairs = torch.corrcoef(torch.stack([brightness, contrast, saturation])).fill_diagonal_(0)
    assert pairs.abs().max() < 5 / math.sqrt(4000)  # drawn apart from each other


def test_the_sum_of_the_colours_has_a_gradient_of_one():
    """Saturation moves nothing out of a pixel, contrast nothing out of an image."""
    images = make_images(5, dtype=torch.float64).requires_grad_()
    random_colour()(images, seeded()).sum().backward()
    torch.testing.assert_close(images.grad, torch.ones_like(images))


def test_digits_have_no_saturation_to_change():
    images = make_images(6, channels=1)
    changed = random_colour()(images, seeded())
    brightness, _, contrast = 2 * torch.rand(3, 6, 1, 1, 1, generator=seeded()) - 1
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    expected = middle + brightness / 2 + (images - middle) * (1 + contrast / 2)
    torch.testing.assert_close(changed, expected, rtol=0, atol=1e-6)


# --- rotation --------------------------------------------------------------------------------


def test_quarter_turns():
    images = torch.rand(4, 3, 9, 9) * 2 - 1
    turned = rotate(images, torch.tensor([0.0, 90.0, 180.0, -90.0]))
    for image, got, quarters in zip(images, turned, (0, 1, 2, -1), strict=True):
        torch.testing.assert_close(got, torch.rot90(image, quarters, (1, 2)), atol=1e-5, rtol=0)


def test_turns_counter_clockwise_and_fills_with_black():
    images = torch.full((1, 1, 21, 21), -1.0)
    images[..., 10, 14:20] = 1  # a hand that points right, to three o'clock
    turned = rotate(images, torch.tensor([45.0]))[0, 0]
    assert turned[:10, 11:].max() > 0.5 and turned[11:].max() == -1
    white = rotate(torch.ones(1, 1, 21, 21), torch.tensor([45.0]))[0, 0]
    assert white[0, 0] == white[-1, -1] == -1 and white[10, 10] == 1


def test_agrees_with_torchvision():
    images = torch.rand(3, 1, 28, 28) * 2 - 1
    angles = torch.tensor([-17.0, 5.0, 20.0])
    for image, angle, got in zip(images, angles, rotate(images, angles), strict=True):
        want = torchvision.transforms.functional.rotate(
            image, angle.item(), torchvision.transforms.InterpolationMode.BILINEAR, fill=-1
        )
        # Away from the border, where the two blend with the fill in different ways.
        torch.testing.assert_close(got[:, 6:-6, 6:-6], want[:, 6:-6, 6:-6], atol=1e-3, rtol=0)


def test_rotation_is_rigid_in_oblong_images():
    images = torch.full((1, 1, 11, 31), -1.0)
    images[..., 5, 11:20] = 1
    turned = rotate(images, torch.tensor([90.0]))[0, 0]
    column = turned[:, 15]
    assert (column > 0.9).sum() == 9 and (turned > 0.9).sum() == 9


def test_one_angle_for_each_image():
    same = torch.full((64, 1, 15, 15), -1.0)
    same[..., 7, 3:12] = 1
    turned = random_rotation(20)(same, torch.Generator().manual_seed(0))
    assert len(turned.flatten(1).unique(dim=0)) == 64


def test_angles_fill_the_range():
    seen = []
    change = random_rotation(20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augment, "rotate", lambda images, angles: seen.append(angles) or images)
        change(torch.zeros(5000, 1, 1, 1), torch.Generator().manual_seed(0))
    angles = seen[0]
    assert -20 <= angles.min() < -19.5 and 19.5 < angles.max() < 20
    assert abs(angles.mean()) < 0.5 and abs(angles.std() - 20 / 3**0.5) < 0.3


def test_no_turn_changes_nothing():
    images = torch.rand(3, 1, 28, 28) * 2 - 1
    assert torch.equal(random_rotation(0)(images, torch.Generator()), images)
    torch.testing.assert_close(rotate(images, torch.zeros(3)), images, atol=1e-5, rtol=0)


@steady
@given(degrees=st.floats(0, 180), seed=st.integers(0, 1000), size=st.integers(1, 12))
def test_rotation_stays_in_range(degrees, seed, size):
    generator = torch.Generator().manual_seed(seed)
    images = (torch.rand(4, 1, size, size, generator=generator) * 2 - 1).sign()
    before = images.clone()
    turned = random_rotation(degrees)(images, generator)
    assert turned.shape == images.shape and turned.dtype == torch.float32
    assert turned.min() >= -1 and turned.max() <= 1
    assert torch.equal(images, before)


# --- names and bad input ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "function, arguments",
    [
        (combine, "*augments"),
        (random_rotation, "degrees"),
        (rotate, "images, degrees"),
        (random_shift, "pixels, flip=False"),
        (random_colour, "strength=1.0"),
    ],
)
def test_the_arguments(function, arguments):
    assert read_arguments(function) == arguments


def complaints_about_numbers():
    """Every number that each of them cannot take."""
    for make, name, high in (
        (random_rotation, "degrees", 180),
        (random_colour, "strength", 1),
    ):
        for value, error in (
            *((bad, ValueError) for bad in (-0.1, high + 0.1, math.nan, math.inf)),
            *((bad, TypeError) for bad in ("1", None, True, (0, 1))),
        ):
            title = f"{make.__name__}: {value!r}"
            yield title, lambda f=make, v=value: f(v), error, name, str(value)


@bad_inputs(
    *complaints_about_numbers(),
    ("pixels: negative", lambda: random_shift(-1), ValueError, "pixels", "-1"),
    ("pixels: float", lambda: random_shift(2.0), TypeError, "pixels", "float: 2.0"),
    ("pixels: None", lambda: random_shift(None), TypeError, "pixels", "None"),
    ("pixels: bool", lambda: random_shift(True), TypeError, "pixels", "bool: True"),
    (
        "pixels: the whole side",
        lambda: random_shift(4)(torch.zeros(1, 3, 9, 4), torch.Generator()),
        ValueError,
        "pixels",
        "4",
    ),
    ("flip: text", lambda: random_shift(2, "yes"), TypeError, "flip", "'yes'"),
    ("flip: number", lambda: random_shift(2, flip=1), TypeError, "flip", "int: 1"),
    ("augments: number", lambda: combine(random_shift(2), 4), TypeError, "augments", "int: 4"),
    ("augments: list", lambda: combine([random_shift(2)]), TypeError, "augments", "list"),
    ("augments: None", lambda: combine(None), TypeError, "augments", "None"),
)
def test_bad_input(call, error, name, got):
    assert_complains(call, error, name, got)
