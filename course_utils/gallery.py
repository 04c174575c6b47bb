"""Runs that go well and runs that fail in known ways, each from a seed.

Lesson 5 shows five of them (`CASES`) as riddles; `verdicts.py` plays many more of the kind, to
measure how often `diagnose` is right. What a run differs in is its `Setup`; all else is as in
lesson 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .data import BatchLoader, load_mnist
from .losses import (
    discriminator_loss,
    generator_loss,
    get_optimizer,
    ls_discriminator_loss,
    ls_generator_loss,
)
from .models import (
    LEAK,
    STEEP_LEAK,
    Latent,
    ToImage,
    build_discriminator,
    build_leaky_generator,
)
from .settings import get_device, set_seed
from .training import AdversarialStep, History, Progress, end_stopped_cell, train
from .validation import need_bool, need_choice, need_count

NOISE = 96
BATCH = 64
LOG_EVERY, SHOW_EVERY = 10, 100


class InBlocks(AdversarialStep):
    """The players do not take turns step by step: 50 steps only D learns, then 50 only G.

    D's very first turn is one step shorter.
    """

    done = 0

    def update_d(self, images: Tensor, labels: Tensor, fakes: Tensor) -> dict[str, Tensor]:
        self.done += 1
        if self.done // 50 % 2 == 0:
            return super().update_d(images, labels, fakes)
        with torch.no_grad():
            real, fake = self.D(images), self.D(fakes.detach())
            loss = self.discriminator_loss(real, fake)
        d_real, d_fake = (self.as_probability(scores).mean() for scores in (real, fake))
        return {"d_loss": loss, "d_real": d_real, "d_fake": d_fake}

    def update_g(self, images: Tensor, labels: Tensor, fakes: Tensor) -> dict[str, Tensor]:
        if self.done // 50 % 2 == 1:
            return super().update_g(images, labels, fakes)
        return {"g_loss": self.generator_loss(self.D(fakes.detach())).detach()}


def saturating_loss(logits_fake: Tensor) -> Tensor:
    """The mean of log(1 - D(G(z))), which G makes small: flat where D is sure."""
    return -F.softplus(logits_fake).mean()


LEAST_SQUARES = {"losses": (ls_discriminator_loss, ls_generator_loss), "as_probability": None}


def build_norm_discriminator() -> nn.Sequential:
    """The MLP discriminator with batch norm after its hidden layers: digits in, logits out."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.BatchNorm1d(256),
        nn.LeakyReLU(LEAK),
        nn.Linear(256, 256),
        nn.BatchNorm1d(256),
        nn.LeakyReLU(LEAK),
        nn.Linear(256, 1),
    )


def build_shallow_discriminator() -> nn.Sequential:
    """A small D of two strided convolutions: digits in, logits out. 36,129 parameters."""
    return nn.Sequential(
        ToImage(),
        nn.Conv2d(1, 32, kernel_size=4, stride=2, padding=1),
        nn.LeakyReLU(STEEP_LEAK),
        nn.Conv2d(32, 64, kernel_size=4, stride=2, padding=1),
        nn.LeakyReLU(STEEP_LEAK),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 1),
    )


def build_shallow_generator(noise_dim: int) -> nn.Sequential:
    """A small G of two transposed convolutions with batch norm: noise in, digits out."""
    return nn.Sequential(
        Latent(noise_dim),
        nn.Linear(noise_dim, 64 * 7 * 7, bias=False),
        nn.BatchNorm1d(64 * 7 * 7),
        nn.ReLU(),
        nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 32, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 1, kernel_size=4, stride=2, padding=1),
        nn.Tanh(),
    )


@dataclass(frozen=True)
class Setup:
    """One way to train.

    Attributes:
        what: in words, what it differs in.
        lr: learning rates of D and of G.
        momentum: SGD with it, in place of Adam.
        losses: of D and of G.
        as_probability: what turns a score into D(x); None where it is none.
        step: what the two updates are.
        build_D: another discriminator than the pair's own.
        one_pass: whether D sees real images and fakes in one batch; None: as is the same.
        steps: fewer than the others have.
    """

    what: str
    lr: tuple[float, float] = (1e-3, 1e-3)
    momentum: float | None = None
    losses: tuple[Callable, Callable] = (discriminator_loss, generator_loss)
    as_probability: Callable | None = torch.sigmoid
    step: type[AdversarialStep] = AdversarialStep
    build_D: Callable[[], nn.Module] | None = None
    one_pass: bool | None = None
    steps: int | None = None


