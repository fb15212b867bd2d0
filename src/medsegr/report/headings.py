"""The sentences of a section, and what stands over them: a heading, a side that a sentence begins with."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from medsegr.findings import Span
from medsegr.report import columns, halves
from medsegr.report.again import Told, told_last
from medsegr.report.blocks import joined
from medsegr.report.claims import claim
from medsegr.report.correcting import taken_back
from medsegr.report.eyes import in_eye, led, of_fundus
from medsegr.report.itemised import Listing, listed
from medsegr.report.lexicon import Place, concepts, paired
from medsegr.report.match import Words
from medsegr.report.parts import wholes
from medsegr.report.poles import of_organ, organ_named
from medsegr.report.sentence import NO_WORDS, Sentence, is_name_only, is_request, read
from medsegr.report.side import SIDE_WORDS, Element, side_of
from medsegr.report.sites import is_procedure, label_end, of_before, of_same, sided
from medsegr.report.titled import DEVICES, ORGANS, SCROTUM, fits

PARTED = frozenset(
    [
        *("vertebra", "colon", "rectum", "stomach", "duodenum", "prostate", "oesophagus", "terminal ileum"),
        *("ileocecal region", "left main coronary artery", "left anterior descending artery"),
        *("circumflex artery", "right coronary artery", "diagonal branch", "obtuse marginal branch"),
    ]
)
SPOKEN = frozenset(
    [
        "kidney",
        "breast",
        "eye",
        "lung",
        "testis",
        "ovary",
        "adrenal gland",
        "orbit",
        "parotid gland",
        "submandibular gland",
        "hippocampus",
        "carotid artery",
        "common carotid artery",
        "internal carotid artery",
        *("macula", "fovea", "optic disc"),
    ]
)  # organs of which several sentences may speak: no bones, whose "effusion" may be the lung's
LEADS = ((), ("the",), ("this",))  # all that may stand before the organ that a sentence speaks of
ITEMS = frozenset(["associated", "other", "additional", "feature", "finding"])  # of a form, beside findings
EYE_ITEMS = frozenset(  # of a form about an eye
    [
        *("vessel", "vasculature", "artery", "vein", "av", "periphery", "media", "len", "lens", "vitreous"),
        *("disc", "disk", "nerve", "macula", "fovea", "retina", "background", "peripheral", "posterior"),
        *("pole", "retinal", "optic", "other", "cornea", "fundus", "/", "and", "&"),
    ]
)
DASHES = frozenset(["-", "–", "—"])
BULLET = re.compile(r"\s*\n[ \t]*[-*\u2022\u00b7]")  # behind the line of a heading
CLOCK = (("00",), ("30",))  # "a cyst at 5:00"
MOST_CAPITALS = 2  # words of a heading in capitals without a colon
EACH = frozenset(["neither", "either", "both", "each"])  # "both maculae are flat"
SHORT = 4  # words of a sentence that may stand in a list of names


@dataclass(frozen=True, slots=True)
class Spoken:
    """The paired organ with its side that sentences speak of: the words of place that are ``told``, the
    ``words`` that they count in, and its name."""

    told: tuple[Element, ...] = ()
    words: Words = NO_WORDS
    organ: str = ""


def read_all(text: str, spans: Sequence[Span], modality: str | None) -> tuple[Sentence, ...]:
    """Read the sentences of one section, those of a table with a column for each side cell by cell, and the
    answers of a line for each side one by one."""
    whole = (spans[0][0], spans[-1][1]) if spans else (0, 0)
    answered = halves.rows(text, spans)
    apart = [*columns.lines(text, whole), *(row for row, _ in answered)]
    if not apart:
        return _read_all(text, spans, modality)
    rest = [s for s in spans if not any(line[0] <= s[0] < line[1] for line in apart)]
    cells = (*columns.cells(text, whole), *(cell for _, row in answered for cell in row))
    told = [_of_cell(cell, modality) for cell in cells]
    return tuple(sorted((*_read_all(text, rest, modality), *told), key=lambda s: s.span))


def read_answers(text: str, span: Span, modality: str | None) -> tuple[Sentence, ...]:
    """The answers for each side that a direct phrase consists of; () where it is none."""
    return tuple(_of_cell(cell, modality) for _, row in halves.rows(text, (span,)) for cell in row)


def _of_cell(cell: columns.Cell, modality: str | None) -> Sentence:
    """A cell with the name of its row before it, under the side of its column."""
    head = read(cell.text, (cell.head[0], cell.head[1] + 1), modality)
    start, stop = cell.head
    bare = cell.text[:start] + " " * (stop - start) + cell.text[stop:]  # on a line of its own it has its head
    sentence = read(bare, cell.span, modality)
    under = _heading_organ(sentence, sentence.words.norms.index(":"))
    return replace(sentence, under=under, over=head.elements, over_words=head.words, titled=True)


def _read_all(text: str, spans: Sequence[Span], modality: str | None) -> tuple[Sentence, ...]:
    """Read the sentences of one section.

    An organ with a colon ("LIVER: Normal size. A cyst ...") is the organ of those behind it too, up to the
    next such heading or an empty line. A heading may stand on a line of its own, and before an empty line.
    """
    out: list[Sentence] = []
    under, end, poled = "", 0, ""
    nested = ""  # the organ under whose heading a mere side is one: "KIDNEYS: Right: stone. Left: cyst."
    spoken, listing = Spoken(), Listing()
    over: tuple[tuple[Element, ...], Words] = ((), NO_WORDS)
    for span in joined(text, spans):
        before = _named_last(out[-1]) if out else None
        sentence = read(text, span, modality, before, side=_only_side(out[-1:]))
        sentence = of_fundus(sentence) if modality == "OP" else sentence
        sentence, poled = of_organ(sentence, poled), organ_named(sentence.words.norms, poled)
        sentence = of_same(sentence, out[-1:])
        alone = bool(out) and (out[-1].words.norms[-1:] == (":",) or _is_line(out[-1], text))
        lines = text[end : span[0]].count("\n")
        if (lines > 1 and not alone) or (lines and is_procedure(sentence)):
            under, nested, over, spoken = "", "", ((), sentence.words), Spoken()
        subject = next((c.concept.name for c in sentence.anatomy if c.first <= 1), "")
        colon = _ends_at(sentence, text) or _capitals_at(sentence, text, over[0])
        if colon:
            placed = _heading_place(sentence, colon)
            bare = bool(over[0]) and all(e.place is None for e in over[0])
            leaves, under, nested = _leaving(sentence, colon, "" if bare else under, nested)
            stays = (not leaves and _stays(under, over[0])) or _is_device(sentence, colon)
            stays = stays or _is_item(sentence, colon, over[0]) or _is_below(sentence, colon, over[1])
            over = over if not placed and stays else (placed, sentence.words)
        elif subject and not _stays(subject, over[0]):
            over = (), sentence.words
        both = _of_both(sentence, colon)
        site = of_before(sentence, out[-1], modality) if out else ()
        front = _fronted(sentence) or _trailing(sentence)
        told = (front, sentence.words) if front else over
        if spoken.organ and _mere_side(sentence):  # "The left shows a nodule."
            subject, sentence = subject or spoken.organ, _of_spoken(sentence, spoken.organ)
        told = ((), sentence.words) if "neither" in sentence.words.norms else told  # of both eyes
        spoken = _spoken_of(sentence, spoken, bool(colon))
        exam = spoken.organ if spoken.told and not told[0] else ""
        told = told if told[0] else (spoken.told, spoken.words)
        told = told if told[0] or not site else (site, out[-1].words)
        told = told if told[0] or not both else (both, sentence.words)
        out[-1:] = [taken_back(one, sentence) for one in out[-1:]]
        own = replace(sentence, under=under or subject, over=told[0], over_words=told[1], exam=exam)
        listing = listed(own, out, listing, text, lines > 1)
        if any(c.concept.kind == "statement" for c in sentence.candidates):
            spoken = Spoken(organ=spoken.organ)  # what is normal has nothing in it
        end = span[1]
    around = (
        text[max(0, spans[0][0] - 20) : spans[0][0]] + text[spans[-1][1] : spans[-1][1] + 20]
        if spans
        else "none"
    )
    whole = not any(c.isalpha() for c in around)
    names = all(is_name_only(s) or is_request(s.words) or len(s.words.norms) <= SHORT for s in out)
    if whole and names:
        return tuple(out)
    return tuple(replace(s, titled=True) for s in out)


def _named_last(sentence: Sentence) -> Told | None:
    """What a sentence named last, and whether it says that it never was there."""
    told = told_last(sentence.candidates, sentence.words.norms)
    last = sentence.candidates[-1] if sentence.candidates else None
    if told is None or last is None or told.concept is not last.concept:  # an angle has no name
        return told
    said = claim(sentence.scopes, last.parts, last.concept, sentence.words)
    return replace(told, denied=said.polarity == "absent" and said.time == "current")


def _only_side(before: Sequence[Sentence]) -> str:
    """The one side that the places of the sentence before tell ("LLL opacity."); "" for none or two."""
    sides = {side_of(e) for s in before for e in s.elements} - {None}
    return next((side for side in SIDE_WORDS if sides == {side}), "")


def _ends_at(sentence: Sentence, text: str) -> int:
    """Index behind the words of a heading: the colon of "LEFT BREAST: ...", the dash of "RIGHT EYE - ...", or
    the end of a line of its own; 0 where there is none."""
    norms = sentence.words.norms
    if _is_site(sentence):
        return len(norms)
    if label := label_end(sentence):
        return label
    colons = (i for i, norm in enumerate(norms[:6]) if norm == ":" and norms[i + 1 : i + 2] not in CLOCK)
    colon = next(colons, 0)
    begin = colon + 1 if colon else 0
    dash = next((i for i, norm in enumerate(norms[: begin + 6]) if norm in DASHES and i > begin), 0)
    led = [e for e in sentence.elements if e.last <= dash]
    covered = {i for e in led for i in range(e.first, e.last)}
    if colon and not (dash and covered == {*range(begin, dash)}):  # "O/E: left cheek - a plaque"
        return colon
    if dash and covered == {*range(begin, dash)} and any(e.place for e in led):
        return dash
    return colon or (len(norms) if _is_line(sentence, text) else 0)


def _is_site(sentence: Sentence) -> bool:
    """True for "Site: left upper back.": where all that follows lies."""
    named = sentence.words.norms[:1] in (("site",), ("location",))
    covered = {i for e in sentence.elements for i in range(e.first, e.last)}
    rest = [norm for i, norm in enumerate(sentence.words.norms) if i not in covered]
    return named and not sentence.candidates and len(rest) <= SHORT and sided(sentence.elements)


def _leaving(sentence: Sentence, colon: int, under: str, nested: str) -> tuple[bool, str, str]:
    """Whether a heading leaves the organ whose sides were told one by one, the organ that it heads, and that
    under which a mere side stands: ``nested`` for "Left: ..." behind "KIDNEYS: Right: ...", none behind
    "ADRENALS: ..."."""
    organ, placed = _heading_organ(sentence, colon), _heading_place(sentence, colon)
    if placed and not organ:  # a mere side
        nested = nested or (under if under in paired() else "")
        return False, nested, nested
    known = concepts()
    own = {organ, *wholes(organ), *(known[organ].parents if organ in known else ())}
    leaves = bool(organ) and bool(nested) and nested not in own
    return leaves, organ, "" if leaves else nested


def _is_device(sentence: Sentence, colon: int) -> bool:
    """True for a heading that tells how was imaged, and no more: the "OCT:" below "RIGHT EYE:"."""
    return 0 < colon <= 2 and {*sentence.words.norms[:colon]} <= DEVICES


def _is_item(sentence: Sentence, colon: int, over: Sequence[Element]) -> bool:
    """True for an item of a form under the side of a breast or an eye: "Mass: ...", "Associated features:
    ..." below "Right breast:"."""
    organs = ORGANS & {part for e in over if e.place for part in (e.place.name, e.place.of)}
    named = [c.concept for c in sentence.candidates if c.first < colon]
    bare = {*sentence.words.norms[:colon]} <= ITEMS
    fitting = bool(named) and all(fits(one.name, (), organ) for organ in organs for one in named)
    placed = any(e.first < colon for e in sentence.elements)
    has_side = sided([e for e in sentence.elements if e.first < colon])
    if "eye" in organs and not has_side and {*sentence.words.norms[:colon]} <= EYE_ITEMS:
        return True
    return bool(organs) and not placed and not sentence.anatomy and (bare or fitting)


