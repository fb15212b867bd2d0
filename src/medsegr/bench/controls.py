"""The text controls: the same target asked with right words, without words and with wrong ones.

A text-guided method is only worth its text where right words help more than wrong words harm. Each control
is a plain function of findings; every draw comes from a generator that is seeded by run and target, so that
it does not hang on the order of the images or on a resumption.

A control that has nothing to change (no place is told, nobody else's words differ) does not apply, and no
number is made of it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from medsegr.bench.samples import Wanted, told
from medsegr.errors import ReportError, UsageError
from medsegr.report.describe import flip
from medsegr.report.parse import parse_phrase
from medsegr.report.wording import sentence
from medsegr.types import (
    COLOURS,
    COLS,
    DENSITIES,
    FORMS,
    MARGINS,
    ROWS,
    SIZES,
    UNIFORMITIES,
    Finding,
    Location,
    Shape,
    Texture,
)

CONTROLS: Mapping[str, str] = MappingProxyType(
    {
        "right": "all words that are known of the target",
        "free": "report-free: the target's name alone",
        "place": "the name with its right place",
        "opposite": "the name with the place across",
        "none": "no words at all, not even the name",
        "shuffled": "the words of another case of the set",
        "flipped": "right words, left and right exchanged",
        "wrong": "right words, 25 % of the values replaced by wrong ones",
        "few-wrong": "right words, each value replaced by a wrong one with a chance of 5 %",
        "drop-location": "right words without place and side",
        "drop-texture": "right words without density, uniformity and colour",
        "drop-shape": "right words without form, margin, size and count",
        "drop-concept": "right words without the name",
        "contradictory": "the name, and every told value replaced by one that contradicts it",
        "other": "another concept, one that such an image cannot show: nothing should be drawn",
    }
)
PLAIN = ("right", "other")  # what a method that reads no words is asked: it answers all others alike
WRONG_SHARE = 0.25
FEW_WRONG = 0.05
FOREIGN_AN_IMAGE = 2
FOREIGN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {  # words -> modalities that may show it; in all others it is foreign
        "polyp": ("ES",),
        "nucleus": ("SM", "GM"),
        "skin lesion": ("DMS",),
        "retinal vessels": ("OP",),
        "fetal head": ("US", "CT", "MR", "CR"),
        "left lung": ("CR", "CT", "MR", "PT", "XA", "US"),
        "liver": ("CR", "CT", "MR", "PT", "XA", "US"),
        "breast tumour": ("US", "MG", "MR", "CT", "PT", "CR"),
    }
)
CONTRARY: Mapping[str, str] = MappingProxyType(
    {
        "ground-glass": "consolidation",
        "consolidation": "ground-glass",
        "mixed": "iso",
        "hypo": "hyper",
        "iso": "hyper",
        "hyper": "hypo",
        "fluid": "calcified",
        "calcified": "fluid",
        "homogeneous": "heterogeneous",
        "heterogeneous": "homogeneous",
        "round": "linear",
        "oval": "linear",
        "lobulated": "rectangular",
        "irregular": "round",
        "linear": "round",
        "patchy": "round",
        "diffuse": "round",
        "triangular": "round",
        "rectangular": "round",
        "smooth": "spiculated",
        "ill-defined": "smooth",
        "spiculated": "smooth",
        "tiny": "large",
        "small": "large",
        "medium": "tiny",
        "large": "tiny",
        "left": "right",
        "right": "left",
        "bilateral": "midline",
        "midline": "bilateral",
    }
)
_LISTS = {
    "density": DENSITIES,
    "uniformity": UNIFORMITIES,
    "colour": COLOURS,
    "form": FORMS,
    "margin": MARGINS,
    "size_class": SIZES,
}


@dataclass(frozen=True, slots=True)
class Other:
    """What a target of another case says."""

    sample: str
    group: str
    set: str
    finding: Finding


def named(text: str) -> tuple[str, ...]:
    """The controls of a list with commas, ``all`` for all of them; ``right``, which others are compared
    with, is always among them. UsageError for a name that is none."""
    asked = (
        list(CONTROLS)
        if text.strip() == "all"
        else [word.strip() for word in text.split(",") if word.strip()]
    )
    unknown = [word for word in asked if word not in CONTROLS]
    if unknown:
        raise UsageError(f"controls: '{unknown[0][:40]}' is not known; known are all, {', '.join(CONTROLS)}")
    return tuple(name for name in CONTROLS if name in ("right", *asked))


def generator(*words: object) -> np.random.Generator:
    """A generator that hangs on these words alone."""
    digest = hashlib.sha256("\x1f".join(map(str, words)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def controlled(wanted: Wanted, others: Sequence[Other], rng: np.random.Generator) -> dict[str, Finding]:
    """Control -> what is asked for, of those that apply to one target (all but ``other``).

    ``others`` are the candidates whose words may take its place, see :func:`strangers`. A target that is not
    in the image is asked for by its right words and its name only.
    """
    right, free = wanted.finding, replace(wanted.name, phrase=wanted.name.name)
    asked: dict[str, Finding | None] = {"right": right, "free": free}
    if wanted.mask.any():
        placed = replace(free, location=right.location) if _has_place(right.location) else None
        asked |= {
            "place": placed,
            "opposite": None if placed is None else _changed(placed, across(placed, right_name=wanted.name)),
            "none": Finding("f1", "", (0, 0), ""),
            "shuffled": shuffled(right, others, rng),
            "flipped": _changed(right, flip(right, "horizontal")),
            "wrong": _changed(right, some_wrong(right, rng)),
            "few-wrong": few_wrong(right, rng) if any(_values(right)) else None,
            "drop-location": _changed(right, replace(right, location=wanted.name.location)),
            "drop-texture": _changed(right, replace(right, texture=Texture())),
            "drop-shape": _changed(right, replace(right, shape=Shape())),
            "drop-concept": replace(right, name="", code=None, parents=()) if any(_values(right)) else None,
            "contradictory": _changed(right, contradictory(right, wanted.name)),
        }
    return {name: finding for name, finding in asked.items() if finding is not None}


def worded(finding: Finding) -> Finding:
    """The finding with a phrase that says it, for methods that read raw words; the bare name where it cannot
    be said. Each sentence is read back before it is used, which takes a while."""
    if not finding.name:
        return replace(finding, phrase="", span=(0, 0), mentions=())
    try:
        words = sentence(finding)
    except ReportError:
        words = finding.name
    return replace(finding, phrase=words, span=(0, len(words)), mentions=())


def strangers(own: Other, everyone: Sequence[Other]) -> list[Other]:
    """Targets of other groups that say something else, of the same set where there are any."""
    far = [o for o in everyone if o.group != own.group and says(o.finding) != says(own.finding)]
    near = [o for o in far if o.set == own.set]
    return near or far


def shuffled(right: Finding, others: Sequence[Other], rng: np.random.Generator) -> Finding | None:
    """The words of one of the others, drawn at random; None where there is none."""
    if not others:
        return None
    return replace(others[int(rng.integers(len(others)))].finding, id=right.id, polarity="present")


def across(finding: Finding, right_name: Finding) -> Finding:
    """The place across: rows and columns mirrored at the centre (the centre itself becomes the upper left), a
    side exchanged unless it is part of the organ's name."""
    where = finding.location
    own = right_name.location.side
    side = own if own is not None else CONTRARY.get(where.side or "", where.side)
    rows = tuple(v for v in ROWS if v in {ROWS[2 - ROWS.index(row)] for row in where.rows})
    cols = tuple(v for v in COLS if v in {COLS[2 - COLS.index(col)] for col in where.cols})
    if rows == where.rows and cols == where.cols and side == where.side:
        rows = (ROWS[0],) if where.rows else ()
        cols = (COLS[0],) if where.cols else ()
    return replace(finding, location=Location(side, where.side_frame, rows, cols))


