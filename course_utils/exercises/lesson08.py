"""Lesson 8, digits at any resolution: each exercise's reference, and what its check asks.

References are written as the lesson teaches them, and equal the solutions in the lesson's source
line by line (`make check` compares).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..checks import WrongAnswer, expect_close, expect_number, expect_tensor
from .asking import NEW_TENSOR, Slips, ask_and_keep, explained
from .exercise import Exercise

# 08.1 -----------------------------------------------------------------------------------------


def centres(side):
    return (torch.arange(side) + 0.5) * (2 / side) - 1


def ask_centres(answer: Any) -> None:
    for side in (2, 5, 28):
        got = answer(side)
        shapes = {
            (side + 1,): "centres of the parts, not their ends: one for each pixel",
            (side, side): "one row: the same centres serve x and y",
            (2, side): "one row: the same centres serve x and y",
        }
        expect_tensor(got, (side,), "one centre for each pixel", shapes)
        steps = torch.arange(side)
        half = "centres lie half a part from the edges: arange(side) + 0.5"
        slips = [
            (torch.linspace(-1, 1, side), f"{half}; linspace puts the first pixel on the edge"),
            (steps * (2 / side) - 1, half),
            ((steps + 1) * (2 / side) - 1, half),
            ((steps + 0.5) / side, "from -1 to 1: times 2, minus 1"),
            ((steps + 0.5) * (2 / side), "from -1 to 1: minus 1"),
            ((steps + 0.5) / side - 1, "the picture is 2 wide: each part is 2 / side"),
            ((steps + 0.5) / side - 0.5, "from -1 to 1, so twice as wide"),
            (-centres(side), "x grows from left to right"),
            (steps + 0.5, "from -1 to 1: times 2 / side, minus 1"),
            (steps * 2 / (side - 1) - 1, half),
            ((steps + 1 / side) * (2 / side) - 1, half),
        ]
        expect_close(got, centres(side), half, slips=slips)


# 08.2 -----------------------------------------------------------------------------------------


def grid(side):
    line = centres(side)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y, torch.hypot(x, y), torch.ones_like(x)], dim=2)


def ask_grid(answer: Any) -> None:
    for side in (3, 6):
        got = answer(side)
        shapes = {
            (4, side, side): "the four numbers of a point come last: dim=2",
            (side, 4, side): "the four numbers of a point come last: dim=2",
            (side, side, 3): "four numbers a point: x, y, radius and 1",
            (side, side, 2): "four numbers a point: x, y, radius and 1",
            (side * side, 4): "keep rows and columns: no flatten",
        }
        expect_tensor(got, (side, side, 4), "x, y, radius and 1 of each point", shapes)
        want = grid(side)
        x, y, radius, one = want.unbind(dim=2)
        slips = [
            (torch.stack([y, x, radius, one], 2), "x first: it changes along a row"),
            (torch.stack([x, -y, radius, one], 2), "y grows from top to bottom"),
            (torch.stack([x, y, radius**2, one], 2), "the radius, not its square"),
            (torch.stack([x, y, x.abs() + y.abs(), one], 2), "the radius is torch.hypot(x, y)"),
            (torch.stack([x, y, radius, 0 * one], 2), "the last number is 1: it carries the bias"),
            (torch.stack([x, y, one, radius], 2), "in this order: x, y, radius, 1"),
            (torch.stack([one, x, y, radius], 2), "in this order: x, y, radius, 1"),
            (
                torch.stack([x, y, torch.maximum(x.abs(), y.abs()), one], 2),
                "the radius is torch.hypot(x, y)",
            ),
            (torch.stack([x, y, x + y, one], 2), "the radius is torch.hypot(x, y)"),
            (torch.stack([x, x, radius, one], 2), "y changes from row to row"),
        ]
        expect_close(got, want, "of each point x, y, torch.hypot(x, y) and 1", slips=slips)


# 08.3 -----------------------------------------------------------------------------------------


def features(numbers, points):
    return numbers @ points.T


def ask_features(answer: Any) -> None:
    source = torch.Generator().manual_seed(0)
    for count, wide, places in ((2, 3, 5), (3, 6, 7)):
        numbers = torch.randn(count, wide, 4, generator=source)
        points = torch.randn(places, 4, generator=source)
        turned = "turn the points over: numbers @ points.T"
        with explained(
            ("mat1 and mat2", "four numbers against four", "others", turned),
            ("size of tensor", "four numbers against four", "others", turned),
            ("Expected size", "four numbers against four", "others", turned),
        ):
            got = ask_and_keep(answer, NEW_TENSOR, numbers=numbers, points=points)
        shapes = {
            (count, places, wide): "features first, then points: numbers @ points.T",
            (wide, places): "a picture each: numbers has N of them",
            (count, wide, places, 4): "add up the four products",
            (places, count, wide): "N, then F, then P: numbers @ points.T",
        }
        expect_tensor(got, (count, wide, places), turned, shapes)
        want = numbers @ points.T
        slips = [
            (want - numbers[..., 3:] * points[:, 3], "all four: d times 1 as well"),
            (want.abs(), "as they are: no abs"),
            (want.relu(), "no activation here"),
            (want / 4, "the sum of the four products, not their mean"),
            (numbers @ points.flip(1).T, "a belongs to x, b to y, c to the radius, d to 1"),
            (-want, "a x + b y + c r + d: all with plus"),
            (numbers.flip(0) @ points.T, "in the order in which they come"),
            (want.tanh(), "no activation here"),
            (torch.zeros_like(want), turned),
        ]
        expect_close(got, want, turned, slips=slips)


# 08.4 -----------------------------------------------------------------------------------------


def pointwise(values, weight, bias):
    return weight @ values + bias[:, None]


def ask_pointwise(answer: Any) -> None:
    source = torch.Generator().manual_seed(1)
    for count, wide, out, places in ((2, 3, 4, 6), (3, 5, 2, 4)):
        values = torch.randn(count, wide, places, generator=source)
        weight = torch.randn(out, wide, generator=source)
        bias = torch.randn(out, generator=source)
        column = "a bias for each of G features, the same at all points: bias[:, None]"
        order = "weight (G, F) times values (F, P): weight @ values"
        with explained(
            ("mat1 and mat2", "F meeting F", "other sizes", order),
            ("Expected size", "F meeting F", "other sizes", order),
            ("must match the size", "a bias for each of G features", "a row", column),
            ("expected to have size", "F meeting F", "other sizes", order),
        ):
            got = ask_and_keep(answer, NEW_TENSOR, values=values, weight=weight, bias=bias)
        shapes = {
            (count, places, out): "features before points: weight @ values",
            (out, places): "a picture each: values has N of them",
        }
        expect_tensor(got, (count, out, places), order, shapes)
        product = weight @ values
        want = product + bias[:, None]
        slips = [
            (product, "the bias is missing"),
            (product - bias[:, None], "plus the bias"),
            (want.relu(), "no activation here: LeakyReLU is a layer of its own"),
            (torch.nn.functional.leaky_relu(want, 0.2), "no activation here"),
            (product + bias.mean(), column),
            (product + bias.sum(), column),
            (product * bias[:, None], "plus the bias, not times"),
            (want / wide, "the sum over features, not the mean"),
            (product + bias.flip(0)[:, None], column),
            (-product + bias[:, None], order),
        ]
        expect_close(got, want, f"{order}; {column}", slips=slips)


# 08.5 -----------------------------------------------------------------------------------------


def products(side, widths):
    each = sum(widths[n] * widths[n + 1] for n in range(len(widths) - 1))
    return side * side * each


def ask_products(answer: Any) -> None:
    for side, widths in ((28, [4, 64, 64, 64, 1]), (10, [4, 3, 2]), (3, [5, 7])):
        own = list(widths)
        got = answer(side, own)
        if own != widths:
            raise WrongAnswer("widths unchanged", str(own), "make new values: no pop, no append")
        pairs = list(pairwise(widths))
        each = sum(a * b for a, b in pairs)
        together = 1
        for width in widths:
            together *= width
        slips: Slips = [
            (each, "for one point so far: times side * side"),
            (side * each, "a picture has side * side points"),
            (side * side * sum(widths), "a layer from a to b numbers takes a * b"),
            (side * side * together, "layers come one after another: add their products"),
            (side * side * sum(w * w for w in widths), "from one width to the next: a * b"),
            (side * side * sum(a * b + b for a, b in pairs), "without the biases: they are added"),
            (2 * side * side * each, "multiplications only, not additions"),
            (side * side * sum(a + b for a, b in pairs), "a layer from a to b takes a * b"),
            (side * side * pairs[0][0] * pairs[0][1], "all layers, not the first alone"),
            (side * side * pairs[-1][0] * pairs[-1][1], "all layers, not the last alone"),
            (each + side * side, "each point passes all layers: times side * side"),
        ]
        expect_number(got, side * side * each, "side * side times the sum of a * b", slips)


# 08.6 -----------------------------------------------------------------------------------------


def nearest(images, factor):
    tall = images.repeat_interleave(factor, dim=2)
    return tall.repeat_interleave(factor, dim=3)


def ask_nearest(answer: Any) -> None:
    source = torch.Generator().manual_seed(2)
    for shape, factor in (((2, 1, 3, 3), 2), ((1, 1, 2, 4), 3)):
        images = torch.rand(shape, generator=source) * 2 - 1
        got = ask_and_keep(answer, NEW_TENSOR, images=images, factor=factor)
        count, _, height, width = shape
        both = "each pixel `factor` times, along rows and along columns: dim=2 and dim=3"
        shapes = {
            (count, 1, height * factor, width): both,
            (count, 1, height, width * factor): both,
            (count * factor, 1, height, width): both,
            (count * factor * factor, 1, height, width): both,
            (count, 1, height * factor**2, width): both,
        }
        expect_tensor(got, (count, 1, height * factor, width * factor), both, shapes)
        want = nearest(images, factor)
        size = tuple(want.shape[2:])
        smooth = torch.nn.functional.interpolate
        slips = [
            (images.repeat(1, 1, factor, factor), "each pixel beside itself: repeat_interleave"),
            (
                images.repeat(1, 1, factor, 1).repeat_interleave(factor, 3),
                "each pixel beside itself: repeat_interleave",
            ),
            (
                images.repeat_interleave(factor, 2).repeat(1, 1, 1, factor),
                "each pixel beside itself: repeat_interleave",
            ),
            (smooth(images, size, mode="bilinear"), "no lines between pixels: nearest repeats"),
            (smooth(images, size, mode="bicubic"), "no curves between pixels: nearest repeats"),
            (want / factor**2, "values stay as they are"),
            (want.flip(3), "left stays left"),
            (want.flip(2), "top stays top"),
            (want.sign(), "values stay as they are"),
            (torch.zeros_like(want), both),
        ]
        expect_close(got, want, both, slips=slips)


# 08.7 -----------------------------------------------------------------------------------------


def steepen(images, factor):
    return torch.tanh(factor * torch.atanh(images))


def ask_steepen(answer: Any) -> None:
    for values, factor in (
        ([[-0.9, -0.5, -0.1, 0.0], [0.05, 0.3, 0.8, 0.95]], 3),
        ([[0.2, -0.6]], 0.5),
    ):
        images = torch.tensor(values)
        got = ask_and_keep(answer, NEW_TENSOR, images=images, factor=factor)
        expect_tensor(got, tuple(images.shape), "a value for each pixel")
        order = "undo the tanh, multiply, do it again: torch.tanh(factor * torch.atanh(images))"
        inside = torch.atanh(images)
        slips = [
            (torch.tanh(factor * images), "first undo the tanh: torch.atanh(images)"),
            (factor * images, "values stay between -1 and 1: atanh, multiply, tanh"),
            ((factor * images).clamp(-1, 1), order),
            (images.sign(), "steeper, not hard: atanh, multiply, tanh"),
            (factor * inside, "and back again: torch.tanh(...)"),
            (torch.tanh(inside / factor), "times factor: dividing makes edges flatter"),
            (torch.tanh(inside + factor), "times factor, not plus"),
            (torch.tanh(inside**factor), "times factor, no power"),
            (images, order),
            (torch.atanh(torch.tanh(images) * factor), "atanh first, then tanh"),
            (torch.tanh(torch.tan(images) * factor), "torch.atanh undoes a tanh, not torch.tan"),
            (-torch.tanh(factor * inside), "light stays light"),
        ]
        expect_close(got, torch.tanh(factor * inside), order, slips=slips)


# 08.8 -----------------------------------------------------------------------------------------


def edge_width(image):
    down = image[1:, :-1] - image[:-1, :-1]
    right = image[:-1, 1:] - image[:-1, :-1]
    length = torch.hypot(down, right).sum() / 2
    grey = (image.abs() < 0.8).sum()
    return grey / length / len(image)


def ask_edge_width(answer: Any) -> None:
    for side, steep in ((20, 8), (32, 5)):
        line = (torch.arange(side) + 0.5) * (2 / side) - 1
        y, x = torch.meshgrid(line, line, indexing="ij")
        image = torch.tanh(steep * (x + 0.3 * y**2 - 0.1))
        got = ask_and_keep(answer, NEW_TENSOR, image=image)
        want = edge_width(image)
        down, right = image[1:, :-1] - image[:-1, :-1], image[:-1, 1:] - image[:-1, :-1]
        slope, grey = torch.hypot(down, right).sum(), (image.abs() < 0.8).sum()
        slips = [
            (grey / slope / side, "an edge climbs by 2: halve the sum of slopes"),
            (grey / (slope / 2), "as a share of the height: divide by len(image)"),
            (grey / slope, "halve the sum of slopes, and divide by len(image)"),
            (grey / (slope / 2) / side**2, "divide by the height once"),
            ((image.abs() > 0.8).sum() / (slope / 2) / side, "grey lies between: abs() < 0.8"),
            ((image < 0.8).sum() / (slope / 2) / side, "grey lies above -0.8, too: abs()"),
            (grey / ((down.abs() + right.abs()).sum() / 2) / side, "torch.hypot(down, right)"),
            (grey / ((down**2 + right**2).sum() / 2) / side, "the root: torch.hypot(down, right)"),
            (slope / 2 / side, "the grey area divided by that length"),
            (slope / 2 / grey / side, "grey area by length, not the other way round"),
            (grey / side**2, "divide by the length of the edges"),
            (grey / (right.abs().sum() / 2) / side, "down counts as well: torch.hypot"),
            (grey / (down.abs().sum() / 2) / side, "right counts as well: torch.hypot"),
            (grey / (torch.hypot(down, right).mean() / 2) / side, "the sum of slopes, no mean"),
        ]
        expect_number(got, want, "grey pixels / length of edges / height", slips)


# 08.9 -----------------------------------------------------------------------------------------


def contrast(one, other):
    light, dark = max(one, other), min(one, other)
    return (light + 0.05) / (dark + 0.05)


def ask_contrast(answer: Any) -> None:
    for one, other in ((0.6, 0.1), (0.0, 1.0), (1.0, 0.0), (0.02, 0.3), (0.4, 0.4)):
        try:
            got = answer(one, other)
        except ZeroDivisionError as problem:
            raise WrongAnswer("a ratio", "a division by 0", "add 0.05 to both") from problem
        light, dark = max(one, other), min(one, other)
        slips: Slips = [
            ((one + 0.05) / (other + 0.05), "the lighter by the darker, in whatever order"),
            ((other + 0.05) / (one + 0.05), "the lighter by the darker, in whatever order"),
            ((dark + 0.05) / (light + 0.05), "the lighter by the darker"),
            (light - dark, "a ratio, no difference"),
            ((light - dark) / (light + dark), "WCAG's ratio: (light + 0.05) / (dark + 0.05)"),
            (light / (dark + 0.05), "add 0.05 to both"),
            ((light + 0.05) / dark if dark else 0, "add 0.05 to both"),
            (light / dark if dark else 0, "add 0.05 to both"),
            ((light + 0.5) / (dark + 0.5), "0.05, not 0.5"),
            ((light + 0.05) / (dark + 0.05) - 1, "no contrast at all is 1"),
            ((light + 0.05) * (dark + 0.05), "divide"),
            ((light - 0.05) / (dark - 0.05), "plus 0.05: light that the page reflects"),
        ]
        expect_number(got, (light + 0.05) / (dark + 0.05), "the lighter by the darker", slips)


# 08.10 ----------------------------------------------------------------------------------------


def surest(digits, certainty, wanted):
    right = (digits == wanted) & (certainty >= 0.99)
    if not right.any():
        return None
    return int(torch.where(right, certainty, 0).argmax())


def ask_surest(answer: Any) -> None:
    digits = torch.tensor([3, 7, 1, 7, 7, 3, 7, 5, 1, 0, 0])
    sure = [0.995, 0.97, 0.999, 0.993, 0.998, 0.993, 0.991, 0.99, 0.9995, 0.4, 0.6]
    certainty = torch.tensor(sure)
    others = (digits.flip(0), certainty.flip(0))
    for own, known in ((digits, certainty), others):
        for wanted in (7, 3, 1, 5, 0, 4):
            got = ask_and_keep(answer, NEW_TENSOR, digits=own, certainty=known, wanted=wanted)
            _expect_place(got, own, known, wanted)


def _expect_place(got: Any, digits: Tensor, certainty: Tensor, wanted: int) -> None:
    """The place of the surest `wanted`, or None."""
    want = surest(digits, certainty, wanted)
    if want is None:
        if got is None:
            return
        hint = "none of that digit" if not (digits == wanted).any() else "none is sure enough"
        raise WrongAnswer("None", str(got), f"{hint}: return None below 0.99")
    if got is None:
        raise WrongAnswer(str(want), "None", "0.99 itself is enough: >=")
    own = torch.where(digits == wanted, certainty, 0)
    right = (digits == wanted) & (certainty >= 0.99)
    slips: Slips = [
        (certainty.argmax(), "only those that are read as `wanted`: digits == wanted"),
        (own.max(), "its place, not its certainty: argmax"),
        ((digits == wanted).nonzero()[0, 0], "the surest, not the first"),
        (right.nonzero()[0, 0], "the surest, not the first"),
        (torch.where(right, certainty, 9).argmin(), "the surest: argmax"),
        (certainty[digits == wanted].argmax(), "the place among all pictures, not among those"),
        (wanted, "the place of the picture, not the digit"),
        (len(digits), "places begin at 0"),
    ]
    expect_number(got, want, "the place of the surest one that is read as `wanted`", slips)


EXERCISES = [
    Exercise("08.1", centres, ask_centres),
    Exercise("08.2", grid, ask_grid),
    Exercise("08.3", features, ask_features, learns=True),
    Exercise("08.4", pointwise, ask_pointwise, learns=True),
    Exercise("08.5", products, ask_products),
    Exercise("08.6", nearest, ask_nearest),
    Exercise("08.7", steepen, ask_steepen),
    Exercise("08.8", edge_width, ask_edge_width),
    Exercise("08.9", contrast, ask_contrast),
    Exercise("08.10", surest, ask_surest),
]
