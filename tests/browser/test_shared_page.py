"""A shared file in a browser without a network: the same pictures as PyTorch's, and the page."""

from __future__ import annotations

import io
import random
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from test_share import KINDS, SHIPPED, SMALL, build_random, halve, paint, settle
from torch import Tensor, nn

from course_utils.explorer.share import share
from course_utils.models import sample_noise
from course_utils.pretrained import load_pretrained
from course_utils.settings import fork_random

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_randomness")]

CLOSE = 1e-4  # pixels of the browser and of PyTorch with the same weights; 1e-2 would be good

GENERATE = "latents => latents.map(latent => Array.from(gan.generate(latent)))"
PICTURE = """() => {
    const canvas = document.querySelector('canvas');
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return {data: Array.from(data), shape: [canvas.height, canvas.width, 4]};
}"""
WAIT_FOR_FRAME = (
    "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
)
WIDTH = "[document.documentElement.scrollWidth, innerWidth]"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """The shipped generators, shared."""
    folder = tmp_path_factory.mktemp("shared")
    return {name: share(load_pretrained(name), folder / f"{name}.html") for name in SHIPPED}


@pytest.fixture
def send(page, tmp_path) -> Callable[..., Page]:
    """Shares a generator and opens the file."""

    def send(G: nn.Module, **options: Any) -> Page:
        return receive(page, share(G, tmp_path / "sent.html", **options))

    return send


def receive(page: Page, file: Path) -> Page:
    """Opens a file as a friend does who is not online."""
    page.context.set_offline(True)
    page.goto(file.as_uri())
    page.locator("#page").wait_for()
    return page


def ask(page: Page, latents: Tensor) -> Tensor:
    """What the page makes of latents: pixels `(N, everything)`."""
    return torch.tensor(page.evaluate(GENERATE, latents.tolist()))


def read_latent(page: Page) -> Tensor:
    return torch.tensor(page.evaluate("gan.latent()"))


def read_canvas(page: Page) -> np.ndarray:
    """The picture on show, `(H, W, 3)` in [0, 255], after what was asked for is drawn."""
    page.evaluate(WAIT_FOR_FRAME)
    seen = page.evaluate(PICTURE)
    rgba = np.array(seen["data"], dtype=np.uint8).reshape(seen["shape"])
    assert (rgba[..., 3] == 255).all()
    return rgba[..., :3]


def paint_canvas(G: nn.Module, latent: Tensor) -> np.ndarray:
    """The picture that PyTorch makes, in the same form."""
    with torch.no_grad():
        image = G(latent[None]).expand(-1, 3, -1, -1)[0]
    return ((image + 1) * 127.5).round().clamp(0, 255).permute(1, 2, 0).byte().numpy()


def assert_shows(page: Page, G: nn.Module) -> np.ndarray:
    """The canvas holds what PyTorch makes of the page's latent, but for rounding."""
    canvas = read_canvas(page)
    difference = canvas.astype(int) - paint_canvas(G, read_latent(page))
    assert np.abs(difference).max() <= 1
    return canvas


def slider(page: Page, number: int, word: str = "Direction") -> Locator:
    return page.get_by_role("slider", name=f"{word} {number}", exact=True)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


# --- the network -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_pixels_are_those_of_pytorch(page, console, files, name):
    G = load_pretrained(name)
    receive(page, files[name])
    latents = sample_noise(8, G.noise_size, G.noise)
    assert torch.allclose(ask(page, latents), paint(G, latents), atol=CLOSE)
    assert_shows(page, G)
    assert console.errors == []


@pytest.mark.parametrize("name", SMALL)
def test_every_kind_of_layer_and_option(send, console, name):
    G = settle(SMALL[name]())
    page = send(G)
    latents = sample_noise(8, page.evaluate("gan.dim"))
    seen = ask(page, latents)
    assert torch.allclose(seen, paint(halve(G), latents), atol=CLOSE)
    assert torch.allclose(seen, paint(G, latents), atol=1e-2)
    assert console.errors == []


def test_whatever_a_student_writes(send, console):
    """Every kind of operation, and skip connections: pictures as PyTorch draws them."""
    for name, build in KINDS.items():
        with fork_random(seed=0):
            G = settle(build())
        page = send(G, noise_dim=4)
        latents = sample_noise(4, 4)
        assert torch.allclose(ask(page, latents), paint(halve(G), latents), atol=CLOSE), name
    assert console.errors == []


def test_any_stack_of_layers(send, console):
    pick = random.Random(0).randint
    for _ in range(25):
        with fork_random(seed=0):
            G = build_random(pick)
        page = send(G)
        latents = sample_noise(3, page.evaluate("gan.dim"))
        assert torch.allclose(ask(page, latents), paint(halve(G), latents), atol=CLOSE), G
    assert console.errors == []


