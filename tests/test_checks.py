"""The tests of whole networks by name, and the helpers that every check is made of."""

from __future__ import annotations

import copy
import math
import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import course_utils as cu
from course_utils.checks import (
    Slip,
    Verdict,
    WrongAnswer,
    expect_close,
    expect_count,
    expect_images,
    expect_same_network,
    judge,
    judging,
    networks,
    replace_layers,
)
from course_utils.models import ToImage, ToVector

# name: the test, what builds a right network, and its parameter count
PAIRS = {
    "discriminator": (cu.test_discriminator, cu.build_discriminator, 267_009),
    "generator": (cu.test_generator, lambda: cu.build_generator(4), 1_858_320),
    "dc_classifier": (cu.test_dc_classifier, cu.build_dc_classifier, 1_102_721),
    "dc_generator": (cu.test_dc_generator, lambda: cu.build_dc_generator(4), 6_580_801),
}


def spoil(name, kind, instead, which=None):
    """The right network with layers of one kind replaced."""
    network = PAIRS[name][1]()
    assert any(type(layer) is kind for layer in network)
    return replace_layers(network, kind, instead, which)


# The pairs by name ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAIRS)
def test_the_courses_own_networks_pass(name):
    test, build, count = PAIRS[name]
    network = build()
    assert cu.count_params(network) == count
    assert test(network) is None
    assert test.__test__ is False


def test_the_familiar_misspelling_is_the_same_test():
    assert cu.test_dc_classifer is cu.test_dc_classifier
    assert cu.test_dc_classifer.__test__ is False


class Discriminator(nn.Module):
    """Layers defined from last to first, functional style."""

    def __init__(self, hidden=256):
        super().__init__()
        self.out = nn.Linear(hidden, 1)
        self.hidden = nn.Linear(hidden, hidden)
        self.start = nn.Linear(784, hidden)

    def forward(self, images):
        x = F.leaky_relu(self.start(images.flatten(1)))
        return self.out(F.leaky_relu(self.hidden(x), 0.01))


class DCGenerator(nn.Module):
    """Batch norms in a group of their own."""

    def __init__(self, noise_dim):
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm1d(1024), nn.BatchNorm1d(6272), nn.BatchNorm2d(64)])
        self.one, self.two = nn.Linear(noise_dim, 1024), nn.Linear(1024, 7 * 7 * 128)
        self.up = nn.ConvTranspose2d(128, 64, 4, 2, 1)
        self.last = nn.ConvTranspose2d(64, 1, 4, 2, 1)

    def forward(self, noise):
        x = self.norms[0](self.one(noise).relu())
        x = self.norms[1](F.relu(self.two(x))).view(-1, 128, 7, 7)
        return torch.tanh(self.last(self.norms[2](F.relu(self.up(x)))))


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("discriminator", Discriminator()),
        ("discriminator", Discriminator().double().eval()),
        ("generator", cu.build_generator(4)[:-1]),  # leaves (N, 784), as some write it
        (
            "generator",
            nn.Sequential(
                nn.Sequential(nn.Linear(4, 1024), nn.ReLU(True), nn.Linear(1024, 1024)),
                nn.Sequential(nn.ReLU(), nn.Linear(1024, 784), nn.Tanh()),
                nn.Unflatten(1, (1, 28, 28)),
            ),
        ),
        (
            "dc_classifier",
            nn.Sequential(
                *(nn.Conv2d(1, 32, 5), nn.LeakyReLU(), nn.MaxPool2d(2, 2)),
                *(nn.Conv2d(32, 64, 5, padding="valid"), nn.LeakyReLU(), nn.MaxPool2d(2, 2)),
                *(nn.Flatten(), nn.Linear(1024, 1024), nn.LeakyReLU(), nn.Linear(1024, 1)),
            ),
        ),
        ("dc_generator", DCGenerator(4)),
    ],
)
def test_networks_written_otherwise_pass(name, network):
    PAIRS[name][0](network)


