"""The DICOM images that a grid came from, as headers in the order of its slices: what SEG, SR and SC refer
to.

They are found again by their place in the patient, not by file names or instance numbers, so the order of the
slices is the order of the masks whatever the files are called.
"""

import hashlib
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    MRImageStorage,
    generate_uid,
)

from medsegr.errors import InputError, UsageError
from medsegr.io.archive import unpack
from medsegr.io.dicom_geometry import Place, place_of
from medsegr.io.dicom_pixels import numbers, shape_of
from medsegr.io.heads import is_dicom
from medsegr.io.limits import DEFAULT_LIMITS, Limits
from medsegr.io.values import LPS_TO_RAS, guarded
from medsegr.types import Image

WHAT = "DICOM source"
NEAR = 0.02  # of a step: how far a slice may lie from where the grid has it
NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
EMPTY_ALLOWED = (  # elements that every composite object repeats, and that may be empty (type 2)
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)
CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage, "CR": ComputedRadiographyImageStorage}


@dataclass(frozen=True, slots=True)
class Sources:
    """Headers without pixels. They hold the patient's identity: for DICOM objects only, never for a log.

    ``headers``: one a slice in the order of the grid's first axis; or the one picture or multi-frame object.
    ``frames``: for a multi-frame object, the grid's slice that each stored frame is; else None.
    ``exact``: every slice has its own image. Where not (a resampled grid, gaps that were accepted), the
    headers are those of the series, and slices are placed by the affine alone.
    """

    headers: tuple[Dataset, ...]
    frames: tuple[int, ...] | None = None
    exact: bool = True
    film: int | None = None  # the frame of a film (counted from 1) that the one picture is

    @property
    def placed(self) -> bool:
        """Whether the images lie in a patient's frame of reference (a projection does not)."""
        return "FrameOfReferenceUID" in self.headers[0]


def sources_of(image: Image, limits: Limits = DEFAULT_LIMITS) -> Sources:
    """Read the headers that ``image`` came from, again from ``image.source.path``.

    Raises UsageError where the image is no DICOM, InputError where its files have changed, tell no ids, or
    hold several images at one place.
    """
    path = image.source.path
    if image.source.kind != "dicom" or path is None:
        raise UsageError(
            f"a DICOM object refers to DICOM images, but the input is {image.source.kind}: choose "
            "nifti, nrrd, png "
            "or fhir"
        )
    with guarded(WHAT, "give the series again"):
        kept = tuple(image.source.meta.get("slices") or ())  # (sha256 of the file, frame) of what was read
        headers = list(_headers(path, limits, {digest for digest, _ in kept}))
        if not headers:
            raise InputError(
                f"{WHAT}: none of the images that were read is there unchanged; give them again as they were"
            )
        if len(image.grid) == 2:
            ds = _shared(_single(image, headers))
            return Sources(_named((ds,))) if shape_of(ds)[0] == 1 else _film(ds, [frame for _, frame in kept])
        whole = [ds for ds in headers if shape_of(ds)[0] > 1]
        if len(headers) == 1 and whole:
            return _multiframe(image, headers[0])
        return _series(image, headers)


def check_referable(image: Image) -> None:
    """Raise InputError where the first header that ``image`` came from tells no ids: early, before a model
    runs. The others are seen when the object is made."""
    if image.source.path is None:
        return
    with guarded(WHAT, "give the series again"):
        wanted = {digest for digest, _ in image.source.meta.get("slices") or ()}
        for ds in _headers(image.source.path, DEFAULT_LIMITS, wanted):
            return _checked(ds)


def frame_of_reference(image: Image, limits: Limits = DEFAULT_LIMITS) -> str:
    """UID of the frame of reference of the first header that ``image`` came from; "" where it tells none."""
    if image.source.path is None:
        return ""
    with guarded(WHAT, "give the series again"):
        wanted = {digest for digest, _ in image.source.meta.get("slices") or ()}
        first = next(_headers(image.source.path, limits, wanted), Dataset())
        uid = str(first.get("FrameOfReferenceUID") or "")
        return "" if uid == _own_frame(first) else uid


def check_frame(own: str, image: Image, limits: Limits, what: str) -> None:
    """InputError where masks and image both tell a frame of reference and these differ: places could not be
    compared."""
    if not own or image.affine is None or image.source.kind != "dicom":
        return
    other = frame_of_reference(image, limits)
    if other and other != own:
        raise InputError(
            f"{what}: it lies in another frame of reference than the image (another examination, or the "
            "patient was moved); give the image that it was drawn on"
        )