def _is_below(sentence: Sentence, colon: int, over: Words) -> bool:
    """True for an item of a form that names a finding, below a line of nothing but a side: "Cyst: yes" below
    "RIGHT"."""
    named = any(c.first < colon for c in sentence.candidates)
    placed = any(e.first < colon for e in sentence.elements)
    return named and not placed and len(over.norms) <= 2 and bool({*SIDE_WORDS} & {*over.norms})


def _is_line(sentence: Sentence, text: str) -> bool:
    """True for a line of nothing but a side and its organ, or a side, spelled as a heading: "LEFT BREAST"."""
    start, stop = sentence.span
    said = text[start:stop]
    own = text[:start].rstrip(" \t*#_")[-1:] in ("", "\n", "\r") and text[stop : stop + 1] in ("\n", "\r")
    if not own or sentence.candidates or not (said.isupper() or said.istitle()):
        return False
    covered = {i for e in sentence.elements for i in range(e.first, e.last)}
    organ = any(e.place is not None for e in sentence.elements)
    spelled = said.isupper() or BULLET.match(text, stop) is not None  # "RIGHT", "Right" of a list
    alone = spelled and len(covered) == 1
    return (organ or alone) and sided(sentence.elements) and len(covered) == len(sentence.words.norms)


def _capitals_at(sentence: Sentence, text: str, over: Sequence[Element]) -> int:
    """Index behind a line of a word or two in capitals that names nothing to be seen ("BONES"); 0 for none,
    and for one that may be of the organ or side that it stands below ("SKIN", "MACULA", "URETERS")."""
    start, stop = sentence.span
    words = sentence.words
    own = text[:start].rstrip(" \t*#_")[-1:] in ("\n", "\r") and text[stop : stop + 1] in ("\n", "\r")
    few = len(words.norms) <= MOST_CAPITALS and all(t.raw.isalpha() and len(t.raw) > 2 for t in words.tokens)
    if not (own and few and text[start:stop].isupper()) or sentence.candidates or sentence.scopes:
        return 0
    told = {part for e in over if e.place for part in (e.place.name, e.place.of)}
    apart = bool(told) and not told & ORGANS and _heading_organ(sentence, len(words.norms)) not in paired()
    return len(words.norms) if apart else 0


