"""Why a finding is not drawn, as far as words, image and the model's card tell; what the card says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from medsegr.errors import GeometryError, MedsegrError
from medsegr.grid.planes import as_picture, axis_letters
from medsegr.meaning.hearing import wider
from medsegr.modality.kinds import (
    called,
    firm,
    likely_modalities,
    made_only,
    measured,
    offered,
    parts_of,
)
from medsegr.modality.supposing import Knowledge
from medsegr.modality.synthetic import is_made
from medsegr.options import Options
from medsegr.report.lexicon import concepts
from medsegr.report.parse import skip_reason
from medsegr.report.parts import kind_asked, part_asked
from medsegr.types import MODALITIES, Check, Finding, FindingResult, Image, Result, Segmenter, Status

SMALLEST_SIDE = 8  # px: a grid below this in height or width is refused as too_small
# What kind of image a modality gives; all that are not named are radiology.
KINDS = {"ES": "endoscopy", "SM": "microscopy", "GM": "microscopy", "OP": "eye", "DMS": "skin"}
FEW_PIXELS = 48  # px: of pictures below this long side the masks were worse (docs/log.md)
NAMED = 8  # concepts that are listed in a warning
LOW = 0.5  # Dice on validation images below which a mask is not given without saying so
DEFAULT_THRESHOLD = 0.5  # of the presence score, where the model's card tells none
FORCED, POINTED = "drawn because of --force", "drawn because a person pointed at it"
Verdict = tuple[Status, str]


def decide(image: Image, finding: Finding, segmenter: Segmenter, options: Options) -> Verdict | None:
    """Status and reason of a finding that is not drawn, known before the model is asked; None: draw it."""
    reason = skip_reason(finding, options.polarity)
    sound, small = _sound(image), _too_small(image, finding)
    asked = meant(segmenter, finding, image) if reason is None and sound and not small else finding
    if reason is None and _not_in_image(image, asked, segmenter):
        reason = "not_in_image"
    if reason is not None:
        return "skipped", reason
    if not sound:
        return "refused", "geometry"
    if small:
        return "refused", "too_small"
    if not options.force and not known(segmenter, asked, image.modality):
        return "refused", "unknown_concept"
    if not options.force and part_asked(finding) is not None:
        return "refused", "part_unknown"
    if not options.force and kind_asked(finding, _whole(segmenter, asked)) is not None:
        return "refused", "kind_unknown"
    if not options.force and unproven(segmenter, asked, image):
        return "refused", "made_only"
    return None


def drawn_name(segmenter: Segmenter, finding: Finding, image: Image) -> str:
    """The learned concept whose masks a finding gets in this image: itself, another name's or a wider one."""
    return called(_card(segmenter), _whole(segmenter, meant(segmenter, finding, image)), image.modality)


def _whole(segmenter: Segmenter, asked: Finding) -> str:
    """The concept that the model draws for what is asked (as of :func:`meant`): itself, or a wider one."""
    return wider(asked, _card(segmenter)).name


def _of_whole(segmenter: Segmenter, finding: Finding, image: Image) -> str:
    """What a refused part or kind belongs to, which the model knows."""
    whole = _whole(segmenter, meant(segmenter, finding, image))
    if (part := part_asked(finding)) is not None:
        return f"the {part} is a part of the {whole}, which the model knows as a whole only"
    kind = kind_asked(finding, whole)
    return f"{kind} is a kind or part of {whole}, which the model does not tell from others of it"


def unproven(segmenter: Segmenter, finding: Finding, image: Image) -> bool:
    """Whether the model learned from made images only what a real one is asked for, and that is no organ.

    Organs are in nearly every such picture, and are drawn with a warning. Lesions learned so are drawn
    whether they are there or not (decision 0051).
    """
    concept = concepts().get(finding.name)
    organ = concept is not None and concept.kind == "anatomy"
    card = _card(segmenter)
    return not organ and made_only(card, finding.name, image.modality) and not is_made(image.data)


def _not_in_image(image: Image, finding: Finding, segmenter: Segmenter) -> bool:
    """Whether the lexicon sees this concept only in quite another kind of image (radiology, endoscopy, eye,
    skin, microscopy).

    Conservative: a concept that the model knows in this modality is never turned away, nor one in a
    neighbouring modality.
    """
    concept, modality = concepts().get(finding.name), image.modality
    if concept is None or not concept.modalities or modality is None:
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


