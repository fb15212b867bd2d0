"""How good each of several trained networks is on the same questions, under right and wrong words: one row a
mask.

Three kinds of question. Of real pictures of the validation part: each target by its name alone. Of sets
of real pictures in which the words mean one of several things (``medsegr sets referring``): each thing by
all its words. Of made bodies with several lesions of one name: one of them, by its name and the words of
one kind (location, texture or shape) that fit it alone. The last two are asked again under the text controls
(:mod:`medsegr.bench.controls`): by the name alone, which is what the words add to, and with words that are
missing or wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medsegr import data, phantom
from medsegr.bench import controls
from medsegr.bench.controls import CONTROLS, Other
from medsegr.bench.run import pool_of
from medsegr.bench.samples import Wanted, chosen, read_sample, samples_of
from medsegr.inference.answers import at_once
from medsegr.meaning.hearing import heard
from medsegr.metrics.overlap import dice
from medsegr.predict import Predictor
from medsegr.report.describe import finding_from
from medsegr.results.verdicts import threshold
from medsegr.samples.drawn import Marks
from medsegr.types import Finding, Image, Location, Prompt, Shape, Texture, modality_code

KINDS = ("location", "texture", "shape")
SEED = 900_000  # of made bodies that are never trained on
ALL = tuple(CONTROLS)


@dataclass(frozen=True, slots=True)
class Row:
    """``what`` was asked: ``name``, ``words`` (all of a referring set), or one of :data:`KINDS` (words of
    that kind decide). ``control``: with which words, one of ``CONTROLS``; ``words``: where the right ones
    come from (:mod:`medsegr.bench.samples`: oracle, written, name). ``group`` belongs together (a patient).
    ``dice`` of the mask alone; ``there``: whether the network's presence score says that it is there."""

    set: str
    what: str
    control: str
    words: str
    group: str
    case: str
    target: str
    dice: float
    there: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that is asked for: ``own`` is what it says among the others of its kind."""

    what: str
    own: Other
    wanted: Wanted


def real_rows(folder: Path, predictor: Predictor, limit: int | None = None) -> Iterator[Row]:
    """Every target that is there in the validation pictures of a set (``limit``: at most so many
    pictures)."""
    for seen, (group, image, there) in enumerate(data.read_shown(folder, limit), 1):
        masks, found = _asked(predictor, image, [finding for finding, _ in there])
        for i, (finding, truth) in enumerate(there):
            label = f"{finding.location.side or ''} {finding.name}".strip()
            # a group may have several pictures, and a picture several targets of one name
            score = float(dice(truth.judged(masks[i]), truth.mask))
            yield Row(
                folder.name, "name", "free", "name", group, f"{group}#{seen}.{i}", label, score, found[i]
            )


def referring_rows(folder: Path, predictor: Predictor, asked: Sequence[str] = ALL) -> Iterator[Row]:
    """Everything that is there in all pictures of a set that was built for judging, under the controls
    ``asked``."""
    samples = chosen(samples_of(folder.resolve()), "all")
    pool = pool_of(samples)
    for sample in samples:
        image, wanted = read_sample(sample, pool.words)
        questions = [
            Question("words", Other(f"{sample.id}.{i}", sample.group, sample.set, one.finding), one)
            for i, one in enumerate(wanted)
            if one.mask.any()
        ]
        yield from _rows(predictor, image, questions, (pool.others, asked))


def made_rows(kind: str, predictor: Predictor, count: int, asked: Sequence[str] = ALL) -> Iterator[Row]:
    """Lesions of ``count`` made bodies that words of one kind tell from others of their name, under the
    controls ``asked``. Shuffled words are those of another body's lesion, of the same kind."""
    others = [q for i in range(count) for q in _made(kind, i)[1]]
    for i in range(count):
        image, questions = _made(kind, i)
        for what in KINDS:
            everyone = [q.own for q in others if q.what == what]
            own = [q for q in questions if q.what == what]
            yield from _rows(predictor, image, own, (everyone, asked))


def _made(kind: str, number: int) -> tuple[Image, list[Question]]:
    """One made body and what is asked of it."""
    case = phantom.make(kind, np.random.default_rng([SEED, number]), 256)
    flat = case.image[None] if case.image.ndim == 2 else np.moveaxis(case.image, -1, 0)
    image = Image(
        np.ascontiguousarray(flat.astype(np.float32)),
        modality=modality_code(case.modality),
        frame=case.frame,
    )
    questions = []
    for what, lesion, finding in deciding(case):
        own = Other(f"{kind}-{number}/{lesion}", f"{kind}-{number}", f"phantom-{kind}", finding)
        marks = Marks(case.lesions[lesion].mask)
        wanted = Wanted(finding.name, named_only(finding), finding, marks, "oracle")
        questions.append(Question(what, own, wanted))
    return image, questions


def _rows(
    predictor: Predictor,
    image: Image,
    questions: Sequence[Question],
    how: tuple[Sequence[Other], Sequence[str]],
) -> Iterator[Row]:
    """The questions of one image, each under the controls that apply to it; what says the same is asked once.
    ``how``: whose words may be told instead, and which controls are asked.

    Another concept is one that such an image cannot show and the network knows, for a name that it never
    heard is no word at all: nothing of a target should be drawn.
    """
    everyone, chosen_ = how
    names = [q.wanted.name.name for q in questions]
    for q in questions:
        rng = controls.generator(SEED, q.own.sample, q.what)
        told = controls.controlled(q.wanted, controls.strangers(q.own, everyone), rng)
        dice_ = controls.generator(SEED, q.own.group, "other")
        strange = controls.foreign(image.modality, names, dice_, predictor.knows)
        told |= {"other": strange[0]} if strange else {}
        told = {name: told[name] for name in chosen_ if name in told}
        once = {controls.says(finding): finding for finding in told.values()}
        masks, found = _asked(predictor, image, list(once.values()))
        at = {said: i for i, said in enumerate(once)}
        for name, finding in told.items():
            i, marks = at[controls.says(finding)], q.wanted.marks
            score = float(dice(marks.judged(masks[i]), marks.mask))
            own = (q.own.group, q.own.sample, q.wanted.name.name)
            yield Row(q.own.set, q.what, name, q.wanted.source, *own, score, found[i])


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


def _asked(predictor: Predictor, image: Image, findings: Sequence[Finding]) -> tuple[np.ndarray, list[bool]]:
    """Masks bool [k *grid] at a probability of one half, and whether each is there by its presence score (all
    are without one). It does not gate the masks: networks without words cannot know what is asked. As many
    findings a call as its memory holds."""
    turn = at_once(image)
    masks, there = [], []
    for at in range(0, len(findings), turn):
        part = findings[at : at + turn]
        said = predictor.segment(image, Prompt(tuple(f.name for f in part), tuple(part)))
        presence = np.asarray(said.extras.get("presence", np.ones(len(part)))).reshape(-1)
        masks.append(np.asarray(said.prob >= 0.5))
        there += [bool(one) for one in presence >= threshold(predictor)]
    return np.concatenate(masks), there
