"""How good a mask is: overlap, surfaces in mm, lesions found, calibration, and how sure one may be of a
difference.

Only numpy and scipy, no torch. Every function says what an empty mask scores; nothing here averages silently
over images.
"""

from medsegr.metrics.calibration import ReliabilityBins, brier, ece, ece_of, pooled, reliability
from medsegr.metrics.detection import LesionCounts, PresenceCounts, lesion_counts, presence_counts
from medsegr.metrics.intervals import Interval, bootstrap_mean, bootstrap_ratio, holm, paired_permutation
from medsegr.metrics.overlap import dice, dice_pooled, iou, iou_pooled
from medsegr.metrics.surface import assd, hausdorff, hd95, hd95_and_nsd, nsd, surface_distances
from medsegr.metrics.uscore import Cost, UScore, u_score

__all__ = [
    "Cost",
    "Interval",
    "LesionCounts",
    "PresenceCounts",
    "ReliabilityBins",
    "UScore",
    "assd",
    "bootstrap_mean",
    "bootstrap_ratio",
    "brier",
    "dice",
    "dice_pooled",
    "ece",
    "ece_of",
    "hausdorff",
    "hd95",
    "hd95_and_nsd",
    "holm",
    "iou",
    "iou_pooled",
    "lesion_counts",
    "nsd",
    "paired_permutation",
    "pooled",
    "presence_counts",
    "reliability",
    "surface_distances",
    "u_score",
]
