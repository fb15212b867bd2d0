"""A made picture is told from a real one by its mark: as made, saved and read, turned; never by chance."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image as Pil

from medsegr.io.read import image_from_array, read_image
from medsegr.modality.synthetic import LENGTH, is_made, marked
from medsegr.phantom import KINDS, make, write_set

WIDE = st.tuples(st.integers(LENGTH, 90), st.integers(LENGTH, 90))


@given(arrays.arrays(np.uint8, WIDE), st.integers(0, 3), st.booleans())
def test_a_marked_picture_is_known_in_every_right_angle_and_hardly_changed(
    picture: np.ndarray, turns: int, mirrored: bool
) -> None:
    told = marked(picture)
    assert int(np.abs(told.astype(int) - picture).max()) <= 1
    assert (told[1:] == picture[1:]).all()
    np.testing.assert_array_equal(marked(told), told)
    turned = np.rot90(told[:, ::-1] if mirrored else told, turns)
    assert is_made(turned[None].astype(np.float32))


@given(arrays.arrays(np.uint8, WIDE))
def test_another_picture_is_not(picture: np.ndarray) -> None:
    assert not is_made(picture[None].astype(np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_phantom_carries_it_in_memory_and_on_disk(kind: str, tmp_path: Path) -> None:
    case = make(kind, np.random.default_rng(1), 96)
    assert is_made(image_from_array(case.image).data)
    table = write_set(kind, 0, 1, 96, tmp_path)
    (file,) = (table.parent / "images").iterdir()
    assert is_made(read_image(file).data)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_of_made_pictures_is_made(axis: int) -> None:
    """As the example of the page is: one picture in the middle slices, others around."""
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 256, (6, 70, 80), dtype=np.uint8)
    assert not is_made(np.moveaxis(stack, 0, axis)[None].astype(np.float32))
    stack[3] = marked(stack[3])
    assert is_made(np.moveaxis(stack, 0, axis)[None].astype(np.float32))


def test_what_is_too_small_or_lossy_is_taken_for_real(tmp_path: Path) -> None:
    picture = marked(np.random.default_rng(0).integers(0, 256, (70, 70), dtype=np.uint8))
    assert is_made(picture[None].astype(np.float32))
    assert not is_made(picture[None, : LENGTH - 1, : LENGTH - 1].astype(np.float32))
    assert not is_made(picture[None] / np.float32(255))
    assert not is_made(picture[None] * np.float32(257))
    assert not is_made(picture[None] + np.float32(256))
    Pil.fromarray(picture).save(tmp_path / "a.jpg", quality=80)
    assert not is_made(read_image(tmp_path / "a.jpg").data)
