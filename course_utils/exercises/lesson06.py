"""Lesson 6, walking in latent space: each exercise's reference, and what its check asks.

References are written as the lesson teaches them, and equal the solutions in the lesson's source
line by line (`make check` compares).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import WrongAnswer, expect_close, expect_number, expect_tensor
from .asking import NEW_TENSOR, Slips, ask_and_keep, explained
from .exercise import Exercise

# 06.1 -----------------------------------------------------------------------------------------


def sweep(z, index, values):
    path = z.repeat(len(values), 1)
    path[:, index] = values
    return path


def ask_sweep(answer: Any) -> None:
    four = torch.tensor([0.5, -1.0, 2.0, 0.25]), 2, torch.tensor([-2.0, -0.5, 0.75, 3.0])
    five = torch.tensor([1.0, 0.5, -1.5, 0.0, 2.0]), 4, torch.tensor([1.5, -2.5])
    copies = "z.repeat(len(values), 1): one copy of z for each value"
    column = f"{copies}; then the column path[:, index]"
    for z, index, values in (four, five):
        count, dim = len(values), len(z)
        shapes = {
            (dim, dim): f"{copies}, not for each coordinate",
            (dim, count): "a row for each value, not a column",
            (1, count * dim): copies,
            (count * dim,): copies,
            (count, 1, dim): "rows only, (count, dim): z.repeat(len(values), 1)",
            (count,): "whole latents, (count, dim), not the one coordinate",
            (count, 1): "whole latents, (count, dim), not the one coordinate",
            (dim,): "a latent for each value, not for the last alone",
        }
        expand = "expand makes no copies: z.repeat(len(values), 1), or expand(...).clone()"
        with explained(
            ("memory location", "rows of their own", "one row, seen several times", expand),
            ("expanded size", "as many rows as values", "another number", column),
            ("shape mismatch", "as many rows as values", "another number", column),
        ):
            keep = "change a copy: z.repeat(...) makes some, and so does z.clone()"
            got = ask_and_keep(answer, keep, z=z, index=index, values=values)
        expect_tensor(got, (count, dim), copies, shapes)
        hint = "each row is z, but for coordinate `index`, which is one of the values"
        slips = _spoiled_sweeps(z, index, values)
        expect_close(got, sweep(z, index, values), hint, slips=slips)


def _spoiled_sweeps(z: Tensor, index: int, values: Tensor) -> Slips:
    want, copies, column = sweep(z, index, values), z.repeat(len(values), 1), values[:, None]
    others = "the other coordinates are those of z"
    slips = [
        (copies, "path[:, index] = values is missing"),
        (sweep(z, index, z[index] + values), "values replace the coordinate: =, not +="),
        (sweep(z, index, z[index] * values), "values replace the coordinate: =, not *="),
        (sweep(torch.zeros_like(z), index, values), others),
        (sweep(torch.ones_like(z), index, values), others),
        (copies + column, "coordinate `index` alone runs: path[:, index] = values"),
        (copies * column, "coordinate `index` alone runs: path[:, index] = values"),
        (column.expand_as(copies), "coordinate `index` alone runs: path[:, index] = values"),
        (sweep(z, index, values[-1:].expand_as(values)), "each row has a value of its own"),
        (sweep(z, index, values[:1].expand_as(values)), "each row has a value of its own"),
        (sweep(z, index, values.flip(0)), "values in the order in which they come"),
        (sweep(z, index, torch.linspace(-2, 2, len(values))), "the values that are given"),
        (sweep(z, index, torch.linspace(-3, 3, len(values))), "the values that are given"),
        (sweep(z, index - 1, values), "coordinates are counted from 0: path[:, index]"),
        (sweep(z, 0, values), "coordinate `index`, not always the first"),
    ]
    if index + 1 < len(z):
        wrong = sweep(z, index + 1, values)
        slips.append((wrong, "coordinates are counted from 0: path[:, index]"))
    if len(z) == len(values):
        row = copies.clone()
        row[index] = values
        slips.append((row, "that fills a row: the column is path[:, index]"))
        slips.append((want.T, "a row for each value, not a column"))
    return slips


# 06.2 -----------------------------------------------------------------------------------------


def typical_length(dim, kind):
    mean_square = {"normal": 1, "uniform": 1 / 3}[kind]
    return math.sqrt(dim * mean_square)


def ask_typical_length(answer: Any) -> None:
    for dim, kind in ((100, "normal"), (100, "uniform"), (12, "uniform"), (7, "normal")):
        got, want = answer(dim, kind), typical_length(dim, kind)
        spoil = _spoiled_normal_lengths if kind == "normal" else _spoiled_uniform_lengths
        exact = "exact, no sampling: the root of dim times the mean square of one coordinate"
        many = "one number, for any vector of that kind"
        expect_number(got, want, f"{exact} ({kind})", spoil(dim), many)
        expect_close(got, want, exact, tolerance=1e-6)


def _spoiled_normal_lengths(dim: int) -> Slips:
    root = math.sqrt(dim)
    mean_length = math.sqrt(2) * math.exp(math.lgamma((dim + 1) / 2) - math.lgamma(dim / 2))
    return [
        (dim, "that is the mean squared length: take its root"),
        (dim**2, "the root of dim, not its square"),
        (math.sqrt(dim / 3), "1/3 belongs to the uniform noise: here the mean square is 1"),
        (dim / 3, "1/3 belongs to the uniform noise: here the mean square is 1"),
        (mean_length, "the root of the mean square; the mean length is a little below it"),
        (math.sqrt(dim - 1), "dim coordinates, each with mean square 1: no minus 1"),
        (dim * math.sqrt(2 / math.pi), "squares are summed, not absolute values, and then a root"),
        (math.sqrt(2 / math.pi) * root, "the mean of z² is 1; of |z| it would be 0.798"),
        (1, "each coordinate adds 1: dim of them"),
        (0, "coordinates are 0 on average, but their squares are not"),
        (1 / root, "the root of dim, not 1 divided by it"),
        (dim / 2, "the root of dim: math.sqrt, or ** 0.5"),
        (math.log(dim), "the root of dim, not its logarithm"),
    ]


def _spoiled_uniform_lengths(dim: int) -> Slips:
    root = math.sqrt(dim)
    third = "uniform in [-1, 1): the mean square of a coordinate is 1/3"
    wide = f"{third}; 1/12 belongs to a width of 1"
    return [
        (root, f"{third}, not 1"),
        (dim / 3, "that is the mean squared length: take its root"),
        (dim, f"{third}, not 1, and a root is missing"),
        (root / 3, "the 1/3 stands under the root"),
        (math.sqrt(dim / 12), wide),
        (dim / 12, f"{wide}, and a root is missing"),
        (root / 12, wide),
        (root / 2, f"{third}; 1/2 is that of |z|"),
        (math.sqrt(dim / 2), f"{third}; 1/2 is that of |z|"),
        (dim / 2, f"{third}; 1/2 is that of |z|, and a root is missing"),
        (math.sqrt(3 * dim), "divide by 3, do not multiply"),
        (root * 3, "the 1/3 stands under the root: divide by 3"),
        (math.sqrt(2 * dim / 3), "the integral of z² is 2/3: divide it by the width, 2"),
        (math.sqrt(dim / 6), f"{third}, not 1/6"),
        (math.sqrt(dim) / math.sqrt(4), third),
        (1 / 3, "each coordinate adds 1/3: dim of them, and then the root"),
        (math.sqrt(1 / 3), "each coordinate adds 1/3: dim of them, under the root"),
        (0, "coordinates are 0 on average, but their squares are not"),
    ]


# 06.3 -----------------------------------------------------------------------------------------


def lerp(a, b, t):
    t = t[:, None]
    return (1 - t) * a + t * b


def ask_lerp(answer: Any) -> None:
    four = [[1.0, -2.0, 0.5, 3.0], [-1.0, 1.0, 2.0, 0.5], [0.0, 0.25, 0.7, 1.0]]
    three = [[2.0, 0.0, -1.0], [0.5, 1.5, 1.0], [0.4, 0.9]]
    for question in (four, three):
        a, b, t = map(torch.tensor, question)
        hint = "(1 - t) · a + t · b, with a row for each t"
        _expect_path(answer, a, b, t, lerp(a, b, t), hint, _spoiled_lines(a, b, t))


def _expect_path(
    answer: Any, a: Tensor, b: Tensor, t: Tensor, want: Tensor, hint: str, slips: Slips
) -> None:
    """`answer` leads from `a` to `b`, a row for each `t`, and leaves all three as they are."""
    got = ask_and_keep(answer, NEW_TENSOR, a=a, b=b, t=t)
    count, dim = len(t), len(a)
    column = "a row for each t: t[:, None] makes it a column"
    shapes = {
        (count,): "whole latents, (count, dim), not one number for each t",
        (dim,): column,
        (dim, count): f"{column}, t[None, :] a row",
        (count, 1, dim): "rows only, (count, dim)",
        (): "a latent for each t, (count, dim)",
    }
    expect_tensor(got, (count, dim), column, shapes)
    if count == dim:
        slips = [*slips, (want.T, column)]
    expect_close(got, want, hint, slips=slips)


def _spoiled_lines(a: Tensor, b: Tensor, t: Tensor) -> Slips:
    want, column = lerp(a, b, t), t[:, None]
    even = torch.linspace(0, 1, len(t))
    to_b = "at t = 0 it is a, and at t = 1 it is b"
    return [
        (lerp(b, a, t), f"{to_b}: swap the two"),
        (a + column * b, f"{to_b}: a has the factor 1 - t"),
        (a + column * (a - b), f"{to_b}: a + t · (b - a), not (a - b)"),
        (b + column * (b - a), f"{to_b}: begin with a, not with b"),
        (column * (b - a), f"{to_b}: a + t · (b - a), begin with a"),
        ((1 - column) * a - column * b, "plus t · b, not minus"),
        ((1 - column) * a, f"{to_b}: plus t · b"),
        (column * b, f"{to_b}: plus (1 - t) · a"),
        ((column - 1) * a + column * b, "1 - t, not t - 1"),
        (1 - column * a + column * b, "brackets: (1 - t) * a"),
        ((1 - column) * (a + column * b), "brackets: (1 - t) · a, and then plus t · b"),
        ((a + b).expand_as(want) / 2, f"{to_b}: that is the middle for every t"),
        (lerp(a, b, even), "the t that are given: they need not be evenly spaced"),
        (slerp(a, b, t), "a straight line here: the arc comes next"),
        (F.normalize(want, dim=1), "no division by the length"),
        (lerp(a, b, column[:, 0] ** 2), "t itself, not its square"),
        (lerp(a, b, 3 * t**2 - 2 * t**3), "t itself: an even pace, no easing"),
        (want / 2, "a weighted mean already: the weights 1 - t and t sum to 1"),
    ]


# 06.4 -----------------------------------------------------------------------------------------


def slerp(a, b, t):
    cosine = torch.dot(a / a.norm(), b / b.norm())
    angle = torch.acos(cosine.clamp(-1, 1))
    t = t[:, None]
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


def ask_slerp(answer: Any) -> None:
    acute = [[0.5, 1.0, -0.5], [1.5, 0.25, 0.5], [0.0, 0.3, 1.0]]
    obtuse = [[2.0, 0.0, -1.0, 1.0], [-1.0, 1.0, 2.0, 0.5], [0.2, 0.5, 0.75, 0.9, 1.0]]
    for question in (acute, obtuse):
        a, b, t = map(torch.tensor, question)
        hint = "(sin((1 - t) · angle) · a + sin(t · angle) · b) / sin(angle), a row for each t"
        _expect_path(answer, a, b, t, slerp(a, b, t), hint, _spoiled_arcs(a, b, t))


def _spoiled_arcs(a: Tensor, b: Tensor, t: Tensor) -> Slips:
    want, straight, column = slerp(a, b, t), lerp(a, b, t), t[:, None]
    unit_a, unit_b = a / a.norm(), b / b.norm()
    cosine = torch.dot(unit_a, unit_b)
    angle = torch.acos(cosine)
    lengths = (1 - column) * a.norm() + column * b.norm()

    def arc(angle: Tensor, a: Tensor = a, b: Tensor = b, wave: Any = torch.sin) -> Tensor:
        return (wave((1 - column) * angle) * a + wave(column * angle) * b) / wave(angle)

    both = "the cosine is that of unit vectors: a / a.norm() and b / b.norm()"
    weights = "the weights are sin((1 - t) · angle) and sin(t · angle), over sin(angle)"
    themselves = "a and b themselves are mixed: only the cosine is that of unit vectors"
    uneven = "that takes uneven steps along the arc"
    even = torch.linspace(0, 1, len(t))
    return [
        (straight, f"that is the straight line: {weights}"),
        (slerp(b, a, t), "at t = 0 it is a, and at t = 1 it is b: swap the two"),
        (want * angle.sin(), "divide by sin(angle)"),
        (want * angle.sin() / angle, "divide by sin(angle), not by the angle"),
        (want * angle.sin().square(), "divide by sin(angle), do not multiply"),
        *(
            (arc(torch.acos(wrong.clamp(low, high))), both)
            for wrong in (torch.dot(a, b), torch.dot(unit_a, b), torch.dot(a, unit_b))
            for low, high in ((-1, 1), (-math.inf, math.inf))
        ),
        (arc(torch.acos(torch.dot(a, b) / (a.norm() + b.norm()))), both),
        (arc(torch.acos(torch.dot(a, b) / (a.norm() * b.norm()).sqrt())), both),
        (arc(cosine), "that is the cosine: torch.acos of it is the angle"),
        (arc(torch.cos(cosine)), "torch.acos, not cos: from the cosine to the angle"),
        (arc(torch.asin(cosine)), "torch.acos, not asin: the product of unit vectors is a cosine"),
        (arc(torch.rad2deg(angle)), "torch.sin takes radians, as acos gives them: no degrees"),
        (arc(torch.deg2rad(angle)), "torch.acos gives radians already"),
        (arc(angle, wave=torch.cos), f"sines, not cosines: {weights}"),
        (
            (torch.sin(1 - column) * angle * a + torch.sin(column) * angle * b) / angle.sin(),
            "the angle stands inside the sine: sin(t * angle)",
        ),
        (
            torch.sin((1 - column) * angle) * a + torch.sin(column * angle) * b / angle.sin(),
            "brackets: sin(angle) divides the whole sum",
        ),
        (arc(angle, unit_a, unit_b), f"{themselves}; at t = 0 it is a"),
        (arc(angle, unit_a, unit_b) * lengths, f"{themselves}; no length apart"),
        (F.normalize(want, dim=1), "no division by the length at the end: at t = 0 it is a"),
        (F.normalize(straight, dim=1), f"{uneven}, and at t = 0 it is a: {weights}"),
        (F.normalize(straight, dim=1) * lengths, f"{uneven}: {weights}"),
        (
            F.normalize(straight, dim=1) * (a.norm() + b.norm()) / 2,
            f"{uneven}, all at one length: {weights}",
        ),
        (slerp(a, b, even), "the t that are given: they need not be evenly spaced"),
        (slerp(a, -b, t), "plus sin(t · angle) · b, not minus"),
    ]


# 06.5 -----------------------------------------------------------------------------------------


def principal_directions(latents, activations, count):
    centred = activations - activations.mean(dim=0)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    coordinates = centred @ axes[:count].T
    directions = coordinates.T @ latents
    return directions / directions.norm(dim=1, keepdim=True)


def ask_principal_directions(answer: Any) -> None:
    for latents, activations, count in (
        (*_activate(50, 3, 6, seed=12), 2),
        (*_activate(40, 4, 5, seed=4), 1),
    ):
        given = {"latents": latents, "activations": activations, "count": count}
        got = ask_and_keep(answer, NEW_TENSOR, **given)
        want = principal_directions(latents, activations, count)
        _expect_direction_shape(got, latents, activations, count)
        if got.is_complex():
            real = "a covariance is symmetric: torch.linalg.eigh, not eig"
            raise WrongAnswer("real numbers", "complex ones", real)
        got = got.detach().cpu().to(torch.float64)
        lengths = got.norm(dim=1, keepdim=True)
        if torch.allclose(_turn(got / lengths, want), want, rtol=1e-2, atol=1e-2):
            unit = "divide each direction by its length: norm(dim=1, keepdim=True)"
            expect_close(lengths[:, 0], torch.ones(count), unit, tolerance=1e-3)
        hint = "axes of the centred activations, each regressed to the latents, largest first"
        slips = _spoiled_directions(latents, activations, count)
        turned = [(_turn(wrong, got), why) for wrong, why in slips if wrong.shape == got.shape]
        expect_close(got, _turn(want, got), hint, tolerance=1e-2, slips=turned)


def _activate(count: int, dim: int, features: int, seed: int) -> tuple[Tensor, Tensor]:
    """Latents, and activations with a mean far from 0 and variances far from each other."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    spreads = torch.linspace(1.5, 0.7, dim, dtype=torch.float64)
    latents = draw(count, dim) * spreads + 1
    mix, _ = torch.linalg.qr(draw(features, features))
    turn, _ = torch.linalg.qr(draw(dim, dim))
    turned = latents @ turn
    inner = torch.cat([turned, turned[:, : features - dim].square()], dim=1)
    sizes = 8 * 0.3 ** torch.arange(features, dtype=torch.float64)
    return latents, (inner * sizes) @ mix + 4 * draw(features)


