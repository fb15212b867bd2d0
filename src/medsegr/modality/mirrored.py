"""Whether an image may be mirrored, told by the body: organs that lie on one side in nearly everybody.

Files lose their left and right on the way (a slice saved as PNG, a flipped axis, a film on its back), and
nothing in them says so. What is drawn does: a spleen on the right, a heart that leans to the right. Situs
inversus is rare (about 1 in 10,000), so that such a finding speaks against the image first.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import numpy as np

from medsegr.report.lexicon import places

SECTIONS = ("CT", "MR", "PT")  # slices of the whole width; an ultrasound picture shows an organ anywhere
NARROW_BODY = 200.0  # mm: an image so narrow may be cut round one organ, and its middle is not the body's
LEAN = 0.05  # of the width of both lungs: a heart that leans so far has a side


@cache
def _usual() -> Mapping[str, str]:
    whole = (place for place in places().values() if place.implied and place.of == place.name)
    return MappingProxyType({place.name: place.side for place in whole if place.side in ("left", "right")})


def usual_side(name: str) -> str | None:
    """The patient's side, ``left`` or ``right``, on which a whole organ lies in nearly everybody ("spleen":
    left); None for all others."""
    return _usual().get(name)


def lean(heart: np.ndarray, lungs: np.ndarray) -> float | None:
    """How far the lower half of the heart lies from the middle of both lungs, as a share of their width;
    positive towards the right edge of the picture. Masks bool [h w], upright; None where one is empty.

    Only the lower half is taken, since the mediastinum above it lies in the middle.
    """
    rows, cols = np.flatnonzero(heart.any(1)), np.flatnonzero(lungs.any(0))
    if not len(rows) or len(cols) < 2:
        return None
    low = heart[rows[0] + (rows[-1] - rows[0]) // 2 :]
    centre = float(np.average(np.arange(heart.shape[1]), weights=low.sum(0)))
    return (centre - float(cols[0] + cols[-1]) / 2) / float(cols[-1] - cols[0])
