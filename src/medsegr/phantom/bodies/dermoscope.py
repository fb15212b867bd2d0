"""What lies over the skin in a dermoscopy photograph: hairs, ink, ruler, gel, stickers, light, round field.

Everything is drawn over skin and lesions alike, so that nothing of it tells where a lesion is.
"""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image as Pil

from medsegr.phantom.draw import Plane, Stroke, blur, ellipse, grid, lay, letters, step, strokes

Colour = tuple[float, float, float]

HAIR: tuple[Colour, ...] = (
    (0.10, 0.07, 0.05),
    (0.20, 0.12, 0.07),
    (0.20, 0.12, 0.07),
    (0.42, 0.26, 0.10),
    (0.05, 0.05, 0.06),
    (0.92, 0.90, 0.82),
)
INK: tuple[Colour, ...] = (
    (0.36, 0.22, 0.62),
    (0.45, 0.40, 0.78),
    (0.25, 0.25, 0.60),
    (0.38, 0.15, 0.24),
    (0.50, 0.20, 0.60),
)
STICKER: tuple[Colour, ...] = (
    (0.95, 0.55, 0.15),
    (0.20, 0.65, 0.40),
    (0.20, 0.40, 0.80),
    (0.95, 0.85, 0.25),
    (0.85, 0.15, 0.20),
    (0.12, 0.12, 0.12),
)


def mottle(rng: np.random.Generator, shape: tuple[int, ...], grain: float) -> Plane:
    """Smooth noise of mean 0 and deviation about 1 for any window, a lattice cell every ``grain`` pixels.

    ``draw.noise`` for pictures that need it by the dozen: its matrix products wait for one another's threads.
    """
    grain = max(grain, 1.5)
    rows, cols = (math.ceil(n / grain) + 3 for n in shape[:2])
    lattice = Pil.fromarray(rng.standard_normal((rows, cols), dtype=np.float32))
    dy, dx = rng.uniform(1, 2, 2)
    box = (dx, dy, dx + shape[1] / grain, dy + shape[0] / grain)
    smooth = lattice.resize((shape[1], shape[0]), Pil.Resampling.BICUBIC, box)
    return np.asarray(smooth, np.float32) * np.float32(1.28)


def noise(rng: np.random.Generator, size: int, cells: int, cells_x: int | None = None) -> Plane:
    """``mottle`` of the whole picture with ``cells`` cells along y (and x)."""
    if cells_x is None or cells_x == cells:
        return mottle(rng, (size, size), size / cells)
    tall = mottle(rng, (size, max(2, round(size * cells_x / cells))), size / cells)
    return np.asarray(Pil.fromarray(tall).resize((size, size), Pil.Resampling.BILINEAR), np.float32)


def arc(
    rng: np.random.Generator, start: tuple[float, float], angle: float, length: float, bend: float
) -> list[tuple[float, float]]:
    """A smooth line of 15 points (x, y) from ``start`` that turns by about ``bend`` along ``length``."""
    turns = angle + np.linspace(0, bend, 14) + np.cumsum(rng.normal(0, 0.05, 14))
    xs = start[0] + np.cumsum(np.cos(turns)) * length / 14
    ys = start[1] + np.cumsum(np.sin(turns)) * length / 14
    return [start, *zip(xs.tolist(), ys.tolist(), strict=True)]


def fine(size: int, lines: Sequence[Stroke]) -> Plane:
    """Strokes with soft sides: drawn at twice the size, then made smaller."""
    large = strokes(2 * size, [(points, 2 * width, value) for points, width, value in lines])
    out: Plane = large.reshape(size, 2, size, 2).mean(axis=(1, 3), dtype=np.float32)
    return out


def _pick(rng: np.random.Generator, colours: Sequence[Colour]) -> Plane:
    tone = np.array(colours[int(rng.integers(len(colours)))], np.float32)
    out: Plane = np.clip(tone * np.float32(rng.uniform(0.8, 1.2)), 0, 1)
    return out


