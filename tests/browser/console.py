"""The errors that a page logs, but for one that only says that there is no network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page

# Without a network the Colab badge on top of a lesson cannot be loaded. JupyterLab itself, with the
# settings of server.py, logs no error.
ALLOWED = re.compile(
    r"Failed to load resource: net::ERR_\w+ "
    r"\(https://colab\.research\.google\.com/assets/colab-badge\.svg\)"
)


class Console:
    """Collects the errors of one page, from its first moment on."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        page.on("console", self._take)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))

    def _take(self, message: ConsoleMessage) -> None:
        text = f"{message.text} ({message.location.get('url', '')})"
        if message.type == "error" and not ALLOWED.fullmatch(text):
            self.errors.append(text)
