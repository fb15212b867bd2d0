"""``medsegr measure``: the numbers of a mask file, each with unit and status."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from medsegr.cli.flags import (
    ImageFlags,
    Json,
    Limit,
    LogFlags,
    choices_of,
    frame_of,
    grouped,
    naming,
    option,
)
from medsegr.cli.logs import LOG, set_up
from medsegr.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from medsegr.types import Image, Measurement

MOST_LABELS = 1000
HALF = 0.5


@dataclass(frozen=True)
class MeasureFlags:
    """What is measured."""

    mask: Annotated[
        Path,
        option(
            "--mask",
            "-m",
            help="Mask or label map on the image's grid, each value above 0 is one; or a DICOM SEG or RT "
            "structure set.",
        ),
    ]
    input: Annotated[
        Path | None,
        option("--input", "-i", help="The image, for spacing and intensity; the mask's own without."),
    ] = None
    describe: Annotated[
        str | None,
        option(
            "--describe",
            metavar="CONCEPT",
            help="Say each label in a sentence about this concept, written from the mask.",
        ),
    ] = None
    names: Annotated[
        Path | None,
        option(
            "--names",
            help='Names of the labels: {"1": "liver"}, or a labels.json of ours. Distances go to named ones.',
        ),
    ] = None
    threshold: Annotated[
        float,
        option("--threshold", help="Share from which a voxel of a FRACTIONAL DICOM SEG belongs to a mask."),
    ] = HALF
    limits: Limit = ""
    json: Json = False


@dataclass(frozen=True)
class Labels:
    """What is measured, in order: labels with the mask of each, on the grid of ``picture``."""

    picture: "Image"
    values: tuple[float, ...]
    mask: "Callable[[float], np.ndarray]"
    names: dict[int, str]
    ids: dict[int, str] = field(default_factory=dict)  # tracking ids of a DICOM SEG, labels of ROIs


@grouped
def command(flags: MeasureFlags, image: ImageFlags, logs: LogFlags) -> int:
    """Extent, axes, centre, box, pieces, intensity and nearest structure of every label of a mask."""
    set_up(logs)
    concept = None if flags.describe is None else concept_called(flags.describe)
    labels = _segments(flags, image) if _is_dicom(flags) else _map(flags, image)
    told = [_numbers(labels, value, lit=flags.input is not None) for value in labels.values]
    if concept is not None:
        for item, label in zip(told, labels.values, strict=True):
            item["sentence"] = _said(labels.picture, labels.mask(label), concept, flags.input is not None)
            item["sentence_from"] = "mask"
    if flags.json:
        print(json.dumps({"schema": "medsegr.measure/1", "labels": told}, indent=1))
        return 0
    if not told:
        print("the mask is empty")
    for item in told:
        print(f"label {item['label']}" + (f" ({item['name']})" if "name" in item else ""))
        if "sentence" in item:
            print(f"  {item['sentence']} (written from the mask)")
        for name, m in item["measurements"].items():
            value = "-" if m["value"] is None else f"{m['value']:.2f}"
            status = " ".join(
                [*(["to " + m["of"]] if "of" in m else []), *([m["status"]] if m["status"] != "ok" else [])]
            )
            print(f"  {name:17s} {value:>12s} {m['unit']:4s} {status}".rstrip())
    return 0


def _map(flags: MeasureFlags, image: ImageFlags) -> Labels:
    """A file whose values are labels."""
    import numpy as np

    from medsegr.io.one_mask import check_labels, without_soft_edges

    if flags.threshold != HALF:
        raise UsageError("--threshold is of a FRACTIONAL DICOM SEG, and the mask is none: leave it out")
    labels = _read(flags.mask, flags, replace(image, series="", film_frame=None) if flags.input else image)
    picture = _read(flags.input, flags, image) if flags.input else labels
    with naming(flags.mask):
        labels = on_picture(labels, picture)
        values = tuple(float(v) for v in np.unique(labels.data[0]) if v > 0)
        if len(values) > MOST_LABELS:
            raise InputError(f"the mask holds {len(values)} values, at most {MOST_LABELS} were expected")
        check_labels(labels.data[0])
        if (cut := without_soft_edges(labels)) is not None:
            labels, values = cut, (float(cut.data.max()),)
            LOG.warning("%s: %s", *cut.source.warnings[-1])
    return Labels(picture, values, lambda value: np.asarray(labels.data[0] == value), names_of(flags))


def _is_dicom(flags: MeasureFlags) -> bool:
    from medsegr.io.dicom_masks import holds_masks
    from medsegr.io.limits import limits_from_text

    with naming(flags.mask):
        return holds_masks(flags.mask, limits_from_text(flags.limits))


def _segments(flags: MeasureFlags, image: ImageFlags) -> Labels:
    """The segments of a DICOM SEG or ROIs of a structure set, by number; ``--names`` may name them
    otherwise."""
    from medsegr.io.dicom_masks import read_masks
    from medsegr.io.limits import limits_from_text
    from medsegr.types import modality_code

    picture = _read(flags.input, flags, image) if flags.input else None
    with naming(flags.mask):
        found = read_masks(flags.mask, picture, limits_from_text(flags.limits), flags.threshold)
        if len(found.infos) > MOST_LABELS:
            raise InputError(f"it holds {len(found.infos)} segments, at most {MOST_LABELS} were expected")
    for code, message in found.notes:
        LOG.warning("%s: %s", code, message)
    names = {info.number: info.name for info in found.infos}
    if flags.names is not None:
        names |= names_of(flags)
    return Labels(
        picture=found.image if picture else replace(found.image, modality=modality_code(image.modality)),
        values=tuple(float(info.number) for info in found.infos),
        mask=lambda value: found.mask(int(value)),
        names=names,
        ids={info.number: info.id for info in found.infos if info.id},
    )


def names_of(flags: MeasureFlags) -> dict[int, str]:
    """Names of labels: of ``--names``, else of the labels.json above a combined map of ours; else none."""
    place = flags.names or flags.mask.parent.parent / "labels.json"
    if flags.names is None and not place.is_file():
        return {}
    with naming(place):
        try:
            told = json.loads(place.read_text(encoding="utf-8"))
            if "labels" not in told:
                return {int(label): str(name) for label, name in told.items()}
            if flags.names is None and flags.mask.name not in told.get("combined", ()):
                return {}
            return {int(item["label"]): str(item["name"]) for item in told["labels"]}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                'the names of the labels cannot be read: {"1": "liver"} or a labels.json of ours was expected'
            ) from error


def _numbers(labels: Labels, value: float, lit: bool) -> dict[str, Any]:
    """One label's numbers; distances go to the other labels whose name the lexicon calls anatomy."""
    from medsegr.measure import measure
    from medsegr.results.record import measurements_json

    others = {
        name: labels.mask(number)
        for number, name in labels.names.items()
        if number != value and _is_anatomy(name)
    }
    label = int(value) if value.is_integer() else value
    told = (("name", labels.names), ("id", labels.ids))
    known = {key: words[int(value)] for key, words in told if label in words}
    found = dict(measure(labels.picture, labels.mask(value), others))
    if not lit:
        found |= {name: _unlit(found[name]) for name in ("mean_intensity", "sd_intensity")}
    return {"label": label, **known, "measurements": measurements_json(found)}


