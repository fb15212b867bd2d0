"""Findings as they come: what a running job has judged so far, in its folder until the result is there.

A finding is ``partial/<id>.json`` (as in findings.json) and, where it has a mask, ``<id>.npz`` beside.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.io.write import atomic_write, write_json
from medsegr.results.export import Written
from medsegr.results.record import result_json
from medsegr.results.reopen import NAME, result_from
from medsegr.types import FindingResult

FOLDER = "partial"


def write(folder: Path, item: FindingResult) -> None:
    """Write one finding below the folder of a job; its .json comes last and says that it is whole."""
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    own = item.finding.id
    if item.mask is not None:
        kept: dict[str, Any] = {"grid": np.array(item.mask.shape), "mask": np.packbits(item.mask)}
        if item.free_mask is not None:
            kept["free"] = np.packbits(item.free_mask)
        if item.attention is not None:
            kept["map"] = item.attention.astype(np.float16)
        with atomic_write(place / f"{own}.npz") as part:
            np.savez(part, **kept)
    write_json(result_json(item, Written()), place / f"{own}.json")


def told(folder: Path, finding: str) -> dict[str, Any] | None:
    """What became of one finding of a job, as in findings.json: of its result, else of what came so far."""
    whole = _json(folder / "out" / "findings.json")
    for item in (whole or {}).get("findings", ()):
        if item.get("id") == finding:
            return dict(item)
    return _json(folder / FOLDER / f"{finding}.json") if NAME.fullmatch(finding) else None


def read(folder: Path) -> tuple[FindingResult, ...]:
    """The findings of a running job so far, in the order of their ids; damaged or half written ones are left
    out."""
    found = []
    for path in (folder / FOLDER).glob("*.json"):
        item = _json(path)
        if item is None:
            continue
        result = result_from(item, None)
        found.append(_with_masks(result, path.with_suffix(".npz")))
    return tuple(sorted(found, key=lambda one: (len(one.finding.id), one.finding.id)))


def _with_masks(item: FindingResult, path: Path) -> FindingResult:
    if not path.is_file():
        return item
    with np.load(path, allow_pickle=False) as kept:
        grid = tuple(int(n) for n in kept["grid"])
        count = int(np.prod(grid))

        def mask(name: str) -> np.ndarray | None:
            if name not in kept:
                return None
            bits: np.ndarray = np.unpackbits(kept[name], count=count).reshape(grid).astype(bool)
            return bits

        seen = kept["map"].astype(np.float32) if "map" in kept else None
        return replace(item, mask=mask("mask"), free_mask=mask("free"), attention=seen)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
