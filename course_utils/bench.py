"""How fast a step is: four ways to train each pair, against each other and the machine's limit.

Every row has a process of its own, so that its peak memory is its own. All rows of a pair live
side by side and take turns, a second or two each: what slows the machine down for a while then
slows all of them. Read in this order: the pairs and the ways, how each way trains, what the
machine could do at best, how the turns are taken, the table.
"""

from __future__ import annotations

import io
import itertools
import json
import multiprocessing
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection
from pathlib import Path
from statistics import median
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from . import losses, models
from .dashboard import LiveDashboard
from .data import BatchLoader, ImageSet, load_cifar10, load_mnist, sample_notice
from .settings import describe_machine, get_device, name_processor, peak_device_memory
from .training import choose_precision, run_a_gan
from .validation import need_choice, need_count, need_number, trusted

WARM_UP = 5  # steps in the chunks that are not counted
PATIENCE = 600  # seconds that a worker may be silent before the bench gives up
GO, STOP = "go", "stop"  # what the parent says to a worker
ADAM_ACCESSES = 7  # numbers moved per parameter: reads p, gradient, m, v; writes p, m, v
COPIED = 2**26  # numbers: 256 MB, more than a processor's caches hold
GIGA = 2**30

Networks = tuple[nn.Module, nn.Module]  # D, G


@dataclass(frozen=True)
class Pair:
    """A discriminator, a generator, and the data they train on."""

    title: str
    build_d: Callable[[], nn.Module]
    build_g: Callable[[int], nn.Module]
    load: Callable[[], ImageSet]
    image: tuple[int, int, int]  # channels, height, width
    batch: int
    noise_size: int = 96
    lr: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.999)
    r1: float = 0.0  # the weight of `losses.r1_penalty` in D's loss; 0 is none
    xavier: bool = False  # whether `initialize_weights` is applied
    has_sigmoid: bool = False  # whether D gives probabilities, not logits

    @property
    def penalty(self) -> Callable[[nn.Module, Tensor, Tensor], Tensor] | None:
        return losses.r1_penalty(self.r1) if self.r1 else None

    def build(self) -> Networks:
        D, G = self.build_d(), self.build_g(self.noise_size)
        if self.xavier:
            D.apply(models.initialize_weights)
            G.apply(models.initialize_weights)
        return D, G


PAIRS = {  # in the order: title, D, G, data, image, batch
    "mlp": Pair(
        "MLP, MNIST", models.build_discriminator, models.build_generator,
        load_mnist, (1, 28, 28), 128,
    ),
    "dcgan": Pair(
        "DCGAN, MNIST", models.build_dc_classifier, models.build_dc_generator,
        load_mnist, (1, 28, 28), 128, xavier=True,
    ),
    "cifar10": Pair(
        "CIFAR-10", models.build_cifar10_discriminator, models.build_cifar10_generator,
        load_cifar10, (3, 32, 32), 64, noise_size=100, lr=2e-4, has_sigmoid=True,
    ),
    "cifar10_better": Pair(
        "CIFAR-10, R1", models.build_deep_discriminator, models.build_deep_generator,
        load_cifar10, (3, 32, 32), 64, noise_size=128, betas=(0.0, 0.99),
        r1=0.1,
    ),
}  # fmt: skip


WAYS = {  # by name: whether with our BatchLoader; run_a_gan's precision, or None for the tutorial
    "tutorial": (False, None),
    "tutorial + BatchLoader": (True, None),
    "run_a_gan fp32": (True, "fp32"),
    "run_a_gan auto": (True, "auto"),
}


