"""Pictures at another size, numpy only: bilinear, cell centres on cell centres, edges held.

Equal up to rounding to torch's ``interpolate(mode="bilinear", align_corners=False)`` and, where the picture
grows smaller and ``smooth`` is set, to its ``antialias=True`` (as Pillow does it).
"""

import functools

import numpy as np

ROWS = 16  # of the result at once, when many cells become one: only what these need is read


def resized(maps: np.ndarray, size: tuple[int, int], smooth: bool = False) -> np.ndarray:
    """``maps`` [*n h w] at ``size`` (h, w), float32. ``smooth``: every cell of a larger picture counts, not
    the nearest two alone."""
    lead, (h, w) = maps.shape[:-2], maps.shape[-2:]
    out = np.empty((*lead, *size), np.float32)
    for one, into in zip(maps.reshape(-1, h, w), out.reshape(-1, *size), strict=True):
        if size[1] <= w:  # the fewest cells first
            _along_rows(_along_columns(one, size[1], smooth), into, smooth)
        else:
            tall = np.empty((size[0], w), np.float32) if size[0] < h else one
            if size[0] < h:
                _along_rows(one, tall, smooth)
            _along_rows(_along_columns(tall, size[1], smooth), into, smooth)
    return out


def _along_columns(one: np.ndarray, width: int, smooth: bool) -> np.ndarray:
    """[h w] -> [h width], by a product of matrices."""
    if one.shape[1] == width:
        return np.asarray(one, np.float32)
    turned = np.empty((width, one.shape[0]), np.float32)
    _along_rows(np.ascontiguousarray(one.T), turned, smooth)
    return np.ascontiguousarray(turned.T)


def _along_rows(one: np.ndarray, out: np.ndarray, smooth: bool) -> None:
    """[h w] -> ``out`` [height w]."""
    old, new = len(one), len(out)
    if old == new:
        out[...] = one
    elif smooth and new < old:
        for rows, cells, weights in _windows(old, new):
            np.matmul(weights, one[cells].astype(np.float32, copy=False), out=out[rows])
    else:
        below, above, share = _pairs(old, new)
        first = one[below].astype(np.float32, copy=False)
        np.multiply(one[above] - first, share[:, None], out=out)
        out += first


@functools.lru_cache(maxsize=32)
def _pairs(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every new cell the two old ones beside its centre, and the share of the second."""
    at = ((np.arange(new) + 0.5) * (old / new) - 0.5).clip(0, old - 1)
    below = np.floor(at).astype(np.intp)
    return below, np.minimum(below + 1, old - 1), (at - below).astype(np.float32)


@functools.lru_cache(maxsize=32)
def _windows(old: int, new: int) -> tuple[tuple[slice, slice, np.ndarray], ...]:
    """A few new cells at once: which, the old cells that they need, and the weights [new old]."""
    return tuple(_window(old, new, first) for first in range(0, new, ROWS))


def _window(old: int, new: int, first: int) -> tuple[slice, slice, np.ndarray]:
    scale, last = old / new, min(first + ROWS, new)
    centres = (np.arange(first, last) + 0.5) * scale
    lowest, highest = max(0, int(centres[0] - scale)), min(old, int(centres[-1] + scale) + 1)
    far = np.abs(np.arange(lowest, highest) + 0.5 - centres[:, None]) / scale
    weights = np.clip(1 - far, 0, None)
    weights /= weights.sum(1, keepdims=True)
    return slice(first, last), slice(lowest, highest), weights.astype(np.float32)
