"""The table of layers: as torchsummary prints it, with totals that are right."""

from __future__ import annotations

import copy
import re
import warnings

import pytest
import torch
import torchsummary
from helpers import assert_complains, bad_inputs
from torch import Tensor, nn
from torch.nn import utils
from torch.nn.utils import parametrizations

import course_utils as cu
from course_utils import models

pytestmark = pytest.mark.usefixtures("own_randomness")

INT, FLOAT = torch.int64, torch.float32


@pytest.mark.parametrize(
    "build, size",
    [
        (models.build_discriminator, (1, 28, 28)),
        (models.build_dc_classifier, (1, 28, 28)),
        (lambda: models.build_dc_generator(4), (4,)),
        (models.build_strided_discriminator, (1, 28, 28)),
        (models.build_deep_generator, (128,)),
        (
            lambda: nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), nn.Flatten()),
            (3, 9, 9),
        ),
    ],
)
def test_plain_networks_have_the_table_of_torchsummary(build, size, capsys):
    model = build()
    cu.summarize(model, size)
    ours = capsys.readouterr().out
    torchsummary.summary(model, size, device="cpu")
    assert ours == capsys.readouterr().out


class Bare(nn.Module):
    """2,177 numbers: 129 in a layer, 2,048 in no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.picture, self.layer = nn.Parameter(torch.randn(16, 128)), nn.Linear(128, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x @ self.picture)


class Twice(nn.Module):
    """One layer called twice, another that shares its weight, one that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.tied, self.unused = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(3, 2)
        self.tied.weight = self.layer.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.tied(self.layer(self.layer(x)))


class Two(nn.Module):
    """A latent and a label, as a conditional G takes them; a pair comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.names, self.layer, self.memory = nn.Embedding(10, 6), nn.Linear(70, 5), nn.GRU(5, 3)

    def forward(self, z: Tensor, label: Tensor) -> dict:
        h = self.layer(torch.cat([z, self.names(label)], dim=1))
        return {"all": self.memory(h[None]), "last": h}


class Block(nn.Module):
    """A layer of layers with a number of its own, as a residual block has."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.inside = nn.Parameter(torch.ones(1)), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.inside(x)


def older(way, layer: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return way(layer)


def frozen() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    model[0].weight.requires_grad_(False)
    return model


CASES = {
    "bare parameter": (Bare, (16,), {}, "2,177", ["129", "2,048"]),
    "called twice": (Twice, (4,), {}, "32", ["20", "shared", "4", "6", "2"]),
    "two inputs": (Two, [(64,), ()], {"dtypes": [FLOAT, INT]}, "505", ["60", "355", "90"]),
    "an embedding": (
        lambda: nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(28, 2)),
        (7,),
        {"dtypes": INT},
        "94",
        ["36", "0", "58"],
    ),
    "labels": (
        models.ProjectionDiscriminator,
        [(1, 28, 28), ()],
        {"dtypes": (FLOAT, INT)},
        "129,953",
        None,
    ),
    "a block": (lambda: nn.Sequential(Block(), Block()), (4,), {}, "42", ["20", "1", "20", "1"]),
    "a single layer": (lambda: nn.Linear(4, 1), (4,), {}, "5", ["5"]),
    "spectral norm": (
        lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(3, 2)), nn.ReLU()),
        (3,),
        {},
        "8",
        ["8", "0"],
    ),
    "weight norm": (
        lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 2))),
        (3,),
        {},
        "10",
        ["10"],
    ),
    "older weight norm": (
        lambda: nn.Sequential(older(utils.weight_norm, nn.Linear(3, 2))),
        (3,),
        {},
        "10",
        ["10"],
    ),
    "a layer whose own layers are not called": (
        lambda: nn.MultiheadAttention(4, 2),
        [(3, 4)] * 3,
        {},
        "80",
        ["48", "12", "16", "4"],
    ),
}


@pytest.mark.parametrize("build, size, options, total, params", CASES.values(), ids=CASES)
def test_the_rows_add_up_to_what_count_params_says(build, size, options, total, params, capsys):
    model = build()
    state = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    cu.summarize(model, size, **options)
    table = capsys.readouterr().out
    assert f"Total params: {total}\nTrainable params: {total}\nNon-trainable params: 0" in table
    assert cu.count_params(model) == int(total.replace(",", ""))
    cells = [line.split()[-1] for line in table.split("=" * 64)[1].strip().splitlines()]
    assert params is None or cells == params
    assert sum(int(cell.replace(",", "")) for cell in cells if cell != "shared") == (
        cu.count_params(model)
    )
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_names_and_shapes_of_the_rows(capsys):
    cu.summarize(Two(), [(64,), ()], [FLOAT, INT])
    assert re.findall(r"^ *(\S+) +(\[.*\]) ", capsys.readouterr().out, re.MULTILINE) == [
        ("Embedding-1", "[-1, 6]"),
        ("Linear-2", "[-1, 5]"),
        ("GRU-3", "[[-1, 2, 3], [-1, 2, 3]]"),
    ]
    cu.summarize(Bare(), (16,))
    assert re.search(r"^ +picture +\[16, 128\] +2,048$", capsys.readouterr().out, re.MULTILINE)
    cu.summarize(nn.Sequential(parametrizations.spectral_norm(nn.Conv2d(1, 2, 3))), (1, 5, 5))
    assert re.search(r"Conv2d-1 +\[-1, 2, 3, 3\] +20$", capsys.readouterr().out, re.MULTILINE)


def test_frozen_parameters_are_in_the_total_and_not_among_the_trainable(capsys):
    model = frozen()
    cu.summarize(model, (3,))
    lines = "Total params: 11\nTrainable params: 5\nNon-trainable params: 6"
    assert lines in capsys.readouterr().out
    assert cu.count_params(model) == 5


def test_a_lazy_layer_is_tried_out_and_stays_lazy(capsys):
    model = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    cu.summarize(model, (4,))
    assert "Linear-1                    [-1, 3]              15" in capsys.readouterr().out
    assert isinstance(model[0], nn.LazyLinear)


def test_a_model_that_was_used_can_be_summarized(capsys):
    model = nn.Sequential(older(utils.weight_norm, nn.Linear(3, 2)))
    model(torch.randn(2, 3))
    cu.summarize(model, (3,))
    assert "Total params: 10" in capsys.readouterr().out


class Sizes(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x.mean(dim=1) + y.float().mean(dim=1)


def test_sizes_in_megabytes_count_every_input(capsys):
    cu.summarize(Sizes(), [(2**18,), (2**17,)], [FLOAT, INT])
    assert "Input size (MB): 2.00\n" in capsys.readouterr().out  # 1 MB of floats, 1 of int64


LINEAR = nn.Linear(4, 1)


@bad_inputs(
    ("mixed", lambda: cu.summarize(LINEAR, [(4,), 3]), TypeError, "input_size", "[(4,), 3]"),
    ("nested", lambda: cu.summarize(LINEAR, [((4,),)]), TypeError, "input_size", "(4,)"),
    ("a word", lambda: cu.summarize(LINEAR, (4,), "int64"), TypeError, "dtypes", "int64"),
    ("too many", lambda: cu.summarize(LINEAR, (4,), [FLOAT, INT]), TypeError, "dtypes", "int64"),
    ("no kind", lambda: cu.summarize(Two(), [(64,), ()]), ValueError, "dtypes", "None: "),
    ("too few", lambda: cu.summarize(LINEAR, [(4,), ()], [INT]), TypeError, "dtypes", "int64"),
)
def test_bad_input(call, error, name, got):
    assert_complains(call, error, name, got)
