"""Every figure: what is drawn, its alt text, its colours, and the note on stand-in data."""

from __future__ import annotations

import base64
import io
import itertools
import math
from types import SimpleNamespace

import IPython.display
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from helpers import assert_complains, bad_inputs, read_arguments, steady
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn

from course_utils import plots
from course_utils.plots import (
    CROSS_ENTROPY_DRAW,
    D_COLOUR,
    FAKE,
    G_COLOUR,
    REAL,
    draw_losses,
    plot_losses,
    show_figure,
    show_grids,
    show_images,
    show_plane,
)


class Gallery:
    """What was displayed: the figure, its alternative text, and the PNG as an array."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self.shown: list[tuple[dict, dict]] = []

    @property
    def figure(self) -> Figure:
        return self.figures[-1]

    @property
    def alt(self) -> str:
        return self.shown[-1][1]["image/png"]["alt"]

    @property
    def pixels(self) -> np.ndarray:
        png = base64.b64decode(self.shown[-1][0]["image/png"])
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.fixture
def gallery(monkeypatch) -> Gallery:
    """Catches the figures on their way to the notebook."""
    caught, save = Gallery(), Figure.savefig

    def savefig(figure, *args, **kwargs):
        caught.figures.append(figure)
        return save(figure, *args, **kwargs)

    def display(data, *, metadata, raw):
        assert raw
        caught.shown.append((data, metadata))

    monkeypatch.setattr(Figure, "savefig", savefig)
    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(plots, "sample_notice", lambda: "")
    return caught


def digits(count: int = 4) -> Tensor:
    return torch.linspace(-1, 1, count * 784).reshape(count, 1, 28, 28)


def make_history(length: int = 5, **changed) -> SimpleNamespace:
    steps = list(range(1, length + 1))
    values = {
        "step": steps,
        "d_loss": [1.0 / s for s in steps],
        "g_loss": [0.5 + s for s in steps],
        "d_real": [0.9 for _ in steps],
        "d_fake": [0.1 for _ in steps],
    }
    return SimpleNamespace(**values | changed)


class RightHalf(nn.Module):
    """Believes in points with x > 0 and y > -1: known at a glance in the picture."""

    def forward(self, points: Tensor) -> Tensor:
        return ((points[:, :1] > 0) & (points[:, 1:] > -1)).to(points)


RIGHT_HALF = RightHalf()
REAL_POINTS = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
FAKE_POINTS = torch.tensor([[0.5, -0.5], [-1.0, -2.0]])

EVERY_FIGURE = {
    "show_images": lambda: show_images(digits(), titles="Digits"),
    "show_grids": lambda: show_grids([("a", digits())], "One grid."),
    "plot_losses": lambda: plot_losses(make_history()),
    "show_plane": lambda: show_plane(RIGHT_HALF, REAL_POINTS, FAKE_POINTS, "The plane"),
    "show_figure": lambda: show_figure(Figure(), "An empty figure."),
}
every_figure = pytest.mark.parametrize("draw", EVERY_FIGURE.values(), ids=EVERY_FIGURE)


# --- what all figures have in common ---------------------------------------------------------


@every_figure
def test_a_figure_is_a_png_with_alternative_text(gallery, draw):
    before = torch.get_rng_state()
    draw()
    ((data, metadata),) = gallery.shown
    assert set(data) == {"image/png", "text/plain"}
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG\r\n")
    assert data["text/plain"] == metadata["image/png"]["alt"]
    assert metadata["image/png"]["alt"].strip().endswith(".")
    assert gallery.pixels.size > 0
    assert plt.get_fignums() == []
    assert torch.equal(before, torch.get_rng_state())


@every_figure
def test_a_figure_says_when_a_sample_stands_in(gallery, monkeypatch, draw):
    draw()
    title = gallery.figure.get_suptitle()
    without = gallery.pixels
    monkeypatch.setattr(plots, "sample_notice", lambda: "MNIST: a sample of 5,000")
    draw()
    note = "(MNIST: a sample of 5,000)"
    assert gallery.figure.get_suptitle() == (f"{title}\n{note}" if title else note)
    assert gallery.pixels.shape != without.shape or (gallery.pixels != without).any()


def test_a_figure_shown_twice_says_it_once(gallery, monkeypatch):
    monkeypatch.setattr(plots, "sample_notice", lambda: "a sample")
    figure = Figure()
    for _ in range(2):
        show_figure(figure, "Nothing.")
    assert figure.get_suptitle() == "(a sample)"


def test_without_a_stand_in_titles_stay_as_they_are(gallery):
    figure = Figure()
    figure.suptitle("mine")
    show_figure(figure, "Nothing.")
    assert figure.get_suptitle() == "mine"


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2): 0 is black, 1 is white."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_four_colours_come_from_okabe_and_ito_and_differ():
    okabe_ito = {
        "#000000",
        "#E69F00",
        "#56B4E9",
        "#009E73",
        "#F0E442",
        "#0072B2",
        "#D55E00",
        "#CC79A7",
    }
    colours = (REAL, FAKE, D_COLOUR, G_COLOUR)
    assert set(colours) <= okabe_ito and len(set(colours)) == 4
    for one, other in itertools.combinations(colours, 2):
        assert math.dist(to_rgb(one), to_rgb(other)) > 0.25
    assert all(luminance(colour) < 0.5 for colour in colours)  # to be seen on white


# --- show_images -----------------------------------------------------------------------------


def drawn_images(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(axis.images[0].get_array()) for axis in figure.axes if axis.images]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 5])
def test_bytes_and_floats_draw_the_same_picture(gallery, channels, count):
    values = (
        torch.arange(count * channels * 30).remainder(256).byte().reshape(count, channels, 5, 6)
    )
    floats = values / 127.5 - 1
    for images in (values, floats, floats.double(), floats.clone().requires_grad_()):
        kept = images.detach().clone()
        show_images(images)
        expected = (values / 255).permute(0, 2, 3, 1).squeeze(-1).numpy()
        assert np.allclose(drawn_images(gallery.figure), expected, atol=1e-6)
        assert torch.equal(images, kept)


def test_half_precision_and_flat_digits(gallery):
    for images in (digits(), digits().half(), digits().bfloat16(), digits().reshape(4, 784)):
        show_images(images)
        expected = (digits()[:, 0] + 1) / 2
        assert np.allclose(drawn_images(gallery.figure), expected, atol=0.01)


def test_pixels_are_crisp_and_grey_levels_fixed(gallery):
    show_images(torch.full((1, 1, 4, 4), 0.5))  # all pixels alike: not stretched to white
    (axis,) = gallery.figure.axes
    (image,) = axis.images
    assert image.get_interpolation() == "nearest"
    assert image.get_clim() == (0, 1) and image.get_cmap().name == "gray"
    assert not axis.axison
    assert (abs(gallery.pixels - 0.75 * 255) <= 1).any()


@steady
@given(count=st.integers(1, 9), nrow=st.none() | st.integers(1, 11))
def test_the_grid_has_the_asked_for_columns(count, nrow):
    with pytest.MonkeyPatch.context() as patch:
        figures = []
        patch.setattr(plots, "show_figure", lambda figure, alt: figures.append((figure, alt)))
        patch.setattr(Figure, "tight_layout", lambda figure, **options: None)  # slow
        show_images(torch.zeros(count, 1, 2, 2), nrow=nrow)
    ((figure, alt),) = figures
    columns = min(count, math.ceil(math.sqrt(count)) if nrow is None else nrow)
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (math.ceil(count / columns), columns)
    assert [bool(axis.images) for axis in figure.axes] == [
        index < count for index in range(grid.nrows * grid.ncols)
    ]
    assert alt == f"{count} images, {columns} in a row."


def test_titles_over_the_grid_or_over_each_image(gallery):
    show_images(digits(), titles="Four digits")
    assert gallery.figure.get_suptitle() == "Four digits"
    assert all(axis.get_title() == "" for axis in gallery.figure.axes)
    show_images(digits(3), titles=("3", "1", "4"))
    assert [axis.get_title() for axis in gallery.figure.axes][:3] == ["3", "1", "4"]
    assert gallery.figure.get_suptitle() == ""


@pytest.mark.parametrize(
    "options, alt",
    [
        ({}, "4 images, 2 in a row."),
        ({"nrow": 4, "kind": "real"}, "4 real images, 4 in a row."),
        ({"kind": "fake", "titles": "Step 250"}, "4 generated images, 2 in a row: Step 250."),
        ({"titles": list("3141")}, "4 images, 2 in a row: 3, 1, 4, 1."),
        ({"titles": "Digits", "alt": "Mine."}, "Mine."),
    ],
)
def test_alternative_text_counts_and_names(gallery, options, alt):
    show_images(digits(), **options)
    assert gallery.alt == alt


@pytest.mark.parametrize("kind, colour", [("real", REAL), ("fake", FAKE)])
def test_kind_frames_the_grid_in_its_colour(gallery, kind, colour):
    def share(pixels: np.ndarray) -> float:
        """The share of pixels near the colour along the left edge."""
        wanted = np.array(to_rgb(colour)) * 255
        return (np.abs(pixels[:, 1] - wanted).max(axis=1) < 40).mean()

    show_images(digits(), kind=kind)
    assert share(gallery.pixels) > 0.9
    show_images(digits())
    assert share(gallery.pixels) == 0


# --- show_grids ------------------------------------------------------------------------------


FORMS = {
    "floats": lambda images: images,
    "flat": lambda images: images.reshape(-1, 784),
    "bytes": lambda images: ((images + 1) * 127.5).byte(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_grids_side_by_side(gallery, form):
    show_grids([("before", form(digits(6))), ("after", form(digits(1)))], "Two grids.", nrow=3)
    assert [axis.get_title() for axis in gallery.figure.axes] == ["before", "after"]
    assert gallery.alt == "Two grids."
    first, second = drawn_images(gallery.figure)
    assert first.shape[:2] == (2 * 28 + 3, 3 * 28 + 4)  # two rows of three, a line between them
    for index, image in enumerate(digits(6)):
        row, column = divmod(index, 3)
        tile = first[1 + 29 * row : 29 * (row + 1), 1 + 29 * column : 29 * (column + 1)]
        assert np.allclose(tile[..., 0], (image[0] + 1) / 2, atol=1 / 255)
    assert np.allclose(first[0], 0.25)  # the line: dark grey
    assert np.allclose(second[..., 0], (digits(1)[0, 0] + 1) / 2, atol=1 / 255)


def test_five_in_a_row_unless_told_otherwise(gallery):
    show_grids([("a", torch.zeros(6, 3, 4, 4))], "A grid.")
    (image,) = drawn_images(gallery.figure)
    assert image.shape == (2 * 4 + 3, 5 * 4 + 6, 3)


# --- plot_losses -----------------------------------------------------------------------------


def test_both_panels(gallery):
    history = make_history()
    plot_losses(history)
    left, right = gallery.figure.axes

    def drawn(axis, label):
        (line,) = [line for line in axis.lines if line.get_label() == label]
        assert list(line.get_xdata()) == history.step
        return list(line.get_ydata()), line.get_color(), line.get_linestyle()

    assert drawn(left, "loss of D") == (history.d_loss, D_COLOUR, "-")
    assert drawn(left, "loss of G") == (history.g_loss, G_COLOUR, "--")
    assert drawn(right, "D(x), real") == (history.d_real, REAL, "-")
    assert drawn(right, "D(G(z)), fake") == (history.d_fake, FAKE, "--")
    dotted = [
        {
            line.get_ydata()[0]: line.get_color()
            for line in axis.lines
            if line.get_linestyle() == ":"
        }
        for axis in (left, right)
    ]
    assert dotted == [{2 * math.log(2): D_COLOUR, math.log(2): G_COLOUR}, {0.5: "grey"}]
    assert right.get_ylim() == (0, 1)
    for axis in (left, right):
        assert axis.get_legend() is not None and axis.get_xlabel() == "step" and axis.get_title()


def test_the_curves_in_words(gallery):
    plot_losses(make_history(4))
    assert gallery.alt == (
        "Curves over 4 steps. At the end the loss of D is 0.25, the loss of G 4.50, "
        "D(x) 0.90 and D(G(z)) 0.10."
    )


def dotted(axis) -> list[tuple[float, str]]:
    """The heights and colours of the level lines, in the order in which they were drawn."""
    lines = [line for line in axis.lines if line.get_linestyle() == ":"]
    assert all(len(set(line.get_ydata())) == 1 for line in lines)
    return [(line.get_ydata()[0], line.get_color()) for line in lines]


@pytest.mark.parametrize("draw", [(0.25, 0.125), [1, 0], (-2.5, 7.0)])
def test_the_losses_of_a_draw_can_be_others(gallery, draw):
    plot_losses(make_history(), draw=draw)
    left, right = gallery.figure.axes
    assert dotted(left) == [(draw[0], D_COLOUR), (draw[1], G_COLOUR)]
    assert dotted(right) == [(0.5, "grey")]  # scores of least squares have their middle there too


def test_the_draw_of_the_cross_entropy_unless_told_otherwise(gallery):
    left, right = Figure().subplots(1, 2)
    draw_losses(left, right, make_history())
    (d_draw, d_colour), (g_draw, g_colour) = dotted(left)
    assert (d_draw, g_draw) == pytest.approx((1.3862943611, 0.6931471806))
    assert (d_colour, g_colour) == (D_COLOUR, G_COLOUR)
    assert left.get_legend() is not None and not gallery.shown  # drawn, shown by nobody


LIMITS = {
    "inside": ([0.2, 0.9], [0.1, 0.4], (0, 1)),
    "at the ends": ([1.0, 1.0], [0.0, 0.0], (0, 1)),
    "above": ([0.5, 1.75], [0.1, 0.2], (0, 1.75)),
    "below": ([0.5, 0.6], [0.1, -0.5], (-0.5, 1)),
    "the other way round": ([-0.25, 0.5], [0.1, 3.0], (-0.25, 3.0)),
}


@pytest.mark.parametrize("d_real, d_fake, expected", LIMITS.values(), ids=LIMITS)
def test_beliefs_are_drawn_from_0_to_1_and_scores_as_far_as_they_go(
    gallery, d_real, d_fake, expected
):
    plot_losses(make_history(2, d_real=d_real, d_fake=d_fake))
    assert gallery.figure.axes[1].get_ylim() == pytest.approx(expected)


@steady
@given(st.lists(st.tuples(*2 * [st.floats(-50, 50)]), min_size=1, max_size=6))
def test_no_score_falls_out_of_the_picture(pairs):
    left, right = Figure().subplots(1, 2)
    d_real, d_fake = map(list, zip(*pairs))
    draw_losses(left, right, make_history(len(pairs), d_real=d_real, d_fake=d_fake))
    low, high = right.get_ylim()
    assert low <= min(0, *d_real, *d_fake) and high >= max(1, *d_real, *d_fake)
    inside = all(0 <= value <= 1 for value in (*d_real, *d_fake))
    assert ((low, high) == (0, 1)) == inside


@pytest.mark.parametrize("where", [0, 2, 4])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_run_that_broke_down_can_be_drawn(gallery, where, value):
    """A loop of one's own may log what is not finite; the rest is still worth a look."""
    d_real = [0.5, 0.6, 0.7, 0.8, 0.9]
    d_real[where] = value
    plot_losses(make_history(5, d_real=d_real))
    assert gallery.figure.axes[1].get_ylim() == (0, 1)


