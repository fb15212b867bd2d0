"""``medsegr refine``: a result folder is corrected in place, and what was there before is kept."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image as Picture

from dicom_files import write_ct
from medsegr.results.schema import findings_schema

AFFINE = np.array([[0, 0, -1.5, 60], [0, -1.5, 0, 60], [3.0, 0, 0, -30], [0, 0, 0, 1]], float)


@pytest.fixture
def out(run: Any, source: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    words = ("-p", "nodule in the left lung", "-p", "right lung")
    ran = run("segment", "-i", source, *words, "-o", folder, "--model", "place", "--modality", "CR")
    assert ran.code == 0, ran.err
    return folder


def told(out: Path, name: str = "findings.json") -> Any:
    return json.loads((out / name).read_text(encoding="utf-8"))


def mask(out: Path, name: str = "f1") -> np.ndarray:
    with Picture.open(out / "masks" / f"{name}.png") as picture:
        return np.asarray(picture) > 0


def refine(run: Any, out: Path, source: Path, *flags: str) -> Any:
    model = () if "--undo" in flags else ("--model", "place")  # which asks no model
    return run("refine", out, "-i", source, *model, *flags)


def whole(out: Path) -> None:
    """The folder is as its manifest says, and findings.json as its schema says."""
    import hashlib

    jsonschema.validate(told(out), findings_schema())
    listed = {item["path"]: item["sha256"] for item in told(out, "manifest.json")["files"]}
    there = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()} - {"manifest.json"}
    assert set(listed) == there
    for name, own in listed.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == own, name


def test_prompts_gather_and_undo_brings_back(run: Any, out: Path, source: Path) -> None:
    first, other, words = mask(out), mask(out, "f2"), told(out)
    ran = refine(run, out, source, "--finding", "f1", "--point", "3,4,1")
    assert ran.code == 0, ran.err
    assert "drawn again" in ran.out
    assert mask(out)[4, 3]
    whole(out)
    assert (out / "revisions" / "f1-0.png").is_file()
    assert (
        refine(run, out, source, "-f", "f1", "--point", "60,40,1", "--point", "3,4,1", "--accept").code == 0
    )
    now = told(out)
    review = now["findings"][0]["review"]
    assert review["revision"] == 2
    assert review["accepted"]
    assert review["prompts"][0]["points"] == [[3, 4, 1], [60, 40, 1], [3, 4, 1]]
    assert now["findings"][1] == words["findings"][1]
    assert now["report"] == words["report"]
    whole(out)
    refine(run, out, source, "-f", "f1", "--point", "9,9,1").fails(2, "accepted")
    assert refine(run, out, source, "-f", "f1", "--undo").code == 0
    assert "accepted" not in json.dumps(told(out)["findings"][0]["review"]["accepted"])
    whole(out)
    assert refine(run, out, source, "-f", "f1", "--undo").code == 0
    assert (mask(out) == first).all()
    assert (mask(out, "f2") == other).all()
    assert told(out)["findings"] == words["findings"]
    assert not list((out / "revisions").iterdir())
    refine(run, out, source, "-f", "f1", "--undo").fails(2, "nothing to undo")


def test_warnings_that_a_correction_made_untrue_are_gone_and_come_back(
    run: Any, out: Path, source: Path, tmp_path: Path
) -> None:
    about = ("whole_known", "narrower_known", "measured_low", "words_and_clicks_disagree")
    said = [{"code": code, "message": f"f1: {code}"} for code in about]
    said += [{"code": "whole_known", "message": "f10: of another finding"}]
    said += [{"code": "one_region", "message": "f1, f2: drawn as one region"}]
    before = told(out)
    before["warnings"] += said
    (out / "findings.json").write_text(json.dumps(before), encoding="utf-8")

    def ours() -> list[str]:
        return [w["message"] for w in told(out)["warnings"] if w["message"][:1] == "f"]

    assert refine(run, out, source, "--finding", "f1", "--point", "3,4,1").code == 0
    assert [line for line in ours() if "overlaps" not in line] == [
        "f1: measured_low",
        "f10: of another finding",
    ]
    Picture.fromarray(mask(out)).save(tmp_path / "painted.png")
    assert refine(run, out, source, "--finding", "f1", "--paint", str(tmp_path / "painted.png")).code == 0
    assert "f1: measured_low" not in ours(), "a person painted it"
    for _ in range(2):
        assert refine(run, out, source, "--finding", "f1", "--undo").code == 0
    assert sorted(ours()) == sorted([f"f1: {code}" for code in about] + ["f10: of another finding"])


def test_a_box_and_a_mask(run: Any, out: Path, source: Path, tmp_path: Path) -> None:
    assert refine(run, out, source, "-f", "f2", "--box", "2,2,14,12").code == 0
    assert not mask(out, "f2")[30:, 30:].any()
    drawn = np.zeros((48, 64), np.uint8)
    drawn[20:30, 20:30] = 255
    Picture.fromarray(drawn).save(tmp_path / "drawn.png")
    assert (
        refine(run, out, source, "-f", "f1", "-m", str(tmp_path / "drawn.png"), "--point", "40,40,1").code
        == 0
    )
    assert mask(out)[25, 25]
    assert mask(out)[40, 40]
    assert not mask(out)[5, 5]
    whole(out)


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("-f", "f1"), 2, "nothing to do"),
        (("-f", "f1", "--undo", "--accept"), 2, "alone"),
        (("-f", "f1", "--undo", "--model", "place"), 2, "asks no model: leave out --model"),
        (("-f", "f1", "--undo", "--feature-cache", "c", "--quiet"), 2, "leave out --feature-cache"),
        (("-f", "f9", "--accept"), 2, "no 'f9'"),
        (("--accept",), 2, "--finding is missing"),
        (("-f", "f1", "--point", "3,4"), 2, "X,Y,1"),
        (("-f", "f1", "--point", "3,4,one"), 2, "X,Y,1"),
        (("-f", "f1", "--point", "300,4,1"), 2, "outside the picture"),
        (("-f", "f1", "--point", "nan,4,1"), 2, "not finite"),
        (("-f", "f1", "--box", "5,5,5,9"), 2, "no size"),
        (("-f", "f1", "--box", "5,5,9"), 2, "X0,Y0,X1,Y1"),
        (("-f", "f1", "--point", "3,4,1", "--slice", "1"), 2, "is a picture"),
        (("-f", "f1", "--accept", "--slice", "1"), 2, "--slice says where"),
        (("-f", "f1", "--point", "3,4,1", "--feature-cache", "cache"), 2, "a method that keeps nothing"),
        (("-f", "f1", "--paint", "none.png", "--point", "3,4,1"), 2, "--paint"),
        (("-f", "f1", "--paint", "none.png", "--undo"), 2, "alone"),
        (("-f", "f1", "--paint", "none.png"), 3, "none.png"),
    ],
)
def test_refusals_leave_the_folder(
    run: Any, out: Path, source: Path, flags: tuple[str, ...], code: int, said: str
) -> None:
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    refine(run, out, source, *flags).fails(code, said)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


@pytest.mark.weights
def test_what_segment_kept_of_the_image_serves_refine(run: Any, source: Path, tmp_path: Path) -> None:
    folder, cache = tmp_path / "out", tmp_path / "cache"
    kept = ("--feature-cache", cache, "--modality", "CR")
    ran = run("segment", "-i", source, "-p", "left lung", "-o", folder, "--force", *kept)
    assert ran.code == 0, ran.err
    files = {path: path.read_bytes() for path in cache.iterdir()}
    assert files
    ran = run("refine", folder, "-i", source, "--point", "40,20,1", *kept[:2])
    assert ran.code == 0, ran.err
    assert {path: path.read_bytes() for path in cache.iterdir()} == files
    for path in files:
        path.unlink()
    assert run("refine", folder, "-i", source, "--point", "41,20,1", *kept[:2]).code == 0
    made_again = set(cache.iterdir())
    assert made_again
    assert made_again <= set(files)  # what nobody sees in a film, segment looks for in its negative, too


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "a/b", "..", "", ".x", "f1*", "f1\x00"])
def test_a_finding_that_is_called_like_a_path_is_refused(
    run: Any, out: Path, source: Path, tmp_path: Path, name: str
) -> None:
    changed = told(out)
    changed["findings"][0]["id"] = name
    (out / "findings.json").write_text(json.dumps(changed), encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    refine(run, out, source, "-f", name or "f1", "--point", "4,4,1").fails(3, "no name of a file")
    run("convert", out, "--to", "fhir").fails(3, "no name of a file")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_another_image_model_or_folder(run: Any, out: Path, source: Path, tmp_path: Path) -> None:
    flags = ("-f", "f1", "--point", "3,4,1")
    run("refine", out, "-i", source, "--model", "otsu", *flags).fails(3, "drawn by")
    run("refine", out, "--model", "place", *flags).fails(2, "-i is missing")
    run("refine", tmp_path / "none", "-i", source, *flags).fails(3, "no such folder")
    run("refine", source, "-i", source, *flags).fails(3, "a file came where a folder")
    (tmp_path / "bare").mkdir()
    run("refine", tmp_path / "bare", "-i", source, *flags).fails(3, "bare: the folder holds no manifest.json")
    other = tmp_path / "other.png"
    Picture.fromarray(np.zeros((48, 64), np.uint8)).save(other)
    refine(run, out, other, *flags).fails(3, "another one")


def test_an_emptied_mask_and_back(run: Any, out: Path, source: Path) -> None:
    first = mask(out)
    rows, cols = np.nonzero(first)
    points = [f for y, x in zip(rows, cols, strict=True) for f in ("--point", f"{x},{y},0")]
    assert refine(run, out, source, "-f", "f1", *points[: 2 * 199]).code == 0
    if told(out)["findings"][0]["mask"] is None:
        assert told(out)["findings"][0]["reason"] == "empty"
        assert not (out / "masks" / "f1.png").exists()
    whole(out)
    assert refine(run, out, source, "-f", "f1", "--undo").code == 0
    assert (mask(out) == first).all()
    whole(out)


def test_a_slice_of_a_dicom_volume(run: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    series = write_ct(tmp_path / "ct", rng.integers(-900, 300, (6, 40, 44)), AFFINE)
    out = tmp_path / "out"
    assert run("segment", "-i", series, "-p", "nodule", "-o", out, "--model", "place").code == 0
    refine(run, out, series, "--point", "3,4,1").fails(2, "slices")
    old = (out / "segmentation.dcm").read_bytes()
    ran = refine(run, out, series, "--point", "3,4,1", "--slice", "2")
    assert ran.code == 0, ran.err
    assert (out / "segmentation.dcm").read_bytes() != old
    values = np.asarray(nib.load(out / "masks" / "f1.nii.gz").dataobj) > 0  # type: ignore[attr-defined]
    assert values.any()
    assert told(out)["findings"][0]["review"]["prompts"][0]["slice"] == 2
    whole(out)


def test_masks_that_live_in_a_dicom_seg(run: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    series = write_ct(tmp_path / "ct", rng.integers(-900, 300, (6, 40, 44)), AFFINE)
    out = tmp_path / "out"
    flags = ("-p", "nodule", "-o", out, "--model", "place", "--format", "dicom-seg")
    assert run("segment", "-i", series, *flags).code == 0
    pixels = told(out)["findings"][0]["measurements"]["pixels"]
    ran = refine(run, out, series, "--point", "3,4,0", "--slice", "2")
    assert ran.code == 0, ran.err
    assert (out / "revisions" / "f1-0.nii.gz").is_file()
    assert told(out)["findings"][0]["measurements"]["pixels"] != pixels
    whole(out)
    assert refine(run, out, series, "--undo").code == 0
    assert told(out)["findings"][0]["measurements"]["pixels"] == pixels
    whole(out)


def test_without_a_mask_no_file_goes_on_telling_the_old_one(run: Any, tmp_path: Path) -> None:
    """And all formats are there again when the correction is undone."""
    from medsegr.results.reopen import reopen
    from medsegr.results.revise import before, revise

    rng = np.random.default_rng(0)
    series = write_ct(tmp_path / "ct", rng.integers(-900, 300, (6, 40, 44)), AFFINE)
    out = tmp_path / "out"
    kinds = "nifti,nrrd,dicom-seg,rtstruct,fhir"
    flags = ("-p", "nodule", "-o", out, "--model", "place", "--format", kinds, "--combined")
    assert run("segment", "-i", series, *flags).code == 0
    holding = ["segmentation.dcm", "structures.dcm", "segmentation.seg.nrrd", "labels.json", "labels.txt"]
    holding += ["masks/f1.nii.gz", "masks/combined.nii.gz"]
    assert all((out / name).is_file() for name in holding)
    first = reopen(out, series)
    item = first.result.findings[0]
    revise(out, first, replace(item, status="not_found", reason="empty", mask=None, measurements={}))
    assert not [name for name in holding if (out / name).exists()]
    assert (out / "fhir.json").is_file()  # a report holds findings without a mask, too
    whole(out)
    again = reopen(out, series)
    revise(out, again, before(out, again, "f1"), undoes=True)
    assert all((out / name).is_file() for name in holding)
    np.testing.assert_array_equal(reopen(out, series).result.findings[0].mask, item.mask)
    whole(out)


def test_a_format_that_headers_do_not_allow_is_not_asked_for_by_a_correction(
    run: Any, tmp_path: Path
) -> None:
    """Headers that name no study allow no DICOM SEG, which is no error where nobody named the format: also
    not in a folder that was revised while nothing was drawn in it."""
    from medsegr.results.reopen import reopen
    from medsegr.results.revise import revise

    series = write_ct(tmp_path / "ct", np.zeros((4, 20, 22)), AFFINE)
    for path in series.iterdir():
        ds = pydicom.dcmread(path)
        del ds.StudyInstanceUID
        ds.save_as(path)
    out = tmp_path / "out"
    assert run("segment", "-i", series, "-t", "No nodule.", "-o", out, "--model", "place").code == 0
    opened = reopen(out, series)
    item = opened.result.findings[0]
    assert item.mask is None
    revise(out, opened, replace(item, status="not_found", reason="empty"))
    mask = np.zeros(opened.result.image.grid, bool)
    mask[2:5, 2:5, 1:3] = True
    revise(out, reopen(out, series), replace(item, status="segmented", reason=None, mask=mask))
    assert (out / "masks" / "f1.nii.gz").is_file()
    assert not (out / "segmentation.dcm").exists()
    whole(out)


def test_masks_that_live_in_a_structure_set(run: Any, tmp_path: Path) -> None:
    """A corrected one says that a person had a hand in it, as the DICOM SEG does."""
    rng = np.random.default_rng(0)
    series = write_ct(tmp_path / "ct", rng.integers(-900, 300, (6, 40, 44)), AFFINE)
    out = tmp_path / "out"
    flags = ("-p", "nodule", "-o", out, "--model", "place", "--format", "rtstruct,dicom-seg")
    assert run("segment", "-i", series, *flags).code == 0

    def drawn_by() -> set[str]:
        rois = pydicom.dcmread(out / "structures.dcm").StructureSetROISequence
        segments = pydicom.dcmread(out / "segmentation.dcm").SegmentSequence
        return {rois[0].ROIGenerationAlgorithm, segments[0].SegmentAlgorithmType}

    assert drawn_by() == {"AUTOMATIC"}
    assert refine(run, out, series, "--point", "3,4,0", "--slice", "2").code == 0
    assert drawn_by() == {"SEMIAUTOMATIC"}
    whole(out)


def test_what_is_painted_stays_as_it_is(run: Any, out: Path, source: Path, tmp_path: Path) -> None:
    drawn = np.zeros((48, 64), np.uint8)
    drawn[20:30, 20:31] = 3
    drawn[40, 2] = 3
    Picture.fromarray(drawn).save(tmp_path / "drawn.png")
    first = mask(out)
    ran = refine(run, out, source, "-f", "f1", "--paint", str(tmp_path / "drawn.png"))
    assert ran.code == 0, ran.err
    assert "kept as painted" in ran.out
    assert (mask(out) == (drawn > 0)).all()
    whole(out)
    assert refine(run, out, source, "-f", "f1", "--undo").code == 0
    assert (mask(out) == first).all()
    runs = {"size": [48, 64], "counts": [64, 10, 48 * 64 - 74]}
    for told_as in (runs, {"rle": runs}):
        (tmp_path / "runs.json").write_text(json.dumps(told_as), encoding="utf-8")
        assert refine(run, out, source, "-f", "f1", "--paint", str(tmp_path / "runs.json")).code == 0
        assert np.argwhere(mask(out)).tolist() == [[1, x] for x in range(10)]
    whole(out)


@pytest.mark.parametrize("flag", ["--paint", "--mask"])
@pytest.mark.parametrize("which", ["itself", "labels", "full"])
def test_what_is_no_mask_of_one_thing_is_refused(
    run: Any, out: Path, source: Path, tmp_path: Path, flag: str, which: str
) -> None:
    labels = np.zeros((48, 64), np.uint8)
    labels[5:20, 5:20], labels[25:40, 25:40] = 1, 2
    Picture.fromarray(labels).save(tmp_path / "labels.png")
    Picture.fromarray(np.full((48, 64), 255, np.uint8)).save(tmp_path / "full.png")
    given = source if which == "itself" else tmp_path / f"{which}.png"
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    said = {"itself": "values came", "labels": "keep the one label", "full": "covers everything"}[which]
    refine(run, out, source, "-f", "f1", flag, str(given)).fails(3, said)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_what_a_person_corrected_is_not_written_over(run: Any, out: Path, source: Path) -> None:
    again = ("segment", "-i", source, "-p", "right lung", "-o", out, "--model", "place", "--modality", "CR")
    assert run(*again).code == 0
    assert refine(run, out, source, "-f", "f1", "--point", "3,4,1").code == 0
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    run(*again).fails(3, "that a person corrected")
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    assert refine(run, out, source, "-f", "f1", "--undo").code == 0
    assert run(*again).code == 0, "nothing is kept there any more"


def test_an_empty_mask_is_nothing_to_start_from(run: Any, out: Path, source: Path, tmp_path: Path) -> None:
    Picture.fromarray(np.zeros((48, 64), np.uint8)).save(tmp_path / "empty.png")
    refine(run, out, source, "-f", "f1", "--mask", str(tmp_path / "empty.png")).fails(3, "mask is empty")
    assert refine(run, out, source, "-f", "f1", "--paint", str(tmp_path / "empty.png")).code == 0


SLICES_OF_3_MM = np.diag([1.0, 1.0, 3.0, 1.0])


def segmented_volume(run: Any, folder: Path, grid: tuple[int, int, int]) -> tuple[Path, Path]:
    """A result of a made volume of slices of 3 mm, and the volume."""
    values = np.random.default_rng(0).integers(-900, 300, grid).astype(np.int16)
    nib.save(nib.Nifti1Image(values, SLICES_OF_3_MM), folder / "ct.nii")  # type: ignore[attr-defined]
    out, source = folder / "out", folder / "ct.nii"
    assert run("segment", "-i", source, "-p", "nodule", "-o", out, "--model", "place").code == 0
    return out, source


def test_a_painted_volume_that_lies_elsewhere_is_refused(run: Any, tmp_path: Path) -> None:
    out, source = segmented_volume(run, tmp_path, (12, 12, 4))
    painted = np.zeros((12, 12, 4), np.uint8)
    painted[2:6, 3:9, 1:3] = 1
    turned = np.diag([-1.0, 1.0, 3.0, 1.0])
    nib.save(nib.Nifti1Image(painted, turned), tmp_path / "painted.nii")  # type: ignore[attr-defined]
    refine(run, out, source, "-f", "f1", "--paint", str(tmp_path / "painted.nii")).fails(3, "mm apart")


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        (b"no json", (3, "no JSON")),
        (b"[1]", (2, "run lengths")),
        (b'{"size": [4, 4], "counts": [16]}', (2, "grid")),
        (b'{"size": [48, 64], "counts": [3]}', (2, "run lengths")),
    ],
)
def test_run_lengths_that_are_none(
    run: Any, out: Path, source: Path, tmp_path: Path, content: bytes, refused: tuple[int, str]
) -> None:
    (tmp_path / "runs.json").write_bytes(content)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    refine(run, out, source, "-f", "f1", "--paint", str(tmp_path / "runs.json")).fails(*refused)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_slices_of_a_volume_are_painted(run: Any, tmp_path: Path) -> None:
    out, source = segmented_volume(run, tmp_path, (12, 20, 5))

    def now() -> np.ndarray:
        return np.asarray(nib.load(out / "masks" / "f1.nii.gz").dataobj) > 0  # type: ignore[attr-defined]

    first, painted = now(), np.zeros((12, 20, 5), np.uint8)
    painted[2:6, 3:9, 1:3] = 1
    nib.save(nib.Nifti1Image(painted, SLICES_OF_3_MM), tmp_path / "painted.nii")  # type: ignore[attr-defined]
    flags = ("-f", "f1", "--paint", str(tmp_path / "painted.nii"))
    assert refine(run, out, source, *flags, "--slice", "1").code == 0
    assert (now()[..., 1] == (painted[..., 1] > 0)).all()
    assert (np.delete(now(), 1, 2) == np.delete(first, 1, 2)).all()
    assert refine(run, out, source, *flags).code == 0
    assert (now() == (painted > 0)).all()
    refine(run, out, source, *flags).fails(2, "same already")
    whole(out)
    nib.save(nib.Nifti1Image(painted[:, :, :4], SLICES_OF_3_MM), tmp_path / "painted.nii")  # type: ignore[attr-defined]
    refine(run, out, source, *flags).fails(2, "grid")


def test_what_slicer_corrected_is_painted(run: Any, tmp_path: Path) -> None:
    """The segmentation that we wrote, with more drawn in it, saved in another order of axes."""
    out, source = segmented_volume(run, tmp_path, (12, 20, 5))
    assert run("convert", out, "--to", "nrrd").code == 0
    for path, name in ((out / "segmentation.seg.nrrd", "s.seg.nrrd"), (out / "masks" / "f1.nrrd", "f1.mha")):
        corrected = sitk.ReadImage(str(path))
        corrected[len(name), 3, 1] = 1 - corrected[len(name), 3, 1]
        turned = sitk.Flip(sitk.PermuteAxes(corrected, [2, 0, 1]), [True, False, True])
        for key in corrected.GetMetaDataKeys():
            turned.SetMetaData(key, corrected.GetMetaData(key))
        sitk.WriteImage(turned, str(tmp_path / name))
        assert refine(run, out, source, "-f", "f1", "--paint", str(tmp_path / name)).code == 0
        now = np.asarray(nib.load(out / "masks" / "f1.nii.gz").dataobj)  # type: ignore[attr-defined]
        assert (now == sitk.GetArrayFromImage(corrected).T).all()


def test_the_fhir_bundle_is_written_anew_about_the_same_person(
    run: Any, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("-p", "nodule in the left lung", "-o", out, "--model", "place", "--modality", "CR")
    more = ("--format", "png,fhir", "--subject", "Patient/12")
    assert run("segment", "-i", source, *words, *more).code == 0
    before = told(out, "fhir.json")
    assert refine(run, out, source, "-f", "f1", "--point", "3,4,1").code == 0
    now = told(out, "fhir.json")
    assert now != before
    assert [e["resource"]["resourceType"] for e in now["entry"]] == [
        e["resource"]["resourceType"] for e in before["entry"]
    ]
    assert json.dumps(now).count("Patient/12") == json.dumps(before).count("Patient/12") >= 2
    assert "fhir_is_older" not in json.dumps(told(out))
    whole(out)
    assert refine(run, out, source, "-f", "f1", "--undo").code == 0
    assert told(out, "fhir.json") == before
    (out / "fhir.json").write_text("{}", encoding="utf-8")
    held = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    refine(run, out, source, "-f", "f1", "--point", "3,4,1").fails(3, "fhir.json is damaged")
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == held
