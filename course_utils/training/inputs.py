"""What `train` asks of a loader and its first batch, before the first step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..models import PIXELS
from ..settings import fork_random
from ..validation import need_images
from .step import AdversarialStep, modes_kept

BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)


def check_loader(loader: Any, step: AdversarialStep) -> None:
    """A loader with a length above 0 and no batch that batch norm cannot use."""
    if not (hasattr(loader, "__len__") and hasattr(loader, "__iter__")):
        raise TypeError(f"loader: expected batches with a length, got {type(loader).__name__}")
    if len(loader) == 0:
        raise ValueError("loader: expected at least one batch, got none")
    if not needs_two(step):
        return
    size, dataset = getattr(loader, "batch_size", None), getattr(loader, "dataset", None)
    if not isinstance(size, int) or not hasattr(dataset, "__len__"):
        return  # only its batches can tell
    rest = len(dataset) % size
    if size == 1 or (rest == 1 and not getattr(loader, "drop_last", False)):
        what = "batches" if size == 1 else f"a last batch (of {len(dataset)} images by {size})"
        raise ValueError(
            f"loader: expected at least 2 images a batch, as batch norm needs, got {what} of 1; "
            "drop_last=True leaves an incomplete last batch out"
        )


def check_size(images: Tensor, must_be_two: bool) -> None:
    """The same for loaders that do not tell beforehand."""
    if must_be_two and len(images) < 2:
        raise ValueError(
            f"loader: expected at least 2 images a batch, as batch norm needs, got {len(images)}"
        )


def needs_two(step: AdversarialStep) -> bool:
    """Whether one of the networks has batch norm, which learns nothing from a single image."""
    return any(isinstance(m, BATCH_NORMS) for n in (step.D, step.G) for m in n.modules())


def need_pair(batch: Any) -> tuple[Tensor, Tensor]:
    """A batch (images, labels), both tensors."""
    if not isinstance(batch, (tuple, list)) or [isinstance(b, Tensor) for b in batch] != [True] * 2:
        raise TypeError(
            f"loader: expected pairs (images, labels) of tensors, got {type(batch).__name__}"
        )
    return batch[0], batch[1]


def check_first_batch(images: Tensor, step: AdversarialStep) -> None:
    """Images of finite values, in [-1, 1], of a shape that G makes and D takes.

    The networks are tried in eval mode, so that nothing of them and no random state changes.
    """
    if not images.is_floating_point():
        raise TypeError(f"loader: expected floating-point images in [-1, 1], got {images.dtype}")
    if images.ndim == 4 or images.shape[1:] == (PIXELS,):
        need_images(images if images.ndim == 4 else images[:, None, None], "loader")
    elif not torch.isfinite(images).all():
        raise ValueError("loader: expected finite values, got NaN or infinity in its images")
    if step.overrides("__call__", "update_d", "score_both"):
        return  # a game of its own asks D in its own way
    parameter = next(step.G.parameters())
    fakes = step.sample(parameter.new_zeros(2, step.noise_size)).to(images.device)
    for batch, origin in ((images[:2], "the loader's"), (fakes, "G's")):
        scores = _try_d(step.D, batch, origin)
        if not isinstance(scores, Tensor) or scores.ndim > 2 or scores.numel() != len(batch):
            raise ValueError(
                "D: expected one score per image, (N, 1) or (N,), got "
                f"{tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__} "
                f"for {len(batch)} images"
            )


@torch.no_grad()
def _try_d(D: nn.Module, images: Tensor, origin: str) -> Any:
    try:
        with fork_random(), modes_kept(D):
            return D.eval()(images)
    except Exception as error:
        shape = tuple(images.shape)
        raise ValueError(
            f"loader: expected images that D takes as it takes G's, got {origin} of shape {shape}: "
            f"{error}"
        ) from error
