"""`python -m course_utils`: what each command says, and its exit code."""

from __future__ import annotations

from importlib import metadata

import pytest

from course_utils import authoring, classifiers, doctor, results, verdicts
from course_utils.__main__ import main
from course_utils.results.ingredients import list_names


def lines(capsys) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_doctor_is_content_here(capsys) -> None:
    assert main(["doctor"]) == 0
    said = lines(capsys)
    assert all(line.startswith("[OK] ") for line in said)
    for subject in ("Python", "torch ", "GPU", "ipywidgets", "MNIST", "CIFAR-10"):
        assert any(line.startswith(f"[OK] {subject}") for line in said), subject


def test_doctor_names_a_missing_requirement(capsys, monkeypatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "torchsummary":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    assert main(["doctor"]) == 1
    failed = [line for line in lines(capsys) if line.startswith("[FAIL]")]
    assert failed == ["[FAIL] torchsummary: missing; run `pip install 'torchsummary>=1.5.1'`"]


def test_doctor_names_an_old_requirement(capsys, monkeypatch) -> None:
    real = metadata.version
    monkeypatch.setattr(
        doctor.metadata, "version", lambda name: "0.1" if name == "tqdm" else real(name)
    )
    assert main(["doctor"]) == 1
    failed = [line for line in lines(capsys) if line.startswith("[FAIL]")]
    assert len(failed) == 1
    assert failed[0].startswith("[FAIL] tqdm 0.1 (needs >=")


def test_doctor_fails_without_any_source_of_data(capsys, monkeypatch) -> None:
    sources = [
        ("MNIST: disk", False, ""),
        ("MNIST: sample", False, ""),
        ("CIFAR-10: disk", True, ""),
    ]
    monkeypatch.setattr(doctor, "find_sources", lambda: sources)
    assert main(["doctor"]) == 1
    said = lines(capsys)
    assert "[FAIL] MNIST can come from: nowhere" in said
    assert "[OK] CIFAR-10 can come from: disk" in said


def test_doctor_fails_on_an_old_python(capsys, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (99, 0))
    assert main(["doctor"]) == 1
    assert lines(capsys)[0].startswith("[FAIL] Python")


def test_an_unknown_lesson_is_named(capsys, tmp_path) -> None:
    assert main(["run", "77", "--out", str(tmp_path)]) == 1
    assert "77" in capsys.readouterr().err


def test_check_reports_each_problem(capsys, monkeypatch) -> None:
    monkeypatch.setattr(authoring, "check_lessons", lambda numbers: ["a.ipynb: drifted"])
    assert main(["lessons", "check"]) == 1
    said = capsys.readouterr()
    assert "a.ipynb: drifted" in said.err
    assert said.out.splitlines() == ["1 problems"]


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ([], [("mnist", classifiers.FOLDER), ("cifar10", classifiers.FOLDER)]),
        (["cifar10", "--out", "here"], [("cifar10", "here")]),
        (["cifar10", "mnist", "--out", "here"], [("cifar10", "here"), ("mnist", "here")]),
    ],
    ids=["all", "one", "in the order given"],
)
def test_classifiers_are_trained_by_name(capsys, monkeypatch, arguments, expected) -> None:
    called = []

    def train_classifier(name, folder):
        called.append((name, folder))
        return {"name": name}

    monkeypatch.setattr(classifiers, "train_classifier", train_classifier)
    assert main(["classifiers", *arguments]) == 0
    assert called == expected
    assert lines(capsys) == [str({"name": name}) for name, _ in expected]


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ([], ("runs/verdicts", None)),
        (["--out", "here", "--pairs", "DCGAN"], ("here", ["DCGAN"])),
        (["--pairs", "MLP", "DCGAN"], ("runs/verdicts", ["MLP", "DCGAN"])),
    ],
    ids=["all", "one", "both"],
)
def test_verdicts_are_measured_for_the_pairs_named(monkeypatch, arguments, expected) -> None:
    called = []
    monkeypatch.setattr(verdicts, "measure_verdicts", lambda *given: called.append(given))
    assert main(["verdicts", *arguments]) == 0
    assert called == [expected]


@pytest.mark.parametrize(
    "arguments, names, options",
    [
        ([], None, {}),
        (["dcgan", "mlp_ls"], ["dcgan", "mlp_ls"], {}),
        (["cifar10_dcgan+averaged"], ["cifar10_dcgan+averaged"], {}),
        (["--seeds", "1", "--profile", "gpu"], None, {"seeds": 1, "profile": "gpu"}),
        (["dcgan", "--runs", "here", "--profile", "cpu"], ["dcgan"],
         {"runs": "here", "profile": "cpu"}),
    ],
    ids=["all", "two", "an ingredient", "one seed", "elsewhere"],
)  # fmt: skip
def test_results_are_measured_as_asked(monkeypatch, arguments, names, options) -> None:
    called = []
    monkeypatch.setattr(
        results, "measure_results", lambda *given, **named: called.append((given, named))
    )
    assert main(["results", *arguments]) == 0
    defaults = {"seeds": 3, "profile": None, "runs": "runs/results"}
    assert called == [((names,), defaults | options)]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["dcgam"], f"names: expected one of {', '.join(sorted(list_names()))}; got 'dcgam'"),
        (["cifar10_dcgan+salt"], "names: expected one of cgan, cifar10_better, cifar10_dcgan, "),
        (["--seeds", "0"], "seeds: expected at least 1"),
    ],
)
def test_results_that_cannot_be_measured(monkeypatch, capsys, arguments, said) -> None:
    monkeypatch.setattr(results.measure, "_in_own_process", None)  # nothing may be trained
    monkeypatch.setattr(results.measure, "write_results", None)
    assert main(["results", *arguments]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["results", "--profile", "short"],
        ["results", "--seeds", "some"],
        [],
        ["fly"],
        ["run", "01"],
        ["lessons"],
        ["lessons", "eat"],
        ["classifiers", "svhn"],
    ],
)
def test_wrong_commands_end_with_usage(arguments, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage" in capsys.readouterr().err
