"""The explorer as a student has it: sliders by keyboard and mouse, a burst, every button."""

from __future__ import annotations

import base64
import io
import json
import re
import statistics

import numpy as np
import pytest
import torch
from lab import Notebook, open_notebook
from pictures import press_and_time, read_picture
from PIL import Image
from server import ARTEFACTS

from course_utils.explorer.generator import FrozenGenerator
from course_utils.explorer.pictures import draw
from course_utils.pretrained import load_pretrained

pytestmark = pytest.mark.slow

PRESSES = 40  # for the figures
PATIENCE = 1000.0  # milliseconds: far above what a slider takes anywhere, the test's only limit

WINDOW = """
import course_utils as cu
G, D = (cu.load_pretrained("{name}", part) for part in "GD")
cu.explore(G, discriminator=D)
"""

# In the page: the bytes of a picture, once it is another one than `before`.
CHANGED = """
([selector, before]) => document.querySelector(selector).src !== before
"""


class Window:
    """The explorer in a page."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.root = self.page.locator(".gan-explorer").first
        self.picture = self.root.locator("img.gan-picture")
        self.handles = self.root.locator(".noUi-handle")
        self.picture.wait_for()

    def pixels(self) -> np.ndarray:
        return np.array(Image.open(io.BytesIO(read_picture(self.picture))))

    def position(self, number: int) -> float:
        return float(self.handles.nth(number).get_attribute("aria-valuenow"))

    def after(self, act) -> np.ndarray:
        """The pixels of the picture that `act` leads to."""
        before = self.picture.get_attribute("src")
        act()
        self.page.wait_for_function(CHANGED, arg=["img.gan-picture", before])
        return self.pixels()

    def click(self, word: str) -> None:
        self.root.get_by_role("button", name=word, exact=True).click()

    def wait_for(self, part: str, text: str) -> None:
        """Until the words of .gan-`part` hold this."""
        self.root.locator(f".gan-{part}").get_by_text(re.compile(text)).wait_for()

    def settle(self) -> None:
        """Until the kernel has nothing left to do."""
        self.page.wait_for_timeout(500)
        self.page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()


@pytest.fixture
def open_window(lab, page, console):
    def open_one(name: str = "dcgan_rotated") -> Window:
        lab.write_notebook("window.ipynb", WINDOW.format(name=name))
        notebook = open_notebook(page, lab.address("window.ipynb"))
        notebook.run_all()
        return Window(notebook)

    yield open_one
    assert console.errors == []


def test_each_slider_moves_the_picture_by_keyboard_and_mouse(open_window, page, snap) -> None:
    window = open_window()
    snap(window.root, "opened")
    assert window.handles.count() == 8
    seen = [window.pixels()]
    for number in range(8):
        handle = window.handles.nth(number)
        key = "ArrowLeft" if window.position(number) > 0 else "ArrowRight"
        seen.append(window.after(lambda handle=handle, key=key: handle.press(key)))
        assert not np.array_equal(seen[-2], seen[-1])
    snap(window.root, "keyboard")
    for number in (0, 4):
        before = window.position(number)
        bar = window.root.locator(".noUi-target").nth(number)
        box = bar.bounding_box()
        x = box["x"] + box["width"] * (0.9 if before < 0 else 0.1)
        y = box["y"] + box["height"] / 2
        seen.append(window.after(lambda x=x, y=y: page.mouse.click(x, y)))
        assert not np.array_equal(seen[-2], seen[-1])
        assert abs(window.position(number) - before) > 0.5
    snap(window.root, "mouse")
    assert window.notebook.errors() == []


def test_the_words_of_the_picture_change_with_it(open_window, snap) -> None:
    window = open_window()
    before = window.picture.get_attribute("title")
    assert "classifier reads as" in before
    assert re.search(r"for real with \d+%", before)
    window.after(lambda: window.click("New"))
    window.page.wait_for_function(
        "before => document.querySelector('img.gan-picture').title !== before", arg=before
    )
    window.wait_for("caption", "reads as")
    assert window.root.get_by_role("img", name="classifier reads as").first.is_visible()
    assert window.root.get_by_text("D: real").is_visible()
    snap(window.root, "words")


@pytest.mark.parametrize("name", ["dcgan_rotated", "dcgan_strided", "cifar10_better"])
def test_how_soon_a_picture_follows_a_key(open_window, snap, name) -> None:
    window = open_window(name)
    window.settle()
    handle = window.handles.first
    key = "ArrowLeft" if window.position(0) > 0 else "ArrowRight"
    latencies = press_and_time(handle, key, PRESSES // 2)
    other = {"ArrowLeft": "ArrowRight", "ArrowRight": "ArrowLeft"}[key]
    latencies = sorted(latencies + press_and_time(handle, other, PRESSES // 2))
    figures = {
        "median_ms": round(statistics.median(latencies), 1),
        "p90_ms": round(latencies[int(0.9 * len(latencies))], 1),
        "presses": len(latencies),
    }
    (ARTEFACTS / f"latency_{name}.json").write_text(json.dumps(figures) + "\n")
    print(name, figures)
    snap(window.root, "pressed")
    assert figures["median_ms"] < PATIENCE


def test_a_burst_of_25_moves_ends_on_the_right_picture(open_window, snap) -> None:
    window = open_window()
    start = window.position(2)
    key, sign = ("ArrowLeft", -1) if start > 0 else ("ArrowRight", 1)
    window.handles.nth(2).focus()
    window.page.evaluate(
        """([key, times]) => {
            for (let i = 0; i < times; i++)
                document.activeElement.dispatchEvent(
                    new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
        }""",
        [key, 25],
    )
    window.settle()
    frozen = FrozenGenerator(load_pretrained("dcgan_rotated"))
    latent = frozen.draw(1, seed=0)[0]
    assert window.position(2) == pytest.approx(start + sign * 25 * 0.1, abs=0.01)
    latent[2] = window.position(2)
    want = np.array(Image.open(io.BytesIO(draw(frozen, latent).png)))
    snap(window.root, "burst")
    assert np.abs(window.pixels().astype(int) - want).max() <= 1


def test_every_button_once(open_window, lab, snap) -> None:
    window = open_window()
    root = window.root
    pictures = [window.pixels()]

    def click(word: str, part: str, text: str) -> None:
        window.click(word)
        window.wait_for(part, text)
        window.settle()
        snap(root, word.lower().replace(" ", "_"))
        pictures.append(window.pixels())

    linear = root.get_by_role("button", name="Linear", exact=True)
    assert linear.is_disabled()
    click("Keep", "kept", "Kept, from the left: 1$")
    assert linear.is_disabled()
    click("New", "status", "Another latent")
    assert not np.array_equal(pictures[-1], pictures[0])
    window.after(lambda: window.handles.first.press("Home"))
    click("Reset", "status", "Back at the start")
    assert np.array_equal(pictures[-1], pictures[-2])
    click("Keep", "kept", "Kept, from the left: 1, 2")
    assert linear.is_enabled()
    click("Linear", "strip", "From 1 to 2, straight")
    click("Spherical", "strip", "From 1 to 2, arc")
    click("Walk", "status", "A walk of 37 pictures")
    click("Nearest real", "strip", "nearest real images")
    click("Save PNG", "status", r"Saved as .*picture_001\.png")
    click("Save GIF", "status", r"Saved as .*path_001\.gif")
    kinds = {file.suffix for file in (lab.folder / "runs" / "explorer").iterdir()}
    assert kinds == {".png", ".gif"}
    assert window.notebook.errors() == []


def test_the_switch_leads_to_principal_directions(open_window, snap) -> None:
    window = open_window()
    before = window.pixels()
    window.click("principal directions")
    window.wait_for("status", "Sliders: principal directions")
    assert np.array_equal(window.pixels(), before)
    for number in range(3):
        key = "Home" if window.position(number) > 0 else "End"
        window.after(lambda number=number, key=key: window.handles.nth(number).press(key))
        snap(window.root, f"direction_{number + 1}")
    assert window.root.get_by_text("direction 8").is_visible()


def test_a_stored_window_is_a_still_grid_with_words(lab, page, console, snap) -> None:
    frozen = FrozenGenerator(load_pretrained("mlp_logits"))
    png = base64.b64encode(draw(frozen, torch.zeros(frozen.dim)).png).decode()
    lab.write_notebook("stored.ipynb", "window")
    path = lab.notebooks / "stored.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][0]["outputs"] = [
        {
            "output_type": "display_data",
            "data": {"image/png": png, "text/plain": "words"},
            "metadata": {"image/png": {"alt": "what the sliders do"}},
        }
    ]
    path.write_text(json.dumps(notebook))
    open_notebook(page, lab.address("stored.ipynb"))
    picture = page.locator(".jp-OutputArea-output img")
    snap(page, "stored")
    assert picture.get_attribute("src").endswith(png)
    assert console.errors == []
