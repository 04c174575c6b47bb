"""The networks against the same layers written out by hand, and what describes and starts them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers import assert_complains, bad_inputs, read_arguments, steady
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.losses import generator_loss
from course_utils.models import (
    Latent,
    ToImage,
    build_cifar10_discriminator,
    build_cifar10_generator,
    build_dc_classifier,
    build_dc_generator,
    build_deep_discriminator,
    build_deep_generator,
    build_discriminator,
    build_generator,
    build_leaky_generator,
    build_relu_generator,
    build_sigmoid_discriminator,
    build_strided_discriminator,
    build_strided_generator,
    count_params,
    initialize_for_leaks,
    initialize_weights,
    sample_noise,
    summarize,
    use_spectral_norm,
)
from course_utils.shipped import pack

DISCRIMINATORS = (build_discriminator, build_dc_classifier, build_strided_discriminator)
GENERATORS = (build_generator, build_dc_generator, build_strided_generator, build_relu_generator)


pytestmark = pytest.mark.usefixtures("own_randomness")


def digits(count: int = 3) -> Tensor:
    return torch.rand(count, 1, 28, 28) * 2 - 1


def colours(count: int = 3) -> Tensor:
    return torch.rand(count, 3, 32, 32) * 2 - 1


# --- size and shape --------------------------------------------------------------------------


def test_the_counts_of_the_assignment():
    assert count_params(build_discriminator()) == 267_009
    assert count_params(build_generator(noise_dim=4)) == 1_858_320
    assert count_params(build_dc_classifier()) == 1_102_721
    assert count_params(build_dc_generator(noise_dim=4)) == 6_580_801


@pytest.mark.parametrize(
    "build, at_four", [(build_generator, 1_858_320), (build_dc_generator, 6_580_801)]
)
@pytest.mark.parametrize("noise_dim", [1, 5, np.int64(64)])
def test_each_dimension_of_noise_costs_1024_weights(build, at_four, noise_dim):
    assert count_params(build(noise_dim)) == at_four + 1024 * (int(noise_dim) - 4)


@pytest.mark.parametrize("build", GENERATORS)
def test_noise_has_its_dimensions_unless_told_otherwise(build):
    dim = 64 if build is build_strided_generator else 96
    assert build()(torch.randn(2, dim)).shape == (2, 1, 28, 28)


@pytest.mark.parametrize("build", DISCRIMINATORS)
@pytest.mark.parametrize("count", [1, 3])
def test_one_logit_an_image_flat_or_not(build, count):
    D, images = build(), digits(count)
    logits = D(images)
    assert logits.shape == (count, 1)
    assert torch.equal(logits, D(images.reshape(count, 784)))
    assert logits.requires_grad


@pytest.mark.parametrize("build", GENERATORS)
@pytest.mark.parametrize("scale", [1, 1000])
def test_generated_pixels_lie_in_minus_one_to_one(build, scale):
    images = build(4)(torch.randn(5, 4) * scale)
    assert images.shape == (5, 1, 28, 28)
    assert images.min() >= -1 and images.max() <= 1
    assert images.min() < -0.01 and images.max() > 0.01  # both signs occur


@pytest.mark.parametrize("build", DISCRIMINATORS)
def test_logits_have_no_limits(build):
    D = build()
    with torch.no_grad():
        D[-1].weight.mul_(1000)
    logits = D(digits(50))
    assert logits.abs().max() > 2


PAIRS = dict(zip(("mlp", "dc", "strided"), zip(DISCRIMINATORS, GENERATORS)))
PAIRS["deep"] = build_deep_discriminator, build_deep_generator


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_gradients_reach_every_weight_of_the_pair(pair):
    D, G = pair[0](), pair[1](4)
    generator_loss(D(G(sample_noise(8, 4)))).backward()
    for name, p in (*D.named_parameters(), *G.named_parameters()):
        assert p.grad is not None and p.grad.abs().sum() > 0, name


# --- the pairs that end in a sigmoid ---------------------------------------------------------


def linear_params(*sizes: int) -> int:
    return sum(i * o + o for i, o in pairwise(sizes))


@pytest.mark.parametrize("hidden", [1, 64, 256])
def test_hidden_size_decides_the_mlps_of_lesson_1(hidden):
    D = build_sigmoid_discriminator(hidden)
    assert count_params(D) == linear_params(784, 2 * hidden, hidden, 1)
    assert count_params(build_sigmoid_discriminator()) == 533_505
    for build in (build_leaky_generator, build_relu_generator):
        assert count_params(build(96, hidden)) == linear_params(96, hidden, 2 * hidden, 784)
        assert count_params(build()) == 558_608


def test_the_two_generators_of_lesson_1_differ_in_their_activation_only():
    leaky_one, plain = build_leaky_generator(5, 7), build_relu_generator(5, 7)
    assert [type(layer) for layer in plain] == [
        nn.ReLU if isinstance(layer, nn.LeakyReLU) else type(layer) for layer in leaky_one
    ]
    plain.load_state_dict(leaky_one.state_dict())
    noise = torch.randn(3, 5)
    assert not torch.equal(plain(noise), leaky_one(noise))
    for layer in leaky_one:
        if isinstance(layer, nn.LeakyReLU):
            layer.negative_slope = 0.0  # a leak of nothing
    torch.testing.assert_close(plain(noise), leaky_one(noise))


def test_the_counts_of_the_strided_pair():
    """Windows of 4 x 4 and 3 x 3; two numbers a channel for batch norm; no bias before it."""
    d = (16 * 1 * 32 + 32) + (16 * 32 * 64 + 2 * 64) + (9 * 64 * 128 + 2 * 128) + (128 * 16 + 1)
    g = (
        (16 * 64 * 128 + 2 * 128)
        + (9 * 128 * 64 + 2 * 64)
        + (16 * 64 * 32 + 2 * 32)
        + (16 * 32 + 1)
    )
    assert count_params(build_strided_discriminator()) == d == 109_473
    assert count_params(build_strided_generator()) == g == 238_529
    assert count_params(build_strided_generator(65)) == g + 2048


UP = [nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU]
BLOCKS = {  # what goes in, the layers, and the shapes that convolutions give
    "strided D": (
        build_strided_discriminator,
        lambda: digits(2),
        [nn.Conv2d, nn.LeakyReLU] + 2 * [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU]
        + [nn.Flatten, nn.Linear],
        [(32, 14, 14), (64, 7, 7), (128, 4, 4)],
    ),
    "strided G": (
        build_strided_generator,
        lambda: torch.randn(2, 64),
        [nn.Unflatten] + 3 * UP + [nn.ConvTranspose2d, nn.Tanh],
        [(128, 4, 4), (64, 7, 7), (32, 14, 14), (1, 28, 28)],
    ),
    "deep D": (
        build_deep_discriminator,
        lambda: colours(2),
        6 * [nn.Conv2d, nn.LeakyReLU] + [nn.Flatten, nn.Linear],
        [(64, 16, 16), (64, 16, 16), (128, 8, 8), (128, 8, 8), (256, 4, 4), (256, 4, 4)],
    ),
    "deep G": (
        build_deep_generator,
        lambda: torch.randn(2, 128),
        [nn.Linear, nn.Unflatten, nn.BatchNorm2d, nn.ReLU]
        + 2 * [*UP, nn.Conv2d, nn.BatchNorm2d, nn.ReLU] + [nn.ConvTranspose2d, nn.Tanh],
        [(128, 8, 8), (128, 8, 8), (64, 16, 16), (64, 16, 16), (3, 32, 32)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("build, inputs, layers, sides", BLOCKS.values(), ids=BLOCKS)
def test_the_pairs_block_by_block(build, inputs, layers, sides):
    network, x = build(), inputs()
    ours = (ToImage, Latent)  # those only look at their input
    assert [type(layer) for layer in network if not isinstance(layer, ours)] == layers
    seen = []
    for layer in network:
        x = layer(x)
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            seen.append(tuple(x.shape[1:]))
    assert seen == sides


@pytest.mark.parametrize("build", [block[0] for block in BLOCKS.values()], ids=BLOCKS)
def test_a_convolution_before_batch_norm_has_no_bias_and_any_other_has(build):
    for layer, following in pairwise(build()):
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            assert (layer.bias is None) == isinstance(following, nn.BatchNorm2d)


def test_the_counts_of_the_cifar10_pair():
    """Weights of 4 x 4 windows; two numbers a channel for batch norm; no bias before it."""
    d = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256) + 64 + 1 + 2 * (128 + 256)
    g = 16 * (100 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 3 + 2 * (256 + 128 + 64)
    assert count_params(build_cifar10_discriminator()) == d == 663_361
    assert count_params(build_cifar10_generator()) == g == 1_068_931
    assert count_params(build_cifar10_generator(101)) == g + 4096


# --- the deep pair ---------------------------------------------------------------------------


def test_the_counts_of_the_deep_pair():
    """D: a window of 4 x 4 and one of 3 x 3 at each width, all with a bias; then 4 x 4 x 256 to 1.

    G: a linear layer, windows of 4 x 4 and 3 x 3 in turns, two numbers a channel for batch norm.
    """
    d = sum(16 * i * o + o + 9 * o * o + o for i, o in ((3, 64), (64, 128), (128, 256)))
    d += 256 * 4 * 4 + 1
    g = 128 * 256 * 4 * 4 + 2 * 256
    g += sum(16 * i * o + 2 * o + 9 * o * o + 2 * o for i, o in ((256, 128), (128, 64)))
    g += 16 * 64 * 3 + 3
    assert count_params(build_deep_discriminator()) == d == 1_437_569
    assert count_params(build_deep_generator()) == g == 1_368_323
    assert count_params(build_deep_generator(129)) == g + 4096
    assert count_params(build_deep_generator(1)) == g - 127 * 4096


def test_the_deep_pairs_images_and_logits():
    D, G = build_deep_discriminator(), build_deep_generator(4)
    images = G(torch.randn(5, 4) * 100)
    assert images.shape == (5, 3, 32, 32) and images.abs().max() <= 1
    assert images.min() < -0.01 and images.max() > 0.01
    assert D(images).shape == (5, 1) and D(images).requires_grad
    with torch.no_grad():
        D[-1].weight.mul_(1000)
    assert D(images).abs().max() > 2  # no limits


def test_the_deep_generator_in_half_precision_is_small_enough_to_ship():
    assert len(save(pack(build_deep_generator()))) < 3_000_000


@torch.no_grad()
def test_the_deep_discriminator_looks_at_each_image_by_itself():
    """In training, too: the penalty on its gradient is that of each image alone."""
    D, images = build_deep_discriminator(), colours(4)
    assert D.training
    torch.testing.assert_close(D(images), torch.cat([D(image[None]) for image in images]))
    assert torch.equal(D(images), D(images))  # no dropout
    torch.testing.assert_close(D(images), D.eval()(images), rtol=0, atol=0)


@torch.no_grad()
def test_signals_keep_their_size_all_through_the_deep_discriminator():
    """With the weights that torch begins with, little of them would arrive."""
    images = torch.randn(32, 3, 32, 32)

    def measure_sizes(D: nn.Sequential) -> list[float]:
        x, sizes = images, []
        for layer in D:
            x = layer(x)
            if isinstance(layer, nn.Conv2d):
                sizes.append(float(x.std()))
        return sizes

    D = build_deep_discriminator()
    sizes = measure_sizes(D)
    assert len(sizes) == 6 and all(0.5 < size < 2 for size in sizes)
    for layer in D:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.reset_parameters()
    assert measure_sizes(D)[-1] < 0.1


@pytest.mark.parametrize(
    "build_D, build_G, shape",
    [
        (build_sigmoid_discriminator, build_leaky_generator, (1, 28, 28)),
        (build_cifar10_discriminator, build_cifar10_generator, (3, 32, 32)),
    ],
)
def test_images_in_minus_one_to_one_and_probabilities(build_D, build_G, shape):
    images = build_G(4)(torch.randn(5, 4) * 100)
    assert images.shape == (5, *shape) and images.abs().max() <= 1
    assert images.min() < -0.01 and images.max() > 0.01
    beliefs = build_D()(images)
    assert beliefs.shape == (5, 1)
    assert ((beliefs >= 0) & (beliefs <= 1)).all()
    (-beliefs.log().mean()).backward()


@pytest.mark.parametrize(
    "build",
    [
        build_sigmoid_discriminator,
        build_leaky_generator,
        build_cifar10_discriminator,
        build_deep_discriminator,
        build_strided_discriminator,
    ],
)
def test_their_leak_is_a_fifth(build):
    slopes = {m.negative_slope for m in build().modules() if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.2}


# --- layer by layer: the same mathematics written out by hand, in float64 --------------------


def leaky(x: Tensor, slope: float = 0.01) -> Tensor:
    return torch.where(x > 0, x, slope * x)


def batch_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Ioffe and Szegedy 2015 (arXiv 1502.03167), algorithm 1, for `(N, C)` and `(N, C, H, W)`."""
    others = [axis for axis in range(x.ndim) if axis != 1]
    mean = x.mean(others, keepdim=True)
    variance = ((x - mean) ** 2).mean(others, keepdim=True)
    shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
    return (x - mean) / (variance + 1e-5).sqrt() * weight.view(shape) + bias.view(shape)


