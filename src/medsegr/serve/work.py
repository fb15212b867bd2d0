"""One job, wherever it runs: read the image, read the words, draw, write. Nothing here knows the store.

What happens on the way is said by ``say``: ``("progress", stage, done, total)`` and ``("finding", id)``;
``stopped`` is asked between pieces and gives the reason to stop, or "".
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsegr import pipeline
from medsegr.errors import Cancelled, InputError
from medsegr.options import Options
from medsegr.report.lexicon import concepts
from medsegr.serve import folders, partial
from medsegr.serve.refusal import told
from medsegr.serve.settings import Settings
from medsegr.serve.sources import read_again
from medsegr.types import Progress

if TYPE_CHECKING:
    from medsegr.session import Model

OFTEN = 0.1  # seconds between two messages of progress
Say = Callable[[tuple[Any, ...]], None]
Stopped = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Task:
    """A job for a worker: its id, and the folders of the job and of its image."""

    job: str
    folder: Path
    image: Path


def load(settings: Settings) -> "Model":
    """The model of a server, loaded. Errors as of :func:`medsegr.session.load`."""
    from medsegr import session

    model = session.load(
        settings.model,
        settings.device,
        settings.threads if session.has_network(settings.model) else None,
        backend=settings.backend,
        precision=settings.precision,
    )
    return session.keep_features(model, *settings.features) if settings.features else model


def words_of(folder: Path) -> tuple[str | None, tuple[str, ...], Options]:
    """What a job was asked: text, phrases, options. InputError where its file is gone."""
    told = folders.read_json(folder / "words.json")
    if told is None:
        raise InputError("the words of this job are gone")
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told["options"].items()}
    options = Options(**given)
    return told["report"] or told["text"], tuple(told["phrases"] or ()), options


def do(task: Task, model: "Model", settings: Settings, say: Say, stopped: Stopped) -> tuple[str, ...]:
    """Do a job; returns ``("done",)``, ``("stopped", why)`` or ``("failed", code, message)``.

    Its result folder appears whole or not at all.
    """
    try:
        _work(task, model, settings, say, stopped)
    except Cancelled:
        return "stopped", stopped()
    except Exception as error:
        return ("failed", *told(error))
    return ("done",)


def _work(task: Task, model: "Model", settings: Settings, say: Say, stopped: Stopped) -> None:
    last: list[tuple[tuple[str, int, int], float]] = [(("", 0, 0), 0.0)]

    def follow(news: Progress) -> None:
        if stopped():
            raise Cancelled("the job was stopped")
        if news.finding is not None:
            partial.write(task.folder, news.finding)
            say(("finding", news.finding.finding.id))
        now, told = time.monotonic(), (news.stage, news.done, news.total)
        before, then = last[0]
        if told != before and (told[0] != before[0] or now - then >= OFTEN or news.done == news.total):
            last[0] = told, now
            say(("progress", *told))

    begun = time.perf_counter()
    folders.remove(task.folder / partial.FOLDER)
    follow(Progress("read", 0, 1))
    asked = (folders.read_json(task.image / "image.json") or {}).get("asked", {})
    image = read_again(task.image, settings.limits, asked)
    text, phrases, options = words_of(task.folder)
    follow(Progress("parse", 0, 1))
    seconds = {"read": time.perf_counter() - begun}
    result = pipeline.run(
        image, model.segmenter, report=text, phrases=phrases, options=options, follow=follow
    )
    follow(Progress("write", 0, 1))
    pipeline.save(result, task.folder / "out", options, {**model.ran_on, "seconds": seconds})


def warm() -> None:
    """Load what the first job would wait for: the lexicon of the reports."""
    concepts()
