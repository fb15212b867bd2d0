"""What a row of a sample table names: the finding that it asks for, its image, its mask."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.errors import GeometryError, InputError, ReportError
from medsegr.io.choices import Choices
from medsegr.io.dicom_masks import holds_masks
from medsegr.io.dicom_masks import read_masks as segments
from medsegr.io.masks import Masks, check_place
from medsegr.io.read import read_image
from medsegr.report.describe import finding_from
from medsegr.report.parse import parse_phrase
from medsegr.types import Finding, Image, modality_code


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
    found = parse_phrase(words, modality=modality_code(row.get("modality"))).findings
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


def read_column(folder: Path, row: Mapping[str, str], column: str, modality: str | None = None) -> Image:
    """The file that a row names in ``column``. InputError names the row and its entry."""
    try:
        return read_image(
            folder / row[column], modality=modality, choices=Choices(series=row.get("series") or "")
        )
    except InputError as error:
        raise InputError(f"row {row['id']}: {row[column]}: {error}") from error


def read_mask(folder: Path, row: Mapping[str, str], image: Image) -> np.ndarray:
    """Bool ``*grid``: one row's mask. InputError where it is missing or has another grid."""
    return read_masks(folder, [row], image)[0]


def read_masks(folder: Path, rows: Sequence[Mapping[str, str]], image: Image) -> list[np.ndarray]:
    """The masks of an image's rows, each as of :func:`read_mask`. A DICOM SEG is read once for all of
    them."""
    held: dict[str, Masks] = {}
    for row in rows:
        try:
            if row["mask"] not in held and holds_masks(folder / row["mask"]):
                held[row["mask"]] = segments(folder / row["mask"], image)
        except InputError as error:
            raise InputError(f"row {row['id']}: {error}") from error
    return [_segment(held[r["mask"]], r) if r["mask"] in held else _mask(folder, r, image) for r in rows]


def _segment(masks: Masks, row: Mapping[str, str]) -> np.ndarray:
    known = [info.number for info in masks.infos]
    wanted = labels_in(row) or known
    strange = sorted(set(wanted) - set(known))
    if strange:
        raise InputError(f"row {row['id']}: the DICOM SEG has no segment {strange[0]}; it has {known}")
    out: np.ndarray = np.any([masks.mask(number) for number in wanted], axis=0)
    return out


def _mask(folder: Path, row: Mapping[str, str], image: Image) -> np.ndarray:
    held = read_column(folder, row, "mask")
    mask = marked(held.data[0], row)
    if mask.shape != image.grid:
        raise InputError(
            f"row {row['id']}: the mask is {mask.shape}, the image {image.grid}; expected equal grids"
        )
    try:
        check_place(held, image)
    except GeometryError as error:
        raise InputError(f"row {row['id']}: {error}") from error
    return mask


def marked(values: np.ndarray, row: Mapping[str, str]) -> np.ndarray:
    """Which voxels of a mask file are the row's target: those of its ``label`` (several with commas), else
    all above 0."""
    labels = labels_in(row)
    return np.isin(values, labels) if labels else np.asarray(values > 0)


def labels_in(row: Mapping[str, str]) -> list[int]:
    """The values that a row's ``label`` names, none where it is empty. InputError for what is no number."""
    label = (row.get("label") or "").strip()
    try:
        return [int(value) for value in label.split(",")] if label else []
    except ValueError as error:
        raise InputError(
            f"row {row.get('id', '')}: label '{label[:40]}' came where a number, or several with commas, was "
            "expected"
        ) from error
