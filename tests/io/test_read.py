import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Pillow

from medsegr.errors import GeometryError, InputError, UsageError
from medsegr.io.limits import Limits
from medsegr.io.read import image_from_array, kind_of, read_image

GREY = np.random.default_rng(8).integers(0, 256, (7, 5), dtype=np.uint8)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Pillow.fromarray(GREY).save(tmp_path / "secret-name.png")
    return tmp_path / "secret-name.png"


def test_the_kind_is_told_by_the_content(picture: Path, tmp_path: Path) -> None:
    other = tmp_path / "a.nii.gz"
    other.write_bytes(picture.read_bytes())
    assert read_image(other).source.kind == "png"
    assert read_image(str(other)).source.path == other


def test_a_dicom_that_also_looks_like_a_tiff_is_dicom() -> None:
    assert kind_of(b"II*\0" + bytes(124) + b"DICM") == "dicom"


@pytest.mark.parametrize(
    ("modality", "frame", "expected"),
    [
        (None, None, (None, "patient", "assumed")),
        ("chest X-ray", None, ("CR", "patient", "modality")),
        ("ES", None, ("ES", "viewer", "modality")),
        ("ES", "patient", ("ES", "patient", "flag")),
        (None, "viewer", (None, "viewer", "flag")),
    ],
)
def test_frame_by_flag_else_modality_else_assumed(
    picture: Path, modality: str | None, frame: Any, expected: tuple[str | None, str, str]
) -> None:
    image = read_image(picture, modality=modality, frame=frame)
    assert (image.modality, image.frame, image.source.frame_from) == expected
    assert ("frame_assumed" in dict(image.source.warnings)) == (expected[2] == "assumed")


def test_the_header_goes_before_the_modality_and_the_flag_before_both(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.arange(8.0).reshape(2, 2, 2), np.eye(4)), tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii", modality="US")
    assert (image.modality, image.frame, image.source.frame_from) == ("US", "patient", "nifti")
    image = read_image(tmp_path / "a.nii", modality="US", frame="viewer")
    assert (image.frame, image.source.frame_from) == ("viewer", "flag")


def test_unknown_flags_are_wrong_arguments(picture: Path) -> None:
    with pytest.raises(UsageError, match="modality 'XYZ'"):
        read_image(picture, modality="XYZ")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"hello, I am a report", "first bytes"),
        (b"%PDF-1.7 x", "PDF"),
        (b"GIF89a xxxx", "GIF"),
        (b"{}", "JSON"),
        (b"\x93NUMPY\x01\0", "NumPy"),
        (b"\x1f\x8b\x08\0rubbish", "gzip"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"NRRD0004\nrubbish", "NRRD"),
        (b"ObjectType = Image\nNDims = x\n", "MHA"),
        (b"PK\x03\x04rubbish", "zip"),
        (bytes(128) + b"DICM", "DICOM"),
        (bytes(128) + b"DICM" + b"\xff" * 200, "DICOM"),
        (b"BM", "BMP"),
        (b"II*\0\xff\xff\xff\xff", "TIFF"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
        (struct.pack("<i", 348) + bytes(340) + b"n+1\0", "NIfTI"),
    ],
)
def test_bad_files_are_refused_in_one_line_without_their_name(
    tmp_path: Path, content: bytes, word: str
) -> None:
    path = tmp_path / "secret-name.dat"
    path.write_bytes(content)
    with pytest.raises(InputError, match=word) as caught:
        read_image(path)
    text = str(caught.value)
    assert "\n" not in text
    assert "secret-name" not in text
    assert str(tmp_path) not in text
    assert caught.value.exit_code == 3


def test_missing_strange_and_oversized_inputs(tmp_path: Path, picture: Path) -> None:
    for path in (tmp_path / "none", picture / "below", "a\0b", "x" * 5000):
        with pytest.raises(InputError, match="input: "):
            read_image(path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="no plain file"):
        read_image(tmp_path / "pipe")
    with pytest.raises(InputError, match="file bytes"):
        read_image(picture, limits=Limits(file_bytes=10))
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="it holds no file"):
        read_image(tmp_path / "folder")


def test_a_constant_image_warns(tmp_path: Path) -> None:
    Pillow.new("L", (4, 4), 7).save(tmp_path / "a.png")
    assert (
        "every pixel has the value 7"
        in dict(read_image(tmp_path / "a.png").source.warnings)["constant_image"]
    )


