"""The rows of the store as values: an image, a job, an event, a session. Metadata and states, no words."""

from dataclasses import dataclass
from typing import Literal

State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image that was sent. Times are seconds since 1970; ``owner``: name of the key, "" without keys."""

    id: str
    owner: str
    created: float
    expires: float


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job. ``tries``: how often a worker has begun it; ``stop``: why it is to stop, "" where it is not."""

    id: str
    image: str
    owner: str
    state: State
    created: float
    asked: str = "none"  # report, text, phrases, none
    stage: str | None = None
    done: int = 0
    total: int = 0
    started: float | None = None
    finished: float | None = None
    expires: float | None = None
    code: str | None = None
    message: str | None = None
    tries: int = 0
    stop: str = ""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of a job, numbered from 1. ``data`` names a finding by its id; its words lie in the job's
    folder."""

    number: int
    event: str  # state, progress, finding, end
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session of clicks on an image."""

    id: str
    image: str
    job: str | None
    owner: str
    created: float
    expires: float
