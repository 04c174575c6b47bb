"""Training a GAN: the mathematics of one step, and the loop around it.

`AdversarialStep` holds the mathematics and can be read on one screen. `train` knows nothing of
it: it runs any step over any loader, keeps a `History`, and calls your callbacks.
`run_a_gan` puts the two together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .models import sample_noise
from .settings import set_seed
from .validation import need_choice, need_count, need_module

Augment = Callable[[Tensor], Tensor]
Penalty = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass
class History:
    """What a run leaves to look at: data only.

    The lists `step`, `d_loss`, `g_loss`, `d_real` (mean D(x)) and `d_fake` (mean D(G(z))) hold
    one entry per logged step. `samples` holds pairs (step, images from the fixed noise).
    `seconds` is the time from the first step to the last, callbacks included.
    """

    step: list[int] = field(default_factory=list)
    d_loss: list[float] = field(default_factory=list)
    g_loss: list[float] = field(default_factory=list)
    d_real: list[float] = field(default_factory=list)
    d_fake: list[float] = field(default_factory=list)
    samples: list[tuple[int, Tensor]] = field(default_factory=list)
    seconds: float = 0.0

    def log(self, step: int, scores: dict[str, Tensor]) -> None:
        """Keep one step's scalars: the only place where training waits for the device."""
        self.step.append(step)
        for name, value in scores.items():
            getattr(self, name).append(float(value))


class AdversarialStep:
    """One update of D, then one of G, on one batch of real images and one of fakes.

    Args:
        D, G: the two networks; D gives one score an image, G takes `(N, noise_size)`.
        D_solver, G_solver: their optimisers.
        discriminator_loss: called with D's scores of real images and of fakes.
        generator_loss: called with D's scores of fakes.
        noise_size: the length of a latent vector.
        noise: "uniform" or "normal".
        augment: a change made to real images and fakes alike before D sees them.
        penalty: called with (D, images, fakes); what it returns is added to D's loss.
        as_probability: what turns a score into D(x) in the history. `torch.sigmoid` for D on
            logits; `None` where D ends in a sigmoid of its own, or scores are no logits.

    Subclass it for labels or other games: `update_d` and `update_g` are the whole mathematics.
    """

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
    ) -> None:
        self.D, self.G = need_module(D, "D"), need_module(G, "G")
        self.D_solver, self.G_solver = (
            _need_solver(D_solver, D, "D"),
            _need_solver(G_solver, G, "G"),
        )
        self.discriminator_loss = _need_callable(discriminator_loss, "discriminator_loss")
        self.generator_loss = _need_callable(generator_loss, "generator_loss")
        self.noise_size = need_count(noise_size, "noise_size")
        self.noise = need_choice(noise, "noise", ("uniform", "normal"))
        self.augment = _need_callable(augment or _unchanged, "augment")
        self.penalty = _need_callable(penalty, "penalty") if penalty is not None else None
        self.as_probability = _need_callable(as_probability or _unchanged, "as_probability")

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Update both networks; the losses and mean scores, still on the device."""
        fakes = self.G(self.draw_noise(len(images)))  # one batch of fakes serves both updates
        scores = self.update_d(images, labels, fakes)
        return scores | self.update_g(images, labels, fakes)

    def update_d(self, images: Tensor, labels: Tensor, fakes: Tensor) -> dict[str, Tensor]:
        """Teach D to score real images "real" and fakes "fake"."""
        fakes = fakes.detach()  # D's lesson must not reach back into G
        real = self.D(self.augment(images))
        fake = self.D(self.augment(fakes))
        loss = self.discriminator_loss(real, fake)
        if self.penalty is not None:
            loss = loss + self.penalty(self.D, images, fakes)
        self.D_solver.zero_grad()
        loss.backward()
        self.D_solver.step()
        d_real, d_fake = (self.as_probability(s.detach()).mean() for s in (real, fake))
        return {"d_loss": loss.detach(), "d_real": d_real, "d_fake": d_fake}

    def update_g(self, images: Tensor, labels: Tensor, fakes: Tensor) -> dict[str, Tensor]:
        """Teach G to make fakes that D scores "real"; D itself is not changed."""
        loss = self.generator_loss(self.D(self.augment(fakes)))
        self.G_solver.zero_grad()  # D's gradients from this pass are cleared before D's next step
        loss.backward()
        self.G_solver.step()
        return {"g_loss": loss.detach()}

    def draw_noise(self, count: int) -> Tensor:
        """Latent vectors `(count, noise_size)` on G's device."""
        device = next(self.G.parameters()).device
        return sample_noise(count, self.noise_size, self.noise, device=device)

    @torch.no_grad()
    def sample(self, noise: Tensor) -> Tensor:
        """What G makes of `noise` when used (batch norm by its statistics), on the CPU."""
        was_training = self.G.training
        try:
            return self.G.eval()(noise).cpu()
        finally:
            self.G.train(was_training)


