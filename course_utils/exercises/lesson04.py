"""Lesson 4, colour images: each exercise's reference, and what its check asks.

References are written as the lesson teaches them, and equal the solutions in the lesson's source
line by line (`make check` compares).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import (
    Slip,
    WrongAnswer,
    expect_close,
    expect_number,
    expect_tensor,
    replace_layers,
)
from ..layers import copy_network
from ..models import sample_noise
from .exercise import Exercise
from .networks import (
    discriminator_slips,
    expect_network,
    expect_other_sizes,
    generator_slips,
    one_by_one,
    spoil,
)

Slips = list[tuple[Any, str]]  # what a common mistake leads to, and the hint that mends it


class _Late:
    """A library that is imported at its first use: torchvision alone takes a second."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.name), name)


torchvision = _Late("torchvision")

# 04.1 -----------------------------------------------------------------------------------------


def make_image_grid(images):
    return torchvision.utils.make_grid(images[:16], nrow=4, normalize=True, value_range=(-1, 1))


def ask_make_image_grid(answer: Any) -> None:
    for count in (20, 17):
        images = 1.4 * torch.rand(count, 3, 32, 32) - 0.8  # from -0.8 to 0.6: not the whole range
        got = answer(images.clone())
        first = "the first 16 of them: images[:16]"
        shapes = {
            (138, 138, 3): "channels first, (3, H, W): permute comes when it is drawn",
            (3, 70, 274): "4 images in a row: nrow=4",
            (3, 274, 70): "nrow is the number of images in a row: 4",
            (3, 36, 546): "4 images in a row: nrow=4",
            (3, 546, 36): "nrow is the number of images in a row: 4",
            (3, 104, 274): f"{first}, with nrow=4",
            (3, 172, 138): first,
            (3, 36, 138): "16 images, not 4: images[:16]",
            (3, 128, 128): "leave padding as it is: make_grid draws lines between the images",
            (1, 138, 138): "colour images keep their three channels",
        }
        expect_tensor(got, (3, 138, 138), "make_grid(images[:16], nrow=4, ...)", shapes)
        hint = "normalize=True and value_range=(-1, 1): -1 becomes 0 and 1 becomes 1"
        want, slips = make_image_grid(images), _spoiled_grids(images)
        for edge in (2, 0):  # at first without the black edge, whose numbers say nothing
            cut = [(grid[:, edge:, edge:], why) for grid, why in slips]
            expect_close(got[:, edge:, edge:], want[:, edge:, edge:], hint, slips=cut)


def _spoiled_grids(images: Tensor) -> Slips:
    def grid(images: Tensor = images[:16], **how: Any) -> Tensor:
        return torchvision.utils.make_grid(images, nrow=4, **how)

    whole = {"normalize": True, "value_range": (-1, 1)}
    want, bare = grid(**whole), grid()
    rescale = "rescale by make_grid itself: normalize=True, value_range=(-1, 1)"
    lines = f"this makes the black lines between the images grey, too; {rescale}"
    fixed = "value_range=(-1, 1) is missing"
    return [
        (bare, "pixels in [0, 1]: normalize=True, value_range=(-1, 1)"),
        (grid(normalize=True), f"{fixed}: here the darkest and brightest pixel decide"),
        (grid(normalize=True, scale_each=True), f"{fixed}, and no scale_each: one range for all"),
        (bare.clamp(0, 1), "all below 0 became black: value_range=(-1, 1), as the images have"),
        (grid(normalize=True, value_range=(0, 255)), "the images lie in [-1, 1], not in [0, 255]"),
        ((bare + 1) / 2, lines),
        (bare / 2 + 1, f"divide by 2 after adding 1; {rescale}"),
        (grid((images[:16] + 1) / 2, **whole), "rescaled twice: give make_grid images in [-1, 1]"),
        (grid(pad_value=1, **whole), "black lines: leave pad_value as it is"),
        (grid(images[-16:], **whole), "the first 16, not the last: images[:16]"),
        (255 * want, "values in [0, 1]: no times 255"),
        ((255 * want).round(), "values in [0, 1]: no bytes"),
        ((255 * want).floor(), "values in [0, 1]: no bytes"),
        (want.flip(0), "channels stay in their order: red, green, blue"),
        (want.transpose(1, 2), "rows from top to bottom: do not swap height and width"),
    ]


# 04.2 -----------------------------------------------------------------------------------------


def build_generator(noise_dim):
    return nn.Sequential(
        nn.Unflatten(1, (noise_dim, 1, 1)),
        nn.ConvTranspose2d(noise_dim, 256, kernel_size=4, bias=False),
        nn.BatchNorm2d(256),
        nn.ReLU(),
        nn.ConvTranspose2d(256, 128, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 3, kernel_size=4, stride=2, padding=1),
        nn.Tanh(),
    )


