"""DICOM SEG: all masks of an image as one object, one segment a finding, on the source images' own grid."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from medsegr.errors import InputError, UsageError
from medsegr.io.dicom_objects import algorithm, ascii_text, coded, composing, identity
from medsegr.io.dicom_source import Sources
from medsegr.io.segments import Maker, Segment, drawn, label_map, overlaps
from medsegr.io.values import LPS_TO_RAS
from medsegr.types import Image

WHAT = "DICOM SEG"
PIXEL_MEASURES = 0x00289110


def make_seg(
    image: Image, segments: Sequence[Segment], sources: Sources, maker: Maker, kind: str = "binary"
) -> Dataset:
    """The SEG of all segments that have a mask; segment n is the n-th of :func:`~medsegr.io.segments.drawn`.

    ``kind``: ``binary`` (masks may overlap), ``labelmap`` (they may not: UsageError), ``fractional``
    (probabilities in 255 steps where the segment has them, else UsageError). Frames without a voxel are not
    stored. The patient and study modules are those of the source images. Raises InputError where there is no
    mask at all, or where the source headers do not allow the object.
    """
    shown = drawn(segments)
    if not shown:
        raise InputError(f"{WHAT}: there is no mask to write, and an empty segmentation is never written")
    _check(shown, kind)
    with composing(WHAT):
        import highdicom as hd

        frames = _used_frames([_stored(s, kind) for s in shown], sources, image)
        used, further = _split(sources, frames)
        made = hd.seg.Segmentation(
            source_images=used,
            pixel_array=_pixels(shown, image, sources, frames, kind),
            segmentation_type=kind.upper(),
            segment_descriptions=[_description(n, s, maker) for n, s in enumerate(shown, 1)],
            content_label="MEDSEGR",
            content_description=ascii_text(maker.notice),
            further_source_images=further or None,
            **({} if sources.exact else _planes(image, frames)),
            **identity("SEG", maker),
        )
        if not sources.placed:  # a projection: no plane tells how its rows and columns lie in the patient
            made.PatientOrientation = sources.headers[0].get("PatientOrientation") or ""
            # A spacing without a slice thickness, which a projection has not, is what readers stumble over;
            # the mask lies pixel by pixel on the image, which tells its own spacing.
            made.SharedFunctionalGroupsSequence[0].pop(PIXEL_MEASURES, None)
        if sources.film is not None:
            _name_frame(made, sources.film)
    return made


def _name_frame(made: Dataset, frame: int) -> None:
    """Say of which frame of the film the segments are."""
    for group in (*made.SharedFunctionalGroupsSequence, *made.PerFrameFunctionalGroupsSequence):
        for derivation in group.get("DerivationImageSequence") or ():
            for source in derivation.SourceImageSequence:
                source.ReferencedFrameNumber = frame


def _check(shown: Sequence[Segment], kind: str) -> None:
    if kind == "labelmap" and (shared := overlaps(shown)):
        pairs = ", ".join(f"{one} and {other}" for one, other in shared)
        raise UsageError(
            f"--seg-type labelmap: the masks of {pairs} overlap, and a label map holds one label a "
            "voxel; use binary"
        )
    if kind == "fractional" and any(s.prob is None for s in shown):
        raise UsageError(
            "--seg-type fractional: the probabilities of the masks are not kept in an output folder; "
            "ask for it in "
            "'medsegr segment', or use binary"
        )


def _stored(segment: Segment, kind: str) -> np.ndarray:
    """What of a segment is written; a probability below half a step is not."""
    if kind == "fractional" and segment.prob is not None:
        return np.asarray(segment.prob >= 0.5 / 255)
    assert segment.mask is not None
    return segment.mask


def _used_frames(stored: Sequence[np.ndarray], sources: Sources, image: Image) -> np.ndarray:
    """Slices of the grid that hold any voxel, in stored order.

    A multi-frame source keeps all of its frames.
    """
    if len(image.grid) == 2:
        return np.zeros(1, int)
    if sources.frames is not None:
        return np.asarray(sources.frames)
    held = np.zeros(image.grid[0], bool)
    for array in stored:
        held |= array.any(axis=(1, 2))
    return np.flatnonzero(held)


def _split(sources: Sources, frames: np.ndarray) -> tuple[list[Dataset], list[Dataset]]:
    """Images of the stored frames, and the others of the series, which are referred to as well."""
    headers = list(sources.headers)
    if len(headers) == 1 or not sources.exact:
        return headers, []
    wanted = set(frames.tolist())
    return [headers[i] for i in frames], [ds for i, ds in enumerate(headers) if i not in wanted]


def _pixels(
    shown: Sequence[Segment], image: Image, sources: Sources, frames: np.ndarray, kind: str
) -> np.ndarray:
    """``n h w`` labels where nothing overlaps (small), else ``n h w k``; float in [0, 1] for fractional."""

    def cut(array: np.ndarray) -> np.ndarray:
        return array[None] if array.ndim == 2 else array[frames]

    if kind == "fractional":
        probs = [cut(s.prob).astype(np.float32) for s in shown if s.prob is not None]
        return np.stack([np.clip(prob, 0.0, 1.0) for prob in probs], axis=-1)
    if not overlaps(shown):
        return cut(label_map(shown))
    masks = [s.mask for s in shown if s.mask is not None]
    stack = np.zeros((len(masks), *cut(masks[0]).shape), np.uint8)  # each mask's slices stay in one piece
    for index, mask in enumerate(masks):
        stack[index] = cut(mask)
    return np.moveaxis(stack, 0, -1).view(_Stack)


class _Stack(np.ndarray):
    """Masks ``n h w k`` whose sum over k is made in 16 bits: numpy's own takes 64, eight times the masks."""

    def sum(self, axis: Any = None, *_: Any, **__: Any) -> Any:
        """Number of masks at each voxel."""
        return np.add.reduce(self.view(np.ndarray), axis=axis, dtype=np.uint16)


