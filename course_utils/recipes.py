"""One named configuration each: data, networks, losses, optimiser, noise. They train headless.

python -m course_utils train dcgan --profile cpu --out runs/dcgan
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .checkpoints import write_atomically
from .data import BatchLoader, ImageSet, load_mnist
from .diagnosis import diagnose
from .losses import (
    discriminator_loss,
    generator_loss,
    get_optimizer,
    ls_discriminator_loss,
    ls_generator_loss,
    probability_discriminator_loss,
    probability_generator_loss,
)
from .metrics import Report, get_reference, judge_samples
from .metrics.features import choose_judge
from .models import (
    build_dc_classifier,
    build_dc_generator,
    build_discriminator,
    build_generator,
    build_leaky_generator,
    build_sigmoid_discriminator,
    initialize_weights,
    sample_noise,
)
from .settings import PROFILES, fork_random, get_device, get_profile, set_seed
from .training import AdversarialStep, History, train
from .validation import need_choice, need_count

SHORT = 1280  # images of the short profile: every line runs, nothing is learned
SHOWN = 64  # samples in the picture at the end
JUDGED = {"short": 2_000, "cpu": 10_000, "gpu": 10_000}  # samples that are judged at the end
PART = 250  # of them at a time


@dataclass(frozen=True)
class Recipe:
    """Everything that defines a training, but for the machine.

    `epochs` are for the profiles "cpu" and "gpu". `as_probability` turns a score into D(x);
    None where D gives it itself, or where scores are no logits. `prepare` is applied to every
    layer of both networks before training. `augment` changes the training images; samples are
    then judged against real images changed alike.
    """

    summary: str
    load: Callable[..., ImageSet]
    build_D: Callable[[], nn.Module]
    build_G: Callable[[int], nn.Module]
    discriminator_loss: Callable[[Tensor, Tensor], Tensor]
    generator_loss: Callable[[Tensor], Tensor]
    epochs: tuple[int, int]
    batch_size: int = 128
    lr: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.999)
    noise_size: int = 96
    noise: str = "uniform"
    as_probability: Callable[[Tensor], Tensor] | None = torch.sigmoid
    prepare: Callable[[nn.Module], None] | None = None
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None

    def build(self, limit: int | None = None) -> tuple[AdversarialStep, BatchLoader]:
        """The step with new networks, and the loader, on this machine's device."""
        device = get_device()
        D, G = self.build_D().to(device), self.build_G(self.noise_size).to(device)
        if self.prepare is not None:
            D.apply(self.prepare)
            G.apply(self.prepare)
        solvers = [get_optimizer(network, self.lr, self.betas) for network in (D, G)]
        step = AdversarialStep(
            D, G, *solvers, self.discriminator_loss, self.generator_loss,
            noise_size=self.noise_size, noise=self.noise, as_probability=self.as_probability,
        )  # fmt: skip
        images = self.load(limit=limit)
        return step, BatchLoader(images, self.batch_size, device, self.augment, drop_last=True)


_MLP = {"load": load_mnist, "build_D": build_discriminator, "build_G": build_generator}
_LOGITS = {"discriminator_loss": discriminator_loss, "generator_loss": generator_loss}
_LEAST_SQUARES = {
    "discriminator_loss": ls_discriminator_loss,
    "generator_loss": ls_generator_loss,
    "as_probability": None,
}

RECIPES = {
    "mlp_sigmoid": Recipe(
        "MLPs with LeakyReLU; D ends in a sigmoid, nn.BCELoss",
        load_mnist,
        build_sigmoid_discriminator,
        build_leaky_generator,
        probability_discriminator_loss,
        probability_generator_loss,
        epochs=(10, 100),
        lr=2e-4,
        noise="normal",
        as_probability=None,
    ),
    "mlp_logits": Recipe("MLPs on logits", **_MLP, **_LOGITS, epochs=(10, 100)),
    "mlp_ls": Recipe("the same MLPs, least squares", **_MLP, **_LEAST_SQUARES, epochs=(10, 100)),
    "dcgan": Recipe(
        "convolutions with max pooling against batch norm, on logits",
        load_mnist,
        build_dc_classifier,
        build_dc_generator,
        **_LOGITS,
        epochs=(3, 30),
        prepare=initialize_weights,
    ),
}


def get_recipe(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        ValueError: there is none of that name; the message lists those that there are.
    """
    return RECIPES[need_choice(name, "recipe", RECIPES)]


def train_recipe(
    name: str,
    out: str | Path,
    *,
    profile: str | None = None,
    epochs: int | None = None,
    fresh: bool = False,
    seed: int = 0,
) -> History:
    """Train a recipe into the folder `out`; the same call again goes on where it stopped.

    Leaves checkpoints, `history.csv`, `settings.json`, `samples.png` and `quality.txt`, and prints
    what the last one holds: the verdict on the run, and how near its samples are to real images.

    Args:
        name: one of `RECIPES`.
        out: the run's folder.
        profile: "short", "cpu" or "gpu": how long; by default the machine's own.
        epochs: how long, in passes over the data, whatever the profile says.
        fresh: start over, whatever was saved there.
        seed: decides networks, noise and order.

    Raises:
        ValueError: an unknown recipe or profile, or `out` holds a run with other settings.
    """
    recipe = get_recipe(name)
    profile = need_choice(profile or get_profile(), "profile", PROFILES)
    by_profile = dict(zip(PROFILES, (1, *recipe.epochs), strict=True))
    count = by_profile[profile] if epochs is None else need_count(epochs, "epochs")
    print(f"{name}: {recipe.summary}")
    set_seed(seed)
    step, loader = recipe.build(limit=SHORT if profile == "short" else None)
    history = train(
        step,
        loader,
        num_epochs=count,
        checkpoint=Path(out),
        fresh=fresh,
        seed=seed,
        progress=True,
    )
    save_samples(step, Path(out) / "samples.png")
    if history.stopped == "interrupted":
        return history  # whoever presses Ctrl-C wants to get away
    quality = f"{diagnose(history)}\n{judge_recipe(recipe, step, JUDGED[profile])}\n"
    write_atomically(Path(out) / "quality.txt", quality.encode())
    print(quality, end="")
    return history


def judge_recipe(recipe: Recipe, step: AdversarialStep, count: int) -> Report | str:
    """What the course's classifier finds in `count` samples; in words where it can find nothing."""
    with fork_random(seed=0):
        noise = sample_noise(count, step.noise_size, step.noise)
    parts = [step.sample(part.to(step.device)) for part in noise.split(PART)]
    samples = torch.cat(parts)
    if not torch.isfinite(samples).all():
        return "no quality to measure: the samples are not finite"
    reference = get_reference(choose_judge(samples).name, recipe.augment)
    try:
        return judge_samples(samples, reference)
    except ValueError as problem:  # a G that has broken down may leave the range of images
        return f"no quality to measure: {problem}"


def save_samples(step: AdversarialStep, path: Path) -> None:
    """A grid of samples from noise that is always the same, as a PNG."""
    from torchvision.utils import save_image

    with fork_random(seed=0):
        noise = sample_noise(SHOWN, step.noise_size, step.noise).to(step.device)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(step.sample(noise), path, nrow=8, normalize=True, value_range=(-1, 1))
    print(f"samples: {path}")
