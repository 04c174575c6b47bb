"""A generator as one HTML file: what is in it, what cannot be shared, and what stays as it was.

What a browser makes of such a file is tested in `browser/test_shared_page.py`, with the networks
that are built here.
"""

from __future__ import annotations

import base64
import copy
import json
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import assert_complains, bad_inputs, read_arguments, steady
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from course_utils import checkpoints
from course_utils.coordinates import CoordinateGenerator, Coordinates
from course_utils.explorer.generator import FrozenGenerator
from course_utils.explorer.share import TEMPLATE, share
from course_utils.models import Latent, ToImage, ToVector, build_generator, build_strided_generator
from course_utils.pretrained import load_pretrained
from course_utils.settings import fork_random

SHIPPED = ("mlp_logits", "dcgan_strided", "dcgan_rotated", "cppn", "cifar10_better")

pytestmark = pytest.mark.usefixtures("own_randomness")


# --- networks --------------------------------------------------------------------------------


def settle(network: nn.Module) -> nn.Module:
    """Batch norms as training could have left them, each channel another; in eval mode."""
    for layer in network.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.running_mean.normal_(std=0.3)
            layer.running_var.uniform_(0.3, 3)
            if layer.affine:
                nn.init.uniform_(layer.weight, 0.5, 2)
                nn.init.normal_(layer.bias, std=0.3)
    return network.eval()


class Student(nn.Module):
    """As students write one: reshapes in `forward`, and layers that are used more than once."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(5, 24)
        self.norm = nn.BatchNorm1d(24)
        self.relu = nn.ReLU(inplace=True)
        self.same = nn.Conv2d(6, 6, 3, padding=1)
        self.body = nn.Sequential(nn.ConvTranspose2d(6, 4, 4, 2, 1), nn.LeakyReLU(0.2, True))
        self.last = nn.Linear(4 * 16, 784)
        self.tanh = nn.Tanh()
        self.unused = nn.Softplus()

    def forward(self, noise: Tensor) -> Tensor:
        x = self.relu(self.norm(self.project(noise))).view(-1, 6, 2, 2)
        x = self.relu(self.same(self.relu(self.same(x))))
        return self.tanh(self.last(self.body(x).flatten(1)))


class Reshaping(nn.Module):
    """A layer of one's own that does nothing but reshape."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(len(x), 6, 3, 4)


def build_mlp() -> nn.Module:
    return nn.Sequential(
        Latent(5),
        nn.Linear(5, 13),
        nn.LeakyReLU(0.3),
        nn.BatchNorm1d(13, eps=0.1),
        nn.Linear(13, 784, bias=False),
        nn.Tanh(),
        ToImage(),
        ToVector(),
    )


def build_odd() -> nn.Module:
    """Convolutions with an option of each kind that differs between height and width."""
    return nn.Sequential(
        nn.Linear(4, 6 * 3 * 4),
        Reshaping(),
        nn.ConvTranspose2d(6, 5, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2)),
        nn.BatchNorm2d(5, affine=False),
        nn.LeakyReLU(0.1),
        nn.Conv2d(5, 4, (3, 5), stride=(2, 1), padding=(0, 3), bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 9, (2, 1), stride=(1, 2), padding=(2, 1)),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(9, 3, (1, 4), stride=(3, 1), padding=(0, 2), bias=False),
        nn.Tanh(),
    )


def build_sparse() -> nn.Module:
    """Strides wider than the kernels, from a latent as an image of one pixel."""
    return nn.Sequential(
        Latent(7),
        nn.Unflatten(1, (7, 1, 1)),
        nn.ConvTranspose2d(7, 10, 3, bias=False),
        nn.BatchNorm2d(10),
        nn.ReLU(),
        nn.ConvTranspose2d(10, 8, 2, stride=5, output_padding=3),
        nn.LeakyReLU(),
        nn.Conv2d(8, 4, 2, stride=3, padding=1),
        nn.Flatten(),
        nn.BatchNorm1d(4 * 6 * 6),
        nn.Linear(4 * 6 * 6, 3 * 4 * 5),
        nn.Unflatten(1, (3, 20)),
        nn.BatchNorm1d(3),
        nn.Tanh(),
        nn.Unflatten(2, (4, 5)),
    )


