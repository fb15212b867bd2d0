"""What a bomb costs: small files that grow to hundreds of megabytes, or whose header promises it.

``python -m medsegr.bench.io_bombs`` prints, for each kind, the seconds until it is refused (best of several,
in a process of its own, without the start of Python and its imports), the processor's seconds, and the memory
that the process grew by. ``make bench-io`` prints it beside the reading. Asked are 2 s and 300 MB.
"""

import gzip
import json
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from medsegr.bench.speed import Row, show

MB = 10**6
SECONDS, MEGABYTES = 2.0, 300.0
REPEATS, GROWN = 3, 400
READ = """
import json, sys, time
import medsegr.io.read, medsegr.io.dicom, medsegr.io.nifti
from medsegr.bench.clock import memory, processors
from medsegr.errors import InputError
before, work, start, refused = memory(), processors(), time.perf_counter(), False
try:
    medsegr.io.read.read_image(sys.argv[1])
except InputError:
    refused = True
print(json.dumps([time.perf_counter() - start, processors() - work, memory() - before, refused]))
"""


def zeros(megabytes: int) -> bytes:
    """A raw deflate stream of so many megabytes of zeros, a two-hundredth of their size or less."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return b"".join(packer.compress(bytes(MB)) for _ in range(megabytes)) + packer.flush()


def write_bombs(folder: Path, megabytes: int = GROWN) -> dict[str, Path]:
    """One file of each kind; the deflated ones grow to ``megabytes``."""
    from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

    body = zeros(megabytes)
    head = _nifti_head((1000, 1000, megabytes // 2))
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    (folder / "bomb.nii.gz").write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + start + body + bytes(8))
    with (
        zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a", "w") as file,
    ):
        for _ in range(megabytes):
            file.write(bytes(MB))
    _dicom(folder / "deflated.dcm", DeflatedExplicitVRLittleEndian, b"")
    data = (folder / "deflated.dcm").read_bytes()
    meta = 144 + int.from_bytes(data[140:144], "little")
    (folder / "deflated.dcm").write_bytes(data[:meta] + body)
    (folder / "elements.dcm").write_bytes(data[:meta] + zeros(20))  # millions of elements without a name
    _dicom(folder / "frames.dcm", RLELossless, b"\0" * 64, frames=15_000)
    (folder / "head.nii.gz").write_bytes(gzip.compress(_nifti_head((30_000, 30_000, 30))))
    return {
        f"zip that grows to {megabytes} MB": folder / "bomb.zip",
        f"NIfTI (gz) that grows to {megabytes} MB": folder / "bomb.nii.gz",
        "NIfTI (gz) whose header promises 54 GB": folder / "head.nii.gz",
        f"deflated DICOM that grows to {megabytes} MB": folder / "deflated.dcm",
        "DICOM of 2,500,000 elements in its header": folder / "elements.dcm",
        "DICOM of 15,000 compressed frames in 64 bytes": folder / "frames.dcm",
    }


def _nifti_head(shape: tuple[int, int, int]) -> bytes:
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, *shape, 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, 4, 16)  # int16
    struct.pack_into("<8f", head, 76, *([1.0] * 8))
    struct.pack_into("<2f", head, 108, 352.0, 1.0)
    head[344:348] = b"n+1\0"
    return bytes(head)


def _dicom(path: Path, syntax: str, pixels: bytes, frames: int = 1) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, CTImageStorage, generate_uid

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = CTImageStorage, generate_uid(), "CT"
    ds.Rows = ds.Columns = 64
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.NumberOfFrames = 15, frames
    ds.PixelData = encapsulate([pixels]) if pixels else np.zeros((64, 64), np.uint16).tobytes()
    ds["PixelData"].VR = "OB" if pixels else "OW"
    ds.save_as(path, enforce_file_format=True)


def costs(path: Path) -> tuple[float, float, float]:
    """Least seconds, processor's seconds and bytes over several processes; RuntimeError where it is read."""
    found = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True
        )
        *numbers, refused = json.loads(done.stdout)
        if not refused:
            raise RuntimeError("a bomb was read as an image")
        found.append(numbers)
    seconds, work, memory = (min(column) for column in zip(*found, strict=True))
    return seconds, work, memory


def rows(megabytes: int = GROWN) -> Iterator[Row]:
    """Seconds and megabytes of every kind."""
    with tempfile.TemporaryDirectory(prefix="medsegr-bench-") as name:
        for what, path in write_bombs(Path(name), megabytes).items():
            seconds, work, memory = costs(path)
            yield f"refuse a {what}", seconds, f"<= {SECONDS:g}"
            yield "  its processor's seconds", work, ""
            yield "  memory that it takes, MB", memory / MB, f"<= {MEGABYTES:g}"


def main() -> None:
    """Print the rows."""
    show(rows())


if __name__ == "__main__":
    main()
