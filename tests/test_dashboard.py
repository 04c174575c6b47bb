"""The live figure: where it goes, what it costs, and that the run does not notice it."""

from __future__ import annotations

import base64
import io
import math
import signal
from itertools import pairwise
from types import SimpleNamespace

import IPython.display
import numpy as np
import pytest
import torch
import tqdm.auto
from helpers import assert_complains, bad_inputs
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn

from course_utils import dashboard
from course_utils.dashboard import LiveDashboard
from course_utils.diagnosis import ADVICE
from course_utils.losses import discriminator_loss, generator_loss, get_optimizer
from course_utils.metrics import class_coverage, frechet_classifier_distance, get_reference
from course_utils.metrics.features import FOLDER
from course_utils.models import sample_noise
from course_utils.training import AdversarialStep, History, Progress, train

pytestmark = [
    pytest.mark.usefixtures("own_randomness"),
    pytest.mark.filterwarnings("ignore:the Fréchet distance of"),
]

DIGITS, COLOUR, SMALL = (1, 28, 28), (3, 32, 32), (1, 16, 16)
NOISE = 4
FEW = 20  # samples for the classifier


class Tiny(nn.Sequential):
    """A generator of images of one shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        count = math.prod(shape)
        super().__init__(nn.Linear(NOISE, count), nn.Tanh(), nn.Unflatten(1, shape))


def build_step(shape=DIGITS, kind=AdversarialStep, **options) -> AdversarialStep:
    D = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 1))
    G = Tiny(shape)
    solvers = get_optimizer(D), get_optimizer(G)
    return kind(D, G, *solvers, discriminator_loss, generator_loss, noise_size=NOISE, **options)


class Batches:
    """Batches of noise in the place of images, the same ones at every pass."""

    def __init__(self, count: int = 4, shape: tuple[int, ...] = DIGITS) -> None:
        drawn = torch.Generator().manual_seed(0)
        self.kept = [2 * torch.rand(6, *shape, generator=drawn) - 1 for _ in range(count)]

    def __len__(self) -> int:
        return len(self.kept)

    def __iter__(self):
        return iter([(images, torch.zeros(len(images)).long()) for images in self.kept])


def run(board, *, shape=DIGITS, step=None, count=4, show_every=2, **options) -> History:
    step = build_step(shape) if step is None else step
    options = {"num_epochs": 1, "log_every": 1, "seed": 0} | options
    return train(
        step, Batches(count, shape), show_every=show_every, callbacks=[board] if board else [],
        **options,
    )  # fmt: skip


def make_progress(step: int = 2, shape=DIGITS, total: int = 4, **scores: float) -> Progress:
    """A look, made by hand."""
    history = History(seconds=1.0)
    game = build_step(shape)
    noise = game.draw_noise(25)
    history.samples.append((0, game.sample(noise)))
    if step:
        scores = {"d_loss": 1.0, "g_loss": 1.0, "d_real": 0.6, "d_fake": 0.4} | scores
        history.log(step, scores)
        history.samples.append((step, game.sample(noise)))
    return Progress(0, step, total, game, history)


def read(folder) -> dict[str, np.ndarray]:
    return {path.name: np.array(Image.open(path)) for path in sorted(folder.iterdir())}


def texts(figure: Figure) -> str:
    """All that is written in a figure, tick labels left out."""
    own = [text.get_text() for text in figure.texts]
    for axis in figure.axes:
        own += [axis.get_title(), axis.get_xlabel(), *(text.get_text() for text in axis.texts)]
        if axis.get_legend():
            own += [text.get_text() for text in axis.get_legend().get_texts()]
    return "\n".join(own)


def get_distances(figure: Figure) -> list:
    """The curves in the panel of distances."""
    return next(axis for axis in figure.axes if "distance" in axis.get_title()).get_lines()


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures, on their way to become pictures."""
    caught: list[Figure] = []
    draw = LiveDashboard._make_figure

    def keep(self, progress):
        caught.append(draw(self, progress))
        return caught[-1]

    monkeypatch.setattr(LiveDashboard, "_make_figure", keep)
    monkeypatch.setattr(dashboard, "sample_notice", lambda: "")
    return caught


@pytest.fixture
def quick(monkeypatch) -> None:
    """Small empty figures, where the picture itself does not matter."""
    monkeypatch.setattr(LiveDashboard, "_make_figure", lambda self, progress: Figure((1, 1)))


