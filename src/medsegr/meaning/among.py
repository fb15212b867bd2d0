"""Many of a kind: which parts of a mask the words mean.

Asked for "nuclei in the lower left" the network draws the nuclei, all of them: among many of a kind it does
not follow the place, and of two lesions it often draws both (docs/explain/evidence.md). Here the words
choose: the parts of the mask whose middle lies where they say stay. A place that nothing lies in decides
nothing: then the mask stays as it is, and the checks say that it lies elsewhere. In a volume only the side
chooses: thirds of its slices say little.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from medsegr.reasoning.codes import Code
from medsegr.report.lexicon import concepts
from medsegr.types import COLS, ROWS

MANY, SMALL_PART = 6, 0.4  # so many things, none of them longer than this part of the picture, are scattered
NEAR = 0.05  # of the picture's side: the middle of a large part may lie so far beside the place
WEIGHTY = 0.1  # of the largest part, which one in the place must have to be what the words mean
HALVES = ("left", "right")
PIECE = 2**20  # labels that are counted at once: bounds memory
Place = Mapping[str, Collection[str]]


def scattered(mask: np.ndarray) -> bool:
    """Whether a mask ``h w`` is many things of which words could mean some: cells, but not a tree of
    vessels."""
    return _many(*_labelled(mask))


def lone(mask: np.ndarray) -> bool:
    """Whether a mask ``h w`` is one thing, specks below ``WEIGHTY`` of it aside."""
    return piece(mask) is not None


def piece(mask: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns of the one thing that a mask ``h w`` is, specks below ``WEIGHTY`` of it aside; None
    where it is empty or several."""
    from scipy import ndimage

    labels, count = _labelled(mask)
    if not count:
        return None
    sizes = _sizes(labels, count)
    largest = int(sizes.argmax())
    if any(sizes[i] >= WEIGHTY * sizes[largest] for i in range(count) if i != largest):
        return None
    rows, cols = ndimage.find_objects(labels)[largest]
    return rows, cols


def place_told(codes: Sequence[Code], volume: bool = False) -> dict[str, frozenset[str]]:
    """What the words say of where in the picture, by group (``row``, ``col``, ``side``). With an organ told
    thirds are its own, and only the side is the picture's; of a ``volume`` only the side counts."""
    told = [code.text.partition(":") for code in codes]
    organ = any(group == "anatomy" for group, _, _ in told)
    groups = ("side",) if volume or organ else ("row", "col", "side")
    found = {g: frozenset(value for group, _, value in told if group == g) for g in groups}
    found["side"] &= frozenset(HALVES)
    return {group: values for group, values in found.items() if values}


def meant(mask: np.ndarray, place: Place, few: bool = True) -> np.ndarray:
    """The parts of a mask (bool ``h w`` or ``n h w``, as the image is seen) that lie in ``place``: thirds of
    its rows and columns and halves (``side``) of the picture, by their middles.

    Among scattered things exactly those. Of a ``few`` large parts also what lies ``NEAR`` by, for one lesion
    may have come in pieces; and specks there, below ``WEIGHTY`` of the largest part, are no choice. The mask
    itself where nothing lies there, or where it is one part (or few, and those are not to be chosen from).
    """
    labels, count = _labelled(mask)
    many = _many(labels, count)
    if not place or count < 2 or not (many or few):
        return mask
    off, sizes = np.zeros(count), _sizes(labels, count)
    for group, axis, names in (("row", -2, ROWS), ("col", -1, COLS), ("side", -1, HALVES)):
        told = [names.index(value) for value in place.get(group, ()) if value in names]
        if told:
            middle = _middles(labels, sizes, axis)
            beside = [np.maximum(k / len(names) - middle, middle - (k + 1) / len(names)) for k in told]
            off = np.maximum(off, np.min(beside, axis=0))
    here = off <= 0
    if not here.any() or not (many or sizes[here].max() >= WEIGHTY * sizes.max()):
        return mask
    kept: np.ndarray = np.concatenate([[False], off <= (0 if many else NEAR)])[labels]
    return kept


