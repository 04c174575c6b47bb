"""`ema=` with layers whose weight is computed, and with layers that have none yet."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import utils
from torch.nn.utils import parametrizations

from course_utils.losses import discriminator_loss, generator_loss, get_optimizer
from course_utils.training import AdversarialStep, train
from course_utils.training.averaging import Average

pytestmark = pytest.mark.usefixtures("own_randomness")

WAYS = {
    "weight, older": (utils.weight_norm, ("weight_g", "weight_v")),
    "spectral, older": (utils.spectral_norm, ("weight_orig",)),
    "weight": (
        parametrizations.weight_norm,
        ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    ),
    "spectral": (parametrizations.spectral_norm, ("parametrizations.weight.original",)),
}


def make_step(way: str) -> AdversarialStep:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the older ways are on their way out
        layer = WAYS[way][0](nn.Linear(4, 784))
    G = nn.Sequential(layer, nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
    D = nn.Sequential(nn.Flatten(), nn.Linear(784, 1))
    G(torch.randn(2, 4))  # a student has looked at it
    return AdversarialStep(
        D, G, get_optimizer(D), get_optimizer(G), discriminator_loss, generator_loss, noise_size=4
    )


def batches(count: int) -> list[tuple[Tensor, Tensor]]:
    return [(torch.rand(8, 1, 28, 28) * 2 - 1, torch.zeros(8).long()) for _ in range(count)]


@pytest.mark.parametrize("way", WAYS)
def test_the_average_is_of_what_the_weight_is_computed_from(way):
    step = make_step(way)
    names = [f"0.{name}" for name in WAYS[way][1]]
    want = {name: step.G.state_dict()[name].clone() for name in names}

    def follow(progress) -> None:
        for name in names:
            want[name] = 0.75 * want[name] + 0.25 * step.G.state_dict()[name]

    history = train(step, batches(3), num_epochs=2, ema=0.75, show_every=1, callbacks=[follow])
    got = history.averaged.state_dict()
    for name in names:
        torch.testing.assert_close(got[name], want[name])
        assert not torch.equal(got[name], step.G.state_dict()[name])
    noise = torch.randn(3, 4)
    plain = history.averaged.eval()(noise)
    assert torch.equal(step.sample(noise), plain)
    assert not torch.equal(plain, step.G.eval()(noise))


def test_a_lazy_generator_says_what_to_do_first():
    with pytest.raises(ValueError, match=r"G: expected .* got a LazyLinear .* network\(batch\)"):
        Average(nn.Sequential(nn.LazyLinear(3)), 0.9)
