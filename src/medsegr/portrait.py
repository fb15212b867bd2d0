"""What a mask looks like in its image: the attributes that a report would tell, measured instead of read.

The values are *oracle* values: made from the mask, so they say nothing about whether the mask is right, and a
number that a model reaches with them is a number with oracle text. :func:`medsegr.report.wording.sentence`
says them.

The rules, each with its cut as a constant here or in :mod:`medsegr.grid.looks`:

* **Side** (patient's frame, image with a left and right): the half that holds ``SIDE`` of the mask; else
  ``midline`` where half of it and its centre lie in the middle third of the width; else ``bilateral``.
* **Rows, cols**: the third of the image, in the usual view, in which the centre lies, and each other third
  that holds ``SPREAD`` of the mask. Rows of a volume run from head to foot. Columns where no side is told.
  Neither of a picture's many small parts (:mod:`medsegr.meaning.among`), of which a place would mean some.
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

from dataclasses import replace

import numpy as np
from scipy import ndimage

from medsegr.checks import left_share, side_axis, touches_border
from medsegr.errors import GeometryError
from medsegr.grid.looks import View, form, hull, margin, parts, size_class, texture, thirds, view_of
from medsegr.grid.pixels import to_bytes
from medsegr.grid.planes import PAIR, Plane, axis_letters, plane_of, to_slices
from medsegr.meaning.among import scattered
from medsegr.report import lexicon
from medsegr.report.describe import finding_from
from medsegr.types import COLS, ROWS, Finding, Image, Location, Shape

SIDE = 0.75
LONGEST = 9000.0  # mm; more is no length of a body but a wrong header


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
    largest, count = parts(mask)
    view, seen = _view(image, mask, largest, plane)
    return replace(
        finding,
        location=_location(image, mask, plane, lexicon.concepts()[name].sided),
        texture=texture(view),
        shape=Shape(
            form=form(view),
            margin=margin(view),
            size_class=size_class(seen),
            size_mm=_size(image, largest, view, plane),
            count=count if 1 < count < 100 else None,
        ),
    )


def _view(image: Image, mask: np.ndarray, largest: np.ndarray, plane: Plane) -> tuple[View, np.ndarray]:
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
    return view_of(seen, part, grey, (float(step[-2]), float(step[-1]))), seen


def _location(image: Image, mask: np.ndarray, plane: Plane, sided: bool) -> Location:
    side = _side(image, mask) if sided else None
    turned = to_slices(mask, plane)
    cols = turned.sum(axis=tuple(range(mask.ndim - 1)))
    rows = turned.sum(axis=1) if mask.ndim == 2 else _head_to_foot(image, mask)
    if mask.ndim == 2 and scattered(mask):
        return Location(side, image.frame)
    return Location(
        side,
        image.frame,
        () if rows is None else thirds(rows, ROWS),
        () if side else thirds(cols, COLS),
    )


def _side(image: Image, mask: np.ndarray) -> str | None:
    found = side_axis(image, "patient")
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


def _size(image: Image, part: np.ndarray, view: View, plane: Plane) -> tuple[float, ...] | None:
    if image.spacing is None or touches_border(part):
        return None
    outline = hull(view)
    corners = outline.points[outline.vertices]
    angles = np.arange(360) * np.pi / 360
    widths = np.ptp(corners @ np.stack([np.cos(angles), np.sin(angles)]), axis=0)
    longest = int(widths.argmax())
    size = [float(widths[longest]), float(widths[longest - 180])]
    if part.ndim == 3:
        through = np.flatnonzero(to_slices(part, plane).any(axis=(1, 2)))
        size.append(float(np.ptp(through) + 1) * float(image.spacing[plane.order[0]]))
    told = tuple(round(value, 1) for value in size)
    return told if min(told) > 0 and max(told) < LONGEST else None
