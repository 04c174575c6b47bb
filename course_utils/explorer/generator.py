"""A generator as it is now, with the noise it was trained on: what one can walk in."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..coordinates import CoordinateGenerator
from ..layers import copy_network
from ..models import Latent, complete_latents, join_labels, sample_noise, unflatten_digits
from ..validation import need_choice, need_count, need_images, need_module, need_tensor

KINDS = {"normal": 1.0, "uniform": 1 / math.sqrt(3)}  # the deviation of one coordinate
FLAT = 0.02  # of [-1, 1]: a generator of coordinates need not look closer; one grey level is 0.008
REACH = {"normal": 3.0, "uniform": 1.0}  # how far from 0 one coordinate is worth following


class FrozenGenerator:
    """A copy of a generator: on the CPU, in float32, in eval mode, without gradients.

    What is explored stays as it is while the original trains on. Calling it turns latents
    `(N, dim)` into images `(N, C, H, W)` in [-1, 1].

    Attributes:
        network: the copy.
        dim: the size of a latent vector; `noise_dim` of it are noise, and behind that stands a
            label, one-hot, where `classes` is not 0.
        kind: "normal" or "uniform", the noise it was trained with.
        layout: the shape of an image as the network gives it, and as its discriminator takes it.
        shape: the same as (C, H, W).
    """

    def __init__(
        self,
        generator: nn.Module,
        noise_dim: int | None = None,
        noise: str | None = None,
        classes: int | None = None,
    ) -> None:
        need_module(generator, "generator")
        self.network = copy_network(generator).cpu().float().eval().requires_grad_(False)
        told = getattr(generator, "classes", 0) if classes is None else classes
        self.classes = need_count(told, "classes", minimum=0)
        self.noise_dim = _find_dim(generator, noise_dim, self.classes)
        self.dim = self.noise_dim + self.classes
        self.kind = need_choice(noise or _find_kind(generator), "noise", KINDS)
        self.layout = self._try_it()
        self.shape = tuple(unflatten_digits(torch.empty(1, *self.layout)).shape[1:])

    @torch.no_grad()
    def __call__(self, latents: Tensor) -> Tensor:
        return unflatten_digits(self.network(latents))

    def redraw(self, images: Tensor, latents: Tensor, side: int) -> Tensor:
        """Those images of those latents with `side` pixels, where the generator can draw them so.

        Only a generator of coordinates can; otherwise the images as they are.
        """
        if isinstance(self.network, CoordinateGenerator):
            return self.network.draw(latents, side, FLAT)
        return images

    def draw(self, count: int, seed: int) -> Tensor:
        """Latent vectors `(count, dim)`, always the same for a seed; no random state moves.

        Where there are labels, each comes in turn.
        """
        source = torch.Generator().manual_seed(seed)
        noise = sample_noise(count, self.noise_dim, self.kind, generator=source).float()
        return complete_latents(noise, self.classes)

    def relabel(self, latent: Tensor, label: int) -> Tensor:
        """The latent `(dim,)` with another label behind its noise."""
        noise = latent[None, : self.noise_dim]
        return join_labels(noise, torch.tensor([label]), self.classes)[0]

    def read_label(self, latent: Tensor) -> int:
        """The label of a latent `(dim,)`; of a mixture, the strongest."""
        return int(latent[self.noise_dim :].argmax())

    @property
    def deviation(self) -> float:
        """The standard deviation of one coordinate, along whatever direction."""
        return KINDS[self.kind]

    @property
    def reach(self) -> float:
        """How far from 0 a single coordinate goes: 3 deviations, or to the end of [-1, 1)."""
        return REACH[self.kind]

    @torch.no_grad()
    def _try_it(self) -> tuple[int, ...]:
        """The layout of two images: whether this is a generator, and of latents of this size."""
        try:
            given = self.network(self.draw(2, seed=0))
        except (RuntimeError, ValueError) as problem:
            raise ValueError(
                f"generator: expected one that takes latent vectors (N, {self.dim}), "
                f"got an error: {problem}"
            ) from problem
        images = need_images(unflatten_digits(given), "generator's images")
        if len(images) != 2:
            raise ValueError(
                f"generator: expected one image for each latent, got {len(images)} for 2"
            )
        return tuple(given.shape[1:])


def _find_kind(generator: nn.Module) -> str:
    """The noise that a shipped generator says of itself, else what `run_a_gan` draws."""
    told = getattr(generator, "noise", None)
    return told if isinstance(told, str) else "uniform"


def _find_dim(generator: nn.Module, noise_dim: Any, classes: int) -> int:
    """The size of the noise: as given, as the generator says, or as its first layer does."""
    if noise_dim is not None:
        return need_count(noise_dim, "noise_dim")
    told = getattr(generator, "noise_size", None)
    if isinstance(told, int):
        return told
    for layer in generator.modules():
        if isinstance(layer, Latent):
            return layer.dim - classes
        if isinstance(layer, nn.Linear):
            return layer.in_features - classes
        if isinstance(layer, nn.ConvTranspose2d):
            return layer.in_channels - classes
    raise ValueError(
        "noise_dim: expected the size of the latent vectors, as the generator does not tell it; "
        "got None"
    )


def need_latents(value: Any, name: str, dim: int | None = None) -> Tensor:
    """One latent vector `(dim,)`, as float32."""
    return need_tensor(value, name, shape=(dim,)).detach().cpu().float()