def run_bench(
    out: Path | str = "runs/bench",
    rounds: int = 5,
    pairs: Sequence[str] | None = None,
    seconds: float = 1.5,
) -> list[dict[str, Any]]:
    """Measure, print the table, and leave it in `out` as `bench.json` and `bench.png`.

    Args:
        out: the folder to write into; made if it is not there.
        rounds: how often each row has its turn; medians of fewer than 5 are shaky.
        pairs: some of "mlp", "dcgan", "cifar10" and "cifar10_better"; all if not given.
        seconds: how long one turn lasts, about.

    Returns:
        One dictionary a row, as in `bench.json`.

    Raises:
        TypeError, ValueError: a bad argument.
        RuntimeError: a row failed; the message names it and holds its traceback.
    """
    if not isinstance(out, (str, os.PathLike)):
        raise TypeError(f"out: expected a folder's path, got {out!r}")
    need_count(rounds, "rounds")
    need_number(seconds, "seconds", above=0)
    chosen = _need_pairs(pairs)
    machine = f"{name_processor()}; {describe_machine()}"
    print(machine)
    rows = [row for pair in chosen for row in measure_pair(pair, rounds, seconds)]
    print(format_table(rows))
    shares = {pair.title: measure_dashboard(pair, 20 * seconds) for pair in chosen}
    for title, share in shares.items():
        print(f"{title}: the live dashboard costs {share:.1%} of the training time")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine, "sample": sample_notice(), "rows": rows, "dashboard": shares}
    (folder / "bench.json").write_text(json.dumps(report, indent=1) + "\n")
    draw_chart(rows, machine).savefig(folder / "bench.png", dpi=120)
    print(f"kept in {folder}: bench.json, bench.png")
    return rows


def _need_pairs(names: Sequence[str] | None) -> list[Pair]:
    if names is None:
        names = list(PAIRS)
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise TypeError(f"pairs: expected a list such as ['mlp'], got {names!r}")
    if not names:
        raise ValueError(f"pairs: expected at least one of {', '.join(PAIRS)}; got none")
    return [PAIRS[need_choice(name, "pairs", PAIRS)] for name in names]


# --- how each way trains ------------------------------------------------------------------------


@trusted()  # a tutorial's networks do not check what they are given: ours shall not, here
def train_like_a_tutorial(
    pair: Pair, networks: Networks, loader: Any, steps: int, pause: Callable[[], None]
) -> None:
    """The loop that most tutorials print; `pause()` at the start and after every `steps` steps."""
    D, G = networks
    device = next(D.parameters()).device
    criterion = nn.BCELoss() if pair.has_sigmoid else nn.BCEWithLogitsLoss()
    D_solver = torch.optim.Adam(D.parameters(), lr=pair.lr, betas=pair.betas)
    G_solver = torch.optim.Adam(G.parameters(), lr=pair.lr, betas=pair.betas)
    done, penalty = 0, pair.penalty
    pause()
    for epoch in itertools.count():
        for images, _ in loader:
            images = images.to(device)
            real_labels = torch.ones(len(images), 1, device=device)
            fake_labels = torch.zeros(len(images), 1, device=device)

            fakes = G(torch.randn(len(images), pair.noise_size, device=device))
            D_solver.zero_grad()
            d_loss = criterion(D(images), real_labels) + criterion(D(fakes.detach()), fake_labels)
            if penalty is not None:
                d_loss = d_loss + penalty(D, images, fakes)
            d_loss.backward()
            D_solver.step()

            fakes = G(torch.randn(len(images), pair.noise_size, device=device))
            G_solver.zero_grad()
            g_loss = criterion(D(fakes), real_labels)
            g_loss.backward()
            G_solver.step()

            done += 1
            print(f"epoch {epoch} step {done} D {d_loss.item():.4f} G {g_loss.item():.4f}")
            if done % steps == 0:
                pause()


def train_like_the_course(
    pair: Pair,
    networks: Networks,
    loader: Any,
    steps: int,
    pause: Callable,
    *,
    precision: str,
    callbacks: Sequence[Callable] = (),
) -> None:
    """`run_a_gan` as lessons call it, with `pause` as last callback; only an exception ends it."""
    game = losses.discriminator_loss, losses.generator_loss
    if pair.has_sigmoid:
        game = losses.probability_discriminator_loss, losses.probability_generator_loss
    solvers = [losses.get_optimizer(network, pair.lr, pair.betas) for network in networks]
    history = run_a_gan(
        *networks, *solvers, *game, loader, num_epochs=10**6, noise_size=pair.noise_size,
        show_every=steps, callbacks=[*callbacks, lambda progress: pause()], precision=precision,
        as_probability=None if pair.has_sigmoid else torch.sigmoid, penalty=pair.penalty,
    )  # fmt: skip
    raise RuntimeError(f"run_a_gan ended by itself: {history.stopped}")


