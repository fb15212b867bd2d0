"""DICOM RT Structure Set: the masks of an image as closed contours, one ROI a finding, one object for all.

Contours run along the borders of pixels and reach holes by a channel without width, so that whoever fills
them by the centres of the pixels gets the same masks (:mod:`medsegr.io.outlines`).
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID

from medsegr.errors import InputError, UsageError
from medsegr.io.dicom_geometry import Place, place_of
from medsegr.io.dicom_objects import TEXT, algorithm, ascii_text, coded, composing, identity
from medsegr.io.dicom_source import Sources
from medsegr.io.dicom_words import STRUCTURES
from medsegr.io.outlines import outlines
from medsegr.io.segments import Maker, Segment, drawn
from medsegr.io.values import LPS_TO_RAS
from medsegr.types import Image

WHAT = "DICOM RT structure set"
STUDY = UID("1.2.840.10008.3.1.2.3.1")  # what a study is as an object: retired, and still what is told here
ANATOMY = "91723000"  # SNOMED CT: anatomical structure
IN_PLANE = 0.01  # of the slice distance: how far a contour may lie from the image that it names
FINE = 1e-3  # of a pixel: to which contours are told
LONGEST = 16  # characters of a decimal string
MOST_WORDS = 1024  # characters of the DICOM type ST


@dataclass(frozen=True, slots=True)
class _Plane:
    """One slice: LPS+ mm of its first pixel's centre and of a step of row and column, and the item that
    names its image; None where it lies between images."""

    origin: np.ndarray
    down: np.ndarray
    along: np.ndarray
    image: Dataset | None


def make_rt(image: Image, segments: Sequence[Segment], sources: Sources, maker: Maker) -> Dataset:
    """The structure set of all segments that have a mask; ROI n is the n-th of
    :func:`~medsegr.io.segments.drawn`.

    The patient and study modules are those of the source images. Raises UsageError where these have no place
    in the patient, InputError where there is no mask at all, or where the headers do not allow the object.
    """
    check_placed(image)
    shown = drawn(segments)
    if not shown:
        raise InputError(f"{WHAT}: there is no mask to write, and an empty one is never written")
    with composing(WHAT):
        made = _object(sources, maker)
        frame = str(sources.headers[0].FrameOfReferenceUID)
        planes = _planes(image, sources)
        grid = _grid(image, planes)
        made.ReferencedFrameOfReferenceSequence = [_references(frame, sources)]
        made.StructureSetROISequence = [_roi(n, s, frame, maker) for n, s in enumerate(shown, 1)]
        made.ROIContourSequence = [_contours(n, s, planes, grid) for n, s in enumerate(shown, 1)]
        made.RTROIObservationsSequence = [_observation(n, s) for n, s in enumerate(shown, 1)]
        made.ApprovalStatus = "UNAPPROVED"
    return made


def check_placed(image: Image) -> None:
    """UsageError for an image whose pixels have no place in the patient: a projection, a photograph, a
    film."""
    if image.affine is None:
        raise UsageError(
            "--format rtstruct: contours are told in patient millimetres, and this image has no place in the "
            "patient (a projection, a photograph or a frame of a film); use dicom-seg, nifti or png"
        )


def _item(**elements: Any) -> Dataset:
    made = Dataset()
    for name, value in elements.items():
        setattr(made, name, value)
    return made


def _object(sources: Sources, maker: Maker) -> Dataset:
    """Everything but the contours. Implicit VR: with explicit ones a contour of more than 64 KiB, which is
    2,000 points, does not fit its element."""
    import highdicom as hd

    first, now = sources.headers[0], datetime.datetime.now()
    told = {
        key: value for key, value in identity("RTSTRUCT", maker).items() if key != "content_qualification"
    }
    made: Dataset = hd.base.SOPClass(
        study_instance_uid=first.StudyInstanceUID, sop_class_uid=STRUCTURES, modality="RTSTRUCT", **told
    )
    made.copy_patient_and_study_information(first)
    made.OperatorsName = ""
    made.FrameOfReferenceUID = first.FrameOfReferenceUID
    made.PositionReferenceIndicator = first.get("PositionReferenceIndicator") or ""
    made.StructureSetLabel = "MEDSEGR"
    made.StructureSetName = ascii_text(f"{maker.program} {maker.model}")
    made.StructureSetDescription = f"{maker.notice} Drawn by a program, verified by nobody."
    made.StructureSetDate, made.StructureSetTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    return made


def _named(ds: Dataset, frame: int | None = None) -> Dataset:
    made = _item(ReferencedSOPClassUID=ds.SOPClassUID, ReferencedSOPInstanceUID=ds.SOPInstanceUID)
    if frame is not None:
        made.ReferencedFrameNumber = frame
    return made


def _references(frame: str, sources: Sources) -> Dataset:
    """The frame of reference, and in it study, series and every image of the source."""
    series: dict[str, list[Dataset]] = {}
    for ds in sources.headers:
        series.setdefault(str(ds.SeriesInstanceUID), []).append(_named(ds))
    study = _item(
        ReferencedSOPClassUID=STUDY,
        ReferencedSOPInstanceUID=sources.headers[0].StudyInstanceUID,
        RTReferencedSeriesSequence=[
            _item(SeriesInstanceUID=uid, ContourImageSequence=named) for uid, named in series.items()
        ],
    )
    return _item(FrameOfReferenceUID=frame, RTReferencedStudySequence=[study])


def _roi(number: int, segment: Segment, frame: str, maker: Maker) -> Dataset:
    made = _item(
        ROINumber=number,
        ReferencedFrameOfReferenceUID=frame,
        ROIName=ascii_text(segment.name),
        ROIGenerationAlgorithm=segment.drawn_by,
        ROIGenerationDescription=ascii_text(f"{maker.program} {maker.version}, {maker.model}"),
        ROIDerivationAlgorithmIdentificationSequence=algorithm(maker),
    )
    if segment.phrase:
        made.ROIDescription = " ".join(segment.phrase.split())[:MOST_WORDS]
    return made


def _observation(number: int, segment: Segment) -> Dataset:
    """What an ROI means. Only an organ has an interpreted type: whether a lesion is a target, its physician
    says."""
    kind = _code(segment.kind)
    made = _item(
        ObservationNumber=number,
        ReferencedROINumber=number,
        ROIObservationLabel=ascii_text(segment.id)[:LONGEST],
        SegmentedPropertyCategoryCodeSequence=[_code(segment.category)],
        RTROIIdentificationCodeSequence=[kind],
        RTROIInterpretedType="ORGAN" if segment.category.value == ANATOMY else "",
        ROIInterpreter="",
    )
    site = None if segment.site is None else _code(segment.site)
    if site is not None:
        made.AnatomicRegionSequence = [site]
    if segment.side is not None and site is not None:
        site.AnatomicRegionModifierSequence = [_code(segment.side)]
    elif segment.side is not None:
        kind.SegmentedPropertyTypeModifierCodeSequence = [_code(segment.side)]
    return made


def _code(code: Any) -> Dataset:
    told = coded(code)
    return _item(
        CodeValue=told.value, CodingSchemeDesignator=told.scheme_designator, CodeMeaning=told.meaning[:TEXT]
    )


def _planes(image: Image, sources: Sources) -> tuple[_Plane, ...]:
    """Where the slices lie: as their images tell, where each has its own; else by the affine."""
    assert image.affine is not None
    lps = LPS_TO_RAS @ image.affine
    if len(image.grid) == 2:
        return (_Plane(lps[:3, 3], lps[:3, 0], lps[:3, 1], _named(sources.headers[0])),)
    step, down, along = lps[:3, 0], lps[:3, 1], lps[:3, 2]
    slots = range(image.grid[0])
    if sources.frames is not None:
        held = {slot: _named(sources.headers[0], n) for n, slot in enumerate(sources.frames, 1)}
        return tuple(_Plane(lps[:3, 3] + n * step, down, along, held.get(n)) for n in slots)
    places = [(place_of(ds), ds) for ds in sources.headers]
    if sources.exact:
        return tuple(_own(place, ds) for place, ds in places if place is not None)
    return tuple(_between(lps[:3, 3] + n * step, lps, places) for n in slots)


def _own(place: Place, ds: Dataset) -> _Plane:
    down, along = place.down * place.spacing[0], place.along * place.spacing[1]
    return _Plane(place.position, down, along, _named(ds))


def _between(origin: np.ndarray, lps: np.ndarray, places: Sequence[tuple[Place | None, Dataset]]) -> _Plane:
    """A slice of a grid that is not the images' own, with the image in whose plane it lies, if any."""
    normal = np.cross(lps[:3, 2], lps[:3, 1])
    normal = normal / np.linalg.norm(normal)
    near = max(IN_PLANE * float(np.linalg.norm(lps[:3, 0])), IN_PLANE)
    held = [ds for place, ds in places if place and abs(float((origin - place.position) @ normal)) <= near]
    return _Plane(origin, lps[:3, 1], lps[:3, 2], _named(held[0]) if held else None)


