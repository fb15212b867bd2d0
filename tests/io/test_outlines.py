"""Outlines of masks and masks of outlines: exact both ways, also for another program's way to fill."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.draw import polygon2mask

from medsegr.io.outlines import fill, outlines, steps_of

RING = np.array(
    [
        [1, 1, 1, 1, 1],
        [1, 0, 0, 0, 1],
        [1, 0, 1, 0, 1],
        [1, 0, 0, 0, 1],
        [1, 1, 1, 1, 1],
    ],
    bool,
)


def whole(contours: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    box, (row, column) = fill(contours, shape)
    mask[row : row + box.shape[0], column : column + box.shape[1]] = box
    return mask


@settings(max_examples=300)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 16), st.integers(1, 16)),
    st.sampled_from([0.03, 0.2, 0.5, 0.8, 0.97]),
)
def test_a_mask_comes_back_bit_by_bit(seed: int, shape: tuple[int, int], share: float) -> None:
    """Holes, islands in holes, single pixels, lines, pixels that touch at a corner, masks up to the edge;
    whether contours are united, taken as XOR, or filled by scikit-image."""
    mask = np.random.default_rng(seed).random(shape) < share
    found = outlines(mask)
    assert len(found) == ndimage.label(mask)[1]
    if not found:
        return
    np.testing.assert_array_equal(whole(found, shape), mask)
    each = [whole([one], shape) for one in found]
    np.testing.assert_array_equal(np.any(each, axis=0), mask)
    assert sum(int(one.sum()) for one in each) == mask.sum()  # no two share a pixel
    others = [polygon2mask(shape, one) for one in found]
    np.testing.assert_array_equal(np.any(others, axis=0), mask)


def area(points: np.ndarray) -> float:
    ahead = np.roll(points, -1, axis=0)
    return float((points[:, 1] * ahead[:, 0] - points[:, 0] * ahead[:, 1]).sum()) / 2


def test_the_area_of_the_contours_is_that_of_the_pixels() -> None:
    mask = np.random.default_rng(7).random((40, 30)) < 0.6
    assert sum(area(one) for one in outlines(mask)) == pytest.approx(mask.sum())


def test_one_pixel_is_a_square_and_a_line_a_rectangle() -> None:
    mask = np.zeros((4, 9), bool)
    mask[1, 2], mask[3, 4:8] = True, True
    square, line = outlines(mask)
    assert sorted(map(tuple, square)) == [(0.5, 1.5), (0.5, 2.5), (1.5, 1.5), (1.5, 2.5)]
    assert sorted(map(tuple, line)) == [(2.5, 3.5), (2.5, 7.5), (3.5, 3.5), (3.5, 7.5)]
    assert outlines(np.zeros((3, 3), bool)) == []


def test_a_hole_is_reached_by_a_channel_along_the_borders_of_pixels() -> None:
    ring, island = outlines(RING)
    assert len(ring) == 4 + 2 + 4 + 1  # corners of both, and the ends of the channel there and back
    assert len(island) == 4
    ends = [tuple(point) for point in ring]
    assert {point for point in ends if ends.count(point) == 2} == {(-0.5, 0.5), (0.5, 0.5)}
    assert (ring % 1 == 0.5).all()


def test_lines_belong_to_what_they_enclose() -> None:
    """Contours through the centres of pixels, as other writers draw them: the border is inside, that of a
    hole too, and what is as thin as a line does not vanish."""
    square = np.array([[1, 1], [1, 5], [5, 5], [5, 1]], float)
    hole = np.array([[2, 2], [2, 4], [4, 4], [4, 2]], float)
    expected = np.zeros((7, 7), bool)
    expected[1:6, 1:6] = True
    expected[3, 3] = False
    np.testing.assert_array_equal(whole([square, hole], (7, 7)), expected)
    np.testing.assert_array_equal(whole([square[::-1], hole], (7, 7)), expected)
    rounded = square + np.random.default_rng(0).uniform(-4e-4, 4e-4, square.shape)
    np.testing.assert_array_equal(whole([rounded, hole], (7, 7)), expected)
    for points, count in (
        ([[2, 3]], 1),
        ([[2, 1], [2, 4]], 4),
        ([[1, 1], [4, 4]], 4),
        ([[1.3, 1.2]], 0),
        ([[2.9995, 3]], 1),
        ([[3.0005, 3]], 1),
        ([[3, 3.0005]], 1),
    ):
        assert whole([np.array(points, float)], (7, 7)).sum() == count


def from_lines(place: np.ndarray, points: np.ndarray) -> float:
    """Pixels from a place to the nearest line of a closed contour."""
    run = np.roll(points, -1, axis=0) - points
    share = np.clip(((place - points) * run).sum(axis=1) / (run**2).sum(axis=1), 0, 1)
    return float(np.linalg.norm(points + share[:, None] * run - place, axis=1).min())


def test_a_slanted_contour_is_filled_as_another_program_fills_it() -> None:
    """Random polygons, crossing themselves too: equal but for centres that lie on a line."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        points = rng.uniform(-4, 24, (rng.integers(3, 9), 2))
        other = whole([points], (20, 21)) != polygon2mask((20, 21), points)
        assert all(from_lines(place, points) <= 1.01e-3 for place in np.argwhere(other))


def test_what_lies_outside_of_the_picture_is_cut_off() -> None:
    square = np.array([[-9, -9], [-9, 2.5], [2.5, 2.5], [2.5, -9]], float)
    assert whole([square], (8, 8)).sum() == 9
    for away in (square - 50, square + 50, square * [1, -1] + [0, -50]):
        assert not fill([away], (8, 8))[0].any()
    assert whole([square * 1e300], (8, 8)).sum() == 64


def test_the_cost_of_a_contour_counts_what_it_crosses() -> None:
    square = np.array([[0, 0], [0, 10], [10, 10], [10, 0]], float)
    assert steps_of(square, (20, 20)) == 44
    assert steps_of(square * 1e9, (20, 20)) < 100  # cut at the picture
