"""What is past because it was treated: the glioma of "R temporal GBM, post-op", the pneumonia of "condition
after pneumonia with a left effusion"."""

import re
from collections.abc import Sequence

from medsegr.report.clauses import FINITE
from medsegr.report.lexicon import Concept
from medsegr.report.match import Words

REMOVABLE = frozenset(["tumour", "brain tumour", "mass", "polyp", "metastasis", "lesion"])
REMAINING = frozenset(
    [
        *(
            "residual",
            "residue",
            "recurrent",
            "recurrence",
            "remnant",
            "remaining",
            "persistent",
            "progressive",
        ),
        *("progression", "regrowth", "relapse", "relapsed", "new", "partial", "subtotal", "incomplete"),
        *("growing", "increasing", "enlarging", "there", "planning", "before", "preoperative", "biopsy"),
    ]
)
AFTER = re.compile(r"\b(?:after|post|s/p)\b", re.IGNORECASE)
SINCE = frozenset(["with", "now", "currently", ",", ";", "presenting", "showing", "but", "new"])


def operated(concept: Concept, norms: Sequence[str]) -> bool:
    """Whether a title that says "post-op" says it of a finding: of a tumour, unless the words state what is
    seen or say that some of it is left."""
    return bool(REMOVABLE & {concept.name, *concept.parents}) and not (FINITE | REMAINING) & {*norms}


def says_after(cue: str) -> bool:
    """Whether the words of a cue say after what: "condition after", "s/p"."""
    return AFTER.search(cue) is not None


def since(words: Words, cue: tuple[int, int], end: int) -> int:
    """Index of the word behind which is told what is there now, where the words of a cue (first, last) say
    after what: the "with" of "condition after pneumonia with left effusion"; ``end`` where there is none."""
    if not says_after(words.text[slice(*words.span(*cue))]):
        return end
    return next((i for i in range(cue[1] + 1, end) if words.norms[i] in SINCE), end)
