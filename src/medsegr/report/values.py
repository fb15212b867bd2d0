"""How a finding looks: texture, shape, size and number, each from words of its own stretch of the
sentence."""

import re
from collections.abc import Sequence

from medsegr.findings import Shape, Span, Texture
from medsegr.report.lexicon import Descriptor
from medsegr.report.match import Hit, Words

_NUMBER = r"\d{1,3}(?:[.,]\d{1,2})?"
_UNIT = r"(?:mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?)"
_GAP = r"\s*+(?:-\s*+)?"  # never given back: a run of blanks is read once
_MEASURE = re.compile(
    rf"(?<![\d.,/])(?P<first>{_NUMBER})(?P<more>(?:{_GAP}{_UNIT})?\s*+(?:[x×*]|by|-|–|to)\s*+{_NUMBER})?"
    rf"(?P<last>(?:{_GAP}{_UNIT})?\s*+(?:[x×*]|by)\s*+{_NUMBER})?\s*+(?:[-\u2011]\s*+)?(?P<unit>{_UNIT})\b(?!\s*/)",
    re.IGNORECASE,
)
_BELOW = re.compile(r"\bsub-?\s?centimet(?:er|re|ric)\b", re.IGNORECASE)
_OTHER_STUDY = re.compile(
    r"(?:previous(?:ly)?|prior(?: size)?|formerly|was|were|had been|earlier|before|"
    r"compared (?:to|with)|versus|from|last)\s*"
    r"(?:measur(?:ed|ing)|at|of|up to|approximately|about|it was|the)?\s*$",
    re.IGNORECASE,
)
_AT = re.compile(r"\bat\s*$", re.IGNORECASE)
_REACHING = re.compile(
    r"\b(?:extend(?:s|ing)? to|down to|(?:verge|incisors) to|from|between \d{1,2} and)\s*$", re.IGNORECASE
)
_GROWN_TO = re.compile(  # "the spleen is enlarged at 14 cm", "stable at 3 cm"
    r"\b(?:measur\w+|size[sd]?|stable|unchanged|same|similar|remain\w*|now|today|currently|still|enlarged|dilated|"
    r"distended|ectatic|aneurysmal|larger|smaller|grown|increased|decreased|reduced|shrunk|estimated|diameter|"
    r"prominent|large|largest|wide|thickened|normal|borderline|calib(?:re|er)|approximated)\s+at\s*$",
    re.IGNORECASE,
)
_MOVED = re.compile(  # "could be pulled back by approx 1 cm", "advance 2 cm"
    r"\b(?:pull(?:ed)?|withdrawn?|advance[ds]?|advancing|pulling|withdrawing)\b[^.;,\d]{0,25}$", re.IGNORECASE
)
_FIRST_OF = re.compile(
    rf"(?:\(|\b(?:measuring|of|sized?)\s+)(?P<first>{_NUMBER})\s*(?:and|&)\s*$", re.IGNORECASE
)
_FROM = re.compile(r"\bfrom\s*(?:a |about |approximately |up to )?$", re.IGNORECASE)
_TO = re.compile(rf"(?:\bto|-|–)\s*(?P<now>{_NUMBER})$", re.IGNORECASE)
_PART = re.compile(  # "a node, cortex 6 mm": of a part, not of the thing
    r"\b(?:cort(?:ex|ices)|margins?)\s*(?:(?:of|is|are|measur\w+|up to|:|=|[<>≤≥])\s*){0,3}$", re.IGNORECASE
)
_DISTANCE = re.compile(
    r"^\s*(?:above|below|from(?! \d)|fn|(?:anterior|posterior|cranial|caudal|cephalad) to|beneath|behind|"
    r"proximal to|distal to|deep (?:to|from)|deep(?=[,;] \d)|away|superior to|inferior to|lateral to|"
    r"medial to|past|beyond|slice|thick sections|cuts|per|"
    r"(?:safety |surgical |excision )?margins?(?! ?[:=]))\b",
    re.IGNORECASE,
)
_THEN = re.compile(  # "measured 3 cm then, now 4.2 cm"
    r"^\s*(?:then|at that time|previously|before|earlier|on the (?:prior|previous|last)|in (?:19|20)\d\d)\b"
    r"(?!\s*[\d(])",
    re.IGNORECASE,
)
_NOW = re.compile(  # "the nodule of 8 mm now measures 12 mm"
    r"\b(?:now|currently|today|presently)\s*(?:it\s*)?(?:measur\w+|is|are|at|of|only|up to|about|=|:)?\s*$",
    re.IGNORECASE,
)
_LISTED = frozenset(
    [
        "segment",
        "rib",
        "level",
        "grade",
        "type",
        "stage",
        "view",
        "image",
        "category",
        "birads",
        "score",
        "zone",
        "o'clock",
    ]
)
UNITS = frozenset(
    [
        "mm",
        "cm",
        "millimeter",
        "centimeter",
        "x",
        "%",
        "o'clock",
        "o",
        "oclock",
        "year",
        "month",
        "week",
        "day",
        "hour",
        "view",
        "/",
        "ml",
        "cc",
        "th",
        "st",
        "rd",
        "nd",
    ]
)


