"""Statements that leave the name of the finding out: the exception to a denial ("no effusion except for a
trace on the left"), and the other side of one ("absent on the right but present on the left")."""

from collections.abc import Sequence

from medsegr.report.builds import Candidate
from medsegr.report.side import NUMBERS, SIDE_WORDS

EXCEPTING = (
    ("except", "for"),
    ("except", "in"),
    ("except",),
    ("excepting",),
    ("with", "the", "exception", "of"),
    ("apart", "from"),
    ("aside", "from"),
    ("other", "than"),
    ("save", "for"),
    ("besides",),
    ("barring",),
    ("excluding",),
    ("discounting",),
    ("leaving", "aside"),
    ("not", "counting"),
    ("not", "including"),
    ("bar",),
)
ARTICLES = frozenset(["a", "an", "the", "some", "one", "this", "that", "possibly", "very"])
ENDS = frozenset(["in", "on", "at", "of", "within", "along", "over", "overlying", "involving", "near", "to"])
MARKS = frozenset([",", ";", ".", "(", ")", ":", "measure", "measures", "measuring", "which", "and", "seen"])
AMOUNTS = frozenset(
    [
        *("amount", "volume", "component", "focus", "foci", "area", "patch", "pocket", "sliver", "streak"),
        *("region", "rim", "one", "part", "portion", "residue", "remnant", "trace", "quantity"),
    ]
)
FLUIDS = frozenset(["trace", "amount", "volume", "fluid", "sliver", "pocket", "quantity"])
WET = frozenset(["pleural effusion", "ascites", "pericardial effusion", "joint effusion", "subretinal fluid"])
STANDING = {  # nouns that stand for one kind of finding only
    "fluid": WET,
    "node": frozenset(["lymphadenopathy", "axillary lymph node"]),
    "air": frozenset(["pneumothorax", "pneumoperitoneum"]),
    "outpouching": frozenset(["aneurysm", "cerebral aneurysm", "aortic aneurysm", "diverticulosis"]),
}
SIZES = frozenset(
    [
        *("trace", "tiny", "small", "mild", "minimal", "moderate", "large", "massive", "minor", "slight"),
        *("severe", "marked", "big", "subtle"),
    ]
)
GOING_ON = frozenset(  # "cleared on the right but persist on the left"
    [
        *("persist", "persists", "remain", "remains", "unchanged", "stable", "improved", "increased", "new"),
        *("decreased", "worse", "worsened", "larger", "smaller", "bigger", "progressed"),
    ]
)
STATES = SIZES | {"present", "seen", "yes", "positive", "visible", "noted", "evident"}
POINTING = frozenset(["the", "this", "these", "those", "that", "known", "some", "few", *NUMBERS])
HEALTHY = frozenset(
    ["normal", "clear", "unremarkable", "free", "negative", "healthy", "intact", "no", "without", "nothing"]
)
STATING = frozenset(["is", "are", "was", "were", "appear", "appears", "show", "shows", "looks", "look"])
FILLING = frozenset(
    [
        *("a", "an", "the", "on", "at", "in", "is", "are", "but", "and", "side", "one", "there", "only"),
        *(
            "-",
            "\u2013",
            "\u2014",
            ":",
            ",",
            ".",
            ";",
            "(",
            ")",
            "it",
            "to",
            "very",
            "amount",
            "of",
            "volume",
        ),
    ]
)
FILLING |= {"mm", "cm", "x", "by", "sided"}
ABSENT = frozenset(["absent"])
DENYING = ABSENT | {
    *("no", "not", "without", "none", "neither", "nor", "negative", "free", "clear", "resolved", "cleared")
}


