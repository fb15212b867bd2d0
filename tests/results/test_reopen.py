"""What was written is read back as it was."""

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from medsegr.errors import GeometryError, InputError
from medsegr.io.read import image_from_array, read_image
from medsegr.measure import measure
from medsegr.options import Options
from medsegr.report.parse import parse
from medsegr.results.export import Run, write_all
from medsegr.results.record import is_hash_of, save
from medsegr.results.reopen import finding_from, on_grid, reopen
from medsegr.results.schema import finding_json
from medsegr.types import FindingResult, Image, Result

SENTENCES = (
    "Spiculated 12 x 9 mm nodule in the right upper lobe.",
    "No pneumothorax.",
    "Possible ground-glass opacity in both bases.",
    "Two small smooth calcified nodules, unchanged.",
    "The heart is enlarged.",
    "Left pleural effusion has resolved.",
)


@given(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6))
def test_findings_come_back_as_they_were(sentences: list[str]) -> None:
    for finding in parse(" ".join(sentences), modality="CR").findings:
        told = json.loads(json.dumps(finding_json(finding)))
        assert finding_json(finding_from(told)) == finding_json(finding)


def result(image: Image) -> Result:
    report = parse("Nodule in the left lung. No pneumothorax.", modality="CT")
    mask = np.zeros(image.grid, bool)
    mask[..., 1:4, 2:5] = True
    first = FindingResult(report.findings[0], "segmented", mask=mask, measurements=measure(image, mask))
    second = FindingResult(report.findings[1], "skipped", "absent")
    return Result(image, report, (first, second), {"name": "m", "sha256": "ab", "licence": "x"})


def written(folder: Path, kind: str, shape: tuple[int, ...] = (5, 6, 7)) -> tuple[Result, Run]:
    affine = np.array([[0, 0, -1.1, 10], [0, -0.8, 0, 20], [2.5, 0, 0, -30], [0, 0, 0, 1]], float)
    volume = len(shape) == 3
    image = image_from_array(
        np.arange(float(np.prod(shape))).reshape(shape),
        affine=affine if volume else None,
        spacing=None if volume else (0.5, 0.4),
        modality="CT",
    )
    made = result(image)
    save(made, folder, Options(formats=(kind,)))
    return made, reopen(folder)


@pytest.mark.parametrize(("kind", "shape"), [("nifti", (5, 6, 7)), ("nrrd", (5, 6, 7)), ("png", (6, 7))])
def test_masks_numbers_and_geometry_come_back(kind: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    made, run = written(tmp_path / "out", kind, shape)
    back = run.result
    assert [r.status for r in back.findings] == ["segmented", "skipped"]
    np.testing.assert_array_equal(back.findings[0].mask, made.findings[0].mask)
    assert back.findings[1].mask is None
    assert back.image.spacing == pytest.approx(made.image.spacing)
    if kind != "png":
        np.testing.assert_allclose(back.image.affine, made.image.affine, atol=1e-5)
    numbers, before = back.findings[0].measurements or {}, made.findings[0].measurements or {}
    assert set(numbers) == set(before)
    for name, number in numbers.items():
        assert (number.unit, number.status) == (before[name].unit, before[name].status)
        assert number.value == pytest.approx(before[name].value, abs=1e-4)


@pytest.mark.parametrize("kind", ["png", "nifti", "nrrd"])
def test_a_picture_s_laying_is_known_without_the_picture(kind: str, tmp_path: Path) -> None:
    """Its density and the turn of its camera: what is converted later lies on it as well."""
    exif = Picture.Exif()
    exif[0x0112] = 6
    Picture.fromarray(np.arange(42, dtype=np.uint8).reshape(6, 7)).save(
        tmp_path / "p.jpg", dpi=(72, 36), exif=exif
    )
    image = read_image(tmp_path / "p.jpg", modality="CT")
    for name, formats in (("first", (kind, "nifti", "nrrd")), ("later", (kind,))):
        save(result(image), tmp_path / name, Options(formats=tuple(dict.fromkeys(formats))))
    run = reopen(tmp_path / "later")
    write_all(run, tmp_path / "later", ("nifti", "nrrd"), Options(formats=("nifti", "nrrd")))
    for name in ("masks/f1.nii.gz", "masks/f1.nrrd", "segmentation.seg.nrrd"):
        one, two = (sitk.ReadImage(str(tmp_path / folder / name)) for folder in ("first", "later"))
        assert one.GetSize() == two.GetSize() == (7, 6, 1)
        assert one.GetSpacing() == pytest.approx(two.GetSpacing())
        assert one.GetSpacing()[:2] == pytest.approx((25.4 / 72, 25.4 / 36))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(two))