def test_half_precision_is_read_to_the_last_bit(send):
    """Numbers too small for an exponent of their own, made visible by the next layer."""
    G = nn.Sequential(nn.Linear(1, 1024), nn.Linear(1024, 1024), nn.Unflatten(1, (1, 32, 32)))
    tiny = torch.arange(-512, 512) * 2.0**-24
    with torch.no_grad():
        G[0].weight.copy_(tiny[:, None])
        G[1].weight.copy_(torch.eye(1024) * 2.0**15)
        for layer in G[:2]:
            layer.bias.zero_()
    seen = ask(send(G), torch.tensor([[1.0], [-0.5]]))
    assert torch.equal(seen, torch.stack([tiny, -tiny / 2]) * 2.0**15)


def test_a_latent_of_another_size_is_refused(page, files):
    receive(page, files["dcgan_strided"])
    for call in ("gan.generate([1, 2])", "gan.show()"):
        said = page.evaluate(
            f"() => {{ try {{ {call} }} catch (error) {{ return error.message }} }}"
        )
        assert said == "latent: expected 64 numbers"


@pytest.mark.parametrize("name", ["mlp_logits", "dcgan_strided", "dcgan_rotated"])
def test_a_moved_slider_redraws_at_once(page, files, name):
    receive(page, files[name])
    times = page.evaluate("""() => Array.from({length: 60}, (_, n) => {
        const latent = gan.latent(), began = performance.now();
        latent[n % gan.dim] += 0.1;
        gan.show(latent);
        return performance.now() - began;
    })""")
    assert statistics.median(times) < 50  # milliseconds


