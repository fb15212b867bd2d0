"""A frontal chest X-ray as a sum of absorptions. The patient's right is at the picture's left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medsegr.phantom import camera
from medsegr.phantom.draw import (
    Mask,
    Plane,
    Stroke,
    blur,
    bump,
    curve,
    grid,
    noise,
    rough,
    step,
    strokes,
    wavy,
)
from medsegr.phantom.scene import Picture, Place, Scene, Spot

WORDS = {
    ("right", "upper"): ("right upper lobe", "right upper zone", "right upper lung zone"),
    ("right", "middle"): ("right middle lobe", "right mid zone", "right middle zone"),
    ("right", "lower"): ("right lower lobe", "right lower zone", "right lung base"),
    ("left", "upper"): ("left upper lobe", "left upper zone", "left upper lung zone"),
    ("left", "middle"): ("left mid zone", "left middle zone", "left mid lung zone"),
    ("left", "lower"): ("left lower lobe", "left lower zone", "left lung base"),
}
GAIN = {"ground-glass": 0.115, "consolidation": 0.22, "calcified": 0.30}
FIELD_MM = 360.0
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Build:
    """Proportions of one chest, as shares of the side."""

    mid: float
    top: float
    half: float
    right_dome: float
    left_dome: float


def build(rng: np.random.Generator) -> Build:
    """Random proportions, zoom and shift of a chest."""
    zoom = rng.uniform(0.86, 1.18)
    middle, tall = rng.uniform(0.44, 0.52), rng.uniform(0.60, 0.72) * zoom
    base = middle + tall / 2
    return Build(
        rng.uniform(0.47, 0.53),
        middle - tall / 2,
        rng.uniform(0.37, 0.43) * zoom,
        base - rng.uniform(0.0, 0.05),
        base,
    )


def lung(rng: np.random.Generator, b: Build, sign: int, yx: tuple[Plane, Plane]) -> Plane:
    """Signed distance of one lung as a share of the side; ``sign`` -1 is the patient's right."""
    y, x = yx
    dome = b.right_dome if sign < 0 else b.left_dome
    u = (x - np.float32(b.mid)) * np.float32(sign)
    t = np.clip((y - np.float32(b.top)) / np.float32(dome - b.top), 0, 1.2)
    early = np.float32(1) - np.minimum(t * np.float32(1 / rng.uniform(0.55, 0.9)), 1)
    waist = rng.uniform(0.8, 0.95)
    outer = np.float32(b.half) * (np.sqrt(1 - early * early) * np.float32(waist) + np.float32(1 - waist) * t)
    inner = (
        np.float32(rng.uniform(0.05, 0.07))
        + np.float32(rng.uniform(1.0, 2.2)) * np.clip(np.float32(0.24) - t, 0, 1) ** 2
    )
    arch = np.float32(dome) + np.float32(rng.uniform(0.5, 1.0)) * (
        u - np.float32(b.half * 0.42)
    ) ** 2 / np.float32(b.half)
    near = np.minimum(np.minimum(outer - u, u - inner), np.minimum(arch - y, y - np.float32(b.top)))
    out: Plane = near.astype(np.float32)
    return out


def _ribs(rng: np.random.Generator, b: Build, size: int) -> Plane:
    lines: list[Stroke] = []
    width = rng.uniform(0.017, 0.026) * size
    count = int(rng.integers(8, 11))
    tall = b.left_dome - b.top
    drop, sag = rng.uniform(0.05, 0.12), rng.uniform(0.02, 0.06)
    for sign in (-1, 1):
        for i in range(count):
            t = (i + 0.4) / count
            reach = b.half * min(1.0, 0.5 + 1.1 * np.sqrt(t)) * 1.02
            s = np.linspace(0.1, 1, 12)
            y0 = b.top - 0.06 + t * tall * 1.08
            back = [
                (b.mid + sign * reach * a, y0 + drop * a**2 - sag * np.sin(np.pi * a) * (1 - t)) for a in s
            ]
            lines += [(back, width, 0.95), (back, width * 0.55, 0.6)]
            if i and rng.random() < 0.9:
                s = np.linspace(1.0, 0.42, 9)
                front = [(b.mid + sign * reach * a, y0 + drop + (1 - a) * rng.uniform(0.14, 0.18)) for a in s]
                lines.append((front, width * 1.1, 0.42))
    return strokes(size, lines, 0.004 * size)


def _bones(rng: np.random.Generator, b: Build, size: int) -> Plane:
    y, x = grid(size)
    lift = rng.uniform(-0.03, 0.03)
    lines: list[Stroke] = []
    for sign in (-1, 1):
        s = np.linspace(0, 1, 8)
        line = [
            (
                b.mid + sign * (0.03 + 0.36 * a),
                b.top + 0.075 + lift - 0.07 * a - 0.025 * np.sin(2 * np.pi * a),
            )
            for a in s
        ]
        lines += [(line, 0.03 * size, 0.8), (line, 0.018 * size, 0.55)]
        edge = [(b.mid + sign * b.half * (0.95 + 0.1 * a), b.top + 0.12 + 0.3 * a) for a in s]
        lines.append((edge, 0.02 * size, 0.3))
    bone = strokes(size, lines, 0.004 * size)
    spine = step(np.float32(0.036) - np.abs(x - np.float32(b.mid)), 0.02)
    period = rng.uniform(0.055, 0.07)
    discs = np.float32(0.75) + np.float32(0.25) * np.cos(y * np.float32(2 * np.pi / period))
    bone += spine * discs * np.float32(0.35)
    return bone


