"""Slices in the usual view: all 48 ways in which axes can lie, and oblique ones."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.errors import GeometryError
from medsegr.grid.planes import (
    VIEWS,
    Plane,
    axis_letters,
    from_slices,
    neighbours,
    patient_left,
    plane_of,
    points_to_view,
    shows_rows,
    tilted,
    to_slices,
)
from medsegr.types import Image

GRID = (4, 5, 6)
ORIENTATIONS = [
    tuple(pair[sign] for pair, sign in zip(axes, signs, strict=True))
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for signs in itertools.product((0, 1), repeat=3)
]
WORLD = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def affine_for(letters: tuple[str, ...], spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for grid, letter in enumerate(letters):
        world, sign = WORLD[letter]
        affine[world, grid] = sign * spacing[grid]
    affine[:3, 3] = (10, -20, 30)
    return affine


def volume(letters: tuple[str, ...], spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Image:
    data = np.arange(np.prod(GRID), dtype=np.float32).reshape(1, *GRID)
    return Image(data, affine_for(letters, spacing), spacing, "MR", axes=None)


def test_there_are_48() -> None:
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("letters", ORIENTATIONS, ids="".join)
def test_letters_are_read_from_the_affine(letters: tuple[str, ...]) -> None:
    assert axis_letters(affine_for(letters, (0.5, 2.0, 1.0))) == letters


@pytest.mark.parametrize("letters", ORIENTATIONS, ids="".join)
def test_round_trip_is_exact(letters: tuple[str, ...]) -> None:
    image = volume(letters)
    plane = plane_of(image)
    slices = to_slices(image.data, plane)
    np.testing.assert_array_equal(from_slices(slices, plane), image.data)
    assert from_slices(slices, plane).shape == image.data.shape


@pytest.mark.parametrize("letters", ORIENTATIONS, ids="".join)
@pytest.mark.parametrize("thick", [0, 1, 2])
def test_slices_lie_in_the_usual_view(letters: tuple[str, ...], thick: int) -> None:
    """Rows and columns of the slices grow in the view's directions, seen by the voxels' mm coordinates."""
    spacing = tuple(5.0 if axis == thick else 1.0 for axis in range(3))
    image = volume(letters, spacing)
    plane = plane_of(image)
    assert plane.order[0] == thick
    index = np.stack(np.meshgrid(*(np.arange(n) for n in GRID), indexing="ij"))
    world = np.einsum("wg,g...->w...", image.affine[:3, :3], index)
    n, h, w = (to_slices(world, plane).shape[1 + i] for i in range(3))
    turned = to_slices(world, plane)
    steps = (turned[:, -1, 0, 0], turned[:, 0, -1, 0], turned[:, 0, 0, -1])
    for step, size, letter in zip(steps, (n, h, w), (plane.normal, *VIEWS[plane.normal]), strict=True):
        axis, sign = WORLD[letter]
        assert (step - turned[:, 0, 0, 0])[axis] * sign > 0, letter
        assert size > 1


@pytest.mark.parametrize("letters", ORIENTATIONS, ids="".join)
def test_equal_spacing_means_axial(letters: tuple[str, ...]) -> None:
    assert plane_of(volume(letters)).normal == "S"
    assert patient_left(volume(letters)) == "right"


@pytest.mark.parametrize(("widest", "normal"), [(2.5, "S"), (2.51, "A")])
def test_a_volume_is_cut_across_a_spacing_of_more_than_two_and_a_half_others(
    widest: float, normal: str
) -> None:
    assert plane_of(volume(("L", "P", "S"), (1.0, widest, 1.0))).normal == normal


def test_sagittal_slices_have_no_left() -> None:
    image = volume(("R", "A", "S"), (5.0, 1.0, 1.0))
    assert plane_of(image).normal == "R"
    assert patient_left(image) is None


@given(st.permutations([0, 1, 2]), st.tuples(st.booleans(), st.booleans(), st.booleans()), st.integers(0, 2))
def test_every_turn_has_its_inverse(order: list[int], flips: tuple[bool, bool, bool], lead: int) -> None:
    plane = Plane((order[0], order[1], order[2]), flips, "S")
    shape = (2, 3)[:lead] + GRID
    array = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(from_slices(to_slices(array, plane), plane), array)


@given(st.floats(-0.6, 0.6), st.sampled_from(ORIENTATIONS))
def test_a_gantry_tilt_keeps_the_letters(angle: float, letters: tuple[str, ...]) -> None:
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = affine_for(letters)
    affine[:3, :3] = turn @ affine[:3, :3]
    assert axis_letters(affine) == letters


def test_forty_five_degrees_still_use_each_axis_once() -> None:
    c = np.sqrt(0.5)
    affine = np.eye(4)
    affine[:3, :3] = [[c, -c, 0], [c, c, 0], [0, 0, 1]]
    assert {"RL".find(x) >= 0 for x in axis_letters(affine)} == {True, False}
    assert axis_letters(affine)[2] == "S"


@pytest.mark.parametrize("broken", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.diag([1.0, 0.0, 1.0, 1.0])])
def test_broken_affines_are_refused(broken: np.ndarray) -> None:
    with pytest.raises(GeometryError, match="singular or not finite"):
        axis_letters(broken)


def test_a_volume_without_geometry_is_taken_as_it_lies() -> None:
    image = Image(np.zeros((1, *GRID), np.float32))
    assert plane_of(image) == Plane((0, 1, 2), (False, False, False), "S")


PICTURES = [
    tuple(pair[sign] for pair, sign in zip(axes, signs, strict=True))
    for axes in itertools.permutations(("RL", "AP", "SI"), 2)
    for signs in itertools.product((0, 1), repeat=2)
]


def drawn(letters: tuple[str, ...], frame: str = "patient") -> Image:
    data = np.arange(20, dtype=np.float32).reshape(1, 4, 5)
    return Image(data, frame=frame, axes=letters)  # type: ignore[arg-type]


@pytest.mark.parametrize("letters", PICTURES, ids="".join)
def test_pictures_are_turned_and_come_back(letters: tuple[str, ...]) -> None:
    picture = drawn(letters)
    plane = plane_of(picture)
    seen = to_slices(picture.data, plane)
    np.testing.assert_array_equal(from_slices(seen, plane), picture.data)
    opposite = dict(zip("RLAPSI", "LRPAIS", strict=True))
    shown = [letters[axis] for axis in plane.order]
    turned = [opposite[x] if flip else x for x, flip in zip(shown, plane.flips, strict=True)]
    assert tuple(turned) == VIEWS[plane.normal]


@pytest.mark.parametrize("letters", PICTURES, ids="".join)
def test_points_go_where_their_pixels_go(letters: tuple[str, ...]) -> None:
    picture = drawn(letters)
    plane = plane_of(picture)
    seen = to_slices(picture.data, plane)[0]
    stored = np.array([(x, y) for y in range(4) for x in range(5)], float)
    there = points_to_view(stored, plane, picture.grid).astype(int)
    assert [seen[y, x] for x, y in there] == [picture.data[0, int(y), int(x)] for x, y in stored]


def test_pictures_of_the_viewer_stay_as_they_are() -> None:
    plane = plane_of(drawn(("S", "R"), frame="viewer"))
    assert (plane.order, plane.flips) == ((0, 1), (False, False))


@pytest.mark.parametrize(
    ("frame", "axes", "expected"),
    [
        ("viewer", ("I", "L"), None),
        ("patient", None, "right"),
        ("patient", ("I", "L"), "right"),
        ("patient", ("I", "R"), "right"),
        ("patient", ("I", "P"), None),
        ("patient", ("L", "I"), "right"),
        ("patient", ("I", "?"), "right"),
    ],
)
def test_patient_left_in_a_picture(frame: str, axes: tuple[str, ...] | None, expected: str | None) -> None:
    picture = Image(np.zeros((1, 4, 5), np.float32), frame=frame, axes=axes)  # type: ignore[arg-type]
    assert patient_left(picture) == expected


def test_neighbours_repeat_at_the_ends() -> None:
    stack = np.arange(3)[:, None, None] * np.ones((3, 2, 2))
    assert neighbours(stack, 0)[:, 0, 0].tolist() == [0, 0, 1]
    assert neighbours(stack, 2)[:, 0, 0].tolist() == [1, 2, 2]


def test_a_head_nods_about_the_axis_between_its_sides() -> None:
    stack = np.zeros((21, 21, 9), np.uint8)
    stack[10, 2, 6] = 200  # in the front, at one side
    up = tilted(stack, 90, 1.0)
    assert np.argwhere(up > 100).tolist() == [[18, 10, 6]]  # the front is on top now; the side is the same
    assert np.argwhere(tilted(stack, -90, 1.0) > 100).tolist() == [[2, 10, 6]]


@pytest.mark.parametrize("degrees", [-27.0, 14.0])
def test_nodding_keeps_lengths_in_millimetres(degrees: float) -> None:
    ratio = 2.0
    z, y, x = np.indices((41, 81, 5)).astype(float)
    ball = ((z - 20) * ratio) ** 2 + (y - 40) ** 2 + (5 * (x - 2)) ** 2 < 24**2
    nodded = tilted(ball, degrees, ratio) >= 0.5
    assert (nodded & ball).sum() > 0.97 * ball.sum()  # a ball stays a ball, in slices twice as far apart
    assert (nodded & ball).sum() > 0.97 * nodded.sum()


def test_back_and_forth_is_nearly_the_same() -> None:
    rng = np.random.default_rng(0)
    smooth = np.zeros((16, 20, 6), np.float32)
    smooth[5:11, 6:14] = rng.random(6)
    back = tilted(tilted(smooth, 20, 1.5), -20, 1.5)
    assert np.abs(back - smooth)[7:9, 8:12].max() < 0.02
    assert np.array_equal(tilted(smooth, 0, 1.5), smooth)


def test_channels_nod_alike() -> None:
    stack = np.random.default_rng(1).random((2, 5, 6, 7), np.float32)
    both = tilted(stack, 11, 1.0)
    assert np.array_equal(both[1], tilted(stack[1], 11, 1.0))


@pytest.mark.parametrize(
    ("axes", "flips"),
    [
        (("L", "P"), (False, False)),  # from above
        (("R", "A"), (False, False)),
        (("I", "A"), (False, False)),  # oblique
        (("I", "P"), (False, False)),
        (("S", "A"), (True, False)),  # head below
        (None, (False, False)),
    ],
)
def test_a_mammogram_hangs_by_the_breast(axes: tuple[str, ...] | None, flips: tuple[bool, ...]) -> None:
    """A view from above (CC) is no axial slice: the chest stays at the picture's side."""
    picture = Image(np.zeros((1, 4, 5), np.float32), modality="MG", axes=axes)
    assert plane_of(picture) == Plane((0, 1), flips, "?")
    assert patient_left(picture) is None


