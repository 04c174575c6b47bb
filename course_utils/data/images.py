"""Images in memory, and two ways to take batches of them.

`ImageSet` is an ordinary torch `Dataset`, so `torch.utils.data.DataLoader` works with it.
`BatchLoader` gives the same batches much faster: all images move to the device once, as one
byte a pixel, and everything else happens there for a whole batch at a time.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..settings import get_device
from ..validation import need_bool, need_count, need_images
from .augment import Augment


def to_unit(images: Tensor) -> Tensor:
    """uint8 in [0, 255] -> float32 in [-1, 1], where 0 becomes exactly -1 and 255 exactly 1."""
    return images.float().mul_(2 / 255).sub_(1)


class ImageSet(Dataset):
    """Labelled images on the CPU. `set[i]` is `(float32 image (C, H, W) in [-1, 1], int label)`.

    Args:
        images: uint8 `(N, C, H, W)`, C 1 or 3, values in [0, 255], at least one image.
        labels: int64 `(N,)`; each is a place in `classes`, where classes are given.
        name: which data these are, such as "MNIST".
        split: "train" or "test", or what else tells the parts apart.
        source: where the images came from, in a few words.
        is_sample: whether they only stand in for the data that `name` promises.
        root: the folder that holds the files; `torchvision.datasets.MNIST(root)` reads it too.
        classes: the name of each class, by label.

    Raises:
        TypeError, ValueError: a wrong dtype, shape, number of labels or label.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        name: str = "images",
        split: str = "train",
        source: str = "memory",
        is_sample: bool = False,
        root: Path | None = None,
        classes: Sequence[str] = (),
    ) -> None:
        if isinstance(images, Tensor) and images.dtype != torch.uint8:
            raise TypeError(f"images: expected uint8 values in [0, 255], got {images.dtype}")
        self.images = need_images(images)
        self.labels = _need_labels(labels, len(images), len(classes))
        self.name, self.split, self.source = name, split, source
        self.is_sample, self.root, self.classes = is_sample, root, tuple(classes)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        try:
            index = operator.index(index)
        except TypeError:
            raise TypeError(
                f"index: expected one whole number, got {index!r}; for several images at once, "
                "take them from .images and .labels"
            ) from None
        return to_unit(self.images[index]), int(self.labels[index])

    def __repr__(self) -> str:
        size = "x".join(map(str, self.images.shape[1:]))
        return f"ImageSet({self.name} {self.split}: {len(self):,} images {size} from {self.source})"


def _need_labels(labels: Tensor, count: int, classes: int) -> Tensor:
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        got = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise TypeError(f"labels: expected an int64 tensor, got {got}")
    if labels.shape != (count,):
        raise ValueError(
            f"labels: expected shape ({count},), one for each image, got {tuple(labels.shape)}"
        )
    if classes and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(
            f"labels: expected numbers from 0 to {classes - 1} for {classes} classes, "
            f"got {labels.min()} to {labels.max()}"
        )
    return labels


