"""The window in which one walks: what its sliders and buttons do.

Nothing is computed here: `pictures.py` draws, `latent.py` finds the ways, `opinions.py` judges,
and the widgets themselves stand in `panel.py`.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checkpoints import write_atomically
from ..data import ImageSet, sample_notice
from ..metrics import nearest_neighbours
from ..settings import get_runs_folder
from .generator import FrozenGenerator, need_latents
from .latent import follow, lerp, principal_directions, slerp, travel
from .latest import Latest
from .opinions import Critic, Reader
from .panel import SPACES, Panel
from .pictures import draw, draw_still, find_size, show_large, to_gif

COORDINATES, DIRECTIONS = SPACES
COMMENT = 0.06  # seconds by which words and D's bar may be behind: a picture does not wait for them
STEPS = 60  # of a slider, from end to end
STOPS, LEG = 3, 12  # new places that a walk visits, and frames to each
FRAMES, SHOWN = 25, 9  # of an interpolation, and how many of them the row holds
NEAREST = 5


def guarded(handler: Callable) -> Callable:
    """A widget's handler whose error becomes a line in the window, as nobody sees it elsewhere."""

    @functools.wraps(handler)
    def run(self: Explorer, *arguments: Any) -> None:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                handler(self, *arguments)
        except Exception as problem:
            self.say(f"That did not work. {type(problem).__name__}: {problem}")

    return run