def mlp_discriminator(x, w1, b1, w2, b2, w3, b3):
    x = leaky(x.reshape(len(x), 784) @ w1.T + b1)
    return leaky(x @ w2.T + b2) @ w3.T + b3


def mlp_generator(z, w1, b1, w2, b2, w3, b3):
    x = (z @ w1.T + b1).clamp(min=0)
    x = (x @ w2.T + b2).clamp(min=0)
    return (x @ w3.T + b3).tanh().reshape(len(z), 1, 28, 28)


def dc_classifier(x, k1, c1, k2, c2, w1, b1, w2, b2):
    def pool(x):  # the largest of each two by two pixels
        return x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).amax((3, 5))

    x = pool(leaky(F.conv2d(x, k1, c1)))
    x = pool(leaky(F.conv2d(x, k2, c2)))
    x = leaky(x.reshape(len(x), 1024) @ w1.T + b1)
    return x @ w2.T + b2


def dc_generator(z, w1, b1, g1, h1, w2, b2, g2, h2, k1, c1, g3, h3, k2, c2):
    x = batch_norm((z @ w1.T + b1).clamp(min=0), g1, h1)
    x = batch_norm((x @ w2.T + b2).clamp(min=0), g2, h2).reshape(len(z), 128, 7, 7)
    x = F.conv_transpose2d(x, k1, c1, stride=2, padding=1)
    x = batch_norm(x.clamp(min=0), g3, h3)
    return F.conv_transpose2d(x, k2, c2, stride=2, padding=1).tanh()


