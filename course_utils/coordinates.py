"""A generator of coordinates: from a latent and a point to the grey value there.

A convolutional generator makes a grid of pixels, and nothing between them. This one is asked point
by point, so that its pictures have any size: trained at 28 x 28, drawn at 448 x 448. It goes back
to Stanley 2007, "Compositional pattern producing networks" (CPPN), and to Ha 2016, "Generating
large images from latent vectors", where such a network is the generator of a GAN.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .models import STEEP_LEAK, Latent
from .validation import need_count, need_number

SIDE = 28  # pixels, high and wide: as it is trained
BASIS = 4  # of a feature: x, y, radius, and 1
FEATURES = 64  # of a point, in every layer
WIDTH = 128  # of the layers that read the latent
COARSE = 4  # times fewer points, high and wide, show where a picture is flat
POINTS = 4096  # at a time when a large picture is drawn: their features then stay in the cache


def make_grid(side: int, device: torch.device | str | None = None) -> Tensor:
    """Where the pixels of a square picture are: `(side, side, 4)`, of each x, y, radius and 1.

    x goes from left to right and y from top to bottom, from -1 to 1 between the picture's edges.
    Each pixel stands for its centre: so the same point has the same coordinates at every size.
    """
    centres = (torch.arange(side, device=device) + 0.5) * (2 / side) - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([x, y, torch.hypot(x, y), torch.ones_like(x)], dim=2)


class Coordinates(nn.Module):
    """Features of every pixel: `(N, features * 4)` -> `(N, features, side, side)`.

    Of four numbers a, b, c, d a feature is a x + b y + c r + d: a tilted plane, and a cone upon
    it. All that a latent says about its picture it says with these numbers.
    """

    def __init__(self, features: int, side: int = SIDE) -> None:
        super().__init__()
        self.features, self.side = need_count(features, "features"), need_count(side, "side")

    def forward(self, numbers: Tensor) -> Tensor:
        grid = make_grid(self.side, numbers.device).to(numbers)
        planes = numbers.reshape(-1, 1, self.features, BASIS)
        values = grid @ planes.transpose(2, 3)  # (N, side, side, features)
        return values.permute(0, 3, 1, 2)

    def extra_repr(self) -> str:
        return f"features={self.features}, side={self.side}"


class CoordinateGenerator(nn.Sequential):
    """Layers that read a latent, `Coordinates`, then layers that see one point at a time.

    The latter are 1 x 1 convolutions: the same small network for every point.
    """

    def at(self, side: int) -> CoordinateGenerator:
        """A copy whose pictures have `side` x `side` pixels. Nothing is enlarged: it is asked for
        more points.
        """
        other = copy.deepcopy(self)
        other[other.place].side = need_count(side, "side")
        return other

    @torch.no_grad()
    def draw(self, latents: Tensor, side: int = SIDE, flat: float = 0.0) -> Tensor:
        """Pictures `(N, 1, side, side)` in [-1, 1]: those of `at(side)`, several times faster.

        A few points at a time, whose features stay in the processor's cache; batch norm becomes a
        part of the layers before it.

        Args:
            latents: `(N, dim)`.
            side: pixels, high and wide.
            flat: where grey values change by no more than this within a few points, they are
                interpolated, which saves most of the work for large pictures; 0 asks everywhere.

        Raises:
            RuntimeError: it is in training mode, in which a picture depends on the others.
        """
        if self.training:
            raise RuntimeError("expected a generator in eval mode, as G.eval() leaves it")
        points = make_grid(need_count(side, "side"), latents.device).flatten(0, 1)
        need_number(flat, "flat", low=0)
        numbers = self[: self.place](latents).reshape(len(latents), -1, BASIS)
        side_by_side = numbers.transpose(0, 1).flatten(1)  # (features, N * 4): one layer to fold
        (planes, bias), *colour = fold([(side_by_side, None), *self[self.place + 1 :]])
        pictures = []
        for own in planes.split(BASIS, dim=1):
            layers = [(own, bias), *colour]
            if flat > 0 and side >= COARSE * SIDE and side % COARSE == 0:
                greys = _run_where_busy(layers, points, side, flat)
            else:
                greys = run(layers, points)
            pictures.append(greys.reshape(1, side, side))
        return torch.stack(pictures)

    @property
    def side(self) -> int:
        return self[self.place].side

    @property
    def place(self) -> int:
        """Where in the row of layers `Coordinates` stands."""
        return next(n for n, layer in enumerate(self) if isinstance(layer, Coordinates))


Affine = tuple[Tensor, Tensor | None]  # weight (out, in), and bias (out,) if there is one


def fold(layers: Sequence[nn.Module | Affine]) -> list[nn.Module | Affine]:
    """Layers as `run` wants them: 1 x 1 convolutions, each with the batch norm that follows it, as
    weight and bias; activations in place.
    """
    folded: list[nn.Module | Affine] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            statistics = layer.running_mean, layer.running_var, layer.eps
            folded[-1] = fuse_conv_bn_weights(*folded[-1], *statistics, layer.weight, layer.bias)
        elif isinstance(layer, nn.Conv2d):
            folded.append((layer.weight.flatten(1), layer.bias))
        else:
            layer = copy.copy(layer)
            if hasattr(layer, "inplace"):
                layer.inplace = True  # nobody else needs what it is given
            folded.append(layer)
    return folded


def run(layers: Sequence[nn.Module | Affine], points: Tensor) -> Tensor:
    """The grey values `(P, 1)` that folded layers give to points `(P, 4)`, `POINTS` at a time."""
    parts = []
    for part in points.split(POINTS):
        for layer in layers:
            part = layer(part) if isinstance(layer, nn.Module) else F.linear(part, *layer)
        parts.append(part)
    return torch.cat(parts)


def _run_where_busy(
    layers: Sequence[nn.Module | Affine], points: Tensor, side: int, flat: float
) -> Tensor:
    """The same for all points of a picture, but interpolated where a coarser one is flat."""
    few = side // COARSE
    coarse = run(layers, make_grid(few, points.device).flatten(0, 1)).reshape(1, 1, few, few)
    most, least = F.max_pool2d(coarse, 3, 1, 1), -F.max_pool2d(-coarse, 3, 1, 1)
    busy = F.interpolate((most - least > flat).float(), scale_factor=COARSE).flatten() > 0
    greys = F.interpolate(coarse, scale_factor=COARSE, mode="bilinear").reshape(-1, 1)
    if busy.any():
        greys[busy] = run(layers, points[busy])
    return greys


def build_coordinate_generator(noise_dim: int = 64) -> CoordinateGenerator:
    """The generator of coordinates: noise `(N, noise_dim)` in, `(N, 1, 28, 28)` in [-1, 1] out.

    66,753 parameters at `noise_dim=64`, and 128 more for each further dimension; none of them
    belongs to a pixel. Batch norm stands where the latent is read, and between the points' layers,
    where it averages over all points of all pictures.
    """
    return CoordinateGenerator(
        Latent(need_count(noise_dim, "noise_dim")),
        nn.Linear(noise_dim, WIDTH, bias=False),
        nn.BatchNorm1d(WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, WIDTH, bias=False),
        nn.BatchNorm1d(WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, BASIS * FEATURES),
        Coordinates(FEATURES),
        nn.BatchNorm2d(FEATURES),
        nn.LeakyReLU(STEEP_LEAK),
        *_point_block(),
        *_point_block(),
        nn.Conv2d(FEATURES, 1, kernel_size=1),
        nn.Tanh(),
    )


def _point_block() -> tuple[nn.Module, ...]:
    """A layer for each point: a 1 x 1 convolution, norm, LeakyReLU."""
    conv = nn.Conv2d(FEATURES, FEATURES, kernel_size=1, bias=False)
    return conv, nn.BatchNorm2d(FEATURES), nn.LeakyReLU(STEEP_LEAK)
