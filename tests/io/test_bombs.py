"""Files that promise or grow to far more than they are: refused with the limit named, cheaply.

They are read in one process of their own, so that its peak memory is that of the worst of them.
"""

import functools
import gzip
import io
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import PngImagePlugin
from pydicom.pixels import compress
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

Make = Callable[..., Any]
MB = 10**6
READ = """
import json, resource, sys, time
import nibabel, pydicom, SimpleITK, PIL.Image, scipy.ndimage
from medsegr.bench.clock import memory
from medsegr.errors import MedsegrError
from medsegr.io.read import read_image
unit = 1 if sys.platform == "darwin" else 1024
before = memory()
for path in sys.argv[1:]:
    start, said = time.perf_counter(), ""
    try:
        read_image(path)
    except MedsegrError as error:
        said = str(error)
    seconds = time.perf_counter() - start
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    print(json.dumps([path, said, seconds, memory() - before, child]), flush=True)
"""


@functools.cache
def zeros() -> bytes:
    """A raw deflate stream of 400 MB of zeros: what most bombs are filled with."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return b"".join(packer.compress(bytes(10 * MB)) for _ in range(40)) + packer.flush()


def zeros_gz(head: bytes = b"") -> bytes:
    """Gzip of ``head`` and the zeros, with a wrong checksum: nobody should get as far."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + start + zeros() + bytes(8)


def nifti_head(shape: tuple[int, ...]) -> bytes:
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header["dim"][: len(shape) + 1] = (len(shape), *shape)
    header["magic"], header["vox_offset"] = b"n+1", 352
    header["srow_x"][0] = header["srow_y"][1] = header["srow_z"][2] = header["sform_code"] = 1
    return header.binaryblock + bytes(4)


def nrrd(sizes: str, encoding: str, body: bytes) -> bytes:
    head = f"NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: {sizes}\n"
    axes = "space directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\nendian: little\n"
    return f"{head}{axes}encoding: {encoding}\nspace origin: (0,0,0)\n\n".encode() + body


def mha(sizes: str, body: bytes) -> bytes:
    head = f"ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = {sizes}\n"
    more = f"BinaryDataByteOrderMSB = False\nCompressedData = True\nCompressedDataSize = {len(body)}\n"
    return (head + more + "ElementType = MET_SHORT\nElementDataFile = LOCAL\n").encode() + body


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def pictures() -> dict[str, tuple[bytes, str]]:
    blank = io.BytesIO()
    Pillow.new("L", (9500, 9500)).save(blank, "PNG")
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * (30 * MB), zip=True)
    worded = io.BytesIO()
    Pillow.new("L", (9, 9)).save(worded, "PNG", pnginfo=text)
    tiff = io.BytesIO()
    Pillow.new("L", (9500, 9500)).save(tiff, "TIFF", compression="tiff_deflate")
    bmp = io.BytesIO()
    Pillow.new("L", (9, 9)).save(bmp, "BMP")
    wide = bytearray(bmp.getvalue())
    wide[18:26] = struct.pack("<ii", 60_000, 60_000)
    return {
        "wide.png": (png_header(60_000, 60_000), "pixels"),
        "blank.png": (blank.getvalue(), "ratio"),
        "words.png": (worded.getvalue(), "decoded|"),
        "blank.tif": (tiff.getvalue(), "ratio"),
        "wide.bmp": (bytes(wide), "pixels"),
    }


def volumes() -> dict[str, tuple[bytes, str]]:
    small, large = b"\x78\x01" + zeros() + bytes(4), "700 700 600"
    return {
        "header.nii.gz": (gzip.compress(nifti_head((30_000, 30_000, 30))), "pixels"),
        "honest.nii.gz": (zeros_gz(nifti_head((500, 500, 800))), "ratio"),
        "longer.nii.gz": (zeros_gz(nifti_head((4, 4, 4))), ""),
        "four.nii.gz": (gzip.compress(nifti_head((30_000, 30_000, 300, 300))), "axes"),
        "raw.nii": (nifti_head((400, 400, 400)), "truncated"),
        "honest.nrrd": (nrrd(large, "gzip", gzip.compress(bytes(MB))), "ratio"),
        "longer.nrrd": (nrrd("4 4 4", "gzip", zeros_gz()), ""),
        "raw.nrrd": (nrrd("20000 20000 2000", "raw", b""), "pixels"),
        "honest.mha": (mha(large, small), "ratio"),
        "longer.mha": (mha("4 4 4", small), ""),
    }


def zips(folder: Path) -> dict[str, str]:
    with (
        zipfile.ZipFile(folder / "big.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a", "w") as file,
    ):
        for _ in range(15):
            file.write(bytes(10 * MB))
    with zipfile.ZipFile(folder / "many.zip", "w") as archive:
        for index in range(20_001):
            archive.writestr(str(index), b"")
    data = bytearray((folder / "big.zip").read_bytes())
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # the told size: 1 byte
        at = data.index(mark) + offset
        data[at : at + 4] = struct.pack("<I", 1)
    (folder / "lying.zip").write_bytes(data)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.write(folder / "big.zip", "a.zip")
    (folder / "nested.zip").write_bytes(inner.getvalue())
    return {"big.zip": "ratio", "many.zip": "zip members", "lying.zip": "", "nested.zip": "zip inside a zip"}