def _heading_organ(sentence: Sentence, colon: int) -> str:
    names = [c.concept.name for c in sentence.anatomy if c.last <= colon]
    told = [e.place for e in sentence.elements if e.place is not None and e.last <= colon]
    names += [place.of or place.name for place in told]
    return names[0] if names else ""


def _heading_place(sentence: Sentence, colon: int) -> tuple[Element, ...]:
    """The place in a heading that names no finding: one with a side ("LEFT BREAST: ..."), a level of the
    spine or a part of the gut or prostate ("L4/5: ...", "Sigmoid: ...")."""
    told = tuple(e for e in sentence.elements if e.last <= colon)
    holds = sided(told) or any(e.place is not None and is_part(e.place) for e in told)
    named = (c for c in sentence.candidates if c.concept.kind != "statement")
    labelled = label_end(sentence) == colon
    return told if holds and (labelled or not any(c.first < colon for c in named)) else ()


def _of_both(sentence: Sentence, colon: int) -> tuple[Element, ...]:
    """The place of "Both eyes: tilted discs, atrophy": of this sentence, what follows may be of one side."""
    told = tuple(e for e in sentence.elements if e.last <= colon)
    organs = {e.place.of or e.place.name for e in told if e.place is not None}
    both = any(e.value == "bilateral" or (e.place and e.place.side == "bilateral") for e in told)
    named = any(c.first < colon for c in sentence.candidates)
    return told if both and len(organs) == 1 and organs <= ORGANS and not named else ()


