"""What a finding may be, where several names for it are offered: "a nodule - adenoma or Warthin tumour"; or
that it may be nothing: "a polyp of 4 mm, probably stool"."""

from collections.abc import Sequence

from medsegr.report.builds import POORLY, Candidate
from medsegr.report.context import Scope
from medsegr.report.idle import UNREAL
from medsegr.report.lexicon import Cue, word_list
from medsegr.report.match import Words

MARKS = frozenset(["-", "\u2013", "\u2014", ":", "(", "=", "query"])  # before what a thing may be
NEAR = 4  # words before and behind the "or"
ENDS = frozenset([".", ";", ",", ")", "-", "\u2013", "\u2014", "?"])
SEEMING = frozenset(["nipple shadow", "residual stool", "air bubble", "specular reflection", "limited study"])
SUPPOSING = frozenset(
    [
        *("likely", "probably", "possibly", "presumably", "query", "probable", "possible", "favored"),
        *("represent", "represents", "representing", "be", "keeping", "consistent", "compatible", "or"),
        *("is", "are", "than", "versus", "vs", "suspected", "perhaps"),
    ]
)
CAUSING = frozenset(["by", "cause", "causes", "causing", "from", "limit", "limiting", "no", "not", "without"])
FAR = 16  # words of place and size between a thing and what it is supposed to be


def offered(named: Sequence[Candidate], words: Words, acting: Sequence[Scope]) -> tuple[Scope, ...]:
    """The scopes of doubt over the alternatives behind a thing that is seen and a mark.

    What is denied is no alternative ("stones - no polyp or mass"), nor is what stands behind a mere comma:
    "effusion, consolidation or atelectasis" is a list.
    """
    out = []
    for i, one in enumerate(named[1:], 1):
        until = _until(named, i, words)
        seen = _seen(named, i, words) if until else None
        if seen is None or any(_denies(s, c) for s in acting for c in named[seen + 1 : i + 2]):
            continue
        span = words.span(one.last, one.last + 1)
        out.append(Scope(Cue("uncertain", "both"), span, named[seen + 1].first, until))
    return tuple(out)


def seeming(named: Sequence[Candidate], words: Words) -> tuple[Scope, ...]:
    """The scopes of doubt over what is supposed to be no more than an appearance: the polyp of "a polyp of 4
    mm in the caecum, probably stool", the nodule of "a nodule, likely a nipple shadow"."""
    out = []
    things = [c for c in named if c.concept.kind == "finding" and c.concept.name not in SEEMING]
    seems = {c.first for c in named if c.concept.name in SEEMING}
    for at in (i for i in range(len(words.norms)) if i in seems or _is_unreal(words.norms, i)):
        one = next((c for c in reversed(things) if c.last <= at), None)
        if one is None or at - one.last > FAR:
            continue
        between = words.norms[one.last : at]
        told = next((k for k in reversed(range(len(between))) if between[k] in SUPPOSING), None)
        if told is None or len(between) - told > NEAR or {".", ";"} & {*between} or CAUSING & {*between}:
            continue
        span = words.span(one.last + told, one.last + told + 1)
        out.append(Scope(Cue("uncertain", "both"), span, one.first, one.last))
    return tuple(out)


def _is_unreal(norms: Sequence[str], at: int) -> bool:
    """True for a word of what is no thing: "artefact", the distension of "poor distension"."""
    return norms[at] in UNREAL or (norms[at] == "distension" and norms[at - 1] in POORLY)


def _until(named: Sequence[Candidate], at: int, words: Words) -> int:
    """Index behind the last of the alternatives, whose "or" stands behind the ``at``th name: a name, or words
    that are unknown here and end what is told ("lipoma or angiolipoma."); 0 for none."""
    last = named[at].last
    if words.norms[last : last + 1] not in (("or",), ("/",)):
        return 0
    end = next((k for k in range(last, len(words.norms)) if words.norms[k] in ENDS), len(words.norms))
    behind = named[at + 1].first if at + 1 < len(named) else len(words.norms)
    if behind < end:
        return named[at + 1].last if behind - last <= NEAR else 0
    told = words.norms[last + 1 : end]
    return end if 0 < len(told) < NEAR and not word_list("prepositions") & {*told} else 0


def _seen(named: Sequence[Candidate], at: int, words: Words) -> int | None:
    """Which name is that of the thing seen, of which the ``at``th is an alternative; None where there is no
    such thing."""
    while at:
        seen, item = named[at - 1], named[at]
        between = words.norms[seen.last : item.first]
        marks = [k for k, norm in enumerate(between) if norm in MARKS | {","}]
        if not marks or len(between) - marks[-1] > NEAR or {".", ";"} & {*between[marks[-1] :]}:
            return None
        at -= 1
        if between[marks[-1]] in MARKS:
            return at if seen.concept.kind == "finding" else None
    return None


def _denies(scope: Scope, item: Candidate) -> bool:
    return scope.cue.kind == "negation" and scope.first <= item.first < scope.last
