"""Which words of a sentence speak of which of its findings."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from medsegr.report.builds import Candidate
from medsegr.report.clauses import IN_FRONT, SIZES
from medsegr.report.holding import HEALTHY
from medsegr.report.lexicon import word_list
from medsegr.report.match import Words
from medsegr.report.naming import TISSUES
from medsegr.report.side import SIDE_WORDS

EXPLAINING = (
    *("in keeping with", "consistent with", "compatible with", "representing", "diagnostic of"),
    *("represent", "corresponding to", "correspond to", "typical of", "typical for", "characteristic of"),
    *("is likely", "are likely", "is probably", "are probably", "i e", "="),
)
DOUBTING = (
    *("likely", "probably", "possibly", "presumably", "suspicious for", "suspicious of", "suggestive of"),
    *("concerning for", "worrisome for"),
)
APPOSING = frozenset(["-", "\u2013", "\u2014", ":"])  # before what a finding is
GRADE = "birads category"  # stands beside a finding, whose place and size are not its own
ARTICLES = frozenset(["a", "an"])
LEADING = frozenset(["on", "in", "at", "the", "side"])
CLOSING = frozenset([",", ";", ".", ":"])
EDGES = frozenset(["margin", "border", "edge", "contour", "outline", "rim", "surface", "stalk", "center"])
TELLING = frozenset(
    [
        *("a", "an", "the", "acute", "chronic", "recent", "old", "known", "benign", "active"),
        *("resolving", "healing", "established", "simple"),
    ]
)
PLACING = frozenset([",", "and", "but", "while", "wherea", "however"])  # before a place of its own
EQUAL = frozenset(["=", "-", "\u2013", "\u2014"])
ANEW = frozenset(["no", "there", "only"])
PARTING = frozenset(["without", "no"])  # what is said before is not of what is denied behind
OF_SIDED = tuple((*of, side) for of in (("of",), ("of", "the")) for side in SIDE_WORDS)  # "loosening of the
# left hip prosthesis": the left is that of what is named behind it
BOTH = frozenset(["both", "bilateral", "bilaterally"])
CAUSING = frozenset(["cause", "causes", "causing", "producing", "resulting"])
MOST_DOUBT = 5  # words of a doubt behind a semicolon
LISTING = frozenset([",", "and", "or", "/", "&"])
LOBES = frozenset(["rul", "rml", "rll", "lul", "lll"])
BRACKETS = frozenset(["(", ")"])  # what they hold is said beside a statement and ends none


def regions(
    named: Sequence[Candidate], words: Words, starts: tuple[int, ...], placed: frozenset[int]
) -> tuple[Candidate, ...]:
    """The candidates of a sentence, each with the stretch of words that speaks of it and with whether it is
    coordinated with the one before it. ``starts``: indices of the words with which clauses begin; ``placed``:
    indices of words of place."""
    grades = [replace(c, region=(c.first, c.last)) for c in named if c.concept.name == GRADE]
    if grades:
        rest = regions([c for c in named if c.concept.name != GRADE], words, starts, placed)
        return tuple(sorted((*rest, *grades), key=lambda c: (c.first, c.last)))
    out = []
    begin, joined = 0, False
    if named and words.norms[named[0].first : named[0].last] in (("left",), ("right",)):
        begin = max(
            s for s in starts if s <= named[0].first
        )  # a side alone stands for it: "the right is blunted"
    if named:
        begin = max(begin, _behind_healthy(named[0].first, words, starts, placed))
        begin = max(begin, _where(0, named[0].first, words, placed))
    for i, item in enumerate(named):
        if i + 1 == len(named):
            out.append(Candidate(item.concept, item.parts, (begin, len(words.norms)), joined))
            break
        split = _split(item, named[i + 1], words, starts, placed)
        split = _where(item.last, named[i + 1].first, words, placed) or split
        split = _to_other(item, named[i + 1], words) or split
        out.append(Candidate(item.concept, item.parts, (begin, split), joined))
        joined = _are_joined(item, named[i + 1], words, starts)
        begin = begin if _excepts(item, named[i + 1], words) else split
    return tuple(out)


def _to_other(item: Candidate, after: Candidate, words: Words) -> int:
    """First word of the second organ of "the liver and both kidneys are enlarged"; 0 for no such pair."""
    if len(item.parts) == 1 or len(after.parts) == 1 or max(item.parts) != max(after.parts):
        return 0
    low, high = min(item.parts)[1], min(after.parts)[0]
    return next((i + 1 for i in range(low, high) if words.norms[i] in LISTING), high)


def _where(low: int, high: int, words: Words, placed: frozenset[int]) -> int:
    """First word of the side at which something is said to be: the "on" of "0.5 on the right and 0.8 on the
    left, where there is a haemorrhage"; 0 where there is none between ``low`` and ``high``."""
    norms = words.norms
    at = next((i for i in reversed(range(low, high)) if norms[i] == "where"), None)
    if at is None or {";", "."} & {*norms[at:high]} or not {"is", "are", "a", "an"} & {*norms[at:high]}:
        return 0
    last = at - (norms[at - 1 : at] == (",",))
    first = last
    while first > low and (first - 1 in placed or norms[first - 1] in LEADING):
        first -= 1
    return first if {*SIDE_WORDS} & {*norms[first:last]} else 0


