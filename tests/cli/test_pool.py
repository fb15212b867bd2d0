"""Workers are begun while Ctrl-C is held back, and it is heard afterwards."""

import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import pytest

from medsegr.cli.pool import given, pool_of

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system holds none back")


class Pressed(ProcessPoolExecutor):
    """A pool at whose beginning somebody presses Ctrl-C."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def submit(self, work: Any, /, *args: Any, **more: Any) -> Future[Any]:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # other threads do not hold it back
        self.told = [work, *args]  # reached: nothing was raised in the midst of it
        return Future()


def test_ctrl_c_waits_until_a_worker_is_begun() -> None:
    pool = Pressed()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have begun us deaf to it
    try:
        with pytest.raises(KeyboardInterrupt):
            given(pool, len, "abc")
    finally:
        signal.signal(signal.SIGINT, before)
    assert pool.told == [len, "abc"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def ignored() -> bool:
    """Whether this process leaves Ctrl-C be."""
    held = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return held and signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_worker_is_deaf_to_it_from_its_first_moment() -> None:
    with pool_of(1) as pool:
        assert given(pool, ignored).result()
