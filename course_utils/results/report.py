"""docs/results.md, its figures, and the README's table, from the measured runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..checkpoints import write_atomically
from ..plots import render
from ..recipes import RECIPES
from ..settings import PROFILES
from .day import MINUTES, NUMBERS, Day, describe_minutes, describe_numbers, place
from .ingredients import BASE, BUDGET, describe_ingredients
from .store import DAY, ON_CURVE, ROOT, STORE, Row, load_day, load_results

BASELINE, BASELINE_EPOCHS = "mlp_sigmoid", 5  # what the others on MNIST are compared with
CIFAR10_PAIR = "cifar10_dcgan", "cifar10_better"  # compared at equal minutes
MOMENTS = (0.5, 1, 2, 4, 8, 16, 32)  # these minutes, as far as both came
DATA_SETS = ("MNIST", "CIFAR-10")
MARKS = "<!-- recipes: written by `python -m course_utils results` -->", "<!-- /recipes -->"


def write_results(root: Path = ROOT) -> None:
    """docs/results.md, its figure of curves, and the README's table, from the stored runs."""
    rows = load_results(root / STORE)
    docs = root / "docs"
    (docs / "figures").mkdir(parents=True, exist_ok=True)
    for profile, data in find_chapters(rows):
        chosen = choose_rows(rows, profile, data)
        if _has_recipes(chosen):
            write_atomically(docs / "figures" / name_figure(profile, data), draw_curves(chosen))
    write_atomically(docs / "results.md", describe_results(rows, load_day(root / DAY)).encode())
    readme = root / "README.md"
    if readme.is_file():
        write_atomically(readme, replace_table(readme.read_text(encoding="utf-8"), rows).encode())
    print(f"written: {docs / 'results.md'}")


def replace_table(text: str, rows: Sequence[Row]) -> str:
    """The README with the table of recipes as the results have it now."""
    begin, end = (text.find(mark) for mark in MARKS)
    if not 0 <= begin < end:
        raise ValueError(f"README.md: expected the lines {MARKS[0]} and {MARKS[1]}, got neither")
    return f"{text[:begin]}{MARKS[0]}\n{describe_recipes(rows)}\n{text[end:]}"


