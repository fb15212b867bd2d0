"""The door for points, boxes and masks: what came is checked once, here, before anything is changed."""

from collections.abc import Sequence

import numpy as np

from medsegr.errors import UsageError
from medsegr.reviews import Box, Hints, Point

MOST_POINTS = 200  # of one finding on one picture; more is a mask, which is a prompt of its own
MOST_BOXES = 20
Rows = Sequence[Sequence[float | int]] | np.ndarray


def checked(
    grid: tuple[int, int],
    points: Rows | None = None,
    box: Sequence[float | int] | Rows | None = None,
    mask: np.ndarray | None = None,
    slice: int | None = None,
) -> tuple[Hints, np.ndarray | None]:
    """Prompts for a picture (or slice) of ``grid`` = (h, w): as a value, and the mask as float32 ``h w``.

    ``points``: rows of x, y and 1 (inside) or 0 (outside); ``box``: x0 y0 x1 y1, or rows of these where the
    finding has several pieces; ``mask``: bool, or probabilities. Everything in pixels of the picture.

    Raises:
        UsageError: not finite, outside the picture, a box of no size, another shape, too many, or nothing.
    """
    if points is None and box is None and mask is None:
        raise UsageError("no prompt came: give points, a box or a mask")
    spots = () if points is None else _points(points, grid)
    boxes = () if box is None else _boxes(box, grid)
    start = None if mask is None else _mask(mask, grid)
    if not spots and not boxes and start is None:
        raise UsageError("the prompt is empty: give at least one point, a box or a mask")
    return Hints(spots, boxes, slice, start is not None), start


def plane(grid: tuple[int, int], mask: np.ndarray) -> np.ndarray:
    """A painted mask for a picture (or slice) of ``grid`` = (h, w), as a bool array of its own.

    UsageError where it is of another shape or holds more than yes and no: nothing of it is rounded.
    """
    values = np.asarray(mask)
    if values.shape != grid:
        raise UsageError(f"the mask has the grid {values.shape}, the picture {grid}: the same was expected")
    if values.dtype != bool and not np.isin(values, (0, 1)).all():
        raise UsageError("the painted mask holds other values than 0 and 1: booleans were expected")
    return np.array(values, bool)


def added(before: Hints | None, new: Hints) -> Hints:
    """Prompts so far with those of one more call: points gather, boxes are those of the newest call that
    has any. UsageError where they become too many."""
    if before is None:
        return new
    points = before.points + new.points
    _few(len(points), "points", MOST_POINTS)
    anew = bool(new.boxes) or new.mask  # what was painted before is drawn over then
    return Hints(
        points, new.boxes or before.boxes, new.slice, before.mask or new.mask, before.painted and not anew
    )


def _numbers(given: Rows | Sequence[float | int], what: str, shape: str) -> np.ndarray:
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what} are not numbers: {shape} were expected") from error
    if not np.isfinite(values).all():
        raise UsageError(f"{what} hold a value that is not finite: {shape} were expected")
    return values


def _few(count: int, what: str, most: int) -> None:
    if count > most:
        raise UsageError(f"{count} {what} came for one finding, at most {most} were expected; draw a mask")


def _points(given: Rows, grid: tuple[int, int]) -> tuple[Point, ...]:
    height, width = grid
    shape = "rows of x, y and 1 (inside) or 0 (outside)"
    rows = _numbers(given, "points", shape)
    if rows.size == 0:
        return ()
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise UsageError(f"points have the shape {rows.shape}: {shape} were expected")
    _few(len(rows), "points", MOST_POINTS)
    for x, y, kind in rows:
        if kind not in (0, 1):
            raise UsageError(f"a point ends with {kind:g}: 1 (inside) or 0 (outside) was expected")
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            raise UsageError(
                f"a point lies at {x:g}, {y:g}, outside the picture: x from 0 to {width - 1} and y from 0 to "
                f"{height - 1} were expected"
            )
    return tuple((float(x), float(y), int(kind)) for x, y, kind in rows)


def _boxes(given: Sequence[float | int] | Rows, grid: tuple[int, int]) -> tuple[Box, ...]:
    height, width = grid
    shape = "x0 y0 x1 y1"
    rows = _numbers(given, "boxes", shape)
    if rows.size == 0:
        return ()
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != 4:
        raise UsageError(f"a box has the shape {rows.shape[1:]}: {shape} was expected")
    _few(len(rows), "boxes", MOST_BOXES)
    for x0, y0, x1, y1 in rows:
        told = f"a box came as {x0:g} {y0:g} {x1:g} {y1:g}"
        if not (x0 < x1 and y0 < y1):
            raise UsageError(f"{told}, which has no size: x0 < x1 and y0 < y1 were expected")
        if not (x0 >= -0.5 and y0 >= -0.5 and x1 <= width + 0.5 and y1 <= height + 0.5):
            raise UsageError(
                f"{told}, which leaves the picture: 0 to {width} across and 0 to {height} down were expected"
            )
    return tuple((float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in rows)


def _mask(given: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    values = np.asarray(given)
    if values.dtype != bool and not np.issubdtype(values.dtype, np.number):
        raise UsageError("the mask holds no numbers: booleans or probabilities were expected")
    if values.shape != grid:
        raise UsageError(f"the mask has the grid {values.shape}, the picture {grid}: the same was expected")
    values = values.astype(np.float32)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        raise UsageError("the mask holds values beyond 0 to 1: booleans or probabilities were expected")
    return values
