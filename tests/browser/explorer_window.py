"""The explorer in a page, and what a student does with it."""

from __future__ import annotations

import io
import json
import re
import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from lab import Notebook
from pictures import press_and_time, read_picture
from PIL import Image
from server import ARTEFACTS

if TYPE_CHECKING:
    from pathlib import Path

PRESSES = 40  # for the figures
OTHER = {"ArrowLeft": "ArrowRight", "ArrowRight": "ArrowLeft"}

# In the page: whether a picture has another address than `before`.
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

    def after(self, act: Callable[[], None]) -> np.ndarray:
        """The pixels of the picture that `act` leads to.

        The words of a picture, which come later, give the same picture another address.
        """
        before, address = read_picture(self.picture), self.picture.get_attribute("src")
        act()
        while True:
            self.page.wait_for_function(CHANGED, arg=["img.gan-picture", address])
            address = self.picture.get_attribute("src")
            if read_picture(self.picture) != before:
                return self.pixels()

    def click(self, word: str) -> None:
        self.root.get_by_role("button", name=word, exact=True).click()

    def wait_for(self, part: str, text: str) -> None:
        """Until the words of .gan-`part` hold this."""
        self.root.locator(f".gan-{part}").get_by_text(re.compile(text)).wait_for()

    def wait_until_hidden(self, part: str) -> None:
        self.root.locator(f".gan-{part}").wait_for(state="hidden")

    def settle(self) -> None:
        """Until the kernel has nothing left to do."""
        self.page.wait_for_timeout(500)
        self.page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()

    def key(self, number: int) -> str:
        """The arrow key that leads a slider away from its nearer end."""
        return "ArrowLeft" if self.position(number) > 0 else "ArrowRight"


def move_each_slider(window: Window, snap: Callable) -> None:
    """Each by keyboard, and two by mouse; the picture changes each time."""
    seen = [window.pixels()]
    for number in range(window.handles.count()):
        handle, key = window.handles.nth(number), window.key(number)
        seen.append(window.after(lambda handle=handle, key=key: handle.press(key)))
        assert not np.array_equal(seen[-2], seen[-1])
    snap(window.root, "keyboard")
    for number in (0, 4):
        before = window.position(number)
        box = window.root.locator(".noUi-target").nth(number).bounding_box()
        x = box["x"] + box["width"] * (0.9 if before < 0 else 0.1)
        y = box["y"] + box["height"] / 2
        seen.append(window.after(lambda x=x, y=y: window.page.mouse.click(x, y)))
        assert not np.array_equal(seen[-2], seen[-1])
        assert abs(window.position(number) - before) > 0.5
    snap(window.root, "mouse")


def measure_latency(window: Window, name: str) -> dict[str, float]:
    """From a key to another picture, in ms; kept in runs/browser/latency_NAME.json."""
    window.settle()
    key = window.key(0)
    latencies = [
        *press_and_time(window.handles.first, key, PRESSES // 2),
        *press_and_time(window.handles.first, OTHER[key], PRESSES // 2),
    ]
    latencies.sort()
    figures = {
        "median_ms": round(statistics.median(latencies), 1),
        "p90_ms": round(latencies[int(0.9 * len(latencies))], 1),
        "presses": len(latencies),
    }
    (ARTEFACTS / f"latency_{name}.json").write_text(json.dumps(figures) + "\n")
    print(name, figures)
    return figures


def press_every_button(window: Window, saved: Path, snap: Callable) -> None:
    """Each once, in an order in which each can do its work."""
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
    kinds = {file.suffix for file in saved.iterdir()}
    assert kinds == {".png", ".gif"}