class BatchLoader:
    """Shuffled batches of an `ImageSet`, made on the device.

    Each `iter()` is one epoch in a fresh order. It yields `(images, labels)`: float32
    `(B, C, H, W)` in [-1, 1] and int64 `(B,)`, both on `device`. `len()`, `.dataset`,
    `.batch_size` and `.drop_last` mean what they mean for `torch.utils.data.DataLoader`.

    Args:
        dataset: the images. All of them move to the device: 47 MB for MNIST, 154 MB for CIFAR-10.
        batch_size: images a batch.
        device: where the batches are wanted; by default `settings.get_device()`.
        augment: `augment(images, generator) -> images`, such as `random_rotation(20)`.
        shuffle: False keeps the order of the data set.
        drop_last: leave out the last batch where it would be smaller than the others.
        seed: the same seed gives the same batches (on one kind of device). None draws one
            from torch's random state now; iterating never touches that state.

    Raises:
        TypeError: `dataset` is no `ImageSet`, or `augment` cannot be called.
        ValueError: a bad number, a device that does not work here, or no batch at all.
    """

    def __init__(
        self,
        dataset: ImageSet,
        batch_size: int,
        device: torch.device | str | None = None,
        augment: Augment | None = None,
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        if not isinstance(dataset, ImageSet):
            raise TypeError(
                f"dataset: expected an ImageSet, such as load_mnist() gives, got "
                f"{type(dataset).__name__}; for other data sets use torch's DataLoader"
            )
        if augment is not None and not callable(augment):
            raise TypeError(f"augment: expected a function or None, got {augment!r}")
        self.dataset = dataset
        self.batch_size = need_count(batch_size, "batch_size")
        self.device = _need_device(get_device() if device is None else device)
        self.augment = augment
        self.shuffle = need_bool(shuffle, "shuffle")
        self.drop_last = need_bool(drop_last, "drop_last")
        if len(self) == 0:
            raise ValueError(
                f"batch_size: expected at most {len(dataset)}, the number of images, because "
                f"drop_last=True leaves a smaller batch out; got {batch_size}"
            )
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(_need_seed(seed))
        self._images = dataset.images.to(self.device)
        self._labels = dataset.labels.to(self.device)
        self._epoch_start = self.generator.get_state()
        self._position = 0  # batches of the present epoch that were handed out
        self._resumes = False

    def __len__(self) -> int:
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        resumes, self._resumes = self._resumes, False
        if not resumes:
            self._epoch_start, self._position = self.generator.get_state(), 0
        order = self._draw_order(resumes)
        for chosen in order.split(self.batch_size)[self._position : len(self)]:
            # Pick the bytes first and convert then: a batch of bytes is a quarter of the memory.
            images = to_unit(self._images.index_select(0, chosen))
            if self.augment is not None:
                images = _need_same_count(self.augment(images, self.generator), len(chosen))
            self._position += 1
            yield images, self._labels.index_select(0, chosen)

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands: with `load_state_dict`, the next batch will be the next one."""
        at_end = self._position == len(self)
        return {
            "epoch_start": self.generator.get_state() if at_end else self._epoch_start,
            "position": 0 if at_end else self._position,
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next `iter()` go on where `state_dict` was called, in the middle of an epoch."""
        self._epoch_start, self._position = state["epoch_start"], state["position"]
        self.generator.set_state(state["generator"])
        self._resumes = True

    @contextmanager
    def forked(self) -> Iterator[None]:
        """Inside, take batches as you like; outside, the loader stands where it stood."""
        drawn = self.generator.get_state()
        before = self._epoch_start, self._position, self._resumes
        try:
            yield
        finally:
            self._epoch_start, self._position, self._resumes = before
            self.generator.set_state(drawn)

    def _draw_order(self, again: bool) -> Tensor:
        """The order of the present epoch; `again` draws the one that was drawn at its start."""
        if not self.shuffle:
            return torch.arange(len(self.dataset), device=self.device)
        if again:
            now = self.generator.get_state()
            self.generator.set_state(self._epoch_start)
        order = torch.randperm(len(self.dataset), generator=self.generator, device=self.device)
        if again and self._position > 0:
            self.generator.set_state(now)  # where the augmentation had come to
        return order


def _need_same_count(augmented: Tensor, count: int) -> Tensor:
    if not isinstance(augmented, Tensor) or augmented.ndim != 4 or len(augmented) != count:
        got = getattr(augmented, "shape", augmented)
        raise TypeError(f"augment: expected {count} images (N, C, H, W) back, got {got}")
    return augmented


def _need_seed(seed: int | None) -> int:
    if seed is None:
        return int(torch.randint(2**31, ()))
    if need_count(seed, "seed", minimum=0) >= 2**63:
        raise ValueError(f"seed: expected a number below 2**63, got {seed}")
    return int(seed)


def _need_device(device: torch.device | str) -> torch.device:
    try:
        return torch.empty(0, device=device).device
    except Exception as error:  # torch raises four different kinds here
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device: expected one that works here, such as 'cpu', got {device!r} ({reason})"
        ) from error
