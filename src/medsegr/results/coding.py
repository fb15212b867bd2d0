"""A Result as coded segments: what each finding is called in DICOM's words, where it lies, how large it is.

Codes come from the lexicon, which holds only codes that DICOM publishes. A finding without one is widened to
the nearest coded parent, at last to "Lesion": true of a finding that is there, and its own name stays beside
it. What is *not* there is never widened ("no cavity" is not "no lesion"): it keeps its own name under a
private scheme.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType

import numpy as np

from medsegr.io.segments import Maker, Segment
from medsegr.measure import axes_of
from medsegr.report import lexicon
from medsegr.report.lexicon import Concept
from medsegr.results.overlay import COLOURS, NOTICE
from medsegr.results.schema import text_hash
from medsegr.types import Code, Finding, FindingResult, Result

PROGRAM = "medsegr"
PRIVATE = "99MEDSEGR"  # DICOM: a scheme that begins with 99 is local
CATEGORIES = {
    "finding": Code("SCT", "49755003", "Morphologically Abnormal Structure"),
    "statement": Code("SCT", "49755003", "Morphologically Abnormal Structure"),
    "anatomy": Code("SCT", "91723000", "Anatomical Structure"),
    "device": Code("SCT", "260787004", "Physical object"),
}
WIDEST = {**CATEGORIES, **dict.fromkeys(("finding", "statement"), Code("SCT", "52988006", "Lesion"))}
SIDES = {
    "right": Code("SCT", "24028007", "Right"),
    "left": Code("SCT", "7771000", "Left"),
    "bilateral": Code("SCT", "51440002", "Bilateral"),
}
NOT_OF_THE_IMAGE = ("prior", "not_this_patient")  # reasons: an earlier study, a relative


def maker_of(result: Result, version: str) -> Maker:
    """Who made the masks."""
    model = result.model
    return Maker(PROGRAM, version, str(model.get("name", "model")), str(model.get("sha256") or ""), NOTICE)


def segments_of(result: Result, key: str, ends: bool = True) -> tuple[Segment, ...]:
    """Every finding about this patient and this image, drawn or not, in the report's order.

    Left out: what only an earlier study showed, what is said of somebody else, and what has neither name nor
    mask. ``key`` names the run (:func:`run_key`), so that ids are the same in every format and in a later
    export.
    ``ends``: also where the axes begin and end, for formats that draw them.
    """
    found = []
    for index, item in enumerate(result.findings):
        if item.reason in NOT_OF_THE_IMAGE or (item.mask is None and not item.finding.name):
            continue
        segment = _segment(item, index, key)
        if ends and segment.mask is not None and result.image.spacing is not None:
            segment = replace(segment, ends=axes_of(result.image, segment.mask).ends)
        found.append(segment)
    return tuple(found)


def run_key(image_sha256: str, report_sha256: str | None, model_sha256: str) -> str:
    """What names a run: the hashes of image, report and model."""
    return text_hash(json.dumps([image_sha256, report_sha256, model_sha256]))


def _segment(item: FindingResult, index: int, key: str) -> Segment:
    finding = item.finding
    concept = lexicon.concepts().get(finding.name)
    kind = concept.kind if concept is not None else "finding"
    side = patient_side(finding)
    present = item.mask is not None or finding.polarity == "present"
    mask = None if item.mask is None or not item.mask.any() else np.asarray(item.mask, bool)
    return Segment(
        id=finding.id,
        uid=f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, f'{PROGRAM}:{key}:{finding.id}').int}",
        name=(finding.name or "finding") + (f" ({side})" if side else ""),
        category=CATEGORIES[kind],
        kind=kind_of(finding, concept, present),
        colour=COLOURS[index % len(COLOURS)],
        presence=finding.polarity,
        mask=mask,
        prob=_fractions(item.prob),
        site=None if kind == "anatomy" else site_of(finding),
        side=SIDES.get(side or ""),
        measurements=item.measurements or {},
        drawn_by="SEMIAUTOMATIC" if _guided(item) else "AUTOMATIC",
        phrase=finding.phrase,
    )


def _guided(item: FindingResult) -> bool:
    """Whether a person drew, or corrected, the mask by prompts or by hand."""
    return item.review is not None and bool(item.review.hints or item.review.revision)


def _fractions(prob: np.ndarray | None) -> np.ndarray | None:
    """Probabilities in [0, 1]; kept ones are bytes."""
    return prob if prob is None or prob.dtype != np.uint8 else np.asarray(prob / np.float32(255), np.float32)


def kind_of(finding: Finding, concept: Concept | None, present: bool) -> Code:
    """The code of a finding: its own; else, where it is there, that of the nearest coded parent or of the
    widest word.
    """
    own = finding.code or (concept.code if concept is not None else None)
    if own is not None:
        return own
    if not present:
        return Code(PRIVATE, finding.name, finding.name)
    known = lexicon.concepts()
    parents = concept.parents if concept is not None else finding.parents
    wider = next((known[name].code for name in parents if name in known and known[name].code), None)
    return wider or WIDEST[concept.kind if concept is not None else "finding"]


def site_of(finding: Finding) -> Code | None:
    """The code of the first told place that has one, by itself or by the organ that it is a part of."""
    known, whole = lexicon.concepts(), _organs()
    for name in finding.location.anatomy:
        for called in (name, whole.get(name, "")):
            if called in known and known[called].kind == "anatomy" and known[called].code is not None:
                return known[called].code
    return None


@cache
def _organs() -> Mapping[str, str]:
    """Name of a place -> the organ that it is a part of."""
    return MappingProxyType({place.name: place.of for place in lexicon.places().values() if place.of})


def patient_side(finding: Finding) -> str | None:
    """The patient's side that the words tell; None for a side of the picture, which is none of the body."""
    return None if finding.location.side_frame == "viewer" else finding.location.side
