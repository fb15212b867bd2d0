"""A bell for each job: threads ring it when something happened, streams of events wait for it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Bell:
    """Wakes who waits for a job, in whatever event loop they wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}

    def ring(self, job: str) -> None:
        """Something happened to a job. From any thread."""
        with self._lock:
            waiting = list(self._waiting.get(job, ()))
        for loop, event in waiting:
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # that loop has ended, and with it who waited
                continue

    def ring_all(self) -> None:
        """Wake everybody: the server is about to end."""
        with self._lock:
            jobs = list(self._waiting)
        for job in jobs:
            self.ring(job)

    @contextmanager
    def listening(self, job: str) -> Iterator[asyncio.Event]:
        """An event that is set at each ring; whoever waits clears it."""
        mine = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._waiting.setdefault(job, []).append(mine)
        try:
            yield mine[1]
        finally:
            with self._lock:
                self._waiting[job].remove(mine)
                if not self._waiting[job]:
                    del self._waiting[job]
