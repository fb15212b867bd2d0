"""Where an indication, a history, a comparison or a technique ends that no heading of findings follows.

Most reports of a worksheet or a letter go on without one: "Hx: loin pain, ?stone", and from the next line on
what is seen. Such a part is its line, with those that belong to it: a sentence that goes on, a full line of
wrapped text, a question, a line that begins as histories do ("Known ...", "On warfarin").
"""

import re
from itertools import pairwise

from medsegr.report.lexicon import concept_terms, concepts, places, split_words

_FIRST_SENTENCE = re.compile(r"[^.\n]{0,200}(?:\.[ \t]*(?=[A-Z])|\.?[ \t\r]*\n+(?=[A-Z|]))")
_FIRST_LINE = re.compile(r"[^\n]{0,400}[.?!:][ \t\r]*\n+(?=[A-Z])|[^\n]{0,400}\n[ \t\r]*\n+(?=\S)")
_FIRST_STATED = re.compile(r"[^.\n]{0,200}\.[ \t]+(?=[A-Z][a-z ])")
_ORGAN_LINE = re.compile(r"\n[ \t|*-]{0,8}(?P<words>[A-Z][A-Za-z]{0,14}(?: [A-Za-z]{1,14}){0,3})[ \t]*:")
SIDE_LINE = re.compile(  # a line of nothing but a side, or a side and one word: "RIGHT BREAST"
    r"^[ \t*#]{0,8}(?:right|left|od|os)(?: (?P<organ>[a-z]{2,12}))?[ \t]*:?[ \t\r]*$",
    re.IGNORECASE | re.MULTILINE,
)
_FIELD = re.compile(r"\n[ \t|*-]{0,8}(?P<words>[A-Z][A-Za-z ]{2,30})#?\d{0,2}[ \t]*:")
_EXAM = re.compile(  # "Indication: lump. Ultrasound: ..." on one line
    r"(?<=[.;])[ \t]+(?!(?:outside|prior|previous|recent|earlier|old)\b)(?:[a-z-]{1,12} ){0,2}"
    r"(?:x-?ray|radiograph|cxr|ct|mri?|ultrasound|us|mammogra(?:m|phy)|(?:colono|endo|gastro)scopy"
    r"|derm(?:at)?oscopy|fundus|microscopy|scan)(?: [a-z-]{1,12}){0,3}"
    r"(?: ?:| (?:show|demonstrate|reveal)s\b)",
    re.IGNORECASE,
)
_STATED = re.compile(  # "Hx: cough. There is a left effusion."
    r"(?<=[.;?!])[ \t]+(?:There (?:is|are)\b"
    r"(?! (?:an? |some )?(?:\w+ )?(?:history|concerns?|suspicion|question|worry))"
    r"|(?!(?:He|She|Patient|Pt|This|It)\b)[A-Z][^.;\n]{2,80} (?:is|are) (?:\w+ly )?"
    r"(?:seen|noted|identified|demonstrated|visuali[sz]ed|normal|clear|enlarged|unremarkable|intact)\b"
    r"(?! (?:on|at|by|in (?:19|20)\d\d)\b))"
)
_HISTORY = re.compile(  # what a history goes on with
    r"[\W\d]{0,4}(?:\?|known|history|h/o|hx|pmhx?|previous|prior|past|s/p|status post|post|query|rule out"
    r"|r/o|please|evaluate|assess|exclude|patient|pt|he|she|on (?:\w+ )?(?:warfarin|treatment|therapy|chemo)"
    r"|(?:ex-?)?smoker|smokes|allergies|asymptomatic|complain\w*|c/o|k/c/o|present(?:s|ed|ing)|under"
    r"|since|treated|follow(?:ing|ed)|now (?:with|has)|also)\b|\?"
    r"|\d{1,3}[ -]?(?:(?:y|yo|y/o|yrs?|years?|days?|weeks?|wks?|months?|hours?|hrs?)\b|/?[mf]\b)",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"\b(?:is|are|has|have|there|seen|noted|no longer|unchanged|again|stable|shows?|demonstrates?"
    r"|measur\w+)\b|\d ?(?:mm|cm)\b",
    re.IGNORECASE,
)
_TELLS = re.compile(  # what a line of a history seldom holds
    _STATES.pattern + r"|\.(?:\s|$)|\b(?:no|not|without|normal|unremarkable|clear|intact|nad)\b"
    r"|^\W*[A-Z][\w /]{0,30}:",
    re.IGNORECASE,
)
_DENIES = re.compile(r"(?:no|there (?:is|are)|normal)\b")  # "Hx: fall", "no fracture"
_OPEN = re.compile(
    r"(?:[,&/(+-]|\b(?:of|the|an?|in|and|or|with|no|without|to|for|is|are|was|at|on|by|from|than|known"
    r"|left|right|small|mild|possible|suspected|recent|new|since|after|before|has|had|as))$",
    re.IGNORECASE,
)
_WIDE, _WIDEST, _RAGGED = 55, 110, 15  # characters of lines in wrapped text, and by how much they differ


