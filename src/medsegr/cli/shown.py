"""How ``medsegr parse`` shows what it read: the report in colour, or with brackets where colour is not
wanted, and as a page of HTML."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from medsegr.cli.flags import naming, option
from medsegr.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from medsegr.findings import Report

WORD_STYLES = {"cue": "underline magenta", "place": "underline cyan", "look": "underline blue"}
GROUNDS = {"present": "bold green", "absent": "bold red", "uncertain": "bold yellow", "aside": "bold"}


@dataclass(frozen=True)
class ShowFlags:
    """How what was read is shown."""

    explain: Annotated[
        bool, option("--explain", help="Show the report with findings, cues and places marked.")
    ] = False
    html: Annotated[Path | None, option("--html", help="Write the marked report as one HTML page.")] = None


def check_flags(flags: ShowFlags, jobs: bool, as_json: bool) -> None:
    """UsageError for flags that do not go together."""
    if jobs and (flags.explain or flags.html):
        raise UsageError("--explain and --html show one report: give -r or -t, not --jobs")
    if flags.explain and as_json:
        raise UsageError("--explain is for reading: give it without --json and -o")


def write_page(report: "Report", path: Path) -> None:
    """The page, whole or not at all."""
    from medsegr.io.write import atomic_write
    from medsegr.report.show import as_html

    with naming(path), atomic_write(path) as part:
        part.write_text(as_html(report), encoding="utf-8")


def explain(report: "Report") -> None:
    """Print the marked report: in colour on a terminal, with brackets in a pipe and where NO_COLOR is set."""
    from medsegr.report.show import explained

    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    if plain:
        sys.stdout.write(explained(report) + "\n")
        return
    from rich.console import Console

    paint(report, Console(highlight=False))


def paint(report: "Report", console: "Console") -> None:
    """The report, a legend and the list of findings in colour."""
    from rich.text import Text

    from medsegr.report.show import LEGEND, ground, rows, table

    told = rows(report)
    claims = {row[0]: ground(finding) for row, finding in zip(told, report.findings, strict=True)}
    console.print(coloured(report, claims), soft_wrap=True)
    legend = Text("\n")
    for claim, style in GROUNDS.items():
        legend.append("present, not drawn" if claim == "aside" else claim, style).append(" ")
    legend.append(f"{LEGEND['phrase']}")
    for word, style in WORD_STYLES.items():
        legend.append(", ").append(word, style).append(f" {LEGEND[word]}")
    console.print(legend, soft_wrap=True)
    lines = table([("id", "finding", "claim", "cue", "what becomes of it"), *told]).split("\n")
    out = Text(f"\n{lines[0]}", "bold")
    for line, row in zip(lines[1:], told, strict=True):
        out.append(f"\n{line}", style=GROUNDS[claims[row[0]]].removeprefix("bold").strip())
    console.print(out, soft_wrap=True)


def coloured(report: "Report", claims: Mapping[str, str]) -> "Text":
    """The text of the report with the style of each piece; ids stand small behind each phrase."""
    from rich.text import Text

    from medsegr.report.show import pieces, shown

    out = Text()
    for piece in pieces(report):
        grounds = dict.fromkeys(GROUNDS[claims[id]] for id in piece.phrases)
        ground = next(iter(grounds)) if len(grounds) == 1 else "bold" if grounds else ""
        style = f"{ground.partition(' ')[0]} {WORD_STYLES[piece.word]}" if piece.word else ground
        out.append("".join(shown(report.text, *piece.span)), style.strip() or None)
        if piece.ends:
            out.append(f"[{','.join(piece.ends)}]", "dim")
    return out
