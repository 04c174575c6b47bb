"""What several test files share: one way to ask for a complaint, students' answers,
damaged files, and mathematics done by hand."""

from __future__ import annotations

import inspect
import linecache
import re
import textwrap
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import settings
from torch import Tensor, nn
from torch.nn import functional as F

torch.set_num_threads(1)  # for tensors this small, threads that wait for each other are slower

# For property tests: the same examples on every machine, and no time limit on any.
steady = settings(max_examples=30, deadline=None, derandomize=True, database=None)


def bad_inputs(*rows: tuple[str, Callable[[], Any], type[Exception], str, str]):
    """Run the test once a row: (what is wrong, the call, the error, the argument, what came)."""
    return pytest.mark.parametrize(
        "call, error, name, got", [pytest.param(*row[1:], id=row[0]) for row in rows]
    )


def assert_complains(call: Callable[[], Any], error: type[Exception], name: str, got: str) -> None:
    """`call` raises `error`, with the argument's name, what was expected, and what came."""
    with pytest.raises(error) as caught:
        call()
    assert caught.type is error
    pattern = rf"{re.escape(name)}: expected \S.*[,;] got .*{re.escape(got)}"
    assert re.match(pattern, str(caught.value), flags=re.DOTALL), str(caught.value)


def read_arguments(function: Callable) -> str:
    """The arguments as a caller sees them, without the types: 'lr=0.001, *, seed=None'."""
    signature = inspect.signature(function)
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(plain))[1:-1]


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)), written so that it stays finite: -log sigmoid(-x)."""
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


class HandAdam:
    """Adam as its paper writes it (Kingma and Ba 2014, arXiv 1412.6980, algorithm 1)."""

    def __init__(
        self, parameters: Sequence[Tensor], lr: float, betas: tuple[float, float], eps: float = 1e-8
    ) -> None:
        self.parameters, self.lr, self.betas, self.eps = list(parameters), lr, betas, eps
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.t = 0

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        self.t += 1
        beta1, beta2 = self.betas
        for index, (p, g) in enumerate(zip(self.parameters, gradients, strict=True)):
            m = self.first[index] = beta1 * self.first[index] + (1 - beta1) * g
            v = self.second[index] = beta2 * self.second[index] + (1 - beta2) * g**2
            m_hat, v_hat = m / (1 - beta1**self.t), v / (1 - beta2**self.t)
            p -= self.lr * m_hat / (v_hat.sqrt() + self.eps)


# --- what students write -----------------------------------------------------------------------


def define_answer(
    answer: str, name: str, head: str, whole: str | tuple[str, ...], **known: Any
) -> Any:
    """What a notebook cell with this answer defines under `name`.

    An answer is a whole cell where it begins with one of `whole`; otherwise it is the text below
    `head`. `known` are further names that the cells before it define.
    """
    text = textwrap.dedent(answer).strip("\n")
    if not text.startswith(whole):
        text = head + "\n" + textwrap.indent(text, "    ")
    names = {"torch": torch, "nn": nn, "F": F} | known
    file = f"/tmp/ipykernel_7/{zlib.crc32(text.encode())}.py"  # as Jupyter names each cell
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), names)
    return names[name]


def swap(text: str, *changes: tuple[str, str]) -> str:
    """`text` with each change made once; a change that finds nothing is a mistake of ours."""
    for old, new in changes:
        assert text.count(old) == 1, (old, text.count(old))
        text = text.replace(old, new)
    return text


# --- damaged files -----------------------------------------------------------------------------


def flip(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {  # None: the file is gone
    "missing": lambda data: None,
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "first bit": lambda data: flip(data, 0),
    "middle bit": lambda data: flip(data, len(data) // 2),
    "last bit": lambda data: flip(data, len(data) - 1),
    "longer": lambda data: data + b"\0",
}
