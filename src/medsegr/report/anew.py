"""Where a statement begins anew though no mark says so: a doubt behind a denial, a line, "and another",
organs that are normal."""

from collections.abc import Sequence

from medsegr.report.idle import OPEN_ENDS, SEEING
from medsegr.report.lexicon import Concept, Cue, word_list
from medsegr.report.match import Hit, Words

OPENING = frozenset(  # a doubt: "cannot exclude pneumonia", "possible pneumonia"
    ["cannot", "can", "could", "possible", "possibly", "probable", "probably", "likely"]
)
DENIERS = frozenset(["no", "without", "negative", "neither", "absent", "none"])
STATING = frozenset(["is", "are", "there", "no", "was", "were"])
MOST = 12  # words of "and another in the left lobe 1.9 cm", which has a size of its own
NEAR = 8  # words of a line in which its verb stands
NORMAL = frozenset(["normal", "unremarkable"])
LISTING = frozenset(["the", "both", "left", "right", "bilateral", "and", "&", ","])  # between organs
STATE = frozenset(["is", "are", "was", "were", "appear", "appears", "all", "otherwise", "grossly"])
WHERE = frozenset(["in", "at", "on", "within", "along", "measuring", "measure"])


def begun(words: Words, cues: Sequence[Hit[Cue]], named: Sequence[Hit[Concept]]) -> set[int]:
    """Indices of the words with which such a statement begins. ``named``: the concepts of the sentence."""
    norms = words.norms
    others = {i for i in range(2, len(norms) - 1) if norms[i] == "another" and norms[i + 1] in WHERE}
    others = {i for i in others if norms[i - 1] in ("and", ",") and {"mm", "cm"} & {*norms[i : i + MOST]}}
    listed = spared(norms, named)
    apart = {i for i in listed if i - 1 not in listed}
    return _doubted(norms, cues, named) | _on_lines(words) | others | apart


def _doubted(norms: Sequence[str], cues: Sequence[Hit[Cue]], named: Sequence[Hit[Concept]]) -> set[int]:
    """Where a doubt ends the denial before a comma: "no effusion, cannot exclude pneumonia", "no effusion,
    pneumonia cannot be excluded". A list with "or" stays one."""
    out = set[int]()
    for cue in (c for c in cues if c.value.kind == "uncertain" and not {"or", "nor"} & {*norms}):
        first = cue.first if norms[cue.first] in OPENING else 0
        if cue.value.direction == "post" and norms[cue.last - 1] in OPEN_ENDS:
            first = next((h.first for h in reversed(named) if h.last == cue.first), 0)
        behind = first > 0 and norms[first - 1] == "," and DENIERS & {*norms[:first]}
        out |= {first} if behind else set()
    return out


def _on_lines(words: Words) -> set[int]:
    """Where a line states something behind one that ended its denial: the heart of "no pneumothorax seen",
    and below it "heart is enlarged"."""
    norms, tokens = words.norms, words.tokens
    out, begin = set[int](), 0
    for i in range(1, len(norms)):
        if "\n" not in words.text[tokens[i - 1].end : tokens[i].start]:
            continue
        closed = norms[i - 1] in SEEING and DENIERS & {*norms[begin:i]}
        new = norms[i] not in word_list("prepositions") and bool(STATING & {*norms[i : i + NEAR]})
        out |= {i} if closed and new else set()
        begin = i
    return out


def spared(norms: Sequence[str], named: Sequence[Hit[Concept]]) -> frozenset[int]:
    """Indices of words that only list organs which are normal: the liver of "enlarged kidneys, liver and
    spleen normal" is no place of the kidneys. The last organ is not among them: it is told to be normal."""
    ends = {hit.first: hit.last for hit in sorted(named, key=lambda h: h.last) if hit.value.kind == "anatomy"}
    out = set[int]()
    for begin in (i + 1 for i, norm in enumerate(norms) if norm == ","):
        at, organs = begin, list[int]()
        while at < len(norms) and (at in ends or norms[at] in LISTING):
            organs += [at] if at in ends else []
            at = ends.get(at, at + 1)
        while at < len(norms) and norms[at] in STATE:
            at += 1
        if len(organs) > 1 and at < len(norms) and norms[at] in NORMAL:
            out |= {*range(begin, organs[-1])}
    return frozenset(out)
