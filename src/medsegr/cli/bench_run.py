"""``medsegr bench run``: judge methods on sets with masks, with every text control, into a folder with one
page."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from medsegr.cli.flags import Json, LogFlags, SetFlags, grouped, hints_of, naming, option
from medsegr.cli.logs import set_up
from medsegr.errors import UsageError

SOME_FAILED = 4


@dataclass(frozen=True)
class JudgeFlags:
    """What is judged on what."""

    data: Annotated[
        list[Path],
        option("--data", "-d", metavar="FOLDER", help="A set, laid out as for train; repeat it."),
    ]
    output: Annotated[Path, option("--output", "-o", help="Folder of the run; an unfinished one goes on.")]
    method: Annotated[
        list[str],
        option(
            "--method",
            "-m",
            metavar="[LABEL=]NAME[,KEY=VALUE]",
            help="A method of 'models list' or a checkpoint's folder; repeat it. Default: medsegr-tiny and "
            "the baselines.",
        ),
    ] = field(default_factory=list)
    split: Annotated[
        str,
        option("--split", help="validation (a tenth of the groups), train, all, or a word of the column."),
    ] = "validation"
    limit: Annotated[int | None, option("--limit", min=1, help="At most so many images a set.")] = None
    seed: Annotated[int, option("--seed", min=0, help="Of the wrong words; same seed, same run.")] = 0
    tolerance: Annotated[
        float,
        option("--tolerance", min=0.0, help="Of surfaces, mm (pixels where there is no spacing)."),
    ] = 2.0


@dataclass(frozen=True)
class LeakFlags:
    """What is known of the training data."""

    leaks: Annotated[
        str, option("--leaks", help="Judged images that were trained on: refuse, drop, note or off.")
    ] = "refuse"
    trained_on: Annotated[
        list[Path],
        option("--trained-on", metavar="FOLDER", help="A further set that was trained on; repeat it."),
    ] = field(default_factory=list)


@dataclass(frozen=True)
class DeviceFlags:
    """Where the methods run."""

    device: Annotated[str, option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    threads: Annotated[int | None, option("--threads", min=1, help="Processor threads of a model.")] = None


@dataclass(frozen=True)
class KnownFlags(LeakFlags, SetFlags):
    """What is known of the sets."""


@grouped
def command(
    flags: JudgeFlags, known: KnownFlags, where: DeviceFlags, logs: LogFlags, as_json: Json = False
) -> int:
    """Judge methods: overlap, surfaces, lesions, presence and calibration, under right and under wrong words.

    Writes index.html (one page that stands alone), results.json and scores.csv. Run again with the same
    flags it goes on, and tries again what failed. Exit code 4: something failed, the reasons are in the
    results.
    """
    set_up(logs)
    if known.leaks not in ("refuse", "drop", "note", "off"):
        raise UsageError(f"--leaks: '{known.leaks[:40]}' is not known; expected refuse, drop, note or off")
    from medsegr.bench import results
    from medsegr.bench import run as bench
    from medsegr.bench.leaks import LeaksFound
    from medsegr.bench.methods import methods_of
    from medsegr.cli.batch import progress

    plan = bench.Plan(
        sets=tuple(path.resolve() for path in flags.data),
        methods=methods_of(flags.method or ["medsegr-tiny", "constant", "otsu", "place"]),
        split=flags.split,
        limit=flags.limit,
        seed=flags.seed,
        tolerance=flags.tolerance,
        trained_on=tuple(path.resolve() for path in known.trained_on),
        leaks=known.leaks,
        device=where.device,
        threads=where.threads,
        hints=hints_of(known),
    )
    with naming(" ".join(map(str, flags.data))):
        images = bench.planned(plan)
    try:
        with progress(len(images.judged) * len(plan.methods), not logs.quiet) as step:
            went = bench.run(plan, flags.output, step, images)
    except LeaksFound as found:
        print("\n".join(f"{one['judged']} = {one['other']} ({one['kind']})" for one in found.found))
        raise
    told = results.write_all(flags.output, {folder.name: folder for folder in plan.sets})
    if as_json:
        print(json.dumps(told, indent=1))
    elif not logs.quiet:
        print("\n".join(lines(told)))
        print(f"page: {flags.output / 'index.html'}")
    return 0 if went.clean else SOME_FAILED


def lines(told: dict[str, Any]) -> list[str]:
    """The main numbers as lines for a person."""
    from medsegr.metrics.intervals import span

    out = []
    for label, data in told["methods"].items():
        if "all" not in data:
            out.append(f"{label}: nothing judged; {data['facts'].get('error', 'every image failed')}")
            continue
        for words, part in (("name alone", data["free"]), ("all words", data["all"])):
            if part is None or part["dice"]["mean"] is None:
                continue
            oracle = (
                " (oracle)" if words == "all words" and "oracle" in part["words"] and data["free"] else ""
            )
            known = f"{words}{oracle}" if data["free"] else "reads no words"
            dice, pooled = part["dice"], part["dice_pooled"]["mean"]
            out.append(
                f"{label}, {known}: Dice {dice['mean']:.3f} {span(dice['low'], dice['high'])} "
                f"an image, {pooled:.3f} pooled; {part['targets']} targets, {part['images']} images"
            )
    if named := told["record"].get("like_named"):
        out.append(
            f"{len(named)} groups bear names that also stand in what was trained on, see the page: are these "
            "the same patients?"
        )
    if told["failures"]:
        out.append(f"{len(told['failures'])} of the tries failed, see the page")
    return out
