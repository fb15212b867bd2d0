"""How a mask looks in its picture: the rules by which size, form, margin, texture and thirds are measured.

:mod:`medsegr.portrait` says them of a finished mask, and training says them of the picture as it was turned
(:mod:`medsegr.samples.oracle`), so that the network learns the words by the rules by which they are used.
Each cut is a constant of this file; the rules are written out in :mod:`medsegr.portrait`.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from medsegr.types import SIZES, Texture

SPREAD = 0.3
ISO = 0.03
HOMOGENEOUS, HETEROGENEOUS = 0.05, 0.1
LINEAR, OVAL = 4.0, 1.25
SOLID, LOBED, FILLED = 0.9, 0.8, 0.88
SPIKES, SPIKY = 4, 0.06
SHARP, SOFT = 0.6, 0.4
PART = 0.05
LEAST = 30  # pixels below which neither form nor margin can be seen


@dataclass(frozen=True, slots=True)
class View:
    """The neighbourhood of a mask, wide enough for all that is measured: ``mask`` of all parts, ``part`` the
    largest of them, ``grey`` in [0, 1] or None (a colour picture), ``step`` the pixel's size on both axes (1
    where not known)."""

    mask: np.ndarray  # bool "h w"
    part: np.ndarray  # bool "h w"
    grey: np.ndarray | None  # float "h w"
    step: tuple[float, float] = (1.0, 1.0)


def view_of(
    mask: np.ndarray, part: np.ndarray, grey: np.ndarray | None, step: tuple[float, float] = (1.0, 1.0)
) -> View:
    """What :class:`View` holds, cut from whole pictures (``h w``). ``mask`` is not empty."""
    reach = 3 * _band(mask) + 2  # nothing looks farther
    at = tuple(
        slice(max(0, int(line[0]) - reach), int(line[-1]) + reach + 1)
        for line in (np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0)))
    )
    return View(mask[at], part[at], None if grey is None else grey[at], step)


def parts(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """The largest separate part (bool ``*grid``), and how many parts are more than specks beside it."""
    labels, _ = ndimage.label(mask, np.ones((3,) * mask.ndim))
    sizes = np.bincount(labels.ravel())[1:]
    largest: np.ndarray = labels == 1 + int(sizes.argmax())
    return largest, int(np.count_nonzero(sizes >= PART * sizes.max()))


def thirds(profile: np.ndarray, names: tuple[str, ...]) -> tuple[str, ...]:
    """The thirds in which a profile [n] has its centre or ``SPREAD`` of its sum; () of fewer than 3."""
    if len(profile) < 3:
        return ()
    third = np.minimum((np.arange(len(profile)) + 0.5) * 3 / len(profile), 2.999).astype(int)
    shares = np.bincount(third, profile, 3) / profile.sum()
    centre = float((profile * (np.arange(len(profile)) + 0.5)).sum() / profile.sum()) * 3 / len(profile)
    return tuple(n for i, n in enumerate(names) if i == min(2, int(centre)) or shares[i] >= SPREAD)


def texture(view: View) -> Texture:
    """Density against the rim, and how even the inside is; nothing of a colour picture."""
    if view.grey is None:
        return Texture()
    core, rim = _core(view.mask), _rim(view.mask)
    density = uniformity = None
    if rim.any():
        step = float(view.grey[core].mean() - view.grey[rim].mean())
        density = "iso" if abs(step) < ISO else "hyper" if step > 0 else "hypo"
    if np.count_nonzero(core) >= LEAST:
        spread = float(view.grey[core].std())
        uniformity = (
            "homogeneous" if spread <= HOMOGENEOUS else "heterogeneous" if spread >= HETEROGENEOUS else None
        )
    return Texture(density, uniformity)


def _core(mask: np.ndarray) -> np.ndarray:
    """What lies deeper in the mask than half of its depth, away from a blurred edge."""
    inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    core: np.ndarray = inside >= 0.5 * inside.max()
    return core


def _band(mask: np.ndarray) -> int:
    """Pixels on which the contour is looked at: a twentieth of the width, and two at least."""
    return max(2, round(0.05 * 2 * float(np.sqrt(np.count_nonzero(mask) / np.pi))))


def _rim(mask: np.ndarray) -> np.ndarray:
    """What lies around the mask, a little off it."""
    distance = ndimage.distance_transform_edt(~mask) if not mask.all() else np.zeros(mask.shape)
    band = _band(mask)
    rim: np.ndarray = (distance > band) & (distance <= 3 * band)
    return rim if rim.any() else distance > 0


def form(view: View) -> str | None:
    """A value of FORMS, or None of a part too small to have one."""
    area = int(np.count_nonzero(view.part))
    if area < LEAST:
        return None
    ratio, fill = _moments(view)
    if ratio >= LINEAR:
        return "linear"
    solidity = area * view.step[0] * view.step[1] / hull(view).volume  # "volume" of a 2-D hull is its area
    if solidity < SOLID:
        return "irregular" if solidity < LOBED else "lobulated"
    if fill < FILLED:
        return "irregular"
    return "round" if ratio < OVAL else "oval"


def _moments(view: View) -> tuple[float, float]:
    """How many times as long as wide, and the area over that of the ellipse with equal second moments."""
    points = np.argwhere(view.part) * view.step
    spread = np.linalg.eigvalsh(np.cov(points.T) + np.diag(np.square(view.step)) / 12)
    area = len(points) * view.step[0] * view.step[1]
    return float(np.sqrt(spread[1] / spread[0])), float(area / (4 * np.pi * np.sqrt(spread[0] * spread[1])))


def hull(view: View) -> ConvexHull:
    """Hull of the part, through the middles of its pixels' edges, in mm (pixels without spacing)."""
    edge = np.argwhere(view.part & ~ndimage.binary_erosion(view.part)).astype(float)
    middles = [edge + shift for shift in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))]
    return ConvexHull(np.concatenate(middles) * view.step)


