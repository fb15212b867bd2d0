"""Findings as plain data and back, and what they say of a mirrored picture.

Plain data is the form of ``findings.json`` and of the ``attributes`` column of sample tables. The words of a
finding are made in :mod:`medsegr.report.wording`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from medsegr.errors import ReportError
from medsegr.findings import (
    COLOURS,
    COLS,
    DENSITIES,
    FORMS,
    MARGINS,
    ROWS,
    SIDES,
    SIZES,
    UNIFORMITIES,
    Finding,
    Location,
    Shape,
    SideFrame,
    Texture,
)
from medsegr.report import lexicon

SWAP = {"left": "right", "right": "left", "upper": "lower", "lower": "upper"}


def attributes_of(finding: Finding) -> dict[str, Any]:
    """Name, location, texture and shape of a finding as JSON values (schema of ``findings.json``)."""
    place, look, outline = finding.location, finding.texture, finding.shape
    return {
        "name": finding.name,
        "location": {
            "side": place.side,
            "side_frame": place.side_frame,
            "rows": list(place.rows),
            "cols": list(place.cols),
            "anatomy": list(place.anatomy),
            "spans": [list(s) for s in place.spans],
        },
        "texture": {
            "density": look.density,
            "uniformity": look.uniformity,
            "colour": look.colour,
            "spans": [list(s) for s in look.spans],
        },
        "shape": {
            "form": outline.form,
            "margin": outline.margin,
            "size_class": outline.size_class,
            "size_mm": None if outline.size_mm is None else list(outline.size_mm),
            "count": outline.count,
            "spans": [list(s) for s in outline.spans],
        },
    }


def finding_from(attributes: Mapping[str, Any], phrase: str = "", id: str = "f1") -> Finding:
    """The finding of such data; missing keys mean "not said". ``phrase`` are the words that ask for it.

    Raises:
        ReportError: a value is not in its vocabulary.
    """
    place, look, outline = (attributes.get(key) or {} for key in ("location", "texture", "shape"))
    name = str(attributes.get("name") or "")
    concept = lexicon.concepts().get(name)
    whose: Mapping[str, SideFrame] = {"viewer": "viewer", "limb": "limb"}
    side_frame = whose.get(str(place.get("side_frame")), "patient")
    size = outline.get("size_mm")
    return Finding(
        id=id,
        phrase=phrase,
        span=(0, len(phrase)),
        name=name,
        code=concept.code if concept else None,
        parents=concept.parents if concept else (),
        drawable=concept.drawable if concept else True,
        location=Location(
            _one(place, "side", SIDES),
            side_frame,
            _many(place, "rows", ROWS),
            _many(place, "cols", COLS),
            tuple(place.get("anatomy") or ()),
            _spans(place),
        ),
        texture=Texture(
            _one(look, "density", DENSITIES),
            _one(look, "uniformity", UNIFORMITIES),
            _one(look, "colour", COLOURS),
            _spans(look),
        ),
        shape=Shape(
            _one(outline, "form", FORMS),
            _one(outline, "margin", MARGINS),
            _one(outline, "size_class", SIZES),
            None if size is None else tuple(float(v) for v in size),
            outline.get("count"),
            _spans(outline),
        ),
    )


def _one(data: Mapping[str, Any], key: str, vocabulary: tuple[str, ...]) -> str | None:
    value = data.get(key)
    if value is not None and value not in vocabulary:
        raise ReportError(f"{key} is '{value}', expected one of {', '.join(vocabulary)} or null")
    return value


def _many(data: Mapping[str, Any], key: str, vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    values = data.get(key) or ()
    wrong = [v for v in values if v not in vocabulary]
    if wrong:
        raise ReportError(f"{key} holds '{wrong[0]}', expected values of {', '.join(vocabulary)}")
    return tuple(v for v in vocabulary if v in values)


def _spans(data: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    return tuple((int(a), int(b)) for a, b in data.get("spans") or ())


def flip_all(findings: Sequence[Finding], axis: str) -> tuple[Finding, ...]:
    """What the findings say of the flipped image, in their order; see :func:`flip`."""
    return tuple(flip(finding, axis) for finding in findings)


def flip(finding: Finding, axis: str) -> Finding:
    """What the finding says of the flipped image. ``axis``: ``horizontal`` swaps left and right,
    ``vertical`` upper and lower.

    Sides change in either frame, since the picture shows the body mirrored; words and spans stay those of
    the report, and
    names of places lose their side where the flip changes it. Twice is the same as never for side, rows and
    cols.
    """
    if axis not in ("horizontal", "vertical"):
        raise ReportError(f"cannot flip along '{axis}', expected horizontal or vertical")
    place = finding.location
    if axis == "vertical":
        return replace(
            finding,
            location=replace(
                place, rows=_swapped(place.rows, ROWS), anatomy=_renamed(place.anatomy, ("upper", "lower"))
            ),
        )
    side = SWAP.get(place.side or "", place.side)
    flipped = replace(
        place, side=side, cols=_swapped(place.cols, COLS), anatomy=_renamed(place.anatomy, ("left", "right"))
    )
    return replace(finding, location=flipped)


def _swapped(values: tuple[str, ...], vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    swapped = {SWAP.get(v, v) for v in values}
    return tuple(v for v in vocabulary if v in swapped)


def _renamed(names: tuple[str, ...], words: tuple[str, str]) -> tuple[str, ...]:
    return tuple(" ".join(SWAP[w] if w in words else w for w in name.split(" ")) for name in names)
