"""Every format from ``segment`` and later from ``convert``; no names where none must be.

No model for the second.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import nibabel as nib
import numpy as np
import pydicom
import pytest

from dicom_files import ID, PLANTED, dciodvfy, write_ct, write_dx
from medsegr.results.schema import findings_schema

ROOT = Path(__file__).resolve().parents[2]
REPORT = "FINDINGS: Nodule in the left lung. Mass in the right lung. No pneumothorax. Possible atelectasis.\n"
ALL = "nifti,nrrd,dicom-seg,rtstruct,dicom-sr,dicom-sc,fhir,json"
AFFINE = np.array([[0, 0, -1.5, 60], [0, -1.5, 0, 60], [3.0, 0, 0, -30], [0, 0, 0, 1]], float)


@pytest.fixture
def series(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    return write_ct(tmp_path / "Planted_folder" / "ct", rng.integers(-900, 300, (6, 40, 44)), AFFINE)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "Planted_folder" / "report.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(REPORT, encoding="utf-8")
    return path


def names(out: Path) -> set[str]:
    return {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}


def told(out: Path, name: str = "findings.json") -> Any:
    return json.loads((out / name).read_text(encoding="utf-8"))


def segmented(run: Any, source: Path, words: Path, out: Path, *flags: str) -> Any:
    ran = run("segment", "-i", source, "-r", words, "-o", out, "--model", "place", *flags)
    assert ran.code == 0, ran.err
    return ran


def test_all_formats_at_once(run: Any, series: Path, words: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segmented(run, series, words, out, "--format", ALL, "--combined")
    found = told(out)
    jsonschema.validate(found, findings_schema())
    ids = [f["id"] for f in found["findings"] if f["status"] == "segmented"]
    assert len(ids) == 2
    expected = {"findings.json", "manifest.json", "overlay.png", "labels.json", "labels.txt", "fhir.json"}
    expected |= {"segmentation.dcm", "structures.dcm", "report.dcm", "overlay.dcm", "segmentation.seg.nrrd"}
    expected |= {
        f"masks/{i}{tail}{end}" for i in ids for tail in ("", "_free") for end in (".nii.gz", ".nrrd")
    }
    assert names(out) == expected | {"masks/combined.nii.gz", "masks/combined.nrrd"}
    assert {item["path"] for item in told(out, "manifest.json")["files"]} == names(out) - {"manifest.json"}
    for name in ("segmentation.dcm", "report.dcm", "overlay.dcm"):
        assert dciodvfy(out / name) == []
    seg = pydicom.dcmread(out / "segmentation.dcm")
    assert [d.TrackingID for d in seg.SegmentSequence] == ids
    assert [f["segment"] for f in found["findings"] if f["id"] in ids] == [1, 2]
    labels = told(out, "labels.json")
    assert [item["id"] for item in labels["labels"]] == ids
    assert [item["tracking_uid"] for item in labels["labels"]] == [d.TrackingUID for d in seg.SegmentSequence]
    rows = [
        line.split(maxsplit=7) for line in (out / "labels.txt").read_text().splitlines() if line[0] != "#"
    ]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    for row, item in zip(rows[1:], labels["labels"], strict=True):  # as ITK-SNAP reads it
        assert [int(v) for v in row[1:4]] == item["colour"]
        assert (row[4:7], row[7]) == (["1", "1", "1"], f'"{item["name"]}"')
    combined = np.asanyarray(nib.load(out / "masks" / "combined.nii.gz").dataobj)
    single = [np.asanyarray(nib.load(out / "masks" / f"{i}.nii.gz").dataobj) > 0 for i in ids]
    assert set(np.unique(combined)) - {0} == {1, 2}
    np.testing.assert_array_equal(combined > 0, single[0] | single[1])


def test_a_dicom_input_gets_a_dicom_seg_by_itself(
    run: Any, series: Path, words: Path, tmp_path: Path
) -> None:
    segmented(run, series, words, tmp_path / "out")
    assert {"segmentation.dcm", "labels.json"} < names(tmp_path / "out")
    assert not {"report.dcm", "fhir.json"} & names(tmp_path / "out")


def test_a_header_that_allows_no_seg_warns_by_default_and_is_refused_when_asked(
    run: Any, series: Path, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in series.iterdir():
        ds = pydicom.dcmread(path)
        del ds.StudyInstanceUID
        ds.save_as(path)
    segmented(run, series, words, tmp_path / "out")
    found = told(tmp_path / "out")
    assert "dicom_seg_not_written" in [w["code"] for w in found["warnings"]]
    assert "segmentation.dcm" not in names(tmp_path / "out")
    asked = ("--format", "dicom-seg", "--model", "place")
    monkeypatch.setattr("medsegr.session.load", lambda *_: 1 / 0)  # refused before a model is loaded
    ran = run("segment", "-i", series, "-r", words, "-o", tmp_path / "out2", *asked)
    ran.fails(3, "StudyInstanceUID")
    assert not (tmp_path / "out2").exists()


def test_a_projection(run: Any, words: Path, tmp_path: Path) -> None:
    source = write_dx(tmp_path / "dx.dcm", np.random.default_rng(0).integers(0, 900, (60, 50)))
    out = tmp_path / "out"
    segmented(run, source, words, out, "--format", "png,dicom-seg,dicom-sr,dicom-sc")
    for name in ("segmentation.dcm", "report.dcm", "overlay.dcm"):
        assert dciodvfy(out / name) == []
    assert pydicom.dcmread(out / "segmentation.dcm").Rows == 60


def test_contours_of_a_projection_are_refused_before_the_model(
    run: Any, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write_dx(tmp_path / "dx.dcm", np.arange(60 * 50).reshape(60, 50) % 900), tmp_path / "out"
    segmented(run, source, words, out, "--format", "png")
    run("convert", out, "--to", "rtstruct", "-i", source).fails(2, "use dicom-seg, nifti or png")
    monkeypatch.setattr("medsegr.session.load", lambda *_: 1 / 0)
    asked = ("-r", words, "-o", tmp_path / "out2", "--format", "rtstruct", "--model", "place")
    run("segment", "-i", source, *asked).fails(2, "no place in the patient")
    assert not (tmp_path / "out2").exists()


def test_contours_alone_hold_the_masks(run: Any, series: Path, words: Path, tmp_path: Path) -> None:
    """Colours, names and phrases are those of the other formats, and the masks come back out of it."""
    out, other = tmp_path / "out", tmp_path / "other"
    segmented(run, series, words, out, "--format", "rtstruct")
    segmented(run, series, words, other, "--format", "nifti,dicom-seg", "--combined")
    assert {n for n in names(out) if n.endswith((".dcm", ".nii.gz"))} == {"structures.dcm"}
    found = [f for f in told(out)["findings"] if f["status"] == "segmented"]
    assert {f["mask"] for f in found} == {"structures.dcm"}
    assert [f["segment"] for f in found] == [1, 2]
    assert "masks_not_written" not in [w["code"] for w in told(out)["warnings"]]
    ds = pydicom.dcmread(out / "structures.dcm")
    labels = told(other, "labels.json")["labels"]
    assert [list(roi.ROIDisplayColor) for roi in ds.ROIContourSequence] == [item["colour"] for item in labels]
    assert [roi.ROIName for roi in ds.StructureSetROISequence] == [item["name"] for item in labels]
    assert [roi.ROIDescription for roi in ds.StructureSetROISequence] == [f["phrase"] for f in found]
    run("convert", out, "--to", "nifti").fails(3, "give the image with -i")
    assert run("convert", out, "--to", "nifti", "-i", series).code == 0
    for item in found:
        one, two = (
            np.asanyarray(nib.load(at / "masks" / f"{item['id']}.nii.gz").dataobj) for at in (out, other)
        )
        np.testing.assert_array_equal(one, two)


def test_denials_alone_write_no_segmentation(run: Any, series: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    flags = ("-t", "No pneumothorax.", "-o", out, "--model", "place")
    assert run("segment", "-i", series, *flags, "--format", "dicom-sr").code == 0
    assert {"report.dcm"} == {n for n in names(out) if n.endswith(".dcm")}
    assert dciodvfy(out / "report.dcm") == []
    assert "no_segments" in [w["code"] for w in told(out)["warnings"]]
    assert (
        run("convert", out, "--to", "rtstruct", "-i", series).err.count("no RT structure set was written")
        == 1
    )


def test_formats_that_do_not_fit_are_refused_before_the_model(run: Any, image: Path, tmp_path: Path) -> None:
    base = (
        "segment",
        "-i",
        image,
        "-t",
        "nodule",
        "-o",
        tmp_path / "out",
        "--modality",
        "CR",
        "--model",
        "place",
    )
    run(*base, "--format", "dicom-seg").fails(2, "DICOM images")
    run(*base, "--format", "gif").fails(2, "gif")
    run(*base, "--seg-type", "surface").fails(2, "surface")
    run(*base, "--subject", "Erika Mustermann").fails(2, "FHIR reference")
    jobs = ("segment", "--jobs", tmp_path / "jobs.jsonl", "-o", tmp_path / "out")
    run(*jobs, "--subject", "Patient/1").fails(2, "one patient")
    assert not (tmp_path / "out").exists()


def test_convert_later_gives_what_segment_would_have(
    run: Any, series: Path, words: Path, tmp_path: Path
) -> None:
    now, later = tmp_path / "now", tmp_path / "later"
    segmented(run, series, words, now, "--format", ALL)
    segmented(run, series, words, later, "--format", "nifti")
    before = told(later)
    ran = run("convert", later, "--to", "nrrd,rtstruct,dicom-sr,dicom-sc,fhir", "-i", series, "-q")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert told(later) == before
    assert names(later) >= names(now) - {n for n in names(now) if "_free.nrrd" in n}
    assert (later / "fhir.json").read_bytes() == (now / "fhir.json").read_bytes()
    assert (later / "segmentation.seg.nrrd").read_bytes() == (now / "segmentation.seg.nrrd").read_bytes()
    one, other = (pydicom.dcmread(out / "segmentation.dcm") for out in (now, later))
    assert one.PixelData == other.PixelData
    assert [s.TrackingUID for s in one.SegmentSequence] == [s.TrackingUID for s in other.SegmentSequence]
    assert one.SOPInstanceUID != other.SOPInstanceUID  # two objects may not share a name
    first, second = (pydicom.dcmread(out / "report.dcm") for out in (now, later))
    assert len(first.ContentSequence) == len(second.ContentSequence)
    drawn, again = (pydicom.dcmread(out / "structures.dcm").ROIContourSequence for out in (now, later))
    assert drawn == again
    for name in ("segmentation.dcm", "structures.dcm", "report.dcm", "overlay.dcm"):
        assert dciodvfy(later / name) == []
    manifest = told(later, "manifest.json")
    assert {item["path"] for item in manifest["files"]} == names(later) - {"manifest.json"}
    assert manifest["converted"] == ["dicom-sc", "dicom-seg", "dicom-sr", "fhir", "nrrd", "rtstruct"]


def test_convert_of_a_picture_without_the_image(run: Any, image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    base = ("segment", "-i", image, "-t", "Nodule in the left lung.", "-o", out, "--modality", "CR")
    assert run(*base, "--model", "place").code == 0
    ran = run("convert", out, "--to", "fhir")
    assert ran.code == 0
    assert "masks_not_written" not in ran.err  # they lie in the folder
    ran = run("convert", out, "--to", "nifti,nrrd,fhir", "--subject", "Patient/7")
    assert ran.code == 0, ran.err
    assert {"masks/f1.nii.gz", "masks/f1.nrrd", "segmentation.seg.nrrd", "fhir.json"} < names(out)
    mask = np.asanyarray(nib.load(out / "masks" / "f1.nii.gz").dataobj)
    from PIL import Image as Picture

    with Picture.open(out / "masks" / "f1.png") as picture:
        np.testing.assert_array_equal(mask[..., 0].T > 0, np.asarray(picture) > 0)  # columns first, as ITK
    assert "Patient/7" in (out / "fhir.json").read_text()
    assert "Patient/7" not in (out / "manifest.json").read_text()


def test_convert_refuses_in_one_line(run: Any, series: Path, words: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segmented(run, series, words, out, "--format", "nifti")
    before = {name: (out / name).read_bytes() for name in names(out)}
    run("convert", out).fails(2, "--to is missing")
    run("convert", out, "--to", "dicom-seg").fails(2, "give them with -i")
    run("convert", out, "--to", "nrrd", "--accept-gaps").fails(2, "give it with -i")
    run("convert", out, "--to", "nrrd", "--series", "1").fails(2, "give it with -i")
    run("convert", out, "--to", "dicom-seg", "-i", series, "--series", "list").fails(2, "a number or a UID")
    run("convert", out, "--to", "png").fails(2, "png cannot hold a volume")
    run("convert", tmp_path / "none", "--to", "fhir").fails(3, "no such folder")
    run("convert", series, "--to", "fhir").fails(3, "manifest.json")
    run("convert", series, "--to", "fhir", "-i", out).fails(3, f"{series}: the folder holds no manifest.json")
    run("convert", out, "--to", "dicom-seg", "-i", series, "--seg-type", "fractional").fails(
        2, "probabilities"
    )
    other = write_ct(tmp_path / "other", np.zeros((6, 40, 44)) + np.arange(44), AFFINE)
    run("convert", out, "--to", "dicom-seg", "-i", other).fails(3, "another one")
    (out / "findings.json").write_text('{"schema": "medsegr.findings/1"}')
    run("convert", out, "--to", "fhir").fails(3, "damaged")
    before.pop("findings.json")
    assert {name: (out / name).read_bytes() for name in before} == before


def test_the_output_of_a_batch_is_told_from_a_result(run: Any, tmp_path: Path) -> None:
    run("convert", tmp_path, "--to", "fhir").fails(3, "holds no manifest.json of medsegr")
    (tmp_path / "jobs.jsonl").touch()
    run("convert", tmp_path, "--to", "fhir").fails(3, "this is the output of a batch, a folder a job")


def test_a_mask_path_that_leads_out_of_the_folder_is_refused(
    run: Any, series: Path, words: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    segmented(run, series, words, out, "--format", "nifti")
    changed = told(out)
    changed["findings"][0]["mask"] = "../secret.nii.gz"
    (out / "findings.json").write_text(json.dumps(changed))
    run("convert", out, "--to", "fhir").fails(3, "outside the folder")


def test_masks_kept_in_dicom_alone_are_named(run: Any, series: Path, words: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segmented(run, series, words, out, "--format", "dicom-seg")
    found = [f for f in told(out)["findings"] if f["status"] == "segmented"]
    assert {f["mask"] for f in found} == {"segmentation.dcm"}
    assert [f["segment"] for f in found] == [1, 2]
    run("convert", out, "--to", "nifti").fails(3, "give the image with -i")
    assert run("convert", out, "--to", "fhir").code == 0


def test_masks_kept_in_dicom_alone_are_converted_with_their_image(
    run: Any, series: Path, words: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    segmented(run, series, words, out, "--format", "dicom-seg")
    segmented(run, series, words, other, "--format", "nifti")
    assert run("convert", out, "--to", "nifti,dicom-sr", "-i", series).code == 0
    ids = [f["id"] for f in told(out)["findings"] if f["status"] == "segmented"]
    for name in ids:
        one, two = (np.asanyarray(nib.load(at / "masks" / f"{name}.nii.gz").dataobj) for at in (out, other))
        np.testing.assert_array_equal(one, two)
    changed = told(out)
    changed["findings"][0]["id"] = "f9"
    (out / "findings.json").write_text(json.dumps(changed))
    run("convert", out, "--to", "nrrd", "-i", series).fails(3, "no mask of f9")


def test_convert_loads_no_torch(series: Path, words: Path, run: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segmented(run, series, words, out, "--format", "nifti")
    code = (
        "import sys; from medsegr.cli.main import main; "
        f"code = main(['convert', {str(out)!r}, '--to', 'dicom-seg,dicom-sr,fhir', '-i', {str(series)!r}]); "
        "assert code == 0, code; assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_names_stand_only_where_dicom_must_carry_them(
    run: Any, series: Path, words: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = segmented(run, series, words, out, "--format", ALL, "--combined", "-v", "--log-json")
    later = run("convert", out, "--to", "fhir,nrrd", "-i", series, "-v", "--log-json")
    uids = [pydicom.dcmread(p).SOPInstanceUID for p in series.iterdir()]
    planted = [*PLANTED, *uids, "20200102"]
    assert not [word for word in planted if word in ran.err or word in later.err]
    for name in names(out):
        data = (out / name).read_bytes()
        if name.endswith(".gz"):
            import gzip

            data = gzip.decompress(data)
        held = [word for word in planted if word.encode() in data]
        assert bool(held) == name.endswith(".dcm"), (name, held)
    assert pydicom.dcmread(out / "segmentation.dcm").PatientID == ID
    assert pydicom.dcmread(out / "report.dcm").PatientID == ID


def test_fractions_keep_the_probabilities(run: Any, series: Path, words: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segmented(run, series, words, out, "--format", "dicom-seg", "--seg-type", "fractional")
    ds = pydicom.dcmread(out / "segmentation.dcm")
    assert (ds.SegmentationType, ds.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    assert dciodvfy(out / "segmentation.dcm") == []
