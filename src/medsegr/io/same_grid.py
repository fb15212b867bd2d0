"""Masks of other programs, brought to the order of axes of the image that they were drawn on.

3D Slicer, ITK-SNAP and MITK save what a person draws in an order of their own: columns first where we have
slices first, an axis turned round, the origin at another corner. The voxels are the same. Where they are not
(another spacing, a part of the grid, a shift) nothing is guessed.
"""

from dataclasses import replace
from itertools import permutations, product

import numpy as np

from medsegr.errors import GeometryError
from medsegr.io.masks import OFF_GRID, elsewhere
from medsegr.io.pictures import EXCHANGED, Laying, itk_lps, laying_of
from medsegr.io.values import LPS_TO_RAS, corners_apart, spacing_of
from medsegr.types import Image

PLACED = ("nifti", "nrrd", "mha")
AS_PNG = "save the mask as PNG"


def in_order(mask: Image, image: Image) -> Image:
    """A mask or label map as it was read -> the same with the axes of ``image``, and its place.

    Axes may be exchanged and turned round: two grids are one where the corners of their voxels' centres lie
    at the same places in the patient, within a tenth of the image's smallest spacing. So the rounding of
    saved affines is no other place (it is a hundredth of that), and half a voxel is. The thickness of a
    single slice does not count. A file of another size comes back as it is: its sizes tell the caller more.
    A mask without a place in an image with one, and the reverse, is taken in its own order.

    For a picture the mask is ``column row`` (and 1), as ITK lays out pictures, of any spacing; ``h w``
    where a NIfTI tells no orientation, or where only that fits. GeometryError for a mask that lies elsewhere,
    or whose order nobody can tell.
    """
    laying = laying_of(image)
    if laying is not None:
        return _on_picture(mask, image, laying)
    if mask.affine is None or image.affine is None or sorted(_full(mask)) != sorted(_full(image)):
        return mask
    places = [image.affine]
    if image.source.meta.get("code") == 0:  # a NIfTI without orientation is elsewhere for ITK than for us
        places.append(LPS_TO_RAS @ itk_lps(image))
    found = [_way(mask, affine, _full(image)) for affine in places]
    apart, order, turned = min(found, key=lambda way: way[0])
    if apart > OFF_GRID * min(image.spacing or (1.0,)):
        raise elsewhere(apart)
    values = _turned(mask.data, order, turned).reshape(-1, *image.grid)
    return replace(mask, data=values, affine=image.affine, spacing=image.spacing, axes=image.axes)


def _on_picture(mask: Image, image: Image, laying: Laying) -> Image:
    if mask.affine is None or mask.source.kind not in PLACED:
        return mask
    rows, columns = image.grid
    stored = (columns, rows, 1) if laying.turn < EXCHANGED else (rows, columns, 1)
    alone = len(mask.grid) == 2
    if mask.source.meta.get("code") == 0 and mask.grid in ((rows, columns), (rows, columns, 1)):
        return _flat(mask, mask.data.reshape(-1, rows, columns))
    if (
        alone
        and mask.source.kind == "nrrd"
        and mask.grid == image.grid
        and (rows == columns or laying.turn > 1)
    ):
        raise GeometryError(
            f"a NRRD of two axes came, {rows} x {columns}: older ones of medsegr have rows first, those of "
            f"others columns, and nothing tells which; {AS_PNG}, or as NRRD of three axes"
        )
    if sorted(_full(mask)) == sorted(stored):
        apart, order, turned = _way(mask, LPS_TO_RAS @ _own_steps(mask), stored)
        if apart <= OFF_GRID * min(spacing_of(mask.affine, 2)):
            return _flat(mask, laying.picture(_turned(mask.data, order, turned)))
    if alone and mask.grid == image.grid and rows != columns and laying.turn == 1:
        return _flat(mask, mask.data)  # rows first: as nothing else does it fit
    if sorted(_full(mask)) != sorted((rows, columns, 1)):
        return mask
    raise GeometryError(
        f"a {mask.source.kind} file came for a picture that does not lie on it as others lay out pictures "
        f"(columns to the patient's left, rows to the back, from 0), and which of its axes goes down is told "
        f"nowhere: {AS_PNG}"
    )


def _flat(mask: Image, values: np.ndarray) -> Image:
    return replace(mask, data=np.ascontiguousarray(values), affine=None, spacing=None, axes=None)


def _full(image: Image) -> tuple[int, int, int]:
    first, second, third = (*image.grid, 1, 1)[:3]
    return first, second, third


def _own_steps(mask: Image) -> np.ndarray:
    """``4 4`` from column, row, slice to LPS+ mm with the mask's own spacing: a picture has none."""
    assert mask.affine is not None
    steps = np.eye(4)
    for axis in range(3):
        way = np.abs(mask.affine[:3, axis])
        along = int(way.argmax())
        steps[along, along] = np.linalg.norm(way)
    return steps


def _way(
    mask: Image, affine: np.ndarray, grid: tuple[int, ...]
) -> tuple[float, tuple[int, ...], tuple[int, ...]]:
    """How many mm the mask's corners lie from those of a grid when its axes are put in the best order: that,
    the order, and which axes of the grid are turned round then."""
    assert mask.affine is not None
    own = _full(mask)
    best: tuple[float, tuple[int, ...], tuple[int, ...]] = (np.inf, (0, 1, 2), ())
    for order in permutations(range(3)):
        if tuple(own[axis] for axis in order) != tuple(grid):
            continue
        for turned in product((False, True), repeat=3):
            back = np.zeros((4, 4))  # index of the grid -> index of the mask
            back[3, 3] = 1
            for axis, (source, turn) in enumerate(zip(order, turned, strict=True)):
                back[source, axis] = -1 if turn else 1
                back[source, 3] = grid[axis] - 1 if turn else 0
            apart = corners_apart(mask.affine @ back, affine, grid)
            if apart < best[0]:
                best = apart, order, tuple(axis for axis, turn in enumerate(turned) if turn)
    return best


def _turned(data: np.ndarray, order: tuple[int, ...], turned: tuple[int, ...]) -> np.ndarray:
    """``c *grid`` of the mask -> ``c`` and the three axes in the order asked for."""
    full = data.reshape(*data.shape, *(1,) * (4 - data.ndim))
    ordered = full.transpose(0, *(axis + 1 for axis in order))
    return np.ascontiguousarray(np.flip(ordered, tuple(axis + 1 for axis in turned)))
