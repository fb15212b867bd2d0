"""Where a finding lies: side, thirds and named places, in the patient's frame or as the picture shows it.

`side` is a half of the body. `cols` are always thirds of the picture as seen. A horizontal word is a side
in the patient's frame, and in the viewer's frame where it stands with a paired organ ("left breast");
otherwise it is a third of the picture. In any frame "left of the image" and "top left" speak of the picture.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from medsegr.findings import COLS, ROWS, Frame, Location, Span
from medsegr.report.lexicon import Descriptor, Place, paired, word_list
from medsegr.report.match import Hit, Words

PICTURE = frozenset(["image", "picture", "frame", "photo", "photograph", "screen", "view", "slide", "field"])
PARTS = frozenset(
    ["side", "part", "half", "third", "corner", "quadrant", "portion", "edge", "border", "region", "area"]
)
LINKS = frozenset(["of", "in", "within"])
VIEWERS = PICTURE | {"viewer", "observer", "reader"}
BESIDE_SITES = frozenset(
    ["upper", "lower", "inner", "outer", "lateral", "medial", "posterior", "anterior", "parietal"]
)
PAGE = frozenset(["top", "bottom"])  # words for a page, never for a body
DEVICES = frozenset(["ultrasound", "image", "ct", "mri", "mr", "sonogram", "mammogram", "radiograph", "scan"])
JOINTS = frozenset(["and", ",", "or", "/", "&", "plus", "with", "but"])
INTO = frozenset(["of", "in", "within", "on"])
DIRECTIONS = frozenset(["anterior", "posterior", "lateral", "medial", "tail"])
VAGUE = frozenset(["inferior", "superior", "inferiorly", "superiorly"])
SIDE_WORDS = ("left", "right")
EYE = frozenset(["macula", "fovea", "optic disc", "optic cup", "retina"])  # each eye has one
SAMPLED = frozenset(["apex", "base", "mid", "midgland", "lateral", "medial"])  # of a core of the prostate
OTHER = frozenset(["one", "another", "other", "second"])
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
BESIDE = INTO | {"at", "near", "more"}
LARGER = frozenset(["larger", "largest", "bigger", "biggest", "dominant", "each"])


@dataclass(frozen=True, slots=True)
class Element:
    """One word or phrase of place: a named place, or a side, rows or cols word. ``first`` and ``last`` are
    word indices."""

    place: Place | None
    field: str  # place, side, rows, cols
    value: str
    first: int
    last: int
    own: bool = False  # inside the name of a finding ("breast" of "breast mass")


@dataclass(frozen=True, slots=True)
class Spot:
    """One place put together. ``side`` and ``cols`` are resolved; ``places`` keeps the parts for later
    rules."""

    side: str | None = None
    rows: tuple[str, ...] = ()
    cols: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    spans: tuple[Span, ...] = ()
    side_frame: Frame = "patient"
    heads: tuple[Span, ...] = ()  # words of each of ``places``

    @property
    def empty(self) -> bool:
        """True when nothing was said of the place."""
        return not (self.side or self.rows or self.cols or self.places)


def elements(
    places: Iterable[Hit[Place]], words: Iterable[Hit[Descriptor]], named: frozenset[int] = frozenset()
) -> tuple[Element, ...]:
    """Words of place in text order. A side or row word that is part of a named place is that place's.

    ``named``: indices of the words that name findings.
    """
    found = [
        Element(hit.value, "place", hit.value.name, hit.first, hit.last, hit.first in named) for hit in places
    ]
    found = [e for e in found if not (e.own and e.value in DIRECTIONS)]  # "posterior shadowing"
    taken = {i for e in found for i in range(e.first, e.last)}
    for hit in words:
        if (
            hit.value.field in ("side", "rows", "cols")
            and hit.value.value
            and not taken & set(range(hit.first, hit.last))
        ):
            found.append(Element(None, hit.value.field, hit.value.value, hit.first, hit.last))
    return tuple(sorted(found, key=lambda e: e.first))


def side_of(element: Element) -> str | None:
    """The side that a word of place tells; None where it only follows from the body."""
    if element.place is not None:
        return None if element.place.implied else element.place.side
    return element.value if element.field == "side" else None


def _groups(found: Sequence[Element], words: Words) -> list[list[Element]]:
    """Words of place that belong together: "left lower lobe and right apex" gives two groups."""
    groups: list[list[Element]] = []
    for element in found:
        group = groups[-1] if groups else None
        if group is None or not _new_group(group, element, words):
            groups[-1:] = [[*(group or []), element]]
            continue
        pulled: list[Element] = []
        while (
            len(group) > 1
            and group[-1].field == "rows"
            and group[-1].last == (pulled[0] if pulled else element).first
        ):
            pulled.insert(0, group.pop())
        groups.append([*pulled, element])
    return groups


def _new_group(group: Sequence[Element], element: Element, words: Words) -> bool:
    between = words.norms[group[-1].last : element.first]
    if _is_hour(element) and _is_hour(group[-1]):
        return bool({"and", "&", ","} & set(between))
    sided = [s for s in map(side_of, group) if s]
    side = side_of(element)
    if side and sided:
        return not (element.place is not None and element.place.side in sided)
    if side and any(e.place for e in group):
        return bool(JOINTS & set(between)) and not INTO & set(between[:2])
    return False


def _is_hour(element: Element) -> bool:
    return element.place is not None and element.place.name.endswith("o'clock") and bool(element.place.cols)


def _spot(group: Sequence[Element], words: Words, viewer: bool, organ_frame: Frame) -> Spot:
    if viewer:  # the "upper" of an upper back is the body's
        group = [e for e in group if e.field not in ("rows", "cols") or not _of_body(e, words.norms)]
    places = tuple(_as_place(e, words) for e in group if e.place is not None)
    told = [e for e in group if e.place is not None and not e.own]
    paired = any(_paired(_as_place(e, words)) for e in told)
    rows = {row for p in places for row in p.rows}
    vague = VAGUE if rows else frozenset()  # "inferior" beside a lobe tells a part of the lobe
    rows |= {e.value for e in group if e.field == "rows" and words.norms[e.first] not in vague}
    cols = {c for p in places for c in p.cols}
    sides = {s for s in (side_of(e) for e in group if e.place is not None) if s}
    by_page = _on_page(group, words)
    for e in (e for e in group if e.field == "side"):
        beside = _beside_organ(e, group, words)
        own = _whose(words, e.first) == "patient"
        if e.value == "bilateral" and not by_page and words.norms[e.first] != "symmetric":
            sides.add(e.value)
        elif ((viewer and not paired and not beside) or (by_page and not beside)) and not own:
            cols |= {e.value} & set(SIDE_WORDS) or ({"centre"} if e.value == "midline" else set())
        else:
            sides.add(e.value)
    if (viewer and not paired) or by_page:
        cols |= {e.value for e in group if e.field == "cols"}
        rows |= {"middle"} if _middle(group) else set()
    spans = tuple(words.span(e.first, e.last) for e in group)
    side = "bilateral" if len(sides) > 1 else next(iter(sides), None)
    heads = tuple(words.span(e.first, e.last) for e in group if e.place is not None)
    side_frame: Frame = organ_frame if side else "patient"
    return Spot(side, _order(rows, ROWS), _order(cols, COLS), places, spans, side_frame, heads)


def _paired(place: Place) -> bool:
    return place.of != "image" and (place.name in paired() or place.of in paired())


def _beside_organ(side: Element, group: Sequence[Element], words: Words) -> bool:
    """True where the word of side belongs to a paired organ: "left breast", "left upper breast", "breast,
    left"."""
    after = words.norms[side.last : side.last + 1]
    if words.norms[side.last : side.last + 2] == ("lateral", "wall"):
        return True  # of a hollow organ
    if after in (("lobe",), ("fundus",)) or (side.first == 0 and after in ((":",), ())):
        return True  # of the thyroid or the liver, or a heading ("RIGHT: ..."): no part of the picture
    if _on_skin(side, words.norms) or _of_sample(side.first, words.norms):
        return True
    if any(e.place and e.place.name.endswith("o'clock") and e.first == side.last for e in group):
        return not any(_is_hour(e) for e in group)  # "R 10 o'clock" of a breast
    near = {i for e in group if e.field in ("rows", "cols") for i in range(e.first, e.last)}
    for e in group:
        if e.place is None or not (_paired(e.place) or e.place.name in EYE):
            continue
        between = range(side.last, e.first) if e.first >= side.last else range(e.last, side.first)
        if all(i in near or (words.norms[i] == "," and not e.own) for i in between):
            return e.first >= side.last or not e.own
    return False


