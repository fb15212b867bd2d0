import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.errors import InputError
from medsegr.metrics import assd, hausdorff, hd95, hd95_and_nsd, nsd, surface_distances

SPACINGS = [(1.0, 1.0, 1.0), (3.0, 0.7, 1.2), (0.5, 0.5, 5.0)]


def sphere(radius: float, spacing: tuple[float, ...], grid: tuple[int, ...] = (32, 64, 40)) -> np.ndarray:
    """A ball of ``radius`` mm about the grid's middle voxel."""
    axes = [(np.arange(n) - n // 2) * s for n, s in zip(grid, spacing, strict=True)]
    return sum(a**2 for a in np.meshgrid(*axes, indexing="ij")) <= radius**2


def box(low: tuple[int, ...], size: tuple[int, ...], grid: tuple[int, ...] = (20, 24, 22)) -> np.ndarray:
    mask = np.zeros(grid, bool)
    mask[tuple(slice(a, a + n) for a, n in zip(low, size, strict=True))] = True
    return mask


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_shifted_box_is_off_by_its_shift_in_mm(spacing: tuple[float, ...], axis: int) -> None:
    shift = [0, 0, 0]
    shift[axis] = 3
    a, b = box((4, 5, 6), (8, 9, 7)), box((4 + shift[0], 5 + shift[1], 6 + shift[2]), (8, 9, 7))
    expected = 3 * spacing[axis]
    assert hausdorff(a, b, spacing) == pytest.approx(expected)
    assert 0 < assd(a, b, spacing) < expected
    assert hd95(a, b, spacing) <= expected
    assert nsd(a, b, spacing, tolerance=expected) == 1.0
    assert nsd(a, b, spacing, tolerance=expected - 1e-6) < 1.0


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 0.5, 0.8)])
def test_balls_about_one_centre(spacing: tuple[float, ...]) -> None:
    small, large = sphere(6, spacing), sphere(10, spacing)
    slack = float(np.linalg.norm(spacing))  # a voxel's diagonal: surfaces are made of voxels
    for distance in (hausdorff, hd95, assd):
        assert distance(small, large, spacing) == pytest.approx(4, abs=slack)
    assert nsd(small, large, spacing, tolerance=4 + slack) == 1.0
    assert nsd(small, large, spacing, tolerance=4 - slack) == 0.0


def test_spacing_scales_every_distance() -> None:
    a, b = box((4, 5, 6), (8, 9, 7)), box((5, 3, 6), (6, 9, 12))
    for distance in (hausdorff, hd95, assd):
        assert distance(a, b, (2.0, 2.0, 2.0)) == pytest.approx(2 * distance(a, b, (1.0, 1.0, 1.0)))


def test_pictures_work_too() -> None:
    a, b = np.zeros((2, 30, 30), bool)
    a[5:15, 5:15] = True
    b[5:15, 9:19] = True
    assert hausdorff(a, b, (0.5, 0.25)) == pytest.approx(1.0)


def test_one_far_voxel_moves_hd_and_hardly_hd95() -> None:
    a = box((2, 2, 2), (12, 12, 12))
    b = a.copy()
    b[19, 23, 21] = True
    one = (1.0, 1.0, 1.0)
    assert hausdorff(a, b, one) == pytest.approx(math.dist((19, 23, 21), (13, 13, 13)))
    assert hd95(a, b, one) == 0.0


@pytest.mark.parametrize("distance", [hausdorff, hd95, assd])
def test_empty_masks(distance) -> None:
    none, some, one = np.zeros((6, 6), bool), np.eye(6, dtype=bool), (1.0, 1.0)
    assert distance(none, none, one) == 0.0
    assert distance(none, some, one) == math.inf
    assert distance(some, none, one) == math.inf


def test_empty_masks_nsd() -> None:
    none, some, one = np.zeros((6, 6), bool), np.eye(6, dtype=bool), (1.0, 1.0)
    assert nsd(none, none, one, tolerance=1.0) == 1.0
    assert nsd(none, some, one, tolerance=100.0) == 0.0
    assert nsd(some, none, one, tolerance=100.0) == 0.0


def test_a_mask_that_fills_the_grid_ends_at_its_border() -> None:
    full = np.ones((5, 5), bool)
    one, other = surface_distances(full, full, (1.0, 1.0))
    assert one.size == other.size == 16
    assert not one.any()


@given(st.integers(0, 10_000))
def test_symmetric_and_zero_only_for_equal_masks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 6, 7)) > 0.6
    spacing = tuple(float(s) for s in rng.uniform(0.3, 4, 2))
    assert hausdorff(a, b, spacing) == hausdorff(b, a, spacing)
    assert assd(a, b, spacing) == pytest.approx(assd(b, a, spacing))
    assert hausdorff(a, a, spacing) == assd(a, a, spacing) == 0.0
    assert nsd(a, a, spacing, tolerance=0.0) == 1.0


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.7, 1.2)])
def test_monai_agrees(spacing: tuple[float, ...]) -> None:
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    a, b = sphere(7, spacing), np.roll(sphere(9, spacing), (1, 3, -2), (0, 1, 2))
    ta, tb = (torch.from_numpy(m)[None, None].float() for m in (a, b))
    keep = {"include_background": True, "spacing": spacing}
    theirs = metrics.compute_hausdorff_distance
    assert hausdorff(a, b, spacing) == pytest.approx(theirs(ta, tb, **keep).item(), abs=1e-4)
    assert hd95(a, b, spacing) == pytest.approx(theirs(ta, tb, percentile=95, **keep).item(), abs=1e-4)
    mean = metrics.compute_average_surface_distance(ta, tb, symmetric=True, **keep).item()
    assert assd(a, b, spacing) == pytest.approx(mean, abs=1e-4)
    share = metrics.compute_surface_dice(ta, tb, class_thresholds=[1.5], **keep).item()
    assert nsd(a, b, spacing, tolerance=1.5) == pytest.approx(share, abs=1e-6)


def test_nonsense_is_refused() -> None:
    some = np.eye(4, dtype=bool)
    with pytest.raises(InputError, match="percentile 101"):
        hausdorff(some, some, (1.0, 1.0), percentile=101.0)
    with pytest.raises(InputError, match="tolerance"):
        nsd(some, some, (1.0, 1.0), tolerance=float("nan"))
    with pytest.raises(InputError, match="spacing"):
        assd(some, some, (1.0,))


@given(st.lists(st.booleans(), min_size=72, max_size=72), st.lists(st.booleans(), min_size=72, max_size=72))
def test_one_look_gives_both_numbers(one: list[bool], other: list[bool]) -> None:
    a, b = np.array(one).reshape(8, 9), np.array(other).reshape(8, 9)
    far, near = hd95_and_nsd(a, b, (1.0, 0.5), tolerance=1.0)
    assert far == hd95(a, b, (1.0, 0.5))
    assert near == nsd(a, b, (1.0, 0.5), tolerance=1.0)
