"""The samples over training: the GIF, the player, which frames they hold, and what they refuse."""

from __future__ import annotations

import base64
import io
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import IPython.display
import numpy as np
import pytest
import torch
from helpers import assert_complains, bad_inputs, read_arguments, steady
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features
from torch import Tensor

import course_utils
from course_utils import History, animate_samples, animation

NOTICE = 'MNIST: a "sample" of 5,000 <real> digits from a package & nothing else'


class Stage:
    """What was displayed, as a notebook gets it."""

    def __init__(self) -> None:
        self.shown: list = []

    @property
    def data(self) -> dict[str, str]:
        return self.shown[-1]._repr_mimebundle_()[0]

    @property
    def page(self) -> Page:
        return Page(self.data["text/html"])


class Page(HTMLParser):
    """The player's HTML, read as a browser reads it: tags with attributes, text, script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = self.script = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags[-1][0] == "script":
            self.script += data
        else:
            self.text += data

    def get(self, tag: str) -> dict:
        return next(attrs for name, attrs in self.tags if name == tag)

    @property
    def frames(self) -> list[np.ndarray]:
        start, _, last = self.get("img")["src"].partition(",")
        assert re.fullmatch(r"data:image/(webp|png);base64", start)
        files = [*self.get("div").get("data-frames", "").split(), last]
        return [read(base64.b64decode(file, validate=True)) for file in files]


@pytest.fixture
def stage(monkeypatch) -> Stage:
    """Catches the player on its way to the notebook."""
    caught = Stage()
    monkeypatch.setattr(IPython.display, "display", caught.shown.append)
    monkeypatch.setattr(animation, "sample_notice", lambda: "")
    return caught


def read(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def read_gif(path: Path) -> tuple[list[np.ndarray], list[int], Image.Image]:
    """Every frame as RGB, every duration in milliseconds, and the file itself."""
    picture = Image.open(path)
    frames, durations = [], []
    for number in range(picture.n_frames):
        picture.seek(number)
        frames.append(np.asarray(picture.convert("RGB")))
        durations.append(picture.info["duration"])
    return frames, durations, picture


def black_and_white(count: int = 4, channels: int = 1, seed: int = 0, side: int = 28) -> Tensor:
    """Images of pixels -1 and 1 only: no loss of shades changes those."""
    drawn = torch.Generator().manual_seed(seed)
    shape = (count, channels, side, side)
    return torch.randint(0, 2, shape, generator=drawn).float() * 2 - 1


def make_history(length: int = 3, **options) -> History:
    return History(samples=[(50 * i, black_and_white(seed=i, **options)) for i in range(length)])


def cut(grid: np.ndarray, images: Tensor, nrow: int, scale: int) -> list[np.ndarray]:
    """The images out of a grid: one pixel's line before each, all enlarged by `scale`."""
    height, width = images.shape[2:]
    small = grid[scale // 2 :: scale, scale // 2 :: scale]
    places = [divmod(index, nrow) for index in range(len(images))]
    return [
        small[
            row * (height + 1) + 1 : (row + 1) * (height + 1),
            column * (width + 1) + 1 : (column + 1) * (width + 1),
        ]
        for row, column in places
    ]


def as_bytes(image: Tensor) -> np.ndarray:
    """An image `(C, H, W)` in [-1, 1] as `(H, W, 3)` in [0, 255]."""
    return ((image.expand(3, -1, -1) + 1) * 127.5).round().permute(1, 2, 0).byte().numpy()


# --- the GIF ---------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_the_gif_shows_the_samples(stage, tmp_path, channels):
    history = make_history(3, channels=channels)
    assert animate_samples(history, tmp_path / "a.gif", nrow=2, seconds=3) is None
    frames, durations, picture = read_gif(tmp_path / "a.gif")
    assert len(frames) == 3
    assert durations == [1000, 1000, 1000 + 2000]  # milliseconds; the last stays
    assert picture.info["loop"] == 0  # for ever
    scale = round(320 / 59)  # two images and three lines: 59 pixels
    assert picture.width == 59 * scale and 59 * scale < picture.height < 59 * scale + 40
    for frame, (_, images) in zip(frames, history.samples, strict=True):
        for got, image in zip(cut(frame, images, 2, scale), images, strict=True):
            assert np.array_equal(got, as_bytes(image))


def test_pixels_are_enlarged_without_smoothing(stage, tmp_path):
    animate_samples(make_history(2), tmp_path / "a.gif", nrow=2)
    frame = read_gif(tmp_path / "a.gif")[0][-1][: 59 * 5]
    assert np.array_equal(frame, frame[2::5, 2::5].repeat(5, axis=0).repeat(5, axis=1))


def test_each_frame_says_its_step(stage, tmp_path):
    images = black_and_white()
    animate_samples(History(samples=[(7, images), (1000, images)]), tmp_path / "a.gif", nrow=2)
    first, last = read_gif(tmp_path / "a.gif")[0]
    words = slice(59 * 5, None)
    assert np.array_equal(first[: 59 * 5], last[: 59 * 5])  # the same samples
    assert (first[words] < 100).any() and (last[words] < 100).any()
    assert not np.array_equal(first[words], last[words])


def test_a_name_as_text_and_a_file_that_is_replaced(stage, tmp_path):
    path = tmp_path / "A.GIF"
    path.write_bytes(b"old")
    animate_samples(make_history(), str(path))
    assert path.read_bytes().startswith(b"GIF89a")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "length, seconds, wait", [(2, 60, 30_000), (30, 6.0, 200), (60, 1, 20), (7, 1.0, 140)]
)
def test_one_pass_takes_the_asked_for_seconds(stage, tmp_path, length, seconds, wait):
    animate_samples(make_history(length, count=1, side=4), tmp_path / "a.gif", seconds=seconds)
    assert read_gif(tmp_path / "a.gif")[1] == [wait] * (length - 1) + [wait + 2000]
    assert stage.page.get("div")["data-wait"] == str(wait)