def _unlit(number: "Measurement") -> "Measurement":
    """An intensity where no image came: the values of a mask are no intensities."""
    return number if number.status == "empty" else replace(number, value=None, status="no_image")


def _is_anatomy(name: str) -> bool:
    from medsegr.errors import ReportError
    from medsegr.report import lexicon

    try:
        plain = name.partition(" (")[0].removeprefix("left ").removeprefix("right ")
        return lexicon.concept(plain).kind == "anatomy"
    except ReportError:
        return False


def concept_called(word: str) -> str:
    """Canonical name of the concept that a word of the lexicon means; UsageError for another word."""
    from medsegr.errors import ReportError
    from medsegr.report import lexicon

    try:
        return lexicon.concept(word).name
    except ReportError as error:
        raise UsageError(f"--describe: '{word[:40]}' is no concept; see medsegr info --classes") from error


def _said(picture: "Image", mask: "np.ndarray", concept: str, lit: bool) -> str:
    """The mask in one sentence; without an image (``lit`` False) there are no intensities to describe."""
    from medsegr.portrait import portrait
    from medsegr.report.wording import sentence
    from medsegr.types import Texture

    finding = portrait(picture, mask, concept)
    if not lit:
        finding = replace(finding, texture=Texture(), shape=replace(finding.shape, margin=None))
    return sentence(finding, modality=picture.modality)


def _read(path: Path, flags: MeasureFlags, image: ImageFlags) -> "Image":
    from medsegr.io.limits import limits_from_text
    from medsegr.io.read import is_nifti, read_image

    limits = limits_from_text(flags.limits)
    other = flags.mask if path is flags.input else flags.input
    if image.use and other is not None and is_nifti(other) and not is_nifti(path):
        image = replace(image, use=None)  # of the two it says something of the other
    with naming(path):
        return read_image(
            path,
            modality=image.modality,
            frame=frame_of(image.frame),
            limits=limits,
            choices=choices_of(image),
        )


def on_picture(labels: "Image", picture: "Image") -> "Image":
    """The labels in the image's order of axes. InputError where they are a colour picture or lie on another
    grid than the image."""
    from medsegr.io.same_grid import in_order

    if labels.data.shape[0] != 1:
        raise InputError("the mask is a colour picture: one value a pixel was expected; save it as grey")
    if labels is picture:
        return labels
    found = in_order(labels, picture)
    if found.grid != picture.grid:
        raise InputError(
            f"the mask has grid {labels.grid}, the image {picture.grid}: the same grid was expected"
        )
    return found