def excepted(
    norms: Sequence[str],
    clause: tuple[int, int],
    before: Sequence[Candidate],
    placed: frozenset[int],
) -> Candidate | None:
    """The part of a denied finding that an exception states, in a clause that names none itself.

    Args:
        norms: the words of the sentence.
        clause: first and last (exclusive) word of the exception.
        before: findings named before it in the sentence.
        placed: indices of words of place; without one behind it an exception states nothing to be found.
    """
    start, end = clause
    said = next((e for e in EXCEPTING if tuple(norms[start : start + len(e)]) == e), None)
    if said is None or not placed & {*range(start, end)}:
        return None
    at = start + len(said)
    led = "in" if said[-1] == "in" else ""
    found = [c for c in before if c.concept.kind in ("finding", "device")]
    if not found or not DENYING & set(norms[:start]):
        return None
    run = range(at, at) if led else _noun(norms, at, end)
    free = [i for i in run if i not in placed and norms[i] not in ARTICLES]
    noun = norms[free[-1]] if free else ""
    if noun and not (noun in AMOUNTS or noun in STANDING or noun in SIZES):
        return None  # another thing, unknown here: "no fracture except for a bone island in the femur"
    item = _meant(found, noun, start)
    if item is None:
        return None
    word = free[-1] if free else next((i for i in run if i not in placed), at - 1)
    word = at if not run and not led and at < end else word
    return Candidate(item.concept, ((word, word + 1),))


def leaves_out(norms: Sequence[str], at: int) -> bool:
    """True for an "excluding" that tells what is there beside all that is healthy: "excluding the polyp at 20
    cm, the colon is normal", "normal chest, excluding a small effusion". "CT excluding pneumonia" denies."""
    told = norms[at + 1 : at + 2]
    definite = bool(told) and (told[0] in POINTING | SIZES or told[0].isdecimal())
    single = bool(told) and told[0] in ("a", "an")
    if at > 1:
        end = next((i for i in range(at + 1, len(norms)) if norms[i] in MARKS), len(norms))
        described = single and bool((SIZES | ENDS) & {*norms[at + 2 : end]})
        return bool(HEALTHY & {*norms[:at]}) and (definite or described)
    comma = next((i for i in range(at + 1, len(norms)) if norms[i] == ","), None)
    if comma is None:
        return (definite or single) and bool(HEALTHY & {*norms})
    rest = {*norms[comma + 1 :]}
    return bool(HEALTHY & rest) or ((definite or single) and bool(STATING & rest))


def _noun(norms: Sequence[str], at: int, end: int) -> range:
    stop = next((i for i in range(at, end) if norms[i] in ENDS or norms[i] in MARKS), end)
    return range(at, stop)


def _meant(found: Sequence[Candidate], noun: str, start: int) -> Candidate | None:
    """The finding of which something is excepted: the only one, or the fluid of "no pneumothorax or effusion
    except for a trace"."""
    last = [c for c in found if c.last <= start]
    names = {c.concept.name for c in last}
    if noun in STANDING:
        fitting = [c for c in last if STANDING[noun] & {c.concept.name, *c.concept.parents}]
        return fitting[-1] if fitting else None
    if len(names) == 1:
        return last[-1]
    wet = [c for c in last if c.concept.name in WET]
    return wet[-1] if noun in FLUIDS and len({c.concept.name for c in wet}) == 1 else None


def other_side(norms: Sequence[str], start: int, end: int, told: str) -> tuple[int, int] | None:
    """The side of a clause that is only a side with a state: the "left" of "absent on the right but present
    on the left", of "no right effusion, trace left". ``told``: the side told before, "" for
    none: then nothing is taken up."""
    sides = [i for i in range(start, end) if norms[i] in SIDE_WORDS]
    if not told or len(sides) != 1 or norms[sides[0]] == told:
        return None
    words = {*norms[start:end]} - {norms[sides[0]]}
    going = GOING_ON & {*norms[start : sides[0]]}  # not "the left is unchanged"
    rest = words - FILLING - STATES - ABSENT - going
    if any(not word.replace(".", "").isdecimal() for word in rest) or not words & (STATES | ABSENT | going):
        return None
    return sides[0], sides[0] + 1


def told_side(norms: Sequence[str], start: int, end: int) -> str:
    """The only side that the words tell; "" for none or both."""
    sides = {norms[i] for i in range(start, end)} & {*SIDE_WORDS}
    return next(iter(sides)) if len(sides) == 1 else ""
