"""Sides told by another one: "the other kidney", "on that side", "more on the left than on the right"; and
sides that are no place of a finding: the end of a line, what is only compared."""

from collections.abc import Sequence
from dataclasses import replace

from medsegr.report.again import Told
from medsegr.report.builds import Candidate
from medsegr.report.lexicon import Concept, Place, concepts, paired
from medsegr.report.match import Words
from medsegr.report.side import SIDE_WORDS, Element, side_of

RELATIVE = ("ipsilateral", "contralateral")
OTHERS = frozenset(["other", "opposite"])
TIPS = frozenset(["tip", "end", "ending", "terminating", "terminate", "crossing", "cross"])
LINES = frozenset(["line", "catheter", "picc", "tube", "lead", "wire", "sheath", "port", "cvc", "drain"])
HALVES = frozenset(["cerebral hemisphere", "hemithorax"])
PARTING = frozenset(["and", ",", ";", "."])
MOST_TITLE = 10  # words of the title of an examination, its colon included
REACH = 7  # words between the tip of a line and where it lies
ACTING = frozenset(["compressing", "compression", "displacing", "displacement", "effacing"])
ACTING |= {"abutting", "obscuring", "indenting", "pushing", "shifting", "deviating", "narrowing"}
ACTED = frozenset(["compressed", "displaced", "effaced", "pushed", "shifted", "deviated", "obscured"])
FORMERLY = frozenset(["previously", "formerly", "initially"])
UNITS = (("cm",), ("mm",))
AMOUNTS = frozenset(["more", "fewer", "less", "larger", "greater", "worse"])
SIZES = frozenset(["smaller", "larger", "bigger", "longer", "shorter"])
BEING = frozenset(["is", "appears", "looks", "measures", "slightly", "mildly", "markedly", "somewhat"])
LEADS = frozenset(["in", "on", "at", "the"])
AROUND_KIDNEY = frozenset(
    [
        *("hydronephrosis", "perinephric stranding", "perinephric collection", "perinephric haematoma"),
        *("delayed nephrogram", "pyelonephritis", "kidney enlargement", "caliectasis", "ureteritis"),
    ]
)
AROUND = {  # what comes with a finding of these fields or names on the same side of the body
    "chest": frozenset(
        [
            *("pleural effusion", "pneumothorax", "haemothorax", "hydropneumothorax", "empyema"),
            *("atelectasis", "volume loss", "pleural thickening"),
        ]
    ),
    **dict.fromkeys(["stone", "kidney stone", "hydronephrosis"], AROUND_KIDNEY),
}
COMING = frozenset(["associated", "accompanying", "adjacent", "concomitant", "underlying", "overlying"])
MERE = frozenset(["there", "is", "a", "an", "also", "some", "small", "tiny", "trace", "minimal", "mild"])
MERE |= {"moderate", "moderately", "large", "sized", "volume", "pleural", "with", "seen", "the", "new"}
MERE |= {"basal", "basilar", "apical", "compressive", "dependent", "passive", "subsegmental"}
MERE |= COMING


def without_title(found: Sequence[Element], words: Words, named: frozenset[int]) -> tuple[Element, ...]:
    """The words of place without the "both" of a title, and all but its first organ, where one side is told
    behind its colon: "USS both breasts and axillae: at R 10 o'clock there is a mass".

    ``named``: indices of the words that name findings; a line that begins with one is no title.
    """
    norms = words.norms
    colon = next((i for i, norm in enumerate(norms[:MOST_TITLE]) if norm == ":"), 0)
    title = [e for e in found if e.last <= colon]
    told = {side_of(e) for e in found if e.first > colon} & {*SIDE_WORDS}
    both = any(side_of(e) == "bilateral" for e in title)
    if not (colon and both and told) or any(i < colon for i in named):
        return tuple(found)
    organ = [e for e in title if e.place is not None][:1]
    return tuple(replace(e, place=_bare(e)) for e in organ) + tuple(e for e in found if e.first > colon)


def _bare(element: Element) -> Place | None:
    return replace(element.place, side=None) if element.place is not None else None


