"""Lesson 1, MLP GAN on MNIST: each exercise's reference, and what its check asks.

References are written as the lesson teaches them, and equal the solutions in
`solutions/01_mlp_gan.py` line by line (`make check` compares).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..checks import (
    Slip,
    WrongAnswer,
    expect_close,
    expect_float32,
    expect_gradients,
    expect_images,
    expect_same_network,
    replace_layers,
)
from ..models import sample_noise
from .exercise import Exercise
from .networks import expect_other_sizes

# 01.1 -----------------------------------------------------------------------------------------


def best_discriminator(p, q):
    return p / (p + q)


def ask_best_discriminator(answer: Any) -> None:
    cases = [
        ([0.5, 0.2, 0.9, 0.0], [0.5, 0.6, 0.1, 0.3]),
        ([[0.3, 0.6, 1.2]], [[0.1, 0.9, 0.4]]),
    ]
    for pair in cases:
        p, q = map(torch.tensor, pair)
        want = best_discriminator(p, q)
        slips = [
            (q / (p + q), "p is the density of real data: the share of p, not of q"),
            (p / q, "divide by all that is there: p + q"),
            (p / p + q, "brackets: p / (p + q), as / binds more tightly than +"),
        ]
        got = answer(p.clone(), q.clone())
        expect_close(got, want, "the share of p in p + q: ½ where both are equal", slips=slips)


# 01.2 -----------------------------------------------------------------------------------------


def generator_losses(d_fake):
    saturating = torch.log(1 - d_fake).mean()
    non_saturating = -torch.log(d_fake).mean()
    return saturating, non_saturating


def ask_generator_losses(answer: Any) -> None:
    for scores in ([0.5, 0.1, 0.25], [[0.4], [0.8]]):
        d_fake = torch.tensor(scores, requires_grad=True)
        wants = generator_losses(d_fake)
        pair = _expect_pair(answer(d_fake), "(saturating, non_saturating)")
        if all(isinstance(got, torch.Tensor) and got.ndim == 0 for got in pair):
            swapped = torch.allclose(torch.stack(pair), torch.stack(wants[::-1]))
            if swapped:
                raise WrongAnswer("the saturating loss first", "the other", "swap the two")
        hints = (
            "the mean of log(1 - D(G(z))), no minus before it",
            "minus the mean of log D(G(z)): is the minus there?",
        )
        for got, want, hint in zip(pair, wants, hints):
            slips = [
                (want * len(d_fake), "the mean over the batch, not the sum"),
                (want / math.log(10), "the natural logarithm, torch.log"),
                (torch.log(1 - d_fake.mean()), "first the logarithm, then the mean"),
                (-torch.log(d_fake.mean()), "first the logarithm, then the mean"),
            ]
            expect_close(got, want, hint, slips=slips)
            expect_gradients(got, want, [d_fake])


# 01.3 -----------------------------------------------------------------------------------------


def to_model_range(pixels):
    return pixels.float() / 127.5 - 1


def ask_to_model_range(answer: Any) -> None:
    for values in ([[0, 51, 255]], [[255, 0], [1, 128]]):
        pixels = torch.tensor([[values]], dtype=torch.uint8)
        got = answer(pixels.clone())
        slips = [
            (pixels / 255, "that is 0 to 1: stretch it to twice the width, then subtract 1"),
            (pixels / 255 - 0.5, "that is -½ to ½: stretch it to twice the width"),
            (pixels / 127.5, "that is 0 to 2: subtract 1"),
            (pixels / 128 - 1, "divide by 127.5, half of 255, so that 255 becomes 1"),
            (
                (pixels * 2) / 255 - 1,
                "uint8 ends at 255, and 2 · 255 comes out as 254: float first",
            ),
        ]
        hint = "0 becomes -1 and 255 becomes 1; make it float first"
        expect_close(got, to_model_range(pixels), hint, slips=slips)
        if getattr(got, "dtype", None) != torch.float32:
            raise WrongAnswer("torch.float32, as the networks want", got.dtype, "call .float()")


# 01.4 -----------------------------------------------------------------------------------------


class Generator(nn.Module):
    def __init__(self, noise_size, hidden_size):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(noise_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, 2 * hidden_size),
            nn.ReLU(),
            nn.Linear(2 * hidden_size, 28 * 28),
            nn.Tanh(),
        )

    def forward(self, noise):
        return self.layers(noise).reshape(-1, 1, 28, 28)


def ask_generator(answer: Any) -> None:
    model = _expect_module(answer, 5, 12)
    slips = [
        _slip(Generator(5, 12), nn.Tanh, nn.Identity(), "end with a Tanh"),
        _slip(Generator(5, 12), nn.Tanh, nn.Sigmoid(), "Tanh, not Sigmoid: [-1, 1]"),
        _slip(Generator(5, 12), nn.ReLU, nn.Identity(), "a ReLU after each hidden layer"),
        _slip(Generator(5, 12), nn.ReLU, nn.Identity(), "a ReLU after the first layer too", 0),
        _slip(Generator(5, 12), nn.ReLU, nn.Identity(), "a ReLU after the second layer too", 1),
        _slip(Generator(5, 12), nn.ReLU, nn.Tanh(), "ReLU after the hidden layers; Tanh is last"),
        _slip(Generator(5, 12), nn.ReLU, nn.LeakyReLU(0.2), "ReLU here, no leak"),
        _slip(Generator(5, 12), nn.ReLU, nn.LeakyReLU(0.01), "ReLU here, no leak"),
        _slip(
            Generator(5, 12),
            nn.Tanh,
            nn.Sequential(nn.ReLU(), nn.Tanh()),
            "no ReLU after the last Linear: it cuts away all that is below 0",
        ),
    ]
    hint = "hidden_size after the first Linear, 2 * hidden_size after the second, 784 at the end"
    noise = sample_noise(6, 5, "normal")
    got = expect_same_network(model, Generator(5, 12), noise, slips, hint)
    expect_images(got, 6, "reshape(-1, 1, 28, 28) at the end of forward")
    expect_other_sizes(answer, Generator, 3, 7)


# 01.5 -----------------------------------------------------------------------------------------


class Discriminator(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(28 * 28, 2 * hidden_size),
            nn.LeakyReLU(0.2),
            nn.Linear(2 * hidden_size, hidden_size),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden_size, 1),
            nn.Sigmoid(),
        )

    def forward(self, images):
        return self.layers(images)


def ask_discriminator(answer: Any) -> None:
    model = _expect_module(answer, 12)
    slope = "the slope is 0.2; LeakyReLU() alone takes 0.01"
    each = "LeakyReLU(0.2) after each hidden layer"
    slips = [
        _slip(Discriminator(12), nn.Sigmoid, nn.Identity(), "end with a Sigmoid"),
        _slip(Discriminator(12), nn.Sigmoid, nn.Tanh(), "Sigmoid, not Tanh: a probability"),
        _slip(Discriminator(12), nn.LeakyReLU, nn.LeakyReLU(0.01), slope),
        _slip(Discriminator(12), nn.LeakyReLU, nn.LeakyReLU(0.01), f"{slope} (look at both)", 0),
        _slip(Discriminator(12), nn.LeakyReLU, nn.LeakyReLU(0.01), f"{slope} (look at both)", 1),
        _slip(Discriminator(12), nn.LeakyReLU, nn.LeakyReLU(0.02), "the slope is 0.2, not 0.02"),
        _slip(Discriminator(12), nn.LeakyReLU, nn.ReLU(), "LeakyReLU(0.2), not ReLU"),
        _slip(Discriminator(12), nn.LeakyReLU, nn.Identity(), each),
        _slip(Discriminator(12), nn.LeakyReLU, nn.Identity(), each, 0),
        _slip(Discriminator(12), nn.LeakyReLU, nn.Identity(), each, 1),
    ]
    hint = "2 * hidden_size after the first Linear, hidden_size after the second, 1 at the end"
    images = sample_noise(6, 784, "normal").clamp(-1, 1).reshape(6, 1, 28, 28)
    shape = tuple(expect_same_network(model, Discriminator(12), images, slips, hint).shape)
    if shape != (6, 1):
        raise WrongAnswer("shape (6, 1)", f"shape {shape}", "one number an image, as a column")
    expect_other_sizes(answer, Discriminator, 7)


# 01.6 and 01.7: one update each ---------------------------------------------------------------


def discriminator_step(D, D_solver, criterion, images, fakes):
    real_scores = D(images)
    fake_scores = D(fakes.detach())
    loss_real = criterion(real_scores, torch.ones_like(real_scores))
    loss_fake = criterion(fake_scores, torch.zeros_like(fake_scores))
    loss = loss_real + loss_fake
    D_solver.zero_grad()
    loss.backward()
    D_solver.step()
    return loss.detach(), real_scores.detach(), fake_scores.detach()


def ask_discriminator_step(answer: Any) -> None:
    criterion = nn.BCELoss()
    yours, reference = _Table(), _Table()
    for first in (True, False):
        if not first:  # as in the loop: G's step has left gradients in D
            for table in (yours, reference):
                criterion(table.D(table.fakes().detach()), torch.ones(4, 1)).backward()
        before, fakes = copy.deepcopy(yours.D), yours.fakes()
        got = answer(yours.D, yours.D_solver, criterion, yours.images.clone(), fakes)
        want = discriminator_step(
            reference.D, reference.D_solver, criterion, reference.images, reference.fakes()
        )
        if fakes.grad is not None:
            raise WrongAnswer(
                "no gradient in G", "one in every layer of G", "detach the fakes before D sees them"
            )
        if not isinstance(got, (tuple, list)) or len(got) != 3:
            raise WrongAnswer("(loss, real_scores, fake_scores)", _kind_of(got), "return all three")
        expect_close(
            got[0],
            want[0],
            "loss_real + loss_fake: ones for real, zeros for fakes",
            slips=_spoiled_losses(criterion, before(yours.images), before(fakes)),
        )
        _expect_scores(got[1], want[1], "the real images", want[2])
        _expect_scores(got[2], want[2], "the fakes", want[1])
        _expect_step(yours.D, before, reference.D, "D", first)


def _spoiled_losses(
    criterion: Callable[..., torch.Tensor], real: torch.Tensor, fake: torch.Tensor
) -> list[tuple[torch.Tensor, str]]:
    """What the loss of D comes to when it goes wrong in one of the usual ways."""
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    real_half, fake_half = criterion(real, ones), criterion(fake, zeros)
    return [
        ((real_half + fake_half) / 2, "add the two halves; do not average them"),
        ((real_half + fake_half) * len(real), "the mean over each batch, not the sum"),
        (real_half, "the fakes' half is missing: add loss_fake"),
        (fake_half, "the real half is missing: add loss_real"),
        (real_half - fake_half, "add the two halves, no minus"),
        (-real_half - fake_half, "no minus: this loss is made small"),
        (
            criterion(real, zeros) + criterion(fake, ones),
            "the other way round: real images have label 1, fakes have label 0",
        ),
        (real_half + criterion(fake, ones), "fakes have label 0 here: zeros_like"),
        (criterion(real, zeros) + fake_half, "real images have label 1: ones_like"),
    ]


def generator_step(D, G_solver, criterion, fakes):
    fake_scores = D(fakes)
    loss = criterion(fake_scores, torch.ones_like(fake_scores))
    G_solver.zero_grad()
    loss.backward()
    G_solver.step()
    return loss.detach()


def ask_generator_step(answer: Any) -> None:
    criterion = nn.BCELoss()
    yours, reference = _Table(), _Table()
    for first in (True, False):
        if not first:  # fakes that D scores in another way
            yours.noise = reference.noise = -3 * yours.noise
        before, scorer, fakes = copy.deepcopy(yours.G), copy.deepcopy(yours.D), yours.fakes()
        got = answer(yours.D, yours.G_solver, criterion, fakes)
        want = generator_step(reference.D, reference.G_solver, criterion, reference.fakes())
        fooled = scorer(fakes)
        wrong_labels = criterion(fooled, torch.zeros_like(fooled))
        slips = [
            (wrong_labels, "labels of ones, not zeros: G wants its fakes to pass as real"),
            (-wrong_labels, "that is the saturating loss: take labels of ones, no minus"),
            (-want, "no minus: this loss is made small"),
            (want * len(fooled), "the mean over the batch, not the sum"),
        ]
        hint = "D's scores of the fakes against ones: G wants to pass as real"
        expect_close(got, want, hint, slips=slips)
        if fakes.grad is None:
            raise WrongAnswer(
                "a gradient in G", "none", "call backward, with no detach: G learns through D"
            )
        _expect_step(yours.G, before, reference.G, "G", first)
        _expect_same_weights(
            yours.D, reference.D, "D, which must not change here", "step with G_solver only"
        )
        if not all(p.requires_grad for p in yours.D.parameters()):
            raise WrongAnswer(
                "a D that can learn", "a frozen D", "requires_grad_(True) again after the step"
            )


class _Table:
    """A small game, always the same. Plain SGD: Adam would hide a gradient of twice the size."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        self.G, self.D = Generator(3, 4), Discriminator(4)
        with torch.no_grad():  # scores that differ, and losses beyond 1, as they come in training
            for parameter in (*self.G.parameters(), *self.D.parameters()):
                parameter.mul_(3)
            self.D.layers[5].bias.sub_(1)
        self.D_solver = torch.optim.SGD(self.D.parameters(), lr=0.5)
        self.G_solver = torch.optim.SGD(self.G.parameters(), lr=0.5)
        self.images = torch.rand(4, 1, 28, 28) * 2 - 1
        self.noise = torch.randn(4, 3)

    def fakes(self) -> torch.Tensor:
        """G's images; whether a gradient comes back to them shows in their `grad`."""
        fakes = self.G(self.noise)
        fakes.retain_grad()
        return fakes


