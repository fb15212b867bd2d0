"""The rules' findings and those of a language model, joined. The rules win on polarity, side and time.

A finding that only the model has is added when the rules agree with what is claimed at that place: the words
are read once more with the concept's name put where the model's quote stands. So even an added finding has
its polarity, side, time, place and look from the rules; the model says no more than "these words mean that".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from medsegr.findings import Finding, Frame, Report, Span
from medsegr.report import lexicon
from medsegr.report.llm_answer import Checked, Said, gap
from medsegr.report.parse import parse
from medsegr.report.unread import warning

MOST_ADDED = 20  # of one report; an answer with more is no second reading
MOST_LISTED = 30  # warnings of one report
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|instructions?|prompt|assistant|json|schema|system\s*:|you (?:are|must|should))\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:no|not|non|without|never|neither|nor|den(?:y|ies|ied))\W+(?:\w+\W+){0,2}$", re.IGNORECASE
)
_TEXTURE = ("density", "uniformity", "colour")
Notes = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Setting:
    """With what the report was parsed."""

    modality: str | None = None
    frame: Frame | None = None
    sections: tuple[str, ...] = ()


def merge(report: Report, checked: Checked, setting: Setting) -> Report:
    """The report with findings and describing values that passed, and a warning for each difference.

    The rules' findings keep their ids and order; added ones follow.
    """
    notes: Notes = [
        ("llm_dropped", f"finding {n} of the model was left out: {why}") for n, why in checked.dropped
    ]
    findings = list(report.findings)
    alone: list[Said] = []
    for said in checked.said:
        at = _same(said, findings)
        if at is None:
            alone.append(said)
        else:
            notes += _differences(said, findings[at])
            findings[at] = _filled(said, findings[at], report.text, notes)
    if len(alone) > MOST_ADDED:
        notes.append(
            ("llm_dropped", f"{len(alone)} findings that only the model has were left out: too many")
        )
        alone = []
    for said in alone:
        added = _added(said, report, findings, setting)
        if isinstance(added, str):
            code = "llm_disagrees" if added.startswith("the rules") else "llm_dropped"
            notes.append((code, f"finding {said.number} of the model ({said.name}) was left out: {added}"))
            continue
        added = replace(added, id=f"f{len(findings) + 1}")
        notes.append(
            ("llm_added", f"{added.id} ({added.name}) is the language model's reading; check its words")
        )
        findings.append(_filled(said, added, report.text, notes))
    if len(notes) > MOST_LISTED:
        notes[MOST_LISTED:] = [("llm_dropped", f"{len(notes) - MOST_LISTED} more differences are not listed")]
    spans = [span for f in findings for span in (f.span, *f.mentions)]
    unread = tuple(span for span in report.unread if not any(_overlap(span, own) for own in spans))
    gone = {"passage_unread"} | ({"nothing_read"} if findings else set())
    kept = [*(w for w in report.warnings if w[0] not in gone), *warning(unread)]
    return replace(report, findings=tuple(findings), warnings=(*kept, *notes), unread=unread)


def _same(said: Said, findings: Sequence[Finding]) -> int | None:
    """Index of the rules' finding that the model speaks of: same words, else same concept in the sentence."""
    meant = [i for i, f in enumerate(findings) if any(_overlap(said.span, s) for s in (f.span, *f.mentions))]
    named = [i for i in meant if _akin(said.name, findings[i])]
    if named or meant:
        return (named or meant)[0]
    near = [
        i
        for i, f in enumerate(findings)
        if f.name == said.name and f.sentence and _overlap(said.sentence, f.sentence)
    ]
    return min(near, key=lambda i: gap(findings[i].span, said.span)) if near else None


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _akin(name: str, finding: Finding) -> bool:
    return name == finding.name or name in finding.parents or finding.name in lexicon.concepts()[name].parents


def _differences(said: Said, finding: Finding) -> Notes:
    pairs = [
        ("polarity", finding.polarity, said.polarity),
        ("side", finding.location.side, said.side),
        ("time", finding.time, said.time),
    ]
    if not _akin(said.name, finding):
        pairs.insert(0, ("concept", finding.name, said.name))
    return [
        (
            "llm_disagrees",
            f"{finding.id}: {what} is {ours or 'not told'} by the rules, {theirs or 'not told'} by the model",
        )
        for what, ours, theirs in pairs
        if ours != theirs
    ]


