"""A Result as files: findings.json, masks/, overlay.png, explain/, manifest.json; all of them or none.

A folder is written under a temporary name beside its place and then renamed. A folder that exists is taken
when it is empty or ours (it holds a manifest.json of medsegr): its files are replaced one by one,
manifest.json last, and files that the old manifest lists and the new one does not are removed; a person's own
files in it stay. Any other folder is refused.
"""

import hashlib
import json
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.errors import InputError, UsageError
from medsegr.explain import heat_map, scaled
from medsegr.io.pictures import pixels_told
from medsegr.io.segments import rounded
from medsegr.io.write import atomic_folder, check_room, holds_anything, write_json, write_labels
from medsegr.options import DICOM_MASKS, MASK_FORMATS, Options
from medsegr.results.export import Run, Written, formats_of, report_hash, write_all
from medsegr.results.overlay import NOTICE, draw
from medsegr.results.schema import finding_json, report_json, text_hash
from medsegr.reviews import review_json
from medsegr.types import FindingResult, Image, Measurement, Result

FINDINGS_SCHEMA = "medsegr.findings/1"
MANIFEST_SCHEMA = "medsegr.manifest/1"
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
KEPT = "revisions"  # below a result: what stood there before a person corrected it
LISTED = re.compile(r"((masks|explain)/)?[A-Za-z0-9][A-Za-z0-9._-]*")
PACKAGES = ("numpy", "torch", "pillow", "nibabel", "pydicom", "highdicom", "SimpleITK", "safetensors")


