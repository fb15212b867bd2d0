"""What can lie in each kind of phantom: concepts with the looks they take. Data, read by ``plan``."""

from dataclasses import dataclass, replace

from medsegr.findings import SIZES

Choice = dict[str | None, float]  # value -> weight

# Share of the image that a size class covers, lower and upper; the gaps keep the words unmistakable.
AREAS = {
    "tiny": (0.0018, 0.0034),
    "small": (0.0045, 0.010),
    "medium": (0.014, 0.027),
    "large": (0.036, 0.074),
}

UNIFORMITY: Choice = {"homogeneous": 0.6, "heterogeneous": 0.4}


@dataclass(frozen=True, slots=True)
class Look:
    """How one lesion looks, in words of ``medsegr.types``; None where the kind has no such attribute."""

    density: str | None
    uniformity: str | None
    colour: str | None
    form: str
    margin: str
    size_class: str


@dataclass(frozen=True, slots=True)
class Concept:
    """A lexicon concept, the nouns that people write for it, and the weights of its attribute values."""

    name: str
    nouns: tuple[str, ...]
    weight: float
    density: Choice
    form: Choice
    margin: Choice
    size: Choice
    colour: Choice
    uniformity: Choice


NO: Choice = {None: 1.0}
ANY_FORM: Choice = {"round": 3, "oval": 3, "lobulated": 2, "irregular": 3, "linear": 0.6, "triangular": 0.4}
ANY_MARGIN: Choice = {"smooth": 3, "ill-defined": 2, "spiculated": 0.7}
ANY_SIZE: Choice = {"tiny": 1, "small": 3, "medium": 3, "large": 2}

CHEST = (
    Concept(
        name="opacity",
        nouns=("opacity", "density"),
        weight=3,
        density={None: 1, "ground-glass": 1},
        form={"patchy": 3, "oval": 2, "irregular": 3, "linear": 1.5, "triangular": 1},
        margin={"ill-defined": 3, "smooth": 1},
        size={"small": 3, "medium": 4, "large": 2},
        colour=NO,
        uniformity=UNIFORMITY,
    ),
    Concept(
        name="consolidation",
        nouns=("consolidation", "airspace consolidation"),
        weight=2,
        density={"consolidation": 1},
        form={"patchy": 2, "irregular": 3, "lobulated": 1, "triangular": 1, "oval": 1},
        margin={"ill-defined": 3, "smooth": 1},
        size={"small": 2, "medium": 4, "large": 3},
        colour=NO,
        uniformity=UNIFORMITY,
    ),
    Concept(
        name="ground-glass opacity",
        nouns=("ground-glass opacity", "ground glass opacity"),
        weight=2,
        density={"ground-glass": 1},
        form={"patchy": 3, "irregular": 3, "oval": 2, "round": 1},
        margin={"ill-defined": 4, "smooth": 1},
        size={"small": 2, "medium": 4, "large": 3},
        colour=NO,
        uniformity=UNIFORMITY,
    ),
    Concept(
        name="nodule",
        nouns=("nodule", "pulmonary nodule"),
        weight=3,
        density={None: 1},
        form={"round": 4, "oval": 2, "lobulated": 1},
        margin={"smooth": 3, "spiculated": 1.3, "ill-defined": 1},
        size={"tiny": 3, "small": 3},
        colour=NO,
        uniformity={"homogeneous": 1},
    ),
    Concept(
        name="calcified granuloma",
        nouns=("calcified granuloma",),
        weight=1,
        density={"calcified": 1},
        form={"round": 4, "oval": 2},
        margin={"smooth": 1},
        size={"tiny": 4, "small": 2},
        colour=NO,
        uniformity={"homogeneous": 1},
    ),
    Concept(
        name="mass",
        nouns=("mass", "lung mass"),
        weight=2,
        density={None: 1},
        form={"round": 2, "oval": 2, "lobulated": 2, "irregular": 2},
        margin={"smooth": 2, "spiculated": 2, "ill-defined": 1},
        size={"medium": 3, "large": 2},
        colour=NO,
        uniformity=UNIFORMITY,
    ),
)

_CT_LESION: Choice = {"hypo": 5, "hyper": 2.5, "calcified": 0.7}
ABDOMEN = (
    Concept(
        name="liver lesion",
        nouns=("liver lesion", "hepatic lesion"),
        weight=4,
        density=_CT_LESION,
        form={"round": 3, "oval": 3, "lobulated": 2, "irregular": 2.5},
        margin=ANY_MARGIN,
        size={"tiny": 2, "small": 3, "medium": 3, "large": 0.7},
        colour=NO,
        uniformity=UNIFORMITY,
    ),
    Concept(
        name="lesion",
        nouns=("lesion", "focal lesion"),
        weight=2,
        density=_CT_LESION,
        form={"round": 3, "oval": 3, "lobulated": 1, "irregular": 2},
        margin=ANY_MARGIN,
        size={"tiny": 3, "small": 3},
        colour=NO,
        uniformity=UNIFORMITY,
    ),
    Concept(
        name="kidney cyst",
        nouns=("renal cyst", "kidney cyst", "cyst"),
        weight=3,
        density={"fluid": 1},
        form={"round": 3, "oval": 2},
        margin={"smooth": 1},
        size={"tiny": 2, "small": 3, "medium": 0.6},
        colour=NO,
        uniformity={"homogeneous": 1},
    ),
    Concept(
        name="kidney tumour",
        nouns=("renal tumour", "kidney tumour", "renal tumor"),
        weight=1.5,
        density={"hyper": 1.5, "hypo": 1},
        form={"round": 2, "lobulated": 2, "irregular": 2},
        margin=ANY_MARGIN,
        size={"tiny": 1, "small": 3},
        colour=NO,
        uniformity=UNIFORMITY,
    ),
)

