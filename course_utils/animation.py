"""How the samples change during training: an animated GIF, and a player in the notebook.

The player is HTML that holds everything it needs, so it works in saved and exported notebooks and
without a network. Where scripts are not run (GitHub, a notebook not yet trusted), the last frame
stays, as a picture with alternative text.
"""

from __future__ import annotations

import base64
import io
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import torch
from PIL import Image, ImageDraw, ImageFont, features
from torch import Tensor

from .checkpoints import write_atomically
from .data import sample_notice
from .models import unflatten_digits
from .plots import describe_cut
from .validation import need_count, need_file, need_images, need_number

if TYPE_CHECKING:
    from .training import History

MAX_FRAMES = 60
LINE = 64  # the grey of the line between two images, the same as in `show_grids`
GREYS, COLOURS = 12, 64  # kept of each frame: noise costs half of what it does with 256 greys
SIZE = 480  # pixels of the player's longer side, about: the browser enlarges, for nothing
GIF_SIZE = 320  # the same of the GIF, whose bytes grow with its area
TEXT = 15  # pixels of the captions' letters
LAST = 2000  # milliseconds for which the GIF's last frame stays longer
SHORTEST = 20  # milliseconds of a frame; viewers of GIFs slow down what is shorter


def animate_samples(
    history: History,
    path: str | Path | None = None,
    *,
    nrow: int = 5,
    seconds: float = 6.0,
) -> None:
    """Show the samples from the fixed noise over training in a player, and write them as a GIF.

    The player has the buttons First, Play and Last and a slider; the arrow keys, Home, End and
    the space bar work as well. Of more than 60 entries, 60 evenly spaced ones are shown, the
    first and the last always among them. Where the run was cut short, or a sample stands
    in for the real data, the line under the frames says so. Outside of notebooks, one line of
    text is printed instead.

    Frames are kept in 12 levels of grey, or in 64 colours of their own, to be small: 30 frames of
    25 digits take about 230 kB in a notebook and 600 kB as a GIF.

    Args:
        history: what `run_a_gan` returns, or any object whose `samples` are pairs (step, images):
            images `(N, C, H, W)` with C 1 or 3, or digits as `(N, 784)`; float in [-1, 1] or
            uint8 in [0, 255]; one shape for all.
        path: where to write an animated GIF, which loops; a name that ends in .gif, in a folder
            that exists. A file of that name is replaced.
        nrow: images in a row of the grid.
        seconds: how long one pass takes, from 1 to 60. The GIF's last frame stays 2 s longer.

    Raises:
        TypeError, ValueError: anything else, NaN and values outside the range included.
        OSError: the GIF could not be written.
    """
    from IPython.display import display

    target = None if path is None else need_file(path, "path", ".gif")
    need_count(nrow, "nrow")
    need_number(seconds, "seconds", low=1, high=60)
    samples = _need_samples(history)
    count = len(samples[0][1])
    what = f"{count} generated image{'s' * (count > 1)}, {min(nrow, count)} in a row"
    frames = [_Frame(step, _reduce(tile(images, nrow))) for step, images in _choose(samples)]
    wait = max(SHORTEST, round(seconds * 100 / len(frames)) * 10)  # GIFs count in 10 ms
    notice = "; ".join(filter(None, (describe_cut(history), sample_notice())))
    if target is not None:
        write_atomically(target, _make_gif(frames, wait, notice))
    display(_Player(frames, wait, what, notice))


@dataclass(frozen=True)
class _Frame:
    """One grid of samples, in the samples' own pixels, grey or RGB."""

    step: int
    grid: Image.Image

    def find_size(self, longer: int) -> tuple[int, int]:
        """Width and height, enlarged by a whole number so that one side is about `longer`."""
        scale = max(1, round(longer / max(self.grid.size)))
        return self.grid.width * scale, self.grid.height * scale


class _Player:
    """What IPython displays: HTML, the last frame as a PNG, or plain text, whichever it can."""

    def __init__(self, frames: Sequence[_Frame], wait: int, what: str, notice: str) -> None:
        count = len(frames)
        where = f"step {frames[-1].step:,}, frame {count} of {count}"
        self.text = f"{what}, at {where}" + (f" ({notice})." if notice else ".")
        self.html = _make_html(frames, wait, what, where, notice)
        self.png = _as_base64(_enlarge(frames[-1], notice), "PNG")

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        data = {"text/html": self.html, "image/png": self.png, "text/plain": self.text}
        return data, {"image/png": {"alt": self.text}}


