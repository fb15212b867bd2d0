"""What a sentence claims of each finding: present, absent or uncertain, when, and of whom.

A cue acts on a stretch of words, its scope. A pre cue acts from itself to the end of its clause, a post cue
from the begin of its clause to itself (``clauses``).

Advice ("recommend CT to exclude a mass") states nothing: such a finding is uncertain and not drawable.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from medsegr.findings import Polarity, Span
from medsegr.report.anew import DENIERS
from medsegr.report.clauses import DENIALS, answers, denied_half
from medsegr.report.idle import OPEN_ENDS, acts_back, explained_at, is_meaning, of_them, presumed, qualifies
from medsegr.report.lexicon import Cue, word_list
from medsegr.report.match import Hit, Words
from medsegr.report.treated import since

OPPOSING = frozenset(["not", "discarded", "excluded", "ruled"])
MOST = 60  # words that a cue reaches without a limit of its own
FRONT = 5  # words of a place with which a sentence begins
BEING = frozenset(["is", "are", "was", "were", "does", "do", "did"])
RELATIVE = frozenset(["which", "that", "who"])
STATING = frozenset(["there", "but", "however", "no"])
TAKEN_OUT = frozenset(["removed", "withdrawn", "extracted", "pulled", "out", "discontinued"])
TURNING = frozenset(["but", "although", "though", "however", "yet"])
MEANING = frozenset(["represent", "represents", "reflect", "reflects", "indicate", "indicates", "is", "are"])
LIKELY = frozenset(["likely", "probable", "probably"])
DOUBTS = LIKELY | {"possible", "possibly", "suspected", "questionable"}  # told behind what they doubt
BARE = frozenset([",", "a", "an", "any"])  # beside mere names
NAMING_ENDS = frozenset([",", ";", ".", "and", "or", "but", "with", "given", "which"])
PAST = frozenset(["prior", "operated"])
GONE = frozenset(["resolved", "cleared"])
GONE_BY = frozenset(["prior", "resolved"])
DENYING_TIMES = frozenset(["resolved", "removed"])  # what is told so is not there


@dataclass(frozen=True, slots=True)
class Scope:
    """A cue and the words ``first`` to ``last`` (exclusive) that it acts on; ``span`` are the offsets of
    the cue."""

    cue: Cue
    span: Span
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What is claimed of one finding."""

    polarity: Polarity = "present"
    span: Span | None = None
    time: str = "current"
    whose: Literal["patient", "other"] = "patient"
    advice: bool = False


def scopes(
    words: Words,
    cues: Sequence[Hit[Cue]],
    starts: tuple[int, ...],
    anchors: Sequence[int],
    adjectives: Sequence[Hit[Any]],
) -> tuple[Scope, ...]:
    """Scopes of all cues. ``starts``: where clauses begin; ``anchors``: word indices of findings;
    ``adjectives``: describing words."""
    found = []
    for hit in cues:
        if hit.value.kind in ("stop", "pseudo"):
            continue
        span = words.span(hit.first, hit.last)
        if words.norms[hit.first] == "not" and words.norms[hit.last - 1] == ":" and _follows(words, hit):
            found.append(Scope(hit.value, span, _back(words, hit, starts, anchors), hit.first))
            continue
        if hit.first and words.norms[hit.first] in DENIALS and answers(words.norms, hit.last - 1):
            half = denied_half(words.norms, hit.first - 1)
            first = hit.first - 1 if half else _back(words, hit, starts, anchors)
            found.append(Scope(hit.value, span, first, hit.first))
            continue
        if _means(words, hit, starts, anchors):
            found.append(Scope(hit.value, span, hit.last, _forward(words, hit, starts, adjectives)))
            continue
        if hit.value.direction in ("pre", "both") and not _answered(words, hit, anchors):
            end = _forward(words, hit, starts, adjectives)
            parts = _parts(words, hit, (_meant(words, hit, end), end), anchors)
            found += [Scope(hit.value, span, *part) for part in parts]
        if _begins(words, hit, starts, anchors):
            found.append(Scope(hit.value, span, hit.last, _forward(words, hit, starts, adjectives)))
            continue
        if qualifies(words, hit, anchors):
            found.append(Scope(hit.value, span, hit.last, _forward(words, hit, starts, adjectives)))
            continue
        if hit.value.direction in ("post", "both") and acts_back(words, hit):
            first = max(
                _back(words, _over_list(words, hit), starts, anchors), _said_before(words, hit, cues, starts)
            )
            first = max(first, _doubted(words, hit, cues, anchors), _own_item(words, hit, anchors))
            first = max(first, _last_item(words, hit, anchors))
            first = hit.first - 1 if hit.first and denied_half(words.norms, hit.first - 1) else first
            found.append(Scope(hit.value, span, first, hit.first))
    return tuple(found)