@pytest.fixture
def notebook(monkeypatch) -> SimpleNamespace:
    """A stand-in for a notebook: what was displayed, and what changed it later."""
    seen = SimpleNamespace(displayed=[], updates=[], handles=[])

    class Handle:
        def update(self, data, **options):
            seen.updates.append((self, data, options))

    def display(data, **options):
        seen.displayed.append((data, options))
        seen.handles.append(Handle())
        return seen.handles[-1] if options.get("display_id") else None

    monkeypatch.setattr(dashboard, "in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", display)
    return seen


# --- outside a notebook -----------------------------------------------------------------------


def test_one_picture_a_look_all_of_one_size(tmp_path, capsys):
    board = LiveDashboard(tmp_path / "new" / "folder", samples=FEW, share=1)
    run(board, count=6)
    pictures = read(tmp_path / "new" / "folder")
    assert {"step_0000000.png", "step_0000006.png"} <= set(pictures)
    assert set(pictures) <= {f"step_{n:07d}.png" for n in (0, 2, 4, 6)}
    assert {picture.shape for picture in pictures.values()} == {(540, 900, 4)}
    assert not np.array_equal(pictures["step_0000000.png"], pictures["step_0000006.png"])
    assert f"step 6: {board.verdict}" in capsys.readouterr().out.splitlines()


def test_the_size_does_not_depend_on_what_is_said(tmp_path, monkeypatch):
    """A page would jump: long verdicts and notices, tall losses and wide numbers included."""
    sizes = set()
    for state, notice, loss in (("healthy", "", 1.0), ("D has won", "sample data, " * 9, 98765.4)):
        monkeypatch.setattr(dashboard, "sample_notice", lambda notice=notice: notice)
        verdict = dashboard.Verdict(state, "a reason " * 40)
        monkeypatch.setattr(dashboard, "diagnose", lambda history, verdict=verdict: verdict)
        board = LiveDashboard(tmp_path / state, samples=FEW)
        board(make_progress(4, g_loss=loss, d_real=loss))
        (picture,) = read(tmp_path / state).values()
        sizes.add(picture.shape)
    assert sizes == {(540, 900, 4)}


def test_the_folder_by_default_is_among_the_runs(tmp_path, monkeypatch, quick):
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    LiveDashboard(samples=FEW)(make_progress(0))
    assert [path.name for path in (tmp_path / "dashboard").iterdir()] == ["step_0000000.png"]


def test_nothing_here_is_a_notebook():
    assert not dashboard.in_notebook()


# --- what it may cost -------------------------------------------------------------------------


