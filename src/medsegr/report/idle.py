"""Where a cue does not act: on what stands before an adjective, behind a comparison, in an explanation."""

from collections.abc import Sequence

from medsegr.report.lexicon import Cue
from medsegr.report.match import Hit, Words

COMPARING = frozenset(["compared", "comparison", "than", "since", "versus", "vs"])
DOUBTING = (("suspicious", "for"), ("concerning", "for"), ("worrisome", "for"), ("suggestive", "of"))
BACK = 7  # words in which a comparison is looked for


def acts_back(words: Words, hit: Hit[Cue]) -> bool:
    """False for a cue that says nothing of what stands before it: the "healed" of "skin tags, a healed
    fissure", the "last week" of "new compared to the scan of last week"."""
    before = words.norms[max(0, hit.first - BACK) : hit.first]
    if hit.value.value == "prior":
        return not COMPARING & {*before}
    one = hit.last - hit.first == 1 and hit.value.value in ("resolved", "removed")
    return not (one and before[-1:] in (("a",), ("an",), ("old",)))


def explained_at(norms: Sequence[str], first: int, end: int) -> int:
    """Index of the comma with which a denial ends, since the words behind it say what it may mean: "does not
    opacify, suspicious for thrombosis"; ``end`` where there is none."""
    commas = (i for i in range(first, end) if norms[i] == ",")
    return next((i for i in commas if tuple(norms[i + 1 : i + 3]) in DOUBTING), end)
