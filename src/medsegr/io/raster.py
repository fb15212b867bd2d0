"""Pictures through Pillow: PNG, JPEG, TIFF, BMP. The header's size is checked before any pixel is decoded.

Pillow's plug-in classes are opened directly: only the format that the first bytes tell is tried, and the
limit is ours, not Pillow's global one.
"""

import io

import numpy as np
from PIL import BmpImagePlugin, ImageFile, ImageOps, JpegImagePlugin, PngImagePlugin, TiffImagePlugin
from PIL import Image as Pillow

from medsegr.errors import InputError
from medsegr.io.limits import Limits, check_grid, check_ratio
from medsegr.io.values import Warnings, checked, guarded
from medsegr.types import Image, Source

OPENERS: dict[str, type[ImageFile.ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
}
ORIENTATION = 0x0112  # EXIF and TIFF tag
PHOTOMETRIC = 262  # TIFF tag; 0: white is zero
ACROSS, DOWN, UNIT = 282, 283, 296  # TIFF tags: pixels a unit, and the unit
UNITS_MM = {"jpeg": {1: 25.4, 2: 10.0}, "tiff": {2: 25.4, 3: 10.0}}  # inch and cm, as the formats number them
BYTES = {"1": 1, "L": 1, "P": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "I": 4, "F": 4}


def read_raster(data: bytes, kind: str, limits: Limits) -> Image:
    """Bytes of a ``png``, ``jpeg``, ``tiff`` or ``bmp`` file -> a picture ``c h w`` as displayed (EXIF
    orientation applied).

    Values are the file's own numbers (0..255, 0..65535 or float); 1-bit pictures give 0 and 255. No affine,
    no spacing: the dots per inch of a picture say nothing about the body. Raises InputError.
    """
    what = f"{kind.upper()} picture"
    with guarded(what):
        picture = OPENERS[kind](io.BytesIO(data))
        width, height = picture.size
        check_grid((height, width), limits, what)
        check_ratio(width * height * BYTES.get(picture.mode, 4), len(data), limits, what)
        pages = getattr(picture, "n_frames", 1)
        if kind in ("tiff", "png") and pages > 1:  # of a photograph (MPO) the first is the picture
            one = "page" if kind == "tiff" else "frame"
            raise InputError(
                f"{what}: {pages} {one}s came where one was expected; save the {one} you mean as a file of "
                "its own, or a stack of slices as NIfTI with its spacing"
            )
        turn = _orientation(picture)
        notes = _depth_note(data, kind, picture)
        white_is_zero = kind == "tiff" and picture.mode.startswith("I;16") and _tag(picture, PHOTOMETRIC) == 0
        picture.load()
        shown: Pillow.Image = (
            picture if kind == "tiff" else ImageOps.exif_transpose(picture)
        )  # TIFF turns as it loads
        array, more = _channels(shown, what)
        if white_is_zero:
            array = 65535.0 - array
    values, found = checked(array, what)
    meta = {"exif_orientation": turn, "mode": picture.mode}
    if (steps := _density_mm(picture, kind)) is not None:
        meta["pixel_mm"] = steps
    return Image(
        values, source=Source(kind=kind, frame_from="assumed", warnings=notes + more + found, meta=meta)
    )


def opacity(data: bytes, kind: str) -> np.ndarray | None:
    """How opaque each pixel ``h w`` of a picture that :func:`read_raster` has read is, 0 to 1; None where all
    of it is."""
    with guarded(f"{kind.upper()} picture"):
        picture = OPENERS[kind](io.BytesIO(data))
        if picture.mode not in ("RGBA", "LA", "PA", "RGBa", "La") and "transparency" not in picture.info:
            return None
        picture.load()
        shown: Pillow.Image = picture if kind == "tiff" else ImageOps.exif_transpose(picture)
        alpha = np.asarray(shown.convert("RGBA"))[..., 3].astype(np.float32) / 255
    return None if (alpha == 1).all() else alpha


def _tag(picture: ImageFile.ImageFile, tag: int) -> int | None:
    tags = getattr(picture, "tag_v2", {})
    value = tags.get(tag)
    return int(value) if isinstance(value, int) else None


def _orientation(picture: ImageFile.ImageFile) -> int:
    """The EXIF orientation 1..8 as told; 1 where nothing (valid) is told."""
    value = picture.getexif().get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _density_mm(picture: ImageFile.ImageFile, kind: str) -> tuple[float, float] | None:
    """Millimetres of a row and of a column by the density of a JPEG or TIFF, where it tells one. They say
    nothing about the body, but others lay the picture out by them."""
    if kind == "jpeg":
        unit, density = picture.info.get("jfif_unit"), picture.info.get("jfif_density", (0, 0))
    elif kind == "tiff":
        tags = getattr(picture, "tag_v2", {})
        unit, density = tags.get(UNIT), (tags.get(ACROSS, 0), tags.get(DOWN, 0))
    else:
        return None
    length = UNITS_MM[kind].get(unit) if isinstance(unit, int) else None
    across, down = (float(value) for value in density)
    return (length / down, length / across) if length and across > 0 and down > 0 else None


def _depth_note(data: bytes, kind: str, picture: ImageFile.ImageFile) -> Warnings:
    """Pillow keeps 8 bits of a 16-bit colour picture; say so."""
    deep = kind == "png" and data[24:26] in (b"\x10\x02", b"\x10\x06", b"\x10\x04")
    deep = deep or (
        kind == "tiff"
        and picture.mode in ("RGB", "RGBA")
        and 16 in getattr(picture, "tag_v2", {}).get(258, ())
    )
    return (("depth_reduced", "the picture has 16 bits a channel; 8 of them were kept"),) if deep else ()


def _channels(picture: Pillow.Image, what: str) -> tuple[np.ndarray, Warnings]:
    """Pillow picture -> ``c h w`` with c 1 or 3; alpha dropped where opaque, else composited on black."""
    if picture.mode == "1":
        picture = picture.convert("L")
    clear = "transparency" in picture.info and picture.mode in ("L", "RGB", "P")
    if clear or picture.mode in ("PA", "RGBa", "La"):
        picture = picture.convert("RGBA")
    elif picture.mode in ("P", "CMYK", "YCbCr"):
        picture = picture.convert("RGB")
    array = np.asarray(picture)
    if picture.mode in ("RGBA", "LA"):
        return _without_alpha(np.moveaxis(array, -1, 0))
    if picture.mode == "RGB":
        return np.moveaxis(array, -1, 0), ()
    if array.ndim == 2:
        return array[None].astype(np.float32), ()
    raise InputError(f"{what}: colours are stored as {picture.mode}; save it as grey or RGB")


def _without_alpha(array: np.ndarray) -> tuple[np.ndarray, Warnings]:
    colour, alpha = array[:-1], array[-1:]
    if (alpha == 255).all():
        return colour, ()
    lost, partly = float((alpha == 0).mean()), float(((alpha > 0) & (alpha < 255)).mean())
    told = [f"{_share(lost)} of the picture is transparent"] if lost else []
    told += [f"{_share(partly)} of {'it' if lost else 'the picture'} is partly transparent"] if partly else []
    note = ("alpha", f"{', '.join(told)}: it was laid on black")
    return colour.astype(np.float32) * (alpha.astype(np.float32) / 255.0), (note,)


def _share(part: float) -> str:
    """A share in percent that is neither none nor all unless it is."""
    if part < 1 and part > 0.999:
        return "more than 99.9 %"
    return "less than 0.1 %" if part < 0.001 else f"{100 * part:.3g} %"
