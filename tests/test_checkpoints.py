"""Checkpoint files that are whole or refused, the table beside them, and what makes a run."""

from __future__ import annotations

import errno
import functools
import hashlib
import importlib.util
import io
import itertools
import json
import math
import os
import pickle
import random
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import interrupted_run
import numpy as np
import pytest
import torch
from helpers import steady
from hypothesis import given
from hypothesis import strategies as st
from interrupted_run import make_images, make_networks, make_step, weighted_by
from torch import Tensor, nn

from course_utils import checkpoints
from course_utils.checkpoints import (
    MAGIC,
    DamagedCheckpoint,
    NotFinite,
    clear_unfinished,
    list_checkpoints,
    load_checkpoint,
    load_newest,
    save_checkpoint,
    write_atomically,
)
from course_utils.data import BatchLoader, ImageSet, random_rotation
from course_utils.losses import discriminator_loss, generator_loss
from course_utils.training import AdversarialStep, History
from course_utils.training.describe import (
    compare_settings,
    describe_settings,
    hash_settings,
    print_layers,
)

HERE = Path(__file__).parent


pytestmark = pytest.mark.usefixtures("own_randomness")


def make_state(number: int = 1) -> dict[str, Any]:
    """Some kB of tensors and plain values."""
    return {"step": number, "weights": {"a": torch.randn(40, 30), "b": torch.arange(5)}, "why": ""}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and all(map(same, one, other)) and len(one) == len(other)
    return type(one) is type(other) and one == other


# --- whole -----------------------------------------------------------------------------------

plain = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=9)
    | st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
tensors = st.builds(
    lambda shape, dtype: torch.arange(math.prod(shape)).reshape(shape).to(dtype),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from([torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool]),
)
states = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        plain | tensors,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                    max_size=3)
        | st.lists(inner, max_size=3).map(tuple),
        max_leaves=6,
    ),
    max_size=4,
)  # fmt: skip


@steady
@given(state=states)
def test_what_is_saved_is_what_is_loaded(tmp_path_factory, state):
    folder = tmp_path_factory.mktemp("states") / "new" / "deep"
    path = save_checkpoint(folder, state)
    assert same(load_checkpoint(path), state)
    assert same(load_newest(folder)[0], state)
    assert [p.name for p in folder.iterdir()] == ["checkpoint-000001.pt"]


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_are_kept(tmp_path, keep):
    for number in range(1, 6):
        path = save_checkpoint(tmp_path, make_state(number), keep)
        assert path.name == f"checkpoint-{number:06d}.pt"
        steps = [load_checkpoint(p)["step"] for p in list_checkpoints(tmp_path)]
        assert steps == list(range(number, 0, -1))[:keep]


def test_two_are_kept_unless_told_otherwise(tmp_path):
    for number in range(5):
        save_checkpoint(tmp_path, make_state(number))
    assert len(list(tmp_path.iterdir())) == 2


