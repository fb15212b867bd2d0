"""One DICOM object: opened within the limits, and its pixels turned into the numbers that they mean."""

import io
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medsegr.errors import InputError
from medsegr.io.limits import Limits, check, check_grid, check_ratio

WHAT = "DICOM file"
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class Scale:
    """What a frame's functional groups say of its values; None: the object's own rescale holds."""

    slope: float | None = None
    intercept: float | None = None
    window: tuple[float, float] | None = None  # (centre, width)


@dataclass(frozen=True, slots=True)
class Decoded:
    """``values`` float32 ``c h w``; ``window`` the (low, high) of the display in these numbers, or None."""

    values: np.ndarray
    window: tuple[float, float] | None


def is_dicom(head: bytes) -> bool:
    """Whether the first bytes are those of a DICOM file: the mark at 128, or a data set without it."""
    if head[128:132] == b"DICM":
        return True
    if len(head) < 12 or head[:2] not in (b"\x08\x00", b"\x02\x00") or head[3] != 0:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    return explicit or int.from_bytes(head[4:8], "little") < 65536


def open_dataset(data: bytes, limits: Limits, *, header_only: bool = False) -> Dataset:
    """Parse bytes into a data set; a deflated one is measured before pydicom inflates it. Call inside
    ``guarded``.
    """
    _check_deflated(data, limits)
    return pydicom.dcmread(io.BytesIO(data), force=True, stop_before_pixels=header_only)


def _check_deflated(data: bytes, limits: Limits) -> None:
    """Inflate a deflated data set piece by piece, keeping nothing, and refuse it where it grows too large."""
    syntax, start = _meta_end(data)
    if syntax != DeflatedExplicitVRLittleEndian:
        return
    stream, rest, grown = zlib.decompressobj(wbits=-15), data[start:], 0
    while rest and not stream.eof:
        grown += len(stream.decompress(rest, CHUNK))
        rest = stream.unconsumed_tail
        check_ratio(grown, len(data), limits, f"deflated {WHAT}")


def _meta_end(data: bytes) -> tuple[str, int]:
    """Transfer syntax told by the meta group (0002), and the offset at which the group ends."""
    at, syntax = (132 if data[128:132] == b"DICM" else 0), ""
    while data[at : at + 2] == b"\x02\x00" and at + 8 <= len(data):
        long = data[at + 4 : at + 6] in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"OD", b"UC", b"UR")
        begin = at + (12 if long else 8)
        length = int.from_bytes(data[at + 8 : at + 12] if long else data[at + 6 : at + 8], "little")
        if data[at + 2 : at + 4] == b"\x10\x00":
            syntax = data[begin : begin + length].rstrip(b"\0 ").decode("ascii", "replace")
        at = begin + length
    return syntax, at


def number(ds: Dataset, name: str, default: float | None = None) -> float | None:
    """First value of an element as a float; the default where it is missing, empty or no number."""
    values = numbers(ds, name)
    return values[0] if values else default


def numbers(ds: Dataset, name: str) -> tuple[float, ...]:
    """All values of an element as finite floats; empty where it is missing or one of them is no number."""
    value = ds.get(name)
    if value is None or value == "":
        return ()
    try:
        found = tuple(float(v) for v in (value if not isinstance(value, (str, int, float)) else (value,)))
    except (TypeError, ValueError):
        return ()
    return found if all(np.isfinite(found)) else ()


def shape_of(ds: Dataset) -> tuple[int, int, int]:
    """(frames, rows, columns) of the header; InputError where one of them is missing or no number."""
    try:
        frames = int(ds.get("NumberOfFrames") or 1)
        rows, columns = int(ds.get("Rows") or 0), int(ds.get("Columns") or 0)
    except (TypeError, ValueError):
        raise InputError(
            f"{WHAT}: rows, columns or number of frames are no whole numbers; the header is damaged"
        ) from None
    return frames, rows, columns


def syntax_of(ds: Dataset) -> UID:
    """Transfer syntax as told, or as read where the file has no meta header."""
    told = getattr(ds, "file_meta", None) and ds.file_meta.get("TransferSyntaxUID")
    if told:
        return UID(told)
    return ImplicitVRLittleEndian if ds.original_encoding[0] else ExplicitVRLittleEndian


def check_header(ds: Dataset, limits: Limits) -> None:
    """Refuse a grid beyond the limits, or one that the stored bytes cannot fill, before decoding."""
    frames, rows, columns = shape_of(ds)
    check("frames", frames, limits, WHAT)
    check_grid((rows, columns) if frames == 1 else (frames, rows, columns), limits, WHAT)
    samples, bits = int(ds.get("SamplesPerPixel") or 1), int(ds.get("BitsAllocated") or 8)
    if samples not in (1, 3) or bits not in (1, 8, 16, 32, 64):
        raise InputError(
            f"{WHAT}: {samples} samples of {bits} bits a pixel came where 1 or 3 of 8 to 64 bits were "
            "expected"
        )
    name = next((name for name in PIXELS if name in ds), "PixelData")
    stored = len(ds[name].value) if name in ds else 0
    needed = (frames * rows * columns * samples * bits + 7) // 8
    syntax = syntax_of(ds)
    if syntax.is_compressed and syntax != DeflatedExplicitVRLittleEndian:
        check_ratio(needed, stored, limits, WHAT)
        return
    if ds.get("PhotometricInterpretation") == "YBR_FULL_422":
        needed = needed * 2 // 3
    if stored < needed:
        raise InputError(
            f"{WHAT}: {stored:,} bytes of pixels came where the header tells {needed:,}; it is truncated, "
            "copy it again"
        )


