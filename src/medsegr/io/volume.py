"""NRRD and MetaImage through SimpleITK, in nibabel's index order (i j k) and RAS+ mm; and writing of NRRD."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.errors import InputError
from medsegr.grid.planes import axis_letters
from medsegr.io.limits import Limits, check_grid, check_ratio
from medsegr.io.pictures import KEY, itk_lps, laying_of, marked_picture
from medsegr.io.values import LPS_TO_RAS, Warnings, checked, checked_affine, guarded, spacing_of
from medsegr.process.quiet import Together
from medsegr.types import Image, Source

IMAGE_IO = {"nrrd": "NrrdImageIO", "mha": "MetaImageIO"}
DETACHED = {
    "nrrd": rb"(?im)^data ?file:[ \t]*(.+?)\r?$",
    "mha": rb"(?im)^ElementDataFile[ \t]*=[ \t]*(.+?)\r?$",
}
SPACED = {  # header fields that tell millimetres
    "nrrd": rb"(?im)^(space directions|spacings):[^\r\n]*\d",
    "mha": rb"(?im)^Element(Spacing|Size)[ \t]*=",
}
HEAD = 65536
Pick = Callable[[Mapping[str, str], np.ndarray], np.ndarray]  # header fields, ``c *grid`` -> ``c *grid``


def read_volume(path: Path, kind: str, limits: Limits, pick: Pick | None = None) -> Image:
    """File of kind ``nrrd`` (also ``.nhdr``) or ``mha`` (also ``.mhd``) -> image ``c i j`` or ``c i j k``,
    affine to RAS+ mm. A mask that we wrote for a picture comes back as ``c h w`` without a place.

    ``pick`` chooses from the channels, by what the header tells of segments.

    Raises InputError (damaged, beyond the limits, voxels in a file elsewhere) and GeometryError (singular
    axes).
    """
    import SimpleITK as sitk  # takes a second to import

    what = f"{kind.upper()} file"
    stored = sum(file.stat().st_size for file in files_of(path, kind))
    with guarded(what, "copy the file again, with its data file if it has one"), _silent_itk():
        reader = sitk.ImageFileReader()
        reader.SetImageIO(IMAGE_IO[kind])
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        shape = tuple(int(n) for n in reader.GetSize())
        if len(shape) > 3:
            raise InputError(
                f"{what}: {len(shape)} axes ({' x '.join(map(str, shape))}) came; take one time point first"
            )
        check_grid(shape, limits, what)
        channels = int(reader.GetNumberOfComponents())
        item = _item_bytes(sitk.GetPixelIDValueAsString(reader.GetPixelID()))
        check_ratio(int(np.prod(shape, dtype=object)) * channels * item, stored, limits, what)
        keys = reader.GetMetaDataKeys()
        told = kind == "mha" or "NRRD_space" in keys
        mark = reader.GetMetaData(KEY) if KEY in keys else ""
        segments = {key: reader.GetMetaData(key) for key in keys if key.startswith("Segment")}
        picture = reader.Execute()
        array = sitk.GetArrayFromImage(picture)
    array = np.moveaxis(array, -1, 0) if channels > 1 else array[None]
    array = array.transpose(0, *range(array.ndim - 1, 0, -1))  # ITK's arrays are k j i
    values, found = checked((pick or _whole)(segments, array), what)
    lps = _lps(picture)
    affine = checked_affine(LPS_TO_RAS @ lps, what)
    if (flat := marked_picture(values, lps, mark, Source(kind=kind, warnings=found))) is not None:
        return flat
    axes = len(shape)
    notes: Warnings = ()
    if not told:
        notes = (("orientation_assumed", "the header tells no patient space: left and right are assumed"),)
    spacing: tuple[float, ...] | None = spacing_of(affine, axes)
    if re.search(SPACED[kind], _head(path, kind)) is None:  # the library's ones are no millimetres
        spacing = None
        notes = (*notes, ("no_spacing", "the header tells no spacing: nothing can be measured in mm"))
    source = Source(
        kind=kind, frame_from=kind if axes == 3 else "assumed", warnings=notes + found, meta={"ndim": axes}
    )
    return Image(values, affine, spacing, None, "patient", axis_letters(affine)[:axes], source)


def _whole(segments: Mapping[str, str], array: np.ndarray) -> np.ndarray:
    """All of it; InputError for a segmentation of Slicer's in layers, which are no colours."""
    if len(array) > 1 and "Segment0_ID" in segments:
        raise InputError(
            f"NRRD file: a segmentation in {len(array)} layers came (its segments overlap): save the one "
            "that is meant alone, or all of them as DICOM SEG"
        )
    return array


