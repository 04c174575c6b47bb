"""The game with labels: G is told which digit to draw, D which digit it should see."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..models import CLASSES, complete_latents, join_labels
from .step import AdversarialStep


class ConditionalStep(AdversarialStep):
    """`AdversarialStep` for D that takes (images, labels), and G that takes noise and a label.

    A real image comes with its own label; fakes are asked for with the labels of the same batch,
    and shown to D with them. A fake of the wrong digit is then as easy to tell as a bad one.
    Source: Mirza and Osindero 2014 (arXiv 1411.1784), equation 2.

    Arguments are those of `AdversarialStep`, but for `penalty`, `fresh_fakes` and `one_pass`,
    which it does not have. `noise_size` is that of the noise alone.
    """

    classes = CLASSES

    def __init__(self, *arguments: Any, **options: Any) -> None:
        for name in ("penalty", "fresh_fakes", "one_pass"):
            if options.get(name):
                raise ValueError(f"{name}: expected none in a game with labels, got one")
        super().__init__(*arguments, **options | {"one_pass": False})

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        fakes = self.G(self.draw_noise(len(images), labels))
        return self.update_d(images, labels, fakes) | self.update_g(images, labels, fakes)

    def score(self, images: Tensor, labels: Tensor) -> Tensor:
        """D's scores of images, each as a picture of its label."""
        return self.D(self.augment(images, self.generator), labels)

    def draw_noise(self, count: int, labels: Tensor | None = None) -> Tensor:
        """Latents `(count, noise_size + classes)`; without labels each label in turn."""
        noise = super().draw_noise(count)
        if labels is None:
            return complete_latents(noise, self.classes)
        return join_labels(noise, labels.to(torch.int64), self.classes)
