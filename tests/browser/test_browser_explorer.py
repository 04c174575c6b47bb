"""The explorer in a browser: its words, its speed, a burst, the switch, the still grid."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from explorer_window import Window, measure_latency
from lab import open_notebook
from PIL import Image

from course_utils.explorer.generator import FrozenGenerator
from course_utils.explorer.pictures import draw
from course_utils.pretrained import load_pretrained

pytestmark = pytest.mark.slow

PATIENCE = 1000.0  # milliseconds: far above what a slider takes anywhere, the test's only limit

WINDOW = """
import course_utils as cu
G, D = (cu.load_pretrained("{name}", part) for part in "GD")
cu.explore(G, discriminator=D, {options})
"""


@pytest.fixture
def open_window(lab, page, console):
    def open_one(name: str = "dcgan_rotated", options: str = "") -> Window:
        lab.write_notebook("window.ipynb", WINDOW.format(name=name, options=options))
        notebook = open_notebook(page, lab.address("window.ipynb"))
        notebook.run_all()
        return Window(notebook)

    yield open_one
    assert console.errors == []


def test_the_words_of_the_picture_change_with_it(open_window, page, snap) -> None:
    window = open_window()
    page.wait_for_function("() => document.querySelector('img.gan-picture').title")
    before = window.picture.get_attribute("title")  # it comes a moment after the picture
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


def test_what_belongs_to_a_picture_goes_with_it(open_window, snap) -> None:
    window = open_window()
    window.wait_until_hidden("strip")
    for another in ("New", "a slider", "Walk"):
        window.click("Nearest real")
        window.wait_for("strip", "nearest real images, at distances")
        window.wait_for("status", "They are in the last row")
        snap(window.root, "nearest")
        if another == "a slider":
            window.after(lambda: window.handles.first.press(window.key(0)))
        else:
            window.after(lambda another=another: window.click(another))
        window.wait_until_hidden("strip")
        snap(window.root, another)
    window.wait_for("status", "A walk of 37 pictures")
    window.wait_for("caption", r"A path of 37 pictures.* its first as \d .* its last as \d ")
    assert window.root.get_by_text("last: ").is_visible()
    window.click("New")
    window.wait_for("caption", "A generated picture that")


def test_a_window_whose_kernel_is_gone_says_what_to_do(open_window, snap) -> None:
    window = open_window()
    window.wait_until_hidden("gone")
    window.notebook.choose("Kernel", "Restart Kernel…")
    window.page.locator(".jp-Dialog button.jp-mod-accept").click()
    window.wait_for("gone", "This window has lost its kernel")
    window.settle()
    snap(window.root, "gone")
    chains = """[...document.querySelectorAll('.jupyter-widgets-disconnected')].filter(
        part => getComputedStyle(part, '::before').display !== 'none').length"""
    assert window.page.evaluate(chains) == 0
    window.notebook.choose("Run", "Run All Cells")  # as before the restart, its prompt will be [1]
    window.wait_until_hidden("gone")


@pytest.mark.parametrize(
    ("name", "options"),
    [("dcgan_rotated", ""), ("dcgan_strided", ""), ("cifar10_better", ""), ("cppn", "side=448")],
)
def test_how_soon_a_picture_follows_a_key(open_window, snap, name, options) -> None:
    window = open_window(name, options)
    figures = measure_latency(window, name)
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
