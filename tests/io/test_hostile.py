"""Damaged and invented files: each ends in an image or in one line of our own, never in another error, a
crash, a hang or half an output.
"""

import gzip
import io
import json
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from pydicom.pixels import compress
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from medsegr.cli.main import main
from medsegr.errors import InputError
from medsegr.io.limits import Limits
from medsegr.io.read import read_image

Make = Callable[..., Any]
MUTANTS = 500
SMALL = Limits(pixels=4_000_000, voxels=4_000_000, inflated_bytes=64_000_000, decode_seconds=20)
PLACE = {
    "ImagePositionPatient": [-10, -20, 30],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "PixelSpacing": [0.5, 0.75],
}
FUZZ = """
import faulthandler, json, sys, time
from pathlib import Path
import numpy as np
from medsegr.errors import MedsegrError
from medsegr.io.limits import Limits
from medsegr.io.read import read_image

folder, count, budget = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
limits = Limits(pixels=4_000_000, voxels=4_000_000, inflated_bytes=64_000_000, decode_seconds=20)
faulthandler.dump_traceback_later(60, exit=True)
rng = np.random.default_rng(1)
seeds = sorted(folder.glob("seed*"))
target = folder / "mutant"
end = time.monotonic() + budget
done = {"image": 0, "refused": 0, "slowest": 0.0}

def mutate(data):
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(0, len(data)) if rng.random() < 0.4 else rng.integers(0, min(len(data), 400)))
        how = int(rng.integers(0, 5))
        if how == 0:
            data[at] = int(rng.integers(0, 256))
        elif how == 1:
            data[at : at + 4] = int(rng.choice([0, 1, 2**16 - 1, 2**31 - 1, 2**32 - 1])).to_bytes(4, "little")
        elif how == 2:
            del data[at : at + int(rng.integers(1, 64))]
        elif how == 3:
            data[at:at] = rng.bytes(int(rng.integers(1, 32)))
        else:
            del data[max(at, 1) :]
        if not data:
            data = bytearray(b"x")
    return bytes(data)

for number in range(count):
    slow = number % 40 == 39  # compressed frames start a process of their own
    kinds = [s for s in seeds if ("slow" in s.name) == slow]
    seed = kinds[int(rng.integers(0, len(kinds)))]
    (folder / "now").write_text(f"{number} {seed.name}")
    target.write_bytes(mutate(seed.read_bytes()))
    start = time.monotonic()
    try:
        image = read_image(target, limits=limits)
        assert np.isfinite(image.data).all() and image.data.dtype == np.float32
        done["image"] += 1
    except MedsegrError as error:
        assert "\\n" not in str(error) and str(folder) not in str(error), str(error)
        done["refused"] += 1
    done["slowest"] = max(done["slowest"], time.monotonic() - start)
    if time.monotonic() > end:
        break
print(json.dumps(done))
"""


def picture(kind: str) -> bytes:
    out = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    Pillow.fromarray(values).save(out, kind)
    return out.getvalue()


def saved(ds: Any, path: Path, **how: Any) -> bytes:
    ds.save_as(path, **how)
    return path.read_bytes()


def seeds(folder: Path, dicom: Make) -> dict[str, bytes]:
    """A small good file of every kind; those with "slow" in their names are decoded in a child process."""
    volume = np.random.default_rng(0).integers(0, 900, (6, 5, 4)).astype(np.int16)
    nifti = nib.Nifti1Image(volume, np.diag([2.0, 3, 4, 1]))
    found = {kind: picture(kind) for kind in ("PNG", "JPEG", "TIFF", "BMP")}
    found["nii1"] = nifti.to_bytes()
    found["nii2"] = nib.Nifti2Image(volume, np.eye(4)).to_bytes()
    found["gz"] = gzip.compress(nifti.to_bytes())
    for ending in ("nrrd", "mha"):
        sitk.WriteImage(sitk.GetImageFromArray(volume), str(folder / f"a.{ending}"), useCompression=True)
        found[ending] = (folder / f"a.{ending}").read_bytes()
    plane = volume[0].astype(np.uint16)
    found["dicom"] = saved(dicom(plane, **PLACE), folder / "d")
    found["colour"] = saved(dicom(np.zeros((4, 4, 3), np.uint8), Modality="US"), folder / "d")
    deflated = dicom(plane, syntax=DeflatedExplicitVRLittleEndian)
    found["deflated"] = saved(deflated, folder / "d", enforce_file_format=True)
    for name, syntax in (("slow-rle", RLELossless), ("slow-j2k", JPEG2000Lossless)):
        ds = dicom(np.tile(plane, (8, 8)), **PLACE)
        compress(ds, syntax)
        found[name] = saved(ds, folder / "d")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", found["dicom"])
        archive.writestr("b", found["nii1"])
    found["zip"] = packed.getvalue()
    return found


