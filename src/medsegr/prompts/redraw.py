"""One finding drawn again out of its prompts: on a picture, or on one slice of a volume and from there on."""

from dataclasses import dataclass, replace

import numpy as np

from medsegr import pipeline
from medsegr.errors import UsageError
from medsegr.inference.answers import Answer
from medsegr.options import Options
from medsegr.prompts.ask import Asked, Candidate, disagree
from medsegr.prompts.carry import Hand, carried
from medsegr.prompts.door import added
from medsegr.prompts.slices import Stack, get, put, slice_image, slice_number
from medsegr.results.verdicts import POINTED, drawn_in_parts, marked, threshold
from medsegr.reviews import Hints, Review
from medsegr.types import Finding, FindingResult, Image, Result, Segmenter


@dataclass(frozen=True, slots=True)
class Desk:
    """What stays the same while one image is worked on; ``stack`` is None for a picture."""

    segmenter: Segmenter
    image: Image
    stack: Stack | None = None
    follow: pipeline.Follow | None = None  # told how far a slice is carried

    @property
    def flat(self) -> tuple[int, int]:
        """Height and width of what prompts are given on: the picture, or a slice as stored."""
        if self.stack is not None:
            return self.stack.flat
        h, w = self.image.grid
        return h, w

    def number(self, given: int | None) -> int | None:
        """The slice that is meant, checked; None on a picture. UsageError where it does not fit the image."""
        if self.stack is not None:
            return slice_number(self.stack, given)
        if given is not None:
            raise UsageError(f"slice {given} came, but this image is a picture: leave the slice out")
        return None


def asked_of(desk: Desk, item: FindingResult, hints: Hints, start: np.ndarray | None) -> Asked:
    """What the model is asked: the finding's prompts so far with the new ones, and the mask to go on from
    (``start``, else the mask so far, where it has any pixel)."""
    before = next((one for one in _hints(item) if one.slice == hints.slice), None)
    picture, mask = desk.image, item.mask
    if desk.stack is not None and hints.slice is not None:
        picture = slice_image(desk.stack, hints.slice)
        mask = None if mask is None else get(mask, desk.stack, hints.slice)
    so_far = mask if mask is not None and mask.any() else None
    anew = bool(hints.boxes) or not hints.points
    return Asked(picture, item.finding, added(before, hints), so_far if start is None else start, anew)


def redone(
    desk: Desk, item: FindingResult, asked: Asked, found: Candidate, options: Options
) -> FindingResult:
    """The finding with a candidate as its mask, judged and measured again; its review tells the prompts."""
    mask, prob = found.mask, _agreeing(found.prob, found.mask)
    attention = found.attention
    if desk.stack is not None and asked.hints.slice is not None:
        mask = _volume(desk, desk.stack, item, asked, found.mask)
        attention, prob = item.attention, mask.astype(np.float32)
    # A person pointed at it: presence is no longer asked, so that the prompt is not thrown away.
    said = Answer(mask, found.score, None, attention, prob if options.fractional else None)
    free = Answer(item.free_mask, None, None, None) if item.free_mask is not None else None
    rules = (threshold(desk.segmenter), options, drawn_in_parts(desk.segmenter, item.finding))
    judged = pipeline.judge(desk.image, item.finding, None, (said, free), rules)
    if item.finding.name:
        judged = marked(judged, desk.segmenter, desk.image, POINTED)
    others = tuple(one for one in _hints(item) if one.slice != asked.hints.slice)
    before = item.review or Review()
    return replace(judged, review=Review((*others, asked.hints), before.revision + 1))


def painted(
    desk: Desk, item: FindingResult, plane: np.ndarray, number: int | None, options: Options
) -> FindingResult:
    """The finding with ``plane`` (bool ``h w``) as its mask, on a volume as its slice ``number``, judged and
    measured again. The model is not asked and no other slice changes; earlier prompts on that plane have
    had their say and are forgotten."""
    mask = plane
    if desk.stack is not None and number is not None:
        before = np.zeros(desk.stack.image.grid, bool) if item.mask is None else item.mask
        mask = put(before, desk.stack, {number: plane})
    prob = mask.astype(np.float32) if options.fractional else None
    free = Answer(item.free_mask, None, None, None) if item.free_mask is not None else None
    said = Answer(mask, None, None, item.attention, prob)
    rules = (threshold(desk.segmenter), options, drawn_in_parts(desk.segmenter, item.finding))
    judged = pipeline.judge(desk.image, item.finding, None, (said, free), rules)
    others = tuple(one for one in _hints(item) if one.slice != number)
    hints = Hints(slice=number, mask=True, painted=True)
    before_it = item.review or Review()
    return replace(judged, review=Review((*others, hints), before_it.revision + 1))


def disagreement(item: FindingResult, words: np.ndarray | None) -> tuple[str, str] | None:
    """The warning that the words and the prompts mean different places, where they do."""
    overlap = None if item.mask is None else disagree(words, item.mask)
    if overlap is None:
        return None
    said = f"{item.finding.id}: the mask after the prompts overlaps that of the words by {overlap:.0%} "
    return (
        "words_and_clicks_disagree",
        f"{said}(Dice); the prompts were followed: look at the words again, above all at side and place",
    )


def new_finding(result: Result, phrase: str, image: Image) -> FindingResult:
    """A finding that no report names: out of a phrase, or nameless (drawn from its prompts alone). Its id is
    the next free one."""
    taken = {item.finding.id for item in result.findings}
    own = next(name for n in range(1, len(taken) + 2) if (name := f"f{n}") not in taken)
    words = pipeline.read_words(image, None, (phrase,)) if phrase.strip() else None
    if words is None:
        return FindingResult(Finding(own, "", (0, 0), ""), "not_found", "empty")
    if len(words.findings) != 1:
        raise UsageError(f"the phrase names {len(words.findings)} findings: prompts belong to one; draw each")
    return FindingResult(replace(words.findings[0], id=own), "not_found", "empty")


def _hints(item: FindingResult) -> tuple[Hints, ...]:
    return item.review.hints if item.review is not None else ()


def _agreeing(prob: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Probabilities that say the same as the mask, which keeps to the clicks."""
    below = np.float32(np.nextafter(np.float32(0.5), np.float32(0)))
    agreed: np.ndarray = np.where(mask, np.maximum(prob, np.float32(0.5)), np.minimum(prob, below))
    return agreed


def _volume(desk: Desk, stack: Stack, item: FindingResult, asked: Asked, drawn: np.ndarray) -> np.ndarray:
    """The whole mask with one slice drawn by hand and its neighbours carried on from there."""
    before = np.zeros(stack.image.grid, bool) if item.mask is None else item.mask
    number = asked.hints.slice
    assert number is not None
    by_hand = {
        one.slice: get(before, stack, one.slice)
        for one in _hints(item)
        if one.slice is not None and one.slice != number
    }
    hand = Hand(number, drawn, by_hand)
    new = carried(desk.segmenter, stack, item.finding, hand, desk.follow)
    return put(before, stack, {number: drawn, **new})
