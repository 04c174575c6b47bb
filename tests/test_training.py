"""One step against the same mathematics written out by hand, and the loop around it."""

from __future__ import annotations

import copy
import math
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch
from helpers import HandAdam, assert_complains, bad_inputs, read_arguments, softplus, steady
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils.checkpoints import load_newest
from course_utils.losses import (
    discriminator_loss,
    generator_loss,
    get_optimizer,
    ls_discriminator_loss,
    ls_generator_loss,
)
from course_utils.training import AdversarialStep, History, run_a_gan, train

LISTS = ("d_loss", "g_loss", "d_real", "d_fake")
NOISE = 3  # the length of a latent vector in these tests
LOSSES = (discriminator_loss, generator_loss)


pytestmark = pytest.mark.usefixtures("own_randomness")


def build_pair(batch_norm: bool = False) -> tuple[nn.Sequential, nn.Sequential]:
    """A small D and G for points in the plane."""

    def norm() -> list[nn.Module]:
        return [nn.BatchNorm1d(8)] if batch_norm else []

    D = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.1), *norm(), nn.Linear(8, 1))
    G = nn.Sequential(nn.Linear(NOISE, 8), nn.ReLU(), *norm(), nn.Linear(8, 2))
    return D, G


def build_step(D=None, G=None, losses=LOSSES, kind=AdversarialStep, lr=0.01, **options):
    D = build_pair()[0] if D is None else D
    G = build_pair()[1] if G is None else G
    return kind(
        D, G, get_optimizer(D, lr), get_optimizer(G, lr), *losses, noise_size=NOISE, **options
    )


def make_batches(count: int, size: int = 6) -> list[tuple[Tensor, Tensor]]:
    return [(torch.randn(size, 2) + 1, torch.arange(size) % 10) for _ in range(count)]


def copy_state(*modules: nn.Module) -> list[Tensor]:
    return [value.clone() for module in modules for value in module.state_dict().values()]


def all_equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


# --- the mathematics of a step ---------------------------------------------------------------


def logits_game(real: Tensor, fake: Tensor) -> Tensor:
    return softplus(-real).mean() + softplus(fake).mean()


def least_squares_game(real: Tensor, fake: Tensor) -> Tensor:
    return ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2


GAMES = {
    "logits": (LOSSES, logits_game, lambda fake: softplus(-fake).mean(), torch.sigmoid),
    "least squares": (
        (ls_discriminator_loss, ls_generator_loss),
        least_squares_game,
        lambda fake: ((fake - 1) ** 2).mean() / 2,
        None,
    ),
}


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize(
    "batch_norm, steps, options",
    [
        (False, 200, {}),
        (True, 10, {}),
        (False, 20, {"noise": "normal"}),
        (False, 20, {"augment": lambda x, generator: 0.5 * x.flip(1)}),
        (False, 20, {"penalty": lambda D, images, fakes: D(images + fakes).square().mean()}),
        (False, 20, {"one_pass": False}),
        (False, 20, {"freeze": False}),
        (False, 20, {"fresh_fakes": True}),
    ],
    ids=[
        "mlp",
        "batch norm",
        "normal noise",
        "augmented",
        "penalised",
        "two passes",
        "not frozen",
        "fresh fakes",
    ],
)
def test_training_is_the_loop_by_hand(float64, batch_norm, steps, options, game):
    """Goodfellow et al. 2014, algorithm 1 with k = 1, one batch of fakes for both updates."""
    losses, game_of_d, game_of_g, as_probability = GAMES[game]
    D, G = build_pair(batch_norm)
    hand_D, hand_G = copy.deepcopy(D), copy.deepcopy(G)
    batches = make_batches(steps)
    step = build_step(D, G, losses, as_probability=as_probability, **options)
    history = train(step, batches, num_epochs=1, log_every=1, show_every=10**6, seed=7)

    def augment(x):
        return options["augment"](x, None) if "augment" in options else x

    penalty = options.get("penalty", lambda D, images, fakes: 0)
    torch.manual_seed(7)
    source = torch.Generator().manual_seed(int(torch.randint(2**31, ())))  # the noise's own

    def draw(*size):
        if options.get("noise") == "normal":
            return torch.randn(size, generator=source)
        return 2 * torch.rand(size, generator=source) - 1

    adam_D, adam_G = (HandAdam(net.parameters(), 0.01, (0.5, 0.999)) for net in (hand_D, hand_G))
    expected = History()
    draw(25, NOISE)  # the fixed noise comes first
    for number, (images, _) in enumerate(batches, start=1):
        fakes = hand_G(draw(len(images), NOISE))
        frozen = fakes.detach()
        real, fake = hand_D(augment(images)), hand_D(augment(frozen))
        d_loss = game_of_d(real, fake) + penalty(hand_D, images, frozen)
        adam_D.step(torch.autograd.grad(d_loss, list(hand_D.parameters())))
        if "fresh_fakes" in options:
            fakes = hand_G(draw(len(images), NOISE))
        g_loss = game_of_g(hand_D(augment(fakes)))
        adam_G.step(torch.autograd.grad(g_loss, list(hand_G.parameters())))
        mean = (lambda s: torch.sigmoid(s).mean()) if as_probability else (lambda s: s.mean())
        values = {"d_loss": d_loss, "g_loss": g_loss, "d_real": mean(real), "d_fake": mean(fake)}
        expected.step.append(number)
        for name, value in values.items():
            getattr(expected, name).append(value.item())

    assert history.step == expected.step
    for name in ("d_loss", "g_loss", "d_real", "d_fake"):
        assert getattr(history, name) == pytest.approx(getattr(expected, name), abs=1e-9), name
    for ours, theirs in ((D, hand_D), (G, hand_G)):
        for name, value in ours.state_dict().items():  # batch-norm statistics included
            torch.testing.assert_close(value, theirs.state_dict()[name], rtol=0, atol=1e-9)


