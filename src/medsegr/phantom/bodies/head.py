"""The anatomy of a head in one slice: which tissue covers which pixel, where the brain is, and its lobes.

Coordinates are the head's own: ``v`` from -1 (forehead, or crown) to 1, ``u`` from -1 (the patient's right,
at the picture's left) to 1; the skin lies about where ``hypot(u, v)`` is 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medsegr.phantom.draw import Mask, Plane, Stroke, ellipse, noise, step, strokes, wavy

HEAD_MM = 190.0  # from forehead to occiput, in the longest slice
Cover = tuple[str, Plane]  # a tissue laid over what is below it, 0 to 1


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a head lies in the picture. ``level`` is 0 at the skull base, 1 at the vertex."""

    size: int
    level: float
    mid: tuple[float, float]
    radii: tuple[float, float]
    tilt: float
    v: Plane
    u: Plane

    @property
    def px(self) -> float:
        """One pixel in units of ``v``."""
        return 1 / (self.radii[0] * self.size)

    def at(self, v: float, u: float) -> tuple[float, float]:
        """A point of the head as (y, x) shares of the picture's side."""
        c, s = np.cos(self.tilt), np.sin(self.tilt)
        dy, dx = v * self.radii[0], u * self.radii[1]
        return self.mid[0] + c * dy - s * dx, self.mid[1] + s * dy + c * dx

    def oval(
        self, v: float, u: float, rv: float, ru: float, angle: float = 0.0, *, bow: float = 0.0
    ) -> Plane:
        """1 - normalised radius of an ellipse, -0.6 far from it; ``bow`` bends its ends towards -u."""
        centre, reach = self.at(v, u), 1.7 * max(rv, ru) * max(self.radii) + 0.03
        low = [min(self.size, max(0, int((c - reach) * self.size))) for c in centre]
        high = [max(0, int((c + reach) * self.size) + 1) for c in centre]
        win = (slice(low[0], high[0]), slice(low[1], high[1]))
        out = np.full((self.size, self.size), np.float32(-0.6))
        bent = self.u[win] + np.float32(bow) * (self.v[win] - np.float32(v)) ** 2 if bow else self.u[win]
        near = 1 - ellipse((self.v[win], bent), (v, u), (rv, ru), angle)
        np.maximum(near, np.float32(-0.6), out=out[win])
        return out

    def pair(self, v: float, u: float, rv: float, ru: float, angle: float = 0.0) -> Plane:
        """The same ellipse on both sides."""
        return np.maximum(self.oval(v, -u, rv, ru, -angle), self.oval(v, u, rv, ru, angle))

    def lines(self, paths: Sequence[Sequence[tuple[float, float]]], width: float, soft: float = 0.6) -> Plane:
        """Polylines of points (v, u), ``width`` in units of ``v``."""
        drawn: list[Stroke] = []
        for path in paths:
            points = [(x, y) for y, x in (self.at(v, u) for v, u in path)]
            drawn.append((points, width * self.radii[0] * self.size, 1.0))
        return strokes(self.size, drawn, soft * self.size / 256)


@dataclass(frozen=True, slots=True)
class Head:
    """One slice: tissues from below to above, the skin's and the brain's field, ventricles, lobes' masks."""

    frame: Frame
    tissues: tuple[Cover, ...]
    brain: Plane
    ventricles: Plane
    caps: Plane  # where the ventricles' ends are, soft
    cortex: Plane
    lobes: tuple[tuple[str, Mask], ...]
    cerebrum: bool  # the lobes make up a hemisphere on either side
    tall_mm: float  # of this slice, from v = -1 to 1


def _length(level: float) -> float:
    """How long an axial slice is, as a share of the longest: the head gets round towards the vertex."""
    return 1.0 if level < 0.72 else 1 - 0.42 * ((level - 0.72) / 0.28) ** 1.5