def ask_build_generator(answer: Any) -> None:
    right = build_generator(5)
    bias, norm = "bias=False in the convolutions before batch norm", "batch norm is missing"
    last = "the last convolution keeps its bias, as no batch norm follows"
    by_count = {
        448: f"{bias}: the norm takes it away again",
        **dict.fromkeys((64, 128, 192, 256, 320, 384), f"{bias}: look at all three"),
        445: f"{bias}; {last}",
        -3: last,
        6: "no batch norm after the last convolution: the Tanh follows at once",
        3: "the last convolution keeps its bias, and no batch norm follows it",
        -896: f"{norm} after the first three convolutions",
        -448: f"{norm} after the first three convolutions",
        -512: f"{norm} after the first convolution",
        **dict.fromkeys((-256, -128, -64), f"{norm}: one after each of the first three"),
        4096 * (100 - 5): "use the argument `noise_dim`: it is 5 here",
        4096 * (64 - 5): "use the argument `noise_dim`: it is 5 here",
        -2 * (64 * 16 + 1): "three channels come out: red, green, blue",
        -256 * 128 * 7: "every kernel has side 4",
        -128 * 64 * 7: "every kernel has side 4",
    }
    noise = sample_noise(6, 5, "normal")
    got = expect_network(answer(5), right, noise, generator_slips(right), by_count)
    expect_tensor(got, (6, 3, 32, 32), "images (N, 3, 32, 32) come out")
    expect_other_sizes(answer, build_generator, 3)


# 04.3 -----------------------------------------------------------------------------------------


def drop_channels(x, p):
    keep = (torch.rand(x.shape[0], x.shape[1], 1, 1, device=x.device) >= p).to(x.dtype)
    return x * keep / (1 - p)


def ask_drop_channels(answer: Any) -> None:
    x = (torch.rand(64, 64, 2, 3) + 0.5) * torch.randn(64, 64, 2, 3).sign()  # nowhere 0
    for p in (0.25, 0.6):
        got = answer(x.clone(), p)
        dropped = _expect_dropped(got, x, p)
    if torch.equal(dropped, _expect_dropped(answer(x.clone(), p), x, p)):
        raise WrongAnswer("other channels at each call", "the same", "no seed: draw anew each time")
    if not torch.allclose(answer(x.clone(), 0.0), x):
        raise WrongAnswer("x itself for p = 0", "another", "for p = 0 nothing is dropped or scaled")

    leaf = x.clone().requires_grad_()
    slopes = _find_slopes(answer(leaf, 0.25), leaf, torch.ones_like(x))
    _expect_dropped(slopes * x, x, 0.25, "gradients pass as the values do: no detach, no .data")
    _ask_elsewhere(answer, "x", torch.empty(5, 3, 4, 4, device="meta"), 0.25)


def _expect_dropped(got: Any, x: Tensor, p: float, hint: str = "") -> Tensor:
    """`got` is `x` with whole channels blanked and the others rescaled; returns which (N, C)."""
    shape = tuple(x.shape)
    expect_tensor(got, shape, hint or "the shape of x comes back: the mask is (N, C, 1, 1)")
    got = got.detach()
    gone, factors = got == 0, got / x
    share = gone.float().mean().item()
    if share in (0, 1):
        _explain_all_or_none(factors, p, hint)
    parts = gone.float().mean(dim=(2, 3))
    if ((parts > 0) & (parts < 1)).any():
        parted = "one draw for each image and channel, (N, C, 1, 1)"
        raise WrongAnswer(
            "whole channels blanked", "parts of them", hint or f"a channel goes or stays: {parted}"
        )
    gone = parts == 1
    if (gone == gone[:1]).all():
        alike = "each image has its own draws: torch.rand(N, C, 1, 1), not (1, C, 1, 1)"
        raise WrongAnswer("other channels in each image", "the same in all", hint or alike)
    if (gone == gone[:, :1]).all():
        alike = "each channel has its own draw: torch.rand(N, C, 1, 1), not (N, 1, 1, 1)"
        raise WrongAnswer("single channels blanked", "whole images", hint or alike)
    if abs(share - p) > 0.05:
        other = "p is the share that is blanked: use the argument"
        if abs(share - (1 - p)) < 0.05:
            other = "p is the share that is blanked, not the share that stays"
        raise WrongAnswer(f"{p:.0%} of the channels blanked", f"{share:.0%}", hint or other)
    counts = gone.sum(dim=1)
    if (counts == counts[0]).all():
        many = "each channel has its own draw, so images differ in how many go"
        raise WrongAnswer("each channel with its own draw", "as many in each image", hint or many)
    kept = factors[~gone]
    if not torch.allclose(kept, torch.full_like(kept, 1 / (1 - p)), rtol=1e-4):
        low, high = (f"{factor.item():.4g}" for factor in kept.aminmax())
        came = f"times {low}" + (f" to {high}" if high != low else "")
        hint = hint or _explain_factor(kept, p)
        raise WrongAnswer(f"the others times {1 / (1 - p):.4g}", came, hint)
    return gone


