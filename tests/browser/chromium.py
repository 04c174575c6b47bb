"""Which browser the tests drive. As a command it fails where there is none."""

from __future__ import annotations

import os
import shutil
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")

# Without a sandbox, as root may not have one; and nothing that asks the network by itself.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """The path of the browser: `COURSE_CHROMIUM` where it is set, else the first that is found."""
    names = [os.environ["COURSE_CHROMIUM"]] if os.environ.get("COURSE_CHROMIUM") else NAMES
    return next((path for name in names if (path := shutil.which(name))), None)


if __name__ == "__main__":
    sys.exit(0 if find_chromium() else 1)
