"""What a writer of segmentations needs to know of one finding, and how many masks become one label map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from medsegr.types import Code, Measurement


@dataclass(frozen=True, slots=True)
class Segment:
    """One finding, coded. ``mask`` is bool ``*grid`` on the image's grid and not empty, or None: nothing
    drawn.

    ``side`` is the patient's; None where words or image do not tell it in the patient's frame.
    """

    id: str  # "f1": unique within the image, also its tracking id
    uid: str  # tracking UID: the same for the same finding in SEG, SR and a later export
    name: str  # for people, without report text
    category: Code
    kind: Code
    colour: tuple[int, int, int]
    presence: str  # present, absent, uncertain: what the report says
    mask: np.ndarray | None = None
    prob: np.ndarray | None = None  # float "*grid" in [0, 1]
    site: Code | None = None
    side: Code | None = None
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    ends: np.ndarray | None = None  # float "4 d", grid indices: ends of the long and of the short axis
    drawn_by: str = "AUTOMATIC"  # as DICOM says it; SEMIAUTOMATIC where a person corrected the mask
    phrase: str = ""  # the words that asked for it: for objects that may hold words of the report


@dataclass(frozen=True, slots=True)
class Maker:
    """Who made the masks: name, version and hash of model and program, for objects that must say so."""

    program: str
    version: str
    model: str
    model_sha256: str
    notice: str


def rounded(value: float) -> float:
    """A number as files tell it: four decimals, and four digits below 1. A map of diffusion holds 0.0008."""
    return round(value, 4) if abs(value) >= 1 else float(f"{value:.4g}")


def drawn(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Segments with a mask, in order; an empty one is never written (viewers hang on it)."""
    return tuple(s for s in segments if s.mask is not None and bool(s.mask.any()))


def overlaps(segments: Sequence[Segment]) -> dict[tuple[str, str], int]:
    """Voxels that two masks share, for every pair of ids that shares any."""
    found = {}
    boxed = [(s.id, s.mask, box_of(s.mask)) for s in drawn(segments) if s.mask is not None]
    for (one, mask, box), (other, second, around) in combinations(boxed, 2):
        both = tuple(
            slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, around, strict=True)
        )
        if all(part.start < part.stop for part in both):
            shared = int(np.count_nonzero(mask[both] & second[both]))
            if shared:
                found[one, other] = shared
    return found


def box_of(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box around a non-empty mask."""
    found = []
    for axis in range(mask.ndim):
        places = np.flatnonzero(mask.any(axis=tuple(i for i in range(mask.ndim) if i != axis)))
        found.append(slice(int(places[0]), int(places[-1]) + 1))
    return tuple(found)


def label_map(segments: Sequence[Segment]) -> np.ndarray:
    """One array ``*grid`` with label n for the n-th drawn segment (1 first), uint8 or uint16.

    Where masks overlap the smaller one is seen, so that a lesion inside an organ is not lost; the first of
    two equally small ones.
    """
    shown = drawn(segments)
    masks = [s.mask for s in shown if s.mask is not None]
    labels = np.zeros(masks[0].shape, np.uint8 if len(masks) < 256 else np.uint16)
    sizes = [int(np.count_nonzero(mask)) for mask in masks]
    for index in sorted(range(len(masks)), key=lambda i: (-sizes[i], -i)):
        labels[masks[index]] = index + 1
    return labels


def layers(segments: Sequence[Segment]) -> tuple[list[np.ndarray], list[tuple[int, int]]]:
    """Label maps ``*grid`` without any overlap, as few as come easily; and (layer, label) of every drawn
    segment.

    A mask goes into the first layer that is free where it lies; labels start at 1 in each layer.
    """
    maps: list[np.ndarray] = []
    counts: list[int] = []
    places = []
    for segment in drawn(segments):
        mask = segment.mask
        assert mask is not None
        layer = next((i for i, found in enumerate(maps) if not found[mask].any()), len(maps))
        if layer == len(maps):
            maps.append(np.zeros(mask.shape, np.uint8))
            counts.append(0)
        counts[layer] += 1
        if counts[layer] == 256:
            maps[layer] = maps[layer].astype(np.uint16)
        maps[layer][mask] = counts[layer]
        places.append((layer, counts[layer]))
    return maps, places
