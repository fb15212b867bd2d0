"""DICOM SR, template TID 1500: what the report says and what was measured, each finding beside its segment.

A finding with a mask is a region (TID 1411, or 1410 for a picture) that refers to its segment in the SEG.
Its two axes stand in a group of their own with their end points as coordinates, which viewers show as a
drawn measurement. A finding without a mask is a group that says absent, present or undetermined, and nothing
else.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from medsegr.errors import InputError
from medsegr.io.dicom_objects import ascii_text, coded, composing, identity
from medsegr.io.dicom_seg import frames_of
from medsegr.io.dicom_source import Sources
from medsegr.io.segments import Maker, Segment, drawn, rounded
from medsegr.io.values import LPS_TO_RAS
from medsegr.types import Code, Image, Measurement

WHAT = "DICOM SR"
PRESENCE = {
    "present": codes.DCM.Present,
    "absent": codes.DCM.Absent,
    "uncertain": codes.DCM.PresenceUndetermined,
}
PROCEDURES = {  # of CID 100
    "CT": ("LN", "25045-6", "CT unspecified body region"),
    "MR": ("LN", "25056-3", "MRI unspecified body region"),
    "CR": ("LN", "43468-8", "XR unspecified body region"),
    "PT": ("LN", "44136-0", "PET unspecified body region"),
    "XA": ("SCT", "77343006", "Angiography"),
}
# name of ours -> concept and derivation; a number that DICOM has no word for is left to findings.json
LENGTHS = {
    "area": (codes.SCT.Area, None),
    "volume": (codes.SCT.Volume, None),
    "max_diameter": (codes.SCT.Diameter, codes.SCT.Maximum),
    "long_axis": (codes.SCT.LongAxis, None),
    "short_axis": (codes.SCT.ShortAxis, None),
}
INTENSITIES = {"mean_intensity": codes.SCT.Mean, "sd_intensity": codes.SCT.StandardDeviation}
UNITS = {
    "mm": codes.UCUM.Millimeter,
    "mm2": codes.UCUM.SquareMillimeter,
    "mm3": codes.UCUM.CubicMillimeter,
    "HU": codes.UCUM.HounsfieldUnit,
    "1": codes.UCUM.NoUnits,
}


def make_sr(
    image: Image, segments: Sequence[Segment], sources: Sources, maker: Maker, seg: Any | None
) -> Dataset:
    """The report of all findings, drawn or not; ``seg`` is the object of
    :func:`~medsegr.io.dicom_seg.make_seg`, None without masks.

    Comprehensive 3D SR where the images lie in a patient, else Comprehensive SR. The document is complete but
    neither verified nor final: nobody has read it. Raises InputError where there is no finding to tell of.
    """
    if not segments:
        raise InputError(f"{WHAT}: there is no finding to report; a report without content is not written")
    with composing(WHAT):
        import highdicom as hd

        groups: list[Any] = []
        numbers = {s.id: n for n, s in enumerate(drawn(segments), 1)} if seg is not None else {}
        for segment in segments:
            groups += _groups(image, segment, sources, seg, numbers.get(segment.id))
        content = hd.sr.MeasurementReport(
            observation_context=_observer(maker),
            procedure_reported=_procedure(image),
            imaging_measurements=groups,
            title=codes.DCM.ImagingMeasurementReport,
        )
        content[0].ContentSequence.append(
            hd.sr.TextContentItem(name=codes.DCM.Comment, value=maker.notice, relationship_type="CONTAINS")
        )
        kind = hd.sr.Comprehensive3DSR if sources.placed else hd.sr.ComprehensiveSR
        made: Dataset = kind(
            evidence=[*sources.headers, *([] if seg is None else [seg])],
            content=content[0],
            is_complete=True,
            is_final=False,
            is_verified=False,
            **{k: v for k, v in identity("SR", maker).items() if k != "content_qualification"},
        )
    return made


def _observer(maker: Maker) -> Any:
    import highdicom as hd

    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=_device_uid(maker),
        name=ascii_text(f"{maker.program} {maker.model}"),
        manufacturer_name=maker.program,
        model_name=ascii_text(maker.model),
    )
    context = hd.sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    return hd.sr.ObservationContext(observer_device_context=context)


def _device_uid(maker: Maker) -> str:
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=[maker.program, maker.version, maker.model, maker.model_sha256]))


def _procedure(image: Image) -> Any:
    told = PROCEDURES.get(image.modality or "")
    return codes.SCT.ImagingProcedure if told is None else coded(Code(*told))


def _groups(
    image: Image, segment: Segment, sources: Sources, seg: Any | None, number: int | None
) -> list[Any]:
    """One group of a finding, and for a drawn one a second with its two axes where it has them."""
    import highdicom as hd

    common: dict[str, Any] = {
        "finding_type": coded(segment.kind),
        "finding_category": coded(segment.category),
        "finding_sites": _sites(segment),
    }
    presence = [
        hd.sr.QualitativeEvaluation(name=codes.DCM.PresenceOfProperty, value=PRESENCE[segment.presence])
    ]
    tracking = hd.sr.TrackingIdentifier(uid=segment.uid, identifier=ascii_text(segment.id))
    if number is None or seg is None:
        return [
            hd.sr.MeasurementsAndQualitativeEvaluations(
                tracking_identifier=tracking, qualitative_evaluations=presence, **common
            )
        ]
    told = {
        "tracking_identifier": tracking,
        "measurements": _measurements(image, segment) or None,
        "qualitative_evaluations": presence,
        **common,
    }
    if len(image.grid) == 2:
        region: Any = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            referenced_segment=_frame(seg, number, sources), **told
        )
    else:
        whole = hd.sr.ReferencedSegment(
            sop_class_uid=seg.SOPClassUID,
            sop_instance_uid=seg.SOPInstanceUID,
            segment_number=number,
            source_series=hd.sr.SourceSeriesForSegmentation(str(sources.headers[0].SeriesInstanceUID)),
        )
        region = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=whole, **told)
    drawn_axes = _axes(image, segment, sources)
    if not drawn_axes:
        return [region]
    lines = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking, measurements=drawn_axes, **common
    )
    return [region, lines]


def _frame(seg: Any, number: int, sources: Sources) -> Any:
    """Reference to the one frame of a segment, or to the segment in a frame of all.

    The standard allows one of both.
    """
    import highdicom as hd

    source = hd.sr.SourceImageForSegmentation(
        referenced_sop_class_uid=sources.headers[0].SOPClassUID,
        referenced_sop_instance_uid=sources.headers[0].SOPInstanceUID,
        referenced_frame_numbers=None if sources.film is None else [sources.film],
    )
    made = hd.sr.ReferencedSegmentationFrame(
        sop_class_uid=seg.SOPClassUID,
        sop_instance_uid=seg.SOPInstanceUID,
        frame_number=frames_of(seg, number)[0],
        segment_number=number,
        source_image=source,
    )
    reference = made[0].ReferencedSOPSequence[0]
    if seg.SegmentationType == "LABELMAP":
        del reference.ReferencedFrameNumber
    else:
        del reference.ReferencedSegmentNumber
    return made


def _sites(segment: Segment) -> list[Any] | None:
    import highdicom as hd

    if segment.site is None:
        return None
    side = None if segment.side is None else coded(segment.side)
    return [hd.sr.FindingSite(anatomic_location=coded(segment.site), laterality=side)]


def _measurements(image: Image, segment: Segment) -> list[Any]:
    """Numbers that have a value and a DICOM name. One of a part of the finding says so by its qualifier."""
    import highdicom as hd

    found = []
    intensity = {"CT": codes.DCM.AttenuationCoefficient, "MR": codes.DCM.MRSignalIntensity}.get(
        image.modality or ""
    )
    named: dict[str, tuple[Any, Any]] = dict(LENGTHS)
    if intensity is not None:
        named |= {name: (intensity, how) for name, how in INTENSITIES.items()}
    for name, (concept, derivation) in named.items():
        number = segment.measurements.get(name)
        if number is None or number.value is None:
            continue
        found.append(
            hd.sr.Measurement(
                name=hd.sr.CodedConcept.from_code(concept),
                value=rounded(number.value),
                unit=UNITS[number.unit],
                derivation=derivation,
                qualifier=_qualifier(number),
            )
        )
    return found


def _qualifier(number: Measurement) -> Any | None:
    """Why a number is not the whole truth: a mask cut by the border measures a part, a tiny one the grid."""
    return None if number.status == "ok" else codes.DCM.ValueIndeterminate


def _axes(image: Image, segment: Segment, sources: Sources) -> list[Any]:
    """Long and short axis as lines: patient mm (3-D), or pixels of the picture with 0, 0 at its corner."""
    import highdicom as hd

    if segment.ends is None:
        return []
    found = []
    for name, ends in (("long_axis", segment.ends[:2]), ("short_axis", segment.ends[2:])):
        number = segment.measurements.get(name)
        if number is None or number.value is None:
            continue
        if sources.placed and image.affine is not None:
            place: Any = hd.sr.CoordinatesForMeasurement3D(
                graphic_type="POLYLINE",
                graphic_data=patient_mm(image.affine, ends),
                frame_of_reference_uid=sources.headers[0].FrameOfReferenceUID,
            )
        else:
            source = hd.sr.SourceImageForRegion(
                referenced_sop_class_uid=sources.headers[0].SOPClassUID,
                referenced_sop_instance_uid=sources.headers[0].SOPInstanceUID,
                referenced_frame_numbers=None if sources.film is None else [sources.film],
            )
            place = hd.sr.CoordinatesForMeasurement(
                graphic_type="POLYLINE", graphic_data=image_corner(ends), source_image=source
            )
        found.append(
            hd.sr.Measurement(
                name=hd.sr.CodedConcept.from_code(LENGTHS[name][0]),
                value=rounded(number.value),
                unit=codes.UCUM.Millimeter,
                referenced_coordinates=[place],
                qualifier=_qualifier(number),
            )
        )
    return found


def patient_mm(affine: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Grid indices ``n d`` (pixel centres whole numbers) -> LPS+ mm ``n 3``; ``affine`` is to RAS+."""
    full = np.column_stack([index, *([np.zeros(len(index))] * (3 - index.shape[1])), np.ones(len(index))])
    return np.asarray((full @ (LPS_TO_RAS @ affine).T)[:, :3])


def image_corner(index: np.ndarray) -> np.ndarray:
    """Indices ``n 2`` (row, column; centres whole) -> DICOM image coordinates (column, row) from the
    picture's corner.

    The centre of the first pixel is 0.5, 0.5 there: leaving this out shifts every drawing by half a pixel.
    """
    return np.asarray(index[:, ::-1] + 0.5)
