"""Two real lesions in one picture, so that its words must say which is meant.

Public pictures of lesions mostly hold one, and whoever learns from them learns that the place need not be
read. A lesion cut from a second picture and blended into the first is the cheapest honest remedy (copy-paste
augmentation, Ghiasi et al., arXiv 2012.07177): the place then decides, on real texture.
"""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from medsegr.data import Case, Target

PASTED = ("ES",)  # where a lesion may lie anywhere and a seam is not a landmark
TRIES = 16
APART = 0.42  # of the shorter side: then hardly any turn brings both into one third


def joined(case: Case, other: Case, rng: np.random.Generator) -> Case | None:
    """``case`` with the lesion of ``other`` blended in, or None where that cannot be done well.

    Both must be real pictures of one kind with a single lesion each, and every pixel known: the place could
    not be told of others (:func:`medsegr.samples.batches.render`). The result has two targets of one name and
    is marked ``apart``.
    """
    if case is other or case.made or case.modality not in PASTED or case.modality != other.modality:
        return None
    if len(case.targets) != 1 or len(other.targets) != 1 or case.pixels.shape[0] != other.pixels.shape[0]:
        return None
    if any(target.unknown is not None for target in (*case.targets, *other.targets)):
        return None
    own, theirs = case.mask(0), other.mask(0)
    if not (_single(own) and _single(theirs)):
        return None
    h, w = case.grid
    cut = _cut(other, theirs, rng.uniform(0.12, 0.4) * min(h, w))
    if cut is None:
        return None
    patch, shape = cut
    ph, pw = shape.shape
    centre = np.argwhere(own).mean(0)
    near = ndimage.binary_dilation(own, iterations=4)
    for _ in range(TRIES):
        if ph >= h or pw >= w:
            return None
        y, x = int(rng.integers(0, h - ph)), int(rng.integers(0, w - pw))
        middle = np.array([y + ph / 2, x + pw / 2])
        at = (slice(y, y + ph), slice(x, x + pw))
        lit = case.pixels[:, at[0], at[1]].mean(0) > 25  # endoscopes and plates have black corners
        if np.hypot(*(middle - centre)) < APART * min(h, w) or lit[shape].mean() < 0.97:
            continue
        if (near[at] & shape).any():
            continue
        pixels = case.pixels.copy()
        pixels[:, at[0], at[1]] = blend(case.pixels[:, at[0], at[1]], patch, shape)
        mask = np.zeros(case.grid, bool)
        mask[at] = shape
        target = Target(np.packbits(mask), case.targets[0].codes)
        return replace(case, pixels=pixels, targets=(case.targets[0], target), apart=True)
    return None


def _single(mask: np.ndarray) -> bool:
    """One lesion: all but a tenth of the mask is one piece."""
    labels, count = ndimage.label(mask)
    return count > 0 and float(np.bincount(labels.ravel())[1:].max()) > 0.9 * float(mask.sum())


def _cut(case: Case, mask: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray] | None:
    """The lesion with a rim, its longer side ``side`` pixels: pixels [c h w], mask [h w]."""
    ys, xs = np.nonzero(mask)
    long = max(np.ptp(ys), np.ptp(xs)) + 1
    scale = side / long
    if not 0.25 < scale < 1.6:  # beyond this the texture gives the patch away
        return None
    rim = max(4, int(0.12 * long))
    rows = slice(max(0, ys.min() - rim), ys.max() + rim + 1)
    cols = slice(max(0, xs.min() - rim), xs.max() + rim + 1)
    patch = ndimage.zoom(case.pixels[:, rows, cols].astype(np.float32), (1, scale, scale), order=1)
    shape = ndimage.zoom(mask[rows, cols].astype(np.float32), scale, order=1) > 0.5
    return (patch, shape) if shape.any() and not shape.all() else None


def blend(below: np.ndarray, patch: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """The patch over the picture: its rim is brought to the tone of the place, its edge is soft."""
    tone = (below[:, ~shape].mean(1) - patch[:, ~shape].mean(1))[:, None, None]
    alpha = ndimage.gaussian_filter(ndimage.binary_dilation(shape, iterations=2).astype(np.float32), 1.5)
    out: np.ndarray = np.clip(alpha * (patch + 0.8 * tone) + (1 - alpha) * below, 0, 255).astype(np.uint8)
    return out
