"""How large a network is: its parameters counted, and a table of its layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from .layers import copy_network, need_shapes
from .settings import fork_random
from .validation import need_count, need_module

BATCH = 2  # inputs that a table is made from: batch norm wants more than one
MEGA = 1024**2
WIDTH = 64
CONTAINERS = (nn.Sequential, nn.ModuleList)  # what they do their layers do


@dataclass(frozen=True)
class Row:
    """A line of the table: what stands in it, and how many numbers the layer puts out."""

    layer: str
    shape: str
    params: str
    outputs: int = 0


def count_params(model: nn.Module) -> int:
    """How many numbers training can change: the sizes of all parameters, added up.

    Each counts once, however many layers share it; frozen ones do not count.

    Raises:
        ValueError: a lazy layer that has seen no batch, so that nobody knows its size.
    """
    need_shapes(model, "model")
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def summarize(
    model: nn.Module,
    input_size: Sequence[int] | Sequence[Sequence[int]],
    dtypes: torch.dtype | Sequence[torch.dtype] | None = None,
) -> None:
    """Print a table of layers in the shape of the package torchsummary, whose `summary` it follows.

    A row is a call of a layer: what comes out, -1 being the batch, and the parameters that no row
    before it had ("shared" where an earlier row has them all). Parameters that belong to no layer
    that was called have rows of their own. So the rows add up to the total, and the trainable ones
    are what `count_params` says.

    A copy runs on random input, as a batch of 2 on the CPU: your model and the random state stay
    as they are.

    Args:
        model: the network.
        input_size: the shape of one input without the batch: `(1, 28, 28)`, or `(96,)` for G;
            where the model takes several, a list of shapes: `[(64,), (10,)]`, `()` for one label.
        dtypes: the inputs' dtype, or a list with one for each; float32 if not given. Whole numbers,
            such as an `Embedding` takes (`torch.int64`), are all 0.

    Raises:
        TypeError, ValueError: anything else, or an `Embedding` without `dtypes`. What the model
            itself raises comes as it is.
    """
    need_module(model, "model")
    shapes = _read_shapes(input_size)
    kinds = _read_dtypes(dtypes, len(shapes))
    guest = copy_network(model).cpu().float()
    with fork_random():
        inputs = [_make_input(shape, kind) for shape, kind in zip(shapes, kinds)]
        try:
            rows = _run(guest, inputs)
        except RuntimeError as problem:
            if dtypes is None and any(isinstance(m, nn.Embedding) for m in guest.modules()):
                raise ValueError(
                    "dtypes: expected torch.int64 for what an Embedding takes, such as "
                    f"dtypes=[torch.float32, torch.int64], got None: {problem}"
                ) from problem
            raise
    print("\n".join(_format(guest, rows, inputs)))


def _read_shapes(input_size: Any) -> list[tuple[int, ...]]:
    if not isinstance(input_size, (tuple, list)):
        raise TypeError(f"input_size: expected a shape such as (1, 28, 28), got {input_size!r}")
    several = any(isinstance(part, (tuple, list)) for part in input_size)
    shapes = input_size if several else [input_size]
    if not all(isinstance(shape, (tuple, list)) for shape in shapes):
        raise TypeError(f"input_size: expected one shape or a list of shapes, got {input_size!r}")
    return [tuple(need_count(size, "input_size") for size in shape) for shape in shapes]


def _read_dtypes(dtypes: Any, count: int) -> list[torch.dtype]:
    kinds = [dtypes or torch.float32] * count if not isinstance(dtypes, (tuple, list)) else dtypes
    if len(kinds) != count or not all(isinstance(kind, torch.dtype) for kind in kinds):
        raise TypeError(f"dtypes: expected a torch.dtype for each of {count} inputs, got {dtypes}")
    return list(kinds)


def _make_input(shape: tuple[int, ...], kind: torch.dtype) -> Tensor:
    if kind.is_floating_point:
        return torch.rand(BATCH, *shape, dtype=kind)
    return torch.zeros(BATCH, *shape, dtype=kind)


def _run(model: nn.Module, inputs: list[Tensor]) -> list[Row]:
    """A row for each call of a layer in one run, and for each parameter that is left over."""
    rows: list[Row] = []
    counted: set[int] = set()

    def note(layer: nn.Module, given: tuple, output: Any) -> None:
        name = f"{type_before_parametrizations(layer).__name__}-{len(rows) + 1}"
        shapes = _find_shapes(output)
        shape = str(shapes[0] if isinstance(output, Tensor) else shapes)
        params = _count_new(_own_parameters(layer), counted)
        rows.append(Row(name, shape, params, sum(prod(shape[1:]) for shape in shapes)))

    for layer in _find_layers(model):
        layer.register_forward_hook(note)
    model(*inputs)
    left = [(name, p) for name, p in model.named_parameters() if id(p) not in counted]
    return rows + [Row(name, str([*p.shape]), f"{p.numel():,}") for name, p in left]


def _find_layers(model: nn.Module) -> list[nn.Module]:
    """The layers that have rows: all but containers, the model itself and computed weights."""
    found, hidden = [], set()
    for layer in model.modules():
        if is_parametrized(layer):
            hidden.update(layer.parametrizations.modules())
        is_whole = layer is model and any(True for _ in model.children())
        if layer not in hidden and not is_whole and not isinstance(layer, CONTAINERS):
            found.append(layer)
    return found


def _own_parameters(layer: nn.Module) -> list[nn.Parameter]:
    """A layer's parameters without those of its children, but with what it computes others from."""
    own = list(layer.parameters(recurse=False))
    return own + list(layer.parametrizations.parameters()) if is_parametrized(layer) else own


def _count_new(parameters: list[nn.Parameter], counted: set[int]) -> str:
    """How many numbers are in those not counted yet; they are from now on."""
    new = [p for p in parameters if id(p) not in counted]
    counted.update(map(id, new))
    return "shared" if parameters and not new else f"{sum(p.numel() for p in new):,}"


def _find_shapes(output: Any) -> list[list[int]]:
    """The shapes of all tensors in what a layer gives, with -1 for the batch."""
    if isinstance(output, Tensor):
        return [[-1, *output.shape[1:]]]
    if isinstance(output, dict):
        output = list(output.values())
    parts: Sequence = output if isinstance(output, (tuple, list)) else ()
    return [shape for part in parts for shape in _find_shapes(part)]


def _format(model: nn.Module, rows: list[Row], inputs: list[Tensor]) -> list[str]:
    line: Callable[..., str] = "{:>20}  {:>25} {:>15}".format
    total, trainable = sum(p.numel() for p in model.parameters()), count_params(model)
    sizes = {
        "Input size": sum(x[0].numel() * x.element_size() for x in inputs) / MEGA,
        "Forward/backward pass size": 2 * 4 * sum(row.outputs for row in rows) / MEGA,
        "Params size": 4 * total / MEGA,
    }
    sizes["Estimated Total Size"] = sum(sizes.values())
    return [
        "-" * WIDTH,
        line("Layer (type)", "Output Shape", "Param #"),
        "=" * WIDTH,
        *(line(row.layer, row.shape, row.params) for row in rows),
        "=" * WIDTH,
        f"Total params: {total:,}",
        f"Trainable params: {trainable:,}",
        f"Non-trainable params: {total - trainable:,}",
        "-" * WIDTH,
        *(f"{name} (MB): {size:.2f}" for name, size in sizes.items()),
        "-" * WIDTH,
    ]
