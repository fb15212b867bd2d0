"""Which slices of a volume are asked, and what is drawn in those between. Numpy only.

A question takes a row of the network a slice, but for slices that lie close between two that were answered
alike: what is drawn there is the mean of both, weighed by the distance (decision 0041). Two asked slices lie
:data:`GAP` apart at most, so nothing of that height can slip through; without a known distance between slices
all are asked. Thin slices are then smoothed through (decision 0044).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from medsegr.backends.backend import Heard, Maps, rows_of, sigmoid
from medsegr.inference.passes import CHUNK, Answers, Asked, View, tell
from medsegr.metrics.overlap import dice

BESIDE = 0.05  # presence of a slice that still shows the target, next to one that surely does (decision 0040)
GAP = 5.0  # mm between two slices that are asked, at most
ALIKE = 0.8  # Dice of two slices from which on those between are not asked
STEPS = (4, 2)  # slices from one that is asked to the next; divisors of CHUNK
SMOOTH = 1.2  # mm, standard deviation of the Gaussian through the slices (decision 0044)
LEAST = 0.4  # of it in slices, below which a neighbour weighs less than a twentieth: slices over 3 mm apart
BLOCK = 2**20  # voxels that are smoothed at once: memory of floats
AHEAD = 4  # passes a lane of several that are prepared at once: memory, and how long a stop is waited for


@dataclass(frozen=True, slots=True)
class Layer:
    """The answer in one slice: ``logits`` [h w] of the network's own resolution, of the backend's kind."""

    logits: Any
    presence: float
    quality: float


Column = dict[int, Layer]  # what is known of one question, by number of the slice


def step_of(gap: float | None) -> int:
    """How many slices on the next one is asked, their distance being ``gap`` mm (None: unknown)."""
    return next((step for step in STEPS if gap and step * gap <= GAP), 1)


def volume(view: View, asked: Asked, answers: Answers) -> None:
    """Answer the questions of a volume, then those that these are compared with."""
    rounds = 1 + bool(asked.beside)
    _slices(view, asked, answers, (asked.guided, 0, rounds))
    drawn = asked.compared(answers.presence >= view.threshold)
    _slices(view, asked, answers, (drawn, 1, rounds))


def _slices(view: View, asked: Asked, answers: Answers, what: tuple[Sequence[int], int, int]) -> None:
    """Each chunk of slices is encoded once and asked for every finding. A slice that does not show the target
    (:func:`lasting`) is empty, but for what :func:`smooth` brings from those beside it. ``what``: the
    questions, and of how many rounds this is which."""
    (own, turn, rounds), count = what, view.seen.count
    if not own:
        return
    words = view.hear([asked.codes[k] for k in own])
    floor = min(BESIDE, view.threshold)
    most = view.backend.rows * (AHEAD * view.backend.lanes if view.backend.lanes > 1 else 1)
    presence, quality = (np.zeros((len(own), count), np.float32) for _ in range(2))
    columns: list[Column] = [{} for _ in own]
    for first in range(0, count, CHUNK):
        last = min(first + CHUNK, count)
        shared = view.maps(first)
        todo = [(at, z) for at in range(len(own)) for z in _stops(first, last, view)]
        while todo:
            for part in _parted(todo, most):
                tell(asked.prompt, turn * count + first, rounds * count)
                _ask(view, (shared, first, words), columns, part)
            todo = [(at, z) for at, column in enumerate(columns) for z in _open(view, column, floor)]
        drawn = []
        for at, k in enumerate(own):
            for z in range(first, last):
                layer = columns[at][z]
                presence[at, z], quality[at, z] = layer.presence, layer.quality
                if layer.presence >= floor:
                    drawn.append((answers.prob[k, z], [layer.logits], True))
        view.backend.each(lambda one: view.backend.fill(*one), drawn)
        columns = [{last - 1: column[last - 1]} for column in columns]
    for at, k in enumerate(own):
        answers.prob[k, ~lasting(presence[at], view.threshold)] = 0
    view.backend.each(lambda k: smooth(answers.prob[k], view.seen.gap), own)
    answers.presence[own] = presence.max(1)
    answers.best[own] = presence.argmax(1)
    answers.quality[own] = quality[np.arange(len(own)), answers.best[own]]


def _parted(todo: Sequence[tuple[int, int]], most: int) -> list[Sequence[tuple[int, int]]]:
    return [todo[start : start + most] for start in range(0, len(todo), most)]


def _stops(first: int, last: int, view: View) -> list[int]:
    """Slices of a chunk that are asked in any case: the last of every step, the volume's first and last."""
    step, ends = step_of(view.seen.gap), (0, view.seen.count - 1)
    return [z for z in range(first, last) if z % step == step - 1 or z in ends]