def _excepts(item: Candidate, after: Candidate, words: Words) -> bool:
    """True for a finding that is all that spoils a statement of health, and lies where that is told of: "the
    left lung is clear except for a small nodule"."""
    norms = words.norms
    between = norms[item.last : after.first]
    end = next((i for i in range(after.last, len(norms)) if norms[i] in CLOSING), len(norms))
    if item.concept.kind != "statement" or {*SIDE_WORDS, *LOBES} & {*norms[item.last : end]}:
        return False  # "the right lung is clear apart from an effusion on the left"
    return any(between[i : i + len(e)] == e for e in IN_FRONT for i in range(len(between)))


def _behind_healthy(first: int, words: Words, starts: tuple[int, ...], placed: frozenset[int]) -> int:
    """Index of the clause of the first finding, where it begins anew behind one that tells only health: "the
    left lung is clear and there is an effusion", "the right side is normal but a left effusion is seen"."""
    norms = words.norms
    begin = max(s for s in starts if s <= first)
    before = {*norms[:begin]}
    if not {"is", "are", "show", "appear"} & before:
        return 0
    healthy = (HEALTHY | {"absent"}) & before
    anew = (
        bool(healthy)
        and norms[begin : begin + 2] in (("there", "is"), ("there", "are"))
        and bool({"absent", "clear"} & before)
    )
    sides = ({norms[i] for i in placed if low <= i < high} for low, high in ((0, begin), (begin, len(norms))))
    told, here = ({*SIDE_WORDS} & side for side in sides)
    return begin if anew or (told and here and not told & here) else 0


def _split(
    one: Candidate, two: Candidate, words: Words, starts: tuple[int, ...], placed: frozenset[int]
) -> int:
    """Index of the word with which the words of the second candidate begin. ``placed``: indices of words of
    place."""
    end, begin = one.last, two.first
    if begin <= end:
        return min(end, len(words.norms))
    between = range(one.last, two.first)
    own = _named_at(begin, end, words, placed)
    if own is None and words.norms[end:begin] in OF_SIDED:
        own = begin - 1
    commas = [i + 1 for i in between if words.norms[i] == "," and _is_numbered(one, words)]
    if own is not None or commas:
        return commas[-1] if own is None else own
    inner = [s for s in starts if end <= s <= begin and not _is_behind(s, begin, words)] + [
        _parts_at(i, end, words, placed) for i in between if words.norms[i] in PARTING
    ]
    last = max(inner, default=0)
    if inner and (beside := _beside_at(last, begin, words, placed)) is not None:
        return beside
    if inner:
        return _behind_edge(_with_place(max(inner), end, words, placed), begin, words)
    marks = [
        i for i in between if words.norms[i] in word_list("joiners") or words.norms[i] in word_list("verbs")
    ]
    if marks and (told := _told_of(marks, begin, words)) is not None:
        return told
    marks += [i for i in between if words.norms[i] == "by" and words.norms[i + 1] in ("a", "an", "the")]
    marks = _apart(sorted(marks), two, words, placed)
    if marks:
        return _with_place(marks[-1] + 1, end, words, placed)
    if all(words.norms[i] not in word_list("prepositions") for i in between):
        return one.last
    return _phrase_at(between, begin, words, placed)


