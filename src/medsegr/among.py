"""Many of a kind: which parts of a mask the words mean.

Asked for "nuclei in the lower left" the network draws the nuclei, all of them: among many of a kind it does not
follow the place (docs/explain/evidence.md). Here the words choose: the parts whose middle lies where they say stay.
That is done for masks of many small parts only. A tree of vessels, a lung or one tumour is no choice, and a place
that nothing lies in decides nothing: then the mask stays as it is, and the checks say that it lies elsewhere.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from medsegr.reasoning.codes import Code
from medsegr.types import COLS, ROWS

MANY, SMALL_PART = 6, 0.4  # so many things, none of them longer than this part of the picture, are scattered
HALVES = ("left", "right")
Place = Mapping[str, Collection[str]]


def scattered(mask: np.ndarray) -> bool:
    """Whether a mask ``h w`` is many things of which words could mean some: cells, but not a tree of
    vessels."""
    labels, count = _labelled(mask)
    return count >= MANY and _longest(labels, mask.shape) < SMALL_PART


def place_told(codes: Sequence[Code]) -> dict[str, frozenset[str]]:
    """What the words say of where in the picture, by group (``row``, ``col``, ``side``). With an organ told
    thirds are its own, and only the side is the picture's."""
    told = [code.text.partition(":") for code in codes]
    groups = ("side",) if any(group == "anatomy" for group, _, _ in told) else ("row", "col", "side")
    found = {g: frozenset(value for group, _, value in told if group == g) for g in groups}
    found["side"] &= frozenset(HALVES)
    return {group: values for group, values in found.items() if values}


def meant(mask: np.ndarray, place: Place) -> np.ndarray:
    """The parts of a mask (bool ``h w``, as the picture is seen) that lie in ``place``: thirds of its rows and
    columns and halves (``side``) of the picture, by their middles. The mask itself where it is not
    scattered, or where no part lies there."""
    if not place or not mask.any() or not scattered(mask):
        return mask
    labels, count = _labelled(mask)
    here = np.ones(count, bool)
    for group, axis, names in (("row", 0, ROWS), ("col", 1, COLS), ("side", 1, HALVES)):
        if place.get(group):
            told = [names.index(value) for value in place[group] if value in names]
            here &= np.isin(_where(labels, count, axis, len(names)), told)
    if not here.any():
        return mask
    kept: np.ndarray = np.concatenate([[False], here])[labels]
    return kept


def like_one(mask: np.ndarray, groups: Collection[str], rng: np.random.Generator) -> np.ndarray:
    """Those things of a scattered mask whose middle lies in the same third of the rows, of the columns, or of
    both (``groups``) as that of one of them, by chance."""
    labels, count = _labelled(mask)
    one = int(rng.integers(count))
    same = np.ones(count, bool)
    for axis, group in enumerate(("row", "col")):
        if group in groups:
            thirds = _where(labels, count, axis, 3)
            same &= thirds == thirds[one]
    out: np.ndarray = np.concatenate([[False], same])[labels]
    return out


def choose(prob: np.ndarray, codes: Sequence[Sequence[Code]]) -> None:
    """Empty, in place, what the words do not mean: ``prob`` [k h w], float in [0, 1] or bytes, as the picture
    is seen; ``codes`` one entry a question, sides of the picture."""
    for one, told in zip(prob, codes, strict=True):
        place = place_told(told)
        if place:
            mask = one >= (128 if one.dtype == np.uint8 else 0.5)
            one[mask & ~meant(mask, place)] = 0


def parts_of(mask: np.ndarray, whole: np.ndarray) -> tuple[int, int] | None:
    """(how many, of how many) parts of a scattered mask ``whole`` are those of ``mask``; None where ``mask`` is
    no choice among them: ``h w`` bool each."""
    if mask.ndim != 2 or not mask.any() or not scattered(whole):
        return None
    labels, count = _labelled(whole)
    kept = np.unique(labels[mask & whole])
    return (len(kept), count) if len(kept) < count else None


def _labelled(mask: np.ndarray) -> tuple[np.ndarray, int]:
    from scipy import ndimage  # only where there is something to choose: a cold call seldom has

    labels, count = ndimage.label(mask)
    return labels, int(count)


def _longest(labels: np.ndarray, grid: tuple[int, ...]) -> float:
    from scipy import ndimage

    found = ndimage.find_objects(labels)
    return max((at.stop - at.start) / n for one in found for at, n in zip(one, grid, strict=True))


def _where(labels: np.ndarray, count: int, axis: int, parts: int) -> np.ndarray:
    """In which of ``parts`` equal stripes along an axis the middle of each thing lies: [count]."""
    at = np.indices(labels.shape, np.float64)[axis].ravel()
    flat = labels.ravel()
    middles = (np.bincount(flat, at, count + 1) / np.maximum(1, np.bincount(flat, minlength=count + 1)))[1:]
    return np.minimum(parts * (middles + 0.5) / labels.shape[axis], parts - 0.01).astype(int)
