"""A small run in which every piece of state matters, and ways to end a process inside it.

Child processes import this file, so it knows nothing of pytest.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils import checkpoints
from course_utils.data import BatchLoader, ImageSet, random_rotation
from course_utils.losses import discriminator_loss, generator_loss
from course_utils.settings import set_seed
from course_utils.training import AdversarialStep, History, train
from course_utils.training.describe import describe_settings, hash_settings

torch.set_num_threads(1)

IMAGES = 44  # in batches of 8: the last one of an epoch is smaller
EPOCH = 6  # steps an epoch
NOISE = 8
STAGES = {  # where a process dies: (the last step that is saved then, what it leaves unfinished)
    "before the write": (2, 0),
    "half written": (2, 1),
    "before the flush": (2, 1),
    "before the rename": (2, 1),
    "after the rename": (3, 0),
    "before the old one goes": (3, 0),
    "before the table is renamed": (3, 1),
    "before the settings are renamed": (2, 1),
}


def jitter(images: Tensor, generator: torch.Generator) -> Tensor:
    """Draws from Python, from NumPy and from the noise's own generator."""
    draws = random.random() + np.random.random() + torch.rand((), generator=generator)
    return images * (1 - 0.1 * draws)


def make_images() -> ImageSet:
    source = torch.Generator().manual_seed(0)
    images = torch.randint(256, (IMAGES, 1, 8, 8), generator=source, dtype=torch.uint8)
    return ImageSet(images, torch.arange(IMAGES) % 10)


def make_networks() -> tuple[nn.Sequential, nn.Sequential]:
    """Batch norm, dropout (which draws from torch's global state) and a convolution."""
    D = nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.LeakyReLU(0.1),
        nn.Dropout(0.2), nn.Flatten(), nn.Linear(64, 128), nn.LeakyReLU(0.1), nn.Linear(128, 1),
    )  # fmt: skip
    G = nn.Sequential(
        nn.Linear(NOISE, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(256, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)),
    )  # fmt: skip
    return D, G


def make_step(
    D: nn.Module | None = None,
    G: nn.Module | None = None,
    *,
    lr: float = 0.002,
    betas: tuple[float, float] = (0.5, 0.999),
    solver: type[torch.optim.Optimizer] = torch.optim.Adam,
    losses: tuple = (discriminator_loss, generator_loss),
    kind: type[AdversarialStep] = AdversarialStep,
    **options: Any,
) -> AdversarialStep:
    new_D, new_G = make_networks()
    D, G = D or new_D, G or new_G
    solvers = [solver(network.parameters(), lr=lr, betas=betas) for network in (D, G)]
    return kind(D, G, *solvers, *losses, **{"noise_size": NOISE, "augment": jitter} | options)


def run(
    checkpoint: str | Path | None,
    num_epochs: int = 2,
    *,
    start: int = 1,
    step: AdversarialStep | None = None,
    loader: Any = None,
    **options: Any,
) -> History:
    """Train from weights, noise and order that `start` decides, unless something was saved."""
    set_seed(start)
    step = step or make_step()
    if loader is None:
        loader = BatchLoader(make_images(), 8, "cpu", augment=random_rotation(20))
    usual = {"checkpoint_every": 0, "ema": 0.9, "precision": "fp32", "show_every": 1}
    usual |= {"log_every": 2, "checkpoint": checkpoint}
    return train(step, loader, num_epochs=num_epochs, **usual | options)


def run_in_a_child(
    reports: Connection, folder: str, start: int, num_epochs: int, stage: str | None
) -> None:
    """Report the step at which the run starts, each further one, and at last why it ended."""
    torch.set_num_threads(1)
    if stage is not None:
        die_at(stage)
    with contextlib.redirect_stdout(io.StringIO()):
        history = run(folder, num_epochs, start=start, callbacks=[lambda p: reports.send(p.step)])
    reports.send(history.stopped or "done")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(stage: str) -> None:
    """Let this process be killed at a stage of its third save."""
    if stage == "before the write":
        write = _dies_before(checkpoints.write_atomically, 3, lambda path, content: True)
        checkpoints.write_atomically = write
    elif stage == "half written":
        checkpoints.open = _dies_inside(3)
    elif stage == "before the flush":  # each save flushes three files, the checkpoint first
        os.fsync = _dies_before(os.fsync, 7, lambda descriptor: True)
    elif stage == "before the rename":
        os.replace = _dies_before(os.replace, 3, lambda old, new: new.suffix == ".pt")
    elif stage == "after the rename":
        write = _dies_after(checkpoints.write_atomically, 3)
        checkpoints.write_atomically = write
    elif stage == "before the old one goes":
        Path.unlink = _dies_before(
            Path.unlink, 1, lambda path, missing_ok=False: path.suffix == ".pt"
        )
    elif stage == "before the table is renamed":
        os.replace = _dies_before(os.replace, 3, lambda old, new: new.name == "history.csv")
    else:
        os.replace = _dies_before(os.replace, 3, lambda old, new: new.name == "settings.json")


def _dies_before(function: Any, count: int, chosen: Any) -> Any:
    """`function`, before whose `count`-th chosen call the process ends."""
    calls = 0

    def deadly(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += bool(chosen(*arguments, **named))
        if calls == count:
            die()
        return function(*arguments, **named)

    return deadly


def _dies_after(function: Any, count: int) -> Any:
    """`function`, after whose `count`-th call the process ends."""
    calls = 0

    def deadly(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        function(*arguments)
        if calls == count:
            die()

    return deadly


def _dies_inside(count: int) -> Any:
    """`open`, whose `count`-th checkpoint is written by half."""
    calls = 0

    class Half(io.FileIO):
        def write(self, content: bytes) -> int:
            super().write(content[: len(content) // 2])
            die()
            return 0

    def deadly(path: Path, mode: str) -> Any:
        nonlocal calls
        calls += path.name.startswith("checkpoint-")
        return Half(path, mode) if calls == count else open(path, mode)

    return deadly


def weighted_by(weight: float) -> Any:
    """A penalty that holds a value and a function inside."""
    return lambda D, images, fakes: weight * sum([x.square().mean() for x in (D(images),)])


FALLING = {
    "plain": None,
    "with functions": lambda done: max((lambda rest: rest)(1 - done), 0),  # the line is no sentence
}


def describe_here() -> dict[str, str]:
    """Hashes of this run's settings, without and with functions, as this process sees them."""
    loader = BatchLoader(make_images(), 8, "cpu", augment=random_rotation(20))
    return {
        name: hash_settings(
            describe_settings(make_step(penalty=weighted_by(3.0)), loader, schedule=schedule)
        )
        for name, schedule in FALLING.items()
    }
