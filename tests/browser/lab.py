"""What a student does in JupyterLab: open a notebook, run it, write an answer, read what comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

RUN_LIMIT = 120.0  # seconds

# In the page: the text before each cell of code, "[3]:", "[*]:" while it waits or runs, "[ ]:".
# A folded cell, such as the course's setup, has none.
PROMPTS = """
[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
    .map(prompt => prompt.textContent).filter(text => text !== '')
"""

# Something ran since `before`, and now nothing does.
IS_DONE = f"""
(before) => {{
    const now = {PROMPTS};
    const status = document.querySelector('#jp-main-statusbar').textContent;
    return status.includes('| Idle') && !now.some(prompt => prompt.includes('*'))
        && now.join() !== before.join();
}}
"""


class Notebook:
    """One notebook, open in `page`."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def prompts(self) -> list[str]:
        """What stands before each cell of code: "[3]:", and "[ ]:" where it did not run."""
        return self.page.evaluate(PROMPTS)

    def run_all(self, limit: float = RUN_LIMIT) -> None:
        """Run > Run All Cells, and wait until all are done (or one has failed)."""
        before = self.prompts()
        self.choose("Run", "Run All Cells")
        self._wait(before, limit)

    def choose(self, menu: str, entry: str) -> None:
        """Click an entry of the menu bar."""
        self.page.locator(".lm-MenuBar-itemLabel").get_by_text(menu, exact=True).click()
        self.page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()

    def cell(self, text: str) -> Locator:
        """The one cell of code that holds this text."""
        return self.page.locator(".jp-CodeCell").filter(
            has=self.page.locator(".cm-content", has_text=text)
        )

    def read(self, cell: Locator) -> str:
        """The cell's code, as it stands in the editor."""
        return "\n".join(cell.locator(".cm-line").all_text_contents())

    def write(self, cell: Locator, text: str) -> None:
        """Click into the cell, select all and put `text` in its place."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(text)
        assert self.read(cell) == text

    def run(self, cell: Locator, limit: float = RUN_LIMIT) -> None:
        """Click into the cell, Shift+Enter, and wait until it is done."""
        before = self.prompts()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        self._wait(before, limit)

    def outputs(self, cell: Locator) -> list[str]:
        """The text of each output below the cell."""
        return cell.locator(".jp-OutputArea-output").all_inner_texts()

    def printed(self) -> list[str]:
        """Every line that the cells have printed."""
        streams = self.page.locator('[data-mime-type="application/vnd.jupyter.stdout"]')
        return "\n".join(streams.all_inner_texts()).splitlines()

    def errors(self) -> list[str]:
        """The traceback of each cell that failed."""
        return self.page.locator(
            '[data-mime-type="application/vnd.jupyter.error"]'
        ).all_inner_texts()

    def _wait(self, before: list[str], limit: float) -> None:
        self.page.wait_for_function(IS_DONE, arg=before, timeout=1000 * limit)


def open_notebook(page: Page, address: str) -> Notebook:
    """Open it as a link does, and wait until its kernel answers."""
    page.goto(address)
    page.locator(".jp-NotebookPanel .jp-Spinner").wait_for(state="detached")
    page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=60_000)
    return Notebook(page)
