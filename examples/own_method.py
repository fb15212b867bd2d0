"""A method of one's own: a card, and what the entry exam says of it. Nothing has to be registered."""

import sys

import numpy as np

from medsegr import conformance
from medsegr.registry import Card
from medsegr.types import Image, Prompt, Segmentation


class Bright:
    """Draws what is brighter than the middle of the image's range; ignores the words."""

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        grey = image.data.mean(axis=0)
        mask = (grey > (grey.min() + grey.max()) / 2).astype(np.float32)
        return Segmentation(np.repeat(mask[None], len(prompt.targets), axis=0), prompt.targets, image.affine)


def build() -> Bright:
    return Bright()


def main() -> None:
    sys.modules.setdefault("own_method", sys.modules[__name__])  # so that the card's address finds this file
    honest = Card("bright", "own_method:build", "a threshold", family="mine", reads=("image",), dims=(2, 3))
    boasting = Card("bright", "own_method:build", "a threshold", family="mine", reads=("image", "text"))
    for card in (honest, boasting):
        print(f"reads={card.reads}")
        for outcome in conformance.run(card):
            print(f"  {outcome.outcome:5s} {outcome.check} {outcome.detail}")


if __name__ == "__main__":
    main()