def strided_discriminator(x, k1, c1, k2, g2, h2, k3, g3, h3, w, b):
    x = leaky(F.conv2d(x, k1, c1, stride=2, padding=1), 0.2)
    x = leaky(batch_norm(F.conv2d(x, k2, stride=2, padding=1), g2, h2), 0.2)
    x = leaky(batch_norm(F.conv2d(x, k3, stride=2, padding=1), g3, h3), 0.2)
    return x.reshape(len(x), 2048) @ w.T + b


def strided_generator(z, k1, g1, h1, k2, g2, h2, k3, g3, h3, k4, c4):
    x = torch.einsum("nd,dchw->nchw", z, k1)  # from a single pixel: every window is the kernel
    x = batch_norm(x, g1, h1).clamp(min=0)
    x = batch_norm(F.conv_transpose2d(x, k2, stride=2, padding=1), g2, h2).clamp(min=0)
    x = batch_norm(F.conv_transpose2d(x, k3, stride=2, padding=1), g3, h3).clamp(min=0)
    return F.conv_transpose2d(x, k4, c4, stride=2, padding=1).tanh()


def deep_discriminator(x, *parameters):
    *convs, w, b = parameters
    for number, (kernel, bias) in enumerate(zip(convs[::2], convs[1::2])):
        x = leaky(F.conv2d(x, kernel, bias, stride=1 if number % 2 else 2, padding=1), 0.2)
    return x.reshape(len(x), 4096) @ w.T + b


