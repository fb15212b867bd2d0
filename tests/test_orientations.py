"""One asymmetric body, stored in all 48 axis orders and flips and in three kinds of file, gives one mask in
the patient: the whole way from file to mask, with the stand-in model ``threshold``.
"""

import importlib.util
import json
from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from medsegr import pipeline
from medsegr.cli.main import main
from medsegr.io.read import read_image
from medsegr.registry import create
from medsegr.types import Image

KINDS = ("nifti", "dicom", "nrrd")
SPACING = np.array([2.5, 0.8, 1.1])
TILT = Rotation.from_euler("xyz", [4, -7, 11], degrees=True).as_matrix()
ORIGIN = (-31.5, 17.25, 90.125)


def body() -> np.ndarray:
    """An L with a tail: no turn and no mirror maps it to itself. Axes are the patient's R, A, S."""
    values = np.full((11, 13, 12), -900.0, np.float32)
    values[2:8, 3:5, 2:4] = 300
    values[2:4, 3:11, 2:4] = 300
    values[2:4, 3:5, 2:7] = 300
    values[9, 11, 10] = 800  # a speck: brighter, but not the largest piece
    return values


BODY = body()
TRUTH = BODY == 300


def base_affine() -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = TILT * SPACING
    affine[:3, 3] = ORIGIN
    return affine


def turned(order: tuple[int, ...], flips: tuple[bool, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The same body stored with other axes, and the affine that says so."""
    array = np.transpose(BODY, order)
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for new, old in enumerate(order):
        size = BODY.shape[old]
        matrix[old, new] = -1 if flips[new] else 1
        matrix[old, 3] += size - 1 if flips[new] else 0
    flipped = np.flip(array, [i for i, flip in enumerate(flips) if flip])
    return np.ascontiguousarray(flipped), base_affine() @ matrix


def made_series() -> Callable[..., None]:
    spec = importlib.util.spec_from_file_location("io_files", Path(__file__).parent / "io" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    write: Callable[..., None] = module.make_series
    return write


def write(kind: str, array: np.ndarray, affine: np.ndarray, folder: Path) -> Path:
    if kind == "nifti":
        nib.save(nib.Nifti1Image(array, affine), folder / "a.nii.gz")
        return folder / "a.nii.gz"
    if kind == "dicom":
        (folder / "series").mkdir()
        made_series()(array, affine, folder / "series", seed=int(array[:, 0, 0].sum()) % 97)
        return folder / "series"
    lps = np.diag([-1.0, -1, 1, 1]) @ affine
    picture = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    steps = np.linalg.norm(lps[:3, :3], axis=0)
    picture.SetSpacing(steps.tolist())
    picture.SetOrigin(lps[:3, 3].tolist())
    picture.SetDirection((lps[:3, :3] / steps).ravel().tolist())
    sitk.WriteImage(picture, str(folder / "a.nrrd"))
    return folder / "a.nrrd"


def world(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Points of a mask in the patient (mm), in an order that does not hang on storage."""
    points = np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]
    return points[np.lexsort(np.round(points, 1).T)]


EXPECTED = world(TRUTH, base_affine())
WAYS = list(product(permutations(range(3)), product((False, True), repeat=3)))


def segmented(image: Image) -> np.ndarray:
    result = pipeline.run(image, create("threshold"), phrases=["mass"])
    mask = result.findings[0].mask
    assert mask is not None
    return mask


@pytest.mark.parametrize("way", range(48))
def test_the_mask_lies_at_one_place_in_the_patient(way: int, tmp_path: Path) -> None:
    order, flips = WAYS[way]
    array, affine = turned(order, flips)
    np.testing.assert_allclose(world(array == 300, affine), EXPECTED, atol=1e-9)  # the test's own sums
    for kind in KINDS:
        image = read_image(write(kind, array, affine, tmp_path), modality="CT")
        mask = segmented(image)
        assert mask.shape == image.grid
        np.testing.assert_allclose(world(mask, np.asarray(image.affine)), EXPECTED, atol=2e-3, err_msg=kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", [0, 13, 30, 47])
def test_the_file_that_the_command_line_writes_lies_there_too(kind: str, way: int, tmp_path: Path) -> None:
    array, affine = turned(*WAYS[way])
    source = write(kind, array, affine, tmp_path)
    words = ["-p", "mass", "--modality", "CT", "--model", "threshold", "--format", "nifti", "-q"]
    assert main(["segment", "-i", str(source), "-o", str(tmp_path / "out"), *words]) == 0
    told = json.loads((tmp_path / "out" / "findings.json").read_text())["findings"][0]
    written = nib.load(tmp_path / "out" / told["mask"])
    np.testing.assert_allclose(world(np.asarray(written.dataobj) > 0, written.affine), EXPECTED, atol=2e-3)
    np.testing.assert_allclose(written.get_sform(), written.get_qform(), atol=1e-4)
