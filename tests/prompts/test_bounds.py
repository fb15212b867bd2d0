"""Masks and their boxes, slices and their hands: bounds that a mask or a correction keeps to."""

import numpy as np
import pytest

from medsegr.prompts.boxes import framed
from medsegr.prompts.carry import Hand


def test_a_mask_may_reach_a_little_beyond_its_box_and_no_farther() -> None:
    """Boxes are drawn by hand: a twentieth of its size on each side is let through."""
    mask = np.ones((60, 80), bool)
    kept = framed(mask, [(20.0, 10.0, 60.0, 30.0)])  # 40 wide, 20 high
    rows, cols = np.nonzero(kept)
    assert (cols.min(), cols.max()) == (18, 61)
    assert (rows.min(), rows.max()) == (9, 30)
    assert not kept[0].any()


def test_without_a_box_a_mask_is_left_alone() -> None:
    mask = np.eye(5, dtype=bool)
    assert framed(mask, ()) is mask


@pytest.mark.parametrize(("one", "two"), [(2, 6), (2, 5), (2, 3), (0, 9)])
def test_every_slice_between_two_hands_follows_the_nearer_one_and_only_that(one: int, two: int) -> None:
    drawn = np.ones((2, 2), bool)
    first, last = Hand(one, drawn, {two: drawn}).bounds(10)
    begin, end = Hand(two, drawn, {one: drawn}).bounds(10)
    assert (first, end) == (0, 9)
    assert begin == last + 1
    for number in range(one, two + 1):
        nearer = abs(number - one) <= abs(number - two)
        assert (number <= last) == nearer
