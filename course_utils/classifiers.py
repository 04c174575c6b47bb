"""How the two classifiers that judge samples were trained, and how to train them again.

python -m course_utils classifiers mnist cifar10

Nobody who uses the metrics needs this: the weights are shipped (see `metrics/features.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .data import BatchLoader, ImageSet, load_cifar10, load_mnist, random_rotation, random_shift
from .data.augment import Augment
from .metrics.features import Judge, look, measure_moments, unpack, write_judge
from .models import build_cifar10_classifier, build_mnist_classifier
from .settings import describe_machine, get_device, set_seed
from .shipped import FOLDER, pack
from .validation import need_choice, need_count

WEIGHT_DECAY = 5e-4
TOP_RATE = 0.1  # of SGD with Nesterov's momentum; it rises to here and falls to 0 (Smith 2018)


@dataclass(frozen=True)
class Plan:
    """What one classifier is trained on, and how long."""

    load: Callable[..., ImageSet]
    build: Callable[[], nn.Module]
    augment: Augment
    epochs: int
    batch_size: int = 256


def _move_digits(images: Tensor, generator: torch.Generator) -> Tensor:
    return random_shift(2)(random_rotation(10)(images, generator), generator)


PLANS = {
    "mnist": Plan(load_mnist, build_mnist_classifier, _move_digits, epochs=12),
    "cifar10": Plan(load_cifar10, build_cifar10_classifier, random_shift(4, flip=True), epochs=16),
}


def train_classifier(
    name: str,
    folder: str | Path = FOLDER,
    *,
    epochs: int | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> dict:
    """Train one classifier and leave weights, statistics and their description in `folder`.

    Args:
        name: "mnist" or "cifar10".
        folder: where to; by default the files that the metrics use are replaced.
        epochs: passes over the training images; as planned if not given.
        limit: how many images to use, for a trial.
        seed: decides the network, the order and the augmentation.

    Returns:
        the description: test accuracy, command, machine, minutes, hash of the weights.
    """
    plan = PLANS[need_choice(name, "name", PLANS)]
    count = plan.epochs if epochs is None else need_count(epochs, "epochs")
    training, test = plan.load("train", limit=limit), plan.load("test", limit=limit)
    if training.is_sample or test.is_sample:
        raise ValueError(f"{name}: expected the real data, got a sample that stands in for it")
    began = time.perf_counter()
    network = _fit(plan, training, count, seed)
    as_planned = epochs is None and limit is None and seed == 0
    facts = {
        "command": f"python -m course_utils classifiers {name}" if as_planned else "a trial",
        "epochs": count,
        "machine": describe_machine(),
        "minutes": round((time.perf_counter() - began) / 60, 1),
        "seed": seed,
    }
    return describe_classifier(name, pack(network), training, test, Path(folder), facts)


def describe_classifier(
    name: str,
    weights: dict[str, Tensor],
    training: ImageSet,
    test: ImageSet,
    folder: Path,
    facts: dict,
) -> dict:
    """Measure the classifier that these weights (as shipped) make, and leave it in `folder`."""
    judge = Judge(name, unpack(name, weights), {}, {})
    seen = {"train": look(training.images, judge), "test": look(test.images, judge)}
    for split, images in (("train", training), ("test", test)):
        right = (seen[split].classes == images.labels).double().mean().item()
        facts[f"{split}_accuracy"] = round(right, 5)
        facts[f"{split}_images"] = len(images)
    moments = {split: measure_moments(features.values) for split, features in seen.items()}
    return write_judge(name, folder, weights, moments, facts)


def _fit(plan: Plan, training: ImageSet, epochs: int, seed: int) -> nn.Module:
    device = get_device()
    set_seed(seed)
    network = plan.build().to(device, memory_format=torch.channels_last)
    loader = BatchLoader(
        training, plan.batch_size, device, augment=plan.augment, drop_last=True, seed=seed
    )
    # what batch norm scales back does not need to be kept small, and biases neither
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": WEIGHT_DECAY}, {"params": others}]
    solver = torch.optim.SGD(groups, lr=TOP_RATE, momentum=0.9, nesterov=True)
    rates = torch.optim.lr_scheduler.OneCycleLR(
        solver, TOP_RATE, total_steps=epochs * len(loader), pct_start=0.25
    )
    for epoch in range(epochs):
        right = torch.zeros((), device=device)
        for images, labels in loader:
            images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                logits = network(images).float()
            loss = F.cross_entropy(logits, labels)
            solver.zero_grad()
            loss.backward()
            solver.step()
            rates.step()
            right += (logits.argmax(1) == labels).sum()
        share = right.item() / (len(loader) * plan.batch_size)
        print(f"epoch {epoch + 1} of {epochs}: {share:.2%} of the augmented training images right")
    return network
