"""A slice drawn by hand, carried through its volume: by the memory of the network's host, where it has one
(SAM 2 with weights for videos), else each next slice is asked with the words and with the mask of the slice
before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import ndimage

from medsegr.inference.answers import answer_of
from medsegr.pipeline import Follow
from medsegr.prompts.ask import Asked, answer, overlap
from medsegr.prompts.slices import Carry, Stack, slice_image, spread
from medsegr.results.verdicts import threshold
from medsegr.reviews import Hints
from medsegr.types import Finding, Progress, Prompt, Segmenter

FITS = 0.5  # Dice with the neighbour's mask from which the words' own mask of a slice is taken


@dataclass(frozen=True, slots=True)
class Hand:
    """What a person drew: slice ``number`` with its ``mask`` (bool ``h w``), just now, and ``others`` earlier
    (number -> mask)."""

    number: int
    mask: np.ndarray
    others: Mapping[int, np.ndarray] = field(default_factory=dict)

    def bounds(self, count: int) -> tuple[int, int]:
        """First and last slice, of so many, that follow from this one: those between two that were drawn by
        hand each follow the nearer one."""
        below = [other for other in self.others if other < self.number]
        above = [other for other in self.others if other > self.number]
        first = (max(below) + self.number) // 2 + 1 if below else 0
        last = (min(above) + self.number) // 2 if above else count - 1
        return first, last


def carried(
    segmenter: Segmenter, stack: Stack, finding: Finding, hand: Hand, follow: Follow | None = None
) -> dict[int, np.ndarray]:
    """Number -> mask ``h w`` of the slices that follow from what was drawn by hand.

    Slices drawn by hand stay. An empty start changes no other slice. ``follow`` is told how far it is;
    ``Cancelled`` raised by it ends it.
    """
    if not hand.mask.any():
        return {}
    first, last = hand.bounds(stack.count)
    carry = _remembering(segmenter, stack, finding, hand) or _asking(segmenter, stack, finding)
    done: dict[int, np.ndarray] = {}

    def told(number: int, before: np.ndarray) -> np.ndarray | None:
        if follow is not None:
            follow(Progress("segment", len(done), last - first))
        return carry(number, before)

    for number, mask in spread(hand.number, hand.mask, (first, last), told):
        done[number] = mask
    return done


def _asking(segmenter: Segmenter, stack: Stack, finding: Finding) -> Carry:
    def carry(number: int, before: np.ndarray) -> np.ndarray | None:
        return _next(segmenter, stack, finding, number, before)

    return carry


def _remembering(segmenter: Any, stack: Stack, finding: Finding, hand: Hand) -> Carry | None:
    """The memory of the network's host, shown all that was drawn by hand; None where it has none.

    A slice has no mask (None) where the words do not see the finding there: the network's presence is asked
    without its memory, which was shown what is there and goes on to see it.
    """
    make = getattr(segmenter, "tracker", None)
    tracker = None if make is None else make(stack.image, finding)
    if tracker is None:
        return None
    for number, mask in sorted({**hand.others, hand.number: hand.mask}.items()):
        if mask.any():
            tracker.show(number, mask)

    def carry(number: int, _before: np.ndarray) -> np.ndarray | None:
        prob, there = tracker.follow(number, hand.number, stack.flat)
        return prob >= 0.5 if there >= threshold(segmenter) else None

    return carry


def _next(
    segmenter: Segmenter, stack: Stack, finding: Finding, number: int, before: np.ndarray
) -> np.ndarray | None:
    """The mask of a slice out of that of its neighbour; None where the words alone say that it is not there.

    The presence score is asked without the neighbour's mask: with one the network always says yes, since it
    was trained with masks of what is there. Where the words' own mask already fits the neighbour's it is
    taken (it follows the outline a little better), else the one that was asked with the neighbour's mask.
    Only pieces that meet the neighbour's mask are kept.
    """
    picture = slice_image(stack, number)
    target = finding.name or finding.phrase or "region"
    said = segmenter.segment(picture, Prompt(targets=(target,), findings=(finding,)))
    words = answer_of(said, 0)
    if words.presence is not None and words.presence < threshold(segmenter):
        return None
    drawn = words.mask
    if not finding.name or overlap(words.mask, before) < FITS:
        drawn = answer(segmenter, Asked(picture, finding, Hints(slice=number), before)).mask
    labels, _ = ndimage.label(drawn)
    meeting = np.unique(labels[before])
    return np.isin(labels, meeting[meeting > 0])