HEALTHY = Setup("the settings of lesson 1")


@dataclass(frozen=True)
class Case:
    """A riddle of lesson 5: a run, the name of its cause, and what mends it."""

    cause: str
    setup: Setup
    fix: Setup


CASES = {
    1: Case("D too strong", Setup("learning rates: D 1e-3, G 1e-6", lr=(1e-3, 1e-6)), HEALTHY),
    2: Case("healthy", HEALTHY, HEALTHY),
    3: Case("learning rate too high", Setup("learning rates: both 1e-2", lr=(1e-2, 1e-2)), HEALTHY),
    4: Case("collapsed", Setup("learning rates: D 5e-5, G 1e-3", lr=(5e-5, 1e-3)), HEALTHY),
    5: Case(
        "mixed batches",
        Setup(
            "D has batch norm and sees real images and fakes in one batch",
            build_D=build_norm_discriminator,
            one_pass=True,
        ),
        Setup(
            "D has batch norm and sees real images and fakes apart",
            build_D=build_norm_discriminator,
            one_pass=False,
        ),
    ),
}


@dataclass(frozen=True)
class Pair:
    """Two networks for digits."""

    build_D: Callable[[], nn.Module]
    build_G: Callable[[int], nn.Module]


PAIRS = {
    "MLP": Pair(build_discriminator, build_leaky_generator),
    "DCGAN": Pair(build_shallow_discriminator, build_shallow_generator),
}


def play_case(
    number: int,
    steps: int,
    *,
    fixed: bool = False,
    seed: int = 0,
    callbacks: Sequence[Callable[[Progress], None]] = (),
) -> History:
    """Train one of the riddles of lesson 5, or its mended version, for `steps` steps.

    A bar shows how far it is.
    """
    if number not in CASES:
        raise ValueError(f"number: expected one of {', '.join(map(str, CASES))}; got {number!r}")
    case = CASES[number]
    setup = case.fix if need_bool(fixed, "fixed") else case.setup
    name = f"run {number}, mended" if fixed else f"run {number}"
    return play(setup, steps, seed=seed, callbacks=callbacks, progress=name)


def play(
    setup: Setup,
    steps: int,
    *,
    pair: str = "MLP",
    seed: int = 0,
    callbacks: Sequence[Callable[[Progress], None]] = (),
    progress: bool | str = False,
) -> History:
    """Train a pair ("MLP" or "DCGAN") in one way, from one seed, on batches of 64 digits.

    `progress` shows a bar, as in `train`.

    The stop button ends a run, whose history then says so, and with it the notebook cell: a
    further call in the same cell raises `Stopped`.
    """
    end_stopped_cell()  # now, not after the digits are loaded
    networks = PAIRS[need_choice(pair, "pair", PAIRS)]
    steps = setup.steps or need_count(steps, "steps")
    device = get_device()
    set_seed(need_count(seed, "seed", minimum=0))
    D, G = (setup.build_D or networks.build_D)().to(device), networks.build_G(NOISE).to(device)
    step = setup.step(
        D, G, *_build_solvers(setup, D, G), *setup.losses,
        noise_size=NOISE, as_probability=setup.as_probability, one_pass=setup.one_pass,
    )  # fmt: skip
    digits = load_mnist(limit=steps * BATCH)
    epochs = -(-steps * BATCH // len(digits))  # fewer digits than asked for come up again
    if epochs > 1:  # parts of one length, so that at most a few steps are too many
        digits = load_mnist(limit=-(-steps // epochs) * BATCH)
    loader = BatchLoader(digits, BATCH, device, drop_last=True, seed=seed)
    return train(
        step,
        loader,
        num_epochs=-(-steps // len(loader)),
        show_every=SHOW_EVERY,
        log_every=LOG_EVERY,
        seed=seed,
        callbacks=callbacks,
        progress=progress,
    )


def _build_solvers(setup: Setup, *networks: nn.Module) -> list[torch.optim.Optimizer]:
    if setup.momentum is None:
        return [get_optimizer(network, lr) for network, lr in zip(networks, setup.lr)]
    return [
        torch.optim.SGD(network.parameters(), lr, momentum=setup.momentum)
        for network, lr in zip(networks, setup.lr)
    ]
