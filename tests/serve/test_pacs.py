"""DICOMweb through the server: no way to name an address, errors by code, a PACS there and back."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from fastapi.testclient import TestClient

from dicom_files import PLANTED, write_ct
from dicomweb_stub import Answer, Rule, Stub, answering, holding, parts, rows
from medsegr.errors import InputError
from medsegr.serve.app import create_app
from medsegr.serve.settings import Settings
from orthanc_server import running

STUDY, SERIES = "2.25.4711001", "2.25.31"
GRID = np.array([[0, 0, 1.0, 0], [0, 1.0, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1]])


@contextmanager
def served(folder: Path, config: Path | None) -> Iterator[TestClient]:
    settings = Settings(data_dir=folder / "data", model="threshold", workers=0, rate=0, dicomweb=config)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    plane = np.add.outer(np.arange(12), np.arange(14)).astype(np.int16)
    folder = write_ct(tmp_path_factory.mktemp("ct"), np.stack([plane * 20 + z for z in range(4)]), GRID)
    return {str(pydicom.dcmread(path).SOPInstanceUID): path.read_bytes() for path in folder.iterdir()}


@contextmanager
def beside(rule: Rule, folder: Path, **more: Any) -> Iterator[tuple[TestClient, Stub]]:
    """A server with a stub as its archive."""
    with answering(rule) as stub, served(folder, stub.config(folder, **more)) as client:
        yield client, stub


def code_of(answer: Any) -> tuple[int, str]:
    told = answer.json()
    assert set(told) == {"error"}
    assert "\n" not in told["error"]["message"]
    assert not [w for w in (STUDY, SERIES, "127.0.0.1", *PLANTED) if w in answer.text]
    return answer.status_code, told["error"]["code"]


def test_servers_are_told_by_name(files: dict[str, bytes], tmp_path: Path) -> None:
    with beside(holding(STUDY, SERIES, files), tmp_path) as (client, stub):
        assert client.get("/v1/dicomweb").json() == {"servers": [{"name": "stub", "push": True}]}
        assert client.get("/v1/capabilities").json()["dicomweb"] == ["stub"]
        assert stub.seen == []
    with served(tmp_path, None) as client:
        assert client.get("/v1/dicomweb").json() == {"servers": []}
        assert client.get("/v1/capabilities").json()["dicomweb"] == []


def test_a_bad_configuration_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("[[server]]\nname = 'a'\nurl = 'file:///x'\n", encoding="utf-8")
    with pytest.raises(InputError, match="--dicomweb: server 1: url"):
        create_app(Settings(data_dir=tmp_path / "data", workers=0, dicomweb=tmp_path / "x.toml"))
    assert not (tmp_path / "data").exists()


def test_studies_and_series_have_the_same_fields_whatever_the_server_tells(tmp_path: Path) -> None:
    odd = {
        "0020000D": STUDY,
        "00100010": [7],
        "00201208": ["4"],
        "00201206": ["many"],
        "00080061": ["CT", "SR"],
    }
    with beside(lambda a: rows() if "offset" in a.path else rows(odd), tmp_path) as (client, stub):
        (study,) = client.get("/v1/dicomweb/stub/studies", params={"PatientID": "A*", "limit": 3}).json()[
            "studies"
        ]
        assert (study["study"], study["patient_name"]) == (STUDY, "7")
        assert (study["instances"], study["series"], study["modalities"]) == (4, None, ["CT", "SR"])
        assert stub.seen[0].path.endswith("&limit=3")
        assert client.get(f"/v1/dicomweb/stub/studies/{STUDY}/series").json() == {"series": []}


REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("GET", "/v1/dicomweb/other/studies", None, 404, "not_found"),
    ("GET", "/v1/dicomweb/http:%2F%2F127.0.0.1%2Fx/studies", None, 404, "not_found"),
    ("GET", "/v1/dicomweb/stub/studies?url=x", None, 422, "invalid"),
    ("GET", "/v1/dicomweb/stub/studies?limit=9999", None, 422, "invalid"),
    ("GET", "/v1/dicomweb/stub/studies?PatientID=" + "x" * 65, None, 422, "invalid"),
    ("GET", "/v1/dicomweb/stub/studies?PatientID=%0a", None, 400, "wrong_arguments"),
    ("GET", "/v1/dicomweb/stub/studies/x/series", None, 400, "wrong_arguments"),
    ("POST", "/v1/dicomweb/other/pull", {"study": STUDY}, 404, "not_found"),
    ("POST", "/v1/dicomweb/stub/pull", {"study": "http://127.0.0.1/"}, 422, "invalid"),
    ("POST", "/v1/dicomweb/stub/pull", {"study": "1.2/../3"}, 422, "invalid"),
    ("POST", "/v1/dicomweb/stub/pull", {"study": STUDY, "url": "http://127.0.0.1/"}, 422, "invalid"),
    ("POST", "/v1/dicomweb/stub/pull", {}, 422, "invalid"),
    ("POST", "/v1/jobs/jaaaaaaaaaaaaaaaaaaaaaa/push", {"server": "stub"}, 404, "not_found"),
    ("POST", "/v1/jobs/jaaaaaaaaaaaaaaaaaaaaaa/push", {"server": "http://127.0.0.1"}, 404, "not_found"),
    ("POST", "/v1/jobs/x/push", {"server": "stub", "formats": ["png"]}, 422, "invalid"),
]


def test_nothing_that_a_request_says_becomes_an_address(files: dict[str, bytes], tmp_path: Path) -> None:
    with beside(holding(STUDY, SERIES, files), tmp_path) as (client, stub):
        for method, path, body, status, code in REFUSED:
            assert code_of(client.request(method, path, json=body)) == (status, code), path
        assert stub.seen == []


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (Answer(401), 503, "pacs_refused"),
        (Answer(404), 404, "not_found"),
        (Answer(500, b"trace"), 503, "pacs_failed"),
        (Answer(200, b"<html>"), 503, "pacs_failed"),
        (Answer(302, headers={"Location": "http://127.0.0.2/"}), 503, "pacs_failed"),
        (Answer(200, b"[" + b" " * 99, cut=10), 504, "pacs_unreachable"),
    ],
)
def test_errors_of_the_other_server_have_codes(
    answer: Answer, status: int, code: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with beside(lambda _: answer, tmp_path) as (client, _):
        for call in (
            lambda: client.get("/v1/dicomweb/stub/studies?PatientName=Planted"),
            lambda: client.post("/v1/dicomweb/stub/pull", json={"study": STUDY}),
        ):
            assert code_of(call()) == (status, code)
        assert list((tmp_path / "data" / "images").iterdir()) == []
    ours = " ".join(r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore")))
    assert not [word for word in (STUDY, "Planted", "127.0.0.2") if word in ours]


def test_half_a_study_and_what_cannot_be_read_leave_nothing(files: dict[str, bytes], tmp_path: Path) -> None:
    half = parts(*list(files.values())[:2])
    with beside(holding(STUDY, SERIES, files, fetch=lambda _: half), tmp_path) as (client, _):
        answer = client.post("/v1/dicomweb/stub/pull", json={"study": STUDY})
        assert code_of(answer) == (503, "pacs_incomplete")
        assert answer.headers["Retry-After"] == "60"
        assert list((tmp_path / "data" / "images").iterdir()) == []
    with beside(holding(STUDY, SERIES, files), tmp_path, max_bytes=99) as (client, _):
        answer = client.post("/v1/dicomweb/stub/pull", json={"study": STUDY})
        assert code_of(answer) == (413, "too_large")
        assert list((tmp_path / "data" / "images").iterdir()) == []


def done(client: TestClient, image: str, **asked: Any) -> str:
    job = client.post("/v1/jobs", json={"image": image, **asked}).json()["id"]
    for _ in range(600):
        state = client.get(f"/v1/jobs/{job}").json()["state"]
        if state not in ("queued", "running"):
            assert state == "done"
            return str(job)
        time.sleep(0.05)
    pytest.fail("the job does not end")


def test_fetch_segment_store(files: dict[str, bytes], tmp_path: Path) -> None:
    """A made series out of Orthanc and its masks back into it, over HTTP alone."""
    (tmp_path / "ct").mkdir()
    for number, body in enumerate(files.values()):
        (tmp_path / "ct" / f"{number}").write_bytes(body)
    with running(tmp_path / "orthanc") as orthanc, served(tmp_path, orthanc.config()) as client:
        orthanc.put(tmp_path / "ct")
        (study,) = client.get("/v1/dicomweb/orthanc/studies?ModalitiesInStudy=CT").json()["studies"]
        answer = client.post("/v1/dicomweb/orthanc/pull", json={"study": study["study"]})
        assert answer.status_code == 201, answer.text
        image = answer.json()
        assert (image["grid"], image["modality"]) == ([4, 12, 14], "CT")
        job = done(client, image["id"], phrases=["liver"])
        for _ in range(2):
            told = client.post(f"/v1/jobs/{job}/push", json={"server": "orthanc"}).json()["stored"]
            assert told == [
                {"format": "dicom-seg", "outcome": "stored", "reason": None},
                {"format": "dicom-sr", "outcome": "stored", "reason": None},
            ]
        shown = client.get(f"/v1/dicomweb/orthanc/studies/{STUDY}/series").json()["series"]
        assert sorted(row["modality"] for row in shown) == ["CT", "SEG", "SR"]
        series = {row["modality"]: row["series"] for row in shown}
        sr = orthanc.rest("/tools/find", "POST", json={"Level": "Instance", "Query": {"Modality": "SR"}})
        evidence = orthanc.rest(f"/instances/{sr[0]}/simplified-tags")[
            "CurrentRequestedProcedureEvidenceSequence"
        ]
        referred = {one["SeriesInstanceUID"] for one in evidence[0]["ReferencedSeriesSequence"]}
        assert series["CT"] in referred
        assert referred <= {series["CT"], series["SEG"]}


def test_a_result_without_masks_or_without_dicom(files: dict[str, bytes], tmp_path: Path) -> None:
    with beside(holding(STUDY, SERIES, files, store=lambda _: Answer(200)), tmp_path) as (client, stub):
        image = client.post("/v1/dicomweb/stub/pull", json={"study": STUDY}).json()["id"]
        empty = done(client, image, report="No pneumothorax.")
        told = client.post(f"/v1/jobs/{empty}/push", json={"server": "stub"}).json()["stored"]
        assert [(row["format"], row["outcome"]) for row in told] == [
            ("dicom-seg", "nothing"),
            ("dicom-sr", "stored"),
        ]
        posts = len([one for one in stub.seen if one.method == "POST"])
        assert posts == 1
        asked = {"server": "stub", "formats": ["rtstruct"]}
        assert client.post(f"/v1/jobs/{empty}/push", json=asked).json()["stored"][0]["outcome"] == "nothing"
        picture = client.post("/v1/images/example/chest").json()["id"]
        plain = done(client, picture, phrases=["lung"])
        for body in ({"server": "stub"}, asked):
            answer = client.post(f"/v1/jobs/{plain}/push", json=body)
            assert code_of(answer) == (400, "wrong_arguments")
        full = done(client, image, phrases=["liver"])
        told = client.post(f"/v1/jobs/{full}/push", json=asked).json()["stored"]
        assert told == [{"format": "rtstruct", "outcome": "stored", "reason": None}]
        posts += 1
        assert len([one for one in stub.seen if one.method == "POST"]) == posts


def test_nothing_is_stored_where_it_was_not_set_up(files: dict[str, bytes], tmp_path: Path) -> None:
    with beside(holding(STUDY, SERIES, files), tmp_path, push=False) as (client, stub):
        image = client.post("/v1/dicomweb/stub/pull", json={"study": STUDY}).json()["id"]
        job = done(client, image, phrases=["liver"])
        answer = client.post(f"/v1/jobs/{job}/push", json={"server": "stub"})
        assert code_of(answer) == (403, "forbidden")
        assert not [one for one in stub.seen if one.method == "POST"]
