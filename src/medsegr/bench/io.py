"""Seconds and memory of reading and writing medical files on this machine, beside SimpleITK and dcm2niix, and
of refusing bombs: ``make bench-io``.

The series is made here: 300 slices of 512 x 512 with signed 16-bit values, shuffled file names. Every reader
runs in a process of its own, so that its peak memory is its own; its seconds leave the start of Python out
(dcm2niix is a program and is timed as a whole, with the writing of its NIfTI).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from medsegr.bench import io_bombs, io_write
from medsegr.bench.speed import Row, show

SLICES, FEWER, SIDE = 300, 60, 512
SECONDS, TIMES = 6.0, 3.0  # what reading may take: seconds, peak in volumes of float32
REPEATS = 3
OURS = """
from medsegr.io.read import read_image
got = read_image(sys.argv[1]).data.shape[1:]
"""
ITK = """
import SimpleITK as sitk
reader = sitk.ImageSeriesReader()
reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(sys.argv[1]))
got = reader.Execute().GetSize()[::-1]
"""
AROUND = """
import json, sys, time
import {first}
from medsegr.bench.clock import memory, processors
work, start = processors(), time.perf_counter()
{code}
seconds, work = time.perf_counter() - start, processors() - work
print(json.dumps([seconds, memory(), list(got), work]))
"""


@contextmanager
def series(slices: int = SLICES, side: int = SIDE, compressed: bool = False) -> Iterator[Path]:
    """A made CT series in a folder of its own; ``compressed``: JPEG 2000, lossless."""
    with tempfile.TemporaryDirectory(prefix="medsegr-bench-") as name:
        folder = Path(name) / "ct"
        folder.mkdir()
        write_series(folder, slices, side, compressed)
        yield folder


def write_series(folder: Path, slices: int, side: int, compressed: bool = False) -> None:
    """Write the slices of a made body: smooth shapes and noise, so that compression has its usual work."""
    from pydicom.pixels.utils import compress
    from pydicom.uid import JPEG2000Lossless

    rng = np.random.default_rng(0)
    names = rng.permutation(slices)
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    noise = rng.normal(0, 12, (side, side)).astype(np.float32)
    for index, label in enumerate(names):
        body = (rows**2 / 0.5 + columns**2 / 0.8 < 1) * (1040.0 + 60 * np.sin(index / 20 + 6 * columns))
        values = (body - 1024 + np.roll(noise, index, axis=0)).astype(np.int16)
        ds = _slice(values, 0.7, index * 1.25)
        if compressed:
            compress(ds, JPEG2000Lossless)
        ds.save_as(folder / f"{label:04d}")


def _slice(values: np.ndarray, spacing: float, height: float):  # type: ignore[no-untyped-def]
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.3", "1.2.3.4", "1.2.3.5"
    ds.Modality, ds.PatientID, ds.SeriesNumber = "CT", "made", 1
    ds.InstanceNumber = round(height * 100) + 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-180, -180, height], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = [spacing, spacing], 1.25
    ds.Rows, ds.Columns, ds.SamplesPerPixel = *values.shape, 1
    ds.PhotometricInterpretation, ds.PixelRepresentation = "MONOCHROME2", 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.RescaleSlope, ds.RescaleIntercept = 1, 0
    ds.PixelData = values.tobytes()
    return ds


def child(code: str, folder: Path, first: str) -> tuple[float, float, tuple[int, ...], float]:
    """Median seconds, peak bytes, the shape that a reader gave, and least processor's seconds (of it and its
    children: what it takes where nobody else works), in processes of its own."""
    found = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-c", AROUND.format(first=first, code=code.strip()), str(folder)],
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(json.loads(done.stdout))
    found.sort()
    return (
        found[REPEATS // 2][0],
        max(one[1] for one in found),
        tuple(found[0][2]),
        min(one[3] for one in found),
    )


def reading(folder: Path, kind: str, target: float | None) -> Iterator[Row]:
    """Our reader and its peers over one folder."""
    seconds, peak, shape, work = child(OURS, folder, "medsegr.io.read")
    volume = 4.0 * np.prod(shape, dtype=float)
    told = "" if target is None else f"<= {target:g}"
    yield f"read and sort {shape[0]} slices, {kind}", seconds, told
    yield "  its processor's seconds", work, ""
    yield "  its peak memory, in volumes of float32", peak / volume, f"<= {TIMES:g}"
    seconds, peak, other, work = child(ITK, folder, "SimpleITK")
    if other != shape:
        raise RuntimeError(f"SimpleITK read {other} where we read {shape}")
    yield "  peer: SimpleITK (GDCM), values left in 16 bits", seconds, ""
    yield "  its processor's seconds", work, ""
    yield "  its peak memory, in volumes of float32", peak / volume, ""
    seconds_or_none = dcm2niix(folder)
    if seconds_or_none is not None:
        yield "  peer: dcm2niix, with the writing of its NIfTI", seconds_or_none, ""


def dcm2niix(folder: Path) -> float | None:
    """Median seconds of dcm2niix over a folder; None where it is not installed."""
    program = shutil.which("dcm2niix") or shutil.which("dcm2niix", path=str(Path(sys.executable).parent))
    if program is None:
        return None
    found = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as out:
            start = time.perf_counter()
            subprocess.run([program, "-z", "n", "-o", out, str(folder)], capture_output=True, check=True)
            found.append(time.perf_counter() - start)
    return sorted(found)[REPEATS // 2]


def main() -> int:
    """Print the table."""
    print(f"{os.cpu_count()} processors; seconds, medians of {REPEATS}; targets are for two cores")
    with series() as folder:
        show(reading(folder, "uncompressed", SECONDS))
    with series(FEWER, compressed=True) as folder:
        show(reading(folder, "JPEG 2000 lossless", None))
    show(io_bombs.rows())
    io_write.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