def _expect_direction_shape(got: Any, latents: Tensor, activations: Tensor, count: int) -> None:
    (number, dim), features = latents.shape, activations.shape[1]
    back = "those are axes among activations: coordinates.T @ latents leads back"
    shapes = {
        (dim, count): "a row for each direction: transpose it",
        (dim,): "(count, dim) for a single direction, too: no squeeze",
        (features, dim): "`count` directions only: axes[:count]",
        (dim, dim): "`count` directions only",
        (number, dim): "a row for each direction: coordinates.T @ latents",
        (count, features): back,
        (features, count): back,
        (number, count): "those are the coordinates: coordinates.T @ latents leads back",
        (count,): "whole directions, (count, dim)",
        (count - 1, dim): "`count` directions: axes[:count]",
        (count + 1, dim): "`count` directions: axes[:count]",
    }
    expect_tensor(got, (count, dim), "a row of length dim for each direction", shapes)


def _turn(rows: Tensor, like: Tensor) -> Tensor:
    """The same rows, each with the sign that brings it nearer to its row in `like`."""
    products = (rows * like).sum(dim=1, keepdim=True)
    return torch.where(products < 0, -rows, rows)


def _spoiled_directions(latents: Tensor, activations: Tensor, count: int) -> Slips:
    centred = activations - activations.mean(dim=0)
    axes, raw_axes = _find_axes(centred), _find_axes(activations)

    def back(coordinates: Tensor) -> Tensor:
        return F.normalize(coordinates.T @ latents, dim=1)

    def of(rows: Tensor) -> Tensor:
        return back(rows @ _find_axes(rows)[:count].T)

    coordinates = centred @ axes[:count].T
    directions = coordinates.T @ latents
    smallest = axes.flip(0)[:count]
    mean = "subtract from each activation its own mean first: over the samples, dim=0"
    largest = "the largest variance first: eigh begins with the smallest, svd with the largest"
    own = "the axes of the activations, not those of the latents"
    other = "regress the latents on the coordinates, not the coordinates on the latents"
    return [
        (of(activations), mean),
        (back(centred @ raw_axes[:count].T), f"{mean}, before the axes are found"),
        (back(activations @ axes[:count].T), f"{mean}, for the coordinates as well"),
        (of(activations - activations.mean()), mean),
        (of(activations - activations.mean(dim=1, keepdim=True)), mean),
        (
            of(centred / activations.std(dim=0)),
            "no division by the standard deviation: subtract the mean",
        ),
        (back(centred @ smallest.T), largest),
        (back(centred @ smallest.flip(0).T), largest),
        (back(coordinates.flip(1)), largest),
        (back(centred @ axes[:, :count]), "svd gives the axes as rows: axes[:count]"),
        (_find_axes(latents - latents.mean(dim=0))[:count], own),
        (_find_axes(latents)[:count], own),
        *((F.normalize(_regress(x, coordinates).T, dim=1), other) for x in _with_centred(latents)),
        (directions / directions.norm(dim=0), "each direction by its own length: dim=1"),
        (directions / directions.norm(), "each direction by its own length: norm(dim=1, ...)"),
        (back(centred[:, :count]), "the axes of largest variance, not the first activations"),
    ]


