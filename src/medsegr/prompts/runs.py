"""A plane of a mask as run lengths: small enough for a step file or a request, and exact.

``{"size": [h, w], "counts": [...]}``: rows one after the other (row-major), the lengths of stretches of equal
pixels, the first one of zeros (0 long where the first pixel is set). Not the column order of COCO.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from medsegr.errors import UsageError

MOST_PIXELS = 2**28  # of one plane


def runs_of(mask: np.ndarray) -> dict[str, Any]:
    """Run lengths of a bool mask ``h w``; :func:`mask_of` is the inverse."""
    flat = np.asarray(mask, bool).ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    stops = np.concatenate(([0], edges, [flat.size]))
    counts = np.diff(stops).tolist()
    begins = [0] if flat.size and flat[0] else []
    return {"size": [int(n) for n in mask.shape], "counts": begins + counts}


def mask_of(runs: Mapping[str, Any], grid: tuple[int, int] | None = None) -> np.ndarray:
    """The mask bool ``h w`` of run lengths, at most ``MOST_PIXELS`` large; ``grid``: the size it must have.

    UsageError where they are no run lengths, of another size, or do not fill it; checked before memory is
    taken.
    """
    told = "run lengths of a plane were expected: size [h, w] and counts that add up to h x w"
    try:
        size, counts = runs["size"], runs["counts"]
        whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in (*size, *counts))
    except (TypeError, KeyError, OverflowError) as error:
        raise UsageError(f"the painted mask is none: {told}") from error
    if not whole or len(size) != 2 or 0 in size or size[0] * size[1] > MOST_PIXELS:
        raise UsageError(f"the painted mask holds other values than whole numbers in range: {told}")
    if grid is not None and tuple(size) != grid:
        raise UsageError(f"the mask has the grid {tuple(size)}, the picture {grid}: the same was expected")
    if sum(counts) != size[0] * size[1]:
        raise UsageError(f"the counts add up to {sum(counts)}, the size is {size[0]} x {size[1]}: {told}")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, np.asarray(counts, np.int64)).reshape(size[0], size[1])
