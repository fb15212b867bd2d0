"""What a CT scanner and its viewer do to a slice: kernel, noise, field of view, window, turns."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import ndimage

from medsegr.phantom.draw import Mask, Plane, blur, grid

Grid = TypeVar("Grid", Plane, Mask)
# Kinds of window: weight, lowest and highest value of both ends in HU.
WINDOWS = (
    (0.36, (-1450.0, -1200.0), (50.0, 250.0)),  # lung
    (0.16, (-180.0, -110.0), (180.0, 290.0)),  # soft tissue
    (0.22, (-60.0, 15.0), (150.0, 320.0)),  # soft tissue, cut so high that fat is black
    (0.16, (-1024.0, -800.0), (300.0, 1200.0)),  # wide
    (0.10, (-1100.0, -1000.0), (1200.0, 2200.0)),  # the whole range
)


@dataclass(frozen=True, slots=True)
class Scan:
    """How one slice is shown: the ends of the window in HU, quarter turns, a flip."""

    window: tuple[float, float]
    quarters: int = 0
    flip: bool = False

    @property
    def turned(self) -> bool:
        """Whether the picture no longer shows the patient's right at its left."""
        return self.flip or self.quarters > 0

    def turn(self, plane: Grid) -> Grid:
        """A plane of the upright slice as the picture shows it."""
        out: Grid = np.rot90(plane[:, ::-1] if self.flip else plane, self.quarters)
        return np.ascontiguousarray(out)


def scan(rng: np.random.Generator) -> Scan:
    """A random way to show a slice; about one in eight is turned."""
    kind = int(rng.choice(len(WINDOWS), p=np.array([w for w, _, _ in WINDOWS])))
    _, low, high = WINDOWS[kind]
    window = (float(rng.uniform(*low)), float(rng.uniform(*high)))
    if rng.random() < 0.12:
        return Scan(window, int(rng.integers(1, 4)), bool(rng.random() < 0.5))
    return Scan(window)


def _noise(rng: np.random.Generator, plane: Plane, most: float) -> Plane:
    """Noise in HU, ``most`` at most: fine or coarse, and streaks across the shoulders in some."""
    size = plane.shape[0]
    level = np.float32(np.exp(rng.uniform(np.log(4), np.log(most))))
    fine = rng.standard_normal((size, size), dtype=np.float32)
    style = rng.random()
    if style < 0.5:
        fine = blur(fine, 0.6) * np.float32(1.9)
    elif style < 0.7:
        fine = ndimage.gaussian_filter1d(fine, 1.6 * size / 256, axis=1) * np.float32(2.2)
    return level * fine


def acquire(rng: np.random.Generator, plane: Plane, picture: Scan) -> Plane:
    """The slice as the picture shows it, 0 to 1: partial volume, kernel, noise, field of view, window."""
    size = plane.shape[0]
    out = blur(plane, float(rng.choice([0.35, 0.5, 0.7, 1.0])) * size / 256)
    if rng.random() < 0.35:
        out = out + np.float32(rng.uniform(0.2, 0.8)) * (out - blur(out, 1.1 * size / 256))
    out = np.maximum(
        out + _noise(rng, plane, min(55.0, 0.16 * (picture.window[1] - picture.window[0]))), np.float32(-1024)
    )
    if rng.random() < 0.4:
        y, x = grid(size)
        circle = np.hypot(y - np.float32(0.5), x - np.float32(0.5)) > rng.uniform(0.495, 0.52)
        out = np.where(circle, np.float32(-1024), out)
    low, high = picture.window
    shown = np.clip((out - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    gamma = np.float32(np.exp(rng.normal(0, 0.12)))
    final: Plane = (shown**gamma).astype(np.float32)
    return final
