"""Leaks: an image, or a patient, that stands on both sides of the split.

Images. Each is reduced to its print: grey, 64 x 64, mean 0 and length 1, so that size, compression,
brightness and contrast do not count. A correlation of ``SAME`` or more makes two the same image, or nearly.
Mirrored images and those turned by quarters are found as well. Of a volume the middle slice stands for all.

Groups. A group (patient, study) with images on both sides of one table's split.

Cropped, otherwise turned or strongly recoloured copies are not found, nor a patient under two names.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as Pil

from medsegr.bench.samples import Sample
from medsegr.errors import InputError
from medsegr.grid import pixels, planes
from medsegr.samples import drawn
from medsegr.types import Image

SAME = 0.985
SIDE = 64


@dataclass(frozen=True, slots=True)
class Print:
    """What is kept of one image: float32 64 x 64 of mean 0 and length 1, all 0 if it is flat."""

    sample: str
    group: str
    small: np.ndarray


@dataclass(frozen=True, slots=True)
class Leak:
    """A judged image and what it shares with one that is not judged: ``image``, ``mirrored``, ``turned`` or
    ``group``; ``likeness`` is the correlation of the two, NaN for a group."""

    judged: str
    other: str
    kind: str
    likeness: float


class LeaksFound(InputError):
    """Images to be judged stand on the other side of the split, too; ``found`` lists them. The message itself
    names none, so that it may go into a log."""

    def __init__(self, found: Sequence[Mapping[str, Any]]) -> None:
        self.found = found
        super().__init__(
            f"{len(found)} images to be judged stand on the other side of the split, too, see leaks.json: "
            "leave them out with --leaks drop, or judge them with a note in the record with --leaks note"
        )


def fingerprint(sample: Sample) -> Print:
    """Read one image and make its print."""
    return fingerprint_of(drawn.read_picture(sample.folder, sample.rows[0]), sample.id, sample.group)


def fingerprint_of(image: Image, sample: str = "", group: str = "") -> Print:
    """The print of an image that is already read."""
    plane = planes.plane_of(image)
    grey = pixels.to_bytes(image).astype(np.float32).mean(axis=0)
    turned = planes.to_slices(grey, plane)
    look = _shrunk(turned[len(turned) // 2] if turned.ndim == 3 else turned)
    small = look - look.mean()
    length = float(np.linalg.norm(small))
    kept = (small / length if length > 1e-6 else np.zeros_like(small)).astype(np.float32)
    return Print(sample, group, kept)


def _shrunk(picture: np.ndarray) -> np.ndarray:
    """``h w`` at 64 x 64. A mirrored picture gives the mirrored result: Pillow's boxes are open at one end,
    so that they alone would not (a noisy copy of 96 pixels fell to 0.966)."""
    ways = [(slice(None, None, v), slice(None, None, h)) for v in (1, -1) for h in (1, -1)]
    small = [Pil.fromarray(picture[way].copy()).resize((SIDE, SIDE), Pil.Resampling.BOX) for way in ways]
    back = [np.asarray(s, np.float64)[way] for s, way in zip(small, ways, strict=True)]
    return np.asarray(np.mean(back, axis=0))


def leaks(
    judged: Sequence[Print], others: Sequence[Print], groups: Iterable[tuple[str, str]] = ()
) -> list[Leak]:
    """Every judged image that stands, nearly the same, among the others, with its most alike; and every
    shared group of ``groups``, pairs of (judged sample, other sample)."""
    found = [Leak(one, other, "group", float("nan")) for one, other in groups]
    if judged and others:
        found += _same_images(judged, others)
    return found


def _same_images(judged: Sequence[Print], others: Sequence[Print]) -> Iterator[Leak]:
    looks = np.stack([p.small.ravel() for p in others])
    for one in judged:
        best: Leak | None = None
        for kind, small in _views(one.small):
            alike = looks @ small.ravel()
            at = int(alike.argmax())
            if alike[at] >= SAME and (best is None or alike[at] > best.likeness):
                best = Leak(one.sample, others[at].sample, kind, round(float(alike[at]), 4))
        if best is not None:
            yield best


def _views(small: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The print as it is, mirrored, and turned by quarters, each as it is and mirrored."""
    yield "image", small
    yield "mirrored", small[:, ::-1]
    for quarters in (1, 2, 3):
        for one in (small, small[:, ::-1]):
            yield "turned", np.rot90(one, quarters)


def shared_groups(judged: Sequence[Sample], others: Sequence[Sample]) -> list[tuple[str, str]]:
    """(judged sample, another sample) of every group of one table that stands on both sides."""
    first: dict[str, str] = {}
    for sample in others:
        first.setdefault(sample.group, sample.id)
    return [(s.id, first[s.group]) for s in judged if s.group in first]


def like_named(judged: Sequence[Sample], elsewhere: Sequence[Sample]) -> list[str]:
    """Groups, as the tables name them, of judged images that stand in another folder too. These may be the
    same patients or not: "patient 3" is somebody else in every set."""

    def named(samples: Sequence[Sample]) -> set[str]:
        return {sample.rows[0].get("group") or "" for sample in samples} - {""}

    return sorted(named(judged) & named(elsewhere))


def check(judged: Sequence[Sample], others: Sequence[Sample]) -> list[Leak]:
    """Make the prints of both sides and compare. An image that cannot be read is no leak: it fails when it is
    judged."""
    return leaks(list(_prints(judged)), list(_prints(others)), shared_groups(judged, others))


def _prints(samples: Sequence[Sample]) -> Iterator[Print]:
    for sample in samples:
        try:
            yield fingerprint(sample)
        except InputError:
            continue
