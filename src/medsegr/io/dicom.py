"""DICOM: one file (a picture, a slice, the frames of one volume), or a folder with one series of slices."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from medsegr.errors import GeometryError, InputError
from medsegr.io.dicom_geometry import (
    Place,
    place_of,
    projection_axes,
    projection_spacing,
    slice_affine,
    stack,
)
from medsegr.io.dicom_pixels import (
    PIXELS,
    Decoded,
    Scale,
    check_header,
    decode,
    is_dicom,
    number,
    open_dataset,
    shape_of,
)
from medsegr.io.limits import Limits, check, check_grid
from medsegr.io.values import Warnings, checked, checked_affine, guarded, spacing_of
from medsegr.planes import axis_letters
from medsegr.types import MODALITIES, Image, Source, modality_code

WHAT = "DICOM file"
CLASS = "1.2.840.10008.5.1.4.1.1."
NO_IMAGE = (  # SOP classes (their beginnings) without a picture, in plain words
    ("88.", "a structured report"),
    ("481.3", "an RT structure set"),
    ("481.5", "an RT plan"),
    ("481.8", "an RT plan"),
    ("66.4", "a segmentation (masks)"),
    ("66.7", "a segmentation (masks)"),
    ("66", "a registration or raw data"),
    ("67", "a real world value mapping"),
    ("104.", "a document (PDF, CDA or a surface)"),
    ("11.", "a presentation state"),
    ("9.", "a waveform"),
)
DICOMDIR = "1.2.840.10008.1.3.10"
PROJECTIONS = {"RG": "CR", "IO": "CR", "PX": "CR", "XC": "DMS"}


def read_dicom(data: bytes, limits: Limits) -> Image:
    """Bytes of one DICOM file -> a picture ``c h w``, or ``c d h w`` for a multi-frame CT or MR volume.

    Values as the object means them (HU for CT). ``source.meta["window"]`` is the (low, high) display range or
    None. A slice has an affine from index (row, column, 0); a volume from (slice, row, column). Raises
    InputError, GeometryError.
    """
    with guarded(WHAT):
        ds = open_dataset(data, limits)
        refuse_no_image(ds)
        check_header(ds, limits)
        if shape_of(ds)[0] > 1:
            return _frames(ds)
        return _single(ds)


def refuse_no_image(ds: Dataset) -> None:
    """InputError with a plain word for objects that hold no picture."""
    meta = getattr(ds, "file_meta", None)
    kind = str(ds.get("SOPClassUID") or (meta.get("MediaStorageSOPClassUID") if meta else "") or "")
    word = next((word for start, word in NO_IMAGE if kind.startswith(CLASS + start)), None)
    if kind == DICOMDIR:
        raise InputError(
            "DICOMDIR: an index of files came where an image was expected; give the folder that holds the "
            "images"
        )
    if word is not None:
        raise InputError(
            f"{WHAT}: {word} came where an image was expected; give the image that it belongs to"
        )
    if not len(ds):
        raise InputError(f"{WHAT}: it has no element that can be read; it is truncated or of another kind")
    if not ds.get("Rows") or not ds.get("Columns"):
        raise InputError(
            f"{WHAT}: an object without pixels came where an image was expected; give the image itself"
        )


def _single(ds: Dataset) -> Image:
    _refuse_missing(ds)
    groups = _frame_groups(ds, 0)
    decoded = decode(ds, 0, _scale(groups))
    place = place_of(ds, groups)
    if place is not None:
        affine = checked_affine(slice_affine(place), WHAT)
        return _image(ds, decoded, decoded.values, (affine, None, None), ())
    spacing, notes = projection_spacing(ds)
    return _image(ds, decoded, decoded.values, (None, spacing, projection_axes(ds)), notes)


def _refuse_missing(ds: Dataset) -> None:
    if not any(name in ds for name in PIXELS):
        raise InputError(f"{WHAT}: the header tells an image but the pixels are missing; copy the file again")


Geometry = tuple[np.ndarray | None, tuple[float, ...] | None, tuple[str, ...] | None]  # affine, spacing, axes


def _image(ds: Dataset, decoded: Decoded, values: np.ndarray, geometry: Geometry, notes: Warnings) -> Image:
    """Put values and geometry together; spacing and axes follow from the affine where there is one."""
    data, found = checked(values, WHAT)
    affine, spacing, axes = geometry
    if affine is not None:
        count = data.ndim - 1
        spacing, axes = spacing_of(affine, count), axis_letters(affine)[:count]
    told = str(ds.get("Modality") or "").strip().upper()
    modality = PROJECTIONS.get(told) or modality_code(told)
    patient = (
        affine is not None
        or axes is not None
        or (modality is not None and MODALITIES[modality][0] == "patient")
    )
    if modality is not None and MODALITIES[modality][0] == "viewer":
        patient = False  # an ultrasound or a photograph: its words are those of who looks at it
    if str(ds.get("BurnedInAnnotation") or "").upper() == "YES":
        notes = (
            *notes,
            ("burned_in_text", "the file says that text is drawn into the pixels: it may name the patient"),
        )
    meta = {
        "window": decoded.window,
        "modality": told,
        "view": str(ds.get("ViewPosition") or ""),
        "laterality": str(ds.get("ImageLaterality") or ds.get("Laterality") or ""),
        "photometric": str(ds.get("PhotometricInterpretation") or ""),
    }
    source = Source(
        kind="dicom", frame_from="dicom" if patient else "assumed", warnings=notes + found, meta=meta
    )
    return Image(data, affine, spacing, modality, "patient", axes, source)


def _frames(ds: Dataset) -> Image:
    """A multi-frame object whose frames are the slices of one volume; others are refused with advice."""
    _refuse_missing(ds)
    count = shape_of(ds)[0]
    groups = [_frame_groups(ds, i) for i in range(count)]
    offsets = np.array(ds.get("GridFrameOffsetVector") or (), dtype=float)  # RT dose
    places = [place_of(ds, group) for group in groups]
    if len(offsets) == count and places[0] is not None:
        first = places[0]
        shifts = offsets if offsets[0] == 0 else (offsets - offsets[0])
        places = [_moved(first, float(shift)) for shift in shifts]
    known = [place for place in places if place is not None]
    slide = str(ds.get("SOPClassUID") or "").startswith(CLASS + "77.1.6")
    if len(known) < count or slide:
        kind = (
            "tiles of a slide" if slide else "frames without a place in the patient (a film or several views)"
        )
        raise InputError(
            f"{WHAT}: {count} {kind} came where one picture or one volume was expected; save the wanted one "
            "as a picture"
        )
    scales = [_scale(group) for group in groups]
    return _volume(ds, known, lambda i: decode(ds, i, scales[i]))


def _moved(place: Place, shift: float) -> Place:
    return Place(
        place.position + shift * place.normal,
        place.down,
        place.along,
        place.spacing,
        place.shape,
        place.thickness,
    )


def _frame_groups(ds: Dataset, index: int) -> tuple[Dataset, ...]:
    """Functional groups of one frame: its own first, then those that all frames share."""
    shared = _groups(ds, "SharedFunctionalGroupsSequence", 0)
    return (*_groups(ds, "PerFrameFunctionalGroupsSequence", index), *shared)


def _groups(ds: Dataset, name: str, index: int) -> tuple[Dataset, ...]:
    """All first items of the sequences in one functional group."""
    items: Any = ds.get(name)
    if not items or index >= len(items):
        return ()
    return tuple(element.value[0] for element in items[index] if element.VR == "SQ" and element.value)


def _scale(groups: Sequence[Dataset]) -> Scale:
    def first(name: str) -> float | None:
        return next((value for group in groups if (value := number(group, name)) is not None), None)

    centre, width = first("WindowCenter"), first("WindowWidth")
    window = None if centre is None or width is None else (centre, width)
    return Scale(first("RescaleSlope"), first("RescaleIntercept"), window)


def _volume(ds: Dataset, places: Sequence[Place], load: Callable[[int], Decoded]) -> Image:
    """Slices in order of their place -> ``c d h w``."""
    order, affine = stack(places)
    affine = checked_affine(affine, WHAT)
    volume: np.ndarray | None = None
    middle: Decoded | None = None
    for at, index in enumerate(order):
        decoded = load(int(index))
        if volume is None:
            channels, rows, columns = decoded.values.shape
            volume = np.empty((channels, len(order), rows, columns), np.float32)
        if decoded.values.shape != (volume.shape[0], *volume.shape[2:]):
            raise GeometryError(
                f"DICOM series: slice {index + 1} has other colours or another size than the first; give "
                "one kind only"
            )
        volume[:, at] = decoded.values
        if at == len(order) // 2:
            middle = decoded
    assert volume is not None and middle is not None  # stack() saw at least two places
    return _image(ds, middle, volume, (affine, None, None), ())


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a folder: where it is, its header, and the hash of its bytes."""

    path: Path
    header: Dataset
    sha256: str


