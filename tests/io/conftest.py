"""Made files: DICOM slices with a known place, and the 48 ways in which three axes can lie."""

from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SECRET = "PLANTED^NAME"


def signed_permutations() -> list[np.ndarray]:
    """All 48 axis orders and flips as 3 x 3 matrices."""
    found = []
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        matrix = np.zeros((3, 3))
        for axis in range(3):
            matrix[order[axis], axis] = signs[axis]
        found.append(matrix)
    return found


def make_dicom(array: np.ndarray, **elements: Any) -> FileDataset:
    """A DICOM object around an unsigned or signed 8- or 16-bit array ``h w`` (grey) or ``h w 3``."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = elements.get("SOPClassUID", CTImageStorage)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = elements.pop("syntax", ExplicitVRLittleEndian)
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = meta.MediaStorageSOPClassUID
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.PatientName = SECRET
    ds.PatientID = SECRET
    ds.Modality = "CT"
    ds.SeriesInstanceUID = "1.2.3.4"
    ds.StudyDescription = SECRET
    ds.Rows, ds.Columns = array.shape[:2]
    ds.SamplesPerPixel = 3 if array.ndim == 3 else 1
    ds.PhotometricInterpretation = "RGB" if array.ndim == 3 else "MONOCHROME2"
    if array.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = ds.BitsStored = 8 * array.dtype.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(array.dtype.kind == "i")
    ds.PixelData = array.tobytes() + b"\0" * (array.nbytes % 2)
    for name, value in elements.items():
        setattr(ds, name, value)
    return ds


def make_series(volume: np.ndarray, affine_ras: np.ndarray, folder: Path, seed: int = 0) -> None:
    """Write a volume (slice, row, column) as DICOM slices with shuffled names and no ending."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine_ras
    down, along = lps[:3, 1], lps[:3, 2]
    spacing = [float(np.linalg.norm(down)), float(np.linalg.norm(along))]
    names = np.random.default_rng(seed).permutation(len(volume))
    for index, (name, plane) in enumerate(zip(names, volume, strict=True)):
        position = lps[:3, 3] + index * lps[:3, 0]
        ds = make_dicom(
            plane.astype(np.int16),
            ImagePositionPatient=[round(float(v), 6) for v in position],
            ImageOrientationPatient=[round(float(v), 9) for v in (*along / spacing[1], *down / spacing[0])],
            PixelSpacing=[round(v, 6) for v in spacing],
            SliceThickness=1,
            InstanceNumber=int(name),
        )
        ds.save_as(folder / f"{name:04d}")


@pytest.fixture(name="dicom")
def _dicom() -> Callable[..., FileDataset]:
    return make_dicom


@pytest.fixture(name="series")
def _series() -> Callable[..., None]:
    return make_series


@pytest.fixture(params=range(48), ids=lambda i: f"orientation{i}")
def orientation(request: pytest.FixtureRequest) -> np.ndarray:
    """One of the 48 signed permutations."""
    return signed_permutations()[request.param]


@pytest.fixture
def secret() -> str:
    """What is planted in every made header and may appear in no message."""
    return SECRET