def deep_generator(z, w, g0, h0, k1, g1, h1, k2, g2, h2, k3, g3, h3, k4, g4, h4, k5, c5):
    x = batch_norm((z @ w.T).reshape(len(z), 256, 4, 4), g0, h0).clamp(min=0)
    x = batch_norm(F.conv_transpose2d(x, k1, stride=2, padding=1), g1, h1).clamp(min=0)
    x = batch_norm(F.conv2d(x, k2, padding=1), g2, h2).clamp(min=0)
    x = batch_norm(F.conv_transpose2d(x, k3, stride=2, padding=1), g3, h3).clamp(min=0)
    x = batch_norm(F.conv2d(x, k4, padding=1), g4, h4).clamp(min=0)
    return F.conv_transpose2d(x, k5, c5, stride=2, padding=1).tanh()


@pytest.mark.parametrize(
    "network, by_hand, inputs",
    [
        (build_discriminator, mlp_discriminator, digits),
        (lambda: build_generator(5), mlp_generator, lambda: torch.randn(3, 5)),
        (build_dc_classifier, dc_classifier, digits),
        (lambda: build_dc_generator(5), dc_generator, lambda: torch.randn(3, 5)),
        (build_strided_discriminator, strided_discriminator, digits),
        (lambda: build_strided_generator(5), strided_generator, lambda: torch.randn(3, 5)),
        (lambda: build_relu_generator(5, 6), mlp_generator, lambda: torch.randn(3, 5)),
        (build_deep_discriminator, deep_discriminator, colours),
        (lambda: build_deep_generator(5), deep_generator, lambda: torch.randn(3, 5)),
    ],
    ids=[
        "discriminator",
        "generator",
        "dc classifier",
        "dc generator",
        "strided discriminator",
        "strided generator",
        "relu generator",
        "deep discriminator",
        "deep generator",
    ],
)
@torch.no_grad()
def test_a_network_computes_its_layers(network, by_hand, inputs):
    network, inputs = network().double(), inputs().double()
    for p in network.parameters():
        p.add_(0.1 * torch.randn_like(p))  # so that no bias is 0 and no scale 1
    expected = by_hand(inputs, *network.parameters())
    torch.testing.assert_close(network(inputs), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "build", [build_dc_generator, build_strided_generator, build_deep_generator]
)
def test_batch_norm_uses_its_statistics_once_training_is_over(build):
    G = build(4)
    G(sample_noise(16, 4))
    noise = sample_noise(3, 4)
    G.eval()
    torch.testing.assert_close(G(noise)[:1], G(noise[:1]))  # no image depends on its neighbours
    G.train()
    assert not torch.allclose(G(noise)[:2], G(noise[:2]))


