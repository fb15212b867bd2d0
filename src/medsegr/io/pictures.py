"""A picture's pixels as ITK lays them, so that its mask lies on it in 3D Slicer, ITK-SNAP and MITK.

These open a PNG as ``column row`` (and one slice): first pixel at 0, columns to the patient's left, rows
to the back. A pixel is 1 mm there, or what the density of a JPEG or TIFF makes of it: nothing that
is measured, but a mask of another spacing would lie beside the picture. A rotation in EXIF is not applied.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medsegr.io.values import LPS_TO_RAS
from medsegr.types import Image, Source

KEY = "medsegr_picture"  # of the header field that says so in a NRRD
MARK = re.compile(r"medsegr picture, turned ([1-8]), (no )?mm")
PICTURES = ("png", "jpeg", "tiff", "bmp")
TURNING = ("png", "jpeg")  # a TIFF is turned by whoever reads it
# EXIF orientation -> which axes of the displayed picture ``h w`` run backwards in the stored one; from 5 on
# rows and columns are exchanged as well
BACKWARDS: dict[int, tuple[int, ...]] = {
    1: (),
    2: (1,),
    3: (0, 1),
    4: (0,),
    5: (),
    6: (1,),
    7: (0, 1),
    8: (0,),
}
EXCHANGED = 5
NO_MM = ("no_spacing", "it is a mask of a picture without spacing: nothing can be measured in mm")


@dataclass(frozen=True, slots=True)
class Laying:
    """How ITK lays a picture. ``steps``: its mm of a column and of a row; ``turn``: EXIF orientation 1 to 8
    that it leaves out; ``measured``: whether the steps are the body's."""

    steps: tuple[float, float]
    turn: int = 1
    measured: bool = False

    @property
    def mark(self) -> str:
        """The words by which a file of ours says that it holds a picture's mask."""
        return f"medsegr picture, turned {self.turn}, {'' if self.measured else 'no '}mm"

    @property
    def lps(self) -> np.ndarray:
        """``4 4``: index of column, row, slice to LPS+ mm."""
        return np.diag([*self.steps, 1.0, 1.0])

    def volume(self, array: np.ndarray) -> np.ndarray:
        """``h w`` as displayed -> ``column row 1`` as stored."""
        turned = np.flip(array, BACKWARDS[self.turn])
        return (turned if self.turn >= EXCHANGED else turned.T)[..., None]

    def picture(self, array: np.ndarray) -> np.ndarray:
        """``c column row 1`` as stored -> ``c h w`` as displayed: the inverse of :meth:`volume`."""
        flat = array[..., 0]
        turned = flat if self.turn >= EXCHANGED else flat.transpose(0, 2, 1)
        return np.flip(turned, tuple(axis + 1 for axis in BACKWARDS[self.turn]))


def laying_of(image: Image) -> Laying | None:
    """How ITK lays an image ``h w`` without a place in the patient; None for a volume or a placed slice."""
    if len(image.grid) != 2 or image.affine is not None:
        return None
    meta = image.source.meta
    turn = int(meta.get("turned", meta.get("exif_orientation", 1) if image.source.kind in TURNING else 1))
    rows, columns = image.spacing or meta.get("pixel_mm") or (1.0, 1.0)
    return Laying((float(columns), float(rows)), turn, image.spacing is not None)


def pixels_told(image: Image) -> dict[str, Any]:
    """What of a picture's laying no mask as PNG keeps, for the manifest; empty where it is the plain one."""
    laying = laying_of(image)
    if laying is None or (laying.turn == 1 and (laying.measured or laying.steps == (1.0, 1.0))):
        return {}
    return {"turned": laying.turn, "pixel_mm": [laying.steps[1], laying.steps[0]]}


def pixels_from(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a manifest tells of a picture's laying, as it is kept with an image; None where the image is no
    picture. What cannot be is left out."""
    inputs = manifest.get("inputs")
    image = inputs.get("image") if isinstance(inputs, dict) else None
    if not isinstance(image, dict) or image.get("kind") not in PICTURES:
        return None
    told: Any = image.get("pixels")
    try:
        turn, (down, across) = int(told["turned"]), (float(step) for step in told["pixel_mm"])
    except (KeyError, TypeError, ValueError):
        return {}
    known = turn in BACKWARDS and 0 < down < np.inf and 0 < across < np.inf
    return {"turned": turn, "pixel_mm": (down, across)} if known else {}


def marked_picture(values: np.ndarray, lps: np.ndarray, mark: str, source: Source) -> Image | None:
    """A file that we wrote for a picture, ``c column row 1`` -> ``c h w`` as displayed; None for what says no
    such thing, or was turned since (``lps``: its index to LPS+ mm)."""
    found = MARK.search(mark)
    steps = np.abs(np.diag(lps)[:2])
    if found is None or values.ndim != 4 or values.shape[-1] != 1:
        return None
    if not np.allclose(lps[:, [0, 1, 3]], np.diag([*steps, 1.0, 1.0])[:, [0, 1, 3]], atol=1e-4 * steps.min()):
        return None
    laying = Laying((float(steps[0]), float(steps[1])), int(found[1]), found[2] is None)
    down = (laying.steps[1], laying.steps[0])
    meta: dict[str, Any] = {"turned": laying.turn, "pixel_mm": down}
    notes = source.warnings if laying.measured else (*source.warnings, NO_MM)
    told = Source(kind=source.kind, frame_from="assumed", warnings=notes, meta=meta)
    shown = np.ascontiguousarray(laying.picture(values))
    return Image(shown, spacing=down if laying.measured else None, source=told)


def itk_lps(image: Image) -> np.ndarray:
    """``4 4``: index to LPS+ mm of a volume or a placed slice as ITK reads its file.

    It is the affine, but for a NIfTI that tells no orientation: there ITK begins at 0 and runs to the left,
    back and up, where nibabel runs to the left, front and up about the middle.
    """
    if image.source.kind == "nifti" and image.source.meta.get("code") == 0:
        steps = image.spacing or (1.0,) * len(image.grid)
        return np.diag([*steps, *(1.0,) * (4 - len(steps))])
    if image.affine is None:
        return np.diag([*(image.spacing or (1.0, 1.0, 1.0)), 1.0])
    return np.asarray(LPS_TO_RAS @ image.affine)
