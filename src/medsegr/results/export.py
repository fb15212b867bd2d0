"""Masks and findings in every format that is asked for: files of one mask each, and objects that hold all.

``record.save`` writes them with a new result, ``medsegr convert`` later from a folder. No torch here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medsegr.errors import InputError, UsageError
from medsegr.io.limits import DEFAULT_LIMITS, Limits
from medsegr.io.segments import Segment, drawn, label_map, overlaps
from medsegr.io.write import atomic_write, write_json, write_labels, write_mask
from medsegr.options import DICOM_FORMATS, DICOM_MASKS, MASK_FORMATS, Options
from medsegr.results.coding import maker_of, run_key, segments_of
from medsegr.results.schema import text_hash
from medsegr.types import Image, Result

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from medsegr.io.dicom_source import Sources

FILES = {
    "dicom-seg": "segmentation.dcm",
    "rtstruct": "structures.dcm",
    "dicom-sr": "report.dcm",
    "dicom-sc": "overlay.dcm",
    "fhir": "fhir.json",
    "nrrd": "segmentation.seg.nrrd",
}
NAMES = {"dicom-seg": "DICOM SEG", "rtstruct": "RT structure set"}
OWN = {"nifti": "nifti", "nrrd": "nrrd", "mha": "nrrd"}


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: finding id -> its mask's path and -> its segment number; warnings (code, message)."""

    masks: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A result with what names it, so that a later export gives the same ids."""

    result: Result
    image_sha256: str
    version: str
    report_sha256: str | None = None
    overlay: np.ndarray | None = None  # uint8 "h w 3"
    limits: Limits = DEFAULT_LIMITS
    state: str = ""  # of the folder as it was read: no change of others is written over

    @property
    def key(self) -> str:
        """Names the run: hashes of image, report and model."""
        return run_key(self.image_sha256, self.report_sha256, str(self.result.model.get("sha256") or ""))


def formats_of(image: Image, options: Options) -> tuple[str, ...]:
    """Formats to write, in order: what was asked for, else the kind of the input.

    A DICOM input gets its masks as single files and as DICOM SEG. ``dicom-sr`` brings ``dicom-seg`` along,
    since it refers to its segments. Raises UsageError for a format that cannot hold the image and InputError
    for DICOM without ids: early, before a model runs.
    """
    volume = len(image.grid) == 3
    referable = image.source.kind == "dicom" and image.source.path is not None
    if not options.formats:
        own = OWN.get(image.source.kind, "nifti" if volume else "png")
        return (own, "dicom-seg") if referable else (own,)
    asked = tuple(dict.fromkeys(name for name in options.formats if name != "json"))
    if volume and "png" in asked:
        raise UsageError("--format: png cannot hold a volume; use nifti or nrrd")
    objects = [name for name in asked if name in DICOM_FORMATS]
    if objects and not referable:
        raise UsageError(
            f"--format {', '.join(objects)}: a DICOM object refers to DICOM images, but the input is "
            f"{image.source.kind}; use nifti, nrrd, png or fhir"
        )
    if objects:
        from medsegr.io.dicom_source import check_referable

        check_referable(image)
    if "rtstruct" in asked:
        from medsegr.io.dicom_rt import check_placed

        check_placed(image)
    if "dicom-sr" in asked and "dicom-seg" not in asked:
        asked = (*asked, "dicom-seg")
    return asked


def write_all(run: Run, folder: Path, formats: Sequence[str], options: Options) -> Written:
    """Write every format into an existing folder. Findings without a mask are in the reports only."""
    result = run.result
    single = [name for name in formats if name in MASK_FORMATS]
    masks = _single_masks(result, folder, single)
    segments = segments_of(result, run.key, ends="dicom-sr" in formats)
    shown = drawn(segments)
    notes: list[tuple[str, str]] = []
    if shown and (options.combined or {"nifti", "nrrd"} & set(single)):
        _labels(result.image, segments, folder, single, options.combined)
    if "nrrd" in formats and shown:
        from medsegr.io.nrrd_seg import write_seg_nrrd

        write_seg_nrrd(result.image, segments, folder / FILES["nrrd"])
    if "fhir" in formats:
        from medsegr.io.fhir import bundle

        made = bundle(segments, maker_of(result, run.version), run.key, options.subject)
        write_json(made, folder / FILES["fhir"])
    objects = [name for name in formats if name in DICOM_FORMATS]
    if objects:
        try:
            notes += _objects(run, segments, folder, objects, options)
        except InputError as error:
            if options.formats:
                raise  # asked for by name: no silent lack
            notes.append(("dicom_seg_not_written", str(error)))
    numbered = {s.id: n for n, s in enumerate(shown, 1)}
    for kind in DICOM_MASKS:
        if not masks and (folder / FILES[kind]).is_file():
            masks = dict.fromkeys(numbered, FILES[kind])
    return Written(masks, numbered, tuple(notes))


def _single_masks(result: Result, folder: Path, formats: Sequence[str]) -> dict[str, str]:
    """``masks/<id>.*`` and the report-free ``masks/<id>_free.*``; finding id -> path in the first format."""
    first: dict[str, str] = {}
    (folder / "masks").mkdir(exist_ok=True)
    for item in result.findings:
        for kind in formats if item.mask is not None else ():
            for mask, tail in ((item.mask, ""), (item.free_mask, "_free")):
                if mask is None:
                    continue
                stem = folder / "masks" / f"{item.finding.id}{tail}"
                path = write_mask(mask, result.image, stem, kind, item.finding.name or item.finding.id)
                if not tail:
                    first.setdefault(item.finding.id, f"masks/{path.name}")
    return first


def _labels(
    image: Image, segments: Sequence[Segment], folder: Path, formats: Sequence[str], combined: bool
) -> None:
    """``labels.json``: names, codes, colours, overlaps; and the one label map where it is asked for."""
    shown = drawn(segments)
    files = {}
    if combined:
        names = {number: segment.name for number, segment in enumerate(shown, 1)}
        labels = label_map(segments)
        for kind in formats:
            files[kind] = write_labels(labels, image, folder / "masks" / "combined", kind, names).name
    told = {
        "schema": "medsegr.labels/1",
        "combined": sorted(files.values()),
        "labels": [_label(number, segment) for number, segment in enumerate(shown, 1)],
        "overlaps": [{"of": list(pair), "voxels": count} for pair, count in overlaps(segments).items()],
        "rule": "where masks overlap the combined map shows the smaller one; each mask is whole in "
        "its own file",
    }
    write_json(told, folder / "labels.json")
    if combined:
        with atomic_write(folder / "labels.txt") as part:
            part.write_text(itksnap(shown), encoding="utf-8")


def itksnap(shown: Sequence[Segment]) -> str:
    """Names and colours of the labels of a combined map, as ITK-SNAP imports label descriptions."""
    lines = ["# ITK-SnAP Label Description File", "# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL"]
    lines.append('    0     0    0    0        0  0  0    "Clear Label"')
    for number, segment in enumerate(shown, 1):
        red, green, blue = segment.colour
        name = " ".join(segment.name.replace('"', "'").split())
        lines.append(f'{number:5d}  {red:4d} {green:4d} {blue:4d}        1  1  1    "{name}"')
    return "\n".join(lines) + "\n"


def _label(number: int, segment: Segment) -> dict[str, Any]:
    def code(value: Any) -> dict[str, str] | None:
        if value is None:
            return None
        return {"scheme": value.scheme, "value": value.value, "meaning": value.meaning}

    return {
        "label": number,
        "id": segment.id,
        "name": segment.name,
        "colour": list(segment.colour),
        "category": code(segment.category),
        "type": code(segment.kind),
        "region": code(segment.site),
        "side": code(segment.side),
        "tracking_uid": segment.uid,
    }


def _objects(
    run: Run, segments: Sequence[Segment], folder: Path, formats: Sequence[str], options: Options
) -> list[tuple[str, str]]:
    """The DICOM objects. What has no content is left out with a warning: never an empty segmentation."""
    from medsegr.io.dicom_objects import save_object
    from medsegr.io.dicom_sc import make_sc
    from medsegr.io.dicom_source import sources_of
    from medsegr.io.dicom_sr import make_sr

    image, maker = run.result.image, maker_of(run.result, run.version)
    sources = sources_of(image, run.limits)
    made = _mask_objects(run, segments, sources, formats, options)
    notes = []
    lacking = [name for name in formats if name in DICOM_MASKS and name not in made]
    if lacking and options.formats:
        told = f"no mask was drawn, so no {' and no '.join(map(NAMES.__getitem__, lacking))} was written"
        notes.append(("no_segments", f"{told}: it may not be empty"))
    for name, ds in made.items():
        save_object(ds, folder / FILES[name])
    if "dicom-sr" in formats:
        if segments:
            told_in = made.get("dicom-seg")
            save_object(make_sr(image, segments, sources, maker, told_in), folder / FILES["dicom-sr"])
        else:
            notes.append(
                ("no_findings", "there is no finding, so no DICOM SR was written: it may not be empty")
            )
    if "dicom-sc" in formats and run.overlay is not None:
        save_object(make_sc(run.overlay, sources, maker), folder / FILES["dicom-sc"])
    return notes


def _mask_objects(
    run: Run, segments: Sequence[Segment], sources: "Sources", formats: Sequence[str], options: Options
) -> "dict[str, Dataset]":
    """The objects that hold masks, by format; none where there is no mask."""
    from medsegr.io.dicom_rt import make_rt
    from medsegr.io.dicom_seg import make_seg

    image, maker = run.result.image, maker_of(run.result, run.version)
    made: dict[str, Dataset] = {}
    if drawn(segments) and "dicom-seg" in formats:
        made["dicom-seg"] = make_seg(image, segments, sources, maker, options.seg_type)
    if drawn(segments) and "rtstruct" in formats:
        made["rtstruct"] = make_rt(image, segments, sources, maker)
    return made


def report_hash(result: Result) -> str | None:
    """sha256 of the report's text, None without one."""
    return None if result.report is None else text_hash(result.report.text)


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of a result folder; InputError where it is none of ours."""
    try:
        told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told = None
    if not isinstance(told, dict) or not str(told.get("schema", "")).startswith("medsegr.manifest/"):
        if (folder / "jobs.jsonl").is_file():
            raise InputError(
                "this is the output of a batch, a folder a job: give one of these, -o and its id"
            )
        raise InputError(
            "the folder holds no manifest.json of medsegr: a result of 'medsegr segment' was "
            "expected; give its -o"
        )
    return told
