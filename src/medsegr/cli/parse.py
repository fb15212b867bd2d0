"""``medsegr parse``: the findings of a report, without any image."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from medsegr.cli.flags import Json, LogFlags, SeenFlags, frame_of, grouped, naming, option
from medsegr.cli.llm_flags import LlmFlags, endpoint_of
from medsegr.cli.logs import LOG, set_up
from medsegr.cli.parse_many import TableFlags, many
from medsegr.cli.shown import ShowFlags, check_flags, explain, write_page
from medsegr.errors import UsageError
from medsegr.results.schema import parse_json, parsed_json, words_reason

if TYPE_CHECKING:
    from medsegr.findings import Report


@dataclass(frozen=True)
class ParseFlags:
    """What is read and where it goes."""

    report: Annotated[
        str | None, option("--report", "-r", metavar="FILE|-", help="A whole report; - reads stdin.")
    ] = None
    text: Annotated[str | None, option("--text", "-t", metavar="TEXT", help="The words themselves.")] = None
    jobs: Annotated[
        Path | None,
        option(
            "--jobs", help='Many reports: JSON lines {"id","report" or "text"}, a JSON array, .csv or .tsv.'
        ),
    ] = None
    output: Annotated[
        Path | None, option("--output", "-o", help="File to write, as JSON; stdout without it.")
    ] = None
    json: Json = False


@grouped
def command(
    flags: ParseFlags, show: ShowFlags, tables: TableFlags, image: SeenFlags, llm: LlmFlags, logs: LogFlags
) -> int:
    """Read a report and list what it says: present, absent, uncertain, where and how."""
    set_up(logs)
    if sum(value is not None for value in (flags.report, flags.text, flags.jobs)) != 1:
        raise UsageError("give one of -r FILE, -t TEXT and --jobs FILE.jsonl")
    if flags.text is not None and not flags.text.strip():
        raise UsageError("-t is empty: write what is meant")
    check_flags(show, flags.jobs is not None, flags.json or flags.output is not None)
    endpoint = endpoint_of(llm)
    if flags.jobs is not None:
        return many((flags.jobs, tables), flags.output, image, parsed_json, endpoint)
    if tables.column or tables.id_column:
        raise UsageError("--column and --id-column belong to --jobs")
    from medsegr.words import report_of_text

    with naming({None: "-t", "-": "standard input"}.get(flags.report, flags.report)):
        text, notes = _text(flags)
        report = report_of_text(text, image.modality, frame_of(image.frame))
    if endpoint is not None:
        from medsegr.report.llm import consult

        report = consult(report, endpoint, modality=image.modality, frame=frame_of(image.frame))
    told = parse_json(report, notes)
    if not (flags.json or flags.output):
        for warning in told["warnings"]:
            LOG.warning("%s: %s", warning["code"], warning["message"])
    if show.html is not None:
        write_page(report, show.html)
    if show.explain:
        explain(report)
        return 0
    lines = json.dumps(told, indent=1, ensure_ascii=False) if flags.json or flags.output else table(report)
    write(lines + "\n", flags.output)
    return 0


def _text(flags: ParseFlags) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The words and warnings about how they were read."""
    if flags.report is None:
        return flags.text or "", ()
    from medsegr.report.read import read_report

    return read_report(flags.report)


def table(report: "Report") -> str:
    """A line a finding for a person: id, polarity, side, name, phrase."""
    rows = [("id", "polarity", "side", "concept", "reason", "phrase")]
    for finding in report.findings:
        side = finding.location.side or ""
        rows.append(
            (
                finding.id,
                finding.polarity,
                side,
                finding.name or "?",
                words_reason(finding) or "",
                _on_a_line(finding.phrase),
            )
        )
    rows += [("-", "unread", "", "?", "", _on_a_line(report.text[slice(*span)])) for span in report.unread]
    if len(rows) == 1:
        return "no findings"
    widths = [max(len(row[n]) for row in rows) for n in range(5)]
    return "\n".join(
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[5]]).rstrip()
        for row in rows
    )


def _on_a_line(phrase: str) -> str:
    """Words as a terminal may show them: it obeys control characters, and a report is anybody's text."""
    return " ".join("".join(c if c.isprintable() else " " for c in phrase).split())


def write(text: str, output: Path | None) -> None:
    """To a file, whole or not at all, or to stdout."""
    if output is None:
        sys.stdout.write(text)
        return
    from medsegr.io.write import atomic_write

    with naming(output), atomic_write(output) as part:
        part.write_text(text, encoding="utf-8")