class Clock:
    """Time that passes only where it is told to."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def priced(monkeypatch):
    """A dashboard whose two parts cost what the test says, and note when they are done."""
    clock = Clock()
    monkeypatch.setattr(dashboard, "time", clock)

    def build(share: float, distance=lambda step: 1.0, figure=lambda step: 0.5):
        board = LiveDashboard(share=share)
        board.done = {"distance": [], "figure": []}
        board.dearest = {"distance": 0.0, "figure": 0.0}

        def spend(part, price):
            def work(progress):
                clock.now += price(progress.step)
                board.done[part].append(progress.step)
                if progress.step > 0:
                    board.dearest[part] = max(board.dearest[part], price(progress.step))

            return work

        board._measure, board._draw = spend("distance", distance), spend("figure", figure)
        return board

    def play(board, looks: int = 200, pace: float = 1.0, start: int = 0, earlier: float = 0.0):
        """One look a second of training; the history's clock counts callbacks in, as `train`'s."""
        history = History(seconds=earlier)
        for step in range(start, looks + 1):
            if step > start:
                history.seconds += pace
            before = clock.now
            board(Progress(0, step, looks, None, history))
            if step > start:
                history.seconds += clock.now - before
                if step < looks:
                    allowed = board.share * (step - start) * pace
                    one_look = sum(board.dearest.values())
                    assert board.spent <= allowed + one_look + 1e-9, step
        return history

    return SimpleNamespace(build=build, play=play, clock=clock)


def test_without_a_share_only_the_first_and_the_last_look(priced):
    board = priced.build(0.0)
    priced.play(board)
    assert board.done == {"distance": [0, 200], "figure": [0, 200]}


def test_a_full_share_of_a_cheap_dashboard_leaves_nothing_out(priced):
    board = priced.build(1.0, distance=lambda step: 0.1, figure=lambda step: 0.1)
    priced.play(board, looks=20)
    assert board.done == {"distance": [*range(21)], "figure": [*range(21)]}


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 1.0])
@pytest.mark.parametrize(
    "distance, figure",
    [
        (lambda step: 1.0, lambda step: 0.5),
        (lambda step: 0.2, lambda step: 3.0),
        (lambda step: 0.1 + 4 * (step % 7 == 0), lambda step: 0.1 + 0.02 * step),  # dearer later
        (lambda step: 5.0 if step == 0 else 0.2, lambda step: 3.0 if step == 0 else 0.1),
    ],
    ids=["steady", "dear figure", "uneven", "dear start"],
)
def test_the_budget_holds(priced, share, distance, figure):
    board = priced.build(share, distance, figure)
    priced.play(board)  # it looks after each look
    for done in board.done.values():
        assert done[0] == 0 and done[-1] == 200


def test_neither_part_leaves_the_other_nothing(priced):
    board = priced.build(0.1, distance=lambda step: 2.0, figure=lambda step: 0.2)
    priced.play(board)
    between = {part: [step for step in done if 0 < step < 200] for part, done in board.done.items()}
    # ten seconds for each: five distances, fifty figures
    assert len(between["distance"]) in (4, 5)
    assert len(between["figure"]) in (48, 49, 50)
    gaps = np.diff(between["figure"])
    assert gaps.max() <= 8  # it never stands still for the price of a distance


def test_each_run_has_a_budget_of_its_own(priced):
    board = priced.build(0.05)
    priced.play(board)
    first, board.done = board.done, {"distance": [], "figure": []}
    priced.play(board)
    assert board.done == first


def test_a_resumed_run_does_not_spend_what_earlier_sessions_saved(priced):
    board = priced.build(0.05)
    priced.play(board, looks=40, start=20, earlier=10_000.0)
    # 20 seconds of training have one second for it all: the second look takes that and more
    assert board.done == {"distance": [20, 21, 40], "figure": [20, 21, 40]}


def test_time_is_counted_in_a_run(tmp_path, quick):
    board = LiveDashboard(tmp_path, samples=FEW, share=1)
    run(board)
    assert board.spent > 0 and board.spent == sum(board._spent.values())


# --- the run does not notice ------------------------------------------------------------------


@pytest.mark.parametrize("ema", [None, 0.9])
def test_the_run_is_the_same_without_it(tmp_path, ema):
    runs = []
    for board in (None, LiveDashboard(tmp_path, samples=FEW, share=1)):
        torch.manual_seed(5)
        step = build_step()
        history = run(board, step=step, count=6, ema=ema)
        weights = [*step.D.state_dict().values(), *step.G.state_dict().values()]
        modes = [module.training for net in (step.D, step.G) for module in net.modules()]
        runs.append((history, weights, modes, step.draw_noise(2)))
    (plain, plain_weights, plain_modes, plain_noise), (seen, weights, modes, noise) = runs
    for name in ("step", "d_loss", "g_loss", "d_real", "d_fake", "images"):
        assert getattr(plain, name) == getattr(seen, name)
    assert all(torch.equal(a, b) for a, b in zip(plain_weights, weights, strict=True))
    assert plain_modes == modes and torch.equal(plain_noise, noise)
    for (_, one), (_, other) in zip(plain.samples, seen.samples, strict=True):
        assert torch.equal(one, other)


# --- distance and classes ---------------------------------------------------------------------


def test_distance_and_classes_are_noted_where_they_were_measured(tmp_path, quick):
    board = LiveDashboard(tmp_path / "looks", samples=FEW, share=0)
    step = build_step()
    history = run(board, step=step, count=5)
    noise = sample_noise(FEW, NOISE, "uniform", generator=torch.Generator().manual_seed(0))
    samples = step.sample(noise)
    expected = {
        "distance": float(frechet_classifier_distance(samples, floor=False)),
        "classes": class_coverage(samples, floor=False).reached,
    }
    assert set(history.extra) == set(expected)
    for name, value in expected.items():
        assert history.extra[name][-1] == pytest.approx(value, rel=1e-3)
        assert len(history.extra[name]) == len(history.step) == 5
        assert all(math.isnan(noted) for noted in history.extra[name][:-1])
    history.to_csv(tmp_path / "history.csv")
    kept = History.from_csv(tmp_path / "history.csv")
    np.testing.assert_array_equal(kept.extra["distance"], history.extra["distance"])
    np.testing.assert_array_equal(kept.extra["classes"], history.extra["classes"])
    assert kept.d_loss == history.d_loss


def test_the_distance_of_step_0_is_drawn_too(tmp_path, figures):
    board = LiveDashboard(tmp_path, samples=FEW, share=0)
    history = run(board)
    lines = get_distances(figures[-1])
    assert lines[0].get_xdata().tolist() == [0, 4]
    assert lines[0].get_ydata()[1] == history.extra["distance"][-1]
    run(LiveDashboard(tmp_path, samples=FEW, share=0), shape=SMALL)
    lines = get_distances(figures[-1])
    assert not lines


def test_images_without_a_classifier_have_no_distance(tmp_path, figures):
    history = run(LiveDashboard(tmp_path, samples=FEW, share=1), shape=SMALL)
    assert history.extra == {}
    assert len(read(tmp_path)) >= 2 and texts(figures[-1]).count("not measured") == 2


def test_digits_as_rows_of_pixels(tmp_path, quick):
    step = build_step()
    step.G[-1] = nn.Flatten()
    history = run(LiveDashboard(tmp_path, samples=FEW), step=step)
    assert math.isfinite(history.extra["distance"][-1])


@pytest.mark.skipif(not (FOLDER / "judge_cifar10.json").exists(), reason="no such classifier")
def test_colour_photographs(tmp_path, figures):
    history = run(LiveDashboard(tmp_path, samples=FEW), shape=COLOUR)
    assert history.extra["distance"][-1] > 0 and 0 <= history.extra["classes"][-1] <= 10
    assert "share of each class at step 4" in texts(figures[-1])


def test_the_average_is_what_is_judged(tmp_path, monkeypatch, quick):
    judged = []
    look = dashboard.look
    monkeypatch.setattr(dashboard, "look", lambda x, judge: judged.append(x) or look(x, judge))
    step = build_step()
    history = run(LiveDashboard(tmp_path, samples=FEW, share=0), step=step, ema=0.9)
    noise = sample_noise(FEW, NOISE, "uniform", generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(judged[-1], history.averaged(noise), atol=1e-6)
        assert not torch.allclose(judged[-1], step.G(noise), atol=1e-4)


def test_every_look_judges_samples_of_the_same_noise(tmp_path, monkeypatch, quick):
    judged = []
    look = dashboard.look
    monkeypatch.setattr(dashboard, "look", lambda x, judge: judged.append(x) or look(x, judge))
    progress = make_progress(4)
    for _ in range(2):
        LiveDashboard(tmp_path, samples=300)(progress)
        torch.rand(3)
    assert torch.equal(*judged) and len(judged[0]) == 300
    assert len(judged[0].flatten(1).unique(dim=0)) == 300  # and no two of them are alike


def test_a_reference_of_ones_own(tmp_path, quick):
    augmented = get_reference("mnist")
    board = LiveDashboard(tmp_path, samples=FEW, reference=augmented)
    progress = make_progress(4)
    board(progress)
    own = type(augmented)(augmented.judge)
    mean, covariance = augmented.moments
    own._moments, own.augment = (mean + 1, covariance), lambda images, generator: images
    moved = make_progress(4)
    moved.game = progress.game
    LiveDashboard(tmp_path, samples=FEW, reference=own)(moved)
    assert moved.history.extra["distance"] != progress.history.extra["distance"]


# --- faults of a run are no faults of the figure ----------------------------------------------


def test_weights_of_nan_are_shown_as_such(tmp_path, figures):
    progress = make_progress(4)
    board = LiveDashboard(tmp_path, samples=FEW)
    with torch.no_grad():
        progress.game.G[0].weight.fill_(math.nan)
    progress.history.samples.append((4, progress.game.sample(torch.rand(25, NOISE))))
    board(progress)
    assert progress.history.extra == {}  # NaN has neither a distance nor a class
    assert board.verdict.name == "not finite" and "not finite" in texts(figures[-1])
    assert read(tmp_path)


def test_a_run_that_breaks_goes_to_its_end(tmp_path):
    step = build_step()

    def spoil(progress: Progress) -> None:
        if progress.step == 2:
            with torch.no_grad():
                step.G[0].weight.fill_(math.nan)

    board = LiveDashboard(tmp_path, samples=FEW, share=1)
    history = train(
        step, Batches(8), num_epochs=1, show_every=1, log_every=8, callbacks=[spoil, board]
    )
    assert history.stopped.startswith("not finite")
    assert board.verdict.name in ("not finite", "not yet started")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_losses_that_are_not_finite_are_drawn(tmp_path, value):
    board = LiveDashboard(tmp_path, samples=FEW)
    board(make_progress(4, d_loss=value, d_fake=value))
    assert board.verdict.name == "not finite" and read(tmp_path)


def test_samples_out_of_range_are_drawn(tmp_path):
    step = build_step()
    step.G[1] = nn.Identity()
    with torch.no_grad():
        step.G[0].weight.mul_(100)
    assert run(LiveDashboard(tmp_path, samples=FEW), step=step).step[-1] == 4
    assert len(read(tmp_path)) >= 2


class OneScore(AdversarialStep):
    """A game that gives G's loss only, and a score of its own."""

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        scores = super().__call__(images, labels)
        return {"g_loss": scores["g_loss"], "mine": scores["d_loss"]}


