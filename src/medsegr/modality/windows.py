"""Whether a slice of CT is shown in a window that hides the lungs.

What lies below a window has its lowest grey: in one for soft tissue, lungs are as black as what is around
the body, and nothing can be found in them.
"""

import numpy as np
from scipy import ndimage

from medsegr.grid.pixels import coloured, to_bytes
from medsegr.grid.resize import resized
from medsegr.types import Image

WIDTH = 192  # pixels of the long side at which it is looked
LOWEST = 0.03  # of the range of values: no brighter is as good as black
SMALL = 0.15  # of the largest piece: smaller ones are a table, a cable
HIDDEN = 0.2  # of what the body spans: so much is black within where the lungs are
THICK = 3  # pixels: black that is thinner on both sides is fat between muscles, an edge of the body


def hides_lungs(image: Image) -> bool:
    """Whether a fifth or more of what the body spans in a slice of CT, as it is shown to the model, is one
    black; False for volumes and other kinds of images. What it is, is not known: fat is black in narrower
    windows, so this says something only of who asks for lungs."""
    if image.modality != "CT" or len(image.grid) != 2 or coloured(image.data):
        return False
    h, w = image.grid
    share = min(1.0, WIDTH / max(h, w))
    size = (max(1, round(h * share)), max(1, round(w * share)))
    shown = resized(to_bytes(image)[0], size, smooth=True)
    return black_within(shown) >= HIDDEN


def black_within(shown: np.ndarray) -> float:
    """Share of what the body spans that has the lowest grey, of a slice [h w]; 0 where there is no body."""
    seen = shown > shown.min() + LOWEST * np.ptp(shown)
    pieces, count = ndimage.label(ndimage.binary_opening(seen), np.ones((3, 3)))
    if not count:
        return 0.0
    sizes = np.bincount(pieces.ravel())[1:]
    body = np.isin(pieces, np.flatnonzero(sizes >= SMALL * sizes.max()) + 1)
    spanned = _between(body, 0) & _between(body, 1)
    black = ndimage.binary_opening(spanned & ~seen, iterations=THICK)
    return float(black.sum() / spanned.sum())


def _between(mask: np.ndarray, axis: int) -> np.ndarray:
    """What lies between the first and the last pixel of a mask in each line along an axis."""
    before = np.maximum.accumulate(mask, axis)
    behind = np.flip(np.maximum.accumulate(np.flip(mask, axis), axis), axis)
    return np.asarray(before & behind)