def test_pixels_keep_their_places():
    """Pixel (row, column) of a digit is number 28 row + column of the flat form."""
    D, G = build_discriminator(), build_generator(2)
    with torch.no_grad():
        G[-3].weight.zero_()  # the last Linear: only its bias speaks
        G[-3].bias.zero_()[28 * 3 + 5] = 1.0
        lit = G(torch.zeros(1, 2))[0, 0].nonzero().tolist()
    assert lit == [[3, 5]]
    image = torch.zeros(1, 1, 28, 28, requires_grad=True)
    D(image).backward()
    flat = torch.zeros(1, 784, requires_grad=True)
    D(flat).backward()
    assert torch.equal(image.grad[0, 0, 3, 5], flat.grad[0, 28 * 3 + 5])


# --- initialize_weights ----------------------------------------------------------------------


LAYERS = [
    (nn.Linear(300, 200), 300, 200),
    (nn.Conv2d(8, 16, 5), 8 * 25, 16 * 25),
    (nn.ConvTranspose2d(16, 8, 4, stride=2), 16 * 16, 8 * 16),
]


@pytest.mark.parametrize("layer, fan_in, fan_out", LAYERS, ids=["Linear", "Conv", "ConvTranspose"])
def test_xavier_uniform(layer, fan_in, fan_out):
    nn.init.constant_(layer.bias, 5)
    assert initialize_weights(layer) is None
    bound = math.sqrt(6 / (fan_in + fan_out))  # Glorot and Bengio 2010, equation 16
    weights = layer.weight.detach().double().flatten() / bound
    assert torch.equal(layer.bias, torch.zeros_like(layer.bias))
    assert weights.abs().max() <= 1 and weights.abs().max() > 0.99
    five_sigmas = 5 / math.sqrt(len(weights))
    assert abs(weights.mean()) < five_sigmas * math.sqrt(1 / 3)
    assert abs((weights**2).mean() - 1 / 3) < five_sigmas * math.sqrt(4 / 45)  # a flat histogram


def test_layers_without_a_bias_and_other_layers():
    initialize_weights(nn.Linear(3, 2, bias=False))
    for layer in (nn.BatchNorm1d(4), nn.BatchNorm2d(4), nn.Embedding(3, 2), nn.PReLU(), nn.Tanh()):
        for p in layer.parameters():
            nn.init.constant_(p, 7)
        initialize_weights(layer)
        assert all((p == 7).all() for p in layer.parameters())


def test_apply_reaches_every_layer():
    G = build_dc_generator(4)
    for p in G.parameters():
        nn.init.constant_(p, 7)
    G.apply(initialize_weights)
    changed = {type(layer) for layer in G if any((p != 7).any() for p in layer.parameters())}
    assert changed == {nn.Linear, nn.ConvTranspose2d}


# --- initialize_for_leaks and use_spectral_norm ----------------------------------------------


@pytest.mark.parametrize(
    "layer, fan_in",
    [(nn.Linear(300, 200), 300), (nn.Conv2d(8, 16, 5), 8 * 25)],
    ids=["Linear", "Conv"],
)
def test_hes_weights(layer, fan_in):
    nn.init.constant_(layer.bias, 5)
    assert initialize_for_leaks(layer) is None
    spread = math.sqrt(2 / (1 + 0.2**2) / fan_in)  # He et al. 2015, equation 15
    weights = layer.weight.detach().double().flatten() / spread
    assert torch.equal(layer.bias, torch.zeros_like(layer.bias))
    sigma = 1 / math.sqrt(len(weights))
    assert abs(weights.mean()) < 5 * sigma
    assert abs((weights**2).mean() - 1) < 5 * sigma * math.sqrt(2)
    assert abs((weights**4).mean() - 3) < 5 * sigma * math.sqrt(96)  # bell-shaped, not flat


def test_other_layers_do_not_get_hes_weights():
    initialize_for_leaks(nn.Conv2d(3, 2, 3, bias=False))
    for layer in (nn.ConvTranspose2d(4, 3, 2), nn.BatchNorm2d(4), nn.Embedding(3, 2), nn.PReLU()):
        for p in layer.parameters():
            nn.init.constant_(p, 7)
        initialize_for_leaks(layer)
        assert all((p == 7).all() for p in layer.parameters())


def test_the_deep_discriminator_begins_with_hes_weights():
    for layer in build_deep_discriminator():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            fan_in = layer.weight[0].numel()
            assert layer.bias.abs().max() == 0
            ratio = layer.weight.square().mean() * fan_in * 1.04 / 2
            assert abs(ratio - 1) < 5 * math.sqrt(2 / layer.weight.numel())


def build_for_norm() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.BatchNorm2d(6),
        nn.LeakyReLU(0.2),
        nn.Sequential(nn.ConvTranspose2d(6, 4, 2), nn.Tanh()),
        nn.Flatten(),
        nn.Linear(4 * 5 * 5, 7),
        nn.Linear(7, 1, bias=False),
    )


def read_stretches(network: nn.Module) -> dict[str, float]:
    """The largest singular value of each layer's weight: its outputs against all else."""
    found = {}
    for name, layer in network.named_modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            is_transposed = isinstance(layer, nn.ConvTranspose2d)
            weight = layer.weight.transpose(0, 1) if is_transposed else layer.weight
            found[name] = float(torch.linalg.matrix_norm(weight.flatten(1), 2))
    return found


