"""``index.html``: everything of a run on one page that stands alone, without scripts and without anything
from outside. What comes from tables and methods is escaped.
"""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medsegr.bench import svg
from medsegr.bench.controls import CONTROLS
from medsegr.bench.panels import finder, panels
from medsegr.bench.sheet import NONE, p_value, table_of, whole
from medsegr.metrics.intervals import span
from medsegr.samples.layouts import Hints

Data = Mapping[str, Any]


def page(told: Data, rows: Mapping[str, Sequence[Data]], folders: Mapping[str, Path]) -> str:
    """The page of :func:`medsegr.bench.results.results`; ``folders`` are the sets by name, for the
    pictures."""
    judged = {label: data for label, data in told["methods"].items() if "all" in data}
    record = told["record"]
    find = finder(folders, Hints(record.get("target"), record.get("modality")))
    parts = [
        _head(told),
        _overview(judged),
        _sets(judged),
        _split(judged, "strata", "By area of the target", "share of the image"),
        _split(judged, "modalities", "By modality", "modality"),
        _tests(told["tests"]),
        _thrift(told["u_scores"], judged),
        *(_method(label, data, panels(rows[label], find)) for label, data in judged.items()),
        _failures(told["failures"]),
        _record(told["record"], told["methods"]),
    ]
    return whole("medsegr bench", "\n".join(part for part in parts if part))


def _share(value: Data) -> str:
    if value.get("mean") is None:
        return NONE
    return f"{value['mean']:.1%} {span(value['low'], value['high'], '.1%')} of {value['n']}"


def _head(told: Data) -> str:
    record = told["record"]
    sets = ", ".join(record["sets"])
    leaky = record.get("found_leaks") or []
    notes = []
    if leaky:
        what = {"drop": "were left out", "note": "were judged all the same"}.get(record["leaks"], "")
        notes.append(f"{len(leaky)} judged images also stand on the other side of the split; they {what}.")
    if named := record.get("like_named"):
        names = f"also stand in what was trained on ({', '.join(named[:5])}{' ...' * (len(named) > 5)})"
        notes.append(f"{len(named)} groups bear names that {names}: if the same patients, this flatters.")
    if record["leaks"] == "off":
        notes.append("Nobody looked for images that stand on both sides of the split.")
    if record["split"] in ("train", "all"):
        notes.append(
            "Images of the training part are among those judged: these are no results on unseen images."
        )
    if failed := told["failures"]:
        whose = ", ".join(dict.fromkeys(one["method"] for one in failed))
        notes.append(f"Not everything was judged, see what failed below: {len(failed)} of {whose}.")
    most = f"; at most {record['limit']} images a set" if record["limit"] else ""
    warned = "".join(f'<p class="note">{html.escape(note)}</p>' for note in notes)
    return (
        f"<h1>medsegr bench</h1><p>{record['images']} images of {html.escape(sets)}; part "
        f"<b>{html.escape(record['split'])}</b>; seed {record['seed']}{most}.</p>"
        f"{warned}"
        "<p>Dice and IoU are over targets that are there: mean over images with a 95 % bootstrap interval "
        "over groups (patients), and pooled over all their pixels. <b>Oracle</b> words were made from the "
        "true mask: they flatter. A number under <i>name alone</i> needs no oracle.</p>"
    )


def _overview(judged: Mapping[str, Data]) -> str:
    head = (
        "method",
        "words",
        "Dice an image",
        "Dice pooled",
        "IoU an image",
        "IoU pooled",
        "NSD",
        "lesions found",
    )
    more = ("false positives an image", "presence F1", "foreign drawn", "absent drawn", "ECE", "ECE of drawn")
    rows, second = [], []
    for label, data in judged.items():
        for words, part in _ways(data):
            rows.append(
                (
                    label,
                    words,
                    *(part[k] for k in ("dice", "dice_pooled", "iou", "iou_pooled", "nsd", "sensitivity")),
                )
            )
            second.append(
                (
                    label,
                    words,
                    part["false_positives"],
                    part["presence"]["f1"],
                    _share(part["foreign_drawn"]),
                    _share(part["absent_drawn"]),
                    part["ece"],
                    part["ece_drawn"],
                    part["ece_presence"],
                    part["seconds"],
                )
            )
    dots = [
        (f"{label}, {words}", part["dice"]["mean"], part["dice"]["low"], part["dice"]["high"])
        for label, data in judged.items()
        for words, part in _ways(data)
    ]
    return (
        "<h2>All methods</h2>"
        + svg.dots("Dice an image, mean and 95 % interval", dots)
        + table_of(head, rows)
        + _uneven(judged)
        + table_of(("method", "words", *more, "ECE of presence", "seconds an image"), second)
    )