@pytest.mark.parametrize("noise_dim", [1, 7, 96])
def test_generators_of_other_noise_sizes(noise_dim):
    assert cu.count_params(cu.build_generator(noise_dim)) == 1_858_320 + 1024 * (noise_dim - 4)
    cu.test_generator(cu.build_generator(noise_dim), noise_dim)
    cu.test_generator(cu.build_generator(noise_dim), noise_dim=noise_dim)
    with pytest.raises(WrongAnswer, match="noise_dim is 4 here") as caught:
        cu.test_generator(cu.build_generator(noise_dim))
    assert "expected 1,858,320 parameters, got 1," in str(caught.value)


def test_dc_generators_of_other_noise_sizes():
    cu.test_dc_generator(cu.build_dc_generator(7), 7)
    with pytest.raises(
        WrongAnswer, match=r"expected 6,583,873 parameters, got 6,580,801.*is 7 here"
    ):
        cu.test_dc_generator(cu.build_dc_generator(4), 7)


@pytest.mark.parametrize("bad", [0, -1, 2.5, "4", True, None])
def test_a_noise_size_must_be_a_count(bad):
    for test in (cu.test_generator, cu.test_dc_generator):
        with pytest.raises((TypeError, ValueError), match="noise_dim"):
            test(cu.build_generator(4), bad)


SLOPE = "the slope is 0.01"

WRONG = [
    ("discriminator", lambda: Discriminator(255), "expected 267,009 parameters, got 265,"),
    ("discriminator", lambda: spoil("discriminator", nn.LeakyReLU, nn.LeakyReLU(0.2)), SLOPE),
    ("discriminator", lambda: spoil("discriminator", nn.LeakyReLU, nn.ReLU()), "not ReLU"),
    (
        "discriminator",
        lambda: spoil("discriminator", nn.LeakyReLU, nn.Identity()),
        "every LeakyReLU",
    ),
    (
        "discriminator",
        lambda: spoil("discriminator", nn.LeakyReLU, nn.Identity(), 0),
        "the first LeakyReLU is missing",
    ),
    (
        "discriminator",
        lambda: spoil("discriminator", nn.LeakyReLU, nn.Identity(), 1),
        "the second LeakyReLU is missing",
    ),
    (
        "discriminator",
        lambda: nn.Sequential(Discriminator(), nn.Sigmoid()),
        "no Sigmoid",
    ),
    (
        "discriminator",
        lambda: nn.Sequential(Discriminator(), nn.Flatten(0)),
        "expected shape (4, 1), got shape (4,)",
    ),
    (
        "discriminator",
        lambda: nn.Sequential(cu.build_discriminator(), nn.Tanh()),
        "go through the list of layers",
    ),
    (
        "discriminator",
        lambda: nn.Sequential(cu.build_discriminator(), nn.Dropout(0.5)),
        "no Dropout",
    ),
    ("discriminator", lambda: cu.build_discriminator()[1:], "size that comes in|stride or padding"),
    ("generator", lambda: spoil("generator", nn.Tanh, nn.Identity()), "a Tanh is missing"),
    ("generator", lambda: spoil("generator", nn.Tanh, nn.Sigmoid()), "not Sigmoid"),
    ("generator", lambda: spoil("generator", nn.ReLU, nn.LeakyReLU(0.01)), "not LeakyReLU"),
    ("generator", lambda: spoil("generator", nn.ReLU, nn.Identity()), "every ReLU is missing"),
    ("generator", lambda: spoil("generator", nn.ReLU, nn.Identity(), 1), "the second ReLU"),
    (
        "generator",
        lambda: nn.Sequential(cu.build_generator(4), nn.Flatten(1), nn.Unflatten(1, (28, 28))),
        "expected shape (4, 1, 28, 28), got shape (4, 28, 28)",
    ),
    (
        "generator",
        lambda: nn.Sequential(cu.build_generator(4), nn.Sigmoid()),
        "Tanh is the last: no Sigmoid",
    ),
    ("dc_classifier", lambda: spoil("dc_classifier", nn.LeakyReLU, nn.LeakyReLU(0.2)), SLOPE),
    (
        "dc_classifier",
        lambda: spoil("dc_classifier", nn.LeakyReLU, nn.Identity(), 2),
        "the third LeakyReLU",
    ),
    (
        "dc_classifier",
        lambda: nn.Sequential(cu.build_dc_classifier(), nn.Sigmoid()),
        "no Sigmoid",
    ),
    (
        "dc_classifier",
        lambda: spoil("dc_classifier", nn.MaxPool2d, nn.AvgPool2d(2)),
        "go through the list",
    ),
    (
        "dc_classifier",
        lambda: spoil("dc_classifier", nn.MaxPool2d, nn.Identity()),
        "got RuntimeError: .*; hint: .*stride or padding",
    ),
    (
        "dc_generator",
        lambda: networks._norm_first(cu.build_dc_generator(4)),
        "first ReLU, then BatchNorm",
    ),
    ("dc_generator", lambda: spoil("dc_generator", nn.Tanh, nn.Identity()), "a Tanh is missing"),
    (
        "dc_generator",
        lambda: spoil("dc_generator", nn.ReLU, nn.Identity(), 2),
        "the third ReLU is missing",
    ),
    ("dc_generator", lambda: _other_padding(), "expected shape .*got shape (4, 1, 34, 34)"),
]


