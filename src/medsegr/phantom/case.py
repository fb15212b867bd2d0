"""One phantom: body, lesions, picture, report."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from medsegr.errors import UsageError
from medsegr.findings import Frame
from medsegr.modality.synthetic import marked
from medsegr.phantom import abdomen, cells, chest, mucosa, report, ultrasound
from medsegr.phantom.concepts import CONCEPTS
from medsegr.phantom.plan import plan
from medsegr.phantom.scene import Lesion, PhantomCase, Scene
from medsegr.phantom.words import Said, say, truth

SCENES: Mapping[str, tuple[Callable[[np.random.Generator, int], Scene], str, Frame]] = MappingProxyType(
    {
        "chest": (chest.scene, "chest X-ray", "patient"),
        "abdomen": (abdomen.scene, "CT", "patient"),
        "mucosa": (mucosa.scene, "colonoscopy", "viewer"),
        "ultrasound": (ultrasound.scene, "breast ultrasound", "viewer"),
        "cells": (cells.scene, "microscopy", "viewer"),
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

    The image is uint8, ``h w`` (chest, abdomen, ultrasound) or ``h w 3`` (mucosa, cells), and carries the
    mark of :mod:`medsegr.modality.synthetic`. All randomness is from ``rng``. Lesions with a phrase are
    described in the report; each phrase fits that lesion alone.

    Raises
        UsageError: unknown kind, or a size out of range.
    """
    check(kind, size)
    build, modality, frame = SCENES[kind]
    scene = build(rng, size)
    spots = plan(rng, scene, scene.concepts or CONCEPTS[kind])
    image = marked(scene.render(rng, spots))
    told = 1 + int(rng.binomial(len(spots) - 1, 0.7)) if len(spots) > 1 else 1
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
    return PhantomCase(kind, image, lesions, text, scene.modality or modality, frame, scene.organs)