def _headers(path: Path, limits: Limits, wanted: Collection[str]) -> Iterator[Dataset]:
    """Every image header of a file, folder or zip (of ``wanted`` hashes if any), fit to be referred to."""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(132)
        if head[:2] == b"PK":
            with tempfile.TemporaryDirectory(prefix="medsegr-") as name:
                yield from _read([*unpack(path, Path(name), limits)], wanted)
            return
        yield from _read([path], wanted)
        return
    inside = [p for p in sorted(path.rglob("*")) if p.is_file() and not p.name.startswith(".")]
    yield from _read([p for p in inside if _begins_like_dicom(p)], wanted)


def _begins_like_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return is_dicom(file.read(132))


def _read(paths: list[Path], wanted: Collection[str]) -> Iterator[Dataset]:
    seen: set[str] = set()
    for path in paths:
        if wanted:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest not in wanted or digest in seen:
                continue  # another series, or a copy
            seen.add(digest)
        ds = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        if ds.get("Rows") and ds.get("Columns"):
            yield _fit(ds)


def _fit(ds: Dataset) -> Dataset:
    """Fill in what other objects must repeat and what the file left out.

    Nothing is invented but emptiness.
    """
    for name in EMPTY_ALLOWED:
        if name not in ds:
            setattr(ds, name, "")
    if not ds.get("SOPClassUID"):
        meta = getattr(ds, "file_meta", None)
        told = meta.get("MediaStorageSOPClassUID") if meta else None
        ds.SOPClassUID = UID(told or CLASSES.get(str(ds.get("Modality")), CTImageStorage))
    if "FrameOfReferenceUID" in ds and (not ds.FrameOfReferenceUID or not _has_place(ds)):
        del ds.FrameOfReferenceUID  # a mammogram may name one and still tell no position
    if "FrameOfReferenceUID" not in ds and _has_place(ds) and ds.get("SeriesInstanceUID"):
        # the slices of a series share a frame of reference by definition: one that forgets its name gets one
        ds.FrameOfReferenceUID = _own_frame(ds)
    if "PixelSpacing" in ds and min(numbers(ds, "PixelSpacing"), default=0.0) <= 0:
        del ds.PixelSpacing  # a spacing of nothing is none
    return ds


def _own_frame(ds: Dataset) -> UID:
    """The frame of reference of a series that tells none."""
    return generate_uid(entropy_srcs=[str(ds.get("SeriesInstanceUID")), "frame of reference"])


def _has_place(ds: Dataset) -> bool:
    if "ImagePositionPatient" in ds and "ImageOrientationPatient" in ds:
        return True
    return "PerFrameFunctionalGroupsSequence" in ds


def _checked(ds: Dataset) -> None:
    lacking = [name for name in NEEDED if not ds.get(name)]
    if lacking:
        raise InputError(
            f"{WHAT}: the header lacks {', '.join(lacking)}, so no other object can refer to it; ask "
            "for nifti or nrrd"
        )


def _single(image: Image, headers: list[Dataset]) -> Dataset:
    """The one picture of this size, at the grid's place where it has one."""
    alike = [ds for ds in headers if shape_of(ds)[1:] == image.grid]
    if image.affine is not None:
        alike = [ds for ds in alike if _at(ds, image.affine)]
    if len(alike) != 1:
        raise InputError(
            f"{WHAT}: {len(alike)} images fit the picture where one was expected; give the one file as input"
        )
    return alike[0]


def _at(ds: Dataset, affine: np.ndarray) -> bool:
    place = _frame_places(ds)[0]
    corner = (LPS_TO_RAS @ affine)[:3, 3]
    return place is not None and bool(np.allclose(place.position, corner, atol=0.01))


def _steps(image: Image) -> np.ndarray:
    assert image.affine is not None  # a DICOM volume has one: it was sorted by it
    return np.asarray(LPS_TO_RAS @ image.affine)


