"""A dermoscopy photograph: skin, hairs, ruler, ink, and pigmented or pink lesions."""

from collections.abc import Sequence

import numpy as np

from medsegr.phantom import camera
from medsegr.phantom.draw import blur, noise
from medsegr.phantom.places import nine
from medsegr.phantom.scene import Picture, Scene, Spot


def scene(rng: np.random.Generator, size: int) -> Scene:
    """A random photograph, and the function that draws it with its lesions."""

    def render(rng: np.random.Generator, spots: Sequence[Spot]) -> Picture:
        plane = np.float32(0.5) + np.float32(0.1) * noise(rng, size, 8)
        for spot in spots:
            plane[spot.blob.window] += blur(spot.blob.alpha, 1) * np.float32(0.3)
        return camera.to_uint8(plane)

    return Scene(size, 200.0 / size, nine(size, np.ones((size, size), bool)), render)
