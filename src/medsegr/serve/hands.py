"""Who does a job: a process of its own, or a thread of the server. The crew treats them alike."""

import queue
import threading
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, runtime_checkable

from medsegr.serve.settings import Settings
from medsegr.serve.work import Task

News = tuple[Any, ...]
DEAD: News = ("dead",)


@runtime_checkable
class Hand(Protocol):
    """One worker as the crew sees it."""

    def start(self) -> None:
        """Begin, anew where it was begun before; ``("ready",)`` or ``("broken", code, message)`` follows."""

    def give(self, task: Task) -> None:
        """Do a job; ``("end", id, outcome...)`` follows, or ``("dead",)``."""

    def stop(self, why: str) -> None:
        """Ask it to stop its job."""

    def news(self, seconds: float) -> list[News]:
        """What it said, waiting at most so long for it."""

    def kill(self) -> None:
        """End it at once."""


class ProcessHand:
    """A process that was spawned: nothing of the server is in it, and it may die alone."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: Any = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        """Spawn it."""
        from medsegr.serve import worker

        self.kill()
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=worker.main, args=(theirs, self._settings), daemon=True)
        self._process.start()
        theirs.close()  # so that its end is seen as the end of the pipe
        self._pipe = ours

    def give(self, task: Task) -> None:
        """Send the job by the pipe."""
        self._send(task)

    def stop(self, why: str) -> None:
        """Send the word."""
        self._send(("stop", why))

    def _send(self, word: Any) -> None:
        try:
            if self._pipe is not None:
                self._pipe.send(word)
        except OSError:
            return  # it died: its news say so

    def news(self, seconds: float) -> list[News]:
        """What came by the pipe; DEAD where the process has ended."""
        if self._pipe is None:
            return [DEAD]
        found: list[News] = []
        try:
            if wait([self._pipe, self._process.sentinel], seconds):
                while self._pipe.poll():
                    found.append(self._pipe.recv())
                if not found:
                    found.append(DEAD)
        except (EOFError, OSError):
            found.append(DEAD)
        return found

    def kill(self) -> None:
        """Kill it and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.join(5)
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    @property
    def pid(self) -> int | None:
        """Number of its process."""
        return None if self._process is None else self._process.pid


class ThreadHand:
    """A thread of this process. It cannot be killed: one that does not stop is left alone and replaced."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._said: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._why = [""]

    def start(self) -> None:
        """Begin a thread."""
        self.kill()
        self._said, self._tasks = queue.SimpleQueue(), queue.SimpleQueue()
        self._why = why = [""]  # a thread that was left alone keeps its own: it stays told to stop
        run: Callable[..., None] = _serve
        given = (self._settings, self._said, self._tasks, lambda: why[0])
        threading.Thread(target=run, args=given, daemon=True, name="medsegr-work").start()

    def give(self, task: Task) -> None:
        """Put the job where the thread waits."""
        self._why[0] = ""
        self._tasks.put(task)

    def stop(self, why: str) -> None:
        """Leave the word where the thread looks."""
        self._why[0] = why

    def news(self, seconds: float) -> list[News]:
        """What the thread said."""
        try:
            found = [self._said.get(timeout=seconds) if seconds > 0 else self._said.get_nowait()]
        except queue.Empty:
            return []
        while not self._said.empty():
            found.append(self._said.get())
        return found

    def kill(self) -> None:
        """Ask it to end after its job."""
        self._why[0] = self._why[0] or "gone"
        self._tasks.put(None)


def _serve(
    settings: Settings,
    said: "queue.SimpleQueue[News]",
    tasks: "queue.SimpleQueue[Task | None]",
    stopped: Callable[[], str],
) -> None:
    from medsegr.serve.refusal import told
    from medsegr.serve.work import do, load, warm

    try:
        model = load(settings)
        warm()
    except Exception as error:
        said.put(("broken", *told(error)))
        return
    said.put(("ready",))
    while (task := tasks.get()) is not None:
        said.put(("end", task.job, *do(task, model, settings, said.put, stopped)))
