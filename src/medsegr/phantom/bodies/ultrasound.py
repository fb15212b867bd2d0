"""A B-mode-like frame: layers, speckle, shadows, enhancement behind cysts, wide variation of gain."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from medsegr.phantom import camera
from medsegr.phantom.draw import Mask, Plane, Stroke, blur, curve, grid, noise, rough, step, strokes
from medsegr.phantom.places import nine
from medsegr.phantom.scene import Picture, Scene, Spot

ECHO = {"hypo": 0.34, "iso": 0.85, "hyper": 2.3, "fluid": 0.07}


def _layers(rng: np.random.Generator, size: int) -> Plane:
    """Mean echo of skin, fat, gland, fascia and muscle: wavy bands, top to bottom."""
    y, _ = grid(size)
    depth = y + np.float32(rng.uniform(0.005, 0.03)) * noise(rng, size, 1, 4)
    edges = np.sort(rng.uniform(0.08, 0.95, int(rng.integers(2, 6))))
    echo = np.full((size, size), rng.uniform(0.4, 1.0), np.float32)
    for edge in edges:
        inside = step(depth - np.float32(edge), 0.02)
        echo = echo * (1 - inside) + inside * np.float32(rng.uniform(0.45, 1.25))
        if rng.random() < 0.6:
            line = step(np.float32(rng.uniform(0.004, 0.01)) - np.abs(depth - np.float32(edge)), 0.01)
            echo = echo + line * np.float32(rng.uniform(0.3, 1.3))
    echo = echo + step(np.float32(rng.uniform(0.02, 0.06)) - y, 0.03) * np.float32(rng.uniform(0, 1.2))
    lines: list[Stroke] = []
    for _ in range(int(rng.integers(4, 22))):
        start = (rng.random(), rng.random())
        lines.append(
            (
                curve(rng, start, rng.normal(0, 0.3), rng.uniform(0.08, 0.4), 0.4),
                rng.uniform(1, 3) * size / 256,
                rng.uniform(0.3, 1),
            )
        )
    echo = echo + strokes(size, lines, 0.8) * np.float32(rng.uniform(0.1, 0.8))
    return echo * (np.float32(1) + np.float32(0.18) * noise(rng, size, 7))


def _put(rng: np.random.Generator, echo: Plane, behind: Plane, spot: Spot) -> None:
    """Change the echo inside one lesion and the beam below it, in place."""
    blob, look, win = spot.blob, spot.look, spot.blob.window
    level = ECHO.get(look.density or "", 0.4) * float(rng.uniform(0.85, 1.15))
    around = float(np.clip(echo[win].mean(), 0.55, 1.0))
    bumps = rough(rng, blob.alpha.shape, 7)
    texture = np.exp(
        np.float32(0.55 if look.uniformity == "heterogeneous" else 0.06) * np.clip(bumps, -1.8, 1.8)
    )
    inside = np.log(np.float32(around * level) * texture)
    echo[win] = np.exp(
        np.log(np.maximum(echo[win], np.float32(0.02))) * (1 - blob.alpha) + blob.alpha * inside
    )
    if look.density == "iso" or rng.random() < 0.3:
        rim = 4 * blob.alpha * (1 - blob.alpha)
        echo[win] += rim * np.float32(1.1 if look.density == "iso" else 0.5)
    columns = ndimage.gaussian_filter1d(blob.alpha.max(axis=0), 0.02 * echo.shape[0], mode="constant")
    beam = {"fluid": 0.55, "hypo": -0.1, "iso": 0.0, "hyper": -0.15}.get(look.density or "", 0.0)
    if look.margin == "spiculated":
        beam = -0.6
    fade = np.exp(-np.arange(echo.shape[0] - win[0].stop, dtype=np.float32) / np.float32(0.3 * echo.shape[0]))
    behind[win[0].stop :, win[1]] += (
        np.float32(beam * rng.uniform(0.4, 1.1)) * fade[:, None] * columns[None, :]
    )


def _sector(rng: np.random.Generator, size: int) -> Plane:
    """Signed distance to the inside of the scanned field: whole frame, margins, or a fan."""
    y, x = grid(size)
    style = rng.random()
    if style < 0.55:
        return np.full((size, size), 1.0, np.float32)
    if style < 0.75:
        a, b = rng.uniform(0, 0.08, 2)
        box: Plane = np.minimum(np.minimum(x - np.float32(a), np.float32(1 - b) - x), y - np.float32(0.03))
        return box
    top = rng.uniform(0.25, 0.8)
    u, v = x - np.float32(0.5), y + np.float32(top)
    r = np.hypot(u, v)
    fan = np.minimum(
        np.float32(np.arctan(0.5 / (top + 0.35))) - np.abs(np.arctan2(u, v)),
        np.minimum(r - np.float32(top + 0.02), np.float32(top + 0.97) - r),
    )
    out: Plane = fan.astype(np.float32)
    return out


def _speckle(rng: np.random.Generator, size: int) -> Plane:
    """Rayleigh speckle of mean 1, longer across the beam than along it."""
    along, across = rng.uniform(0.5, 0.9) * size / 256, rng.uniform(0.8, 1.8) * size / 256
    waves = rng.standard_normal((2, size, size), dtype=np.float32)
    real, imaginary = (_smear(w, along, across) for w in waves)
    out = np.sqrt(real * real + imaginary * imaginary)
    whole: Plane = (out / out.mean()).astype(np.float32)
    return whole


def _smear(wave: Plane, along: float, across: float) -> Plane:
    out: Plane = ndimage.gaussian_filter(wave, (along, across), truncate=2.5)
    return out


def _room(sector: Plane) -> Mask:
    out: Mask = sector > 0.02
    return out


def scene(rng: np.random.Generator, size: int) -> Scene:
    """A random frame, and the function that draws it with its lesions."""
    sector = _sector(rng, size)
    y, _ = grid(size)

    def render(rng: np.random.Generator, spots: Sequence[Spot]) -> Picture:
        echo = _layers(rng, size)
        behind = np.zeros((size, size), np.float32)
        if rng.random() < 0.3:
            shadow = blur(np.clip(noise(rng, size, 1, 8), 0, 2), 3)
            behind -= shadow * np.float32(rng.uniform(0, 0.5)) * y
        for spot in spots:
            _put(rng, echo, behind, spot)
        decay = np.exp(-np.float32(rng.uniform(-0.3, 0.9)) * y)
        power = (
            np.clip(echo, 0.015, 4)
            * _speckle(rng, size) ** np.float32(rng.uniform(0.7, 1.1))
            * decay
            * np.clip(1 + behind, 0.12, 2.5)
        )
        span = rng.uniform(2.2, 3.6)
        level = np.log(power + np.float32(0.01))
        typical = float(np.median(level[::4, ::4][sector[::4, ::4] > 0]))
        plane = (level - np.float32(typical)) * np.float32(1 / span) + np.float32(rng.uniform(0.3, 0.62))
        plane = blur(np.clip(plane, 0, 1), float(rng.choice([0, 0.6, 0.9])) * size / 256) ** np.float32(
            rng.uniform(0.8, 1.5)
        )
        plane = plane * step(sector, 0.01)
        words = (
            [(str(rng.choice(["L", "5.0", "FR 23", "8 MHz"])), rng.uniform(0.02, 0.8), 0.01, 0.035)]
            if rng.random() < 0.25
            else []
        )
        return camera.to_uint8(camera.marked(rng, plane, words))

    return Scene(size, 50.0 / size, nine(size, _room(sector)), render)