# The samples ---------------------------------------------------------------------------------


def _need_samples(history: Any) -> list[tuple[int, Tensor]]:
    """The pairs (step, images) of a history, the images as `(N, C, H, W)` on the CPU."""
    entries = getattr(history, "samples", None)
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise TypeError(
            "history: expected what run_a_gan returns, "
            f"got {type(history).__name__} without the list samples"
        )
    if not entries:
        raise ValueError("history: expected at least one entry in samples, got none")
    samples = [_need_entry(entry, f"history.samples[{i}]") for i, entry in enumerate(entries)]
    shapes = list(dict.fromkeys(tuple(images.shape) for _, images in samples))
    if len(shapes) > 1:
        raise ValueError(
            f"history.samples: expected images of one shape, got {shapes[0]} and {shapes[1]}"
        )
    return samples


def _need_entry(entry: Any, name: str) -> tuple[int, Tensor]:
    if not isinstance(entry, Sequence) or len(entry) != 2:
        raise TypeError(f"{name}: expected a pair (step, images), got {type(entry).__name__}")
    step, images = entry
    images = unflatten_digits(images)
    return need_count(step, name, minimum=0), need_images(images, name).detach().cpu()


def _choose(samples: Sequence[Any]) -> list[Any]:
    """At most `MAX_FRAMES` of the samples, evenly spaced, the first and the last among them."""
    if len(samples) <= MAX_FRAMES:
        return list(samples)
    stride = (len(samples) - 1) / (MAX_FRAMES - 1)
    return [samples[round(i * stride)] for i in range(MAX_FRAMES)]


# Pictures ------------------------------------------------------------------------------------


def tile(images: Tensor, nrow: int, line: int = 1) -> Image.Image:
    """A batch as one picture, grey or RGB, with a thin line around and between the images."""
    if images.dtype != torch.uint8:
        images = ((images.float() + 1) * 127.5).round().clamp(0, 255).byte()
    count, channels, height, width = images.shape
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    shape = (rows * (height + line) + line, columns * (width + line) + line, channels)
    grid = torch.full(shape, LINE, dtype=torch.uint8)
    for index, image in enumerate(images.permute(0, 2, 3, 1)):
        row, column = divmod(index, columns)
        top, left = row * (height + line) + line, column * (width + line) + line
        grid[top : top + height, left : left + width] = image
    return Image.fromarray(grid.squeeze(-1).numpy())


def _reduce(grid: Image.Image) -> Image.Image:
    """The same picture in fewer shades; black and white stay what they are."""
    if grid.mode == "RGB":
        return grid.quantize(COLOURS).convert("RGB")
    step = 255 / (GREYS - 1)
    return grid.point([round(round(grey / step) * step) for grey in range(256)])


def _enlarge(frame: _Frame, notice: str) -> Image.Image:
    """The frame as the GIF shows it: pixels enlarged, its step and the notice below."""
    width, height = frame.find_size(GIF_SIZE)
    font = ImageFont.truetype(_find_font(), TEXT)
    canvas_width = max(width, 240)  # a narrow grid still has room for words
    letters = int((canvas_width - 8) / font.getlength("n"))
    lines = [f"step {frame.step:,}", *(textwrap.wrap(f"({notice})", letters) if notice else ())]
    line_height = TEXT + 5
    canvas = Image.new(
        frame.grid.mode, (canvas_width, height + line_height * len(lines) + 6), "white"
    )
    canvas.paste(frame.grid.resize((width, height), Image.Resampling.NEAREST))
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((4, height + 3 + number * line_height), line, font=font, fill="black")
    return canvas


def _find_font() -> str:
    """The letters of all figures; Pillow's own come in one size only before version 10.1."""
    return str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))


def _make_gif(frames: Sequence[_Frame], wait: int, notice: str) -> bytes:
    pictures = [_enlarge(frame, notice) for frame in frames]
    if pictures[0].mode == "RGB":  # a GIF's frame has at most 256 colours; no dithering
        pictures = [picture.quantize(256) for picture in pictures]
    durations = [wait] * (len(frames) - 1) + [wait + LAST]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,  # for ever
    )
    return buffer.getvalue()


