"""The report as a document: sections and sentences, every offset that of the text as given."""

import re
from itertools import pairwise

from medsegr.findings import Section, Span
from medsegr.report import columns
from medsegr.report.layout import laid_out
from medsegr.report.tokens import ABBREVIATIONS, ANSWER, queries
from medsegr.report.unheaded import SIDE_LINE, end_of, organs_begin, wrapped

HEADINGS = {
    "findings": (
        "findings",
        "finding",
        "observations",
        "report",
        "description",
        "result",
        "results",
        "macroscopy",
        "microscopy",
        "chest",
    ),
    "impression": (
        "impression",
        "impressions",
        "conclusion",
        "conclusions",
        "opinion",
        "summary",
        "assessment",
        "diagnosis",
        "final diagnosis",
        "imp",
        "conc",
        "concl",
    ),
    "comparison": (
        "comparison",
        "comparisons",
        "comparison study",
        "prior",
        "priors",
        "previous",
        "previous imaging",
        "prior imaging",
        "previous report",
        "prior report",
        "old report",
        "report of the previous study",
        "compared with",
        "prior studies",
        "previous studies",
    ),
    "indication": (
        "indication",
        "indications",
        "reason for exam",
        "reason for examination",
        "reason for study",
        "reason",
        "clinical indication",
        "clinical question",
        "clinical",
        "clinical details",
        "clinical information",
        "clinical data",
        "clinical indications",
        "clinical problem",
        "clinical background",
        "clinical profile",
        "clinical notes",
        "clinical summary",
        "clinical info",
        "clinical context",
        "clin hx",
        "clin history",
        "clin info",
        "clin details",
        "chief complaint",
        "reason for visit",
        "reason for request",
        "indication for study",
        "indication for exam",
        "indication for examination",
        "relevant clinical information",
        "reason for referral",
        "referral",
        "request",
        "question",
        "presenting complaint",
        "symptoms",
    ),
    "history": (
        "history",
        "clinical history",
        "past medical history",
        "medical history",
        "family history",
        "patient history",
        "anamnesis",
        "hpi",
        "pmh",
        "pmhx",
        "hx",
        "past history",
        "surgical history",
        "past surgical history",
        "social history",
        "background",
        "relevant history",
        "relevant clinical history",
        "brief history",
        "brief clinical history",
        "interval history",
        "oncologic history",
        "oncological history",
        "history of present illness",
        "risk factors",
    ),
    "technique": (
        "technique",
        "procedure",
        "protocol",
        "exam",
        "examination",
        "study",
        "views",
        "method",
        "instrument",
        "medications",
        "exam type",
        "type of exam",
        "contrast",
        "sedation",
        "preparation",
        "premedication",
        "sequences",
    ),
    "recommendation": ("recommendation", "recommendations", "plan", "advice", "follow up", "follow-up"),
    "addendum": (
        "addendum",
        "addenda",
        "amendment",
        "amended report",
        "corrected report",
        "revised report",
        "correction",
        "corrigendum",
        "erratum",
        "amended",
        "corrected",
        "supplementary report",
    ),
}
LIMIT = 1_000_000  # characters of a report; the longest real ones stay below 50,000
LONGEST = 1500  # characters of a sentence; real ones stay below 500
READ = ("findings", "impression", "addendum")  # what is read unless asked otherwise
_DASHES = ("-", "\u2013")
_DASHED = frozenset(  # headings that a dash may end
    [
        *("indication", "indications", "history", "clinical history", "clinical details", "clinical", "hx"),
        *("clinical information", "technique", "comparison", "findings", "impression", "conclusion"),
        *("opinion", "summary", "imp", "reason for exam", "clinical indication", "recommendation"),
    ]
)
_NAMES = {words: name for name, all_words in HEADINGS.items() for words in all_words}
_HEAD = re.compile(  # blanks before its end are never given back: a run of them is read once
    r"(?:^|(?<=[.\n\r])[ \t]*|(?<=\w[ \t])(?<!linical )(?<!LINICAL )"
    r"(?=(?:FINDINGS|Findings|IMPRESSION|Impression|CONCLUSION|Conclusion):))"  # "Hx: cough Findings: ..."
    r"[ \t*#_>-]{0,8}(?P<words>[A-Za-z][A-Za-z /&-]{1,40}?)"
    r"(?:(?:(?<=[Aa]ddendum)|(?<=ADDENDUM)|(?<=[Rr]eport)|(?<=REPORT))[ \t]*\(?\d[\d:./ -]{0,18}\)?)?[ \t]*+"
    r"(?P<end>[*_]{0,3}:[*_]{0,3}|(?=\r?\n)|[-\u2013][ \t]+(?=\S))",
    re.MULTILINE,
)
_FOREIGN = re.compile(
    r"\x1b\[[0-9;?]*[A-Za-z]|</?[A-Za-z][^<>\n]{0,200}>|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)
_TITLES = frozenset(
    ["dr", "mr", "ms", "sr"]
)  # in capitals a disease or a kind of image: "no DR. Left eye ..."
_ITEM = re.compile(
    r"(?:(?<=\n)|(?<=\r)|^)[ \t]*(?:\(?\d{1,2}[.):](?!\d)|#\d{1,2}[.:)]?(?=\s)|[-*•–·o](?=\s))[ \t]*",
    re.MULTILINE,
)
_INLINE_ITEM = re.compile(r"(?:(?<=[.;:!?])|(?<=^))\s*\(?\d{1,2}[.)]\s*(?=[A-Za-z])")
_UNIT = re.compile(r"\d ?[glLmhsT]$")
_STOP = re.compile(r"(?<![.!?;])[.!?;]++(?=\s|$|[A-Z][a-z])|\n[ \t\r]*\n|\r\n|\n|\r")


def plain(text: str) -> str:
    """The text with markup, terminal sequences and control characters blanked and its layout put into words
    (:mod:`medsegr.report.layout`), as long as it came: spans stay true."""
    return laid_out(_FOREIGN.sub(lambda found: " " * len(found.group()), text))


def sections(text: str) -> tuple[Section, ...]:
    """Headed parts in text order, without their headings; text before the first heading, or all of it, is
    ``findings``."""
    heads = [(match, name) for match in _HEAD.finditer(text) if (name := _heading(match, text))]
    found = []
    if not heads or text[: heads[0][0].start()].strip():
        found.append(Section("findings", _trim(text, 0, heads[0][0].start() if heads else len(text))))
    last = max((i for i, (_, name) in enumerate(heads) if name == "findings"), default=0)
    last_read = max((i for i, (_, name) in enumerate(heads) if name in READ), default=-1)
    width = wrapped(text)
    for i, (match, name) in enumerate(heads):
        stop = heads[i + 1][0].start() if i + 1 < len(heads) else len(text)
        cut = stop
        if name not in READ and i < last:  # findings have a heading of their own further on
            cut = organs_begin(text, match.end(), stop)
        elif name not in READ:
            kind = "indication" if name == "recommendation" and not found else name  # "Follow up: lymphoma"
            part = (match.end(), stop)
            cut = end_of(kind, match["words"], text, part, last_read > i, width)
        found.append(Section(name, _trim(text, match.end(), cut)))
        if text[cut:stop].strip():
            found.append(Section("findings", _trim(text, cut, stop)))
    return tuple(found)


def _heading(match: re.Match[str], text: str) -> str | None:
    words = " ".join(match["words"].lower().split())
    name = _NAMES.get(words)
    if name is None and " " in words:
        name = _NAMES.get(words.split(" and ")[0].split(" / ")[0].split("/")[0])
    if name is not None and match["end"][:1] in _DASHES:  # "Indication - cough", at the begin of a line
        own = match.start() == 0 or text[match.start() - 1] == "\n" or match[0][:1] == "\n"
        return name if own and words in _DASHED else None
    if name is None or match["end"]:
        return name
    upper = match[
        "words"
    ].isupper()  # without a colon only a line of its own that is spelled as a heading counts
    return name if (upper or match["words"].istitle()) and match.end() < len(text) else None


def _trim(text: str, start: int, stop: int) -> Span:
    while start < stop and text[start].isspace():
        start += 1
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    return start, stop


def sentences(text: str, span: Span) -> tuple[Span, ...]:
    """Sentences and list items inside a span. A line end inside a sentence does not end it; an abbreviation
    or decimal neither."""
    start, stop = span
    part = text[start:stop]
    cuts = {0, len(part)}
    cuts |= {match.start() for match in _ITEM.finditer(part)} | {
        match.end() for match in _ITEM.finditer(part)
    }
    cuts |= {match.end() for match in _INLINE_ITEM.finditer(part)}
    wraps = _WRAPS.search(text) is not None
    cuts |= {match.end() for match in _STOP.finditer(part) if _ends(part, match, wraps)}
    cuts |= {edge - start for line in columns.lines(text, span) for edge in line}
    edges = sorted(_shortened(part, sorted(cuts)))
    spans = (_trim(text, start + a, start + b) for a, b in pairwise(edges))
    return tuple(
        s
        for s in spans
        if any(c.isalnum() for c in text[s[0] : s[1]]) and not _ITEM.fullmatch(text[s[0] : s[1]] + " ")
    )


def _shortened(part: str, edges: list[int]) -> set[int]:
    """More edges, at white space, in stretches without any sign: reading time stays linear in the length."""
    out = set(edges)
    for start, stop in pairwise(edges):
        at = start
        while stop - at > LONGEST:
            space = re.search(r"\s(?=\S*$)", part[at + 1 : at + LONGEST])
            at += 1 + (space.start() if space else LONGEST - 1)
            out.add(at)
    return out


def _ends(part: str, match: re.Match[str], wraps: bool) -> bool:
    mark = match.group()
    if mark[0] in "\r\n":
        return _line_ends(part, match, wraps)
    if mark[0] == "?":  # "Mass? None seen." is answered in one sentence, "?pneumonia" is no end
        asked = part[max(0, match.start() - 3) : match.start()].rstrip(" \t(")[-1:]
        after = part[match.end() : match.end() + 1]
        return (
            bool(asked)
            and asked not in "\n\r.;:,"
            and not (ANSWER.match(part, match.end()) or after.isalnum())
            and not queries(part, match.span(), len(part))
        )
    if mark != ".":
        return True
    before = re.search(r"[\w.]+$", part[max(0, match.start() - 20) : match.start()])
    word = before.group().lower() if before else ""
    title = word in _TITLES and before is not None and not before.group().isupper()
    if (
        word in ABBREVIATIONS - _TITLES
        or title
        or (
            len(word) == 1
            and word.isalpha()
            and part[match.start() - 2 : match.start() - 1] != "\n"
            and word not in "iv"
            and not _UNIT.search(part, max(0, match.start() - 6), match.start())  # "birth weight 980 g."
        )
    ):
        return False
    return not (
        word.isdigit()
        and len(word) <= 2
        and (match.start() - len(word) == 0 or part[match.start() - len(word) - 1] in "\n\r")
    )


def _line_ends(part: str, match: re.Match[str], wraps: bool) -> bool:
    """Whether a line end ends a sentence. ``wraps``: some line of the text goes on in the next one."""
    after = part[match.end() : match.end() + 100].lstrip(" \t")
    if match.group().count("\n") > 1 or _is_next(part[max(0, match.start() - 200) : match.start()], after):
        return True
    if not after or after[0].islower() or after[0].isdigit():
        return False
    line = part[max(0, match.start() - 200) : match.start()].rsplit("\n", 1)[-1].strip()
    title = line.isupper() and " " in line and not after.split("\n", 1)[0].isupper()  # "LEFT MAMMOGRAM"
    begun = title or _BOX.match(after) or _BEGUN.match(after)  # "ANTRUM - normal", "H/o breast cancer"
    if begun or any(_is_heading(text) for text in (line, after)):
        return True
    if _LABEL.match(line) and _LABEL.match(after):  # "Shift: 4 mm to the right", "Hydrocephalus: no"
        return not line.endswith(",") and not re.search(r"\w-$", line)  # "Side: -" is answered
    if _QUERIED.search(line) and after[0].isupper():
        return True  # "?myocarditis ?Takotsubo"
    if len(line) > _FULL and wraps:  # a wrapped line is a full one
        return line.endswith((".", ":", ";", "!", "?")) or _LABEL.match(after) is not None
    if re.search(r":\s*\S+$", line):  # "Consolidation: No" is answered
        return True
    return not line.endswith((",", "-")) and line.rsplit(" ", 1)[-1].lower() not in _OPEN


def _is_next(line: str, after: str) -> bool:
    """True for the lines of a numbered table: "1 Liver seg 8   42   22 mm", "2 Left node   19   11 mm"."""
    here, before = _NUMBERED.match(after), _NUMBERED.match(line.rsplit("\n", 1)[-1].lstrip())
    return here is not None and int(here[1]) == (int(before[1]) + 1 if before else 1)


def _is_heading(line: str) -> bool:
    """True for what begins with a line of nothing but a side, spelled as a heading: no sentence goes on with
    it, and none is left open by it."""
    return line[:1].isupper() and SIDE_LINE.match(line) is not None


_FULL = 50  # characters of a line that may be wrapped
_WRAPS = re.compile(r"^[^\n]{51,}(?<![.:;!?\s])[ \t\r]*\n[ \t]*[a-z]", re.MULTILINE)
_OPEN = frozenset(  # words that end no line
    [
        *("of", "the", "a", "an", "in", "and", "or", "with", "no", "without", "to", "for", "is", "are"),
        *("at", "on", "by", "from", "left", "right", "small", "mild", "possible", "there"),
    ]
)
_LABEL = re.compile(r"[A-Z][A-Za-z0-9 /#-]{0,40}:(?=\s)")
_BEGUN = re.compile(  # what begins a line: an organ in capitals with a dash, what letters say of a patient
    r"[A-Z][A-Z0-9/]*(?: [A-Z0-9/]+){0,3} ?[-–—]{1,2} |(?:[HCREhcre]/[Oo]|[KkSs]/(?:[Cc]/[Oo]|[Pp]))\b"
)
_NUMBERED = re.compile(r"(\d{1,2})[ \t]+(?=[A-Z][^\n]*\d)")
_QUERIED = re.compile(r"(?:^|\s)\?\s?[\w/-]+$")  # what a referrer asks ends his line
_BOX = re.compile(r"[\[\u2610-\u2612]")
