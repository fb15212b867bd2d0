"""Volumes as stacks of slices in the usual view, and back. The only place that turns or flips a volume.

The usual view of an axial or coronal slice is radiological: the patient's right at the picture's left. Axial
slices have the front on top, coronal and sagittal ones the head; sagittal slices look towards the patient's
left (front at the picture's left).
"""

from dataclasses import dataclass

import numpy as np

from medsegr.errors import GeometryError
from medsegr.types import Image

# normal axis -> (direction in which rows grow, direction in which columns grow)
VIEWS = {"S": ("P", "L"), "A": ("I", "L"), "R": ("I", "P")}
OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}
PAIR = {letter: axis for axis, letters in enumerate(("RL", "AP", "SI")) for letter in letters}


@dataclass(frozen=True, slots=True)
class Plane:
    """How to turn a grid into slices: ``order`` of axes (slice, row, column), then which of these to flip."""

    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    normal: str  # S, A or R


def axis_letters(affine: np.ndarray) -> tuple[str, str, str]:
    """Direction (R L A P S I) in which each of the three grid axes grows, for an affine to RAS+ mm.

    Oblique axes get the nearest letter such that each of the three patient axes is used once.
    """
    directions = np.asarray(affine, float)[:3, :3]
    lengths = np.linalg.norm(directions, axis=0)
    if not np.all(np.isfinite(directions)) or np.any(lengths < 1e-9):
        raise GeometryError(
            "the affine is singular or not finite: three independent axes were expected; repair the header"
        )
    cosines = directions / lengths
    letters = ["?", "?", "?"]
    strength = np.abs(cosines).copy()
    for _ in range(3):
        world, grid = np.unravel_index(int(np.argmax(strength)), strength.shape)
        letters[grid] = ("RL", "AP", "SI")[world][0 if cosines[world, grid] > 0 else 1]
        strength[world, :] = -1
        strength[:, grid] = -1
    return letters[0], letters[1], letters[2]


def plane_of(image: Image) -> Plane:
    """The slices in which a volume was most likely taken: across its widest spacing; axial where spacings are
    about equal."""
    letters = image.axes or (axis_letters(image.affine) if image.affine is not None else None)
    if letters is None or "?" in letters:
        return Plane(order=(0, 1, 2), flips=(False, False, False), normal="S")
    spacing = np.asarray(image.spacing or (1.0, 1.0, 1.0), float)
    axial = next(i for i, letter in enumerate(letters) if letter in "SI")
    widest = int(np.argmax(spacing))
    across = widest if spacing[widest] > 1.5 * np.median(spacing) else axial
    normal = "RAS"[PAIR[letters[across]]]
    rows, cols = VIEWS[normal]
    row_axis = next(i for i, letter in enumerate(letters) if PAIR[letter] == PAIR[rows])
    col_axis = next(i for i, letter in enumerate(letters) if PAIR[letter] == PAIR[cols])
    order = (across, row_axis, col_axis)
    flips = (letters[across] != normal, letters[row_axis] != rows, letters[col_axis] != cols)
    return Plane(order=order, flips=flips, normal=normal)


def to_slices(array: np.ndarray, plane: Plane) -> np.ndarray:
    """``* *grid`` -> ``* n h w`` in the usual view. Exact inverse: :func:`from_slices`."""
    lead = array.ndim - 3
    turned = np.transpose(array, (*range(lead), *(lead + axis for axis in plane.order)))
    flipped: np.ndarray = np.flip(turned, tuple(lead + i for i, flip in enumerate(plane.flips) if flip))
    return flipped


def from_slices(array: np.ndarray, plane: Plane) -> np.ndarray:
    """``* n h w`` in the usual view -> ``* *grid``."""
    lead = array.ndim - 3
    turned = np.flip(array, tuple(lead + i for i, flip in enumerate(plane.flips) if flip))
    back = np.argsort(plane.order)
    return np.transpose(turned, (*range(lead), *(lead + int(axis) for axis in back)))


def patient_left(image: Image) -> str | None:
    """On which side of the picture as seen by the model the patient's left lies: ``"right"``, ``"left"`` or
    None.

    None: the question has no answer (viewer frame, lateral view, sagittal slices). A picture in the patient's
    frame that does not name its axes is taken in the radiological convention (``"right"``).
    """
    if image.frame == "viewer":
        return None
    if len(image.grid) == 3:
        plane = plane_of(image)
        return "right" if plane.normal in "SA" else None
    if image.axes is None:
        return "right"
    return {"L": "right", "R": "left"}.get(image.axes[-1])
