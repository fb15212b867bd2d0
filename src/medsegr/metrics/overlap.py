"""Dice and IoU (Jaccard), an image at a time or pooled over all pixels of a set.

Empty masks. Both empty: nothing was to be found and nothing was drawn, ``both_empty`` (default 1.0; pass
``nan`` to leave such images out of a ``nanmean``). Exactly one empty: 0.0. Pooled over a set in which every
mask is empty: ``both_empty``.
"""

from collections.abc import Iterable

import numpy as np

from medsegr.metrics.masks import Mask, checked_pair


def dice(pred: Mask, truth: Mask, both_empty: float = 1.0) -> float:
    """Dice coefficient ``2 |P n T| / (|P| + |T|)`` of two masks on one grid, in [0, 1]."""
    return dice_pooled([(pred, truth)], both_empty)


def iou(pred: Mask, truth: Mask, both_empty: float = 1.0) -> float:
    """Intersection over union ``|P n T| / |P u T|`` of two masks on one grid, in [0, 1]."""
    return iou_pooled([(pred, truth)], both_empty)


def dice_pooled(pairs: Iterable[tuple[Mask, Mask]], both_empty: float = 1.0) -> float:
    """Dice of all pixels of ``(prediction, truth)`` pairs together: large lesions weigh more."""
    inter, total = _counts(pairs)
    return 2 * inter / total if total else both_empty


def iou_pooled(pairs: Iterable[tuple[Mask, Mask]], both_empty: float = 1.0) -> float:
    """IoU of all pixels of ``(prediction, truth)`` pairs together."""
    inter, total = _counts(pairs)
    return inter / (total - inter) if total else both_empty


def _counts(pairs: Iterable[tuple[Mask, Mask]]) -> tuple[int, int]:
    """Voxels in both masks, and voxels of the one plus the other, as Python integers (no overflow)."""
    inter = total = 0
    for pred, truth in pairs:
        p, t = checked_pair(pred, truth)
        inter += int(np.count_nonzero(p & t))
        total += int(np.count_nonzero(p)) + int(np.count_nonzero(t))
    return inter, total
