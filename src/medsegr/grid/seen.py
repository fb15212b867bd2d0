"""An image as the network sees it: turned to the usual view, with the size of the network's input. Numpy
only."""

import hashlib
from dataclasses import dataclass

import numpy as np

from medsegr.errors import GeometryError
from medsegr.grid import pixels, planes
from medsegr.types import Image


@dataclass(frozen=True, slots=True)
class Seen:
    """``count`` slices (1 for a picture) in the usual view ``plane``, to be shown at ``size`` (h, w) pixels.
    ``key`` names what is seen: equal keys, equal pixels. ``gap``: mm from a slice to the next, if known."""

    plane: planes.Plane
    size: tuple[int, int]
    count: int
    key: str
    gap: float | None = None


def look(image: Image, base: int) -> Seen:
    """How an image is shown; ``base`` is the side of the usual square input. GeometryError below 8 x 8
    pixels."""
    plane = planes.plane_of(image)
    grid = tuple(image.grid[axis] for axis in plane.order)
    h, w = grid[-2:]
    if min(h, w) < 8:
        raise GeometryError(f"the picture is {h} x {w} pixels; at least 8 x 8 are needed")
    spacing = tuple(image.spacing[axis] for axis in plane.order[-2:]) if image.spacing else None
    tall, wide = (h * spacing[0], w * spacing[1]) if spacing and min(spacing) > 0 else (float(h), float(w))
    ratio = (tall / wide) / (h / w)  # pixels that are not square
    fair = (max(1, round(h * ratio**0.5)), max(1, round(w / ratio**0.5)))
    size = pixels.working_size(fair, image.modality, base)
    # The pixels alone do not say how they are shown: equal ones may lie otherwise in the patient.
    rule = image.modality if image.modality in pixels.OF_THEIR_OWN else None
    told = repr((image.data.shape, image.data.dtype.str, rule, plane, size)).encode()
    digest = hashlib.sha256(np.ascontiguousarray(image.data).data)
    digest.update(told)
    deep = len(grid) == 3
    gap = float(image.spacing[plane.order[0]]) if deep and image.spacing else None
    return Seen(plane, size, grid[0] if deep else 1, digest.hexdigest(), gap)


def stack_of(image: Image, seen: Seen) -> np.ndarray:
    """All of it as bytes in the usual view: ``c h w``, or ``c n h w`` of a volume."""
    return planes.to_slices(pixels.to_bytes(image), seen.plane)


def inputs(stack: np.ndarray, first: int, last: int) -> np.ndarray:
    """Slices ``first`` to ``last`` (exclusive) as ``n c h w``; a slice of a volume has its neighbours as
    channels."""
    if stack.ndim == 3:
        return np.ascontiguousarray(stack[None])
    return np.stack([planes.neighbours(stack[0], z) for z in range(first, last)])
