"""Mutants that may be called right, each with the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch

from .judging import Result


@dataclass(frozen=True)
class Reason:
    """Why mutants are as right as the reference.

    Attributes:
        exercises: patterns of exercises, such as "01.1 05.*".
        why: one line.
        change: a regular expression found in "kind" or in the lines that differ; "" for all.
        aspects: patterns; every difference that was seen must be one of these.
    """

    exercises: str
    why: str
    change: str = ""
    aspects: str = ""

    def covers(self, result: Result) -> bool:
        mutant = result.mutant
        return (
            any(fnmatch(mutant.exercise, pattern) for pattern in self.exercises.split())
            and re.search(self.change, f"{mutant.kind}\n{mutant.diff}") is not None
            and all(
                any(fnmatch(aspect, pattern) for pattern in self.aspects.split(", "))
                for aspect in result.aspects
            )
        )


# Numbers that are printed, drawn or compared.
NOT_TRAINED = "01.1 01.3 02.1 02.2 02.9 03.1 03.4 03.5 03.6 03.7 03.8 04.1 04.6 04.8 04.9 05.* "
NOT_TRAINED += (
    "06.1 06.2 06.3 06.4 06.5 06.6 06.8 06.9 07.1 07.2 07.6 07.7 07.8 07.9 08.1 08.2 08.5 "
)
NOT_TRAINED += "08.6 08.7 08.8 08.9 08.10"

MASK = "gradient, random state*, value, value (float64)"  # where a mask is drawn

EQUIVALENT: list[Reason] = [
    # What makes no difference anywhere, by the kind of change. Kinds in which a weak question
    # could hide a difference (constants, comparisons, other functions) are explained one by one.
    Reason("*", "the second time changes nothing", "^statement twice"),
    Reason("*", "neither statement needs the other", "^statements? (swapped|moved)"),
    Reason("*", "nothing in it keeps a gradient", "^no_grad around a statement"),
    Reason(
        "*", "so it is already, or it is undone before it shows", "^(at the start|change before)"
    ),
    Reason("*", "no gradient passes here, or none comes of it", r"^wrap x\.detach|^no detach"),
    Reason("*", "more digits on the way; the result is what it was", r"^wrap x\.double"),
    Reason(
        "*",
        "it adds an axis of size 1 or takes one, and nothing after it minds",
        r"^wrap x\.(squeeze|unsqueeze|T\b)",
    ),
    Reason("*", "values lie in that range already", r"^wrap x\.(clamp|abs)|^wrap int"),
    Reason("*", "an order that nothing after it minds", r"^wrap x\.(flip|sort)"),
    Reason("*", "one entry, or a mean of means", r"^wrap x(\.mean|\[)"),
    Reason(
        "*",
        "a shape, a sign or an order comes of it, and that stays",
        r"^wrap (-x|x [+-] 1|2 \* x)",
    ),
    Reason("*", "unpacked all the same", "^list"),
    Reason("*", "there, -1 is the last axis by its other name", r"^dim\n(.*\n)*.*\(?(dim=)?-1\b"),
    Reason("07.1", "torch.cat makes float32 of it again", "^(float to|no float)"),
    Reason(
        "*",
        "Identity, ReLU after ReLU or after Sigmoid, Flatten after Flatten: the values stay",
        "^layer (more|twice)",
    ),
    Reason(
        "*",
        "each value by itself, growing with it: pooling, dropout or Flatten may come first",
        "^arguments of Sequential swapped",
    ),
    Reason("*", "the default, written out or left out", "with bias=True|^argument of LeakyReLU"),
    Reason("*", "no padding that could reflect, no side that could be odd", "^(Conv|MaxPool)2d"),
    Reason("*", "a * (b * c) is (a * b) * c", "^brackets"),
    Reason("*", "neither order nor doubles count here", "^items? (swapped|twice)"),
    Reason("*", "None is equal to None alone", "^comparison\\n.*is not None"),
    Reason("*", "of the same size, on the same device", "^name"),
    Reason("*", "1 from the end: the same place", r"^constant\n.*\n.*(dim=\(0|Unflatten)"),
    Reason("*", "0 all the same", "^constant\\n.*min=0"),
    Reason("*", "the axis is the only one", "^mean with dim"),
    Reason("*", "only labels come of it, and nobody trains them", "^no_grad around the whole"),
    Reason("*", "the graph ends with the call all the same", "^backward with retain_graph"),
    Reason("*", "0 is added to as None is replaced", "^zero_grad with set_to_none"),
    Reason("*", "a + b is b + a, and a * b is b * a", "^order"),
    # What is seen to differ, and does no harm. Losses, layers and steps are not among these.
    Reason(
        NOT_TRAINED,
        "nobody trains on this result, so no gradient is asked for",
        "",
        "gradient, modes",
    ),
    Reason(
        "*",
        "one number with more digits, or several in an exercise that mixes types by itself",
        r"double|float64",
        "kind*, gradient, modes, value (float64), value (elsewhere)",
    ),
    Reason("01.6 01.7", "the loss as a plain number is as detached", r"\.item\(\)", "*"),
    Reason("*", "in place on a result of its own", "with inplace=True", "*"),
    Reason(
        "*",
        "one draw more, from a source that is nobody's own: later draws are others, as random",
        r"\brand(om)?\.?(random)?\(",
        "random state*",
    ),
    Reason(
        NOT_TRAINED, "a plain number, where nobody asks for a tensor", r"^wrap x\.item\(\)", "*"
    ),
    Reason(
        "*",
        "autograd watches or leaves an argument that nobody trains; its numbers stay",
        r"\.requires_grad_\(",
        "gradient*, modes*",
    ),
    Reason("*", "no arguments, so always the same answer", "^first result for ever", "*"),
    Reason(
        "01.* 02.* 03.* 04.*",
        "other first weights or another mask, as random as those of the reference",
        r"^(statement twice|at the start)[\s\S]*(nn\.Sequential|torch\.rand\(|\(?torch\.rand)",
        "gradient*, initial weights, random state*, statistics, value*",
    ),
    Reason(
        "01.6",
        "the lesson shows the mean of the scores, in any shape and order",
        r"^(wrap|at the start)[\s\S]*(squeeze|\.T\b|mean|flip)",
        "kind, value",
    ),
    Reason(
        "01.6 01.7 01.11",
        "gradients that nobody uses: the next step begins with zero_grad",
        r"\b(D|D_solver|model)\.zero_grad\(\)",
        "gradient, left gradients",
    ),
    Reason(
        "01.8",
        "only the gradient of the labels differs, which nobody trains",
        "labels",
        "gradient",
    ),
    Reason(
        "02.3",
        "a hundredth of the slope: less than the check tells from rounding",
        "0099|0.0101",
        "gradient, value, value in eval mode",
    ),
    Reason("08.8", "a count of pixels, a whole number all the same", r"^wrap int", "* (elsewhere)"),
    Reason("08.10", "a whole number, as a tensor of one entry", "^no int", "*"),
    Reason("06.3 06.4", "t is a plain vector of shares", r"t\.requires_grad_\(False", "*"),
    Reason(
        "06.4",
        "the same sum, rounded otherwise",
        r"\.double|\.(flip\(0\)|sort\(\)\.values)\.norm",
        "gradient, value",
    ),
    Reason(
        "06.5",
        "an axis points either way, and what is centred has no mean to add",
        "^wrap (-x|x - 1|x.flip)",
        "gradient, value, value (float64)",
    ),
    Reason(
        "06.7",
        "Adam's steps do not grow with the loss, and nobody uses what is left in G",
        r"^(mean to sum|wrap 2 \* x)|G\.zero_grad",
        "gradient, left gradients",
    ),
    Reason("04.6", "u is a plain vector of its own", r"u\.requires_grad_\(False", "*"),
    Reason("07.3", "one label an image, also as a column", r"squeeze", "* (elsewhere)"),
    Reason("04.3 04.7", "another mask, as random", r"^wrap x\.flip|torch\.float64", MASK),
    Reason(
        "04.7",
        "heads for tails, or a coin that is off by one in two hundred",
        "^(comparison|arguments of where swapped|constant)",
        MASK,
    ),
]


def explain(result: Result) -> str | None:
    """The reason why this mutant may be called right, or None."""
    return next((reason.why for reason in EQUIVALENT if reason.covers(result)), None)
