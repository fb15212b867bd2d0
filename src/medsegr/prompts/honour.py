"""The mask keeps to the clicks: a point said to be inside is inside, one said to be outside is outside.

A network may not follow a click, and a small one often does not. Then the click corrects by itself: a disc
around it that reaches to the nearest outline of the mask, since whoever corrects clicks into the middle of
what is wrong, and never farther than ``REACH`` of the picture's longer side. It stays nearer to its own click
than to any click that says the opposite. Where a click is followed already, nothing is changed. How that was
chosen is in ``docs/explain/clicks.md``.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from medsegr.reviews import Point

REACH = 0.1  # of the longer side: how far one click may correct
LEAST = 1.5  # px: the smallest correction is the point's pixel with its neighbours


def pixel_of(point: Point, grid: tuple[int, ...]) -> tuple[int, int]:
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


def honoured(mask: np.ndarray, points: Sequence[Point]) -> np.ndarray:
    """A mask ``h w`` (bool) that follows every point: a new array. Points are worked off in their order; of
    several in one pixel the last counts."""
    out: np.ndarray = np.array(mask, bool)
    wanted = _wanted(points, mask.shape)
    for at, inside in wanted.items():
        if bool(out[at]) != inside:
            out[_disc(out, at, [other for other, kind in wanted.items() if kind != inside])] = inside
    return out


def settled(before: np.ndarray, proposed: np.ndarray, point: Point) -> np.ndarray:
    """The mask before with one click's correction: of what a model proposes to change only the connected
    piece that holds the click, so that earlier work elsewhere stays. The mask before where the model does not
    follow the click."""
    at = pixel_of(point, before.shape)
    inside = bool(point[2])
    if bool(before[at]) == inside or bool(proposed[at]) != inside:
        return before
    labels, _ = ndimage.label(before != proposed)
    changed: np.ndarray = np.where(labels == labels[at], proposed, before)
    return changed


def _wanted(points: Sequence[Point], grid: tuple[int, ...]) -> dict[tuple[int, int], bool]:
    found: dict[tuple[int, int], bool] = {}
    for point in points:
        at = pixel_of(point, grid)
        found.pop(at, None)  # the order is that of the last word on each pixel
        found[at] = bool(point[2])
    return found


def _disc(mask: np.ndarray, at: tuple[int, int], others: Sequence[tuple[int, int]]) -> np.ndarray:
    """Bool ``h w``: what one click changes. ``others`` are the pixels of clicks that say the opposite."""
    rows, cols = np.ogrid[: mask.shape[0], : mask.shape[1]]
    away = (rows - at[0]) ** 2 + (cols - at[1]) ** 2
    same = mask == mask[at]  # what is as wrong as the click's own pixel, up to the outline
    outline = float(away[~same].min()) ** 0.5 if not same.all() else np.inf
    edge = min(at[0], at[1], mask.shape[0] - 1 - at[0], mask.shape[1] - 1 - at[1]) + 1.0
    # A mask ends at the border of the picture, but what is missing may well lie along it.
    outline = min(outline, edge) if mask[at] else outline
    reach = min(max(LEAST, outline), max(LEAST, REACH * max(mask.shape)))
    near: np.ndarray = away <= reach**2
    for row, col in others:
        near &= away < (rows - row) ** 2 + (cols - col) ** 2
    return near