def hairs(rng: np.random.Generator, frame: Plane) -> Plane:
    """None, a few, many, or a stubble of hairs, mostly combed one way."""
    size = frame.shape[0]
    style = rng.random()
    if style < 0.33:
        return frame
    stubble = style > 0.93
    count = int(rng.integers(1, 11)) if style < 0.68 else int(rng.integers(12, 70))
    combed, spread = rng.uniform(-np.pi, np.pi), rng.choice([0.35, 0.6, 3.0])
    width = float(rng.uniform(0.5, 1.5)) * size / 256
    lines: list[Stroke] = []
    for _ in range(count):
        long = rng.uniform(0.02, 0.07) if stubble else rng.uniform(0.15, 1.3)
        lines.append(
            (
                arc(
                    rng,
                    (rng.uniform(-0.15, 1.1), rng.uniform(-0.15, 1.1)),
                    rng.normal(combed, spread),
                    long,
                    rng.normal(0, 0.9),
                ),
                width * rng.uniform(0.6, 1.4),
                rng.uniform(0.5, 1),
            )
        )
    cover = fine(size, lines)
    if rng.random() < 0.4:  # the hair's shadow on the skin
        frame = frame * (1 - np.float32(0.25) * np.roll(blur(cover, 1.2 * size / 256), 2, 1)[..., None])
    return lay(frame, cover[..., None] * np.float32(rng.uniform(0.55, 0.95)), _pick(rng, HAIR))


def _scribble(rng: np.random.Generator, s: float) -> list[Stroke]:
    """Ink that has run into the lines of the skin: many short thin strokes that cross."""
    cy, cx = rng.uniform(0, 1, 2)
    way, reach = rng.uniform(0, np.pi), rng.uniform(0.03, 0.1)
    out: list[Stroke] = []
    for _ in range(int(rng.integers(8, 40))):
        start = (float(rng.normal(cx, reach)), float(rng.normal(cy, reach)))
        angle = way + float(rng.choice([0.0, 1.1])) + rng.normal(0, 0.2)
        out.append(
            (arc(rng, start, angle, rng.uniform(0.02, 0.1), 0.1), rng.uniform(0.5, 1.2) * s, rng.random())
        )
    return out


def ink(rng: np.random.Generator, frame: Plane) -> Plane:
    """Strokes of a skin marker, mostly near the border, broken by the skin's grain."""
    size, s = frame.shape[0], frame.shape[0] / 256
    lines: list[Stroke] = []
    for _ in range(int(rng.integers(1, 5))):
        if rng.random() < 0.5:
            lines += _scribble(rng, s)
            continue
        side, along = int(rng.integers(4)), rng.uniform(0, 1)
        off = float(abs(rng.normal(0, 0.14)))
        start = [(along, off), (along, 1 - off), (off, along), (1 - off, along)][side]
        line = arc(rng, start, rng.uniform(-np.pi, np.pi), rng.uniform(0.06, 0.7), rng.normal(0, 0.9))
        lines.append((line, rng.uniform(2.5, 10) * s, rng.uniform(0.6, 1)))
    grain = np.clip(np.float32(0.65) + np.float32(0.55) * noise(rng, size, int(rng.integers(40, 80))), 0, 1)
    cover = np.clip(blur(fine(size, lines), 0.4 * s) * grain * np.float32(rng.uniform(0.6, 1.3)), 0, 1)
    out: Plane = frame * (1 - cover[..., None] * (1 - _pick(rng, INK)))
    return out


