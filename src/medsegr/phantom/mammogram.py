"""A mammogram, plain or contrast-enhanced: fat, dense tissue, vessels, nodes, folds, and findings."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from medsegr.phantom import camera
from medsegr.phantom.breast import Breast, breast
from medsegr.phantom.concepts import ENHANCED, MAMMOGRAM
from medsegr.phantom.draw import (
    Plane,
    Stroke,
    blur,
    bump,
    curve,
    ellipse,
    grid,
    noise,
    rough,
    step,
    strokes,
)
from medsegr.phantom.places import nine
from medsegr.phantom.scene import Picture, Scene, Spot

COUNTS = (0.45, 0.3, 0.15, 0.07, 0.03)  # mostly one or two findings
FIELD_MM = 200.0
VIEWS = ("CC", "MLO", "ML", "LM", "XCCL")


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
    parts = rng.dirichlet((1.6, 2.2, 0.6, 1.8, 2.8)).astype(np.float32) * np.float32(2.4)
    out = np.zeros((b.size, b.size), np.float32)
    grit = noise(rng, b.size, int(rng.integers(40, 80)))
    for i, sheet in enumerate(sheets):  # each kind of strand comes and goes, so that none goes on for ever
        there = np.clip(np.float32(0.45) + np.float32(0.45) * noise(rng, b.size, 5 + 3 * i), 0, 1.3)
        torn = sheet * np.float32(rng.uniform(0.5, 1.1)) + np.float32(rng.uniform(0, 0.35)) * grit
        out += parts[i] * there * _ridges(torn, rng.uniform(1.5, 5))
    for cells in (6, 12, 24, 48, 96):
        out += np.float32(rng.uniform(0.0, 0.5) / np.sqrt(cells)) * noise(rng, b.size, cells)
    return out


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


def _skin(rng: np.random.Generator, b: Breast, enhanced: bool) -> Plane:
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


def _crumbs(rng: np.random.Generator, b: Breast) -> Plane:
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


def _nodes(rng: np.random.Generator, b: Breast) -> Plane:
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


def _folds(rng: np.random.Generator, b: Breast) -> Plane:
    """Skin folds and creases near the ends of the outline: bands, dark or bright."""
    out = np.zeros((b.size, b.size), np.float32)
    for _ in range(int(rng.choice([0, 1, 2, 4], p=[0.45, 0.25, 0.2, 0.1]))):
        y = abs((0.0 if rng.random() < 0.5 else 1.0) - rng.uniform(0, 0.25))
        x = b.tip[1] + (1 if b.mirrored else -1) * b.reach * rng.uniform(0.0, 1.0)
        line = curve(rng, (x, y), rng.uniform(-3.1, 3.1), rng.uniform(0.1, 0.35), 0.4)
        width = rng.uniform(1.5, 6) * b.size / 256
        sign = np.float32(rng.choice([-1, 1]) * rng.uniform(0.05, 0.25))
        out += sign * strokes(b.size, [(line, width, 1.0)], width * rng.uniform(0.3, 0.6))
    return out


def _plain(rng: np.random.Generator, b: Breast) -> Plane:
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
    out: Plane = plane + lines * np.float32(rng.uniform(0.03, 0.16))
    return out


def _subtracted(rng: np.random.Generator, b: Breast) -> Plane:
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
    plane = plane + b.muscle * np.float32(rng.uniform(-0.03, 0.08))
    lines = strokes(size, _lines(rng, b, int(rng.integers(2, 12)), (0.6, 1.6)), 0.4 * size / 256)
    out: Plane = plane + lines * np.float32(rng.uniform(0.0, 0.25))
    return out


def _spicules(rng: np.random.Generator, spot: Spot, size: int) -> list[Stroke]:
    """Lines that radiate from a spiculated finding into what is around it."""
    ys, xs = np.nonzero(spot.blob.mask)
    cy, cx, r = (ys.mean() + 0.5) / size, (xs.mean() + 0.5) / size, np.sqrt(len(ys) / np.pi) / size
    out: list[Stroke] = []
    for angle in rng.uniform(-np.pi, np.pi, int(rng.integers(10, 34))):
        start = (float(cx + 0.5 * r * np.cos(angle)), float(cy + 0.5 * r * np.sin(angle)))
        line = curve(
            rng,
            start,
            float(angle + rng.normal(0, 0.1)),
            r * min(float(rng.lognormal(-0.2, 0.45)), 2.2),
            0.35,
        )
        for part, value in ((line[:4], 0.9), (line[3:], 0.45)):
            out.append((part, rng.uniform(0.7, 1.6) * size / 256, value * rng.uniform(0.5, 1)))
    return out


def _grains(rng: np.random.Generator, spot: Spot, size: int) -> list[Stroke]:
    """A cluster of microcalcifications in a finding."""
    ys, xs = np.nonzero(spot.blob.mask)
    picks = rng.integers(len(ys), size=int(rng.integers(6, 40)))
    return [
        ([(xs[i] / size, ys[i] / size), ((xs[i] + 0.5) / size, ys[i] / size)], 1.0, rng.uniform(0.4, 1))
        for i in picks.tolist()
    ]


def _cover(rng: np.random.Generator, spot: Spot, size: int) -> tuple[tuple[slice, slice], Plane]:
    """A finding's coverage with an edge as soft and rough as tissue is, and the wider window it needs."""
    scale = size / 256
    soft = {"smooth": rng.uniform(0.4, 1.4), "spiculated": rng.uniform(1.4, 3.2)}.get(
        spot.look.margin, rng.uniform(1.0, 3.0)
    )
    pad = int(3 * soft * scale) + 2
    low = [max(0, w.start - pad) for w in spot.blob.window]
    high = [min(size, w.stop + pad) for w in spot.blob.window]
    rows, cols = ((w.start - a, b - w.stop) for w, a, b in zip(spot.blob.window, low, high, strict=True))
    cover = blur(np.pad(spot.blob.alpha, (rows, cols)), soft * scale)
    jag = rough(rng, cover.shape, max(2, round(rng.uniform(2, 6) * scale)))
    cover = cover + np.float32(rng.uniform(0, 0.5 if spot.look.margin == "smooth" else 1.2)) * jag * cover * (
        1 - cover
    )
    return (slice(low[0], high[0]), slice(low[1], high[1])), np.clip(cover, 0, 1)


