"""The helpers that time a picture behind a slider, tried on the smallest window there is."""

from __future__ import annotations

import io
import math

import pytest
from lab import open_notebook
from pictures import press_and_time, read_picture
from PIL import Image

pytestmark = pytest.mark.slow

WINDOW = """
import io, PIL.Image
from ipywidgets import FloatSlider, Image, VBox

def draw(grey):
    file = io.BytesIO()
    PIL.Image.new("L", (64, 64), int(grey)).save(file, "PNG")
    return file.getvalue()

slider = FloatSlider(value=100, min=0, max=115, step=5)
picture = Image(value=draw(slider.value))
picture.add_class("gan-picture")
slider.observe(lambda change: setattr(picture, "value", draw(change.new)), "value")
VBox([slider, picture])
"""


def test_a_picture_behind_a_slider_is_timed_and_read(lab, page, console, snap) -> None:
    lab.write_notebook("slider.ipynb", WINDOW)
    notebook = open_notebook(page, lab.address("slider.ipynb"))
    notebook.run_all()
    handle, picture = page.locator(".noUi-handle"), page.locator("img.gan-picture")
    snap(page, "before")
    assert read_grey(picture) == 100

    latencies = press_and_time(handle, "ArrowRight", times=3)
    assert all(0 < latency < 2000 for latency in latencies), latencies
    assert read_grey(picture) == 115

    assert press_and_time(handle, "ArrowRight", times=1, limit_ms=300) == [math.inf]  # at its end
    assert read_grey(picture) == 115
    assert notebook.errors() == []
    assert console.errors == []


def read_grey(picture) -> int:
    return Image.open(io.BytesIO(read_picture(picture))).getpixel((0, 0))
