"""The bench: what it counts, its arithmetic, and workers that fail."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers import assert_complains, bad_inputs
from torch import Tensor, nn

from course_utils import bench, losses
from course_utils.bench import (
    PAIRS,
    WAYS,
    Pair,
    Worker,
    add_ratios,
    count_step,
    draw_chart,
    format_table,
    make_row,
    run_bench,
    take_turns,
    train_like_a_tutorial,
    train_like_the_course,
)
from course_utils.data import BatchLoader, ImageSet
from course_utils.recipes import RECIPES
from course_utils.training import History, Progress

WEIGHTS_OF_D = [784 * 256, 256 * 256, 256 * 1]  # of the MLP pair, layer by layer
WEIGHTS_OF_G = [96 * 1024, 1024 * 1024, 1024 * 784]


def make_rates(fp32: float = 100.0, bf16: float = 400.0, copy: float = 50.0) -> dict[str, float]:
    return {"fp32": fp32, "bf16": bf16, "copy": copy}


def make_rows(sample: bool = False) -> list[dict[str, Any]]:
    """A pair whose ways take 4, 3, 2 and 1 seconds for a turn of ten steps."""
    cost = {"flops": 10.0, "fp32_flops": 0.0, "bytes": 1.0}
    rows = []
    for way, seconds in zip(WAYS, (4.0, 3.0, 2.0, 1.0)):
        row = make_row(cost, 100.0, "fp32", 10, [seconds], 0.5, [make_rates(fp32=200.0)])
        rows.append({"pair": "made up", "way": way, "sample": sample, **row})
    return add_ratios(rows)


# --- what a step costs --------------------------------------------------------------------------


def test_flops_of_the_mlp_step_are_those_done_by_hand():
    # A linear layer costs 2 N in out: forward, for its weights' gradient, for its input's.
    d, g = sum(WEIGHTS_OF_D), sum(WEIGHTS_OF_G)
    fakes = g
    update_d = 2 * (d + d + d - WEIGHTS_OF_D[0])  # real and fake; images need no gradient
    update_g = (d + d) + (g + g - WEIGHTS_OF_G[0])  # D's weights and the noise need none
    assert count_step(PAIRS["mlp"])["flops"] == 2 * 128 * (fakes + update_d + update_g)


def test_adam_reads_four_numbers_a_parameter_and_writes_three():
    parameters = 267_009 + 1_858_320 + (96 - 4) * 1024
    assert count_step(PAIRS["mlp"])["bytes"] == (4 + 3) * 4 * parameters


@pytest.mark.parametrize("name", PAIRS)
def test_each_pair_can_be_counted_without_a_look_at_random_numbers(name):
    before = torch.get_rng_state()
    cost = count_step(PAIRS[name])
    assert cost["flops"] > 1e8 and cost["bytes"] > 1e6
    assert torch.equal(torch.get_rng_state(), before)


def test_the_flops_of_r1_are_those_done_by_hand():
    """For a line: its score again, the slope, and how that changes with the weights."""

    def build_line() -> nn.Sequential:
        return nn.Sequential(nn.Flatten(), nn.Linear(12, 1))

    def build_G(noise_size: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(noise_size, 12), nn.Unflatten(1, (3, 2, 2)))

    plain = Pair("lines", build_line, build_G, None, (3, 2, 2), batch=7, noise_size=4)
    with_r1 = replace(plain, r1=0.1)
    assert plain.penalty is None and with_r1.penalty is not None
    assert count_step(with_r1)["flops"] - count_step(plain)["flops"] == 2 * 7 * 3 * 12


def test_r1_costs_operations_and_no_weights():
    pair = PAIRS["cifar10_better"]
    with_r1, plain = count_step(pair), count_step(replace(pair, r1=0.0))
    assert with_r1["bytes"] == plain["bytes"] == (4 + 3) * 4 * (1_437_569 + 1_368_323)
    # a forward pass of D, one backward, and at least both again
    forward = count_forward(pair.build_d(), torch.empty(pair.batch, *pair.image))
    assert with_r1["flops"] - plain["flops"] > 4 * forward
    # it is computed in float32, whatever the rest is
    assert with_r1["fp32_flops"] == with_r1["flops"] - plain["flops"] and plain["fp32_flops"] == 0


def count_forward(D: nn.Module, images: Tensor) -> int:
    """Flops of the convolutions and linear layers, two for each product."""
    total = 0

    def note(layer: nn.Module, given: tuple[Tensor], out: Tensor) -> None:
        nonlocal total
        total += 2 * out.numel() * layer.weight[0].numel()

    for layer in D.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(note)
    with torch.no_grad():
        D.to("meta")(images.to("meta"))
    return total


def test_the_pair_with_r1_is_that_of_its_recipe():
    pair, recipe = PAIRS["cifar10_better"], RECIPES["cifar10_better"]
    assert (pair.build_d, pair.build_g) == (recipe.build_D, recipe.build_G)
    for name in ("lr", "betas", "noise_size", "load"):
        assert getattr(pair, name) == getattr(recipe, name), name
    assert pair.batch == recipe.batch_size
    D = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    images = torch.zeros(2, 1, 2, 2)
    assert torch.equal(pair.penalty(D, images, images), recipe.penalty(D, images, images))


# --- the table's arithmetic ---------------------------------------------------------------------


def test_a_row_is_made_of_medians():
    rates = [make_rates(100, 400, 50), make_rates(200, 800, 100), make_rates(900, 900, 900)]
    cost = {"flops": 40.0, "fp32_flops": 0.0, "bytes": 20.0}
    row = make_row(cost, 128.0, "fp32", 10, [5.0, 4.0, 90.0], 0.75, rates)
    assert row["ms_per_step"] == pytest.approx(500)
    assert row["images_per_second"] == pytest.approx(256)
    assert row["limit_ms"] == pytest.approx(1000 * (40 / 200 + 20 / 100))
    assert row["fraction_of_limit"] == pytest.approx(0.8)
    assert row["seconds"] == [5.0, 4.0, 90.0]
    assert row["rates"] == make_rates(200, 800, 100)
    assert row["peak_gb"] == 0.75


def test_a_row_in_bf16_is_held_against_the_bf16_rate():
    row = make_row(
        {"flops": 40.0, "fp32_flops": 0.0, "bytes": 0.0}, 1.0, "bf16", 1, [1.0], 0.0, [make_rates()]
    )
    assert row["fraction_of_limit"] == pytest.approx(40 / 400)


def test_what_is_never_in_bf16_is_held_against_the_other_rate():
    cost = {"flops": 40.0, "fp32_flops": 10.0, "bytes": 0.0}
    row = make_row(cost, 1.0, "bf16", 1, [1.0], 0.0, [make_rates(200, 400, 100)])
    assert row["fraction_of_limit"] == pytest.approx(30 / 400 + 10 / 200)


def test_ratios_are_to_the_first_row():
    assert [row["ratio"] for row in make_rows()] == pytest.approx([1, 4 / 3, 2, 4])


def test_the_table_names_every_way_and_owns_up_to_a_sample():
    real, sample = format_table(make_rows()), format_table(make_rows(sample=True))
    for way in WAYS:
        assert way in real
    assert " 4.00 " in real and "not the real data" not in real
    assert "not the real data" in sample


def test_the_chart_can_be_read_without_colour():
    axis = draw_chart(make_rows(), "a machine").axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == list(WAYS)
    assert [text.get_text() for text in axis.texts] == ["1.00 ×", "1.33 ×", "2.00 ×", "4.00 ×"]
    assert len({bar.get_hatch() for bar in axis.patches}) == len(WAYS)
    assert [bar.get_width() for bar in axis.patches] == pytest.approx([250, 1000 / 3, 500, 1000])


# --- how each way trains ------------------------------------------------------------------------


def make_images(*shape: int) -> ImageSet:
    images = torch.randint(256, shape, generator=torch.Generator().manual_seed(0))
    return ImageSet(images.to(torch.uint8), torch.arange(len(images)) % 10)


def test_the_tutorial_sees_the_same_colour_images_as_the_course(tmp_path):
    data = make_images(3, 3, 32, 32)
    pictures = bench._open_like_a_tutorial(replace(PAIRS["cifar10"], load=lambda: data), tmp_path)
    assert len(pictures) == 3
    for (image, label), (wanted, wanted_label) in zip((pictures[i] for i in range(3)), data):
        torch.testing.assert_close(image, wanted, atol=1e-6, rtol=0)
        assert label == wanted_label


class Enough(Exception):
    """Raised by a pause, as the bench's own is."""


