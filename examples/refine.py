"""A session of corrections: words, a click on what is wrong most, again and again; undo, save and replay."""

from pathlib import Path

import numpy as np

import medsegr
from medsegr.bench.clicks import next_click
from medsegr.io.read import image_from_array
from medsegr.metrics import dice
from medsegr.phantom import make


def main() -> None:
    case = make("ultrasound", np.random.default_rng(5), size=128)
    lesion = case.lesions[0]
    image = image_from_array(case.image, modality=case.modality)
    model = medsegr.load()
    session = model.open(image)
    session.segment(str(lesion.attributes["name"]))
    mask = np.zeros(image.grid, bool)
    for count in range(4):
        assert session.result is not None
        drawn = session.result["f1"].mask
        mask = np.zeros(image.grid, bool) if drawn is None else drawn
        print(f"{count} clicks: Dice {dice(mask, lesion.mask):.3f}")
        click = next_click(mask, lesion.mask)
        if click is None:
            break
        session.refine("f1", points=[click])
    session.undo()
    saved = session.save(Path("session.json"))
    again = model.replay(saved, image)
    assert again.result is not None
    assert session.result is not None
    here, there = session.result["f1"].mask, again.result["f1"].mask
    print("replayed:", "the same" if np.array_equal(here, there) else "another mask")


if __name__ == "__main__":
    main()
