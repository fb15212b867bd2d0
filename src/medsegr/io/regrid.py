"""Slices of a series on one straight, even grid: their order, and what has to be resampled to get there.

A series of even, straight slices is only put in order. A tilted gantry moves each slice sideways by its
shift, linearly between pixels, on a picture widened so that nothing is lost. Gaps are filled, where that was
accepted, linearly between the two slices beside them. Both are told in a note.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from medsegr.errors import GeometryError
from medsegr.io.dicom_geometry import Place, grid_affine, same_way, turned
from medsegr.io.values import Warnings

WHAT = "DICOM series"
GAP = 0.01  # of the slice distance
DOUBLED = 1e-3  # mm
ADVICE = "export the series again, choose a part with --series, or go on with --accept-gaps"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Where each kept slice goes: ``order[i]`` lies at slice coordinate ``at[i]`` (rising, from 0) of the
    grid, its first pixel at ``shifts[i]`` (row, column). ``grid`` is (slices, rows, columns).
    """

    order: np.ndarray
    at: np.ndarray
    shifts: np.ndarray
    grid: tuple[int, int, int]
    affine: np.ndarray  # RAS+ mm from (slice, row, column)
    notes: Warnings = ()

    @property
    def plain(self) -> bool:
        """Whether slices are only put in order: the grid is the source's own."""
        return not self.shifts.any() and np.array_equal(self.at, np.arange(self.grid[0]))


def arrange(places: Sequence[Place], accept_gaps: bool = False) -> Arrangement:
    """Order and grid of two or more slices, from their places alone.

    Raises GeometryError with the numbers for mixed sizes, spacings or orientations, and, unless accepted, for
    doubled or missing slices, for distances that vary by more than 1 % and for slices off a straight line.
    """
    first = places[0]
    for index, place in enumerate(places):
        if not same_way(first, place):
            raise GeometryError(_unlike(first, place, index))
    along = np.array([place.position @ first.normal for place in places])
    order = np.argsort(along, kind="stable")
    order, doubled = _single(order, along, accept_gaps)
    gaps = np.diff(along[order])
    step = float(np.median(gaps))
    at = np.arange(len(order), dtype=float)
    uneven = float(np.abs(gaps - step).max()) > GAP * step
    notes: list[tuple[str, str]] = []
    if uneven:
        if not accept_gaps:
            raise GeometryError(_gaps(gaps, step))
        at = (along[order] - along[order[0]]) / step
        at = np.where(np.abs(at - at.round()) <= GAP, at.round(), at)
    else:
        step = float((along[order[-1]] - along[order[0]]) / (len(order) - 1))
    if doubled or uneven:
        count = round(float(at[-1])) + 1
        notes.append(
            (
                "gaps_accepted",
                f"{doubled} doubled slices were left out; the other {len(order)} stand {gaps.min():.4g} to "
                f"{gaps.max():.4g} mm apart and were put on {count} slices {step:.4g} mm apart: what lies "
                "between was drawn from the neighbours",
            )
        )
    shifts, margin = _shifts([places[i] for i in order], at, step, accept_gaps)
    if margin is not None:
        notes.append(margin)
    low = np.floor(shifts.min(axis=0))
    size = np.ceil(shifts.max(axis=0)) - low
    base = places[order[0]]
    corner = base.position + low[0] * base.spacing[0] * base.down + low[1] * base.spacing[1] * base.along
    moved = Place(corner, base.down, base.along, base.spacing, base.shape, base.thickness)
    grid = (int(np.floor(at[-1] + GAP)) + 1, base.shape[0] + int(size[0]), base.shape[1] + int(size[1]))
    affine = grid_affine(moved, step * first.normal)
    return Arrangement(order, at, shifts - low, grid, affine, tuple(notes))


def _single(order: np.ndarray, along: np.ndarray, accept: bool) -> tuple[np.ndarray, int]:
    """The order with one slice a position, and how many were left out."""
    gaps = np.diff(along[order])
    doubled = int((gaps < DOUBLED).sum())
    if not doubled:
        return order, 0
    if not accept or doubled == len(gaps):
        raise GeometryError(
            f"{WHAT}: {doubled + 1} or more of {len(order)} slices lie at one position (several time points, "
            f"echoes or copies?) where one slice a position was expected; {ADVICE}"
        )
    return order[np.concatenate([[True], gaps >= DOUBLED])], doubled


