"""The explorer: pictures of latents, sliders and buttons, bursts, and what stands in for them.

All of it without a browser; `browser/` holds what one sees and clicks.
"""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import IPython.display
import nbformat
import numpy as np
import pytest
import torch
from helpers import assert_complains, bad_inputs, steady
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from course_utils import explore, load_pretrained
from course_utils.authoring.running import tidy_outputs, to_html
from course_utils.coordinates import build_coordinate_generator
from course_utils.explorer import latent as ways
from course_utils.explorer import latest, panel, window
from course_utils.explorer.generator import FLAT, FrozenGenerator
from course_utils.explorer.pictures import draw, draw_still, show_large, sweep, to_gif, to_png
from course_utils.metrics import nearest_neighbours
from course_utils.metrics.features import look
from course_utils.models import (
    build_cifar10_generator,
    build_discriminator,
    build_generator,
    build_sigmoid_discriminator,
)

pytestmark = pytest.mark.usefixtures("own_randomness")

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def shipped() -> FrozenGenerator:
    return FrozenGenerator(load_pretrained("dcgan_rotated"))


@pytest.fixture
def opened(tmp_path, monkeypatch) -> window.Explorer:
    """A window on a shipped pair; its files go into a folder of the test's own."""
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    G, D = (load_pretrained("dcgan_rotated", part) for part in "GD")
    real = torch.rand(40, 1, 28, 28) * 2 - 1
    return explore(G, discriminator=D, real=real)


def read(png: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(png)))


def as_bytes(image: Tensor) -> np.ndarray:
    """What PyTorch gives, (C, H, W) in [-1, 1], as a PNG's pixels."""
    pixels = ((image + 1) * 127.5).round().clamp(0, 255).byte()
    return pixels.permute(1, 2, 0).squeeze(-1).numpy()


