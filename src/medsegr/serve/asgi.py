"""The few words of ASGI that the door of the server needs; no framework."""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from medsegr.serve.refusal import CODES, error_json

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: bytes) -> str | None:
    """A request header by its lower-case name; None where it did not come. Of several they are joined by
    a comma, so that a second one is not overlooked."""
    found = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ", ".join(found) if found else None


async def refuse(send: Send, code: str, headers: Mapping[str, str] | None = None) -> None:
    """Answer with an error and end the connection: what is left of the body is not read."""
    body = json.dumps(error_json(code)).encode()
    told = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "connection": "close",
        **(headers or {}),
    }
    lines = [(key.encode(), value.encode()) for key, value in told.items()]
    await send({"type": "http.response.start", "status": CODES[code][0], "headers": lines})
    await send({"type": "http.response.body", "body": body})
