"""Which lesions a phantom gets, and where: names, looks, places, outlines. No drawing and no words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medsegr.phantom.concepts import AREAS, Choice, Concept, clear_differences
from medsegr.phantom.draw import Blob, outline, place
from medsegr.phantom.scene import Look, Place, Scene, Spot

COUNTS = (0.17, 0.34, 0.26, 0.15, 0.08)  # of 1, 2, 3, 4, 5 lesions
PAIRS = 0.42  # wanted share of twins in one place; about 25 % come out, since not every place holds two
SMALLEST = 0.0015  # share of the image
LARGEST = 0.08
KEPT = 0.82  # share of an outline that its place must leave
TRIES = 14


def draw(rng: np.random.Generator, choice: Choice) -> str | None:
    """One value by weight."""
    values = list(choice)
    weights = np.fromiter(choice.values(), float)
    return values[int(rng.choice(len(values), p=weights / weights.sum()))]


def look(rng: np.random.Generator, concept: Concept) -> Look:
    """A random look that the concept allows."""
    form, margin = draw(rng, concept.form) or "round", draw(rng, concept.margin) or "smooth"
    if form in {"linear", "triangular", "patchy", "irregular"} and margin == "spiculated":
        form = "irregular"
    if form == "linear":
        margin = "smooth"
    return Look(draw(rng, concept.density), draw(rng, concept.uniformity), draw(rng, concept.colour), form, margin,
                draw(rng, concept.size) or "small")


def twin(rng: np.random.Generator, first: Spot, concepts: Sequence[Concept]) -> tuple[Concept, Look] | None:
    """A lesion for the same place that differs clearly from ``first`` in texture or in shape."""
    wanted = {"density", "uniformity", "colour"} if rng.random() < 0.5 else {"form", "margin", "size_class"}
    same = [c for c in concepts if c.name == first.name]
    for _ in range(40):
        pool = same if rng.random() < 0.6 else concepts
        concept = pool[int(rng.integers(len(pool)))]
        other = look(rng, concept)
        if wanted & set(clear_differences(first.look, other)):
            return concept, other
    return None


@dataclass(frozen=True, slots=True)
class _Taken:
    centre: tuple[float, float]
    reach: float


def _centres(rng: np.random.Generator, where: Place, reach: float, taken: Sequence[_Taken]) -> np.ndarray:
    ys, xs = np.nonzero(where.core)
    if not ys.size:
        return np.zeros((0, 2))
    picks = rng.integers(ys.size, size=40)
    points = np.stack([ys[picks], xs[picks]], axis=1) + 0.5
    free = np.ones(len(points), bool)
    for other in taken:
        free &= np.hypot(*(points - other.centre).T) > 0.92 * (reach + other.reach)
    chosen: np.ndarray = points[free][:6]
    return chosen


def _clip(blob: Blob, where: Place) -> Blob:
    inside = where.body[blob.window]
    return Blob(blob.window, blob.alpha * inside, blob.inner, blob.mask & where.body)


def settle(rng: np.random.Generator, concept: Concept, style: Look, where: Place, taken: Sequence[Spot]) -> Spot | None:
    """Find room for one lesion in its place; None when the place is too full or too small."""
    size = where.core.shape[0]
    low, high = AREAS[style.size_class]
    others = [_Taken(_centroid(s.blob.mask), 1.1 * float(np.sqrt(s.blob.mask.sum() / np.pi))) for s in taken]
    occupied = np.zeros((size, size), bool)
    for spot in taken:
        occupied |= spot.blob.mask
    line = outline(rng, style.form, style.margin, rng.uniform(low, high) * size * size)
    for centre in _centres(rng, where, float(np.sqrt(np.mean(np.square(line.radius)))), others):
        blob = place(rng, line, (float(centre[0]), float(centre[1])), size)
        if blob is None:
            continue
        whole = int(blob.mask.sum())
        blob = _clip(blob, where)
        kept = int(blob.mask.sum())
        share = kept / size**2
        if kept < KEPT * whole or not max(SMALLEST, 0.88 * low) <= share <= min(LARGEST, 1.12 * high):
            continue
        if (blob.mask & occupied).sum() > 0.04 * kept:
            continue
        cy, cx = _centroid(blob.mask)
        if where.core[int(cy), int(cx)]:
            return Spot(concept.name, style, where, blob)
    return None


def _centroid(mask: np.ndarray) -> tuple[float, float]:
    ys, xs = np.nonzero(mask)
    return float(ys.mean() + 0.5), float(xs.mean() + 0.5)


def allowed(concepts: Sequence[Concept], where: Place) -> list[Concept]:
    """Concepts that occur in a place."""
    return [c for c in concepts if not where.concepts or c.name in where.concepts]


def _one(rng: np.random.Generator, where: Place, concepts: Sequence[Concept], taken: Sequence[Spot]) -> Spot | None:
    pool = allowed(concepts, where)
    weights = np.array([c.weight for c in pool])
    for _ in range(TRIES):
        concept = pool[int(rng.choice(len(pool), p=weights / weights.sum()))]
        spot = settle(rng, concept, look(rng, concept), where, taken)
        if spot is not None:
            return spot
    return None


def _second(rng: np.random.Generator, first: Spot, concepts: Sequence[Concept], taken: Sequence[Spot]) -> Spot | None:
    pool = allowed(concepts, first.place)
    for _ in range(TRIES):
        pair = twin(rng, first, pool)
        spot = settle(rng, pair[0], pair[1], first.place, taken) if pair else None
        if spot is not None:
            return spot
    return None


def plan(rng: np.random.Generator, scene: Scene, concepts: Sequence[Concept]) -> tuple[Spot, ...]:
    """One to five lesions: mostly one a place, now and then two in one place that look clearly different."""
    wanted = 1 + int(rng.choice(len(COUNTS), p=np.array(COUNTS)))
    pair = wanted >= 2 and rng.random() < PAIRS
    spots: list[Spot] = []
    order = [scene.places[i] for i in rng.permutation(len(scene.places))]
    for where in order * 2:
        if len(spots) >= wanted:
            break
        if any(s.place.key == where.key for s in spots):
            continue
        spot = _one(rng, where, concepts, spots)
        if spot is None:
            continue
        spots.append(spot)
        second = _second(rng, spot, concepts, spots) if pair else None
        if second is not None:
            spots.append(second)
            pair = False
    if not spots:
        raise RuntimeError(f"no lesion fits any of the {len(scene.places)} places of this phantom")
    return tuple(spots)


def spots_by_place(spots: Sequence[Spot]) -> Mapping[str, tuple[Spot, ...]]:
    """Spots grouped by the key of their place."""
    out: dict[str, tuple[Spot, ...]] = {}
    for spot in spots:
        out[spot.place.key] = (*out.get(spot.place.key, ()), spot)
    return out
