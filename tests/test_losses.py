"""Losses, penalty and schedule against plain formulas and the papers; Adam against its own."""

from __future__ import annotations

import copy
import inspect
import math

import numpy as np
import pytest
import torch
from helpers import HandAdam, assert_complains, bad_inputs, read_arguments, softplus, steady
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils.losses import (
    bce_loss,
    discriminator_loss,
    generator_loss,
    get_optimizer,
    linear_decay,
    ls_discriminator_loss,
    ls_generator_loss,
    probability_discriminator_loss,
    probability_generator_loss,
    r1_penalty,
)
from course_utils.settings import fork_random
from course_utils.training import AdversarialStep

OF_TWO = (discriminator_loss, ls_discriminator_loss, probability_discriminator_loss)
OF_ONE = (generator_loss, ls_generator_loss, probability_generator_loss)
ON_PROBABILITIES = (probability_discriminator_loss, probability_generator_loss)

scores = st.lists(st.floats(-1000, 1000), min_size=1, max_size=6).map(
    lambda values: torch.tensor(values, dtype=torch.float64)
)


def close(got: Tensor, expected: Tensor | float) -> None:
    expected = torch.as_tensor(expected, dtype=torch.float64)
    assert got.shape == expected.shape
    assert ((got - expected).abs() <= 1e-12 * (1 + expected.abs())).all(), (got, expected)


def ask(loss, *raw: Tensor) -> Tensor:
    """The loss of scores, or of their sigmoid where the loss is on probabilities."""
    return loss(*(torch.sigmoid(s) if loss in ON_PROBABILITIES else s for s in raw))


def slope(loss, *inputs: Tensor) -> tuple[Tensor, ...]:
    """The gradient of `loss(*inputs)` with respect to each input."""
    inputs = tuple(x.clone().requires_grad_() for x in inputs)
    return torch.autograd.grad(loss(*inputs), inputs)


# --- values that can be read off the papers --------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 128])
def test_values_at_a_draw(count):
    logits = torch.zeros(count, 1)
    assert discriminator_loss(logits, logits).item() == pytest.approx(2 * math.log(2))
    assert generator_loss(logits).item() == pytest.approx(math.log(2))
    halves = torch.full((count, 1), 0.5)
    assert ls_discriminator_loss(halves, halves).item() == 1 / 4
    assert ls_generator_loss(halves).item() == 1 / 8
    assert probability_discriminator_loss(halves, halves).item() == pytest.approx(2 * math.log(2))
    assert probability_generator_loss(halves).item() == pytest.approx(math.log(2))


def test_least_squares_targets_are_one_and_zero():
    zero, one = torch.zeros(4, 1), torch.ones(4, 1)
    assert ls_discriminator_loss(one, zero).item() == 0
    assert ls_discriminator_loss(zero, one).item() == 1
    assert ls_discriminator_loss(zero, zero).item() == ls_discriminator_loss(one, one).item() == 0.5
    assert ls_generator_loss(one).item() == 0
    assert ls_generator_loss(zero).item() == 0.5


@pytest.mark.parametrize("probability", [0.01, 0.3, 0.9])
@pytest.mark.parametrize("label", [0.0, 0.25, 1.0])
def test_cross_entropy_of_one_probability(probability, label):
    logit = torch.tensor([math.log(probability / (1 - probability))], dtype=torch.float64)
    expected = -(label * math.log(probability) + (1 - label) * math.log(1 - probability))
    close(bce_loss(logit, torch.full_like(logit, label)), expected)


# --- plain formulas --------------------------------------------------------------------------


@steady
@given(scores, scores)
def test_discriminator_loss_is_its_formula(real, fake):
    close(discriminator_loss(real, fake), softplus(-real).mean() + softplus(fake).mean())
    at_real, at_fake = slope(discriminator_loss, real, fake)
    close(at_real, -torch.sigmoid(-real) / len(real))
    close(at_fake, torch.sigmoid(fake) / len(fake))


@steady
@given(scores)
def test_generator_loss_is_its_formula(fake):
    close(generator_loss(fake), softplus(-fake).mean())
    close(slope(generator_loss, fake)[0], -torch.sigmoid(-fake) / len(fake))


@steady
@given(scores, scores)
def test_ls_discriminator_loss_is_its_formula(real, fake):
    close(ls_discriminator_loss(real, fake), ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2)
    at_real, at_fake = slope(ls_discriminator_loss, real, fake)
    close(at_real, (real - 1) / len(real))
    close(at_fake, fake / len(fake))