# --- the sliders -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_a_key_moves_the_latent_along_one_direction(page, console, files, snap, name):
    G = load_pretrained(name)
    receive(page, files[name])
    before, picture = read_latent(page), assert_shows(page, G)
    said = page.get_by_role("img").get_attribute("aria-label")
    slider(page, 2).focus()
    for key in ("Home", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert not np.array_equal(assert_shows(page, G), picture)
    snap(page, "moved")
    assert page.get_by_role("img").get_attribute("aria-label") != said

    to = float(slider(page, 2).input_value())
    assert page.locator(".value").nth(1).inner_text() == f"{to:.2f}".replace("-", "−")
    facts = page.evaluate("JSON.parse(document.querySelector('#facts').textContent)")
    assert to == pytest.approx(-3 * facts["deviation"] * 0.98, abs=1e-6)
    direction = torch.tensor(facts["directions"][1])
    moved = read_latent(page) - before
    assert torch.allclose(moved, (to - before @ direction) * direction, atol=1e-3)
    assert console.errors == []


def test_single_coordinates(page, console, files):
    G = load_pretrained("mlp_logits")
    receive(page, files["mlp_logits"])
    before = read_latent(page)
    page.get_by_role("radio", name="Coordinates").check()
    assert torch.equal(read_latent(page), before)
    for number in range(1, 9):
        shown = float(slider(page, number, "Coordinate").input_value())
        assert shown == pytest.approx(before[number - 1].item(), abs=0.006)
    slider(page, 3, "Coordinate").press("End")
    before[2] = 1.0  # uniform noise ends there
    assert torch.allclose(read_latent(page), before, atol=1e-6)
    assert_shows(page, G)
    page.get_by_role("radio", name="Directions").check()
    assert torch.allclose(read_latent(page), before, atol=1e-6)
    assert console.errors == []


def test_of_a_burst_of_events_the_last_position_is_drawn_and_no_other(page, files):
    G = load_pretrained("dcgan_strided")
    receive(page, files["dcgan_strided"])
    drawn = page.evaluate("""async () => {
        const [first, second] = document.querySelectorAll('input[type=range]');
        const context = CanvasRenderingContext2D.prototype, put = context.putImageData;
        let drawn = 0;
        context.putImageData = function (...given) { drawn++; return put.apply(this, given); };
        for (let n = 0; n <= 300; n++) {
            for (const [input, value] of [[first, n / 300], [second, -n / 150]]) {
                input.value = value;
                input.dispatchEvent(new Event('input', {bubbles: true}));
            }
        }
        for (let n = 0; n < 5; n++) await new Promise(requestAnimationFrame);
        return drawn;
    }""")
    assert drawn == 1
    latent = read_latent(page)
    rows = page.evaluate("JSON.parse(document.querySelector('#facts').textContent).directions")
    for row, number in zip(torch.tensor(rows[:2]), (1, 2)):
        at = float(slider(page, number).input_value())
        assert (latent @ row).item() == pytest.approx(at, abs=1e-2)
    assert float(slider(page, 2).input_value()) == pytest.approx(-2, abs=0.03)
    assert_shows(page, G)


# --- the buttons -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mlp_logits", "dcgan_strided"])
def test_new_draws_from_the_noise_of_training(page, files, name):
    G = load_pretrained(name)
    receive(page, files[name])
    drawn = torch.tensor(
        page.evaluate("""() => Array.from({length: 60}, () => {
            document.querySelector('#new').click();
            return gan.latent();
        })""")
    )
    spread = {"uniform": 3**-0.5, "normal": 1.0}[G.noise]
    assert drawn.std().item() == pytest.approx(spread, rel=0.05)
    assert abs(drawn.mean().item()) < 0.05
    if G.noise == "uniform":
        assert drawn.abs().max() <= 1
    else:  # as many beyond 2 deviations as there should be
        assert (drawn.abs() > 2).float().mean().item() == pytest.approx(0.0455, abs=0.012)
    assert len(drawn.unique(dim=0)) == 60
    assert_shows(page, G)


def test_reset_goes_back_to_the_last_new_one(page, files):
    G = load_pretrained("dcgan_strided")
    receive(page, files["dcgan_strided"])
    first = read_latent(page)
    slider(page, 1).press("End")
    assert not torch.equal(read_latent(page), first)
    press(page, "Reset")
    assert torch.equal(read_latent(page), first)
    press(page, "New")
    second = read_latent(page)
    assert not torch.equal(second, first)
    slider(page, 1).press("Home")
    press(page, "Reset")
    assert torch.equal(read_latent(page), second)
    assert_shows(page, G)


@pytest.mark.parametrize("name", ["mlp_logits", "dcgan_strided"])
def test_walk_and_stop(page, console, files, name):
    G = load_pretrained(name)
    receive(page, files[name])
    press(page, "Walk")
    seen, sliders = [], []
    for _ in range(24):
        page.wait_for_timeout(100)
        seen.append(read_latent(page))
        sliders.append(slider(page, 1).input_value())
    press(page, "Stop")
    stopped = read_latent(page)
    assert_shows(page, G)
    page.wait_for_timeout(300)
    assert torch.equal(read_latent(page), stopped)

    path = torch.stack(seen)
    assert len(path.unique(dim=0)) > 12 and len(set(sliders)) > 6
    steps = (path[1:] - path[:-1]).norm(dim=1)
    assert steps.max() < 0.5 * (path[0] - path[-1]).norm().clamp(min=path.norm(dim=1).max())
    spread = {"uniform": 3**-0.5, "normal": 1.0}[G.noise]
    # arcs do not cut through the sphere's inside
    assert path.norm(dim=1).min() > 0.75 * spread * G.noise_size**0.5
    assert console.errors == []


def test_a_generator_that_is_told_the_digit_has_a_row_of_them(page, console, tmp_path, snap):
    G = load_pretrained("cgan")
    receive(page, share(G, tmp_path / "cgan.html"))
    first, picture = read_latent(page), assert_shows(page, G)
    assert first[64:].tolist() == [1.0] + [0.0] * 9
    for label in (7, 3):
        page.get_by_role("radio", name=str(label), exact=True).check()
        latent = read_latent(page)
        assert latent[64:].argmax() == label
        assert torch.equal(latent[:64], first[:64])
        assert not np.array_equal(assert_shows(page, G), picture)
        assert f"A generated {label}" in page.get_by_role("img").get_attribute("aria-label")
        snap(page, f"a_{label}")
    press(page, "New")
    drawn = read_latent(page)
    assert not torch.equal(drawn[:64], first[:64])
    assert drawn[64:].tolist() == [float(n == 3) for n in range(10)]
    press(page, "Walk")
    page.wait_for_timeout(500)
    press(page, "Stop")
    assert read_latent(page)[64:].tolist() == drawn[64:].tolist()
    assert_shows(page, G)
    page.evaluate("gan.show(gan.latent().map((v, i) => i < 64 ? v : Number(i === 64 + 9)))")
    assert page.get_by_role("radio", name="9", exact=True).is_checked()
    assert console.errors == []


def test_a_generator_of_coordinates_is_drawn_in_its_own_size(page, console, tmp_path, snap):
    G = load_pretrained("cppn").at(84)
    G.noise_size, G.noise = 64, "normal"
    receive(page, share(G, tmp_path / "large.html"))
    assert_shows(page, G)
    snap(page, "large")
    slider(page, 1).press("End")
    assert_shows(page, G)
    assert console.errors == []


def test_touching_a_slider_ends_the_walk(page, files):
    receive(page, files["dcgan_strided"])
    press(page, "Walk")
    page.wait_for_timeout(200)
    slider(page, 1).press("ArrowRight")
    assert page.locator("#walk").inner_text() == "Walk"
    before = read_latent(page)
    page.wait_for_timeout(200)
    assert torch.equal(read_latent(page), before)


def test_who_asks_for_less_motion_gets_still_pictures(page, files):
    page.emulate_media(reduced_motion="reduce")
    receive(page, files["dcgan_strided"])
    start = read_latent(page)
    press(page, "Walk")
    page.wait_for_timeout(1000)
    assert torch.equal(read_latent(page), start)
    page.wait_for_timeout(1500)
    assert not torch.equal(read_latent(page), start)


@pytest.mark.parametrize("name", ["dcgan_strided", "cifar10_better"])
def test_a_saved_picture_is_enlarged_and_crisp(page, files, name):
    receive(page, files[name])
    with page.expect_download() as download:
        press(page, "Save picture")
    assert download.value.suggested_filename == "generated.png"
    picture = Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))
    scale = picture.width // (28 if name == "dcgan_strided" else 32)
    assert picture.format == "PNG" and 450 < picture.width < 600
    large = read_canvas(page).repeat(scale, axis=0).repeat(scale, axis=1)
    assert np.array_equal(np.asarray(picture.convert("RGB")), large)


