"""What a constant, brightness alone and place words alone give on phantoms: the anchors that a model has to
beat.
"""

import numpy as np

from medsegr.io.read import image_from_array
from medsegr.metrics import bootstrap_mean, dice
from medsegr.phantom import make
from medsegr.registry import create
from medsegr.report.parse import parse_phrase
from medsegr.types import Prompt

KINDS = ("chest", "mucosa", "cells")
COUNT = 4


def main() -> None:
    scores: dict[str, list[float]] = {"constant": [], "otsu": [], "place": []}
    for kind in KINDS:
        for seed in range(COUNT):
            case = make(kind, np.random.default_rng(seed), size=128)
            image = image_from_array(case.image, modality=case.modality)
            for lesion in case.lesions:
                if lesion.phrase is None:
                    continue
                finding = parse_phrase(lesion.phrase, modality=case.modality, frame=case.frame).findings[0]
                prompt = Prompt((finding.name,), (finding,))
                for name, values in scores.items():
                    values.append(dice(create(name).segment(image, prompt).prob[0] >= 0.5, lesion.mask))
    for name, values in scores.items():
        got = bootstrap_mean(np.array(values), np.random.default_rng(0))
        print(f"{name:10s} Dice {got.mean:.3f} [{got.low:.3f}, {got.high:.3f}] over {got.n} lesions")


if __name__ == "__main__":
    main()
