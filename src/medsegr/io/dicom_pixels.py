"""One DICOM object: opened within the limits, and its pixels turned into the numbers that they mean."""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medsegr.errors import InputError
from medsegr.io.decoder import Decoder
from medsegr.io.limits import Limits, check, check_grid, check_ratio

WHAT = "DICOM file"
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
CHUNK = 2**20
ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # the tag of a sequence item, in both byte orders
ITEM_COST = 3  # elements that cost as much time and memory as one item
ITEM_COUNT = 64  # bytes from which a value may hold many of them
META = 65536  # bytes in which the meta group (0002) must end
FILMS = ("1.2.840.10008.1.2.4.10", "1.2.840.10008.1.2.7")  # MPEG, H.264, HEVC; SMPTE streams


@dataclass(frozen=True, slots=True)
class Scale:
    """What a frame's functional groups say of its values; None: the object's own rescale holds."""

    slope: float | None = None
    intercept: float | None = None
    window: tuple[float, float] | None = None  # (centre, width)


@dataclass(frozen=True, slots=True)
class Opened:
    """A data set with its pixels, and the codestream of each frame where these are compressed."""

    ds: Dataset
    frames: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoded:
    """``values`` float32 ``c h w``; ``window`` the (low, high) of the display in these numbers, or None."""

    values: np.ndarray
    window: tuple[float, float] | None


class Metered:
    """A binary file whose elements are counted as they are read: a header of endless elements or sequence
    items is refused before it fills the memory.
    """

    def __init__(self, file: io.BufferedIOBase, limits: Limits) -> None:
        """``limits.elements`` holds for reads and sequence items together."""
        self._file, self._limits, self._count, self.full = file, limits, 0, False
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """The next bytes; InputError beyond the limit."""
        data = self._file.read(size)
        self._count += ITEM_COST if data.startswith(ITEMS) else 1
        if len(data) > ITEM_COUNT:  # a sequence of told length is read as one piece and taken apart later
            self._count += data.count(ITEMS[0]) + data.count(ITEMS[1])
        if self._count > self._limits.elements:
            self.full = True  # pydicom may turn what is raised inside a sequence into its own error
            self.refuse()
        return data

    def refuse(self) -> None:
        """InputError with the count and the limit."""
        check("elements", self._count, self._limits, WHAT)


def open_dataset(data: bytes, limits: Limits) -> Dataset:
    """Parse bytes into a data set; a deflated one is inflated here, within the limits. Call inside
    ``guarded``.
    """
    return _parsed(Metered(io.BytesIO(_inflated(data, limits)), limits))


def open_header(path: Path, limits: Limits) -> Dataset:
    """The elements before the pixels. Call inside ``guarded``."""
    with path.open("rb") as source:
        deflated = _meta_end(source.read(META))[0] == DeflatedExplicitVRLittleEndian
        source.seek(0)
        bare = io.BytesIO(_inflated(source.read(), limits)) if deflated else source
        return _parsed(Metered(bare, limits), header_only=True)


def _parsed(file: Any, header_only: bool = False) -> Dataset:
    try:
        return pydicom.dcmread(file, force=True, stop_before_pixels=header_only)
    except Exception:
        if file.full:
            file.refuse()
        raise


def open_pixels(ds: Dataset, limits: Limits) -> Opened:
    """A whole data set, its pixels checked against the limits. Call inside ``guarded``."""
    if not len(ds):  # the parser gives nothing at all of a file that ends within an element
        raise InputError(f"{WHAT}: it ends before its pixels are whole; it is truncated, copy it again")
    syntax = syntax_of(ds)
    if syntax.startswith(FILMS):
        raise InputError(
            f"{WHAT}: a film compressed as MPEG, H.264 or HEVC came where pictures were expected; save the "
            "wanted frame as a picture"
        )
    _refuse_unknown(syntax)
    check_header(ds, limits)
    if not any(name in ds for name in PIXELS):
        raise InputError(f"{WHAT}: the header tells an image but the pixels are missing; copy the file again")
    if not syntax.is_encapsulated:
        return Opened(ds)
    frames = tuple(generate_frames(ds.PixelData, number_of_frames=shape_of(ds)[0]))
    if len(frames) < shape_of(ds)[0]:
        raise InputError(
            f"{WHAT}: {len(frames)} compressed frames came where the header tells {shape_of(ds)[0]}; it is "
            "truncated, copy it again"
        )
    return Opened(ds, frames)


