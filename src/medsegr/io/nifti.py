"""NIfTI-1 and NIfTI-2 through nibabel, two or three axes; size and geometry are checked first."""

import io
import zlib
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np

from medsegr.errors import GeometryError, InputError
from medsegr.grid.planes import axis_letters
from medsegr.io.heads import NIFTI_HEAD, inflated_head, nifti_version
from medsegr.io.limits import Limits, check_grid, check_ratio
from medsegr.io.pictures import marked_picture
from medsegr.io.values import (
    LPS_TO_RAS,
    Warnings,
    checked,
    checked_affine,
    corners_apart,
    guarded,
    spacing_of,
)
from medsegr.types import Image, Source

WHAT = "NIfTI file"
UNIT_MM = {1: 1000.0, 3: 0.001}  # xyzt_units: metre, micron; 2 (mm) and 0 (unknown) are taken as mm
TOLERANCE = 0.1  # of a voxel, at the corners of the grid
CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class Form:
    """The affine that was chosen, and what a writer needs to say the same again."""

    affine: np.ndarray  # as the header tells it, in its own unit
    code: int  # of the form used; 0: nobody told the orientation


def read_nifti(data: bytes, limits: Limits, use: str | None = None) -> Image:
    """Bytes of a ``.nii`` or ``.nii.gz`` file -> image in the file's own axis order: ``c i j`` or ``c i j
    k``.

    ``affine`` is nibabel's (RAS+ mm), ``axes`` its letters. A mask that we wrote for a picture comes back as
    ``c h w`` without a place. ``use`` ("sform" or "qform") settles a
    disagreement of the two. Raises InputError (4-D, NaN, truncated, beyond the limits) and GeometryError
    (forms disagree, singular affine).
    """
    zipped = data[:2] == b"\x1f\x8b"
    head = inflated_head(data) if zipped else data[:NIFTI_HEAD]
    version = nifti_version(head)
    if version < 1:
        raise InputError(
            f"{WHAT}: the header is not NIfTI's single-file form (n+1 or n+2); a pair of .hdr and .img, or "
            "Analyze, came: "
            "convert it to .nii, for example with nibabel"
        )
    with guarded(WHAT, "copy the file again from its origin"):
        kind: Any = nib.Nifti1Header if version == 1 else nib.Nifti2Header
        size = kind.template_dtype.itemsize
        header = kind(head[:size], check=False)
        shape = _grid(header)
        check_grid(shape, limits, WHAT)
        needed = int(header["vox_offset"]) + _voxel_bytes(header, shape)
        if zipped:
            check_ratio(needed, len(data), limits, WHAT)
            data = _inflate(data, needed)
        if len(data) < needed:
            raise InputError(
                f"{WHAT}: {len(data):,} bytes came where the header tells {needed:,}; the file is "
                "truncated, copy it again"
            )
        form, notes = _form(header, shape, use)
        file = (nib.Nifti1Image if version == 1 else nib.Nifti2Image).from_stream(io.BytesIO(data))
        array = _array(file, shape)
    return _image(array, header, form, notes, version)