def _find_axes(rows: Tensor) -> Tensor:
    return torch.linalg.svd(rows, full_matrices=False).Vh


def _regress(known: Tensor, wanted: Tensor) -> Tensor:
    return torch.linalg.lstsq(known, wanted).solution


def _with_centred(latents: Tensor) -> tuple[Tensor, Tensor]:
    return latents, latents - latents.mean(dim=0)


# 06.6 -----------------------------------------------------------------------------------------


def attribute_direction(latents, scores):
    order = scores.argsort()
    tenth = len(scores) // 10
    return latents[order[-tenth:]].mean(dim=0) - latents[order[:tenth]].mean(dim=0)


def ask_attribute_direction(answer: Any) -> None:
    for number, dim in ((37, 4), (20, 3)):
        latents = torch.randn(number, dim) + 0.5
        scores = (0.1 + 0.8 * torch.linspace(0, 1, number) ** 2)[torch.randperm(number)]
        got = ask_and_keep(answer, NEW_TENSOR, latents=latents, scores=scores)
        tenth, over = number // 10, "the mean over the latents: dim=0"
        shapes = {
            (): f"{over}, of the latents themselves",
            (1, dim): f"{over} without keepdim, (dim,)",
            (tenth,): over,
            (tenth, dim): over,
            (number, dim): f"{over}, of a tenth with the highest and a tenth with the lowest",
            (number,): over,
            (2, dim): "one direction: highest minus lowest",
        }
        expect_tensor(got, (dim,), over, shapes)
        hint = f"mean latent of the {tenth} highest scores minus that of the {tenth} lowest"
        slips = _spoiled_attributes(latents, scores)
        expect_close(got, attribute_direction(latents, scores), hint, slips=slips)


