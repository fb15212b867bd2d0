"""A colonoscopy-like colour frame: folds, dark lumen, vignette, highlights, polyps and ulcers."""

from collections.abc import Sequence

import numpy as np

from medsegr.phantom import camera
from medsegr.phantom.draw import Plane, Stroke, blur, curve, ellipse, grid, noise, rough, step, strokes, wavy
from medsegr.phantom.places import nine
from medsegr.phantom.scene import Picture, Scene, Spot

RGB = {
    "red": (0.72, 0.13, 0.12),
    "pink": (0.97, 0.66, 0.66),
    "white": (0.93, 0.90, 0.86),
    "yellow": (0.90, 0.77, 0.34),
    "brown": (0.42, 0.24, 0.13),
    "purple": (0.47, 0.20, 0.48),
}


def _wall(rng: np.random.Generator, size: int, lumen: tuple[float, float]) -> tuple[Plane, Plane]:
    """Height of the folds (0..1) and the light that reaches the wall (0..1)."""
    yx = wavy(rng, size, 0.03, 3)
    r = ellipse(yx, lumen, (1.0, rng.uniform(0.8, 1.25)), rng.uniform(0, 3))
    rings = rng.uniform(3, 9)
    folds = np.float32(0.5) + np.float32(0.5) * np.sin(
        np.float32(2 * np.pi * rings) * np.sqrt(r) + np.float32(rng.uniform(0, 6))
    )
    part = np.clip(np.float32(0.5) + np.float32(0.6) * noise(rng, size, 3), 0, 1)
    height = (
        folds**2 * part * np.clip(r * 6 - np.float32(0.6), 0, 1)
        + np.float32(rng.uniform(0, 0.12)) * noise(rng, size, 14)
        + np.float32(rng.uniform(0, 0.06)) * noise(rng, size, 30)
    )
    light = np.clip(np.float32(rng.uniform(0.05, 0.3)) + np.float32(rng.uniform(1.1, 1.9)) * r, 0, 1)
    if rng.random() < 0.3:
        light = np.ones_like(light) * np.float32(0.9)
    far = ellipse(grid(size), (rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.65)), (0.9, 0.9))
    return height, (light * (np.float32(1.1) - np.float32(0.5) * far * far)).astype(np.float32)


def _shade(height: Plane, strength: float, angle: float) -> Plane:
    """Light from one direction on a height field."""
    gy, gx = (np.asarray(g, np.float32) for g in np.gradient(height))
    slope: Plane = gy * np.float32(np.sin(angle)) + gx * np.float32(np.cos(angle))
    out: Plane = np.clip(1 + np.float32(strength) * slope, 0.35, 1.6)
    return out


def _vessels(rng: np.random.Generator, size: int) -> Plane:
    lines: list[Stroke] = []
    for _ in range(int(rng.integers(3, 10))):
        start = (rng.random(), rng.random())
        lines.append(
            (
                curve(rng, start, rng.uniform(-3, 3), rng.uniform(0.15, 0.5), 0.9),
                rng.uniform(1, 2) * size / 256,
                rng.uniform(0.4, 1),
            )
        )
    return strokes(size, lines, 0.5)


def _lesion(rng: np.random.Generator, frame: Plane, spot: Spot, angle: float) -> None:
    """Paint one polyp (a lit bump) or ulcer (a flat floor with a red rim) in place."""
    blob, look, win = spot.blob, spot.look, spot.blob.window
    bumps = rough(rng, blob.alpha.shape, 6)
    tone = np.array(RGB[look.colour or "red"], np.float32) * np.float32(rng.uniform(0.9, 1.1))
    own = np.clip(frame[win].reshape(-1, 3).mean(axis=0), 0.05, 1)
    near = own * np.float32(tone.mean() / own.mean())
    mix = np.float32(rng.uniform(0.5, 1.0))
    paint = (tone * mix + near * (1 - mix)) * (
        1 + np.float32(0.28 if look.uniformity == "heterogeneous" else 0.03) * bumps[..., None]
    )
    local = frame[win]
    light = np.clip(blur(local.mean(axis=2), 4) * np.float32(1.9), 0.5, 1.15)[..., None]
    if spot.name == "polyp":
        dome = np.sqrt(np.clip(blob.inner, 0, 1)) * np.sqrt(blob.mask.sum())
        shade = _shade(blur(dome.astype(np.float32), 1.5), rng.uniform(0.18, 0.35), angle)[..., None]
        rim = np.clip(blur(blob.alpha, 3.0) - blob.alpha, 0, 1)[..., None]
        local *= 1 - np.float32(rng.uniform(0.2, 0.7)) * rim
        cover = (blob.alpha * np.float32(rng.uniform(0.72, 0.95)))[..., None]
        local[:] = local * (1 - cover) + cover * paint * light * shade
        return
    rim = (4 * blob.alpha * (1 - blob.alpha) + 1.2 * np.clip(blur(blob.alpha, 3.0) - blob.alpha, 0, 1))[
        ..., None
    ]
    local[:] = (
        local * (1 - np.clip(rim, 0, 0.7))
        + np.clip(rim, 0, 0.7) * np.array((0.55, 0.08, 0.08), np.float32) * light
    )
    cover = (blob.alpha**2 * np.float32(rng.uniform(0.8, 0.97)))[..., None]
    local[:] = local * (1 - cover) + cover * paint * light


