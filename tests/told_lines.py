"""Readings as one line of a table: ``nodule(right;upper), mass``."""

import re

from medsegr.types import Finding

_WANTED = re.compile(r"([^(),]+)(?:\(([^()]*)\))?(?:,|$)")


def wanted(words: str) -> list[tuple[str, ...]]:
    """``"nodule(right;upper), mass"`` -> name, side, rows, cols of each; "" where nothing is told."""
    found = []
    for name, place in _WANTED.findall(words):
        side, rows, cols = [*(part.strip() for part in place.split(";")), "", "", ""][:3]
        found.append((name.strip(), side, rows, cols))
    return sorted(found)


def told(finding: Finding) -> tuple[str, ...]:
    """Name, side, rows and cols of a finding, as :func:`wanted` gives them."""
    place = finding.location
    return finding.name, place.side or "", " ".join(place.rows), " ".join(place.cols)