def _added(said: Said, report: Report, findings: Sequence[Finding], setting: Setting) -> Finding | str:
    """The finding as the rules read it at the model's words, or why it is not added."""
    text, (start, stop) = report.text, said.span
    if _ORDERS.search(text[said.sentence[0] : said.sentence[1]]):
        return "its sentence gives orders"
    if not _telling(text[start:stop]):
        return "its words are everyday words"
    put = text[:start] + said.name + text[stop:]
    again = parse(put, modality=setting.modality, frame=setting.frame, sections=setting.sections or None)
    name = (start, start + len(said.name))
    found = next((f for f in again.findings if _overlap(f.span, name) and _akin(said.name, f)), None)
    if found is None:
        return "no finding of the sections and the kind of image that are read"
    if found.polarity != said.polarity:
        return f"the rules read {found.polarity} at its words, the model {said.polarity}"
    moved = _moved(found, name, said.span)
    if any(_overlap(moved.span, s) for f in findings for s in (f.span, *f.mentions)):
        return "its words are those of another finding"
    return replace(moved, phrase=text[moved.span[0] : moved.span[1]])


def _telling(words: str) -> bool:
    """Whether a phrase holds a word that is neither an everyday word nor one of place, look or context."""
    plain = lexicon.plain_words()
    known = {
        word
        for table in (lexicon.places(), lexicon.descriptors(), lexicon.cues())
        for key in table
        for word in key
    }
    return any(
        len(w) > 3 and w not in plain and w not in known for w in lexicon.split_words(words) if w.isalpha()
    )


def _moved(finding: Finding, put: Span, given: Span) -> Finding:
    """The finding with its spans in the text as given, where ``given`` stands for the ``put`` of the text
    read."""
    shift = given[1] - put[1]

    def one(span: Span) -> Span:
        start = (
            span[0]
            if span[0] <= put[0]
            else max(given[0], span[0] + shift)
            if span[0] >= put[1]
            else given[0]
        )
        stop = span[1] if span[1] <= put[0] else span[1] + shift if span[1] >= put[1] else given[1]
        return start, stop

    def each(spans: tuple[Span, ...]) -> tuple[Span, ...]:
        return tuple(map(one, spans))

    return replace(
        finding,
        span=one(finding.span),
        sentence=None if finding.sentence is None else one(finding.sentence),
        polarity_span=None if finding.polarity_span is None else one(finding.polarity_span),
        location=replace(finding.location, spans=each(finding.location.spans)),
        texture=replace(finding.texture, spans=each(finding.texture.spans)),
        shape=replace(finding.shape, spans=each(finding.shape.spans)),
        mentions=each(finding.mentions),
    )


def _filled(said: Said, finding: Finding, text: str, notes: Notes) -> Finding:
    """The finding with describing values that the rules have no words for. Words that the lexicon knows have
    been judged by the rules already, and denied words describe nothing."""
    for name, value, span in said.values:
        part = finding.texture if name in _TEXTURE else finding.shape
        if getattr(part, name) is not None or finding.polarity == "absent":
            continue
        if _known(text[span[0] : span[1]]) or _DENIED.search(text[max(0, span[0] - 40) : span[0]]):
            continue
        changed: dict[str, Any] = {name: value, "spans": (*part.spans, span)}
        if name in _TEXTURE:
            finding = replace(finding, texture=replace(finding.texture, **changed))
        else:
            finding = replace(finding, shape=replace(finding.shape, **changed))
        notes.append(
            ("llm_added", f"{finding.id}: {name} {value} is the language model's reading; check its words")
        )
    return finding


def _known(words: str) -> bool:
    table = lexicon.descriptors()
    norms = lexicon.split_words(words)
    return any(
        norms[i:j] in table for i in range(len(norms)) for j in range(i + 1, min(i + 5, len(norms)) + 1)
    )