@dataclass
class Progress:
    """What a callback gets to see: where training stands, the step object, the history.

    `epoch` counts from 0, `step` says how many steps are done, out of `total_steps`.
    """

    epoch: int
    step: int
    total_steps: int
    game: AdversarialStep
    history: History


def train(
    step: AdversarialStep,
    loader: Iterable[tuple[Tensor, Tensor]],
    *,
    num_epochs: int,
    callbacks: Sequence[Callable[[Progress], None]] = (),
    show_every: int = 250,
    log_every: int = 50,
    seed: int | None = None,
) -> History:
    """Run `step` over every batch of `loader`, `num_epochs` times.

    Args:
        step: an `AdversarialStep`.
        loader: any iterable of (images, labels) with a length: `BatchLoader`, `DataLoader`, ...
        num_epochs: passes over the data.
        callbacks: each is called with a `Progress` at the start, every `show_every` steps and
            at the end.
        show_every: steps between samples from the fixed noise, and between callbacks.
        log_every: steps between entries of the history; the first and last step have one too.
        seed: seeds every random state first, if given.

    Raises:
        ValueError: the loader is empty, or a count is not positive.
        TypeError: the loader has no length or yields something else than pairs of tensors, a
            callback is not a function, `step` is not an `AdversarialStep`.
    """
    if not isinstance(step, AdversarialStep):
        raise TypeError(f"step: expected an AdversarialStep, got {type(step).__name__}")
    need_count(num_epochs, "num_epochs")
    need_count(show_every, "show_every")
    need_count(log_every, "log_every")
    if not isinstance(callbacks, Sequence):
        raise TypeError(f"callbacks: expected a list of functions, got {type(callbacks).__name__}")
    for callback in callbacks:
        _need_callable(callback, "callbacks")
    if not (hasattr(loader, "__len__") and hasattr(loader, "__iter__")):
        raise TypeError(f"loader: expected batches with a length, got {type(loader).__name__}")
    total = num_epochs * len(loader)
    if total == 0:
        raise ValueError("loader: expected at least one batch, got none")
    if seed is not None:
        set_seed(seed)
    device = next(step.G.parameters()).device
    history, fixed_noise = History(), step.draw_noise(25)
    done = 0

    def show(epoch: int) -> None:
        history.samples.append((done, step.sample(fixed_noise)))
        for callback in callbacks:
            callback(Progress(epoch, done, total, step, history))

    show(epoch=0)
    began = time.perf_counter()
    for epoch in range(num_epochs):
        for batch in loader:
            images, labels = _need_pair(batch)
            scores = step(images.to(device), labels.to(device))
            done += 1
            if done % log_every == 0 or done in (1, total):
                history.log(done, scores)
            if done % show_every == 0 or done == total:
                show(epoch)
    history.seconds = time.perf_counter() - began
    return history


def run_a_gan(
    D: nn.Module,
    G: nn.Module,
    D_solver: Optimizer,
    G_solver: Optimizer,
    discriminator_loss: Callable[[Tensor, Tensor], Tensor],
    generator_loss: Callable[[Tensor], Tensor],
    loader: Iterable[tuple[Tensor, Tensor]],
    *,
    num_epochs: int = 10,
    noise_size: int = 96,
    show_every: int = 250,
    **options: Any,
) -> History:
    """Train a pair: `AdversarialStep` and `train` under the familiar name.

    Every further keyword goes to the one of the two that knows it (`noise`, `augment`,
    `penalty`, `as_probability` to the step; the rest to `train`).
    """
    names = ("noise", "augment", "penalty", "as_probability")
    for_step = {name: options.pop(name) for name in names if name in options}
    step = AdversarialStep(
        D, G, D_solver, G_solver, discriminator_loss, generator_loss,
        noise_size=noise_size, **for_step,
    )  # fmt: skip
    return train(step, loader, num_epochs=num_epochs, show_every=show_every, **options)


def _unchanged(value: Tensor) -> Tensor:
    return value


def _need_pair(batch: Any) -> tuple[Tensor, Tensor]:
    if not isinstance(batch, (tuple, list)) or [isinstance(b, Tensor) for b in batch] != [True] * 2:
        raise TypeError(
            f"loader: expected pairs (images, labels) of tensors, got {type(batch).__name__}"
        )
    return batch[0], batch[1]


def _need_callable(value: Any, name: str) -> Callable:
    if not callable(value):
        raise TypeError(f"{name}: expected a function, got {type(value).__name__}: {value!r}")
    return value


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
