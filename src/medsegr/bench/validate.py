"""Numbers of a checkpoint on images that it was not trained on: with the name alone, with true and with wrong
words.

``python -m medsegr.bench.validate --data ../shared/data --config configs/medsegr-tiny.toml --card`` prints a
table and, with ``--card``, writes it into the checkpoint's card. Place words are made from the true mask: the
columns say *oracle*.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medsegr import data, phantom, weights
from medsegr.bench.views import fits, lit, part_of
from medsegr.fitting.config import FitConfig, read_config
from medsegr.grid.pixels import to_bytes
from medsegr.meaning.among import scattered
from medsegr.metrics.intervals import bootstrap_mean
from medsegr.metrics.overlap import dice
from medsegr.predict import Predictor, load
from medsegr.process.program import one_line
from medsegr.report.parse import parse_phrase
from medsegr.samples.drawn import Marks
from medsegr.types import COLS, ROWS, Finding, Image, Location, Prompt, modality_code

Ask = Callable[[Image, Sequence[Finding]], tuple[np.ndarray, np.ndarray]]
FOREIGN = (
    "polyp",
    "nucleus",
    "left lung",
    "breast tumour",
    "liver",
    "skin lesion",
    "retinal vessels",
    "fetal head",
    "left atrium",
)


def asker(predictor: Predictor) -> Ask:
    """(masks bool [k *grid], presence [k]) for findings of one image."""

    def ask(image: Image, findings: Sequence[Finding]) -> tuple[np.ndarray, np.ndarray]:
        out = predictor.segment(image, Prompt(tuple(f.name for f in findings), tuple(findings)))
        return out.prob >= 0.5, np.asarray(out.extras["presence"])

    return ask


def place_of(mask: np.ndarray, opposite: bool = False) -> Location:
    """Oracle words: the third, by row and column, that holds the mask's centroid, or the one opposite to
    it."""
    h, w = mask.shape
    ys, xs = np.nonzero(mask)
    row, col = min(2, int(3 * ys.mean() / h)), min(2, int(3 * xs.mean() / w))
    if opposite:
        row, col = (2 - row, 2 - col) if (row, col) != (1, 1) else (0, 0)
    return Location(rows=(ROWS[row],), cols=(COLS[col],))


def placed(finding: Finding, marks: Marks, opposite: bool = False) -> Finding:
    """The finding with oracle words about its place added to its side. Of many things that lie everywhere a
    place would mean some, and where pixels are unknown it could be another, so none is told."""
    if marks.unknown is not None or scattered(marks.mask):
        return finding
    where = place_of(marks.mask, opposite)
    return replace(finding, location=replace(finding.location, rows=where.rows, cols=where.cols))


def case_rows(folder: Path) -> Iterator[tuple[str, Image, list[tuple[Finding, Marks]]]]:
    """(group, image, [(finding, its marks)]) of the validation part of a set of pictures."""
    for group, image, drawn in data.read_drawn(folder):
        if len(image.grid) == 2:
            yield group, image, drawn


def score_set(folder: Path, ask: Ask, threshold: float) -> dict[str, Any]:
    """Per-target lists of Dice for every control, and how often a foreign target was drawn, and a target in
    parts of a picture that do not show it."""
    lists: dict[str, list[float]] = {
        "name": [],
        "place": [],
        "opposite": [],
        "other side": [],
        "foreign drawn": [],
        "drawn beside": [],
        "presence": [],
    }
    by_target: dict[str, list[float]] = {}
    groups: list[str] = []
    for group, image, drawn in case_rows(folder):
        there = [(f, m) for f, m in drawn if m.mask.any()]
        if there:
            asked = (
                [f for f, _ in there]
                + [placed(f, m) for f, m in there]
                + [placed(f, m, True) for f, m in there]
            )
            masks, presence = ask(image, asked)
            n = len(there)
            for i, (finding, truth) in enumerate(there):
                score = _dice(masks[i], truth)
                lists["name"].append(score)
                lists["place"].append(_dice(masks[n + i], truth))
                lists["opposite"].append(_dice(masks[2 * n + i], truth))
                lists["presence"].append(float(presence[i] >= threshold))
                label = f"{finding.location.side or ''} {finding.name}".strip()
                by_target.setdefault(label, []).append(score)
                groups.append(group)
                lists["drawn beside"] += _beside(image, finding, truth, ask, threshold)
                other = [
                    m
                    for f, m in there
                    if f.name == finding.name and f.location.side not in (None, finding.location.side)
                ]
                if other:
                    lists["other side"].append(_dice(masks[i], other[0]))
        lists["foreign drawn"] += _foreign(image, {f.name for f, _ in drawn}, ask, threshold)
    return {"lists": lists, "by_target": by_target, "groups": groups}


def _beside(image: Image, finding: Finding, marks: Marks, ask: Ask, threshold: float) -> list[float]:
    """Whether it is drawn in the parts of the picture that lie beside it."""
    found, pixels = [], to_bytes(image)
    for (y, x), _ in lit(pixels, marks.mask) if fits(finding, marks) else ():
        masks, presence = ask(part_of(image, pixels[:, y, x]), [finding])
        found.append(float(masks[0].any() and presence[0] >= threshold))
    return found


def _dice(mask: np.ndarray, truth: Marks) -> float:
    return float(dice(truth.judged(mask), truth.mask))


def _foreign(image: Image, own: set[str], ask: Ask, threshold: float) -> list[float]:
    asked = [parse_phrase(words).findings[0] for words in FOREIGN]
    allowed = {
        "CT": ("polyp", "nucleus", "skin lesion", "retinal vessels"),
        "MR": ("polyp", "nucleus", "skin lesion", "retinal vessels"),
    }
    names = allowed.get(image.modality or "", tuple(f.name for f in asked))
    chosen = [f for f in asked if f.name not in own and f.name in names][:4]
    masks, presence = ask(image, chosen)
    return [float(m.any() and p >= threshold) for m, p in zip(masks, presence, strict=True)]


def interval(values: Sequence[float], groups: Sequence[str]) -> list[float] | None:
    """95 % bootstrap interval of the mean, drawn over groups, with three places; None with one group."""
    pairs = sorted(zip(groups, values, strict=True))  # the order of the groups is that of the draws
    own = np.array([value for _, value in pairs], float)
    found = bootstrap_mean(own, np.random.default_rng(0), [group for group, _ in pairs], draws=1000)
    return found.bounds and [round(bound, 3) for bound in found.bounds]


def score_phantoms(kind: str, ask: Ask, count: int) -> dict[str, Any]:
    """For images with two lesions or more: Dice to the lesion that the phrase names, to the others, with a
    foreign phrase. None where no image has two.
    """
    named, others, foreign = [], [], []
    cases = [phantom.make(kind, np.random.default_rng([900_000, i]), 256) for i in range(count)]
    for i, case in enumerate(cases):
        described = [x for x in case.lesions if x.phrase]
        strange = _told([*cases[i + 1 :], *cases[:i]])
        if len(case.lesions) < 2 or not described or not strange:
            continue
        image = Image(_channels(case.image), modality=modality_code(case.modality), frame=case.frame)
        phrases = [*(x.phrase or "" for x in described), strange]
        read = [parse_phrase(p, modality=image.modality, frame=image.frame).findings[0] for p in phrases]
        masks, presence = ask(image, read)
        masks = masks & (presence >= 0.5).reshape(-1, 1, 1)
        for lesion, mask in zip(described, masks[:-1], strict=True):
            rest = np.any([x.mask for x in case.lesions if x is not lesion], axis=0)
            named.append(float(dice(mask, lesion.mask)))
            others.append(float(dice(mask, rest)))
            foreign.append(float(dice(masks[-1], lesion.mask)))
    mean = {
        name: round(float(np.mean(v)), 3) if v else None
        for name, v in (("named", named), ("others", others), ("foreign phrase", foreign))
    }
    return {**mean, "lesions": len(named)}


def _told(cases: Sequence[phantom.PhantomCase]) -> str:
    """The first phrase of the first body of which something is told; some hold no lesion."""
    return next((x.phrase for case in cases for x in case.lesions if x.phrase), "")


def _channels(image: np.ndarray) -> np.ndarray:
    data_ = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
    return np.ascontiguousarray(data_.astype(np.float32))


def table(config: FitConfig, root: Path, predictor: Predictor, phantoms: int) -> dict[str, Any]:
    """All numbers of a checkpoint as plain data."""
    ask, threshold = asker(predictor), float(predictor.card["presence_threshold"])
    result: dict[str, Any] = {"sets": {}, "phantoms": {}}
    for name in config.sets:
        scored = score_set(root / name, ask, threshold)
        lists = scored["lists"]
        if not lists["name"]:
            continue
        row: dict[str, Any] = {
            key: round(float(np.mean(values)), 3) for key, values in lists.items() if values
        }
        row["interval"] = interval(lists["name"], scored["groups"])
        row["targets"], row["beside"] = len(lists["name"]), len(lists["drawn beside"])
        row["by target"] = {
            k: [round(float(np.mean(v)), 3), len(v)] for k, v in sorted(scored["by_target"].items())
        }
        result["sets"][name] = row
        print(name, json.dumps(row), flush=True)
    for kind in phantom.KINDS if phantoms else ():
        result["phantoms"][kind] = score_phantoms(kind, ask, phantoms)
        print(kind, json.dumps(result["phantoms"][kind]), flush=True)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m medsegr.bench.validate", description="Validation numbers of a checkpoint."
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--model", default=weights.DEFAULT)
    parser.add_argument("--phantoms", type=int, default=40, help="phantom images a kind")
    parser.add_argument("--base", type=int, help="input side instead of the card's")
    parser.add_argument("--card", action="store_true", help="write the numbers into the checkpoint's card")
    given = parser.parse_args(arguments)
    predictor = load(given.model, device="cpu")
    predictor.base = given.base or predictor.base
    numbers = table(read_config(given.config), given.data, predictor, given.phantoms)
    if given.card:
        weights.note(given.model, {"validation": numbers})


if __name__ == "__main__":
    sys.exit(one_line(main))
