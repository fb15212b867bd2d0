"""Numbers of a run out of its rows: per image and pooled, with intervals over groups, by set, stratum and
modality, for every text control, and tests between methods. Pure functions of rows; the conventions are in
``docs/explain/metrics.md``.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from operator import itemgetter
from typing import Any

import numpy as np

from medsegr.bench.controls import CONTROLS
from medsegr.bench.score import STRATA, dice_of, iou_of, open_dice_of, stratum_name, stratum_of, unpacked_bins
from medsegr.metrics import (
    Cost,
    Interval,
    bootstrap_mean,
    bootstrap_ratio,
    ece,
    ece_of,
    holm,
    paired_permutation,
    presence_counts,
    u_score,
)

Row = Mapping[str, Any]
MAIN = "right"
SEED = 20_000  # of the bootstrap: the same rows give the same intervals


def flat(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a target and control, with image, set, group, modality and seconds of its image."""
    keys = ("image", "set", "group", "modality", "seconds")
    return [
        {**{key: line.get(key) for key in keys}, **row}
        for line in lines
        if "rows" in line
        for row in line["rows"]
    ]


def shown(interval: Interval) -> dict[str, Any]:
    """An interval as JSON: NaN is null."""
    values = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    return {
        **{k: None if math.isnan(v) else round(v, 5) for k, v in values.items()},
        "n": interval.n,
        "groups": interval.groups,
    }


def _rng() -> np.random.Generator:
    return np.random.default_rng(SEED)


def _mean(rows: Sequence[Row], value: Callable[[Row], float]) -> dict[str, Any]:
    groups = [row["group"] for row in rows]
    return shown(bootstrap_mean(np.array([value(row) for row in rows], float), _rng(), groups))


def _ratio(
    rows: Sequence[Row], part: Callable[[Row], float], whole: Callable[[Row], float]
) -> dict[str, Any]:
    parts, wholes = (np.array([f(row) for row in rows], float) for f in (part, whole))
    return shown(bootstrap_ratio(parts, wholes, _rng(), [row["group"] for row in rows]))


def _both(row: Row) -> float:
    return float(row["pred"] + row["truth"])


def overlap(rows: Sequence[Row]) -> dict[str, Any]:
    """Dice and IoU of targets that are there: means over images, and of all their pixels together."""
    there = [row for row in rows if row["truth"]]
    return {
        "dice": _mean(there, dice_of),
        "dice_open": _mean(there, open_dice_of),
        "iou": _mean(there, iou_of),
        "dice_pooled": _ratio(there, lambda r: 2.0 * r["inter"], _both),
        "iou_pooled": _ratio(there, lambda r: float(r["inter"]), lambda r: _both(r) - r["inter"]),
    }


def summary(rows: Sequence[Row], control: str = MAIN) -> dict[str, Any]:
    """All numbers of one method under one control (``right`` or ``free``) on some rows."""
    own = [row for row in rows if row["control"] == control]
    there = [row for row in own if row["truth"]]
    strange = [row for row in rows if row["control"] == "other"]
    images = {row["image"] for row in own}
    far = [row["hd95"] for row in there]
    units = sorted({row["unit"] for row in there})
    by_image = {row["image"]: row["seconds"] for row in rows if row["seconds"]}
    return {
        **overlap(own),
        "nsd": {
            unit: _mean([r for r in there if r["unit"] == unit], lambda r: float(r["nsd"])) for unit in units
        },
        "hd95": {
            unit: {
                "median": _median(
                    [
                        math.inf if v is None else v
                        for v, r in zip(far, there, strict=True)
                        if r["unit"] == unit
                    ]
                ),
                "infinite": sum(v is None for v, r in zip(far, there, strict=True) if r["unit"] == unit),
                "n": sum(r["unit"] == unit for r in there),
            }
            for unit in units
        },
        "sensitivity": _ratio(own, lambda r: float(r["lesions"][0]), lambda r: float(sum(r["lesions"][:2]))),
        "false_positives": None if not images else round(sum(r["lesions"][2] for r in own) / len(images), 4),
        **presence(own, strange),
        **calibration(own, strange),
        "seconds": _median(list(by_image.values())),
        "images": len(images),
        "targets": len(there),
        "words": _counted(row["words"] for row in own),
    }


