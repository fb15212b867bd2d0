"""The mask keeps to its boxes: nothing beyond them, and where the model draws nothing that fills a box, an
ellipse in it stands for what a person framed."""

from collections.abc import Sequence

import numpy as np

from medsegr.meaning.among import scattered
from medsegr.reviews import Box

MARGIN = 0.05  # of a box's width and height that a mask may reach beyond it: boxes are drawn by hand
SPAN = 0.8  # of a box's width and height that a mask must span to be taken for what was framed
FILL = 0.5  # of its area that it must cover where no words say what it is: an ellipse covers .785


def framed(mask: np.ndarray, boxes: Sequence[Box], named: bool = True) -> np.ndarray:
    """A mask ``h w`` kept to its boxes: a new array; the mask itself without boxes.

    A box counts as answered where the mask in it spans ``SPAN`` of its width and height and, of a thing that
    is not ``named`` (vessels may be) nor one of many small ones, covers ``FILL`` of it; else the ellipse that
    the box holds is added.
    """
    if not boxes:
        return mask
    out = np.zeros_like(mask)
    for box in boxes:
        part = mask & _window(mask.shape, box, MARGIN)
        if not _fills(part & _window(mask.shape, box, 0.0), box, 0.0 if named else FILL):
            part = part | _ellipse(mask.shape, box)
        out |= part
    return out


def _window(grid: tuple[int, ...], box: Box, margin: float) -> np.ndarray:
    """Bool ``h w``: pixels whose centres lie in the box, widened by ``margin`` of its size on each side."""
    rows, cols = np.ogrid[: grid[0], : grid[1]]
    x0, y0, x1, y1 = box
    wide, tall = margin * (x1 - x0), margin * (y1 - y0)
    across = (cols + 0.5 >= x0 - wide) & (cols + 0.5 <= x1 + wide)
    return np.asarray(across & (rows + 0.5 >= y0 - tall) & (rows + 0.5 <= y1 + tall))


def _fills(part: np.ndarray, box: Box, fill: float) -> bool:
    rows, cols = np.nonzero(part)
    if not rows.size:
        return False
    x0, y0, x1, y1 = box
    spans = np.ptp(cols) + 1 >= SPAN * (x1 - x0) and np.ptp(rows) + 1 >= SPAN * (y1 - y0)
    return bool(spans and (rows.size >= fill * (x1 - x0) * (y1 - y0) or scattered(part)))


def _ellipse(grid: tuple[int, ...], box: Box) -> np.ndarray:
    """The ellipse that touches the four sides; at least the pixel in the middle."""
    rows, cols = np.ogrid[: grid[0], : grid[1]]
    x0, y0, x1, y1 = box
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    inside = ((cols + 0.5 - x) / ((x1 - x0) / 2)) ** 2 + ((rows + 0.5 - y) / ((y1 - y0) / 2)) ** 2 <= 1
    out: np.ndarray = np.array(inside)
    out[min(max(int(y), 0), grid[0] - 1), min(max(int(x), 0), grid[1] - 1)] = True
    return out
