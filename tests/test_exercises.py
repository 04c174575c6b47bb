"""`check` and the exercises: what students write gets the verdict and the hint that it should."""

from __future__ import annotations

import importlib
import os
import random
import re
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.transforms  # noqa: F401 - its first import may outlast a check on a busy machine
from answers_lesson01 import D_STEP, G_STEP
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import exercises
from course_utils.checks import Verdict, judge, judging
from course_utils.exercises import EXERCISES, ExerciseNotPassed, check

EMPTY = "not started: the reference stands in"

# Every answers_lessonNN.py beside this file: what each holds, of all lessons together.
ANSWERS = {
    path.stem[-2:]: importlib.import_module(path.stem)
    for path in sorted(Path(__file__).parent.glob("answers_lesson??.py"))
}
NAMES = {i: name for lesson in ANSWERS.values() for i, name in lesson.NAMES.items()}
HEADS = {i: head for lesson in ANSWERS.values() for i, head in lesson.HEADS.items()}
RIGHT = {i: answers for lesson in ANSWERS.values() for i, answers in lesson.RIGHT.items()}
WRONG = {i: answers for lesson in ANSWERS.values() for i, answers in lesson.WRONG.items()}


def define(exercise_id, answer):
    """The function or class that a notebook cell with this answer defines."""
    return ANSWERS[exercise_id[:2]].define(exercise_id, answer)


def cases(table):
    return [
        pytest.param(exercise_id, answer, id=f"{exercise_id}-{number}")
        for exercise_id, answers in table.items()
        for number, answer in enumerate(answers)
    ]


def say(exercise_id, answer, capsys):
    """What `check` hands back, and the line that it prints."""
    capsys.readouterr()
    back = check(answer, exercise_id)
    printed = capsys.readouterr().out.splitlines()
    lines = [line for line in printed if re.match(r"\d\d\.\d+ ", line)]
    assert len(lines) == 1
    assert lines[0].startswith(exercise_id + " ")
    return back, lines[0]


def passes(exercise_id, answer):
    return judge(EXERCISES[exercise_id].ask, answer).mark == "right"


def fits_the_examples(exercise_id, answer):
    """Whether the fixed examples alone call it right: none of the random questions is asked."""
    return judge(EXERCISES[exercise_id].question, answer).mark == "right"


@pytest.fixture(autouse=True)
def relaxed(monkeypatch):
    monkeypatch.delenv("COURSE_STRICT", raising=False)


@pytest.fixture
def hurry(monkeypatch):
    monkeypatch.setattr(judging, "TIME_LIMIT", 0.2)


# The answers ----------------------------------------------------------------------------------


def test_the_table_holds_what_was_promised():
    numbers = [f"{i}.{n}" for i, answers in ANSWERS.items() for n, _ in enumerate(answers.NAMES, 1)]
    assert list(EXERCISES) == list(NAMES) == numbers
    for exercise_id, exercise in EXERCISES.items():
        assert exercise.id == exercise_id
        assert exercise.reference.__name__ == NAMES[exercise_id]
        assert len(RIGHT[exercise_id]) >= 4
        assert len(WRONG[exercise_id]) >= 10


@pytest.mark.parametrize(("exercise_id", "answer"), cases(RIGHT))
def test_right_however_written(exercise_id, answer, capsys):
    mine = define(exercise_id, answer)
    back, line = say(exercise_id, mine, capsys)
    assert line == f"{exercise_id} ✓ right"
    assert back is mine
    assert say(exercise_id, back, capsys) == (mine, line)  # the cell runs twice


@pytest.mark.parametrize(("exercise_id", "case"), cases(WRONG))
@pytest.mark.filterwarnings("ignore:Casting complex")
def test_wrong_with_a_hint_that_names_the_mistake(exercise_id, case, capsys):
    words, answer = case
    mine = define(exercise_id, answer)
    back, line = say(exercise_id, mine, capsys)
    assert line.startswith(f"{exercise_id} ✗ ")
    assert words in line
    assert "; hint: " in line
    assert len(line) < 420
    assert back is not mine
    assert back is not EXERCISES[exercise_id].reference  # the original stays unmarked
    assert passes(exercise_id, back)
    assert say(exercise_id, back, capsys) == (back, line)  # f = check(f, ...) runs twice


