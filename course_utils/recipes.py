"""One named configuration each: data, networks, losses, optimiser, noise. They train headless.

python -m course_utils train dcgan --profile cpu --out runs/dcgan
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .checkpoints import write_atomically
from .coordinates import build_coordinate_generator
from .data import BatchLoader, ImageSet, load_cifar10, load_mnist, random_rotation
from .data.augment import Augment
from .diagnosis import diagnose
from .losses import (
    discriminator_loss,
    generator_loss,
    get_optimizer,
    linear_decay,
    ls_discriminator_loss,
    ls_generator_loss,
    probability_discriminator_loss,
    probability_generator_loss,
    r1_penalty,
)
from .metrics import Reference, Report, get_reference, judge_samples
from .metrics.features import choose_judge
from .models import (
    CLASSES,
    ProjectionDiscriminator,
    build_cifar10_discriminator,
    build_cifar10_generator,
    build_conditional_generator,
    build_dc_classifier,
    build_dc_generator,
    build_deep_discriminator,
    build_deep_generator,
    build_discriminator,
    build_generator,
    build_leaky_generator,
    build_relu_generator,
    build_sigmoid_discriminator,
    build_strided_discriminator,
    build_strided_generator,
    complete_latents,
    initialize_weights,
    sample_noise,
)
from .settings import PROFILES, fork_random, get_device, get_profile, set_seed
from .training import AdversarialStep, ConditionalStep, History, Progress, train
from .training.step import Penalty
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
    then judged against real images changed alike. `augment_both` changes what D sees, real images
    and fakes alike: samples stay as the images are. `penalty` is added to D's loss, `schedule`
    gives the learning rate's factor by the share of the training that is done. `ema` is how
    slowly the average of G forgets, from which samples then come; None keeps no average.
    `classes` is how many labels both networks are told, or 0: then it is a game without labels.
    `precision` is "auto" where bf16 was measured to do no harm (docs/results.md), else "fp32".
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
    classes: int = 0
    as_probability: Callable[[Tensor], Tensor] | None = torch.sigmoid
    prepare: Callable[[nn.Module], None] | None = None
    augment: Augment | None = None
    augment_both: Augment | None = None
    penalty: Penalty | None = None
    schedule: Callable[[float], float] | None = None
    ema: float | None = None
    precision: str = "auto"

    def build(self, limit: int | None = None) -> tuple[AdversarialStep, BatchLoader]:
        """The step with new networks, and the loader, on this machine's device."""
        device = get_device()
        D, G = self.build_D().to(device), self.build_G(self.noise_size).to(device)
        if self.prepare is not None:
            D.apply(self.prepare)
            G.apply(self.prepare)
        solvers = [get_optimizer(network, self.lr, self.betas) for network in (D, G)]
        kind = ConditionalStep if self.classes else AdversarialStep
        step = kind(
            D, G, *solvers, self.discriminator_loss, self.generator_loss,
            noise_size=self.noise_size, noise=self.noise, as_probability=self.as_probability,
            augment=self.augment_both, penalty=self.penalty,
        )  # fmt: skip
        images = self.load(limit=limit)
        return step, BatchLoader(images, self.batch_size, device, self.augment, drop_last=True)

    @property
    def data(self) -> str:
        """What it is trained on; distances are comparable only within one data set."""
        return "CIFAR-10" if self.load is load_cifar10 else "MNIST"

    def count_epochs(self, profile: str) -> int:
        """How many epochs it has in that profile."""
        return dict(zip(PROFILES, (1, *self.epochs), strict=True))[profile]

    def train(
        self,
        out: str | Path,
        epochs: int,
        profile: str,
        *,
        fresh: bool = False,
        seed: int = 0,
        callbacks: Sequence[Callable[[Progress], None]] = (),
        precision: str | None = None,
    ) -> tuple[AdversarialStep, History]:
        """Train new networks into the folder `out`, with a sample after each epoch.

        `callbacks` are called after each epoch, and only then: not when a run goes on.
        """
        set_seed(seed)
        step, loader = self.build(limit=SHORT if profile == "short" else None)
        length = len(loader)

        def after_an_epoch(progress: Progress) -> None:
            if progress.step and progress.step % length == 0:
                for callback in callbacks:
                    callback(progress)

        history = train(
            step,
            loader,
            num_epochs=epochs,
            callbacks=[after_an_epoch],
            show_every=length,
            checkpoint=Path(out),
            fresh=fresh,
            seed=seed,
            ema=self.ema,
            schedule=self.schedule,
            precision=precision or self.precision,
            progress=True,
        )
        save_grid(draw_samples(step, SHOWN), Path(out) / "samples.png")
        save_grids(history, epochs, Path(out))
        print(f"samples: {Path(out) / 'samples.png'}")
        return step, history

    def find_reference(self, samples: Tensor) -> Reference:
        """The real images that samples are to be judged against."""
        return get_reference(choose_judge(samples).name, self.augment)


