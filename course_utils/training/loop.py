"""The loop around any step: it keeps a history, saves, stops when asked to, calls callbacks.

`train` knows nothing of GANs' mathematics; `run_a_gan` puts the two together.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..checkpoints import NotFinite, list_checkpoints
from ..settings import fork_random, get_device, set_seed
from ..validation import need_bool, need_choice, need_count, need_function, need_number
from .averaging import Average
from .describe import describe_settings
from .history import Diverged, History, Scores
from .inputs import check_first_batch, check_loader, check_size, need_pair, needs_two
from .interrupt import INTERRUPTED, StopButton, end_stopped_cell
from .runs import RESUMES, Run, capture, restore, restore_loader, restore_weights
from .speed import Advance, Switches, accelerated
from .step import AdversarialStep, modes_kept

if TYPE_CHECKING:
    from tqdm import tqdm

FIXED = 25  # fixed latent vectors, whose samples show how training goes
CAUSES = (
    "usual causes: a learning rate that is too large; the logarithm of 0 in a loss of your own "
    "(use logits); NaN in the images. The networks are of no use now: build them again"
)


@dataclass
class Progress:
    """What a callback gets to see: where training stands, the step object, the history.

    `epoch` counts from 0, `step` says how many steps are done, out of `total_steps`.
    """

    epoch: int
    step: int
    total_steps: int
    game: AdversarialStep
    history: History


def train(
    step: AdversarialStep,
    loader: Iterable[tuple[Tensor, Tensor]],
    *,
    num_epochs: int,
    callbacks: Sequence[Callable[[Progress], None]] = (),
    show_every: int = 250,
    log_every: int = 50,
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 60.0,
    fresh: bool = False,
    resume: str = "all",
    ema: float | None = None,
    schedule: Callable[[float], float] | None = None,
    seed: int | None = None,
    progress: bool | str = False,
    **switches: Any,
) -> History:
    """Run `step` over every batch of `loader`, `num_epochs` times, as fast as it goes.

    The stop button (SIGINT) ends it after the present step; a loss that is not finite ends it
    too. Both return the history so far, whose `stopped` says why. A further run in a notebook
    cell that was so stopped does not start: `Stopped` ends the cell. Both networks are in train
    mode from the first step on.

    Args:
        step: an `AdversarialStep`.
        loader: any iterable of (images, labels) with a length: `BatchLoader`, `DataLoader`, ...
        num_epochs: passes over the data.
        callbacks: each is called with a `Progress` at the start, every `show_every` steps and
            at the end. What they draw at random, they draw from a copy of the random state.
        show_every: steps between samples from the fixed noise, and between callbacks.
        log_every: steps between entries of the history; the first and last step have one too.
        checkpoint: a name for this run under `COURSE_RUNS`, or a folder's path. The same call
            again goes on where the run stopped; more epochs continue it. With a name, changed
            settings are a new run; with a path they are refused.
        checkpoint_every: seconds between checkpoints; one more is written at the end.
        fresh: start over, whatever was saved.
        resume: "all", or "weights": take over the networks and start everything else anew.
        ema: keep an average of G, of which each step keeps this share: 0.999 looks back about
            1,000 steps. Buffers are copied. Samples come from it, `history.averaged` is it.
        schedule: called with the share of the training that is done (0 to 1); the learning
            rates are multiplied by what it returns.
        seed: seeds every global random state and the noise first, if given. The order of the
            batches is the loader's own: `BatchLoader(..., seed=...)`.
        progress: show a bar that moves with every step; a text is the name in front of it.
        switches: `precision`, `channels_last`, `fused`, `graph`: see `Switches`.

    Raises:
        ValueError: the loader is empty, its images are not in [-1, 1] or D does not take them,
            its batches are too small for batch norm, a count is not positive, or the checkpoint
            belongs to a run with other settings.
        TypeError: the loader has no length or yields something else than pairs of tensors, a
            callback is not a function, `step` is not an `AdversarialStep`.
        Stopped: the stop button has ended an earlier run of the same notebook cell.
    """
    end_stopped_cell()
    need_count(num_epochs, "num_epochs")
    need_count(show_every, "show_every")
    need_count(log_every, "log_every")
    need_number(checkpoint_every, "checkpoint_every", low=0)
    need_choice(resume, "resume", RESUMES)
    need_bool(fresh, "fresh")
    if not isinstance(progress, str):
        need_bool(progress, "progress")
    if not isinstance(callbacks, Sequence):
        raise TypeError(f"callbacks: expected a list of functions, got {type(callbacks).__name__}")
    for callback in callbacks:
        need_function(callback, "callbacks")
    if schedule is not None:
        need_function(schedule, "schedule")
    if not isinstance(step, AdversarialStep):
        raise TypeError(f"step: expected an AdversarialStep, got {type(step).__name__}")
    check_loader(loader, step)
    choices = Switches(**switches)
    if seed is not None:
        set_seed(seed)
        step.seed_noise()

    session = _Session(step, loader, num_epochs, callbacks, schedule)
    step.averaged = None
    if ema is not None:
        session.average = Average(step.G, need_number(ema, "ema", low=0, below=1))
        step.averaged = session.history.averaged = session.average.network
    if checkpoint is not None:
        settings = describe_settings(step, loader, ema=ema, schedule=schedule, seed=seed)
        session.run = Run(checkpoint, settings)
        session.save_every = checkpoint_every
        session.resume(fresh, resume)
    with StopButton() as session.stop, rates_kept(step, schedule is not None) as session.rates:
        session.loop(choices, show_every, log_every, progress)
    return session.history


class _Session:
    """One call of `train`: what its parts share."""

    run: Run | None = None
    average: Average | None = None
    save_every = math.inf

    def __init__(
        self,
        step: AdversarialStep,
        loader: Any,
        num_epochs: int,
        callbacks: Sequence[Callable[[Progress], None]],
        schedule: Callable[[float], float] | None,
    ) -> None:
        self.step, self.loader, self.num_epochs = step, loader, num_epochs
        self.callbacks, self.schedule = callbacks, schedule
        self.epoch = self.position = self.done = 0  # position: batches done of the present epoch
        self.history, self.scores = History(), Scores()
        self.fixed_noise = step.draw_noise(FIXED)

    @property
    def total(self) -> int:
        """How many steps there will have been at the end."""
        return self.done + (self.num_epochs - self.epoch) * len(self.loader) - self.position

    def resume(self, fresh: bool, how: str) -> None:
        """Take over what an earlier session of this run has saved, if it has."""
        state = self.run.load(fresh, how)
        if state is None:
            return
        if how == "weights":
            restore_weights(state, self.step)
            return
        self.epoch, self.position, self.done = state["epoch"], state["position"], state["step"]
        self.fixed_noise = state["fixed_noise"].to(self.step.device)
        self.history.load_state_dict(state["history"])
        exact = restore(state, self.step, scheduled=self.schedule is not None)
        if self.epoch < self.num_epochs:
            exact = exact and restore_loader(state, self.loader)
        if self.position and not exact:
            print(
                f"checkpoint: this loader cannot go on inside an epoch: epoch {self.epoch + 1} "
                "starts again"
            )
            self.position = 0
        if self.epoch >= self.num_epochs:
            print(
                f"checkpoint: all {self.epoch} epochs are done; more num_epochs continue the run, "
                "fresh=True starts over"
            )

    def loop(self, choices: Switches, show_every: int, log_every: int, bar: bool | str) -> None:
        """Every batch that is left, and at the end what the last step owes."""
        self.step.D.train(), self.step.G.train()
        self.began = time.perf_counter() - self.history.seconds
        batches = self._batches()
        first = next(batches, None)
        if first is None:
            return
        check_first_batch(first[0], self.step)
        update_average = self.average.update if self.average else _nothing
        with accelerated(self.step, first[0], choices, update_average) as (advance, chosen):
            print(f"{self.total - self.done} steps on {self.step.device.type}: {chosen}")
            faster = get_device().type
            if faster != self.step.device.type == "cpu":
                print(
                    f"a faster device is here, {faster}: D.to(cu.get_device()) and G.to(...) use it"
                )
            left = chain([first], batches)
            try:
                # the bar comes first, so that it stands above what callbacks show
                with self._bar(bar) if bar else nullcontext() as self.bar:
                    self._show(sample=self.done == 0)
                    self.began = time.perf_counter() - self.history.seconds
                    self.save_at = time.monotonic() + self.save_every
                    if self.bar is not None:
                        self.bar.unpause()  # the first look is no part of its steps' time
                    self._advance(advance, left, show_every, log_every)
                self._finish()
            except (Diverged, NotFinite) as problem:
                self.history.stopped = f"not finite: {problem}"
                print(f"stopped: {problem}; {CAUSES}")
                if self.run and list_checkpoints(self.run.folder):
                    print(f"the last good checkpoint is kept in {self.run.folder}")
                self._show(sample=False)  # so that a dashboard can say it too
            self._take_time()

    def _advance(
        self, advance: Advance, batches: Iterable, show_every: int, log_every: int
    ) -> None:
        """The loop itself: nothing in it waits for the device, but where it logs and shows."""
        last = self.total
        for images, labels in batches:
            self._set_rates()
            self.scores.add(advance(images, labels))
            self.done += 1
            self.position += 1
            self.history.images += len(images)
            if self.bar is not None:
                self.bar.update()
            if self.done % log_every == 0 or self.done in (1, last):
                self._log()
            if self.done % show_every == 0 or self.done == last:
                self._show()
            if time.monotonic() >= self.save_at:
                self._save()
            if self.stop.pressed:
                break

    def _finish(self) -> None:
        """What the last step owes, also where a loader was shorter than its length."""
        stopped = self.stop.pressed and self.done < self.total
        if stopped:
            self.history.stopped = INTERRUPTED
            if self.run:
                self._save()  # before the rest, which a run that goes on shall not have
            kept = f"; saved in {self.run.folder}" if self.run else ""
            print(f"stopped after step {self.done} of {self.total}{kept}")
        self._log()
        new = self.history.samples[-1][0] != self.done
        if new or stopped:  # so that a dashboard can say it too
            self._show(sample=new)
        if self.run and not stopped:
            self._save()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches that are left, on the device, epoch after epoch."""
        device, must_be_two = self.step.device, needs_two(self.step)
        while self.epoch < self.num_epochs:
            try:
                for batch in self.loader:
                    images, labels = need_pair(batch)
                    check_size(images, must_be_two)
                    yield images.to(device), labels.to(device)
            except RuntimeError:  # Ctrl-C reaches a DataLoader's workers too, and ends them
                if self.stop.pressed:
                    return
                raise
            self.epoch, self.position = self.epoch + 1, 0

    def _log(self) -> None:
        scores = self.scores.read(self.done)
        if self.history.step[-1:] != [self.done]:
            self.history.log(self.done, scores)

    def _show(self, sample: bool = True) -> None:
        """A sample and the callbacks; whatever they draw or switch, the run stays as it was."""
        self._take_time()
        progress = Progress(
            min(self.epoch, self.num_epochs - 1), self.done, self.total, self.step, self.history
        )
        try:
            with watching(self.step, self.loader):
                if sample:
                    self.history.samples.append((self.done, self.step.sample(self.fixed_noise)))
                for callback in self.callbacks:
                    callback(progress)
        except BaseException:
            # between two steps the run is whole: a callback's fault shall cost nothing of it
            if self.run and self.done and not self.history.stopped:
                self._save()
            raise

    def _save(self) -> None:
        self.scores.read(self.done)  # what is not finite has to come out now
        self._take_time()
        ended = self.position == len(self.loader)
        state = {
            "step": self.done,
            "epoch": self.epoch + ended,
            "position": 0 if ended else self.position,
            "fixed_noise": self.fixed_noise,
            "history": self.history.state_dict(),
            **capture(self.step, self.loader),
        }
        self.run.save(state, self.history)
        self.save_at = time.monotonic() + self.save_every

    def _bar(self, name: bool | str) -> tqdm:
        from tqdm.auto import tqdm  # late: in a notebook it brings ipywidgets with it

        name = name if isinstance(name, str) else None
        return tqdm(total=self.total, initial=self.done, unit="step", desc=name)

    def _take_time(self) -> None:
        if self.step.device.type == "cuda":
            torch.cuda.synchronize()
        self.history.seconds = time.perf_counter() - self.began

    def _set_rates(self) -> None:
        if self.schedule is None:
            return
        factor = float(self.schedule(self.done / self.total))
        for group, rate in zip(self.step.param_groups, self.rates):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * factor)
            else:
                group["lr"] = rate * factor


