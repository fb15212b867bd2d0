"""A finished checkpoint on the images that its run held out: whole images at full size, through the same
front door as a user's, asked for by the target's name alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil

from medsegr import data
from medsegr.grid import planes
from medsegr.metrics.intervals import bootstrap_mean
from medsegr.metrics.overlap import dice
from medsegr.predict import Predictor
from medsegr.results.overlay import window
from medsegr.samples.layouts import PLAIN, Hints
from medsegr.types import Finding, Image, Prompt

SHOWN = 320  # long side of a kept picture in pixels


@dataclass(frozen=True, slots=True)
class Judged:
    """One target of one image. ``dice`` is the mask's at 0.5 over the pixels that somebody judged, whatever
    the presence says; ``found`` whether the target would have been drawn at all. ``picture`` uint8 [h w 3],
    ``truth`` and ``drawn`` bool [h w]: the picture, or the slice with most of the target, made small."""

    set: str
    group: str
    name: str
    dice: float
    found: bool
    picture: np.ndarray
    truth: np.ndarray
    drawn: np.ndarray


def judge(
    predictor: Predictor,
    folders: Mapping[str, Path],
    hints: Hints = PLAIN,
    most: int = 60,
    say: Callable[[str], None] = lambda _line: None,
) -> list[Judged]:
    """The held-out images of every set in which a target is there, at most ``most`` of each; only these
    targets."""
    rows: list[Judged] = []
    for name, folder in folders.items():
        found = list(_of_set(predictor, folder, hints, most))
        rows += found
        if found:
            mean = float(np.mean([row.dice for row in found]))
            say(f"{name}: Dice {mean:.3f} by the name alone, {len(found)} held-out targets")
    return rows


def _of_set(predictor: Predictor, folder: Path, hints: Hints, most: int) -> Iterator[Judged]:
    threshold = float(predictor.card["presence_threshold"])
    for group, image, there in islice(data.read_there(folder, hints), most):
        asked = tuple(finding for finding, _ in there)
        out = predictor.segment(image, Prompt(tuple(f.name for f in asked), asked))
        for i, (finding, marks) in enumerate(there):
            mask = marks.judged(out.prob[i] >= 0.5)
            score, found = float(dice(mask, marks.mask)), bool(out.extras["presence"][i] >= threshold)
            yield Judged(
                folder.resolve().name, group, _label(finding), score, found, *_seen(image, marks.mask, mask)
            )


def _label(finding: Finding) -> str:
    return f"{finding.location.side or ''} {finding.name}".strip()


def _seen(image: Image, truth: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    plane = planes.plane_of(image)
    shown = planes.to_slices(np.moveaxis(window(image), -1, 0), plane)
    masks = [planes.to_slices(mask, plane) for mask in (truth, drawn)]
    if shown.ndim == 4:
        z = int(masks[0].sum((1, 2)).argmax())
        shown, masks = shown[:, z], [mask[z] for mask in masks]
    picture = Pil.fromarray(np.ascontiguousarray(np.moveaxis(shown, 0, -1)))
    scale = SHOWN / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = [np.asarray(Pil.fromarray(np.ascontiguousarray(m)).resize(size)) for m in masks]
    return np.asarray(picture.resize(size)), small[0], small[1]


def numbers(rows: Sequence[Judged]) -> dict[str, Any]:
    """For the card: by set the mean Dice (``name``) with its 95 % bootstrap interval over groups (None with
    one group), the share that is found (``presence``), and the means by target."""
    told: dict[str, Any] = {}
    for name in dict.fromkeys(row.set for row in rows):
        own = [row for row in rows if row.set == name]
        scores = np.array([row.dice for row in own])
        span = bootstrap_mean(scores, np.random.default_rng(0), [row.group for row in own])
        targets = {label: [row.dice for row in own if row.name == label] for label in {r.name for r in own}}
        told[name] = {
            "name": round(span.mean, 3),
            "interval": span.bounds and [round(bound, 3) for bound in span.bounds],
            "targets": len(own),
            "groups": span.groups,
            "presence": round(float(np.mean([row.found for row in own])), 3),
            "by target": {k: [round(float(np.mean(v)), 3), len(v)] for k, v in sorted(targets.items())},
        }
    return {"sets": told, "phantoms": {}}
