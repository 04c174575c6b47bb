"""A browser, a JupyterLab and a page. Where Playwright or a browser is missing, tests skip."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chromium import ARGUMENTS, find_chromium
from console import Console
from server import ARTEFACTS, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """One JupyterLab for all the tests, since a start takes seconds."""
    server = Server(tmp_path_factory.mktemp("lab"))
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ended after each file: while Playwright is there, other tests can start no event loop."""
    reason = "needs Playwright: pip install --requirement requirements-browser.txt"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    path = find_chromium()
    if path is None:
        pytest.skip("needs a browser: apt-get install chromium, or its path in COURSE_CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, snap) -> Iterator[Page]:
    """A page in a profile of its own. What it shows at the end is kept, failed or not."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    yield page
    snap(page, "end")
    context.close()


@pytest.fixture
def console(page) -> Console:
    """The errors that the page logs: `assert console.errors == []`."""
    return Console(page)


@pytest.fixture
def lab(browser, server) -> Iterator[Server]:
    """JupyterLab with the notebooks as they are, and no kernel from the test before."""
    server.restore_notebooks()
    yield server
    server.end_kernels()


@pytest.fixture
def snap(request) -> Callable[[Page | Locator, str], Path]:
    """`snap(page, "name")` keeps what is seen in runs/browser/, numbered in the test's order."""
    folder = ARTEFACTS / re.sub(r"\W+", "_", request.node.name).strip("_")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()

    def keep(seen: Page | Locator, name: str) -> Path:
        file = folder / f"{len(list(folder.glob('*.png'))) + 1:02d}_{name}.png"
        seen.screenshot(path=file)
        return file

    return keep
