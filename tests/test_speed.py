"""Fast and plain are the same mathematics; what is chosen for speed, and undone afterwards."""

from __future__ import annotations

import copy
import inspect
from contextlib import contextmanager, nullcontext

import pytest
import torch
from helpers import assert_complains, bad_inputs
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils._python_dispatch import TorchDispatchMode

from course_utils import models
from course_utils.exercises import EXERCISES
from course_utils.losses import (
    discriminator_loss,
    generator_loss,
    get_optimizer,
    probability_discriminator_loss,
    probability_generator_loss,
)
from course_utils.settings import fork_random
from course_utils.training import (
    AdversarialStep,
    Switches,
    choose_precision,
    graphs,
    loop,
    speed,
    train,
)
from course_utils.training.speed import accelerated, looks_at_batch, match_layout

LOGITS = (discriminator_loss, generator_loss, torch.sigmoid)
PROBABILITIES = (probability_discriminator_loss, probability_generator_loss, None)
NOISE = 4

by_hand_D = EXERCISES["01.6"].reference  # the two steps that lesson 1 writes by hand
by_hand_G = EXERCISES["01.7"].reference


pytestmark = pytest.mark.usefixtures("own_randomness")


def nothing() -> None:
    """What is done after a step here."""


def make_step(D, G, kind=LOGITS, lr=1e-3, noise_size=NOISE, solver=get_optimizer, **options):
    d_loss, g_loss, as_probability = kind
    options = {"as_probability": as_probability, "noise_size": noise_size} | options
    return AdversarialStep(D, G, solver(D, lr), solver(G, lr), d_loss, g_loss, **options)


def make_batches(count: int, size: int = 4, shape=(1, 28, 28)) -> list[tuple[Tensor, Tensor]]:
    return [(torch.rand(size, *shape) * 2 - 1, torch.zeros(size).long()) for _ in range(count)]


def points(count: int = 3, size: int = 6) -> list[tuple[Tensor, Tensor]]:
    return [(torch.randn(size, 2), torch.zeros(size).long()) for _ in range(count)]


def small_D(*end: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.1), nn.Linear(8, 1), *end)


def small_G() -> nn.Sequential:
    return nn.Sequential(nn.Linear(NOISE, 8), nn.ReLU(), nn.Linear(8, 2))


def small_step(D=None, **options):
    return make_step(small_D() if D is None else D, small_G(), **options)


# --- equal mathematics -----------------------------------------------------------------------

PAIRS = {
    "mlp": (models.build_discriminator, models.build_generator, LOGITS, (1, 28, 28)),
    "sigmoid mlp": (
        models.build_sigmoid_discriminator, models.build_leaky_generator, PROBABILITIES,
        (1, 28, 28),
    ),
    "dcgan": (models.build_dc_classifier, models.build_dc_generator, LOGITS, (1, 28, 28)),
    "cifar10": (
        models.build_cifar10_discriminator, models.build_cifar10_generator, PROBABILITIES,
        (3, 32, 32),
    ),
}  # fmt: skip


def play_by_hand(D, G, batches, kind, draw) -> None:
    """Lesson 1's loop: D first, then G, one batch of fakes for both, plain Adam."""
    criterion = nn.BCEWithLogitsLoss() if kind is LOGITS else nn.BCELoss()
    solvers = [torch.optim.Adam(n.parameters(), 1e-3, (0.5, 0.999), foreach=False) for n in (D, G)]
    for images, _ in batches:
        fakes = G(draw(len(images)))
        by_hand_D(D, solvers[0], criterion, images, fakes)
        by_hand_G(D, solvers[1], criterion, fakes)


