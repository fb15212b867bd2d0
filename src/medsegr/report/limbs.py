"""The side that the title of an examination of one limb tells: "MRI RIGHT KNEE", "Exam: XR left wrist".

What such a picture shows lies in that limb: its findings have the title's side where their sentence tells
none. The side is no half of the picture, and no mask is held against it: their ``side_frame`` is "limb".
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from medsegr.findings import Finding, Span
from medsegr.report.clauses import HALVES
from medsegr.report.document import READ
from medsegr.report.limb_names import PARTS, is_far, may_lie_in_limb, of_limb
from medsegr.report.match import Words
from medsegr.report.placing import Setting
from medsegr.report.sentence import Sentence
from medsegr.report.side import SIDE_WORDS, side_of
from medsegr.report.titled import BESIDE, BOTH, COMPARING, TELLING

IMAGES = frozenset(["CR", "CT", "MR", "PT", "US", "XA"])  # no photographs, no slides
SHORT = {"rle": ("right", "leg"), "lle": ("left", "leg"), "rue": ("right", "arm"), "lue": ("left", "arm")}
WHOLE = ("limb", "extremity")  # behind "upper" or "lower"
EACH = BOTH - {"ou"} | {"ble", "bue", "bilat"}
DEVICES = frozenset(
    [
        *("mri", "mr", "mra", "mrv", "ct", "cta", "ctv", "pet", "us", "uss", "usg", "ultrasound"),
        *("sonography", "sonogram", "ultrasonography", "duplex", "doppler", "xr", "xray", "ray", "cr"),
        *("dx", "radiograph", "radiography", "film", "arthrogram", "arthrography", "angiogram"),
        *("angiography", "venogram", "venography", "fluoroscopy", "scan", "view", "ap", "pa", "lat"),
    ]
)
AROUND = DEVICES | BESIDE | PARTS.keys() | SHORT.keys() | HALVES.keys() | EACH
AROUND |= frozenset(  # all that may stand in a title beside how was imaged, a side and a part of a limb
    [
        *("|", "x", "u", "s", "w", "o", "wo", "t", "+", "&", "–", "—", "non", "gad", "plain", "standing"),
        *("lateral", "oblique", "axial", "mortise", "skyline", "sunrise", "supine", "weight"),
        *("bearing", "weightbearing", "joint", "region", "lower", "upper", "extremity", "limb"),
        *("tendon", "muscle", "soft", "tissue", "venous", "vein", "arterial", "artery", "deep"),
        *("runoff", "direct", "indirect", "dynamic", "stress", "msk", "musculoskeletal", "high"),
        *("resolution", "routine", "protocol", "dedicated", "portable", "cast", "splint", "op", "side"),
        *("great", "big", "little", "ring", "index", "middle", "first", "second", "third", "fourth"),
        *("fifth", "st", "nd", "rd", "th", "distal", "proximal", "procedure", "investigation", "type"),
        *("name", "title", "test", "enhanced", "unenhanced", "tesla"),
    ]
)
ENDS = frozenset([":", "|", "-", "–", "—", ",", ".", ";", "(", "/"])
BEHIND = TELLING | frozenset(
    ["for", "in", "demonstrate", "reveal", "with", "without", "post", "using", "today"]
)
_BEFORE = re.compile(r"(?:.*[\n\r:])?[ \t*#_>-]*(?:\(?\d{1,2}[.)][ \t]*)?", re.DOTALL)
MOST_OTHER = 12  # words of the title of another examination
PAIRS = frozenset(
    [
        *("arms", "elbows", "forearms", "wrists", "hands", "legs", "thighs", "knees", "calves", "shins"),
        *("ankles", "feet", "heels", "limbs", "extremities", "shoulders", "hips"),
    ]
)
MARK = 12  # characters of what may stand before a title on its line: "## 2. "
NO_TITLE = frozenset(  # of another study
    [
        *("recommend", "recommended", "advised", "suggested", "requested"),
        *("prior", "previous", "previously", "old"),
    ]
)
TURNED = (("anterior", "oblique"), ("posterior", "oblique"))  # how somebody stood, and no limb


@dataclass(frozen=True, slots=True)
class Title:
    """Where the title of an examination begins and the one limb that it names, "arm" or "leg", with its
    ``side``; both "" for one of something else or of several. ``spans``: the words that say so."""

    start: int
    side: str = ""
    limb: str = ""
    spans: tuple[Span, ...] = ()


def under_titles(
    sentences: Sequence[Sentence], found: Sequence[list[Finding]], exams: Sequence[Sentence], setting: Setting
) -> list[Finding]:
    """The findings of ``sentences``, those of the limb of the title before them with its side.

    A title stands on a line of its own or begins one, among ``sentences`` or in ``exams`` (of "EXAM: ..."),
    and holds up to the next title of an examination. It holds no longer where a sentence speaks of the other
    side. A side that a sentence tells stays.
    """
    titles = _titles(sentences, exams) if _shows_limbs(setting) else ()
    starts = [title.start for title in titles]
    out: list[Finding] = []
    ended = -1
    for sentence, own in zip(sentences, found, strict=True):
        before = bisect_right(starts, sentence.span[0])
        title = titles[before - 1] if before else Title(-1)
        if title.side and title.start != ended and _crosses(sentence, own, title.side):
            ended = title.start
        out += [_sided(f, title) for f in own] if title.side and title.start != ended else own
    named = _shows_limbs(setting) and not any(title.side for title in titles)
    return _of_one(out, (*sentences, *exams)) if named else out


def _of_one(found: Sequence[Finding], sentences: Sequence[Sentence]) -> list[Finding]:
    """The findings of a report without a title of one limb, with the side that sentences tell of a part of
    one limb ("effusion of the right knee") as that of the limb; unchanged where another side is told of any
    limb, or where both are shown ("XR hands")."""
    sides = {f.location.side for f in found if f.location.side and may_lie_in_limb(f)}
    if len(sides) != 1 or not sides < {*SIDE_WORDS} or any(map(_shows_both, sentences)):
        return list(found)
    return [
        replace(f, location=replace(f.location, side_frame="limb"))
        if f.location.side in sides
        and f.location.side_frame == "patient"
        and any(map(is_far, f.location.anatomy))
        else f
        for f in found
    ]


def _shows_both(sentence: Sentence) -> bool:
    """True for words that name two limbs: "both knees", "XR HANDS"."""
    words = [
        (t.raw.lower(), norm) for t, norm in zip(sentence.words.tokens, sentence.words.norms, strict=True)
    ]
    pairs = any(raw != norm and raw in PAIRS for raw, norm in words)
    return pairs or bool(EACH & {*sentence.words.norms} and any(norm in PARTS for _, norm in words))


def _shows_limbs(setting: Setting) -> bool:
    viewers = setting.by_flag and setting.frame == "viewer"
    return (setting.modality is None or setting.modality in IMAGES) and not viewers


def _titles(sentences: Sequence[Sentence], exams: Sequence[Sentence]) -> tuple[Title, ...]:
    """The titles in text order. Of several with nothing told between them the last stands for all."""
    out: list[Title] = []
    told = True  # of a finding, since the last title
    for sentence, led in sorted(_with_lead(sentences, exams), key=lambda pair: pair[0].span):
        title = _title(sentence, led) if led or (out and not told) else None
        if title is not None:
            other = out and not told and (out[-1].side, out[-1].limb) != (title.side, title.limb)
            out.append(Title(title.start) if other else title)
            told = False
        told = told or bool(sentence.candidates)
    return tuple(out)


def _with_lead(sentences: Sequence[Sentence], exams: Sequence[Sentence]) -> Iterable[tuple[Sentence, str]]:
    """Each sentence with how it stands: "line" where it begins one, "exam" under such a heading, else ""."""
    yield from ((s, "exam") for s in exams)
    for s in sentences:
        before = s.words.text[max(0, s.span[0] - MARK) : s.span[0]]
        yield s, "line" if _BEFORE.fullmatch(before) else ""


def _title(sentence: Sentence, led: str) -> Title | None:
    """The title that a sentence is, or begins with; None for any other sentence."""
    norms = sentence.words.norms
    end = next(
        (i for i, norm in enumerate(norms) if norm not in AROUND and not norm[0].isdigit()), len(norms)
    )
    said = norms[:end]
    limbs = {i: _limb(said, i) for i in range(end) if _limb(said, i)}
    sides = {i: _side(norms, i) for i in range(end) if _side(norms, i)}
    if not (limbs and sides and _is_imaged(sentence, end, led) and _is_closed(sentence.words, end)):
        return _of_other(sentence, bool(limbs and EACH & {*said}))
    one = len({*limbs.values()}) == len({*sides.values()}) == 1 and "both" not in sides.values()
    if not (one and _is_alone(sentence, end, sides)):
        return Title(sentence.span[0])
    spans = (sentence.words.span(i - (norms[i] in WHOLE), i + 1) for i in sorted({*limbs, *sides}))
    return Title(sentence.span[0], next(iter(sides.values())), next(iter(limbs.values())), tuple(spans))


def _is_imaged(sentence: Sentence, end: int, led: str) -> bool:
    """True where a title tells how was imaged, or is one by where it stands: "EXAM: Right knee"."""
    norms = sentence.words.norms
    told = bool(DEVICES & {*norms[:end]}) or {"u", "s"} <= {*norms[:end]}
    return told or (end == len(norms) and (led == "exam" or _is_first(sentence)))


def _is_closed(words: Words, end: int) -> bool:
    """True where the words of a title end as one does, or with their line, and are no part of a statement:
    "MRI of the right knee is advised"."""
    norms, tokens = words.norms, words.tokens
    if end == len(norms):
        return True
    last = next((i for i in reversed(range(end)) if not norms[i][0].isdigit()), 0)
    lines = "\n" in words.text[tokens[last].end : tokens[end].start]
    closed = lines or norms[last] in ENDS | BEHIND or norms[end] in BEHIND
    return closed and not NO_TITLE & {*norms[end:]} and norms[end : end + 2] != ("for", "comparison")


def _limb(norms: Sequence[str], at: int) -> str:
    if norms[at] in SHORT:
        return SHORT[norms[at]][1]
    if norms[at] in WHOLE and at:
        return {"lower": "leg", "upper": "arm"}.get(norms[at - 1], "")
    return PARTS.get(norms[at], "")


def _side(norms: Sequence[str], at: int) -> str:
    """The side told by a word of a title; "" for "left posterior oblique"."""
    if norms[at] in SHORT:
        return SHORT[norms[at]][0]
    if norms[at] in EACH:
        return "both"
    turned = norms[at + 1 : at + 3] in TURNED
    return "" if turned or norms[at] in ("od", "os") else HALVES.get(norms[at], "")


def _is_first(sentence: Sentence) -> bool:
    """True for what a text begins with, on a line of its own."""
    start, stop = sentence.span
    return not sentence.words.text[:start].strip() and sentence.words.text[stop : stop + 1] in ("\n", "\r")


def _is_alone(sentence: Sentence, end: int, sides: dict[int, str]) -> bool:
    """True where what stands behind a title names no other side and nothing outside the limbs, or behind its
    colon."""
    if sentence.words.norms[end - 1] == ":":
        return True
    behind = {HALVES.get(norm, "both") for norm in sentence.words.norms[end:] if norm in {*HALVES, *EACH}}
    places = [e.place for e in sentence.elements if e.place is not None and e.first >= end]
    names = [c.concept.name for c in sentence.anatomy if c.first >= end] + [place.name for place in places]
    return behind <= {*sides.values()} and all(of_limb(name) is not False for name in names)


def _of_other(sentence: Sentence, both: bool) -> Title | None:
    """The title of an examination of another part of the body, or of both limbs; a colon ends it."""
    norms = sentence.words.norms
    end = next((i for i, norm in enumerate(norms) if norm == ":"), len(norms))
    names = {e.first: e.place.name for e in sentence.elements if e.place is not None and e.first < end}
    names |= {c.first: c.concept.name for c in sentence.anatomy if c.first < end}
    begin = next((i for i, norm in enumerate(norms[:end]) if not norm[0].isdigit()), 0)
    begins = norms[begin : begin + 1] != () and (norms[begin] in AROUND or begin in names)
    named = any(candidate.first < end for candidate in sentence.candidates)
    if named or not begins or end > MOST_OTHER or not DEVICES & {*norms[:end]}:
        return None
    apart = any(of_limb(name) is False for name in names.values())
    return Title(sentence.span[0]) if both or apart else None


def _crosses(sentence: Sentence, found: Sequence[Finding], side: str) -> bool:
    """True for a sentence about the other limb: "The left knee shows a similar effusion.", "On the left, the
    cuff is intact."."""
    other = next(one for one in SIDE_WORDS if one != side)
    across = [f for f in found if f.location.side == other]
    if across:
        return any(map(may_lie_in_limb, across))
    norms = sentence.words.norms
    told = [e for e in sentence.elements if side_of(e) == other]
    places = [e.place.name for e in sentence.elements if e.place is not None]
    places += [c.concept.name for c in sentence.anatomy]
    limb = all(of_limb(place) is not False for place in places)
    return limb and any(not COMPARING & {*norms[max(0, e.first - 3) : e.first]} for e in told)


def _sided(finding: Finding, title: Title) -> Finding:
    """The finding with the side of the title, if it may lie in the limb and tells no other."""
    where = finding.location
    if finding.section not in READ or finding.whose == "other" or {*where.cols} & {*SIDE_WORDS}:
        return finding
    if where.side not in (None, title.side) or not may_lie_in_limb(finding):
        return finding
    spans = where.spans if where.side else tuple(sorted({*where.spans, *title.spans}))
    return replace(finding, location=replace(where, side=title.side, side_frame="limb", spans=spans))
