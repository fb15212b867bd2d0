"""Prompts put before a model: what it is given of them, the answers it could give, and which one is taken.

The network was trained with up to three points, or a box, or a rough mask with points. So it is given the
newest points only, beside the mask so far, in which the older ones live on. Of its answer to further clicks
only the pieces that hold them are taken, so that earlier work stays; whatever it says, the mask then keeps to
boxes and clicks (:mod:`medsegr.prompts.boxes`, :mod:`medsegr.prompts.honour`). The numbers behind that are in
``docs/explain/clicks.md``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from medsegr.inference.answers import answer_of
from medsegr.prompts.boxes import framed
from medsegr.prompts.honour import followed, honoured, pixel_of, settled
from medsegr.reviews import Box, Hints, Point
from medsegr.types import Finding, Image, Prompt, Segmenter

NEWEST = 3  # points that a model is given at once
SURE = 0.982  # probability of a mask that is given to go on from: a logit of 4, as in training
SAME = 0.8  # Dice from which an answer is about the same thing as the mask before, and may correct it
APART = 0.1  # Dice below which clicks and words are said to disagree


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer to the prompts. ``how``: "words and prompts", "prompts alone", "words alone", "again" or
    "piece"; of :mod:`medsegr.prompts.offers` also "tighter", "looser" and "largest part". ``mask`` bool
    ``h w`` keeps to every click; ``followed`` is the share of clicks that the model's own answer kept to;
    ``score`` is the model's guess of its own overlap, in [0, 1], or None."""

    how: str
    mask: np.ndarray
    prob: np.ndarray
    score: float | None
    followed: float
    attention: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: a finding on a picture, its prompts so far, and the mask to go on from (probabilities
    ``h w`` or bool), if there is one. ``anew``: it is drawn again as a whole, as after a box; else further
    clicks correct the mask before."""

    image: Image
    finding: Finding
    hints: Hints
    before: np.ndarray | None = None
    anew: bool = False


def silent(finding: Finding) -> Finding:
    """The same finding without a word: what is left are its prompts."""
    return Finding(finding.id, "", (0, 0), "")


def answer(segmenter: Segmenter, asked: Asked) -> Candidate:
    """What is drawn: the answer to words and prompts together, or that to the prompts alone where its model
    keeps to more of the clicks. So clicks win over words that contradict them.

    Where clicks correct a mask, of the answer only the pieces that hold them are taken, and none where the
    answer is another thing than the mask: clicks that are followed already change nothing.
    """
    together = _told(segmenter, asked, "words and prompts" if asked.finding.name else "prompts alone")
    if together.followed == 1 or not asked.finding.name or _corrects(asked):
        return together
    alone = _told(segmenter, asked, "prompts alone", silent(asked.finding))
    return alone if alone.followed > together.followed else together


def candidates(segmenter: Segmenter, asked: Asked) -> tuple[Candidate, ...]:
    """Three answers, best first: those whose model kept to more of the clicks, then those with the higher
    score.

    The decoder has one mask, so these differ by what it is told: words and prompts, prompts alone, words
    alone. Where there are no words: the prompts, the prompts once more with the answer to go on from, and
    of the first answer the pieces that hold a click.
    """
    if asked.finding.name:
        bare = replace(asked, hints=Hints(slice=asked.hints.slice), before=None)
        words = _told(segmenter, bare, "words alone")
        kept = replace(
            words,
            mask=_kept(words.prob >= 0.5, replace(asked, anew=True)),
            followed=followed(words.prob >= 0.5, asked.hints.points),
        )
        alone = _told(segmenter, asked, "prompts alone", silent(asked.finding))
        found = [_told(segmenter, asked, "words and prompts"), alone, kept]
    else:
        first = _told(segmenter, asked, "prompts alone")
        again = _told(segmenter, replace(asked, before=first.mask, anew=True), "again")
        found = [first, again, replace(first, how="piece", mask=pieces(first.mask, asked.hints.points))]
    return tuple(sorted(found, key=lambda one: (-one.followed, -(one.score or 0.0))))


def disagree(words: np.ndarray | None, clicked: np.ndarray) -> float | None:
    """Dice of the words' mask and the clicked one where it is so low that they mean different places, else
    None."""
    if words is None or not words.any() or not clicked.any():
        return None
    dice = overlap(words, clicked)
    return dice if dice < APART else None


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Dice of two masks; 0 where one of them is empty."""
    both = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / both if both else 0.0


