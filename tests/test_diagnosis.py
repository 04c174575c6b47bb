"""Verdicts on hand-made histories: just above and just below each threshold, and in which order."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from helpers import assert_complains, bad_inputs, steady
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from course_utils.diagnosis import (
    ADVICE,
    AHEAD,
    ALIKE,
    EARLY,
    FEW_CLASSES,
    LAG,
    LATER,
    STILL,
    SURE,
    SWING,
    Signs,
    Verdict,
    diagnose,
    measure_spread,
    measure_swing,
    read_signs,
)
from course_utils.training import History

pytestmark = pytest.mark.usefixtures("own_randomness")

HAIR = 0.01  # how far above or below a threshold the histories here are


def make_history(
    steps: int = 1000,
    *,
    real: list[float] | float = 0.7,
    fake: list[float] | float = 0.3,
    moved: float = 1.0,
    lately: float = 1.0,
    spread: float | None = 0.6,
    grids: int = 5,
    entries: int = 40,
    **extra: list[float],
) -> History:
    """A history whose signs are known; `spread=None` leaves the samples out."""
    step = [steps * (n + 1) // entries for n in range(entries)]
    real, fake = ([v] * entries if isinstance(v, float) else list(v) for v in (real, fake))
    history = History(step, [1.0] * entries, [1.0] * entries, real, fake, extra=extra)
    if spread is not None:
        later = make_grid(spread)
        second = [later - lately] * (grids > 2)  # the grids before the last three
        shown = [later - moved, *second, *[later] * (grids - 1 - len(second))]
        history.samples = [(n * steps // grids, grid) for n, grid in enumerate(shown)]
    return history


def make_grid(spread: float) -> Tensor:
    """25 images of which this share of the pixels' variance lies between them, as (25, 784)."""
    common = torch.linspace(-1, 1, 784).repeat(25, 1)
    own = torch.linspace(-1, 1, 25)[:, None].repeat(1, 784)
    common, own = (part / part.std(correction=0) for part in (common, own))
    return 0.3 * ((1 - spread) ** 0.5 * common + spread**0.5 * own)


