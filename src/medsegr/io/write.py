"""Files out: whole or not at all. Masks are written on the image's own grid, bit for bit."""

import gzip
import io
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from medsegr.errors import GeometryError, InputError, UsageError
from medsegr.io.pictures import laying_of
from medsegr.io.values import LPS_TO_RAS
from medsegr.io.volume import write_nrrd_mask
from medsegr.types import Image

SUFFIXES = {"png": ".png", "nifti": ".nii.gz", "nrrd": ".nrrd"}
PART = ".part-"  # begins the name of what is being written; what was killed then leaves it
LAST = "manifest.json"  # moved last: where it is there, the folder is whole
JSON_COMMENT = 6  # NIfTI extension code for text
NIFTI1_AXIS = 32767


@contextmanager
def _told(place: Path) -> Iterator[None]:
    """An OSError about the output becomes one InputError without the path."""
    try:
        yield
    except OSError as error:
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        if names and not any(
            name.startswith(str(place.parent)) or str(place).startswith(name) for name in names
        ):
            raise  # about something else that the caller reads
        reason = error.strerror or type(error).__name__
        raise InputError(
            f"output: it cannot be written ({reason}); give a folder that exists or can be made, with room "
            "and rights"
        ) from error


def _sibling(path: Path) -> Path:
    return path.with_name(f"{PART}{secrets.token_hex(6)}-{path.name}")


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling path (same ending) to write to; it becomes ``path`` on success and vanishes
    on failure.

    Missing folders above are made. Raises InputError where the place cannot be written.
    """
    final = Path(os.path.abspath(path))
    part = _sibling(final)
    with _told(final):
        try:
            if final.is_dir():
                raise InputError("output: a folder came where a file name was expected; give another name")
            final.parent.mkdir(parents=True, exist_ok=True)
            yield part
            os.replace(part, final)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder; on success its files appear in ``path``, on failure nothing does.

    A new ``path`` appears at once, from a folder beside it. Into one that is there, each file is moved whole
    over its namesake, other files are left alone, and ``manifest.json`` comes last; the temporary folder then
    lies in it, since it may be a disk of its own (mounted into a container, a stick), onto which nothing can
    be moved from beside it. Raises InputError where the place cannot be written.
    """
    final = Path(os.path.realpath(path))
    part = final / f"{PART}{secrets.token_hex(6)}" if final.is_dir() else _sibling(final)
    with _told(final):
        try:
            if final.exists() and not final.is_dir():
                raise InputError(
                    "output: a file lies where the output folder was expected; give another folder"
                )
            final.parent.mkdir(parents=True, exist_ok=True)
            if final.is_dir() and not os.access(final, os.W_OK):
                raise InputError(
                    "output: the folder may not be written; give another folder or change its rights"
                )
            part.mkdir()
            yield part
            if final.is_dir():
                _merge(part, final)
            else:
                os.replace(part, final)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def check_room(folder: Path) -> None:
    """InputError where a folder could not be made or written, told before hours of work and not after."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise InputError("output: a file lies where a folder was expected; give another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(
            "output: the folder may not be written; give another folder or change its rights or mount"
        )


def holds_anything(folder: Path) -> bool:
    """Whether something lies in a folder, leavings of a run of ours that was killed not counted."""
    return any(not item.name.startswith(PART) for item in folder.iterdir())


def _merge(part: Path, final: Path) -> None:
    files = [found for found in part.rglob("*") if not found.is_dir()]
    files.sort(key=lambda file: (file.parent == part, file.name == LAST, str(file)))
    for file in files:
        target = final / file.relative_to(part)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)


def _plain(value: Any) -> Any:
    """Values that JSON knows: numpy becomes Python, NaN and infinity null, a set a sorted list, a path its
    text.
    """
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def write_json(obj: Any, path: str | Path) -> None:
    """Write ``obj`` as UTF-8 JSON with sorted keys and a last line feed: the same value gives the same bytes.

    numpy numbers and arrays are allowed; NaN and infinity become null. Raises TypeError for other objects.
    """
    text = json.dumps(_plain(obj), ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n"
    with atomic_write(path) as part:
        part.write_bytes(
            text.encode("utf-8", errors="backslashreplace")
        )  # a lone surrogate becomes its JSON escape


def _checked_mask(mask: np.ndarray, grid: tuple[int, ...] | None) -> np.ndarray:
    if mask.dtype != np.bool_:
        raise InputError(
            f"mask: values of type {mask.dtype} came where true and false were expected; compare with a "
            "threshold first"
        )
    if grid is not None and mask.shape != grid:
        raise GeometryError(
            f"mask: a grid of {mask.shape} came where the image has {grid}; restore it to the image's grid "
            "first"
        )
    return mask


def write_mask_png(mask: np.ndarray, path: str | Path) -> None:
    """Write a boolean mask ``h w`` as an 8-bit grey PNG of 0 and 255, on the picture's own pixel grid as
    displayed.
    """
    if _checked_mask(mask, None).ndim != 2:
        raise UsageError(
            f"a PNG holds a picture: a mask with {mask.ndim} axes came where two were expected; choose "
            "nifti or nrrd"
        )
    buffer = io.BytesIO()
    Pillow.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(buffer, format="PNG", optimize=False)
    with atomic_write(path) as part:
        part.write_bytes(buffer.getvalue())


def write_mask_nifti(mask: np.ndarray, image: Image, path: str | Path, name: str) -> None:
    """Write a boolean mask ``*grid`` as NIfTI (uint8, 0 and 1) with the source's shape and affine.

    ``name`` is label 1 of the header extension; all else as in :func:`write_labels_nifti`.
    """
    write_labels_nifti(_checked_mask(mask, image.grid).astype(np.uint8), image, path, {1: name})


def write_labels_nifti(labels: np.ndarray, image: Image, path: str | Path, names: Mapping[int, str]) -> None:
    """Write labels ``*grid`` (uint8 or uint16) as NIfTI with the source's shape and affine.

    sform = qform with the source's code (1 where the source is no NIfTI); a sheared affine fits no qform and
    is an sform only. A volume without an affine gives codes 0 and its spacing. A DICOM slice ``h w`` becomes
    ``h w 1``: others forget where a NIfTI of two axes lies. A picture becomes ``column row 1``, as others lay
    it out (:mod:`medsegr.io.pictures`). ``names`` of the labels go into a JSON header extension. Same input,
    same bytes. ``path`` ends in ``.nii`` or ``.nii.gz``.
    """
    import nibabel as nib

    meta: Mapping[str, Any] = image.source.meta if image.source.kind == "nifti" else {}
    laying = laying_of(image)
    array, affine, code = _laid(labels, image, meta)
    large = meta.get("version") == 2 or max(array.shape) > NIFTI1_AXIS
    kind: Any = nib.Nifti2Image if large else nib.Nifti1Image
    file = kind(array, affine)
    header = file.header
    header["xyzt_units"] = int(meta.get("xyzt_units", 0 if image.spacing is None else 2))
    if affine is None:
        header.set_zooms(meta.get("zooms") or tuple(image.spacing or (1.0,) * array.ndim))
    else:
        file.set_sform(affine, code)
        file.set_qform(affine, code)
        if not np.allclose(
            file.get_qform(), affine, rtol=1e-4, atol=1e-3
        ):  # sheared: a quaternion cannot say it
            file.set_qform(None, 0)
    if laying is not None:
        header["descrip"] = laying.mark
    told = {"medsegr": {"labels": {str(label): name for label, name in names.items()}}}
    text = json.dumps(told, ensure_ascii=True, sort_keys=True).encode()
    header.extensions.append(nib.nifti1.Nifti1Extension(JSON_COMMENT, text))
    data = file.to_bytes()
    with atomic_write(path) as part:
        part.write_bytes(gzip.compress(data, 3, mtime=0) if str(path).endswith(".gz") else data)


def _laid(
    labels: np.ndarray, image: Image, meta: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Labels in the order of a NIfTI of ours, its affine in its own unit and the code of that; None and 0
    where the source tells no place."""
    if (laying := laying_of(image)) is not None:
        return laying.volume(labels), LPS_TO_RAS @ laying.lps, 1
    array = labels.reshape(meta.get("shape", image.grid))
    code = int(meta.get("code", 1))
    if image.affine is None or not code:
        return array, None, 0
    affine = image.affine.copy()
    affine[:3] /= float(meta.get("unit", 1.0))
    if not meta and array.ndim == 2:
        array = array[..., None]  # ITK forgets where a NIfTI of two axes lies in the patient
    return array, affine, code


