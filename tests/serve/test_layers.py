"""What the page is sent lies where the file has it. The page shows a layer in the radiological convention:
first its axes are put into the order R, A, S, then columns run towards the patient's left and rows to the
back; ``screen`` below does the same (the browser itself is asked in test_browser.py).
"""

import gzip
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.errors import GeometryError
from medsegr.grid.planes import PAIR, plane_of, to_slices
from medsegr.io.read import image_from_array
from medsegr.serve.layers import display_affine, is_placed, pack
from medsegr.types import Image

ORIENTED = [(order, flips) for order in permutations(range(3)) for flips in product((False, True), repeat=3)]


def unpacked(data: bytes) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(data))


def screen(file: nib.Nifti1Image) -> np.ndarray:
    """Axial planes as the page shows them: slice (from the feet), row, column."""
    values = np.asanyarray(nib.as_closest_canonical(file).dataobj)
    return np.moveaxis(values[::-1, ::-1], (0, 1, 2), (2, 1, 0))


def picture(h: int = 5, w: int = 7, **about: object) -> Image:
    values = np.arange(float(h * w)).reshape(h, w)
    return Image(values[None].astype(np.float32), **about)  # type: ignore[arg-type]


@pytest.mark.parametrize("frame", ["patient", "viewer"])
@pytest.mark.parametrize("spacing", [None, (0.7, 0.7), (2.0, 0.5)])
def test_a_picture_is_shown_as_it_lies_in_the_file(frame: str, spacing: tuple[float, float] | None) -> None:
    image = picture(frame=frame, spacing=spacing)
    file = unpacked(pack(image.data, image))
    assert np.array_equal(screen(file)[0], image.data[0])
    assert file.header.get_zooms()[:2] == pytest.approx((spacing or (1, 1))[::-1])


@pytest.mark.parametrize(
    "axes", [pair for pair in product("RLAPSI", repeat=2) if PAIR[pair[0]] != PAIR[pair[1]]]
)
def test_a_picture_that_names_its_axes_is_turned_to_the_usual_view(axes: tuple[str, str]) -> None:
    image = picture(axes=axes, spacing=(2.0, 0.5))
    file = unpacked(pack(image.data, image))
    assert np.array_equal(screen(file)[0], to_slices(image.data[0], plane_of(image)))


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_voxels_of_a_pictures_layer_are_its_pixels(h: int, w: int, data: st.DataObject) -> None:
    image = picture(h, w, axes=data.draw(st.sampled_from([None, ("I", "L"), ("A", "R"), ("L", "P")])))
    values = np.asanyarray(unpacked(pack(image.data, image)).dataobj)
    assert values.shape == (w, h, 1)
    assert np.array_equal(values[:, :, 0].T, image.data[0])


def volume(order: tuple[int, ...], flips: tuple[bool, ...], tilt: float = 0.0) -> tuple[Image, np.ndarray]:
    """A volume stored in some order, and its values in the order R, A, S."""
    body = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    turn = np.eye(3)
    turn[:2, :2] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    base = np.eye(4)
    base[:3, :3] = turn * np.array([2.5, 0.8, 1.1])
    base[:3, 3] = (-31.5, 17.25, 90.0)
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for new, old in enumerate(order):
        matrix[old, new] = -1 if flips[new] else 1
        matrix[old, 3] += body.shape[old] - 1 if flips[new] else 0
    stored = np.flip(np.transpose(body, order), [n for n, flip in enumerate(flips) if flip])
    return image_from_array(np.ascontiguousarray(stored), affine=base @ matrix), body


@pytest.mark.parametrize("tilt", [0.0, 0.3])
@pytest.mark.parametrize(("order", "flips"), ORIENTED)
def test_a_volume_keeps_its_grid_and_place(
    order: tuple[int, ...], flips: tuple[bool, ...], tilt: float
) -> None:
    image, body = volume(order, flips, tilt)
    assert is_placed(image)
    file = unpacked(pack(image.data, image))
    assert np.array_equal(np.asanyarray(file.dataobj), image.data[0])
    assert file.affine == pytest.approx(image.affine, abs=1e-4)
    # On the screen: the patient's right at the left, the front on top.
    assert np.array_equal(screen(file), np.moveaxis(body[::-1, ::-1], (0, 1, 2), (2, 1, 0)))


def test_a_volume_that_nobody_placed_is_shown_slice_by_slice() -> None:
    values = np.arange(24.0, dtype=np.float32).reshape(1, 2, 3, 4)
    for image in (
        Image(values, spacing=(5.0, 1.0, 2.0)),
        Image(values, np.diag([1.0, 2, 3, 1]), (1.0, 2.0, 3.0), frame="viewer"),
    ):
        assert not is_placed(image)
        assert np.array_equal(screen(unpacked(pack(image.data, image))), values[0])


@given(st.sampled_from([None, (2.0, 0.5)]), st.sampled_from(["patient", "viewer"]))
def test_the_middle_of_a_picture_is_the_middle_of_the_page(
    spacing: tuple[float, float] | None, frame: str
) -> None:
    affine = display_affine(picture(spacing=spacing, frame=frame))
    assert affine @ [3, 2, 0, 1] == pytest.approx([0, 0, 0, 1])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([[0, 255]]), np.uint8),
        (np.array([[-1000, 3000]]), np.int16),
        (np.array([[0, 40000]]), np.float32),
        (np.array([[0.5, 2]]), np.float32),
        (np.array([[True, False]]), np.uint8),
        (np.array([[np.nan, 3]]), np.uint8),
    ],
)
def test_numbers_take_the_least_room_that_holds_them(values: np.ndarray, kind: type) -> None:
    file = unpacked(pack(values, picture(1, 2)))
    assert file.get_data_dtype() == kind
    assert np.asanyarray(file.dataobj)[:, 0, 0] == pytest.approx(np.nan_to_num(values[0].astype(float)))


def test_colours_stay_as_they_are() -> None:
    data = np.arange(18, dtype=np.float32).reshape(3, 2, 3) * 10
    shown = np.asanyarray(unpacked(pack(data, Image(data))).dataobj)
    assert shown.dtype.names == ("R", "G", "B")
    for channel, name in enumerate("RGB"):
        assert np.array_equal(shown[name][:, :, 0].T, data[channel])
    half = np.asanyarray(unpacked(pack(data / 255, Image(data / 255))).dataobj)
    assert np.array_equal(half["G"], shown["G"])


def test_a_layer_of_another_grid_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"grid \(4, 4\)"):
        pack(np.zeros((4, 4)), picture())
