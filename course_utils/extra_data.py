"""What samples add to few real digits: a classifier trained with and without them, measured.

From 100, 500, 1,000 and 5,000 real digits, the same classifier is trained in five ways: on the
digits alone, on the digits moved at random, on digits and samples half and half, on both of these
together, and on samples only. The generator behind the samples has seen the same few digits and no
others. `python -m course_utils extra-data` measures what is missing and writes docs/extra_data.md.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .checkpoints import write_atomically
from .data import BatchLoader, ImageSet, combine, load_mnist, random_rotation, random_shift
from .data.augment import Augment
from .data.images import to_unit
from .losses import discriminator_loss, generator_loss, get_optimizer
from .metrics import frechet_classifier_distance
from .models import (
    CLASSES,
    ProjectionDiscriminator,
    build_conditional_generator,
    build_few_digits_classifier,
    join_labels,
)
from .settings import describe_machine, fork_random, get_device, set_seed
from .training import ConditionalStep, Stopped, stoppable, train
from .training.interrupt import INTERRUPTED
from .validation import need_choice, need_count

COUNTS = (100, 500, 1000, 5000)
SEEDS = 5
WAYS = {  # how a classifier is trained: on real digits, on samples, moved at random
    "real": (True, False, False),
    "moved": (True, False, True),
    "samples": (True, True, False),
    "both": (True, True, True),
    "only samples": (False, True, False),
}
GAN_STEPS, CLASSIFIER_STEPS = 1500, 1000
AVERAGED = 0.99  # of G: 0.999 looks back over most of so short a training, and its samples are grey
BATCH = 64
NOISE = 64
SAMPLES = 10_000  # drawn from each generator
MOVES = combine(random_rotation(10), random_shift(2))
STORE = Path(__file__).with_name("extra_data.json")
REPORT = Path(__file__).parent.parent / "docs" / "extra_data.md"
CUT_SHORT = "stopped: what was cut short is not measured; all before it is kept"


class Few(NamedTuple):
    """Digits with their labels: images `(N, 1, 28, 28)` in [-1, 1], labels int64 `(N,)`."""

    images: Tensor
    labels: Tensor


def choose_few(train_set: ImageSet, count: int, seed: int) -> Few:
    """`count` of the digits, the same number of each class, other ones for each seed.

    Raises:
        ValueError: `count` is no multiple of ten, or there are not so many of a class.
    """
    each, rest = divmod(need_count(count, "count"), CLASSES)
    if rest:
        raise ValueError(f"count: expected a multiple of {CLASSES}, got {count}")
    source = torch.Generator().manual_seed(seed)
    places = []
    for label in range(CLASSES):
        own = (train_set.labels == label).nonzero()[:, 0]
        if len(own) < each:
            raise ValueError(f"count: expected at most {len(own)} of each class, got {each}")
        places.append(own[torch.randperm(len(own), generator=source)[:each]])
    chosen = torch.cat(places)
    return Few(to_unit(train_set.images[chosen]), train_set.labels[chosen].long())


def train_generator(few: Few, seed: int, steps: int = GAN_STEPS) -> nn.Module:
    """The averaged generator of a conditional pair that has seen these digits and no others.

    The stop button raises `Stopped`: numbers of a training that was cut short say nothing.
    """
    set_seed(seed)
    device = get_device()
    D, G = ProjectionDiscriminator().to(device), build_conditional_generator(NOISE).to(device)
    step = ConditionalStep(
        D, G, get_optimizer(D), get_optimizer(G), discriminator_loss, generator_loss,
        noise_size=NOISE, noise="normal",
    )  # fmt: skip
    batches = _repeat(few, steps, seed)
    history = train(step, batches, num_epochs=1, show_every=steps, ema=AVERAGED, seed=seed)
    if history.stopped == INTERRUPTED:
        raise Stopped(CUT_SHORT)
    return history.averaged.eval()


def _repeat(few: Few, steps: int, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Batches of them, each digit as often as the others."""
    source = torch.Generator().manual_seed(seed)
    length = len(few.labels)
    rounds = -(-steps * BATCH // length)
    order = torch.cat([torch.randperm(length, generator=source) for _ in range(rounds)])
    return [(few.images[part], few.labels[part]) for part in order.split(BATCH)[:steps]]


@torch.no_grad()
def draw_labelled(G: nn.Module, count: int, seed: int) -> Few:
    """Samples of a conditional generator, each label in turn."""
    source = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, NOISE, generator=source)
    labels = torch.arange(count) % CLASSES
    latents = join_labels(noise, labels)
    home = next(G.parameters()).device
    return Few(torch.cat([G(part.to(home)).cpu() for part in latents.split(500)]), labels)


