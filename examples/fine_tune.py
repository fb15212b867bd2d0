"""Twenty pictures of your own, a few steps from the embedded checkpoint, and what that changes.

The pictures are made here: pale rings on a striped ground, which no training picture looked like. With yours,
put them into ``images/`` and their masks into ``masks/`` with equal names, and run the same command.
How many steps may be given: ``python examples/fine_tune.py 100``.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image as Pil
from scipy import ndimage

from medsegr.cli.main import main
from medsegr.predict import load
from medsegr.samples.layouts import Hints
from medsegr.training.judged import judge, numbers

SIDE, COUNT = 96, 20


def make(folder: Path, rng: np.random.Generator) -> None:
    """``images/`` and ``masks/`` with equal stems."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:SIDE, :SIDE]
    for number in range(COUNT):
        cy, cx = rng.uniform(0.3, 0.7, 2) * SIDE
        ry, rx = rng.uniform(0.12, 0.25, 2) * SIDE
        inside = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2
        ground = 90 + 45 * np.sin((x + rng.uniform(-1, 1) * y) / rng.uniform(2, 5) + rng.uniform(0, 6))
        grey = ground + 60 * np.exp(-((inside - 1) ** 2) / 0.08) + rng.normal(0, 10, (SIDE, SIDE))
        picture = np.clip(ndimage.gaussian_filter(grey, 0.7), 0, 255).astype(np.uint8)
        Pil.fromarray(picture).save(folder / "images" / f"{number:02}.png")
        Pil.fromarray(((inside < 1) * 255).astype(np.uint8)).save(folder / "masks" / f"{number:02}.png")


def run(work: Path, steps: int = 20) -> tuple[float, float]:
    """Dice on the held-out pictures, by the name alone, before and after."""
    make(work / "rings", np.random.default_rng(0))
    told = ["--target", "breast tumour", "--modality", "US"]
    how = ["--from", "medsegr-tiny", "--steps", str(steps), "--size", "96", "--batch", "4"]
    how += ["--device", "cpu", "--threads", "1"]
    out = work / "rings-tiny"
    if main(["train", "--data", str(work / "rings"), *told, *how, "--out", str(out), "--quiet"]):
        raise SystemExit("the training did not end well")
    card = json.loads((out / "checkpoint" / "rings-tiny.json").read_text(encoding="utf-8"))
    rows = judge(load(device="cpu"), {"rings": work / "rings"}, Hints("breast tumour", "US"))
    before = numbers(rows)["sets"]["rings"]
    return before["name"], card["validation"]["sets"]["rings"]["name"]


if __name__ == "__main__":
    first, then = run(Path.cwd(), *map(int, sys.argv[1:]))
    print(f"Dice on the two held-out pictures: {first:.2f} before, {then:.2f} after")
    print("the page about the run: rings-tiny/report.html")
