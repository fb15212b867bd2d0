"""Numbers of masks against what geometry says they are."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from medsegr.measure import axes_of, max_diameter, measure, with_structures
from medsegr.types import Finding, FindingResult, Image, Location, Source


def picture(h: int = 40, w: int = 60, spacing: tuple[float, ...] | None = (0.5, 0.25)) -> Image:
    affine = None if spacing is None else np.diag([spacing[0], spacing[1], 1.0, 1.0])
    return Image(np.ones((1, h, w), np.float32), affine, spacing, "CR")


def test_a_rectangle_has_its_area_diagonal_centre_and_box() -> None:
    mask = np.zeros((40, 60), bool)
    mask[10:20, 8:28] = True
    found = measure(picture(), mask)
    assert (found["area"].value, found["area"].unit, found["area"].status) == (10 * 20 * 0.125, "mm2", "ok")
    assert found["max_diameter"].value == pytest.approx(math.hypot(10 * 0.5, 20 * 0.25), rel=1e-4)
    assert (found["centroid_y"].value, found["centroid_x"].value) == (14.5, 17.5)
    box = [found[f"box_{k}"].value for k in ("x0", "y0", "x1", "y1")]
    assert box == [8, 10, 28, 20]
    assert found["centroid_mm_r"].value == pytest.approx(14.5 * 0.5)
    assert found["centroid_mm_a"].value == pytest.approx(17.5 * 0.25)
    assert found["mean_intensity"].value == 1.0


def test_a_sphere_in_anisotropic_voxels_has_its_volume_and_diameter() -> None:
    spacing = (1.0, 1.0, 2.5)
    i, j, k = np.mgrid[:64, :64, :26]
    mask = (i - 32) ** 2 + (j - 32) ** 2 + ((k - 13) * 2.5) ** 2 <= 20**2
    image = Image(np.zeros((1, *mask.shape), np.float32), np.diag([*spacing, 1.0]), spacing, "CT")
    found = measure(image, mask)
    assert found["volume"].value == pytest.approx(4 / 3 * math.pi * 20**3, rel=0.02)
    assert found["max_diameter"].value == pytest.approx(41, abs=2.0)
    assert found["volume"].unit == "mm3"
    assert found["mean_intensity"].unit == "HU"
    assert (found["centroid_i"].value, found["centroid_k"].value) == (32, 13)


def test_grey_values_of_a_ct_in_a_picture_file_are_no_hounsfield_units() -> None:
    mask = np.zeros((8, 8), bool)
    mask[2:5, 2:5] = True
    grey = Image(np.full((1, 8, 8), 51, np.float32), modality="CT", source=Source(kind="png"))
    found = measure(grey, mask)
    assert (found["mean_intensity"].value, found["mean_intensity"].unit) == (51.0, "1")
    assert measure(grey, np.zeros((8, 8), bool))["sd_intensity"].unit == "1"


def test_without_spacing_nothing_is_in_mm() -> None:
    mask = np.zeros((40, 60), bool)
    mask[3:5, 3:5] = True
    found = measure(picture(spacing=None), mask)
    for name in ("area", "max_diameter", "centroid_mm_r"):
        assert (found[name].value, found[name].status) == (None, "no_spacing")
    assert found["pixels"].value == 4


def test_an_empty_mask_says_so_everywhere() -> None:
    found = measure(picture(), np.zeros((40, 60), bool))
    assert found["pixels"].value == 0
    assert {m.status for m in found.values()} == {"empty"}
    assert all(m.value is None for name, m in found.items() if name != "pixels")


def test_a_mask_cut_by_the_border_keeps_the_partial_value_and_says_so() -> None:
    mask = np.zeros((40, 60), bool)
    mask[:4, 5:10] = True
    found = measure(picture(), mask)
    assert found["area"].status == found["max_diameter"].status == "cut_by_border"
    assert found["area"].value == 20 * 0.125


def test_intensity_that_is_no_number_is_said() -> None:
    image = Image(np.full((1, 9, 9), np.nan, np.float32))
    found = measure(image, np.eye(9, dtype=bool))
    assert (found["mean_intensity"].value, found["mean_intensity"].status) == (None, "no_value")


def test_a_mask_of_another_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the image's"):
        measure(picture(), np.zeros((40, 59), bool))


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.2, 3.0), st.floats(0.2, 3.0))
def test_diameter_is_never_below_the_sides_nor_above_their_sum(h: int, w: int, a: float, b: float) -> None:
    mask = np.zeros((14, 14), bool)
    mask[1 : 1 + h, 1 : 1 + w] = True
    found = max_diameter(Image(np.zeros((1, 14, 14), np.float32), None, (a, b)), mask)
    assert max(h * a, w * b) * (1 - 1e-3) <= found <= math.hypot(h * a, w * b) * (1 + 1e-9)


def test_an_affine_without_a_spacing_gives_no_millimetres() -> None:
    image = Image(np.ones((1, 8, 8), np.float32), np.eye(4), None, "CR")
    found = measure(image, np.eye(8, dtype=bool))
    assert {found[name].status for name in ("area", "centroid_mm_r", "max_diameter")} == {"no_spacing"}


TILT = Rotation.from_euler("xyz", [13, -21, 37], degrees=True).as_matrix()
GRIDS = {
    "isotropic": (np.eye(3), (1.0, 1.0, 1.0)),
    "anisotropic": (np.eye(3), (0.7, 0.9, 2.1)),
    "oblique": (TILT, (0.8, 1.3, 0.9)),
    "mirrored": (TILT @ np.diag([-1.0, 1.0, 1.0]), (2.0, 0.7, 0.7)),
    "turned": (np.eye(3)[:, [2, 0, 1]], (1.5, 0.6, 1.0)),
}


def body(grid: str, half: tuple[float, float, float], kind: str) -> tuple[Image, np.ndarray, np.ndarray]:
    """An ellipsoid or box of these half axes in mm along the patient's axes, off every voxel centre."""
    directions, spacing = GRIDS[grid]
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    shape = tuple(int(np.ceil(2 * 1.9 * max(half) / step)) + 6 for step in spacing)
    middle = affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    centre = np.array([12.3, -45.6, 78.9])
    affine[:3, 3] = centre - middle + 0.31
    index = np.stack(np.indices(shape), axis=-1)
    away = (index @ affine[:3, :3].T + affine[:3, 3] - centre) / half
    mask = (away**2).sum(axis=-1) <= 1 if kind == "ellipsoid" else (np.abs(away) <= 1).all(axis=-1)
    data = np.full((1, *shape), 40.0, np.float32)
    return Image(data, affine, spacing, "CT", "patient"), mask, centre


