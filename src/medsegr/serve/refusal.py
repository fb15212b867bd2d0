"""What the server says no with: one table of codes, one exception."""

import errno
import sqlite3
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from medsegr.serve.wording import said_here

# code -> (HTTP status, what it means where nothing better is said). Stable: programs read the codes.
CODES: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "bad_request": (400, "the request cannot be read"),
        "wrong_arguments": (400, "the arguments do not fit together"),
        "unauthorized": (401, "a key is needed: send it as 'Authorization: Bearer KEY'"),
        "forbidden": (403, "this key may not do that"),
        "read_only": (403, "this server only shows: it changes nothing"),
        "not_found": (404, "there is no such thing here"),
        "method_not_allowed": (405, "this address does not take that method"),
        "not_done": (409, "the job has not ended well, so it has no result"),
        "busy": (409, "it is being worked on: wait until that has ended, or cancel it"),
        "too_large": (413, "the request is larger than this server takes"),
        "unsupported_media_type": (415, "the content type is not one that is read here"),
        "invalid": (422, "the request does not have the form that is expected"),
        "input_refused": (422, "the input was refused"),
        "series_needed": (
            422,
            "several DICOM series came: send them again with the token of one in the field series",
        ),
        "geometry": (422, "the geometry of the image is missing or contradicts itself"),
        "report_refused": (422, "the report was refused"),
        "queue_full": (429, "the queue is full: try again later"),
        "error": (500, "something went wrong inside the server; its log has the number of this request"),
        "weights": (500, "the model's checkpoint is missing or damaged"),
        "missing_extra": (500, "an optional part is not installed on the server"),
        "out_of_memory": (500, "the server ran out of memory; use a smaller image"),
        "not_ready": (503, "the model is not loaded yet"),
        "no_room": (503, "the server's disk is full: delete images that nobody needs, then ask again"),
        "timeout": (504, "it took too long"),
        "pacs_unreachable": (504, "the DICOMweb server cannot be reached"),
        "pacs_refused": (503, "the DICOMweb server does not let this server in"),
        "pacs_failed": (
            503,
            "the DICOMweb server answers with an error, or not as the standard says",
        ),
        "pacs_incomplete": (503, "not all objects came: the study may still be on its way"),
        # the door: who asks, from where, how fast
        "bad_host": (400, "the Host header does not name this server; --allow-host NAME lets a name in"),
        "bad_origin": (403, "a page of another site asked; --allow-origin ORIGIN lets one in"),
        "key_expired": (401, "this key is no longer good: ask for another one"),
        "keys_unreadable": (503, "the key file of this server cannot be read: nobody is let in"),
        "too_many_steps": (409, "the session has as many steps as this server remembers: save it"),
        "too_slow": (408, "the request came too slowly"),
        "too_many_requests": (429, "this key or address asks too often: wait as long as Retry-After says"),
        # of jobs only: what a job may end with
        "worker_died": (500, "the worker process died each time, most likely for lack of memory"),
        "time_limit": (504, "the job took longer than this server allows"),
        "cancelled": (409, "the job was cancelled"),
    }
)
OURS = {  # our errors by the name of their class
    "InputError": "input_refused",
    "GeometryError": "geometry",
    "SeriesError": "series_needed",
    "ReportError": "report_refused",
    "UsageError": "wrong_arguments",
    "WeightsError": "weights",
    "MissingExtra": "missing_extra",
    "RemoteError": "pacs_failed",
    "MemoryError": "out_of_memory",
}


class Refusal(Exception):
    """A request that is refused: ``code`` of :data:`CODES`, ``message`` one line without names, paths, UIDs
    or report text; ``headers`` go into the answer, ``details`` into its body, for programs."""

    def __init__(
        self,
        code: str,
        message: str = "",
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = code
        self.status, default = CODES[code]
        self.message = message or default
        self.headers = dict(headers or {})
        self.details = details
        super().__init__(self.message)


def error_json(
    code: str, message: str = "", details: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """The body of every error; ``details`` only where there are some."""
    more = {} if details is None else {"details": dict(details)}
    return {"error": {"code": code, "message": message or CODES[code][1], **more}}


def told(error: BaseException) -> tuple[str, str]:
    """Code and one line of an error. Our own errors speak for themselves; what others say may quote names,
    so of theirs only the kind is told. A full disk is the server's matter, whatever was written just then."""
    from medsegr.errors import MedsegrError

    if isinstance(error, Refusal):
        return error.code, error.message
    if is_full(error):
        return "no_room", CODES["no_room"][1]
    code = next((OURS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in OURS), "error")
    if isinstance(error, MedsegrError):
        return code, said_here(" ".join(str(error).split()))[:1000]
    return code, CODES[code][1] if code != "error" else f"{type(error).__name__} inside medsegr"


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or what it was made of, says that a disk (or a share of it) has no room left."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if isinstance(error, sqlite3.OperationalError) and "disk is full" in str(error):
            return True
        error = error.__cause__
    return False
