"""How good a mask is: overlap, surfaces in mm, lesions found, calibration, and how sure one may be of a
difference.

Only numpy and scipy, no torch. Every function says what an empty mask scores; nothing here averages silently
over images.
"""

from medsegr.metrics.calibration import ReliabilityBins, brier, ece, reliability
from medsegr.metrics.detection import LesionCounts, PresenceCounts, lesion_counts, presence_counts
from medsegr.metrics.intervals import Interval, bootstrap_mean, paired_permutation
from medsegr.metrics.overlap import dice, dice_pooled, iou, iou_pooled
from medsegr.metrics.surface import assd, hausdorff, hd95, nsd, surface_distances

__all__ = [
    "Interval",
    "LesionCounts",
    "PresenceCounts",
    "ReliabilityBins",
    "assd",
    "bootstrap_mean",
    "brier",
    "dice",
    "dice_pooled",
    "ece",
    "hausdorff",
    "hd95",
    "iou",
    "iou_pooled",
    "lesion_counts",
    "nsd",
    "paired_permutation",
    "presence_counts",
    "reliability",
    "surface_distances",
]
