"""Speed, around the step and never inside it: precision, memory layout, fused updates, graphs.

Everything here leaves the mathematics as it is, and is undone or harmless afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from ..layers import copy_network
from ..settings import fork_random
from ..validation import need_bool, need_choice, trusted
from .graphs import Graphed, count_on_device
from .scaling import LossScaling
from .step import AdversarialStep

T = TypeVar("T")
Advance = Callable[[Tensor, Tensor], dict[str, Tensor]]
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
DROPOUTS = (nn.modules.dropout._DropoutNd,)
SHAPE_ONLY = ("View", "UnsafeView", "Reshape", "Squeeze", "Unsqueeze", "Select", "Clone", "Alias")
PRECISIONS = ("auto", "bf16", "fp16", "fp32")
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Switches:
    """What `train` may choose by itself: None means "choose", True and False decide.

    Args:
        precision: "auto", "bf16", "fp16" or "fp32". In fp16 losses are scaled (`scaling.py`),
            which a step of your own takes part in where its updates end in `descend`.
        channels_last: pixels before channels in memory, for networks with convolutions.
        fused: one kernel for the whole update, for Adam and AdamW on a CPU or CUDA.
        graph: on CUDA, replay the step as one captured graph. It repeats what Python decided in
            the captured step; True captures a step of your own too, see `uses_graph`.
    """

    precision: str = "auto"
    channels_last: bool | None = None
    fused: bool | None = None
    graph: bool | None = None

    def __post_init__(self) -> None:
        need_choice(self.precision, "precision", PRECISIONS)
        for name in ("channels_last", "fused", "graph"):
            if getattr(self, name) is not None:
                need_bool(getattr(self, name), name)


def choose_precision(precision: str, device: torch.device | str) -> str:
    """What "auto" means on `device`: "bf16", "fp16" or "fp32"; these are taken as they are.

    bf16 where the hardware multiplies it natively (a CPU with avx512_bf16 or AMX, a GPU from
    Ampere on), fp16 on GPUs that have only that (a T4); fp32 elsewhere, Apple's GPU included.
    """
    if need_choice(precision, "precision", PRECISIONS) != "auto":
        return precision
    kind = torch.device(device).type
    if kind == "cuda":
        return _choose_for_card(torch.cuda.get_device_capability())
    return "bf16" if kind == "cpu" and _cpu_has_bf16() else "fp32"


def _choose_precision(step: AdversarialStep, switches: Switches) -> str:
    """The same for networks, which keep a precision of their own where that is not float32."""
    own = {p.dtype for network in (step.D, step.G) for p in network.parameters()}
    if own == {torch.float32}:
        chosen = choose_precision(switches.precision, step.device)
        if chosen == "fp16" and switches.precision == "auto" and step.has_own_updates:
            return "fp32"  # nobody knows whether its losses are scaled
        return chosen
    if switches.precision != "auto":
        raise ValueError(
            "precision: expected 'auto' for networks that are not float32, got "
            f"{switches.precision!r}"
        )
    return str(next(step.G.parameters()).dtype).removeprefix("torch.")


@contextmanager
def accelerated(
    step: AdversarialStep, images: Tensor, switches: Switches, after: Callable[[], None]
) -> Iterator[tuple[Advance, str]]:
    """Inside, `step` is fast: a function to call in its place, and what was chosen, in words.

    Args:
        step: the step; its networks stay in the memory layout that is chosen.
        images: a first batch, to try D on.
        switches: the choices made by the caller.
        after: called after each step, in the same graph: the averaging of G.
    """
    said = [_choose_precision(step, switches)]
    with ExitStack() as stack:
        if said[0] in HALVES:
            said += _use_half(step, images, HALVES[said[0]], stack)
        if said[0] == "fp16":
            _use_scaling(step, stack)
            said.append("scaled losses")
        layout = torch.preserve_format
        if images.ndim == 4 and _use_channels_last(step, images, switches.channels_last):
            said.append("channels_last")
            layout = torch.channels_last
        fused = [_use_fused(solver, switches.fused) for solver in (step.D_solver, step.G_solver)]
        if all(fused):
            said.append("fused Adam")
        if step.freeze:
            said.append("D frozen while G trains")
        said.append(_choose_passes(step, images, stack))

        def advance(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
            with trusted():
                scores = step(images.contiguous(memory_format=layout), labels)
                after()
            return scores

        if uses_graph(step, switches):
            advance = Graphed(advance, step)
            stack.callback(advance.close)
            said.append("CUDA graph")
        yield advance, ", ".join(said)


def uses_graph(step: AdversarialStep, switches: Switches) -> bool:
    """Whether the step is captured: on CUDA, and by itself only where nothing in it can vary.

    A graph repeats what it has seen once. A step of your own may decide something in Python
    ("update G every fifth time"), and an optimiser may count there: those run as they are.
    """
    if step.device.type != "cuda" or switches.graph is not None:
        return step.device.type == "cuda" and bool(switches.graph)
    if step.has_own_updates or step.overrides("__call__", "score_both", "score", "draw_noise"):
        return False
    return all("capturable" in group for group in step.param_groups)


def match_layout(solver: Optimizer) -> None:
    """Lay out each state tensor as its parameter lies.

    A fused kernel walks through both in the order of memory: were they laid out differently, it
    would pair numbers that do not belong together, and say nothing.
    """
    for parameter, state in solver.state.items():
        for name, value in state.items():
            same = isinstance(value, Tensor) and value.shape == parameter.shape
            if same and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter).copy_(value)


def _use_half(
    step: AdversarialStep, images: Tensor, dtype: torch.dtype, stack: ExitStack
) -> list[str]:
    """Forward passes in bf16 or fp16 where that is safe; losses and penalties never see it."""
    networks = [step.G, step.D]
    said = []
    if _ends_in_functional_sigmoid(step.D, images):
        networks.remove(step.D)
        said.append("D in fp32 (it ends in a sigmoid)")
    mixed = MixedPrecision(step.device.type, dtype)
    stack.callback(mixed.leave)
    mixed.enter(*networks)
    if step.penalty is not None:
        stack.callback(setattr, step, "penalty", step.penalty)
        step.penalty = mixed.without(step.penalty)
    return said


def _use_scaling(step: AdversarialStep, stack: ExitStack) -> None:
    """Let the step's updates go through scaled losses; the factors stay for a run that goes on."""
    if step.scaling is None:
        step.scaling = LossScaling(step.D_solver, step.G_solver, step.device.type)
    step.descend = step.scaling.descend
    stack.callback(delattr, step, "descend")


