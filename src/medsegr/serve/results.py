"""Results of a job in every format of ``medsegr convert``: as files of one kind, or as one archive."""

import csv
import io
import json
import threading
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from fastapi import APIRouter
from fastapi.responses import FileResponse

from medsegr.errors import UsageError
from medsegr.io.write import atomic_folder, atomic_write
from medsegr.options import DICOM_FORMATS, Options
from medsegr.results.coding import maker_of, segments_of
from medsegr.results.export import FILES, Run, formats_of, write_all
from medsegr.results.overlay import WHY
from medsegr.results.reopen import reopen
from medsegr.serve import folders
from medsegr.serve.refusal import Refusal
from medsegr.serve.rows import JobRow
from medsegr.serve.service import Service
from medsegr.serve.sources import choices_of, source_of
from medsegr.serve.wire import problems
from medsegr.serve.wording import said_here

Format = Literal[
    "json",
    "manifest",
    "overlay",
    "csv",
    "png",
    "nifti",
    "nrrd",
    "dicom-seg",
    "rtstruct",
    "dicom-sr",
    "dicom-sc",
    "fhir",
    "zip",
]
FORMATS: tuple[str, ...] = get_args(Format)
WRITTEN = {"json": "findings.json", "manifest": "manifest.json", "overlay": "overlay.png"}
KINDS = {
    ".json": "application/json",
    ".png": "image/png",
    ".csv": "text/csv; charset=utf-8",
    ".zip": "application/zip",
    ".dcm": "application/dicom",
    ".gz": "application/gzip",
}
PACKED = (".png", ".gz", ".zip")
EXPORT = "export"
OBJECTS = (*DICOM_FORMATS, "fhir")  # one file each
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
FIRST = ("id", "name", "side", "polarity", "status", "reason", "score", "presence", "phrase")
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # of members of an archive: the same result gives the same bytes


def file_of(service: Service, row: JobRow, kind: str) -> Path:
    """The file of a result in a format: as it lies there, or made now and kept with the job. InputError or
    UsageError where the format cannot hold it; Refusal ``not_found`` where there is nothing to hold."""
    out = service.folders.out(row.id)
    if kind in WRITTEN:
        return out / WRITTEN[kind]
    if kind in OBJECTS and (out / FILES[kind]).is_file():  # the job wrote it: no second object beside it
        return out / FILES[kind]
    made = service.folders.job(row.id) / EXPORT / kind
    if not made.is_dir():
        with atomic_folder(made) as part:
            if kind == "csv":
                told = json.loads((out / "findings.json").read_text(encoding="utf-8"))
                with atomic_write(part / "measurements.csv") as half:
                    half.write_text(table(told["findings"]), encoding="utf-8", newline="")
            elif kind == "zip":
                _pack(out, part / "result.zip")
            else:
                _export(service, row, kind, part)
    return next(iter(sorted(made.iterdir())))


def _export(service: Service, row: JobRow, kind: str, part: Path) -> None:
    """Write one format below ``part``: a file, or an archive of several."""
    place = service.folders.image(row.image)
    asked = (folders.read_json(place / "image.json") or {}).get("asked", {})
    run = reopen(service.folders.out(row.id), source_of(place), service.settings.limits, choices_of(asked))
    options = Options(formats=(kind,))
    chosen = formats_of(run.result.image, options)
    work = part / "work"
    work.mkdir()
    try:
        if kind == "dicom-sr":
            notes = _report(service, row, run, work)
        else:
            notes = write_all(run, work, chosen, options).notes
        files = [path for path in sorted(work.rglob("*")) if path.is_file()]
        if not files:
            told = "; ".join(text for _, text in notes)
            raise Refusal("not_found", told or "no mask was drawn, so there is nothing to write")
        if len(files) == 1:
            files[0].rename(part / files[0].name)
        else:
            _pack(work, part / "masks.zip")
    finally:
        folders.remove(work)


def _report(service: Service, row: JobRow, run: Run, work: Path) -> tuple[tuple[str, str], ...]:
    """The DICOM SR, which refers to the segments of the very SEG that the job has."""
    from highdicom.seg import segread

    from medsegr.io.dicom_objects import save_object
    from medsegr.io.dicom_source import sources_of
    from medsegr.io.dicom_sr import make_sr

    segments = segments_of(run.result, run.key)
    if not segments:
        return (("no_findings", "there is no finding, so there is no DICOM SR: it may not be empty"),)
    try:
        seg = segread(file_of(service, row, "dicom-seg"))
    except Refusal:  # nothing was drawn
        seg = None
    sources = sources_of(run.result.image, run.limits)
    made = make_sr(run.result.image, segments, sources, maker_of(run.result, run.version), seg)
    save_object(made, work / FILES["dicom-sr"])
    return ()


def _pack(folder: Path, to: Path) -> None:
    """All files of a folder as an archive, under their names in it."""
    with atomic_write(to) as half, zipfile.ZipFile(half, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), LONG_AGO)
            packed = path.suffix in PACKED
            info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as member:
                while piece := source.read(2**20):
                    member.write(piece)


def table(findings: Sequence[Mapping[str, Any]]) -> str:
    """Findings and their measurements as CSV, a row a finding. A cell that a spreadsheet would take for a
    formula gets an apostrophe in front."""
    names: dict[str, str] = {}
    for item in findings:
        for name, told in (item.get("measurements") or {}).items():
            names.setdefault(name, f"{name} [{told['unit']}]" if told.get("unit") else name)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*FIRST, *names.values(), "notes"])
    for item in findings:
        numbers = item.get("measurements") or {}
        first = {**item, "side": item["location"]["side"]}
        notes = [WHY[item["reason"]]] if item.get("reason") in WHY else []
        notes += [f"{name}: {m['status']}" for name, m in numbers.items() if m["status"] != "ok"]
        notes += [
            f"{check['name']}: {check['detail']}" for check in item["checks"] if check["outcome"] != "pass"
        ]
        cells = [first.get(name) for name in FIRST]
        cells += [numbers.get(name, {}).get("value") for name in names]
        writer.writerow([_cell(cell) for cell in (*cells, "; ".join(notes))])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return value


def _sent(row: JobRow, path: Path) -> FileResponse:
    suffix = path.suffix.lower()
    return FileResponse(
        path,
        media_type=KINDS.get(suffix, "application/octet-stream"),
        filename=f"medsegr-{row.id[1:9]}-{path.name}",
        headers={"Cache-Control": "no-store"},
    )


def router(service: Service) -> APIRouter:
    """The one route."""
    routes = APIRouter(prefix="/v1/jobs", tags=["results"])
    one_at_a_time = threading.Lock()  # an export holds the image in memory

    @routes.get(
        "/{job}/result",
        response_class=FileResponse,
        responses=problems("not_found", "not_done", "wrong_arguments", "input_refused", "invalid"),
    )
    def result(job: str, format: Format = "json") -> FileResponse:
        """The result of a job: one file as itself, several as a zip."""
        row = service.done(job)
        if format in WRITTEN:
            return _sent(row, file_of(service, row, format))
        with one_at_a_time:
            try:
                return _sent(row, file_of(service, row, format))
            except FileNotFoundError as error:  # deleted meanwhile
                raise Refusal("not_found", "the result has gone meanwhile") from error
            except UsageError as error:
                raise Refusal("wrong_arguments", said_here(str(error))) from error

    return routes
