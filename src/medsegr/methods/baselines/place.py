"""The region that the words name, without a look at the image: what place words alone give.

A side takes half of the picture, each row or column word a third; several words of one kind add up, words of
different kinds cut each other. No place word at all means the whole picture. A negated finding names no
place.
"""

import re
from dataclasses import dataclass

import numpy as np

from medsegr.grid import planes
from medsegr.types import COLS, ROWS, Finding, Image, Location, Prompt, Segmentation

WORDS = {
    "rows": {
        "upper": "upper",
        "top": "upper",
        "middle": "middle",
        "mid": "middle",
        "lower": "lower",
        "bottom": "lower",
    },
    "side": {
        "left": "left",
        "right": "right",
        "bilateral": "bilateral",
        "both": "bilateral",
        "midline": "midline",
    },
}


@dataclass(frozen=True, slots=True)
class Place:
    """Draws the rectangle of the words. The finding's location counts; without findings, the target's name
    and the text.
    """

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """A 0/1 mask for every target, on the image's own grid."""
        down, across = _fractions(image)
        prob = np.zeros((len(prompt.targets), *image.grid), np.float32)
        for i, target in enumerate(prompt.targets):
            finding = prompt.findings[i] if prompt.findings else None
            where = _location(finding, f"{target} {prompt.text}", image)
            prob[i] = _rows(where, down) & _cols(where, across) & _side(where, across, image)
        return Segmentation(prob, prompt.targets, image.affine)


def build() -> Place:
    """A :class:`Place`."""
    return Place()


def _fractions(image: Image) -> tuple[np.ndarray, np.ndarray]:
    """How far down (0 top, 1 bottom) and across (0 left, 1 right) each voxel's centre lies in the usual view.

    A volume's "down" is from head to foot and its "across" from the patient's right to the left, whatever its
    axes are.
    """
    grid = image.grid
    if len(grid) == 2:
        plane = planes.plane_of(image)
        seen = tuple(grid[axis] for axis in plane.order)
        return planes.from_slices(_ramp(seen, 0), plane), planes.from_slices(_ramp(seen, 1), plane)
    row, col = 1, 2
    flip_row = flip_col = False
    letters = image.axes or (planes.axis_letters(image.affine) if image.affine is not None else None)
    if letters and "?" not in letters:
        row = next(i for i, letter in enumerate(letters) if letter in "SI")
        col = next(i for i, letter in enumerate(letters) if letter in "RL")
        flip_row, flip_col = letters[row] == "S", letters[col] == "R"
    return _ramp(grid, row, flip_row), _ramp(grid, col, flip_col)


def _ramp(grid: tuple[int, ...], axis: int, flip: bool = False) -> np.ndarray:
    """Fractions from 0 to 1 along one axis, at voxel centres, ``*grid``."""
    values = (np.arange(grid[axis]) + 0.5) / grid[axis]
    shape = [1] * len(grid)
    shape[axis] = grid[axis]
    return np.broadcast_to((1 - values if flip else values).reshape(shape), grid)


def _location(finding: Finding | None, words: str, image: Image) -> Location:
    if finding is not None:
        return Location() if finding.polarity == "absent" else finding.location
    seen = re.findall(r"[a-z]+", words.lower())
    rows = tuple(dict.fromkeys(WORDS["rows"][word] for word in seen if word in WORDS["rows"]))
    sides = {WORDS["side"][word] for word in seen if word in WORDS["side"]}
    side = "bilateral" if {"left", "right"} <= sides else next(iter(sorted(sides)), None)
    return Location(side=side, side_frame=image.frame, rows=rows)


def _third(position: np.ndarray, wanted: tuple[str, ...], names: tuple[str, ...]) -> np.ndarray:
    if not wanted:
        return np.ones(position.shape, bool)
    third = np.minimum((position * 3).astype(int), 2)
    return np.isin(third, [names.index(word) for word in wanted if word in names])


def _rows(where: Location, down: np.ndarray) -> np.ndarray:
    return _third(down, where.rows, ROWS)


def _cols(where: Location, across: np.ndarray) -> np.ndarray:
    return _third(across, where.cols, COLS)


def _side(where: Location, across: np.ndarray, image: Image) -> np.ndarray:
    if where.side == "midline":
        return np.asarray(np.abs(across - 0.5) < 1 / 6)
    if where.side not in ("left", "right") or where.side_frame == "limb":
        return np.ones(across.shape, bool)
    # `across` runs along the usual view, where a volume's left is at the right even if it was cut sagittally.
    patient_left = "right" if len(image.grid) == 3 else planes.patient_left(image)
    mirrored = where.side_frame == "patient" and patient_left == "right"
    on_the_left = (where.side == "left") != mirrored
    return np.asarray(across < 0.5 if on_the_left else across >= 0.5)