# 01.8 to 01.10: losses on logits --------------------------------------------------------------


def bce_with_logits(logits, labels):
    losses = logits.clamp(min=0) - logits * labels + torch.log1p(torch.exp(-logits.abs()))
    return losses.mean()


def ask_bce_with_logits(answer: Any) -> None:
    logits = torch.tensor([0.7, 2.0, -3.0, 0.5], requires_grad=True)
    labels = torch.tensor([1.0, 0.0, 1.0, 0.0])
    want = F.binary_cross_entropy_with_logits(logits, labels)
    got = answer(logits, labels.clone())
    slips = [
        (want * 4, "the mean over the batch, not the sum"),
        (-want, "the other sign: a loss is above 0"),
        (
            F.binary_cross_entropy_with_logits(logits, 1 - labels),
            "the labels are the wrong way round: the term is - s·y",
        ),
        (
            F.binary_cross_entropy_with_logits(logits.sigmoid(), labels),
            "the formula takes the raw scores: no sigmoid before it",
        ),
    ]
    expect_close(got, want, "the mean of max(s, 0) - s·y + log(1 + exp(-|s|))", slips=slips)
    expect_gradients(got, want, [logits])

    extreme = torch.tensor([1000.0, -1000.0], requires_grad=True)
    labels = torch.tensor([0.0, 1.0])
    want, got = bce_with_logits(extreme, labels), answer(extreme, labels.clone())
    expect_close(got, want, "no exp of a large positive number, no log of a probability, no clamp")
    expect_gradients(got, want, [extreme])


