"""The widgets of the window and where they stand; what they do is in `window.py`.

All of them work in ipywidgets 7 (Colab) and 8 alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import ipywidgets as widgets
from torch import Tensor
from traitlets import Unicode

from ..plots import D_COLOUR
from .pictures import SMALL, to_png

SPACES = {"coordinates": "single coordinates", "directions": "principal directions"}
BUTTONS = {
    "new": ("New", "another random latent"),
    "reset": ("Reset", "back to where this latent was before the sliders"),
    "walk": ("Walk", "a path through random latents, to a new one"),
    "keep": ("Keep", "put this picture into the row of those kept"),
    "linear": ("Linear", "a straight path between two kept pictures"),
    "spherical": ("Spherical", "a path on an arc between two kept pictures"),
    "nearest": ("Nearest real", "the real images that are most like it, pixel by pixel"),
    "png": ("Save PNG", "write this picture into a file"),
    "gif": ("Save GIF", "write the last path into a file; a walk, if there was none"),
}


# JupyterLab marks each widget whose kernel is gone with a broken chain. In a window, words that are
# seen only then stand for them.
GONE = """<style>
.gan-explorer.jupyter-widgets-disconnected .gan-gone { display: block !important }
.gan-explorer.jupyter-widgets-disconnected::before,
.gan-explorer .jupyter-widgets-disconnected::before { display: none }
</style><strong>This window has lost its kernel, so nothing in it moves. Run the cells from the
top again, down to this one.</strong>"""


class DescribedImage(widgets.Image):
    """An image with a name for screen readers, which changes with it.

    `widgets.Image` has no alternative text. But every widget of ipywidgets 8 shows `tooltip` as
    its `title`, which names an image just as well, if there is a `description` to look at.
    """

    description = Unicode("").tag(sync=True)
    tooltip = Unicode("").tag(sync=True)


class Panel:
    """Sliders and buttons, a picture with its words, and two rows of small pictures.

    Attributes:
        root: all of it.
        sliders, space, label, buttons, start, end: what one moves, presses and chooses from.
        picture, caption, belief, belief_text, status: what changes.
        gone: words that a page shows where the kernel is gone.
        kept_row, strip: rows that are hidden until `show_row`, and after `hide_row`.
    """

    def __init__(
        self, count: int, space: str, size: tuple[int, int], classes: int, with_belief: bool
    ) -> None:
        self.sliders = [
            widgets.FloatSlider(
                readout_format=".2f",
                style={"description_width": "7em"},
                layout={"width": "27em"},
            )
            for _ in range(count)
        ]
        self.space = widgets.ToggleButtons(
            options=[(words, name) for name, words in SPACES.items()],
            value=space,
            style={"button_width": "13em"},
        )
        self.label = widgets.ToggleButtons(
            options=[(str(label), label) for label in range(classes)],
            description="draw a",
            style={"description_width": "4em", "button_width": "2.2em"},
        )
        self.label.layout.display = "" if classes else "none"
        self.buttons = {name: _make_button(*words) for name, words in BUTTONS.items()}
        for name in ("linear", "spherical"):
            self.buttons[name].disabled = True
        self.start, self.end = (
            widgets.Dropdown(
                description=word, layout={"width": "7em"}, style={"description_width": "2.5em"}
            )
            for word in ("from", "to")
        )
        width, height = size
        self.picture = DescribedImage(layout={"width": f"{width}px", "height": f"{height}px"})
        self.caption, self.status = widgets.HTML(), widgets.HTML()
        self.belief = widgets.FloatProgress(
            min=0,
            max=1,
            description="D: real",
            style={"bar_color": D_COLOUR, "description_width": "4em"},
            layout={"width": "15em"},
        )
        self.belief_text = widgets.Label()
        self.kept_row, self.strip = (
            widgets.VBox(
                [DescribedImage(layout={"align_self": "flex-start"}), widgets.HTML()],
                layout={"display": "none"},
            )
            for _ in range(2)
        )
        self.gone = widgets.HTML(GONE, layout={"display": "none"})
        self.root = self._arrange(with_belief)
        for widget, name in [
            (self.root, "gan-explorer"),
            (self.picture, "gan-picture"),
            (self.kept_row, "gan-kept"),
            (self.strip, "gan-strip"),
            (self.caption, "gan-caption"),
            (self.status, "gan-status"),
            (self.gone, "gan-gone"),
        ]:
            widget.add_class(name)

    def _arrange(self, with_belief: bool) -> widgets.VBox:
        """Sliders left and the picture right; on a narrow screen one under the other."""
        wrap = {"flex_flow": "row wrap"}
        beside = [self.picture, self.caption]
        if with_belief:
            beside.append(widgets.HBox([self.belief, self.belief_text]))
        rows: Sequence[Sequence[widgets.Widget]] = (
            [self.buttons[name] for name in ("new", "reset", "walk", "keep", "nearest")],
            [self.start, self.end, self.buttons["linear"], self.buttons["spherical"]],
            [self.buttons["png"], self.buttons["gif"]],
        )
        # As wide as the picture, so that the words below it break their lines.
        right = widgets.VBox(beside, layout={"width": f"max({self.picture.layout.width}, 21em)"})
        left = [
            self.label,
            self.space,
            *self.sliders,
            *(widgets.HBox(row, layout=wrap) for row in rows),
        ]
        return widgets.VBox(
            [
                self.gone,
                widgets.HBox([widgets.VBox(left), right], layout=wrap),
                self.status,
                self.kept_row,
                self.strip,
            ]
        )

    def say(self, text: str) -> None:
        self.status.value = as_line(text)

    def put(self, content: bytes, kind: str) -> None:
        """Another picture, "png" or "gif"."""
        with self.picture.hold_sync():
            self.picture.format, self.picture.value = kind, content

    def show_words(self, words: str, alt: str, belief: float | None, percent: str) -> None:
        """What is said of the picture: below it, to screen readers, and by D's bar."""
        self.caption.value, self.picture.tooltip = as_line(words), alt
        self.belief.value, self.belief_text.value = belief or 0.0, percent

    def show_row(self, row: widgets.VBox, images: Tensor, words: str) -> None:
        """Put small pictures and their words into a row that was empty, or held others."""
        picture, line = row.children
        picture.value, picture.tooltip = to_png(images, SMALL), words
        line.value = as_line(words)
        row.layout.display = ""

    def hide_row(self, row: widgets.VBox) -> None:
        row.layout.display = "none"


def _make_button(word: str, tip: str) -> widgets.Button:
    return widgets.Button(description=word, tooltip=tip, layout={"width": "auto"})


def as_line(text: str) -> str:
    """A line that screen readers read out when it changes."""
    return f'<span role="status">{escape(text)}</span>'