# --- the player ------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_the_player_shows_the_samples(stage, channels):
    history = make_history(3, channels=channels)
    assert animate_samples(history, nrow=3) is None
    page = stage.page
    assert page.get("div")["data-steps"] == "0 50 100"
    for frame, (_, images) in zip(page.frames, history.samples, strict=True):
        assert frame.shape == (2 * 29 + 1, 3 * 29 + 1, 3)
        for got, image in zip(cut(frame, images, 3, 1), images, strict=True):
            assert np.array_equal(got, as_bytes(image))
    shown = page.get("img")
    assert (shown["width"], shown["height"]) == ("440", "295")  # five times
    assert "image-rendering:pixelated" in shown["style"]


def test_grey_levels_stay_close(stage):
    shades = torch.linspace(-1, 1, 256).reshape(1, 1, 16, 16)
    animate_samples(History(samples=[(0, shades)]))
    (frame,) = stage.page.frames
    (got,) = cut(frame, shades, 1, 1)
    off = np.abs(got.astype(int) - as_bytes(shades[0]))
    assert off.max() <= math.ceil(255 / 11 / 2)  # half of the way to the next of 12 levels


FORMS = {
    "flat": lambda images: images.reshape(-1, 784),
    "bytes": lambda images: ((images + 1) * 127.5).byte(),
    "half": lambda images: images.half(),
    "gradients": lambda images: images.clone().requires_grad_(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_images_in_other_forms_show_the_same(stage, form):
    animate_samples(make_history())
    animate_samples(SimpleNamespace(samples=[(s, form(x)) for s, x in make_history().samples]))
    first, second = (player._repr_mimebundle_() for player in stage.shown)
    assert first == second


def test_without_scripts_the_last_frame_stays_with_alt_text(stage):
    animate_samples(History(samples=[(0, black_and_white(1)), (1500, black_and_white(1))]))
    page = stage.page
    assert page.get("img")["alt"] == "1 generated image, 1 in a row, at step 1,500, frame 2 of 2."
    assert page.text.strip() == "step 1,500, frame 2 of 2"
    assert {tag for tag, _ in page.tags} == {"div", "img", "span", "script"}  # no dead buttons


def test_the_script_changes_alt_text_with_the_frame(stage):
    animate_samples(make_history())
    page = stage.page
    assert page.get("div")["data-what"] == "4 generated images, 4 in a row"
    for part in ("image.alt =", "aria-valuetext", "root.dataset.what", '"Play"', '"range"'):
        assert part in page.script


def test_the_player_needs_nothing_from_elsewhere_and_no_id(stage):
    animate_samples(make_history())
    animate_samples(make_history())
    page = stage.page
    assert not re.search(r"https?:|//|url\(|import|fetch", page.script + page.text)
    for tag, attributes in page.tags:
        assert not {"id", "href", "srcset"} & set(attributes)
        assert "src" not in attributes or (tag == "img" and attributes["src"].startswith("data:"))
    one, other = (player._repr_mimebundle_() for player in stage.shown)
    assert one == other


def test_a_single_frame_has_nothing_to_play(stage):
    animate_samples(make_history(1))
    page = stage.page
    assert len(page.frames) == 1 and page.script == ""
    assert "data-frames" not in page.get("div")  # so no other player's script starts it


def test_where_there_is_no_webp_frames_are_pngs(stage, monkeypatch):
    animate_samples(make_history())
    before = stage.page.frames
    monkeypatch.setattr(features, "check", lambda name: False)
    animate_samples(make_history())
    assert stage.page.get("img")["src"].startswith("data:image/png;base64,")
    assert np.array_equal(before, stage.page.frames)


def test_front_ends_without_html_get_a_picture_or_text(stage):
    animate_samples(make_history())
    data, metadata = stage.shown[-1]._repr_mimebundle_()
    assert set(data) == {"text/html", "image/png", "text/plain"}
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG\r\n")
    text = "4 generated images, 4 in a row, at step 100, frame 3 of 3."
    assert data["text/plain"] == repr(stage.shown[-1]) == text
    assert metadata == {"image/png": {"alt": text}}


def test_thirty_frames_of_digits_stay_small(stage, tmp_path):
    """The worst case, noise from the first frame to the last; real digits take less."""
    drawn = torch.Generator().manual_seed(0)
    noise = [torch.rand(25, 1, 28, 28, generator=drawn) * 2 - 1 for _ in range(30)]
    animate_samples(History(samples=list(enumerate(noise))), tmp_path / "a.gif")
    assert (tmp_path / "a.gif").stat().st_size < 1_000_000
    if features.check("webp"):
        assert len(stage.data["text/html"]) < 400_000


# --- both ------------------------------------------------------------------------------------


@steady
@given(
    length=st.integers(1, 200),
    count=st.integers(1, 7),
    channels=st.sampled_from([1, 3]),
    nrow=st.integers(1, 9),
)
def test_never_more_than_sixty_frames_first_and_last_among_them(length, count, channels, nrow):
    images = black_and_white(count, channels, side=2)
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IPython.display, "display", shown.append)
        animate_samples(History(samples=[(s, images) for s in range(length)]), nrow=nrow)
    page = Page(shown[0]._repr_mimebundle_()[0]["text/html"])
    steps = [int(step) for step in page.get("div").get("data-steps", "0").split()]
    assert len(steps) == len(page.frames) == min(length, 60)
    assert steps[0] == 0 and steps[-1] == length - 1
    gaps = np.diff(steps)
    assert len(gaps) == 0 or (gaps.min() >= 1 and gaps.max() - gaps.min() <= 1)
    assert f"{min(nrow, count)} in a row" in page.get("img")["alt"]
    columns = min(nrow, count)
    assert page.frames[0].shape == (3 * math.ceil(count / columns) + 1, 3 * columns + 1, 3)


def test_the_gif_has_sixty_frames_at_most(stage, tmp_path):
    animate_samples(make_history(61, count=1, side=4), tmp_path / "a.gif")
    assert len(read_gif(tmp_path / "a.gif")[0]) == 60


@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_samples_give_the_same_bytes(stage, tmp_path, channels):
    drawn = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, channels, 8, 8, generator=drawn) * 2 - 1
    history = History(samples=list(enumerate(images)))
    kept, before = images.clone(), torch.get_rng_state()
    for name in ("a.gif", "b.gif"):
        animate_samples(history, tmp_path / name)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    assert stage.shown[0]._repr_mimebundle_() == stage.shown[1]._repr_mimebundle_()
    assert torch.equal(images, kept) and torch.equal(before, torch.get_rng_state())


