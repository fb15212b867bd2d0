"""``medsegr sets``: sets for training and judging, made from sets that exist. One command a kind of set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medsegr.cli.flags import LogFlags, argument, grouped, listed, naming, option
from medsegr.cli.logs import set_up
from medsegr.errors import InputError

HELP = "Make sets from sets that have masks."


@dataclass(frozen=True)
class OutFlags:
    """Where to, from which part, and by which chance."""

    output: Annotated[Path, option("--output", "-o", help="Folder to write; new or empty.")]
    part: Annotated[
        str, option("--part", help="validation, training or all: as training divides the set.")
    ] = "all"
    seed: Annotated[int, option("--seed", min=0, help="The same seed gives the same set.")] = 0
    count: Annotated[
        int | None, option("--count", min=1, help="At most so many images; all if left out.")
    ] = None


def _must_be_new(folder: Path) -> None:
    with naming(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError("the output folder is not empty; give -o a new or empty folder")


@grouped
def reports(
    data: Annotated[Path, argument(metavar="DIR", help="A set: images, masks and samples.csv.")],
    out: OutFlags,
    logs: LogFlags,
    whole: Annotated[
        bool, option("--whole", help="Keep separate lesions of one mask together as one.")
    ] = False,
) -> int:
    """Write a report for each image of a set from what its masks show; some lesions are described, some are
    not.

    The words are made from the truth: every such row says oracle.
    """
    set_up(logs)
    from medsegr.cli.batch import progress
    from medsegr.io.write import atomic_folder
    from medsegr.sets.reports import Writing, write_reports
    from medsegr.sets.table import sources

    _must_be_new(out.output)
    with naming(data):
        writing = Writing(out.seed, out.part, not whole, out.count)
        total = len(sources(data, out.part)[: out.count])
        with atomic_folder(out.output) as part, progress(total, not logs.quiet) as step:
            rows, skipped = write_reports(data, part, writing, step)
    if not logs.quiet:
        left = f", {skipped} images without a report (nothing drawn, or no words for it)" if skipped else ""
        print(f"{rows} described findings{left}, table: {out.output / 'samples.csv'}")
    return 0


@grouped
def referring(
    kind: Annotated[str, option("--kind", help="structures, nuclei, polyps, lesions or mosaics.")],
    data: Annotated[Path, option("--data", metavar="DIR", help="Folder that holds the sets.")],
    out: OutFlags,
    logs: LogFlags,
    use: Annotated[
        str, option("--sets", help="Names of the sets, with commas; those of the kind if left out.")
    ] = "",
) -> int:
    """Build a set of real pictures that hold several things of which the words mean one."""
    set_up(logs)
    from medsegr.io.write import atomic_folder
    from medsegr.sets.referring import Wish, write_referring

    _must_be_new(out.output)
    wish = Wish(kind, listed(use), out.part, out.count, out.seed)
    with naming(data), atomic_folder(out.output) as part:
        rows = write_referring(data, wish, part)
    if not logs.quiet:
        print(f"{rows} things to find, table: {out.output / 'samples.csv'}")
    return 0