@pytest.mark.parametrize(
    "name, steps",
    [
        ("mlp", 20),
        pytest.param("mlp", 200, marks=pytest.mark.slow),
        ("sigmoid mlp", 200),
        ("dcgan", 10),
        ("cifar10", 10),
    ],
)
def test_fast_training_is_the_loop_of_lesson_1(float64, name, steps):
    build_D, build_G, kind, shape = PAIRS[name]
    D, G = build_D(), build_G(NOISE)
    for layer in D.modules():
        if isinstance(layer, nn.Dropout2d):
            layer.p = 0.0  # one pass and two draw different masks
    hand_D, hand_G = copy.deepcopy(D), copy.deepcopy(G)
    # 16: with 4 images, batch norm divides by variances near 0 and rounding grows
    batches = make_batches(steps, size=4 if "mlp" in name else 16, shape=shape)
    train(make_step(D, G, kind), batches, num_epochs=1, seed=5, show_every=10**6)

    torch.manual_seed(5)
    source = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
    models.sample_noise(25, NOISE, generator=source)  # the fixed noise comes first
    play_by_hand(
        hand_D, hand_G, batches, kind, lambda n: models.sample_noise(n, NOISE, generator=source)
    )
    for ours, theirs in ((D, hand_D), (G, hand_G)):
        for entry, value in ours.state_dict().items():  # batch-norm statistics included
            expected = theirs.state_dict()[entry]
            error = (value - expected).abs().max() / expected.abs().max()
            assert error <= 1e-9, (entry, error)


@pytest.mark.parametrize("name", PAIRS)
def test_one_fast_step_has_the_gradients_of_the_plain_one(name):
    build_D, build_G, kind, shape = PAIRS[name]
    D, G = build_D(), build_G(NOISE)
    for layer in D.modules():
        if isinstance(layer, nn.Dropout2d):
            layer.p = 0.0
    twin_D, twin_G = copy.deepcopy(D), copy.deepcopy(G)
    ((images, labels),) = make_batches(1, size=8, shape=shape)
    noise = models.sample_noise(8, NOISE)
    solver = lambda network, lr: torch.optim.SGD(network.parameters(), 1e-3)  # noqa: E731
    plain = make_step(twin_D, twin_G, kind, solver=solver, one_pass=False, freeze=False)
    plain.draw_noise = lambda count: noise
    plain(images, labels)
    fast = make_step(D, G, kind, solver=solver)
    fast.draw_noise = lambda count: noise
    with accelerated(fast, images, Switches(precision="fp32"), nothing) as (advance, _):
        advance(images, labels)
    # G's gradients; D's are seen through its new weights, as G's step leaves more in D's
    for p, q in zip(G.parameters(), twin_G.parameters()):
        assert (p.grad - q.grad).norm() <= 1e-5 * q.grad.norm() + 1e-9
    for p, q in zip(D.parameters(), twin_D.parameters()):
        assert (p - q).norm() <= 1e-5 * 1e-3 * q.norm() + 1e-7


def test_the_mathematics_fits_on_a_screen():
    screen = ("__call__", "update_d", "update_g", "descend", "score_both", "score")
    lines = sum(len(inspect.getsource(getattr(AdversarialStep, n)).splitlines()) for n in screen)
    assert lines <= 48


# --- what is chosen, and said ----------------------------------------------------------------


def choices_said(capsys, step, batches, **options) -> str:
    train(step, batches, num_epochs=1, **options)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " steps on " in line]
    return line


def test_one_line_says_what_was_chosen(capsys):
    step = make_step(models.build_dc_classifier(), models.build_dc_generator(NOISE))
    assert choices_said(capsys, step, make_batches(1), precision="fp32") == (
        "1 steps on cpu: fp32, channels_last, fused Adam, D frozen while G trains, "
        "one pass of D over real and fake"
    )
    weight = step.D[1].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    step = make_step(
        models.build_cifar10_discriminator(), models.build_cifar10_generator(NOISE), PROBABILITIES
    )
    line = choices_said(capsys, step, make_batches(1, shape=(3, 32, 32)), precision="bf16")
    assert "bf16" in line and "D sees real and fake apart" in line


def test_networks_that_were_left_on_the_cpu_are_named(monkeypatch, capsys):
    step = make_step(models.build_dc_classifier(), models.build_dc_generator(NOISE))
    for device, said in (("cpu", False), ("cuda", True)):
        monkeypatch.setattr(loop, "get_device", lambda device=device: torch.device(device))
        train(step, make_batches(1), num_epochs=1, precision="fp32")
        assert ("a faster device is here, cuda: D.to(cu" in capsys.readouterr().out) == said