@steady
@given(scores)
def test_ls_generator_loss_is_its_formula(fake):
    close(ls_generator_loss(fake), ((fake - 1) ** 2).mean() / 2)
    close(slope(ls_generator_loss, fake)[0], (fake - 1) / len(fake))


@steady
@given(scores, st.data())
def test_bce_loss_is_its_formula(logits, data):
    label = st.floats(0, 1)
    labels = torch.tensor([data.draw(label) for _ in logits], dtype=torch.float64)
    close(
        bce_loss(logits, labels),
        (labels * softplus(-logits) + (1 - labels) * softplus(logits)).mean(),
    )
    close(
        slope(lambda x: bce_loss(x, labels), logits)[0], (logits.sigmoid() - labels) / len(labels)
    )


@pytest.mark.parametrize("sign", [-1, 1])
def test_float32_losses_stay_finite_where_probabilities_round(sign):
    sure = torch.full((2, 1), 1000.0 * sign)
    at_plus = 0.0 if sign > 0 else 1000.0  # -log sigmoid(±1000)
    assert generator_loss(sure).item() == at_plus
    assert discriminator_loss(sure, -sure).item() == 2 * at_plus
    (gradient,) = slope(generator_loss, sure)
    assert gradient.tolist() == ([[0.0], [0.0]] if sign > 0 else [[-0.5], [-0.5]])


# --- properties ------------------------------------------------------------------------------


@steady
@given(scores, scores)
def test_d_loss_is_two_losses_of_g(real, fake):
    """-log(1 - sigmoid(x)) = -log sigmoid(-x)."""
    close(discriminator_loss(real, fake), generator_loss(real) + generator_loss(-fake))


@steady
@given(scores, st.data(), st.integers(1, 3))
def test_order_repetition_and_a_column_do_not_matter(values, data, times):
    order = data.draw(st.permutations(range(len(values))))
    for other in (values[order], values.repeat(times), values.reshape(-1, 1)):
        for loss in OF_ONE:
            close(ask(loss, other), ask(loss, values))
        for loss in OF_TWO:
            close(ask(loss, other, values), ask(loss, values, values))
            close(ask(loss, values, other), ask(loss, values, values))


@steady
@given(scores)
def test_losses_are_never_negative(values):
    assert all(ask(loss, values) >= 0 for loss in OF_ONE)
    assert all(ask(loss, values, -values) >= 0 for loss in OF_TWO)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_loss_is_a_scalar_of_the_scores_type(dtype):
    values = torch.ones(3, 1, dtype=dtype)
    for loss in (*(f(values) for f in OF_ONE), *(f(values, values) for f in OF_TWO)):
        assert loss.shape == () and loss.dtype == dtype
    assert bce_loss(values, values).shape == ()


def test_bce_takes_any_shape():
    logits = torch.linspace(-3, 3, 24, dtype=torch.float64)
    labels = (logits > 1).double()
    expected = bce_loss(logits, labels)
    close(bce_loss(logits.reshape(2, 3, 4), labels.reshape(2, 3, 4)), expected)
    close(bce_loss(logits[0], labels[0]), softplus(logits[0]))


# --- the penalty on D's slope ----------------------------------------------------------------

numbers = st.lists(st.floats(-10, 10), min_size=12, max_size=12)
weights_of_r1 = st.floats(1e-3, 100)


def colours(count: int, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, 2, 2, dtype=torch.float64, generator=source)


def build_linear(values: list[float], bias: float = 0.5) -> nn.Sequential:
    """D(x) = w.x + b, for images of twelve numbers."""
    D = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, dtype=torch.float64))
    with torch.no_grad():
        D[1].weight.copy_(torch.tensor([values], dtype=torch.float64))
        D[1].bias.fill_(bias)
    return D


class HalfSquare(nn.Module):
    """D(x) = |x|²/2, whose slope is x."""

    def forward(self, images: Tensor) -> Tensor:
        return images.square().flatten(1).sum(dim=1, keepdim=True) / 2


