"""A report with its findings marked: as plain text with brackets and as one page of HTML.

What is marked: the phrase of each finding (and where the report says it again), the cue that decides its
polarity, its words of place, its words of look (texture, shape, size, number), and passages in which nothing
known is named.

Marks overlap, so the text is cut at every edge and each piece is marked by one rule: phrases are a ground
that may belong to several findings at once; on it lies at most one kind of word, of which the first of
``cue, place, look, unread`` that covers the piece wins.

Characters that cannot be seen or that steer a terminal or a browser (controls, direction marks, lone halves
of a pair) are shown as ``<U+202E>``, never passed on.
"""

import html
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from medsegr.findings import Finding, Report, Span
from medsegr.report.parse import skip_reason

KINDS = ("cue", "place", "look", "unread")
BRACKETS = {"cue": "{}", "place": "<>", "look": "()", "unread": "\\/"}
LEGEND = {
    "phrase": "words of a finding",
    "cue": "cue that decides whether it is there",
    "place": "side and place",
    "look": "texture, shape, size, number",
    "unread": "not understood: nothing known is named here",
}
FATES = {  # reason code of findings.json -> words
    None: "drawn, if the image shows it",
    "absent": "not drawn: the report denies it",
    "uncertain": "not drawn: the report is not sure (--polarity present,uncertain asks for it)",
    "prior": "not drawn: only in an earlier study",
    "not_this_patient": "not drawn: said of somebody else",
    "no_place": "not drawn: it has no place to draw",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the report that is marked alike. ``phrases``: ids of the findings whose phrase it is part
    of; ``word``: cue, place, look, unread or ""; ``of``: ids of the findings that the word speaks of;
    ``ends``: ids of the phrases that end with it.
    """

    span: Span
    phrases: tuple[str, ...] = ()
    word: str = ""
    of: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()


def pieces(report: Report) -> tuple[Piece, ...]:
    """The whole text of a report, cut into pieces in text order; nothing for an empty text."""
    opened: dict[int, list[tuple[str, str]]] = {}
    closed: dict[int, list[tuple[str, str]]] = {}
    for finding in report.findings:
        for kind, (start, stop) in _marks(finding):
            if start < stop:
                opened.setdefault(start, []).append((kind, finding.id))
                closed.setdefault(stop, []).append((kind, finding.id))
    for start, stop in report.unread:
        opened.setdefault(start, []).append(("unread", ""))
        closed.setdefault(stop, []).append(("unread", ""))
    order = {finding.id: place for place, finding in enumerate(report.findings)} | {"": len(report.findings)}
    edges = sorted({0, len(report.text), *opened, *closed})
    active: Counter[tuple[str, str]] = Counter()
    out = []
    for start, stop in pairwise(edges):
        active.subtract(closed.get(start, ()))
        active.update(opened.get(start, ()))
        active = +active
        by_kind: dict[str, list[str]] = {}
        for kind, id in sorted(active, key=lambda mark: order[mark[1]]):
            by_kind.setdefault(kind, []).append(id)
        word = next((kind for kind in KINDS if kind in by_kind), "")
        ends = tuple(dict.fromkeys(id for kind, id in closed.get(stop, ()) if kind == "phrase"))
        phrases = tuple(by_kind.get("phrase", ()))
        out.append(Piece((start, stop), phrases, word, tuple(by_kind.get(word, ())), ends))
    return tuple(out)


def _marks(finding: Finding) -> Iterable[tuple[str, Span]]:
    yield from (("phrase", span) for span in (finding.span, *finding.mentions))
    if finding.polarity_span is not None:
        yield "cue", finding.polarity_span
    yield from (("place", span) for span in finding.location.spans)
    yield from (("look", span) for span in (*finding.texture.spans, *finding.shape.spans))


def visible(text: str) -> str:
    """The text as it may be shown: line ends are ``\\n``, what is no letter, mark, sign or blank is spelled
    out."""
    return "".join(shown(text, 0, len(text)))


def shown(text: str, start: int, stop: int) -> list[str]:
    """What is shown of each character of a stretch, in order."""
    return [_seen(text, at) for at in range(start, stop)]


def _seen(text: str, at: int) -> str:
    char = text[at]
    if char.isprintable() or char in "\n\t":
        return char
    if char == "\r":
        return "" if text[at + 1 : at + 2] == "\n" else "\n"
    return char if unicodedata.category(char) == "Zs" else f"<U+{ord(char):04X}>"


def rows(report: Report) -> list[tuple[str, str, str, str, str]]:
    """A line a finding: id, concept, what is claimed (with its time, where one is told), the cue's words,
    what becomes of it."""
    out = []
    for finding in report.findings:
        claim = finding.polarity if finding.time == "current" else f"{finding.polarity}, {finding.time}"
        cue = "" if finding.polarity_span is None else report.text[slice(*finding.polarity_span)]
        reason = skip_reason(finding)
        fate = FATES.get(reason, f"not drawn: {reason}")
        out.append((finding.id, finding.name or "?", claim, " ".join(visible(cue).split()), fate))
    return out


def ground(finding: Finding) -> str:
    """What the ground of a phrase tells: its polarity, or "aside" for what is there and is not drawn (normal,
    of an earlier study, of somebody else)."""
    aside = finding.polarity == "present" and skip_reason(finding) is not None
    return "aside" if aside else finding.polarity


def as_text(report: Report) -> str:
    """The report with brackets: ``[f1 phrase]``, ``{cue}``, ``<place>``, ``(look)``. Findings that share
    words share a bracket ("[f1,f2 ...]"), so that brackets never cross."""
    out = []
    for phrases, group in groupby(pieces(report), lambda piece: piece.phrases):
        inner = "".join(_bracketed(report.text, word, run) for word, run in groupby(group, lambda p: p.word))
        out.append(f"[{','.join(phrases)} {inner}]" if phrases else inner)
    return "".join(out)


def _bracketed(text: str, word: str, run: Iterable[Piece]) -> str:
    words = "".join("".join(shown(text, *piece.span)) for piece in run)
    return f"{BRACKETS[word][0]}{words}{BRACKETS[word][1]}" if word else words


def as_html(report: Report) -> str:
    """One page that stands alone: no script, nothing from outside, everything of the report escaped."""
    fates = {row[0]: row for row in rows(report)}
    grounds = {finding.id: ground(finding) for finding in report.findings}
    body = "".join(_marked(report.text, piece, fates, grounds) for piece in pieces(report))
    legend = "".join(f'<li><mark class="{kind}">{kind}</mark> {what}</li>' for kind, what in LEGEND.items())
    table = "".join(
        f'<tr id="{row[0]}">' + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n"
        for row in fates.values()
    )
    return _PAGE.format(
        style=_STYLE, legend=legend, report=body, table=table or '<tr><td colspan="5">no findings</td></tr>'
    )


def _marked(
    text: str, piece: Piece, fates: dict[str, tuple[str, str, str, str, str]], grounds: dict[str, str]
) -> str:
    words = html.escape("".join(shown(text, *piece.span)))
    if not (piece.phrases or piece.word):
        return words
    kinds = [*(["phrase"] if piece.phrases else []), *([piece.word] if piece.word else [])]
    claims = {grounds[id] for id in piece.phrases}
    if piece.phrases:
        kinds.append(claims.pop() if len(claims) == 1 else "several")
    meaning = [f"{id}: {fates[id][1]}, {fates[id][2]}; {fates[id][4]}" for id in piece.phrases]
    if piece.word:
        meaning.append(LEGEND[piece.word] + (f" ({', '.join(piece.of)})" if any(piece.of) else ""))
    said = {"class": " ".join(kinds), "title": "\n".join(meaning)}
    if piece.phrases:
        said["data-phrase"] = " ".join(piece.phrases)
    told = "".join(f' {key}="{html.escape(value)}"' for key, value in said.items())
    ends = f'<sup data-ends="{html.escape(" ".join(piece.ends))}"></sup>' if piece.ends else ""
    return f"<mark{told}>{words}</mark>{ends}"


def explained(report: Report) -> str:
    """Report with brackets, a legend, and the list of findings: for a file, a pipe, a terminal without
    colour."""
    marks = ", ".join(f"{BRACKETS[k][0]}{k}{BRACKETS[k][1]} {LEGEND[k]}" for k in KINDS)
    head = ("id", "finding", "claim", "cue", "what becomes of it")
    legend = f"[id phrase] {LEGEND['phrase']}, {marks}"
    return f"{as_text(report).rstrip()}\n\n{legend}\n\n{table([head, *rows(report)])}"


def table(lines: Sequence[tuple[str, ...]]) -> str:
    """Lines of cells as columns, for a person."""
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(w) for cell, w in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    )


_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --soft: #666; --line: #ccc;
  --present: #d4edd2; --absent: #f6d5d3; --uncertain: #fbeabf; --several: #dfdfef; --aside: #e6e6e6;
  --cue: #a3009a; --place: #0050b3; --look: #7a4a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #16181b; --soft: #a0a0a0; --line: #444;
  --present: #1d4023; --absent: #552523; --uncertain: #4d3d0e; --several: #35355a; --aside: #3a3d42;
  --cue: #ff8df5; --place: #8fc2ff; --look: #ffc46b; } }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 1rem/1.7 system-ui, sans-serif;
  color: var(--ink); background: var(--paper); }
#report { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--line); padding: 1rem;
  unicode-bidi: isolate; }
mark { color: inherit; background: none; text-underline-offset: 0.2em; }
mark.phrase { background: var(--several); }
mark.present { background: var(--present); }
mark.absent { background: var(--absent); }
mark.aside { background: var(--aside); }
mark.uncertain { background: var(--uncertain); }
mark.cue { text-decoration: underline wavy 0.08em var(--cue); }
mark.place { text-decoration: underline solid 0.12em var(--place); }
mark.look { text-decoration: underline dotted 0.15em var(--look); }
mark.unread { text-decoration: underline dashed 0.1em var(--soft); }
sup::before { content: attr(data-ends); color: var(--soft); padding-left: 0.1em; }
sup { font-size: 0.7em; line-height: 0; }
ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 0 1.5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
  padding: 0.2rem 0.6rem; overflow-wrap: break-word; }
td:first-child, td:nth-child(3) { white-space: nowrap; }
td:nth-child(4) { min-width: 7rem; }
.wide { overflow-x: auto; }
footer { color: var(--soft); margin-top: 2rem; }
@media (max-width: 40rem) { table { font-size: 0.85rem; } td:nth-child(3) { white-space: normal; }
  td:nth-child(4) { min-width: 0; } th, td { padding: 0.2rem; } }
@media print { body { margin: 0; max-width: none; } mark { print-color-adjust: exact; }
  tr { break-inside: avoid; } }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>How the report was read</title>
<style>{style}</style>
</head>
<body>
<h1>How the report was read</h1>
<section aria-labelledby="legend"><h2 id="legend">Marks</h2>
<ul>{legend}<li><mark class="phrase present">present</mark> <mark class="phrase absent">absent</mark>
<mark class="phrase uncertain">uncertain</mark> <mark class="phrase aside">present, not drawn</mark>
<mark class="phrase several">several findings</mark>
ground of a phrase</li></ul></section>
<section aria-labelledby="words"><h2 id="words">Report</h2>
<div id="report" dir="auto">{report}</div></section>
<section aria-labelledby="list"><h2 id="list">Findings</h2>
<div class="wide"><table><thead><tr>
<th scope="col">id</th><th scope="col">finding</th><th scope="col">claim</th>
<th scope="col">cue</th><th scope="col">what becomes of it</th></tr></thead>
<tbody>
{table}</tbody></table></div></section>
<footer>Not a medical device. For research.</footer>
</body>
</html>
"""
