import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from medsegr.errors import InputError
from medsegr.metrics import LesionCounts, PresenceCounts, lesion_counts, presence_counts


def blobs(*places: tuple[int, int, int]) -> np.ndarray:
    """Squares of (row, column, side) on a 40 x 40 grid."""
    mask = np.zeros((40, 40), bool)
    for row, col, side in places:
        mask[row : row + side, col : col + side] = True
    return mask


def test_found_missed_and_invented() -> None:
    truth = blobs((2, 2, 5), (20, 20, 6), (32, 2, 4))
    pred = blobs((3, 3, 5), (20, 21, 6), (2, 30, 5))
    counts = lesion_counts(pred, truth)
    assert counts == LesionCounts(found=2, missed=1, false_positives=1)
    assert counts.sensitivity == pytest.approx(2 / 3)
    assert counts.precision == pytest.approx(2 / 3)
    assert counts.f1 == pytest.approx(2 / 3)


def test_one_blob_over_two_lesions_finds_one() -> None:
    truth, pred = blobs((10, 10, 6), (10, 18, 6)), blobs((8, 8, 20))
    assert lesion_counts(pred, truth) == LesionCounts(1, 1, 0)


def test_a_touch_is_not_enough_when_more_is_asked() -> None:
    truth, pred = blobs((10, 10, 8)), blobs((17, 17, 8))  # one voxel shared
    assert lesion_counts(pred, truth, min_dice=0.001).found == 1
    assert lesion_counts(pred, truth, min_dice=0.5) == LesionCounts(0, 1, 1)


def test_a_lesion_is_found_from_the_asked_dice_on() -> None:
    truth, pred = blobs((10, 10, 4)), blobs((10, 12, 4))  # half of each is shared: Dice 0.5
    assert lesion_counts(pred, truth, min_dice=0.5) == LesionCounts(1, 0, 0)
    assert lesion_counts(pred, truth, min_dice=0.51) == LesionCounts(0, 1, 1)


def test_weak_pairs_do_not_push_out_good_ones() -> None:
    # Maximising the sum of Dice over all pairs would be the same here only if pairs below the threshold count
    # nothing.
    truth = blobs((10, 10, 10), (10, 22, 4))
    pred = blobs((10, 11, 10))
    assert lesion_counts(pred, truth, min_dice=0.5) == LesionCounts(1, 1, 0)


def test_specks_can_be_ignored() -> None:
    truth, pred = blobs((10, 10, 6), (30, 30, 1)), blobs((10, 10, 6), (1, 1, 1))
    assert lesion_counts(pred, truth) == LesionCounts(1, 1, 1)
    assert lesion_counts(pred, truth, min_voxels=4) == LesionCounts(1, 0, 0)


def test_corners_join_in_volumes() -> None:
    mask = np.zeros((4, 4, 4), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert lesion_counts(mask, mask).found == 1


def test_nothing_there() -> None:
    none = blobs()
    counts = lesion_counts(none, none)
    assert counts == LesionCounts(0, 0, 0)
    assert math.isnan(counts.sensitivity)
    assert math.isnan(counts.precision)
    assert math.isnan(counts.f1)
    assert lesion_counts(blobs((1, 1, 3)), none).false_positives == 1
    assert lesion_counts(none, blobs((1, 1, 3))).sensitivity == 0.0


def test_counts_add_up_over_images() -> None:
    assert LesionCounts(1, 2, 3) + LesionCounts(4, 5, 6) == LesionCounts(5, 7, 9)


@given(arrays(bool, (8, 9)), arrays(bool, (8, 9)))
def test_swapping_the_masks_swaps_the_errors(a: np.ndarray, b: np.ndarray) -> None:
    one, other = lesion_counts(a, b), lesion_counts(b, a)
    assert (one.found, one.missed, one.false_positives) == (other.found, other.false_positives, other.missed)


def test_min_dice_must_be_sensible() -> None:
    with pytest.raises(InputError, match="min_dice 0"):
        lesion_counts(blobs(), blobs(), min_dice=0.0)


def test_presence() -> None:
    cases = [(True, True)] + [(True, False)] * 2 + [(False, True)] * 3 + [(False, False)] * 5
    counts = presence_counts(*zip(*cases, strict=True))
    assert counts == PresenceCounts(true_positives=1, false_positives=2, false_negatives=3, true_negatives=5)
    assert counts.precision == pytest.approx(1 / 3)
    assert counts.recall == pytest.approx(1 / 4)
    assert counts.specificity == pytest.approx(5 / 7)
    assert counts.f1 == pytest.approx(2 / 7)


def test_presence_without_any_case() -> None:
    counts = presence_counts([False, False], [False, False])
    assert math.isnan(counts.recall)
    assert math.isnan(counts.precision)
    assert math.isnan(counts.f1)
    assert counts.specificity == 1.0
    with pytest.raises(InputError, match="one length"):
        presence_counts([True], [True, False])