def codestream_size(frame: bytes) -> tuple[int, int] | None:
    """(rows, columns) that a JPEG, JPEG-LS or JPEG 2000 stream tells of itself; None where it tells none."""
    start = frame.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start >= 0:
        x1, y1, x0, y0 = (
            int.from_bytes(frame[start + 8 + 4 * i : start + 12 + 4 * i], "big") for i in range(4)
        )
        return y1 - y0, x1 - x0
    if frame[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 < len(frame) and frame[at] == 0xFF:
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return int.from_bytes(frame[at + 5 : at + 7], "big"), int.from_bytes(
                frame[at + 7 : at + 9], "big"
            )
        at += 1 if marker == 0xFF else 2 + max(length, 2)
    return None


def decode(ds: Dataset, index: int = 0, scale: Scale | None = None) -> Decoded:
    """Frame ``index`` as the object means it. Call :func:`check_header` before and stay inside ``guarded``.

    Palette and YBR become RGB in 0..255 (8-bit data), rescale or modality LUT is applied, MONOCHROME1 is
    inverted (and the window with it), padding gets the lowest real value. The window is a hint for display
    only: it is not applied.
    """
    syntax = syntax_of(ds)
    frames, rows, columns = shape_of(ds)
    if syntax.is_encapsulated:
        told = codestream_size(get_frame(ds.PixelData, index, number_of_frames=frames))
        if told is not None and told != (rows, columns):
            raise InputError(
                f"{WHAT}: the compressed picture is {told[0]} x {told[1]} where the header tells {rows} x "
                f"{columns}; it is damaged"
            )
    array, meta = get_decoder(syntax).as_array(ds, index=index)
    photometric = str(meta["photometric_interpretation"])
    if photometric == "PALETTE COLOR":
        array = apply_color_lut(array, ds)[..., :3]
        if array.dtype == np.uint16 and array.max(initial=0) > 255:
            array = array / 257.0
    if array.ndim == 3:
        if photometric not in ("RGB", "PALETTE COLOR", "YBR_ICT", "YBR_RCT"):
            raise InputError(
                f"{WHAT}: colours are stored as an unknown kind where RGB, YBR or palette was expected; "
                "save it as RGB"
            )
        return Decoded(np.moveaxis(array, -1, 0).astype(np.float32), None)
    return _grey(array, ds, scale or Scale(), photometric)


def _grey(array: np.ndarray, ds: Dataset, scale: Scale, photometric: str) -> Decoded:
    padded = _padding(array, ds)
    values, ends = _rescaled(array, ds, scale)
    window = _window(ds, scale)
    if photometric == "MONOCHROME1":
        total = float(sum(ends))
        values = total - values
        window = (total - window[1], total - window[0]) if window else None
    if padded is not None and padded.any() and not padded.all():
        values[padded] = values[~padded].min()
    return Decoded(values[None], window)


def _rescaled(array: np.ndarray, ds: Dataset, scale: Scale) -> tuple[np.ndarray, tuple[float, float]]:
    """Values in the object's unit, and the two ends of what its stored bits could say (for MONOCHROME1)."""
    if "ModalityLUTSequence" in ds:
        values = np.asarray(apply_modality_lut(array, ds), np.float32)
        return values, (float(values.min()), float(values.max()))
    slope = (
        scale.slope
        if scale.slope is not None
        else number(ds, "RescaleSlope", number(ds, "DoseGridScaling", 1.0))
    )
    intercept = scale.intercept if scale.intercept is not None else number(ds, "RescaleIntercept", 0.0)
    slope, intercept = slope or 1.0, intercept or 0.0  # a slope of 0 says nothing
    bits = int(ds.get("BitsStored") or ds.get("BitsAllocated") or 8)
    signed = array.dtype.kind == "i"
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    values = array.astype(np.float32)
    if (slope, intercept) != (1.0, 0.0):
        values *= np.float32(slope)
        values += np.float32(intercept)
    return values, (low * slope + intercept, high * slope + intercept)


def _padding(array: np.ndarray, ds: Dataset) -> np.ndarray | None:
    value = number(ds, "PixelPaddingValue")
    if value is None:
        return None
    limit = number(ds, "PixelPaddingRangeLimit", value)
    ends = sorted(_signed(v, array) for v in (value, value if limit is None else limit))
    padded: np.ndarray = (array >= ends[0]) & (array <= ends[1])
    return padded


def _signed(value: float, array: np.ndarray) -> float:
    """A padding value read as unsigned while the pixels are signed, or the other way round."""
    if array.dtype.kind == "i" and value >= 2**15 and array.dtype.itemsize == 2:
        return value - 2**16
    return value + 2**16 if array.dtype.kind == "u" and value < 0 else value


def _window(ds: Dataset, scale: Scale) -> tuple[float, float] | None:
    centre, width = scale.window or (number(ds, "WindowCenter"), number(ds, "WindowWidth"))
    if centre is not None and width is not None and width >= 1:
        return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    luts: Any = ds.get("VOILUTSequence")
    if luts:
        told = numbers(luts[0], "LUTDescriptor")
        if len(told) == 3:
            return told[1], told[1] + (told[0] or 65536) - 1
    return None
