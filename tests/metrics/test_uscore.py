import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.errors import InputError
from medsegr.metrics import Cost, u_score

UNET = Cost(34.527, 65.52, 137.05)
BUSI = (0.5838, 0.7063)


def test_the_published_example() -> None:
    """U-Net on BUSI as U-Bench gives it."""
    got = u_score(0.65575, BUSI, UNET)
    assert got.accuracy == pytest.approx(0.587, abs=5e-4)
    assert got.parameters == pytest.approx(0.198, abs=5e-4)
    assert (got.operations, got.speed) == (0.05, 1.0)
    assert got.score == pytest.approx(19.26, abs=0.01)


positive = st.floats(1e-3, 1e4)


@given(st.floats(0, 1), positive, positive, positive, st.floats(1, 3))
def test_better_is_never_worse(
    iou: float, parameters: float, operations: float, speed: float, factor: float
) -> None:
    def score(iou: float, parameters: float, operations: float, speed: float) -> float:
        return u_score(iou, BUSI, Cost(parameters, operations, speed)).score

    base = score(iou, parameters, operations, speed)
    assert 5 - 1e-9 <= base <= 100 + 1e-9
    slack = 1e-9
    assert score(min(1.0, iou * factor), parameters, operations, speed) >= base - slack
    assert score(iou, parameters / factor, operations, speed) >= base - slack
    assert score(iou, parameters, operations / factor, speed) >= base - slack
    assert score(iou, parameters, operations, speed * factor) >= base - slack


def test_equal_methods_are_all_as_good_as_the_best() -> None:
    assert u_score(0.7, (0.7, 0.7), UNET).accuracy == 1.0
    assert u_score(0.6, (0.7, 0.7), UNET).accuracy == 0.05


@pytest.mark.parametrize(
    ("iou", "quantiles", "cost"),
    [
        (1.1, BUSI, UNET),
        (0.5, (0.8, 0.7), UNET),
        (0.5, BUSI, Cost(0.0, 1.0, 1.0)),
        (0.5, BUSI, Cost(1.0, math.inf, 1.0)),
    ],
)
def test_nonsense_is_refused(iou: float, quantiles: tuple[float, float], cost: Cost) -> None:
    with pytest.raises(InputError, match="expected"):
        u_score(iou, quantiles, cost)