def _follows(words: Words, hit: Hit[Cue]) -> bool:
    """True for the "not seen:" of "pneumothorax not seen: left effusion", said of what stands before it."""
    return hit.first > 0 and words.norms[hit.first - 1] not in (",", ";", ".", ":")


def _begins(words: Words, hit: Hit[Cue], starts: tuple[int, ...], anchors: Sequence[int]) -> bool:
    """True for a denial with its verb in front of what it denies: "it is not observed pleural effusion"."""
    denies = hit.value.kind == "negation" and hit.value.direction == "post"
    said = {*words.norms[hit.first : hit.last]}
    if not denies or words.norms[hit.first] not in BEING or not OPPOSING & said:
        return False
    begin = max(s for s in starts if s <= hit.first)
    end = next((s for s in starts if s >= hit.last), len(words.norms))
    lead = words.norms[begin : hit.first]
    bare = not {*lead} - {"it", "there", "also", "and"}
    placed = lead[:1] in (("in",), ("on",), ("at",)) and len(lead) <= FRONT and lead.count("the") <= 1
    if placed and not any(begin <= a < hit.first for a in anchors):
        bare = True  # "In the left breast is not seen any mass"
    return bare and any(hit.last <= a < end for a in anchors)


def _means(words: Words, hit: Hit[Cue], starts: tuple[int, ...], anchors: Sequence[int]) -> bool:
    """True for the "is likely" of "the collection is likely a seroma": what is doubted is the meaning."""
    likely = hit.value.kind == "uncertain" and words.norms[hit.last - 1] in LIKELY
    if not likely or hit.value.direction != "post":
        return False
    end = next((s for s in starts if s >= hit.last), len(words.norms))
    named = next((i for i in range(hit.last, end) if i in anchors), None)
    if not set(range(hit.first)) & {*anchors}:
        return named is not None  # "This is most likely an adenoma"
    if named is None:
        return is_meaning(words.norms, hit.last, end)
    between = words.norms[hit.last : named]
    return not ((word_list("prepositions") - {"to", "due"}) | NAMING_ENDS) & {*between}


def _answered(words: Words, hit: Hit[Cue], anchors: Sequence[int]) -> bool:
    """True for the "neg" of "pneumothorax neg, effusion small" and the "resolved" of "pneumothorax resolved,
    small effusion": it is said of what stands before it."""
    alone = hit.last - hit.first == 1 and words.norms[hit.first] in DENIALS | GONE
    if alone and hit.first and denied_half(words.norms, hit.first - 1):
        return True
    return alone and hit.first - 1 in anchors and words.norms[hit.last : hit.last + 1] in ((",",), (";",))


