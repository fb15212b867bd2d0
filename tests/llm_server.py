"""A small server on loopback that answers as a language model might, well or badly, for the tests."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Respond = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


def finding(quote: str, sentence: str, name: str, **fields: Any) -> dict[str, Any]:
    """One finding of the answer's schema."""
    usual = {"polarity": "present", "time": "current", "side": None, "values": []}
    return {"quote": quote, "sentence": sentence, "name": name, **usual, **fields}


def completion(content: Any, **choice: Any) -> bytes:
    """A chat completion around ``content``: a string as it is, findings as JSON."""
    words = content if isinstance(content, str) else json.dumps({"findings": content})
    message = {"role": "assistant", "content": words}
    return json.dumps(
        {"choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}]}
    ).encode()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """A whole response. Underscores in names of headers are hyphens."""
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def saying(content: Any, **choice: Any) -> Respond:
    """Answers everything with ``content``."""
    return lambda handler, _: send(handler, completion(content, **choice))


@dataclass
class Server:
    """Its address, and what it was asked."""

    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def serving(*responses: Respond) -> Iterator[Server]:
    """A server that gives these responses in turn, the last one for ever."""
    seen = Server("")
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        stopped = ended

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.headers.append({"path": self.path, **dict(self.headers)})
            seen.bodies.append(body)
            try:
                responses[min(len(seen.bodies), len(responses)) - 1](self, body)
            except OSError:  # the client has gone, which some tests want
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        seen.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield seen
        finally:
            ended.set()
            server.shutdown()
            thread.join()
