"""What may be the matter with the image itself: it may be turned, a negative, mirrored, or seen in a window
that hides what is asked.

Asked beside the job, told as warnings; nothing is drawn that way.
"""

from collections.abc import Sequence

import numpy as np

from medsegr.checks import side_axis
from medsegr.grid.planes import plane_of, to_slices
from medsegr.inference.answers import Answer, ask, was_seen
from medsegr.modality import likeness, upright
from medsegr.modality.mirrored import LEAN, lean
from medsegr.modality.windows import hides_lungs
from medsegr.options import Options
from medsegr.report.lexicon import concepts
from medsegr.results.verdicts import threshold
from medsegr.types import Finding, FindingResult, Image, Location, Segmenter

Warnings = list[tuple[str, str]]
HEART = Finding("heart", "heart and mediastinum", (0, 0), "cardiomediastinum")
LUNGS = tuple(
    Finding(side, f"{side} lung", (0, 0), "lung", location=Location(side=side)) for side in ("left", "right")
)
TURNS = {1: "by 90 degrees counterclockwise", 2: "by 180 degrees", 3: "by 90 degrees clockwise"}
MAY_BE = "may be mirrored, and left and right exchanged in all masks"


def otherwise(
    image: Image, results: Sequence[FindingResult], segmenter: Segmenter, options: Options
) -> Warnings:
    """Warnings about the image as a whole, after its findings were judged."""
    found = _as_it_looks(image, results) or _as_negative(image, results, segmenter)
    found += _in_a_window(image, results)
    if options.side_check == "off" or any(code == "looks_turned" for code, _ in found):
        return found  # sides of a turned picture mean nothing
    return [*found, *_mirrored(image, results, segmenter)]


def _in_a_window(image: Image, results: Sequence[FindingResult]) -> Warnings:
    """A warning where something of the chest is asked of a slice of CT whose window hides the lungs."""
    known = [concepts().get(r.finding.name) for r in results if _was_asked(r)]
    if not any(one is not None and one.field == "chest" for one in known) or not hides_lungs(image):
        return []
    text = "a fifth of the body or more is black in this window: lungs are not seen in it, whatever is drawn"
    return [("narrow_window", f"{text}; give it as a picture in a lung window (-1350 to 150 HU)")]


def _was_asked(result: FindingResult) -> bool:
    return result.mask is not None or result.status == "not_found"


def _as_it_looks(image: Image, results: Sequence[FindingResult]) -> Warnings:
    """Warnings where the picture itself, whatever is drawn in it, lies on its side, stands on its head or is
    a negative; only where something was asked of the model."""
    if not any(_was_asked(r) for r in results):
        return []
    negative, turns = upright.otherwise_than_usual(image) or (likeness.white_ground(image), 0)
    found = []
    if turns:
        text = f"the film looks turned: turn it {TURNS[turns]} and ask again"
        found.append(("looks_turned", f"{text}; every place and side hangs on it"))
    if negative:
        found.append(("looks_negative", "dark and bright look exchanged: invert the picture and ask again"))
    return found


def _as_negative(image: Image, results: Sequence[FindingResult], segmenter: Segmenter) -> Warnings:
    """A warning where what is not seen in a radiograph is seen in its negative. It is never drawn there: who
    knows which of both is right has not said so."""
    missed = [r.finding for r in results if r.reason == "presence_low"]
    other = likeness.negative(image) if missed else None
    if other is None:
        return []
    aside = getattr(segmenter, "aside", lambda: segmenter)()
    said, limit = ask(aside, other, missed), threshold(segmenter)
    seen = ", ".join(f.id for f, answer in zip(missed, said, strict=False) if was_seen(answer, limit))
    text = f"{seen}: seen in this picture's negative only: if bone is dark in it, invert it and ask again"
    return [("looks_negative", text)] if seen else []


def _mirrored(image: Image, results: Sequence[FindingResult], segmenter: Segmenter) -> Warnings:
    """A warning where an organ lies on the side where it does in hardly anybody, or where the heart of a film
    leans to the right."""
    drawn = [r for r in results if r.mask is not None]
    sides = {r.finding.id: c.outcome for r in drawn for c in r.checks if c.name == "anatomy"}
    if "pass" in sides.values():  # another organ lies where it should: it is the mask that is wrong
        return []
    if sides:
        text = f"{', '.join(sides)}: on the side where it is in hardly anybody: the image {MAY_BE}"
        return [("looks_mirrored", f"{text}; or the mask is wrong")]
    if drawn and _leans_right(image, segmenter):
        return [("looks_mirrored", f"the heart leans to the patient's right: the film {MAY_BE}")]
    return []


def _leans_right(image: Image, segmenter: Segmenter) -> bool:
    """Whether heart and both lungs are seen in a film, and the heart leans to the patient's right."""
    knows = getattr(segmenter, "knows", None)
    film = image.modality == "CR" and len(image.grid) == 2 and side_axis(image, "patient") is not None
    if knows is None or not film:
        return False
    asked = (HEART, *LUNGS)
    if not all(knows(finding, image.modality) for finding in asked):
        return False
    limit = threshold(segmenter)
    said = [a for a in ask(segmenter, image, asked) if isinstance(a, Answer) and was_seen(a, limit)]
    if len(said) < len(asked):
        return False
    # In the usual view the patient's left is at the picture's right.
    heart, *lungs = (to_slices(answer.mask, plane_of(image)) for answer in said)
    how = lean(heart, np.logical_or(*lungs))
    return how is not None and how <= -LEAN
