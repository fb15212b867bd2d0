"""One thing named twice in a statement: "the lesion in the upper half is a small pink papule"."""

from collections.abc import Sequence

from medsegr.report.anew import DENIERS
from medsegr.report.builds import Candidate
from medsegr.report.match import Words
from medsegr.report.regions import ARTICLES

GENERAL = frozenset(  # concepts of words that tell no more than that something is there
    [
        *("lesion", "nodule", "mass", "plaque"),
        *("skin lesion", "skin plaque", "breast mass", "breast finding"),
    ]
)
BEING = frozenset(["is", "was", "appears", "appear", "presents"])
PARTING = (  # what stands between a thing and its name, or makes it doubtful that they are one
    DENIERS
    | {"not", "nor", "but", ";", "with", "of", "in", "on", "at", "beside", "near", "and", "there", "than"}
    | {"possible", "possibly", "probable", "probably", "likely", "may", "could", "suspected", "versus"}
)
LINKING = PARTING - {"of", "in", "on", "at", "near", "and", "with"}  # beside its place: "in the upper half"
DASHES = frozenset(["-", "\u2013", "\u2014"])
ANEW = frozenset(["second", "another", "other", "further", "new", "additional", "separate"])
LOOK = 6  # words of a look between two dashes
LONGEST = 16  # words between the two names


def identified(named: Sequence[Candidate], words: Words) -> list[Candidate]:
    """The candidates, two of which one is said to be the other as one: its place is told with the first name
    and its look with the second."""
    out: list[Candidate] = []
    for item in named:
        before = out[-1] if out else None
        if before is not None and _is_apposed(before, item, words):
            out[-1] = Candidate(before.concept, (*before.parts, *item.parts))
        elif before is not None and _is_one(before, item, words):
            wide = item.concept.name == "lesion" or item.concept.name in before.concept.parents
            concept = before.concept if wide else item.concept
            out[-1] = Candidate(concept, (*before.parts, *item.parts))
        else:
            out.append(item)
    return out


def _is_apposed(one: Candidate, two: Candidate, words: Words) -> bool:
    """True for the blotch of "a haematoma - purple-black blotch - under the nail": the look of what is
    named before the dash."""
    norms = words.norms
    between, behind = norms[one.last : two.first], norms[two.last : two.last + 1]
    told = two.concept.name in GENERAL | {"structureless area"} and one.concept.kind == "finding"
    dashed = between[:1] != () and between[0] in DASHES and behind != () and behind[0] in DASHES
    return told and dashed and len(between) <= LOOK and not (PARTING | ANEW) & {*between}


def _is_one(one: Candidate, two: Candidate, words: Words) -> bool:
    """True for the two names around "is a", with words of look alone behind it."""
    between = words.norms[one.last : two.first]
    if not {one.concept.name, two.concept.name} <= GENERAL or len(between) > LONGEST:
        return False
    at = next((i for i in reversed(range(len(between))) if between[i] in BEING | {":"}), None)
    if at is None or LINKING & {*between[:at]} or BEING & {*between[:at]}:
        return False
    told = between[at + 1 :]
    if between[at] != ":":
        told = told[told[:1] == ("as",) :]
        if not told or told[0] not in ARTICLES:
            return False
    return not (PARTING - {"and"}) & {*told} and "." not in told
