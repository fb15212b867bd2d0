"""Concepts said in several words of one clause: "the heart ... is enlarged"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from medsegr.report import lexicon
from medsegr.report.lexicon import Build, Concept, Terms
from medsegr.report.lexicon.entries import terms
from medsegr.report.match import Words, longest

OF_OTHERS = tuple((by, a) for by in ("by", "with", "and", ",") for a in ("a", "an"))
MEASURES = frozenset(["cm", "mm", "x", "ml", "measure", "measuring"])
BIG = frozenset(["large", "enlarged", "big", "prominent", "small", "dilated", "massive", "larger"])
SIDES = frozenset(["left", "right", "bilateral", "sided"])
INTACT = ("intact",)
SOUND = frozenset(  # said of what is not torn, of what holds no thrombus
    [
        INTACT,
        ("compressible",),
        ("fully", "compressible"),
        *(("compress", how) for how in ("fully", "normally", "completely", "well")),
    ]
)
THINGS = frozenset(  # that a look told right before them is the look of: "bright foci through the liver"
    ["focus", "lesion", "spot", "dot", "area", "nodule", "band", "line", "structure", "region", "rim", "line"]
)
JOINING = frozenset(["and", "or", "both", "the", "&", "also", *SIDES])  # organs of one look
HEALTHY = frozenset(["normal", "unremarkable"])
INTO = frozenset(["of", "in", "on", "at"])
NEXT = frozenset(  # organs that a report names one after the other
    [
        *("liver", "spleen", "gallbladder", "pancrea", "kidney", "heart", "aorta"),
        *("uterus", "ovary", "prostate", "bladder", "thyroid", "stomach", "bowel"),
        *("adrenal", "ureter", "mediastinum", "lung", "trachea", "colon", "cbd"),
    ]
)
DENYING = frozenset(["not", "non", "no", "without"])
POORLY = frozenset(  # told of what should be filled: "the sigmoid is poorly distended"
    [
        *("poorly", "under", "inadequately", "incompletely", "suboptimally", "insufficiently", "adequately"),
        *("well", "poor", "non", "incomplete", "inadequate", "suboptimal"),
    ]
)
FILLED = frozenset(["distended", "expanded", "filled"])


@dataclass(frozen=True, slots=True)
class Candidate:
    """A concept named in a sentence. ``parts``: pairs of first and last word index; ``region``: the words
    that speak of it."""

    concept: Concept
    parts: tuple[tuple[int, int], ...]
    region: tuple[int, int] = (0, 0)
    joined: bool = False  # coordinated with the candidate before it ("atelectasis or scarring")

    @property
    def first(self) -> int:
        """Index of the first word."""
        return self.parts[0][0] if len(self.parts) == 1 else min(part[0] for part in self.parts)

    @property
    def last(self) -> int:
        """Index behind the last word."""
        return self.parts[0][1] if len(self.parts) == 1 else max(part[1] for part in self.parts)


def whole(parts: Sequence[tuple[int, int]], norms: Sequence[str]) -> tuple[int, int] | None:
    """The "intact" by which a tear is denied ("the PCL is intact"), the "compress fully" by which a thrombus
    is, as first and last word; None for none."""
    said = (part for part in parts if len(parts) > 1 and tuple(norms[slice(*part)]) in SOUND)
    return next(said, None)


@cache
def _part_tries() -> tuple[tuple[Build, tuple[Terms[bool], ...], frozenset[str]], ...]:
    """Each build with the tables of its two parts, and the words that the second part may begin with."""
    made = []
    for build in lexicon.builds():
        heads, tails = (terms((words, True) for words in sorted(part)) for part in build.parts)
        made.append((build, (heads, tails), frozenset(tails.tree)))
    return tuple(made)


@cache
def _by_head() -> Mapping[str, tuple[int, ...]]:
    """Word -> the builds, as indices into ``_part_tries``, whose first part may begin with it."""
    found: dict[str, list[int]] = {}
    for i, (_, (heads, _), _) in enumerate(_part_tries()):
        for word in heads.tree:
            found.setdefault(word, []).append(i)
    return MappingProxyType({word: tuple(at) for word, at in found.items()})


def with_builds(named: list[Candidate], words: Words, starts: tuple[int, ...]) -> list[Candidate]:
    """Add concepts said in two places; a narrower one replaces the plain one inside it ("aorta ...
    calcification")."""
    out = list(named)
    present = set(words.norms)
    tries, by_head = _part_tries(), _by_head()
    said = sorted({i for word in present if word in by_head for i in by_head[word]})
    for build, tables, tails in (tries[i] for i in said):
        if present.isdisjoint(tails):
            continue
        pair = _pair(build, tables, words, starts)
        if pair is None:
            continue
        blocking = (c for c in out if c.concept.name in build.unless and not _apart(c, pair, words))
        if any(_clause(c.first, starts) == _clause(pair[0][0], starts) for c in blocking):
            continue
        if _is_listed(build, pair, out, words) or _is_of_other(pair, named, words):
            continue
        if _is_treated(pair, named, words):
            continue
        made = Candidate(lexicon.concepts()[build.name], pair)
        inside = [c for c in out if all(_overlaps(part, pair) for part in c.parts)]
        if any(c.concept.name == build.name or build.name in c.concept.parents for c in inside):
            continue
        low, high = min(pair)[1], max(pair)[0]
        if made.concept.kind == "statement" and any(low <= c.first < high for c in out):
            continue  # "kidneys: right hydronephrosis, left normal": not all of them are
        named_so = any(_covers(c, pair) and not _shares_look(c, pair, words) for c in out)
        if (made.concept.kind == "statement" and inside) or named_so:
            continue  # the "aortic" of an "aortic valve calcification" has its name already
        out = [c for c in out if c not in inside or c.concept.kind != "finding" or not _within(c, pair)]
        out.append(made)
    return sorted(out, key=lambda c: (c.first, c.last))


def _clause(at: int, starts: tuple[int, ...]) -> int:
    """Index of the word with which the clause of a word begins."""
    return max(s for s in starts if s <= at)


def _parted(norms: tuple[str, ...], at: tuple[int, int, int, int], turned: bool, build: Build) -> bool:
    """True where a comma parts an organ from what is told of another one: "liver enlarged, spleen normal,
    cyst of the kidney", "kidneys normal, enlarged prostate", "screws intact, fracture united".

    ``at``: first and last word of the first part and of the second; ``turned``: the look
    stands before the organ.
    """
    first, last, begin, end = at
    between = norms[last:begin]
    behind = {*between[len(between) - between[::-1].index(",") :]}
    if build.name == "broken device" or not turned:
        return build.name == "broken device" or bool(NEXT & {*behind, *norms[end : end + 1]})
    start = next((i + 1 for i in reversed(range(first)) if norms[i] in (",", ";", ".", ":")), 0)
    return bool(INTO & behind) or bool(NEXT & {*norms[start:first]})


def _is_treated(pair: tuple[tuple[int, int], ...], named: Sequence[Candidate], words: Words) -> bool:
    """True for the "dilated" of "a stricture of the sigmoid, dilated to 15 mm": that is what was done."""
    last = max(part[1] for part in pair)
    done = words.norms[last - 1] == "dilated" and words.norms[last : last + 1] in (
        ("to",),
        ("with",),
        ("using",),
    )
    return done and any(c.concept.name == "stenosis" and c.last < last for c in named)


def _is_listed(build: Build, pair: tuple[tuple[int, int], ...], named: list[Candidate], words: Words) -> bool:
    """True for the ribs of "fractures of the clavicle and ribs": places in a list, told apart by their own
    rule."""
    low, high = sorted(pair)
    bases = {rule.base for rule in lexicon.refines() if rule.name == build.name}
    said = any(c.concept.name in bases and _covers(c, (low,)) for c in named)
    return said and bool({"and", ",", "&"} & set(words.norms[low[1] : high[0]]))


def _is_of_other(pair: tuple[tuple[int, int], ...], named: list[Candidate], words: Words) -> bool:
    """True where a size is said before a finding, whose it is: the "large" of "large left effusion displacing
    the heart", the "enlarged" of "enlarged spleen and liver cysts"."""
    low, high = sorted(pair)
    things = [c for c in named if c.concept.kind == "finding" and len(c.parts) == 1]
    between = any(low[1] <= c.first and c.last <= high[0] for c in things)
    inside = any(c.first <= high[0] and high[1] < c.last for c in things)
    behind = words.norms[high[0]] in BIG and "," in words.norms[low[1] : high[0]]
    if behind:  # "heart displaced, large effusion"
        return any(c.first >= high[1] and {*words.norms[high[1] : c.first]} <= SIDES for c in things)
    return words.norms[low[0]] in BIG and (between or inside)


def _apart(other: Candidate, pair: tuple[tuple[int, int], ...], words: Words) -> bool:
    """True where a node is called calcified beside a granuloma: "calcified hilar nodes and granuloma"."""
    if not pair or "calcified" not in {words.norms[part[0]] for part in pair}:
        return False
    first, last = min(p[0] for p in pair), max(p[1] for p in pair)
    if any(words.norms[p[0]] in ("lymph", "node") for p in pair) and words.norms[first] == "calcified":
        return True
    low, high = (last, other.first) if other.first >= last else (other.last, first)
    between = set(words.norms[low:high])
    return bool({"and", ",", "/", "xxxx"} & between) and not {"hilar", "mediastinal", "perihilar"} & between


def _overlaps(part: tuple[int, int], pair: tuple[tuple[int, int], ...]) -> bool:
    return any(part[0] < other[1] and other[0] < part[1] for other in pair)


def _covers(candidate: Candidate, pair: tuple[tuple[int, int], ...]) -> bool:
    return all(candidate.first <= part[0] and part[1] <= candidate.last for part in pair)


def _shares_look(candidate: Candidate, pair: tuple[tuple[int, int], ...], words: Words) -> bool:
    """True for the other organ of "the liver and the spleen are enlarged"."""
    low, high = sorted(pair)
    own = min(candidate.parts)
    between = words.norms[own[1] : low[0]]
    return (
        len(candidate.parts) > 1
        and max(candidate.parts) == high
        and bool(between)
        and {*between} <= JOINING | NEXT | {","}
    )


def _within(candidate: Candidate, pair: tuple[tuple[int, int], ...]) -> bool:
    covered = {i for part in pair for i in range(*part)}
    return all(i in covered for part in candidate.parts for i in range(*part))


def _measures(norm: str) -> bool:
    """True for a word of a size, which parts an organ from no state: "SPLEEN: 14 cm, mildly enlarged"."""
    return norm in MEASURES or norm[0].isdigit()


def _is_empty(at: int, norms: Sequence[str]) -> bool:
    """True for the "distended" of "poorly distended"."""
    return norms[at] in FILLED and bool(POORLY & {*norms[max(0, at - 1) : at]})


def _listed(first: int, last: int, norms: Sequence[str]) -> int:
    """How many words go on from an organ to the last of those that share a look behind them: the four of
    "liver, spleen and both kidneys are enlarged"; 0 for no such list."""
    end = next((i for i in range(first, last) if norms[i] not in JOINING | NEXT | {","}), last)
    return end - first if "and" in norms[first:end] and NEXT & {*norms[first:end]} else 0


def _is_anothers(norms: Sequence[str], between: Sequence[str], last: int, turned: bool) -> bool:
    """True where the look is that of another organ: "liver normal and spleen enlarged", "normal liver and
    enlarged spleen", "enlarged kidneys, liver and spleen normal". ``last``: the word behind both; ``turned``:
    the look stands before the organ."""
    if not turned:
        led = "and" in between and bool(NEXT & {*norms[last : last + 1]})
        return led or bool(HEALTHY & {*between} and NEXT & {*between})
    end = next((i for i in range(last, len(norms)) if norms[i] not in JOINING | NEXT), len(norms))
    end += norms[end : end + 1] in (("is",), ("are",))
    return "," in between and bool(HEALTHY & {*norms[end : end + 1]})


def _pair(
    build: Build, tables: tuple[Terms[bool], ...], words: Words, starts: tuple[int, ...]
) -> tuple[tuple[int, int], ...] | None:
    heads, tails = (longest(words.norms, table) for table in tables)
    tails = tuple(hit for hit in tails if not _is_empty(hit.first, words.norms))
    best: tuple[tuple[int, int], tuple[tuple[int, int], ...]] | None = None
    for head in heads:
        for tail in tails:
            low, high = sorted((head, tail), key=lambda hit: hit.first)
            listed = 0 if tail is low else _listed(low.last, high.first, words.norms)
            between = words.norms[low.last + listed : high.first]
            gap = high.first - low.last if high.first < low.last else sum(not _measures(n) for n in between)
            if not 0 <= gap <= build.window or any(low.last + listed <= s <= high.first for s in starts if s):
                continue
            intact = words.norms[low.first : low.last] == INTACT and gap
            if intact or _is_anothers(words.norms, between, high.last, tail is low):
                continue  # "the tendon is intact with a tear of the ligament"
            if tail is low and words.norms[low.last] in THINGS:
                continue  # "bright foci through the liver"
            if words.norms[high.first - 2 : high.first] in OF_OTHERS:
                continue  # "the heart is shifted by a large effusion"
            if DENYING & {*between, *words.norms[max(0, low.first - 1) : low.first]} and build.name in (
                "calcified granuloma",
                "calcification",
                "nodular calcification",
            ):
                continue
            if "," in between and _parted(
                words.norms, (low.first, low.last, high.first, high.last), tail is low, build
            ):
                continue
            far = gap, high.first - low.last  # of a list the nearest
            if best is None or far < best[0]:
                best = far, ((low.first, low.last), (high.first, high.last))
    return best[1] if best else None