@torch.no_grad()
def test_no_layer_stretches_by_more_than_one():
    network = build_for_norm()
    for p in network.parameters():
        p.mul_(20)  # so that something is there to be divided
    assert min(read_stretches(network).values()) > 3
    assert use_spectral_norm(network) is network
    images = torch.randn(4, 3, 8, 8)
    for _ in range(50):
        network(images)
    stretches = read_stretches(network)
    assert stretches.keys() == {"0", "3.0", "5", "6"}
    assert all(abs(stretch - 1) < 0.02 for stretch in stretches.values())


@torch.no_grad()
def test_the_estimate_follows_weights_that_change_but_in_training_only():
    layer = use_spectral_norm(nn.Linear(5, 4))
    layer.parametrizations.weight.original.copy_(torch.randn(4, 5) * 9)
    layer.eval()
    stale = read_stretches(layer)[""]
    for _ in range(50):
        layer(torch.randn(2, 5))
    assert read_stretches(layer)[""] == stale and abs(stale - 1) > 0.02
    layer.train()
    for _ in range(50):
        layer(torch.randn(2, 5))
    assert abs(read_stretches(layer)[""] - 1) < 0.02


def test_spectral_norm_adds_no_weights_and_changes_only_sizes():
    network = build_for_norm()
    before = [layer.weight.detach().clone() for layer in network[-2:]]
    count = count_params(network)
    use_spectral_norm(network)
    assert count_params(network) == count and isinstance(network[0], nn.Conv2d)
    assert type(network[1]) is nn.BatchNorm2d and not hasattr(network[1], "parametrizations")
    for layer, weight in zip(network[-2:], before):
        ratio = (layer.weight / weight).detach()
        torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio))
    network(torch.randn(4, 3, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


# --- sample_noise ----------------------------------------------------------------------------


@steady
@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from(["uniform", "normal"]),
    st.integers(0, 99),
)
def test_noise_has_its_shape_and_a_generator_decides_it(batch_size, dim, kind, seed):
    def draw() -> Tensor:
        source = torch.Generator().manual_seed(seed)
        return sample_noise(batch_size, dim, kind, generator=source)

    before = torch.get_rng_state()
    noise = draw()
    assert noise.shape == (batch_size, dim) and noise.dtype == torch.float32
    assert torch.equal(noise, draw())
    assert torch.equal(before, torch.get_rng_state())  # the global source was left alone


def test_without_a_generator_the_global_source_draws():
    for kind in ("uniform", "normal"):
        torch.manual_seed(1)
        first = sample_noise(2, 3, kind)
        assert not torch.equal(first, sample_noise(2, 3, kind))
        torch.manual_seed(1)
        assert torch.equal(first, sample_noise(2, 3, kind))


def test_uniform_is_the_default_and_fills_its_range():
    noise = sample_noise(500, 200).double()
    assert noise.min() >= -1 and noise.max() < 1
    assert noise.min() < -0.999 and noise.max() > 0.999
    sigma = 1 / math.sqrt(noise.numel())
    assert abs(noise.mean()) < 5 * sigma * math.sqrt(1 / 3)
    assert abs((noise**2).mean() - 1 / 3) < 5 * sigma * math.sqrt(4 / 45)
    torch.manual_seed(2)
    default = sample_noise(4, 5)
    torch.manual_seed(2)
    assert torch.equal(default, sample_noise(4, 5, kind="uniform"))


def test_uniform_never_reaches_one(monkeypatch):
    """The ends of what torch.rand can give, 0 and 1 - 2**-24, become -1 and a little below 1."""
    ends = torch.tensor([[0.0, 1 - 2.0**-24]])
    monkeypatch.setattr(torch, "rand", lambda *args, **kwargs: ends.clone())
    low, high = sample_noise(1, 2)[0].tolist()
    assert low == -1 and 0.9999 < high < 1


def test_normal_noise_has_mean_0_and_deviation_1():
    noise = sample_noise(500, 200, "normal").double()
    sigma = 1 / math.sqrt(noise.numel())
    assert abs(noise.mean()) < 5 * sigma
    assert abs((noise**2).mean() - 1) < 5 * sigma * math.sqrt(2)
    assert abs((noise**4).mean() - 3) < 5 * sigma * math.sqrt(96)  # bell-shaped, not flat


@pytest.mark.parametrize("kind", ["uniform", "normal"])
@pytest.mark.parametrize("device", ["meta", torch.device("meta")])
def test_noise_is_drawn_where_asked(kind, device):
    assert sample_noise(2, 3, kind, device).device.type == "meta"
    assert sample_noise(2, 3, kind).device.type == "cpu"


# --- count_params and summarize --------------------------------------------------------------


def test_counted_is_what_training_can_change():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 2))
    assert count_params(model) == 3 * 2 + 2 + 2 * 2 + 2 * 2 + 2
    model[0].weight.requires_grad_(False)
    assert count_params(model) == 2 + 2 * 2 + 2 * 2 + 2
    model.append(model[2])  # the same layer twice
    assert count_params(model) == 2 + 2 * 2 + 2 * 2 + 2
    assert count_params(nn.ReLU()) == 0


