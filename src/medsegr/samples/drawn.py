"""What a row of a sample table names: the finding that it asks for, its image, what is marked on it."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from medsegr.errors import GeometryError, InputError, ReportError
from medsegr.io.choices import Choices
from medsegr.io.dicom_masks import holds_masks
from medsegr.io.dicom_masks import read_masks as segments
from medsegr.io.masks import MaskInfo, Masks
from medsegr.io.one_mask import check_labels, without_soft_edges
from medsegr.io.raster import OPENERS
from medsegr.io.read import read_image
from medsegr.io.same_grid import in_order
from medsegr.report.describe import finding_from
from medsegr.report.parse import parse_phrase
from medsegr.types import Finding, Frame, Image, modality_code

LOG = logging.getLogger("medsegr")
HUE = 0.05  # of the brightest value: by so much the channels of a grey mask may differ, for rounding


@dataclass(frozen=True, slots=True)
class Marks:
    """What somebody marked for one target, bool ``*grid`` each. ``unknown`` are pixels that nobody judged,
    none of them in ``mask``; None where every pixel is known."""

    mask: np.ndarray
    unknown: np.ndarray | None = None

    @classmethod
    def of(cls, mask: np.ndarray, widest: np.ndarray) -> "Marks":
        """Of what is surely the target, and of what else may be."""
        unknown = widest & ~mask
        return cls(mask, unknown if unknown.any() else None)

    @property
    def absent(self) -> bool:
        """Whether the target is surely not there: nothing is marked, and every pixel is known."""
        return self.unknown is None and not self.mask.any()

    @property
    def blank(self) -> bool:
        """Whether nobody judged a single pixel."""
        return self.unknown is not None and bool(self.unknown.all())

    def taken(self, how: Callable[[np.ndarray], np.ndarray]) -> "Marks":
        """Both after ``how``, which cuts, turns or shrinks a mask. A pixel is known where it comes out the
        same whatever the unknown ones hold."""
        mask = how(self.mask)
        return Marks(mask) if self.unknown is None else Marks.of(mask, how(self.mask | self.unknown))

    def judged(self, answer: np.ndarray) -> np.ndarray:
        """A mask ``*grid`` that is compared with this one, without the pixels that nobody judged: these are
        background in both, neither hit nor error."""
        return judged(answer, self.unknown)


def judged(mask: np.ndarray, unknown: np.ndarray | None) -> np.ndarray:
    """A mask ``*grid`` without the pixels that nobody judged."""
    return mask if unknown is None else mask & ~unknown


def finding_of(row: dict[str, str]) -> Finding:
    """The finding that a row of a sample table asks for: its attributes if it has any, else its target's
    name, as words."""
    if row.get("attributes"):
        try:
            return finding_from(attributes_in(row), row.get("phrase", ""))
        except ReportError as error:
            raise InputError(f"row {row['id']}: attributes: {error}") from error
        except (TypeError, ValueError) as error:  # a number where a list was expected, or the reverse
            raise InputError(
                f"row {row['id']}: attributes: a value has another form than findings.json gives it"
            ) from error
    words = row["target"].replace("_", " ")
    found = parse_phrase(words, modality=modality_code(row.get("modality")), frame=frame_in(row)).findings
    if not found or not found[0].name:
        raise InputError(
            f"row {row['id']}: target '{words}' is not in the lexicon; add it or rename the target"
        )
    return found[0]


def attributes_in(row: Mapping[str, str]) -> dict[str, Any]:
    """The attributes that a row tells, as data. ReportError where they are not of the form that
    :func:`medsegr.report.describe.attributes_of` gives."""
    try:
        told = json.loads(row["attributes"])
    except ValueError as error:
        raise ReportError("they are no JSON: an object was expected; leave the cell empty instead") from error
    if not isinstance(told, dict):
        raise ReportError(f"a JSON {type(told).__name__} came where an object was expected")
    parts = [told.get(key) for key in ("location", "texture", "shape", "stated")]
    if any(not isinstance(part, dict | None) for part in parts):
        raise ReportError("location, texture and shape were expected to be objects")
    return told


def frame_in(row: Mapping[str, str]) -> Frame | None:
    """Whose left a row means; None where it does not say. InputError for anything but patient and viewer."""
    told = (row.get("frame") or "").strip()
    if told in get_args(Frame):
        return cast(Frame, told)
    if told:
        raise InputError(f"row {row['id']}: frame '{told[:40]}' came, patient or viewer was expected")
    return None


def read_picture(folder: Path, row: Mapping[str, str]) -> Image:
    """The image of a row, of its modality and frame. InputError names the row and its entry."""
    return read_column(folder, row, "image", modality_code(row.get("modality")), frame_in(row))


def read_column(
    folder: Path,
    row: Mapping[str, str],
    column: str,
    modality: str | None = None,
    frame: Frame | None = None,
) -> Image:
    """The file that a row names in ``column``. InputError names the row and its entry."""
    choices = Choices(series=row.get("series") or "")
    try:
        return read_image(folder / row[column], modality=modality, frame=frame, choices=choices)
    except InputError as error:
        raise InputError(f"row {row['id']}: {row[column]}: {error}") from error


def read_marks(folder: Path, rows: Sequence[Mapping[str, str]], image: Image) -> list[Marks]:
    """What the rows of an image mark on its grid. A file is read once for all of its rows, and held no
    longer; one that is missing or has another grid is an InputError that names the row. A DICOM SEG or RT
    structure set has no unknown pixels."""
    found: dict[int, Marks] = {}
    for name in dict.fromkeys(row["mask"] for row in rows):
        own = [at for at, row in enumerate(rows) if row["mask"] == name]
        marks_of = _opened(folder, [rows[at] for at in own], image)
        found |= {at: marks_of(rows[at]) for at in own}
    return [found[at] for at in range(len(rows))]


def _opened(
    folder: Path, rows: Sequence[Mapping[str, str]], image: Image
) -> Callable[[Mapping[str, str]], Marks]:
    """The mask file that rows name, as what gives the marks of a row of them; errors name the row. Of a DICOM
    object only what the rows ask for is drawn: what is wrong with others does not matter."""
    row = rows[0]
    try:
        if holds_masks(folder / row["mask"]):
            masks = segments(folder / row["mask"], image, only=partial(_all_numbers, rows))
            for code, message in masks.notes:
                LOG.warning("row %s: %s: %s", row["id"], code, message)
            return partial(_segment, masks)
    except InputError as error:
        raise InputError(f"row {row['id']}: {error}") from error
    held = read_column(folder, row, "mask")
    try:
        held = in_order(held, image)
    except GeometryError as error:
        raise InputError(f"row {row['id']}: {error}") from error
    if held.grid != image.grid:
        raise InputError(
            f"row {row['id']}: the mask is {held.grid}, the image {image.grid}; expected equal grids"
        )
    try:
        return partial(marked, _values_of(held, plain=not any(labels_in(r) or ignored_in(r) for r in rows)))
    except InputError as error:
        raise InputError(f"row {row['id']}: {row['mask']}: {error}") from error


def _values_of(held: Image, plain: bool) -> np.ndarray:
    """The values ``*grid`` of a mask file. InputError for what has none: colours, black paint on a
    transparent ground, a picture.

    ``plain``: no row names a value, so all above 0 is the target. Then soft edges of a picture, and what a
    JPEG blurs, are cut at half: else the target would grow by them.
    """
    values: np.ndarray = held.data[0]
    painted = held.source.kind in OPENERS
    apart = float(np.ptp(held.data, axis=0).max()) if painted else 0.0
    if apart > HUE * float(held.data.max()):
        raise InputError(
            "colours came where a mask has values, 0 outside; save it in grey, or each target by itself"
        )
    if not values.any() and any(code == "alpha" for code, _ in held.source.warnings):
        raise InputError("black on a transparent ground came for a mask; lay it on black and paint it white")
    if not (plain and painted):
        return values
    check_labels(values)
    cut = without_soft_edges(held)
    if cut is None and held.source.kind == "jpeg" and len(np.unique(values)) > 2:
        raise InputError(
            "a JPEG of many values came for a mask: JPEG blurs labels into each other; save it as PNG"
        )
    return values if cut is None else np.asarray(cut.data[0])


def _segment(masks: Masks, row: Mapping[str, str]) -> Marks:
    numbers, strange = _numbers_in(row, masks.infos)
    if strange:
        raise InputError(
            f"row {row['id']}: the DICOM object has no segment or ROI {strange[0][:40]}; it has "
            f"{[info.number for info in masks.infos]}, which may be called by their names too"
        )
    if (row.get("ignore") or "").strip():
        raise InputError(
            f"row {row['id']}: ignore came with a DICOM object, where values of a mask file were expected; "
            "leave it empty"
        )
    return Marks(np.any([masks.mask(number) for number in numbers], axis=0))


def _all_numbers(rows: Sequence[Mapping[str, str]], infos: Sequence[MaskInfo]) -> set[int]:
    return {number for row in rows for number in _numbers_in(row, infos)[0]}


def _numbers_in(row: Mapping[str, str], infos: Sequence[MaskInfo]) -> tuple[list[int], list[str]]:
    """The segments or ROIs that a row's ``label`` names, by number or by name, several with commas, all where
    it is empty; and what it names that is not there."""
    told = (row.get("label") or "").strip()
    if not told:
        return [info.number for info in infos], []

    def called(word: str) -> list[int]:
        numbered = [info.number for info in infos if str(info.number) == word]
        return numbered or [info.number for info in infos if info.name.casefold() == word.casefold()]

    parts = [told] if called(told) else [part.strip() for part in told.split(",")]
    return [number for part in parts for number in called(part)], [part for part in parts if not called(part)]


def marked(values: np.ndarray, row: Mapping[str, str]) -> Marks:
    """Which voxels of a mask file are the row's target: those of its ``label`` (several with commas), else
    all above 0 that are not of its ``ignore``. Those of ``ignore`` are unknown."""
    labels, ignored = labels_in(row), ignored_in(row)
    if not ignored:
        return Marks(np.isin(values, labels) if labels else np.asarray(values > 0))
    open_ = np.isin(values, ignored)
    mask = np.isin(values, labels) if labels else (values > 0) & ~open_
    return Marks.of(mask, mask | open_)


def labels_in(row: Mapping[str, str]) -> list[int]:
    """The values that a row's ``label`` names, none where it is empty. InputError for what is no number."""
    return _values(row, "label", "where the mask holds one target")


def ignored_in(row: Mapping[str, str]) -> list[int]:
    """The values that a row's ``ignore`` names, none where it is empty. InputError for what is no number, and
    for a value that is its target's."""
    found = _values(row, "ignore", "where every pixel was judged")
    both = sorted(set(found) & set(labels_in(row)))
    if both:
        raise InputError(
            f"row {row.get('id', '')}: the value {both[0]} came in label and in ignore, expected in one of "
            "them; remove it from the other"
        )
    return found


def _values(row: Mapping[str, str], column: str, when: str) -> list[int]:
    told = (row.get(column) or "").strip()
    try:
        return [int(value) for value in told.split(",")] if told else []
    except ValueError as error:
        raise InputError(
            f"row {row.get('id', '')}: {column} '{told[:40]}' came where a number, or several with commas, "
            f"was expected; leave it empty {when}"
        ) from error