def _other_padding():
    network = cu.build_dc_generator(4)[:-1]  # without the layer that insists on 28 x 28
    for layer in network:
        if isinstance(layer, nn.ConvTranspose2d):
            layer.padding = (0, 0)
    return network


@pytest.mark.parametrize(("name", "build", "words"), WRONG)
def test_wrong_networks_are_named(name, build, words):
    pattern = words.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(AssertionError, match=pattern) as caught:
        PAIRS[name][0](build())
    assert "; hint: " in str(caught.value)


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_no_network_is_told_so(name):
    for thing in (None, 3, "G", nn.Linear, PAIRS[name][1], torch.zeros(2)):
        with pytest.raises(WrongAnswer, match=r"expected a network .*call build_\.\.\.\(\) first"):
            PAIRS[name][0](thing)


def test_an_empty_network_is_not_started_and_no_other_error_gets_out():
    class Empty(Discriminator):
        def forward(self, images):
            raise NotImplementedError

    class Broken(Discriminator):
        def forward(self, images):
            raise KeyError("x")

    with pytest.raises(NotImplementedError):
        cu.test_discriminator(Empty())
    with pytest.raises(WrongAnswer, match=r"takes \(4, 1, 28, 28\), got KeyError: 'x'"):
        cu.test_discriminator(Broken())


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("right", [True, False])
def test_nothing_changes_by_looking(name, training, right):
    """Neither the network, nor its batch-norm statistics, nor any random state."""
    test, build, _ = PAIRS[name]
    network = build().train(training)
    if not right:
        network = nn.Sequential(network, nn.Tanh()).train(training)
    before = copy.deepcopy(network.state_dict())
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    if right:
        test(network)
    else:
        with pytest.raises(WrongAnswer):
            test(network)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert after == states
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert network.training == training
    assert all(module.training == training for module in network.modules())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_a_network_on_another_device_is_looked_at_on_the_cpu():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    network = cu.build_discriminator().cuda()
    cu.test_discriminator(network)
    assert next(network.parameters()).is_cuda


# A network against its reference ----------------------------------------------------------------


