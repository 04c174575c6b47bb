"""What a GPU day measures, in the order of its worth. A new part is one line in `PARTS`."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

from .. import authoring, bench
from ..data import load_cifar10, load_mnist
from ..recipes import JUDGED, describe_quality, get_recipe, judge_recipe
from ..results.measure import FEW, cut_off, measure_distance
from ..results.store import ON_CURVE, ROOT, SEEDS

Found = dict[str, Any]

TESTS = ("tests/test_gpu.py", "tests/test_speed.py", "tests/test_scaling.py")
LESSONS = ("01", "02", "03", "04", "05", "06", "07", "08")
IN_HALVES = {  # after how many epochs fp32 and fp16 are compared: samples can be read by then
    **{"mlp_logits": 10, "dcgan": 3, "dcgan_strided": 6, "cgan": 3},
    **{"cifar10_dcgan": 3, "cifar10_better": 3},
}
PAIR = ("cifar10_dcgan", "cifar10_better")
MINUTES = 0.5  # of training, for each of the two


@dataclass(frozen=True)
class Part:
    """Tasks that are measured alike.

    Args:
        measure: called with a task and whether it is only to be tried out, `toy`; returns what
            goes into the file.
        tasks: their names, in the order of their worth.
        limit: the seconds that a task may take.
        beside: how many run at a time where each has two cores of its own. They slow each other
            on the card: minutes so measured say so.
        toy: the tasks that a try-out needs.
    """

    measure: Callable[[str, bool], Found]
    tasks: tuple[str, ...]
    limit: float
    beside: int = 1
    toy: tuple[str, ...] = ()


def run_tests(task: str, toy: bool) -> Found:
    """The tests that need a GPU, and those of everything that it makes faster."""
    # without the options of pyproject.toml, which are for notebooks
    options = ("-q", "-o", "addopts=", "-p", "no:cacheprovider")
    files = TESTS[:1] if toy else TESTS
    command = [sys.executable, "-m", "pytest", *options, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(done.stdout[-20_000:], done.stderr[-2000:])
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pytest ended with {done.returncode}, see above")
    last = done.stdout.strip().splitlines()[-1]
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped)", last)}
    failed = re.findall(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
    return {"passed": 0, "failed": 0, "skipped": 0} | counts | {"failures": failed}


def bench_pair(task: str, toy: bool) -> Found:
    """The rows of `make bench` for one pair."""
    rounds, seconds = (1, 0.02) if toy else (5, 0.5)
    return {"rounds": rounds, "rows": bench.measure_pair(bench.PAIRS[task], rounds, seconds)}


def measure_lesson(task: str, toy: bool) -> Found:
    """What a lesson costs, executed from its first cell to its last."""
    return authoring.measure_lesson(task, "short" if toy else "gpu")


def compare_numbers(task: str, toy: bool) -> Found:
    """The distance that a recipe reaches in fp32 or fp16, after equal steps from equal seeds."""
    name, numbers, seed = task.split(",")
    recipe, epochs = get_recipe(name), 1 if toy else IN_HALVES[name]
    part = cut_off(recipe, epochs / recipe.count_epochs("gpu"))
    with tempfile.TemporaryDirectory() as folder:
        step, history = part.train(
            folder, epochs, "short" if toy else "gpu", seed=int(seed), precision=numbers
        )
    distance = measure_distance(recipe, step, FEW if toy else ON_CURVE)
    return {
        "steps": history.step[-1],
        "distance": None if math.isnan(distance) else round(distance, 2),
        "stopped": history.stopped,
    }


def train_for_minutes(task: str, toy: bool) -> Found:
    """The distance that a recipe reaches in `MINUTES` of training, with its whole schedule."""
    seed, name = task.split(",")
    recipe, profile = get_recipe(name), "short" if toy else "gpu"
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        recipe.train(
            folder, 2, profile, callbacks=[lambda p: times.append(p.history.seconds)]
        )  # the first epoch also picks kernels and captures the step
    pace = times[1] - times[0]
    epochs = max(1, round((0.001 if toy else MINUTES) * 60 / pace))
    with tempfile.TemporaryDirectory() as folder:
        step, history = recipe.train(folder, epochs, profile, seed=int(seed), fresh=True)
    return {
        "minutes": round(history.seconds / 60, 3),
        "epochs": epochs,
        "steps": history.step[-1],
        "images": history.images,
        **describe_quality(judge_recipe(recipe, step, JUDGED[profile])),
    }


def need_real_data(part: str, task: str) -> None:
    """Refuse to measure on the samples that stand in where there is no network."""
    colour = "cifar10" in task or (part, task) == ("lessons", "04")
    for load in (load_mnist, load_cifar10) if colour else (load_mnist,):
        data = load(limit=1)
        if data.is_sample:
            raise RuntimeError(f"{part}/{task}: expected {data.name}, got the sample of it")


def _join(*parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(",".join, product(*parts)))


SEED_NAMES = tuple(map(str, range(SEEDS)))
PARTS = {  # by name: how, what, at most how many seconds a task
    "tests": Part(run_tests, ("gpu",), 180, toy=("gpu",)),
    "bench": Part(bench_pair, tuple(bench.PAIRS), 120, toy=("mlp",)),
    "lessons": Part(measure_lesson, LESSONS, 420, beside=8, toy=("04",)),
    "numbers": Part(
        compare_numbers, _join(tuple(IN_HALVES), ("fp32", "fp16"), SEED_NAMES), 150, beside=12,
        toy=("mlp_logits,fp16,0",),
    ),
    "minutes": Part(
        train_for_minutes, _join(SEED_NAMES, PAIR), 150, toy=("0,mlp_logits",),
    ),
}  # fmt: skip
