"""Views of a real picture in which what is asked for is, and others in which it is not.

Sets of findings hold pictures that show the finding, so whoever learns from them alone learns that it is in
every picture of its kind: a polyp in each frame of an endoscopy. Where the mask is known, a part of the
picture beside it surely does not show it, and neither does the picture with other texture over it. Parts with
it, and texture put elsewhere, are shown as often: neither a narrow view nor a seam says anything.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from medsegr.data import Case, Target
from medsegr.samples.composite import blend

TRIES = 32
NARROWEST = 0.3  # of a side of the picture
LONGEST = 2.2  # longer side over the shorter one, in pixels
BESIDE = 3  # pixels that a view without a target keeps from it
SHOWN = 0.6  # of a target that a view with it holds, at least
FLAT = 10.0  # standard deviation of 0 to 255 below which a view shows nothing
DARK = 25.0  # mean of 0 to 255 up to which a picture has nothing there
COVERED = ("ES", "DMS", "US")  # pictures in which much looks alike
LARGEST = 0.25  # of the picture: what is larger is not covered
Box = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class View:
    """``height`` and ``width`` over the picture's, and its centre ``y`` and ``x``, all in (0, 1]."""

    height: float
    width: float
    y: float
    x: float


def view_of(pixels: np.ndarray, mask: np.ndarray, shown: bool, rng: np.random.Generator) -> View | None:
    """A part of the picture ``pixels`` [c h w] uint8 that shows ``mask`` [h w] bool, or keeps clear of it;
    None where none was found in a few tries."""
    h, w = mask.shape
    whole = int(mask.sum())
    for _ in range(TRIES):
        tall, wide = np.exp(rng.uniform(np.log(NARROWEST), 0.0, 2))
        if max(tall * h, wide * w) > LONGEST * min(tall * h, wide * w):
            continue
        y, x = rng.uniform(tall / 2, 1 - tall / 2), rng.uniform(wide / 2, 1 - wide / 2)
        top, bottom = (round(at * h) for at in (y - tall / 2, y + tall / 2))
        left, right = (round(at * w) for at in (x - wide / 2, x + wide / 2))
        near = mask[max(0, top - BESIDE) : bottom + BESIDE, max(0, left - BESIDE) : right + BESIDE].sum()
        fits = mask[top:bottom, left:right].sum() >= SHOWN * whole if shown else near == 0
        if fits and pixels[:, top:bottom, left:right].std() >= FLAT:
            return View(float(tall), float(wide), float(y), float(x))
    return None


def covered(case: Case, index: int, hidden: bool, rng: np.random.Generator) -> Case | None:
    """The picture with texture of its own put over the target ``index``, which then is not there any more, or
    (not ``hidden``) over a place of that form beside all that is marked. None where that cannot be done well
    (:func:`painted`)."""
    marks = case.marks(range(len(case.targets)))
    others = case.marks(i for i in range(len(case.targets)) if i != index)
    if case.modality not in COVERED or marks.unknown is not None:
        return None
    pixels = painted(case.pixels, case.mask(index), others.mask, hidden, rng)
    if pixels is None or not hidden:
        return None if pixels is None else replace(case, pixels=pixels)
    gone = Target(np.packbits(np.zeros(case.grid, bool)), case.targets[index].codes)
    targets = [gone if i == index else one for i, one in enumerate(case.targets)]
    return replace(case, pixels=pixels, targets=tuple(targets))


def painted(
    pixels: np.ndarray, own: np.ndarray, others: np.ndarray, hidden: bool, rng: np.random.Generator
) -> np.ndarray | None:
    """``pixels`` [c h w] uint8 with texture from elsewhere over ``own`` [h w] bool, or (not ``hidden``) over
    a place of that form beside it and the ``others`` [h w]. None for what is empty, large, lies on another,
    or has no such place.

    Of a few places whose texture could be taken it is the one whose rim is most like that of what is covered.
    """
    shape = ndimage.binary_dilation(own, iterations=BESIDE)
    if not 0 < own.mean() <= LARGEST or (shape & others).any():
        return None
    rows, cols = ndimage.find_objects(shape.astype(np.uint8))[0]
    rim = max(BESIDE, (rows.stop - rows.start) // 8)
    top, bottom = max(0, rows.start - rim), min(len(own), rows.stop + rim)
    left, right = max(0, cols.start - rim), min(own.shape[1], cols.stop + rim)
    form = shape[top:bottom, left:right]
    places = _places(pixels, form, ndimage.binary_dilation(own | others, iterations=BESIDE), rng)
    if form.all() or len(places) < 2:
        return None
    below = (slice(top, bottom), slice(left, right)) if hidden else places.pop()
    ground = pixels[:, below[0], below[1]].astype(np.float32)
    patches = [pixels[:, y, x].astype(np.float32) for y, x in places]
    patch = min(patches, key=lambda one: float(np.abs(one - ground)[:, ~form].mean()))
    out = pixels.copy()
    out[:, below[0], below[1]] = blend(ground, patch, form)
    return out


def _places(pixels: np.ndarray, form: np.ndarray, taken: np.ndarray, rng: np.random.Generator) -> list[Box]:
    """Where ``form`` [h w] lies beside what is ``taken`` and on what is lit."""
    (h, w), (tall, wide) = taken.shape, form.shape
    found = []
    for _ in range(TRIES):
        y, x = int(rng.integers(0, h - tall + 1)), int(rng.integers(0, w - wide + 1))
        at = (slice(y, y + tall), slice(x, x + wide))
        lit = pixels[:, at[0], at[1]].mean(0) > DARK
        if not (taken[at] & form).any() and lit[form].mean() > 0.97:
            found.append(at)
    return found