def presence(own: Sequence[Row], strange: Sequence[Row]) -> dict[str, Any]:
    """Is it there: F1 over present targets, targets whose mask is empty on purpose, and foreign concepts;
    and how often something was drawn for the two kinds of absent targets."""
    asked = [*own, *strange]
    absent = [row for row in own if not row["truth"]]
    counts = presence_counts([row["drawn"] for row in asked], [bool(row["truth"]) for row in asked])
    return {
        "presence": {
            key: None if math.isnan(value) else round(value, 5)
            for key, value in (("precision", counts.precision), ("recall", counts.recall), ("f1", counts.f1))
        },
        "absent_drawn": _mean(absent, lambda r: float(r["drawn"])),
        "foreign_drawn": _mean(strange, lambda r: float(r["drawn"])),
    }


def calibration(own: Sequence[Row], strange: Sequence[Row]) -> dict[str, Any]:
    """ECE of pixels (all, and those with 0.5 or more), ECE of the presence score, and the reliability
    table."""
    counted = [row["bins"] for row in own]
    scored = [row for row in (*own, *strange) if row["presence"] is not None]
    said = np.array([row["presence"] for row in scored], float)
    truth = np.array([bool(row["truth"]) for row in scored], bool)
    told: dict[str, Any] = {"ece": None, "ece_drawn": None, "reliability": None, "ece_presence": None}
    if counted:
        table = unpacked_bins(np.sum(np.array(counted, float), axis=0))
        told["ece"], told["ece_drawn"] = (_number(ece_of(table, above)) for above in (0.0, 0.5))
        told["reliability"] = {
            "confidence": [_number(v) for v in table.confidence],
            "accuracy": [_number(v) for v in table.accuracy],
            "count": table.count.tolist(),
        }
    if scored:
        told["ece_presence"] = _number(ece(said, truth, bins=10))
    return told


def _number(value: float) -> float | None:
    return round(float(value), 5) if math.isfinite(value) else None


def _median(values: Sequence[float]) -> float | None:
    return _number(float(np.median(values))) if values else None


