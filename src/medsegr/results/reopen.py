"""A folder that ``medsegr segment`` wrote, read back as a Result: for a later export, without the model."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.errors import GeometryError, InputError
from medsegr.io.choices import DEFAULT_CHOICES, Choices
from medsegr.io.limits import DEFAULT_LIMITS, Limits
from medsegr.io.masks import check_place
from medsegr.io.pictures import pixels_from
from medsegr.io.read import read_image
from medsegr.io.same_grid import in_order
from medsegr.report.lexicon import concepts
from medsegr.results.export import Run, manifest_of
from medsegr.results.record import is_hash_of
from medsegr.results.schema import text_hash
from medsegr.reviews import review_from
from medsegr.types import (
    Check,
    Code,
    Finding,
    FindingResult,
    Frame,
    Image,
    Location,
    Measurement,
    Result,
    Shape,
    Texture,
)

NAME = re.compile(r"\w[\w .-]{0,63}")  # ids of findings
CHANGED = "give the image that the masks were drawn on, unchanged"


def reopen(
    folder: Path,
    source: Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
    choices: Choices = DEFAULT_CHOICES,
) -> Run:
    """The run that wrote ``folder``; its masks lie on the grid of ``source``.

    Or of the mask files without one: then what is kept in a DICOM object alone has no mask.

    ``source`` is the image as ``segment`` read it: its hash must be the same. Without it the values are not
    known, and DICOM objects cannot be made. Raises InputError for a folder that is not ours or not whole,
    and for another image; GeometryError where masks and image have other grids.
    """
    manifest = manifest_of(folder)
    told = findings_of(folder)
    paths = {item["id"]: inside(folder, item["mask"]) for item in told["findings"] if item.get("mask")}
    masks = {key: read_image(path, limits=limits) for key, path in paths.items() if path.suffix != ".dcm"}
    shown = told["image"]
    if source is None:
        image = _bare(list(masks.values()), shown, manifest)
    else:
        image = _source(source, shown, limits, choices)
    drawn = {key: on_grid(mask, image, source is not None) for key, mask in masks.items()}
    if source is not None and (kept := {key: path for key, path in paths.items() if key not in masks}):
        drawn |= _segments(kept, image, limits)
    results = tuple(result_from(item, drawn.get(item["id"])) for item in told["findings"])
    result = Result(image, None, results, told["model"])
    report = told.get("report") or {}
    own = told["image"]["sha256"]
    version = str(manifest.get("medsegr") or "0")
    return Run(result, own, version, report.get("sha256"), _overlay(folder), limits, state_of(told))


def state_of(told: Mapping[str, Any]) -> str:
    """What a findings.json tells, as a hash: another one means that somebody changed the folder."""
    return text_hash(json.dumps(told, sort_keys=True))


def check_ours(folder: Path) -> None:
    """InputError for a folder that medsegr did not write, or not whole: told before the image is read, so
    that a refusal is not taken for one of the image."""
    manifest_of(folder)
    findings_of(folder)


def findings_of(folder: Path) -> dict[str, Any]:
    """The content of the folder's findings.json; InputError where it is missing, damaged or changed."""
    try:
        told = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
        if not str(told["schema"]).startswith("medsegr.findings/"):
            raise ValueError
        _ = told["image"]["sha256"], told["model"]["name"]
        ids = [str(item["id"]) for item in told["findings"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "findings.json: it is missing or damaged where the result of 'medsegr segment' was "
            "expected; segment again"
        ) from error
    if not all(NAME.fullmatch(one) for one in ids):  # files are called so, and may not lie elsewhere
        raise InputError("findings.json: an id that is no name of a file; it was changed, segment again")
    return dict(told)


def inside(folder: Path, name: Any) -> Path:
    """The file of a mask; InputError where it is not in the folder."""
    path = (folder / str(name)).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InputError("findings.json: a mask lies outside the folder; it was changed, segment again")
    return path


def _segments(paths: Mapping[str, Path], image: Image, limits: Limits) -> dict[str, np.ndarray]:
    """Masks that are kept in a DICOM object alone, by the id of their finding; a place needs the image."""
    from medsegr.io.dicom_masks import read_masks

    found = {path: read_masks(path, image, limits) for path in set(paths.values())}
    masks = {}
    for key, path in paths.items():
        numbers = [info.number for info in found[path].infos if info.id == key]
        if not numbers:
            raise InputError(f"{path.name} holds no mask of {key}; it was changed, segment again")
        masks[key] = found[path].mask(numbers[0])
    return masks


def _source(path: Path, told: Mapping[str, Any], limits: Limits, choices: Choices) -> Image:
    frame = told.get("frame") if told.get("frame_from") == "flag" else None
    image = read_image(path, modality=told.get("modality"), frame=frame, limits=limits, choices=choices)
    if not is_hash_of(path, image.source.sha256, str(told["sha256"])):
        raise InputError(f"the image is another one than that of the folder (its hash differs); {CHANGED}")
    return as_told(image, told)


def as_told(image: Image, told: Mapping[str, Any]) -> Image:
    """The image as the result was made on it. ``told``: ``image`` of its findings.json.

    Modality and frame may have come from the words, which the file alone does not tell: whose left is meant
    hangs on them.
    """
    frame: Frame = "viewer" if told.get("frame", image.frame) == "viewer" else "patient"
    source = replace(image.source, frame_from=str(told.get("frame_from", image.source.frame_from)))
    return replace(image, modality=told.get("modality", image.modality), frame=frame, source=source)


def _bare(masks: list[Image], told: Mapping[str, Any], manifest: Mapping[str, Any]) -> Image:
    """An image without values on the masks' grid, with what findings.json and manifest tell of the source."""
    grid = tuple(int(n) for n in told["grid"])
    spacing = None if told.get("spacing_mm") is None else tuple(float(step) for step in told["spacing_mm"])
    base = masks[0] if masks else Image(np.zeros((1, *grid), np.float32), None, spacing)
    if (pixels := pixels_from(manifest)) is not None:  # an older NIfTI or NRRD of it says that it has a place
        base = replace(base, affine=None, axes=None)
    source = replace(base.source, frame_from="assumed", meta={**base.source.meta, **(pixels or {})})
    empty = replace(
        base, data=np.zeros((1, *grid), np.float32), spacing=spacing, modality=None, source=source
    )
    return as_told(empty, told)


def on_grid(mask: Image, image: Image, placed: bool) -> np.ndarray:
    """A mask file as bool on the image's grid; GeometryError for another grid, or (``placed``) another
    place."""
    if mask.grid != image.grid:
        mask = in_order(mask, image)  # a program of others may have saved it in its own order
    values = mask.data[0] > 0
    if values.shape != image.grid and _long(values.shape) == _long(image.grid):
        values = values.reshape(image.grid)  # a slice that was written as h w 1
    if values.shape != image.grid:
        raise GeometryError(f"a mask has grid {values.shape}, the image {image.grid}; {CHANGED}")
    if placed:
        check_place(mask, image)
    return np.asarray(values)


def _long(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length > 1)


def result_from(item: Mapping[str, Any], mask: np.ndarray | None) -> FindingResult:
    """A finding's result out of its entry in findings.json. InputError where that is damaged."""
    numbers = item.get("measurements")
    try:
        return FindingResult(
            finding_from(item),
            item["status"],
            item["reason"],
            mask,
            score=item["score"],
            presence=item["presence"],
            measurements=None if numbers is None else {name: Measurement(**m) for name, m in numbers.items()},
            checks=tuple(Check(**check) for check in item["checks"]),
            review=None if item.get("review") is None else review_from(item["review"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("findings.json: a finding is damaged; segment again") from error


def finding_from(item: Mapping[str, Any]) -> Finding:
    """The finding as :func:`medsegr.results.schema.finding_json` wrote it."""
    code, place, texture, shape = (item[name] for name in ("code", "location", "texture", "shape"))
    return Finding(
        id=item["id"],
        phrase=item["phrase"],
        span=_span(item["span"]) or (0, 0),
        name=item["name"],
        section=item["section"],
        sentence=_span(item["sentence"]),
        parents=known.parents if (known := concepts().get(item["name"])) is not None else (),
        code=None if code is None else Code(code["scheme"], code["value"], code["meaning"]),
        polarity=item["polarity"],
        polarity_span=_span(item["polarity_span"]),
        time=item["time"],
        location=Location(**_tuples(place)),
        texture=Texture(**_tuples(texture)),
        shape=Shape(**_tuples(shape)),
    )


def _span(told: Any) -> tuple[int, int] | None:
    return None if told is None else (int(told[0]), int(told[1]))


def _tuples(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _tuple(value) for key, value in told.items()}


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def _overlay(folder: Path) -> np.ndarray | None:
    from PIL import Image as Picture

    try:
        with Picture.open(folder / "overlay.png") as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError):
        return None
