"""The helpers behind every complaint: what they let pass, and the words they use."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from helpers import assert_complains, bad_inputs, steady
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_utils.validation import (
    need_bool,
    need_choice,
    need_count,
    need_function,
    need_images,
    need_module,
    need_number,
    need_tensor,
)


@steady
@given(st.integers(-(10**6), 10**6), st.integers(-10, 10))
def test_a_count_is_a_whole_number_from_its_minimum_on(value, minimum):
    if value >= minimum:
        for whole in (value, np.int64(value)):
            got = need_count(whole, "n", minimum)
            assert got == value and type(got) is int
    else:
        assert_complains(lambda: need_count(value, "n", minimum), ValueError, "n", str(value))


@steady
@given(st.floats())
def test_a_number_is_finite_and_inside_its_limits(value):
    def accepts(**limits: float) -> bool:
        try:
            return need_number(value, "x", **limits) == value
        except ValueError as problem:
            assert str(problem).startswith("x: expected a finite number")
            return False

    finite = math.isfinite(value)
    assert accepts() == finite
    assert accepts(low=-1, high=2) == (finite and -1 <= value <= 2)
    assert accepts(above=-1, below=2) == (finite and -1 < value < 2)


@pytest.mark.parametrize("limit", [-1.5, 0, 3])
def test_low_and_high_belong_to_the_range_above_and_below_do_not(limit):
    assert need_number(limit, "x", low=limit, high=limit) == limit
    for limits in ({"above": limit}, {"below": limit}):
        assert_complains(lambda kw=limits: need_number(limit, "x", **kw), ValueError, "x", "")


def test_a_number_may_be_of_any_real_type():
    for value in (1, 0.5, np.float32(0.5), np.int8(1), Fraction(1, 2)):
        assert need_number(value, "x") == value


IMAGE = torch.zeros(2, 1, 4, 5)


@pytest.mark.parametrize(
    "images",
    [
        IMAGE,
        IMAGE.double(),
        IMAGE.bfloat16(),
        IMAGE.byte() + 255,
        IMAGE + 1,
        IMAGE - 1,
        IMAGE + 1.005,
        IMAGE.expand(2, 3, 4, 5),
    ],
)
def test_images_pass_as_they_are(images):
    assert need_images(images) is images


def test_tensors_and_networks_pass_as_they_are():
    tensor, network = torch.zeros(3, 2), nn.Linear(1, 1)
    assert need_tensor(tensor, "t") is tensor
    assert need_tensor(tensor, "t", shape=(None, 2)) is tensor
    assert need_tensor(tensor * math.nan, "t", finite=False).isnan().all()
    assert need_module(network, "m") is network
    assert need_choice("b", "c", ("a", "b")) == "b"
    assert need_bool(False, "b") is False and need_function(max, "f") is max


@bad_inputs(
    ("count: text", lambda: need_count("10", "n"), TypeError, "n", "str: '10'"),
    ("count: bool", lambda: need_count(True, "n"), TypeError, "n", "bool: True"),
    ("count: float", lambda: need_count(3.0, "n"), TypeError, "n", "float: 3.0"),
    ("count: None", lambda: need_count(None, "n"), TypeError, "n", "NoneType: None"),
    ("count: tensor", lambda: need_count(torch.ones(2), "n"), TypeError, "n", "shape (2,)"),
    ("number: text", lambda: need_number("1", "x"), TypeError, "x", "str: '1'"),
    ("number: bool", lambda: need_number(False, "x"), TypeError, "x", "bool: False"),
    ("number: complex", lambda: need_number(1j, "x"), TypeError, "x", "complex: 1j"),
    ("bool: 1", lambda: need_bool(1, "b"), TypeError, "b", "int: 1"),
    ("bool: text", lambda: need_bool("no", "b"), TypeError, "b", "str: 'no'"),
    ("bool: None", lambda: need_bool(None, "b"), TypeError, "b", "None"),
    ("function: text", lambda: need_function("f", "f"), TypeError, "f", "str: 'f'"),
    ("function: None", lambda: need_function(None, "f"), TypeError, "f", "None"),
    ("choice: other", lambda: need_choice("c", "k", ("b", "a")), ValueError, "k", "'c'"),
    ("choice: list", lambda: need_choice(["a"], "k", {"a": 1}), ValueError, "k", "['a']"),
    ("choice: None", lambda: need_choice(None, "k", ("a",)), ValueError, "k", "None"),
    ("module: class", lambda: need_module(nn.ReLU, "m"), TypeError, "m", "the class ReLU"),
    ("module: function", lambda: need_module(len, "m"), TypeError, "m", "builtin_function"),
    ("tensor: list", lambda: need_tensor([1.0], "t"), TypeError, "t", "list: [1.0]"),
    ("tensor: array", lambda: need_tensor(np.ones(2), "t"), TypeError, "t", "ndarray"),
    ("tensor: whole", lambda: need_tensor(torch.ones(2).int(), "t"), TypeError, "t", "torch.int32"),
    (
        "tensor: rank",
        lambda: need_tensor(torch.ones(2), "t", shape=(None, 2)),
        ValueError,
        "t",
        "(2,)",
    ),
    (
        "tensor: size",
        lambda: need_tensor(torch.ones(2, 3), "t", shape=(None, 2)),
        ValueError,
        "t",
        "(2, 3)",
    ),
    ("tensor: NaN", lambda: need_tensor(torch.tensor(math.nan), "t"), ValueError, "t", "NaN"),
    ("tensor: inf", lambda: need_tensor(torch.tensor(-math.inf), "t"), ValueError, "t", "infinity"),
    ("images: list", lambda: need_images([IMAGE]), TypeError, "images", "list"),
    ("images: bool", lambda: need_images(IMAGE.bool()), TypeError, "images", "torch.bool"),
    ("images: rank", lambda: need_images(IMAGE[0]), ValueError, "images", "(1, 4, 5)"),
    (
        "images: channels last",
        lambda: need_images(IMAGE.movedim(1, 3)),
        ValueError,
        "images",
        "(2, 4, 5, 1)",
    ),
    ("images: none", lambda: need_images(IMAGE[:0]), ValueError, "images", "(0, 1, 4, 5)"),
    ("images: NaN", lambda: need_images(IMAGE * math.nan), ValueError, "images", "NaN"),
    ("images: inf", lambda: need_images(IMAGE - math.inf), ValueError, "images", "infinity"),
    ("images: [0, 255]", lambda: need_images(IMAGE + 255), ValueError, "images", "divide by 127.5"),
    ("images: too high", lambda: need_images(IMAGE + 1.02), ValueError, "images", "1.02 to 1.02"),
    ("images: too low", lambda: need_images(IMAGE - 1.02), ValueError, "images", "-1.02 to -1.02"),
)
def test_bad_values_are_named(call, error, name, got):
    assert_complains(call, error, name, got)


def test_long_values_are_cut():
    with pytest.raises(TypeError) as caught:
        need_count("x" * 1000, "n")
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    "limits, asked",
    [
        ({}, "expected a finite number, got nan"),
        ({"low": 0, "high": 180}, "expected a finite number from 0 to 180, got nan"),
        ({"above": 0}, "expected a finite number above 0, got nan"),
        ({"low": 0, "below": 1}, "expected a finite number from 0 below 1, got nan"),
    ],
)
def test_the_limits_of_a_number_are_written_out(limits, asked):
    with pytest.raises(ValueError) as caught:
        need_number(math.nan, "x", **limits)
    assert str(caught.value) == f"x: {asked}"


def test_a_count_is_at_least_one_unless_told_otherwise():
    assert need_count(1, "n") == 1
    assert_complains(lambda: need_count(0, "n"), ValueError, "n", "0")


def test_one_bad_value_among_good_ones_is_enough():
    for bad in (math.nan, math.inf, -math.inf):
        images = torch.zeros(2, 1, 4, 5)
        images[1, 0, 2, 3] = bad
        for call in (lambda x=images: need_tensor(x, "t"), lambda x=images: need_images(x, "t")):
            assert_complains(call, ValueError, "t", "NaN or infinity")


def test_the_wanted_shape_is_written_out():
    with pytest.raises(ValueError, match=r"expected shape \(N, 784\), got \(784,\)"):
        need_tensor(torch.zeros(784), "t", shape=(None, 784))
