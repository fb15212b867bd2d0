"""The values that travel through medsegr: frozen dataclasses over numpy arrays, and nothing that computes.

Conventions, once for the whole house (``docs/explain/coordinates.md`` has the picture):

* ``*grid`` is the image's own array grid: ``h w`` for a picture, the file's own three axes for a volume.
* ``affine`` maps an index along the grid axes (a 2-D index gets a third 0) to RAS+ millimetres of the voxel's
  centre.
* ``axes`` names, for every grid axis, the direction in which its index grows: one of ``R L A P S I``
  (patient) or ``?``.
* Boxes are ``x0 y0 x1 y1`` in pixels of the original image, upper edge exclusive; points are ``x y``.
* Spans are half-open character offsets into the report as given, so ``text[start:end]`` is the phrase,
  verbatim.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32

Span = tuple[int, int]
Frame = Literal["patient", "viewer"]
Polarity = Literal["present", "absent", "uncertain"]
Status = Literal["segmented", "skipped", "not_found", "refused", "failed"]

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
        "DMS": ("viewer", ("dermoscopy", "dermatoscopy", "skin photograph", "dermoscopic")),
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
    hits = [
        (len(name), code)
        for code, (_, names) in MODALITIES.items()
        for name in names
        if f" {name} " in f" {low} "
    ]
    hits += [(len(code), code) for code in MODALITIES if f" {code.lower()} " in f" {low} "]
    return max(hits)[1] if hits else None


@dataclass(frozen=True, slots=True)
class Source:
    """Where an image came from: ids and hashes for the manifest; ``path`` never goes into a log line."""

    path: Path | None = None
    sha256: str = ""
    kind: str = "array"  # png, jpeg, tiff, bmp, dicom, nifti, nrrd, mha, array
    frame_from: str = "flag"  # dicom, nifti, modality, flag, assumed
    warnings: tuple[tuple[str, str], ...] = ()  # (code, message)
    meta: Mapping[str, Any] = field(default_factory=dict)  # what a writer needs to restore the geometry


@dataclass(frozen=True, slots=True)
class Image:
    """A picture (``c h w``) or a volume (``c`` + the file's own three axes), with its geometry attached.

    ``data`` holds intensities as the file means them (rescale and palette applied), float32, not normalised;
    c is 1 or 3. ``spacing`` is mm along each grid axis. ``axes`` as in the module docstring; None where
    nobody said.
    """

    data: Float32[np.ndarray, "c *grid"]
    affine: Float[np.ndarray, "4 4"] | None = None
    spacing: tuple[float, ...] | None = None
    modality: str | None = None
    frame: Frame = "patient"
    axes: tuple[str, ...] | None = None
    source: Source = field(default_factory=Source)

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape without the channel axis."""
        return tuple(int(n) for n in self.data.shape[1:])


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept that DICOM publishes, for example ``Code("SCT", "36118008", "Pneumothorax")``."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Location:
    """Where: ``side`` in ``side_frame`` (patient's or viewer's), thirds of the image or organ, named
    anatomy."""

    side: str | None = None
    side_frame: Frame = "patient"
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


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked of one image: k targets, and what is known of each. All k axes have the order of
    ``targets``."""

    targets: tuple[str, ...]
    findings: tuple[Finding, ...] = ()  # empty, or one a target
    text: str = ""  # for methods that read raw words
    boxes: Float[np.ndarray, "k 4"] | None = None
    points: Float[np.ndarray, "k n 3"] | None = None  # x, y, 1 = inside / 0 = outside / -1 = padding
    mask: Float32[np.ndarray, "k *grid"] | None = None  # a previous mask, probabilities


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Probabilities on the image's own grid, one channel a target.

    ``extras`` may hold ``presence`` [k] and ``quality`` [k] in [0, 1], ``attention`` [k *grid] in [0, 1].
    """

    prob: Float32[np.ndarray, "k *grid"]
    targets: tuple[str, ...]
    affine: Float[np.ndarray, "4 4"] | None = None
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a mask: ``outcome`` pass, warn or fail, ``detail`` one line for a person."""

    name: str
    outcome: Literal["pass", "warn", "fail"]
    detail: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number with its unit; ``value`` is None where ``status`` (listed in ``medsegr.measure``) says why."""

    value: float | None
    unit: str
    status: str = "ok"
    of: str | None = None  # the other thing measured to, by name: a distance has two ends


@dataclass(frozen=True, slots=True)
class FindingResult:
    """What became of one finding. ``mask`` is boolean on the image's grid, or None with a ``reason``."""

    finding: Finding
    status: Status
    reason: str | None = None
    mask: np.ndarray | None = None  # bool "*grid"
    free_mask: np.ndarray | None = None  # the report-free mask: the same target asked by name alone
    attention: np.ndarray | None = None  # float "*grid", where the words pointed (--explain)
    prob: np.ndarray | None = None  # float "*grid" in [0, 1], kept only where it is to be written
    score: float | None = None
    presence: float | None = None
    measurements: Mapping[str, Measurement] | None = None
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that one run says of one image."""

    image: Image
    report: Report | None
    findings: tuple[FindingResult, ...]
    model: Mapping[str, Any]  # name, sha256, licence
    warnings: tuple[tuple[str, str], ...] = ()
    timing: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Segmenter(Protocol):
    """The front door of every method."""

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """Probabilities for every target of the prompt, on the image's own grid."""
        ...