def train_classifier(
    real: Few | None,
    samples: Few | None,
    augment: Augment | None = None,
    *,
    seed: int,
    steps: int = CLASSIFIER_STEPS,
) -> nn.Module:
    """A small classifier after so many batches: of real digits, of samples, or half and half.

    The stop button raises `Stopped`, as in `train_generator`.
    """
    sources = [few for few in (real, samples) if few is not None]
    if not sources:
        raise ValueError("real, samples: expected one of them at least, got none")
    set_seed(seed)
    device = get_device()
    network = build_few_digits_classifier().to(device)
    solver = torch.optim.Adam(network.parameters(), lr=1e-3)
    drawn = torch.Generator().manual_seed(seed)
    rounds = stoppable(range(steps))
    for _ in rounds:
        parts = []
        for few in sources:
            chosen = torch.randint(len(few.labels), (BATCH // len(sources),), generator=drawn)
            parts.append((few.images[chosen], few.labels[chosen]))
        images, labels = map(torch.cat, zip(*parts, strict=True))
        if augment is not None:
            images = augment(images, drawn)
        solver.zero_grad()
        F.cross_entropy(network(images.to(device)), labels.to(device)).backward()
        solver.step()
    if rounds.stopped:
        raise Stopped(CUT_SHORT)
    return network.eval()


@torch.no_grad()
def count_right(network: nn.Module, test_set: ImageSet) -> float:
    """The share of the test digits that the classifier reads rightly."""
    right, home = 0, next(network.parameters()).device
    for images, labels in BatchLoader(test_set, 500, home, shuffle=False):
        right += int((network(images).argmax(dim=1) == labels).sum())
    return right / len(test_set)


def measure_extra_data(
    counts: Sequence[int] = COUNTS, seeds: Sequence[int] = range(SEEDS), folder: str = ""
) -> None:
    """Measure what is missing, a row for each number of digits and seed, and write the report."""
    train_set, test_set = load_mnist("train"), load_mnist("test")
    store = Path(folder or STORE)
    for seed in seeds:
        for count in counts:
            if any((row["count"], row["seed"]) == (count, seed) for row in load_rows(store)):
                continue
            row = measure_row(choose_few(train_set, count, seed), test_set, seed)
            rows = [*load_rows(store), row]
            rows.sort(key=lambda row: (row["count"], row["seed"]))
            text = json.dumps(rows, indent=1) + "\n"
            write_atomically(store, text.encode())
            print(row, flush=True)
    if store == STORE:
        write_atomically(REPORT, make_report(load_rows()).encode())


def measure_row(few: Few, test_set: ImageSet, seed: int) -> dict[str, Any]:
    """Accuracies of all ways, and the distance of the samples, for one choice of digits."""
    with fork_random():
        G = train_generator(few, seed)
        samples = draw_labelled(G, SAMPLES, seed)
        accuracies = {
            way: count_right(
                train_classifier(
                    few if real else None,
                    samples if made else None,
                    MOVES if moved else None,
                    seed=seed,
                ),
                test_set,
            )
            for way, (real, made, moved) in WAYS.items()
        }
    distance = float(frechet_classifier_distance(samples.images, floor=False))
    return {
        "count": len(few.labels),
        "seed": seed,
        "accuracy": {way: round(value, 4) for way, value in accuracies.items()},
        "distance": round(distance, 2),
        "machine": describe_machine(),
    }


def load_rows(store: Path = STORE) -> list[dict[str, Any]]:
    return json.loads(store.read_text()) if store.is_file() else []


def summarize_rows(rows: Sequence[dict[str, Any]], count: int, way: str) -> tuple[float, float]:
    """Mean and standard deviation over the seeds of one accuracy."""
    values = [
        row["accuracy"][need_choice(way, "way", WAYS)] for row in rows if row["count"] == count
    ]
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def make_report(rows: Sequence[dict[str, Any]]) -> str:
    """The table as measured, as docs/extra_data.md."""
    counts = sorted({row["count"] for row in rows})
    lines = [
        "# What samples add to few real digits",
        "",
        "<!-- written by `python -m course_utils extra-data`; do not edit -->",
        "",
        f"A small classifier ({CLASSIFIER_STEPS:,} batches of {BATCH}, Adam, 1e-3) learns to read "
        "digits from 100 to 5,000 real ones; the generator behind the samples (the pair of recipe "
        f"`cgan`, {GAN_STEPS:,} batches) has seen the same digits and no others. Accuracy on "
        "MNIST's 10,000 test digits in percent, mean and standard deviation over seeds; each seed "
        "chooses other digits. "
        "*moved*: turned by up to 10 degrees and shifted by up to 2 pixels, at random.",
        "",
        "| real digits | seeds | " + " | ".join(WAYS) + " | distance of the samples |",
        "| --- | --- |" + " --- |" * (len(WAYS) + 1),
    ]
    for count in counts:
        own = [row for row in rows if row["count"] == count]
        cells = [
            f"{100 * mean:.1f} ± {100 * deviation:.1f}"
            for mean, deviation in (summarize_rows(rows, count, way) for way in WAYS)
        ]
        distance = statistics.median(row["distance"] for row in own)
        lines.append(f"| {count:,} | {len(own)} | " + " | ".join(cells) + f" | {distance:.1f} |")
    machines = "; ".join(sorted({row["machine"] for row in rows}))
    lines += [
        "",
        "*samples*: each batch half real digits and half samples; *both*: the same, all of them "
        "moved; *only samples*: the classification accuracy score (Ravuri and Vinyals 2019, arXiv "
        f"1905.10887). The distance is the Fréchet classifier distance of {SAMPLES:,} samples to "
        "all training digits, the middle of the seeds.",
        "",
        f"Measured on {machines}.",
    ]
    return "\n".join(lines) + "\n"
