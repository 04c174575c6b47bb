"""The lesson pipeline, on a tiny lesson: both editions, what drifts, and a real run."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_output

from course_utils import authoring
from course_utils.authoring import editions, opening, rules, running, sources
from course_utils.authoring.sources import BEGIN, END, TO_DO, LessonError

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PYPROJECT = """
[project]
name = "tiny"
[project.urls]
Repository = "https://github.com/somebody/tiny-course.git"
"""
REQUIREMENTS = (
    "torch>=2\nnumpy>=1\njupyterlab>=4\nipywidgets>=7  # bars\n# note\ntqdm>=4\nmlxtend\n"
)

LESSON = '''\
# %% [markdown]
# # Doubling
#
# You will double numbers.
#
# ![two dots](../docs/figures/01_dots.png)
#
# <!-- measured -->

# %%
import os
import sys
from pathlib import Path

# %% [markdown]
# ## The function

# %%
def double(x):
    """Twice `x`."""
    # BEGIN SOLUTION
    result = x + x
    return result
    # END SOLUTION


double = check(double, "01.1")

# %% tags=["nbval-check-output"]
for step in range(3):
    print("step", step, end="\\r")
print("folder", Path.cwd())
print(double(21), file=sys.stderr)
'''


def double(x):
    """The reference, with another docstring."""
    result = x + x
    return result


class Example:
    """A reference may be a class."""

    def work(self):
        """Nothing to do."""
        return 1


REFERENCES = {"01.1": SimpleNamespace(id="01.1", reference=double)}


def make_course(root: Path, text: str = LESSON) -> authoring.Lesson:
    """A checkout with one lesson in it."""
    files = {
        "pyproject.toml": PYPROJECT,
        "requirements.txt": REQUIREMENTS,
        "solutions/01_tiny.py": text,
        "course_utils/__init__.py": "",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    (root / "docs" / "figures").mkdir(parents=True, exist_ok=True)
    (root / "docs" / "figures" / "01_dots.png").write_bytes(PNG)
    return authoring.find_lessons(root)[0]


def pretend_run(lesson: authoring.Lesson) -> None:
    """Outputs as if executed, without the seconds that a kernel takes to start."""
    notebook = authoring.make_edition(lesson, "solved", outputs=False)
    for count, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
        cell.execution_count = count
        cell.outputs = [new_output("stream", name="stdout", text=f"output of {cell.id}\nünd so\n")]
    running._sign(notebook, "cpu", editions.hash_code(lesson))
    lesson.solved.write_bytes(authoring.to_bytes(notebook))
    authoring.build_lessons(lesson.root)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)


def get_code(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def get_outputs(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Cell id -> printed text, where there is any."""
    return {
        cell.id: cell.outputs[0].text
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.outputs
    }


def check(lesson: authoring.Lesson) -> list[str]:
    return authoring.check_lessons(lesson.root, references=REFERENCES)


@pytest.fixture
def lesson(tmp_path):
    made = make_course(tmp_path)
    authoring.build_lessons(tmp_path)
    return made


@pytest.fixture
def finished(lesson):
    """A lesson with nothing left to complain about."""
    pretend_run(lesson)
    assert check(lesson) == []
    return lesson


# ------------------------------------------------------------------------------------ building


def test_the_editions_differ_in_the_answers_only(lesson):
    student, solved = read(lesson.student), read(lesson.solved)
    assert [c.id for c in student.cells] == [c.id for c in solved.cells if c.id != "01-strict"]
    for cell in student.cells:
        twin = next(c for c in solved.cells if c.id == cell.id)
        if cell.id not in ("01-badge", "01-004"):
            assert cell == twin
    exercise = next(c.source for c in student.cells if c.id == "01-004")
    answer = next(c.source for c in solved.cells if c.id == "01-004")
    assert "result" not in lesson.student.read_text(encoding="utf-8")
    assert answer.replace("    result = x + x\n    return result", f"    {TO_DO}") == exercise
    assert "SOLUTION" not in exercise + answer


