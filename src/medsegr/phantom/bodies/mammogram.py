"""A mammogram, plain or contrast-enhanced: a breast with findings, exposed, framed and labelled."""

from collections.abc import Sequence

import numpy as np

from medsegr.phantom import camera
from medsegr.phantom.bodies.breast import Breast, breast
from medsegr.phantom.bodies.breast_tissue import crumbs, folds, nodes, plain, skin, subtracted
from medsegr.phantom.concepts import ENHANCED, MAMMOGRAM
from medsegr.phantom.draw import (
    Plane,
    Stroke,
    blur,
    curve,
    grid,
    noise,
    rough,
    spread,
    step,
    strokes,
    widened,
)
from medsegr.phantom.places import nine
from medsegr.phantom.scene import Picture, Scene, Spot

COUNTS = (0.45, 0.3, 0.15, 0.07, 0.03)  # mostly one or two findings
FIELD_MM = 200.0
VIEWS = ("CC", "MLO", "ML", "LM", "XCCL")


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
    window = widened(spot.blob.window, int(3 * soft * scale) + 2, size)
    cover = blur(spread(spot.blob.alpha, spot.blob.window, window), soft * scale)
    jag = rough(rng, cover.shape, max(2, round(rng.uniform(2, 6) * scale)))
    cover = cover + np.float32(rng.uniform(0, 0.5 if spot.look.margin == "smooth" else 1.2)) * jag * cover * (
        1 - cover
    )
    return window, np.clip(cover, 0, 1)


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
        gain = float(np.exp(rng.uniform(np.log(0.06), np.log(0.5)))) + 0.5 * spread
    else:
        gain = float(np.exp(rng.uniform(np.log(0.08), np.log(0.35)))) + 0.5 * spread
    lift = np.full_like(local, np.float32(gain))
    uneven = look.uniformity == "heterogeneous"
    bumps = np.float32(0.75) * rough(rng, cover.shape, max(3, int(rng.uniform(5, 14) * size / 256)))
    bumps = bumps + np.float32(rng.uniform(0.05, 0.4)) * rough(
        rng, cover.shape, max(2, round(2.5 * size / 256))
    )
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
    plane = blur(plane, float(rng.choice([0.0, 0.0, 0.4, 0.6, 1.0])) * size / 256)
    if rng.random() < 0.4:
        plane = plane + np.float32(rng.uniform(0.2, 1.2)) * (
            plane - blur(plane, rng.uniform(2, 7) * size / 256)
        )
    fine = rng.standard_normal((size, size), dtype=np.float32)
    if rng.random() < 0.5:
        soft = rng.uniform(0.5, 1.2)
        fine = blur(fine, soft) * np.float32(2.6 * soft + 0.4)
    strong = rng.uniform(0.003, 0.028)
    plane = plane + np.float32(strong) * fine
    low, high = np.percentile(plane[::3, ::3][b.inside[::3, ::3]], [1, 99.7])
    floor = rng.uniform(0.0, 0.22)
    top = rng.uniform(0.75, 1.25)
    if enhanced or rng.random() < 0.3:  # a fixed window: what is there decides how bright the picture gets
        low, high = 0.0, max(float(high) * rng.uniform(0.75, 1.4), rng.uniform(0.4, 1.0))
        floor = 0.0
    plane = (plane - np.float32(low)) * np.float32((top - floor) / max(high - low, 0.05)) + np.float32(floor)
    gamma = np.exp(rng.normal(0.2, 0.28))
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
        box = step(0.6 * tall - np.abs(grid(size)[0] - np.float32(y + 0.55 * tall)), 0.004) * step(
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
        plane = (subtracted if enhanced else plain)(rng, b)
        plane = plane + nodes(rng, b) * np.float32(rng.uniform(0.04, 0.2))
        _findings(rng, plane, spots, enhanced)
        plane = plane + skin(rng, b, enhanced) + folds(rng, b)
        if not enhanced or rng.random() < 0.2:
            plane = plane + crumbs(rng, b) * np.float32(rng.uniform(0.1, 0.6))
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
        normal=0.2,
    )
