"""Fixtures that several test files share."""

from __future__ import annotations

import pytest
import torch

from course_utils.settings import fork_random


@pytest.fixture
def own_randomness():
    """Draws of a test start from seed 0 and move no random state outside it."""
    with fork_random(seed=0):
        yield


@pytest.fixture
def float64():
    """New networks and noise in float64, where two ways to compute stay together."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