def _refuse_unknown(syntax: UID) -> None:
    """InputError for a way to store pixels that no decoder at hand knows (JPEG XL, JPIP, private ones)."""
    try:
        get_decoder(syntax)
    except NotImplementedError:
        told = "" if syntax.name == str(syntax) else f" ({syntax.name})"
        raise InputError(
            f"{WHAT}: its pixels are stored in a way that is not decoded here{told}; write it uncompressed "
            "first, for example with gdcmconv --raw"
        ) from None


def _inflated(data: bytes, limits: Limits) -> bytes:
    """A deflated file as an explicit little endian one, inflated piece by piece; other files as they are."""
    syntax, start = _meta_end(data)
    if syntax != DeflatedExplicitVRLittleEndian:
        return data
    told = str(DeflatedExplicitVRLittleEndian).encode()
    plain = str(ExplicitVRLittleEndian).encode().ljust(len(told), b"\0")
    grown = sum(map(len, _pieces(data, start, limits)))  # measured first, so that a bomb is never held
    out = bytearray(data[:start].replace(told, plain))
    for piece in _pieces(data, start, limits) if grown else ():
        out += piece
    return bytes(out)


def _pieces(data: bytes, start: int, limits: Limits) -> Iterator[bytes]:
    stream, rest, grown = zlib.decompressobj(wbits=-15), data[start:], 0
    while rest and not stream.eof:
        piece = stream.decompress(rest, CHUNK)
        grown += len(piece)
        check_ratio(grown, len(data), limits, f"deflated {WHAT}")
        yield piece
        rest = stream.unconsumed_tail


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
    if syntax.is_compressed:
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


def decode(opened: Opened, index: int, decoder: Decoder, scale: Scale | None = None) -> Decoded:
    """Frame ``index`` as the object means it. Stay inside ``guarded``.

    Palette and YBR become RGB in 0..255 (8-bit data), rescale or modality LUT is applied, MONOCHROME1 is
    inverted (and the window with it), padding gets the lowest real value, bits above the stored ones
    (overlays) are cut off. The window is a hint for display only: it is not applied.
    """
    ds = opened.ds
    array, photometric = stored(opened, index, decoder)
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


def stored(opened: Opened, index: int, decoder: Decoder) -> tuple[np.ndarray, str]:
    """Frame ``index`` as it is stored, ``h w`` or ``h w 3``, and its photometric interpretation. Stay inside
    ``guarded``.
    """
    return _compressed(opened, index, decoder) if opened.frames else _native(opened.ds, index)


def _compressed(opened: Opened, index: int, decoder: Decoder) -> tuple[np.ndarray, str]:
    ds, frame = opened.ds, opened.frames[index]
    _, rows, columns = shape_of(ds)
    told = codestream_size(frame)
    if told is not None and told != (rows, columns):
        raise InputError(
            f"{WHAT}: the compressed picture is {told[0]} x {told[1]} where the header tells {rows} x "
            f"{columns}; it is damaged"
        )
    known = as_pixel_options(ds)
    options = {name: v for name, v in known.items() if v is None or isinstance(v, (str, int, float))}
    return decoder.frame(frame, {**options, "transfer_syntax_uid": str(syntax_of(ds))})


def _native(ds: Dataset, index: int) -> tuple[np.ndarray, str]:
    """Uncompressed pixels: numpy reads them. Where the highest bit lies above the stored ones, they are moved
    down.
    """
    allocated, stored = int(ds.get("BitsAllocated") or 8), int(ds.get("BitsStored") or 0)
    if allocated == 1 and syntax_of(ds).is_little_endian:
        return _bits(ds, index), str(ds.get("PhotometricInterpretation"))
    above = int(ds.get("HighBit") or 0) + 1 - stored
    if not (0 < above <= allocated - stored) or stored < 1 or allocated not in (8, 16, 32):
        array, meta = get_decoder(syntax_of(ds)).as_array(ds, index=index)
        return array, str(meta["photometric_interpretation"])
    whole: dict[str, Any] = {"bits_stored": allocated}
    array, meta = get_decoder(syntax_of(ds)).as_array(ds, index=index, **whole)
    array = np.right_shift(np.left_shift(array, allocated - stored - above), allocated - stored)
    return array, str(meta["photometric_interpretation"])


def _bits(ds: Dataset, index: int) -> np.ndarray:
    """A frame of single bits ``h w``, which need not begin at a whole byte."""
    _, rows, columns = shape_of(ds)
    start = index * rows * columns
    piece = memoryview(ds.PixelData)[start // 8 : (start + rows * columns + 7) // 8]
    bits = np.unpackbits(np.frombuffer(piece, np.uint8), bitorder="little")
    return bits[start % 8 : start % 8 + rows * columns].reshape(rows, columns)


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
