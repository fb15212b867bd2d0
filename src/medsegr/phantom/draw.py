"""Drawing on float planes: coordinate grids, smooth noise, soft edges, outlines, strokes.

Units are pixels or shares of the side. Every plane is float32 ``h w`` with h = w = size; y grows downwards,
x to the picture's right; pixel centres are at (i + 0.5) / size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil
from PIL import ImageDraw, ImageFont
from scipy import ndimage

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Stroke = tuple[
    Sequence[tuple[float, float]], float, float
]  # points (x, y) as shares of the side, width px, value 0..1
ANGLES = np.linspace(-np.pi, np.pi, 257, dtype=np.float32)


@lru_cache(maxsize=8)
def grid(size: int) -> tuple[Plane, Plane]:
    """Coordinates (y, x) of the pixel centres as shares of the side, each ``h w``; read-only."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    y: Plane = np.repeat(axis[:, None], size, axis=1)
    x: Plane = np.repeat(axis[None, :], size, axis=0)
    y.setflags(write=False)
    x.setflags(write=False)
    return y, x


@lru_cache(maxsize=64)
def _basis(size: int, cells: int) -> Plane:
    """Cubic B-spline weights ``size cells+3``: smooth interpolation of a lattice by a matrix product."""
    t = (np.arange(size) + 0.5) / size * cells
    base = np.floor(t).astype(int)
    f = t - base
    weights = (
        np.stack([(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3], axis=1) / 6
    )
    out = np.zeros((size, cells + 3), np.float32)
    for k in range(4):
        out[np.arange(size), base + k] = weights[:, k]
    out.setflags(write=False)
    return out


def noise(rng: np.random.Generator, size: int, cells: int, cells_x: int | None = None) -> Plane:
    """Smooth noise of mean 0 and deviation about 1, with ``cells`` lattice cells along y (and x)."""
    rows, cols = _basis(size, cells), _basis(size, cells if cells_x is None else cells_x)
    lattice = rng.standard_normal((rows.shape[1], cols.shape[1]), dtype=np.float32)
    return np.asarray(rows @ lattice @ cols.T, np.float32) * np.float32(2.1)


def rough(rng: np.random.Generator, shape: tuple[int, ...], grain: int) -> Plane:
    """Noise for a window of ``shape``, with a lattice cell every ``grain`` pixels."""
    side = max(shape)
    return noise(rng, side, max(3, side // grain))[: shape[0], : shape[1]]


def lay(plane: Plane, cover: Plane, value: Plane | float) -> Plane:
    """``plane`` with ``value`` laid over it where ``cover`` (0..1) is high."""
    out: Plane = plane + cover * (np.asarray(value, np.float32) - plane)
    return out


def step(distance: Plane, soft: float) -> Plane:
    """0 outside, 1 inside, a ramp of width ``soft`` at distance 0 (same unit as ``distance``)."""
    out: Plane = np.clip(distance * np.float32(1 / max(soft, 1e-6)) + np.float32(0.5), 0, 1)
    return out


def ellipse(
    yx: tuple[Plane, Plane], centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0
) -> Plane:
    """Normalised radius: 0 at ``centre`` (y, x), 1 on the ellipse of ``radii`` (y, x) turned by ``angle``."""
    dy, dx = yx[0] - np.float32(centre[0]), yx[1] - np.float32(centre[1])
    c, s = np.cos(angle), np.sin(angle)
    u = dy * np.float32(c / radii[0]) - dx * np.float32(s / radii[0])
    dy *= np.float32(s / radii[1])
    dx *= np.float32(c / radii[1])
    dy += dx
    dy *= dy
    u *= u
    u += dy
    out: Plane = np.sqrt(u, out=u)
    return out


def bump(
    yx: tuple[Plane, Plane], centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0
) -> Plane:
    """1 - ``ellipse`` near the ellipse and -0.6 far from it; quicker where the ellipse is small."""
    size = yx[0].shape[0]
    reach = 1.65 * max(radii) + 0.03
    low = [min(size, max(0, int((c - reach) * size))) for c in centre]
    high = [max(0, int((c + reach) * size) + 1) for c in centre]
    window = (slice(low[0], high[0]), slice(low[1], high[1]))
    out = np.full((size, size), np.float32(-0.6))
    np.maximum(
        1 - ellipse((yx[0][window], yx[1][window]), centre, radii, angle), np.float32(-0.6), out=out[window]
    )
    return out


def blur(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur of a ``h w`` or ``h w c`` plane, sigma in pixels; below 0.2 the plane itself."""
    if sigma < 0.2:
        return plane
    sigmas = (sigma, sigma, 0.0) if plane.ndim == 3 else (sigma, sigma)
    out: Plane = ndimage.gaussian_filter(plane, sigmas, truncate=2.5, mode="nearest")
    return out


def strokes(size: int, lines: Sequence[Stroke], sigma: float = 0.0) -> Plane:
    """Polylines drawn one over the other on black, values 0 to 1, then blurred."""
    canvas = Pil.new("L", (size, size), 0)
    pen = ImageDraw.Draw(canvas)
    for points, width, value in lines:
        pixels = [(px * size, py * size) for px, py in points]
        joint = "curve" if width > 3 else None
        pen.line(pixels, fill=int(255 * min(max(value, 0), 1)), width=max(1, round(width)), joint=joint)
    return blur(np.asarray(canvas, np.float32) / np.float32(255), sigma)


def letters(size: int, items: Sequence[tuple[str, float, float, float]]) -> Plane:
    """Words written at (x, y) shares of the side, ``(text, x, y, height share)``, 0 to 1."""
    canvas = Pil.new("L", (size, size), 0)
    pen = ImageDraw.Draw(canvas)
    for text, x, y, height in items:
        pen.text((x * size, y * size), text, fill=255, font=_font(max(6, round(height * size))))
    return np.asarray(canvas, np.float32) / np.float32(255)


@lru_cache(maxsize=32)
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(height)


def curve(
    rng: np.random.Generator, start: tuple[float, float], angle: float, length: float, bend: float = 0.5
) -> list[tuple[float, float]]:
    """A wandering polyline of 7 points (x, y) from ``start``; ``length`` as a share of the side."""
    points = [start]
    for turn in rng.normal(0, bend / 3, 6).tolist():
        angle += turn
        points.append(
            (points[-1][0] + math.cos(angle) * length / 6, points[-1][1] + math.sin(angle) * length / 6)
        )
    return points


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed outline: ``radius`` px at ``ANGLES``, ``soft`` px of edge, ``holes`` share of gaps."""

    radius: Plane
    soft: float
    holes: float = 0.0


@dataclass(frozen=True, slots=True)
class Blob:
    """An outline on the grid: a window, its coverage ``alpha`` and depth ``inner`` (0 edge, 1 centre)."""

    window: tuple[slice, slice]
    alpha: Plane
    inner: Plane
    mask: Mask  # "h w" of the whole grid

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(self.mask[self.window].sum())


def widened(window: tuple[slice, slice], pad: int, size: int) -> tuple[slice, slice]:
    """A window with ``pad`` pixels more on each side, as far as the grid goes."""
    rows, cols = (slice(max(0, w.start - pad), min(size, w.stop + pad)) for w in window)
    return rows, cols


def spread(plane: Plane, window: tuple[slice, slice], wide: tuple[slice, slice]) -> Plane:
    """A plane of one window in a wider one, 0 around it."""
    around = [(w.start - v.start, v.stop - w.stop) for w, v in zip(window, wide, strict=True)]
    return np.pad(plane, around)


def _polygon(corners: int, turned: Plane) -> Plane:
    wedge = 2 * np.pi / corners
    out: Plane = (np.cos(np.pi / corners) / np.cos(np.mod(turned, wedge) - np.pi / corners)).astype(
        np.float32
    )
    return out


def outline(rng: np.random.Generator, form: str, margin: str, area: float) -> Outline:
    """A random outline of one of the vocabulary's forms and margins that encloses about ``area`` px."""
    turned = ANGLES + np.float32(rng.uniform(-np.pi, np.pi))
    ratio = {
        "round": rng.uniform(0.92, 1),
        "oval": rng.uniform(0.5, 0.68),
        "linear": rng.uniform(0.13, 0.2),
    }.get(form, rng.uniform(0.75, 1))
    r = 1 / np.sqrt((np.cos(turned) / 1) ** 2 + (np.sin(turned) / ratio) ** 2)
    warped = (
        ANGLES
        + np.float32(rng.uniform(-np.pi, np.pi))
        + rng.uniform(0.1, 0.35) * np.sin(ANGLES + rng.uniform(-np.pi, np.pi))
    )
    if form == "triangular":
        r = np.minimum(_polygon(3, turned), 0.85)
    elif form == "rectangular":
        r = np.minimum(_polygon(4, turned), 0.95)
    elif form == "lobulated":
        lobes = rng.integers(3, 6)
        depth = rng.uniform(0.26, 0.42)
        r = r * (1 - depth * (1 - np.sqrt(np.abs(np.cos(lobes * warped / 2)))))
    elif form == "irregular":
        for k in range(2, 8):
            r = r * (1 + rng.normal(0, 0.30 / k**0.7) * np.cos(k * ANGLES + rng.uniform(-np.pi, np.pi)))
        r = np.clip(r, 0.35, 2.0)
    wobble = 0.035 if form in {"round", "oval", "linear", "triangular", "rectangular"} else 0.06
    for k in range(2, 6):
        r = r * (1 + rng.normal(0, wobble / k) * np.cos(k * ANGLES + rng.uniform(-np.pi, np.pi)))
    if margin == "spiculated":
        k = int(rng.integers(9, 17))
        ends = np.linspace(-np.pi, np.pi, k + 1)
        length = np.interp(ANGLES, ends, np.resize(rng.uniform(0.1, 1.0, k), k + 1))
        r = r * (0.8 + rng.uniform(0.4, 0.75) * length * np.abs(np.cos(k * warped / 2)) ** 5)
    holes = float(rng.uniform(0.42, 0.55)) if form == "patchy" else 0.0
    share = 0.5 * np.mean(np.square(r)) * 2 * np.pi * (1 - holes)
    scale = np.sqrt(area / share)
    mean = float(np.sqrt(np.pi * np.mean(np.square(r)) / np.pi) * scale)
    soft = {"ill-defined": mean * rng.uniform(0.55, 0.85), "spiculated": 1.6}.get(margin, 1.3)
    return Outline((r * scale).astype(np.float32), float(soft), holes)


def place(rng: np.random.Generator, line: Outline, centre: tuple[float, float], size: int) -> Blob | None:
    """Put an outline at ``centre`` (y, x in pixels); None where nothing of it lies on the grid."""
    reach = float(line.radius.max()) + line.soft
    y0, x0 = (max(0, int(c - reach)) for c in centre)
    y1, x1 = (min(size, int(c + reach) + 2) for c in centre)
    if y1 - y0 < 3 or x1 - x0 < 3:
        return None
    dy = (np.arange(y0, y1, dtype=np.float32) + 0.5 - np.float32(centre[0]))[:, None]
    dx = (np.arange(x0, x1, dtype=np.float32) + 0.5 - np.float32(centre[1]))[None, :]
    d = np.hypot(dy, dx)
    edge = np.interp(np.arctan2(dy, dx), ANGLES, line.radius).astype(np.float32)
    alpha = step(edge - d, line.soft)
    if line.holes:
        bumps = rough(rng, alpha.shape, max(alpha.shape) // 4)
        inside = bumps[alpha > 0.5]
        if inside.size:
            alpha = alpha * step(bumps - np.float32(np.quantile(inside, line.holes)), 0.5)
    inner = np.clip(1 - d / np.maximum(edge, 1e-3), 0, 1)
    mask = np.zeros((size, size), bool)
    mask[y0:y1, x0:x1] = alpha > 0.5
    return Blob((slice(y0, y1), slice(x0, x1)), alpha, inner, mask)


def wavy(rng: np.random.Generator, size: int, amount: float, cells: int = 4) -> tuple[Plane, Plane]:
    """Coordinates (y, x) with a smooth random displacement of about ``amount`` of the side."""
    y, x = grid(size)
    return y + np.float32(amount) * noise(rng, size, cells), x + np.float32(amount) * noise(rng, size, cells)
