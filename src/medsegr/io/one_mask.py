"""A file that a person drew or exported as the mask of one thing: what in it is the mask, and what is none.

A mask has 0 and one other value. What else came (the picture itself, a label map, a map of probabilities) is
refused: which part of it is meant, nobody said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from medsegr.errors import InputError
from medsegr.io.dicom_masks import holds_masks, read_masks
from medsegr.io.heads import is_dicom
from medsegr.io.limits import DEFAULT_LIMITS, Limits, check
from medsegr.io.raster import OPENERS, opacity
from medsegr.io.read import HEAD, kind_of, read_image
from medsegr.io.same_grid import in_order
from medsegr.io.volume import read_volume
from medsegr.types import Image

ASKED = "a mask of one thing (0 outside, one other value inside)"
FEW = 6  # values: so many are told one by one
LABELS = 16  # whole numbers below it count things, and are no shades of an edge
RIM = 2  # pixels from the outline within which a smooth edge has values between
SOFT = 0.25  # share of the grid that such edges may fill: in noise an outline is near everywhere
LOSSY = 0.35  # of the brightest value: by so much a JPEG strays from black and white, away from edges
HUE = 0.02  # of the brightest value: by so much the colours of one paint may differ, for rounding
MANY = 50  # labels from which a map is asked whether it is a picture
EVEN = 0.5  # share of neighbours of one label, below which it is one


def read_one_mask(path: Path, image: Image, limits: Limits = DEFAULT_LIMITS, finding: str = "") -> np.ndarray:
    """The mask in a file, bool: ``*grid`` of the file, which may be a slice or a picture of the image's.

    On the image's own grid it comes in the image's order of axes (:func:`medsegr.io.same_grid.in_order`).
    Of a segmentation (``.seg.nrrd``, DICOM SEG, structure set) it is the segment whose ID is ``finding``, as
    we write it and others keep it, or the only one.

    0 is outside and one other value inside, on black or on a transparent ground (there what is opaque is
    inside, whatever its colour). A smooth edge is cut at half. An empty mask is one. InputError for what is
    no mask of one thing, GeometryError for a volume that lies elsewhere than ``image``.
    """
    head = _head(path)
    if is_dicom(head) and holds_masks(path, limits):
        return _of_dicom(path, image, limits, finding)
    if head.startswith(b"NRRD"):
        check("file_bytes", path.stat().st_size, limits, "input file")
        read = read_volume(path, "nrrd", limits, partial(_segment, finding))
    else:
        read = read_image(path, limits=limits)
    found = _placed(read, image)
    grey = _grey(found.data, _clear(path, found.source.kind))
    if grey is None:
        raise InputError(
            f"a picture in several colours came where {ASKED} was expected; is it the picture itself?"
        )
    marked = _marked(grey, found.source.kind == "jpeg")
    if marked is None:
        values = np.unique(grey)
        told = f"the values {', '.join(f'{value:g}' for value in values)}"
        label = "keep the one label that is meant"
        other = "is it the picture itself? Soft edges and shares are saved as black and white first"
        told, hint = (told, label) if len(values) <= FEW else (f"{len(values)} values", other)
        raise InputError(f"{told} came where {ASKED} was expected; {hint}")
    if marked.all():
        raise InputError("the mask covers everything: 0 was expected outside of what is meant")
    return marked


def _head(path: Path) -> bytes:
    """How the file begins; nothing of what is no file, or cannot be read: the reader says why."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except (OSError, ValueError):
        return b""


def _segment(finding: str, told: Mapping[str, str], array: np.ndarray) -> np.ndarray:
    """Of the layers ``c *grid`` of a ``.seg.nrrd`` one segment, as 0 and 1; what is none as it is.

    Slicer before 4.11 gave every segment a layer of its own, and told neither label nor layer.
    """
    ids: list[str] = []
    while (key := f"Segment{len(ids)}_ID") in told:
        ids.append(told[key])
    if not ids:
        return array
    number = _meant(finding, ids)
    label = told.get(f"Segment{number}_LabelValue", "1")
    layer = told.get(f"Segment{number}_Layer", str(number) if len(array) == len(ids) else "0")
    if not (label.isdecimal() and layer.isdecimal() and int(layer) < len(array)):
        raise InputError("the segmentation names a layer or label that it has not; save it again")
    return np.asarray(array[int(layer)] == int(label))[None]