@pytest.mark.parametrize("exercise_id", NAMES)
def test_not_started(exercise_id, capsys):
    bodies = {
        "01.4": "def __init__(self, noise_size, hidden_size):",
        "01.5": "def __init__(self, hidden_size):",
    }
    todo = "    raise NotImplementedError  # your answer here"
    if exercise_id in bodies:
        inside = f"{bodies[exercise_id]}\n        super().__init__()\n    {todo}"
        text = f"class {NAMES[exercise_id]}(nn.Module):\n    {inside}"
    else:
        text = HEADS[exercise_id] + "\n" + todo
    mine = define(exercise_id, text)
    back, line = say(exercise_id, mine, capsys)
    assert line == f"{exercise_id} ○ {EMPTY}"
    assert passes(exercise_id, back)
    assert say(exercise_id, back, capsys) == (back, line)


@pytest.mark.parametrize("exercise_id", NAMES)
def test_references_pass(exercise_id, capsys):
    back, line = say(exercise_id, EXERCISES[exercise_id].reference, capsys)
    assert (back, line) == (EXERCISES[exercise_id].reference, f"{exercise_id} ✓ right")


LEFT_IN = "✗ `raise NotImplementedError` still stands in line {} of your cell; hint: delete that"


def test_half_a_class_is_begun(capsys):
    text = RIGHT["01.5"][0].split("def forward")[0] + (
        "def forward(self, images):\n        raise NotImplementedError"
    )
    line = say("01.5", define("01.5", text), capsys)[1]
    assert line.startswith("01.5 " + LEFT_IN.format(text.count("\n") + 1))


def test_a_raise_left_in_beside_an_answer_is_named(capsys):
    """Above it, below it, and in the constructor of a class."""
    raising = "raise NotImplementedError  # your answer here"
    for text, number in ((f"{raising}\nreturn p / (p + q)", 2), (f"r = p / (p + q)\n{raising}", 3)):
        line = say("01.1", define("01.1", text), capsys)[1]
        assert line.startswith("01.1 " + LEFT_IN.format(number))
    text = RIGHT["01.5"][0].replace("super().__init__()", f"super().__init__()\n        {raising}")
    assert say("01.5", define("01.5", text), capsys)[1].startswith("01.5 " + LEFT_IN.format(4))


def test_without_the_cells_source_an_empty_exercise_is_not_started(capsys):
    names = {}
    exec(compile("def f(p, q):\n    raise NotImplementedError", "<nowhere>", "exec"), names)
    assert say("01.1", names["f"], capsys)[1] == f"01.1 ○ {EMPTY}"


# The numbers that hints rest on ----------------------------------------------------------------


def test_lines_read_as_the_lesson_shows_them(capsys):
    lines = [
        say("01.9", define("01.9", WRONG["01.9"][0][1]), capsys)[1],
        say("01.5", define("01.5", WRONG["01.5"][2][1]), capsys)[1],
        say("01.1", define("01.1", "return 1 / 0"), capsys)[1],
    ]
    assert lines == [
        "01.9 ✗ expected 1.386, got 0.6931; hint: add both halves: none left out, no average",
        "01.5 ✗ expected the reference's output for the same weights, got another; "
        "hint: the slope is 0.2; LeakyReLU() alone takes 0.01",
        "01.1 ✗ it raised ZeroDivisionError: division by zero (line 2 of your cell: return 1 / 0)",
    ]


def test_shapes_and_counts_that_checks_ask_for(capsys):
    def line(exercise_id, answer):
        return say(exercise_id, answer, capsys)[1]

    assert "expected 19,984 parameters, got 2" in line("01.4", lambda n, h: nn.Linear(1, 1))
    assert "expected 19,153 parameters, got 2" in line("01.5", lambda h: nn.Linear(1, 1))
    seen = []
    line("01.3", seen.append)
    assert seen[0].tolist() == [[[[0, 51, 255]]]]
    assert seen[0].dtype == torch.uint8


