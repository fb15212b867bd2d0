"""Where each phrase acted, as heat maps: the attention of the words over the image."""

import numpy as np
from PIL import Image as Picture

from medsegr.grid.planes import plane_of, to_slices
from medsegr.results.overlay import window
from medsegr.types import FindingResult, Image

# Anchors of a perceptually even ramp from black over purple and orange to pale yellow.
RAMP = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], float)
OPAQUE = 0.75


def heat_map(image: Image, item: FindingResult) -> Picture.Image | None:
    """One finding's attention over the image, RGB at the image's pixels.

    Of a volume the slice where the words acted most.

    The strongest place is the brightest: maps of two findings cannot be compared in strength. None without
    attention.
    """
    if item.attention is None:
        return None
    attention, pixels = np.nan_to_num(np.asarray(item.attention, np.float32)), window(image)
    plane = plane_of(image)
    stack = to_slices(attention, plane)
    pixels = np.moveaxis(to_slices(np.moveaxis(pixels, -1, 0), plane), 0, -1)
    if stack.ndim == 3:
        z = int(stack.sum(axis=(1, 2)).argmax())
        pixels, stack = pixels[z], stack[z]
    return Picture.fromarray(blend(pixels, stack))


def scaled(attention: np.ndarray) -> np.ndarray:
    """A map as uint8 over its own range: maps of two findings cannot be compared in strength."""
    values = np.nan_to_num(np.asarray(attention, np.float32))
    low, high = float(values.min()), float(values.max())
    return np.asarray(((values - low) / max(high - low, 1e-9) * 255).round(), np.uint8)


def blend(pixels: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """``pixels`` uint8 ``h w 3`` under ``attention`` ``h w`` scaled to its own range; uint8 ``h w 3``."""
    low, high = float(attention.min()), float(attention.max())
    level = (attention - low) / max(high - low, 1e-9)
    place = level * (len(RAMP) - 1)
    below = np.minimum(place.astype(int), len(RAMP) - 2)
    part = (place - below)[..., None]
    heat = RAMP[below] * (1 - part) + RAMP[below + 1] * part
    cover = OPAQUE * level[..., None]
    return np.asarray((pixels * (1 - cover) + heat * cover).round(), np.uint8)
