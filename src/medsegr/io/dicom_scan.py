"""Which DICOM pictures lie in a file or below a folder, by their headers alone."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from medsegr.errors import InputError
from medsegr.io.dicom_geometry import Place, place_of
from medsegr.io.dicom_pixels import WHAT, number, open_header, shape_of
from medsegr.io.dicom_series import TELLING, Series, Slice
from medsegr.io.dicom_words import STRUCTURES, class_of
from medsegr.io.heads import is_dicom
from medsegr.io.limits import Limits, check
from medsegr.io.values import guarded
from medsegr.types import modality_code

CLASS = "1.2.840.10008.5.1.4.1.1."
NO_IMAGE = (  # SOP classes (their beginnings) without a picture, in plain words
    ("88.", "a structured report"),
    ("481.3", "an RT structure set (masks as contours)"),
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
PICTURES = ("1.", "2.", "3.", "4.", "6.", "7.", "12.", "13.", "20.", "77.1.", "128.", "130.", "481.1.")
SLIDE = CLASS + "77.1.6"
DICOMDIR = "1.2.840.10008.1.3.10"
MOST_TEXT = 64  # characters of a series description that a list shows


@dataclass(frozen=True, slots=True)
class Member:
    """One DICOM file with a picture: what a list says of it, and its slices."""

    path: Path
    instance: str
    series: Series
    slices: tuple[Slice, ...]


def refuse_no_image(ds: Dataset) -> None:
    """InputError with a plain word for objects that hold no picture, and for slides."""
    kind = _class(ds)
    word = next((word for start, word in NO_IMAGE if kind.startswith(CLASS + start)), None)
    if kind == DICOMDIR:
        raise InputError(
            "DICOMDIR: an index of files came where an image was expected; give the folder that holds the "
            "images"
        )
    if word is not None:
        more = "; 'medsegr measure -m' reads the masks" if "masks" in word else ""
        raise InputError(
            f"{WHAT}: {word} came where an image was expected; give the image that it belongs to{more}"
        )
    if kind == SLIDE:
        raise InputError(
            f"{WHAT}: a whole slide (tiles at several zooms) came where one picture was expected; export the "
            "wanted region as PNG or TIFF, for example with OpenSlide or QuPath"
        )
    if not len(ds):
        raise InputError(f"{WHAT}: it has no element that can be read; it is truncated or of another kind")
    if not ds.get("Rows") or not ds.get("Columns"):
        raise InputError(
            f"{WHAT}: an object without pixels came where an image was expected; give the image itself"
        )


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies below a folder: all pictures, how many files hold none, how many are copies of others, and
    the files that hold one and cannot be read, each with the reason."""

    members: tuple[Member, ...]
    others: int
    copies: int
    damaged: tuple[tuple[Path, InputError], ...]


def _class(ds: Dataset) -> str:
    meta = getattr(ds, "file_meta", None)
    return str(ds.get("SOPClassUID") or (meta.get("MediaStorageSOPClassUID") if meta else "") or "")


def scan(folder: Path, limits: Limits) -> Scan:
    """Sort the files below a folder by their headers.

    Links to folders are not followed, a DICOMDIR is not either: files are known by their content.
    """
    members: list[Member] = []
    damaged: list[tuple[Path, InputError]] = []
    seen: dict[str, list[int]] = {}
    others = copies = 0
    for path in files_below(folder, limits):
        try:
            member = _member(path, len(members), limits)
        except InputError as refused:
            damaged.append((path, refused))
            continue
        if member is None:
            others += 1
        elif any(_same_bytes(members[i].path, path) for i in seen.get(member.instance, ())):
            copies += 1
        else:
            seen.setdefault(member.instance, []).append(len(members))
            members.append(member)
    return Scan(tuple(members), others, copies, tuple(damaged))


def why_none(folder: Path, limits: Limits) -> str:
    """What a folder holds in which :func:`scan` found no picture, in one line with what to do."""
    paths = [path for path in files_below(folder, limits) if path.is_file()]
    if not paths:
        return "folder: it holds no file; a folder with a DICOM series was expected, else give one file"
    for path in paths:
        with path.open("rb") as file:
            told = is_dicom(file.read(132))
        if told:
            why = _refusal(path, limits)
            return f"folder: no DICOM image among {len(paths)} files; of the first object: {why}"
    return (
        f"folder: none of its {len(paths)} files is DICOM; a folder is read as a DICOM series: give "
        "one file at a time"
    )


def _refusal(path: Path, limits: Limits) -> str:
    """Why a DICOM file is no picture, as it is told where it comes alone."""
    try:
        refuse_no_image(open_header(path, limits))
    except InputError as error:
        return str(error).removeprefix(f"{WHAT}: ")
    return "it cannot be read"


