"""Files that count only when they are whole: checked when read, never half written."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import tarfile
import tempfile
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

DAY = 24 * 60 * 60


class DamagedFile(ValueError):
    """A file that is there but does not hold what it should; the message says which and why."""


@dataclass(frozen=True)
class DataFile:
    """One file of bytes: where it lies, what it must be.

    Attributes:
        path: below the root folder.
        shape: of the uint8 array inside.
        sha256: of the whole file.
        idx: whether the array stands behind MNIST's "IDX" header, or alone in the file.
    """

    path: str
    shape: tuple[int, ...]
    sha256: str
    idx: bool = False

    @property
    def header(self) -> bytes:
        """IDX: two zeros, 8 for uint8, the number of axes, then each size as big-endian int32."""
        if not self.idx:
            return b""
        return struct.pack(f">HBB{len(self.shape)}i", 0, 8, len(self.shape), *self.shape)

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.header) + prod(self.shape)

    def check(self, content: bytes | np.ndarray) -> None:
        """Raise `DamagedFile` with the reason unless `content` is this file, to the last bit."""
        if len(content) != self.size:
            raise DamagedFile(f"expected {self.size:,} bytes, got {len(content):,}")
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise DamagedFile(f"expected the sha256 {self.sha256[:12]}..., got {found[:12]}...")


def read_file(file: DataFile, root: Path) -> np.ndarray:
    """The array inside a file, checked: uint8, of the file's shape, free to be written to.

    Raises:
        FileNotFoundError: there is nothing of that name.
        DamagedFile: there is, but not the right thing.
    """
    path = root / file.path
    if not os.path.lexists(path):
        raise FileNotFoundError(path)
    try:
        if not path.is_file():
            raise DamagedFile("expected a file, found something else")
        # A foreign file may be huge: look at its size before reading it.
        if path.stat().st_size != file.size:
            raise DamagedFile(f"expected {file.size:,} bytes, got {path.stat().st_size:,}")
        content = np.fromfile(path, dtype=np.uint8)
        file.check(content)
    except (DamagedFile, OSError) as error:
        raise DamagedFile(f"{path} is damaged ({error})") from error
    return content[len(file.header) :].reshape(file.shape)


def read_files(
    files: Mapping[str, DataFile], root: Path
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays of all files that are there and whole, and a complaint for each damaged one."""
    arrays, complaints = {}, []
    for key, file in files.items():
        try:
            arrays[key] = read_file(file, root)
        except FileNotFoundError:
            pass
        except DamagedFile as error:
            complaints.append(str(error))
    return arrays, complaints


def install(file: DataFile, content: bytes | np.ndarray, root: Path, workspace: Path) -> None:
    """Put a checked file in its place in one move, so that nobody ever sees half of it."""
    target, beside = root / file.path, workspace / uuid.uuid4().hex
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        if target.is_dir():  # not ours to delete: it may hold somebody's work
            os.replace(target, target.with_name(f"{target.name}.moved-{uuid.uuid4().hex[:8]}"))
        os.replace(beside, target)
    except OSError as error:
        raise _cannot_write(root, error) from error


@contextmanager
def open_workspace(root: Path) -> Iterator[Path]:
    """A new folder inside `root` for unfinished files, gone at the end.

    It lies inside `root` because a move is a single step only within one file system, and has
    a name of its own because two programs may be fetching at once.

    Raises:
        OSError: `root` cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        workspace = Path(tempfile.mkdtemp(prefix=".fetching-", dir=root))
    except OSError as error:
        raise _cannot_write(root, error) from error
    for left_over in root.glob(".fetching-*"):  # by a program that was killed
        with suppress(FileNotFoundError):  # that of a program that ended just now
            if left_over.lstat().st_mtime < time.time() - DAY:
                shutil.rmtree(left_over, ignore_errors=True)
    try:
        yield workspace
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def _cannot_write(root: Path, error: OSError) -> OSError:
    # Made from the number, so that it stays a PermissionError, NotADirectoryError and so on.
    return OSError(
        error.errno,
        f"cannot keep data in this folder ({error.strerror}). Pass root= or set XDG_CACHE_HOME "
        "to a folder that can be written, or set COURSE_DATA to one that already holds the data",
        str(root),
    )


def read_archive(archive: Path, members: Collection[str], largest: int) -> dict[str, bytes]:
    """Ordinary files out of a tar archive, by their exact names, into memory.

    Nothing is written under a name that the archive chose, so no name in it ("../x", "/etc/x",
    a link) can reach outside. Members that nobody asked for are passed over.

    Raises:
        ValueError: a member is larger than `largest` bytes, or one that was asked for is not
            there as an ordinary file.
    """
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.size > largest:
                raise ValueError(f"{archive.name}: {member.name} is too large ({member.size:,})")
            if member.name in members and member.isreg():
                found[member.name] = tar.extractfile(member).read()
    lacking = sorted(set(members) - found.keys())
    if lacking:
        raise ValueError(f"{archive.name} lacks {', '.join(lacking)}")
    return found
