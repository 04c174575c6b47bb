"""The data: real images first, a sample that says so when there is no other way.

Read in this order:

- `images.py`  what a lesson holds: `ImageSet`, `BatchLoader`
- `augment.py` random changes to a batch: `random_rotation`, `random_shift`, ...
- `load.py`    `load_mnist` and `load_cifar10`: which place is tried when, and what is printed
- `catalog.py` the two data sets: their files, checksums, classes and sources, as plain tables
- `sources.py` how each place is asked for the files
- `samples.py` what stands in when no place answers
- `files.py`   reading with a check, writing without half-finished files, opening archives safely
"""

from .augment import (
    combine,
    random_colour,
    random_rotation,
    random_shift,
    rotate,
)
from .images import BatchLoader, ImageSet
from .load import find_sources, get_cache_folder, load_cifar10, load_mnist, sample_notice

__all__ = [
    "BatchLoader",
    "ImageSet",
    "combine",
    "find_sources",
    "get_cache_folder",
    "load_cifar10",
    "load_mnist",
    "random_colour",
    "random_rotation",
    "random_shift",
    "rotate",
    "sample_notice",
]
