"""Volumes as stacks of slices in the usual view, and back. The only place that turns or flips a volume.

The usual view of an axial or coronal slice is radiological: the patient's right at the picture's left. Axial
slices have the front on top, coronal and sagittal ones the head; sagittal slices look towards the patient's
left (front at the picture's left).
"""

from dataclasses import dataclass, replace

import numpy as np

from medsegr.errors import GeometryError
from medsegr.types import Image

# normal axis -> (direction in which rows grow, direction in which columns grow)
VIEWS = {"S": ("P", "L"), "A": ("I", "L"), "R": ("I", "P")}
THICK = 2.5  # times the median spacing, above which slices are told to be thick
FEWEST = 8  # voxels across which nothing can be seen as a picture
AXIAL = ("CT", "PT")  # acquired in axial slices: thick ones in another plane were put together from these
PAIR = {letter: axis for axis, letters in enumerate(("RL", "AP", "SI")) for letter in letters}


@dataclass(frozen=True, slots=True)
class Plane:
    """How to turn a grid into the usual view: ``order`` of its axes, then which of these to flip.

    The order is (slice, row, column) for a volume and (row, column) for a picture. ``normal`` is S, A or R,
    or ``?`` where nobody said how the grid lies in the patient (then nothing is turned).
    """

    order: tuple[int, ...]
    flips: tuple[bool, ...]
    normal: str

    @property
    def slice(self) -> "Plane":
        """The same for one slice, a picture of the other two axes as they are stored."""
        order = self.order[1:]
        return Plane(tuple(sorted(order).index(axis) for axis in order), self.flips[1:], "?")


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


def shows_sides(image: Image) -> bool:
    """Whether the patient's left and right may be halves of the image: not of one in the viewer's frame, and
    not of a mammogram, which shows one breast."""
    return image.frame == "patient" and image.modality != "MG"


def shows_rows(image: Image) -> bool:
    """Whether "upper" and "lower" may be parts of the image: not of a mammogram from above (CC), as far as
    its header tells that it is one."""
    down = image.axes[-2] if image.axes is not None and len(image.axes) > 1 else "?"
    return image.modality != "MG" or PAIR.get(down) in (None, PAIR["S"])


def plane_of(image: Image) -> Plane:
    """The usual view of an image.

    A volume is cut axially, or across its thick slices (decision 0057). A picture keeps its plane and is only
    turned or mirrored. Images in the viewer's frame, and those that do not name their axes,
    stay as they are. So do mammograms, but for the head on top: a view from above has the chest at the
    picture's side, where a slice of the body has it below.
    """
    count = len(image.grid)
    letters = image.axes or (axis_letters(image.affine) if image.affine is not None else None)
    if letters is None or image.frame == "viewer" or any(letter not in PAIR for letter in letters[:count]):
        return _as_it_lies(count, "S" if count == 3 else "?")
    if image.modality == "MG":
        flips = tuple(axis == count - 2 and letters[axis] == "S" for axis in range(count))
        return Plane(tuple(range(count)), flips, "?")
    pairs = [PAIR[letter] for letter in letters[:count]]
    if count == 3:
        normal = "RAS"[pairs[_across(image, pairs.index(PAIR["S"]))]]
    else:
        normal = next("RAS"[axis] for axis in range(3) if axis not in pairs)
    wanted = (*(normal if count == 3 else ""), *VIEWS[normal])
    order = tuple(pairs.index(PAIR[letter]) for letter in wanted)
    flips = tuple(letters[axis] != letter for axis, letter in zip(order, wanted, strict=True))
    return Plane(order, flips, normal)


def _across(image: Image, axial: int) -> int:
    """The grid axis across which a volume is cut; ``axial`` is the one from head to foot.

    A slice saved as a volume is itself. Thick slices are cut as they are, but for CT, and PET.
    """
    short = [axis for axis, length in enumerate(image.grid) if length < FEWEST]
    if len(short) == 1:
        return short[0]
    spacing = np.asarray(image.spacing or (1.0, 1.0, 1.0), float)
    widest = int(np.argmax(spacing))
    thick = spacing[widest] > THICK * np.median(spacing) and image.modality not in AXIAL
    return widest if thick else axial


