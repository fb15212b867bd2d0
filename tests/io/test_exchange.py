"""Masks to and from the programs of annotators, with SimpleITK as their reader and writer."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from dicom_files import MAKER, segment, write_ct
from medsegr.errors import GeometryError, InputError
from medsegr.io.dicom_objects import save_object
from medsegr.io.dicom_seg import make_seg
from medsegr.io.dicom_source import sources_of
from medsegr.io.nrrd_seg import write_seg_nrrd
from medsegr.io.one_mask import read_one_mask
from medsegr.io.pictures import KEY
from medsegr.io.read import image_from_array, read_image
from medsegr.io.same_grid import in_order
from medsegr.io.write import write_labels, write_mask
from medsegr.types import Image

SAVED = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")
KINDS = ("nifti", "nrrd", "seg.nrrd")


def export(mask: np.ndarray, image: Image, folder: Path, kind: str) -> Path:
    if kind != "seg.nrrd":
        return write_mask(mask, image, folder / "ours", kind, "nodule")
    write_seg_nrrd(image, [segment(1, mask)], folder / "ours.seg.nrrd")
    return folder / "ours.seg.nrrd"


def same_places(picture: sitk.Image, lps: np.ndarray) -> None:
    """Every voxel that is set lies at one of the places ``n 3``, and each has one."""
    found = np.argwhere(sitk.GetArrayFromImage(picture) > 0)[:, ::-1]
    places = [picture.TransformIndexToPhysicalPoint([int(v) for v in index]) for index in found]
    away, nearest = cKDTree(lps).query(np.array(places))
    assert away.max() < 2e-3
    assert sorted(nearest) == list(range(len(lps)))


def saved_by_a_tool(picture: sitk.Image, order: list[int], flips: list[bool], path: Path) -> Path:
    turned = sitk.Flip(sitk.PermuteAxes(picture, order), flips)
    sitk.WriteImage(turned, str(path))
    return path


def volume(shape: list[int], seed: int, oblique: bool) -> tuple[Image, np.ndarray]:
    """A grid of uneven spacing in any order of axes, and a mask on it."""
    rng = np.random.default_rng(seed)
    ways = np.eye(3)[rng.permutation(3)] * rng.choice([-1.0, 1.0], 3)
    tilt = Rotation.from_quat(rng.normal(size=4)).as_matrix() if oblique else np.eye(3)
    affine = np.eye(4)
    affine[:3, :3] = tilt @ ways * rng.uniform(0.3, 6, 3)
    affine[:3, 3] = rng.uniform(-300, 300, 3)
    mask = rng.random(tuple(shape)) > 0.6
    mask.flat[0], mask.flat[-1] = True, False
    return image_from_array(np.zeros(tuple(shape), np.float32), affine=affine, modality="MR"), mask


@given(
    st.tuples(st.integers(1, 3), st.integers(2, 6), st.integers(2, 6)).flatmap(st.permutations),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.sampled_from(KINDS),
    st.sampled_from(SAVED),
)
@settings(max_examples=60, deadline=None)
def test_a_volume_s_mask_goes_out_and_comes_back(
    shape: list[int], seed: int, oblique: bool, kind: str, ending: str
) -> None:
    image, mask = volume(shape, seed, oblique)
    assert image.affine is not None
    rng = np.random.default_rng(seed + 1)
    order, flips = [int(v) for v in rng.permutation(3)], [bool(v) for v in rng.integers(0, 2, 3)]
    with tempfile.TemporaryDirectory() as name:
        shown = sitk.ReadImage(str(export(mask, image, Path(name), kind)))
        ras = np.argwhere(mask) @ image.affine[:3, :3].T + image.affine[:3, 3]
        same_places(shown, ras * (-1, -1, 1))
        path = saved_by_a_tool(shown, order, flips, Path(name) / f"theirs{ending}")
        np.testing.assert_array_equal(read_one_mask(path, image), mask)


@st.composite
def pictures(draw: Any) -> tuple[bytes, str, int]:
    """A file as cameras and scanners write it, with its ending and EXIF orientation."""
    ending = draw(st.sampled_from(["png", "jpg", "tif"]))
    turn = 1 if ending == "tif" else draw(st.integers(1, 8))
    exif = Picture.Exif()
    exif[0x0112] = turn
    density = (draw(st.integers(20, 300)), draw(st.integers(20, 300)))
    how: dict[str, Any] = {} if ending == "png" else {"dpi": density}
    grey = np.zeros((8 * draw(st.integers(1, 6)), 8 * draw(st.integers(1, 6))), np.uint8)
    file = io.BytesIO()
    kind = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF"}[ending]
    Picture.fromarray(grey).save(file, format=kind, exif=exif, **how)
    return file.getvalue(), ending, turn


def as_stored(mask: np.ndarray, turn: int, folder: Path) -> np.ndarray:
    """By Pillow, which turns what is stored: 6 undoes 8, and the others undo themselves."""
    exif = Picture.Exif()
    exif[0x0112] = {6: 8, 8: 6}.get(turn, turn)
    Picture.fromarray((mask * 255).astype(np.uint8)).save(folder / "back.png", exif=exif)
    return np.asarray(read_image(folder / "back.png").data[0] > 0)


@given(pictures(), st.sampled_from(KINDS), st.integers(0, 2**32 - 1), st.sampled_from(SAVED))
@settings(max_examples=40, deadline=None)
def test_a_picture_s_mask_lies_on_the_picture(
    made: tuple[bytes, str, int], kind: str, seed: int, saved: str
) -> None:
    data, ending, turn = made
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder, source = Path(name), Path(name) / f"p.{ending}"
        source.write_bytes(data)
        image, theirs = read_image(source, modality="CR"), sitk.ReadImage(str(source))
        mask = rng.random(image.grid) > 0.6
        mask[0, 1], mask[1, 0] = True, False
        shown = sitk.ReadImage(str(export(mask, image, folder, kind)))
        assert shown.GetSize() == (*theirs.GetSize(), 1)
        np.testing.assert_allclose(shown.GetSpacing()[:2], theirs.GetSpacing(), rtol=1e-5)
        np.testing.assert_allclose(shown.GetOrigin(), 0)
        np.testing.assert_allclose(np.reshape(shown.GetDirection(), (3, 3)), np.eye(3), atol=1e-12)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(shown)[0] > 0, as_stored(mask, turn, folder))
        order = [1, 0, 2] if rng.random() > 0.5 else [0, 1, 2]
        flips = [*(bool(flip) for flip in rng.integers(0, 2, 2)), False]
        path = saved_by_a_tool(shown, order, flips, folder / f"theirs{saved}")
        np.testing.assert_array_equal(read_one_mask(path, image), mask)
        sitk.WriteImage(shown[:, :, 0], str(folder / "flat.mha"))
        np.testing.assert_array_equal(read_one_mask(folder / "flat.mha", image), mask)


@pytest.mark.parametrize("kind", ["nifti", "nrrd"])
def test_a_picture_s_mask_is_a_picture_for_us(kind: str, tmp_path: Path) -> None:
    """Also alone, and its pixels are no millimetres unless the image's are."""
    labels = np.arange(35).reshape(5, 7).astype(np.uint8)
    Picture.fromarray(labels).save(tmp_path / "p.jpg", dpi=(72, 36), quality=100)
    for image, spacing in (
        (read_image(tmp_path / "p.jpg", modality="CR"), None),
        (image_from_array(labels.astype(float), spacing=(0.5, 0.25), modality="CR"), (0.5, 0.25)),
    ):
        found = read_image(write_labels(labels, image, tmp_path / "m", kind, {}))
        np.testing.assert_array_equal(found.data[0], labels)
        assert (found.affine, found.axes) == (None, None)
        assert found.spacing == (spacing if spacing is None else pytest.approx(spacing))
        again = read_image(write_labels(labels, found, tmp_path / "again", kind, {}))
        np.testing.assert_array_equal(again.data[0], labels)
        one, two = (sitk.ReadImage(str(tmp_path / f"{name}{path_end(kind)}")) for name in ("m", "again"))
        assert one.GetSpacing() == pytest.approx(two.GetSpacing())