def test_a_game_with_other_scores(tmp_path, figures):
    history = run(LiveDashboard(tmp_path, samples=FEW), step=build_step(kind=OneScore))
    assert history.d_real == [] and set(history.extra) == {"mine", "classes", "distance"}
    losses = figures[-1].axes[0].get_lines()
    assert losses[1].get_ydata().tolist() == history.g_loss


def test_scores_without_a_scale_are_all_to_be_seen(tmp_path, figures):
    LiveDashboard(tmp_path, samples=FEW)(make_progress(4, d_real=30.0, d_fake=-30.0))
    beliefs = figures[-1].axes[1]
    low, high = beliefs.get_ylim()
    assert low < -30 and high > 30 and beliefs.get_title() == "D's scores"


# --- what the figure says ---------------------------------------------------------------------


def test_the_head_says_step_verdict_reason_and_what_to_try(tmp_path, figures):
    board = LiveDashboard(tmp_path, samples=FEW)
    board(make_progress(4, total=2500))
    head = [text.get_text() for text in figures[-1].texts]
    assert head[0] == "step 4 of 2,500: not yet started"
    assert board.verdict.reason in head[2] and "What to try: train longer" in head[2]


@pytest.mark.parametrize("state", ADVICE)
def test_nothing_of_the_head_is_cut_off(tmp_path, monkeypatch, figures, state):
    """The longest reason of each verdict and its advice lie inside the figure, over the curves."""
    longest = "the samples are all alike: only 14.9% of their variance lies between them, "
    verdict = dashboard.Verdict(state, longest + "D(x) - D(G(z)) is -0.22")
    monkeypatch.setattr(dashboard, "diagnose", lambda history: verdict)
    LiveDashboard(tmp_path, samples=FEW)(make_progress(4, total=123_456))
    (figure,) = figures
    said = " ".join(texts(figure).split())
    assert verdict.reason in said and ADVICE[state] in said and "[...]" not in said
    renderer = figure.canvas.get_renderer()
    curves = max(axis.title.get_window_extent(renderer).y1 for axis in figure.axes)
    for text in figure.texts:
        if text.get_text():
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0 and box.x1 <= 900 and box.y1 <= 540 and box.y0 > curves


