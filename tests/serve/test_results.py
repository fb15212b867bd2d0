"""Results in every format: what a client downloads opens elsewhere and is what the command line writes."""

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from dicom_files import write_ct
from medsegr.options import DICOM_FORMATS
from medsegr.serve.results import FORMATS, table
from served import REPORT, Asked


def result(server: Asked, job: str, kind: str) -> Any:
    return server.client.get(f"/v1/jobs/{job}/result", params={"format": kind})


@pytest.fixture
def dicom(server: Asked, tmp_path: Path) -> str:
    """A job on a DICOM series, with its study."""
    volume = np.zeros((4, 24, 20)) - 900
    volume[1:3, 6:14, 5:12] = 100
    folder = write_ct(tmp_path / "ct", volume, np.diag([3.0, 1.0, 1.0, 1.0]))
    files = [("files", (path.name, path.read_bytes(), "application/dicom")) for path in folder.iterdir()]
    answer = server.client.post("/v1/images", files=files)
    assert answer.status_code == 201, answer.text
    job: str = server.job(answer.json()["id"], phrases=["liver"])["id"]
    assert server.ended(job)["state"] == "done"
    return job


def test_dicom_in_dicom_out(server: Asked, dicom: str, tmp_path: Path) -> None:
    (tmp_path / "seg.dcm").write_bytes(result(server, dicom, "dicom-seg").content)
    seg = highdicom.seg.segread(tmp_path / "seg.dcm")
    assert seg.number_of_segments == 1
    with zipfile.ZipFile(io.BytesIO(result(server, dicom, "zip").content)) as archive:
        names = archive.namelist()
        assert {"findings.json", "manifest.json", "overlay.png", "segmentation.dcm"} <= set(names)
        (tmp_path / "own.dcm").write_bytes(archive.read("segmentation.dcm"))
    own = highdicom.seg.segread(tmp_path / "own.dcm")
    assert own.SOPInstanceUID == seg.SOPInstanceUID  # the later export is the same object
    assert own.PixelData == seg.PixelData
    for kind in ("dicom-sr", "dicom-sc", "rtstruct"):
        answer = result(server, dicom, kind)
        assert answer.status_code == 200, answer.text
        assert answer.content[128:132] == b"DICM"
        assert answer.headers["content-type"] == "application/dicom"
        assert (seg.SOPInstanceUID.encode() in answer.content) == (kind == "dicom-sr")
    answer = result(server, dicom, "png")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "wrong_arguments")


def test_masks_as_files(server: Asked, tmp_path: Path) -> None:
    job = server.done(phrases=["left lung"])
    mask = np.asarray(Picture.open(io.BytesIO(result(server, job, "png").content)))
    assert mask.shape == (48, 48)
    assert set(np.unique(mask)) == {0, 255}
    answer = result(server, job, "nifti")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    drawn = nibabel.load(tmp_path / "masks" / "f1.nii.gz").get_fdata() > 0  # type: ignore[attr-defined]
    assert drawn.reshape(48, 48).sum() == (mask > 0).sum()
    assert result(server, job, "nrrd").status_code == 200
    assert result(server, job, "fhir").json()["resourceType"] == "Bundle"


def test_the_archive_is_the_folder(server: Asked) -> None:
    job = server.done()
    out = server.service.folders.out(job)
    with zipfile.ZipFile(io.BytesIO(result(server, job, "zip").content)) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    assert inside == {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert result(server, job, "manifest").content == inside["manifest.json"]
    assert result(server, job, "json").content == inside["findings.json"]
    assert result(server, job, "overlay").content == inside["overlay.png"]
    assert result(server, job, "zip").content == result(server, job, "zip").content


def test_measurements_as_a_table(server: Asked) -> None:
    job = server.done(report=REPORT)
    answer = result(server, job, "csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in rows] == ["f1", "f2", "f3"]
    assert [row["status"] for row in rows] == ["segmented", "skipped", "skipped"]
    numbers = [value for value in rows[0].values() if value.replace(".", "").isdigit()]
    assert any(float(value) > 0 for value in numbers[2:]), rows[0]


@given(st.sampled_from(["", "=", "+", "-", "@", "\t", "\r", "\n"]), st.text(max_size=30))
def test_no_cell_is_a_formula(first: str, rest: str) -> None:
    phrase = first + rest
    item = {
        "id": "f1",
        "name": phrase,
        "phrase": phrase,
        "location": {"side": None},
        "measurements": {"area": {"value": -1.5, "unit": "mm2", "status": "ok"}},
        "checks": [{"name": "side", "outcome": "warn", "detail": phrase}],
    }
    row = list(csv.reader(io.StringIO(table([item]), newline="")))[1]
    for cell in row:
        assert cell == "-1.5" or not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert row[-2] == "-1.5"


def test_names_of_files_are_ours(server: Asked) -> None:
    job = server.done()
    for kind in FORMATS:
        answer = result(server, job, kind)
        if kind in DICOM_FORMATS:
            assert answer.status_code == 400, "the image is no DICOM"
            continue
        told = answer.headers["content-disposition"]
        assert told.startswith(f'attachment; filename="medsegr-{job[1:9]}-')
        assert answer.headers["cache-control"] == "no-store"


def test_where_nothing_was_drawn_there_is_no_mask_to_send(server: Asked) -> None:
    job = server.done(report="No pneumothorax.")
    assert result(server, job, "png").status_code == 404
    assert result(server, job, "json").json()["findings"][0]["reason"] == "absent"
    rows = list(csv.reader(io.StringIO(result(server, job, "csv").text, newline="")))
    assert rows[1][rows[0].index("reason")] == "absent"
    assert rows[1][rows[0].index("notes")] == "the report denies it"


def test_what_is_no_format(server: Asked) -> None:
    assert result(server, server.done(), "exe").status_code == 422
