"""What a later sentence takes back: "This has since resolved.", and an addendum that corrects a side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from medsegr.findings import Finding, Section
from medsegr.report.context import DENYING_TIMES, Scope
from medsegr.report.lexicon import split_words
from medsegr.report.match import find_descriptors, find_places, words_of
from medsegr.report.sentence import Sentence
from medsegr.report.side import SIDE_WORDS
from medsegr.report.tokens import tokens

POINTING = frozenset(["this", "these", "it", "they", "that", "both", "which"])
CORRECTING = frozenset(
    [
        *("not", "instead", "than", "correction", "corrected", "erroneously", "incorrectly", "error"),
        *("erroneous", "wrong", "wrongly", "mistake", "mistakenly", "laterality"),
    ]
)
MISREAD = re.compile(  # "Instead of 'right breast' read 'left breast'."
    r"\b(?:instead of|for|replace) [\"'\u201c\u2018]?(?P<wrong>[^\"'\u201d\u2019.\n]{0,60}?)"
    r"[\"'\u201d\u2019]?,? (?:please )?(?:it should )?(?:read|with) "
    r"[\"'\u201c\u2018]?(?P<meant>[^\"'\u201d\u2019.\n]{0,60})",
    re.IGNORECASE,
)
FILLING = frozenset(["the", "a", "an", "in", "on", "of", "side", "sided"])
AMENDING = ("correct", "amend", "erratum", "corrigend", "laterality", "wrong side")
LEAD = 60  # letters before a sentence of an addendum that one of these may stand in: "CORRECTION: The ..."
WIDE = frozenset(["lesion", "abnormality"])  # how an addendum may call what the report has a name for
ANY_LESION = frozenset(["lesion", "mass", "nodule", "tumour", "cyst", "opacity", "fracture", "infarct"])


def taken_back(before: Sentence, here: Sentence) -> Sentence:
    """The sentence before, its last finding resolved where this one says so of "this" or "it" and names
    nothing itself."""
    if not before.candidates or here.candidates or not here.words.norms or here.elements:
        return before
    if here.words.norms[0] not in POINTING:
        return before
    gone = [s for s in here.scopes if s.cue.kind == "time" and s.cue.value in DENYING_TIMES and s.first == 0]
    if not gone:
        return before
    last = before.candidates[-1]
    first = max((s for s in before.starts if s <= last.first), default=0)
    scope = Scope(gone[0].cue, gone[0].span, first, last.last)
    return replace(before, scopes=(*before.scopes, scope))


def corrected(found: Sequence[Finding], text: str) -> list[Finding]:
    """The findings, those at the wrong place denied where an addendum says "in the left lobe, not the right".

    A finding is at the wrong place when it has the name of the one in the addendum, or that is a wider name
    of it or a mere lesion, and lies on the side or in the lobe that the addendum's sentence takes back. Its
    size, form and texture are those of the finding at the right place, where the addendum tells none.
    """
    out = list(found)
    for at, later in enumerate(found):
        wrong = _taken(later, text)
        if wrong is None:
            continue
        for i, known in enumerate(out[:at]):
            if known.section != "addendum" and known.polarity == "present" and _at_wrong(known, later, wrong):
                out[i] = replace(known, polarity="absent", polarity_span=later.span)
                out[at] = _with_look(out[at], known)
    return out


def reread(found: Sequence[Finding], text: str, sections: Sequence[Section]) -> list[Finding]:
    """The findings, those of a side that an addendum puts right on the other: "for 'right breast' read 'left
    breast'". Of a longer phrase every word must be one of the finding's place, name or phrase."""
    out = list(found)
    for match in (m for s in sections if s.name == "addendum" for m in MISREAD.finditer(text, *s.span)):
        wrong, meant = split_words(match["wrong"]), split_words(match["meant"])
        sides = [{*SIDE_WORDS} & {*norms} for norms in (wrong, meant)]
        if not all(len(side) == 1 for side in sides) or sides[0] == sides[1]:
            continue
        (one,), (two,) = sides
        rest = {*wrong} - {one} - FILLING
        inside = (f for f in out if not match.start() <= f.span[0] < match.end())
        out = [_sided(f, two) if _is_meant(f, one, rest) else f for f in inside]
    return out


def _is_meant(finding: Finding, side: str, rest: set[str]) -> bool:
    said = (finding.name, finding.phrase, *finding.location.anatomy)
    return finding.location.side == side and rest <= {word for words in said for word in split_words(words)}


def _sided(finding: Finding, side: str) -> Finding:
    """The finding on another side; the names of its places follow."""
    place = finding.location
    was = str(place.side)
    names = tuple(re.sub(rf"^{was}\b", side, name) for name in place.anatomy)
    return replace(finding, location=replace(place, side=side, anatomy=names))


@dataclass(frozen=True, slots=True)
class Taken:
    """The place that an addendum takes back: a side ("" for none of its own), thirds of the height, and
    named places."""

    side: str
    rows: tuple[str, ...]
    places: tuple[str, ...] = ()


def _taken(later: Finding, text: str) -> Taken | None:
    """The place behind the word of correction, if it is another one than the finding's; None for none."""
    here = later.location
    if later.section != "addendum" or later.polarity != "present" or later.sentence is None:
        return None
    words = words_of(tokens(text, later.sentence), text)
    marks = [i for i, norm in enumerate(words.norms) if norm in CORRECTING]
    before = text[max(0, later.sentence[0] - LEAD) : later.sentence[0]].lower()
    definite = text[max(0, later.span[0] - LEAD) : later.span[0]].split()[-1:] in (["the"], ["The"])
    amends = definite and any(word in before for word in AMENDING)
    if not marks and not amends:
        return None
    other = next((s for s in SIDE_WORDS if s != here.side), "") if here.side in SIDE_WORDS else ""
    behind = marks[0] + 1 if marks else len(words.norms)
    rows = {row for p in find_places(words) if p.first >= behind for row in p.value.rows}
    rows |= {d.value.value for d in find_descriptors(words) if d.first >= behind and d.value.field == "rows"}
    if rows and here.rows and rows != {*here.rows}:
        told = {*words.norms[behind:]} & {*SIDE_WORDS}
        return Taken(told.pop() if len(told) == 1 else here.side or "", tuple(sorted(rows)))
    if other and (other in words.norms or amends or "laterality" in words.norms):
        return Taken(other, ())
    led = words.norms[behind : behind + 1] in (("in",), ("at",), ("the",), ("on",))
    named = {p.value.name for p in find_places(words) if led and behind <= p.first <= behind + 2}
    named -= {*here.anatomy}
    return Taken("", (), tuple(sorted(named))) if named and here.anatomy else None


def _at_wrong(known: Finding, later: Finding, wrong: Taken) -> bool:
    one, two = known.shape.size_mm, later.shape.size_mm
    wide = later.name in WIDE and {known.name, *known.parents} & ANY_LESION
    same = known.name == later.name or later.name in known.parents or bool(wide)
    if not same or not (one == two or not one or not two):
        return False
    if wrong.places:
        return bool({*wrong.places} & {*known.location.anatomy})
    if wrong.rows:
        return {*known.location.rows} == {*wrong.rows} and known.location.side in (None, wrong.side)
    return known.location.side == wrong.side


def _with_look(later: Finding, known: Finding) -> Finding:
    """The finding of the addendum with the look of the one that it corrects, where it tells none itself."""
    outline = later.shape if later.shape.size_mm or later.shape.form else known.shape
    look = later.texture if later.texture.spans else known.texture
    return replace(later, shape=outline, texture=look)
