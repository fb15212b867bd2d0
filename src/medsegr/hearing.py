"""What the network hears of a finding: from the report's lexicon to attribute codes. No torch here."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from medsegr.reasoning.codes import Code, codes_of
from medsegr.report.lexicon import concepts, places
from medsegr.types import Finding, Location


@cache
def _organs() -> Mapping[str, str]:
    return MappingProxyType({place.name: place.of for place in places().values() if place.of})


def _organ_in(name: str) -> tuple[str, ...]:
    """The organ that a finding's name begins with, if any."""
    concept, place = concepts().get(name), places().get((name.partition(" ")[0],))
    finding = concept is not None and concept.kind == "finding"
    return (place.name,) if finding and place is not None and place.name in concepts() else ()


def heard(
    finding: Finding, modality: str | None, patient_left: str | None, extent_mm: float | None = None
) -> tuple[Code, ...]:
    """The codes of a finding as the network hears them: named places become the organ that they are a part
    of, since side and thirds already say the rest, and an organ in the name ("breast tumour") counts as told:
    "fibroadenoma" is the same question. Arguments as of :func:`medsegr.reasoning.codes.codes_of`."""
    where = finding.location if finding.polarity != "absent" else Location()  # a denied place must not act
    named = (*where.anatomy, *_organ_in(finding.name)) if finding.polarity != "absent" else ()
    organs = dict.fromkeys(_organs().get(name, name) for name in named)
    plain = replace(finding, location=replace(where, anatomy=tuple(organs)))
    return codes_of(plain, modality, patient_left, extent_mm)