def texture(found: Sequence[Hit[Descriptor]], words: Words) -> Texture:
    """Density, uniformity and colour: the first word of each."""
    values, spans = _first(found, words, ("density", "uniformity", "colour"))
    return Texture(values.get("density"), values.get("uniformity"), values.get("colour"), spans)


def shape(found: Sequence[Hit[Descriptor]], words: Words, region: tuple[int, int], last: int) -> Shape:
    """Form, margin, extent, size and number. ``region``: first and last word; ``last``: the word index
    behind the concept."""
    values, spans = _first(found, words, ("form", "margin", "size_class"))
    size, size_spans = size_mm(words, region)
    count, count_spans = _count(found, words, region[0], last)
    all_spans = tuple(sorted(set(spans + size_spans + count_spans)))
    return Shape(values.get("form"), values.get("margin"), values.get("size_class"), size, count, all_spans)


def _first(
    found: Sequence[Hit[Descriptor]], words: Words, fields: tuple[str, ...]
) -> tuple[dict[str, str], tuple[Span, ...]]:
    values: dict[str, str] = {}
    spans = []
    for hit in found:
        if hit.value.field in fields and hit.value.value and hit.value.field not in values:
            values[hit.value.field] = hit.value.value
            spans.append(words.span(hit.first, hit.last))
    return values, tuple(spans)


def size_mm(words: Words, region: tuple[int, int]) -> tuple[tuple[float, ...] | None, tuple[Span, ...]]:
    """Size in mm, one value an axis, of the words of a region. Of a range the larger value; sizes of
    another study are left."""
    if region[0] >= region[1]:
        return None, ()
    text = words.text
    start, stop = words.span(*region)
    found = [*_MEASURE.finditer(text, start, stop)]
    now = [m for m in found if _NOW.search(text[max(start, m.start() - 40) : m.start()])]
    for match in now or found:
        before = text[max(start, match.start() - 40) : match.start()]
        last = _TO.search(match["more"] or "")
        far = _DISTANCE.match(text[match.end() : match.end() + 20])  # "from 11 to 15 cm from the anal margin"
        if last and _FROM.search(before) and not far:  # "from 51 mm to 34 mm": two studies, or a range
            at = match.start("more") + last.start("now")
            return (_mm(last["now"], match["unit"]),), ((at, match.end()),)
        if (_is_cm(match["unit"]) and _far(before, match)) or _MOVED.search(before):
            continue
        of_part = _PART.search(before) or far
        if of_part or _OTHER_STUDY.search(before) or _THEN.match(text[match.end() : match.end() + 20]):
            continue
        one = _FIRST_OF.search(before)  # "two polyps (12 and 9 mm)"
        if one and match["more"] is None and _number(one["first"]) > _number(match["first"]):
            at = match.start() - len(before) + one.start("first")
            return (_mm(one["first"], match["unit"]),), ((at, match.end()),)
        return _values(match), (match.span(),)
    below = _BELOW.search(text, start, stop)
    return ((10.0,), (below.span(),)) if below else (None, ())


def _values(match: re.Match[str]) -> tuple[float, ...]:
    parts = [match["first"]] + [
        re.findall(_NUMBER, part)[-1] for part in (match["more"], match["last"]) if part
    ]
    values = [_mm(part, match["unit"]) for part in parts]
    is_range = (
        match["more"] and re.search(r"-|–|to", match["more"]) and not re.search(r"[x×*]|by", match["more"])
    )
    return (max(values),) if is_range else tuple(values)


def _far(before: str, match: re.Match[str]) -> bool:
    """True for "a tumour at 8 cm", "extends to 37 cm" from the incisors or the anal verge."""
    if _GROWN_TO.search(before):
        return False
    reaching = _REACHING.search(before) is not None and _number(match["first"]) >= 10
    return reaching or _AT.search(before) is not None


def _number(told: str) -> float:
    return float(told.replace(",", "."))


def _is_cm(unit: str) -> bool:
    return unit.lower().startswith("c")


def _mm(number: str, unit: str) -> float:
    return round(_number(number) * (10.0 if _is_cm(unit) else 1.0), 3)


def _count(
    found: Sequence[Hit[Descriptor]], words: Words, first: int, last: int
) -> tuple[int | None, tuple[Span, ...]]:
    for hit in reversed([h for h in found if h.value.field == "count" and h.first < last]):
        if not hit.value.value:
            return None, ()
        return int(hit.value.value), (words.span(hit.first, hit.last),)
    for i in range(first, last - 1):
        norm = words.norms[i]
        if len(norm) <= 2 and norm.isdecimal() and int(norm) and _counts(words, i, last):
            return int(norm), (words.span(i, i + 1),)
    return None, ()


def _counts(words: Words, at: int, last: int) -> bool:
    before = words.norms[at - 1] if at else ""
    after = words.norms[at + 1]
    plural = words.tokens[last - 1].raw.lower() != words.norms[last - 1]
    return (
        plural
        and before not in _LISTED
        and after not in UNITS
        and after not in (".", ")", ",")
        and last - at <= 6
    )
