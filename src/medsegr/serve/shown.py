"""What the page draws, over HTTP: the view of a job and the layers that it names."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Response

from medsegr.errors import InputError
from medsegr.pipeline import read_words
from medsegr.serve import partial
from medsegr.serve.capabilities import model_info
from medsegr.serve.images import opened
from medsegr.serve.layers import pack
from medsegr.serve.refusal import Refusal
from medsegr.serve.rows import JobRow
from medsegr.serve.service import Service
from medsegr.serve.view import Json, layer_of, layer_of_result, view_of, view_of_result
from medsegr.serve.wire import problems
from medsegr.serve.words import words_of
from medsegr.types import Image, Result

KEPT = 2  # images that stay in memory between two layers of the same case
LARGEST = 2**30  # bytes of an image that is kept so
HEADERS = {"Cache-Control": "no-store"}
LAYER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One volume (uint8, int16, float32 or RGB) as NIfTI-1, gzipped.",
        "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@dataclass(frozen=True, slots=True)
class Shelf:
    """The images that were looked at last: a page asks for one layer a finding, the image is read once."""

    service: Service
    lock: threading.Lock = field(default_factory=threading.Lock)
    images: OrderedDict[str, Image] = field(default_factory=OrderedDict)

    def image(self, own: str) -> Image:
        """The image of an id. Refusal ``not_found``."""
        self.service.image(own)  # it may have gone meanwhile
        with self.lock:
            found = self.images.get(own)
            if found is None:
                found = opened(self.service, own)
                if found.data.nbytes <= LARGEST:
                    self.images[own] = found
            else:
                self.images.move_to_end(own)
            while len(self.images) > KEPT:
                self.images.popitem(last=False)
            return found


def so_far(service: Service, row: JobRow, image: Image) -> Result:
    """What a job that is not done has found until now, with its report."""
    said = words_of(service, row.id).said
    items = partial.read(service.folders.job(row.id))
    report = read_words(image, said)
    model = model_info(service.settings).model_dump(include={"name", "sha256", "licence"})
    return Result(image, report, items, model, image.source.warnings)


def view_now(service: Service, row: JobRow, image: Image | None) -> Json:
    """The view of a job: of what has come so far while it runs, then of its result. ``image`` None: only
    masks were given."""
    base = f"/v1/jobs/{row.id}"
    shown = {"id": row.id, "read_only": service.settings.read_only}
    if row.state != "done":
        if image is None:
            raise Refusal("not_found")
        told = view_of_result(so_far(service, row, image), base, **shown)
        if image.source.frame_from == "assumed":
            told["image"]["letters"] = None  # the words may yet tell that it is seen the other way round
        if service.job(row.id).state != "done":  # else it ended meanwhile, and what came so far is removed
            return told
    return view_of(service.folders.out(row.id), image, words_of(service, row.id).said, base, **shown)


def layer_now(service: Service, row: JobRow, image: Image | None, name: str) -> bytes:
    """A layer of a job, as :func:`view_now` names it. InputError where there is none of that name."""
    if row.state != "done":
        if image is None:
            raise Refusal("not_found")
        try:
            return layer_of_result(so_far(service, row, image), name)
        except InputError:
            if service.job(row.id).state != "done":
                raise  # else it ended meanwhile, and what came so far is removed
    return layer_of(service.folders.out(row.id), image, name)


def router(service: Service) -> APIRouter:
    """The routes of the page's drawing."""
    routes = APIRouter(prefix="/v1", tags=["view"])
    shelf = Shelf(service)

    def image_of(row: JobRow) -> Image | None:
        """The job's image; None where only masks were given (``medsegr view`` without an image)."""
        bare = not (service.folders.image(row.image) / "files").is_dir()
        return None if bare else shelf.image(row.image)

    @routes.get("/jobs/{job}/view", responses=problems("not_found", "input_refused", "geometry"))
    def view(job: str) -> Json:
        """What the page draws of a job: its report, its image and findings, the layers of their masks. Of a
        job that is not done: what is known so far."""
        row = service.job(job)
        return view_now(service, row, image_of(row))

    @routes.get(
        "/jobs/{job}/layers/{name}.nii.gz",
        response_class=Response,
        responses={**LAYER, **problems("not_found", "input_refused", "geometry")},
    )
    def layer(job: str, name: str) -> Response:
        """A layer: ``image``, a finding's mask ``<finding>``, its report-free mask ``<finding>.free``, where
        its words acted ``<finding>.map``."""
        row = service.job(job)
        image = image_of(row)
        try:
            data = layer_now(service, row, image, name)
        except InputError as error:
            raise Refusal("not_found", str(error)) from error
        return Response(data, media_type="application/gzip", headers=HEADERS)

    @routes.get(
        "/images/{image}/layers/image.nii.gz",
        response_class=Response,
        responses={**LAYER, **problems("not_found", "input_refused", "geometry")},
    )
    def picture(image: str) -> Response:
        """An image as the page draws it, before any job."""
        shown = shelf.image(service.image(image).id)
        return Response(pack(shown.data, shown), media_type="application/gzip", headers=HEADERS)

    return routes
