"""A slice drawn by hand, carried through its volume: each next slice is asked with the words and with the
mask of the slice before it."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from medsegr.pipeline import answer_of
from medsegr.prompts.ask import Asked, answer, overlap
from medsegr.prompts.slices import Stack, slice_image, spread
from medsegr.reviews import Hints
from medsegr.types import Finding, Prompt, Segmenter
from medsegr.verdicts import threshold

FITS = 0.5  # Dice with the neighbour's mask from which the words' own mask of a slice is taken


def carried(
    segmenter: Segmenter,
    stack: Stack,
    finding: Finding,
    start: tuple[int, np.ndarray],
    by_hand: Sequence[int] = (),
) -> dict[int, np.ndarray]:
    """Number -> mask ``h w`` of the slices that follow from ``start`` = (number, mask).

    Slices drawn by hand (``by_hand``) stay; of those between two of them, each follows the nearer one. An
    empty start changes no other slice.
    """
    number, mask = start
    if not mask.any():
        return {}
    below = [other for other in by_hand if other < number]
    above = [other for other in by_hand if other > number]
    first = (max(below) + number) // 2 + 1 if below else 0
    last = (min(above) + number) // 2 if above else stack.count - 1

    def carry(at: int, before: np.ndarray) -> np.ndarray | None:
        return _next(segmenter, stack, finding, at, before)

    return dict(spread(number, mask, (first, last), carry))


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
