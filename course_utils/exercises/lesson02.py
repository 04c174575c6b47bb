"""Lesson 2, DCGAN on MNIST: each exercise's reference, and what its check asks.

References are written as the lesson teaches them, and equal the solutions in
`solutions/02_dcgan.py` line by line (`make check` compares).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import (
    Slip,
    WrongAnswer,
    expect_close,
    expect_images,
    test_dc_classifier,
    test_dc_generator,
)
from ..models import sample_noise
from .exercise import Exercise
from .networks import discriminator_slips, expect_network, expect_other_sizes, generator_slips

Slips = list[tuple[Any, str]]

# 02.1 -----------------------------------------------------------------------------------------


def conv_size(side, kernel, stride, padding):
    return (side + 2 * padding - kernel) // stride + 1


def ask_conv_size(answer: Any) -> None:
    for side, kernel, stride, padding in [
        (19, 8, 3, 7),
        (28, 5, 1, 0),
        (28, 4, 2, 1),
        (11, 4, 3, 2),
    ]:
        room = side + 2 * padding - kernel
        slips = [
            (room // stride, "plus 1: the first place counts as well"),
            ((side + padding - kernel) // stride + 1, "there is padding on both sides: twice"),
            ((side - kernel) // stride + 1, "the padding is missing: 2 * padding more room"),
            ((side - 2 * padding - kernel) // stride + 1, "padding adds room: plus, not minus"),
            (room + 1, "steps of `stride`: divide by it"),
            (room / stride + 1, "whole steps only: //, which rounds down"),
            (math.ceil(room / stride) + 1, "round down: a step that does not fit is not made"),
            ((room + 1) // stride, "first divide, then add the 1"),
            ((side + 2 * padding) // stride, "the kernel needs room itself: minus `kernel`"),
            ((side + 2 * padding) // stride + 1, "the kernel needs room itself: minus `kernel`"),
            ((side + 2 * padding - kernel + 1) // stride + 1, "the 1 stands outside the division"),
            (side + 2 * padding - kernel // stride + 1, "brackets: // binds more tightly than -"),
            (transposed_size(side, kernel, stride, padding), "that is the transposed convolution"),
        ]
        hint = "how many steps of `stride` fit into side + 2 * padding - kernel, plus 1"
        got = answer(side, kernel, stride, padding)
        _expect_whole(got, conv_size(side, kernel, stride, padding), hint, slips)


# 02.2 -----------------------------------------------------------------------------------------


def transposed_size(side, kernel, stride, padding):
    return (side - 1) * stride - 2 * padding + kernel


def ask_transposed_size(answer: Any) -> None:
    for side, kernel, stride, padding in [(6, 5, 4, 3), (7, 4, 2, 1), (1, 4, 1, 0)]:
        reach = (side - 1) * stride
        slips = [
            (reach + kernel, "the padding is missing: it cuts a border away on both sides"),
            (reach - padding + kernel, "the border is cut on both sides: twice the padding"),
            (reach + 2 * padding + kernel, "here padding cuts away: minus, not plus"),
            (side * stride - 2 * padding + kernel, "`side` squares have side - 1 steps between"),
            ((side + 1) * stride - 2 * padding + kernel, "side - 1 steps, not side + 1"),
            (reach - 2 * padding, "the last square has a width: plus `kernel`"),
            (reach - 2 * padding + 1, "the last square has a width: plus `kernel`, not 1"),
            (reach - 2 * padding + kernel + 1, "no 1 at the end: `kernel` counts the first"),
            (reach - 2 * padding + kernel - 1, "no 1 at the end"),
            (reach - 2 * padding - kernel, "the last square has a width: plus `kernel`"),
            (side - 1 * stride - 2 * padding + kernel, "brackets: (side - 1) * stride"),
            (side * stride, "true for kernel 4, stride 2, padding 1 only: use all four"),
            (conv_size(side, kernel, stride, padding), "that is the way down: here sides grow"),
        ]
        hint = "side - 1 steps of `stride`, plus one kernel, minus the padding on both sides"
        got = answer(side, kernel, stride, padding)
        _expect_whole(got, transposed_size(side, kernel, stride, padding), hint, slips)


# 02.3 and 02.4: the classic pair --------------------------------------------------------------


def build_classifier():
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=5),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, kernel_size=5),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 64 * 4 * 4),
        nn.LeakyReLU(0.01),
        nn.Linear(64 * 4 * 4, 1),
    )


def ask_build_classifier(answer: Any) -> None:
    test_dc_classifier(answer())


def build_dc_generator(noise_dim):
    return nn.Sequential(
        nn.Linear(noise_dim, 1024),
        nn.ReLU(),
        nn.BatchNorm1d(1024),
        nn.Linear(1024, 128 * 7 * 7),
        nn.ReLU(),
        nn.BatchNorm1d(128 * 7 * 7),
        nn.Unflatten(1, (128, 7, 7)),
        nn.ConvTranspose2d(128, 64, kernel_size=4, stride=2, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(64),
        nn.ConvTranspose2d(64, 1, kernel_size=4, stride=2, padding=1),
        nn.Tanh(),
    )


def ask_build_dc_generator(answer: Any) -> None:
    test_dc_generator(answer(5), 5)
    expect_other_sizes(answer, build_dc_generator, 3)


# 02.5 -----------------------------------------------------------------------------------------


def initialize_weights(module):
    if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def ask_initialize_weights(answer: Any) -> None:
    layers = [nn.Linear(60, 90), nn.Conv2d(6, 18, 5), nn.ConvTranspose2d(18, 7, 4)]
    for layer in layers:
        before = layer.weight.detach().clone()
        answer(layer)
        _expect_xavier(layer, before)
        if not torch.equal(layer.bias, torch.zeros_like(layer.bias)):
            raise WrongAnswer(
                f"biases of 0 in {_name(layer)}", "others", "nn.init.zeros_(module.bias)"
            )
    bare = nn.Conv2d(6, 18, 5, bias=False)
    before = bare.weight.detach().clone()
    _survive(answer, bare, "without a bias, module.bias is None: ask before you fill it")
    _expect_xavier(bare, before)

    leave = "only Linear, Conv2d and ConvTranspose2d: isinstance tells them"
    _survive(answer, nn.ReLU(), leave)
    norm = nn.BatchNorm2d(4)
    for weight in norm.parameters():
        nn.init.uniform_(weight, 1, 2)
    before = torch.cat([weight.detach().clone() for weight in norm.parameters()])
    _survive(answer, norm, leave)
    if not torch.equal(torch.cat(list(norm.parameters())), before):
        raise WrongAnswer("a BatchNorm2d as it was", "a changed one", leave)


def _survive(answer: Callable[[nn.Module], Any], layer: nn.Module, hint: str) -> None:
    """Call `answer`; what it cannot stand in this layer is named by `hint`."""
    try:
        answer(layer)
    except NotImplementedError:
        raise
    except Exception as problem:
        raise WrongAnswer(f"no error for {_name(layer)}", type(problem).__name__, hint) from problem


def _expect_xavier(layer: nn.Module, before: Tensor) -> None:
    """Uniform weights between the two bounds of Glorot and Bengio, however they were drawn."""
    weight, name = layer.weight.detach(), _name(layer)
    if torch.equal(weight, before):
        raise WrongAnswer(f"new weights in {name}", "the old ones", f"{name} belongs to it as well")
    if weight.shape != before.shape or not torch.isfinite(weight).all():
        raise WrongAnswer(f"weights of the old shape in {name}", "others", "fill them in place")
    size = weight[0, 0].numel()
    fans = weight.shape[0] * size, weight.shape[1] * size
    bound = math.sqrt(6 / sum(fans))
    high, spread = weight.abs().max().item(), weight.std().item()
    if 0.97 * bound < high <= 1.0001 * bound and abs(spread * math.sqrt(3) / bound - 1) < 0.06:
        if abs(weight.mean().item()) > 0.08 * bound:
            raise WrongAnswer(f"weights around 0 in {name}", "others", "from -bound to bound")
        return
    want = f"weights within ±{bound:.4f} in {name}"
    got = f"up to {high:.4f}, spread {spread:.4f}"
    raise WrongAnswer(want, got, _name_drawing(weight, high, spread, fans))


def _name_drawing(weight: Tensor, high: float, spread: float, fans: tuple[int, int]) -> str:
    """The hint for weights that were drawn in another way."""
    both = sum(fans)
    if spread == 0:
        return "one number in all places: all units would stay alike; draw at random"
    if weight.min() >= 0:
        return "from -bound to bound, below 0 as well"
    if _is_near(spread, math.sqrt(2 / both)):
        return "xavier_uniform_, not xavier_normal_: no weight goes over the bound"
    size = weight[0, 0].numel()
    known = [  # the spread, and where it comes from
        (math.sqrt(2 / fans[0]), "Xavier, not Kaiming: both numbers of connections count"),
        (math.sqrt(2 / fans[1]), "Xavier, not Kaiming: both numbers of connections count"),
        (math.sqrt(1 / (3 * fans[0])), "that is what PyTorch starts with: xavier_uniform_"),
        (math.sqrt(1 / (3 * fans[1])), "that is what PyTorch starts with: xavier_uniform_"),
        (math.sqrt(2 * size / both), "each place of the kernel is a connection: count them all"),
        (math.sqrt(1 / both), "the root of 6 / (in + out), not of 3"),
        (0.02, "not a fixed spread: xavier_uniform_ looks at the size of the layer"),
        (0.01, "not a fixed spread: xavier_uniform_ looks at the size of the layer"),
    ]
    for value, hint in known:
        if _is_near(spread, value):
            return hint
    return "nn.init.xavier_uniform_(module.weight), with no gain"


def _is_near(value: float, other: float) -> bool:
    return abs(value / other - 1) < 0.05


def _name(layer: nn.Module) -> str:
    bare = getattr(layer, "bias", 0) is None
    return type(layer).__name__ + (" without a bias" if bare else "")


# 02.6 and 02.7: the strided pair --------------------------------------------------------------


def build_strided_discriminator():
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * 4 * 4, 1),
    )


def ask_build_strided_discriminator(answer: Any) -> None:
    right = build_strided_discriminator()
    slips = [
        *discriminator_slips(right),
        Slip(
            lambda: nn.Sequential(*right, nn.Sigmoid()), "these are logits: no Sigmoid at the end"
        ),
        Slip(lambda: nn.Sequential(*right, nn.Tanh()), "these are logits: no Tanh at the end"),
        Slip(
            lambda: nn.Sequential(*right, nn.LeakyReLU(0.2)),
            "nothing after the last Linear: a logit may be any number",
        ),
    ]
    bias, norm = "bias=False in the convolutions before batch norm", "batch norm is missing"
    kernel = "the third kernel has side 3: 7 becomes 4"
    by_count = {
        192: f"{bias}: the norm takes it away again",
        128: f"{bias}: look at the third one",
        64: f"{bias}, and no batch norm after the first convolution",
        256: f"{bias}, and no batch norm after the first convolution",
        -32: "the first convolution keeps its bias, as no batch norm follows",
        -384: f"{norm} after the second and the third convolution",
        -192: f"{norm} after the second and the third convolution",
        -128: f"{norm} after the second convolution",
        -256: f"{norm} after the third convolution",
        64 * 128 * 7: kernel,
        64 * 128 * 7 - 128 * 7: kernel,  # 3 x 3 places are left for the Linear
    }
    images = sample_noise(6, 784, "normal").clamp(-1, 1).reshape(6, 1, 28, 28)
    got = expect_network(answer(), right, images, slips, by_count)
    shape = tuple(got.shape)
    if shape != (6, 1):
        raise WrongAnswer("shape (6, 1)", f"shape {shape}", "one number an image, as a column")


def build_strided_generator(noise_dim):
    return nn.Sequential(
        nn.Unflatten(1, (noise_dim, 1, 1)),
        nn.ConvTranspose2d(noise_dim, 128, kernel_size=4, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 32, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 1, kernel_size=4, stride=2, padding=1),
        nn.Tanh(),
    )


def ask_build_strided_generator(answer: Any) -> None:
    right = build_strided_generator(5)
    bias, norm = "bias=False in the convolutions before batch norm", "batch norm is missing"
    by_count = {
        224: f"{bias}: the norm takes it away again",
        **dict.fromkeys((32, 64, 96, 128, 160, 192), f"{bias}: look at all three"),
        -1: "the last convolution keeps its bias, as no batch norm follows",
        2: "no batch norm after the last convolution: the Tanh follows at once",
        1: "the last convolution keeps its bias, and no batch norm follows it",
        -448: f"{norm} after the first three convolutions",
        -224: f"{norm} after the first three convolutions",
        -256: f"{norm} after the first convolution",
        -128: f"{norm} after the second convolution",
        -64: f"{norm} after the third convolution",
        2048 * (64 - 5): "use the argument `noise_dim`: it is 5 here",
        128 * 64 * 7: "the second kernel has side 3: 4 becomes 7",
    }
    noise = sample_noise(6, 5, "normal")
    got = expect_network(answer(5), right, noise, generator_slips(right), by_count)
    expect_images(got, 6, "images (N, 1, 28, 28) come out")
    expect_other_sizes(answer, build_strided_generator, 3)


# 02.8 -----------------------------------------------------------------------------------------


def batch_norm(x):
    mean = x.mean(dim=(0, 2, 3), keepdim=True)
    variance = x.var(dim=(0, 2, 3), unbiased=False, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5)


def ask_batch_norm(answer: Any) -> None:
    x = torch.randn(4, 3, 2, 5)
    x[1] += 2  # images differ, and so do channels
    x = x * torch.tensor([0.003, 1, 4]).reshape(1, 3, 1, 1)
    x = x + torch.tensor([0.001, -2, 3]).reshape(1, 3, 1, 1)
    want, got = batch_norm(x), answer(x.clone())
    if isinstance(got, Tensor) and got.shape != want.shape:
        keep = "the shape of x comes back: keepdim=True in the mean and the variance"
        raise WrongAnswer(f"shape {tuple(x.shape)}", f"shape {tuple(got.shape)}", keep)
    hint = "mean and variance over the images and all their places, dim=(0, 2, 3)"
    expect_close(got, want, hint, slips=_spoiled_norms(x))
    same = torch.full((2, 3, 2, 2), 0.7)
    hint = "a channel without any spread becomes 0: add eps before the root"
    expect_close(answer(same.clone()), batch_norm(same), hint)


def _spoiled_norms(x: Tensor) -> Slips:
    def norm(
        dims: tuple[int, ...] = (0, 2, 3), eps: float = 1e-5, unbiased: bool = False
    ) -> Tensor:
        mean = x.mean(dim=dims, keepdim=True)
        return (x - mean) / (x.var(dim=dims, unbiased=unbiased, keepdim=True) + eps).sqrt()

    dims = (0, 2, 3)
    mean = x.mean(dim=dims, keepdim=True)
    variance = x.var(dim=dims, unbiased=False, keepdim=True)
    spread = x.std(dim=dims, keepdim=True)
    over = "over the whole batch, dim=(0, 2, 3)"
    root = "eps belongs under the root: sqrt(variance + 1e-5)"
    return [
        (norm(unbiased=True), "the biased variance: unbiased=False divides by the count itself"),
        (norm(eps=0), "eps is missing: sqrt(variance + 1e-5)"),
        (norm(eps=0, unbiased=True), "eps is missing, and the variance is the biased one"),
        ((x - mean) / (variance.sqrt() + 1e-5), root),
        ((x - mean) / (spread + 1e-5), f"{root}, of the biased variance"),
        (norm(eps=1e-3), "eps is 1e-5"),
        (norm(eps=1e-8), "eps is 1e-5"),
        ((x - mean) / (variance + 1e-5), "divide by the root of the variance"),
        (x - mean, "divide by the spread as well: the root of the variance + eps"),
        (x / (variance + 1e-5).sqrt(), "subtract the mean first"),
        (x - mean / (variance + 1e-5).sqrt(), "brackets: (x - mean) / ..."),
        (norm((2, 3)), f"that looks at each image alone: {over}"),
        (norm((1, 2, 3)), f"that looks at each image alone: {over}"),
        (norm((0,)), f"that looks at each place alone: {over}"),
        (norm((0, 1, 2, 3)), f"each channel has its own mean: {over}, without dim 1"),
        (norm((1,)), f"the channels are dim 1, and they stay apart: {over}"),
        (norm((0, 1)), f"the channels are dim 1, and they stay apart: {over}"),
    ]


# 02.9 -----------------------------------------------------------------------------------------


def rotation_matrices(degrees):
    angle = torch.deg2rad(degrees)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    first = torch.stack([cos, -sin, zero], dim=1)
    second = torch.stack([sin, cos, zero], dim=1)
    return torch.stack([first, second], dim=1)


def ask_rotation_matrices(answer: Any) -> None:
    for angles in ([30.0, 90.0, -20.0, 7.0, 135.0], [45.0, -100.0]):
        degrees = torch.tensor(angles)
        want, got = rotation_matrices(degrees), answer(degrees.clone())
        count = len(degrees)
        if isinstance(got, Tensor) and got.shape != want.shape:
            shapes = {
                (2, 3, count): "the matrices come first: stack with dim=1 both times",
                (2, count, 3): "the matrices come first: dim=1 in the last stack, too",
                (3, 2, count): "the matrices come first: stack with dim=1 both times",
                (count, 3, 2): "two rows of three: stack rows, not columns",
                (count, 2, 2): "a third column of zeros: nothing is moved",
                (2, 3): "one matrix for each angle: stack along dim=1",
                (2 * count, 3): "stack the two rows, do not join them: torch.stack, dim=1",
                (count, 6): "stack the two rows, do not join them: torch.stack, dim=1",
            }
            hint = shapes.get(
                tuple(got.shape), "torch.stack three entries to a row, two rows to one"
            )
            raise WrongAnswer(f"shape {tuple(want.shape)}", f"shape {tuple(got.shape)}", hint)
        radians = torch.rad2deg(degrees)  # what forgetting to convert amounts to
        flat = want.clone()
        flat[:, :, 2] = 1
        moved = want[:, :, [2, 0, 1]]
        slips = [
            (rotation_matrices(-degrees), "that turns clockwise: change the sign of both sines"),
            (rotation_matrices(radians), "cos and sin take radians: torch.deg2rad first"),
            (rotation_matrices(-radians), "cos and sin take radians: torch.deg2rad first"),
            (rotation_matrices(degrees / 2), "180 degrees are pi: torch.deg2rad"),
            (rotation_matrices(degrees * 2), "180 degrees are pi: torch.deg2rad"),
            (want[:, [1, 0]], "the row for x comes first: cos, -sin"),
            (want[:, :, [1, 0, 2]], "the diagonal holds the cosines"),
            (want.abs(), "one of the sines has a minus"),
            (_with_sine(want, 1, 1), "one of the two sines has a minus, the first"),
            (_with_sine(want, -1, -1), "one of the two sines has a minus, not both"),
            (want[:1].expand_as(want), "one matrix for each angle, not the first one's for all"),
            (want[-1:].expand_as(want), "one matrix for each angle, not the last one's for all"),
            (flat, "the third column is 0: nothing is moved sideways"),
            (moved, "the column of zeros comes last"),
        ]
        hint = "rows (cos, -sin, 0) and (sin, cos, 0) for each angle"
        expect_close(got, want, hint, slips=slips)


def _with_sine(matrices: Tensor, first: int, second: int) -> Tensor:
    """The same matrices with both sines' signs given."""
    sine, spoiled = matrices[:, 1, 0], matrices.clone()
    spoiled[:, 0, 1], spoiled[:, 1, 0] = first * sine, second * sine
    return spoiled


# What several checks share --------------------------------------------------------------------


def _expect_whole(got: Any, want: int, hint: str, slips: Slips) -> None:
    """`got` is the whole number `want`."""
    if got is None:
        raise WrongAnswer(want, "None (is a return missing?)", "return the number")
    if isinstance(got, float) and got == want:
        raise WrongAnswer(f"the whole number {want}", got, "whole steps only: //, not /")
    expect_close(got, want, hint, slips=slips)


EXERCISES = [
    Exercise("02.1", conv_size, ask_conv_size),
    Exercise("02.2", transposed_size, ask_transposed_size),
    Exercise("02.3", build_classifier, ask_build_classifier),
    Exercise("02.4", build_dc_generator, ask_build_dc_generator),
    Exercise("02.5", initialize_weights, ask_initialize_weights),
    Exercise("02.6", build_strided_discriminator, ask_build_strided_discriminator),
    Exercise("02.7", build_strided_generator, ask_build_strided_generator),
    Exercise("02.8", batch_norm, ask_batch_norm, learns=True),
    Exercise("02.9", rotation_matrices, ask_rotation_matrices),
]
