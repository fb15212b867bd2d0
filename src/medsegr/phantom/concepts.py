"""What can lie in each kind of phantom: concepts with the looks they take. Data, read by ``plan``."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from medsegr.phantom.looks import ANY_FORM, ANY_MARGIN, ANY_SIZE, AREAS, NO, UNIFORMITY, Choice, Concept

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

SKIN = (
    Concept(
        name="skin lesion",
        nouns=("skin lesion", "cutaneous lesion", "lesion"),
        weight=1,
        density=NO,
        form={"round": 2, "oval": 5, "irregular": 2, "lobulated": 0.7},
        margin={"smooth": 2, "ill-defined": 3},
        size={"small": 0.6, "medium": 1.3, "large": 6},
        colour={"brown": 4, "black": 1.5, "red": 1.5, "pink": 1.5, "tan": 2},
        uniformity=UNIFORMITY,
        areas=MappingProxyType({**AREAS, "large": (0.036, 0.45)}),
    ),
)

BRAIN = (
    Concept(
        name="glioma",
        nouns=("glioma", "low-grade glioma"),
        weight=1.2,
        density={"hyper": 1},
        form={"oval": 2.5, "irregular": 5, "lobulated": 1.5, "round": 0.7},
        margin={"smooth": 2, "ill-defined": 3},
        size={"small": 1, "medium": 3, "large": 5},
        colour=NO,
        uniformity=UNIFORMITY,
        areas=MappingProxyType({**AREAS, "large": (0.036, 0.11)}),
    ),
    Concept(
        name="multiple sclerosis lesion",
        nouns=("multiple sclerosis plaque", "demyelinating plaque"),
        weight=1,
        density={"hyper": 1},
        form={"oval": 4, "round": 2.5, "irregular": 2},
        margin={"smooth": 2, "ill-defined": 2},
        size={"tiny": 5, "small": 0.7},
        colour=NO,
        uniformity={"homogeneous": 1},
        areas=MappingProxyType({**AREAS, "tiny": (0.0004, 0.0034)}),
    ),
)

_THORAX_AREAS = MappingProxyType({**AREAS, "tiny": (0.0005, 0.0034)})
THORAX = (
    Concept(
        name="lung tumour",
        nouns=("lung tumour", "lung tumor"),
        weight=3,
        density={None: 6, "mixed": 1},
        form={"round": 3, "oval": 3, "lobulated": 3, "irregular": 2},
        margin={"smooth": 2, "spiculated": 1.8, "ill-defined": 1},
        size={"tiny": 5, "small": 3, "medium": 0.3},
        colour=NO,
        uniformity=UNIFORMITY,
        areas=_THORAX_AREAS,
    ),
    Concept(
        name="nodule",
        nouns=("lung nodule", "pulmonary nodule", "nodule"),
        weight=1,
        density={None: 6, "mixed": 1},
        form={"round": 4, "oval": 2, "lobulated": 2, "irregular": 1},
        margin={"smooth": 3, "spiculated": 2, "ill-defined": 1},
        size={"tiny": 4, "small": 1},
        colour=NO,
        uniformity={"homogeneous": 3, "heterogeneous": 1},
        areas=_THORAX_AREAS,
    ),
)

MAMMOGRAM = (
    Concept(
        name="breast finding",
        nouns=("breast finding", "breast lesion", "breast abnormality"),
        weight=1,
        density={"hyper": 5, "iso": 1},
        form={"round": 2, "oval": 2, "irregular": 4, "lobulated": 2, "patchy": 1},
        margin={"smooth": 2, "spiculated": 2, "ill-defined": 3},
        size={"tiny": 0.6, "small": 1.8, "medium": 3, "large": 2.6},
        colour=NO,
        uniformity={"homogeneous": 0.45, "heterogeneous": 0.55},
        areas=MappingProxyType({**AREAS, "large": (0.036, 0.15)}),
    ),
)
# In a subtracted picture brightness is the contrast medium that a finding takes up, not its density.
ENHANCED = (
    replace(
        MAMMOGRAM[0],
        density=NO,
        form={"round": 2, "oval": 2, "irregular": 5, "lobulated": 2, "patchy": 2},
        margin={"smooth": 2.5, "spiculated": 1, "ill-defined": 3},
    ),
)

CONCEPTS: Mapping[str, tuple[Concept, ...]] = MappingProxyType(
    {
        "chest": CHEST,
        "abdomen": ABDOMEN,
        "mucosa": MUCOSA,
        "ultrasound": ULTRASOUND,
        "cells": CELLS,
        "skin": SKIN,
        "brain": BRAIN,
        "thorax": THORAX,
        "mammogram": MAMMOGRAM,
    }
)
