"""``medsegr convert``: a result folder in further formats, later, without the model."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from medsegr.cli.flags import (
    ExportFlags,
    FileFlags,
    Limit,
    LogFlags,
    argument,
    check_folder,
    check_used,
    choices_of,
    grouped,
    listed,
    naming,
    option,
)
from medsegr.cli.logs import LOG, set_up
from medsegr.errors import InputError, UsageError

if TYPE_CHECKING:
    from medsegr.options import Options
    from medsegr.results.export import Run


@dataclass(frozen=True)
class ConvertFlags(ExportFlags):
    """What is converted."""

    format: Annotated[
        str,
        option(
            "--to",
            "--format",
            metavar="FORMATS",
            help="Into which: png, nifti, nrrd, dicom-seg, rtstruct, dicom-sr, dicom-sc, fhir, json; several "
            "with commas. Must be given.",
        ),
    ] = ""
    input: Annotated[
        Path | None,
        option("--input", "-i", help="The image that was segmented: DICOM objects refer to it."),
    ] = None
    limits: Limit = ""


@grouped
def command(
    folder: Annotated[Path, argument(help="Folder that 'medsegr segment' wrote.", metavar="OUT")],
    flags: ConvertFlags,
    image: FileFlags,
    logs: LogFlags,
) -> int:
    """Write the masks and findings of a result folder in further formats, into the same folder.

    No model is loaded. The image is asked for where a DICOM object must refer to it, and must be unchanged.
    """
    set_up(logs)
    from medsegr.io.limits import limits_from_text
    from medsegr.options import DICOM_FORMATS, Options
    from medsegr.results.export import formats_of
    from medsegr.results.reopen import check_ours, reopen

    formats = listed(flags.format)
    if not formats:
        raise UsageError("--to is missing: say into which formats, for example --to dicom-seg,dicom-sr")
    options = Options(
        formats=formats, seg_type=flags.seg_type, combined=flags.combined, subject=flags.subject
    )
    if flags.input is None and (wanted := [name for name in formats if name in DICOM_FORMATS]):
        raise UsageError(f"--to {', '.join(wanted)}: a DICOM object refers to its images; give them with -i")
    if flags.input is None and image != FileFlags():
        raise UsageError(
            "--series, --accept-gaps, --use and --film-frame say how the image is read: give it with -i"
        )
    check_folder(folder)
    with naming(folder):
        check_ours(folder)
    with naming(flags.input or folder):
        run = reopen(folder, flags.input, limits_from_text(flags.limits), choices_of(image))
        chosen = formats_of(run.result.image, options)
        check_used(options, chosen)
        _check_masks(run, chosen)
    with naming(folder):
        names, notes = add(run, folder, chosen, options)
    for code, message in notes:
        LOG.warning("%s: %s", code, message)
    if not logs.quiet:
        print(f"written to {folder}: {', '.join(names) or 'nothing'}")
    return 0


def _check_masks(run: "Run", formats: tuple[str, ...]) -> None:
    """Refuse formats that need masks where the folder keeps them in a DICOM object only and no image came, or
    not at all."""
    lost = [
        item.finding.id for item in run.result.findings if item.status == "segmented" and item.mask is None
    ]
    if lost and set(formats) - {"fhir"}:
        raise InputError(
            f"the masks of {', '.join(lost)} are in the folder as a DICOM object alone, or not at all; "
            "give the image with -i, or segment again with --format nifti, nrrd or png"
        )


def add(
    run: "Run", folder: Path, formats: tuple[str, ...], options: "Options"
) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """Write the formats into the folder of the run; its manifest lists them, last. Names and warnings."""
    from medsegr.io.write import atomic_folder, write_json
    from medsegr.results.export import manifest_of, write_all
    from medsegr.results.record import file_hash
    from medsegr.results.revise import alone

    with alone(folder, run), atomic_folder(folder) as part:
        manifest: dict[str, Any] = manifest_of(folder)
        written = write_all(run, part, formats, options)
        names = sorted(p.relative_to(part).as_posix() for p in part.rglob("*") if p.is_file())
        fresh = [{"path": name, "sha256": file_hash(part / name)} for name in names]
        kept = [item for item in manifest.get("files", []) if item.get("path") not in names]
        manifest["files"] = sorted([*kept, *fresh], key=lambda item: str(item.get("path")))
        manifest["converted"] = sorted({*manifest.get("converted", []), *formats})
        write_json(manifest, part / "manifest.json")
    return names, written.notes
