"""Which words may tell the size and look of a finding: not those that measure the organ that it lies in."""

from collections.abc import Sequence

from medsegr.report.builds import Candidate
from medsegr.report.sentence import Sentence
from medsegr.report.side import LARGER
from medsegr.report.values import size_mm

HOLDING = frozenset(["and", "with", "contain", "contains", "containing", "&"])
MEASURING = frozenset(["x", "by", "mm", "cm", "ml", "cc", ":", ".", "measure", "measures", "measuring", "is"])


def own_words(sentence: Sentence, item: Candidate) -> tuple[int, int]:
    """First and last word index of what may describe a finding: neither the size of an organ told before it
    ("9 mm appendix and fat stranding") nor that of the organ that is measured ("liver: 15 cm, cyst 2 cm")."""
    low, high = item.region
    norms = sentence.words.norms
    for organ in sentence.anatomy:
        joints = [i for i in range(organ.last, item.first) if norms[i] == "and"]
        if low <= organ.first and joints and size_mm(sentence.words, (low, organ.first))[0]:
            low = joints[0] + 1
    for place in sentence.elements:  # "the left kidney measures 11 cm and contains a cyst"
        joints = [i for i in range(place.last, item.first) if norms[i] in HOLDING]
        if place.place is None or place.first < low:
            continue
        low = max(low, _behind_size(sentence, place.last, item))
        if not joints or (norms[joints[0]] != "with" and LARGER & {*norms[low : place.first]}):
            continue  # of "the largest, in the lung, measures 2 cm and enhances" it is the finding's
        if size_mm(sentence.words, (place.last, joints[0]))[0]:
            low = max(low, joints[0] + 1)
    if sentence.under and low == 0:  # "Spleen: 11 cm, ..." without its heading
        low = _behind_size(sentence, 0, item)
    return low, high


def _behind_size(sentence: Sentence, first: int, item: Candidate) -> int:
    """Index behind the comma of a mere size that begins at a word, where the finding has another one; 0 for
    none."""
    norms = sentence.words.norms
    end = _while_measured(norms, first, item.first)
    told = norms[end : end + 1] == (",",) and size_mm(sentence.words, (first, end))[0]
    return end + 1 if told and size_mm(sentence.words, (end + 1, item.region[1]))[0] else 0


def _while_measured(norms: Sequence[str], first: int, last: int) -> int:
    """Index of the first word from ``first`` on that is no part of a size."""
    plain = (
        i for i in range(first, last) if norms[i] not in MEASURING and not norms[i].lstrip("x")[:1].isdigit()
    )
    return next(plain, last)
