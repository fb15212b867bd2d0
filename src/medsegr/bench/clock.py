"""How long something takes: the least of several repeats, by the clock and in processor time."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Least:
    """Seconds by the clock and of the processors, of all threads and ended child processes."""

    wall: float
    cpu: float


def least(call: Callable[[], object], repeats: int, before: bool = True) -> Least:
    """The least of ``repeats`` calls, each number for itself; ``before``: one call first that does not
    count."""
    if before:
        call()
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), processors()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(processors() - cpu)
    return Least(min(walls), min(cpus))


def processors() -> float:
    """Processor seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])
