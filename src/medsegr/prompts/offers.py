"""Other answers to the newest prompts, to choose from: only such as differ to the eye from the mask and from
each other.

First what the model draws where it is told other things (:func:`medsegr.prompts.ask.candidates`). Often that
is the same mask three times, so then the mask itself: tighter, looser, its largest part. ``how`` names each;
no name comes twice, and a name means the same in every session.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from medsegr.errors import UsageError
from medsegr.metrics.overlap import iou
from medsegr.prompts.ask import Asked, Candidate, candidates, kept_to, overlap, pieces
from medsegr.prompts.honour import followed
from medsegr.types import Segmenter

ALIKE = 0.9  # intersection over union from which two answers are one to the eye
MOST = 5  # answers that are offered
TIGHTER = (0.6, 0.7, 0.8, 0.9, 0.95, 0.98)  # probabilities at which a mask ends, mildest first
FAR = 4.0  # times the area, or a part of it: beyond that it is no tighter or looser mask but another thing
LOOSER = (0.4, 0.3, 0.2, 0.1, 0.05, 0.02)


def offers(segmenter: Segmenter, asked: Asked, now: np.ndarray | None) -> tuple[Candidate, ...]:
    """At most five answers that differ from ``now`` (the mask ``h w`` as it is, or None) and from each other,
    those of the model first, best first; none where nothing differs. All keep to every click."""
    found = candidates(segmenter, asked)
    made = () if now is None or not now.any() else tuple(derived(asked, now, _nearest(found, now)))
    kept: list[Candidate] = []
    for one in (*found, *made):
        known = [other.mask for other in kept] + ([] if now is None else [now])
        if one.mask.any() and not any(alike(one.mask, other) for other in known):
            kept.append(one)
    return tuple(kept[:MOST])


def chosen(found: Sequence[Candidate], which: int | str) -> int:
    """The place of an answer that is meant by its number, from 0, or by its ``how``. UsageError where there
    is none."""
    if not found:
        raise UsageError("there is no other answer here: all come out as the mask that is drawn")
    names = [one.how for one in found]
    if isinstance(which, str):
        if which not in names:
            raise UsageError(f"no answer '{which[:40]}': one of {', '.join(names)} was expected")
        return names.index(which)
    if isinstance(which, bool) or not 0 <= which < len(found):
        raise UsageError(f"candidate {which} came: 0 to {len(found) - 1} was expected")
    return which


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two masks are one to the eye."""
    return iou(one, other) >= ALIKE


def derived(asked: Asked, now: np.ndarray, said: Candidate) -> Iterator[Candidate]:
    """The mask tighter and looser, by the probabilities of the model's answer ``said``, and its largest part
    (the parts that hold a click), as far as these differ from it."""
    labels, _ = ndimage.label(now | (said.prob >= LOOSER[-1]))
    near = np.isin(labels, np.unique(labels[now]))  # looser grows the mask and adds no islands
    ways = {
        "tighter": (now & (said.prob >= limit) for limit in TIGHTER),
        "looser": (now | (near & (said.prob >= limit)) for limit in LOOSER),
        "largest part": iter([pieces(now, asked.hints.points)]),
    }
    for how, masks in ways.items():
        for mask in masks:
            kept = kept_to(mask, asked)
            if not 1 / FAR <= int(mask.sum()) / int(now.sum()) <= FAR:
                break
            if not alike(kept, now):
                share = followed(kept, asked.hints.points)  # no answer of the model's: as it is offered
                yield replace(said, how=how, mask=kept, score=None, followed=share)
                break


def _nearest(found: Sequence[Candidate], now: np.ndarray) -> Candidate:
    """The model's answer that the mask most likely is of."""
    return max(found, key=lambda one: overlap(one.mask, now))