def _grid(image: Image, planes: Sequence[_Plane]) -> Dataset:
    """The pixels that the contours were drawn around, slices along their normal, so that a reader can have
    them back without the images."""
    first, last = planes[0], planes[-1]
    spacing = float(np.linalg.norm(first.down)), float(np.linalg.norm(first.along))
    normal = np.cross(first.along / spacing[1], first.down / spacing[0])
    away = float((last.origin - first.origin) @ normal)
    apart = abs(away) / (len(planes) - 1) if len(planes) > 1 else 0.0
    lowest = last if away < 0 else first
    return _item(
        PixelSpacing=_short(spacing),
        SpacingBetweenSlices=_short([apart or _thickness(image)])[0],
        ImageOrientationPatient=_short([*first.along / spacing[1], *first.down / spacing[0]]),
        ImagePositionPatient=_short(lowest.origin),
        NumberOfFrames=len(planes),
        Rows=image.grid[-2],
        Columns=image.grid[-1],
    )


def _thickness(image: Image) -> float:
    """Millimetres through the one slice of an image."""
    assert image.affine is not None
    return float(np.linalg.norm(image.affine[:3, 2 if len(image.grid) == 2 else 0]))


def _short(values: Any) -> list[str]:
    """Numbers as decimal strings of 16 characters at most."""
    return [f"{float(value):.9g}" for value in values]


