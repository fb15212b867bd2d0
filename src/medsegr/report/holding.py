"""Which words of place hold: not those that are denied, spared, healthy or only compared with."""

from collections.abc import Sequence
from dataclasses import replace

from medsegr.report.clauses import VERBS, denied_half
from medsegr.report.elided import DENYING, EXCEPTING
from medsegr.report.lexicon import concepts, word_list
from medsegr.report.match import Words
from medsegr.report.side import INTO, SIDE_WORDS, Element, side_of
from medsegr.report.sided import (
    RELATIVE,
    compared,
    is_affected,
    is_end,
    is_measured,
    is_shift,
    other_of_pair,
    relative,
    was_there,
)

HEALTHY = frozenset(
    ["normal", "clear", "unremarkable", "flat", "attached", "intact", "healthy", "spared", "sharp", "pink"]
)
HEALTHY |= {"patent", "compressible"}
SPARING = frozenset(["sparing", "spare", "excluding"])
STATING = frozenset(
    ["is", "are", "remain", "appear", "being", "lung", "eye", "side", "lobe", "retina", "disc"]
)
STATING |= {"meniscus", "kidney", "gland", "adrenal", "main", "bronchus", "ovary", "testis", "breast"}
CLOSED = ((), (".",), (",",), (";",), ("and",))
INSTEAD = (["rather", "than"], ["instead", "of"])
CONTRAST = frozenset(["wherea", "while", "but", "although", "though"])  # "whereas" in its normal form
MOVING = frozenset(
    ["displacing", "displaces", "displaced", "pushing", "pushes", "pushed", "pulling", "pulls"]
)
MOVING |= {"pulled", "shifting", "shifts", "shifted", "deviating", "deviates", "bowing"}
ISNT = (["is", "not"], ["are", "not"])
MORE = frozenset(["more", "most", "worse", "worst", "greater", "greatest", "larger", "mainly", "mostly"])
MORE |= {"predominantly", "especially", "particularly"}
MOSTLY = frozenset(["predominance", "predominant"])
WIDE = frozenset(["diffuse", "diffusely", "widespread", "extensive", "throughout", "multifocal"])
ENDS = frozenset([".", ",", ";", "side", "and", "with", "than"])
VIEWED = frozenset(["and", "view", "projection", "image", "film", "radiograph"])
THEY = frozenset(["are", "were", "have"])  # "both", two findings told before, and what is told of them
THEIRS = frozenset(["been", "in", "consistent", "compatible", "likely", "new", "larger", "smaller"])
WHERE = INTO | {"at", "near"}
DEGREES = WHERE | {"the", "a", "both", "left", "right", "and", "peripheral", "perihilar", "central"}
DEGREES |= {"marked", "pronounced", "prominent", "severe", "extensive", "conspicuous", "confluent"}


def resolved(found: Sequence[Element], words: Words, before_it: str = "") -> tuple[Element, ...]:
    """Without places that are denied ("not on the left"); "ipsilateral" and "contralateral" become the side
    that the sentence has told before, or else the one before it. ``before_it``: the only side of that one."""
    out: list[Element] = []
    found = compared([other_of_pair(e, words) for e in found], words)
    denied = -1  # the word behind the last place that was denied
    for element in found:
        before = [n for n in words.norms[max(0, element.first - 4) : element.first] if n != "the"]
        before = before[:-1] if before[-2:] == ["sparing", "of"] else before
        placed = out or "but" in words.norms[element.last : element.last + 3]
        none = before[-1:] and before[-1] in WHERE and before[-2:-1] in (["not"], ["none"]) and placed
        none = none or (before[-1:] == ["not"] and out)  # "left effusion, not right"
        # "its tip is not in the left"
        none = none or (before[-1:] in (["in"], ["at"]) and before[-3:-1] in ISNT)
        none = none or (before[-2:] in INSTEAD and out)  # "in the lower rather than the upper lobe"
        none = none or (element.last == element.first + 1 and denied_half(words.norms, element.first))
        spared = before[-1:] and before[-1] in SPARING
        if none or spared or element.first == denied:
            denied = element.last
            continue
        if (
            _not_a_side(element, words)
            or _is_aim(element, words)
            or _more(element, out, words)
            or _mostly(element, out, words)
            or _is_healthy(element, found, words, bool(out))
            or _is_excepted(element, found, words)
            or _tells_other(element, found, out, words)
            or is_end(element, out, words)
            or is_affected(element, found, out, words)
            or was_there(element, words)
            or is_shift(element, out, words)
        ):
            continue
        if side_of(element) not in RELATIVE:
            out.append(replace(element, value="bilateral") if _greater(element, words) else element)
            continue
        told = [s for s in (before_it, *map(side_of, out)) if s in SIDE_WORDS]
        out += relative(element, told[-1] if told else "")
    return tuple(out)