@Together
@contextmanager
def _silent_itk() -> Iterator[None]:
    """ITK's warnings hold the path."""
    import SimpleITK as sitk

    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _lps(picture: Any) -> np.ndarray:
    """SimpleITK's direction, spacing and origin as a ``4 4`` matrix to LPS+ mm; a 2-D image lies in the plane
    z = 0.
    """
    axes = picture.GetDimension()
    matrix = np.eye(4)
    matrix[:axes, :axes] = np.reshape(picture.GetDirection(), (axes, axes)) * np.asarray(picture.GetSpacing())
    matrix[:axes, 3] = picture.GetOrigin()
    return matrix


def _item_bytes(name: str) -> int:
    found = re.search(r"(8|16|32|64)-bit", name)
    return int(found.group(1)) // 8 if found else 8


def _head(path: Path, kind: str) -> bytes:
    """The text of a header, without the voxels that may follow it."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if kind == "nrrd":
        return re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    last = re.search(DETACHED["mha"], head)
    return head[: last.end()] if last else head


def files_of(path: Path, kind: str) -> tuple[Path, ...]:
    """The file, and the data file beside it that its header names, if one does.

    A data file in another folder is refused: a header from a stranger must not open any file of this machine.
    """
    what = f"{kind.upper()} file"
    found = re.search(DETACHED[kind], _head(path, kind))
    if found is None or (kind == "mha" and found.group(1).strip() == b"LOCAL"):
        return (path,)
    name = found.group(1).decode("utf-8", "replace").strip()
    beside = path.parent / name
    if Path(name).name != name or "\\" in name or beside.resolve().parent != path.parent.resolve():
        raise InputError(
            f"{what}: its voxels lie in another folder; put header and data file side by side, or save as "
            "one file"
        )
    if not beside.is_file():
        raise InputError(
            f"{what}: the data file that its header names is not beside it (lists of files are not read); "
            "save as one file"
        )
    return path, beside


def write_nrrd_mask(mask: np.ndarray, image: Image, path: Path) -> None:
    """Write a boolean mask ``*grid`` as a compressed NRRD of 0 and 1 (uint8) on the image's grid, in LPS+ mm.

    A slice that knows its place in the patient becomes a volume of one slice, else its place could not be
    written. So does a picture, as ``column row 1``: others lay out pictures so (:mod:`medsegr.io.pictures`).
    """
    import SimpleITK as sitk

    laying, array = laying_of(image), mask.astype(np.uint8)
    lps = itk_lps(image) if laying is None else laying.lps
    if laying is not None:
        array = laying.volume(array)
    elif array.ndim == 2 and image.source.meta.get("ndim") != 2:
        array = array[..., None]
    picture = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    axes = picture.GetDimension()
    steps = np.linalg.norm(lps[:axes, :axes], axis=0)
    picture.SetSpacing([float(step) for step in steps])
    picture.SetOrigin([float(value) for value in lps[:axes, 3]])
    picture.SetDirection([float(value) for value in (lps[:axes, :axes] / steps).ravel()])
    if laying is not None:
        picture.SetMetaData(KEY, laying.mark)
    sitk.WriteImage(picture, str(path), useCompression=True)