def read_folder(folder: Path, limits: Limits) -> tuple[Image, str]:
    """Read a folder (nested, any file names) with the slices of ONE series.

    Returns the image, and the sha256 over the sorted hashes of the files that it was read from. Objects
    without a picture are left out with a warning. Several series: InputError with the list. One image: as
    that file.
    """
    members, others = _scan(folder, limits)
    series: dict[str, list[Member]] = {}
    for member in members:
        series.setdefault(str(member.header.get("SeriesInstanceUID") or ""), []).append(member)
    if not series:
        raise InputError(
            f"folder: no DICOM image among {others} files; a folder of one DICOM series was expected, else "
            "give one file"
        )
    if len(series) > 1:
        with guarded("folder"):
            listed = "; ".join(f"{i + 1}) {_describe(found)}" for i, found in enumerate(series.values()))
        raise InputError(
            f"folder: {len(series)} series came where one was expected: {listed}; give a folder with one of "
            "them"
        )
    chosen = next(iter(series.values()))
    image = _series(chosen, limits)
    if others:
        note = ("files_left_out", f"{others} files of the folder hold no image and were left out")
        image = _noted(image, note)
    digest = hashlib.sha256("".join(sorted(member.sha256 for member in chosen)).encode()).hexdigest()
    return image, digest


