import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from medsegr.errors import InputError
from medsegr.io.limits import Limits
from medsegr.io.read import read_image
from medsegr.io.write import write_mask_png

RNG = np.random.default_rng(3)
GREY = RNG.integers(0, 256, (7, 5), dtype=np.uint8)
RGB = RNG.integers(0, 256, (7, 5, 3), dtype=np.uint8)


def save(picture: Pillow.Image, path: Path, **options: object) -> Path:
    picture.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("ending", ["png", "bmp", "tif"])
def test_grey_and_colour_come_back_exactly(tmp_path: Path, ending: str) -> None:
    grey = read_image(save(Pillow.fromarray(GREY), tmp_path / f"a.{ending}"), modality="CR")
    colour = read_image(save(Pillow.fromarray(RGB), tmp_path / f"b.{ending}"), modality="ES")
    assert grey.data.dtype == np.float32
    np.testing.assert_array_equal(grey.data, GREY[None])
    np.testing.assert_array_equal(colour.data, np.moveaxis(RGB, -1, 0))
    assert (grey.affine, grey.spacing, grey.axes) == (None, None, None)


def test_three_equal_channels_become_one(tmp_path: Path) -> None:
    image = read_image(save(Pillow.fromarray(np.stack([GREY] * 3, -1)), tmp_path / "a.png"))
    np.testing.assert_array_equal(image.data, GREY[None])


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bits_are_kept(tmp_path: Path, ending: str) -> None:
    deep = RNG.integers(0, 65536, (7, 5), dtype=np.uint16)
    image = read_image(save(Pillow.fromarray(deep), tmp_path / f"a.{ending}"))
    np.testing.assert_array_equal(image.data[0], deep)


def test_sixteen_bit_tiff_whose_white_is_zero_is_inverted(tmp_path: Path) -> None:
    deep = RNG.integers(0, 65536, (7, 5), dtype=np.uint16)
    path = save(Pillow.fromarray(deep), tmp_path / "a.tif", tiffinfo={262: 0})
    np.testing.assert_array_equal(read_image(path).data[0], 65535 - deep.astype(np.float32))


def test_float_tiff_keeps_its_values_and_nan_is_refused(tmp_path: Path) -> None:
    values = RNG.normal(size=(7, 5)).astype(np.float32)
    np.testing.assert_array_equal(
        read_image(save(Pillow.fromarray(values), tmp_path / "a.tif")).data[0], values
    )
    values[2, 3] = np.nan
    with pytest.raises(InputError, match="1 of 35 values are NaN"):
        read_image(save(Pillow.fromarray(values), tmp_path / "b.tif"))


def test_one_bit_and_palette(tmp_path: Path) -> None:
    bits = GREY > 100
    image = read_image(save(Pillow.fromarray(bits), tmp_path / "a.png"))
    np.testing.assert_array_equal(image.data[0], bits * 255.0)
    palette = Pillow.fromarray(RGB).quantize(16)
    image = read_image(save(palette, tmp_path / "b.png"))
    np.testing.assert_array_equal(image.data, np.moveaxis(np.asarray(palette.convert("RGB")), -1, 0))


