"""An axial CT slice of the upper abdomen. Radiological view: the patient's right is at the picture's left."""

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
    ellipse,
    grid,
    lay,
    noise,
    rough,
    step,
    strokes,
    wavy,
)
from medsegr.phantom.scene import Picture, Place, Scene, Spot

Field = Mapping[str, Plane]
CONTRAST = {"hypo": -0.13, "hyper": 0.15, "fluid": -0.2, "calcified": 0.5}


@dataclass(frozen=True, slots=True)
class Body:
    """One slice: signed fields and masks of its organs, its centre (y, x) and zoom."""

    fields: Field
    organs: Mapping[str, Mask]
    mid: tuple[float, float]
    zoom: float
    size: int


def _fields(rng: np.random.Generator, size: int, mid: tuple[float, float], zoom: float) -> Field:
    """1 - normalised radius of every organ: above 0 inside. x grows to the patient's left."""
    yx = wavy(rng, size, 0.010, 5)

    def at(dy: float, dx: float, ry: float, rx: float, angle: float = 0.0) -> Plane:
        centre = (mid[0] + dy * zoom, mid[1] + dx * zoom)
        return bump(yx, centre, (ry * zoom, rx * zoom), angle)

    jitter = rng.normal(0, 0.012, 16)
    grow = rng.uniform(0.85, 1.12, 8)
    body = at(0, 0, 0.36, 0.455)
    liver = np.maximum(
        at(-0.02 + jitter[0], -0.23, 0.22 * grow[0], 0.165 * grow[1], -0.2),
        at(-0.115, -0.06, 0.105, 0.20 * grow[2], 0.12),
    )
    liver = np.maximum(liver, at(-0.135 + jitter[5], 0.075, 0.07 * grow[2], 0.115 * grow[3], 0.2))
    return {
        "body": body,
        "cavity": at(0.0, 0, 0.30, 0.395),
        "liver": liver,
        "spleen": at(0.045 + jitter[1], 0.305 + jitter[2], 0.155 * grow[4], 0.08 * grow[5], 0.35),
        "stomach": at(-0.085 + jitter[3], 0.225, 0.105 * grow[6], 0.105, 0.4),
        "right kidney": at(0.165 + jitter[4], -0.17, 0.088 * grow[7], 0.068, -0.5),
        "left kidney": at(0.155 + jitter[6], 0.165 + jitter[7], 0.09 * grow[7], 0.068, 0.5),
        "spine": at(0.165, 0.0, 0.058, 0.068),
        "canal": at(0.235, 0.0, 0.022, 0.026),
        "arch": at(0.245, 0.0, 0.05, 0.06),
        "aorta": at(0.085, 0.03 + jitter[8], 0.03, 0.03),
        "cava": at(0.075, -0.06, 0.028, 0.036),
        "right psoas": at(0.165, -0.088, 0.05, 0.028, -0.3),
        "left psoas": at(0.165, 0.088, 0.05, 0.028, 0.3),
        "right back": at(0.245, -0.10, 0.055, 0.075, -0.2),
        "left back": at(0.245, 0.10, 0.055, 0.075, 0.2),
        "pancreas": at(0.0 + jitter[9], 0.05, 0.032, 0.13, 0.25),
    }


def _organs(f: Field) -> dict[str, Mask]:
    inside = f["cavity"] > 0.01
    spine = f["spine"] > -0.15
    right, left = (f["right kidney"] > 0) & ~spine & inside, (f["left kidney"] > 0) & ~spine & inside
    vessels = (f["aorta"] > -0.1) | (f["cava"] > -0.1)
    liver = (f["liver"] > 0) & inside & ~(f["right kidney"] > -0.12) & ~spine & ~vessels
    spleen = (f["spleen"] > 0) & inside & ~(f["left kidney"] > -0.12) & ~liver
    return {"liver": liver, "spleen": spleen, "right kidney": right, "left kidney": left}


def _muscle(f: Field) -> Plane:
    """Psoas and back muscles, 0 to 1."""
    return step(
        np.maximum(
            np.maximum(f["right back"], f["left back"]), np.maximum(f["right psoas"], f["left psoas"])
        ),
        0.15,
    )


