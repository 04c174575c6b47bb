"""Lesson 7, ask for a digit: each exercise's reference, and what its check asks.

References are written as the lesson teaches them, and equal the solutions in the lesson's source
line by line (`make check` compares).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import WrongAnswer, expect_close, expect_number, expect_tensor
from .asking import NEW_TENSOR, Slips, ask_and_keep, explained
from .exercise import Exercise

# 07.1 -----------------------------------------------------------------------------------------


def join(noise, labels):
    one_hot = F.one_hot(labels, 10).float()
    return torch.cat([noise, one_hot], dim=1)


def ask_join(answer: Any) -> None:
    noise = torch.tensor([[0.5, -1.5, 2.0], [1.0, 0.25, -0.5], [0.0, 3.0, -2.0], [0.75, 1.0, 1.5]])
    for labels in (torch.tensor([3, 0, 9, 3]), torch.tensor([1, 1, 2, 0])):
        with explained(
            ("Sizes of tensors must match", "columns beside each other", "rows", "dim=1"),
            ("Expected size", "columns beside each other", "rows", "dim=1"),
        ):
            got = ask_and_keep(answer, NEW_TENSOR, noise=noise, labels=labels)
        rows = "ten more columns: torch.cat([noise, one_hot], dim=1)"
        shapes = {
            (4, 10): "the noise stands before the label: cat both",
            (4, 4): "one-hot: ten columns, not the label as a number",
            (8, 3): "side by side, dim=1, not one below the other",
            (4, 3): rows,
            (
                4,
                7,
            ): "ten columns for ten digits, whatever labels a batch holds: F.one_hot(labels, 10)",
            (
                4,
                6,
            ): "ten columns for ten digits, whatever labels a batch holds: F.one_hot(labels, 10)",
            (4, 12): "labels from 0 to 9 take ten columns: F.one_hot(labels, 10)",
        }
        got = expect_tensor(got, (4, 13), rows, shapes)
        if not got.is_floating_point():
            raise WrongAnswer("floats", str(got.dtype), "F.one_hot gives integers: .float()")
        one_hot = F.one_hot(labels, 10).float()
        slips = [
            (torch.cat([one_hot, noise], dim=1), "first the noise, then the label"),
            (join(noise, (labels + 1) % 10), "labels begin at 0: no + 1"),
            (join(noise, 9 - labels), "the label's own column"),
            (torch.cat([noise, 0 * one_hot], dim=1), "a 1 in the column of the label"),
            (torch.cat([noise, 1 - one_hot], dim=1), "a 1 for the label and 0 for the others"),
            (torch.cat([noise, labels[:, None] * one_hot], dim=1), "a 1, not the label itself"),
            (torch.cat([noise, 2 * one_hot - 1], dim=1), "0 for the others, not -1"),
            (torch.cat([noise, labels[:, None].expand(4, 10).float()], dim=1), "one-hot"),
            (torch.cat([0 * noise, one_hot], dim=1), "the noise as it is"),
            (torch.cat([noise.flip(0), one_hot], dim=1), "in the order in which they come"),
        ]
        expect_close(got, join(noise, labels), rows, slips=slips)


# 07.2 -----------------------------------------------------------------------------------------


def every_digit(noise):
    latents = noise.repeat_interleave(10, dim=0)
    labels = torch.arange(10).repeat(len(noise))
    return latents, labels


def ask_every_digit(answer: Any) -> None:
    for noise in (
        torch.tensor([[0.5, -1.0], [2.0, 0.25], [1.5, 3.0]]),
        torch.tensor([[1.0, 2.0, -1.0]]),
    ):
        got = ask_and_keep(answer, NEW_TENSOR, noise=noise)
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            raise WrongAnswer("two tensors", type(got).__name__, "return latents, labels")
        count, dim = noise.shape
        ten = "ten of each row, beside each other: repeat_interleave(10, dim=0)"
        latents = expect_tensor(
            got[0],
            (10 * count, dim),
            ten,
            {(10 * count, dim + 10): "labels come apart: no one-hot here"},
        )
        labels = expect_tensor(
            got[1], (10 * count,), "one label for each latent: .repeat(len(noise))"
        )
        want = every_digit(noise)
        slips = [(noise.repeat(10, 1), f"{ten}; repeat goes round and round")]
        expect_close(latents, want[0], ten, slips=slips)
        slips = [
            (
                torch.arange(10).repeat_interleave(count),
                "0 to 9 for each noise: repeat, not repeat_interleave",
            ),
            (torch.arange(1, 11).repeat(count), "labels from 0 to 9: torch.arange(10)"),
            (torch.arange(10 * count), "0 to 9 again for each noise: .repeat(len(noise))"),
            (torch.zeros(10 * count), "0 to 9 for each noise"),
            (torch.arange(9, -1, -1).repeat(count), "0 to 9, in that order"),
        ]
        expect_close(labels.double(), want[1], "0 to 9 for each noise", slips=slips)
        if labels.is_floating_point():
            raise WrongAnswer(
                "whole numbers", str(labels.dtype), "labels are int64: torch.arange(10)"
            )


# 07.3 -----------------------------------------------------------------------------------------


def projection_score(h, w, b, vectors, labels):
    is_digit = h @ w + b
    is_this_one = (h * vectors[labels]).sum(dim=1)
    return is_digit + is_this_one


def ask_projection_score(answer: Any) -> None:
    source = torch.Generator().manual_seed(0)
    h, w = torch.randn(4, 3, generator=source), torch.randn(3, generator=source)
    b, vectors = torch.tensor(0.7), torch.randn(10, 3, generator=source)
    for labels in (torch.tensor([2, 0, 9, 2]), torch.tensor([1, 5, 5, 3])):
        row = "one score for each image: .sum(dim=1)"
        with explained(
            (
                "size of tensor",
                "a vector for each label",
                "another shape",
                "vectors[labels]: a row for each image",
            ),
            ("shapes cannot be multiplied", "h @ w", "another order", "h times w: h @ w"),
        ):
            got = ask_and_keep(answer, NEW_TENSOR, h=h, w=w, b=b, vectors=vectors, labels=labels)
        shapes = {
            (4, 1): "a plain row, (N,): no keepdim",
            (4, 3): row,
            (4, 4): "each image with its own label only: multiply entry by entry, then sum(dim=1)",
            (4, 10): "only the vector of its own label: vectors[labels]",
            (): row,
        }
        expect_tensor(got, (4,), row, shapes)
        own = (h * vectors[labels]).sum(dim=1)
        slips = [
            (h @ w + b, "the product with the label's vector is missing"),
            (own, "h @ w + b is missing: is it a digit at all?"),
            (h @ w + own, "the bias b is missing"),
            (h @ w + b - own, "plus, not minus"),
            ((h @ w + b) * own, "the two parts are added"),
            (h @ w + b + (h * vectors[labels]).mean(dim=1), "sum, not mean"),
            (h @ w + b + vectors[labels].sum(dim=1), "the product of h and the vector"),
            (h @ w + b + labels, "the label's vector, vectors[labels], not its number"),
            (h @ w + b + (h * vectors[:4]).sum(dim=1), "vectors[labels]: a row for each label"),
            (h @ w + b + (h @ vectors.T).sum(dim=1), "only the vector of its own label"),
            (
                h @ w + b + (h @ vectors.T).amax(dim=1),
                "the vector of its own label, not the best one",
            ),
            ((h @ w + b + own).sigmoid(), "a logit: no sigmoid"),
        ]
        expect_close(
            got, projection_score(h, w, b, vectors, labels), "h·w + b + h·vector", slips=slips
        )


# 07.4 and 07.5 --------------------------------------------------------------------------------


def d_loss(D, images, fakes, labels):
    real = D(images, labels)
    fake = D(fakes.detach(), labels)
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def g_loss(D, fakes, labels):
    return F.softplus(-D(fakes, labels)).mean()


class _Critic(nn.Module):
    """A D of six pixels, in which every label counts differently."""

    def __init__(self) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(1)
        self.weights = nn.Parameter(torch.randn(10, 6, generator=source))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        rows = self.weights.mean(dim=0) if labels is None else self.weights[labels]
        return (images.flatten(1) * rows).sum(dim=1, keepdim=True)


def _draw_game(count: int) -> tuple[_Critic, Tensor, Tensor, Tensor]:
    source = torch.Generator().manual_seed(2)
    images, fakes = torch.randn(2, count, 1, 2, 3, generator=source)
    return _Critic(), images, fakes, torch.tensor([3, 0, 9, 7])[:count]


def ask_d_loss(answer: Any) -> None:
    for count in (4, 3):
        D, images, fakes, labels = _draw_game(count)
        fakes.requires_grad_()
        got = answer(D, images, fakes, labels)
        want = d_loss(D, images, fakes, labels)
        real, fake, none = D(images, labels), D(fakes, labels), D(images)
        mean = "softplus(-real).mean() + softplus(fake).mean()"
        other = torch.roll(labels, 1)
        slips: Slips = [
            (
                F.softplus(-none).mean() + F.softplus(D(fakes)).mean(),
                "D is told the labels: D(images, labels)",
            ),
            (
                F.softplus(-real).mean() + F.softplus(D(fakes)).mean(),
                "those of the fakes are missing: D(fakes, labels)",
            ),
            (
                F.softplus(-none).mean() + F.softplus(fake).mean(),
                "those of the real images are missing: D(images, labels)",
            ),
            (
                F.softplus(real).mean() + F.softplus(-fake).mean(),
                "real images should get high scores: swap the signs",
            ),
            (
                F.softplus(-real).mean() + F.softplus(-fake).mean(),
                "fakes are fakes here: softplus(fake)",
            ),
            (F.softplus(-real).mean(), "the half with the fakes is missing"),
            (F.softplus(fake).mean(), "the half with the real images is missing"),
            (
                (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2,
                "the sum of both halves, not their mean",
            ),
            (
                F.softplus(-real).sum() + F.softplus(fake).sum(),
                "the mean over the batch, not the sum",
            ),
            (
                F.softplus(-real).mean() + F.softplus(D(fakes, other)).mean(),
                "the labels in their order",
            ),
            (fake.mean() - real.mean(), f"cross-entropy: {mean}"),
        ]
        expect_number(got, want.detach(), mean, [(value.detach(), hint) for value, hint in slips])
        if not isinstance(got, Tensor) or not got.requires_grad:
            raise WrongAnswer(
                "a loss that D can learn from", "a bare number", "no .item(), no no_grad"
            )
        got.backward()
        if fakes.grad is not None and fakes.grad.abs().max() > 0:
            raise WrongAnswer(
                "no gradient for G", "one", "D's lesson must not reach G: fakes.detach()"
            )


def ask_g_loss(answer: Any) -> None:
    for count in (4, 3):
        D, _, fakes, labels = _draw_game(count)
        fakes.requires_grad_()
        got = answer(D, fakes, labels)
        fake = D(fakes, labels)
        slips: Slips = [
            (F.softplus(-D(fakes)).mean(), "D is told the labels: D(fakes, labels)"),
            (F.softplus(fake).mean(), "G wants high scores: softplus(-score)"),
            (
                -F.softplus(fake).mean(),
                "the loss that does not fade: softplus(-score), no minus before it",
            ),
            (F.softplus(-fake).sum(), "the mean over the batch, not the sum"),
            (-fake.mean(), "cross-entropy: softplus(-score).mean()"),
            (fake.sigmoid().mean(), "cross-entropy: softplus(-score).mean()"),
            (F.softplus(-D(fakes, torch.roll(labels, 1))).mean(), "the labels in their order"),
            (F.softplus(-D(fakes, 0 * labels)).mean(), "the labels that were asked for"),
            (F.softplus(-fake).mean() / 2, "no half: one mean over the fakes"),
        ]
        want = g_loss(D, fakes, labels).detach()
        hint = "softplus(-D(fakes, labels)).mean()"
        expect_number(got, want, hint, [(value.detach(), why) for value, why in slips])
        if not isinstance(got, Tensor) or not got.requires_grad:
            raise WrongAnswer(
                "a loss that G can learn from", "a bare number", "no .item(), no no_grad"
            )
        (slope,) = torch.autograd.grad(got, [fakes], allow_unused=True)
        if slope is None:
            raise WrongAnswer(
                "a gradient for the fakes", "none", "here nothing is detached: G learns"
            )


# 07.6 -----------------------------------------------------------------------------------------


def obedience(logits, labels):
    return (logits.argmax(dim=1) == labels).float().mean()


def ask_obedience(answer: Any) -> None:
    source = torch.Generator().manual_seed(3)
    for count in (8, 5):
        labels = torch.arange(count) % 10
        logits = torch.randn(count, 10, generator=source)
        logits[: count // 2].scatter_(1, labels[: count // 2, None], 9.0)
        logits[-1, labels[-1]] = -9.0
        got = ask_and_keep(answer, NEW_TENSOR, logits=logits, labels=labels)
        right = logits.argmax(dim=1) == labels
        probabilities = logits.softmax(dim=1)
        slips = [
            (right.sum(), "the share, not the number: .float().mean()"),
            (1 - right.float().mean(), "the share that is right: =="),
            (100 * right.float().mean(), "from 0 to 1, no percent"),
            (
                probabilities[torch.arange(count), labels].mean(),
                "the largest logit decides: argmax(dim=1)",
            ),
            (probabilities.amax(dim=1).mean(), "compare the class with the label"),
            ((logits.argmin(dim=1) == labels).float().mean(), "argmax: the largest logit"),
            (right.sum() / 10, "divide by the number of samples"),
            (F.cross_entropy(logits, labels), "the share that is right, not a loss"),
        ]
        shapes = {(count,): "one number: the mean"}
        if isinstance(got, Tensor) and tuple(got.shape) in shapes:
            raise WrongAnswer("one number", f"shape {tuple(got.shape)}", shapes[(count,)])
        expect_number(got, right.float().mean(), "how many argmax(dim=1) equal the labels", slips)


# 07.7 -----------------------------------------------------------------------------------------


def half_and_half(real, samples):
    half = len(real) // 2
    return torch.cat([real[:half], samples[:half]])


def ask_half_and_half(answer: Any) -> None:
    for count in (6, 10):
        real, samples = torch.arange(2.0 * count * 3).reshape(2, count, 3)
        got = ask_and_keep(answer, NEW_TENSOR, real=real, samples=samples)
        half = count // 2
        shapes = {
            (2 * count, 3): "half of each: as many as before in all",
            (half, 3): "both halves: cat them",
            (count, 6): "one below the other: dim=0",
            (half, 6): "one below the other: dim=0",
            (2, half, 3): "cat, not stack",
            (2, count, 3): "half of each, and cat, not stack",
        }
        expect_tensor(got, (count, 3), "half of the one, half of the other", shapes)
        slips = [
            (torch.cat([samples[:half], real[:half]]), "first the real ones"),
            (
                torch.cat([real[:half], samples[half:]]),
                "the first half of the samples: samples[:half]",
            ),
            (
                torch.cat([real[half:], samples[:half]]),
                "the first half of the real ones: real[:half]",
            ),
            (torch.cat([real[half:], samples[half:]]), "the first half of each: [:half]"),
            (torch.cat([real[::2], samples[::2]]), "the first half of each, not every other one"),
            (
                torch.stack([real[:half], samples[:half]], dim=1).flatten(0, 1),
                "real ones first, then samples",
            ),
            (0.7 * real + 0.3 * samples, "no mixed pictures: cat"),
            (real, "half of them are samples"),
            (samples, "half of them are real"),
        ]
        expect_close(
            got,
            half_and_half(real, samples),
            "torch.cat([real[:half], samples[:half]])",
            slips=slips,
        )


# 07.8 -----------------------------------------------------------------------------------------


def gain(without, with_samples):
    differences = with_samples - without
    error = differences.std() / math.sqrt(len(differences))
    return differences.mean(), error


def ask_gain(answer: Any) -> None:
    cases = [
        ([0.80, 0.84, 0.79, 0.90, 0.82], [0.85, 0.86, 0.83, 0.91, 0.88]),
        ([0.95, 0.90, 0.92], [0.94, 0.91, 0.86]),
    ]
    for pair in cases:
        without, with_samples = map(torch.tensor, pair)
        got = ask_and_keep(answer, NEW_TENSOR, without=without, with_samples=with_samples)
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            raise WrongAnswer("two numbers", type(got).__name__, "return mean, error")
        differences = with_samples - without
        count, mean = len(differences), differences.mean()
        slips: Slips = [
            (-mean, "with samples minus without"),
            (100 * mean, "no percent"),
            (differences.sum(), "the mean, not the sum"),
            (differences.median(), "the mean, not the median"),
            (with_samples.mean(), "the difference to those without"),
            (mean / without.mean(), "a difference, not a ratio"),
        ]
        expect_number(got[0], mean, "the mean of with_samples - without", slips)
        error = differences.std() / math.sqrt(count)
        apart = (without.var() / count + with_samples.var() / count).sqrt()
        root = "the standard deviation of the differences, divided by the root of their number"
        both = "one standard deviation, that of the differences: a pair has the same digits"
        slips = [
            ((without.std() + with_samples.std()) / math.sqrt(count), both),
            ((with_samples.std() - without.std()) / math.sqrt(count), both),
            (differences.std(), root),
            (differences.std() / count, root),
            (differences.var() / count, f"std(), not the variance; {root}"),
            (differences.std(correction=0) / math.sqrt(count), "std() as it is: with n - 1"),
            (apart, both),
            (with_samples.std() / math.sqrt(count), both),
            (differences.std() / math.sqrt(count - 1), root),
        ]
        expect_number(got[1], error, root, slips)


# 07.9 -----------------------------------------------------------------------------------------


def share_of_copies(samples, training, others):
    to_training = torch.cdist(samples, training).amin(dim=1)
    to_others = torch.cdist(samples, others).amin(dim=1)
    return (to_training < to_others).float().mean()


def ask_share_of_copies(answer: Any) -> None:
    source = torch.Generator().manual_seed(7)
    for count in (9, 6):
        training, others = 3 * torch.randn(2, 7, 3, generator=source)
        samples = 3 * torch.randn(count, 3, generator=source)
        samples[: count // 2] = training[: count // 2] + 0.1
        got = ask_and_keep(answer, NEW_TENSOR, samples=samples, training=training, others=others)
        table, other = torch.cdist(samples, training), torch.cdist(samples, others)
        near = "the nearest of each: amin(dim=1)"
        closer = table.amin(dim=1) < other.amin(dim=1)
        slips = [
            (closer.sum(), "the share, not the number"),
            (1 - closer.float().mean(), "nearer to the training digits: <"),
            ((table.mean(dim=1) < other.mean(dim=1)).float().mean(), f"{near}, not the mean"),
            ((table.amax(dim=1) < other.amax(dim=1)).float().mean(), f"{near}, not the farthest"),
            ((table < other).float().mean(), near),
            (
                (table.amin(dim=0) < other.amin(dim=0)).float().mean(),
                f"{near}: over the digits, not the samples",
            ),
            (table.amin(dim=1).mean(), "compare the two distances"),
            ((table.amin(dim=1) - other.amin(dim=1)).mean(), "count how often, not by how much"),
            ((table.amin(dim=1) < 1).float().mean(), "no fixed bound: the distance to the others"),
        ]
        if isinstance(got, Tensor) and got.ndim:
            raise WrongAnswer("one number", f"shape {tuple(got.shape)}", "one share: the mean")
        expect_number(
            got, closer.float().mean(), "how many are nearer to training than to others", slips
        )


EXERCISES = [
    Exercise("07.1", join, ask_join),
    Exercise("07.2", every_digit, ask_every_digit),
    Exercise("07.3", projection_score, ask_projection_score, learns=True),
    Exercise("07.4", d_loss, ask_d_loss),
    Exercise("07.5", g_loss, ask_g_loss),
    Exercise("07.6", obedience, ask_obedience),
    Exercise("07.7", half_and_half, ask_half_and_half),
    Exercise("07.8", gain, ask_gain),
    Exercise("07.9", share_of_copies, ask_share_of_copies),
]
