"""What a mask looks like in its image: the attributes that a report would tell, measured instead of read.

The values are *oracle* values: made from the mask, so they say nothing about whether the mask is right, and a
number that a model reaches with them is a number with oracle text. :func:`medsegr.report.wording.sentence`
says them.

The rules, each with its cut as a constant of this file:

* **Side** (patient's frame, image with a left and right): the half that holds ``SIDE`` of the mask; else
  ``midline`` where half of it and its centre lie in the middle third of the width; else ``bilateral``.
* **Rows, cols**: the third of the image, in the usual view, in which the centre lies, and each other third
  that holds ``SPREAD`` of the mask. Rows of a volume run from head to foot. Columns where no side is told.
* **Density** (grey images): mean inside minus mean of the rim, as a share of the grey range: ``iso`` within
  ``ISO``, else ``hyper`` or ``hypo``. **Uniformity**: standard deviation inside, as the same share; between
  the two cuts neither is told. "Inside" is what lies deeper than half of the greatest depth.
* **Form**: ``linear`` from ``LINEAR`` times as long as wide; else by solidity (area over hull): ``irregular``
  below ``LOBED``, ``lobulated`` below ``SOLID``; else ``irregular`` where the area is below ``FILLED`` of the
  ellipse with equal moments, ``round`` below ``OVAL`` times as long as wide, else ``oval``.
* **Margin**: ``spiculated`` where thin spikes, at least ``SPIKES`` of them, hold ``SPIKY`` of the area; else
  the step across the contour over the step from core to rim: ``smooth`` from ``SHARP``, ``ill-defined`` to
  ``SOFT``.
* **Size class**: ``tiny`` below 1 % of the image, else by the share of the bounding box: below 10 %, 30 %.
* **Size**: longest diameter, the width across it, of a volume the extent through the slices, to 0.1 mm.
* **Count**: separate parts, of at least ``PART`` of the largest, where there are two or more.

Of a volume, texture, form, margin, size class and in-plane size are those of the slice, in the usual view,
that holds most of the mask. Of several parts, form, margin and size are those of the largest one.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from medsegr.checks import left_axis, left_share, touches_border
from medsegr.errors import GeometryError
from medsegr.pixels import to_bytes
from medsegr.planes import PAIR, Plane, axis_letters, plane_of, to_slices
from medsegr.report import lexicon
from medsegr.report.describe import finding_from
from medsegr.types import COLS, ROWS, SIZES, Finding, Image, Location, Shape, Texture

SIDE = 0.75
SPREAD = 0.3
ISO = 0.03
HOMOGENEOUS, HETEROGENEOUS = 0.05, 0.1
LINEAR, OVAL = 4.0, 1.25
SOLID, LOBED, FILLED = 0.9, 0.8, 0.88
SPIKES, SPIKY = 4, 0.06
SHARP, SOFT = 0.6, 0.4
PART = 0.05
LEAST = 30  # pixels below which neither form nor margin can be seen
LONGEST = 9000.0  # mm; more is no length of a body but a wrong header


@dataclass(frozen=True, slots=True)
class _View:
    """The picture, or the slice with most of the mask, in the usual view: ``mask`` of all parts, ``part`` the
    largest of them, ``grey`` in [0, 1] or None, ``step`` the pixel's size on both axes (1 where not known).
    """

    mask: np.ndarray  # bool "h w"
    part: np.ndarray  # bool "h w"
    grey: np.ndarray | None  # float "h w"
    step: tuple[float, float]


def portrait(image: Image, mask: np.ndarray, name: str = "lesion") -> Finding:
    """The finding that a mask shows, with ``name`` as its concept (oracle values; the rules stand above).

    Args:
        image: ``c *grid``; its frame, axes and spacing decide side, view and millimetres.
        mask: bool ``*grid``, on the image's grid.
        name: concept of the lexicon, by any of its words. One without sides ("cardiomegaly") gets none.

    Returns:
        A finding without words of a report (phrase ``""``, no spans). An empty mask gives one with polarity
        ``absent`` and no values. What cannot be told is None: a side of a lateral view, a size without
        spacing or of a mask cut by the image's border, form and margin of less than ``LEAST`` pixels, density
        without a rim or of a colour picture.

    Raises:
        GeometryError: the mask has another grid than the image.
        ReportError: nothing in the lexicon is called so.
    """
    name = lexicon.concept(name).name
    mask = np.asarray(mask, bool)
    if mask.shape != image.grid:
        raise GeometryError(f"the mask has grid {mask.shape}, the image {image.grid}: the same was expected")
    finding = finding_from({"name": name, "location": {"side_frame": image.frame}})
    if not mask.any():
        return replace(finding, polarity="absent")
    plane = plane_of(image)
    parts, count = _parts(mask)
    view = _view(image, mask, parts, plane)
    return replace(
        finding,
        location=_location(image, mask, plane, lexicon.concepts()[name].sided),
        texture=_texture(view),
        shape=Shape(
            form=_form(view),
            margin=_margin(view),
            size_class=_size_class(view.mask),
            size_mm=_size(image, parts, view, plane),
            count=count if 1 < count < 100 else None,
        ),
    )


def _parts(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """The largest separate part (bool ``*grid``), and how many parts are more than specks beside it."""
    labels, _ = ndimage.label(mask, np.ones((3,) * mask.ndim))
    sizes = np.bincount(labels.ravel())[1:]
    largest: np.ndarray = labels == 1 + int(sizes.argmax())
    return largest, int(np.count_nonzero(sizes >= PART * sizes.max()))


def _view(image: Image, mask: np.ndarray, largest: np.ndarray, plane: Plane) -> _View:
    seen, part, data = (to_slices(array, plane) for array in (mask, largest, image.data))
    step = tuple(image.spacing[axis] for axis in plane.order) if image.spacing else (1.0,) * mask.ndim
    if mask.ndim == 3:
        at = int(part.sum(axis=(1, 2)).argmax())
        seen, part, data = seen[at], part[at], data[:, at]
    picture = Image(np.nan_to_num(data).astype(np.float32), modality=image.modality)
    grey = to_bytes(picture)[0] / 255.0 if len(data) == 1 else None
    labels, found = ndimage.label(part, np.ones((3, 3)))
    if found > 1:  # one part of a volume may meet the slice several times
        part = labels == 1 + int(np.bincount(labels.ravel())[1:].argmax())
    return _View(seen, part, grey, (float(step[-2]), float(step[-1])))


def _location(image: Image, mask: np.ndarray, plane: Plane, sided: bool) -> Location:
    side = _side(image, mask) if sided else None
    turned = to_slices(mask, plane)
    cols = turned.sum(axis=tuple(range(mask.ndim - 1)))
    rows = turned.sum(axis=1) if mask.ndim == 2 else _head_to_foot(image, mask)
    return Location(
        side,
        image.frame,
        () if rows is None else _thirds(rows, ROWS),
        () if side else _thirds(cols, COLS),
    )


def _side(image: Image, mask: np.ndarray) -> str | None:
    try:
        found = left_axis(image)
    except GeometryError:
        found = None
    if found is None or mask.shape[found[0]] < 3:
        return None
    left = left_share(mask, *found)
    if max(left, 1 - left) >= SIDE:
        return "left" if left > 0.5 else "right"
    profile = mask.sum(axis=tuple(i for i in range(mask.ndim) if i != found[0]))
    place = (np.arange(len(profile)) + 0.5) / len(profile)
    middle = (place > 1 / 3) & (place < 2 / 3)
    centre = float((profile * place).sum() / profile.sum())
    if profile[middle].sum() >= 0.5 * profile.sum() and 1 / 3 <= centre <= 2 / 3:
        return "midline"
    return "bilateral"


def _head_to_foot(image: Image, mask: np.ndarray) -> np.ndarray | None:
    """Voxels of the mask along the body, head first; None where nobody said how the volume lies in it."""
    letters = image.axes or (axis_letters(image.affine) if image.affine is not None else ())
    for axis, letter in enumerate(letters):
        if PAIR.get(letter) == 2:
            profile: np.ndarray = mask.sum(axis=tuple(i for i in range(3) if i != axis))
            return profile[::-1] if letter == "S" else profile
    return None


def _thirds(profile: np.ndarray, names: tuple[str, ...]) -> tuple[str, ...]:
    if len(profile) < 3:
        return ()
    third = np.minimum((np.arange(len(profile)) + 0.5) * 3 / len(profile), 2.999).astype(int)
    shares = np.bincount(third, profile, 3) / profile.sum()
    centre = float((profile * (np.arange(len(profile)) + 0.5)).sum() / profile.sum()) * 3 / len(profile)
    return tuple(n for i, n in enumerate(names) if i == min(2, int(centre)) or shares[i] >= SPREAD)


def _texture(view: _View) -> Texture:
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


def _form(view: _View) -> str | None:
    area = int(np.count_nonzero(view.part))
    if area < LEAST:
        return None
    ratio, fill = _moments(view)
    if ratio >= LINEAR:
        return "linear"
    solidity = area * view.step[0] * view.step[1] / _hull(view).volume  # "volume" of a 2-D hull is its area
    if solidity < SOLID:
        return "irregular" if solidity < LOBED else "lobulated"
    if fill < FILLED:
        return "irregular"
    return "round" if ratio < OVAL else "oval"


def _moments(view: _View) -> tuple[float, float]:
    """How many times as long as wide, and the area over that of the ellipse with equal second moments."""
    points = np.argwhere(view.part) * view.step
    spread = np.linalg.eigvalsh(np.cov(points.T) + np.diag(np.square(view.step)) / 12)
    area = len(points) * view.step[0] * view.step[1]
    return float(np.sqrt(spread[1] / spread[0])), float(area / (4 * np.pi * np.sqrt(spread[0] * spread[1])))


def _hull(view: _View) -> ConvexHull:
    """Hull of the part, through the middles of its pixels' edges, in mm (pixels without spacing)."""
    edge = np.argwhere(view.part & ~ndimage.binary_erosion(view.part)).astype(float)
    middles = [edge + shift for shift in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))]
    return ConvexHull(np.concatenate(middles) * view.step)


def _margin(view: _View) -> str | None:
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


def _size_class(mask: np.ndarray) -> str:
    ys, xs = np.nonzero(mask)
    box = float((np.ptp(ys) + 1) * (np.ptp(xs) + 1) / mask.size)
    return SIZES[0] if mask.mean() < 0.01 else SIZES[1 + int(box >= 0.1) + int(box >= 0.3)]


def _size(image: Image, part: np.ndarray, view: _View, plane: Plane) -> tuple[float, ...] | None:
    if image.spacing is None or touches_border(part):
        return None
    hull = _hull(view)
    corners = hull.points[hull.vertices]
    angles = np.arange(360) * np.pi / 360
    widths = np.ptp(corners @ np.stack([np.cos(angles), np.sin(angles)]), axis=0)
    longest = int(widths.argmax())
    size = [float(widths[longest]), float(widths[longest - 180])]
    if part.ndim == 3:
        through = np.flatnonzero(to_slices(part, plane).any(axis=(1, 2)))
        size.append(float(np.ptp(through) + 1) * float(image.spacing[plane.order[0]]))
    told = tuple(round(value, 1) for value in size)
    return told if min(told) > 0 and max(told) < LONGEST else None
