"""What a run leaves to look at, and how its scores are read without making the device wait."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoints import write_atomically

COLUMNS = ("step", "d_loss", "g_loss", "d_real", "d_fake")


@dataclass(repr=False)
class History:
    """What a run leaves to look at: data only.

    The lists `step`, `d_loss`, `g_loss`, `d_real` (mean D(x)) and `d_fake` (mean D(G(z))) hold
    one entry per logged step. `samples` holds pairs (step, images from the fixed noise).
    `seconds` is the time from the first step to the last, callbacks included, and `images` how
    many real images were seen in it, both over all sessions of a run that was resumed.
    `extra` holds further scores, of a step of your own or noted by a callback, by name; they are
    NaN where nobody gave one. `averaged` is the averaged G, where one was kept. `stopped` says
    why a run ended early.
    """

    step: list[int] = field(default_factory=list)
    d_loss: list[float] = field(default_factory=list)
    g_loss: list[float] = field(default_factory=list)
    d_real: list[float] = field(default_factory=list)
    d_fake: list[float] = field(default_factory=list)
    samples: list[tuple[int, Tensor]] = field(default_factory=list)
    seconds: float = 0.0
    images: int = 0
    averaged: nn.Module | None = None
    extra: dict[str, list[float]] = field(default_factory=dict)
    stopped: str = ""

    def __repr__(self) -> str:
        if not self.step:
            return "History: no step yet"
        names = [name for name in COLUMNS[1:] if getattr(self, name)]
        latest = "  ".join(f"{name} {getattr(self, name)[-1]:.3f}" for name in names)
        ended = f", {self.stopped}" if self.stopped else ""
        return (
            f"History: {self.step[-1]} steps, {self.images_per_second:,.0f} images a second, "
            f"{len(self.step)} entries, {len(self.samples)} grids of samples{ended}; {latest}"
        )

    @property
    def images_per_second(self) -> float:
        """Real images a second, over the whole run; 0 before the first step."""
        return self.images / self.seconds if self.seconds else 0.0

    def log(self, step: int, scores: dict[str, Tensor | float]) -> None:
        """Keep one step's scalars; a name that comes late is NaN before, one left out now."""
        self.step.append(step)
        for name, value in scores.items():
            values = getattr(self, name) if name in COLUMNS else self.extra.setdefault(name, [])
            values += [math.nan] * (len(self.step) - 1 - len(values))
            values.append(_to_float(value))
        for values in self.extra.values():
            values += [math.nan] * (len(self.step) - len(values))

    def note(self, name: str, value: float) -> None:
        """Keep a score of the latest logged step, such as a distance that only a callback knows.

        Before the first logged step there is nowhere to put it, and it is dropped.
        """
        if name in COLUMNS:
            raise ValueError(f"name: expected one of your own, got {name!r}, which `log` keeps")
        if self.step:
            values = self.extra.setdefault(name, [])
            values += [math.nan] * (len(self.step) - len(values))
            values[-1] = _to_float(value)

    def to_csv(self, path: str | Path | None = None) -> str:
        """The logged numbers as a table; also written to `path`, if one is given."""
        columns = {name: getattr(self, name) for name in COLUMNS} | self.extra
        filled = [(name, values) for name, values in columns.items() if values]
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow([name for name, _ in filled])
        writer.writerows(zip(*(values for _, values in filled), strict=True))
        if path is not None:
            write_atomically(Path(path), table.getvalue().encode())
        return table.getvalue()

    @classmethod
    def from_csv(cls, path: str | Path) -> History:
        """The numbers that `to_csv` wrote, in another process for instance."""
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        history = cls()
        for row in rows:
            try:
                step = int(row.pop("step"))
                history.log(step, {name: float(value) for name, value in row.items()})
            except (KeyError, TypeError, ValueError):
                raise ValueError(
                    f"{path}: expected columns {', '.join(COLUMNS)} and others, all of numbers, "
                    f"got {row}"
                ) from None
        return history

    def state_dict(self) -> dict:
        """All of it but the averaged network, as tensors and plain values."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "averaged"}

    def load_state_dict(self, state: dict) -> None:
        """Take over what `state_dict` gave; `stopped` starts empty."""
        for name, value in state.items():
            setattr(self, name, list(value) if isinstance(value, list) else value)
        self.stopped = ""


class Diverged(Exception):
    """A score that is NaN or infinite."""

    def __init__(self, step: int, name: str, value: float) -> None:
        super().__init__(f"{name} is {value} at step {step}")


class Scores:
    """The scores of the steps since the last look, still on the device."""

    def __init__(self) -> None:
        self._names: list[tuple[str, ...]] = []
        self._rows: list[Tensor] = []
        self._latest: dict[str, float] = {}

    def add(self, scores: dict[str, Tensor]) -> None:
        """Keep one step's scalars, without waiting for them."""
        if scores:
            self._names.append(tuple(scores))
            self._rows.append(torch.stack(_alike(scores.values())))

    def read(self, step: int) -> dict[str, float]:
        """The scores of `step`, the last one added; here the loop waits for the device, once.

        Of a score that not every step has (G's loss, where G learns less often), the latest.

        Raises:
            Diverged: the first score since the last look that is not finite.
        """
        values = iter(torch.cat(self._rows).tolist() if self._rows else ())
        names, self._names, self._rows = self._names, [], []
        for number, own in enumerate(names, start=step - len(names) + 1):
            self._latest |= dict(zip(own, values))
            for name in own:
                if not math.isfinite(self._latest[name]):
                    raise Diverged(number, name, self._latest[name])
        return self._latest


def _to_float(value: Tensor | float) -> float:
    """A score as a number; of one that still has its graph, PyTorch would warn."""
    return float(value.detach() if isinstance(value, Tensor) else value)


def _alike(values: Iterable[Tensor]) -> list[Tensor]:
    """Scalars of one type, so that they can lie in one tensor."""
    values = [value.detach() for value in values]
    kind = torch.float64 if any(v.dtype == torch.float64 for v in values) else torch.float32
    return [value.to(kind) for value in values]
