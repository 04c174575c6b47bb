"""Generators and discriminators that come with the course, trained by its own recipes.

`python -m course_utils results` trains them. Beside the weights lies what they are: the recipe, the
command and machine, and how near the samples of these very weights are to real images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from .recipes import JUDGED, Recipe, describe_quality, get_recipe, judge_recipe
from .settings import fork_random, get_device
from .shipped import FOLDER, fill, pack, read_facts, read_part, write_shipped
from .training import AdversarialStep
from .validation import need_choice

SHIPPED = {  # the recipes whose networks are shipped, and which of them
    "mlp_logits": ("G",),
    "dcgan_rotated": ("G", "D"),
    "dcgan_strided": ("G", "D"),
    "cgan": ("G", "D"),
    "cppn": ("G", "D"),
    "cifar10_better": ("G", "D"),
}
PARTS = ("G", "D")


def load_pretrained(name: str, part: str = "G") -> nn.Module:
    """A trained network of the course: on the CPU, in float32, in eval mode, without gradients.

    G is the averaged generator where its recipe keeps one. `network.facts` says how it was
    trained and how good it is; `G.noise_size` and `G.noise` ("normal" or "uniform") what to feed
    it with, and `G.classes` how many labels stand behind the noise. It needs no network connection.

    Args:
        name: "mlp_logits", "dcgan_rotated", "dcgan_strided", "cgan", "cppn" or "cifar10_better",
            the recipes of those names.
        part: "G" or "D".

    Raises:
        ValueError: there is none of that name or part, or its file is missing or damaged.
    """
    need_choice(name, "name", SHIPPED)
    if need_choice(part, "part", PARTS) not in SHIPPED[name]:
        raise ValueError(
            f"part: expected {' or '.join(SHIPPED[name])}, which {name} comes with; got {part!r}"
        )
    return read_pretrained(name, part, FOLDER)


def read_pretrained(name: str, part: str, folder: Path) -> nn.Module:
    """The same from any folder that `write_pretrained` wrote to."""
    facts = read_facts(f"gan_{name}", folder)
    weights = read_part(f"gan_{name}", part, facts, folder)
    recipe = get_recipe(name)
    with fork_random():  # a new network draws weights, which are replaced at once
        network = recipe.build_G(recipe.noise_size) if part == "G" else recipe.build_D()
    try:
        network = fill(network, weights)
    except (RuntimeError, ValueError) as problem:
        raise ValueError(
            f"gan_{name}_{part}.safetensors: expected the weights of the recipe's {part}, got "
            "others; was the recipe changed after they were trained?"
        ) from problem
    network.facts = facts
    if part == "G":  # what it wants to be fed
        network.noise_size, network.noise = recipe.noise_size, recipe.noise
        network.classes = recipe.classes
    return network


def write_pretrained(
    name: str, step: AdversarialStep, facts: dict[str, Any], folder: Path = FOLDER
) -> dict[str, Any]:
    """Ship the networks of a finished run; what is measured is what is shipped.

    Returns the facts as written: those given, and distance, floor and classes of the samples of
    the shipped weights.
    """
    recipe = get_recipe(name)
    trained = {"G": step.G if step.averaged is None else step.averaged, "D": step.D}
    parts = {part: pack(trained[part]) for part in SHIPPED[name]}
    with fork_random():
        G = fill(recipe.build_G(recipe.noise_size), parts["G"])
    report = judge_recipe(recipe, _Sampler(G, recipe), JUDGED["cpu"])
    measured = describe_quality(report) | {"samples": JUDGED["cpu"]}
    return write_shipped(f"gan_{name}", folder, parts, facts | measured)


class _Sampler:
    """What `judge_recipe` needs of a step, for a generator alone."""

    def __init__(self, G: nn.Module, recipe: Recipe) -> None:
        self.device = get_device()
        self.G = G.to(self.device)
        self.noise_size, self.noise, self.classes = (
            recipe.noise_size, recipe.noise, recipe.classes
        )  # fmt: skip

    @torch.no_grad()
    def sample(self, noise: torch.Tensor) -> torch.Tensor:
        return self.G(noise).cpu()
