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
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)) and layer.track_running_stats:
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


class Own(nn.Module):
    """A generator that a student wrote: layers by name, and a `forward` with anything in it."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.start, self.tanh = nn.Linear(4, 6 * 3 * 4), nn.Tanh()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.const = nn.Parameter(torch.randn(1, 6, 3, 4))
        self.ask = forward

    def forward(self, noise: Tensor) -> Tensor:
        x = self.ask(self, self.start(noise).view(-1, 6, 3, 4))
        return self.tanh(x if x.shape[1] == 3 else x[:, :3])


def through(layer: nn.Module) -> Callable[[], nn.Module]:
    """A generator with this layer in its middle."""
    return lambda: Own(lambda net, x: net.middle(x), middle=layer)


def by(forward: Callable[[Any, Tensor], Tensor], **layers: nn.Module) -> Callable[[], nn.Module]:
    return lambda: Own(forward, **layers)


def modulate(net: Any, x: Tensor) -> Tensor:
    """As in StyleGAN's instance normalisation, written by hand."""
    scale, shift = net.style(x.mean(dim=(2, 3))).chunk(2, dim=1)
    return net.norm(x) * (1 + scale[:, :, None, None]) + shift[:, :, None, None]


KINDS: dict[str, Callable[[], nn.Module]] = {
    **{
        type(layer).__name__ + str(number): through(layer)
        for number, layer in enumerate(
            [
                *(nn.SiLU(), nn.Sigmoid(), nn.Softplus(2.0, 3.0), nn.GELU(), nn.GELU("tanh")),
                *(nn.ELU(0.7), nn.SELU(), nn.CELU(0.8), nn.Hardtanh(-0.5, 0.4), nn.Mish()),
                *(nn.Hardswish(), nn.Hardsigmoid(), nn.ReLU6(), nn.Softsign(), nn.Identity()),
                *(nn.ReLU(inplace=True), nn.SiLU(inplace=True), nn.Dropout2d(0.5)),
                nn.Upsample(scale_factor=2),
                nn.Upsample(size=(7, 5)),
                nn.Upsample(scale_factor=2, mode="bilinear"),
                nn.Upsample(scale_factor=3, mode="bilinear", align_corners=True),
                nn.Upsample(scale_factor=2, mode="bicubic"),
                nn.Sequential(nn.Conv2d(6, 12, 3, padding=1), nn.PixelShuffle(2)),
                nn.InstanceNorm2d(6),
                nn.InstanceNorm2d(6, affine=True, track_running_stats=True),
                *(nn.GroupNorm(3, 6), nn.LayerNorm([6, 3, 4]), nn.LayerNorm(4)),
                nn.Conv2d(6, 6, 3, padding=2, dilation=2),
                nn.Conv2d(6, 9, 3, padding="same", groups=3),
                nn.ConvTranspose2d(6, 6, 3, 2, 1, 1, groups=2, dilation=(1, 2)),
                *(nn.Conv2d(6, 3, 3, padding=1, padding_mode=m) for m in ("reflect", "replicate")),
                *(nn.ReflectionPad2d(1), nn.ReplicationPad2d((1, 2, 0, 1)), nn.ZeroPad2d(2)),
                *(nn.AvgPool2d(2, 1), nn.AdaptiveAvgPool2d((2, 3))),
                *(nn.Softmax(dim=3), nn.PReLU(6)),
                nn.Linear(4, 5),
            ]
        )
    },
    "skip": by(lambda net, x: x + net.conv(F.relu(x)), conv=nn.Conv2d(6, 6, 3, padding=1)),
    "joined": by(lambda net, x: torch.cat([net.conv(x), x], 1), conv=nn.Conv2d(6, 2, 1)),
    "gate": by(lambda net, x: x * torch.sigmoid(net.conv(x)), conv=nn.Conv2d(6, 6, 1)),
    "bare parameter": by(lambda net, x: net.const * 0.5 + x / 3 - 0.1),
    "modulated": by(modulate, style=nn.Linear(6, 12), norm=nn.InstanceNorm2d(6)),
    "twice": by(lambda net, x: net.conv(net.conv(x).relu_()), conv=nn.Conv2d(6, 6, 3, padding=1)),
    "functions": by(
        lambda net, x: F.interpolate(F.leaky_relu(x, 0.3), scale_factor=2, mode="nearest")
    ),
    "turned": by(lambda net, x: x.permute(0, 1, 3, 2).flip(2).reshape(-1, 6, 2, 6)),
    "pixel norm": by(lambda net, x: x * (x.pow(2).mean(dim=1, keepdim=True) + 1e-8).rsqrt()),
    "parts": by(lambda net, x: torch.cat([p.abs() for p in x.split(2, dim=1)][::-1], dim=1)),
    "attention": by(
        lambda net, x: (x.flatten(2) @ (x.flatten(2).mT @ x.flatten(2)).softmax(dim=-1)).view_as(x)
    ),
    "noise that is fixed": by(lambda net, x: x + torch.linspace(0, 1, 4) * torch.ones(3, 1)),
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
        self.blob = base64.b64decode(self.find("script", id="weights"), validate=True)

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

    def constants(self) -> dict[int, Tensor]:
        """The constants by number, flat."""
        blob, found = self.blob, {}
        for number, is_half in self.facts["constants"]:
            count, kind = self.facts["sizes"][number], "<f2" if is_half else "<f4"
            taken, blob = np.split(np.frombuffer(blob, np.uint8), [count * (2 if is_half else 4)])
            found[number] = torch.from_numpy(taken.view(kind).astype(np.float32))
        assert len(blob) == 0
        return found

    def paint(self, latents: Tensor) -> Tensor:
        """What the file's numbers make of latents: pixels `(N, everything)`."""
        constants, pictures = self.constants(), []
        for latent in latents:
            values = {0: latent} | constants
            for step in self.facts["steps"]:
                inputs = [values[number].flatten() for number in step["in"]]
                values[step["out"]] = compute(step, inputs)
                assert values[step["out"]].numel() == self.facts["sizes"][step["out"]]
            pictures.append(values[self.facts["output"]].flatten())
        return torch.stack(pictures)


def compute(step: dict[str, Any], inputs: list[Tensor]) -> Tensor:
    """One step, for the operations that networks of layers alone are made of."""
    op, x = step["op"], inputs[0]
    if op == "reshape":
        return x
    if op == "read":
        return x.as_strided(step["size"], step["strides"], step["offset"])
    if op == "product":
        left = x.view(step["times"], step["rows"], step["inner"])
        right = inputs[1].view(step["times"], step["columns"], step["inner"])
        return left @ right.mT
    if op in ("conv", "conv_transpose"):
        image = x.view(1, step["channels"][0], *step["sides"][0])
        options = {key: step[key] for key in ("stride", "padding", "dilation", "groups")}
        first, second = step["channels"] if op == "conv_transpose" else step["channels"][::-1]
        weight = inputs[1].view(first, second // step["groups"], *step["kernel"])
        if op == "conv":
            return F.conv2d(image, weight, **options)
        extra = step["output_padding"]
        return F.conv_transpose2d(image, weight, output_padding=extra, **options)
    if op == "join":
        sides = [part.as_strided(step["size"], s) for part, s in zip(inputs, step["strides"])]
        return {"add": torch.add, "multiply": torch.mul}[step["how"]](*sides)
    how, options = step["how"], step["with_"]
    return {"relu": F.relu, "leaky_relu": F.leaky_relu, "tanh": torch.tanh}[how](x, *options)


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
    assert path.stat().st_size <= len(page.blob) * 4 / 3 + 100_000
    assert len(page.blob) <= 2.2 * sum(part.numel() for part in G.state_dict().values()) + 60_000
    assert capsys.readouterr().out.endswith("half precision changes no pixel\n")  # they come in it


@steady
@given(data=st.data())
def test_any_stack_of_layers(tmp_path_factory, data):
    with fork_random(seed=0):
        G = build_random(lambda low, high: data.draw(st.integers(low, high)))
        page = share_page(G, tmp_path_factory.mktemp("stack") / "a.html")
    latents = draw(page.facts["dim"])
    assert torch.allclose(page.paint(latents), paint(halve(G), latents), atol=1e-5)


def test_steps_are_described_in_plain_values(path):
    page = share_page(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Unflatten(1, (1, 1, 5))), path)
    product, bias, relu, shape = page.facts["steps"]
    sizes = {"times": 1, "rows": 1, "inner": 4, "columns": 5}
    assert product == {"op": "product", "in": [0, 1], "out": 2} | sizes
    joined = {"how": "add", "size": [1, 5], "strides": [[5, 1], [5, 1]]}
    assert bias == {"op": "join", "in": [2, 3], "out": 4} | joined
    assert relu == {"op": "each", "in": [4], "out": 5, "how": "relu", "with_": []}
    assert shape == {"op": "reshape", "in": [5], "out": page.facts["output"]}
    assert page.facts["image"] == [1, 1, 5]
    assert page.facts["constants"] == [[1, 1], [3, 1]]


def test_weights_lie_in_half_precision_and_what_is_computed_of_them_in_full(path):
    G = settle(nn.Sequential(nn.Linear(2, 784), nn.BatchNorm1d(784), nn.Tanh()))
    weight, bias, factor, shift = share_page(G, path).constants().values()
    assert torch.equal(weight, G[0].weight.detach().half().float().flatten())
    assert torch.equal(bias, G[0].bias.detach().half().float())
    norm = halve(G)[1]
    expected = norm.weight / (norm.running_var + norm.eps).sqrt()
    assert torch.allclose(factor, expected, rtol=1e-6)
    assert torch.allclose(shift, norm.bias - norm.running_mean * expected, rtol=1e-4, atol=1e-6)


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
    assert path.stat().st_size <= len(page.blob) * 4 / 3 + 100_000


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
    assert [step["op"] for step in page.facts["steps"]][:2] == ["product", "join"]
    assert torch.allclose(page.paint(draw(4)), expected, atol=1e-3)
    assert hasattr(G[0], "parametrizations")  # only the copy was changed


@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_weights_that_a_hook_computes_are_shared_as_they_are(path):
    G = nn.Sequential(torch.nn.utils.weight_norm(nn.Linear(4, 784)), nn.Tanh())
    expected = paint(G, draw(4))  # from now on the weight is no leaf
    assert torch.allclose(share_page(G, path).paint(draw(4)), expected, atol=1e-3)


@pytest.mark.parametrize("name", KINDS)
def test_whatever_a_student_writes_is_shared(path, name):
    """The pictures themselves are compared in a browser, in `browser/test_shared_page.py`."""
    G = settle(KINDS[name]())
    page = share_page(G, path, noise_dim=4)
    assert page.facts["image"] == list(G(torch.zeros(1, 4)).shape[1:])


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


def depend_on_count(net: Forward, z: Tensor) -> Tensor:
    x = net.tanh(net.last(net.fc(z)))
    return x if len(x) < 10 else -x


def depend_on_latents(net: Forward, z: Tensor) -> Tensor:
    x = net.fc(z)
    return net.tanh(net.last(x)) if len(z) > 1 or z[0, 0] > 0 else net.tanh(net.last(x) * 1)


def set_first(x: Tensor) -> Tensor:
    """In place, through a view: what the whole holds then, no step says."""
    y = x * 1
    y[:, 0] = y[:, 1]
    return y


def build_with(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), layer, nn.Linear(16, 784), nn.Tanh())


