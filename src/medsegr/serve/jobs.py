"""Jobs: asked for, looked at, cancelled, removed; and those that are done at once."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.requests import Request

from medsegr.options import Options
from medsegr.serve import folders
from medsegr.serve import words as kept
from medsegr.serve.auth import own
from medsegr.serve.ids import checked, new_id
from medsegr.serve.refusal import Refusal
from medsegr.serve.rows import ENDED, JobRow
from medsegr.serve.service import Service
from medsegr.serve.wire import JobInfo, JobList, JobRequest, Words, job_info, owner_of, problems


def accept(service: Service, asked: JobRequest, owner: str) -> JobRow:
    """Put a job into the queue; once this returns it will be done, or end with a reason. Refusal
    ``not_found``, ``wrong_arguments``, ``queue_full``."""
    options = asked.options.options()
    service.image(asked.image)
    row = JobRow(new_id("j"), asked.image, owner, "queued", time.time(), asked.asked)
    if service.store.waiting() >= service.settings.queue:
        raise _full(service)
    folder = service.folders.job(row.id)
    try:
        kept.write(folder, asked, options)
        service.store.add_job(row, service.settings.queue)
    except Refusal as error:
        folders.remove(folder)
        raise (_full(service) if error.code == "queue_full" else error) from error
    except BaseException:
        folders.remove(folder)
        raise
    if service.crew is not None:
        service.crew.wake()
    return row


def _full(service: Service) -> Refusal:
    """When to come again: once half of those that wait are done, as far as the last jobs tell."""
    settings = service.settings
    wait = (service.store.seconds() or 2.0) * settings.queue / (2 * max(1, settings.workers))
    told = f"{settings.queue} jobs wait already: try again later"
    return Refusal("queue_full", told, {"Retry-After": str(round(min(300.0, max(1.0, wait))))})


def adopt(
    service: Service, image: str, words: Words, write: Callable[[Path], object], owner: str = ""
) -> JobInfo:
    """A job that is done at once: ``write`` writes its result folder. What it raises is raised, and then
    there is no job."""
    service.image(image)
    now = time.time()
    until = now + service.settings.keep_seconds
    row = JobRow(
        new_id("j"), image, owner, "done", now, words.asked, started=now, finished=now, expires=until
    )
    folder = service.folders.job(row.id)
    try:
        kept.write(folder, words, Options())
        write(folder / "out")
        service.store.add_job(row, service.settings.queue)
        service.store.keep_image(image, until)
    except BaseException:
        folders.remove(folder)
        raise
    return job_info(row)


def remove(service: Service, job: str) -> None:
    """A job and its result, from the store and from the disk. One that runs is stopped."""
    place = service.folders.job(job)
    folders.forgotten(lambda: service.store.remove_job(job), place)
    service.bell.ring(job)
    folders.remove(place)


def router(service: Service) -> APIRouter:
    """The routes of jobs, but for events, results and layers."""
    routes = APIRouter(prefix="/v1/jobs", tags=["jobs"])

    @routes.post(
        "",
        status_code=202,
        responses=problems("not_found", "wrong_arguments", "invalid", "queue_full", "read_only"),
    )
    def ask(asked: JobRequest, request: Request, response: Response) -> JobInfo:
        """Ask for masks. The answer comes at once; ``Location`` says where the job stands."""
        row = accept(service, asked, owner_of(request))
        response.headers["Location"] = f"/v1/jobs/{row.id}"
        return job_info(row)

    @routes.get("", responses=problems("invalid"))
    def list_jobs(limit: Annotated[int, Query(ge=1, le=200)] = 20) -> JobList:
        """The newest jobs, newest first."""
        return JobList(jobs=[job_info(row) for row in service.store.jobs(limit)])

    @routes.get("/{job}", responses=problems("not_found"))
    def show(job: str) -> JobInfo:
        """How a job stands."""
        return job_info(service.job(job))

    @routes.post("/{job}/cancel", responses=problems("not_found", "forbidden", "read_only"))
    def cancel(job: str, request: Request) -> JobInfo:
        """Cancel a job, in the queue or at work; one that has ended stays as it is."""
        row = service.job(job)
        own(request, row.owner)
        if row.state not in ENDED:
            service.store.finish(row.id, "cancelled", service.settings.keep_seconds)
            service.bell.ring(row.id)
        return job_info(service.job(job))

    @routes.delete("/{job}", status_code=204, responses=problems("not_found", "forbidden", "read_only"))
    def delete(job: str, request: Request) -> Response:
        """Remove a job and its result. One that runs is stopped."""
        own(request, service.job(job).owner)
        remove(service, checked("j", job))
        return Response(status_code=204)

    return routes
