"""uvicorn's HTTP/1.1 with a limit that it lacks: how long a client may take for the head of a request.

Bodies have theirs in :mod:`medsegr.serve.bodies`, idle connections between two requests in uvicorn. Without
this one, whoever sends a byte now and then keeps a connection for ever, and enough of them keep all others
out (slowloris).
"""

import json
from asyncio import TimerHandle, Transport
from functools import partial
from typing import Any

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from medsegr.serve.refusal import CODES, error_json

HEAD = 20.0  # seconds from a connection's begin, or from a request's first byte, until its head is whole


class Hurried(H11Protocol):
    """One connection; ``patience`` is how many seconds the head of each request may take."""

    def __init__(self, *given: Any, patience: float = HEAD, **more: Any) -> None:
        super().__init__(*given, **more)
        self.patience = patience
        self.late: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """The time begins: also for clients that connect and say nothing."""
        super().connection_made(transport)
        self.late = self.loop.call_later(self.patience, self.give_up)

    def data_received(self, data: bytes) -> None:
        """More of a head, or of a body: only a whole head ends its time, one byte more does not."""
        super().data_received(data)
        waits = self.conn.their_state is h11.IDLE
        if not waits:
            self._in_time()
        elif self.late is None:  # the first bytes of another request
            self.late = self.loop.call_later(self.patience, self.give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went, or was sent away."""
        self._in_time()
        super().connection_lost(exc)

    def give_up(self) -> None:
        """Say that it took too long, and end the connection."""
        self.late = None
        if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            return
        if self.conn.our_state is h11.IDLE:  # else it is still being answered
            status, _ = CODES["too_slow"]
            body = json.dumps(error_json("too_slow")).encode()
            lines = [("content-type", "application/json"), ("content-length", str(len(body)))]
            head = h11.Response(status_code=status, headers=[*lines, ("connection", "close")])
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _in_time(self) -> None:
        if self.late is not None:
            self.late.cancel()
            self.late = None


def config_of(app: Any, patience: float = HEAD, **more: Any) -> Config:
    """uvicorn's settings for our server: HTTP/1.1 with that limit, no WebSockets (none are spoken here),
    nothing logged."""
    quiet: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False}
    hurried: Any = partial(Hurried, patience=patience)
    return Config(app, http=hurried, ws="none", **quiet, **more)
