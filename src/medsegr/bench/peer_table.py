"""Rows of several methods to a table: means with bootstrap intervals, and paired differences to the first
one."""

import csv
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.bench.controls import CONTROLS
from medsegr.bench.peer_page import POOLED, overall, page
from medsegr.bench.peer_scores import Row
from medsegr.bench.table import against_right
from medsegr.metrics.intervals import bootstrap_mean, holm, paired_permutation, span

PLAIN = ("right", "free")


def summary(rows: Mapping[str, Sequence[Row]], ours: str) -> list[dict[str, Any]]:
    """One line a method, question and control: ``dice`` with its 95 % interval over groups, ``gated`` (mean
    Dice where what the presence score denies counts as not drawn) and ``there`` (share that it affirms),
    ``n`` masks in ``groups``, ``words`` counts where the right ones come from.

    ``difference`` to ``ours`` on the same masks (this method's minus ours) has an interval and the p-value
    of a paired permutation test, also after Holm's correction over the methods that one question compares
    (``p_holm``); ``right_minus`` is the method's own Dice under right words minus that under these,
    likewise, corrected over the controls of the question. The method itself, right words and questions that
    were not asked have none.
    """
    found = []
    base = {_key(row): row.dice for row in rows.get(ours, ())}
    for name, mine in rows.items():
        for (which, what), part in _parts(mine).items():
            effects = _effects(part)
            for control in dict.fromkeys(row.control for row in part):
                own = [row for row in part if row.control == control]
                line = {"method": name, "set": which, "what": what, "control": control, **_mean(own)}
                line["words"] = dict(Counter(row.words for row in own))
                pairs = [(row, base[key]) for row in own if (key := _key(row)) in base]
                if name != ours and pairs:
                    line["difference"] = _difference(pairs)
                found.append(line | effects.get(control, {}))
    return _corrected(found)


def _key(row: Row) -> tuple[str, ...]:
    return (row.set, row.what, row.control, row.case, row.target)


def _effects(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """``right_minus`` of each control but right words."""
    told = [asdict(row) | {"image": (row.set, row.case), "truth": 1} for row in rows]
    found = against_right(told, lambda row: float(row["dice"]))
    return {
        control: {"right_minus": {**one["right_minus"], "p": one["p"], "p_holm": one["p_holm"]}}
        for control, one in found.items()
        if control != "right"
    }


def _corrected(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def question(line: Mapping[str, Any]) -> tuple[str, ...]:
        return (line["set"], line["what"], line["control"])

    for key in dict.fromkeys(map(question, lines)):
        own = [one for one in lines if question(one) == key and "difference" in one]
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


def _mean(rows: Sequence[Row]) -> dict[str, Any]:
    values = np.array([row.dice for row in rows])
    seen = bootstrap_mean(values, np.random.default_rng(0), [row.group for row in rows])
    low, high = seen.bounds or (None, None)
    there = np.array([row.there for row in rows], float)
    told = {"gated": float((values * there).mean()), "there": float(there.mean())}
    return {"dice": seen.mean, "low": low, "high": high, **told, "n": seen.n, "groups": seen.groups}


def _difference(pairs: Sequence[tuple[Row, float]]) -> dict[str, Any]:
    a, b = np.array([row.dice for row, _ in pairs]), np.array([other for _, other in pairs])
    groups = [row.group for row, _ in pairs]
    seen = bootstrap_mean(a - b, np.random.default_rng(0), groups)
    p = paired_permutation(a, b, np.random.default_rng(0), groups)
    low, high = seen.bounds or (None, None)
    return {"mean": seen.mean, "low": low, "high": high, "p": p, "n": seen.n}


def write(out: Path, done: Mapping[str, Mapping[str, Any]], failed: Mapping[str, str], ours: str) -> None:
    """``peers.csv`` (every mask of every method), ``peers.json`` (the summary) and ``index.html`` (the same
    as a page), each under a temporary name first. ``done``: what was written of each method (``facts``,
    ``rows``); ``failed``: reasons."""
    rows = {name: [Row(**row) for row in one["rows"]] for name, one in done.items()}
    table = out / "peers.csv.part"
    with table.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["method", *(f.name for f in fields(Row))])
        for name, mine in rows.items():
            writer.writerows([name, *asdict(row).values()] for row in mine)
    os.replace(table, out / "peers.csv")
    told = {
        "schema": "medsegr.bench.peers/2",
        "ours": ours,
        "methods": {name: one["facts"] for name, one in done.items()},
        "failed": dict(failed),
        "summary": summary(rows, ours),
    }
    for name, text in (("peers.json", json.dumps(told, indent=1) + "\n"), ("index.html", page(told))):
        part = out / f"{name}.part"
        part.write_text(text, encoding="utf-8")
        os.replace(part, out / name)


def lines(told: Mapping[str, Any]) -> list[str]:
    """``peers.json`` for a person: what each was asked with right words and by the name, then what other
    words do to it."""
    out = [f"{'method':18s} {'million':>8s} {'steps':>7s} {'samples':>8s} {'minutes':>8s}"]
    for name, facts in told["methods"].items():
        out.append(
            f"{name:18s} {facts['parameters'] / 1e6:8.2f} {facts['steps']:7d} {facts['samples']:8d} "
            f"{facts['minutes']:8.1f}"
        )
    out += [f"{name:18s} failed: {reason}" for name, reason in told["failed"].items()]
    head = ""
    plain = [one for one in told["summary"] if one["control"] in PLAIN]
    for line in sorted(
        plain, key=lambda one: (one["set"] == POOLED, one["set"], one["what"], one["control"])
    ):
        words = "" if line["what"] == "name" else f", {line['control']}"
        title = (
            f"{line['set']}, {line['what']}{words}: mean Dice of {line['n']} masks in {line['groups']} groups"
        )
        if title != head:
            out += ["", title]
            head = title
        text = f"  {line['method']:18s} {line['dice']:.3f}  {span(line['low'], line['high'])}"
        if "difference" in line:
            d = line["difference"]
            text += f"   {d['mean']:+.3f}  {span(d['low'], d['high'], '+.3f')}  p {d['p']:.4f}"
            text += f", Holm {d['p_holm']:.4f}" if "p_holm" in d else ""
        out.append(text)
    out += ["", f"Differences are to {told['ours']} on the same masks; intervals 95 %, by groups."]
    return out + _corrupted(told["summary"])


def _corrupted(summary: Sequence[Mapping[str, Any]]) -> list[str]:
    """What words that are not right cost each method, of all sets of a question together."""
    out: list[str] = []
    for what, asked in overall(summary).items():
        names = [name for name in CONTROLS if any(one["control"] == name for one in asked)]
        if set(names) <= set(PLAIN):
            continue
        out += [
            "",
            f"{what}: Dice under right words, and right words minus the others (intervals: index.html)",
        ]
        for method in dict.fromkeys(one["method"] for one in asked):
            of = {one["control"]: one for one in asked if one["method"] == method}
            cells = [
                f"{name} {of[name]['right_minus']['mean']:+.3f}"
                for name in names
                if "right_minus" in of.get(name, {})
            ]
            out.append(f"  {method:18s} {of['right']['dice']:.3f}  {'  '.join(cells)}")
    return out
