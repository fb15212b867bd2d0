"""Two or four real pictures in one, so that its words must say which panel is meant.

Figures, dual views of ultrasound and screenshots show several pictures beside each other. Whoever learns from
single ones has never seen a thing that another of its name, or of another kind of image, lies beside
(mosaics: Bochkovskiy et al., arXiv 2004.10934).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image as Pil

from medsegr.data import Case, Target
from medsegr.reasoning.codes import Code
from medsegr.samples.asking import foreign
from medsegr.samples.batches import COLOURED

CELL = 256  # pixels: side of a panel
WIDEST_GAP = 12  # pixels between panels
LEAST = 48  # pixels of a target in its panel
FOUR = 0.35  # of the pictures have four panels, else two
SAME_SET = 0.5  # of them are of one set, so that the place decides
STRANGER = 0.35  # of them are also asked for what no panel shows
DARK_GROUND = 0.7  # of them lie on black, else on a grey
TRIES = 6


def panels(case: Case, pools: Sequence[Sequence[Case]], rng: np.random.Generator) -> Case | None:
    """``case`` among others of ``pools`` (the cases of a set each), or None where it is no real picture with
    one known target that is told without a side.

    The result is of no kind of image where its panels are of several, and its targets lie ``apart``. What no
    panel can show may be among them with an empty mask.
    """
    if not _fits(case):
        return None
    many = 4 if rng.random() < FOUR else 2
    own = next(pool for pool in pools if pool and pool[0].set == case.set)
    same = bool(rng.random() < SAME_SET)
    shown = [case]
    for _ in range(TRIES * many):
        pool = own if same else pools[int(rng.integers(len(pools)))]
        other = pool[int(rng.integers(len(pool)))]
        if len(shown) < many and _fits(other) and all(other is not one for one in shown):
            shown.append(other)
    return _laid(case, [shown[i] for i in rng.permutation(many)], pools, rng) if len(shown) == many else None


def _fits(case: Case) -> bool:
    if case.made or not case.drawn or case.apart or len(case.targets) != 1:
        return False
    target = case.targets[0]
    return (
        target.unknown is None
        and not any(c.group == "side" for c in target.codes)
        and bool(target.packed.any())
    )


def beside(
    pictures: Sequence[np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, list[tuple[slice, slice]]]:
    """Two or four pictures uint8 [3 h w] as one uint8 [3 h w], and the rows and columns where each lies.

    Two lie in a row or in a column, four in both; each fills a square of :data:`CELL` pixels by its longer
    side, with a ground of one grey around it.
    """
    down, across = (2, 2) if len(pictures) == 4 else ((1, 2), (2, 1))[int(rng.integers(2))]
    gap = int(rng.integers(WIDEST_GAP + 1))
    tall, wide = (n * (CELL + gap) - gap for n in (down, across))
    ground = 0 if rng.random() < DARK_GROUND else int(rng.integers(256))
    out = np.full((3, tall, wide), ground, np.uint8)
    places = []
    for k, one in enumerate(pictures):
        scale = CELL / max(one.shape[1:])
        h, w = (max(1, round(n * scale)) for n in one.shape[1:])
        top, left = (at * (CELL + gap) for at in divmod(k, across))
        top, left = top + (CELL - h) // 2, left + (CELL - w) // 2
        places.append((slice(top, top + h), slice(left, left + w)))
        out[:, top : top + h, left : left + w] = np.moveaxis(_resized(np.moveaxis(one, 0, -1), (h, w)), -1, 0)
    return out, places


def _resized(values: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Bytes [h w] or [h w 3] on another grid."""
    how = Pil.Resampling.BOX if grid[0] < values.shape[0] else Pil.Resampling.BILINEAR
    return np.asarray(Pil.fromarray(np.ascontiguousarray(values)).resize(grid[::-1], how))


def _laid(
    case: Case, shown: Sequence[Case], pools: Sequence[Sequence[Case]], rng: np.random.Generator
) -> Case | None:
    pixels, places = beside([_seen(one) for one in shown], rng)
    grid = pixels.shape[1:]
    modality = case.modality if len({one.modality for one in shown}) == 1 else None
    targets = []
    for one, (rows, cols) in zip(shown, places, strict=True):
        full = np.zeros(grid, bool)
        grey = one.mask(0).astype(np.uint8) * np.uint8(255)
        full[rows, cols] = _resized(grey, (rows.stop - rows.start, cols.stop - cols.start)) > 127
        if full.sum() < LEAST:
            return None
        targets.append(Target(np.packbits(full), _told(one, modality)))
    if rng.random() < STRANGER and (codes := _elsewhere(shown, pools, rng)):
        targets.append(Target(np.packbits(np.zeros(grid, bool)), codes))
    viewer = any(one.viewer for one in shown)
    return replace(case, pixels=pixels, targets=tuple(targets), modality=modality, viewer=viewer, apart=True)


def _seen(case: Case) -> np.ndarray:
    """Its pixels [3 h w], a slice without its neighbours."""
    pixels = case.pixels if case.modality in COLOURED else case.pixels[len(case.pixels) // 2][None]
    return np.broadcast_to(pixels, (3, *case.grid))


def _told(case: Case, modality: str | None) -> tuple[Code, ...]:
    """What is known of its target; no kind of image where the panels are of several."""
    return tuple(c for c in case.targets[0].codes if modality is not None or c.group != "modality")


def _elsewhere(
    shown: Sequence[Case], pools: Sequence[Sequence[Case]], rng: np.random.Generator
) -> tuple[Code, ...]:
    """The words for something of another set that is in none of ``shown``; empty where none was found in a
    few tries."""
    for _ in range(TRIES):
        pool = pools[int(rng.integers(len(pools)))]
        other = pool[int(rng.integers(len(pool)))]
        if other.made or len(other.targets) != 1 or any(other.concepts & one.concepts for one in shown):
            continue
        if all(foreign(one, other) for one in shown):
            return _told(other, None)
    return ()
