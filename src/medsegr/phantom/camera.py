"""What the apparatus does to a picture: exposure, gamma, blur, noise, markers, borders."""

from collections.abc import Sequence

import numpy as np

from medsegr.phantom.draw import Plane, blur, grid, letters, noise
from medsegr.phantom.scene import Picture


def to_uint8(plane: Plane) -> Picture:
    """Clip 0..1 and scale to 0..255."""
    return (np.clip(plane, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def stretch(plane: Plane, low: float, high: float) -> Plane:
    """Map the ``low`` and ``high`` percentiles (0..100, of a sparse sample) to 0 and 1; no clipping."""
    sample = plane[::5, ::5]
    a, b = np.percentile(sample, [low, high])
    out: Plane = (plane - np.float32(a)) * np.float32(1 / max(b - a, 1e-3))
    return out


def grey(rng: np.random.Generator, plane: Plane, grain: float, gamma: tuple[float, float]) -> Plane:
    """Blur, noise, uneven exposure, gamma, contrast and brightness of a grey plane with values about 0..1."""
    size = plane.shape[0]
    out = blur(plane, float(rng.choice([0.0, 0.0, 0.6, 0.9])) * size / 256)
    level = np.float32(grain * rng.uniform(0.2, 1.0))
    fine = rng.standard_normal((size, size), dtype=np.float32)
    if rng.random() < 0.4:
        fine = blur(fine, 0.7) * np.float32(2.2)
    out = out + level * fine
    if rng.random() < 0.5:
        out = out + np.float32(rng.uniform(0.0, 0.05)) * noise(rng, size, 2)
    out = np.clip(out, 0, 1) ** np.float32(np.exp(rng.uniform(np.log(gamma[0]), np.log(gamma[1]))))
    contrast = rng.uniform(0.75, 1.1)
    out = (out - np.float32(0.5)) * np.float32(contrast) + np.float32(0.5 + rng.uniform(-0.08, 0.08))
    return np.clip(out, 0, 1)


def marked(rng: np.random.Generator, plane: Plane, items: Sequence[tuple[str, float, float, float]]) -> Plane:
    """Burn words into the picture, nearly white."""
    if not items:
        return plane
    ink = letters(plane.shape[0], items)
    out: Plane = np.maximum(plane, ink * np.float32(rng.uniform(0.7, 1.0)))
    return out


def collimated(rng: np.random.Generator, plane: Plane) -> Plane:
    """A dark border on some sides, as shutters leave it."""
    y, x = grid(plane.shape[0])
    out = plane.copy()
    dark = np.float32(rng.uniform(0, 0.06))
    for inside in (
        y - rng.uniform(0, 0.05),
        1 - y - rng.uniform(0, 0.05),
        x - rng.uniform(0, 0.05),
        1 - x - rng.uniform(0, 0.05),
    ):
        if rng.random() < 0.5:
            out[inside < 0] = dark
    return out
