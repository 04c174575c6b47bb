"""Layers as people bring them: a weight may be computed from others, or have no shape yet.

Spectral norm, weight norm and their kin compute a layer's weight anew at each look. What one
writes into the computed one is lost, and torch refuses to copy it: these two ways do not fail.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from .validation import need_module

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
HOOKS = (SpectralNorm, WeightNorm, BasePruningMethod)  # torch's older way to compute a weight
CATCH_UP = 15  # power iterations for a weight that is new, as torch's own first estimate has


def need_shapes(value: Any, name: str) -> nn.Module:
    """A network whose parameters have their shapes: lazy layers get theirs with a first batch."""
    for layer in need_module(value, name).modules():
        if any(map(is_lazy, layer.parameters(recurse=False))):
            raise ValueError(
                f"{name}: expected layers that know their shapes, got a {type(layer).__name__} "
                "that has seen no batch; first run the network on one, network(batch)"
            )
    return value


def fill(layer: nn.Module, name: str, draw: Callable[[Tensor], Any]) -> None:
    """Let `draw` fill a layer's parameter in place, or what the layer computes it from.

    - Spectral norm gets the values before its division, and an estimate that belongs to them.
    - Weight norm gets the direction and the length of the values.
    - `orthogonal` gets the orthogonal matrix that QR makes of the values.
    - A parametrization without a way back has its original drawn.

    Raises:
        ValueError: a lazy layer that has seen no batch, or a weight that comes from elsewhere.
    """
    need_shapes(layer, "module")
    if parametrize.is_parametrized(layer, name):
        _fill_parametrized(layer, name, draw)
    elif isinstance(getattr(layer, name), nn.Parameter):
        draw(getattr(layer, name))
    else:
        _fill_hooked(layer, name, draw)


@torch.no_grad()
def _fill_parametrized(layer: nn.Module, name: str, draw: Callable[[Tensor], Any]) -> None:
    chain = layer.parametrizations[name]
    value = torch.empty_like(getattr(layer, name))
    draw(value)
    try:
        setattr(layer, name, value)
    except RuntimeError:  # torch's word for a parametrization without a way back
        if not hasattr(chain, "original"):
            raise
        draw(chain.original)
    with _in_training(chain):
        for _ in range(CATCH_UP):  # each look brings the estimate of spectral norm one step nearer
            getattr(layer, name)


@torch.no_grad()
def _fill_hooked(layer: nn.Module, name: str, draw: Callable[[Tensor], Any]) -> None:
    hooks = [hook for hook in layer._forward_pre_hooks.values() if isinstance(hook, HOOKS)]
    if not hooks:
        raise ValueError(
            f"module: expected a layer whose {name} is a parameter, got a {type(layer).__name__} "
            "that computes it; fill what it is computed from"
        )
    if hasattr(layer, f"{name}_g"):
        direction, length = (getattr(layer, f"{name}_{part}") for part in "vg")
        draw(direction)
        dim = next(hook.dim for hook in hooks if isinstance(hook, WeightNorm))
        length.copy_(torch.norm_except_dim(direction, 2, dim))
    else:
        draw(getattr(layer, f"{name}_orig"))
    with _in_training(layer):
        for hook in hooks * CATCH_UP:
            hook(layer, ())


@contextmanager
def _in_training(module: nn.Module) -> Iterator[None]:
    mode = module.training
    module.train()
    try:
        yield
    finally:
        module.train(mode)


def copy_network(network: nn.Module) -> nn.Module:
    """A deep copy, though a layer may hold a tensor that was computed and still has its graph.

    The older weight norm and spectral norm keep such a one as `weight`, and so does a forward
    pass that notes `self.features = h`; `copy.deepcopy` refuses those. The copy gets the values.
    """
    values = {id(t): t.detach().clone() for m in network.modules() for t in _find_computed(m)}
    return copy.deepcopy(network, values)


def _find_computed(module: nn.Module) -> Iterator[Tensor]:
    """The tensors with a graph among a module's attributes, and in the lists and dicts there."""
    ahead, seen = [vars(module)], set()
    while ahead:
        value = ahead.pop()
        if isinstance(value, Tensor):
            if not value.is_leaf:
                yield value
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            seen.add(id(value))
            ahead.extend(value.values() if isinstance(value, dict) else value)
