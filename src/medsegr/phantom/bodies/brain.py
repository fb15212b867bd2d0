"""A FLAIR slice of the brain, grey or as a colour composite of three contrasts: gliomas and plaques."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from scipy import ndimage

from medsegr.phantom import camera
from medsegr.phantom.bodies.coronal import coronal
from medsegr.phantom.bodies.head import Cover, Head, axial
from medsegr.phantom.concepts import BRAIN
from medsegr.phantom.draw import Mask, Plane, blur, grid, noise, rough, spread, step, widened
from medsegr.phantom.looks import Choice, Concept
from medsegr.phantom.plan import centroid
from medsegr.phantom.scene import Picture, Place, Scene, Spot

Values = Mapping[str, float]
Exposure = tuple[str, float, float]  # contrast, brightness of white matter, gain of what lies outside

# How bright each tissue is: FLAIR, T1, T1 with contrast medium, T2.
CONTRASTS: Mapping[str, Values] = MappingProxyType(
    {
        "flair": {
            "muscle": 0.3, "fat": 0.85, "bone": 0.05, "marrow": 0.35, "csf": 0.08, "white": 0.42, "grey": 0.5,
            "deep": 0.46, "ventricle": 0.05, "vitreous": 0.06, "mucosa": 0.65, "vessel": 0.25,
        },
        "t1": {
            "muscle": 0.4, "fat": 0.95, "bone": 0.07, "marrow": 0.5, "csf": 0.14, "white": 0.5, "grey": 0.39,
            "deep": 0.42, "ventricle": 0.1, "vitreous": 0.12, "mucosa": 0.35, "vessel": 0.3,
        },
        "t1c": {
            "muscle": 0.45, "fat": 0.95, "bone": 0.08, "marrow": 0.5, "csf": 0.16, "white": 0.5, "grey": 0.42,
            "deep": 0.44, "ventricle": 0.1, "vitreous": 0.12, "mucosa": 0.8, "vessel": 0.95,
        },
        "t2": {
            "muscle": 0.22, "fat": 0.75, "bone": 0.05, "marrow": 0.35, "csf": 0.9, "white": 0.38,
            "grey": 0.52, "deep": 0.45, "ventricle": 0.95, "vitreous": 0.95, "mucosa": 0.8, "vessel": 0.1,
        },
    }
)  # fmt: skip
SHELL = {"muscle", "fat", "bone", "marrow", "vessel", "mucosa", "vitreous"}


@dataclass(frozen=True, slots=True)
class Lump:
    """One lesion ready to paint: its soft cover, texture, and the parts that are dead or take up medium."""

    window: tuple[slice, slice]
    cover: Plane
    texture: Plane
    core: Plane
    taking: Plane
    gain: float  # brightness in FLAIR as a multiple of white matter's
    keep: float  # share of what is below it that shows through


def _tones(rng: np.random.Generator, contrast: str, white: float, shell: float) -> dict[str, float]:
    """Brightness of every tissue, in one scanner's way; white matter gets about ``white``."""
    base = CONTRASTS[contrast]
    gain = white / base["white"]
    out = {name: value * gain * float(rng.uniform(0.85, 1.15)) for name, value in base.items()}
    for name in SHELL:
        out[name] *= shell
    out["white"], out["cleft"] = white, out["csf"]
    gap = (base["grey"] / base["white"] - 1) * rng.uniform(0.2, 1.6) * (-1 if rng.random() < 0.12 else 1)
    out["grey"] = white * (1 + gap)
    out["deep"] = white * (1 + gap * rng.uniform(0.2, 0.9))
    if contrast == "flair":
        out["csf"] = white * rng.uniform(0.05, 0.55)
        out["cleft"] = out["csf"] * rng.uniform(0.7, 1.6)
        out["ventricle"] = white * rng.uniform(0.03, 0.35)
    return out


