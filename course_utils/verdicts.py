"""How often is `diagnose` right? Runs made healthy and runs made to fail, from several seeds.

python -m course_utils verdicts

Seeds 0 to 4 of the MLP pair were looked at when the thresholds in `diagnosis.py` were set. The
report counts seeds 5 to 9 of the same runs, and a DCGAN pair whose runs no threshold has seen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .checkpoints import write_atomically
from .diagnosis import ADVICE, Signs, diagnose, read_signs
from .gallery import HEALTHY, LEAST_SQUARES, NOISE, InBlocks, Setup, play, saturating_loss
from .losses import discriminator_loss
from .metrics import class_coverage
from .models import sample_noise
from .settings import describe_machine, name_processor
from .training import Progress, Stopped
from .training.interrupt import INTERRUPTED
from .validation import need_choice

SAMPLES = 2000
SEEN, UNSEEN = range(5), range(5, 10)  # seeds: to set thresholds with, to report
PLAYED = {"MLP": (900, (*SEEN, *UNSEEN)), "DCGAN": (600, (1, 2))}  # steps and seeds

# (what a run is, how it was made)
SHARED = (
    ("healthy", HEALTHY),
    ("healthy", Setup("the same, least squares", **LEAST_SQUARES)),
    ("D has won", Setup("G hardly learns: rate 1e-6", lr=(1e-3, 1e-6))),
    ("oscillation", Setup("learning in turns of 50 steps", step=InBlocks)),
    ("oscillation", Setup("the same, least squares", step=InBlocks, **LEAST_SQUARES)),
    ("not yet started", Setup("nobody learns: rates 1e-7", lr=(1e-7, 1e-7))),
    ("not yet started", Setup("60 steps", steps=60)),
)
SATURATING = {"momentum": 0.5, "losses": (discriminator_loss, saturating_loss)}
# What makes one pair fail does not make the other one fail: a slow D does a DCGAN no harm.
SETUPS = {
    "MLP": (
        *SHARED,
        ("D has won", Setup("SGD, and a loss of G that saturates", lr=(0.1, 0.1), **SATURATING)),
        ("G has collapsed", Setup("D learns too slowly for G: rate 5e-5", lr=(5e-5, 1e-3))),
        ("G has collapsed", Setup("D 5e-5, least squares", lr=(5e-5, 1e-3), **LEAST_SQUARES)),
        ("not finite", Setup("SGD with momentum, rates 0.1", lr=(0.1, 0.1), momentum=0.9)),
        (
            "not finite",
            Setup("the same, least squares", lr=(0.1, 0.1), momentum=0.9, **LEAST_SQUARES),
        ),
    ),
    "DCGAN": (
        *SHARED,
        ("D has won", Setup("G learns not at all: rate 1e-9", lr=(1e-3, 1e-9))),
        ("G has collapsed", Setup("D learns too slowly for G: rate 1e-6", lr=(1e-6, 1e-3))),
        ("G has collapsed", Setup("G runs ahead: rates 1e-4, 3e-2", lr=(1e-4, 3e-2))),
        ("not finite", Setup("SGD, rates 0.1, a loss that saturates", lr=(0.1, 0.1), **SATURATING)),
        (
            "not finite",
            Setup(
                "SGD with momentum, rates 1, least squares",
                lr=(1.0, 1.0),
                momentum=0.9,
                **LEAST_SQUARES,
            ),
        ),
    ),
}


def measure_verdicts(out: str | Path, pairs: Sequence[str] | None = None) -> None:
    """Play every run, and write the table of verdicts (`verdicts.md`, `verdicts.json`) to `out`."""
    rows = []
    for pair in pairs or PLAYED:
        steps, seeds = PLAYED[need_choice(pair, "pair", PLAYED)]
        for seed in seeds:
            for kind, setup in SETUPS[pair]:
                rows.append(measure_run(pair, kind, setup, steps, seed))
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "verdicts.json", json.dumps(rows, indent=1).encode())
    write_atomically(out / "verdicts.md", describe_verdicts(rows).encode())
    print(f"written: {out / 'verdicts.md'}")


def measure_run(pair: str, kind: str, setup: Setup, steps: int, seed: int) -> dict:
    """One run's verdict and signs."""
    history = play(setup, steps, pair=pair, seed=seed, callbacks=[note_classes])
    if history.stopped == INTERRUPTED:
        raise Stopped("stopped: a run that was cut short has no verdict")
    verdict = diagnose(history)
    mark = "right" if verdict.name == kind else "WRONG"
    print(f"{pair} {seed} {kind} ({setup.what}): {mark}: {verdict.headline}", flush=True)
    row = {"pair": pair, "kind": kind, "what": setup.what, "seed": seed, "verdict": verdict.name}
    return row | {"signs": asdict(read_signs(history)) if history.step else None}


def note_classes(progress: Progress) -> None:
    """A callback: at the end, how many classes 2,000 samples reach."""
    if progress.step < progress.total_steps:
        return
    game = progress.game
    samples = game.sample(sample_noise(SAMPLES, NOISE, game.noise, game.device))
    progress.history.note("classes", class_coverage(samples, floor=False).reached)


def describe_verdicts(rows: Sequence[dict]) -> str:
    """The confusion matrices and the ranges of each sign, as markdown."""
    groups = {
        "MLP pair, seeds 0 to 4: the thresholds were set on these": ("MLP", SEEN),
        "MLP pair, seeds 5 to 9: reported": ("MLP", UNSEEN),
        "DCGAN pair, seeds 1 and 2: reported; no threshold was set on it": ("DCGAN", (1, 2)),
    }
    parts = [
        f"Measured on {describe_machine()}; {name_processor()}, "
        "with `python -m course_utils verdicts`."
    ]
    for title, (pair, seeds) in groups.items():
        chosen = [row for row in rows if row["pair"] == pair and row["seed"] in seeds]
        if chosen:
            parts += [f"## {title}", _confusion(chosen), _ranges(pair, chosen)]
    return "\n\n".join(parts) + "\n"


def _confusion(rows: Sequence[dict]) -> str:
    """One row a kind of run, one column a verdict."""
    counts = Counter((row["kind"], row["verdict"]) for row in rows)
    right = sum(row["kind"] == row["verdict"] for row in rows)
    lines = [
        f"{right} of {len(rows)} right ({right / len(rows):.0%}). Rows: how the run was made. "
        "Columns: the verdict.",
        "",
        "| | " + " | ".join(ADVICE) + " |",
        "| --- |" + " --- |" * len(ADVICE),
    ]
    for kind in ADVICE:
        cells = [str(counts[kind, verdict] or "") for verdict in ADVICE]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ranges(pair: str, rows: Sequence[dict]) -> str:
    """The lowest and highest value of each sign, for each way to train."""
    names = [name for name in Signs.__dataclass_fields__ if name != "steps"]
    lines = [
        "The signs, lowest to highest:",
        "",
        "| run | how | " + " | ".join(names) + " |",
        "| --- | --- |" + " --- |" * len(names),
    ]
    for kind, setup in SETUPS[pair]:
        run = kind, setup.what
        own = [r["signs"] for r in rows if (r["kind"], r["what"]) == run and r["signs"]]
        cells = []
        for name in names:
            values = sorted(signs[name] for signs in own if signs[name] == signs[name])
            cells.append(f"{values[0]:.2f} to {values[-1]:.2f}" if values else "")
        lines.append(f"| {kind} | {setup.what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