@pytest.mark.parametrize("start", [0.0, 1e-4, 1.0])
def test_weights_that_hide_a_mistake_do_not_hide_it(start):
    """Constant or tiny weights: a wrong slope or an extra Tanh would make no difference."""

    def fill(network):
        for weight in network.parameters():
            nn.init.constant_(weight, start)
        return network

    cu.test_discriminator(fill(cu.build_discriminator()))
    with pytest.raises(WrongAnswer, match=SLOPE):
        cu.test_discriminator(fill(spoil("discriminator", nn.LeakyReLU, nn.LeakyReLU(0.2))))
    with pytest.raises(WrongAnswer, match="last layer"):
        cu.test_discriminator(fill(nn.Sequential(cu.build_discriminator(), nn.Tanh())))


def small():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def test_same_network_gives_back_the_output_and_keeps_the_model():
    model, inputs = small(), torch.randn(5, 3)
    before = copy.deepcopy(model.state_dict())
    got = expect_same_network(model, small(), inputs)
    assert got.shape == (5, 2)
    assert got.abs().mean() > 0.1
    assert not got.requires_grad
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_batch_norm_statistics_are_compared_too():
    def build():
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))

    model = build()
    model[1].running_mean += 3
    expect_same_network(model, build(), torch.randn(5, 3))
    assert model[1].num_batches_tracked == 0


def test_layers_of_equal_size_defined_in_another_order():
    class Crossed(nn.Module):
        def __init__(self):
            super().__init__()
            self.second, self.first = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            return self.second(self.first(x).relu())

    reference = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    expect_same_network(Crossed(), reference, torch.randn(5, 3))


def test_slips_are_tried_in_turn():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    slips = [
        Slip(lambda: nn.Sequential(nn.Linear(9, 9)), "does not fit"),
        Slip(lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), "no activation"),
        Slip(lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), "ReLU, not Tanh"),
        Slip(lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), "again"),
    ]
    with pytest.raises(WrongAnswer) as caught:
        expect_same_network(model, small(), torch.randn(5, 3), slips)
    assert caught.value.hint == "ReLU, not Tanh"
    with pytest.raises(WrongAnswer, match="expected outputs such as"):
        expect_same_network(model, small(), torch.randn(5, 3), slips[:2])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Linear(3, 4)), "expected 26 parameters, got 16; hint: compare each"),
        (nn.Identity(), "got 0; hint: are the layers attributes of self"),
        (nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 1)), "layers of the listed sizes"),
        (nn.Sequential(*small(), nn.Flatten(0)), "expected shape (5, 2), got shape (10,)"),
        (nn.Sequential(*small(), nn.Dropout(0.5)), "the same output each time, got others"),
        (nn.Sequential(*small(), nn.Softmax(1)), "outputs such as"),
    ],
)
def test_networks_that_differ(model, message):
    torch.manual_seed(0)
    with pytest.raises(WrongAnswer) as caught:
        expect_same_network(model, small(), torch.randn(5, 3))
    assert message in str(caught.value)


def test_replaced_layers():
    kinds = [type(layer) for layer in replace_layers(small(), nn.Linear, nn.Tanh(), 1)]
    assert kinds == [nn.Linear, nn.ReLU, nn.Tanh]
    kinds = [type(layer) for layer in replace_layers(small(), nn.Linear, nn.Tanh())]
    assert kinds == [nn.Tanh, nn.ReLU, nn.Tanh]
    kinds = [type(layer) for layer in replace_layers(small(), nn.Linear, nn.Tanh(), 2)]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear]


def test_count():
    expect_count(small(), 26)
    with pytest.raises(WrongAnswer, match="expected 27 parameters, got 26; hint: mine"):
        expect_count(small(), 27, "mine")


# Values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "got",
    [1.0, 1, np.float32(1), np.float64(1), np.int64(1), torch.tensor(1), torch.tensor(1.0)],
)
def test_a_number_is_a_number_however_it_comes(got):
    expect_close(got, 1)
    with pytest.raises(WrongAnswer, match="expected 2, got 1; hint: more"):
        expect_close(got, 2, "more")


