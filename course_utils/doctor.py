"""Is this machine ready? One line for each thing that a lesson leans on."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from .data import find_sources
from .settings import get_device

OLDEST_PYTHON = (3, 10)

Finding = tuple[bool, str]  # is it well, and the line that says so


def examine() -> bool:
    """Print an [OK] or [FAIL] line for each thing; True when nothing failed."""
    findings = [*_python(), *_requirements(), *_graphics(), *_widgets(), *_data()]
    for is_well, line in findings:
        print(f"[{'OK' if is_well else 'FAIL'}] {line}")
    return all(is_well for is_well, _ in findings)


def _python() -> Iterator[Finding]:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    here = f"{platform.python_version()} on {platform.system()}, {os.cpu_count()} cores"
    yield sys.version_info >= OLDEST_PYTHON, f"Python {here} (needs {oldest} or newer)"


def _requirements() -> Iterator[Finding]:
    """Each line of requirements.txt against what is installed."""
    for requirement in _read_requirements():
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield False, f"{requirement.name}: missing; run `pip install '{requirement}'`"
            continue
        is_new_enough = requirement.specifier.contains(version, prereleases=True)
        yield is_new_enough, f"{requirement.name} {version} (needs {requirement.specifier})"


def _read_requirements() -> list[Requirement]:
    """From requirements.txt in a checkout, else from the installed package's own list."""
    listed = Path(__file__).parent.parent / "requirements.txt"
    if listed.is_file():
        lines = [line.split("#")[0].strip() for line in listed.read_text().splitlines()]
        return [Requirement(line) for line in lines if line]
    wanted = metadata.requires("gan-course") or []
    return [r for r in map(Requirement, wanted) if r.marker is None]


def _graphics() -> Iterator[Finding]:
    device = get_device()
    if device.type == "cpu":
        yield True, "GPU: none found; every lesson runs on the CPU, with smaller settings"
    else:
        yield True, f"GPU: {device.type}"


def _widgets() -> Iterator[Finding]:
    """Sliders and progress bars: 7.7 (Colab) and 8 are both fine, older ones are not."""
    try:
        version = metadata.version("ipywidgets")
        import ipywidgets

        ipywidgets.IntSlider()
    except Exception as problem:  # whatever breaks there, the lesson's sliders break too
        yield False, f"ipywidgets: no slider can be made ({type(problem).__name__}: {problem})"
        return
    parts = [int(number) for number in re.findall(r"\d+", version)[:2]]
    yield parts >= [7, 7], f"ipywidgets {version} makes sliders"


def _data() -> Iterator[Finding]:
    """A line for each source, and a failure only where no source at all could serve a set."""
    sources = find_sources()
    for data_set in sorted({name.split(":")[0] for name, _, _ in sources}):
        own = [source for source in sources if source[0].startswith(f"{data_set}:")]
        usable = [name.split(": ", 1)[1] for name, could_serve, _ in own if could_serve]
        yield bool(usable), f"{data_set} can come from: {', '.join(usable) or 'nowhere'}"
