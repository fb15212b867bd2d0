"""A log line a request: its number, method, route template, status, time. No address, path or word of it."""

import logging
import time
from itertools import count
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger("medsegr")


class Access:
    """ASGI middleware, outermost. The number of a request is in its answer, too (``X-Request-Id``)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, then log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number, begun, status = next(self._numbers), time.perf_counter(), [500]

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = int(message["status"])
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", b"%d" % number)]
            await send(message)

        scope.setdefault("state", {})["request"] = number
        try:
            await self._app(scope, receive, telling)
        finally:
            took = 1000 * (time.perf_counter() - begun)
            LOG.info(
                "request %d: %s %s %d in %.0f ms", number, scope["method"], template(scope), status[0], took
            )


def template(scope: Any) -> str:
    """The route of a request as it was written, with its parameters' names, not their values."""
    route = scope.get("route")
    return str(getattr(route, "path", "-"))
