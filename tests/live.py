"""A server on a free port of this machine, in a thread of the test: for what needs real connections."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from medsegr.serve.app import create_app
from medsegr.serve.protocol import HEAD, config_of
from medsegr.serve.settings import Settings


@dataclass(frozen=True)
class Live:
    """Where it listens, and its service."""

    port: int
    service: Any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running(settings: Settings, patience: float = HEAD) -> Iterator[Live]:
    """The server until the block ends; then it is stopped, and its thread has ended. ``patience``: seconds
    for the head of a request."""
    app = create_app(settings)
    config = config_of(app, patience, port=0, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    app.state.service.leaving.asked = lambda: server.should_exit
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        yield Live(server.servers[0].sockets[0].getsockname()[1], app.state.service)
    finally:
        server.should_exit = True
        thread.join(120)
        assert not thread.is_alive()
