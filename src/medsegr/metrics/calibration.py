"""Does 0.8 mean 8 of 10: reliability bins, expected calibration error and Brier score of probabilities in [0,
1].

An empty input has no calibration: the scores are NaN and every bin has count 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from medsegr.errors import InputError


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """Equal-width bins over [0, 1]: mean probability and share of positives in each, NaN where ``count`` is
    0.
    """

    edges: Float[np.ndarray, " bins_plus_1"]
    confidence: Float[np.ndarray, " bins"]
    accuracy: Float[np.ndarray, " bins"]
    count: Int[np.ndarray, " bins"]


def reliability(
    prob: Float[np.ndarray, "*shape"], truth: Bool[np.ndarray, "*shape"], bins: int = 15
) -> ReliabilityBins:
    """Bins of all values together. Bin i holds ``edges[i] < p <= edges[i + 1]``; the first one holds 0 as
    well.
    """
    p, t = _checked(prob, truth)
    if bins < 1:
        raise InputError(f"{bins} bins: at least one was expected")
    edges = np.linspace(0.0, 1.0, bins + 1)
    index = np.clip(np.searchsorted(edges, p, side="left") - 1, 0, bins - 1)
    count = np.bincount(index, minlength=bins)
    some = np.where(count > 0, count, 1)
    empty = np.where(count > 0, 0.0, np.nan)
    confidence = np.bincount(index, weights=p, minlength=bins) / some + empty
    accuracy = np.bincount(index, weights=t.astype(float), minlength=bins) / some + empty
    return ReliabilityBins(edges, confidence, accuracy, count)


def ece(prob: Float[np.ndarray, "*shape"], truth: Bool[np.ndarray, "*shape"], bins: int = 15) -> float:
    """Expected calibration error: mean over bins of ``|confidence - accuracy|``, weighted by the bin's count,
    in [0, 1].
    """
    return ece_of(reliability(prob, truth, bins))


def ece_of(table: ReliabilityBins, above: float = 0.0) -> float:
    """:func:`ece` of counted bins; with ``above`` of those only that begin there or higher. NaN where they
    are empty."""
    kept = table.edges[:-1] >= above - 1e-9
    total = int(table.count[kept].sum())
    if not total:
        return float("nan")
    gaps = np.abs(table.confidence - table.accuracy) * table.count
    return float(np.nansum(gaps[kept]) / total)


def pooled(tables: Sequence[ReliabilityBins]) -> ReliabilityBins:
    """Bins of all values together, from bins of parts. All must have the same edges; none: InputError."""
    if not tables or any(not np.array_equal(t.edges, tables[0].edges) for t in tables):
        raise InputError(f"{len(tables)} tables of bins: one or more with the same edges were expected")
    count = np.sum([t.count for t in tables], axis=0)
    with np.errstate(invalid="ignore"):
        confidence, accuracy = (
            np.sum([np.nan_to_num(getattr(t, name)) * t.count for t in tables], axis=0) / count
            for name in ("confidence", "accuracy")
        )
    return ReliabilityBins(tables[0].edges, confidence, accuracy, count)


def brier(prob: Float[np.ndarray, "*shape"], truth: Bool[np.ndarray, "*shape"]) -> float:
    """Mean squared difference of probability and truth, in [0, 1]; NaN for an empty input."""
    p, t = _checked(prob, truth)
    return float(np.mean((p - t) ** 2)) if p.size else float("nan")


def _checked(prob: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p, t = np.asarray(prob, float).ravel(), np.asarray(truth).ravel()
    if p.shape != t.shape:
        raise InputError(f"{p.size} probabilities for {t.size} truths: one a truth was expected")
    if t.dtype != np.bool_:
        raise InputError(f"truth is {t.dtype}, a bool array was expected")
    if p.size and not (np.all(np.isfinite(p)) and p.min() >= 0 and p.max() <= 1):
        raise InputError("probabilities must be finite and in [0, 1]: apply a sigmoid to logits first")
    return p, t


def temper(prob: Float[np.ndarray, "*shape"] | UInt8[np.ndarray, "*shape"], temperature: float) -> None:
    """Divide the logits of probabilities by ``temperature``, in place: above 1 they claim less (Guo et al.
    2017, "On Calibration of Modern Neural Networks"). Floats in [0, 1], or bytes, 255 times that.

    What is 0.5 or more (128 or more in bytes) stays so and what is less stays less: masks do not change.
    InputError where the temperature is not a positive number.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise InputError(f"the temperature {temperature}: a number above 0 was expected")
    if temperature == 1:
        return
    if prob.dtype == np.uint8:
        table = np.arange(256) / 255
        temper(table, temperature)
        table = (table * 255).round()
        table[:128], table[128:] = np.minimum(table[:128], 127), np.maximum(table[128:], 128)
        for part in prob if prob.ndim else ():  # one after the other: a volume's findings are large together
            part[...] = table.astype(np.uint8)[part]
        return
    half = prob >= 0.5
    yes, no = prob ** (1 / temperature), (1 - prob) ** (1 / temperature)
    below = np.nextafter(0.5, 0, dtype=prob.dtype)
    prob[...] = np.where(half, np.maximum(yes / (yes + no), 0.5), np.minimum(yes / (yes + no), below))
