"""Bodies of requests: no larger than their route takes, and not slower than a poor line.

A body that says its size is refused by its size, before a byte of it is read; one that does not (chunked)
as soon as it has grown too large. What the app has written of it by then is the app's to remove: it sees a
client that went away.
"""

import asyncio
import re
import time
from dataclasses import dataclass

from medsegr.serve.asgi import App, Message, Receive, Scope, Send, header, refuse

UPLOADS = re.compile(r"/v1/images/?")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large and how slow a body may be. ``upload`` and ``other`` bytes; ``idle`` seconds without a byte;
    after ``grace`` seconds ``rate`` bytes a second on average."""

    upload: int = 2 * 2**30
    other: int = 16 * 2**20
    idle: float = 20.0
    grace: float = 30.0
    rate: float = 2048.0

    def of(self, method: str, path: str) -> int:
        """The largest body of a route, in bytes."""
        return self.upload if method == "POST" and UPLOADS.fullmatch(path) else self.other


class Bodies:
    """ASGI middleware; see the module."""

    def __init__(self, app: App, sizes: Sizes | None = None) -> None:
        self.app = app
        self.sizes = sizes or Sizes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        most = self.sizes.of(scope["method"], scope["path"])
        said = header(scope, b"content-length")
        if said is not None:
            if not said.isascii() or not said.isdigit():
                return await refuse(send, "bad_request")
            if len(said) > 18 or int(said) > most:
                return await refuse(send, "too_large")
        body = _Body(receive, send, most, self.sizes)
        try:
            await self.app(scope, body.receive, body.send)
        except Exception:
            if body.wrong is None or body.begun:
                raise
        if body.wrong is not None and not body.begun:
            await refuse(send, body.wrong)


class _Body:
    """One body on its way. Where it is refused the app sees a client that went away, and whatever it answers
    to that is replaced by the refusal."""

    def __init__(self, receive: Receive, send: Send, most: int, sizes: Sizes) -> None:
        self.inner, self.out, self.most, self.sizes = receive, send, most, sizes
        self.wrong: str | None = None
        self.begun = self.whole = False
        self.size = 0
        self.since = time.monotonic()

    async def receive(self) -> Message:
        if self.wrong is not None:
            return {"type": "http.disconnect"}
        if self.whole:
            return await self.inner()  # waits for the client to go away: that may take as long as it likes
        try:
            message = await asyncio.wait_for(self.inner(), self._patience())
        except TimeoutError:
            self.wrong = "too_slow"
            return {"type": "http.disconnect"}
        if message["type"] != "http.request":
            return message
        self.size += len(message.get("body", b""))
        self.whole = not message.get("more_body", False)
        if self.size > self.most:
            self.wrong = "too_large"
            return {"type": "http.disconnect"}
        return message

    def _patience(self) -> float:
        """Seconds that the next piece may take; at least a tick, so that what is there is seen."""
        end = self.since + self.sizes.grace + self.size / self.sizes.rate
        return max(0.01, min(self.sizes.idle, end - time.monotonic()))

    async def send(self, message: Message) -> None:
        if self.wrong is not None and not self.begun:
            return
        self.begun = True
        await self.out(message)
