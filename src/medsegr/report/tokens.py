"""Words, numbers and marks of a report, each with its offsets."""

import re
from dataclasses import dataclass

from medsegr.findings import Span
from medsegr.report.lexicon import normal

DASHES = "-\u2010\u2011\u2013\u2014"
BOXES = "[\u2610\u2611\u2612"
EMPTY = ("[ ]", "\u2610")
_MARKED = re.compile(r"\[[ xX]\]|[\u2610-\u2612]|\([-\u2013\u2212+]\)|[-\u2013\u2212+]ve\b", re.IGNORECASE)
_TOKEN = re.compile(
    r"\[[ xX]\]|"
    r"\([-\u2013\u2212+]\)|(?<![\w])[-\u2013\u2212+]ve\b|\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][a-z]{1,2}\b)?\d*|[^\w\s]"
)
_BONE = (
    r"(?:clavic|humer|radi(?:us|al\b)|ulna|scaph|wrist|carp|metacarp|hand|finger|thumb|phala|elbow|olecran|"
    r"hip|femor|femur|nof\b|neck of|tib|fib|ankle|malleol|calcan|tal(?:us|ar)|tars|metatars|toe|foot|patell|"
    r"knee|rib|stern|scapul|glenoid|shoulder|vertebr|spin|sacr|coccy|pelvi|pub|acetab|ilia|skull|orbit|zygom|"
    r"maxill|mandib|nasal|nose|dens\b|odontoid|peg\b|facial|bone|shaft|condyl|trochanter|[ctl]\d{1,2}\b)"
)
_OF_BONE = (
    r"(?:l|r|lt|rt|left|right|both|old|new|acute|heal(?:ed|ing)|(?:un|non)?displaced|minimally|comminuted|"
    r"oblique|spiral|transverse|open|closed|proximal|distal|mid|middle|lateral|medial|anterior|posterior|upper|"
    r"lower|superior|inferior|base|neck|head|surgical|tip|of|the|multiple|\d{1,2}(?:st|nd|rd|th))"
)
_BROKEN = re.compile(  # a sign for a fracture: "# L clavicle", "#NOF"; "# united"; "no #", "rib #s", "?#."
    rf"#s?(?:\s*(?:{_OF_BONE}[\s-]+){{0,4}}{_BONE}|\s+(?:(?:un|non)?-?united|heal|seen|noted|visible|line|site|reduc|"
    r"ident|suspect|present|displac|undisplac|fix))",
    re.IGNORECASE,
)
_BROKEN_AFTER = re.compile(
    rf"(?:\b(?:no|any|as|old|new|healed|healing|previous|acute)|\?|\b{_BONE}[a-z]*)\s*$", re.IGNORECASE
)
_ENDS = re.compile(r"#s?(?=\s*(?:[.,;)?]|$)|\s+[a-z])")  # no letters and figures of a case
ASKED = re.compile(r"[ \t]+[A-Za-z]")
ANSWER = re.compile(r"\s*(?:none|no|nil|negative|not|absent|never|yes)\b", re.IGNORECASE)
ABBREVIATIONS = frozenset(
    [
        *(
            "dr",
            "mr",
            "mrs",
            "ms",
            "prof",
            "st",
            "vs",
            "approx",
            "cf",
            "fig",
            "e.g",
            "i.e",
            "eg",
            "ie",
            "etc",
        ),
        *("resp", "incl", "max", "min", "ca", "no.", "a.p", "p.a", "inc", "jr", "sr", "dept", "rt", "lt"),
        *("ant", "post"),
    ]
)
LATIN = ("i.e.", "e.g.")


@dataclass(frozen=True, slots=True)
class Token:
    """One word, number or mark: ``norm`` is the normal form, ``start`` and ``end`` are offsets of the
    text."""

    norm: str
    start: int
    end: int
    raw: str

    @property
    def is_word(self) -> bool:
        """True for a word or number, False for a punctuation mark."""
        return self.raw[0].isalnum()