@pytest.mark.parametrize(
    "build, size, layers, total",
    [
        (build_discriminator, (784,), 6, "267,009"),
        (build_discriminator, [1, 28, 28], 6, "267,009"),
        (build_dc_classifier, (1, 28, 28), 11, "1,102,721"),
        (lambda: build_dc_generator(4), (4,), 14, "6,580,801"),
        (lambda: build_generator(4).eval().double(), (4,), 8, "1,858,320"),
        (build_relu_generator, (96,), 8, "558,608"),
        (build_strided_discriminator, (1, 28, 28), 11, "109,473"),
        (build_strided_generator, (64,), 13, "238,529"),
        (build_deep_discriminator, (3, 32, 32), 14, "1,437,569"),
        (build_deep_generator, (128,), 19, "1,368,323"),
    ],
)
def test_summarize_prints_a_table_and_changes_nothing(build, size, layers, total, capsys):
    model = build()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [(module, module.training) for module in model.modules()]
    before = torch.get_rng_state()
    assert summarize(model, size) is None
    table = capsys.readouterr().out
    assert f"Total params: {total}\n" in table
    assert f"Trainable params: {total}\n" in table
    rows = [line for line in table.splitlines() if "[-1, " in line]
    assert [row.split("-")[0].strip() for row in rows] == [type(part).__name__ for part in model]
    assert len(rows) == layers
    assert torch.equal(before, torch.get_rng_state())
    assert all(module.training == mode for module, mode in modes)
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "function, arguments",
    [
        (build_discriminator, ""),
        (build_generator, "noise_dim=96"),
        (build_dc_classifier, ""),
        (build_dc_generator, "noise_dim=96"),
        (build_leaky_generator, "noise_dim=96, hidden_size=256"),
        (build_relu_generator, "noise_dim=96, hidden_size=256"),
        (build_strided_discriminator, ""),
        (build_strided_generator, "noise_dim=64"),
        (build_deep_discriminator, ""),
        (build_deep_generator, "noise_dim=128"),
        (sample_noise, "batch_size, dim, kind='uniform', device=None, generator=None"),
        (initialize_weights, "module"),
        (initialize_for_leaks, "module"),
        (use_spectral_norm, "network"),
        (count_params, "model"),
        (summarize, "model, input_size, dtypes=None"),
    ],
)
def test_the_familiar_arguments_in_the_familiar_order(function, arguments):
    assert read_arguments(function) == arguments


@pytest.mark.parametrize("build", DISCRIMINATORS)
def test_noise_on_the_pixels_is_no_unscaled_picture(build):
    """Up to 16 either way passes; the complaint is for [0, 255] left as it was."""
    D, images = build(), torch.zeros(1, 784)
    images[0, 0], images[0, 1] = 16, -16
    assert D(images).shape == (1, 1)
    for pixel in (16.5, -16.5):
        images[0, 0] = pixel
        assert_complains(lambda: D(images), ValueError, "images", "16.5; if it is [0, 255]")


@pytest.mark.parametrize("build", DISCRIMINATORS)
def test_no_images_have_no_logits(build):
    """The losses are what complains of an empty batch."""
    for none in (digits(0), torch.zeros(0, 784)):
        assert build()(none).shape == (0, 1)


# --- bad input -------------------------------------------------------------------------------


def complaints_about_digits():
    good = torch.zeros(2, 1, 28, 28)
    kinds = [
        ("list", [[0.0] * 784], TypeError, "list"),
        ("array", np.zeros((2, 784)), TypeError, "ndarray"),
        ("uint8", good.byte(), TypeError, "torch.uint8"),
        ("whole numbers", good.long(), TypeError, "torch.int64"),
        ("NaN", good / 0, ValueError, "NaN"),
        ("infinity", good + math.inf, ValueError, "infinity"),
        (
            "[0, 255]",
            good + 255,
            ValueError,
            "255; if it is [0, 255], divide by 127.5",
        ),
        ("one image, no batch", good[0], ValueError, "(1, 28, 28)"),
        ("one flat image", torch.zeros(784), ValueError, "(784,)"),
        ("three channels", torch.zeros(2, 3, 28, 28), ValueError, "(2, 3, 28, 28)"),
        ("no channel", torch.zeros(2, 28, 28), ValueError, "(2, 28, 28)"),
        ("32 pixels", torch.zeros(2, 1, 32, 32), ValueError, "(2, 1, 32, 32)"),
        ("783 pixels", torch.zeros(2, 783), ValueError, "(2, 783)"),
        ("rank 5", torch.zeros(2, 1, 1, 28, 28), ValueError, "(2, 1, 1, 28, 28)"),
    ]
    for build in DISCRIMINATORS:
        D = build()
        for what, value, error, got in kinds:
            yield f"{build.__name__}: {what}", lambda D=D, v=value: D(v), error, "images", got