def test_the_notebook_opens_in_the_order_that_a_reader_needs(lesson):
    ids = [cell.id for cell in read(lesson.solved).cells]
    assert ids[:6] == ["01-badge", "01-001", "01-setup", "01-strict", "01-colab", "01-002"]
    student = read(lesson.student)
    link = "colab.research.google.com/github/somebody/tiny-course/blob/main/notebooks/01_tiny.ipynb"
    assert link in student.cells[0].source
    assert '"https://github.com/somebody/tiny-course"' in student.cells[2].source
    assert "STRICT" not in "".join(get_code(student))
    assert max(len(source.splitlines()) for source in get_code(student)) <= 40


def test_prose_gets_its_pictures_and_its_measured_costs(lesson):
    text = read(lesson.student).cells[1].source
    assert f"![two dots](data:image/png;base64,{base64.b64encode(PNG).decode()})" in text
    assert "| profile |" not in text  # nothing was measured: not even the table's head
    cost = {"01": {"cpu": {"minutes": 2.13, "memory_gb": 1.25, "machine": "an abacus"}}}
    (lesson.root / "course_utils" / "measured.json").write_text(json.dumps(cost))
    authoring.build_lessons(lesson.root)
    table = read(lesson.student).cells[1].source.split("\n\n")[-1]
    assert table.endswith("| --- |\n| `cpu` | 2.1 | 1.2 GB | an abacus |")
    assert "gpu" not in table and "not measured" not in table  # a row without a figure is left out


def test_the_metadata_says_nothing_of_the_machine(lesson):
    metadata = read(lesson.student).metadata
    assert set(metadata) == {"course", "kernelspec", "language_info"}
    assert metadata.language_info == {"name": "python"}
    assert set(metadata.course) == {"lesson", "edition", "source_sha256"}
    kept = {key for cell in read(lesson.student).cells for key in cell.metadata}
    assert kept == {"tags", "cellView", "jupyter"}  # the last two fold the setup cell away


def test_a_second_build_writes_nothing(finished, capsys):
    before = {
        p: (p.read_bytes(), p.stat().st_mtime_ns) for p in (finished.student, finished.solved)
    }
    capsys.readouterr()
    assert authoring.build_lessons(finished.root) == []
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in before} == before
    assert "notebooks/01_tiny.ipynb: unchanged" in capsys.readouterr().out


def test_the_bytes_depend_on_neither_folder_nor_hash_seed_nor_line_ends(finished, tmp_path):
    elsewhere = make_course(tmp_path / "another place")
    shutil.copy(finished.solved, elsewhere.solved)
    elsewhere.source.write_bytes(LESSON.replace("\n", "\r\n").encode())
    inside = elsewhere.root / "docs" / "figures"
    subprocess.run(
        [sys.executable, "-c", "from course_utils.authoring import *; build_lessons()"],
        cwd=inside,
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(Path.cwd())},
        check=True,
    )
    assert elsewhere.student.read_bytes() == finished.student.read_bytes()
    assert elsewhere.solved.read_bytes() == finished.solved.read_bytes()
    assert b"\r" not in finished.student.read_bytes()
    assert "ünd".encode() in finished.solved.read_bytes()


def test_outputs_stay_with_unchanged_code_and_leave_with_changed(finished):
    before = get_outputs(read(finished.solved))
    assert set(before) == {"01-002", "01-004", "01-005"}  # the opening cells are saved bare
    text = LESSON.replace("import os\n", "import os.path\n")
    text = text.replace("# %% [markdown]\n# ## The", "# %%\nnew = 1\n\n# %% [markdown]\n# ## The")
    finished.source.write_text(text)
    authoring.build_lessons(finished.root)
    after = get_outputs(read(finished.solved))
    assert after == {"01-005": before["01-004"], "01-006": before["01-005"]}
    assert get_outputs(read(finished.student)) == {}


