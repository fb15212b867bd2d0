"""Slices of a volume as pictures, and a correction of one slice carried to its neighbours.

A slice is shown to the model as the volume's own reading shows it: turned to the usual view, with the slices
beside it as the other two channels. Numbers of slices count along the grid axis that is cut across, points on
a slice are pixels of the slice as stored.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from medsegr.errors import UsageError
from medsegr.grid import pixels, planes
from medsegr.types import Image

TWICE = 2  # empty slices in a row after which nothing more is carried on


@dataclass(frozen=True, slots=True)
class Stack:
    """A volume ready to be shown slice by slice. ``seen`` is uint8 ``c n h w`` in the usual view."""

    image: Image
    seen: np.ndarray
    plane: planes.Plane

    @property
    def axis(self) -> int:
        """The grid axis along which slices are counted."""
        return self.plane.order[0]

    @property
    def count(self) -> int:
        """Number of slices."""
        return self.image.grid[self.axis]

    @property
    def flat(self) -> tuple[int, int]:
        """Height and width of a slice as stored."""
        h, w = (n for axis, n in enumerate(self.image.grid) if axis != self.axis)
        return h, w


def stack_of(image: Image) -> Stack:
    """A volume's intensities and view. UsageError for a picture."""
    if len(image.grid) != 3:
        raise UsageError("a slice was named, but this image is a picture: leave the slice out")
    plane = planes.plane_of(image)
    return Stack(image, planes.to_slices(pixels.to_bytes(image), plane), plane)


def slice_number(stack: Stack, number: int | None) -> int:
    """The number as given, checked. UsageError where it is missing or outside the volume."""
    if number is None:
        raise UsageError(
            f"this image is a volume of {stack.count} slices: say on which slice, 0 to {stack.count - 1}"
        )
    if isinstance(number, bool) or int(number) != number or not 0 <= number < stack.count:
        raise UsageError(f"slice {number} came: a whole number from 0 to {stack.count - 1} was expected")
    return int(number)


def slice_image(stack: Stack, number: int) -> Image:
    """One slice as a picture as stored, its neighbours in the other two channels."""
    view = number if not stack.plane.flips[0] else stack.count - 1 - number
    shown = planes.neighbours(stack.seen[0], view) if stack.seen.shape[0] == 1 else stack.seen[:, view]
    rest = [axis for axis in range(3) if axis != stack.axis]
    image = stack.image
    letters = image.axes or (None if image.affine is None else planes.axis_letters(image.affine))
    return replace(
        image,
        data=np.ascontiguousarray(planes.from_slices(shown, stack.plane.slice), dtype=np.float32),
        affine=None,
        spacing=None if image.spacing is None else tuple(image.spacing[axis] for axis in rest),
        axes=None if letters is None else tuple(letters[axis] for axis in rest),
        source=replace(image.source, sha256="", path=None),
    )


def get(mask: np.ndarray, stack: Stack, number: int) -> np.ndarray:
    """Slice ``h w`` of an array on the volume's grid, as stored."""
    return np.asarray(np.take(mask, number, axis=stack.axis))


def put(volume: np.ndarray, stack: Stack, drawn: Mapping[int, np.ndarray]) -> np.ndarray:
    """The volume's mask with some slices replaced: a new array."""
    out = volume.copy()
    for number, mask in drawn.items():
        out[(slice(None),) * stack.axis + (number,)] = mask
    return out


Carry = Callable[[int, np.ndarray], np.ndarray | None]


def spread(
    start: int, mask: np.ndarray, bounds: tuple[int, int], carry: Carry
) -> Iterator[tuple[int, np.ndarray]]:
    """A slice's mask carried up and down, as (number, mask) from the nearest on.

    ``carry`` gives a slice's mask out of its neighbour's, or None where the image does not show the finding
    there. A direction ends at its bound (first and last number that may change), at the first None, and at
    the second empty mask in a row. Where it ends early the slice of the None or of the empty masks is told
    as empty: the finding has come to its end there.
    """
    for step, last in ((1, bounds[1]), (-1, bounds[0])):
        before, empty = mask, 0
        for number in range(start + step, last + step, step):
            found = carry(number, before)
            drawn = np.zeros_like(mask) if found is None else found
            yield number, drawn
            empty = 0 if drawn.any() else empty + 1
            if found is None or empty == TWICE:
                break
            before = drawn if drawn.any() else before
