"""Events of a job as they happen (server-sent events), from the store: they outlive the server, and a stream
goes on where it was broken off.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from medsegr.serve import partial
from medsegr.serve.rows import ENDED, EventRow
from medsegr.serve.service import Service
from medsegr.serve.wire import problems

LOOK = 1.0  # seconds between two looks at whether the server is about to end
BEAT = ": alive\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `state`, `progress`, `finding` and `end`, numbered from 1.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def as_text(service: Service, job: str, row: EventRow) -> str:
    """One event as it goes over the wire. A finding's words come from the folder of its job."""
    data: dict[str, Any] = dict(row.data)
    if row.event == "finding":
        own = str(data["finding"])
        item = partial.told(service.folders.job(job), own)
        if item is None:  # of a run that was broken off; it is told again
            return ""
        layer = f"/v1/jobs/{job}/layers/{own}.nii.gz" if item.get("status") == "segmented" else None
        data = {"finding": item, "layer": layer}
    return f"id: {row.number}\nevent: {row.event}\ndata: {json.dumps(data)}\n\n"


def _next(service: Service, job: str, after: int) -> list[tuple[EventRow, str]]:
    return [(row, as_text(service, job, row)) for row in service.store.events(job, after)]


async def stream(service: Service, job: str, after: int) -> AsyncIterator[str]:
    """Events of a job with numbers above ``after``, until its end; a comment where nothing happens."""
    quiet = 0.0
    yield ": medsegr\n\n"  # headers go out at once
    with service.bell.listening(job) as rung:
        while True:
            rung.clear()
            before = service.store.job(job)
            found = await run_in_threadpool(_next, service, job, after)
            for row, text in found:
                after = row.number
                if text:
                    yield text
                if row.event == "end":
                    return
            if found:
                quiet = 0.0
                continue
            if before is None or before.state in ENDED or service.leaving.asked():
                return
            try:
                await asyncio.wait_for(rung.wait(), min(LOOK, service.settings.heartbeat))
            except TimeoutError:
                quiet += min(LOOK, service.settings.heartbeat)
                if quiet >= service.settings.heartbeat:
                    quiet = 0.0
                    yield BEAT


def router(service: Service) -> APIRouter:
    """The one route."""
    routes = APIRouter(prefix="/v1/jobs", tags=["jobs"])

    @routes.get(
        "/{job}/events",
        response_class=StreamingResponse,
        responses={**STREAM, **problems("not_found")},
    )
    async def events(job: str, last_event_id: Annotated[str | None, Header()] = None) -> StreamingResponse:
        """What happens to a job, as it happens. ``Last-Event-ID`` goes on after that number."""
        row = await run_in_threadpool(service.job, job)
        told = last_event_id or ""
        after = int(told) if told.isdecimal() and len(told) < 16 else 0
        return StreamingResponse(
            stream(service, row.id, after), media_type="text/event-stream", headers=HEADERS
        )

    return routes
