"""The project's own papers agree with each other: requirements, README, Makefile, workflow."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from course_utils.authoring import find_lessons
from course_utils.doctor import OLDEST_PYTHON
from course_utils.recipes import RECIPES
from course_utils.results import load_results
from course_utils.results.report import MARKS, describe_recipes

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
OLDEST = ".".join(map(str, OLDEST_PYTHON))


def requirement_lines(name: str) -> list[str]:
    lines = (ROOT / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("line", requirement_lines("requirements.txt"))
def test_each_requirement_is_a_lower_bound_with_its_lesson(line: str) -> None:
    assert re.fullmatch(r"[a-z][\w.-]* ?>=[\d.]+ +# \d\d: \w.+", line)


@pytest.mark.parametrize(
    "line",
    requirement_lines("requirements-test.txt") + requirement_lines("requirements-browser.txt"),
)
def test_each_test_requirement_is_a_lower_bound_with_its_reason(line: str) -> None:
    assert re.fullmatch(r"[a-z][\w.-]* ?>=[\d.]+ +# [\w`].+", line)


@pytest.mark.parametrize("line", requirement_lines("requirements-colab.txt"))
def test_only_the_mirror_of_colab_is_exact(line: str) -> None:
    assert re.fullmatch(r"[a-z]\w*==\d+\.\d+\.(\d+|\*) +# \w.+", line)


def test_every_place_that_installs_reads_these_files() -> None:
    assert "--requirement requirements-browser.txt" in MAKEFILE
    assert "--constraint requirements-colab.txt" in MAKEFILE


def test_what_the_course_was_asked_to_stand_on_is_required() -> None:
    names = {re.match(r"[\w.-]+", line)[0] for line in requirement_lines("requirements.txt")}
    asked = {"torch", "torchvision", "jupyterlab", "matplotlib", "torchsummary", "tqdm"}
    assert asked | {"ipywidgets"} <= names
    tools = {re.match(r"[\w.-]+", line)[0] for line in requirement_lines("requirements-test.txt")}
    assert "nbval" in tools
    assert not names & tools


def test_pyproject_takes_its_lists_from_the_requirement_files() -> None:
    assert set(PYPROJECT["project"]["dynamic"]) == {"dependencies", "optional-dependencies"}
    lists = PYPROJECT["tool"]["setuptools"]["dynamic"]
    assert lists["dependencies"] == {"file": ["requirements.txt"]}
    assert lists["optional-dependencies"] == {"test": {"file": ["requirements-test.txt"]}}


def test_conda_builds_the_same_from_requirements() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == PYPROJECT["project"]["name"]
    assert environment["dependencies"] == [
        f"python>={OLDEST}",
        "pip",
        {"pip": ["-r requirements.txt", "-r requirements-test.txt"]},
    ]


def test_one_oldest_python_everywhere() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    job = workflow["jobs"]["test"]
    assert PYPROJECT["project"]["requires-python"] == f">={OLDEST}"
    assert job["strategy"]["matrix"]["python"][0] == OLDEST
    assert PYPROJECT["tool"]["ruff"]["target-version"] == "py" + OLDEST.replace(".", "")
    assert f"Python {OLDEST} or newer" in README


def test_every_package_folder_is_installed() -> None:
    folders = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for file in (ROOT / "course_utils").rglob("__init__.py")
    }
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == folders


def test_workflow_and_ci_call_make() -> None:
    workflow = (ROOT / ".github/workflows/test.yml").read_text()
    assert "run: make test" in workflow
    ci = (ROOT / ".ci/run").read_text().splitlines()
    assert "make test" in ci
    assert ("make test-slow" in ci) == ("\ntest-slow:" in MAKEFILE)


def test_commands_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^(\w[\w-]*):", MAKEFILE, re.MULTILINE))
    papers = README + (ROOT / "CONTRIBUTING.md").read_text()
    asked = set(re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", papers, re.MULTILINE))
    assert {a or b for a, b in asked} <= targets
    assert {"run", "test", "lab"} <= {a or b for a, b in asked}


def test_make_help_names_every_command() -> None:
    targets = re.search(r"^\.PHONY: help (.+)", MAKEFILE, re.MULTILINE)[1].split()
    said = " ".join(re.findall(r'@echo "(.+)"', MAKEFILE))
    assert [name for name in targets if not re.search(rf"[ |]{name} ", f"{said} ")] == []


def test_the_table_of_lessons_lists_those_that_exist() -> None:
    listed = re.findall(r"\(notebooks/(\w+)\.ipynb\)", README)
    assert listed == [lesson.name for lesson in find_lessons(ROOT)]


@pytest.mark.parametrize("paper", ["README.md", "CONTRIBUTING.md"])
def test_local_links_lead_somewhere(paper: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / paper).read_text())
    links = [link for link in links if "NN_" not in link]  # those stand for any lesson
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_pictures_of_the_readme_have_alt_text() -> None:
    assert all(alt.strip() for alt in re.findall(r"!\[([^\]]*)\]", README))


# the generator of the assignment, 1.95 million weights at two bytes each
LARGE = {ROOT / "course_utils" / "weights" / "gan_mlp_logits_G.safetensors": 4_000_000}


def test_no_tracked_file_is_over_3_mb() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    too_large = [f for f in files if f.is_file() and f.stat().st_size > LARGE.get(f, 3_000_000)]
    assert too_large == []


def test_linted_and_formatted() -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_has_a_row_for_every_recipe() -> None:
    begin, end = (README.index(mark) for mark in MARKS)
    assert README[begin:end] == f"{MARKS[0]}\n{describe_recipes(load_results())}\n"
    assert re.findall(r"^\| `(\w+)`", README[begin:end], re.MULTILINE) == list(RECIPES)
