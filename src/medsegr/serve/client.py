"""A medsegr server from Python: the same methods as :class:`medsegr.session.Model`, elsewhere computed.

    from medsegr.serve.client import Client

    with Client("http://127.0.0.1:1527") as server:
        answer = server.segment("chest.png", report=text)
        answer["f1"].mask                        # bool, on the image's own grid
        answer.save("out/")                      # the folder that medsegr segment writes
        session = server.open("chest.png")       # segment, draw, refine, paint, undo, redo, accept, ...

Needs httpx (``pip install 'medsegr[client]'``); imports neither torch nor FastAPI. What the server refuses is
raised as the local call would raise it (InputError, UsageError, ...), anything else as RemoteError with the
server's code.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from medsegr.errors import InputError, RemoteError
from medsegr.results.reopen import finding_from
from medsegr.serve.answers import Answer, answer_of
from medsegr.serve.remote import Remote, parts_of
from medsegr.serve.remote_session import RemoteSession
from medsegr.types import Finding, Frame

LOG = logging.getLogger("medsegr")
ENDED = ("done", "failed", "cancelled")
Given = Path | str | np.ndarray | Sequence[Path]
Event = Mapping[str, Any]  # event, id, data
__all__ = ["Answer", "Client", "Event", "RemoteSession"]


class Client:
    """A server. Requests that come too early (429, 503) are made again after the time that the server says,
    reads that were broken off at once, each at most ``tries`` times. Threads may share one."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = 60.0,
        tries: int = 5,
        transport: Any = None,
    ) -> None:
        """``url`` as it is typed into a browser; ``key`` goes in ``Authorization: Bearer``; ``timeout``
        seconds without a byte. ``transport``: an httpx transport, for tests and for TLS of one's own.

        Raises:
            MissingExtra: httpx is not installed.
            UsageError: no http or https address.
        """
        self.remote = Remote(url, key, timeout, tries, transport)

    def __enter__(self) -> "Client":
        """Itself; its connections end with the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the connections."""
        self.close()

    def close(self) -> None:
        """End the connections. What is on the server stays there until its time is over."""
        self.remote.close()

    @property
    def card(self) -> dict[str, Any]:
        """The server's model: name, sha256, licence, concepts."""
        return dict(self.capabilities()["model"])

    def capabilities(self) -> dict[str, Any]:
        """What the server does, and within which limits."""
        return self.remote.json("GET", "/v1/capabilities")

    def ready(self) -> bool:
        """Whether the server's model is loaded. RemoteError where there is no server."""
        return self.remote.status("/readyz") == 200

    def parse(
        self, report: str, modality: str | None = None, frame: Frame | None = None
    ) -> tuple[Finding, ...]:
        """The findings of a report, as ``segment`` would read it."""
        asked = {"report": report, "modality": modality, "frame": frame}
        told = self.remote.json("POST", "/v1/parse", {k: v for k, v in asked.items() if v is not None})
        return tuple(finding_from(item) for item in told["findings"])

    def upload(
        self,
        image: Given,
        modality: str | None = None,
        frame: Frame | None = None,
        series: str | None = None,
    ) -> dict[str, Any]:
        """Send an image; what it is, with its ``id``.

        A file, a folder (of one DICOM series), several files, or an array uint8 ``h w`` or ``h w 3``. Names
        stay here: only their endings are sent. InputError for what cannot be sent or read.
        """
        fields = {"modality": modality, "frame": frame, "series": series}
        given = {name: value for name, value in fields.items() if value}
        with parts_of(image) as files:
            return self.remote.send("/v1/images", files, given)

    def segment(
        self,
        image: Given | Mapping[str, Any],
        *,
        report: str | None = None,
        text: str | None = None,
        phrases: Sequence[str] = (),
        options: Mapping[str, Any] | None = None,
        follow: Callable[[Event], None] | None = None,
    ) -> Answer:
        """One mask or one reason for every finding; with no words the model proposes.

        ``image``: as for :meth:`upload`, or what that gave. ``options`` as in the job's request (polarity,
        side_check, report_mask, explain, force, sections, keep_text). ``follow`` is told each event. Whoever
        breaks off the wait (Ctrl-C) cancels the job. RemoteError with the job's code where it fails.
        """
        job = self.start(image, report=report, text=text, phrases=phrases, options=options)
        try:
            for event in self.events(job["id"]):
                if follow is not None:
                    follow(event)
        except BaseException:
            self._cancel_quietly(job["id"])
            raise
        return self.answer(job["id"])

    def start(
        self,
        image: Given | Mapping[str, Any],
        *,
        report: str | None = None,
        text: str | None = None,
        phrases: Sequence[str] = (),
        options: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Ask for masks without waiting: the job, with its ``id``."""
        several = [phrases] if isinstance(phrases, str) else list(phrases)
        words = {"report": report, "text": text, "phrases": several or None}
        asked: dict[str, Any] = {"image": self._id(image), "options": dict(options or {})}
        asked |= {name: value for name, value in words.items() if value is not None}
        return self.remote.json("POST", "/v1/jobs", asked)

    def jobs(self, limit: int = 20) -> list[dict[str, Any]]:
        """The newest jobs, newest first."""
        return list(self.remote.json("GET", f"/v1/jobs?limit={int(limit)}")["jobs"])

    def job(self, job: str) -> dict[str, Any]:
        """How a job stands."""
        return self.remote.json("GET", f"/v1/jobs/{job}")

    def cancel(self, job: str) -> dict[str, Any]:
        """Cancel a job; one that has ended stays as it is."""
        return self.remote.json("POST", f"/v1/jobs/{job}/cancel")

    def delete(self, name: str) -> None:
        """Remove an image (with its jobs and sessions), a job or a session, by its id."""
        room = {"i": "images", "j": "jobs", "s": "sessions"}.get(name[:1])
        if room is None:
            raise InputError(f"'{name[:40]}' is no id of an image, a job or a session")
        self.remote.json("DELETE", f"/v1/{room}/{name}")

    def events(self, job: str, after: int = 0) -> Iterator[Event]:
        """What happens to a job, as it happens, until it ends: ``{"event", "id", "data"}``. Goes on where the
        connection was lost; ``after`` skips the events up to that number."""
        for event in self.remote.events(f"/v1/jobs/{job}/events", after):
            yield event
            if event["event"] == "end":
                return

    def answer(self, job: str) -> Answer:
        """The result of a job that is done, with its masks. RemoteError with the job's code where it ended
        otherwise, ``not_done`` where it has not ended."""
        told = self.job(job)
        if told["state"] != "done":
            why = told["error"] or {"code": "not_done", "message": f"the job is {told['state']}"}
            raise RemoteError(str(why["message"]), str(why["code"]))
        return answer_of(self.remote, self.remote.json("GET", f"/v1/jobs/{job}/view"), lambda: job)

    def download(self, job: str, format: str, path: Path | str) -> Path:
        """One format of a result as a file: json, manifest, overlay, csv, png, nifti, nrrd, dicom-seg,
        dicom-sr, dicom-sc, fhir or zip."""
        return self.remote.download(f"/v1/jobs/{job}/result?format={format}", Path(path))

    def open(
        self, image: Given | Mapping[str, Any], modality: str | None = None, frame: Frame | None = None
    ) -> RemoteSession:
        """A session on one image: segment, refine, undo. ``image`` as for :meth:`segment`."""
        own = self._id(image, modality, frame)
        return RemoteSession(self.remote, self.remote.json("POST", "/v1/sessions", {"image": own}))

    def resume(self, job: str) -> RemoteSession:
        """A session that goes on from the result of a job."""
        return RemoteSession(self.remote, self.remote.json("POST", "/v1/sessions", {"job": job}))

    def session(self, name: str) -> RemoteSession:
        """A session that is there already, by its id."""
        return RemoteSession(self.remote, self.remote.json("GET", f"/v1/sessions/{name}"))

    def _id(
        self, image: Given | Mapping[str, Any], modality: str | None = None, frame: Frame | None = None
    ) -> str:
        return str((image if isinstance(image, Mapping) else self.upload(image, modality, frame))["id"])

    def _cancel_quietly(self, job: str) -> None:
        try:
            self.cancel(job)
        except Exception as error:
            LOG.debug("the job could not be cancelled: %s", type(error).__name__)
