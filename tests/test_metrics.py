"""The metrics: values known by arithmetic, brute force beside them, and what they ask of a caller.

What they say about real and about spoiled images is in `test_metrics_images.py`.
"""

from __future__ import annotations

import copy
import math
import operator
import pickle
import random
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import assert_complains, bad_inputs, steady
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from course_utils.data import ImageSet
from course_utils.metrics import (
    Features,
    Reference,
    Score,
    class_coverage,
    classifier_score,
    density_coverage,
    distances,
    extract,
    features,
    frechet_classifier_distance,
    get_reference,
    judge_samples,
    kernel_classifier_distance,
    load_judge,
    nearest_neighbours,
    neighbours,
    precision_recall,
    reference,
)
from course_utils.metrics.distances import frechet_distance, kernel_distance
from course_utils.metrics.features import FOLDER, Moments, measure_moments, read_judge

pytestmark = [
    pytest.mark.usefixtures("own_randomness"),
    pytest.mark.filterwarnings("ignore:the Fréchet distance of"),
]

AGAINST_REAL = (
    frechet_classifier_distance,
    kernel_classifier_distance,
    precision_recall,
    density_coverage,
)
WITH_FLOOR = (*AGAINST_REAL, classifier_score, class_coverage)
OF_IMAGES = (*WITH_FLOOR, judge_samples, nearest_neighbours, extract)


def make_features(values: Tensor | None = None, logits: Tensor | None = None) -> Features:
    """What the judge of digits would have seen, had it seen these values or logits."""
    count = len(values if values is not None else logits)
    values = torch.rand(count, 128) if values is None else values
    logits = torch.randn(count, 10) if logits is None else logits
    return Features(load_judge("mnist"), values.float(), logits.float())