def build_deep() -> nn.Sequential:
    with fork_random(seed=2):
        return nn.Sequential(
            nn.Conv2d(3, 4, 2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Tanh(),
            nn.Linear(36, 1),
        ).double()


@steady
@given(numbers, weights_of_r1, st.integers(1, 5), st.integers(0, 99))
def test_r1_of_a_line(values, weight, count, seed):
    """The slope is w everywhere: weight/2 |w|², wherever the images are, and weight w its own."""
    D, w = build_linear(values), torch.tensor(values, dtype=torch.float64)
    penalty = r1_penalty(weight)(D, colours(count, seed), None)
    close(penalty, weight / 2 * (w**2).sum())
    penalty.backward()
    close(D[1].weight.grad, weight * w[None])
    assert D[1].bias.grad is None or D[1].bias.grad.item() == 0


@steady
@given(weights_of_r1, st.integers(1, 6), st.integers(0, 99))
def test_r1_of_a_bowl(weight, count, seed):
    """The slope at x is x: weight/2 times the mean of |x|²."""
    images = colours(count, seed)
    expected = sum(float((x**2).sum()) for x in images) / count * weight / 2
    close(r1_penalty(weight)(HalfSquare(), images, None), expected)


def test_r1_is_the_mean_of_what_each_image_has_alone():
    D, images = build_deep(), colours(5)
    together = r1_penalty(0.1)(D, images, None)
    alone = [r1_penalty(0.1)(D, image[None], None) for image in images]
    close(together, torch.stack(alone).mean())
    shares = torch.autograd.grad(together, D[0].weight)[0]
    each = torch.stack([torch.autograd.grad(one, D[0].weight)[0] for one in alone])
    torch.testing.assert_close(shares, each.mean(dim=0))


def test_r1s_gradient_is_what_a_small_push_of_the_weights_shows():
    D, images = build_deep(), colours(3)
    parameters = [p.detach() for p in D.parameters()]

    def ask_penalty(*values: Tensor) -> Tensor:
        def call(batch: Tensor) -> Tensor:
            return torch.func.functional_call(D, dict(zip(names, values)), (batch,))

        return r1_penalty(0.7)(call, images, None)

    names = [name for name, _ in D.named_parameters()]
    assert torch.autograd.gradcheck(ask_penalty, [p.requires_grad_() for p in parameters])


def test_r1_looks_at_real_images_only_and_leaves_them_as_they_are():
    D, images = build_deep(), colours(3)
    before = images.clone()
    penalty = r1_penalty(0.1)
    value = penalty(D, images, torch.full_like(images, math.nan))
    assert value.shape == () and value.dtype == images.dtype and value.isfinite()
    value.backward()
    assert torch.equal(images, before) and images.grad is None and not images.requires_grad
    made = images.clone().requires_grad_()
    penalty(D, made * 1, None).backward()  # images that another network made: it learns nothing
    assert made.grad is None


def test_r1_doubles_with_its_weight():
    D, images = build_deep(), colours(4)
    close(r1_penalty(0.2)(D, images, None), 2 * r1_penalty(0.1)(D, images, None))


@pytest.mark.parametrize("weight", [0.1, 10])
def test_a_step_with_r1(weight):
    """One step of plain descent: D's loss is larger by weight/2 |w|², w moves by weight w more."""
    values = [0.3 * n - 1.5 for n in range(12)]
    seen = {}
    for penalty in (None, r1_penalty(weight)):
        with fork_random(seed=0):
            D = build_linear(values)
            G = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Unflatten(1, (3, 2, 2))).double()
            solvers = [torch.optim.SGD(network.parameters(), lr=0.01) for network in (D, G)]
            losses = discriminator_loss, generator_loss
            step = AdversarialStep(D, G, *solvers, *losses, noise_size=2, penalty=penalty)
        scores = step(colours(6), torch.zeros(6))
        seen[penalty is not None] = scores["d_loss"], D[1].weight.detach()
    w = torch.tensor([values], dtype=torch.float64)
    close(seen[True][0] - seen[False][0], weight / 2 * (w**2).sum())
    torch.testing.assert_close(seen[False][1] - seen[True][1], 0.01 * weight * w)


# --- the schedule ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "share, factor", [(0, 1), (0.25, 1), (0.5, 1), (0.625, 0.75), (0.75, 0.5), (1, 0), (1.0, 0)]
)
def test_the_rate_is_whole_for_one_half_and_then_falls_to_nothing(share, factor):
    assert linear_decay(share) == factor


@steady
@given(st.floats(0, 1), st.floats(0, 1))
def test_the_rate_never_rises(one, other):
    early, late = sorted((one, other))
    assert 0 <= linear_decay(late) <= linear_decay(early) <= 1
    if early >= 0.5:  # along a straight line
        assert linear_decay(early) - linear_decay(late) == pytest.approx(2 * (late - early))


# --- the optimiser ---------------------------------------------------------------------------


