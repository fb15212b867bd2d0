"""DICOMweb in the page, in a headless Chromium: a server of a few lines stands in for a PACS.

The steps are in web/tests/browser/pacs.mjs; each is a test here. MEDSEGR_SHOTS names a folder for pictures.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pydicom
import pytest

from dicom_files import write_ct, write_dx
from dicomweb_stub import Answer, Asked, Rule, Stub, answering, holding, rows
from medsegr.phantom.write import case_of
from medsegr.serve.keys import new_key

from .browsing import Server, run, serving, shots, walked

STUDY, SERIES, REPORT = "2.25.4711001", "2.25.4711002", "2.25.4711003"
PACS = ("search", "tablet", "fetch and draw", "send", "no fault")


def xray(path: Path, side: int, **more: Any) -> Path:
    grey = np.asarray(case_of("chest", 7, 0, side).image)
    grey = grey if grey.ndim == 2 else grey[..., 0]
    return write_dx(path, grey.astype(np.int16), StudyInstanceUID=STUDY, **more)


def archive(files: dict[str, bytes]) -> Rule:
    """One study of one X-ray and a report, found by its patient's id; whatever comes is stored."""

    def studies(asked: Asked) -> Answer:
        query = parse_qs(urlsplit(asked.path).query)
        if "offset" in query or query.get("PatientID") == ["nobody"]:
            return rows()
        assert query["StudyDate"] == ["20200101-"]
        told = {"0020000D": STUDY, "00080020": "20200102", "00100020": "PLANTED-1", "00080061": ["DX", "SR"]}
        return rows({**told, "00081030": "Chest"})

    def series(asked: Asked) -> Answer:
        if "offset=" in asked.path:
            return rows()
        return rows({"0020000E": SERIES, "00080060": "DX"}, {"0020000E": REPORT, "00080060": "SR"})

    def store(_: Asked) -> Answer:
        return Answer(200, b"{}", {"Content-Type": "application/dicom+json"})

    return holding(STUDY, SERIES, files, studies=studies, series=series, store=store)


@dataclass
class Place:
    """The page's server beside a PACS, and what was stored there."""

    server: Server
    stub: Stub
    keys: dict[str, str]

    def walk(self, part: str, **more: Any) -> dict[str, Any]:
        about = {"base": self.server.base, "part": part, "study": STUDY, "series": SERIES, "shots": shots()}
        return walked("pacs.mjs", {**about, **more})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("pacs")
    path = xray(folder / "a.dcm", 192)
    files = {str(pydicom.dcmread(path).SOPInstanceUID): path.read_bytes()}
    keys = {role: new_key(role, role, folder / "keys") for role in ("admin", "write")}
    with answering(archive(files)) as stub:
        flags = ("--dicomweb", str(stub.config(folder)), "--api-key-file", str(folder / "keys"))
        with serving(folder / "data", *flags) as server:
            yield Place(server, stub, keys)


@pytest.fixture(scope="module")
def admin(place: Place) -> dict[str, Any]:
    """How each step went for somebody who may do everything."""
    return place.walk("pacs", key=place.keys["admin"])


@pytest.mark.parametrize("step", PACS)
def test_a_study_there_and_back(admin: dict[str, Any], step: str) -> None:
    assert admin[step]["ok"], admin[step].get("error")


def test_what_was_stored_is_the_result(place: Place, admin: dict[str, Any]) -> None:
    assert admin["send"]["ok"]
    stored = [asked.body for asked in place.stub.seen if asked.method == "POST"]
    kinds = [re.findall(rb"\x08\x00\x60\x00CS..(SEG|SR)", body)[:1] for body in stored]
    assert sorted(kinds) == [[b"SEG"], [b"SR"]]
    assert all(STUDY.encode() in body for body in stored)


def test_who_may_not_store_is_told_so(place: Place, admin: dict[str, Any]) -> None:
    assert admin["send"]["ok"]
    (line,) = place.walk("write", key=place.keys["write"]).values()
    assert line["ok"], line.get("error")


def test_a_pacs_that_is_not_there(tmp_path: Path) -> None:
    with answering(lambda _: Answer(500)) as stub:
        config = stub.config(tmp_path)
    with serving(tmp_path / "data", "--dicomweb", str(config), "--model", "threshold") as server:
        (line,) = run("pacs.mjs", {"base": server.base, "part": "down", "shots": shots()})
    assert line["ok"], line.get("error")


@pytest.mark.parametrize("kind", ["pictures", "volumes"])  # of volumes the server reads one, of pictures none
def test_of_several_series_one_is_chosen(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    if kind == "pictures":
        xray(folder / "1.dcm", 192)
        xray(folder / "2.dcm", 160, SeriesInstanceUID="2.25.4711009")
    else:
        for number, side in enumerate((24, 32)):
            plane = np.add.outer(np.arange(side), np.arange(side)).astype(np.int16)
            made = write_ct(tmp_path / str(side), np.stack([plane * 20 + z for z in range(4)]), np.eye(4))
            for path in made.iterdir():
                path.rename(folder / f"{number}-{path.name}")
    with serving(tmp_path / "data", "--model", "threshold") as server:
        about = {"base": server.base, "part": "series", "folder": str(folder), "shots": shots()}
        (line,) = run("pacs.mjs", about)
    assert line["ok"], line.get("error")
