"""Made DICOM images that are whole (every id and module), and the readers that others wrote."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    generate_uid,
)

from medsegr.io.segments import Maker, Segment
from medsegr.measure import axes_of, measure
from medsegr.types import Code, Image

NAME, ID = "Planted^Name", "PLANTED-ID-4711"
PLANTED = ("Planted", "PLANTED", "ID-4711", "2.25.4711", "19450612", "Geheim")  # of the headers below
MAKER = Maker("medsegr", "0.1", "medsegr-tiny", "ab" * 32, "Not a medical device. For research.")
LESION = Code("SCT", "52988006", "Lesion")
ABNORMAL = Code("SCT", "49755003", "Morphologically Abnormal Structure")
LUNG, LEFT = Code("SCT", "39607008", "Lung"), Code("SCT", "7771000", "Left")


def whole(array: np.ndarray, **elements: Any) -> FileDataset:
    """An object with a patient, a study and 16-bit pixels ``h w``."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = elements["SOPClassUID"]
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = NAME, ID, "19450612", "O"
    ds.StudyID, ds.AccessionNumber, ds.StudyDate, ds.StudyTime = "1", "Geheim 1", "20200102", "101112"
    ds.ReferringPhysicianName, ds.StudyDescription = "Geheim^Doc", "Geheim"
    ds.StudyInstanceUID = "2.25.4711001"
    ds.Rows, ds.Columns = array.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    ds.PixelData = np.ascontiguousarray(array, np.int16).tobytes()
    for name, value in elements.items():
        setattr(ds, name, value)
    return ds


def write_ct(folder: Path, volume: np.ndarray, affine: np.ndarray, seed: int = 0) -> Path:
    """A volume (slice, row, column), RAS+ affine, as CT slices with shuffled names and instance numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    steps = np.linalg.norm(lps[:3, :3], axis=0)
    names = np.random.default_rng(seed).permutation(len(volume))
    series, frame = generate_uid(), generate_uid()
    for index, (name, plane) in enumerate(zip(names, volume, strict=True)):
        position = lps[:3, 3] + index * lps[:3, 0]
        ds = whole(
            plane,
            SOPClassUID=CTImageStorage,
            Modality="CT",
            SeriesInstanceUID=series,
            FrameOfReferenceUID=frame,
            PositionReferenceIndicator="",
            ImagePositionPatient=[round(float(v), 6) for v in position],
            ImageOrientationPatient=[
                round(float(v), 9) for v in (*lps[:3, 2] / steps[2], *lps[:3, 1] / steps[1])
            ],
            PixelSpacing=[round(float(steps[1]), 6), round(float(steps[2]), 6)],
            SliceThickness=round(float(steps[0]), 6),
            RescaleSlope=1,
            RescaleIntercept=0,
            InstanceNumber=int(name) + 1,
        )
        ds.save_as(folder / f"IM{name:04d}", enforce_file_format=True)
    return folder


def write_dx(path: Path, array: np.ndarray, **elements: Any) -> Path:
    """A frontal chest X-ray: no frame of reference, detector spacing 0.2 mm."""
    told = {
        "SOPClassUID": DigitalXRayImageStorageForPresentation,
        "Modality": "DX",
        "SeriesInstanceUID": "2.25.4711002",
        "PatientOrientation": ["L", "F"],
        "ViewPosition": "PA",
        "ImageLaterality": "U",
        "PixelSpacing": [0.2, 0.2],
        **elements,
    }
    whole(array, **told).save_as(path, enforce_file_format=True)
    return path


def segment(number: int, mask: np.ndarray | None, image: Image | None = None, **more: Any) -> Segment:
    """A coded segment; measured where the image comes along."""
    made = Segment(
        id=f"f{number}",
        uid=f"2.25.{4000 + number}",
        name=f"thing {number}",
        category=ABNORMAL,
        kind=LESION,
        colour=(86, 180, 233),
        presence="present",
        mask=mask,
        site=LUNG,
        side=LEFT,
    )
    if image is not None and mask is not None and mask.any():
        made = replace(
            made,
            measurements=measure(image, mask),
            ends=None if image.spacing is None else axes_of(image, mask).ends,
        )
    return replace(made, **more)


def dciodvfy(path: Path) -> list[str]:
    """Lines with an error that the validator of dicom3tools finds in a DICOM object."""
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is not here: install dicom3tools")
    done = subprocess.run([tool, str(path)], capture_output=True, text=True, errors="replace", check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]


def dcmqi(path: Path, folder: Path) -> list[tuple[dict[str, Any], Any]]:
    """(what is told of it, SimpleITK image) of every segment, as dcmqi reads a DICOM SEG."""
    import SimpleITK as sitk

    beside = Path(sys.executable).parent / "segimage2itkimage"
    tool = str(beside) if beside.exists() else shutil.which("segimage2itkimage")
    if tool is None:
        pytest.skip("segimage2itkimage is not here: install dcmqi")
    folder.mkdir()
    words = [tool, "--inputDICOM", str(path), "--outputDirectory", str(folder), "--outputType", "nrrd"]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stderr[-500:]
    told = json.loads((folder / "meta.json").read_text())["segmentAttributes"]
    names = sorted(folder.glob("*.nrrd"), key=lambda p: int(p.stem))
    flat = [item for group in told for item in group]
    return list(zip(flat, [sitk.ReadImage(str(name)) for name in names], strict=False))