@pytest.mark.parametrize("kind", ["png", "nii", "nii.gz", "dcm"])
def test_changed_bytes_end_in_an_image_or_in_an_input_error(
    tmp_path: Path, picture: Path, dicom: Callable[..., Any], kind: str
) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "png":
        path = picture
    elif kind == "dcm":
        dicom(GREY).save_as(path)
    else:
        nib.save(nib.Nifti1Image(GREY, np.eye(4)), path)
    seed = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(120):
        data = bytearray(seed)
        for _ in range(int(rng.integers(1, 6))):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        path.write_bytes(bytes(data))
        try:
            assert np.isfinite(read_image(path).data).all()
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017
    assert refused > 0


def pack(path: Path, members: dict[str, bytes], **how: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = how.get("attributes", 0)
            archive.writestr(info, content)
    return path


def test_a_zip_of_one_image_or_one_series(tmp_path: Path, picture: Path, series: Callable[..., None]) -> None:
    path = pack(tmp_path / "a.zip", {"deep/a.png": picture.read_bytes(), "__MACOSX/a": b"x", "deep/": b""})
    image = read_image(path)
    np.testing.assert_array_equal(image.data[0], GREY)
    assert (image.source.path, image.source.kind) == (path, "png")
    assert image.source.sha256 == read_image(picture).source.sha256
    folder = tmp_path / "series"
    folder.mkdir()
    affine = np.eye(4)[:, [2, 1, 0, 3]]
    series(np.arange(60.0).reshape(3, 4, 5), affine, folder)
    path = pack(tmp_path / "b.zip", {f"s/{file.name}": file.read_bytes() for file in folder.iterdir()})
    one, two = read_image(path), read_image(folder)
    np.testing.assert_array_equal(one.data, two.data)
    assert one.source.sha256 == two.source.sha256, "packed or not, it is the same image"


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "x/../../a.png", "c:\\a.png", "..\\a.png"])
def test_a_zip_that_leaves_its_place_is_refused(tmp_path: Path, picture: Path, name: str) -> None:
    with pytest.raises(InputError, match="leaves the zip"):
        read_image(pack(tmp_path / "a.zip", {name: picture.read_bytes()}))


def test_other_zips_that_are_refused(tmp_path: Path, picture: Path) -> None:
    link = pack(tmp_path / "link.zip", {"a": b"/etc/passwd"}, attributes=(stat.S_IFLNK | 0o777) << 16)
    inner = pack(tmp_path / "inner.zip", {"a.png": picture.read_bytes()})
    cases = {
        "link": link,
        "inside a zip": pack(tmp_path / "nested.zip", {"a.zip": inner.read_bytes()}),
        "no file": pack(tmp_path / "empty.zip", {}),
        "none of its 2 files is DICOM": pack(
            tmp_path / "two.zip", {"a.png": picture.read_bytes(), "b.png": b"x"}
        ),
        "grows from": pack(tmp_path / "bomb.zip", {"a.png": bytes(80_000_000)}),
    }
    for word, path in cases.items():
        with pytest.raises(InputError, match=word):
            read_image(path)
    with pytest.raises(InputError, match="zip members"):
        read_image(cases["none of its 2 files is DICOM"], limits=Limits(zip_members=1))
    broken = tmp_path / "broken.zip"
    data = bytearray(inner.read_bytes())
    data[45] ^= 0xFF
    broken.write_bytes(bytes(data))
    with pytest.raises(InputError):
        read_image(broken)


@pytest.mark.parametrize(("ending", "line"), [("nhdr", "data file: {}"), ("mhd", "ElementDataFile = {}")])
def test_a_header_may_only_name_a_file_beside_it(tmp_path: Path, ending: str, line: str) -> None:
    start = {
        "nhdr": "NRRD0004\ntype: uchar\ndimension: 2\nsizes: 4 3\nencoding: raw\n",
        "mhd": "ObjectType = Image\nNDims = 2\nDimSize = 4 3\nElementType = MET_UCHAR\n",
    }[ending]
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.raw").write_bytes(bytes(range(12)))
    (tmp_path / "b.raw").write_bytes(bytes(range(12)))
    (folder / "link.raw").symlink_to(tmp_path / "b.raw")
    path = folder / f"a.{ending}"
    path.write_text(start + line.format("a.raw") + "\n")
    image = read_image(path)
    np.testing.assert_array_equal(image.data[0].T.ravel(), np.arange(12))
    first = image.source.sha256
    (folder / "a.raw").write_bytes(bytes(range(1, 13)))
    assert read_image(path).source.sha256 != first
    for name in ("../b.raw", str(tmp_path / "b.raw"), "link.raw", "none.raw", "LIST", "a%02d.raw 1 3 1"):
        path.write_text(start + line.format(name) + "\n")
        with pytest.raises(InputError, match=r"side by side|beside it"):
            read_image(path)


