"""How far a set of samples is from real images: two distances on a classifier's features."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..validation import need_bool
from .features import Features, Moments, extract
from .reference import MOST, Reference, get_reference
from .scores import Score

FEW = 2000  # below, the Fréchet distance says more about the count than about the samples
CHUNK = 200  # rows of a table of pairs that are held at once; more do not fit into a CPU's caches


def frechet_classifier_distance(
    images: Tensor | Features,
    reference: Reference | Tensor | Features | None = None,
    *,
    floor: bool = True,
) -> Score:
    """The Fréchet distance between Gaussians fitted to the features of samples and of real images.

    |m1 - m2|² + tr(C1) + tr(C2) - 2 tr((C1 C2)^½), with m and C the mean and covariance. Lower is
    better. It is too high for few samples, by an amount that shrinks as 1/N (Chong and Forsyth
    2020, arXiv 1911.07023), so compare only at equal counts. Source: Heusel et al. 2017
    (arXiv 1706.08500), who call it FID where the features are Inception's.

    Args:
        images: at least 2; `(N, C, H, W)` float in [-1, 1] or uint8, or `Features`.
        reference: what to compare with: a `Reference`, images or `Features`. By default all
            training images of MNIST or CIFAR-10, by the shape.
        floor: also measure as many real test images, where the reference is the default's kind.

    Raises:
        TypeError, ValueError: images of another shape or range, NaN, or fewer than 2.
    """
    samples = extract(images, least=2)
    warn_if_few(len(samples))
    return measure_frechet(samples, as_reference(reference, samples, least=2), floor=floor)


def warn_if_few(count: int) -> None:
    """Warn the caller of the function that calls this."""
    if count < FEW:
        warnings.warn(
            f"the Fréchet distance of only {count:,} samples is too high; take at least "
            f"{FEW:,}, or use kernel_classifier_distance, which is right on average for any count",
            stacklevel=3,
        )


def measure_frechet(samples: Features, against: Reference | Features, *, floor: bool) -> Score:
    """`frechet_classifier_distance` of what has been checked, without a warning."""
    value = frechet_distance(samples.moments, against.moments)
    lowest = find_floor(measure_frechet, against, len(samples), floor)
    return Score(value, "Fréchet classifier distance", len(samples), lowest)


def frechet_distance(first: Moments, second: Moments) -> float:
    """The Fréchet distance of two Gaussians, each a (mean, covariance), in float64 on the CPU.

    The trace of (C1 C2)^½ is the sum of the roots of the eigenvalues of C1 C2. With C1 = A Aᵀ
    these are the eigenvalues of Aᵀ C2 A too, and that is symmetric, where `eigvalsh` is exact.
    """
    (mean1, cov1), (mean2, cov2) = ([t.double().cpu() for t in pair] for pair in (first, second))
    values, vectors = torch.linalg.eigh(cov1)
    root = vectors * values.clamp(min=0).sqrt()
    shared = torch.linalg.eigvalsh(root.T @ cov2 @ root).clamp(min=0).sqrt().sum()
    distance = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * shared
    return max(0.0, distance.item())  # rounding may leave a hair below 0


def kernel_classifier_distance(
    images: Tensor | Features,
    reference: Reference | Tensor | Features | None = None,
    *,
    floor: bool = True,
) -> Score:
    """The squared maximum mean discrepancy of samples and real images, with its standard error.

    The kernel is (x·y / D + 1)³ on features of length D, the estimate is unbiased: right on
    average at any count, and below 0 half of the time where both sets are alike. Lower is better.
    Source: Bińkowski et al. 2018 (arXiv 1801.01401); the standard error follows from the part
    of the variance that shrinks as 1/N (Gretton et al. 2012, JMLR 13, section 5).

    Args:
        images: at least 2, as in `frechet_classifier_distance`.
        reference: as there; the default compares with as many real training images, at most
            10,000.
        floor: as there.

    Raises:
        TypeError, ValueError: as there.
    """
    samples = extract(images, least=2)
    against = as_reference(reference, samples, least=2)
    real = real_features(against, len(samples))
    value, error = kernel_distance(samples.values, real.values)
    lowest = find_floor(kernel_classifier_distance, against, len(samples), floor)
    return Score(value, "kernel classifier distance", len(samples), lowest, error)


def kernel_distance(first: Tensor, second: Tensor) -> tuple[float, float]:
    """The unbiased squared distance of two sets of features `(N, D)`, `(M, D)`, and its error.

    Only `CHUNK` rows of the table of pairs are held at a time.
    """
    first, second = first.cpu(), second.cpu()
    own_first, own_second = (_mean_kernel(x, x, own=True)[0] for x in (first, second))
    cross_first, cross_second = _mean_kernel(first, second)
    value = own_first.mean() + own_second.mean() - 2 * cross_first.mean()
    # each row's mean stands for one image: how much the images differ in what they contribute
    spread = sum(
        4 * (own - cross).var() / len(own)
        for own, cross in ((own_first, cross_first), (own_second, cross_second))
    )
    return value.item(), spread.sqrt().item()


def _mean_kernel(first: Tensor, second: Tensor, own: bool = False) -> tuple[Tensor, Tensor]:
    """The mean kernel of each row of `first` with `second`, and the other way round.

    `own`: both are the same set, and no row is paired with itself.
    """
    sums, other = [], torch.zeros(len(second), dtype=torch.float64)
    scaled, one = second.T / second.shape[1], first.new_ones(())
    for at in torch.arange(len(first)).split(CHUNK):
        base = torch.addmm(one, first[at], scaled)
        table = base.square().mul_(base)
        if own:
            table[torch.arange(len(at)), at] = 0
        sums.append(table.sum(dim=1).double())
        other += table.sum(dim=0)
    return torch.cat(sums) / (len(second) - own), other / (len(first) - own)


def as_reference(
    reference: Reference | Tensor | Features | None, samples: Features, least: int = 1
) -> Reference | Features:
    """What samples are compared with: the default for their kind, or what was given."""
    if reference is None:
        return get_reference(samples.judge.name)
    if not isinstance(reference, (Reference, Features, Tensor)):
        raise TypeError(
            "reference: expected get_reference(...), images or features, "
            f"got {type(reference).__name__}"
        )
    against = reference
    if not isinstance(reference, Reference):
        against = extract(reference, "reference", least)
    if against.judge.name != samples.judge.name:
        raise ValueError(
            f"reference: expected what the {samples.judge.name} classifier has seen, as for the "
            f"samples, got what the {against.judge.name} classifier has"
        )
    return against


def real_features(against: Reference | Features, count: int) -> Features:
    """The real images to compare `count` samples with, where single images are needed."""
    if isinstance(against, Reference):
        return against.features("train", min(count, MOST))
    return against


def find_floor(
    metric: Callable, against: Reference | Features, count: int, wanted: bool, **options: int
) -> Any:
    """What as many real test images get, where it was asked for and there are any."""
    if need_bool(wanted, "floor") and isinstance(against, Reference):
        return against.floor(metric, count, **options)
    return None
