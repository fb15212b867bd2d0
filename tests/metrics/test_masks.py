import numpy as np
import pytest

from medsegr.errors import InputError
from medsegr.metrics.masks import checked_pair, checked_spacing


def test_integers_of_zero_and_one_become_bool() -> None:
    a, b = checked_pair(np.array([[0, 1]], np.uint8), np.array([[True, False]]))
    assert a.dtype == b.dtype == np.bool_
    assert a.tolist() == [[False, True]]


def test_probabilities_are_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match="threshold it first"):
        checked_pair(np.full((2, 2), 0.7), np.ones((2, 2), bool))


def test_label_maps_are_refused() -> None:
    with pytest.raises(InputError, match="labels up to 3"):
        checked_pair(np.ones((2, 2), bool), np.array([[0, 3], [1, 1]]))
    with pytest.raises(InputError, match="mask of 0 and 1"):
        checked_pair(np.ones((2, 2), bool), np.array([[0, -1], [1, 1]]))


@pytest.mark.parametrize("spacing", [(1.0,), (1.0, 0.0), (1.0, float("nan")), (1.0, -1.0), (1.0, 1.0, 1.0)])
def test_spacing_must_fit(spacing: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="2 positive numbers"):
        checked_spacing(spacing, 2)


def test_other_grids_are_refused() -> None:
    with pytest.raises(InputError, match=r"prediction has grid \(3, 4\), truth has \(4, 3\)"):
        checked_pair(np.zeros((3, 4), bool), np.zeros((4, 3), bool))
