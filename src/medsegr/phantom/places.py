"""The nine cells of a picture as places, in the viewer's words."""

import numpy as np

from medsegr.findings import COLS, ROWS
from medsegr.phantom.draw import Mask, grid
from medsegr.phantom.scene import Place

WORDS = {
    ("upper", "left"): (
        "in the upper left of the image",
        "at the top left",
        "in the upper left corner of the image",
    ),
    ("upper", "centre"): (
        "in the upper centre of the image",
        "at the top centre of the image",
        "in the top centre of the image",
    ),
    ("upper", "right"): (
        "in the upper right of the image",
        "at the top right",
        "in the upper right corner of the image",
    ),
    ("middle", "left"): (
        "in the middle left of the image",
        "on the middle left of the image",
        "at the middle left of the frame",
    ),
    ("middle", "centre"): (
        "at the centre of the image",
        "in the centre of the frame",
        "in the centre of the image",
    ),
    ("middle", "right"): (
        "in the middle right of the image",
        "on the middle right of the image",
        "at the middle right of the frame",
    ),
    ("lower", "left"): (
        "in the lower left of the image",
        "at the bottom left",
        "in the lower left corner of the image",
    ),
    ("lower", "centre"): (
        "in the lower centre of the image",
        "at the bottom centre of the image",
        "in the bottom centre of the image",
    ),
    ("lower", "right"): (
        "in the lower right of the image",
        "at the bottom right",
        "in the lower right corner of the image",
    ),
}
WIDE = {
    "upper": ("at the top of the image", "in the upper part of the image"),
    "middle": (),
    "lower": ("at the bottom of the image", "in the lower part of the image"),
}


def nine(size: int, body: Mask) -> tuple[Place, ...]:
    """Thirds of the picture by thirds, as far as ``body`` (where lesions may lie) leaves room in them."""
    y, x = grid(size)
    out = []
    for i, row in enumerate(ROWS):
        for j, col in enumerate(COLS):
            core = (np.abs(y * 3 - i - 0.5) < 0.4) & (np.abs(x * 3 - j - 0.5) < 0.4) & body
            if core.sum() < 0.01 * size * size:
                continue
            location = {"rows": (row,), "cols": (col,)}
            out.append(
                Place(
                    f"{row} {col}",
                    core,
                    body,
                    location,
                    WORDS[row, col],
                    wide=WIDE[row],
                    wide_key=row,
                    wide_location={"rows": (row,)},
                )
            )
    return tuple(out)
