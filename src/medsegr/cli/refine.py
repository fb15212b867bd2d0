"""``medsegr refine``: points, boxes or a mask for one finding of a result folder, and it is drawn again."""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from medsegr.cli.flags import (
    CachedRunFlags,
    FileFlags,
    Limit,
    LogFlags,
    check_folder,
    choices_of,
    grouped,
    naming,
    option,
)
from medsegr.cli.flags import argument as positional
from medsegr.cli.logs import LOG, set_up
from medsegr.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from medsegr.prompts.session import Session
    from medsegr.results.export import Run
    from medsegr.results.outcome import Outcome
    from medsegr.session import Model
    from medsegr.types import FindingResult


@dataclass(frozen=True)
class RefineFlags:
    """What is drawn again, and with which help."""

    input: Annotated[
        Path | None, option("--input", "-i", help="The image that the masks were drawn on, unchanged.")
    ] = None
    finding: Annotated[
        str | None, option("--finding", "-f", metavar="ID", help="Which one, for example f1.")
    ] = None
    point: Annotated[
        list[str],
        option("--point", metavar="X,Y,1|0", help="A pixel inside (1) or outside (0) of it; repeat it."),
    ] = field(default_factory=list)
    box: Annotated[
        list[str],
        option("--box", metavar="X0,Y0,X1,Y1", help="A box around it, upper edge exclusive; one a piece."),
    ] = field(default_factory=list)
    mask: Annotated[
        Path | None, option("--mask", "-m", help="A picture of a mask to start from, on the same grid.")
    ] = None
    paint: Annotated[
        Path | None,
        option(
            "--paint",
            help="A mask to keep as it is: a picture or volume on the same grid, a segmentation (.seg.nrrd, "
            "DICOM SEG), or run lengths (.json).",
        ),
    ] = None
    slice: Annotated[
        int | None,
        option("--slice", min=0, help="On which slice of a volume, from 0; carried on from there."),
    ] = None
    accept: Annotated[bool, option("--accept", help="Lock the mask: a person has accepted it.")] = False
    undo: Annotated[bool, option("--undo", help="Bring back the mask before the last refine.")] = False
    limits: Limit = ""


@grouped
def command(
    folder: Annotated[Path, positional(help="Folder that 'medsegr segment' wrote.", metavar="OUT")],
    flags: RefineFlags,
    image: FileFlags,
    run: CachedRunFlags,
) -> int:
    """Draw one finding of a result again with points, a box or a mask, in its folder, or paint it.

    Prompts gather from call to call. The old mask is kept under revisions/, --undo brings it back.
    """
    set_up(run)
    _check(flags, folder)
    if flags.undo:
        _no_model(run)
    from medsegr.io.limits import limits_from_text
    from medsegr.results.reopen import check_ours, reopen
    from medsegr.results.revise import before, revise

    with naming(folder):
        check_ours(folder)
    with naming(flags.input or folder):
        opened = reopen(folder, flags.input, limits_from_text(flags.limits), choices_of(image))
    finding = _finding(opened, flags.finding)
    notes: tuple[tuple[str, str], ...] = ()
    with naming(folder):
        if flags.undo:
            item = before(folder, opened, finding)
        else:
            outcome = _refined(folder, opened, finding, flags, run)
            item, notes = outcome[finding], outcome.warnings
        revise(folder, opened, item, notes, undoes=flags.undo)
    for code, message in notes:
        LOG.warning("%s: %s", code, message)
    if not run.quiet:
        state = item.status if item.reason is None else f"{item.status} ({item.reason})"
        done = "brought back" if flags.undo else "accepted" if flags.accept else "drawn again"
        done = "kept as painted" if flags.paint and not flags.accept else done
        size = 0 if item.mask is None else int(item.mask.sum())
        print(f"{finding}  {item.finding.name or '-'}  {state}, {size} pixels, {done}")
        print(f"written to {folder / 'overlay.png'} and findings.json beside it")
    return 0


def _check(flags: RefineFlags, folder: Path) -> None:
    """Mistakes that can be told before anything is read."""
    told = bool(flags.point or flags.box or flags.mask)
    if flags.undo and (told or flags.accept or flags.paint):
        raise UsageError("--undo came together with other changes: give it alone")
    if flags.paint and told:
        raise UsageError(
            "--paint came together with prompts, which it would not follow: give them afterwards"
        )
    if flags.slice is not None and not (told or flags.paint):
        raise UsageError("--slice says where --point, --box, --mask or --paint lie: give it with one of them")
    if not (told or flags.undo or flags.accept or flags.paint):
        raise UsageError("there is nothing to do: give --point, --box, --mask, --paint, --accept or --undo")
    if flags.input is None:
        raise UsageError("-i is missing: give the image that the masks were drawn on")
    check_folder(folder)