def run_a_gan(
    D: nn.Module,
    G: nn.Module,
    D_solver: Optimizer,
    G_solver: Optimizer,
    discriminator_loss: Callable[[Tensor, Tensor], Tensor],
    generator_loss: Callable[[Tensor], Tensor],
    loader: Iterable[tuple[Tensor, Tensor]],
    *,
    num_epochs: int = 10,
    noise_size: int = 96,
    show_every: int = 250,
    **options: Any,
) -> History:
    """Train a pair: `AdversarialStep` and `train` under the familiar name.

    Every further keyword goes to the one of the two that knows it: `noise`, `augment`,
    `penalty`, `as_probability`, `fresh_fakes`, `one_pass` and `freeze` to the step, the rest
    (`checkpoint`, `ema`, `precision`, ...) to `train`.
    """
    names = inspect.signature(AdversarialStep).parameters
    for_step = {name: options.pop(name) for name in tuple(options) if name in names}
    step = AdversarialStep(
        D, G, D_solver, G_solver, discriminator_loss, generator_loss,
        noise_size=noise_size, **for_step,
    )  # fmt: skip
    return train(step, loader, num_epochs=num_epochs, show_every=show_every, **options)


@contextmanager
def watching(step: AdversarialStep, loader: Any) -> Iterator[None]:
    """Inside, draw, take batches and switch modes as you like; outside, nothing has moved."""
    noise = step.generator.get_state()
    place = loader.forked() if hasattr(loader, "forked") else nullcontext()
    with fork_random(), modes_kept(step.D, step.G), place:
        try:
            yield
        finally:
            step.generator.set_state(noise)


@contextmanager
def rates_kept(step: AdversarialStep, scheduled: bool) -> Iterator[list[float]]:
    """The learning rates as they are; after a schedule has changed them they are that again."""
    before = [float(group["lr"]) for group in step.param_groups]
    try:
        yield before
    finally:
        if scheduled:
            for group, rate in zip(step.param_groups, before):
                group["lr"] = rate


def _nothing() -> None:
    """What is done after a step when no average is kept."""
