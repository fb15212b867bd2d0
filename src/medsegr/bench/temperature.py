"""By how much a checkpoint's probabilities claim too much: one temperature, chosen on training images and
looked at on validation images. It goes into the card; masks do not hang on it.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from medsegr import data, weights
from medsegr.fitting.config import read_config
from medsegr.metrics.calibration import ReliabilityBins, ece_of, temper
from medsegr.predict import Predictor, load
from medsegr.process.program import one_line
from medsegr.types import Prompt

FINE, BINS = 1000, 20
TRIED = tuple(step / 20 for step in range(20, 61))
Counts = np.ndarray  # int64 [2 FINE]: pixels outside and inside the truth, by their probability


def counted(predictor: Predictor, folder: Path, held_out: bool, most: int) -> Counts:
    """Pixels that somebody judged, of at most ``most`` pictures of a part of a set in which something is
    drawn, asked for by name alone; no volumes."""
    counts = np.zeros((2, FINE), np.int64)
    for _, image, there in data.read_shown(folder, most, held_out):
        findings = tuple(finding for finding, _ in there)
        said = predictor.segment(image, Prompt(tuple(f.name for f in findings), findings, keep=("prob",)))
        for prob, (_, marks) in zip(said.prob, there, strict=True):
            at = np.clip((prob * FINE).astype(int), 0, FINE - 1)
            sides = marks.judged(~marks.mask), marks.mask
            counts += np.stack([np.bincount(at[part], minlength=FINE) for part in sides])
    return counts


def bins_of(counts: Counts, temperature: float) -> ReliabilityBins:
    """Reliability of counted pixels, as if the logits had been divided by ``temperature``."""
    prob = (np.arange(FINE) + 0.5) / FINE
    temper(prob, temperature)
    at = np.minimum((prob * BINS).astype(int), BINS - 1)
    total = counts.sum(0)
    count, claimed, true = (np.bincount(at, w, minlength=BINS) for w in (total, total * prob, counts[1]))
    with np.errstate(invalid="ignore"):
        confidence, accuracy = claimed / count, true / count
    return ReliabilityBins(np.linspace(0, 1, BINS + 1), confidence, accuracy, count.astype(np.int64))


def errors(sets: Iterable[Counts], temperature: float) -> tuple[float, float]:
    """Mean over sets of the calibration error of all pixels, and of the drawn ones; a set in which nothing is
    drawn counts in the first only. NaN where there is none."""
    tables = [bins_of(counts, temperature) for counts in sets if counts.any()]
    found = ([ece_of(table, above) for table in tables] for above in (0.0, 0.5))
    over_all, drawn = (float(np.mean([e for e in one if not np.isnan(e)] or [np.nan])) for one in found)
    return over_all, drawn


def best(sets: Iterable[Counts]) -> float:
    """The tried temperature with the smallest error of drawn pixels, every set counting alike."""
    kept = list(sets)
    return min(TRIED, key=lambda value: errors(kept, value)[1])


def parts(
    predictor: Predictor, folders: Mapping[str, Path], most: int
) -> tuple[dict[str, Counts], dict[str, Counts]]:
    """Counts of the training and of the validation part of every set."""
    predictor.temperature = 1.0
    made: tuple[dict[str, Counts], dict[str, Counts]] = {}, {}
    for name, folder in folders.items():
        for into, held_out in zip(made, (False, True), strict=True):
            into[name] = counted(predictor, folder, held_out, most)
        print(name, flush=True)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m medsegr.bench.temperature", description="Choose a checkpoint's temperature."
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True, help="its sets are looked at")
    parser.add_argument("--model", default=weights.DEFAULT)
    parser.add_argument("--most", type=int, default=20, help="pictures of each part of a set")
    parser.add_argument("--card", action="store_true", help="write the temperature into the card")
    given = parser.parse_args(arguments)
    folders = {name: given.data / name for name in read_config(given.config).sets}
    training, validation = parts(load(given.model, device="cpu"), folders, given.most)
    chosen = best(training.values())
    for value in sorted({1.0, 1.25, 1.5, 1.75, 2.0, chosen}):
        (all_t, drawn_t), (all_v, drawn_v) = (errors(part.values(), value) for part in (training, validation))
        together, drawn = errors([np.sum(list(validation.values()), axis=0)], value)
        print(
            f"temperature {value:.2f}: training, all pixels {all_t:.4f}, drawn {drawn_t:.4f}; "
            f"validation, all pixels {all_v:.4f}, drawn {drawn_v:.4f}; "
            f"pixels of all sets together {together:.4f}, drawn {drawn:.4f}",
            "<- chosen" if value == chosen else "",
        )
    if given.card:
        weights.note(given.model, {"temperature": chosen})


if __name__ == "__main__":
    sys.exit(one_line(main))
