"""What a generator computes, as a list of operations: recorded while it draws one picture.

Every operation that reaches PyTorch's tensors is seen, whatever the generator is written with:
layers, functions, skip connections. What does not depend on the latent is a constant. The few
operations left are those that `page.html` computes; anything else is named, with its module and
the line of code that asked for it.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

Step = dict[str, Any]


class Graph:
    """Steps from value 0, a latent `(1, dim)`, to `output`; `constants` are values too.

    Attributes:
        steps: one operation each, in plain values. "in" and "out" number values.
        constants: the tensors that are no result of a step, by number.
        shapes: the shape of each value, by number.
        output: the number of the picture.
    """

    def __init__(self, network: nn.Module, latent: Tensor) -> None:
        self.steps: list[Step] = []
        self.constants: dict[int, Tensor] = {}
        self.shapes: list[tuple[int, ...]] = []
        self.unknown: dict[int, str] = {}  # by a tensor's id: what cannot be computed
        self._numbers: dict[int, int] = {}
        self._alive: list[Tensor] = []  # a tensor's id is its own only as long as it lives
        self.name(latent)
        recorder = _Recorder(self)
        with torch.no_grad(), _told_modules(network, recorder), recorder:
            picture = network(latent)
        if id(picture) in self.unknown:
            raise ValueError(
                "generator: expected operations that the page can compute, "
                f"got {self.unknown[id(picture)]}"
            )
        if id(picture) not in self._numbers:
            raise ValueError("generator: expected pictures that depend on the latent, got others")
        self.output = self._numbers[id(picture)]
        self._leave_out_what_is_not_needed()

    def knows(self, value: Any) -> bool:
        """Whether this is a tensor that depends on the latent."""
        return self._numbers.get(id(value), None) not in (None, *self.constants)

    def number(self, value: Tensor) -> int:
        """The number of a tensor; one that was not computed becomes a constant."""
        if id(value) not in self._numbers:
            number = self._add(value.shape)
            self.constants[number] = value.detach().clone(memory_format=torch.contiguous_format)
            self._keep(value, number)
        return self._numbers[id(value)]

    def name(self, value: Tensor, number: int | None = None) -> None:
        """This tensor is value `number`, or a new value."""
        self._keep(value, self._add(value.shape) if number is None else number)

    def emit(self, op: str, shape: tuple[int, ...], inputs: list[int], **facts: Any) -> int:
        """One more step; returns the number of what it gives."""
        number = self._add(shape)
        self.steps.append({"op": op, "in": inputs, "out": number} | facts)
        return number

    def give_up(self, result: Any, why: str) -> None:
        """What cannot be computed. That matters only if the picture depends on it."""
        for value in _flatten([result]):
            if isinstance(value, Tensor):
                self._numbers.pop(id(value), None)
                self.unknown[id(value)] = why
                self._alive.append(value)

    def forget_aliases(self, changed: Tensor, why: str) -> None:
        """Other tensors that share memory with one that was changed in place hold new numbers."""
        memory = changed.untyped_storage()._cdata
        for value in list(self._alive):
            if value is not changed and value.untyped_storage()._cdata == memory:
                self.give_up(value, why)

    def _leave_out_what_is_not_needed(self) -> None:
        needed, steps = {self.output}, []
        for step in reversed(self.steps):
            if step["out"] in needed:
                needed |= set(step["in"])
                steps.append(step)
        self.steps = steps[::-1]
        self.constants = {n: value for n, value in self.constants.items() if n in needed}

    def _add(self, shape: tuple[int, ...]) -> int:
        self.shapes.append(tuple(shape))
        return len(self.shapes) - 1

    def _keep(self, value: Tensor, number: int) -> None:
        self._numbers[id(value)] = number
        self._alive.append(value)


class Unknown(ValueError):
    """An operation that the page does not compute."""


class _Recorder(TorchDispatchMode):
    """Adds to a graph what PyTorch is asked to do."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph, self.modules = graph, ["itself"]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        named = _name_arguments(func, args, kwargs)
        parts = [part for part in _flatten(list(named.values())) if isinstance(part, Tensor)]
        reasons = [self.graph.unknown[id(p)] for p in parts if id(p) in self.graph.unknown]
        if reasons:
            result = func(*args, **kwargs)
            self.graph.give_up(result, reasons[0])
            return result
        if not any(map(self.graph.knows, parts)):
            return func(*args, **kwargs)
        before = args[0].clone() if _is_in_place(func) else None
        result = func(*args, **kwargs)
        if before is not None:
            why = f"{func._schema.name.removeprefix('aten::')} on memory that is used elsewhere"
            self.graph.forget_aliases(args[0], f"{why} in {self.modules[-1]}, {_find_line()}")
        try:
            _record(self.graph, func, named, args, kwargs, before, result)
        except Unknown as problem:
            self.graph.give_up(result, f"{problem} in {self.modules[-1]}, {_find_line()}")
        return result


