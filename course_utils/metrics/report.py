"""Everything that is known about a set of samples, in one table."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..data import sample_notice
from .classes import ClassCoverage, class_coverage, classifier_score
from .distances import as_reference, kernel_classifier_distance, measure_frechet, warn_if_few
from .features import Features, extract
from .neighbours import DensityCoverage, PrecisionRecall, density_coverage, precision_recall
from .reference import Reference
from .scores import Score


@dataclass(frozen=True)
class Report:
    """What `judge_samples` found; printed, it is a table."""

    judge: str
    frechet: Score
    kernel: Score
    score: Score
    classes: ClassCoverage
    precision_recall: PrecisionRecall
    density_coverage: DensityCoverage

    def __str__(self) -> str:
        scores = [self.frechet, self.kernel, self.score]
        scores += [*self.precision_recall, *self.density_coverage]
        rows = [(s.name, s.figure, "" if s.floor is None else s.floor.figure) for s in scores]
        found, real = self.classes, self.classes.floor
        rows[3:3] = [
            ("classes reached", str(found.reached), str(real.reached) if real else ""),
            ("KL to equal shares", f"{found.kl:.4f}", f"{real.kl:.4f}" if real else ""),
        ]
        floor = self.frechet.floor
        real_count = "" if floor is None else f"{floor.count:,} real test images"
        rows.insert(0, (self.judge, f"{self.frechet.count:,} samples", real_count))
        lines = [f"{name:<28}{value:>18}{real:>26}".rstrip() for name, value, real in rows]
        return "\n".join([*lines, f"({sample_notice()})"] if sample_notice() else lines)

    __repr__ = __str__


def judge_samples(
    images: Tensor | Features, reference: Reference | Tensor | Features | None = None
) -> Report:
    """All metrics of this package but the nearest neighbours, each with its floor.

    Args:
        images: at least 6; `(N, C, H, W)` float in [-1, 1] or uint8, or `Features`.
        reference: as in `frechet_classifier_distance`.

    Raises:
        TypeError, ValueError: images of another shape or range, NaN, or too few.
    """
    samples = extract(images, least=6)
    against = as_reference(reference, samples, least=6)
    warn_if_few(len(samples))
    return Report(
        f"{samples.judge.name} classifier",
        measure_frechet(samples, against, floor=True),
        kernel_classifier_distance(samples, against),
        classifier_score(samples, against),
        class_coverage(samples, against),
        precision_recall(samples, against),
        density_coverage(samples, against),
    )