def discriminator_loss(logits_real, logits_fake):
    loss_real = F.binary_cross_entropy_with_logits(logits_real, torch.ones_like(logits_real))
    loss_fake = F.binary_cross_entropy_with_logits(logits_fake, torch.zeros_like(logits_fake))
    return loss_real + loss_fake


def ask_discriminator_loss(answer: Any) -> None:
    real = torch.zeros(4, 1, requires_grad=True)
    fake = torch.zeros(4, 1, requires_grad=True)
    want = discriminator_loss(real, fake)  # a draw: 2 log 2, the number to know
    slips = [
        (want / 2, "add both halves: none left out, no average"),
        *_spoiled_logit_losses(real, fake),
    ]
    expect_close(answer(real, fake), want, "the loss of the real ones + the fakes'", slips=slips)

    real = torch.tensor([[3.0], [1.0]], requires_grad=True)
    fake = torch.tensor([[-2.0], [0.5]], requires_grad=True)
    want, got = discriminator_loss(real, fake), answer(real, fake)
    hint = "real images have label 1, fakes have label 0"
    expect_close(got, want, hint, slips=_spoiled_logit_losses(real, fake))
    expect_gradients(got, want, [real, fake])


def _spoiled_logit_losses(real: torch.Tensor, fake: torch.Tensor) -> list[tuple[torch.Tensor, str]]:
    return [
        (_on_probabilities(real, 1) + _on_probabilities(fake, 0), _HINT_PROBABILITIES),
        (discriminator_loss(real.sigmoid(), fake.sigmoid()), _HINT_SIGMOID),
        *_spoiled_losses(F.binary_cross_entropy_with_logits, real, fake),
    ]