def test_titles_and_legends_do_not_run_into_each_other(tmp_path, figures):
    progress = make_progress(4, total=123_456, g_loss=98765.4)
    LiveDashboard(tmp_path, samples=FEW)(progress)
    figure = figures[-1]
    renderer = figure.canvas.get_renderer()
    boxes = [axis.title.get_window_extent(renderer) for axis in figure.axes]
    boxes += [axis.xaxis.label.get_window_extent(renderer) for axis in figure.axes[:4]]
    for number, box in enumerate(boxes):
        assert box.x0 >= 0 and box.x1 <= 900 and box.y0 >= 0
        assert not any(box.overlaps(other) for other in boxes[:number])
    for axis in figure.axes[:2]:
        legend = axis.get_legend().get_window_extent(renderer)
        assert axis.bbox.x0 <= legend.x0 and legend.x1 <= axis.bbox.x1
        low = axis.transData.inverted().transform((0, legend.y0))[1]
        drawn = [line.get_ydata() for line in axis.get_lines()]
        assert low > max(max(values) for values in drawn), "the legend hides a curve"


def test_curves_are_told_apart_without_colour(tmp_path, figures):
    LiveDashboard(tmp_path, samples=FEW)(make_progress(4))
    for axis in figures[-1].axes[:2]:
        one, other = axis.get_lines()[:2]
        assert one.get_linestyle() != other.get_linestyle()


