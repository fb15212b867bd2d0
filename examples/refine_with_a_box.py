"""A session on one image: segment by words, correct with a box, take the correction back."""

import numpy as np

import medsegr
from medsegr.io.read import image_from_array
from medsegr.metrics import dice
from medsegr.phantom import make


def main() -> None:
    case = make("chest", np.random.default_rng(11), size=256)
    truth = case.organs["left lung"] if "left lung" in case.organs else next(iter(case.organs.values()))
    session = medsegr.load().open(image_from_array(case.image, modality=case.modality))
    by_words = session.segment("left lung")
    rows, cols = np.nonzero(truth)
    box = (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)  # x0 y0 x1 y1, upper edge exclusive
    for name, outcome in (
        ("words", by_words),
        ("words and box", session.refine("f1", box=[float(v) for v in box])),
    ):
        mask = outcome["f1"].mask
        print(
            f"{name:14s} Dice {dice(mask, truth):.3f}"
            if mask is not None
            else f"{name}: {outcome['f1'].reason}"
        )
    session.undo()


if __name__ == "__main__":
    main()
