"""``medsegr bench peers``: networks trained alike and judged alike."""

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from medsegr.cli.flags import Json, LogFlags, grouped, option
from medsegr.cli.logs import set_up


@dataclass(frozen=True)
class PeersFlags(LogFlags):
    """What is trained, on what, for how long."""

    methods: Annotated[str, option("--methods", metavar="LIST", help="peers, ablations, or a TOML file.")] = (
        "peers"
    )
    data: Annotated[
        Path | None, option("--data", metavar="DIR", help="Holds the sets of the configuration.")
    ] = None
    minutes: Annotated[float, option("--minutes", help="Of training, each method.")] = 0.0
    steps: Annotated[int, option("--steps", help="Of training, each, instead of --minutes.")] = 0
    jobs: Annotated[int, option("--jobs", help="Methods at a time, one thread each.")] = 1
    made: Annotated[int, option("--made", help="Made bodies a kind to judge on.")] = 60
    start: Annotated[
        str | None,
        option(
            "--from", metavar="WEIGHTS", help="All begin with what they share with these (run, file, name)."
        ),
    ] = None
    part: Annotated[
        str, option("--part", metavar="PREFIX", help="... of it, what is named so; host.: the image network.")
    ] = ""
    referring: Annotated[
        list[Path],
        option("--referring", metavar="DIR", help="Also judged: a set of 'sets referring'; repeat it."),
    ] = field(default_factory=list)
    controls: Annotated[
        str,
        option(
            "--controls",
            metavar="LIST",
            help="Words that made bodies and --referring are asked with: all, or names with commas.",
        ),
    ] = "all"


@grouped
def command(
    flags: PeersFlags,
    config: Annotated[
        Path, option("--config", metavar="TOML", help="A training run's: data, sizes, recipe.")
    ],
    output: Annotated[
        Path, option("--output", "-o", metavar="DIR", help="Folder to write; the same one goes on.")
    ],
    as_json: Json = False,
) -> int:
    """Train networks alike, judge them on pictures and made bodies under right and wrong words, compare with
    the first.

    Writes index.html, peers.json and peers.csv. Run again with the same flags it goes on. Exit code 4: a
    method failed, the reason is in peers.json.
    """
    set_up(flags)
    from medsegr.bench import peer_table, peers
    from medsegr.fitting.saved import start_of

    told = (flags.data, flags.methods, flags.minutes, flags.steps, flags.jobs, flags.made)
    start = start_of(flags.start) if flags.start else None
    bench = peers.Bench(config, output, *told, start=start, part=flags.part)
    bench = replace(bench, referring=tuple(flags.referring), controls=flags.controls)
    found = peers.compare(bench, _told)
    print(json.dumps(found, indent=1) if as_json else "\n".join(peer_table.lines(found)))
    if not as_json:
        print(f"page: {output / 'index.html'}")
    return 4 if found["failed"] else 0


def _told(line: str) -> None:
    """A line of progress in one piece: several methods tell theirs at once."""
    print(f"{line}\n", end="", file=sys.stderr)