class MixedPrecision:
    """bf16 or fp16 for the forward passes of some networks, by hooks; float32 comes out.

    A sigmoid layer is computed in float32: in bf16, sigmoid(7) is exactly 1.
    """

    def __init__(self, device_type: str, dtype: torch.dtype = torch.bfloat16) -> None:
        self.device_type, self.dtype = device_type, dtype
        self.active = True
        self._own: set[int] = set()  # by identity: a copy made in a callback brings its hooks along
        self._open: list[torch.autocast] = []  # a stack: one network may call another
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []

    def enter(self, *networks: nn.Module) -> None:
        for network in networks:
            self._own.add(id(network))
            self._hooks += [
                network.register_forward_pre_hook(self._before),
                # always: a forward that fails must not leave autocast switched on
                network.register_forward_hook(self._after, always_call=True),
            ]
            self._hooks += [
                layer.register_forward_pre_hook(_to_float32)
                for layer in network.modules()
                if isinstance(layer, nn.Sigmoid)
            ]

    def leave(self) -> None:
        for hook in self._hooks:
            hook.remove()

    def without(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """`function`, with all networks in float32 while it runs."""

        def in_float32(*arguments: object) -> Tensor:
            self.active = False
            try:
                return function(*arguments)
            finally:
                self.active = True

        return in_float32

    def _before(self, network: nn.Module, inputs: tuple) -> None:
        active = self.active and id(network) in self._own
        context = torch.autocast(self.device_type, self.dtype, enabled=active)
        context.__enter__()
        self._open.append(context)

    def _after(self, network: nn.Module, inputs: tuple, output: object) -> object:
        self._open.pop().__exit__(None, None, None)
        return output.float() if isinstance(output, Tensor) else output


def _use_channels_last(step: AdversarialStep, images: Tensor, wanted: bool | None) -> bool:
    networks = [step.D, step.G] + ([step.averaged] if step.averaged is not None else [])
    networks = [n for n in networks if wanted is not False and _has_convolutions(n)]
    if wanted is None and not all(_takes_channels_last(n, step, images) for n in networks):
        return False
    for network in networks:
        network.to(memory_format=torch.channels_last)
    for solver in (step.D_solver, step.G_solver):
        match_layout(solver)
    return bool(networks)


def _takes_channels_last(network: nn.Module, step: AdversarialStep, images: Tensor) -> bool:
    """Whether a forward pass works in that layout: a `view` after a convolution does not."""
    first = images[:2].contiguous(memory_format=torch.channels_last)
    if network is not step.D:
        first = next(network.parameters()).new_zeros(2, step.noise_size + step.classes)

    @torch.no_grad()
    def forward(guest: nn.Module) -> Tensor:
        return guest.eval().to(memory_format=torch.channels_last)(first)

    return _try_out(network, forward) is not None


def _use_fused(solver: Optimizer, wanted: bool | None) -> bool:
    """Switch an Adam to its fused kernel, unless its owner chose otherwise. Whether it is fused."""
    if type(solver) not in (Adam, AdamW):
        return False
    for group in solver.param_groups:
        able = all(
            p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in group["params"]
        )
        undecided = group.get("fused") is None and not group.get("foreach") and able
        if wanted is not None or undecided:
            group["fused"] = able and wanted is not False
        if group["fused"]:
            group["foreach"] = False
    if not all(group.get("fused") for group in solver.param_groups):
        return False
    count_on_device(solver, torch.float32)
    return True


def _choose_passes(step: AdversarialStep, images: Tensor, stack: ExitStack) -> str:
    """Let D see real and fake together, where no layer looks at the whole batch."""
    if step.one_pass is None:
        stack.callback(setattr, step, "one_pass", None)
        step.one_pass = not looks_at_batch(step.D, images)
    return "one pass of D over real and fake" if step.one_pass else "D sees real and fake apart"


def looks_at_batch(network: nn.Module, images: Tensor) -> bool:
    """Whether an image's score depends on the other images, or a pass leaves traces (buffers).

    Batch norm does both, spectral norm the second; tried out on a copy, with dropout off. Where
    it cannot be tried the answer is yes, as that is the safe one.
    """
    images = images[:8]
    if len(images) < 2 or any(True for _ in network.buffers()):
        return True

    @torch.no_grad()
    def differs(guest: nn.Module) -> bool:
        for layer in guest.train().modules():
            if isinstance(layer, DROPOUTS):
                layer.eval()
        together, alone = guest(images), guest(images[: len(images) // 2])
        return not torch.allclose(together[: len(alone)], alone, rtol=1e-3, atol=1e-5)

    return _try_out(network, differs) is not False


def _ends_in_functional_sigmoid(network: nn.Module, images: Tensor) -> bool:
    """Whether D's last operation is a sigmoid that is no layer, which no hook can keep in fp32."""

    @torch.enable_grad()
    def ends(guest: nn.Module) -> bool:
        by_layers = []
        for layer in guest.requires_grad_(True).modules():
            if isinstance(layer, nn.Sigmoid):
                layer.register_forward_hook(
                    lambda layer, inputs, output: by_layers.append(output.grad_fn)
                )
        node = guest(images[:2]).grad_fn
        while node is not None and type(node).__name__.startswith(SHAPE_ONLY):
            node = node.next_functions[0][0]
        return type(node).__name__.startswith("Sigmoid") and node not in by_layers

    return bool(_try_out(network, ends))


def _try_out(network: nn.Module, question: Callable[[nn.Module], T]) -> T | None:
    """The answer of `question(a copy of network)`; no random state changes.

    None where there is none: a network may hold what cannot be copied, or take more than images.
    What to do then is for its owner to decide.
    """
    with fork_random():
        try:
            return question(copy_network(network))
        except Exception:
            return None


def _has_convolutions(network: nn.Module) -> bool:
    return any(isinstance(layer, CONVOLUTIONS) for layer in network.modules())


def _to_float32(layer: nn.Module, inputs: tuple) -> tuple:
    return tuple(value.float() for value in inputs)


def _cpu_has_bf16() -> bool:
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # absent in older torch
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)


def _choose_for_card(capability: tuple[int, int]) -> str:
    # not is_bf16_supported: that counts emulation
    if capability >= (8, 0):
        return "bf16"
    return "fp16" if capability >= (7, 0) else "fp32"  # tensor cores came with Volta
