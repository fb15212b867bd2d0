"""``medsegr segment``: one image with its words, or a batch of jobs, to a folder of masks."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medsegr.cli.flags import ImageFlags, LogFlags, ModelFlags, OutFolder, WordFlags, grouped, listed
from medsegr.cli.logs import LOG, set_up
from medsegr.errors import UsageError

if TYPE_CHECKING:
    from medsegr.options import Options
    from medsegr.types import Result


@dataclass(frozen=True)
class Where:
    """What goes in and out."""

    input: Annotated[Path | None, typer.Option("--input", "-i", help="PNG, JPEG, TIFF, BMP, NIfTI, NRRD, MHA or DICOM.")] = None
    output: OutFolder = None
    format: Annotated[str, typer.Option("--format", help="png, nifti, nrrd, json; several with commas.")] = ""


@dataclass(frozen=True)
class Draw:
    """What is drawn and checked."""

    polarity: Annotated[str, typer.Option("--polarity", help="Findings to draw: present[,uncertain]; absent asks without drawing.")] = (
        "present"
    )
    section: Annotated[str, typer.Option("--section", help="Use these sections of the report only, for example findings.")] = ""
    side_check: Annotated[str, typer.Option("--side-check", help="strict (exit 5), warn or off.")] = "warn"
    explain: Annotated[bool, typer.Option("--explain", help="Write maps of where each phrase acted.")] = False
    report_mask: Annotated[
        bool, typer.Option("--report-mask/--no-report-mask", help="The report-free mask beside the guided one.")
    ] = True
    force: Annotated[bool, typer.Option("--force", help="Draw concepts that the model was not trained for, and mark them.")] = False
    keep_text: Annotated[bool, typer.Option("--keep-text", help="Write the report's text into findings.json.")] = False


@dataclass(frozen=True)
class Batch:
    """Many images at once."""

    jobs: Annotated[Path | None, typer.Option("--jobs", help='JSON lines: {"id","image","report" or "text" or "phrases"}.')] = None
    resume: Annotated[bool, typer.Option("--resume", help="Skip jobs whose result is complete and of the same input.")] = False
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that share the jobs.")] = 1


@grouped
def command(where: Where, words: WordFlags, image: ImageFlags, draw: Draw, batch: Batch, rest: "Rest") -> int:
    """Draw a mask for every finding that the report says is there.

    With neither -r, -t nor -p the model proposes findings by itself.
    """
    return 0


@dataclass(frozen=True)
class Rest:
    """Model and log."""
