"""One statement of several things: which place, which number and which size is whose."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from medsegr.findings import Finding, Shape, Span
from medsegr.report.lexicon import Place, concepts, paired
from medsegr.report.match import Words
from medsegr.report.side import SIDE_WORDS, Element, Spot, counted_again, side_of
from medsegr.report.values import size_mm

LISTED = frozenset(["and", ",", "&", "or", "plus", "/"])
CUTS = LISTED | {";", ":"}
SIZED = frozenset(  # beside the words of size: how much there is
    [
        "mild",
        "severe",
        "marked",
        "slight",
        "minor",
        "trace",
        "minimal",
        "small",
        "moderate",
        "large",
        "massive",
    ]
)
SIGNS = frozenset(  # what a thing is seen with and that has no extent of its own
    [
        "posterior shadowing",
        "posterior enhancement",
        "hypervascularity",
        "restricted diffusion",
        "air bronchogram",
        "echogenic halo",
        "fluid level",
        "comet-tail artefact",
    ]
)
FLECKS = frozenset(["microcalcifications", "calcification"])  # whose extent has one number, where it is told
FILLING = frozenset(["the", "a", "in", "of", "on", "at", "left", "right", "both", "bilateral"])


def by_place(spot: Spot, text: str) -> tuple[Spot, ...]:
    """A spot with a list of places ("the left clavicle and left ribs") as one spot for each of them."""
    order = sorted(range(len(spot.heads)), key=lambda i: spot.heads[i])
    groups = [order[:1]]
    for before, here in pairwise(order):
        between = set(_split(text[spot.heads[before][1] : spot.heads[here][0]]))
        if not between <= LISTED | FILLING:
            return (spot,)  # more than a list
        if LISTED & between:
            groups.append([here])
        else:
            groups[-1].append(here)
    ends = [spot.heads[group[-1]][1] for group in groups[:-1]] if spot.heads else []
    owner = {span: sum(span[0] >= end for end in ends) for span in spot.spans}
    first_sided = min((owner[s] for s in spot.spans if _tells_side(s, spot)), default=0)
    return tuple(
        replace(
            spot,
            side=spot.side if n == first_sided or (n > first_sided and _twice(spot, group)) else None,
            places=tuple(spot.places[i] for i in group),
            heads=tuple(spot.heads[i] for i in group),
            spans=tuple(span for span in spot.spans if owner[span] == n),
        )
        for n, group in enumerate(groups)
    )


def _twice(spot: Spot, group: Sequence[int]) -> bool:
    """True for places that the body has on either side, or whose organ is not known: the liver behind a "left
    kidney" has no side of its own."""
    organs = [spot.places[i].of or spot.places[i].name for i in group]
    return any(organ in paired() or organ not in concepts() for organ in organs)


def _tells_side(span: Span, spot: Spot) -> bool:
    """True for a word of side or row, and for a name that tells a side."""
    return span not in spot.heads or _sided(spot.places[spot.heads.index(span)])


def _sided(place: Place) -> bool:
    return place.side is not None and not place.implied


def _split(text: str) -> list[str]:
    for mark in LISTED - {"and", "or", "plus"}:
        text = text.replace(mark, f" {mark} ")
    return text.lower().split()


def shares(words: Words, region: tuple[int, int], found: Sequence[Element]) -> tuple[tuple[int, int], ...]:
    """The parts of a list with a place and a size each, as first and last word: "nodules: 4 mm in the right
    upper lobe, 6 mm in the lingula"; also "moderate on the left and small on the right". Nothing where there
    are not two of them."""
    cuts = [i for i in range(*region) if words.norms[i] in CUTS]
    parts = tuple(zip([region[0], *(i + 1 for i in cuts)], [*cuts, region[1]], strict=True))
    out = [
        part
        for part in parts
        if any(part[0] <= e.first and e.last <= part[1] for e in found) and size_mm(words, part)[0]
    ]
    if len(out) > 1:
        return tuple(out)
    halves = [part for part in parts if SIZED & {*words.norms[slice(*part)]} and _half(part, found)]
    told = {_half(part, found) for part in halves}
    return tuple(halves) if len(told) == len(halves) == len(SIDE_WORDS) else ()


