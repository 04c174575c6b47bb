"""Every figure of the course: the fixed colours, alt text, and the note on stand-in data.

Each function draws one figure and shows it in the notebook as a PNG with alternative text (read
out by screen readers, kept in HTML exports). No figure goes through pyplot: none stays open.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from .data import sample_notice
from .models import unflatten_digits
from .validation import (
    need_choice,
    need_count,
    need_images,
    need_module,
    need_number,
    need_tensor,
)

if TYPE_CHECKING:
    from .training import History

# Okabe and Ito's palette, told apart by colour-blind readers. Line styles and markers say the
# same again for everyone who prints in grey.
REAL, FAKE, D_COLOUR, G_COLOUR = "#0072B2", "#E69F00", "#D55E00", "#009E73"
KINDS = {"real": REAL, "fake": FAKE}
CROSS_ENTROPY_DRAW = 2 * math.log(2), math.log(2)  # losses of D and G where D cannot tell
LISTS = ("step", "d_loss", "g_loss", "d_real", "d_fake")  # what plot_losses reads of a history


def show_images(
    images: Tensor,
    nrow: int | None = None,
    titles: str | Sequence[str] | None = None,
    alt: str | None = None,
    kind: str | None = None,
) -> None:
    """Show a batch of images as one grid, pixels crisp.

    Args:
        images: `(N, C, H, W)` with C 1 or 3, or digits as `(N, 784)`; uint8 in [0, 255] or
            float in [-1, 1].
        nrow: images in a row; a square grid if not given.
        titles: one line for the whole grid, or one for each image.
        alt: what a reader who cannot see the grid should know; counted and named if not given.
        kind: "real" or "fake" gives the frame that kind's fixed colour.

    Raises:
        TypeError, ValueError: anything else, NaN and values outside the range included.
    """
    images = _to_images(images)
    count = len(images)
    per_row = min(count, math.ceil(math.sqrt(count)) if nrow is None else need_count(nrow, "nrow"))
    if titles is not None and not isinstance(titles, (str, Sequence)):
        raise TypeError(f"titles: expected one line or a list, got {type(titles).__name__}")
    each = None if titles is None or isinstance(titles, str) else list(titles)
    if each is not None and len(each) != count:
        raise ValueError(f"titles: expected one line or {count} (one an image), got {len(each)}")
    rows = math.ceil(count / per_row)
    height = 0.75 + 0.2 * (each is not None)
    figure = Figure(figsize=(max(3.0, 0.75 * per_row), height * rows + 0.5), dpi=100)
    axes = figure.subplots(rows, per_row, squeeze=False).flatten()
    for axis in axes:
        axis.axis("off")
    for index, (axis, image) in enumerate(zip(axes, images, strict=False)):
        _draw_image(axis, image)
        if each is not None:
            axis.set_title(each[index], fontsize=8)
    if isinstance(titles, str):
        figure.suptitle(titles)
    _frame(figure, kind)
    figure.tight_layout(pad=0.6, h_pad=0.1, w_pad=0.1)
    show_figure(figure, alt or _describe_grid(count, per_row, titles, kind))


def show_grids(
    grids: Sequence[tuple[str, Tensor | History]],
    alt: str,
    nrow: int = 5,
    kind: str | None = None,
) -> None:
    """Show several batches of images side by side, each as a grid under its own title.

    Args:
        grids: a list of pairs (title, images); images as in `show_images`. A history stands for
            its last samples, and the title says so where that run was cut short.
        alt: what a reader who cannot see the grids should know.
        nrow: images in a row of each grid.
        kind: "real" or "fake" gives the frame that kind's fixed colour.
    """
    if not isinstance(grids, Sequence) or not all(
        isinstance(pair, Sequence) and len(pair) == 2 for pair in grids
    ):
        raise TypeError(f"grids: expected pairs (title, images), got {type(grids).__name__}")
    if not grids:
        raise ValueError("grids: expected at least one pair (title, images), got none")
    figure = Figure(figsize=(3.2 * len(grids), 3.6), dpi=100)
    for axis, (title, images) in zip(
        figure.subplots(1, len(grids), squeeze=False)[0], grids, strict=True
    ):
        if hasattr(images, "samples"):
            title, images = label_run(title, images, "\n"), _last_samples(images)
        draw_grid(axis, images, need_count(nrow, "nrow"))
        axis.set_title(title)
    _frame(figure, kind)
    figure.tight_layout()
    show_figure(figure, alt)


def plot_losses(history: History, draw: tuple[float, float] = CROSS_ENTROPY_DRAW) -> None:
    """Two panels against the step: the losses of D and G, and D(x) against D(G(z)).

    Over them stands whether the run was cut short.

    Args:
        history: what `run_a_gan` returns, or any object with the lists `step`, `d_loss`,
            `g_loss`, `d_real` and `d_fake`, all of one length.
        draw: what the losses of D and of G are where D cannot tell; (1/4, 1/8) for least squares.
    """
    alt = _describe_history(history)
    figure = Figure(figsize=(10, 3.4), dpi=100)
    draw_losses(*figure.subplots(1, 2), history, draw)
    if cut := describe_cut(history):
        figure.suptitle(f"This run was {cut}")
    figure.tight_layout()
    show_figure(figure, alt)


def draw_losses(
    left: Axes,
    right: Axes,
    history: History,
    draw: tuple[float, float] = CROSS_ENTROPY_DRAW,
) -> None:
    """The two panels of `plot_losses`, on axes of a figure of your own."""
    d_draw, g_draw = need_draw(draw)
    left.plot(history.step, history.d_loss, color=D_COLOUR, label="loss of D")
    left.plot(history.step, history.g_loss, color=G_COLOUR, linestyle="--", label="loss of G")
    left.axhline(d_draw, color=D_COLOUR, linewidth=0.8, linestyle=":")
    left.axhline(g_draw, color=G_COLOUR, linewidth=0.8, linestyle=":")
    left.set(xlabel="step", title="losses (dotted: a perfect draw)")
    right.plot(history.step, history.d_real, color=REAL, label="D(x), real")
    right.plot(history.step, history.d_fake, color=FAKE, linestyle="--", label="D(G(z)), fake")
    right.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
    right.set(xlabel="step", title="what D believes (dotted: it cannot tell)")
    # 0 to 1 at least: scores of least squares may lie outside
    scores = [score for score in (*history.d_real, *history.d_fake) if math.isfinite(score)]
    right.set_ylim(min([*scores, 0]), max([*scores, 1]))
    for axis in (left, right):
        axis.legend()


def label_run(title: str, history: History, between: str = " ") -> str:
    """The title of a figure about a run, which says so where the run was cut short.

    "DCGAN" becomes "DCGAN (cut short after step 120)", if the stop button, or a loss that is not
    finite, has ended it early: what it shows is no result of the whole training.

    Args:
        title: the title that a whole run has.
        history: what `run_a_gan` returns, or another object with `stopped`.
        between: what stands before the bracket; a line break suits narrow figures.
    """
    if not isinstance(title, str):
        raise TypeError(f"title: expected one line, got {type(title).__name__}")
    if not hasattr(history, "stopped"):
        raise TypeError(
            f"history: expected what run_a_gan returns, got {type(history).__name__} "
            "without `stopped`"
        )
    cut = describe_cut(history)
    return f"{title}{between}({cut})" if cut else title


def describe_cut(history: History) -> str:
    """ "cut short after step 120", or "" for a run that was not."""
    if not getattr(history, "stopped", ""):
        return ""
    return f"cut short after step {history.step[-1]:,}" if history.step else "cut short"


def draw_grid(axis: Axes, images: Tensor, nrow: int = 5) -> None:
    """A batch of images as one grid on an axis of a figure of your own."""
    _draw_image(axis, _tile(_to_images(images), nrow))
    axis.axis("off")


def show_plane(
    discriminator: nn.Module,
    real: Tensor,
    fake: Tensor,
    title: str,
    alt: str | None = None,
    reach: float = 3.0,
) -> None:
    """A game in two dimensions: D(x) as shades of grey under real and generated points.

    Args:
        discriminator: takes points `(N, 2)`, gives one probability of being real each.
        real: points `(N, 2)` of the data.
        fake: points `(N, 2)` that G made.
        title: one line over the figure.
        alt: alternative text; made from the title and the counts if not given.
        reach: the plane is drawn from -reach to reach both ways.
    """
    need_module(discriminator, "discriminator")
    need_tensor(real, "real", shape=(None, 2))
    need_tensor(fake, "fake", shape=(None, 2))
    need_number(reach, "reach", above=0)
    line = torch.linspace(-reach, reach, 80)
    plane = torch.cartesian_prod(line, line)
    with torch.no_grad():
        belief = discriminator(plane.to(real)).cpu()
    if belief.numel() != len(plane):
        raise ValueError(
            f"discriminator: expected one probability per point, ({len(plane)}, 1), "
            f"got {tuple(belief.shape)}"
        )
    if not (belief.min() >= 0 and belief.max() <= 1):  # so written, NaN is caught as well
        raise ValueError(
            "discriminator: expected probabilities in [0, 1], got values from "
            f"{belief.min():.3g} to {belief.max():.3g}; does it end in a Sigmoid?"
        )
    figure = Figure(figsize=(5.4, 4.4), dpi=100)
    axis = figure.subplots()
    extent = (-reach, reach, -reach, reach)
    shades = belief.float().reshape(80, 80).T.numpy()
    shade = axis.imshow(shades, origin="lower", extent=extent, cmap="gray", vmin=0, vmax=1)
    figure.colorbar(shade, label="D: probability of being real")
    _scatter(axis, real, REAL, "o", "real")
    _scatter(axis, fake, FAKE, "x", "generated")
    axis.set(title=title, xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axis.legend(loc="upper right", fontsize=8)
    figure.tight_layout()
    counts = f"{len(real)} real points (circles) and {len(fake)} generated ones (crosses)"
    show_figure(figure, alt or f"{title}: {counts} over D's probability of being real.")


def show_figure(figure: Figure, alt: str) -> None:
    """Show a matplotlib figure as a PNG with alternative text.

    Figures made while a sample stands in for the real data say so in their title.

    Args:
        figure: a figure of your own, made with `matplotlib.figure.Figure`.
        alt: one or two sentences for readers who cannot see it; not empty.
    """
    from IPython.display import display

    if not isinstance(figure, Figure):
        raise TypeError(f"figure: expected a matplotlib Figure, got {type(figure).__name__}")
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt: expected a sentence that says what the figure shows, got {alt!r}")
    data, metadata = bundle_png(render(figure), alt)
    display(data, metadata=metadata, raw=True)


def render(figure: Figure) -> bytes:
    """A figure as a PNG; its title says so where a sample stands in for the real data."""
    notice, above = sample_notice(), figure.get_suptitle()
    if notice and notice not in above:  # a figure shown twice says it once
        text = f"{above}\n({notice})" if above else f"({notice})"
        figure.suptitle(text, fontsize=9, y=1, verticalalignment="bottom")  # above, not over it
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", edgecolor=figure.get_edgecolor())
    return buffer.getvalue()


def bundle_png(picture: bytes, alt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The data and metadata that IPython's `display` takes: a PNG with alternative text."""
    data = {"image/png": base64.b64encode(picture).decode(), "text/plain": alt}
    return data, {"image/png": {"alt": alt}}