QUESTIONS = {
    "01.1": [
        ([0.5, 0.2, 0.9, 0.0], [0.5, 0.6, 0.1, 0.3]),
        ([[0.3, 0.6, 1.2]], [[0.1, 0.9, 0.4]]),
    ],
    "01.2": [([0.5, 0.1, 0.25],), ([[0.4], [0.8]],)],
    "01.3": [([[[[0, 51, 255]]]],), ([[[[255, 0], [1, 128]]]],)],
    "01.4": [(5, 12), (3, 7)],
    "01.5": [(12,), (7,)],
    "01.8": [([0.7, 2.0, -3.0, 0.5], [1.0, 0.0, 1.0, 0.0]), ([1000.0, -1000.0], [0.0, 1.0])],
    "01.9": [([[0.0]] * 4, [[0.0]] * 4), ([[3.0], [1.0]], [[-2.0], [0.5]])],
    "01.10": [([[0.0]] * 4,), ([[-2.0], [0.5]],)],
}
for _lesson in ANSWERS.values():
    QUESTIONS |= getattr(_lesson, "QUESTIONS", {})


@pytest.mark.parametrize("exercise_id", QUESTIONS)
def test_what_checks_ask(exercise_id):
    """The questions were chosen so that common mistakes give other values: keep them."""
    asked = []

    def answer(*args):
        asked.append(args)
        return EXERCISES[exercise_id].reference(*args)

    assert fits_the_examples(exercise_id, answer)
    assert len(asked) == len(QUESTIONS[exercise_id])
    for got, want in zip(asked, QUESTIONS[exercise_id]):
        assert len(got) == len(want)
        for value, expected in zip(got, want):
            assert torch.as_tensor(value).tolist() == torch.tensor(expected).tolist()


def test_the_game_that_steps_are_asked_to_play():
    """Four images in [-1, 1], fakes of a G with sizes 3 and 4, a D of size 4, plain SGD at 0.5."""
    asked = []

    def answer(*args):
        asked.append(args)
        return EXERCISES["01.6"].reference(*args)

    def g_answer(*args):
        asked.append(args)
        return EXERCISES["01.7"].reference(*args)

    assert fits_the_examples("01.6", answer)
    assert fits_the_examples("01.7", g_answer)
    D, solver, criterion, images, fakes = asked[0]
    assert [tuple(p.shape) for p in D.parameters()][:1] == [(8, 784)]
    assert images.shape == fakes.shape == (4, 1, 28, 28)
    assert -1 <= images.min() < -0.9
    assert 0.9 < images.max() <= 1
    assert type(criterion) is nn.BCELoss
    for asked_solver in (solver, asked[2][1]):
        assert type(asked_solver) is torch.optim.SGD
        assert [group["lr"] for group in asked_solver.param_groups] == [0.5]
    assert asked[2][1].param_groups[0]["params"][0].shape == (4, 3)
    assert torch.equal(asked[0][4], asked[2][3])
    decays = []
    assert fits_the_examples(
        "01.11", lambda a, m, d: decays.append(d) or EXERCISES["01.11"].reference(a, m, d)
    )
    assert decays == [0.9, 0.0]


def test_covariances_whose_roots_are_asked_for():
    """Two that commute, two that do not, and one that rounding has left a hair below 0."""
    asked = []
    assert fits_the_examples("05.4", lambda *a: asked.append(a) or EXERCISES["05.4"].reference(*a))
    assert [part.diag().tolist() for part in asked[0]] == [[1, 4, 9], [4, 1, 1]]
    lowest = [[torch.linalg.eigvalsh(part).min().item() for part in pair] for pair in asked]
    assert [[low < 0 for low in pair] for pair in lowest] == [[0, 0], [0, 0], [1, 0], [0, 1]]
    assert -1e-9 < min(map(min, lowest)) < -1e-11
    assert all(part.dtype == torch.float64 for pair in asked for part in pair)
    assert all(torch.equal(part, part.T) for pair in asked for part in pair)


@pytest.mark.parametrize("offset", [1e-3, -1e-3])
def test_tolerances_are_neither_wide_nor_narrow(offset):
    def is_right(exercise_id, change):
        reference = EXERCISES[exercise_id].reference
        return passes(exercise_id, lambda *a: change(reference(*a)))

    numbers = ("01.1", "01.3", "01.8", "01.9", "01.10", "04.1", "04.6", "04.8")
    for exercise_id in (*numbers, "05.1", "05.4", "05.5", "05.6", "05.7"):
        assert is_right(exercise_id, lambda value: value + offset / 100)
        assert not is_right(exercise_id, lambda value: value + offset)
    pairs = [(i, place) for i in ("01.2", "01.6", "05.2", "05.3") for place in (0, 1)]
    for exercise_id, place in [*pairs, ("01.6", 2), ("05.8", 1)]:

        def shift(values, by, place=place):
            return [v + by if i == place else v for i, v in enumerate(values)]

        assert is_right(exercise_id, lambda values: shift(values, offset / 100))
        assert not is_right(exercise_id, lambda values: shift(values, offset))


