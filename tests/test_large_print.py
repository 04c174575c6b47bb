"""Large print: what is on the sheet, who can read it, and what cannot be printed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import assert_complains, bad_inputs
from PIL import Image
from torch import nn
from torch.nn import functional as F

from course_utils import large_print, load_mnist, load_pretrained
from course_utils import large_print as public
from course_utils.coordinates import build_coordinate_generator
from course_utils.data.images import to_unit
from course_utils.legibility import read_digits
from course_utils.models import build_generator

pytestmark = pytest.mark.usefixtures("own_randomness")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.png"


def cut(path, count, side, dark=False):
    """The digits of a written sheet `(count, 1, side, side)`, ink 1 and paper -1."""
    pixels = torch.from_numpy(np.array(Image.open(path))).float() / 127.5 - 1
    margin = side // 4
    assert pixels.shape == (side + 2 * margin, count * side + 2 * margin)
    inner = pixels[margin:-margin, margin:-margin]
    ink = inner if dark else -inner
    return torch.stack([*ink.split(side, dim=1)])[:, None]


def test_a_year_is_written_and_read(path):
    sheet = large_print("2026", path)
    assert sheet.path == path
    squares = cut(path, 4, 448)
    digits, certainty = read_digits(squares)
    assert digits.tolist() == [2, 0, 2, 6]
    assert certainty.min() >= 0.99
    assert torch.allclose(certainty, torch.tensor(sheet.certainty), atol=1e-5)
    assert not torch.equal(squares[0], squares[2])  # the same digit is drawn in two ways
    share_of_grey = (squares.abs() < 0.8).float().mean()
    assert share_of_grey < 0.02  # black and white, but for smooth edges


def test_a_reader_trained_on_something_else_agrees(path):
    """The nearest of 3,000 real digits, which knows nothing of the course's classifier."""
    large_print("0123456789", path, side=112, seed=1)
    real = load_mnist("train", limit=3000)
    known = to_unit(real.images).flatten(1)
    small = F.interpolate(cut(path, 10, 112), (28, 28), mode="area").flatten(1)
    nearest = torch.cdist(small, known).topk(5, largest=False).indices
    votes = real.labels[nearest].long().mode(dim=1).values
    assert (votes == torch.arange(10)).sum() >= 9


def test_the_sheet_says_what_it_shows_and_how_large_it_is(path):
    sheet = large_print(407, path, side=112)
    assert sheet.alt == "The number 407 in large black digits."
    file = Image.open(path)
    assert file.text["Description"] == sheet.alt
    assert file.info["dpi"] == pytest.approx((150, 150), abs=0.1)
    assert "407" in repr(sheet)
    data, metadata = sheet._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == sheet.alt
    assert data["text/plain"] == sheet.alt


def test_black_paper_is_the_same_in_reverse(path, tmp_path):
    white = large_print("38", path, side=56)
    black = large_print("38", tmp_path / "black.png", side=56, paper="black")
    assert torch.equal(white.latents, black.latents)
    assert torch.allclose(cut(path, 2, 56), cut(black.path, 2, 56, dark=True), atol=0.01)
    assert "white digits" in black.alt


def test_zeros_in_front_stay_and_seeds_change_the_hand(path, tmp_path):
    first, second = (large_print("007", tmp_path / f"{n}.png", side=56, seed=n) for n in (0, 1))
    assert len(first.certainty) == 3
    assert not torch.equal(first.latents, second.latents)
    again = large_print("007", path, side=56)
    assert path.read_bytes() == first.path.read_bytes()
    assert torch.equal(again.latents, first.latents)


def test_a_file_is_replaced_only_by_a_sheet_that_can_be_read(path):
    torch.manual_seed(0)
    path.write_bytes(b"precious")
    with pytest.raises(ValueError, match="generator: expected one that draws 1 clear"):
        large_print("8", path, side=56, generator=build_coordinate_generator().eval())
    assert path.read_bytes() == b"precious"


def test_a_generator_of_any_size_writes_the_same_sheet(path, tmp_path):
    G = load_pretrained("cppn")
    large = large_print("5", tmp_path / "large.png", side=56, generator=G.at(448))
    large_print("5", path, side=56)
    assert path.read_bytes() == large.path.read_bytes()


def test_a_generator_in_training_is_left_alone(path):
    G = load_pretrained("cppn").train()
    before = {key: value.clone() for key, value in G.state_dict().items()}
    with pytest.raises(RuntimeError, match=r"G\.eval\(\)"):
        large_print("5", path, side=56, generator=G)
    assert all(torch.equal(value, before[key]) for key, value in G.state_dict().items())


def test_no_random_state_is_moved(path):
    state = torch.random.get_rng_state()
    large_print("1", path, side=56)
    assert torch.equal(torch.random.get_rng_state(), state)


@bad_inputs(
    ("words", lambda: large_print("MMXXVI"), ValueError, "number", "'MMXXVI'"),
    ("a sign", lambda: large_print(-5), ValueError, "number", "'-5'"),
    ("a fraction", lambda: large_print("1.5"), ValueError, "number", "'1.5'"),
    ("a float", lambda: large_print(1.0), TypeError, "number", "float"),
    ("True", lambda: large_print(True), TypeError, "number", "bool"),
    ("nothing", lambda: large_print(""), ValueError, "number", "''"),
    ("other digits", lambda: large_print("٢٠٢٦"), ValueError, "number", "'٢٠٢٦'"),
    ("too many", lambda: large_print("1" * 21), ValueError, "number", "21"),
    ("a JPEG", lambda: large_print("1", "a.jpg"), ValueError, "path", "'a.jpg'"),
    ("no folder", lambda: large_print("1", "no/a.png"), ValueError, "path", "'no'"),
    ("too small", lambda: large_print("1", side=27), ValueError, "side", "27"),
    ("half a pixel", lambda: large_print("1", side=56.5), TypeError, "side", "56.5"),
    ("yellow", lambda: large_print("1", paper="yellow"), ValueError, "paper", "'yellow'"),
    ("seed", lambda: large_print("1", seed=-1), ValueError, "seed", "-1"),
    (
        "an MLP",
        lambda: large_print("1", generator=build_generator()),
        TypeError,
        "generator",
        "Seq",
    ),
)
def test_bad_input(call, error, name, got, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_complains(call, error, name, got)
    assert list(tmp_path.iterdir()) == []


def test_the_public_name():
    assert public is large_print
    assert isinstance(load_pretrained("cppn"), nn.Sequential)
