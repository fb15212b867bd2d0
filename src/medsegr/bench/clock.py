"""How long something takes: the least of several repeats, by the clock and in processor time; and how much
memory."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


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
    return time.process_time() + sum(os.times()[2:4])  # finer than the ticks of os.times for this one


def memory() -> int:
    """The most memory that this process has held, in bytes; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if sys.platform == "linux":  # there ru_maxrss begins with the memory of the process that started this one
        told = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        most = next((int(line.split()[1]) * 1024 for line in told if line.startswith("VmHWM")), most)
    return most
