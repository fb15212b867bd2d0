"""Answers of a form for each side on one line: "Drusen: OD present, OS absent", "Effusion: right no, left
yes", "Mass: yes on the left, no on the right"."""

import re
from collections.abc import Iterator, Sequence

from medsegr.findings import Span
from medsegr.report.blocks import names_finding
from medsegr.report.columns import Cell

_ORGANS = "side|eye|breast|lung|kidney|ovary|testis|hip|knee|ear|orbit|axilla|hemithorax|base|lobe"
_HALF = rf"(?P<{{0}}>(?:(?:right|rt|r|od|re)|(?P<{{0}}_left>left|lt|l|os|le))(?:[ \t](?:{_ORGANS}))?)"
_ANSWER = (
    r"(?P<{0}_said>[ \t]*[:=\u2013\u2014-][ \t]*(?P<{0}_told>{1})|[ \t]+(?P<{0}_bare>{1}))(?![\w/])[ \t]*"
)
_FEW = r"[^\s,;:.()?|][^\n,;:.()?|]{0,30}?"  # "small", "5 mm"
_PLAIN = (
    r"(?:yes|y|none(?: seen)?|nil|(?:not )?seen|no|n|present|absent"
    r"|(?:pos|neg)(?:itive|ative)?|\(?[+\u2212-]\)?)"
)
_ROW = r"[ \t]*(?P<name>[A-Za-z][^,;.?:()|\n]{1,60}?)[ \t]*(?P<opens>[:(=\u2013\u2014-][ \t]*|[ \t])"
_JOINT = r"(?:[,;/|][ \t]*|(?:and|but)[ \t]+)?"
_ENDS = r"\)?[ \t]*(?=[.,;\n]|$)[.,;]?"


_LED = r"(?P<{0}_bare>{1})[ \t]+(?:(?:on|in|at)[ \t]+)?(?:the[ \t]+)?"  # "yes on the right"


def _row(one: str, two: str) -> "re.Pattern[str]":
    halves = [_HALF.format(name) + _ANSWER.format(name, told) for name, told in (("a", one), ("b", two))]
    return re.compile(_ROW + halves[0] + _JOINT + halves[1] + _ENDS, re.IGNORECASE)


def _led_row() -> "re.Pattern[str]":
    one, two = (_LED.format(name, "yes|no|none|present|absent") + _HALF.format(name) for name in "ab")
    return re.compile(_ROW + one + r"(?![\w/])[ \t]*" + _JOINT + two + r"(?![\w/])" + _ENDS, re.IGNORECASE)


_ROWS = (_row(_PLAIN, _PLAIN), _row(_PLAIN, _FEW), _row(_FEW, _PLAIN), _led_row())
_HEADED = r"[ \t]*(?:[A-Za-z]{2,12}:[ \t]*)?(?P<name>[A-Za-z][^,;.?:()|\n]{1,60}?)[ \t]+"
_IN = r"(?:(?:in|on|at|of)[ \t]+)?(?:the[ \t]+)?"
_NONE_ELSE = re.compile(  # "oedema in the right eye, none in the left"
    _HEADED
    + _IN
    + _HALF.format("a")
    + r"[ \t]*[,;][ \t]*(?:but[ \t]+)?(?P<b_bare>none|nil)[ \t]+"
    + _IN
    + _HALF.format("b")
    + _ENDS,
    re.IGNORECASE,
)
_ALONE = re.compile(_ROW + _HALF.format("a") + r"[ \t]+(?P<a_bare>no|yes)" + _ENDS, re.IGNORECASE)
_DENYING = re.compile(
    r"\b(?:no|not|without|none|nor|neither|if|family|history|prior|previous)\b", re.IGNORECASE
)
_DASHES = ("-", "\u2212")
_SHORT = 200  # characters of a row


def rows(text: str, spans: Sequence[Span]) -> tuple[tuple[Span, tuple[Cell, ...]], ...]:
    """The rows in which a finding is answered for each side, each with what it says of either.

    A row begins with one of ``spans``, those of sentences, and ends with that or a later one on its line. At
    least one of its two answers is a plain one ("yes", "none", "+").
    """
    ends = {stop for _, stop in spans}
    out: list[tuple[Span, tuple[Cell, ...]]] = []
    for start, _ in spans:
        if out and start < out[-1][0][1]:
            continue
        found = list(_from(text, start))
        stop = found[-1].end() if found else start
        if found and {stop, len(text[:stop].rstrip(" \t.,;"))} & ends:
            out.append(((start, stop), tuple(cell for row in found for cell in _cells(text, row))))
    return tuple(out)


def _from(text: str, start: int) -> Iterator["re.Match[str]"]:
    """The rows that follow each other from ``start`` on, on one line."""
    line = text.find("\n", start)
    line = len(text) if line < 0 else line
    while True:
        tries = (form.match(text, start, min(line, start + _SHORT)) for form in (*_ROWS, _NONE_ELSE, _ALONE))
        row = next((m for m in tries if m and _is_row(m)), None)
        if row is None:
            return
        yield row
        start = row.end()


def _is_row(row: "re.Match[str]") -> bool:
    groups = row.groupdict()
    differ = "b" not in groups or (groups["a_left"] is None) != (groups["b_left"] is None)
    return differ and not _DENYING.search(row["name"]) and names_finding(row["name"])


def _cells(text: str, row: "re.Match[str]") -> Iterator[Cell]:
    groups = row.groupdict()
    for side in ("a", "b") if "b" in groups else ("a",):
        told = f"{side}_told" if groups.get(f"{side}_told") else f"{side}_bare"
        head = row.span(side)
        answer = row.span(told) if groups.get(told) else (head[1] + 1, head[1] + 1)  # what is named is there
        out = list(" " * (row.end() - row.start()))
        for first, last in (row.span("name"), head, answer):
            out[first - row.start() : last - row.start()] = text[first:last]
        led = answer[0] < head[0]
        colons = (head[1], row.end("name")) if led else (head[1],)
        for at in colons:
            out[at - row.start() : at - row.start() + 1] = ":"
        said = groups.get(told) or ""
        if said and said.strip("()") in _DASHES:
            out[answer[0] - row.start() : answer[1] - row.start()] = "0".ljust(len(said))
        blanked = text[: row.start()] + "".join(out) + text[row.end() :]
        yield Cell(blanked, head, (row.start("name"), max(head[1], answer[1])))