def test_each_choice_can_be_switched_off(capsys):
    plain = lambda network, lr: torch.optim.Adam(network.parameters(), lr)  # noqa: E731
    step = make_step(
        models.build_dc_classifier(), models.build_dc_generator(NOISE), solver=plain,
        one_pass=False, freeze=False,
    )  # fmt: skip
    switches = {"precision": "fp32", "channels_last": False, "fused": False}
    line = choices_said(capsys, step, make_batches(1), **switches)
    assert line == "1 steps on cpu: fp32, D sees real and fake apart"
    assert step.D[1].weight.is_contiguous()


@pytest.mark.parametrize(
    "cpu, kind, expected",
    [
        ({"_is_avx512_bf16_supported": True}, "cpu", "bf16"),
        ({"_is_amx_tile_supported": True}, "cpu", "bf16"),
        ({}, "cpu", "fp32"),
        ({"_is_avx512_bf16_supported": True}, "mps", "fp32"),
    ],
)
def test_auto_is_bf16_where_the_hardware_has_it(monkeypatch, cpu, kind, expected):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda n=name: cpu.get(n, False), raising=False)
    assert choose_precision("auto", kind) == expected
    for precision in ("fp32", "fp16", "bf16"):
        assert choose_precision(precision, kind) == precision


@pytest.mark.parametrize(
    "capability, expected",
    [((6, 1), "fp32"), ((7, 0), "fp16"), ((7, 5), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")],
)
def test_a_card_uses_what_its_tensor_cores_multiply(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert choose_precision("auto", "cuda") == expected


def test_an_old_torch_that_cannot_tell_stays_in_fp32(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert choose_precision("auto", "cpu") == "fp32"


def train_float64(precision: str):
    step = make_step(small_D().double(), small_G().double())
    return train(
        step, [(points(1)[0][0].double(), torch.zeros(6))], num_epochs=1, precision=precision
    )


@bad_inputs(
    ("precision", lambda: Switches(precision="half"), ValueError, "precision", "'half'"),
    ("channels_last", lambda: Switches(channels_last="yes"), TypeError, "channels_last", "'yes'"),
    ("fused", lambda: Switches(fused=2), TypeError, "fused", "2"),
    ("graph", lambda: Switches(graph="on"), TypeError, "graph", "'on'"),
    ("one_pass", lambda: small_step(one_pass="x"), TypeError, "one_pass", "'x'"),
    ("freeze", lambda: small_step(freeze=None), TypeError, "freeze", "None"),
    ("fresh_fakes", lambda: small_step(fresh_fakes=1), TypeError, "fresh_fakes", "1"),
    ("bf16 for float64", lambda: train_float64("bf16"), ValueError, "precision", "'bf16'"),
)  # fmt: skip
def test_bad_input(call, error, name, got):
    assert_complains(call, error, name, got)


# --- one pass or two -------------------------------------------------------------------------


class ToldByTheBatch(nn.Module):
    """As in Karras et al. 2017 (arXiv 1710.10196), section 3: how much the batch varies."""

    def forward(self, x: Tensor) -> Tensor:
        return x + x.std(dim=0).mean()


class FunctionalDropout(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5, training=self.training)


@pytest.mark.parametrize(
    "layer, apart",
    [
        (nn.Identity(), False),
        (nn.Dropout(0.5), False),
        (nn.LayerNorm(8), False),
        (nn.BatchNorm1d(8), True),
        (nn.BatchNorm1d(8, track_running_stats=False), True),
        (ToldByTheBatch(), True),
        (FunctionalDropout(), True),  # cannot be told from a layer that looks at the batch
        (spectral_norm(nn.Linear(8, 8)), True),  # each pass moves its estimate
    ],
)
def test_one_pass_only_where_no_layer_looks_at_the_batch(layer, apart):
    D = nn.Sequential(nn.Linear(2, 8), layer, nn.Linear(8, 1))
    before, images = copy.deepcopy(D.state_dict()), torch.randn(8, 2)
    state = torch.get_rng_state()
    assert looks_at_batch(D, images) == apart
    assert torch.equal(state, torch.get_rng_state())
    for name, value in D.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("layer, passes", [(nn.Identity(), 1), (nn.BatchNorm1d(8), 2)])
def test_d_is_asked_once_or_twice(layer, passes):
    sizes = []
    D = nn.Sequential(nn.Linear(2, 8), layer, nn.Linear(8, 1))
    step = small_step(D)
    D[0].register_forward_hook(lambda m, i, o: sizes.append((len(o), torch.is_grad_enabled())))
    ((images, labels),) = points(1)
    with accelerated(step, images, Switches(), nothing) as (advance, _):
        sizes.clear()
        advance(images, labels)
    assert [n for n, _ in sizes] == ([12, 6] if passes == 1 else [6, 6, 6])


# --- bf16, and what never sees it ------------------------------------------------------------


def run_bf16(step, batches=None, **options):
    options = {"precision": "bf16"} | options
    return train(step, points() if batches is None else batches, num_epochs=1, **options)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_networks_compute_in_half_precision_and_everything_else_in_float32(precision):
    seen = {}

    def d_loss(real, fake):
        seen["loss"] = (real.dtype, fake.dtype, torch.is_autocast_enabled("cpu"))
        return discriminator_loss(real, fake)

    step = make_step(small_D(), small_G(), (d_loss, generator_loss, torch.sigmoid))
    inside = []
    step.D[0].register_forward_hook(lambda m, i, o: inside.append(o.dtype))
    run_bf16(step, precision=precision)
    assert inside[-1] == speed.HALVES[precision]
    assert seen["loss"] == (torch.float32, torch.float32, False)
    assert all(p.dtype == torch.float32 for p in step.D.parameters())


def test_a_sigmoid_layer_is_computed_in_float32():
    """In bf16, sigmoid(7) is exactly 1, and log(1 - 1) is nothing to learn from."""
    assert torch.sigmoid(torch.tensor(7.0, dtype=torch.bfloat16)) == 1
    D = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
    nn.init.zeros_(D[0].weight)
    nn.init.constant_(D[0].bias, 7.0)
    history = run_bf16(make_step(D, small_G(), PROBABILITIES, lr=1e-9), log_every=1)
    assert history.d_fake[0] == pytest.approx(torch.tensor(7.0).sigmoid().item(), abs=1e-6)


class EndsInAFunction(nn.Module):
    def __init__(self, layer=None, shape=(-1, 1)):
        super().__init__()
        self.linear, self.shape = nn.Linear(2, 1), shape
        nn.init.zeros_(self.linear.weight)
        nn.init.constant_(self.linear.bias, 7.0)

    def forward(self, points: Tensor) -> Tensor:
        return torch.sigmoid(self.linear(points)).reshape(self.shape)


@pytest.mark.parametrize("shape", [(-1, 1), (-1,)])
def test_so_is_a_sigmoid_that_is_no_layer(capsys, shape):
    step = make_step(EndsInAFunction(shape=shape), small_G(), PROBABILITIES, lr=1e-9)
    history = run_bf16(step, log_every=1)
    assert history.d_fake[0] == pytest.approx(torch.tensor(7.0).sigmoid().item(), abs=1e-6)
    assert "D in fp32 (it ends in a sigmoid)" in capsys.readouterr().out


def test_a_penalty_differentiates_twice_in_float32():
    """R1 (Mescheder et al. 2018, arXiv 1801.04406, equation 9)."""
    seen = []

    def penalty(D, images, fakes):
        images = images.detach().requires_grad_()
        scores = D(images)
        (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
        seen.append(inside[-1])
        return gradient.square().sum(1).mean()

    step = small_step(penalty=penalty)
    inside = []
    step.D[0].register_forward_hook(lambda m, i, o: inside.append(o.dtype))
    run_bf16(step)
    assert seen == [torch.float32] * 3
    assert torch.bfloat16 in inside  # the other passes
    assert step.penalty is penalty


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_it_stays_afterwards(fails):
    def d_loss(real, fake):
        if fails:
            raise RuntimeError("a fault of the loss")
        return discriminator_loss(real, fake)

    step = make_step(
        small_D(nn.Sigmoid()),
        small_G(),
        (d_loss, generator_loss, None),
        penalty=lambda D, x, f: x.sum() * 0,
    )
    kept = step.penalty
    with pytest.raises(RuntimeError, match="a fault") if fails else nullcontext():
        run_bf16(step)
    for module in (*step.D.modules(), *step.G.modules()):
        assert not module._forward_hooks and not module._forward_pre_hooks
    assert step.penalty is kept and step.one_pass is None
    assert all(p.requires_grad for p in step.D.parameters())
    assert not torch.is_autocast_enabled("cpu")


def test_a_forward_that_fails_leaves_no_autocast():
    mixed = speed.MixedPrecision("cpu")
    D = small_D()
    mixed.enter(D)
    with pytest.raises(RuntimeError):
        D(torch.zeros(1, 5))
    assert not torch.is_autocast_enabled("cpu")
    assert D(torch.zeros(1, 2)).dtype == torch.float32
    mixed.leave()


def test_a_copy_made_by_a_callback_is_a_network_of_its_own():
    copies = []
    step = small_step()
    run_bf16(step, callbacks=[lambda p: copies.append(copy.deepcopy(p.game.G))], show_every=1)
    with torch.no_grad():
        for parameter in copies[0].parameters():
            parameter.zero_()
        assert copies[0](torch.ones(1, NOISE)).abs().sum() == 0
    seen = []
    copies[0][0].register_forward_hook(lambda m, i, o: seen.append(o.dtype))
    copies[0](torch.ones(1, NOISE))
    assert seen == [torch.float32]  # and no part of the training any more


# --- memory layout ---------------------------------------------------------------------------


def conv_step(**options):
    D = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(4 * 16, 1))
    G = nn.Sequential(
        nn.Linear(NOISE, 4 * 9), nn.Unflatten(1, (4, 3, 3)), nn.ConvTranspose2d(4, 3, 4), nn.Tanh()
    )
    return make_step(D, G, **options)


def test_layouts_change_no_result_in_the_middle_of_a_run():
    """A fused kernel pairs numbers by their place in memory, and says nothing when they differ."""
    results = []
    for layouts in ((False, False), (False, True), (True, False), (True, True)):
        with fork_random(seed=1):
            step = conv_step()
            batches = make_batches(3, shape=(3, 6, 6))
            for channels_last in layouts:
                if not channels_last:
                    for network in (step.D, step.G):
                        network.to(memory_format=torch.contiguous_format)
                    match_layout(step.D_solver), match_layout(step.G_solver)
                train(
                    step,
                    batches,
                    num_epochs=1,
                    channels_last=channels_last,
                    precision="fp32",
                    seed=2,
                )
            results.append(
                [p.detach().clone() for p in (*step.D.parameters(), *step.G.parameters())]
            )
    for other in results[1:]:
        for p, q in zip(results[0], other):
            torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)


class Views(nn.Module):
    """The usual way to flatten, which works in one layout only."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(x.size(0), -1)


def test_a_view_after_a_convolution_keeps_the_old_layout(capsys):
    step = conv_step()
    D = nn.Sequential(nn.Conv2d(3, 4, 3), Views(), nn.Linear(4 * 16, 1))
    step = make_step(D, step.G)
    train(step, make_batches(1, shape=(3, 6, 6)), num_epochs=1)
    assert "channels_last" not in capsys.readouterr().out
    assert D[0].weight.is_contiguous()


def test_state_is_laid_out_as_its_parameter():
    step = conv_step()
    train(step, make_batches(2, shape=(3, 6, 6)), num_epochs=1, channels_last=False)
    weight = step.D[0].weight
    step.D.to(memory_format=torch.channels_last)
    kept = step.D_solver.state[weight]["exp_avg"].clone()
    assert step.D_solver.state[weight]["exp_avg"].stride() != weight.stride()
    match_layout(step.D_solver)
    average = step.D_solver.state[weight]["exp_avg"]
    assert average.stride() == weight.stride() and torch.equal(average, kept)


# --- fused updates ---------------------------------------------------------------------------


def adam(**options):
    return lambda network, lr: torch.optim.Adam(network.parameters(), lr, **options)


@pytest.mark.parametrize(
    "solver, wanted, expected",
    [
        (adam(), None, True),
        (adam(), False, False),
        (adam(fused=False), None, False),
        (adam(fused=False), True, True),
        (adam(foreach=True), None, False),
        (lambda network, lr: torch.optim.SGD(network.parameters(), lr), None, None),
        (lambda network, lr: torch.optim.SGD(network.parameters(), lr), True, None),
    ],
)
def test_adam_is_fused_unless_its_owner_decided(solver, wanted, expected):
    step = small_step(solver=solver)
    train(step, points(), num_epochs=1, fused=wanted)
    if expected is not None:
        assert bool(step.D_solver.param_groups[0]["fused"]) == expected


def test_a_solver_that_has_stepped_can_be_fused():
    plain, fused = small_step(solver=adam(foreach=False)), None
    with fork_random(seed=3):
        batches = points()
        train(plain, batches, num_epochs=1, fused=False, seed=1)
        fused = copy.deepcopy(plain)
        train(plain, batches, num_epochs=1, fused=False, seed=2)
        train(fused, batches, num_epochs=1, fused=True, seed=2)
    for p, q in zip(plain.G.parameters(), fused.G.parameters()):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


# --- nothing waits ---------------------------------------------------------------------------


class CountReads(TorchDispatchMode):
    """Counts what makes the host wait for a value: item, float, bool, tolist all end here."""

    reads = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.reads += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("options", [{}, {"ema": 0.9}, {"schedule": lambda share: 1 - share}])
def test_no_step_reads_a_value(options):
    def count(steps: int) -> int:
        with CountReads() as counter:
            train(
                make_step(models.build_discriminator(), models.build_generator(NOISE)),
                make_batches(steps), num_epochs=1, log_every=100, show_every=100, **options,
            )  # fmt: skip
        return counter.reads

    assert count(12) == count(3)


# --- CUDA graphs: the bookkeeping with a stand-in, the rest where there is a GPU -------------


class StandInGraph:
    """Captures nothing; a replay runs the step on the captured inputs, in place."""

    def __init__(self):
        self.generators = []
        self.replays = 0

    def register_generator_state(self, generator):
        self.generators.append(generator)

    def replay(self):
        self.replays += 1
        self.owner.replayed()


@pytest.fixture
def stand_in(monkeypatch):
    class Stream:
        def wait_stream(self, other): ...

    class Randomness:
        """Stuck after a capture that failed, until another state takes its place."""

        stuck = False

        def clone_state(self):
            return "free"

        def graphsafe_set_state(self, state):
            self.stuck = state != "free"

    @contextmanager
    def capture(graph, stream, capture_error_mode):
        if stand_in.error:
            torch.cuda.default_generators[0].stuck = True
            raise stand_in.error
        yield

    class stand_in:
        error = None

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: None)
    monkeypatch.setattr(torch.cuda, "default_generators", (Randomness(),))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", StandInGraph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    return stand_in


def test_three_real_steps_then_one_capture_then_replays(stand_in):
    calls = []

    def advance(images, labels):
        calls.append(images.sum().item())
        return {"d_loss": images.sum()}

    graphed = graphs.Graphed(advance, small_step())
    StandInGraph.owner = graphed
    graphed.replayed = lambda: graphed._scores["d_loss"].copy_(graphed._images.sum())
    batches = [torch.full((2, 2), float(n)) for n in range(6)]
    labels = torch.zeros(2)
    scores = [float(graphed(images, labels)["d_loss"]) for images in batches]
    assert scores == [0, 4, 8, 12, 16, 20]  # every batch had its turn
    assert calls == [0, 4, 8, 12]  # three steps, and the capture of the fourth
    assert graphed._graph.replays == 3
    assert graphed._graph.generators == [graphed._step.generator]
    assert float(graphed(torch.ones(1, 2), labels[:1])["d_loss"]) == 2  # another size: as it is
    assert calls[-1] == 2 and graphed._graph.replays == 3


def test_where_capturing_fails_training_goes_on(stand_in, capsys):
    stand_in.error = RuntimeError("operation not permitted when stream is capturing\nmore")
    seen = []
    graphed = graphs.Graphed(lambda images, labels: seen.append(len(seen)) or {}, small_step())
    for _ in range(6):
        graphed(torch.zeros(2, 2), torch.zeros(2))
    assert seen == [0, 1, 2, 3, 4, 5] and not torch.cuda.default_generators[0].stuck
    said = capsys.readouterr().out
    assert said.count("no CUDA graph") == 1 and "stream is capturing" in said and "more" not in said


def test_the_solvers_are_left_as_they_were(stand_in):
    step = small_step()
    graphed = graphs.Graphed(lambda images, labels: {}, step)
    group = step.D_solver.param_groups[0]
    assert group["capturable"] and isinstance(group["lr"], Tensor)
    group["lr"].fill_(0.5)  # as a scheduler of torch does
    graphed.close()
    assert not group["capturable"]
    assert type(group["lr"]) is float and group["lr"] == 0.5


class OwnGame(AdversarialStep):
    def update_g(self, images, labels, fakes):
        return super().update_g(images, labels, fakes)


@pytest.mark.parametrize(
    "kind, solver, graph, expected",
    [
        (AdversarialStep, get_optimizer, None, True),
        (AdversarialStep, get_optimizer, False, False),
        (OwnGame, get_optimizer, None, False),  # it may decide in Python what a graph would freeze
        (OwnGame, get_optimizer, True, True),
        (AdversarialStep, lambda n, lr: torch.optim.SGD(n.parameters(), lr), None, False),
    ],
)
def test_what_is_captured(monkeypatch, kind, solver, graph, expected):
    step = kind(
        D := small_D(), G := small_G(), solver(D, 1e-3), solver(G, 1e-3),
        discriminator_loss, generator_loss, noise_size=NOISE,
    )  # fmt: skip
    assert not speed.uses_graph(step, Switches(graph=graph))  # on a CPU never
    monkeypatch.setattr(AdversarialStep, "device", torch.device("cuda"))
    assert speed.uses_graph(step, Switches(graph=graph)) == expected


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def cuda_step(*layers: nn.Module):
    D = nn.Sequential(nn.Linear(2, 64), *layers, nn.Linear(64, 1)).cuda()
    return make_step(D, small_G().cuda())


@needs_cuda
def test_noise_and_dropout_differ_from_replay_to_replay():
    step = cuda_step(nn.Dropout(0.5))
    for solver in (step.D_solver, step.G_solver):
        solver.param_groups[0]["lr"] = 0.0
    ((images, labels),) = points(1)
    with accelerated(step, images.cuda(), Switches(), nothing) as (advance, chosen):
        scores = [advance(images.cuda(), labels.cuda())["d_real"].item() for _ in range(12)]
        fakes = [advance(images.cuda(), labels.cuda())["d_fake"].item() for _ in range(12)]
    assert "CUDA graph" in chosen
    assert len(set(scores)) == len(set(fakes)) == 12


@needs_cuda
def test_a_loss_that_reads_a_value_runs_without_a_graph(capsys):
    def d_loss(real, fake):
        return discriminator_loss(real, fake) * (1 if real.sum().item() < 1e9 else 2)

    D = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 1)).cuda()
    step = make_step(D, small_G().cuda(), (d_loss, generator_loss, torch.sigmoid))
    history = train(step, points(10), num_epochs=1, log_every=1)
    assert len(history.step) == 10 and not history.stopped
    assert "no CUDA graph" in capsys.readouterr().out


@needs_cuda
def test_a_captured_step_is_the_plain_step():
    with fork_random(seed=1):
        step = cuda_step()
    twin = copy.deepcopy(step)
    batches = [(images.cuda(), labels.cuda()) for images, labels in points(10)]
    for which, graph in ((step, None), (twin, False)):
        train(which, batches, num_epochs=1, seed=1, graph=graph, precision="fp32")
    for p, q in zip(step.G.parameters(), twin.G.parameters()):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)
