"""What samples add to few digits: the choice of digits, the five ways, and the report."""

from __future__ import annotations

import json
import signal

import pytest
import torch
from helpers import assert_complains, bad_inputs

from course_utils import extra_data
from course_utils.data import ImageSet, load_mnist
from course_utils.extra_data import (
    COUNTS,
    MOVES,
    SEEDS,
    WAYS,
    Few,
    choose_few,
    count_right,
    draw_labelled,
    load_rows,
    make_report,
    measure_row,
    summarize_rows,
    train_classifier,
    train_generator,
)
from course_utils.training import Stopped

pytestmark = pytest.mark.usefixtures("own_randomness")


@pytest.fixture(scope="module")
def train_set() -> ImageSet:
    return load_mnist("train", limit=3000)


def test_few_digits_are_the_same_number_of_each_class(train_set) -> None:
    few = choose_few(train_set, 100, seed=0)
    assert few.images.shape == (100, 1, 28, 28)
    assert few.labels.bincount().tolist() == [10] * 10
    assert -1 <= few.images.min() < -0.9
    assert 0.9 < few.images.max() <= 1
    assert torch.equal(few.images, choose_few(train_set, 100, seed=0).images)
    assert not torch.equal(few.images, choose_few(train_set, 100, seed=1).images)
    assert len(few.images.flatten(1).unique(dim=0)) == 100


@bad_inputs(
    (
        "no multiple",
        lambda: choose_few(load_mnist("train", limit=500), 99, 0),
        ValueError,
        "count",
        "99",
    ),
    (
        "too many",
        lambda: choose_few(load_mnist("train", limit=500), 5000, 0),
        ValueError,
        "count",
        "500",
    ),
    (
        "nothing to learn from",
        lambda: train_classifier(None, None, seed=0),
        ValueError,
        "real, samples",
        "none",
    ),
)
def test_bad_input_is_named(call, error, name, got) -> None:
    assert_complains(call, error, name, got)


def test_a_classifier_learns_and_is_the_same_for_a_seed(train_set) -> None:
    few = choose_few(train_set, 200, seed=0)
    test_set = load_mnist("test", limit=500)
    first, again = (train_classifier(few, None, seed=1, steps=60) for _ in range(2))
    assert count_right(first, test_set) == count_right(again, test_set) > 0.5
    assert all(map(torch.equal, first.parameters(), again.parameters()))


def test_samples_are_learned_from_where_there_are_some(train_set) -> None:
    """Samples with all labels wrong by one: what is learned from them alone is wrong by one."""
    few = choose_few(train_set, 500, seed=0)
    wrong = Few(few.images, (few.labels + 1) % 10)
    test_set = load_mnist("test", limit=500)
    assert count_right(train_classifier(None, wrong, seed=0, steps=150), test_set) < 0.1
    assert count_right(train_classifier(few, None, seed=0, steps=150), test_set) > 0.7
    with_wrong = count_right(train_classifier(few, wrong, seed=0, steps=150), test_set)
    assert 0.1 < with_wrong < 0.85


def test_moves_are_made(train_set) -> None:
    few = choose_few(train_set, 100, seed=0)
    still, moved = (train_classifier(few, None, way, seed=0, steps=5) for way in (None, MOVES))
    assert not torch.equal(still[0].weight, moved[0].weight)


def test_a_generator_of_few_digits_draws_each_label_in_turn(train_set) -> None:
    few = choose_few(train_set, 100, seed=0)
    G = train_generator(few, seed=0, steps=3)
    samples = draw_labelled(G, 25, seed=0)
    assert samples.images.shape == (25, 1, 28, 28)
    assert samples.labels.tolist() == [n % 10 for n in range(25)]
    assert not G.training
    assert torch.equal(samples.images, draw_labelled(G, 25, seed=0).images)


def test_what_the_stop_button_has_cut_short_is_never_measured(train_set, monkeypatch) -> None:
    few, pressed, lose = choose_few(train_set, 100, seed=0), [], extra_data.discriminator_loss

    def press(result):
        pressed.append(signal.raise_signal(signal.SIGINT))
        return result

    with pytest.raises(Stopped, match="not measured"):
        train_classifier(few, None, lambda images, _: press(images), seed=0, steps=9)
    assert len(pressed) == 1
    monkeypatch.setattr(extra_data, "discriminator_loss", lambda *scores: press(lose(*scores)))
    with pytest.raises(Stopped, match="not measured"):
        train_generator(few, seed=0, steps=9)
    assert len(pressed) == 2


def test_a_row_holds_all_ways(train_set, monkeypatch) -> None:
    for name, value in {"GAN_STEPS": 2, "CLASSIFIER_STEPS": 2, "SAMPLES": 200}.items():
        monkeypatch.setattr(extra_data, name, value)
    monkeypatch.setattr(train_generator, "__defaults__", (2,))
    monkeypatch.setitem(train_classifier.__kwdefaults__, "steps", 2)
    state = torch.random.get_rng_state()
    row = measure_row(choose_few(train_set, 100, 0), load_mnist("test", limit=100), 0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert list(row["accuracy"]) == list(WAYS)
    assert (row["count"], row["seed"]) == (100, 0)
    assert json.loads(json.dumps(row)) == row


# What was measured ---------------------------------------------------------------------------


def test_everything_was_measured_and_the_report_is_of_it() -> None:
    rows = load_rows()
    assert [(row["count"], row["seed"]) for row in rows] == [
        (count, seed) for count in COUNTS for seed in range(SEEDS)
    ]
    assert extra_data.REPORT.read_text() == make_report(rows)


def test_means_and_deviations_by_hand() -> None:
    rows = [{"count": 100, "accuracy": dict.fromkeys(WAYS, value)} for value in (0.5, 0.7, 0.9)]
    mean, deviation = summarize_rows(rows, 100, "moved")
    assert mean == pytest.approx(0.7)
    assert deviation == pytest.approx(0.2)


def test_more_digits_are_better_and_moving_them_helps() -> None:
    rows = load_rows()
    for way in ("real", "moved"):
        means = [summarize_rows(rows, count, way)[0] for count in COUNTS]
        assert means == sorted(means)
    for count in COUNTS:
        assert summarize_rows(rows, count, "moved")[0] > summarize_rows(rows, count, "real")[0]