def _shifts(
    places: Sequence[Place], at: np.ndarray, step: float, accept: bool
) -> tuple[np.ndarray, tuple[str, str] | None]:
    """Pixels (row, column) by which each slice lies aside of the first one's normal, and the note on it."""
    base = places[0]
    away = np.stack([place.position - base.position for place in places])
    aside = np.stack([away @ base.down, away @ base.along], axis=1)  # mm
    straight = at[:, None] * (aside[-1] / at[-1])
    off = float(np.linalg.norm(aside - straight, axis=1).max())
    a_step = float(np.linalg.norm(aside[-1] / at[-1]))
    allowed = max(GAP * step, 0.01)
    if off > allowed and not accept:
        raise GeometryError(
            f"{WHAT}: slices lie up to {off:.3g} mm off a straight line where {allowed:.3g} mm were allowed; "
            f"{ADVICE}"
        )
    if a_step <= allowed and off <= allowed:
        return np.zeros((len(places), 2)), None
    angle = float(np.degrees(np.arctan2(a_step, step)))
    note = (
        "tilt_resampled",
        f"slices are shifted sideways by {a_step:.4g} mm a step ({angle:.3g} degrees, a tilted gantry): they "
        "were resampled to a straight grid, on which masks are drawn",
    )
    return aside / base.spacing, note


def _unlike(first: Place, place: Place, index: int) -> str:
    if place.shape != first.shape or not np.allclose(place.spacing, first.spacing, rtol=1e-3):
        return (
            f"{WHAT}: slice {index + 1} has {_size(place)} where the first has {_size(first)}; all slices "
            "must be alike (a localizer among them?); choose a part with --series"
        )
    most = max(turned(place.down, first.down), turned(place.along, first.along))
    return (
        f"{WHAT}: slice {index + 1} is turned against the first (direction cosines differ by {most:.3g}, at "
        "most 0.001 was expected; a localizer among them?); choose a part with --series"
    )


def _size(place: Place) -> str:
    return f"{place.shape[0]} x {place.shape[1]} pixels of {place.spacing[0]:.5g} x {place.spacing[1]:.5g} mm"


def _gaps(gaps: np.ndarray, step: float) -> str:
    where = int(np.argmax(np.abs(gaps - step)))
    missing = int(np.round(np.maximum(gaps / step - 1, 0)).sum())
    told = f"about {missing} slices are missing" if missing else "the distance varies"
    return (
        f"{WHAT}: slice distances run from {gaps.min():.4g} to {gaps.max():.4g} mm (median {step:.4g} mm, "
        f"{len(gaps) + 1} slices; the worst is after slice {where + 1}) where 1 % was allowed; {told}: "
        f"{ADVICE}"
    )


def fill(plan: Arrangement, load: Callable[[int], np.ndarray]) -> np.ndarray:
    """``load(source index)`` -> ``c h w`` of every kept slice, once and in order -> ``c d h w`` float32.

    Pixels of the widened picture that no slice covers get the lowest value of the volume.
    """
    volume: np.ndarray | None = None
    before: tuple[float, np.ndarray] | None = None
    for index, at, shift in zip(plan.order, plan.at, plan.shifts, strict=True):
        plane = load(int(index))
        if plan.shifts.any():
            plane = _moved(plane, shift, plan.grid[1:])
        if volume is None:
            volume = np.empty((len(plane), *plan.grid), np.float32)
        elif plane.shape != (volume.shape[0], *volume.shape[2:]):
            raise GeometryError(
                f"{WHAT}: slice {index + 1} has other colours or another size than the first; give one kind "
                "only"
            )
        if before is None or (float(at).is_integer() and before[0] == at - 1):
            volume[:, round(float(at))] = plane
        else:
            _between(volume, before, (float(at), plane))
        before = (float(at), plane)
    assert volume is not None
    if plan.shifts.any():
        empty = np.isnan(volume)
        volume[empty] = np.nanmin(volume)
    return volume


def _moved(plane: np.ndarray, shift: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    from scipy import ndimage  # a third of a second, for tilted series alone

    out = np.full((len(plane), *shape), np.nan, np.float32)
    for channel, picture in zip(out, plane, strict=True):
        ndimage.affine_transform(
            picture, np.ones(2), -shift, output_shape=shape, output=channel, order=1, cval=np.nan
        )
    return out


def _between(volume: np.ndarray, before: tuple[float, np.ndarray], after: tuple[float, np.ndarray]) -> None:
    """Write every slice of the grid after the one, up to and with the other."""
    (start, low), (end, high) = before, after
    for z in range(int(np.floor(start)) + 1, min(int(np.floor(end + GAP)), volume.shape[1] - 1) + 1):
        if z >= end:
            volume[:, z] = high
            continue
        share = np.float32((z - start) / (end - start))
        drawn = (1 - share) * low + share * high
        one = np.where(np.isnan(low), high, low)  # where a tilt leaves only one of the two
        volume[:, z] = np.where(np.isnan(drawn), one, drawn)