@contextmanager
def _told_modules(network: nn.Module, recorder: _Recorder) -> Iterator[None]:
    """Inside, the recorder knows which module is at work."""
    hooks = []
    for name, module in network.named_modules():
        title = f"{name or 'itself'!r} ({type(module).__name__})"
        hooks += [
            module.register_forward_pre_hook(lambda *_, t=title: recorder.modules.append(t)),
            module.register_forward_hook(lambda *_: recorder.modules.pop() and None),
        ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _find_line() -> str:
    """The line of code outside PyTorch that asked for the latest operation."""
    inside = (str(Path(torch.__file__).parent), str(Path(__file__).parent))
    for frame in reversed(traceback.extract_stack()):
        if not frame.filename.startswith(inside):
            return f"line {frame.lineno} of {Path(frame.filename).name}: {frame.line}"
    return "in a layer of PyTorch"


def _flatten(values: list) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _flatten(list(value))
        else:
            yield value


def _name_arguments(func: Any, args: tuple, kwargs: dict) -> dict[str, Any]:
    """All arguments by name, with the defaults."""
    schema = func._schema.arguments
    named = {part.name: part.default_value for part in schema if part.has_default_value()}
    named |= {part.name: value for part, value in zip(schema, args)}
    return named | kwargs


def _is_in_place(func: Any) -> bool:
    return func._schema.name.endswith("_") and not func._schema.name.endswith("__")


# Each operation ---------------------------------------------------------------------------------


def _record(
    graph: Graph,
    func: Any,
    named: dict[str, Any],
    args: tuple,
    kwargs: dict,
    before: Tensor | None,
    result: Any,
) -> None:
    """Add the steps for one operation, whose result is there; `before` is what it changed."""
    name = func._schema.name.removeprefix("aten::")
    first = result[0] if isinstance(result, (tuple, list)) and result else result
    if not isinstance(first, Tensor):
        return  # a number: whoever asks for it decides by it, and other latents are tried, too
    if before is not None:  # the same without the underscore, and then it takes the old place
        graph.name(before, graph.number(args[0]))
        named, name = named | {"self": before}, name[:-1]
    elif args and _is_view(first, args[0]):
        _record_views(graph, func, args, kwargs, result)
        return
    if first.dtype != torch.float32:
        raise Unknown(f"{name}, which gives no float32")
    if name in SAME:
        graph.name(first, graph.number(next(v for v in named.values() if graph.knows(v))))
    else:
        graph.name(first, _find_translation(name)(graph, named, first))


def _find_translation(name: str) -> Callable[[Graph, dict[str, Any], Tensor], int]:
    if name not in TRANSLATIONS:
        raise Unknown(name)
    return TRANSLATIONS[name]


SAME = ("clone", "contiguous", "_to_copy", "detach", "alias", "lift_fresh", "dropout")


def _is_view(value: Tensor, source: Any) -> bool:
    if not isinstance(source, Tensor):
        return False
    return value.untyped_storage()._cdata == source.untyped_storage()._cdata


def _record_views(graph: Graph, func: Any, args: tuple, kwargs: dict, result: Any) -> None:
    """Any view is its input read with other strides: the same, asked of one that lies in order."""
    source = graph.number(args[0])
    plain = args[0].clone(memory_format=torch.contiguous_format)
    probes = func(plain, *args[1:], **kwargs)
    many = isinstance(result, (tuple, list))
    for view, probe in zip(result if many else [result], probes if many else [probes]):
        graph.name(view, _read(graph, source, probe))


def _read(graph: Graph, source: int, probe: Tensor) -> int:
    """Value `source` read with the strides and from the place of `probe`, a view of it."""
    shape = tuple(probe.shape)
    in_order = probe.is_contiguous() and probe.storage_offset() == 0
    if in_order and probe.numel() == math.prod(graph.shapes[source]):
        return graph.emit("reshape", shape, [source])
    facts = {"strides": list(probe.stride()), "offset": probe.storage_offset()}
    return graph.emit("read", shape, [source], size=list(shape), **facts)


def _read_as(graph: Graph, source: int, change: Callable[[Tensor], Tensor]) -> int:
    """Value `source` through views of ours."""
    return _read(graph, source, change(torch.empty(graph.shapes[source])))


def _linear(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    """`addmm`, `mm`, `bmm`: a product of matrices, and a bias."""
    left = named.get("mat1", named.get("self"))
    right = named.get("mat2")
    if "mat1" in named and (named["beta"] != 1 or named["alpha"] != 1):
        raise Unknown("addmm with factors")
    # both with the inner size last: rows of the one times rows of the other
    turned = right.transpose(-1, -2)
    columns = (
        _read_as(graph, graph.number(right), lambda t: t.transpose(-1, -2))
        if graph.knows(right)
        else graph.number(_kept(graph, turned.contiguous()))
    )
    rows, inner, wide = left.shape[-2], left.shape[-1], right.shape[-1]
    times = math.prod(left.shape[:-2])
    shape = (*left.shape[:-1], wide)
    sizes = {"times": times, "rows": rows, "inner": inner, "columns": wide}
    product = graph.emit("product", shape, [graph.number(left), columns], **sizes)
    if "mat1" not in named:
        return product
    return _join(graph, "add", product, graph.number(named["self"]), shape)


def _kept(graph: Graph, value: Tensor) -> Tensor:
    graph._alive.append(value)
    return value


def _convolution(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    weight, bias, source = named["weight"], named["bias"], named["input"]
    if weight.ndim != 4 or graph.knows(weight) or graph.knows(bias) or not graph.knows(source):
        raise Unknown(f"a convolution with weights {tuple(weight.shape)} that the page cannot make")
    both = {
        key: [int(n) for n in (named[key] * 2)[:2]]
        for key in ("stride", "padding", "dilation", "output_padding")
    }
    shape = tuple(result.shape)
    made = graph.emit(
        "conv_transpose" if named["transposed"] else "conv",
        shape,
        [graph.number(source), graph.number(weight)],
        channels=[source.shape[1], result.shape[1]],
        sides=[list(source.shape[2:]), list(result.shape[2:])],
        kernel=list(weight.shape[2:]),
        groups=named["groups"],
        **both,
    )
    if bias is None:
        return made
    return _join(graph, "add", made, graph.number(_kept(graph, bias.reshape(1, -1, 1, 1))), shape)


def _batch_norm(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    """With running statistics a factor and a shift; otherwise each channel by its own."""
    source = graph.number(named["input"])
    wide = [1, -1] + [1] * (result.ndim - 2)
    weight, bias = named["weight"], named["bias"]
    if named.get("training") or named["running_mean"] is None:
        each = math.prod(result.shape[2:])
        source = graph.emit("norm", tuple(result.shape), [source], each=each, eps=named["eps"])
        return _scale(graph, source, _wide(weight, wide), _wide(bias, wide), result)
    factor = (named["running_var"] + named["eps"]).rsqrt()
    factor = factor if weight is None else factor * weight
    shift = -named["running_mean"] * factor + (0 if bias is None else bias)
    return _scale(graph, source, _wide(factor, wide), _wide(shift, wide), result)


def _group_norm(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    each = result.shape[1] // named["group"] * math.prod(result.shape[2:])
    source = [graph.number(named["input"])]
    made = graph.emit("norm", tuple(result.shape), source, each=each, eps=named["eps"])
    wide = [1, -1] + [1] * (result.ndim - 2)
    return _scale(graph, made, _wide(named["weight"], wide), _wide(named["bias"], wide), result)


def _layer_norm(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    each = math.prod(named["normalized_shape"])
    source = [graph.number(named["input"])]
    made = graph.emit("norm", tuple(result.shape), source, each=each, eps=named["eps"])
    return _scale(graph, made, named["weight"], named["bias"], result)


def _wide(value: Tensor | None, shape: list[int]) -> Tensor | None:
    return None if value is None else value.reshape(shape)


def _scale(
    graph: Graph, source: int, factor: Tensor | None, shift: Tensor | None, result: Tensor
) -> int:
    for how, value in (("multiply", factor), ("add", shift)):
        if value is not None:
            if graph.knows(value):
                raise Unknown("a norm whose weights depend on the latent")
            number = graph.number(_kept(graph, value))
            source = _join(graph, how, source, number, tuple(result.shape))
    return source


def _join(graph: Graph, how: str, left: int, right: int, shape: tuple[int, ...]) -> int:
    """Entry by entry, each side stretched to the same shape."""
    strides = [
        list(torch.empty(graph.shapes[side]).expand(shape).stride()) for side in (left, right)
    ]
    return graph.emit("join", shape, [left, right], how=how, size=list(shape), strides=strides)


def _arithmetic(how: str) -> Callable[[Graph, dict[str, Any], Tensor], int]:
    def translate(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
        if "rounding_mode" in named and named["rounding_mode"] is not None:
            raise Unknown("a division that rounds")
        sides = [named["self"], named["other"]]
        if how == "reversed":
            sides.reverse()
        plain = {"reversed": "subtract"}.get(how, how)
        numbers = [
            graph.number(
                side if isinstance(side, Tensor) else _kept(graph, torch.tensor(float(side)))
            )
            for side in sides
        ]
        factor = named.get("alpha", 1)
        if factor != 1:
            scaled = graph.number(_kept(graph, torch.tensor(float(factor))))
            place = 0 if how == "reversed" else 1
            shape = graph.shapes[numbers[place]]
            numbers[place] = _join(graph, "multiply", numbers[place], scaled, shape)
        return _join(graph, plain, *numbers, tuple(result.shape))

    return translate


def _each(how: str, *names: str) -> Callable[[Graph, dict[str, Any], Tensor], int]:
    """A function of each number; `names` are the arguments that it needs."""

    def translate(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
        values = [named[name] for name in names]
        if any(isinstance(value, Tensor) for value in values):
            raise Unknown(f"{how} with tensors as bounds")
        numbers = [value if value is None else float(value) for value in values]
        source = [graph.number(named["self"])]
        return graph.emit("each", tuple(result.shape), source, how=how, with_=numbers)

    return translate


def _power(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    other = named["exponent"]
    return _arithmetic("power")(graph, named | {"other": other}, result)


def _celu(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    alpha = float(named["alpha"])
    source = [graph.number(named["self"])]
    return graph.emit("each", tuple(result.shape), source, how="elu", with_=[alpha, 1.0, 1 / alpha])


def _prelu(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    source, shape = [graph.number(named["self"])], tuple(result.shape)
    above = graph.emit("each", shape, source, how="relu", with_=[])
    below = graph.emit("each", shape, source, how="clamp_max", with_=[0.0])
    below = _join(graph, "multiply", below, graph.number(named["weight"]), shape)
    return _join(graph, "add", above, below, shape)


def _flip(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    """Read backwards along some dimensions."""
    shape = tuple(result.shape)
    strides, offset = list(torch.empty(shape).stride()), 0
    for dim in named["dims"]:
        offset += (shape[dim] - 1) * strides[dim]
        strides[dim] = -strides[dim]
    source = [graph.number(named["self"])]
    return graph.emit("read", shape, source, size=list(shape), strides=strides, offset=offset)


def _gelu(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    how = "gelu" if named["approximate"] == "none" else "gelu_tanh"
    return graph.emit("each", tuple(result.shape), [graph.number(named["self"])], how=how, with_=[])


def _concatenate(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    dim = named["dim"] % result.ndim
    parts = [part for part in named["tensors"] if part.numel()]
    inner = [math.prod(part.shape[dim:]) for part in parts]
    numbers = [graph.number(part) for part in parts]
    return graph.emit("concatenate", tuple(result.shape), numbers, inner=inner)


def _pixel_shuffle(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    r = named["upscale_factor"]

    def turn(image: Tensor) -> Tensor:
        n, c, h, w = image.shape
        return image.view(n, c // r**2, r, r, h, w).permute(0, 1, 4, 2, 5, 3)

    turned = _read_as(graph, graph.number(named["self"]), turn)
    return graph.emit("reshape", tuple(result.shape), [turned])


def _resample(func: Callable[..., Any]) -> Callable[[Graph, dict[str, Any], Tensor], int]:
    """Whatever mixes rows and columns of each channel, in the same way everywhere.

    How it mixes is found by asking it for images in which a single row, or column, is 1.
    """

    def translate(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
        source = named["self"]
        if source.ndim != 4:
            raise Unknown(f"resampling of a batch with {source.ndim} dimensions")
        rest = {key: value for key, value in named.items() if key != "self"}
        (h, w), (tall, wide) = source.shape[2:], result.shape[2:]
        rows = func(torch.eye(h)[None, :, :, None].expand(1, h, h, w).contiguous(), **rest)
        columns = func(torch.eye(w)[None, :, None, :].expand(1, w, h, w).contiguous(), **rest)
        # where borders are padded by zeros, a place outside is 0 in every image
        mixes = [_sparse(rows[0].amax(dim=2)), _sparse(columns[0].amax(dim=1))]
        sides = {"sides": [[h, w], [tall, wide]]}
        number = graph.number(source)
        return graph.emit("resample", tuple(result.shape), [number], mixes=mixes, **sides)

    return translate


def _sparse(table: Tensor) -> list[list[list[float]]]:
    """For each place of the result, pairs (place, share) of what it is made of."""
    return [
        [[place, round(column[place].item(), 8)] for place in column.nonzero().flatten().tolist()]
        for column in table.T
    ]


def _mean(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    source = graph.number(named["self"])
    shape = graph.shapes[source]
    dims = named.get("dim")
    dims = sorted(d % len(shape) for d in (dims or range(len(shape))))
    kept = [d for d in range(len(shape)) if d not in dims]
    turned = _read_as(graph, source, lambda t: t.permute(*kept, *dims))
    each = math.prod(shape[d] for d in dims)
    return graph.emit("mean", tuple(result.shape), [turned], each=each)


def _sum(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    mean = _mean(graph, named, result)
    count = math.prod(graph.shapes[graph.number(named["self"])]) / result.numel()
    factor = graph.number(_kept(graph, torch.tensor(float(count))))
    return _join(graph, "multiply", mean, factor, tuple(result.shape))


def _softmax(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    if named["dim"] % result.ndim != result.ndim - 1:
        raise Unknown("a softmax over another dimension than the last")
    source = [graph.number(named["self"])]
    return graph.emit("softmax", tuple(result.shape), source, each=result.shape[-1])


def _pad(graph: Graph, named: dict[str, Any], result: Tensor) -> int:
    if named["value"] != 0:
        raise Unknown(f"padding with {named['value']}")
    return _resample(torch.ops.aten.constant_pad_nd)(graph, named, result)


ATEN = torch.ops.aten
TRANSLATIONS: dict[str, Callable[[Graph, dict[str, Any], Tensor], int]] = {
    **dict.fromkeys(("addmm", "mm", "bmm"), _linear),
    "convolution": _convolution,
    **dict.fromkeys(
        (
            *("native_batch_norm", "_native_batch_norm_legit"),
            *("_native_batch_norm_legit_no_training", "_batch_norm_with_update"),
            "_batch_norm_no_update",
        ),
        _batch_norm,
    ),
    "native_group_norm": _group_norm,
    "native_layer_norm": _layer_norm,
    "add": _arithmetic("add"),
    "sub": _arithmetic("subtract"),
    "rsub": _arithmetic("reversed"),
    "mul": _arithmetic("multiply"),
    "div": _arithmetic("divide"),
    "maximum": _arithmetic("maximum"),
    "minimum": _arithmetic("minimum"),
    "pow": _power,
    "relu": _each("relu"),
    "leaky_relu": _each("leaky_relu", "negative_slope"),
    "elu": _each("elu", "alpha", "scale", "input_scale"),
    "softplus": _each("softplus", "beta", "threshold"),
    "clamp": _each("clamp", "min", "max"),
    "clamp_min": _each("clamp_min", "min"),
    "clamp_max": _each("clamp_max", "max"),
    "hardtanh": _each("clamp", "min_val", "max_val"),
    "gelu": _gelu,
    "celu": _celu,
    "_prelu_kernel": _prelu,
    "flip": _flip,
    **{
        how: _each(how)
        for how in (
            *("tanh", "sigmoid", "silu", "mish", "hardswish", "hardsigmoid", "exp", "log", "sqrt"),
            *("rsqrt", "abs", "neg", "sin", "cos", "reciprocal"),
        )
    },
    "cat": _concatenate,
    "pixel_shuffle": _pixel_shuffle,
    "mean": _mean,
    "sum": _sum,
    "_softmax": _softmax,
    "constant_pad_nd": _pad,
    **{
        how: _resample(getattr(ATEN, how))
        for how in (
            *("upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d"),
            *("upsample_bicubic2d", "avg_pool2d", "_adaptive_avg_pool2d"),
            *("reflection_pad2d", "replication_pad2d"),
        )
    },
}