def test_a_history_without_a_step_can_be_drawn_on_axes_of_your_own():
    """The live dashboard draws before the first step."""
    left, right = Figure().subplots(1, 2)
    draw_losses(left, right, make_history(0))
    assert right.get_ylim() == (0, 1)


# --- show_plane ------------------------------------------------------------------------------


def test_the_plane_lies_the_right_way_round(gallery):
    show_plane(RIGHT_HALF, REAL_POINTS, FAKE_POINTS, "The plane", reach=2.0)
    axis = gallery.figure.axes[0]
    (shade,) = axis.images
    belief = np.asarray(shade.get_array())
    line = np.linspace(-2, 2, 80)
    expected = (line[None, :] > 0) & (line[:, None] > -1)  # rows are y, columns x
    assert np.array_equal(belief, expected)
    assert shade.origin == "lower" and tuple(shade.get_extent()) == (-2, 2, -2, 2)
    assert shade.get_clim() == (0, 1) and shade.get_cmap().name == "gray"
    assert axis.get_xlim() == axis.get_ylim() == (-2, 2)
    assert axis.get_title() == "The plane"


def test_the_points_have_their_kinds_colours(gallery):
    show_plane(RIGHT_HALF, REAL_POINTS, FAKE_POINTS.requires_grad_(), "The plane")
    real, fake = gallery.figure.axes[0].collections
    for points, drawn, colour, label in (
        (REAL_POINTS, real, REAL, "real"),
        (FAKE_POINTS, fake, FAKE, "generated"),
    ):
        assert np.allclose(drawn.get_offsets(), points.detach())
        assert np.allclose(drawn.get_facecolor()[0][:3], to_rgb(colour))
        assert drawn.get_label() == label
    assert gallery.figure.axes[0].get_xlim() == (-3, 3)
    assert gallery.alt == (
        "The plane: 3 real points (circles) and 2 generated ones (crosses) "
        "over D's probability of being real."
    )
    show_plane(RIGHT_HALF, REAL_POINTS, FAKE_POINTS, "The plane", alt="Mine.")
    assert gallery.alt == "Mine."