@pytest.mark.parametrize("size", [1e-6, 1.0, 1000.0])
def test_tolerance_is_absolute_and_relative(size):
    margin = 1e-4 + 1e-4 * size
    for sign in (1, -1):
        expect_close(size + sign * 0.9 * margin, size)
        expect_close(torch.tensor(size + sign * 0.9 * margin, dtype=torch.float64), size)
        with pytest.raises(WrongAnswer):
            expect_close(size + sign * 1.1 * margin, size)


@pytest.mark.parametrize(
    ("got", "want", "message"),
    [
        (None, 1.5, "expected 1.5, got None (is a return missing?); hint: return a tensor"),
        (float("nan"), 1.5, "expected 1.5, got nan; hint: h"),
        (torch.tensor(float("inf")), 1.38629, "expected 1.386, got inf; hint: h"),
        (torch.zeros(2, 1), 1.0, "expected one number, got shape (2, 1); hint: is a .mean() miss"),
        (torch.zeros(()), [1.0, 2], "expected shape (2,), got shape (); hint: one value for each"),
        (torch.zeros(2, 1), [1.0, 2], "got shape (2, 1); hint: keep the shape"),
        (torch.zeros(3), [1.0, 2], "expected shape (2,), got shape (3,); hint: h"),
        (torch.zeros(4), range(4), "expected [0, 1, 2, 3], got [0, 0, 0, 0]; hint: h"),
        (torch.zeros(5), range(5), "expected [0, 1, 2, 3, ...], got [0, 0, 0, 0, ...]; hint: h"),
        (torch.tensor(1j), 1.0, "expected 1, got complex numbers"),
        (True, 1, "got bool 'True'"),
        (nn.ReLU, 1, "got the class ReLU"),
        (nn.ReLU(), 1, "got a network (ReLU)"),
        ([1.0], [1.0], "got a list of 1"),
        ((1, 2), 1, "got a tuple of 2"),
        ("x" * 99, 1, f"got str '{'x' * 40}'; hint"),
    ],
)
def test_what_is_said_of_values(got, want, message):
    with pytest.raises(WrongAnswer) as caught:
        expect_close(got, list(want) if isinstance(want, range) else want, "h")
    assert message in str(caught.value)


def test_values_that_mistakes_lead_to():
    slips = [(5.0, "five"), (float("nan"), "no number"), ([1.0, 2.0], "two"), (6.0, "six")]
    for got, hint in ((5, "five"), (float("nan"), "no number"), (6, "six"), (7, "other")):
        with pytest.raises(WrongAnswer) as caught:
            expect_close(got, 1.0, "other", slips=slips)
        assert caught.value.hint == hint
    expect_close(1.0, 1.0, slips=[(1.0, "right all the same")])


def test_images():
    good = torch.rand(3, 1, 28, 28) * 2 - 1
    assert expect_images(good, 3) is good
    expect_images(torch.ones(2, 1, 28, 28), 2)
    expect_images(-torch.ones(2, 1, 28, 28), 2)
    for bad, message in (
        (None, "expected a tensor of shape (3, 1, 28, 28), got None"),
        (good[:2], "expected shape (3, 1, 28, 28), got shape (2, 1, 28, 28); hint: h"),
        (good[:, 0], "got shape (3, 28, 28); hint: h"),
        (good * 0 + 1.01, "expected pixels in [-1, 1], got pixels from 1.01 to 1.01; hint: end"),
        (good * 0 - 1.01, "got pixels from -1.01 to -1.01"),
        (good * float("nan"), "got pixels from nan to nan"),
    ):
        with pytest.raises(WrongAnswer) as caught:
            expect_images(bad, 3, "h")
        assert message in str(caught.value)


# Verdicts -----------------------------------------------------------------------------------------


def test_marks():
    assert str(Verdict("right", "right")) == "✓ right"
    assert str(Verdict("wrong", "x")) == "✗ x"
    assert str(Verdict("not started", "y")) == "○ y"


