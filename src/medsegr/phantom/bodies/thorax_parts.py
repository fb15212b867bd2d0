"""Where the organs of a chest slice lie, at every height from the apex of the lungs to the diaphragm."""

import numpy as np

Part = tuple[float, float, float, float, float]  # centre y, x and radii y, x in units of the cage; angle
WITHIN = {"gullet", "left heart"}  # parts that bound no lung


def _about(rng: np.random.Generator, value: float, spread: float = 0.15) -> float:
    return float(value * rng.uniform(1 - spread, 1 + spread))


def _high(rng: np.random.Generator, level: float, shift: float) -> dict[str, Part]:
    """Great vessels and airways above the heart, in units of the cage's radii."""
    out: dict[str, Part] = {}
    if level < 0.42:
        out["trachea"] = (_about(rng, 0.14), shift, _about(rng, 0.11), _about(rng, 0.075), 0.0)
    elif level < 0.58:
        out["right bronchus"] = (0.16, shift - 0.13, 0.07, _about(rng, 0.075), 0.3)
        out["left bronchus"] = (0.18, shift + 0.13, 0.06, _about(rng, 0.085), -0.3)
    if level < 0.18:
        for i, (v, u) in enumerate(((-0.15, -0.22), (-0.15, 0.2), (-0.05, -0.12), (0.0, 0.17))):
            out[f"branch {i}"] = (v, u, _about(rng, 0.1), _about(rng, 0.08), 0.0)
    elif level < 0.36:
        out["arch"] = (
            -0.08,
            shift + 0.12,
            _about(rng, 0.42),
            _about(rng, 0.14),
            float(rng.uniform(0.1, 0.5)),
        )
    if 0.18 <= level < 0.6:
        out["cava"] = (-0.2, shift - 0.17, _about(rng, 0.11), _about(rng, 0.085), 0.0)
    if 0.36 <= level < 0.62:
        tilt = float(rng.uniform(-0.6, 0.6))
        out["rise"] = (-0.28, shift - 0.05, _about(rng, 0.19), _about(rng, 0.15), 0.0)
        out["trunk"] = (-0.2, shift + 0.16, _about(rng, 0.26), _about(rng, 0.11), tilt)
        out["right hilum"] = (0.08, -0.26, _about(rng, 0.2, 0.4), _about(rng, 0.1, 0.4), 0.2)
        out["left hilum"] = (0.1, 0.28, _about(rng, 0.2, 0.4), _about(rng, 0.1, 0.4), -0.2)
    return out


def _low(rng: np.random.Generator, level: float) -> dict[str, Part]:
    """Descending aorta, heart and the domes under the diaphragm, in units of the cage's radii."""
    out: dict[str, Part] = {}
    if level >= 0.36:
        out["aorta"] = (_about(rng, 0.52, 0.1), _about(rng, 0.19), _about(rng, 0.12), _about(rng, 0.09), 0.0)
    if level >= 0.58:
        grow, tilt = min(1.0, 0.75 + level * 0.3), float(rng.uniform(0.1, 0.7))
        out["heart"] = (-0.2, 0.17, _about(rng, 0.48) * grow, _about(rng, 0.4) * grow, tilt)
        out["right heart"] = (-0.3, -0.02, 0.24 * grow, 0.18 * grow, 0.4)
        out["left heart"] = (-0.12, 0.26, 0.22 * grow, 0.18 * grow, 0.4)
    if level >= 0.82:
        dome = float(rng.uniform(0.3, 0.65)) + (level - 0.82)
        tilt = float(rng.normal(0, 0.3))
        out["liver"] = (_about(rng, 0.1, 1), _about(rng, -0.5), dome, dome * _about(rng, 0.75), tilt)
        if rng.random() < 0.6:
            wide = _about(rng, dome * 0.4, 0.3)
            out["spleen"] = (_about(rng, 0.4), _about(rng, 0.7), _about(rng, dome * 0.75), wide, 0.3)
    return out


def table(rng: np.random.Generator, level: float) -> dict[str, Part]:
    """The parts inside the cage at one level, centre and radii in units of the cage's radii."""
    shift = float(rng.normal(0, 0.03))
    return {
        "front": (-0.62, shift, 0.5, float(rng.uniform(0.03, 0.2)), float(rng.normal(0, 0.1))),
        "core": (0.08, shift + 0.01, _about(rng, 0.5), _about(rng, 0.19, 0.3), 0.0),
        "spine": (_about(rng, 0.74, 0.06), 0.0, _about(rng, 0.24), _about(rng, 0.17), 0.0),
        "back": (1.0, 0.0, _about(rng, 0.3), _about(rng, 0.2), 0.0),
        "gullet": (0.36, shift + 0.06, 0.07, 0.055, 0.0),
        **_high(rng, level, shift),
        **_low(rng, level),
    }
