"""Organs that a finding lies in by its name, and so takes no place of another finding: the gallbladder of
"left effusion and gallstones"."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from medsegr.report import lexicon
from medsegr.report.lexicon import Concept
from medsegr.report.side import Spot

GUT = frozenset(
    [
        *("colon", "ascending colon", "transverse colon", "descending colon", "sigmoid colon", "cecum"),
        *("rectum", "small bowel", "terminal ileum", "duodenum", "stomach", "oesophagus"),
    ]
)
ALONE = frozenset(  # organs of the trunk that the body has once
    ["gallbladder", "bile duct", "liver", "spleen", "pancreas", "appendix", "urinary bladder", "prostate"]
)
OF_PAIRS = frozenset(  # in an organ of the one side all the same
    [
        "ureteric jet",
        "absent ureteric jet",
        "ureterocele",
        "vesicoureteral reflux",
        "seminal vesicle invasion",
    ]
)
IN_GUT = frozenset(["diverticulosis", "diverticulitis", "colitis", "crohn disease", "bowel wall thickening"])


@cache
def _told() -> Mapping[str, frozenset[str]]:
    """Name of a finding -> the organs that it is refined by ("stone" at the gallbladder is a gallstone)."""
    found: dict[str, set[str]] = {}
    for rule in lexicon.refines():
        found.setdefault(rule.name, set()).update(rule.places)
    return MappingProxyType({name: frozenset(places) for name, places in found.items()})


def home(concept: Concept) -> frozenset[str]:
    """The organs, each of them alone in the body, that a finding lies in; empty where its name tells none."""
    if concept.name in IN_GUT:
        return GUT
    if concept.name in OF_PAIRS:
        return frozenset()
    known = lexicon.concepts()
    told = {*concept.parents} | _told().get(concept.name, frozenset())
    organs = frozenset(name for name in told if name not in known or known[name].kind == "anatomy")
    return organs if organs <= ALONE else frozenset()


def is_elsewhere(taker: Concept, giver: Concept, given: tuple[Spot, ...]) -> bool:
    """True where a finding with an organ of its own would take the place, or the mere side, of one in another
    organ."""
    own = home(taker)
    organs = {part for spot in given for place in spot.places for part in (place.name, place.of) if part}
    return bool(own) and not own & (organs or home(giver))
