"""Rows of several methods to a table: means with bootstrap intervals, and paired differences to the first
one."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.bench.peer_scores import Row
from medsegr.metrics.intervals import bootstrap_mean, holm, paired_permutation, span

POOLED = "all sets"


def summary(rows: Mapping[str, Sequence[Row]], ours: str) -> list[dict[str, Any]]:
    """One line a method and question: ``dice`` with its 95 % interval over groups, and ``difference`` to
    ``ours`` on the same masks (this method's minus ours) with its interval and the p-value of a paired
    permutation test, also after Holm's correction over the methods that one question compares (``p_holm``),
    ``n`` masks in ``groups``. The method itself and questions that it was not asked have no
    difference."""
    found = []
    for name, mine in rows.items():
        for (which, what), part in _parts(mine).items():
            line = {"method": name, "set": which, "what": what, **_mean([r.dice for r in part], part)}
            base = {(r.set, r.what, r.case, r.target): r.dice for r in rows.get(ours, ())}
            pairs = [(r, base[key]) for r in part if (key := (r.set, r.what, r.case, r.target)) in base]
            if name != ours and pairs:
                line["difference"] = _difference(pairs)
            found.append(line)
    return _corrected(found)


def _corrected(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for key in dict.fromkeys((line["set"], line["what"]) for line in lines):
        own = [one for one in lines if (one["set"], one["what"]) == key and "difference" in one]
        for line, value in zip(own, holm([one["difference"]["p"] for one in own]), strict=True):
            line["difference"]["p_holm"] = value
    return lines


def _parts(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows by set and question; then all real sets together, and all made bodies by question."""
    parts: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        parts.setdefault((row.set, row.what), []).append(row)
    pooled: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        pooled.setdefault((POOLED, row.what), []).append(row)
    return parts | {key: part for key, part in pooled.items() if len({r.set for r in part}) > 1}


def _mean(values: Sequence[float], rows: Sequence[Row]) -> dict[str, Any]:
    seen = bootstrap_mean(np.array(values), np.random.default_rng(0), [r.group for r in rows])
    low, high = seen.bounds or (None, None)
    return {"dice": seen.mean, "low": low, "high": high, "n": seen.n, "groups": seen.groups}


def _difference(pairs: Sequence[tuple[Row, float]]) -> dict[str, Any]:
    a, b = np.array([row.dice for row, _ in pairs]), np.array([other for _, other in pairs])
    groups = [row.group for row, _ in pairs]
    seen = bootstrap_mean(a - b, np.random.default_rng(0), groups)
    p = paired_permutation(a, b, np.random.default_rng(0), groups)
    low, high = seen.bounds or (None, None)
    return {"mean": seen.mean, "low": low, "high": high, "p": p, "n": seen.n}


def write(out: Path, done: Mapping[str, Mapping[str, Any]], failed: Mapping[str, str], ours: str) -> None:
    """``peers.csv`` (every mask of every method) and ``peers.json`` (the summary), each under a temporary
    name first. ``done``: what was written of each method (``facts``, ``rows``); ``failed``: reasons."""
    rows = {name: [Row(**row) for row in one["rows"]] for name, one in done.items()}
    table = out / "peers.csv.part"
    with table.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["method", *(f.name for f in fields(Row))])
        for name, mine in rows.items():
            writer.writerows([name, *asdict(row).values()] for row in mine)
    os.replace(table, out / "peers.csv")
    told = {
        "schema": "medsegr.bench.peers/1",
        "ours": ours,
        "methods": {name: one["facts"] for name, one in done.items()},
        "failed": dict(failed),
        "summary": summary(rows, ours),
    }
    page = out / "peers.json.part"
    page.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    os.replace(page, out / "peers.json")


def lines(told: Mapping[str, Any]) -> list[str]:
    """``peers.json`` for a person."""
    out = [f"{'method':18s} {'million':>8s} {'steps':>7s} {'samples':>8s} {'minutes':>8s}"]
    for name, facts in told["methods"].items():
        out.append(
            f"{name:18s} {facts['parameters'] / 1e6:8.2f} {facts['steps']:7d} {facts['samples']:8d} "
            f"{facts['minutes']:8.1f}"
        )
    out += [f"{name:18s} failed: {reason}" for name, reason in told["failed"].items()]
    head = ""
    for line in sorted(told["summary"], key=lambda one: (one["set"] == POOLED, one["set"], one["what"])):
        title = f"{line['set']}, {line['what']}: mean Dice of {line['n']} masks in {line['groups']} groups"
        if title != head:
            out += ["", title]
            head = title
        text = f"  {line['method']:18s} {line['dice']:.3f}  {span(line['low'], line['high'])}"
        if "difference" in line:
            d = line["difference"]
            text += f"   {d['mean']:+.3f}  {span(d['low'], d['high'], '+.3f')}  p {d['p']:.4f}"
            text += f", Holm {d['p_holm']:.4f}" if "p_holm" in d else ""
        out.append(text)
    return [*out, "", f"Differences are to {told['ours']} on the same masks; intervals 95 %, by groups."]
