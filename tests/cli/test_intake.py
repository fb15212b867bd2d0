"""Flags that settle what a file leaves open: --series, --accept-gaps, --use, --film-frame."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

Run = Callable[..., Any]
MODEL = ["-p", "mass", "--model", "threshold"]


@pytest.fixture(scope="module")
def make() -> Callable[..., Any]:
    where = Path(__file__).parents[1] / "io" / "conftest.py"
    spec = importlib.util.spec_from_file_location("io_files", where)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_dicom  # type: ignore[no-any-return]


def series(make: Any, folder: Path, heights: list[float], **more: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for index, height in enumerate(heights):
        plane = np.zeros((20, 24), np.int16)
        plane[5:12, 6:13] = 800
        ds = make(
            plane,
            **{
                "ImagePositionPatient": [0, 0, height],
                "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                "PixelSpacing": [1, 1],
                "SeriesNumber": 1,
                **more,
            },
        )
        ds.save_as(folder / f"{len(list(folder.iterdir()))}-{index}")
    return folder


def test_a_series_is_listed_and_chosen(run: Run, make: Any, tmp_path: Path) -> None:
    source = series(make, tmp_path / "in", [0, 2, 4], SeriesDescription="thin")
    series(make, source, [0, 5], SeriesNumber=8, SeriesInstanceUID="1.2.5", SeriesDescription="thick\nx")
    listed = run("segment", "-i", source, "--series", "list")
    assert listed.code == 0
    assert listed.out.splitlines() == [
        "1) CT, 3 slices of 20 x 24, 2 mm apart  thin",
        "8) CT, 2 slices of 20 x 24, 5 mm apart  thick?x",
    ]
    ran = run("segment", "-i", source, "--series", "8", "-o", tmp_path / "out", *MODEL)
    assert ran.code == 0, ran.err
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert told["inputs"]["image"]["series"] == {"number": "8", "of": 2, "slices": 2, "chosen": "asked"}
    run("segment", "-i", source, "--series", "5", "-o", tmp_path / "o", *MODEL).fails(2, "8) CT, 2 slices")
    run("segment", "--series", "list").fails(2, "-i is missing")


def test_a_damaged_file_is_named_beside_the_list(run: Run, make: Any, tmp_path: Path) -> None:
    source = series(make, tmp_path / "in", [0, 2, 4])
    (source / "copied\nbadly").write_bytes(b"")
    listed = run("segment", "-i", source, "--series", "list")
    assert (listed.code, listed.out) == (0, "1) CT, 3 slices of 20 x 24, 2 mm apart\n")
    assert listed.err.splitlines() == [
        f"WARNING {source}: copied?badly: a damaged file was left out: it is empty (0 bytes); copy it again"
    ]
    assert run("segment", "-i", source, "--series", "list", "--quiet").err == ""
    logged = run("segment", "-i", source, "--series", "list", "--log-json").err
    assert json.loads(logged)["level"] == "warning"
    assert "copied" not in logged


def test_the_series_taken_by_rule_is_in_the_manifest(run: Run, make: Any, tmp_path: Path) -> None:
    source = series(make, tmp_path / "in", [0, 2, 4])
    series(make, source, [0, 5], SeriesNumber=8, SeriesInstanceUID="1.2.5")
    ran = run("segment", "-i", source, "-o", tmp_path / "out", *MODEL)
    assert ran.code == 0
    assert "number 1) CT, 3 slices" in ran.err
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert told["inputs"]["image"]["series"]["number"] == "1"
    codes = [item["code"] for item in told["warnings"]]
    assert codes == ["series_chosen", "dicom_seg_not_written"]  # these headers name no study


def test_other_files_have_no_series(run: Run, image: Path) -> None:
    run("segment", "-i", image, "--series", "list").fails(3, "a png file came where DICOM was expected")


def test_gaps_are_refused_and_accepted(run: Run, make: Any, tmp_path: Path) -> None:
    source = series(make, tmp_path / "in", [0, 2, 4, 8])
    run("segment", "-i", source, "-o", tmp_path / "out", *MODEL).fails(3, "--accept-gaps")
    assert not (tmp_path / "out").exists()
    ran = run("segment", "-i", source, "-o", tmp_path / "out", "--accept-gaps", *MODEL)
    assert ran.code == 0
    assert "gaps_accepted" in ran.err
    told = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert told["image"]["grid"] == [5, 20, 24]


def test_a_nifti_of_two_geometries_needs_a_word(run: Run, tmp_path: Path) -> None:
    values = np.zeros((20, 24, 6), np.float32)
    values[5:12, 6:13, 2:4] = 9
    one = nib.Nifti1Image(values, np.diag([1.0, 1, 2, 1]))
    one.set_sform(np.diag([-1.0, 1, 2, 1]), 1)
    one.set_qform(np.diag([1.0, 1, 2, 1]), 1)
    nib.save(one, tmp_path / "a.nii")
    refused = run("segment", "-i", tmp_path / "a.nii", "-o", tmp_path / "out", *MODEL)
    refused.fails(3, "sform [-1 0 0 0")
    refused.fails(3, "qform [1 0 0 0")
    for form, first in (("sform", -1), ("qform", 1)):
        out = tmp_path / form
        ran = run("segment", "-i", tmp_path / "a.nii", "-o", out, "--use", form, "--modality", "MR", *MODEL)
        assert ran.code == 0, ran.err
        mask = nib.load(next((out / "masks").glob("f1.nii.gz")))
        assert mask.affine[0, 0] == first
        np.testing.assert_array_equal(mask.get_sform(), mask.get_qform())
    run("segment", "-i", tmp_path / "a.nii", "-o", tmp_path / "x", "--use", "both", *MODEL).fails(2, "--use")


def test_a_form_is_refused_where_there_is_none(run: Run, make: Any, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(tmp_path / "a.png")
    folder = series(make, tmp_path / "in", [0, 2, 4])
    one = nib.Nifti1Image(np.zeros((8, 9, 3), np.float32), np.diag([1.0, 1, 2, 1]))
    one.set_sform(np.diag([1.0, 1, 2, 1]), 1)
    one.set_qform(None, 0)
    nib.save(one, tmp_path / "a.nii")
    said = {
        tmp_path / "a.png": "png file came where NIfTI",
        folder: "folder came where NIfTI",
        next(folder.iterdir()): "dicom file came where NIfTI",
        tmp_path / "a.nii": "without a qform",
    }
    for source, why in said.items():
        run("segment", "-i", source, "-o", tmp_path / "x", "--use", "qform", *MODEL).fails(3, why)
        assert not (tmp_path / "x").exists()


def test_a_form_of_the_one_nifti_of_two_files(run: Run, tmp_path: Path) -> None:
    from PIL import Image

    values = np.zeros((20, 24, 1), np.float32)
    values[5:12, 6:13] = 1
    one = nib.Nifti1Image(values, np.diag([1.0, 1, 2, 1]))
    one.set_sform(np.diag([-1.0, 1, 2, 1]), 1)
    one.set_qform(np.diag([1.0, 1, 2, 1]), 1)
    nib.save(one, tmp_path / "a.nii")
    Image.fromarray(values[..., 0].astype(np.uint8)).save(tmp_path / "m.png")
    nib.save(nib.Nifti1Image(values[..., 0], np.eye(4)), tmp_path / "m.nii")
    assert run("measure", "-m", tmp_path / "a.nii", "--use", "qform").code == 0
    for mask, image in (("m.png", "m.png"), ("m.png", None)):
        more = () if image is None else ("-i", tmp_path / image)
        run("measure", "-m", tmp_path / mask, *more, "--use", "qform").fails(3, "came where NIfTI")
    assert run("measure", "-m", tmp_path / "m.nii", "-i", tmp_path / "m.png", "--use", "sform").code == 0


def test_a_frame_of_a_film_is_chosen(run: Run, make: Any, tmp_path: Path) -> None:
    frames = np.zeros((3, 20, 24), np.uint8)
    for index in range(3):
        frames[index, 4 : 8 + 3 * index, 5:12] = 200
    film = make(frames.reshape(60, 24), Rows=20, NumberOfFrames=3, Modality="US")
    film.save_as(tmp_path / "film")
    areas = []
    for number in ("1", "3"):
        out = tmp_path / number
        ran = run("segment", "-i", tmp_path / "film", "-o", out, "--film-frame", number, *MODEL)
        assert ran.code == 0, ran.err
        mask = next((out / "masks").glob("f1.png"))
        from PIL import Image

        with Image.open(mask) as picture:
            areas.append(int((np.asarray(picture) > 0).sum()))
    assert areas == [4 * 7, 10 * 7]
    run("segment", "-i", tmp_path / "film", "-o", tmp_path / "x", "--film-frame", "9", *MODEL).fails(
        2, "3 frames"
    )


def test_jobs_name_their_series_and_their_frame(run: Run, make: Any, tmp_path: Path) -> None:
    source = series(make, tmp_path / "in", [0, 2, 4])
    series(make, source, [0, 5], SeriesNumber=8, SeriesInstanceUID="1.2.5")
    rows = [
        {"id": "a", "image": "in", "phrases": ["mass"]},
        {"id": "b", "image": "in", "phrases": ["mass"], "series": "8"},
        {"id": "c", "image": "in", "phrases": ["mass"], "series": "77"},
    ]
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ran = run("segment", "--jobs", jobs, "-o", tmp_path / "out", "--model", "threshold")
    assert ran.code == 4
    grids = [
        json.loads((tmp_path / "out" / name / "findings.json").read_text())["image"]["grid"] for name in "ab"
    ]
    assert grids == [[3, 20, 24], [2, 20, 24]]
    last = json.loads((tmp_path / "out" / "jobs.jsonl").read_text().splitlines()[2])
    assert last["code"] == "wrong_arguments"
    again = run("segment", "--jobs", jobs, "-o", tmp_path / "out", "--model", "threshold", "--resume")
    rows = [json.loads(line) for line in (tmp_path / "out" / "jobs.jsonl").read_text().splitlines()]
    assert [row.get("resumed") for row in rows] == [True, True, None]
    assert again.code == 4
    run("segment", "--jobs", jobs, "-o", tmp_path / "o", "--series", "1").fails(2, "jobs file")


def test_measure_reads_a_chosen_series(run: Run, make: Any, tmp_path: Path) -> None:
    source = series(make, tmp_path / "in", [0, 2, 4])
    series(make, source, [0, 5], SeriesNumber=8, SeriesInstanceUID="1.2.5")
    out = tmp_path / "out"
    assert run("segment", "-i", source, "--series", "8", "-o", out, *MODEL).code == 0
    mask = out / "masks" / "f1.nii.gz"
    measured = run("measure", "-i", source, "-m", mask, "--series", "8", "--json")
    assert measured.code == 0, measured.err
    run("measure", "-i", source, "-m", mask, "--json").fails(3, "the same grid was expected")