def tokens(text: str, span: Span) -> tuple[Token, ...]:
    """Words, numbers and marks of a span. Hyphens and underscores inside a word divide it and are not
    tokens themselves."""
    start, stop = span
    found: list[Token] = []
    for match in _TOKEN.finditer(text, start, stop):
        raw = match.group()
        if raw == "?" or _MARKED.fullmatch(raw):
            behind = bool(found) and (found[-1].is_word or found[-1].norm == "?")  # "liver??"
            behind = behind and not (raw == "?" and queries(text, match.span(), stop))
            norm = _mark(raw, text, match.end(), behind)
            found.append(Token(norm, match.start(), match.end(), raw))
            continue
        if raw == "#" and _is_fracture(text, match.start()):
            found.append(Token("fracture", match.start(), match.end(), raw))
            continue
        if raw == "." and found and found[-1].end == match.start() and found[-1].raw.lower() in ABBREVIATIONS:
            continue  # "vs." and "approx." end nothing
        if raw == "." and any(
            text[at : at + 4].lower() in LATIN for at in (match.start() - 1, match.start() - 3)
        ):
            continue
        if raw in DASHES and _denies(text, match.start(), match.end(), stop):  # "effusion +, pneumothorax -."
            found.append(Token("negmark", match.start(), match.end(), raw))
            continue
        if raw in DASHES and not _dash(text, match.start(), match.end()):
            continue
        found.append(Token(normal(raw), match.start(), match.end(), raw))
    return tuple(found)


def _is_fracture(text: str, at: int) -> bool:
    """True for a "#" that is written for a fracture: before a bone, behind one or behind a denial. It also
    marks headings ("# Findings"), phrases ("#liver") and numbers ("case # 5", "MRN #A12")."""
    if text[max(0, at - 1) : at].isalnum() or "#" in (text[max(0, at - 1) : at], text[at + 1 : at + 2]):
        return False
    before = text[max(0, at - 24) : at]
    return bool(
        _BROKEN.match(text, at) or (_BROKEN_AFTER.search(before) and _ENDS.match(text, at))
    ) and not _is_heading(text, at + 1)


def _is_heading(text: str, end: int) -> bool:
    """True for the sign of a heading in Markdown, which begins a line and has a blank behind it, and for that
    of a mere mark before a phrase: "#liver"."""
    begins = not text[: end - 1].rpartition("\n")[2].strip()
    return begins and (text[end : end + 1] in (" ", "\t") or (end == 1 and text[end : end + 1].islower()))


def queries(text: str, mark: Span, stop: int) -> bool:
    """True for a question mark between blanks that asks for what follows: "LE ? MACULOPATHY".

    "Mass ? None seen." has its answer, and behind "mass ? Effusion ..." the next sentence begins.
    """
    start, end = mark
    alone = text[max(0, start - 1) : start] == " " and ASKED.match(text, end, stop) is not None
    if not alone or ANSWER.match(text, end):
        return False
    word = re.search(r"[A-Za-z]+\W*$", text[max(0, start - 20) : start])
    return word is None or word.group()[0].isupper() or text[end : end + 9].lstrip()[:1].islower()


def _mark(raw: str, text: str, end: int, behind: bool) -> str:
    """What a mark means: "?pneumonia" asks ("query"); "(-)" and "-ve" deny what follows or, ``behind`` a
    word, what precedes."""
    if raw == "?":
        return raw if behind and not text[end : end + 1].isalnum() else "query"
    if raw[0] in BOXES:  # "[ ] pneumothorax [x] effusion"
        return "without" if raw in EMPTY else "posmark"
    if "+" in raw:
        return "posmark"
    if re.match(r"\s+(?:for|of)\b", text[end : end + 8]):
        return "negative"
    return "negmark" if behind else "without"


def _denies(text: str, start: int, end: int, stop: int) -> bool:
    """True for a dash behind a word and a blank, and before the end of a statement."""
    before = text[max(0, start - 2) : start]
    after = text[end : end + 1] if end < stop else "."
    return before[1:] == " " and before[:1].isalnum() and after in (".", ",", ";", ")")


def _dash(text: str, start: int, end: int) -> bool:
    return text[max(0, start - 1) : start].isspace() and text[end : end + 1].isspace()
