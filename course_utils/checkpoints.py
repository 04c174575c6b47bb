"""Checkpoint files: written whole or not at all, and only believed when they are whole.

A file is a first line, the sha256 of the rest (32 bytes), and the rest: what `torch.save` makes
of a state of tensors and plain values. The sum is compared before anything is unpacked, and
unpacking allows nothing but tensors and plain values, so that no file can run code.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MAGIC = b"GAN course checkpoint 1\n"
KEPT = 2  # the newest one, and one to fall back on
PLAIN = (bool, int, float, str, type(None))
_SUM = 32  # bytes of a sha256
_NAME = re.compile(r"checkpoint-(\d{6,})\.pt")
_UNFINISHED = ".unfinished"


class DamagedCheckpoint(Exception):
    """A file that is truncated, corrupt, or holds more than tensors and plain values."""


class NotFinite(ValueError):
    """A state that holds NaN or infinity: it is never saved."""


def save_checkpoint(folder: str | Path, state: dict[str, Any], keep: int = KEPT) -> Path:
    """Write `state` as the newest checkpoint of `folder`; the newest `keep` of them stay.

    Args:
        folder: made if it is not there.
        state: tensors and plain values, in dicts, lists and tuples.
        keep: how many files may stay, the new one included.

    Raises:
        NotFinite: a tensor in it holds NaN or infinity. Nothing is written.
        TypeError: something in it is neither tensor nor plain value, so could not be read again.
        OSError: the disk is full or the folder cannot be written. What was there stays.
    """
    for path, value in _leaves(state):
        if isinstance(value, Tensor):
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise NotFinite(f"{path} holds NaN or infinity")
        elif type(value) not in PLAIN:
            raise TypeError(f"{path}: expected a tensor or plain value, got {type(value).__name__}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    present = list_checkpoints(folder)
    number = _number(present[0]) + 1 if present else 1
    path = folder / f"checkpoint-{number:06d}.pt"
    write_atomically(path, _pack(state))
    for old in list_checkpoints(folder)[keep:]:
        old.unlink(missing_ok=True)
    return path


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """The state in one file, its tensors on the CPU.

    Raises:
        DamagedCheckpoint: by the file's name and what is wrong with it.
        OSError: the file cannot be read.
    """
    path = Path(path)
    content = path.read_bytes()
    start = len(MAGIC) + _SUM
    if not content.startswith(MAGIC) or len(content) <= start:
        raise DamagedCheckpoint(f"{path} is no checkpoint of this course, or was cut short")
    if hashlib.sha256(content[start:]).digest() != content[len(MAGIC) : start]:
        raise DamagedCheckpoint(f"{path} is damaged: its contents do not have the sum it names")
    try:
        state = torch.load(io.BytesIO(content[start:]), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds here; all mean "do not trust this file"
        reason = str(error).partition("\n")[0]
        raise DamagedCheckpoint(f"{path} holds more than tensors and values ({reason})") from error
    if not isinstance(state, dict):
        raise DamagedCheckpoint(f"{path} holds a {type(state).__name__} where a dict was expected")
    return state


def load_newest(
    folder: str | Path, find_fault: Callable[[dict[str, Any]], str] = lambda state: ""
) -> tuple[dict[str, Any] | None, dict[Path, str]]:
    """The newest state of `folder` that can be used, or None; and why newer files cannot.

    Args:
        folder: where to look.
        find_fault: says what is wrong with the state of a whole file, or "".
    """
    refused = {}
    for path in list_checkpoints(folder):
        try:
            state = load_checkpoint(path)
            fault = find_fault(state)
            if not fault:
                return state, refused
            refused[path] = f"{path} {fault}"
        except (DamagedCheckpoint, OSError) as problem:
            refused[path] = str(problem)
    return None, refused


def list_checkpoints(folder: str | Path) -> list[Path]:
    """The checkpoint files of `folder`, the newest first."""
    folder = Path(folder)
    names = os.listdir(folder) if folder.is_dir() else []
    return sorted((folder / name for name in names if _NAME.fullmatch(name)), key=_number)[::-1]


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`: whoever reads it finds the old or the new, never a half.

    Raises:
        OSError: it could not be written; the old file is still there and nothing else is.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}{_UNFINISHED}")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # on the disk before the name points to it
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def clear_unfinished(folder: str | Path) -> None:
    """Remove what a process that was killed while it wrote has left in `folder`."""
    for path in Path(folder).glob(f"*{_UNFINISHED}"):
        path.unlink(missing_ok=True)


def _pack(state: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    return MAGIC + hashlib.sha256(content).digest() + content


def _number(path: Path) -> int:
    return int(_NAME.fullmatch(path.name)[1])


def _leaves(value: Any, path: str = "state") -> Iterator[tuple[str, Any]]:
    """Everything in nested dicts, lists and tuples, with the way to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    else:
        yield path, value