@pytest.mark.parametrize("which", ["weight", "bias"])
@pytest.mark.parametrize("late", [False, True])
def test_a_step_that_goes_slightly_astray_is_wrong(which, late):
    """Each parameter counts, in the first and in the second call."""

    def nudged(exercise_id, get_model):
        calls = []
        reference = EXERCISES[exercise_id].reference

        def answer(*args):
            calls.append(1)
            back = reference(*args)
            if late == (len(calls) == 2):
                with torch.no_grad():
                    getattr(get_model(args), which).view(-1)[0] += 1e-3
            return back

        return judge(EXERCISES[exercise_id].ask, answer)

    first = nudged("01.6", lambda args: args[0].layers[-2])
    assert first.mark == "wrong"
    assert ("zero_grad() before" if late else "one backward, on the whole loss") in first.text
    assert nudged("01.7", lambda args: args[0].layers[1]).mark == "wrong"
    assert nudged("01.11", lambda args: args[0]).mark == "wrong"
    assert "must not change" in nudged("01.11", lambda args: args[1]).text or late


@pytest.mark.parametrize("exercise_id", ["01.6", "01.7"])
def test_both_calls_of_a_step_are_looked_at(exercise_id):
    """A step that returns nonsense the second time only is still wrong."""
    reference, calls = EXERCISES[exercise_id].reference, []

    def answer(*args):
        calls.append(args)
        back = reference(*args)
        return back if len(calls) == 1 else None

    assert judge(EXERCISES[exercise_id].question, answer).mark == "wrong"
    assert len(calls) == 2
    fakes = calls[0][-1]
    assert fakes.shape == (4, 1, 28, 28)
    assert fakes.requires_grad


@pytest.mark.parametrize("exercise_id", ["01.8", "01.9", "01.10"])
def test_losses_need_the_right_gradient(exercise_id):
    reference = EXERCISES[exercise_id].reference

    def twice_as_steep(*args):
        loss = reference(*args)
        return 2 * loss - loss.detach()

    verdict = judge(EXERCISES[exercise_id].ask, twice_as_steep)
    assert verdict.mark == "wrong"
    assert "every score needs its gradient" in verdict.text


# Check itself -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("1.9", "expected '01.9' (this lesson has 01.1 to 01.11); got '1.9'"),
        ("01.99", "expected '01.9' or '01.8' or '01.7' (this lesson has 01.1 to 01.11)"),
        ("exercise 2,4", "expected '02.4' (this lesson has 02.1 to 02.9)"),
        (6.1, "expected '06.1', in quotes; got 6.1 without"),
        ("09.1", "expected a lesson and a number, such as '01.1'; got '09.1'"),
        ("", "such as '01.1'; got ''"),
        (None, "such as '01.1'; got None"),
        (["01.1"], "expected '01.1', in quotes; got ['01.1'] without"),
    ],
)
def test_an_unknown_exercise_is_answered_with_the_nearest_of_its_lesson(given, said):
    with pytest.raises(ValueError, match=r"^exercise_id: expected ") as caught:
        check(print, given)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 120


def test_a_stand_in_keeps_its_own_verdict(capsys):
    """Several wrong answers to one exercise: each stand-in remembers what it stands for."""
    first, first_line = say("01.1", lambda p, q: p / q, capsys)
    second, second_line = say("01.1", lambda p, q: q / (p + q), capsys)
    assert first_line != second_line
    say("01.1", lambda p, q: p / (p + q), capsys)
    assert say("01.1", first, capsys) == (first, first_line)
    assert say("01.1", second, capsys) == (second, second_line)


def test_a_stand_in_in_another_exercise_is_an_answer_like_any(capsys):
    loss, _ = say("01.10", lambda x: None, capsys)
    assert " ✗ " in say("01.9", loss, capsys)[1]


def test_what_is_made_from_a_stand_in_is_judged_anew(capsys):
    base, _ = say("01.5", lambda h: None, capsys)

    class Mine(base):
        pass

    back, line = say("01.5", Mine, capsys)
    assert line == "01.5 ✓ right"
    assert back is Mine