def test_every_part_stays_where_it_is(tmp_path, figures):
    run(LiveDashboard(tmp_path, samples=FEW, share=0))
    first, last = ([axis.get_position().bounds for axis in f.axes] for f in figures)
    assert np.allclose(first, last)
    assert all(f.axes[n].get_xlim() == (0, 4) for f in figures for n in (0, 1, 2))


@pytest.mark.parametrize("total", [4, 999, 9_370, 28_110, 99_999, 468_500, 2_500_000])
def test_the_numbers_of_the_steps_do_not_touch(tmp_path, figures, total):
    LiveDashboard(tmp_path, samples=FEW)(make_progress(total // 2, total=total))
    canvas = FigureCanvasAgg(figures[-1])
    canvas.draw()
    for axis in figures[-1].axes[:3]:
        boxes = [
            label.get_window_extent(canvas.get_renderer())
            for label, place in zip(axis.get_xticklabels(), axis.get_xticks(), strict=True)
            if 0 <= place <= total
        ]
        assert len(boxes) >= 3
        assert all(one.x1 + 5 < other.x0 for one, other in pairwise(boxes))  # pixels


def test_a_run_that_was_stopped_gets_a_last_look_that_says_so(tmp_path, figures, monkeypatch):
    step, calls = build_step(), 0
    advance = type(step).__call__

    def press_at_the_third(self, images, labels):
        nonlocal calls
        calls += 1
        if calls == 3:
            signal.raise_signal(signal.SIGINT)
        return advance(self, images, labels)

    monkeypatch.setattr(type(step), "__call__", press_at_the_third)
    board = LiveDashboard(tmp_path, samples=FEW, share=1)
    measured = []
    monkeypatch.setattr(board, "_measure", lambda progress: measured.append(progress.step))
    history = run(board, step=step, count=9)
    assert history.stopped == "interrupted" and history.samples[-1][0] == 3
    assert "step 3 of 9 (cut short):" in texts(figures[-1])
    assert all("cut short" not in texts(figure) for figure in figures[:-1])
    assert measured == [0, 2]  # and nothing that takes long after the button was pressed


def test_the_bar_stands_above_the_figure(notebook, monkeypatch):
    """What is displayed first stands on top."""
    order = notebook.displayed

    class Bar(tqdm.auto.tqdm):
        def __init__(self, **options):
            order.append("bar")
            super().__init__(**options)

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    run(LiveDashboard(samples=FEW), progress=True)
    assert order[0] == "bar" and len(order) == 2


def test_a_figure_says_when_a_sample_stands_in(tmp_path, monkeypatch, figures):
    board = LiveDashboard(tmp_path, samples=FEW)
    board(make_progress(4))
    assert "a sample of 5,000" not in texts(figures[-1])
    monkeypatch.setattr(dashboard, "sample_notice", lambda: "MNIST: a sample of 5,000")
    board(make_progress(4))
    assert "(MNIST: a sample of 5,000)" in texts(figures[-1])


# --- in a notebook ----------------------------------------------------------------------------


def test_one_picture_is_displayed_and_changed_in_place(notebook, monkeypatch, capsys):
    board = LiveDashboard(samples=FEW, share=1)
    monkeypatch.setattr(dashboard, "time", Clock())  # looks cost nothing: none is left out
    run(board, count=6)
    ((data, options),) = notebook.displayed
    assert options["display_id"] is True and options["raw"] is True
    assert len(notebook.updates) == 3
    for handle, changed, changed_options in notebook.updates:
        assert handle is notebook.handles[0] and changed_options["raw"] is True
        assert set(changed) == set(data) == {"image/png", "text/plain"}
        assert changed_options["metadata"]["image/png"]["alt"] == changed["text/plain"]
    pictures = [data, *(changed for _, changed, _ in notebook.updates)]
    opened = [Image.open(io.BytesIO(base64.b64decode(p["image/png"]))) for p in pictures]
    assert {(image.format, image.size) for image in opened} == {("PNG", (900, 540))}
    assert len({p["image/png"] for p in pictures}) == 4
    assert "What to try" not in capsys.readouterr().out  # it stands in the picture


def test_the_alternative_text_holds_step_and_verdict(notebook, quick):
    board = LiveDashboard(samples=FEW, share=0)
    run(board)
    (_, data, options), *others = notebook.updates
    assert not others
    alt = options["metadata"]["image/png"]["alt"]
    assert alt == f"Dashboard at step 4 of 4. {board.verdict}" == data["text/plain"]
    assert board.verdict.reason in alt and board.verdict.advice in alt


def test_a_second_run_displays_anew(notebook, quick):
    board = LiveDashboard(samples=FEW, share=0)
    for number in (1, 2):
        run(board)
        assert len(notebook.displayed) == number
        assert notebook.updates[-1][0] is notebook.handles[number - 1]


def test_a_second_run_forgets_what_the_first_one_saw(tmp_path, figures):
    board = LiveDashboard(tmp_path, samples=FEW, share=0)
    run(board)
    assert "not measured" not in texts(figures[-1])
    run(board, shape=SMALL)
    assert texts(figures[-1]).count("not measured") == 2


def test_nothing_is_written_in_a_notebook(notebook, tmp_path, monkeypatch, quick):
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    run(LiveDashboard(samples=FEW, share=0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("same", [True, False], ids=["the same object", "another object"])
def test_a_resumed_run_displays_anew(notebook, tmp_path, same, quick):
    """Its first look is not at step 0; the cell that it goes on in has no picture yet."""
    board = LiveDashboard(samples=FEW, share=0)
    torch.manual_seed(1)
    run(board, checkpoint=tmp_path / "run")
    torch.manual_seed(1)
    board = board if same else LiveDashboard(samples=FEW, share=0)
    history = run(board, checkpoint=tmp_path / "run", num_epochs=2)
    assert history.step[-1] == 8 and len(notebook.displayed) == 2
    alts = [data["text/plain"] for data, _ in notebook.displayed]
    assert alts[0].startswith("Dashboard at step 0 of 4. ")
    assert alts[1].startswith("Dashboard at step 4 of 8. ")
    assert notebook.updates[-1][0] is notebook.handles[1]
    assert [math.isfinite(v) for v in history.extra["distance"]] == [
        step in (4, 8) for step in history.step
    ]


@pytest.mark.parametrize(
    "shell, expected",
    [(None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=1), True)],
    ids=["plain Python", "IPython in a terminal", "a kernel"],
)
def test_a_notebook_is_told_by_its_kernel(monkeypatch, shell, expected):
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    assert dashboard.in_notebook() is expected


# --- bad input --------------------------------------------------------------------------------


@bad_inputs(
    ("samples: one", lambda: LiveDashboard(samples=1), ValueError, "samples", "1"),
    ("samples: a word", lambda: LiveDashboard(samples="all"), TypeError, "samples", "str"),
    ("samples: a fraction", lambda: LiveDashboard(samples=2e3), TypeError, "samples", "float"),
    ("share: below 0", lambda: LiveDashboard(share=-0.1), ValueError, "share", "-0.1"),
    ("share: above 1", lambda: LiveDashboard(share=5), ValueError, "share", "5"),
    ("share: NaN", lambda: LiveDashboard(share=math.nan), ValueError, "share", "nan"),
    ("share: None", lambda: LiveDashboard(share=None), TypeError, "share", "NoneType"),
    ("reference: a name", lambda: LiveDashboard(reference="mnist"), TypeError, "reference", "str"),
    (
        "reference: other images",
        lambda: LiveDashboard(samples=FEW, reference=get_reference("cifar10"))(make_progress(4)),
        ValueError,
        "reference",
        "Reference(cifar10)",
    ),
    ("folder", lambda: LiveDashboard(7), TypeError, "folder", "int"),
)  # fmt: skip
def test_bad_input(call, error, name, got):
    assert_complains(call, error, name, got)


def test_options_are_given_by_name():
    with pytest.raises(TypeError):
        LiveDashboard("looks", 200)
