"""One phantom: body, lesions, picture, report."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from medsegr.errors import UsageError
from medsegr.modality.synthetic import marked
from medsegr.phantom import report
from medsegr.phantom.bodies import (
    abdomen,
    brain,
    cells,
    chest,
    mammogram,
    mucosa,
    skin,
    thorax,
    ultrasound,
)
from medsegr.phantom.concepts import CONCEPTS
from medsegr.phantom.plan import plan
from medsegr.phantom.scene import Lesion, PhantomCase, Scene
from medsegr.phantom.words import Said, frame_of, say, truth

SCENES: Mapping[str, tuple[Callable[[np.random.Generator, int], Scene], str]] = MappingProxyType(
    {
        "chest": (chest.scene, "chest X-ray"),
        "abdomen": (abdomen.scene, "CT"),
        "mucosa": (mucosa.scene, "colonoscopy"),
        "ultrasound": (ultrasound.scene, "breast ultrasound"),
        "cells": (cells.scene, "microscopy"),
        "skin": (skin.scene, "dermoscopy"),
        "brain": (brain.scene, "brain MRI"),
        "thorax": (thorax.scene, "chest CT"),
        "mammogram": (mammogram.scene, "mammography"),
    }
)
KINDS = tuple(SCENES)


def _verbatim(said: Said, text: str) -> str:
    """The phrase as it stands in the text: with a capital where it only opens sentences."""
    return said.phrase if said.phrase in text else said.phrase[:1].upper() + said.phrase[1:]


def check(kind: str, size: int) -> None:
    """Refuse an unknown kind or a size out of range with a UsageError."""
    if kind not in SCENES:
        raise UsageError(f"no phantom kind is called '{kind}'; choose one of {', '.join(KINDS)}")
    if not 96 <= size <= 2048:
        raise UsageError(f"phantom size {size} is out of range; choose 96 to 2048 pixels")


def make(kind: str, rng: np.random.Generator, size: int = 256) -> PhantomCase:
    """Make one phantom of ``size`` x ``size`` pixels (96 to 2048).

    The image is uint8, ``h w`` (chest, abdomen, ultrasound, thorax, mammogram), ``h w 3`` (mucosa, cells,
    skin) or one of both (brain), and carries the mark of :mod:`medsegr.modality.synthetic`. All randomness is
    from ``rng``. Lesions with a phrase are described in the report; each phrase fits that lesion alone.

    Raises
        UsageError: unknown kind, or a size out of range.
    """
    check(kind, size)
    build, modality = SCENES[kind]
    scene = build(rng, size)
    spots = plan(rng, scene, scene.concepts or CONCEPTS[kind])
    image = marked(scene.render(rng, spots))
    told = 1 + int(rng.binomial(len(spots) - 1, 0.7)) if len(spots) > 1 else len(spots)
    chosen = [int(i) for i in rng.permutation(len(spots))[:told]]
    said = {i: say(rng, kind, spots[i], spots, scene.mm) for i in chosen}
    text = report.write(rng, kind, spots, list(said.values()))
    lesions = tuple(
        Lesion(
            mask=spot.blob.mask,
            attributes=truth(kind, spot, scene.mm),
            phrase=_verbatim(said[i], text) if i in said else None,
            stated=said[i].stated if i in said else None,
        )
        for i, spot in enumerate(spots)
    )
    shown = scene.modality or modality
    gone = () if spots else tuple(concept.name for concept in CONCEPTS[kind])
    return PhantomCase(kind, image, lesions, text, shown, frame_of(kind), scene.organs, gone)