def _add(rng: np.random.Generator, plane: Plane, spot: Spot, enhanced: bool) -> float:
    """Lay one finding into the tissue, in place; how much it added.

    It veils a part of the strands below it and keeps the rest, as tissue in front of and behind it does.
    """
    look, size = spot.look, plane.shape[0]
    window, cover = _cover(rng, spot, size)
    local = plane[window]
    inside = local[spot.blob.mask[window]]
    own, spread = float(inside.mean()), float(inside.std())
    if look.density == "iso":
        gain = rng.uniform(0.05, 0.1) + 0.5 * spread
    elif enhanced:
        gain = float(np.exp(rng.uniform(np.log(0.08), np.log(0.6)))) + 0.5 * spread
    else:
        gain = float(np.exp(rng.uniform(np.log(0.1), np.log(0.4)))) + 0.6 * spread
    lift = np.full_like(local, np.float32(gain))
    uneven = look.uniformity == "heterogeneous"
    bumps = rough(rng, cover.shape, max(3, int(rng.uniform(4, 12) * size / 256)))
    lift *= 1 + np.float32(rng.uniform(0.3, 0.5) if uneven else 0.06) * np.clip(bumps, -1.8, 1.8)
    deep = blur(cover, 0.25 * float(np.sqrt(spot.blob.area))) if look.form != "patchy" else cover
    if uneven and rng.random() < 0.3:
        lift *= np.float32(1.3) - np.float32(rng.uniform(0.4, 0.9)) * deep
    elif rng.random() < 0.6:
        lift *= np.float32(0.7) + np.float32(0.45) * deep
    local += cover * (lift - np.float32(rng.uniform(0.1, 0.8)) * (local - np.float32(own)))
    return gain


def _findings(rng: np.random.Generator, plane: Plane, spots: Sequence[Spot], enhanced: bool) -> None:
    """All findings, in place."""
    size = plane.shape[0]
    for spot in spots:
        gain = _add(rng, plane, spot, enhanced)
        if spot.look.margin == "spiculated":
            rays = strokes(size, _spicules(rng, spot, size), rng.uniform(0.3, 0.9) * size / 256)
            plane += rays * np.float32(gain * rng.uniform(0.4, 0.9))
        if not enhanced and rng.random() < (0.3 if spot.look.uniformity == "heterogeneous" else 0.08):
            plane += strokes(size, _grains(rng, spot, size), 0.35) * np.float32(rng.uniform(0.15, 0.5))


