"""What the metrics say of real, spoiled, copied and learnt images, and the files they rest on."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers import DAMAGE
from safetensors.torch import load_file
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance
from torchvision.transforms.functional import gaussian_blur

from course_utils.classifiers import PLANS, train_classifier
from course_utils.data import BatchLoader, ImageSet, load_mnist, random_rotation, random_shift
from course_utils.data.images import to_unit
from course_utils.losses import discriminator_loss, generator_loss, get_optimizer
from course_utils.metrics import (
    Features,
    Reference,
    class_coverage,
    density_coverage,
    extract,
    frechet_classifier_distance,
    get_reference,
    kernel_classifier_distance,
    load_judge,
    nearest_neighbours,
    neighbours,
    precision_recall,
    reference,
)
from course_utils.metrics.distances import frechet_distance
from course_utils.metrics.features import BUILDERS, FOLDER, Judge, move_judge, read_judge
from course_utils.models import build_discriminator, build_leaky_generator, sample_noise
from course_utils.training import run_a_gan

pytestmark = [
    pytest.mark.usefixtures("own_randomness"),
    pytest.mark.filterwarnings("ignore:the Fréchet distance of"),
]

SHIPPED = sorted(path.stem.removeprefix("judge_") for path in FOLDER.glob("judge_*.json"))
LIMITS = {"mnist": (1e6, 1.5e6), "cifar10": (3e6, 3e6)}  # bytes: the weights, and all files


@pytest.fixture(scope="module")
def test_set() -> ImageSet:
    """2,000 real test images, or as many as the sample has, in an order without any meaning."""
    everything = load_mnist("test")
    chosen = torch.randperm(len(everything), generator=torch.Generator().manual_seed(1))[:2000]
    return ImageSet(
        everything.images[chosen], everything.labels[chosen], is_sample=everything.is_sample
    )


@pytest.fixture(scope="module")
def digits(test_set) -> Tensor:
    """Those images as floats in [-1, 1]."""
    return to_unit(test_set.images)


@pytest.fixture(scope="module")
def seen(digits) -> Features:
    return extract(digits)


@pytest.fixture(scope="module")
def training_set() -> ImageSet:
    return load_mnist("train", limit=3000)


# --- worse images get worse marks ------------------------------------------------------------


def add_noise(images: Tensor, strength: float) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return (images + strength * torch.randn(images.shape, generator=generator)).clamp(-1, 1)


def blur(images: Tensor, strength: float) -> Tensor:
    return gaussian_blur(images, 25, strength)


def black_out(images: Tensor, side: int) -> Tensor:
    start = 14 - side // 2
    images = images.clone()
    images[..., start : start + side, start : start + side] = -1
    return images


def shift(images: Tensor, pixels: int) -> Tensor:
    """To the right; what comes in is black."""
    return F.pad(images, (pixels, -pixels, 0, 0), value=-1)


def pixelate(images: Tensor, side: int) -> Tensor:
    return F.interpolate(F.avg_pool2d(images, side), scale_factor=side)


SPOILT = [
    pytest.param(add_noise, (0.1, 0.2, 0.4, 0.8, 1.6), id="noise"),
    pytest.param(blur, (0.5, 1, 2, 3, 4), id="blur"),
    pytest.param(black_out, (4, 8, 12, 16, 20), id="blackout"),
    pytest.param(shift, (1, 2, 4, 6, 8), id="shift"),
    pytest.param(pixelate, (2, 4, 7, 14, 28), id="pixelation"),
]


def both_distances(samples: Tensor | Features) -> tuple[float, float]:
    samples = extract(samples)
    frechet = frechet_classifier_distance(samples, floor=False)
    return frechet, kernel_classifier_distance(samples, floor=False)


def assert_growing(steps: list[tuple[float, float]]) -> None:
    for distances in zip(*steps):
        assert all(less < more for less, more in pairwise(distances)), distances


@pytest.mark.parametrize("spoil, strengths", SPOILT)
def test_the_distances_grow_with_the_damage(digits, seen, spoil, strengths):
    worse = [both_distances(spoil(digits, strength)) for strength in strengths]
    assert_growing([both_distances(seen), *worse])


def test_the_distances_grow_with_the_classes_that_are_missing(test_set, seen):
    """Images of a class that is missing are replaced by those of the class 0."""
    zeros = (test_set.labels == 0).nonzero()[:, 0]
    steps, order = [both_distances(seen)], torch.arange(len(seen))
    for missing in (1, 3, 5, 7, 9):
        gone = test_set.labels >= 10 - missing
        order = torch.where(gone, zeros[torch.arange(len(seen)) % len(zeros)], order)
        steps.append(both_distances(seen[order]))
        assert class_coverage(seen[order], floor=False).shares[-1] < 0.02
    assert_growing(steps)
    assert class_coverage(seen[order], floor=False).shares[0] > 0.97


def test_real_images_are_near_their_floor(seen):
    found = precision_recall(seen), density_coverage(seen)
    for score in (*found[0], *found[1]):
        assert score == pytest.approx(score.floor, abs=0.05)
        assert score > 0.6
    frechet, kernel = frechet_classifier_distance(seen), kernel_classifier_distance(seen)
    spoilt = both_distances(shift(to_unit(load_mnist("test").images[: len(seen)]), 6))
    assert 0 < frechet.floor < spoilt[0] / 10 and frechet < spoilt[0] / 10
    assert abs(kernel - kernel.floor) < 5 * (kernel.error + kernel.floor.error) < spoilt[1]


def test_missing_classes_cost_recall_and_damage_costs_precision(test_set, digits, seen):
    few = seen[test_set.labels < 5]
    whole, part = precision_recall(seen, floor=False), precision_recall(few, seen)
    assert part.precision == 1 and part.recall < 0.7
    noisy = precision_recall(add_noise(digits[:500], 0.6), floor=False)
    assert noisy.precision < whole.precision - 0.3


def test_more_training_gets_better_marks(training_set):
    """A small pair: what it draws before, in the middle and at the end, from the same noise."""
    D, G = build_discriminator(), build_leaky_generator()
    noise, marks = sample_noise(1000, 96), []

    def judge(_) -> None:
        with torch.no_grad():
            marks.append(both_distances(G(noise)))

    loader = BatchLoader(training_set, 64, "cpu", drop_last=True, seed=0)
    solvers = get_optimizer(D), get_optimizer(G)
    losses = discriminator_loss, generator_loss
    run_a_gan(
        D, G, *solvers, *losses, loader,
        num_epochs=20, show_every=660, callbacks=[judge], seed=0, precision="fp32",
    )  # fmt: skip
    assert len(marks) == 3
    assert_growing(marks[::-1])


# --- the same numbers from another hand ------------------------------------------------------


class OurFeatures(nn.Module):
    """The judge's features, of images in bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.network = copy.deepcopy(load_judge("mnist").network.features)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images.float() / 127.5 - 1)