@pytest.mark.parametrize(
    ("modality", "axes", "shown"),
    [
        ("MG", ("L", "P"), False),  # from above
        ("MG", ("R", "A"), False),
        ("MG", ("I", "A"), True),
        ("MG", ("S", "A"), True),
        ("MG", None, True),  # nobody said
        ("MG", ("?", "?"), True),
        ("CT", ("P", "L"), True),  # thirds of the picture
    ],
)
def test_up_is_a_part_of_every_picture_but_a_mammogram_from_above(
    modality: str, axes: tuple[str, ...] | None, shown: bool
) -> None:
    assert shows_rows(Image(np.zeros((1, 4, 5), np.float32), modality=modality, axes=axes)) == shown


def test_slices_of_a_tomosynthesis_hang_by_the_breast() -> None:
    stack = Image(np.zeros((1, 3, 4, 5), np.float32), modality="MG", axes=("S", "L", "P"))
    assert plane_of(stack).order == (0, 1, 2)
    assert plane_of(stack).flips == (False, False, False)


def test_what_nods_in_from_outside_repeats_the_border() -> None:
    assert (tilted(np.full((9, 11, 4), 7, np.uint8), 25, 1.5) == 7).all()


@pytest.mark.parametrize("letters", ORIENTATIONS, ids="".join)
@pytest.mark.parametrize(
    ("modality", "spacing", "cut"),
    [
        ("MR", (1.0, 1.0, 2.0), "S"),  # twice as wide is seen best axially
        ("MR", (1.0, 1.0, 4.0), None),
        ("CT", (1.0, 1.0, 4.0), "S"),  # thick coronal slices of a CT were put together from axial ones
        ("PT", (4.0, 1.0, 1.0), "S"),
    ],
)
def test_a_volume_is_cut_axially_or_across_thick_slices(
    letters: tuple[str, ...], modality: str, spacing: tuple[float, ...], cut: str | None
) -> None:
    image = Image(np.zeros((1, 10, 10, 10), np.float32), affine_for(letters, spacing), spacing, modality)
    plane = plane_of(image)
    assert plane.normal == (cut or {"R": "R", "L": "R", "A": "A", "P": "A"}.get(letters[2], "S"))


@pytest.mark.parametrize("letters", ORIENTATIONS, ids="".join)
@pytest.mark.parametrize("flat", [0, 1, 2])
def test_a_slice_saved_as_a_volume_is_that_slice(letters: tuple[str, ...], flat: int) -> None:
    grid = [12, 14, 16]
    grid[flat] = 1
    image = Image(np.zeros((1, *grid), np.float32), affine_for(letters), (1.0, 1.0, 1.0), "MR")
    assert plane_of(image).order[0] == flat
