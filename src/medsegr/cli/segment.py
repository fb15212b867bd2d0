"""``medsegr segment``: one image with its words, or a batch of jobs, to a folder of masks."""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from medsegr.cli.flags import (
    CachedRunFlags,
    ExportFlags,
    ImageFlags,
    Limit,
    OutFolder,
    WordFlags,
    check_used,
    choices_of,
    frame_of,
    grouped,
    listed,
    naming,
    option,
)
from medsegr.cli.llm_flags import LlmFlags, endpoint_of
from medsegr.cli.logs import LOG, say_error, say_warning, set_up
from medsegr.errors import InputError, UsageError

if TYPE_CHECKING:
    from medsegr.options import Options
    from medsegr.report.llm import Endpoint
    from medsegr.types import Image, Report, Result


@dataclass(frozen=True)
class Where(ExportFlags):
    """What goes in and out."""

    input: Annotated[
        Path | None,
        option(
            "--input",
            "-i",
            help="PNG, JPEG, TIFF, BMP, NIfTI, NRRD, MHA, DICOM (file or folder), or a zip of one.",
        ),
    ] = None
    output: OutFolder = None
    limits: Limit = ""


@dataclass(frozen=True)
class Draw:
    """What is drawn and checked."""

    polarity: Annotated[
        str,
        option("--polarity", help="Findings to draw: present[,uncertain]; absent asks without drawing."),
    ] = "present"
    section: Annotated[
        str, option("--section", help="Use these sections of the report only, for example findings.")
    ] = ""
    side_check: Annotated[str, option("--side-check", help="strict (exit 5), warn or off.")] = "warn"
    explain: Annotated[bool, option("--explain", help="Write maps of where each phrase acted.")] = False
    report_mask: Annotated[
        bool,
        option("--report-mask/--no-report-mask", help="The report-free mask beside the guided one."),
    ] = True
    force: Annotated[
        bool, option("--force", help="Draw concepts that the model was not trained for, and mark them.")
    ] = False
    keep_text: Annotated[bool, option("--keep-text", help="Write the report's text into findings.json.")] = (
        False
    )


@dataclass(frozen=True)
class Batch:
    """Many images at once."""

    jobs: Annotated[
        Path | None,
        option(
            "--jobs",
            help='JSON lines: {"id","image","report" or "text" or "phrases","modality","frame"}, '
            "or a .csv with these columns; paths relative to the file.",
        ),
    ] = None
    resume: Annotated[
        bool, option("--resume", help="Skip jobs whose result is complete and of the same input.")
    ] = False
    workers: Annotated[int, option("--workers", min=1, help="Processes that share the jobs.")] = 1
    cluster: Annotated[
        str | None,
        option(
            "--cluster",
            metavar="local|auto|ray://HOST:PORT",
            help="Ray cluster whose workers share the jobs: a private one on this machine, the one that this "
            "machine is part of, or one elsewhere. All see the same files.",
        ),
    ] = None


@dataclass(frozen=True)
class SaidFlags(LlmFlags, WordFlags):
    """What is asked for, and who reads it besides the rules."""


@grouped
def command(
    where: Where, words: SaidFlags, image: ImageFlags, draw: Draw, batch: Batch, run: CachedRunFlags
) -> int:
    """Draw a mask for every finding that the report says is there.

    With neither -r, -t nor -p the model proposes findings by itself.
    """
    set_up(run)
    options = options_of(draw, where)
    stay_offline()
    if image.series == "list":
        return show_series(where.input, where.limits)
    if where.output is None:
        raise UsageError("-o is missing: give the folder to write into, for example -o out/")
    if batch.jobs is None:
        if batch.resume or batch.workers > 1 or batch.cluster is not None:
            raise UsageError("--resume, --workers and --cluster belong to --jobs")
        return one(where, words, image, options, run)
    if where.subject:
        raise UsageError("--subject names one patient, --jobs are many: use convert on each folder")
    endpoint = endpoint_of(words)
    if endpoint is not None and endpoint.cache is not None:  # workers may start in folders of their own
        endpoint = replace(endpoint, cache=endpoint.cache.resolve())
    told = (words.report, words.text, words.prompt, image.frame, image.modality, image.series)
    if where.input is not None or any(told) or image.film_frame is not None:
        raise UsageError(
            "--jobs came together with -i, -r, -t, -p, --frame, --modality, --series or --film-frame: write "
            "them into the jobs file"
        )
    from medsegr.cli import batch as batches
    from medsegr.io.limits import limits_from_text

    limits, choices = limits_from_text(where.limits), choices_of(image)
    plan = batches.Plan(
        where.output, options, run.model, run.device, run.threads, batch.resume, limits, choices
    )
    plan = replace(plan, backend=run.runtime, precision=run.precision, features=run.features, llm=endpoint)
    finish = None
    if batch.cluster is not None:
        from medsegr.cli.cluster import finish_on

        finish = finish_on(batch.cluster)
    return batches.run(batch.jobs, plan, batch.workers, show=not run.quiet, finish=finish)


def show_series(source: Path | None, limits: str) -> int:
    """Print the DICOM series of the input: the number that ``--series`` takes, size, description."""
    if source is None:
        raise UsageError("-i is missing: give the DICOM file, folder or zip whose series are listed")
    from medsegr.io.limits import limits_from_text
    from medsegr.io.read import series_in

    with naming(source):
        found = series_in(source, limits_from_text(limits))
    for stack in found.stacks:
        print(f"{stack.line()}  {stack.series.description}".rstrip())
    for name, why in found.damaged:
        say_warning(f"a damaged file was left out: {why}", f"{source}: {name}")
    return 0


