"""Parts of things, and what lies beside them, that somebody asks for: of "the left lower lobe" the lung is no
answer, of "the mucosa around the polyp" the polyp is none."""

from collections.abc import Sequence
from functools import cache

from medsegr.findings import Finding
from medsegr.report import lexicon

SIDED = ("left ", "right ")
BETWEEN = frozenset(  # "of" and its organ
    {"the", "a", "an", "left", "right", "both", "each", "every", "all", "this", "that", "these", "patient"}
)
BESIDE = frozenset({"around", "above", "below", "beside", "near"})
ELSEWHERE = frozenset({"behind", "beneath", "between", "beyond", "outside", "underneath"})
APART = {"next": "to", "adjacent": "to", "close": "to", "front": "of", "away": "from"}
PARTING = frozenset({"and", "or", "with", "without", "plus", ",", ";", ":", ".", "&"})
SHAPES = frozenset(  # nothing of a body: whoever names one wants to see it drawn
    {"bbox", "box", "circle", "ellipse", "mask", "outline", "oval", "polygon", "rectangle", "square"}
)
OUTLINES = SHAPES | {"border", "boundary", "contour", "edge", "line", "margin"}
SMALL = BETWEEN | {"any", "at", "bounding", "in", "is", "of", "on", "thin", "tight", "what", "where"}
SMALL |= {"close", "closely", "tightly"}
SIDES = frozenset({"left", "right"})
FACING = frozenset({"upper", "lower", "superior", "inferior", "anterior", "posterior", "medial", "lateral"})
BEHIND = frozenset(
    {"apex", "base", "capsule", "center", "core", "cortex", "dome", "half", "periphery", "rim", "tip", "wall"}
)
TILES = frozenset({"half", "lobe", "part", "portion", "quarter", "segment", "third"})  # all: the whole
ALIKE = frozenset({"common carotid artery"})  # what every picture of the carotid shows that a model learned


def part_asked(finding: Finding) -> str | None:
    """The part of its organ that a finding asks for ("left lower lobe of lung"); None where the organ itself
    is meant, or no organ.

    Organs are findings only where somebody asks for them by name. A place within one tells then what of it is
    wanted; where a finding lies in it, the finding is what is asked for, and not the organ.
    """
    concept = lexicon.concepts().get(finding.name)
    if concept is None or concept.kind != "anatomy":
        return None
    within, tail = _parts().get(finding.name, frozenset()) | {"hilum"}, f" of {finding.name}"
    told = finding.location.anatomy
    return next((name for name in told if _sideless(name) in within or name.endswith(tail)), None)


def kind_asked(finding: Finding, drawn: str) -> str | None:
    """The kind of thing ("internal carotid artery", "tumour nucleus") that a finding asks for where only the
    wider concept ``drawn`` would be drawn for it; None where that is an answer.

    A state of an organ is that of the kind which it is told of: "tortuous retinal veins" are not all vessels.
    """
    known = lexicon.concepts()
    if finding.name == drawn or drawn not in known:
        return None
    told = finding.location.anatomy if known[drawn].kind == "anatomy" else ()
    asked = (known[name] for name in (finding.name, *map(_sideless, told)) if name in known)
    return next((kind.name for kind in asked if kind.apart and drawn in kind.parents), None)


def landmark(norms: Sequence[str], named: int) -> bool:
    """Whether the thing that a request names from word ``named`` on only tells where something else lies
    ("the tissue behind the polyp"); not where somebody asks to draw a line around it."""
    low = max((i + 1 for i, norm in enumerate(norms[:named]) if norm in PARTING), default=0)
    beyond = [i for i in range(low, named) if _leads(norms, i, named)]
    if not beyond:
        return False
    small = SMALL | lexicon.word_list("asks") | lexicon.word_list("polite")
    told = [norm for norm in norms[low : beyond[-1]] if norm.isalpha() and norm not in small]
    if any(norms[i] in ELSEWHERE for i in beyond):
        return True
    return not OUTLINES.issuperset(told) and told[-1] not in SHAPES


def _leads(norms: Sequence[str], at: int, named: int) -> bool:
    if at + 1 < named and norms[at + 1].isdecimal():
        return False  # "around 5 mm"
    if norms[at] in APART:
        return at + 1 < named and norms[at + 1] == APART[norms[at]]
    if norms[at] == "surrounding":  # "surrounding edema" is a thing of its own
        return at + 1 < named and norms[at + 1] in BETWEEN
    return norms[at] in BESIDE | ELSEWHERE


def portion(norms: Sequence[str], organ: int, end: int) -> str | None:
    """What stands before "of" and the organ, words ``organ`` to ``end``: "half" of "upper half of the left
    lung", whatever the lexicon knows of halves; or right behind it, the "core" of "tumour core". None where
    all of it is meant, or nothing stands there."""
    behind, at = norms[end : end + 1], organ - 1
    if behind and behind[0] in BEHIND and norms[end + 1 : end + 2] != ("of",):
        return behind[0]
    while at > 0 and (norms[at] in BETWEEN or _field(norms[at]) not in (None, "count")):
        at -= 1
    if at < 1 or norms[at] != "of" or norms[at - 1] not in lexicon.word_list("portions"):
        return None
    return None if _is_all(norms[max(0, at - 4) : at - 1], norms[at - 1]) else norms[at - 1]


def is_place(part: str, word: str) -> bool:
    """Whether a word names an organ that has such a part: the lung has a base, but no core."""
    organ = lexicon.places().get((word,))
    return organ is not None and any(
        part in name.split() for name in {"hilum"} | _parts().get(organ.of, set())
    )


def facing(norms: Sequence[str], organ: int) -> str | None:
    """The "upper part" of an organ of which only that is asked for: "upper liver", "lower left lung"."""
    led = [norm for norm in norms[max(0, organ - 2) : organ] if norm not in SIDES]
    return f"{led[-1]} part" if led and led[-1] in FACING else None


def _is_all(before: Sequence[str], part: str) -> bool:
    """Whether all of the parts are meant: "all three parts", not "the entire upper half" or "both apices"."""
    if part == "surface":
        return not {"entire", "whole"}.isdisjoint(before)
    told = [n for n in before if not (n == "the" or n.isdecimal() or _field(n) == "count")]
    return part in TILES and told[-1:] != [] and told[-1] in lexicon.word_list("all_of")


def _field(norm: str) -> str | None:
    """What a describing word tells of ("size_class" of "large"); None for any other word."""
    told = lexicon.descriptors().get((norm,))
    return told.field if told is not None else None


def wholes(name: str) -> tuple[str, ...]:
    """What a kind of thing belongs to: plaque of the internal carotid is that of the carotid artery."""
    concept = lexicon.concepts().get(name)
    return concept.parents if concept is not None and concept.apart else ()


@cache
def _parts() -> dict[str, frozenset[str]]:
    """Names of places by the organ that they are parts of, without sides and without the organ itself."""
    found: dict[str, set[str]] = {}
    for place in lexicon.places().values():
        if place.of and place.name not in ALIKE and _sideless(place.name) != place.of:
            found.setdefault(place.of, set()).add(_sideless(place.name))
    return {organ: frozenset(names) for organ, names in found.items()}


def _sideless(name: str) -> str:
    return next((name[len(side) :] for side in SIDED if name.startswith(side)), name)
