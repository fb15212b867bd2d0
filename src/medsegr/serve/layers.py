"""Images and masks as the page draws them: one gzipped NIfTI each, on the image's own grid.

Two kinds of place. A volume whose axes are named goes out as it is stored, with its own affine, and the page
cuts it in the radiological convention. Anything else (a picture, a volume in the viewer's frame or without
named axes) gets a place of display only: columns run towards the patient's left and rows towards the back, so
that a page in the radiological convention shows it exactly as it lies in the file, or turned to the usual
view where the file names its axes (:func:`medsegr.grid.planes.plane_of`).

The axes of a picture's layer are x, y and one plane: voxel ``[x, y, 0]`` is the pixel ``x y`` of the picture
as stored. The axes of a volume's layer are those of its grid.
"""

import gzip
from typing import Any

import numpy as np

from medsegr.errors import GeometryError
from medsegr.grid.planes import PAIR, usual_plane
from medsegr.types import Image

QUICK = 1  # gzip's level: the way is short, and the page waits
BYTES_OF_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
NIFTI1_AXIS = 32767


def is_placed(image: Image) -> bool:
    """Whether the image's own affine tells where it lies in a patient: a volume in the patient's frame that
    names its axes."""
    named = image.axes is None or all(letter in PAIR for letter in image.axes)
    return len(image.grid) == 3 and image.affine is not None and image.frame == "patient" and named


def display_affine(image: Image) -> np.ndarray:
    """``4 4``: voxel of a layer -> RAS+ millimetres in which the page places it (pixels without a spacing).

    A volume that is placed keeps its affine. Otherwise the middle of the grid is at 0 0 0, see the module.
    """
    if is_placed(image):
        assert image.affine is not None
        return np.asarray(image.affine, float)
    plane = usual_plane(image)
    spacing = tuple(float(step) for step in image.spacing or (1.0,) * len(image.grid))
    affine = np.eye(4)
    affine[:3, :3] = 0
    flat = len(image.grid) == 2
    if flat:
        affine[2, 2] = min(spacing)
    ways = ((1, -1.0), (0, -1.0)) if flat else ((2, 1.0), (1, -1.0), (0, -1.0))  # (slice,) row, column
    for axis, flipped, (world, sign) in zip(plane.order, plane.flips, ways, strict=True):
        step = sign * spacing[axis] * (-1.0 if flipped else 1.0)
        affine[world, 1 - axis if flat else axis] = step
        affine[world, 3] = -step * (image.grid[axis] - 1) / 2
    return affine


def pack(values: np.ndarray, image: Image) -> bytes:
    """``*grid`` or ``c *grid`` of numbers or booleans -> bytes of a ``.nii.gz`` in the place of ``image``.

    Three channels become RGB, whole numbers the smallest kind that holds them. GeometryError for another
    grid.
    """
    array = np.asarray(values)
    if array.shape[-len(image.grid) :] != image.grid or array.ndim not in (
        len(image.grid),
        len(image.grid) + 1,
    ):
        raise GeometryError(f"a layer has the grid {array.shape}, the image {image.grid}: the same expected")
    if array.ndim == len(image.grid):
        array = array[None]
    if len(image.grid) == 2:
        array = np.swapaxes(array, -1, -2)[..., None]
    stored = _rgb(array) if array.shape[0] == 3 else _smallest(array[0])
    return gzip.compress(_nifti(stored, display_affine(image)), QUICK, mtime=0)


def _rgb(array: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(np.asarray(array, np.float32))
    scale = 255.0 if values.max(initial=0) <= 1.5 else 1.0
    low, high = float(values.min(initial=0)) * scale, float(values.max(initial=0)) * scale
    if low < 0 or high > 255:
        values, scale = (values * scale - low) / max(high - low, 1e-6), 255.0
    whole = np.clip((values * scale).round(), 0, 255).astype(np.uint8)
    colours = np.empty(whole.shape[1:], BYTES_OF_RGB)
    for name, channel in zip("RGB", whole, strict=True):
        colours[name] = channel
    return colours


def _smallest(array: np.ndarray) -> np.ndarray:
    """Whole numbers as uint8 or int16 where they fit, anything else as float32. NaN becomes 0."""
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    if array.dtype == np.uint8:
        return array
    values = np.nan_to_num(np.asarray(array, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    for kind in (np.uint8, np.int16):
        told = np.iinfo(kind)
        if told.min <= low and high <= told.max:
            whole = values.astype(kind)
            if np.array_equal(whole, values):
                return whole
    return values


def _nifti(array: np.ndarray, affine: np.ndarray) -> bytes:
    import nibabel as nib

    kind: Any = nib.Nifti2Image if max(array.shape) > NIFTI1_AXIS else nib.Nifti1Image
    file = kind(array, affine)
    file.set_sform(affine, 1)
    file.set_qform(None, 0)
    file.header["xyzt_units"] = 2
    data: bytes = file.to_bytes()
    return data