def complaints_about_noise():
    kinds = [
        ("list", [[0.0] * 4], TypeError, "list"),
        ("whole numbers", torch.zeros(2, 4).long(), TypeError, "torch.int64"),
        ("NaN", torch.zeros(2, 4) / 0, ValueError, "NaN"),
        ("another length", torch.zeros(2, 5), ValueError, "(2, 5)"),
        ("one vector, no batch", torch.zeros(4), ValueError, "(4,)"),
        ("rank 4", torch.zeros(2, 4, 1, 1), ValueError, "(2, 4, 1, 1)"),
    ]
    sizes = [
        ("zero", 0, ValueError, "0"),
        ("negative", -4, ValueError, "-4"),
        ("float", 4.0, TypeError, "float: 4.0"),
        ("NaN", math.nan, TypeError, "nan"),
        ("text", "4", TypeError, "'4'"),
        ("bool", True, TypeError, "True"),
        ("None", None, TypeError, "None"),
    ]
    for build in (*GENERATORS, build_deep_generator):
        G, title = build(4), build.__name__
        for what, value, error, got in kinds:
            yield f"{title}: {what}", lambda G=G, v=value: G(v), error, "noise", got
        for what, value, error, got in sizes:
            yield f"{title}: {what}", lambda f=build, v=value: f(v), error, "noise_dim", got
    for what, value, error, got in sizes:
        yield f"batch_size: {what}", lambda v=value: sample_noise(v, 2), error, "batch_size", got
        yield f"dim: {what}", lambda v=value: sample_noise(2, v), error, "dim", got


LINEAR = nn.Linear(4, 1)


@bad_inputs(
    *complaints_about_digits(),
    *complaints_about_noise(),
    ("kind: other", lambda: sample_noise(2, 3, "gaussian"), ValueError, "kind", "'gaussian'"),
    ("kind: None", lambda: sample_noise(2, 3, None), ValueError, "kind", "None"),
    ("kind: list", lambda: sample_noise(2, 3, ["normal"]), ValueError, "kind", "['normal']"),
    ("generator: seed", lambda: sample_noise(2, 3, generator=1), TypeError, "generator", "int"),
    ("count_params: class", lambda: count_params(nn.Linear), TypeError, "model", "class Linear"),
    (
        "count_params: builder",
        lambda: count_params(build_generator),
        TypeError,
        "model",
        "function",
    ),
    ("count_params: None", lambda: count_params(None), TypeError, "model", "None"),
    ("initialize: weights", lambda: initialize_weights(torch.ones(2)), TypeError, "module", "(2,)"),
    ("initialize: class", lambda: initialize_weights(nn.Conv2d), TypeError, "module", "Conv2d"),
    ("He: weights", lambda: initialize_for_leaks(torch.ones(2)), TypeError, "module", "(2,)"),
    ("He: class", lambda: initialize_for_leaks(nn.Conv2d), TypeError, "module", "Conv2d"),
    ("spectral: class", lambda: use_spectral_norm(nn.Linear), TypeError, "network", "class Linear"),
    ("spectral: list", lambda: use_spectral_norm([LINEAR]), TypeError, "network", "list"),
    ("spectral: None", lambda: use_spectral_norm(None), TypeError, "network", "None"),
    ("summarize: class", lambda: summarize(nn.Linear, (4,)), TypeError, "model", "class Linear"),
    ("summarize: number", lambda: summarize(LINEAR, 4), TypeError, "input_size", "4"),
    ("summarize: text", lambda: summarize(LINEAR, "4"), TypeError, "input_size", "'4'"),
    ("summarize: None", lambda: summarize(LINEAR, None), TypeError, "input_size", "None"),
    ("summarize: negative", lambda: summarize(LINEAR, (-4,)), ValueError, "input_size", "-4"),
    ("summarize: float", lambda: summarize(LINEAR, (4.0,)), TypeError, "input_size", "4.0"),
    (
        "summarize: another size",
        lambda: summarize(build_discriminator(), (3, 28, 28)),
        ValueError,
        "images",
        "(2, 3, 28, 28)",
    ),
)
def test_bad_input(call, error, name, got):
    assert_complains(call, error, name, got)


def test_a_failed_summary_changes_nothing_either(capsys):
    D, before = build_discriminator(), torch.get_rng_state()
    with pytest.raises(ValueError, match="images"):
        summarize(D, (3,))
    assert torch.equal(before, torch.get_rng_state())
    assert capsys.readouterr().out == ""
