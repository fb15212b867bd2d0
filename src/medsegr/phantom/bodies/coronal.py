"""A coronal slice of head and neck, from the forehead (level 0) to the occiput (level 1)."""

import numpy as np

from medsegr.phantom.bodies.head import Cover, Frame, Head, cortex, fissure, folia, frame
from medsegr.phantom.draw import Mask, Plane, noise, step

HEIGHT_MM = 165.0  # from the crown to where the round of the skull would close


def _neck(rng: np.random.Generator, f: Frame) -> Plane:
    """Depth below the skin of face, neck and shoulders."""
    jaw, wide = rng.uniform(0.65, 0.9), rng.uniform(0.5, 0.75)
    start = rng.uniform(1.35, 2.1)
    half = np.float32(0.92) - np.float32(0.92 - wide) * np.clip(
        (f.v - np.float32(0.1)) / np.float32(jaw), 0, 1
    )
    half = half + np.float32(rng.uniform(1.5, 4)) * np.clip(f.v - np.float32(start), 0, 2)
    out: Plane = np.minimum(half - np.abs(f.u), np.float32(0.8) * f.v)
    return out


def _soft_parts(rng: np.random.Generator, f: Frame, neck: Plane) -> list[Cover]:
    """Muscles, fat planes, bone and air of face and neck, as uneven bands along the body."""
    inside = step(neck - np.float32(0.1), 0.05)
    bands = noise(rng, f.size, 9, 22) + np.float32(0.6) * noise(rng, f.size, 30)
    core = step(np.float32(0.4) - np.abs(f.u), 0.15)
    out: list[Cover] = [
        ("bone", step(bands - np.float32(rng.uniform(-0.4, 0.4)), 1.5) * inside * np.float32(0.7)),
        ("fat", step(noise(rng, f.size, 14, 36) - np.float32(0.9), 0.9) * inside * np.float32(0.45)),
    ]
    discs = step(np.sin(f.v * np.float32(rng.uniform(18, 28))), 0.8) * core * np.float32(rng.uniform(0, 0.6))
    return [*out, ("marrow", discs * inside)]


def _brain(rng: np.random.Generator, f: Frame, inner: Plane) -> tuple[Plane, Plane | None]:
    """The brain above an uneven skull base, and the cerebellum where the slice lies far enough behind."""
    t = f.level
    uneven = np.float32(0.03) * noise(rng, f.size, 8)
    floor = rng.uniform(0.12, 0.22) + 0.15 * np.sin(np.pi * min(1.0, t + 0.15))
    top = np.minimum(inner, np.float32(0.5) * (np.float32(floor) - f.v) + uneven)
    if t < 0.2:
        return top, None
    if t < 0.62:
        temporal = f.pair(0.26, 0.52, 0.3, 0.33, 0.2) * np.float32(0.3) + uneven
        stem = f.oval(0.35, 0, 0.4, 0.15) * np.float32(0.3)
        return np.maximum(top, np.minimum(np.maximum(temporal, stem), inner)), None
    low = np.minimum(f.oval(rng.uniform(0.42, 0.5), 0, 0.27, 0.66) * np.float32(0.3) + uneven, inner)
    return np.maximum(top, low), low


def _ventricles(rng: np.random.Generator, f: Frame) -> Plane:
    wide = rng.uniform(0.5, 1.7)
    if f.level < 0.2 or f.level > 0.82:
        return np.full((f.size, f.size), np.float32(-0.6))
    if f.level < 0.6:
        horns = f.pair(-0.14, 0.12, 0.12, 0.045 * wide, rng.uniform(0.5, 1.0))
        return np.maximum(horns, f.oval(0.1, 0, 0.1, 0.02 * wide))
    return f.pair(rng.uniform(-0.05, 0.1), 0.3, 0.14, 0.05 * wide, rng.uniform(-0.3, 0.5))


def _lobes(f: Frame, cerebellum: Plane | None) -> tuple[tuple[str, Mask], ...]:
    if cerebellum is not None:
        low = cerebellum > -0.02
        upper = "occipital" if f.level > 0.85 else "parietal"
        return (("cerebellum", cerebellum > 0.01), (upper, ~low & (f.v < (0.3 if f.level > 0.85 else -0.15))))
    if f.level < 0.2:
        return (("frontal", f.v < 0.4),)
    temporal = (f.v > 0.16) & (np.abs(f.u) > 0.3)
    return (("frontal" if f.level < 0.45 else "parietal", f.v < -0.3), ("temporal", temporal))


def coronal(rng: np.random.Generator, size: int) -> Head:
    """A random coronal slice."""
    f = frame(rng, size, float(rng.uniform(0, 1)), True)
    round_off = np.float32(rng.uniform(2.0, 2.6))  # 2 is an ellipse, more is squarer
    norm = (np.abs(f.u) ** round_off + np.abs(f.v) ** round_off) ** (1 / round_off)
    cap: Plane = (1 - norm).astype(np.float32)
    scalp, skull = rng.uniform(0.03, 0.08), rng.uniform(0.03, 0.07)
    neck = _neck(rng, f)
    whole = np.maximum(cap, neck)
    soft = 1.8 * f.px
    under = np.float32(scalp) * (1 + np.float32(2.5) * np.clip(f.v - np.float32(0.9), 0, 1.2))
    inner = cap - np.float32(scalp + skull)
    near = inner - np.float32(rng.uniform(0.004, 0.03))
    brain, cerebellum = _brain(rng, f, near)
    brain = brain.astype(np.float32)
    csf = _ventricles(rng, f)
    cleft, away = fissure(rng, f, -2.0 if f.level < 0.2 or f.level > 0.7 else -0.35)
    grey, sulci = cortex(rng, f, brain, away)
    body = step(brain, 2 * f.px)
    tissues: list[Cover] = [
        ("muscle", step(whole, soft)),
        *_soft_parts(rng, f, neck),
        ("fat", step(whole - np.float32(0.012), soft) * step(under - whole, soft)),
        ("bone", step(cap - np.float32(scalp), soft) * step(np.float32(0.35) - f.v, 0.2)),
        ("csf", step(np.minimum(inner, brain + np.float32(0.035)), 2 * f.px)),
        ("white", body),
        ("grey", grey * body),
        ("csf", sulci * body),
        ("cleft", cleft * body),
    ]
    if cerebellum is not None:
        tissues.append(("csf", step(np.float32(0.02) - np.abs(cerebellum), 0.02) * body * np.float32(0.7)))
        tissues.append(("white", step(cerebellum, 4 * f.px) * np.float32(0.85)))
        tissues.append(("csf", folia(rng, f, cerebellum) * np.float32(rng.uniform(0.05, 0.35))))
    tissues.append(("ventricle", step(csf, max(0.12, 50 * f.px)) * body))
    none = np.full_like(csf, -0.6)
    return Head(f, tuple(tissues), brain, csf, none, grey, _lobes(f, cerebellum), True, HEIGHT_MM)
