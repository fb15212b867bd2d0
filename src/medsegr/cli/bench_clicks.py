"""``medsegr bench clicks``: how many clicks of a simulated annotator a good mask takes, with and without
words."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from medsegr.cli.flags import Json, LogFlags, SetFlags, grouped, hints_of, naming, option
from medsegr.cli.logs import set_up
from medsegr.errors import UsageError

SOME_FAILED = 4


@dataclass(frozen=True)
class ClickFlags:
    """What is clicked on."""

    output: Annotated[Path, option("--output", "-o", help="Folder of the run; an unfinished one goes on.")]
    data: Annotated[
        list[Path],
        option("--data", "-d", metavar="FOLDER", help="A set, laid out as for train; repeat it."),
    ] = field(default_factory=list)
    phantoms: Annotated[
        int, option("--phantoms", min=0, help="So many made images of each kind, beside the sets.")
    ] = 0
    split: Annotated[
        str,
        option("--split", help="validation (a tenth of the groups), train, all, or a word of the column."),
    ] = "validation"
    limit: Annotated[int | None, option("--limit", min=1, help="At most so many images a set.")] = None
    targets: Annotated[int, option("--targets", min=1, help="At most so many targets an image.")] = 2
    seed: Annotated[int, option("--seed", min=0, help="Of the made images.")] = 0
    clicks: Annotated[
        int, option("--clicks", min=1, max=200, help="So many at most; a target that needs more has failed.")
    ] = 20


@dataclass(frozen=True)
class OneModel:
    """Which model is clicked with."""

    model: Annotated[str, option("--model", help="Name of a model or a folder that holds one.")] = (
        "medsegr-tiny"
    )
    device: Annotated[str, option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    threads: Annotated[int | None, option("--threads", min=1, help="Processor threads of the model.")] = None


@grouped
def command(
    flags: ClickFlags, about: SetFlags, which: OneModel, logs: LogFlags, as_json: Json = False
) -> int:
    """Dice after 0 to 10 clicks and the number of clicks to 0.80, 0.85 and 0.90; begun with words, a click, a
    box, or words and box.

    Writes index.html, clicks.json and clicks.csv. Run again with the same flags it goes on. Exit code 4: some
    images failed, the reasons are in clicks.json.
    """
    set_up(logs)
    if not flags.data and not flags.phantoms:
        raise UsageError("there is nothing to judge: give a set with --data, or --phantoms with a number")
    from medsegr.bench import click_table, clicks
    from medsegr.cli.batch import progress
    from medsegr.results.verdicts import model_of
    from medsegr.session import load

    sets = tuple(path.resolve() for path in flags.data)
    told = (flags.phantoms, flags.split, flags.limit, flags.targets, flags.seed, flags.clicks)
    plan = clicks.Plan(sets, *told, about=hints_of(about))
    model = load(which.model, which.device, which.threads)
    with naming(" ".join(map(str, flags.data))):
        total = clicks.count(plan)
    with progress(total, not logs.quiet) as step:
        rows = clicks.run(plan, model.segmenter, flags.output, step)
    found = click_table.write_all(flags.output, rows, model_of(model.segmenter), plan.most)
    if as_json:
        print(json.dumps(found, indent=1))
    elif not logs.quiet:
        print("\n".join(click_table.lines(found)))
        print(f"page: {flags.output / 'index.html'}")
    return SOME_FAILED if found["failures"] else 0