def path_end(kind: str) -> str:
    return ".nii.gz" if kind == "nifti" else ".nrrd"


@pytest.mark.parametrize("kind", ["nifti", "nrrd"])
def test_ours_that_was_turned_since_is_no_picture_s(kind: str, tmp_path: Path) -> None:
    mask = np.zeros((5, 7), bool)
    mask[1, 2:5] = True
    image = image_from_array(np.zeros((5, 7), np.float32), modality="CR")
    path = export(mask, image, tmp_path, kind)
    if kind == "nifti":
        file = nib.as_closest_canonical(nib.load(path))
        assert b"medsegr" in bytes(file.header["descrip"].item())
        nib.save(file, tmp_path / "turned.nii")
        turned = tmp_path / "turned.nii"
    else:
        turned = tmp_path / "turned.nrrd"
        ours = sitk.ReadImage(str(path))
        flipped = sitk.Flip(ours, [True, False, False])
        flipped.SetMetaData(KEY, ours.GetMetaData(KEY))
        sitk.WriteImage(flipped, str(turned))
        assert b"medsegr" in turned.read_bytes()
    assert read_image(turned).affine is not None
    np.testing.assert_array_equal(read_one_mask(turned, image), mask)


def test_what_medsegr_wrote_for_pictures_before(tmp_path: Path) -> None:
    """Rows first: as it was where it can be told, one line where not."""
    for shape in ((5, 7), (6, 6)):
        mask = np.zeros(shape, bool)
        mask[1, 2:5] = True
        image = image_from_array(np.zeros(shape, np.float32), modality="CR")
        nib.save(nib.Nifti1Image(mask.astype(np.uint8), None), tmp_path / "old.nii.gz")
        np.testing.assert_array_equal(read_one_mask(tmp_path / "old.nii.gz", image), mask)
        sitk.WriteImage(sitk.GetImageFromArray(mask.astype(np.uint8).T), str(tmp_path / "old.nrrd"))
        if shape == (5, 7):
            np.testing.assert_array_equal(read_one_mask(tmp_path / "old.nrrd", image), mask)
        else:
            with pytest.raises(GeometryError, match="rows first"):
                read_one_mask(tmp_path / "old.nrrd", image)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_what_is_drawn_on_a_dicom_series(
    ending: str, series: Callable[..., None], orientation: np.ndarray, tmp_path: Path
) -> None:
    """Loaded by ITK as Slicer and ITK-SNAP do: columns first, slices in the order of their places."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [4, -7, 11], degrees=True).as_matrix() @ orientation
    affine[:3, :3] *= (2.5, 0.8, 1.1)
    affine[:3, 3] = (-31.5, 17.25, 90.125)
    voxels = np.random.default_rng(0).integers(0, 2, (4, 5, 6))
    (tmp_path / "dicom").mkdir()
    series(voxels, affine, tmp_path / "dicom")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "dicom")))
    theirs = sitk.Cast(reader.Execute(), sitk.sitkUInt8)
    image = read_image(tmp_path / "dicom")
    sitk.WriteImage(theirs, str(tmp_path / f"drawn{ending}"))
    np.testing.assert_array_equal(read_one_mask(tmp_path / f"drawn{ending}", image), image.data[0] > 0)


@pytest.mark.parametrize("ending", SAVED)
@pytest.mark.parametrize("slices", [1, 4])
def test_a_nifti_that_tells_no_orientation(ending: str, slices: int, tmp_path: Path) -> None:
    """For ITK it lies elsewhere than for nibabel, and the mask that is saved over it as well."""
    voxels = np.random.default_rng(0).integers(0, 2, (6, 5, slices)).astype(np.uint8)
    file = nib.Nifti1Image(voxels, None)
    file.header.set_zooms((0.5, 0.7, 3.0))
    nib.save(file, tmp_path / "image.nii")
    image = read_image(tmp_path / "image.nii", modality="CT")
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "image.nii")), str(tmp_path / f"drawn{ending}"))
    np.testing.assert_array_equal(read_one_mask(tmp_path / f"drawn{ending}", image), voxels > 0)
    for kind in KINDS:
        shown = sitk.ReadImage(str(export(voxels > 0, image, tmp_path, kind)))
        theirs = sitk.ReadImage(str(tmp_path / "image.nii"))
        assert (shown.GetSize(), shown.GetOrigin()) == (theirs.GetSize(), theirs.GetOrigin())
        assert shown.GetSpacing() == pytest.approx(theirs.GetSpacing())
        np.testing.assert_array_equal(sitk.GetArrayFromImage(shown), sitk.GetArrayFromImage(theirs))


def other_grids() -> dict[str, tuple[tuple[int, int, int], np.ndarray]]:
    base = np.diag([0.8, 0.8, 2.5, 1.0])
    found = {name: ((6, 6, 6), base.copy()) for name in ("half", "quarter", "wider", "turned", "sheared")}
    found["half"][1][0, 3] = 0.4
    found["quarter"][1][2, 3] = 0.6
    found["wider"][1][1, 1] = 0.85
    found["turned"][1][:2, :2] = 0.8 * np.array([[0.9998, -0.02], [0.02, 0.9998]]) @ np.diag([1, 1])
    found["sheared"][1][0, 2] = 0.3
    return found


@pytest.mark.parametrize("name", sorted(other_grids()))
def test_another_grid_is_refused(name: str) -> None:
    image = image_from_array(
        np.zeros((6, 6, 6), np.float32), affine=np.diag([0.8, 0.8, 2.5, 1]), modality="CT"
    )
    shape, affine = other_grids()[name]
    mask = image_from_array(np.ones(shape, np.float32), affine=affine)
    with pytest.raises(GeometryError, match="resample the mask onto the image"):
        in_order(mask, image)


def test_a_part_of_the_grid_keeps_its_size_and_is_refused_by_it(tmp_path: Path) -> None:
    image = image_from_array(np.zeros((6, 6, 6), np.float32), affine=np.eye(4), modality="CT")
    part = image_from_array(np.ones((6, 5, 6), np.float32), affine=np.eye(4))
    assert in_order(part, image) is part


def test_the_rounding_of_saved_affines_is_no_other_place() -> None:
    rng = np.random.default_rng(0)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.random(random_state=3).as_matrix() * (0.7, 0.7, 1.25)
    affine[:3, 3] = (-180.3, -201.7, -950.2)
    image = Image(np.zeros((1, 512, 512, 3), np.float32), affine, (0.7, 0.7, 1.25))
    voxels = rng.random((1, 512, 512, 3)) > 0.5
    rounded = np.round(affine, 4).astype(np.float32).astype(float)
    rounded[:3, :3] = np.round(affine[:3, :3], 5)
    found = in_order(Image(voxels.astype(np.float32), rounded, image.spacing), image)
    np.testing.assert_array_equal(found.data > 0, voxels)


def test_a_square_picture_is_not_guessed(tmp_path: Path) -> None:
    image = image_from_array(np.zeros((6, 6), np.float32), modality="CR")
    drawn = np.zeros((6, 6, 1), np.uint8)
    drawn[1, 2:5] = 1
    nib.save(nib.Nifti1Image(drawn, np.eye(4)), tmp_path / "m.nii")  # to the right and the front
    with pytest.raises(InputError, match="save the mask as PNG"):
        read_one_mask(tmp_path / "m.nii", image)


def painted(image: Image, folder: Path) -> list[np.ndarray]:
    """Three masks that overlap, as a segmentation of ours."""
    first, second, third = np.zeros((3, *image.grid), bool)
    first[1:3, 2:5], second[2:4, 3:6], third[1:4, 1:4] = True, True, True
    drawn = [first, second, third]
    write_seg_nrrd(image, [segment(n, mask) for n, mask in enumerate(drawn, 1)], folder / "all.seg.nrrd")
    return drawn


def test_of_a_segmentation_the_finding_s_own_segment_is_taken(tmp_path: Path) -> None:
    image, _ = volume([5, 6, 7], 0, oblique=True)
    drawn = painted(image, tmp_path)
    for number, mask in enumerate(drawn, 1):
        found = read_one_mask(tmp_path / "all.seg.nrrd", image, finding=f"f{number}")
        np.testing.assert_array_equal(found, mask)
    with pytest.raises(InputError, match="in 3 layers came"):  # and are no colours
        read_image(tmp_path / "all.seg.nrrd")
    for strange in ("", "f9"):
        with pytest.raises(InputError, match="3 segments came"):
            read_one_mask(tmp_path / "all.seg.nrrd", image, finding=strange)


def test_a_segmentation_as_slicer_saves_it(tmp_path: Path) -> None:
    """With layers of its own order, an erased segment, and as versions before layers wrote it."""
    image, _ = volume([5, 6, 7], 0, oblique=True)
    first, second, _ = painted(image, tmp_path)
    data, header = nrrd.read(str(tmp_path / "all.seg.nrrd"))
    data = data[::-1].copy()
    for number in range(3):
        header[f"Segment{number}_Layer"] = str(2 - int(header[f"Segment{number}_Layer"]))
    data[int(header["Segment2_Layer"])] = 0
    nrrd.write(str(tmp_path / "turned.seg.nrrd"), data, header)
    np.testing.assert_array_equal(read_one_mask(tmp_path / "turned.seg.nrrd", image, finding="f2"), second)
    assert not read_one_mask(tmp_path / "turned.seg.nrrd", image, finding="f3").any()
    old = {key: value for key, value in header.items() if not key.endswith(("_Layer", "_LabelValue"))}
    nrrd.write(str(tmp_path / "old.seg.nrrd"), np.stack([second, second, first]).astype(np.uint8), old)
    np.testing.assert_array_equal(read_one_mask(tmp_path / "old.seg.nrrd", image, finding="f3"), first)
    header["Segment1_Layer"] = "7"
    nrrd.write(str(tmp_path / "wrong.seg.nrrd"), data, header)
    with pytest.raises(InputError, match="layer or label that it has not"):
        read_one_mask(tmp_path / "wrong.seg.nrrd", image, finding="f2")


def test_of_a_dicom_seg_too(tmp_path: Path) -> None:
    affine = np.array([[0, 0, -1.1, 10], [0, -0.8, 0, 20], [2.5, 0, 0, -30], [0, 0, 0, 1]], float)
    write_ct(tmp_path / "ct", np.zeros((4, 6, 7)) + np.arange(7), affine)
    image = read_image(tmp_path / "ct")
    first, second = np.zeros((2, *image.grid), bool)
    first[1:3, 2:5, 1:6], second[2:4, 3:6, 2:4] = True, True
    for name, masks in (("both", (first, second)), ("alone", (second,))):
        found = [segment(n, mask) for n, mask in enumerate(masks, 1)]
        save_object(make_seg(image, found, sources_of(image), MAKER, "binary"), tmp_path / f"{name}.dcm")
    for number, mask in enumerate((first, second), 1):
        found = read_one_mask(tmp_path / "both.dcm", image, finding=f"f{number}")
        np.testing.assert_array_equal(found, mask)
    np.testing.assert_array_equal(read_one_mask(tmp_path / "alone.dcm", image, finding="f7"), second)
    with pytest.raises(InputError, match="2 segments came, and none has the ID f7"):
        read_one_mask(tmp_path / "both.dcm", image, finding="f7")
