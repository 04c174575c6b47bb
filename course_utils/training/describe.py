"""What makes two runs the same run, in words that can be compared and hashed."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import json
import re
import textwrap
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from ..checkpoints import PLAIN
from .step import AdversarialStep

MACHINE = ("fused", "foreach", "capturable", "differentiable")  # how, not what, a solver computes
LIBRARIES = ("builtins", "course_utils", "numpy", "torch", "torchvision")
KNOWN = (  # what every step has; these are described one by one, or are no settings
    *("D", "G", "D_solver", "G_solver", "discriminator_loss", "generator_loss", "noise_size"),
    *("noise", "augment", "penalty", "as_probability", "fresh_fakes", "one_pass", "freeze"),
    *("averaged", "scaling", "generator"),
)


def describe_settings(step: AdversarialStep, loader: Any, **others: Any) -> dict[str, str]:
    """What makes two runs the same run, in words that can be compared."""
    return {
        "step": describe(type(step)),
        "D": describe_network(step.D),
        "G": describe_network(step.G),
        "D_solver": _describe_solver(step.D_solver),
        "G_solver": _describe_solver(step.G_solver),
        "discriminator_loss": describe(step.discriminator_loss),
        "generator_loss": describe(step.generator_loss),
        "noise": f"{step.noise_size} {step.noise}",
        "augment": describe(step.augment),
        "penalty": describe(step.penalty),
        "fresh_fakes": str(step.fresh_fakes),
        "loader": _describe_loader(loader),
        "own": describe({name: v for name, v in vars(step).items() if name not in KNOWN}),
        **{name: describe(value) for name, value in others.items()},
    }


def hash_settings(settings: dict[str, str]) -> str:
    """Eight letters that change with any setting."""
    return _short_hash(json.dumps(settings, sort_keys=True))


def compare_settings(former: dict[str, str], present: dict[str, str]) -> list[str]:
    """What differs, one phrase each: `D_solver: was Adam lr 0.001, is Adam lr 0.002`."""
    names = sorted(former.keys() | present.keys())
    return [
        _difference(name, former.get(name, "absent"), present.get(name, "absent"))
        for name in names
        if former.get(name) != present.get(name)
    ]


def describe(value: Any, outer: tuple[int, ...] = ()) -> str:
    """A value, function or class in words that stay the same while it means the same.

    A function is its name, its code without comments and layout, and the values it holds.
    `outer` are the things that this one is part of: what holds itself is described once.
    """
    if isinstance(value, PLAIN):
        return repr(value)
    if id(value) in outer:
        return "itself"
    inner = functools.partial(describe, outer=(*outer, id(value)))
    if isinstance(value, nn.Module):
        return describe_network(value)
    if isinstance(value, types.MethodType):
        return f"{value.__name__} of {inner(value.__self__)}"
    if isinstance(value, functools.partial):
        return f"partial {inner(value.func)} {inner(value.args)} {inner(value.keywords)}"
    if isinstance(value, types.FunctionType):
        cells = [_open_cell(cell) for cell in value.__closure__ or ()]
        held = [*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        held += _read_globals(value)
        inside = f"({', '.join(map(inner, held))})" if held else ""
        return f"{value.__name__}{inside} {_fingerprint(value)}"
    if isinstance(value, type):
        return f"{value.__name__} {_fingerprint(value)}"
    if isinstance(value, (Tensor, np.ndarray)):
        return f"array {tuple(value.shape)} {_short_hash(str(value.tolist()))}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(inner, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{inner(k)}: {inner(v)}' for k, v in value.items())}}}"
    if hasattr(value, "__dict__"):
        return f"{inner(type(value))} {inner(vars(value))}"
    return getattr(value, "__name__", type(value).__name__)


def _open_cell(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _read_globals(function: types.FunctionType) -> list[Any]:
    """The plain values and functions that a function of your own uses by name, as in a notebook."""
    if (function.__module__ or "").split(".")[0] in LIBRARIES:
        return []
    used = [function.__globals__.get(name) for name in function.__code__.co_names]
    return [v for v in used if v is not None and isinstance(v, (*PLAIN, types.FunctionType))]


def _fingerprint(thing: Callable) -> str:
    """A short hash of a function's or class's code; "" for torch's own, which do not change."""
    if (getattr(thing, "__module__", None) or "").split(".")[0] in ("torch", "builtins"):
        return ""
    try:
        if thing.__name__ == "<lambda>":  # its source is the whole line that it stands in
            raise OSError
        # unparse, not dump: what that prints changes from one Python to the next
        code = ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(thing))))
    except (OSError, TypeError, SyntaxError):  # a class of a notebook's cell has no source either
        code = str(_read_code(thing))
    return _short_hash(code)


def _read_code(thing: Any) -> list[Any]:
    """The compiled code of a function, or of each function in a class, without any address."""
    if isinstance(thing, type):
        return [[name, *_read_code(part)] for name, part in sorted(vars(thing).items())]
    code = thing if isinstance(thing, types.CodeType) else getattr(thing, "__code__", None)
    if code is None:
        return [repr(thing)] if isinstance(thing, PLAIN) else []
    consts = [
        _read_code(c)
        if isinstance(c, types.CodeType)
        else repr(sorted(map(repr, c)) if isinstance(c, frozenset) else c)
        for c in code.co_consts
    ]
    return [code.co_code.hex(), code.co_names, consts]


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def describe_network(network: nn.Module) -> str:
    """Its layers, shapes, and the code and plain attributes of classes that are not torch's."""
    shapes = [f"{name} {tuple(value.shape)}" for name, value in network.state_dict().items()]
    own = [
        (name, module)
        for name, module in network.named_modules()
        if not type(module).__module__.startswith("torch.")
    ]
    codes = sorted({f"{type(m).__name__} {_fingerprint(type(m))}" for _, m in own})
    held = [
        f"{name}.{key}={value!r}"
        for name, module in own
        for key, value in sorted(vars(module).items())
        if not key.startswith("_") and key != "training" and isinstance(value, (*PLAIN, tuple))
    ]
    return f"{print_layers(network)} {shapes} {codes} {held}"


def print_layers(network: nn.Module) -> str:
    """The network as torch prints it, alike in all its versions: some name batch norm's bias."""
    return re.sub(r"(affine=\w+), bias=\w+", r"\1", repr(network))


def _describe_solver(solver: Optimizer) -> str:
    groups = [
        {
            name: float(value) if name in ("lr", "initial_lr") else value
            for name, value in group.items()
            if name not in ("params", *MACHINE)
        }
        for group in solver.param_groups
    ]
    return f"{type(solver).__name__} {groups}"


def _describe_loader(loader: Any) -> str:
    dataset = getattr(loader, "dataset", None)
    names = ("batch_size", "drop_last", "shuffle", "augment")
    held = [f"{name}={describe(getattr(loader, name))}" for name in names if hasattr(loader, name)]
    what = f"{type(dataset).__name__} of {len(dataset)}" if hasattr(dataset, "__len__") else ""
    name = getattr(dataset, "name", "")
    return (
        f"{type(loader).__name__} of {len(loader)} batches {what} {name} {' '.join(held)}".strip()
    )


def _difference(name: str, former: str, present: str) -> str:
    """Both texts, cut down to the part in which they differ."""
    start = next((i for i, (a, b) in enumerate(zip(former, present)) if a != b), 0)
    start = max(0, former.rfind(" ", 0, start)) if start > 40 else 0

    def cut(text: str) -> str:
        part = text[start:]
        return ("…" if start else "") + (part if len(part) < 80 else part[:77] + "…")

    return f"{name}: was {cut(former)}, is {cut(present)}"