def _too_small(image: Image, finding: Finding | None = None) -> bool:
    """Fewer than 8 px in two directions of the grid, or a told size below the finest spacing."""
    if sorted(image.grid)[-2] < SMALLEST_SIDE or min(image.grid) < 1:
        return True
    told = finding.shape.size_mm if finding is not None else None
    return bool(told and image.spacing and max(told) < min(image.spacing))


def known(segmenter: Segmenter, finding: Finding, modality: str | None) -> bool:
    """Whether the model was trained for this concept (in such images, where the modality is known)."""
    knows = getattr(segmenter, "knows", None)
    return bool(knows(finding, modality)) if knows is not None else bool(finding.name or finding.phrase)


def meant(segmenter: Segmenter, finding: Finding, image: Image) -> Finding:
    """The finding by the name under which the model draws it in this image. A model that fails here will say
    so when it is asked to draw."""
    tell = getattr(segmenter, "meant", None)
    try:
        return finding if tell is None else cast(Finding, tell(finding, image))
    except Exception:
        return finding


def real_cases(segmenter: Segmenter, finding: Finding, modality: str | None) -> int:
    """From how many cases the model learned what a finding asks; 0 where it is not :func:`known`, or from
    made images only."""
    card = _card(segmenter)
    name = called(card, finding.name, modality)
    if not known(segmenter, finding, modality) or made_only(card, name, modality):
        return 0
    return max(int(card["concepts"].get(part, {}).get("cases", 1)) for part in parts_of(card, name))


def like(segmenter: Segmenter, image: Image) -> bool:
    """Whether the model surely takes a picture for one of its modality; never a volume."""
    tell, card = getattr(segmenter, "chances", None), _card(segmenter)
    image = as_picture(image)[0] if _sound(image) else image
    taught_in = {code for one in card.get("concepts", {}).values() for code in one.get("modalities", ())}
    if tell is None or len(image.grid) != 2 or image.modality not in taught_in or _too_small(image):
        return False
    try:
        return image.modality in likely_modalities(card, tell(image))
    except Exception:  # as in meant
        return False


def knowledge_of(segmenter: Segmenter) -> Knowledge:
    """What a model can be asked for, where nobody said what kind of image it is."""
    return Knowledge(partial(known, segmenter), partial(real_cases, segmenter), partial(like, segmenter))


def one_line(error: BaseException) -> str:
    """An error as one line: our own errors speak for themselves, a foreign one is named by its kind only."""
    if isinstance(error, MedsegrError):
        return " ".join(str(error).split())
    return "out of memory" if isinstance(error, MemoryError) else type(error).__name__


def marked(item: FindingResult, segmenter: Segmenter, image: Image, why: str = FORCED) -> FindingResult:
    """A result with a warning check where a mask was drawn of what the model was not trained for, or not on
    real images; ``why`` it was drawn all the same."""
    if item.mask is None:
        return item
    asked = meant(segmenter, item.finding, image)
    if not known(segmenter, asked, image.modality):
        said = f"the model was not trained for this concept; {why}"
    elif (part := part_asked(item.finding)) is not None:
        said = f"the model knows the whole {asked.name} only, not the {part}; {why}"
    elif (kind := kind_asked(item.finding, whole := _whole(segmenter, asked))) is not None:
        said = f"the model knows {whole} of any kind only, not the {kind}; {why}"
    elif unproven(segmenter, asked, image):
        said = f"the model learned this concept from made images only; {why}"
    else:
        return item
    return replace(item, checks=(*item.checks, Check("concept", "warn", said)))


def cautions(
    image: Image,
    results: Sequence[FindingResult],
    answers: Sequence[object],
    segmenter: Segmenter,
    options: Options,
) -> list[tuple[str, str]]:
    """What a run should say beside its masks: errors of the model, forced masks, organs learned from
    made images only (also where they were not seen), concepts that were drawn poorly where they were judged,
    a missing map."""
    notes = [("error", f"the model failed: {one_line(a)}") for a in answers if isinstance(a, Exception)]
    card = _card(segmenter)
    if len(image.grid) == 2 and max(image.grid) < FEW_PIXELS and any(r.mask is not None for r in results):
        size = f"{image.grid[1]} x {image.grid[0]}"
        notes.append(("few_pixels", f"the picture has {size} pixels: masks of so small ones are often wrong"))
    for item in results:
        usual = (item.finding.name, called(card, item.finding.name, image.modality))
        looked = item.status in ("segmented", "not_found")  # "not there" is worth as little as the mask
        drawn = meant(segmenter, item.finding, image) if looked else item.finding
        if item.mask is not None and drawn.name not in usual:
            text = f"drawn as {drawn.name}, which this picture shows: say what else is meant"
            notes.append(("drawn_as", f"{item.finding.id}: {text}"))
        if (check := next((one for one in item.checks if one.name == "concept"), None)) is not None:
            notes.append(("forced", f"{item.finding.id}: {check.detail}"))
        elif looked and made_only(card, drawn.name, image.modality) and not is_made(image.data):
            text = f"{item.finding.id}: its concept was learned from made images only: do not rely on it"
            notes.append(("phantom_only", text))
        elif item.mask is not None and (low := _low(card, wider(drawn, card).name)):
            notes.append(("measured_low", f"{item.finding.id}: {low}"))
        elif (advice := _advice(segmenter, item, image)) is not None:
            notes.append((advice[0], f"{item.finding.id}: {advice[1]}"))
    if options.explain and any(r.mask is not None and r.attention is None for r in results):
        notes.append(("no_attention", "this model gives no map of where the words acted"))
    return notes


