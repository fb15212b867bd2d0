"""The values that words alone give: what a report says, and the vocabularies it says it in.

Stdlib only, so that reading a report costs no array library; ``medsegr.types`` hands out the same names.
Spans are half-open character offsets into the report as given, so ``text[start:end]`` is the phrase,
verbatim.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Span = tuple[int, int]
Frame = Literal["patient", "viewer"]
SideFrame = Literal[
    Frame, "limb"
]  # "limb": the patient's, of the one limb that is shown: no half of the image
Polarity = Literal["present", "absent", "uncertain"]

SIDES = ("right", "left", "bilateral", "midline")
ROWS = ("upper", "middle", "lower")
COLS = ("left", "centre", "right")
DENSITIES = ("ground-glass", "consolidation", "mixed", "hypo", "iso", "hyper", "fluid", "calcified")
UNIFORMITIES = ("homogeneous", "heterogeneous")
COLOURS = ("red", "pink", "white", "yellow", "brown", "black", "blue", "purple", "green", "tan")
FORMS = (
    "round",
    "oval",
    "lobulated",
    "irregular",
    "linear",
    "patchy",
    "diffuse",
    "triangular",
    "rectangular",
)
MARGINS = ("smooth", "ill-defined", "spiculated")
SIZES = ("tiny", "small", "medium", "large")
TIMES = ("current", "prior", "new", "resolved", "improved", "worse", "stable")

# DICOM modality code -> (frame that its words use, words that people write for it).
MODALITIES: Mapping[str, tuple[Frame, tuple[str, ...]]] = MappingProxyType(
    {
        "CR": (
            "patient",
            (
                "chest x-ray",
                "chest xray",
                "chest radiograph",
                "x-ray",
                "xray",
                "radiograph",
                "cxr",
                "dx",
                "rx",
            ),
        ),
        "CT": ("patient", ("computed tomography", "ct scan")),
        "MR": (
            "patient",
            ("mri", "magnetic resonance", "mr t1", "mr t2", "mr t2*", "mr flair", "mri-flair", "flair"),
        ),
        "MG": ("patient", ("mammography", "mammogram", "mammo")),
        "US": ("viewer", ("ultrasound", "breast ultrasound", "sonography", "echo", "ultrasonography")),
        "ES": ("viewer", ("colonoscopy", "endoscopy", "gastroscopy", "endoscopic")),
        "SM": (
            "viewer",
            ("stained histology", "h&e histology", "histology", "pathology", "h&e", "histopathology"),
        ),
        "GM": (
            "viewer",
            (
                "fluorescence microscopy",
                "brightfield microscopy",
                "microscopy",
                "fluorescence",
                "brightfield",
            ),
        ),
        "OP": (
            "viewer",
            ("fundus photograph", "fundus", "fundus photography", "retina", "ophthalmic photography"),
        ),
        "DMS": (
            "viewer",
            ("dermoscopy", "dermatoscopy", "skin photograph", "dermoscopic", "clinical photograph"),
        ),
        "PT": ("patient", ("pet", "positron emission tomography")),
        "XA": ("patient", ("angiography", "fluoroscopy")),
    }
)


def modality_code(words: str | None) -> str | None:
    """DICOM modality code of a code or of a common name of it (``"chest X-ray"`` -> ``"CR"``); None if not
    known."""
    if not words:
        return None
    if words.upper() in MODALITIES:
        return words.upper()
    low = " ".join(words.lower().replace("_", " ").split())
    if low in ("dx", "rf"):
        return "CR"
    if low == "xc":  # external-camera photography: a photograph of the skin
        return "DMS"
    hits = [
        (len(name), code)
        for code, (_, names) in MODALITIES.items()
        for name in names
        if f" {name} " in f" {low} "
    ]
    hits += [(len(code), code) for code in MODALITIES if f" {code.lower()} " in f" {low} "]
    return max(hits)[1] if hits else None


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept that DICOM publishes, for example ``Code("SCT", "36118008", "Pneumothorax")``."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Location:
    """Where: ``side`` in ``side_frame`` (patient's or viewer's, or of the one limb that is shown), thirds of
    the image or organ, named anatomy."""

    side: str | None = None
    side_frame: SideFrame = "patient"
    rows: tuple[str, ...] = ()
    cols: tuple[str, ...] = ()  # always thirds of the image as seen (viewer frame)
    anatomy: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Texture:
    """How it looks inside."""

    density: str | None = None
    uniformity: str | None = None
    colour: str | None = None
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """Outline, edge, extent and number. ``size_mm`` holds one value an axis told, in millimetres."""

    form: str | None = None
    margin: str | None = None
    size_class: str | None = None
    size_mm: tuple[float, ...] | None = None
    count: int | None = None
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement of the report. Every value has a span behind it or is None / empty."""

    id: str
    phrase: str
    span: Span
    name: str  # canonical concept name of the lexicon, "" when no concept was recognised
    section: str | None = None
    sentence: Span | None = None
    code: Code | None = None
    parents: tuple[str, ...] = ()  # wider concepts, nearest first
    polarity: Polarity = "present"
    polarity_span: Span | None = None
    time: str = "current"
    whose: Literal["patient", "other"] = "patient"
    drawable: bool = True  # False: a statement with no place to draw ("normal heart size", "COPD")
    location: Location = Location()
    texture: Texture = Texture()
    shape: Shape = Shape()
    mentions: tuple[Span, ...] = ()  # other places in the report that state the same finding


@dataclass(frozen=True, slots=True)
class Section:
    """A headed part of a report; ``name`` is canonical (findings, impression, comparison, indication,
    ...)."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Report:
    """A report as given, and what was read in it."""

    text: str
    sections: tuple[Section, ...] = ()
    findings: tuple[Finding, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    unread: tuple[Span, ...] = ()  # passages that state something by no name known here
