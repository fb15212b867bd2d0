"""A worker on another machine: an actor of Ray that holds the model and sees the same data folder.

Results travel by the shared folder, and so does what is said on the way: the worker appends to ``news.jsonl``
in the folder of its job, and a file ``stop`` beside it asks it to stop.
"""

import json
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import medsegr
from medsegr.errors import Cancelled, ClusterError
from medsegr.machines import cannot_run, check_hello, connected, imported, python
from medsegr.serve.hands import DEAD, News
from medsegr.serve.refusal import told
from medsegr.serve.settings import Settings
from medsegr.serve.work import Task, do, load, warm

NEWS, STOP = "news.jsonl", "stop"
LOOK = 0.1  # seconds between two looks of a worker at the file that stops it


class Cluster:
    """The connection that all hands of a server share; made when the first begins, ended with the server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._end = ExitStack()
        self._ray: Any = None

    def ray(self) -> Any:
        """Ray, connected. ClusterError where the cluster does not answer."""
        with self._lock:
            if self._ray is None:
                each = self._settings.threads or 1
                there = connected(self._settings.cluster or "local", max(1, self._settings.workers) * each)
                self._ray = self._end.enter_context(there)
            return self._ray

    def close(self) -> None:
        """End the connection, and a Ray of our own with it."""
        with self._lock:
            self._end.close()
            self._ray = None


class RayHand:
    """One actor. Ray restarts nothing by itself: whoever is lost is noticed and replaced by the crew."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self._settings, self._cluster = settings, cluster
        self.actor: Any = None
        self._asked: Any = None  # what Ray will answer
        self._task: Task | None = None
        self._read = 0  # bytes of the news that were read
        self._broken: News | None = None

    def start(self) -> None:
        """Ask Ray for an actor; where it waits for a free processor, so do we."""
        self.kill()
        try:
            ray = self._cluster.ray()
            gpus = 1 if self._settings.device.startswith("cuda") else 0
            kind = ray.remote(num_cpus=self._settings.threads or 1, num_gpus=gpus, max_restarts=0)(RayWorker)
            self.actor = kind.remote(self._settings)
            self._asked = self.actor.hello.remote()
        except Exception as error:
            self._broken = ("broken", *told(error))

    def give(self, task: Task) -> None:
        """Send the job."""
        for name in (NEWS, STOP):
            (task.folder / name).unlink(missing_ok=True)
        self._task, self._read = task, 0
        self._asked = self.actor.work.remote(task)

    def stop(self, why: str) -> None:
        """Leave the word in the folder of the job, where that is still there."""
        if self._task is not None and self._task.folder.is_dir():
            (self._task.folder / STOP).write_text(why, encoding="utf-8")

    def news(self, seconds: float) -> list[News]:
        """What the worker wrote, and what Ray says of it."""
        if self._broken is not None:
            found, self._broken = [self._broken], None
            return found
        if self._asked is None:  # it waits for a job; Ray is asked about it when the next one comes
            time.sleep(seconds)
            return []
        ray = imported()
        try:
            ready, _ = ray.wait([self._asked], timeout=seconds)
            said = self._written()
            if ready:
                answer, self._asked = ray.get(self._asked), None
                said += self._written()
                said.append(self._hello(answer) if self._task is None else ("end", self._task.job, *answer))
            return said
        except ray.exceptions.RayTaskError as error:
            return [("broken", *told(cannot_run() if self._task is None else error))]
        except (ray.exceptions.RayError, ConnectionError):
            self._asked = None
            return [DEAD]

    def _hello(self, answer: tuple[Any, ...]) -> News:
        if len(answer) == 2:
            return ("broken", *answer)
        try:
            check_hello(*answer)
        except ClusterError as error:
            return ("broken", *told(error))
        return ("ready",)

    def _written(self) -> list[News]:
        """Whole lines of the news that were not read yet."""
        if self._task is None:
            return []
        try:
            with (self._task.folder / NEWS).open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        return [tuple(json.loads(line)) for line in whole.splitlines()]

    def kill(self) -> None:
        """End the actor for good: one that was only out of reach must not write beside its successor."""
        if self.actor is not None:
            try:
                imported().kill(self.actor)
            except Exception:  # it has ended, or the connection has
                self.actor = None
        self.actor = self._asked = self._task = None


class RayWorker:
    """What runs on the cluster."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._model: Any = None

    def hello(self) -> tuple[Any, ...]:
        """Load the model; versions of medsegr and Python here, and whether the data folder is seen from here;
        or code and line of why the model cannot be loaded."""
        sees = (self._settings.data_dir / "medsegr.sqlite").is_file()
        try:
            self._model = load(self._settings)
            warm()
        except Exception as error:
            return told(error)
        return medsegr.__version__, python(), sees

    def work(self, task: Task) -> tuple[str, ...]:
        """One job to its outcome."""
        line = FileLine(task.folder)
        return do(task, self._model, self._settings, line.say, line.stopped)


class FileLine:
    """A job's folder as the line to the server. A folder that has gone means that the job was deleted."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._why, self._looked = folder, "", 0.0

    def say(self, news: News) -> None:
        """Append a line. Cancelled where the folder has gone."""
        try:
            with (self._folder / NEWS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(news) + "\n")
        except OSError as error:
            self._why = "deleted"
            raise Cancelled("the job was deleted") from error

    def stopped(self) -> str:
        """Why the job is to stop, "" where it is not."""
        now = time.monotonic()
        if not self._why and now - self._looked >= LOOK:
            self._looked = now
            try:
                self._why = (self._folder / STOP).read_text(encoding="utf-8")
            except OSError:
                self._why = "" if self._folder.is_dir() else "deleted"
        return self._why