def _is_numbered(item: Candidate, words: Words) -> bool:
    """True for the nodule of "Nodule 1: right, 21 mm, solid, echogenic foci": the size is not the foci's."""
    number = words.norms[item.last : item.last + 2]
    return item.first <= 1 and len(number) > 1 and number[0].isdecimal() and number[1] in (":", ".", ")", "-")


def _is_behind(start: int, begin: int, words: Words) -> bool:
    """True for a clause that only tells the place of the first finding: "an opacity behind the heart on the
    left, effusion"."""
    return words.norms[start] == "behind" and "," in words.norms[start:begin]


def _beside_at(last: int, begin: int, words: Words, placed: frozenset[int]) -> int | None:
    """Index behind the "with" of what is beside the first candidate, of which a clause begun at ``last``
    goes on: "moderate on the left and small on the right, with atelectasis", "the largest, on the right,
    measures 9 mm with surrounding oedema"; None for none."""
    behind = [i for i in range(last + 1, begin) if words.norms[i] == "with"]
    if words.norms[last] in SIZES:
        behind = [i for i in behind if placed & {*range(last, i)}]
    elif words.norms[last] != "measure":
        return None
    return behind[-1] + 1 if behind else None


def _apart(marks: list[int], two: Candidate, words: Words, placed: frozenset[int]) -> list[int]:
    """The marks but those that join two places or two looks of the second candidate."""
    marks = list(marks)
    while len(marks) > 1 and {marks[-1] - 1, marks[-1] + 1} <= placed and words.norms[marks[-1]] != "with":
        if any(words.norms[i] in word_list("prepositions") for i in range(marks[-2], marks[-1])):
            break
        marks.pop()  # "with left apical and right basilar disease": the "and" joins two places of the second
    if len(marks) > 1 and marks[-1] + 1 == two.first and words.norms[marks[-1] - 1] in TISSUES:
        marks.pop()  # "and diffuse interstitial and alveolar opacities"
    return marks


def _phrase_at(between: range, begin: int, words: Words, placed: frozenset[int]) -> int:
    """Index of the article with which the second name begins behind a preposition, its look between the two:
    "arises in a brown naevus"; else that of the name."""
    at = next((i for i in reversed(between) if words.norms[i] in ARTICLES), begin)
    told = range(at, begin)
    plain = placed.isdisjoint(told) and all(words.norms[i] not in word_list("prepositions") for i in told)
    return at if plain else begin


def _told_of(marks: Sequence[int], begin: int, words: Words) -> int | None:
    """Index of the first of several words that tell where the second one is: "a carcinoma with nodal, pleural
    and hepatic metastases"; None where no such list stands behind a "with"."""
    last = next((i for i in reversed(marks) if words.norms[i] == "with"), None)
    if last is None or last == marks[-1] or begin - last > 12:
        return None
    told = [norm not in LISTING for norm in words.norms[last + 1 : begin]]
    single = all(not (one and two) for one, two in pairwise(told))
    plain = not (word_list("prepositions") | word_list("verbs")) & {*words.norms[last + 1 : begin]}
    return last + 1 if single and plain and told[:1] == [True] else None


def _named_at(begin: int, end: int, words: Words, placed: frozenset[int]) -> int | None:
    """Index of the words of place right before a name behind a comma, if they tell the other side: "is now
    12 mm, right lower lobe nodule"; None for none."""
    at = begin
    while at - 1 >= end and at - 1 in placed:
        at -= 1
    told = {words.norms[i] for i in placed if i < at} & {*SIDE_WORDS}
    here = {*words.norms[at:begin]} & {*SIDE_WORDS}
    if here and at > end and words.norms[at - 1] in EQUAL:
        return at  # "lung point at the 5th space = left pneumothorax"
    led = at > end and words.norms[at - 1] in PLACING
    if led and words.norms[at - 1] == "and" and at - 2 in placed:
        return None  # "left apical and right basilar disease" is at both
    return at if led and told and here and not told & here else None


