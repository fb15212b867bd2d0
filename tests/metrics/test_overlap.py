import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medsegr.metrics import dice, dice_pooled, iou, iou_pooled

MASKS = arrays(bool, (5, 6))


def square(side: int, corner: int, grid: int = 12) -> np.ndarray:
    mask = np.zeros((grid, grid), bool)
    mask[corner : corner + side, corner : corner + side] = True
    return mask


def test_boxes_of_known_overlap() -> None:
    # 4x4 boxes shifted by 2: 4 shared of 16 + 16
    assert dice(square(4, 2), square(4, 4)) == pytest.approx(8 / 32)
    assert iou(square(4, 2), square(4, 4)) == pytest.approx(4 / 28)


@pytest.mark.parametrize("score", [dice, iou])
def test_empty_masks(score) -> None:
    none, some = np.zeros((4, 4), bool), square(2, 1, 4)
    assert score(none, none) == 1.0
    assert math.isnan(score(none, none, both_empty=float("nan")))
    assert score(none, some) == 0.0
    assert score(some, none) == 0.0


def test_pooled_weighs_by_size() -> None:
    pairs = [(square(6, 0), square(6, 0)), (np.zeros((12, 12), bool), square(2, 0))]
    assert dice_pooled(pairs) == pytest.approx(72 / 76)
    assert iou_pooled(pairs) == pytest.approx(36 / 40)
    assert dice_pooled([]) == 1.0


@given(MASKS, MASKS)
def test_symmetric_bounded_and_linked(a: np.ndarray, b: np.ndarray) -> None:
    d, j = dice(a, b), iou(a, b)
    assert d == dice(b, a)
    assert 0 <= j <= d <= 1
    assert d == pytest.approx(2 * j / (1 + j))
    assert (d == 1) == np.array_equal(a, b)


@given(arrays(bool, (7, 4)), st.sampled_from([np.uint8, np.int64]))
def test_zeros_and_ones_count_as_masks(mask: np.ndarray, kind: type) -> None:
    assert dice(np.asarray(mask.astype(kind)) == 1, mask) == 1.0


def test_monai_agrees() -> None:
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.random((2, 9, 11, 5)) > 0.6
        ta, tb = (torch.from_numpy(m)[None, None].float() for m in (a, b))
        assert dice(a, b) == pytest.approx(metrics.compute_dice(ta, tb).item(), abs=1e-6)
        assert iou(a, b) == pytest.approx(metrics.compute_iou(ta, tb).item(), abs=1e-6)