@pytest.mark.parametrize(
    "name, shape",
    [("mlp", (1, 28, 28)), ("cifar10", (3, 32, 32)), ("cifar10_better", (3, 32, 32))],
)
@pytest.mark.parametrize("train", [train_like_a_tutorial, train_like_the_course])
def test_each_way_trains_and_pauses_at_the_start_and_after_every_turn(train, name, shape, capsys):
    pair = replace(PAIRS[name], batch=4)
    networks = pair.build()
    before = [p.clone() for network in networks for p in network.parameters()]
    loader = BatchLoader(make_images(10, *shape), pair.batch, device="cpu")
    moved = []  # at each pause: has any number of either network changed?

    def pause() -> None:
        now = [p for network in networks for p in network.parameters()]
        moved.append(not all(map(torch.equal, before, now)))
        if len(moved) == 3:
            raise Enough

    options = {} if train is train_like_a_tutorial else {"precision": "fp32"}
    with pytest.raises(Enough):
        train(pair, networks, loader, 2, pause, **options)
    assert moved == [False, True, True]
    if train is train_like_a_tutorial:
        assert capsys.readouterr().out.count("\n") == 4  # two turns of two steps, a line each


@pytest.mark.parametrize("train", [train_like_a_tutorial, train_like_the_course])
def test_each_way_adds_the_penalty_to_ds_loss(train, monkeypatch, capsys):
    """A penalty that pulls D's last bias, which nothing else moves that far."""
    asked = []

    def pull(weight: float):
        def penalty(D: nn.Module, images: Tensor, fakes: Tensor) -> Tensor:
            asked.append((weight, images.shape, fakes.shape))
            return 1e6 * D[-1].bias.sum()

        return penalty

    monkeypatch.setattr(losses, "r1_penalty", pull)
    pair = replace(PAIRS["cifar10_better"], batch=4, r1=0.3, lr=0.125, betas=(0.0, 0.0))
    D, G = pair.build()

    turns = iter([False, True])  # one at the start, one after a step

    def pause() -> None:
        if next(turns):
            raise Enough

    options = {} if train is train_like_a_tutorial else {"precision": "fp32"}
    loader = BatchLoader(make_images(8, 3, 32, 32), pair.batch, device="cpu")
    with pytest.raises(Enough):
        train(pair, (D, G), loader, 1, pause, **options)
    assert set(asked) == {(0.3, (4, 3, 32, 32), (4, 3, 32, 32))}
    # Adam without memory moves each weight by the learning rate, against its slope
    assert D[-1].bias.item() == pytest.approx(-0.125 * len(asked), rel=1e-3)