def _with_place(start: int, end: int, words: Words, placed: frozenset[int]) -> int:
    """Index of the first word of a statement, its place on the other side included: "consolidation at the
    left base, the right base only atelectasis", "... and on the right no effusion"."""
    norms = words.norms
    for edge in range(start - 1, end - 1, -1):
        if norms[edge] not in PLACING:
            continue
        led = norms[edge + 1] in ("on", "in", "at")
        first = edge + 1 + led
        first += norms[first : first + 1] == ("the",)
        told = {norms[i] for i in placed if i < edge} & {*SIDE_WORDS}
        both = led and bool(BOTH & {*norms[:edge]})  # "effusion on both sides, on the left with atelectasis"
        if first >= start or first not in placed or norms[first] not in {*SIDE_WORDS} - told:
            continue
        both = both and norms[start - 1] == "with" and all(i in placed for i in range(first, start - 1))
        if not told and not both:
            continue
        behind = next((i for i in range(first, len(norms)) if i not in placed and norms[i] != "side"), start)
        tells = norms[behind : behind + 1] and (norms[behind] in ANEW or norms[behind] in word_list("verbs"))
        if tells or both or (norms[edge] == "," and "," not in norms[edge + 1 : start]):
            return edge + 1
    return start


def _behind_edge(start: int, begin: int, words: Words) -> int:
    """Index of the first word of the second candidate, where a clause begins with the look of the first one:
    "a nodule with an irregular border and satellite lesions"."""
    joints = [i for i in range(start, begin) if words.norms[i] == "and"]
    return joints[-1] + 1 if joints and EDGES & set(words.norms[start : joints[-1]]) else start


def _parts_at(denier: int, end: int, words: Words, placed: frozenset[int]) -> int:
    """Index of the word with which what is denied begins: behind the denier, or at a place of its own before
    it ("drusen in the right eye, left eye without drusen")."""
    commas = [i for i in range(end, denier) if words.norms[i] in (",", ";", "while")]
    own = commas and placed & {*range(end, commas[-1])} and placed & {*range(commas[-1], denier)}
    return commas[-1] + 1 if own else denier + 1


def _are_joined(one: Candidate, two: Candidate, words: Words, starts: tuple[int, ...]) -> bool:
    end, begin = one.last, two.first
    between = words.norms[end:begin]
    hard = any(end < s <= begin and words.norms[s - 1] not in BRACKETS for s in starts)
    if len(between) <= 24 and not {".", ";"} & {*between} and explains(between):
        return True
    doubted = " ".join(between).endswith(DOUBTING)
    doubted = doubted or (between[-1:] == ("query",) and _asks_of(one, between, words))
    apart = ";" in between[:-MOST_DOUBT] or "." in between  # "a filling defect; highly suspicious of TCC"
    if len(between) <= 24 and doubted and not apart:
        return True
    ended = words.norms[two.last :] in ((), (".",))
    if ended and between and between[-1] in APPOSING and len(between) <= 24 and "no" not in between:
        return True  # "lucencies in the right lung - interstitial emphysema."
    if not hard and CAUSING & {*between} and len(between) <= 12:
        return True
    most = 20 if "with" in between[-3:] else 12
    return not hard and len(between) <= most and bool(word_list("joiners") & set(between))


def _asks_of(one: Candidate, between: Sequence[str], words: Words) -> bool:
    """True where what is asked is what a thing may be: "bulge in the ileum - ?GIST ?compression"."""
    again = len(between) == 1 and one.first > 0 and words.norms[one.first - 1] == "query"
    return again or not one.concept.drawable or between[-2:-1] in (("(",), *((mark,) for mark in EQUAL))


def explains(between: Sequence[str]) -> bool:
    """True for the words between a sign and its meaning: "shadowing at the base, in keeping with"."""
    told = list(between)
    while told and (told[-1] in ("mm", "cm", "x") or told[-1][0].isdecimal()):
        told.pop()  # "corresponds to a 15 mm polyp"
    if told[-1:] and told[-1] in ARTICLES:
        told.pop()
    if told[-2:-1] and told[-2] in ARTICLES:  # "represents an inflamed cyst"
        told.pop()
    while told and told[-1] in TELLING:
        told.pop()
    return " ".join(told).endswith(EXPLAINING)