def _lump(rng: np.random.Generator, spot: Spot, size: int, faint: float) -> Lump:
    """Draw the parts of one lesion that all contrasts share."""
    look, blob = spot.look, spot.blob
    radius = float(np.sqrt(blob.area / np.pi))
    window = widened(blob.window, 2 + round(0.02 * size), size)
    alpha, inner = (spread(plane, blob.window, window) for plane in (blob.alpha, blob.inner))
    plaque = spot.name != "glioma"
    soft = rng.uniform(0.3, 0.9) if plaque else rng.uniform(0.6, 1.6)
    cover = blur(alpha, min(soft * size / 256, 0.25 * radius))
    if not plaque and rng.random() < 0.4:  # a halo that fades into the white matter
        cover = np.maximum(cover, blur(cover, 0.25 * radius) * np.float32(rng.uniform(0.1, 0.3)))
    mixed = look.uniformity == "heterogeneous"
    bumps = np.clip(rough(rng, alpha.shape, max(3, int(rng.uniform(0.12, 0.45) * radius))), -2, 2)
    fine = rough(rng, alpha.shape, max(3, round(0.02 * size)))
    texture = np.float32(rng.uniform(0.2, 0.4) if mixed else 0.05) * bumps + np.float32(0.03) * fine
    core, taking = np.zeros_like(alpha), np.zeros_like(alpha)
    if not plaque and mixed and rng.random() < 0.5:
        depth = rng.uniform(0.1, 0.4)
        core = step(bumps - np.float32(rng.uniform(0.2, 0.9)), 1.0) * step(inner - np.float32(depth), 0.25)
        core *= np.float32(rng.uniform(0.4, 1.0))
    if not plaque and rng.random() < 0.2:
        taking = step(-bumps - np.float32(rng.uniform(0.3, 1.2)), 0.6) * cover
    gain = (rng.uniform(1.35, 2.05) if plaque else rng.uniform(1.5, 2.5)) * faint
    return Lump(window, cover, texture, core * cover, taking, max(1.25, gain), rng.uniform(0.05, 0.5))


def _paint(plane: Plane, lump: Lump, contrast: str, tones: Values) -> None:
    """Lay one lesion over a plane in place."""
    white = tones["white"]
    level = {"flair": lump.gain, "t2": 1 + 1.1 * (lump.gain - 1), "t1": 0.78, "t1c": 0.8}[contrast] * white
    strength = {"flair": 1.0, "t2": 1.0, "t1": -0.35, "t1c": -0.3}[contrast]
    value = np.float32(min(level, max(0.9, 1.4 * white))) * (1 + np.float32(strength) * lump.texture)
    hollow = white * {"flair": 0.6, "t2": 2.4, "t1": 0.5, "t1c": 0.55}[contrast]
    value = value + lump.core * (np.float32(hollow) - value)
    part = plane[lump.window]
    part += lump.cover * np.float32(1 - lump.keep) * (value - part)
    if contrast == "t1c":
        part += lump.taking * np.float32(0.5 * white)


def _pushed(rng: np.random.Generator, head: Head, spots: Sequence[Spot]) -> tuple[Cover, ...]:
    """The tissues, with ventricles, clefts and deep nuclei pushed away from what is large: mass effect."""
    size = head.frame.size
    if not spots:
        return head.tissues
    large = max(spots, key=lambda s: s.blob.area)
    if large.name != "glioma" or large.blob.area < 0.012 * size**2 or rng.random() < 0.35:
        return head.tissues
    radius, (cy, cx) = float(np.sqrt(large.blob.area / np.pi)), centroid(large.blob)
    y, x = grid(size)
    dy, dx = y * size - np.float32(cy), x * size - np.float32(cx)
    far = np.hypot(dy, dx) + np.float32(0.5)
    amount = np.float32(radius * rng.uniform(0.1, 0.4)) * np.exp(-((far / np.float32(1.5 * radius)) ** 2))
    rows, cols = y * size - np.float32(0.5), x * size - np.float32(0.5)
    source = np.stack([rows - amount * dy / far, cols - amount * dx / far])
    out = []
    for name, cover in head.tissues:
        moves = name in ("ventricle", "deep", "cleft")
        out.append((name, ndimage.map_coordinates(cover, source, order=1) if moves else cover))
    return tuple(out)


