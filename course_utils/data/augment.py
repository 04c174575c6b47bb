"""Random changes to images that a generator of random numbers decides, made on the device.

Each function here makes an `augment(images, generator)`: float images `(N, C, H, W)` in [-1, 1]
in, as many out, every image changed in its own way. Gradients pass through all of them, so that
they can be applied to real images and fakes alike before D sees either (Zhao et al. 2020,
arXiv 2006.10738; Karras et al. 2020, arXiv 2006.06676).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..validation import need_bool, need_count, need_function, need_number

Augment = Callable[[Tensor, torch.Generator], Tensor]


def combine(*augments: Augment) -> Augment:
    """An augmentation that makes several changes, one after the other."""
    for augment in augments:
        need_function(augment, "augments")

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        for change in augments:
            images = change(images, generator)
        return images

    return augment


def random_rotation(degrees: float) -> Augment:
    """An augmentation that turns each image of a batch by its own angle.

    Angles are uniform in [-degrees, degrees]; what turns in from outside is black (-1).
    (torchvision's `RandomRotation` draws a single angle for a whole batch.)

    Raises:
        TypeError, ValueError: `degrees` is not a number from 0 to 180.
    """
    need_number(degrees, "degrees", low=0, high=180)

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        if degrees == 0:
            return images
        draws = torch.rand(
            len(images), generator=generator, device=images.device, dtype=images.dtype
        )
        return rotate(images, (2 * draws - 1) * degrees)

    return augment


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Turn image `i` counter-clockwise about its centre by `degrees[i]`, filling with -1.

    Args:
        images: float `(N, C, H, W)` in [-1, 1].
        degrees: float `(N,)`.

    Returns:
        float `(N, C, H, W)` in [-1, 1], read off between pixels (bilinear).
    """
    height, width = images.shape[2:]
    angle = torch.deg2rad(degrees)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    # Each row says where in the old image (x, y from -1 to 1) a new pixel looks. The two
    # ratios keep the rotation rigid where an image is not square.
    x_row = torch.stack([cos, -sin * height / width, zero], dim=1)
    y_row = torch.stack([sin * width / height, cos, zero], dim=1)
    grid = F.affine_grid(torch.stack([x_row, y_row], dim=1), images.shape, align_corners=False)
    # grid_sample fills with 0, so black is moved to 0 and back. Its four weights may sum to
    # a hair more than 1, hence the clamp.
    turned = F.grid_sample(images + 1, grid, mode="bilinear", align_corners=False)
    return turned.sub_(1).clamp_(-1, 1)


def random_shift(pixels: int, flip: bool = False) -> Augment:
    """An augmentation that moves each image by its own whole number of pixels, both ways.

    What comes in from outside is the image mirrored at its edge; `flip` mirrors each with
    a probability of one half.

    Raises:
        TypeError, ValueError: `pixels` is not a whole number from 0 on; later, where images come
            that are not larger than that.
    """
    need_count(pixels, "pixels", minimum=0)
    need_bool(flip, "flip")

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        count, channels, height, width = images.shape
        if pixels >= min(height, width):
            raise ValueError(
                f"pixels: expected less than the images' side, {min(height, width)}, got {pixels}"
            )
        device = images.device
        wide = F.pad(images, (pixels,) * 4, mode="reflect")
        draw = torch.randint(
            2 * pixels + 1, (2, count, 1), generator=generator, device=device, dtype=torch.int64
        )
        rows = draw[0] + torch.arange(height, device=device)
        columns = draw[1] + torch.arange(width, device=device)
        if flip:
            turn = torch.rand(count, 1, generator=generator, device=device) < 0.5
            columns = torch.where(turn, columns.flip(1), columns)
        # gather, not an index of three tensors: its gradient needs no sorting
        wide = wide.gather(2, rows[:, None, :, None].expand(-1, channels, -1, wide.shape[3]))
        return wide.gather(3, columns[:, None, None, :].expand(-1, channels, height, -1))

    return augment


def random_colour(strength: float = 1.0) -> Augment:
    """An augmentation that gives each image its own brightness, saturation and contrast.

    Brightness moves by up to `strength` / 2, saturation is multiplied by 1 ± `strength`, contrast
    by 1 ± `strength` / 2. Values may leave [-1, 1]: what is cut off there, G could not learn
    from. Source: the three colour changes of Zhao et al. 2020 (arXiv 2006.10738), section 3.

    Raises:
        TypeError, ValueError: `strength` is not a number from 0 to 1.
    """
    need_number(strength, "strength", low=0, high=1)

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        draws = torch.rand((3, len(images), 1, 1, 1), generator=generator, device=images.device).to(
            images.dtype
        )
        brightness, saturation, contrast = (2 * draws - 1) * strength
        images = images + brightness / 2
        grey = images.mean(dim=1, keepdim=True)
        images = grey + (images - grey) * (1 + saturation)
        middle = images.mean(dim=(1, 2, 3), keepdim=True)
        return middle + (images - middle) * (1 + contrast / 2)

    return augment
