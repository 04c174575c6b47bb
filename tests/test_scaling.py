"""fp16: gradients that would vanish arrive, those that overflow do no harm, runs go on exactly."""

from __future__ import annotations

import copy

import interrupted_run
import pytest
import torch
from interrupted_run import EPOCH
from torch import nn

from course_utils.losses import get_optimizer
from course_utils.settings import fork_random
from course_utils.training import AdversarialStep, ConditionalStep
from course_utils.training.scaling import LossScaling
from course_utils.training.speed import Switches, _choose_precision

pytestmark = pytest.mark.usefixtures("own_randomness")

SOLVERS = {
    "SGD": lambda network: torch.optim.SGD(network.parameters(), 0.1),
    "Adam": lambda network: torch.optim.Adam(network.parameters(), 0.1, foreach=False),
    "fused Adam": lambda network: get_optimizer(network, 0.1),
}


def make_scaling(D_solver, G_solver=None, **options) -> LossScaling:
    if G_solver is None:
        G_solver = torch.optim.SGD(nn.Linear(1, 1).parameters(), 0.1)
    return LossScaling(D_solver, G_solver, "cpu", **options)


def fuse(solver: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """As `train` does it, after the solver was made."""
    for group in solver.param_groups:
        group["fused"], group["foreach"] = True, False
    return solver


@pytest.mark.parametrize("name", SOLVERS)
def test_a_scaled_update_is_the_plain_update(name):
    """The factor is a power of two: in float32 nothing is rounded on the way there and back."""
    network = nn.Linear(5, 1)
    twin = copy.deepcopy(network)
    make = SOLVERS[name] if "fused" not in name else lambda n: fuse(SOLVERS[name](n))
    plain, solver = make(twin), make(network)
    scaling = make_scaling(solver)
    for _ in range(4):
        batch = torch.randn(6, 5)
        plain.zero_grad()
        twin(batch).square().mean().backward()
        plain.step()
        scaling.descend(solver, network(batch).square().mean())
    torch.testing.assert_close(network.weight, twin.weight, rtol=1e-6, atol=1e-7)


def backward_in_fp16(weight: nn.Parameter, size: float) -> torch.Tensor:
    """A loss whose gradient passes through fp16 as `size`."""
    return (weight.half().float() * size).sum()


def test_a_gradient_too_small_for_fp16_arrives():
    size = 1e-9
    assert torch.tensor(size).half() == 0
    weight = nn.Parameter(torch.ones(3))
    backward_in_fp16(weight, size).backward()
    assert (weight.grad == 0).all()
    solver = torch.optim.SGD([weight], lr=1e6)
    make_scaling(solver).descend(solver, backward_in_fp16(weight, size))
    torch.testing.assert_close(weight.detach(), torch.full((3,), 1 - 1e6 * size), rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", SOLVERS)
def test_an_update_that_overflowed_is_left_out_and_the_factor_halved(name):
    network = nn.Linear(3, 1)
    solver = SOLVERS[name](network)
    if "fused" in name:
        fuse(solver)
    scaling = make_scaling(solver)
    before = copy.deepcopy(network.state_dict())
    scaling.descend(solver, backward_in_fp16(network.weight, 10.0))  # 65,536 times 10
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])
    assert scaling.state_dict()["D"]["scale"] == 2**15
    for _ in range(4):
        scaling.descend(solver, backward_in_fp16(network.weight, 10.0))
    assert not torch.equal(network.weight, before["weight"])
    assert torch.isfinite(network.weight).all()


def test_each_solver_has_a_factor_of_its_own():
    D, G = nn.Linear(3, 1), nn.Linear(3, 1)
    solvers = [torch.optim.SGD(n.parameters(), 0.1) for n in (D, G)]
    scaling = make_scaling(*solvers)
    scaling.descend(solvers[0], backward_in_fp16(D.weight, 10.0))
    assert [state["scale"] for state in scaling.state_dict().values()] == [2**15, 2**16]
    again = make_scaling(*solvers, saved=scaling.state_dict())
    assert again.state_dict() == scaling.state_dict()


# --- in a run --------------------------------------------------------------------------------


def run_fp16(folder, num_epochs=2, **options):
    return interrupted_run.run(folder, num_epochs=num_epochs, precision="fp16", **options)


def test_a_run_in_fp16_says_so_and_learns(tmp_path, capsys):
    history = run_fp16(tmp_path)
    assert history.step[-1] == 2 * EPOCH and not history.stopped
    assert "fp16, scaled losses" in capsys.readouterr().out


class OwnUpdate(AdversarialStep):
    def update_g(self, images, labels, fakes):
        return super().update_g(images, labels, fakes)


class OwnDescent(AdversarialStep):
    def descend(self, solver, loss):
        super().descend(solver, loss)


@pytest.mark.parametrize(
    "kind, expected",
    [
        (AdversarialStep, "fp16"),
        (ConditionalStep, "fp16"),
        (OwnUpdate, "fp32"),
        (OwnDescent, "fp32"),
    ],
)
def test_a_step_of_your_own_is_not_put_into_fp16_unasked(monkeypatch, kind, expected):
    D, G = nn.Linear(2, 1), nn.Linear(3, 2)
    step = kind(
        D, G, get_optimizer(D), get_optimizer(G), lambda a, b: a.sum(), torch.sum, noise_size=3
    )
    monkeypatch.setattr(AdversarialStep, "device", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert _choose_precision(step, Switches()) == expected
    assert _choose_precision(step, Switches("fp16")) == "fp16"


def test_afterwards_the_step_descends_as_it_did():
    step = interrupted_run.make_step()
    with fork_random():
        interrupted_run.run(None, step=step, num_epochs=1, precision="fp16")
    assert "descend" not in vars(step) and step.scaling is not None