def _plane(
    rng: np.random.Generator,
    exposure: Exposure,
    tissues: Sequence[Cover],
    lumps: Sequence[Lump],
    extra: Plane,
) -> Plane:
    """One contrast of the slice with its lesions and what misleads, before the scanner."""
    contrast, white, _ = exposure
    size, tones = extra.shape[0], _tones(rng, *exposure)
    plane = np.zeros((size, size), np.float32)
    covered = np.zeros((size, size), np.float32)
    for lump in lumps:
        np.maximum(covered[lump.window], lump.cover, out=covered[lump.window])
    for name, cover in tissues:
        hidden = cover * (1 - np.float32(0.9) * covered) if name == "ventricle" else cover
        plane += hidden * (np.float32(tones[name]) - plane)
    if contrast in ("flair", "t2"):
        plane += extra * np.float32(white)
    texture = np.float32(1) + np.float32(rng.uniform(0.01, 0.05)) * noise(rng, size, 30)
    texture += np.float32(rng.uniform(0.01, 0.06)) * noise(rng, size, 8)
    plane *= texture
    for lump in lumps:
        _paint(plane, lump, contrast, tones)
    return plane


def _misleading(rng: np.random.Generator, head: Head, plaques: bool) -> Plane:
    """What is bright in FLAIR and healthy, or another disease, as a share of white matter's brightness."""
    f = head.frame
    caps = rng.uniform(0, 0.15) if plaques or rng.random() < 0.6 else rng.uniform(0.15, 0.5)
    extra = step(head.caps, 1.6) * np.float32(caps)
    if rng.random() < 0.4:  # limbic cortex, insula, the long tracts: the same on both sides
        spread = (rng.uniform(0.06, 0.2), rng.uniform(0.04, 0.1))
        both = f.pair(rng.uniform(-0.4, 0.5), rng.uniform(0.15, 0.6), *spread, rng.uniform(-0.6, 0.6))
        extra += step(both, 1.2) * np.float32(rng.uniform(0.05, 0.25))
    if f.level < 0.35 and rng.random() < 0.4:  # air of the sinuses bends the field above it
        extra += step(f.oval(rng.uniform(-0.45, -0.3), 0, 0.12, 0.25), 1.4) * np.float32(
            rng.uniform(0.1, 0.6)
        )
    if not plaques and rng.random() < 0.2:  # small vessels' disease
        for _ in range(int(rng.integers(2, 8))):
            r = rng.uniform(0.012, 0.035, 2)
            dot = f.oval(rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5), float(r[0]), float(r[1]))
            extra += step(dot, 1.0) * np.float32(rng.uniform(0.2, 0.8))
    rim = step(head.cortex - np.float32(0.3), 0.6) * step(noise(rng, f.size, 5) - np.float32(0.8), 1.0)
    extra += rim * np.float32(rng.uniform(0, 0.2))
    out: Plane = extra * step(head.brain - np.float32(0.02), 0.03) * (1 - step(head.ventricles, 0.4))
    return out


def _choroid(rng: np.random.Generator, head: Head, contrast: str, plane: Plane, white: float) -> None:
    """Plexus in the trigones, in place."""
    f = head.frame
    if not 0.42 < f.level < 0.62:
        return
    knot = step(f.pair(0.4, 0.29, 0.07, 0.035, 0.3), 0.6) * step(head.ventricles, 0.3)
    level = {"flair": 1.2, "t2": 1.3, "t1": 0.9, "t1c": 1.9}[contrast] * white
    plane += knot * np.float32(rng.uniform(0.2, 0.9)) * (np.float32(level) - plane)


def _scan(rng: np.random.Generator, plane: Plane, sigma: float, bias: Plane, grain: float) -> Plane:
    """What the scanner does to one contrast: coil, blur, ghost, noise that has no zero, window."""
    size = plane.shape[0]
    out = blur(plane * bias, sigma * size / 256)
    if rng.random() < 0.25:
        away = int(size * rng.uniform(0.15, 0.5))
        out = out + np.float32(rng.uniform(0.01, 0.06)) * np.roll(out, away, int(rng.integers(2)))
    waves = rng.standard_normal((2, size, size), dtype=np.float32) * np.float32(grain)
    if rng.random() < 0.5:
        waves = np.stack([blur(w, 0.7 * size / 256) for w in waves]) * np.float32(1.7)
    out = np.clip(np.hypot(out + waves[0], waves[1]) - np.float32(rng.uniform(0, 1.3) * grain), 0, 1)
    whole: Plane = out ** np.float32(np.exp(rng.normal(0, 0.15)))
    return whole


