"""What names somebody stays out of everything that is written: logs, messages, manifest, findings, masks,
overlay. Names, ids, UIDs, dates, paths and other words of the report are planted, then all of it is searched.
"""

import gzip
import importlib.util
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from medsegr.cli.main import main

PLANTED = {
    "PatientName": "Quellmaltz^Zerline",
    "PatientID": "QX77341",
    "PatientBirthDate": "19310207",
    "StudyDate": "20170309",
    "StudyTime": "031415",
    "AccessionNumber": "ACC55512",
    "InstitutionName": "Wobblethorpe Infirmary",
    "ReferringPhysicianName": "Drozdowska^Ina",
    "StudyDescription": "for Quellmaltz",
    "SeriesDescription": "Wobblethorpe thin",
    "StudyInstanceUID": "1.2.826.0.99.777.1",
    "SeriesInstanceUID": "1.2.826.0.99.777.2",
    "DeviceSerialNumber": "SN900913",
    "PatientComments": "lives in Plumdorf",
}
FOLDER = "Quellmaltz_Zerline_QX77341"
REPORT = """Patient: Zerline Quellmaltz, born 07/02/1931, MRN QX77341. Wobblethorpe Infirmary, 9 March 2017.
EXAMINATION: CT chest. COMPARISON: Study 1.2.826.0.99.777.1 of 20170309.
FINDINGS: There is a mass in the right lung. No pneumothorax.
IMPRESSION: Mass, discussed with Dr Drozdowska, phone 030-5550199. Seen in Plumdorf.
"""
WORDS = (
    "Quellmaltz",
    "Zerline",
    "QX77341",
    "19310207",
    "07/02/1931",
    "20170309",
    "031415",
    "ACC55512",
    "Wobblethorpe",
    "Drozdowska",
    "1.2.826.0.99.777",
    "SN900913",
    "Plumdorf",
    "5550199",
)