def test_a_run_that_ends_by_itself_is_no_measurement(monkeypatch):
    monkeypatch.setattr(bench, "run_a_gan", lambda *a, **k: History(stopped="not finite"))
    pair = PAIRS["mlp"]
    with pytest.raises(RuntimeError, match="ended by itself: not finite"):
        train_like_the_course(pair, pair.build(), None, 2, None, precision="fp32")


# --- workers ------------------------------------------------------------------------------------


class FakeWorker:
    """Answers at once with the number of the turn, counted over all workers."""

    turns: list[str]

    def __init__(self, name: str, turns: list[str]) -> None:
        self.name, self.turns = name, turns

    def ask(self, word: str) -> int:
        assert word == bench.GO
        self.turns.append(self.name)
        return len(self.turns)


def test_the_order_rotates_from_round_to_round():
    turns: list[str] = []
    answers = take_turns([FakeWorker(name, turns) for name in "abc"], rounds=3)
    assert "".join(turns) == "abcbcacab"
    assert answers == [[1, 6, 8], [2, 4, 9], [3, 5, 7]]


def raise_at_second_word(pipe: Any, detail: str) -> None:
    pipe.send("ready")
    pipe.recv()
    raise ArithmeticError(detail)


def exit_at_third_word(pipe: Any) -> None:
    pipe.send("ready")
    pipe.recv()
    pipe.recv()
    os._exit(3)


