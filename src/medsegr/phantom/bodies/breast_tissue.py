"""What a breast is made of, as a mammogram shows it: dense tissue, strands, vessels, skin, nodes, folds."""

import numpy as np
from scipy import ndimage

from medsegr.phantom.bodies.breast import Breast
from medsegr.phantom.draw import Plane, Stroke, bump, curve, ellipse, grid, noise, step, strokes


def _ridges(plane: Plane, power: float) -> Plane:
    """Thin bright lines where smooth noise crosses zero."""
    out: Plane = np.clip(1 - np.abs(plane), 0, 1) ** np.float32(power)
    return out


def _polar(b: Breast) -> tuple[Plane, Plane]:
    """Angle and distance as seen from the nipple, 0 to 1."""
    dv, du = b.v - np.float32(b.nipple[0]), np.float32(b.nipple[1] + 0.02) - b.u
    angle = np.arctan2(dv, du) * np.float32(0.5 / np.pi) + np.float32(0.5)
    far = np.sqrt(np.hypot(dv, du) * np.float32(1 / 1.2))
    return angle, np.clip(far, 0, 1)


def _converging(rng: np.random.Generator, polar: tuple[Plane, Plane], around: int, along: int) -> Plane:
    """Smooth noise in polar coordinates, so that its ridges run towards the nipple."""
    side = 192
    sheet = noise(rng, side, around, along)
    at = np.stack([polar[0], polar[1]]) * np.float32(side - 1)
    out: Plane = ndimage.map_coordinates(sheet, at, order=1, mode="nearest")
    return out


def _web(rng: np.random.Generator, b: Breast) -> Plane:
    """Strands of every thickness, 0 to about 1: some run to the nipple, some lie as a net; clouds between."""
    polar = _polar(b)
    sheets = (
        _converging(rng, polar, int(rng.integers(30, 70)), int(rng.integers(4, 10))),
        _converging(rng, polar, int(rng.integers(70, 130)), int(rng.integers(9, 20))),
        noise(rng, b.size, int(rng.integers(9, 16))),
        noise(rng, b.size, int(rng.integers(17, 30))),
        noise(rng, b.size, int(rng.integers(32, 70))),
    )
    parts = rng.dirichlet((1.6, 2.4, 0.3, 1.4, 3.2)).astype(np.float32) * np.float32(rng.uniform(1.0, 2.4))
    out = np.zeros((b.size, b.size), np.float32)
    grit = noise(rng, b.size, int(rng.integers(40, 80)))
    for i, sheet in enumerate(sheets):  # each kind of strand comes and goes, so that none goes on for ever
        there = np.clip(np.float32(0.45) + np.float32(0.45) * noise(rng, b.size, 5 + 3 * i), 0, 1.3)
        torn = sheet * np.float32(rng.uniform(0.5, 1.1)) + np.float32(rng.uniform(0, 0.35)) * grit
        out += parts[i] * there * _ridges(torn, rng.uniform(1.5, 5))
    for cells in (6, 12, 24, 48, 96):
        out += np.float32(rng.uniform(0.1, 0.7) / np.sqrt(cells)) * noise(rng, b.size, cells)
    return out / (1 + np.float32(0.35) * np.clip(out, 0, 4))


def _dense(rng: np.random.Generator, b: Breast, web: Plane) -> Plane:
    """Share of dense tissue, 0 to 1: a cone behind the nipple, broken up by fat."""
    amount = rng.uniform(-0.9, 0.9)
    centre = (b.nipple[0] + rng.normal(0, 0.06), b.reach * rng.uniform(0.45, 0.8))
    spread = (rng.uniform(0.18, 0.42), b.reach * rng.uniform(0.35, 0.75))
    cone = 1 - ellipse((b.v, b.u), centre, spread, rng.normal(0, 0.25))
    lumps = (
        np.float32(0.55) * noise(rng, b.size, int(rng.integers(3, 6)))
        + np.float32(0.35) * noise(rng, b.size, int(rng.integers(8, 13)))
        + np.float32(0.5) * (web - np.float32(0.4))
    )
    shell = step(b.under - np.float32(rng.uniform(0.015, 0.06)) - np.float32(0.008) * lumps, 0.03)
    out: Plane = shell * step(np.float32(1.3) * cone + lumps + np.float32(amount), rng.uniform(0.7, 2.2))
    return out


def _lines(rng: np.random.Generator, b: Breast, count: int, width: tuple[float, float]) -> list[Stroke]:
    """Vessels and ligaments: wandering lines from the wall, the armpit or anywhere towards the nipple."""
    out: list[Stroke] = []
    for _ in range(count):
        y, x = rng.random(), rng.random()
        angle = np.arctan2(b.tip[0] - y, b.tip[1] - x) + rng.normal(0, 0.6)
        out.append(
            (
                curve(rng, (x, y), float(angle), rng.uniform(0.08, 0.5), 0.9),
                rng.uniform(*width) * b.size / 256,
                rng.uniform(0.3, 1),
            )
        )
    return out