def _uneven(judged: Mapping[str, Data]) -> str:
    counts = {label: data["all"]["images"] for label, data in judged.items()}
    if len(set(counts.values())) < 2:
        return ""
    told = ", ".join(f"{label} {count}" for label, count in counts.items())
    return (
        f'<p class="note">The methods have judged different numbers of images ({html.escape(told)}): '
        "means are not comparable, the tests below are, which take only what both have judged.</p>"
    )


def _ways(data: Data) -> list[tuple[str, Data]]:
    """The runs of one method that are shown beside each other, with what it was told."""
    own = data["all"]
    if not data["facts"].get("reads_text"):
        return [("reads none", own)]
    return [("name alone", data["free"]), (f"all words ({_sources(own)})", own)]


def _sources(part: Data) -> str:
    return ", ".join(word for word in part["words"] if word != "name") or "name"


def _sets(judged: Mapping[str, Data]) -> str:
    head = (
        "set",
        "method",
        "words",
        "targets",
        "Dice an image",
        "Dice pooled",
        "NSD",
        "HD95, median",
        "foreign drawn",
    )
    rows = []
    for name in dict.fromkeys(name for data in judged.values() for name in data["sets"]):
        for label, data in judged.items():
            reads = data["facts"].get("reads_text")
            for words, tables in (("name alone", data["sets_free"]), ("all words", data["sets"])):
                if tables is None or name not in tables:
                    continue
                part = tables[name]
                told = f"{words} ({_sources(part)})" if reads and words == "all words" else words
                rows.append(
                    (
                        name,
                        label,
                        told if reads else "reads none",
                        part["targets"],
                        part["dice"],
                        part["dice_pooled"],
                        part["nsd"],
                        _far(part["hd95"]),
                        _share(part["foreign_drawn"]),
                    )
                )
    return "<h2>By set</h2>" + table_of(head, rows)


def _far(told: Mapping[str, Data]) -> str:
    parts = []
    for unit, one in told.items():
        value = NONE if one["median"] is None else f"{one['median']:.1f} {unit}"
        parts.append(f"{value} ({one['infinite']} infinite)" if one["infinite"] else value)
    return ", ".join(parts) or NONE


def _split(judged: Mapping[str, Data], key: str, title: str, what: str) -> str:
    rows = [
        (name, label, part["dice"]["n"], part["dice"], part["dice_pooled"], part["sensitivity"])
        for label, data in judged.items()
        for name, part in data[key].items()
    ]
    head = (what, "method", "targets", "Dice an image", "Dice pooled", "lesions found")
    return f"<h2>{title}</h2>" + table_of(head, rows, "with all words")


def _tests(told: Mapping[str, Sequence[Data]]) -> str:
    head = ("a", "b", "Dice a", "Dice b", "a minus b", "p", "p, Holm")
    parts = []
    for control, rows in told.items():
        body = [
            (r["one"], r["other"], r["a"], r["b"], r["difference"], p_value(r["p"]), p_value(r["p_holm"]))
            for r in rows
        ]
        if body:
            parts.append(table_of(head, body, CONTROLS[control]))
    about = "<p>Paired permutation test on the targets that both have judged, whole groups at a time.</p>"
    return "<h2>Method against method</h2>" + about + "".join(parts) if parts else ""


def _thrift(told: Mapping[str, Data], judged: Mapping[str, Data]) -> str:
    rows = []
    for label, one in told.items():
        facts = judged[label]["facts"]
        count, work = facts.get("parameters"), facts.get("operations")
        rows.append(
            (
                label,
                f"{one['score']:.1f}" if one["score"] is not None else one["why"],
                f"{count / 1e6:.2f}" if count else NONE,
                f"{work / 1e9:.2f}" if work else NONE,
                *(one.get("terms") or (None,) * 4),
            )
        )
    head = (
        "method",
        "U-Score",
        "million parameters",
        "10^9 operations",
        "accuracy",
        "parameters",
        "operations",
        "speed",
    )
    about = (
        "<p>U-Score places IoU among the methods of this run; its speed holds for the recorded device only. "
        "Terms run from 0.05 to 1.</p>"
    )
    return "<h2>Worth its cost</h2>" + about + table_of(head, rows)