def like_one(mask: np.ndarray, groups: Collection[str], rng: np.random.Generator) -> np.ndarray:
    """Those things of a scattered mask whose middle lies in the same third of the rows, of the columns, or of
    both (``groups``) as that of one of them, by chance."""
    labels, count = _labelled(mask)
    one, sizes = int(rng.integers(count)), _sizes(labels, count)
    same = np.ones(count, bool)
    for axis, group in enumerate(("row", "col")):
        if group in groups:
            thirds = (3 * _middles(labels, sizes, axis)).astype(int)
            same &= thirds == thirds[one]
    out: np.ndarray = np.concatenate([[False], same])[labels]
    return out


def choose(prob: np.ndarray, codes: Sequence[Sequence[Code]]) -> None:
    """Empty, in place, what the words do not mean: ``prob`` [k h w] or [k n h w], float in [0, 1] or bytes,
    as the image is seen; ``codes`` one entry a question, sides of the picture. Of anatomy only things that
    are scattered over a picture are chosen from: an organ in two pieces is one."""
    for one, told in zip(prob, codes, strict=True):
        place = place_told(told, volume := one.ndim == 3)
        if place and not (volume and _anatomy(told)):
            mask = one >= (128 if one.dtype == np.uint8 else 0.5)
            one[mask & ~meant(mask, place, not _anatomy(told))] = 0


def parts_of(mask: np.ndarray, whole: np.ndarray) -> tuple[int, int] | None:
    """(how many, of how many) parts of a mask ``whole`` are those of ``mask``; None where ``mask`` is no
    choice among them: ``h w`` or ``n h w`` bool each."""
    if not mask.any():
        return None
    labels, count = _labelled(whole)
    kept = np.unique(labels[mask & whole])
    return (len(kept), count) if 0 < len(kept) < count else None


def _anatomy(codes: Sequence[Code]) -> bool:
    names = [code.text.partition(":")[2] for code in codes if code.group == "concept"][:1]
    return any(name in concepts() and concepts()[name].kind == "anatomy" for name in names)


def _labelled(mask: np.ndarray) -> tuple[np.ndarray, int]:
    from scipy import ndimage  # only where there is something to choose: a cold call seldom has

    labels, count = ndimage.label(mask)
    return labels, int(count)


def _many(labels: np.ndarray, count: int) -> bool:
    from scipy import ndimage

    if count < MANY or labels.ndim != 2:
        return False
    found = ndimage.find_objects(labels)
    shares = ((at.stop - at.start) / n for one in found for at, n in zip(one, labels.shape, strict=True))
    return bool(max(shares) < SMALL_PART)


def _middles(labels: np.ndarray, sizes: np.ndarray, axis: int) -> np.ndarray:
    """Middle of each thing along an axis, as a part of the image: [count] in (0, 1). ``sizes`` [count] as of
    :func:`_sizes`."""
    long, sums = labels.shape[axis], np.zeros(len(sizes) + 1)
    stride = labels.strides[axis] // labels.itemsize
    for start, part in _pieces(labels):
        sums += np.bincount(part, np.arange(start, start + len(part)) // stride % long, len(sums))
    middles: np.ndarray = (sums[1:] / sizes + 0.5) / long
    return middles


def _sizes(labels: np.ndarray, count: int) -> np.ndarray:
    """Pixels of each thing: [count]."""
    found = np.zeros(count + 1, np.int64)
    for _, part in _pieces(labels):
        found += np.bincount(part, minlength=count + 1)
    return found[1:]


def _pieces(labels: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """All labels in their order, and where each piece begins: counting takes eight bytes each."""
    flat = labels.ravel()
    return ((start, flat[start : start + PIECE]) for start in range(0, flat.size, PIECE))