def swinging(size: float, entries: int = 40, centre: float = 0.4) -> list[float]:
    """D(G(z)) in slow turns; `size` is the standard deviation that is left after smoothing."""
    wave = [1.0 if n // 10 % 2 else -1.0 for n in range(entries)]
    return [centre + size / measure_swing(wave[-(entries // 2) :]) * value for value in wave]


def name(history: History) -> str:
    return diagnose(history).name


# --- each verdict, on both sides of its threshold ---------------------------------------------


def test_the_histories_here_have_the_signs_they_are_made_for():
    history = make_history(fake=swinging(0.1), moved=0.7, spread=0.25, classes=[math.nan, 7.0])
    signs = read_signs(replace(history, d_real=[0.9] * 40))
    assert signs.steps == 1000 and signs.classes == 7
    assert signs.swing == pytest.approx(0.1)
    assert signs.moved == pytest.approx(0.7) and signs.spread == pytest.approx(0.25)


def test_a_healthy_run():
    verdict = diagnose(make_history())
    assert verdict.name == "healthy"
    assert verdict.reason == "60% of the variance lies between the samples, D(x) - D(G(z)) is 0.40"


@pytest.mark.parametrize(
    "below, above, history",
    [
        ("not yet started", "healthy", lambda side: make_history(EARLY + (0 if side > 0 else -1))),
        ("not yet started", "healthy", lambda side: make_history(moved=STILL + side)),
        ("not yet started", "healthy", lambda side: make_history(lately=STILL + side)),
        (
            "not yet started",
            "D has won",
            lambda side: make_history(moved=0.0, real=AHEAD + side, fake=0.0),
        ),
        ("healthy", "oscillation", lambda side: make_history(fake=swinging(SWING + side))),
        ("G has collapsed", "healthy", lambda side: make_history(spread=ALIKE + side)),
        ("healthy", "D has won", lambda side: make_history(real=SURE + side, fake=0.0)),
        (
            "G has collapsed",
            "healthy",
            lambda side: make_history(classes=[FEW_CLASSES + (0.0 if side > 0 else -1.0)]),
        ),
        (
            "healthy",
            "G has collapsed",
            lambda side: make_history(LATER + (0 if side > 0 else -1), classes=[1.0]),
        ),
    ],
    ids=["steps", "moved", "lately", "ahead", "swing", "spread", "gap", "classes", "later"],
)
def test_a_threshold_parts_two_verdicts(below, above, history):
    assert (name(history(-HAIR)), name(history(HAIR))) == (below, above)


def test_reasons_give_the_signs():
    cases = {
        "not yet started": (make_history(moved=0.1), "the samples stand still"),
        "oscillation": (make_history(fake=swinging(0.25)), "D(G(z)) swings by ±0.25, "),
        "G has collapsed": (make_history(spread=0.1), "only 10.0% of their variance lies between"),
        "D has won": (make_history(real=0.99, fake=0.0), "D(x) - D(G(z)) is 0.99"),
        "not finite": (make_history(real=[0.5] * 39 + [math.inf]), "d_real is inf at step 1000"),
    }
    for expected, (history, words) in cases.items():
        verdict = diagnose(history)
        assert verdict.name == expected and words in verdict.reason
    few = diagnose(make_history(classes=[2.0]))
    assert few.reason == "the samples reach 2 of 10 classes"


# --- the order of the rules -------------------------------------------------------------------


def test_each_rule_comes_before_those_below_it():
    """All that is wrong at once; one after the other is mended, and the next one speaks."""
    signs = {
        "steps": EARLY - 1,
        "real": [1.0] * 39 + [math.nan],
        "fake": swinging(0.3, centre=-0.05),
        "moved": 0.0,
        "spread": 0.01,
        "classes": [1.0],
    }
    mended = [
        ("not finite", {}),
        ("not yet started", {"real": 0.6}),
        ("oscillation", {"steps": 1000}),
        ("D has won", {"real": 1.0, "fake": 0.0}),
        ("D has won", {"real": 0.6}),
        ("not yet started", {"real": 0.3}),
        ("G has collapsed", {"moved": 1.0}),
        ("D has won", {"real": 1.0, "spread": 0.6}),
        ("G has collapsed", {"real": 0.3}),
        ("healthy", {"classes": [8.0]}),
    ]
    for expected, change in mended:
        signs |= change
        assert name(make_history(**signs)) == expected, change


def test_samples_that_stand_still_are_ds_victory_where_d_is_sure():
    assert name(make_history(moved=0.0, real=1.0, fake=0.0)) == "D has won"
    assert name(make_history(moved=0.0, real=0.6, fake=0.5)) == "not yet started"
    assert name(make_history(lately=0.0, real=0.8, fake=0.2)) == "D has won"
    assert name(make_history(moved=0.0, spread=0.01, real=1.0, fake=0.0)) == "D has won"


# --- what is not finite -----------------------------------------------------------------------


def test_a_run_that_was_stopped_gives_its_own_reason():
    history = make_history(steps=100)
    history.stopped = "not finite: g_loss is nan at step 104"
    verdict = diagnose(history)
    assert (verdict.name, verdict.reason) == ("not finite", "g_loss is nan at step 104")
    history.stopped = "interrupted"
    assert name(history) == "not yet started"


@pytest.mark.parametrize("score", ["d_loss", "g_loss", "d_real", "d_fake"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_latest_entry_has_to_be_finite(score, value):
    history = make_history()
    getattr(history, score)[-1] = value
    verdict = diagnose(history)
    assert (verdict.name, verdict.reason) == ("not finite", f"{score} is {value} at step 1000")


@pytest.mark.parametrize("score", ["d_loss", "g_loss", "d_real", "d_fake"])
@pytest.mark.parametrize("place", [0, 20, 30, 38])
def test_nan_in_the_middle_leaves_a_verdict(score, place):
    """A score that only some steps gave is NaN elsewhere; the run goes on."""
    history = make_history()
    getattr(history, score)[place] = math.nan
    verdict = diagnose(history)
    assert verdict.name == "healthy" and "nan" not in verdict.reason


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_samples_with_nan_are_noticed_before_the_losses_are_read(value):
    history = make_history()
    history.samples[-1][1][3, 5] = value
    verdict = diagnose(history)
    assert verdict.name == "not finite" and "the samples at step 800 hold NaN" in verdict.reason


# --- histories that lack something ------------------------------------------------------------


def test_without_samples_the_scores_speak(tmp_path):
    """As from a table of numbers, which has no images."""
    for real, fake, expected in (
        (0.7, 0.3, "healthy"),
        (1.0, 0.0, "D has won"),
        (0.6, swinging(0.25), "oscillation"),
    ):
        make_history(real=real, fake=fake).to_csv(tmp_path / "history.csv")
        history = History.from_csv(tmp_path / "history.csv")
        assert not history.samples
        verdict = diagnose(history)
        assert verdict.name == expected and "nan" not in str(verdict)


def test_without_samples_the_noted_classes_speak(tmp_path):
    make_history(classes=[math.nan] * 39 + [1.0]).to_csv(tmp_path / "history.csv")
    assert name(History.from_csv(tmp_path / "history.csv")) == "G has collapsed"


@pytest.mark.parametrize("missing", ["d_real", "d_fake"])
def test_without_d_of_x_or_d_of_g_the_samples_speak(missing):
    for spread, expected in ((0.6, "healthy"), (0.05, "G has collapsed")):
        verdict = diagnose(replace(make_history(spread=spread, real=1.0), **{missing: []}))
        assert verdict.name == expected and "D(x)" not in verdict.reason


@pytest.mark.parametrize("real, fake", [(30.0, -30.0), (-30.0, 30.0), (0.9, -0.6), (1.6, 0.1)])
def test_scores_without_a_scale_leave_the_samples_to_speak(real, fake):
    """A critic's scores, as with Wasserstein's loss: a gap of 60 says nothing by itself."""
    wild = [fake + 20 * (-1) ** (n // 10) for n in range(40)]
    for values in ([fake] * 40, wild):
        assert name(make_history(real=real, fake=values)) == "healthy"
        assert name(make_history(real=real, fake=values, spread=0.05)) == "G has collapsed"
        assert name(make_history(real=real, fake=values, moved=0.0)) == "not yet started"
    signs = read_signs(make_history(real=real, fake=fake))
    assert math.isnan(signs.gap) and math.isnan(signs.swing)


def test_least_squares_may_overshoot_a_little():
    """The ends of the scale, from -0.5 to 1.5, belong to it."""
    assert name(make_history(real=1.5, fake=-0.5)) == "D has won"
    assert math.isnan(read_signs(make_history(real=1.51, fake=0.0)).gap)


def test_an_empty_history():
    verdict = diagnose(History())
    assert (verdict.name, verdict.reason) == ("not yet started", "0 steps are too few to tell")
    signs = read_signs(History())
    assert signs.steps == 0
    assert all(math.isnan(getattr(signs, name)) for name in ("gap", "swing", "moved", "spread"))


@pytest.mark.parametrize("step, expected", [(1, "not yet started"), (5000, "D has won")])
def test_a_history_of_one_entry(step, expected):
    history = History([step], [0.1], [5.0], [1.0], [0.0])
    assert name(history) == expected
    assert math.isnan(read_signs(history).swing)  # one value cannot swing


def test_a_single_grid_says_nothing():
    history = make_history()
    history.samples = history.samples[:1]
    signs = read_signs(history)
    assert math.isnan(signs.moved) and math.isnan(signs.spread)
    assert name(history) == "healthy"  # the scores speak


def test_a_run_of_200_steps_is_too_short():
    for signs in ({}, {"real": 1.0, "fake": 0.0}, {"spread": 0.01}, {"moved": 0.0}):
        verdict = diagnose(make_history(200, **signs))
        assert verdict.name == "not yet started" and "200 steps" in verdict.reason


def test_a_resumed_run_is_told_like_one_in_one_piece():
    whole = make_history(spread=0.05, classes=[5.0] * 40)
    resumed = History()
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    assert str(diagnose(resumed)) == str(diagnose(whole))
    assert diagnose(whole).name == "G has collapsed"
    stopped = replace(whole, stopped="not finite: d_loss is nan at step 1001")
    resumed.load_state_dict(stopped.state_dict())  # taken up at the last good checkpoint
    assert name(resumed) == "G has collapsed"


# --- what the signs look at -------------------------------------------------------------------


def test_the_gap_is_that_of_the_last_quarter():
    history = make_history(real=[0.5] * 30 + [1.0] * 10, fake=[0.5] * 30 + [0.02] * 10)
    assert read_signs(history).gap == pytest.approx(0.98)
    history = make_history(real=[1.0] * 30 + [0.5] * 10, fake=[0.0] * 30 + [0.5] * 10)
    assert read_signs(history).gap == pytest.approx(0)


def test_turns_of_the_first_half_are_forgotten():
    calm = [0.4] * 20
    assert name(make_history(fake=swinging(0.3)[:20] + calm)) == "healthy"
    assert name(make_history(fake=calm + swinging(0.3)[20:])) == "oscillation"


def test_the_spread_is_the_median_of_the_last_three_grids():
    history = make_history()
    for place, spread in enumerate((0.9, 0.02, 0.4, 0.3), start=1):
        history.samples[place] = history.samples[place][0], make_grid(spread)
    assert read_signs(history).spread == pytest.approx(0.3)


def test_what_g_drew_before_its_first_step_does_not_count_as_spread():
    history = make_history(spread=0.05, grids=2)
    assert measure_spread(history.samples[0][1]) == pytest.approx(0.05)
    history.samples[0] = 0, torch.randn(25, 784)
    assert read_signs(history).spread == pytest.approx(0.05)


def test_batch_norm_moves_samples_at_first_though_nobody_learns():
    """Its statistics settle in the first steps; after them the samples stand still."""
    history = make_history(moved=0.9, lately=0.01, real=0.5, fake=0.5)
    signs = read_signs(history)
    assert signs.moved == pytest.approx(0.9) and signs.moved_lately == pytest.approx(0.01)
    assert name(history) == "not yet started"


@pytest.mark.parametrize(
    "signs, later",
    [
        ({"spread": 0.05}, "G has collapsed"),
        ({"classes": [1.0]}, "G has collapsed"),
        ({"lately": 0.0}, "not yet started"),
    ],
)
def test_samples_of_an_averaged_g_are_believed_later(signs, later):
    """They show what G was a thousand steps ago; D's scores are of the present."""
    for steps, averaged, expected in (
        (1000, False, later),
        (1000, True, "healthy"),
        (EARLY + LAG - 1, True, "healthy"),
        (LATER + LAG, True, later),
    ):
        history = make_history(steps, **signs)
        history.averaged = torch.nn.Identity() if averaged else None
        assert name(history) == expected
    sure = make_history(1000, real=1.0, fake=0.0)
    sure.averaged = torch.nn.Identity()
    assert name(sure) == "D has won"


def test_the_latest_classes_that_are_known_count():
    assert read_signs(make_history(classes=[1.0, 6.0, math.nan])).classes == 6
    assert math.isnan(read_signs(make_history(classes=[math.nan] * 3)).classes)
    assert math.isnan(read_signs(make_history()).classes)


@pytest.mark.parametrize("shape", [(784,), (1, 28, 28), (3, 16, 16)])
@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_images_of_any_shape_and_precision(shape, kind):
    history = make_history()
    first, later = torch.rand(2, 25, *shape) * 2 - 1
    history.samples = [(0, first.to(kind)), (900, later.to(kind))]
    assert name(history) == "healthy"
    assert read_signs(history).moved == pytest.approx((2 / 3) ** 0.5, abs=0.02)


def test_the_history_stays_as_it_was():
    history = make_history(fake=swinging(0.3), classes=[math.nan] * 39 + [4.0])
    before = copy.deepcopy(history.state_dict())
    diagnose(history)
    after = history.state_dict()
    for key in before.keys() - {"samples"}:
        assert repr(before[key]) == repr(after[key]), key  # as NaN is not equal to itself
    assert [step for step, _ in before["samples"]] == [step for step, _ in after["samples"]]
    for (_, old), (_, new) in zip(before["samples"], after["samples"], strict=True):
        assert torch.equal(old, new)


# --- spread and swing -------------------------------------------------------------------------


def test_spread_of_known_images():
    one = torch.randn(1, 1, 28, 28)
    assert measure_spread(one.repeat(25, 1, 1, 1)) == pytest.approx(0, abs=1e-9)
    assert measure_spread(torch.zeros(25, 784)) == 0
    assert measure_spread(torch.full((25, 784), 0.3)) == 0
    assert measure_spread(one) == pytest.approx(0)
    assert measure_spread(torch.randn(25, 784)) == pytest.approx(0.96, abs=0.01)  # 1 - 1/25
    assert measure_spread(torch.randn(2000, 100)) == pytest.approx(1, abs=0.01)
    plain = torch.linspace(-1, 1, 25)[:, None].repeat(1, 784)  # each of one grey, all different
    assert measure_spread(plain) == pytest.approx(1)


@pytest.mark.parametrize("share", [0.05, 0.15, 0.5, 0.95])
def test_spread_is_the_share_that_the_images_were_given(share):
    assert measure_spread(make_grid(share)) == pytest.approx(share, rel=1e-4)


@steady
@given(
    seed=st.integers(0, 2**31),
    added=st.floats(-3, 3),
    scale=st.one_of(st.floats(0.05, 20), st.floats(-20, -0.05)),
)
def test_spread_does_not_depend_on_brightness_or_contrast(seed, added, scale):
    drawn = torch.Generator().manual_seed(seed)
    images = torch.rand(1, 49, generator=drawn) + torch.rand(9, 49, generator=drawn)
    spread = measure_spread(images.double())
    assert 0 <= spread <= 1
    assert measure_spread(scale * images.double() + added) == pytest.approx(spread, rel=1e-6)


def test_swing_of_known_curves():
    assert measure_swing([0.3] * 40) == pytest.approx(0, abs=1e-7)
    square = [float(n // 50 % 2) for n in range(200)]
    assert measure_swing(square) == pytest.approx(0.5, abs=0.02)  # turns much longer than a window
    assert measure_swing([0.0, 1.0] * 20) == pytest.approx(0.1, abs=1e-6)  # means of 0.4 and 0.6


@steady
@given(seed=st.integers(0, 2**31))
def test_white_noise_is_damped(seed):
    noise = torch.randn(2000, generator=torch.Generator().manual_seed(seed)).tolist()
    assert measure_swing(noise) == pytest.approx(5**-0.5, rel=0.15)  # a mean of five


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_values_to_swing(count):
    assert not math.isnan(measure_swing([0.5] * 10))
    assert math.isnan(measure_swing([0.5] * count))


# --- what a verdict says ----------------------------------------------------------------------


@pytest.mark.parametrize("state", ADVICE)
def test_each_verdict_has_its_advice(state):
    verdict = Verdict(state, "because")
    assert verdict.advice == ADVICE[state] and len(verdict.advice) > 30
    assert verdict.headline == f"{state}: because"
    assert str(verdict) == repr(verdict) == f"{state}: because. What to try: {ADVICE[state]}."
    assert "\n" not in str(verdict) and ".." not in str(verdict)


def test_the_documented_names_are_the_names():
    for state in ADVICE:
        assert f'"{state}"' in diagnose.__doc__


def test_signs_are_documented():
    for sign in Signs.__dataclass_fields__:
        assert f"\n        {sign}: " in Signs.__doc__


@bad_inputs(
    ("nothing", lambda: diagnose(None), TypeError, "history", "NoneType"),
    ("losses", lambda: diagnose([1.0, 2.0]), TypeError, "history", "list"),
    ("the class", lambda: diagnose(History), TypeError, "history", "type"),
    ("its state", lambda: diagnose(History().state_dict()), TypeError, "history", "dict"),
)
def test_bad_input(call, error, name, got):
    assert_complains(call, error, name, got)
