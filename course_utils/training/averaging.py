"""The averaged generator: calmer than any single one of the steps it looks back on."""

from __future__ import annotations

import torch
from torch import nn

from ..layers import copy_network, need_shapes


class Average:
    """average ← decay · average + (1 − decay) · network, after each step; buffers are copied.

    Source: Yazıcı et al. 2018, "The unusual effectiveness of averaging in GAN training"
    (arXiv 1806.04498), equation 3.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.source, self.decay = network, decay
        self.network = copy_network(need_shapes(network, "G")).requires_grad_(False)

    @torch.no_grad()
    def update(self) -> None:
        means, values = (list(n.parameters()) for n in (self.network, self.source))
        # one call for all: a loop would start a small kernel for each tensor of each step
        torch._foreach_lerp_(means, values, 1 - self.decay)
        for mean, value in zip(self.network.buffers(), self.source.buffers()):
            mean.copy_(value)