def test_default_optimizer():
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    solver = get_optimizer(network)
    assert type(solver) is torch.optim.Adam
    (group,) = solver.param_groups
    assert (group["lr"], group["betas"]) == (1e-3, (0.5, 0.999))
    assert [id(p) for p in group["params"]] == [id(p) for p in network.parameters()]


@steady
@given(
    lr=st.floats(1e-6, 1.0),
    betas=st.tuples(st.floats(0, 0.99), st.floats(0, 0.999)),
    as_list=st.booleans(),
)
def test_five_steps_are_adams(lr, betas, as_list):
    network = nn.Linear(3, 1, bias=False, dtype=torch.float64)
    other = copy.deepcopy(network)
    solver = get_optimizer(network, lr, list(betas) if as_list else betas)
    by_hand = HandAdam(other.parameters(), lr, betas)
    for step in range(1, 6):
        gradient = torch.tensor([[1.0, -2.0 * step, 0.5**step]], dtype=torch.float64)
        network.weight.grad = gradient
        solver.step()
        by_hand.step([gradient])
    torch.testing.assert_close(network.weight, other.weight, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "function, arguments",
    [
        (bce_loss, "input, target"),
        (discriminator_loss, "logits_real, logits_fake"),
        (generator_loss, "logits_fake"),
        (ls_discriminator_loss, "scores_real, scores_fake"),
        (ls_generator_loss, "scores_fake"),
        (probability_discriminator_loss, "d_real, d_fake"),
        (probability_generator_loss, "d_fake"),
        (r1_penalty, "weight"),
        (linear_decay, "share"),
        (get_optimizer, "model, lr=0.001, betas=(0.5, 0.999)"),
    ],
)
def test_the_familiar_arguments_in_the_familiar_order(function, arguments):
    assert read_arguments(function) == arguments


# --- bad input -------------------------------------------------------------------------------


def complaints_about_scores():
    """Every kind of bad score, in every place of every loss that takes one score an image."""
    good = torch.zeros(3, 1)
    kinds = [
        ("list", [0.0], TypeError, "list"),
        ("array", np.zeros(3), TypeError, "ndarray"),
        ("None", None, TypeError, "NoneType"),
        ("whole numbers", torch.zeros(3, 1, dtype=torch.int64), TypeError, "torch.int64"),
        ("bool", torch.zeros(3, 1, dtype=torch.bool), TypeError, "torch.bool"),
        ("NaN", torch.tensor([[0.0], [math.nan]]), ValueError, "NaN"),
        ("infinity", torch.tensor([[0.0], [math.inf]]), ValueError, "infinity"),
        ("two scores an image", torch.zeros(3, 2), ValueError, "(3, 2)"),
        ("images", torch.zeros(3, 1, 28, 28), ValueError, "(3, 1, 28, 28)"),
        ("rank 3", torch.zeros(3, 1, 1), ValueError, "(3, 1, 1)"),
        ("rank 0", torch.tensor(0.0), ValueError, "()"),
        ("empty", torch.zeros(0, 1), ValueError, "(0, 1)"),
    ]
    for what, value, error, got in kinds:
        for loss in OF_ONE:
            (name,) = inspect.signature(loss).parameters
            yield f"{loss.__name__}: {what}", lambda f=loss, v=value: f(v), error, name, got
        for loss in OF_TWO:
            first, second = inspect.signature(loss).parameters
            title = loss.__name__
            yield f"{title} {first}: {what}", lambda f=loss, v=value: f(v, good), error, first, got
            yield (
                f"{title} {second}: {what}",
                lambda f=loss, v=value: f(good, v),
                error,
                second,
                got,
            )


ZEROS = torch.zeros(3, 1)
MIXED = torch.tensor([[-0.5], [0.5], [2.0]])
NETWORK = nn.Linear(1, 1)


