"""The best that one can do without looking: one centred ellipse on every image."""

from dataclasses import dataclass

import numpy as np

from medsegr.types import Image, Prompt, Segmentation


@dataclass(frozen=True, slots=True)
class Constant:
    """Draws an ellipse (ellipsoid in volumes) of ``width`` times each side of the grid, centred. ``width`` in
    (0, 2].
    """

    width: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.width <= 2:
            raise ValueError(f"width must be above 0 and at most 2, got {self.width}")

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """The same 0/1 mask for every target."""
        axes = np.meshgrid(
            *((np.arange(n) + 0.5) / n * 2 - 1 for n in image.grid), indexing="ij", sparse=True
        )
        distance: np.ndarray = np.sum(np.stack(np.broadcast_arrays(*axes)) ** 2, axis=0)
        mask = (distance <= self.width**2).astype(np.float32)
        prob = np.repeat(mask[None], len(prompt.targets), axis=0)
        return Segmentation(prob, prompt.targets, image.affine)


def build(width: float = 0.5) -> Constant:
    """A :class:`Constant`."""
    return Constant(width)
