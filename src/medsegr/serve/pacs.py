"""Routes for DICOMweb: which servers there are, what they hold, an image fetched, a result stored.

A request names a server of the configuration and UIDs; there is no way to name an address.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from medsegr.errors import RemoteError, UsageError
from medsegr.serve import folders, images, results
from medsegr.serve.archives import Archive
from medsegr.serve.dicomweb import FILTERS, push, search_series, search_studies
from medsegr.serve.fetch import pull
from medsegr.serve.ids import new_id
from medsegr.serve.refusal import Refusal
from medsegr.serve.rows import JobRow
from medsegr.serve.service import Service
from medsegr.serve.wire import ImageInfo, Wire, owner_of, problems, role_of

AT_ONCE = 2  # fetches: each may be gigabytes
ANSWERS = {  # RemoteError.code -> code of ours
    "unreachable": "pacs_unreachable",
    "refused": "pacs_refused",
    "not_found": "not_found",
    "incomplete": "pacs_incomplete",
    "too_large": "too_large",
}
FAULTS = ("not_found", "wrong_arguments", "invalid", "pacs_unreachable", "pacs_refused", "pacs_failed")
Uid = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)+$", max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=32)]
Value = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Kind = Literal["dicom-seg", "rtstruct", "dicom-sr", "dicom-sc"]


class ServerInfo(BaseModel):
    """A server that may be asked."""

    name: str
    push: bool = Field(description="Whether results may be stored there.")


class ServerList(BaseModel):
    """The servers of the configuration."""

    servers: list[ServerInfo]


class StudyQuery(BaseModel):
    """What is searched for: QIDO-RS filters, ``*`` and ``?`` as the standard has them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    PatientID: Value | None = None
    PatientName: Value | None = None
    StudyDate: Value | None = None
    StudyInstanceUID: Value | None = None
    AccessionNumber: Value | None = None
    ModalitiesInStudy: Value | None = None
    StudyDescription: Value | None = None
    limit: int = Field(50, ge=1, le=500)
    offset: int = Field(0, ge=0, le=1_000_000)

    @property
    def filters(self) -> dict[str, str]:
        """The filters that came."""
        return {name: value for name in FILTERS if (value := getattr(self, name)) is not None}


class StudyRow(BaseModel):
    """A study as the server tells it; null where it tells nothing."""

    study: str | None
    date: str | None
    time: str | None
    patient_id: str | None
    patient_name: str | None
    accession: str | None
    modalities: list[str]
    description: str | None
    series: int | None
    instances: int | None


class StudyList(BaseModel):
    """Studies that match."""

    studies: list[StudyRow]


class SeriesRow(BaseModel):
    """A series as the server tells it; null where it tells nothing."""

    series: str | None
    modality: str | None
    number: int | None
    description: str | None
    instances: int | None


class SeriesList(BaseModel):
    """The series of a study."""

    series: list[SeriesRow]


class PullRequest(Wire):
    """What is fetched: one series, or all series of images of a study."""

    study: Uid
    series: Uid | None = None


class PushRequest(Wire):
    """Where a result is stored, and what of it."""

    server: Name
    formats: list[Kind] = Field(default=["dicom-seg", "dicom-sr"], min_length=1, max_length=4)


class StoredRow(BaseModel):
    """What became of one object: ``changed`` is stored with something altered, ``nothing`` had no content."""

    format: Kind
    outcome: Literal["stored", "changed", "failed", "nothing"]
    reason: str | None


class StoredList(BaseModel):
    """What became of each object."""

    stored: list[StoredRow]


@contextmanager
def answering() -> Iterator[None]:
    """Errors of the other server as refusals of ours."""
    try:
        yield
    except RemoteError as error:
        code = ANSWERS.get(error.code, "pacs_failed")
        wait = {"Retry-After": "60"} if code in ("pacs_unreachable", "pacs_incomplete") else None
        raise Refusal(code, str(error), wait) from error


def _plain(row: dict[str, Any], model: type[BaseModel]) -> Any:
    """A row with its values in the types of the answer; what does not fit is null: servers differ."""
    told: dict[str, Any] = {}
    for name, about in model.model_fields.items():
        value = row.get(name)
        if about.annotation == list[str]:
            told[name] = [str(one)[:64] for one in value or ()]
        elif about.annotation == int | None:
            text = str(value)
            told[name] = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
        else:
            told[name] = None if value is None else str(value)[:256]
    return model(**told)