def contradictory(finding: Finding, name: Finding) -> Finding:
    """Every told value replaced by one that contradicts it; named places are left out, the name stays."""
    look, outline = finding.texture, finding.shape
    size = outline.size_mm
    return replace(
        across(finding, name),
        texture=Texture(
            _contrary(look.density),
            _contrary(look.uniformity),
            None if look.colour is None else COLOURS[(COLOURS.index(look.colour) + 5) % len(COLOURS)],
        ),
        shape=Shape(
            _contrary(outline.form),
            _contrary(outline.margin),
            _contrary(outline.size_class),
            None if size is None else tuple(round(v * (0.2 if max(size) > 15 else 5), 2) for v in size),
            None if outline.count is None else (1 if outline.count > 3 else outline.count * 4),
        ),
    )


def _contrary(value: str | None) -> str | None:
    return None if value is None else CONTRARY[value]


def some_wrong(finding: Finding, rng: np.random.Generator) -> Finding:
    """``WRONG_SHARE`` of the told values (at least one), drawn at random, each replaced by another of its
    kind."""
    keys = [key for key, value in zip(_KEYS, _values(finding), strict=True) if value]
    count = max(1, round(WRONG_SHARE * len(keys))) if keys else 0
    for key in rng.choice(keys, size=count, replace=False).tolist() if keys else ():
        finding = _with_wrong(finding, key, rng)
    return finding