def _advice(segmenter: Segmenter, item: FindingResult, image: Image) -> tuple[str, str] | None:
    """A warning's code and words: what could be asked for instead of what was refused."""
    if item.reason in ("part_unknown", "kind_unknown"):
        return "whole_known", f"{_of_whole(segmenter, item.finding, image)}: ask for that if it is meant"
    if item.reason != "unknown_concept":
        return None
    if narrower := _narrower(_card(segmenter), item.finding, image.modality):
        return "narrower_known", f"this alone is not known, but {', '.join(narrower)}: say so if it is meant"
    if kinds := [code for code in MODALITIES if known(segmenter, item.finding, code)]:
        text = f"known in {', '.join(kinds)}, and this image is taken as {image.modality}: see that it is"
        return "known_elsewhere", text
    return None


def unproposed(image: Image, segmenter: Segmenter) -> tuple[str, str]:
    """Why there is no finding where nobody said what is looked for: what was looked for, and not seen."""
    card = _card(segmenter)
    names = offered(card, card["concepts"], image.modality, is_made(image.data))
    kind = "an image of a kind that nobody told" if image.modality is None else f"{image.modality} images"
    few, more = ", ".join(names[:NAMED]), len(names) - NAMED
    said = f"{few}{f' and {more} more' if more > 0 else ''}: none of these was seen" if names else "nothing"
    return (
        "nothing_proposed",
        f"no words came, and of itself the model looks in {kind} for {said}; say what is meant",
    )


def _low(card: Mapping[str, Any], name: str) -> str:
    """What the card says of a concept, or of the worst of its parts, of which masks were poor where they were
    judged; else nothing."""
    told = [(found, part) for part in parts_of(card, name) if (found := measured(card, part)) is not None]
    (dice, count), part = min(told, default=((1.0, 0), name))
    if dice >= LOW:
        return ""
    targets = f"{count} validation target{'' if count == 1 else 's'}"
    return f"its masks of {part} reached a Dice of {dice:.2f} on {targets}: look closely"


def _narrower(card: Mapping[str, Any], finding: Finding, modality: str | None) -> list[str]:
    """What a model learned from real images of the modality and is a kind of what was asked for."""
    lexicon = concepts()
    own = [name for name in card["concepts"] if name in lexicon and firm(card, name, modality)]
    return [name for name in own if finding.name in lexicon[name].parents]


def drawn_in_parts(segmenter: Segmenter, finding: Finding) -> bool:
    """Whether the model draws several concepts for what a finding asks for, as one mask."""
    return len(parts_of(_card(segmenter), finding.name)) > 1


def threshold(segmenter: Segmenter) -> float:
    """The presence score from which a finding counts as seen, of the model's card."""
    return float(_card(segmenter).get("presence_threshold", DEFAULT_THRESHOLD))


def model_of(segmenter: Segmenter) -> Mapping[str, Any]:
    """Name, sha256 and licence of a model; a model without a card is named by its class."""
    card = _card(segmenter)
    known = {"name": type(segmenter).__name__.lower(), "sha256": "", "licence": "unknown"}
    return {key: card.get(key, value) for key, value in known.items()}


def _card(segmenter: Segmenter) -> Mapping[str, Any]:
    return {"concepts": {}, **(getattr(segmenter, "card", None) or {})}


def side_failures(result: Result) -> list[str]:
    """Ids of the findings whose side check failed: what ``--side-check strict`` ends with exit code 5 for."""
    return [
        r.finding.id
        for r in result.findings
        if any(c.name == "side" and c.outcome == "fail" for c in r.checks)
    ]