def of_signs(found: Sequence[Finding]) -> list[Finding]:
    """Findings of a sentence with the size and the place of a sign given to what it is seen with: "a mass
    with posterior shadowing and an echogenic halo, 18 mm", "a collection with peripheral vascularity in the
    lower outer quadrant"."""
    out = list(found)
    for i, sign in enumerate(out[1:], 1):
        at = next((k for k in reversed(range(i)) if out[k].name not in SIGNS), None)
        flecks = sign.name in FLECKS and _is_behind_comma(sign)  # "with bright foci, 11 x 8 mm"
        if not (sign.name in SIGNS or flecks) or at is None or out[at].polarity != "present":
            continue
        thing, size, told = out[at], sign.shape.size_mm, sign.location
        if size is not None and not thing.shape.size_mm:
            given = tuple(s for s in sign.shape.spans if s[0] >= sign.span[1] or s[1] <= sign.span[0])
            held = tuple(s for s in sign.shape.spans if s not in given)
            outline = replace(thing.shape, size_mm=size, spans=(*thing.shape.spans, *given))
            thing = replace(thing, shape=outline)
            out[i] = replace(sign, shape=replace(sign.shape, size_mm=None, spans=held))
        where = thing.location
        bare = not (where.rows or where.cols) and where.side in (None, told.side)
        if bare and (told.rows or (told.anatomy and not where.anatomy)):
            thing = replace(thing, location=told)
        out[at] = thing
    return out


def _is_behind_comma(sign: Finding) -> bool:
    """True for a size of two axes and more that a comma parts from the name."""
    ends = [sign.phrase[: s[0] - sign.span[0]].rstrip() for s in sign.shape.spans if s[0] < sign.span[1]]
    apart = any(end.endswith(",") for end in ends) or any(s[0] > sign.span[1] + 1 for s in sign.shape.spans)
    return len(sign.shape.size_mm or ()) > 1 and apart


def _half(part: tuple[int, int], found: Sequence[Element]) -> str:
    """The one side that is told in a part of a list; "" for none or both."""
    sides = {side_of(e) for e in found if part[0] <= e.first and e.last <= part[1]} & {*SIDE_WORDS}
    return sides.pop() or "" if len(sides) == 1 else ""


def of_part(part: tuple[int, int], found: Sequence[Element]) -> list[Element]:
    """The words of place in a part of a list, without the "bilateral" of all of it where it tells a side."""
    mine = [e for e in found if part[0] <= e.first and e.last <= part[1]]
    return [e for e in mine if not (_half(part, found) and side_of(e) == "bilateral")]


def in_all(element: Element) -> bool:
    """True for a place before a list that holds for all of it: the frontal lobes of "collections over the
    frontal convexities, 9 mm on the left and 6 mm on the right"."""
    return element.place is not None and element.place.side is None and not element.own


def outlines(outline: Shape, own: Sequence[Spot], words: Words) -> tuple[Shape, ...]:
    """The outline of a finding at each of its places, with its own number where one is told: "two nodules on
    the left and one on the right"."""
    out = [outline]
    for before, here in pairwise(own):
        found = _number(before, here, words)
        if found is None:
            out.append(outline)
            continue
        spans = tuple(s for s in outline.spans if not _counts(outline, s, words))
        out.append(replace(outline, count=found[0], spans=tuple(sorted({*spans, found[1]}))))
    return tuple(out)


def _number(before: Spot, here: Spot, words: Words) -> tuple[int, Span] | None:
    """The number told between two places, with its words."""
    if not before.spans or not here.spans:
        return None
    start, stop = max(s[1] for s in before.spans), min(s[0] for s in here.spans)
    inside = [i for i, token in enumerate(words.tokens) if start <= token.start and token.end <= stop]
    found = counted_again([words.norms[i] for i in inside])
    return None if found is None else (found[1], words.span(inside[found[0]], inside[found[0]] + 1))


def _counts(outline: Shape, span: Span, words: Words) -> bool:
    """True for the words that tell the number of an outline."""
    said = [n for token, n in zip(words.tokens, words.norms, strict=True) if token.start == span[0]]
    return outline.count is not None and counted_again([",", *said[:1]]) == (1, outline.count)