@pytest.mark.parametrize("half", [(25.0, 25.0, 25.0), (32.0, 19.0, 24.0)], ids=["sphere", "ellipsoid"])
@pytest.mark.parametrize("grid", GRIDS)
def test_volume_and_centre_of_balls_on_any_grid(grid: str, half: tuple[float, float, float]) -> None:
    image, mask, centre = body(grid, half, "ellipsoid")
    found = measure(image, mask)
    assert found["volume"].value == pytest.approx(4 / 3 * math.pi * math.prod(half), rel=0.01)
    world = np.array([found[f"centroid_mm_{name}"].value for name in "ras"])
    assert np.linalg.norm(world - centre) < 0.5 * min(image.spacing or ())
    assert found["max_diameter"].value == pytest.approx(2 * max(half), abs=2 * max(image.spacing or ()))
    assert (found["components"].value, found["volume"].status) == (1, "ok")


@pytest.mark.parametrize("grid", ["isotropic", "anisotropic", "turned"])
def test_volume_and_box_of_a_box(grid: str) -> None:
    directions, spacing = GRIDS[grid]
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    mask = np.zeros((20, 24, 28), bool)
    mask[3:13, 5:17, 7:21] = True
    found = measure(Image(np.zeros((1, *mask.shape), np.float32), affine, spacing, "CT"), mask)
    assert found["volume"].value == pytest.approx(10 * 12 * 14 * math.prod(spacing))
    centre = affine[:3, :3] @ (7.5, 10.5, 13.5)
    world = [found[f"centroid_mm_{name}"].value for name in "ras"]
    np.testing.assert_allclose(world, centre)
    assert [found[f"box_{axis}{end}"].value for axis in "ijk" for end in "01"] == [3, 13, 5, 17, 7, 21]


def test_the_volume_of_a_sheared_grid_is_its_determinant() -> None:
    affine = np.array([[1.0, 0.5, 0, 0], [0, 1.0, 0, 0], [0, 0, 2.0, 0], [0, 0, 0, 1]])
    spacing = tuple(float(v) for v in np.linalg.norm(affine[:3, :3], axis=0))
    mask = np.zeros((8, 8, 8), bool)
    mask[2:6, 2:6, 2:6] = True
    image = Image(np.zeros((1, 8, 8, 8), np.float32), affine, spacing, "MR")
    assert measure(image, mask)["volume"].value == pytest.approx(64 * 2.0)


