"""Which lesions a phantom gets, and where: names, looks, places, outlines. No drawing and no words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medsegr.phantom.draw import ANGLES, Blob, Outline, outline, place
from medsegr.phantom.looks import Choice, Concept, Look, clear_differences
from medsegr.phantom.scene import Place, Scene, Spot

PAIRS = 0.23  # share of images with two lesions or more where two share a place
LARGEST = 0.08  # share of the image, where the size class does not reach beyond
KEPT = 0.82  # share of an outline that its place must leave
TRIES = 14


def draw(rng: np.random.Generator, choice: Choice) -> str | None:
    """One value by weight."""
    left = rng.random() * sum(choice.values())
    for value, weight in choice.items():
        left -= weight
        if left < 0:
            return value
    return next(reversed(choice))


def weighted(rng: np.random.Generator, pool: Sequence[Concept]) -> Concept:
    """One concept by its weight."""
    name = draw(rng, {c.name: c.weight for c in pool})
    return next(c for c in pool if c.name == name)


def look(rng: np.random.Generator, concept: Concept) -> Look:
    """A random look that the concept allows."""
    form, margin = draw(rng, concept.form) or "round", draw(rng, concept.margin) or "smooth"
    if form in {"linear", "triangular", "patchy", "irregular"} and margin == "spiculated":
        form = "irregular"
    if form == "linear":
        margin = "smooth"
    return Look(
        draw(rng, concept.density),
        draw(rng, concept.uniformity),
        draw(rng, concept.colour),
        form,
        margin,
        draw(rng, concept.size) or "small",
    )


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


def _centres(rng: np.random.Generator, line: Outline, where: Place, taken: Sequence[_Taken]) -> np.ndarray:
    """Up to three centres (y, x) at which an outline stays inside its place and clear of the others."""
    size = where.core.shape[0]
    flat = np.flatnonzero(where.core)
    if not flat.size:
        return np.zeros((0, 2))
    points = np.stack(np.divmod(flat[rng.integers(flat.size, size=48)], size), axis=1) + 0.5
    reach = float(np.sqrt(np.mean(np.square(line.radius))))
    free = np.ones(len(points), bool)
    for other in taken:
        free &= np.hypot(*(points - other.centre).T) > 0.92 * (reach + other.reach)
    points = points[free]
    ring = np.stack([np.sin(ANGLES), np.cos(ANGLES)], axis=1)[::11] * line.radius[::11, None] * 0.85
    at = (points[:, None, :] + ring[None]).astype(int)
    on_grid = ((at >= 0) & (at < size)).all(axis=2)
    inside = where.body[at[..., 0].clip(0, size - 1), at[..., 1].clip(0, size - 1)] & on_grid
    chosen: np.ndarray = points[inside.mean(axis=1) > 0.8][:3]
    return chosen


def _clip(blob: Blob, where: Place) -> Blob:
    inside = where.body[blob.window]
    return Blob(blob.window, blob.alpha * inside, blob.inner, blob.mask & where.body)


def settle(
    rng: np.random.Generator, concept: Concept, style: Look, where: Place, taken: Sequence[Spot]
) -> Spot | None:
    """Find room for one lesion in its place; None when the place is too full or too small."""
    size = where.core.shape[0]
    low, high = concept.areas[style.size_class]
    others = [_Taken(centroid(s.blob), 1.1 * float(np.sqrt(s.blob.area / np.pi))) for s in taken]
    line = outline(rng, style.form, style.margin, rng.uniform(low, high) * size * size)
    for centre in _centres(rng, line, where, others):
        blob = place(rng, line, (float(centre[0]), float(centre[1])), size)
        if blob is None:
            continue
        whole, blob = blob.area, _clip(blob, where)
        share = blob.area / size**2
        if blob.area < KEPT * whole or not 0.88 * low <= share <= min(max(LARGEST, high), 1.12 * high):
            continue
        if (
            sum(int((blob.mask[blob.window] & s.blob.mask[blob.window]).sum()) for s in taken)
            > 0.04 * blob.area
        ):
            continue
        cy, cx = centroid(blob)
        if where.core[int(cy), int(cx)]:
            return Spot(concept.name, style, where, blob)
    return None


def centroid(blob: Blob) -> tuple[float, float]:
    """Centre of mass (y, x) of a lesion in pixels."""
    ys, xs = np.nonzero(blob.mask[blob.window])
    return float(ys.mean()) + blob.window[0].start + 0.5, float(xs.mean()) + blob.window[1].start + 0.5


def allowed(concepts: Sequence[Concept], where: Place) -> list[Concept]:
    """Concepts that occur in a place."""
    return [c for c in concepts if not where.concepts or c.name in where.concepts]


def _one(
    rng: np.random.Generator, where: Place, concepts: Sequence[Concept], taken: Sequence[Spot]
) -> Spot | None:
    pool = allowed(concepts, where)
    for _ in range(TRIES):
        concept = weighted(rng, pool)
        spot = settle(rng, concept, look(rng, concept), where, taken)
        if spot is not None:
            return spot
    return None


def _second(
    rng: np.random.Generator, first: Spot, concepts: Sequence[Concept], taken: Sequence[Spot]
) -> Spot | None:
    pool = allowed(concepts, first.place)
    for _ in range(TRIES):
        pair = twin(rng, first, pool)
        spot = settle(rng, pair[0], pair[1], first.place, taken) if pair else None
        if spot is not None:
            return spot
    return None


def plan(rng: np.random.Generator, scene: Scene, concepts: Sequence[Concept]) -> tuple[Spot, ...]:
    """As many lesions as the scene's ``counts`` say: mostly one a place, now and then two in one place that
    look clearly different. None in a ``normal`` body."""
    if scene.normal and rng.random() < scene.normal:
        return ()
    wanted = 1 + int(rng.choice(len(scene.counts), p=np.array(scene.counts)))
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
