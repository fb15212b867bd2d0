"""The server as an ASGI application: routes on one service, errors in one form."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

import medsegr
from medsegr.errors import InputError, MedsegrError
from medsegr.results.overlay import NOTICE
from medsegr.serve import (
    capabilities,
    events,
    examples,
    images,
    jobs,
    pacs,
    page,
    parse,
    results,
    session_routes,
    shown,
)
from medsegr.serve.access import Access
from medsegr.serve.archives import read_archives
from medsegr.serve.bell import Bell
from medsegr.serve.crew import crew_of
from medsegr.serve.folders import Folders
from medsegr.serve.guard import guarded
from medsegr.serve.keys import Keyring
from medsegr.serve.refusal import CODES, Refusal, error_json, told
from medsegr.serve.service import Service
from medsegr.serve.settings import Settings
from medsegr.serve.store import Store
from medsegr.serve.sweeper import Sweeper
from medsegr.serve.wire import problems

LOG = logging.getLogger("medsegr")
OF_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
}
ROOMS = (capabilities, parse, examples, images, jobs, events, results, shown, session_routes, pacs)
SAFE = ("GET", "HEAD", "OPTIONS")


def service_of(settings: Settings) -> Service:
    """The service of a server: its folders are made, its store is opened, nothing is started yet."""
    archives = {} if settings.dicomweb is None else read_archives(settings.dicomweb)
    folders = Folders(settings.data_dir).make()
    store, bell = Store(folders.database), Bell()
    try:
        crew = None if settings.read_only else crew_of(settings, store, folders, bell)
    except InputError:
        store.close()
        raise
    return Service(settings, store, folders, bell, crew, archives=archives)


def create_app(settings: Settings) -> FastAPI:
    """The application. Workers start and end with its lifespan."""
    keyring = None if settings.api_key_file is None else Keyring(settings.api_key_file)
    own = service_of(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        sweeper = Sweeper(own)
        if own.crew is not None:
            own.crew.start()
        sweeper.start()
        try:
            yield
        finally:
            own.bell.ring_all()
            sweeper.close()
            if own.crew is not None:
                own.crew.close()
            own.store.close()

    app = FastAPI(
        title="medsegr",
        version=medsegr.__version__,
        description=f"A medical image and its report in, a mask for every finding out. {NOTICE}",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=problems(),
        lifespan=lifespan,
    )
    app.state.service = own
    for room in ROOMS:
        app.include_router(room.router(own))
    page.mount(app)
    _answer_errors(app)
    if settings.read_only:
        app.add_middleware(ReadOnly)
    app.add_middleware(guarded, settings=settings, keyring=keyring)
    app.add_middleware(Access)
    return app


class ReadOnly:
    """ASGI middleware: what would change something is refused."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through what only reads; reading a report changes nothing either."""
        if scope["type"] == "http" and scope["method"] not in SAFE and scope["path"] != "/v1/parse":
            answer = JSONResponse(error_json("read_only"), CODES["read_only"][0])
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _answer_errors(app: FastAPI) -> None:
    """Every error has a code and one line; none shows a trace."""

    @app.exception_handler(Refusal)
    async def refused(_request: Request, error: Refusal) -> JSONResponse:
        body = error_json(error.code, error.message, error.details)
        return JSONResponse(body, error.status, error.headers)

    @app.exception_handler(MedsegrError)
    async def ours(_request: Request, error: MedsegrError) -> JSONResponse:
        code, line = told(error)
        return JSONResponse(error_json(code, line), CODES[code][0])

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse(error_json("invalid", fault_of(error)), 422)

    @app.exception_handler(HTTPException)
    async def other(_request: Request, error: HTTPException) -> JSONResponse:
        code = OF_STATUS.get(error.status_code, "bad_request" if error.status_code < 500 else "error")
        return JSONResponse(error_json(code), error.status_code, error.headers)


def fault_of(error: RequestValidationError) -> str:
    """Field and fault of the first error, without the value that came."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return f"the body is no JSON: character {first['loc'][-1]}, counted from 0, was not expected"
    if tuple(first["loc"]) == ("body",) and isinstance(error.body, bytes):
        return "the body was not read as JSON: send it with 'Content-Type: application/json'"
    where = ".".join(str(part)[:40] for part in first["loc"] if part != "body")
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
