"""A worker: one process that loads the model once and is then given one job after the other by a pipe.

It ends with the server: where the pipe breaks, nobody is there to answer to.
"""

import os
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

from medsegr.errors import Cancelled
from medsegr.serve.refusal import told
from medsegr.serve.settings import Settings
from medsegr.serve.work import Task, do, load, warm


def main(pipe: Connection, settings: Settings) -> None:
    """Say ``("ready",)`` or ``("broken", code, message)``, then answer tasks until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the server decides
    os.environ["HF_HUB_OFFLINE"] = "1"
    _quiet()
    try:
        try:
            model = load(settings)
            warm()
        except Exception as error:
            pipe.send(("broken", *told(error)))
            return
        pipe.send(("ready",))
        while True:
            task = pipe.recv()
            if not isinstance(task, Task):  # a word to stop that came after its job had ended
                continue
            line = Line(pipe)
            pipe.send(("end", task.job, *do(task, model, settings, line.say, line.stopped)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


class Line:
    """The pipe as a job sees it. Where the server is gone the job is stopped like any other."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._why = pipe, ""

    def say(self, news: tuple[Any, ...]) -> None:
        """Tell the server. Cancelled where it is gone."""
        try:
            self._pipe.send(news)
        except OSError as error:
            self._why = "gone"
            raise Cancelled("the server is gone") from error

    def stopped(self) -> str:
        """Why the job is to stop, once that has come by the pipe; "" where it is not."""
        try:
            while not self._why and self._pipe.poll():
                news: Any = self._pipe.recv()
                if isinstance(news, tuple) and news[0] == "stop":
                    self._why = str(news[1])
        except (EOFError, OSError):
            self._why = "gone"
        return self._why


def _quiet() -> None:
    """What libraries print may quote names: a worker's own output goes nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        try:
            os.dup2(null, stream.fileno())
        except (OSError, ValueError, AttributeError):
            continue
    os.close(null)