def measure_dashboard(pair: Pair, seconds: float) -> float:
    """What `LiveDashboard` costs, as a share of the training time of a run of `seconds`.

    Its first look is not counted: it loads what all later ones use.
    """
    device = get_device()
    networks = [network.to(device) for network in pair.build()]
    loader = BatchLoader(pair.load(), pair.batch, device, drop_last=True)
    began = elapsed = 0.0

    def stop_in_time() -> None:
        nonlocal began, elapsed
        began = began or time.perf_counter()
        elapsed = time.perf_counter() - began
        if elapsed >= seconds:
            raise _Stopped

    with tempfile.TemporaryDirectory() as folder:
        dashboard = LiveDashboard(folder)
        with suppress(_Stopped), redirect_stdout(io.StringIO()):
            train_like_the_course(
                pair, networks, loader, 50, stop_in_time,
                precision="auto", callbacks=[dashboard],
            )  # fmt: skip
    return dashboard.spent / (elapsed - dashboard.spent)


def _open_like_a_tutorial(pair: Pair, root: Path) -> Dataset:
    """torchvision's own data set: each image by way of PIL, and transformed alone."""
    from torchvision import datasets, transforms

    half = (0.5,) * pair.image[0]
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(half, half)])
    if pair.load is load_mnist:
        return datasets.MNIST(str(root), transform=transform)
    if (root / "cifar-10-batches-py").is_dir():
        return datasets.CIFAR10(str(root), transform=transform)
    return _Pictures(pair.load(), transform)


class _Pictures(Dataset):
    """Does for each image what torchvision's `CIFAR10` does, where its own files are not there."""

    def __init__(self, data: ImageSet, transform: Callable) -> None:
        self.data = data.images.permute(0, 2, 3, 1).contiguous().numpy()
        self.targets, self.transform = data.labels.tolist(), transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.data[index])), self.targets[index]


# --- what the machine could do at best ----------------------------------------------------------


def count_step(pair: Pair) -> dict[str, float]:
    """The least that one step costs: `flops` of the networks and `bytes` that Adam must move.

    `fp32_flops` are those among them that no precision makes cheaper: a penalty's. Counted on the
    meta device, where tensors have shapes but no values: nothing is computed.
    """
    with torch.device("meta"):
        D, G = pair.build()
        images = torch.empty(pair.batch, *pair.image)
        noise = torch.empty(pair.batch, pair.noise_size)
    parameters = sum(p.numel() for p in (*D.parameters(), *G.parameters()))
    of_penalty = 0
    if pair.penalty is not None:
        with FlopCounterMode(display=False) as counter:
            # + 0: the counter cannot watch a gradient by the very tensor that a network is given
            pair.penalty(lambda batch: D(batch + 0), images, images).backward()
        of_penalty = counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        fakes = G(noise)  # one batch of fakes serves both updates
        (D(images).sum() + D(fakes.detach()).sum()).backward()
        D.requires_grad_(False)  # G's update needs no gradients of D's weights
        D(fakes).sum().backward()
    flops = counter.get_total_flops() + of_penalty
    return {"flops": flops, "fp32_flops": of_penalty, "bytes": ADAM_ACCESSES * 4 * parameters}


def measure_rates(device: torch.device, seconds: float) -> dict[str, float]:
    """What this machine reaches now: `fp32` and `bf16` in flop/s of a matmul, `copy` in byte/s."""
    rates = {}
    size = 8192 if device.type == "cuda" else 1024
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, b, out = (torch.ones(size, size, device=device, dtype=dtype) for _ in range(3))
        rates[name] = 2 * size**3 * _count_calls(partial(torch.mm, a, b, out=out), device, seconds)
    source, target = torch.ones(COPIED, device=device), torch.ones(COPIED, device=device)
    read_and_written = 2 * source.nbytes
    rates["copy"] = read_and_written * _count_calls(partial(target.copy_, source), device, seconds)
    return rates


def _count_calls(action: Callable[[], Any], device: torch.device, seconds: float) -> float:
    """Calls a second."""
    action()  # the first call also gets memory and picks a kernel
    _synchronize(device)
    calls, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        action()
        _synchronize(device)
        calls += 1
    return calls / (time.perf_counter() - began)


def _synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was told: only then does a clock mean anything."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


# --- workers: one process a row -----------------------------------------------------------------


