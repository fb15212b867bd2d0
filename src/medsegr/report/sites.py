"""What a sentence points back to: the scar of an operated breast, the polyp that a clip was placed on."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from medsegr.report.lexicon import Place
from medsegr.report.sentence import Sentence
from medsegr.report.side import SIDE_WORDS, Element, side_of

SITES = frozenset(["scar", "site", "bed", "cavity"])
OPERATED = SITES | {  # where such a site is told of
    *("surgical", "operative", "postoperative", "postsurgical", "surgery", "lumpectomy", "excision"),
    *("biopsy", "clip", "distortion", "radiotherapy", "treatment"),
}
DONE = frozenset(["placed", "applied", "deployed", "fired", "injected", "left", "used"])
SAMPLED = frozenset(["bx", "biopsy", "biopsies", "fna", "fnac", "core", "cores", "vab", "vacuum"])
SAME = frozenset(["lobe", "segment", "lung", "hemisphere", "kidney", "breast"])
TOWARDS = frozenset(["to", "toward", "towards"])  # "shift of the mediastinum to that side"
FURTHER = frozenset(["second", "another", "further", "additional", "third"])
LABELLING = frozenset(
    ["-", "\u2013", "\u2014", "(", ")", ",", ":", ".", "the", "of", "on", "dorsum", "aspect"]
)
WHERE = frozenset(["at", "in", "within", "around", "along", "near", "to", "of", "beside"])


def of_before(sentence: Sentence, before: Sentence, modality: str | None) -> tuple[Element, ...]:
    """Where what a sentence tells lies, by the sentence before it; () where that does not tell."""
    site = of_site(sentence, before) or of_second(sentence, before)
    return site or of_treated(sentence, before, modality)


def of_site(sentence: Sentence, before: Sentence) -> tuple[Element, ...]:
    """Where in a breast the site lies that a sentence points back to: the scar of "calcification at the scar"
    behind "distortion in the left breast"; nothing where the sentence before it tells both sides or none."""
    norms = sentence.words.norms
    led = (i for i, norm in enumerate(norms) if norm in SITES and norms[max(0, i - 1)] == "the")
    at = next((i for i in led if norms[max(0, i - 2)] in WHERE), None)
    sides = {side_of(e) for e in before.elements} & {*SIDE_WORDS, "bilateral"}
    known = OPERATED & {*before.words.norms} and not sided(sentence.elements)
    if at is None or len(sides) != 1 or "bilateral" in sides or not known:
        return ()
    begin = next(i for i, e in enumerate(before.elements) if side_of(e) in sides)
    run = before.elements[begin : begin + 1]
    run += tuple(e for e in before.elements[begin + 1 :][:1] if e.first == run[0].last)
    return run if any(e.place and "breast" in (e.place.of, e.place.name) for e in run) else ()


def of_treated(sentence: Sentence, before: Sentence, modality: str | None) -> tuple[Element, ...]:
    """Where the clip of "Hot snare, one clip placed." lies in an endoscopy: where the sentence before it
    has a polyp. Nothing where that tells several places, or names no finding."""
    devices = bool(sentence.candidates) and all(c.concept.kind == "device" for c in sentence.candidates)
    told = tuple(e for e in before.elements if e.place is not None)
    found = any(c.concept.kind == "finding" for c in before.candidates)
    bare = modality == "ES" and devices and not sentence.elements and not sentence.anatomy
    return told if bare and found and len(told) == 1 and DONE & {*sentence.words.norms} else ()


def of_second(sentence: Sentence, before: Sentence) -> tuple[Element, ...]:
    """The breast in which a further thing lies, that of the sentence before it: "a mass in the right breast.
    A second, smaller lesion deep to the nipple"; nothing where a side is told or two were."""
    told = {side_of(e) for e in before.elements} & {*SIDE_WORDS, "bilateral"}
    breast = any(e.place and "breast" in (e.place.of, e.place.name) for e in before.elements)
    led = FURTHER & {*sentence.words.norms[:2]}
    if len(told) != 1 or "bilateral" in told or not (breast and led) or sided(sentence.elements):
        return ()
    here = next(e for e in before.elements if side_of(e) in told)
    place = Place("breast", side=side_of(here), of="breast")
    return (replace(here, place=place, field="place", value=place.name),)


def is_procedure(sentence: Sentence) -> bool:
    """True for what was done, on either side, behind all that was seen: "14G core bx x3 of the index lesion
    and x2 of the node"."""
    norms = sentence.words.norms
    counted = any(norm[:1] == "x" and norm[1:].isdecimal() for norm in norms)
    gauged = any(a.isdecimal() and b == "g" for a, b in pairwise(norms))
    return bool(SAMPLED & {*norms}) and (counted or gauged) and not sided(sentence.elements)


def sided(found: Sequence[Element]) -> bool:
    """True where words of place tell the left or the right, or a place that has one."""
    return any(
        e.value in SIDE_WORDS if e.place is None else e.place.side in SIDE_WORDS and not e.place.implied
        for e in found
    )


def label_end(sentence: Sentence) -> int:
    """Index behind the label of a lesion and its place: "Lesion 2 - dorsum of the right hand", "Lesion B
    (right forearm): ..."; 0 where no sentence begins so."""
    norms = sentence.words.norms
    if norms[:1] != ("lesion",) or not norms[1:2] or len(norms[1]) > 2 or not norms[1].isalnum():
        return 0
    covered = {i for e in sentence.elements for i in range(e.first, e.last)}
    plain = (i for i in range(2, len(norms)) if i not in covered and norms[i] not in LABELLING)
    end = next(plain, len(norms))
    colon = next((i for i in range(2, end) if norms[i] == ":" and covered & {*range(i)}), end)
    closed = colon < end or end == len(norms)
    return min(colon + 1, len(norms)) if closed and sided(sentence.elements) else 0


def of_same(sentence: Sentence, before: Sequence[Sentence]) -> Sentence:
    """The sentence with the lobe or side that was told before as its own: "a second nodule in the same lobe",
    "an effusion on that side"."""
    norms = sentence.words.norms
    at = next((i for i in range(len(norms) - 1) if _is_same(norms, i)), None)
    if at is None:
        return sentence
    here = [e for e in sentence.elements if e.last <= at]
    if not sided(here):  # "thickening at both apices, more on the right, with granulomas on that side"
        said = [i for i in range(at) if norms[i] in SIDE_WORDS]
        here += [Element(None, "side", norms[i], i, i + 1) for i in said[-1:]]
    told = next((list(s) for s in (here, *(b.elements for b in before)) if sided(s)), [])
    last = max((i for i, e in enumerate(told) if sided((e,))), default=None)
    if last is None:
        return sentence
    run = told[last : last + 1]
    run += [e for e in told[last + 1 :][:1] if e.first == run[0].last and run[0].place is None]
    if norms[at] != "same" and run[0].place is not None and run[0].place.rows:
        run = [Element(None, "side", str(run[0].place.side), 0, 1)]  # of a lobe no more than its side
    own = [replace(e, first=at + i, last=at + i + 1) for i, e in enumerate(run)]
    rest = [e for e in sentence.elements if not at <= e.first < at + 2]
    return replace(sentence, elements=tuple(sorted((*rest, *own), key=lambda e: e.first)))


def _is_same(norms: Sequence[str], at: int) -> bool:
    side = norms[at : at + 2] in (("this", "side"), ("that", "side"))
    return (norms[at] == "same" and norms[at + 1] in SAME) or (side and norms[at - 1] not in TOWARDS)
