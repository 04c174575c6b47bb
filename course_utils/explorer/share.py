"""A generator as one HTML file that runs it in its reader's browser, without a network.

The file is `page.html`, filled with the operations that the generator does (`graph.py`) and with
its weights in half precision.
"""

from __future__ import annotations

import base64
import copy
import json
import math
import re
from html import escape
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..checkpoints import write_atomically
from ..models import unflatten_digits
from ..validation import need_count, need_file
from .generator import FrozenGenerator
from .graph import Graph
from .latent import principal_directions

TEMPLATE = Path(__file__).parent / "page.html"
TITLE = "A GAN in a file"
JUDGED = 64  # latents on which the operations are compared with the generator
PART = 16  # of them at a time: pictures may be large
SAME = 1e-4  # so much may pixels of one latent alone differ from those in a batch


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
            or digits `(N, 784)`, in [-1, 1]. It may be written as you like: layers and functions,
            skip connections, convolutions of any kind, batch, instance, group and layer norm,
            upsampling, pixel shuffle, the usual activations, arithmetic. It is shared as in eval
            mode. A generator of coordinates draws in its own size: `G.at(112)` gives a sharper
            page, and one whose pictures take longer.
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
        TypeError, ValueError: anything else; an operation that the page cannot compute, named with
            its module and line of code; a `forward` that does something else for other latents, or
            that mixes the pictures of a batch; weights that are not finite in half precision.
        OSError: the file could not be written.
    """
    path, title = need_file(path, "path", ".html"), _need_title(title)
    count = need_count(n_sliders, "n_sliders")
    frozen = FrozenGenerator(generator, noise_dim, noise, classes)
    _bake(frozen.network)
    rough = _halve(frozen)
    change = _measure_rounding(frozen, rough)
    graph = Graph(rough, frozen.draw(1, seed=0))
    _need_the_same_for_all(graph, frozen, rough)
    fields = {
        "TITLE": escape(title),
        "COUNT": f"{sum(part.numel() for part in rough.parameters()):,}",
        "FACTS": _format(_describe(frozen, graph, min(count, frozen.noise_dim))),
        "WEIGHTS": base64.b64encode(_pack(graph, _halves(graph))).decode(),
    }
    page = _fill(TEMPLATE.read_text(encoding="utf-8"), fields).encode()
    write_atomically(path, page)
    print(f"{path}: {len(page) / 1e6:.2f} MB; {_describe_rounding(change)}")
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


# The network ---------------------------------------------------------------------------------


@torch.no_grad()
def _bake(network: nn.Module) -> None:
    """Weights that are computed from others, as with spectral norm, become what they are now."""
    for layer in list(network.modules()):
        if parametrize.is_parametrized(layer):
            for name in list(layer.parametrizations):
                parametrize.remove_parametrizations(layer, name)


def _halve(frozen: FrozenGenerator) -> nn.Module:
    """The network with the weights that half precision leaves."""
    rough = copy.deepcopy(frozen.network)
    for name, layer in rough.named_modules():
        for tensor in (*layer.parameters(recurse=False), *layer.buffers(recurse=False)):
            if not tensor.is_floating_point():
                continue
            half = tensor.detach().half()
            lost = tensor[~torch.isfinite(half)]
            if len(lost):
                raise ValueError(
                    f"generator: expected weights up to {torch.finfo(torch.half).max:,.0f}, which "
                    f"half precision can hold; got {lost[0].item():.4g} in "
                    f"{name or 'itself'!r} ({type(layer).__name__})"
                )
            tensor.data = half.float()
    return rough


@torch.no_grad()
def _measure_rounding(frozen: FrozenGenerator, rough: nn.Module) -> float:
    """By how much pixels differ at most with weights in half precision, over `JUDGED` latents."""
    changes = [
        (frozen(part) - unflatten_digits(rough(part))).abs().max().item()
        for part in frozen.draw(JUDGED, seed=1).split(PART)
    ]
    return max(changes)


def _describe_rounding(change: float) -> str:
    if change == 0:
        return "half precision changes no pixel"
    return f"half precision changes pixels, which are in [-1, 1], by at most {change:.2g}"


@torch.no_grad()
def _need_the_same_for_all(graph: Graph, frozen: FrozenGenerator, rough: nn.Module) -> None:
    """Other latents take the same steps, and a picture does not depend on the rest of its batch."""
    latents = frozen.draw(JUDGED, seed=1)
    together = torch.cat([rough(part) for part in latents.split(PART)])
    for latent, picture in list(zip(latents, together))[:: JUDGED // 8]:
        alone = rough(latent[None])[0]
        if not (alone - picture).abs().max() <= SAME:
            raise ValueError(
                "generator: expected a forward that does the same with one latent as with many, "
                "got one that does not"
            )
        other = Graph(rough, latent[None])
        if other.steps != graph.steps or not _have_equal_constants(other, graph):
            raise ValueError(
                "generator: expected a forward that does the same with all latents, "
                "got one that does not"
            )


def _have_equal_constants(one: Graph, other: Graph) -> bool:
    return one.constants.keys() == other.constants.keys() and all(
        torch.equal(value, other.constants[number]) for number, value in one.constants.items()
    )


# What the file holds -------------------------------------------------------------------------


def _describe(frozen: FrozenGenerator, graph: Graph, sliders: int) -> dict[str, Any]:
    """All that the page needs to know besides the weights."""
    halves = _halves(graph)
    return {
        "dim": frozen.dim,
        "classes": frozen.classes,
        "kind": frozen.kind,
        "deviation": frozen.deviation,
        "reach": frozen.reach,
        "image": list(frozen.shape),
        "start": _round(frozen.draw(1, seed=0)[0]),
        "directions": [_round(row) for row in principal_directions(frozen, sliders)],
        "sizes": [math.prod(shape) for shape in graph.shapes],
        "constants": [[number, int(number in halves)] for number in graph.constants],
        "steps": graph.steps,
        "output": graph.output,
    }


def _halves(graph: Graph) -> set[int]:
    """The constants that half precision holds exactly, as it does all weights."""
    return {
        number
        for number, value in graph.constants.items()
        if torch.equal(value.half().float(), value)
    }


def _round(vector: Tensor) -> list[float]:
    return [round(value, 4) for value in vector.tolist()]


def _pack(graph: Graph, halves: set[int]) -> bytes:
    """All constants, one after another: two bytes a number where those are enough, else four."""
    return b"".join(
        value.numpy().astype("<f2" if number in halves else "<f4").tobytes()
        for number, value in graph.constants.items()
    )


def _format(facts: dict[str, Any]) -> str:
    """JSON with one line for each fact. It holds no text of a student's, so nothing to escape."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in facts.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _fill(template: str, fields: dict[str, str]) -> str:
    """The template with each `{{NAME}}` replaced; what it is replaced by is not looked at."""
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda found: fields[found[1]], template)
