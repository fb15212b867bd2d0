"""The organ whose pole is meant: that which the sentence names, else that which was spoken of last."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from medsegr.report.lexicon import Place

if TYPE_CHECKING:
    from medsegr.report.sentence import Sentence

POLED = {  # words of organs with poles, kidneys aside; of these only the thyroid has lobes
    **dict.fromkeys(("thyroid", "lobe", "isthmus"), "thyroid"),
    **dict.fromkeys(("testis", "testicle", "testicular"), "testis"),
    **dict.fromkeys(("spleen", "splenic"), "spleen"),
    **dict.fromkeys(("ovary", "ovarian"), "ovary"),
    **dict.fromkeys(("patella", "patellar"), "patella"),
}
NAMED = {  # words that tell of which organ is spoken; lobes and an isthmus have others, too
    **{word: organ for word, organ in POLED.items() if word not in ("lobe", "isthmus")},
    **dict.fromkeys(("kidney", "renal", "spleen", "splenic"), "kidney"),  # told of one behind the other
    **dict.fromkeys(("scrotum", "scrotal"), "testis"),
}
MIDDLE = "interpolar kidney"


def is_pole(place: Place) -> bool:
    """True for a pole of the kidney, of which a pole is where no organ is told, and for what lies between
    two."""
    return place.of == "kidney" and ("pole" in place.name or place.name == MIDDLE)


def pole_of(place: Place, organ: str) -> Place:
    """The pole of another organ at the same end as that of the kidney."""
    name = f"mid pole of {organ}" if place.name == MIDDLE else place.name.replace("kidney", organ)
    return Place(name, rows=place.rows, of=organ)


def organ_named(norms: Sequence[str], before: str) -> str:
    """The organ with poles that some words name last; that of the words ``before`` them where they name
    none."""
    return next((NAMED[norm] for norm in reversed(norms) if norm in NAMED), before)


def of_organ(sentence: "Sentence", organ: str) -> "Sentence":
    """The sentence with its poles as those of the ``organ`` spoken of before, "" for none, where it names no
    organ with poles."""
    if not organ or organ == "kidney" or {*sentence.words.norms} & NAMED.keys():
        return sentence
    told = (
        replace(e, place=pole_of(e.place, organ)) if e.place and is_pole(e.place) else e
        for e in sentence.elements
    )
    return replace(sentence, elements=tuple(told))