def _is_healthy(element: Element, found: Sequence[Element], words: Words, told: bool) -> bool:
    """True for a place behind a comma of which only its health is told: the "right eye" of "detachment of
    the left eye, right eye flat", the "left base" of "effusion, the left base is clear", and for one that a
    sentence begins with before the other side is told of. ``told``: a place has been told before."""
    norms = words.norms
    first, last = _run(element, found)
    first -= norms[first - 1 : first] == ("the",)
    while norms[last : last + 1] and norms[last] in STATING:
        last += 1
    healthy = norms[last : last + 1] and norms[last] in HEALTHY and norms[last + 1 : last + 2] in CLOSED
    run = [e for e in found if first <= e.first < last]
    healthy = healthy or is_measured(run, first, last, words)
    # "right kidney without, left with a stone"
    healthy = healthy or norms[last : last + 2] == ("without", ",")
    if not healthy or not first or norms[first - 1] == ":":
        return bool(healthy) and (_first_of_two(element, found) or _first_of_places(run, found, norms))
    if not told and norms[first - 1] == "," and norms[0] not in DENYING:
        return _first_of_places(run, found, norms)
    return told and norms[first - 1] in (",", ";", "and", "while", "with")


def _first_of_two(element: Element, found: Sequence[Element]) -> bool:
    """True where another side follows: "right adrenal normal, left adrenal 14 mm nodule"."""
    here = {side_of(e) for e in found if e.first <= element.last} & {*SIDE_WORDS}
    behind = {side_of(e) for e in found if e.first > element.last} & {*SIDE_WORDS}
    return len(here) == 1 and bool(behind - here)


def _first_of_places(run: Sequence[Element], found: Sequence[Element], norms: Sequence[str]) -> bool:
    """True for the healthy place before a comma and another one: "antrum normal, ulcer in the bulb"."""
    ends = run[-1].last if run else 0
    comma = next((i for i in range(ends, len(norms)) if norms[i] in (",", ";")), len(norms))
    sided = any(side_of(e) in SIDE_WORDS for e in run)
    mine = {e.place.name for e in run if e.place is not None and not sided}
    others = [e.place for e in found if e.place and not e.own and e.first > comma]
    return bool(mine) and any(not {p.name, p.of} & mine and (p.of or p.name in concepts()) for p in others)


def _run(element: Element, found: Sequence[Element]) -> tuple[int, int]:
    """First and last (exclusive) word of the words of place that stand beside each other."""
    first, last = element.first, element.last
    for e in found:  # in text order
        last = e.last if e.first == last else last
    for e in reversed(found):
        first = e.first if e.last == first else first
    return first, last


def _is_excepted(element: Element, found: Sequence[Element], words: Words) -> bool:
    """True for the zone of "opacities in both lungs, except for the left upper zone". Not where something is
    denied: what is "clear except for the left base" is there."""
    norms = words.norms
    first, last = _run(element, found)
    first -= norms[first - 1 : first] == ("the",)
    excepting = any(norms[max(0, first - len(e)) : first] == e for e in EXCEPTING)
    closed = norms[last : last + 1] in CLOSED
    return excepting and closed and not DENYING & {*norms[:first]}