def build_points() -> nn.Module:
    """A generator of coordinates, smaller than the course's, at another size."""
    return CoordinateGenerator(
        nn.Linear(3, 5 * 4),
        Coordinates(5, side=9),
        nn.BatchNorm2d(5),
        nn.LeakyReLU(0.2),
        nn.Conv2d(5, 4, 1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 3, 1),
        nn.Tanh(),
    )


SMALL: dict[str, Callable[[], nn.Module]] = {
    "mlp": build_mlp,
    "odd": build_odd,
    "sparse": build_sparse,
    "student": Student,
    "points": build_points,
    "strided": lambda: build_strided_generator(4),
}


def build_random(pick: Callable[[int, int], int]) -> nn.Module:
    """A stack of any layers; `pick(low, high)` chooses a whole number, both ends included."""
    dim, wide, side = pick(1, 6), pick(1, 9), (pick(1, 4), pick(1, 4))
    layers: list[nn.Module] = [
        nn.Linear(dim, wide * side[0] * side[1], bias=bool(pick(0, 1))),
        nn.Unflatten(1, (wide, *side)),
    ]
    for last in [False] * pick(0, 2) + [True]:
        layers += [pick_norm(pick, wide), nn.LeakyReLU(pick(0, 9) / 10)]
        wider = (1, 3)[pick(0, 1)] if last else pick(1, 9)
        layers.append(pick_conv(pick, wide, wider, side))
        with torch.no_grad():
            side = tuple(layers[-1](torch.zeros(1, wide, *side)).shape[2:])
        wide = wider
    return settle(nn.Sequential(*layers, nn.Tanh()))


def pick_norm(pick: Callable[[int, int], int], wide: int) -> nn.Module:
    return nn.BatchNorm2d(wide, affine=bool(pick(0, 1))) if pick(0, 2) else nn.ReLU()