class _Stopped(Exception):
    """Ends a loop that would run for ever."""


class _Failed(Exception):
    """Carries a worker's traceback to the parent."""


class Worker:
    """A process that works only while it has the word.

    Args:
        name: what errors call it.
        work: run in the new process as `work(pipe, *arguments)`; a function of a module, because
            the process starts empty and has to import it.
    """

    def __init__(self, name: str, work: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA and threads survive no fork
        self.name = name
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work, arguments), daemon=True)
        self.process.start()
        theirs.close()  # so that ours ends when the process does

    def ask(self, word: Any) -> Any:
        """Say a word and wait for the answer."""
        with suppress(ConnectionError):  # it is dead: `wait` says so
            self.pipe.send(word)
        return self.wait()

    def wait(self) -> Any:
        """The next answer; a RuntimeError if the process failed, ended or stays silent."""
        connection.wait([self.pipe, self.process.sentinel], PATIENCE)
        with suppress(EOFError, ConnectionError):  # the process has ended
            if self.pipe.poll():
                answer = self.pipe.recv()
                if isinstance(answer, _Failed):
                    raise RuntimeError(f"{self.name} failed:\n{answer}")
                return answer
        self.process.join(1)
        code = self.process.exitcode
        what = f"no answer in {PATIENCE} seconds" if code is None else f"ended, exit code {code}"
        raise RuntimeError(f"{self.name}: expected an answer from its process, got {what}")

    def close(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Any, work: Callable[..., None], arguments: tuple) -> None:
    """In the new process: work, print nothing, and send the traceback of whatever goes wrong."""
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            work(pipe, *arguments)
    except BaseException:  # an interrupt too: the parent has its own and ends this process
        pipe.send(_Failed(traceback.format_exc()))


def _work_at_rates(pipe: Any, seconds: float) -> None:
    """Measure the machine at every word."""
    pipe.send("ready")
    while pipe.recv() == GO:
        pipe.send(measure_rates(get_device(), seconds))


def _work_at_row(pipe: Any, pair: Pair, way: str, root: Path) -> None:
    """Train first to learn how long a step is, then for good; at last tell the peak memory."""
    device = get_device()
    began = time.perf_counter()

    def pause() -> None:
        nonlocal began
        _synchronize(device)
        pipe.send(time.perf_counter() - began)
        if pipe.recv() == STOP:
            raise _Stopped
        began = time.perf_counter()

    networks = tuple(network.to(device) for network in pair.build())
    with_batch_loader, precision = WAYS[way]
    if with_batch_loader:
        loader = BatchLoader(pair.load(), pair.batch)
    else:
        loader = DataLoader(_open_like_a_tutorial(pair, root), pair.batch, shuffle=True)
    train = train_like_a_tutorial
    if precision is not None:
        train = partial(train_like_the_course, precision=precision)
    with suppress(_Stopped):
        train(pair, networks, loader, WARM_UP, pause)
    pipe.send("warm")
    with suppress(_Stopped):
        train(pair, networks, loader, pipe.recv(), pause)
    pipe.send(peak_device_memory())


# --- taking turns -------------------------------------------------------------------------------


