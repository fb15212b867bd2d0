"""Content items of a DICOM SR as words: texts as they stand, codes and measurements as short sentences."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LONGEST = 1_000_000  # characters of one text value
_GENERIC = frozenset(  # names that say no more than that something is said
    [
        *("finding", "findings", "impression", "conclusion", "comment", "description", "text", "note"),
        *("report", "observation", "narrative", "problem", "qualitative evaluation"),
        *("specific image finding", "mass finding"),
    ]
)
_FINDINGS = frozenset(["finding", "problem", "finding type", "lesion type", "specific image finding"])
_SITES = frozenset(
    ["finding site", "location", "anatomic location", "measurement site", "target site", "site"]
)
_SIDES = frozenset(["laterality", "side"])
_SKIPPED = frozenset(
    [
        "tracking identifier",
        "activity session",
        "time point",
        "finding category",
        "measurement method",
        "derivation",
    ]
)
_DENIALS = frozenset(["absent", "absence", "no", "negative", "none", "false"]) | {"not present", "not seen"}
_PRESENCE = frozenset(
    ["presence", "presence of finding", "present", "existence", "absence", "finding presence"]
)
_SIZES = re.compile(r"diameter|axis|length|width|height|thickness|depth|size|extent", re.IGNORECASE)
_UNITS = {"[hnsf'U]": "HU", "{hounsfield unit}": "HU", "um": "µm", "1": "", "[arb'U]": ""}
_PLAIN_UNITS = frozenset(
    ["mm", "cm", "m", "mm2", "cm2", "mm3", "cm3", "ml", "mL", "l", "%", "g/ml", "ms", "s", "mm2/s", "deg"]
)
_STRUCTURE = re.compile(r"^(?:entire|structure of)\s+|\s+structure$|\s*\([^()]{1,60}\)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """One content item: ``name`` of its concept, ``value`` in words, ``unit`` of a number."""

    relation: str
    kind: str
    name: str
    value: str = ""
    unit: str = ""

    @classmethod
    def of(cls, node: Any) -> "Item":
        """The item of a pydicom data set; what it lacks is ""."""
        kind = _text(node, "ValueType")
        name = _meaning(node, "ConceptNameCodeSequence")
        relation = _text(node, "RelationshipType")
        if kind == "TEXT":
            return cls(relation, kind, name, _text(node, "TextValue"))
        if kind == "CODE":
            return cls(relation, kind, name, _meaning(node, "ConceptCodeSequence"))
        if kind == "NUM":
            measured = next(iter(node.get("MeasuredValueSequence") or ()), None)
            if measured is None:
                return cls(relation, kind, name)
            code = next(iter(measured.get("MeasurementUnitsCodeSequence") or ()), None)
            return cls(relation, kind, name, _number(measured), _unit(code))
        return cls(relation, kind, name)


def _text(node: Any, keyword: str) -> str:
    value = node.get(keyword)
    return str(value).strip()[:LONGEST] if value is not None else ""


def _meaning(node: Any, keyword: str) -> str:
    code = next(iter(node.get(keyword) or ()), None)
    return " ".join(_text(code, "CodeMeaning").split())[:200] if code is not None else ""


def _number(measured: Any) -> str:
    """At most two decimals, which is what a report would say; "" for what is no finite number."""
    try:
        value = float(measured.get("NumericValue"))
    except (TypeError, ValueError):
        return ""
    return f"{value:.2f}".rstrip("0").rstrip(".") if math.isfinite(value) and abs(value) < 1e9 else ""


def _unit(code: Any) -> str:
    if code is None:
        return ""
    value = _text(code, "CodeValue")
    if value in _UNITS:
        return _UNITS[value]
    return (
        value if value in _PLAIN_UNITS else "" if value.startswith("{") else _text(code, "CodeMeaning")[:40]
    )


def said_of(item: Item, inside: Sequence[Item], named: bool) -> str:
    """The words of an item outside measurement groups; "" for items without words.

    ``inside``: its children, which may deny it. ``named``: its concept's name belongs before the words, since
    it is no heading.
    """
    if not item.value:
        return ""
    words = f"{item.value} {item.unit}".strip()
    if item.kind == "CODE":
        if is_finding(item):
            return measured([item, *inside])
        words = f"{words}."
    elif item.kind == "NUM":
        words = f"{words}."
    label = item.name.rstrip(":") if named and item.name.lower() not in _GENERIC else ""
    return f"{label}: {words}" if label else words


def is_finding(item: Item) -> bool:
    """Whether an item says by a code what was found."""
    return item.kind == "CODE" and item.name.lower() in _FINDINGS | _GENERIC


def measured(group: Sequence[Item]) -> str:
    """A measurement group as one sentence: "Nodule in the right upper lobe, diameter 8 mm."

    ``group``: all items in it, at any depth. Texts of the group follow as they stand.
    """
    codes = [i for i in group if i.kind == "CODE" and i.value]
    finding = next((i.value for i in codes if is_finding(i)), "")
    site = next((_site(i.value) for i in codes if i.name.lower() in _SITES), "")
    side = next((i.value.lower() for i in codes if i.name.lower() in _SIDES), "")
    if side and side not in ("unilateral", "unpaired") and not re.search(r"\b(?:left|right|both)\b", site):
        site = f"both {site}" if side in ("bilateral", "right and left", "both") else f"{side} {site}".strip()
    denied = any(_denies(i) for i in codes)
    head = f"No {_lower(finding)}" if denied and finding else finding
    if head and site:
        head = f"{head} in the {site}".replace("in the both", "in both")
    head = head or site[:1].upper() + site[1:]
    numbers = [_measure(i) for i in group if i.kind == "NUM" and i.value]
    traits = [
        f"{_lower(i.name)} {_lower(i.value)}"
        for i in codes
        if i.name.lower() not in (_FINDINGS | _GENERIC | _SITES | _SIDES | _SKIPPED | _PRESENCE)
        and not _denies(i)
    ]
    parts = [part for part in (head, *sorted(numbers, key=_no_size), *traits) if part]
    sentence = f"{', '.join(parts)}." if parts else ""
    texts = [i.value for i in group if i.kind == "TEXT" and i.name.lower() not in _SKIPPED and i.value]
    return "\n".join(part for part in (sentence, *texts) if part)


def _denies(item: Item) -> bool:
    return item.name.lower() in _PRESENCE and item.value.lower() in _DENIALS


def _measure(item: Item) -> str:
    return f"{_lower(item.name)} {item.value} {item.unit}".strip()


def _no_size(measure: str) -> bool:
    return not _SIZES.search(measure)


def _lower(words: str) -> str:
    """With a small first letter, abbreviations as they are."""
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]


def _site(words: str) -> str:
    """ "Structure of upper lobe of right lung (body structure)" -> "upper lobe of right lung"."""
    before = ""
    while before != words:
        before, words = words, _STRUCTURE.sub("", words).strip()
    return _lower(words)