def test_workers_that_fail_end_the_bench_with_their_name(monkeypatch):
    workers = [  # started together: most of a worker's time goes into imports
        Worker("MLP, raises", raise_at_second_word, "too much"),
        Worker("MLP, exits", exit_at_third_word),
    ]
    try:
        assert [worker.wait() for worker in workers] == ["ready"] * 2
        with pytest.raises(RuntimeError, match=r"(?s)MLP, raises failed:.*ArithmeticError: too"):
            take_turns(workers, rounds=1)
        with monkeypatch.context() as patch:
            patch.setattr(bench, "PATIENCE", 0.1)
            with pytest.raises(RuntimeError, match=r"MLP, exits: .*no answer in 0\.1 seconds"):
                take_turns(workers[1:], rounds=1)
        for _ in range(2):  # when it ends, and when it is long gone
            with pytest.raises(RuntimeError, match=r"MLP, exits: .*exit code 3"):
                take_turns(workers[1:], rounds=1)
    finally:
        for worker in workers:
            worker.close()
    assert not any(worker.process.is_alive() for worker in workers)


# --- arguments, and all of it together ----------------------------------------------------------


@bad_inputs(
    ("unknown pair", lambda: run_bench(pairs=["mpl"]), ValueError, "pairs", "'mpl'"),
    ("no pair", lambda: run_bench(pairs=[]), ValueError, "pairs", "none"),
    ("a name, no list", lambda: run_bench(pairs="mlp"), TypeError, "pairs", "'mlp'"),
    ("no rounds", lambda: run_bench(rounds=0), ValueError, "rounds", "0"),
    ("half a round", lambda: run_bench(rounds=0.5), TypeError, "rounds", "0.5"),
    ("no time", lambda: run_bench(seconds=0), ValueError, "seconds", "0"),
    ("no folder", lambda: run_bench(out=None), TypeError, "out", "None"),
)
def test_bad_arguments_are_named_before_anything_is_measured(call, error, name, got):
    assert_complains(call, error, name, got)


def test_the_dashboards_share_is_of_the_training_alone(monkeypatch):
    """A clock that the looks and the steps move, so that no test waits."""
    now = [0.0]
    monkeypatch.setattr(bench.time, "perf_counter", lambda: now[0])

    class Dashboard:
        def __init__(self, folder):
            self.spent = 0.0

        def __call__(self, progress):
            if progress.step:
                self.spent += 1
                now[0] += 1

    def train(pair, networks, loader, steps, pause, *, precision, callbacks):
        for step in range(100):
            now[0] += 9 if step else 1000  # the first look comes after loading and warming up
            for callback in callbacks:
                callback(Progress(0, step, 100, None, None))
            pause()

    monkeypatch.setattr(bench, "LiveDashboard", Dashboard)
    monkeypatch.setattr(bench, "train_like_the_course", train)
    assert bench.measure_dashboard(bench.PAIRS["mlp"], 50) == pytest.approx(1 / 9)


@pytest.mark.slow
def test_a_tiny_bench_from_start_to_end(tmp_path, capsys):
    rows = run_bench(tmp_path / "deep" / "bench", rounds=1, pairs=["mlp"], seconds=0.2)
    printed = capsys.readouterr().out
    report = json.loads((tmp_path / "deep" / "bench" / "bench.json").read_text())
    assert report["rows"] == rows
    assert "the live dashboard costs" in printed
    assert 0 <= report["dashboard"]["MLP, MNIST"] < 1
    assert [row["way"] for row in rows] == list(WAYS)
    assert rows[0]["ratio"] == 1
    for row in rows:
        assert row["way"] in printed
        assert math.isfinite(row["images_per_second"]) and row["images_per_second"] > 0
        assert 0 < row["fraction_of_limit"] < 1.5
        assert 0.05 < row["peak_gb"] < 50
        assert len(row["seconds"]) == 1 and row["steps_per_round"] >= 1
    assert (tmp_path / "deep" / "bench" / "bench.png").read_bytes().startswith(b"\x89PNG")
