"""What helps on CIFAR-10: `cifar10_dcgan` with one change at a time, for an equal budget.

A run of an ingredient is named after both: `cifar10_dcgan+averaged`. Equal is the number of images
that D sees, which no machine changes; the minutes that they take stand beside the distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from statistics import median
from typing import Any

import torch
from torch import nn

from ..data import combine, random_colour, random_shift
from ..losses import discriminator_loss, generator_loss, linear_decay, r1_penalty
from ..models import (
    build_cifar10_discriminator,
    build_deep_generator,
    initialize_for_leaks,
    use_spectral_norm,
)
from ..recipes import RECIPES, Recipe, get_recipe
from ..validation import need_choice

BASE = "cifar10_dcgan"
BUDGET = 3  # epochs, on every machine: 150,000 images


def build_bare_discriminator() -> nn.Sequential:
    """The base's D without its batch norm and without the sigmoid at its end."""
    layers = build_cifar10_discriminator()
    return nn.Sequential(*(m for m in layers if not isinstance(m, (nn.BatchNorm2d, nn.Sigmoid))))


def build_spectral_discriminator() -> nn.Sequential:
    """The base's D with spectral norm in the place of batch norm."""
    return nn.Sequential(use_spectral_norm(build_bare_discriminator()), nn.Sigmoid())


def build_penalized_discriminator() -> nn.Sequential:
    """The base's D without batch norm, on logits, with the weights that this asks for."""
    return build_bare_discriminator().apply(initialize_for_leaks)


def build_logits_discriminator() -> nn.Sequential:
    """The base's D without the sigmoid at its end."""
    return build_cifar10_discriminator()[:-1]


_LOGITS = {
    "discriminator_loss": discriminator_loss,
    "generator_loss": generator_loss,
    "as_probability": torch.sigmoid,
}
INGREDIENTS: dict[str, tuple[str, dict[str, Any]]] = {  # in words, and what of the recipe changes
    "nothing": ("the pair as it is", {}),
    "logits": (
        "D on logits in place of a sigmoid",
        {"build_D": build_logits_discriminator, **_LOGITS},
    ),
    "averaged": ("averaged weights of G (0.999)", {"ema": 0.999}),
    "decay": ("the learning rate falls to 0 in the second half", {"schedule": linear_decay}),
    "batch": ("batches of 128 in place of 32", {"batch_size": 128}),
    "augmented": (
        "real and fake moved, mirrored and recoloured alike",
        {"augment_both": combine(random_shift(4, flip=True), random_colour(0.5))},
    ),
    "spectral": (
        "spectral norm in place of D's batch norm",
        {"build_D": build_spectral_discriminator},
    ),
    "penalty": (
        "R1 penalty (0.1) and He's weights in place of D's batch norm, on logits",
        {"build_D": build_penalized_discriminator, "penalty": r1_penalty(0.1), **_LOGITS},
    ),
    "adam": ("Adam with 1e-3 and (0, 0.99)", {"lr": 1e-3, "betas": (0.0, 0.99)}),
    "deeper": ("the deeper G", {"build_G": build_deep_generator}),
}
VARIANTS = tuple(f"{BASE}+{name}" for name in INGREDIENTS)


def list_names() -> list[str]:
    """Everything that `find_recipe` knows: all recipes, and the base with each ingredient."""
    return [*RECIPES, *(VARIANTS if BASE in RECIPES else ())]


def find_recipe(name: str) -> Recipe:
    """A recipe by its name, or the base with an ingredient: `cifar10_dcgan+averaged`.

    Raises:
        ValueError: there is none of that name.
    """
    if name in RECIPES:
        return get_recipe(name)
    need_choice(name, "name", list_names())
    _, changes = INGREDIENTS[name.removeprefix(f"{BASE}+")]
    return replace(get_recipe(BASE), **changes)


def describe_ingredients(rows: Sequence[dict[str, Any]]) -> str:
    """The table of effects, "" where nothing was measured."""
    found = {name: [row for row in rows if row["recipe"] == name] for name in VARIANTS}
    base, *others = found.values()
    if not base or not any(others):
        return ""
    lines = [
        "| changed | distance, each seed | middle | against the pair as it is | minutes |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (says, _), runs in zip(INGREDIENTS.values(), found.values(), strict=True):
        if runs:
            each = get_distances(runs)
            effect = "" if runs is base else compare(get_distances(base), each)
            minutes = median(row["minutes"] for row in runs)
            lines.append(
                f"| {says} | {', '.join(f'{d:.1f}' for d in each)} | {median(each):.1f} | "
                f"{effect} | {minutes:.2f} |"
            )
    return "\n".join(lines)


def get_distances(runs: Sequence[dict[str, Any]]) -> list[float]:
    """The distance at the end of each run; endless where it had broken down by then."""
    lasts = [row["curve"][-1] if row["curve"] else (0, 0, 0) for row in runs]
    return [d if s == row["steps"] else inf for (_, s, d), row in zip(lasts, runs, strict=True)]


def compare(base: Sequence[float], changed: Sequence[float]) -> str:
    """ "better" or "worse" only where no seed of one lies among those of the other."""
    if max(changed) < min(base):
        return "better"
    return "worse" if min(changed) > max(base) else "undecided"