def write_labels(
    labels: np.ndarray, image: Image, path_without_suffix: str | Path, format: str, names: Mapping[int, str]
) -> Path:
    """Write a label map ``*grid`` (uint8 or uint16, 0 is background) as ``png``, ``nifti`` or ``nrrd``.

    A PNG holds the labels themselves as grey values: it looks black, and its numbers are right. Returns the
    path.
    """
    stem = Path(path_without_suffix)
    path = stem.with_name(stem.name + SUFFIXES[format])
    if labels.shape != image.grid:
        raise GeometryError(
            f"labels: a grid of {labels.shape} came where the image has {image.grid}; restore it to "
            f"the image's grid"
        )
    if format == "nifti":
        write_labels_nifti(labels, image, path, names)
    elif format == "nrrd":
        if labels.dtype != np.uint8:
            raise UsageError("--combined: an NRRD label map of ours holds 255 masks; use nifti for more")
        with atomic_write(path) as part:
            write_nrrd_mask(labels, image, part)
    else:
        buffer = io.BytesIO()
        Pillow.fromarray(labels).save(buffer, format="PNG", optimize=False)
        with atomic_write(path) as part:
            part.write_bytes(buffer.getvalue())
    return path


def write_mask(
    mask: np.ndarray, image: Image, path_without_suffix: str | Path, format: str, name: str
) -> Path:
    """Write a boolean mask ``*grid`` as ``png``, ``nifti`` or ``nrrd``; returns the path with its ending."""
    if format not in SUFFIXES:
        raise UsageError(f"mask format '{format}' is not known: {', '.join(SUFFIXES)} were expected")
    stem = Path(path_without_suffix)
    path = stem.with_name(stem.name + SUFFIXES[format])
    _checked_mask(mask, image.grid)
    if format == "png":
        write_mask_png(mask, path)
    elif format == "nifti":
        write_mask_nifti(mask, image, path, name)
    else:
        with atomic_write(path) as part:
            write_nrrd_mask(mask, image, part)
    return path