def few_wrong(finding: Finding, rng: np.random.Generator) -> Finding:
    """Each told value with a chance of ``FEW_WRONG`` replaced by another of its kind: most findings stay as
    they were, so that a mean over targets tells what reports cost in which so many values are wrong."""
    for key, value in zip(_KEYS, _values(finding), strict=True):
        if value and rng.random() < FEW_WRONG:
            finding = _with_wrong(finding, key, rng)
    return finding


_KEYS = ("side", "rows", "cols", *_LISTS, "size_mm", "count")


def _values(finding: Finding) -> tuple[Any, ...]:
    where, look, outline = finding.location, finding.texture, finding.shape
    return (
        *(where.side, where.rows, where.cols),
        *(getattr(look, key) for key in ("density", "uniformity", "colour")),
        *(getattr(outline, key) for key in ("form", "margin", "size_class", "size_mm", "count")),
    )


def _with_wrong(finding: Finding, key: str, rng: np.random.Generator) -> Finding:
    where, look, outline = finding.location, finding.texture, finding.shape

    def another(pool: Sequence[str], known: Sequence[str]) -> str:
        left = [value for value in pool if value not in known] or list(pool)
        return left[int(rng.integers(len(left)))]

    if key == "side":
        return replace(finding, location=replace(where, side=CONTRARY[where.side or "left"], anatomy=()))
    if key in ("rows", "cols"):
        pool = ROWS if key == "rows" else COLS
        value = (another(pool, getattr(where, key)),)
        return replace(finding, location=replace(where, anatomy=(), **{key: value}))  # type: ignore[arg-type]
    if key == "size_mm":
        factor = 4.0 if rng.random() < 0.5 else 0.25
        size = tuple(round(v * factor, 2) for v in outline.size_mm or ())
        return replace(finding, shape=replace(outline, size_mm=size))
    if key == "count":
        return replace(finding, shape=replace(outline, count=(outline.count or 0) + 3))
    part: Any = look if key in ("density", "uniformity", "colour") else outline
    changed = replace(part, **{key: another(_LISTS[key], (getattr(part, key),))})
    return replace(finding, texture=changed) if part is look else replace(finding, shape=changed)


def foreign(
    modality: str | None,
    own: Sequence[str],
    rng: np.random.Generator,
    known: Callable[[Finding], bool] = lambda _finding: True,
) -> list[Finding]:
    """Concepts that an image of this modality cannot show and that are not its own, ``FOREIGN_AN_IMAGE`` of
    them at random; fewer where fewer are sure, none where the modality is not known. ``known``: which ones
    may be asked for."""
    if modality is None:
        return []
    pool = [words for words, seen in FOREIGN.items() if modality not in seen]
    found = [parse_phrase(words).findings[0] for words in pool]
    left = [finding for finding in found if finding.name not in own and known(finding)]
    picks = rng.permutation(len(left))[:FOREIGN_AN_IMAGE]
    return [left[i] for i in sorted(picks.tolist())]


def _has_place(where: Location) -> bool:
    return bool(where.side or where.rows or where.cols)


def says(finding: Finding) -> tuple[object, ...]:
    """Name and values of a finding, equal where two say the same whatever their words."""
    return (finding.name, *told(finding))


def _changed(before: Finding, after: Finding) -> Finding | None:
    return after if says(before) != says(after) else None