_LOGITS = {"discriminator_loss": discriminator_loss, "generator_loss": generator_loss}
_LEAST_SQUARES = {
    "discriminator_loss": ls_discriminator_loss,
    "generator_loss": ls_generator_loss,
    "as_probability": None,
}
_SIGMOID = {  # as the classic scripts have it: D ends in a sigmoid, batches of 64
    "load": load_mnist,
    "build_D": build_sigmoid_discriminator,
    "discriminator_loss": probability_discriminator_loss,
    "generator_loss": probability_generator_loss,
    "as_probability": None,
    "batch_size": 64,
    "noise": "normal",
    "epochs": (10, 100),
}
_MLP = {
    "load": load_mnist,
    "build_D": build_discriminator,
    "build_G": build_generator,
    "epochs": (10, 100),
    "ema": 0.999,
}
_MAX_POOL = {
    "load": load_mnist,
    "build_D": build_dc_classifier,
    "build_G": build_dc_generator,
    "epochs": (3, 30),
    "prepare": initialize_weights,
}
_STRIDED = {
    "load": load_mnist,
    "build_D": build_strided_discriminator,
    "build_G": build_strided_generator,
    "batch_size": 64,
    "noise_size": 64,
    "noise": "normal",
    "ema": 0.999,
}

_CIFAR10 = {"load": load_cifar10, "noise": "normal"}

