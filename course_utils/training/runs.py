"""A run on disk: which folder it has, what it must agree with, and what it takes to go on."""

from __future__ import annotations

import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.optim import Optimizer

from ..checkpoints import (
    KEPT,
    clear_unfinished,
    list_checkpoints,
    load_newest,
    save_checkpoint,
    write_atomically,
)
from ..settings import get_random_state, get_runs_folder, set_random_state
from .describe import MACHINE, compare_settings, hash_settings
from .history import History
from .scaling import LossScaling
from .speed import match_layout
from .step import AdversarialStep

ENTRIES = (
    *("settings", "step", "epoch", "position", "fixed_noise", "history", "device", "D", "G"),
    *("D_solver", "G_solver", "averaged", "random", "noise", "loader"),
)
RESUMES = ("all", "weights")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Run:
    """The folder of one run.

    A plain name means a folder under `COURSE_RUNS` that ends in a short hash of the settings, so
    that other settings are another run. A path means that folder, and the settings must agree.
    """

    def __init__(self, checkpoint: str | Path, settings: dict[str, str]) -> None:
        if not isinstance(checkpoint, (str, Path)):
            raise TypeError(
                f"checkpoint: expected a name or a folder's path, got {type(checkpoint).__name__}: "
                f"{checkpoint!r}"
            )
        self.settings = settings
        self.named = isinstance(checkpoint, str) and not {"/", os.sep} & set(checkpoint)
        if self.named:
            if not _NAME.fullmatch(checkpoint):
                raise ValueError(
                    "checkpoint: expected a name of letters, digits, '.', '_' and '-', or a "
                    f"folder's path, got {checkpoint!r}"
                )
            self.name = checkpoint
            self.folder = get_runs_folder() / f"{checkpoint}-{hash_settings(settings)}"
        else:
            self.folder = Path(checkpoint).expanduser()
        self._replace_older = False
        self._complained = ""

    def load(self, fresh: bool, resume: str) -> dict[str, Any] | None:
        """The state to go on from, or None; one printed line says which.

        Raises:
            ValueError: the folder was named by its path and holds a run with other settings, or
                nothing in it can be used.
        """
        clear_unfinished(self.folder)
        if fresh:
            self._replace_older = True
            print(f"checkpoint: a fresh start in {self.folder}")
            return None
        folder = self._find_weights() if resume == "weights" else self.folder
        state, refused = load_newest(folder, lambda state: self._find_fault(state, resume))
        for reason in refused.values():
            print(f"checkpoint: {reason}: taking the one before")
        if state is None:
            if refused:
                raise ValueError(
                    f"checkpoint: expected a usable file in {folder}, got only damaged ones; "
                    "fresh=True starts over"
                )
            self._announce_new()
            return None
        for path in refused:  # set aside: only what can be used counts among those that are kept
            path.replace(path.with_name(f"{path.name}.refused"))
        differing = compare_settings(state["settings"], self.settings)
        if differing and resume == "all":
            raise ValueError(
                f"checkpoint: expected the settings of the run in {folder}, got others: "
                f"{'; '.join(differing)}. Another folder starts a new run, fresh=True starts over "
                "here, resume='weights' takes the networks only"
            )
        if resume == "weights":
            print(f"checkpoint: only the weights, of step {state['step']}, from {folder}")
        else:
            print(f"checkpoint: goes on from step {state['step']} in {folder}")
        return state

    def _find_fault(self, state: dict[str, Any], resume: str) -> str:
        """Why a whole file cannot be used all the same, or ""."""
        missing = [name for name in ENTRIES if name not in state]
        if missing:
            return f"has no {', '.join(missing)}"
        if self.named and resume == "all" and state["settings"] != self.settings:
            return "belongs to a run with other settings"
        return ""

    def save(self, state: dict[str, Any], history: History) -> None:
        """Keep `state`; a disk that is full or closed is a warning, and training goes on.

        Raises:
            NotFinite: something in it is NaN or infinite; nothing was written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self.settings, indent=2) + "\n"
            write_atomically(self.folder / "settings.json", text.encode())
            save_checkpoint(
                self.folder,
                {**state, "settings": self.settings},
                1 if self._replace_older else KEPT,
            )
            self._replace_older = False
            history.to_csv(self.folder / "history.csv")
        except (OSError, TypeError) as error:
            if str(error) != self._complained:  # once, not at every attempt
                self._complained = str(error)
                warnings.warn(
                    f"checkpoint: not saved ({error}); training goes on, and saving is tried again",
                    stacklevel=3,
                )

    def _find_weights(self) -> Path:
        """The run's own folder if it holds something, else the latest other run of that name."""
        if not self.named or list_checkpoints(self.folder):
            return self.folder
        return next(iter(self._others()), self.folder)

    def _others(self) -> list[Path]:
        """Folders of runs with this name and other settings, the latest first."""
        pattern = re.compile(re.escape(self.name) + r"-[0-9a-f]{8}")
        parent = self.folder.parent
        names = os.listdir(parent) if parent.is_dir() else []
        found = [parent / name for name in names if pattern.fullmatch(name)]
        found = [folder for folder in found if list_checkpoints(folder) and folder != self.folder]
        return sorted(found, key=lambda folder: list_checkpoints(folder)[0].stat().st_mtime)[::-1]

    def _announce_new(self) -> None:
        others = self._others() if self.named else []
        text = f"checkpoint: a new run in {self.folder}"
        if others:
            try:
                former = json.loads((others[0] / "settings.json").read_text())
            except (OSError, ValueError):
                former = {}
            changed = "; ".join(compare_settings(former, self.settings))
            text += (
                f", as the settings have changed ({changed}); the former run is kept in {others[0]}"
            )
        print(text)


