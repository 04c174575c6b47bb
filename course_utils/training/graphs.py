"""A whole training step as one CUDA graph: small networks wait for launches, not arithmetic."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer

from .step import AdversarialStep

WARM_UP = 3  # steps before the capture: the libraries choose their kernels in them


class Graphed:
    """Calls `advance` for some steps, then captures it once and replays what was captured.

    The first steps are real steps, the capture runs none. Batches of another size than the
    captured one (the last of an epoch) run as they are. Noise and dropout differ from replay to
    replay, as both draw from generators that the graph knows. Where capturing fails, training
    goes on without, and says so.
    """

    def __init__(
        self, advance: Callable[[Tensor, Tensor], dict[str, Tensor]], step: AdversarialStep
    ) -> None:
        self._advance, self._step = advance, step
        self._stream = torch.cuda.Stream()
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._failed = False
        self._groups = [
            (group, group["capturable"]) for group in step.param_groups if "capturable" in group
        ]
        for group, _ in self._groups:
            group["capturable"] = True
            # a tensor is read anew at each replay; a number would stay as it was captured
            group["lr"] = torch.tensor(float(group["lr"]), device=step.device)
        for solver in (step.D_solver, step.G_solver):
            count_on_device(solver)

    def close(self) -> None:
        """Leave the solvers as they were, but for what they have learned."""
        for group, capturable in self._groups:
            group["capturable"], group["lr"] = capturable, float(group["lr"])

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        if self._graph is not None and images.shape == self._images.shape:
            self._images.copy_(images)
            self._labels.copy_(labels)
            self._graph.replay()
            return self._scores
        self._calls += 1
        if self._calls <= WARM_UP or self._failed or self._graph is not None:
            return self._run_beside(images, labels)
        self._capture(images, labels)
        return self(images, labels)

    def _run_beside(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """One plain step on a stream of its own, as a capture asks of the steps before it."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*capturable.*")  # the capture will come
            scores = self._advance(images, labels)
        torch.cuda.current_stream().wait_stream(self._stream)
        return scores

    def _capture(self, images: Tensor, labels: Tensor) -> None:
        self._images, self._labels = images.clone(), labels.clone()
        for solver in (self._step.D_solver, self._step.G_solver):
            solver.zero_grad(set_to_none=True)  # gradients must be born inside the graph
        graph, here = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        noise = self._step.generator.get_state()
        randomness = torch.cuda.default_generators[torch.cuda.current_device()]
        spare = randomness.clone_state()
        try:
            graph.register_generator_state(self._step.generator)
            # thread_local: what a loader's thread does meanwhile is none of the graph's business
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                self._scores = self._advance(self._images, self._labels)
        except RuntimeError as error:
            self._failed = True
            torch.cuda.synchronize()
            torch.cuda.set_stream(here)  # some versions of torch leave theirs in place
            self._step.generator = torch.Generator(self._step.device)  # the old one may be stuck
            self._step.generator.set_state(noise)
            randomness.graphsafe_set_state(spare)  # its own state still waits for the capture
            reason = str(error).partition("\n")[0]
            print(f"no CUDA graph for this step, so it runs as it is: {reason}")
        else:
            self._graph = graph


def count_on_device(solver: Optimizer, dtype: torch.dtype | None = None) -> None:
    """Move a solver's counts of steps to where its parameters are: some kernels count there."""
    for parameter, state in solver.state.items():
        if "step" in state:
            state["step"] = torch.as_tensor(state["step"], dtype=dtype, device=parameter.device)
