"""The one entry for images: a file, a folder or a zip, known by its content; or an array from Python."""

import hashlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from medsegr.errors import GeometryError, InputError, UsageError
from medsegr.grid.planes import axis_letters
from medsegr.io.archive import unpack
from medsegr.io.choices import DEFAULT_CHOICES, Choices
from medsegr.io.heads import inflated_head, is_dicom, nifti_version
from medsegr.io.limits import DEFAULT_LIMITS, Limits, check
from medsegr.io.raster import OPENERS, read_raster
from medsegr.io.values import Warnings, checked, checked_affine, spacing_of
from medsegr.io.volume import files_of, read_volume
from medsegr.types import MODALITIES, Frame, Image, Source, modality_code

if TYPE_CHECKING:
    from medsegr.io.dicom import Listing

READS = "PNG, JPEG, TIFF, BMP, DICOM (file or folder), NIfTI, NRRD, MHA, or a zip of one"
HEAD = 1024
MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"BM", "bmp"),
    (b"NRRD", "nrrd"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)
OTHERS = (  # what people give by mistake, and what to do
    (b"%PDF", "a PDF document", "give the image itself"),
    (b"GIF8", "a GIF picture", "save it as PNG"),
    (b"RIFF", "a WebP picture or a film", "save it as PNG"),
    (b"\x93NUMPY", "a NumPy array", "use image_from_array with its spacing"),
    (b"\x89HDF", "an HDF5 file", "save the image as NIfTI"),
    (b"Rar!", "a RAR archive", "unpack it and give the folder"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it and give the folder"),
    (b"{", "a JSON text", "give the image itself"),
    (b"<", "an XML or HTML text", "give the image itself"),
)


def kind_of(head: bytes, suffix: str = "") -> str:
    """Kind of a file by its first 1024 bytes, the ending only where these say nothing: png, jpeg, tiff, bmp,
    dicom, nifti, nrrd, mha or zip. Raises InputError for anything else, in plain words.
    """
    if head[128:132] == b"DICM":  # first: a DICOM preamble may look like a TIFF on purpose
        return "dicom"
    for magic, kind in MAGIC:
        if head.startswith(magic):
            return kind
    if nifti_version(inflated_head(head) if head[:2] == b"\x1f\x8b" else head) != 0:
        return "nifti"
    if re.match(rb"\s*(ObjectType|NDims|Comment)\s*=", head):
        return "mha"
    if is_dicom(head) or suffix in (".dcm", ".dicom", ".ima"):
        return "dicom"
    for magic, word, advice in OTHERS:
        if head.startswith(magic):
            raise InputError(f"input file: {word} came where an image was expected ({READS}); {advice}")
    if head[:2] == b"\x1f\x8b":
        raise InputError(
            f"input file: gzip data without a NIfTI header came where an image was expected ({READS}); "
            "unpack it first"
        )
    raise InputError(
        f"input file: its first bytes belong to no kind that is read; {READS} was expected; it is damaged "
        "or another kind"
    )


def read_image(
    path: str | Path,
    *,
    modality: str | None = None,
    frame: Frame | None = None,
    limits: Limits = DEFAULT_LIMITS,
    choices: Choices = DEFAULT_CHOICES,
) -> Image:
    """Read a file, a folder of DICOM series, or a zip of either.

    The kind is told by the content. ``modality`` (a DICOM code or a common name) and ``frame`` override what
    was read; the frame comes from the flag, else from the header, else from the modality, else ``"patient"``
    with a warning. Pictures are ``c h w`` as displayed, volumes ``c`` + the file's own axes (DICOM series:
    slice, row, column), affine to RAS+ mm. ``choices`` settle what a file leaves open: which of several DICOM
    series, gaps, the form of a NIfTI. Raises InputError or GeometryError in one line without names or
    paths; UsageError for an unknown modality or frame.
    """
    code = _known_modality(modality, frame)
    try:
        place = Path(path)
        if not place.exists():
            raise InputError("input: there is no such file or folder; check the path")
        image, digest = _read(place, limits, choices)
    except OSError as error:
        raise InputError(
            f"input: it cannot be read ({error.strerror or type(error).__name__}); check the path and its "
            "rights"
        ) from error
    except ValueError as error:  # a zero byte in the path
        raise InputError("input: the path is not valid; check it") from error
    source = replace(image.source, path=place, sha256=digest)
    return _settled(replace(image, source=source), code, frame)


def _known_modality(modality: str | None, frame: str | None) -> str | None:
    if frame is not None and frame not in get_args(Frame):
        raise UsageError(f"frame '{frame}' is not known: patient or viewer was expected")
    code = modality_code(modality)
    if modality is not None and code is None:
        raise UsageError(
            f"modality '{modality}' is not known: one of {', '.join(MODALITIES)} or a common name was "
            "expected"
        )
    return code


def _read(path: Path, limits: Limits, choices: Choices) -> tuple[Image, str]:
    """The image, and the sha256 of what was read."""
    if path.is_dir():
        from medsegr.io.dicom import read_folder

        _refuse_unused("folder", choices)
        return read_folder(path, limits, choices)
    if not path.is_file():
        raise InputError("input: it is no plain file (a device or a pipe); save the image to a file first")
    size = path.stat().st_size
    if size == 0:
        raise InputError(
            f"input file: it is empty (0 bytes) where an image was expected ({READS}); copy it again"
        )
    check("file_bytes", size, limits, "input file")
    with path.open("rb") as file:
        kind = kind_of(file.read(HEAD), path.suffix.lower())
    if kind == "zip":
        return _from_zip(path, limits, choices)
    _refuse_unused(kind, choices)
    if kind == "dicom":
        from medsegr.io.dicom import read_dicom

        return read_dicom(path, limits, choices)
    if kind in ("nrrd", "mha"):
        image = read_volume(path, kind, limits)
        hashes = [_sha256(file) for file in files_of(path, kind)]
        return image, hashes[0] if len(hashes) == 1 else hashlib.sha256(
            "".join(sorted(hashes)).encode()
        ).hexdigest()
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if kind in OPENERS:
        return read_raster(data, kind, limits), digest
    from medsegr.io.nifti import read_nifti

    return read_nifti(data, limits, choices.use), digest


def _refuse_unused(kind: str, choices: Choices) -> None:
    """InputError where a part or form is asked for that such a file has not: it would be left out without a
    word."""
    of_dicom = {"--series": choices.series, "--film-frame": choices.film_frame}
    told = next((flag for flag, value in of_dicom.items() if value), None)
    wanted = "DICOM"
    if kind in ("dicom", "folder"):
        told = None
    if told is None and kind != "nifti" and choices.use is not None:
        told, wanted = "--use", "NIfTI"
    if told is not None:
        came = "folder" if kind == "folder" else f"{kind} file"
        raise InputError(f"{told}: a {came} came where {wanted} was expected; leave the flag out")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_zip(path: Path, limits: Limits, choices: Choices) -> tuple[Image, str]:
    """What the zip holds, and the sha256 of that: the same as when it is read unpacked."""
    with _unpacked(path, limits) as (folder, members):
        if len(members) > 1:
            return _read(folder, limits, choices)
        return _read(next(iter(members)), limits, choices)


@contextmanager
def _unpacked(path: Path, limits: Limits) -> Iterator[tuple[Path, dict[Path, str]]]:
    """The members of a zip in a folder of their own that vanishes with the block: their paths there, each
    with its name in the zip, by which a refusal's note calls it."""
    with tempfile.TemporaryDirectory(prefix="medsegr-") as name:
        named = unpack(path, Path(name), limits)
        members = list(named)
        if not members:
            raise InputError("zip file: it holds no file; one image or one DICOM series was expected")
        with members[0].open("rb") as file:
            if len(members) == 1 and file.read(4) in (b"PK\x03\x04", b"PK\x05\x06"):
                raise InputError(
                    "zip file: a zip inside a zip came; one image or one DICOM series was expected; unpack "
                    "it once"
                )
        try:
            yield Path(name), named
        except InputError as refused:
            shown = {str(place): f"{path}: {member}" for place, member in named.items()}
            notes = [shown.get(note, note) for note in getattr(refused, "__notes__", ())]
            if notes:  # who reads them knows the zip, and no folder of ours
                refused.__notes__ = ["".join(c if c.isprintable() else "?" for c in note) for note in notes]
            raise


def is_nifti(path: Path) -> bool:
    """Whether a file is a NIfTI; False for what is none, or is no file."""
    try:
        with path.open("rb") as file:
            return kind_of(file.read(HEAD), path.suffix.lower()) == "nifti"
    except (InputError, OSError, ValueError):
        return False


def series_in(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> "Listing":
    """The DICOM series of a file, folder or zip, as ``--series list`` shows them: what ``choices.series`` may
    name, and the files that are damaged. InputError where there is no DICOM image that can be read.
    """
    from medsegr.io.dicom import list_series

    place = Path(path)
    if not place.exists():
        raise InputError("input: there is no such file or folder; check the path")
    if place.is_file():
        with place.open("rb") as file:
            kind = kind_of(file.read(HEAD), place.suffix.lower())
        if kind == "zip":
            with _unpacked(place, limits) as (folder, members):
                found = list_series(folder if len(members) > 1 else next(iter(members)), limits)
                damaged = tuple((members[folder / file], why) for file, why in found.damaged)
                return replace(found, damaged=damaged)
        if kind != "dicom":
            _refuse_unused(kind, Choices("list"))
    return list_series(place, limits)


def _settled(image: Image, code: str | None, frame: Frame | None) -> Image:
    """Apply the flags, and decide whose left is meant."""
    modality = code or image.modality
    source = image.source
    if code is not None:
        source = replace(source, meta={**source.meta, "modality_from": "flag"})
    if frame is not None:
        return replace(image, modality=modality, frame=frame, source=replace(source, frame_from="flag"))
    if source.frame_from != "assumed":
        return replace(image, modality=modality, source=source)
    if modality is not None:
        return replace(
            image,
            modality=modality,
            frame=MODALITIES[modality][0],
            source=replace(source, frame_from="modality"),
        )
    note = (
        "frame_assumed",
        "nobody said whose left is meant: the patient's was assumed; say it with frame (patient or viewer) "
        "or with the modality",
    )
    return replace(image, frame="patient", source=replace(source, warnings=(*source.warnings, note)))


def image_from_array(
    array: Any,
    affine: Any = None,
    spacing: Sequence[float | int] | np.ndarray | None = None,
    modality: str | None = None,
    frame: Frame | None = None,
) -> Image:
    """An array as an Image: ``h w``, ``h w 3``, a volume of three axes, or a volume with a last axis of 3 for
    colour.

    ``h w 3`` is a colour picture unless an affine or three spacings say that it is a volume. ``affine`` (4 x
    4) maps an index to RAS+ mm; ``spacing`` is mm along each grid axis. Without both: warning ``no_spacing``.
    A volume without an affine is taken as slice, row, column: warning ``no_affine``. Raises InputError (NaN,
    no numbers, wrong number of axes), GeometryError (a spacing that is none, affine and spacing that disagree
    by more than 1 %), UsageError.
    """
    code = _known_modality(modality, frame)
    values = np.array(array)  # a copy: the image must not change with the caller's array
    steps = _steps(spacing)
    data = _channels_first(values, affine is not None or (steps is not None and len(steps) == 3))
    data, found = checked(data, "array")
    grid = data.shape[1:]
    matrix, steps, notes = _array_geometry(affine, steps, len(grid))
    axes = None if matrix is None else axis_letters(matrix)[: len(grid)]
    digest = hashlib.sha256(data.tobytes() + str(data.shape).encode()).hexdigest()
    source = Source(sha256=digest, kind="array", frame_from="assumed", warnings=(*notes, *found))
    return _settled(Image(data, matrix, steps, None, "patient", axes, source), code, frame)


def _channels_first(values: np.ndarray, volume: bool) -> np.ndarray:
    told = " x ".join(map(str, values.shape)) or "a single number"
    if values.size == 0 or values.ndim not in (2, 3, 4):
        raise InputError(f"array: {told} came where h w, h w 3 or a volume was expected; give one image")
    if values.ndim == 4:
        if values.shape[-1] != 3:
            raise InputError(
                f"array: {told} came where a fourth axis of 3 (colour) was expected; give one time point"
            )
        return np.moveaxis(values, -1, 0)
    if values.ndim == 3 and not volume:
        if values.shape[-1] == 3:
            return np.moveaxis(values, -1, 0)
        if values.shape[-1] in (1, 2, 4) or values.shape[0] in (1, 3):
            raise InputError(
                f"array: {told} may be a picture with channels or a volume; give h w or h w 3, or a volume "
                "with its spacing or affine"
            )
    return values[None]


def _steps(spacing: Any) -> tuple[float, ...] | None:
    if spacing is None:
        return None
    try:
        return tuple(float(step) for step in spacing)
    except (TypeError, ValueError) as error:
        raise GeometryError(
            f"array: spacing {str(spacing)[:40]!r} came where a number (mm) along each axis was expected, "
            "for example (5.0, 0.8, 0.8)"
        ) from error


def _array_geometry(
    affine: Any, steps: tuple[float, ...] | None, axes: int
) -> tuple[np.ndarray | None, tuple[float, ...] | None, Warnings]:
    if steps is not None and (len(steps) != axes or not all(np.isfinite(steps)) or min(steps) <= 0):
        raise GeometryError(
            f"array: spacing {steps} came where {axes} positive numbers (mm along each axis) were expected"
        )
    if affine is None:
        told = (("no_spacing", "the array came without spacing or affine: nothing can be measured in mm"),)
        assumed = (
            "no_affine",
            "the array came without an affine: its axes are taken in the usual order (slice, row, column), "
            "sides are assumed; give the affine with it",
        )
        return None, steps, (*(told if steps is None else ()), *((assumed,) if axes == 3 else ()))
    matrix = checked_affine(np.asarray(affine, dtype=float), "array")
    own = spacing_of(matrix, axes)
    if steps is not None and not np.allclose(own, steps, rtol=0.01):
        raise GeometryError(
            f"array: the affine tells a spacing of {own} mm, the argument {steps} mm; give one of them only"
        )
    return matrix, own, ()