def test_wrong_answers_say_what_was_expected():
    assert str(WrongAnswer(1.23456, "b")) == "expected 1.235, got b"
    assert str(WrongAnswer("a", 2, "try 1")) == "expected a, got 2; hint: try 1"
    assert isinstance(WrongAnswer(1, 2), AssertionError)
    assert WrongAnswer(1, 2).hint == ""


def test_judge_seeds_and_forks():
    seen = []
    before = torch.get_rng_state()
    for _ in range(2):
        judge(lambda _: seen.append((random.random(), np.random.rand(), torch.rand(1).item())), id)
    assert seen[0] == seen[1]
    assert torch.equal(torch.get_rng_state(), before)


def test_judge_names_the_line_of_the_cell(monkeypatch):
    def run(file, text="def f():\n    return 1 / 0"):
        names = {}
        exec(compile(text, file, "exec"), names)
        return judge(lambda answer: answer(), names["f"]).text

    start = "it raised ZeroDivisionError: division by zero"
    assert run("/tmp/ipykernel_12/34.py") == f"{start} (line 2 of your cell)"
    assert run("<ipython-input-1-abc>") == f"{start} (line 2 of your cell)"
    assert run("/site-packages/ipykernel/iostream.py") == start
    assert run("/home/me/helpers.py") == start
    import linecache

    lines = ["def f():\n", "    return 1 / 0\n"]
    monkeypatch.setitem(linecache.cache, "/tmp/ipykernel_1/5.py", (1, None, lines, "x"))
    assert run("/tmp/ipykernel_1/5.py") == f"{start} (line 2 of your cell: return 1 / 0)"


def test_long_messages_are_cut():
    def answer():
        raise ValueError("x" * 500)

    text = judge(lambda f: f(), answer).text
    assert text == f"it raised ValueError: {'x' * 200} ..."


@pytest.mark.parametrize(("part", "hint"), judging._KNOWN_ERRORS)
def test_well_known_errors_get_a_hint(part, hint):
    def answer():
        raise RuntimeError(f"so: {part}!")

    assert judge(lambda f: f(), answer).text == f"it raised RuntimeError: so: {part}!; hint: {hint}"


