"""The side of a finding that is told of with another: of its cause, or of what it stands with."""

from dataclasses import replace
from itertools import pairwise

from medsegr.report import lexicon
from medsegr.report.builds import Candidate
from medsegr.report.regions import CAUSING
from medsegr.report.sentence import Sentence
from medsegr.report.side import SIDE_WORDS, Spot
from medsegr.report.sided import AROUND_KIDNEY

URINARY = frozenset(
    [
        "kidney",
        "ureter",
        "ureterovesical junction",
        "pelviureteric junction",
        "kidney stone",
        "hydronephrosis",
    ]
)
LIMBS = frozenset(
    ["arm", "leg", "shoulder", "humerus", "femur", "tibia", "hip bone", "acetabulum", "patella"]
)
VAGUE = frozenset(["proximal", "distal", "anterior", "posterior", "medial", "lateral", "joint"])
APART = frozenset([".", ";", "no", "without", "not", "left", "right", "both", "bilateral", "other"])


def of_eye_with(sentence: Sentence, found: list[tuple[Spot, ...]]) -> list[tuple[Spot, ...]]:
    """The places with the side of the other of "a cup of 0.8 in the left eye with thinning of the rim" and of
    "a cup of 0.8 with thinning of the rim in the left eye"."""
    out = list(found)
    for i, (one, two) in enumerate(pairwise(sentence.candidates)):
        between = sentence.words.norms[one.last : two.first]
        if "with" not in between or {";", ".", "and"} & {*between}:
            continue
        for at, other in ((i, i + 1), (i + 1, i)):
            told = {spot.side for spot in out[other]}
            if len(out[other]) == 1 and None not in told and not any(spot.side for spot in out[at]):
                side, said = told.pop(), out[other][0].spans
                out[at] = tuple(
                    replace(spot, side=side, spans=tuple(sorted({*spot.spans, *said})))
                    for spot in out[at] or (Spot(),)
                )
    return out


def with_it(at: int, out: list[tuple[Spot, ...]], sentence: Sentence) -> tuple[Spot, ...]:
    """The places of a finding with the side of the limb or kidney that it is told of with: the avulsion of "a
    fracture of the left femur with avulsion of the lesser trochanter", the stranding of "a stone in the left
    ureter with hydronephrosis and perinephric stranding"."""
    here, own = sentence.candidates[at], out[at]
    if len(own) > 1 or any(s.side or s.cols for s in own) or not here.concept.sided:
        return own
    for giver, given in zip(reversed(sentence.candidates[:at]), reversed(out[:at]), strict=True):
        between = {*sentence.words.norms[giver.last : here.first]}
        if not given or not given[0].side:
            continue
        alike = len(given) == 1 and _are_of_one(giver, given[0], here, own)
        apart = (APART & between) - {given[0].side}
        if given[0].side not in SIDE_WORDS or "with" not in between or apart or not alike:
            return own
        side = given[0]
        bare = replace(own[0] if own else Spot(), side=side.side, side_frame=side.side_frame)
        return (replace(bare, spans=tuple(sorted({*bare.spans, *side.spans}))),)
    return own


def _are_of_one(giver: Candidate, given: Spot, here: Candidate, own: tuple[Spot, ...]) -> bool:
    """True for two findings of the urinary tract, or two of bones or joints of which the first lies in a
    limb and the second nowhere else."""
    organs = {part for p in given.places for part in (p.name, p.of)} | {giver.concept.name}
    mine = {p.of or p.name for spot in own for p in spot.places} - VAGUE
    if organs & URINARY and here.concept.name in AROUND_KIDNEY:
        return mine <= URINARY
    limb = bool(organs & LIMBS) or giver.concept.field == here.concept.field == "bones"
    return limb and here.concept.field == "bones" and (not mine or bool(mine & LIMBS))


def caused(sentence: Sentence, at: int) -> bool:
    """True for a finding that the one before it is said to cause."""
    before, here = sentence.candidates[at - 1 : at + 1]
    return bool(CAUSING & {*sentence.words.norms[before.last : here.first]})


def on_side(spot: Spot, cause: tuple[Spot, ...]) -> Spot:
    """The place with the side of what causes it, in the same organ: "plaque at the left carotid bifurcation
    causing 60% stenosis of the proximal ICA"."""
    sides = {s.side for s in cause}
    organs = {p.of or p.name for s in cause for p in s.places} & {p.of or p.name for p in spot.places}
    side = sides.pop() if len(sides) == 1 else None
    if spot.side or spot.cols or side not in SIDE_WORDS or not organs & lexicon.paired():
        return spot
    return replace(spot, side=side, spans=tuple(sorted({*spot.spans, *cause[0].spans})))
