"""An axial CT slice of the chest, drawn in Hounsfield units and shown in some window, with lung tumours.

Radiological view: the patient's right is at the picture's left. A small part of the slices is turned, as raw
files often are; their places name no side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from medsegr.phantom import camera
from medsegr.phantom.bodies import thorax_fine
from medsegr.phantom.bodies.scanner import Scan, acquire, scan
from medsegr.phantom.bodies.thorax_parts import WITHIN, table
from medsegr.phantom.concepts import THORAX
from medsegr.phantom.draw import Mask, Plane, Stroke, bump, grid, lay, noise, rough, step, strokes, wavy
from medsegr.phantom.looks import NO, Choice, Concept
from medsegr.phantom.scene import Picture, Place, Scene, Spot

COUNTS = (0.48, 0.34, 0.18)
LARGER: Choice = {"small": 1, "medium": 1.5}


@dataclass(frozen=True, slots=True)
class Chest:
    """One slice: where it is, how large, and signed distances (shares of the side) of its parts."""

    size: int
    level: float  # 0 apex, 1 diaphragm
    mid: tuple[float, float]
    body: tuple[float, float]  # radii (y, x)
    cage: tuple[float, float]
    blood: tuple[float, float]  # HU of the right and the left heart
    yx: tuple[Plane, Plane]
    parts: dict[str, Plane]
    skin: Plane  # inside of the skin
    wall: Plane  # inside of the rib cage
    lungs: dict[str, Plane]


def _pleura(rng: np.random.Generator, chest: Chest) -> dict[str, Plane]:
    """Uneven pleura in some, and fluid behind one lung now and then: the lung ends above it."""
    lungs = chest.lungs
    if rng.random() < 0.3:
        thick = np.float32(rng.uniform(0.01, 0.05)) * np.clip(
            noise(rng, chest.size, 7) - np.float32(0.6), 0, 1
        )
        lungs = {side: np.minimum(near, chest.wall - thick) for side, near in lungs.items()}
    if rng.random() > 0.12:
        return lungs
    side = ("right", "left")[int(rng.integers(2))]
    y, x = chest.yx
    level = np.float32(chest.mid[0] + chest.cage[0] * rng.uniform(0.3, 0.75) + 0.03)
    bow = np.float32(rng.uniform(0, 0.4)) * np.abs(x - np.float32(chest.mid[1]))
    return {**lungs, side: np.minimum(lungs[side], level - bow - y)}


def _skin(
    rng: np.random.Generator,
    level: float,
    mid: tuple[float, float],
    yx: tuple[Plane, Plane],
    body: tuple[float, float],
) -> Plane:
    """Signed distance to the inside of the skin: trunk with shoulders, breasts, and now and then arms."""
    tall, wide = body

    def part(v: float, u: float, ry: float, rx: float, angle: float = 0.0) -> Plane:
        radii = (ry * tall, rx * wide)
        return bump(yx, (mid[0] + v * tall, mid[1] + u * wide), radii, angle) * np.float32(min(radii))

    out = part(0, 0, 1, 1)
    at, thick, tilt = rng.uniform(-0.05, 0.35), rng.uniform(0.4, 0.7), rng.uniform(-0.3, 0.3)
    bust, arms = rng.random() < 0.25, rng.random() < 0.1
    front, full = rng.uniform(-0.7, -0.5), rng.uniform(0.3, 0.55)
    for sign in (-1, 1):
        if level < 0.45:
            out = np.maximum(out, part(at, sign * 0.72, thick, 0.38, sign * tilt))
        if bust:
            out = np.maximum(out, part(front, sign * 0.45, full, 0.42, sign * 0.3))
        if arms:
            out = np.maximum(out, part(0.1, sign * 1.1, 0.32, 0.16))
    return out


def _cage(rng: np.random.Generator, level: float, body: tuple[float, float]) -> tuple[float, float]:
    """Radii (y, x) of the cage: small at the apex, near the skin further down."""
    fill = float(np.interp(level, [0, 0.2, 0.45, 1], [0.36, 0.56, 0.76, 0.86]) * rng.uniform(0.88, 1.06))
    deep = float(np.interp(level, [0, 0.2, 0.45, 1], [0.48, 0.66, 0.8, 0.86]) * rng.uniform(0.9, 1.04))
    return body[0] * deep, body[1] * fill


def _chest(rng: np.random.Generator, size: int) -> Chest:
    level = float(np.clip(rng.beta(1.4, 1.3), 0.05, 0.97))
    wide = float(np.clip(rng.normal(0.45, 0.045), 0.33, 0.58))
    if rng.random() < 0.08:
        wide = float(rng.uniform(0.52, 0.66))  # cut close about the lungs
    body = (wide * float(rng.uniform(0.58, 0.82)), wide)
    mid = (float(rng.uniform(0.44, 0.55)), float(rng.uniform(0.47, 0.53)))
    cage = _cage(rng, level, body)
    smooth, rugged = (
        wavy(rng, size, rng.uniform(0.006, 0.014), 4),
        wavy(rng, size, rng.uniform(0.004, 0.012), 9),
    )
    parts = {}
    for name, (v, u, ry, rx, angle) in table(rng, level).items():
        centre = (mid[0] + v * cage[0], mid[1] + u * cage[1])
        radii = (ry * cage[0], rx * cage[1])
        parts[name] = bump(rugged, centre, radii, angle) * np.float32(min(radii))
    power = np.float32(rng.uniform(2.0, 2.5))
    v, u = (np.abs(a - np.float32(m)) / np.float32(r) for a, m, r in zip(smooth, mid, cage, strict=True))
    wall = (1 - (u**power + v**power) ** (1 / power)) * np.float32(min(cage))
    free = np.minimum.reduce([wall, *(-part for name, part in parts.items() if name not in WITHIN)])
    away = (smooth[1] - np.float32(mid[1])) * np.float32(0.8)
    plain = rng.random() < 0.4
    blood = (40.0, 40.0) if plain else (float(rng.uniform(80, 420)), float(rng.uniform(110, 380)))
    lungs = {"right": np.minimum(free, -away), "left": np.minimum(free, away)}
    skin = _skin(rng, level, mid, smooth, body)
    chest = Chest(size, level, mid, body, cage, blood, smooth, parts, skin, wall, lungs)
    return replace(chest, lungs=_pleura(rng, chest))


def _muscles(rng: np.random.Generator, c: Chest) -> Plane:
    """Muscle around the cage: a shell, pectorals, shoulder and back muscles, 0 to 1."""
    shell = np.float32(rng.uniform(0.012, 0.045)) + np.float32(0.008) * noise(rng, c.size, 4)
    out = step(c.wall + shell, 0.008)
    thick = float(rng.uniform(0.5, 1.2))
    high = max(0.0, 1 - 1.6 * c.level)
    for sign in (-1, 1):
        items = [
            ((0.92, 0.3), (0.2 * thick, 0.24), 0.15 * sign),
            ((-0.86, 0.5), ((0.18 + 0.16 * high) * thick, 0.42), 0.45 * sign),
            ((0.5, 1.02), (0.45 * thick, 0.15 + 0.12 * high), 0.4 * sign),
        ]
        if high > 0.1:
            items.append(((0.35, 1.2), (0.55 * thick, 0.16 + 0.3 * high), 0.5 * sign))
        for (v, u), radii, angle in items:
            centre = (c.mid[0] + v * c.cage[0], c.mid[1] + sign * u * c.cage[1])
            pair = (radii[0] * c.cage[0], radii[1] * c.cage[1])
            out = np.maximum(out, step(bump(c.yx, centre, pair, angle), 0.12))
    return out


def _arc(c: Chest, middle: float, half: float, grow: float) -> list[tuple[float, float]]:
    run = middle + np.linspace(-half, half, 7)
    return [(c.mid[1] + grow * c.cage[1] * np.cos(a), c.mid[0] + grow * c.cage[0] * np.sin(a)) for a in run]


def _bone_lines(rng: np.random.Generator, c: Chest) -> list[Stroke]:
    """Ribs, breastbone, shoulder blades, arches of the spine: each a hard shell over a softer inside."""
    thin = float(rng.uniform(0.016, 0.024)) * c.size * c.body[1] / 0.44
    shells: list[tuple[list[tuple[float, float]], float]] = []
    for sign in (0, np.pi):
        for angle in np.arange(-1.15 + rng.uniform(0, 0.3), 1.25, rng.uniform(0.38, 0.6)):
            half = float(rng.uniform(0.05, 0.2)) * (2 if angle * (1 if sign == 0 else -1) > 0.8 else 1)
            shells.append((_arc(c, sign + angle, half * 1.3, 1.035), 0.6 * thin))
            shells.append((_arc(c, sign + angle, half, 1.035), thin * rng.uniform(0.8, 1.2)))
    shells.append((_arc(c, -np.pi / 2, float(rng.uniform(0.08, 0.3)), 1.06), thin * rng.uniform(1.1, 1.8)))
    y, x = c.mid[0] + 0.92 * c.cage[0], c.mid[1]
    for sign in (-1, 1) if c.level < rng.uniform(0.15, 0.4) else ():
        middle = -np.pi / 2 + sign * rng.uniform(0.25, 0.5)  # collar bones and first ribs
        shells.append((_arc(c, middle, float(rng.uniform(0.15, 0.4)), rng.uniform(1.06, 1.16)), thin * 1.3))
    for sign in (-1, 1):
        shells.append(([(x + sign * 0.03, y), (x + sign * 0.1, y - 0.02 * rng.uniform(-1, 1))], thin * 0.9))
        shells.append(([(x + sign * 0.025, y), (x, y + 0.045)], thin * 0.8))
        if c.level < rng.uniform(0.4, 0.75):
            at, out = rng.uniform(0.35, 0.6), rng.uniform(1.12, 1.22)
            start = (x + sign * out * c.cage[1], c.mid[0] + at * c.cage[0] * 0.4)
            end = (x + sign * 0.75 * c.cage[1], c.mid[0] + min(1.1, at + 0.6) * c.cage[0])
            bow = rng.uniform(-0.012, 0.025)
            bent = ((start[0] + end[0]) / 2 + sign * bow, (start[1] + end[1]) / 2 + bow)
            shells.append(([start, bent, end], thin * rng.uniform(0.4, 0.8)))
            shells.append(([start, (start[0] - sign * 0.01, start[1] + 0.012)], thin * rng.uniform(1, 1.8)))
    shells.append(([(x, y + 0.03), (x, y + 0.085)], thin * 0.8))
    inner = float(rng.uniform(0.2, 0.4))
    lines: list[Stroke] = [(points, width, 1.0) for points, width in shells]
    return lines + [
        (points[1:-1] or points, width * 0.5, inner) for points, width in shells if len(points) > 2
    ]


def _bones(rng: np.random.Generator, c: Chest, plane: Plane) -> Plane:
    """``plane`` in HU with the bones laid over it."""
    cover = strokes(c.size, _bone_lines(rng, c), 0.0015 * c.size) * step(-np.maximum(*c.lungs.values()), 0.01)
    cover = cover * step(c.skin - np.float32(0.012), 0.01)
    hard = float(rng.uniform(500, 1000))
    plane = lay(plane, np.minimum(cover * np.float32(1.6), 1), np.float32(hard) * cover)
    ry, rx = 0.19 * c.cage[0], 0.145 * c.cage[1]
    at = (c.mid[0] + 0.74 * c.cage[0], c.mid[1])
    spine = bump(c.yx, at, (ry, rx))
    spongy = np.float32(rng.uniform(120, 280)) + np.float32(45) * noise(rng, c.size, 50)
    rim = step(np.float32(0.12) - np.abs(spine - np.float32(0.06)), 0.1) * np.float32(rng.uniform(150, 450))
    plane = lay(plane, step(spine, 0.1), spongy + rim)
    canal = bump(c.yx, (at[0] + ry + 0.016, c.mid[1]), (0.018, 0.022))
    return lay(plane, step(canal, 0.3), 30.0)


def _trunk(rng: np.random.Generator, c: Chest) -> Plane:
    """HU of everything but lungs, bone and lesions."""
    y, x = c.yx
    size = c.size
    fat = np.float32(rng.uniform(-115, -85)) + np.float32(10) * noise(rng, size, 30)
    skin = step(np.float32(0.004) - np.abs(c.skin - np.float32(0.004)), 0.004) * np.float32(100)
    plane = np.full((size, size), np.float32(-1000))
    plane = lay(plane, thorax_fine.table(rng, size, c.mid[0] + c.body[0]), float(rng.uniform(-500, 500)))
    plane = lay(plane, step(c.skin, 0.008), fat + skin)
    inner = c.skin - np.float32(rng.uniform(0.008, 0.025))
    soft = np.float32(rng.uniform(35, 65)) + np.float32(14) * noise(rng, size, 40)
    planes = step(np.float32(0.12) - np.abs(noise(rng, size, int(rng.integers(7, 16)))), 0.15)
    muscle = _muscles(rng, c) * step(inner, 0.01) * (1 - np.float32(rng.uniform(0, 0.9)) * planes)
    plane = lay(plane, muscle, soft)
    filling = np.float32(rng.choice([-90, -60, 30])) + np.float32(20) * noise(rng, size, 20)
    plane = lay(plane, step(c.wall, 0.01), filling)
    gaps = step(np.minimum(c.wall, np.float32(0.06) - c.wall), 0.02)
    for side, near in c.lungs.items():
        fluid = gaps * (near < -0.004) * ((x < c.mid[1]) == (side == "right")) * (y > c.mid[0])
        plane = lay(plane, fluid.astype(np.float32), 15.0)
    return _mediastinum(rng, c, plane)


def _mediastinum(rng: np.random.Generator, c: Chest, plane: Plane) -> Plane:
    """``plane`` with heart, vessels, airways and the organs under the diaphragm."""
    right, left = c.blood
    muscle = 40 + 0.25 * max(0.0, left - 60)
    levels = {"heart": muscle, "liver": 55 + 0.15 * (left - 40), "spleen": 50 + 0.2 * (left - 40)}
    levels |= {"gullet": 30.0, "right heart": right, "left heart": left, "cava": right, "trunk": right}
    levels |= {"right hilum": (right + 30) / 2, "left hilum": (right + 30) / 2}
    levels |= {name: left for name in ("arch", "aorta", "rise")}
    levels |= {f"branch {i}": left if i else right for i in range(4)}
    for name, value in levels.items():
        if name in c.parts:
            soft = float(rng.uniform(0.02, 0.05)) if name in {"liver", "spleen"} else 0.008
            cover = step(c.parts[name], soft) * step(c.wall, 0.01)
            plane = lay(plane, cover, float(value + rng.uniform(-8, 8)))
    for name in ("trachea", "right bronchus", "left bronchus"):
        if name in c.parts:
            near = c.parts[name]
            plane = lay(plane, step(near, 0.006), 20.0)
            plane = lay(plane, step(near - np.float32(0.006), 0.006), -990.0)
    return plane


def _lung(rng: np.random.Generator, c: Chest) -> Plane:
    """HU of lung: air with a slope, emphysema or haze, vessels, fissures and bands."""
    y, _ = grid(c.size)
    air = np.float32(rng.uniform(-900, -790)) + np.float32(14) * noise(rng, c.size, 20)
    air = air + np.float32(rng.uniform(0, 220)) * np.clip(y - np.float32(c.mid[0]), -0.3, 0.4)
    if rng.random() < 0.25:
        air = air - np.float32(rng.uniform(20, 90)) * step(noise(rng, c.size, int(rng.integers(12, 40))), 1.0)
    if rng.random() < 0.25:
        air = air + np.float32(rng.uniform(40, 150)) * step(noise(rng, c.size, 5) - np.float32(1.2), 1.0)
    vessels = thorax_fine.vessels(rng, c.size, c.mid, c.cage, c.level)
    blood = sum(c.blood) / 2
    return lay(air, vessels, blood)


def _paint(rng: np.random.Generator, plane: Plane, spot: Spot, picture: Scan, blood: float) -> None:
    """One lesion in place, in HU; solid, or a solid core in a veil."""
    blob, look, win = spot.blob, spot.look, spot.blob.window
    low = max(-40.0, picture.window[0] + 25)  # else a narrow window would hide it
    value = float(rng.uniform(low, 75)) + 0.2 * float(rng.random()) * max(0.0, blood - 40)
    bumps = np.clip(rough(rng, blob.alpha.shape, max(2, min(blob.alpha.shape) // 6)), -2, 2)
    if look.uniformity == "heterogeneous":
        dark = np.float32(np.clip(0.2 * (picture.window[1] - picture.window[0]), 70, 250))
        inside = np.float32(value) + np.where(bumps < 0, dark, np.float32(25)) * bumps
        if look.size_class != "tiny" and rng.random() < 0.2:  # a cavity
            cavity = step(blob.inner - np.float32(rng.uniform(0.35, 0.65)) + np.float32(0.08) * bumps, 0.15)
            inside = lay(inside, cavity, -850.0)
    else:
        inside = np.float32(value) + np.float32(6) * bumps
    if look.density == "mixed":
        veil = np.float32(rng.uniform(-600, -350)) + np.float32(60) * bumps
        core = step(blob.inner - np.float32(rng.uniform(0.35, 0.6)) + np.float32(0.1) * bumps, 0.25)
        inside = lay(veil, core, inside)
    cover = thorax_fine.faded(blob) if look.margin == "spiculated" else blob.alpha
    strands = thorax_fine.strands(rng, plane.shape[0], spot)
    plane[:] = lay(plane, strands, value) if strands is not None else plane
    if look.density == "mixed":
        inside = np.maximum(inside, plane[win])
    plane[win] = lay(plane[win], cover, inside)


def _places(lungs: dict[str, Mask], rim: dict[str, Mask], turned: bool) -> tuple[Place, ...]:
    """Each lung by its side; in a turned picture both as one, since left and right are not told there."""
    words = ("in the lung", "within the lung")
    if turned:
        whole, edge = lungs["right"] | lungs["left"], rim["right"] | rim["left"]
        return (Place("lung", edge, whole, {"anatomy": ("lung",)}, words),)
    return tuple(
        Place(
            key=side,
            core=rim[side],
            body=mask,
            location={"side": side, "anatomy": ("lung",)},
            after=(f"in the {side} lung", f"within the {side} lung", f"of the {side} lung"),
            before=(side,),
            wide=words,
            wide_key="chest",
            wide_location={"anatomy": ("lung",)},
        )
        for side, mask in lungs.items()
        if mask.mean() > min(0.006, 0.5 * max(m.mean() for m in lungs.values()))
    )


def _concepts(rng: np.random.Generator, picture: Scan, room: float) -> tuple[Concept, ...]:
    """One name a picture: a nodule and a small tumour look the same. Large tumours need ``room`` (share of
    the picture); a veil shows in wide windows alone."""
    tumour, nodule = THORAX
    kind = rng.random()
    concept = nodule if kind < 0.25 else tumour
    if kind > 0.82 and room > 0.12:
        concept = replace(concept, size=LARGER, margin={"smooth": 2, "ill-defined": 1, "spiculated": 0.3})
    return (concept if picture.window[0] < -600 else replace(concept, density=NO),)


def scene(rng: np.random.Generator, size: int) -> Scene:
    """A random slice, and the function that draws it with its lesions."""
    chest, picture = _chest(rng, size), scan(rng)
    lungs = {side: picture.turn(near > 0) for side, near in chest.lungs.items()}
    rim = lungs
    room = float(sum(mask.mean() for mask in lungs.values()))
    if rng.random() < 0.3 and room > 0.05:
        inner = {side: thorax_fine.inside(mask, 0.04 * size) for side, mask in lungs.items()}
        rim = {side: mask & ~inner[side] for side, mask in lungs.items()}

    def render(rng: np.random.Generator, spots: Sequence[Spot]) -> Picture:
        plane = _bones(rng, chest, _trunk(rng, chest))
        cover = step(np.maximum(*chest.lungs.values()), 0.006)
        plane = np.ascontiguousarray(picture.turn(lay(plane, cover, _lung(rng, chest))))
        for spot in spots:
            _paint(rng, plane, spot, picture, chest.blood[1])
        return camera.to_uint8(acquire(rng, plane, picture))

    organs = {} if picture.turned else {f"{side} lung": mask for side, mask in lungs.items() if mask.any()}
    places = _places(lungs, rim, picture.turned)
    return Scene(
        size,
        175.0 / chest.body[1] / size,
        places,
        render,
        organs,
        concepts=_concepts(rng, picture, room),
        counts=COUNTS,
        normal=0.3,
    )