def _explain_all_or_none(factors: Tensor, p: float, hint: str) -> None:
    """Raises: no channel was blanked, or every one."""
    if (factors == 0).all():
        raise WrongAnswer(
            f"{p:.0%} of the channels blanked", "all", hint or "the mask is 1 where a channel stays"
        )
    words = "the mask is 0 where a channel goes: (torch.rand(N, C, 1, 1) >= p)"
    if torch.allclose(factors, torch.ones_like(factors)):
        words = "x came back as it was: draw as in training (training=True), and return the result"
    raise WrongAnswer(f"{p:.0%} of the channels blanked", "none", hint or words)


def _explain_factor(kept: Tensor, p: float) -> str:
    """The hint for channels that stay, but are not x / (1 - p)."""
    known = [
        (1.0, "divide what stays by 1 - p, so that the mean stays as it is"),
        (1 - p, "divide by 1 - p, do not multiply: what stays makes up for what went"),
        (1 / p, "divide by 1 - p, the share that stays, not by p"),
        (p, "divide by 1 - p: this multiplies by p"),
        ((1 - p) ** -2, "divided twice: F.dropout2d divides by 1 - p already"),
        (1 + p, "divide by 1 - p; times 1 + p is not the same"),
    ]
    for factor, hint in known:
        if torch.allclose(kept, torch.full_like(kept, factor), rtol=1e-4):
            return hint
    return "what stays is x / (1 - p), with nothing added"


# 04.4 -----------------------------------------------------------------------------------------


