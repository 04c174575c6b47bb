"""The real images that samples are compared with, and those that set the floor.

The floor: no generator needs to be nearer to the training images than real test images are.
What these get, at the same count, is the best that a number can say.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..data import ImageSet, load_cifar10, load_mnist
from ..data.augment import Augment
from ..data.images import to_unit
from ..settings import get_device
from ..validation import need_choice, need_function
from .features import BATCH, Features, Judge, Moments, load_judge, look, measure_moments, move_judge

LOADERS = {"mnist": load_mnist, "cifar10": load_cifar10}
MOST = 10_000  # real images that a metric compares with; as many as there are to test with


class Reference:
    """Real images as a judge sees them; each part is computed when it is first asked for.

    Args:
        judge: whose features.
        augment: `augment(images, generator)`: the change that the training images of a recipe
            go through, such as `random_rotation(20)`. Its samples can only be as the images are
            that it was shown, so both sides of the comparison are changed alike.
    """

    def __init__(self, judge: Judge, augment: Augment | None = None) -> None:
        if not isinstance(judge, Judge):
            raise TypeError(
                f"judge: expected load_judge(...), got {type(judge).__name__}: {judge!r}"
            )
        self.judge = judge
        self.augment = None if augment is None else need_function(augment, "augment")
        self._sets: dict[str, ImageSet] = {}
        self._orders: dict[str, Tensor] = {}
        self._features: dict[str, Features] = {}
        self._floors: dict[tuple, object] = {}
        self._moments: Moments | None = None

    def __repr__(self) -> str:
        changed = "" if self.augment is None else ", augmented"
        return f"Reference({self.judge.name}{changed})"

    @property
    def moments(self) -> Moments:
        """Mean and covariance of all training images."""
        if self.augment is None:
            return self.judge.moments["train"]
        if self._moments is None:
            everything = self._look("train", torch.arange(len(self.images("train"))))
            self._moments = measure_moments(everything.values)
        return self._moments

    def images(self, split: str) -> ImageSet:
        """The real images, "train" or "test", unchanged."""
        if split not in self._sets:
            self._sets[split] = LOADERS[self.judge.name](split)
        return self._sets[split]

    def features(self, split: str, count: int) -> Features:
        """The features of `count` images (at most 10,000) in an order that is always the same."""
        images = self.images(split)
        count = min(count, len(images), MOST)
        if split not in self._orders:
            drawn = torch.Generator().manual_seed(0)
            self._orders[split] = torch.randperm(len(images), generator=drawn)
        have = self._features.get(split)
        if have is None or len(have) < count:
            whole = -(-count // BATCH) * BATCH  # whole batches: augmentation draws by the batch
            self._features[split] = have = self._look(split, self._orders[split][:whole])
        return have[:count]

    def floor(self, metric: Callable, count: int, **options: object) -> object:
        """What `count` real test images get from `metric`, against this reference."""
        key = metric.__name__, count, tuple(sorted(options.items()))
        if key not in self._floors:
            real = self.features("test", count)
            self._floors[key] = metric(real, self, floor=False, **options)
        return self._floors[key]

    def _look(self, split: str, order: Tensor) -> Features:
        images, generator = self.images(split).images, torch.Generator().manual_seed(0)
        device, parts = get_device(), []
        judge = move_judge(self.judge, device)  # once, not for each batch
        for chosen in order.split(BATCH):
            batch = to_unit(images[chosen])
            if self.augment is not None:
                batch = self.augment(batch, generator)
            parts.append(look(batch.to(device), judge))
        values, logits = (torch.cat([getattr(p, n) for p in parts]) for n in ("values", "logits"))
        return Features(self.judge, values, logits)


def get_reference(name: str, augment: Augment | None = None) -> Reference:
    """The real images of "mnist" or "cifar10", kept for the whole session.

    Args:
        name: of the data.
        augment: what was done to the training images; see `Reference`.
    """
    key = need_choice(name, "name", LOADERS), id(augment)
    if key not in _kept:
        _kept[key] = Reference(load_judge(name), augment)
    return _kept[key]


# By the function's identity, as not every object that can be called can be hashed. A reference
# holds its function, so that no other one can get the same identity.
_kept: dict[tuple[str, int], Reference] = {}
