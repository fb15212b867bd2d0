"""The way to a language model's server and back: limits, tries, and servers that mean no good."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from llm_server import Respond, completion, finding, saying, send, serving
from medsegr.report import llm_http
from medsegr.report.llm import Endpoint, consult, unanswered
from medsegr.report.parse import parse
from medsegr.types import Report

TEXT = "Nodule in the left lung. No effusion."


def asked(*responses: Respond, **fields: Any) -> tuple[Report, int]:
    """The report, and how often the server was asked."""
    with serving(*responses) as server:
        endpoint = Endpoint(server.url, "m", **{"pause": 0, **fields})
        return consult(parse(TEXT), endpoint), len(server.bodies)


def rules_stand(report: Report) -> str:
    """The reason why the model gave nothing."""
    assert report.findings == parse(TEXT).findings
    assert unanswered(report)
    (reason,) = [message for code, message in report.warnings if code == "llm_silent"]
    assert "\n" not in reason
    return reason


def status(code: int, **headers: str) -> Respond:
    return lambda handler, _: send(handler, b"PLANTED", code, **headers)


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(code: int) -> None:
    said = [finding("wuggle", TEXT, "mass")]
    report, times = asked(status(code), status(code), saying(said))
    assert not unanswered(report)
    assert times == 3


def test_tries_end() -> None:
    report, times = asked(status(503), retries=1)
    assert "status 503" in rules_stand(report)
    assert times == 2


def test_pauses_grow_and_what_the_server_asks_for_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(llm_http.time, "sleep", slept.append)
    asked(
        status(429),
        status(429, Retry_After="7"),
        status(429, Retry_After="1e9"),
        status(500, Retry_After="soon"),
        retries=4,
        pause=0.5,
    )
    assert slept == [0.5, 7.0, llm_http.LONGEST_PAUSE, 4.0]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 201, 204])
def test_other_refusals_are_not_tried_again(code: int) -> None:
    report, times = asked(status(code))
    reason = rules_stand(report)
    assert str(code) in reason
    assert "PLANTED" not in reason
    assert times == 1


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirects_are_not_followed(code: int) -> None:
    with serving(saying([])) as other:
        report, times = asked(status(code, Location=f"{other.url}/v1/chat/completions"))
    assert "elsewhere" in rules_stand(report)
    assert times == 1
    assert other.bodies == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(saying([])) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        report, times = asked(saying([]))
        assert (unanswered(report), times) == (False, 1)
        assert proxy.bodies == []


def raw(data: bytes, pause: float = 0.0, times: int = 1) -> Respond:
    """Bytes on the wire as they are, with a pause before each repetition."""

    def respond(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        handler.close_connection = True
        for _time in range(times):
            handler.stopped.wait(pause)  # type: ignore[attr-defined]
            if pause and handler.stopped.is_set():  # type: ignore[attr-defined]
                return
            handler.wfile.write(data)
            handler.wfile.flush()

    return respond


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (raw(HEAD + b"\r\n" + b" " * 10_000_000), "more than 1,000,000 bytes"),
        (raw(HEAD + b"Content-Length: 10000000\r\n\r\n" + b" " * 10_000_000), "more than 1,000,000 bytes"),
        (raw(HEAD + b"Content-Length: 99\r\n\r\n{}"), "broke"),
        (raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "broke"),
        (raw(HEAD + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b"), "compressed"),
        (raw(b"<html>hello</html>"), "broke"),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000), "broke"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 1000 + b"\r\n"), "broke"),
        (raw(b""), "broke"),
        (
            lambda handler, _: send(handler, b"<html>PLANTED</html>", Content_Type="text/html"),
            "no chat completion",
        ),
        (lambda handler, _: send(handler, b"\xff\xfe\x00"), "no chat completion"),
        (lambda handler, _: send(handler, b"[" * 200_000), "no chat completion"),
        (lambda handler, _: send(handler, b'{"choices": []}'), "no chat completion"),
        (lambda handler, _: send(handler, b'{"choices": {"0": 1}}'), "no chat completion"),
        (lambda handler, _: send(handler, b'{"error": {"message": "PLANTED"}}'), "no chat completion"),
        (saying([], finish_reason="length"), "cut off"),
        (lambda handler, _: send(handler, b'{"choices": [{"message": {"content": null}}]}'), "no text"),
        (lambda handler, _: send(handler, b'{"choices": [{"message": {"content": [1]}}]}'), "no text"),
    ],
)
def test_answers_that_are_none(respond: Respond, reason: str) -> None:
    report, _ = asked(respond, retries=0)
    told = rules_stand(report)
    assert reason in told
    assert "PLANTED" not in told


@pytest.mark.parametrize(
    "respond",
    [
        raw(HEAD + b"\r\n", pause=30),
        raw(b"H", pause=0.05, times=600),
        raw(HEAD + b"X: ", pause=0.0),
    ],
    ids=["silent", "drip", "broken off"],
)
def test_a_slow_server_is_left(respond: Respond) -> None:
    report, _ = asked(respond, timeout=0.4, retries=0)
    rules_stand(report)


def drip(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    """A whole answer, a byte at a time, slower than anybody waits but never silent for long."""
    handler.close_connection = True
    body = completion([])
    handler.wfile.write(HEAD + f"Content-Length: {len(body) + 5000}\r\n\r\n".encode())
    for byte in body + b" " * 5000:
        if handler.stopped.wait(0.02):  # type: ignore[attr-defined]
            return
        handler.wfile.write(bytes([byte]))


def test_time_is_counted_for_the_whole_answer_and_not_from_byte_to_byte() -> None:
    report, times = asked(drip, timeout=0.5, retries=1)
    assert "no whole answer came in 0.5 s" in rules_stand(report)
    assert times == 2


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert "no server" in rules_stand(consult(parse(TEXT), Endpoint(url, "m", pause=0)))


def test_a_plain_server_behind_https() -> None:
    with serving(saying([])) as server:
        url = server.url.replace("http:", "https:")
        rules_stand(consult(parse(TEXT), Endpoint(url, "m", pause=0, retries=0, timeout=5)))


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    asked(saying([]))
    deadline = time.monotonic() + 60
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_surrogates_in_a_report_do_not_stop_it() -> None:
    with serving(saying([])) as server:
        report = consult(parse("Nodule \ud800."), Endpoint(server.url, "m"))
    assert not unanswered(report)
    assert json.dumps(server.bodies[0])
