"""Lesson 5, judging a generator: each exercise's reference, and what its check asks.

References are written as the lesson teaches them, and equal the solutions in
`solutions/05_judging.py` line by line (`make check` compares). Where numbers of like size are
subtracted or roots are taken of what may be 0, the questions are float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..checks import WrongAnswer, expect_close
from .exercise import Exercise

Slips = list[tuple[Any, str]]  # what a common mistake leads to, and the hint that mends it

# 05.1 -----------------------------------------------------------------------------------------


def classifier_score(probabilities):
    overall = probabilities.mean(dim=0)
    divergence = (probabilities * (probabilities / overall).log()).sum(dim=1)
    return divergence.mean().exp()


def ask_classifier_score(answer: Any) -> None:
    few = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.1, 0.3], [0.2, 0.2, 0.6]])
    sure = (1 + 22 * torch.eye(10)[[0, 0, 1, 2, 3]]) / 32
    for probabilities in (few, sure):
        _expect_number(
            answer(probabilities.clone()),
            classifier_score(probabilities),
            "exp of the mean of KL(p(y|x) ‖ p(y)), where p(y) is the mean over the images",
            _spoiled_scores(probabilities),
            "sum over the classes (dim=1), then the mean over the images, then exp",
        )


def _spoiled_scores(p: Tensor) -> Slips:
    overall = p.mean(dim=0)
    ratio = (p / overall).log()
    kl = (p * ratio).sum(dim=1)
    reverse = (overall * ratio).sum(dim=1).mean()
    across = p.mean(dim=1, keepdim=True)
    sharpness, entropy = (p * p.log()).sum(dim=1).mean(), -(overall * overall.log()).sum()
    weighted = "weigh each logarithm by p(y|x), not by p(y): KL the other way round is another"
    divided = "the logarithm is of p(y|x) / p(y): divide by p(y)"
    return [
        (kl.mean(), "the last step is missing: exp of the mean"),
        ((kl.mean() / math.log(2)).exp(), "the natural logarithm, torch.log: exp undoes no other"),
        ((kl.mean() / math.log(10)).exp(), "the natural logarithm, torch.log: exp undoes no other"),
        (kl.exp().mean(), "first the mean over the images, then exp"),
        (kl.sum().exp(), "the mean over the images, not the sum"),
        ((-kl.mean()).exp(), "p(y|x) stands above p(y) in the logarithm, and no minus before it"),
        ((-reverse).exp(), weighted),
        (reverse.exp(), weighted),
        (ratio.sum(dim=1).mean().exp(), "each logarithm has a weight: multiply by p(y|x)"),
        ((p * ratio).mean().exp(), "over the classes the sum, not the mean"),
        ((p * ratio).sum(dim=0).mean().exp(), "the sum goes over the classes, dim=1"),
        (
            (p * (p / across).log()).sum(dim=1).mean().exp(),
            "p(y) is the mean over the images: dim=0",
        ),
        (sharpness.exp(), divided),
        ((-sharpness).exp(), divided),
        (entropy.exp(), "that is p(y) alone; how sure each p(y|x) is counts, too"),
        (classifier_score(p.softmax(dim=1)), "these are probabilities already: no softmax"),
    ]


# 05.2 -----------------------------------------------------------------------------------------


def spread_of_classes(classes):
    shares = torch.bincount(classes, minlength=10) / len(classes)
    kl = torch.xlogy(shares, 10 * shares).sum()
    return shares, kl


def ask_spread_of_classes(answer: Any) -> None:
    every = torch.tensor([0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9])
    missing = torch.tensor([7, 1, 7, 1, 1])
    for classes in (every, missing):
        wants = want, want_kl = spread_of_classes(classes)
        shares, kl = _expect_pair(answer(classes.clone()), "(shares, kl)", wants)
        counts = torch.bincount(classes, minlength=10)
        slips = [
            (counts, "divide by the number of samples: shares sum to 1"),
            (counts / 10, "divide by the number of samples, not of classes"),
            (counts // len(classes), "// leaves whole numbers: divide with /"),
        ]
        ten = "one share for each of ten classes, those that are missing too: minlength=10"
        _expect_shape(shares, want, "shares", ten)
        hint = "how often each class comes up, divided by the number of samples"
        expect_close(shares, want, hint, slips=slips)
        hint = "the sum of share · log(10 · share); a share of 0 adds 0"
        _expect_number(kl, want_kl, hint, _spoiled_spreads(want), "the sum over the classes")


def _spoiled_spreads(shares: Tensor) -> Slips:
    kl = torch.xlogy(shares, 10 * shares).sum()
    entropy = -torch.xlogy(shares, shares).sum()
    compared = "compare with equal shares of 1/10: the logarithm of 10 · share"
    return [
        (math.nan, "0 · log 0 is NaN here: torch.xlogy(a, b) is a · log b, and 0 where a is 0"),
        (entropy, f"that is the entropy; {compared}"),
        (-entropy, compared),
        (torch.xlogy(shares, shares / 10).sum(), f"{compared}, not share / 10"),
        (-kl, "the other sign: a divergence is never below 0"),
        (
            (0.1 * (0.1 / shares).log()).sum(),
            "the other way round: weigh by the shares, and have them above 1/10 in the logarithm",
        ),
        (kl / math.log(2), "the natural logarithm"),
        (kl / math.log(10), "the natural logarithm"),
        (kl / 10, "the sum over the classes, not the mean"),
        (10 * kl, "10 · share in the logarithm; before it the share alone"),
        ((10 * shares).log().sum(), "each logarithm has a weight: multiply by the share"),
        (kl.exp(), "no exp here"),
        (
            torch.xlogy(shares, (shares > 0).sum() * shares).sum(),
            "compare with all ten classes, not only with those that came up",
        ),
    ]


# 05.3 -----------------------------------------------------------------------------------------


def fit_gaussian(features):
    mean = features.mean(dim=0)
    centred = features - mean
    covariance = centred.T @ centred / (len(features) - 1)
    return mean, covariance


def ask_fit_gaussian(answer: Any) -> None:
    five = [[1, 2, 0], [3, 1, 1], [2, 4, 5], [0, 0, 2], [4, 3, -3]]  # images; three features
    three = [[2, 1, 0, 1, 3], [4, 0, 1, 1, 0], [0, 2, 2, 4, 1]]  # three images; five features
    for rows in (five, three):
        features = torch.tensor(rows, dtype=torch.float64)
        wants = want_mean, want = fit_gaussian(features)
        got = answer(features.clone())
        mean, covariance = _expect_pair(got, "(mean, covariance)", wants)

        over_images = "one mean for each feature: over the images, dim=0"
        _expect_shape(mean, want_mean, "the mean", over_images)
        slips = [(features.sum(dim=0), "the mean, not the sum")]
        expect_close(mean, want_mean, over_images, slips=slips)

        count, size = features.shape
        shapes = {
            (count, count): "features with features: the transposed one comes first, as in A.T @ A",
            (size,): "variances are its diagonal only: features go together, A.T @ A",
        }
        square = "one number for each pair of features: A.T @ A"
        _expect_shape(covariance, want, "the covariance", square, shapes)
        hint = "features minus their mean, A; then A.T @ A, divided by N - 1"
        expect_close(covariance, want, hint, slips=_spoiled_covariances(features))


def _spoiled_covariances(features: Tensor) -> Slips:
    (count, size), (_, covariance) = features.shape, fit_gaussian(features)
    deviations = covariance.diag().sqrt()
    raw = features.T @ features
    of_rows = features - features.mean(dim=1, keepdim=True)
    of_all = features - features.mean()
    minus_mean = "subtract the mean first"
    each_mean = "subtract from each feature its own mean: over the images, dim=0"
    by_images = "divide by the number of images minus 1, not of features"
    return [
        (covariance * (count - 1) / count, "divide by N - 1, not by N"),
        (covariance * (count - 1), "divide by N - 1"),
        (covariance * (count - 1) / size, by_images),
        (covariance * (count - 1) / (size - 1), by_images),
        (raw / (count - 1), minus_mean),
        (raw / count, f"{minus_mean}, and divide by N - 1"),
        (raw, f"{minus_mean}, and divide by N - 1"),
        (of_rows.T @ of_rows / (count - 1), each_mean),
        (of_all.T @ of_all / (count - 1), each_mean),
        (covariance / deviations / deviations[:, None], "that is the correlation: do not rescale"),
        (covariance.diag().diag(), "features go together: A.T @ A, not the variances alone"),
        (covariance.sqrt(), "no square root: covariances, not standard deviations"),
    ]


# 05.4 -----------------------------------------------------------------------------------------


def root_trace(cov1, cov2):
    values, vectors = torch.linalg.eigh(cov1)
    root = vectors * values.clamp(min=0).sqrt()
    return torch.linalg.eigvalsh(root.T @ cov2 @ root).clamp(min=0).sqrt().sum()


def ask_root_trace(answer: Any) -> None:
    commuting = [torch.tensor(d, dtype=torch.float64).diag() for d in ([1, 4, 9], [4, 1, 1])]
    for cov1, cov2 in (commuting, _covariances()):  # the first: 2 + 2 + 3, the number to know
        _expect_root(answer(cov1.clone(), cov2.clone()), cov1, cov2)
    flat, full = _flat(cov1), cov2
    for cov1, cov2 in ((flat, full), (full, flat)):
        try:
            got = answer(cov1.clone(), cov2.clone())
        except torch.linalg.LinAlgError:
            raise WrongAnswer(
                "a number for a singular covariance, too",
                "an error of torch.linalg",
                "clamp(min=0) before each square root; eigh takes it, cholesky does not",
            ) from None
        _expect_root(got, cov1, cov2)


def _expect_root(got: Any, cov1: Tensor, cov2: Tensor) -> None:
    hint = "the sum of the roots of the eigenvalues of C1 C2; those below 0 are rounding: clamp"
    if isinstance(got, Tensor) and got.is_complex():
        raise WrongAnswer(
            "a real number", "a complex one", "the eigenvalues are real here: take .real"
        )
    want = root_trace(cov1, cov2)
    slips = [*_spoiled_roots(cov1, cov2), (2 * want, "the factor 2 comes in the next exercise")]
    _expect_number(got, want, hint, slips, "the sum of the roots")


def _spoiled_roots(cov1: Tensor, cov2: Tensor) -> Slips:
    want, product = root_trace(cov1, cov2), cov1 @ cov2
    (values1, vectors1), (values2, vectors2) = torch.linalg.eigh(cov1), torch.linalg.eigh(cov2)
    values1, values2 = values1.clamp(min=0), values2.clamp(min=0)
    root1, root2 = (
        vectors @ values.sqrt().diag() @ vectors.T
        for values, vectors in ((values1, vectors1), (values2, vectors2))
    )
    turned = vectors1.T * values1.sqrt()
    columns, unrooted = vectors1 * values1.sqrt(), vectors1 * values1
    element_wise = "the root of a matrix is not the root of its entries: take eigenvalues"
    apart = "the root of C1 C2 is not the root of C1 times the root of C2"
    scaled = "Aᵀ C2 A, with A = vectors * values.sqrt(): each column has its value"

    def finish(matrix: Tensor) -> Tensor:
        return torch.linalg.eigvalsh(matrix).clamp(min=0).sqrt().sum()

    return [
        (
            math.nan,
            "rounding leaves eigenvalues a hair below 0: clamp(min=0) before each square root",
        ),
        (product.trace(), "a root of each eigenvalue: .sqrt() before .sum()"),
        (product.trace().sqrt(), "the sum of the roots, not the root of the sum"),
        (want / len(cov1), "the sum of the roots, not the mean"),
        (want.square(), "the sum of the roots, nothing squared"),
        (product.sqrt().trace(), element_wise),
        (product.sqrt().sum(), element_wise),
        (cov1.sqrt().mm(cov2.sqrt()).trace(), element_wise),
        ((values1 * values2).sqrt().sum(), "eigenvalues of C1 C2 are no products of theirs"),
        (root1.trace() * root2.trace(), apart),
        ((root1 @ root2).trace(), apart),
        (finish(product), "C1 C2 is not symmetric, and eigvalsh reads half of it: Aᵀ C2 A"),
        (finish(columns @ cov2 @ columns.T), scaled),  # the same as with rows scaled
        (finish(turned.T @ cov2 @ turned), scaled),
        (finish(columns @ cov2 @ columns), "Aᵀ C2 A: the transposed comes first"),
        (finish(unrooted.T @ cov2 @ unrooted), "C1 = A Aᵀ: A holds the roots of the eigenvalues"),
        (root1.trace(), "C2 is missing"),
        (root2.trace(), "C1 is missing: A = vectors * values.sqrt()"),
    ]


def _covariances() -> tuple[Tensor, Tensor]:
    """Two that do not commute; their product has no entry below 0."""
    first = [[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 2.0]]
    second = [[3.0, 0.5, 0.5], [0.5, 2.0, 0.0], [0.5, 0.0, 1.0]]
    return torch.tensor(first, dtype=torch.float64), torch.tensor(second, dtype=torch.float64)


def _flat(covariance: Tensor) -> Tensor:
    """The same with no extent in one direction, where rounding has left a hair below 0."""
    values, vectors = torch.linalg.eigh(covariance)
    values[0] = -1e-10
    flat = vectors * values @ vectors.T
    return (flat + flat.T) / 2


# 05.5 -----------------------------------------------------------------------------------------


def frechet_distance(mean1, cov1, mean2, cov2):
    between = (mean1 - mean2).square().sum()
    return between + cov1.trace() + cov2.trace() - 2 * root_trace(cov1, cov2)


def ask_frechet_distance(answer: Any) -> None:
    mean1, mean2 = torch.tensor([[1.0, 0.0, 2.0], [0.0, 2.0, 2.5]], dtype=torch.float64)
    cov1, cov2 = _covariances()
    for question in ((mean1, cov1, mean2, cov2), (mean1, cov2, mean1, cov2)):
        _expect_number(
            answer(*(part.clone() for part in question)),
            frechet_distance(*question),
            "|m1 - m2|² + tr C1 + tr C2 - 2 tr((C1 C2)^½); two equal Gaussians have 0",
            _spoiled_frechets(*question),
            "one number: squared differences are summed, and of matrices the traces",
        )


def _spoiled_frechets(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> Slips:
    want, root, gap = (
        frechet_distance(mean1, cov1, mean2, cov2),
        root_trace(cov1, cov2),
        mean1 - mean2,
    )
    between, trace1, trace2 = gap.square().sum(), cov1.trace(), cov2.trace()
    shapes = want - between  # what the covariances add
    squared = "the squared length of m1 - m2: square each difference, then sum"
    traces = "the trace of each covariance, not the sum of all its entries"
    return [
        (want + root, "the factor 2 is missing before the trace of the root"),
        (want + 4 * root, "minus 2 tr((C1 C2)^½), not plus"),
        (want + 2 * root, "the trace of the root is missing: - 2 tr((C1 C2)^½)"),
        (shapes + between.sqrt(), f"{squared}, no root"),
        (shapes + gap.abs().sum(), squared),
        (shapes + gap.sum().square(), squared),
        (shapes + gap.sum(), squared),
        (shapes + between / len(gap), f"{squared}; not the mean"),
        (shapes, "the means are missing: |m1 - m2|²"),
        (shapes - between, "plus |m1 - m2|², not minus"),
        (between, "the covariances are missing"),
        (want - trace1, "the trace of C1 is missing"),
        (want - trace2, "the trace of C2 is missing"),
        (want - trace1 - trace2, "the traces of C1 and C2 are missing"),
        (want - 2 * trace2, "plus the trace of C2, not minus"),
        (want + cov1.sum() + cov2.sum() - trace1 - trace2, traces),
        (want.clamp(min=0).sqrt(), "no square root at the end: this is a squared distance"),
        *(
            (between + trace1 + trace2 - 2 * wrong, hint)
            for wrong, hint in _spoiled_roots(cov1, cov2)
        ),
    ]


# 05.6 -----------------------------------------------------------------------------------------


def kernel_distance(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    n, m = len(x), len(y)
    within_x = (kernel(x, x).sum() - kernel(x, x).trace()) / (n * (n - 1))
    within_y = (kernel(y, y).sum() - kernel(y, y).trace()) / (m * (m - 1))
    return within_x + within_y - 2 * kernel(x, y).mean()


def ask_kernel_distance(answer: Any) -> None:
    few = [[2, 0, 1, 0], [1, 0, 2, 1], [2, 1, 1, 0]]
    more = [[0, 1, 0, 1], [0, 2, 1, 1], [1, 1, 0, 0], [0, 2, 0, 2], [0, 0, 0, 1]]
    x, y = (torch.tensor(rows, dtype=torch.float64) for rows in (few, more))
    for first, second in ((x, y), (y, x), (x, x)):  # the last: below 0, as it may be
        _expect_number(
            answer(first.clone(), second.clone()),
            kernel_distance(first, second),
            "the mean kernel within x, plus that within y, minus twice the mean between them",
            _spoiled_distances(first, second),
            "one number: the mean over all pairs",
        )


def _spoiled_distances(x: Tensor, y: Tensor) -> Slips:
    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def others(table: Tensor) -> Tensor:  # the sum without pairs of an image with itself
        return table.sum() - table.trace()

    def distance(kernel: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        within = sum(others(kernel(a, a)) / (len(a) * (len(a) - 1)) for a in (x, y))
        return within - 2 * kernel(x, y).mean()

    want, between, n, m, size = distance(kernel), kernel(x, y).mean(), len(x), len(y), x.shape[1]
    own_x, own_y = kernel(x, x), kernel(y, y)
    within = want + 2 * between
    within_x, within_y = others(own_x) / (n * (n - 1)), others(own_y) / (m * (m - 1))
    itself = "leave out the pairs of an image with itself: take the trace away from the sum"
    pairs = "without the trace n · (n - 1) pairs are left: divide by that"
    length = "divide the product by the length of the features, a.shape[1]"
    return [
        (0.0, "no clamp: what is right on average may be below 0"),
        (want.abs(), "no abs: what is right on average may be below 0"),
        (own_x.mean() + own_y.mean() - 2 * between, f"{itself}, and divide by n · (n - 1)"),
        (own_x.mean() + within_y - 2 * between, f"{itself}, within x as well"),
        (within_x + own_y.mean() - 2 * between, f"{itself}, within y as well"),
        (own_x.sum() / (n * (n - 1)) + own_y.sum() / (m * (m - 1)) - 2 * between, itself),
        (others(own_x) / n**2 + others(own_y) / m**2 - 2 * between, pairs),
        (2 * within - 2 * between, "the sum holds each pair twice: divide by n · (n - 1), no half"),
        (others(own_x) + others(own_y) - 2 * kernel(x, y).sum(), "means over the pairs, not sums"),
        (within - between, "twice the mean between them: the factor 2 is missing"),
        (within + 2 * between, "minus twice the mean between them, not plus"),
        (within, "what lies between x and y is missing: minus twice that mean"),
        (-2 * between, "what lies within x and within y is missing"),
        (within_x - 2 * between, "what lies within y is missing"),
        (within_y - 2 * between, "what lies within x is missing"),
        (within_x - within_y - 2 * between, "plus the mean within y, not minus"),
        (-want, "the other sign: within, plus within, minus twice between"),
        (want.abs().sqrt(), "no square root at the end"),
        (math.nan, "no square root at the end: what is right on average may be below 0"),
        (distance(lambda a, b: (a @ b.T / size + 1) ** 2), "the third power, not the second"),
        (distance(lambda a, b: a @ b.T / size + 1), "the third power of the whole sum: brackets"),
        (distance(lambda a, b: (a @ b.T / size) ** 3), "plus 1 before the third power"),
        (distance(lambda a, b: (a @ b.T) ** 3 / size), "first divide and add 1, then cube"),
        (distance(lambda a, b: (a @ b.T + 1) ** 3), length),
        (
            distance(lambda a, b: (a @ b.T / len(a) + 1) ** 3),
            f"{length}, not by how many there are",
        ),
        (
            distance(lambda a, b: (a @ b.T / len(b) + 1) ** 3),
            f"{length}, not by how many there are",
        ),
        (distance(lambda a, b: (a @ b.T / size**0.5 + 1) ** 3), f"{length}, not by its root"),
        (
            distance(lambda a, b: ((a @ b.T + 1) / size) ** 3),
            "divide the product alone, then add 1",
        ),
    ]


# 05.7 -----------------------------------------------------------------------------------------


def precision(real, samples, k):
    reach = torch.cdist(real, real).sort(dim=1).values[:, k]  # place 0 is the image itself
    inside = torch.cdist(samples, real) <= reach
    return inside.any(dim=1).float().mean()


def ask_precision(answer: Any) -> None:
    real = torch.cat([_scatter(17, 1.7, 2.9, 2), 5 + _scatter(6, 2.1, 1.3, 1)])
    samples = _scatter(113, 2.1, 1.9, 10)
    for k in (2, 4):
        _expect_number(
            answer(real.clone(), samples.clone(), k),
            precision(real, samples, k),
            "a ball around each real image, as far as its k-th neighbour among the real ones; "
            "then the share of samples in at least one",
            _spoiled_precisions(real, samples, k),
            "the share of all samples: the mean of what is 1 inside, 0 outside",
        )


def _scatter(count: int, across: float, up: float, growth: float) -> Tensor:
    """A cloud of points in a plane that thins out; the same on every machine."""
    t = torch.arange(1, count + 1, dtype=torch.float64)
    points = torch.stack([(across * t).sin(), (up * t).cos()], dim=1)
    return points * (1 + growth * t / count)[:, None]


def _spoiled_precisions(real: Tensor, samples: Tensor, k: int) -> Slips:
    own, table = torch.cdist(real, real).sort(dim=1).values, torch.cdist(samples, real)
    own_samples = torch.cdist(samples, samples).sort(dim=1).values
    reach = own[:, k]
    near, nearest = table.min(dim=1)
    to_samples = torch.cdist(real, samples).sort(dim=1).values

    def share(inside: Tensor) -> Tensor:
        return inside.any(dim=1).float().mean()

    inside = table <= reach
    itself = "place 0 in the sorted row is the image itself: its k-th neighbour is at place k"
    own_ball = "each real image has its own ball: no common reach"
    among_real = "the reach of a real image is measured among the real images"
    return [
        (share(table <= own[:, k - 1]), itself),
        (share(table <= own[:, k + 1]), f"{itself}, not k + 1"),
        (share(table <= own[:, -k]), "the nearest come first: sorted from small to large"),
        (share(table <= own[:, -k - 1]), "the nearest come first: sorted from small to large"),
        (share(table <= own[k]), "place k of each row: [:, k]"),
        (precision(samples, real, k), "that is recall: balls around real images, samples in them"),
        *([(share(table <= own[:, 2]), "a ball reaches as far as its k-th: use k")] * (k != 2)),
        (share(table <= own_samples[:, k, None]), among_real),
        (share(table <= to_samples[:, k]), among_real),
        (share(table <= to_samples[:, k - 1]), among_real),
        (inside.all(dim=1).float().mean(), "one ball is enough: any, not all"),
        (inside.any(dim=0).float().mean(), "the share of samples: any over the real images, dim=1"),
        (
            inside.float().mean(),
            "one ball is enough: any over the real images, dim=1, then the mean",
        ),
        (inside.float().sum(dim=1).mean(), "one ball is enough: any, not how many"),
        (inside.float().sum(dim=1).mean() / k, "that is density: any, not how many"),
        (inside.any(dim=1).sum(), "the share of samples, not their number"),
        (100 * share(inside), "a share from 0 to 1, no percent"),
        (inside.any(dim=1).sum() / len(real), "divide by the number of samples"),
        (1 - share(inside), "the share inside: distance <= reach"),
        (share(table > reach), "the share inside: distance <= reach"),
        (share(table.square() <= reach), "distances with distances: one of the two is squared"),
        (share(table <= reach.square()), "distances with distances: one of the two is squared"),
        (
            (near <= reach[nearest]).float().mean(),
            "some ball, not only that of the nearest real image: any",
        ),
        (share(table <= reach.max()), own_ball),
        (share(table <= reach.min()), own_ball),
        (share(table <= reach.mean()), own_ball),
        (share(table <= reach.median()), own_ball),
    ]


# 05.8 -----------------------------------------------------------------------------------------


def nearest(samples, training):
    distances = torch.cdist(samples.flatten(1), training.flatten(1))
    return distances.argmin(dim=1), distances.amin(dim=1)


def ask_nearest(answer: Any) -> None:
    training = torch.rand(5, 1, 28, 28, dtype=torch.float64) * 2 - 1
    noise = 0.1 * torch.randn(3, 1, 28, 28, dtype=torch.float64)
    noise[0] = 0  # the first sample is a copy
    samples = training[[3, 0, 4]] + noise
    for ours in (samples, samples[1:2]):
        wants = want_index, want = nearest(ours, training)
        index, distance = _expect_pair(
            answer(ours.clone(), training.clone()), "(index, distance)", wants
        )
        column = "a plain row: no list of one for each sample, so squeeze dim 1"
        shapes = {
            (): "one for each sample, in a batch of one as well: the smallest over dim=1",
            (len(training),): "one for each sample, not for each training image: dim=1",
            (len(ours), 1): column,
            (len(ours), len(training)): "the smallest of each row only: over dim=1",
        }
        _expect_shape(index, want_index, "the index", "one place for each sample", shapes)
        if isinstance(index, Tensor) and index.is_floating_point():
            raise WrongAnswer("whole numbers as the index", index.dtype, "argmin gives places")
        table = torch.cdist(ours.flatten(1), training.flatten(1))
        ranks = table.argsort(dim=1)
        far = "the nearest, not the farthest: argmin and amin"
        second = "the sample is not among the training images: the very nearest counts"
        slips = [(ranks[:, -1], far), (ranks[:, 1], second)]
        hint = "the place in the training images of the one at the smallest distance"
        expect_close(index, want_index, hint, slips=slips)
        _expect_shape(distance, want, "the distance", "one distance for each sample", shapes)
        hint = "the root of the sum of squared differences over all 784 pixels"
        steps = (ours - training[want_index]).flatten(1)
        slips = [
            (want.square(), "the root is missing: this is the squared distance"),
            (want.square() / 784, "the sum over the pixels and its root, not the mean"),
            (want / 28, "the sum over the pixels under the root, not the mean"),
            (steps.abs().sum(dim=1), "squared differences, not absolute ones"),
            (steps.abs().mean(dim=1), "squared differences, not absolute ones"),
            (steps.abs().amax(dim=1), "all pixels count, not only the largest difference"),
            (table.amax(dim=1), far),
            (table.sort(dim=1).values[:, 1], second),
            (table.mean(dim=1), "the smallest distance, not the mean"),
        ]
        expect_close(distance, want, hint, slips=slips)


# 05.9 -----------------------------------------------------------------------------------------


def diagnose_by_eye():
    return {
        1: "D too strong",
        2: "healthy",
        3: "learning rate too high",
        4: "collapsed",
        5: "mixed batches",
    }


LOOK_AT = {  # where to look in each run, without its name
    1: "look at d_loss: where has it gone, and what do the samples look like?",
    2: "look at both losses side by side, then count the kinds of digits in the grid",
    3: "look at how far the curves jump from one step to the next, and at what the grid shows",
    4: "look at the samples beside each other: in what do they differ?",
    5: "look at what D says of real images and of fakes, and at how it gets them to see",
}


def ask_diagnose_by_eye(answer: Any) -> None:
    right, got = diagnose_by_eye(), answer()
    form = '{1: "...", 2: "...", ...}'
    if not isinstance(got, dict):
        came = "None (is a return missing?)" if got is None else f"a {type(got).__name__}"
        raise WrongAnswer(f"a dict {form}", came, "return a dict: the run's number, then its word")
    if any(isinstance(run, str) for run in got):
        raise WrongAnswer(
            "the numbers 1 to 5 as keys", "text", f"the numbers stand without quotes: {form}"
        )
    strange = sum(run not in right for run in got)
    if strange:
        raise WrongAnswer(
            "runs 1 to 5", f"{strange} other", "the five runs are numbered as in the figures"
        )
    missing = [run for run in right if run not in got]
    if missing:
        runs = ", ".join(map(str, missing))
        raise WrongAnswer("all five runs", f"none for {runs}", f"give run {missing[0]} a word, too")
    given = {run: _plain(got[run]) for run in right}
    names = {_plain(word) for word in right.values()}
    for run, word in given.items():
        if word not in names:
            words = ", ".join(sorted(right.values(), key=str.lower))
            came = f"{word[:30]!r}" if word else f"a {type(got[run]).__name__}"
            raise WrongAnswer(f"one of: {words}", f"{came} for run {run}", "spell it as listed")
    wrong = [run for run, word in right.items() if given[run] != _plain(word)]
    if wrong:
        raise WrongAnswer(
            "5 of 5 right", f"{5 - len(wrong)} of 5", f"run {wrong[0]}: {LOOK_AT[wrong[0]]}"
        )


def _plain(word: Any) -> str:
    """In small letters and single blanks; "" for what is no text."""
    return " ".join(word.split()).lower() if isinstance(word, str) else ""


# What several checks share --------------------------------------------------------------------


def _expect_number(got: Any, want: Tensor, hint: str, slips: Slips, many: str) -> None:
    """`got` is the number `want`; `many` is the hint if there are several."""
    if isinstance(got, Tensor) and got.ndim > 0:
        raise WrongAnswer("one number", f"shape {tuple(got.shape)}", many)
    expect_close(got, want, hint, slips=slips)


def _expect_shape(
    got: Any,
    want: Tensor,
    what: str,
    hint: str,
    known: dict[tuple[int, ...], str] | None = None,
) -> None:
    """A tensor has the shape of `want`; `known` are hints for shapes that mistakes lead to."""
    if isinstance(got, Tensor) and got.shape != want.shape:
        shape = tuple(got.shape)
        expected = f"{what} of shape {tuple(want.shape)}"
        raise WrongAnswer(expected, f"shape {shape}", (known or {}).get(shape, hint))


def _expect_pair(value: Any, names: str, wants: tuple[Tensor, Tensor]) -> tuple[Any, Any]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        came = "None (is a return missing?)" if value is None else type(value).__name__
        raise WrongAnswer(names, came, "return both, separated by a comma")
    if all(_is_equal(got, want) for got, want in zip(value, reversed(wants))):
        raise WrongAnswer(names, "the same two in the other order", "swap the two")
    return value[0], value[1]


def _is_equal(got: Any, want: Tensor) -> bool:
    return (
        isinstance(got, Tensor)
        and got.shape == want.shape
        and torch.allclose(got.double(), want.double(), rtol=1e-4, atol=1e-4)
    )


EXERCISES = [
    Exercise("05.1", classifier_score, ask_classifier_score),
    Exercise("05.2", spread_of_classes, ask_spread_of_classes),
    Exercise("05.3", fit_gaussian, ask_fit_gaussian),
    Exercise("05.4", root_trace, ask_root_trace),
    Exercise("05.5", frechet_distance, ask_frechet_distance),
    Exercise("05.6", kernel_distance, ask_kernel_distance),
    Exercise("05.7", precision, ask_precision),
    Exercise("05.8", nearest, ask_nearest),
    Exercise("05.9", diagnose_by_eye, ask_diagnose_by_eye),
]