def _no_model(run: CachedRunFlags) -> None:
    """UsageError for a flag about the model where none is asked."""
    logs = {item.name for item in fields(LogFlags)}
    told = [f.name for f in fields(run) if f.name not in logs and getattr(run, f.name) != f.default]
    if told:
        raise UsageError(
            f"--undo brings back what is kept and asks no model: leave out --{told[0].replace('_', '-')}"
        )


def _finding(run: "Run", asked: str | None) -> str:
    """The id that is meant; UsageError where several could be."""
    ids = [item.finding.id for item in run.result.findings]
    if asked is None and len(ids) == 1:
        return ids[0]
    if asked not in ids:
        said = "--finding is missing" if asked is None else f"--finding: there is no '{asked[:40]}'"
        raise UsageError(f"{said}; one of {', '.join(ids) or 'none'} was expected")
    return asked


def _refined(folder: Path, run: "Run", finding: str, flags: RefineFlags, how: CachedRunFlags) -> "Outcome":
    """The outcome with the finding drawn again, or accepted, or both."""
    from medsegr.results.revise import with_free

    points = [numbers(text, 3, "--point", "X,Y,1 or X,Y,0") for text in flags.point]
    boxes = [numbers(text, 4, "--box", "X0,Y0,X1,Y1") for text in flags.box]
    mask = None if flags.mask is None else _mask(flags.mask, run, "--mask", finding)
    item = with_free(folder, run, finding)
    found = tuple(item if old.finding.id == finding else old for old in run.result.findings)
    session = _model(run, how).resume(replace(run.result, findings=found, warnings=()))
    if points or boxes or mask is not None:
        session.refine(finding, points=points or None, box=boxes or None, mask=mask, slice=flags.slice)
    if flags.paint is not None:
        _paint(session, item, _mask(flags.paint, run, "--paint", finding), flags.slice)
    if flags.accept:
        session.accept(finding)
    outcome = session.result
    assert outcome is not None
    return outcome


def _model(run: "Run", flags: CachedRunFlags) -> "Model":
    """The model, if it is the one that drew the folder's masks."""
    from medsegr.results.verdicts import model_of
    from medsegr.session import check_model, keep_features, load

    check_model(flags.model, flags.device, flags.threads)
    kept = flags.features
    model = load(flags.model, flags.device, flags.threads, backend=flags.runtime, precision=flags.precision)
    now, then = model_of(model.segmenter), run.result.model
    if (now["name"], now["sha256"]) != (then.get("name"), then.get("sha256")):
        raise InputError(
            f"the folder's masks were drawn by {then.get('name')} ({str(then.get('sha256'))[:12]}), this is "
            f"{now['name']} ({str(now['sha256'])[:12]}): choose that one with --model"
        )
    return model if kept is None else keep_features(model, *kept)


def numbers(text: str, count: int, flag: str, shape: str) -> list[float]:
    """``"12,34,1"`` as numbers. UsageError where they are not as many, or none."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count:
        raise UsageError(f"{flag}: '{text[:40]}' came, {shape} was expected")
    return values


def _paint(session: "Session", item: "FindingResult", mask: "np.ndarray", number: int | None) -> None:
    """Paint a picture's mask, a slice's, or those slices of a volume's that differ from what is there."""
    import numpy as np

    from medsegr.prompts.slices import get, slice_number, stack_of

    if mask.ndim == 2:
        session.paint(item.finding.id, mask, number)
        return
    image = session.image
    if mask.shape != image.grid:
        raise UsageError(
            f"--paint: the mask has the grid {mask.shape}, the image {image.grid}: the same was expected"
        )
    stack = stack_of(image)
    before = np.zeros(image.grid, bool) if item.mask is None else item.mask
    asked = range(stack.count) if number is None else [slice_number(stack, number)]
    changed = [n for n in asked if (get(mask, stack, n) != get(before, stack, n)).any()]
    if not changed:
        raise UsageError("--paint: the mask there is the same already")
    for n in changed:
        session.paint(item.finding.id, get(mask, stack, n), n)


def _mask(path: Path, run: "Run", flag: str, finding: str) -> "np.ndarray":
    import json

    from medsegr.io.one_mask import read_one_mask

    if flag == "--paint" and path.suffix.lower() == ".json":
        from medsegr.prompts.runs import mask_of

        with naming(path):
            try:
                told = json.loads(path.read_bytes())
            except ValueError as error:
                raise InputError(
                    'no JSON was found; run lengths {"size": [h, w], "counts": [...]} were expected'
                ) from error
            return mask_of(told.get("rle", told) if isinstance(told, dict) else {})
    with naming(path):
        found = read_one_mask(path, run.result.image, run.limits, finding)
        if flag == "--mask" and not found.any():
            raise InputError("the mask is empty: there is nothing to start from (--paint erases with it)")
        return found