def _shifted(rng: np.random.Generator, plane: Plane) -> Plane:
    """Moved by a pixel or so: contrasts were taken one after the other."""
    reach = max(1, plane.shape[0] // 256)
    move = [int(m) for m in rng.integers(-reach, reach + 1, 2)]
    out: Plane = np.roll(plane, move, (0, 1))
    return out


def _exposures(rng: np.random.Generator, coloured: bool) -> tuple[Exposure, ...]:
    """The contrasts of a picture: one, or red (T1), green (FLAIR) and blue (T1 with contrast medium).

    Where a contrast was not taken, FLAIR stands in its place; some composites are grey altogether.
    """
    white = float(np.clip(np.exp(rng.normal(np.log(0.28), 0.33)), 0.15, 0.6))
    shell = float(np.exp(rng.normal(0.4, 0.4)))
    if not coloured:
        return (("t2" if rng.random() < 0.12 else "flair", white, shell),)
    style = rng.random()
    red, blue = ("flair", "flair") if style < 0.1 else ("t1", "t1c")
    if 0.1 < style < 0.3:
        red, blue = ("flair", blue) if rng.random() < 0.5 else (red, "flair")
    shells = [shell * float(np.exp(rng.normal(0, 0.2))) for _ in range(3)]
    gains = [float(g) for g in (rng.normal(0.78, 0.1), 1.0, rng.normal(0.88, 0.1))]
    if style < 0.1:
        gains = [1.0, 1.0, 1.0]
    elif rng.random() < 0.2:  # dark and bluish, the scalp yellow
        gains, shells = [0.6, 0.65, rng.uniform(0.75, 0.95)], [2 * shell, 2 * shell, 0.6 * shell]
    return tuple(zip((red, "flair", blue), (white * g for g in gains), shells, strict=True))


def _render(rng: np.random.Generator, head: Head, spots: Sequence[Spot], coloured: bool) -> Picture:
    size = head.frame.size
    faint = float(rng.uniform(0.8, 1.05))
    lumps = [_lump(rng, spot, size, faint) for spot in spots]
    bias = np.exp(np.float32(rng.uniform(0.02, 0.16)) * noise(rng, size, 2))
    sigma, grain = float(rng.uniform(0.3, 1.1)), float(np.exp(rng.uniform(np.log(0.003), np.log(0.03))))
    bare = rng.random() < 0.14
    skin = step(head.brain + np.float32(0.01), 0.02) if bare else np.float32(1)
    air = skin if rng.random() < 0.8 else np.float32(1)  # what was cut away is mostly black, without noise
    plaques = spots[0].name != "glioma" if spots else rng.random() < 0.5
    extra = _misleading(rng, head, bool(plaques))
    tissues = _pushed(rng, head, spots)
    planes: list[Plane] = []
    for name, level, shell in _exposures(rng, coloured):
        plane = _plane(rng, (name, level, shell), tissues, lumps, extra)
        _choroid(rng, head, name, plane, level)
        planes.append(_scan(rng, plane * skin, sigma, bias, grain) * air)
    top = max(float(np.percentile(p[::3, ::3], 99.7)) for p in planes)
    if top < 0.65:  # no scalp to fill the window, so the brain does
        gain = np.float32(rng.uniform(0.65, 1.0) / top)
        planes = [p * gain for p in planes]
    if not coloured:
        return camera.to_uint8(planes[0])
    return camera.to_uint8(np.stack([_shifted(rng, planes[0]), planes[1], _shifted(rng, planes[2])], axis=2))


def _place(head: Head, side: str, name: str, core: Mask, body: Mask) -> Place:
    anatomy, words = {
        "cerebellum": ("cerebellum", (f"in the {side} cerebellar hemisphere",)),
        "periventricular": (
            "periventricular white matter",
            (f"in the {side} periventricular white matter",),
        ),
    }.get(name, (f"{name} lobe", (f"in the {side} {name} lobe", f"within the {side} {name} lobe")))
    cerebral = head.cerebrum and name != "cerebellum"
    return Place(
        key=f"{side} {name}",
        core=core,
        body=body,
        location={"side": side, "anatomy": (anatomy,)},
        after=words,
        before=(f"{side} {name}",) if name in {"frontal", "parietal", "temporal", "occipital"} else (),
        wide=(f"in the {side} cerebral hemisphere",) if cerebral else (),
        wide_key=side if cerebral else "",
        wide_location={"side": side},
    )


def _places(rng: np.random.Generator, head: Head, plaques: bool) -> tuple[Place, ...]:
    f = head.frame
    tissue = head.brain > 0.5 * f.px
    hollow = head.ventricles > 0
    spared = head.cortex > 0.5 if rng.random() < 0.4 else np.zeros_like(tissue)
    out = []
    for side, sign in (("right", -1), ("left", 1)):
        half = tissue & (f.u * sign > 0.012)
        body = half & ~hollow if plaques or rng.random() < 0.4 else half
        room = half & (head.ventricles > -0.5) & ~hollow if plaques and head.cerebrum else half & False
        if not plaques:
            body = body & ~(spared & (head.brain < 0.05))
        inside = half & (head.brain > 0.05) & (head.cortex < 0.7) if plaques else half
        for name, lobe in (*head.lobes, ("periventricular", room)):
            if name == "cerebellum" and not plaques and rng.random() < 0.6:  # gliomas are rare there
                continue
            core = inside & lobe if name == "periventricular" else inside & lobe & ~room
            if core.sum() >= (0.004 if plaques else 0.01) * f.size**2:
                out.append(_place(head, side, name, core, body))
    return tuple(out)


def _concept(rng: np.random.Generator, plaques: bool, size: int, upright: bool, roomy: bool) -> Concept:
    """One of the two; plaques in a picture are of about one size, and not below what the grid can hold."""
    if not plaques:
        large: Choice = {"small": 0.5, "medium": 1, "large": 6}  # what fits least is refused most
        if not roomy:
            return replace(BRAIN[0], size={"small": 3, "medium": 2, "large": 0.5})
        return replace(BRAIN[0], size=large) if rng.random() < 0.6 else BRAIN[0]
    low = max(0.0004, 14 / size**2)
    high = max(2 * low, float(rng.choice([0.0009, 0.0016, 0.003])) * (0.6 if upright else 1))
    sizes: Choice = {"tiny": 1.0} if upright else BRAIN[1].size  # heads are small in pictures with shoulders
    areas = MappingProxyType({**BRAIN[1].areas, "tiny": (low, high)})
    return replace(BRAIN[1], size=sizes, areas=areas)


def scene(rng: np.random.Generator, size: int) -> Scene:
    """A random slice with either gliomas or plaques, and the function that draws it with them."""
    plaques = bool(rng.random() < 0.45)
    coloured = bool(rng.random() < (0.17 if plaques else 0.5))
    upright = plaques and not coloured and bool(rng.random() < 0.25)
    places: tuple[Place, ...] = ()
    while len(places) < 2:
        head = coronal(rng, size) if upright else axial(rng, size)
        places = _places(rng, head, plaques)

    def render(rng: np.random.Generator, spots: Sequence[Spot]) -> Picture:
        return _render(rng, head, spots, coloured)

    roomy = max(float(place.body.mean()) for place in places) > 0.08
    counts = (0.15, 0.3, 0.27, 0.17, 0.11) if plaques else (0.86, 0.14)
    mm = head.tall_mm / (2 * head.frame.radii[0] * size)
    return Scene(
        size,
        mm,
        places,
        render,
        {"brain": head.brain > 0.5 * head.frame.px},
        modality=str(rng.choice(["brain MRI", "FLAIR MRI"])),
        concepts=(_concept(rng, plaques, size, upright, roomy),),
        counts=counts,
        normal=0.2,
    )