def test_stand_ins_look_like_the_reference(capsys):
    network, _ = say("01.4", None, capsys)
    assert network.__name__ == "Generator"
    assert network(3, 4)(torch.zeros(2, 3)).shape == (2, 1, 28, 28)
    function, _ = say("01.1", None, capsys)
    assert function.__name__ == "best_discriminator"
    assert function(torch.tensor(1.0), q=torch.tensor(3.0)) == 0.25


@pytest.mark.parametrize("value", ["1", "yes"])
def test_strict_raises_unless_right(monkeypatch, capsys, value):
    wrong, empty = WRONG["01.9"][0][1], "raise NotImplementedError"
    stand_ins = [check(define("01.9", text), "01.9") for text in (wrong, empty)]
    capsys.readouterr()
    monkeypatch.setenv("COURSE_STRICT", value)
    for answer in (define("01.9", wrong), stand_ins[0]):
        with pytest.raises(ExerciseNotPassed, match=r"01\.9 ✗ expected 1\.386, got 0\.6931; hint"):
            check(answer, "01.9")
    for answer in (define("01.9", empty), stand_ins[1]):
        with pytest.raises(ExerciseNotPassed, match=r"01\.9 ○ not started"):
            check(answer, "01.9")
    reference = EXERCISES["01.9"].reference
    assert check(reference, "01.9") is reference
    assert capsys.readouterr().out == "01.9 ✓ right\n"


@pytest.mark.parametrize("value", ["", "0"])
def test_not_strict(monkeypatch, capsys, value):
    monkeypatch.setenv("COURSE_STRICT", value)
    assert " ✗ " in say("01.9", lambda a, b: 1, capsys)[1]


# Answers that misbehave ---------------------------------------------------------------------------


class BrokenText(Exception):
    def __str__(self):
        raise RuntimeError("no text either")


def deep(*args):
    return deep(*args)


def leave(*args):
    sys.exit(0)


def throw(problem):
    def answer(*args):
        raise problem

    return answer


RAISING = [
    throw(SystemExit(1)),
    throw(KeyboardInterrupt()),
    throw(GeneratorExit()),
    throw(BaseException("odd")),
    throw(BrokenText()),
    throw(MemoryError()),
    throw(StopIteration()),
    throw(ValueError("bad \udc80 text")),
    throw(ValueError("several\nlines\n" * 100)),
    throw(AssertionError()),
    throw(NotImplementedError("with words, as PyTorch does")),
    deep,
    leave,
]


@pytest.mark.parametrize("exercise_id", ["01.1", "01.5", "01.7"])
@pytest.mark.parametrize("number", range(len(RAISING)))
def test_answers_that_raise(exercise_id, number, capsys):
    back, line = say(exercise_id, RAISING[number], capsys)
    assert line.startswith(f"{exercise_id} ✗ ")
    assert len(line) < 300
    assert line == line.encode("utf-8", "replace").decode()
    assert passes(exercise_id, back)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "it raised SystemExit: 1"),
        (1, "it raised KeyboardInterrupt: -"),
        (4, "it raised BrokenText: (it cannot say what is wrong)"),
        (7, r"it raised ValueError: bad \udc80 text"),
        (8, "several lines several lines"),
        (9, "an assert of your own failed"),
        (10, "it raised NotImplementedError: with words"),
        (11, "it raised RecursionError: maximum recursion"),
    ],
)
def test_what_is_said_of_answers_that_raise(number, words, capsys):
    assert words in say("01.1", RAISING[number], capsys)[1]