def test_known_errors_are_what_python_and_pytorch_really_say():
    """Each message as this version words it, so that a new version shows here."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)

    class Headless(nn.Module):
        pass

    class Early(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    def twice():
        loss = (x * x).sum()
        loss.backward()
        loss.backward()

    cases = [
        (lambda: nn.Linear(1), "count the arguments"),
        (lambda: undefined, "is it spelled"),  # noqa: F821
        (lambda: x(4), "a ( ) too many"),
        (lambda: nn.Linear(3, 1)(torch.zeros(2, 2)), "Flatten images"),
        (lambda: torch.zeros(6).view(4, -1), "batch size open"),
        (lambda: Early(), "comes first"),
        (lambda: Headless()(x), "indented"),
        (lambda: x.mul_(2), "leave arguments"),
        (twice, "one backward"),
        (lambda: torch.zeros(()).backward(), "cut off"),
        (lambda: x.numpy(), "instead of NumPy"),
        (lambda: nn.BCELoss()(torch.zeros(2), torch.zeros(3)), "make labels"),
        (lambda: nn.BCEWithLogitsLoss()(x, torch.zeros(3)), "make labels"),
        (lambda: nn.BCELoss()(torch.tensor([2.0]), torch.zeros(1)), "are logits"),
        (lambda: max(x, 0), "clamp or"),
        (lambda: x.reshape(2, 1).min(1) < x.reshape(2, 1).max(1), ".values"),
        (lambda: math.log(x.detach()), "torch.log"),
        (lambda: torch.sqrt(4), "math.sqrt"),
        (lambda: [1, 2][: 2 / 1], "//"),
        (lambda: x.argsort().mean(), "indices"),
        (lambda: (x > 0).mean(), "True and False"),
        (lambda: x.detach().__setitem__(0, x), "make room"),
        (lambda: 0.9 * nn.Linear(1, 1), "parameters()"),
        (lambda: F.nothing, None),
        (lambda: torch.max(x, 0) - x, "cuts each"),
        (lambda: (x * 1)[:1].detach_(), "detach_() changes"),
        (lambda: x.sum().item().backward(), "no .item()"),
        (lambda: list(nn.Linear(1, 1).parameters), "with ( )"),
        (lambda: F.linear(torch.zeros(2, 2, dtype=torch.uint8), x), None),
    ]
    for answer, hint in cases:
        text = judge(lambda f: f(), answer).text
        assert text.startswith("it raised ")
        assert hint is None or hint in text.partition("; hint: ")[2], text


def test_layers_that_reshape_are_there_for_the_tests():
    """`_digits` has the shape that both kinds of first layer take."""
    digits = networks._digits()
    assert digits.shape == (4, 1, 28, 28)
    assert digits.min() < -0.9
    assert digits.max() > 0.9
    assert ToVector()(digits).shape == (4, 784)
    assert ToImage()(digits) is not None


def test_warnings_of_an_answer_stay_silent(recwarn):
    """The verdict speaks; a red box besides it would puzzle."""
    assert judge(lambda f: f(), lambda: warnings.warn("hm", stacklevel=1)).mark == "right"
    assert not recwarn


class Spoiled(nn.Module):
    """The right network, whose forward goes wrong in a way that its output does not show."""

    def __init__(self, network, how):
        super().__init__()
        self.network, self.how = network, how

    def forward(self, x):
        if self.how == "no_grad":
            with torch.no_grad():
                return self.network(x)
        if self.how == "detach inside":
            for place, layer in enumerate(self.network):
                x = layer(x)
                x = x.detach() if place == len(self.network) - 3 else x
            return x
        if self.how == "detach the input":
            return self.network(x.detach())
        if self.how == "in place":
            y = self.network(x)
            x.zero_()
            return y
        if self.how == "twice":
            with torch.no_grad():
                self.network(x)
        if self.how == "always training":
            self.network.train()
        return self.network(x)


@pytest.mark.parametrize("name", ["discriminator", "generator", "dc_classifier", "dc_generator"])
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no_grad", "gradients must reach every layer"),
        ("detach inside", "gradients must reach every layer"),
        ("detach the input", "gradients must reach every layer"),
        ("in place", "inputs unchanged"),
    ],
)
def test_networks_whose_output_hides_a_fault(name, how, words):
    test, build, _ = PAIRS[name]
    test(Spoiled(build(), ""))  # a network in a network is fine
    with pytest.raises(WrongAnswer, match=words):
        test(Spoiled(build(), how))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda right: Spoiled(right, "twice"), "running statistics"),
        (lambda right: Spoiled(right, "always training"), "eval mode"),
        (
            lambda right: replace_layers(right, nn.BatchNorm2d, nn.BatchNorm2d(64, momentum=0.8)),
            "running statistics",
        ),
        (
            lambda right: nn.Sequential(*right, Lambda(lambda x: F.dropout(x, 0.0))),
            None,  # nothing is dropped
        ),
    ],
)
def test_statistics_and_eval_mode_count(spoil, words):
    network = spoil(cu.build_dc_generator(4))
    if words is None:
        return cu.test_dc_generator(network)
    with pytest.raises(WrongAnswer, match=words):
        cu.test_dc_generator(network)


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize("norm", [torch.nn.utils.weight_norm, torch.nn.utils.spectral_norm])
@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_a_network_whose_weights_were_computed_by_a_hook_is_counted_not_crashed(norm):
    """After a forward pass such a weight is no leaf, which `deepcopy` refuses."""
    network = cu.build_discriminator()
    norm(network[1])
    network(torch.zeros(2, 784))
    with pytest.raises(WrongAnswer):
        cu.test_discriminator(network)
