"""Under plain `pytest --nbval-lax` a cell of our own notebooks that prints on stderr fails."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parent.parent
CELLS = [
    # of a library's own code: without `PYTHONWARNINGS` no kernel shows it
    "import warnings\nwarnings.warn_explicit('hm', DeprecationWarning, 'library.py', 1)",
    "import sys\nprint('red', file=sys.stderr)",
    "from tqdm import tqdm\nfor _ in tqdm(range(3), desc='epoch 1 of 1'):\n    pass",
    "print('all is well')",
]


def test_only_progress_bars_may_be_red_and_only_in_our_own_notebooks(tmp_path):
    shutil.copy(ROOT / "conftest.py", tmp_path)
    for folder in ("notebooks", "submissions"):
        (tmp_path / folder).mkdir()
        notebook = new_notebook(cells=list(map(new_code_cell, CELLS)))
        nbformat.write(notebook, tmp_path / folder / "one.ipynb")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax"]
    command += ["--nbval-current-env", "--rootdir", str(tmp_path), str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    failed = re.findall(r"FAILED \S*?(\w+)/one.ipynb::Cell (\d)", said)
    assert failed == [("notebooks", "0"), ("notebooks", "1")], said
    assert "DeprecationWarning: hm" in said
    assert "the cell prints on stderr" in said
