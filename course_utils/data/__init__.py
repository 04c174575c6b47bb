"""The data: real images first, a sample that says so when there is no other way.

Read in this order:

- `images.py`  what a lesson holds: `ImageSet`, `BatchLoader`, `random_rotation`
- `load.py`    `load_mnist` and `load_cifar10`: which place is tried when, and what is printed
- `catalog.py` the two data sets: their files, checksums, classes and sources, as plain tables
- `sources.py` how each place is asked for the files
- `samples.py` what stands in when no place answers
- `files.py`   reading with a check, writing without half-finished files, opening archives safely
"""

from .images import BatchLoader, ImageSet, random_rotation, rotate
from .load import find_sources, get_cache_folder, load_cifar10, load_mnist, sample_notice

__all__ = [
    "BatchLoader",
    "ImageSet",
    "find_sources",
    "get_cache_folder",
    "load_cifar10",
    "load_mnist",
    "random_rotation",
    "rotate",
    "sample_notice",
]