def test_a_huge_volume_header_is_refused(tmp_path: Path) -> None:
    head = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 90000 90000 90000\nencoding: raw\n\n"
    (tmp_path / "a.nrrd").write_bytes(head.encode() + bytes(10))
    with pytest.raises(InputError, match="where at most"):
        read_image(tmp_path / "a.nrrd")


def test_arrays_of_every_form() -> None:
    assert image_from_array(GREY, spacing=(1, 2)).data.shape == (1, 7, 5)
    assert image_from_array(np.stack([GREY, GREY, 255 - GREY], -1)).data.shape == (3, 7, 5)
    assert image_from_array(np.stack([GREY] * 3, -1)).data.shape == (1, 7, 5)
    volume = np.random.default_rng(0).normal(size=(4, 5, 3))
    assert image_from_array(volume, spacing=np.ones(3)).grid == (4, 5, 3)
    image = image_from_array(volume, affine=np.diag([-1.0, 2, 3, 1]), modality="CT")
    assert (image.axes, image.spacing, image.frame) == (("L", "A", "S"), (1.0, 2.0, 3.0), "patient")
    assert image_from_array(volume[None].repeat(3, 0).transpose(1, 2, 3, 0)).data.shape == (1, 4, 5, 3)
    assert image.source.sha256 == image_from_array(volume, affine=np.diag([-1.0, 2, 3, 1])).source.sha256


def test_arrays_without_spacing_or_affine_warn() -> None:
    assert "no_spacing" in dict(image_from_array(GREY).source.warnings)
    assert "no_affine" in dict(image_from_array(np.ones((2, 3, 4)), spacing=(1, 1, 1)).source.warnings)
    assert "no_spacing" not in dict(image_from_array(GREY, spacing=(1, 1)).source.warnings)
    assert "no_affine" not in dict(image_from_array(GREY).source.warnings)
    bare = dict(image_from_array(GREY[None].repeat(5, 0)).source.warnings)
    assert {"no_spacing", "no_affine"} <= set(bare)


def test_arrays_that_are_refused() -> None:
    bad = GREY.astype(float)
    bad[0, 0] = np.nan
    for array in (
        bad,
        np.ones(3),
        np.ones((0, 4)),
        np.ones((2, 2, 4)),
        np.ones((2, 2, 2, 2)),
        np.array([["a", "b"]]),
        None,
    ):
        with pytest.raises(InputError, match="array"):
            image_from_array(array)
    for spacing in ((1, 0), 2.5, "wide"):
        with pytest.raises(GeometryError, match="spacing"):
            image_from_array(GREY, spacing=spacing)
    with pytest.raises(GeometryError, match="give one of them"):
        image_from_array(np.ones((2, 3, 4)), affine=np.eye(4), spacing=(1, 1, 2))
    with pytest.raises(GeometryError, match="singular"):
        image_from_array(GREY, affine=np.zeros((4, 4)))
    with pytest.raises(GeometryError, match="4 x 4"):
        image_from_array(GREY, affine=np.eye(3))


def test_the_callers_array_is_not_changed_or_shared() -> None:
    array = GREY.astype(np.float32)
    image = image_from_array(array)
    array[:] = 0
    np.testing.assert_array_equal(image.data[0], GREY)


@pytest.mark.parametrize(
    ("ending", "line", "told"),
    [
        ("nrrd", "", None),
        ("nrrd", "spacings: 2 3 4\n", (2, 3, 4)),
        ("nrrd", "space: RAS\nspace directions: (2,0,0) (0,3,0) (0,0,4)\n", (2, 3, 4)),
        ("mha", "", None),
        ("mha", "ElementSpacing = 2 3 4\n", (2, 3, 4)),
    ],
)
def test_a_volume_header_without_spacing_claims_no_millimetres(
    tmp_path: Path, ending: str, line: str, told: tuple[float, ...] | None
) -> None:
    """A header made by hand, accepted as one millimetre a voxel, gave wrong volumes in a trusted tool."""
    body = np.arange(24, dtype="<i2").tobytes()
    if ending == "nrrd":
        head = f"NRRD0004\ntype: short\ndimension: 3\nsizes: 2 3 4\n{line}encoding: raw\nendian: little\n\n"
    else:
        head = f"ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = 2 3 4\n{line}"
        head += "BinaryDataByteOrderMSB = False\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    path = tmp_path / f"a.{ending}"
    path.write_bytes(head.encode() + body)
    image = read_image(path)
    assert image.data[0, :, 0, 0].tolist() == [0, 1]
    assert image.spacing == told
    assert ("no_spacing" in dict(image.source.warnings)) is (told is None)
