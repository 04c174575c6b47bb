"""Trained networks of the course: what is shipped is what was trained, measured and described."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import DAMAGE, assert_complains, bad_inputs, flip, read_arguments
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import course_utils
from course_utils import pretrained, recipes
from course_utils.metrics import Report, class_coverage, frechet_classifier_distance, judge_samples
from course_utils.models import complete_latents, sample_noise
from course_utils.pretrained import SHIPPED, load_pretrained, read_pretrained, write_pretrained
from course_utils.recipes import JUDGED, RECIPES, Recipe, get_recipe
from course_utils.settings import fork_random
from course_utils.shipped import FOLDER
from course_utils.training import AdversarialStep

pytestmark = [
    pytest.mark.usefixtures("own_randomness"),
    pytest.mark.filterwarnings("ignore:the Fréchet distance of"),
]

FACTS = {"recipe": "tiny", "seed": 0, "command": "a command"}
COUNT = 60  # samples that are judged here
MEGABYTE = 2**20


def build_D() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 2), nn.LeakyReLU(0.2), nn.Linear(2, 1))


def build_G(noise_size: int, width: int = 8) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(noise_size, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Linear(width, 784),
        nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )


TINY = replace(RECIPES["mlp_logits"], build_D=build_D, build_G=build_G, noise_size=3)


@pytest.fixture
def tiny(monkeypatch) -> Recipe:
    """A recipe of few weights whose networks are shipped."""
    monkeypatch.setitem(RECIPES, "tiny", TINY)
    monkeypatch.setitem(SHIPPED, "tiny", ("G", "D"))
    monkeypatch.setitem(JUDGED, "cpu", COUNT)
    return TINY


@pytest.fixture
def step(tiny) -> AdversarialStep:
    """As after a training: no weight is where it began, and the average is behind G."""
    step, _ = tiny.build(limit=128)
    step.G(torch.randn(16, 3).to(step.device))  # moves the statistics of batch norm
    step.averaged = copy.deepcopy(step.G)
    with torch.no_grad():
        for p in step.averaged.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return step


@pytest.fixture
def folder(step, tmp_path) -> Path:
    write_pretrained("tiny", step, FACTS, tmp_path)
    return tmp_path


def file_of(part: str) -> str:
    return f"gan_tiny_{part}.safetensors"


def close_in_half(got: nn.Module, exact: nn.Module) -> bool:
    """Every number is the nearest of half precision: 11 bits, or half of its smallest step."""
    state = exact.state_dict()
    return all(
        ((value - state[key]).abs() <= (state[key].abs() * 2.0**-11).clamp(min=2.0**-25)).all()
        for key, value in got.state_dict().items()
        if value.is_floating_point()
    )


# --- there and back --------------------------------------------------------------------------


def test_the_averaged_generator_is_shipped(folder, step):
    G = read_pretrained("tiny", "G", folder)
    assert close_in_half(G, step.averaged) and not close_in_half(G, step.G)
    noise = torch.randn(5, 3)
    with torch.no_grad():
        torch.testing.assert_close(G(noise), step.averaged.eval()(noise), rtol=0.01, atol=0.005)


def test_without_an_average_the_generator_itself_is_shipped(step, tmp_path):
    step.averaged = None
    write_pretrained("tiny", step, FACTS, tmp_path)
    assert close_in_half(read_pretrained("tiny", "G", tmp_path), step.G)


def test_the_discriminator_is_shipped_where_the_recipe_says_so(folder, step, monkeypatch, tmp_path):
    assert close_in_half(read_pretrained("tiny", "D", folder), step.D)
    monkeypatch.setitem(SHIPPED, "tiny", ("G",))
    facts = write_pretrained("tiny", step, FACTS, tmp_path / "one")
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {"gan_tiny.json", file_of("G")} and facts["sha256"].keys() == {"G"}


@pytest.mark.parametrize("part", ["G", "D"])
def test_ready_for_use(folder, part):
    network = read_pretrained("tiny", part, folder)
    assert not any(module.training for module in network.modules())
    assert not any(p.requires_grad for p in network.parameters())
    assert {(p.dtype, p.device.type) for p in network.parameters()} == {(torch.float32, "cpu")}
    again = read_pretrained("tiny", part, folder)
    assert again is not network  # who changes one changes no other
    assert network.facts == again.facts


def random_states() -> tuple:
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()


def test_no_random_state_moves(step, tmp_path):
    before = random_states()
    write_pretrained("tiny", step, FACTS, tmp_path)
    for part in ("G", "D"):
        read_pretrained("tiny", part, tmp_path)
    assert random_states() == before


def test_shipping_leaves_the_step_as_it_was(step, tmp_path):
    networks = [step.D, step.G, step.averaged]
    before = [copy.deepcopy(network.state_dict()) for network in networks]
    write_pretrained("tiny", step, FACTS, tmp_path)
    for network, state in zip(networks, before):
        assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
        assert all(p.dtype == torch.float32 for p in network.parameters())
    assert step.G.training and all(p.requires_grad for p in step.G.parameters())


def draw(G: nn.Module, recipe: Recipe, count: int, seed: int = 0) -> Tensor:
    with fork_random(seed=seed), torch.no_grad():
        noise = sample_noise(count, recipe.noise_size, recipe.noise)
        return G(complete_latents(noise, recipe.classes))


def test_the_facts_are_those_given_and_those_measured_of_the_shipped_weights(folder, step):
    facts = read_pretrained("tiny", "G", folder).facts
    measured = {"distance", "floor", "samples", "shares", "sha256"}
    assert facts.keys() == FACTS.keys() | measured
    assert {key: facts[key] for key in FACTS} == FACTS
    for part in ("G", "D"):
        data = (folder / file_of(part)).read_bytes()
        assert facts["sha256"][part] == hashlib.sha256(data).hexdigest()
    report: Report = judge_samples(draw(read_pretrained("tiny", "G", folder), TINY, COUNT))
    assert facts["samples"] == COUNT and facts["floor"] > 0
    assert facts["distance"] == pytest.approx(float(report.frechet), abs=0.02)
    assert facts["shares"] == pytest.approx(report.classes.shares.tolist(), abs=1e-3)
    assert sum(facts["shares"]) == pytest.approx(1, abs=1e-3)


def test_the_samples_measured_are_those_of_the_shipped_weights(step, tmp_path, monkeypatch):
    """To the last bit: half precision changes every one of them a little."""
    seen = []
    monkeypatch.setattr(
        recipes, "judge_samples", lambda *given: seen.append(given[0]) or judge_samples(*given)
    )
    write_pretrained("tiny", step, FACTS, tmp_path)
    shipped = draw(read_pretrained("tiny", "G", tmp_path), TINY, COUNT)
    assert len(seen) == 1 and torch.equal(seen[0], shipped)
    assert not torch.equal(draw(step.averaged.eval(), TINY, COUNT), shipped)


def test_what_is_returned_is_what_is_read(step, tmp_path):
    written = write_pretrained("tiny", step, FACTS, tmp_path)
    assert written == read_pretrained("tiny", "D", tmp_path).facts
    assert written == json.loads((tmp_path / "gan_tiny.json").read_text(encoding="utf-8"))


# --- damage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("name", ["gan_tiny.json", file_of("G"), file_of("D")])
def test_a_damaged_file_is_named(folder, name, damage):
    path = folder / name
    data = damage(path.read_bytes())
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    part = "D" if name == file_of("D") else "G"
    with pytest.raises(ValueError, match=rf"^{name}: expected .*[,;] got "):
        read_pretrained("tiny", part, folder)


def test_any_flipped_byte_is_found(folder):
    path, places = folder / file_of("G"), random.Random(0)
    whole = path.read_bytes()
    for _ in range(30):
        path.write_bytes(flip(whole, places.randrange(len(whole))))
        with pytest.raises(ValueError, match=rf"^{path.name}: expected the file with sha256"):
            read_pretrained("tiny", "G", folder)


def test_a_damaged_part_leaves_the_other_alone(folder):
    (folder / file_of("D")).write_bytes(b"")
    read_pretrained("tiny", "G", folder)


def test_swapped_parts_are_found(folder):
    one, two = ((folder / file_of(part)).read_bytes() for part in ("G", "D"))
    (folder / file_of("G")).write_bytes(two)
    (folder / file_of("D")).write_bytes(one)
    for part in ("G", "D"):
        with pytest.raises(ValueError, match=rf"^{file_of(part)}: expected the file with sha256"):
            read_pretrained("tiny", part, folder)
    facts = json.loads((folder / "gan_tiny.json").read_text(encoding="utf-8"))
    sums = facts["sha256"]
    sums["G"], sums["D"] = sums["D"], sums["G"]  # now even the hashes agree
    (folder / "gan_tiny.json").write_text(json.dumps(facts), encoding="utf-8")
    for part in ("G", "D"):
        with pytest.raises(ValueError, match=rf"^{file_of(part)}: expected the weights of the rec"):
            read_pretrained("tiny", part, folder)


OTHERS = {
    "another width": {"build_G": lambda noise_size: build_G(noise_size, 9)},
    "one more layer": {
        "build_G": lambda noise_size: nn.Sequential(
            nn.Linear(noise_size, noise_size), *build_G(noise_size)
        )
    },
    "other noise": {"noise_size": 4},
    "no batch norm": {
        "build_G": lambda noise_size: nn.Sequential(
            *(nn.Identity() if isinstance(m, nn.BatchNorm1d) else m for m in build_G(noise_size))
        )
    },
}


@pytest.mark.parametrize("changed", OTHERS.values(), ids=OTHERS)
def test_a_recipe_that_was_changed_since_is_found_out(folder, monkeypatch, changed):
    monkeypatch.setitem(RECIPES, "tiny", replace(TINY, **changed))
    with pytest.raises(ValueError, match=rf"^{file_of('G')}: expected .*was the recipe changed"):
        read_pretrained("tiny", "G", folder)
    read_pretrained("tiny", "D", folder)  # D is as it was


def test_weights_of_somebody_else_are_not_believed(folder):
    weights = load_file(folder / file_of("G"))
    save_file({key: value + 1 for key, value in weights.items()}, folder / file_of("G"))
    with pytest.raises(ValueError, match=rf"^{file_of('G')}: expected the file with sha256"):
        read_pretrained("tiny", "G", folder)


# --- names -----------------------------------------------------------------------------------


def test_the_names():
    assert course_utils.load_pretrained is load_pretrained
    assert read_arguments(load_pretrained) == "name, part='G'"
    assert SHIPPED == {
        "mlp_logits": ("G",),
        "dcgan_rotated": ("G", "D"),
        "dcgan_strided": ("G", "D"),
        "cgan": ("G", "D"),
        "cppn": ("G", "D"),
        "cifar10_better": ("G", "D"),
    }
    assert SHIPPED.keys() <= RECIPES.keys()


def test_loading_reads_from_the_package(tiny, step, monkeypatch, tmp_path):
    write_pretrained("tiny", step, FACTS, tmp_path)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    assert close_in_half(load_pretrained("tiny"), step.averaged)
    assert close_in_half(load_pretrained("tiny", "D"), step.D)
    shutil.rmtree(tmp_path)
    with pytest.raises(ValueError, match=r"^gan_tiny\.json: expected in .*, got no file"):
        load_pretrained("tiny", part="G")


@bad_inputs(
    ("another name", lambda: load_pretrained("gan"), ValueError, "name", "'gan'"),
    ("a recipe", lambda: load_pretrained("mlp_sigmoid"), ValueError, "name", "'mlp_sigmoid'"),
    ("a file", lambda: load_pretrained("gan_mlp_logits"), ValueError, "name", "'gan_mlp_logits'"),
    ("a path", lambda: load_pretrained("../mlp_logits"), ValueError, "name", "'../mlp_logits'"),
    ("None", lambda: load_pretrained(None), ValueError, "name", "None"),
    ("a list", lambda: load_pretrained(["mlp_logits"]), ValueError, "name", "['mlp_logits']"),
    ("part g", lambda: load_pretrained("mlp_logits", "g"), ValueError, "part", "'g'"),
    ("part None", lambda: load_pretrained("mlp_logits", None), ValueError, "part", "None"),
    ("no D", lambda: load_pretrained("mlp_logits", "D"), ValueError, "part", "'D'"),
)
def test_bad_input(call, error, name, got):
    assert_complains(call, error, name, got)


# --- the networks that really come with the course ------------------------------------------

# megabytes, all files of one
LIMITS = {
    "mlp_logits": 4, "dcgan_rotated": 3, "dcgan_strided": 3, "cgan": 2, "cppn": 1,
    "cifar10_better": 6,
}  # fmt: skip
SHAPES = {"MNIST": (1, 28, 28), "CIFAR-10": (3, 32, 32)}


@pytest.fixture(params=SHIPPED)
def name(request) -> str:
    if not (FOLDER / f"gan_{request.param}.json").is_file():
        pytest.skip(f"gan_{request.param} is not trained yet")
    return request.param


def test_the_shipped_files(name):
    facts = json.loads((FOLDER / f"gan_{name}.json").read_text(encoding="utf-8"))
    files = {part: FOLDER / f"gan_{name}_{part}.safetensors" for part in SHIPPED[name]}
    assert set(FOLDER.glob(f"gan_{name}*")) == {FOLDER / f"gan_{name}.json", *files.values()}
    for part, path in files.items():
        assert facts["sha256"][part] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert {value.dtype for value in load_file(path).values()} == {torch.float16}
    assert sum(path.stat().st_size for path in files.values()) < LIMITS[name] * MEGABYTE
    if get_recipe(name).data == "CIFAR-10":
        assert files["G"].stat().st_size < 3_000_000


def test_the_shipped_facts(name):
    facts = load_pretrained(name).facts
    assert facts["recipe"] == name and facts["seed"] == 0 and facts["samples"] == 10_000
    assert facts["command"] == f"python -m course_utils results {name}"
    assert facts["profile"] in ("cpu", "gpu") and facts["numbers"] in ("fp32", "bf16")
    assert facts["epochs"] == get_recipe(name).count_epochs(facts["profile"])
    assert facts["minutes"] > 0 and facts["machine"] and 0 < facts["floor"] < facts["distance"]


def test_the_shipped_networks_take_and_give_what_the_recipe_does(name):
    recipe = get_recipe(name)
    samples = draw(load_pretrained(name), recipe, 3)
    assert samples.shape == (3, *SHAPES[recipe.data]) and samples.abs().max() <= 1
    if "D" in SHIPPED[name]:
        D = load_pretrained(name, "D")
        with torch.no_grad():
            assert D(samples).shape == (3, 1) and torch.isfinite(D(samples)).all()


def test_the_shipped_samples_are_as_near_as_the_facts_say(name):
    """Other samples than those measured, and fewer: what real images get at that count is added."""
    recipe, facts = get_recipe(name), load_pretrained(name).facts
    samples = draw(load_pretrained(name), recipe, 2_000, seed=1)
    reference = recipe.find_reference(samples)
    if recipe.augment is not None:  # all 60,000 turned would take too long here
        real, test = reference.features("train", 4_000), reference.features("test", 2_000)
    else:
        real, test = reference, reference.features("test", 2_000)
    distance = float(frechet_classifier_distance(samples, real, floor=False))
    floor = float(frechet_classifier_distance(test, real, floor=False))
    assert 0.5 * facts["distance"] < distance < 1.5 * facts["distance"] + floor + 1
    coverage = class_coverage(samples)
    assert coverage.reached == 10
    assert coverage.shares.tolist() == pytest.approx(facts["shares"], abs=0.05)