def files_below(folder: Path, limits: Limits) -> list[Path]:
    """Every file below a folder in a fixed order, hidden ones left out; links to folders are not followed."""
    paths: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        paths += [Path(root) / name for name in sorted(names) if not name.startswith(".")]
        check("folder_files", len(paths), limits, "folder")
    return paths


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Note on a refusal which file of a folder it is about; the message stays free of names."""
    try:
        yield
    except InputError as refused:
        if not hasattr(refused, "__notes__"):
            refused.add_note("".join(c if c.isprintable() else "?" for c in str(path)))
        raise


def _same_bytes(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        return hashlib.file_digest(first, "sha256").digest() == hashlib.file_digest(second, "sha256").digest()


def _member(path: Path, index: int, limits: Limits) -> Member | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(132)
    if not head and _like_dicom(path):
        raise InputError("it is empty (0 bytes); copy it again")
    if not is_dicom(head):
        return None
    if class_of(path) == STRUCTURES:  # beside the images, and often longer than a header may be
        return None
    with about(path), guarded("one file of the folder"):
        check("file_bytes", path.stat().st_size, limits, WHAT)
        header = open_header(path, limits)
        try:
            refuse_no_image(header)
        except InputError:
            if _cut_off(header):
                raise InputError(
                    f"{WHAT}: it ends before its header tells the pixels; it is truncated or damaged, copy "
                    "it again"
                ) from None
            return None
        return member_of(header, path, index, limits)


def _like_dicom(path: Path) -> bool:
    """Whether a file is called as DICOM files are: by their ending, none, or the last number of a UID."""
    ending = path.suffix.lower()
    return ending in ("", ".dcm", ".ima", ".dicom") or ending[1:].isdigit()


def _cut_off(ds: Dataset) -> bool:
    """Whether what has no pixels would have some if it were whole: a header that ends too early. One that
    does not even tell its class (the first elements) is taken for such."""
    kind = f"{_class(ds)}."
    picture = kind.startswith(CLASS) and kind.removeprefix(CLASS).startswith(PICTURES)
    return kind == "." or (picture and "Rows" not in ds)


def member_of(ds: Dataset, path: Path, index: int, limits: Limits) -> Member:
    """What a header tells; ``index`` is the member's place in the list of all. Call inside ``guarded``."""
    frames = shape_of(ds)[0]
    check("frames", frames, limits, WHAT)
    traits = _traits(ds)
    groups = [frame_groups(ds, i) for i in range(frames)]
    places = _places(ds, groups)
    if any(place is None for place in places):
        slices: tuple[Slice, ...] = (Slice(index, 0, None, (index, *traits)),)
    else:
        slices = tuple(
            Slice(index, i, place, (_kind(ds, groups[i]), *traits), _telling(ds, groups[i]))
            for i, place in enumerate(places)
        )
    film = frames if frames > 1 and slices[0].place is None else 1
    return Member(path, str(ds.get("SOPInstanceUID") or path), _series(ds, film), slices)


def _series(ds: Dataset, film: int) -> Series:
    label = number(ds, "SeriesNumber")
    told = str(ds.get("SeriesDescription") or "")[:MOST_TEXT]
    return Series(
        patient=str(ds.get("PatientID") or ""),
        study=str(ds.get("StudyInstanceUID") or ""),
        uid=str(ds.get("SeriesInstanceUID") or ""),
        when=f"{ds.get('StudyDate') or ''}{ds.get('StudyTime') or ''}",
        number=None if label is None else int(label),
        modality=modality_code(str(ds.get("Modality") or "")) or "",
        description="".join(c if c.isprintable() else "?" for c in told),
        aside=_aside(ds),
        frames=film,
    )


def _aside(ds: Dataset) -> str:
    words = {word.upper() for word in _words(ds.get("ImageType"))}
    kind = str(ds.get("SOPClassUID") or "").removeprefix(CLASS)
    if words & {"LOCALIZER", "SCOUT", "TOPOGRAM"}:
        return "localizer"
    if kind == "7" or kind.startswith("7."):
        return "secondary capture"
    return "dose" if kind == "481.2" else ""


def _words(value: Any) -> tuple[str, ...]:
    if value is None or isinstance(value, str):
        return (value,) if value else ()
    return tuple(str(word) for word in value)


def _traits(ds: Dataset) -> tuple[object, ...]:
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "Modality", "SamplesPerPixel")
    return (*(str(ds.get(name) or "") for name in names), *shape_of(ds)[1:])


def _kind(ds: Dataset, groups: Sequence[Dataset]) -> tuple[str, ...]:
    """Image type of a slice; of an enhanced object that of the frame."""
    told = next((group.get("FrameType") for group in groups if group.get("FrameType")), None)
    return _words(told if told is not None else ds.get("ImageType"))


def _telling(ds: Dataset, groups: Sequence[Dataset]) -> dict[str, str]:
    found = {}
    for name in TELLING:
        value = next((v for part in (*groups, ds) if (v := part.get(name)) not in (None, "")), None)
        if value is not None:
            found[name] = str(value)
    return found


def _places(ds: Dataset, groups: Sequence[tuple[Dataset, ...]]) -> list[Place | None]:
    """Place of every frame, of a dose with the offsets that it tells of its frames."""
    places = [place_of(ds, group) for group in groups]
    offsets = np.array(ds.get("GridFrameOffsetVector") or (), dtype=float)
    first = places[0]
    if len(offsets) == len(places) > 1 and first is not None:
        shifts = offsets if offsets[0] == 0 else offsets - offsets[0]
        return [_moved(first, float(shift)) for shift in shifts]
    own = [any("ImagePositionPatient" in part for part in group) for group in groups]
    return places if len(places) == 1 or all(own) else [None] * len(places)  # a film has one place, or none


def _moved(place: Place, shift: float) -> Place:
    position = place.position + shift * place.normal
    return Place(position, place.down, place.along, place.spacing, place.shape, place.thickness)


def frame_groups(ds: Dataset, index: int) -> tuple[Dataset, ...]:
    """Functional groups of one frame: its own first, then those that all frames share."""
    shared = _groups(ds, "SharedFunctionalGroupsSequence", 0)
    return (*_groups(ds, "PerFrameFunctionalGroupsSequence", index), *shared)


def _groups(ds: Dataset, name: str, index: int) -> tuple[Dataset, ...]:
    """All first items of the sequences in one functional group, and the group itself."""
    items: Any = ds.get(name)
    if not items or index >= len(items):
        return ()
    return tuple(element.value[0] for element in items[index] if element.VR == "SQ" and element.value)
