"""Where DICOM slices lie: position and orientation (LPS+) -> affine (RAS+) of slice, row and column index."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from medsegr.errors import GeometryError
from medsegr.io.dicom_pixels import number, numbers, shape_of
from medsegr.io.values import LPS_TO_RAS
from medsegr.planes import PAIR

GAP = 0.01  # of the slice distance
LETTERS = {"H": "S", "F": "I"}  # DICOM says head and foot
LATERAL = ("LL", "RL", "LATERAL", "LAT", "LLO", "RLO")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one slice lies: LPS+ mm of its first pixel, unit vectors of growing row and column index, mm a
    step.
    """

    position: np.ndarray
    down: np.ndarray  # direction in which the row index grows
    along: np.ndarray  # direction in which the column index grows
    spacing: tuple[float, float]  # rows, columns
    shape: tuple[int, int]
    thickness: float

    @property
    def normal(self) -> np.ndarray:
        """Unit normal of the slice: along x down."""
        return np.cross(self.along, self.down)


def place_of(ds: Dataset, groups: Sequence[Dataset] = ()) -> Place | None:
    """Place of a slice from its own elements, or from the functional groups of a frame; None where it is not
    told whole.
    """
    sources = (ds, *groups)
    position = _first(sources, "ImagePositionPatient", 3)
    orientation = _first(sources, "ImageOrientationPatient", 6)
    spacing = _first(sources, "PixelSpacing", 2)
    if not (position and orientation and spacing) or min(spacing) <= 0:
        return None
    along, down = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(along), np.linalg.norm(down)
    if max(abs(length - 1) for length in lengths) > 0.01 or abs(float(along @ down)) > 0.01:
        raise GeometryError(
            f"DICOM file: the image orientation has axes of length {lengths[0]:.4g} and {lengths[1]:.4g} "
            "with cosine "
            f"{float(along @ down):.4g} between them; two perpendicular unit vectors were expected; the "
            "header is damaged"
        )
    along, down = along / lengths[0], down / lengths[1]
    thickness = next(
        (v[0] for name in ("SpacingBetweenSlices", "SliceThickness") if (v := _first(sources, name, 1))), 1.0
    )
    return Place(
        np.array(position), down, along, (spacing[0], spacing[1]), shape_of(ds)[1:], abs(thickness) or 1.0
    )


def _first(sources: Sequence[Dataset], name: str, count: int) -> tuple[float, ...]:
    for source in sources:
        values = numbers(source, name)
        if len(values) == count:
            return values
    return ()


def slice_affine(place: Place) -> np.ndarray:
    """RAS+ affine ``4 4`` of one slice: index (row, column, 0); the third column is its normal times its
    thickness.
    """
    return _affine(place, place.normal * place.thickness, (1, 2, 0))


def _affine(place: Place, step: np.ndarray, order: tuple[int, int, int]) -> np.ndarray:
    """Columns (slice step, row, column) put into the wanted order, LPS turned into RAS."""
    lps = np.eye(4)
    columns = np.stack([step, place.down * place.spacing[0], place.along * place.spacing[1]], axis=1)
    lps[:3, :3] = columns[:, list(order)]
    lps[:3, 3] = place.position
    return LPS_TO_RAS @ lps


def stack(places: Sequence[Place]) -> tuple[np.ndarray, np.ndarray]:
    """Order of the slices along their normal, and the RAS+ affine of the volume in index order (slice, row,
    column).

    File names and instance numbers are not looked at. Raises GeometryError with the numbers for mixed sizes,
    spacings or orientations (a localizer among them), for doubled or missing slices (1 %) and for a tilted
    gantry.
    """
    first = places[0]
    for number_, place in enumerate(places):
        _same(first, place, number_)
    along_normal = np.array([place.position @ first.normal for place in places])
    order = np.argsort(along_normal, kind="stable")
    positions = np.stack([places[i].position for i in order])
    gaps = np.diff(along_normal[order])
    _regular(gaps, len(places))
    step = (positions[-1] - positions[0]) / (len(places) - 1)
    aside = float(np.linalg.norm(step - (step @ first.normal) * first.normal))
    straight = positions[0] + np.arange(len(places))[:, None] * step
    off = float(np.linalg.norm(positions - straight, axis=1).max())
    length = float(np.linalg.norm(step))
    if max(aside, off) > max(GAP * length, 0.01):
        angle = float(np.degrees(np.arcsin(min(aside / length, 1.0))))
        raise GeometryError(
            f"DICOM series: slices are shifted sideways by {aside:.4g} mm a step ({angle:.3g} degrees, a "
            "tilted gantry) and lie up to "
            f"{off:.3g} mm off a straight line, where at most 1 % was expected; resample the series to a "
            "straight grid first"
        )
    return order, _affine(places[order[0]], step, (0, 1, 2))


