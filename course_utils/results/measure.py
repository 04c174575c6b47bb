"""Train what is missing, one run at a time, and measure it."""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import shutil
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..checkpoints import write_atomically
from ..diagnosis import diagnose
from ..metrics import frechet_classifier_distance
from ..models import count_params
from ..pretrained import SHIPPED, write_pretrained
from ..recipes import (
    JUDGED,
    Recipe,
    describe_quality,
    draw_samples,
    judge_recipe,
)
from ..settings import (
    PROFILES,
    describe_machine,
    get_device,
    get_profile,
    name_processor,
    peak_device_memory,
)
from ..training import AdversarialStep, History, Progress, choose_precision
from ..training.describe import describe, print_layers
from ..validation import need_choice, need_count
from .ingredients import BUDGET, VARIANTS, find_recipe, list_names
from .report import write_results
from .store import ON_CURVE, ROOT, SEEDS, STORE, Row, key_of, load_results, save_rows

# Epochs after which float32 and bfloat16 are compared: enough to see digits, few enough to wait
COMPARED = {
    **{"mlp": 3, "dcgan": 1, "dcgan_rotated": 2, "dcgan_strided": 2, "cgan": 2, "cppn": 2},
    "cifar10": 2,
}
FEW = 2_000  # samples that are judged at the end of a run that is only compared
POINTS = 20  # of a curve, about: long runs are not judged after each epoch


def measure_results(
    names: Sequence[str] | None = None,
    *,
    seeds: int = SEEDS,
    profile: str | None = None,
    runs: str | Path = "runs/results",
    root: Path = ROOT,
) -> None:
    """Train and measure what is missing, then write everything that follows from it.

    Args:
        names: of recipes, or of ingredients such as "cifar10_dcgan+averaged"; all if not given.
        seeds: from how many seeds each is trained.
        profile: "cpu" or "gpu"; by default the machine's own.
        runs: the folder for the runs.
        root: the course's folder, in which the results are written.
    """
    known = list_names()
    chosen = [need_choice(name, "names", known) for name in names or known]
    profile = need_choice(profile or get_profile(), "profile", PROFILES)
    store = root / STORE
    for task in find_missing(chosen, need_count(seeds, "seeds"), profile, load_results(store)):
        # a changed recipe needs a folder of its own: a run goes on only as it began
        made_of = (*map(str, task), fingerprint(find_recipe(task[0])))
        folder = Path(runs) / profile / "-".join(made_of)
        _in_own_process(folder, *task, profile, root)
        save_rows([json.loads((folder / "result.json").read_text())], store)
    write_results(root)


def find_missing(
    names: Sequence[str], seeds: int, profile: str, rows: Sequence[Row]
) -> list[tuple[str, int, str]]:
    """The runs to make, as (recipe, seed, kind), seed after seed.

    Kinds are "main", "compared" and, for a recipe with an ingredient, "ingredient". Precisions
    are compared where the machine multiplies bfloat16 natively. A run that is stored was made by
    the recipe as it is, and not in bf16 where the recipe is to have fp32.
    """
    fast = choose_precision("auto", get_device()) == "bf16"
    kinds = ["main", "compared", "ingredient"]
    if not fast or profile == "short":
        kinds.remove("compared")
    stored = {key_of(row): row for row in rows}
    settings = {name: fingerprint(find_recipe(name)) for name in names}

    def is_missing(name: str, seed: int, main: bool) -> bool:
        row = stored.get((name, profile, seed, main))
        if row is None or row["settings"] != settings[name]:
            return True
        return main and find_recipe(name).precision == "fp32" and row["numbers"] != "fp32"

    return [
        (name, seed, kind)
        for kind in kinds
        for seed in range(seeds)
        for name in names
        if (name in VARIANTS) == (kind == "ingredient") and is_missing(name, seed, kind == "main")
    ]


def fingerprint(recipe: Recipe) -> str:
    """A few letters that change with the layers, losses and numbers of a recipe.

    They do not see its data, its precision, or how `build_D` and `build_G` set the first weights:
    after a change there its rows have to go from results.json, so that they are made again.
    """
    networks = [recipe.build_D(), recipe.build_G(recipe.noise_size)]
    told = [
        f"{field.name}={describe(getattr(recipe, field.name))}"
        for field in fields(recipe)
        if field.name not in ("summary", "precision", "build_D", "build_G", "load")
        # a field that recipes get later leaves those alone that do not use it
        and describe(getattr(recipe, field.name)) != describe(field.default)
    ]
    return hashlib.sha256(repr([*told, *map(print_layers, networks)]).encode()).hexdigest()[:12]


def _in_own_process(*task: Any) -> None:
    """Memory is measured by the process; and what breaks off one run leaves the others."""
    worker = multiprocessing.get_context("spawn").Process(target=measure_run, args=task)
    worker.start()
    worker.join()
    if worker.exitcode != 0:
        raise RuntimeError(
            f"{' '.join(map(str, task[1:4]))}: the run ended with an error, see above"
        )


