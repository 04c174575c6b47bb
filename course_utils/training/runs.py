"""A run on disk: which folder it has, what it must agree with, and what it takes to go on."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import os
import re
import textwrap
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn
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
from .history import History
from .speed import match_layout
from .step import AdversarialStep

RESUMES = ("all", "weights")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MACHINE = ("fused", "foreach", "capturable", "differentiable")  # how, not what, a solver computes


class Run:
    """The folder of one run.

    A plain name means a folder under `COURSE_RUNS` that ends in a short hash of the settings, so
    that other settings are another run. A path means that folder, and the settings must agree.
    """

    def __init__(self, checkpoint: str | Path, settings: dict[str, str]) -> None:
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
                nothing in it can be read.
        """
        clear_unfinished(self.folder)
        if fresh:
            self._replace_older = True
            print(f"checkpoint: a fresh start in {self.folder}")
            return None
        folder = self._find_weights() if resume == "weights" else self.folder
        state, complaints = load_newest(folder)
        for complaint in complaints:
            print(f"checkpoint: {complaint}: taking the one before")
        if state is None:
            if complaints:
                raise ValueError(
                    f"checkpoint: expected one usable file in {folder}, got only damaged ones; "
                    "fresh=True starts over"
                )
            self._announce_new()
            return None
        differing = compare_settings(state.get("settings", {}), self.settings)
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

    def save(self, state: dict[str, Any], history: History) -> None:
        """Keep `state`; a disk that is full or closed is a warning, and training goes on.

        Raises:
            NotFinite: something in it is NaN or infinite; nothing was written.
        """
        try:
            save_checkpoint(
                self.folder,
                {**state, "settings": self.settings},
                1 if self._replace_older else KEPT,
            )
            self._replace_older = False
            write_atomically(self.folder / "history.csv", history.to_csv().encode())
            text = json.dumps(self.settings, indent=2) + "\n"
            write_atomically(self.folder / "settings.json", text.encode())
        except OSError as error:
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
    state = {
        "device": step.device.type,
        "D": step.D.state_dict(),
        "G": step.G.state_dict(),
        "D_solver": _solver_state(step.D_solver),
        "G_solver": _solver_state(step.G_solver),
        "averaged": None if step.averaged is None else step.averaged.state_dict(),
        "random": get_random_state(),
        "noise": step.generator.get_state(),
        "loader": loader.state_dict() if hasattr(loader, "state_dict") else None,
    }
    return state


def restore(state: dict[str, Any], step: AdversarialStep, loader: Any) -> bool:
    """Put back what `capture` gave. Whether the loader could be put at its place in the epoch."""
    restore_weights(state, step)
    for name in ("D_solver", "G_solver"):
        _restore_solver(getattr(step, name), state[name])
    set_random_state(state["random"])
    if state["device"] != step.device.type:
        print(f"checkpoint: made on {state['device']}, so noise and order start anew here")
        return False
    step.generator.set_state(state["noise"])
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


def describe_settings(step: AdversarialStep, loader: Any, **others: Any) -> dict[str, str]:
    """What makes two runs the same run, in words that can be compared."""
    return {
        "step": describe(type(step)),
        "D": _describe_network(step.D),
        "G": _describe_network(step.G),
        "D_solver": _describe_solver(step.D_solver),
        "G_solver": _describe_solver(step.G_solver),
        "discriminator_loss": describe(step.discriminator_loss),
        "generator_loss": describe(step.generator_loss),
        "noise": f"{step.noise_size} {step.noise}",
        "augment": describe(step.augment),
        "penalty": describe(step.penalty),
        "fresh_fakes": str(step.fresh_fakes),
        "loader": _describe_loader(loader),
        **{name: describe(value) for name, value in others.items()},
    }


def hash_settings(settings: dict[str, str]) -> str:
    """Eight letters that change with any setting."""
    return _short_hash(json.dumps(settings, sort_keys=True))


def compare_settings(former: dict[str, str], present: dict[str, str]) -> list[str]:
    """What differs, one phrase each: `D_solver: was Adam lr 0.001, is Adam lr 0.002`."""
    names = sorted(former.keys() | present.keys())
    return [
        _difference(name, former.get(name, "absent"), present.get(name, "absent"))
        for name in names
        if former.get(name) != present.get(name)
    ]