def _as_base64(picture: Image.Image, kind: str) -> str:
    """A picture's file, without loss, as text."""
    options = {"optimize": True} if kind == "PNG" else {"lossless": True}
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return base64.b64encode(buffer.getvalue()).decode()


# The player ----------------------------------------------------------------------------------

# The script makes the buttons, so that none stands about where scripts are not run. It asks for
# players not yet started instead of for an id: the same cell run twice gives the same bytes, and
# still any number of players lives in one page. It waits a moment because JupyterLab runs scripts
# before it puts the output into the page.
_SCRIPT = """
(() => {
  const start = (root) => {
    root.dataset.ready = "yes";
    const image = root.querySelector("img"), line = root.querySelector("span");
    const steps = root.dataset.steps.split(" "), last = steps.length - 1;
    const frames = root.dataset.frames.split(" ").map((f) => image.src.split(",")[0] + "," + f);
    frames[last] = image.src;
    const bar = document.createElement("div");
    let at = last, timer = 0;
    const button = (word, act) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = word;
      made.style.cssText = "min-width:4.5em;margin-right:0.4em";
      made.addEventListener("click", act);
      bar.append(made);
      return made;
    };
    const show = (index) => {
      at = Math.max(0, Math.min(last, index));
      const where = `step ${steps[at]}, frame ${at + 1} of ${last + 1}`;
      image.src = frames[at];
      image.alt = `${root.dataset.what}, at ${where}.`;
      line.textContent = where;
      slider.value = at;
      slider.setAttribute("aria-valuetext", where);
    };
    const pause = () => {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    };
    const go = (index) => { pause(); show(index); };
    const tick = () => {
      show(at + 1);
      if (at === last || !root.isConnected) pause();
    };
    const toggle = () => {
      if (timer) return pause();
      if (at === last) show(0);
      timer = setInterval(tick, Number(root.dataset.wait));
      play.textContent = "Pause";
    };
    button("First", () => go(0));
    const play = button("Play", toggle);
    button("Last", () => go(last));
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: 0, max: last, step: 1 });
    slider.setAttribute("aria-label", "frame");
    slider.style.cssText = "flex:1;min-width:6em";
    slider.addEventListener("input", () => go(Number(slider.value)));
    bar.append(slider);
    bar.style.cssText = `display:flex;margin-top:0.3em;max-width:${image.getAttribute("width")}px`;
    root.append(bar);
    root.addEventListener("keydown", (event) => {
      const places = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key in places) go(places[event.key]);
      else if (event.key === " " && event.target === slider) toggle();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    show(last);
  };
  setTimeout(() => {
    document.querySelectorAll(".gan-player[data-frames]:not([data-ready])").forEach(start);
  }, 0);
})();
"""


def _make_html(frames: Sequence[_Frame], wait: int, what: str, where: str, notice: str) -> str:
    """The player; what is in it before the script runs is the last frame and its line."""
    kind = "WEBP" if features.check("webp") else "PNG"  # WebP takes a third less
    *before, last = [_as_base64(frame.grid, kind) for frame in frames]
    width, height = frames[-1].find_size(SIZE)
    steps = " ".join(f"{frame.step:,}" for frame in frames)
    data = script = ""
    if before:  # of a single frame there is nothing to play
        data = f' data-what="{what}" data-wait="{wait}" data-steps="{steps}"'
        data += f' data-frames="{" ".join(before)}"'
        # Without it, JupyterLab would take the arrow keys for its own.
        data += ' data-lm-suppress-shortcuts="true"'
        script = f"<script>{_SCRIPT}</script>"
    lines = [
        f'<div class="gan-player" role="group" aria-label="Samples during training"{data}>',
        f'<img src="data:image/{kind.lower()};base64,{last}" alt="{what}, at {where}."'
        f' width="{width}" height="{height}"'
        ' style="image-rendering:pixelated;max-width:100%;height:auto;margin:0">',
        f'<div style="font-variant-numeric:tabular-nums"><span>{where}</span>'
        + (f"<br>({escape(notice)})" if notice else "")
        + "</div>",
        "</div>",
    ]
    return "\n".join([*lines, script]).strip()
