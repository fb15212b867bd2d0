"""Parts of organs that somebody asks for: of "the left lower lobe" the lung is no answer."""

from collections.abc import Sequence
from functools import cache

from medsegr.findings import Finding
from medsegr.report import lexicon

SIDED = ("left ", "right ")
BETWEEN = frozenset({"the", "a", "left", "right", "both", "this", "that", "patient"})  # "of" and its organ
# Told apart from the vessel that a model learned by where they lie along it, which no picture of it shows.
ALIKE = frozenset({"common carotid artery", "internal carotid artery", "external carotid artery"})


def part_asked(finding: Finding) -> str | None:
    """The part of its organ that a finding asks for ("left lower lobe of lung"); None where the organ itself
    is meant, or no organ.

    Organs are findings only where somebody asks for them by name. A place within one tells then what of it is
    wanted; where a finding lies in it, the finding is what is asked for, and not the organ.
    """
    concept = lexicon.concepts().get(finding.name)
    if concept is None or concept.kind != "anatomy":
        return None
    within, tail = _parts().get(finding.name, frozenset()) | {"hilum"}, f" of {finding.name}"
    told = finding.location.anatomy
    return next((name for name in told if _sideless(name) in within or name.endswith(tail)), None)


def portion(norms: Sequence[str], organ: int) -> str | None:
    """What stands before "of" and the organ that begins at word ``organ``: "half" of "upper half of the left
    lung", whatever the lexicon knows of halves. None where all of it is meant, or nothing stands there."""
    at = organ - 1
    while at > 0 and norms[at] in BETWEEN:
        at -= 1
    if at < 1 or norms[at] != "of" or norms[at - 1] not in lexicon.word_list("portions"):
        return None
    return None if lexicon.word_list("all_of") & {*norms[max(0, at - 3) : at - 1]} else norms[at - 1]


@cache
def _parts() -> dict[str, frozenset[str]]:
    """Names of places by the organ that they are parts of, without sides and without the organ itself."""
    found: dict[str, set[str]] = {}
    for place in lexicon.places().values():
        if place.of and place.name not in ALIKE and _sideless(place.name) != place.of:
            found.setdefault(place.of, set()).add(_sideless(place.name))
    return {organ: frozenset(names) for organ, names in found.items()}


def _sideless(name: str) -> str:
    return next((name[len(side) :] for side in SIDED if name.startswith(side)), name)
