"""What checks ask of a value: a number, a tensor, a gradient, images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from .words import HINT_OUTPUT, WrongAnswer, describe, name_difference, name_value, short


def expect_close(
    got: Any,
    expected: Any,
    hint: str = "",
    tolerance: float = 1e-4,
    slips: Sequence[tuple[Any, str]] = (),
) -> None:
    """`got` is a number or tensor equal to `expected` within `tolerance`, the shape included.

    `slips` are values that common mistakes lead to, each with the hint that mends the mistake.
    """
    want = torch.as_tensor(expected, dtype=torch.float64).detach()
    if isinstance(got, bool) or not isinstance(got, (Real, Tensor)):
        raise WrongAnswer(name_value(want), describe(got), "return a tensor")
    have = got.detach().cpu() if isinstance(got, Tensor) else torch.tensor(float(got))
    if have.is_complex():
        raise WrongAnswer(name_value(want), "complex numbers", hint)
    have = have.to(torch.float64)
    if have.shape != want.shape:
        if want.ndim == 0:
            raise WrongAnswer("one number", f"shape {tuple(have.shape)}", "is a .mean() missing?")
        if have.numel() == 1:
            hint = "one value for each entry: no mean, no sum"
        elif have.numel() == want.numel():
            hint = "keep the shape as it comes"
        raise WrongAnswer(f"shape {tuple(want.shape)}", f"shape {tuple(have.shape)}", hint)
    if _is_close(have, want, tolerance):
        return
    for value, why in slips:
        wrong = torch.as_tensor(value, dtype=torch.float64).detach()
        if wrong.shape == have.shape and _is_close(have, wrong, tolerance, equal_nan=True):
            hint = why
            break
    raise WrongAnswer(*name_difference(want, have), hint)


def _is_close(have: Tensor, want: Tensor, tolerance: float, equal_nan: bool = False) -> bool:
    return torch.allclose(have, want, rtol=tolerance, atol=tolerance, equal_nan=equal_nan)


def expect_gradients(loss: Any, want: Tensor, inputs: list[Tensor]) -> None:
    """`loss` can be trained on: its gradients are those of `want`."""
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        raise WrongAnswer(
            "a tensor that backward can start from",
            "one cut off from its inputs" if isinstance(loss, Tensor) else "a bare number",
            "no .item(), no detach, no no_grad: training needs the gradient",
        )
    hint = "every score needs its gradient: no detach, no clamp, no new torch.tensor(...)"
    slopes = torch.autograd.grad(loss, inputs, allow_unused=True, retain_graph=True)
    wants = torch.autograd.grad(want, inputs, retain_graph=True)
    for slope, wanted in zip(slopes, wants):
        if slope is None:
            raise WrongAnswer("a gradient for each argument", "none", hint)
        if not torch.allclose(slope, wanted, rtol=1e-3, atol=1e-4):
            expected = ", ".join(f"{g:.3g}" for g in wanted.flatten().tolist())
            got = ", ".join(f"{g:.3g}" for g in slope.flatten().tolist())
            raise WrongAnswer(f"gradients {expected}", got, hint)


def expect_tensor(
    got: Any,
    shape: tuple[int, ...],
    hint: str = "",
    known: Mapping[tuple[int, ...], str] | None = None,
) -> Tensor:
    """`got` is a tensor of this shape; `known` are hints for shapes that mistakes lead to."""
    if not isinstance(got, Tensor):
        raise WrongAnswer(f"a tensor of shape {shape}", describe(got), "return one tensor")
    came = tuple(got.shape)
    if came != shape:
        raise WrongAnswer(f"shape {shape}", f"shape {came}", (known or {}).get(came, hint))
    return got


def expect_number(
    got: Any, want: Any, hint: str, slips: Sequence[tuple[Any, str]] = (), many: str = ""
) -> None:
    """`got` is the number `want`; `many` is the hint if there are several."""
    if isinstance(got, bool) or not isinstance(got, (Real, Tensor)):
        raise WrongAnswer(short(float(want)), describe(got), "return a number")
    if isinstance(got, Tensor) and got.ndim > 0:
        raise WrongAnswer("one number", f"shape {tuple(got.shape)}", many or hint)
    expect_close(got, want, hint, slips=slips)


def expect_images(got: Any, count: int, hint: str = "") -> Tensor:
    """`got` is a batch of `count` digits `(count, 1, 28, 28)`, finite floats in [-1, 1]."""
    shape = (count, 1, 28, 28)
    if not isinstance(got, Tensor):
        raise WrongAnswer(f"a tensor of shape {shape}", describe(got), HINT_OUTPUT)
    if tuple(got.shape) != shape:
        raise WrongAnswer(f"shape {shape}", f"shape {tuple(got.shape)}", hint)
    low, high = got.min().item(), got.max().item()
    if not (low >= -1 and high <= 1):
        raise WrongAnswer(
            "pixels in [-1, 1]", f"pixels from {low:.2f} to {high:.2f}", "end with a Tanh"
        )
    return got


def expect_same_value(want: Any, got: Any, question: str, drawn: bool = False) -> None:
    """`got` is what the reference answered to a question, which stands in the verdict.

    Of numbers that were `drawn` at random, the shape alone.
    """
    hint = f"right for the examples before, but not for {question}"
    if isinstance(want, (tuple, list)):
        if not isinstance(got, (tuple, list)) or len(got) != len(want):
            raise WrongAnswer(f"{len(want)} values", describe(got), hint)
        for wanted, came in zip(want, got):
            expect_same_value(wanted, came, question, drawn)
    elif isinstance(want, Tensor) or (isinstance(want, Real) and not isinstance(want, bool)):
        if isinstance(got, bool) or not isinstance(got, (Real, Tensor)):
            raise WrongAnswer(describe(want), describe(got), hint)
        want, got = (torch.as_tensor(value).detach().double() for value in (want, got))
        if want.shape != got.shape:
            raise WrongAnswer(f"shape {tuple(want.shape)}", f"shape {tuple(got.shape)}", hint)
        if drawn:
            return
        size = want[want.isfinite()].abs().max().item() if want.isfinite().any() else 0.0
        if not torch.allclose(got, want, rtol=1e-3, atol=1e-5 * max(size, 1.0), equal_nan=True):
            raise WrongAnswer(*name_difference(want, got), hint)
    elif isinstance(want, str) and got != want:
        raise WrongAnswer(repr(want), repr(got)[:40], hint)
    elif want is None and isinstance(got, (Real, Tensor)):
        raise WrongAnswer("None", describe(got), hint)


def describe_question(names: Sequence[str], given: Sequence[Any]) -> str:
    """'p = [0.5, 0.25], q of shape (3, 4)': what was asked, in few words."""
    words = []
    for name, value in zip(names, given):
        if isinstance(value, Tensor):
            few = value.ndim < 2 and value.numel() <= 4
            words.append(f"{name} = {name_value(value)}" if few else f"{name} {tuple(value.shape)}")
        elif isinstance(value, (Real, str, list)):
            words.append(f"{name} = {value if isinstance(value, list) else short(value)}"[:60])
    return ", ".join(words)