def test_mutated_files_end_in_an_image_or_one_line(tmp_path: Path, dicom: Make) -> None:
    for number, (kind, data) in enumerate(seeds(tmp_path, dicom).items()):
        (tmp_path / f"seed{number:02d}-{kind}").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, str(tmp_path), str(MUTANTS), "40"],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    where = (tmp_path / "now").read_text() if (tmp_path / "now").exists() else "before the first"
    assert done.returncode == 0, f"mutant {where}: {done.stderr[-1500:]}"
    told = json.loads(done.stdout)
    assert told["refused"] > 0
    assert told["image"] > 0
    assert told["slowest"] < 25


@pytest.mark.parametrize("cut", [0.2, 0.6, 0.97])
def test_a_damaged_input_leaves_no_output(tmp_path: Path, dicom: Make, cut: float) -> None:
    (tmp_path / "made").mkdir()
    for kind, data in seeds(tmp_path / "made", dicom).items():
        if "slow" in kind:
            continue
        source, out = tmp_path / "input", tmp_path / f"out-{kind}"
        source.write_bytes(data[: max(1, int(len(data) * cut))])
        code = main(
            ["segment", "-i", str(source), "-p", "mass", "--model", "threshold", "-o", str(out), "-q"]
        )
        assert code in (0, 3), kind
        assert out.is_dir() == (code == 0), kind
        assert not list(tmp_path.glob(".part-*")), kind