def plain(rng: np.random.Generator, b: Breast) -> Plane:
    """Attenuation without findings: fat, dense tissue, strands, muscle; about 0.1 to 0.8."""
    web = _web(rng, b)
    dense = _dense(rng, b, web)
    fat = rng.uniform(0.12, 0.32)
    gain, net = rng.uniform(0.12, 0.42), rng.uniform(0.05, 0.35)
    plane = np.float32(fat) * (1 + np.float32(0.08) * noise(rng, b.size, 5))
    plane = plane + dense * np.float32(gain) * (np.float32(0.6) + np.float32(rng.uniform(0.2, 0.9)) * web)
    plane = plane + np.float32(net) * web * (np.float32(rng.uniform(0.15, 0.6)) + dense * np.float32(0.5))
    over = b.muscle * np.float32(rng.uniform(0.6, 1.0))
    fibres = noise(rng, b.size, int(rng.integers(5, 20)), int(rng.integers(3, 8)))
    muscle = np.float32(fat + rng.uniform(0.08, 0.38)) + np.float32(0.02) * fibres
    muscle = muscle - np.float32(rng.uniform(0, 0.2)) * b.v - np.float32(rng.uniform(0, 0.25)) * b.u
    plane = plane + over * (np.maximum(muscle, plane * np.float32(0.9)) - plane)
    lines = strokes(b.size, _lines(rng, b, int(rng.integers(3, 16)), (0.7, 2.4)), 0.5 * b.size / 256)
    plane = plane + lines * np.float32(rng.uniform(0.03, 0.16))
    fibres = strokes(b.size, _lines(rng, b, int(rng.integers(20, 160)), (0.5, 1.3)), 0.5 * b.size / 256)
    out: Plane = plane + fibres * np.float32(rng.uniform(0.01, 0.12)) * (np.float32(0.35) + dense)
    return out


def subtracted(rng: np.random.Generator, b: Breast) -> Plane:
    """A contrast-enhanced picture without findings: flat, an inner zone, patches, ripples, vessels."""
    size = b.size
    plane = np.float32(rng.uniform(0.14, 0.34)) + np.float32(rng.uniform(0.0, 0.03)) * noise(rng, size, 4)
    if rng.random() < 0.6:
        below = b.under - np.float32(rng.uniform(0.03, 0.12)) - np.float32(0.006) * noise(rng, size, 6)
        zone = step(below, rng.uniform(0.008, 0.05)) * np.exp(
            -np.clip(below, 0, 1) / np.float32(rng.uniform(0.04, 0.5))
        )
        plane = plane + zone * np.float32(rng.uniform(0.02, 0.3))
    web = _web(rng, b)
    plane = plane + np.float32(rng.choice([0.01, 0.03, 0.07, 0.14], p=[0.4, 0.3, 0.2, 0.1])) * (
        web - np.float32(0.5)
    )
    if rng.random() < 0.6:
        plane = plane + _dense(rng, b, web) * np.float32(rng.uniform(0.02, 0.16)) * (np.float32(0.5) + web)
    if rng.random() < 0.3:
        holes = np.clip(noise(rng, size, int(rng.integers(5, 12))) - np.float32(1.4), 0, 0.6)
        plane = plane - holes * np.float32(rng.uniform(0.1, 0.3))
    if rng.random() < 0.5:
        wave = (
            b.v * np.float32(rng.uniform(20, 60))
            + b.u * np.float32(rng.uniform(-12, 12))
            + noise(rng, size, 5)
        )
        where = np.clip(np.float32(0.5) + noise(rng, size, 3), 0, 1)
        plane = plane + np.float32(rng.uniform(0.003, 0.018)) * where * np.sin(wave * np.float32(2 * np.pi))
    if rng.random() < 0.5:  # a grain that runs one way
        grain = noise(rng, size, int(rng.integers(30, 110)), int(rng.integers(10, 60)))
        plane = plane + np.float32(rng.uniform(0.003, 0.02)) * grain
    plane = plane + b.muscle * np.float32(rng.uniform(-0.03, 0.08))
    lines = strokes(size, _lines(rng, b, int(rng.integers(2, 12)), (0.6, 1.6)), 0.4 * size / 256)
    out: Plane = plane + lines * np.float32(rng.uniform(0.0, 0.25))
    return out