# --- the page --------------------------------------------------------------------------------


def test_nothing_is_asked_of_any_network(page, console, files):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    receive(page, files["dcgan_strided"])
    press(page, "New")
    assert [url for url in asked if not url.startswith("data:")] == [page.url]
    assert console.errors == []
    refused = page.evaluate("""() => new Promise(done => {
        document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective));
        fetch('http://127.0.0.1:9/').catch(() => {});
    })""")
    assert refused == "connect-src"


def test_a_title_is_shown_as_written(send, console):
    title = '</script> "Ada\'s" <b>digits</b> & {{WEIGHTS}}'
    page = send(SMALL["mlp"](), title=title)
    assert page.title() == title
    assert page.get_by_role("heading", level=1).inner_text() == title
    assert console.errors == []


def test_every_control_has_a_name_and_a_size_for_fingers(page, files):
    page.set_viewport_size({"width": 360, "height": 740})
    receive(page, files["dcgan_strided"])
    assert page.locator("html").get_attribute("lang") == "en"
    roles = {"slider": 8, "button": 4, "radio": 2}
    for role, count in roles.items():
        controls = page.get_by_role(role).all()
        assert len(controls) == count
        assert all(control.bounding_box()["height"] >= 44 for control in controls)
    assert page.locator("#sliders label").count() == 8
    assert all(label.bounding_box()["height"] >= 44 for label in page.locator("label").all())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width, height", [(320, 640), (360, 740), (800, 700), (1280, 800)])
def test_the_page_fits(page, files, snap, scheme, width, height):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": height})
    receive(page, files["cifar10_better"])
    page.evaluate("gan.show(gan.latent().map(value => -12.5))")  # the widest numbers
    for mode in ("Directions", "Coordinates"):
        page.get_by_role("radio", name=mode).check()
        seen, room = page.evaluate(WIDTH)
        assert seen <= room
        page.evaluate("scrollTo(0, 0)")
        snap(page, mode.lower())
    picture, controls = (page.locator(part).bounding_box() for part in ("canvas", ".panel"))
    if width < 768:
        assert picture["y"] + picture["height"] <= controls["y"]
    else:
        assert picture["x"] + picture["width"] <= controls["x"]
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 28)"
    assert dark == (scheme == "dark")


def test_the_picture_stays_in_sight_and_hides_no_control(page, files, snap):
    page.set_viewport_size({"width": 360, "height": 640})
    receive(page, files["dcgan_strided"])
    for _ in range(6):  # past the buttons, into the sliders
        page.keyboard.press("Tab")
    for key in ["Tab"] * 6 + ["Shift+Tab"] * 11:
        page.keyboard.press(key)
        focused = page.locator(":focus").bounding_box()
        picture = page.locator("canvas").bounding_box()
        assert picture["y"] >= 0
        assert picture["y"] + picture["height"] <= focused["y"]
        assert focused["y"] + focused["height"] <= 640
    snap(page, "focused")


def test_without_scripts_the_page_says_what_it_needs(browser, files, snap):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(files["dcgan_strided"].as_uri())
    snap(page, "no_scripts")
    assert page.locator("noscript p").is_visible()
    assert not page.locator("#wait").is_visible()
    assert not page.get_by_role("button", name="New").is_visible()
    context.close()