def test_each_update_changes_its_own_network_only():
    step = build_step()
    ((images, labels),) = make_batches(1)
    fakes = step.G(step.draw_noise(6))
    before_D, before_G = copy_state(step.D), copy_state(step.G)
    step.update_d(images, labels, fakes)
    assert not all_equal(before_D, copy_state(step.D))
    assert all_equal(before_G, copy_state(step.G))
    assert all(p.grad is None for p in step.G.parameters())
    after_D = copy_state(step.D)
    step.update_g(images, labels, fakes)
    assert all_equal(after_D, copy_state(step.D))
    assert not all_equal(before_G, copy_state(step.G))


def test_one_batch_of_fakes_serves_both_updates():
    class Watched(AdversarialStep):
        seen = ()

        def update_d(self, *arguments):
            self.seen += arguments
            return super().update_d(*arguments)

        def update_g(self, *arguments):
            self.seen += arguments
            return super().update_g(*arguments)

    step, made = build_step(kind=Watched), []
    step.G.register_forward_hook(lambda module, inputs, output: made.append(output))
    ((images, labels),) = make_batches(1)
    step(images, labels)
    (fakes,) = made  # G made one batch of them
    assert fakes.shape == images.shape
    expected = (images, labels, fakes) * 2
    assert len(step.seen) == 6
    assert all(got is wanted for got, wanted in zip(step.seen, expected))


def test_scores_are_detached_scalars():
    scores = build_step()(*make_batches(1)[0])
    assert set(scores) == {"d_loss", "g_loss", "d_real", "d_fake"}
    assert all(value.shape == () and not value.requires_grad for value in scores.values())


def test_augment_changes_what_d_sees_of_real_and_fake_alike():
    seen = []

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        assert generator is step.generator
        seen.append(images)
        return images

    step = build_step(augment=augment)
    ((images, labels),) = make_batches(1)
    step(images, labels)
    real, frozen, fakes = seen
    assert real is images
    assert torch.equal(frozen, fakes) and not frozen.requires_grad and fakes.requires_grad


def test_the_penalty_sees_d_the_images_and_frozen_fakes():
    seen = []

    def penalty(*arguments):
        seen.append(arguments)
        return torch.tensor(5.0)

    D, G = build_pair()
    twin_D, twin_G = copy.deepcopy(D), copy.deepcopy(G)
    ((images, labels),) = make_batches(1)
    fakes = G(torch.zeros(6, NOISE))
    with_penalty = build_step(D, G, penalty=penalty).update_d(images, labels, fakes)
    without = build_step(twin_D, twin_G).update_d(images, labels, fakes)
    assert with_penalty["d_loss"].item() == pytest.approx(without["d_loss"].item() + 5)
    ((network, real, frozen),) = seen
    assert network is D and real is images
    assert torch.equal(frozen, fakes) and not frozen.requires_grad


@pytest.mark.parametrize("as_probability, expected", [(torch.sigmoid, 0.75), (None, math.log(3))])
def test_d_of_x_in_the_history(as_probability, expected):
    """sigmoid(ln 3) = 3/4."""
    D = nn.Sequential(nn.Linear(2, 1))
    nn.init.zeros_(D[0].weight)
    nn.init.constant_(D[0].bias, math.log(3))
    options = {} if as_probability else {"as_probability": None}  # the sigmoid is the default
    scores = build_step(D, **options)(*make_batches(1)[0])
    assert scores["d_real"].item() == pytest.approx(expected)
    assert scores["d_fake"].item() == pytest.approx(expected)


