"""Numbers of masks against what geometry says they are."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.measure import max_diameter, measure
from medsegr.types import Image


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
    found = max_diameter(mask, (a, b))
    assert max(h * a, w * b) * (1 - 1e-3) <= found <= math.hypot(h * a, w * b) * (1 + 1e-9)


def test_an_affine_without_a_spacing_gives_no_millimetres() -> None:
    image = Image(np.ones((1, 8, 8), np.float32), np.eye(4), None, "CR")
    found = measure(image, np.eye(8, dtype=bool))
    assert {found[name].status for name in ("area", "centroid_mm_r", "max_diameter")} == {"no_spacing"}
