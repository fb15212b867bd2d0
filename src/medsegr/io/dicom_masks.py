"""Masks in DICOM objects in: DICOM SEG of ours or of anybody, BINARY, FRACTIONAL or LABELMAP, on the grid of
their image. RT structure sets are handed on to :mod:`medsegr.io.dicom_rois`.

A frame is put where its place in the patient says, whatever the order of the frames and of the image's axes
(so the image may be the series, or a NIfTI made from it). Frames without a place (X-ray, photographs) go by
the picture that they name. Frames that are not there are empty.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from medsegr.errors import GeometryError, InputError, UsageError
from medsegr.grid.planes import axis_letters
from medsegr.io.decoder import Decoder, decoding
from medsegr.io.dicom_geometry import Place, place_of
from medsegr.io.dicom_pixels import (
    Opened,
    number,
    numbers,
    open_dataset,
    open_header,
    open_pixels,
    shape_of,
    stored,
)
from medsegr.io.dicom_rois import WHAT as ROIS
from medsegr.io.dicom_rois import Wanted, contoured, infos_of, read_rois
from medsegr.io.dicom_scan import frame_groups
from medsegr.io.dicom_source import check_frame, sources_of
from medsegr.io.dicom_words import STRUCTURES, class_of, code_of, text_of
from medsegr.io.heads import is_dicom
from medsegr.io.limits import DEFAULT_LIMITS, Limits, check, check_grid
from medsegr.io.masks import Canvas, MaskInfo, Masks, own_grid
from medsegr.io.values import guarded, spacing_of
from medsegr.types import Image, Source

WHAT = "DICOM SEG"
CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # segmentation, label map
MESHES = "1.2.840.10008.5.1.4.1.1.66.5"
EACH_CONTOUR = 40  # elements, as they are counted, that a contour of a structure set may have
HALF = 0.5


def holds_masks(path: Path, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Whether a file is a DICOM SEG or an RT structure set. InputError with advice for meshes, which are not
    read."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if not is_dicom(file.read(132)):
            return False
    if class_of(path) == STRUCTURES:
        return True
    with guarded(WHAT):
        return _is_masks(open_header(path, limits))


def header_of(path: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[Dataset, tuple[MaskInfo, ...]]:
    """Header of a DICOM SEG or RT structure set and what it tells of its masks, ROIs without a closed contour
    left out; none is decoded or drawn."""
    with guarded(_what(path)):
        ds = open_header(path, _roomy(path, limits))
        if not _is_structures(ds):
            return ds, _infos(ds)
        held = contoured(ds)
        return ds, tuple(info for info in infos_of(ds) if info.number in held)


def _what(path: Path) -> str:
    return ROIS if class_of(path) == STRUCTURES else WHAT


def _roomy(path: Path, limits: Limits) -> Limits:
    """Limits with room for the header of a structure set, which is all that it has."""
    if class_of(path) != STRUCTURES:
        return limits
    return replace(limits, elements=max(limits.elements, EACH_CONTOUR * limits.contours))


def _is_structures(ds: Dataset) -> bool:
    return str(ds.get("SOPClassUID") or "") == STRUCTURES


def _is_masks(ds: Dataset) -> bool:
    kind = str(ds.get("SOPClassUID") or "")
    if kind == MESHES:
        raise InputError(
            "mask: a surface segmentation (meshes) came where voxels or contours were expected; turn it into "
            "a mask first, for example with 3D Slicer, on the grid of its image"
        )
    return kind in CLASSES or kind == STRUCTURES


def read_masks(
    path: Path,
    image: Image | None = None,
    limits: Limits = DEFAULT_LIMITS,
    threshold: float = HALF,
    only: Wanted | None = None,
) -> Masks:
    """All segments of a DICOM SEG, or ROIs of an RT structure set, as masks on the grid of ``image``; without
    one on the smallest grid of its own.

    Their numbers become labels. Of a FRACTIONAL one a voxel belongs to a mask from ``threshold`` (above 0,
    at most 1) of the largest value on. ``only`` gives the numbers of those ROIs of a structure set that are
    wanted: the others stay empty, and what is wrong with them does not matter. Raises InputError (damaged,
    no masks, drawn on another image), GeometryError (its pixels or planes are not those of the
    image), UsageError (threshold).
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"--threshold: {threshold:g} came where a number above 0 and at most 1 was expected")
    check("file_bytes", path.stat().st_size, limits, WHAT)
    with guarded(_what(path)):
        ds = open_dataset(path.read_bytes(), _roomy(path, limits))
        if not _is_masks(ds):
            raise InputError(f"{WHAT}: another DICOM object came; give the segmentation")
        if _is_structures(ds):
            return read_rois(ds, image, limits, only)
        return _segments(ds, image, limits, threshold)


