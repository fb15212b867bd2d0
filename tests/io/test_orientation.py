"""Where a mask lies in the patient must not depend on the order or direction of the axes it was stored in."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from medsegr.grid.planes import axis_letters
from medsegr.io.read import image_from_array, read_image
from medsegr.io.write import write_mask
from medsegr.types import Image
from placed import TILT, affine_of, centre_mm, itk_centre_mm

SHAPE = (5, 7, 6)


def phantom(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Asymmetric: a block near one corner, and one voxel near another."""
    values = np.zeros(shape, np.float32)
    values[tuple(slice(0, max(1, n // 2)) for n in shape)] = 100
    values[tuple(n - 1 for n in shape)] = 50
    return values


def test_nifti_and_nrrd_masks_lie_where_the_image_lies(orientation: np.ndarray, tmp_path: Path) -> None:
    affine = affine_of(TILT @ orientation)
    nib.save(nib.Nifti1Image(phantom(), affine), tmp_path / "a.nii.gz")
    image = read_image(tmp_path / "a.nii.gz")
    mask = image.data[0] > 75
    assert image.axes == axis_letters(affine)
    expected = centre_mm(phantom() > 75, affine)
    np.testing.assert_allclose(centre_mm(mask, np.asarray(image.affine)), expected, atol=1e-4)
    for kind in ("nifti", "nrrd"):
        path = write_mask(mask, image, tmp_path / "m", kind, "block")
        back = read_image(path)
        np.testing.assert_array_equal(back.data[0] > 0, mask)
        np.testing.assert_allclose(back.affine, image.affine, atol=1e-4)
        np.testing.assert_allclose(itk_centre_mm(sitk.ReadImage(str(path))), expected, atol=1e-3)
    assert nib.load(tmp_path / "m.nii.gz").shape == SHAPE


def test_dicom_series_lie_where_they_were_taken(
    orientation: np.ndarray, tmp_path: Path, series: Callable[..., None]
) -> None:
    """Index order is slice, row, column; the reader may turn the slice axis, never the rows and columns."""
    affine = affine_of(TILT @ orientation)
    folder = tmp_path / "dicom"
    folder.mkdir()
    series(phantom(), affine, folder, seed=int(abs(orientation[0] @ [1, 2, 3])))
    image = read_image(folder)
    expected = centre_mm(phantom() > 75, affine)
    mask = image.data[0] > 75
    np.testing.assert_allclose(centre_mm(mask, np.asarray(image.affine)), expected, atol=1e-3)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    picture = sitk.ReadImage(names)
    np.testing.assert_allclose(itk_centre_mm(picture, above=75), expected, atol=1e-3)
    path = write_mask(mask, image, tmp_path / "m", "nifti", "block")
    written = nib.load(path)
    assert written.shape == image.grid
    np.testing.assert_allclose(
        centre_mm(np.asarray(written.dataobj) > 0, written.affine), expected, atol=1e-3
    )


def test_one_dicom_slice_lies_where_it_was_taken(
    orientation: np.ndarray, tmp_path: Path, series: Callable[..., None]
) -> None:
    affine = affine_of(TILT @ orientation)
    series(phantom()[:1], affine, tmp_path)
    image = read_image(tmp_path / "0000")
    mask = image.data[0] > 75
    expected = centre_mm(phantom()[0] > 75, affine[:, [1, 2, 0, 3]])
    np.testing.assert_allclose(centre_mm(mask, np.asarray(image.affine)), expected, atol=1e-3)
    assert image.axes == axis_letters(affine)[1:]
    for kind in ("nifti", "nrrd"):
        path = write_mask(mask, image, tmp_path / "m", kind, "block")
        np.testing.assert_allclose(itk_centre_mm(sitk.ReadImage(str(path)))[:3], expected, atol=1e-3)


@st.composite
def affines(draw: st.DrawFn) -> np.ndarray:
    """Random axis orders, flips, spacings, rotations, shears and origins."""
    order = draw(st.permutations(range(3)))
    signs = draw(st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3))
    spacing = draw(st.tuples(*[st.floats(0.1, 10.0)] * 3))
    angles = draw(st.tuples(*[st.floats(-40.0, 40.0)] * 3))
    origin = draw(st.tuples(*[st.floats(-500.0, 500.0)] * 3))
    shear = np.eye(3)
    shear[0, 1] = draw(st.sampled_from((0.0, 0.0, 0.1)))
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    affine[:3, :3] = turn @ shear @ (np.eye(3)[:, order] * signs) * spacing
    affine[:3, 3] = origin
    return affine.astype(np.float32).astype(np.float64)


@settings(max_examples=60, deadline=None)
@given(
    affine=affines(), flat=st.booleans(), seed=st.integers(0, 1000), kind=st.sampled_from(("nifti", "nrrd"))
)
def test_masks_come_back_bit_for_bit(affine: np.ndarray, flat: bool, seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(2, 7, 2 if flat else 3))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nib.save(nib.Nifti1Image(rng.normal(size=shape).astype(np.float32), affine), folder / "a.nii.gz")
        image = read_image(folder / "a.nii.gz")
        mask = rng.random(shape) > 0.6
        mask.flat[0] = True
        back = read_image(write_mask(mask, image, folder / "m", kind, "x"))
    steps = np.abs(affine[:3, :3]).sum(axis=1).max()
    np.testing.assert_array_equal((back.data[0] > 0).reshape(mask.shape), mask)
    np.testing.assert_allclose(
        centre_mm(back.data[0] > 0, np.asarray(back.affine)),
        centre_mm(mask, affine),
        atol=1e-4 * max(steps, 1) + 1e-3,
    )
    np.testing.assert_allclose(np.asarray(image.affine), affine, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(affine=affines(), seed=st.integers(0, 1000))
def test_arrays_with_an_affine_come_back(affine: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image: Image = image_from_array(rng.normal(size=(3, 4, 5)), affine=affine, modality="CT")
    mask = rng.random(image.grid) > 0.5
    with tempfile.TemporaryDirectory() as name:
        written = nib.load(write_mask(mask, image, Path(name) / "m", "nifti", "x"))
        np.testing.assert_array_equal(np.asarray(written.dataobj), mask)
    np.testing.assert_allclose(written.affine, affine, atol=1e-5)


@pytest.mark.parametrize("ending", ["nrrd", "mha", "nii.gz"])
def test_the_same_volume_is_read_alike_from_every_kind(
    ending: str, tmp_path: Path, orientation: np.ndarray
) -> None:
    if abs(np.linalg.det(orientation) - 1) > 1e-6 and ending == "nii.gz":
        orientation = orientation * [-1, 1, 1]
    affine = affine_of(TILT @ orientation)
    lps = np.diag([-1.0, -1, 1, 1]) @ affine
    picture = sitk.GetImageFromArray(np.ascontiguousarray(phantom().T))
    steps = np.linalg.norm(lps[:3, :3], axis=0)
    picture.SetSpacing([float(v) for v in steps])
    picture.SetOrigin([float(v) for v in lps[:3, 3]])
    picture.SetDirection([float(v) for v in (lps[:3, :3] / steps).ravel()])
    sitk.WriteImage(picture, str(tmp_path / f"a.{ending}"))
    image = read_image(tmp_path / f"a.{ending}")
    np.testing.assert_array_equal(image.data[0], phantom())
    np.testing.assert_allclose(image.affine, affine, atol=1e-4)
