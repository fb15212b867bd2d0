"""A backend is three functions and a few words about them. Whatever computes them, codes, planes, the average
with the mirror image and the checks stay the same code (``predict.py``), which knows arrays of numpy only.

No torch here: what crosses over to it is ``network.py``.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from medsegr.grid.resize import resized
from medsegr.reasoning.codes import Coded

Maps = tuple[Any, ...]  # arrays of the backend's own kind, one row a picture, that a list of rows may index
Heard = Any  # of the backend's own kind: prior tokens [b 4 d]; the codes for networks without such tokens
Size = tuple[int, int]
Job = TypeVar("Job")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Clicked:
    """Prompts of a batch, float32. ``points`` [b n 2] in [0, 1] (x, y), ``kinds`` [b n] as in the prompt
    encoder, ``mask`` [b 1 h w] logits of a previous mask, ``has_mask`` [b] bool for which rows it counts
    (None: for all)."""

    points: np.ndarray | None = None
    kinds: np.ndarray | None = None
    mask: np.ndarray | None = None
    has_mask: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a network says, one row a question. ``logits`` [b h w] at the network's own resolution and
    ``attention`` [b g v] in [0, 1], where the words acted, or None: both of the backend's own kind.
    ``presence`` and ``quality`` logits [b], ``codes`` [b c] logits of the image-only head, or None: numpy's.
    """

    logits: Any
    presence: np.ndarray
    quality: np.ndarray
    attention: Any = None
    codes: np.ndarray | None = None


def fitted(pictures: np.ndarray, size: Size, mirrored: bool) -> np.ndarray:
    """Bytes [n c h w], one channel or three, as the network sees them: [n 3 h w], normalised; with their
    mirror images after them where ``mirrored``."""
    small = resized(pictures, size, smooth=True)
    small /= 63.75
    small -= 2  # (x / 255 - 0.5) / 0.25
    wide = np.broadcast_to(small, (len(small), 3, *size)) if small.shape[1] == 1 else small
    return np.concatenate([wide, wide[..., ::-1]]) if mirrored else np.ascontiguousarray(wide)


def filled(out: np.ndarray, ways: Sequence[np.ndarray], logits: bool) -> None:
    """One map [h w], averaged with what was said of the mirror image if there is a second one (of its own
    size), at the size of ``out`` [h w]; ``logits`` become probabilities. Bytes are 255 times that, 128 and
    more where it is 0.5 and more."""
    mean: np.ndarray | None = None
    for way, one in enumerate(ways):
        fine = resized(one[:, ::-1] if way else one, (out.shape[0], out.shape[1]))
        fine = sigmoid(fine, fine) if logits else fine
        mean = fine if mean is None else np.add(mean, fine, out=mean)
    assert mean is not None
    mean *= (255 if out.dtype == np.uint8 else 1) / len(ways)
    out[:] = np.rint(mean, out=mean) if out.dtype == np.uint8 else mean


def sigmoid(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Of floats, into ``out`` where that is given."""
    with np.errstate(over="ignore"):
        made: np.ndarray = np.negative(x, out=out)
        np.exp(made, out=made)
        made += 1
        np.reciprocal(made, out=made)
    return made


@dataclass(frozen=True, slots=True)
class Backend:
    """``shared``: pixels [b 3 h w], normalised -> maps that no word can change. ``hear``: codes -> what the
    network needs of them, once a finding. ``decode``: maps and what was heard, row by row -> the answer.
    ``fit`` and ``fill`` as :func:`fitted` and :func:`filled`: pixels in, probabilities out. ``numbers``: an
    array of its own kind as numpy's, float32.

    Of many passes (:meth:`many`) ``lanes`` run at once, of ``rows`` rows each and on one processor thread
    each, by ``narrow``, which several threads may call: that takes less than a pass shared by all threads
    (``docs/explain/speed.md``)."""

    name: str
    precision: str
    device: str
    shared: Callable[[Any], Maps]
    hear: Callable[[Coded], Heard]
    decode: Callable[[Maps, Heard, Clicked], Said]
    fit: Callable[[np.ndarray, Size, bool], Any] = fitted
    fill: Callable[[np.ndarray, Sequence[Any], bool], None] = filled
    numbers: Callable[[Any], np.ndarray] = np.asarray
    lanes: int = 1
    rows: int = 8
    narrow: Callable[[Maps, Heard], Said] | None = None

    def many(self, given: Sequence[tuple[Maps, Heard]]) -> list[Said]:
        """Answers without clicks to several passes of maps and what was heard, in their order."""
        narrow = self.narrow
        if narrow is None or self.lanes == 1 or len(given) == 1:
            return [self.decode(maps, heard, Clicked()) for maps, heard in given]
        return self.each(lambda one: narrow(*one), given)

    def each(self, work: Callable[[Job], Done], jobs: Sequence[Job]) -> list[Done]:
        """``work`` on every job, in their order, as many at once as there are lanes."""
        if self.lanes == 1 or len(jobs) < 2:
            return [work(job) for job in jobs]
        with ThreadPoolExecutor(self.lanes) as pool:
            return list(pool.map(work, jobs))


def rows_of(heard: Heard, rows: Sequence[int]) -> Heard:
    """These rows, in this order; a row may come several times."""
    at = list(rows)
    if is_dataclass(heard) and not isinstance(heard, type):
        return replace(heard, **{part.name: getattr(heard, part.name)[at] for part in fields(heard)})
    return heard[at]