def _of_body(element: Element, norms: Sequence[str]) -> bool:
    return _on_skin(element, norms) or (element.first > 0 and _of_sample(element.first - 1, norms))


def _of_sample(at: int, norms: Sequence[str]) -> bool:
    """True for the side at ``at`` that tells where a core of tissue was taken: "Left apex: ..."."""
    end = at + 1
    while tuple(norms[end : end + 1]) and norms[end] in SAMPLED:
        end += 1
    return at <= 2 and norms[at] in SIDE_WORDS and end > at + 1 and tuple(norms[end : end + 1]) == (":",)


def _on_skin(element: Element, norms: Sequence[str]) -> bool:
    """True for the side or height of a part of the body's surface: "left temple", "left lower eyelid", "the
    right side of the neck", "upper chest"."""
    at = element.last + (tuple(norms[element.last : element.last + 1]) in (("side",), ("part",), ("third",)))
    at = at + 2 if tuple(norms[at : at + 2]) == ("of", "the") else element.last
    at += norms[at : at + 1] != () and norms[at] in BESIDE_SITES
    return norms[at : at + 1] != () and norms[at] in word_list("body_sites")


def _whose(words: Words, at: int) -> str:
    """Of whom a word of side is said to be: the image of "at the image's left", "" where nobody is named."""
    raw = words.tokens[at - 1].raw.lower() if at else ""
    return words.norms[at - 1] if raw.endswith(("'s", "’s")) else ""


