"""Attacks on a server that listens: each is refused, quickly, and leaves nothing behind."""

import functools
import io
import json
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as Picture

from live import Live, running
from medsegr.bench.io_bombs import write_bombs
from medsegr.serve import guard
from medsegr.serve.bodies import Sizes
from medsegr.serve.keys import new_key
from medsegr.serve.settings import Settings

SCRIPT = "<script>alert(1)</script>"
ERROR = {"code", "message"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    data = tmp_path_factory.mktemp("data")
    made = Settings(data_dir=data, model="threshold", workers=0, rate=0, max_upload_mb=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "Sizes", functools.partial(Sizes, idle=0.5, grace=1.0))
        with running(made) as server:
            yield server


@pytest.fixture
def http(live: Live) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live.url, trust_env=False, timeout=120) as client:
        yield client


def left(live: Live) -> list[str]:
    """What lies on the disk beside the database."""
    root: Path = live.service.folders.root
    return sorted(path.relative_to(root).as_posix() for path in root.glob("*/*"))


def raw(live: Live, *pieces: bytes, wait: float = 0.0) -> bytes:
    """Send bytes as they are; what came back until the server hung up."""
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as line:
        try:
            for piece in pieces:
                line.sendall(piece)
                time.sleep(wait)
        except OSError:
            pass  # it hung up while we talked
        found = b""
        try:
            while piece := line.recv(65536):
                found += piece
        except OSError:
            pass
        return found


