"""Networks in files: what is packed comes back, and nothing else is believed."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
import torch
from helpers import steady
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils.shipped import (
    FOLDER,
    fill,
    name_file,
    pack,
    read_facts,
    read_part,
    write_shipped,
)

pytestmark = pytest.mark.usefixtures("own_randomness")

PARTS = {
    "": {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.tensor([0.5]).half()},
    "other": {"mean": torch.linspace(0, 1, 5, dtype=torch.float64)},
}
FACTS = {"distance": 1.25, "command": "a command", "café": ["é", None]}


def build() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2, bias=False))


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder, not there before, with one network of two parts."""
    write_shipped("net", tmp_path / "deep" / "weights", PARTS, FACTS)
    return tmp_path / "deep" / "weights"


# --- there and back --------------------------------------------------------------------------


def test_what_is_written_comes_back(folder):
    facts = read_facts("net", folder)
    assert {key: facts[key] for key in FACTS} == FACTS
    for part, tensors in PARTS.items():
        got = read_part("net", part, facts, folder)
        assert got.keys() == tensors.keys()
        for key, value in tensors.items():
            assert got[key].dtype == value.dtype and torch.equal(got[key], value)


def test_the_files_and_their_hashes(folder, tmp_path):
    names = {"net.json", "net.safetensors", "net_other.safetensors"}
    assert {path.name for path in folder.iterdir()} == names
    assert {name_file("net", part) for part in PARTS} | {"net.json"} == names
    text = (folder / "net.json").read_text(encoding="utf-8")
    assert text.endswith("}\n") and "café" in text  # readable as it is
    sums = json.loads(text)["sha256"]
    assert sums.keys() == {"weights", "other"}
    for part, name in (("weights", "net.safetensors"), ("other", "net_other.safetensors")):
        assert sums[part] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    again = write_shipped("net", tmp_path, PARTS, FACTS)
    assert again == read_facts("net", folder) == read_facts("net", tmp_path)
    for name in names:  # the same network is the same bytes
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_the_facts_given_are_left_alone(tmp_path):
    facts = {"a": 1}
    assert write_shipped("net", tmp_path, PARTS, facts).keys() == {"a", "sha256"}
    assert facts == {"a": 1}


# --- damage ----------------------------------------------------------------------------------


def flip(data: bytes, place: int, bit: int = 7) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


DAMAGE = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "longer": lambda data: data + b"\0",
    "last byte gone": lambda data: data[:-1],
}


def complaint(path: Path) -> str:
    """The beginning and the end that each complaint about a file has."""
    return rf"^{path.name}: expected .*[,;] got .*; get it again: git checkout -- course_utils/"


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_part_is_named(folder, part, damage):
    path = folder / name_file("net", part)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=complaint(path)):
        read_part("net", part, read_facts("net", folder), folder)


@pytest.mark.parametrize("part", PARTS)
def test_any_flipped_bit_is_found(folder, part):
    path, facts, draw = folder / name_file("net", part), read_facts("net", folder), random.Random(0)
    whole = path.read_bytes()
    for _ in range(50):
        path.write_bytes(flip(whole, draw.randrange(len(whole)), draw.randrange(8)))
        with pytest.raises(ValueError, match=complaint(path)):
            read_part("net", part, facts, folder)
    path.write_bytes(whole)
    assert read_part("net", part, facts, folder).keys() == PARTS[part].keys()


def test_swapped_parts_are_found(folder):
    first, second = (folder / name_file("net", part) for part in PARTS)
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two), second.write_bytes(one)
    facts = read_facts("net", folder)
    for part, path in zip(PARTS, (first, second)):
        with pytest.raises(ValueError, match=complaint(path)):
            read_part("net", part, facts, folder)


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_named(folder, part):
    path, facts = folder / name_file("net", part), read_facts("net", folder)
    path.unlink()
    with pytest.raises(ValueError, match=complaint(path)):
        read_part("net", part, facts, folder)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_without_a_hash_is_not_believed(folder, part):
    facts = read_facts("net", folder)
    del facts["sha256"][part or "weights"]
    with pytest.raises(ValueError, match=complaint(folder / "net.json")):
        read_part("net", part, facts, folder)