def _slot(place: Place | None, lps: np.ndarray, shape: tuple[int, ...]) -> int | None:
    """Index of the grid's slice at which a stored slice lies; None where it lies elsewhere or otherwise."""
    if place is None or place.shape != shape[1:]:
        return None
    rows, columns = lps[:3, 1], lps[:3, 2]
    turned = max(
        float(np.abs(place.down * place.spacing[0] - rows).max()),
        float(np.abs(place.along * place.spacing[1] - columns).max()),
    )
    step = lps[:3, 0]
    length = float(np.linalg.norm(step))
    index = round(float((place.position - lps[:3, 3]) @ step) / length**2)
    off = float(np.linalg.norm(place.position - lps[:3, 3] - index * step))
    fits = turned < 2e-3 * max(place.spacing) and off <= max(NEAR * length, 0.01) and 0 <= index < shape[0]
    return index if fits else None


def _series(image: Image, headers: list[Dataset]) -> Sources:
    lps = _steps(image)
    found: dict[int, Dataset] = {}
    for ds in headers:
        slot = _slot(place_of(ds), lps, image.grid)
        if slot is None:
            continue
        if slot in found:
            raise InputError(
                f"{WHAT}: several images lie at slice {slot + 1} of the grid (more than one series or "
                "acquisition); "
                "give a folder with the one that was segmented"
            )
        found[slot] = ds
    if len(found) == image.grid[0]:
        return Sources(_named(tuple(found[slot] for slot in sorted(found))))
    near = tuple(found[slot] for slot in sorted(found)) or _alike(headers)
    return Sources(_named(near), exact=False)


def _named(headers: tuple[Dataset, ...]) -> tuple[Dataset, ...]:
    """The headers, each fit to be referred to; the first one's text is what other objects repeat."""
    for ds in headers:
        _checked(ds)
    headers[0].decode()  # names become text here, so that they can be written in UTF-8
    return headers


def _alike(headers: list[Dataset]) -> tuple[Dataset, ...]:
    """Images of the series of the first one: where the grid was resampled, no slice fits exactly."""
    first = headers[0]
    return tuple(
        ds
        for ds in headers
        if ds.get("SeriesInstanceUID") == first.get("SeriesInstanceUID") and shape_of(ds) == shape_of(first)
    )


def _multiframe(image: Image, ds: Dataset) -> Sources:
    """The slice of the grid for every stored frame; where some frames are of another stack, slices alone."""
    lps = _steps(image)
    slots = [_slot(place, lps, image.grid) for place in _frame_places(ds)]
    known = [slot for slot in slots if slot is not None]
    if not known:
        raise InputError(f"{WHAT}: none of its frames tells a place on the grid; ask for nifti or nrrd")
    ds = _shared(ds)
    if len(known) == len(slots) and sorted(known) == list(range(image.grid[0])):
        return Sources(_named((ds,)), tuple(known))
    return Sources(_named((ds,)), exact=False)


def _frame_places(ds: Dataset) -> list[Place | None]:
    """Where each frame lies, by its own functional groups, those of all frames, and the object itself."""
    shared = [
        item for group in ds.get("SharedFunctionalGroupsSequence") or () for item in _first_items(group)
    ]
    groups: Any = ds.get("PerFrameFunctionalGroupsSequence") or [Dataset()]
    return [place_of(ds, (*_first_items(group), *shared)) for group in groups]


def _shared(ds: Dataset) -> Dataset:
    """The header with groups that all frames share, where its kind of object may have several frames.

    A file may tell frame by frame what is the same in all of them, and older kinds (ultrasound, angiography)
    have no groups at all; who writes an object about them looks here for spacing and orientation.
    """
    told: Any = ds.get("SharedFunctionalGroupsSequence")
    common = told[0] if told else Dataset()
    groups: Any = ds.get("PerFrameFunctionalGroupsSequence") or [Dataset()]
    for name in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        if name not in common and name in groups[0]:
            setattr(common, name, groups[0][name].value)
    if "PixelMeasuresSequence" not in common:
        common.PixelMeasuresSequence = [Dataset()]
    ds.SharedFunctionalGroupsSequence = [common]
    return ds


def _film(ds: Dataset, frames: list[int]) -> Sources:
    """One frame of a film as if it were a picture; what refers to it names the frame."""
    if len(frames) != 1:
        raise InputError(f"{WHAT}: which frame of the film was drawn on is not known; ask for nifti or png")
    ds.NumberOfFrames = 1
    return Sources(_named((ds,)), film=frames[0] + 1)


def _first_items(group: Dataset) -> list[Dataset]:
    return [element.value[0] for element in group if element.VR == "SQ" and element.value]