_HINT_SIGMOID = "no sigmoid before ..._with_logits: it takes the raw scores"
_HINT_PROBABILITIES = "these are logits: use F.binary_cross_entropy_with_logits"


def _on_probabilities(logits: torch.Tensor, label: float) -> torch.Tensor:
    """What `F.binary_cross_entropy` makes of scores that are no probabilities."""
    return F.binary_cross_entropy(logits.clamp(0, 1), torch.full_like(logits, label))


def generator_loss(logits_fake):
    return F.binary_cross_entropy_with_logits(logits_fake, torch.ones_like(logits_fake))


def ask_generator_loss(answer: Any) -> None:
    draw = torch.zeros(4, 1, requires_grad=True)  # log 2, the number to know
    for fake in (draw, torch.tensor([[-2.0], [0.5]], requires_grad=True)):
        want, got = generator_loss(fake), answer(fake)
        wrong_labels = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        slips = [
            (wrong_labels, "G labels its fakes as ones, not zeros"),
            (-wrong_labels, "that is the saturating loss: take labels of ones, no minus"),
            (-want, "no minus: this loss is made small"),
            (want * len(fake), "the mean over the batch, not the sum"),
            (_on_probabilities(fake, 1), _HINT_PROBABILITIES),
            (generator_loss(fake.sigmoid()), _HINT_SIGMOID),
        ]
        expect_close(got, want, "G labels its fakes as ones; the mean over the batch", slips=slips)
    expect_gradients(got, want, [fake])


