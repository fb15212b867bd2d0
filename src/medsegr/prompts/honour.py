"""The mask keeps to the clicks: a point said to be inside is inside, one said to be outside is outside.

A network may not follow a click. Then its own probabilities near the click decide how much changes: the
connected piece around the point that is at least as likely (for a point inside; at most as likely for one
outside), no farther from the point than ``REACH`` of the picture's longer side and cut off where another
click says otherwise. Where a click is followed, nothing is changed.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from medsegr.reviews import Point

REACH = 0.04  # of the longer side: how far one click may correct
LEAST = 1.5  # px: the smallest correction is the point's pixel with its neighbours


def pixel_of(point: Point, grid: tuple[int, int]) -> tuple[int, int]:
    """Row and column of the pixel in which a point lies; pixels are centred on whole numbers."""
    x, y, _ = point
    row, col = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
    return min(max(row, 0), grid[0] - 1), min(max(col, 0), grid[1] - 1)


def followed(mask: np.ndarray, points: Sequence[Point]) -> float:
    """Share of the points that a mask ``h w`` follows; 1.0 without points. Of several points in one pixel
    only the last counts."""
    wanted = _wanted(points, mask.shape)
    if not wanted:
        return 1.0
    return sum(bool(mask[at]) == inside for at, inside in wanted.items()) / len(wanted)


def honoured(prob: np.ndarray, points: Sequence[Point], start: np.ndarray | None = None) -> np.ndarray:
    """The mask ``h w`` of a probability map that follows every point; ``start`` is the mask before (default:
    probabilities of 0.5 or more). Of several points in one pixel the last counts."""
    mask: np.ndarray = (prob >= 0.5 if start is None else start).copy()
    wanted = _wanted(points, prob.shape)
    for at, inside in wanted.items():
        if bool(mask[at]) != inside:
            mask[_piece(prob if inside else 1 - prob, at, [p for p, k in wanted.items() if k != inside])] = (
                inside
            )
    for at, inside in wanted.items():
        mask[at] = inside
    return mask


def _wanted(points: Sequence[Point], grid: tuple[int, ...]) -> dict[tuple[int, int], bool]:
    found: dict[tuple[int, int], bool] = {}
    for point in points:
        at = pixel_of(point, (grid[0], grid[1]))
        found.pop(at, None)  # the order is that of the last word on each pixel
        found[at] = bool(point[2])
    return found


def _piece(likely: np.ndarray, at: tuple[int, int], others: Sequence[tuple[int, int]]) -> np.ndarray:
    """Bool ``h w``: what one click changes. ``others`` are the pixels of clicks that say the opposite: the
    piece stays nearer to its own click than to any of them."""
    rows, cols = np.ogrid[: likely.shape[0], : likely.shape[1]]
    away = (rows - at[0]) ** 2 + (cols - at[1]) ** 2
    reach = max(LEAST, REACH * max(likely.shape))
    near: np.ndarray = away <= reach**2
    for row, col in others:
        near &= away < (rows - row) ** 2 + (cols - col) ** 2
    labels, _ = ndimage.label(near & (likely >= likely[at]))
    piece: np.ndarray = labels == labels[at] if labels[at] else np.zeros(likely.shape, bool)
    least: np.ndarray = near & (away <= LEAST**2)
    return piece | least
