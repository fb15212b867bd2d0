"""Worker processes of a batch, which Ctrl-C does not reach: it goes to the whole group, and the first process
decides."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def pool_of(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes. When the batch stops early, jobs that run are ended well and no other is begun."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_leave_interrupts)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def given(pool: ProcessPoolExecutor, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> Future[T]:
    """Work given to the pool. Ctrl-C waits meanwhile, in this thread and in a worker that is begun for it,
    which would die of it with a traceback before it can leave it be."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        return pool.submit(work, *args, **more)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        return pool.submit(work, *args, **more)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
