"""What can lie in each kind of phantom: concepts with the looks they take. Data, read by ``plan``."""

from dataclasses import dataclass

from medsegr.phantom.scene import Look
from medsegr.types import SIZES

Choice = dict[str | None, float]  # value -> weight

# Share of the image that a size class covers, lower and upper; the gaps keep the words unmistakable.
AREAS = {"tiny": (0.0018, 0.0034), "small": (0.0045, 0.010), "medium": (0.014, 0.027), "large": (0.036, 0.074)}

UNIFORMITY: Choice = {"homogeneous": 0.6, "heterogeneous": 0.4}


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
    Concept("opacity", ("opacity", "density"), 3, {None: 1, "ground-glass": 1},
            {"patchy": 3, "oval": 2, "irregular": 3, "linear": 1.5, "triangular": 1}, {"ill-defined": 3, "smooth": 1},
            {"small": 3, "medium": 4, "large": 2}, NO, UNIFORMITY),
    Concept("consolidation", ("consolidation", "airspace consolidation"), 2, {"consolidation": 1},
            {"patchy": 2, "irregular": 3, "lobulated": 1, "triangular": 1, "oval": 1}, {"ill-defined": 3, "smooth": 1},
            {"small": 2, "medium": 4, "large": 3}, NO, UNIFORMITY),
    Concept("ground-glass opacity", ("ground-glass opacity", "ground glass opacity"), 2, {"ground-glass": 1},
            {"patchy": 3, "irregular": 3, "oval": 2, "round": 1}, {"ill-defined": 4, "smooth": 1},
            {"small": 2, "medium": 4, "large": 3}, NO, UNIFORMITY),
    Concept("nodule", ("nodule", "pulmonary nodule"), 3, {None: 2, "calcified": 1}, {"round": 4, "oval": 2, "lobulated": 1},
            {"smooth": 3, "spiculated": 1.3, "ill-defined": 1}, {"tiny": 3, "small": 3}, NO, {"homogeneous": 1}),
    Concept("mass", ("mass", "lung mass"), 2, {None: 1}, {"round": 2, "oval": 2, "lobulated": 2, "irregular": 2},
            {"smooth": 2, "spiculated": 2, "ill-defined": 1}, {"medium": 3, "large": 2}, NO, UNIFORMITY),
)

_CT_LESION: Choice = {"hypo": 5, "hyper": 2.5, "calcified": 0.7}
ABDOMEN = (
    Concept("liver lesion", ("liver lesion", "hepatic lesion"), 4, _CT_LESION,
            {"round": 3, "oval": 3, "lobulated": 2, "irregular": 2.5}, ANY_MARGIN, {"tiny": 2, "small": 3, "medium": 3, "large": 0.7},
            NO, UNIFORMITY),
    Concept("lesion", ("lesion", "focal lesion"), 2, _CT_LESION, {"round": 3, "oval": 3, "lobulated": 1, "irregular": 2}, ANY_MARGIN,
            {"tiny": 3, "small": 3}, NO, UNIFORMITY),
    Concept("kidney cyst", ("renal cyst", "kidney cyst", "cyst"), 3, {"fluid": 1}, {"round": 3, "oval": 2}, {"smooth": 1},
            {"tiny": 2, "small": 3, "medium": 0.6}, NO, {"homogeneous": 1}),
    Concept("kidney tumour", ("renal tumour", "kidney tumour", "renal tumor"), 1.5, {"hyper": 1.5, "hypo": 1},
            {"round": 2, "lobulated": 2, "irregular": 2}, ANY_MARGIN, {"tiny": 1, "small": 3}, NO, UNIFORMITY),
)

_POLYP_COLOUR: Choice = {"red": 3, "pink": 2, "white": 2, "yellow": 1, "brown": 1, "purple": 0.7}
MUCOSA = (
    Concept("polyp", ("polyp",), 4, NO, {"round": 4, "oval": 4, "lobulated": 3, "irregular": 1.5},
            {"smooth": 4, "ill-defined": 1}, ANY_SIZE, _POLYP_COLOUR, UNIFORMITY),
    Concept("ulcer", ("ulcer", "ulceration"), 1.6, NO, {"round": 1.5, "oval": 3, "irregular": 4, "linear": 1.2},
            {"smooth": 2, "ill-defined": 2}, {"tiny": 1, "small": 3, "medium": 3, "large": 1}, {"white": 2, "yellow": 3, "red": 1},
            UNIFORMITY),
)

ULTRASOUND = (
    Concept("cyst", ("cyst", "simple cyst"), 3, {"fluid": 1}, {"round": 3, "oval": 4, "lobulated": 1}, {"smooth": 1},
            {"tiny": 1, "small": 3, "medium": 3, "large": 2}, NO, {"homogeneous": 1}),
    Concept("breast mass", ("breast mass", "breast mass"), 3, {"hypo": 5, "hyper": 1.2, "iso": 0.3},
            {"oval": 4, "round": 2, "irregular": 4, "lobulated": 3}, ANY_MARGIN, {"tiny": 0.5, "small": 3, "medium": 3, "large": 3}, NO,
            UNIFORMITY),
    Concept("lesion", ("lesion", "focal lesion"), 2, {"hypo": 3, "hyper": 2, "fluid": 0.5}, ANY_FORM, ANY_MARGIN, ANY_SIZE, NO, UNIFORMITY),
)

CELLS = (
    Concept("cell cluster", ("cell cluster", "cluster of cells"), 1, NO,
            {"round": 3, "oval": 3, "lobulated": 2, "irregular": 3, "linear": 1.5}, {"smooth": 3, "ill-defined": 1.5},
            {"small": 3, "medium": 3, "large": 2.5}, {"purple": 2, "blue": 2, "brown": 2, "red": 1.5, "pink": 0.5}, UNIFORMITY),
)

CONCEPTS = {"chest": CHEST, "abdomen": ABDOMEN, "mucosa": MUCOSA, "ultrasound": ULTRASOUND, "cells": CELLS}

_FAR_DENSITY = {
    frozenset(pair)
    for pair in (("hypo", "hyper"), ("hypo", "calcified"), ("ground-glass", "consolidation"), ("ground-glass", "calcified"),
                 ("fluid", "hyper"), ("fluid", "calcified"), ("hypo", "iso"), ("fluid", "iso"))
}
_NEAR_COLOUR = {
    frozenset(pair)
    for pair in (("red", "pink"), ("white", "yellow"), ("purple", "blue"), ("red", "purple"), ("red", "brown"), ("pink", "white"),
                 ("pink", "purple"), ("pink", "brown"), ("yellow", "tan"), ("brown", "tan"), ("brown", "purple"))
}
_FORM_GROUP = {"round": 0, "oval": 0, "lobulated": 1, "irregular": 2, "patchy": 2, "linear": 3, "triangular": 4, "rectangular": 5}


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
