"""Every network of the course, and what is needed to build and describe one.

Images are float tensors `(N, C, H, W)` in [-1, 1]; latent vectors ("noise") are `(N, dim)`.
The pairs follow the assignment on generative models of Stanford's CS231n in their layers, so
that parameter counts can be compared; the DCGAN pair goes back to Radford et al. 2015
(arXiv 1511.06434).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .layers import CONVOLUTIONS, TRANSPOSED, fill, need_shapes
from .summary import count_params as count_params  # models hands these two on
from .summary import summarize as summarize
from .validation import may_look, need_choice, need_count, need_module, need_tensor

IMAGE_SHAPE = (1, 28, 28)  # one MNIST digit: channels, height, width
PIXELS = 28 * 28
LEAK = 0.01  # the slope of every LeakyReLU in the pairs on logits
STEEP_LEAK = 0.2  # the same in the pairs that end in a sigmoid (Radford et al. 2015, section 3)
CLASSES = 10  # of digits, for networks that are told which
WEIGHTED = (nn.Linear, *CONVOLUTIONS, *TRANSPOSED)  # layers that multiply by weights
TOO_LARGE = 16  # for a pixel: noise may be added to [-1, 1], but this is [0, 255] left unscaled


class ToVector(nn.Module):
    """`(N, 784)` or `(N, 1, 28, 28)` -> `(N, 784)`. Anything else is a `ValueError`."""

    def forward(self, images: Tensor) -> Tensor:
        return _expect_digits(images).reshape(-1, PIXELS)


class ToImage(nn.Module):
    """`(N, 784)` or `(N, 1, 28, 28)` -> `(N, 1, 28, 28)`. Anything else is a `ValueError`."""

    def forward(self, images: Tensor) -> Tensor:
        return _expect_digits(images).reshape(-1, *IMAGE_SHAPE)


def unflatten_digits(images: Any) -> Any:
    """Digits given as `(N, 784)` as `(N, 1, 28, 28)`; anything else as it is."""
    if isinstance(images, Tensor) and images.ndim == 2 and images.shape[1] == PIXELS:
        return images.reshape(-1, *IMAGE_SHAPE)
    return images


class Latent(nn.Module):
    """Passes latent vectors `(N, dim)` on, and says what is wrong with anything else."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, noise: Tensor) -> Tensor:
        return need_tensor(noise, "noise", shape=(None, self.dim))

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


def build_discriminator() -> nn.Sequential:
    """The MLP discriminator: digits in, one logit each `(N, 1)` out. 267,009 parameters."""
    return nn.Sequential(
        ToVector(),
        nn.Linear(PIXELS, 256),
        nn.LeakyReLU(LEAK),
        nn.Linear(256, 256),
        nn.LeakyReLU(LEAK),
        nn.Linear(256, 1),
    )


def build_generator(noise_dim: int = 96) -> nn.Sequential:
    """The MLP generator: noise `(N, noise_dim)` in, digits `(N, 1, 28, 28)` in [-1, 1] out.

    1,858,320 parameters at `noise_dim=4`, and 1,024 more for each further dimension.
    """
    return nn.Sequential(
        Latent(need_count(noise_dim, "noise_dim")),
        nn.Linear(noise_dim, 1024),
        nn.ReLU(),
        nn.Linear(1024, 1024),
        nn.ReLU(),
        nn.Linear(1024, PIXELS),
        nn.Tanh(),
        ToImage(),
    )


def build_sigmoid_discriminator(hidden_size: int = 256) -> nn.Sequential:
    """An MLP that ends in a sigmoid: digits in, D(x) in [0, 1] out, `(N, 1)`.

    533,505 parameters at `hidden_size=256`: 784 -> 2 h -> h -> 1.
    """
    need_count(hidden_size, "hidden_size")
    return nn.Sequential(
        ToVector(),
        nn.Linear(PIXELS, 2 * hidden_size),
        nn.LeakyReLU(STEEP_LEAK),
        nn.Linear(2 * hidden_size, hidden_size),
        nn.LeakyReLU(STEEP_LEAK),
        nn.Linear(hidden_size, 1),
        nn.Sigmoid(),
    )


