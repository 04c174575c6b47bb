"""Networks that are told which digit: labels in latents, the game with them, and walking there."""

from __future__ import annotations

import json
import re

import pytest
import torch
from helpers import assert_complains, bad_inputs, steady
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from course_utils import explore, share
from course_utils.explorer.generator import FrozenGenerator
from course_utils.explorer.latent import lerp, principal_directions, slerp, travel
from course_utils.losses import discriminator_loss, generator_loss
from course_utils.models import (
    ProjectionDiscriminator,
    build_conditional_generator,
    build_strided_discriminator,
    build_strided_generator,
    complete_latents,
    count_params,
    join_labels,
)
from course_utils.training import AdversarialStep, ConditionalStep, train

pytestmark = pytest.mark.usefixtures("own_randomness")


# Labels and networks -------------------------------------------------------------------------


@steady
@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 20))
def test_a_label_stands_one_hot_behind_the_noise(labels, dim) -> None:
    noise = torch.randn(len(labels), dim)
    latents = join_labels(noise, torch.tensor(labels, dtype=torch.int64))
    assert latents.shape == (len(labels), dim + 10)
    assert torch.equal(latents[:, :dim], noise)
    assert latents[:, dim:].sum(dim=1).eq(1).all()
    assert latents[:, dim:].argmax(dim=1).tolist() == labels


def test_without_labels_noise_stays_noise_and_with_them_each_comes_in_turn() -> None:
    noise = torch.randn(23, 4)
    assert complete_latents(noise, 0) is noise
    labels = complete_latents(noise, 10)[:, 4:].argmax(dim=1)
    assert labels.tolist() == [n % 10 for n in range(23)]


@bad_inputs(
    (
        "floats",
        lambda: join_labels(torch.zeros(2, 3), torch.zeros(2)),
        TypeError,
        "labels",
        "float32",
    ),
    ("a list", lambda: join_labels(torch.zeros(1, 3), [1]), TypeError, "labels", "list"),
    (
        "too few",
        lambda: join_labels(torch.zeros(2, 3), torch.tensor([1])),
        ValueError,
        "labels",
        "(1,)",
    ),
    (
        "too large",
        lambda: join_labels(torch.zeros(1, 3), torch.tensor([10])),
        ValueError,
        "labels",
        "10",
    ),
    (
        "negative",
        lambda: join_labels(torch.zeros(1, 3), torch.tensor([-1])),
        ValueError,
        "labels",
        "-1",
    ),
)
def test_bad_labels_are_named(call, error, name, got) -> None:
    assert_complains(call, error, name, got)


def test_counts_of_parameters() -> None:
    plain = count_params(build_strided_generator(64))
    assert count_params(build_conditional_generator()) == plain + 10 * 128 * 4 * 4 == 259_009
    assert count_params(build_strided_discriminator()) + 10 * 2048 == 129_953
    assert count_params(ProjectionDiscriminator()) == 129_953


def test_the_score_is_a_plain_one_and_a_product_with_the_labels_vector() -> None:
    D = ProjectionDiscriminator().eval()
    images, labels = torch.rand(5, 1, 28, 28) * 2 - 1, torch.tensor([3, 1, 4, 1, 5])
    assert torch.equal(D(images, labels), D(images))  # embeddings begin at 0
    nn.init.normal_(D.embedding.weight)
    h = D.features(images)
    vectors = D.embedding.weight[labels]
    want = h @ D.score.weight.T + D.score.bias + (h * vectors).sum(dim=1, keepdim=True)
    torch.testing.assert_close(D(images, labels), want)


# The game ------------------------------------------------------------------------------------