def files_module() -> Any:
    spec = importlib.util.spec_from_file_location("io_files", Path(__file__).parent / "io" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def slices(folder: Path, heights: list[float], **more: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    make = files_module().make_dicom
    for index, height in enumerate(heights):
        plane = np.zeros((24, 20), np.int16)
        plane[6:12, 5:11] = 900 + index
        ds = make(
            plane,
            **PLANTED,
            ImagePositionPatient=[0, 0, height],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            PixelSpacing=[1, 1],
            SOPInstanceUID=f"1.2.826.0.99.777.3.{index}",
            **more,
        )
        other = Dataset()
        other.PatientID = PLANTED["PatientID"]
        ds.OtherPatientIDsSequence = Sequence([other])
        ds.add_new(0x00091010, "LO", PLANTED["PatientName"])
        ds.save_as(folder / f"{FOLDER}_{index}.dcm")
    return folder


def searched(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file that was written (compressed ones also unpacked), and the names of files and folders."""
    for path in folder.rglob("*"):
        yield f"name of {path.name}", path.relative_to(folder).as_posix().encode()
        if path.is_file():
            data = path.read_bytes()
            yield path.name, data
            if data[:2] == b"\x1f\x8b":
                yield path.name, gzip.decompress(data)
            if path.suffix == ".png":
                with Pillow.open(path) as picture:
                    yield path.name, repr(picture.info).encode()


def clean(texts: dict[str, str], folder: Path) -> None:
    for name, text in texts.items():
        for word in WORDS:
            assert word not in text, f"{word} in {name}"
    for name, data in searched(folder):
        for word in WORDS:
            assert word.encode() not in data, f"{word} in {name}"


@pytest.fixture
def said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Callable[..., dict[str, str]]:
    """Run a command as loudly as it can be and return all that it said."""

    def run(code: int, *words: str | Path, loud: bool = True) -> dict[str, str]:
        capfd.readouterr()
        caplog.clear()
        with caplog.at_level(logging.DEBUG):
            got = main([*map(str, words), *(["-v", "--log-json"] if loud else [])])
        seen = capfd.readouterr()
        assert got == code, seen.err
        return {"stdout": seen.out, "stderr": seen.err, "log": caplog.text}

    return run


def test_a_run_writes_nothing_that_names_somebody(
    tmp_path: Path, said: Callable[..., dict[str, str]]
) -> None:
    source = slices(tmp_path / FOLDER, [0, 2, 4, 6])
    slices(tmp_path / FOLDER / "second", [0, 2], SeriesNumber=9, ImageType=["DERIVED", "PRIMARY", "AXIAL"])
    (tmp_path / FOLDER / "report.txt").write_text(REPORT)
    out = tmp_path / "out"
    words = ["-r", tmp_path / FOLDER / "report.txt", "--model", "threshold", "-o", out, "--explain"]
    texts = said(0, "segment", "-i", source, *words, "--format", "nifti,nrrd")
    told = json.loads((out / "manifest.json").read_text())
    assert told["inputs"]["image"]["series"]["chosen"] == "rule"
    assert any(item["code"] == "series_chosen" for item in told["warnings"])
    assert list(out.glob("masks/*.nii.gz"))
    clean(texts, out)


@pytest.mark.parametrize(
    "case", ["gap", "patients", "pictures", "damaged", "segmentation", "series", "limit", "text"]
)
def test_no_refusal_names_somebody(case: str, tmp_path: Path, said: Callable[..., dict[str, str]]) -> None:
    source, more, code = tmp_path / FOLDER, [], 3
    if case == "gap":
        slices(source, [0, 2, 4, 9])
    elif case == "patients":
        slices(source, [0, 2])
        make = files_module().make_dicom
        make(np.eye(9, dtype=np.uint16), PatientID="QX77341b", SeriesInstanceUID="1.9").save_as(source / "x")
    elif case == "pictures":
        for number in range(2):
            slices(source / str(number), [0], SeriesNumber=number, ImageType=["ORIGINAL", str(number)])
    elif case == "damaged":
        path = next(slices(source, [0]).iterdir())
        path.write_bytes(path.read_bytes()[:-100])
        source = path
    elif case == "segmentation":
        source = next(slices(source, [0], SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4").iterdir())
    elif case == "series":
        slices(source, [0, 2])
        more, code = ["--series", PLANTED["SeriesInstanceUID"] + ".5"], 2
    elif case == "limit":
        slices(source, [0, 2])
        more = ["--limits", "voxels=5"]
    else:
        source.mkdir()
        source = source / "a.txt"
        source.write_text(REPORT)
    out = tmp_path / "out"
    texts = said(code, "segment", "-i", source, "-p", "mass", "--model", "threshold", "-o", out, *more)
    assert not out.exists()
    clean(texts, tmp_path / "nowhere")
    assert len(texts["stderr"].strip().splitlines()) == 1


def test_a_batch_names_nobody(tmp_path: Path, said: Callable[..., dict[str, str]]) -> None:
    slices(tmp_path / FOLDER / "good", [0, 2, 4])
    slices(tmp_path / FOLDER / "gap", [0, 2, 9])
    jobs = [
        {"id": "a", "image": f"{FOLDER}/good", "text": REPORT},
        {"id": "b", "image": f"{FOLDER}/gap", "text": REPORT},
        {"id": "c", "image": f"{FOLDER}/none", "text": REPORT},
    ]
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(job) + "\n" for job in jobs))
    texts = said(
        4, "segment", "--jobs", tmp_path / "jobs.jsonl", "-o", tmp_path / "out", "--model", "threshold"
    )
    clean(texts, tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "jobs.jsonl").read_text().splitlines()]
    assert [row["status"] for row in rows] == ["done", "failed", "failed"]


def test_unpacked_zips_leave_nothing_behind(
    tmp_path: Path, said: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile
    import zipfile

    source = slices(tmp_path / FOLDER, [0, 2, 4])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in source.iterdir():
            archive.write(file, file.name)
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    out = tmp_path / "out"
    texts = said(0, "segment", "-i", tmp_path / "a.zip", "-p", "mass", "--model", "threshold", "-o", out)
    clean(texts, out)
    assert list((tmp_path / "temp").iterdir()) == []


def test_the_list_of_series_shows_descriptions_and_nothing_else(
    tmp_path: Path, said: Callable[..., dict[str, str]]
) -> None:
    """A person chooses by the description and asked for it; ids, names and dates are not in the list."""
    source = slices(tmp_path / "in", [0, 2, 4], SeriesNumber=3)
    texts = said(0, "segment", "-i", source, "--series", "list", loud=False)
    assert texts["stdout"] == "3) CT, 3 slices of 24 x 20, 2 mm apart  Wobblethorpe thin\n"
    assert texts["stderr"] == ""