def _bowel(rng: np.random.Generator, plane: Plane, room: Mask, mid: tuple[float, float]) -> Plane:
    """Loops of bowel with wall, content and gas, where no organ is."""
    size = plane.shape[0]
    yx = grid(size)
    for _ in range(int(rng.integers(7, 16))):
        centre = (mid[0] + rng.uniform(-0.25, 0.08), mid[1] + rng.uniform(-0.22, 0.30))
        radius = rng.uniform(0.02, 0.05)
        low, high = (
            [int(max(0, (c - radius * 1.6) * size)) for c in centre],
            [int((c + radius * 1.6) * size) + 2 for c in centre],
        )
        win = (slice(low[0], high[0]), slice(low[1], high[1]))
        near = np.float32(1) - ellipse(
            (yx[0][win], yx[1][win]), centre, (radius * rng.uniform(0.7, 1.2), radius), rng.uniform(0, 3)
        )
        cover = step(near, 0.25) * room[win]
        content = rng.choice([0.50, 0.56, 0.9, 0.02], p=[0.4, 0.25, 0.15, 0.2])
        plane[win] = plane[win] * (1 - cover) + cover * np.float32(0.56)
        core = step(near - np.float32(0.25), 0.2) * room[win]
        level = np.where(
            yx[0][win] < np.float32(centre[0] - 0.2 * radius),
            np.float32(content),
            np.float32(max(content, 0.5)),
        )
        plane[win] = plane[win] * (1 - core) + core * level
    return plane


def _ribs(rng: np.random.Generator, size: int, mid: tuple[float, float], zoom: float) -> Plane:
    lines: list[Stroke] = []
    for angle in np.arange(rng.uniform(0, 0.4), 2 * np.pi, rng.uniform(0.38, 0.5)):
        if np.sin(angle) < -0.85:
            continue
        run = angle + np.linspace(-0.05, 0.05, 4) * rng.uniform(0.7, 1.6)
        points = [(mid[1] + 0.415 * zoom * np.cos(a), mid[0] + 0.318 * zoom * np.sin(a)) for a in run]
        lines.append((points, 0.017 * zoom * size, 1.0))
    return strokes(size, lines, 0.003 * size)


LOBE = {
    side: (f"in the {side} lobe of the liver", f"in the {side} hepatic lobe", f"in the {side} liver lobe")
    for side in ("right", "left")
}


def _near_kidney(b: Body, side: str) -> Mask:
    """A kidney and the fat around it: a cyst may bulge out of the organ."""
    x = grid(b.size)[1]
    wider = ellipse(grid(b.size), _centre(b.organs[f"{side} kidney"]), (0.14, 0.115)) < 1
    own_half = x < b.mid[1] - 0.06 if side == "right" else x > b.mid[1] + 0.06
    out: Mask = wider & own_half & (b.fields["cavity"] > 0.03) & ~b.organs["liver"] & ~b.organs["spleen"]
    return out


def _places(b: Body) -> tuple[Place, ...]:
    x, organs = grid(b.size)[1], b.organs
    out = []
    halves = {"right": x < b.mid[1] - 0.13, "left": x > b.mid[1] - 0.04}
    for side in ("right", "left"):
        # The left lobe lies across the midline, so "left" names the lobe and not the side of the body.
        where = {"side": "right" if side == "right" else "midline", "anatomy": ("liver",), "organ": "liver"}
        core = organs["liver"] & halves[side]
        out.append(
            Place(
                f"liver {side}",
                core,
                organs["liver"],
                where,
                LOBE[side],
                (f"{side} hepatic lobe",),
                ("liver lesion",),
            )
        )
        organ = f"{side} kidney"
        where = {"side": side, "anatomy": ("kidney",), "organ": organ}
        kidney = (f"in the {organ}", f"of the {organ}", f"within the {organ}")
        room = _near_kidney(b, side)
        out.append(Place(organ, organs[organ], room, where, kidney, (), ("kidney cyst", "kidney tumour")))
    where = {"side": "left", "anatomy": ("spleen",), "organ": "spleen"}
    words = ("in the spleen", "within the spleen")
    out.append(Place("spleen", organs["spleen"], organs["spleen"], where, words, ("splenic",), ("lesion",)))
    return tuple(p for p in out if p.core.sum() > 0.004 * b.size * b.size)


def _centre(mask: Mask) -> tuple[float, float]:
    ys, xs = np.nonzero(mask)
    return (float(ys.mean()) / mask.shape[0], float(xs.mean()) / mask.shape[0]) if ys.size else (0.5, 0.5)


def _paint(rng: np.random.Generator, plane: Plane, spot: Spot, organ: Mask) -> None:
    blob, look = spot.blob, spot.look
    win = blob.window
    level = float(plane[win][organ[win]].mean()) if organ[win].any() else 0.6
    delta = CONTRAST.get(look.density or "", 0.1) * rng.uniform(0.8, 1.3)
    value = 0.47 + rng.uniform(-0.02, 0.02) if look.density == "fluid" else level + delta
    bumps = np.clip(rough(rng, blob.alpha.shape, 5), -1.6, 1.6)
    texture = np.float32(0.085 if look.uniformity == "heterogeneous" else 0.006) * bumps
    plane[win] = lay(plane[win], blob.alpha, np.float32(value) + texture)