# 01.11 ----------------------------------------------------------------------------------------


@torch.no_grad()
def update_average(average, model, decay):
    for mean, value in zip(average.parameters(), model.parameters()):
        mean.mul_(decay).add_(value, alpha=1 - decay)


def ask_update_average(answer: Any) -> None:
    torch.manual_seed(0)
    model, average = nn.Linear(3, 2), nn.Linear(3, 2)
    kept, before = copy.deepcopy(model), copy.deepcopy(average)
    want, swapped = copy.deepcopy(average), copy.deepcopy(average)
    update_average(want, model, 0.9)
    update_average(swapped, model, 1 - 0.9)
    answer(average, model, 0.9)
    _expect_same_weights(
        model, kept, "the model, which must not change here", "change `average`, not `model`"
    )
    if _same_weights(average, before):
        raise WrongAnswer(
            "an average that moved",
            "the old one",
            "change it in place: mul_, add_, lerp_ or copy_; `mean = ...` only gives a new name",
        )
    hint = "decay · average + (1 - decay) · model"
    if _same_weights(average, swapped):
        hint = f"{hint}: decay belongs to the average, here it is the other way round"
    elif any(torch.equal(a, b) for a, b in zip(average.parameters(), before.parameters())):
        hint = f"{hint}, for every parameter: some did not move"
    _expect_same_weights(average, want, "the average", hint)
    answer(average, model, 0.0)
    _expect_same_weights(
        average,
        model,
        "the average at decay 0, which is the model itself",
        "use the argument `decay`",
    )