def margin(view: View) -> str | None:
    """A value of MARGINS, or None where it cannot be seen."""
    area = int(np.count_nonzero(view.part))
    if area < LEAST:
        return None
    if _moments(view)[0] < LINEAR and _is_spiculated(view.part, area):
        return "spiculated"
    if view.grey is None or view.part.all():
        return None
    inside, outside = (ndimage.distance_transform_edt(m) for m in (view.part, ~view.part))
    band = min(_band(view.part), max(1, int(inside.max()) // 2))
    core, rim = inside > min(2 * band, inside.max() - 1), _rim(view.part)
    whole = float(view.grey[core].mean() - view.grey[rim].mean())
    if abs(whole) < 2 * ISO:
        return None
    near = (inside > 0) & (inside <= band), (outside > 0) & (outside <= band)
    across = float(view.grey[near[0]].mean() - view.grey[near[1]].mean()) / whole
    return "smooth" if across >= SHARP else "ill-defined" if across <= SOFT else None


def _is_spiculated(part: np.ndarray, area: int) -> bool:
    """Whether thin parts stand out: those that are lost when a disc of a third of its depth opens it."""
    deep = np.pad(part, 1)
    inside = ndimage.distance_transform_edt(deep)
    radius = inside.max() / 3
    if radius < 1:
        return False
    kept = ndimage.distance_transform_edt(inside <= radius) <= radius
    lost = deep & ~kept
    labels, _ = ndimage.label(lost, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())[1:]
    spikes = np.count_nonzero(sizes >= max(3, 0.005 * area))
    return bool(spikes >= SPIKES and sizes.sum() >= SPIKY * area)


def size_class(mask: np.ndarray) -> str:
    """A value of SIZES; ``mask`` [h w] is that of the whole picture."""
    ys, xs = np.nonzero(mask)
    box = float((np.ptp(ys) + 1) * (np.ptp(xs) + 1) / mask.size)
    return SIZES[0] if mask.mean() < 0.01 else SIZES[1 + int(box >= 0.1) + int(box >= 0.3)]