def build_discriminator():
    return nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Dropout2d(0.25),
        nn.Conv2d(64, 128, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Dropout2d(0.25),
        nn.Conv2d(128, 256, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(256),
        nn.LeakyReLU(0.2),
        nn.Conv2d(256, 1, kernel_size=4),
        nn.Flatten(),
        nn.Sigmoid(),
    )


def ask_build_discriminator(answer: Any) -> None:
    right = build_discriminator()
    bias, norm = "bias=False in the convolutions before batch norm", "batch norm is missing"
    by_count = {
        384: f"{bias}: the norm takes it away again",
        256: f"{bias}: look at the third one",
        128: f"{bias}, and no batch norm after the first convolution",
        64: f"{bias}, and no batch norm after the first convolution",
        -64: "the first convolution keeps its bias, as no batch norm follows",
        -1: "the last convolution keeps its bias, as no batch norm follows",
        2: "no batch norm after the last convolution",
        1: "no batch norm after the last convolution",
        -768: f"{norm} after the second and the third convolution",
        -384: f"{norm} after the second and the third convolution",
        -512: f"{norm} after the third convolution",
        -256: f"{norm}: one after the second, one after the third convolution",
        -128: f"{norm}: one after the second, one after the third convolution",
        -2 * 64 * 16: "three channels come in: red, green, blue",
    }
    images = sample_noise(6, 3072, "normal").clamp(-1, 1).reshape(6, 3, 32, 32)
    model = answer()
    got = expect_network(model, right, images, _spoiled_discriminators(right), by_count)
    column = "one number an image, as a column (N, 1)"
    shapes = {(6, 1, 1, 1): f"Flatten is missing: {column}"}
    expect_tensor(got, (6, 1), column, shapes)
    _expect_calm(model, images)


def _spoiled_discriminators(right: nn.Sequential) -> list[Slip]:
    drop, act = nn.Dropout2d, nn.LeakyReLU(0.2)
    bare = replace_layers(right, drop, nn.Identity())
    late = replace_layers(bare, nn.LeakyReLU, nn.Sequential(act, drop(0.25)), 1)
    late = replace_layers(late, nn.LeakyReLU, nn.Sequential(act, drop(0.25)), 1)
    third = nn.Sequential(act, drop(0.25))
    return [
        *discriminator_slips(right),
        spoil(right, drop, nn.Identity(), "both Dropout2d(0.25) are missing"),
        *one_by_one(right, drop),
        spoil(right, drop, nn.Dropout(0.25), "Dropout2d blanks channels; Dropout single pixels"),
        spoil(right, drop, drop(0.5), "Dropout2d(0.25): Dropout2d() alone takes 0.5"),
        *(
            spoil(right, drop, drop(p), f"Dropout2d(0.25), not {p}")
            for p in (0.75, 0.1, 0.2, 0.3, 0.4, 0.025)
        ),
        spoil(right, nn.LeakyReLU, third, "no Dropout2d after the third LeakyReLU", 2),
        Slip(lambda: late, "Dropout2d after the first and the second LeakyReLU"),
        Slip(
            lambda: _drop_before_norm(right), "Dropout2d after the LeakyReLU, not before the norm"
        ),
        spoil(
            right, nn.Sigmoid, nn.Identity(), "a Sigmoid is missing at the end: BCELoss needs it"
        ),
        spoil(right, nn.Sigmoid, nn.Tanh(), "Sigmoid at the end, not Tanh: D(x) lies in [0, 1]"),
        spoil(right, nn.Sigmoid, nn.Softmax(dim=1), "Sigmoid: Softmax of one number is always 1"),
        spoil(right, nn.Sigmoid, nn.LogSigmoid(), "Sigmoid, without a logarithm"),
        Slip(lambda: nn.Sequential(*right, nn.Sigmoid()), "one Sigmoid at the end, not two"),
        spoil(
            right,
            nn.Sigmoid,
            nn.Sequential(act, nn.Sigmoid()),
            "no LeakyReLU after the last convolution: the Sigmoid follows",
        ),
    ]


def _drop_before_norm(right: nn.Sequential) -> nn.Sequential:
    """The same layers with the second dropout before the batch norm of its block."""
    layers = list(right)
    layers[4:7] = layers[6], layers[4], layers[5]
    return nn.Sequential(*layers)


@torch.no_grad()
def _expect_calm(model: nn.Module, images: Tensor) -> None:
    """In eval mode dropout does nothing, so the same images have the same scores."""
    model = copy_network(model).cpu().float().eval()
    first, second = model(images.clone()), model(images.clone())
    if not torch.allclose(first, second, atol=1e-5):
        raise WrongAnswer(
            "the same scores each time after D.eval()",
            "others",
            "no dropout in eval: nn.Dropout2d knows, F.dropout2d wants training=self.training",
        )


# 04.5 -----------------------------------------------------------------------------------------


def make_labels(images):
    valid = torch.ones(len(images), 1, device=images.device)
    fake = torch.zeros(len(images), 1, device=images.device)
    return valid, fake


def ask_make_labels(answer: Any) -> None:
    for count in (5, 3):
        images = torch.rand(count, 3, 32, 32) * 2 - 1
        valid, fake = _read_labels(answer(images.clone()))
        shapes = {
            (count,): "a column, (N, 1), as D returns it: ones(len(images), 1)",
            (1, count): "a column, (N, 1), not a row",
            (count, 1, 1, 1): "a column, (N, 1), as D returns it",
            (count, 3, 32, 32): "a label for each image, not for each pixel: (len(images), 1)",
            (count, 3): "a label for each image, not for each channel: (len(images), 1)",
            (): "a label for each image: (len(images), 1)",
        }
        for labels in (valid, fake):
            many = "as many labels as images: len(images), not a fixed number"
            expect_tensor(labels, (count, 1), many, shapes)
        for labels in (valid, fake):
            _expect_constant(labels, images)
        swapped = bool((valid == 0).all() and (fake == 1).all())
        slips = [(torch.zeros(count, 1), "real images have label 1")]
        slips += [(torch.full((count, 1), v), "1, without smoothing") for v in (0.9, 0.95, 0.8)]
        _expect_labels(valid, 1, "valid", swapped, slips)
        slips = [
            (torch.ones(count, 1), "fakes have label 0"),
            (torch.full((count, 1), -1.0), "0, not -1: BCELoss takes labels from 0 to 1"),
        ]
        slips += [(torch.full((count, 1), v), "0, without smoothing") for v in (0.1, 0.05, 0.2)]
        _expect_labels(fake, 0, "fake", swapped, slips)
    there = torch.empty(5, 3, 32, 32, device="meta")
    for labels in _ask_elsewhere(answer, "images", there) or ():
        _expect_device(labels, there)


def _read_labels(got: Any) -> tuple[Any, Any]:
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        came = "None (is a return missing?)" if got is None else f"a {type(got).__name__}"
        raise WrongAnswer("(valid, fake)", came, "return both, separated by a comma")
    return got[0], got[1]


def _expect_constant(labels: Tensor, images: Tensor) -> None:
    if labels.dtype != torch.float32:
        kind = str(labels.dtype).removeprefix("torch.")
        raise WrongAnswer(
            "float32 labels", kind, "nn.BCELoss takes float labels, as torch.ones has"
        )
    if labels.requires_grad:
        raise WrongAnswer("constants", "labels with requires_grad", "labels are not trained")
    _expect_device(labels, images)


def _expect_device(labels: Tensor, images: Tensor) -> None:
    if labels.device.type != images.device.type:
        came = f"labels on the {labels.device.type}"
        raise WrongAnswer("labels on the device of the images", came, _at_home("images"))


def _expect_labels(labels: Tensor, value: int, name: str, swapped: bool, slips: Slips) -> None:
    if swapped:
        raise WrongAnswer("valid 1 and fake 0", "the other way round", "swap the two")
    want = torch.full_like(labels, value)
    expect_close(labels, want, f"{name}: every label is {value}", slips=slips)


# 04.6 -----------------------------------------------------------------------------------------


def largest_stretch(matrix, u, steps):
    for _ in range(steps):
        v = torch.nn.functional.normalize(matrix.T @ u, dim=0)
        u = torch.nn.functional.normalize(matrix @ v, dim=0)
    return u @ matrix @ v


def ask_largest_stretch(answer: Any) -> None:
    square = torch.tensor([[1.5, -0.5, -1.0], [-1.5, -0.5, 0.0], [0.5, -1.0, 1.0]])
    wide = torch.tensor([[3.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]])
    tall = torch.tensor([[1.0, 2.0], [3.0, 1.0], [0.0, 2.0]])
    start = torch.tensor([-0.5, -0.5, 1.5])
    for matrix, u, steps in (
        (square, start, 3),
        (square, start, 1),
        (wide, torch.tensor([1.0, 2.0]), 2),  # near 3
        (tall, torch.tensor([0.5, 1.0, -2.0]), 60),
    ):
        want = largest_stretch(matrix, u, steps)
        slips = _spoiled_stretches(matrix, u, steps)
        hint = (
            "v = normalized matrix.T @ u, u = normalized matrix @ v, `steps` times; u @ matrix @ v"
        )
        many = "one number: return u @ matrix @ v"
        expect_number(answer(matrix.clone(), u.clone(), steps), want, hint, slips, many)


def _spoiled_stretches(matrix: Tensor, u: Tensor, steps: int) -> Slips:
    def unit(vector: Tensor) -> Tensor:
        return vector / vector.norm()

    def walk(
        start: Tensor = u,
        steps: int = steps,
        after_v: Callable[[Tensor], Tensor] = unit,
        after_u: Callable[[Tensor], Tensor] = unit,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The last two u, with the v between them."""
        u = old = start
        for _ in range(steps):
            old, v = u, after_v(matrix.T @ u)
            u = after_u(matrix @ v)
        return old, v, u

    def as_they_are(vector: Tensor) -> Tensor:
        return vector

    old, v, u_last = walk()
    values = torch.linalg.svdvals(matrix)
    no_v, no_u = walk(after_v=as_they_are), walk(after_u=as_they_are)
    neither = walk(after_v=as_they_are, after_u=as_they_are)
    longer, ones = walk(steps=steps + 1), walk(torch.ones_like(u))
    exact = (
        "that is the exact value; asked for is what `steps` steps give: an SVD is slow in training"
    )
    slips = [
        (values[0], exact),
        (longer[2] @ matrix @ longer[1], "that is one step too many: range(steps)"),
        (unit(old) @ matrix @ v, "each step renews v, and then u: u = normalized matrix @ v"),
        (neither[2] @ matrix @ neither[1], "normalize v and u in each step, or else they grow"),
        (no_v[2] @ matrix @ no_v[1], "normalize v, too: only directions are kept"),
        (no_u[2] @ matrix @ no_u[1], "that is the square: normalize u, too (or take the root)"),
        (values[0].square(), "that is the largest eigenvalue of A Aᵀ: its root, in `steps` steps"),
        (ones[2] @ matrix @ ones[1], "begin with the u that is given"),
        (matrix.norm(), "that is the root of all squared entries; asked for is one stretch"),
        (matrix.norm(dim=1).max(), "that is the longest row: the stretch may be larger"),
        (matrix.norm(dim=0).max(), "that is the longest column: the stretch may be larger"),
        (matrix.abs().max(), "that is the largest entry: the stretch may be larger"),
        (matrix.abs().sum(dim=1).max(), "that is another norm, the largest sum of a row"),
        (matrix.abs().sum(dim=0).max(), "that is another norm, the largest sum of a column"),
        (values.sum(), "the largest singular value alone, not their sum"),
        (values[-1], "the largest singular value, not the smallest"),
    ]
    if steps > 1:
        fewer, once = walk(steps=steps - 1), walk(steps=1)
        slips += [
            (fewer[2] @ matrix @ fewer[1], "that is one step too few: range(steps)"),
            (once[2] @ matrix @ once[1], "that is one step: repeat both lines, `steps` times"),
        ]
    if len(matrix) == matrix.shape[1]:
        slips += _turned_stretches(matrix, u, steps, u_last, v)
    return slips


def _turned_stretches(matrix: Tensor, u: Tensor, steps: int, last: Tensor, v_last: Tensor) -> Slips:
    """What comes out of a square matrix if it is transposed in the wrong place."""

    def walk(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        own = u
        for _ in range(steps):
            v = first @ own / (first @ own).norm()
            own = second @ v / (second @ v).norm()
        return own, v

    turned, same, other = walk(matrix, matrix.T), walk(matrix, matrix), walk(matrix.T, matrix.T)
    transposed = "matrix.T leads from u to v, matrix from v to u"
    return [
        (v_last @ matrix @ last, "u @ matrix @ v: u belongs to the rows, v to the columns"),
        *((a @ m @ b, transposed) for a, b in (turned, same, other) for m in (matrix, matrix.T)),
    ]


# 04.7 -----------------------------------------------------------------------------------------


def flip_some(images, generator):
    coins = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < 0.5
    return torch.where(coins, images.flip(3), images)


def ask_flip_some(answer: Any) -> None:
    images = torch.rand(300, 3, 4, 6) * 2 - 1
    coins = torch.stack([_toss(answer, images, seed) for seed in range(12)])
    per_batch = coins.float().mean(dim=1)
    share = coins.float().mean().item()
    if share in (0, 1):
        got = "all" if share else "none"
        hint = "toss a coin for each image: torch.rand(len(images), 1, 1, 1) < 0.5"
        raise WrongAnswer("about half of the images mirrored", got, hint)
    if ((per_batch == 0) | (per_batch == 1)).all():
        hint = "each image has its own coin: torch.rand(len(images), 1, 1, 1)"
        raise WrongAnswer("some images of a batch mirrored", "all or none", hint)
    if (coins == coins[0]).all():
        raise WrongAnswer("other coins for another generator", "the same", _FROM_GENERATOR)
    torch.manual_seed(1)  # the global random state must not decide
    if not torch.equal(_toss(answer, images, 0), coins[0]):
        raise WrongAnswer("the same coins for the same generator", "others", _FROM_GENERATOR)
    if abs(share - 0.5) > 0.05:
        hint = "a probability of one half: torch.rand(...) < 0.5"
        raise WrongAnswer("about half of the images mirrored", f"{share:.0%}", hint)
    generator = torch.Generator().manual_seed(0)
    first, second = (_read_coins(answer(images.clone(), generator), images) for _ in range(2))
    if torch.equal(first, second):
        hint = "take the generator as it comes: it is not seeded again"
        raise WrongAnswer("other coins at the next call", "the same", hint)

    leaf, weights = images.clone().requires_grad_(), torch.rand_like(images)
    got = answer(leaf, torch.Generator().manual_seed(0))
    slopes = _find_slopes(got, leaf, weights)
    want = torch.where(_read_coins(got, images)[:, None, None, None], weights.flip(3), weights)
    if not torch.allclose(slopes, want, atol=1e-5):
        raise WrongAnswer("the gradient mirrored as the image", "another", "no detach, no clamp")
    _ask_elsewhere(answer, "images", torch.empty(5, 3, 4, 6, device="meta"), torch.Generator())


_FROM_GENERATOR = "draw the coins from it: torch.rand(..., generator=generator), without a seed"


def _toss(answer: Any, images: Tensor, seed: int) -> Tensor:
    """Which images `answer` mirrors, given a generator with this seed."""
    generator = torch.Generator().manual_seed(seed)
    return _read_coins(answer(images.clone(), generator), images)


def _read_coins(got: Any, images: Tensor) -> Tensor:
    """Which images were mirrored; none may have changed otherwise."""
    expect_tensor(got, tuple(images.shape), "as many images of the same size come back")
    same, turned = (_equals_each(got, other) for other in (images, images.flip(3)))
    if (same | turned).all():
        return turned
    raise WrongAnswer("each image as it was, or mirrored", "others", _explain_flip(got, images))


def _equals_each(got: Tensor, images: Tensor) -> Tensor:
    return (got == images).flatten(1).all(dim=1)


def _explain_flip(got: Tensor, images: Tensor) -> str:
    """The hint for images that are neither as they were nor mirrored left-right."""
    own = "one coin for each image: torch.rand(len(images), 1, 1, 1)"
    known = [
        (images.flip(2), "that turns them upside down: left and right is dim 3"),
        (images.flip((2, 3)), "upside down as well: flip dim 3 alone"),
        (images.flip(1), "that changes red and blue: left and right is dim 3"),
        (images.flip((1, 2, 3)), "flip dim 3 alone"),
        (images.rot90(1, (2, 3)), "a mirror image, not a turned one: flip(3)"),
        (images.flip(0), "that is the batch in reverse order: left and right is dim 3"),
        (-images, "mirrored are places, not brightness: images.flip(3)"),
    ]
    for other, hint in known:
        if (
            other.shape == images.shape
            and (_equals_each(got, other) | _equals_each(got, images)).all()
        ):
            return hint
    if ((got == images) | (got == images.flip(3))).all():
        return f"parts of an image were mirrored: {own}"
    return "images.flip(3) for some, and the others as they are: torch.where"


# 04.8 -----------------------------------------------------------------------------------------


def decay(share):
    return 1.0 if share < 0.5 else 2 * (1 - share)


SHARES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)


def ask_decay(answer: Any) -> None:
    got = [answer(share) for share in SHARES]
    why = _name_decay(got)
    for share, value in zip(SHARES, got):
        expect_number(
            value, decay(share), f"at share {share:g}: {why}", many="one number for a share"
        )


def _name_decay(got: list[Any]) -> str:
    """The hint for these factors at `SHARES`."""
    hint = "1 before the half, then straight down: 2 * (1 - share)"
    try:
        have = [float(value) for value in got]
    except Exception:  # no numbers: whoever asks will say so
        return hint
    rules = _decays()
    if have[0] not in (0, 1):
        scaled = "the factor alone, which begins with 1: no learning rate in it"
        rules.append((lambda share: have[0] * decay(share), scaled))
    for rule, why in rules:
        if all(math.isclose(a, rule(s), abs_tol=1e-6) for a, s in zip(have, SHARES)):
            return why
    return hint


def _decays() -> list[tuple[Callable[[float], float], str]]:
    """Other ways down, each with its hint."""

    def after_half(second: Callable[[float], float]) -> Callable[[float], float]:
        return lambda s: 1 if s < 0.5 else second(s)

    jump = "that jumps from 1 to 0.5: the way down is twice as steep, 2 * (1 - share)"
    early = "0 at the end only: this is there too soon"
    straight = "straight down in the second half: 2 * (1 - share)"
    return [
        (lambda s: 1 - s, "1 throughout the first half: this goes down from the beginning"),
        (after_half(lambda s: 1 - s), jump),
        (after_half(lambda s: 0), "straight down in the second half, not 0 at once"),
        (after_half(lambda s: 0.5), "straight down to 0, not a step to 0.5"),
        (after_half(lambda s: 0.1), "straight down to 0, not a step to 0.1"),
        (
            after_half(lambda s: 1.5 - s),
            "it ends at 0, not at 0.5: twice as steep, 2 * (1 - share)",
        ),
        (after_half(lambda s: 2 * s), "that goes up: 2 * (1 - share)"),
        (after_half(lambda s: 2 * (s - 0.5)), "that goes up from 0: 1 minus it"),
        (after_half(lambda s: 1 - 2 * s), "never below 0: 2 * (1 - share) in the second half"),
        (after_half(lambda s: 2 - s), "brackets: 2 * (1 - share)"),
        (after_half(lambda s: 3 - 4 * s), f"{early}, and then below 0"),
        (after_half(lambda s: max(0, 3 - 4 * s)), early),
        (after_half(lambda s: (2 * (1 - s)) ** 2), f"{straight}, nothing squared"),
        (after_half(lambda s: math.sqrt(2 * (1 - s))), f"{straight}, no root"),
        (
            after_half(lambda s: (1 + math.cos(2 * math.pi * (s - 0.5))) / 2),
            f"{straight}, no cosine",
        ),
        (after_half(lambda s: math.cos(math.pi * (s - 0.5))), f"{straight}, no cosine"),
        (after_half(lambda s: math.exp(-(s - 0.5))), f"{straight}, no exponential"),
        (lambda s: (1 + math.cos(math.pi * s)) / 2, "1 in the first half, then a straight line"),
        (lambda s: 1 - 2 * s, "down in the second half, not in the first"),
        (lambda s: max(0, 1 - 2 * s), "down in the second half, not in the first"),
        (lambda s: 1 - 2 * s if s < 0.5 else 0, "down in the second half, not in the first"),
        (lambda s: 2 * (1 - s), "never above 1: 1 in the first half"),
        (lambda s: 2 * (1 - s) if s < 0.5 else 1, "the two halves are swapped: first 1, then down"),
        (lambda s: s, "that goes up: first 1, then down to 0"),
        (lambda s: min(1, 2 * s), "that goes up: first 1, then down to 0"),
        (lambda s: 1, "down in the second half: share goes from 0 to 1, the end of training"),
        (lambda s: 0, "1 in the first half"),
    ]


# 04.9 -----------------------------------------------------------------------------------------


def best_quarter(images, certainty):
    count = len(images) // 4
    return images[certainty.topk(count).indices]


def ask_best_quarter(answer: Any) -> None:
    for total in (71, 8):
        images = torch.rand(total, 3, 32, 32) * 2 - 1
        certainty = torch.linspace(0.1, 0.99, total)[torch.randperm(total)]
        got = answer(images.clone(), certainty.clone())
        count, order = total // 4, certainty.argsort(descending=True)
        if isinstance(got, Tensor) and got.shape[1:] != images.shape[1:]:
            raise WrongAnswer(
                f"shape {(count, *images.shape[1:])}",
                f"shape {tuple(got.shape)}",
                _explain_no_images(got, certainty, order),
            )
        if isinstance(got, Tensor) and len(got) != count:
            raise WrongAnswer(
                f"{count} of {total} images", len(got), _explain_number(len(got), certainty)
            )
        expect_tensor(got, (count, 3, 32, 32), "images[...] of the chosen places")
        if not torch.equal(got, images[order[:count]]):
            hint = _explain_choice(got, images, order, count)
            raise WrongAnswer("the quarter of highest certainty, in order", "another", hint)


def _explain_no_images(got: Tensor, certainty: Tensor, order: Tensor) -> str:
    if got.ndim == 1 and got.dtype == torch.bool:
        return "that says which: return images[...] of them"
    if got.ndim == 1 and torch.isin(got, certainty).all():
        return "those are the certainties: return the images, images[...indices]"
    if got.ndim == 1 and torch.isin(got, order).all():
        return "those are the places: return images[...] of them"
    return "choose whole images: images[indices]"


def _explain_number(came: int, certainty: Tensor) -> str:
    total = len(certainty)
    known = [
        (total, "that is all of them: a quarter is len(images) // 4"),
        (math.ceil(total / 4), "round down: len(images) // 4"),
        (total // 2, "a quarter, not a half: // 4"),
        (total - total // 4, "a quarter, not all but a quarter"),
        (16, "not 16 always: len(images) // 4"),
        (4, "not 4 always: len(images) // 4"),
        (1, "a quarter of the images, not the best one alone"),
    ]
    for number, hint in known:
        if came == number:
            return hint
    if any(came == (certainty > bound).sum() for bound in (0.5, 0.75, 0.8, 0.9)):
        return "a fixed number, not a fixed bound: certainty.topk(len(images) // 4)"
    return "a quarter, rounded down: len(images) // 4"


def _explain_choice(got: Tensor, images: Tensor, order: Tensor, count: int) -> str:
    rising = order.flip(0)
    least = "those are the least certain: the largest come first"
    known = [
        (order[:count].flip(0), "the most certain first: descending=True, or flip"),
        (order[:count].sort().values, "the most certain first: topk(count).indices has that order"),
        (rising[:count], least),
        (order[-count:], least),
        (rising[:count].sort().values, least),
        (torch.arange(count), "those are the first ones, whatever their certainty"),
        (torch.arange(len(images))[-count:], "those are the last ones, whatever their certainty"),
        (order[1 : count + 1], "the most certain one is missing: indices begin with 0"),
        (order.argsort()[:count], "argsort once: its entries are the places already"),
        (rising.argsort()[:count], "argsort once: its entries are the places already"),
    ]
    for places, hint in known:
        if torch.equal(got, images[places]):
            return hint
    chosen = images[order[:count]]
    if all(any(torch.equal(one, other) for other in chosen) for one in got):
        return "the most certain first: topk(count).indices has that order"
    return "the places of the highest certainty: certainty.topk(count).indices"


# What several checks share --------------------------------------------------------------------


def _at_home(name: str) -> str:
    return f"on a GPU this would fail: device={name}.device for each new tensor"


def _ask_elsewhere(answer: Any, name: str, value: Tensor, *rest: Any) -> Any:
    """What `answer` returns for a tensor on another device, if it can be asked there.

    The device is "meta", which every machine has; it keeps shapes, but no numbers.
    """
    try:
        return answer(value, *rest)
    except Exception as problem:
        if isinstance(problem, NotImplementedError) or "device" not in str(problem):
            return None  # it looked at a number
        raise WrongAnswer(
            f"new tensors on the device of {name}", "others on the CPU", _at_home(name)
        ) from problem


def _find_slopes(got: Any, leaf: Tensor, weights: Tensor) -> Tensor:
    """The gradient of the weighted sum of `got` with respect to `leaf`."""
    if not isinstance(got, Tensor) or not got.requires_grad:
        raise WrongAnswer(
            "a result that gradients pass through",
            "one cut off from its input",
            "no detach, no .data, no no_grad, no NumPy: G learns through it",
        )
    (slopes,) = torch.autograd.grad((got * weights).sum(), leaf, allow_unused=True)
    return torch.zeros_like(leaf) if slopes is None else slopes


EXERCISES = [
    Exercise("04.1", make_image_grid, ask_make_image_grid),
    Exercise("04.2", build_generator, ask_build_generator),
    Exercise("04.3", drop_channels, ask_drop_channels),
    Exercise("04.4", build_discriminator, ask_build_discriminator),
    Exercise("04.5", make_labels, ask_make_labels),
    Exercise("04.6", largest_stretch, ask_largest_stretch),
    Exercise("04.7", flip_some, ask_flip_some),
    Exercise("04.8", decay, ask_decay),
    Exercise("04.9", best_quarter, ask_best_quarter),
]