def end_of(name: str, words: str, text: str, span: tuple[int, int], read_behind: bool, width: int) -> int:
    """Index at which findings without a heading of their own begin, or the end of ``span``.

    Args:
        name: canonical name of the part.
        words: its heading as written.
        text: the report.
        span: the part, from behind its heading to the next heading.
        read_behind: whether a part that is read follows: an impression.
        width: of the text's lines (:func:`wrapped`).
    """
    start, stop = span[1] - len(text[span[0] : span[1]].lstrip()), span[1]
    if name == "recommendation":  # mostly the last part, of many lines
        first = _FIRST_LINE.match(text, start, stop)
        return first.end() if first else stop
    if name == "technique":
        told = (m for m in _FIELD.finditer(text, start, stop) if _is_finding(m["words"]))
        stop = next((m.start() for m in told), stop)  # "Exam: CT chest\nNodule 1: ..."
    organ = (m for m in _ORGAN_LINE.finditer(text, start, stop) if _is_organ(m["words"]))
    ends = [next((m.start() for m in organ), stop)]  # "History: diabetes\nRight eye: ..."
    side = (m for m in SIDE_LINE.finditer(text, start, stop) if _is_side(m) and m.start() > start)
    ends += [m.start() for m in [*side][:1]]
    ends += [m.start() for form in (_EXAM, _STATED) if (m := form.search(text, start, stop))]
    compared = _FIRST_SENTENCE.match(text, start, stop) if words.lower().startswith("compar") else None
    if name == "technique" and (exam := _FIRST_STATED.match(text, start, stop)):
        ends += [exam.end()]  # "Exam: CT chest. Left effusion."
    ends += [compared.end() if compared else _last_line(text, (start, stop), read_behind, width)]
    return min(ends)


def organs_begin(text: str, start: int, stop: int) -> int:
    """Where headings of organs begin behind an empty line: "Indication: lymphoma", "", "Neck: no node"."""
    found = (m for m in _ORGAN_LINE.finditer(text, start, stop) if _is_organ(m["words"]))
    return next((m.start() for m in found if not text[_line_at(text, m.start()) : m.start()].strip()), stop)


def _line_at(text: str, at: int) -> int:
    """Index of the first character of the line that ends at ``at``."""
    return text.rfind("\n", 0, at) + 1


def _last_line(text: str, span: tuple[int, int], read_behind: bool, width: int) -> int:
    """End of the last line that belongs to a part which begins at ``span``."""
    start, stop = span
    lines = [(start + m.start(), start + m.end()) for m in re.finditer(r"[^\n]+", text[start:stop])]
    lines = [line for line in lines if text[slice(*line)].strip()]
    blank = (i for i, (a, b) in enumerate(pairwise(lines), 1) if text[a[1] : b[0]].count("\n") > 1)
    until = next(blank, len(lines))
    paragraph = [text[slice(*line)].strip() for line in lines[:until]]
    follows = until < len(lines) or read_behind
    open_end = bool(paragraph) and paragraph[0][-1] not in ".?!:"
    if open_end and follows and until > 1 and not any(map(_TELLS.search, paragraph[1:])):
        return lines[until - 1][1]
    ends = (i for i, (a, b) in enumerate(pairwise(paragraph)) if not _goes_on(a, b, width))
    last = next(ends, until - 1)
    return lines[last][1] if lines else stop


def _goes_on(line: str, after: str, width: int) -> bool:
    """True where the line ``after`` belongs to the history, question or technique of ``line``."""
    if _OPEN.search(line) or after.endswith("?"):
        return True
    if _HISTORY.match(after) and not _STATES.search(after):
        return True
    if line[-1] in ".?!:" and not after[0].islower():
        return False
    if after[0].islower():
        return not _DENIES.match(after)
    return bool(width) and len(line) + len(after.split(None, 1)[0]) + 1 > width


def wrapped(text: str) -> int:
    """Characters of the lines of a wrapped text, its longest line; 0 for a text whose lines end by choice."""
    lines = [line.strip() for line in text.split("\n")]
    width = max(map(len, lines))
    full = [
        line
        for line, after in pairwise(lines)
        if len(line) >= width - _RAGGED and line[-1:] not in ".:;?!" and after[:1].islower()
    ]
    return width if _WIDE <= width <= _WIDEST and len(full) > 1 else 0


def _is_finding(heading: str) -> bool:
    """True for the name of a field of a form that begins with that of a finding: "Nodule 1"."""
    first = concept_terms().longest(split_words(heading), 0)
    return first is not None and any(concepts()[name].kind == "finding" for name in first[1])


def _is_side(line: re.Match[str]) -> bool:
    """True for the heading of a side: "LEFT", "Left side", "RIGHT BREAST"."""
    organ = (line["organ"] or "side").lower()
    return organ == "side" or _is_organ(organ)


def _is_organ(heading: str) -> bool:
    """True for a heading that begins or ends with the name of a place of the body ("Left lobe")."""
    known = places()
    norms = split_words(heading)
    return any(known.longest(norms, i) is not None for i in range(len(norms))) or norms[-1:] == ("lobe",)
