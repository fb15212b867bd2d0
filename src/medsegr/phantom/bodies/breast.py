"""The shape of a breast in a mammogram: outline, depth below the skin, nipple, chest wall muscle."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medsegr.phantom.draw import Mask, Plane, ellipse, grid, noise, step

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Breast:
    """One breast on the grid; lengths are shares of the side.

    ``v`` and ``u`` run from the armpit (or the top) and from the chest wall, so that one drawing serves left
    and right breasts and pictures that are upside down.
    """

    size: int
    v: Plane
    u: Plane
    inside: Mask
    under: Plane  # distance below the skin, 0 outside
    nipple: Point  # (v, u)
    tip: Point  # (y, x) in the picture
    reach: float  # from the wall to the nipple
    muscle: Plane  # 0 to 1
    oblique: bool
    mirrored: bool  # wall at the right of the picture
    turned: bool  # upside down


def _frame(rng: np.random.Generator) -> tuple[float, float]:
    """How far the chest wall lies from the picture's edge, and how far the breast reaches from it."""
    style = rng.random()
    if style < 0.35:
        wall = 0.0
        return wall, float(rng.uniform(0.36, 0.92))
    wall = float(rng.uniform(0.0, 0.05) if style < 0.5 else rng.uniform(0.08, 0.48))
    return wall, float(np.clip(rng.uniform(0.42, 0.98) * (1 - wall), 0.27, 0.8))


def _profile(rng: np.random.Generator, v: Plane, reach: float, oblique: bool) -> tuple[Plane, float]:
    """How far the breast reaches from the wall at each ``v``, and the nipple's ``v``."""
    half = rng.uniform(0.36, 0.6)
    middle = rng.uniform(0.52, 0.68) if oblique else rng.uniform(0.45, 0.55)
    s = np.abs(v - np.float32(middle)) * np.float32(1 / half)
    long = np.clip(1 - s ** np.float32(rng.uniform(1.8, 2.5)), 0, 1)
    bulge = np.float32(reach) * long ** np.float32(1 / rng.uniform(1.6, 2.4))
    if not oblique:
        return bulge, float(middle + rng.normal(0, 0.03))
    arm = np.float32(reach * rng.uniform(0.3, 0.85)) * np.clip(
        1 - (v / np.float32(middle * rng.uniform(0.9, 1.6))) ** np.float32(rng.uniform(1, 2.5)), 0, 1
    )
    belly = np.float32(rng.choice([0, 0, rng.uniform(0.1, 0.35)]) * reach) * step(
        v - np.float32(middle + 0.75 * half), 0.06
    )
    sharp = np.float32(rng.uniform(3, 6))
    both = (bulge**sharp + arm**sharp + belly**sharp) ** (1 / sharp)
    out: Plane = ndimage.gaussian_filter1d(both, rng.uniform(0.02, 0.06) * v.shape[0], axis=0, mode="nearest")
    return out, float(middle + rng.uniform(-0.04, 0.08))


def _muscle(rng: np.random.Generator, v: Plane, u: Plane, reach: float, oblique: bool) -> Plane:
    """The pectoral muscle: a triangle at the armpit's corner, now and then a half-moon in the other view."""
    wave = np.float32(0.006) * noise(rng, v.shape[0], 4)
    soft = rng.uniform(0.006, 0.04)
    if oblique:
        wide, tall = reach * rng.uniform(0.3, 0.8), rng.uniform(0.35, 0.9)
        bow = np.float32(rng.uniform(-0.04, 0.06)) * np.sin(
            np.clip(v / np.float32(tall), 0, 1) * np.float32(np.pi)
        )
        return step(np.float32(wide) * (1 - v / np.float32(tall)) + bow + wave - u, soft)
    if rng.random() < 0.15:
        arc = (v - np.float32(rng.uniform(0.4, 0.6))) / np.float32(rng.uniform(0.15, 0.35))
        return step(np.float32(reach * rng.uniform(0.06, 0.15)) * (1 - arc * arc) + wave - u, soft)
    return np.zeros_like(v)


def _cut(rng: np.random.Generator, v: Plane, u: Plane) -> Mask:
    """What the detector sees: from the wall on, at times with margins above and below or a notch."""
    seen: Mask = u >= 0
    if rng.random() < 0.12:
        seen &= (v > rng.uniform(0, 0.1)) & (v < 1 - rng.uniform(0, 0.1))
    if rng.random() < 0.2:
        end = v if rng.random() < 0.6 else 1 - v
        seen &= (u > rng.uniform(0.01, 0.05)) | (end > rng.uniform(0.02, 0.12))
    return seen


def breast(rng: np.random.Generator, size: int) -> Breast:
    """A random breast: left or right, seen from above or obliquely, upright or upside down."""
    y, x = grid(size)
    mirrored, turned, oblique = (bool(rng.random() < p) for p in (0.5, 0.4, 0.5))
    wall, reach = _frame(rng)
    v = 1 - y if turned else y
    u = (1 - x if mirrored else x) - np.float32(wall)
    far, at = _profile(rng, v[:, :1], reach, oblique)
    far = far + np.float32(rng.uniform(0.001, 0.006)) * noise(rng, size, 6)[:, :1] - np.float32(0.012)
    inside: Mask = u < far
    tall = float(
        np.interp(at, v[:, 0] if not turned else v[::-1, 0], far[:, 0] if not turned else far[::-1, 0])
    )
    radius = rng.uniform(0.012, 0.026)
    if rng.random() < 0.75:
        out = rng.uniform(-0.6, 0.5) * radius
        inside |= ellipse((v, u), (at, tall + out), (radius * rng.uniform(0.7, 1.2), radius)) < 1
    under = ndimage.distance_transform_edt(inside).astype(np.float32) * np.float32(1 / size)
    inside = inside & _cut(rng, v, u)
    tip = (1 - at if turned else at, 1 - wall - tall if mirrored else wall + tall)
    return Breast(
        size=size,
        v=v,
        u=u,
        inside=inside,
        under=under * inside,
        nipple=(at, tall),
        tip=tip,
        reach=tall,
        muscle=_muscle(rng, v, u, tall, oblique),
        oblique=oblique,
        mirrored=mirrored,
        turned=turned,
    )
