"""Named configurations: each builds, trains headless, goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers import assert_complains, bad_inputs
from PIL import Image
from torch import nn

from course_utils import recipes
from course_utils.__main__ import INTERRUPTED, main
from course_utils.checkpoints import load_newest
from course_utils.data import random_rotation
from course_utils.recipes import RECIPES, Recipe, get_recipe, train_recipe
from course_utils.training import History


@pytest.fixture
def small(monkeypatch):
    """A recipe of few weights in the place of `mlp_logits`."""
    known = RECIPES["mlp_logits"]
    tiny = Recipe(
        "tiny",
        known.load,
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 1)),
        lambda noise_size: nn.Sequential(
            nn.Linear(noise_size, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))
        ),
        known.discriminator_loss,
        known.generator_loss,
        epochs=(2, 3),
        noise_size=4,
    )
    monkeypatch.setitem(RECIPES, "mlp_logits", tiny)


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_takes_a_step(name):
    recipe = get_recipe(name)
    step, loader = recipe.build(limit=256)
    images, labels = next(iter(loader))
    before = [p.clone() for p in (*step.D.parameters(), *step.G.parameters())]
    scores = step(images, labels)
    assert all(torch.isfinite(value) for value in scores.values())
    after = [*step.D.parameters(), *step.G.parameters()]
    assert not any(torch.equal(p, q) for p, q in zip(before, after))
    assert len(images) == recipe.batch_size and loader.drop_last
    if recipe.as_probability is None and name != "mlp_ls":
        assert isinstance(step.D[-1], nn.Sigmoid)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("mlp_sigmoid", (128, 2e-4, (0.5, 0.999), "normal")),
        ("mlp_logits", (128, 1e-3, (0.5, 0.999), "uniform")),
        ("mlp_ls", (128, 1e-3, (0.5, 0.999), "uniform")),
        ("dcgan", (128, 1e-3, (0.5, 0.999), "uniform")),
    ],
)
def test_the_settings_that_were_asked_for(name, expected):
    recipe = get_recipe(name)
    assert (recipe.batch_size, recipe.lr, recipe.betas, recipe.noise) == expected
    assert recipe.noise_size == 96


def test_xavier_weights_for_the_dcgan():
    step, _ = get_recipe("dcgan").build(limit=128)
    assert step.D[1].bias.abs().max() == 0
    assert step.D[8].weight.abs().max() <= (6 / 2048) ** 0.5  # Glorot's limit


def test_training_leaves_what_it_promises_and_goes_on(small, tmp_path, capsys):
    out = tmp_path / "run"
    history = train_recipe("mlp_logits", out, profile="short")
    assert history.step == [1, 10] and not history.stopped
    assert {p.name for p in out.iterdir()} == {
        "checkpoint-000001.pt", "history.csv", "settings.json", "samples.png", "quality.txt",
    }  # fmt: skip
    quality = (out / "quality.txt").read_text(encoding="utf-8")
    assert quality.startswith("not yet started: 10 steps are too few")
    assert "Fréchet classifier distance" in quality and "2,000 samples" in quality
    assert capsys.readouterr().out.endswith(quality)
    assert History.from_csv(out / "history.csv").d_loss == history.d_loss
    assert Image.open(out / "samples.png").size == (8 * 30 + 2, 8 * 30 + 2)
    more = train_recipe("mlp_logits", out, profile="short", epochs=2)
    assert more.step == [1, 10, 20] and more.d_loss[:2] == history.d_loss
    assert "goes on from step 10" in capsys.readouterr().out
    again = train_recipe("mlp_logits", out, profile="short", epochs=2)
    assert again.d_loss == more.d_loss
    fresh = train_recipe("mlp_logits", out, profile="short", fresh=True)
    assert fresh.d_loss == history.d_loss


@pytest.mark.filterwarnings("ignore:the Fréchet distance")
def test_samples_of_a_rotated_recipe_are_judged_against_rotated_digits(small, monkeypatch):
    asked = []
    real = recipes.get_reference
    monkeypatch.setattr(
        recipes, "get_reference", lambda *given: asked.append(given) or real(given[0])
    )
    turn = random_rotation(20)
    recipe = replace(RECIPES["mlp_logits"], augment=turn)
    step, loader = recipe.build(limit=128)
    assert loader.augment is turn
    recipes.judge_recipe(recipe, step, 64)
    assert asked == [("mnist", turn)]


def test_samples_out_of_range_get_a_sentence(small):
    recipe = RECIPES["mlp_logits"]
    step, _ = recipe.build(limit=128)
    step.G[1] = nn.Identity()  # no tanh: pixels beyond [-1, 1]
    with torch.no_grad():
        step.G[0].weight.mul_(100)
    assert "no quality to measure: images: expected floats" in recipes.judge_recipe(
        recipe, step, 64
    )


def test_samples_that_are_not_finite_get_a_sentence(small):
    recipe = RECIPES["mlp_logits"]
    step, _ = recipe.build(limit=128)
    with torch.no_grad():
        step.G[0].weight.fill_(torch.nan)
    assert "not finite" in recipes.judge_recipe(recipe, step, 64)


def test_a_seed_decides_everything(small, tmp_path):
    runs = [
        train_recipe("mlp_logits", tmp_path / str(n), profile="short", seed=s)
        for n, s in enumerate((0, 0, 1))
    ]
    assert runs[0].d_loss == runs[1].d_loss != runs[2].d_loss


def test_the_command_line(small, tmp_path, capsys):
    out = str(tmp_path / "run")
    assert main(["train", "mlp_logits", "--profile", "short", "--out", out]) == 0
    assert "step/s" in (said := capsys.readouterr()).err and "samples:" in said.out
    assert main(["train", "mlp_logits", "--profile", "short", "--epochs", "2", "--out", out]) == 0
    assert load_newest(out)[0]["step"] == 20
    assert main(["train", "mlp_logits", "--profile", "cpu", "--out", out]) == 1
    assert "loader: was" in capsys.readouterr().err  # all images now, and the folder is another's
    assert main(["train", "mlp_logits", "--profile", "short", "--fresh", "--out", out]) == 0
    assert main(["train", "dcgam"]) == 1
    assert (
        "expected one of dcgan, mlp_logits, mlp_ls, mlp_sigmoid; got 'dcgam'"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "stopped, code", [("", 0), ("interrupted", INTERRUPTED), ("not finite: d_loss", 1)]
)
def test_exit_codes(monkeypatch, stopped, code):
    monkeypatch.setattr(recipes, "train_recipe", lambda *args, **kwargs: History(stopped=stopped))
    assert main(["train", "dcgan"]) == code


@bad_inputs(
    ("recipe: other", lambda: get_recipe("gan"), ValueError, "recipe", "'gan'"),
    ("recipe: None", lambda: get_recipe(None), ValueError, "recipe", "None"),
    ("profile", lambda: train_recipe("dcgan", "x", profile="f"), ValueError, "profile", "'f'"),
    ("epochs", lambda: train_recipe("dcgan", "x", epochs=0), ValueError, "epochs", "0"),
)  # fmt: skip
def test_bad_input(call, error, name, got):
    assert_complains(call, error, name, got)