def _soft_parts(rng: np.random.Generator, b: Body) -> Plane:
    """Skin, fat, wall, stomach, bowel, vessels, muscles and organs, without bone."""
    f, size = b.fields, b.size
    plane = step(f["body"], 0.02) * np.float32(rng.uniform(0.3, 0.38))
    wall = step(f["body"] - np.float32(rng.uniform(0.03, 0.12)), 0.02)
    plane = np.maximum(plane, wall * np.float32(0.52))
    fat = np.float32(0.36) + np.float32(0.01) * noise(rng, size, 24)
    plane = lay(plane, step(f["cavity"], 0.03), fat)
    free = (f["cavity"] > 0.06) & (f["spine"] < -0.2) & ~np.logical_or.reduce(list(b.organs.values()))
    plane = _bowel(rng, plane, free & (f["stomach"] < 0), b.mid)
    gas = step(np.float32(b.mid[0] - 0.12 * b.zoom) - grid(size)[0], 0.01)
    gas = gas * np.float32(0.5 * float(rng.random() < 0.6))
    plane = lay(plane, step(f["stomach"], 0.08) * free, np.float32(0.54) - gas)
    shift = rng.uniform(-0.05, 0.05)
    for name, value in (("pancreas", 0.57), ("cava", 0.64), ("aorta", 0.70)):
        cover = step(f[name], 0.12) * (free if name == "pancreas" else 1)
        plane = lay(plane, cover, value + shift + rng.uniform(-0.02, 0.06))
    plane = lay(plane, _muscle(f), 0.55)
    for name, value in (("liver", 0.62), ("spleen", 0.63), ("right kidney", 0.68), ("left kidney", 0.68)):
        plane = lay(plane, b.organs[name].astype(np.float32), value + shift + rng.uniform(-0.03, 0.03))
    pelvis = step(np.maximum(f["right kidney"], f["left kidney"]) - np.float32(0.45), 0.3)
    plane -= pelvis * np.float32(rng.uniform(-0.08, 0.14))
    return plane


def _hard_parts(rng: np.random.Generator, b: Body) -> Plane:
    """Spine and ribs."""
    f = b.fields
    bone = np.maximum(step(f["spine"], 0.1), step(f["arch"], 0.3)) * (1 - step(f["canal"], 0.2))
    bone = bone * (np.float32(0.8) + np.float32(0.1) * noise(rng, b.size, 40))
    out: Plane = np.maximum(bone, _ribs(rng, b.size, b.mid, b.zoom)) * np.float32(rng.uniform(0.85, 1.0))
    return out


def _render(rng: np.random.Generator, b: Body, spots: Sequence[Spot]) -> Picture:
    size, mid = b.size, b.mid
    plane = _soft_parts(rng, b)
    trees = [curve(rng, (mid[1] - 0.1, mid[0]), rng.uniform(2.2, 4.6), 0.22, 0.6) for _ in range(6)]
    tree = strokes(size, [(t, 0.009 * size, 1.0) for t in trees], 0.6) * b.organs["liver"]
    plane = np.maximum(plane + tree * np.float32(rng.uniform(-0.03, 0.08)), _hard_parts(rng, b))
    for spot in spots:
        _paint(rng, plane, spot, b.organs[str(spot.place.location["organ"])])
    rest = [(0.1, mid[0] + 0.42), (0.5, mid[0] + 0.44), (0.9, mid[0] + 0.42)]
    table = strokes(size, [(rest, 3 * size / 256, 0.5)], 0.5) * (b.fields["body"] < 0)
    plane = np.maximum(plane, table * np.float32(rng.uniform(0, 1)))
    low, high = rng.uniform(0.12, 0.3), rng.uniform(0.8, 0.95)
    window = (plane - np.float32(low)) * np.float32(1 / (high - low))
    return camera.to_uint8(camera.grey(rng, blur(window, 0.6), 0.055, (0.75, 1.35)))


def scene(rng: np.random.Generator, size: int) -> Scene:
    """A random slice, and the function that draws it with its lesions."""
    zoom = float(rng.uniform(0.92, 1.07))
    mid = (float(rng.uniform(0.47, 0.53)), float(rng.uniform(0.48, 0.52)))
    fields = _fields(rng, size, mid, zoom)
    body = Body(fields, _organs(fields), mid, zoom, size)

    def render(rng: np.random.Generator, spots: Sequence[Spot]) -> Picture:
        return _render(rng, body, spots)

    return Scene(size, 400.0 / size / zoom, _places(body), render, body.organs)