def describe(value: Any) -> str:
    """A value, function or class in words that stay the same while it means the same.

    A function is its name, its code without comments and layout, and the plain values it holds.
    """
    if isinstance(value, types.MethodType):
        return f"{describe(value.__func__)} of {describe(type(value.__self__))}"
    if isinstance(value, nn.Module):
        return _describe_network(value)
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        held = [*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        texts = [describe(inner) for inner in held if inner is not value]
        inside = f"({', '.join(texts)})" if texts else ""
        return f"{value.__name__}{inside} {_fingerprint(value)}"
    if isinstance(value, type):
        return f"{value.__name__} {_fingerprint(value)}"
    if isinstance(value, Tensor):
        return f"tensor {tuple(value.shape)} {_short_hash(str(value.tolist()))}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(describe, value))}]"
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if hasattr(value, "__dict__"):
        held = ", ".join(f"{k}={describe(v)}" for k, v in sorted(vars(value).items()))
        return f"{type(value).__name__}({held})"
    return getattr(value, "__name__", type(value).__name__)


def _fingerprint(thing: Callable) -> str:
    """A short hash of a function's or class's code; "" for torch's own, which do not change."""
    if (getattr(thing, "__module__", None) or "").split(".")[0] in ("torch", "builtins"):
        return ""
    try:
        code = ast.dump(ast.parse(textwrap.dedent(inspect.getsource(thing))))
    except (OSError, TypeError, SyntaxError):  # a lambda in the middle of a line, a shell's input
        code = getattr(thing, "__code__", None)
        code = f"{code.co_code}{code.co_names}{code.co_consts}" if code else ""
    return _short_hash(code)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _describe_network(network: nn.Module) -> str:
    shapes = [f"{name} {tuple(value.shape)}" for name, value in network.state_dict().items()]
    own = {type(m) for m in network.modules() if not type(m).__module__.startswith("torch.")}
    codes = sorted(f"{kind.__name__} {_fingerprint(kind)}" for kind in own)
    return f"{network!r} {shapes} {codes}"


def _describe_solver(solver: Optimizer) -> str:
    groups = [
        {
            name: float(value) if name in ("lr", "initial_lr") else value
            for name, value in group.items()
            if name not in ("params", *_MACHINE)
        }
        for group in solver.param_groups
    ]
    return f"{type(solver).__name__} {groups}"


def _describe_loader(loader: Any) -> str:
    dataset = getattr(loader, "dataset", None)
    names = ("batch_size", "drop_last", "shuffle", "augment")
    held = [f"{name}={describe(getattr(loader, name))}" for name in names if hasattr(loader, name)]
    what = f"{type(dataset).__name__} of {len(dataset)}" if hasattr(dataset, "__len__") else ""
    name = getattr(dataset, "name", "")
    return (
        f"{type(loader).__name__} of {len(loader)} batches {what} {name} {' '.join(held)}".strip()
    )


def _difference(name: str, former: str, present: str) -> str:
    """Both texts, cut down to the part in which they differ."""
    start = next((i for i, (a, b) in enumerate(zip(former, present)) if a != b), 0)
    start = max(0, former.rfind(" ", 0, start)) if start > 40 else 0

    def cut(text: str) -> str:
        part = text[start:]
        return ("…" if start else "") + (part if len(part) < 80 else part[:77] + "…")

    return f"{name}: was {cut(former)}, is {cut(present)}"


def _solver_state(solver: Optimizer) -> dict[str, Any]:
    state = solver.state_dict()
    groups = [
        {
            name: float(value) if isinstance(value, Tensor) else value
            for name, value in group.items()
            if name not in _MACHINE
        }
        for group in state["param_groups"]
    ]
    return {"state": state["state"], "param_groups": groups}


def _restore_solver(solver: Optimizer, state: dict[str, Any]) -> None:
    """Its counts and averages; how it computes is the present machine's business."""
    groups = [
        {**saved, **{name: group[name] for name in _MACHINE if name in group}}
        for saved, group in zip(state["param_groups"], solver.param_groups, strict=True)
    ]
    solver.load_state_dict({"state": state["state"], "param_groups": groups})
    match_layout(solver)