numbers = st.one_of(st.integers(-5, 70_000), st.sampled_from([-(2**31), 2**31 - 1, 2**63]))
reals = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_invented_dicom_headers_end_in_an_image_or_one_line(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, dicom: Make
) -> None:
    plane = np.arange(48, dtype=np.uint16).reshape(8, 6)
    ds = dicom(plane, **PLACE)
    small = st.integers(0, 65535)
    text = st.text("0123456789.-eE+ ", max_size=12)
    changes = {
        "Rows": small,
        "Columns": small,
        "BitsAllocated": st.sampled_from([0, 1, 7, 8, 12, 16, 32, 64]),
        "BitsStored": st.integers(0, 64),
        "HighBit": st.integers(0, 64),
        "SamplesPerPixel": st.integers(0, 4),
        "PixelRepresentation": st.integers(0, 3),
        "PlanarConfiguration": st.integers(0, 3),
        "PhotometricInterpretation": st.sampled_from(
            ["", "X", "RGB", "MONOCHROME1", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "ARGB"]
        ),
        "RescaleSlope": text,
        "RescaleIntercept": text,
        "WindowWidth": text,
        "WindowCenter": text,
        "NumberOfFrames": text,
        "PixelSpacing": st.lists(text, min_size=0, max_size=3),
        "ImagePositionPatient": st.lists(text, min_size=0, max_size=4),
        "ImageOrientationPatient": st.lists(text, min_size=0, max_size=7),
        "PixelPaddingValue": small,
        "PatientOrientation": st.lists(st.text("LRAPHFX", max_size=3), max_size=3),
        "ImagerPixelSpacing": st.lists(text, min_size=0, max_size=3),
        "SeriesNumber": text,
        "ImageType": st.lists(st.text("ABLOCIZER", max_size=9), max_size=3),
        "Modality": st.text("CTMRUSXA ", max_size=4),
    }
    names = data.draw(st.lists(st.sampled_from(sorted(changes)), min_size=1, max_size=5, unique=True))
    for name in names:
        element = data.draw(changes[name], label=name)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                setattr(ds, name, element)
        except (ValueError, TypeError, OverflowError):  # pydicom would not write it
            continue
    path = tmp_path_factory.mktemp("h") / "planted"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds.save_as(path)
    except Exception:  # pydicom would not write it
        return
    ends_well(path)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_invented_nifti_headers_end_in_an_image_or_one_line(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    header = bytearray(nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4)).to_bytes())
    view = np.frombuffer(bytes(header[:348]), nib.Nifti1Header.template_dtype).copy()
    fields = ["dim", "datatype", "bitpix", "pixdim", "vox_offset", "scl_slope", "scl_inter", "qform_code"]
    fields += ["sform_code", "quatern_b", "qoffset_x", "srow_x", "srow_y", "xyzt_units", "magic"]
    for name in data.draw(st.lists(st.sampled_from(fields), min_size=1, max_size=4, unique=True)):
        kind = view.dtype[name].base
        shape = view.dtype[name].shape
        count = int(np.prod(shape)) if shape else 1
        if kind.kind == "S":
            view[name] = data.draw(st.binary(max_size=4), label=name)
            continue
        info = np.iinfo(kind) if kind.kind in "iu" else None
        one = st.integers(int(info.min), int(info.max)) if info else st.floats(width=32)
        values = data.draw(st.lists(one, min_size=count, max_size=count), label=name)
        view[name] = np.array(values, kind).reshape(shape) if shape else np.array(values, kind)
    header[:348] = view.tobytes()
    path = tmp_path_factory.mktemp("h") / "planted.nii"
    path.write_bytes(bytes(header))
    ends_well(path)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_invented_nrrd_headers_end_in_an_image_or_one_line(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = {
        "type": st.sampled_from(["short", "uchar", "float", "block", "what"]),
        "dimension": st.integers(-1, 17),
        "sizes": st.lists(st.integers(-1, 99999), max_size=5).map(lambda v: " ".join(map(str, v))),
        "encoding": st.sampled_from(["raw", "gzip", "hex", "text", "bzip2", "x"]),
        "space": st.sampled_from(["left-posterior-superior", "RAS", "scanner-xyz", "x"]),
        "space directions": st.sampled_from(
            ["(1,0,0) (0,1,0) (0,0,1)", "(0,0,0) (0,1,0) (0,0,1)", "none", "x"]
        ),
        "space origin": st.sampled_from(["(0,0,0)", "(nan,0,0)", "()"]),
        "endian": st.sampled_from(["little", "big", "x"]),
        "data file": st.sampled_from(["x.raw", "../x", "/etc/hostname", "LIST", "%d.raw 1 2 1"]),
        "line skip": st.integers(-2, 5),
        "byte skip": st.integers(-2, 5),
    }
    told = {"type": "short", "dimension": 3, "sizes": "2 3 4", "encoding": "raw", "endian": "little"}
    for name in data.draw(st.lists(st.sampled_from(sorted(lines)), max_size=4, unique=True)):
        told[name] = data.draw(lines[name], label=name)
    head = "NRRD0005\n" + "".join(f"{name}: {value}\n" for name, value in told.items()) + "\n"
    path = tmp_path_factory.mktemp("h") / "planted.nrrd"
    path.write_bytes(head.encode() + np.arange(24, dtype=np.int16).tobytes())
    ends_well(path)


def ends_well(path: Path) -> None:
    """An image of finite numbers, or one line that does not name the file; anything else is raised."""
    said = ""
    try:
        image = read_image(path, limits=SMALL)
        assert np.isfinite(image.data).all()
        assert image.affine is None or np.isfinite(image.affine).all()
    except InputError as error:
        said = str(error)
    assert "\n" not in said
    assert path.name not in said
