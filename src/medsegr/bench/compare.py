"""Two methods, of one run or of two, on the targets that both have judged: Dice an image, paired."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medsegr.bench import store, table
from medsegr.bench.controls import CONTROLS
from medsegr.bench.results import rows_of
from medsegr.bench.score import STRATA, stratum_name, stratum_of
from medsegr.errors import InputError, UsageError

Rows = Sequence[Mapping[str, Any]]
DRAWN = ("shuffled", "wrong", "few-wrong")  # controls whose words are drawn, by the seed of the run


def side_of(text: str) -> tuple[Path, str | None]:
    """``FOLDER`` or ``FOLDER:LABEL``."""
    if Path(text).is_dir():
        return Path(text), None
    folder, colon, label = text.rpartition(":")
    if not colon or not Path(folder).is_dir():
        raise UsageError(f"'{text[:60]}' is no folder of a run, nor FOLDER:LABEL with a method's label")
    return Path(folder), label


def rows_at(folder: Path, label: str | None) -> tuple[str, Rows, Mapping[str, Any]]:
    """(label, rows, record) of one method of a run; the only one where no label is given."""
    record = store.read_json(folder / store.RECORD)
    every = {name: rows for name, rows in rows_of(folder).items() if rows}
    if label is None and len(every) == 1:
        label = next(iter(every))
    if label is None or label not in every:
        there = ", ".join(every) or "nothing"
        raise UsageError(f"which method is meant? Write FOLDER:LABEL; judged there: {there}")
    return label, every[label], record


def _alone(one: Rows, other: Rows) -> int:
    """How many images the first has judged and the other has not, as where it failed on them."""
    return len({row["image"] for row in one} - {row["image"] for row in other})


def compare(one: str, other: str, control: str = "free", fewest: int = 0) -> dict[str, Any]:
    """One method minus the other: over all sets, by set (Holm over the sets) and by area.

    Args:
        one: ``FOLDER`` or ``FOLDER:LABEL``.
        other: the same.
        control: which words both were told; a method that reads none has one answer to all.
        fewest: sets with fewer images that both have judged stay out of the total.

    Raises:
        UsageError: a side names nothing, or the control does not exist.
        InputError: the runs have no target in common, or judged different tables under one name.
    """
    if control not in CONTROLS or control == "other":
        known = ", ".join(name for name in CONTROLS if name != "other")
        raise UsageError(f"--control: '{control[:40]}' is not known; expected {known}")
    (label_a, a, record_a), (label_b, b, record_b) = (rows_at(*side_of(text)) for text in (one, other))
    shared = [name for name in record_a["tables"] if name in record_b["tables"]]
    changed = [name for name in shared if record_a["tables"][name] != record_b["tables"][name]]
    if changed:
        raise InputError(
            f"the tables of {', '.join(changed)} differ between the runs: judge both on the same"
        )
    sets = []
    for name in shared:
        mine, theirs = ([r for r in rows if r["set"] == name] for rows in (a, b))
        found = table.difference(mine, theirs, control)
        if found is not None:
            sets.append({"set": name, **found})
    if not sets:
        raise InputError(f"no target under '{control}' was judged by both; judge both on the same sets")
    kept = {row["set"] for row in sets if row["images"] >= fewest}
    if not kept:
        most = max(row["images"] for row in sets)
        raise InputError(f"--min-images {fewest}: the largest set that both have judged has {most} images")
    a, b = ([r for r in rows if r["set"] in kept] for rows in (a, b))
    total = table.difference(a, b, control)
    assert total is not None  # the sets that are kept have targets
    strata = []
    for area in map(stratum_name, STRATA):
        mine, theirs = ([r for r in rows if stratum_of(r) == area] for rows in (a, b))
        found = table.difference(mine, theirs, control)
        strata += [{"area": area, **found}] if found is not None else []
    return {
        "schema": "medsegr.bench.compare/1",
        "a": label_a,
        "b": label_b,
        "control": control,
        "fewest": fewest,
        "same_device": record_a.get("device") == record_b.get("device"),
        "same_words": control not in DRAWN or record_a.get("seed") == record_b.get("seed"),
        # of a method that reads none the rows stand under "right" alone, whatever the others were told
        "words": sorted(
            {r["words"] for rows in (a, b) if table.reads(rows) for r in table.under(rows, control)}
        ),
        "alone": [_alone(a, b), _alone(b, a)],
        "all": total,
        "sets": table.corrected(sets),
        "strata": table.corrected(strata),
    }
