"""Where DICOM slices lie: position and orientation (LPS+) -> affine (RAS+) of slice, row and column index."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from medsegr.errors import GeometryError
from medsegr.grid.planes import PAIR
from medsegr.io.dicom_pixels import number, numbers, shape_of
from medsegr.io.values import LPS_TO_RAS

TURN = 1e-3  # of direction cosines
SIDEWAYS = 45.0  # degrees of the C-arm from which its view is a lateral one
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


def same_way(first: Place, place: Place) -> bool:
    """Whether two slices have the same size, pixel spacing (0.1 %) and orientation (cosines to 0.001)."""
    return (
        place.shape == first.shape
        and all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(place.spacing, first.spacing, strict=True))
        and max(turned(place.down, first.down), turned(place.along, first.along)) <= TURN
    )


def turned(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference of two directions' cosines."""
    return float(np.abs(one - other).max())


def gaps_of(places: Sequence[Place]) -> np.ndarray:
    """Distances in mm of neighbours along the normal of the first slice, from one end to the other."""
    if not places:
        return np.empty(0)
    normal = places[0].normal
    return np.diff(np.sort([float(place.position @ normal) for place in places]))


def grid_affine(place: Place, step: np.ndarray) -> np.ndarray:
    """RAS+ affine of a volume from index (slice, row, column): slices ``step`` (LPS+ mm) apart."""
    return _affine(place, step, (0, 1, 2))


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
    if str(ds.get("ViewPosition") or "").strip().upper() in LATERAL or _from_aside(ds):
        return "I", "P"  # as such views are hung: the patient looks to the picture's left
    return None


def _from_aside(ds: Dataset) -> bool:
    """Whether an angiography was taken from the side: the C-arm's angle of 0 degrees is a frontal view."""
    angle = number(ds, "PositionerPrimaryAngle")
    return angle is not None and SIDEWAYS < angle % 180 < 180 - SIDEWAYS


def projection_spacing(ds: Dataset) -> tuple[tuple[float, float] | None, tuple[tuple[str, str], ...]]:
    """Millimetres a pixel (rows, columns) of a picture without a place, and a warning where they hold at the
    detector only, or differ inside the picture.
    """
    detector = numbers(ds, "ImagerPixelSpacing")
    for name in ("PixelSpacing", "NominalScannedPixelSpacing"):
        values = numbers(ds, name)
        # Equal to the detector's it was not corrected for the body, unless it was calibrated (PS3.3, 10.7).
        plain = values == detector and not ds.get("PixelSpacingCalibrationType")
        if len(values) == 2 and min(values) > 0 and not plain:
            return (values[0], values[1]), ()
    values = detector
    if len(values) == 2 and min(values) > 0:
        factor = number(ds, "EstimatedRadiographicMagnificationFactor") or 0.0
        if factor >= 1:
            return (values[0] / factor, values[1] / factor), ()
        note = (
            "spacing_at_detector",
            "the pixel spacing holds at the detector: lengths in the body are smaller",
        )
        return (values[0], values[1]), (note,)
    return _ultrasound_spacing(ds)


def _ultrasound_spacing(ds: Dataset) -> tuple[tuple[float, float] | None, tuple[tuple[str, str], ...]]:
    """Spacing of an ultrasound picture, where all its 2-D regions agree on centimetres a pixel.

    Regions of spectra and time curves have other axes and are left out (RegionSpatialFormat other than 1).
    """
    found = set()
    for region in ds.get("SequenceOfUltrasoundRegions") or ():
        if number(region, "RegionSpatialFormat", 1.0) != 1:
            continue
        across, down = number(region, "PhysicalDeltaX") or 0.0, number(region, "PhysicalDeltaY") or 0.0
        centimetres = (
            number(region, "PhysicalUnitsXDirection") == 3 and number(region, "PhysicalUnitsYDirection") == 3
        )
        if centimetres and across and down:
            found.add((round(abs(down) * 10, 6), round(abs(across) * 10, 6)))
    if len(found) < 2:
        return (found.pop() if found else None), ()
    note = (
        "several_scales",
        f"the picture holds regions of {len(found)} different scales: nothing can be measured in mm",
    )
    return None, (note,)