def test_masks_of_pictures_as_they_were_written_before(tmp_path: Path) -> None:
    """Rows first in NIfTI: read so, and converted as it is written now."""
    Picture.fromarray(np.arange(42, dtype=np.uint8).reshape(6, 7)).save(tmp_path / "p.png")
    image = read_image(tmp_path / "p.png", modality="CT")
    made = result(image)
    mask = made.findings[0].mask
    assert mask is not None
    save(made, tmp_path / "out", Options(formats=("nifti",)))
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), None), tmp_path / "out" / "masks" / "f1.nii.gz")
    run = reopen(tmp_path / "out")
    np.testing.assert_array_equal(run.result.findings[0].mask, mask)
    write_all(run, tmp_path / "out", ("nrrd",), Options(formats=("nrrd",)))
    now = sitk.ReadImage(str(tmp_path / "out" / "masks" / "f1.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(now)[0] > 0, mask)
    np.testing.assert_array_equal(reopen(tmp_path / "out", tmp_path / "p.png").result.findings[0].mask, mask)


def test_a_mask_that_slicer_saved_into_the_folder(tmp_path: Path) -> None:
    Picture.fromarray(np.arange(42, dtype=np.uint8).reshape(6, 7)).save(tmp_path / "p.png")
    image = read_image(tmp_path / "p.png", modality="CT")
    made = result(image)
    save(made, tmp_path / "out", Options(formats=("nrrd",)))
    ours = tmp_path / "out" / "masks" / "f1.nrrd"
    sitk.WriteImage(sitk.Flip(sitk.ReadImage(str(ours)), [False, True, False]), str(ours))
    back = reopen(tmp_path / "out", tmp_path / "p.png").result
    np.testing.assert_array_equal(back.findings[0].mask, made.findings[0].mask)


def test_a_run_is_named_by_its_inputs(tmp_path: Path) -> None:
    _, run = written(tmp_path / "a", "nifti")
    _, again = written(tmp_path / "b", "nifti")
    assert run.key == again.key


def test_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.json"):
        reopen(tmp_path)


def test_a_mask_of_another_grid(tmp_path: Path) -> None:
    written(tmp_path / "out", "nifti")
    _, other = written(tmp_path / "other", "nifti", (5, 6, 9))
    assert other.result.image.grid == (5, 6, 9)
    name = "masks/f1.nii.gz"
    (tmp_path / "out" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(GeometryError, match="grid"):
        reopen(tmp_path / "out")


def test_a_mask_that_begins_where_the_image_does_and_runs_another_way() -> None:
    mask = image_from_array(np.ones((4, 4, 4)), affine=np.eye(4))
    turned = image_from_array(np.ones((4, 4, 4)), affine=np.eye(4)[[1, 0, 2, 3]])
    assert on_grid(mask, mask, True).all()
    with pytest.raises(GeometryError, match="mm apart"):
        on_grid(mask, turned, True)


def test_an_image_is_known_by_what_it_holds_and_by_the_hash_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"packed")
    packed = hashlib.sha256(b"packed").hexdigest()
    assert is_hash_of(path, "held", "held")
    assert is_hash_of(path, "held", packed), "as results of 0.1.0 noted it"
    assert not is_hash_of(path, "held", "other")
    assert not is_hash_of(tmp_path, "held", packed)
