"""The mathematics of a GAN's training: one update of D, then one of G. It fits on a screen.

Speed and safety are not here: see `speed.py` and `loop.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..data.augment import Augment
from ..models import sample_noise
from ..validation import (
    need_bool,
    need_choice,
    need_count,
    need_function,
    need_module,
    trusted,
)

if TYPE_CHECKING:
    from .scaling import LossScaling

Penalty = Callable[[nn.Module, Tensor, Tensor], Tensor]


class AdversarialStep:
    """One update of D, then one of G, on one batch of real images and one of fakes.

    Args:
        D, G: the two networks; D gives one score an image, G takes `(N, noise_size)`.
        D_solver, G_solver: their optimisers.
        discriminator_loss: called with D's scores of real images and of fakes.
        generator_loss: called with D's scores of fakes.
        noise_size: the length of a latent vector.
        noise: "uniform" or "normal".
        augment: `augment(images, generator)`, a change made to real images and fakes alike
            before D sees them; the same form as in `BatchLoader`.
        penalty: called with (D, images, fakes); what it returns is added to D's loss.
        as_probability: what turns a score into D(x) in the history. `torch.sigmoid` for D on
            logits; `None` where D ends in a sigmoid of its own, or scores are no logits.
        fresh_fakes: new fakes for G's update, as some classic scripts do, at the cost of a
            second pass of G; otherwise one batch serves both updates.
        one_pass: D sees real images and fakes in one batch. None lets `train` decide: it is the
            same mathematics only where no layer of D looks at the batch, as batch norm does.
        freeze: D collects no gradients while G trains; they would be thrown away.

    Subclass it for labels or other games: `update_d` and `update_g` are the whole mathematics;
    let them end in `descend`, where fp16 scales the loss. What a step returns are scalars by
    name; names that `History` has no list for go to `extra`.
    `classes` is how many labels G can be told, one-hot behind the noise (`ConditionalStep`).
    """

    classes = 0

    def __init__(
        self,
        D: nn.Module,
        G: nn.Module,
        D_solver: Optimizer,
        G_solver: Optimizer,
        discriminator_loss: Callable[[Tensor, Tensor], Tensor],
        generator_loss: Callable[[Tensor], Tensor],
        *,
        noise_size: int,
        noise: str = "uniform",
        augment: Augment | None = None,
        penalty: Penalty | None = None,
        as_probability: Callable[[Tensor], Tensor] | None = torch.sigmoid,
        fresh_fakes: bool = False,
        one_pass: bool | None = None,
        freeze: bool = True,
    ) -> None:
        self.D, self.G = need_module(D, "D"), need_module(G, "G")
        self.D_solver = _need_solver(D_solver, D, "D")
        self.G_solver = _need_solver(G_solver, G, "G")
        self.discriminator_loss = need_function(discriminator_loss, "discriminator_loss")
        self.generator_loss = need_function(generator_loss, "generator_loss")
        self.noise_size = need_count(noise_size, "noise_size")
        self.noise = need_choice(noise, "noise", ("uniform", "normal"))
        self.augment = need_function(augment or _unchanged, "augment")
        self.penalty = need_function(penalty, "penalty") if penalty is not None else None
        self.as_probability = need_function(as_probability or torch.clone, "as_probability")
        self.fresh_fakes = need_bool(fresh_fakes, "fresh_fakes")
        self.one_pass = one_pass if one_pass is None else need_bool(one_pass, "one_pass")
        self.freeze = need_bool(freeze, "freeze")
        self.averaged: nn.Module | None = None  # `train(ema=...)` puts the averaged G here
        self.scaling: LossScaling | None = None  # where `train` computes in fp16
        self.seed_noise()

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Update both networks; the losses and mean scores, still on the device."""
        fakes = self.G(self.draw_noise(len(images)))  # one batch of fakes serves both updates
        scores = self.update_d(images, labels, fakes)
        if self.fresh_fakes:
            fakes = self.G(self.draw_noise(len(images)))
        return scores | self.update_g(images, labels, fakes)

    def update_d(self, images: Tensor, labels: Tensor, fakes: Tensor) -> dict[str, Tensor]:
        """Teach D to score real images "real" and fakes "fake"."""
        fakes = fakes.detach()  # D's lesson must not reach back into G
        real, fake = self.score_both(images, labels, fakes)
        loss = self.discriminator_loss(real, fake)
        if self.penalty is not None:
            loss = loss + self.penalty(self.D, images, fakes)
        self.descend(self.D_solver, loss)
        d_real, d_fake = (self.as_probability(s.detach()).mean() for s in (real, fake))
        return {"d_loss": loss.detach(), "d_real": d_real, "d_fake": d_fake}

    def update_g(self, images: Tensor, labels: Tensor, fakes: Tensor) -> dict[str, Tensor]:
        """Teach G to make fakes that D scores "real"; D only judges, and is not changed."""
        with frozen(self.D, self.freeze):
            loss = self.generator_loss(self.score(fakes, labels))
        self.descend(self.G_solver, loss)
        return {"g_loss": loss.detach()}

    def descend(self, solver: Optimizer, loss: Tensor) -> None:
        """One update of a solver's network down the gradient of `loss`."""
        solver.zero_grad()
        loss.backward()
        solver.step()

    def score_both(self, images: Tensor, labels: Tensor, fakes: Tensor) -> tuple[Tensor, Tensor]:
        """D's scores of real images and of fakes, in one pass where that is the same."""
        if self.one_pass and images.shape == fakes.shape:
            both = [self.augment(batch, self.generator) for batch in (images, fakes)]
            real, fake = self.D(torch.cat(both)).split(len(images))
            return real, fake
        return self.score(images, labels), self.score(fakes, labels)

    def score(self, images: Tensor, labels: Tensor) -> Tensor:
        """D's scores of images, after the augmentation; this game asks for no labels."""
        return self.D(self.augment(images, self.generator))

    def draw_noise(self, count: int) -> Tensor:
        """Latent vectors `(count, noise_size)` on G's device."""
        if self.generator.device != self.device:  # the networks have been moved since
            self.seed_noise()
        noise = sample_noise(count, self.noise_size, self.noise, self.device, self.generator)
        return noise.to(next(self.G.parameters()).dtype)

    def seed_noise(self) -> None:
        """Give the noise a generator of its own, seeded from torch's global random state."""
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(int(torch.randint(2**31, ())))

    @torch.no_grad()
    def sample(self, noise: Tensor) -> Tensor:
        """What G, or its average, makes of `noise` when used (batch norm by its statistics).

        NaN of a G that has broken down is handed out as it is.
        """
        network = self.G if self.averaged is None else self.averaged
        with modes_kept(network), trusted():
            return network.eval()(noise).cpu()

    @property
    def device(self) -> torch.device:
        return next(self.G.parameters()).device

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of both solvers, D's first."""
        return self.D_solver.param_groups + self.G_solver.param_groups

    @property
    def has_own_updates(self) -> bool:
        """Whether a subclass updates a network in its own way."""
        return self.overrides("update_d", "update_g", "descend")

    def overrides(self, *names: str) -> bool:
        """Whether a subclass has put something of its own in the place of one of these methods."""
        return any(getattr(type(self), n) is not getattr(AdversarialStep, n) for n in names)


@contextmanager
def frozen(network: nn.Module, freeze: bool = True) -> Iterator[None]:
    """Inside, gradients flow through `network` and it collects none itself."""
    learning = [p for p in network.parameters() if p.requires_grad] if freeze else []
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


@contextmanager
def modes_kept(*networks: nn.Module) -> Iterator[None]:
    """Afterwards every layer is in the mode (training or not) that it was in before."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _unchanged(images: Tensor, generator: torch.Generator) -> Tensor:
    return images


def _need_solver(solver: Any, network: nn.Module, name: str) -> Optimizer:
    """An optimiser that really holds the network's parameters: mixing the two up is common."""
    if not isinstance(solver, Optimizer):
        raise TypeError(f"{name}_solver: expected an optimiser, got {type(solver).__name__}")
    held = {id(p) for group in solver.param_groups for p in group["params"]}
    if not any(id(p) in held for p in network.parameters()):
        raise ValueError(
            f"{name}_solver: expected an optimiser of {name}'s parameters, got another's"
        )
    return solver
