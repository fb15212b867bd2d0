"""One question to an OpenAI-compatible server and its answer as text, within limits of time and size.

``http.client`` and not ``urllib.request``: it follows no redirect and reads no proxy from the environment,
so that a report goes to the address that was typed or nowhere.
"""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from medsegr.errors import MedsegrError

if TYPE_CHECKING:
    from medsegr.report.llm import Endpoint

LARGEST_ANSWER = 1_000_000  # bytes
LONGEST_PAUSE = 20.0  # seconds that a server may ask for before another try
AGAIN = (408, 425, 429, 500, 502, 503, 504)


class NoAnswer(MedsegrError):
    """The server gave nothing that can be used. ``again``: another try may help, after ``pause`` seconds."""

    def __init__(self, message: str, again: bool = False, pause: float = 0.0) -> None:
        super().__init__(message)
        self.again = again
        self.pause = pause


def ask(endpoint: "Endpoint", body: Mapping[str, Any]) -> str:
    """The content of the first choice of a chat completion.

    Busy servers and time-outs are tried again with growing pauses. Raises NoAnswer, in words without any of
    the server's: these may be anything.
    """
    data = json.dumps(body, ensure_ascii=True).encode("ascii")
    for attempt in range(endpoint.retries + 1):
        try:
            return _content(_exchange(endpoint, data))
        except NoAnswer as error:
            if not error.again or attempt == endpoint.retries:
                raise
            time.sleep(max(endpoint.pause * 2**attempt, error.pause))
    raise NoAnswer("it was not asked")  # retries below 0


def _exchange(endpoint: "Endpoint", data: bytes) -> bytes:
    parts = urlsplit(endpoint.address)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port, endpoint.timeout)
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "medsegr",
    }
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    start = time.monotonic()
    try:
        with _deadline(connection, endpoint.timeout):
            connection.request("POST", parts.path, data, headers)
            response = connection.getresponse()
            _check(response)
            body = _body(response)
            if time.monotonic() - start >= endpoint.timeout:  # an answer without length ends where it is cut
                raise TimeoutError
            return body
    except ConnectionRefusedError:
        raise NoAnswer("no server listens at that address") from None
    except ssl.SSLError:
        raise NoAnswer("the encrypted connection was not made; check certificate and address") from None
    except (
        OSError,
        HTTPException,
        ValueError,
        AttributeError,
    ) as error:  # AttributeError: closed while it read
        late = isinstance(error, TimeoutError) or time.monotonic() - start >= endpoint.timeout
        what = f"no whole answer came in {endpoint.timeout:g} s" if late else "the connection broke"
        raise NoAnswer(what, again=True) from None


def _connection(scheme: str, host: str, port: int | None, timeout: float) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(host, port, timeout=timeout, context=ssl.create_default_context())
    return HTTPConnection(host, port, timeout=timeout)


@contextmanager
def _deadline(connection: HTTPConnection, seconds: float) -> Iterator[None]:
    """Close the connection after ``seconds`` in all: a socket's own time-out begins anew with every byte,
    and a server that drips would hold us for ever."""
    held: list[socket.socket] = []

    def stop() -> None:
        for each in (*held, connection.sock):
            if each is not None:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        connection.connect()
        held.append(connection.sock)
        yield
    finally:
        timer.cancel()
        connection.close()


def _check(response: HTTPResponse) -> None:
    status = response.status
    if status == 200:
        if response.getheader("Content-Encoding", "identity") != "identity":
            raise NoAnswer("the server compressed its answer, which was not asked for")
        return
    if 300 <= status < 400:
        raise NoAnswer(f"the server sends elsewhere (status {status}); give its final address")
    if status in (401, 403):
        raise NoAnswer(f"the server refused the key (status {status})")
    try:
        pause = min(LONGEST_PAUSE, max(0.0, float(response.getheader("Retry-After") or 0)))
    except ValueError:  # a date
        pause = 0.0
    raise NoAnswer(f"the server answered with status {status}", again=status in AGAIN, pause=pause)


def _body(response: HTTPResponse) -> bytes:
    parts, size = [], 0
    while part := response.read1(65536):
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER:
            raise NoAnswer(f"the answer has more than {LARGEST_ANSWER:,} bytes")
    expected = response.getheader("Content-Length")
    if expected is not None and len(expected) < 20 and expected.isdecimal() and size < int(expected):
        raise IncompleteRead(b"")
    return b"".join(parts)


def _content(data: bytes) -> str:
    try:
        answer = json.loads(data)
        choice = answer["choices"][0]
        content = choice["message"]["content"]
    except (ValueError, RecursionError, LookupError, TypeError):
        raise NoAnswer("the answer is no chat completion") from None
    if isinstance(choice, dict) and choice.get("finish_reason") == "length":
        raise NoAnswer("the answer was cut off; raise the server's limit of tokens")
    if not isinstance(content, str):
        raise NoAnswer("the answer holds no text")
    return content