def _ask(
    view: View,
    seen: tuple[Maps, int, Heard],
    columns: Sequence[Column],
    todo: Sequence[tuple[int, int]],
) -> None:
    """Ask some (question, slice). ``seen``: the chunk's maps, the number of its first slice, the words."""
    shared, first, words = seen
    parts = _parted(todo, view.backend.rows)
    given = [
        (
            tuple(one[[z - first for _, z in part]] for one in shared),
            rows_of(words, [at for at, _ in part]),
        )
        for part in parts
    ]
    for part, said in zip(parts, view.backend.many(given), strict=True):
        presence, quality = sigmoid(said.presence), sigmoid(said.quality)
        for row, (at, z) in enumerate(part):
            columns[at][z] = Layer(said.logits[row], float(presence[row]), float(quality[row]))


def _open(view: View, column: Column, floor: float) -> list[int]:
    """Slices of one question that are to be asked next: in the middle between two that differ. Those between
    two that are alike are filled in."""
    found = []
    for low, high in itertools.pairwise(sorted(column)):
        if high - low == 1:
            continue
        if not _alike(view, column[low], column[high], floor):
            found.append((low + high) // 2)
            continue
        for z in range(low + 1, high):
            column[z] = between(column[low], column[high], (z - low) / (high - low))
    return found


def _alike(view: View, one: Layer, other: Layer, floor: float) -> bool:
    there = one.presence >= floor
    if there != (other.presence >= floor):
        return False
    if not there:
        return True
    if max(one.presence, other.presence) < view.threshold:
        return False  # a slice between may be the one that is sure, for which all of these are drawn
    a, b = (view.backend.numbers(layer.logits) > 0 for layer in (one, other))
    return dice(a, b) >= ALIKE


def between(one: Layer, other: Layer, part: float) -> Layer:
    """What is taken to be ``part`` of the way from one slice to another."""
    values = ((getattr(layer, name) for layer in (one, other)) for name in ("logits", "presence", "quality"))
    return Layer(*(a * (1 - part) + b * part for a, b in values))


def smooth(prob: np.ndarray, gap: float | None) -> None:
    """Average, in place, probabilities [n h w], bytes or floats, of slices ``gap`` mm apart through these.

    Each slice was answered for itself, so borders jump from one to the next where they do not in the body.
    Nothing is drawn beyond the first and the last slice that had something, and no part is lost: what is so
    low that it would vanish stays as it was. A volume that is lower than the standard deviation stays as it
    was, too: its unit is hardly mm.
    """
    sigma, whole = SMOOTH / gap if gap else 0.0, 255 if prob.dtype == np.uint8 else 1
    if not LEAST <= sigma <= len(prob):
        return
    drawn = prob >= 0.02 * whole
    sides = [np.flatnonzero(drawn.any(tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    del drawn  # as large as the volume
    if not len(sides[0]):
        return
    box = tuple(slice(at[0], at[-1] + 1) for at in sides)
    before, edge = prob[box], (box[0].start == 0, box[0].stop == len(prob))
    fine = np.empty_like(before)
    rows = max(1, BLOCK // before[:, 0].size)
    for at in range(0, before.shape[1], rows):
        part = _through(before[:, at : at + rows], sigma, edge)
        fine[:, at : at + rows] = np.rint(part) if whole > 1 else part
    parts, count = ndimage.label(before >= 0.5 * whole)
    lost = np.arange(count + 1) > 0
    for labels, values in zip(parts, fine, strict=True):  # by slices: chosen labels are four bytes a voxel
        lost[labels[values >= 0.5 * whole]] = False
    if lost.any():
        again = lost[parts]
        fine[again] = before[again]
    before[:] = fine


def _through(values: np.ndarray, sigma: float, edge: tuple[bool, bool]) -> np.ndarray:
    """The Gaussian through slices [n h w], float32. ``edge``: whether the volume ends before the first and
    after the last of them. The body goes on there; elsewhere there is nothing."""
    reach = int(2.5 * sigma + 0.5)
    wide = np.pad(values, ((reach, reach), (0, 0), (0, 0)))
    if edge[0]:
        wide[:reach] = values[0]
    if edge[1]:
        wide[len(wide) - reach :] = values[-1]
    fine: np.ndarray = ndimage.gaussian_filter1d(wide, sigma, axis=0, output=np.float32, radius=reach)
    return fine[reach : len(fine) - reach]


def lasting(presence: np.ndarray, threshold: float) -> np.ndarray:
    """Which slices show the target (bool [n]), given the presence in each: those at the ``threshold`` or
    above, and those in a row with them that are at ``BESIDE`` at least. A thing in a body does not stop for
    a slice, and its thin ends are seldom sure."""
    some = presence >= min(BESIDE, threshold)
    runs = np.cumsum(np.diff(some, prepend=False) & some)
    out: np.ndarray = some & np.isin(runs, runs[presence >= threshold])
    return out
