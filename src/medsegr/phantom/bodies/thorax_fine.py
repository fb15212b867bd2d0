"""Fine structures of a chest slice: vessels and bronchi of the lungs, strands about a tumour, the table."""

from collections.abc import Sequence

import numpy as np
from PIL import Image as Pil
from PIL import ImageDraw
from scipy import ndimage

from medsegr.phantom.draw import Blob, Mask, Plane, Stroke, blur, curve, strokes
from medsegr.phantom.scene import Spot

Disc = tuple[float, float, float, float, float]  # centre x, y and radii x, y (shares of the side), value


def fine(size: int, lines: Sequence[Stroke], discs: Sequence[Disc] = ()) -> Plane:
    """Lines and then discs on black at twice the resolution, so that what is thin is faint."""
    canvas = Pil.new("L", (2 * size, 2 * size), 0)
    pen = ImageDraw.Draw(canvas)
    for points, width, value in lines:
        at = [(2 * size * x, 2 * size * y) for x, y in points]
        pen.line(at, fill=int(255 * value), width=max(1, round(2 * width)))
    for x, y, rx, ry, value in discs:
        box = tuple(2 * size * v for v in (x - rx, y - ry, x + rx, y + ry))
        pen.ellipse((box[0], box[1], box[2], box[3]), fill=int(255 * value))
    wide = np.asarray(canvas, np.float32).reshape(size, 2, size, 2)
    out: Plane = (wide.mean(axis=(1, 3)) * np.float32(1 / 255)).astype(np.float32)
    return out


def inside(mask: Mask, depth: float) -> Mask:
    """What lies more than about ``depth`` pixels from the edge of a mask."""
    out: Mask = ndimage.uniform_filter(mask.astype(np.float32), 2 * max(1, int(depth)) + 1) > 0.98
    return out


def _branch(
    rng: np.random.Generator, start: tuple[float, float], angle: float, length: float, width: float
) -> list[Stroke]:
    """A vessel that thins out, with its side branches."""
    points = curve(rng, start, angle, length, 0.5)
    value = float(rng.uniform(0.7, 1.0))
    out: list[Stroke] = [
        (points[i : i + 3], width * taper, value * fade)
        for i, taper, fade in ((0, 1.0, 1.0), (2, 0.75, 0.9), (4, 0.5, 0.75))
    ]
    if width > 1.2 and length > 0.03:
        for sign in (-1, 1):
            begin = points[int(rng.integers(1, 6))]
            turn = angle + sign * rng.uniform(0.3, 0.9)
            out += _branch(rng, begin, turn, length * rng.uniform(0.4, 0.75), width * rng.uniform(0.45, 0.7))
    return out


def vessels(
    rng: np.random.Generator,
    size: int,
    mid: tuple[float, float],
    cage: tuple[float, float],
    level: float,
) -> Plane:
    """Share of vessel 0 to 1: trees out of the hila, and round or oblique cuts that get smaller outwards."""
    lines: list[Stroke] = []
    discs: list[Disc] = []
    bold = float(rng.uniform(0.6, 1.3)) * cage[1] / 0.38
    central = float(np.interp(level, [0, 0.35, 0.5, 0.7, 1], [0.2, 0.6, 1, 0.8, 0.3]))
    for sign in (-1, 1):
        hilum = (mid[1] + sign * 0.3 * cage[1], mid[0] + 0.08 * cage[0])
        for _ in range(int(rng.integers(3, 12) * central) + 1):
            angle = rng.uniform(-1.7, 1.7) + (0 if sign > 0 else np.pi)
            width = rng.uniform(0.004, 0.013) * size * bold * (0.5 + 0.5 * central)
            lines += _branch(rng, hilum, angle, rng.uniform(0.08, 0.75) * cage[1], width)
        count = int(rng.integers(30, 130))
        spread = rng.random((count, 6))
        for a, b, c, d, e, f in spread.tolist():
            far = a**0.7
            turn = (b - 0.5) * 3.6
            x = hilum[0] + sign * far * 0.75 * cage[1] * np.cos(turn)
            y = hilum[1] + far * 1.05 * cage[0] * np.sin(turn)
            radius = (0.0012 + 0.0085 * c**3 * (1.15 - far)) * bold
            if d < 0.35:
                way = turn + (e - 0.5)
                run = radius * (4 + 12 * e)
                end = (x + sign * run * np.cos(way), y + run * np.sin(way))
                lines.append(([(x, y), end], max(0.5, 0.9 * radius * size), 0.35 + 0.5 * f))
            else:
                discs.append((x, y, radius * (0.8 + 0.5 * e), radius * (0.8 + 0.5 * d), 0.5 + 0.5 * f))
                if c > 0.75 and f > 0.5:
                    side, up = 2.2 * radius * np.cos(9 * e), 2.2 * radius * np.sin(9 * e)
                    discs += [
                        (x + side, y + up, r * radius, r * radius, v) for r, v in ((1.2, 0.7), (0.7, 0.0))
                    ]
    lines += _sheets(rng, size, mid, cage)
    return fine(size, lines, discs)