def test_labels_reach_a_subclass():
    class WithLabels(AdversarialStep):
        def update_g(self, images, labels, fakes):
            return super().update_g(images, labels, fakes) | {"d_fake": labels.sum()}

    step = build_step(kind=WithLabels)
    history = train(step, make_batches(1), num_epochs=1)
    assert history.d_fake == [0 + 1 + 2 + 3 + 4 + 5]


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_noise_comes_from_the_named_distribution(kind):
    noise = build_step(noise=kind).draw_noise(2000)
    assert noise.shape == (2000, NOISE)
    assert (noise.abs().max() > 1) == (kind == "normal")


# --- samples ---------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_samples_use_the_statistics_and_leave_the_mode_alone(training):
    step = build_step(*build_pair(batch_norm=True))
    step(*make_batches(1)[0])
    step.G.train(training)
    before = copy_state(step.G)
    noise = step.draw_noise(5)
    images = step.sample(noise)
    assert not images.requires_grad and images.device.type == "cpu"
    assert torch.allclose(images[:1], step.sample(noise[:1]))  # no image depends on the others
    assert all(module.training == training for module in step.G.modules())
    assert all_equal(before, copy_state(step.G))
    with torch.no_grad():
        assert torch.equal(images, copy.deepcopy(step.G).eval()(noise))


def test_a_sample_that_fails_leaves_the_mode_alone_too():
    step = build_step()
    with pytest.raises(RuntimeError):
        step.sample(torch.zeros(1, NOISE + 1))
    assert step.G.training


def test_samples_come_from_25_fixed_vectors():
    class Still(AdversarialStep):
        def __call__(self, images, labels):
            return {}

    history = train(build_step(kind=Still), make_batches(3), num_epochs=1, show_every=1)
    samples = [images for _, images in history.samples]
    assert len(samples) == 4 and samples[0].shape == (25, 2)
    assert all_equal(samples[:1] * 3, samples[1:])  # G stands still, and so do its samples
    assert samples[0].unique(dim=0).shape == (25, 2)
    moving = train(build_step(), make_batches(3), num_epochs=1, show_every=1)
    assert not torch.equal(moving.samples[0][1], moving.samples[1][1])


# --- the loop --------------------------------------------------------------------------------


class Counting(AdversarialStep):
    """No mathematics: its "losses" are the number of the step."""

    calls = 0

    def __call__(self, images, labels):
        self.calls += 1
        return {name: torch.tensor(self.calls) for name in LISTS}