# What several checks share --------------------------------------------------------------------


def _expect_module(answer: Any, *sizes: int) -> nn.Module:
    model = answer(*sizes)
    if not isinstance(model, nn.Module):
        raise WrongAnswer("a class made from nn.Module", _kind_of(model), "class ...(nn.Module):")
    expect_float32(model)
    return model


def _expect_pair(value: Any, names: str) -> tuple[Any, Any]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise WrongAnswer(names, _kind_of(value), "return both, separated by a comma")
    return value[0], value[1]


def _expect_scores(got: Any, want: torch.Tensor, whose: str, other: torch.Tensor) -> None:
    """Scores in any shape; the lesson shows their mean."""
    if not isinstance(got, torch.Tensor):
        raise WrongAnswer("a tensor of scores", _kind_of(got), "return D's scores: no .item()")
    slips = [(other.mean(), "in this order: loss, real_scores, fake_scores")]
    expect_close(got.float().mean(), want.mean(), f"return D's scores of {whose}", slips=slips)


def _expect_step(
    model: nn.Module, before: nn.Module, reference: nn.Module, name: str, first: bool
) -> None:
    """`model` has made the step from `before` that `reference` made."""
    if _same_weights(model, reference):
        return
    if _same_weights(model, before):
        hint = f"loss.backward(), then {name}_solver.step(); zero_grad comes before both"
        raise WrongAnswer(f"new weights in {name}", "the old ones", hint)
    hint = "one backward, on the whole loss, then one step"
    if not first:
        hint = f"{name}_solver.zero_grad() before backward: old gradients are still in {name}"
    raise WrongAnswer(f"the reference's weights in {name}", "others", hint)


def _kind_of(value: Any) -> str:
    return "None (is a return missing?)" if value is None else type(value).__name__


def _same_weights(model: nn.Module, other: nn.Module) -> bool:
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    return all(torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in pairs)


def _expect_same_weights(model: nn.Module, reference: nn.Module, what: str, hint: str) -> None:
    if not _same_weights(model, reference):
        raise WrongAnswer(f"the reference's weights in {what}", "others", hint)


def _slip(
    network: nn.Module,
    kind: type[nn.Module],
    instead: nn.Module,
    hint: str,
    which: int | None = None,
) -> Slip:
    """The reference with one mistake: layers of one kind replaced."""
    network.layers = replace_layers(network.layers, kind, instead, which)
    return Slip(lambda: network, hint)


EXERCISES = [
    Exercise("01.1", best_discriminator, ask_best_discriminator),
    Exercise("01.2", generator_losses, ask_generator_losses),
    Exercise("01.3", to_model_range, ask_to_model_range),
    Exercise("01.4", Generator, ask_generator),
    Exercise("01.5", Discriminator, ask_discriminator),
    Exercise("01.6", discriminator_step, ask_discriminator_step),
    Exercise("01.7", generator_step, ask_generator_step),
    Exercise("01.8", bce_with_logits, ask_bce_with_logits),
    Exercise("01.9", discriminator_loss, ask_discriminator_loss),
    Exercise("01.10", generator_loss, ask_generator_loss),
    Exercise("01.11", update_average, ask_update_average),
]