class TinyD(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image, self.label = nn.Linear(784, 1), nn.Embedding(10, 1)

    def forward(self, images, labels):
        return self.image(images.flatten(1)) + self.label(labels)


def make_step(**options) -> ConditionalStep:
    D = TinyD()
    G = nn.Sequential(nn.Linear(14, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
    solvers = [torch.optim.SGD(network.parameters(), lr=0.1) for network in (D, G)]
    return ConditionalStep(
        D, G, *solvers, discriminator_loss, generator_loss, noise_size=4, noise="normal", **options
    )


def test_a_step_is_the_mathematics_of_the_paper() -> None:
    step = make_step()
    D, G = step.D, step.G
    images, labels = torch.rand(6, 1, 28, 28) * 2 - 1, torch.tensor([0, 1, 2, 3, 9, 9])
    state = step.generator.get_state()
    latents = step.draw_noise(6, labels)
    step.generator.set_state(state)
    assert latents[:, 4:].argmax(dim=1).tolist() == labels.tolist()

    fakes = G(latents)
    real, fake = D(images, labels), D(fakes.detach(), labels)
    d_loss = F.softplus(-real).mean() + F.softplus(fake).mean()
    d_want = [
        p - 0.1 * g
        for p, g in zip(D.parameters(), torch.autograd.grad(d_loss, D.parameters()), strict=True)
    ]
    moved = TinyD()
    for weight, value in zip(moved.parameters(), d_want, strict=True):
        weight.data = value.detach()
    g_loss = F.softplus(-moved(fakes, labels)).mean()
    g_want = [
        p - 0.1 * g
        for p, g in zip(G.parameters(), torch.autograd.grad(g_loss, G.parameters()), strict=True)
    ]

    scores = step(images, labels)
    torch.testing.assert_close(scores["d_loss"], d_loss.detach())
    torch.testing.assert_close(scores["g_loss"], g_loss.detach())
    torch.testing.assert_close(list(D.parameters()), d_want)
    torch.testing.assert_close(list(G.parameters()), g_want)


def test_it_learns_the_labels_and_samples_each_in_turn() -> None:
    """Images are as dark as their label says; so are, after a while, the samples."""
    labels = torch.arange(10).repeat(8)
    images = (labels / 9 * 1.6 - 0.8)[:, None, None, None].repeat(1, 1, 28, 28)
    step, D = make_step(), MeanD()
    step.D, step.D_solver = D, torch.optim.Adam(D.parameters(), lr=3e-3)
    step.G_solver = torch.optim.Adam(step.G.parameters(), lr=3e-3)
    history = train(step, [(images, labels)] * 300, num_epochs=1, show_every=300, seed=0)
    means = history.samples[-1][1][:10].mean(dim=(1, 2, 3))
    assert torch.corrcoef(torch.stack([means, torch.arange(10.0)]))[0, 1] > 0.9


class MeanD(nn.Module):
    """Scores how well the mean of an image fits its label."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(11, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2),
            nn.Linear(32, 1),
        )  # fmt: skip

    def forward(self, images, labels):
        mean = images.flatten(1).mean(dim=1, keepdim=True)
        return self.layers(torch.cat([mean, F.one_hot(labels, 10).float()], dim=1))


@pytest.mark.parametrize("name", ["penalty", "fresh_fakes", "one_pass"])
def test_what_the_game_does_not_have_is_refused(name) -> None:
    with pytest.raises(ValueError, match=rf"{name}: expected none in a game with labels"):
        make_step(**{name: len if name == "penalty" else True})


def test_a_plain_step_has_no_classes() -> None:
    assert AdversarialStep.classes == 0
    assert make_step().classes == 10


# Walking there -------------------------------------------------------------------------------


@pytest.fixture
def told() -> nn.Module:
    G = build_conditional_generator(6)
    G.classes = 10
    return G.eval()


def test_noise_and_label_are_told_apart(told) -> None:
    frozen = FrozenGenerator(told)
    assert (frozen.dim, frozen.noise_dim, frozen.classes) == (16, 6, 10)
    assert frozen.draw(12, seed=0)[:, 6:].argmax(dim=1).tolist() == [*range(10), 0, 1]
    latent = frozen.draw(1, seed=0)[0]
    other = frozen.relabel(latent, 7)
    assert torch.equal(other[:6], latent[:6])
    assert (frozen.read_label(latent), frozen.read_label(other)) == (0, 7)
    assert FrozenGenerator(build_conditional_generator(6), classes=10).noise_dim == 6
    assert FrozenGenerator(build_conditional_generator(6), 6, classes=10).dim == 16


def test_directions_leave_the_label_alone(told) -> None:
    directions = principal_directions(FrozenGenerator(told), 5, samples=200)
    assert directions.shape == (5, 16)
    assert directions[:, 6:].eq(0).all()
    torch.testing.assert_close(directions @ directions.T, torch.eye(5), rtol=0, atol=1e-4)


def test_on_the_way_noise_keeps_to_the_arc_and_the_label_to_the_line() -> None:
    a = torch.cat([torch.randn(6), F.one_hot(torch.tensor(2), 10).float()])
    b = torch.cat([torch.randn(6), F.one_hot(torch.tensor(5), 10).float()])
    t = torch.linspace(0, 1, 5)
    path = travel(slerp, a, b, t, 6)
    torch.testing.assert_close(path[:, :6], slerp(a[:6], b[:6], t))
    torch.testing.assert_close(path[:, 6:], lerp(a[6:], b[6:], t))
    assert path[2, [8, 11]].tolist() == [0.5, 0.5]


def test_the_window_has_a_row_of_digits(told) -> None:
    window = explore(told, discriminator=ProjectionDiscriminator())
    assert [value for _, value in window.label.options] == list(range(10))
    noise, picture = window.latent[:6], bytes(window.picture.value)
    window.label.value = 4
    assert window.latent[6:].argmax() == 4
    assert torch.equal(window.latent[:6], noise)
    assert bytes(window.picture.value) != picture
    window.buttons["new"].click()
    assert window.latent[6:].argmax() == 4
    window.buttons["walk"].click()
    assert window._path[:, 6:].argmax(dim=1).eq(4).all()
    window.sliders[0].value = window.sliders[0].max
    assert window.latent[6:].argmax() == 4
    window.latent = window._generator.relabel(window.latent, 8)
    assert window.label.value == 8
    assert len(window.sliders) == 6


def test_without_labels_there_is_no_such_row() -> None:
    window = explore(build_strided_generator(8))
    assert window.label.layout.display == "none"
    assert window.label.options == ()


def test_a_critic_is_asked_about_the_digit(told) -> None:
    D = ProjectionDiscriminator().eval()
    nn.init.normal_(D.embedding.weight, std=0.02)
    window = explore(told, discriminator=D)
    for label in (0, 6):
        window.label.value = label
        image = window._generator(window.latent[None])
        with torch.no_grad():
            want = torch.sigmoid(D(image, torch.tensor([label]))).item()
        assert window.belief.value == pytest.approx(want, abs=1e-5)


def test_a_shared_page_knows_the_labels(told, tmp_path, capsys) -> None:
    page = share(told, tmp_path / "told.html").read_text()
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', page, re.DOTALL)[1])
    assert (facts["dim"], facts["classes"]) == (16, 10)
    assert facts["start"][6:] == [1.0] + [0.0] * 9
    assert all(row[6:] == [0.0] * 10 for row in facts["directions"])