_POLYP_COLOUR: Choice = {"red": 3, "pink": 2, "white": 2, "yellow": 1, "brown": 1, "purple": 0.7}
MUCOSA = (
    Concept(
        name="polyp",
        nouns=("polyp",),
        weight=4,
        density=NO,
        form={"round": 4, "oval": 4, "lobulated": 3, "irregular": 1.5},
        margin={"smooth": 4, "ill-defined": 1},
        size=ANY_SIZE,
        colour=_POLYP_COLOUR,
        uniformity=UNIFORMITY,
    ),
    Concept(
        name="ulcer",
        nouns=("ulcer", "ulceration"),
        weight=1.6,
        density=NO,
        form={"round": 1.5, "oval": 3, "irregular": 4, "linear": 1.2},
        margin={"smooth": 2, "ill-defined": 2},
        size={"tiny": 1, "small": 3, "medium": 3, "large": 1},
        colour={"white": 2, "yellow": 3},
        uniformity=UNIFORMITY,
    ),
)

ULTRASOUND = (
    Concept(
        name="cyst",
        nouns=("cyst", "simple cyst"),
        weight=3,
        density={"fluid": 1},
        form={"round": 3, "oval": 4, "lobulated": 1},
        margin={"smooth": 1},
        size={"tiny": 1, "small": 3, "medium": 3, "large": 2},
        colour=NO,
        uniformity={"homogeneous": 1},
    ),
    Concept(
        name="breast mass",
        nouns=("breast mass",),
        weight=3,
        density={"hypo": 5, "hyper": 1.2, "iso": 0.3},
        form={"oval": 4, "round": 2, "irregular": 4, "lobulated": 3},
        margin=ANY_MARGIN,
        size={"tiny": 0.5, "small": 3, "medium": 3, "large": 3},
        colour=NO,
        uniformity=UNIFORMITY,
    ),
    Concept(
        name="lesion",
        nouns=("lesion", "focal lesion"),
        weight=2,
        density={"hypo": 3, "hyper": 2, "fluid": 0.5},
        form=ANY_FORM,
        margin=ANY_MARGIN,
        size=ANY_SIZE,
        colour=NO,
        uniformity=UNIFORMITY,
    ),
)

CELLS = (
    Concept(
        name="cell cluster",
        nouns=("cell cluster", "cluster of cells"),
        weight=1,
        density=NO,
        form={"round": 3, "oval": 3, "lobulated": 2, "irregular": 3, "linear": 1.5},
        margin={"smooth": 3, "ill-defined": 1.5},
        size={"small": 3, "medium": 3, "large": 2.5},
        colour={"purple": 2, "blue": 2, "brown": 2, "red": 1.5},
        uniformity=UNIFORMITY,
    ),
)
FLUORESCENT = (replace(CELLS[0], colour={"green": 2, "red": 2, "blue": 1.5, "white": 1, "yellow": 1}),)

CONCEPTS = {"chest": CHEST, "abdomen": ABDOMEN, "mucosa": MUCOSA, "ultrasound": ULTRASOUND, "cells": CELLS}

_FAR_DENSITY = {
    frozenset(pair)
    for pair in (
        ("hypo", "hyper"),
        ("hypo", "calcified"),
        ("ground-glass", "consolidation"),
        ("ground-glass", "calcified"),
        ("fluid", "hyper"),
        ("fluid", "calcified"),
        ("hypo", "iso"),
        ("fluid", "iso"),
    )
}
_NEAR_COLOUR = {
    frozenset(pair)
    for pair in (
        ("red", "pink"),
        ("white", "yellow"),
        ("purple", "blue"),
        ("red", "purple"),
        ("red", "brown"),
        ("pink", "white"),
        ("pink", "purple"),
        ("pink", "brown"),
        ("yellow", "tan"),
        ("brown", "tan"),
        ("brown", "purple"),
    )
}
_FORM_GROUP = {
    "round": 0,
    "oval": 0,
    "lobulated": 1,
    "irregular": 2,
    "patchy": 2,
    "linear": 3,
    "triangular": 4,
    "rectangular": 5,
}


def clear_differences(a: Look, b: Look) -> tuple[str, ...]:
    """Names of the attributes in which two looks differ so clearly that a word tells them apart."""
    out = []
    if frozenset((a.density, b.density)) in _FAR_DENSITY:
        out.append("density")
    sizes = SIZES.index(a.size_class), SIZES.index(b.size_class)
    if a.uniformity != b.uniformity and min(sizes) >= 1:
        out.append("uniformity")
    if a.colour != b.colour and frozenset((a.colour, b.colour)) not in _NEAR_COLOUR:
        out.append("colour")
    forms = {_FORM_GROUP[a.form], _FORM_GROUP[b.form]}
    if len(forms) == 2 and forms not in ({1, 2}, {0, 1}):
        out.append("form")
    if a.margin != b.margin and min(sizes) >= 1:
        out.append("margin")
    if abs(sizes[0] - sizes[1]) >= 2:
        out.append("size_class")
    return tuple(out)