def _stays(organ: str, over: Sequence[Element]) -> bool:
    """True for an organ of which the heading's side may still be told: a part of the eye or breast, or one
    that the body has twice, under a mere side ("RIGHT: ... ICA: ...")."""
    places = [e.place for e in over if e.place is not None]
    if not places:
        return bool(over) and organ in paired()
    known = concepts()
    field = known[organ].field if organ in known else ""
    own = {organ, *wholes(organ)} - {""}
    return any(p.of in own or (field == p.of and field in ORGANS) for p in places)


def is_part(place: Place) -> bool:
    """True for a place whose name as a heading places all that stands under it."""
    return bool(PARTED & {place.name, place.of})


def _spoken_of(sentence: Sentence, before: Spoken, headed: bool) -> Spoken:
    """What a sentence begins with ("The left kidney has a cyst and a stone."), or what those before spoke
    of."""
    told: list[Element] = []
    for element in sentence.elements:
        if element.first == (told[-1].last if told else element.first):
            told += [element]
    organs = [e.place.of or e.place.name for e in told if e.place is not None]
    lead = sentence.words.norms[: told[0].first] if told else ("",)
    if (lead in LEADS or led(lead, "".join(organs[:1]))) and sided(told) and {*organs[:1]} & SPOKEN:
        if len({side_of(e) for e in sentence.elements} & {*SIDE_WORDS}) > 1:
            return Spoken()  # "Right kidney without stone, left kidney with a stone."
        return Spoken(tuple(told), sentence.words, organs[0])
    sides = any(sided((e,)) or e.value == "bilateral" for e in sentence.elements)
    sides = sides or bool(EACH & {*sentence.words.norms})
    left = headed or sides or (sentence.anatomy and not _in_organ(sentence, before.organ))
    return Spoken() if left else before