def test_opaque_alpha_is_dropped_and_a_clear_one_laid_on_black(tmp_path: Path) -> None:
    alpha = np.full((7, 5, 1), 255, np.uint8)
    opaque = read_image(save(Pillow.fromarray(np.concatenate([RGB, alpha], -1)), tmp_path / "a.png"))
    np.testing.assert_array_equal(opaque.data, np.moveaxis(RGB, -1, 0))
    assert "alpha" not in dict(opaque.source.warnings)
    alpha[0, 0], alpha[0, 1] = 0, 51
    clear = read_image(save(Pillow.fromarray(np.concatenate([RGB, alpha], -1)), tmp_path / "b.png"))
    assert clear.data[:, 0, 0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(clear.data[:, 0, 1], RGB[0, 1] * 0.2, rtol=1e-5)
    assert "alpha" in dict(clear.source.warnings)


def test_how_much_is_transparent_is_said_as_it_is(tmp_path: Path) -> None:
    for none, partly, said in (
        (0, 35, "100 % of the picture is partly transparent: "),
        (0, 7, "20 % of the picture is partly transparent: "),
        (7, 0, "20 % of the picture is transparent: "),
        (7, 14, "20 % of the picture is transparent, 40 % of it is partly transparent: "),
    ):
        alpha = np.full(35, 255, np.uint8)
        alpha[:none], alpha[none : none + partly] = 0, 254
        layers = np.concatenate([RGB, alpha.reshape(7, 5, 1)], -1)
        image = read_image(save(Pillow.fromarray(layers), tmp_path / "a.png"))
        assert dict(image.source.warnings)["alpha"].startswith(said)
    alpha = np.zeros((100, 100, 4), np.uint8)
    alpha[0, :4] = 255
    image = read_image(save(Pillow.fromarray(alpha), tmp_path / "b.png"))
    assert dict(image.source.warnings)["alpha"].startswith("more than 99.9 % of the picture is transparent")


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_exif_orientation_is_applied_and_masks_lie_on_the_shown_grid(
    tmp_path: Path, turn: int, ending: str
) -> None:
    picture = np.zeros((48, 32), np.uint8)
    picture[:16, :8] = 250  # bright patch at the stored upper left
    exif = Pillow.Exif()
    exif[0x0112] = turn
    image = read_image(save(Pillow.fromarray(picture), tmp_path / f"a.{ending}", exif=exif))
    assert image.grid == ((48, 32) if turn < 5 else (32, 48))
    assert image.source.meta["exif_orientation"] == turn
    # where the first stored row and column are to be shown, by the EXIF standard
    right, bottom = turn in (2, 3, 6, 7), turn in (3, 4, 7, 8)
    rows, cols = np.nonzero(image.data[0] > 125)
    assert (rows.mean() > image.grid[0] / 2) == bottom
    assert (cols.mean() > image.grid[1] / 2) == right
    write_mask_png(image.data[0] > 125, tmp_path / "mask.png")
    with Pillow.open(tmp_path / "mask.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask) > 0, image.data[0] > 125)


def test_cmyk_jpeg_is_read_as_rgb(tmp_path: Path) -> None:
    image = read_image(save(Pillow.new("CMYK", (4, 4), (0, 255, 255, 0)), tmp_path / "a.jpg"))
    assert image.data.shape == (3, 4, 4)
    assert image.data[0].mean() > 200
    assert image.data[1].mean() < 60


def test_frames_of_a_moving_picture_are_refused_with_advice(tmp_path: Path) -> None:
    frames = [Pillow.fromarray(np.roll(GREY, n, axis=0)) for n in range(3)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="3 frames came where one was expected; save the frame"):
        read_image(tmp_path / "moving.png")


def test_pages_are_refused_with_advice(tmp_path: Path) -> None:
    pages = [Pillow.fromarray(GREY)] * 3
    path = tmp_path / "a.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match="3 pages came where one was expected; save"):
        read_image(path)


def test_sixteen_bit_colour_says_that_bits_were_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    raw = b"".join(b"\0" + bytes(range(12)) for _ in range(2))
    path.write_bytes(png((2, 2), bytes([16, 2, 0, 0, 0]), raw))
    assert "depth_reduced" in dict(read_image(path).source.warnings)


def png(size: tuple[int, int], kind: bytes, raw: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    parts = (
        chunk(b"IHDR", struct.pack(">II", *size) + kind),
        chunk(b"IDAT", zlib.compress(raw)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_huge_header_is_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png((100_000, 100_000), bytes([8, 0, 0, 0, 0]), b"\0"))
    with pytest.raises(InputError, match="10,000,000,000 pixels where at most 100,000,000"):
        read_image(path)


def test_a_picture_that_grows_beyond_belief_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png((9_900, 9_900), bytes([8, 0, 0, 0, 0]), b"\0"))
    with pytest.raises(InputError, match="grows from"):
        read_image(path)


def test_the_pixel_limit_is_the_argument_and_not_pillows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 4)
    path = save(Pillow.fromarray(GREY), tmp_path / "a.png")
    assert read_image(path).grid == (7, 5)
    with pytest.raises(InputError, match="--limits pixels=35"):
        read_image(path, limits=Limits(pixels=34))


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "bmp"])
def test_a_truncated_picture_is_refused_in_one_line(tmp_path: Path, ending: str) -> None:
    buffer = io.BytesIO()
    noise = Pillow.fromarray(RNG.integers(0, 256, (64, 64), dtype=np.uint8))
    noise.save(buffer, format={"jpg": "jpeg", "tif": "tiff"}.get(ending, ending))
    for share in (0.1, 0.5, 0.8):
        path = tmp_path / f"a.{ending}"
        path.write_bytes(buffer.getvalue()[: int(share * len(buffer.getvalue()))])
        with pytest.raises(InputError) as caught:
            read_image(path)
        assert "\n" not in str(caught.value)