def test_the_plane_follows_the_points_precision_and_leaves_no_gradient(gallery):
    D = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid()).double()
    show_plane(D, REAL_POINTS.double(), FAKE_POINTS.double(), "In float64")
    assert all(p.grad is None for p in D.parameters())


@pytest.mark.parametrize(
    "function, arguments",
    [
        (show_images, "images, nrow=None, titles=None, alt=None, kind=None"),
        (show_grids, "grids, alt, nrow=5, kind=None"),
        (plot_losses, f"history, draw={CROSS_ENTROPY_DRAW}"),
        (show_plane, "discriminator, real, fake, title, alt=None, reach=3.0"),
        (show_figure, "figure, alt"),
    ],
)
def test_the_familiar_arguments_in_the_familiar_order(function, arguments):
    assert read_arguments(function) == arguments


# --- bad input -------------------------------------------------------------------------------


def complaints_about_images():
    good = digits()
    kinds = [
        ("list", [0.0], TypeError, "list"),
        ("array", good.numpy(), TypeError, "ndarray"),
        ("None", None, TypeError, "None"),
        ("whole numbers", good.long(), TypeError, "torch.int64"),
        ("bool", good.bool(), TypeError, "torch.bool"),
        ("rank 3", good[0], ValueError, "(1, 28, 28)"),
        ("rank 2", torch.zeros(4, 783), ValueError, "(4, 783)"),
        ("rank 5", good[None], ValueError, "(1, 4, 1, 28, 28)"),
        ("two channels", torch.zeros(4, 2, 8, 8), ValueError, "(4, 2, 8, 8)"),
        ("channels last", torch.zeros(4, 8, 8, 3), ValueError, "(4, 8, 8, 3)"),
        ("empty", good[:0], ValueError, "(0, 1, 28, 28)"),
        ("NaN", good * math.nan, ValueError, "NaN"),
        ("infinity", good / 0, ValueError, "infinity"),
        ("[0, 255]", (good + 1) * 127.5, ValueError, "0 to 255; it looks like [0, 255]"),
        ("[-2, 2]", good * 2, ValueError, "from -2 to 2"),
    ]
    for what, value, error, got in kinds:
        yield f"show_images: {what}", lambda v=value: show_images(v), error, "images", got
        grids = [("fine", good), ("bad", value)]
        yield f"show_grids: {what}", lambda g=grids: show_grids(g, "x"), error, "images", got


