"""A generator as one HTML file that runs it in its reader's browser, without a network.

The file is `page.html`, filled with the layers in the order of their calls and with their weights
in half precision. Only layers that its script knows can be shared. What `forward` does besides
calling them must be no more than reshaping; that is checked.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..checkpoints import write_atomically
from ..coordinates import Coordinates
from ..validation import need_count, need_file
from .generator import FrozenGenerator
from .latent import principal_directions

TEMPLATE = Path(__file__).parent / "page.html"
TITLE = "A GAN in a file"
PROBES = 3  # latents with which the calls of the layers are followed
JUDGED = 64  # latents on which the layers are compared with the generator, and half precision
PART = 16  # of them at a time: pictures may be large
SAME = 1e-4  # so much may pixels of the layers, called one after another, differ from its own

CONVS = (nn.Conv2d, nn.ConvTranspose2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
KINDS = (  # what the page computes
    *(nn.Linear, *CONVS, *NORMS, Coordinates),
    *(nn.ReLU, nn.LeakyReLU, nn.Tanh),
)
RESHAPES = (nn.Unflatten, nn.Flatten)  # and any other layer that does no more than they do
SHAREABLE = ", ".join(kind.__name__ for kind in KINDS + RESHAPES)


def share(
    generator: nn.Module,
    path: str | Path = "my_gan.html",
    noise_dim: int | None = None,
    *,
    noise: str | None = None,
    classes: int | None = None,
    title: str | None = None,
    n_sliders: int = 8,
) -> Path:
    """Write a generator as one HTML file to send to a friend: it makes pictures in a browser.

    The page has sliders along the directions in latent space that change the picture most, and
    along single coordinates. It needs no network connection. Weights are kept in half precision;
    one printed line says how large the file is, and by how much that changes pixels at most, in 64
    pictures. The generator stays as it is.

    Args:
        generator: a network that turns latents `(N, noise_dim)` into images `(N, 1 or 3, H, W)`,
            or digits `(N, 784)`, in [-1, 1]. Its layers may be Linear, Conv2d, ConvTranspose2d,
            BatchNorm1d, BatchNorm2d (which uses its running statistics), Coordinates, ReLU,
            LeakyReLU and Tanh, one after another, with reshapes anywhere between them. A
            generator of coordinates draws in its own size: `G.at(112)` gives a sharper page,
            and one whose pictures take longer.
        path: a name that ends in .html, in a folder that exists. A file of that name is replaced.
        noise_dim: the size of a latent; read off the generator if not given.
        noise: "uniform" or "normal", what the generator was trained with; if not given, what a
            shipped generator says of itself, else "uniform".
        classes: how many labels stand behind the noise, one-hot; if not given, what a shipped
            generator says of itself, else 0. The page then has a row of buttons for them.
        title: the heading of the page; "A GAN in a file" if not given.
        n_sliders: how many sliders; there are fewer where a latent has fewer coordinates.

    Returns:
        The path of the file.

    Raises:
        TypeError, ValueError: anything else; a layer, or an option of one, that the page cannot
            compute; a `forward` that does more than to call layers and reshape; weights that are
            not finite in half precision.
        OSError: the file could not be written.
    """
    path, title = need_file(path, "path", ".html"), _need_title(title)
    count = need_count(n_sliders, "n_sliders")
    frozen = FrozenGenerator(generator, noise_dim, noise, classes)
    _bake(frozen.network)
    steps = _find_steps(frozen)
    chain = nn.Sequential(*[layer for _, layer in steps])
    weights = _pack(steps)
    change = _measure_rounding(chain, frozen)
    fields = {
        "TITLE": escape(title),
        "COUNT": f"{sum(part.numel() for part in chain.parameters()):,}",
        "FACTS": _format(_describe(frozen, chain, min(count, frozen.noise_dim))),
        "WEIGHTS": base64.b64encode(weights).decode(),
    }
    page = _fill(TEMPLATE.read_text(encoding="utf-8"), fields).encode()
    write_atomically(path, page)
    print(
        f"{path}: {len(page) / 1e6:.2f} MB; half precision changes pixels, which are in [-1, 1], "
        f"by at most {change:.2g}"
    )
    return path


# Arguments -----------------------------------------------------------------------------------


def _need_title(title: Any) -> str:
    if title is None:
        return TITLE
    if not isinstance(title, str):
        raise TypeError(f"title: expected text, got {type(title).__name__}")
    if not title.strip():
        raise ValueError(f"title: expected text to read, got {title!r}")
    return title


# The layers, in the order of their calls -----------------------------------------------------


@dataclass
class _Call:
    """A layer at work: what it took and what it gave, before anything could change it in place."""

    name: str
    layer: nn.Module
    taken: Tensor
    given: Any = None

    def __str__(self) -> str:
        return _name(self.name, self.layer)


class _Reshape(nn.Module):
    """A batch of any shape -> `(N, *shape)`."""

    def __init__(self, shape: torch.Size) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, *self.shape)


@torch.no_grad()
def _bake(network: nn.Module) -> None:
    """Weights that are computed from others, as with spectral norm, become what they are now."""
    for layer in list(network.modules()):
        if parametrize.is_parametrized(layer):
            for name in list(layer.parametrizations):
                parametrize.remove_parametrizations(layer, name)


def _find_steps(frozen: FrozenGenerator) -> list[tuple[str, nn.Module]]:
    """What turns latents into images, one layer after another: names and layers of `KINDS`.

    Where the shape changes between two layers, a reshape without a name stands. Layers that only
    reshape, and those that do nothing in eval mode, are left out: the next one tells the shape.
    """
    latents = frozen.draw(PROBES, seed=0)
    calls, images = _follow(frozen.network, latents)
    steps: list[tuple[str, nn.Module]] = []
    last, before = latents, "the latents"
    for call in calls:
        _need_same(last, call.taken, before, str(call))
        if _find_kind(call.layer) is None:
            _need_nothing_done(call)
        else:
            _check_options(call)
            if call.taken.shape != last.shape:
                steps.append(("", _Reshape(call.taken.shape[1:])))
            steps.append((call.name, call.layer))
            last = call.given
        before = str(call)
    _need_same(last, images, before, "the images")
    return steps


@torch.no_grad()
def _follow(network: nn.Module, latents: Tensor) -> tuple[list[_Call], Tensor]:
    """The calls of all leaves during one forward pass, in order, and the pass's result."""
    calls: list[_Call] = []

    def watch(name: str, layer: nn.Module) -> list[Any]:
        def begin(layer: nn.Module, given: tuple, named: dict) -> None:
            calls.append(_Call(name, layer, _need_single(name, layer, given, named).clone()))

        def end(layer: nn.Module, given: tuple, result: Any) -> None:
            calls[-1].given = result.clone() if isinstance(result, Tensor) else result

        return [
            layer.register_forward_pre_hook(begin, with_kwargs=True),
            layer.register_forward_hook(end),
        ]

    leaves = {layer: name for name, layer in _list_leaves(network)}  # each once, if shared
    hooks = [hook for layer, name in leaves.items() for hook in watch(name, layer)]
    try:
        return calls, network(latents.clone())
    finally:
        for hook in hooks:
            hook.remove()