@steady
@given(
    epochs=st.integers(1, 4),
    batches=st.integers(1, 7),
    show_every=st.integers(1, 30),
    log_every=st.integers(1, 30),
)
def test_entries_samples_and_callbacks_come_at_their_steps(epochs, batches, show_every, log_every):
    total = epochs * batches
    seen = []

    def watch(progress):
        assert progress.history.samples[-1][0] == progress.step
        seen.append((progress.step, progress.epoch, progress.total_steps, progress.game.calls))

    step = build_step(kind=Counting)
    history = train(
        step,
        make_batches(batches),
        num_epochs=epochs,
        callbacks=[watch, watch],
        show_every=show_every,
        log_every=log_every,
    )
    logged = sorted({1, total} | set(range(log_every, total + 1, log_every)))
    assert history.step == logged
    assert history.d_loss == history.g_loss == history.d_real == history.d_fake == logged
    shown = sorted({0, total} | set(range(show_every, total + 1, show_every)))
    assert [number for number, _ in history.samples] == shown
    assert seen[::2] == seen[1::2]  # each callback is called every time
    assert seen[::2] == [(n, max(n - 1, 0) // batches, total, n) for n in shown]
    assert step.calls == total


def test_callbacks_see_the_run_as_it_is():
    seen = []
    step = build_step()
    history = train(step, make_batches(2), num_epochs=1, callbacks=(seen.append,), show_every=1)
    assert all(progress.game is step and progress.history is history for progress in seen)


class Sized:
    """The least that a loader can be: a length and an iterator."""

    def __init__(self, batches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


def test_any_loader_with_a_length_will_do():
    images, labels = torch.randn(12, 2), torch.arange(12)
    batches = [(images[:6], labels[:6]), (images[6:], labels[6:])]
    loaders = [
        batches,
        tuple(batches),
        [list(pair) for pair in batches],
        Sized(batches),
        DataLoader(TensorDataset(images, labels), 6, generator=torch.Generator()),
    ]
    D, G = build_pair()
    results = []
    for loader in loaders:
        step = build_step(copy.deepcopy(D), copy.deepcopy(G))
        history = train(step, loader, num_epochs=2, log_every=1, seed=5)
        results.append([history.d_loss, history.g_loss])
    assert len(results[0][0]) == 4
    assert all(result == results[0] for result in results)


def test_a_seed_decides_the_run():
    D, G = build_pair()
    batches = make_batches(4)

    def run(seed):
        step = build_step(copy.deepcopy(D), copy.deepcopy(G))
        history = train(step, batches, num_epochs=1, log_every=1, seed=seed)
        return history.d_loss, history.samples[0][1].tolist()

    first = run(3)
    assert run(3) == first
    assert run(4) != first
    torch.manual_seed(3)
    assert run(None) == first  # without a seed the present state decides
    assert run(None) != first


def test_a_history_starts_empty_and_is_its_own():
    one, other = History(), History()
    one.log(7, {"d_loss": torch.tensor(0.5), "g_loss": torch.tensor(2.0)})
    assert (one.step, one.d_loss, one.g_loss, one.d_real) == ([7], [0.5], [2.0], [])
    assert type(one.d_loss[0]) is float
    assert asdict(other) == {
        "step": [], "d_loss": [], "g_loss": [], "d_real": [], "d_fake": [], "samples": [],
        "seconds": 0.0, "images": 0, "averaged": None, "extra": {}, "stopped": "",
    }  # fmt: skip


def test_a_noted_score_belongs_to_the_latest_logged_step(tmp_path):
    history = History()
    history.note("distance", 9.0)  # no step is logged yet: there is nowhere to put it
    assert history.extra == {}
    history.log(1, {"d_loss": 0.5})
    history.log(10, {"d_loss": 0.4})
    history.note("distance", torch.tensor(3.0))
    history.log(20, {"d_loss": 0.3})
    history.log(30, {"d_loss": 0.2})
    history.note("distance", 2)
    history.note("distance", 1)  # the later one counts
    np.testing.assert_array_equal(history.extra["distance"], [math.nan, 3.0, math.nan, 1.0])
    assert all(type(value) is float for value in history.extra["distance"])
    assert history.d_loss == [0.5, 0.4, 0.3, 0.2] and history.step == [1, 10, 20, 30]
    history.to_csv(tmp_path / "history.csv")
    kept = History.from_csv(tmp_path / "history.csv")
    np.testing.assert_array_equal(kept.extra["distance"], history.extra["distance"])


@pytest.mark.parametrize("name", ["step", *LISTS])
def test_what_is_logged_cannot_be_noted(name):
    history = History()
    history.log(1, {"d_loss": 0.5})
    assert_complains(lambda: history.note(name, 1.0), ValueError, "name", repr(name))
    assert history.step == [1] and history.d_loss == [0.5] and history.d_real == []


@steady
@given(st.lists(st.sets(st.sampled_from(["mine", "yours", "noted"])), max_size=8))
def test_every_list_of_extra_scores_is_as_long_as_the_history(rows):
    """Whoever gives a score, and when: each value stands at its own step, NaN at all others."""
    history = History()
    for number, given_now in enumerate(rows, start=1):
        history.log(number, {"d_loss": 1.0} | dict.fromkeys(given_now - {"noted"}, number))
        if "noted" in given_now:
            history.note("noted", number)
    assert set(history.extra) == set().union(*rows)
    for name, values in history.extra.items():
        expected = [n if name in row else math.nan for n, row in enumerate(rows, start=1)]
        np.testing.assert_array_equal(values, expected)


def test_a_score_that_comes_late_is_nan_before():
    history = History()
    history.log(1, {"d_loss": 1.0})
    history.log(2, {"d_loss": 1.0, "g_loss": 2.0})
    np.testing.assert_array_equal(history.g_loss, [math.nan, 2.0])
    assert history.d_real == []


def test_a_callback_can_note_a_score_of_its_own():
    def note(progress):
        progress.history.note("weight", progress.step)

    history = train(
        build_step(), make_batches(7), num_epochs=1, log_every=3, show_every=3, callbacks=[note]
    )
    assert history.step == [1, 3, 6, 7]
    np.testing.assert_array_equal(history.extra["weight"], [math.nan, 3, 6, 7])


def test_a_history_is_shown_in_a_line():
    history = History(seconds=2.0, images=5000, stopped="interrupted")
    assert repr(history) == "History: no step yet"
    history.log(7, {"d_loss": 0.5, "g_loss": 2.0})
    assert repr(history) == (
        "History: 7 steps, 2,500 images a second, 1 entries, 0 grids of samples, interrupted; "
        "d_loss 0.500  g_loss 2.000"
    )


def test_seconds_and_images_are_counted(monkeypatch):
    """The clock starts once everything is ready, and is last read at the end."""
    ticks = []

    def clock():
        ticks.append(len(ticks) * 1.5)
        return ticks[-1]

    monkeypatch.setattr("course_utils.training.loop.time.perf_counter", clock)
    started = []
    history = train(
        build_step(), make_batches(2), num_epochs=3, callbacks=[lambda p: started.append(ticks[-1])]
    )
    assert history.images == 2 * 3 * 6
    assert 0 < history.seconds <= ticks[-1] - started[0]
    assert history.images_per_second == history.images / history.seconds
    assert History().images_per_second == 0


# --- run_a_gan -------------------------------------------------------------------------------


def test_run_a_gan_is_a_step_and_a_loop():
    D, G = build_pair()
    batches = make_batches(5)
    options = {"noise": "normal", "augment": lambda x, _: x.tanh(), "as_probability": None}
    options["penalty"] = lambda D, images, fakes: D(images).square().mean()
    step = build_step(copy.deepcopy(D), copy.deepcopy(G), **options)
    seen = []
    expected = train(step, batches, num_epochs=2, show_every=3, log_every=2, seed=1)
    history = run_a_gan(
        D,
        G,
        get_optimizer(D, 0.01),
        get_optimizer(G, 0.01),
        *LOSSES,
        batches,
        num_epochs=2,
        noise_size=NOISE,
        show_every=3,
        log_every=2,
        seed=1,
        callbacks=[seen.append],
        **options,
    )
    for name in ("step", "d_loss", "g_loss", "d_real", "d_fake"):
        assert getattr(history, name) == getattr(expected, name)
    assert [number for number, _ in history.samples] == [0, 3, 6, 9, 10]
    assert all_equal([s for _, s in history.samples], [s for _, s in expected.samples])
    assert len(seen) == 5
    assert all_equal(copy_state(D, G), copy_state(step.D, step.G))


def test_the_familiar_defaults():
    """10 epochs, 96 dimensions of uniform noise, samples every 250 steps, losses every 50."""
    noise = []
    D, G = nn.Linear(2, 1), nn.Linear(96, 2)
    G.register_forward_hook(lambda module, inputs, output: noise.append(inputs[0]))
    history = run_a_gan(D, G, get_optimizer(D), get_optimizer(G), *LOSSES, make_batches(26, size=1))
    assert history.step == [1, 50, 100, 150, 200, 250, 260]
    assert [number for number, _ in history.samples] == [0, 250, 260]
    assert max(z.abs().max() for z in noise) <= 1


def test_run_a_gan_changes_both_networks_and_nothing_else():
    D, G = build_pair()
    before_D, before_G = copy_state(D), copy_state(G)
    batches = make_batches(3)
    kept = copy.deepcopy(batches)
    run_a_gan(D, G, get_optimizer(D), get_optimizer(G), *LOSSES, batches, noise_size=NOISE)
    assert not all_equal(before_D, copy_state(D)) and not all_equal(before_G, copy_state(G))
    assert all(all_equal(list(one), list(other)) for one, other in zip(batches, kept))


PAIR = "D, G, D_solver, G_solver, discriminator_loss, generator_loss"


@pytest.mark.parametrize(
    "function, start",
    [
        (run_a_gan, f"{PAIR}, loader, *, num_epochs=10, noise_size=96, show_every=250, **"),
        (
            AdversarialStep,
            f"{PAIR}, *, noise_size, noise='uniform', augment=None, penalty=None, as_probability=",
        ),
        (train, "step, loader, *, num_epochs, callbacks=(), show_every=250, log_every=50, "),
    ],
)
def test_the_familiar_arguments_in_the_familiar_order(function, start):
    assert read_arguments(function).startswith(start)


# --- bad input -------------------------------------------------------------------------------


class Setting:
    """Arguments of `run_a_gan` that work, one of which a row of the table below replaces."""

    def __init__(self) -> None:
        self.D, self.G = build_pair()
        self.for_D, self.for_G = get_optimizer(self.D), get_optimizer(self.G)
        self.batches = make_batches(2)

    def run(self, **changed):
        arguments = {
            "D": self.D,
            "G": self.G,
            "D_solver": self.for_D,
            "G_solver": self.for_G,
            "discriminator_loss": discriminator_loss,
            "generator_loss": generator_loss,
            "loader": self.batches,
            "num_epochs": 1,
            "noise_size": NOISE,
        }
        return run_a_gan(**arguments | changed)


GOOD = Setting()


def complaints_about_counts():
    kinds = [
        ("zero", 0, ValueError, "0"),
        ("negative", -3, ValueError, "-3"),
        ("float", 2.0, TypeError, "float: 2.0"),
        ("NaN", math.nan, TypeError, "nan"),
        ("text", "3", TypeError, "'3'"),
        ("bool", True, TypeError, "True"),
        ("None", None, TypeError, "None"),
    ]
    for name in ("num_epochs", "noise_size", "show_every", "log_every"):
        for what, value, error, got in kinds:
            yield f"{name}: {what}", lambda n=name, v=value: GOOD.run(**{n: v}), error, name, got


def complaints_about_functions():
    for name in (
        "discriminator_loss", "generator_loss", "augment", "penalty", "as_probability",
    ):  # fmt: skip
        for value in (5, "sigmoid"):
            got = f"{type(value).__name__}: {value!r}"
            yield f"{name}: {got}", lambda n=name, v=value: GOOD.run(**{n: v}), TypeError, name, got


BATCH = GOOD.batches[0]
TWO_SCORES = nn.Linear(2, 2)


@bad_inputs(
    *complaints_about_counts(),
    *complaints_about_functions(),
    ("D: class", lambda: GOOD.run(D=nn.Linear), TypeError, "D", "the class Linear"),
    ("D: function", lambda: GOOD.run(D=build_pair), TypeError, "D", "function"),
    ("G: None", lambda: GOOD.run(G=None), TypeError, "G", "None"),
    ("D_solver: network", lambda: GOOD.run(D_solver=GOOD.D), TypeError, "D_solver", "Sequential"),
    ("G_solver: None", lambda: GOOD.run(G_solver=None), TypeError, "G_solver", "NoneType"),
    (
        "solvers: swapped",
        lambda: GOOD.run(D_solver=GOOD.for_G, G_solver=GOOD.for_D),
        ValueError,
        "D_solver",
        "another's",
    ),
    ("G_solver: D's", lambda: GOOD.run(G_solver=GOOD.for_D), ValueError, "G_solver", "another's"),
    (
        "networks: swapped",
        lambda: GOOD.run(D=GOOD.G, G=GOOD.D),
        ValueError,
        "D_solver",
        "another's",
    ),
    ("noise: other", lambda: GOOD.run(noise="gaussian"), ValueError, "noise", "'gaussian'"),
    ("noise: None", lambda: GOOD.run(noise=None), ValueError, "noise", "None"),
    ("loader: empty", lambda: GOOD.run(loader=[]), ValueError, "loader", "none"),
    ("loader: endless", lambda: GOOD.run(loader=iter([BATCH])), TypeError, "loader", "iterator"),
    ("loader: None", lambda: GOOD.run(loader=None), TypeError, "loader", "NoneType"),
    ("loader: images only", lambda: GOOD.run(loader=[BATCH[0]]), TypeError, "loader", "Tensor"),
    ("loader: singles", lambda: GOOD.run(loader=[[BATCH[0]]]), TypeError, "loader", "list"),
    ("loader: triples", lambda: GOOD.run(loader=[(*BATCH, 1)]), TypeError, "loader", "tuple"),
    ("loader: lists", lambda: GOOD.run(loader=[([1.0], [1])]), TypeError, "loader", "tuple"),
    ("callbacks: one", lambda: GOOD.run(callbacks=print), TypeError, "callbacks", "builtin"),
    ("callbacks: text", lambda: GOOD.run(callbacks=["show"]), TypeError, "callbacks", "'show'"),
    ("seed: negative", lambda: GOOD.run(seed=-1), ValueError, "seed", "-1"),
    ("seed: text", lambda: GOOD.run(seed="1"), TypeError, "seed", "'1'"),
    ("step: None", lambda: train(None, [BATCH], num_epochs=1), TypeError, "step", "NoneType"),
    ("step: function", lambda: train(max, [BATCH], num_epochs=1), TypeError, "step", "builtin"),
    (
        "NaN in the images",
        lambda: GOOD.run(loader=[(BATCH[0] * math.nan, BATCH[1])]),
        ValueError,
        "loader",
        "NaN",
    ),
    (
        "two scores an image",
        lambda: GOOD.run(D=TWO_SCORES, D_solver=get_optimizer(TWO_SCORES)),
        ValueError,
        "D",
        "(2, 2)",
    ),
)
def test_bad_input(call, error, name, got):
    before = copy_state(GOOD.D, GOOD.G)
    assert_complains(call, error, name, got)
    assert all_equal(before, copy_state(GOOD.D, GOOD.G))


class Batches(Sized):
    """A loader that tells how it is made, as `DataLoader` and `BatchLoader` do."""

    def __init__(self, count: int, batch_size: int, drop_last: bool = False) -> None:
        self.dataset, self.batch_size, self.drop_last = range(count), batch_size, drop_last
        super().__init__(make_batches(max(1, count // batch_size), batch_size))


def run_with_batch_norm(loader, part: str = "D"):
    D, G = build_pair(batch_norm=True)
    plain_D, plain_G = build_pair()
    pair = (D, plain_G) if part == "D" else (plain_D, G)
    return train(build_step(*pair), loader, num_epochs=1)


@pytest.mark.parametrize("part", ["D", "G"])
@pytest.mark.parametrize(
    "loader, got",
    [
        (Batches(13, 6), "a last batch (of 13 images by 6) of 1"),
        (Batches(6, 1), "batches of 1"),
        ([*make_batches(2), *make_batches(1, size=1)], "1"),
    ],
)
def test_batch_norm_learns_nothing_from_one_image(loader, got, part):
    with pytest.raises(ValueError, match=r"^loader: expected at least 2 images a batch") as caught:
        run_with_batch_norm(loader, part)
    assert f"got {got}" in str(caught.value)


@pytest.mark.parametrize("loader", [Batches(13, 6, drop_last=True), Batches(14, 6)])
def test_two_images_are_enough(loader):
    assert run_with_batch_norm(loader).step
    assert train(build_step(), Batches(13, 6), num_epochs=1).step  # and without it one is


def digits_step(D=None):
    G = nn.Sequential(nn.Linear(NOISE, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
    return build_step(D or nn.Sequential(nn.Flatten(), nn.Linear(784, 1)), G)


def train_on(images: Tensor, step=None):
    labels = torch.zeros(len(images)).long()
    return train(step or digits_step(), [(images, labels)], num_epochs=1)


GREY = torch.zeros(4, 1, 28, 28)


@bad_inputs(
    ("[0, 255]", lambda: train_on(GREY + 255), ValueError, "loader", "255 to 255"),
    ("a little too bright", lambda: train_on(GREY + 1.1), ValueError, "loader", "1.1 to 1.1"),
    ("bytes", lambda: train_on(GREY.byte()), TypeError, "loader", "torch.uint8"),
    ("flat", lambda: train_on(GREY.flatten(1) - 2), ValueError, "loader", "-2 to -2"),
    ("infinite", lambda: train_on(GREY / 0), ValueError, "loader", "NaN or infinity"),
    ("colour", lambda: train_on(torch.zeros(4, 3, 32, 32)), ValueError, "loader", "(2, 3, 32, 32)"),
    (
        "not what D takes",
        lambda: train_on(GREY, digits_step(nn.Linear(5, 1))),
        ValueError,
        "loader",
        "(2, 1, 28, 28)",
    ),
    (
        "what G makes, D does not take",
        lambda: train_on(GREY.flatten(1), digits_step(nn.Linear(784, 1))),
        ValueError,
        "loader",
        "G's of shape (2, 1, 28, 28)",
    ),
)
def test_unusable_images(call, error, name, got):
    assert_complains(call, error, name, got)


def test_flat_fakes_and_square_digits_are_a_pair_if_d_takes_both():
    D = nn.Sequential(nn.Flatten(), nn.Linear(784, 1))
    step = build_step(D, nn.Sequential(nn.Linear(NOISE, 784), nn.Tanh()))
    assert train_on(GREY, step).step == [1]


def test_networks_in_float64_train_without_a_change_of_defaults():
    D, G = (network.double() for network in build_pair())
    batches = [(images.double(), labels) for images, labels in make_batches(2)]
    history = train(build_step(D, G), batches, num_epochs=1)
    assert history.step == [1, 2]


class Seldom(AdversarialStep):
    """G learns every third step, and a further score is kept."""

    calls = 0

    def __call__(self, images, labels):
        self.calls += 1
        fakes = self.G(self.draw_noise(len(images)))
        scores = self.update_d(images, labels, fakes) | {"gap": torch.tensor(float(self.calls))}
        return scores | self.update_g(images, labels, fakes) if self.calls % 3 == 0 else scores


def test_a_step_may_update_g_seldom_and_score_more():
    history = train(build_step(kind=Seldom), make_batches(7), num_epochs=1, log_every=1)
    assert history.extra == {"gap": [1, 2, 3, 4, 5, 6, 7]}
    assert [math.isnan(value) for value in history.g_loss] == [True, True] + [False] * 5
    assert history.g_loss[2] == history.g_loss[4] != history.g_loss[5]
    table = history.to_csv().splitlines()
    assert table[0] == "step,d_loss,g_loss,d_real,d_fake,gap" and len(table) == 8


class TwoAnswers(AdversarialStep):
    """D hands out its features besides its scores."""

    def score_both(self, images, labels, fakes):
        return self.D(images)[0], self.D(fakes)[0]

    def update_g(self, images, labels, fakes):
        return {"g_loss": -self.D(fakes)[0].mean()}


def test_a_game_of_its_own_asks_d_in_its_own_way():
    class Both(nn.Linear):
        def forward(self, points):
            return super().forward(points), points

    history = train(build_step(Both(2, 1), kind=TwoAnswers), make_batches(2), num_epochs=1)
    assert history.step == [1, 2]
    with pytest.raises(ValueError, match=r"D: expected one score per image.* got tuple"):
        train(build_step(Both(2, 1)), make_batches(2), num_epochs=1)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
def test_a_scheduler_of_torch_works_in_a_callback():
    step = build_step(lr=0.8)
    halve = torch.optim.lr_scheduler.StepLR(step.D_solver, 1, gamma=0.5)
    rates = []

    def callback(progress):
        halve.step()
        rates.append(step.D_solver.param_groups[0]["lr"])

    train(step, make_batches(3), num_epochs=1, callbacks=[callback], show_every=1)
    assert rates == [0.4, 0.2, 0.1, 0.05]
    assert step.D_solver.param_groups[0]["lr"] == 0.05  # theirs to decide
    assert step.G_solver.param_groups[0]["lr"] == 0.8


@pytest.mark.parametrize("progress, start", [(True, "\r  0%"), ("run 3", "\rrun 3:   0%")])
def test_a_bar_may_have_a_name(capsys, progress, start):
    train(build_step(), make_batches(2), num_epochs=1, progress=progress)
    bar = capsys.readouterr().err
    assert bar.startswith(start) and "2/2" in bar


def test_a_bar_is_wanted_or_named():
    build = lambda: train(build_step(), make_batches(2), num_epochs=1, progress=1)  # noqa: E731
    assert_complains(build, TypeError, "progress", "1")


def test_a_schedule_of_numpys_numbers(tmp_path):
    schedule = lambda share: np.cos(share)  # noqa: E731
    step = build_step()
    train(step, make_batches(2), num_epochs=1, schedule=schedule, checkpoint=tmp_path)
    state, refused = load_newest(tmp_path)
    assert state["step"] == 2 and refused == {}
    assert step.D_solver.param_groups[0]["lr"] == 0.01


def test_a_fault_in_a_callback_costs_no_step(tmp_path):
    def callback(progress):
        if progress.step == 4:
            raise KeyboardInterrupt

    options = {"num_epochs": 1, "callbacks": [callback], "show_every": 2, "checkpoint": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        train(build_step(), make_batches(6), **options)
    assert load_newest(tmp_path)[0]["step"] == 4


def test_a_complaint_comes_before_the_first_step():
    step = digits_step()
    before = copy_state(step.D, step.G)
    seen = []
    with pytest.raises(ValueError, match="loader"):
        train(step, [(GREY + 7, GREY[:, 0, 0, 0])], num_epochs=1, callbacks=[seen.append])
    assert seen == [] and all_equal(before, copy_state(step.D, step.G))


def test_networks_left_in_eval_mode_train_all_the_same():
    step = build_step(*build_pair(batch_norm=True))
    step.D.eval(), step.G.eval()
    before = copy_state(step.G[2])
    train(step, make_batches(2), num_epochs=1)
    assert step.D.training and step.G.training
    assert not all_equal(before, copy_state(step.G[2]))  # its statistics have moved


def test_a_loader_shorter_than_its_length_ends_the_run_in_order():
    class Short(Sized):
        def __len__(self) -> int:
            return 10

    history = train(build_step(), Short(make_batches(4)), num_epochs=1, log_every=3)
    assert history.step == [1, 3, 4] and [n for n, _ in history.samples] == [0, 4]


@pytest.mark.parametrize("option", ["show_evry", "noise_dim", "device"])
def test_an_unknown_option_is_named(option):
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{option}'"):
        GOOD.run(**{option: 1})
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{option}'"):
        build_step(**{option: 1})


def test_scores_that_still_have_their_graph_are_kept_without_a_warning(recwarn):
    """PyTorch warns of these once a process, so a fresh one asks."""
    code = (
        "import torch; from course_utils.training import History; h = History();"
        "loss = torch.ones(1, requires_grad=True).sum();"
        "h.log(1, {'d_loss': loss}); h.note('distance', loss); print(h.d_loss, h.extra)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["[1.0]", "{'distance':", "[1.0]}"], done.stderr
    assert done.stderr == ""
