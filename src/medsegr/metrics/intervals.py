"""How sure one may be: a bootstrap interval of a mean, a paired permutation test of a difference, and Holm's
correction for several tests.

Images of one patient are not independent. Where ``groups`` says which belong together, whole groups are drawn
or flipped.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from medsegr.errors import InputError


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the interval in which it lies at ``level``; ``n`` values in ``groups`` groups. ``low`` and
    ``high`` are NaN where there is no interval: fewer than two groups say nothing of how groups differ."""

    mean: float
    low: float
    high: float
    level: float
    n: int
    groups: int

    @property
    def bounds(self) -> tuple[float, float] | None:
        """``low`` and ``high``, or None where there is no interval."""
        return None if math.isnan(self.low) else (self.low, self.high)


def span(low: float | None, high: float | None, form: str = ".3f") -> str:
    """An interval as text, ``[0.612, 0.748]``; ``[one group]`` where there is none (None)."""
    return "[one group]" if low is None or high is None else f"[{low:{form}}, {high:{form}}]"


def bootstrap_mean(
    values: Float[np.ndarray, " n"],
    rng: np.random.Generator,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    draws: int = 2000,
) -> Interval:
    """Percentile bootstrap of the mean over all values, with groups (default: every value its own) drawn with
    replacement.

    NaN values are left out first. No value left: mean and bounds are NaN. One group: there is a mean, and the
    bounds are NaN.
    """
    if not 0 < level < 1:
        raise InputError(f"level {level}: a number between 0 and 1 was expected")
    x, index, count = _grouped(values, groups)
    sums = np.bincount(index, weights=x, minlength=count)
    sizes = np.bincount(index, minlength=count).astype(float)
    return _bootstrap(sums, sizes, rng, (level, draws, x.size))


def bootstrap_ratio(
    parts: Float[np.ndarray, " n"],
    wholes: Float[np.ndarray, " n"],
    rng: np.random.Generator,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap (2000 draws) of ``sum(parts) / sum(wholes)``, as :func:`bootstrap_mean`: a pooled
    Dice, a share of lesions that were found. ``wholes`` are 0 or more; draws in which they sum to 0 are left
    out, and where all do everything is NaN. A group of which all wholes are 0 is none for the bounds.
    """
    if not 0 < level < 1:
        raise InputError(f"level {level}: a number between 0 and 1 was expected")
    part, whole = np.asarray(parts, float), np.asarray(wholes, float)
    if part.shape != whole.shape or np.any(whole < 0):
        raise InputError(
            f"{part.size} parts of {whole.size} wholes: one whole of 0 or more a part was expected"
        )
    _, index, count = _grouped(np.zeros(len(part)), groups)
    sums, sizes = (np.bincount(index, weights=x, minlength=count) for x in (part, whole))
    return _bootstrap(sums, sizes, rng, (level, 2000, part.size))


def _bootstrap(
    sums: np.ndarray, sizes: np.ndarray, rng: np.random.Generator, how: tuple[float, int, int]
) -> Interval:
    """The interval of ``sum(sums) / sum(sizes)`` over groups; ``how``: level, draws and number of values."""
    level, draws, n = how
    count = len(sums)
    if count == 0 or sizes.sum() == 0:
        return Interval(float("nan"), float("nan"), float("nan"), level, n, count)
    mean = float(sums.sum() / sizes.sum())
    if np.count_nonzero(sizes) < 2:
        return Interval(mean, float("nan"), float("nan"), level, n, count)
    picks = rng.integers(0, count, size=(draws, count))
    wholes = sizes[picks].sum(axis=1)
    means = sums[picks].sum(axis=1)[wholes > 0] / wholes[wholes > 0]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), level, n, count)


def paired_permutation(
    a: Float[np.ndarray, " n"],
    b: Float[np.ndarray, " n"],
    rng: np.random.Generator,
    groups: Sequence[Hashable] | None = None,
    draws: int = 10_000,
) -> float:
    """Two-sided p-value of "a and b have the same mean", for values that were measured on the same images.

    Signs of the differences are flipped, a whole group at once. All ``2 ** groups`` flips are counted where
    these are no more than ``draws``, else ``draws`` random ones (with the observed one among them, so p is
    never 0). Pairs with a NaN are left out; no pair left: NaN.
    """
    one, other = np.asarray(a, float), np.asarray(b, float)
    if one.shape != other.shape:
        raise InputError(f"{one.size} values against {other.size}: pairs of the same images were expected")
    x, index, count = _grouped(one - other, groups)
    if x.size == 0:
        return float("nan")
    sums = np.bincount(index, weights=x, minlength=count)
    seen = abs(float(sums.sum()))
    exact = count < 60 and 2**count <= draws
    if exact:
        bits = np.arange(2**count)[:, None] >> np.arange(count) & 1
        signs = 1.0 - 2.0 * bits
    else:
        signs = rng.choice([-1.0, 1.0], size=(draws, count))
    # A hair of slack: equal sums may differ in the last bit through the order of addition.
    hits = int(np.count_nonzero(np.abs(signs @ sums) >= seen - 1e-12 * max(1.0, seen)))
    return hits / len(signs) if exact else (hits + 1) / (draws + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for the number of tests, in their order, by Holm's step-down method (Holm 1979).

    Each is at least as large as it was and at most 1; they keep their order of size. NaN (no test was made)
    stays NaN and does not count as a test.
    """
    p = np.asarray(p_values, float)
    if p.ndim != 1 or np.any((p < 0) | (p > 1)):
        raise InputError("p-values: a list of numbers from 0 to 1 was expected")
    order = np.argsort(p)  # NaN last
    count = int(np.count_nonzero(~np.isnan(p)))
    adjusted = np.full(p.shape, np.nan)
    largest = 0.0
    for rank, index in enumerate(order[:count]):
        largest = max(largest, min(1.0, float(p[index]) * (count - rank)))
        adjusted[index] = largest
    return [float(value) for value in adjusted]


def _grouped(values: np.ndarray, groups: Sequence[Hashable] | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Values without NaN, the group number of each, and the number of groups."""
    x = np.asarray(values, float)
    if x.ndim != 1:
        raise InputError(f"values of shape {x.shape}: one list of numbers was expected")
    names: Sequence[Hashable] = range(len(x)) if groups is None else groups
    if len(names) != len(x):
        raise InputError(f"{len(names)} groups for {len(x)} values: one group name a value was expected")
    keep = ~np.isnan(x)
    order = {
        name: i for i, name in enumerate(dict.fromkeys(n for n, k in zip(names, keep, strict=True) if k))
    }
    index = np.array([order[n] for n, k in zip(names, keep, strict=True) if k], int)
    return x[keep], index, len(order)
