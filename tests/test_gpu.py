"""What only a GPU can show: graphs, fp16, and that everything works from there. Skipped elsewhere.

`make gpu-day` runs these first.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import interrupted_run
import pytest
import torch

import course_utils as cu
from course_utils import bench, losses, models
from course_utils.metrics import frechet_classifier_distance
from course_utils.recipes import RECIPES, draw_samples, get_recipe
from course_utils.settings import fork_random, peak_device_memory
from course_utils.training import AdversarialStep, train

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.usefixtures("own_randomness"),
]
STEPS = 8  # three before the capture, the capture's, and replays


def make_step(pair: bench.Pair, lr: float = 1e-4) -> AdversarialStep:
    D, G = (network.cuda() for network in pair.build())
    for module in D.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # what it drops differs from graph to plain
    game = losses.discriminator_loss, losses.generator_loss
    if pair.has_sigmoid:
        game = losses.probability_discriminator_loss, losses.probability_generator_loss
    solvers = [losses.get_optimizer(network, lr) for network in (D, G)]
    return AdversarialStep(
        D, G, *solvers, *game, noise_size=pair.noise_size, penalty=pair.penalty,
        as_probability=None if pair.has_sigmoid else torch.sigmoid,
    )  # fmt: skip


def make_batches(pair: bench.Pair) -> list[tuple[torch.Tensor, torch.Tensor]]:
    shape = (16, *pair.image)
    labels = torch.zeros(16, dtype=torch.int64, device="cuda")
    return [(torch.rand(shape, device="cuda") * 2 - 1, labels) for _ in range(STEPS)]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("name", bench.PAIRS)
def test_a_captured_run_is_the_plain_run(name, precision, capsys):
    pair = bench.PAIRS[name]
    captured = make_step(pair)
    plain = copy.deepcopy(captured)
    batches = make_batches(pair)
    for step, graph in ((captured, None), (plain, False)):
        history = train(
            step, batches, num_epochs=1, seed=1, graph=graph, precision=precision, log_every=1
        )
        assert len(history.step) == STEPS and not history.stopped
    said = capsys.readouterr().out
    assert said.count("CUDA graph") == 1 and "no CUDA graph" not in said
    if precision == "fp16":
        assert captured.scaling.state_dict() == plain.scaling.state_dict()
    # Adam's first steps move each weight by about lr, whatever the size of its gradient: where
    # that is rounding alone, the two may part by twice that a step
    for ours, theirs in ((captured.D, plain.D), (captured.G, plain.G)):
        for p, q in zip(ours.parameters(), theirs.parameters()):
            assert (p - q).abs().max() <= 2 * STEPS * 1e-4
            assert (p - q).abs().mean() <= 0.3 * STEPS * 1e-4


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_an_epoch_in_every_precision(name, tmp_path):
    """On noise of the right shape: what it learns is not asked."""
    recipe = get_recipe(name)
    shape = (256, 3, 32, 32) if recipe.data == "CIFAR-10" else (256, 1, 28, 28)
    noise = cu.ImageSet(torch.randint(256, shape, dtype=torch.uint8), torch.arange(256) % 10)
    recipe = replace(recipe, load=lambda limit: noise)
    for precision in ("fp32", "fp16", "bf16"):
        step, history = recipe.train(tmp_path / precision, 1, "short", precision=precision)
        assert not history.stopped
        assert torch.isfinite(draw_samples(step, 20)).all()


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_resumed_run_ends_as_the_whole_one(tmp_path, precision):
    def run(folder, num_epochs, start):
        torch.manual_seed(start)
        D, G = (network.cuda() for network in interrupted_run.make_networks())
        with fork_random():
            return interrupted_run.run(
                folder, num_epochs, step=interrupted_run.make_step(D, G, augment=None),
                loader=cu.BatchLoader(interrupted_run.make_images(), 8, "cuda", seed=3),
                precision=precision, seed=1, start=start,
            )  # fmt: skip

    whole = run(tmp_path / "whole", 4, 1)
    run(tmp_path / "parts", 2, 1)
    parts = run(tmp_path / "parts", 4, 2)
    assert whole.step == parts.step
    (_, expected), (_, found) = whole.samples[-1], parts.samples[-1]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_a_loader_on_the_gpu_hands_out_every_image_once():
    images = torch.randint(256, (50, 1, 4, 4), dtype=torch.uint8)
    data = cu.ImageSet(images, torch.arange(50))
    loader = cu.BatchLoader(data, 8, "cuda")
    batches = list(loader)
    assert all(batch.is_cuda and labels.is_cuda for batch, labels in batches)
    order = torch.cat([labels for _, labels in batches]).cpu()
    assert sorted(order.tolist()) == list(range(50))
    found = torch.cat([batch for batch, _ in batches]).cpu()
    torch.testing.assert_close(found, images[order].float() / 127.5 - 1, rtol=0, atol=1e-6)


def test_a_distance_is_the_same_on_the_gpu():
    G = cu.load_pretrained("dcgan_strided")
    with torch.no_grad():
        samples = G(torch.randn(2000, 64))
    reference = cu.get_reference("mnist")
    on_cpu, on_gpu = (
        float(frechet_classifier_distance(batch, reference, floor=False))
        for batch in (samples, samples.cuda())
    )
    assert on_gpu == pytest.approx(on_cpu, rel=5e-3)


def test_what_takes_a_generator_takes_it_from_the_gpu(tmp_path):
    G = cu.load_pretrained("dcgan_strided").cuda()
    cu.share(G, tmp_path / "gan.html")
    assert (tmp_path / "gan.html").stat().st_size > 10_000
    assert next(G.parameters()).is_cuda
    cu.summarize(models.build_dc_classifier().cuda(), (1, 28, 28))


def test_memory_is_the_cards():
    before = peak_device_memory()
    held = torch.zeros(2**28, device="cuda")
    assert peak_device_memory() >= max(1.0, before)
    del held