def frame(rng: np.random.Generator, size: int, level: float, upright: bool) -> Frame:
    """A random position, size, form and tilt of a head; ``upright`` leaves room for neck and shoulders."""
    tall = rng.uniform(0.36, 0.485) if not upright else rng.uniform(0.24, 0.33)
    small = 1.0 if upright else _length(level)
    radii = (tall * small, tall * small * rng.uniform(0.74, 0.9) * (1.15 if upright else 1))
    mid = (rng.normal(0.49, 0.025), rng.normal(0.5, 0.02))
    if upright:
        mid = (radii[0] + rng.uniform(0.02, 0.14), mid[1])
    tilt = rng.normal(0, 0.06)
    yx = wavy(rng, size, 0.006, 4)
    dy, dx = yx[0] - np.float32(mid[0]), yx[1] - np.float32(mid[1])
    c, s = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    v = (c * dy + s * dx) * np.float32(1 / radii[0])
    u = (c * dx - s * dy) * np.float32(1 / radii[1])
    return Frame(size, level, mid, radii, float(tilt), v, u)


def _ventricles(rng: np.random.Generator, f: Frame) -> tuple[Plane, Plane]:
    """CSF inside the brain above the skull base, and the white matter about the ends of the horns."""
    wide, t = rng.uniform(0.5, 1.8), f.level
    shift = rng.normal(0, 0.03)
    none = out = np.full((f.size, f.size), np.float32(-0.6))
    if t > 0.74:
        return none, none
    if t > 0.6:
        long, bow = rng.uniform(0.28, 0.42), rng.uniform(-0.5, 0.7)
        for sign in (-1, 1):
            at, thin = shift + rng.normal(0, 0.02), 0.05 * wide * rng.uniform(0.7, 1.3)
            side = sign * (0.08 + 0.6 * thin + 0.3 * abs(bow) * long**2)
            body = f.oval(at, side, long * rng.uniform(0.9, 1.1), thin, -sign * 0.05, bow=sign * bow)
            out = np.maximum(out, body)
        caps = np.maximum(f.pair(shift - 0.38, 0.14, 0.13, 0.13), f.pair(shift + 0.42, 0.2, 0.15, 0.14))
        return out, caps
    if t > 0.42:
        horn = rng.uniform(-0.1, 0.35)
        out = np.maximum(out, f.oval(0.02, 0, 0.14, 0.02 * wide))
        for sign in (-1, 1):
            thin, turn = wide * rng.uniform(0.7, 1.3), sign * rng.uniform(0.2, 0.55)
            front = f.oval(shift - 0.3, sign * 0.12, 0.15, 0.04 * thin, sign * -horn, bow=sign * -0.8)
            back = f.oval(shift + 0.38, sign * 0.3, 0.16, 0.055 * thin, turn, bow=sign * 0.9)
            out = np.maximum(out, np.maximum(front, back))
        caps = np.maximum(f.pair(shift - 0.44, 0.18, 0.12, 0.12), f.pair(shift + 0.5, 0.36, 0.16, 0.13, 0.4))
        return out, caps
    out = f.pair(0.1, 0.45, 0.10, 0.025 * wide, 0.3)
    wide = rng.uniform(0.5, 1.1)
    star = np.maximum(f.oval(-0.1, 0, 0.08 * wide, 0.12), f.pair(-0.06, 0.14, 0.03 * wide, 0.13, 0.5))
    ring = np.float32(rng.uniform(-0.2, 0.03)) - np.abs(f.oval(0.08, 0, 0.18, 0.19))
    ring = np.minimum(
        ring, np.float32(1.5) * (f.v - np.float32(0.08)) + np.float32(0.08) * noise(rng, f.size, 8)
    )
    star = star + np.float32(0.2) * noise(rng, f.size, 14) * (star > -0.5)
    return np.maximum(np.maximum(out, star), ring), none


def _deep(rng: np.random.Generator, f: Frame) -> Plane:
    """Thalamus, lentiform and caudate nuclei."""
    if not 0.42 < f.level <= 0.64:
        return np.zeros((f.size, f.size), np.float32)
    parts = np.maximum(f.pair(0.08, 0.13, 0.17, 0.1, -0.3), f.pair(-0.1, 0.36, 0.2, 0.09, -0.25))
    parts = np.maximum(parts, f.pair(-0.3, 0.21, 0.13, 0.045, -0.3))
    return step(parts, 0.2) * np.float32(rng.uniform(0.4, 1.0))


