"""Rows of a click run to a table: Dice after so many clicks and NoC with bootstrap intervals over groups of
images, the paired questions, and the files ``clicks.csv``, ``clicks.json`` and ``index.html``."""

import csv
import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.bench import store
from medsegr.bench.clicks import MODES
from medsegr.metrics.intervals import bootstrap_mean, paired_permutation, span

AFTER = (0, 1, 3, 5, 10)
REACHED = (0.80, 0.85, 0.90)
ALL = "all sets"
QUESTIONS = (
    ("words and 1 click minus words alone", ("words", 1), ("words", 0)),
    ("words and 1 click minus 1 click alone", ("words", 1), ("clicks", 1)),
    ("words and 3 clicks minus 3 clicks alone", ("words", 3), ("clicks", 3)),
    ("words and box minus box alone", ("words and box", 0), ("box", 0)),
)
Rows = Sequence[Mapping[str, Any]]


def dice_after(row: Mapping[str, Any], clicks: int) -> float:
    """Dice after so many clicks; the last one where fewer were needed."""
    found = row["dice"]
    return float(found[min(clicks, len(found) - 1)])


def noc(row: Mapping[str, Any], reach: float, most: int) -> tuple[int, bool]:
    """Clicks until Dice is ``reach`` (a box counts none), and whether that failed: then ``most``. Whoever
    begins with a click needs one at least."""
    for count, value in enumerate(row["dice"][: most + 1]):
        if value >= reach:
            return count, False
    return most, True


def summary(rows: Rows, most: int) -> dict[str, Any]:
    """By set (and all together) and mode: Dice after clicks, NoC with failures; and the paired questions."""
    parts = {name: [r for r in rows if r["set"] == name] for name in dict.fromkeys(r["set"] for r in rows)}
    if len(parts) > 1:
        parts[ALL] = list(rows)
    return {
        name: {"modes": _modes(part, most), "questions": _questions(part, most)}
        for name, part in parts.items()
    }


def _modes(rows: Rows, most: int) -> dict[str, Any]:
    found = {}
    for mode in MODES:
        mine = [r for r in rows if r["mode"] == mode]
        if not mine:
            continue
        groups = [r["group"] for r in mine]
        reached = {}
        for reach in REACHED:
            counts = [noc(r, reach, most) for r in mine]
            reached[f"{reach:.2f}"] = {
                **_interval([float(n) for n, _ in counts], groups),
                "failed": sum(failed for _, failed in counts),
            }
        found[mode] = {
            "targets": len(mine),
            "groups": len(set(groups)),
            "dice": {str(n): _interval([dice_after(r, n) for r in mine], groups) for n in AFTER if n <= most},
            "noc": reached,
        }
    return found


def _interval(values: Sequence[float], groups: Sequence[str]) -> dict[str, float | None]:
    seen = bootstrap_mean(np.array(values, float), np.random.default_rng(0), groups)
    low, high = seen.bounds or (None, None)
    return {"mean": seen.mean, "low": low, "high": high}


def _questions(rows: Rows, most: int) -> list[dict[str, Any]]:
    by = {(r["image"], r["target"], r["mode"]): r for r in rows}
    keys = list(dict.fromkeys((r["image"], r["target"], r["group"]) for r in rows))
    told = []
    for title, (mode, clicks), (other, fewer) in QUESTIONS:
        if max(clicks, fewer) > most:
            continue
        pairs = [
            (dice_after(by[image, target, mode], clicks), dice_after(by[image, target, other], fewer), group)
            for image, target, group in keys
            if (image, target, mode) in by and (image, target, other) in by
        ]
        if not pairs:
            continue
        a, b = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
        groups = [p[2] for p in pairs]
        p = paired_permutation(a, b, np.random.default_rng(0), groups)
        told.append({"question": title, **_interval(list(a - b), groups), "p": p, "targets": len(pairs)})
    return told