def _vessels(rng: np.random.Generator, b: Build, size: int) -> Plane:
    lines: list[Stroke] = []
    for sign in (-1, 1):
        hilum = (
            b.mid + sign * rng.uniform(0.07, 0.09),
            b.top + (b.left_dome - b.top) * rng.uniform(0.45, 0.52),
        )
        for _ in range(9):
            angle = rng.uniform(-1.25, 1.25) + (0 if sign > 0 else np.pi)
            trunk = curve(rng, hilum, angle, rng.uniform(0.12, 0.25), 0.6)
            lines.append((trunk, rng.uniform(0.006, 0.013) * size, rng.uniform(0.4, 0.9)))
            for _ in range(2):
                start = trunk[int(rng.integers(2, 6))]
                lines.append(
                    (
                        curve(rng, start, angle + rng.normal(0, 0.6), rng.uniform(0.06, 0.14), 0.6),
                        0.004 * size,
                        rng.uniform(0.3, 0.6),
                    )
                )
    return strokes(size, lines, 0.004 * size)


def _heart(rng: np.random.Generator, b: Build, yx: tuple[Plane, Plane]) -> Plane:
    tall = b.left_dome - b.top
    wide = b.half * rng.uniform(0.38, 0.5)
    centre = (b.top + tall * rng.uniform(0.70, 0.76), b.mid + b.half * rng.uniform(0.12, 0.2))
    return bump(yx, centre, (tall * rng.uniform(0.24, 0.29), wide), rng.uniform(0.25, 0.6))


def _mediastinum(rng: np.random.Generator, b: Build, yx: tuple[Plane, Plane]) -> Plane:
    y, x = yx
    tall = b.left_dome - b.top
    lean = np.float32(0.012) * np.sin(y * np.float32(9) + np.float32(rng.uniform(0, 6)))
    band = step(np.float32(rng.uniform(0.055, 0.075)) - np.abs(x + lean - np.float32(b.mid)), 0.035)
    knob = step(bump(yx, (b.top + tall * 0.33, b.mid + 0.055), (0.045, 0.045)), 0.35)
    trachea = step(np.float32(0.016) - np.abs(x - np.float32(b.mid - 0.005)), 0.014) * step(
        np.float32(b.top + tall * 0.38) - y, 0.06
    )
    out: Plane = np.maximum(band, knob) * np.float32(rng.uniform(0.13, 0.2)) - np.float32(0.10) * trachea
    for sign in (-1, 1):
        hilum = bump(yx, (b.top + tall * 0.5, b.mid + sign * 0.075), (0.06, 0.03))
        out += np.float32(0.08) * step(hilum, 0.9)
    return out


def _places(b: Build, lungs: dict[str, Mask]) -> tuple[Place, ...]:
    out = []
    for side, mask in lungs.items():
        rows = np.flatnonzero(mask.any(axis=1))
        if not rows.size:
            continue
        top, tall = int(rows[0]), int(rows[-1] - rows[0] + 1)
        for k, row in enumerate(("upper", "middle", "lower")):
            core = np.zeros_like(mask)
            core[int(top + tall * (k + 0.1) / 3) : int(top + tall * (k + 0.9) / 3)] = True
            words = WORDS[side, row]
            out.append(
                Place(
                    key=f"{side} {row}",
                    core=core & mask,
                    body=mask,
                    location={"side": side, "rows": (row,), "anatomy": ("lung",)},
                    after=tuple(f"{'at' if 'base' in w else 'in'} the {w}" for w in words),
                    before=tuple(w for w in words if "lung" not in w),
                    wide=(f"in the {side} lung",),
                    wide_key=side,
                    wide_location={"side": side, "anatomy": ("lung",)},
                )
            )
    return tuple(out)


def _add(rng: np.random.Generator, plane: Plane, spot: Spot) -> None:
    """Add one lesion's absorption in place."""
    blob, look = spot.blob, spot.look
    gain = GAIN.get(look.density or "", 0.17 if spot.name == "opacity" else 0.2) * rng.uniform(0.8, 1.35)
    if look.size_class == "tiny":
        gain *= 1.25
    body = blob.alpha * (np.float32(0.75) + np.float32(0.35) * np.sqrt(blob.inner))
    bumps = rough(rng, blob.alpha.shape, 6)
    body = body * (1 + np.float32(0.62 if look.uniformity == "heterogeneous" else 0.06) * bumps)
    plane[blob.window] += np.float32(gain) * np.maximum(body, 0)


