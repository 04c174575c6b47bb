"""What a run's history says about it: healthy, or which of the known failures, and what to try.

The thresholds come from runs made to fail in known ways, from seeds: `verdicts.py` makes them,
and docs/verdicts.md shows the measured signs of each kind of run and how often `diagnose` is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

import torch
from torch import Tensor

from .training import History

EARLY = 400  # steps before which nothing can be said: healthy runs may look collapsed until then
LATEST = 3  # grids of samples that a verdict looks at
STILL = 0.2  # root mean square change of a pixel: below, the samples stand still
SWING = 0.16  # spread of D(G(z)), smoothed: above, the players take turns in winning
ALIKE = 0.15  # share of the pixels' variance that lies between the samples: below, they are alike
SURE = 0.9  # D(x) - D(G(z)): above, D tells every fake from every real image
AHEAD = 0.5  # the same, where the samples stand still: above, D has learned and G has not
FEW_CLASSES = 3  # of ten, reached by many samples: with fewer, G has collapsed too ...
LATER = 900  # ... but only from this step on, as strokes are no digits yet
LAG = 1600  # steps more for what samples of an averaged G say: they show what G was before

ADVICE = {
    "healthy": "go on; look at the samples and the distance, not at the losses",
    "D has won": (
        "a smaller learning rate for D or a larger one for G; the loss of G that does not "
        "saturate (-log D(G(z)), on logits); where D has batch norm, show it real images and "
        "fakes apart; check that G_solver holds G's parameters"
    ),
    "G has collapsed": (
        "start again with a smaller learning rate for G, or a larger one for D; beta1 = 0.5 in "
        "Adam, not 0.9; look whether the noise differs from sample to sample"
    ),
    "oscillation": (
        "one update of each player in turn; smaller learning rates for both; beta1 = 0.5 in Adam; "
        "look at averaged weights (ema=0.999)"
    ),
    "not yet started": (
        "train longer; if nothing moves for a whole epoch, larger learning rates, and check that "
        "each solver holds its own network's parameters"
    ),
    "not finite": (
        "smaller learning rates; losses on logits, never the logarithm of a probability; look for "
        "NaN in the images; then build the networks again, as these are lost"
    ),
}


@dataclass(frozen=True)
class Verdict:
    """What `diagnose` found.

    Attributes:
        name: a key of `ADVICE`.
        reason: the signs it follows from, with their figures.
        advice: what to try first.
    """

    name: str
    reason: str

    @property
    def advice(self) -> str:
        return ADVICE[self.name]

    @property
    def headline(self) -> str:
        """Name and reason, in one line."""
        return f"{self.name}: {self.reason}"

    def __str__(self) -> str:
        return f"{self.headline}. What to try: {self.advice}."

    __repr__ = __str__


@dataclass(frozen=True)
class Signs:
    """What a verdict follows from. A sign that a history cannot tell is NaN.

    Attributes:
        steps: how many there were.
        gap: D(x) - D(G(z)), mean over the last quarter: 0 where D cannot tell, 1 where it is sure.
        swing: standard deviation of D(G(z)) over the last half, after a moving average.
        moved: root mean square change of a pixel of the fixed samples since the first grid.
        moved_lately: the same since the second one. Batch norm in G moves the samples in the
            first steps even where nothing learns, as it gets to know its statistics.
        spread: which share of the pixels' variance lies between the samples of one grid (median of
            the last three): 0 where all are alike.
        classes: how many classes many samples reach, where a callback has noted it as "classes"
            (`LiveDashboard` does).
    """

    steps: int
    gap: float
    swing: float
    moved: float
    moved_lately: float
    spread: float
    classes: float


def diagnose(history: History) -> Verdict:
    """Name the state of a run, from its logged scores and its grids of samples.

    The names: "healthy", "D has won", "G has collapsed", "oscillation", "not yet started",
    "not finite". They hold for losses whose D(x) goes from 0 (fake) to 1 (real): probabilities,
    logits, least squares. Where scores have no such scale, as Wasserstein's, only the samples
    speak.

    Args:
        history: what `run_a_gan` or `train` returns, also in the middle of a run.

    Raises:
        TypeError: something else.
    """
    if not isinstance(history, History):
        raise TypeError(f"history: expected a History, got {type(history).__name__}")
    fault = _find_not_finite(history)
    if fault:
        return Verdict("not finite", fault)
    signs = read_signs(history)
    gap = "" if math.isnan(signs.gap) else f", D(x) - D(G(z)) is {signs.gap:.2f}"
    if signs.steps < EARLY:
        return Verdict("not yet started", f"{signs.steps} steps are too few to tell")
    if signs.swing > SWING:
        return Verdict("oscillation", f"D(G(z)) swings by ±{signs.swing:.2f}{gap}")
    lag = 0 if history.averaged is None else LAG
    shown = signs.steps >= EARLY + lag  # whether the samples can be believed
    if shown and signs.moved >= STILL and signs.spread < ALIKE:
        share = f"only {signs.spread:.1%} of their variance lies between them"
        return Verdict("G has collapsed", f"the samples are all alike: {share}{gap}")
    if signs.gap > SURE:
        return Verdict("D has won", f"it tells every fake from every real image{gap}")
    still = shown and (signs.moved < STILL or signs.moved_lately < STILL)
    if still and signs.gap > AHEAD:
        return Verdict("D has won", f"it has learned, and the samples stand still{gap}")
    if still:
        return Verdict("not yet started", f"the samples stand still{gap}")
    if signs.classes < FEW_CLASSES and signs.steps >= LATER + lag:
        return Verdict("G has collapsed", f"the samples reach {signs.classes:.0f} of 10 classes")
    if math.isnan(signs.spread):
        return Verdict("healthy", f"no sign of a failure in its scores{gap}")
    return Verdict("healthy", f"{signs.spread:.0%} of the variance lies between the samples{gap}")


def read_signs(history: History) -> Signs:
    """The signs of a history."""
    real, fake = history.d_real, history.d_fake
    scale = bool(real and fake) and all(-0.5 <= v <= 1.5 for v in (*real[-20:], *fake[-20:]))
    quarter, half = math.ceil(len(real) / 4), math.ceil(len(fake) / 2)
    grids = [images.float() for _, images in history.samples]
    trained = grids[1:][-LATEST:]  # not what G drew before its first step
    noted = [value for value in history.extra.get("classes", ()) if math.isfinite(value)]
    return Signs(
        steps=history.step[-1] if history.step else 0,
        gap=fmean(real[-quarter:]) - fmean(fake[-quarter:]) if scale else math.nan,
        swing=measure_swing(fake[-half:]) if scale else math.nan,
        moved=measure_change(grids),
        moved_lately=measure_change(grids[1:]),
        spread=median(map(measure_spread, trained)) if trained else math.nan,
        classes=noted[-1] if noted else math.nan,
    )


def measure_change(grids: Sequence[Tensor]) -> float:
    """The root mean square change of a pixel from the first grid to the last; NaN of one grid."""
    return (grids[-1] - grids[0]).square().mean().sqrt().item() if len(grids) > 1 else math.nan


def measure_spread(images: Tensor) -> float:
    """Which share of the variance of the pixels `(N, ...)` lies between the images: 0 to 1."""
    flat = images.reshape(len(images), -1).double()
    between = flat.var(dim=0, correction=0).mean()
    overall = flat.var(correction=0)
    return (between / overall).item() if overall > 0 else 0.0


def measure_swing(values: Sequence[float], window: int = 5) -> float:
    """The standard deviation of a moving average: single batches are noise, turns are not."""
    if len(values) < 2 * window:
        return math.nan
    smooth = torch.tensor(values).unfold(0, window, 1).mean(dim=1)
    return smooth.std(correction=0).item()


def _find_not_finite(history: History) -> str:
    if history.stopped.startswith("not finite"):
        return history.stopped.removeprefix("not finite: ")
    for name in ("d_loss", "g_loss", "d_real", "d_fake"):
        values = getattr(history, name)
        if values and not math.isfinite(values[-1]):
            return f"{name} is {values[-1]} at step {history.step[-1]}"
    if history.samples and not history.samples[-1][1].isfinite().all():
        return f"the samples at step {history.samples[-1][0]} hold NaN or infinity"
    return ""
