"""Slices of CT in windows that hide the lungs."""

import numpy as np
import pytest

from medsegr.io.read import image_from_array
from medsegr.modality.windows import black_within, hides_lungs

ROWS, COLS = np.mgrid[:200, :256].astype(float)


def ellipse(row: float, col: float, high: float, wide: float) -> np.ndarray:
    return ((ROWS - row) / high) ** 2 + ((COLS - col) / wide) ** 2 <= 1


def chest(lung: int, gas: int = 0) -> np.ndarray:
    """A body with both lungs, a bubble of gas in its middle, and a table."""
    shown = np.where(ellipse(100, 128, 80, 110), 120, 0)
    shown[ellipse(100, 75, 55, 40) | ellipse(100, 181, 55, 40)] = lung
    shown[np.hypot(ROWS - 100, COLS - 128) < gas] = 0
    shown[190:193] = 60
    return shown.astype(np.uint8)


@pytest.mark.parametrize(
    ("shown", "hidden"), [(chest(0), True), (chest(40), False), (chest(120, gas=20), False)]
)
def test_black_lungs_are_hidden_and_grey_ones_and_gas_are_not(shown: np.ndarray, hidden: bool) -> None:
    assert hides_lungs(image_from_array(shown, modality="CT")) == hidden


def test_a_body_whose_outline_is_open_counts_as_one() -> None:
    """Skin and fat are black in narrow windows: lungs and what is around the body are one black."""
    shown = chest(0)
    shown[98:103, :60] = shown[98:103, 196:] = 0
    assert hides_lungs(image_from_array(shown, modality="CT"))


def test_other_images_are_not_asked() -> None:
    assert not hides_lungs(image_from_array(chest(0), modality="MR"))
    assert not hides_lungs(image_from_array(np.stack([chest(0)] * 4), modality="CT", spacing=(1, 1, 1)))
    assert not hides_lungs(image_from_array(np.stack([chest(0), chest(40), chest(40)], -1), modality="CT"))


def test_nothing_at_all_hides_nothing() -> None:
    assert black_within(np.zeros((40, 40), np.float32)) == 0