def measure_run(folder: Path, name: str, seed: int, kind: str, profile: str, root: Path) -> None:
    """Train one recipe from one seed; leaves `result.json` in the run's folder."""
    recipe = find_recipe(name)
    settings = fingerprint(recipe)  # of the whole recipe, also where it is cut off
    numbers = choose_precision(recipe.precision, get_device())
    epochs = recipe.count_epochs(profile)
    if kind == "compared":
        numbers = "fp32" if numbers == "bf16" else "bf16"
        whole, epochs = epochs, min(epochs, count_compared(name))
        recipe = cut_off(recipe, epochs / whole)
    elif kind == "ingredient":
        epochs = min(epochs, BUDGET)
    print(f"{name}, seed {seed}, {numbers}, {epochs} epochs", flush=True)
    step, history = recipe.train(
        folder,
        epochs,
        profile,
        seed=seed,
        callbacks=[NoteDistance(recipe, epochs, count_compared(name))],
        precision=numbers,
    )
    if history.stopped == "interrupted":
        raise SystemExit("interrupted; the same command goes on")
    row = {"recipe": name, "profile": profile, "seed": seed, "main": kind == "main"}
    row |= {"numbers": numbers, "settings": settings, "epochs": epochs}
    row |= describe_run(history) | {"parameters": [count_params(step.D), count_params(step.G)]}
    # comparisons read their curves only: the whole report is for what is shown by itself
    count = JUDGED[profile] if kind == "main" else FEW
    row |= describe_quality(judge_recipe(recipe, step, count))
    if kind == "main" and seed == 0:
        _ship(name, step, row, folder, root)
    write_atomically(folder / "result.json", json.dumps(row).encode())


def cut_off(recipe: Recipe, part: float) -> Recipe:
    """The recipe for the first `part` of its training: learning rates are as in the whole."""
    whole = recipe.schedule
    if whole is None:
        return recipe
    return replace(recipe, schedule=lambda share: whole(share * part))


def count_compared(name: str) -> int:
    """After how many epochs a recipe's precisions are compared."""
    return COMPARED.get(name, COMPARED[name.split("_")[0]])


class NoteDistance:
    """A callback: the distance of many samples, and the time of training without its own.

    It is called after each of `epochs` epochs, and measures about `POINTS` of them, the last, and
    the one after which precisions are `compared`.
    """

    def __init__(self, recipe: Recipe, epochs: int = 1, compared: int = 0) -> None:
        self.recipe, self.epochs, self.compared = recipe, epochs, compared
        self.every = max(1, epochs // POINTS)

    def __call__(self, progress: Progress) -> None:
        # by steps: a run that goes on after an epoch counts that one as begun already
        done = progress.step * self.epochs // progress.total_steps
        if done % self.every and done not in (self.compared, self.epochs):
            return
        history = progress.history
        began = time.perf_counter()
        spent = max((v for v in history.extra.get("judging", ()) if v == v), default=0.0)
        history.note("at_step", progress.step)
        history.note("distance", measure_distance(self.recipe, progress.game, ON_CURVE))
        history.note("training", history.seconds - spent)
        history.note("judging", spent + time.perf_counter() - began)


def measure_distance(recipe: Recipe, step: AdversarialStep, count: int) -> float:
    """The distance of `count` samples; NaN for a G that has broken down and left images' range."""
    samples = draw_samples(step, count).to(step.device)
    try:
        reference = recipe.find_reference(samples)
        return float(frechet_classifier_distance(samples, reference, floor=False))
    except ValueError:
        return math.nan


def describe_run(history: History) -> Row:
    """Time, memory and curve of a run."""
    names = ("training", "at_step", "distance")
    points = zip(*(history.extra.get(name, []) for name in names))
    curve = [[round(t / 60, 3), int(s), round(d, 2)] for t, s, d in points if d == d]
    # a run of less than 0.03 seconds, as in tests, has taken 0.000 minutes
    seconds = (curve[-1][0] * 60 if curve else 0) or history.seconds
    return {
        "steps": history.step[-1],
        "minutes": round(seconds / 60, 2),
        "images_per_second": round(history.images / seconds),
        "memory_gb": round(peak_device_memory(), 2),
        "machine": f"{describe_machine()}; {name_processor()}",
        "verdict": diagnose(history).name,
        "curve": curve,
    }


def _ship(name: str, step: Any, row: Row, folder: Path, root: Path) -> None:
    """The grid for the documentation and, for some recipes, the networks."""
    figures = root / "docs" / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "samples.png", figures / f"results_{name}.png")
    if name in SHIPPED and row["distance"] is not None:
        told = ("recipe", "seed", "profile", "epochs", "minutes", "machine", "numbers")
        facts = {key: row[key] for key in told}
        facts["command"] = f"python -m course_utils results {name}"
        write_pretrained(name, step, facts, root / "course_utils" / "weights")
