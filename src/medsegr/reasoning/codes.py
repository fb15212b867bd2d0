"""Findings to attribute codes and back: the alphabet in which the network hears the report. No torch here.

A code is a string ``group:value``; groups belong to one of four kinds (location, texture, shape, whole
report). Sides are turned into sides of the picture here and nowhere else, so the network never has to know
whose left is meant.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from medsegr.types import COLOURS, COLS, DENSITIES, FORMS, MARGINS, ROWS, SIDES, SIZES, UNIFORMITIES, Finding

LOCATION, TEXTURE, SHAPE, REPORT = range(4)
KIND_OF = {
    "side": LOCATION,
    "row": LOCATION,
    "col": LOCATION,
    "anatomy": LOCATION,
    "density": TEXTURE,
    "uniformity": TEXTURE,
    "colour": TEXTURE,
    "form": SHAPE,
    "margin": SHAPE,
    "size": SHAPE,
    "extent": SHAPE,
    "concept": REPORT,
    "modality": REPORT,
    "count": REPORT,
}
NAMED = ("concept", "side", "anatomy", "modality")  # what a thing is called, in whatever picture
SCALAR_GROUPS = ("extent", "count")
FIXED = (
    *(f"side:{v}" for v in SIDES),
    *(f"row:{v}" for v in ROWS),
    *(f"col:{v}" for v in COLS),
    *(f"density:{v}" for v in DENSITIES),
    *(f"uniformity:{v}" for v in UNIFORMITIES),
    *(f"colour:{v}" for v in COLOURS),
    *(f"form:{v}" for v in FORMS),
    *(f"margin:{v}" for v in MARGINS),
    *(f"size:{v}" for v in SIZES),
    "extent:",
    "count:",
)
MIRRORED = {"left": "right", "right": "left"}


@dataclass(frozen=True, slots=True)
class Code:
    """One value of one attribute. ``scalar`` carries a number where the group has one (extent: part of the
    image's long side; count: number of lesions), else 0."""

    text: str
    scalar: float = 0.0

    @property
    def group(self) -> str:
        """The part before the colon."""
        return self.text.partition(":")[0]

    @property
    def kind(self) -> int:
        """Which of the four token kinds it belongs to."""
        return KIND_OF[self.group]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The codes that a checkpoint knows, in the order of its embedding table."""

    codes: tuple[str, ...]

    def index(self) -> dict[str, int]:
        """Code text to row."""
        return {code: i for i, code in enumerate(self.codes)}

    @property
    def concepts(self) -> frozenset[str]:
        """Concept names that have a code."""
        return frozenset(c.partition(":")[2] for c in self.codes if c.startswith("concept:"))


@dataclass(frozen=True, slots=True)
class Coded:
    """A padded batch of codes as numbers: ``index`` [b t] rows of the table, ``kind`` [b t] 0-3 (-1 padding),
    ``scalar`` [b t]."""

    index: np.ndarray
    kind: np.ndarray
    scalar: np.ndarray


def coded(batch: Sequence[Sequence[Code]], vocabulary: Vocabulary) -> Coded:
    """Codes to a padded batch. Codes that the vocabulary lacks are left out: a word that was never learned
    says nothing."""
    table = vocabulary.index()
    known = [[code for code in codes if code.text in table] for codes in batch]
    size = (len(known), max([1, *map(len, known)]))
    out = Coded(np.zeros(size, np.int64), np.full(size, -1, np.int64), np.zeros(size, np.float32))
    for row, codes in enumerate(known):
        for col, code in enumerate(codes):
            out.index[row, col], out.kind[row, col] = table[code.text], code.kind
            out.scalar[row, col] = code.scalar
    return out


def vocabulary(concepts: Iterable[str], anatomy: Iterable[str], modalities: Iterable[str]) -> Vocabulary:
    """The fixed attribute values plus the open lists that the training data gave."""
    return Vocabulary(
        (
            *FIXED,
            *(f"concept:{v}" for v in sorted(set(concepts))),
            *(f"anatomy:{v}" for v in sorted(set(anatomy))),
            *(f"modality:{v}" for v in sorted(set(modalities))),
        )
    )


def side_in_picture(side: str | None, frame: str, patient_left: str | None) -> str | None:
    """``side`` as a side of the picture. ``patient_left``: where the patient's left lies, ``"right"``,
    ``"left"`` or None.

    In a lateral or sagittal view (None) a patient's side has no place in the picture, nor has the side of the
    one limb that is shown (``frame`` "limb"): the code is left out.
    """
    if side not in MIRRORED or frame == "viewer":
        return side
    if patient_left is None or frame == "limb":
        return None
    return side if patient_left == "left" else MIRRORED[side]


def codes_of(
    finding: Finding, modality: str | None, patient_left: str | None, extent_mm: float | None = None
) -> tuple[Code, ...]:
    """Every attribute of a finding as codes. ``extent_mm`` is the long side of the image in mm, needed for
    told sizes."""
    where, look, shape = finding.location, finding.texture, finding.shape
    side = side_in_picture(where.side, where.side_frame, patient_left)
    texts = [f"concept:{name}" for name in (finding.name, *finding.parents) if name]
    texts += [f"modality:{modality}"] if modality else []
    texts += [f"side:{side}"] if side else []
    texts += [f"row:{v}" for v in where.rows] + [f"col:{v}" for v in where.cols]
    texts += [f"anatomy:{v}" for v in where.anatomy]
    pairs = (
        ("density", look.density),
        ("uniformity", look.uniformity),
        ("colour", look.colour),
        ("form", shape.form),
        ("margin", shape.margin),
        ("size", shape.size_class),
    )
    codes = [Code(t) for t in (*texts, *(f"{group}:{value}" for group, value in pairs if value))]
    if shape.size_mm and extent_mm:
        codes.append(Code("extent:", max(shape.size_mm) / extent_mm))
    if shape.count and shape.count > 1:  # "one" was never told in training: who names a thing means one
        codes.append(Code("count:", float(shape.count)))
    return tuple(codes)


def mirror(codes: Iterable[Code]) -> tuple[Code, ...]:
    """The codes of the picture flipped left to right."""
    out = []
    for code in codes:
        group, _, value = code.text.partition(":")
        flips = group in ("side", "col") and value in MIRRORED
        out.append(Code(f"{group}:{MIRRORED[value]}", code.scalar) if flips else code)
    return tuple(out)