def fill(layer: nn.Module, name: str, value: float) -> nn.Module:
    with torch.no_grad():
        getattr(layer, name).fill_(value)
    return layer


PAGE = "operations that the page can compute, got "

CANNOT: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "a layer": (through(nn.MaxPool2d(2)), PAGE + "max_pool2d_with_indices in 'middle' (MaxPool2d)"),
    "a function": (
        lambda: Forward(lambda net, z: net.tanh(torch.cumsum(net.fc(z), dim=1))),
        PAGE + "cumsum in 'itself' (Forward), line ",
    ),
    "its line": (
        lambda: Forward(lambda net, z: net.tanh(torch.cumsum(net.fc(z), dim=1))),
        "of test_share.py: lambda: Forward(lambda net, z: net.tanh(torch.cumsum(net.fc(z), dim=1",
    ),
    "computed weights": (
        by(lambda net, x: F.conv2d(x, x.mean() * torch.ones(3, 6, 1, 1))),
        PAGE + "a convolution with weights (3, 6, 1, 1) that the page cannot make",
    ),
    "other numbers": (
        by(lambda net, x: (x > 0).float() + x),
        PAGE + "gt, which gives no float32",
    ),
    "into a part": (by(lambda net, x: set_first(x)), PAGE + "copy_ on memory that is used"),
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
    "across the batch": (
        lambda: Forward(lambda net, z: net.tanh(net.last(net.fc(z).flip(0)))),
        "the same with one latent as with many",
    ),
    "no statistics": (
        through(nn.BatchNorm2d(6, track_running_stats=False)),
        "the same with one latent as with many",
    ),
    "it depends on how many": (lambda: Forward(depend_on_count), "with one latent as with many"),
    "it depends": (lambda: Forward(depend_on_latents), "the same with all latents, got one that"),
    "nothing": (by(lambda net, x: torch.zeros(len(x), 3, 2, 2)), ""),
    "noise of its own": (by(lambda net, x: x + torch.randn(1, 6, 3, 4)), "got one that does not"),
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