def shown(explorer: window.Explorer) -> np.ndarray:
    """The window's picture in the generator's own pixels."""
    scale = explorer._generator.shape[1]
    picture = read(bytes(explorer.picture.value))
    step = picture.shape[0] // scale
    return picture[step // 2 :: step, step // 2 :: step]


def want(explorer: window.Explorer) -> np.ndarray:
    """What the picture should be: the generator's image of the window's latent."""
    return as_bytes(explorer._generator(explorer.latent[None])[0])


# Pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("build, dim", [(build_generator, 96), (build_cifar10_generator, 100)])
@pytest.mark.parametrize("side", [28, 100, 280])
def test_a_picture_is_what_the_generator_makes_in_crisp_pixels(build, dim, side) -> None:
    frozen = FrozenGenerator(build(dim))
    latent = frozen.draw(1, seed=0)[0]
    picture = draw(frozen, latent, side)
    pixels = read(picture.png)
    height = frozen.shape[1]
    scale = pixels.shape[0] // height
    assert abs(pixels.shape[0] - side) <= height / 2 or scale == 1
    want = as_bytes(frozen(latent[None])[0])
    assert np.array_equal(pixels, want.repeat(scale, axis=0).repeat(scale, axis=1))
    assert torch.equal(picture.image, frozen(latent[None])[0])


def test_a_picture_depends_on_the_latent_alone(shipped) -> None:
    first, second = shipped.draw(2, seed=3)
    state = torch.random.get_rng_state()
    pictures = [draw(shipped, latent).png for latent in (first, second, first.double())]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert pictures[0] == pictures[2]
    assert pictures[0] != pictures[1]


@bad_inputs(
    ("too short", lambda: draw(tiny(), torch.zeros(3)), ValueError, "latent", "3"),
    ("a batch", lambda: draw(tiny(), torch.zeros(1, 4)), ValueError, "latent", "1, 4"),
    ("no tensor", lambda: draw(tiny(), [0.0] * 4), TypeError, "latent", "list"),
    ("NaN", lambda: draw(tiny(), torch.full((4,), torch.nan)), ValueError, "latent", "NaN"),
)
def test_a_bad_latent_is_named(call, error, name, got) -> None:
    assert_complains(call, error, name, got)


def test_a_generator_of_coordinates_is_drawn_in_the_size_it_is_shown_in() -> None:
    torch.manual_seed(0)
    frozen = FrozenGenerator(build_coordinate_generator(6))
    latents = frozen.draw(3, seed=0)
    picture = draw(frozen, latents[0], 112)
    assert picture.image.shape == (1, 28, 28)  # as classifier and D know it
    want = as_bytes(frozen.network.draw(latents[:1], 112, FLAT)[0])
    assert np.array_equal(read(picture.png), want)
    large = show_large(frozen, frozen(latents), latents, 112)
    assert np.array_equal(as_bytes(large[0]), want)


def test_the_window_decides_the_size_of_a_generator_of_coordinates(opened) -> None:
    torch.manual_seed(0)
    G = build_coordinate_generator(6).eval()
    D = load_pretrained("dcgan_rotated", "D")
    explorer = explore(G.at(500), discriminator=D, noise="normal", side=84, n_sliders=3)
    explorer.sliders[1].value = 2.0
    want = as_bytes(G.draw(explorer.latent[None], 84)[0])
    assert np.array_equal(read(bytes(explorer.picture.value)), want)
    explorer.buttons["walk"].click()
    walk = Image.open(io.BytesIO(bytes(explorer.picture.value)))
    walk.seek(walk.n_frames - 1)
    assert np.array_equal(
        np.array(walk.convert("L")), as_bytes(G.draw(explorer.latent[None], 84)[0])
    )
    explorer.buttons["keep"].click()
    row = read(bytes(explorer.kept_row.children[0].value))
    assert row.shape == (56, 56)
    assert G.side == 28


def tiny() -> FrozenGenerator:
    return FrozenGenerator(build_generator(4))


@pytest.mark.parametrize("count, rows", [(1, 1), (9, 1), (10, 1), (11, 2), (25, 3)])
def test_several_images_come_in_rows_of_ten(count, rows) -> None:
    picture = read(to_png(torch.zeros(count, 1, 8, 8), 8))
    assert picture.shape[0] == (8 if count == 1 else rows * 9 + 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("loop", [True, False])
def test_a_gif_holds_each_image_and_loops_if_it_should(channels, loop) -> None:
    images = torch.rand(7, channels, 8, 8) * 2 - 1
    file = Image.open(io.BytesIO(to_gif(images, 16, loop)))
    assert (file.n_frames, file.info.get("loop")) == (7, 0 if loop else None)
    for number, image in enumerate(images):
        file.seek(number)
        got = np.array(file.convert("RGB" if channels == 3 else "L"))[::2, ::2].astype(int)
        assert np.abs(got - as_bytes(image)).max() <= (0 if channels == 1 else 8)


@steady
@given(st.integers(0, 10**6), st.integers(2, 12))
def test_a_sweep_replaces_one_coordinate_and_nothing_else(seed, dim) -> None:
    source = torch.Generator().manual_seed(seed)
    latent = torch.randn(dim, generator=source)
    basis, _ = torch.linalg.qr(torch.randn(dim, dim, generator=source))
    path = sweep(latent, basis[0], torch.tensor([-2.0, 0.5]))
    torch.testing.assert_close(path @ basis[0], torch.tensor([-2.0, 0.5]), rtol=0, atol=1e-4)
    rest = (path @ basis[1:].T) - (basis[1:] @ latent)
    torch.testing.assert_close(rest, torch.zeros_like(rest), rtol=0, atol=1e-4)


# Sliders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["coordinates", "directions"])
@pytest.mark.parametrize("noise", ["uniform", "normal"])
def test_a_slider_moves_the_latent_along_its_own_line(space, noise) -> None:
    explorer = explore(build_generator(12), noise=noise, space=space, n_sliders=5)
    basis = explorer._basis
    torch.testing.assert_close(basis @ basis.T, torch.eye(5), rtol=0, atol=1e-4)
    for number, slider in enumerate(explorer.sliders):
        before, pixels = explorer.latent, shown(explorer)
        slider.value = 0.3 * slider.max if slider.value < 0 else 0.3 * slider.min
        moved = explorer.latent - before
        along = moved @ basis[number]
        torch.testing.assert_close(moved, along * basis[number], rtol=0, atol=1e-5)
        torch.testing.assert_close(explorer.latent @ basis[number], torch.tensor(slider.value))
        assert not np.array_equal(shown(explorer), pixels)
        assert np.array_equal(
            shown(explorer), as_bytes(explorer._generator(explorer.latent[None])[0])
        )


def assert_nearest_step(slider, at: float) -> None:
    """The slider stands on a step, the one nearest to `at`."""
    steps = (slider.value - slider.min) / slider.step
    assert steps == pytest.approx(round(steps), abs=1e-6)
    assert abs(slider.value - min(max(at, slider.min), slider.max)) <= slider.step / 2 + 1e-6


def test_a_place_that_a_browser_rounds_is_no_move(opened) -> None:
    before = opened.latent
    for slider in opened.sliders:
        slider.value = round(slider.value, 10) + 1e-12
    assert torch.equal(opened.latent, before)


def test_sliders_follow_a_latent_that_is_set(opened) -> None:
    latent = opened._generator.draw(1, seed=9)[0]
    opened.latent = latent
    assert torch.equal(opened.latent, latent)
    for slider, at in zip(opened.sliders, latent, strict=False):
        assert_nearest_step(slider, at.item())
    assert np.array_equal(shown(opened), want(opened))


def test_the_switch_keeps_the_latent_and_the_picture(opened) -> None:
    before, picture = opened.latent, opened.picture.value
    for space in ("directions", "coordinates", "directions"):
        opened.space.value = space
        assert torch.equal(opened.latent, before)
        assert opened.picture.value == picture
        for slider, at in zip(opened.sliders, opened._basis @ before, strict=True):
            assert slider.description.startswith(space.removesuffix("s"))
            assert_nearest_step(slider, at.item())


def test_without_directions_the_sliders_stay_what_they_were() -> None:
    class Mute(nn.Module):
        """A generator without a layer to look at."""

        def forward(self, z):
            return torch.tanh(z).repeat(1, 196)[:, :784]

    explorer = explore(Mute(), noise_dim=4)
    explorer.space.value = "directions"
    assert "That did not work. ValueError: generator: expected one with layers" in (
        explorer.status.value
    )
    assert explorer.space.value == "coordinates"
    picture = bytes(explorer.picture.value)
    explorer.sliders[0].value = explorer.sliders[0].max
    assert explorer.picture.value != picture
    with pytest.raises(ValueError, match="expected one with layers"):
        explore(Mute(), noise_dim=4, space="directions")


def test_directions_are_found_from_at_most_5000_latents() -> None:
    assert ways.SAMPLES <= 5000


def test_each_slider_has_a_name_and_steps_for_the_keyboard(opened) -> None:
    names = [slider.description for slider in opened.sliders]
    assert len(set(names)) == len(names) == 8
    for slider in opened.sliders:
        assert slider.step == pytest.approx((slider.max - slider.min) / 60)


def test_there_are_no_more_sliders_than_coordinates() -> None:
    assert len(explore(build_generator(3), n_sliders=8).sliders) == 3
    assert len(explore(build_generator(3), n_sliders=8, space="directions").sliders) == 3


# Bursts --------------------------------------------------------------------------------------


class Time:
    """A clock and an event loop that stand still until they are told."""

    def __init__(self) -> None:
        self.now, self.due = 100.0, []

    def perf_counter(self) -> float:
        return self.now

    def call_later(self, delay, callback):
        handle = SimpleNamespace(when=self.now + delay, run=callback)
        handle.cancel = lambda: self.due.remove(handle)
        self.due.append(handle)
        return handle

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        for handle in [h for h in self.due if h.when <= self.now]:
            self.due.remove(handle)
            handle.run()


@pytest.fixture
def stopped(monkeypatch) -> Time:
    clock = Time()
    monkeypatch.setattr(latest, "time", clock)
    monkeypatch.setattr(latest.asyncio, "get_running_loop", lambda: clock)
    return clock


@steady
@given(st.lists(st.one_of(st.none(), st.floats(0.01, 3)), max_size=60))
def test_the_last_position_wins_and_nothing_queues_up(moves) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Time()
        patch.setattr(latest, "time", clock)
        patch.setattr(latest.asyncio, "get_running_loop", lambda: clock)
        position, drawn = [0], []

        def work():
            clock.now += 1.0  # a drawing takes a second
            drawn.append(position[0])

        draws = latest.Latest(work)
        for pause in moves:
            if pause is None:
                position[0] += 1
                draws.ask()
                assert len(clock.due) <= 1
            else:
                clock.pass_by(pause)
        clock.pass_by(1.0)
    assert clock.due == []
    assert drawn[-1:] == ([position[0]] if position[0] else [])
    assert drawn == sorted(set(drawn))  # none twice, none out of order


def test_a_burst_of_25_moves_draws_twice_and_ends_right(opened, stopped, monkeypatch) -> None:
    drawn = []

    def slow(generator, latent, side):
        stopped.now += 0.05
        drawn.append(latent)
        return draw(generator, latent, side)

    monkeypatch.setattr(window, "draw", slow)
    stopped.pass_by(10)
    slider = opened.sliders[0]
    for number in range(25):
        slider.value = -1 + number / 20
    assert len(drawn) == 1
    stopped.pass_by(0.05)
    assert len(drawn) == 2
    assert drawn[-1][0].item() == pytest.approx(slider.value)
    assert np.array_equal(shown(opened), want(opened))


def test_a_button_overtakes_a_move_that_is_due(opened, stopped, monkeypatch) -> None:
    def slow(*arguments):
        stopped.now += 0.05
        return draw(*arguments)

    monkeypatch.setattr(window, "draw", slow)
    stopped.pass_by(10)
    opened.sliders[0].value = 0.5
    opened.sliders[0].value = 0.6
    opened.buttons["walk"].click()
    walk = opened.picture.value
    stopped.pass_by(1)
    assert opened.picture.value == walk


# Buttons -------------------------------------------------------------------------------------


def test_new_and_reset(opened) -> None:
    first = opened.latent
    opened.buttons["new"].click()
    second = opened.latent
    assert not torch.equal(first, second)
    opened.sliders[3].value = 0.123
    assert not torch.equal(opened.latent, second)
    opened.buttons["reset"].click()
    assert torch.equal(opened.latent, second)


def test_a_walk_is_an_animation_that_ends_where_the_sliders_are(opened) -> None:
    before = opened.latent
    opened.buttons["walk"].click()
    assert opened.picture.format == "gif"
    file = Image.open(io.BytesIO(bytes(opened.picture.value)))
    assert file.n_frames > 20
    assert "loop" not in file.info
    assert not torch.equal(opened.latent, before)
    file.seek(0)
    frames = [np.array(file.convert("L"))[5::10, 5::10]]
    file.seek(file.n_frames - 1)
    frames.append(np.array(file.convert("L"))[5::10, 5::10])
    for frame, latent in zip(frames, (before, opened.latent), strict=True):
        assert np.array_equal(frame, as_bytes(opened._generator(latent[None])[0]))
    opened.sliders[0].value = -opened.sliders[0].value
    assert opened.picture.format == "png"


@pytest.mark.parametrize("way", ["linear", "spherical"])
def test_interpolation_goes_from_one_kept_picture_to_the_other(opened, way) -> None:
    opened.buttons["keep"].click()
    assert opened.buttons[way].disabled
    opened.buttons["new"].click()
    opened.buttons["keep"].click()
    assert not opened.buttons[way].disabled
    opened.buttons[way].click()
    a, b = opened.kept
    t = torch.linspace(0, 1, window.FRAMES)
    between = {"linear": ways.lerp, "spherical": ways.slerp}[way]
    torch.testing.assert_close(opened._path, between(a, b, t))
    torch.testing.assert_close(opened.latent, b)
    picture, line = opened.strip.children
    assert read(bytes(picture.value)).shape[1] > 5 * read(bytes(picture.value)).shape[0]
    assert "From 1 to 2" in line.value


def test_ends_of_an_interpolation_can_be_chosen(opened) -> None:
    for _ in range(3):
        opened.buttons["new"].click()
        opened.buttons["keep"].click()
    assert (opened.start.value, opened.end.value) == (2, 3)
    opened.start.value, opened.end.value = 3, 1
    opened.buttons["linear"].click()
    torch.testing.assert_close(opened._path[0], opened.kept[2])
    torch.testing.assert_close(opened.latent, opened.kept[0])


def test_the_row_of_kept_pictures_grows(opened) -> None:
    assert opened.kept_row.layout.display == "none"
    opened.buttons["keep"].click()
    assert opened.kept_row.layout.display != "none"
    widths = []
    for _ in range(3):
        opened.buttons["keep"].click()
        widths.append(read(bytes(opened.kept_row.children[0].value)).shape[1])
    assert widths == sorted(set(widths))
    assert len(opened.kept) == 4


def test_nearest_real_images_are_those_of_the_metric(opened) -> None:
    opened._real[17] = opened._generator(opened.latent[None])[0]
    opened.buttons["nearest"].click()
    picture, line = opened.strip.children
    assert "at distances 0.0, " in line.value
    row = read(bytes(picture.value))
    first = row[2:58:2, 2:58:2]
    assert np.array_equal(first, as_bytes(opened._real[17]))


def test_pictures_and_paths_are_saved_and_never_overwritten(opened, tmp_path) -> None:
    for name in ("png", "gif", "png", "gif"):
        opened.buttons[name].click()
    files = sorted(path.name for path in (tmp_path / "explorer").iterdir())
    assert files == ["path_001.gif", "path_002.gif", "picture_001.png", "picture_002.png"]
    assert (tmp_path / "explorer" / "picture_002.png").read_bytes() == draw(
        opened._generator, opened.latent
    ).png
    saved = Image.open(tmp_path / "explorer" / "path_001.gif")
    assert (saved.n_frames, saved.info["loop"]) == (len(opened._path), 0)
    assert "path_002.gif" in opened.status.value


def test_an_error_is_said_in_the_window_and_loses_nothing(opened, tmp_path) -> None:
    (tmp_path / "explorer").write_text("a file where the folder should be")
    before = opened.latent
    opened.buttons["png"].click()
    assert "That did not work. FileExistsError" in opened.status.value
    opened.buttons["keep"].click()
    assert torch.equal(opened.kept[0], before)


@pytest.mark.parametrize("name", [*panel.BUTTONS])
def test_every_button_says_what_it_does(opened, name) -> None:
    button = opened.buttons[name]
    assert button.description
    assert len(button.tooltip) > 15


# What belongs to the picture -----------------------------------------------------------------


class Looked:
    """A window, and whether what it shows belongs to the picture that is there now."""

    def __init__(self, name: str) -> None:
        G, self.D = (load_pretrained(name, part) for part in "GD")
        real = torch.rand(40, 1, 28, 28) * 2 - 1
        self.window = explore(G, discriminator=self.D, real=real, side=28, n_sliders=3)
        self.path: Tensor | None = None  # of the animation that should be seen

    def do(self, name: str, number: int) -> None:
        """One action; `number` chooses, where there is something to choose."""
        window, before = self.window, (self.window.latent, self.window._path)
        if name == "slide":
            slider = window.sliders[number % 3]
            slider.value = slider.min if slider.value > 0 else slider.max
        elif name == "space":
            window.space.index = 1 - window.space.index
        elif name == "label" and window._generator.classes:
            window.label.value = number % 10
        elif name == "code":
            window.latent = window._generator.draw(1, number)[0]
        elif name == "ends" and window.kept:
            window.start.value, window.end.value = 1 + number % len(window.kept), 1
        elif name in window.buttons and not window.buttons[name].disabled:
            window.buttons[name].click()
        if window._path is not before[1]:
            self.path = window._path
        elif name in ("new", "reset", "code") or not torch.equal(window.latent, before[0]):
            self.path = None
            assert window.status.value == panel.as_line(SAID.get(name, ""))

    def check(self) -> None:
        window = self.window
        image = window._generator(window.latent[None])
        for slider, at in zip(window.sliders, window._basis @ window.latent, strict=True):
            assert_nearest_step(slider, at.item())
        if window._generator.classes:
            assert window.label.value == int(window.latent[-10:].argmax())
        self.check_picture()
        self.check_words()
        self.check_bar(image)
        self.check_rows(image)

    def check_picture(self) -> None:
        window = self.window
        latents = window.latent[None] if self.path is None else self.path
        assert window.picture.format == ("png" if self.path is None else "gif")
        file = Image.open(io.BytesIO(bytes(window.picture.value)))
        assert getattr(file, "n_frames", 1) == len(latents)
        for number in (0, len(latents) - 1):
            file.seek(number)
            want = as_bytes(window._generator(latents[number][None])[0])
            assert np.array_equal(np.array(file.convert("L")), want)

    def check_words(self) -> None:
        window = self.window
        latents = window.latent[None] if self.path is None else self.path[[0, -1]]
        for latent in latents:
            judged = look(window._generator(latent[None]), window._reader.judge).logits.softmax(1)
            words = f" as {judged.argmax()} ({judged.max():.0%} sure)"
            assert words in window.caption.value
            assert words in window.picture.tooltip
        assert ("A path of" in window.caption.value) == (self.path is not None)

    def check_bar(self, image: Tensor) -> None:
        window = self.window
        labels = [window.latent[-10:].argmax()[None]] if window._generator.classes else []
        with torch.no_grad():
            belief = torch.sigmoid(self.D(image, *labels)).item()
        assert window.belief.value == pytest.approx(belief, abs=1e-5)
        assert window.belief_text.value.endswith(f"{belief:.0%}")
        assert window.belief_text.value.startswith("last: ") == (self.path is not None)

    def check_rows(self, image: Tensor) -> None:
        window = self.window
        if window.kept:
            kept = window._generator(torch.stack(window.kept))
            assert bytes(window.kept_row.children[0].value) == to_png(kept, 56)
        picture, line = window.strip.children
        if window.strip.layout.display == "none":
            assert "last row" not in window.status.value
        elif "nearest" in line.value:
            wanted = nearest_neighbours(image, window._real, k=5).images[0]
            assert bytes(picture.value) == to_png(wanted, 56)
            assert ("path" in line.value) == (self.path is not None)
        else:
            assert bytes(picture.value) == to_png(window._generator(self.path)[::3], 56)


SAID = {"new": "Another latent.", "reset": "Back at the start."}
ACTIONS = st.sampled_from(["slide", "slide", "space", "label", "code", "ends", *panel.BUTTONS])
ORDERS = st.lists(st.tuples(ACTIONS, st.integers(0, 99), st.booleans()), max_size=12)


@pytest.mark.parametrize("name", ["dcgan_rotated", "cgan"])
def test_all_that_is_seen_belongs_to_the_picture_in_whatever_order(
    name, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))

    @settings(steady, max_examples=12)
    @given(ORDERS)
    @example([("nearest", 0, True), ("new", 0, True)])
    @example([("nearest", 0, True), ("slide", 0, True)])
    @example([("slide", 0, False), ("slide", 1, False), ("nearest", 0, True)])
    @example([("slide", 0, False), ("slide", 1, False), ("walk", 0, True)])
    @example([("walk", 0, True), ("nearest", 0, True), ("keep", 0, True), ("reset", 0, True)])
    @example([("keep", 0, True), ("new", 0, True), ("keep", 0, True), ("linear", 0, True)])
    @example([("label", 3, False), ("new", 0, True), ("gif", 0, True), ("label", 4, True)])
    def in_order(actions) -> None:
        with pytest.MonkeyPatch.context() as patch:
            clock = Time()

            def slow(*arguments):
                clock.now += 0.05
                return draw(*arguments)

            patch.setattr(latest, "time", clock)
            patch.setattr(latest.asyncio, "get_running_loop", lambda: clock)
            patch.setattr(window, "draw", slow)
            looked = Looked(name)
            for action, number, is_time_left in [*actions, ("space", 0, True)]:
                looked.do(action, number)
                if is_time_left:
                    clock.pass_by(1)
                    clock.pass_by(1)  # what the first second's work has asked for
                    looked.check()

    in_order()


def test_a_picture_that_cannot_be_made_leaves_all_as_it_was(opened, monkeypatch) -> None:
    opened.buttons["nearest"].click()
    before = opened.latent, opened.picture.value, opened.caption.value

    def fail(*arguments):
        raise RuntimeError("no memory")

    monkeypatch.setattr(window, "draw", fail)
    opened.buttons["new"].click()
    assert "no memory" in opened.status.value
    assert torch.equal(opened.latent, before[0])
    assert (opened.picture.value, opened.caption.value) == before[1:]
    assert opened.strip.layout.display == ""


def test_words_that_cannot_be_found_are_not_those_of_a_former_picture(opened, monkeypatch) -> None:
    def fail(*arguments):
        raise RuntimeError("no memory")

    monkeypatch.setattr(opened._critic, "believe", fail)
    opened.buttons["new"].click()
    said = opened.caption.value, opened.picture.tooltip, opened.belief_text.value
    assert said == (panel.as_line(""), "", "")
    assert opened.belief.value == 0


def test_a_former_path_is_saved_as_one(opened) -> None:
    opened.buttons["walk"].click()
    opened.buttons["gif"].click()
    assert "came after" not in opened.status.value
    opened.buttons["new"].click()
    opened.buttons["gif"].click()
    assert "It is the last path; this picture came after it." in opened.status.value


def test_words_for_a_lost_kernel_are_there_and_not_seen(opened) -> None:
    assert opened.gone in opened.root.children
    assert opened.gone.layout.display == "none"
    assert "lost its kernel" in opened.gone.value


# Opinions and words --------------------------------------------------------------------------


def test_the_picture_has_words_that_change_with_it(opened) -> None:
    words = set()
    for _ in range(6):
        opened.buttons["new"].click()
        words.add(opened.picture.tooltip)
        assert "classifier reads as" in opened.picture.tooltip
        assert opened.picture.tooltip.startswith(opened.caption.value.split(">")[1][:20])
    assert len(words) == 6


@pytest.mark.parametrize("part", ["the picture", "kept", "strip"])
def test_every_image_has_words(opened, part) -> None:
    opened.buttons["keep"].click()
    opened.buttons["nearest"].click()
    image = {
        "the picture": opened.picture,
        "kept": opened.kept_row.children[0],
        "strip": opened.strip.children[0],
    }[part]
    assert len(image.tooltip) > 10


def test_words_for_images_that_no_classifier_knows() -> None:
    odd = nn.Sequential(nn.Linear(5, 3 * 12 * 10), nn.Tanh(), nn.Unflatten(1, (3, 12, 10)))
    explorer = explore(odd)
    assert "10 x 12 pixels" in explorer.picture.tooltip
    assert explorer.buttons["nearest"].disabled


def test_the_bar_is_what_the_discriminator_believes(opened) -> None:
    D = load_pretrained("dcgan_rotated", "D")
    for _ in range(3):
        opened.buttons["new"].click()
        with torch.no_grad():
            want = torch.sigmoid(D(opened._generator(opened.latent[None]))).item()
        assert opened.belief.value == pytest.approx(want, abs=1e-5)
        assert opened.belief_text.value == f"{want:.0%}"
        assert f"{want:.0%}" in opened.picture.tooltip


@pytest.mark.parametrize(
    "build, as_probability, turn",
    [
        (build_discriminator, torch.sigmoid, torch.sigmoid),
        (build_sigmoid_discriminator, torch.sigmoid, torch.clone),
        (build_discriminator, None, torch.clone),
    ],
)
def test_scores_become_probabilities_once(build, as_probability, turn) -> None:
    D, G = build(), build_generator(8)
    explorer = explore(G, discriminator=D, as_probability=as_probability)
    with torch.no_grad():
        want = turn(D.eval()(G.eval()(explorer.latent[None]))).clamp(0, 1).item()
    assert explorer.belief.value == pytest.approx(want, abs=1e-6)


def test_without_a_discriminator_there_is_no_bar() -> None:
    explorer = explore(build_generator(8))
    assert "D takes" not in explorer.picture.tooltip
    assert explorer.belief not in list(walk_widgets(explorer.root))


def walk_widgets(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk_widgets(child)


# Without a kernel ----------------------------------------------------------------------------


@pytest.fixture
def bundle(opened, monkeypatch) -> nbformat.NotebookNode:
    """The output that a notebook gets when a cell ends with the window."""
    caught = []
    monkeypatch.setattr(
        IPython.display, "display", lambda data, **more: caught.append((data, more["metadata"]))
    )
    opened._ipython_display_()
    ((data, metadata),) = caught
    return nbformat.v4.new_output("display_data", data=data, metadata=metadata)


def test_the_window_comes_with_a_still_grid(bundle, opened) -> None:
    assert list(bundle.data) == [VIEW, "image/png", "text/plain"]
    assert bundle.data[VIEW]["model_id"] == opened.root.model_id
    assert bundle.metadata["image/png"]["alt"] == bundle.data["text/plain"]
    assert "coordinate 8" in bundle.data["text/plain"]
    grid = read(base64.b64decode(bundle.data["image/png"]))
    assert min(grid.shape[:2]) > 300


def test_the_still_grid_shows_the_pictures_that_sliders_would(shipped) -> None:
    latent, basis = shipped.draw(1, seed=0)[0], torch.eye(2, shipped.dim)
    first, _ = draw_still(shipped, latent, basis, ["one", "two"], 3.0)
    again, words = draw_still(shipped, latent, basis, ["one", "two"], 3.0)
    other, _ = draw_still(shipped, -latent, basis, ["one", "two"], 3.0)
    assert np.array_equal(read(first), read(again))
    assert not np.array_equal(read(first), read(other))
    assert "from -3 to 3: one, two" in words


def test_what_is_stored_is_the_still_grid_alone(bundle) -> None:
    (kept,) = tidy_outputs([bundle], {})
    assert list(kept.data) == ["image/png", "text/plain"]


@pytest.mark.parametrize("stored", [True, False])
def test_an_export_as_a_page_shows_the_still_grid(bundle, stored) -> None:
    outputs = tidy_outputs([bundle], {}) if stored else [bundle]
    cell = nbformat.v4.new_code_cell("window", outputs=outputs)
    page = to_html(nbformat.v4.new_notebook(cells=[cell]), "page")
    assert f"data:image/png;base64,{bundle.data['image/png'][:40]}" in page
    assert f'alt="{bundle.data["text/plain"]}"' in page


def test_widgets_are_not_needed_until_a_window_opens() -> None:
    code = "import sys, course_utils; print('ipywidgets' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    assert run.stdout.strip() == "False", run.stderr


# What it is given ----------------------------------------------------------------------------


def test_the_networks_stay_as_they_were() -> None:
    G, D = build_generator(8).train(), build_discriminator().train()
    before = [p.clone() for p in (*G.parameters(), *D.parameters())]
    explorer = explore(G, discriminator=D)
    explorer.buttons["walk"].click()
    assert G.training
    assert D.training
    assert all(p.requires_grad for p in (*G.parameters(), *D.parameters()))
    assert all(map(torch.equal, (*G.parameters(), *D.parameters()), before))


def test_a_window_moves_no_random_state(opened) -> None:
    state = torch.random.get_rng_state()
    for name in ("new", "walk", "nearest"):
        opened.buttons[name].click()
    opened.space.value = "directions"
    explore(load_pretrained("dcgan_rotated"))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_seed_decides_the_first_latent() -> None:
    G = build_generator(8)
    first, again, other = (explore(G, seed=seed).latent for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@bad_inputs(
    ("no network", lambda: explore("G"), TypeError, "generator", "str"),
    ("no sliders", lambda: explore(build_generator(8), n_sliders=0), ValueError, "n_sliders", "0"),
    ("a space", lambda: explore(build_generator(8), space="pixels"), ValueError, "space", "pixels"),
    ("a seed", lambda: explore(build_generator(8), seed=-1), ValueError, "seed", "-1"),
    ("a side", lambda: explore(build_generator(8), side=0), ValueError, "side", "0"),
    (
        "D of other images",
        lambda: explore(
            build_generator(8), discriminator=load_pretrained("cifar10_better", part="D")
        ),
        ValueError,
        "discriminator",
        "error",
    ),
    (
        "D with two scores",
        lambda: explore(
            build_generator(8), discriminator=nn.Sequential(nn.Flatten(), nn.Linear(784, 2))
        ),
        ValueError,
        "discriminator",
        "4 for 2",
    ),
    (
        "D is no network",
        lambda: explore(build_generator(8), discriminator=len),
        TypeError,
        "discriminator",
        "builtin",
    ),
)
def test_bad_arguments_are_named(call, error, name, got) -> None:
    assert_complains(call, error, name, got)


def test_a_bad_latent_set_from_code_loses_nothing(opened) -> None:
    before = opened.latent
    with pytest.raises(ValueError, match="latent: expected shape"):
        opened.latent = torch.zeros(3)
    assert torch.equal(opened.latent, before)
