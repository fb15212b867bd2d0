"""One ASGI request by hand, so that tests see exactly what comes in and goes out."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

App = Callable[..., Awaitable[None]]


@dataclass
class Answer:
    """What came back. ``pulled``: bytes of the body that the app's side took."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    pulled: int = 0

    def header(self, name: str) -> str | None:
        """All values of a header, joined; None where there is none."""
        found = [value for key, value in self.headers if key == name]
        return ", ".join(found) if found else None

    @property
    def code(self) -> str:
        """The stable code of an error."""
        return str(json.loads(self.body)["error"]["code"])


def call(
    app: App,
    method: str = "GET",
    path: str = "/v1/jobs",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: Iterable[bytes | float] = (),
    client: str | None = "127.0.0.1",
) -> Answer:
    """One request. ``body``: pieces, a number is a rest of so many seconds. A Host header is added where
    none is given."""
    rows = list(headers.items() if isinstance(headers, Mapping) else headers)
    if not any(name.lower() == "host" for name, _ in rows):
        rows.append(("host", "localhost:1527"))
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in rows],
        "client": (client, 5000) if client else None,
        "server": ("127.0.0.1", 1527),
    }
    return asyncio.run(_run(app, scope, iter(body)))


async def _run(app: App, scope: dict[str, Any], pieces: Any) -> Answer:
    answer = Answer()
    over = asyncio.Event()
    ended = False

    async def receive() -> dict[str, Any]:
        nonlocal ended
        for piece in pieces:
            if isinstance(piece, bytes):
                answer.pulled += len(piece)
                return {"type": "http.request", "body": piece, "more_body": True}
            await asyncio.sleep(piece)
        if not ended:
            ended = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert not answer.status, "a second answer"
            answer.status = message["status"]
            answer.headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in message["headers"]]
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, send)
    over.set()
    return answer


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An app that reads its body and says who asks, and how much came."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client went away")
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    told = json.dumps({**scope.get("state", {}), "size": size}).encode()
    lines = [(b"content-type", b"application/json"), (b"server", b"x"), (b"cache-control", b"max-age=9")]
    await send({"type": "http.response.start", "status": 200, "headers": lines})
    await send({"type": "http.response.body", "body": told})
