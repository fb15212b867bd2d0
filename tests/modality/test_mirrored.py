"""What the body tells of its sides: organs of one side, and the heart between the lungs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.modality.mirrored import lean, usual_side


@pytest.mark.parametrize(
    ("name", "side"),
    [("liver", "right"), ("spleen", "left"), ("gallbladder", "right"), ("kidney", None), ("polyp", None)],
)
def test_whole_organs_of_one_side(name: str, side: str | None) -> None:
    assert usual_side(name) == side


@pytest.mark.parametrize(
    "name", ["liver tumour", "lung", "colon", "splenic flexure", "cecum", "no such thing"]
)
def test_what_lies_in_an_organ_or_on_both_sides_has_no_usual_side(name: str) -> None:
    assert usual_side(name) is None


def chest(middle: float, top: float = 50.0) -> tuple[np.ndarray, np.ndarray]:
    """Lungs from column 10 to 90 of a film, and a heart 20 wide with its lower half at ``middle``, under a
    mediastinum at ``top``."""
    lungs, heart = np.zeros((2, 80, 100), bool)
    lungs[10:60, 10:40] = lungs[10:60, 61:91] = True
    heart[20:40, int(top) - 10 : int(top) + 11] = True
    heart[41:61, int(middle) - 10 : int(middle) + 11] = True
    return heart, lungs


@given(st.integers(20, 80), st.integers(20, 80))
def test_the_lower_half_of_the_heart_leans_from_the_middle_of_the_lungs(middle: int, top: int) -> None:
    assert lean(*chest(middle, top)) == pytest.approx((middle - 50) / 80)


@given(st.integers(20, 80))
def test_a_mirrored_film_leans_as_far_the_other_way(middle: int) -> None:
    heart, lungs = chest(middle)
    assert lean(heart[:, ::-1], lungs[:, ::-1]) == pytest.approx((50 - middle) / 80)


@pytest.mark.parametrize("empty", ["heart", "lungs"])
def test_where_one_is_missing_there_is_no_lean(empty: str) -> None:
    heart, lungs = chest(60)
    (heart if empty == "heart" else lungs)[:] = False
    assert lean(heart, lungs) is None


def test_a_heart_of_one_row_and_lungs_of_one_column() -> None:
    heart, lungs = chest(60)
    heart[1:] = False
    heart[0, 50] = True
    assert lean(heart, lungs) == pytest.approx(0)
    lungs[:, 1:] = False
    lungs[:, 0] = True
    assert lean(heart, lungs) is None