def _grid(header: Any) -> tuple[int, ...]:
    """Grid axes of the header; InputError beyond three axes longer than one."""
    shape = tuple(int(n) for n in header.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 3:
        raise InputError(
            f"{WHAT}: {len(shape)} axes ({' x '.join(map(str, shape))}) came where two or three were "
            "expected; "
            "take one time point or component, for example img.slicer[..., 0] in nibabel"
        )
    return shape


def _voxel_bytes(header: Any, shape: tuple[int, ...]) -> int:
    dtype = header.get_data_dtype()
    if dtype.kind == "c" or (dtype.names and dtype.names[:3] != ("R", "G", "B")):
        raise InputError(
            f"{WHAT}: values of type {dtype} came where real numbers or RGB were expected; take the "
            "magnitude first"
        )
    return int(np.prod(shape, dtype=object)) * int(dtype.itemsize)


def _inflate(data: bytes, needed: int) -> bytes:
    """Inflate at most ``needed`` bytes; the end of the stream is checked where it follows at once."""
    out = bytearray()
    rest = data
    while rest and len(out) < needed:
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof and len(out) < needed:
            piece = stream.decompress(rest, min(CHUNK, needed - len(out)))
            rest = stream.unconsumed_tail
            out += piece
            if not piece and not rest:
                break
        if stream.eof:
            rest = stream.unused_data
        elif len(out) >= needed:
            tail = stream.decompress(rest, CHUNK)  # raises where the checksum is wrong
            if len(tail) < CHUNK and not stream.eof:
                raise InputError(f"{WHAT}: the gzip stream has no end; the file is truncated, copy it again")
    return bytes(out)


def _form(header: Any, shape: tuple[int, ...], use: str | None) -> tuple[Form, Warnings]:
    """Choose between sform and qform as nibabel does; refuse where they place the grid's corners at different
    points.
    """
    qform, qcode = header.get_qform(coded=True)
    sform, scode = header.get_sform(coded=True)
    scode, qcode = int(scode), int(qcode)
    if use is not None and not (qcode if use == "qform" else scode):
        raise InputError(
            f"--use: a {WHAT} without a {use} came (its code is 0) where one was expected; leave it out"
        )
    if not qcode and not scode:
        note = (
            "orientation_assumed",
            "the header tells no orientation (sform and qform codes are 0): left and right are assumed",
        )
        return Form(header.get_best_affine(), 0), (note,)
    if scode and qcode and use is None:
        _compare(sform, qform, shape)
    take_q = bool(qcode) and (use == "qform" or not scode)
    chosen = (qform, qcode) if take_q else (sform, scode)
    return Form(chosen[0], int(chosen[1])), ()


def _compare(sform: np.ndarray, qform: np.ndarray, shape: tuple[int, ...]) -> None:
    apart = corners_apart(sform, qform, shape)
    voxel = float(np.linalg.norm(sform[:3, :3], axis=0)[: len(shape)].min())
    if not apart <= TOLERANCE * voxel:  # NaN is no agreement either
        raise GeometryError(
            f"{WHAT}: sform {_rows(sform)} and qform {_rows(qform)} disagree by {apart:.4g} mm at the "
            "grid's corners where at most "
            f"{TOLERANCE * voxel:.3g} mm was expected; find out which is right and make both equal "
            "(nibabel: img.set_qform(img.affine))"
        )


def _rows(affine: np.ndarray) -> str:
    return "[" + "; ".join(" ".join(f"{value:.4g}" for value in row) for row in affine[:3]) + "]"


def _array(file: Any, shape: tuple[int, ...]) -> np.ndarray:
    """``c *grid`` numbers, scl_slope and scl_inter applied."""
    dtype = file.header.get_data_dtype()
    if dtype.names:
        raw = np.asanyarray(file.dataobj.get_unscaled()).reshape(shape, order="F")
        return np.stack([raw[name] for name in ("R", "G", "B")])
    values: np.ndarray = file.get_fdata(dtype=np.float32, caching="unchanged")
    return values.reshape(shape)[None]


def _image(array: np.ndarray, header: Any, form: Form, notes: Warnings, version: int) -> Image:
    values, found = checked(array, WHAT)
    unit = UNIT_MM.get(int(header["xyzt_units"]) & 7, 1.0)
    affine = np.array(form.affine, dtype=np.float64)
    affine[:3] *= unit
    affine = checked_affine(affine, WHAT)
    axes = values.ndim - 1
    meta: dict[str, Any] = {
        "version": version,
        "shape": tuple(int(n) for n in header.get_data_shape()),
        "code": form.code,
        "unit": unit,
        "xyzt_units": int(header["xyzt_units"]),
        "zooms": tuple(float(step) for step in header.get_zooms()),
    }
    told = form.code or meta["xyzt_units"] & 7 or any(step != 1 for step in meta["zooms"][:axes])
    if not told:  # a picture that became a NIfTI: its ones are no millimetres
        note = ("no_spacing", "the header tells no unit and no spacing: nothing can be measured in mm")
        notes = (*notes, note)
    mark = bytes(header["descrip"].item()).decode("latin-1")
    bare = Source(kind="nifti", warnings=found)
    if (picture := marked_picture(values, LPS_TO_RAS @ affine, mark, bare)) is not None:
        return picture
    source = Source(kind="nifti", frame_from="nifti", warnings=notes + found, meta=meta)
    spacing = spacing_of(affine, axes) if told else None
    return Image(values, affine, spacing, None, "patient", axis_letters(affine)[:axes], source)