def _gloss(rng: np.random.Generator, frame: Plane, spots: Sequence[Spot]) -> None:
    """Small white highlights, some on the lesions."""
    size = frame.shape[0]
    spark = np.zeros((size, size), np.float32)
    points = [(rng.random(), rng.random()) for _ in range(int(rng.integers(2, 26)))]
    for spot in spots:
        ys, xs = np.nonzero(spot.blob.mask)
        for _ in range(int(rng.integers(0, 3))):
            k = int(rng.integers(len(ys)))
            points.append((float(ys[k]) / size, float(xs[k]) / size))
    for cy, cx in points:
        radius = max(1.0, rng.exponential(0.006) * size)
        y0, x0 = int(cy * size), int(cx * size)
        reach = int(2 * radius) + 2
        win = (slice(max(0, y0 - reach), y0 + reach), slice(max(0, x0 - reach), x0 + reach))
        y, x = grid(size)
        d = ellipse(
            (y[win] * size, x[win] * size),
            (y0, x0),
            (radius * rng.uniform(0.4, 1), radius * 1.3),
            rng.uniform(0, 3),
        )
        spark[win] = np.maximum(spark[win], step(1 - d, 0.8))
    frame += np.float32(rng.uniform(0.4, 0.9)) * spark[..., None]


def _vignette(rng: np.random.Generator, size: int) -> Plane:
    y, x = grid(size)
    u, v = np.abs(x - np.float32(0.5)), np.abs(y - np.float32(0.5))
    style = rng.random()
    if style < 0.4:
        edge = np.minimum(np.float32(0.49) - np.maximum(u, v), np.float32(rng.uniform(0.72, 0.84)) - u - v)
    elif style < 0.75:
        edge = np.float32(rng.uniform(0.49, 0.62)) - np.hypot(u, v)
    else:
        edge = np.float32(0.5) - np.maximum(u, v) + np.float32(0.02)
    out: Plane = edge.astype(np.float32)
    return out


def scene(rng: np.random.Generator, size: int) -> Scene:
    """A random frame, and the function that draws it with its lesions."""
    edge = _vignette(rng, size)
    lumen = (float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.1, 0.9)))

    def render(rng: np.random.Generator, spots: Sequence[Spot]) -> Picture:
        height, light = _wall(rng, size, lumen)
        angle = float(rng.uniform(-np.pi, np.pi))
        base = np.array(
            [rng.uniform(0.7, 0.92), rng.uniform(0.30, 0.48), rng.uniform(0.22, 0.40)], np.float32
        )
        tint = np.float32(1) + np.float32(0.05) * noise(rng, size, 6)
        frame = base * (light * tint * _shade(blur(height, 1.5), rng.uniform(2, 7), angle))[..., None]
        vein = _vessels(rng, size)[..., None] * np.float32(rng.uniform(0, 0.5))
        frame = frame * (1 - vein * np.array((0.25, 0.6, 0.5), np.float32))
        for spot in spots:
            _lesion(rng, frame, spot, angle)
        if rng.random() < 0.8:
            _gloss(rng, frame, spots)
        frame = frame * step(edge, 0.01)[..., None]
        frame = blur(frame, float(rng.choice([0, 0, 0.7, 1.0])))
        frame = frame * np.float32(rng.uniform(0.75, 1.2)) * np.array(rng.uniform(0.92, 1.08, 3), np.float32)
        frame = (
            frame
            + np.float32(rng.uniform(0.003, 0.025))
            * rng.standard_normal((size, size, 1), dtype=np.float32)
            * (edge > 0)[..., None]
        )
        return camera.to_uint8(np.clip(frame, 0, 1) ** np.float32(rng.uniform(0.75, 1.3)))

    room = (edge > 0.03) & (ellipse(grid(size), lumen, (0.07, 0.07)) > 1)
    return Scene(size, 60.0 / size, nine(size, room), render)
