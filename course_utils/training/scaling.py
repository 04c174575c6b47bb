"""Loss scaling: what keeps small gradients alive in fp16.

The smallest number of fp16 is 6e-8, and gradients below it vanish. So each loss is multiplied by
a large factor before its backward pass, and the gradients are divided by it before the update.
Source: Micikevicius et al. 2018 (arXiv 1710.03740), section 3.2.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

State = dict[str, dict[str, Any]]  # by solver: torch's state of its scaler


class LossScaling:
    """Torch's scaler for each of two solvers: D's gradients and G's differ in size.

    A scaler finds its factor by itself: an update whose gradients overflowed is left out and the
    factor halved; after 2,000 good ones it is doubled.

    Args:
        D_solver, G_solver: the solvers.
        device_type: "cuda" or "cpu".
        saved: what `state_dict` gave in an earlier part of the run.
    """

    def __init__(
        self, D_solver: Optimizer, G_solver: Optimizer, device_type: str, saved: State | None = None
    ) -> None:
        self.scalers = {"D": GradScaler(device_type), "G": GradScaler(device_type)}
        self._by_solver = {id(D_solver): self.scalers["D"], id(G_solver): self.scalers["G"]}
        for solver in (D_solver, G_solver):
            if all(group.get("fused") for group in solver.param_groups):
                # as torch's Adam sets it when it is made fused: the kernel divides, and skips an
                # update that overflowed, without asking the device; so a graph can hold it
                solver._step_supports_amp_scaling = True
        for name, state in (saved or {}).items():
            self.scalers[name].load_state_dict(state)

    def descend(self, solver: Optimizer, loss: Tensor) -> None:
        """One update of `solver` down the gradient of `loss`."""
        scaler = self._by_solver[id(solver)]
        solver.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(solver)
        scaler.update()

    def state_dict(self) -> State:
        """Both factors, and how long each has been good."""
        return {name: scaler.state_dict() for name, scaler in self.scalers.items()}