def _of_dicom(path: Path, image: Image, limits: Limits, finding: str) -> np.ndarray:
    found = read_masks(path, image, limits)
    return found.mask(found.infos[_meant(finding, [info.id for info in found.infos])].number)


def _meant(finding: str, ids: Sequence[str]) -> int:
    """Which of a file's segments is meant, by its ID; InputError where none is."""
    if len(ids) == 1:
        return 0
    if ids.count(finding) != 1:
        told = f"none has the ID {finding}" if finding else "which is meant is not told"
        raise InputError(
            f"a segmentation of {len(ids)} segments came, and {told}: save the one that is meant alone"
        )
    return ids.index(finding)


def check_labels(labels: np.ndarray) -> None:
    """InputError where a label map ``*grid`` has many values and hardly a label with a neighbour of its own,
    as pictures have."""
    if len(np.unique(labels)) < MANY:
        return
    same = both = 0
    for axis in range(labels.ndim):
        line = np.moveaxis(labels, axis, 0)
        inside = (line[1:] > 0) & (line[:-1] > 0)
        both += int(inside.sum())
        same += int((inside & (line[1:] == line[:-1])).sum())
    if both and same < EVEN * both:
        raise InputError(
            f"{len(np.unique(labels))} values came that change from pixel to pixel, as in a picture: a mask "
            "or a label map was expected"
        )


def without_soft_edges(labels: Image) -> Image | None:
    """A picture of one mask whose edges are smooth, or that a JPEG blurred, with 0 and its brightest value
    only, and the last of its warnings saying so; None for what has no such edges."""
    kind, values = labels.source.kind, labels.data[0]
    marked = _marked(values, kind == "jpeg") if kind in OPENERS and len(np.unique(values)) > 2 else None
    if marked is None:
        return None
    note = ("edges_cut", "values between lie along the outline only: it was cut at half")
    source = replace(labels.source, warnings=(*labels.source.warnings, note))
    return replace(labels, data=np.where(marked, values.max(), 0)[None].astype(np.float32), source=source)


def _placed(found: Image, image: Image) -> Image:
    """What was read, in the image's order of axes where it is on its grid; a slice stored as ``h w 1`` as
    ``h w``."""
    found = in_order(found, image)
    if len(image.grid) == 2 and found.grid == (*image.grid, 1):
        found = replace(found, data=found.data[..., 0])
    return found


def _clear(path: Path, kind: str) -> np.ndarray | None:
    """How opaque the picture is; None where it is so all over, and for what is no picture (or in a zip)."""
    data = path.read_bytes() if kind in OPENERS and path.is_file() else b""
    return opacity(data, kind) if data and kind_of(data[:HEAD]) == kind else None


def _grey(data: np.ndarray, clear: np.ndarray | None) -> np.ndarray | None:
    """``c *grid`` as one value a pixel; None where it holds several colours.

    ``clear``: how opaque each pixel is, 0 to 1, where some are not: a layer of one paint is as it is opaque.
    """
    top = np.asarray(data.max(0))
    if clear is not None and (clear == 0).any():
        paint = data[:, clear == clear.max()]
        if (paint == paint[:, :1]).all():
            return clear
    if len(data) == 1:
        return top
    most = float(top.max())
    hue = data.reshape(len(data), -1)[:, int(top.argmax())] / (most or 1)
    apart = np.abs(data - top * hue.reshape(-1, *(1,) * top.ndim)).max()
    return top if apart <= HUE * most else None


def _marked(grey: np.ndarray, lossy: bool) -> np.ndarray | None:
    """What is inside; None where there are more values than a mask has, other than along its outline."""
    most = float(grey.max())
    counted = most < LABELS and bool((grey == np.rint(grey)).all())
    if float(grey.min()) < 0 or (counted and ((grey > 0) & (grey < most)).any()):
        return None
    inside = np.asarray(grey > most / 2)
    give = LOSSY * most if lossy else 0.0
    between = (grey > give) & (grey < most - give)
    if between.any():
        from scipy.ndimage import binary_dilation, binary_erosion

        block = np.ones((3,) * grey.ndim, bool)
        near = binary_dilation(inside, block, RIM) & ~binary_erosion(inside, block, RIM, border_value=1)
        if (between & ~near).any() or between.mean() > SOFT:
            return None
    return inside
