"""The routes of sessions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from medsegr.prompts.runs import mask_of
from medsegr.serve import work
from medsegr.serve.auth import own
from medsegr.serve.clicks import Choice, Click, Draw, FindingName, Layer, Paint, SessionInfo, SessionRequest
from medsegr.serve.desk import Desk
from medsegr.serve.refusal import Refusal
from medsegr.serve.rows import SessionRow
from medsegr.serve.service import Service
from medsegr.serve.sessions import FILE, Sessions, layer, offered, steps_of
from medsegr.serve.wire import JobInfo, Words, owner_of, problems

TIDY = 30.0  # seconds between two looks for open sessions that were deleted meanwhile
STEP = ("not_found", "forbidden", "wrong_arguments", "invalid", "too_many_steps", "queue_full", "timeout")
NIFTI: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}}}
}


def router(service: Service) -> APIRouter:
    """The routes; the desk's thread ends with the application."""
    table = Desk(lambda: work.load(service.settings))
    all_of = Sessions(service, table)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        tidying = asyncio.create_task(_tidy(all_of))
        try:
            yield
        finally:
            tidying.cancel()
            with suppress(asyncio.CancelledError):
                await tidying
            table.stop()

    routes = APIRouter(prefix="/v1/sessions", tags=["sessions"], lifespan=lifespan)
    _add_basics(routes, all_of)
    _add_steps(routes, all_of)
    return routes


async def _tidy(all_of: Sessions) -> None:
    while True:
        await asyncio.sleep(TIDY)
        with suppress(Refusal):  # the thread is busy: what is left is looked for again
            await all_of.desk.tidy(all_of.alive)


def _mine(all_of: Sessions, session: str, request: Request) -> SessionRow:
    """The session, where the caller may change it."""
    row = all_of.row(session)
    own(request, row.owner)
    return row


def _add_basics(routes: APIRouter, all_of: Sessions) -> None:
    @routes.post("", status_code=201, responses=problems("not_found", "not_done", "invalid", "timeout"))
    async def begin(asked: SessionRequest, request: Request) -> SessionInfo:
        """Begin with an image, or go on from the result of a job."""
        return await all_of.begin(asked, owner_of(request))

    @routes.get("/{session}", responses=problems("not_found", "timeout"))
    async def show(session: str) -> SessionInfo:
        """Where a session stands."""
        row = all_of.row(session)
        shown = await all_of.seen(row)
        return await run_in_threadpool(all_of.info, row, shown)

    @routes.delete("/{session}", status_code=204, responses=problems("not_found", "forbidden"))
    async def delete(session: str, request: Request) -> Response:
        """Forget a session and its steps."""
        await all_of.remove(_mine(all_of, session, request))
        return Response(status_code=204)

    @routes.get(
        "/{session}/layers/{name}.nii.gz",
        response_class=Response,
        responses={**NIFTI, **problems("not_found")},
    )
    async def show_layer(session: str, name: Layer) -> Response:
        """The image, a finding's mask, its report-free mask (``.free``), map (``.map``) or another answer
        (``.candidate-0``)."""
        shown = await all_of.seen(all_of.row(session))
        data = await run_in_threadpool(layer, shown, name)
        return Response(data, media_type="application/gzip")

    @routes.get("/{session}/steps", response_class=JSONResponse, responses=problems("not_found", "not_done"))
    async def show_steps(session: str) -> JSONResponse:
        """The steps as a file that ``Model.replay`` reads; a report is in it by its hash only."""
        row = all_of.row(session)
        told = await run_in_threadpool(steps_of, all_of.service.folders.session(row.id) / FILE)
        return JSONResponse(told, headers={"Content-Disposition": 'attachment; filename="session.json"'})

    @routes.post("/{session}/save", responses=problems("not_found", "wrong_arguments"))
    async def save(session: str, request: Request) -> JobInfo:
        """The result as a job that is done, with every download."""
        row = all_of.row(session)
        shown = await all_of.seen(row)
        return await run_in_threadpool(all_of.saved, row, shown, owner_of(request))


def _add_steps(routes: APIRouter, all_of: Sessions) -> None:
    @routes.post("/{session}/segment", responses=problems(*STEP))
    async def segment(session: str, asked: Words, request: Request) -> SessionInfo:
        """Draw what the words ask for; begins anew."""
        words = tuple(asked.phrases or ()) or None
        return await all_of.step(
            _mine(all_of, session, request),
            lambda it: it.segment(words, report=asked.report or asked.text),
        )

    @routes.post("/{session}/draw", responses=problems(*STEP))
    async def draw(session: str, asked: Draw, request: Request) -> SessionInfo:
        """A further finding out of clicks."""
        row = _mine(all_of, session, request)
        return await all_of.step(row, lambda it: it.draw(asked.phrase, **asked.prompts))

    @routes.post("/{session}/refine", responses=problems(*STEP))
    async def refine(session: str, asked: Click, request: Request) -> SessionInfo:
        """Draw one finding again with clicks."""
        row = _mine(all_of, session, request)
        return await all_of.step(row, lambda it: it.refine(asked.finding, **asked.prompts))

    @routes.post("/{session}/paint", responses=problems(*STEP))
    async def paint(session: str, asked: Paint, request: Request) -> SessionInfo:
        """Keep a plane of a mask exactly as it was painted."""
        row = _mine(all_of, session, request)
        runs = asked.rle.model_dump()
        return await all_of.step(row, lambda it: it.paint(asked.finding, mask_of(runs), asked.slice))

    @routes.post("/{session}/accept", responses=problems(*STEP))
    async def accept(session: str, asked: FindingName, request: Request) -> SessionInfo:
        """Lock a finding's mask as accepted by a person."""
        return await all_of.step(_mine(all_of, session, request), lambda it: it.accept(asked.finding))

    @routes.post("/{session}/choose", responses=problems(*STEP))
    async def choose(session: str, asked: Choice, request: Request) -> SessionInfo:
        """Take one of the candidates."""
        row = _mine(all_of, session, request)
        return await all_of.step(row, lambda it: it.choose(asked.which, asked.finding))

    @routes.post("/{session}/candidates", responses=problems(*STEP))
    async def candidates(session: str, asked: FindingName, request: Request) -> SessionInfo:
        """Other answers to a finding's newest clicks, best first; they stay until the next step."""
        return await all_of.turn(_mine(all_of, session, request), lambda it: offered(it, asked.finding))

    @routes.post("/{session}/undo", responses=problems(*STEP))
    async def undo(session: str, request: Request) -> SessionInfo:
        """One step back."""
        return await all_of.turn(_mine(all_of, session, request), lambda it: it.undo())

    @routes.post("/{session}/redo", responses=problems(*STEP))
    async def redo(session: str, request: Request) -> SessionInfo:
        """Do again what was undone last."""
        return await all_of.turn(_mine(all_of, session, request), lambda it: it.redo())