def refused(answer: httpx.Response, status: int, code: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == ERROR
    assert code is None or error["code"] == code
    assert "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def png(values: np.ndarray | None = None) -> bytes:
    out = io.BytesIO()
    shown = np.random.default_rng(0).integers(0, 255, (48, 64)) if values is None else values
    Picture.fromarray(shown.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def test_a_gigabyte_that_is_announced_is_not_read(live: Live) -> None:
    before = left(live)
    head = b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n"
    head += b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    answer = raw(live, head, b"x" * 1000)  # the rest never comes
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"too_large"' in answer
    assert b"connection: close" in answer.lower()
    assert left(live) == before


def test_a_body_without_an_end_is_cut_off(live: Live) -> None:
    before = left(live)
    head = b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    head += b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    chunk = b"%x\r\n" % 65536 + b"y" * 65536 + b"\r\n"
    answer = raw(live, head, b"%x\r\n" % len(part) + part + b"\r\n", *[chunk] * 100)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413"), (
        "or the line was reset before it could be read"
    )
    until = time.monotonic() + 60
    while left(live) != before and time.monotonic() < until:  # what had come is thrown away, soon
        time.sleep(0.02)
    assert left(live) == before


@pytest.mark.parametrize("path", ["/v1/images", "/v1/jobs", "/v1/parse"])
def test_a_slow_body_is_given_up(live: Live, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n".encode()
    head += b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    answer = raw(live, head, b"-")
    assert answer.startswith(b"HTTP/1.1 408")
    dripping = raw(live, head, *[b"-"] * 25, wait=0.1)
    assert dripping == b"" or dripping.startswith(b"HTTP/1.1 408")


def test_many_slow_bodies_hold_nobody_up(live: Live, http: httpx.Client) -> None:
    head = b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n"
    head += b"Content-Type: multipart/form-data; boundary=x\r\n\r\n-"
    lines = [socket.create_connection(("127.0.0.1", live.port), timeout=60) for _ in range(60)]
    try:
        for line in lines:
            line.sendall(head)
        assert http.get("/healthz").status_code == 200
    finally:
        for line in lines:
            line.close()


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n",
        b"GET /v1/jobs HTTP/1.1\r\n\r\n",
        b"GET /v1/jobs HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /v1/jobs HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /v1/jobs\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_requests_that_are_none(live: Live, http: httpx.Client, head: bytes) -> None:
    answer = raw(live, head)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert http.get("/healthz").status_code == 200


def test_a_proxy_it_is_not(live: Live) -> None:
    asked = b"GET http://evil.example/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    assert raw(live, asked).startswith(b"HTTP/1.1 400")
    assert not raw(live, b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(
        b"HTTP/1.1 2"
    )
    trace = raw(
        live, b"TRACE /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Secret: abc\r\nConnection: close\r\n\r\n"
    )
    assert b"abc" not in trace


OUT = [
    "../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/medsegr.sqlite",
    "..\\..\\medsegr.sqlite",
    "%252e%252e%252fmedsegr.sqlite",
    "i%00",
    "i" + "a" * 22 + "%0a",
    "i" + "a" * 22 + "/../../medsegr.sqlite",
    "i" + "é" * 22,
    "i" + "a" * 10_000,
    "//etc/passwd",
    ".",
    "NUL",
    "%u002e%u002e",
]


@pytest.mark.parametrize("name", OUT)
def test_no_name_leads_out_of_the_data(live: Live, name: str) -> None:
    for place in (
        "/v1/images/{}",
        "/v1/images/{}/layers/image.nii.gz",
        "/v1/jobs/{}",
        "/v1/jobs/{}/result?format=zip",
        "/v1/jobs/{}/view",
        "/v1/sessions/{}",
        "/v1/sessions/{}/steps",
        "/assets/{}",
        "/{}",
    ):
        path = place.format(name).encode("latin-1", "replace")
        answer = raw(live, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 422", b"HTTP/1.1 414"), (
            path,
            answer[:80],
        )
        assert b"root:" not in answer
        assert b"SQLite" not in answer


def test_layers_and_files_of_a_job_have_names_of_ours_only(http: httpx.Client) -> None:
    image = sent(http, png())
    job = done(http, image, phrases=["nodule"])
    for name in ("..%2f..%2fwords.json", "f1%00", "../findings", "f1.npz", "words", "f1.free.free"):
        assert http.get(f"/v1/jobs/{job}/layers/{name}.nii.gz").status_code in (404, 422)
    for kind in ("../../words", "words.json", "", "json%00", "..%2fwords.json", "exe"):
        refused(http.get(f"/v1/jobs/{job}/result?format={kind}"), 422, "invalid")


def sent(http: httpx.Client, data: bytes, name: str = "a.png", status: int = 201, **fields: str) -> Any:
    answer = http.post("/v1/images", files=[("files", (name, data))], data=fields)
    assert answer.status_code == status, answer.text
    return answer.json()["id"] if status == 201 else answer


def done(http: httpx.Client, image: str, **words: Any) -> str:
    job = http.post("/v1/jobs", json={"image": image, **words}).json()["id"]
    with http.stream("GET", f"/v1/jobs/{job}/events") as stream:
        assert b"event: end" in stream.read()
    assert http.get(f"/v1/jobs/{job}").json()["state"] == "done"
    return str(job)


def test_bombs_are_refused_and_leave_nothing(live: Live, http: httpx.Client, tmp_path: Path) -> None:
    before = left(live)
    bombs = {path.name: path.read_bytes() for path in write_bombs(tmp_path, 100).values()}
    bombs["huge.png"] = png(np.zeros((4, 4)))[:16] + b"\x7f\xff\xff\xff\x7f\xff\xff\xff" + png()[24:]
    bombs["many.zip"] = _zip({f"{n:05d}.dcm": b"" for n in range(20_001)})
    for name, data in bombs.items():
        assert len(data) < 2**21, f"{name}: it would be refused for its size"
        refused(sent(http, data, name, 422), 422, None)
    assert left(live) == before


def _zip(members: dict[str, bytes], link: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if link else 0o100644) << 16
            archive.writestr(info, data)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        _zip({"../../evil.png": png()}),
        _zip({"/etc/cron.d/evil": png()}),
        _zip({"C:\\evil.png": png()}),
        _zip({"a/../../evil.png": png()}),
        _zip({"link.png": b"/etc/passwd"}, link=True),
        _zip({"inner.zip": _zip({"a.png": png()})}),
        _zip({}),
        png()[:60],
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<html><script>alert(1)</script></html>",
        b"#!/bin/sh\nrm -rf /\n",
        b"%PDF-1.4",
        b"\x80\x04\x95pickle",
        b"\0" * 200 + b"DICM" + b"\xff" * 100,
    ],
)
def test_files_that_are_none(live: Live, http: httpx.Client, data: bytes) -> None:
    before = left(live)
    for name in ("a.zip", "a.png", "a.dcm", "noending"):
        answer = http.post("/v1/images", files=[("files", (name, data))])
        refused(answer, 422)
        assert str(live.service.folders.root) not in answer.text
    assert left(live) == before


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "",
        "multipart/form-data",
        "a" * 999,
    ],
)
def test_other_content_types_ask_for_nothing(http: httpx.Client, kind: str) -> None:
    """A form of another site can send these without asking first."""
    count = len(http.get("/v1/jobs").json()["jobs"])
    image = sent(http, png())
    body = json.dumps({"image": image, "phrases": ["nodule"]}).encode()
    for path in ("/v1/jobs", "/v1/sessions", "/v1/parse", "/v1/images"):
        answer = http.post(path, content=body, headers={"content-type": kind})
        assert answer.status_code in (400, 415, 422), (path, answer.text)
        assert set(answer.json()["error"]) == ERROR
    assert len(http.get("/v1/jobs").json()["jobs"]) == count


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        b'{"image":' + DEEP + b"}",
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        b'{"report": "\xff\xfe"}',
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b'{"report": NaN}',
        b'{"report": ' + b"9" * 10_000 + b"}",
        b'{"report": "a", "report": 5}',
        b'{"report": "\\ud800"}',
        b'{"report": ""}',
        b'{"phrases": [' + b'"a",' * 300 + b'"a"]}',
        b'{"report": "a", "__proto__": {"x": 1}}',
        b'{"report": {"$ref": "file:///etc/passwd"}}',
        b'{"phrases": ["a"], "modality": "' + b"x" * 5000 + b'"}',
    ],
)
def test_json_beyond_all_measure(http: httpx.Client, body: bytes) -> None:
    for path in ("/v1/parse", "/v1/jobs", "/v1/sessions"):
        answer = http.post(path, content=body, headers={"content-type": "application/json"})
        if path == "/v1/parse" and b"ud800" in body and answer.status_code == 200:
            continue
        assert answer.status_code in (400, 413, 422), (path, answer.text[:200])
        assert set(answer.json()["error"]) == ERROR
        assert len(answer.content) < 2000, "what came is not said again"


