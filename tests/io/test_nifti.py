import gzip
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medsegr.errors import GeometryError, InputError
from medsegr.io.limits import Limits
from medsegr.io.read import image_from_array, read_image
from medsegr.io.write import write_mask_nifti

VALUES = np.random.default_rng(1).normal(size=(4, 5, 6)).astype(np.float32)
AFFINE = np.array([[-2.0, 0, 0, 10], [0, 3, 0, -20], [0, 0, 4, 5], [0, 0, 0, 1]])


def save(path: Path, values: np.ndarray = VALUES, affine: np.ndarray | None = AFFINE, **codes: int) -> Path:
    file = nib.Nifti1Image(values, affine)
    if codes:
        file.set_sform(affine, codes["sform"])
        file.set_qform(affine, codes["qform"])
    nib.save(file, path)
    return path


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_a_volume_keeps_its_axes_affine_and_values(tmp_path: Path, ending: str) -> None:
    image = read_image(save(tmp_path / f"a.{ending}"), modality="CT")
    np.testing.assert_array_equal(image.data[0], VALUES)
    np.testing.assert_allclose(image.affine, AFFINE)
    assert image.spacing == (2.0, 3.0, 4.0)
    assert image.axes == ("L", "A", "S")
    assert (image.frame, image.source.frame_from, image.source.kind) == ("patient", "nifti", "nifti")
    assert len(image.source.sha256) == 64


def test_two_axes_and_a_last_axis_of_one(tmp_path: Path) -> None:
    flat = read_image(save(tmp_path / "a.nii", VALUES[:, :, 0]))
    assert flat.data.shape == (1, 4, 5)
    assert flat.axes == ("L", "A")
    assert flat.spacing == (2.0, 3.0)
    four = read_image(save(tmp_path / "b.nii", VALUES[..., None]))
    assert four.grid == (4, 5, 6)
    write_mask_nifti(four.data[0] > 0, four, tmp_path / "m.nii", "x")
    assert nib.load(tmp_path / "m.nii").shape == (4, 5, 6, 1)


def test_four_axes_are_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"4 x 5 x 3 x 2.*slicer"):
        read_image(save(tmp_path / "a.nii", VALUES.reshape(4, 5, 3, 2)))


def test_slope_intercept_and_big_endian(tmp_path: Path) -> None:
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    file = nib.Nifti1Image(np.arange(24, dtype=">i2").reshape(2, 3, 4), AFFINE, header)
    file.header.set_slope_inter(2.5, -100)
    (tmp_path / "a.nii").write_bytes(file.to_bytes())
    expected = nib.load(tmp_path / "a.nii").get_fdata()
    assert nib.load(tmp_path / "a.nii").header.endianness == ">"
    np.testing.assert_allclose(read_image(tmp_path / "a.nii").data[0], expected)