def _planes(image: Image, frames: np.ndarray) -> dict[str, Any]:
    """Where the slices lie, by the affine, for a grid that is not the source images' own."""
    import highdicom as hd

    if image.affine is None:
        raise InputError(
            f"{WHAT}: the grid is not that of the source images and tells no place; ask for nifti"
        )
    lps = LPS_TO_RAS @ image.affine
    step, down, along = lps[:3, 0], lps[:3, 1], lps[:3, 2]
    spacing = float(np.linalg.norm(down)), float(np.linalg.norm(along))
    apart = abs(float(np.cross(along / spacing[1], down / spacing[0]) @ step))
    places = [lps[:3, 3] + index * step for index in frames]
    return {
        "plane_orientation": hd.PlaneOrientationSequence(
            "PATIENT", [float(v) for v in (*along / spacing[1], *down / spacing[0])]
        ),
        "plane_positions": [
            hd.PlanePositionSequence("PATIENT", [float(v) for v in place]) for place in places
        ],
        "pixel_measures": hd.PixelMeasuresSequence(spacing, apart, apart),
    }


def _description(number: int, segment: Segment, maker: Maker) -> Any:
    import highdicom as hd

    made = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=ascii_text(segment.name),
        segmented_property_category=coded(segment.category),
        segmented_property_type=coded(segment.kind),
        algorithm_type=segment.drawn_by,
        algorithm_identification=algorithm(maker),
        tracking_uid=segment.uid,
        tracking_id=ascii_text(segment.id),
        anatomic_regions=None if segment.site is None else [coded(segment.site)],
        display_color=hd.color.CIELabColor.from_rgb(*segment.colour),
    )
    if segment.side is not None:
        side = [hd.sr.CodedConcept.from_code(coded(segment.side))]
        if segment.site is not None:
            made.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = side
        else:
            made.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = side
    return made


def frames_of(seg: Dataset, number: int) -> list[int]:
    """Numbers (from 1) of the stored frames that may hold a segment.

    All of a label map or of an only segment.
    """
    found = []
    for index, group in enumerate(seg.PerFrameFunctionalGroupsSequence, 1):
        told = group.get("SegmentIdentificationSequence")
        if told is None or int(told[0].ReferencedSegmentNumber) == number:
            found.append(index)
    return found