def need_draw(draw: tuple[float, float]) -> tuple[float, float]:
    """The losses of D and of G where D cannot tell real images from fakes."""
    if not isinstance(draw, (tuple, list)) or len(draw) != 2:
        raise TypeError(f"draw: expected two numbers, the losses of D and of G, got {draw!r}")
    return tuple(need_number(level, "draw") for level in draw)


def _to_images(images: Tensor) -> Tensor:
    """`images` on the CPU as `(N, C, H, W)`, digits given as `(N, 784)` included."""
    return need_images(unflatten_digits(images)).detach().cpu()


def _frame(figure: Figure, kind: str | None) -> None:
    """The frame in the fixed colour of real or of generated images."""
    if kind is not None:
        colour = KINDS[need_choice(kind, "kind", KINDS)]
        figure.patch.set(edgecolor=colour, linewidth=6)


def _draw_image(axis: Axes, image: Tensor) -> None:
    """One image `(C, H, W)`, uint8 or float in [-1, 1], without smoothing."""
    values = image.float() / 255 if image.dtype == torch.uint8 else (image.float() + 1) / 2
    pixels = values.clamp(0, 1).permute(1, 2, 0).squeeze(-1).numpy()
    axis.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def _tile(images: Tensor, nrow: int) -> Tensor:
    """A batch as one image `(C, H, W)` with a thin grey line between the pictures."""
    from torchvision.utils import make_grid

    values = images.float() / 127.5 - 1 if images.dtype == torch.uint8 else images
    return make_grid(values, nrow=nrow, padding=1, pad_value=-0.5)


