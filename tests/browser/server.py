"""A JupyterLab of the tests' own: fresh settings, a free port, a copy of the notebooks."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parent.parent.parent
ARTEFACTS = ROOT / "runs" / "browser"  # screenshots and figures
START_LIMIT = 60.0  # seconds; it takes about three

# What a test cannot work with: cells outside the view that are in no DOM, and questions at the
# start that need the network. `false` is a text there, as JupyterLab has it.
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


class Server:
    """JupyterLab in a process; `notebooks` is the folder that it shows."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.notebooks = folder, folder / "notebooks"
        self.port, self.token = find_free_port(), secrets.token_hex(16)
        self.restore_notebooks()
        write_settings(folder / "config")
        self.log = (folder / "jupyterlab.log").open("wb")
        self.process = subprocess.Popen(
            self._command(),
            env=self._environment(),
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that its kernels can be ended with it
        )

    def _command(self) -> list[str]:
        options = {
            "ServerApp.root_dir": self.notebooks,
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "LabApp.news_url": None,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "LabApp.extension_manager": "readonly",
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        return [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *words]

    def _environment(self) -> dict[str, str]:
        """The tests' own, where a wrong answer stops nothing and nobody's settings count."""
        environment = {k: v for k, v in os.environ.items() if k != "COURSE_STRICT"}
        folders = ("JUPYTER_CONFIG_DIR", "config"), ("JUPYTER_DATA_DIR", "data")
        folders += ("JUPYTER_RUNTIME_DIR", "runtime"), ("IPYTHONDIR", "ipython")
        folders += (("COURSE_RUNS", "runs"),)
        environment |= {name: str(self.folder / folder) for name, folder in folders}
        environment["JUPYTER_CONFIG_PATH"] = str(ROOT)  # as `make lab` does
        return environment | {"COURSE_PROFILE": "short", "JUPYTER_TOKEN": self.token}

    def restore_notebooks(self) -> None:
        """The course's notebooks as they are, and nothing else."""
        self.notebooks.mkdir(exist_ok=True)
        for file in self.notebooks.iterdir():
            shutil.rmtree(file) if file.is_dir() else file.unlink()
        for file in (ROOT / "notebooks").glob("*.ipynb"):
            shutil.copy(file, self.notebooks)

    def write_notebook(self, name: str, *cells: str) -> None:
        """A notebook of cells of code beside the course's."""
        notebook = new_notebook(cells=[new_code_cell(code.strip()) for code in cells])
        # Named, or JupyterLab asks which kernel it should be.
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, self.notebooks / name)

    def address(self, notebook: str) -> str:
        """Where a browser finds this notebook, in a JupyterLab that remembers no open tabs."""
        return f"http://127.0.0.1:{self.port}/lab/tree/{notebook}?reset&token={self.token}"

    def ask(self, path: str, method: str = "GET") -> Any:
        """The answer of Jupyter's own interface to /api/`path`."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def wait_until_ready(self) -> None:
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.ask("status")
                return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError("JupyterLab did not start:\n" + Path(self.log.name).read_text())

    def end_kernels(self) -> None:
        for session in self.ask("sessions"):
            self.ask(f"sessions/{session['id']}", "DELETE")

    def stop(self) -> None:
        """Asks it to end, and ends it and its kernels if it does not."""
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


def find_free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write_settings(config: Path) -> None:
    for name, values in SETTINGS.items():
        file = config / f"lab/user-settings/@jupyterlab/{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