def _devices(rng: np.random.Generator, b: Build, size: int) -> Plane:
    lines: list[Stroke] = []
    if rng.random() < 0.2:
        start = (b.mid + rng.uniform(-0.3, 0.3), 0.0)
        lines.append((curve(rng, start, np.pi / 2, rng.uniform(0.4, 0.9), 0.7), 0.006 * size, 0.9))
    if rng.random() < 0.15:
        lines.append(([(b.mid, 0.0), (b.mid + 0.01, b.top + 0.2)], 0.012 * size, 0.6))
    return strokes(size, lines, 0.5) if lines else np.zeros((size, size), np.float32)


def _organs(near: dict[str, Plane], heart: Plane, b: Build, y: Plane) -> dict[str, Mask]:
    muscle = (heart > 0) & (y < b.left_dome + 0.02)
    lungs = {f"{side} lung": (d > 0) & ~muscle for side, d in near.items()}
    return {**lungs, "heart": muscle}


@dataclass(frozen=True, slots=True)
class Chest:
    """One chest: proportions, warped coordinates, signed fields of both lungs and of the heart."""

    b: Build
    yx: tuple[Plane, Plane]
    near: Mapping[str, Plane]
    heart: Plane
    size: int


def _body(rng: np.random.Generator, c: Chest) -> Plane:
    """Absorption of everything but lesions and devices."""
    b, size = c.b, c.size
    y, x = grid(size)
    u = np.abs(x - np.float32(b.mid))
    shoulder = np.float32(b.top - 0.02) - np.float32(0.12) * np.clip(1 - u / np.float32(b.half), -0.5, 1)
    flank = np.float32(b.half * rng.uniform(1.12, 1.4)) + np.float32(0.12) * (y - np.float32(b.top)) - u
    wall = np.minimum(flank, y - shoulder)
    plane: Plane = step(np.maximum(wall, np.float32(0.1) - u), 0.05) * np.float32(0.55)
    air = np.maximum(step(c.near["right"], 0.012), step(c.near["left"], 0.012))
    depth = np.float32(0.36) + np.float32(0.05) * noise(rng, size, 3)
    plane = plane - air * depth * np.float32(rng.uniform(0.85, 1.1))
    plane = plane + air * _vessels(rng, b, size) * np.float32(rng.uniform(0.10, 0.22))
    plane = plane + step(c.heart, 0.12) * air * np.float32(rng.uniform(0.28, 0.38))
    bones = _ribs(rng, b, size) * np.float32(rng.uniform(0.07, 0.16))
    bones += _bones(rng, b, size) * np.float32(0.13)
    plane = plane + _mediastinum(rng, b, c.yx) + bones * step(wall + np.float32(0.03), 0.05)
    below = step(y - np.float32(b.left_dome - 0.03), 0.08) * (1 - air)
    plane = plane + below * np.float32(rng.uniform(0.12, 0.22))
    under = (b.left_dome + rng.uniform(0.05, 0.09), b.mid + b.half * 0.5)
    bubble = bump(c.yx, under, (0.04, rng.uniform(0.06, 0.11)))
    plane = plane - step(bubble, 0.3) * (1 - air) * np.float32(rng.uniform(0, 0.25))
    breast = max(0.0, rng.uniform(-0.05, 0.05))
    for side in (-1, 1) if breast else ():
        soft = bump(c.yx, (b.left_dome - 0.12, b.mid + side * b.half * 0.6), (0.17, b.half * 0.5))
        plane = plane + step(soft, 0.5) * np.float32(breast)
    return plane


def _marker(rng: np.random.Generator) -> list[tuple[str, float, float, float]]:
    """The letter of the side, on its own side: R at the picture's left, L at its right; often none."""
    if rng.random() > 0.6:
        return []
    right = bool(rng.random() < 0.66)
    left_edge = rng.uniform(0.03, 0.08) if right else rng.uniform(0.88, 0.92)
    return [("R" if right else "L", float(left_edge), rng.uniform(0.03, 0.12), rng.uniform(0.04, 0.07))]


def _render(rng: np.random.Generator, c: Chest, spots: Sequence[Spot]) -> Picture:
    plane = _body(rng, c)
    for spot in spots:
        _add(rng, plane, spot)
    plane = plane + _devices(rng, c.b, c.size) * np.float32(0.2)
    plane = camera.grey(rng, blur(camera.stretch(plane, 1, 99.7), 0.5), 0.05, (0.7, 1.5))
    return camera.to_uint8(camera.collimated(rng, camera.marked(rng, plane, _marker(rng))))


def scene(rng: np.random.Generator, size: int) -> Scene:
    """A random chest, and the function that draws it with its lesions."""
    b = build(rng)
    yx = wavy(rng, size, 0.006)
    near = {"right": lung(rng, b, -1, yx), "left": lung(rng, b, 1, yx)}
    chest = Chest(b, yx, near, _heart(rng, b, yx), size)
    organs = _organs(near, chest.heart, b, grid(size)[0])
    lungs = {side: organs[f"{side} lung"] for side in ("right", "left")}

    def render(rng: np.random.Generator, spots: Sequence[Spot]) -> Picture:
        return _render(rng, chest, spots)

    return Scene(size, FIELD_MM / size, _places(b, lungs), render, organs)