def _list_leaves(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules that have none inside, with their names as in `named_modules`."""
    children = list(module.named_children())
    if not children:
        yield name, module
    for inner, child in children:
        yield from _list_leaves(child, f"{name}.{inner}" if name else inner)


def _find_kind(layer: nn.Module) -> type[nn.Module] | None:
    """The one of `KINDS` that a layer is: a subclass counts as long as it computes the same."""
    for kind in KINDS:
        if isinstance(layer, kind) and type(layer).forward is kind.forward:
            return kind
    return None


def _name(name: str, layer: nn.Module) -> str:
    return f"{name or 'itself'!r} ({type(layer).__name__})"


# What cannot be shared -----------------------------------------------------------------------


def _need_single(name: str, layer: nn.Module, given: tuple, named: dict) -> Tensor:
    """The one tensor that a layer is called with."""
    values = [*given, *named.values()]
    if len(values) == 1 and isinstance(values[0], Tensor):
        return values[0]
    raise ValueError(
        f"generator: expected each layer to be called with one tensor, got {len(values)} values "
        f"for {_name(name, layer)}"
    )


def _need_same(left: Tensor, right: Tensor, before: str, after: str) -> None:
    """The same numbers in the same order, for each latent of the batch."""
    if not _are_same(left, right):
        raise ValueError(
            f"generator: expected a forward that only calls layers and reshapes, got something "
            f"more between {before} and {after}; of functions, make layers (nn.ReLU() instead of "
            "F.relu), and leave out skip connections"
        )


def _need_nothing_done(call: _Call) -> None:
    """A layer that is none of `KINDS` hands on what it took, in any shape."""
    if not _are_same(call.taken, call.given):
        raise ValueError(f"generator: expected layers that can be shared ({SHAREABLE}), got {call}")


def _are_same(left: Any, right: Any) -> bool:
    if not all(isinstance(value, Tensor) and value.ndim for value in (left, right)):
        return False
    if left.dtype != right.dtype or len(left) != len(right):
        return False
    return torch.equal(left.reshape(len(left), -1), right.reshape(len(right), -1))


def _check_options(call: _Call) -> None:
    """A layer of `KINDS`, used in a way that the page knows."""
    layer, wanted = call.layer, {}
    if isinstance(layer, CONVS):
        wanted = {"dilation": (1, 1), "groups": 1, "padding_mode": "zeros"}
        if isinstance(layer.padding, str):
            raise ValueError(
                f"generator: expected padding in numbers, got {layer.padding!r} in {call}"
            )
    elif isinstance(layer, NORMS):
        wanted = {"track_running_stats": True}
    for option, value in wanted.items():
        got = getattr(layer, option)
        if got != value:
            raise ValueError(
                f"generator: expected {option}={value!r} in what is shared, got {got!r} in {call}"
            )
    rank = 4 if isinstance(layer, CONVS) else 2
    if isinstance(layer, (nn.Linear, *CONVS)) and call.taken.ndim != rank:
        raise ValueError(
            f"generator: expected a batch with {rank} dimensions before {call}, "
            f"got {tuple(call.taken.shape)}"
        )


# What the file holds -------------------------------------------------------------------------


def _describe(frozen: FrozenGenerator, chain: nn.Sequential, sliders: int) -> dict[str, Any]:
    """All that the page needs to know besides the weights."""
    return {
        "dim": frozen.dim,
        "classes": frozen.classes,
        "kind": frozen.kind,
        "deviation": frozen.deviation,
        "reach": frozen.reach,
        "image": list(frozen.shape),
        "start": _round(frozen.draw(1, seed=0)[0]),
        "directions": [_round(row) for row in principal_directions(frozen, sliders)],
        "layers": [_describe_layer(layer) for layer in chain],
    }


def _describe_layer(layer: nn.Module) -> dict[str, Any]:
    """One layer in plain values; pairs are of height and width."""
    if isinstance(layer, _Reshape):
        return {"kind": "reshape", "shape": list(layer.shape)}
    if isinstance(layer, nn.Linear):
        return {"kind": "linear", "in": layer.in_features, "out": layer.out_features}
    if isinstance(layer, CONVS):
        return _describe_conv(layer)
    if isinstance(layer, NORMS):
        return {"kind": "batch_norm", "channels": layer.num_features, "eps": layer.eps}
    if isinstance(layer, Coordinates):
        return {"kind": "coordinates", "features": layer.features, "side": layer.side}
    if isinstance(layer, nn.LeakyReLU):
        return {"kind": "leaky_relu", "slope": layer.negative_slope}
    return {"kind": "relu" if isinstance(layer, nn.ReLU) else "tanh"}


def _describe_conv(layer: nn.Conv2d | nn.ConvTranspose2d) -> dict[str, Any]:
    transposed = isinstance(layer, nn.ConvTranspose2d)
    facts = {
        "kind": "conv_transpose" if transposed else "conv",
        "in": layer.in_channels,
        "out": layer.out_channels,
        "kernel": list(layer.kernel_size),
        "stride": list(layer.stride),
        "padding": list(layer.padding),
    }
    return facts | ({"output_padding": list(layer.output_padding)} if transposed else {})


def _round(vector: Tensor) -> list[float]:
    return [round(value, 4) for value in vector.tolist()]


def _list_tensors(layer: nn.Module) -> list[Tensor]:
    """The tensors of a layer in the order in which the page takes them; none is left out."""
    if isinstance(layer, NORMS):
        mean, variance = layer.running_mean, layer.running_var
        gamma = torch.ones_like(mean) if layer.weight is None else layer.weight
        beta = torch.zeros_like(mean) if layer.bias is None else layer.bias
        return [gamma, beta, mean, variance]
    if isinstance(layer, (nn.Linear, *CONVS)):
        width = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
        return [layer.weight, torch.zeros(width) if layer.bias is None else layer.bias]
    return []


def _pack(steps: list[tuple[str, nn.Module]]) -> bytes:
    """All tensors in half precision, one after another."""
    parts = []
    for name, layer in steps:
        for tensor in _list_tensors(layer):
            half = tensor.detach().half()
            lost = tensor[~torch.isfinite(half)]
            if len(lost):
                raise ValueError(
                    f"generator: expected weights up to {torch.finfo(torch.half).max:,.0f}, which "
                    f"half precision can hold; got {lost[0].item():.4g} in {_name(name, layer)}"
                )
            parts.append(half.numpy().astype("<f2").tobytes())  # C order, little-endian
    return b"".join(parts)


@torch.no_grad()
def _measure_rounding(chain: nn.Sequential, frozen: FrozenGenerator) -> float:
    """By how much pixels differ at most with weights in half precision, over `JUDGED` latents.

    The layers are called one after another here, for other latents than they were followed with:
    where that is not what the generator does, it does more than to call them.
    """
    rough, changes = copy.deepcopy(chain).half().float(), []
    for latents in frozen.draw(JUDGED, seed=1).split(PART):
        images = frozen(latents)
        exact, rounded = (layers(latents).reshape(images.shape) for layers in (chain, rough))
        if not (images - exact).abs().max() <= SAME:
            raise ValueError(
                "generator: expected a forward that does the same with all latents, "
                "got one that does not"
            )
        changes.append((rounded - exact).abs().max().item())
    return max(changes)


def _format(facts: dict[str, Any]) -> str:
    """JSON with one line for each fact. It holds no text of a student's, so nothing to escape."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in facts.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _fill(template: str, fields: dict[str, str]) -> str:
    """The template with each `{{NAME}}` replaced; what it is replaced by is not looked at."""
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda found: fields[found[1]], template)
