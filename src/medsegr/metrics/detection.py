"""Was it found at all: lesions matched one to one, and the answer present / absent over a set of images.

A number that has no meaning is NaN, never 0: the sensitivity where there is no lesion, the precision where
nothing was said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medsegr.errors import InputError
from medsegr.metrics.masks import Mask, checked_pair


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


@dataclass(frozen=True, slots=True)
class LesionCounts:
    """Lesions of one or more images: ``found`` and ``missed`` of the truth's, and ``false_positives`` of the
    prediction's.

    Counts of several images add up with ``+``.
    """

    found: int
    missed: int
    false_positives: int

    def __add__(self, other: "LesionCounts") -> "LesionCounts":
        return LesionCounts(
            self.found + other.found,
            self.missed + other.missed,
            self.false_positives + other.false_positives,
        )

    @property
    def sensitivity(self) -> float:
        """Found lesions over all lesions; NaN where there are none."""
        return _ratio(self.found, self.found + self.missed)

    @property
    def precision(self) -> float:
        """Found lesions over everything drawn; NaN where nothing was drawn."""
        return _ratio(self.found, self.found + self.false_positives)

    @property
    def f1(self) -> float:
        """``2 TP / (2 TP + FP + FN)``; NaN where there is no lesion and nothing was drawn."""
        return _ratio(2 * self.found, 2 * self.found + self.missed + self.false_positives)


def lesion_counts(pred: Mask, truth: Mask, min_dice: float = 0.1, min_voxels: int = 1) -> LesionCounts:
    """Match the connected parts of two masks one to one, so that the sum of their Dice is largest.

    A lesion is found when its partner reaches ``min_dice`` (0 < min_dice <= 1) with it. Parts touch through
    faces, edges and corners. Parts of fewer than ``min_voxels`` voxels are ignored on both sides.
    """
    if not 0 < min_dice <= 1:
        raise InputError(f"min_dice {min_dice}: a number above 0 and at most 1 was expected")
    from scipy.optimize import linear_sum_assignment  # a fifth of a second, for this alone

    p, t = checked_pair(pred, truth)
    labels_p, sizes_p = _parts(p, min_voxels)
    labels_t, sizes_t = _parts(t, min_voxels)
    shared = np.zeros((len(sizes_t) + 1, len(sizes_p) + 1), int)
    np.add.at(shared, (labels_t.ravel(), labels_p.ravel()), 1)
    overlap = 2 * shared[1:, 1:] / (sizes_t[:, None] + sizes_p[None, :])
    # A pair below the threshold counts for nothing, so it must not push a good pair out of the assignment.
    overlap = np.where(overlap >= min_dice, overlap, 0.0)
    rows, cols = linear_sum_assignment(overlap, maximize=True)
    found = int(np.count_nonzero(overlap[rows, cols] > 0))
    return LesionCounts(found, len(sizes_t) - found, len(sizes_p) - found)


def _parts(mask: np.ndarray, min_voxels: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels 1..n of the parts that are large enough (0 elsewhere), and their sizes in voxels."""
    labels, n = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    keep = sizes >= max(1, min_voxels)
    renumber = np.concatenate([[0], np.where(keep, np.cumsum(keep), 0)])
    return renumber[labels], sizes[keep]


@dataclass(frozen=True, slots=True)
class PresenceCounts:
    """How often present / absent was said, and was right, over a set of images."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def precision(self) -> float:
        """Right "present" over all "present" said; NaN where none was said."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Right "present" over all that are present; NaN where none is."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float:
        """Right "absent" over all that are absent; NaN where none is."""
        return _ratio(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def f1(self) -> float:
        """``2 TP / (2 TP + FP + FN)``; NaN where nothing is present and nothing was said."""
        hits = 2 * self.true_positives
        return _ratio(hits, hits + self.false_positives + self.false_negatives)


def presence_counts(said: Sequence[bool], truth: Sequence[bool]) -> PresenceCounts:
    """Count the four cases of "is it there": ``said`` and ``truth`` have one value an image and target."""
    s, t = np.asarray(said, bool), np.asarray(truth, bool)
    if s.shape != t.shape or s.ndim != 1:
        raise InputError(f"{s.shape} answers for {t.shape} truths: two lists of one length were expected")
    return PresenceCounts(int((s & t).sum()), int((s & ~t).sum()), int((~s & t).sum()), int((~s & ~t).sum()))
