"""What others make of a picture: the course's classifier in words, a discriminator in a number."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..data.catalog import CIFAR10, MNIST
from ..layers import copy_network
from ..metrics.features import SHAPES, choose_judge, look
from ..validation import need_function, need_module
from .generator import FrozenGenerator

NAMES = {"mnist": MNIST.classes, "cifar10": CIFAR10.classes}


class Reader:
    """Says what a picture shows, as far as the course's classifier for its shape can tell."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.judge = choose_judge(torch.empty(1, *shape)) if shape in SHAPES.values() else None

    def describe(self, images: Tensor) -> str:
        """Words for what is shown, `(N, C, H, W)` in [-1, 1]: one image, or a path of several."""
        if len(images) > 1:
            return f"A path of {len(images)} pictures, played once.{self._read_ends(images)}"
        if self.judge is None:
            _, height, width = self.shape
            return f"A generated picture, {width} x {height} pixels, mean {images.mean():.2f}."
        return f"A generated picture that the classifier reads as {self._read(images[0])}."

    def _read_ends(self, path: Tensor) -> str:
        if self.judge is None:
            return ""
        first, last = self._read(path[0]), self._read(path[-1])
        return f" The classifier reads its first as {first}, its last as {last}."

    def _read(self, image: Tensor) -> str:
        sure, place = look(image[None], self.judge).logits[0].softmax(dim=0).max(dim=0)
        return f"{NAMES[self.judge.name][place]} ({sure:.0%} sure)"


class Critic:
    """A copy of a discriminator: what it thinks of a generator's pictures."""

    def __init__(
        self,
        discriminator: nn.Module,
        generator: FrozenGenerator,
        as_probability: Callable[[Tensor], Tensor] | None = torch.sigmoid,
    ) -> None:
        need_module(discriminator, "discriminator")
        self.network = copy_network(discriminator).cpu().float().eval().requires_grad_(False)
        as_probability = need_function(as_probability or torch.clone, "as_probability")
        ends_in_sigmoid = isinstance([*self.network.modules()][-1], nn.Sigmoid)
        self.as_probability = torch.clone if ends_in_sigmoid else as_probability
        self.layout = generator.layout
        takes = len(inspect.signature(self.network.forward).parameters)
        self.wants_labels = generator.classes > 0 and takes > 1
        self._try_it(generator(generator.draw(2, seed=0)))

    @torch.no_grad()
    def believe(self, images: Tensor, label: int = 0) -> Tensor:
        """The probability `(N,)` that images `(N, C, H, W)` are real, to its mind.

        A D that takes labels is asked whether they are real and of that label.
        """
        labels = [torch.full((len(images),), label)] if self.wants_labels else []
        scores = self.network(images.reshape(len(images), *self.layout), *labels)
        return self.as_probability(scores).flatten().clamp(0, 1)

    def _try_it(self, images: Tensor) -> None:
        try:
            beliefs = self.believe(images)
        except (RuntimeError, ValueError) as problem:
            raise ValueError(
                f"discriminator: expected one that takes the generator's images, got an error: "
                f"{problem}"
            ) from problem
        if len(beliefs) != 2:
            raise ValueError(
                f"discriminator: expected one score for each image, got {len(beliefs)} for 2"
            )