def fissure(rng: np.random.Generator, f: Frame, split: float | None = None) -> tuple[Plane, Plane]:
    """The cleft between the hemispheres, and the distance to it (in ``u``; large where there is none).

    ``split`` is how far down it goes in a coronal slice: -2 all the way, else the ``v`` where it ends.
    """
    bend = np.float32(0.02) * noise(rng, f.size, 5)
    away = np.abs(f.u + bend)
    t = f.level
    if split == -2 or (split is None and t > 0.74):
        gap = np.full_like(f.v, 1.0)
    elif split is not None:
        gap = (np.float32(split) - f.v) * 8
    else:
        low, high = (-0.42, 0.5) if t > 0.42 else (-0.3, 0.55)
        gap = np.maximum(np.float32(low) - f.v, f.v - np.float32(high)) * 8
    width = rng.uniform(0.006, 0.022)
    cleft = step(np.float32(width) - away, 2.0 * f.px) * np.clip(gap, 0, 1)
    return cleft, away + np.clip(1 - gap, 0, 1)


def cortex(rng: np.random.Generator, f: Frame, brain: Plane, away: Plane) -> tuple[Plane, Plane]:
    """Grey matter and sulci, 0 to 1: a maze of bands that is deepest at the surface."""
    cells = max(5, int(rng.uniform(5.2, 8.6) / f.radii[0]))
    maze = noise(rng, f.size, cells)
    ridge = np.abs(maze + np.float32(0.4) * noise(rng, f.size, 2 * cells))
    depth = np.minimum(brain, away * np.float32(0.85))
    folds = np.float32(rng.integers(13, 22)) * np.arctan2(f.u, f.v) + np.float32(2) * noise(rng, f.size, 7)
    rays = np.abs(np.sin(folds)) + np.float32(rng.uniform(3, 12)) * np.maximum(depth, 0)
    ridge = np.minimum(ridge, np.float32(0.9) * rays + np.float32(0.05))
    deep = rng.uniform(0.14, 0.26) + 0.25 * max(0.0, f.level - 0.6)
    taper = np.clip(1 - depth * np.float32(1 / deep), 0, 1)
    width = np.float32(rng.uniform(0.1, 0.45)) * taper * (1 + np.float32(0.3) * noise(rng, f.size, 6))
    soft = 2.5 * f.px * f.radii[0] * cells * 2
    sulci = step(width - ridge, soft) * step(taper, 0.2) * np.float32(rng.uniform(0.5, 1.0))
    band = step(np.float32(rng.uniform(0.3, 0.55)) * np.sqrt(taper) - ridge, 1.5 * soft) * step(
        taper - 0.1, 0.3
    )
    rim = step(np.float32(rng.uniform(0.02, 0.045)) - depth, 3 * f.px)
    return np.maximum(band, rim), sulci


def _sylvian(rng: np.random.Generator, f: Frame) -> Plane:
    if not 0.3 < f.level < 0.64:
        return np.zeros((f.size, f.size), np.float32)
    paths = []
    for sign in (-1, 1):
        v = rng.uniform(-0.2, -0.02)
        deep = rng.uniform(0.5, 0.58)
        paths.append([(v, sign * 0.84), (v + 0.03, sign * 0.68), (v - 0.08, sign * deep)])
        paths.append([(v + 0.03, sign * 0.68), (v + 0.14, sign * deep), (v + 0.3, sign * (deep + 0.06))])
    return f.lines(paths, rng.uniform(0.01, 0.035), 1.0) * np.float32(rng.uniform(0.4, 1.0))


def _shell(rng: np.random.Generator, f: Frame, outer: Plane) -> tuple[list[Cover], float]:
    """Skin, fat and skull, and the depth at which the skull ends."""
    thick = 1.0 + 1.2 * max(0.0, f.level - 0.75) / 0.25
    scalp, skull = rng.uniform(0.035, 0.085) * thick, rng.uniform(0.03, 0.065) * thick
    uneven = np.float32(0.25 * scalp) * noise(rng, f.size, 5)
    depth = outer + uneven * (outer < 3 * scalp)
    soft = 1.6 * f.px + 0.25 * max(0.0, f.level - 0.8)  # cut askew near the vertex
    tissues = [
        ("muscle", step(outer, soft)),
        ("fat", step(outer - np.float32(0.012), soft) * step(np.float32(scalp) - depth, soft)),
        ("bone", step(depth - np.float32(scalp), soft)),
    ]
    if rng.random() < 0.6:
        marrow = np.float32(0.22 * skull) - np.abs(depth - np.float32(scalp + 0.5 * skull))
        tissues.append(("marrow", step(marrow, soft) * np.float32(rng.uniform(0.3, 1.0))))
    return tissues, scalp + skull


