"""Lists under the name of what they list: "NODULES:" with "#1 RUL, solid, 5 mm" below, "Target lesions" with
"1 Liver segment 8 ... 22 mm"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from medsegr.findings import Span
from medsegr.report.builds import Candidate
from medsegr.report.lexicon import Concept
from medsegr.report.sentence import Sentence
from medsegr.report.values import size_mm

COLUMNS = frozenset(  # heads of a table of sizes, beside the name of what is measured
    [
        *("baseline", "previou", "previous", "prior", "current", "today", "now", "size", "site", "date"),
        *("location", "nadir", "change", "diameter", "mm", "cm", "(", ")", "/", "|", "-", "#"),
    ]
)
NOTHING = frozenset(  # told of what holds none of it: "none in the rectum", "liver normal"
    ["no", "none", "nil", "not", "without", "negative", "clear", "normal", "unremarkable", "free", "spared"]
)
MOST_LEAD = 3  # words before the name in its line: "Target", "Non-target"
_MARK = re.compile(r"[ \t|*>]{0,8}(?:#?\(?\d{1,2}[.):]?|[-*•–·o])?[ \t]*")
_NUMBER = re.compile(r"#?\d{1,2}[ \t]")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list holds, and the index of the sentence that says so; no ``concept``: there is no list."""

    concept: Concept | None = None
    at: int = 0


def listed(sentence: Sentence, out: list[Sentence], listing: Listing, text: str, gap: bool) -> Listing:
    """The list that stands behind a sentence, which is added to ``out``: as an item with the name of the list
    where it is one. The line over the list tells no finding of its own then. ``gap``: an empty line stands
    before it."""
    start = sentence.span[0]
    line = text[text.rfind("\n", 0, start) + 1 : start]
    title = _titles(sentence)
    if title is not None and not line.strip():
        out.append(sentence)
        return Listing(title, len(out) - 1)
    marked = bool(line.strip()) or _NUMBER.match(text, start) is not None
    if gap or listing.concept is None or not marked:
        out.append(sentence)
        return Listing()
    if _MARK.fullmatch(line) and _is_item(sentence):
        out[listing.at] = replace(out[listing.at], candidates=())
        item = Candidate(listing.concept, ((0, 1),), (0, _until(sentence)))
        sentence = replace(sentence, candidates=(item, *sentence.candidates))
    out.append(sentence)
    return listing


def _titles(sentence: Sentence) -> Concept | None:
    """The finding of a line that is nothing but its name in the plural, and heads of columns."""
    named, norms = sentence.candidates, sentence.words.norms
    if len(named) != 1 or named[0].concept.kind != "finding" or named[0].first > MOST_LEAD:
        return None
    last = named[0].last
    said = sentence.words.tokens[last - 1].raw.lower()
    plural = said.endswith("s") and said != norms[last - 1]
    plural = plural and not any(s.cue.kind != "time" for s in sentence.scopes)
    return named[0].concept if plural and _closed(norms[last:]) else None


def _closed(behind: Sequence[str]) -> bool:
    """True for the end of a title: its colon, or heads of columns."""
    return bool(behind) and (tuple(behind) == (":",) or {*behind} <= COLUMNS)


def _is_item(sentence: Sentence) -> bool:
    """True for an item that tells a place or a size and names nothing: "RUL, solid, 5 mm"."""
    whole: Span = (0, len(sentence.words.norms))
    placed = any(e.place is not None or e.field == "side" for e in sentence.elements)
    stated = any(s.cue.kind != "time" for s in sentence.scopes) or bool(NOTHING & {*sentence.words.norms})
    told = placed or size_mm(sentence.words, whole)[0] is not None
    bare = all(c.first >= _until(sentence) for c in sentence.candidates)
    return told and not stated and bare


def _until(sentence: Sentence) -> int:
    """Index of the bracket of what an item holds: "LUL, part-solid, 11 mm (solid component 4 mm)"."""
    norms = sentence.words.norms
    held = bool(sentence.candidates) and "(" in norms
    return norms.index("(") if held else len(norms)
