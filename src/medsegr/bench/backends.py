"""The same model on every backend: Dice on validation images, and how far the masks agree with torch's.

``make bench-backends``. Exports the graphs first. int8 is calibrated with images of the training parts, 64 in
all, as a user would do it with ``medsegr export --calibrate``.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from medsegr import conversion, data, predict, weights
from medsegr.backends import folder as folders
from medsegr.backends.runtimes import Place, backend_of
from medsegr.conversion import IMAGES, Question
from medsegr.metrics.overlap import dice
from medsegr.phantom import KINDS
from medsegr.predict import Predictor
from medsegr.samples.drawn import Marks, finding_of, read_picture
from medsegr.samples.layouts import rows_of
from medsegr.types import Finding, Image, Prompt

ALL = ("onnx fp32", "openvino fp32", "onnx int8", "openvino int8")
Drawn = tuple[Image, list[tuple[Finding, Marks | None]]]


@dataclass(frozen=True, slots=True)
class Told:
    """What one backend did on one set: Dice with the truth and with torch's masks, one a target; processor
    seconds an image."""

    truth: list[float] = field(default_factory=list)
    torch: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def training_images(folder: Path, count: int) -> Iterator[Question]:
    """Pictures of the training part of a set, spread over it, each with what is drawn on it."""
    table = rows_of(folder)
    held = data.validation_groups(data.group_of(folder, image, rows) for image, rows in table.items())
    free = [(i, rows) for i, rows in table.items() if data.group_of(folder, i, rows) not in held]
    step = max(1, len(free) // max(1, count))
    for _, rows in free[::step][:count]:
        image = read_picture(folder, rows[0])
        if len(image.grid) == 2:
            yield image, tuple(finding_of(row) for row in rows)


def validation_images(folder: Path, count: int) -> Iterator[Drawn]:
    """The first pictures of the validation part of a set that show something, with what is there."""
    for _, image, there in data.read_shown(folder, count):
        yield image, [(finding, marks) for finding, marks in there]


def made_images(count: int) -> Iterator[Drawn]:
    """Made bodies of every kind; what their reports say is asked, and there is no truth of it here."""
    for image, findings in conversion.made(count * len(KINDS), seed=7):
        yield image, [(finding, None) for finding in findings]


def compare(pictures: Iterator[Drawn], predictors: Mapping[str, Predictor]) -> dict[str, Told]:
    """Every backend on the same images; the first of ``predictors`` is what the others are compared with."""
    found = {name: Told() for name in predictors}
    for image, drawn in pictures:
        findings = tuple(finding for finding, _ in drawn)
        first: np.ndarray | None = None
        for name, predictor in predictors.items():
            start = time.process_time()
            prompt = Prompt(tuple(f.name or f.phrase for f in findings), findings, keep=())
            masks = predictor.segment(image, prompt).prob >= 128
            found[name].seconds.append(time.process_time() - start)
            first = masks if first is None else first
            found[name].torch.extend(float(dice(one, two)) for one, two in zip(masks, first, strict=True))
            truths = [truth for _, truth in drawn]
            pairs = [(mask, one) for mask, one in zip(masks, truths, strict=True) if one is not None]
            found[name].truth.extend(float(dice(one.judged(mask), one.mask)) for mask, one in pairs)
    return found


def row(name: str, told: Mapping[str, Told]) -> dict[str, Any]:
    """One set as numbers: Dice in percent, differences in points."""
    base = next(iter(told.values()))
    out: dict[str, Any] = {"set": name, "targets": len(base.torch), "backends": {}}
    for backend, one in told.items():
        out["backends"][backend] = {
            "dice": 100 * mean(one.truth) if one.truth else None,
            "change": 100 * (mean(one.truth) - mean(base.truth)) if one.truth else None,
            "agreement": mean(one.torch) if one.torch else None,
            "lowest": min(one.torch, default=None),
            "seconds": mean(one.seconds) if one.seconds else None,
        }
    return out


def line(told: Mapping[str, Any]) -> str:
    """A row of the table."""
    parts = [f"{told['set']:22s} {told['targets']:4d}"]
    for one in told["backends"].values():
        dices = "    -      -  " if one["dice"] is None else f"{one['dice']:6.2f} {one['change']:+6.2f} "
        parts.append(f"{dices} {one['agreement']:.4f} {one['lowest']:.3f} {one['seconds']:.2f}s")
    return " | ".join(parts)


def opened(wanted: Sequence[str], folder: Path, questions: Sequence[Question]) -> dict[str, Predictor]:
    """Torch and every other backend, exported into ``folder`` where it does not lie there yet."""
    torch_one = predict.load(device="cpu")
    predictors = {"torch fp32": torch_one}
    for name in wanted:
        backend, precision = name.split()
        place = folder / name.replace(" ", "-")
        sha256 = str(weights.read_card()["sha256"])
        if folders.is_graphs(place):
            graphs = folders.read(place, sha256)
        else:
            asked = questions if precision == "int8" and questions else None
            graphs = conversion.export(weights.DEFAULT, place, backend, precision, asked)
        predictors[name] = Predictor(backend_of(graphs, Place()), torch_one.words, torch_one.card)
    return predictors


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row a set: targets; for every backend Dice, its change against torch in points, agreement with
    torch's masks (mean and lowest), processor seconds an image."""
    parser = argparse.ArgumentParser(prog="python -m medsegr.bench.backends", description=main.__doc__)
    parser.add_argument("--data", type=Path, help="parent folder of the sets; without it made images only")
    parser.add_argument("--per-set", type=int, default=10, help="validation images a set")
    parser.add_argument("--backends", default=",".join(ALL))
    parser.add_argument("--keep", type=Path, help="folder in which the exported graphs stay")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    sets = sorted(p for p in given.data.iterdir() if p.is_dir() and _readable(p)) if given.data else []
    each = -(-IMAGES // max(1, len(sets)))
    questions = [q for folder in sets for q in training_images(folder, each)][:IMAGES]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        predictors = opened(given.backends.split(","), given.keep or Path(temporary), questions)
        print(f"{'set':22s} {'n':>4s} | " + " | ".join(f"{name:36s}" for name in predictors))
        groups = [("made images", made_images(max(1, given.per_set // 3)))]
        groups += [(folder.name, validation_images(folder, given.per_set)) for folder in sets]
        for name, pictures in groups:
            told = compare(pictures, predictors)
            if next(iter(told.values())).torch:
                rows.append(row(name, told))
                print(line(rows[-1]), flush=True)
                if given.json:
                    given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def _readable(folder: Path) -> bool:
    try:
        return bool(rows_of(folder))
    except Exception:
        return False


if __name__ == "__main__":
    sys.exit(main())