def _face(rng: np.random.Generator, f: Frame, inner: Plane) -> list[Cover]:
    """Orbits with eyes, nose with its sinuses, muscles of the temple: what lies before the brain's base."""
    inside, skin = step(inner, 3 * f.px), step(inner + np.float32(rng.uniform(0.08, 0.16)), 0.03)
    rough = noise(rng, f.size, 22)
    soft_parts = step(noise(rng, f.size, 9) + np.float32(0.2), 0.6) * inside
    out: list[Cover] = [("bone", inside), ("muscle", soft_parts * np.float32(rng.uniform(0.4, 0.9)))]
    temple = f.pair(-0.35, 0.88, 0.3, 0.12, 0.15)
    out.append(("muscle", step(temple, 0.2) * skin))
    out.append(
        ("fat", step(f.pair(-0.4, 0.97, 0.3, 0.07, 0.2), 0.4) * skin * np.float32(rng.uniform(0.3, 1)))
    )
    lift, wide = rng.uniform(-0.06, 0.04), rng.uniform(0.38, 0.46)
    out.append(("fat", step(f.pair(-0.54 + lift, wide - 0.06, 0.27, 0.18, -0.35), 0.15)))
    cords = []
    for sign in (-1, 1):
        for turn in (-0.13, 0.0, 0.13):
            cords.append([(-0.62 + lift, sign * (wide + turn)), (-0.32 + lift, sign * (0.2 + 0.3 * turn))])
    out.append(("muscle", f.lines(cords, 0.035, 0.6)))
    eye = f.pair(-0.73 + lift, wide, 0.16, 0.16 * f.radii[0] / f.radii[1])
    out += [("muscle", step(eye, 0.1)), ("vitreous", step(eye - np.float32(0.12), 0.1))]
    nose = f.oval(-0.68 + lift, 0, 0.32, 0.13)
    cells = step(np.sin(f.u * np.float32(rng.uniform(50, 90))) + rough - np.float32(0.3), 0.6)
    out += [
        ("bone", step(nose, 0.15)),
        ("mucosa", step(nose, 0.15) * cells * np.float32(rng.uniform(0.4, 1))),
    ]
    return out


def _base(rng: np.random.Generator, f: Frame, inner: Plane) -> tuple[Plane, Plane, Plane]:
    """Brain, cerebellum and fourth ventricle at the skull base."""
    wide = rng.uniform(0.9, 1.1)
    uneven = np.float32(0.1) * noise(rng, f.size, 9)
    temporal = f.pair(-0.14 + rng.normal(0, 0.04), 0.52, 0.34 * wide, 0.29, rng.uniform(-0.5, 0.1)) + uneven
    hind = f.oval(0.5, 0, 0.4, 0.7 * wide) + uneven
    cerebellum = np.maximum(hind, f.oval(0.14, 0, 0.2, 0.2))
    frontal = f.oval(-0.36, 0, 0.2, 0.3) + uneven if f.level > 0.15 else np.full_like(hind, -0.6)
    bound = inner - np.float32(0.02)
    brain = np.minimum(np.maximum(np.maximum(temporal, frontal) * np.float32(0.3), cerebellum * 0.35), bound)
    fourth = f.oval(rng.uniform(0.26, 0.34), 0, rng.uniform(0.03, 0.07), rng.uniform(0.05, 0.11))
    return brain.astype(np.float32), np.minimum(cerebellum * np.float32(0.35), bound), fourth


