"""One answer against the truth, as one row of plain numbers. What an empty mask counts is written in
``docs/explain/metrics.md`` and nowhere else decided.

What is judged is what a user gets: pixels of a probability of 0.5 or more, and nothing at all where the
method's presence score lies below its threshold.
"""

import base64
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as Pil

from medsegr.errors import InputError
from medsegr.grid import planes
from medsegr.metrics import ReliabilityBins, hd95_and_nsd, lesion_counts, reliability
from medsegr.samples.drawn import judged
from medsegr.types import Image, Segmentation

BINS = 20  # of calibration; 0.5 is an edge
WHOLE = ("right", "free")  # controls that get surfaces, lesions, calibration and a picture
PICTURED = ("right", "free", "shuffled")
STRATA = ((0.0, 0.01), (0.01, 0.02), (0.02, 0.05), (0.05, 0.1), (0.1, 0.2), (0.2, 1.0))
VIEW = 256  # px of the longer side of a kept picture of a mask


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method said of one target: ``prob`` ``*grid`` in [0, 1], presence in [0, 1] or None, and whether
    that reaches its threshold. ``unknown`` (bool ``*grid``, None: no pixel) is what nobody judged."""

    prob: np.ndarray
    presence: float | None
    there: bool
    unknown: np.ndarray | None = None

    @property
    def wide(self) -> np.ndarray:
        """The mask without the presence score, bool ``*grid``; of what nobody judged nothing."""
        return judged(self.prob >= 0.5, self.unknown)

    @property
    def mask(self) -> np.ndarray:
        """What a user gets: bool ``*grid``, empty where the method says that the image does not show it; of
        what nobody judged nothing."""
        return self.wide & self.there


def answer_of(said: Segmentation, k: int, count: int, image: Image, threshold: float) -> Answer:
    """Target ``k`` of the ``count`` that were asked for.

    Raises:
        InputError: the segmentation is not of so many targets on the image's grid, or its values are no
            probabilities.
    """
    if said.prob.shape != (count, *image.grid):
        raise InputError(f"the method gave {said.prob.shape}, expected {(count, *image.grid)}")
    prob = np.asarray(said.prob[k], np.float32)
    if not np.isfinite(prob).all() or prob.min(initial=0) < 0 or prob.max(initial=0) > 1:
        raise InputError(
            "the method gave values that are no probabilities: finite numbers in [0, 1] expected"
        )
    seen = said.extras.get("presence")
    presence = None if seen is None else float(np.asarray(seen).reshape(-1)[k])
    return Answer(prob, presence, presence is None or presence >= threshold)


def score(answer: Answer, truth: np.ndarray, image: Image, control: str, tolerance: float) -> dict[str, Any]:
    """One row: overlaps as counts of voxels (Dice and IoU follow), whether anything was drawn, and for the
    controls in ``WHOLE`` surfaces, lesions and calibration.

    ``tolerance`` of the surface is in mm, or in pixels where the image has no spacing; ``unit`` says which.
    ``hd95`` is None where exactly one mask is empty: infinitely far. ``open`` are ``pred`` and ``inter`` as
    they would be without the presence score: they tell whether the mask or the score was wrong. Pixels that
    nobody judged, none of them in ``truth``, are background in both masks and in no bin.
    """
    mask, wide = answer.mask, answer.wide
    row: dict[str, Any] = {
        "control": control,
        "pred": int(mask.sum()),
        "truth": int(truth.sum()),
        "inter": int((mask & truth).sum()),
        "open": [int(wide.sum()), int((wide & truth).sum())],
        "size": int(truth.size),
        "drawn": bool(mask.any()),
        "presence": None if answer.presence is None else round(answer.presence, 5),
    }
    if control in WHOLE:
        spacing = image.spacing or (1.0,) * truth.ndim
        far, near = hd95_and_nsd(mask, truth, spacing, tolerance)
        counts = lesion_counts(mask, truth)
        known = slice(None) if answer.unknown is None else ~answer.unknown
        table = reliability(answer.prob[known], truth[known], BINS)
        row |= {
            "unit": "mm" if image.spacing else "px",
            "hd95": round(far, 4) if math.isfinite(far) else None,
            "nsd": round(near, 6),
            "lesions": [counts.found, counts.missed, counts.false_positives],
            "bins": packed_bins(table),
        }
    return row


def packed_bins(table: ReliabilityBins) -> list[list[float]]:
    """[count, sum of probabilities, sum of positives] of each bin: these can be added up."""
    confidence, accuracy = (np.nan_to_num(x) * table.count for x in (table.confidence, table.accuracy))
    return [table.count.tolist(), np.round(confidence, 4).tolist(), np.round(accuracy).tolist()]


def unpacked_bins(rows: np.ndarray) -> ReliabilityBins:
    """Bins out of added-up sums, ``[3, bins]``."""
    count = rows[0].astype(int)
    with np.errstate(invalid="ignore", divide="ignore"):
        confidence, accuracy = np.where(count > 0, rows[1:] / count, np.nan)
    return ReliabilityBins(np.linspace(0, 1, rows.shape[1] + 1), confidence, accuracy, count)


def dice_of(row: Mapping[str, Any]) -> float:
    """Dice of a row's counts; NaN for a target that is not there (it counts among the absent ones
    instead)."""
    return 2 * row["inter"] / (row["pred"] + row["truth"]) if row["truth"] else math.nan


def open_dice_of(row: Mapping[str, Any]) -> float:
    """:func:`dice_of` as it would be without the presence score."""
    return 2 * row["open"][1] / (row["open"][0] + row["truth"]) if row["truth"] else math.nan


def iou_of(row: Mapping[str, Any]) -> float:
    """IoU of a row's counts; NaN for a target that is not there."""
    return row["inter"] / (row["pred"] + row["truth"] - row["inter"]) if row["truth"] else math.nan