def _last_samples(history: History) -> Tensor:
    if not history.samples:
        raise ValueError("grids: expected a history with samples, got one without")
    return history.samples[-1][1]


def _scatter(axis: Axes, points: Tensor, colour: str, marker: str, label: str) -> None:
    x, y = points.detach().cpu().float().T.numpy()
    axis.scatter(x, y, s=14, c=colour, marker=marker, linewidths=0.8, label=label)


def _describe_grid(
    count: int, per_row: int, titles: str | Sequence[str] | None, kind: str | None
) -> str:
    what = {"real": "real ", "fake": "generated "}.get(kind or "", "")
    named = titles if isinstance(titles, str) else ", ".join(titles or ())
    return f"{count} {what}images, {per_row} in a row" + (f": {named}." if named else ".")


def _describe_history(history: History) -> str:
    lists = [getattr(history, name, None) for name in LISTS]
    if not all(isinstance(values, Sequence) for values in lists):
        raise TypeError(
            f"history: expected what run_a_gan returns, got {type(history).__name__} "
            f"without the lists {', '.join(LISTS)}"
        )
    if len({len(values) for values in lists}) > 1:
        lengths = ", ".join(str(len(values)) for values in lists)
        raise ValueError(f"history: expected lists of one length, got lengths {lengths}")
    if not history.step:
        raise ValueError("history: expected at least one logged step, got none")
    cut = ", where the run was cut short" if describe_cut(history) else ""
    return (
        f"Curves over {history.step[-1]} steps{cut}. At the end the loss of D is "
        f"{history.d_loss[-1]:.2f}, the loss of G {history.g_loss[-1]:.2f}, "
        f"D(x) {history.d_real[-1]:.2f} and D(G(z)) {history.d_fake[-1]:.2f}."
    )
