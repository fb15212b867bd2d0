"""``index.html`` of a comparison: who was compared, every question with right words, by the name, and what
other words do to each method. It stands alone, as the page of a run (:mod:`medsegr.bench.page`).
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from medsegr.bench import svg
from medsegr.bench.controls import CONTROLS
from medsegr.bench.sheet import p_value, table_of, whole
from medsegr.metrics.intervals import span

Line = Mapping[str, Any]
POOLED = "all sets"
ASKED = {
    "name": "Real pictures, each target by its name alone",
    "words": "Real pictures in which the words mean one of several things",
    "location": "Made bodies, words of location decide",
    "texture": "Made bodies, words of texture decide",
    "shape": "Made bodies, words of shape decide",
}


def overall(summary: Sequence[Line]) -> dict[str, list[Line]]:
    """The lines of each question that are about all of its sets, or about the one that it has."""
    found: dict[str, list[Line]] = {}
    for what in dict.fromkeys(line["what"] for line in summary):
        own = [line for line in summary if line["what"] == what]
        pooled = [line for line in own if line["set"] == POOLED]
        found[what] = pooled or own
    return found


def page(told: Line) -> str:
    """The page of ``peers.json``."""
    summary: Sequence[Line] = told["summary"]
    parts = [
        "<h1>medsegr bench peers</h1>",
        _about(told["ours"]),
        _methods(told),
        _meant(summary),
    ]
    for what, lines in overall(summary).items():
        parts.append(f"<h2>{ASKED.get(what, html.escape(what))}</h2>")
        parts.append(_question(lines))
        sets = dict.fromkeys(line["set"] for line in summary if line["what"] == what)
        for name in [] if len(sets) < 2 else [one for one in sets if one != POOLED]:
            own = [line for line in summary if line["what"] == what and line["set"] == name]
            parts.append(f"<details><summary>{html.escape(name)}</summary>{_question(own)}</details>")
    return whole("medsegr bench peers", "\n".join(parts))


def _about(ours: str) -> str:
    return (
        "<p>Mean Dice of a mask at a probability of one half, with 95 % bootstrap intervals over groups "
        f"(patients, made bodies). <b>Difference</b>: to {html.escape(ours)} on the same masks; p after "
        "Holm over the methods of a question. <b>Right minus it</b>: the method's own Dice under right "
        "words minus that under these, on the same masks; p after Holm over the controls. <b>Said to be "
        "there</b>: how often the presence score affirms the thing; <b>as users get it</b>: Dice where what "
        "it denies counts as not drawn. Words of made bodies, and those that a set calls so, are "
        "<b>oracle</b> text: made from the true mask, they flatter.</p>"
    )


def _methods(told: Line) -> str:
    rows = [
        (
            name,
            f"{one['parameters'] / 1e6:.2f}",
            "as it came" if one["checkpoint"] else f"{one['steps']} steps, {one['samples']} samples",
            f"{one['minutes']:.1f}",
        )
        for name, one in told["methods"].items()
    ]
    failed = [(name, reason) for name, reason in told["failed"].items()]
    head = ("method", "million parameters", "trained", "minutes")
    return table_of(head, rows) + (
        "<h2>What failed</h2>" + table_of(("method", "reason"), failed) if failed else ""
    )


def _meant(summary: Sequence[Line]) -> str:
    """What each control tells, once for all tables."""
    asked = {line["control"] for line in summary}
    rows = [(name, meaning) for name, meaning in CONTROLS.items() if name in asked]
    return f"<h2>Words</h2>{table_of(('control', 'what was told'), rows)}"


def _question(lines: Sequence[Line]) -> str:
    """One question of one set (or of all): right words and the name for all methods, then what other words do
    to each."""
    first = [line for line in lines if line["control"] in ("right", "free")]
    dots = [(f"{line['method']}, {_words(line)}", line["dice"], line["low"], line["high"]) for line in first]
    rows = [
        (line["method"], _words(line), f"{line['n']} in {line['groups']}", _dice(line), *_difference(line))
        for line in first
    ]
    head = ("method", "words", "masks in groups", "Dice", "difference", "p, Holm")
    wrong = [line for line in lines if "right_minus" in line]
    return (
        svg.dots("Dice, mean and 95 % interval", dots)
        + table_of(head, rows)
        + (_controls(lines) if {line["control"] for line in wrong} - {"free"} else "")
    )


def _controls(lines: Sequence[Line]) -> str:
    """Right words minus the others, a row a method; all of it below, to be opened."""
    used = [name for name in CONTROLS if name != "right" and any(line["control"] == name for line in lines)]
    short, whole_ = [], []
    for method in dict.fromkeys(line["method"] for line in lines):
        of = {line["control"]: line for line in lines if line["method"] == method}
        cells = [f"{of[name]['right_minus']['mean']:+.3f}" if name in of else None for name in used]
        short.append((method, f"{of['right']['dice']:.3f}", *cells))
        whole_ += [_row(of[name]) for name in ("right", *used) if name in of]
    head = ("method", "control", "masks", "Dice", "right minus it", "p, Holm")
    more = ("as users get it", "said to be there", "difference", "p, Holm")
    told = "Dice under right words, and right words minus the others"
    return (
        f"<h3>What the words do</h3>{table_of(('method', 'right', *used), short, told)}"
        "<details><summary>with intervals, presence, and differences between the methods</summary>"
        f"{table_of((*head, *more), whole_)}</details>"
    )


def _row(line: Line) -> tuple[str | None, ...]:
    minus = line.get("right_minus")
    told = (None, None) if minus is None else (_signed(minus), p_value(minus["p_holm"]))
    rest = (f"{line['gated']:.3f}", f"{line['there']:.0%}", *_difference(line))
    return (line["method"], line["control"], str(line["n"]), _dice(line), *told, *rest)


def _words(line: Line) -> str:
    if line["control"] == "free":
        return "name alone"
    return f"right words ({', '.join(f'{word} {count}' for word, count in line['words'].items())})"


def _dice(line: Line) -> str:
    return f"{line['dice']:.3f} {span(line['low'], line['high'])}"


def _difference(line: Line) -> tuple[str | None, str | None]:
    if "difference" not in line:
        return None, None
    return _signed(line["difference"]), p_value(line["difference"].get("p_holm"))


def _signed(value: Line) -> str:
    return f"{value['mean']:+.3f} {span(value['low'], value['high'], '+.3f')}"