def dicoms(folder: Path, dicom: Make) -> dict[str, str]:
    grey = np.zeros((64, 64), np.uint16)
    dicom(grey, NumberOfFrames=2_000_000_000).save_as(folder / "frames.dcm")
    dicom(grey, Rows=60_000, Columns=60_000).save_as(folder / "wide.dcm")
    for name, syntax in (("rle.dcm", RLELossless), ("j2k.dcm", JPEG2000Lossless)):
        ds = dicom(grey)
        compress(ds, syntax)
        ds.NumberOfFrames = 15_000  # 123 MB out of a few bytes
        ds.save_as(folder / name)
    ds = dicom(grey)
    compress(ds, JPEG2000Lossless)
    at = ds.PixelData.index(b"\xff\x4f\xff\x51") + 8
    ds.PixelData = ds.PixelData[:at] + struct.pack(">II", 60_000, 60_000) + ds.PixelData[at + 8 :]
    ds.save_as(folder / "stream.dcm")
    dicom(grey, syntax=DeflatedExplicitVRLittleEndian).save_as(
        folder / "deflated.dcm", enforce_file_format=True
    )
    data = (folder / "deflated.dcm").read_bytes()
    body = zeros()
    (folder / "deflated.dcm").write_bytes(data[: 144 + int.from_bytes(data[140:144], "little")] + body)
    dicom(grey, syntax=DeflatedExplicitVRLittleEndian).save_as(folder / "slow.dcm", enforce_file_format=True)
    whole = (folder / "slow.dcm").read_bytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(bytes(20 * MB)) + packer.flush()  # millions of elements without a name
    (folder / "slow.dcm").write_bytes(whole[: 144 + int.from_bytes(whole[140:144], "little")] + body)
    bare = dicom(grey, syntax=ImplicitVRLittleEndian)
    bare.save_as(folder / "items.dcm")
    start = (folder / "items.dcm").read_bytes()[: -grey.nbytes - 8]
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * (2 * MB)
    told = struct.pack("<HHI", 0x5200, 0x9230, len(items))  # per-frame functional groups, of told length
    (folder / "items.dcm").write_bytes(start + told + items)
    told = struct.pack("<HHI", 0x5200, 0x9230, 0xFFFFFFFF)
    (folder / "endless.dcm").write_bytes(start + told + items)
    return {
        "slow.dcm": "elements",
        "items.dcm": "elements",
        "endless.dcm": "elements",
        "frames.dcm": "frames",
        "wide.dcm": "pixels",
        "rle.dcm": "ratio|frames came",
        "j2k.dcm": "ratio|frames came",
        "stream.dcm": "60000 x 60000",
        "deflated.dcm": "ratio",
    }


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, list[Any]]]:
    """What each bomb must be refused for (empty: it may be read), and what reading it gave."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("io_files", Path(__file__).parent / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    files = module_from_spec(spec)
    spec.loader.exec_module(files)
    folder = tmp_path_factory.mktemp("bombs")
    wanted = {**zips(folder), **dicoms(folder, files.make_dicom)}
    for name, (data, word) in {**pictures(), **volumes()}.items():
        (folder / name).write_bytes(data)
        wanted[name] = word
    done = subprocess.run(
        [sys.executable, "-c", READ, *(str(folder / name) for name in wanted)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return wanted, {Path(row[0]).name: row[1:] for row in rows}


def test_every_bomb_is_refused_for_what_it_is(
    bombs: tuple[dict[str, str], dict[str, list[Any]]], subtests: Any
) -> None:
    import re

    wanted, found = bombs
    assert set(found) == set(wanted)
    for name, word in wanted.items():
        with subtests.test(name):
            assert "\n" not in found[name][0]
            if word:
                assert re.search(word, found[name][0]), found[name]


def test_no_bomb_costs_300_megabytes(bombs: tuple[dict[str, str], dict[str, list[Any]]]) -> None:
    rows = bombs[1]
    assert max(row[2] for row in rows.values()) < 300 * MB, {n: r[2] // MB for n, r in rows.items()}
    assert max(row[3] for row in rows.values()) < 400 * MB  # a decoding child with its libraries


def test_no_bomb_holds_the_reader_up(bombs: tuple[dict[str, str], dict[str, list[Any]]]) -> None:
    """Two seconds on a quiet machine; the test allows for a busy one."""
    rows = bombs[1]
    assert max(row[1] for row in rows.values()) < 20, {n: round(r[1], 2) for n, r in rows.items()}


def test_refusals_by_a_limit_name_the_flag(bombs: tuple[dict[str, str], dict[str, list[Any]]]) -> None:
    for name, (said, *_) in bombs[1].items():
        if re_limit(said):
            assert "--limits " in said, name


def re_limit(said: str) -> bool:
    return "are allowed" in said
