"""Precision and recall of a generator, density and coverage, and the nearest real images.

All ask who is near whom. Tables of distances are made a few rows at a time and never held whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from ..data import ImageSet
from ..validation import need_choice, need_count
from .distances import CHUNK, as_reference, find_floor, real_features
from .features import Features, choose_judge, extract, look, need_batch, to_float
from .reference import Reference
from .scores import Score


class PrecisionRecall(NamedTuple):
    """How many samples look real, and how much of the real images the samples can show."""

    precision: Score
    recall: Score


class DensityCoverage(NamedTuple):
    """The same two questions, asked so that single outliers count for little."""

    density: Score
    coverage: Score


def precision_recall(
    images: Tensor | Features,
    reference: Reference | Tensor | Features | None = None,
    *,
    k: int = 3,
    floor: bool = True,
) -> PrecisionRecall:
    """Two shares, each from 0 to 1 (good).

    Around every image of a set lies a ball that reaches to its k-th neighbour in that set.
    Precision: the share of samples inside some ball of real images. Recall: the share of real
    images inside some ball of samples. Source: Kynkäänniemi et al. 2019 (arXiv 1904.06991).

    Args:
        images: more than `k`; `(N, C, H, W)` float in [-1, 1] or uint8, or `Features`.
        reference: a `Reference`, images or `Features`; by default as many training images of
            MNIST or CIFAR-10, at most 10,000.
        k: which neighbour a ball reaches to.
        floor: also measure as many real test images.

    Raises:
        TypeError, ValueError: images of another shape or range, NaN, or too few.
    """
    samples, real, against = _both(images, reference, k)
    reach_real, reach_samples = _reach(real.values, k), _reach(samples.values, k)
    inside, held = [], torch.zeros(len(real), dtype=torch.bool)
    for at, distances in _distances(samples.values, real.values):
        inside.append((distances <= reach_real).any(dim=1))
        held |= (distances <= reach_samples[at][:, None]).any(dim=0)
    precision, recall = (part.double().mean().item() for part in (torch.cat(inside), held))
    lowest = find_floor(precision_recall, against, len(samples), floor, k=k) or (None, None)
    return PrecisionRecall(
        Score(precision, "precision", len(samples), lowest[0]),
        Score(recall, "recall", len(samples), lowest[1]),
    )


def density_coverage(
    images: Tensor | Features,
    reference: Reference | Tensor | Features | None = None,
    *,
    k: int = 5,
    floor: bool = True,
) -> DensityCoverage:
    """Density (about 1 for real images, more where samples crowd) and coverage (0 to 1, good).

    Density: in how many balls of real images a sample lies, over k. Coverage: the share of real
    images whose ball holds a sample. Balls as in `precision_recall`, around real images only.
    Source: Naeem et al. 2020 (arXiv 2002.09797).

    Arguments and errors are those of `precision_recall`.
    """
    samples, real, against = _both(images, reference, k)
    reach = _reach(real.values, k)
    balls, held = 0, torch.zeros(len(real), dtype=torch.bool)
    for _, distances in _distances(samples.values, real.values):
        inside = distances <= reach
        balls += int(inside.sum())
        held |= inside.any(dim=0)
    lowest = find_floor(density_coverage, against, len(samples), floor, k=k) or (None, None)
    return DensityCoverage(
        Score(balls / (k * len(samples)), "density", len(samples), lowest[0]),
        Score(held.double().mean().item(), "coverage", len(samples), lowest[1]),
    )


@dataclass(frozen=True)
class Neighbours:
    """The real images that are nearest to each sample, the nearest first.

    Attributes:
        images: uint8 or float, `(N, k, C, H, W)`, as they came.
        index: int64 `(N, k)`: their places in the set that was searched.
        distance: float32 `(N, k)`: between pixels in [-1, 1], or between features.
        space: "pixel" or "feature".
    """

    images: Tensor = field(repr=False)
    index: Tensor = field(repr=False)
    distance: Tensor
    space: str


def nearest_neighbours(
    images: Tensor,
    real: ImageSet | Tensor | None = None,
    *,
    k: int = 1,
    space: str = "pixel",
) -> Neighbours:
    """The nearest real images of each sample: a copy among the samples is found out.

    Pixels find exact copies and are fooled by a shift; features find the same image moved.

    Args:
        images: the samples, `(N, C, H, W)`, float in [-1, 1] or uint8.
        real: where to search; by default all training images of MNIST or CIFAR-10.
        k: how many for each sample.
        space: "pixel" or "feature": what to compare.

    Raises:
        TypeError, ValueError: images of another shape or range, NaN, or fewer than `k` to search.
    """
    if isinstance(images, Features):
        raise TypeError("images: expected the images themselves, got Features")
    seen = extract(images)
    need_choice(space, "space", ("pixel", "feature"))
    pool = _need_pool(real, seen)
    if need_count(k, "k") > len(pool):
        raise ValueError(f"k: expected at most {len(pool)}, the images to search, got {k}")
    ours = seen.values if space == "feature" else _pixels(images)
    distance = torch.empty(len(images), 0)
    index = torch.empty(len(images), 0, dtype=torch.int64)
    for places in torch.arange(len(pool)).split(CHUNK):
        part = pool[places]
        theirs = look(part, seen.judge).values if space == "feature" else _pixels(part)
        # the exact way: through a matrix product a copy would not be at distance 0
        new = torch.cdist(ours, theirs, compute_mode="donot_use_mm_for_euclid_dist")
        distance = torch.cat([distance, new], dim=1)
        index = torch.cat([index, places.expand(len(images), -1)], dim=1)
        distance, nearest = distance.topk(min(k, distance.shape[1]), largest=False)
        index = index.gather(1, nearest)
    return Neighbours(pool[index], index, distance, space)


def _need_pool(real: ImageSet | Tensor | None, seen: Features) -> Tensor:
    """The images `(M, C, H, W)` to search, of the kind that the samples are of."""
    if real is None:
        real = as_reference(None, seen).images("train")
    pool = real.images if isinstance(real, ImageSet) else real
    if not isinstance(pool, Tensor):
        raise TypeError(f"real: expected an ImageSet or images, got {type(real).__name__}")
    pool = need_batch(pool, "real")
    if choose_judge(pool, "real").name != seen.judge.name:
        raise ValueError(
            f"real: expected images that the {seen.judge.name} classifier knows, as the samples "
            f"are, got images of shape {tuple(pool.shape[1:])}"
        )
    return pool.detach().cpu()


def _both(
    images: Tensor | Features, reference: Reference | Tensor | Features | None, k: int
) -> tuple[Features, Features, Reference | Features]:
    least = need_count(k, "k") + 1
    samples = extract(images, least=least)
    against = as_reference(reference, samples, least=least)
    return samples, real_features(against, len(samples)), against


def _reach(values: Tensor, k: int) -> Tensor:
    """For each row the distance to its k-th neighbour, itself not counted."""
    reach = []
    for at, distances in _distances(values, values):
        rows = torch.arange(len(distances))
        distances[rows, at] = torch.inf  # itself
        reach.append(distances.topk(k, largest=False).values[:, -1])
    return torch.cat(reach)


def _distances(first: Tensor, second: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """A few rows of the table of distances at a time: (which rows, their distances)."""
    for at in torch.arange(len(first)).split(CHUNK):
        yield at, torch.cdist(first[at], second)


def _pixels(images: Tensor) -> Tensor:
    """`(N, C H W)`, float32 in [-1, 1], on the CPU."""
    return to_float(images.detach().cpu().reshape(len(images), -1))
