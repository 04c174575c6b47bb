"""The day itself: tasks in order, each in a process of its own, until the time is up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch

from ..checkpoints import write_atomically
from ..results.store import DAY, ROOT, load_day
from ..settings import describe_machine, get_device, name_processor
from ..validation import need_number
from . import parts
from .parts import PARTS, Part

STORE = ROOT / DAY
SHORTEST = 15  # seconds: with less time left no further task is begun
REST = 0.2  # seconds between two looks at the processes
SHOWN = 1500  # letters of the log of a task that failed

Task = tuple[str, str]  # the part, and the task in it


def run_day(
    names: Sequence[str] = (),
    *,
    minutes: float = 14,
    store: Path | None = None,
    logs: Path = Path("runs", "gpu-day"),
    toy: bool = False,
) -> bool:
    """Measure what `store` lacks, in order; whether everything that was asked for is there.

    Args:
        names: parts such as "bench", or tasks such as "bench/mlp" or "bench/cifar*"; all if none
            is given.
        minutes: after so many no task is left running.
        store: the file that holds what was found, and gets each finding at once; that of the
            course if not given, but for toys.
        logs: the folder for what tasks print.
        toy: one small task a part, to try the day out where there is no GPU.

    Raises:
        ValueError: an unknown name, or there is no GPU and `toy` is not set.
    """
    need_number(minutes, "minutes", above=0)
    chosen = choose_tasks(names, toy)
    if not toy and get_device().type != "cuda":
        raise ValueError("gpu-day: expected an NVIDIA GPU, got none; --toy tries it out without")
    store = store or (logs / "toy.json" if toy else STORE)
    end = time.monotonic() + 60 * minutes
    there = load_day(store)
    missing = [task for task in chosen if "/".join(task) not in there]
    print(f"{describe_card()}\n{len(missing)} of {len(chosen)} tasks to do", flush=True)
    for name, part in PARTS.items():
        own = [task for task in missing if task[0] == name]
        beside = 1 if toy else max(1, min(part.beside, len(own), (os.cpu_count() or 1) // 2))
        for task, found in run_beside(own, beside, logs, end, toy):
            save_found(store, task, found)
    left = [task for task in chosen if "/".join(task) not in load_day(store)]
    print(f"left: {', '.join('/'.join(task) for task in left) or 'nothing'}")
    return not left


def choose_tasks(names: Sequence[str], toy: bool = False) -> list[Task]:
    """The tasks that `names` mean, in the order of their worth.

    Raises:
        ValueError: a name means none.
    """
    known = [(p, t) for p, part in PARTS.items() for t in (part.toy if toy else part.tasks)]
    for name in names:
        if not any(_is_meant(task, name) for task in known):
            raise ValueError(
                f"gpu-day: expected some of {', '.join(PARTS)}, or a task such as "
                f"{'/'.join(known[1])}, got {name!r}"
            )
    return [task for task in known if not names or any(_is_meant(task, n) for n in names)]


def _is_meant(task: Task, name: str) -> bool:
    return name == task[0] or fnmatchcase("/".join(task), name)


def save_found(store: Path, task: Task, found: dict[str, Any]) -> None:
    """Add one finding to the file, a line each."""
    day = load_day(store) | {"/".join(task): found}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(day[name])}" for name in sorted(day))
    store.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(store, f"{{\n{lines}\n}}\n".encode())


# --- processes ----------------------------------------------------------------------------------


def write_command(task: Task, answer: Path, toy: bool) -> list[str]:
    """What measures one task, and leaves its answer in a file."""
    command = [sys.executable, "-m", "course_utils", "gpu-day", "--task", "/".join(task)]
    return [*command, "--into", str(answer.absolute()), *(["--toy"] if toy else [])]


@dataclass
class Running:
    """A task in its process."""

    task: Task
    log: Path
    limit: float  # seconds
    threads: int
    toy: bool
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.answer = self.log.with_suffix(".json")
        self.answer.unlink(missing_ok=True)
        command = write_command(self.task, self.answer, self.toy)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
                env=os.environ | {"OMP_NUM_THREADS": str(self.threads)},
            )  # fmt: skip

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def poll(self) -> dict[str, Any] | str | None:
        """What was found, or a word on why nothing was; None while it runs."""
        code = self.process.poll()
        if code is None and self.seconds < self.limit:
            return None
        if code is None:
            self.end()
            return f"stopped after {self.seconds:.0f} s"
        if code or not self.answer.is_file():
            return f"failed (exit code {code})"
        return json.loads(self.answer.read_text()) | {"seconds": round(self.seconds, 1)}

    def end(self) -> None:
        """With whatever it has started: kernels, workers."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def run_beside(
    tasks: Sequence[Task], beside: int, logs: Path, end: float, toy: bool
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Run tasks, some at a time, and give each that has found something."""
    waiting, running = list(tasks), []
    try:
        while waiting or running:
            while waiting and len(running) < beside and end - time.monotonic() > SHORTEST:
                running.append(_start(waiting.pop(0), beside, logs, end, toy))
            if not running:
                return  # the time is up
            time.sleep(REST)
            for one in list(running):
                found = one.poll()
                if found is None:
                    continue
                running.remove(one)
                if isinstance(found, str):
                    tail = one.log.read_text(errors="replace")[-SHOWN:]
                    print(f"{'/'.join(one.task)}: {found}\n{tail}", flush=True)
                else:
                    print(f"{'/'.join(one.task)}: {found['seconds']} s", flush=True)
                    yield one.task, found | {"beside": beside}
    finally:
        for one in running:
            one.end()


def _start(task: Task, beside: int, logs: Path, end: float, toy: bool) -> Running:
    part: Part = PARTS[task[0]]
    limit = min(part.limit, end - time.monotonic())
    threads = max(1, (os.cpu_count() or 1) // beside)  # more would wait for each other
    return Running(task, logs / f"{'-'.join(task)}.log", limit, threads, toy)


def measure_task(name: str, into: Path, toy: bool = False) -> None:
    """In the task's own process: measure, and leave the answer in a file."""
    (task,) = choose_tasks([name], toy)
    if not toy:
        parts.need_real_data(*task)
    found = PARTS[task[0]].measure(task[1], toy)
    answer = {"found": found, "toy": toy, "machine": describe_card()}
    write_atomically(into, json.dumps(answer).encode())


def describe_card() -> str:
    """The card, its driver, and the versions that matter."""
    facts = [describe_machine()]
    if get_device().type == "cuda":
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            told = subprocess.run(query, capture_output=True, text=True, check=True, timeout=30)
            facts.append(f"driver {told.stdout.split()[0]}")
        except (OSError, subprocess.SubprocessError, IndexError):
            facts.append("driver not told")
        facts.append(f"cuDNN {torch.backends.cudnn.version()}")
    return "; ".join([*facts, f"{name_processor()}, {os.cpu_count()} cores"])