def test_colour_voxels(tmp_path: Path) -> None:
    dtype = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    nib.save(nib.Nifti1Image(values.view(dtype).reshape(4, 5, 6), AFFINE), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii").data, np.moveaxis(values, -1, 0))


def test_nifti2(tmp_path: Path) -> None:
    nib.save(nib.Nifti2Image(VALUES, AFFINE), tmp_path / "a.nii.gz")
    image = read_image(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(image.data[0], VALUES)
    write_mask_nifti(VALUES > 0, image, tmp_path / "m.nii.gz", "x")
    assert isinstance(nib.load(tmp_path / "m.nii.gz"), nib.Nifti2Image)


def test_forms_that_disagree_are_refused_and_both_are_shown(tmp_path: Path) -> None:
    file = nib.Nifti1Image(VALUES, AFFINE)
    file.set_sform(AFFINE, 1)
    mirrored = AFFINE.copy()
    mirrored[0, :] *= -1
    file.set_qform(mirrored, 1)
    nib.save(file, tmp_path / "a.nii")
    with pytest.raises(GeometryError, match=r"sform \[-2 0 0 10.*qform \[2 0 0 -10.*disagree by 20 mm"):
        read_image(tmp_path / "a.nii")


def test_forms_that_nearly_agree_pass(tmp_path: Path) -> None:
    file = nib.Nifti1Image(VALUES, AFFINE)
    file.set_sform(AFFINE, 2)
    near = AFFINE.copy()
    near[:3, 3] += 0.1
    file.set_qform(near, 1)
    nib.save(file, tmp_path / "a.nii")
    np.testing.assert_allclose(read_image(tmp_path / "a.nii").affine, AFFINE)


def test_forms_may_lie_a_tenth_of_a_voxel_apart(tmp_path: Path) -> None:
    voxel = float(np.linalg.norm(AFFINE[:3, :3], axis=0).min())
    for part, agree in ((0.09, True), (0.11, False)):
        file = nib.Nifti1Image(VALUES, AFFINE)
        moved = AFFINE.copy()
        moved[2, 3] += part * voxel
        file.set_sform(AFFINE, 1)
        file.set_qform(moved, 1)
        nib.save(file, tmp_path / "a.nii")
        if agree:
            read_image(tmp_path / "a.nii")
            continue
        with pytest.raises(GeometryError, match="disagree by"):
            read_image(tmp_path / "a.nii")


@pytest.mark.parametrize(
    "codes", [{"sform": 0, "qform": 0}, {"sform": 0, "qform": 1}, {"sform": 4, "qform": 0}]
)
def test_masks_repeat_what_the_source_says_of_its_place(tmp_path: Path, codes: dict[str, int]) -> None:
    image = read_image(save(tmp_path / "a.nii.gz", **codes))
    known = bool(codes["sform"] or codes["qform"])
    assert ("orientation_assumed" in dict(image.source.warnings)) is not known
    write_mask_nifti(VALUES > 0, image, tmp_path / "m.nii.gz", "x")
    source, mask = nib.load(tmp_path / "a.nii.gz"), nib.load(tmp_path / "m.nii.gz")
    np.testing.assert_allclose(mask.affine, source.affine, atol=1e-5)
    assert mask.get_sform(coded=True)[1] == mask.get_qform(coded=True)[1] == max(codes.values())


@pytest.mark.parametrize(("unit", "mm"), [("meter", 1000), ("micron", 0.001)])
def test_other_units_are_turned_into_mm_and_back(tmp_path: Path, unit: str, mm: float) -> None:
    told = AFFINE.copy()
    told[:3] /= mm
    file = nib.Nifti1Image(VALUES, told)
    file.header.set_xyzt_units(unit)
    nib.save(file, tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    np.testing.assert_allclose(image.spacing, (2, 3, 4), rtol=1e-6)
    np.testing.assert_allclose(image.affine, AFFINE, rtol=1e-6)
    write_mask_nifti(VALUES > 0, image, tmp_path / "m.nii", "x")
    mask = nib.load(tmp_path / "m.nii")
    np.testing.assert_allclose(mask.affine, told, rtol=1e-6)
    assert mask.header.get_xyzt_units()[0] == unit
    file.set_sform(None, 0)
    file.set_qform(None, 0)
    nib.save(file, tmp_path / "b.nii")
    placeless = read_image(tmp_path / "b.nii")
    np.testing.assert_allclose(placeless.spacing, (2, 3, 4), rtol=1e-6)
    write_mask_nifti(VALUES > 0, placeless, tmp_path / "n.nii", "x")
    np.testing.assert_allclose(nib.load(tmp_path / "n.nii").header.get_zooms(), file.header.get_zooms())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    values = VALUES.copy()
    values[1, 2, 3] = bad
    with pytest.raises(InputError, match="1 of 120 values are NaN or infinite"):
        read_image(save(tmp_path / "a.nii", values))


def test_complex_values_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="complex64"):
        read_image(save(tmp_path / "a.nii", VALUES.astype(np.complex64)))


def test_a_singular_affine_is_refused(tmp_path: Path) -> None:
    file = nib.Nifti1Image(VALUES, AFFINE)
    header = bytearray(file.to_bytes())
    header[280:296] = struct.pack("<4f", 0, 0, 0, 0)  # srow_x
    (tmp_path / "a.nii").write_bytes(bytes(header))
    with pytest.raises(GeometryError, match="singular"):
        read_image(tmp_path / "a.nii")


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    plain, packed = save(tmp_path / "a.nii").read_bytes(), save(tmp_path / "a.nii.gz").read_bytes()
    for data, cuts in ((plain, (200, 348, 400, len(plain) - 1)), (packed, (5, 60, 300, len(packed) - 1))):
        for cut in cuts:
            path = tmp_path / "cut.nii.gz"
            path.write_bytes(data[:cut])
            with pytest.raises(InputError) as caught:
                read_image(path)
            assert "\n" not in str(caught.value)


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    data = bytearray(save(tmp_path / "a.nii.gz").read_bytes())
    data[-5] ^= 1  # the length, after the checksum
    data[-8] ^= 1
    (tmp_path / "a.nii.gz").write_bytes(bytes(data))
    with pytest.raises(InputError, match="damaged"):
        read_image(tmp_path / "a.nii.gz")


def test_a_gzip_of_several_parts_is_read(tmp_path: Path) -> None:
    data = save(tmp_path / "a.nii").read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(data[:300]) + gzip.compress(data[300:]))
    # the header is looked for in the first part only
    with pytest.raises(InputError):
        read_image(tmp_path / "b.nii.gz")
    (tmp_path / "c.nii.gz").write_bytes(gzip.compress(data[:600]) + gzip.compress(data[600:]))
    np.testing.assert_array_equal(read_image(tmp_path / "c.nii.gz").data[0], VALUES)


def header_of(shape: tuple[int, ...]) -> bytes:
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape((1, 1, 1))
    header["dim"][: len(shape) + 1] = (len(shape), *shape)
    header["vox_offset"] = 352
    return bytes(header.binaryblock) + b"\0" * 4


def test_a_header_that_promises_too_much_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(header_of((30000, 30000, 30000)))
    with pytest.raises(InputError, match="where at most"):
        read_image(tmp_path / "a.nii")
    (tmp_path / "b.nii").write_bytes(header_of((-3, 4, 5)))
    with pytest.raises(InputError):
        read_image(tmp_path / "b.nii")


def test_a_gzip_bomb_is_refused_before_it_grows(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = packer.compress(header_of((700, 700, 700))) + packer.compress(bytes(20_000_000)) + packer.flush()
    (tmp_path / "a.nii.gz").write_bytes(body)
    with pytest.raises(InputError, match="grows from"):
        read_image(tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match="inflated bytes"):
        read_image(tmp_path / "a.nii.gz", limits=Limits(inflated_bytes=1_000_000))


def test_what_follows_the_voxels_is_never_inflated(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = save(tmp_path / "a.nii").read_bytes()
    body = packer.compress(data) + packer.compress(bytes(50_000_000)) + packer.flush()
    (tmp_path / "b.nii.gz").write_bytes(body)
    np.testing.assert_array_equal(read_image(tmp_path / "b.nii.gz").data[0], VALUES)


def test_a_pair_of_files_is_refused_with_advice(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(VALUES, AFFINE), tmp_path / "a.img")
    with pytest.raises(InputError, match=r"\.hdr and \.img"):
        read_image(tmp_path / "a.hdr")


def test_a_header_that_tells_no_unit_and_no_spacing_gives_none(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(VALUES, None), tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    assert image.spacing is None
    assert {"no_spacing", "orientation_assumed"} <= set(dict(image.source.warnings))


def test_the_mask_of_a_picture_without_spacing_claims_no_millimetres(tmp_path: Path) -> None:
    picture = image_from_array(np.arange(30.0).reshape(5, 6))
    write_mask_nifti(picture.data[0] > 9, picture, tmp_path / "m.nii.gz", "x")
    back = read_image(tmp_path / "m.nii.gz")
    assert (back.grid, back.spacing) == ((5, 6), None)
    known = image_from_array(np.arange(30.0).reshape(5, 6), spacing=(1.0, 1.0))
    write_mask_nifti(known.data[0] > 9, known, tmp_path / "k.nii.gz", "x")
    assert read_image(tmp_path / "k.nii.gz").spacing == (1.0, 1.0)
