"""A segmenter that draws a disc where it is told, for tests of prompts."""

import numpy as np

from medsegr.prompts.session import Session
from medsegr.types import Image, Prompt, Segmentation

SHARP = {"name": "disc", "sha256": "ab" * 32, "licence": "none", "presence_threshold": 0.5}


class Disc:
    """Words draw a disc in the middle. With points the newest one inside is followed where ``hears``, by a
    disc around it. Counts its calls."""

    def __init__(self, hears: bool = False, radius: float = 6.0) -> None:
        self.hears, self.radius = hears, radius
        self.card = SHARP
        self.prompts: list[Prompt] = []
        self.images: list[Image] = []

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """A disc for each target."""
        self.prompts.append(prompt)
        self.images.append(image)
        h, w = image.grid[-2:]
        rows, cols = np.ogrid[:h, :w]
        prob = np.full((len(prompt.targets), *image.grid), 0.1, np.float32)
        for k, name in enumerate(prompt.targets):
            at = (h / 2, w / 2) if name != "region" else (-99.0, -99.0)
            if self.hears and prompt.points is not None:
                inside = prompt.points[k][prompt.points[k][:, 2] == 1]
                at = (inside[-1][1], inside[-1][0]) if len(inside) else at
            prob[k][..., (rows - at[0]) ** 2 + (cols - at[1]) ** 2 <= self.radius**2] = 0.9
        there = np.full(len(prompt.targets), 0.9, np.float32)
        return Segmentation(prob, prompt.targets, image.affine, {"presence": there, "quality": there})


def drawn(session: Session) -> np.ndarray:
    """The mask of the first finding of a session, which has one."""
    assert session.result is not None
    mask = session.result["f1"].mask
    assert mask is not None
    return mask