def _told(segmenter: Segmenter, asked: Asked, how: str, finding: Finding | None = None) -> Candidate:
    """The model's answer, made to keep to the clicks. Several boxes are asked one by one and joined.
    ``finding``: what the model is told, where that is not what is asked for."""
    rows = list(_rows(asked.hints))
    count = len(rows)
    finding = finding or asked.finding
    target = finding.name or finding.phrase or "region"
    told = replace(finding, polarity="present")
    before = None if asked.before is None else _rough(asked.before)
    prompt = Prompt(
        targets=(target,) * count,
        findings=(told,) * count,
        boxes=np.array([box for box, _ in rows], float) if rows[0][0] is not None else None,
        points=_points([points for _, points in rows]),
        mask=None if before is None else np.repeat(before[None], count, 0),
    )
    said = segmenter.segment(asked.image, prompt)
    prob = np.asarray(said.prob).max(0)
    one = answer_of(said, 0)
    scores = [answer_of(said, k).score for k in range(count)]
    known = [score for score in scores if score is not None]
    points = asked.hints.points
    return Candidate(
        how,
        _kept(prob >= 0.5, asked),
        prob,
        sum(known) / len(known) if known else None,
        followed(prob >= 0.5, points),
        one.attention,
    )


def _kept(said: np.ndarray, asked: Asked) -> np.ndarray:
    """A model's answer ``said`` (bool ``h w``) as a mask that keeps to boxes, clicks and earlier work."""
    hints = asked.hints
    if asked.before is None or not _corrects(asked):
        return kept_to(said, asked)
    mask = asked.before >= 0.5
    if overlap(said, mask) >= SAME:
        for point in hints.points:
            mask = settled(mask, said, point)
    return honoured(mask, hints.points)


def kept_to(mask: np.ndarray, asked: Asked) -> np.ndarray:
    """A whole mask ``h w`` kept to the boxes and clicks of what is asked."""
    return honoured(framed(mask, asked.hints.boxes, bool(asked.finding.name)), asked.hints.points)


def _corrects(asked: Asked) -> bool:
    """Whether the clicks correct a mask, rather than that one is drawn as a whole."""
    return asked.before is not None and bool(
        (asked.before >= 0.5).any() and asked.hints.points and not asked.anew
    )


def _rows(hints: Hints) -> Iterator[tuple[Box | None, tuple[Point, ...]]]:
    """A row of the batch for each box with the newest points that lie in it (outside all boxes: in every
    row); one row where there is no box."""
    newest = hints.points[-NEWEST:]
    if len(hints.boxes) < 2:
        yield (hints.boxes[0] if hints.boxes else None), newest
        return
    for box in hints.boxes:
        yield box, tuple(p for p in newest if _in(p, box) or not any(_in(p, b) for b in hints.boxes))


def _in(point: Point, box: Box) -> bool:
    return box[0] <= point[0] + 0.5 <= box[2] and box[1] <= point[1] + 0.5 <= box[3]


def _points(rows: Sequence[Sequence[Point]]) -> np.ndarray | None:
    """``k NEWEST 3``, filled up with padding as in training; None where no row has a point."""
    if not any(rows):
        return None
    out = np.full((len(rows), NEWEST, 3), -1.0)
    for row, points in zip(out, rows, strict=True):
        row[: len(points)] = np.array(points, float).reshape(-1, 3)
    return out


def _rough(before: np.ndarray) -> np.ndarray:
    """A mask as the network knows masks to go on from: as sure inside as outside, and not quite."""
    return np.where(before >= 0.5, SURE, 1 - SURE).astype(np.float32)


def pieces(mask: np.ndarray, points: Sequence[Point]) -> np.ndarray:
    """The connected pieces that hold a click inside; the largest one where none does."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    grid = (mask.shape[0], mask.shape[1])
    chosen = {int(labels[pixel_of(p, grid)]) for p in points if p[2]} - {0}
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.isin(labels, list(chosen or {int(sizes.argmax())}))
