"""Whose eye: the one that a report of the eye speaks of, where a sentence names none."""

from collections.abc import Sequence
from dataclasses import replace

from medsegr.report.clauses import HALVES
from medsegr.report.lexicon import Place, concepts
from medsegr.report.sentence import HOLLOW, Sentence
from medsegr.report.side import SIDE_WORDS, Element, side_of
from medsegr.report.titled import BESIDE, BOTH, DEVICES, fits

LOOKED_AT = frozenset(["fundus", "globe", "disc", "macula", "retina", "vitreous", "cornea", "lens"])
LEADING = DEVICES | BESIDE | frozenset(["case", "image", "images", "photos", "widefield", "wide", "field"])
SCOPED = frozenset(["bronchoscopy", "cystoscopy", "ureteroscopy", "laryngoscopy", "bronch", "cysto"])
PICTURED = frozenset(["of", "to", "than", "half", "third", "corner", "edge", "margin", "border"])


def of_fundus(sentence: Sentence) -> Sentence:
    """The sentence with the "right" of "the right fundus" as that of the eye: no part of the picture."""
    norms = sentence.words.norms
    own = tuple(
        replace(e, place=Place("eye", side=e.value, of="eye"), field="place", value="eye")
        if e.place is None and e.value in SIDE_WORDS and norms[e.last : e.last + 1] == ("fundus",)
        else e
        for e in sentence.elements
    )
    return replace(sentence, elements=own)


def led(lead: Sequence[str], organ: str) -> bool:
    """True for all that may stand before the eye that a sentence speaks of: "in the", "Colour fundus"."""
    known = concepts()
    of_eye = organ == "eye" or (organ in known and known[organ].field == "eye")
    return of_eye and {*lead} <= LEADING


def in_eye(sentence: Sentence, organ: str) -> bool:
    """True where all organs that a sentence names are parts of the eye that was spoken of."""
    return organ == "eye" and all(c.concept.field == "eye" for c in sentence.anatomy)


def of_one_eye(sentences: Sequence[Sentence], modality: str | None) -> tuple[Sentence, ...]:
    """Of pictures of eyes: the sentences under the one eye that a report tells of before it tells a finding,
    or with the first: "a myope with metamorphopsia of the left eye". Nothing is changed where any sentence
    tells the other eye, or both, or where a finding is told before."""
    if modality != "OP":
        return tuple(sentences)
    told = {side for s in sentences for side in _sides(s)}
    begin = min((s.span[0] for s in sentences if s.candidates), default=0)
    first = next((s for s in sentences if _sides(s)), None)
    run = _eye(first.elements) if first is not None and first.span[0] <= begin else ()
    if first is None or not run or len(told) != 1:
        return tuple(sentences)
    return tuple(
        replace(s, over=run, over_words=first.words, exam="eye")
        if s.candidates and not s.over and not _sides(s) and not _apart(s)
        else s
        for s in sentences
    )


def bodily(sentences: Sequence[Sentence], modality: str | None) -> bool:
    """True for a whole report of eyes, or of an endoscopy of the airways or the bladder, as its words of
    place or of examination tell: a mere side is the patient's there, and no third of the picture."""
    if modality != "ES":
        return modality == "OP"
    told = {part for s in sentences for e in s.elements if e.place for part in (e.place.name, e.place.of)}
    return bool(told & HOLLOW) or any(SCOPED & {*s.words.norms} for s in sentences)


def is_picture(norms: Sequence[str], at: int) -> bool:
    """True for a side that tells a part of the picture: "to the left of the disc", "the left half"."""
    return norms[at + 1 : at + 2] != () and norms[at + 1] in PICTURED


def _sides(sentence: Sentence) -> set[str]:
    own = {side for e in sentence.elements if (side := side_of(e)) is not None}
    return own | {HALVES.get(norm, "bilateral") for norm in sentence.words.norms if norm in {*HALVES, *BOTH}}


def _eye(found: Sequence[Element]) -> tuple[Element, ...]:
    """The words of one eye with its side: "left eye", "OS"."""
    for i, element in enumerate(found):
        run = tuple(e for e in found[i : i + 2] if e is element or e.first == element.last)
        sided = any(side_of(e) in SIDE_WORDS for e in run)
        if sided and any(e.place and "eye" in (e.place.of, e.place.name) for e in run):
            return run
    return ()


def _apart(sentence: Sentence) -> bool:
    """True where a finding of a sentence cannot lie in an eye."""
    return not any(fits(c.concept.name, (), "eye") for c in sentence.candidates)