@pytest.mark.parametrize(
    "text", ["a\0b nodule", "nodule\x1b[31m", "\u202enodule", "nodule " * 50_000, "🫁 nodule\r\n\r\n"]
)
def test_odd_letters_in_reports(http: httpx.Client, text: str) -> None:
    answer = http.post("/v1/parse", json={"report": text})
    assert answer.status_code in (200, 422), answer.text[:200]
    if answer.status_code == 200:
        for item in answer.json()["findings"]:
            begin, end = item["span"]
            assert text[begin:end] == item["phrase"]


def test_a_script_in_report_and_names_is_never_a_page(http: httpx.Client) -> None:
    name = f'{SCRIPT}".png\r\nSet-Cookie: a=b'
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="' + name.encode() + b'"\r\n\r\n'
    body += png() + b"\r\n--x--\r\n"
    answer = http.post(
        "/v1/images", content=body, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert "set-cookie" not in answer.headers
    image = sent(http, png(), f"{SCRIPT}.png")
    report = f"Nodule {SCRIPT} in the left lung. =HYPERLINK(1) opacity."
    job = done(http, image, report=report, options={"keep_text": True, "explain": True})
    begun = http.post("/v1/sessions", json={"job": job}).json()["id"]
    places = [f"/v1/jobs/{job}", f"/v1/jobs/{job}/view", f"/v1/jobs/{job}/events", f"/v1/images/{image}"]
    places += [
        f"/v1/jobs/{job}/result?format={kind}"
        for kind in ("json", "manifest", "csv", "fhir", "overlay", "zip")
    ]
    places += [
        f"/v1/sessions/{begun}",
        f"/v1/sessions/{begun}/steps",
        f"/v1/images/{SCRIPT}",
        f"/v1/{SCRIPT}",
    ]
    for place in places:
        answer = http.get(place)
        assert not answer.headers["content-type"].startswith(
            ("text/html", "image/svg", "application/xhtml")
        ), place
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert all(ord(letter) >= 32 for value in answer.headers.values() for letter in value)
        assert "script" not in answer.headers.get("content-disposition", "")
    refused(http.post("/v1/parse", json={"modality": SCRIPT}), 400)
    assert SCRIPT not in http.get(f"/v1/images/{SCRIPT}").text


def test_a_formula_in_a_report_is_none_in_the_table(http: httpx.Client) -> None:
    for phrase in ("=cmd|' /C calc'!A0 nodule", "@SUM(1+1) nodule", "+1 nodule", "-2+3 nodule", "\tnodule"):
        job = done(http, sent(http, png()), phrases=[phrase])
        table = http.get(f"/v1/jobs/{job}/result?format=csv")
        assert table.headers["content-type"].startswith("text/csv")
        assert "attachment" in table.headers["content-disposition"]
        for line in table.text.splitlines()[1:]:
            for cell in line.split(","):
                assert not cell.lstrip('"').startswith(("=", "@", "+", "\t"))
                assert (
                    not cell.lstrip('"').startswith("-")
                    or cell.strip('"').lstrip("-").replace(".", "").isdigit()
                )


def test_nothing_that_a_request_names_is_fetched(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, live: Live
) -> None:
    """The server opens no line to anywhere, wherever in a request an address could stand."""
    asked: list[Any] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def seen(self: socket.socket, address: Any) -> None:
        if not (isinstance(address, tuple) and address[1] == live.port):
            asked.append(address)
            raise OSError("no way out")
        connect(self, address)

    def looked_up(host: Any, *more: Any, **rest: Any) -> Any:
        if host not in ("127.0.0.1", b"127.0.0.1"):
            asked.append(host)
            raise OSError("no way out")
        return look_up(host, *more, **rest)

    image = sent(http, png())
    monkeypatch.setattr(socket.socket, "connect", seen)
    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    url = "http://169.254.169.254/latest/meta-data"
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>'.encode()
    xml = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "{url}">]><a>&b;</a>'.encode()
    fhir = json.dumps({"resourceType": "DiagnosticReport", "presentedForm": [{"url": url}]})
    for data in (
        url.encode(),
        svg,
        xml,
        f"NRRD0004\ndata file: {url}\n\n".encode(),
        b"ObjectType = Image\nElementDataFile = " + url.encode(),
    ):
        for name in ("a.png", "a.nhdr", "a.mhd", url):
            sent(http, data, name, 422)
    for words in ({"report": url}, {"report": fhir}, {"phrases": [url]}):
        assert http.post("/v1/parse", json=words).status_code in (200, 422)
    done(http, image, report=f"Nodule, see {url}")
    for body in (
        {"image": url},
        {"image": image, "url": url},
        {"image": {"url": url}},
        {"image": image, "webhook": url},
    ):
        assert http.post("/v1/jobs", json=body).status_code == 422
    for place in (f"/v1/dicomweb/{url}/studies", "/v1/dicomweb/http%3A%2F%2F169.254.169.254/studies"):
        assert http.get(place).status_code in (404, 422)
    headers = {
        "referer": url,
        "x-forwarded-for": url,
        "x-forwarded-host": "169.254.169.254",
        "forwarded": f"host={url}",
    }
    assert http.get("/v1/jobs", headers=headers).status_code == 200
    assert asked == []


