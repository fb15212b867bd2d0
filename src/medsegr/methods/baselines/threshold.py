"""A stand-in for a model: the largest piece above Otsu's threshold, whatever the words say.

For tests and for checking a pipeline: its mask depends on the voxels alone, so that the same body stored in
another axis order, file kind or series gives the same mask at the same place in the patient.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from medsegr.types import Image, Prompt, Segmentation


@dataclass(frozen=True, slots=True)
class Threshold:
    """Draws the largest connected piece (neighbours share a face) of what is brighter than Otsu's threshold.

    A flat image gives an empty mask. Of equal pieces the first in the order of storage is drawn.
    """

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """The same 0/1 mask for every target."""
        grey = image.data.mean(axis=0)
        mask = np.zeros(grey.shape, np.float32)
        if grey.min() < grey.max():
            pieces, count = ndimage.label(grey > threshold_otsu(grey))
            if count:
                sizes = np.bincount(pieces.ravel())
                sizes[0] = 0
                mask[pieces == int(np.argmax(sizes))] = 1.0
        prob = np.repeat(mask[None], len(prompt.targets), axis=0)
        return Segmentation(prob, prompt.targets, image.affine)


def build() -> Threshold:
    """A :class:`Threshold`."""
    return Threshold()