def ruler(rng: np.random.Generator, frame: Plane) -> Plane:
    """A thin scale with ticks, somewhere in the picture or along a side."""
    size, s = frame.shape[0], frame.shape[0] / 256
    aside = rng.random() < 0.15
    angle = float(rng.normal(0, 0.12)) + (np.pi / 2 if rng.random() < 0.15 else 0)
    length = float(rng.uniform(0.9, 1.2) if aside else rng.uniform(0.25, 0.55))
    x, y = (0.0, rng.uniform(0.9, 0.97)) if aside else (rng.uniform(0.05, 0.7), rng.uniform(0.55, 0.95))
    if rng.random() < 0.25:
        y = 1 - y
    along, across = (np.cos(angle), np.sin(angle)), (np.sin(angle), -np.cos(angle))
    width, tall = rng.uniform(0.5, 1.1) * s, rng.uniform(0.012, 0.035)
    lines: list[Stroke] = [([(x, y), (x + along[0] * length, y + along[1] * length)], width, 1)]
    for k, t in enumerate(np.linspace(0, length, int(rng.integers(9, 32)))):
        high = tall * (1.6 if k % 5 == 0 else 1)
        foot = (x + along[0] * t, y + along[1] * t)
        lines.append(([foot, (foot[0] + across[0] * high, foot[1] + across[1] * high)], width, 1))
    cover = fine(size, lines)
    if rng.random() < 0.7:
        text = str(rng.choice(["mm", "MM", "10", "cm"]))
        cover = np.maximum(cover, letters(size, [(text, x, y + 0.015, rng.uniform(0.025, 0.045))]))
    tone = rng.uniform(0, 0.35) if rng.random() < 0.9 else 0.9
    return lay(frame, cover[..., None] * np.float32(rng.uniform(0.5, 1)), float(tone))


def gel(rng: np.random.Generator, frame: Plane) -> Plane:
    """Bubbles in the gel (rings lit from one side) and the edge of the drop or of a pressed glass."""
    size = frame.shape[0]
    lit = rng.uniform(-np.pi, np.pi)
    y, x = grid(size)
    for _ in range(int(rng.exponential(5))):
        cy, cx, radius = rng.random(), rng.random(), rng.uniform(0.004, 0.02) * rng.uniform(0.5, 2)
        low = [max(0, int((c - 2 * radius) * size)) for c in (cy, cx)]
        high = [int((c + 2 * radius) * size) + 2 for c in (cy, cx)]
        win = (slice(low[0], high[0]), slice(low[1], high[1]))
        dy, dx = (
            (y[win] - np.float32(cy)) / np.float32(radius),
            (x[win] - np.float32(cx)) / np.float32(radius),
        )
        ring = np.exp(-np.square((np.hypot(dy, dx) - 1) / np.float32(0.3)))
        frame[win] += (np.float32(0.22) * ring * (dy * np.sin(lit) + dx * np.cos(lit)))[..., None]
    if rng.random() < 0.35:
        at = (rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7))
        radii = (rng.uniform(0.25, 0.7), rng.uniform(0.2, 0.5))
        wobble = np.float32(rng.choice([0.01, 0.04, 0.09])) * noise(rng, size, 4)
        r = ellipse((y + wobble, x + wobble), at, radii, rng.uniform(0, 3)) - 1
        wide = np.float32(rng.uniform(0.01, 0.04))
        edge = np.exp(-np.square(r / wide)) - np.float32(0.8) * np.exp(-np.square(r / wide - 1.4))
        frame = frame * (1 + np.float32(rng.uniform(-0.12, 0.15)) * edge[..., None])
    return frame


def sticker(rng: np.random.Generator, frame: Plane) -> Plane:
    """A coloured disc that reaches in from a side."""
    size = frame.shape[0]
    away = rng.uniform(-np.pi, np.pi)
    radius = rng.uniform(0.12, 0.4)
    reach = 0.5 / max(abs(np.cos(away)), abs(np.sin(away))) + radius * rng.uniform(0.2, 0.8)
    centre = (0.5 + reach * np.sin(away), 0.5 + reach * np.cos(away))
    d = ellipse(grid(size), centre, (radius, radius * rng.uniform(0.7, 1)))
    cover = step(1 - d, 0.03)[..., None]
    return lay(frame, cover, _pick(rng, STICKER) * (frame.mean(axis=2, keepdims=True) * 0.3 + 0.7))