def test_links_out_of_data_files_are_not_followed(http: httpx.Client) -> None:
    for header in (
        b"NRRD0004\ntype: uint8\ndimension: 2\nsizes: 4 4\nencoding: raw\ndata file: /etc/passwd\n\n",
        b"NRRD0004\ntype: uint8\ndimension: 2\nsizes: 4 4\nencoding: raw\ndata file: ../../../etc/passwd\n\n",
    ):
        refused(sent(http, header, "a.nhdr", 422), 422)
        refused(sent(http, header, "a.nrrd", 422), 422)
    meta = b"ObjectType = Image\nNDims = 2\nDimSize = 4 4\nElementType = MET_UCHAR\n"
    meta += b"ElementDataFile = /etc/passwd\n"
    refused(sent(http, meta, "a.mhd", 422), 422)


def test_every_route_asks_for_a_key_and_for_its_role(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    key = {"authorization": f"Bearer {new_key('eve', 'read', path)}"}
    made = Settings(data_dir=tmp_path / "d", model="threshold", workers=0, rate=0, api_key_file=path)
    with running(made) as server, httpx.Client(base_url=server.url, trust_env=False) as http:
        document = http.get("/openapi.json", headers=key).json()
        count = 0
        for place, methods in document["paths"].items():
            for method in methods:
                if place in ("/healthz", "/readyz"):
                    continue
                count += 1
                asked = place.replace("{", "").replace("}", "")
                refused(http.request(method, asked), 401, "unauthorized")
                answer = http.request(method, asked, headers=key)
                if method != "get" and place != "/v1/parse":
                    refused(answer, 403, "forbidden")
                else:
                    assert answer.status_code != 401
        assert count > 20
        for method in ("PUT", "PATCH", "BREW"):
            refused(http.request(method, "/v1/jobs", headers=key), 403, "forbidden")
        for place in (
            "/docs",
            "/redoc",
            "/docs/oauth2-redirect",
            "/openapi.json",
            "/metrics",
            "/.env",
            "/.git/config",
        ):
            refused(http.get(place), 401)
        assert http.get("/?key=x").status_code == 200
        refused(http.get(f"/v1/jobs?key={key['authorization'][7:]}"), 401)
        refused(http.get("/v1/jobs", headers={"cookie": f"key={key['authorization'][7:]}"}), 401)


def test_methods_and_places_that_are_none(http: httpx.Client) -> None:
    refused(http.put("/v1/jobs"), 405, "method_not_allowed")
    refused(http.patch("/v1/images"), 405, "method_not_allowed")
    refused(http.get("/v1/nothing"), 404, "not_found")
    refused(http.get("/v1/jobs/"), 404, "not_found")
    refused(http.request("BREW", "/v1/jobs"), 405)
    refused(http.get("/v1/jobs?limit=-1"), 422, "invalid")
    refused(http.get("/v1/jobs?limit=1e9"), 422, "invalid")
    assert http.get("/docs").status_code == 404