def make_images(count: int = 8, shape: tuple[int, ...] = (1, 28, 28), seed: int = 0) -> Tensor:
    """Blobs in [-1, 1], no two alike: what is said about them does not matter, only that it is."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, shape[0], 7, 7, generator=generator)
    images = torch.nn.functional.interpolate(coarse, shape[1:], mode="bilinear")
    return (images * 255).round() / 127.5 - 1


def to_bytes(images: Tensor) -> Tensor:
    return ((images + 1) * 127.5).round().to(torch.uint8)


def make_reference(count: int = 40) -> Reference:
    """A reference of a few images, with its own floors."""
    small = Reference(load_judge("mnist"))
    for seed, split in enumerate(("train", "test"), start=1):
        images = to_bytes(make_images(count, seed=seed))
        small._sets[split] = ImageSet(images, torch.zeros(count, dtype=torch.int64), split=split)
    return small


def sure_of(classes: list[int] | Tensor) -> Features:
    """One sample a class named, each beyond doubt."""
    return make_features(
        logits=200 * torch.nn.functional.one_hot(torch.as_tensor(classes), 10).float()
    )


# --- Fréchet distance ------------------------------------------------------------------------


def gaussian(mean: list[float], covariance: list[list[float]]) -> Moments:
    return torch.tensor(mean).double(), torch.tensor(covariance).double()


def by_eigenvalues(first: Moments, second: Moments) -> float:
    """The same distance, with the roots of the eigenvalues of C1 C2, which is not symmetric."""
    (mean1, cov1), (mean2, cov2) = first, second
    shared = torch.linalg.eigvals(cov1 @ cov2).real.clamp(min=0).sqrt().sum()
    return ((mean1 - mean2).square().sum() + (cov1 + cov2).trace() - 2 * shared).item()


numbers = st.floats(-3, 3, width=32)


@st.composite
def gaussians(draw, size: int = 3) -> Moments:
    """Mean and covariance A Aᵀ, where A may have fewer columns than rows."""
    mean = torch.tensor(draw(st.lists(numbers, min_size=size, max_size=size))).double()
    columns = draw(st.integers(1, size))
    count = size * columns
    flat = draw(st.lists(numbers, min_size=count, max_size=count))
    factor = torch.tensor(flat).double().reshape(size, columns)
    return mean, factor @ factor.T


def test_equal_covariances_leave_the_distance_of_the_means():
    shape = [[2.0, 0.5], [0.5, 1.0]]
    got = frechet_distance(gaussian([1.0, 2.0], shape), gaussian([4.0, -2.0], shape))
    assert got == pytest.approx(3**2 + 4**2, rel=1e-9)


def test_diagonal_covariances_leave_the_distance_of_the_deviations():
    first, second = torch.tensor([1.0, 2.0, 0.5]).double(), torch.tensor([3.0, 2.0, 0.0]).double()
    zero = torch.zeros(3).double()
    got = frechet_distance((zero, first.square().diag()), (zero, second.square().diag()))
    assert got == pytest.approx(2**2 + 0 + 0.5**2, rel=1e-9)


@pytest.mark.parametrize(
    "second, commute",
    [([[3.0, -1.0], [-1.0, 3.0]], True), ([[4.0, 1.0], [1.0, 0.5]], False)],
    ids=["commuting", "not commuting"],
)
def test_correlated_covariances(second, commute):
    one, other = gaussian([0.0, 0.0], [[2.0, 1.0], [1.0, 2.0]]), gaussian([1.0, 0.0], second)
    assert torch.equal(one[1] @ other[1], other[1] @ one[1]) == commute
    assert frechet_distance(one, other) == pytest.approx(by_eigenvalues(one, other), rel=1e-9)
    # of a 2 x 2 matrix, the trace of the root is (tr + 2 det^½)^½
    product = one[1] @ other[1]
    root = math.sqrt(product.trace() + 2 * math.sqrt(torch.linalg.det(product)))
    expected = 1 + one[1].trace().item() + other[1].trace().item() - 2 * root
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)


def test_rank_deficient_covariances():
    """Along one line each, at an angle: |a|² + |b|² - 2 |a·b|."""
    a, b = torch.tensor([3.0, 0.0, 4.0]).double(), torch.tensor([1.0, 2.0, -2.0]).double()
    zero = torch.zeros(3).double()
    got = frechet_distance((zero, a.outer(a)), (zero, b.outer(b)))
    assert got == pytest.approx(25 + 9 - 2 * 5, rel=1e-6)
    point = (zero, torch.zeros(3, 3).double())
    assert frechet_distance((zero, a.outer(a)), point) == pytest.approx(25, rel=1e-9)


@steady
@given(gaussians(), gaussians())
def test_frechet_is_symmetric_and_never_negative(first, second):
    scale = 1 + sum(m.square().sum() + c.trace() for m, c in (first, second)).item()
    there, back = frechet_distance(first, second), frechet_distance(second, first)
    assert there >= 0 and back >= 0
    assert abs(there - back) <= 1e-6 * scale
    assert abs(there - by_eigenvalues(first, second)) <= 1e-6 * scale
    assert frechet_distance(first, first) <= 1e-6 * scale


@pytest.mark.parametrize("count", [50, 500])
def test_frechet_of_identical_sets_is_zero(count):
    same = make_features(torch.randn(count, 128).clamp(min=0) * torch.rand(128) * 5)
    got = frechet_classifier_distance(same, same)
    assert 0 <= got <= 1e-6 * same.moments[1].trace().item()
    moved = replace(same, values=same.values + 0.1)
    assert frechet_classifier_distance(moved, same) == pytest.approx(128 * 0.1**2, rel=1e-4)


def test_moments_are_mean_and_unbiased_covariance():
    values = torch.randn(30, 5) * 100 + 1000
    mean, covariance = measure_moments(values)
    exact = values.double().numpy()
    assert mean.dtype == covariance.dtype == torch.float64
    np.testing.assert_allclose(mean.numpy(), exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(covariance.numpy(), np.cov(exact.T), rtol=1e-9)


# --- kernel distance -------------------------------------------------------------------------


def by_loop(first: Tensor, second: Tensor) -> float:
    """The unbiased estimate, pair by pair."""

    def mean(pairs: list[tuple[Tensor, Tensor]]) -> float:
        values = [(sum(a * b for a, b in zip(x, y)) / len(x) + 1) ** 3 for x, y in pairs]
        return math.fsum(values) / len(values)

    one, other = first.double().tolist(), second.double().tolist()
    own = [
        mean([(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j])
        for rows in (one, other)
    ]
    return own[0] + own[1] - 2 * mean([(x, y) for x in one for y in other])


@pytest.mark.parametrize("counts", [(9, 5), (2, 7), (4, 4), (2, 2)])
def test_kernel_distance_is_its_double_loop(counts):
    first, second = torch.randn(counts[0], 6), 2 * torch.randn(counts[1], 6) + 0.5
    value, error = kernel_distance(first, second)
    assert value == pytest.approx(by_loop(first, second), rel=1e-5, abs=1e-5)
    assert math.isfinite(error) and error > 0
    assert kernel_distance(second, first)[0] == pytest.approx(value, rel=1e-5, abs=1e-5)


def test_kernel_distance_is_right_on_average_for_few_images():
    values = torch.tensor(
        [kernel_distance(torch.randn(15, 8), torch.randn(10, 8))[0] for _ in range(500)]
    ).double()
    wide = 4 * values.std() / len(values) ** 0.5
    sizes = torch.randn(5000, 8).double().square().mean(dim=1)
    left_in = ((sizes + 1) ** 3).mean() - 1  # about: what an image's kernel with itself is too high
    assert wide < left_in * (1 / 15 + 1 / 10) / 3  # a biased estimate would be found out
    assert abs(values.mean()) < wide
    assert 0.2 < (values < 0).double().mean() < 0.8


@pytest.mark.parametrize("counts", [(100, 100), (200, 60)])
def test_the_standard_error_is_honest(counts):
    draws = [
        kernel_distance(torch.randn(counts[0], 8), torch.randn(counts[1], 8) * 1.2 + 0.5)
        for _ in range(300)
    ]
    values, errors = torch.tensor(draws).double().unbind(dim=1)
    assert values.std().item() == pytest.approx(errors.mean().item(), rel=0.25)


def test_the_kernel_score_is_the_kernel_distance():
    first, second = make_features(torch.rand(20, 128)), make_features(torch.rand(30, 128) + 0.5)
    score = kernel_classifier_distance(first, second)
    assert (score, score.error) == kernel_distance(first.values, second.values)
    assert score.count == 20 and score.floor is None
    assert score == pytest.approx(by_loop(first.values, second.values), rel=1e-4)


# --- classes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seen, expected",
    [
        (lambda: make_features(logits=torch.zeros(20, 10)), 1),
        (lambda: sure_of([3] * 20), 1),
        (lambda: sure_of(list(range(10)) * 3), 10),
        (lambda: sure_of(list(range(10))), 10),
        (lambda: sure_of([0, 1] * 10), 2),
        (lambda: sure_of([7]), 1),
        (lambda: make_features(logits=torch.tensor([3.0] * 2 + [-200.0] * 8).repeat(6, 1)), 1),
    ],
    ids=["no idea", "one class", "all", "one of each", "two", "one sample", "torn between two"],
)
def test_classifier_score_of_known_answers(seen, expected):
    score = classifier_score(seen(), floor=False)
    assert score == pytest.approx(expected, rel=1e-6)
    assert score.floor is None and score.error is None


def test_classifier_score_is_its_formula():
    seen = make_features(logits=3 * torch.randn(25, 10))
    each = [[math.exp(x) for x in row] for row in seen.logits.double().tolist()]
    each = [[x / sum(row) for x in row] for row in each]
    overall = [sum(column) / len(each) for column in zip(*each)]
    total = sum(p * math.log(p / q) for row in each for p, q in zip(row, overall))
    assert classifier_score(seen, floor=False) == pytest.approx(math.exp(total / 25), rel=1e-9)


def test_shares_are_counts():
    found = class_coverage(sure_of([0] * 6 + [4] * 3 + [9]), floor=False)
    assert found.shares.tolist() == pytest.approx([0.6, 0, 0, 0, 0.3, 0, 0, 0, 0, 0.1])
    assert found.shares.dtype == torch.float64
    assert (found.reached, found.count, found.floor) == (3, 10, None)
    assert found.kl == pytest.approx(sum(p * math.log(10 * p) for p in (0.6, 0.3, 0.1)))


@pytest.mark.parametrize(
    "classes, reached, kl",
    [([5] * 12, 1, math.log(10)), (list(range(10)) * 4, 10, 0), ([2, 8], 2, math.log(5))],
)
def test_equal_shares_and_a_single_class(classes, reached, kl):
    found = class_coverage(sure_of(classes), floor=False)
    assert found.reached == reached
    assert found.kl == pytest.approx(kl, abs=1e-12) and found.kl >= 0


@pytest.mark.parametrize("count, reached", [(9, 1), (10, 2), (11, 2)])
def test_one_in_a_hundred_is_reached(count, reached):
    found = class_coverage(sure_of([0] * (1000 - count) + [6] * count), floor=False)
    assert found.reached == reached


@steady
@given(st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_divergence_and_entropy_add_up(classes):
    found = class_coverage(sure_of(classes), floor=False)
    assert found.kl + found.entropy == pytest.approx(math.log(10), abs=1e-9)
    assert found.shares.sum().item() == pytest.approx(1)
    assert found.reached == len(set(classes))  # one of 60 is more than 1 %


# --- precision, recall, density, coverage ----------------------------------------------------


def by_table(samples: Tensor, real: Tensor, k: int, wide: int) -> tuple[float, ...]:
    """Precision and recall with the k-th neighbour, density and coverage with the `wide`-th."""

    def table(first: Tensor, second: Tensor) -> Tensor:
        return (first.double()[:, None] - second.double()[None]).square().sum(dim=2).sqrt()

    def reach(values: Tensor, k: int) -> Tensor:
        return table(values, values).sort(dim=1).values[:, k]  # the 0-th is the image itself

    pairs = table(samples, real)
    in_real = pairs <= reach(real, k)[None]
    in_samples = pairs <= reach(samples, k)[:, None]
    in_wide = pairs <= reach(real, wide)[None]
    parts = in_real.any(1), in_samples.any(0), in_wide.sum(1).double() / wide, in_wide.any(0)
    return tuple(part.double().mean().item() for part in parts)


@pytest.mark.parametrize("counts", [(60, 60), (80, 50), (30, 90)])
@pytest.mark.parametrize("k, wide", [(1, 2), (3, 5)])
def test_shares_are_those_of_the_whole_table(counts, k, wide):
    samples = make_features(torch.randn(counts[0], 128) * torch.linspace(2, 0.1, 128) + 0.5)
    real = make_features(torch.randn(counts[1], 128) * torch.linspace(2, 0.1, 128))
    got = *precision_recall(samples, real, k=k), *density_coverage(samples, real, k=wide)
    assert got == pytest.approx(by_table(samples.values, real.values, k, wide), abs=1e-9)
    assert all(0 < share < 1.5 for share in got)
    assert {score.count for score in got} == {counts[0]}


def test_identical_sets_hold_each_other():
    same = make_features(torch.randn(200, 128))
    assert tuple(precision_recall(same, same)) == (1, 1)
    assert density_coverage(same, same).coverage == 1


def test_identical_sets_of_copies_hold_each_other():
    same = make_features(10 * torch.rand(10, 128).repeat(8, 1))
    assert tuple(precision_recall(same, same)) == (1, 1)
    assert density_coverage(same, same).coverage == 1


def test_one_real_image_over_and_over_recalls_itself_only():
    real = make_features(10 * torch.rand(50, 128))
    found = precision_recall(real[torch.full((40,), 7)], real)
    assert (found.precision, found.recall) == (1, 1 / 50)


def test_half_of_the_classes_missing_costs_recall():
    centres = 5 * torch.nn.functional.one_hot(torch.arange(400) % 10, 128).float()
    real = make_features(centres + 0.2 * torch.randn(400, 128))
    samples = centres + 0.2 * torch.randn(400, 128)
    both = precision_recall(make_features(samples), real)
    half = precision_recall(make_features(samples[torch.arange(400) % 10 < 5]), real)
    assert half.precision > 0.9 * both.precision > 0.5
    assert half.recall < 0.6 * both.recall
    whole, part = (
        density_coverage(make_features(s), real).coverage
        for s in (samples, samples[torch.arange(400) % 10 < 5])
    )
    assert part < 0.6 * whole


def test_samples_far_outside_cost_precision():
    real = make_features(torch.randn(300, 128))
    good = torch.randn(300, 128)
    inside = precision_recall(make_features(good), real)
    outside = precision_recall(make_features(torch.cat([good, 50 * torch.randn(300, 128)])), real)
    assert outside.precision == pytest.approx(inside.precision / 2, abs=0.02)
    assert outside.recall >= inside.recall


@pytest.mark.parametrize("metric", [precision_recall, density_coverage])
def test_the_floor_uses_the_same_k(metric):
    samples, small = make_images(20), make_reference()
    wide = metric(samples, small, k=9)
    narrow = metric(samples, small, k=1)
    seen = small.features("test", 20), small.features("train", 20)
    for k, got in ((9, wide), (1, narrow)):
        assert tuple(score.floor for score in got) == tuple(metric(*seen, k=k))
    assert [score.floor for score in wide] != [score.floor for score in narrow]


# --- what holds for all metrics --------------------------------------------------------------


def measure_all(samples: Tensor | Features, real: Tensor | Features | Reference) -> dict:
    """Every number that the metrics give, by name."""
    kernel = kernel_classifier_distance(samples, real)
    found = class_coverage(samples, real)
    scores = [frechet_classifier_distance(samples, real), kernel, classifier_score(samples, real)]
    scores += [*precision_recall(samples, real), *density_coverage(samples, real)]
    shares = {f"share {i}": share for i, share in enumerate(found.shares.tolist())}
    rest = {"error": kernel.error, "kl": found.kl, "entropy": found.entropy}
    return {s.name: float(s) for s in scores} | shares | rest | {"reached": found.reached}


@pytest.fixture(scope="module")
def blobs() -> tuple[Tensor, Tensor, dict]:
    """Samples, other samples, and all that is said of the former against the latter."""
    samples, real = make_images(60), make_images(50, seed=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return samples, real, measure_all(samples, real)


def same(got: dict, expected: dict) -> None:
    assert got == pytest.approx(expected, rel=2e-4, abs=1e-5)


def test_the_order_of_the_images_does_not_matter(blobs):
    samples, real, expected = blobs
    same(measure_all(samples[torch.randperm(60)], real[torch.randperm(50)]), expected)


@pytest.mark.parametrize("size", [1, 7, 50])
def test_the_size_of_the_pieces_does_not_matter(blobs, monkeypatch, size):
    samples, real, expected = blobs
    for module, name in ((features, "BATCH"), (distances, "CHUNK"), (neighbours, "CHUNK")):
        monkeypatch.setattr(module, name, size)
    same(measure_all(samples, real), expected)


def test_a_reference_does_not_depend_on_the_size_of_its_pieces(monkeypatch):
    expected = make_reference().features("train", 30)
    monkeypatch.setattr(reference, "BATCH", 7)
    got = make_reference().features("train", 30)
    torch.testing.assert_close(got.values, expected.values)


@pytest.mark.parametrize(
    "change",
    [
        to_bytes,
        lambda x: x.reshape(-1, 784),
        lambda x: to_bytes(x).reshape(-1, 784),
        lambda x: x.double(),
        lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
        extract,
    ],
    ids=["bytes", "flat", "flat bytes", "float64", "strided", "features"],
)
def test_the_form_of_the_images_does_not_matter(blobs, change):
    samples, real, expected = blobs
    same(measure_all(change(samples), real), expected)
    same(measure_all(samples, change(real)), expected)


def test_random_states_are_left_alone(blobs):
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    measure_all(blobs[0], make_reference())
    nearest_neighbours(blobs[0], blobs[1], space="feature")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]


def test_reading_a_judge_leaves_random_states_alone():
    before = torch.get_rng_state()
    read_judge("mnist", FOLDER)
    assert torch.equal(torch.get_rng_state(), before)


def test_images_with_a_history_are_taken_and_keep_none(blobs):
    samples, real, expected = blobs
    weight = torch.ones(1, requires_grad=True)
    grown = samples * weight
    same(measure_all(grown, real), expected)
    seen = extract(grown)
    found = nearest_neighbours(grown, grown, k=2)
    for tensor in (seen.values, seen.logits, found.distance, class_coverage(grown).shares):
        assert not tensor.requires_grad
    assert weight.grad is None


def test_a_reference_answers_alike_whatever_was_asked_before():
    asked, fresh = make_reference(), make_reference()
    asked.features("train", 35)
    assert torch.equal(asked.features("train", 20).values, fresh.features("train", 20).values)
    assert len(asked.features("train", 10**6)) == 40
    score = kernel_classifier_distance(make_images(12), asked)
    assert score == kernel_classifier_distance(make_images(12), fresh)
    assert asked.floor(kernel_classifier_distance, 12) is score.floor


def test_features_can_be_sliced():
    seen = extract(make_images(10))
    part = seen[2:5]
    assert len(part) == 3 and part.judge is seen.judge
    assert torch.equal(part.values, seen.values[2:5])
    assert torch.equal(part.classes, seen.logits[2:5].argmax(dim=1))


# --- scores ----------------------------------------------------------------------------------


def make_score() -> Score:
    return Score(12.3456, "distance", 5000, Score(1.5, "distance", 4000, error=0.25), error=0.5)


def test_a_score_is_a_float():
    score = make_score()
    assert isinstance(score, float) and score == 12.3456 and 12 < score < 13
    assert score + 1 == 13.3456 and 2 * score == 24.6912 and -score == -12.3456
    assert f"{score:.2f}" == "12.35" and round(score, 1) == 12.3 and math.sqrt(score) > 3.5
    assert sorted([score, score.floor]) == [1.5, 12.3456] and hash(score) == hash(12.3456)
    assert np.mean([score, score]) == 12.3456 and torch.tensor(score).item() > 12


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        *(
            pytest.param(lambda s, p=p: pickle.loads(pickle.dumps(s, p)), id=f"pickle {p}")
            for p in range(2, pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_a_score_can_be_copied(copied):
    score = make_score()
    twin = copied(score)
    known = operator.attrgetter("name", "count", "error", "floor", "floor.count", "floor.error")
    assert type(twin) is Score and twin == score and known(twin) == known(score)
    assert repr(twin) == repr(score)


def test_a_score_prints_its_count_and_its_floor():
    assert repr(make_score()) == str(make_score()) == f"{make_score()}"
    assert repr(make_score()) == (
        "distance 12.35 ± 0.5000 (5,000 samples; 4,000 real test images: 1.500 ± 0.2500)"
    )
    assert repr(Score(0.03, "share", 10)) == "share 0.0300 (10 samples)"


@pytest.mark.parametrize(
    "value, figure",
    [
        (12345.6, "12,346"),
        (123.456, "123.5"),
        (1, "1.000"),
        (0.25, "0.2500"),
        (-2.5, "-2.500"),
        (0, "0"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (0.00012, "0.0001"),
    ],
)
def test_four_digits_that_count(value, figure):
    assert Score(value, "distance", 1).figure == figure


@pytest.mark.parametrize("metric", WITH_FLOOR)
def test_the_floor_is_that_of_as_many_test_images(metric):
    small = make_reference()

    def scores_of(found) -> list:
        return list(found) if isinstance(found, tuple) else [found]

    samples = make_images(25)
    against = small.features("train", 25)
    if metric is frechet_classifier_distance:
        against = small  # its moments are those of all training images
    expected = scores_of(metric(small.features("test", 25), against, floor=False))
    for score, want in zip(scores_of(metric(samples, small)), expected, strict=True):
        assert score.count == score.floor.count == 25
        assert repr(score.floor) == repr(want) and score.floor.floor is None
    many = metric(make_images(45), small)
    assert {(s.count, s.floor.count) for s in scores_of(many)} == {(45, 40)}
    assert {s.floor for s in scores_of(metric(samples, small, floor=False))} == {None}
    bare = metric(samples, small.features("train", 25))
    assert {s.floor for s in scores_of(bare)} == {None}


def test_the_default_reference_is_kept():
    assert get_reference("mnist") is get_reference("mnist")
    assert get_reference("mnist").judge is load_judge("mnist")
    plain = get_reference("mnist").images("test")
    score = classifier_score(make_images(30))
    assert score.floor == classifier_score(get_reference("mnist").features("test", 30), floor=False)
    assert plain.split == "test" and score.floor.count == 30


def gather_warnings(call, *arguments, **options) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        call(*arguments, **options)
    return seen


@pytest.mark.parametrize("call", [frechet_classifier_distance, judge_samples])
@pytest.mark.parametrize("against", ["default", "features"])
def test_few_samples_are_warned_of_once_and_where_the_call_is(call, against):
    samples = make_features(torch.rand(1999 if call is frechet_classifier_distance else 100, 128))
    real = None if against == "default" else make_features(torch.rand(100, 128))
    (seen,) = gather_warnings(call, samples, real)
    assert seen.category is UserWarning and "kernel_classifier_distance" in str(seen.message)
    assert f"{len(samples):,} samples" in str(seen.message)
    assert seen.filename == __file__


def test_enough_samples_are_not_warned_of_and_floors_never():
    few = make_features(torch.rand(100, 128))
    enough = make_features(torch.rand(2000, 128))
    assert gather_warnings(frechet_classifier_distance, enough, few) == []
    assert gather_warnings(frechet_classifier_distance, enough, make_reference()) == []
    others = (m for m in (*WITH_FLOOR,) if m is not frechet_classifier_distance)
    assert [w for metric in others for w in gather_warnings(metric, few, make_reference())] == []


# --- the report ------------------------------------------------------------------------------


def test_a_report_holds_what_the_metrics_say():
    samples, small = make_images(30), make_reference()
    report = judge_samples(samples, small)
    assert report.frechet == frechet_classifier_distance(samples, small)
    assert report.kernel == kernel_classifier_distance(samples, small)
    assert report.score == classifier_score(samples, small)
    assert repr(report.classes) == repr(class_coverage(samples, small))
    assert report.precision_recall == precision_recall(samples, small)
    assert report.density_coverage == density_coverage(samples, small)
    lines = str(report).splitlines()
    assert len(lines) == 10 and repr(report) == str(report)
    for score in (report.frechet, report.kernel, report.score, *report.precision_recall):
        (line,) = (line for line in lines if line.startswith(score.name + " "))
        assert score.figure in line and score.floor.figure in line
    assert "30 samples" in lines[0] and "30 real test images" in lines[0]


@pytest.mark.parametrize("as_features", [False, True])
def test_a_report_against_images_has_no_floor(as_features):
    other = make_images(12, seed=3)
    report = judge_samples(make_images(10), extract(other) if as_features else other)
    assert report.frechet.floor is report.classes.floor is report.density_coverage[1].floor is None
    assert "real test" not in str(report) and str(report).count("\n") == 9


# --- bad input -------------------------------------------------------------------------------


def other_judge(count: int = 8) -> Features:
    return replace(
        make_features(torch.rand(count, 128)), judge=replace(load_judge("mnist"), name="x")
    )


def broken(value: float, form: tuple[int, ...] = (8, 1, 28, 28)) -> Tensor:
    images = make_images(form[0]).reshape(form)
    images.view(-1)[5] = value
    return images


WRONG_IMAGES = (
    ("a list", lambda: [[0.0]], TypeError, "list"),
    ("an array", lambda: np.zeros((8, 1, 28, 28)), TypeError, "ndarray"),
    ("whole numbers", lambda: torch.zeros(8, 1, 28, 28).long(), TypeError, "int64"),
    ("27 pixels", lambda: torch.zeros(8, 1, 27, 27), ValueError, "1, 27, 27)"),
    ("grey in 32", lambda: torch.zeros(8, 1, 32, 32), ValueError, "1, 32, 32)"),
    ("colour in 28", lambda: torch.zeros(8, 3, 28, 28), ValueError, "3, 28, 28)"),
    ("three dimensions", lambda: make_images()[:, 0], ValueError, "28, 28)"),
    ("flat, 783", lambda: torch.zeros(8, 783), ValueError, "783"),
    ("[0, 255]", lambda: (make_images() + 1) * 127.5, ValueError, "divide by 127.5"),
    ("[0, 1]", lambda: to_bytes(make_images(99)).float() / 255, ValueError, "multiply by 2"),
    ("[0, 1] flat", lambda: torch.eye(8, 784), ValueError, "multiply by 2"),
    ("1.5", lambda: broken(1.5), ValueError, "1.5"),
    ("-1.5 flat", lambda: broken(-1.5, (8, 784)), ValueError, "-1.5"),
    ("NaN", lambda: broken(math.nan), ValueError, "NaN"),
    ("infinity", lambda: broken(-math.inf), ValueError, "infinity"),
    ("none", lambda: make_images()[:0], ValueError, "(0, 1, 28, 28)"),
    ("none, flat", lambda: torch.zeros(0, 784), ValueError, "(0,"),
)


@bad_inputs(
    *(
        (
            f"{call.__name__}: {what}",
            lambda call=call, make=make: call(make()),
            error,
            "images",
            got,
        )
        for call in OF_IMAGES
        for what, make, error, got in WRONG_IMAGES
    )
)
def test_images_that_cannot_be_judged(call, error, name, got):
    assert_complains(call, error, name, got)


@bad_inputs(
    *(
        (
            f"{call.__name__}: {what}",
            lambda call=call, make=make: call(make_images(), make()),
            error,
            "real" if call is nearest_neighbours else "reference",
            got,
        )
        for call in (*AGAINST_REAL, judge_samples, nearest_neighbours)
        for what, make, error, got in WRONG_IMAGES
        if what not in ("a list", "an array")
    )
)
def test_real_images_that_cannot_be_judged(call, error, name, got):
    assert_complains(call, error, name, got)


@bad_inputs(
    *(
        (
            f"{call.__name__}: {what}",
            lambda call=call, make=make: call(make_images(), make()),
            *rest,
        )
        for call in (*WITH_FLOOR, judge_samples)
        for what, make, *rest in (
            ("a name", lambda: "mnist", TypeError, "reference", "str"),
            ("an array", lambda: np.zeros((8, 1, 28, 28)), TypeError, "reference", "ndarray"),
            ("a set", lambda: make_reference().images("test"), TypeError, "reference", "ImageSet"),
            ("another judge", other_judge, ValueError, "reference", "what the x classifier has"),
        )
    )
)
def test_what_is_no_reference(call, error, name, got):
    assert_complains(call, error, name, got)


def count_rows():
    """(which call and side, the call, the error, the argument, how many came)."""
    for call, least in (
        (frechet_classifier_distance, 2),
        (kernel_classifier_distance, 2),
        (precision_recall, 4),
        (density_coverage, 6),
        (judge_samples, 6),
    ):
        few = least - 1
        for kind, change in (("images", lambda x: x), ("features", extract)):
            yield (
                f"{call.__name__}: {few} {kind}",
                lambda call=call, few=few, change=change: call(change(make_images(few))),
                *(ValueError, "images", str(few)),
            )
            yield (
                f"{call.__name__}: {few} {kind} to compare with",
                lambda call=call, few=few, change=change: call(
                    make_images(), change(make_images(few))
                ),
                *(ValueError, "reference", str(few)),
            )


@bad_inputs(*count_rows())
def test_too_few_images(call, error, name, got):
    assert_complains(call, error, name, got)


@pytest.mark.parametrize(
    "call, least",
    [
        (frechet_classifier_distance, 2),
        (kernel_classifier_distance, 2),
        (classifier_score, 1),
        (class_coverage, 1),
        (precision_recall, 4),
        (density_coverage, 6),
        (judge_samples, 6),
    ],
)
def test_just_enough_images(call, least):
    """No complaint, and nothing but numbers."""
    assert "nan" not in repr(call(make_images(least), make_reference()))


@bad_inputs(
    *(
        (f"{call.__name__}: {k!r}", lambda call=call, k=k: call(make_images(), k=k), *rest)
        for call in (precision_recall, density_coverage, nearest_neighbours)
        for k, *rest in (
            (0, ValueError, "k", "0"),
            (-1, ValueError, "k", "-1"),
            (2.0, TypeError, "k", "float: 2.0"),
            ("3", TypeError, "k", "str: '3'"),
            (True, TypeError, "k", "bool: True"),
        )
    ),
    *(
        (
            f"{call.__name__}: more neighbours than images",
            lambda call=call: call(make_images(), make_images(9), k=8),
            *(ValueError, "images", "8"),
        )
        for call in (precision_recall, density_coverage)
    ),
    (
        "more neighbours than images to search",
        lambda: nearest_neighbours(make_images(), make_images(9), k=10),
        *(ValueError, "k", "10"),
    ),
)
def test_impossible_neighbours(call, error, name, got):
    assert_complains(call, error, name, got)


@bad_inputs(
    *(
        (
            f"{call.__name__}: {value!r}",
            lambda call=call, v=value: call(make_images(), floor=v),
            *rest,
        )
        for call in WITH_FLOOR
        for value, *rest in (
            ("no", TypeError, "floor", "str: 'no'"),
            (0, TypeError, "floor", "int: 0"),
            (None, TypeError, "floor", "None"),
        )
    ),
    (
        "a floor that nobody can give",
        lambda: kernel_classifier_distance(make_images(), make_images(), floor="no"),
        *(TypeError, "floor", "str: 'no'"),
    ),
    (
        "unknown space",
        lambda: nearest_neighbours(make_images(), space="latent"),
        *(ValueError, "space", "'latent'"),
    ),
    (
        "no space",
        lambda: nearest_neighbours(make_images(), space=None),
        *(ValueError, "space", "None"),
    ),
    (
        "features have no neighbours among images",
        lambda: nearest_neighbours(extract(make_images())),
        *(TypeError, "images", "Features"),
    ),
    (
        "features as images to search",
        lambda: nearest_neighbours(make_images(), extract(make_images())),
        *(TypeError, "real", "Features"),
    ),
    (
        "colour to search",
        lambda: nearest_neighbours(make_images(), make_images(4, (3, 32, 32))),
        *(ValueError, "real", "(3, 32, 32)"),
    ),
    ("unknown judge", lambda: load_judge("imagenet"), ValueError, "name", "'imagenet'"),
    ("no judge", lambda: load_judge(None), ValueError, "name", "None"),
    ("a list of judges", lambda: load_judge(["mnist"]), ValueError, "name", "['mnist']"),
    ("unknown reference", lambda: get_reference("svhn"), ValueError, "name", "'svhn'"),
    ("a list of references", lambda: get_reference(["mnist"]), ValueError, "name", "['mnist']"),
    (
        "an augmentation by name",
        lambda: get_reference("mnist", "rotation"),
        *(TypeError, "augment", "str: 'rotation'"),
    ),
    (
        "a list of augmentations",
        lambda: get_reference("mnist", [to_bytes]),
        *(TypeError, "augment", "list"),
    ),
    (
        "a number as augmentation",
        lambda: Reference(load_judge("mnist"), 20),
        *(TypeError, "augment", "int: 20"),
    ),
    ("a judge by name", lambda: Reference("mnist"), TypeError, "judge", "str: 'mnist'"),
    ("no least", lambda: extract(make_images(), least=0), ValueError, "least", "0"),
)
def test_other_bad_input(call, error, name, got):
    assert_complains(call, error, name, got)