def other_of_pair(element: Element, words: Words) -> Element:
    """The kidney of "the other kidney", "the opposite kidney" as one on the other side than was told."""
    place, norms = element.place, words.norms
    led = element.first > 0 and norms[element.first - 1] in OTHERS
    definite = led and (norms[element.first - 1] == "opposite" or norms[element.first - 2] == "the")
    if place is None or not definite or place.side or not {place.name, place.of} & (paired() | HALVES):
        return element
    return replace(element, place=replace(place, side=RELATIVE[1], implied=False), first=element.first - 1)


def relative(element: Element, told: str) -> list[Element]:
    """The word of place on the side that is meant where ``told`` is the side before; [] where none was told,
    but the organ without a side for "the other kidney"."""
    same = side_of(element) == RELATIVE[0]
    side = (told if same else next(s for s in SIDE_WORDS if s != told)) if told else None
    if element.place is not None:
        return [replace(element, place=replace(element.place, side=side))]
    return [replace(element, value=side)] if side else []


def is_end(element: Element, out: Sequence[Element], words: Words) -> bool:
    """True for the place in which a line ends that comes from the other side: "right-sided line with its tip
    in the left brachiocephalic vein"."""
    norms, side = words.norms, side_of(element)
    told = {s for s in map(side_of, out) if s in SIDE_WORDS}
    if side not in SIDE_WORDS or not told or side in told:
        return False
    led = norms[max(0, element.first - REACH) : element.first]
    tip = next((i for i in reversed(range(len(led))) if led[i] in TIPS), None)
    return tip is not None and bool(LINES & {*norms}) and not PARTING & {*led[tip:]}


def is_affected(element: Element, found: Sequence[Element], out: Sequence[Element], words: Words) -> bool:
    """True for the place of what a finding acts upon, where its own is on the other side: the optic nerve of
    "meningioma of the right sphenoid wing with compression of the left optic nerve", the ventricle of "the
    left lateral ventricle is compressed by a right thalamic glioma"."""
    norms, side = words.norms, side_of(element)
    if side not in SIDE_WORDS:
        return False
    by = next((i for i in range(element.last, len(norms)) if norms[i] == "by"), None)
    acted = by is not None and norms[by - 1] in ACTED and not PARTING & {*norms[element.last : by]}
    if acted and any(side_of(e) in {*SIDE_WORDS} - {side} for e in found if by is not None and e.first > by):
        return True
    led = norms[max(0, element.first - REACH) : element.first]
    verb = next((i for i in reversed(range(len(led))) if led[i] in ACTING), None)
    told = {s for s in map(side_of, out) if s in SIDE_WORDS}
    return bool(told) and side not in told and verb is not None and not PARTING & {*led[verb:]}


def is_shift(element: Element, out: Sequence[Element], words: Words) -> bool:
    """True for the side to which something goes, where another one was told: "effacement of the left
    ventricle and 6 mm shift to the right"."""
    norms, told = words.norms, {s for s in map(side_of, out) if s in SIDE_WORDS}
    led = [n for n in norms[max(0, element.first - 3) : element.first] if n != "the"]
    goes = element.field == "side" and led[-1:] in (["to"], ["towards"], ["toward"])
    return goes and bool(told) and element.value not in told and led[-2:-1] in (["shift"], ["deviation"])


def was_there(element: Element, words: Words) -> bool:
    """True for the side on which a thing was: the right of "previously right, now left-sided effusion"."""
    norms = words.norms
    led = element.first > 0 and norms[element.first - 1] in FORMERLY
    return led and element.field == "side" and "now" in norms[element.last : element.last + 3]


def is_measured(run: Sequence[Element], first: int, last: int, words: Words) -> bool:
    """True for an organ of which no more than its size is told: "right kidney 10 cm, left kidney 11 cm with a
    cyst". ``first`` and ``last``: the words of the organ with its side, told by ``run``."""
    norms = words.norms
    size = norms[last : last + 1] and norms[last][0].isdecimal() and norms[last + 1 : last + 2] in UNITS
    closed = norms[last + 2 : last + 3] in ((",",), (";",))
    return bool(size) and closed and first == 0 and any(map(_is_whole, run))


