"""Otsu's threshold on the grey image: what brightness alone gives."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from skimage.filters import threshold_otsu

from medsegr.types import Image, Prompt, Segmentation

Part = Literal["minor", "bright", "dark"]


@dataclass(frozen=True, slots=True)
class Otsu:
    """Splits the grey values in two and draws one part: the smaller one, the bright one or the dark one.

    ``minor`` is the default, since a target mostly covers less than half of an image. A flat image gives an
    empty mask.
    """

    part: Part = "minor"

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """The same 0/1 mask for every target."""
        grey = image.data.mean(axis=0)
        mask = np.zeros(grey.shape, np.float32)
        if grey.size and grey.min() < grey.max():
            bright = grey > threshold_otsu(grey)
            dark_wanted = self.part == "dark" or (self.part == "minor" and bright.mean() > 0.5)
            mask = (~bright if dark_wanted else bright).astype(np.float32)
        prob = np.repeat(mask[None], len(prompt.targets), axis=0)
        return Segmentation(prob, prompt.targets, image.affine)


def build(part: Part = "minor") -> Otsu:
    """An :class:`Otsu`."""
    return Otsu(part)
