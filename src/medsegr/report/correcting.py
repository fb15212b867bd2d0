"""What a later sentence takes back: "This has since resolved.", and an addendum that corrects a side."""

from collections.abc import Sequence
from dataclasses import replace

from medsegr.findings import Finding
from medsegr.report.context import Scope
from medsegr.report.document import tokens
from medsegr.report.sentence import Sentence
from medsegr.report.side import SIDE_WORDS

POINTING = frozenset(["this", "these", "it", "they", "that", "both", "which"])
CORRECTING = frozenset(["not", "instead", "than", "correction", "corrected", "erroneously", "incorrectly"])


def taken_back(before: Sentence, here: Sentence) -> Sentence:
    """The sentence before, its last finding resolved where this one says so of "this" or "it" and names
    nothing itself."""
    if not before.candidates or here.candidates or not here.words.norms or here.elements:
        return before
    if here.words.norms[0] not in POINTING:
        return before
    gone = [s for s in here.scopes if s.cue.kind == "time" and s.cue.value == "resolved" and s.first == 0]
    if not gone:
        return before
    last = before.candidates[-1]
    first = max((s for s in before.starts if s <= last.first), default=0)
    scope = Scope(gone[0].cue, gone[0].span, first, last.last)
    return replace(before, scopes=(*before.scopes, scope))


def corrected(found: Sequence[Finding], text: str) -> list[Finding]:
    """The findings, those on the wrong side denied where an addendum says "in the left lobe, not the right".

    A finding is on the wrong side when it has the name of the one in the addendum, the other side, and the
    addendum's sentence tells both sides and a word of correction.
    """
    out = list(found)
    for later in found:
        wrong = _wrong_side(later, text)
        if not wrong:
            continue
        for i, known in enumerate(out):
            same = known.name == later.name and known.location.side == wrong
            sizes = known.shape.size_mm, later.shape.size_mm
            if same and known.section != "addendum" and (sizes[0] == sizes[1] or not all(sizes)):
                out[i] = replace(known, polarity="absent", polarity_span=later.span)
    return out


def _wrong_side(later: Finding, text: str) -> str:
    """The side that an addendum takes back; "" for none."""
    right_side = later.location.side
    if later.section != "addendum" or later.polarity != "present" or right_side not in SIDE_WORDS:
        return ""
    if later.sentence is None:
        return ""
    norms = [token.norm for token in tokens(text, later.sentence)]
    other = next(side for side in SIDE_WORDS if side != right_side)
    return other if other in norms and CORRECTING & {*norms} else ""
