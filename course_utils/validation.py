"""What every public function asks of its arguments, with one wording for every complaint.

Each helper hands its argument back, or raises `TypeError` (the wrong kind of thing) or
`ValueError` (the right kind, but not usable) that says what was expected and what came.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_trusted: ContextVar[bool] = ContextVar("_trusted", default=False)


@contextmanager
def trusted() -> Iterator[None]:
    """Inside, nobody looks at the values of tensors, only at kinds and shapes.

    The training loop has seen its first batch and reads its losses: to look at every number of
    every step besides costs a tenth of a small network's time.
    """
    token = _trusted.set(True)
    try:
        yield
    finally:
        _trusted.reset(token)


def may_look(value: Tensor) -> bool:
    """Whether to look at a tensor's values: on the CPU, and not while `trusted`.

    Asking a GPU would stop the training loop at every step just to hear "all is well".
    """
    return value.device.type == "cpu" and not _trusted.get()


def need_count(value: Any, name: str, minimum: int = 1) -> int:
    """A whole number of at least `minimum` (a `bool` is not a number here)."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name}: expected a whole number, got {_kind(value)}")
    if value < minimum:
        raise ValueError(f"{name}: expected at least {minimum}, got {value}")
    return int(value)


def need_number(
    value: Any,
    name: str,
    low: float = -math.inf,
    high: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    """A finite number with `low <= value <= high` and `above < value < below`."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {_kind(value)}")
    if not math.isfinite(value) or not low <= value <= high or not above < value < below:
        limits = {"from": low, "to": high, "above": above, "below": below}
        asked = "".join(f" {word} {at}" for word, at in limits.items() if math.isfinite(at))
        raise ValueError(f"{name}: expected a finite number{asked}, got {value}")
    return float(value)


def need_choice(value: Any, name: str, choices: Collection[str]) -> str:
    """One of the names in `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(sorted(choices))}; got {value!r}")
    return value


def need_bool(value: Any, name: str) -> bool:
    """True or False themselves: a word such as "no" would count as true."""
    if not isinstance(value, bool):
        raise TypeError(f"{name}: expected True or False, got {_kind(value)}")
    return value


def need_function(value: Any, name: str) -> Callable:
    """Something that can be called."""
    if not callable(value):
        raise TypeError(f"{name}: expected a function, got {_kind(value)}")
    return value


def need_file(value: Any, name: str, suffix: str) -> Path:
    """Where a file can be written: a name with this ending, in a folder that exists."""
    if not isinstance(value, (str, Path)):
        raise TypeError(f"{name}: expected a file's name, got {type(value).__name__}")
    path = Path(value)
    if path.suffix.lower() != suffix or path.is_dir():
        raise ValueError(f"{name}: expected a file's name that ends in {suffix}, got {str(path)!r}")
    if not path.parent.is_dir():
        raise ValueError(f"{name}: expected a folder that exists, got {str(path.parent)!r}")
    return path


def need_module(value: Any, name: str) -> nn.Module:
    """A network: an instance of `nn.Module`, not the class and not a function that builds one."""
    if not isinstance(value, nn.Module):
        raise TypeError(f"{name}: expected a network (an nn.Module), got {_kind(value)}")
    return value


def need_tensor(
    value: Any, name: str, *, shape: tuple[int | None, ...] | None = None, finite: bool = True
) -> Tensor:
    """A floating-point tensor, of the given shape where one is given (`None` = any size).

    Values are looked at where `may_look` says so.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a torch tensor, got {_kind(value)}")
    if not value.is_floating_point():
        raise TypeError(f"{name}: expected floating-point values, got {value.dtype}")
    if shape is not None and not _fits(value.shape, shape):
        raise ValueError(
            f"{name}: expected shape {_shape_text(shape)}, got {_shape_text(value.shape)}"
        )
    if finite and may_look(value) and not torch.isfinite(value).all():
        raise ValueError(f"{name}: expected finite values, got NaN or infinity in it")
    return value


def need_images(value: Any, name: str = "images") -> Tensor:
    """A batch of images `(N, C, H, W)`, C 1 or 3: uint8 in [0, 255] or float in [-1, 1]."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a torch tensor, got {_kind(value)}")
    if value.dtype != torch.uint8 and not value.is_floating_point():
        raise TypeError(f"{name}: expected uint8 or floating-point values, got {value.dtype}")
    if value.ndim != 4 or value.shape[1] not in (1, 3) or 0 in value.shape:
        raise ValueError(
            f"{name}: expected shape (N, 1 or 3, H, W) with nothing empty, "
            f"got {_shape_text(value.shape)}"
        )
    if value.is_floating_point():
        low, high = value.min().item(), value.max().item()
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"{name}: expected finite values, got NaN or infinity in it")
        if low < -1.01 or high > 1.01:
            hint = "; it looks like [0, 255]: divide by 127.5 and subtract 1" if high > 2 else ""
            raise ValueError(
                f"{name}: expected floats in [-1, 1], got values from {low:.4g} to {high:.4g}{hint}"
            )
    return value


def _fits(shape: torch.Size, wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        size == want or want is None for size, want in zip(shape, wanted, strict=True)
    )


def _shape_text(shape: Collection[int | None]) -> str:
    """(None, 784) -> '(N, 784)'."""
    inside = ", ".join("N" if size is None else str(size) for size in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def _kind(value: Any) -> str:
    """What came, in a few words: 'str: 'ten'', 'the class Linear', 'NoneType: None'."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, Tensor):
        return f"a tensor of shape {_shape_text(value.shape)}"
    text = repr(value)
    return f"{type(value).__name__}: {text if len(text) < 40 else text[:37] + '...'}"