def _exposed(rng: np.random.Generator, plane: Plane, b: Breast, enhanced: bool) -> Plane:
    """What the apparatus makes of it: thinner edge, sharpening, window, gamma, noise."""
    size = b.size
    if rng.random() < 0.8:
        thin = np.exp(-b.under / np.float32(rng.uniform(0.008, 0.09)))
        plane = plane - np.float32(rng.uniform(-0.05, 0.12 if enhanced else 0.2)) * thin
    plane = plane * (1 + np.float32(rng.uniform(0, 0.08)) * noise(rng, size, 2))
    plane = blur(plane, float(rng.choice([0.0, 0.4, 0.7, 1.1])) * size / 256)
    if rng.random() < 0.4:
        plane = plane + np.float32(rng.uniform(0.2, 1.2)) * (
            plane - blur(plane, rng.uniform(2, 7) * size / 256)
        )
    fine = rng.standard_normal((size, size), dtype=np.float32)
    if rng.random() < 0.5:
        soft = rng.uniform(0.5, 1.2)
        fine = blur(fine, soft) * np.float32(2.6 * soft + 0.4)
    strong = rng.uniform(0.002, 0.025)
    plane = plane + np.float32(strong) * fine
    low, high = np.percentile(plane[::3, ::3][b.inside[::3, ::3]], [1, 99.7])
    floor = rng.uniform(0.0, 0.22)
    top = rng.uniform(0.75, 1.25)
    if enhanced or rng.random() < 0.3:  # a fixed window: what is there decides how bright the picture gets
        low, high = 0.0, max(float(high) * rng.uniform(0.75, 1.4), rng.uniform(0.4, 1.0))
        floor = 0.0
    plane = (plane - np.float32(low)) * np.float32((top - floor) / max(high - low, 0.05)) + np.float32(floor)
    gamma = np.exp(rng.normal(0, 0.25))
    out: Plane = np.clip(plane, 0, 1) ** np.float32(gamma)
    return out


def _words(rng: np.random.Generator, b: Breast) -> list[tuple[str, float, float, float]]:
    """View markers beside the breast, away from the wall."""
    if rng.random() < 0.55:
        return []
    tall = rng.uniform(0.025, 0.05)
    text = f"{rng.choice(['L', 'R'])}{rng.choice([' ', '-', ''])}{rng.choice(VIEWS)}"
    y = float(rng.uniform(0.02, 0.12) if rng.random() < 0.7 else rng.uniform(0.85, 0.93))
    row = b.inside[int(y * b.size) : int((y + tall) * b.size) + 2]
    taken = np.flatnonzero(row.any(axis=0)) / b.size
    wide = 0.62 * tall * len(text)
    low, high = (0.01, (taken.min() if taken.size else 1) - wide - 0.02)
    if not b.mirrored:
        low, high = (taken.max() if taken.size else 0) + 0.03, 0.98 - wide
    return [(text, float(rng.uniform(low, high)), y, float(tall))] if high > low else []


def _framed(rng: np.random.Generator, plane: Plane, b: Breast) -> Plane:
    """The breast against its ground: black, at times the grey of a film, with markers and a label."""
    size = b.size
    edge = blur(b.inside.astype(np.float32), rng.uniform(0.3, 0.8) * size / 256)
    ground = np.zeros((size, size), np.float32)
    if rng.random() < 0.25:
        ground += np.float32(rng.uniform(0, 0.12))
        ground += np.float32(rng.uniform(0, 0.02)) * rng.standard_normal((size, size), dtype=np.float32)
        ground += np.float32(rng.uniform(0, 0.05)) * blur(edge, 0.03 * size)
    out = ground + edge * (plane - ground)
    words = _words(rng, b)
    if words and rng.random() < 0.15:  # a film's label: dark letters on a bright box
        text, x, y, tall = words[0]
        box = step(0.6 * tall - np.abs(b.v * 0 + grid(size)[0] - np.float32(y + 0.55 * tall)), 0.004) * step(
            np.float32(0.34 * tall * len(text))
            - np.abs(grid(size)[1] - np.float32(x + 0.3 * tall * len(text))),
            0.004,
        )
        out = np.maximum(out, box * np.float32(rng.uniform(0.5, 0.9)))
    return camera.marked(rng, out, words)


def scene(rng: np.random.Generator, size: int) -> Scene:
    """A random mammogram, and the function that draws it with its lesions."""
    enhanced = bool(rng.random() < 0.5)
    b = breast(rng, size)

    def render(rng: np.random.Generator, spots: Sequence[Spot]) -> Picture:
        plane = (_subtracted if enhanced else _plain)(rng, b)
        plane = plane + _nodes(rng, b) * np.float32(rng.uniform(0.04, 0.2))
        _findings(rng, plane, spots, enhanced)
        plane = plane + _skin(rng, b, enhanced) + _folds(rng, b)
        if not enhanced or rng.random() < 0.2:
            plane = plane + _crumbs(rng, b) * np.float32(rng.uniform(0.1, 0.6))
        return camera.to_uint8(_framed(rng, _exposed(rng, plane, b, enhanced), b))

    room = b.inside & (b.under > 0.014)
    if rng.random() < 0.75:
        room &= b.muscle < 0.5
    return Scene(
        size,
        FIELD_MM / size,
        nine(size, room),
        render,
        concepts=ENHANCED if enhanced else MAMMOGRAM,
        counts=COUNTS,
    )