def as_picture(image: Image) -> tuple[Image, int | None]:
    """A volume of one slice as the picture that it is, and the grid axis that is left out; any other image as
    it is, and None."""
    single = [axis for axis, length in enumerate(image.grid) if length == 1]
    if len(image.grid) != 3 or len(single) != 1:
        return image, None
    kept = [axis for axis in range(3) if axis != single[0]]
    letters = image.axes or (axis_letters(image.affine) if image.affine is not None else None)
    flat = replace(
        image,
        data=image.data.squeeze(single[0] + 1),
        affine=None if image.affine is None else image.affine[:, [*kept, *single, 3]],
        spacing=None if image.spacing is None else tuple(image.spacing[axis] for axis in kept),
        axes=None if letters is None else tuple(letters[axis] for axis in kept),
    )
    return flat, single[0]


def usual_plane(image: Image) -> Plane:
    """As :func:`plane_of`; where the geometry contradicts itself, the grid as it lies."""
    try:
        return plane_of(image)
    except GeometryError:
        return _as_it_lies(len(image.grid), "?")


def _as_it_lies(count: int, normal: str) -> Plane:
    return Plane(tuple(range(count)), (False,) * count, normal)


def to_slices(array: np.ndarray, plane: Plane) -> np.ndarray:
    """``* *grid`` -> ``* n h w`` (or ``* h w``) in the usual view. Exact inverse: :func:`from_slices`."""
    lead = array.ndim - len(plane.order)
    turned = np.transpose(array, (*range(lead), *(lead + axis for axis in plane.order)))
    flipped: np.ndarray = np.flip(turned, tuple(lead + i for i, flip in enumerate(plane.flips) if flip))
    return flipped


def from_slices(array: np.ndarray, plane: Plane) -> np.ndarray:
    """``* n h w`` (or ``* h w``) in the usual view -> ``* *grid``."""
    lead = array.ndim - len(plane.order)
    turned = np.flip(array, tuple(lead + i for i, flip in enumerate(plane.flips) if flip))
    back = np.argsort(plane.order)
    return np.transpose(turned, (*range(lead), *(lead + int(axis) for axis in back)))


def neighbours(stack: np.ndarray, z: int) -> np.ndarray:
    """``3 h w``: the slice before, the slice, the slice after (``n h w`` in; the ends repeat)."""
    return stack[[max(z - 1, 0), z, min(z + 1, len(stack) - 1)]]


def tilted(stack: np.ndarray, degrees: float, ratio: float) -> np.ndarray:
    """``* n h w`` as floats, nodded by ``degrees`` about the axis along its rows through the middle of the
    volume, by linear interpolation; what comes from outside repeats the border.

    ``ratio``: distance of two slices over that of two rows, in mm. Of axial slices this is a head that nods:
    with positive degrees the front moves up. The sides stay where they are.
    """
    from scipy import ndimage  # only training tilts; asking loads planes as well

    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    across = np.array([[cos, sin / ratio, 0], [-sin * ratio, cos, 0], [0, 0, 1]])  # slice, row, column
    middle = (np.array(stack.shape[-3:]) - 1) / 2
    flat = stack.reshape(-1, *stack.shape[-3:]).astype(np.float32)
    start = middle - across @ middle
    turned = [ndimage.affine_transform(one, across, start, order=1, mode="nearest") for one in flat]
    return np.stack(turned).reshape(stack.shape)


def points_to_view(xy: np.ndarray, plane: Plane, grid: tuple[int, ...]) -> np.ndarray:
    """Points ``* n 2`` (x, y in pixel centres of the stored picture, x along its last axis) to the usual
    view."""
    index = np.asarray(xy, float)[..., ::-1]  # row, column as stored
    turned = index[..., list(plane.order)]
    sizes = np.array([grid[axis] for axis in plane.order], float)
    return np.where(plane.flips, sizes - 1 - turned, turned)[..., ::-1]


def patient_left(image: Image) -> str | None:
    """On which side of the usual view the patient's left lies: ``"right"``, or None where the question has no
    answer.

    None: viewer frame, mammogram, lateral view, sagittal slices. A picture in the patient's frame that does
    not name its axes is taken in the radiological convention.
    """
    if not shows_sides(image):
        return None
    return None if plane_of(image).normal == "R" else "right"
