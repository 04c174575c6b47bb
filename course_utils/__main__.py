"""The command line: `python -m course_utils COMMAND`.

Commands: doctor, run, train, bench, lessons, classifiers, verdicts, results, extra-data, gpu-day.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .settings import PROFILES

WORK = ("train", "bench", "classifiers", "verdicts", "results", "extra-data", "gpu-day")
INTERRUPTED = 130  # the exit code of a command that Ctrl-C has ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 when all is well."""
    options = _parse(arguments)
    if options.command == "doctor":
        from . import doctor

        return 0 if doctor.examine() else 1
    if options.command in WORK:
        try:
            return _work(options)
        except ValueError as problem:
            print(problem, file=sys.stderr)
            return 1

    from . import authoring  # late: students have no need of what it is made from

    try:
        if options.command == "run":
            authoring.run_lesson(options.lesson, options.out)
        elif options.action == "build":
            authoring.build_lessons(numbers=options.lessons)
        elif options.action == "outputs":
            authoring.execute_lessons(numbers=options.lessons, profile=options.profile)
        else:
            return _report(authoring.check_lessons(numbers=options.lessons))
    except authoring.LessonError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _work(options: argparse.Namespace) -> int:
    """A command that computes for long; each imports only what it needs."""
    if options.command == "train":
        return _train(options)
    if options.command == "bench":
        from . import bench

        bench.run_bench(options.out, rounds=options.rounds, pairs=options.pairs or None)
    elif options.command == "classifiers":
        from . import classifiers

        for name in options.names or classifiers.PLANS:
            print(classifiers.train_classifier(name, options.out or classifiers.FOLDER))
    elif options.command == "extra-data":
        from . import extra_data

        seeds = extra_data.SEEDS if options.seeds is None else options.seeds
        extra_data.measure_extra_data(seeds=range(seeds))
    elif options.command == "gpu-day":
        return _run_gpu_day(options)
    elif options.command == "results":
        from . import results

        results.measure_results(
            options.names or None, seeds=options.seeds, profile=options.profile, runs=options.runs
        )
    else:
        from . import verdicts

        verdicts.measure_verdicts(options.out, options.pairs or None)
    return 0


def _train(options: argparse.Namespace) -> int:
    from .recipes import train_recipe

    history = train_recipe(
        options.recipe,
        options.out or f"runs/{options.recipe}",
        profile=options.profile,
        epochs=options.epochs,
        fresh=options.fresh,
    )
    return {"": 0, "interrupted": INTERRUPTED}.get(history.stopped, 1)


def _run_gpu_day(options: argparse.Namespace) -> int:
    from . import gpu_day

    if options.fill:
        gpu_day.fill_tables()
        return 0
    if options.task:
        gpu_day.measure_task(options.task, Path(options.into), options.toy)
        return 0
    whole = gpu_day.run_day(options.names, minutes=options.minutes, toy=options.toy)
    return 0 if whole else 1


def _report(problems: Sequence[str]) -> int:
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(problems)} problems" if problems else "lessons and notebooks agree")
    return 1 if problems else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m course_utils", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="is this machine ready? an [OK] or [FAIL] line each")
    run = commands.add_parser("run", help="execute a solved lesson; keep notebook, HTML, samples")
    run.add_argument("lesson", help="its number, such as 01")
    run.add_argument("--out", required=True, help="the folder to leave them in")
    train = commands.add_parser("train", help="train a recipe; the same command again goes on")
    train.add_argument("recipe", help="its name, such as dcgan; another word lists the names")
    train.add_argument("--out", help="the run's folder; runs/NAME if not given")
    train.add_argument(
        "--profile", choices=PROFILES, help="how long; chosen by the machine if not given"
    )
    train.add_argument("--epochs", type=int, help="how long, in passes over the data")
    train.add_argument("--fresh", action="store_true", help="start over, whatever was saved")
    bench = commands.add_parser("bench", help="how fast this machine trains, against a plain loop")
    bench.add_argument(
        "--out", default="runs/bench", help="the folder for bench.json and bench.png"
    )
    bench.add_argument("--rounds", type=int, default=5, help="how often each row is measured")
    bench.add_argument(
        "--pairs", nargs="*", help="mlp, dcgan, cifar10 or cifar10_better; all if not given"
    )
    lessons = commands.add_parser("lessons", help="for authors: make or check the notebooks")
    lessons.add_argument("action", choices=("build", "check", "outputs"))
    lessons.add_argument("lessons", nargs="*", help="numbers; all lessons if none is given")
    lessons.add_argument("--profile", choices=PROFILES, help="for `outputs`")
    classifiers = commands.add_parser(
        "classifiers", help="for authors: train the classifiers that judge samples again"
    )
    classifiers.add_argument("names", nargs="*", choices=("mnist", "cifar10", []), metavar="NAME")
    classifiers.add_argument("--out", help="the folder for them; those in use if not given")
    verdicts = commands.add_parser(
        "verdicts", help="for authors: how often `diagnose` is right, over seeds"
    )
    verdicts.add_argument("--out", default="runs/verdicts", help="the folder for the table")
    verdicts.add_argument("--pairs", nargs="*", help="which networks: MLP, DCGAN; all if not given")
    results = commands.add_parser(
        "results", help="for authors: train every recipe, only what is missing; docs/results.md"
    )
    results.add_argument("names", nargs="*", metavar="NAME", help="recipes; all if none is given")
    results.add_argument("--seeds", type=int, default=3, help="from how many seeds")
    results.add_argument("--profile", choices=("cpu", "gpu"), help="by default the machine's own")
    results.add_argument("--runs", default="runs/results", help="the folder for the runs")
    extra = commands.add_parser(
        "extra-data", help="for authors: what samples add to few digits; docs/extra_data.md"
    )
    extra.add_argument("--seeds", type=int, help="from how many seeds")
    day = commands.add_parser(
        "gpu-day", help="for authors: all that needs a GPU, in minutes; goes on where it stopped"
    )
    day.add_argument("names", nargs="*", metavar="NAME", help="bench, lessons/02, ...; or all")
    day.add_argument("--minutes", type=float, default=14, help="after so many it ends")
    day.add_argument("--toy", action="store_true", help="one small task a part, without a GPU")
    day.add_argument("--fill", action="store_true", help="only write the tables that follow")
    day.add_argument("--task", help=argparse.SUPPRESS)  # one task in a process of its own
    day.add_argument("--into", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
