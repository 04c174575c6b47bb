"""The machine a lesson runs on: its device, its profile, its random state."""

from __future__ import annotations

import json
import os
import platform
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from .validation import need_choice, need_count

PROFILES = ("short", "cpu", "gpu")
MEASURED = Path(__file__).with_name("measured.json")  # written by `make outputs`

T = TypeVar("T")


def get_device() -> torch.device:
    """The fastest device here: CUDA, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def get_profile() -> str:
    """How much a lesson computes: `COURSE_PROFILE` if set, else "gpu" on a GPU, else "cpu".

    "short" is for tests: every cell runs, nothing is learned.

    Raises:
        ValueError: `COURSE_PROFILE` holds another word.
    """
    chosen = os.environ.get("COURSE_PROFILE")
    if chosen:
        return need_choice(chosen, "COURSE_PROFILE", PROFILES)
    return "cpu" if get_device().type == "cpu" else "gpu"


def by_profile(*, short: T, cpu: T, gpu: T) -> T:
    """The value for the present profile: `epochs = by_profile(short=1, cpu=10, gpu=50)`."""
    return {"short": short, "cpu": cpu, "gpu": gpu}[get_profile()]


def is_strict() -> bool:
    """Whether an exercise that is wrong or empty stops the notebook (`COURSE_STRICT=1`)."""
    return os.environ.get("COURSE_STRICT", "") not in ("", "0")


def get_runs_folder() -> Path:
    """Where runs are kept: `COURSE_RUNS` if set, else `runs` in the present folder."""
    return Path(os.environ.get("COURSE_RUNS") or "runs")


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and torch alike; `seed` is a whole number from 0 to 2**32 - 1."""
    seed = need_count(seed, "seed", minimum=0)
    if seed >= 2**32:
        raise ValueError(f"seed: expected a number below 2**32 (NumPy's limit), got {seed}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def get_random_state() -> dict[str, Any]:
    """Every global random state, as tensors and plain values: Python's, NumPy's, torch's."""
    kind, words, *rest = np.random.get_state()
    state = {
        "python": random.getstate(),
        "numpy": (kind, words.tolist(), *rest),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put back what `get_random_state` gave; a device that is not here is left out."""
    random.setstate(state["python"])
    kind, words, *rest = state["numpy"]
    np.random.set_state((kind, np.array(words, dtype=np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and len(state.get("cuda", ())) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    if torch.backends.mps.is_available() and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


@contextmanager
def fork_random(seed: int | None = None) -> Iterator[None]:
    """Inside, draw as you like (from `seed`, if given); outside, no random state has moved."""
    before = get_random_state()
    try:
        if seed is not None:
            set_seed(seed)
        yield
    finally:
        set_random_state(before)


def describe_machine() -> str:
    """One line: the device and the versions that matter."""
    device = get_device()
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        what = f"{card.name}, {card.total_memory / 2**30:.0f} GB"
    elif device.type == "mps":
        what = "Apple GPU"
    else:
        what = f"CPU, {torch.get_num_threads()} threads"
    return f"{what}; Python {platform.python_version()}, torch {torch.__version__}"


def name_processor() -> str:
    """The processor's name; Python itself knows it only on some systems."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


def peak_memory() -> float:
    """The most memory this process ever held, in GB. Its text is sent to the lesson's kernel."""
    import sys
    from pathlib import Path

    status = Path("/proc/self/status")
    if status.exists():  # not getrusage: on Linux that counts what the parent held at the fork
        kilobytes = next(
            line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")
        )
        return int(kilobytes) / 2**20
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**30
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30


def peak_device_memory() -> float:
    """The most memory this process ever held, in GB: the GPU's where there is one."""
    if get_device().type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return peak_memory()


def start(lesson: str) -> None:
    """Say where lesson `lesson` ("01") runs and how long it took where it was measured."""
    if not isinstance(lesson, str):
        raise TypeError(f"lesson: expected a name such as '01', got {lesson!r}")
    profile = get_profile()
    print(f"Lesson {lesson} on {describe_machine()}.")
    cost = expected_cost(lesson, profile)
    print(f"Profile '{profile}'" + (f": {cost}." if cost else "."))
    if profile == "cpu" and "COLAB_RELEASE_TAG" in os.environ:
        print("No GPU was found: Runtime > Change runtime type > T4 GPU makes this faster.")


def expected_cost(lesson: str, profile: str) -> str:
    """The minutes and memory that a real run of the lesson took, as a phrase; "" if none was."""
    measured = json.loads(MEASURED.read_text()) if MEASURED.is_file() else {}
    cost = measured.get(lesson, {}).get(profile)
    if cost is None:
        return ""
    return (
        f"{cost['minutes']:.1f} minutes and {describe_memory(cost)} of memory "
        f"when measured on {cost['machine']}"
    )


def describe_memory(cost: dict[str, Any]) -> str:
    """The memory that a lesson took: the process's, and the card's where there was one."""
    own = f"{cost['memory_gb']:.1f} GB"
    return f"{own}, {cost['gpu_memory_gb']:.1f} GB on the GPU" if "gpu_memory_gb" in cost else own