def test_the_diameter_in_a_sheared_grid_is_that_in_the_body() -> None:
    """As of a tilted gantry that was stored as it lies: slices are shifted sideways."""
    affine = np.array([[1.0, 0, 1.0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1]])
    mask = np.zeros((12, 3, 12), bool)
    mask[np.arange(1, 11), 1, np.arange(1, 11)] = True
    image = Image(np.zeros((1, *mask.shape), np.float32), affine, (1.0, 1.0, math.sqrt(2)), "CT")
    corners = np.array([[1, 1, 1], [11, 2, 11]]) @ affine[:3, :3].T
    expected = np.linalg.norm(corners[1] - corners[0])
    assert measure(image, mask)["max_diameter"].value == pytest.approx(expected, rel=2e-3)


def test_axes_of_an_ellipse_are_its_own_whatever_its_angle() -> None:
    y, x = np.mgrid[:200, :240].astype(float)
    for degrees in (0, 17, 45, 80, 133):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        u, v = c * (x - 120) + s * (y - 100) * 0.8, -s * (x - 120) + c * (y - 100) * 0.8
        mask = (u / 60) ** 2 + (v / 25) ** 2 <= 1
        image = Image(np.zeros((1, 200, 240), np.float32), None, (0.8, 1.0), "CR")
        found = measure(image, mask)
        assert found["long_axis"].value == pytest.approx(120, rel=0.02)
        assert found["short_axis"].value == pytest.approx(50, rel=0.03)


def test_axes_of_a_volume_are_those_of_its_longest_axial_slice() -> None:
    mask = np.zeros((30, 30, 30), bool)  # i: right, j: front, k: head
    mask[5:15, 5:11, 3] = True  # a slice of 10 x 6 mm
    mask[5:8, 5:8, 3:28] = True  # a rod of 25 mm along the body, which RECIST does not count
    image = Image(np.zeros((1, 30, 30, 30), np.float32), np.eye(4), (1.0, 1.0, 1.0), "CT")
    found = measure(image, mask)
    assert found["long_axis"].value == pytest.approx(math.hypot(10, 6), rel=1e-6)
    assert found["max_diameter"].value > 25
    ends = axes_of(image, mask).ends
    assert set(ends[:, 2]) == {3.0}
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(found["long_axis"].value)
    assert np.linalg.norm(ends[3] - ends[2]) == pytest.approx(found["short_axis"].value)
    assert abs((ends[1] - ends[0]) @ (ends[3] - ends[2])) < 1e-6


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 3), st.floats(0.3, 3))
def test_the_short_axis_is_never_longer_and_the_ends_are_where_it_says(seed: int, a: float, b: float) -> None:
    mask = np.random.default_rng(seed).random((9, 11)) > 0.8
    mask[4, 5] = True
    image = Image(np.zeros((1, 9, 11), np.float32), None, (a, b), "CR")
    axes = axes_of(image, mask)
    assert 0 < axes.short <= axes.long * (1 + 1e-9)
    assert axes.long == pytest.approx(max_diameter(image, mask), rel=2e-3)
    for length, ends in ((axes.long, axes.ends[:2]), (axes.short, axes.ends[2:])):
        assert np.linalg.norm((ends[1] - ends[0]) * (a, b)) == pytest.approx(length, rel=1e-6)


def test_few_voxels_are_too_small_to_be_sized() -> None:
    mask = np.zeros((40, 60), bool)
    mask[5, 5:8] = True
    found = measure(picture(), mask)
    for name in ("area", "long_axis", "short_axis", "max_diameter", "sd_intensity"):
        assert found[name].status == "too_small", name
    assert found["area"].value == 3 * 0.125
    assert (found["centroid_x"].value, found["centroid_x"].status) == (6, "ok")
    one = np.zeros((40, 60), bool)
    one[3, 3] = True
    assert (measure(picture(), one)["sd_intensity"].value) is None


def test_pieces_intensity_and_its_spread() -> None:
    data = np.zeros((1, 20, 20), np.float32)
    data[0, 2:4, 2:4] = [[10, 20], [30, 40]]
    mask = np.zeros((20, 20), bool)
    mask[2:4, 2:4] = True
    found = measure(Image(data, None, (1.0, 1.0), "CT"), mask)
    assert (found["mean_intensity"].value, found["mean_intensity"].unit) == (25, "HU")
    assert found["sd_intensity"].value == pytest.approx(np.std([10, 20, 30, 40], ddof=1))
    mask[4, 4] = True  # a shared corner is one piece
    mask[10, 10] = True
    assert measure(Image(data, None, (1.0, 1.0), "CT"), mask)["components"].value == 2