def write_all(out: Path, rows: Rows, model: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Write the three files, each under a temporary name first; returns what ``clicks.json`` holds."""
    told = {
        "schema": "medsegr.bench.clicks.results/1",
        "model": dict(model),
        "most": most,
        "words": sorted({r["words"] for r in rows}),
        "sets": summary(rows, most),
        "failures": [
            {"image": key, "reason": line["error"]}
            for key, line in store.lines_of(out / "images.jsonl").items()
            if "error" in line
        ],
    }
    store.write_json(out / "clicks.json", told)
    part = out / f".clicks.csv.{os.getpid()}.part"
    with part.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["set", "image", "group", "target", "label", "words", "mode", "clicks", "dice"])
        for row in rows:
            head = [row[key] for key in ("set", "image", "group", "target", "label", "words", "mode")]
            writer.writerows([*head, count, value] for count, value in enumerate(row["dice"]))
    part.replace(out / "clicks.csv")
    part = out / f".index.html.{os.getpid()}.part"
    part.write_text(page(told), encoding="utf-8")
    part.replace(out / "index.html")
    return told


def lines(told: Mapping[str, Any]) -> list[str]:
    """``clicks.json`` for a person."""
    out = []
    for name, part in told["sets"].items():
        out += [f"{name}", *(f"  {line}" for line in _table(part, told["most"]))]
        for one in part["questions"]:
            out.append(
                f"  {one['question']}: {one['mean']:+.3f} {span(one['low'], one['high'], '+.3f')}  "
                f"p {one['p']:.4f}  ({one['targets']} targets)"
            )
    if told["failures"]:
        out.append(f"{len(told['failures'])} images failed, see clicks.json")
    return out


def _cells(part: Mapping[str, Any], most: int) -> list[list[str]]:
    head = [
        "begun with",
        "targets",
        *(f"Dice@{n}" for n in AFTER if n <= most),
        *(f"NoC@{int(100 * r)}" for r in REACHED),
    ]
    rows = [head]
    for mode, one in part["modes"].items():
        dice = [f"{v['mean']:.3f} {span(v['low'], v['high'])}" for v in one["dice"].values()]
        counts = [f"{v['mean']:.1f} ({v['failed']} failed)" for v in one["noc"].values()]
        rows.append([mode, str(one["targets"]), *dice, *counts])
    return rows


def _table(part: Mapping[str, Any], most: int) -> list[str]:
    rows = _cells(part, most)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def page(told: Mapping[str, Any]) -> str:
    """One HTML page that stands alone: a table a set, and the paired questions below it."""
    body = []
    for name, part in told["sets"].items():
        head, *rows = _cells(part, told["most"])
        body.append(f"<h2>{html.escape(name)}</h2><table><tr>")
        body += [f"<th>{html.escape(cell)}</th>" for cell in head]
        body.append("</tr>")
        for row in rows:
            body.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>")
        body.append("</table><ul>")
        for one in part["questions"]:
            body.append(
                f"<li>{html.escape(one['question'])}: {one['mean']:+.3f} "
                f"{span(one['low'], one['high'], '+.3f')}, p {one['p']:.4f}, {one['targets']} targets</li>"
            )
        body.append("</ul>")
    model = html.escape(str(told["model"].get("name", "")))
    oracle = " Words made from the masks are among them (oracle text)." if "oracle" in told["words"] else ""
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Clicks</title><style>"
        "body{font:15px/1.5 system-ui,sans-serif;max-width:75em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse}td,th{padding:.3em .7em;border-bottom:1px solid #ccc;text-align:left}"
        f"</style><h1>Clicks: {model}</h1><p>Mean Dice after so many clicks of a simulated annotator, with "
        f"95 % bootstrap intervals over groups of images; NoC counts a failure as {told['most']}.{oracle} "
        f"Not a medical device. For research.</p>{''.join(body)}</html>\n"
    )