def test_a_broken_solved_notebook_is_rebuilt(finished):
    finished.solved.write_text("<<<<<<< HEAD\n")
    authoring.build_lessons(finished.root)
    assert any("no outputs yet" in problem for problem in check(finished))


# Words that no other part of a lesson holds, so that finding one in an edition proves a leak.
secrets = st.lists(st.integers(10**6, 10**7), min_size=1, max_size=3)
prose = st.text("abc äé*_`$\\", max_size=30).map(lambda text: text.strip() or "words")
plain = st.lists(
    st.sampled_from(["x = 1", "# cat x", "y = 'ü'", "", "x = [1,\n     2]"]), max_size=4
)


@st.composite
def random_lessons(draw):
    """Cells as source text, and the secrets of their answers."""
    blocks, hidden = ["# %% [markdown]\n# # Title"], []
    for kind in draw(st.lists(st.sampled_from(["markdown", "code", "exercise"]), max_size=6)):
        if kind == "markdown":
            blocks.append("# %% [markdown]\n# " + draw(prose))
        elif kind == "code":
            blocks.append("# %%\n" + "\n".join(draw(plain)))
        else:
            answer = [f"x = {number}" for number in draw(secrets)]
            hidden += [line.removeprefix("x = ") for line in answer]
            body = "".join(f"    {line}\n" for line in [BEGIN, *answer, END])
            blocks.append(f'# %%\ndef f():\n    "doc"\n{body}    return x\n\nf = check(f, "01.1")')
    return blocks, hidden


@settings(max_examples=40, deadline=None)
@given(random_lessons(), st.data())
def test_random_lessons(tmp_path_factory, lesson_text, data):
    blocks, hidden = lesson_text
    lesson = make_course(tmp_path_factory.mktemp("course"), "\n\n".join(blocks) + "\n")
    student, solved = (authoring.make_edition(lesson, name) for name in ("student", "solved"))
    first = authoring.to_bytes(student), authoring.to_bytes(solved)
    assert first == tuple(
        authoring.to_bytes(authoring.make_edition(lesson, name)) for name in ("student", "solved")
    )
    for secret in hidden:
        assert secret not in first[0].decode() and secret in first[1].decode()
    ids = [cell.id for cell in solved.cells]
    assert len(set(ids)) == len(ids)

    code = [cell.text for cell in sources.read_cells(lesson) if cell.kind == "code"]
    for text, exercise in zip(code, get_code(student)[2:], strict=True):
        before, _, rest = text.partition(f"    {BEGIN}\n")
        _, _, after = rest.partition(f"    {END}")
        assert exercise == (f"{before}    {TO_DO}{after}" if rest else text)

    changed = data.draw(st.integers(0, len(blocks) - 1))
    blocks[changed] = "# %% [markdown]\n# other"
    lesson.source.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    again = authoring.make_edition(lesson, "solved")
    places = {cell.id: cell.source for cell in again.cells}
    same = [c for c in solved.cells if not c.id.endswith(f"-{changed + 1:03d}")]
    assert all(places[cell.id] == cell.source for cell in same)


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (f"    {END}\n", "", r"01_tiny.py:21 \(cell 4\): '# BEGIN SOLUTION' with no '# END"),
        (f"    {BEGIN}\n", "", r"01_tiny.py:23 \(cell 4\): '# END SOLUTION' with no '# BEGIN"),
        (END, BEGIN, r":24 \(cell 4\): '# BEGIN SOLUTION' with no"),
        (END, "#END SOLUTION", r":24 \(cell 4\): a marker is a line"),
        (END, "# End solution", r":24 \(cell 4\): a marker is a line"),
        (f"    {BEGIN}", BEGIN, "must stand inside a function"),
        ("return result", "return (result", r":22 \(cell 4\): the solved edition does not"),
        ('double = check(double, "01.1")', "", "the solution is never checked"),
        ("def double(x):", "if x := 1:", "must stand inside a function"),
        ("![two dots]", "![]", "no alt text"),
        ("01_dots.png", "01_none.png", "there is no picture ../docs/figures/01_none.png"),
        ("../docs/figures/01_dots.png", "https://x.org/a", "is not a local png"),
    ],
)
def test_a_faulty_source_is_refused(tmp_path, old, new, complaint):
    text = LESSON.replace(old, new)
    if old.startswith("def"):
        text = text.replace("    return result\n", "    pass\n")
    lesson = make_course(tmp_path, text)
    with pytest.raises(LessonError, match=complaint):
        authoring.build_lessons(tmp_path)
    assert not lesson.student.exists()
    assert len(check(lesson)) == 1


