"""What a sentence claims of each finding: present, absent or uncertain, when, and of whom.

A cue acts on a stretch of words, its scope. A pre cue acts from itself to the end of its clause, a post cue
from the begin
of its clause to itself. A clause ends at a stop word ("but"), at strong punctuation, and at a comma or
"and" behind which
a new statement begins; a plain list goes on ("no consolidation, effusion or pneumothorax").

Advice ("recommend CT to exclude a mass") states nothing: such a finding is uncertain and not drawable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from medsegr.findings import Polarity, Span
from medsegr.report.idle import acts_back, explained_at
from medsegr.report.lexicon import Concept, Cue, word_list
from medsegr.report.match import Hit, Words

SIZES = frozenset(["small", "mild", "moderate", "minimal", "trace", "tiny", "stable", "unchanged"])
DENIERS = frozenset(["no", "without", "negative", "neither", "absent", "none"])
HARD = frozenset([";", "!", "?", ".", "-", "–", "—", "(", ")", "•", "negmark", "posmark"])
ASKING = frozenset([":", "?", "="])
DENIALS = frozenset(["no", "none", "nil", "negative", "neg", "absent", "0"])
ANSWERS = DENIALS | {"yes", "positive", "present", "seen", "pos"}
EDGES = frozenset([",", "and", "with", "plus", "&"])
AGREEING = frozenset(["compatible", "consistent"])
MEANING = frozenset(["represent", "represents", "reflect", "reflects", "indicate", "indicates", "is", "are"])
LIST = 12  # words in which the "or" of a list is looked for
HALVES = {"left": "left", "l": "left", "lt": "left", "os": "left"} | {
    "right": "right",
    "r": "right",
    "rt": "right",
    "od": "right",
}
ASIDES = (
    ("not", "to", "be", "confused", "with"),
    ("not", "to", "be", "mistaken", "for"),
    ("not", "be", "confused", "with"),
    ("not", "be", "mistaken", "for"),
    ("in", "contrast", "to"),
    ("in", "contrast", "with"),
    ("unlike",),
    ("previously", "reported", "as"),
    ("previously", "described", "as"),
    ("originally", "reported", "as"),
    ("reported", "as"),
)
ASIDE_FIRST = frozenset(said[0] for said in ASIDES)
IMPERATIVES = frozenset(  # "ignore the heart, segment the lungs"
    ["segment", "show", "draw", "delineate", "highlight", "find", "locate", "detect", "extract", "annotate"]
)
GONE = frozenset(["resolved", "removed"])  # times that deny
SEEN = frozenset(["seen", "identified", "noted", "demonstrated", "visualized", "evident", "detected"])


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


def clause_starts(words: Words, cues: Sequence[Hit[Cue]], named: Sequence[Hit[Concept]]) -> tuple[int, ...]:
    """Indices of the words with which a clause begins, 0 first. ``named`` are the concepts, for text
    without punctuation."""
    norms = words.norms
    stops = {hit.first for hit in cues if hit.value.kind == "stop"}
    hard = {i + 1 for i, norm in enumerate(norms) if norm in HARD} | stops
    edges = sorted({i for i, norm in enumerate(norms) if norm in EDGES} | hard | {len(norms)})
    inside = {i for hit in cues if hit.last - hit.first > 1 for i in range(hit.first, hit.last)}
    starts = {0} | {s for s in hard if s < len(norms)}
    ends = [_behind(norms, hit.last) for hit in named]
    starts |= {
        e for e in ends if norms[e : e + 1] and norms[e] in SIZES and any(e < h.first <= e + 5 for h in named)
    }
    starts |= {i + 1 for i in range(1, len(norms) - 1) if _answers(norms, i)}
    starts |= {i + 1 for i, norm in enumerate(norms) if norm == ":" and _there(norms, i + 1)}
    starts |= {e for e in ends if _runs_on(norms, e)} | {
        i + 2 for i in range(len(norms) - 2) if _list_over(norms, i)
    }
    held = {hit.last for hit in cues if hit.value.direction == "pre"}  # "possibly with a small effusion"
    for i, norm in enumerate(norms):
        bound = norm == "with" and (
            i in held or (i and norms[i - 1] in AGREEING)
        )  # "compatible with mild edema"
        if norm in EDGES and i not in inside and not bound:
            after = i + 1
            while after < len(norms) and norms[after] in EDGES:
                after += 1
            end = next((e for e in edges if e > after), len(norms))
            begin = max(s for s in starts if s <= i)
            opens = _opens(norms, after, end, norm) and not _shares_verb(norms, begin, i, after)
            if opens or (norm == "," and _turns(norms, (begin, i, after, end), named)):
                starts.add(after)
    return tuple(sorted(starts))


def asides(words: Words, starts: tuple[int, ...]) -> frozenset[int]:
    """Words that speak of something else: "an effusion, not to be confused with the fold on the left"."""
    norms = words.norms
    out: set[int] = set()
    for i in (i for i, norm in enumerate(norms) if norm in ASIDE_FIRST):
        said = next((a for a in ASIDES if norms[i : i + len(a)] == a), None)
        if said is not None:
            begin = i + len(said)
            ends = (
                k
                for k in range(begin, len(norms))
                if (k in starts and k > begin) or norms[k] in (",", ";", ".")
            )
            out |= {*range(begin, next(ends, len(norms)))}
    return frozenset(out)


def _turns(norms: tuple[str, ...], at: tuple[int, int, int, int], named: Sequence[Hit[Concept]]) -> bool:
    """True where a comma ends a denial and the words behind it state something.

    By a verb of their own ("no effusion, cardiomegaly is present") or by the other side ("no infarct on the
    right, microbleeds on the left"). ``at``: where the clause, the comma, the words behind it and the next
    edge stand. An "or" makes it a list; so does a second comma, unless sides are told.
    """
    begin, comma, after, end = at
    if not DENIERS & set(norms[begin:comma]) or {"or", "nor"} & set(norms[begin : end + LIST]):
        return False
    if {"normal", "unremarkable"} & set(norms[after:end]):
        return True
    items = [
        [hit for hit in named if low <= hit.first < high] for low, high in ((begin, comma), (after, end))
    ]
    if not all(items):
        return False
    last = norms[end : end + 1] in ((), (".",), (";",)) or norms[end - 1] in HARD
    end -= norms[end - 1] in HARD
    if (
        last
        and norms[end - 2 : end] in (("is", "present"), ("are", "present"))
        and "," not in norms[begin:comma]
    ):
        return True
    told = [HALVES[norm] for norm in norms[items[0][0].last : comma] if norm in HALVES]
    here = [HALVES[norm] for norm in norms[after:end] if norm in HALVES]
    return bool(told and here) and not set(told) & set(here)


def _answers(norms: tuple[str, ...], at: int) -> bool:
    """True for the answer of a form: "effusion: no, nodule: yes"."""
    ends = norms[at + 1 : at + 2] in ((), (",",), (";",), (".",), ("and",))
    return ends and norms[at] in ANSWERS and norms[at - 1] in ASKING


def _behind(norms: tuple[str, ...], at: int) -> int:
    """Index behind the verb of a finding: "effusion is seen", "effusion identified"."""
    to_be = norms[at : at + 1] in (("is",), ("are",))
    seen = norms[at + to_be : at + to_be + 1]
    return at + to_be + 1 if seen and (seen[0] in SEEN or (to_be and seen[0] == "present")) else at


def _runs_on(norms: tuple[str, ...], at: int) -> bool:
    """True for a new sentence without a stop before it: "no pneumothorax the lungs are hyperinflated"."""
    if norms[at : at + 1] == ("there",):
        return _there(norms, at)
    return norms[at : at + 1] == ("the",) and bool({"is", "are"} & set(norms[at + 2 : at + 5]))


def _there(norms: tuple[str, ...], at: int) -> bool:
    return norms[at : at + 2] in (("there", "is"), ("there", "are"))


def _list_over(norms: tuple[str, ...], at: int) -> bool:
    """True for the "seen," that closes a denied list: "no effusion seen, hilar calcification"."""
    closed = norms[at] in SEEN and norms[at + 1] == "," and bool(DENIERS & set(norms[max(0, at - 12) : at]))
    return closed and not {"or", "nor"} & set(norms[at + 2 : at + 10])


def _shares_verb(norms: tuple[str, ...], begin: int, at: int, after: int) -> bool:
    """True for "consolidation and atelectasis have developed": two subjects of one verb, no new statement."""
    before = norms[begin:at]
    plain = norms[after] not in (
        DENIERS | word_list("openers") | {"there", "which", "but", "it", "this", "the"}
    )
    return norms[at] == "and" and plain and not word_list("verbs") & set(before) and not DENIERS & set(before)


def _opens(norms: tuple[str, ...], start: int, end: int, edge: str) -> bool:
    """True when the words behind a comma or "and" begin a new statement instead of the next item of a
    list."""
    part = norms[start:end]
    if not part or part[0] in ("or", "nor"):
        return False
    if part[0] in DENIERS or part[0] in IMPERATIVES or part[0] in ("there", "which", "but", "it", "this"):
        return True
    if edge == "with":
        return part[0] in word_list("openers")
    verbs = [i for i, norm in enumerate(part) if norm in word_list("verbs") and part[i - 1] != "to"]
    if verbs:
        behind = part[verbs[0] + 1 : verbs[0] + 3]
        return not (word_list("list_verb") & set(behind))
    return part[0] in word_list("openers") and "or" not in norms[start : start + 12]


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
        if hit.first and words.norms[hit.first] in DENIALS and _answers(words.norms, hit.last - 1):
            found.append(Scope(hit.value, span, _back(words, hit, starts, anchors), hit.first))
            continue
        if hit.value.direction in ("pre", "both"):
            end = _forward(words, hit, starts, adjectives)
            found.append(Scope(hit.value, span, _meant(words, hit, end), end))
        if hit.value.direction in ("post", "both") and acts_back(words, hit):
            first = max(_back(words, hit, starts, anchors), _said_before(words, hit, cues))
            first = max(first, _doubted(words, hit, cues))
            found.append(Scope(hit.value, span, first, hit.first))
    return tuple(found)


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


def _said_before(words: Words, hit: Hit[Cue], cues: Sequence[Hit[Cue]]) -> int:
    """Index of the item that a denial behind it begins with, where an earlier denial holds what is before:
    "without atypia, necrosis absent"."""
    if hit.value.kind != "negation" and hit.value.value not in GONE:
        return 0
    before = [c.last for c in cues if c.value.kind in ("negation", "time") and c.last <= hit.first - 1]
    commas = [i for i in range(max(before, default=hit.first), hit.first) if words.norms[i] == ","]
    return commas[0] + 1 if commas and commas[0] + 1 < hit.first else 0


def _doubted(words: Words, hit: Hit[Cue], cues: Sequence[Hit[Cue]]) -> int:
    """Index behind the doubt that a "versus" goes on with: the lesion of "a lesion concerning for abscess
    versus metastasis" is there."""
    if words.norms[hit.first] not in ("versus", "vs"):
        return 0
    before = [c.last for c in cues if c.value.kind == "uncertain" and c.value.direction == "pre"]
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
    if hit.value.kind == "uncertain":
        copula = next((i for i in range(hit.last + 1, end) if norms[i] in ("is", "are")), end)
        if hit.last - hit.first == 1 and norms[copula + 1 : copula + 2] in (("a",), ("an",), ("the",)):
            end = copula  # "the apparent nodule is a nipple shadow" doubts the nodule alone
        comma = next((i for i in range(hit.last, end) if norms[i] == ","), end)
        all_of_it = norms[hit.first] == "differential" or norms[hit.last - 1] in ("setting", "context")
        listed = all_of_it or {"or", "versus"} & set(norms[comma:end])
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
        before.pop()
    return max(before[-1] if before else 0, hit.first - hit.value.reach)


def claim(found: Sequence[Scope], parts: Sequence[tuple[int, int]], concept: Concept, words: Words) -> Claim:
    """The claim of a concept whose words lie at ``parts`` (pairs of first and last word index).

    A finding said in two places ("heart is not enlarged") is under a cue when any of its parts is. A cue
    that is one of the
    concept's own words ("the liver is normal") does not act on it.
    """
    own = [words.span(*part) for part in parts]
    acting = [s for s in found if any(s.first <= a < s.last or s.first < b <= s.last for a, b in parts)]
    acting = [
        s for s in acting if s.cue.value == "own" or not any(_is_own(s.span, span, concept) for span in own)
    ]
    gaps = {id(s): min(_gap(s, part) for part in parts) for s in acting}
    acting.sort(key=lambda s: gaps[id(s)])
    by_kind: dict[str, Scope] = {}
    for scope in acting:
        by_kind.setdefault(scope.cue.kind, scope)
    timed = [
        s
        for s in acting
        if s.cue.kind == "time"
        and not (s.cue.value == "prior" and concept.lasting and s.span[1] - s.span[0] < 9)
        and not (concept.lasting and words.text[slice(*s.span)].lower().endswith("healed"))
        and not (s.cue.value == "removed" and _pictured(concept))
    ]
    time = _time(timed)
    whose: Literal["patient", "other"] = "other" if "other" in by_kind else "patient"
    if "other" in by_kind and "negation" not in by_kind:
        return Claim("present", by_kind["other"].span, time, whose)
    if "negation" in by_kind:
        return Claim("absent", by_kind["negation"].span, time, whose)
    if time == "resolved":
        return Claim("absent", next(s.span for s in timed if s.cue.value in GONE), time, whose)
    if "advice" in by_kind:
        return Claim("uncertain", by_kind["advice"].span, time, whose, True)
    if "uncertain" in by_kind:
        return Claim("uncertain", by_kind["uncertain"].span, time, whose)
    span = next((s.span for s in timed if s.cue.value == "prior"), None) if time == "prior" else None
    return Claim("present", span, time, whose)


def _is_own(cue: Span, own: Span, concept: Concept) -> bool:
    """True for a cue within the concept's words; a normal statement ends with one ("is normal")."""
    if concept.kind == "statement":
        return cue[0] < own[1] == cue[1]
    return own[0] <= cue[0] and cue[1] <= own[1]


def _time(timed: Sequence[Scope]) -> str:
    values = [s.cue.value for s in timed]
    if GONE & {*values}:
        return "resolved"
    if "prior" in values:  # a thing seen before that is stable, better or worse is still there
        return next((v for v in values if v in ("stable", "improved", "worse")), "prior")
    return values[0] if values else "current"


def _pictured(concept: Concept) -> bool:
    """Whether what is removed was seen before: the endoscopy that removes a polyp takes its picture first."""
    return concept.kind == "finding" and concept.modalities[:1] == ("ES",)


def _gap(scope: Scope, part: tuple[int, int]) -> int:
    return min(abs(part[0] - scope.first), abs(scope.last - part[1]))