def complaints_about_points():
    kinds = [
        ("list", [[0.0, 1.0]], TypeError, "list"),
        ("whole numbers", REAL_POINTS.long(), TypeError, "torch.int64"),
        ("rank 1", REAL_POINTS[0], ValueError, "(2,)"),
        ("in space", torch.zeros(3, 3), ValueError, "(3, 3)"),
        ("NaN", REAL_POINTS * math.nan, ValueError, "NaN"),
    ]
    for what, value, error, got in kinds:
        yield f"real: {what}", lambda v=value: plane(real=v), error, "real", got
        yield f"fake: {what}", lambda v=value: plane(fake=v), error, "fake", got


def plane(discriminator=RIGHT_HALF, real=REAL_POINTS, fake=FAKE_POINTS, title="t", **options):
    show_plane(discriminator, real, fake, title, **options)


class Says(nn.Module):
    """A discriminator that answers `value` for every point, `width` times."""

    def __init__(self, value: float, width: int = 1) -> None:
        super().__init__()
        self.value, self.width = value, width

    def forward(self, points: Tensor) -> Tensor:
        return torch.full((len(points), self.width), self.value)


@bad_inputs(
    *complaints_about_images(),
    *complaints_about_points(),
    ("nrow: zero", lambda: show_images(digits(), nrow=0), ValueError, "nrow", "0"),
    ("nrow: negative", lambda: show_images(digits(), nrow=-1), ValueError, "nrow", "-1"),
    ("nrow: float", lambda: show_images(digits(), nrow=2.0), TypeError, "nrow", "float: 2.0"),
    ("nrow: text", lambda: show_images(digits(), nrow="2"), TypeError, "nrow", "'2'"),
    ("titles: too few", lambda: show_images(digits(), titles=["1"]), ValueError, "titles", "1"),
    ("titles: number", lambda: show_images(digits(), titles=5), TypeError, "titles", "int"),
    ("alt: blank", lambda: show_images(digits(), alt=" "), ValueError, "alt", "' '"),
    ("alt: number", lambda: show_images(digits(), alt=5), ValueError, "alt", "5"),
    ("kind: other", lambda: show_images(digits(), kind="true"), ValueError, "kind", "'true'"),
    ("kind: list", lambda: show_images(digits(), kind=["real"]), ValueError, "kind", "['real']"),
    ("grids: none", lambda: show_grids([], "x"), ValueError, "grids", "none"),
    ("grids: images", lambda: show_grids(digits(), "x"), TypeError, "grids", "Tensor"),
    ("grids: no pairs", lambda: show_grids([digits()], "x"), TypeError, "grids", "list"),
    ("grids: alt", lambda: show_grids([("a", digits())], ""), ValueError, "alt", "''"),
    (
        "grids: nrow",
        lambda: show_grids([("a", digits())], "x", nrow=0),
        ValueError,
        "nrow",
        "0",
    ),
    ("history: None", lambda: plot_losses(None), TypeError, "history", "NoneType"),
    ("history: list", lambda: plot_losses([1.0]), TypeError, "history", "list"),
    ("history: empty", lambda: plot_losses(make_history(0)), ValueError, "history", "none"),
    (
        "history: lengths",
        lambda: plot_losses(make_history(5, g_loss=[1.0])),
        ValueError,
        "history",
        "5, 5, 1, 5, 5",
    ),
    (
        "history: no list",
        lambda: plot_losses(make_history(5, d_fake=0.5)),
        TypeError,
        "history",
        "d_fake",
    ),
    ("draw: number", lambda: plot_losses(make_history(), 0.25), TypeError, "draw", "0.25"),
    ("draw: None", lambda: plot_losses(make_history(), None), TypeError, "draw", "None"),
    ("draw: one", lambda: plot_losses(make_history(), (0.25,)), TypeError, "draw", "(0.25,)"),
    ("draw: three", lambda: plot_losses(make_history(), (1, 2, 3)), TypeError, "draw", "(1, 2, 3)"),
    ("draw: text", lambda: plot_losses(make_history(), ("a", 1)), TypeError, "draw", "'a'"),
    ("draw: word", lambda: plot_losses(make_history(), "ls"), TypeError, "draw", "'ls'"),
    ("draw: bool", lambda: plot_losses(make_history(), (1, True)), TypeError, "draw", "True"),
    ("draw: NaN", lambda: plot_losses(make_history(), (1, math.nan)), ValueError, "draw", "nan"),
    (
        "draw: infinite",
        lambda: plot_losses(make_history(), (math.inf, 1)),
        ValueError,
        "draw",
        "inf",
    ),
    ("D: function", lambda: plane(lambda x: x), TypeError, "discriminator", "function"),
    ("D: class", lambda: plane(RightHalf), TypeError, "discriminator", "the class RightHalf"),
    ("D: logits", lambda: plane(Says(3.0)), ValueError, "discriminator", "3 to 3"),
    ("D: negative", lambda: plane(Says(-0.5)), ValueError, "discriminator", "-0.5 to -0.5"),
    ("D: NaN", lambda: plane(Says(math.nan)), ValueError, "discriminator", "nan"),
    ("D: two answers", lambda: plane(Says(0.5, 2)), ValueError, "discriminator", "(6400, 2)"),
    ("reach: zero", lambda: plane(reach=0), ValueError, "reach", "0"),
    ("reach: negative", lambda: plane(reach=-3.0), ValueError, "reach", "-3.0"),
    ("reach: NaN", lambda: plane(reach=math.nan), ValueError, "reach", "nan"),
    ("reach: text", lambda: plane(reach="far"), TypeError, "reach", "'far'"),
    ("plane: alt", lambda: plane(alt="  "), ValueError, "alt", "'  '"),
    ("figure: pyplot", lambda: show_figure(plt, "x"), TypeError, "figure", "module"),
    ("figure: None", lambda: show_figure(None, "x"), TypeError, "figure", "NoneType"),
    ("figure: no alt", lambda: show_figure(Figure(), ""), ValueError, "alt", "''"),
    ("figure: alt None", lambda: show_figure(Figure(), None), ValueError, "alt", "None"),
)
def test_bad_input(gallery, call, error, name, got):
    assert_complains(call, error, name, got)
    assert gallery.shown == []