def result(number: int, name: str, mask: np.ndarray, image: Image, side: str | None = None) -> FindingResult:
    finding = Finding(f"f{number}", name, (0, 1), name, location=Location(side=side))
    return FindingResult(finding, "segmented", mask=mask, measurements=measure(image, mask))


def test_the_nearest_named_structure_in_mm() -> None:
    image = Image(np.zeros((1, 40, 60), np.float32), None, (2.0, 0.5), "CR")
    masks = np.zeros((4, 40, 60), bool)
    masks[0, 10:14, 10:14] = True  # nodule
    masks[1, 20:30, 10:14] = True  # left lung: rows 13 -> 20, 7 steps of 2 mm
    masks[2, 10:14, 30:40] = True  # right lung: columns 13 -> 30, 17 steps of 0.5 mm
    masks[3, 12:16, 12:16] = True  # mass, over the nodule, no structure
    results = [
        result(1, "nodule", masks[0], image),
        result(2, "lung", masks[1], image, "left"),
        result(3, "lung", masks[2], image, "right"),
        result(4, "mass", masks[3], image),
    ]
    found = [item.measurements or {} for item in with_structures(image, results)]
    first = found[0]["nearest_structure"]
    assert (first.value, first.unit, first.status, first.of) == (pytest.approx(8.5), "mm", "ok", "right lung")
    assert found[1]["nearest_structure"].of == "right lung"
    only = with_structures(image, [results[0], results[3]])
    assert all("nearest_structure" not in (item.measurements or {}) for item in only)
    inside = [result(1, "nodule", masks[1] & (np.arange(60) < 12), image), results[1]]
    told = (with_structures(image, inside)[0].measurements or {})["nearest_structure"]
    assert (told.value, told.status, told.of) == (0, "touching", "left lung")


def test_a_distance_in_a_turned_volume_is_in_the_patient() -> None:
    affine = np.eye(4)
    affine[:3, :3] = TILT * (2.0, 0.7, 0.7)
    spacing = (2.0, 0.7, 0.7)
    masks = np.zeros((2, 12, 30, 30), bool)
    masks[0, 2:5, 4:8, 4:8] = True
    masks[1, 8:10, 4:8, 4:8] = True
    image = Image(np.zeros((1, 12, 30, 30), np.float32), affine, spacing, "CT")
    found = measure(image, masks[0], {"liver": masks[1]})["nearest_structure"]
    assert (found.value, found.of) == (pytest.approx(4 * 2.0), "liver")


@given(seed=st.integers(0, 999))
def test_the_nearest_point_is_the_nearest_of_all(seed: int) -> None:
    """The search looks at few points first; all of them, one by one, have no nearer pair."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((3, 40, 60), bool)
    for mask, left in zip(masks, (0, 20, 40), strict=True):
        mask[:, left : left + 16] = rng.random((40, 16)) > rng.uniform(0.2, 0.95)
    image = Image(np.zeros((1, 40, 60), np.float32), None, (2.0, 0.5), "CR")
    points = [np.argwhere(mask) * (2.0, 0.5) for mask in masks]
    apart = [float(np.linalg.norm(points[0][:, None] - other, axis=-1).min()) for other in points[1:]]
    found = measure(image, masks[0], {"liver": masks[1], "spleen": masks[2]})["nearest_structure"]
    assert found.value == pytest.approx(min(apart))
    assert found.of == ("liver" if apart[0] <= apart[1] else "spleen")


def test_axes_in_a_sheared_slice_are_those_in_the_body() -> None:
    affine = np.array([[1.0, 0.5, 0, 0], [0, 1.0, 0, 0], [0, 0, 9.0, 0], [0, 0, 0, 1]])
    spacing = (1.0, math.sqrt(1.25), 9.0)
    mask = np.zeros((12, 12, 3), bool)
    mask[1:11, 1:11, 1] = True
    image = Image(np.zeros((1, *mask.shape), np.float32), affine, spacing, "CT")
    corners = np.array([[0, 0], [10, 10]]) @ affine[:2, :2].T
    assert axes_of(image, mask).long == pytest.approx(float(np.linalg.norm(corners[1] - corners[0])))


def test_two_voxels_have_a_spread() -> None:
    data = np.zeros((1, 9, 9), np.float32)
    data[0, 4, 4:6] = 10, 14
    found = measure(Image(data), data[0] > 0)["sd_intensity"]
    assert found.value == pytest.approx(math.sqrt(8))
