"""How well digits can be read: how sharp their edges are, their contrast, and poor sight.

A person reads better than any of these numbers. They are here to compare pictures with each other.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .metrics.features import load_judge, look
from .validation import need_choice, need_count, need_images, need_number

WAYS = ("nearest", "bilinear", "bicubic")  # of enlarging
READ = 28  # pixels, high and wide: as the classifier reads
SEEN = 112  # the same, in which blur is computed
INK = 0.8  # from -INK to INK an edge passes from 10 to 90 % of its way
REACH = 3  # deviations of a bell curve that are computed; 0.3 % lie beyond
FLARE = 0.05  # light that a page reflects in any case (WCAG's formula)


def enlarge(images: Tensor, side: int, way: str = "bicubic") -> Tensor:
    """Images `(N, C, H, W)` in [-1, 1] with `side` x `side` pixels, by one of `WAYS`."""
    need_choice(way, "way", WAYS)
    size = (need_count(side, "side"),) * 2
    align = {} if way == "nearest" else {"align_corners": False}
    large = F.interpolate(need_images(images).float(), size, mode=way, **align)
    return large.clamp(-1, 1)  # bicubic curves overshoot


def steepen(images: Tensor, factor: float) -> Tensor:
    """The same shapes with edges `factor` times as steep: a grey value of 0 stays where it is.

    Images end in a tanh; that is undone, and done again on values `factor` times as large.
    """
    need_number(factor, "factor", above=0)
    inside = need_images(images).float().clamp(-1 + 1e-6, 1 - 1e-6)
    return torch.tanh(factor * torch.atanh(inside))


def edge_width(images: Tensor) -> float:
    """The mean width of edges, as a share of the picture's height: 0 would be perfectly sharp.

    It is the area of all grey pixels, from 10 to 90 % of the way between paper and ink, divided by
    the length of all edges; that length is half of the total variation, as an edge rises by 2.

    Raises:
        ValueError: there is no edge in any of the images.
    """
    images = need_images(images).float()
    down = images[:, :, 1:, :-1] - images[:, :, :-1, :-1]
    right = images[:, :, :-1, 1:] - images[:, :, :-1, :-1]
    length = torch.hypot(down, right).sum().item() / 2
    if length == 0:
        raise ValueError("images: expected some with edges, got flat ones")
    grey = (images.abs() < INK).sum().item()
    return grey / length / images.shape[2]


def contrast(images: Tensor) -> float:
    """The contrast of ink (grey value above 0) and paper, from 1, none, to 21, black and white.

    (L1 + 0.05) / (L2 + 0.05), with L1 and L2 the mean luminances of both: 0 is black, 1 is white.
    Source: Web Content Accessibility Guidelines (WCAG) 2.2, "contrast ratio"; it asks
    for 4.5 at least, and for 7 in its strictest level.

    Raises:
        ValueError: all pixels are ink, or all are paper.
    """
    images = need_images(images).float()
    light, ink = luminance((images + 1) / 2), images > 0
    if ink.all() or not ink.any():
        raise ValueError("images: expected ink and paper, got only one of them")
    return ((light[ink].mean() + FLARE) / (light[~ink].mean() + FLARE)).item()


def luminance(values: Tensor) -> Tensor:
    """The light that a screen gives for grey values in [0, 1] (sRGB, IEC 61966-2-1; WCAG 2.2)."""
    return torch.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def blur(images: Tensor, share: float) -> Tensor:
    """Images as an eye gets them that spreads each point as a bell curve.

    Its standard deviation is `share` of the picture's height. Outside the picture is paper, -1.
    """
    deviation = need_number(share, "share", low=0) * images.shape[2]
    if REACH * deviation < 0.5:  # the bell stays within its pixel
        return images
    reach = math.ceil(REACH * deviation)
    places = torch.arange(-reach, reach + 1, dtype=images.dtype)
    bell = torch.exp(-((places / deviation) ** 2) / 2)
    bell = (bell / bell.sum())[None, None, None]
    padded = F.pad(images, (reach,) * 4, value=-1.0).flatten(0, 1)[:, None]
    return F.conv2d(F.conv2d(padded, bell), bell.transpose(2, 3)).reshape(images.shape)


def look_at(images: Tensor, share: float = 0.0) -> Tensor:
    """Square pictures of any size as the classifier gets them, blurred: `(N, 1, 28, 28)`."""
    images = need_images(images).float()
    side = images.shape[3]
    if side > SEEN and side % SEEN == 0:  # pixels this small are no longer told apart
        images = F.avg_pool2d(images, side // SEEN)
    seen = F.interpolate(blur(images, share), (READ, READ), mode="area")
    return seen.clamp(-1, 1)


def read_digits(images: Tensor, share: float = 0.0) -> tuple[Tensor, Tensor]:
    """What the course's classifier reads in pictures of any size, and how sure it is.

    Returns:
        digits: int64 `(N,)`.
        certainty: `(N,)`, the probability that it gives to its answer.
    """
    logits = look(look_at(images, share), load_judge("mnist")).logits
    certainty, digits = logits.softmax(dim=1).max(dim=1)
    return digits, certainty


def legibility(images: Tensor, digits: Tensor, share: float) -> float:
    """The share of pictures that are still read as `digits` `(N,)` through that blur."""
    return (read_digits(images, share)[0] == digits).float().mean().item()
