"""Images: taken, read once to say what they are, kept, shown again, removed."""

import time
from pathlib import Path
from typing import Any

import anyio
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from medsegr.errors import MedsegrError, SeriesError
from medsegr.io.read import series_in
from medsegr.results.record import image_json
from medsegr.serve import folders
from medsegr.serve.auth import own
from medsegr.serve.ids import new_id
from medsegr.serve.refusal import Refusal
from medsegr.serve.rows import ImageRow
from medsegr.serve.service import Service
from medsegr.serve.sources import Asked, read_again, source_of
from medsegr.serve.uploads import FIELDS, receive
from medsegr.serve.wire import ImageInfo, owner_of, problems, stamp
from medsegr.serve.wording import said_here
from medsegr.types import Image

READERS = 2  # images that are read at once: each may be gigabytes
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                        },
                        **{name: {"type": "string", "maxLength": 64} for name in FIELDS},
                    },
                }
            }
        },
    }
}


def opened(service: Service, image: str) -> Image:
    """An image that was sent, read again from its files. Refusal ``not_found``."""
    folder = service.folders.image(image)
    told = folders.read_json(folder / "image.json")
    if told is None:
        raise Refusal("not_found", "there is no such image")
    return read_again(folder, service.settings.limits, told["asked"])


def add(service: Service, files: Path, asked: Asked, owner: str, report: str | None = None) -> ImageInfo:
    """Take over a folder of files (it is moved) as an image; returns what it is. An image that cannot be read
    is refused (InputError, GeometryError, UsageError), and nothing of it is kept."""
    own, now = new_id("i"), time.time()
    folder = service.folders.image(own)
    folder.mkdir(mode=0o700)
    try:
        files.rename(folder / "files")
        image = read_again(folder, service.settings.limits, asked)
        told = {
            "asked": dict(asked),
            "image": image_json(image),
            "warnings": [{"code": code, "message": said_here(text)} for code, text in image.source.warnings],
            "series": _series(folder, image, service),
            "report": report,
        }
        folders.write_private(told, folder / "image.json")
        service.store.add_image(ImageRow(own, owner, now, now + service.settings.keep_seconds))
    except SeriesError as error:
        found = _series_of(folder, service)
        folders.remove(folder)
        raise Refusal("series_needed", said_here(str(error)), details={"series": found}) from error
    except BaseException:
        folders.remove(folder)
        raise
    return info(service, own)


def _series(folder: Path, image: Image, service: Service) -> list[dict[str, Any]] | None:
    """The DICOM series of what was sent; None where it is no DICOM."""
    if image.source.kind != "dicom":
        return None
    about = image.source.meta.get("series") or {}
    try:
        return _series_of(folder, service, about.get("number"))
    except MedsegrError:
        return None


def _series_of(folder: Path, service: Service, chosen: str | None = None) -> list[dict[str, Any]]:
    """All DICOM series of a folder, without descriptions: these may name somebody."""
    found = series_in(source_of(folder), service.settings.limits).stacks
    return [
        {
            "token": stack.token,
            "title": stack.line(),
            "modality": stack.series.modality,
            "slices": len(stack.slices),
            "chosen": len(found) == 1 or stack.token == chosen,
        }
        for stack in found
    ]


def info(service: Service, image: str) -> ImageInfo:
    """What is known of an image. Refusal ``not_found``."""
    row = service.image(image)
    told = folders.read_json(service.folders.image(image) / "image.json")
    if told is None:
        raise Refusal("not_found", "there is no such image")
    return ImageInfo(
        id=row.id,
        **told["image"],
        warnings=told["warnings"],
        series=told["series"],
        report=told["report"],
        created=stamp(row.created) or "",
        expires=stamp(row.expires) or "",
    )


def remove(service: Service, image: str) -> None:
    """An image with its jobs and sessions, from the store and from the disk. Jobs that run are stopped."""
    place = service.folders.image(image)
    jobs, sessions = folders.forgotten(lambda: service.store.remove_image(image), place)
    for job_id in jobs:
        service.bell.ring(job_id)
        folders.remove(service.folders.job(job_id))
    for session in sessions:
        folders.remove(service.folders.session(session))
    folders.remove(place)


def router(service: Service) -> APIRouter:
    """The routes of images, but for examples and layers."""
    routes = APIRouter(prefix="/v1/images", tags=["images"])
    turnstile = anyio.CapacityLimiter(READERS)
    most = (service.settings.upload_bytes, service.settings.limits.folder_files)
    refused = (
        "bad_request",
        "wrong_arguments",
        "too_large",
        "unsupported_media_type",
        "input_refused",
        "series_needed",
        "geometry",
    )

    @routes.post("", status_code=201, responses=problems(*refused), openapi_extra=FORM)
    async def send(request: Request) -> ImageInfo:
        """Send an image: one file, the files of a DICOM series, or a zip. Parts are named ``files``."""
        folder = service.folders.root / "images" / f".part-{new_id('i')}"
        folder.mkdir(mode=0o700)
        try:
            fields = await receive(request, folder, most)
            asked = {name: value for name, value in fields.items() if value}
            if asked.get("frame", "patient") not in ("patient", "viewer"):
                raise Refusal("wrong_arguments", "frame: patient or viewer was expected")
            return await anyio.to_thread.run_sync(
                add, service, folder, asked, owner_of(request), limiter=turnstile
            )
        finally:
            await run_in_threadpool(folders.remove, folder)

    @routes.get("/{image}", responses=problems("not_found"))
    def show(image: str) -> ImageInfo:
        """What an image is."""
        return info(service, image)

    @routes.delete("/{image}", status_code=204, responses=problems("not_found", "forbidden", "read_only"))
    def delete(image: str, request: Request) -> Response:
        """Remove an image with its jobs and sessions. Jobs that run are stopped."""
        own(request, service.image(image).owner)
        remove(service, image)
        return Response(status_code=204)

    return routes
