"""The machine, the profile and the random states."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import assert_complains, bad_inputs, steady
from hypothesis import given
from hypothesis import strategies as st

from course_utils import settings
from course_utils.settings import (
    PROFILES,
    by_profile,
    describe_machine,
    expected_cost,
    fork_random,
    get_device,
    get_profile,
    get_runs_folder,
    is_strict,
    set_seed,
    start,
)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("COURSE_PROFILE", "COURSE_STRICT", "COURSE_RUNS", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)


def pretend(monkeypatch, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


# --- device and profile ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "cuda, mps, device, profile",
    [
        (True, True, "cuda", "gpu"),
        (True, False, "cuda", "gpu"),
        (False, True, "mps", "gpu"),
        (False, False, "cpu", "cpu"),
    ],
)
def test_the_fastest_device_decides_the_profile(monkeypatch, cuda, mps, device, profile):
    pretend(monkeypatch, cuda, mps)
    assert get_device() == torch.device(device)
    assert get_profile() == profile
    monkeypatch.setenv("COURSE_PROFILE", "")
    assert get_profile() == profile


@pytest.mark.parametrize("cuda", [True, False])
@pytest.mark.parametrize("profile", PROFILES)
def test_course_profile_overrides_the_device(monkeypatch, profile, cuda):
    pretend(monkeypatch, cuda, False)
    monkeypatch.setenv("COURSE_PROFILE", profile)
    assert get_profile() == profile
    values = {"short": 1, "cpu": [10], "gpu": "fifty"}
    assert by_profile(**values) is values[profile]


@pytest.mark.parametrize(
    "value, strict", [(None, False), ("", False), ("0", False), ("1", True), ("yes", True)]
)
def test_course_strict(monkeypatch, value, strict):
    if value is not None:
        monkeypatch.setenv("COURSE_STRICT", value)
    assert is_strict() is strict


def test_runs_folder(monkeypatch):
    assert get_runs_folder() == Path("runs")
    monkeypatch.setenv("COURSE_RUNS", "/mnt/drive/runs")
    assert get_runs_folder() == Path("/mnt/drive/runs")


# --- randomness ------------------------------------------------------------------------------


def draw() -> list[float]:
    """One number from each of the three random states."""
    return [random.random(), float(np.random.rand()), torch.rand(()).item()]


@steady
@given(seed=st.integers(0, 2**32 - 1))
def test_a_seed_decides_all_three_random_states(seed):
    with fork_random():
        set_seed(seed)
        first = draw()
        set_seed(np.int64(seed))
        assert draw() == first


def test_different_seeds_draw_differently():
    with fork_random():
        set_seed(0)
        first = draw()
        set_seed(1)
        assert all(a != b for a, b in zip(first, draw()))


@steady
@given(outside=st.integers(0, 2**32 - 1), inside=st.none() | st.integers(0, 2**32 - 1))
def test_fork_random_leaves_no_trace(outside, inside):
    with fork_random():
        set_seed(outside)
        expected = [draw(), draw()]
        set_seed(outside)
        got = [draw()]
        with fork_random(inside):
            drawn = draw()
        got.append(draw())
        assert got == expected
        if inside is None:
            assert drawn == expected[1]  # without a seed it goes on from where it stood
        else:
            set_seed(inside)
            assert drawn == draw()


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
def test_fork_random_leaves_no_trace_of_code_that_raised(problem):
    with fork_random(seed=3):
        expected = draw()
    with fork_random(seed=3):
        with pytest.raises(problem), fork_random(seed=4):
            draw()
            raise problem
        assert draw() == expected


def test_fork_random_takes_care_of_gpus(monkeypatch):
    restored = []
    pretend(monkeypatch, cuda=True, mps=True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: ["cuda state"])
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", restored.append)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: "mps state")
    monkeypatch.setattr(torch.mps, "set_rng_state", restored.append)
    with fork_random():
        assert restored == []
    assert restored == [["cuda state"], "mps state"]


# --- what a lesson prints first --------------------------------------------------------------


@pytest.fixture
def measured(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "measured.json"
    monkeypatch.setattr(settings, "MEASURED", path)
    return path


def test_the_measured_file_is_part_of_the_package():
    assert Path(settings.__file__).with_name("measured.json") == settings.MEASURED


def test_costs_come_from_the_measured_file(measured):
    assert expected_cost("01", "cpu") == ""
    measured.write_text(
        json.dumps({"01": {"cpu": {"minutes": 3.14, "memory_gb": 1.26, "machine": "a laptop"}}})
    )
    said = expected_cost("01", "cpu")
    assert said == "3.1 minutes and 1.3 GB of memory when measured on a laptop"
    assert expected_cost("01", "gpu") == expected_cost("02", "cpu") == ""


def test_start_says_lesson_machine_profile_and_cost(measured, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_PROFILE", "short")
    start("01")
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"Lesson 01 on {describe_machine()}."
    assert second == "Profile 'short'."
    measured.write_text(
        json.dumps({"01": {"short": {"minutes": 1, "memory_gb": 2, "machine": "a laptop"}}})
    )
    start("01")
    told = "Profile 'short': 1.0 minutes and 2.0 GB of memory when measured on a laptop."
    assert capsys.readouterr().out.splitlines()[1] == told


@pytest.mark.parametrize(
    "colab, profile, hint", [(True, "cpu", True), (True, "gpu", False), (False, "cpu", False)]
)
def test_start_points_to_colabs_gpu(measured, monkeypatch, capsys, colab, profile, hint):
    monkeypatch.setenv("COURSE_PROFILE", profile)
    if colab:
        monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    start("01")
    assert ("Change runtime type" in capsys.readouterr().out) is hint


def test_the_machine_in_one_line(monkeypatch):
    monkeypatch.setattr(settings, "get_device", lambda: torch.device("cpu"))
    assert describe_machine().startswith(f"CPU, {torch.get_num_threads()} threads; Python 3.")
    assert describe_machine().endswith(f"torch {torch.__version__}")
    monkeypatch.setattr(settings, "get_device", lambda: torch.device("mps"))
    assert describe_machine().startswith("Apple GPU; ")
    card = type("Card", (), {"name": "Tesla T4", "total_memory": 15 * 2**30})
    monkeypatch.setattr(settings, "get_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    assert describe_machine().startswith("Tesla T4, 15 GB; ")


# --- bad input -------------------------------------------------------------------------------


def test_an_unknown_profile_is_named(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "fast")
    for call in (get_profile, lambda: by_profile(short=1, cpu=2, gpu=3), lambda: start("01")):
        assert_complains(call, ValueError, "COURSE_PROFILE", "'fast'")


@bad_inputs(
    ("seed: negative", lambda: set_seed(-1), ValueError, "seed", "-1"),
    ("seed: 2**32", lambda: set_seed(2**32), ValueError, "seed", str(2**32)),
    ("seed: float", lambda: set_seed(1.5), TypeError, "seed", "float: 1.5"),
    ("seed: NaN", lambda: set_seed(float("nan")), TypeError, "seed", "nan"),
    ("seed: text", lambda: set_seed("1"), TypeError, "seed", "str: '1'"),
    ("seed: bool", lambda: set_seed(True), TypeError, "seed", "bool"),
    ("seed: None", lambda: set_seed(None), TypeError, "seed", "None"),
    ("fork_random: negative", lambda: fork_random(-1).__enter__(), ValueError, "seed", "-1"),
    ("fork_random: text", lambda: fork_random("1").__enter__(), TypeError, "seed", "'1'"),
    ("start: number", lambda: start(1), TypeError, "lesson", "1"),
    ("start: None", lambda: start(None), TypeError, "lesson", "None"),
)
def test_bad_input(call, error, name, got):
    assert_complains(call, error, name, got)


@pytest.mark.parametrize("values", [{"cpu": 1, "gpu": 2}, {"short": 1, "cpu": 2, "tpu": 3}])
def test_by_profile_wants_all_three_profiles_and_no_other(values):
    with pytest.raises(TypeError, match=r"by_profile\(\)"):
        by_profile(**values)
