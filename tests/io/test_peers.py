"""What other programs write is read, and read as they read it: dcmtk, dcm2niix."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from medsegr.io.read import read_image

Make = Callable[..., Any]
PLACE = {
    "ImagePositionPatient": [-10, -20, 30],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "PixelSpacing": [0.5, 0.75],
}


def program(name: str, package: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"{name} is not here: install {package}")
    return found


def ran(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


@pytest.fixture
def plain(tmp_path: Path, dicom: Make) -> tuple[Path, np.ndarray]:
    values = np.random.default_rng(0).integers(0, 4096, (40, 32)).astype(np.uint16)
    ds = dicom(values, BitsStored=12, HighBit=11, StudyInstanceUID="1.2.3", **PLACE)
    ds.save_as(tmp_path / "plain.dcm")
    return tmp_path / "plain.dcm", values


@pytest.mark.parametrize(
    ("tool", "flags"),
    [
        ("dcmconv", ["+ti"]),
        ("dcmconv", ["+tb"]),
        ("dcmconv", ["+td"]),
        ("dcmcrle", []),
        ("dcmcjpeg", ["+e1"]),
        ("dcmcjpeg", ["+el"]),
        ("dcmcjpls", []),
    ],
    ids="".join,
)
def test_every_syntax_that_dcmtk_writes_is_read(
    tmp_path: Path, plain: tuple[Path, np.ndarray], tool: str, flags: list[str]
) -> None:
    ran(program(tool, "dcmtk"), *flags, plain[0], tmp_path / "other.dcm")
    image = read_image(tmp_path / "other.dcm")
    np.testing.assert_array_equal(image.data[0], plain[1])
    np.testing.assert_array_equal(image.affine, read_image(plain[0]).affine)


def test_a_picture_that_img2dcm_made_is_read(tmp_path: Path) -> None:
    from PIL import Image as Pillow

    values = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Pillow.fromarray(values).resize((64, 48)).save(tmp_path / "a.jpg", quality=95)
    ran(program("img2dcm", "dcmtk"), tmp_path / "a.jpg", tmp_path / "a.dcm")
    image = read_image(tmp_path / "a.dcm")
    with Pillow.open(tmp_path / "a.jpg") as picture:
        np.testing.assert_allclose(
            image.data, np.moveaxis(np.asarray(picture), -1, 0), atol=20
        )  # two decoders
    assert "burned_in_text" in dict(image.source.warnings)


@pytest.mark.parametrize("flip", [1, -1])
def test_a_series_lies_where_dcm2niix_puts_it(tmp_path: Path, series: Make, flip: int) -> None:
    tool = program("dcm2niix", "dcm2niix (pip)")
    volume = np.random.default_rng(0).integers(-1000, 1000, (7, 20, 24))
    affine = np.array([[0.0, 0, -0.8, 30], [0, -0.9, 0, 40], [2.5 * flip, 0, 0, -60], [0, 0, 0, 1]])
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    series(volume, affine, tmp_path / "in")
    ran(tool, "-z", "n", "-b", "n", "-o", tmp_path / "out", tmp_path / "in")
    peer = nib.load(next((tmp_path / "out").glob("*.nii")))
    image = read_image(tmp_path / "in")

    def points(values: np.ndarray, matrix: np.ndarray) -> dict[tuple[float, ...], float]:
        index = np.argwhere(values > 990)
        found = index @ matrix[:3, :3].T + matrix[:3, 3]
        return {
            tuple(round(float(v), 2) + 0.0 for v in row): float(values[tuple(at)])
            for row, at in zip(found, index, strict=True)
        }

    assert points(image.data[0], np.asarray(image.affine)) == points(peer.get_fdata(), peer.affine)