def skin(rng: np.random.Generator, b: Breast, enhanced: bool) -> Plane:
    """The skin line and the nipple, brighter than what is below them; uneven along the outline."""
    thick = rng.uniform(0.004, 0.014) * (2.2 if rng.random() < 0.1 else 1)
    line = step(np.float32(thick) - b.under, 0.006) * np.clip(
        np.float32(0.6) + np.float32(rng.uniform(0.1, 0.7)) * noise(rng, b.size, 4), 0, 1.5
    )
    skin = line * np.float32(rng.uniform(0, 0.5 if enhanced else 0.25))
    deep = rng.uniform(-0.01, 0.012) if rng.random() < 0.75 else rng.uniform(0.012, 0.06)
    side = 1 if b.mirrored else -1
    centre = (b.tip[0] + rng.normal(0, 0.004), b.tip[1] + side * deep)
    radius = rng.uniform(0.009, 0.02)
    ball = step(bump(grid(b.size), centre, (radius * rng.uniform(0.8, 1.3), radius)), 0.5)
    nipple = ball * np.float32(
        rng.uniform(0, 0.7) if enhanced or rng.random() < 0.3 else rng.uniform(0, 0.25)
    )
    if rng.random() < (0.5 if enhanced else 0.15):
        dark = np.clip(bump(grid(b.size), centre, (radius * 2.6, radius * 1.3)), 0, 1)
        nipple = nipple - dark * (1 - ball) * np.float32(rng.uniform(0.05, 0.35))
    out: Plane = skin + nipple
    return out


def crumbs(rng: np.random.Generator, b: Breast) -> Plane:
    """Benign calcifications: single grains, coarse ones, rings, dotted vessels."""
    lines: list[Stroke] = []
    size = b.size
    for _ in range(int(rng.integers(0, 9))):
        x, y = rng.random(2).tolist()
        r = rng.uniform(0.3, 1.0) / 256
        lines.append(([(x - r, y), (x + r, y)], rng.uniform(0.8, 2.2) * size / 256, rng.uniform(0.5, 1)))
    if rng.random() < 0.15:
        x, y = rng.random(2).tolist()
        r = rng.uniform(0.006, 0.02)
        ring = [(x + r * np.cos(a), y + r * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 17)]
        lines.append((ring, rng.uniform(0.8, 1.6) * size / 256, rng.uniform(0.4, 0.9)))
    if rng.random() < 0.15:
        line = curve(rng, (rng.random(), rng.random()), rng.uniform(-3, 3), rng.uniform(0.1, 0.3), 0.8)
        for px, py in np.repeat(line, 3, axis=0) + rng.normal(0, 0.006, (3 * len(line), 2)):
            lines.append(([(px, py), (px + 0.004, py)], size / 256, rng.uniform(0.3, 0.8)))
    return strokes(size, lines, 0.35 * size / 256)


def nodes(rng: np.random.Generator, b: Breast) -> Plane:
    """Lymph nodes with a notch of fat, towards the armpit."""
    out = np.zeros((b.size, b.size), np.float32)
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.4, 0.3, 0.2, 0.1])) if b.oblique else 0):
        v, u = rng.uniform(0.02, 0.4), rng.uniform(0.05, 0.7) * b.reach
        centre = (1 - v if b.turned else v, b.tip[1] + (1 if b.mirrored else -1) * (b.reach - u))
        long, short, angle = rng.uniform(0.012, 0.035), rng.uniform(0.009, 0.016), rng.uniform(0, np.pi)
        oval = step(bump(grid(b.size), centre, (long, short), angle), 0.35)
        hilum = (centre[0] + 0.4 * short * np.cos(angle), centre[1] + 0.6 * short)
        fat = step(bump(grid(b.size), hilum, (long * 0.5, short * 0.45), angle), 0.6)
        out = np.maximum(out, oval * (1 - np.float32(rng.uniform(0.5, 1.1)) * fat))
    return out


def folds(rng: np.random.Generator, b: Breast) -> Plane:
    """Skin folds and creases near the ends of the outline: bands, dark or bright."""
    out = np.zeros((b.size, b.size), np.float32)
    for _ in range(int(rng.choice([0, 1, 2, 4], p=[0.45, 0.25, 0.2, 0.1]))):
        y = abs((0.0 if rng.random() < 0.5 else 1.0) - rng.uniform(0, 0.25))
        x = b.tip[1] + (1 if b.mirrored else -1) * b.reach * rng.uniform(0.0, 1.0)
        line = curve(rng, (x, y), rng.uniform(-3.1, 3.1), rng.uniform(0.1, 0.35), 0.4)
        width = rng.uniform(1.5, 6) * b.size / 256
        sign = np.float32(rng.choice([-1, 1]) * rng.uniform(0.03, 0.16))
        out += sign * strokes(b.size, [(line, width, 1.0)], width * rng.uniform(0.4, 0.9))
    return out
