"""How a verdict on an answer is reached and shown, and the tests of whole networks.

A check raises `WrongAnswer` with what it expected, what it got and a hint; `judge` makes a verdict
of it.
"""

from .effects import NEW_TENSOR, InputChanged, Watched, watch_making
from .judging import Verdict, judge
from .networks import (
    Slip,
    expect_count,
    expect_float32,
    expect_same_network,
    replace_layers,
    test_dc_classifer,
    test_dc_classifier,
    test_dc_generator,
    test_discriminator,
    test_generator,
)
from .values import (
    expect_close,
    expect_gradients,
    expect_images,
    expect_number,
    expect_tensor,
)
from .words import WrongAnswer