def build_leaky_generator(noise_dim: int = 96, hidden_size: int = 256) -> nn.Sequential:
    """An MLP with LeakyReLU: noise `(N, noise_dim)` in, digits `(N, 1, 28, 28)` in [-1, 1] out.

    558,608 parameters at the defaults: noise -> h -> 2 h -> 784.
    """
    need_count(hidden_size, "hidden_size")
    return nn.Sequential(
        Latent(need_count(noise_dim, "noise_dim")),
        nn.Linear(noise_dim, hidden_size),
        nn.LeakyReLU(STEEP_LEAK),
        nn.Linear(hidden_size, 2 * hidden_size),
        nn.LeakyReLU(STEEP_LEAK),
        nn.Linear(2 * hidden_size, PIXELS),
        nn.Tanh(),
        ToImage(),
    )


def build_relu_generator(noise_dim: int = 96, hidden_size: int = 256) -> nn.Sequential:
    """An MLP with ReLU: noise `(N, noise_dim)` in, digits `(N, 1, 28, 28)` in [-1, 1] out.

    The generator that lesson 1 builds; layers and counts as `build_leaky_generator`.
    """
    need_count(hidden_size, "hidden_size")
    return nn.Sequential(
        Latent(need_count(noise_dim, "noise_dim")),
        nn.Linear(noise_dim, hidden_size),
        nn.ReLU(),
        nn.Linear(hidden_size, 2 * hidden_size),
        nn.ReLU(),
        nn.Linear(2 * hidden_size, PIXELS),
        nn.Tanh(),
        ToImage(),
    )


def build_dc_classifier() -> nn.Sequential:
    """The convolutional discriminator with max pooling: digits in, `(N, 1)` logits out.

    1,102,721 parameters. Sides: 28 -conv 5-> 24 -pool-> 12 -conv 5-> 8 -pool-> 4.
    """
    return nn.Sequential(
        ToImage(),
        nn.Conv2d(1, 32, kernel_size=5),
        nn.LeakyReLU(LEAK),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, kernel_size=5),
        nn.LeakyReLU(LEAK),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 64 * 4 * 4),
        nn.LeakyReLU(LEAK),
        nn.Linear(64 * 4 * 4, 1),
    )


def build_dc_generator(noise_dim: int = 96) -> nn.Sequential:
    """The convolutional generator with batch norm: noise in, `(N, 1, 28, 28)` in [-1, 1] out.

    6,580,801 parameters at `noise_dim=4`, and 1,024 more for each further dimension.
    Sides: 7 -transposed conv 4, stride 2-> 14 -the same-> 28.
    """
    return nn.Sequential(
        Latent(need_count(noise_dim, "noise_dim")),
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
        ToImage(),
    )


