"""One finding of a result folder written anew; what was there before is kept under ``revisions/``.

The old entry of findings.json and the old mask files are copied there first, each whole, as
``revisions/<finding>-<revision>.json`` and ``.png``, ``.nii.gz`` or ``.nrrd``. Then masks, objects, overlay
and findings.json are written under a temporary name and moved over, manifest.json last. So whatever happens
in between, either the old mask or the new one is there whole.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.errors import InputError, UsageError
from medsegr.io.read import read_image
from medsegr.io.write import SUFFIXES, atomic_folder, atomic_write, write_json, write_mask
from medsegr.options import DICOM_FORMATS, DICOM_MASKS, Options
from medsegr.results.export import FILES, Run, Written, formats_of, manifest_of, write_all
from medsegr.results.overlay import draw
from medsegr.results.record import KEPT, file_hash, result_json
from medsegr.results.reopen import findings_of, on_grid, result_from, state_of
from medsegr.results.standing import Warned, own, standing
from medsegr.types import FindingResult, Result


def revise(
    folder: Path,
    run: Run,
    new: FindingResult,
    notes: tuple[tuple[str, str], ...] = (),
    undoes: bool = False,
) -> None:
    """Write ``new`` in place of the finding of its id into the folder that
    :func:`medsegr.results.reopen.reopen` read as ``run`` (with its image). ``notes`` are warnings to add.
    ``undoes``: ``new`` is the kept state that :func:`before` gave; it is no longer kept then, nor is what it
    replaces.

    Raises:
        InputError: a mask of the folder is missing, the folder cannot be written, or somebody else changed it
            since it was read: then nothing is written.
    """
    with alone(folder, run):
        _revise(folder, run, new, notes, undoes)


@contextmanager
def alone(folder: Path, run: Run) -> Iterator[None]:
    """Nobody else writes the folder that was read as ``run`` meanwhile; whoever does is waited for.

    InputError where somebody changed it since it was read. Systems without ``fcntl`` do not wait.
    """
    with _held(folder):
        if run.state and state_of(findings_of(folder)) != run.state:
            raise InputError("somebody else changed the folder meanwhile: nothing was written, do it again")
        yield


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:
        yield
        return
    place = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a share that knows no locks
            fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def _revise(
    folder: Path, run: Run, new: FindingResult, notes: tuple[tuple[str, str], ...], undoes: bool
) -> None:
    lost = [r.finding.id for r in run.result.findings if r.status == "segmented" and r.mask is None]
    if lost:
        raise InputError(f"the masks of {', '.join(lost)} are missing in the folder: segment again")
    told = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    manifest = manifest_of(folder)
    how = _formats(folder, run.result, manifest)
    last = max(_numbers(folder, new.finding.id), default=0)
    gone = set((folder / KEPT).glob(f"{new.finding.id}-{last}.*")) if undoes else set()
    if not undoes:
        _keep(folder, told, run, new.finding.id)
    results = tuple(new if old.finding.id == new.finding.id else old for old in run.result.findings)
    result = replace(run.result, findings=results)
    emptied = () if any(item.mask is not None for item in results) else _of_all_masks(folder)
    stale = {*gone, *emptied, *(_mask_files(folder, new.finding.id) if new.mask is None else ())}
    said = tuple((str(one["code"]), str(one["message"])) for one in told["warnings"])
    if undoes:
        notes = (*notes, *_kept_warnings(folder / KEPT / f"{new.finding.id}-{last}.json"))
    told["warnings"] = _listed(dict.fromkeys((*standing(said, new, results), *notes)))
    _write(folder, replace(run, result=result), (told, manifest), how, stale)
    for path in stale:
        path.unlink()


def _listed(warnings: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"code": code, "message": message} for code, message in warnings]


def _kept_warnings(path: Path) -> Warned:
    """What was warned of a kept state; () where the revision was written without it."""
    told = json.loads(path.read_text(encoding="utf-8")).get("warnings", ())
    return tuple((str(one["code"]), str(one["message"])) for one in told)


def before(folder: Path, run: Run, finding: str) -> FindingResult:
    """The finding as it was before its newest revision. UsageError where it was never revised."""
    number = max(_numbers(folder, finding), default=None)
    if number is None:
        raise UsageError(f"{finding} was never drawn again in this folder: there is nothing to undo")
    stem = f"{finding}-{number}"
    try:
        told = json.loads((folder / KEPT / f"{stem}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{KEPT}/{stem}.json is missing or damaged: this revision cannot be undone"
        ) from error
    mask = None
    for suffix in SUFFIXES.values():
        path = folder / KEPT / f"{stem}{suffix}"
        if path.is_file():
            found = read_image(path, limits=run.limits)
            if found.data[0].size != np.prod(run.result.image.grid):
                raise InputError(f"{KEPT}/{path.name} has another grid than the image; it cannot be undone")
            mask = on_grid(found, run.result.image, False)
            break
    return result_from(told, mask)


def with_free(folder: Path, run: Run, finding: str) -> FindingResult:
    """A finding of the run with its report-free mask, where the folder holds one: its checks compare them."""
    item = next(one for one in run.result.findings if one.finding.id == finding)
    for suffix in SUFFIXES.values():
        path = folder / "masks" / f"{finding}_free{suffix}"
        if path.is_file():
            found = read_image(path, limits=run.limits)
            if found.data[0].size == np.prod(run.result.image.grid):
                return replace(item, free_mask=on_grid(found, run.result.image, False))
    return item


def _numbers(folder: Path, finding: str) -> list[int]:
    names = (path.stem for path in (folder / KEPT).glob(f"{finding}-*.json"))
    tails = (name.removeprefix(f"{finding}-") for name in names)
    return [int(tail) for tail in tails if tail.isdigit()]


def _mask_files(folder: Path, finding: str) -> Iterator[Path]:
    for suffix in SUFFIXES.values():
        path = folder / "masks" / f"{finding}{suffix}"
        if path.is_file():
            yield path


def _of_all_masks(folder: Path) -> tuple[Path, ...]:
    """The files that hold every mask of the folder: without a mask they would go on telling the old ones."""
    names = [*(FILES[kind] for kind in (*DICOM_MASKS, "nrrd")), "labels.json", "labels.txt"]
    names += [f"masks/combined{suffix}" for suffix in SUFFIXES.values()]
    return tuple(path for name in names if (path := folder / name).is_file())


def _keep(folder: Path, told: Mapping[str, Any], run: Run, finding: str) -> None:
    entry = next(item for item in told["findings"] if item["id"] == finding)
    number = max(_numbers(folder, finding), default=-1) + 1
    for path in _mask_files(folder, finding):
        suffix = path.name.removeprefix(finding)
        with atomic_write(folder / KEPT / f"{finding}-{number}{suffix}") as part:
            shutil.copyfile(path, part)
    item = next(one for one in run.result.findings if one.finding.id == finding)
    if item.mask is not None and not any(_mask_files(folder, finding)):  # it lives in a DICOM object
        kind = "nifti" if len(run.result.image.grid) == 3 else "png"
        with atomic_write(folder / KEPT / f"{finding}-{number}{SUFFIXES[kind]}") as part:
            stem = part.with_name(part.name.removesuffix(SUFFIXES[kind]))
            write_mask(item.mask, run.result.image, stem, kind, item.finding.name or finding)
    said = own([(one["code"], one["message"]) for one in told["warnings"]], finding)
    with atomic_write(folder / KEPT / f"{finding}-{number}.json") as part:
        write_json({**entry, "warnings": _listed(said)}, part)


def _write(
    folder: Path,
    run: Run,
    files: tuple[dict[str, Any], dict[str, Any]],
    how: tuple[tuple[str, ...], Options],
    gone: set[Path],
) -> None:
    """``gone``: files that go."""
    (told, manifest), (formats, options) = files, how
    with atomic_folder(folder) as part:
        picture = draw(run.result)
        picture.save(part / "overlay.png")
        written = write_all(replace(run, overlay=np.asarray(picture)), part, formats, options)
        told["findings"] = [_entry(item, told, written) for item in run.result.findings]
        told["warnings"] += [one for one in _listed(written.notes) if one not in told["warnings"]]
        write_json(told, part / "findings.json")
        names = sorted(p.relative_to(part).as_posix() for p in part.rglob("*") if p.is_file())
        fresh = [{"path": name, "sha256": file_hash(part / name)} for name in names]
        kept = [
            f"{KEPT}/{p.name}" for p in sorted((folder / KEPT).glob("*")) if p.is_file() and p not in gone
        ]
        fresh += [{"path": name, "sha256": file_hash(folder / name)} for name in kept]
        known = {item["path"] for item in fresh}
        old = [item for item in manifest.get("files", []) if item.get("path") not in known]
        drawn = {item.finding.id for item in run.result.findings if item.mask is not None}
        empty = {item.finding.id for item in run.result.findings} - drawn
        old = [item for item in old if not _is_mask(str(item.get("path")), empty)]
        old = [item for item in old if folder / str(item.get("path")) not in gone]
        manifest["files"] = sorted([*old, *fresh], key=lambda item: str(item["path"]))
        manifest["formats"] = list(options.formats)  # where no mask is left their files are not there to tell
        manifest["findings"] = {"total": len(run.result.findings), "masks": len(drawn)}
        write_json(manifest, part / "manifest.json")


def _is_mask(path: str, findings: set[str]) -> bool:
    return any(path == f"masks/{name}{suffix}" for name in findings for suffix in SUFFIXES.values())


def _entry(item: FindingResult, told: Mapping[str, Any], written: Written) -> dict[str, Any]:
    """The new entry of a finding; of one that did not change only the places of its mask may differ."""
    old: dict[str, Any] = next(one for one in told["findings"] if one["id"] == item.finding.id)
    new = result_json(item, written)
    same = {key: value for key, value in new.items() if key not in ("mask", "segment")}
    known = {key: value for key, value in old.items() if key not in ("mask", "segment")}
    return new if same != known else {**old, "mask": new["mask"], "segment": new["segment"]}


def _formats(folder: Path, result: Result, manifest: Mapping[str, Any]) -> tuple[tuple[str, ...], Options]:
    """What the folder holds, so that all of it tells the new mask: formats, and how they were written."""
    ids = [item.finding.id for item in result.findings]
    found = [
        kind
        for kind, suffix in SUFFIXES.items()
        if any((folder / "masks" / f"{name}{suffix}").is_file() for name in ids)
    ]
    objects = [
        name for name, file in FILES.items() if name in (*DICOM_FORMATS, "fhir") and (folder / file).is_file()
    ]
    asked = manifest.get("options", {})
    before = () if any(item.mask is not None for item in result.findings) else manifest.get("formats", ())
    options = Options(
        formats=tuple(dict.fromkeys([*found, *objects, *before])),
        seg_type=str(asked.get("seg_type", "binary")),
        combined=bool(asked.get("combined", False)),
        subject=_subject(folder / FILES["fhir"]) if "fhir" in objects else "",
    )
    return formats_of(result.image, options), options


def _subject(path: Path) -> str:
    """Whom our bundle is about, "" where it does not say; no other file of ours tells that. InputError for a
    file that is no bundle of ours."""
    try:
        bundle = json.loads(path.read_text(encoding="utf-8"))
        (report,) = (
            entry["resource"]
            for entry in bundle["entry"]
            if entry["resource"]["resourceType"] == "DiagnosticReport"
        )
        return str(report.get("subject", {}).get("reference", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path.name} is damaged and cannot be written anew: remove it, or write it with medsegr convert"
        ) from error
