"""``medsegr bench``: how well and how fast something is done, against others. One command a bench."""

import json
from pathlib import Path
from typing import Annotated, Any

from medsegr.cli.flags import Json, LogFlags, grouped, naming, option
from medsegr.cli.logs import set_up
from medsegr.errors import UsageError

HELP = "Judge methods and reading against truth and peers."
PEERS = ("negspacy",)


@grouped
def reports(
    logs: LogFlags,
    reports: Annotated[
        Path, option("--reports", metavar="CSV", help="Coded reports: uid, MeSH, findings, impression.")
    ],
    peer: Annotated[
        list[str] | None, option("--peer", help="Measure this one beside ours: negspacy.")
    ] = None,
    table: Annotated[bool, option("--table", help="Print a row for each concept, too.")] = False,
    as_json: Json = False,
) -> int:
    """Read coded chest reports and score what was read: presence, side, zone, clean normal reports, speed."""
    set_up(logs)
    for name in peer or ():
        if name not in PEERS:
            raise UsageError(f"--peer: '{name[:40]}' is not known; expected {', '.join(PEERS)}")
    from medsegr.bench import reports as bench

    readers: dict[str, Any] = {"medsegr": bench.ours, "keywords": bench.keywords}
    if peer:
        readers["negspacy"] = bench.negspacy()
    with naming(reports):
        rows = bench.read_rows(reports)
    found = {name: bench.measured(rows, reader) for name, reader in readers.items()}
    if as_json:
        print(json.dumps({"schema": "medsegr.bench.reports/1", "readers": found}, indent=1))
        return 0
    print("\n".join(lines(found, table)))
    return 0


def lines(found: dict[str, dict[str, Any]], table: bool) -> list[str]:
    """The scores of all readers as lines for a person."""
    out = []
    for name, result in found.items():
        out.append(f"{name}: {result['reports']} reports")
        for key, title in (("f1", "micro F1"), ("side", "side"), ("zone", "zone"), ("clean", "clean normal")):
            bounds = result["interval"][key]
            told = "[{:.3f}, {:.3f}]".format(*bounds) if bounds else "[one report]"
            out.append(f"  {title:14s} {result[key]:.3f}  {told}")
        out.append(f"  {'macro F1':14s} {result['macro_f1']:.3f}")
        out.append(f"  {'uncertain':14s} {result['uncertain_share']:.3f} of what is drawn")
        speed = (
            f"{result['seconds']:.1f} s, {result['median_ms']:.1f} ms median, {result['p99_ms']:.1f} ms p99"
        )
        out.append(f"  {'speed':14s} {speed}")
        for concept, one in result["concepts"].items() if table else ():
            told = f"P {one['precision']:.3f}  R {one['recall']:.3f}  F1 {one['f1']:.3f}"
            out.append(f"    {concept:28s} {one['gold']:5d}  {told}")
    return out
