"""The classifiers that judge samples, and the features that they see in images.

Beside the weights lie their description (accuracy, the command that trained them, the hashes)
and the mean and covariance of the features of all real images. `course_utils/classifiers.py`
made them all.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..data.images import to_unit
from ..models import build_cifar10_classifier, build_mnist_classifier, unflatten_digits
from ..settings import fork_random
from ..shipped import FOLDER, fill, read_facts, read_part, write_shipped
from ..validation import need_choice, need_count, need_images

BATCH = 250  # images at a time: more of them no longer fit into a CPU's caches
UNSCALED = 0.02  # the lowest pixel of images in [0, 1] lies between 0 and here

BUILDERS: dict[str, Callable[[], nn.Sequential]] = {
    "mnist": build_mnist_classifier,
    "cifar10": build_cifar10_classifier,
}
SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}
CLASSES = 10

Moments = tuple[Tensor, Tensor]  # mean (128,) and covariance (128, 128), float64


@dataclass(frozen=True)
class Judge:
    """A trained classifier, in use.

    Attributes:
        name: "mnist" or "cifar10".
        network: gives logits `(N, 10)`; its `.features` gives `(N, 128)`. In eval mode, float32.
        moments: by split ("train", "test"), of the features of all real images.
        facts: test accuracy, how it was trained, and the sha256 of its files.
    """

    name: str
    network: nn.Sequential
    moments: dict[str, Moments]
    facts: dict[str, Any]

    def __repr__(self) -> str:
        return f"Judge({self.name}: {self.facts['test_accuracy']:.2%} of the test images right)"


@dataclass(frozen=True)
class Features:
    """What a judge sees in a set of images: every metric takes them in place of the images.

    Attributes:
        judge: whose features they are.
        values: `(N, 128)`, float32 on the CPU, none below 0.
        logits: `(N, 10)`, float32 on the CPU.
    """

    judge: Judge
    values: Tensor
    logits: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, chosen: slice | Tensor) -> Features:
        return Features(self.judge, self.values[chosen], self.logits[chosen])

    def __repr__(self) -> str:
        return f"Features({len(self):,} images, as the {self.judge.name} classifier sees them)"

    @property
    def classes(self) -> Tensor:
        """The class that each image looks like, int64 `(N,)`."""
        return self.logits.argmax(dim=1)

    @property
    def moments(self) -> Moments:
        """Mean and covariance of the values."""
        return measure_moments(self.values)


def load_judge(name: str) -> Judge:
    """The shipped classifier "mnist" or "cifar10".

    Raises:
        ValueError: there is none of that name, or one of its files is missing or damaged.
    """
    return _load_once(need_choice(name, "name", BUILDERS))


@cache
def _load_once(name: str) -> Judge:
    return read_judge(name, FOLDER)


def read_judge(name: str, folder: Path) -> Judge:
    """The classifier of that name that `write_judge` left in `folder`."""
    file = f"judge_{name}"
    facts = read_facts(file, folder)
    weights = read_part(file, "", facts, folder)
    stored = read_part(file, "moments", facts, folder)
    moments = {
        split: (stored[f"{split}_mean"], stored[f"{split}_covariance"])
        for split in ("train", "test")
    }
    return Judge(name, unpack(name, weights), moments, facts)


def write_judge(
    name: str,
    folder: Path,
    weights: dict[str, Tensor],
    moments: dict[str, Moments],
    facts: dict[str, Any],
) -> dict[str, Any]:
    """Leave weights, moments and facts in `folder`; the facts with the hashes of both files."""
    stored = {}
    for split, (mean, covariance) in moments.items():
        stored[f"{split}_mean"], stored[f"{split}_covariance"] = mean, covariance
    return write_shipped(f"judge_{name}", folder, {"": weights, "moments": stored}, facts)


def unpack(name: str, weights: dict[str, Tensor]) -> nn.Sequential:
    """The network with these weights, ready to judge: in float32, batch norm folded in."""
    with fork_random():  # a new network draws weights, which are replaced at once
        network = BUILDERS[name]()
    network = fill(network, weights)
    network.features = _fold(network.features)
    return network.eval().to(memory_format=torch.channels_last)


def _fold(layers: nn.Sequential) -> nn.Sequential:
    """The same function with each batch norm inside the convolution before it: a third faster."""
    folded: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            folded[-1] = fuse_conv_bn_eval(folded[-1], layer)
        else:
            folded.append(layer)
    return nn.Sequential(*folded)


def extract(images: Tensor | Features, name: str = "images", least: int = 1) -> Features:
    """The features of images, by the classifier that knows images of their shape.

    Args:
        images: `(N, 1, 28, 28)` or `(N, 784)` for digits, `(N, 3, 32, 32)` for colour; float in
            [-1, 1] or uint8 in [0, 255]. Features are handed back as they are.
        name: what complaints call them.
        least: how many there must be.

    Raises:
        TypeError, ValueError: anything else, NaN, values outside the range (images in [0, 1]
            included), or fewer than `least` of them.
    """
    if isinstance(images, Features):
        features = images
    else:
        images = need_batch(images, name)
        features = look(images, choose_judge(images, name))
    if len(features) < need_count(least, "least"):
        raise ValueError(f"{name}: expected at least {least} of them, got {len(features)}")
    return features


def choose_judge(images: Tensor, name: str = "images") -> Judge:
    """The judge for images of this shape."""
    for known, shape in SHAPES.items():
        if tuple(images.shape[1:]) == shape:
            return load_judge(known)
    expected = " or ".join(f"(N, {', '.join(map(str, shape))})" for shape in SHAPES.values())
    raise ValueError(f"{name}: expected shape {expected}, got {tuple(images.shape)}")


def move_judge(judge: Judge, device: torch.device) -> Judge:
    """The judge on `device`: a copy, as the shared one stays on the CPU; itself if it is there."""
    if next(judge.network.parameters()).device == device:
        return judge
    return replace(judge, network=copy.deepcopy(judge.network).to(device))


@torch.no_grad()
def look(images: Tensor, judge: Judge) -> Features:
    """The features of images `(N, C, H, W)` that are known to be well formed, on their device."""
    network = move_judge(judge, images.device).network
    values, logits = [], []
    for batch in images.split(BATCH):
        batch = to_float(batch)
        seen = network.features(batch.contiguous(memory_format=torch.channels_last))
        values.append(seen.cpu())
        logits.append(network.head(seen).cpu())
    return Features(judge, torch.cat(values), torch.cat(logits))


def to_float(images: Tensor) -> Tensor:
    """Images in [-1, 1] as float32, from uint8 or float."""
    return to_unit(images) if images.dtype == torch.uint8 else images.float()


def measure_moments(values: Tensor) -> Moments:
    """Mean `(D,)` and unbiased covariance `(D, D)` of features `(N, D)`, in float64."""
    values = values.double()
    mean = values.mean(dim=0)
    centred = values - mean
    return mean, centred.T @ centred / (len(values) - 1)


def need_batch(images: Tensor, name: str) -> Tensor:
    """Images `(N, C, H, W)` of the right kind and range; digits may come as `(N, 784)`.

    Digits in [0, 1] are found out: black is their most common pixel.
    """
    images = need_images(unflatten_digits(images), name)
    if images.dtype == torch.uint8 and images.max() == 1:
        raise ValueError(f"{name}: expected uint8 in [0, 255], got 0 and 1: multiply by 255")
    digits = images.shape[1] == 1
    if digits and images.is_floating_point() and 0 <= images.min() <= UNSCALED < images.max():
        raise ValueError(
            f"{name}: expected floats in [-1, 1], got values from {images.min():.4g} to "
            f"{images.max():.4g}; it looks like [0, 1]: multiply by 2 and subtract 1"
        )
    return images
