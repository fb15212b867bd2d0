"""What nobody said of an image, by the words that came with it: what kind of image it is, and whose left is
meant. Sizes, colours and what is known hang on the kind, so it is told in a warning."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from medsegr import pixels
from medsegr.likeness import COLOURED, GREY, PICTURES, report_modalities
from medsegr.report.lexicon import concepts
from medsegr.report.parse import skip_reason
from medsegr.types import MODALITIES, Finding, Image, Report

Known = Callable[[Finding, str | None], bool]  # whether a model draws what a finding asks, in a modality


def supposed(image: Image, words: Report, known: Known) -> tuple[Image, tuple[str, str]] | None:
    """The image with a modality, and a warning (code, message); None where it was told, or nothing decides.

    A report's title and technique decide where they name modalities, and name one; else what is asked for
    does, where the model draws all of it in images of one modality only. A modality that the pixels cannot be
    of does not count. The frame follows the modality, unless it was told.
    """
    if image.modality is not None:
        return None
    if report_modalities(words):
        found, why = [code for code in [titled(image, words)] if code is not None], "as the report says"
    else:
        found, why = _asked(words.findings, image, known), "for the model knows what is asked in these only"
    if len(found) != 1:
        return None
    source = replace(image.source, meta={**image.source.meta, "modality_from": "words"})
    frame = image.frame
    if source.frame_from == "assumed":
        source, frame = replace(source, frame_from="modality"), MODALITIES[found[0]][0]
    text = f"nobody said what kind of image this is: taken as {found[0]}, {why}; say --modality to be sure"
    return replace(image, modality=found[0], frame=frame, source=source), ("modality_supposed", text)


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


def _asked(findings: Sequence[Finding], image: Image, known: Known) -> list[str]:
    """Modalities in which all is known that is asked for and known at all."""
    drawn = [one for one in findings if skip_reason(one, ("present", "uncertain")) is None]
    asked = [one for one in drawn if known(one, None)]
    found = [code for code in _possible(image) if asked and all(known(one, code) for one in asked)]
    if len(found) < 2:
        return found
    colour = pixels.coloured(image.data)  # cells, stained or not
    return [code for code in found if (code in COLOURED) == colour]
