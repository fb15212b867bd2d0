"""DICOM RT Structure Sets in: closed contours of anybody as masks on the grid of their image.

Contours are put where their points lie in the patient, so the image may be the series or a NIfTI made from
it. A voxel belongs to an ROI where its centre lies inside of the contours of one plane by the even-odd rule
(so a contour in another is a hole, whether it is told as XOR, as a keyhole or just so), or on a line.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from medsegr.errors import GeometryError, InputError
from medsegr.grid.planes import axis_letters
from medsegr.io.dicom_geometry import grid_affine, place_of
from medsegr.io.dicom_pixels import number
from medsegr.io.dicom_source import check_frame
from medsegr.io.dicom_words import code_of, text_of
from medsegr.io.limits import Limits, check, check_grid
from medsegr.io.masks import OFF_GRID, Canvas, MaskInfo, Masks
from medsegr.io.outlines import fill, steps_of
from medsegr.io.values import LPS_TO_RAS, spacing_of
from medsegr.types import Image, Source

WHAT = "DICOM RT structure set"
CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
MOST_LABEL = 65535  # of the layers that masks are held in
Wanted = Callable[[Sequence[MaskInfo]], Collection[int]]
FARTHEST = 1e6  # mm: a point beyond is none of a patient
SAME_PLANE = 0.02  # of the slice distance: contours nearer than this lie in one plane
PIECE = 100_000  # numbers that are taken apart at a time
BEYOND = 0.01  # pixels over the edge of the picture that rounding explains


@dataclass(frozen=True, slots=True)
class _Contour:
    """Points ``n 3``, LPS+ mm, of a closed contour. ``roi`` is the number of its label."""

    roi: int
    points: np.ndarray
    xor: bool


@dataclass(slots=True)
class _Seen:
    """What has to be told in warnings: labels of the ROIs, by what happened to them."""

    open: set[int] = field(default_factory=set)
    between: set[int] = field(default_factory=set)
    cut: set[int] = field(default_factory=set)
    apart: set[int] = field(default_factory=set)
    nothing: set[int] = field(default_factory=set)

    def notes(self) -> tuple[tuple[str, str], ...]:
        """Warnings (code, message), without names."""
        told = (
            (self.open, ("outlines_open", "points and open lines enclose nothing and were left out")),
            (self.between, ("outlines_between", "contours lie between slices and were put on the nearest")),
            (self.cut, ("outlines_cut", "contours reach beyond the image and were cut off at its edge")),
            (self.apart, ("outlines_apart", "contours leave slices out, on which nothing is marked")),
            (
                self.nothing,
                ("outlines_empty", "no contour encloses a voxel's centre: the mask is empty"),
            ),
        )
        return tuple((code, f"{_rois(found)}: {what}") for found, (code, what) in told if found)


def _rois(labels: set[int]) -> str:
    few = ", ".join(map(str, sorted(labels)[:8]))
    return f"ROI {few}" + (f" and {len(labels) - 8} more" if len(labels) > 8 else "")


def infos_of(ds: Dataset) -> tuple[MaskInfo, ...]:
    """What the object tells of its ROIs. Their numbers become labels; where these are none that a label may
    have, ROIs are counted from 1."""
    rois = _items(ds, "StructureSetROISequence")
    if not rois:
        raise InputError(f"{WHAT}: it describes no ROI; it is damaged or empty")
    labels = _labels(rois)
    seen = {_number(item, "ReferencedROINumber"): item for item in _items(ds, "RTROIObservationsSequence")}
    found = []
    for item in rois:
        told = _number(item, "ROINumber")
        about = seen.get(told) or Dataset()
        kinds, sites = about.get("RTROIIdentificationCodeSequence"), about.get("AnatomicRegionSequence")
        sides = [
            code_of(held[0].get(name))
            for held, name in (
                (sites, "AnatomicRegionModifierSequence"),
                (kinds, "SegmentedPropertyTypeModifierCodeSequence"),
            )
            if held
        ]
        found.append(
            MaskInfo(
                number=labels[told],
                name=text_of(item.get("ROIName")) or f"ROI {told}",
                id=text_of(about.get("ROIObservationLabel")),
                kind=code_of(kinds),
                site=code_of(sites),
                side=next(filter(None, sides), None),
            )
        )
    return tuple(found)


def contoured(ds: Dataset) -> set[int]:
    """Labels of the ROIs that have a closed contour. Others are points, or were planned and never drawn: that
    there is nothing of the kind they do not say."""
    labels = _labels(_items(ds, "StructureSetROISequence"))
    return {
        labels[told]
        for roi in _items(ds, "ROIContourSequence")
        if (told := _number(roi, "ReferencedROINumber")) in labels
        and any(_kind(item) in CLOSED for item in _items(roi, "ContourSequence"))
    }


def _kind(contour: Dataset) -> str:
    return str(contour.get("ContourGeometricType") or "").strip().upper()


def _items(ds: Dataset, name: str) -> Sequence[Dataset]:
    found: Any = ds.get(name)
    return found or ()


def _number(item: Dataset, name: str) -> int:
    value = number(item, name)
    if value is None or value != int(value):
        raise InputError(f"{WHAT}: an ROI has no number, or one that is not whole; it is damaged")
    return int(value)


def _labels(rois: Sequence[Dataset]) -> dict[int, int]:
    """ROI number -> label."""
    numbers = [_number(item, "ROINumber") for item in rois]
    if len(set(numbers)) < len(numbers):
        raise InputError(f"{WHAT}: two of its ROIs share a number; it is damaged")
    if len(numbers) > MOST_LABEL:
        raise InputError(f"{WHAT}: it has {len(numbers):,} ROIs where at most {MOST_LABEL:,} were expected")
    plain = all(1 <= told <= MOST_LABEL for told in numbers)
    return {told: told if plain else place for place, told in enumerate(numbers, 1)}


def read_rois(ds: Dataset, image: Image | None, limits: Limits, only: Wanted | None = None) -> Masks:
    """All ROIs of a structure set as masks on the grid of ``image``; without one on the grid that its
    contours were drawn around, where it tells that. ``only`` gives the labels of those that are drawn, all
    where it is None. Call inside ``guarded``.

    Raises InputError (damaged, drawn on another image), GeometryError (planes that are not the image's).
    """
    infos, seen = infos_of(ds), _Seen()
    wanted = {info.number for info in infos} if only is None else set(only(infos))
    grid = _own_image(ds, limits) if image is None else image
    if grid.affine is None:
        raise GeometryError(
            f"{WHAT}: it has a place in the patient and the image has none; give the series it was drawn on"
        )
    if image is not None:
        for frame in sorted(_frames(ds, wanted)):
            check_frame(frame, image, limits, WHAT)
    contours = list(_contours(ds, wanted, seen, limits))
    canvas = Canvas(grid, limits)
    full = _Painter(grid, canvas, seen, limits).paint(contours) if contours else set()
    seen.nothing |= wanted - full - seen.open
    return Masks(grid, infos, canvas.layers, seen.notes())


def _frames(ds: Dataset, wanted: Collection[int]) -> set[str]:
    """Frames of reference of the wanted ROIs; where these tell none, that of the object if it is one."""
    rois = _items(ds, "StructureSetROISequence")
    kept = [item for item, label in zip(rois, _labels(rois).values(), strict=True) if label in wanted]
    told = {str(item.get("ReferencedFrameOfReferenceUID") or "") for item in kept}
    if told - {""}:
        return told - {""}
    items = _items(ds, "ReferencedFrameOfReferenceSequence")
    whole = {str(item.get("FrameOfReferenceUID") or "") for item in items}
    return whole - {""} if len(whole) == 1 else set()


def _contours(ds: Dataset, wanted: Collection[int], seen: _Seen, limits: Limits) -> Iterator[_Contour]:
    """Every closed contour of the wanted ROIs. What is open is noted, what is damaged refused."""
    labels = _labels(_items(ds, "StructureSetROISequence"))
    count = points = 0
    if not _items(ds, "ROIContourSequence"):
        raise InputError(f"{WHAT}: it holds no contour; it is damaged or empty")
    for roi in _items(ds, "ROIContourSequence"):
        told = _number(roi, "ReferencedROINumber")
        if told not in labels:
            raise InputError(f"{WHAT}: contours belong to ROI {told}, which is not described; it is damaged")
        for item in _items(roi, "ContourSequence") if labels[told] in wanted else ():
            count += 1
            check("contours", count, limits, WHAT)
            kind = _kind(item)
            if kind not in CLOSED:
                seen.open.add(labels[told])
                continue
            found = _points(item, limits.points - points, limits)
            points += len(found)
            yield _Contour(labels[told], found, kind == "CLOSEDPLANAR_XOR")


def _points(item: Dataset, room: int, limits: Limits) -> np.ndarray:
    """``n 3`` of a contour, of which the limit of points leaves ``room``."""
    values = _coordinates(item, room, limits)
    if not (np.isfinite(values).all() and np.abs(values).max() < FARTHEST):
        raise InputError(
            f"{WHAT}: a coordinate of a contour is not finite, or beyond a kilometre; it is damaged"
        )
    told = number(item, "NumberOfContourPoints")
    if len(values) % 3 or (told is not None and 3 * told != len(values)):
        more = "" if told is None else f" for {told:g} points"
        raise InputError(
            f"{WHAT}: a contour has {len(values)} coordinates{more}, where three a point were expected; it "
            "is damaged"
        )
    return values.reshape(-1, 3)


def _coordinates(item: Dataset, room: int, limits: Limits) -> np.ndarray:
    """All numbers, from the text as it is stored, piece by piece: the library would make an object of every
    one of them."""
    element: Any = item.get_item("ContourData") if "ContourData" in item else None
    raw: Any = b"" if element is None else element.value
    if not isinstance(raw, bytes):  # no longer as it was read
        raw = b"\\".join(str(value).encode() for value in raw or ())
    raw = raw.rstrip(b"\0 ")
    ends = np.flatnonzero(np.frombuffer(raw, np.uint8) == ord("\\"))
    check("points", limits.points - room + (len(ends) + 1) // 3, limits, WHAT)
    found = np.empty(len(ends) + 1)
    begins = np.append(0, ends + 1)
    ends = np.append(ends, len(raw))
    for at in range(0, len(found), PIECE):
        last = min(at + PIECE, len(found))
        try:
            found[at:last] = [float(part) for part in raw[begins[at] : ends[last - 1]].split(b"\\")]
        except ValueError:
            raise InputError(f"{WHAT}: a coordinate of a contour is no number; it is damaged") from None
    return found


class _Painter:
    """Fills contours on the slices of an image, whichever of its axes these are stacked along."""

    def __init__(self, image: Image, canvas: Canvas, seen: _Seen, limits: Limits) -> None:
        """``canvas``: of the grid of ``image``, which has a place."""
        assert image.affine is not None
        self._inverse = np.linalg.inv(LPS_TO_RAS @ image.affine)
        self._shape = image.grid if len(image.grid) == 3 else (*image.grid, 1)
        self._spacing = spacing_of(image.affine, 3)
        self._order = (0, 1, 2) if len(image.grid) == 3 else (2, 0, 1)  # where slices are looked for first
        self._canvas, self._seen, self._limits = canvas, seen, limits

    def paint(self, contours: Sequence[_Contour]) -> set[int]:
        """Put every contour on the canvas; labels that have a voxel then. GeometryError where one lies in no
        slice."""
        points = [self._inverse[:3, :3] @ c.points.T + self._inverse[:3, 3:] for c in contours]
        axis = self._axis(points)
        slots: dict[int, set[int]] = {}
        full: set[int] = set()
        cost = 0
        for roi, depth, found in _planes(contours, points, axis):
            slot = self._slot(roi, depth, axis)
            slots.setdefault(roi, set()).add(slot)
            cost += sum(steps_of(contour, self._picture(axis)) for contour in found)
            check("points", cost, self._limits, f"{WHAT}: lines")
            full |= {roi} if self._fill(roi, slot, axis, found) else set()
        self._tell_gaps(slots)
        return full

    def _slot(self, roi: int, depth: float, axis: int) -> int:
        """The slice nearest to a plane."""
        count = self._shape[axis]
        if not -0.5 - SAME_PLANE <= depth <= count - 0.5 + SAME_PLANE:
            raise GeometryError(
                f"{WHAT}: contours of ROI {roi} lie on a plane that the image does not have (slice "
                f"{depth + 1:.4g} of {count}); give the whole series it was drawn on"
            )
        slot = min(max(round(depth), 0), count - 1)
        if abs(depth - slot) > OFF_GRID:
            self._seen.between.add(roi)
        return slot

    def _picture(self, axis: int) -> tuple[int, int]:
        rows, columns = (self._shape[at] for at in range(3) if at != axis)
        return rows, columns

    def _axis(self, points: Sequence[np.ndarray]) -> int:
        """The axis of the grid along which every contour stays in its place."""
        spread = np.array([np.ptp(found, axis=1) for found in points])
        worst = (spread * self._spacing).max(axis=0)
        axis = min(self._order, key=lambda at: (round(worst[at], 6), self._order.index(at)))
        if spread[:, axis].max() > 2 * OFF_GRID:
            raise GeometryError(
                f"{WHAT}: its contours do not lie in the slices of the image (they were drawn on another "
                "orientation); give the series it was drawn on"
            )
        return axis

    def _fill(self, roi: int, slot: int, axis: int, contours: Sequence[np.ndarray]) -> bool:
        """Draw one plane; whether it has a voxel."""
        shape = self._picture(axis)
        self._note_edge(roi, contours, shape)
        mask, (row, column) = fill(contours, shape)
        down, along = (at for at in range(3) if at != axis)
        lines = np.zeros((3, 3), np.int64)
        lines[0, axis], lines[0, down], lines[0, along] = slot, row, column
        lines[1, down] = lines[2, along] = 1
        self._canvas.paint(mask, lines, roi)
        return bool(mask.any())

    def _note_edge(self, roi: int, contours: Sequence[np.ndarray], shape: tuple[int, int]) -> None:
        edge = np.array(shape) - 0.5 + BEYOND
        if any((c < -0.5 - BEYOND).any() or (c > edge).any() for c in contours):
            self._seen.cut.add(roi)

    def _tell_gaps(self, found: Mapping[int, set[int]]) -> None:
        """Contours on every second slice or less, as they are on an image of finer slices."""
        for roi, slots in found.items():
            steps = np.diff(sorted(slots))
            if len(steps) > 1 and steps.min() > 1:
                self._seen.apart.add(roi)


def _planes(
    contours: Sequence[_Contour], points: Sequence[np.ndarray], axis: int
) -> Iterator[tuple[int, float, list[np.ndarray]]]:
    """Label, slice coordinate and contours ``n 2`` of every plane of every ROI, however its numbers were
    rounded."""
    depths = np.array([found[axis].mean() for found in points])
    rois = np.array([contour.roi for contour in contours])
    order = np.lexsort((depths, rois))
    apart = (np.diff(rois[order]) != 0) | (np.diff(depths[order]) > SAME_PLANE)
    for plane in np.split(order, np.flatnonzero(apart) + 1):
        found = [(np.delete(points[at], axis, 0).T, contours[at].xor) for at in sorted(plane.tolist())]
        yield int(rois[plane[0]]), float(depths[plane].mean()), _single(found)


def _single(found: Sequence[tuple[np.ndarray, bool]]) -> list[np.ndarray]:
    """Contours of one plane without those that came twice, which would undo each other where no XOR is
    meant."""
    kept: dict[bytes, np.ndarray] = {}
    for at, (points, xor) in enumerate(found):
        kept[bytes([xor]) + (str(at).encode() if xor else np.round(points, 3).tobytes())] = points
    return list(kept.values())


def _own_image(ds: Dataset, limits: Limits) -> Image:
    """An image without values on the grid that the contours were drawn around."""
    told = [
        item
        for roi in _items(ds, "ROIContourSequence")
        for item in _items(roi, "SourcePixelPlanesCharacteristicsSequence")
    ]
    place = place_of(told[0]) if told else None
    if place is None:
        raise GeometryError(
            f"{WHAT}: contours have no voxels of their own; give the image that they were drawn on (-i)"
        )
    frames, rows, columns = int(number(told[0], "NumberOfFrames") or 1), *place.shape
    check("frames", frames, limits, WHAT)
    check_grid((frames, rows, columns), limits, WHAT)
    affine = grid_affine(place, place.normal * place.thickness)
    values = np.broadcast_to(np.zeros((), np.float32), (1, frames, rows, columns))
    source = Source(kind="dicom", frame_from="dicom")
    return Image(values, affine, spacing_of(affine, 3), axes=axis_letters(affine), source=source)
