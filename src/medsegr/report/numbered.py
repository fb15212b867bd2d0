"""Ribs and vertebrae told by their number: "the 6th, 7th and 8th ribs", "ribs 6 and 7", "the ninth thoracic
vertebra"."""

from medsegr.report.lexicon import Place

ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
]
IN_LIST = frozenset(  # of numbered ribs
    ["th", "st", "nd", "rd", ",", "and", "&", "to", *map(str, range(1, 13))]
)
REGIONS = (("thoracic", "T"), ("lumbar", "L"), ("cervical", "C"), ("sacral", "S"))


def numbered_bone(norms: tuple[str, ...], at: int) -> Place | None:
    """The bone that the number at index ``at`` tells; None where it tells none."""
    if norms[at] not in ORDINALS and not _is_ordinal(norms, at):
        return None
    number = ORDINALS.index(norms[at]) + 1 if norms[at] in ORDINALS else int(norms[at])
    rest = norms[max(0, at - 1) : at] if norms[at].isdecimal() else ()
    rest += norms[at + 1 : at + 5]
    if "rib" in rest or _in_list_of_ribs(norms, at):
        return Place(f"rib {number}", of="rib")
    spinal = (letter for region, letter in REGIONS if region in rest and "vertebra" in rest)
    letter = next(spinal, "")
    return Place(f"{letter}{number} vertebra", of="vertebra") if letter else None


def _is_ordinal(norms: tuple[str, ...], at: int) -> bool:
    if not norms[at].isdecimal() or len(norms[at]) > 2:
        return False
    return norms[at + 1 : at + 2] in (("th",), ("st",), ("nd",), ("rd",)) or (
        at > 0 and (norms[at - 1] == "rib" or _in_list_of_ribs(norms, at))
    )


def _in_list_of_ribs(norms: tuple[str, ...], at: int) -> bool:
    """True for the 6 of "the 6th, 7th and 8th ribs" and the 8 of "ribs 6, 7 and 8", not of "rib 6, 8 mm"."""
    ahead = at + 1
    while ahead < len(norms) and (norms[ahead] in IN_LIST or norms[ahead] in ORDINALS):
        ahead += 1
    if norms[ahead : ahead + 1] == ("rib",) or norms[ahead : ahead + 2] in (
        ("left", "rib"),
        ("right", "rib"),
    ):
        return True
    behind = at - 1
    while behind > 0 and norms[behind] in IN_LIST:
        behind -= 1
    unit = norms[at + 1 : at + 2] in (("mm",), ("cm",), ("x",), ("%",))
    return norms[behind] == "rib" and behind < at - 1 and not unit