ENDLESS = {
    "pass": "while True: pass",
    "swallows": """
        while True:
            try:
                p.add(q)  # a call: Python 3.10 looks for the stop only at calls here
            except Exception:
                pass
        """,
    "sleeps": "import time\ntime.sleep(3)",
    "generator": "return sum(0 for _ in iter(lambda: 0, 1))",
    "text": """
        r = 0
        class Slow(Exception):
            def __str__(self):
                while True: pass
        raise Slow
        """,
    "returned": """
        r = 0
        class Slow:
            def __str__(self):
                while True: pass
        return Slow()
        """,
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_answers_that_do_not_end(kind, hurry, capsys):
    body = ENDLESS[kind]
    before = random.getstate()
    back, line = say("01.1", define("01.1", body), capsys)
    assert line == (
        "01.1 ✗ it was still running after 0.2 seconds; hint: does a loop in it ever end?"
    )
    assert random.getstate() == before
    assert capsys.readouterr().err == ""
    assert say("01.1", back, capsys) == (back, line)
    assert passes("01.1", back)


def test_a_loop_is_left_behind_even_if_it_swallows_everything(hurry, capsys):
    text = """
        def best_discriminator(p, q):
            while not done:
                try:
                    for _ in range(1000): pass
                except:
                    pass
        done = []
        """
    answer = define("01.1", text)
    assert "still running" in say("01.1", answer, capsys)[1]
    answer.__globals__["done"].append(True)  # let it go, for the sake of the other tests


def test_loops_that_can_be_stopped_are(hurry, capsys):
    before = set(threading.enumerate())  # loops of other tests may still be about
    say("01.1", define("01.1", ENDLESS["pass"]), capsys)
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive()


def test_the_limit_leaves_time_for_slow_machines():
    assert 5 <= judging.TIME_LIMIT <= 60
    assert judge(lambda answer: time.sleep(0.3), print, seconds=5) == Verdict("right", "right")
    late = judge(lambda answer: time.sleep(0.3), print, seconds=0.1)
    assert late.text.startswith("it was still running after 0.1 seconds")


def test_an_interrupt_by_the_student_stops_the_answer(monkeypatch):
    monkeypatch.setattr(threading.Thread, "join", _interrupted(threading.Thread.join), raising=True)
    ended = []

    def answer_runs(answer):
        try:
            while True:
                pass
        finally:
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        judge(answer_runs, print)
    assert ended


def _interrupted(join):
    calls = []

    def join_once_interrupted(self, timeout=None):
        calls.append(timeout)
        if len(calls) == 1:
            time.sleep(0.1)
            raise KeyboardInterrupt
        return join(self, timeout)

    return join_once_interrupted


class Hostile:
    """Nothing can be asked of it."""

    def _no(self, *args):
        raise RuntimeError("no")

    __eq__ = __bool__ = __float__ = __iter__ = __len__ = __str__ = __repr__ = __int__ = _no
    __getattr__ = __hash__ = __add__ = __torch_function__ = _no


class HostileCallable(Hostile):
    def __call__(self, *args):
        return Hostile()


class Liar:
    """Says that it is a tensor."""

    __class__ = torch.Tensor


NONSENSE = [
    None,
    "text",
    b"bytes",
    0,
    -1,
    10**400,
    float("nan"),
    float("inf"),
    1j,
    True,
    (),
    [],
    {},
    set(),
    (None, None),
    (None, None, None),
    ["a", "b", "c"],
    object(),
    object,
    type,
    types.ModuleType("m"),
    np.zeros(3),
    np.float32(1.0),
    torch.tensor(float("nan")),
    torch.tensor(1j),
    torch.zeros(0),
    torch.zeros(4, dtype=torch.int64),
    torch.zeros(4, dtype=torch.bool),
    torch.zeros(4, 4).to_sparse(),
    torch.empty(4, device="meta"),
    torch.full((4,), 1e38),
    (torch.zeros(4, 1),) * 2,
    (torch.zeros(4, 1),) * 3,
    (torch.tensor(float("nan")),) * 3,
    nn.Linear(2, 2),
    nn.Identity(),
    nn.Module(),
    nn.Linear,
    nn.Sequential,
    lambda: None,
    lambda *args: args,
    print,
    Hostile(),
    HostileCallable(),
    Liar(),
    Hostile,
    (x for x in "abc"),
]


@pytest.mark.parametrize("exercise_id", NAMES)
@pytest.mark.filterwarnings("ignore")
def test_nonsense_gets_a_verdict(exercise_id, capsys):
    for value in NONSENSE:
        for answer in (value, lambda *args, value=value: value):
            back, line = say(exercise_id, answer, capsys)
            assert line.startswith(f"{exercise_id} ✗ ")
            assert "\n" not in line
            assert back is not answer
    assert passes(exercise_id, back)


def test_what_is_no_function_is_told_so(capsys):
    network = nn.Linear(2, 2)
    for answer, name in ((3, "int '3'"), (network, "a network (Linear)"), ("f", "str 'f'")):
        assert say("01.5", answer, capsys)[1] == (
            f"01.5 ✗ expected a function or a class, got {name}; "
            "hint: give `check` its bare name, without ( )"
        )


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(), max_size=5)
    | st.binary(max_size=5)
    | st.sampled_from([torch.int64, nn.ReLU, torch, torch.relu, torch.zeros(2, 2)])
    | st.builds(Hostile)
    | st.lists(st.floats(width=32), max_size=4).map(torch.tensor),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.tuples(inner, inner, inner)
        | st.dictionaries(st.integers(), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(list(NAMES)), anything, st.booleans())