def test_an_address_outside_github_is_refused(lesson):
    file = lesson.root / "pyproject.toml"
    file.write_text(PYPROJECT.replace("github.com", "example.org"))
    with pytest.raises(LessonError, match=r"should be https://github\.com/OWNER/NAME"):
        authoring.build_lessons(lesson.root)


def test_lessons_are_found_from_inside_and_by_number(lesson, tmp_path_factory):
    assert authoring.find_lessons(lesson.root / "docs", ["01"]) == [lesson]
    with pytest.raises(LessonError, match="no lesson 07; there are: 01"):
        authoring.find_lessons(lesson.root, ["07"])
    with pytest.raises(LessonError, match="not inside a checkout"):
        authoring.find_root(tmp_path_factory.mktemp("nowhere"))
    lesson.source.with_name("01_twin.py").write_text("")
    with pytest.raises(LessonError, match="more than one source is numbered 01"):
        authoring.find_lessons(lesson.root)


# --------------------------------------------------------------------------- what check notices


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.parametrize("edition", ["student", "solved"])
def test_one_changed_character_is_noticed(finished, edition, data):
    path = getattr(finished, edition)
    good = path.read_bytes()
    text = good.decode()
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from('x0"}\n ,').filter(lambda mark: mark != text[place]))
    try:
        path.write_bytes((text[:place] + other + text[place + 1 :]).encode())
        assert check(finished) != []
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize(
    ("path", "old", "new", "complaint"),
    [
        ("notebooks", "You will double", "You will halve", "notebooks/01_tiny.ipynb: cell 01-001"),
        ("solutions", "result = x + x", "result = 2 * x", "solutions/01_tiny.ipynb: cell 01-004"),
        ("solutions", "output of 01-005", "output of mine", "outputs are not those of a run"),
        ("solutions", '"profile": "cpu"', '"profile": "gpu"', "outputs are not those of a run"),
    ],
)
def test_a_hand_edit_is_named(finished, path, old, new, complaint):
    notebook = finished.root / path / "01_tiny.ipynb"
    notebook.write_text(notebook.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    problem = check(finished)[0]
    assert complaint in problem and "run `make" in problem


def test_building_does_not_launder_edited_outputs(finished):
    text = finished.solved.read_text(encoding="utf-8")
    finished.solved.write_text(text.replace("output of 01-005", "a lie"), encoding="utf-8")
    authoring.build_lessons(finished.root)
    assert any("not those of a run" in problem for problem in check(finished))


def test_a_change_of_code_ages_the_outputs_and_a_change_of_prose_does_not(finished):
    finished.source.write_text(LESSON.replace("You will double", "Here you double"))
    assert len(check(finished)) == 2  # both notebooks are older than the source
    authoring.build_lessons(finished.root)
    assert check(finished) == []
    finished.source.write_text(LESSON.replace("range(3)", "range(4)"))
    authoring.build_lessons(finished.root)
    assert [p.split("; ")[0] for p in check(finished)] == [
        "solutions/01_tiny.ipynb: outputs are older than their source"
    ]


def test_missing_and_orphaned_notebooks_are_noticed(finished):
    finished.student.rename(finished.student.with_name("02_gone.ipynb"))
    problems = "\n".join(check(finished))
    assert "notebooks/01_tiny.ipynb: missing; run `make lessons`" in problems
    assert "notebooks/02_gone.ipynb: no source makes it" in problems
    finished.source.unlink()
    assert check(finished) == ["solutions/: there is no lesson (NN_name.py)"]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("x + x", "x - x", r"01_tiny.py:19 \(cell 4\): `double` is not the reference"),
        ('"01.1"', '"01.2"', "knows no exercise 01.2"),
        ("check(double,", "check(os,", "no `os` to check"),
        (f"    {BEGIN}\n", "", "'# END SOLUTION' with no"),
        ("import os\n", "os = 1\n" * 41, r":11 \(cell 2\): 43 lines; no code cell goes over 40"),
        ("import os\n", "os = 1\n" * 20, "67% of its code cells are under 20 lines"),
        (
            "import os\n",
            "# %%\nos = 1\n\n# %%\nos = 1\n\n# %%\n",
            "its median code cell has 1.5 lines",
        ),
        (
            "import os\n",
            "import os\nprint(\n    *(1, 2),\n)\n",
            r":13 \(cell 2\): plain",
        ),
        ("import os\n", "import os\nprint(*[1], 2)\n", r":12 \(cell 2\): plain"),
        (
            "import os\n",
            "import os\nD = os.D\nG = os.G.to(1)\nstep = os.MyStep(D, G)\n",
            r":14 \(cell 2\): `D` is trained",
        ),
        (
            "import os\n",
            "import os\nD, G = os.D.to(1), os.G.to(1)\nos.run_a_gan(D, F)\n",
            r":13 \(cell 2\): `F` is trained",
        ),
        (
            "You will double numbers",
            "It is not measured yet",
            "01_tiny.ipynb: it says 'not measured",
        ),
        (
            "import os\n",
            "import os\nimport torch\nfrom torch import nn\nimport course_utils as cu\n",
            r":11 \(cell 2\): .* hold `from matplotlib.figure import Figure`, "
            "`from torch.nn import functional as F`$",
        ),
    ],
)
def test_the_rules_of_the_house(finished, old, new, complaint):
    finished.source.write_text(LESSON.replace(old, new))
    problems = check(finished)
    assert any(re.search(complaint, problem) for problem in problems)


