"""The live figure during training: curves, samples, classes, a distance, and a verdict.

`LiveDashboard` is a callback of `run_a_gan`. In a notebook one figure is updated in place;
elsewhere the pictures go into a folder.
"""

from __future__ import annotations

import io
import math
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogFormatter, MaxNLocator
from torch import Tensor

from .data import sample_notice
from .diagnosis import Verdict, diagnose
from .metrics import Reference, class_coverage, get_reference
from .metrics.distances import frechet_distance
from .metrics.features import BATCH, CLASSES, SHAPES, Features, choose_judge, look
from .models import complete_latents, sample_noise, unflatten_digits
from .plots import (
    CROSS_ENTROPY_DRAW,
    FAKE,
    REAL,
    bundle_png,
    draw_grid,
    draw_losses,
    need_draw,
)
from .settings import get_runs_folder
from .training import History, Progress
from .training.interrupt import INTERRUPTED
from .validation import need_count, need_number

SAMPLES = 2000  # for the distance and the classes
LINE = 130  # characters in a line of the figure's head


class LiveDashboard:
    """A callback that shows how training goes; give it as `callbacks=[LiveDashboard()]`.

    It shows both losses, D(x) and D(G(z)), the samples from the fixed noise, and what the
    course's classifier sees in new samples: the share of each class and the Fréchet classifier
    distance. The line on top is `diagnose`'s verdict. The distance also goes into
    `history.extra["distance"]`.

    Args:
        folder: where the pictures go outside a notebook, one a look; by default "dashboard" in
            the runs folder.
        samples: how many samples the classifier sees; more than 2,000 cost time for little.
        share: how much of the training time all this may take, half of it for the distance and
            half for the figure. What does not fit is left out until it does; the first look
            is always whole, and so is the last one; of a run that was interrupted the last
            one measures nothing new.
        reference: what the samples are compared with, `get_reference(...)`; by default the
            training images of MNIST or CIFAR-10, by the images' shape. For images of other
            shapes there is no classifier, and no distance.
        draw: the losses of D and of G where D cannot tell, as in `plot_losses`.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        samples: int = SAMPLES,
        share: float = 0.05,
        reference: Reference | None = None,
        draw: tuple[float, float] = CROSS_ENTROPY_DRAW,
    ) -> None:
        if not isinstance(folder, (str, Path, type(None))):
            raise TypeError(f"folder: expected a path or None, got {type(folder).__name__}")
        self.folder = None if folder is None else Path(folder)
        self.samples = need_count(samples, "samples", minimum=2)
        self.share = need_number(share, "share", low=0, high=1)
        if reference is not None and not isinstance(reference, Reference):
            raise TypeError(
                f"reference: expected get_reference(...) or None, got {type(reference).__name__}"
            )
        self.reference = reference
        self.draw = need_draw(draw)
        self.verdict: Verdict | None = None
        self._history: History | None = None
        self._start(0.0)

    def _start(self, began: float) -> None:
        """Nothing seen and nothing spent yet: a run begins, or goes on in a new session."""
        self._began = began  # seconds, of the run's earlier sessions
        self._spent = {"distance": 0.0, "figure": 0.0}  # seconds, after the first look
        self._cost = {"distance": 0.0, "figure": 0.0}  # what each took when it was last done
        self._place = None  # the output that later looks change
        self._shares: tuple[int, Tensor] | None = None  # of the classes, and at which step
        self._distances: list[tuple[int, float]] = []  # (step, distance), of this session

    @property
    def spent(self) -> float:
        """Seconds that all looks after the first have taken."""
        return sum(self._spent.values())

    def __call__(self, progress: Progress) -> None:
        history = progress.history
        first = history is not self._history
        last = progress.step == progress.total_steps or bool(history.stopped)
        if first:
            self._history = history
            self._start(history.seconds)
        # the first look is not counted in it
        trained = history.seconds - self._began - self.spent
        for part, work in (("distance", self._measure), ("figure", self._draw)):
            # each has its half, as the one that costs less would leave the other nothing
            needed = self._spent[part] + self._cost[part]
            if history.stopped == INTERRUPTED and part == "distance":
                continue  # whoever has pressed the stop button does not want to wait
            if not (first or last or needed < self.share / 2 * trained):
                continue
            began = time.perf_counter()
            work(progress)
            if not first:  # that one also loads what all later ones use
                self._cost[part] = time.perf_counter() - began
                self._spent[part] += self._cost[part]

    def _measure(self, progress: Progress) -> None:
        """Distance and classes of new samples, from noise that is the same at every look."""
        samples = self._look(progress)
        if samples is None or not torch.isfinite(samples.values).all():
            return
        reference = self.reference or get_reference(samples.judge.name)
        if reference.judge.name != samples.judge.name:
            raise ValueError(
                f"reference: expected one of {samples.judge.name}, got {reference!r}: G's images "
                "have another shape"
            )
        coverage = class_coverage(samples, floor=False)
        self._shares = progress.step, coverage.shares
        progress.history.note("classes", coverage.reached)
        distance = frechet_distance(samples.moments, reference.moments)
        progress.history.note("distance", distance)  # at the latest entry, which may be older
        self._distances.append((progress.step, distance))

    def _look(self, progress: Progress) -> Features | None:
        """What the classifier for images of this shape, if there is one, sees in new samples."""
        game = progress.game
        shape = tuple(progress.history.samples[-1][1].shape[1:])
        if shape not in (*SHAPES.values(), (784,)):
            return None
        drawn = torch.Generator(game.device).manual_seed(0)
        noise = sample_noise(self.samples, game.noise_size, game.noise, game.device, drawn)
        noise = complete_latents(noise, game.classes).to(next(game.G.parameters()).dtype)
        parts = [game.sample(part) for part in noise.split(BATCH)]
        images = unflatten_digits(torch.cat(parts))
        return look(images, choose_judge(images))

    def _draw(self, progress: Progress) -> None:
        history = progress.history
        self.verdict = diagnose(history)
        cut = ", where the run was cut short" if history.stopped else ""
        alt = f"Dashboard at step {progress.step} of {progress.total_steps}{cut}. {self.verdict}"
        buffer = io.BytesIO()
        # always of one size, so that nothing moves when a picture takes another's place
        FigureCanvasAgg(self._make_figure(progress)).print_png(buffer)
        picture = buffer.getvalue()
        if in_notebook():
            self._show(picture, alt)
            return
        folder = self.folder or get_runs_folder() / "dashboard"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"step_{progress.step:07d}.png").write_bytes(picture)
        print(f"step {progress.step}: {self.verdict}")

    def _show(self, picture: bytes, alt: str) -> None:
        """Put the picture into the cell's output, in the place of the one before."""
        from IPython.display import display

        data, metadata = bundle_png(picture, alt)
        if self._place is None:
            self._place = display(data, metadata=metadata, raw=True, display_id=True)
        else:
            self._place.update(data, metadata=metadata, raw=True)

    def _make_figure(self, progress: Progress) -> Figure:
        """The whole picture. Every part has a place of its own, from the first look to the last."""
        history = progress.history
        figure = Figure(figsize=(10, 6), dpi=90)
        self._write_head(figure, progress)
        places = figure.add_gridspec(
            2, 3, left=0.06, right=0.99, bottom=0.09, top=0.79,
            width_ratios=(1, 1, 1.25), wspace=0.2, hspace=0.45,
        )  # fmt: skip
        losses, beliefs, distance, classes = (
            figure.add_subplot(places[row, column]) for row in (0, 1) for column in (0, 1)
        )
        draw_losses(losses, beliefs, _pad(history), self.draw)
        beliefs.set(title="what D believes (dotted: unsure)")
        real, fake = history.d_real, history.d_fake
        if all(-0.5 <= value <= 1.5 for value in (*real, *fake) if math.isfinite(value)):
            beliefs.set(ylim=(-0.03, 1.25), yticks=(0, 0.25, 0.5, 0.75, 1))
        else:
            beliefs.autoscale(axis="y")
            beliefs.set_title("D's scores")
            _leave_room(beliefs)
        _leave_room(losses)
        self._draw_distance(distance, history)
        for axis in (losses, beliefs, distance):
            axis.set_xlim(0, progress.total_steps)
            # narrow panels: few ticks with short labels, such as 10k
            axis.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10), integer=True))
            axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        for axis in (losses, beliefs):
            axis.legend(
                loc="upper center", ncols=2, frameon=False, fontsize=9,
                handlelength=1.6, columnspacing=1.2, borderaxespad=0.1,
            )  # fmt: skip
        self._draw_classes(classes)
        step, images = history.samples[-1]
        grid = figure.add_subplot(places[:, 2])
        # NaN, and what lies out of range, can be seen too
        draw_grid(grid, images.float().nan_to_num(0).clamp(-1, 1))
        grid.set_title(f"samples at step {step:,}", fontsize=11)
        for axis in (losses, beliefs, distance, classes):
            axis.title.set_fontsize(11)
        return figure

    def _write_head(self, figure: Figure, progress: Progress) -> None:
        """The verdict, its reason and what to try, in four lines at most."""
        verdict = self.verdict
        cut = " (cut short)" if progress.history.stopped else ""
        title = f"step {progress.step:,} of {progress.total_steps:,}{cut}: {verdict.name}"
        notice = sample_notice()
        figure.text(0.01, 0.975, title, fontsize=14, weight="bold", verticalalignment="top")
        figure.text(
            0.99, 0.975, f"({notice})" if notice else "", fontsize=9,
            horizontalalignment="right", verticalalignment="top",
        )  # fmt: skip
        words = (f"{verdict.reason}.", f"What to try: {verdict.advice}.")
        lines = [textwrap.shorten(words[0], LINE), *textwrap.wrap(words[1], LINE, max_lines=2)]
        figure.text(
            0.01, 0.93, "\n".join(lines), fontsize=10, linespacing=1.25, verticalalignment="top"
        )

    def _draw_distance(self, axis: Axes, history: History) -> None:
        axis.set(xlabel=f"step ({self.samples:,} samples each)", title="distance to real images")
        values = history.extra.get("distance", [])
        first = self._distances[0][0] if self._distances else math.inf
        earlier = [(s, v) for s, v in zip(history.step, values) if math.isfinite(v) and s < first]
        known = earlier + self._distances
        if not known:
            _say_nothing_yet(axis)
            return
        axis.plot(*zip(*known), color=FAKE, marker="o", markersize=4, clip_on=False)
        latest = known[-1][1]
        axis.set_title(f"distance to real images: {latest:,.{0 if latest >= 100 else 1}f}")
        if min(value for _, value in known) > 0:  # from thousands to tens: a log scale shows both
            axis.set_yscale("log")
            for formatted in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
                formatted(LogFormatter(minor_thresholds=(1, 0.4)))

    def _draw_classes(self, axis: Axes) -> None:
        axis.set(xlabel="class (dotted: equal shares)", title="share of each class")
        axis.set(xlim=(-0.6, CLASSES - 0.4), xticks=range(CLASSES))
        if self._shares is None:
            _say_nothing_yet(axis)
            return
        step, shares = self._shares
        axis.set_title(f"share of each class at step {step:,}")
        axis.bar(range(CLASSES), shares.tolist(), color=FAKE, edgecolor="black")
        axis.set_ylim(0, max(0.5, 1.05 * shares.max().item()))
        axis.axhline(1 / CLASSES, color=REAL, linestyle=":", linewidth=2)


def _pad(history: History) -> History:
    """The history with NaN where a step of one's own gives no such score."""
    count = len(history.step)
    lists = {name: getattr(history, name) for name in ("d_loss", "g_loss", "d_real", "d_fake")}
    return replace(history, **{n: v + [math.nan] * (count - len(v)) for n, v in lists.items()})


def _leave_room(axis: Axes) -> None:
    """Room over the curves, for the legend."""
    low, high = axis.get_ylim()
    axis.set_ylim(low, high + 0.2 * (high - low))


def _say_nothing_yet(axis: Axes) -> None:
    axis.text(0.5, 0.5, "not measured", transform=axis.transAxes, horizontalalignment="center")


def in_notebook() -> bool:
    """Whether pictures can be shown here, and changed in place."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return hasattr(get_ipython(), "kernel")