RECIPES = {
    "mlp_sigmoid": Recipe(
        "MLPs with LeakyReLU; D ends in a sigmoid, nn.BCELoss",
        build_G=build_leaky_generator,
        lr=2e-4,
        **_SIGMOID,
    ),
    "mlp_relu": Recipe(
        "MLPs, G with ReLU; D ends in a sigmoid, nn.BCELoss",
        build_G=build_relu_generator,
        precision="fp32",  # not compared with bf16 yet
        **_SIGMOID,
    ),
    "mlp_logits": Recipe("MLPs on logits", **_MLP, **_LOGITS),
    "mlp_ls": Recipe("the same MLPs, least squares", **_MLP, **_LEAST_SQUARES),
    "dcgan": Recipe(
        "convolutions with max pooling against batch norm, on logits", **_MAX_POOL, **_LOGITS
    ),
    "dcgan_ls": Recipe("the same convolutions, least squares", **_MAX_POOL, **_LEAST_SQUARES),
    "dcgan_rotated": Recipe(
        "strided convolutions with batch norm, on digits turned by up to 20 degrees",
        epochs=(12, 60),
        lr=2e-4,
        betas=(0.5, 0.99),
        augment=random_rotation(20),
        **_STRIDED,
        **_LOGITS,
    ),
    "dcgan_strided": Recipe(
        "the same strided pair, digits upright, a larger learning rate",
        epochs=(12, 60),
        **_STRIDED,
        **_LOGITS,
    ),
    "cgan": Recipe(
        "the strided pair, told which digit: labels in G's latent, a projection in D",
        epochs=(12, 60),
        classes=CLASSES,
        **_STRIDED | {"build_D": ProjectionDiscriminator, "build_G": build_conditional_generator},
        **_LOGITS,
    ),
    "cppn": Recipe(
        "the strided D against a generator of coordinates, whose pictures have any size",
        epochs=(12, 60),
        lr=5e-4,
        **_STRIDED | {"build_G": build_coordinate_generator},
        **_LOGITS,
    ),
    "cifar10_dcgan": Recipe(  # the classic script: a sigmoid, nn.BCELoss, batches of 32
        "CIFAR-10: convolutions with batch norm and dropout; D ends in a sigmoid, nn.BCELoss",
        build_D=build_cifar10_discriminator,
        build_G=build_cifar10_generator,
        discriminator_loss=probability_discriminator_loss,
        generator_loss=probability_generator_loss,
        as_probability=None,
        batch_size=32,
        lr=2e-4,
        noise_size=100,
        epochs=(10, 20),
        **_CIFAR10,
    ),
    "cifar10_better": Recipe(
        "CIFAR-10: a deeper pair on logits; D without a norm but with the R1 penalty, averaged G",
        build_D=build_deep_discriminator,
        build_G=build_deep_generator,
        batch_size=64,
        betas=(0.0, 0.99),
        noise_size=128,
        penalty=r1_penalty(0.1),
        schedule=linear_decay,
        ema=0.999,
        epochs=(10, 50),
        **_CIFAR10,
        **_LOGITS,
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

    Leaves checkpoints, `history.csv`, `settings.json`, `samples.png`, grids of the same fixed
    noise at the start, half way and at the end (`samples_epoch000.png`, ...), and `quality.txt`,
    and prints what the last one holds: the verdict on the run, and how near its samples are to
    real images.

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
    count = recipe.count_epochs(profile) if epochs is None else need_count(epochs, "epochs")
    print(f"{name}: {recipe.summary}")
    step, history = recipe.train(out, count, profile, fresh=fresh, seed=seed)
    if history.stopped == "interrupted":
        return history  # whoever presses Ctrl-C wants to get away
    quality = f"{diagnose(history)}\n{judge_recipe(recipe, step, JUDGED[profile])}\n"
    write_atomically(Path(out) / "quality.txt", quality.encode())
    print(quality, end="")
    return history


def judge_recipe(recipe: Recipe, step: AdversarialStep, count: int) -> Report | str:
    """What the course's classifier finds in `count` samples; in words where it can find nothing."""
    samples = draw_samples(step, count).to(step.device)  # so that a GPU judges them, too
    if not torch.isfinite(samples).all():
        return "no quality to measure: the samples are not finite"
    try:
        return judge_samples(samples, recipe.find_reference(samples))
    except ValueError as problem:  # a G that has broken down may leave the range of images
        return f"no quality to measure: {problem}"


def describe_quality(report: Report | str) -> dict[str, Any]:
    """The numbers of a report that go into the table; a run that broke down has none."""
    if isinstance(report, str):
        return {"distance": None, "floor": None, "shares": [0.0] * 10}
    return {
        "distance": round(float(report.frechet), 2),
        "floor": round(float(report.frechet.floor), 2),
        "shares": [round(share, 4) for share in report.classes.shares.tolist()],
    }


def draw_samples(step: AdversarialStep, count: int) -> Tensor:
    """`count` samples from noise that is always the same, on the CPU."""
    with fork_random(seed=0):
        noise = complete_latents(sample_noise(count, step.noise_size, step.noise), step.classes)
    return torch.cat([step.sample(part.to(step.device)) for part in noise.split(PART)])


def save_grids(history: History, epochs: int, folder: Path) -> None:
    """The samples from the fixed noise before the first epoch, half way and at the end."""
    by_epoch = dict(enumerate(images for _, images in history.samples))
    for epoch in sorted({0, epochs // 2, epochs} & by_epoch.keys()):
        save_grid(by_epoch[epoch], folder / f"samples_epoch{epoch:03d}.png", nrow=5)


def save_grid(images: Tensor, path: Path, nrow: int = 8) -> None:
    """Images in [-1, 1] as one PNG."""
    from torchvision.utils import save_image

    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(images, path, nrow=nrow, normalize=True, value_range=(-1, 1))