def _contours(number: int, segment: Segment, planes: Sequence[_Plane], grid: Dataset) -> Dataset:
    assert segment.mask is not None
    mask = segment.mask if segment.mask.ndim == 3 else segment.mask[None]
    found: list[Dataset] = []
    for at in np.flatnonzero(mask.any(axis=(1, 2))).tolist():
        plane = planes[at]
        steps = np.stack([plane.down, plane.along])
        for points in outlines(mask[at]):
            found.append(_contour(len(found) + 1, plane.origin + points @ steps, plane))
    return _item(
        ROIDisplayColor=list(segment.colour),
        ReferencedROINumber=number,
        SourcePixelPlanesCharacteristicsSequence=[grid],
        ContourSequence=found,
    )


def _contour(number: int, points: np.ndarray, plane: _Plane) -> Dataset:
    made = _item(
        ContourNumber=number, ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=len(points)
    )
    if plane.image is not None:
        made.ContourImageSequence = [plane.image]
    pixel = min(float(np.linalg.norm(plane.down)), float(np.linalg.norm(plane.along)))
    whole = len(f"{-np.abs(points).max():.0f}.")
    decimals = min(int(np.ceil(-np.log10(FINE * pixel))), LONGEST - whole)
    told = np.round(points.ravel(), decimals) + 0.0  # no minus zero
    text = "\\".join(map(repr, told.tolist()))
    # as text: the library makes an object of every number, which takes a hundred times as long
    made.add(DataElement("ContourData", "DS", text, already_converted=True))
    return made
