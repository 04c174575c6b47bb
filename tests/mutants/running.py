"""All mutants of some exercises, judged in processes that may be left behind."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection

from .generate import Mutant
from .judging import Result, judge_mutant, mutants_of

PATIENCE = 60.0  # seconds without a result: the process hangs in code that nothing interrupts
PROCESSES = 2

_processes = multiprocessing.get_context("spawn")


def run(exercises: list[str], every: int = 1) -> Iterator[Result]:
    """The result of each `every`-th mutant of each exercise, as they come."""
    waiting: queue.Queue[str] = queue.Queue()
    results: queue.Queue[Result | None] = queue.Queue()
    for exercise in exercises:
        waiting.put(exercise)
    threads = [
        threading.Thread(target=_supervise, args=(waiting, results, every), daemon=True)
        for _ in range(PROCESSES)
    ]
    for thread in threads:
        thread.start()
    ended = 0
    while ended < len(threads):
        result = results.get()
        if result is None:
            ended += 1
        else:
            yield result


def _supervise(waiting: queue.Queue, results: queue.Queue, every: int) -> None:
    """Have one exercise after the other judged by one process, and by another if it hangs."""
    worker = _Worker()
    while True:
        try:
            exercise = waiting.get_nowait()
        except queue.Empty:
            break
        start = 0
        while start is not None:
            worker.pipe.send((exercise, start, every))
            start = worker.pass_on(results, start, every)
            if start is not None:
                worker.stop()
                worker = _Worker()
    worker.stop()
    results.put(None)


class _Worker:
    def __init__(self) -> None:
        self.pipe, other = _processes.Pipe()
        self.process = _processes.Process(target=_work, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def pass_on(self, results: queue.Queue, place: int, every: int) -> int | None:
        """Results into `results` to the end; where it hangs, the place to go on from."""
        mutant = None
        while True:
            try:
                message = self.pipe.recv() if self.pipe.poll(PATIENCE) else None
            except EOFError:
                message = None
            if message is None:
                if mutant is None:
                    raise RuntimeError("a process ended before its first mutant")
                results.put(Result(mutant, "wrong"))
                return place + every
            if message == "end":
                return None
            if isinstance(message, tuple):
                place, mutant = message  # the one that comes next
            else:
                results.put(message)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()


def _work(pipe: Connection) -> None:
    import torch

    torch.set_num_threads(1)
    torch.cuda.manual_seed_all = lambda seed: None  # without a card it only notes each call, slowly
    os.nice(5)
    while True:
        exercise, start, every = pipe.recv()
        mutants: list[Mutant] = mutants_of(exercise)
        for place in range(start, len(mutants), every):
            pipe.send((place, mutants[place]))
            pipe.send(judge_mutant(mutants[place]))
        pipe.send("end")