def measure_pair(pair: Pair, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """The rows of one pair."""
    data = pair.load()  # also fetches it, once, before four workers want it
    print(f"{pair.title}: {rounds} rounds ...", flush=True)
    workers: list[Worker] = []
    try:
        workers.append(Worker(f"{pair.title}, rates", _work_at_rates, seconds / 5))
        for way in WAYS:
            workers.append(Worker(f"{pair.title}, {way}", _work_at_row, pair, way, data.root))
        for worker in workers:
            worker.wait()
        steps = [_set_steps(worker, seconds) for worker in workers[1:]]
        rates, *times = take_turns(workers, rounds)
        peaks = [worker.ask(STOP) for worker in workers[1:]]
    finally:
        for worker in workers:
            worker.close()
    images = len(data) / -(-len(data) // pair.batch)  # a step, on average: the last batch is small
    cost, rows = count_step(pair), []
    for way, *own in zip(WAYS, steps, times, peaks, strict=True):
        precision = choose_precision(WAYS[way][1] or "fp32", get_device())
        row = make_row(cost, images, precision, *own, rates)
        rows.append({"pair": pair.title, "way": way, "sample": data.is_sample, **row})
    return add_ratios(rows)


def _set_steps(worker: Worker, seconds: float) -> int:
    """Let a worker warm up, find how many steps take `seconds`, and make them its turn."""
    worker.ask(GO)
    steps = max(1, round(seconds / worker.ask(GO) * WARM_UP))
    worker.ask(STOP)
    worker.ask(steps)
    worker.ask(GO)  # the first turn of the long call is not counted either
    return steps


def take_turns(workers: Sequence[Worker], rounds: int) -> list[list[Any]]:
    """What each worker answered in each round; every round begins with the next one."""
    answers: list[list[Any]] = [[] for _ in workers]
    for first in range(rounds):
        for turn in range(len(workers)):
            index = (first + turn) % len(workers)
            answers[index].append(workers[index].ask(GO))
    return answers


# --- the table ----------------------------------------------------------------------------------


def make_row(
    cost: dict[str, float],
    images: float,
    precision: str,
    steps: int,
    seconds: Sequence[float],
    peak: float,
    rates: Sequence[dict[str, float]],
) -> dict[str, Any]:
    """One row's numbers: `cost` of a step and `rates` of each round as counted and measured
    above, real `images` a step, `steps` a turn, the `seconds` of each turn, the `peak` in GB."""
    rate = {name: median(each[name] for each in rates) for name in rates[0]}
    step = median(seconds) / steps
    fast = cost["flops"] - cost["fp32_flops"]
    limit = (
        fast / rate[precision] + cost["fp32_flops"] / rate["fp32"] + cost["bytes"] / rate["copy"]
    )
    return {
        "images_per_second": images / step,
        "peak_gb": peak,
        "ms_per_step": 1000 * step,
        "limit_ms": 1000 * limit,
        "fraction_of_limit": limit / step,
        "precision": precision,
        "steps_per_round": steps,
        "seconds": list(seconds),
        "rates": rate,
        **cost,
    }


def add_ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of one pair, each with its speed against the first."""
    return [{**r, "ratio": r["images_per_second"] / rows[0]["images_per_second"]} for r in rows]


def format_table(rows: Sequence[dict[str, Any]]) -> str:
    """The table in print."""
    lines = [
        f"{'pair':<14}{'way':<24}{'precision':<11}{'images/s':>9}{'ratio':>7}"
        f"{'peak GB':>9}{'ms/step':>9}{'of limit':>10}"
    ]
    for row in rows:
        title = row["pair"] + (" *" if row["sample"] else "")
        lines.append(
            f"{title:<14}{row['way']:<24}{row['precision']:<11}{row['images_per_second']:>9,.0f}"
            f"{row['ratio']:>7.2f}{row['peak_gb']:>9.2f}{row['ms_per_step']:>9.2f}"
            f"{row['fraction_of_limit']:>10.1%}"
        )
    lines.append("ratio: to the tutorial's loop; of limit: the least time a step could take")
    if any(row["sample"] for row in rows):
        lines.append(f"* not the real data: {sample_notice()}")
    return "\n".join(lines)


def draw_chart(rows: Sequence[dict[str, Any]], machine: str) -> Figure:
    """Images per second, a panel a pair; hatches and labels tell the ways apart without colour."""
    titles = list(dict.fromkeys(row["pair"] for row in rows))
    figure = Figure(figsize=(4.2 * len(titles) + 1.5, 3.4))
    for axis, title in zip(figure.subplots(1, len(titles), squeeze=False)[0], titles, strict=True):
        own = [row for row in rows if row["pair"] == title]
        places = range(len(own), 0, -1)
        bars = axis.barh(
            places,
            [row["images_per_second"] for row in own],
            color=["white", "0.85", "0.7", "0.55"],
            hatch=["", "//", "..", "xx"],
            edgecolor="black",
        )
        axis.bar_label(bars, [f"{row['ratio']:.2f} ×" for row in own], padding=3)
        axis.set_yticks(places, [row["way"] for row in own])
        axis.margins(x=0.28)
        axis.set_title(title + (" (sample)" if own[0]["sample"] else ""))
        axis.set_xlabel("images per second")
    figure.suptitle(machine, fontsize=8)
    figure.tight_layout()
    return figure