class Explorer(Panel):
    """The window that `explore` opens. A notebook shows it where it is a cell's last value.

    Attributes:
        latent: the latent `(dim,)` that is shown; setting it shows another.
        kept: the latents that were kept.
        picture, sliders, space, label, buttons, status: the widgets, by their function.
    """

    def __init__(
        self,
        generator: FrozenGenerator,
        critic: Critic | None,
        n_sliders: int,
        space: str,
        real: ImageSet | Tensor | None,
        seed: int,
        side: int,
    ) -> None:
        self._generator, self._critic, self._real = generator, critic, real
        self._reader = Reader(generator.shape)
        self._count, self._side = min(n_sliders, generator.noise_dim), side
        size = find_size(generator.shape, side)
        super().__init__(self._count, space, size, generator.classes, critic is not None)
        self._seed, self._quiet = seed, False
        self._bases = {COORDINATES: torch.eye(self._count, generator.dim)}
        self._latent = self._start = self._draw_latent()
        self._shown: tuple[
            Tensor, Tensor
        ]  # one image or those of a path, and the last one's latent
        self._path: Tensor | None = None
        self.kept: list[Tensor] = []
        self._redraw = Latest(self._show_picture)
        self._comment = Latest(self._describe, rest=COMMENT)
        self._wire()
        self._change_space()
        self._show_picture()

    def _wire(self) -> None:
        for number, slider in enumerate(self.sliders):
            slider.observe(functools.partial(self._slide, number), "value")
        self.space.observe(self._choose_space, "value")
        self.label.observe(self._choose_label, "value")
        for name, button in self.buttons.items():
            act = getattr(self, f"_{name}")
            button.on_click(lambda _, act=act: act())
        self.buttons["nearest"].disabled = self._reader.judge is None

    # --- what one may do from code ----------------------------------------------------------

    @property
    def latent(self) -> Tensor:
        return self._latent.clone()

    @latent.setter
    def latent(self, value: Tensor) -> None:
        self._go(need_latents(value, "latent", self._generator.dim).clone())

    def __repr__(self) -> str:
        return f"Explorer({self._generator.dim} numbers to a latent, {self._count} sliders)"

    def _ipython_display_(self) -> None:
        """The window; where no kernel is alive, a still grid of what its sliders do."""
        from IPython.display import display

        view = {"version_major": 2, "version_minor": 0, "model_id": self.root.model_id}
        still, words = draw_still(
            self._generator, self._latent, self._basis, self._names, self._reach
        )
        data = {
            "application/vnd.jupyter.widget-view+json": view,
            "image/png": base64.b64encode(still).decode(),
            "text/plain": words,
        }
        display(data, metadata={"image/png": {"alt": words}}, raw=True)

    # --- the sliders ------------------------------------------------------------------------

    @property
    def _basis(self) -> Tensor:
        """The directions of the sliders, `(sliders, dim)`, of length 1."""
        return self._bases[self.space.value]

    @property
    def _names(self) -> list[str]:
        return [slider.description for slider in self.sliders]

    @property
    def _reach(self) -> float:
        """How far a slider goes from 0: as far as noise itself, or three deviations."""
        if self.space.value == COORDINATES:
            return self._generator.reach
        return 3 * self._generator.deviation

    @guarded
    def _choose_space(self, change: Any = None) -> None:
        self._change_space()

    def _change_space(self) -> None:
        """Let the sliders run along other directions, through the latent as it is."""
        if self.space.value not in self._bases:
            self.say("Looking for the directions ...")
            try:
                self._bases[DIRECTIONS] = principal_directions(self._generator, self._count)
            except Exception:
                self.space.value = COORDINATES  # those are always there
                raise
        name = self.space.value.removesuffix("s")
        reach, places = self._reach, self._find_places()
        for number, (slider, place) in enumerate(zip(self.sliders, places, strict=True), start=1):
            with self._silence(), slider.hold_sync():  # a browser sees all of it at once
                slider.min, slider.max = -100.0, 100.0  # neither end may pass the other
                slider.value, slider.step = place, 2 * reach / STEPS
                slider.max, slider.min = reach, -reach
                slider.description = f"{name} {number}"
        self.say(f"Sliders: {SPACES[self.space.value]}.")

    @guarded
    def _slide(self, number: int, change: Any) -> None:
        step = self.sliders[number].step
        if self._quiet or abs(change["new"] - change["old"]) < step / 100:  # rounded by a browser
            return
        direction = self._basis[number]
        now = torch.dot(direction, self._latent)
        self._move(self._latent + (change["new"] - now) * direction)
        self._redraw.ask()

    @guarded
    def _choose_label(self, change: Any) -> None:
        if not self._quiet:
            self._move(self._generator.relabel(self._latent, change["new"]))
            self._redraw.ask()

    def _follow_latent(self) -> None:
        with self._silence():
            if self._generator.classes:
                self.label.value = self._generator.read_label(self._latent)
            for slider, place in zip(self.sliders, self._find_places(), strict=True):
                slider.value = place

    def _find_places(self) -> list[float]:
        """For each slider the step nearest to the latent, which itself stays between steps.

        Browsers know no places between steps: they would put a slider on one, and report that as
        a move. Beyond its ends a slider does not go.
        """
        half = STEPS // 2
        steps = (self._basis @ self._latent / self._reach * half).round().clamp(-half, half)
        return (steps.double() / half * self._reach).tolist()

    @contextlib.contextmanager
    def _silence(self) -> Iterator[None]:
        """Inside, the sliders move without moving the latent."""
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False

    # --- the picture ------------------------------------------------------------------------

    def _draw_latent(self) -> Tensor:
        """A new random latent, of the label that is chosen; the next one is another."""
        self._seed += 1
        latent = self._generator.draw(1, self._seed - 1)[0]
        if self._generator.classes:
            latent = self._generator.relabel(latent, self.label.value)
        return latent

    def _move(self, latent: Tensor) -> None:
        """To another latent: what was found for the former one, and said of it, goes."""
        self._latent = latent
        self.hide_row(self.strip)
        self.say("")

    def _go(self, latent: Tensor) -> None:
        self._draw(latent)  # first: where that fails, all stays as it was
        self._move(latent)
        self._follow_latent()
        self._redraw.drop()
        self._comment.now()

    @guarded
    def _show_picture(self) -> None:
        self._draw(self._latent)
        self._comment.ask()

    def _draw(self, latent: Tensor) -> None:
        picture = draw(self._generator, latent, self._side)
        self.put(picture.png, "png")
        self._shown = picture.image[None], latent

    @guarded
    def _describe(self) -> None:
        """Words and D's bar, for what is shown: a picture, or a path and its last picture."""
        try:
            self._describe_shown()
        except Exception:
            self.show_words("", "", None, "")  # better none than those of a former picture
            raise

    def _describe_shown(self) -> None:
        images, latent = self._shown
        is_path = len(images) > 1
        words = self._reader.describe(images)
        if is_path:
            words += " The sliders stand where it ends."
        if self._critic is None:
            return self.show_words(words, words, None, "")
        label = self._generator.read_label(latent) if self._generator.classes else 0
        belief = self._critic.believe(images[-1:], label).item()
        subject = "its last" if is_path else "it"
        more = f" D takes {subject} for real with {belief:.0%}."
        self.show_words(words, words + more, belief, "last: " * is_path + f"{belief:.0%}")

    def _play(self, path: Tensor) -> Tensor:
        """Show a path `(frames, dim)` as an animation, which ends where the latent is now."""
        images = self._generator(path)
        gif = self._make_gif(images, path, loop=False)
        self._path = path
        self._move(path[-1])
        self._follow_latent()
        self._redraw.drop()
        self.put(gif, "gif")
        self._shown = images, self._latent
        self._comment.now()
        return images

    def _make_gif(self, images: Tensor, path: Tensor, loop: bool) -> bytes:
        return to_gif(show_large(self._generator, images, path, self._side), self._side, loop)

    # --- the buttons ------------------------------------------------------------------------

    @guarded
    def _new(self) -> None:
        latent = self._draw_latent()
        self._go(latent)
        self._start = latent
        self.say("Another latent.")

    @guarded
    def _reset(self) -> None:
        self._go(self._start)
        self.say("Back at the start.")

    @guarded
    def _walk(self) -> None:
        stops = torch.stack([self._latent, *(self._draw_latent() for _ in range(STOPS))])
        path = follow(stops, LEG, self._generator.noise_dim)
        self._play(path)
        self._start = self._latent
        self.say(f"A walk of {len(path)} pictures.")

    @guarded
    def _keep(self) -> None:
        self.kept.append(self._latent)
        images = self._generator(torch.stack(self.kept))
        count = len(self.kept)
        numbers = list(range(1, count + 1))
        self.show_row(self.kept_row, images, "Kept, from the left: " + ", ".join(map(str, numbers)))
        for end, place in ((self.start, count - 1), (self.end, count)):
            end.options, end.value = numbers, max(1, place)
        for name in ("linear", "spherical"):
            self.buttons[name].disabled = count < 2
        self.say(f"Kept as number {count}.")

    @guarded
    def _linear(self) -> None:
        self._interpolate(lerp, "straight")

    @guarded
    def _spherical(self) -> None:
        self._interpolate(slerp, "arc")

    def _interpolate(self, between: Callable[..., Tensor], name: str) -> None:
        ends = self.start.value, self.end.value
        a, b = (self.kept[end - 1] for end in ends)
        t = torch.linspace(0, 1, FRAMES)
        path = travel(between, a, b, t, self._generator.noise_dim)
        images = self._play(path)
        shown = torch.linspace(0, FRAMES - 1, SHOWN).round().long()
        lengths = path[:, : self._generator.noise_dim].norm(dim=1)
        words = (
            f"From {ends[0]} to {ends[1]}, {name}: the noise's length goes from "
            f"{lengths[0]:.1f} over {lengths[FRAMES // 2]:.1f} to {lengths[-1]:.1f}."
        )
        self.show_row(self.strip, images[shown], words)
        self.say("Its pictures are in the last row.")

    @guarded
    def _nearest(self) -> None:
        self.say("Looking through the real images ...")
        image = self._generator(self._latent[None])
        to = " to the path's last picture" if len(self._shown[0]) > 1 else ""
        found = nearest_neighbours(image, self._real, k=NEAREST)
        distances = ", ".join(f"{distance:.1f}" for distance in found.distance[0])
        words = (
            f"The {NEAREST} nearest real images{to}, at distances {distances}; 0 would be a copy."
        )
        if self._real is None and sample_notice():
            words += f" ({sample_notice()})"
        self.show_row(self.strip, found.images[0], words)
        self.say("They are in the last row.")

    @guarded
    def _png(self) -> None:
        self._save(draw(self._generator, self._latent, self._side).png, "picture", "png")

    @guarded
    def _gif(self) -> None:
        if self._path is None:
            self._walk()
        path = self._path
        is_shown = len(self._shown[0]) > 1
        note = "" if is_shown else " It is the last path; this picture came after it."
        self._save(self._make_gif(self._generator(path), path, loop=True), "path", "gif", note)

    def _save(self, content: bytes, name: str, kind: str, note: str = "") -> None:
        folder = get_runs_folder() / "explorer"
        folder.mkdir(parents=True, exist_ok=True)
        path = _find_free(folder, name, kind)
        write_atomically(path, content)
        self.say(f"Saved as {path} ({len(content) / 1000:.0f} kB).{note}")


def _find_free(folder: Path, name: str, kind: str) -> Path:
    """The first name with a number that no file has yet."""
    number = 1
    while (path := folder / f"{name}_{number:03d}.{kind}").exists():
        number += 1
    return path