def _method(label: str, data: Data, pictures: Sequence[Any]) -> str:
    parts = [f"<h2>{html.escape(label)}</h2>"]
    if data["controls"]:
        parts.append(_controls(data["controls"], data["all"]))
        parts += [
            f"<details><summary>{html.escape(name)}</summary>{_controls(part, data['sets'][name])}</details>"
            for name, part in data["controls_by_set"].items()
        ]
    table = data["all"]["reliability"]
    if table:
        plot = svg.reliability(
            f"Reliability of {label}", table["confidence"], table["accuracy"], table["count"]
        )
        parts.append(f"<h3>Does 0.8 mean 8 of 10</h3>{plot}")
    if pictures:
        shown = "with all words; by name alone" if data["free"] else "the answer"
        parts.append(
            f"<h3>Pictures</h3><p>The image; {shown}. "
            '<b class="blue">Blue</b>: the truth. <b class="orange">Orange</b>: what was drawn.</p>'
        )
    for one in pictures:
        image = f'<img src="{one.address}" alt="{html.escape(one.title)}">' if one.address else ""
        told = f"<b>{html.escape(one.title)}</b>: {html.escape(one.caption)}"
        parts.append(f"<figure>{image}<figcaption>{told}</figcaption></figure>")
    targets = [(name, part["dice"]["n"], part["dice"], part["iou"]) for name, part in data["targets"].items()]
    parts.append(
        table_of(("target", "number", "Dice an image", "IoU an image"), targets, "every target, all words")
    )
    return "".join(parts)


def _controls(told: Data, table: Data) -> str:
    rows = [
        (
            name,
            CONTROLS[name],
            one["dice"]["n"],
            one["dice"],
            one["dice_open"],
            one["right_minus"] if name != "right" else None,
            p_value(one["p_holm"]) if name != "right" else NONE,
        )
        for name, one in told.items()
    ]
    dots = [
        (name, one["dice"]["mean"], one["dice"]["low"], one["dice"]["high"]) for name, one in told.items()
    ]
    head = (
        "control",
        "what was told",
        "targets",
        "Dice an image",
        "without presence score",
        "right minus it",
        "p, Holm",
    )
    return (
        f"<h3>What the words do ({html.escape(_sources(table))})</h3>"
        + svg.dots("Dice an image under each text control", dots)
        + table_of(head, rows)
        + f"<p>Another concept, which such an image cannot show (<i>other</i>), was drawn in "
        f"{_share(table['foreign_drawn'])}; a target whose mask is empty on purpose in "
        f"{_share(table['absent_drawn'])}.</p>"
    )


def _failures(told: Sequence[Data]) -> str:
    if not told:
        return ""
    body = [(one["method"], one["image"] or "all images", one["reason"]) for one in told]
    return "<h2>What failed</h2>" + table_of(("method", "image", "reason"), body)


def _record(record: Data, methods: Mapping[str, Data]) -> str:
    facts = [
        (label, f["asked"], str(f["options"] or ""), f.get("licence", NONE), (f.get("sha256") or NONE)[:16])
        for label, f in ((label, data["facts"]) for label, data in methods.items())
    ]
    device = [(key, value) for key, value in record["device"].items()]
    tables = list(record["tables"].items())
    leaks = [
        (one["judged"], one["other"], one["kind"], one["likeness"]) for one in record.get("found_leaks") or []
    ]
    parts = [
        "<h2>Record</h2>",
        table_of(("method", "asked for as", "options", "licence", "SHA-256"), facts),
        table_of(("device", ""), device, "seconds hold for this device"),
        table_of(("set", "SHA-256 of its table"), tables),
    ]
    if leaks:
        parts.append(table_of(("judged", "the same on the other side", "kind", "likeness"), leaks, "leaks"))
    return "".join(parts)