def options_of(draw: Draw, shape: ExportFlags) -> "Options":
    """The options of a run out of the flags; UsageError for a value that does not exist."""
    from medsegr.options import Options

    return Options(
        polarity=listed(draw.polarity),
        side_check=draw.side_check,
        report_mask=draw.report_mask,
        explain=draw.explain,
        force=draw.force,
        keep_text=draw.keep_text,
        sections=listed(draw.section),
        formats=listed(shape.format),
        seg_type=shape.seg_type,
        combined=shape.combined,
        subject=shape.subject,
    )


def stay_offline() -> None:
    """Nothing of ours downloads; this tells libraries that could."""
    os.environ["HF_HUB_OFFLINE"] = "1"


def one(where: Where, words: SaidFlags, image: ImageFlags, options: "Options", run: CachedRunFlags) -> int:
    """Segment one image; cheap refusals come before the model is loaded."""
    if where.input is None or where.output is None:
        raise UsageError("-i is missing: give an image, or --jobs for many")
    if sum((words.report is not None, words.text is not None, bool(words.prompt))) > 1:
        raise UsageError("more than one of -r, -t and -p came: give one of them")
    if words.text is not None and not words.text.strip():
        raise UsageError("-t is empty: write what is meant, or give no words at all")
    endpoint = endpoint_of(words)
    if endpoint is not None and words.report is None and words.text is None:
        raise UsageError("--llm-url reads a report: give it by -r or -t")
    if options.sections and words.report is None and words.text is None:
        raise UsageError("--section names parts of a report: give it by -r or -t, or leave --section out")
    from medsegr import pipeline
    from medsegr.backends.names import check
    from medsegr.io.limits import limits_from_text
    from medsegr.io.read import read_image
    from medsegr.results.export import formats_of
    from medsegr.results.record import check_free
    from medsegr.session import check_model, keep_features, load

    check_model(run.model, run.device, run.threads)
    kept = run.features
    check(run.runtime, run.precision, run.device)
    limits = limits_from_text(where.limits)
    with naming(where.output):
        check_free(where.output)
    clock = [time.perf_counter()]
    with naming(where.input):
        check_apart(where.input, where.output)
        frame = frame_of(image.frame)
        picture = read_image(
            where.input, modality=image.modality, frame=frame, limits=limits, choices=choices_of(image)
        )
    check_used(options, formats_of(picture, options))
    read = second_reading(_words(picture, words, options), picture, options, endpoint)
    clock.append(time.perf_counter())
    model = load(run.model, run.device, run.threads, backend=run.runtime, precision=run.precision)
    if kept is not None:
        model = keep_features(model, *kept)
    clock.append(time.perf_counter())
    LOG.info("image and words read, model loaded")
    result = pipeline.run(picture, model.segmenter, report=read, options=options)
    seconds = {"read": clock[1] - clock[0], "load": clock[2] - clock[1]}
    with naming(where.output):
        pipeline.save(result, where.output, options, {**model.ran_on, "seconds": seconds})
    if not run.quiet:
        tell(result, where.output)
    return 5 if strict_failure(result, options) else 0


def _words(picture: "Image", words: WordFlags, options: "Options") -> "Report | None":
    """What the flags say of the picture, parsed; None where they say nothing."""
    from medsegr.pipeline import read_words
    from medsegr.report.read import read_report

    if words.report is None:
        return read_words(picture, words.text, tuple(words.prompt), options)
    with naming("standard input" if words.report == "-" else words.report):
        said, notes = read_report(words.report)
        return told(read_words(picture, said, (), options), notes)


def second_reading(
    report: "Report | None", picture: "Image", options: "Options", endpoint: "Endpoint | None"
) -> "Report | None":
    """The report with what a language model adds to it, where one is asked."""
    if report is None or endpoint is None:
        return report
    from medsegr.cli.second import with_model

    return with_model(report, picture, options, endpoint)


def check_apart(source: Path, out: Path) -> None:
    """Refuse to write into a folder that is the input: it would be another input next time."""
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise InputError("the output lies inside the input folder, which is only read; give -o another place")


def told(report: "Report | None", notes: tuple[tuple[str, str], ...]) -> "Report | None":
    """The report with warnings about how its file was read before its own."""
    return report if report is None else replace(report, warnings=(*notes, *report.warnings))


def strict_failure(result: "Result", options: "Options") -> bool:
    """Whether ``--side-check strict`` ends this run with exit code 5; the findings are named on stderr."""
    from medsegr.results.verdicts import side_failures

    failed = side_failures(result) if options.side_check == "strict" else []
    if failed:
        say_error(f"the side check failed for {', '.join(failed)}: the mask lies on the other side")
    return bool(failed)


def tell(result: "Result", out: Path) -> None:
    """A line a finding and where to look, on stdout. Ids, concepts and sides only, no report text."""
    from medsegr.results.overlay import WHY

    for item in result.findings:
        state = item.status if item.reason is None else f"{item.status} ({item.reason}): {WHY[item.reason]}"
        warned = [check.name for check in item.checks if check.outcome != "pass"]
        note = f"  check: {', '.join(warned)}" if warned else ""
        named = ", ".join(filter(None, (item.finding.name or "-", item.finding.location.side)))
        print(f"{item.finding.id:5s} {named:28s} {state}{note}")
    if not result.findings:
        print("no findings")
    for code, message in result.warnings:
        LOG.warning("%s: %s", code, message)
    if any(item.reason == "unknown_concept" for item in result.findings):
        print("'medsegr info --classes' lists what is known")
    print(f"written to {out / 'overlay.png'} and findings.json beside it")
