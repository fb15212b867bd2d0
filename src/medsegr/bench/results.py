"""A finished or half-finished run as one value, and as files: ``results.json``, ``scores.csv``,
``index.html``. Everything is made from the folder again, so it can be done at any time.
"""

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medsegr.bench import store, table
from medsegr.bench.score import dice_of, iou_of

COLUMNS = (
    *("method", "set", "image", "group", "modality", "target", "label", "control", "words"),
    *("dice", "iou", "inter", "pred", "truth", "size", "drawn", "presence"),
    *("nsd", "hd95", "unit", "found", "missed", "false_positives", "seconds"),
)
Rows = list[dict[str, Any]]


def rows_of(out: Path) -> dict[str, Rows]:
    """Method -> its rows, only of images that every method of the run could be asked about."""
    return {
        folder.name: table.flat(store.lines_of(folder / "images.jsonl").values())
        for folder in store.method_folders(out)
    }


def results(out: Path) -> dict[str, Any]:
    """Everything that the page shows, as JSON values."""
    record = store.read_json(out / store.RECORD)
    every = rows_of(out)
    facts = {folder.name: store.read_json(folder / "method.json") for folder in store.method_folders(out)}
    methods = {label: _method(rows, facts[label]) for label, rows in every.items()}
    ran = {label: rows for label, rows in every.items() if rows}
    return {
        "schema": "medsegr.bench.results/1",
        "record": record,
        "methods": methods,
        "tests": {control: table.tests(ran, control) for control in ("free", "right")},
        "u_scores": table.u_scores({label: methods[label]["all"] for label in ran}, facts),
        "failures": _failures(out, facts),
    }


def _method(rows: Rows, facts: Mapping[str, Any]) -> dict[str, Any]:
    if not rows:
        return {"facts": facts}
    reads = facts.get("reads_text", False)
    sets = {name: [r for r in rows if r["set"] == name] for name in dict.fromkeys(r["set"] for r in rows)}
    return {
        "facts": facts,
        "all": table.summary(rows),
        "free": table.summary(rows, "free") if reads else None,
        "sets": {name: table.summary(part) for name, part in sets.items()},
        "sets_free": {name: table.summary(part, "free") for name, part in sets.items()} if reads else None,
        "strata": table.strata(rows),
        "modalities": table.by(rows, lambda r: r["modality"] or "not told"),
        "targets": table.by(rows, lambda r: f"{r['set']}: {r['label']}"),
        "controls": table.effects(rows) if reads else None,
        "controls_by_set": {name: table.effects(part) for name, part in sets.items()} if reads else None,
    }


def _failures(out: Path, facts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    found = [
        {"method": label, "image": "", "reason": told["error"]}
        for label, told in facts.items()
        if told.get("error")
    ]
    for folder in store.method_folders(out):
        for line in store.lines_of(folder / "images.jsonl").values():
            if "error" in line:
                found.append({"method": folder.name, "image": line["image"], "reason": line["error"]})
    return found


def write_scores(out: Path, every: Mapping[str, Rows]) -> Path:
    """``scores.csv``: one row a method, target and control; empty cells where a number has no meaning."""
    path = out / "scores.csv"
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for label, rows in every.items():
            for row in rows:
                lesions = row.get("lesions") or ("", "", "")
                numbers = {"dice": dice_of(row), "iou": iou_of(row)} if row["truth"] else {}
                writer.writerow(
                    {**row, "method": label, **{key: round(value, 6) for key, value in numbers.items()}}
                    | dict(zip(("found", "missed", "false_positives"), lesions, strict=True))
                )
    part.replace(path)
    return path


def write_all(out: Path, folders: Mapping[str, Path]) -> dict[str, Any]:
    """Write the three files; ``folders`` are the sets by name, from which the page takes its pictures."""
    from medsegr.bench.page import page

    told = results(out)
    every = rows_of(out)
    store.write_json(out / "results.json", told)
    write_scores(out, every)
    part = out / f".index.html.{os.getpid()}.part"
    part.write_text(page(told, every, folders), encoding="utf-8")
    part.replace(out / "index.html")
    return told
