"""The door of the metrics: two masks that can be compared, or a message that says why not."""

import numpy as np
from jaxtyping import Bool

from medsegr.errors import InputError

Mask = Bool[np.ndarray, "*grid"]


def checked_pair(pred: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both masks as bool arrays of one grid. Accepts bool, or integers that are only 0 and 1.

    Raises :class:`InputError` for floats (a threshold is the caller's decision), label maps and different
    grids.
    """
    pair = tuple(_as_bool(mask, name) for mask, name in ((pred, "prediction"), (truth, "truth")))
    if pair[0].shape != pair[1].shape:
        raise InputError(
            f"prediction has grid {pair[0].shape}, truth has {pair[1].shape}: "
            "both must lie on one grid; resample one of them"
        )
    return pair[0], pair[1]


def _as_bool(mask: np.ndarray, name: str) -> np.ndarray:
    array = np.asarray(mask)
    if array.dtype == np.bool_:
        return array
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(
            f"{name} is {array.dtype}, a bool mask was expected: threshold it first (prob >= 0.5)"
        )
    if array.size and (array.min() < 0 or array.max() > 1):
        raise InputError(
            f"{name} holds labels up to {array.max()}, a mask of 0 and 1 was expected: pick one (labels == 1)"
        )
    return array.astype(bool)


def checked_spacing(spacing: tuple[float, ...], ndim: int) -> tuple[float, ...]:
    """Spacing in mm along each grid axis, positive and finite, one value each; else :class:`InputError`."""
    values = tuple(float(value) for value in spacing)
    if len(values) != ndim or not all(np.isfinite(value) and value > 0 for value in values):
        raise InputError(f"spacing {values}: {ndim} positive numbers of mm were expected, one an axis")
    return values