@pytest.mark.filterwarnings("ignore")
def test_no_answer_breaks_the_notebook(exercise_id, value, wrap):
    back = check((lambda *args: value) if wrap else value, exercise_id)
    assert callable(back)


# Answers that change the world -----------------------------------------------------------------


def random_states():
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.get_rng_state().tolist(),
    )


MEDDLING = {
    "torch": "torch.manual_seed(5)\ntorch.rand(3)",
    "python": "import random\nrandom.seed(5)\nrandom.random()",
    "numpy": "import numpy\nnumpy.random.seed(5)\nnumpy.random.rand()",
    "dtype": "torch.set_default_dtype(torch.float64)",
    "grad": "torch.set_grad_enabled(False)",
    "device": "torch.set_default_device('meta')",
    "threads": "torch.set_num_threads(torch.get_num_threads() + 1)",
    "stdout": "import sys, io\nsys.stdout = io.StringIO()\nsys.stderr = None",
    "environ": "import os\nos.environ['COURSE_STRICT'] = '1'\nos.environ.pop('PATH')",
}


@pytest.mark.parametrize("exercise_id", ["01.1", "01.5", "01.6"])
@pytest.mark.parametrize("kind", MEDDLING)
def test_the_world_is_as_it_was(exercise_id, kind, capsys):
    def look():
        return (
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.get_default_device(),
            torch.get_num_threads(),
            sys.stdout,
            sys.stderr,
            dict(os.environ),
            random_states(),
        )

    before = look()
    names = {"torch": torch}
    body = "".join(f"    {line}\n" for line in MEDDLING[kind].splitlines())
    exec(f"def answer(*args):\n{body}", names)
    back, line = say(exercise_id, names["answer"], capsys)
    assert look() == before
    assert " ✗ " in line
    assert passes(exercise_id, back)
    assert look() == before


@pytest.mark.parametrize("exercise_id", NAMES)
def test_watching_never_changes_a_run(exercise_id, capsys):
    before = random_states()
    check(EXERCISES[exercise_id].reference, exercise_id)
    check(define(exercise_id, WRONG[exercise_id][0][1]), exercise_id)
    assert random_states() == before


def test_a_notebook_in_float64_changes_no_verdict(capsys):
    torch.set_default_dtype(torch.float64)
    try:
        for exercise_id in NAMES:
            assert passes(exercise_id, EXERCISES[exercise_id].reference)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_verdicts_do_not_hang_on_the_random_state(capsys):
    answers = [(i, define(i, WRONG[i][0][1])) for i in ("01.4", "01.5", "01.6", "01.7", "01.11")]
    lines = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        lines.append([say(*pair, capsys)[1] for pair in answers])
    assert lines[0] == lines[1]


def test_a_spoiled_pytorch_gets_a_verdict_too(monkeypatch, capsys):
    def spoil(*args):
        monkeypatch.setattr(nn, "BCELoss", None)
        monkeypatch.setattr(exercises.lesson01, "discriminator_loss", None)

    reference = EXERCISES["01.9"].reference
    back, line = say("01.9", spoil, capsys)
    assert " ✗ " in line
    assert back(torch.zeros(2, 1), torch.zeros(2, 1)).item() == pytest.approx(1.3863, abs=1e-4)
    assert " ✗ " in say("01.6", define("01.6", D_STEP), capsys)[1]  # named, not crashed
    monkeypatch.undo()
    assert passes("01.9", reference)
    assert passes("01.7", define("01.7", G_STEP))


def test_answers_may_print(capsys):
    assert check(define("01.1", "print('hello')\nreturn p / (p + q)"), "01.1")
    assert capsys.readouterr().out == "hello\nhello\n01.1 ✓ right\n"  # two examples


def test_answers_that_change_what_they_are_given(capsys):
    """The expected value is worked out apart from what the answer is handed."""
    assert " ✗ " in say("01.1", define("01.1", "p.fill_(1); q.fill_(1); return p"), capsys)[1]
    body = "pixels.fill_(0)\nreturn pixels.float() / 127.5 - 1"
    assert " ✗ " in say("01.3", define("01.3", body), capsys)[1]
