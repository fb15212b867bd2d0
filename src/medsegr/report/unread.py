"""What a report states and nobody read: passages that tell of something in the image by no name known here.

Rules over a lexicon miss in silence what the lexicon does not name. So every clause is looked at once more:
where words are left over that name nothing known, and the passage places, measures, describes or states them,
it is told as unread. Not told are passages that call something healthy, deny, doubt or date it, that speak of
the patient, of the technique or of what to do, and mere places and measures.

Which words these are is listed in ``lexicon/words.toml`` (``healthy``, ``besides``, ``leads``, ``stating``).
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

from medsegr.findings import Span
from medsegr.report import lexicon
from medsegr.report.lexicon import word_list
from medsegr.report.sentence import Sentence, is_request
from medsegr.report.values import size_mm

PARTING = frozenset([",", ";", ":", "and", "with", "but", "(", ")", "/", "or", "which", "?", ".", "-"])
UNDRAWN = frozenset(["negation", "advice", "other", "uncertain"])  # kinds of cues by which nothing is drawn
PAST = frozenset(["prior", "resolved", "removed", "operated"])
MOST_TOLD = 5  # passages whose place a warning tells
SITES = frozenset(["side", "rows", "cols"])  # fields of describing words that tell a place
_FINDING = re.compile(  # how names of findings end
    r"(?:omas?|osis|oses|itis|megaly|ectasi[as]|plasia|trophy|pathy|cele|lith|iasis|malacia|lysis|edema|ptosis"
    r"|phyma|rrhea|cysts?|lesions?|tears?|defects?|deformity|shadows?|focus|foci|mass|bod(?:y|ies)|sign|spots?"
    r"|nodes?|plaques?|patch(?:es)?|papules?|scars?|crusts?|ulcers?|folds?|rings?|notch(?:es)?|leaks?|damage"
    r"|[a-z]{3}ing|[a-z]{3}ation|[a-z]{3}ment|[a-z]{2}ence|[a-z]{3}age|[a-z]{2}[ts]ure|[a-z]{3}[st]ion"
    r"|[a-z]{3}(?:ity|ies|ness))$"
)
_QUALITY = re.compile(r"(?:al|ar|ic|ous|ary|ior|oid|ive|able|ible|ly|est|er)$")  # an adjective or adverb
_HIDDEN = re.compile(r"x{3,}|_+")  # what a de-identification left of a word


def passages(sentence: Sentence) -> tuple[Span, ...]:
    """Spans of what a sentence states and names by nothing known, in text order."""
    norms = sentence.words.norms
    if is_request(sentence.words) or _is_title(sentence):
        return ()
    edges = sorted({0, *sentence.starts, len(norms)})
    return tuple(
        sentence.words.span(*part)
        for low, high in pairwise(edges)
        if not (word_list("healthy") | word_list("besides")) & {*norms[low:high]}
        for part in _stated(sentence, low, high)
    )


def warning(unread: Sequence[Span]) -> tuple[tuple[str, str], ...]:
    """The warning ``passage_unread``; () without any passage. It quotes nothing: warnings go into logs."""
    if not unread:
        return ()
    where = ", ".join(f"{first}-{last}" for first, last in unread[:MOST_TOLD])
    more = f" and {len(unread) - MOST_TOLD} more" if len(unread) > MOST_TOLD else ""
    what = "1 passage names" if len(unread) == 1 else f"{len(unread)} passages name"
    asked = "so no mask was asked for: read the report there"
    return (("passage_unread", f"{what} nothing known here (characters {where}{more}), {asked}"),)


def _stated(sentence: Sentence, low: int, high: int) -> Iterator[tuple[int, int]]:
    """The parts of a clause that state something unknown: of one that names nothing all between the first and
    the last of them."""
    parts = list(_parts(sentence.words.norms, low, high))
    named = _indices(c.parts for c in sentence.candidates)
    found = [part for part in parts if not named & {*range(*part)} and _states(sentence, part)]
    if not named & {*range(low, high)}:
        yield from [(found[0][0], found[-1][1])] if found else ()
        return
    norms = sentence.words.norms
    for first, last in found:
        joined = first > low and norms[first - 1] in PARTING and norms[first] not in word_list("leads")
        if joined and any(_FINDING.search(norms[i]) for i in _left(sentence, first, last)):
            yield first, last


def _parts(norms: Sequence[str], low: int, high: int) -> Iterator[tuple[int, int]]:
    first = low
    for i in range(low, high + 1):
        if i == high or norms[i] in PARTING:
            if first < i:
                yield first, i
            first = i + 1


def _states(sentence: Sentence, part: tuple[int, int]) -> bool:
    here = {*range(*part)}
    for scope in sentence.scopes:
        undrawn = scope.cue.kind in UNDRAWN or scope.cue.value in PAST
        if undrawn and here & {*range(scope.first, scope.last)}:
            return False
    norms = sentence.words.norms
    left = _left(sentence, *part)
    if not left:
        return False
    looks = _indices([(d.first, d.last)] for d in sentence.descriptors if d.value.field not in SITES)
    sites = _indices([(e.first, e.last)] for e in sentence.elements)
    organs = _indices(c.parts for c in sentence.anatomy)
    return bool(
        (looks | sites | organs) & here
        or word_list("stating") & {*norms[slice(*part)]}
        or (size_mm(sentence.words, part)[0] and not _is_measure(norms[slice(*part)]))
        or any(_FINDING.search(norms[i]) for i in left)
    )


def _left(sentence: Sentence, first: int, last: int) -> list[int]:
    """The words of a part that could name a thing and belong to nothing that was read."""
    covered = _indices(c.parts for c in (*sentence.candidates, *sentence.anatomy))
    covered |= _indices([(e.first, e.last)] for e in sentence.elements)
    covered |= _indices([(d.first, d.last)] for d in sentence.descriptors)
    norms = sentence.words.norms
    return [
        i
        for i in range(first, last)
        if i not in covered
        and len(norms[i]) > 2
        and norms[i].isalpha()
        and norms[i] not in _idle()
        and not _HIDDEN.fullmatch(norms[i])
        and not _QUALITY.search(norms[i])
    ]


def _indices(groups: Iterator[Sequence[tuple[int, int]]]) -> set[int]:
    return {i for spans in groups for span in spans for i in range(*span)}


def _is_measure(norms: Sequence[str]) -> bool:
    """True for a mere measure of what always is there: "BPD 48 mm", "AP diameter 7 mm", not "a 7 mm ..."."""
    return not {"a", "an"} & {*norms} and len([norm for norm in norms if norm.isalpha()]) <= 4


def _is_title(sentence: Sentence) -> bool:
    words = [token.raw for token in sentence.words.tokens if token.raw.isalpha()]
    return all(word.isupper() for word in words)


@cache
def _idle() -> frozenset[str]:
    """Words that name no thing: plain ones, those that begin an aside, those of places and organs."""
    organs = (key for key, names in lexicon.concept_terms().items() if _is_organ(names[0]))
    sites = (word for keys in (lexicon.places(), organs) for key in keys for word in key)
    return lexicon.plain_words() | word_list("leads") | {*sites}


def _is_organ(name: str) -> bool:
    return lexicon.concepts()[name].kind == "anatomy"