def glare(rng: np.random.Generator, frame: Plane) -> Plane:
    """White light thrown back: glitter on the grain of the skin, or two blurred lamps at the sides."""
    size = frame.shape[0]
    if rng.random() < 0.75:
        part = np.clip(noise(rng, size, int(rng.integers(3, 7))), 0, 2)
        spark = np.clip(
            noise(rng, size, int(rng.integers(50, 120)), 80) - np.float32(rng.uniform(1.4, 2.2)),
            0,
            1,
        )
        frame = lay(frame, np.clip(part * spark * np.float32(1.2), 0, 0.9)[..., None], 0.97)
    if rng.random() < 0.35:
        y0, tall = rng.uniform(0.2, 0.8), rng.uniform(0.03, 0.12)
        for x0 in (rng.uniform(-0.03, 0.06), rng.uniform(0.94, 1.03)):
            d = ellipse(grid(size), (y0, x0), (tall, rng.uniform(0.03, 0.09)))
            d = d + np.float32(0.3) * noise(rng, size, 20)
            frame = lay(frame, step(1 - d, 0.9)[..., None], 0.98)
    return frame


def caption(rng: np.random.Generator, frame: Plane) -> Plane:
    """Letters of the apparatus burnt in near a corner."""
    size = frame.shape[0]
    text = str(rng.choice(["2021-03-14", "x20", "A 12", "DERM 3", "L", "ID 0417"]))
    at = (float(rng.choice([0.02, 0.75])), float(rng.choice([0.02, 0.93])))
    cover = letters(size, [(text, *at, rng.uniform(0.03, 0.055))])
    return lay(frame, cover[..., None], float(rng.choice([0.0, 1.0, 1.0])))


def field(rng: np.random.Generator, size: int) -> Plane:
    """Signed distance (shares of the side) to the inside of the field: whole picture, dark corners, a disc.

    The photograph is wider than high and is shown square, so its disc is mostly a standing ellipse.
    """
    aspect = float(rng.choice([1.0, 4 / 3, 4 / 3, 1.5]))
    style = rng.random()
    if style < 0.45:
        radius = 2.0
    elif style < 0.85:
        radius = rng.uniform(0.54, 0.75)
    else:
        radius = rng.uniform(0.42, 0.53)
    at = (rng.normal(0.5, 0.025), rng.normal(0.5, 0.025))
    high = radius * aspect if rng.random() < 0.8 else radius
    out: Plane = (1 - ellipse(grid(size), at, (high, radius))) * np.float32(radius)
    return out


def outside(rng: np.random.Generator, frame: Plane, edge: Plane) -> Plane:
    """Darken what lies outside the field, with a rim of glass now and then."""
    size = frame.shape[0]
    if edge.min() > 0:
        return frame
    if rng.random() < 0.4:
        at = np.float32(rng.uniform(0.0, 0.03))
        rim = np.exp(-np.square((edge - at) / np.float32(rng.uniform(0.003, 0.012))))
        frame = frame + np.float32(rng.uniform(-0.2, 0.25)) * rim[..., None]
    dark = np.array(rng.uniform(0.0, 0.12, 3) if rng.random() < 0.4 else (0.01, 0.01, 0.01), np.float32)
    cloth = dark * (1 + np.float32(0.5) * noise(rng, size, 60)[..., None])
    soft = float(rng.choice([0.006, 0.02, 0.08]))
    return lay(cloth, step(edge - np.float32(soft / 2), soft)[..., None], frame)


def light(rng: np.random.Generator, size: int) -> Plane:
    """Uneven light: brighter on one side, darker towards the corners, of slightly changing colour."""
    y, x = grid(size)
    u, v = x - np.float32(rng.uniform(0.35, 0.65)), y - np.float32(rng.uniform(0.35, 0.65))
    fall = 1 - np.float32(rng.exponential(0.35)) * (u * u + v * v)
    lean = rng.uniform(-np.pi, np.pi)
    slope = np.float32(abs(rng.normal(0, 0.13)))
    fall += slope * (u * np.float32(np.cos(lean)) + v * np.float32(np.sin(lean)))
    tint = np.array(rng.normal(0, 0.04, 3), np.float32)
    whole = np.clip(fall, 0.25, 1.4)[..., None] * (1 + tint * (u + v)[..., None])
    return np.asarray(whole, np.float32)
