"""What the classifier's answers tell of a set of samples: how sure, and of which classes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .distances import as_reference, find_floor
from .features import CLASSES, Features, extract
from .reference import Reference
from .scores import Score

REACHED = 0.1  # a class is reached if it has this part of an equal share: 1 % of ten classes


def classifier_score(
    images: Tensor | Features, reference: Reference | None = None, *, floor: bool = True
) -> Score:
    """exp of the mean KL divergence of p(y|x) from p(y): from 1 (bad) to 10 (each class alike).

    High where the classifier is sure of each sample, and where all classes come up alike. It
    never looks at a real image. The formula is that of the Inception score, without its splits.
    Source: Salimans et al. 2016 (arXiv 1606.03498), section 4.

    Args:
        images: at least 1; `(N, C, H, W)` float in [-1, 1] or uint8, or `Features`.
        reference: whose test images give the floor; by default MNIST's or CIFAR-10's own.
        floor: also score as many real test images.

    Raises:
        TypeError, ValueError: images of another shape or range, NaN, or none.
    """
    samples = extract(images)
    each = samples.logits.double().softmax(dim=1)
    overall = each.mean(dim=0)
    divergence = torch.xlogy(each, each).sum(dim=1) - torch.xlogy(each, overall).sum(dim=1)
    against = as_reference(reference, samples)
    lowest = find_floor(classifier_score, against, len(samples), floor)
    return Score(divergence.mean().exp().item(), "classifier score", len(samples), lowest)


@dataclass(frozen=True)
class ClassCoverage:
    """Which classes a set of samples holds, as the classifier sees them.

    Attributes:
        shares: the share of each class, float64 `(10,)`; they sum to 1.
        reached: how many classes have at least a tenth of an equal share (1 %).
        kl: KL divergence of the shares from equal ones, in nats: 0 is equal, ln 10 = 2.30 is
            all in one class.
        entropy: of the shares, in nats: ln 10 - kl.
        count: how many samples there were.
        floor: the same of as many real test images, or None.
    """

    shares: Tensor
    reached: int
    kl: float
    entropy: float
    count: int
    floor: ClassCoverage | None = field(default=None, repr=False)

    def __str__(self) -> str:
        line = f"{self.reached} of {len(self.shares)} classes, KL to equal shares {self.kl:.3f}"
        if self.floor is None:
            return f"{line} ({self.count:,} samples)"
        return (
            f"{line} ({self.count:,} samples; {self.floor.count:,} real test images: "
            f"{self.floor.reached}, {self.floor.kl:.3f})"
        )

    __repr__ = __str__


def class_coverage(
    images: Tensor | Features, reference: Reference | None = None, *, floor: bool = True
) -> ClassCoverage:
    """How the samples spread over the ten classes.

    Arguments and errors are those of `classifier_score`.
    """
    samples = extract(images)
    counts = torch.bincount(samples.classes, minlength=CLASSES).double()
    shares = counts / counts.sum()
    entropy = -torch.xlogy(shares, shares).sum().item()
    return ClassCoverage(
        shares,
        reached=int((shares >= REACHED / CLASSES).sum()),
        kl=max(0.0, math.log(CLASSES) - entropy),
        entropy=entropy,
        count=len(samples),
        floor=find_floor(class_coverage, as_reference(reference, samples), len(samples), floor),
    )