def _noted(image: Image, note: tuple[str, str]) -> Image:
    return replace(image, source=replace(image.source, warnings=(*image.source.warnings, note)))


def _scan(folder: Path, limits: Limits) -> tuple[list[Member], int]:
    """All images below the folder in name order, and the number of other files. Links to folders are not
    followed.
    """
    paths: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        paths += [Path(root) / name for name in sorted(names) if not name.startswith(".")]
        check("folder_files", len(paths), limits, "folder")
    members, others = [], 0
    for path in paths:
        member = _member(path, limits)
        if member is None:
            others += 1
        else:
            members.append(member)
    return members, others


def _member(path: Path, limits: Limits) -> Member | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        if not is_dicom(file.read(132)):
            return None
    check("file_bytes", path.stat().st_size, limits, WHAT)
    data = path.read_bytes()
    with guarded("one file of the folder"):
        header = open_dataset(data, limits, header_only=True)
        try:
            refuse_no_image(header)
        except InputError:
            return None
    return Member(path, header, hashlib.sha256(data).hexdigest())


def _describe(members: Sequence[Member]) -> str:
    """A series in numbers only: descriptions and ids may name somebody."""
    header = members[0].header
    modality = modality_code(str(header.get("Modality") or "")) or "other"
    label = number(header, "SeriesNumber")
    words = f"{'no number' if label is None else f'number {label:g}'}, {modality}"
    try:
        frames, rows, columns = shape_of(header)
    except InputError:
        return f"{words}, damaged"
    return f"{words}, {len(members) * frames} of {rows} x {columns}"


def _series(members: Sequence[Member], limits: Limits) -> Image:
    if len(members) == 1:
        return read_dicom(members[0].path.read_bytes(), limits)
    with guarded("DICOM series"):
        check("frames", len(members), limits, "DICOM series")
        _, rows, columns = shape_of(members[0].header)
        check_grid((len(members), rows, columns), limits, "DICOM series")
        places = [place_of(member.header) for member in members]
        known = [place for place in places if place is not None]
        if len(known) < len(members) or any(shape_of(member.header)[0] > 1 for member in members):
            raise GeometryError(
                f"DICOM series: {len(members) - len(known)} of {len(members)} images tell no place in the "
                "patient (projections, "
                "photographs or films?); slices with position, orientation and spacing were expected; give "
                "one file instead"
            )

        def load(index: int) -> Decoded:
            ds = open_dataset(members[index].path.read_bytes(), limits)
            check_header(ds, limits)
            _refuse_missing(ds)
            return decode(ds)

        return _volume(members[0].header, known, load)