def _spoiled_attributes(latents: Tensor, scores: Tensor) -> Slips:
    want, order = attribute_direction(latents, scores), scores.argsort()
    number, tenth = len(scores), len(scores) // 10
    high, low = latents[order[-tenth:]], latents[order[:tenth]]
    sorted_ = "by their scores: latents[order[...]], with order = scores.argsort()"
    minus = "minus the mean of the tenth with the lowest scores"
    edge = "all of the tenth: order[-tenth:] and order[:tenth]"
    bound = "a tenth of the latents, not a fixed bound for the score"

    def between(first: Tensor, second: Tensor) -> Tensor:
        return latents[first].mean(dim=0) - latents[second].mean(dim=0)

    above = scores > scores.median()
    return [
        (-want, "the highest minus the lowest: swap the two"),
        (want * tenth, "the mean of each tenth, not the sum"),
        (want / tenth, "divided by their number twice"),
        (high.mean(dim=0), minus),
        (low.mean(dim=0), "the mean of the highest minus that of the lowest"),
        (high.mean(dim=0) + low.mean(dim=0), "minus, not plus"),
        (high.mean(dim=0) - latents.mean(dim=0), f"{minus}, not that of all"),
        (F.normalize(want, dim=0), "as long as it comes: no division by its length"),
        (want / 2, "the difference of the means, not half of it"),
        (latents[-tenth:].mean(dim=0) - latents[:tenth].mean(dim=0), sorted_),
        (latents[:tenth].mean(dim=0) - latents[-tenth:].mean(dim=0), sorted_),
        (between(order.argsort()[-tenth:], order.argsort()[:tenth]), "argsort once, not twice"),
        (between(order[-tenth:-1], order[:tenth]), edge),
        (between(order[-tenth:-1], order[: tenth - 1]), edge),
        (between(order[-tenth - 1 : -1], order[:tenth]), edge),
        (between(order[-tenth:], order[1 : tenth + 1]), edge),
        (between(order[tenth:], order[:tenth]), edge),
        (between(order[-tenth:], order[:-tenth]), edge),
        (high.median(dim=0).values - low.median(dim=0).values, "the mean, not the median"),
        (between(above, ~above), "a tenth at each end, not a half"),
        (between(scores > 0.5, scores < 0.5), bound),
        (between(scores > 0.5, scores <= 0.5), bound),
        (torch.full_like(want, math.nan), bound),
        *(
            (between(order[-count:], order[:count]), _explain_group(count, number))
            for count in range(1, number // 2 + 1)
        ),
    ]


def _explain_group(count: int, number: int) -> str:
    """The hint for groups of `count` out of `number`, where a tenth was asked for."""
    if count == 1:
        return "the mean of a tenth at each end, not the most extreme one alone"
    if count == number // 2:
        return "a tenth at each end, not a half"
    if count in (number // 4, number // 5, number // 3):
        return "a tenth at each end: len(scores) // 10"
    if count == math.ceil(number / 10):
        return "a tenth, rounded down: len(scores) // 10"
    return f"a tenth at each end, len(scores) // 10; here it was {count} of {number}"


# 06.7 -----------------------------------------------------------------------------------------


def find_latent(G, target, z, steps, lr):
    z = z.clone().requires_grad_()
    solver = torch.optim.Adam([z], lr=lr)
    for _ in range(steps):
        loss = (G(z) - target).square().mean()
        solver.zero_grad()
        loss.backward()
        solver.step()
    return z.detach()


def ask_find_latent(answer: Any) -> None:
    calls = []
    for steps, lr, flipped in ((150, 0.1, 0), (200, 0.07, 2)):  # the second is out of reach
        G, target, z = _hide_latent(flipped)
        got, count = _ask_search(answer, G, target, z, steps, lr)
        _expect_found(got, G, target, z, steps, lr)
        calls.append(count)
    if calls[0] == calls[1] > 0:
        hint = "use the argument: for _ in range(steps)"
        raise WrongAnswer("150 steps, and then 200", f"{calls[0]} and {calls[1]}", hint)


class _Counter(nn.Sequential):
    """A network that counts how often it is asked."""

    calls = 0

    def forward(self, noise: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(noise)


def _hide_latent(flipped: int) -> tuple[_Counter, Tensor, Tensor]:
    """A small G as it is loaded, the picture of a latent, and where to start from.

    That many pixels of the picture are turned round, so that no latent has it.
    """
    generator = torch.Generator().manual_seed(0)
    G = _Counter(nn.Linear(4, 12), nn.Tanh(), nn.Unflatten(1, (1, 3, 4))).requires_grad_(False)
    for weight in G.parameters():
        weight.copy_(0.6 * torch.randn(weight.shape, generator=generator))
    hidden, z = (torch.randn(1, 4, generator=generator) for _ in range(2))
    target = G(hidden)
    target[..., 0, :flipped] = -target[..., 0, :flipped].sign()
    G.calls = 0
    return G, target, z


def _ask_search(
    answer: Any, G: _Counter, target: Tensor, z: Tensor, steps: int, lr: float
) -> tuple[Tensor, int]:
    """The latent that `answer` finds, and how often it asked G; neither G nor z may change."""
    weights = [weight.clone() for weight in G.parameters()]
    with explained(
        (
            "does not require grad",
            "a loss that leads back to z",
            "one cut off from it",
            "z.clone().requires_grad_() first; in the loop no .item(), no detach, no no_grad",
        ),
        (
            "a second time",
            "a new loss in each step",
            "the first one again",
            "G(z) and the loss belong inside the loop: z has moved",
        ),
        (
            "non-leaf",
            "a z of its own for the solver",
            "one computed from another",
            "first clone, then requires_grad_: z.clone().requires_grad_()",
        ),
        (
            "mat1 and mat2",
            "pictures from the G that is given",
            "another network",
            "G(z), with the G in the brackets of find_latent",
        ),
        ("iterable of Tensors", "a list for the solver", "a tensor", "Adam([z], lr=lr)"),
    ):
        keep = "search with a copy: z.clone().requires_grad_(); detach() alone makes none"
        got = ask_and_keep(answer, keep, G=G, target=target, z=z, steps=steps, lr=lr)
    calls = G.calls
    if not all(map(torch.equal, G.parameters(), weights)):
        raise WrongAnswer(
            "G unchanged", "other weights", "the solver moves z alone: Adam([z], ...)"
        )
    shapes = {
        (): "return z, not the loss",
        tuple(target.shape): "return z, not its picture",
        (4,): "z keeps its shape, (1, dim)",
    }
    expect_tensor(got, (1, 4), "z keeps its shape, (1, dim)", shapes)
    if got.requires_grad:
        raise WrongAnswer("a plain tensor", "one that requires grad", "return z.detach()")
    return got.cpu().to(z.dtype), calls


def _expect_found(
    got: Tensor, G: nn.Module, target: Tensor, z: Tensor, steps: int, lr: float
) -> None:
    """The picture of `got` is nearly as near to the target as a right search comes."""

    def error(latent: Tensor) -> float:
        return (G(latent) - target).square().mean().item()

    best, start, came = error(find_latent(G, target, z, steps, lr)), error(z), error(got)
    bound = best + 0.05 * (start - best)
    if not came < bound:
        hint = _explain_search(got, G, target, z, steps, lr)
        if not hint:
            hint = "the loss is the mean of (G(z) - target)²; backward, then step, `steps` times"
            hint = "the error grew: make it small, with no minus" if came > start else hint
        raise WrongAnswer(f"a mean squared error below {bound:.2g}", f"{came:.2g}", hint)


def _explain_search(
    got: Tensor, G: nn.Module, target: Tensor, z: Tensor, steps: int, lr: float
) -> str:
    """The hint for a search that went astray in a known way; "" if in none."""
    if torch.equal(got, z):
        return "z came back as it was: loss.backward() and solver.step(), of Adam([z], lr=lr)"

    def search(loss: Callable[[Tensor], Tensor], steps: int = steps, clear: bool = True) -> Tensor:
        moving = z.clone().requires_grad_()
        solver = torch.optim.Adam([moving], lr=lr)
        for _ in range(steps):
            if clear:
                solver.zero_grad()
            loss(G(moving)).backward()
            solver.step()
        return moving.detach()

    def square(picture: Tensor) -> Tensor:
        return (picture - target).square().mean()

    each = "square each difference, and then the mean"
    known = [
        (search(lambda picture: -square(picture)), "the error grew: make it small, with no minus"),
        (search(square, clear=False), "gradients add up: solver.zero_grad() before backward"),
        (search(square, steps=1), "one step only: the return comes after the loop"),
        (search(lambda picture: (picture - target).mean()), f"{each}: without it errors cancel"),
        (search(lambda picture: (picture - target).mean().square()), each),
        (search(lambda picture: (picture - target).abs().mean()), f"{each}, no absolute values"),
        (search(lambda picture: picture.square().mean()), "the target is missing in the loss"),
    ]
    return next((hint for latent, hint in known if torch.allclose(got, latent, 1e-2, 1e-2)), "")


# 06.8 -----------------------------------------------------------------------------------------


def belief_along(G, D, path):
    with torch.no_grad():
        return torch.sigmoid(D(G(path))).flatten()


def ask_belief_along(answer: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    G = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Unflatten(1, (1, 2, 3)))
    D = nn.Sequential(nn.Flatten(), nn.Linear(6, 1))
    with torch.no_grad():
        for weight in (*G.parameters(), *D.parameters()):
            weight.copy_(torch.randn(weight.shape, generator=generator))
    longer = torch.randn(5, 6, generator=generator)
    for path in (longer, longer[:1]):
        got = ask_and_keep(answer, NEW_TENSOR, G=G, D=D, path=path)
        count = len(path)
        row = "a plain row: flatten() makes (count,) of (count, 1)"
        shapes = {
            (count, 1): row,
            (1, count): row,
            (): "one probability for each latent, in a path of one as well: flatten(), no mean",
            (count, 1, 2, 3): "that is what G shows: D judges it",
            (count, 6): "D judges what G shows: D(G(path))",
        }
        expect_tensor(got, (count,), "one probability for each latent of the path", shapes)
        hint = "sigmoid of D's score of G(path)"
        expect_close(got, belief_along(G, D, path), hint, slips=_spoiled_beliefs(G, D, path))
        if got.requires_grad:
            kept = "nothing is trained here: with torch.no_grad()"
            raise WrongAnswer("plain numbers", "a tensor that requires grad", kept)


@torch.no_grad()
def _spoiled_beliefs(G: nn.Module, D: nn.Module, path: Tensor) -> Slips:
    pictures = G(path)
    scores = D(pictures).flatten()
    belief = scores.sigmoid()
    end = "the sigmoid comes at the end: torch.sigmoid(D(G(path)))"
    one = "each score has its own probability: sigmoid, no softmax"
    slips = [
        (scores, "those are logits: torch.sigmoid makes probabilities of them"),
        (1 - belief, "the probability that it is real: sigmoid(D), not 1 minus it"),
        (belief.sigmoid(), "one sigmoid, not two"),
        (belief.log(), "probabilities, without a logarithm"),
        (D(pictures.sigmoid()).flatten(), end),
        (D(pictures.sigmoid()).flatten().sigmoid(), "one sigmoid, at the end: D(G(path)) first"),
        (D(path).flatten(), "D judges pictures: D(G(path))"),
        (D(path).flatten().sigmoid(), "D judges pictures: D(G(path))"),
        (torch.ones_like(belief), one),
        (scores.softmax(dim=0), one),
        (scores.tanh(), "torch.sigmoid, not tanh: from 0 to 1"),
        (scores.clamp(0, 1), "torch.sigmoid, and of that no clamp, no rounding"),
        (belief.round(), "the probability itself: no rounding"),
        (100 * belief, "from 0 to 1, no percent"),
        (scores.relu(), "torch.sigmoid, not relu"),
        (pictures.flatten(1).mean(dim=1), "D judges the pictures: D(G(path))"),
        (pictures.flatten(1).mean(dim=1).sigmoid(), "D judges the pictures: D(G(path))"),
    ]
    if len(path) > 1:
        slips += [
            (belief.mean().expand_as(belief), "one probability for each latent: no mean"),
            (belief.flip(0), "in the order of the path"),
            (belief.sort().values, "in the order of the path: no sorting"),
        ]
    return slips


# 06.9 -----------------------------------------------------------------------------------------


def base64_size(count):
    return 4 * math.ceil(2 * count / 3)


def ask_base64_size(answer: Any) -> None:
    for count in (100, 101, 300, 238529):
        size = 2 * count
        groups = "3 bytes become 4 characters, not the other way round"
        filled = "the last group is filled up: round up the number of groups, math.ceil"
        last = "first round up the groups of 3 bytes, then 4 characters for each"
        slips = [
            (size, "those are the bytes: each 3 of them become 4 characters"),
            (4 * count, "half precision: 2 bytes for a weight; then 3 bytes become 4 characters"),
            (4 * math.ceil(4 * count / 3), "half precision: 2 bytes for a weight, not 4"),
            (4 * math.ceil(count / 3), "each weight takes 2 bytes: 2 * count of them"),
            (4 * math.ceil(8 * count / 3), "half precision: 16 bits are 2 bytes"),
            (16 * math.ceil(count / 3), "half precision: 16 bits are 2 bytes, 2 * count of them"),
            (4 * size / 3, filled),
            (4 * (size // 3), filled),
            (4 * round(size / 3), filled),
            (4 * (size // 3 + 1), f"{filled}; if none is left over, none is added"),
            (math.ceil(4 * size / 3), last),
            (4 * size // 3, last),
            (round(4 * size / 3), last),
            (math.ceil(4 / 3) * size, last),
            (3 * math.ceil(size / 4), groups),
            (3 * size / 4, groups),
            (math.ceil(size / 3), "4 characters for each group of 3 bytes"),
            (2 * 4 * math.ceil(count / 3), "round up once, at the end of all 2 * count bytes"),
        ]
        hint = "4 characters for each group of 3 bytes; a weight has 2 bytes, the last is filled up"
        _expect_whole(answer(count), base64_size(count), hint, slips)


def _expect_whole(got: Any, want: int, hint: str, slips: Slips) -> None:
    """`got` is the whole number `want`, to the last digit."""
    expect_number(got, want, hint, slips, "one number")
    expect_close(got, want, hint, tolerance=1e-9, slips=slips)
    if isinstance(got, float) or (isinstance(got, Tensor) and got.is_floating_point()):
        whole = "characters are counted: an int, as math.ceil and // give it"
        raise WrongAnswer(f"the whole number {want}", "a float", whole)


EXERCISES = [
    Exercise("06.1", sweep, ask_sweep),
    Exercise("06.2", typical_length, ask_typical_length),
    Exercise("06.3", lerp, ask_lerp),
    Exercise("06.4", slerp, ask_slerp),
    Exercise("06.5", principal_directions, ask_principal_directions),
    Exercise("06.6", attribute_direction, ask_attribute_direction),
    Exercise("06.7", find_latent, ask_find_latent),
    Exercise("06.8", belief_along, ask_belief_along),
    Exercise("06.9", base64_size, ask_base64_size),
]
