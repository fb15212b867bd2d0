"""Distances between the surfaces of two masks, in mm.

The surface of a mask is its voxels that have a face neighbour outside the mask, or that lie at the border of
the grid. Distances run between voxel centres, with ``spacing`` in mm along each grid axis, so anisotropic
voxels count as they are.

Empty masks. Both empty: the surfaces agree, distances 0.0 and NSD 1.0. Exactly one empty: distances ``inf``
and NSD 0.0. An ``inf`` makes a mean useless on purpose: report a median, or the number of such images beside
the mean of the rest.
"""

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from medsegr.errors import InputError
from medsegr.metrics.masks import Mask, checked_pair, checked_spacing


def surface_distances(
    pred: Mask, truth: Mask, spacing: tuple[float, ...]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " m"]]:
    """For the n surface voxels of ``pred`` the distance to truth's surface in mm, and for truth's m those to
    pred's.

    Where the other mask is empty every distance is ``inf``; where a mask is empty its own array has no
    values.
    """
    p, t = checked_pair(pred, truth)
    scale = checked_spacing(spacing, p.ndim)
    box = _bounding_box(p | t)
    edge_p, edge_t = _edge(p[box]), _edge(t[box])
    return _distances(edge_p, edge_t, scale), _distances(edge_t, edge_p, scale)


def hausdorff(pred: Mask, truth: Mask, spacing: tuple[float, ...], percentile: float = 100.0) -> float:
    """Hausdorff distance in mm: the larger of the two directed ``percentile`` distances (100: the classic
    maximum).
    """
    if not 0 <= percentile <= 100:
        raise InputError(f"percentile {percentile}: a number from 0 to 100 was expected")
    return _directed(*surface_distances(pred, truth, spacing), percentile)


def hd95(pred: Mask, truth: Mask, spacing: tuple[float, ...]) -> float:
    """95th percentile Hausdorff distance in mm."""
    return hausdorff(pred, truth, spacing, percentile=95.0)


def assd(pred: Mask, truth: Mask, spacing: tuple[float, ...]) -> float:
    """Average symmetric surface distance in mm: the mean over the surface voxels of both masks together."""
    one, other = surface_distances(pred, truth, spacing)
    together = np.concatenate([one, other])
    return float(together.mean()) if together.size else 0.0


def nsd(pred: Mask, truth: Mask, spacing: tuple[float, ...], tolerance: float) -> float:
    """Normalised surface Dice: the share of both surfaces that lies within ``tolerance`` mm of the other, in
    [0, 1].
    """
    if not tolerance >= 0:
        raise InputError(f"tolerance {tolerance}: a number of mm, 0 or more, was expected")
    return _within(*surface_distances(pred, truth, spacing), tolerance)


def hd95_and_nsd(
    pred: Mask, truth: Mask, spacing: tuple[float, ...], tolerance: float
) -> tuple[float, float]:
    """:func:`hd95` and :func:`nsd` from one look at the surfaces, which is what takes the time."""
    if not tolerance >= 0:
        raise InputError(f"tolerance {tolerance}: a number of mm, 0 or more, was expected")
    one, other = surface_distances(pred, truth, spacing)
    return _directed(one, other, 95.0), _within(one, other, tolerance)


def _directed(one: np.ndarray, other: np.ndarray, percentile: float) -> float:
    if one.size == 0 or other.size == 0:
        return 0.0 if one.size == other.size else float("inf")
    return float(max(np.percentile(one, percentile), np.percentile(other, percentile)))


def _within(one: np.ndarray, other: np.ndarray, tolerance: float) -> float:
    together = np.concatenate([one, other])
    return float(np.count_nonzero(together <= tolerance) / together.size) if together.size else 1.0


def _bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box around the mask; distances inside it are exact, since it holds both surfaces."""
    found = ndimage.find_objects(mask.astype(np.uint8))
    return found[0] if found else tuple(slice(0, 0) for _ in mask.shape)


def _edge(mask: np.ndarray) -> np.ndarray:
    if mask.size == 0:
        return mask
    inner: np.ndarray = ndimage.binary_erosion(mask)
    edge: np.ndarray = mask & ~inner
    return edge


def _distances(edge: np.ndarray, other: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    if not edge.any():
        return np.zeros(0)
    if not other.any():
        return np.full(int(edge.sum()), np.inf)
    field: np.ndarray = ndimage.distance_transform_edt(~other, sampling=spacing)
    there: np.ndarray = field[edge]
    return there