def _on_page(group: Sequence[Element], words: Words) -> bool:
    """True where the words speak of the picture and not of a body: "left of the image", "top left", "lower
    right corner"."""
    norms = words.norms
    loose = [e for e in group if e.field in ("side", "rows", "cols")]
    if not loose:
        return False
    if _whose(words, min(e.first for e in loose)) in VIEWERS:
        return True
    last = max(e.last for e in loose)
    at = last + 1 if norms[last : last + 1] and norms[last] in PARTS else last
    if norms[at : at + 1] and norms[at] in LINKS:
        after = norms[at + 1 : at + 4]
        if PICTURE & set(after[:2]) or (after[:1] == ("the",) and PICTURE & set(after[1:2])):
            return True
    if norms[last : last + 1] == ("corner",):
        return True
    pairs = [
        (a, b)
        for a in loose
        for b in loose
        if a.field == "rows" and b.field in ("side", "cols") and a.last == b.first
    ]
    first_words = {norms[a.first] for a, _ in pairs}
    free = all(norms[b.last : b.last + 1] not in (("lung",), ("lobe",), ("zone",)) for _, b in pairs)
    return bool(PAGE & first_words) or (bool({"middle"} & first_words) and free)


def _as_place(element: Element, words: Words) -> Place:
    """The place, or only its name where it tells what was imaged ("liver CT", "breast ultrasound image")."""
    place = element.place or Place("")
    after = words.norms[element.last : element.last + 2]
    if DEVICES & set(after) and after[:1] != (":",):  # "RIGHT EYE: image quality adequate"
        return Place(place.name, of="image")
    return place


def _middle(group: Sequence[Element]) -> bool:
    """True where "centre" stands alone and so tells the row too; in "top centre" it tells only the column."""
    edges = {i for e in group if e.field == "rows" for i in (e.first, e.last)}
    return any(e.value == "centre" and not {e.first, e.last} & edges for e in group if e.field == "cols")