def save(
    result: Result,
    out_dir: Path | str,
    options: Options | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write everything into ``out_dir`` and return it.

    ``extra`` goes into the manifest as it is (device, seconds, job key).

    Raises InputError for a folder that is not ours, UsageError for a format that cannot hold the image.
    """
    out, options = Path(out_dir), options or Options()
    check_free(out)
    formats = formats_of(result.image, options)
    _check_ids(result)
    before = _listed(out)
    with atomic_folder(out) as folder:
        picture = draw(result)
        picture.save(folder / "overlay.png")
        own = image_json(result.image)["sha256"]
        told = (report_hash(result), np.asarray(picture))
        written = write_all(
            Run(result, own, package_version("medsegr") or "0", *told), folder, formats, options
        )
        result = replace(result, warnings=(*result.warnings, *written.notes, *_unwritten(result, formats)))
        write_json(findings_json(result, written, options.keep_text), folder / "findings.json")
        if options.explain:
            _write_heat(result, folder)
        files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        listed = [{"path": name, "sha256": file_hash(folder / name)} for name in files]
        write_json(manifest_json(result, options, listed, extra or {}), folder / "manifest.json")
    for stale in before - set(files):
        (out / stale).unlink(missing_ok=True)
    return out


def _unwritten(result: Result, formats: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The warning that masks were drawn which no file holds."""
    held = {*MASK_FORMATS, *DICOM_MASKS} & {*formats}
    if not held and any(item.mask is not None for item in result.findings):
        note = "masks were drawn and measured but not written: no format that holds a mask was asked for"
        yield "masks_not_written", note


def _listed(folder: Path) -> set[str]:
    """Files that the folder's manifest lists, as far as they are plain names below it."""
    if not is_ours(folder):
        return set()
    told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    names = {str(item.get("path")) for item in told.get("files", ()) if isinstance(item, dict)}
    return {name for name in names if LISTED.fullmatch(name)}


def is_ours(folder: Path) -> bool:
    """Whether a folder holds a manifest that medsegr wrote."""
    try:
        told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and str(told.get("schema", "")).startswith("medsegr.manifest/")


def check_free(out: Path) -> None:
    """Refuse to write over anything that is not ours, and where nothing can be written."""
    if out.exists() and not out.is_dir():
        raise InputError("the output is a file where a folder was expected; give -o a folder")
    if out.is_dir() and holds_anything(out) and not is_ours(out):
        raise InputError(
            "the output folder holds files that medsegr did not write; give -o a new or empty folder"
        )
    if (out / KEPT).is_dir() and holds_anything(out / KEPT):
        raise InputError(
            f"the output folder holds masks that a person corrected ({KEPT}/), which would be lost; give "
            "-o a new folder, or remove this one"
        )
    check_room(out)


def _check_ids(result: Result) -> None:
    seen: set[str] = set()
    for item in result.findings:
        key = item.finding.id.lower()
        if not SAFE_ID.fullmatch(item.finding.id) or key in seen:
            raise UsageError(
                "finding ids become file names: each must be its own, of letters, digits, '.', '_' or '-'"
            )
        seen.add(key)


def _write_heat(result: Result, folder: Path) -> None:
    (folder / "explain").mkdir()
    for item in result.findings:
        picture = heat_map(result.image, item)
        if picture is not None and item.attention is not None:
            picture.save(folder / "explain" / f"{item.finding.id}.png")
            kind = "png" if len(result.image.grid) == 2 else "nifti"
            stem = folder / "explain" / f"{item.finding.id}_map"
            write_labels(scaled(item.attention), result.image, stem, kind, {})


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def is_hash_of(path: Path, sha256: str, noted: str) -> bool:
    """Whether a result's note of its image, ``noted``, means the image that was read from ``path`` and has
    ``sha256``. Results of medsegr 0.1.0 noted the hash of a zip itself, not of what it holds."""
    return noted == sha256 or (path.is_file() and file_hash(path) == noted)


def findings_json(result: Result, written: Written, keep_text: bool = False) -> dict[str, Any]:
    """The content of findings.json; ``written``: which file holds which mask.

    ``medsegr info --schema`` describes it.
    """
    return {
        "schema": FINDINGS_SCHEMA,
        "report": report_json(result.report, keep_text),
        "image": image_json(result.image),
        "model": dict(result.model),
        "findings": [result_json(item, written) for item in result.findings],
        "warnings": [{"code": code, "message": message} for code, message in result.warnings],
    }


def image_json(image: Image) -> dict[str, Any]:
    """Hash, grid, spacing, modality and frame of an image; never its path."""
    own = image.source.sha256 or hashlib.sha256(np.ascontiguousarray(image.data).tobytes()).hexdigest()
    return {
        "sha256": own,
        "grid": list(image.grid),
        "spacing_mm": None if image.spacing is None else [round(float(step), 6) for step in image.spacing],
        "modality": image.modality,
        "frame": image.frame,
        "frame_from": image.source.frame_from,
    }


def result_json(item: FindingResult, written: Written) -> dict[str, Any]:
    """One entry of the findings in findings.json."""
    numbers = item.measurements
    return finding_json(item.finding) | {
        "status": item.status,
        "reason": item.reason,
        "mask": written.masks.get(item.finding.id),
        "segment": written.segments.get(item.finding.id),
        "score": None if item.score is None else round(item.score, 4),
        "presence": None if item.presence is None else round(item.presence, 4),
        "measurements": None if numbers is None else measurements_json(numbers),
        "checks": [
            {"name": check.name, "outcome": check.outcome, "detail": check.detail} for check in item.checks
        ],
        **({} if item.review is None else {"review": review_json(item.review)}),
    }


def measurements_json(numbers: Mapping[str, Measurement]) -> dict[str, dict[str, Any]]:
    """Each number with unit and status, and ``of`` where it has another end."""
    return {
        name: {
            "value": None if m.value is None else rounded(m.value),
            "unit": m.unit,
            "status": m.status,
            **({} if m.of is None else {"of": m.of}),
        }
        for name, m in numbers.items()
    }


def manifest_json(
    result: Result, options: Options, files: list[dict[str, str]], extra: Mapping[str, Any]
) -> dict[str, Any]:
    """How the folder was made: versions, model, device, seconds, inputs by hash, options, files.

    No name, path or report text.
    """
    source, report = result.image.source, result.report
    seconds = {
        name: round(float(value), 4) for name, value in {**result.timing, **extra.get("seconds", {})}.items()
    }
    return {
        "schema": MANIFEST_SCHEMA,
        "notice": NOTICE,
        "medsegr": package_version("medsegr"),
        "versions": {
            "python": platform.python_version(),
            **{name: package_version(name) for name in PACKAGES},
        },
        "platform": f"{sys.platform} {platform.machine()}",
        "model": dict(result.model),
        "device": extra.get("device", "cpu"),
        "seconds": seconds,
        "inputs": {
            "image": {
                "id": "image",
                "kind": source.kind,
                "sha256": image_json(result.image)["sha256"],
                **({"series": source.meta["series"]} if "series" in source.meta else {}),
                **({"pixels": pixels} if (pixels := pixels_told(result.image)) else {}),
            },
            "report": None if report is None else {"id": "report", "sha256": text_hash(report.text)},
        },
        "options": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(options).items()
            if name != "subject"  # it names a patient
        },
        **{name: value for name, value in extra.items() if name not in ("device", "seconds")},
        "findings": {
            "total": len(result.findings),
            "masks": sum(item.mask is not None for item in result.findings),
        },
        "files": files,
        "warnings": [{"code": code, "message": message} for code, message in result.warnings],
    }


def package_version(name: str) -> str | None:
    """Installed version of a package; None where it is absent."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