def _same(first: Place, place: Place, index: int) -> None:
    if place.shape != first.shape or not np.allclose(place.spacing, first.spacing, rtol=1e-3):
        raise GeometryError(
            f"DICOM series: slice {index + 1} has {_size(place)} where the first has {_size(first)}; "
            "all slices must be alike (a localizer among them?); give a folder with the wanted slices only"
        )
    turned = max(float(np.abs(place.down - first.down).max()), float(np.abs(place.along - first.along).max()))
    if turned > 1e-3:
        raise GeometryError(
            f"DICOM series: slice {index + 1} is turned against the first (direction cosines differ by "
            f"{turned:.3g}, at most 0.001 "
            "was expected; a localizer among them?); give a folder with the wanted slices only"
        )


def _size(place: Place) -> str:
    return f"{place.shape[0]} x {place.shape[1]} pixels of {place.spacing[0]:.5g} x {place.spacing[1]:.5g} mm"


def _regular(gaps: np.ndarray, count: int) -> None:
    step = float(np.median(gaps))
    if gaps.min() < 1e-3:
        doubled = int((gaps < 1e-3).sum())
        raise GeometryError(
            f"DICOM series: {doubled + 1} or more of {count} slices lie at one position (several time "
            "points, echoes or copies?); "
            "one slice a position was expected; give a folder with one acquisition only"
        )
    if np.abs(gaps - step).max() > GAP * step:
        where = int(np.argmax(np.abs(gaps - step)))
        raise GeometryError(
            f"DICOM series: slice distances run from {gaps.min():.4g} to {gaps.max():.4g} mm (median "
            f"{step:.4g} mm, {count} slices; "
            f"the worst is after slice {where + 1}) where 1 % was allowed; slices are missing: export the "
            "series again"
        )


def projection_axes(ds: Dataset) -> tuple[str, str] | None:
    """Patient directions (rows, columns) of a projection, from PatientOrientation; a lateral view without it
    is taken as it is usually hung. It has no left and right.

    None where the file does not say: then the radiological convention is the reader's guess.
    """
    told = ds.get("PatientOrientation")
    words = [str(word).strip().upper() for word in told] if told and not isinstance(told, str) else []
    if len(words) == 2 and all(words):
        along, down = (LETTERS.get(word[0], word[0]) for word in words)
        if along in PAIR and down in PAIR and PAIR[along] != PAIR[down]:
            return down, along
    if str(ds.get("ViewPosition") or "").strip().upper() in LATERAL:
        return "I", "P"  # as such views are hung: the patient looks to the picture's left
    return None


def projection_spacing(ds: Dataset) -> tuple[tuple[float, float] | None, tuple[tuple[str, str], ...]]:
    """Millimetres a pixel (rows, columns) of a picture without a place, and a warning where they hold at the
    detector only.
    """
    for name in ("PixelSpacing", "NominalScannedPixelSpacing"):
        values = numbers(ds, name)
        if len(values) == 2 and min(values) > 0:
            return (values[0], values[1]), ()
    values = numbers(ds, "ImagerPixelSpacing")
    if len(values) == 2 and min(values) > 0:
        factor = number(ds, "EstimatedRadiographicMagnificationFactor") or 0.0
        if factor >= 1:
            return (values[0] / factor, values[1] / factor), ()
        note = (
            "spacing_at_detector",
            "the pixel spacing holds at the detector: lengths in the body are smaller",
        )
        return (values[0], values[1]), (note,)
    return _ultrasound_spacing(ds), ()


def _ultrasound_spacing(ds: Dataset) -> tuple[float, float] | None:
    """Spacing of an ultrasound picture, where all its regions agree on centimetres a pixel."""
    found = set()
    for region in ds.get("SequenceOfUltrasoundRegions") or ():
        across, down = number(region, "PhysicalDeltaX") or 0.0, number(region, "PhysicalDeltaY") or 0.0
        centimetres = (
            number(region, "PhysicalUnitsXDirection") == 3 and number(region, "PhysicalUnitsYDirection") == 3
        )
        if centimetres and across and down:
            found.add((round(abs(down) * 10, 6), round(abs(across) * 10, 6)))
    return found.pop() if len(found) == 1 else None