def _sheets(
    rng: np.random.Generator, size: int, mid: tuple[float, float], cage: tuple[float, float]
) -> list[Stroke]:
    """Fissures, faint and long; bands of collapsed lung, short and denser."""
    out: list[Stroke] = []
    for sign in (-1, 1):
        if rng.random() < 0.5:
            start = (mid[1] + sign * 0.2 * cage[1], mid[0] + rng.uniform(-0.1, 0.5) * cage[0])
            angle = rng.uniform(-0.8, 0.3) if sign > 0 else np.pi + rng.uniform(-0.3, 0.8)
            line = curve(rng, start, angle, 0.9 * cage[1], 0.3)
            out.append((line, 0.003 * size, float(rng.uniform(0.06, 0.25))))
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.25 else 0):
        start = (mid[1] + rng.uniform(-0.9, 0.9) * cage[1], mid[0] + rng.uniform(0, 0.8) * cage[0])
        band = curve(rng, start, rng.uniform(0, 6.3), rng.uniform(0.05, 0.2), 0.3)
        out.append((band, rng.uniform(0.004, 0.01) * size, float(rng.uniform(0.3, 0.8))))
    return out


def faded(blob: Blob) -> Plane:
    """Cover of a spiculated lesion: solid in its core, thinner out in the spicules."""
    radius = float(np.sqrt(blob.area / np.pi))
    wide = np.pad(blob.alpha, max(2, int(radius)))
    core = blur(wide, 0.25 * radius)
    edge = max(2, int(radius))
    fade = np.clip((core[edge:-edge, edge:-edge] - np.float32(0.3)) * np.float32(2.5), 0.4, 1)
    out: Plane = blob.alpha * fade
    return out


def strands(rng: np.random.Generator, size: int, spot: Spot) -> Plane | None:
    """Thin lines from a lesion into the lung: many where it is spiculated, else a vessel now and then."""
    spiky = spot.look.margin == "spiculated"
    if not spiky and rng.random() > 0.35:
        return None
    ys, xs = np.nonzero(spot.blob.mask[spot.blob.window])
    centre = (xs.mean() + spot.blob.window[1].start, ys.mean() + spot.blob.window[0].start)
    radius = float(np.sqrt(spot.blob.area / np.pi))
    start = ((centre[0] + 0.5) / size, (centre[1] + 0.5) / size)
    lines: list[Stroke] = []
    for _ in range(int(rng.integers(5, 13)) if spiky else int(rng.integers(1, 3))):
        length = radius * rng.uniform(1.3, 2.4 if spiky else 3.5) / size
        line = curve(rng, start, rng.uniform(0, 2 * np.pi), length, 0.25)
        width = 0.004 * size * rng.uniform(0.4, 1.1)
        lines += [(line[:5], width, float(rng.uniform(0.35, 0.8))), (line[4:], 0.5 * width, 0.3)]
    return fine(size, lines) * spot.place.body


def table(rng: np.random.Generator, size: int, low: float) -> Plane:
    """The table under the body (``low`` is the body's lowest point): one or two arcs, and loose cables."""
    lines: list[Stroke] = []
    gap, sag = rng.uniform(-0.02, 0.06), rng.uniform(0.0, 0.09)
    half, thin = rng.uniform(0.25, 0.5), rng.uniform(0.002, 0.006) * size
    run = np.linspace(-1, 1, 13)
    for k in range(int(rng.integers(0, 3))):
        at = low + gap + k * rng.uniform(0.03, 0.09)
        arc = [(0.5 + half * (1 - 0.3 * k) * u, at + sag * (1 - k) * (1 - u * u)) for u in run]
        lines.append((arc, thin, float(rng.uniform(0.4, 1))))
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.3 else 0):
        cable = curve(rng, (rng.uniform(0.2, 0.8), rng.uniform(0, 0.3)), rng.uniform(0, 6), 0.2, 2.0)
        lines.append((cable, 0.003 * size, float(rng.uniform(0.2, 0.6))))
    return strokes(size, lines, 0.5)