def capture(step: AdversarialStep, loader: Any) -> dict[str, Any]:
    """Everything that the next step depends on, as tensors and plain values."""
    return {
        "device": step.device.type,
        "D": step.D.state_dict(),
        "G": step.G.state_dict(),
        "D_solver": _solver_state(step.D_solver),
        "G_solver": _solver_state(step.G_solver),
        "averaged": None if step.averaged is None else step.averaged.state_dict(),
        "scaling": None if step.scaling is None else step.scaling.state_dict(),
        "random": get_random_state(),
        "noise": step.generator.get_state(),
        "loader": loader.state_dict() if hasattr(loader, "state_dict") else None,
    }


def restore(state: dict[str, Any], step: AdversarialStep, scheduled: bool) -> bool:
    """Put back what `capture` gave, but for the loader. Whether it is on the same kind of device.

    With a schedule the learning rates stay as they are: they are what it multiplies.
    """
    restore_weights(state, step)
    for name in ("D_solver", "G_solver"):
        _restore_solver(
            getattr(step, name), state[name], (*MACHINE, "lr") if scheduled else MACHINE
        )
    if state.get("scaling"):  # runs of before there was fp16 have no such entry
        solvers = step.D_solver, step.G_solver
        step.scaling = LossScaling(*solvers, step.device.type, state["scaling"])
    set_random_state(state["random"])
    if state["device"] != step.device.type:
        print(f"checkpoint: made on {state['device']}, so noise and order start anew here")
        return False
    step.generator.set_state(state["noise"])
    return True


def restore_loader(state: dict[str, Any], loader: Any) -> bool:
    """Whether the loader could be put at its place in the epoch."""
    if state["loader"] is None or not hasattr(loader, "load_state_dict"):
        return False
    loader.load_state_dict(state["loader"])
    return True


def restore_weights(state: dict[str, Any], step: AdversarialStep) -> None:
    """The networks, and the averaged G where both sides have one.

    Raises:
        ValueError: they are not the networks that were saved.
    """
    averaged = {"averaged": step.averaged} if step.averaged is not None else {}
    for name, network in {"D": step.D, "G": step.G, **averaged}.items():
        if state[name] is None:  # that run kept no average: begin with the network itself
            network.load_state_dict(state["G"])
            continue
        try:
            network.load_state_dict(state[name])
        except RuntimeError as error:
            raise ValueError(
                f"checkpoint: expected the weights of this {name}, got others: {error}"
            ) from None


def _solver_state(solver: Optimizer) -> dict[str, Any]:
    state = solver.state_dict()
    groups = [
        {
            name: value.item() if isinstance(value, (Tensor, np.generic)) else value
            for name, value in group.items()
            if name not in MACHINE
        }
        for group in state["param_groups"]
    ]
    return {"state": state["state"], "param_groups": groups}


def _restore_solver(solver: Optimizer, state: dict[str, Any], kept: tuple[str, ...]) -> None:
    """Its counts and averages; what is `kept` of its settings stays as it is here."""
    groups = [
        {**saved, **{name: group[name] for name in kept if name in group}}
        for saved, group in zip(state["param_groups"], solver.param_groups, strict=True)
    ]
    solver.load_state_dict({"state": state["state"], "param_groups": groups})
    match_layout(solver)
