"""Whether a picture lies on its side, stands on its head or is a negative, told by its edges alone.

No network is asked: of one that never saw such pictures nothing can be learned about them. What counts are
the directions of the edges in eight by eight fields and the grey of 16 by 16, weighed by numbers that
``medsegr.training.upright`` found for kinds of pictures which have an upper end
(``weights/upright.json``). One row of weights says how upright a picture looks; the picture is held against
it in its four turns, as it is and with dark and bright exchanged, and the best of the eight is told where it
is better than all others by a wide margin, in whatever frame the picture is seen.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from medsegr.grid import pixels
from medsegr.grid.planes import plane_of, to_slices
from medsegr.grid.resize import resized
from medsegr.types import Image
from medsegr.weights import HERE

FILE = HERE / "upright.json"
SIDE, CELL, DOT, BINS = 64, 8, 4, 8  # pixels of a view, of a field and of a grey dot; directions of edges
CELLS, DOTS = SIDE // CELL, SIDE // DOT
LENGTH = BINS * CELLS**2 + DOTS**2
DARK = 0.06  # of the range of values: a margin is no brighter
LONGEST = 192  # pixels of the long side: a larger picture is made smaller once
FLAT = 1e-3  # of the range of values: a picture that varies less shows nothing
WAYS = tuple((negative, turns) for negative in (False, True) for turns in range(4))  # the first: as it is


@dataclass(frozen=True, slots=True)
class Weights:
    """Of one modality: ``upright`` [n] weighs what :func:`described` gives, ``other`` [n] what is left of it
    when the picture may be turned and negative; ``margin``: from which on something is told."""

    upright: np.ndarray
    other: np.ndarray
    bias: float
    margin: float


def otherwise_than_usual(image: Image) -> tuple[bool, int] | None:
    """(whether it is a negative, by how many quarter turns counterclockwise it must be turned), for a picture
    that surely is not as it should be; None for all others, volumes, and kinds that were not learned."""
    weights = learned().get(image.modality or "")
    if weights is None or len(image.grid) != 2 or pixels.coloured(image.data):
        return None
    plane = plane_of(image)
    if plane.normal not in ("?", "A"):  # learned from the front
        return None
    shown = to_slices(pixels.to_bytes(image), plane).astype(np.float32).mean(0) / 255
    way, margin = judged(shown, weights)
    return WAYS[way] if way and margin >= weights.margin else None


@cache
def learned() -> Mapping[str, Weights]:
    """The weights by modality."""
    told = json.loads(FILE.read_text(encoding="utf-8"))
    return {
        code: Weights(np.array(one["upright"]), np.array(one["other"]), one["bias"], one["margin"])
        for code, one in told.items()
    }


def judged(picture: np.ndarray, weights: Weights) -> tuple[int, float]:
    """The likeliest of :data:`WAYS` for a grey picture [h w] in [0, 1], and by how much it is better than all
    others in the view where it is so the least; (0, 0) where the picture shows nothing."""
    if np.ptp(picture) < FLAT:
        return 0, 0.0
    said = np.stack([scores(seen, weights) for seen in both(picture)])
    best = int(said[:, :-1].mean(0).argmax())
    return best, float((said[:, best] - np.delete(said, best, axis=1).max(1)).min())


def scores(seen: np.ndarray, weights: Weights) -> np.ndarray:
    """[9]: how well a view fits each of :data:`WAYS`, and how well another kind of picture. ``seen`` [2 n]:
    the view described as it is and as a negative."""
    fits = [float(seen[int(negative)][order(turns)] @ weights.upright) for negative, turns in WAYS]
    return np.array([*fits, float(whichever(seen) @ weights.other) + weights.bias])


def whichever(seen: np.ndarray) -> np.ndarray:
    """[n]: a view ``seen`` [2 n] without its turn and sign."""
    return np.asarray(np.mean([one[order(turns)] for one in seen for turns in range(4)], axis=0))


def both(picture: np.ndarray) -> list[np.ndarray]:
    """[2 n] a view of the picture [h w]: as it is and as a negative, whole and without its dark margins, each
    stretched to a square and laid into one."""
    small = shrunk(picture)
    ways = [[described(view) for view in views(one)] for one in (small, 1 - small)]
    return [np.stack(pair) for pair in zip(*ways, strict=True)]


def shrunk(picture: np.ndarray) -> np.ndarray:
    """The picture [h w], no longer than :data:`LONGEST`."""
    h, w = picture.shape
    share = min(1.0, LONGEST / max(h, w))
    return resized(picture, (max(1, round(h * share)), max(1, round(w * share))), smooth=True)


def views(picture: np.ndarray) -> list[np.ndarray]:
    """Four views [SIDE SIDE] of a picture [h w] in [0, 1]."""
    found = []
    for one in (picture, without_margins(picture)):
        h, w = one.shape
        n = max(h, w)
        laid = np.pad(one, (((n - h) // 2, n - h - (n - h) // 2), ((n - w) // 2, n - w - (n - w) // 2)))
        found += [resized(part, (SIDE, SIDE), smooth=True) for part in (one, laid)]
    return found


def without_margins(picture: np.ndarray) -> np.ndarray:
    """The picture [h w] without its dark margins; whole where hardly anything would be left."""
    bright = picture > picture.min() + DARK * np.ptp(picture)
    rows, cols = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    if min(len(rows), len(cols)) < CELL:
        return picture
    return picture[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]


def described(view: np.ndarray) -> np.ndarray:
    """[LENGTH]: strength of the edges by direction and field, then the grey; both without brightness and
    contrast."""
    view = (view - view.mean()) / max(float(view.std()), FLAT)
    across, down = np.zeros_like(view), np.zeros_like(view)
    across[:, 1:-1] = view[:, 2:] - view[:, :-2]
    down[1:-1] = view[2:] - view[:-2]
    direction = np.arctan2(down, across) / (2 * np.pi) * BINS % BINS
    first = np.floor(direction).astype(int)
    share, strength = direction - first, np.hypot(across, down)
    edges = np.zeros((BINS, SIDE, SIDE), np.float32)
    for which in range(BINS):
        edges[which] = strength * (
            (first % BINS == which) * (1 - share) + ((first + 1) % BINS == which) * share
        )
    fields = np.sqrt(edges.reshape(BINS, CELLS, CELL, CELLS, CELL).mean((2, 4)))
    fields /= max(float(fields.std()), 1e-6)
    grey = view.reshape(DOTS, DOT, DOTS, DOT).mean((1, 3))
    return np.concatenate([fields.ravel(), grey.ravel()]).astype(np.float32)


@cache
def order(turns: int, mirrored: bool = False) -> np.ndarray:
    """[LENGTH]: ``described(view)[order(k)]`` is the description of the view turned counterclockwise by k
    quarter turns, or of its mirror image."""
    at = np.arange(LENGTH)
    edges, grey = at[: BINS * CELLS**2].reshape(BINS, CELLS, CELLS), at[BINS * CELLS**2 :].reshape(DOTS, DOTS)
    if mirrored:
        edges, grey = edges[(BINS // 2 - np.arange(BINS)) % BINS, :, ::-1], grey[:, ::-1]
    edges = np.rot90(np.roll(edges, -turns * BINS // 4, axis=0), turns, (1, 2))
    return np.concatenate([edges.ravel(), np.rot90(grey, turns).ravel()])
