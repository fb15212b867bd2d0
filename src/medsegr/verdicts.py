"""Why a finding is not drawn, as far as words, image and the model's card tell before the model runs."""

from medsegr.errors import GeometryError
from medsegr.options import Options
from medsegr.planes import axis_letters
from medsegr.report.lexicon import concepts
from medsegr.report.parse import skip_reason
from medsegr.types import Finding, Image, Segmenter, Status

SMALLEST_SIDE = 8  # px: a grid below this in height or width is refused as too_small
# What kind of image a modality gives; all that are not named are radiology.
KINDS = {"ES": "endoscopy", "SM": "microscopy", "GM": "microscopy", "OP": "eye", "DMS": "skin"}
Verdict = tuple[Status, str]


def decide(image: Image, finding: Finding, segmenter: Segmenter, options: Options) -> Verdict | None:
    """Status and reason of a finding that is not drawn, known before the model is asked; None: draw it."""
    reason = skip_reason(finding, options.polarity)
    if reason is None and _not_in_image(image, finding, segmenter):
        reason = "not_in_image"
    if reason is not None:
        return "skipped", reason
    if not _sound(image):
        return "refused", "geometry"
    if _too_small(image, finding):
        return "refused", "too_small"
    if not options.force and not known(segmenter, finding, image.modality):
        return "refused", "unknown_concept"
    return None


def _not_in_image(image: Image, finding: Finding, segmenter: Segmenter) -> bool:
    """Whether the lexicon sees this concept only in quite another kind of image (radiology, endoscopy, eye,
    skin, microscopy).

    Conservative: a concept that the model knows in this modality is never turned away, nor one in a
    neighbouring modality.
    """
    concept, modality = concepts().get(finding.name), image.modality
    if concept is None or not concept.modalities or modality is None or modality in concept.modalities:
        return False
    kinds = {KINDS.get(code, "radiology") for code in concept.modalities}
    return KINDS.get(modality, "radiology") not in kinds and not known(segmenter, finding, modality)


def _sound(image: Image) -> bool:
    if image.affine is None:
        return True
    try:
        axis_letters(image.affine)
    except GeometryError:
        return False
    return True


def _too_small(image: Image, finding: Finding) -> bool:
    """Fewer than 8 px in two directions of the grid, or a told size below the finest spacing."""
    if sorted(image.grid)[-2] < SMALLEST_SIDE or min(image.grid) < 1:
        return True
    told = finding.shape.size_mm
    return bool(told and image.spacing and max(told) < min(image.spacing))


def known(segmenter: Segmenter, finding: Finding, modality: str | None) -> bool:
    """Whether the model was trained for this concept (in such images, where the modality is known)."""
    knows = getattr(segmenter, "knows", None)
    return bool(knows(finding, modality)) if knows is not None else bool(finding.name or finding.phrase)