def test_both_say_when_a_sample_stands_in(stage, tmp_path, monkeypatch):
    animate_samples(make_history(), tmp_path / "without.gif")
    without = stage.data
    monkeypatch.setattr(animation, "sample_notice", lambda: NOTICE)
    animate_samples(make_history(), tmp_path / "with.gif")
    assert f"({NOTICE})" in stage.page.text and NOTICE in stage.data["text/plain"]
    assert stage.data["image/png"] != without["image/png"]
    plain, noted = (read_gif(tmp_path / f"{name}.gif")[0] for name in ("without", "with"))
    for one, other in zip(plain, noted, strict=True):
        height = len(one)
        assert len(other) >= height + 2 * 15  # the notice is longer than one line
        assert np.array_equal(other[: height - 6], one[: height - 6])
        assert (other[height:] < 100).any()


def test_both_say_where_a_run_was_cut_short(stage, tmp_path, monkeypatch):
    history = make_history()
    history.step = [1, 100]
    animate_samples(history, tmp_path / "whole.gif")
    assert "cut short" not in stage.page.text
    history.stopped = "interrupted"
    animate_samples(history, tmp_path / "cut.gif")
    assert "(cut short after step 100)" in stage.page.text
    assert stage.data["text/plain"].endswith("(cut short after step 100).")
    assert len(read_gif(tmp_path / "cut.gif")[0][-1]) > len(read_gif(tmp_path / "whole.gif")[0][-1])
    monkeypatch.setattr(animation, "sample_notice", lambda: NOTICE)
    animate_samples(history)
    assert f"(cut short after step 100; {NOTICE})" in stage.page.text