@pytest.fixture(scope="module")
def two_sets(digits) -> tuple[Tensor, Tensor]:
    """Real images, and as many other ones with noise, in bytes."""
    half = min(400, len(digits) // 2)
    noisy = add_noise(digits[half : 2 * half], 0.5)
    return tuple(((x + 1) * 127.5).round().byte() for x in (digits[:half], noisy))


def ask(metric, real: Tensor, fake: Tensor):
    with torch.no_grad():
        for part in real.split(150):
            metric.update(part, real=True)
        for part in fake.split(150):
            metric.update(part, real=False)
        return metric.compute()


def test_the_frechet_distance_is_torchmetrics_fid(two_sets):
    real, fake = two_sets
    metric = FrechetInceptionDistance(feature=OurFeatures(), input_img_size=(1, 28, 28))
    expected = ask(metric, real, fake).item()
    assert expected > 50
    assert frechet_classifier_distance(fake, real) == pytest.approx(expected, rel=1e-3)


@pytest.mark.filterwarnings("ignore:.*Kernel Inception Distance.*:UserWarning")
def test_the_kernel_distance_is_torchmetrics_kid(two_sets):
    real, fake = two_sets
    metric = KernelInceptionDistance(
        feature=OurFeatures(), subsets=1, subset_size=len(real), degree=3, gamma=None, coef=1.0
    )
    expected = ask(metric, real, fake)[0].item()
    assert expected > 5
    assert kernel_classifier_distance(fake, real) == pytest.approx(expected, rel=1e-3)


# --- augmented references --------------------------------------------------------------------


def test_rotated_images_are_near_the_rotated_reference_only(digits, training_set):
    rotate = random_rotation(40)
    turned = Reference(load_judge("mnist"), rotate)
    turned._sets["train"] = training_set
    samples = extract(rotate(digits, torch.Generator().manual_seed(3)))
    plain = get_reference("mnist")
    for metric in (frechet_classifier_distance, kernel_classifier_distance):
        near, far = metric(samples, turned), metric(samples, plain)
        assert abs(near - near.floor) < (far - far.floor) / 10
        assert far > 5 * max(near, near.floor)
    assert repr(turned) == "Reference(mnist, augmented)" and repr(plain) == "Reference(mnist)"


def test_augmented_moments_are_those_of_the_changed_images(training_set):
    judge = load_judge("mnist")
    darker = Reference(judge, lambda images, generator: (images + 1) * 0.5 - 1)
    darker._sets["train"] = training_set
    dark = extract((to_unit(training_set.images) + 1) * 0.5 - 1)
    for got, expected in zip(darker.moments, dark.moments):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    assert darker.moments[0] is darker.moments[0]


def test_augmented_references_are_kept_by_function():
    rotate, turn = random_rotation(20), random_rotation(20)
    assert get_reference("mnist", rotate) is get_reference("mnist", rotate)
    assert get_reference("mnist", rotate) is not get_reference("mnist", turn)


def test_an_augmented_reference_answers_alike_whatever_was_asked_before(training_set):
    first, second = (Reference(load_judge("mnist"), random_shift(2)) for _ in range(2))
    first._sets["train"] = second._sets["train"] = training_set
    second.features("train", 300)
    got, expected = (r.features("train", 100).values for r in (first, second))
    torch.testing.assert_close(got, expected)


def test_real_images_are_changed_on_the_cpu_and_looked_at_on_the_device(training_set, monkeypatch):
    """So that a change draws the same everywhere, and a GPU does what takes long."""
    seen = []

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        seen.append((images.device.type, generator.device.type))
        return images

    def look(images: Tensor, judge: Judge) -> Features:
        seen.append(images.device.type)
        return Features(judge, torch.zeros(len(images), 128), torch.zeros(len(images), 10))

    monkeypatch.setattr(reference, "get_device", lambda: torch.device("meta"))
    monkeypatch.setattr(reference, "look", look)
    judged = Reference(load_judge("mnist"), change)
    judged._sets["train"] = training_set
    features = judged.features("train", 300)
    assert seen[:2] == [("cpu", "cpu"), "meta"] and set(seen) == set(seen[:2])
    assert len(features) == 300


def test_a_judge_is_copied_to_another_device_and_only_there():
    judge = load_judge("mnist")
    assert move_judge(judge, torch.device("cpu")) is judge
    moved = move_judge(judge, torch.device("meta"))
    assert move_judge(moved, torch.device("meta")) is moved and moved.name == judge.name
    places = [next(each.network.parameters()).device.type for each in (judge, moved)]
    assert places == ["cpu", "meta"]  # the shared one stays


# --- nearest real images ---------------------------------------------------------------------


@pytest.mark.parametrize("space", ["pixel", "feature"])
@pytest.mark.parametrize("samples", ["bytes", "floats", "flat"])
@pytest.mark.parametrize("pool", ["set", "bytes", "floats", "flat"])
def test_a_copy_is_found_out(training_set, space, samples, pool):
    part = ImageSet(training_set.images[:400], training_set.labels[:400])
    real = {
        "set": part,
        "bytes": part.images,
        "floats": to_unit(part.images),
        "flat": to_unit(part.images).reshape(-1, 784),
    }[pool]
    places = torch.arange(0, 400, 9)
    copies = part.images[places]
    if samples != "bytes":
        copies = to_unit(copies)
    found = nearest_neighbours(
        copies.flatten(1) if samples == "flat" else copies, real, space=space
    )
    assert found.index[:, 0].tolist() == places.tolist()
    assert found.distance.abs().max() < 1e-3
    expected = real.images if pool == "set" else real
    assert torch.equal(found.images[:, 0].flatten(1), expected[places].flatten(1))
    assert found.images.dtype == expected.dtype and found.space == space


def test_a_moved_copy_is_found_by_its_features(training_set):
    places = torch.arange(0, 3000, 60)
    moved = shift(to_unit(training_set.images[places]), 1)

    def rank_of_original(space: str) -> Tensor:
        found = nearest_neighbours(moved, training_set, k=50, space=space)
        at = (found.index == places[:, None]).long()
        return torch.where(at.any(dim=1), at.argmax(dim=1), 50)

    by_feature, by_pixel = rank_of_original("feature"), rank_of_original("pixel")
    assert (by_feature < 3).double().mean() > (by_pixel < 3).double().mean()
    assert (by_feature < 3).double().mean() > 0.7


@pytest.mark.parametrize("space", ["pixel", "feature"])
def test_neighbours_are_those_of_the_whole_table(digits, training_set, monkeypatch, space):
    samples, pool = digits[:30], training_set.images[:200]
    parts = [to_unit(pool), samples]
    flat = [p.reshape(len(p), -1) if space == "pixel" else extract(p).values for p in parts]
    table = (flat[1].double()[:, None] - flat[0].double()[None]).square().sum(dim=2).sqrt()
    nearest = table.sort(dim=1)
    for size in (1000, 64, 3):
        monkeypatch.setattr(neighbours, "CHUNK", size)
        found = nearest_neighbours(samples, pool, k=5, space=space)
        assert found.distance.shape == found.index.shape == (30, 5)
        assert found.distance.dtype == torch.float32 and found.index.dtype == torch.int64
        assert torch.equal(found.index, nearest.indices[:, :5])
        torch.testing.assert_close(
            found.distance.double(), nearest.values[:, :5], rtol=1e-4, atol=0
        )
        assert (found.distance.diff(dim=1) >= 0).all()
        assert torch.equal(found.images, pool[found.index])


def test_the_default_is_to_search_all_training_images():
    everything = load_mnist("train")
    last = len(everything) - 1
    found = nearest_neighbours(everything.images[last:], k=2)
    assert found.index[0, 0] == last and found.distance[0, 0] < 1e-3 < found.distance[0, 1]
    assert torch.equal(found.images[0, 0], everything.images[last])


def test_all_images_may_be_asked_for(digits):
    found = nearest_neighbours(digits[:3], digits[:7], k=7)
    assert found.index.sort(dim=1).values.tolist() == [list(range(7))] * 3


# --- the shipped files -----------------------------------------------------------------------


def files_of(name: str, folder: Path = FOLDER) -> dict[str, Path]:
    return {
        "facts": folder / f"judge_{name}.json",
        "weights": folder / f"judge_{name}.safetensors",
        "moments": folder / f"judge_{name}_moments.safetensors",
    }


def test_the_judge_of_digits_is_shipped():
    assert "mnist" in SHIPPED and set(SHIPPED) <= set(BUILDERS)


@pytest.mark.parametrize("name", SHIPPED)
def test_files_are_small_and_as_described(name):
    paths = files_of(name)
    facts = json.loads(paths["facts"].read_text(encoding="utf-8"))
    for kind in ("weights", "moments"):
        assert hashlib.sha256(paths[kind].read_bytes()).hexdigest() == facts["sha256"][kind]
    sizes = [path.stat().st_size for path in paths.values()]
    assert paths["weights"].stat().st_size < LIMITS[name][0] and sum(sizes) < LIMITS[name][1]
    assert facts["test_images"] == 10_000
    assert facts["train_accuracy"] >= facts["test_accuracy"] > (0.993 if name == "mnist" else 0.85)
    program, flag, module, command, *rest = shlex.split(facts["command"])
    assert (program, flag, module, command) == ("python", "-m", "course_utils", "classifiers")
    assert name in rest and set(rest) <= set(PLANS)


@pytest.mark.parametrize("name", SHIPPED)
def test_weights_are_in_half_precision(name):
    weights = load_file(files_of(name)["weights"])
    assert {value.dtype for value in weights.values()} == {torch.float16}
    state = BUILDERS[name]().state_dict()
    floats = {key: value.shape for key, value in state.items() if value.is_floating_point()}
    assert {key: value.shape for key, value in weights.items()} == floats
    assert all(value.isfinite().all() for value in weights.values())


@pytest.mark.parametrize("name", SHIPPED)
def test_moments_are_those_of_a_distribution(name):
    moments = load_judge(name).moments
    assert moments.keys() == {"train", "test"}
    for mean, covariance in moments.values():
        assert mean.dtype == covariance.dtype == torch.float64
        assert mean.shape == (128,) and covariance.shape == (128, 128)
        torch.testing.assert_close(covariance, covariance.T, rtol=1e-12, atol=1e-12)
        assert torch.linalg.eigvalsh(covariance).min() > -1e-9 * covariance.trace()
        assert (mean >= 0).all() and mean.max() > 0  # features are none below 0


def test_the_judge_is_ready_to_judge():
    judge = load_judge("mnist")
    assert not any(module.training for module in judge.network.modules())
    assert not any(p.requires_grad for p in judge.network.parameters())
    assert f"{judge.facts['test_accuracy']:.2%}" in repr(judge)


def test_norm_folded_in_leaves_the_function_as_it_was(digits, seen):
    plain = BUILDERS["mnist"]()
    stored = load_file(files_of("mnist")["weights"])
    plain.load_state_dict({k: v.float() for k, v in stored.items()}, strict=False)
    with torch.no_grad():
        expected = plain.eval()(digits[:100])
    torch.testing.assert_close(seen.logits[:100], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_stated_accuracy_is_reached(name):
    everything = PLANS[name].load("test")
    if everything.is_sample:
        pytest.skip("the sample stands in for the real test images")
    chosen = torch.randperm(len(everything))[:2000]
    found = extract(everything.images[chosen])
    stated = load_judge(name).facts["test_accuracy"]
    reached = (found.classes == everything.labels[chosen]).double().mean().item()
    assert abs(reached - stated) < 3 * math.sqrt(stated * (1 - stated) / len(chosen))
    assert found.values.shape == (2000, 128) and found.logits.shape == (2000, 10)
    assert (found.values >= 0).all() and found.judge is load_judge(name)


def test_the_stored_moments_are_those_of_real_images(seen):
    """Near, where features one of which is turned off are not."""
    stored = load_judge("mnist").moments["test"]
    assert frechet_distance(seen.moments, stored) < 0.02 * stored[1].trace().item()
    blind = seen.values.clone()
    blind[:, blind.mean(dim=0).argmax()] = 0
    blind = Features(seen.judge, blind, seen.logits)
    assert frechet_distance(blind.moments, stored) > 0.02 * stored[1].trace().item()


@pytest.fixture
def copied(tmp_path) -> dict[str, Path]:
    for path in files_of("mnist").values():
        shutil.copy(path, tmp_path)
    return files_of("mnist", tmp_path)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", ["facts", "weights", "moments"])
def test_a_damaged_file_is_named(copied, kind, damage):
    path = copied[kind]
    data = DAMAGE[damage](path.read_bytes())
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"^{path.name}: expected .*[,;] got "):
        read_judge("mnist", path.parent)


@pytest.mark.parametrize("text", ["{}", "[]", '{"sha256": {"weights": "0"}}'])
def test_facts_that_lack_something_are_named(copied, text):
    copied["facts"].write_text(text)
    with pytest.raises(ValueError, match=r"judge_mnist[a-z_]*\.(json|safetensors): expected"):
        read_judge("mnist", copied["facts"].parent)


def test_copied_files_make_the_same_judge(copied, digits, seen):
    judge = read_judge("mnist", copied["facts"].parent)
    assert judge.facts == load_judge("mnist").facts
    with torch.no_grad():
        torch.testing.assert_close(judge.network(digits[:50]), seen.logits[:50])


# --- training them again ---------------------------------------------------------------------


def test_a_classifier_can_be_trained_again(tmp_path, capsys, test_set):
    if test_set.is_sample:
        with pytest.raises(ValueError, match=r"^mnist: expected the real data"):
            train_classifier("mnist", tmp_path, epochs=1, limit=512)
        return
    facts = train_classifier("mnist", tmp_path / "new", epochs=1, limit=512)
    assert "epoch 1 of 1" in capsys.readouterr().out
    judge = read_judge("mnist", tmp_path / "new")
    assert isinstance(judge, Judge) and judge.facts == facts
    assert facts["test_images"] == facts["train_images"] == 512 and facts["epochs"] == 1
    images = load_mnist("test", limit=512)
    with torch.no_grad():
        right = judge.network(to_unit(images.images)).argmax(dim=1) == images.labels
    assert right.double().mean().item() == pytest.approx(facts["test_accuracy"], abs=0.005)
    assert judge.moments["test"][1].shape == (128, 128)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(
        p.name for p in files_of("mnist").values()
    )


@pytest.mark.parametrize(
    "options, name",
    [({"epochs": 0}, "epochs"), ({"limit": 0}, "limit"), ({"name": "svhn"}, "name")],
)
def test_a_training_that_cannot_be(tmp_path, options, name):
    with pytest.raises(ValueError, match=rf"^{name}: expected .*[,;] got "):
        train_classifier(**{"name": "mnist", "folder": tmp_path} | options)
    assert not list(tmp_path.iterdir())
