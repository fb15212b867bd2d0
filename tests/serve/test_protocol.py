"""How long the head of a request may take, over real connections."""

import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from live import Live, running
from medsegr.serve.settings import Settings

PATIENCE = 2.0  # seconds that a head may take here
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), model="threshold", workers=0, rate=0)
    with running(settings, PATIENCE) as server:
        yield server


def dripped(live: Live, first: bytes, drop: bytes = b"", seconds: float = 60.0) -> bytes:
    """What a client gets that sends ``first``, then ``drop`` again and again until it is sent away."""
    found = b""
    until = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", live.port), timeout=seconds) as line:
        line.sendall(first)
        line.settimeout(0.05)
        while time.monotonic() < until:
            try:
                if drop:
                    line.sendall(drop)
                piece = line.recv(65536)
            except TimeoutError:
                continue
            except OSError:  # it was reset: sent away as well
                return found
            if not piece:
                return found
            found += piece
    raise AssertionError(f"still connected after {seconds} s; it got {found!r}")


@pytest.mark.parametrize(
    "first",
    [b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", b"G"],
    ids=["headers", "letter"],
)
@pytest.mark.parametrize("drop", [b"X", b""], ids=["dripping", "silent"])
def test_a_head_that_never_ends_is_given_up(live: Live, first: bytes, drop: bytes) -> None:
    answer = dripped(live, first, drop)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 408", b"HTTP/1.1 400"))
    if not drop:
        assert answer.startswith(b"HTTP/1.1 408")
        assert b'"too_slow"' in answer


def test_headers_that_come_for_ever_are_given_up(live: Live) -> None:
    answer = dripped(live, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", b"X-Y: z\r\n")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408")


def test_who_connects_and_says_nothing_is_sent_away(live: Live) -> None:
    assert dripped(live, b"").startswith(b"HTTP/1.1 408")


def test_the_time_is_that_of_each_request_anew(live: Live) -> None:
    """A connection lives longer than one head may take; its second head has its own time."""
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as line:
        for wait in (0.0, PATIENCE / 2, 1.2 * PATIENCE):
            time.sleep(wait)
            line.sendall(HEAD)
            answer = b""
            while not answer.endswith(b"}"):  # head and body may come apart
                answer += line.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
        line.sendall(HEAD[:10])
        found = b""
        while piece := line.recv(65536):
            found += piece
        assert found.startswith(b"HTTP/1.1 408")


def test_an_answer_may_take_longer_than_a_head(live: Live) -> None:
    """A body that takes its time is not the head's: other limits hold for it."""
    body = b'{"report": "Nodule."}'
    head = b"POST /v1/parse HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as line:
        line.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:5])
        time.sleep(2 * PATIENCE)
        line.sendall(body[5:])
        assert line.recv(65536).startswith(b"HTTP/1.1 200")


def test_many_slow_heads_hold_nobody_up(live: Live) -> None:
    lines = [socket.create_connection(("127.0.0.1", live.port), timeout=60) for _ in range(60)]
    try:
        for line in lines:
            line.sendall(b"GET / HTTP/1.1\r\nHo")
        assert httpx.get(f"{live.url}/healthz", timeout=60).status_code == 200
        for line in lines:
            while line.recv(65536):
                pass
    finally:
        for line in lines:
            line.close()


def test_no_websocket_is_opened(live: Live) -> None:
    head = b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    head += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as line:
        line.sendall(head)
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
