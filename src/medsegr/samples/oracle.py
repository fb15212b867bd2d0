"""Words that a mask would be described with, measured where it is drawn: what training tells of real
pictures.

Everything here is *oracle* text. The rules are those of :mod:`medsegr.grid.looks`, by which reports are
written from masks and results are described, so that a word means the same wherever it is used.
"""

from dataclasses import replace

import numpy as np

from medsegr.grid import looks
from medsegr.reasoning.codes import Code
from medsegr.types import COLS, ROWS

CLEAR = 0.12  # of the grey range: the contrast that a colour picture needs to be called dark or bright


def describe(mask: np.ndarray, grey: np.ndarray, coloured: bool = False) -> tuple[Code, ...]:
    """Oracle words of a mask in its picture (``h w`` each, grey in [0, 1]), by the rules of
    :mod:`medsegr.grid.looks`: thirds, side of the picture, size, form, margin, texture, extent, number.

    Of a colour picture a clear contrast is told, for reports call such things dark or bright, and no other
    texture.
    """
    largest, count = looks.parts(mask)
    view = looks.view_of(mask, largest, grey)
    feel = looks.texture(view)
    seen = {
        "size": looks.size_class(mask),
        "form": looks.form(view),
        "margin": looks.margin(replace(view, grey=None) if coloured else view),
        "density": _contrast(view) if coloured else feel.density,
        "uniformity": None if coloured else feel.uniformity,
        "side": _side(mask.sum(0)),
    }
    texts = [f"row:{v}" for v in looks.thirds(mask.sum(1), ROWS)]
    texts += [f"col:{v}" for v in looks.thirds(mask.sum(0), COLS)]
    texts += [f"{group}:{value}" for group, value in seen.items() if value]
    extent = max((np.ptp(np.flatnonzero(mask.any(axis))) + 1) / mask.shape[1 - axis] for axis in (0, 1))
    numbers = [Code("extent:", float(extent))] + [Code("count:", float(count))] * (1 < count < 100)
    return (*map(Code, texts), *numbers)


def _contrast(view: looks.View) -> str | None:
    around = ~view.mask
    if view.grey is None or not around.any():
        return None
    step = float(view.grey[view.mask].mean() - view.grey[around].mean())
    return None if abs(step) < CLEAR else ("hyper" if step > 0 else "hypo")


def _side(profile: np.ndarray) -> str | None:
    """The half of the picture that holds three quarters of the columns' profile."""
    left = float(profile[: len(profile) // 2].sum() / profile.sum())
    return "left" if left >= 0.75 else "right" if left <= 0.25 else None
