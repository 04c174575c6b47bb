"""Ways through latent space: lines, arcs, walks, and the directions that matter most."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..settings import fork_random
from ..validation import need_count, need_tensor
from .generator import FrozenGenerator, need_latents

SAMPLES = 2000  # latents from which directions are found
PARALLEL = 1e-4  # below this angle, in radians, an arc is a line to every digit that counts

ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus)


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Linear interpolation: latents `(N, dim)` from a (`dim`,) at t = 0 to b at t = 1; t `(N,)`."""
    a, b, t = _need_ends(a, b, t)
    return (1 - t) * a + t * b


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Spherical interpolation: the arc from a to b, `(N, dim)`; arguments as in `lerp`.

    On it the length goes evenly from that of a to that of b, where a straight line cuts through
    the sphere's inside. Parallel vectors have no arc between them and get the line. Source:
    Shoemake 1985, "Animating rotation with quaternion curves"; for latents White 2016 (arXiv
    1609.04468).

    Raises:
        ValueError: a vector of length 0, which has no direction, or shapes that do not fit.
    """
    a, b, t = _need_ends(a, b, t)
    for name, vector in (("a", a), ("b", b)):
        if vector.norm() == 0:
            raise ValueError(f"{name}: expected a vector with a direction, got length 0")
    angle = torch.acos(torch.dot(a / a.norm(), b / b.norm()).clamp(-1, 1))
    if torch.sin(angle) < PARALLEL:
        return (1 - t) * a + t * b
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


def travel(
    between: Callable[[Tensor, Tensor, Tensor], Tensor],
    a: Tensor,
    b: Tensor,
    t: Tensor,
    noise_dim: int,
) -> Tensor:
    """`lerp` or `slerp` of the noise; a label behind it goes over on a line."""
    noise = between(a[:noise_dim], b[:noise_dim], t)
    return torch.cat([noise, lerp(a[noise_dim:], b[noise_dim:], t)], dim=1)


def follow(stops: Tensor, frames: int, noise_dim: int) -> Tensor:
    """A path `(frames * (N - 1) + 1, dim)` through latents `(N, dim)`, on arcs.

    For uniform noise, too, though arcs may leave its cube: lesson 6 measures that the length
    matters more.
    """
    t = torch.arange(1, frames + 1) / frames
    legs = [travel(slerp, a, b, t, noise_dim) for a, b in pairwise(stops)]
    return torch.cat([stops[:1], *legs])


def principal_directions(
    generator: FrozenGenerator, count: int, samples: int = SAMPLES, seed: int = 0
) -> Tensor:
    """Orthonormal directions `(count, dim)` in latent space, the most effective first.

    Principal components of the generator's first activations over many latents, carried back to
    latent space by regression; then made orthogonal, so that each has a coordinate of its own.
    The first activations are the output of the first activation function, or of the first layer
    with weights where there is none. What a label does is left out: directions are of the noise.
    Source: Härkönen et al. 2020 (GANSpace, arXiv 2004.02546), section 2.2.

    Raises:
        ValueError: more directions than the noise has coordinates, or no layer to look at.
    """
    dim = generator.noise_dim
    if need_count(count, "count") > dim:
        raise ValueError(f"count: expected at most {dim}, the size of the noise, got {count}")
    latents = generator.draw(need_count(samples, "samples", minimum=2), seed)
    activations = _centre(first_activations(generator, latents), generator.classes)
    wanted = min(count, *activations.shape)
    with fork_random(seed=seed):  # the decomposition begins with a random guess
        guess = min(wanted + 10, *activations.shape)
        _, _, axes = torch.pca_lowrank(activations, q=guess, center=False)
    directions = (activations @ axes[:, :wanted]).T @ latents[:, :dim]
    # Few activations may have fewer components than asked for: the rest is filled up at random.
    with fork_random(seed=seed):
        filled = torch.cat([directions, torch.randn(count - wanted, dim)])
    return F.pad(_make_orthonormal(filled), (0, generator.classes))


def _centre(rows: Tensor, classes: int) -> Tensor:
    """Rows minus their mean, or minus that of their label, where each label comes in turn."""
    groups = max(1, classes)
    means = torch.stack([rows[label::groups].mean(dim=0) for label in range(groups)])
    return rows - means[torch.arange(len(rows)) % groups]


class _Enough(Exception):
    """Ends a forward pass with what was looked for."""


@torch.no_grad()
def first_activations(generator: FrozenGenerator, latents: Tensor) -> Tensor:
    """What the first activation function gives for each latent, `(N, features)`."""
    layers = [m for m in generator.network.modules() if isinstance(m, ACTIVATIONS)]
    weighted = [m for m in generator.network.modules() if hasattr(m, "weight")]
    if not layers + weighted:
        raise ValueError("generator: expected one with layers, got one without any")

    def stop(layer: nn.Module, given: tuple, output: Tensor) -> None:
        raise _Enough(output.flatten(1))  # what comes after it may take long

    hooks = [layer.register_forward_hook(stop) for layer in layers or weighted]
    try:
        return torch.cat([_run_to_the_first(generator, part) for part in latents.split(250)])
    finally:
        for hook in hooks:
            hook.remove()


def _run_to_the_first(generator: FrozenGenerator, latents: Tensor) -> Tensor:
    try:
        generator(latents)
    except _Enough as found:
        return found.args[0]
    raise ValueError("generator: expected one that calls its layers, got one that does not")


def _make_orthonormal(directions: Tensor) -> Tensor:
    """Gram and Schmidt's way, in order: the first stays what it is, but for its length."""
    q, r = torch.linalg.qr(directions.double().T)
    return (q * r.diagonal().sign()).T.float()


def _need_ends(a: Tensor, b: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    a = need_latents(a, "a")
    return a, need_latents(b, "b", len(a)), need_tensor(t, "t", shape=(None,)).cpu()[:, None]
