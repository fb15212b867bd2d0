"""Masks that were read: any number of them on one grid, overlaps kept, and the painting of stored frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medsegr.errors import GeometryError
from medsegr.io.dicom_geometry import Place, grid_affine, same_way
from medsegr.io.limits import Limits, check
from medsegr.io.values import LPS_TO_RAS, Warnings, corners_apart
from medsegr.types import Code, Image

OFF_GRID = 0.1  # of a voxel: how far a stored pixel may lie from the voxel that it becomes


@dataclass(frozen=True, slots=True)
class MaskInfo:
    """What a file tells of one mask. ``number``: its label (1 or more); ``id``: its tracking id, or ""."""

    number: int
    name: str
    id: str = ""
    uid: str = ""
    kind: Code | None = None
    site: Code | None = None
    side: Code | None = None


@dataclass(frozen=True, slots=True)
class Masks:
    """Masks on the grid of ``image`` (the one that was given, else one without values).

    ``layers``: uint16 arrays ``*grid`` of label numbers, 0 where nothing is. A voxel of several masks has its
    further numbers in further layers, so none is lost. ``notes``: warnings (code, message) about what was
    read otherwise than it stands there.
    """

    image: Image
    infos: tuple[MaskInfo, ...]
    layers: tuple[np.ndarray, ...]
    notes: Warnings = ()

    def mask(self, number: int) -> np.ndarray:
        """Bool ``*grid``, true where the mask of this number is; all false for one without a voxel."""
        found = np.zeros(self.image.grid, bool)
        for layer in self.layers:
            found |= layer == number
        return found


def check_place(mask: Image, image: Image) -> None:
    """GeometryError where a mask on an equal grid lies elsewhere in the patient: by more than a tenth of a
    voxel at a corner. One without a place lies wherever the image does."""
    if mask.affine is None or image.affine is None:
        return
    apart = corners_apart(mask.affine, image.affine, image.grid)
    if apart > OFF_GRID * min(image.spacing or (1.0,)):
        raise elsewhere(apart)


def elsewhere(apart: float) -> GeometryError:
    """The refusal of a mask whose corners lie so many mm from those of the image."""
    return GeometryError(
        f"mask and image lie up to {apart:.3g} mm apart in the patient: the same place was expected; "
        "resample the mask onto the image"
    )


class Canvas:
    """A grid on which the pixels of stored frames become voxels, each at its place in the patient."""

    def __init__(self, image: Image, limits: Limits) -> None:
        """``image``: whose grid it is; its values are not looked at. ``limits.inflated_bytes`` holds for the
        layers together."""
        self._grid, self._limits = image.grid, limits
        self._shape = image.grid if len(image.grid) == 3 else (*image.grid, 1)
        steps = [int(np.prod(self._shape[axis + 1 :], dtype=np.int64)) for axis in range(3)]
        self._strides = np.array(steps, np.int64)
        self._inverse = None if image.affine is None else np.linalg.inv(LPS_TO_RAS @ image.affine)
        self._layers: list[np.ndarray] = []

    @property
    def layers(self) -> tuple[np.ndarray, ...]:
        """What has been painted, each ``*grid``."""
        return tuple(layer.reshape(self._grid) for layer in self._layers)

    def lines(self, place: Place) -> np.ndarray:
        """``3 3`` whole numbers: voxel of a frame's first pixel, and its steps down a row and along a column.

        Axes may be exchanged and turned round. GeometryError where the pixels fall between the voxels.
        """
        if self._inverse is None:
            raise GeometryError("mask: it has a place in the patient and the image has none; give its image")
        rows, columns = place.shape
        steps = (place.down * place.spacing[0], place.along * place.spacing[1])
        exact = np.stack(
            [
                (self._inverse @ np.append(place.position, 1.0))[:3],
                *(self._inverse[:3, :3] @ s for s in steps),
            ]
        )
        whole = np.rint(exact)
        corners = np.array([[1, a, b] for a in (0, rows - 1) for b in (0, columns - 1)], float)
        apart = float(np.abs(corners @ (exact - whole)).max())
        if not apart <= OFF_GRID:
            raise GeometryError(
                f"mask: its pixels lie up to {min(apart, 9999):.2g} voxels beside those of the image "
                "(another grid or resolution); resample it onto the image, or measure it without the image"
            )
        return np.asarray(whole, np.int64)

    def slice_lines(self, index: int) -> np.ndarray:
        """As :meth:`lines`, for a frame that is the grid's own slice ``index`` (0 for a picture)."""
        if len(self._grid) == 2:
            return np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.int64)
        return np.array([[index, 0, 0], [0, 1, 0], [0, 0, 1]], np.int64)

    def paint(self, frame: np.ndarray, lines: np.ndarray, number: int | None = None) -> None:
        """Put a frame ``h w`` of label numbers (0: nothing), or of true and false with the ``number`` of what
        is true, where ``lines`` say.

        GeometryError where a voxel that is set lies outside of the grid.
        """
        flat = np.flatnonzero(frame != 0)
        if not flat.size:
            return
        rows, columns = np.divmod(flat, frame.shape[1])
        ends = np.array([[1, r, c] for r in (rows.min(), rows.max()) for c in (columns.min(), columns.max())])
        reach = ends @ lines
        if reach.min() < 0 or (reach >= self._shape).any():
            raise GeometryError(
                "mask: a part of it lies outside of the image; give the image it was drawn on"
            )
        start, down, along = (int(line @ self._strides) for line in lines)
        numbers = (
            frame.ravel()[flat].astype(np.uint16) if number is None else np.full(flat.size, number, np.uint16)
        )
        self._put(start + rows * down + columns * along, numbers)

    def _put(self, where: np.ndarray, numbers: np.ndarray) -> None:
        depth = 0
        while where.size:
            if depth == len(self._layers):
                size = int(np.prod(self._shape, dtype=np.int64))
                check("inflated_bytes", 2 * size * (depth + 1), self._limits, "overlapping masks")
                self._layers.append(np.zeros(size, np.uint16))
            layer = self._layers[depth]
            held = layer[where]
            free = held == 0
            layer[where[free]] = numbers[free]
            left = ~free & (held != numbers)
            where, numbers = where[left], numbers[left]
            depth += 1


def own_grid(places: Sequence[Place], step: float | None) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Affine (index of slice, row, column to RAS+ mm) and shape of the smallest grid that holds all frames.

    ``step``: mm between slices where the file tells it; else the smallest distance of two frames. Slices that
    are not there count as empty. GeometryError where frames are of several orientations or sizes, or do not
    lie on even places one behind the other.
    """
    first = places[0]
    if not all(same_way(first, place) for place in places):
        raise GeometryError(
            "mask: its frames are of several sizes or orientations; give the image that it was drawn on"
        )
    along = np.array([float((place.position - first.position) @ first.normal) for place in places])
    gaps = np.diff(np.unique(np.round(along, 4)))
    length = step or float(gaps.min(initial=np.inf))
    length = length if np.isfinite(length) else first.thickness
    index = (along - along.min()) / length
    base = places[int(along.argmin())]
    sideways = [
        place.position - base.position - first.normal * (a - along.min())
        for place, a in zip(places, along, strict=True)
    ]
    off = max(float(np.linalg.norm(part)) / min(first.spacing) for part in sideways)
    if off > OFF_GRID or float(np.abs(index - np.rint(index)).max()) > OFF_GRID:
        raise GeometryError(
            "mask: its slices do not lie on even places one behind the other; give the image that it was "
            "drawn on"
        )
    rows, columns = first.shape
    return grid_affine(base, first.normal * length), (int(np.rint(index.max())) + 1, rows, columns)