def _counted(words: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return dict(sorted(found.items()))


def by(rows: Sequence[Row], key: Callable[[Row], str | None]) -> dict[str, Any]:
    """Overlap, sensitivity and numbers of targets for every value of ``key`` over the targets that are
    there."""
    there = [row for row in rows if row["control"] == MAIN and row["truth"]]
    values = [key(row) for row in there]
    return {
        str(value): {
            **overlap(part),
            "sensitivity": _ratio(
                part, lambda r: float(r["lesions"][0]), lambda r: float(sum(r["lesions"][:2]))
            ),
        }
        for value in dict.fromkeys(values)
        for part in ([row for row, v in zip(there, values, strict=True) if v == value],)
    }


def strata(rows: Sequence[Row]) -> dict[str, Any]:
    """:func:`by` area of the target, in the order of size; a stratum without targets is left out."""
    found = by(rows, stratum_of)
    return {name: found[name] for name in map(stratum_name, STRATA) if name in found}


def effects(rows: Sequence[Row]) -> dict[str, Any]:
    """:func:`against_right` with Dice as a user gets it; beside it the mean without the presence score."""
    told = against_right(rows, dice_of)
    for control, one in told.items():
        wide = [open_dice_of(row) for row in rows if row["truth"] and row["control"] == control]
        one["dice_open"] = _number(float(np.mean(wide)))
    return told


def against_right(rows: Sequence[Row], value: Callable[[Row], float]) -> dict[str, Any]:
    """For every text control: ``value`` (of a row, here called Dice) on the targets to which it applies, and
    right words minus it on the same targets (paired, with interval and permutation test, Holm over the
    controls)."""
    there = [row for row in rows if row["truth"]]
    key_of = itemgetter("control", "image", "target")
    dice = {key_of(row): value(row) for row in there}
    groups = {(row["image"], row["target"]): row["group"] for row in rows}
    told: dict[str, Any] = {}
    for control in CONTROLS:
        keys = [key[1:] for key in dice if key[0] == control and (MAIN, *key[1:]) in dice]
        if not keys:
            continue
        own, right = (np.array([dice[(name, *key)] for key in keys]) for name in (control, MAIN))
        names = [groups[key] for key in keys]
        told[control] = {
            "dice": shown(bootstrap_mean(own, _rng(), names)),
            "right": _number(float(right.mean())),
            "right_minus": shown(bootstrap_mean(right - own, _rng(), names)),
            "p": _number(paired_permutation(right, own, _rng(), names)),
        }
    others = [name for name in told if name != MAIN]
    for name, p in zip(others, holm([told[name]["p"] for name in others]), strict=True):
        told[name]["p_holm"] = _number(p)
    return told


def reads(rows: Sequence[Row]) -> bool:
    """Whether a method was asked with more than one kind of words, which is to say that it reads them."""
    return {row["control"] for row in rows if row["truth"]} != {MAIN}


def under(rows: Sequence[Row], control: str) -> list[Row]:
    """The rows of one control about targets that are there. A method that reads no words has one answer to
    all of them."""
    told = control if reads(rows) else MAIN
    return [row for row in rows if row["truth"] and row["control"] == told]


def difference(one: Sequence[Row], other: Sequence[Row], control: str = MAIN) -> dict[str, Any] | None:
    """One method minus another on the targets that both have judged: Dice an image, mean difference with
    interval, p of the paired permutation test; None without any."""
    a, b = ({(r["image"], r["target"]): r for r in under(rows, control)} for rows in (one, other))
    keys = [key for key in a if key in b]
    if not keys:
        return None
    x, y = (np.array([dice_of(rows[key]) for key in keys]) for rows in (a, b))
    groups = [a[key]["group"] for key in keys]
    return {
        "difference": shown(bootstrap_mean(x - y, _rng(), groups)),
        "p": _number(paired_permutation(x, y, _rng(), groups)),
        "a": _number(float(x.mean())),
        "b": _number(float(y.mean())),
        "images": len({key[0] for key in keys}),
    }


def tests(methods: Mapping[str, Sequence[Row]], control: str = MAIN) -> list[dict[str, Any]]:
    """Every pair of methods on the images that both have judged, with Holm's correction over the pairs."""
    found = []
    for one, other in combinations(methods, 2):
        told = difference(methods[one], methods[other], control)
        if told is not None:
            found.append({"one": one, "other": other, **told})
    return corrected(found)


def corrected(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows with ``p_holm``, their ``p`` after Holm's correction over all of them."""
    values = holm([row["p"] for row in found])
    return [{**row, "p_holm": _number(value)} for row, value in zip(found, values, strict=True)]


def u_scores(told: Mapping[str, Mapping[str, Any]], facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """U-Score of each method, its IoU placed among the methods of this run; a reason where there is none."""
    ious = {label: table["iou"]["mean"] for label, table in told.items()}
    known = [value for value in ious.values() if value is not None]
    found: dict[str, Any] = {}
    for label, table in told.items():
        parameters, count = facts[label].get("parameters"), facts[label].get("operations")
        if len(known) < 2:
            found[label] = {"score": None, "why": "its quantiles need two methods or more"}
        elif not parameters or not count or ious[label] is None or not table["seconds"]:
            found[label] = {
                "score": None,
                "why": "no network whose cost could be counted, or nothing was judged",
            }
        else:
            low, high = (float(q) for q in np.quantile(known, (0.1, 0.9)))
            cost = Cost(parameters / 1e6, count / 1e9, 1 / table["seconds"])
            score = u_score(ious[label], (low, high), cost)
            found[label] = {
                "score": round(score.score, 2),
                "terms": [
                    round(v, 3) for v in (score.accuracy, score.parameters, score.operations, score.speed)
                ],
                "iou_quantiles": [round(low, 4), round(high, 4)],
                "pool": len(known),
            }
    return found
