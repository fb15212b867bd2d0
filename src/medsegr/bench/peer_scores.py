"""How good each of several trained networks is on the same questions: one row a mask.

Three kinds of question. Of real pictures of the validation part: each target by its name alone. Of sets
of real pictures in which the words mean one of several things (``medsegr sets referring``): each thing by
all its words. Of made bodies with several lesions of one name: one of them, by its name and the words of
one kind (location, texture or shape) that fit it alone. The last two are asked by the name alone again,
which is what the words add to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medsegr import data, phantom
from medsegr.meaning.hearing import heard
from medsegr.metrics.overlap import dice
from medsegr.predict import Predictor
from medsegr.report.describe import finding_from
from medsegr.types import Finding, Image, Location, Prompt, Shape, Texture, modality_code

KINDS = ("location", "texture", "shape")
SEED = 900_000  # of made bodies that are never trained on


@dataclass(frozen=True, slots=True)
class Row:
    """``what`` was asked: ``name``, ``words`` (all of a referring set), one of :data:`KINDS` (words of that
    kind decide), or one of the latter with ``without`` before it (the same things by their name alone).
    ``group`` belongs together (a patient)."""

    set: str
    what: str
    group: str
    case: str
    target: str
    dice: float


def real_rows(folder: Path, predictor: Predictor, limit: int | None = None) -> Iterator[Row]:
    """Every target that is there in the validation pictures of a set (``limit``: at most so many
    pictures)."""
    for seen, (group, image, there) in enumerate(data.read_shown(folder, limit), 1):
        masks = _asked(predictor, image, [finding for finding, _ in there])
        for i, ((finding, truth), mask) in enumerate(zip(there, masks, strict=True)):
            label = f"{finding.location.side or ''} {finding.name}".strip()
            # a group may have several pictures, and a picture several targets of one name
            score = float(dice(truth.judged(mask), truth.mask))
            yield Row(folder.name, "name", group, f"{group}#{seen}.{i}", label, score)


def referring_rows(folder: Path, predictor: Predictor) -> Iterator[Row]:
    """Everything that is there in all pictures of a set that was built for judging, by all its words and by
    its name alone."""
    for seen, (group, image, there) in enumerate(
        one for held_out in (True, False) for one in data.read_there(folder, held_out=held_out)
    ):
        findings = [f for finding, _ in there for f in (finding, named_only(finding))]
        masks = _asked(predictor, image, findings)
        for i, (finding, truth) in enumerate(there):
            about = (group, f"{group}#{seen}.{i}", finding.name)
            for what, mask in zip(("words", "without words"), masks[2 * i : 2 * i + 2], strict=True):
                score = float(dice(truth.judged(mask), truth.mask))
                yield Row(folder.resolve().name, what, *about, score)


def made_rows(kind: str, predictor: Predictor, count: int) -> Iterator[Row]:
    """Lesions of ``count`` made bodies that words of one kind tell from others of their name."""
    for i in range(count):
        case = phantom.make(kind, np.random.default_rng([SEED, i]), 256)
        asked = deciding(case)
        if not asked:
            continue
        flat = case.image[None] if case.image.ndim == 2 else np.moveaxis(case.image, -1, 0)
        image = Image(
            np.ascontiguousarray(flat.astype(np.float32)),
            modality=modality_code(case.modality),
            frame=case.frame,
        )
        findings = [f for _, _, finding in asked for f in (finding, named_only(finding))]
        masks = _asked(predictor, image, findings)
        for n, (words, lesion, finding) in enumerate(asked):
            truth = case.lesions[lesion].mask
            about = (f"{kind}-{i}", f"{kind}-{i}/{lesion}", finding.name)
            yield Row(f"phantom-{kind}", words, *about, float(dice(masks[2 * n], truth)))
            yield Row(f"phantom-{kind}", f"without {words}", *about, float(dice(masks[2 * n + 1], truth)))


def deciding(case: phantom.PhantomCase) -> list[tuple[str, int, Finding]]:
    """(kind of words, index of the lesion, what is asked): words of that kind fit this lesion alone, its name
    fits another, too."""
    modality = modality_code(case.modality)
    left = None if case.frame == "viewer" else "right"
    whole = [finding_from(dict(x.attributes), x.phrase or "") for x in case.lesions]
    codes = [_texts(finding, modality, left) for finding in whole]
    found = []
    for i, finding in enumerate(whole):
        name = _texts(named_only(finding), modality, left)
        if sum(name <= other for other in codes) < 2:
            continue
        for kind in KINDS:
            asked = only(finding, kind)
            said = _texts(asked, modality, left)
            if said > name and sum(said <= other for other in codes) == 1:
                found.append((kind, i, asked))
    return found


def only(finding: Finding, kind: str) -> Finding:
    """The finding with the attributes of one kind of words."""
    return replace(
        finding,
        location=finding.location if kind == "location" else Location(),
        texture=finding.texture if kind == "texture" else Texture(),
        shape=finding.shape if kind == "shape" else Shape(),
    )


def named_only(finding: Finding) -> Finding:
    """The finding without any attribute."""
    return only(finding, "name")


def _texts(finding: Finding, modality: str | None, left: str | None) -> frozenset[str]:
    return frozenset(code.text for code in heard(finding, modality, left) if not code.scalar)


def _asked(predictor: Predictor, image: Image, findings: Sequence[Finding]) -> np.ndarray:
    """Masks bool [k h w] at a probability of one half. Presence does not gate them: networks without words
    cannot know what is asked."""
    prompt = Prompt(tuple(f.name for f in findings), tuple(findings))
    return np.asarray(predictor.segment(image, prompt).prob >= 0.5)