def describe_recipes(rows: Sequence[Row]) -> str:
    """One line a measured recipe: what it is, and what it reaches in its longest profile."""
    lines = [
        "| recipe | networks and loss | distance | minutes | measured on |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, recipe in RECIPES.items():
        runs = _main(rows, name)
        if not runs:
            continue
        lines.append(
            f"| `{name}` | {recipe.summary} | {_middle_of(runs, 'distance'):.1f} | "
            f"{_middle_of(runs, 'minutes'):.1f} | {_device(runs[0])} |"
        )
    return "\n".join(lines)


def describe_results(rows: Sequence[Row], day: Day | None = None) -> str:
    """docs/results.md, from the stored runs and what a GPU day found."""
    parts = [_OPENING]
    for profile, data in find_chapters(rows):
        chosen = choose_rows(rows, profile, data)
        machines = sorted({row["machine"] for row in chosen})
        parts += [
            f"## {data}, profile `{profile}`",
            f"Machine: {'; '.join(machines)}. Runs went side by side on a shared machine, so times "
            "are what they took, not the least they could take; [performance.md](performance.md) "
            "has speeds that can be compared.",
        ]
        if _has_recipes(chosen):
            parts += _describe_recipes_of(chosen, profile, data)
        compared = _describe_precisions(chosen, data)
        if compared:
            parts += ["### bfloat16 against float32", _PRECISIONS, compared]
        effects = describe_ingredients(chosen)
        if effects:
            parts += ["### One ingredient at a time", _INGREDIENTS, effects]
    tables = {
        "At equal minutes, alone": (MINUTES, describe_minutes(day or {})),
        "fp16 against float32": (NUMBERS, describe_numbers(day or {})),
    }
    for title, (words, table) in tables.items():
        if table:
            parts += [f"## {title}", words, table]
    parts += ["## Samples", "From seed 0, the first 64 of the noise that the numbers come from."]
    for name in RECIPES:
        if _main(rows, name):
            alt = f"64 samples of the recipe {name}, eight in a row"
            parts.append(f"`{name}`\n\n![{alt}](figures/results_{name}.png)")
    return "\n\n".join(parts) + "\n"


def _describe_recipes_of(rows: Sequence[Row], profile: str, data: str) -> list[str]:
    """The table of a chapter's recipes, their curves, and how they compare."""
    parts = [
        _table(rows),
        f"Distance against minutes of training, {ON_CURVE:,} samples a point, seed 0:",
        "![Distance against minutes of training, a line for each recipe, on a logarithmic "
        f"scale](figures/{name_figure(profile, data)})",
    ]
    if data == "MNIST":
        return [*parts, "### Against the first pair", _describe_ratios(rows)]
    return [*parts, "### At equal minutes", _EQUAL_MINUTES, describe_equal_minutes(rows)]


def _has_recipes(rows: Sequence[Row]) -> bool:
    """Whether a chapter has more than ingredients and comparisons."""
    return any(row["main"] for row in rows)


_OPENING = """# What the recipes reach

`make results` (also `python -m course_utils results`) trains every recipe from several seeds, but
only what is missing here, and writes this page. The numbers behind it are in
`course_utils/results.json`.

**Distance** is the Fréchet distance of 10,000 samples to the training images on the features of
the course's classifier ([metrics.md](metrics.md)); smaller is better. MNIST and CIFAR-10 have a
classifier each: their distances cannot be compared. **Floor** is what 10,000 real test images get;
where digits are turned for training, they are turned here as well. **Least
class** is the share of the class that comes up least, over all seeds; 10 % would be equal.
**Minutes** are those of the training, without the judging. Memory is the process's on a CPU, the
GPU's on a GPU."""

_PRECISIONS = """Where a machine multiplies bfloat16 natively, `auto` uses it. A recipe may do so
only where the middle distance of its seeds lies inside float32's spread (its mean and two standard
deviations to either side) or below it, after the same number of steps from the same seeds. The
range from the least to the largest of three would be too narrow a measure: of two equally good
ways, one lies above that of the other in one case of five."""


_EQUAL_MINUTES = """As far as both were training. A learning rate that falls does so over the whole
run, so that the longer recipe is cut off in mid-training here. Runs that went side by side were
not slowed alike: how long a step takes alone is in [performance.md](performance.md)."""

_INGREDIENTS = f"""`{BASE}` with one change (some need several settings, as the row says), after
{BUDGET} epochs ({BUDGET * 50_000:,} images) from the same seeds; {ON_CURVE:,} samples each.
"Better" and "worse" are said only where no seed of one lies among those of the other; of two
equally good ways, chance alone looks so in one case of ten, so about once in nine rows.
`python -m course_utils results {BASE}+NAME` trains one."""


def find_chapters(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """The (profile, data set) pairs that were measured, in order."""
    known = {(row["profile"], data_of(row)) for row in rows}
    return [(p, d) for d in DATA_SETS for p in PROFILES if (p, d) in known]


def choose_rows(rows: Sequence[Row], profile: str, data: str) -> list[Row]:
    """The rows of one chapter."""
    return [row for row in rows if (row["profile"], data_of(row)) == (profile, data)]


def data_of(row: Row) -> str:
    """The data set of a run; that of a recipe with an ingredient is its recipe's."""
    recipe = RECIPES.get(row["recipe"].partition("+")[0])
    return "MNIST" if recipe is None else recipe.data


def name_figure(profile: str, data: str) -> str:
    """The file of a chapter's curves."""
    return f"results_{profile}_{data.lower().replace('-', '')}.png"


def describe_equal_minutes(rows: Sequence[Row]) -> str:
    """The better pair against the classic one, after as many minutes on one machine."""
    classic, better = (_main(rows, name) for name in CIFAR10_PAIR)
    lines = [
        "| minutes | " + " | ".join(f"`{name}`, each seed" for name in CIFAR10_PAIR)
        + " | the middles: times nearer |",
        "| --- | --- | --- | --- |",
    ]  # fmt: skip
    for moment in MOMENTS:
        both = [[_within(row, moment) for row in runs] for runs in (classic, better)]
        if all(runs and _lasted(runs, moment) for runs in (classic, better)):
            cells = [", ".join(f"{d:.1f}" for d in distances) for distances in both]
            ratio = median(both[0]) / median(both[1])
            lines.append(f"| {moment:g} | {cells[0]} | {cells[1]} | {ratio:.1f} |")
    if len(lines) == 2:
        return "Not measured yet for both."
    return "\n".join(lines)


def _lasted(runs: Sequence[Row], minutes: float) -> bool:
    """Whether every run has a point by then, and was still training, but for a tenth."""
    return all(row["curve"] and row["curve"][0][0] <= minutes for row in runs) and all(
        row["minutes"] >= 0.9 * minutes for row in runs
    )


def _table(rows: Sequence[Row]) -> str:
    lines = [
        "| recipe | parameters D, G | distance, each seed | middle | floor | least class "
        "| images/s | minutes | peak GB | numbers |",
        "| --- |" + " --- |" * 9,
    ]
    for name in RECIPES:
        runs = _main(rows, name)
        if not runs:
            continue
        each = ", ".join("none" if r["distance"] is None else f"{r['distance']:.1f}" for r in runs)
        d_size, g_size = runs[0]["parameters"]
        floors = [r["floor"] for r in runs if r["floor"] is not None]
        floor = f"{floors[0]:.2f}" if floors else ""
        lines.append(
            f"| `{name}` | {d_size:,}, {g_size:,} | {each} | {_middle_of(runs, 'distance'):.1f} | "
            f"{floor} | {min(min(r['shares']) for r in runs):.1%} | "
            f"{_middle_of(runs, 'images_per_second'):,.0f} | {_middle_of(runs, 'minutes'):.1f} | "
            f"{max(r['memory_gb'] for r in runs):.2f} | {runs[0]['numbers']} |"
        )
    return "\n".join(lines)


def _describe_ratios(rows: Sequence[Row]) -> str:
    """How many times nearer each recipe is than the first pair of the course, at equal minutes."""
    baseline = [_at_epoch(row, BASELINE_EPOCHS) for row in _main(rows, BASELINE)]
    if not baseline:
        return f"`{BASELINE}` was not measured."
    far = median(baseline)
    lines = [
        f"`{BASELINE}` (learning rate 2e-4, batch 64) is at {far:.1f} after {BASELINE_EPOCHS} "
        f"epochs (middle of {len(baseline)} seeds, {ON_CURVE:,} samples). How many times nearer "
        "the others are, middle of their seeds:",
        "",
        "| recipe | seeds | within 5 minutes | within 10 minutes |",
        "| --- | --- | --- | --- |",
    ]
    for name in RECIPES:
        runs = _main(rows, name)
        cells = [
            f"{far / median(_within(row, m) for row in runs):.0f} times" for m in (5, 10) if runs
        ]
        if cells:
            lines.append(f"| `{name}` | {len(runs)} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _describe_precisions(rows: Sequence[Row], data: str) -> str:
    names = [name for name, recipe in RECIPES.items() if recipe.data == data]
    found = {name: compare_precisions(rows, name) for name in names}
    if not any(found.values()):
        return ""
    lines = [
        "| recipe | steps | float32, each seed | bfloat16, each seed | bfloat16's middle is |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, comparison in found.items():
        if comparison is not None:
            steps, by = comparison
            cells = [", ".join(f"{v:.1f}" for v in by[n]) for n in ("fp32", "bf16")]
            lines.append(f"| `{name}` | {steps:,} | {cells[0]} | {cells[1]} | {place(**by)} |")
    open_ones = [
        f"`{name}`" for name in names if RECIPES[name].precision == "auto" and found[name] is None
    ]
    if open_ones:
        lines += ["", f"Not compared yet, and in bfloat16 all the same: {', '.join(open_ones)}."]
    return "\n".join(lines)


def compare_precisions(rows: Sequence[Row], name: str) -> tuple[int, dict[str, list[float]]] | None:
    """Distances after equal steps from the same seeds, by precision; None where one is missing."""
    other = [r for r in rows if r["recipe"] == name and not r["main"] and r["curve"]]
    if not other:
        return None
    step = min(row["steps"] for row in other)
    seeds = {row["seed"] for row in other}
    both = [*other, *(row for row in _main(rows, name) if row["seed"] in seeds)]
    found: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for row in both:
        found[row["numbers"]] += [d for _, s, d in row["curve"] if s == step]
    return (step, found) if all(found.values()) else None


def draw_curves(rows: Sequence[Row]) -> bytes:
    """A PNG: the distance of each recipe against the minutes of its training, seed 0."""
    figure = Figure(figsize=(8, 5), dpi=100)
    axis = figure.subplots()
    for number, name in enumerate(RECIPES):
        runs = [row for row in _main(rows, name) if row["seed"] == 0]
        if runs and runs[0]["curve"]:
            draw_curve(axis, runs[0], number)
    axis.set(xlabel="minutes of training", ylabel="distance to real images", yscale="log")
    axis.grid(alpha=0.3)
    if axis.lines:  # there are none where every first seed broke down at once
        axis.legend(ncols=2)
    figure.tight_layout()
    return render(figure)


def draw_curve(axis: Axes, row: Row, number: int) -> None:
    """One run's distance against minutes; `number` chooses its colour and marker."""
    minutes, _, distances = zip(*row["curve"])
    marker = "osD^v<>P*Xhd"[number % 12]
    colours = (
        "#0072B2",
        "#E69F00",
        "#D55E00",
        "#009E73",
        "#CC79A7",
        "#56B4E9",
        "#000000",
        "#999999",
    )
    axis.plot(minutes, distances, marker=marker, markersize=4, color=colours[number % 8],
              label=row["recipe"])  # fmt: skip


def _main(rows: Sequence[Row], name: str) -> list[Row]:
    """The runs of a recipe as it stands; of the longest profile among `rows`."""
    own = [row for row in rows if row["recipe"] == name and row["main"]]
    longest = max((PROFILES.index(row["profile"]) for row in own), default=0)
    return [row for row in own if row["profile"] == PROFILES[longest]]


def _middle_of(runs: Sequence[Row], key: str) -> float:
    known = [row[key] for row in runs if row[key] is not None]
    return median(known) if known else math.nan


def _at_epoch(row: Row, epoch: int) -> float:
    """The distance after so many epochs; endless where the run had broken down by then."""
    step = row["steps"] // row["epochs"] * epoch
    return next((d for _, s, d in row["curve"] if s == step), math.inf)


def _within(row: Row, minutes: float) -> float:
    """The distance at the last point of the curve within so many minutes."""
    return next((d for t, _, d in reversed(row["curve"]) if t <= minutes), math.inf)


def _device(row: Row) -> str:
    return row["machine"].split(";")[0]