def _tells_other(element: Element, found: Sequence[Element], out: Sequence[Element], words: Words) -> bool:
    """True for the right lung of "consolidation of the left lung, whereas the right lung is well aerated":
    what begins a clause in contrast and has a verb of its own is told of itself. So is the right vein of
    "thrombus is seen in the left vein and the right vein is patent"."""
    if not out:
        return False
    first, last = _run(element, found)
    first -= words.norms[first - 1 : first] == ("the",)
    edge = words.norms[first - 1] if first else ""
    run = [e for e in found if first <= e.first < last]
    if any(e.own for e in run):
        return False  # it is the finding itself: "but the left hilum is enlarged"
    verb = words.norms[last : last + 1]
    if edge in ("and", ",") and any(e.place for e in run) and VERBS & {*words.norms[: first - 1]}:
        sides = {s for s in map(side_of, out) if s}
        return bool(sides) and element.value not in sides and verb == ("is",)
    return edge in CONTRAST and verb in (("is",), ("are",), ("appear",), ("remain",))


def _is_aim(element: Element, words: Words) -> bool:
    """True for the nipple of "35 mm towards the nipple" and of "5 cm from the nipple", for the side of
    "displacing the mediastinum to the right" and for the disc of "within one disc diameter"."""
    if words.norms[element.last : element.last + 1] in (("diameter",), ("width",), ("height",)):
        return element.place is not None
    if element.field == "side" and MOVING & {*words.norms[max(0, element.first - 6) : element.first]}:
        led = [n for n in words.norms[max(0, element.first - 2) : element.first] if n != "the"]
        return led[-1:] == ["to"]
    before = [
        n for n in words.norms[max(0, element.first - 4) : element.first] if n not in ("the", "right", "left")
    ]
    if before[-1:] in (["towards"], ["toward"]):
        return element.place is not None
    return element.place is not None and before[-1:] == ["from"] and before[-2:-1] in (["cm"], ["mm"])


def _not_a_side(element: Element, words: Words) -> bool:
    """True for the "both" of "both on frontal and lateral views", of "scar and effusion, both stable", of
    "both have been stable" and of "both left breast masses"."""
    after = words.norms[element.last : element.last + 2]
    if words.norms[element.first : element.last] != ("both",) or not after:
        return False
    if after[0] == "frontal" and after[1:] and after[1] not in VIEWED:
        return False  # "in both frontal lobes"
    if after[0] in THEY and after[1:] and (after[1] in THEIRS or after[1] in word_list("not_both_sides")):
        return True
    return after[0] in word_list("not_both_sides") or (after[0] in SIDE_WORDS and after[1:] != ("and",))


def _more(element: Element, out: Sequence[Element], words: Words) -> bool:
    """True for the side of "drusen in both eyes, more numerous on the left": both have been told."""
    told = max((e.last for e in out if e.last <= element.first), default=0)
    before = words.norms[max(0, told, element.first - 5) : element.first]  # not of "right more than left"
    both = any(e.value == "bilateral" or (e.place and e.place.side == "bilateral") for e in out)
    alone = element.field == "side" and element.value in SIDE_WORDS
    return both and alone and bool(MORE & {*before}) and "and" not in before


def _mostly(element: Element, out: Sequence[Element], words: Words) -> bool:
    """True for the zone of "opacities with lower zone predominance" and of "diffuse opacities, most marked
    at the bases": they are elsewhere, too."""
    norms = words.norms
    if element.field != "rows" and (element.place is None or element.place.of != "lung"):
        return False
    if MOSTLY & {*norms[element.last : element.last + 2]}:
        return True
    wide = WIDE & {*norms[: element.first]} or any(e.value == "bilateral" for e in out)
    before = element.first - 1
    while before >= 0 and norms[before] in DEGREES:
        before -= 1
    return bool(wide) and before >= 0 and norms[before] in MORE


def _greater(element: Element, words: Words) -> bool:
    """True for the side of "greater on the right": the other side has less of it."""
    before = words.norms[max(0, element.first - 3) : element.first]
    alone = element.field == "side" and element.value in SIDE_WORDS and element.place is None
    after = words.norms[element.last : element.last + 1]
    ends = not after or after[0] in ENDS
    return alone and ends and before[:1] == ("greater",) and before[1:2] in (("on",), ("at",), ("in",))