def _parts(
    words: Words, hit: Hit[Cue], whole: tuple[int, int], anchors: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """The stretches of words that a cue in front acts on: a denial not on what it takes for there."""
    first, end = whole
    if hit.value.kind != "negation":
        return (whole,)
    if words.norms[hit.first : hit.first + 2] == ("none", "of"):
        return ((of_them(words.norms, hit.last, end, anchors), end),)
    hole = presumed(words.norms, first, end, anchors)
    return (whole,) if hole is None else ((first, hole[0]), (hole[1], end))


def _meant(words: Words, hit: Hit[Cue], end: int) -> int:
    """Index of the first word that a cue in front acts on: of "unlikely that the opacity represents oedema"
    the oedema, since "the" opacity is there."""
    norms = words.norms
    if norms[hit.last : hit.last + 2] in (("that", "the"), ("that", "this"), ("that", "these")):
        grown = next((i for i in range(hit.last, end) if norms[i] in word_list("changed")), hit.last)
        return grown  # "no evidence that the nodule has grown" denies the growth
    if norms[hit.last - 1] != "that" or norms[hit.last : hit.last + 1] not in (
        ("the",),
        ("this",),
        ("these",),
    ):
        return hit.last
    return next((i + 1 for i in range(hit.last, end) if norms[i] in MEANING), hit.last)


def _said_before(words: Words, hit: Hit[Cue], cues: Sequence[Hit[Cue]], starts: tuple[int, ...]) -> int:
    """Index of the item that a denial behind it begins with, where an earlier denial holds what is before:
    "without atypia, necrosis absent"."""
    if hit.value.kind != "negation" and hit.value.value not in DENYING_TIMES:
        return 0
    if words.norms[hit.first] == "negmark":  # "effusion +, pneumothorax -"
        return max((i + 1 for i in range(hit.first) if words.norms[i] == ","), default=0)
    begin = max(s for s in starts if s <= hit.first)
    before = [c.last for c in cues if c.value.kind in ("negation", "time") and begin < c.last < hit.first]
    before += [i + 1 for i in range(begin, hit.first) if words.norms[i] in word_list("changed")]
    commas = [i for i in range(max(before, default=hit.first), hit.first) if words.norms[i] == ","]
    return commas[0] + 1 if commas and commas[0] + 1 < hit.first else 0


def _own_item(words: Words, hit: Hit[Cue], anchors: Sequence[int]) -> int:
    """Index behind the comma before what alone is gone: the drain of "residual collection, drain removed"; 0
    for a list ("the tube, the drain and the line were removed")."""
    comma = next((i for i in reversed(range(hit.first)) if words.norms[i] == ","), 0)
    sized = {"mm", "cm"} & {*words.norms[:comma]} and not {"and", "or"} & {*words.norms[comma : hit.first]}
    if words.norms[hit.first : hit.last] in (("neg",), ("negative",)) and sized:
        return comma + 1  # "melanonychia 4 mm, Hutchinson sign neg": what is denied has no size
    held = next((i for i in range(comma + 1, hit.first) if words.norms[i] == "with"), 0)
    lacks = words.norms[hit.first : hit.last] == ("absent",) and not BEING & {*words.norms[held:]}
    if lacks and comma and held:
        return held + 1  # "a tumour, granular type, with a mucus cap absent"
    if hit.value.value not in DENYING_TIMES or not TAKEN_OUT & {*words.norms[hit.first : hit.last]}:
        return 0
    comma = next((i for i in reversed(range(hit.first)) if words.norms[i] == ","), hit.first)
    between = words.norms[comma + 1 : hit.first]
    alone = any(comma < a < hit.first for a in anchors) and not {"and", "or", "all", "both"} & {*between}
    before = [i for i in range(comma) if words.norms[i] == ","]
    return comma + 1 if alone and len(between) <= 3 and not before else 0


def _over_list(words: Words, hit: Hit[Cue]) -> Hit[Cue]:
    """The cue, a bare doubt behind a list with "or" as one of all of it: "cyst, abscess or haematoma
    possible."."""
    near = words.norms[max(0, hit.first - FRONT) : hit.first]
    listed = hit.value.kind == "uncertain" and hit.value.reach == 1 and "or" in near
    return replace(hit, value=replace(hit.value, reach=MOST)) if listed else hit


def _last_item(words: Words, hit: Hit[Cue], anchors: Sequence[int]) -> int:
    """Index behind the comma before the only thing that a bare doubt behind it holds: the abscess of "root
    thickening, abscess likely", the pneumonia of "left effusion, pneumonia cannot be excluded"; 0 for a list
    ("cyst, abscess or haematoma possible")."""
    said = [norm for norm in words.norms[hit.first : hit.last] if norm not in (".", ";", ",")]
    open_end = hit.value.kind == "uncertain" and bool(OPEN_ENDS & {*said[-1:]})
    alone = (len(said) == 1 and said[0] in DOUBTS) or open_end
    comma = next((i for i in reversed(range(hit.first)) if words.norms[i] == ","), None)
    if open_end and {i for i in range(comma or 0) if words.norms[i] not in BARE} <= {*anchors}:
        return 0  # mere names in a row: "fracture, dislocation cannot be excluded"
    if not alone or comma is None or {"or", "/", "versus", "vs"} & {*words.norms[: hit.first]}:
        return 0
    between = words.norms[comma + 1 : hit.first]
    named = any(comma < a < hit.first for a in anchors) and any(a < comma for a in anchors)
    return comma + 1 if named and "and" not in between and len(between) <= FRONT else 0


def _doubted(words: Words, hit: Hit[Cue], cues: Sequence[Hit[Cue]], anchors: Sequence[int]) -> int:
    """Index behind the doubt that a "versus" goes on with: the lesion of "a lesion concerning for abscess
    versus metastasis" is there, and so is the opacity of "basal opacity, atelectasis versus pneumonia"."""
    if words.norms[hit.first] not in ("versus", "vs"):
        return 0
    before = [c.last for c in cues if c.value.kind == "uncertain" and c.value.direction == "pre"]
    before += [i + 1 for i, norm in enumerate(words.norms) if norm == ":"]  # "an opacity: this versus that"
    comma = next((i for i in reversed(range(hit.first)) if words.norms[i] == ","), 0)
    named = {*anchors}
    before += [comma + 1] if comma and named & {*range(comma)} and named & {*range(comma, hit.first)} else []
    return max((last for last in before if last <= hit.first), default=0)


def _forward(words: Words, hit: Hit[Cue], starts: tuple[int, ...], adjectives: Sequence[Hit[Any]]) -> int:
    norms = words.norms
    end = next((s for s in starts if s >= hit.last), len(norms))
    end = min(end, hit.last + hit.value.reach)
    end = explained_at(norms, hit.last, end) if hit.value.kind == "negation" else end
    if norms[hit.first : hit.last] == ("non",):
        return hit.last + 1  # "non-avid nodule": it is of one word with what it denies
    if norms[hit.first : hit.last] == ("not",):
        described = [a for a in adjectives if hit.last <= a.first <= hit.last + 1]
        if described:  # "not calcified" denies the calcification, not the nodule
            return described[0].last
    if hit.value.value == "prior" and {"resection", "excision", "debulking", "ablation", "removal"} & {
        *norms[hit.first : hit.last]
    }:
        end = next((i for i in range(hit.last, end) if norms[i] == ","), end)  # "s/p resection, new nodule"
    if hit.value.kind == "time" and hit.value.value in GONE_BY:
        end = since(words, (hit.first, hit.last), end)
    if hit.value.kind == "uncertain":
        told = (i for i in range(hit.last + 1, end) if norms[i] in ("is", "are") and norms[i - 1] != "there")
        copula = next(told, end)
        if hit.last - hit.first == 1 and norms[copula + 1 : copula + 2] in (("a",), ("an",), ("the",)):
            end = copula  # "the apparent nodule is a nipple shadow" doubts the nodule alone
        comma = next((i for i in range(hit.last + 1, end) if norms[i] == ","), end)
        all_of_it = norms[hit.first] in ("differential", "ddx", "dd") or norms[hit.last - 1] in (
            "setting",
            "context",
        )
        listed = all_of_it or {"or", "versus"} & set(norms[comma:end])
        if norms[: hit.last] == ("if",):  # "if a pneumothorax develops, a drain is needed"
            anew = (s for s in starts if s > hit.last and norms[s] in STATING)
            return next(anew, len(norms))
        if not listed:
            end = comma
    return end


def _elided(hit: Hit[Cue], words: Words, begin: int) -> list[int]:
    """Index of a side that stands for a finding: "the left effusion is larger, the right has resolved", "the
    left lower lobe is collapsed, the right lower lobe has re-expanded". ``begin``: where the clause does."""
    norms = words.norms
    at = hit.first - 1
    while at > 0 and norms[at] in ("one", "side"):
        at -= 1
    if at > 0 and norms[at] in ("left", "right"):
        return [at]
    told = {norm for norm in norms[:begin] if norm in ("left", "right")}
    other = [i for i in range(begin, hit.first) if norms[i] in ("left", "right") and {norms[i]} != told]
    return other[-1:] if len(told) == 1 else []


def _back(words: Words, hit: Hit[Cue], starts: tuple[int, ...], anchors: Sequence[int]) -> int:
    before = [s for s in starts if s <= hit.first]
    anchors = [*anchors, *_elided(hit, words, before[-1] if before else 0)]
    if before and before[-1] == hit.first and words.norms[hit.first] == "absent":
        end = next((s for s in starts if s > hit.first), len(words.norms))
        if any(hit.last <= a < end for a in anchors):
            return hit.first  # "present on the left, absent on the right" denies what follows
    told = hit.value.kind == "negation" and hit.value.reach < 10 and before and hit.first - before[-1] > 1
    if told:  # "the aorta is tortuous, the contour is normal": what is normal has been named
        return max(before[-1], hit.first - hit.value.reach)
    while len(before) > 1 and not any(before[-1] <= a < hit.first for a in anchors):
        if hit.value.kind == "uncertain" and words.norms[before[-1]] in DENIERS:
            break  # "a cyst, no torsion suspected": what is not suspected is the torsion
        if words.norms[hit.last - 1] in (".", ",", ";"):
            break  # "the medial meniscus is torn, the lateral is not."
        if hit.value.kind == "uncertain" and words.norms[before[-1]] in ("a", "an"):
            break  # "the roof is thinned, and a defect cannot be excluded"
        if words.norms[before[-1]] == "otherwise":
            break  # "haemorrhoids, otherwise free"
        if words.norms[before[-1]] in RELATIVE and hit.value.value == "prior":
            break  # "the plaque which enhanced in 2023 no longer does so"
        before.pop()
    return max(before[-1] if before else 0, hit.first - hit.value.reach)
