"""Numbers in large print, for readers with poor sight, written in generated digits."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from .animation import tile
from .checkpoints import write_atomically
from .coordinates import CoordinateGenerator
from .data.images import to_unit
from .legibility import read_digits, steepen
from .plots import bundle_png
from .pretrained import load_pretrained
from .validation import need_choice, need_count, need_file

SIDE = 448  # pixels of a digit, high and wide
DENSITY = 150  # pixels to the inch, in print: a digit's square is then 7.6 cm high
MOST = 20  # digits in a number
STEEP = 8  # how much steeper edges are made: sharp, but smooth at this size
SURE = 0.99  # the least certainty with which the classifier reads each digit
DRAWN = 2000  # latents to choose from
TRIED = 24  # of each digit: those of which the classifier is surest
BLURS = (0.0, 0.02, 0.04, 0.06)  # as shares of the height: through all of them it should be read


@dataclass(frozen=True)
class LargePrint:
    """A sheet that was written. A notebook shows it where it is a cell's last value.

    Attributes:
        path: the file.
        alt: what it shows, in words. The PNG holds them as its Description.
        certainty: how sure the classifier is of each digit on the sheet.
        latents: of its digits, `(count, dim)`.
    """

    path: Path
    alt: str
    certainty: tuple[float, ...]
    latents: Tensor

    def __repr__(self) -> str:
        least = f"read with {min(self.certainty):.2%} certainty or more"
        return f"LargePrint({self.path}: {self.alt} Each digit is {least}.)"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return bundle_png(self.path.read_bytes(), self.alt)


def large_print(
    number: str | int,
    path: str | Path = "out.png",
    *,
    side: int = SIDE,
    paper: str = "white",
    seed: int = 0,
    generator: CoordinateGenerator | None = None,
) -> LargePrint:
    """Write a number in large, clear, generated digits, as a PNG.

    Of many digits that the generator draws those are taken that the course's classifier reads with
    at least 99 % certainty and, among them, those that it still reads best through blur. What is
    judged is the sheet as it is written. The same digit twice is drawn in two ways.

    Args:
        number: digits such as "2026", twenty at most; `"007"` keeps its zeros.
        path: a name that ends in .png, in a folder that exists. A file of that name is replaced.
        side: pixels of a digit, high and wide.
        paper: "white", with black digits, or "black", with white ones: some readers prefer it, as
            a bright page blinds them.
        seed: decides the latents; another one writes with another hand.
        generator: a generator of coordinates in eval mode; the shipped "cppn" if not given.

    Returns:
        The sheet: its path, its alternative text, and how sure the classifier is of each digit.

    Raises:
        TypeError, ValueError: anything else, or a generator that draws some digit not well enough.
        OSError: the file could not be written.
    """
    digits, path = need_digits(number), need_file(path, "path", ".png")
    need_choice(paper, "paper", ("white", "black"))
    need_count(side, "side", minimum=28)
    need_count(seed, "seed", minimum=0)
    if generator is None:
        generator = load_pretrained("cppn")
    elif not isinstance(generator, CoordinateGenerator):
        raise TypeError(
            f"generator: expected a CoordinateGenerator, got {type(generator).__name__}"
        )
    latents = choose_latents(generator, digits, seed)
    pictures = steepen(generator.draw(latents, side), STEEP)
    sheet = compose(pictures, paper)
    certainty = read_sheet(sheet, digits, side, paper)
    alt = f"The number {digits} in large {'black' if paper == 'white' else 'white'} digits."
    write_atomically(path, to_file(sheet, alt))
    return LargePrint(path, alt, certainty, latents)


def need_digits(number: Any) -> str:
    """A number as its digits."""
    if isinstance(number, bool) or not isinstance(number, (str, int)):
        raise TypeError(f'number: expected digits such as "2026", got {type(number).__name__}')
    text = str(number)
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'number: expected digits such as "2026" and nothing else, got {text!r}')
    if len(text) > MOST:
        raise ValueError(f"number: expected at most {MOST} digits, got {len(text)}")
    return text


def choose_latents(generator: CoordinateGenerator, digits: str, seed: int) -> Tensor:
    """For each digit the latent of a clear one `(count, dim)`; the n-th 2 gets the n-th best.

    Raises:
        ValueError: the generator draws some digit never clearly enough.
    """
    source = torch.Generator().manual_seed(seed)
    latents = torch.randn(DRAWN, generator[0].dim, generator=source)
    found, certainty = read_digits(generator.draw(latents))
    best = {}
    for digit, wanted in Counter(digits).items():
        own = (found == int(digit)) & (certainty >= SURE)
        sure = latents[own][certainty[own].argsort(descending=True)[:TRIED]]
        ranked = rank(generator, sure, int(digit))
        if len(ranked) < wanted:
            raise ValueError(
                f"generator: expected one that draws {wanted} clear {digit}s among {DRAWN:,} "
                f"digits, got {len(ranked)}"
            )
        best[digit] = iter(ranked)
    return torch.stack([next(best[digit]) for digit in digits])


def rank(generator: CoordinateGenerator, latents: Tensor, digit: int) -> Tensor:
    """Those latents whose pictures are read as the digit, first those read best through blur."""
    if not len(latents):
        return latents
    pictures = steepen(generator.draw(latents, 112), STEEP)
    readings = [read_digits(pictures, share) for share in BLURS]
    right = torch.stack([(found == digit) * certainty for found, certainty in readings])
    order = right.amin(dim=0).argsort(descending=True)
    return latents[order][right[0, order] >= SURE]


def compose(pictures: Tensor, paper: str) -> Image.Image:
    """Pictures `(count, 1, side, side)` in [-1, 1] beside each other, with a margin all around."""
    row = tile(pictures, len(pictures), line=0)
    if paper == "white":
        row = ImageOps.invert(row)
    return ImageOps.expand(row, border=pictures.shape[3] // 4, fill=paper)


def read_sheet(sheet: Image.Image, digits: str, side: int, paper: str) -> tuple[float, ...]:
    """How sure the classifier is of each digit on a sheet as it will be written."""
    row = ImageOps.crop(sheet, border=side // 4)
    if paper == "white":
        row = ImageOps.invert(row)
    ink = to_unit(torch.from_numpy(np.array(row)))
    found, certainty = read_digits(torch.stack(ink.split(side, dim=1))[:, None])
    wrong = [
        digit
        for digit, got, sure in zip(digits, found, certainty, strict=True)
        if got != int(digit) or sure < SURE
    ]
    if wrong:
        raise ValueError(
            f"generator: expected digits that are read with {SURE:.0%} certainty on the sheet, got "
            f"others for {', '.join(wrong)}; try another seed, or a larger side"
        )
    return tuple(certainty.tolist())


def to_file(sheet: Image.Image, alt: str) -> bytes:
    """The sheet as a PNG that says what it shows and how large it is to be printed."""
    words = PngInfo()
    words.add_itxt("Description", alt)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", pnginfo=words, dpi=(DENSITY, DENSITY), optimize=True)
    return buffer.getvalue()
