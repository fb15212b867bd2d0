"""The phrase of one lesion: concept, place and some of its looks, so chosen that they fit no other lesion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medsegr.findings import Frame
from medsegr.phantom.concepts import CONCEPTS
from medsegr.phantom.looks import clear_differences
from medsegr.phantom.scene import Spot

Values = Mapping[str, tuple[str, ...]]

DENSITY: Mapping[str, Values] = {
    "chest": {"ground-glass": ("hazy",)},
    "abdomen": {
        "hypo": ("hypodense", "low-attenuation", "hypoattenuating"),
        "hyper": ("hyperdense", "hyperattenuating", "high-attenuation"),
        "fluid": ("fluid-attenuation",),
        "calcified": ("calcified",),
    },
    "mucosa": {},
    "ultrasound": {
        "hypo": ("hypoechoic",),
        "hyper": ("hyperechoic", "echogenic"),
        "iso": ("isoechoic",),
        "fluid": ("anechoic", "fluid-filled"),
    },
    "cells": {},
    "skin": {},
    "brain": {"hyper": ("hyperintense",)},
    "thorax": {"mixed": ("part-solid", "subsolid")},
    "mammogram": {"hyper": ("high-density", "hyperdense"), "iso": ("isodense",)},
}
UNIFORMITY: Values = {
    "homogeneous": ("homogeneous", "uniform"),
    "heterogeneous": ("heterogeneous", "inhomogeneous"),
}
COLOUR: Values = {
    "red": ("red", "reddish"),
    "pink": ("pink",),
    "white": ("white", "whitish"),
    "yellow": ("yellow", "yellowish"),
    "brown": ("brown", "brownish"),
    "purple": ("purple",),
    "blue": ("blue",),
    "green": ("green",),
    "tan": ("tan",),
    "black": ("black",),
}
FORM: Values = {
    "round": ("round", "rounded"),
    "oval": ("oval", "ovoid"),
    "lobulated": ("lobulated",),
    "irregular": ("irregular",),
    "linear": ("linear",),
    "patchy": ("patchy",),
    "triangular": ("triangular", "wedge-shaped"),
    "rectangular": ("rectangular",),
}
MARGIN: Values = {
    "smooth": ("well-defined", "well-circumscribed", "smooth", "sharply defined"),
    "ill-defined": ("ill-defined", "poorly defined", "indistinct"),
    "spiculated": ("spiculated",),
}
MARGIN_AFTER: Values = {
    "smooth": ("with smooth margins", "with well-defined margins", "with a smooth border"),
    "ill-defined": ("with ill-defined margins", "with indistinct margins", "with poorly defined borders"),
    "spiculated": ("with spiculated margins", "with a spiculated margin"),
}
SIZE: Values = {
    "tiny": ("tiny",),
    "small": ("small",),
    "medium": ("medium-sized", "moderate-sized"),
    "large": ("large",),
}
ORDER = ("size_class", "margin", "form", "uniformity", "density", "colour")
PATIENT = {"chest", "abdomen", "brain", "thorax"}  # kinds whose left is the patient's
MEASURED = {"chest", "abdomen", "ultrasound", "brain", "thorax", "mammogram"}  # millimetres are written
LARGEST_NODULE = 30.0  # mm; what is larger is a mass (Fleischner Society, doi 10.1148/radiol.2462070712)
MASS_NOUNS = {"consolidation", "airspace consolidation", "ulceration"}
# Nouns that say an attribute already: it is stated, but no further word is spent on it.
NAMED_BY_LOOK = {
    "ground-glass opacity": "density",
    "consolidation": "density",
    "calcified granuloma": "density",
}


@dataclass(frozen=True, slots=True)
class Said:
    """A phrase, the article before it, and what it states (form of ``Lesion.attributes``, unsaid = None)."""

    phrase: str
    article: str
    stated: Mapping[str, Any]


def frame_of(kind: str) -> Frame:
    """Whose left the words of a kind mean."""
    return "patient" if kind in PATIENT else "viewer"


def _pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def axes_mm(spot: Spot, mm: float) -> tuple[float, float]:
    """Long and short axis of a lesion in whole millimetres, from the second moments of its mask."""
    ys, xs = np.nonzero(spot.blob.mask)
    if len(ys) < 3:
        return (1.0, 1.0)
    eig = np.linalg.eigvalsh(np.cov(np.stack([ys, xs])))
    long, short = 4 * np.sqrt(max(eig[1], 0.1)) * mm, 4 * np.sqrt(max(eig[0], 0.1)) * mm
    return (float(max(1, round(long))), float(max(1, round(short))))


def truth(kind: str, spot: Spot, mm: float) -> dict[str, Any]:
    """Everything that is true of a lesion, in the form of design.md section 5."""
    look, where = spot.look, spot.place.location
    return {
        "name": spot.name,
        "location": {
            "side": where.get("side"),
            "side_frame": frame_of(kind),
            "rows": list(where.get("rows", ())),
            "cols": list(where.get("cols", ())),
            "anatomy": list(where.get("anatomy", ())),
        },
        "texture": {"density": look.density, "uniformity": look.uniformity, "colour": look.colour},
        "shape": {
            "form": look.form,
            "margin": look.margin,
            "size_class": look.size_class,
            "size_mm": list(axes_mm(spot, mm)),
            "count": None,
        },
    }


def needed(rng: np.random.Generator, spot: Spot, spots: Sequence[Spot]) -> set[str]:
    """Attributes that the phrase must name so that no other lesion of the same place fits it."""
    out: set[str] = set()
    for other in spots:
        if other is spot or other.place.key != spot.place.key:
            continue
        apart = [a for a in clear_differences(spot.look, other.look) if NAMED_BY_LOOK.get(spot.name) != a]
        if not out & set(apart) and apart:
            out.add(_pick(rng, apart))
            if len(apart) > 1 and rng.random() < 0.5:
                out.add(_pick(rng, apart))
    return out


def _may_measure(name: str, told: Mapping[str, str | None], axes: tuple[float, float]) -> bool:
    """Whether millimetres may stand in a phrase. Size words are shares of the picture, so none stands beside
    them ("tiny", and an inch across); nor does a noun that they contradict."""
    return "size_class" not in told and (name != "nodule" or axes[0] <= LARGEST_NODULE)


def _sizes(rng: np.random.Generator, axes: tuple[float, float]) -> tuple[str, list[float]]:
    long, short = axes
    if rng.random() < 0.5:
        return (f"measuring {long:.0f} mm", [long])
    if rng.random() < 0.5:
        return (f"measuring {long:.0f} x {short:.0f} mm", [long, short])
    return (f"measuring {long / 10:.1f} x {short / 10:.1f} cm", [long, short])


def _stated(
    kind: str, spot: Spot, told: Mapping[str, str | None], wide: bool, size_mm: list[float] | None
) -> dict[str, Any]:
    where = spot.place.wide_location if wide else spot.place.location
    implied = NAMED_BY_LOOK.get(spot.name)
    said = {**told, implied: getattr(spot.look, implied)} if implied else told
    return {
        "name": spot.name,
        "location": {
            "side": where.get("side"),
            "side_frame": frame_of(kind),
            "rows": list(where.get("rows", ())),
            "cols": list(where.get("cols", ())),
            "anatomy": list(where.get("anatomy", ())),
        },
        "texture": {key: said.get(key) for key in ("density", "uniformity", "colour")},
        "shape": {
            **{key: said.get(key) for key in ("form", "margin", "size_class")},
            "size_mm": size_mm,
            "count": None,
        },
    }


def _told(rng: np.random.Generator, kind: str, spot: Spot, must: set[str]) -> dict[str, str | None]:
    """The attribute values that the phrase names: those it must, and some more."""
    values = {key: getattr(spot.look, key) for key in ORDER}
    known = {
        "density": DENSITY[kind],
        "uniformity": UNIFORMITY,
        "colour": COLOUR,
        "form": FORM,
        "margin": MARGIN,
        "size_class": SIZE,
    }
    told: dict[str, str | None] = {}
    eager = rng.uniform(0.1, 0.6)
    for key in rng.permutation(ORDER):
        value = values[key]
        if value not in known[key] or NAMED_BY_LOOK.get(spot.name) == key:
            continue
        if key in must or (len(told) < 3 and rng.random() < eager):
            told[key] = value
    if told.get("margin") == "spiculated" and "form" not in must:
        told.pop("form", None)
    return told


def say(rng: np.random.Generator, kind: str, spot: Spot, spots: Sequence[Spot], mm: float) -> Said:
    """Write the phrase of one lesion among all lesions of its image."""
    must = needed(rng, spot, spots)
    told = _told(rng, kind, spot, must)
    known = {
        "density": DENSITY[kind],
        "uniformity": UNIFORMITY,
        "colour": COLOUR,
        "form": FORM,
        "margin": MARGIN,
        "size_class": SIZE,
    }
    after = "margin" in told and rng.random() < 0.4
    adjectives = [
        _pick(rng, known[k][v]) for k in ORDER if (v := told.get(k)) and not (k == "margin" and after)
    ]
    concept = next(c for c in CONCEPTS[kind] if c.name == spot.name)
    noun = _pick(rng, concept.nouns)
    alone = spot.place.wide_key and sum(s.place.wide_key == spot.place.wide_key for s in spots) == 1
    wide = bool(alone and spot.place.wide and rng.random() < 0.2)
    before = spot.place.before if not wide and rng.random() < 0.25 else ()
    if before:
        cut = int(rng.integers(2)) * len(adjectives)
        words = [*adjectives[:cut], _pick(rng, before), *adjectives[cut:], noun]
    else:
        words = [*adjectives, noun, _pick(rng, spot.place.wide if wide else spot.place.after)]
    size_mm = None
    if after:
        words.append(_pick(rng, MARGIN_AFTER[told["margin"] or "smooth"]))
    elif kind in MEASURED and spot.look.form not in {"patchy", "linear"} and rng.random() < 0.12:
        axes = axes_mm(spot, mm)
        extra, measured = _sizes(rng, axes)  # drawn in any case, so that what is written after it stays
        if _may_measure(spot.name, told, axes):
            words.append(extra)
            size_mm = measured
    phrase = " ".join(words)
    article = (
        ""
        if noun in MASS_NOUNS
        else ("an " if phrase[0] in "aeiou" and not phrase.startswith("uni") else "a ")
    )
    return Said(phrase, article, _stated(kind, spot, told, wide, size_mm))
