"""What the network hears of a finding: from the report's lexicon to attribute codes. No torch here."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any

from medsegr.modality.kinds import firm
from medsegr.reasoning.codes import Code, codes_of
from medsegr.report.lexicon import concepts, paired, places
from medsegr.report.parse import parse_phrase
from medsegr.types import Finding, Location

# Colours were learned of made bodies alone, and these are such pictures. No skin lesion was drawn better by
# its colour (docs/log.md, "colours of skin").
TINTED = ("ES", "SM", "GM", None)
UPRIGHT = ("CR", "XA", None)  # what is above in the patient is above in the picture


@cache
def _organs() -> Mapping[str, str]:
    return MappingProxyType({place.name: place.of for place in places().values() if place.of})


@cache
def _rows() -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({place.name: place.rows for place in places().values() if place.rows})


def _organ_in(name: str) -> tuple[str, ...]:
    """The organ that a finding's name begins with, if any."""
    concept, place = concepts().get(name), places().get((name.partition(" ")[0],))
    finding = concept is not None and concept.kind == "finding"
    return (place.name,) if finding and place is not None and place.name in concepts() else ()


def _unsided(place: str) -> str:
    """A place without its side: what is known of "right lower inner quadrant" is known of the quadrant."""
    return place if place in _rows() or place in _organs() else place.partition(" ")[2] or place


def rows_in_picture(where: Location, modality: str | None) -> tuple[str, ...]:
    """The thirds that words tell of a picture's height: not how high a named place lies where pictures are
    not upright (the caecum in an endoscopy, a quadrant or an hour of the breast, a pole in a slice)."""
    if modality in UPRIGHT:
        return where.rows
    if modality == "MG" and any(place.endswith("o'clock") for place in where.anatomy):
        return ()
    high = {row for place in where.anatomy for row in _rows().get(_unsided(place), ())}
    return tuple(row for row in where.rows if row not in high)


def _telling(where: Location, name: str, modality: str | None) -> Location:
    """A finding's place without what tells nothing of where it lies in the picture: both sides, the side of
    an organ that the body has once, the lung of what is found in lungs only, and :func:`rows_in_picture`."""
    concept = concepts().get(name)
    side = where.side
    organs = tuple(dict.fromkeys(_organs().get(_unsided(place), place) for place in where.anatomy))
    if concept is not None and concept.kind == "finding":
        side = None if side == "bilateral" else side
        organs = tuple(organ for organ in organs if (organ, concept.field) != ("lung", "chest"))
    elif concept is not None and concept.kind == "anatomy" and name not in paired():
        side = None
    return replace(where, side=side, rows=rows_in_picture(where, modality), anatomy=organs)


def heard(
    finding: Finding, modality: str | None, patient_left: str | None, extent_mm: float | None = None
) -> tuple[Code, ...]:
    """The codes of a finding as the network hears them: named places become the organ that they are a part
    of, since side and thirds already say the rest; an organ in the name ("breast tumour") counts as told, so
    that "fibroadenoma" is the same question; what says nothing of the place in the picture is left out, and a
    colour in pictures of which none was learned.
    Arguments as of :func:`medsegr.reasoning.codes.codes_of`."""
    denied = finding.polarity == "absent"  # a denied place must not act
    where = Location() if denied else finding.location
    named = replace(where, anatomy=where.anatomy if denied else (*where.anatomy, *_organ_in(finding.name)))
    concept = concepts().get(finding.name)
    spread = finding.shape.form == "patchy" and concept is not None and concept.field == "chest"
    shape = replace(finding.shape, form=None) if spread else finding.shape  # "multifocal" is no outline
    texture = finding.texture if modality in TINTED else replace(finding.texture, colour=None)
    where = _telling(named, finding.name, modality)
    plain = replace(finding, location=where, texture=texture, shape=shape)
    return codes_of(plain, modality, patient_left, extent_mm)


def renamed(finding: Finding, name: str) -> Finding:
    """The finding as if it were told by another concept's name, with the density that stands in that name."""
    said = next(iter(parse_phrase(name).findings), finding).texture.density
    texture = replace(finding.texture, density=said or finding.texture.density)
    return replace(finding, name=name, parents=concepts()[name].parents, texture=texture)


def elsewhere(finding: Finding, name: str) -> bool:
    """Whether the finding is told in an organ of another part of the body than ``name`` is found in: a lesion
    "in the pancreas" is none of the breast."""
    known = concepts()
    organs = [known[place] for place in finding.location.anatomy if place in known]
    return any(organ.modalities and organ.field != known[name].field for organ in organs)


def same_kind(one: str, other: str) -> bool:
    """Whether two concepts are both findings, or both organs or devices; also where the other is unknown."""
    known = concepts()
    return one in known and (other not in known or known[one].kind == known[other].kind)


def wider(finding: Finding, card: Mapping[str, Any]) -> Finding:
    """The finding by the next wider name of its kind, where a checkpoint learned only that, and from real
    images: a melanoma is heard as a skin lesion, not as the tumour that it is, too."""
    names = () if finding.name in card["concepts"] else finding.parents[:1]
    found = [name for name in names if firm(card, name, None) and same_kind(name, finding.name)]
    return renamed(finding, found[0]) if found else finding