def compared(found: Sequence[Element], words: Words) -> Sequence[Element]:
    """The words of place of a comparison: both sides of "more drusen in the left eye than in the right", only
    the first of "the right kidney is smaller than the left"."""
    norms = words.norms
    found = [e for e in found if not _is_around(e, norms)]
    at = next((i for i in range(1, len(norms)) if norms[i] == "than"), None)
    behind = [e for e in found if at is not None and e.first > at]
    before = [e for e in found if at is not None and e.last <= at]
    if at is None or not behind or not before or not {*norms[at + 1 : behind[0].first]} <= LEADS:
        return found
    run = [e for e in before[-2:] if e is before[-1] or e.last == before[-1].first]
    one, two = next((side for e in run if (side := side_of(e))), None), side_of(behind[0])
    if one not in SIDE_WORDS or two not in SIDE_WORDS or one == two:
        return found
    between = norms[before[-1].last : at]
    sized = bool(between) and between[-1] in SIZES and bool({*between[:-1]} & BEING)
    if sized and _is_whole(before[-1]):  # no "effusion"
        return [e for e in found if e is not behind[0]]
    if AMOUNTS & {*norms[: before[-1].first]} and not between:
        return [*before[: -len(run)], _both(before[-1]), *behind[1:]]
    return found


def _is_around(element: Element, norms: Sequence[str]) -> bool:
    """True for the "both sides" of "on both sides of the left sacroiliac joint": those of a joint."""
    last = element.last + (norms[element.last : element.last + 1] in (("side",), ("sides",)))
    behind = norms[last : last + 3]
    return (
        element.value == "bilateral" and behind[:2] == ("of", "the") and behind[2:] in (("left",), ("right",))
    )


def _is_whole(element: Element) -> bool:
    """True for an organ that the body has twice."""
    name = element.place.of or element.place.name if element.place else ""
    return name in paired() and name in concepts() and concepts()[name].kind == "anatomy"


def _both(element: Element) -> Element:
    if element.place is None:
        return replace(element, value="bilateral")
    organ = element.place.of or element.place.name
    return replace(element, place=Place(organ, side="bilateral", of=organ), value=organ)


def with_coming(
    found: Sequence[Element], named: Sequence[Candidate], words: Words, before: Told | None
) -> tuple[Element, ...]:
    """The words of place with an "ipsilateral" for each "associated" or "with" by which a finding comes with
    another on its side: "left basal consolidation with a small effusion", "There is an associated effusion."
    behind it. Of the plural, and of what has a side of its own, nothing is known so.

    ``before``: what the sentence before named last.
    """
    norms, coming = words.norms, set[int]()
    last = None if before is None or before.denied else before.concept
    for i, item in enumerate(named):
        start = named[i - 1].last if i else 0
        giver = named[i - 1].concept if i else last
        own = any(start <= e.first < item.last + REACH and side_of(e) for e in found)
        if own or giver is None or not _comes_with(item.concept, giver) or _is_plural(item, words):
            continue
        led = {*norms[start : item.first]}
        said = led <= MERE and (led & COMING or (i and "with" in led))
        if (said and (not i or _of_one(found, start))) or (i - 1 in coming and led == {"and"}):
            coming.add(i)
    same = [Element(None, "side", RELATIVE[0], named[i].first, named[i].first + 1) for i in coming]
    return tuple(sorted((*found, *same), key=lambda e: e.first))


def _is_plural(item: Candidate, words: Words) -> bool:
    said = words.text[: words.span(item.first, item.last)[1]]
    return said.endswith("s") and not words.norms[item.last - 1].endswith("s")


def _of_one(found: Sequence[Element], until: int) -> bool:
    """True where the last side that is told before a word is one of the two."""
    sides = [side_of(e) for e in found if e.last <= until and side_of(e)]
    return sides[-1:] in (["left"], ["right"])


def _comes_with(concept: Concept, giver: Concept) -> bool:
    group = AROUND.get(giver.name) or AROUND.get(giver.field, frozenset())
    return concept.name in group and giver.kind == "finding" and giver.sided
