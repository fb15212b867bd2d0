"""A field of cells, stained or fluorescent: many nuclei, and clusters of another colour, size and outline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medsegr.phantom import camera
from medsegr.phantom.concepts import CELLS, FLUORESCENT
from medsegr.phantom.draw import Mask, Plane, blur, grid, noise
from medsegr.phantom.places import nine
from medsegr.phantom.scene import Picture, Scene, Spot

STAIN = {
    "purple": (0.42, 0.16, 0.55),
    "blue": (0.16, 0.24, 0.62),
    "brown": (0.43, 0.24, 0.10),
    "red": (0.78, 0.12, 0.16),
}
GLOW = {
    "green": (0.15, 0.95, 0.25),
    "red": (0.95, 0.15, 0.12),
    "blue": (0.2, 0.35, 1.0),
    "white": (0.95, 0.95, 0.95),
    "yellow": (0.95, 0.88, 0.15),
}
Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class _Ink:
    """Ready-made nuclei (coverage planes of odd side), small to large, and whether they shine or absorb."""

    sprites: tuple[Plane, ...]
    shines: bool


def _sprites(rng: np.random.Generator, radius: float) -> tuple[Plane, ...]:
    """Nuclei of random size, elongation and turn: coverage 0 to 1, darker in the middle."""
    out = []
    for long in radius * np.sort(rng.uniform(0.6, 1.5, 24)):
        reach = int(long) + 2
        axis = np.arange(-reach, reach + 1, dtype=np.float32)
        angle, short = rng.uniform(0, np.pi), long * rng.uniform(0.6, 1.0)
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        d = np.hypot(
            (c * axis[:, None] - s * axis) * np.float32(1 / short),
            (s * axis[:, None] + c * axis) * np.float32(1 / long),
        )
        cover = np.clip((1 - d) * np.float32(long / 1.6) + np.float32(0.5), 0, 1)
        out.append((cover * (1 - np.float32(0.22) * d)).astype(np.float32))
    return tuple(out)


def _stamp(frame: Plane, centre: tuple[int, int], sprite: Plane, colour: Plane, shines: bool) -> None:
    """One nucleus, in place."""
    size, reach = frame.shape[0], sprite.shape[0] // 2
    y0, x0 = centre[0] - reach, centre[1] - reach
    top, left = max(0, -y0), max(0, -x0)
    cover = sprite[top : top + size - max(y0, 0), left : left + size - max(x0, 0)]
    local = frame[y0 + top : y0 + top + cover.shape[0], x0 + left : x0 + left + cover.shape[1]]
    if shines:
        np.maximum(local, cover[..., None] * colour, out=local)
    else:
        local *= 1 - cover[..., None] * (1 - colour)


def _scatter(
    rng: np.random.Generator,
    frame: Plane,
    points: NDArray[np.int64],
    ink: _Ink,
    look: tuple[Plane, float, bool],
) -> None:
    """Many nuclei at ``points`` (y, x), in place; ``look``: colour, brightness spread, mixed sizes."""
    colour, spread, mixed = look
    count = len(ink.sprites)
    low, high = (0, count) if mixed else (count // 3, 2 * count // 3)
    for (y, x), k, tone in zip(
        points.tolist(),
        rng.integers(low, high, len(points)),
        rng.uniform(1 - spread, 1 + spread, len(points)),
        strict=True,
    ):
        _stamp(frame, (y, x), ink.sprites[k], np.clip(colour * np.float32(tone), 0, 1), ink.shines)


def _spread(rng: np.random.Generator, count: int, busy: Mask) -> NDArray[np.int64]:
    points = rng.integers(busy.shape[0], size=(count, 2))
    free: NDArray[np.int64] = points[~busy[points[:, 0], points[:, 1]]]
    return free


def _cluster(
    rng: np.random.Generator, frame: Plane, spot: Spot, ink: _Ink, palette: Mapping[str, Colour]
) -> None:
    """Fill one cluster's outline with crowded nuclei on a tinted ground, in place."""
    blob, look = spot.blob, spot.look
    mixed = look.uniformity == "heterogeneous"
    ground = np.array(palette[look.colour or next(iter(palette))], np.float32) * np.float32(
        rng.uniform(0.85, 1.1)
    )
    local = frame[blob.window]
    if ink.shines:
        np.maximum(local, (blob.alpha * np.float32(rng.uniform(0.15, 0.4)))[..., None] * ground, out=local)
    else:
        local *= 1 - (blob.alpha * np.float32(rng.uniform(0.25, 0.6)))[..., None] * (1 - ground)
    ys, xs = np.nonzero(blob.mask)
    radius = ink.sprites[len(ink.sprites) // 2].shape[0] / 2 - 1.5
    count = int(np.clip(len(ys) / (radius**2 * rng.uniform(1.6, 2.6)), 8, 260))
    picks = rng.integers(len(ys), size=count)
    _scatter(
        rng, frame, np.stack([ys[picks], xs[picks]], axis=1), ink, (ground, 0.5 if mixed else 0.12, mixed)
    )


def _stained(rng: np.random.Generator, size: int, spots: Sequence[Spot], busy: Mask, radius: float) -> Plane:
    pale = np.array([rng.uniform(0.88, 0.98), rng.uniform(0.70, 0.88), rng.uniform(0.82, 0.93)], np.float32)
    fibre = (
        np.float32(0.5)
        + np.float32(0.22) * noise(rng, size, 18, int(rng.integers(5, 18)))
        + np.float32(0.15) * noise(rng, size, 50)
    )
    frame: Plane = pale * (
        1
        - np.clip(fibre, 0, 1)[..., None]
        * np.array((0.06, 0.22, 0.12), np.float32)
        * np.float32(rng.uniform(0.4, 1.4))
    )
    if rng.random() < 0.4:
        gap = np.clip(noise(rng, size, 5) - np.float32(1.2), 0, 0.6)[..., None]
        frame = frame * (1 - gap) + gap
    shade = np.array((rng.uniform(0.38, 0.6), rng.uniform(0.32, 0.5), rng.uniform(0.58, 0.74)), np.float32)
    ink = _Ink(_sprites(rng, radius), False)
    for spot in spots:
        _cluster(rng, frame, spot, ink, STAIN)
    _scatter(rng, frame, _spread(rng, int(rng.uniform(50, 260)), busy), ink, (shade, 0.2, True))
    return frame


def _glowing(rng: np.random.Generator, size: int, spots: Sequence[Spot], busy: Mask, radius: float) -> Plane:
    tints = ((0.25, 0.35, 0.75), (0.5, 0.5, 0.5), (0.2, 0.45, 0.3))
    tint = np.array(tints[int(rng.integers(len(tints)))], np.float32)
    haze = np.clip(np.float32(rng.uniform(0.02, 0.09)) * (1 + np.float32(0.5) * noise(rng, size, 3)), 0, 1)
    frame: Plane = haze[..., None] * tint * np.float32(1.6)
    ink = _Ink(_sprites(rng, radius), True)
    _scatter(rng, frame, _spread(rng, int(rng.uniform(40, 220)), busy), ink, (tint, 0.3, True))
    for spot in spots:
        _cluster(rng, frame, spot, ink, GLOW)
    return frame


def scene(rng: np.random.Generator, size: int) -> Scene:
    """A random field, and the function that draws it with its clusters."""
    shines = bool(rng.random() < 0.4)
    radius = float(rng.uniform(2.6, 5.0)) * size / 256

    def render(rng: np.random.Generator, spots: Sequence[Spot]) -> Picture:
        busy = np.zeros((size, size), bool)
        for spot in spots:
            busy |= spot.blob.mask
        frame = (_glowing if shines else _stained)(rng, size, spots, busy, radius)
        frame = blur(frame, float(rng.choice([0.4, 0.7, 1.1])) * size / 256)
        frame = frame * np.float32(rng.uniform(0.85, 1.12)) * np.array(rng.uniform(0.95, 1.05, 3), np.float32)
        y, x = grid(size)
        light = 1 - np.float32(rng.uniform(0, 0.25)) * (
            (y - np.float32(rng.uniform(0.3, 0.7))) ** 2 + (x - np.float32(rng.uniform(0.3, 0.7))) ** 2
        )
        frame = frame * light[..., None] + np.float32(rng.uniform(0.004, 0.03)) * rng.standard_normal(
            (size, size, 1), dtype=np.float32
        )
        return camera.to_uint8(np.clip(frame, 0, 1) ** np.float32(rng.uniform(0.8, 1.25)))

    room = np.ones((size, size), bool)
    words = "fluorescence microscopy" if shines else "H&E histology"
    return Scene(size, 0.13 / size, nine(size, room), render, {}, words, FLUORESCENT if shines else CELLS)