def _in_organ(sentence: Sentence, organ: str) -> bool:
    """True where all organs that a sentence names are parts of the eye or scrotum that was spoken of."""
    scrotal = organ == "testis" and {c.concept.name for c in sentence.anatomy} <= SCROTUM
    return scrotal or in_eye(sentence, organ)


def _mere_side(sentence: Sentence) -> bool:
    """True for a sentence that begins with a side and no organ: "The left shows a nodule."."""
    first = sentence.elements[:1]
    norms = sentence.words.norms
    begins = bool(first) and norms[: first[0].first] in LEADS
    return begins and first[0].value in SIDE_WORDS and first[0].last < len(norms) and not sentence.anatomy


def _of_spoken(sentence: Sentence, organ: str) -> Sentence:
    """The sentence with the side that it begins with as that of the organ spoken of: no part of the
    picture."""
    side, *rest = sentence.elements
    place = Place(organ, side=side.value, of=organ)
    own = replace(side, place=place, field="place", value=place.name)
    return replace(sentence, elements=(own, *rest))


def _fronted(sentence: Sentence) -> tuple[Element, ...]:
    """The side that a sentence begins with: "On the right there is an opacity and a small effusion"."""
    led = sentence.words.norms[:1] in (("on",), ("in",), ("at",))
    first = min((c.first for c in sentence.candidates), default=0)
    told = tuple(e for e in sentence.elements if e.last <= min(first, 5))
    others = any(e.field == "side" or e.place for e in sentence.elements if e not in told and e.first <= 1)
    return told[:2] if led and sided(told[:2]) and not others and told[0].first <= 2 else ()


def _trailing(sentence: Sentence) -> tuple[Element, ...]:
    """The only side of a sentence, behind a last comma: "haemorrhages and cotton wool spots, OS"."""
    norms, told = sentence.words.norms, sentence.elements[-1:]
    sides = [e for e in sentence.elements if sided((e,)) or e.value == "bilateral"]
    last = bool(told) and told[0].last >= len(norms) - 1 and norms[max(0, told[0].first - 1)] in (",", "(")
    return told if last and sides == list(told) else ()