def test_missing_facts_are_named(folder):
    (folder / "net.json").unlink()
    with pytest.raises(ValueError, match=complaint(folder / "net.json")):
        read_facts("net", folder)
    with pytest.raises(ValueError, match=r"^judge_nobody\.json: expected in .*weights, got no "):
        read_facts("judge_nobody", FOLDER)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"\xff\xfe\xff", b'{"distance": "\xe9"}', b"network", b"null", b"5", b"[]"),
        *(b"{}", b'{"sha256": null}', b'{"sha256": 5}', b'{"sha256": "abc"}'),
        *(b'{"sha256": ["abc"]}', b'[["sha256", {}]]', b'"sha256"'),
    ],
    ids=repr,
)
def test_damaged_facts_are_named(folder, data):
    (folder / "net.json").write_bytes(data)
    with pytest.raises(ValueError, match=complaint(folder / "net.json")):
        read_facts("net", folder)


def test_cut_off_facts_are_named(folder):
    path = folder / "net.json"
    whole = path.read_bytes()
    for length in range(len(whole) - 3):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=complaint(path)):
            read_facts("net", folder)


@pytest.mark.parametrize("value", [5, None, ["abc"], {"a": 1}])
def test_a_hash_that_is_none_matches_nothing(folder, value):
    facts = json.loads((folder / "net.json").read_text(encoding="utf-8"))
    facts["sha256"]["weights"] = value
    (folder / "net.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(ValueError, match=r"^net\.safetensors: expected the file with sha256"):
        read_part("net", "", read_facts("net", folder), folder)


# --- pack and fill ---------------------------------------------------------------------------


def test_packed_are_all_weights_and_statistics_in_half_precision():
    network = build()
    network(torch.randn(8, 3))  # moves the statistics
    before = {key: value.clone() for key, value in network.state_dict().items()}
    packed = pack(network)
    assert packed.keys() == before.keys() - {"1.num_batches_tracked"}
    for key, value in packed.items():
        assert value.dtype == torch.float16 and value.is_contiguous()
        assert value.device.type == "cpu" and not value.requires_grad
        assert torch.equal(value, before[key].half())
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_packed_in_any_layout():
    conv = nn.Conv2d(8, 4, 3).to(memory_format=torch.channels_last)
    assert not conv.weight.is_contiguous() and pack(conv)["weight"].is_contiguous()
    torch.testing.assert_close(
        pack(conv)["weight"].float(), conv.weight.detach(), rtol=1e-3, atol=0
    )


@steady
@given(st.lists(st.floats(-60_000, 60_000, width=32), min_size=3, max_size=3))
def test_what_half_precision_costs(values):
    """Eleven bits of a number's own size, or half of the smallest step that there is."""
    layer = nn.Linear(3, 1, bias=False)
    exact = torch.tensor([values])
    with torch.no_grad():
        layer.weight.copy_(exact)
    got = fill(nn.Linear(3, 1, bias=False), pack(layer)).weight
    assert ((got - exact).abs() <= (exact.abs() * 2.0**-11).clamp(min=2.0**-25)).all()


def test_filled_networks_are_ready_for_use():
    network, other = build(), build()
    network(torch.randn(8, 3))
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(p.half())  # so that nothing is lost
    for name in ("running_mean", "running_var"):
        buffer = getattr(network[1], name)
        buffer.copy_(buffer.half())
    got = fill(other, pack(network))
    assert got is other and not any(module.training for module in got.modules())
    assert not any(p.requires_grad for p in got.parameters())
    assert {p.dtype for p in got.parameters()} == {torch.float32}
    x = torch.randn(5, 3)
    assert torch.equal(got(x), network.eval()(x))


CHANGES = {
    "one missing": lambda w: w.pop("0.bias"),
    "one unknown": lambda w: w.update(extra=torch.zeros(1)),
    "one renamed": lambda w: w.update(**{"2.bias": w.pop("0.bias")}),
    "none at all": lambda w: w.clear(),
    "the count of batches": lambda w: w.update(**{"1.num_batches_tracked": torch.tensor(3)}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_weights_of_another_network_are_refused(change):
    weights = pack(build())
    change(weights)
    network = build()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(
        ValueError, match=r"^weights: expected 0\.bias, 0\.weight, .*; got "
    ) as caught:
        fill(network, weights)
    assert str(caught.value).endswith(f"; got {', '.join(sorted(weights))}")
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_weights_of_another_shape_are_refused():
    weights: dict[str, Tensor] = pack(build())
    weights["2.weight"] = torch.zeros(2, 5).half()
    with pytest.raises((RuntimeError, ValueError), match=r"2\.weight"):
        fill(build(), weights)
