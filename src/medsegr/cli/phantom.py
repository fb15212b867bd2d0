"""``medsegr phantom``: made images with reports and exact masks, written as a set like any other."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medsegr.cli.flags import LogFlags, grouped, naming, option
from medsegr.cli.logs import set_up
from medsegr.errors import InputError


@dataclass(frozen=True)
class PhantomFlags:
    """What is made."""

    kind: Annotated[
        str,
        option("--kind", help="chest, abdomen, thorax, brain, mucosa, ultrasound, mammogram, skin or cells."),
    ]
    output: Annotated[Path, option("--output", "-o", help="Folder to write; new or empty.")]
    seed: Annotated[int, option("--seed", min=0, help="The same seed gives the same set.")] = 0
    count: Annotated[int, option("--count", min=1, max=1_000_000, help="Number of images.")] = 1
    size: Annotated[int, option("--size", help="Side of the square images: 96 to 2048 px.")] = 256


@grouped
def command(flags: PhantomFlags, logs: LogFlags) -> int:
    """Make images with lesions of known place, side, texture and outline, and reports that describe some of
    them.
    """
    set_up(logs)
    from medsegr.cli.batch import progress
    from medsegr.io.write import atomic_folder
    from medsegr.phantom import write_set

    with naming(flags.output):
        if flags.output.is_dir() and any(flags.output.iterdir()):
            raise InputError("the output folder is not empty; give -o a new or empty folder")
        with atomic_folder(flags.output) as part, progress(flags.count, not logs.quiet) as step:
            table = write_set(flags.kind, flags.seed, flags.count, flags.size, part, lambda *_: step())
    if not logs.quiet:
        images = "image" if flags.count == 1 else "images"
        print(f"{flags.count} {flags.kind} {images}, table: {flags.output / table.name}")
    return 0