def test_nothing_is_printed_in_a_notebook(stage, tmp_path, capsys):
    animate_samples(make_history(), tmp_path / "a.gif")
    assert len(stage.shown) == 1
    assert capsys.readouterr() == ("", "")


def test_outside_notebooks_one_line_and_no_pyplot():
    code = (
        "import sys, torch\n"
        "from course_utils import History, animate_samples\n"
        "animate_samples(History(samples=[(s, torch.zeros(2, 1, 4, 4)) for s in (0, 9)]))\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    root = Path(course_utils.__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    line = "2 generated images, 2 in a row, at step 9, frame 2 of 2."
    assert (run.stdout.splitlines(), run.stderr) == ([line, "False"], "")


def test_the_arguments():
    assert read_arguments(animate_samples) == "history, path=None, *, nrow=5, seconds=6.0"


# --- bad input -------------------------------------------------------------------------------


def complaints_about_images():
    good = black_and_white()
    kinds = [
        ("array", good.numpy(), TypeError, "ndarray"),
        ("None", None, TypeError, "None"),
        ("whole numbers", good.long(), TypeError, "torch.int64"),
        ("rank 3", good[0], ValueError, "(1, 28, 28)"),
        ("two channels", torch.zeros(4, 2, 8, 8), ValueError, "(4, 2, 8, 8)"),
        ("empty", good[:0], ValueError, "(0, 1, 28, 28)"),
        ("NaN", good * math.nan, ValueError, "NaN"),
        ("[0, 255]", (good + 1) * 127.5, ValueError, "0 to 255"),
    ]
    for what, value, error, got in kinds:
        samples = [(0, good), (5, value)]
        call = lambda samples=samples: animate_samples(History(samples=samples))  # noqa: E731
        yield f"images: {what}", call, error, "history.samples[1]", got


def of(*samples) -> None:
    animate_samples(History(samples=list(samples)))


def to(path, **options) -> None:
    animate_samples(make_history(), path, **options)


@bad_inputs(
    *complaints_about_images(),
    ("history: None", lambda: animate_samples(None), TypeError, "history", "NoneType"),
    ("history: list", lambda: animate_samples([1]), TypeError, "history", "list without"),
    (
        "history: text",
        lambda: animate_samples(SimpleNamespace(samples="ab")),
        TypeError,
        "history",
        "SimpleNamespace",
    ),
    ("samples: none", lambda: animate_samples(History()), ValueError, "history", "none"),
    ("entry: images", lambda: of(black_and_white()), TypeError, "history.samples[0]", "Tensor"),
    ("entry: three", lambda: of((1, 2, 3)), TypeError, "history.samples[0]", "tuple"),
    (
        "step: float",
        lambda: of((0.5, black_and_white())),
        TypeError,
        "history.samples[0]",
        "float: 0.5",
    ),
    ("step: -1", lambda: of((-1, black_and_white())), ValueError, "history.samples[0]", "-1"),
    (
        "shapes differ",
        lambda: of((0, black_and_white(4)), (1, black_and_white(5))),
        ValueError,
        "history.samples",
        "(4, 1, 28, 28) and (5, 1, 28, 28)",
    ),
    ("path: number", lambda: to(5), TypeError, "path", "int"),
    ("path: ending", lambda: to("samples.png"), ValueError, "path", "'samples.png'"),
    ("path: no ending", lambda: to("gif"), ValueError, "path", "'gif'"),
    ("path: empty", lambda: to(""), ValueError, "path", "'.'"),
    ("path: no folder", lambda: to("nowhere/a.gif"), ValueError, "path", "'nowhere'"),
    ("nrow: zero", lambda: to(None, nrow=0), ValueError, "nrow", "0"),
    ("nrow: text", lambda: to(None, nrow="5"), TypeError, "nrow", "'5'"),
    ("seconds: zero", lambda: to(None, seconds=0), ValueError, "seconds", "0"),
    ("seconds: an hour", lambda: to(None, seconds=3600), ValueError, "seconds", "3600"),
    ("seconds: NaN", lambda: to(None, seconds=math.nan), ValueError, "seconds", "nan"),
    ("seconds: None", lambda: to(None, seconds=None), TypeError, "seconds", "NoneType"),
)
def test_bad_input(stage, call, error, name, got):
    assert_complains(call, error, name, got)
    assert stage.shown == []


def test_a_folder_of_the_files_name_and_bad_samples_write_nothing(stage, tmp_path):
    folder = tmp_path / "a.gif"
    folder.mkdir()
    assert_complains(lambda: to(folder), ValueError, "path", "a.gif")
    with pytest.raises(ValueError):
        animate_samples(History(), tmp_path / "b.gif")
    assert list(tmp_path.iterdir()) == [folder] and stage.shown == []
