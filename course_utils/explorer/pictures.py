"""Pictures of latents: the large one, rows of small ones, paths as GIFs, and the still grid."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from ..animation import tile
from ..plots import render
from .generator import FrozenGenerator, need_latents

SIDE = 280  # pixels of the large picture's longer side, about
SMALL = 56  # the same of the pictures in a row
ROW = 10  # pictures in a row at most
WAIT = 80  # milliseconds of a frame
COLUMNS = 7  # values of each slider in the still grid


@dataclass(frozen=True)
class Picture:
    """What a generator makes of one latent.

    Attributes:
        image: `(C, H, W)` in [-1, 1].
        png: the same as a file: with enlarged pixels, or with more of them (`show_large`).
    """

    image: Tensor
    png: bytes


def draw(generator: FrozenGenerator, latent: Tensor, side: int = SIDE) -> Picture:
    """The picture of a latent `(dim,)`: its longer side has about `side` pixels, all crisp."""
    latents = need_latents(latent, "latent", generator.dim)[None]
    images = generator(latents)
    return Picture(images[0], to_png(show_large(generator, images, latents, side), side))


def show_large(generator: FrozenGenerator, images: Tensor, latents: Tensor, side: int) -> Tensor:
    """Images of latents as they are, or drawn in the size in which they will be shown."""
    return generator.redraw(images, latents, max(find_size(generator.shape, side)))


def to_png(images: Tensor, side: int) -> bytes:
    """Images `(N, C, H, W)` as one file: a single one bare, several in rows with lines between."""
    buffer = io.BytesIO()
    picture = tile(images, ROW, line=int(len(images) > 1))
    # The least compression: it is read once, at the other end of a short wire.
    _enlarge(picture, images, side).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def to_gif(images: Tensor, side: int, loop: bool) -> bytes:
    """Images `(N, C, H, W)` one after another, once or for ever."""
    frames = [_enlarge(tile(image[None], 1, line=0), images, side) for image in images]
    if frames[0].mode == "RGB":  # a GIF's frame has at most 256 colours
        frames = [frame.quantize(256, dither=Image.Dither.NONE) for frame in frames]
    options = {"loop": 0} if loop else {}
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=WAIT, **options)
    return buffer.getvalue()


def find_size(shape: Sequence[int], side: int) -> tuple[int, int]:
    """Width and height of an image (C, H, W) enlarged by a whole number to about `side`."""
    _, height, width = shape
    scale = max(1, round(side / max(height, width)))
    return width * scale, height * scale


def _enlarge(picture: Image.Image, images: Tensor, side: int) -> Image.Image:
    """A picture of several images, each enlarged as `find_size` says."""
    scale = find_size(images.shape[1:], side)[0] // images.shape[3]
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def draw_still(
    generator: FrozenGenerator, latent: Tensor, basis: Tensor, names: Sequence[str], reach: float
) -> tuple[bytes, str]:
    """What sliders do, as a still picture, a row each, and the words for it.

    Row i shows the latent `(dim,)` with its coordinate along `basis[i]`, of length 1, replaced by
    values from -reach to reach.
    """
    values = torch.linspace(-reach, reach, COLUMNS)
    images = [generator(sweep(latent, direction, values)) for direction in basis]
    shades = tile(torch.cat(images), COLUMNS)
    step = (shades.width - 1) / COLUMNS, (shades.height - 1) / len(basis)
    figure = Figure(figsize=(6, 1 + 0.75 * len(basis)), dpi=90)
    axis = figure.subplots()
    axis.imshow(shades, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axis.set_xticks([(i + 0.5) * step[0] for i in range(COLUMNS)], [f"{v:.2g}" for v in values])
    axis.set_yticks([(i + 0.5) * step[1] for i in range(len(basis))], names)
    axis.tick_params(length=0)
    axis.set_title("what each slider does (they move where a kernel runs)", fontsize=10)
    words = (
        f"A still grid in place of the sliders: {len(basis)} rows of {COLUMNS} pictures. In each "
        f"row one slider moves from {-reach:.2g} to {reach:.2g}: {', '.join(names)}."
    )
    return render(figure), words


def sweep(latent: Tensor, direction: Tensor, values: Tensor) -> Tensor:
    """Copies `(N, dim)` of a latent, their coordinate along a direction of length 1 replaced."""
    rest = latent - torch.dot(latent, direction) * direction
    return rest + values[:, None] * direction
