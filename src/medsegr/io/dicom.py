"""DICOM: one file, or a folder with any number of series, to one picture or one volume."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from medsegr.errors import GeometryError, InputError, UsageError
from medsegr.grid.planes import axis_letters
from medsegr.io.choices import DEFAULT_CHOICES, Choices
from medsegr.io.decoder import Decoder, ahead, decoding, workers_for
from medsegr.io.dicom_geometry import (
    projection_axes,
    projection_spacing,
    slice_affine,
    turned,
)
from medsegr.io.dicom_pixels import (
    WHAT,
    Decoded,
    Opened,
    Scale,
    decode,
    number,
    open_dataset,
    open_header,
    open_pixels,
    shape_of,
)
from medsegr.io.dicom_scan import (
    Member,
    Scan,
    about,
    frame_groups,
    member_of,
    refuse_no_image,
    scan,
    why_none,
)
from medsegr.io.dicom_series import Slice, Stack, choose, stacks_of
from medsegr.io.limits import Limits, check, check_grid
from medsegr.io.regrid import arrange, fill
from medsegr.io.values import Warnings, checked, checked_affine, guarded, spacing_of
from medsegr.types import MODALITIES, Image, Source, modality_code

PROJECTIONS = {"RG": "CR", "IO": "CR", "PX": "CR", "XC": "DMS"}
BURNED = ("US", "SC")  # modalities whose pixels often hold text: ultrasound, secondary captures
TILTED = 0.34  # of a cosine, 20 degrees: turned less, slices are one acquisition, not a localizer


def read_dicom(path: Path, limits: Limits, choices: Choices = DEFAULT_CHOICES) -> tuple[Image, str]:
    """One DICOM file -> a picture ``c h w`` or a volume ``c d h w``, and its sha256.

    Values as the object means them (HU for CT). A slice has an affine from index (row, column, 0); a volume
    from (slice, row, column). Of a film (frames without a place in the patient) one frame is read.

    ``source.meta`` has ``window``: the (low, high) display range or None; ``series``: which of how many, and
    why; ``slices``: (sha256 of its file, frame) of every slice read, in that order; ``resampled``: True where
    the grid is no longer the file's own (tilt, accepted gaps). Raises InputError, GeometryError, UsageError.
    """
    with guarded(WHAT):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        ds = open_dataset(data, limits)
        del data
        refuse_no_image(ds)
        opened = open_pixels(ds, limits)
        member = member_of(ds, path, 0, limits)
        stacks = stacks_of(member.slices, [member.series])
    shelf = Shelf((member,), limits, {0: digest}, (0, opened))
    return _read(stacks, shelf, choices), digest


def read_folder(folder: Path, limits: Limits, choices: Choices = DEFAULT_CHOICES) -> tuple[Image, str]:
    """Read one series of a folder (nested, any file names, any number of series and studies).

    Returns the image, and the sha256 over the sorted hashes of the files that it was read from. Which series
    is written in :mod:`medsegr.io.dicom_series`; objects without a picture are left out with a warning.
    """
    found = _scanned(folder, limits)
    shelf = Shelf(found.members, limits)
    lost = _lost(found)
    try:
        image = _read(_stacks(found.members), shelf, choices)
    except GeometryError as refused:
        if lost is not None:
            raise GeometryError(f"{refused}; {lost[1]}") from refused
        raise
    if lost is not None:
        image = _noted(image, lost)
    if found.others:
        note = ("files_left_out", f"{found.others} files of the folder hold no image and were left out")
        image = _noted(image, note)
    if found.copies:
        note = ("copies_left_out", f"{found.copies} files are copies of others and were left out")
        image = _noted(image, note)
    return image, hashlib.sha256("".join(sorted(shelf.hashes.values())).encode()).hexdigest()


def _scanned(folder: Path, limits: Limits) -> Scan:
    """The files of a folder; InputError where no picture among them can be read."""
    found = scan(folder, limits)
    if not found.members:
        if found.damaged:
            raise found.damaged[0][1]
        raise InputError(why_none(folder, limits))
    return found


def _lost(found: Scan) -> tuple[str, str] | None:
    """The warning of the damaged files of a folder, None where there is none."""
    if not found.damaged:
        return None
    many, why = len(found.damaged), found.damaged[0][1]
    are = "1 file is damaged and was" if many == 1 else f"{many} files are damaged and were"
    them = "it" if many == 1 else "them"
    return (
        "files_damaged",
        f"{are} left out, so slices may be missing ({why}); --series list names {them}",
    )


def _stacks(members: Sequence[Member]) -> tuple[Stack, ...]:
    with guarded("folder"):
        return stacks_of(
            (item for member in members for item in member.slices), [member.series for member in members]
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """The stacks of a DICOM file or folder, and what of it is damaged: path below the folder, reason."""

    stacks: tuple[Stack, ...]
    damaged: tuple[tuple[str, str], ...] = ()


def list_series(place: Path, limits: Limits) -> Listing:
    """What ``--series list`` shows of a DICOM file or folder; InputError where no series can be read."""
    if place.is_dir():
        found = _scanned(place, limits)
        damaged = tuple((path.relative_to(place).as_posix(), str(why)) for path, why in found.damaged)
        return Listing(_stacks(found.members), damaged)
    with guarded(WHAT):
        header = open_header(place, limits)
        refuse_no_image(header)
        member = member_of(header, place, 0, limits)
        return Listing(stacks_of(member.slices, [member.series]))


def _noted(image: Image, *notes: tuple[str, str]) -> Image:
    return replace(image, source=replace(image.source, warnings=(*image.source.warnings, *notes)))


@dataclass(slots=True)
class Shelf:
    """The files of one reading: opened when a slice of them is wanted, the last one held, each hashed."""

    members: tuple[Member, ...]
    limits: Limits
    hashes: dict[int, str] = field(default_factory=dict)  # member -> sha256 of its bytes
    _held: tuple[int, Opened] | None = None

    def open(self, index: int) -> Opened:
        """The object of one member. Call inside ``guarded``."""
        if self._held is None or self._held[0] != index:
            self._held = None  # two at a time would be twice the memory
            data = self.members[index].path.read_bytes()
            self.hashes[index] = hashlib.sha256(data).hexdigest()
            with about(self.members[index].path), guarded(WHAT):
                self._held = (index, open_pixels(open_dataset(data, self.limits), self.limits))
        return self._held[1]


def _read(stacks: Sequence[Stack], shelf: Shelf, choices: Choices) -> Image:
    stack, why = choose(stacks, choices.series)
    if why == "rule" and not choices.accept_gaps:
        _refuse_mixed(stack, stacks)
    with guarded("DICOM series" if stack.volume else WHAT), decoding(shelf.limits) as decoder:
        if stack.volume:
            image = _volume(stack, shelf, decoder, choices)
        else:
            image = _picture(stack.slices[0], shelf, decoder, choices)
    about = {"number": stack.token, "of": len(stacks), "slices": len(stack.slices), "chosen": why}
    source = replace(image.source, meta={**image.source.meta, "series": about})
    image = replace(image, source=source)
    if why != "rule":
        return image
    note = (
        "series_chosen",
        f"{len(stacks)} series or parts of series came: number {stack.line()}, was taken by rule; --series "
        "list shows all",
    )
    return _noted(image, note)


def _refuse_mixed(stack: Stack, stacks: Sequence[Stack]) -> None:
    """Slices of one series that are only a little turned against each other are no second acquisition."""
    first = stack.slices[0]
    for other in stacks:
        item = other.slices[0]
        if other is stack or item.traits != first.traits or item.place is None or first.place is None:
            continue
        apart = max(turned(item.place.normal, first.place.normal), turned(item.place.down, first.place.down))
        if 0 < apart < TILTED:
            raise GeometryError(
                f"DICOM series: {len(other.slices)} slices are turned against the other {len(stack.slices)} "
                f"(direction cosines differ by {apart:.3g} where 0.001 was allowed); choose a part with "
                "--series, or take the larger one with --accept-gaps"
            )


def _picture(item: Slice, shelf: Shelf, decoder: Decoder, choices: Choices) -> Image:
    """One slice, one projection, or one frame of a film."""
    opened = shelf.open(item.member)
    ds, frame = opened.ds, item.frame
    notes: Warnings = ()
    count = shape_of(ds)[0]
    if item.place is None and count > 1:
        frame, notes = _film_frame(ds, count, choices.film_frame)
    elif choices.film_frame is not None:
        _refuse_no_film("one picture")
    groups = frame_groups(ds, frame)
    decoded = decode(opened, frame, decoder, _scale(groups))
    kept = ((shelf.hashes[item.member], frame),)
    if item.place is not None:
        affine = checked_affine(slice_affine(item.place), WHAT)
        return _image(ds, decoded, decoded.values, Geometry(affine, notes=notes, kept=kept))
    spacing, more = projection_spacing(ds)
    return _image(
        ds, decoded, decoded.values, Geometry(None, spacing, projection_axes(ds), notes + more, kept)
    )


def _refuse_no_film(what: str) -> None:
    raise UsageError(f"--film-frame: {what} came where a film was expected; leave the flag out")


def _film_frame(ds: Dataset, count: int, wanted: int | None) -> tuple[int, Warnings]:
    """The frame of a film that is read, counted from 0: the wanted one, the one that the file names, the
    middle one.
    """
    if wanted is not None:
        if wanted > count:
            raise UsageError(f"--film-frame: {wanted} came where the film has {count} frames")
        return wanted - 1, ()
    told = number(ds, "RepresentativeFrameNumber")
    index = int(told) - 1 if told is not None and 1 <= told <= count else count // 2
    note = (
        "one_frame_of_film",
        f"a film of {count} frames came: frame {index + 1} was taken; --film-frame N takes another",
    )
    return index, (note,)


def _volume(stack: Stack, shelf: Shelf, decoder: Decoder, choices: Choices) -> Image:
    """Slices in order of their place -> ``c d h w``."""
    slices = stack.slices
    if choices.film_frame is not None:
        _refuse_no_film(f"{len(slices)} slices")
    check("frames", len(slices), shelf.limits, "DICOM series")
    plan = arrange([item.place for item in slices if item.place is not None], choices.accept_gaps)
    check("frames", plan.grid[0], shelf.limits, "DICOM series")
    check_grid(plan.grid, shelf.limits, "DICOM series")
    affine = checked_affine(plan.affine, "DICOM series")
    middle = int(plan.order[len(plan.order) // 2])
    shown: dict[str, Any] = {}  # header and display of the middle slice, which speak for all
    kept: list[tuple[str, int]] = []

    def tasks() -> Iterator[Callable[[], Decoded]]:
        for index in plan.order:
            item = slices[int(index)]
            opened = shelf.open(item.member)
            kept.append((shelf.hashes[item.member], item.frame))
            if index == middle:
                shown["header"] = _without_pixels(opened.ds)
            yield partial(decode, opened, item.frame, decoder, _scale(frame_groups(opened.ds, item.frame)))

    def load(index: int) -> np.ndarray:
        with about(shelf.members[slices[index].member].path):
            decoded = next(found)
        if index == middle:
            shown["decoded"] = decoded
        return decoded.values

    packed = bool(shelf.open(slices[int(plan.order[0])].member).frames)
    with closing(ahead(tasks(), workers_for(len(plan.order)) if packed else 1)) as found:
        volume = fill(plan, load)
    where = Geometry(affine, notes=plan.notes, kept=tuple(kept))
    image = _image(shown["header"], shown["decoded"], volume, where)
    if plan.plain:
        return image
    return replace(image, source=replace(image.source, meta={**image.source.meta, "resampled": True}))


def _without_pixels(ds: Dataset) -> Dataset:
    """The elements that describe an image; the pixels need not be held with them."""
    kept: Dataset = ds[0x00080000:0x7FE00000]  # pydicom slices by tag
    return kept


def _scale(groups: Sequence[Dataset]) -> Scale:
    def first(name: str) -> float | None:
        return next((value for group in groups if (value := number(group, name)) is not None), None)

    centre, width = first("WindowCenter"), first("WindowWidth")
    window = None if centre is None or width is None else (centre, width)
    return Scale(first("RescaleSlope"), first("RescaleIntercept"), window)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the values lie; ``kept``: sha256 of the file and frame of every slice, in the order read."""

    affine: np.ndarray | None
    spacing: tuple[float, ...] | None = None
    axes: tuple[str, ...] | None = None
    notes: Warnings = ()
    kept: tuple[tuple[str, int], ...] = ()


