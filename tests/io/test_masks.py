"""Masks on a grid: a frame lands where its place says, and a mask that lies elsewhere is refused."""

import numpy as np
import pytest

from medsegr.errors import GeometryError
from medsegr.io.dicom_geometry import Place
from medsegr.io.limits import Limits
from medsegr.io.masks import Canvas, MaskInfo, Masks, check_place, own_grid
from medsegr.types import Image

GRID = (3, 4, 5)  # slice, row, column
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
AFFINE = LPS_TO_RAS @ np.array(
    [[0, 0, 0.5, -10], [0, 0.5, 0, -20], [5, 0, 0, 30], [0, 0, 0, 1.0]]
)  # slices of 5 mm, pixels of half a millimetre


def grid(affine: np.ndarray | None = AFFINE) -> Image:
    return Image(np.zeros((1, *GRID), np.float32), affine, None if affine is None else (5.0, 0.5, 0.5))


def place(
    at: tuple[float, float, float],
    down: tuple[int, int, int] = (0, 1, 0),
    along: tuple[int, int, int] = (1, 0, 0),
) -> Place:
    """``at``: LPS+ mm of the first pixel."""
    return Place(np.array(at, float), np.array(down, float), np.array(along, float), (0.5, 0.5), (2, 2), 5.0)


def masks(canvas: Canvas) -> Masks:
    return Masks(grid(), (MaskInfo(1, "a"), MaskInfo(2, "b")), canvas.layers)


def test_a_frame_lands_where_its_place_says_whichever_way_it_runs() -> None:
    frame = np.array([[1, 1], [0, 1]])
    canvas = Canvas(grid(), Limits())
    canvas.paint(frame, canvas.lines(place((-9.5, -19.0, 35))))  # one column and two rows in, second slice
    canvas.paint(frame == 1, canvas.lines(place((-8.0, -18.5, 40), (0, -1, 0), (-1, 0, 0))), number=2)
    one, two = (np.argwhere(masks(canvas).mask(number)).tolist() for number in (1, 2))
    assert one == [[1, 2, 1], [1, 2, 2], [1, 3, 2]]
    assert two == [[2, 2, 3], [2, 3, 3], [2, 3, 4]]


def test_what_is_painted_twice_is_held_once_and_overlaps_are_kept() -> None:
    canvas = Canvas(grid(), Limits())
    lines = canvas.slice_lines(1)
    for _ in range(2):
        canvas.paint(np.ones(GRID[1:], bool), lines, number=1)
    assert len(canvas.layers) == 1
    canvas.paint(np.eye(4, 5, dtype=bool), lines, number=2)
    assert len(canvas.layers) == 2
    assert masks(canvas).mask(1).sum() == 20
    assert np.array_equal(masks(canvas).mask(2)[1], np.eye(4, 5, dtype=bool))


@pytest.mark.parametrize(
    "at",
    [(-10.5, -20, 30), (-10, -20.5, 30), (-10, -20, 25), (-7.5, -20, 30), (-10, -18, 30), (-10, -20, 45)],
)
def test_a_voxel_outside_of_the_image_is_refused(at: tuple[float, float, float]) -> None:
    canvas = Canvas(grid(), Limits())
    lines = canvas.lines(place(at))
    canvas.paint(np.zeros((2, 2), bool), lines, number=1)  # nothing is set: nothing lies outside
    with pytest.raises(GeometryError, match="outside of the image"):
        canvas.paint(np.ones((2, 2), bool), lines, number=1)


def test_pixels_between_the_voxels_are_refused() -> None:
    canvas = Canvas(grid(), Limits())
    assert canvas.lines(place((-10 + 0.04, -20, 30)))[0].tolist() == [0, 0, 0]
    with pytest.raises(GeometryError, match=r"0\.2 voxels beside"):
        canvas.lines(place((-10 + 0.1, -20, 30)))


@pytest.mark.parametrize("axis", range(3))
def test_a_mask_may_lie_a_tenth_of_the_smallest_step_away(axis: int) -> None:
    near, far = AFFINE.copy(), AFFINE.copy()
    near[axis, 3] += 0.04
    far[axis, 3] += 0.06
    check_place(grid(near), grid())
    with pytest.raises(GeometryError, match=r"0\.06 mm apart"):
        check_place(grid(far), grid())
    with pytest.raises(GeometryError, match="apart in the patient"):
        check_place(grid(AFFINE @ np.diag([1, 1, 1.1, 1])), grid())  # the same corner, another step
    drifted = AFFINE.copy()  # at the far corner rows and columns add up
    drifted[2, 1] += 0.03 / 3
    drifted[2, 2] += 0.03 / 4
    with pytest.raises(GeometryError, match=r"0\.06 mm apart"):
        check_place(grid(drifted), grid())
    check_place(grid(None), grid())


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_smallest_grid_starts_at_its_lowest_slice_whatever_the_order(order: tuple[int, ...]) -> None:
    heights = (30, 35, 45)
    affine, shape = own_grid([place((-10, -20, heights[i])) for i in order], None)
    assert shape == (4, 2, 2)
    np.testing.assert_allclose(LPS_TO_RAS @ affine @ [0, 0, 0, 1], [-10, -20, 30, 1])
    np.testing.assert_allclose(LPS_TO_RAS @ affine @ [3, 1, 0, 1], [-10, -19.5, 45, 1])


def test_frames_that_are_no_even_stack_have_no_grid_of_their_own() -> None:
    for strange in (place((-10, -20, 37)), place((-9, -20, 40)), place((-10, -20, 40), (0, -1, 0))):
        with pytest.raises(GeometryError, match="give the image that"):
            own_grid([place((-10, -20, 30)), place((-10, -20, 35)), strange], 5.0)
