"""``medsegr parse --jobs``: a line of findings for every report of a file."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from medsegr.cli.flags import SeenFlags, frame_of, naming, option
from medsegr.cli.logs import LOG, say_error
from medsegr.errors import InputError, MedsegrError

if TYPE_CHECKING:
    from medsegr.cli.tables import Row
    from medsegr.findings import Finding
    from medsegr.report.llm import Endpoint

AsJson = Callable[["Finding"], dict[str, Any]]
MOST_SILENT = 3  # unanswered questions in a row after which the language model is no longer asked


@dataclass(frozen=True)
class TableFlags:
    """Which columns of a table are read."""

    column: Annotated[
        list[str],
        option(
            "--column",
            metavar="NAME",
            help="With --jobs: the column with the reports; again for more, joined as sections.",
        ),
    ] = field(default_factory=list)
    id_column: Annotated[
        str | None,
        option("--id-column", metavar="NAME", help="With --jobs: the column with the ids; else id."),
    ] = None


def many(
    source: tuple[Path, TableFlags],
    output: Path | None,
    image: SeenFlags,
    as_json: AsJson,
    llm: "Endpoint | None" = None,
) -> int:
    """One line ``{"id", "findings", ...}`` a report, in the order of ``source``: a file and flags of it.

    The file is read twice, a row at a time: one bad row refuses it whole before anything is written. Returns
    4 where some reports could not be read.
    """
    from medsegr.cli.tables import columns_of, read_rows

    path, columns = source[0], columns_of(source[1].column, source[1].id_column)
    with naming(path):
        if path.exists() and not path.is_file():
            raise InputError("it is no regular file, which is read twice; save the reports as a file first")
        if output is not None and output.exists() and output.samefile(path):
            raise InputError("the findings would be written over the reports; give -o another name")
        total = sum(1 for _ in read_rows(path, columns))
    failed = 0
    asked = llm
    silent = 0
    with _sink(output) as write, naming(path), closing(read_rows(path, columns)) as rows:
        for row in rows:
            told, answered = _read(row, path.parent, (image, as_json, asked))
            silent = 0 if answered else silent + 1
            if asked is not None and silent == MOST_SILENT:
                LOG.warning(
                    "llm_stopped: %d reports in a row got no answer; the rest is read by rules", silent
                )
                asked = None
            failed += "error" in told
            write(json.dumps(told, ensure_ascii=False) + "\n")
    if failed:
        say_error(f"{failed} of {total} reports could not be read")
    return 4 if failed else 0


def _no_path(text: str, folder: Path) -> None:
    """InputError where the words of a row are the name of a file, as in a jobs file of ``medsegr segment``:
    nothing would be found in them, and nobody told."""
    if text.strip() and "\n" not in text and os.path.isfile(folder / text.strip()):  # never raises
        raise InputError(
            "a file's name came where the words themselves were expected; 'medsegr segment --jobs' reads "
            "files of reports, 'medsegr parse -r FILE' reads one"
        )


def _read(
    row: "Row", folder: Path, how: "tuple[SeenFlags, AsJson, Endpoint | None]"
) -> tuple[dict[str, Any], bool]:
    """The line of one report, and whether the language model answered (True where none was asked).
    ``folder`` is that of the table."""
    from medsegr.report.llm import consult, unanswered
    from medsegr.results.schema import unread_json
    from medsegr.words import report_of_text

    image, as_json, llm = how
    try:
        _no_path(row.text, folder)
        modality, frame = row.modality or image.modality, frame_of(row.frame or image.frame)
        report = report_of_text(row.text, modality, frame)
        if llm is not None:
            report = consult(report, llm, modality=modality, frame=frame)
    except MedsegrError as error:
        return {"id": row.id, "findings": [], "error": str(error)}, True
    told: dict[str, Any] = {"id": row.id, "findings": [as_json(finding) for finding in report.findings]}
    if report.unread:
        told["unread"] = unread_json(report)
    if row.parts:
        told["columns"] = {name: list(span) for name, span in row.parts.items()}
    if llm is not None or report.warnings:
        told["warnings"] = [{"code": code, "message": message} for code, message in report.warnings]
    return told, not unanswered(report)


@contextmanager
def _sink(output: Path | None) -> Iterator[Callable[[str], object]]:
    """Where lines go: stdout, or a file that appears whole or not at all."""
    if output is None:
        yield sys.stdout.write
        return
    from medsegr.io.write import atomic_write

    with naming(output), atomic_write(output) as part, part.open("w", encoding="utf-8") as handle:
        yield handle.write
