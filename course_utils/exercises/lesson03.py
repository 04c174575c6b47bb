"""Lesson 3, least squares: each exercise's reference, and what its check asks.

References are written as the lesson teaches them, and equal the solutions in
`solutions/03_least_squares.py` line by line (`make check` compares).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean, median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import WrongAnswer, expect_close, expect_gradients
from .exercise import Exercise

Slips = list[tuple[Any, str]]  # what a common mistake leads to, and the hint that mends it

# 03.1 and 03.4: gradients by the score --------------------------------------------------------

TERMS = ("D on a real image", "D on a fake", "G on a fake")
SCORES = [[-3.0, -0.5, 0.25, 2.0], [[0.8], [-1.5]]]


def bce_gradients(scores):
    belief = torch.sigmoid(scores)
    return belief - 1, belief, belief - 1


def ask_bce_gradients(answer: Any) -> None:
    for scores in map(torch.tensor, SCORES):
        belief = scores.sigmoid()
        by_score = "by the score, not by D(x): the sigmoid's own slope comes in, too"
        both = [
            (
                belief * (1 - belief),
                "that is the slope of the sigmoid alone, without the logarithm",
            ),
            (scores - 1, "take D(x) = sigmoid(score) first: this term is a logarithm, no square"),
            (scores, "take D(x) = sigmoid(score) first: the gradient lies between -1 and 1"),
        ]
        real = [
            (-1 / belief, by_score),
            (F.softplus(-scores), "that is the loss; its derivative is asked for"),
            (belief, "real images have label 1: sigmoid(s) - 1"),
        ]
        fake = [
            (1 / (1 - belief), by_score),
            (F.softplus(scores), "that is the loss; its derivative is asked for"),
            (belief - 1, "a fake has label 0 in D's step: sigmoid(s) - 0"),
        ]
        of_g = [
            *real[:2],
            (-belief, "that is log(1 - D), the saturating loss: take -log D, label 1"),
            (belief, "G labels its fakes as 1: sigmoid(s) - 1"),
        ]
        slips = [[*own, *both] for own in (real, fake, of_g)]
        hint = "sigmoid(s) minus the label"
        _expect_terms(answer(scores.clone()), bce_gradients(scores), slips, hint)


def ls_gradients(scores):
    return scores - 1, scores, scores - 1


def ask_ls_gradients(answer: Any) -> None:
    for scores in map(torch.tensor, SCORES):
        no_sigmoid = "no sigmoid here: the score itself is compared with its label"
        slips = []
        for label, whose in (
            (1, "real images have label 1"),
            (0, "fakes have label 0 here"),
            (1, "G"),
        ):
            other = "G wants its fakes scored 1" if whose == "G" else whose
            slips.append(
                [
                    (
                        2 * (scores - label),
                        "the ½ before the square cancels the 2 of its derivative",
                    ),
                    (
                        (scores - label) / 2,
                        "the derivative of a square has a 2, which cancels the ½",
                    ),
                    (scores.sigmoid() - label, no_sigmoid),
                    (
                        (scores - label).square() / 2,
                        "that is the loss; its derivative is asked for",
                    ),
                    ((scores - label).square(), "that is the square; its derivative is asked for"),
                    (scores - (1 - label), f"{other}: score minus label"),
                ]
            )
        hint = "the derivative of ½ (s - label)² is s - label"
        _expect_terms(answer(scores.clone()), ls_gradients(scores), slips, hint)


def _expect_terms(got: Any, wants: Sequence[Tensor], slips: list[Slips], hint: str) -> None:
    """Three gradients, one for each term; mistakes that all three have in common come with it."""
    names = f"({', '.join(TERMS)})"
    if not isinstance(got, (tuple, list)) or len(got) != 3:
        raise WrongAnswer(names, _kind_of(got), "return all three, separated by commas")
    for value, want, own, name in zip(got, wants, slips, TERMS):
        common = [
            (-want, "the other sign: the gradient, not the step that goes down it"),
            (want / len(want), "for each score by itself: no division by how many there are"),
        ]
        own = [(wrong, f"{name}: {why}") for wrong, why in [*own, *common]]
        expect_close(value, want, f"{name}: {hint}", slips=own)


# 03.2 and 03.3: the losses --------------------------------------------------------------------


def ls_discriminator_loss(scores_real, scores_fake):
    loss_real = 0.5 * (scores_real - 1).square().mean()
    loss_fake = 0.5 * scores_fake.square().mean()
    return loss_real + loss_fake


def ask_ls_discriminator_loss(answer: Any) -> None:
    batches = [  # the second is a draw: 1/4, the number to know
        ([[2.0], [0.4], [-1.3]], [[0.7], [-1.2]]),
        ([[0.5]] * 4, [[0.5]] * 4),
    ]
    for batch in batches:
        real, fake = (torch.tensor(scores, requires_grad=True) for scores in batch)
        want, got = ls_discriminator_loss(real, fake), answer(real, fake)
        hint = "½ of the mean of (score - 1)² for real images, plus ½ of the mean of score²"
        expect_close(got, want, hint, slips=_spoiled_d_losses(real, fake))
        expect_gradients(got, want, [real, fake])


def _spoiled_d_losses(real: Tensor, fake: Tensor) -> Slips:
    half_real, half_fake = (real - 1).square().mean() / 2, fake.square().mean() / 2
    want, count = half_real + half_fake, len(fake)
    swapped = real.square().mean() / 2 + (fake - 1).square().mean() / 2
    apart = "each batch has its own mean: real images and fakes may differ in number"
    both = torch.cat([(real - 1).square(), fake.square()])
    bce = F.softplus(-real).mean() + F.softplus(fake).mean()
    return [
        (2 * want, "the ½ before each square is missing"),
        (want + half_real, "the ½ before the real half is missing"),
        (want + half_fake, "the ½ before the fakes' half is missing"),
        (want / 2, "add the two halves; each has its ½ already"),
        (half_real * len(real) + half_fake * count, "the mean over each batch, not the sum"),
        (2 * (half_real * len(real) + half_fake * count), "the mean over each batch, not the sum"),
        (swapped, "the other way round: real images have label 1, fakes have label 0"),
        (2 * swapped, "the other way round: real images have label 1, fakes have label 0"),
        (half_real + (fake - 1).square().mean() / 2, "fakes have label 0 in D's step"),
        (real.square().mean() / 2 + half_fake, "real images have label 1: subtract it"),
        (half_real + (fake + 1).square().mean() / 2, "fakes have label 0 here, not -1"),
        (half_real, "the fakes' half is missing"),
        (half_fake, "the real half is missing"),
        (half_real - half_fake, "plus: both halves are made small"),
        (-want, "no minus: this loss is made small"),
        (both.mean(), apart),
        (both.mean() / 2, apart),
        (
            ls_discriminator_loss(real.sigmoid(), fake.sigmoid()),
            "no sigmoid: least squares takes the raw scores",
        ),
        (bce, "that is cross-entropy: square the distance to the label"),
        (
            ((real - 1).abs().mean() + fake.abs().mean()) / 2,
            "square each difference; this takes its absolute value",
        ),
        (
            (real.mean() - 1).square() / 2 + fake.mean().square() / 2,
            "first the square, then the mean",
        ),
    ]


def ls_generator_loss(scores_fake):
    return 0.5 * (scores_fake - 1).square().mean()


def ask_ls_generator_loss(answer: Any) -> None:
    for scores in ([[2.5], [-1.0], [0.25]], [[0.5]] * 4):  # the second is a draw: 1/8
        fake = torch.tensor(scores, requires_grad=True)
        want, got = ls_generator_loss(fake), answer(fake)
        slips = [
            (2 * want, "the ½ before the square is missing"),
            (want * len(fake), "the mean over the batch, not the sum"),
            (2 * want * len(fake), "the mean over the batch, not the sum"),
            (fake.square().mean() / 2, "G wants its fakes scored 1, not 0: subtract 1"),
            (fake.square().mean(), "G wants its fakes scored 1, not 0: subtract 1"),
            (-fake.square().mean() / 2, "not D's loss with a minus: ½ (score - 1)²"),
            ((fake - 0.5).square().mean() / 2, "the target of G is 1, not the draw"),
            (-want, "no minus: this loss is made small"),
            (ls_generator_loss(fake.sigmoid()), "no sigmoid: it takes the raw scores"),
            (F.softplus(-fake).mean(), "that is cross-entropy: square the distance to 1"),
            ((fake - 1).abs().mean() / 2, "square each difference; this is its absolute value"),
            ((fake.mean() - 1).square() / 2, "first the square, then the mean"),
        ]
        hint = "½ of the mean of (score - 1)²"
        expect_close(got, want, hint, slips=slips)
        expect_gradients(got, want, [fake])


# 03.5 -----------------------------------------------------------------------------------------


def best_score(p, q, a, b):
    return (b * p + a * q) / (p + q)


def ask_best_score(answer: Any) -> None:
    p, q = torch.tensor([0.5, 0.2, 0.9, 0.0]), torch.tensor([0.5, 0.6, 0.1, 0.3])
    for a, b in ((-0.5, 2.0), (0.0, 1.0)):
        slips = [
            ((a * p + b * q) / (p + q), "b is the label of real data: it goes with p, a with q"),
            (p / (p + q), "that is for labels 0 and 1 only: weigh p by b and q by a"),
            (q / (p + q), "b goes with p, the density of real data"),
            (b * p + a * q, "divide by all that is there: p + q"),
            ((b * p + a * q) / 2, "divide by p + q, not by 2"),
            ((b * p + a * q) / (a + b), "divide by the densities p + q, not by the labels"),
            ((b * p - a * q) / (p + q), "plus: both pull D to their label"),
            ((b * p + a * q) / (p - q), "divide by p + q, not by p - q"),
            (b * p + a * q / (p + q), "brackets: all of b·p + a·q is divided"),
            ((b * p + a * q) / p + q, "brackets: divide by (p + q)"),
            ((b - a) * p / (p + q), "p/(p + q) of the way from a to b: add a"),
            (((b - a) * p / (p + q)).sigmoid(), "no sigmoid"),
        ]
        got = answer(p.clone(), q.clone(), a, b)
        hint = "set p (s - b) + q (s - a) to 0 and solve for s"
        expect_close(got, best_score(p, q, a, b), hint, slips=slips)


# 03.6 -----------------------------------------------------------------------------------------


def compare(first, second):
    if max(first) < min(second):
        return "first"
    if max(second) < min(first):
        return "second"
    return "undecided"


PAIRS: list[tuple[list[float], list[float]]] = [
    ([52.0, 47.0, 55.0], [61.0, 70.0, 58.0]),
    ([61.0, 70.0, 58.0], [52.0, 47.0, 55.0]),
    ([40.0, 45.0, 63.0], [64.0, 62.0, 90.0]),  # the mean, median and best say "first"
    ([66.0, 61.0, 90.0], [40.0, 64.0, 50.0]),  # and here "second"
    ([30.0, 50.0, 99.0], [40.0, 41.0, 42.0]),  # these three tell the four rules apart
    ([10.0, 50.0, 52.0], [30.0, 40.0, 49.0]),
    ([30.0, 31.0, 60.0], [40.0, 41.0, 55.0]),
    ([50.0, 40.0], [50.0, 60.0, 70.0]),  # one value in common
    ([9.0, 8.0, 7.0], [100.0, 10.0, 30.0]),  # numbers, not text
]
ANSWERS = ("first", "second", "undecided")


def ask_compare(answer: Any) -> None:
    got = [_read_word(answer(list(first), list(second))) for first, second in PAIRS]
    wants = [compare(*pair) for pair in PAIRS]
    if got == wants:
        return
    place = next(i for i, pair in enumerate(zip(got, wants)) if pair[0] != pair[1])
    first, second = ([f"{value:g}" for value in values] for values in PAIRS[place])
    where = f"({', '.join(first)}) against ({', '.join(second)})"
    hint = '"first" only if its largest distance is below the smallest of the second'
    for rule, why in _spoiled_rules():
        if [rule(*pair) for pair in PAIRS] == got:
            hint = why
            break
    raise WrongAnswer(f'"{wants[place]}" for {where}', f'"{got[place]}"', hint)


def _read_word(word: Any) -> str:
    if not isinstance(word, str):
        raise WrongAnswer(f"one of {', '.join(ANSWERS)}", _kind_of(word), "return the word itself")
    if word not in ANSWERS:
        raise WrongAnswer(
            f"one of {', '.join(ANSWERS)}", f"{word[:20]!r}", "spell it as listed, in small letters"
        )
    return word


def _spoiled_rules() -> list[tuple[Callable[[list[float], list[float]], str], str]]:
    def by(number: Callable[[list[float]], float]) -> Callable[[list[float], list[float]], str]:
        def rule(first: list[float], second: list[float]) -> str:
            one, two = number(first), number(second)
            return "undecided" if one == two else "first" if one < two else "second"

        return rule

    def else_second(rule: Callable[[list[float], list[float]], str]) -> Callable[..., str]:
        return lambda first, second: "first" if rule(first, second) == "first" else "second"

    def touching(first: list[float], second: list[float]) -> str:
        if max(first) <= min(second):
            return "first"
        return "second" if max(second) <= min(first) else "undecided"

    def reversed_(first: list[float], second: list[float]) -> str:
        return compare(second, first)

    def paired(first: list[float], second: list[float]) -> str:
        if all(a < b for a, b in zip(first, second)):
            return "first"
        return "second" if all(b < a for a, b in zip(first, second)) else "undecided"

    overlap = "where the ranges overlap it is undecided: every seed must be below every other"
    rules: list[tuple[Callable[[list[float], list[float]], str], str]] = [
        (reversed_, "a smaller distance is better: the lower one wins"),
        (touching, "below means <: equal distances are undecided"),
        (paired, "every seed against every seed, not the first with the first only"),
        (else_second(compare), "not first is not yet second: check the other way round, too"),
        (lambda first, second: "undecided", "some are decided: compare the largest of one "
         "with the smallest of the other"),
    ]  # fmt: skip
    for number, name in ((mean, "means"), (median, "medians"), (min, "best"), (max, "worst")):
        for rule in (by(number), else_second(by(number))):
            rules.append((rule, f"the {name} alone do not decide; {overlap}"))
    return rules


# 03.7 and 03.8: one player goes down, the other up --------------------------------------------


def simultaneous_step(x, y, lr):
    return x - lr * y, y + lr * x


def ask_simultaneous_step(answer: Any) -> None:
    def spoil(x: float, y: float, lr: float) -> list[tuple[tuple[float, float], str]]:
        return [
            ((x - lr * y, y + lr * (x - lr * y)), "y must still see the old x: both move at once"),
            ((x - lr * (y + lr * x), y + lr * x), "x must still see the old y: both move at once"),
            *_spoiled_steps(x, y, lr, x),
        ]

    _ask_step(answer, simultaneous_step, spoil, "x - lr · y and y + lr · x, both from the old pair")


def alternating_step(x, y, lr):
    x = x - lr * y
    y = y + lr * x
    return x, y


def ask_alternating_step(answer: Any) -> None:
    def spoil(x: float, y: float, lr: float) -> list[tuple[tuple[float, float], str]]:
        moved = x - lr * y
        return [
            (simultaneous_step(x, y, lr), "y must see the new x: first x moves, then y"),
            ((x - lr * (y + lr * x), y + lr * x), "x moves first, and y sees the new x"),
            *_spoiled_steps(x, y, lr, moved),
            ((x + lr * y, y + lr * (x + lr * y)), "x goes down: minus"),
            ((x - lr * x, y + lr * (x - lr * x)), "the slope of x·y along x is y: x - lr · y"),
        ]

    _ask_step(answer, alternating_step, spoil, "first x - lr · y, then y + lr · the new x")


def _spoiled_steps(
    x: float, y: float, lr: float, seen: float
) -> list[tuple[tuple[float, float], str]]:
    """Slips in either order of moving; `seen` is the x that y ought to see."""
    down, up = x - lr * y, y + lr * seen
    return [
        ((down, y - lr * seen), "y goes up: plus"),
        ((x + lr * y, up), "x goes down: minus"),
        ((x + lr * y, y - lr * seen), "x goes down, y goes up: both signs are the other way"),
        ((x - lr * x, y + lr * y), "the slope of x·y along x is y, and along y it is x"),
        ((down, y + lr * y), "the slope of x·y along y is x: y + lr · x"),
        ((x - lr * x, up), "the slope of x·y along x is y: x - lr · y"),
        ((x - y, y + x), "multiply each slope by lr"),
        ((-lr * y, lr * seen), "that is the change alone: add it to where the player stands"),
        ((down, y), "y moves, too"),
        ((x, y + lr * x), "x moves, too"),
        ((up, down), "return x first, then y"),
    ]


def _ask_step(
    answer: Any,
    reference: Callable[[float, float, float], tuple[float, float]],
    spoil: Callable[[float, float, float], list[tuple[tuple[float, float], str]]],
    hint: str,
) -> None:
    for x, y, lr in ((2.0, 1.3, 0.4), (-1.5, 0.7, 0.2)):
        got = answer(x, y, lr)
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            raise WrongAnswer("(x, y)", _kind_of(got), "return both, separated by a comma")
        want = reference(x, y, lr)
        if _are_close(got, want):
            continue
        why = next((why for wrong, why in spoil(x, y, lr) if _are_close(got, wrong)), hint)
        for value, wanted in zip(got, want):
            expect_close(value, wanted, why)


def _are_close(got: Any, want: tuple[float, float]) -> bool:
    """Whether two numbers, of whatever type, are those of `want`."""
    try:
        for value, wanted in zip(got, want):
            expect_close(value, wanted)
    except AssertionError:
        return False
    return True


# What several checks share --------------------------------------------------------------------


def _kind_of(value: Any) -> str:
    if value is None:
        return "None (is a return missing?)"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


EXERCISES = [
    Exercise("03.1", bce_gradients, ask_bce_gradients),
    Exercise("03.2", ls_discriminator_loss, ask_ls_discriminator_loss),
    Exercise("03.3", ls_generator_loss, ask_ls_generator_loss),
    Exercise("03.4", ls_gradients, ask_ls_gradients),
    Exercise("03.5", best_score, ask_best_score),
    Exercise("03.6", compare, ask_compare),
    Exercise("03.7", simultaneous_step, ask_simultaneous_step),
    Exercise("03.8", alternating_step, ask_alternating_step),
]
