"""What nobody said of an image, by the words that came with it and by how it looks: what kind of image it is,
and whose left is meant. Sizes, colours and what is known hang on the kind, so it is told in a warning."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from medsegr.grid import pixels
from medsegr.modality.likeness import COLOURED, GREY, PICTURES, report_modalities
from medsegr.report.lexicon import concepts
from medsegr.report.parse import skip_reason
from medsegr.types import MODALITIES, Finding, Image, Report

BY_LOOK = "for it looks like these"
FEW = 7  # cases: of what was learned from fewer the look of a picture says little
Known = Callable[[Finding, str | None], bool]  # whether a model draws what a finding asks, in a modality


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a model knows, from how many ``real`` cases, and whether an image is surely ``like`` those of its
    modality, seen as these are seen."""

    known: Known
    real: Callable[[Finding, str | None], int]
    like: Callable[[Image], bool]


def supposed(image: Image, words: Report, model: Knowledge) -> tuple[Image, tuple[str, str]] | None:
    """The image with a modality, and a warning (code, message); None where it was told, or nothing decides.

    A report's title and technique decide where they name modalities, and name one; else what is asked for
    does, where the model draws all of it in images of one modality only, and the picture does not surely look
    like another: who asks a chest film for a polyp gets none. A modality that the pixels cannot be of does
    not count. The frame follows the modality, unless it was told.
    """
    if image.modality is not None:
        return None
    if report_modalities(words):
        code, why = titled(image, words), "as the report says"
    else:
        code, why = _untold(words.findings, image, model)
    if code is None:
        return None
    told_by = "look" if why == BY_LOOK else "words"
    source = replace(image.source, meta={**image.source.meta, "modality_from": told_by})
    frame = image.frame
    if source.frame_from == "assumed":
        source, frame = replace(source, frame_from="modality"), MODALITIES[code][0]
    text = f"nobody said what kind of image this is: taken as {code}, {why}; say --modality to be sure"
    return replace(image, modality=code, frame=frame, source=source), ("modality_supposed", text)


def titled(image: Image, words: Report) -> str | None:
    """The one modality that a report's title and technique name, where the pixels can be of it."""
    named = report_modalities(words)
    return next((code for code in named if code in _possible(image)), None) if len(named) == 1 else None


def framed(image: Image, words: Report) -> Image:
    """The image in the viewer's frame, where nobody said whose left is meant and all named concepts are of
    such pictures.
    """
    if image.source.frame_from != "assumed":
        return image
    named = [concepts()[f.name].modalities for f in words.findings if f.name in concepts()]
    frames = {MODALITIES[code][0] for codes in named for code in codes[:1] if code in MODALITIES}
    return replace(image, frame="viewer") if frames == {"viewer"} else image


def _possible(image: Image) -> list[str]:
    """Modalities that the pixels do not speak against."""
    volume, colour = len(image.grid) == 3, pixels.coloured(image.data)
    never = (*(PICTURES if volume else ()), *(GREY if colour else ()))
    return [code for code in MODALITIES if code not in never]


def _untold(findings: Sequence[Finding], image: Image, model: Knowledge) -> tuple[str | None, str]:
    """The modality by what is asked for and by how the picture looks, and why it is taken."""
    drawn = [one for one in findings if skip_reason(one, ("present", "uncertain")) is None]
    asked = [one for one in drawn if model.known(one, None)]
    able = [code for code in _possible(image) if asked and all(model.known(one, code) for one in asked)]
    code, why = _only(able, image), "for the model knows what is asked in these only"
    cases = max((model.real(one, code) for one in asked), default=0) if code is not None else 0
    kinds = _in_such_colours(image)
    if not drawn or (cases and code in kinds and model.like(replace(image, modality=code))):
        return code, why
    likely = [other for other in kinds if model.like(replace(image, modality=other))]
    if code in likely or not likely or 0 < cases < FEW:
        return code, why
    if len(likely) == 1:
        return likely[0], BY_LOOK
    return (None if cases else code), why


def _in_such_colours(image: Image) -> list[str]:
    """Modalities whose images come in colour, or grey, as this one does: what is grey looks like anything
    once it is given the colours of a kind. Ultrasound has coloured labels."""
    colour, in_colour = pixels.coloured(image.data), (*COLOURED, *pixels.COLOURS)
    return [code for code in _possible(image) if code == "US" or (code in in_colour) == colour]


def _only(codes: Sequence[str], image: Image) -> str | None:
    """The one modality of several that is left; cells are stained or not."""
    colour = pixels.coloured(image.data)
    left = codes if len(codes) < 2 else [code for code in codes if (code in COLOURED) == colour]
    return left[0] if len(left) == 1 else None
