"""Measuring a mask in its neighbourhood is measuring it in the whole picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medsegr.grid import looks


def blobs(seed: int, size: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """A mask of one to three smooth parts, perhaps at the border, and a picture with it."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((size, size), bool)
    yy, xx = np.mgrid[:size, :size]
    for _ in range(int(rng.integers(1, 4))):
        y, x = rng.integers(0, size, 2)
        mask |= ((yy - y) / rng.uniform(2, 18)) ** 2 + ((xx - x) / rng.uniform(2, 18)) ** 2 <= 1
    grey = ndimage.gaussian_filter(np.where(mask, 0.7, 0.4), rng.uniform(0, 3)) + rng.normal(
        0, 0.02, mask.shape
    )
    return mask, grey


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_the_cut_changes_no_answer(seed: int) -> None:
    mask, grey = blobs(seed)
    part, _ = looks.parts(mask)
    near, whole = looks.view_of(mask, part, grey), looks.View(mask, part, grey)
    assert looks.texture(near) == looks.texture(whole)
    assert looks.form(near) == looks.form(whole)
    assert looks.margin(near) == looks.margin(whole)


def test_the_cut_is_small() -> None:
    mask = np.zeros((2000, 2000), bool)
    mask[900:950, 300:340] = True
    assert max(looks.view_of(mask, mask, None).mask.shape) < 100


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ([1, 0, 0], ("upper",)),
        ([0, 1, 1], ("middle", "lower")),
        ([1, 1, 1], ("upper", "middle", "lower")),
        ([10, 1, 0], ("upper",)),
        ([1, 0, 1], ("upper", "middle", "lower")),
        ([1, 1], ()),
    ],
)
def test_thirds(profile: list[int], expected: tuple[str, ...]) -> None:
    assert looks.thirds(np.array(profile), ("upper", "middle", "lower")) == expected


def test_specks_are_no_parts() -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:25, 5:25], mask[30, 30], mask[30:36, 2:8] = True, True, True
    largest, count = looks.parts(mask)
    assert count == 2
    assert largest.sum() == 400