def test_a_star_before_what_is_no_literal_and_all_imports_are_fine(finished):
    imports = rules.CORE.strip().split("\n")
    code = ["import os", *imports[:2], "# %%", *imports[2:], "print(*sys.path[:1])", ""]
    finished.source.write_text(LESSON.replace("import os\n", "\n".join(code)))
    problems = "\n".join(check(finished))
    assert "plain arguments" not in problems and "first imports" not in problems


WIDE = f"{'way':<50}{'score':>50}"


@pytest.mark.parametrize(
    ("printed", "complaint"),
    [
        (f"{WIDE}\n{WIDE}", None),
        (f"{WIDE}x\n{WIDE}", "cell 01-005: a table of 101 characters; it should fit 100: way"),
        (f"{WIDE}x", None),  # one line is no table
        ("a sentence, and no columns. " * 5 + "\na  b\na  b", None),
        ("MNIST test: 10,000 images from disk\na  b\na  b", None),
        ("a  b\nMNIST train: 500 of 60,000 images from disk\na  b", "load first: MNIST train: 500"),
        ("a  b\na  b\nMNIST test: 10,000 images from disk", None),
    ],
)
@pytest.mark.parametrize("kind", ["stream", "display_data"])
def test_printed_tables_are_narrow_and_whole(finished, printed, complaint, kind):
    notebook = read(finished.solved)
    (cell,) = [cell for cell in notebook.cells if cell.id == "01-005"]
    text = {"text": printed} if kind == "stream" else {"data": {"text/plain": printed}}
    cell.outputs = [new_output(kind, **text)]
    running._sign(notebook, "cpu", editions.hash_code(finished))
    finished.solved.write_bytes(authoring.to_bytes(notebook))
    problems = check(finished)
    assert len(problems) == (complaint is not None)
    assert complaint is None or complaint in problems[0]