def pick_conv(pick: Callable, wide: int, wider: int, side: tuple[int, ...]) -> nn.Module:
    kernel = pick(1, 4), pick(1, 4)
    stride = pick(1, 3), pick(1, 3)
    bias = bool(pick(0, 1))
    if pick(0, 1):
        extra = pick(0, stride[0] - 1), pick(0, stride[1] - 1)
        padding = tuple(  # something has to be left
            pick(0, max(0, ((n - 1) * s + k + e - 1) // 2))
            for n, s, k, e in zip(side, stride, kernel, extra)
        )
        return nn.ConvTranspose2d(wide, wider, kernel, stride, padding, extra, bias=bias)
    # the kernel has to fit
    padding = tuple(max(0, (k - n + 1) // 2) + pick(0, 2) for n, k in zip(side, kernel))
    return nn.Conv2d(wide, wider, kernel, stride, padding, bias=bias)


def halve(network: nn.Module) -> nn.Module:
    """The same network with the weights that half precision leaves."""
    return copy.deepcopy(network).half().float().eval()


def paint(network: nn.Module, latents: Tensor) -> Tensor:
    """All pixels `(N, everything)` of the network as it is."""
    with torch.no_grad():
        return network(latents).flatten(1)


def draw(dim: int, count: int = 5) -> Tensor:
    """Latents from a seed of their own."""
    return torch.rand(count, dim, generator=torch.Generator().manual_seed(7)) * 2 - 1


# --- reading a file again ----------------------------------------------------------------------


class Page(HTMLParser):
    """A shared file as a browser reads it: tags with attributes, and the text of each."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        self.facts = json.loads(self.find("script", id="facts"))
        blob = base64.b64decode(self.find("script", id="weights"), validate=True)
        self.weights = torch.from_numpy(np.frombuffer(blob, dtype="<f2").astype(np.float32))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_endtag(self, tag):
        self.handle_starttag("", ())  # what follows is no part of it

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data

    def find(self, tag: str, **attributes: str) -> str:
        """The text of the one tag with these attributes."""
        found = [
            text
            for (name, attrs), text in zip(self.tags, self.texts)
            if name == tag and attributes.items() <= attrs.items()
        ]
        assert len(found) == 1
        return found[0]

    def paint(self, latents: Tensor) -> Tensor:
        """What the file's numbers make of latents: pixels `(N, everything)`."""
        left = self.weights

        def take(*shape: int) -> Tensor:
            nonlocal left
            count = math.prod(shape)
            taken, left = left[:count], left[count:]
            return taken.reshape(shape)

        x = latents
        for layer in self.facts["layers"]:
            x = compute(layer, x, take)
        assert len(left) == 0
        return x.flatten(1)


def compute(layer: dict[str, Any], x: Tensor, take: Callable[..., Tensor]) -> Tensor:
    kind = layer["kind"]
    if kind == "reshape":
        return x.reshape(len(x), *layer["shape"])
    if kind == "linear":
        return F.linear(x, take(layer["out"], layer["in"]), take(layer["out"]))
    if kind == "conv":
        weight = take(layer["out"], layer["in"], *layer["kernel"])
        return F.conv2d(x, weight, take(layer["out"]), layer["stride"], layer["padding"])
    if kind == "conv_transpose":
        weight = take(layer["in"], layer["out"], *layer["kernel"])
        options = layer["stride"], layer["padding"], layer["output_padding"]
        return F.conv_transpose2d(x, weight, take(layer["out"]), *options)
    if kind == "coordinates":
        return Coordinates(layer["features"], layer["side"])(x)
    if kind == "batch_norm":
        gamma, beta, mean, variance = (take(layer["channels"]) for _ in range(4))
        return F.batch_norm(x, mean, variance, gamma, beta, eps=layer["eps"])
    if kind == "leaky_relu":
        return F.leaky_relu(x, layer["slope"])
    return {"relu": torch.relu, "tanh": torch.tanh}[kind](x)


def share_page(generator: nn.Module, path: Path, **options: Any) -> Page:
    return Page(share(generator, path, **options))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "a.html"


# --- what is in the file -----------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_the_file_holds_the_network_in_half_precision(path, name):
    G = settle(SMALL[name]())
    page = share_page(G, path)
    latents = draw(page.facts["dim"])
    assert torch.allclose(page.paint(latents), paint(halve(G), latents), atol=1e-5)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_network_is_shared_as_it_is(path, name, capsys):
    G = load_pretrained(name)
    page = share_page(G, path)
    latents = draw(G.noise_size)
    assert torch.allclose(page.paint(latents), paint(G, latents), atol=1e-5)
    assert (page.facts["dim"], page.facts["kind"]) == (G.noise_size, G.noise)
    assert path.stat().st_size <= page.weights.numel() * 2 * 4 / 3 + 100_000
    assert capsys.readouterr().out.endswith("by at most 0\n")  # they come in half precision


@steady
@given(data=st.data())
def test_any_stack_of_layers(tmp_path_factory, data):
    with fork_random(seed=0):
        G = build_random(lambda low, high: data.draw(st.integers(low, high)))
        page = share_page(G, tmp_path_factory.mktemp("stack") / "a.html")
    latents = draw(page.facts["dim"])
    assert torch.allclose(page.paint(latents), paint(halve(G), latents), atol=1e-5)


def test_layers_are_described_in_plain_values(path):
    page = share_page(build_odd(), path)
    assert page.facts["layers"] == [
        {"kind": "linear", "in": 4, "out": 72},
        {"kind": "reshape", "shape": [6, 3, 4]},
        {
            "kind": "conv_transpose",
            "in": 6,
            "out": 5,
            "kernel": [3, 2],
            "stride": [2, 3],
            "padding": [1, 0],
            "output_padding": [1, 2],
        },
        {"kind": "batch_norm", "channels": 5, "eps": 1e-5},
        {"kind": "leaky_relu", "slope": 0.1},
        {
            "kind": "conv",
            "in": 5,
            "out": 4,
            "kernel": [3, 5],
            "stride": [2, 1],
            "padding": [0, 3],
        },
        *page.facts["layers"][6:],
    ]
    kinds = [layer["kind"] for layer in page.facts["layers"][6:]]
    assert kinds == ["batch_norm", "relu", "conv", "relu", "conv_transpose", "tanh"]
    assert page.facts["image"] == list(build_odd()(draw(4)).shape[1:])


def test_tensors_stand_in_order(path):
    G = settle(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 784), nn.Tanh()))
    first, norm = G[0], G[1]
    parts = [first.weight, first.bias, norm.weight, norm.bias, norm.running_mean, norm.running_var]
    expected = torch.cat([part.detach().flatten().half().float() for part in parts])
    assert torch.equal(share_page(G, path).weights[: len(expected)], expected)


@pytest.mark.parametrize(
    "noise, deviation, reach", [("normal", 1, 3), ("uniform", 1 / math.sqrt(3), 1)]
)
def test_sliders_and_the_first_latent(path, noise, deviation, reach):
    G = build_strided_generator(12)
    facts = share_page(G, path, noise=noise, n_sliders=5).facts
    assert (facts["kind"], facts["deviation"], facts["reach"]) == (noise, deviation, reach)
    rows = torch.tensor(facts["directions"])
    assert rows.shape == (5, 12)
    assert torch.allclose(rows @ rows.T, torch.eye(5), atol=1e-3)
    start = FrozenGenerator(G, noise=noise).draw(1, seed=0)[0]
    assert torch.allclose(torch.tensor(facts["start"]), start, atol=1e-4)
    numbers = [*facts["start"], *facts["directions"][0]]
    assert all(number == round(number, 4) for number in numbers)


@pytest.mark.parametrize("wanted, dim, shown", [(8, 12, 8), (8, 3, 3), (1, 5, 1), (20, 20, 20)])
def test_no_more_sliders_than_coordinates(path, wanted, dim, shown):
    facts = share_page(build_strided_generator(dim), path, n_sliders=wanted).facts
    assert len(facts["directions"]) == shown


def test_a_network_of_unknown_input_is_told_its_size(path):
    class Own(nn.Sequential):
        def forward(self, noise: Tensor) -> Tensor:
            return super().forward(noise.reshape(-1, 3, 2, 2))

    G = Own(nn.ConvTranspose2d(3, 1, 2, 2), nn.Tanh())
    page = share_page(G, path, noise_dim=12)
    assert page.facts["layers"][0] == {"kind": "reshape", "shape": [3, 2, 2]}
    assert torch.allclose(page.paint(draw(12)), paint(halve(G), draw(12)), atol=1e-5)


# --- the page around it ------------------------------------------------------------------------


TITLES = [
    "Digits by Ada",
    "</script><script>alert(1)</script>",
    "\"quotes' & <b>tags</b>",
    "{{WEIGHTS}} {{FACTS}} \\1 ${title}",
    "Schöne Zahlen",
]


@pytest.mark.parametrize("title", TITLES)
def test_a_title_is_text_whatever_is_in_it(path, title):
    page = share_page(build_mlp(), path, title=title)
    assert page.find("title") == title
    assert page.find("h1") == title
    assert [tag for tag, _ in page.tags].count("script") == 3


def test_the_page_tells_what_it_is(path):
    page = share_page(build_generator(4), path)
    assert page.find("h1") == page.find("title") == "A GAN in a file"
    assert "a neural network of 1,858,320 numbers" in " ".join(page.texts)
    assert ("html", {"lang": "en"}) in page.tags
    assert "{{" not in re.sub(r"<script>.*?</script>", "", path.read_text(), flags=re.DOTALL)


def test_the_page_asks_for_nothing(path):
    page = share_page(build_mlp(), path)
    links = [v for _, attrs in page.tags for k, v in attrs.items() if k in ("src", "href")]
    assert links == ["data:,"]
    policy = next(attrs["content"] for _, attrs in page.tags if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none';") and "connect-src" not in policy
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttp", TEMPLATE.read_text())


def test_the_page_around_the_weights_is_small(path):
    G = build_strided_generator(512)  # long latents take most
    page = share_page(G, path)
    assert path.stat().st_size <= page.weights.numel() * 2 * 4 / 3 + 100_000


# --- what happens to files, and to the generator -----------------------------------------------


def test_one_line_tells_size_and_rounding(path, capsys):
    G = settle(build_mlp())
    assert share(G, str(path)) == path
    line = capsys.readouterr().out
    pattern = r"(.*): (\d+\.\d\d) MB; half precision .* in \[-1, 1\], by at most (\S+)\n"
    where, size, change = re.fullmatch(pattern, line).groups()
    assert where == str(path)
    assert float(size) == pytest.approx(path.stat().st_size / 1e6, abs=0.006)
    latents = FrozenGenerator(G).draw(64, seed=1)
    expected = (paint(halve(G), latents) - paint(G, latents)).abs().max().item()
    assert 0 < expected < 0.01
    assert float(change) == pytest.approx(expected, rel=0.06)


def test_the_name_if_none_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert share(build_mlp()) == Path("my_gan.html")
    assert Path("my_gan.html").is_file()


def test_the_same_generator_gives_the_same_file(path, tmp_path):
    share(build_generator(4), path)
    path.write_text("an older file")
    G = build_strided_generator(4)
    share(G, path)
    assert path.read_bytes() == share(G, tmp_path / "b.HTML").read_bytes()


def test_a_file_is_replaced_whole_or_not_at_all(path, monkeypatch, capsys):
    path.write_text("an older file")

    def fail(*names: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        share(build_mlp(), path)
    assert path.read_text() == "an older file"
    assert list(path.parent.iterdir()) == [path]
    assert capsys.readouterr().out == ""


def test_the_generator_stays_as_it_was(path):
    G = settle(build_odd()).train()
    G[0].eval()
    G[-2].weight.requires_grad_(False)
    G[0].weight.grad = torch.ones_like(G[0].weight)
    modes = [module.training for module in G.modules()]
    wants = [weights.requires_grad for weights in G.parameters()]
    state = copy.deepcopy(G.state_dict())
    before = torch.get_rng_state()
    share(G, path)
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in G.modules()] == modes
    assert [weights.requires_grad for weights in G.parameters()] == wants
    assert all(torch.equal(value, state[key]) for key, value in G.state_dict().items())
    assert torch.equal(G[0].weight.grad, torch.ones_like(G[0].weight))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in G.modules())


def test_a_generator_in_training_is_shared_as_in_eval_mode(path):
    G = settle(nn.Sequential(build_odd(), nn.Dropout(0.5)))
    page = share_page(G.train(), path)
    assert torch.allclose(page.paint(draw(4)), paint(halve(G), draw(4)), atol=1e-5)


def test_spectral_norm_is_shared_as_the_weights_that_it_makes(path):
    G = nn.Sequential(spectral_norm(nn.Linear(4, 784)), nn.Tanh())
    for _ in range(20):
        G(draw(4))
    expected = paint(G.eval(), draw(4))
    page = share_page(G, path)
    assert len(page.facts["layers"]) == 2
    assert torch.allclose(page.paint(draw(4)), expected, atol=1e-3)
    assert hasattr(G[0], "parametrizations")  # only the copy was changed


def test_a_subclass_that_computes_the_same_is_shared(path):
    class Mine(nn.Linear):
        pass

    page = share_page(nn.Sequential(Mine(4, 784), nn.Tanh()), path)
    assert [layer["kind"] for layer in page.facts["layers"]] == ["linear", "tanh"]


# --- what cannot be shared ---------------------------------------------------------------------


class Forward(nn.Module):
    """A few layers, and a way to use them."""

    def __init__(self, use: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.fc, self.last, self.tanh = nn.Linear(4, 16), nn.Linear(16, 16), nn.Tanh()
        self.add = Add()
        self.use = use

    def forward(self, noise: Tensor) -> Tensor:
        return self.use(self, noise).reshape(-1, 1, 4, 4)


class Add(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b


class Scaled(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * super().forward(x)


class Sized(nn.Module):
    """A transposed convolution that is told its size when it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.tanh = nn.ConvTranspose2d(4, 1, 3, stride=2), nn.Tanh()

    def forward(self, noise: Tensor) -> Tensor:
        return self.tanh(self.up(noise.reshape(-1, 4, 1, 1), output_size=(4, 4)))


class Bare(nn.Module):
    """A network without layers."""

    def forward(self, noise: Tensor) -> Tensor:
        return torch.tanh(noise).reshape(-1, 1, 2, 2)


def depend_on_latents(net: Forward, z: Tensor) -> Tensor:
    """Something else with many latents than with the few that layers are followed with."""
    x = net.tanh(net.last(net.fc(z)))
    return x if len(x) < 10 else -x


def add_up(net: Forward, z: Tensor) -> Tensor:
    x = net.fc(z)
    return net.tanh(x + net.last(x))


def build_with(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), layer, nn.Linear(16, 784), nn.Tanh())


def build_conv(kind: type[nn.Module] = nn.Conv2d, **options: Any) -> nn.Module:
    conv = kind(3, 3, 3, **options)
    return nn.Sequential(nn.Linear(4, 3), nn.Unflatten(1, (3, 1, 1)), conv, nn.Tanh())


def build_rows() -> nn.Module:
    """A linear layer along the last of three dimensions."""
    first, last = nn.Unflatten(1, (2, 2)), nn.Unflatten(1, (1, 2))
    return nn.Sequential(first, nn.Linear(2, 3), nn.Tanh(), last)


def fill(layer: nn.Module, name: str, value: float) -> nn.Module:
    with torch.no_grad():
        getattr(layer, name).fill_(value)
    return layer


LAYER = "layers that can be shared (Linear, Conv2d, ConvTranspose2d, BatchNorm1d, BatchNorm2d, "
LAYER += "Coordinates, ReLU, LeakyReLU, Tanh, Unflatten, Flatten), got "
MORE = "a forward that only calls layers and reshapes, got something more between "

CANNOT: dict[str, tuple[Callable[[], nn.Module], str]] = {
    # layers
    "softplus": (lambda: build_with(nn.Softplus()), LAYER + "'1' (Softplus)"),
    "inside": (
        lambda: build_with(nn.Sequential(nn.ReLU(), nn.LayerNorm(16))),
        LAYER + "'1.1' (LayerNorm)",
    ),
    "changed": (lambda: nn.Sequential(Scaled(4, 784), nn.Tanh()), LAYER + "'0' (Scaled)"),
    "itself": (Bare, LAYER + "'itself' (Bare)"),
    # options
    "dilation": (
        lambda: build_conv(padding=2, dilation=2),
        "dilation=(1, 1) in what is shared, got (2, 2) in '2' (Conv2d)",
    ),
    "transposed dilation": (
        lambda: build_conv(nn.ConvTranspose2d, dilation=(1, 2)),
        "dilation=(1, 1) in what is shared, got (1, 2) in '2' (ConvTranspose2d)",
    ),
    "groups": (
        lambda: build_conv(padding=1, groups=3),
        "groups=1 in what is shared, got 3 in '2' (Conv2d)",
    ),
    "padding mode": (
        lambda: build_conv(padding=1, padding_mode="replicate"),
        "padding_mode='zeros' in what is shared, got 'replicate' in '2' (Conv2d)",
    ),
    "padding in words": (
        lambda: build_conv(padding="same"),
        "padding in numbers, got 'same' in '2' (Conv2d)",
    ),
    "no statistics": (
        lambda: build_with(nn.BatchNorm1d(16, track_running_stats=False)),
        "track_running_stats=True in what is shared, got False in '1' (BatchNorm1d)",
    ),
    "rows": (build_rows, "2 dimensions before '1' (Linear), got (3, 2, 2)"),
    "output size": (Sized, "called with one tensor, got 2 values for 'up' (ConvTranspose2d)"),
    # weights
    "huge": (
        lambda: nn.Sequential(nn.Sequential(fill(nn.Linear(4, 784), "weight", -7e4)), nn.Tanh()),
        "up to 65,504, which half precision can hold; got -7e+04 in '0.0' (Linear)",
    ),
    "huge variance": (
        lambda: build_with(fill(nn.BatchNorm1d(16), "running_var", 1e5)),
        "up to 65,504, which half precision can hold; got 1e+05 in '1' (BatchNorm1d)",
    ),
    # what forward does
    "function": (
        lambda: Forward(lambda net, z: net.tanh(net.last(F.relu(net.fc(z))))),
        MORE + "'fc' (Linear) and 'last' (Linear);",
    ),
    "in place": (
        lambda: Forward(lambda net, z: net.tanh(net.last(net.fc(z).relu_()))),
        MORE + "'fc' (Linear) and 'last' (Linear);",
    ),
    "skip": (
        lambda: Forward(lambda net, z: net.tanh(net.fc(z) + net.last(net.fc(z)))),
        MORE + "'fc' (Linear) and 'fc' (Linear);",
    ),
    "sum": (
        lambda: Forward(add_up),
        MORE + "'last' (Linear) and 'tanh' (Tanh);",
    ),
    "sum as a layer": (
        lambda: Forward(lambda net, z: net.tanh(net.add(net.fc(z), 1.0))),
        "called with one tensor, got 2 values for 'add' (Add)",
    ),
    "turned": (
        lambda: Forward(lambda net, z: net.tanh(net.fc(z)).view(-1, 4, 4).transpose(1, 2)),
        MORE + "'tanh' (Tanh) and the images;",
    ),
    "across the batch": (
        lambda: Forward(lambda net, z: net.tanh(net.last(net.fc(z).flip(0)))),
        MORE + "'fc' (Linear) and 'last' (Linear);",
    ),
    "the latents": (
        lambda: Forward(lambda net, z: net.tanh(net.last(net.fc(2 * z)))),
        MORE + "the latents and 'fc' (Linear);",
    ),
    "the images": (
        lambda: Forward(lambda net, z: 0.5 * net.tanh(net.last(net.fc(z)))),
        MORE + "'tanh' (Tanh) and the images;",
    ),
    "it depends": (lambda: Forward(depend_on_latents), "the same with all latents, got one that"),
}


@pytest.mark.parametrize("build, words", CANNOT.values(), ids=CANNOT)
def test_what_cannot_be_shared(path, capsys, build, words):
    with pytest.raises(ValueError) as caught:
        share(build(), path, 4)
    message = str(caught.value)
    assert message.startswith("generator: expected ") and "got " in message
    assert words in message
    assert list(path.parent.iterdir()) == [] and capsys.readouterr().out == ""


def but(**options: Any) -> Callable[[], None]:
    """Everything right but for these arguments."""
    arguments = {"path": "a.html"} | options
    return lambda: share(build_mlp(), **arguments)


@bad_inputs(
    ("generator: None", lambda: share(None), TypeError, "generator", "None"),
    ("generator: class", lambda: share(Student), TypeError, "generator", "Student"),
    ("path: number", but(path=5), TypeError, "path", "int"),
    ("path: ending", but(path="a.htm"), ValueError, "path", "'a.htm'"),
    ("path: empty", but(path=""), ValueError, "path", "'.'"),
    ("path: no folder", but(path="no/a.html"), ValueError, "path", "'no'"),
    ("noise_dim: zero", but(noise_dim=0), ValueError, "noise_dim", "0"),
    ("noise_dim: another", but(noise_dim=3), ValueError, "generator", "(2, 3)"),
    ("noise: another", but(noise="white"), ValueError, "noise", "'white'"),
    ("title: number", but(title=5), TypeError, "title", "int"),
    ("title: empty", but(title=" "), ValueError, "title", "' '"),
    ("n_sliders: zero", but(n_sliders=0), ValueError, "n_sliders", "0"),
    ("n_sliders: half", but(n_sliders=1.5), TypeError, "n_sliders", "1.5"),
)
def test_bad_input(tmp_path, monkeypatch, call, error, name, got):
    monkeypatch.chdir(tmp_path)
    assert_complains(call, error, name, got)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_that_name(path):
    path.mkdir()
    assert_complains(but(path=path), ValueError, "path", "a.html")


def test_the_arguments():
    assert read_arguments(share) == (
        "generator, path='my_gan.html', noise_dim=None, *, noise=None, classes=None, title=None, "
        "n_sliders=8"
    )
