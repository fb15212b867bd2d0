"""A mask keeps to every click and every box, and is left alone where it does already."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from medsegr.prompts.boxes import framed
from medsegr.prompts.honour import REACH, followed, honoured, pixel_of, settled

GRID = (24, 31)
POINT = st.tuples(st.floats(-0.5, 30.5), st.floats(-0.5, 23.5), st.integers(0, 1))
MASKS = arrays.arrays(bool, GRID)


@given(MASKS, st.lists(POINT, max_size=12))
def test_every_click_is_kept(mask: np.ndarray, points: list[tuple[float, float, int]]) -> None:
    out = honoured(mask, points)
    assert followed(out, points) == 1
    assert (honoured(out, points) == out).all()
    if followed(mask, points) == 1:
        assert (out == mask).all()


@given(MASKS, POINT)
def test_one_click_changes_one_way_and_not_far(mask: np.ndarray, point: tuple[float, float, int]) -> None:
    out = honoured(mask, [point])
    changed = out != mask
    assert (out[changed] == bool(point[2])).all()
    rows, cols = np.nonzero(changed)
    row, col = pixel_of(point, GRID)
    assert (np.hypot(rows - row, cols - col) <= max(1.5, REACH * max(GRID))).all()


def test_of_two_words_on_one_pixel_the_last_counts() -> None:
    out = honoured(np.zeros(GRID, bool), [(5, 5, 1), (5, 5, 0)])
    assert not out[5, 5]
    assert honoured(np.zeros(GRID, bool), [(5, 5, 0), (5, 5, 1)])[5, 5]


def test_a_click_reaches_to_the_outline() -> None:
    mask = np.zeros((200, 200), bool)
    mask[:, 100:] = True
    out = honoured(mask, [(90, 100, 1)])
    assert out[100, 81]
    assert not out[100, 79]
    assert not honoured(mask, [(110, 100, 0)])[100, 101]


def test_only_the_piece_with_the_click_is_taken() -> None:
    before = np.zeros(GRID, bool)
    proposed = before.copy()
    proposed[2:5, 2:5] = proposed[15:20, 15:20] = True
    out = settled(before, proposed, (3, 3, 1))
    assert out[3, 3]
    assert not out[17, 17]
    assert settled(before, proposed, (25, 3, 1)) is before
    assert settled(before, proposed, (25, 3, 0)) is before


@given(MASKS, st.floats(0, 20), st.floats(0, 15), st.floats(0.5, 11), st.floats(0.5, 9))
def test_a_box_frames(mask: np.ndarray, x: float, y: float, wide: float, tall: float) -> None:
    out = framed(mask, ((x, y, x + wide, y + tall),))
    assert out.any()
    rows, cols = np.nonzero(out)
    assert cols.min() >= x - 1 - 0.05 * wide
    assert cols.max() <= x + wide + 0.05 * wide
    assert rows.min() >= y - 1 - 0.05 * tall
    assert rows.max() <= y + tall + 0.05 * tall


def test_what_fills_its_box_stays_and_what_does_not_becomes_an_ellipse() -> None:
    mask = np.zeros(GRID, bool)
    mask[4:14, 4:16] = True
    assert (framed(mask, ((4.0, 4.0, 16.0, 14.0),)) == mask).all()
    assert (framed(mask, ()) == mask).all()
    empty = framed(np.zeros(GRID, bool), ((4.0, 4.0, 16.0, 14.0),))
    assert empty[4:14, 4:16].mean() > 0.7
    assert not empty[4, 4]


def test_a_nameless_mask_must_also_cover_its_box_and_vessels_need_not() -> None:
    box = ((4.0, 4.0, 16.0, 14.0),)
    ring = np.zeros(GRID, bool)
    ring[4:14, 4:16] = True
    ring[6:12, 6:14] = False  # spans all of the box, covers .6 of it
    thin = ring.copy()
    thin[5:13, 5:15] = False  # .33
    assert (framed(ring, box, named=False) == ring).all()
    assert (framed(thin, box, named=True) == thin).all()
    kept = framed(thin, box, named=False)
    assert kept[9, 10]
    assert (kept | thin == kept).all()


def test_many_small_things_in_a_box_are_no_one_thing() -> None:
    many = np.zeros((60, 60), bool)
    for y in range(4, 56, 8):
        for x in range(4, 56, 8):
            many[y : y + 4, x : x + 4] = True  # a quarter of the box
    assert (framed(many, ((4.0, 4.0, 56.0, 56.0),), named=False) == many).all()


def test_what_is_missing_along_the_border_is_filled_as_far_as_anywhere() -> None:
    """A mask ends at the border of the picture, but what is missing there may go on along it."""
    out = honoured(np.zeros((100, 100), bool), [(50, 2, 1)])
    assert out[2, 42]
    gone = honoured(np.ones((100, 100), bool), [(50, 2, 0)])  # a mask is cut off no farther than to its end
    assert not gone[2, 50]
    assert gone[2, 42]