def _image(ds: Dataset, decoded: Decoded, values: np.ndarray, where: Geometry) -> Image:
    """Put values and geometry together; spacing and axes follow from the affine where there is one."""
    data, found = checked(values, WHAT)
    affine, spacing, axes = where.affine, where.spacing, where.axes
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
    meta = {
        "window": decoded.window,
        "modality": told,
        "view": str(ds.get("ViewPosition") or ""),
        "laterality": str(ds.get("ImageLaterality") or ds.get("Laterality") or ""),
        "photometric": str(ds.get("PhotometricInterpretation") or ""),
        "slices": where.kept,
    }
    source = Source(
        kind="dicom",
        frame_from="dicom" if patient else "assumed",
        warnings=where.notes + _burned(ds, told) + found,
        meta=meta,
    )
    return Image(data, affine, spacing, modality, "patient", axes, source)


def _burned(ds: Dataset, modality: str) -> Warnings:
    """A warning where the file says that text is drawn into the pixels, or where it often is."""
    told = str(ds.get("BurnedInAnnotation") or "").strip().upper()
    if told == "YES":
        word = "the file says that text is drawn into the pixels: it may name the patient"
    elif told != "NO" and (modality in BURNED or _captured(ds)):
        word = "pictures of this kind often hold text in their pixels: it may name the patient"
    else:
        return ()
    return (("burned_in_text", word),)


def _captured(ds: Dataset) -> bool:
    kind = str(ds.get("SOPClassUID") or "")
    return kind.startswith("1.2.840.10008.5.1.4.1.1.7") and not kind.startswith("1.2.840.10008.5.1.4.1.1.77")
