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

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, UInt8

from medsegr.findings import (
    COLOURS,
    COLS,
    DENSITIES,
    FORMS,
    MARGINS,
    MODALITIES,
    ROWS,
    SIDES,
    SIZES,
    TIMES,
    UNIFORMITIES,
    Code,
    Finding,
    Frame,
    Location,
    Polarity,
    Report,
    Section,
    Shape,
    Span,
    Texture,
    modality_code,
)
from medsegr.reviews import Review

__all__ = [
    "COLOURS",
    "COLS",
    "DENSITIES",
    "FORMS",
    "MARGINS",
    "MODALITIES",
    "ROWS",
    "SIDES",
    "SIZES",
    "TIMES",
    "UNIFORMITIES",
    "Check",
    "Code",
    "Finding",
    "FindingResult",
    "Frame",
    "Image",
    "Location",
    "Measurement",
    "Polarity",
    "Progress",
    "Prompt",
    "Report",
    "Result",
    "Section",
    "Segmentation",
    "Segmenter",
    "Shape",
    "Source",
    "Span",
    "Status",
    "Texture",
    "modality_code",
]
Status = Literal["segmented", "skipped", "not_found", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where an image came from: ids and hashes for the manifest; ``path`` never goes into a log line."""

    path: Path | None = None
    sha256: str = ""
    kind: str = "array"  # png, jpeg, tiff, bmp, dicom, nifti, nrrd, mha, array
    frame_from: str = "flag"  # dicom, nifti, nrrd, mha, modality, flag, assumed
    warnings: tuple[tuple[str, str], ...] = ()  # (code, message)
    meta: Mapping[str, Any] = field(default_factory=dict)  # what a writer needs to restore the geometry


@dataclass(frozen=True, slots=True)
class Image:
    """A picture (``c h w``) or a volume (``c`` + the file's own three axes), with its geometry attached.

    ``data`` holds intensities as the file means them (rescale and palette applied), float32, not normalised;
    c is 1 or 3. ``spacing`` is mm along each grid axis. ``axes`` as in the module docstring; None where
    nobody said.
    """

    data: Float32[np.ndarray, " c *grid"]
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

    @property
    def frame_told(self) -> Frame | None:
        """The frame that somebody, or the file, told: words are read in it. None where it was assumed or goes
        with the modality: then "the left breast" is the patient's, also in a picture that a viewer describes.
        """
        return None if self.source.frame_from in ("assumed", "modality") else self.frame


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked of one image: k targets, and what is known of each. All k axes have the order of
    ``targets``."""

    targets: tuple[str, ...]
    findings: tuple[Finding, ...] = ()  # empty, or one a target
    text: str = ""  # for methods that read raw words
    boxes: Float[np.ndarray, "k 4"] | None = None
    points: Float[np.ndarray, "k n 3"] | None = None  # x, y, 1 = inside / 0 = outside / -1 = padding
    mask: Float32[np.ndarray, " k *grid"] | None = None  # a previous mask, probabilities
    # Per target: None where its answer counts for itself; else the numbers of the targets that it is only
    # compared with. It may be drawn more coarsely, and not at all where none of these is seen.
    beside: tuple[tuple[int, ...] | None, ...] = ()
    keep: tuple[str, ...] = ("prob", "attention")  # what is read beside masks; what is not need not be made
    tick: Callable[[int, int], None] | None = (
        None  # told (done, of how many) between pieces; may raise Cancelled
    )


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Probabilities on the image's own grid, one channel a target.

    ``prob`` is float32 in [0, 1]; where the prompt does not keep "prob" it may be uint8, 255 times the
    probability, rounded so that 128 and more is 0.5 and more. ``extras`` may hold ``presence`` [k] and
    ``quality`` [k] in [0, 1], ``attention`` [k *grid] in [0, 1].
    """

    prob: Float32[np.ndarray, " k *grid"] | UInt8[np.ndarray, " k *grid"]
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
    prob: np.ndarray | None = None  # "*grid" as in Segmentation, kept only where it is to be written
    score: float | None = None
    presence: float | None = None
    measurements: Mapping[str, Measurement] | None = None
    checks: tuple[Check, ...] = ()
    review: Review | None = None  # what a person did to it


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that one run says of one image."""

    image: Image
    report: Report | None
    findings: tuple[FindingResult, ...]
    model: Mapping[str, Any]  # name, sha256, licence
    warnings: tuple[tuple[str, str], ...] = ()
    timing: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, for who follows it: ``done`` of ``total`` in its ``stage`` (parse, segment, checks).

    In ``segment`` these are findings of a picture, slices of a volume. ``finding``: one that is judged now;
    its distances to other structures are not known before the end.
    """

    stage: str
    done: int
    total: int
    finding: FindingResult | None = None


@runtime_checkable
class Segmenter(Protocol):
    """The front door of every method."""

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """Probabilities for every target of the prompt, on the image's own grid."""
        ...