def _segments(ds: Dataset, image: Image | None, limits: Limits, threshold: float) -> Masks:
    if "TotalPixelMatrixColumns" in ds:
        raise InputError(
            f"{WHAT}: masks of a whole slide (tiles) are not read; export the region as a picture"
        )
    # frame by frame is all that is ever held, so the limit for one volume is not meant for their sum
    opened = open_pixels(ds, replace(limits, voxels=limits.pixels * limits.frames))
    seg = _described(opened, threshold)
    if image is not None:
        check_frame(str(ds.get("FrameOfReferenceUID") or ""), image, limits, WHAT)
    grid = _own_image(seg, limits) if image is None else image
    canvas = Canvas(grid, limits)
    where = _lines(seg, grid, canvas, limits)
    with decoding(limits) as decoder:
        for index, lines in where.items():
            canvas.paint(_frame(seg, index, decoder), lines, seg.numbers[index])
    return Masks(grid, seg.infos, canvas.layers)


@dataclass(frozen=True, slots=True)
class _Seg:
    opened: Opened
    infos: tuple[MaskInfo, ...]
    places: tuple[Place | None, ...]  # of every frame
    numbers: tuple[int | None, ...]  # segment of every frame; None in a label map
    level: float  # stored value from which a voxel belongs to a mask


def _described(opened: Opened, threshold: float) -> _Seg:
    ds = opened.ds
    count = shape_of(ds)[0]
    kind = str(ds.get("SegmentationType") or "").upper()
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise InputError(f"{WHAT}: its type is none of BINARY, FRACTIONAL and LABELMAP; it is damaged")
    infos = _infos(ds)
    known = {info.number for info in infos}
    groups = [frame_groups(ds, index) for index in range(count)]
    told = tuple(None if kind == "LABELMAP" else _segment_of(group) for group in groups)
    if len(known) < len(infos) or (kind != "LABELMAP" and not known.issuperset(told)):
        raise InputError(
            f"{WHAT}: a frame belongs to no described segment, or two share a number; it is damaged"
        )
    most = number(ds, "MaximumFractionalValue", 255.0) or 255.0
    level = threshold * most if kind == "FRACTIONAL" else 1.0
    return _Seg(opened, infos, tuple(place_of(ds, group) for group in groups), told, level)


def _segment_of(groups: tuple[Dataset, ...]) -> int | None:
    value = next((v for group in groups if (v := number(group, "ReferencedSegmentNumber"))), None)
    return None if value is None else int(value)


def _infos(ds: Dataset) -> tuple[MaskInfo, ...]:
    return tuple(_info(item) for item in ds.get("SegmentSequence") or () if number(item, "SegmentNumber"))


def _info(item: Dataset) -> MaskInfo:
    value = int(number(item, "SegmentNumber") or 0)
    regions, kinds = item.get("AnatomicRegionSequence"), item.get("SegmentedPropertyTypeCodeSequence")
    side = None
    for held, name in (
        (regions, "AnatomicRegionModifierSequence"),
        (kinds, "SegmentedPropertyTypeModifierCodeSequence"),
    ):
        side = side or (code_of(held[0].get(name)) if held else None)
    return MaskInfo(
        number=value,
        name=text_of(item.get("SegmentLabel")) or f"segment {value}",
        id=text_of(item.get("TrackingID")),
        uid=text_of(item.get("TrackingUID")),
        kind=code_of(kinds),
        site=code_of(regions),
        side=side,
    )


def _frame(seg: _Seg, index: int, decoder: Decoder) -> np.ndarray:
    """One frame ``h w``: true where its segment is; of a label map the labels."""
    frame, _ = stored(seg.opened, index, decoder)
    if frame.ndim != 2:
        raise InputError(f"{WHAT}: a coloured frame came where one value a pixel was expected; it is damaged")
    if seg.numbers[index] is not None:
        return np.asarray(frame >= seg.level)
    strange = set(np.unique(frame).tolist()) - {0, *(info.number for info in seg.infos)}
    if strange:
        raise InputError(f"{WHAT}: label {min(strange)} is described by no segment; it is damaged")
    return frame