def build_strided_discriminator() -> nn.Sequential:
    """Strided convolutions with batch norm: digits in, `(N, 1)` logits out. 109,473 parameters.

    Sides: 28 -> 14 -> 7 -> 4. A convolution before batch norm has no bias: the norm would take
    it away again.
    """
    return nn.Sequential(
        ToImage(),
        nn.Conv2d(1, 32, kernel_size=4, stride=2, padding=1),
        nn.LeakyReLU(STEEP_LEAK),
        nn.Conv2d(32, 64, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(STEEP_LEAK),
        nn.Conv2d(64, 128, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(STEEP_LEAK),
        nn.Flatten(),
        nn.Linear(128 * 4 * 4, 1),
    )


def build_strided_generator(noise_dim: int = 64) -> nn.Sequential:
    """Transposed convolutions with batch norm: noise in, `(N, 1, 28, 28)` in [-1, 1] out.

    238,529 parameters at `noise_dim=64`, and 2,048 for each further dimension.
    Sides: 1 -> 4 -> 7 -> 14 -> 28, the way of `build_strided_discriminator` backwards.
    """
    return nn.Sequential(
        Latent(need_count(noise_dim, "noise_dim")),
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


class ProjectionDiscriminator(nn.Module):
    """Strided convolutions that score a digit and whether it is the one asked for.

    With h what the convolutions see in an image, the score is `w·h + b + e(label)·h`: the first
    part asks whether it is a digit, the second whether it is this one; e(label) is a vector that
    each label learns, 0 at the start. 129,953 parameters. Source: Miyato and Koyama 2018 (arXiv
    1802.05637), equation 3.
    """

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        *layers, self.score = build_strided_discriminator()
        self.features = nn.Sequential(*layers)
        self.embedding = nn.Embedding(classes, self.score.in_features)
        nn.init.zeros_(self.embedding.weight)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits `(N, 1)` for images and their labels, int64 `(N,)`.

        Without labels the score is its first part: is it a digit at all?
        """
        h = self.features(images)
        if labels is None:
            return self.score(h)
        return self.score(h) + (self.embedding(labels) * h).sum(dim=1, keepdim=True)


def build_conditional_generator(noise_dim: int = 64) -> nn.Sequential:
    """The strided generator, told which digit to draw: latents `(N, noise_dim + 10)`.

    Behind the noise stands the label, one-hot (`join_labels`). The first layer's weights for
    it are what each label learns: a pattern of its own, added to that of the noise. 259,009
    parameters at `noise_dim=64`.
    """
    return build_strided_generator(need_count(noise_dim, "noise_dim") + CLASSES)


def build_cifar10_discriminator() -> nn.Sequential:
    """Strided convolutions with batch norm and dropout: `(N, 3, 32, 32)` in, D(x) `(N, 1)` out.

    663,361 parameters. Sides: 32 -> 16 -> 8 -> 4 -> 1. It ends in a sigmoid.
    """
    return nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=4, stride=2, padding=1),
        nn.LeakyReLU(STEEP_LEAK),
        nn.Dropout2d(0.25),
        nn.Conv2d(64, 128, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(STEEP_LEAK),
        nn.Dropout2d(0.25),
        nn.Conv2d(128, 256, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(256),
        nn.LeakyReLU(STEEP_LEAK),
        nn.Conv2d(256, 1, kernel_size=4),
        nn.Flatten(),
        nn.Sigmoid(),
    )


def build_cifar10_generator(noise_dim: int = 100) -> nn.Sequential:
    """Transposed convolutions with batch norm: noise in, `(N, 3, 32, 32)` in [-1, 1] out.

    1,068,931 parameters at `noise_dim=100`, and 4,096 for each further dimension.
    Sides: 1 -> 4 -> 8 -> 16 -> 32.
    """
    return nn.Sequential(
        Latent(need_count(noise_dim, "noise_dim")),
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


def build_deep_discriminator() -> nn.Sequential:
    """Six convolutions and no norm: `(N, 3, 32, 32)` in, `(N, 1)` logits out.

    1,437,569 parameters. Sides: 32 -> 16 -> 16 -> 8 -> 8 -> 4 -> 4. Without a norm that would scale
    what passes, the weights begin as He's rule has it. It wants a penalty on its gradient
    (`losses.r1_penalty`).
    """
    network = nn.Sequential(
        *_leaky_convs(3, 64),
        *_leaky_convs(64, 128),
        *_leaky_convs(128, 256),
        nn.Flatten(),
        nn.Linear(256 * 4 * 4, 1),
    )
    return network.apply(initialize_for_leaks)


def _leaky_convs(wide_in: int, wide_out: int) -> tuple[nn.Module, ...]:
    """A convolution that halves the side, and one that keeps it, each with LeakyReLU."""
    halve = nn.Conv2d(wide_in, wide_out, kernel_size=4, stride=2, padding=1)
    keep = nn.Conv2d(wide_out, wide_out, kernel_size=3, padding=1)
    return halve, nn.LeakyReLU(STEEP_LEAK), keep, nn.LeakyReLU(STEEP_LEAK)


def build_deep_generator(noise_dim: int = 128) -> nn.Sequential:
    """Transposed convolutions with plain ones between: noise in, `(N, 3, 32, 32)` in [-1, 1] out.

    1,368,323 parameters at `noise_dim=128`, and 4,096 for each further dimension.
    Sides: 4 -> 8 -> 8 -> 16 -> 16 -> 32.
    """
    return nn.Sequential(
        Latent(need_count(noise_dim, "noise_dim")),
        nn.Linear(noise_dim, 256 * 4 * 4, bias=False),
        nn.Unflatten(1, (256, 4, 4)),
        nn.BatchNorm2d(256),
        nn.ReLU(),
        *_double_block(256, 128),
        *_conv_block(128, 128),
        *_double_block(128, 64),
        *_conv_block(64, 64),
        nn.ConvTranspose2d(64, 3, kernel_size=4, stride=2, padding=1),
        nn.Tanh(),
    )


def _double_block(wide_in: int, wide_out: int) -> tuple[nn.Module, ...]:
    """A transposed convolution that doubles the side, norm, ReLU."""
    conv = nn.ConvTranspose2d(wide_in, wide_out, kernel_size=4, stride=2, padding=1, bias=False)
    return conv, nn.BatchNorm2d(wide_out), nn.ReLU()


def build_mnist_classifier() -> nn.Sequential:
    """The network that judges digits: `(N, 1, 28, 28)` in, ten logits `(N, 10)` out.

    288,042 parameters, in two parts: `.features` gives `(N, 128)`, from which `.head` tells the
    ten classes. Sides: 28 -> 14 -> 7 -> 3.
    """
    features = nn.Sequential(
        *_conv_block(1, 32),
        *_conv_block(32, 32, stride=2),
        *_conv_block(32, 64),
        *_conv_block(64, 64, stride=2),
        *_conv_block(64, 128),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128 * 3 * 3, 128),
        nn.ReLU(),
    )
    return nn.Sequential(OrderedDict(features=features, head=nn.Linear(128, 10)))


def build_few_digits_classifier() -> nn.Sequential:
    """A small classifier that learns in seconds: `(N, 1, 28, 28)` in, ten logits `(N, 10)` out.

    114,314 parameters. Sides: 28 -> 14 -> 7.
    """
    return nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, kernel_size=5, stride=2, padding=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 64),
        nn.ReLU(),
        nn.Linear(64, CLASSES),
    )


def build_cifar10_classifier() -> nn.Sequential:
    """The network that judges colour images: `(N, 3, 32, 32)` in, ten logits `(N, 10)` out.

    1,198,122 parameters, in two parts as in `build_mnist_classifier`. Sides: 32 -> 16 -> 8 -> 4.
    """
    features = nn.Sequential(
        *_conv_block(3, 32),
        nn.MaxPool2d(2),
        *_conv_block(32, 64),
        *_conv_block(64, 64),
        nn.MaxPool2d(2),
        *_conv_block(64, 128),
        *_conv_block(128, 128),
        nn.MaxPool2d(2),
        *_conv_block(128, 256),
        *_conv_block(256, 256),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(256, 128),
        nn.ReLU(),
    )
    return nn.Sequential(OrderedDict(features=features, head=nn.Linear(128, 10)))


def _conv_block(wide_in: int, wide_out: int, stride: int = 1) -> tuple[nn.Module, ...]:
    """A 3 x 3 convolution (without the bias that batch norm would take away), norm, ReLU."""
    conv = nn.Conv2d(wide_in, wide_out, kernel_size=3, stride=stride, padding=1, bias=False)
    return conv, nn.BatchNorm2d(wide_out), nn.ReLU()


def initialize_weights(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases for one layer: use as `G.apply(initialize_weights)`.

    Touches `Linear` and every convolution, transposed or not, in 1, 2 or 3 dimensions; also under
    spectral norm, weight norm and the like, as `layers.fill` says. Leaves alone: norms,
    `Embedding`, recurrent layers, bare parameters. Source: Glorot and Bengio 2010, "Understanding
    the difficulty of training deep feedforward neural networks".

    Raises:
        ValueError: a lazy layer that has seen no batch: run `G(batch)` once first.
    """
    need_module(module, "module")
    if isinstance(module, WEIGHTED):
        _initialize(module, nn.init.xavier_uniform_)


def initialize_for_leaks(module: nn.Module) -> None:
    """He's normal weights for LeakyReLU(0.2), and zero biases: `D.apply(initialize_for_leaks)`.

    Each layer then hands on signals about as large as it gets them, which a network without batch
    norm needs. Touches `Linear` and the convolutions, under spectral norm and the like as
    `initialize_weights` does; not the transposed ones, to which the rule does not apply. Source:
    He et al. 2015 (arXiv 1502.01852), section 2.2.

    Raises:
        ValueError: a lazy layer that has seen no batch: run `D(batch)` once first.
    """
    need_module(module, "module")
    if isinstance(module, (nn.Linear, *CONVOLUTIONS)):
        _initialize(module, partial(nn.init.kaiming_normal_, a=STEEP_LEAK))


def _initialize(layer: nn.Module, draw: Callable[[Tensor], Tensor]) -> None:
    fill(layer, "weight", draw)
    if layer.bias is not None:
        fill(layer, "bias", nn.init.zeros_)


def use_spectral_norm(network: nn.Module) -> nn.Module:
    """Divide the weights of every linear layer and convolution by their largest stretch.

    That is the largest singular value of the weights as a matrix (C, the rest). A linear layer then
    stretches no input by more than a factor of 1; a convolution may, by somewhat more, as its
    patches overlap. One step of the power iteration a forward pass in training keeps the estimate
    up to date. Returns the network, changed in place. Source: Miyato et al. 2018
    (arXiv 1802.05957).

    Raises:
        ValueError: a lazy layer that has seen no batch: run `network(batch)` once first.
    """
    for layer in list(need_shapes(network, "network").modules()):
        if isinstance(layer, WEIGHTED):
            spectral_norm(layer)
    return network


def sample_noise(
    batch_size: int,
    dim: int,
    kind: str = "uniform",
    device: torch.device | str | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Latent vectors `(batch_size, dim)`.

    Args:
        batch_size: how many vectors.
        dim: how long each is.
        kind: "uniform" in [-1, 1), or "normal" with mean 0 and standard deviation 1.
        device: where to draw them; the CPU if not given.
        generator: the source of randomness; torch's global one if not given.
    """
    shape = need_count(batch_size, "batch_size"), need_count(dim, "dim")
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(f"generator: expected a torch.Generator, got {type(generator).__name__}")
    if need_choice(kind, "kind", ("uniform", "normal")) == "normal":
        return torch.randn(shape, device=device, generator=generator)
    noise = torch.rand(shape, device=device, generator=generator)
    return noise.mul_(2).sub_(1)


def join_labels(noise: Tensor, labels: Tensor, classes: int = CLASSES) -> Tensor:
    """Latents `(N, dim + classes)` for a conditional generator: the noise, then each label one-hot.

    Args:
        noise: `(N, dim)`.
        labels: int64 `(N,)`, from 0 to classes - 1.
        classes: how many labels there are.

    Raises:
        TypeError, ValueError: labels of another number or kind, or outside that range.
    """
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        what = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise TypeError(f"labels: expected int64 labels (N,), got {what}")
    if labels.shape != noise.shape[:1]:
        raise ValueError(
            f"labels: expected one for each of {len(noise)} latents, got {tuple(labels.shape)}"
        )
    if may_look(labels) and len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"labels: expected 0 to {classes - 1}, got {labels.min()} to {labels.max()}"
        )
    return torch.cat([noise, nn.functional.one_hot(labels, classes).to(noise)], dim=1)


def complete_latents(noise: Tensor, classes: int) -> Tensor:
    """Noise as a generator with so many labels takes it: each label in turn; 0 is no label."""
    if classes == 0:
        return noise
    labels = torch.arange(len(noise), device=noise.device) % classes
    return join_labels(noise, labels, classes)


def _expect_digits(images: Tensor) -> Tensor:
    """`images` if it is a float batch of 784 pixels each, in one of the two known shapes.

    As in `need_tensor`, values are looked at where `may_look` says so.
    """
    need_tensor(images, "images")
    if images.ndim not in (2, 4) or images.shape[1:] not in ((PIXELS,), IMAGE_SHAPE):
        raise ValueError(
            f"images: expected shape (N, 784) or (N, 1, 28, 28), got {tuple(images.shape)}"
        )
    if may_look(images) and images.numel() and images.detach().abs().max() > TOO_LARGE:
        raise ValueError(
            f"images: expected floats in [-1, 1], got values up to {images.abs().max():.4g}; "
            "if it is [0, 255], divide by 127.5 and subtract 1"
        )
    return images