def test_an_answer_outside_the_markers_or_unchecked_is_noticed(finished):
    text = LESSON.replace(f"    {BEGIN}\n", "").replace(f"    {END}\n", "")
    finished.source.write_text(text)
    assert any("stands in both editions" in problem for problem in check(finished))
    finished.source.write_text(text.replace('double = check(double, "01.1")', ""))
    assert any("no cell checks exercise 01.1" in problem for problem in check(finished))


def test_a_check_may_follow_in_the_next_cell_and_classes_are_compared(tmp_path):
    text = LESSON.replace("\n\ndouble = check", "\n# %%\ndouble = check")
    lesson = make_course(tmp_path, text)
    authoring.build_lessons(tmp_path)
    pretend_run(lesson)
    assert check(lesson) == []
    reference = SimpleNamespace(reference=Example)
    problems = authoring.check_lessons(tmp_path, references={"01.1": reference})
    assert any("is not the reference" in problem for problem in problems)


# --------------------------------------------------------------------------- the opening cells


@pytest.fixture(scope="module")
def opening_cells(tmp_path_factory):
    """The source of the cells that every lesson begins with, by name."""
    lesson = make_course(tmp_path_factory.mktemp("course"))
    notebook = authoring.make_edition(lesson, "solved")
    return {cell.id.removeprefix("01-"): cell.source for cell in notebook.cells}


@pytest.fixture
def colab(tmp_path):
    """A folder with a stand-in for the module that only Colab has."""
    package = tmp_path / "stand-in" / "google" / "colab"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "drive.py").write_text("def mount(place):\n    print('mounted', place)\n")
    return tmp_path / "stand-in"


@pytest.fixture
def repository(tmp_path):
    """A small git repository that holds a `course_utils`."""
    root = tmp_path / "origin"
    (root / "course_utils").mkdir(parents=True)
    (root / "course_utils" / "__init__.py").write_text("WHERE = __file__\n")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    return root