@bad_inputs(
    *complaints_about_scores(),
    ("logits", lambda: probability_generator_loss(MIXED), ValueError, "d_fake", "from -0.5 to 2"),
    (
        "real logits",
        lambda: probability_discriminator_loss(MIXED, ZEROS),
        ValueError,
        "d_real",
        "from -0.5 to 2; does D end in a Sigmoid?",
    ),
    ("bce input: list", lambda: bce_loss([0.0], ZEROS), TypeError, "input", "list"),
    ("bce input: whole", lambda: bce_loss(ZEROS.int(), ZEROS), TypeError, "input", "torch.int32"),
    ("bce input: NaN", lambda: bce_loss(ZEROS / 0, ZEROS), ValueError, "input", "NaN"),
    ("bce input: empty", lambda: bce_loss(ZEROS[:0], ZEROS[:0]), ValueError, "input", "(0, 1)"),
    ("bce target: number", lambda: bce_loss(ZEROS, 1.0), TypeError, "target", "float: 1.0"),
    ("bce target: whole", lambda: bce_loss(ZEROS, ZEROS.long()), TypeError, "target", "int64"),
    ("bce target: shape", lambda: bce_loss(ZEROS, ZEROS[:, 0]), ValueError, "target", "(3,)"),
    ("bce target: size", lambda: bce_loss(ZEROS, ZEROS[:2]), ValueError, "target", "(2, 1)"),
    ("bce target: NaN", lambda: bce_loss(ZEROS, ZEROS / 0), ValueError, "target", "NaN"),
    ("bce target: 255", lambda: bce_loss(ZEROS, ZEROS + 255), ValueError, "target", "255 to 255"),
    ("bce target: 1.01", lambda: bce_loss(ZEROS, ZEROS + 1.01), ValueError, "target", "to 1.01"),
    ("bce target: one", lambda: bce_loss(ZEROS, MIXED), ValueError, "target", "from -0.5 to 2"),
    ("bce target: -1", lambda: bce_loss(ZEROS, ZEROS - 1), ValueError, "target", "from -1"),
    ("r1: zero", lambda: r1_penalty(0), ValueError, "weight", "0"),
    ("r1: negative", lambda: r1_penalty(-0.1), ValueError, "weight", "-0.1"),
    ("r1: NaN", lambda: r1_penalty(math.nan), ValueError, "weight", "nan"),
    ("r1: infinite", lambda: r1_penalty(math.inf), ValueError, "weight", "inf"),
    ("r1: text", lambda: r1_penalty("0.1"), TypeError, "weight", "'0.1'"),
    ("r1: bool", lambda: r1_penalty(True), TypeError, "weight", "bool"),
    ("r1: None", lambda: r1_penalty(None), TypeError, "weight", "None"),
    ("share: below", lambda: linear_decay(-1e-9), ValueError, "share", "-1e-09"),
    ("share: above", lambda: linear_decay(1.0001), ValueError, "share", "1.0001"),
    ("share: NaN", lambda: linear_decay(math.nan), ValueError, "share", "nan"),
    ("share: text", lambda: linear_decay("half"), TypeError, "share", "'half'"),
    ("share: bool", lambda: linear_decay(True), TypeError, "share", "bool"),
    ("share: None", lambda: linear_decay(None), TypeError, "share", "None"),
    ("model: class", lambda: get_optimizer(nn.Linear), TypeError, "model", "the class Linear"),
    ("model: parameters", lambda: get_optimizer([ZEROS]), TypeError, "model", "list"),
    ("lr: zero", lambda: get_optimizer(NETWORK, 0), ValueError, "lr", "0"),
    ("lr: negative", lambda: get_optimizer(NETWORK, -1e-3), ValueError, "lr", "-0.001"),
    ("lr: NaN", lambda: get_optimizer(NETWORK, math.nan), ValueError, "lr", "nan"),
    ("lr: infinite", lambda: get_optimizer(NETWORK, math.inf), ValueError, "lr", "inf"),
    ("lr: text", lambda: get_optimizer(NETWORK, "fast"), TypeError, "lr", "'fast'"),
    ("lr: bool", lambda: get_optimizer(NETWORK, True), TypeError, "lr", "bool"),
    ("betas: number", lambda: get_optimizer(NETWORK, betas=0.5), TypeError, "betas", "0.5"),
    ("betas: one", lambda: get_optimizer(NETWORK, betas=(0.5,)), TypeError, "betas", "(0.5,)"),
    (
        "betas: first is 1",
        lambda: get_optimizer(NETWORK, betas=(1.0, 0.9)),
        ValueError,
        "betas",
        "1",
    ),
    (
        "betas: second is 1",
        lambda: get_optimizer(NETWORK, betas=(0.5, 1)),
        ValueError,
        "betas",
        "1",
    ),
    (
        "betas: negative",
        lambda: get_optimizer(NETWORK, betas=(-0.1, 0.9)),
        ValueError,
        "betas",
        "-0.1",
    ),
    ("betas: text", lambda: get_optimizer(NETWORK, betas=("a", 0.9)), TypeError, "betas", "'a'"),
    (
        "betas: NaN",
        lambda: get_optimizer(NETWORK, betas=(math.nan, 0.9)),
        ValueError,
        "betas",
        "nan",
    ),
)
def test_bad_input(call, error, name, got):
    assert_complains(call, error, name, got)
