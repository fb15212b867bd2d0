"""A file as the mask of one thing: what programs export is taken, and what is no mask is refused."""

import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw, ImageFilter

from medsegr.errors import InputError
from medsegr.io.one_mask import check_labels, read_one_mask
from medsegr.io.read import image_from_array, read_image
from medsegr.io.write import write_mask

IMAGE = image_from_array(np.zeros((60, 80), np.float32), modality="CR")


@pytest.fixture
def disc() -> np.ndarray:
    y, x = np.mgrid[:60, :80]
    return np.asarray((y - 30) ** 2 + (x - 35) ** 2 < 15**2)


def read(array: np.ndarray, path: Path, mode: str | None = None, **how: int) -> np.ndarray:
    Picture.fromarray(array, mode).save(path, **how)
    return read_one_mask(path, IMAGE)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, bool])
@pytest.mark.parametrize("value", [1, 3, 255])
def test_zero_and_one_other_value(disc: np.ndarray, tmp_path: Path, dtype: type, value: int) -> None:
    assert (read((disc * value).astype(dtype), tmp_path / "m.png") == disc).all()


def test_nothing_is_an_empty_mask(tmp_path: Path) -> None:
    assert not read(np.zeros((60, 80), np.uint8), tmp_path / "m.png").any()


def test_soft_edges_are_cut_at_half(disc: np.ndarray, tmp_path: Path) -> None:
    large = Picture.new("L", (320, 240))
    ImageDraw.Draw(large).ellipse((80, 60, 200, 180), fill=255)
    soft = np.asarray(large.resize((80, 60), Picture.Resampling.BOX))
    assert len(np.unique(soft)) > 5
    assert (read(soft, tmp_path / "soft.png") == (soft > 127.5)).all()
    for quality in (90, 75, 50):
        sent = read((disc * 255).astype(np.uint8), tmp_path / "m.jpg", quality=quality)
        assert (sent == disc).mean() > 0.99


def test_wide_shades_are_none(disc: np.ndarray, tmp_path: Path) -> None:
    blurred = Picture.fromarray((disc * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(6))
    with pytest.raises(InputError, match=r"\d+ values came where a mask of one thing"):
        read(np.asarray(blurred), tmp_path / "m.png")


def test_paint_of_any_colour_on_nothing_or_on_black(disc: np.ndarray, tmp_path: Path) -> None:
    for colour in ((0, 0, 0), (255, 255, 255), (200, 30, 60)):
        for strength in (255, 128):
            layer = np.zeros((60, 80, 4), np.uint8)
            layer[disc] = (*colour, strength)
            assert (read(layer, tmp_path / "layer.png") == disc).all(), (colour, strength)
        if any(colour):
            flat = np.zeros((60, 80, 3), np.uint8)
            flat[disc] = colour
            assert (read(flat, tmp_path / "flat.png") == disc).all(), colour


def test_a_palette_and_an_opaque_ground(disc: np.ndarray, tmp_path: Path) -> None:
    picture = Picture.fromarray(disc.astype(np.uint8), "P")
    picture.putpalette([0, 0, 0, 128, 0, 0])
    picture.save(tmp_path / "p.png")
    assert (read_one_mask(tmp_path / "p.png", IMAGE) == disc).all()
    cut = np.zeros((60, 80, 4), np.uint8)
    cut[disc, :3] = 255
    cut[:, 5:, 3] = 255  # the ground is black, and nothing at the left
    assert (read(cut, tmp_path / "cut.png") == disc).all()
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as packed:
        packed.write(tmp_path / "p.png", "p.png")
    assert (read_one_mask(tmp_path / "p.zip", IMAGE) == disc).all()


def test_what_is_no_mask_of_one_thing(disc: np.ndarray, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grey = np.asarray(Picture.fromarray(rng.integers(0, 256, (60, 80)).astype(np.uint8)))
    labels = disc.astype(np.uint8)
    labels[5:10, 5:10] = 2
    wrong = {
        "is it the picture itself": grey,
        "keep the one label": labels,
        "covers everything": np.full((60, 80), 7, np.uint8),
        "several colours": rng.integers(0, 256, (60, 80, 3)).astype(np.uint8),
        "the values 1, 2": np.where(disc, 2, 1).astype(np.uint8),
    }
    for said, array in wrong.items():
        with pytest.raises(InputError, match=said):
            read(array, tmp_path / "m.png")


def test_axes_of_a_volume_file_are_not_guessed_for_a_picture(disc: np.ndarray, tmp_path: Path) -> None:
    Picture.fromarray(np.zeros((60, 80), np.uint8)).save(tmp_path / "picture.png")
    picture = read_image(tmp_path / "picture.png", modality="CR")
    ours = write_mask(disc, picture, tmp_path / "ours", "nifti", "nodule")
    assert (read_one_mask(ours, picture) == disc).all()
    theirs = nib.Nifti1Image(disc.astype(np.uint8)[..., None], np.eye(4))
    nib.save(theirs, tmp_path / "theirs.nii")
    with pytest.raises(InputError, match="save the mask as PNG"):
        read_one_mask(tmp_path / "theirs.nii", picture)
    slab = image_from_array(np.zeros((60, 80), np.float32), affine=np.eye(4), modality="CT")
    assert (read_one_mask(tmp_path / "theirs.nii", slab) == disc).all()


def test_a_picture_is_no_label_map() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="change from pixel to pixel"):
        check_labels(rng.integers(0, 256, (60, 80)).astype(np.float32))
    cells = np.kron(np.arange(1, 301).reshape(15, 20), np.ones((4, 4)))
    check_labels(cells)
    check_labels(np.zeros((4, 4)))