def stratum_of(row: Mapping[str, Any]) -> str | None:
    """The area stratum of a row's target ("2-5 %" of the image); None for one that is not there."""
    share = row["truth"] / row["size"]
    if not row["truth"]:
        return None
    return next(stratum_name(s) for s in STRATA if share < s[1] or s[1] == 1.0)


def stratum_name(stratum: tuple[float, float]) -> str:
    """``"< 1 %"``, ``"1-2 %"`` ... ``"> 20 %"``."""
    low, high = (f"{100 * edge:g}" for edge in stratum)
    return f"< {high} %" if stratum[0] == 0 else f"> {low} %" if stratum[1] == 1 else f"{low}-{high} %"


def view_index(truth: np.ndarray, mask: np.ndarray, plane: planes.Plane) -> int | None:
    """Of a volume the slice, in the usual view, that holds most of the truth, else of the mask; None for a
    picture."""
    if truth.ndim == 2:
        return None
    held = planes.to_slices(truth if truth.any() else mask, plane)
    return int(held.sum(axis=(1, 2)).argmax())


def kept_view(mask: np.ndarray, plane: planes.Plane, index: int | None) -> str:
    """A small picture of a mask as text: height, width and its bits, compressed."""
    turned = planes.to_slices(mask, plane)
    flat = turned if index is None else turned[index]
    h, w = flat.shape
    scale = min(1.0, VIEW / max(h, w))
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    small = np.asarray(Pil.fromarray(flat.astype(np.uint8) * 255).resize(size, Pil.Resampling.BOX)) > 127
    data = base64.b64encode(zlib.compress(np.packbits(small).tobytes(), 9)).decode()
    return f"{size[1]}x{size[0]}:{data}"


def opened_view(text: str) -> np.ndarray:
    """The bool ``h w`` mask of :func:`kept_view`."""
    head, _, data = text.partition(":")
    h, w = (int(v) for v in head.split("x"))
    bits = np.frombuffer(zlib.decompress(base64.b64decode(data)), np.uint8)
    return np.unpackbits(bits, count=h * w).reshape(h, w).astype(bool)
