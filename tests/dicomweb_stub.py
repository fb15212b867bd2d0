"""A DICOMweb server of a few lines that answers as told, also wrongly: what real ones do on bad days."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BOUNDARY = "made-boundary"


@dataclass(frozen=True)
class Answer:
    """What is sent back. ``cut``: so many bytes of the body are sent, then the connection breaks."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Rule = Callable[[Asked], Answer]


@dataclass
class Stub:
    """A running stub: where it is, and what it was asked."""

    url: str
    seen: list[Asked] = field(default_factory=list)

    def config(self, folder: Path, **more: Any) -> Path:
        """A configuration file that names it ``stub``."""
        keys = {"name": "stub", "url": self.url, "attempts": 1, "push": True, "timeout_s": 5.0, **more}
        path = folder / "stub.toml"
        told = [f"{key} = {json.dumps(value)}" for key, value in keys.items() if value is not None]
        path.write_text("[[server]]\n" + "\n".join(told) + "\n", encoding="utf-8")
        return path


@contextmanager
def answering(rule: Rule, tls: Path | None = None) -> Iterator[Stub]:
    """A stub on loopback that answers every request by ``rule``; over TLS with a certificate and key
    (PEM).
    """

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            asked = Asked(self.command, self.path, dict(self.headers), self._body())
            stub.seen.append(asked)
            answer = rule(asked)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: answer.cut])
            self.close_connection = True

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            whole = b""
            while size := int(self.rfile.readline(), 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole

        do_GET = do_POST = _any

        def log_message(self, *_: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    stub = Stub(f"http{'' if tls is None else 's'}://127.0.0.1:{server.server_address[1]}/rs")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def rows(*found: Mapping[str, Any]) -> Answer:
    """A search's answer: rows of tag -> value."""
    told = [
        {
            tag: {"vr": "UI", "Value": value if isinstance(value, list) else [value]}
            for tag, value in row.items()
        }
        for row in found
    ]
    return Answer(body=json.dumps(told).encode(), headers={"Content-Type": "application/dicom+json"})


def parts(*bodies: bytes, end: bool = True) -> Answer:
    """A fetch's answer; without ``end`` the last boundary is missing."""
    made = b"".join(
        f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + body + b"\r\n"
        for body in bodies
    )
    made += f"--{BOUNDARY}--\r\n".encode() if end else b""
    kind = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'
    return Answer(body=made, headers={"Content-Type": kind})


def holding(study: str, series: str, files: Mapping[str, bytes], /, **instead: Rule) -> Rule:
    """A rule for one series with ``files`` (UID -> bytes). ``instead`` replaces ``studies``, ``series``,
    ``instances``, ``fetch`` or ``store``."""

    def rule(asked: Asked) -> Answer:
        path = asked.path.partition("?")[0].removeprefix("/rs")
        kind = {
            f"/studies/{study}/series": "series",
            f"/studies/{study}/series/{series}/instances": "instances",
            f"/studies/{study}/series/{series}": "fetch",
            "/studies": "store" if asked.method == "POST" else "studies",
        }.get(path)
        if kind in instead:
            return instead[kind](asked)
        later = "offset=" in asked.path
        if kind == "studies":
            return rows() if later else rows({"0020000D": study})
        if kind == "series":
            return rows() if later else rows({"0020000E": series, "00080060": "CT"})
        if kind == "instances":
            return rows() if later else rows(*({"00080018": uid} for uid in files))
        if kind == "fetch":
            return parts(*files.values())
        return Answer(404)

    return rule