def _order(values: Iterable[str], vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    chosen = set(values)
    return tuple(v for v in vocabulary if v in chosen)


def _join(spots: Sequence[Spot]) -> Spot:
    out = spots[0]
    for spot in spots[1:]:
        out = Spot(
            out.side or spot.side,
            _order((*out.rows, *spot.rows), ROWS),
            _order((*out.cols, *spot.cols), COLS),
            (*out.places, *spot.places),
            (*out.spans, *spot.spans),
            out.side_frame if out.side else spot.side_frame,
            (*out.heads, *spot.heads),
        )
    return out


def spots(found: Sequence[Element], words: Words, frame: Frame, by_flag: bool) -> tuple[Spot, ...]:
    """The places of one finding: mostly one, two where left and right differ ("left lower lobe and right
    apex").

    ``by_flag``: the viewer's frame was asked for in words, so that even "left lung" means the picture's left.
    """
    for i in range(1, len(found)):  # "a polyp at the top left and another one at the lower right"
        between = words.norms[found[i - 1].last : found[i].first]
        a_larger = any(two[0] in ("a", "another") and two[1] in LARGER for two in pairwise(between))
        whole = {"bilateral", *(() if a_larger else LARGER)} & {*(e.value for e in found[:i]), *between}
        led = words.norms[max(0, found[i - 1].first - 4) : found[i - 1].first]
        noun = between[:1] == ("one",) and {"a", "an"} & {*led}  # "a periventricular one on the left"
        if (OTHER & set(between) or counted_again(between)) and not (whole or noun):
            first = spots(found[:i], words, frame, by_flag)
            rest = spots(found[i:], words, frame, by_flag)
            return _each(first, rest, between)
    viewer = frame == "viewer"
    organ_frame: Frame = "viewer" if viewer and by_flag else "patient"
    all_spots = [_spot(group, words, viewer, organ_frame) for group in _groups(found, words)]
    if not all_spots:
        return ()
    if len(all_spots) == sum(map(_is_hour, found)) > 1:  # "polyps at 2 and 7 o'clock"
        return tuple(all_spots)
    loose = [s for s in all_spots if s.side is None]
    both = [s for s in all_spots if s.side in ("bilateral", "midline")]
    by_side = {side: [s for s in all_spots if s.side == side] for side in SIDE_WORDS}
    left, right = (_join(by_side[side]) if by_side[side] else None for side in SIDE_WORDS)
    if left and right:
        if _differ(left, right) or _each_led(found, words):
            return tuple(sorted((left, right), key=lambda s: s.spans))
        return (replace(_join([*both, right, left, *loose]), side="bilateral"),)
    one = left or right
    if both and one and one.rows and one.rows != _join(both).rows and _join(both).rows:
        return tuple(sorted((_join([*both, *loose]), one), key=lambda s: s.spans))
    if both:
        return (_join([*both, *loose]),)
    return (_join([one, *loose]) if one else _join(loose),)


def _of_organ(spot: Spot, first: Sequence[Spot]) -> Spot:
    """A mere side with the paired organ told before: the "left" of "two cysts in the right kidney and one in
    the left"."""
    organs = tuple(
        p for one in first[-1:] for p in one.places if p.side is None and not p.rows and _paired(p)
    )
    bare = spot.side in SIDE_WORDS and not spot.places and not spot.rows
    return replace(spot, places=organs[:1]) if bare else spot


def _each(first: tuple[Spot, ...], rest: tuple[Spot, ...], between: Sequence[str]) -> tuple[Spot, ...]:
    """The places of several things of one name; ``between``: the words between the first two places."""
    if len(rest) > 1 and len(first) == 1 and _tells_each(between):
        return tuple(s if s.side or s.cols else replace(s, side=first[0].side) for s in rest)
    return (*first, *(_of_organ(spot, first) for spot in rest))


def _tells_each(between: Sequence[str]) -> bool:
    """True for the words before the first of a list that tells each thing: "two drains on the left, one at
    the apex and one at the base" are two, not three."""
    at = next((i for i, norm in enumerate(between) if norm == "one"), 0)
    return at > 0 and between[at - 1] in (",", ":", ";", "-", "(")


def counted_again(between: Sequence[str]) -> tuple[int, int] | None:
    """(index, number) of a number that stands for more of a finding between two of its places: the "three" of
    "two nodules on the left and three on the right", the "another" of "and another at the base"."""
    for i, norm in enumerate(between):
        if norm in ("another", "second") and "the" not in between[max(0, i - 1) : i]:
            return i, 1
        number = NUMBERS.index(norm) + 1 if norm in NUMBERS else int(norm) if norm.isdecimal() else 0
        led = bool({"and", ",", "plus", "with", "&"} & set(between[:i]))
        if 0 < number < 100 and led and (not between[i + 1 :] or between[i + 1] in BESIDE):
            return i, number
    return None


def _each_led(found: Sequence[Element], words: Words) -> bool:
    """True for two sides of which the first stands alone, each with a preposition of its own: "on the left
    and at the right base". The zone is then that of the second one."""
    if len(found) < 3 or not all(e.field == "side" or e.place or e.field == "rows" for e in found):
        return False
    bare = found[0]
    between = words.norms[bare.last : found[1].first]
    before = [n for n in words.norms[max(0, bare.first - 2) : bare.first] if n != "the"]
    alone = before[-1:] == ["on"] or words.norms[bare.last - 1] in ("sided", "side")
    led = between[:1] == ("and",) and bool({"on", "at", "in"} & {*between[1:2]})
    return bare.field == "side" and bare.value in SIDE_WORDS and alone and led


def _differ(left: Spot, right: Spot) -> bool:
    if left.rows != right.rows:
        return bool(left.rows or left.places) and bool(right.rows or right.places)
    names = {p.name for p in left.places}, {p.name for p in right.places}
    return bool(names[0] and names[1] and names[0] != names[1])


def location(spot: Spot, own: str, frame: Frame) -> Location:
    """The place as the value that leaves this package. ``own`` is the concept itself: no place of its own,
    no implied side."""
    places = tuple(p for p in spot.places if p.name != own)
    side = spot.side
    if side is None and frame == "patient":
        implied = {p.side for p in places if p.implied and p.side and p.of != own}
        side = implied.pop() if len(implied) == 1 else None
    names = tuple(dict.fromkeys(_named(p, spot.side) for p in places))
    cols = spot.cols
    return Location(side, spot.side_frame, spot.rows, cols, names, tuple(dict.fromkeys(spot.spans)))


def _named(place: Place, side: str | None) -> str:
    if (
        side in SIDE_WORDS
        and (place.of in paired() or place.name in paired())
        and not place.name.startswith((*SIDE_WORDS, "both"))
    ):
        return f"{side} {place.name}"
    return place.name