def _lines(seg: _Seg, image: Image, canvas: Canvas, limits: Limits) -> dict[int, np.ndarray]:
    """Where every frame that lies on the image goes: by its place, else by the picture that it names."""
    frames = range(len(seg.places))
    placed = [place for place in seg.places if place is not None]
    if placed and len(placed) < len(seg.places):
        raise InputError(f"{WHAT}: some of its frames tell a place and others do not; it is damaged")
    if placed and image.affine is not None:
        return {index: canvas.lines(place) for index, place in zip(frames, placed, strict=True)}
    if shape_of(seg.opened.ds)[1:] != image.grid[-2:]:
        told = " x ".join(map(str, shape_of(seg.opened.ds)[1:]))
        raise GeometryError(
            f"mask: frames of {told} came where the image has {image.grid}; give its own image"
        )
    slots = _named_slots(seg, image, limits)
    return {index: canvas.slice_lines(slot) for index, slot in slots.items()}


def _named_slots(seg: _Seg, image: Image, limits: Limits) -> dict[int, int]:
    """Slice of the image for every frame, by the images that the frames name."""
    named = [_sources(frame_groups(seg.opened.ds, index)) for index in range(len(seg.places))]
    if image.source.kind != "dicom" or image.source.path is None:
        if len(image.grid) == 3 or len({frozenset(names) for names in named}) > 1 or _several(seg):
            raise GeometryError(
                f"{WHAT}: its frames belong to several pictures or slices; give the DICOM images they name"
            )
        return dict.fromkeys(
            range(len(named)), 0
        )  # one picture, saved as another kind: its size is all it tells
    sources = sources_of(image, limits)
    if not sources.exact:
        raise GeometryError(
            f"{WHAT}: it tells no place, and the image lies on a grid of its own; give its own image"
        )
    known: dict[tuple[str, int], int] = {}
    for slot, ds in enumerate(sources.headers):
        shown = range(1) if sources.frames is None else range(len(sources.frames))
        for frame in shown:
            at = slot if sources.frames is None else sources.frames[frame]
            known[str(ds.SOPInstanceUID), (sources.film or frame + 1)] = at
    found = {}
    for index, names in enumerate(named):
        slots = {known[name] for name in names if name in known}
        if len(slots) == 1:
            found[index] = slots.pop()
        elif len(slots) > 1:
            raise GeometryError(
                f"{WHAT}: one frame names several slices and tells no place; it cannot be placed"
            )
    if not found:
        raise InputError(f"{WHAT}: it was drawn on another image; give the one that it names")
    return found


def _several(seg: _Seg) -> bool:
    """Whether frames lie at several places."""
    places = [place for place in seg.places if place is not None]
    return any(float(np.abs(place.position - places[0].position).max()) > 1e-3 for place in places)


def _sources(groups: tuple[Dataset, ...]) -> set[tuple[str, int]]:
    """(SOP instance, frame counted from 1) of the images that a frame was derived from."""
    found = set()
    for group in groups:
        for item in group.get("SourceImageSequence") or ():
            frames = [int(v) for v in numbers(item, "ReferencedFrameNumber")] or [1]
            found |= {(str(item.get("ReferencedSOPInstanceUID")), frame) for frame in frames}
    return found


def _own_image(seg: _Seg, limits: Limits) -> Image:
    """An image without values on the smallest grid that holds all frames."""
    ds = seg.opened.ds
    placed = [place for place in seg.places if place is not None]
    source = Source(kind="dicom", frame_from="dicom" if placed else "assumed")
    groups = frame_groups(ds, 0)
    if len(placed) < len(seg.places) or not placed:
        if len({frozenset(_sources(frame_groups(ds, index))) for index in range(len(seg.places))}) > 1:
            raise GeometryError(
                f"{WHAT}: its frames belong to several images and tell no place; give these images"
            )
        steps = next((two for part in (*groups, ds) if len(two := numbers(part, "PixelSpacing")) == 2), None)
        spacing = (steps[0], steps[1]) if steps and min(steps) > 0 else None
        return Image(_nothing(shape_of(ds)[1:]), None, spacing, source=source)
    step = next((v for part in groups if (v := number(part, "SpacingBetweenSlices"))), None)
    affine, shape = own_grid(placed, abs(step) if step else None)
    check("frames", shape[0], limits, WHAT)
    check_grid(shape, limits, WHAT)
    return Image(_nothing(shape), affine, spacing_of(affine, 3), axes=axis_letters(affine), source=source)


def _nothing(shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(np.zeros((), np.float32), (1, *shape))
