"""A form about one thing: "Nodule 2", "Mass: yes" or "Mass", "Location: left", "Size: 9 mm" are one sentence,
as are the parts of "Mass: shape oval; margin smooth; size 9 mm"."""

import re
from collections.abc import Sequence

from medsegr.findings import Span
from medsegr.report.lexicon import concept_terms, concepts, split_words

_NUMBERED = re.compile(r"[A-Za-z][A-Za-z /-]{2,40}#?\s?\d{1,2}\s*[:.)-]*")
KEYS = (
    r"(?:(?:anatomic(?:al)? |approximate |maximum |max )?"
    r"(?:location|site|side|laterality|position|organ|lobe|segment|level|quadrant|size|dimensions?|diameter)"
    r"|measurements?|composition|echogenicity|density|signal|shape|margins?|contour|borders?"
    r"|echogenic foci|calcifications?)"
)
_TELLING = re.compile(rf"{KEYS}\s*:", re.IGNORECASE)
_PART = re.compile(
    r"(?:location|position|depth|size|diameter|density|shape|margins?|borders?|colou?rs?|distribution)\s+\w",
    re.IGNORECASE,
)
_THERE = re.compile(
    r"[A-Za-z][A-Za-z /-]{2,40}:[ \t]*(?:yes|present|positive|seen|single|1)\.?", re.IGNORECASE
)
_NAME = re.compile(r"(?:[A-Za-z-]+[ \t]*){1,4}")  # "nodule" below "Finding:" or on a line of its own
_NO_NAME = re.compile(r"\b(?:no|without|not|history|prior|post)\b", re.IGNORECASE)
_NUMBERED_PLACE = re.compile(  # "Nodule 1: Right mid.", its size in a sentence of its own
    r"[A-Za-z][A-Za-z /-]{2,40}#?\s?\d{1,2}\s*[:.)-]+[ \t]+[A-Za-z][A-Za-z0-9 ,/-]{2,60}\.?"
)
_SIZE = re.compile(
    r"\d+(?:[.,]\d+)?(?:\s*(?:mm|cm)?\s*[x×]\s*\d+(?:[.,]\d+)?){0,2}\s*(?:mm|cm)\b", re.IGNORECASE
)
_LONGEST = 600  # characters of such a form


def joined(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """The spans of sentences, those of a numbered name and of the lines that tell of it as one."""
    out: list[Span] = []
    going = False
    for start, stop in spans:
        between = text[out[-1][1] : start] if out else ""
        next_line = between.count("\n") == 1 or bool(between.strip(" \t\r\n|"))  # "---" of a table
        if going and next_line and stop - out[-1][0] <= _LONGEST and _TELLING.match(text, start, stop):
            out[-1] = out[-1][0], stop
            continue
        if out and not between.strip(" \t") and _goes_on(text, out[-1], (start, stop)):
            out[-1] = out[-1][0], stop
            continue
        here = bool(out) and "\n" not in text[out[-1][1] : start] and text[out[-1][1] - 1] == ";"
        if here and stop - out[-1][0] <= _LONGEST and _PART.match(text, start, stop):
            out[-1] = out[-1][0], stop
            continue
        going = any(form.fullmatch(text, start, stop) for form in (_NUMBERED, _THERE))
        going = going or _is_name(text[start:stop])
        out.append((start, stop))
    return tuple(out)


def _goes_on(text: str, before: Span, here: Span) -> bool:
    """True for the size of what is numbered, in a sentence of its own: "Nodule 2: Left lower. 11 mm."."""
    numbered = _NUMBERED_PLACE.fullmatch(text, *before) is not None
    return numbered and names_finding(text[slice(*before)]) and _SIZE.match(text, *here) is not None


def names_finding(words: str) -> bool:
    """Whether words name a finding or a device."""
    norms = split_words(words)
    terms, known = concept_terms(), concepts()
    hits = (terms.longest(norms, i) for i in range(len(norms)))
    return any(known[name].kind in ("finding", "device") for hit in hits if hit for name in hit[1])


def _is_name(line: str) -> bool:
    """True for a line of nothing but a finding: "nodule"."""
    return _NAME.fullmatch(line) is not None and not _NO_NAME.search(line) and names_finding(line)