def run_python(source: str, folder: Path, *path: Path, **environment: str):
    """Run `source` in `folder`, with nothing but `path` and the standard library to import."""
    folder.mkdir(parents=True, exist_ok=True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("COURSE_", "PYTHON"))}
    clean["PYTHONPATH"] = os.pathsep.join(map(str, path))
    # -S: an installed course would serve every test by itself.
    script = "import sys; sys.path[:] = [p for p in sys.path if p]\n" + textwrap.dedent(source)
    return subprocess.run(
        [sys.executable, "-S", "-c", script],
        cwd=folder,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def needs(*names: str) -> str:
    """Code that makes packages look installed, and notes what is started in their stead."""
    return f"""
import importlib.util, subprocess
_find, _run = importlib.util.find_spec, subprocess.run
importlib.util.find_spec = lambda name: name in {names!r} or _find(name)
def _note(command, **options):
    if "pip" in command:
        print("pip", command[command.index("--quiet") + 1:])
    else:
        return _run(command, **options)
subprocess.run = _note
"""


def test_in_colab_the_setup_cell_fetches_the_course(opening_cells, colab, repository, tmp_path):
    setup, empty = opening_cells["setup"], tmp_path / "content"
    source = f"{needs('tqdm', 'mlxtend')}\n{setup}\nimport course_utils\nprint(course_utils.WHERE)"
    first = run_python(source, empty, colab, COURSE_REPO=str(repository))
    assert first.stdout.strip() == str(empty / "tiny-course" / "course_utils" / "__init__.py"), (
        first
    )
    assert [path.name for path in empty.iterdir()] == ["tiny-course"]
    shutil.rmtree(repository)  # again, twice in one kernel: what was fetched serves
    again = run_python(f"{source}\n{setup}", empty, colab, COURSE_REPO=str(repository))
    assert again.returncode == 0 and again.stdout == first.stdout, again.stderr


def test_only_what_colab_lacks_is_installed(opening_cells, colab, repository, tmp_path):
    source = f"{needs('tqdm')}\n{opening_cells['setup']}"
    result = run_python(source, tmp_path / "content", colab, COURSE_REPO=str(repository))
    assert result.stdout.strip() == "pip ['mlxtend']", result.stderr
    for never in ("torch", "numpy", "ipywidgets", "jupyterlab"):
        assert f"'{never}'" not in opening_cells["setup"]


def test_a_failed_fetch_says_what_to_do_and_leaves_nothing(opening_cells, colab, tmp_path):
    for environment in ({}, {"PATH": ""}):  # no such repository, no git
        result = run_python(
            opening_cells["setup"],
            tmp_path / "content",
            colab,
            COURSE_REPO=str(tmp_path / "none"),
            **environment,
        )
        assert result.returncode != 0
        assert f"No course from {tmp_path / 'none'}" in result.stderr
        assert "Then run this cell again." in result.stderr
        assert list((tmp_path / "content").iterdir()) == []


def test_at_home_the_setup_cell_finds_the_checkout_around_it(opening_cells, repository):
    source = f"{opening_cells['setup']}\nimport course_utils\nprint(IN_COLAB, course_utils.WHERE)"
    result = run_python(source, repository / "notebooks")
    place = repository / "course_utils" / "__init__.py"
    assert result.stdout.strip() == f"False {place}", result.stderr


def test_at_home_without_the_course_the_setup_cell_says_how_to_get_it(opening_cells, tmp_path):
    result = run_python(opening_cells["setup"], tmp_path / "lonely")
    assert "No course here: run `git clone https://github.com/somebody/tiny-c" in result.stderr
    assert list((tmp_path / "lonely").iterdir()) == []


@pytest.mark.parametrize("in_colab", [True, False])
@pytest.mark.parametrize("keep", [True, False])
def test_the_drive_cell(opening_cells, colab, tmp_path, in_colab, keep):
    cell = opening_cells["colab"].replace("ON_DRIVE = False", f"ON_DRIVE = {keep}")
    source = f"import os\nIN_COLAB = {in_colab}\n{cell}\nprint(os.environ.get('COURSE_RUNS'))"
    printed = run_python(source, tmp_path, colab).stdout.splitlines()
    if not in_colab:
        assert printed == ["None"]
    elif keep:
        assert printed == ["mounted /content/drive", "/content/drive/MyDrive/gan-course/runs"]
    else:
        assert len(printed) == 2 and "do not outlive" in printed[0] and printed[1] == "None"


def test_the_solved_edition_is_strict_by_itself(opening_cells, tmp_path):
    source = f"import os\n{opening_cells['strict']}\nprint(os.environ['COURSE_STRICT'])"
    assert run_python(source, tmp_path).stdout == "1\n"


# ------------------------------------------------------------------------------------ running

REAL = (
    LESSON.replace("import os\n", "import os\ncheck = lambda answer, exercise: answer\n")
    + f'''

# %% tags=["figure:dots", "figure:samples"]
from base64 import b64decode
from IPython.display import Image, display
from tqdm import tqdm
display({{"application/vnd.jupyter.widget-view+json": {{}}, "text/plain": "0%"}}, raw=True)
Path(os.environ["COURSE_RUNS"], "made.txt").write_text("x")
print(os.environ["COURSE_PROFILE"], os.environ["COURSE_STRICT"], sys.executable)
print(Path(os.environ["COURSE_RUNS"]), Path.home() / "data", sum(tqdm(range(9))))
Image(b64decode("{base64.b64encode(PNG + b"new").decode()}"))
'''
)


def test_a_real_run_is_kept(tmp_path, capsys):
    lesson = make_course(tmp_path, REAL)
    lesson.figure("dots").unlink()  # the run makes it
    cost = authoring.execute_lesson(lesson, "cpu", timeout=60)
    assert "cell 01-005 is tagged nbval-check-output, but" in capsys.readouterr().out
    assert check(lesson) == []
    solved, student = read(lesson.solved), read(lesson.student)
    printed = get_outputs(solved)
    assert printed["01-005"] == "folder ./notebooks\n"  # the last state of "step", overwritten
    python = sys.executable.replace(str(Path.home()), "~")
    assert printed["01-006"] == f"cpu 1 {python}\nruns {Path('~/data')} 36\n"
    assert str(tmp_path) not in lesson.solved.read_text()
    outputs = [output for cell in solved.cells for output in cell.get("outputs", ())]
    assert not any(output.get("name") == "stderr" for output in outputs)
    assert not any("widget" in kind for output in outputs for kind in output.get("data", ()))
    assert [c.execution_count for c in solved.cells if c.cell_type == "code"][3:] == [4, 5, 6, 7]
    assert solved.metadata.course.executed.profile == "cpu"

    assert lesson.figure("dots").read_bytes() == PNG + b"new"
    assert base64.b64encode(PNG + b"new").decode() in student.cells[1].source
    measured = json.loads((tmp_path / "course_utils" / "measured.json").read_text())
    assert measured == {"01": {"cpu": cost}}
    assert 0 < cost["minutes"] < 1 and 0.01 < cost["memory_gb"] < 2 and "cores" in cost["machine"]
    assert f"| `cpu` | {cost['minutes']:.1f} |" in student.cells[1].source


def test_a_run_leaves_notebook_page_and_samples(tmp_path, monkeypatch):
    lesson = make_course(tmp_path, REAL)
    authoring.build_lessons(tmp_path)
    before = lesson.solved.read_bytes()
    monkeypatch.setenv("COURSE_PROFILE", "short")
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    out = authoring.run_lesson("01", tmp_path / "runs" / "lesson01", tmp_path, timeout=60)
    assert sorted(p.name for p in out.iterdir()) == ["01_tiny.html", "01_tiny.ipynb", "samples.png"]
    assert (out / "samples.png").read_bytes() == PNG + b"new"
    page = (out / "01_tiny.html").read_text(encoding="utf-8")
    assert f"data:image/png;base64,{base64.b64encode(PNG).decode()}" in page
    assert "require.min.js" not in page and "short 1" in page
    assert lesson.solved.read_bytes() == before


def test_a_failing_run_stops_there_and_leaves_what_it_did(tmp_path, monkeypatch):
    lesson = make_course(tmp_path, "# %%\nprint('so far')\n1 / 0\n\n# %%\nprint('never')\n")
    monkeypatch.setenv("COURSE_PROFILE", "short")
    with pytest.raises(LessonError, match=r"(?s)cell 01-001 failed.*ZeroDivisionError"):
        authoring.run_lesson("01", tmp_path / "out", tmp_path, timeout=60)
    cells = {cell.id: cell for cell in read(tmp_path / "out" / "01_tiny.ipynb").cells}
    assert cells["01-001"].outputs[0].text == "so far\n"
    assert cells["01-001"].outputs[1].ename == "ZeroDivisionError"
    assert cells["01-002"].execution_count is None
    assert not lesson.solved.exists()


def test_what_is_kept_of_outputs():
    stream = [
        new_output("stream", name="stdout", text="a\r\n"),
        new_output("stream", name="stderr", text=" 10%|#   |\r"),
        new_output("stream", name="stdout", text="1/3\r2/3\r3/3\r\n/home/me/x /home/men\n"),
    ]
    (kept,) = running.tidy_outputs(stream, {"/home/me": "~"})
    assert kept.text == "a\n3/3\n~/x /home/men\n"
    data = {"image/png": "/home/me+", "text/plain": "/home/me"}
    (kept,) = running.tidy_outputs([new_output("display_data", data=data)], {"/home/me": "~"})
    assert kept.data == {"image/png": "/home/me+", "text/plain": "~"}
    assert kept.output_type == "display_data"


def test_peak_memory_counts_what_was_freed():
    before = running.peak_memory()
    block = b"x" * 2**28
    del block
    assert running.peak_memory() >= max(before, 0.25)


def test_the_opening_cells_are_named_as_the_rest_expects(opening_cells):
    assert set(opening.OPENING) <= set(opening_cells)