def folia(rng: np.random.Generator, f: Frame, cerebellum: Plane) -> Plane:
    """Fine dark lines of a cerebellum."""
    r = np.hypot((f.v - np.float32(0.15)), np.float32(0.75) * f.u)
    bent = np.float32(1.5) * noise(rng, f.size, 7) + np.float32(0.6) * noise(rng, f.size, 25)
    lines = np.sin(r * np.float32(rng.uniform(60, 110)) + bent)
    return step(lines - np.float32(rng.uniform(0.2, 0.8)), 1.2) * step(cerebellum, 4 * f.px)


def _lobes(f: Frame, cerebellum: Plane | None) -> tuple[tuple[str, Mask], ...]:
    """The parts of the brain that words can name, with a gap between them."""
    v, far = f.v, np.abs(f.u)
    if cerebellum is not None:
        low = cerebellum > 0
        return (("cerebellum", low & (v > 0.3)), ("temporal", ~low & (v > -0.45) & (v < 0.2) & (far > 0.22)))
    if f.level < 0.42:
        return (
            ("frontal", v < -0.32),
            ("temporal", (v > -0.18) & (v < 0.34) & (far > 0.34)),
            ("occipital", v > 0.52),
        )
    if f.level < 0.6:
        return (
            ("frontal", v < -0.22),
            ("temporal", (v > -0.02) & (v < 0.36) & (far > 0.5)),
            ("occipital", v > 0.52),
        )
    return (("frontal", v < -0.12), ("parietal", v > 0.12))


def axial(rng: np.random.Generator, size: int) -> Head:
    """A random axial slice between the skull base and the vertex."""
    f = frame(rng, size, float(rng.uniform(0.06, 1.0)), False)
    egg = f.u * (np.float32(1) - np.float32(rng.uniform(0.02, 0.12)) * f.v)
    outer: Plane = np.float32(1) - np.hypot(egg, f.v)
    low = f.level < 0.24
    if f.level < 0.3:
        outer = np.maximum(outer, f.oval(-1.0, 0, 0.14, 0.13) * np.float32(0.14))
    tissues, shell = _shell(rng, f, outer)
    inner = outer - np.float32(shell)
    gap = np.float32(rng.uniform(0.004, 0.04))
    if low:
        tissues += _face(rng, f, inner)
        brain, cerebellum, csf = _base(rng, f, inner)
        caps = np.full_like(csf, -0.6)
        cover = step(brain + np.float32(0.035), 3 * f.px)
        cleft, away = np.zeros_like(outer), np.ones_like(outer)
    else:
        brain, cerebellum = inner - gap, None
        if f.level < 0.32:
            tissues += _face(rng, f, inner)
            front = np.maximum(f.pair(-0.8, 0.42, 0.38, 0.36, -0.3), f.oval(-0.75, 0, 0.36, 0.15))
            brain = np.where(front > -0.4, np.minimum(brain, np.float32(-0.3) * front), brain)
        csf, caps = _ventricles(rng, f)
        cover = step(np.minimum(inner, brain + gap + np.float32(0.01)), 2 * f.px)
        cleft, away = fissure(rng, f)
    grey, sulci = cortex(rng, f, brain, away)
    body = step(brain, 2 * f.px)
    hollow = step(csf, max(0.12, 3 * f.px / 0.06)) * body
    tissues += [("csf", cover), ("white", body), ("grey", grey * body), ("deep", _deep(rng, f) * body)]
    tissues += [("csf", np.maximum(sulci, _sylvian(rng, f)) * body), ("cleft", cleft * body)]
    if cerebellum is not None:
        tissues.append(("white", step(cerebellum, 4 * f.px) * np.float32(0.85)))
        tissues.append(("csf", folia(rng, f, cerebellum) * np.float32(rng.uniform(0.05, 0.35))))
    elif f.level < 0.42:
        vermis = f.oval(0.42, 0, 0.2, 0.15) + np.float32(0.1) * noise(rng, f.size, 9)
        tissues.append(("csf", folia(rng, f, vermis) * np.float32(rng.uniform(0.1, 0.6))))
    tissues.append(("ventricle", hollow))
    if f.level > 0.4:
        tissues.append(("vessel", step(f.oval(0.93 - shell, 0, 0.05, 0.05), 0.5)))
    tall_mm = HEAD_MM * _length(f.level)
    return Head(f, tuple(tissues), brain, csf, caps, grey, _lobes(f, cerebellum), not low, tall_mm)