def test_only_checkpoints_count(tmp_path):
    assert list_checkpoints(tmp_path / "nowhere") == []
    assert load_newest(tmp_path / "nowhere") == (None, {})
    for name in ("checkpoint-1.pt", "checkpoint-000007.pt.12.unfinished", "notes", "checkpoint.pt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "checkpoint-1000000.pt").write_bytes(b"")
    (tmp_path / "checkpoint-000009.pt").write_bytes(b"")
    names = [path.name for path in list_checkpoints(tmp_path)]
    assert names == ["checkpoint-1000000.pt", "checkpoint-000009.pt"]  # by number, not by letter
    assert save_checkpoint(tmp_path, make_state(), keep=9).name == "checkpoint-1000001.pt"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_what_is_not_finite_is_never_saved(tmp_path, value, dtype):
    save_checkpoint(tmp_path, make_state())
    spoiled = torch.zeros(3, 3, dtype=dtype)
    spoiled[1, 2] = value
    with pytest.raises(NotFinite, match=r"state\.outer\.inner\[1\]\[0\] holds NaN"):
        save_checkpoint(tmp_path, {"good": torch.ones(2), "outer": {"inner": [0, (spoiled, 1)]}})
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000001.pt"]


# --- written whole or not at all -------------------------------------------------------------


def fail(*arguments: Any, **named: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


class HalfFile(io.FileIO):
    """A disk that is full after half of it."""

    def write(self, content: bytes) -> int:
        super().write(content[: len(content) // 2])
        fail()
        return 0


def interrupt(*arguments: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "where, what, error",
    [("open", fail, OSError), ("open", HalfFile, OSError), ("os.fsync", fail, OSError),
     ("os.replace", fail, OSError), ("os.fsync", interrupt, KeyboardInterrupt)],
)  # fmt: skip
def test_a_save_that_fails_changes_nothing(tmp_path, monkeypatch, where, what, error):
    for number in (1, 2):
        save_checkpoint(tmp_path, make_state(number))
    (tmp_path / "table").write_bytes(b"old")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(f"course_utils.checkpoints.{where}", what, raising=where != "open")
    for call in (
        lambda: save_checkpoint(tmp_path, make_state(3)),
        lambda: write_atomically(tmp_path / "table", b"new"),
    ):
        with pytest.raises(error):
            call()
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    monkeypatch.undo()
    save_checkpoint(tmp_path, make_state(3))
    assert load_newest(tmp_path)[0]["step"] == 3


def test_a_disk_that_really_takes_no_more(tmp_path):
    """The system itself refuses to let a file grow beyond 10,000 bytes."""
    save_checkpoint(tmp_path, {"step": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError):
            save_checkpoint(tmp_path, {"step": 2, "weights": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000001.pt"]
    assert load_newest(tmp_path)[0] == {"step": 1}


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "taken").write_text("a file")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "inside"):
        with pytest.raises(OSError):
            save_checkpoint(folder, make_state())
        assert load_newest(folder) == (None, {})
        clear_unfinished(folder)
    with pytest.raises(OSError):
        write_atomically(tmp_path / "taken" / "inside", b"new")


def test_clearing_removes_unfinished_files_only(tmp_path):
    save_checkpoint(tmp_path, make_state())
    for name in ("checkpoint-000002.pt.7.unfinished", "history.csv.7.unfinished", "mine.txt"):
        (tmp_path / name).write_bytes(b"half")
    clear_unfinished(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["checkpoint-000001.pt", "mine.txt"]


# --- damaged or malicious --------------------------------------------------------------------


class Malicious:
    """Unpickling it makes a file, by a way that `call` names."""

    def __init__(self, marker: Path, call: str) -> None:
        self.marker, self.call = marker, call

    def __reduce__(self):
        marker = str(self.marker)
        return {
            "os.system": (os.system, (f"touch '{marker}'",)),
            "open": (open, (marker, "w")),
            "eval": (eval, (f"open({marker!r}, 'w')",)),
            "exec": (exec, (f"open({marker!r}, 'w')",)),
            "Path": (Path.touch, (Path(marker),)),
            "subprocess": (subprocess.call, (["touch", marker],)),
            "torch.save": (torch.save, ({}, marker)),
        }[self.call]


def seal(body: bytes) -> bytes:
    """A file whose sum is right."""
    return MAGIC + hashlib.sha256(body).digest() + body


def pack(value: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


CALLS = ("os.system", "open", "eval", "exec", "Path", "subprocess", "torch.save")
BODIES = {
    "a pickle": pickle.dumps,
    "an old pickle": lambda value: pickle.dumps(value, protocol=0),
    "torch's file": pack,
    "torch's old file": lambda value: pack(value, _use_new_zipfile_serialization=False),
    "deep inside": lambda value: pack({"step": 1, "D": {"weight": [torch.ones(2), (value,)]}}),
    "a key": lambda value: pack({"step": 1, "history": {"samples": [(value, 1)]}}),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_no_file_runs_code(tmp_path, call, body, sealed):
    marker = tmp_path / "marker"
    content = BODIES[body](Malicious(marker, call))
    if call == "open" and body == "a pickle":  # the trap is a real one
        pickle.loads(content)
        assert marker.exists()
        marker.unlink()
    folder = tmp_path / "run"
    save_checkpoint(folder, make_state(1))
    bad = folder / "checkpoint-000002.pt"
    bad.write_bytes(seal(content) if sealed else MAGIC + bytes(32) + content)
    with pytest.raises(DamagedCheckpoint, match=r"checkpoint-000002\.pt"):
        load_checkpoint(bad)
    state, complaints = load_newest(folder)
    assert state["step"] == 1 and len(complaints) == 1 and str(bad) in complaints[bad]
    assert not marker.exists()


@pytest.mark.parametrize(
    "value", [[1, 2], 5, None, "text", torch.ones(2), nn.Linear(1, 1), np.ones(2), {1, 2}, print]
)
def test_what_is_no_dict_of_tensors_and_values_is_refused(tmp_path, value):
    path = tmp_path / "checkpoint-000001.pt"
    path.write_bytes(seal(pack(value)))
    with pytest.raises(DamagedCheckpoint, match=r"checkpoint-000001\.pt"):
        load_checkpoint(path)


def damages(content: bytes, other: bytes, chance: random.Random, count: int):
    """Each a (name, damaged content): every kind in turn, at random places."""
    start = len(MAGIC) + 32

    def flip():
        spoiled = bytearray(content)
        for _ in range(chance.choice([1, 1, 2, 50])):
            spoiled[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        return bytes(spoiled)

    def insert():
        place = chance.randrange(len(content) + 1)
        return content[:place] + chance.randbytes(chance.randint(1, 40)) + content[place:]

    def zeros():
        place = chance.randrange(len(content) - 64)
        return content[:place] + bytes(64) + content[place + 64 :]

    def halves():
        place = chance.randrange(len(content))
        return content[:place] + other[place:]

    kinds = {
        "truncated": lambda: content[: chance.randrange(len(content))],
        "cut at the front": lambda: content[chance.randint(1, len(content)) :],
        "bytes flipped": flip,
        "bytes inserted": insert,
        "bytes appended": lambda: content + chance.randbytes(chance.randint(1, 9)),
        "bytes removed": lambda: content[:1000] + content[1000 + chance.randint(1, 99) :],
        "zeros in it": zeros,
        "nothing but zeros": lambda: bytes(chance.randrange(2 * len(content))),
        "random bytes": lambda: chance.randbytes(chance.randrange(2 * len(content))),
        "halves of two": halves,
        "another's body": lambda: content[:start] + other[start:],
        "another's sum": lambda: other[:start] + content[start:],
        "random body": lambda: content[:start] + chance.randbytes(len(content) - start),
        "random body, sealed": lambda: seal(chance.randbytes(chance.randint(1, 5000))),
        "cut body, sealed": lambda: seal(content[start : chance.randrange(start + 1, 5000)]),
        "no header": lambda: content[start:],
        "header twice": lambda: seal(content),
        "another kind of file": lambda: b"step,d_loss\n1,0.5\n" * chance.randint(1, 99),
    }
    for name, kind in itertools.islice(itertools.cycle(kinds.items()), count):
        spoiled = kind()
        while spoiled == content:
            spoiled = kind()
        yield name, spoiled


def test_two_hundred_damaged_files_are_refused_by_name(tmp_path):
    good, newest = (save_checkpoint(tmp_path, make_state(number)) for number in (1, 2))
    content, other = newest.read_bytes(), good.read_bytes()
    seen = set()
    for name, spoiled in damages(content, other, random.Random(0), 200):
        newest.write_bytes(spoiled)
        with pytest.raises(DamagedCheckpoint, match=newest.name):
            load_checkpoint(newest)
        state, complaints = load_newest(tmp_path)
        assert state["step"] == 1, name
        assert len(complaints) == 1 and str(newest) in complaints[newest]
        seen.add(name)
    assert len(seen) == 18
    newest.write_bytes(content)
    assert load_newest(tmp_path)[0]["step"] == 2


@pytest.mark.parametrize("place", [0, 10, len(MAGIC), len(MAGIC) + 31, len(MAGIC) + 32, -1])
def test_every_part_of_the_file_is_guarded(tmp_path, place):
    path = save_checkpoint(tmp_path, make_state())
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedCheckpoint):
        load_checkpoint(path)


def test_something_else_under_a_checkpoints_name(tmp_path):
    save_checkpoint(tmp_path, make_state(1))
    (tmp_path / "checkpoint-000002.pt").mkdir()
    (tmp_path / "checkpoint-000003.pt").symlink_to(tmp_path / "nowhere")
    state, complaints = load_newest(tmp_path)
    assert state["step"] == 1 and len(complaints) == 2


def test_nothing_but_damaged_files(tmp_path):
    for number in (1, 2):
        save_checkpoint(tmp_path, make_state(number)).write_bytes(b"")
    state, complaints = load_newest(tmp_path)
    assert state is None and len(complaints) == 2
    assert [path.name[11:17] for path in complaints] == ["000002", "000001"]


def test_loading_is_torchs_safe_kind(tmp_path, monkeypatch):
    seen, load = [], torch.load
    monkeypatch.setattr(
        "course_utils.checkpoints.torch.load",
        lambda *arguments, **options: seen.append(options) or load(*arguments, **options),
    )
    load_checkpoint(save_checkpoint(tmp_path, make_state()))
    assert seen == [{"map_location": "cpu", "weights_only": True}]
    assert checkpoints.KEPT == 2


# --- the table -------------------------------------------------------------------------------

numbers = st.floats(allow_nan=False, allow_infinity=False)
NAMES = ("d_loss", "g_loss", "d_real", "d_fake")


@steady
@given(rows=st.lists(st.tuples(*[numbers] * 4), max_size=6), columns=st.integers(0, 4))
def test_a_table_holds_every_number_exactly(tmp_path_factory, rows, columns):
    history = History()
    for step, row in enumerate(rows, start=1):
        history.log(step, dict(zip(NAMES[:columns], row)))
    path = tmp_path_factory.mktemp("tables") / "history.csv"
    text = history.to_csv(path)
    assert path.read_text() == text == history.to_csv()
    again = History.from_csv(path)
    for name in ("step", *NAMES):
        assert getattr(again, name) == getattr(history, name)
        assert list(map(type, getattr(again, name))) == list(map(type, getattr(history, name)))
    assert text.partition("\n")[0] == (",".join(("step", *NAMES[:columns])) if rows else "")
    assert [p.name for p in path.parent.iterdir()] == ["history.csv"]


def test_a_state_holds_all_of_a_history_but_its_network():
    history = History(averaged=nn.Linear(1, 1), stopped="interrupted", seconds=2.5, images=7)
    history.log(3, {"d_loss": 0.5})
    history.samples.append((3, torch.ones(2)))
    again = History()
    again.load_state_dict(history.state_dict())
    assert (again.step, again.d_loss, again.seconds, again.images) == ([3], [0.5], 2.5, 7)
    assert again.stopped == "" and again.averaged is None and again.samples[0][0] == 3
    again.log(4, {"d_loss": 1.0})
    assert history.step == [3]  # no list is shared


@pytest.mark.parametrize(
    "text", ["step,mood\n1,good\n", "name\nx\n", "step,d_loss\n1,0.5,7\n", "d_loss\n0.5\n"]
)
def test_another_table_is_refused(tmp_path, text):
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"{path}: expected columns"):
        History.from_csv(path)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> dict[str, Any]:
    """What another process sees: hashes of settings, and a table written here."""
    path = tmp_path_factory.mktemp("table") / "history.csv"
    history = History()
    history.log(1, {"d_loss": 0.1, "g_loss": 1 / 3})
    history.to_csv(path)
    code = (
        "import json, sys, interrupted_run as r; from course_utils.training import History; "
        "h = History.from_csv(sys.argv[1]); "
        "print(json.dumps(r.describe_here() | {'table': [h.step, h.d_loss, h.g_loss]}))"
    )
    command = [sys.executable, "-c", code, str(path)]
    found = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=100)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_another_process_reads_the_table(elsewhere):
    assert elsewhere["table"] == [[1], [0.1], [1 / 3]]


# --- what makes a run itself -----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "with functions"])
def test_another_process_finds_the_same_run(elsewhere, kind):
    assert elsewhere[kind] == interrupted_run.describe_here()[kind]


def make_loader(count: int = 44, batch_size: int = 8, degrees: float = 20, **options: Any):
    images = make_images()
    part = ImageSet(images.images[:count], images.labels[:count])
    return BatchLoader(part, batch_size, "cpu", augment=random_rotation(degrees), **options)


def settings(loader: BatchLoader | None = None, kind: Any = None, **options: Any):
    of_train = {"ema": 0.9, "schedule": None, "seed": 1}
    of_train |= {name: options.pop(name) for name in tuple(options) if name in of_train}
    step = make_step(**({"kind": kind} if kind else {}), **options)
    return describe_settings(step, loader or make_loader(), **of_train)


def with_D(**changes: Any) -> dict[str, Any]:
    D = make_networks()[0]
    for place, layer in changes.items():
        D[int(place[1:])] = layer
    return settings(D=D)


def wider_G() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 99), nn.Linear(99, 64), nn.Unflatten(1, (1, 8, 8)))


def square(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().mean()


def fall(done: float) -> float:
    return 1 - done


def rise(done: float) -> float:
    return done


DIFFERENT = {
    "a layer's size": (lambda: settings(G=wider_G()), "G"),
    "a slope": (lambda: with_D(_2=nn.LeakyReLU(0.2)), "D"),
    "an activation": (lambda: with_D(_2=nn.ReLU()), "D"),
    "dropout": (lambda: with_D(_3=nn.Dropout(0.3)), "D"),
    "lr": (lambda: settings(lr=0.003), "D_solver"),
    "betas": (lambda: settings(betas=(0.5, 0.99)), "D_solver"),
    "the solver": (lambda: settings(solver=torch.optim.AdamW), "G_solver"),
    "D's loss": (lambda: settings(losses=(square, generator_loss)), "discriminator_loss"),
    "G's loss": (lambda: settings(losses=(discriminator_loss, torch.mean)), "generator_loss"),
    "an augmentation's angle": (lambda: settings(make_loader(degrees=10)), "loader"),
    "no augmentation of D": (lambda: settings(augment=None), "augment"),
    "a penalty": (lambda: settings(penalty=weighted_by(1.0)), "penalty"),
    "noise size": (lambda: settings(noise_size=9), "noise"),
    "noise kind": (lambda: settings(noise="normal"), "noise"),
    "batch size": (lambda: settings(make_loader(batch_size=9)), "loader"),
    "images": (lambda: settings(make_loader(count=43)), "loader"),
    "drop_last": (lambda: settings(make_loader(drop_last=True)), "loader"),
    "shuffle": (lambda: settings(make_loader(shuffle=False)), "loader"),
    "ema": (lambda: settings(ema=0.99), "ema"),
    "no ema": (lambda: settings(ema=None), "ema"),
    "seed": (lambda: settings(seed=2), "seed"),
    "schedule": (lambda: settings(schedule=fall), "schedule"),
    "fresh fakes": (lambda: settings(fresh_fakes=True), "fresh_fakes"),
    "another game": (lambda: settings(kind=type("Game", (AdversarialStep,), {})), "step"),
}


@pytest.mark.parametrize("change", DIFFERENT)
def test_each_of_these_is_another_run(change):
    make, name = DIFFERENT[change]
    usual, changed = settings(), make()
    assert hash_settings(usual) != hash_settings(changed)
    differing = [text.partition(":")[0] for text in compare_settings(usual, changed)]
    assert name in differing and len(differing) <= 2
    for text in compare_settings(usual, changed):
        _, was, now = text.partition(": was ")[2].partition(", is ")
        assert was and text.partition(": was ")[2].partition(", is ")[0] != now  # it shows


class Tuned:
    """A penalty or schedule made as an object."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, *arguments: Any) -> float:
        return self.weight

    def method(self, *arguments: Any) -> float:
        return self.weight


def scaled(done: float, weight: float = 1.0) -> float:
    return weight


def held_in(value: Any) -> Any:
    return lambda done: value


class Plain(nn.Module):
    """A network with a number that is no layer."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope, self.layer = slope, nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.leaky_relu(self.layer(x.flatten(1)), self.slope)


VALUES = {
    "a schedule": lambda value: settings(schedule={1.0: fall, 2.0: rise}[value]),
    "a closure": lambda value: settings(schedule=held_in(value)),
    "a penalty's closure": lambda value: settings(penalty=weighted_by(value)),
    "a default": lambda value: settings(schedule=eval(f"lambda done, weight={value}: weight")),
    "an object": lambda value: settings(schedule=Tuned(value)),
    "a tensor": lambda value: settings(schedule=held_in(torch.tensor(value))),
    "a tuple": lambda value: settings(schedule=held_in((1, value))),
    "an object's method": lambda value: settings(schedule=Tuned(value).method),
    "a partial function": lambda value: settings(schedule=functools.partial(scaled, weight=value)),
    "a dict": lambda value: settings(schedule=held_in({"weight": value})),
    "an array": lambda value: settings(schedule=held_in(np.array([value]))),
    "a network's own number": lambda value: settings(D=Plain(value)),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_that_a_function_holds_is_a_setting(kind):
    one, again, other = (hash_settings(VALUES[kind](value)) for value in (1.0, 1.0, 2.0))
    assert one == again
    assert one != other


def test_these_are_the_same_run():
    usual = hash_settings(settings())
    torch.manual_seed(5)
    assert hash_settings(settings()) == usual  # other weights, another order
    assert hash_settings(settings(one_pass=True)) == usual
    step = make_step()
    for solver in (step.D_solver, step.G_solver):
        solver.param_groups[0].update(fused=True, foreach=False, capturable=True)
    found = describe_settings(step, make_loader(), ema=0.9, schedule=None, seed=1)
    assert hash_settings(found) == usual
    assert compare_settings(found, settings()) == []


@pytest.mark.parametrize(
    "options",
    [{"log_every": 7}, {"show_every": 3}, {"callbacks": [print]}, {"precision": "auto"},
     {"channels_last": False}, {"fused": False}, {"checkpoint_every": 100}, {"num_epochs": 2}],
    ids=lambda options: next(iter(options)),
)  # fmt: skip
def test_how_a_run_is_watched_and_computed_is_no_setting(tmp_path, monkeypatch, options, capsys):
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    interrupted_run.run("same", **{"num_epochs": 1})
    interrupted_run.run("same", **{"num_epochs": 1, "start": 2} | options)
    assert len(list(tmp_path.iterdir())) == 1
    assert "goes on from step 6" in capsys.readouterr().out


places = itertools.count()


def load_source(folder: Path, source: str) -> Any:
    """The thing that `thing` names in a module of that source, which keeps its name."""
    path = folder / f"part{next(places)}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("a_lesson", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["a_lesson"] = module  # where `inspect` looks for the source of a class
    spec.loader.exec_module(module)
    return module.thing


LOSS = "def thing(real, fake):\n    return (real - 1).square().mean() + fake.square().mean()\n"
NETWORK = """
from torch import nn
class thing(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 1)
    def forward(self, x):
        return self.layer(x.flatten(1)).tanh()
"""


def test_an_edited_loss_is_another_run_and_a_comment_is_not(tmp_path):
    def found(source: str) -> str:
        return hash_settings(settings(losses=(load_source(tmp_path, source), generator_loss)))

    usual = found(LOSS)
    assert found(LOSS) == usual
    assert found("import math\n\n\n" + LOSS) == usual  # further down in the file
    commented = LOSS.replace("):\n", "):  # least squares\n    # after Mao\n\n")
    assert found(commented) == usual
    assert found(LOSS.replace("(real - 1)", "( real-1 )")) == usual
    assert found(LOSS.replace("- 1", "- 0.9")) != usual
    assert found(LOSS.replace("+ fake", "- fake")) != usual
    assert found(LOSS.replace("square", "abs")) != usual


def test_layout_of_many_lines_is_no_setting_either(tmp_path):
    """What a formatter does: brackets, quotes, a comma at the end, a line broken in two."""

    def found(source: str) -> str:
        return hash_settings(settings(losses=(load_source(tmp_path, source), generator_loss)))

    one = 'def thing(real, fake, word="a"):\n    return (real - fake).square().mean()\n'
    other = """
def thing(
    real,
    fake,  # made up
    word='a',
):

    return (
        (real - fake)
        .square()  # so that both ways count
        .mean()
    )
"""
    assert found(one) == found(other)
    assert found(one) != found(other.replace("'a'", "'b'"))


@pytest.mark.parametrize("told", ["", ", bias=True"])
def test_a_network_is_described_alike_by_every_torch(monkeypatch, told):
    """Some name the bias of batch norm where they print it."""

    def print_norm(self) -> str:
        return f"{self.num_features}, eps=1e-05, momentum=0.1, affine=True{told}, track=True"

    network = nn.Sequential(nn.Linear(3, 2, bias=False), nn.BatchNorm1d(2))
    monkeypatch.setattr(nn.BatchNorm1d, "extra_repr", print_norm)
    printed = print_layers(network)
    assert "(1): BatchNorm1d(2, eps=1e-05, momentum=0.1, affine=True, track=True)" in printed
    assert "in_features=3, out_features=2, bias=False" in printed  # those of other layers stay


def test_an_edited_network_is_another_run(tmp_path):
    def found(source: str) -> str:
        return hash_settings(settings(D=load_source(tmp_path, source)()))

    assert found(NETWORK) == found(NETWORK.replace("tanh()", "tanh()  # softly"))
    assert found(NETWORK) != found(NETWORK.replace("tanh", "relu"))


@pytest.mark.parametrize("what", ["loss", "network"])
def test_what_was_made_in_a_notebook_is_told_apart_too(what):
    """Of a class that no file holds, the source cannot be read (Python 3.11)."""

    def found(source: str) -> str:
        names = {"__name__": "a_notebook"}
        exec(source, names)
        thing = names["thing"]
        changed = {"losses": (thing, generator_loss)} if what == "loss" else {"D": thing()}
        return hash_settings(settings(**changed))

    source, old, new = (LOSS, "- 1", "- 2") if what == "loss" else (NETWORK, "tanh", "relu")
    assert found(source) == found(source)
    assert found(source) != found(source.replace(old, new))


def test_a_lambda_is_told_by_itself_and_not_by_its_line(tmp_path):
    """More epochs must continue a run, also where the schedule stands in the same line."""

    def found(source: str) -> str:
        return hash_settings(settings(schedule=load_source(tmp_path, source)))

    line = (
        "def run(num_epochs, schedule): return schedule\nthing = run(10, lambda done: 1 - done)\n"
    )
    assert found(line) != found(line.replace("1 - done", "2 - done"))
    assert found(line) == found(line.replace("10", "20"))


def test_what_a_function_uses_by_name_is_a_setting(tmp_path):
    """In a notebook nearly everything is global."""

    def found(source: str) -> str:
        return hash_settings(settings(schedule=load_source(tmp_path, source)))

    source = "WEIGHT = 1\ndef inner(x): return x\ndef thing(done): return WEIGHT * inner(done)\n"
    assert found(source) == found(source + "other = 5\n")
    assert found(source) != found(source.replace("WEIGHT = 1", "WEIGHT = 5"))
    assert found(source) != found(source.replace("return x", "return -x"))


def test_what_a_game_of_your_own_holds_is_a_setting():
    class Clipped(interrupted_run.AdversarialStep):
        clip = 0.0

    def found(clip: float) -> str:
        step = make_step(kind=Clipped)
        step.clip = clip
        return hash_settings(describe_settings(step, make_loader()))

    assert found(0.1) == found(0.1) != found(0.5)


def test_two_lambdas_of_one_line_are_two(tmp_path):
    def found(place: int) -> str:
        source = f"both = (lambda done: 1 - done, lambda done: done)\nthing = both[{place}]\n"
        return hash_settings(settings(schedule=load_source(tmp_path, source)))

    assert found(0) != found(1)


def test_functions_that_hold_each_other_can_be_described():
    def one(done: float) -> float:
        return done if done > 1 else other(done + 1)

    def other(done: float) -> float:
        return one(done)

    assert hash_settings(settings(schedule=one)) == hash_settings(settings(schedule=one))