def fetched(service: Service, archive: Archive, asked: PullRequest, owner: str) -> ImageInfo:
    """Fetch and take over as an image; nothing is kept of what cannot be fetched whole or read."""
    folder = service.folders.root / "images" / f".part-{new_id('i')}"
    try:
        with answering():
            pull(archive, asked.study, asked.series, folder)
        return images.add(service, folder, {}, owner)
    finally:
        folders.remove(folder)


def stored(service: Service, archive: Archive, row: JobRow, kinds: list[Kind]) -> StoredList:
    """Write the asked objects and store each. UsageError where the image is no DICOM."""
    made: dict[Kind, Path | StoredRow] = {}
    for kind in dict.fromkeys(kinds):
        try:
            made[kind] = results.file_of(service, row, kind)
        except Refusal as error:
            if error.code != "not_found":
                raise
            made[kind] = StoredRow(format=kind, outcome="nothing", reason=error.message)
    files = [path for path in made.values() if isinstance(path, Path)]
    with answering():
        outcomes = iter(push(archive, files))
    rows = []
    for kind, one in made.items():
        if isinstance(one, StoredRow):
            rows.append(one)
        else:
            told: Any = next(outcomes)
            rows.append(StoredRow(format=kind, outcome=told.outcome, reason=told.reason))
    return StoredList(stored=rows)


def router(service: Service) -> APIRouter:
    """The routes of DICOMweb."""
    routes = APIRouter(prefix="/v1", tags=["dicomweb"])
    turnstile = anyio.CapacityLimiter(AT_ONCE)
    one_at_a_time = threading.Lock()  # an export holds the image in memory

    def named(name: str) -> Archive:
        if name not in service.archives:
            raise Refusal("not_found", "no DICOMweb server is configured by that name")
        return service.archives[name]

    @routes.get("/dicomweb")
    def servers() -> ServerList:
        """The servers that may be asked."""
        told = [ServerInfo(name=one.name, push=one.push) for one in service.archives.values()]
        return ServerList(servers=told)

    @routes.get("/dicomweb/{server}/studies", responses=problems(*FAULTS))
    def studies(server: str, query: Annotated[StudyQuery, Query()]) -> StudyList:
        """Search for studies (QIDO-RS)."""
        with answering():
            rows = search_studies(named(server), query.filters, query.limit, query.offset)
        return StudyList(studies=[_plain(row, StudyRow) for row in rows])

    @routes.get("/dicomweb/{server}/studies/{study}/series", responses=problems(*FAULTS))
    def series(server: str, study: str) -> SeriesList:
        """The series of a study (QIDO-RS)."""
        with answering():
            rows = search_series(named(server), study)
        return SeriesList(series=[_plain(row, SeriesRow) for row in rows])

    taken = ("too_large", "pacs_incomplete", "input_refused", "series_needed", "geometry", "read_only")

    @routes.post("/dicomweb/{server}/pull", status_code=201, responses=problems(*FAULTS, *taken))
    async def fetch(server: str, asked: PullRequest, request: Request) -> ImageInfo:
        """Fetch a study or a series (WADO-RS) as an image, as if its files had been sent."""
        call = partial(fetched, service, named(server), asked, owner_of(request))
        return await anyio.to_thread.run_sync(call, limiter=turnstile)

    given = ("not_done", "forbidden", "input_refused", "read_only")

    @routes.post("/jobs/{job}/push", responses=problems(*FAULTS, *given))
    def store(job: str, asked: PushRequest, request: Request) -> StoredList:
        """Store the result of a job (STOW-RS). Answers for each object what became of it."""
        if role_of(request) != "admin":
            raise Refusal("forbidden", "storing in another server needs a key with the role admin")
        archive, row = named(asked.server), service.done(job)
        if not archive.push:
            raise Refusal("forbidden", "this DICOMweb server is not set up to store: push = true is missing")
        with one_at_a_time:
            return _or_refused(lambda: stored(service, archive, row, asked.formats))

    return routes


def _or_refused(call: Callable[[], StoredList]) -> StoredList:
    try:
        return call()
    except UsageError as error:
        raise Refusal("wrong_arguments", str(error).removeprefix("--format").lstrip(" :")) from error
    except FileNotFoundError as error:  # deleted meanwhile
        raise Refusal("not_found", "the result has gone meanwhile") from error
