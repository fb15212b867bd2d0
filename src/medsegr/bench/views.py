"""Whether a checkpoint sees that a thing is not in a picture of the very kind that it is found in: an
endoscopy without a polyp, a breast without a tumour.

``python -m medsegr.bench.views --data SET SET`` cuts every validation picture beside its target, and asks
such a part for it by its name, and a part of the same size that shows it. The same of the picture with
texture of its own over the target, and over as large a place beside it. Prints a line a set and way.
"""

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medsegr import data
from medsegr.bench import over_sets
from medsegr.grid.pixels import to_bytes
from medsegr.metrics.overlap import dice
from medsegr.predict import Predictor
from medsegr.process.program import one_line
from medsegr.samples.drawn import Marks
from medsegr.samples.windows import COVERED, FLAT, painted
from medsegr.types import Finding, Image, Prompt

SHORTEST = 80  # pixels of a part's shorter side
LEAST = 0.12  # of the picture that a part holds
LONGEST = 3.0  # longer side over the shorter one
GAP = 0.02  # of the picture's longer side between a cut and the target
Box = tuple[slice, slice]
WAYS = ("whole", "cut", "covered")


@dataclass(frozen=True, slots=True)
class Row:
    """One question: ``way`` of :data:`WAYS`; whether the target is ``there``; ``dice`` where it is; whether
    it was ``drawn``. ``group`` belongs together."""

    set: str
    group: str
    way: str
    there: bool
    drawn: bool
    dice: float


def cuts(mask: np.ndarray) -> Iterator[tuple[Box, Box]]:
    """The parts of a picture beside ``mask`` [h w] bool: above, below, left and right of its box, each with a
    part of its size that holds the box. Narrow and small ones are left out, and those that the box does not
    fit into."""
    h, w = mask.shape
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    gap = max(2, round(GAP * max(h, w)))
    upper, lower = max(0, int(rows[0]) - gap), min(h, int(rows[-1]) + 1 + gap)
    before, behind = max(0, int(cols[0]) - gap), min(w, int(cols[-1]) + 1 + gap)
    middle = ((upper + lower) // 2, (before + behind) // 2)
    for part in (
        (slice(0, upper), slice(0, w)),
        (slice(lower, h), slice(0, w)),
        (slice(0, h), slice(0, before)),
        (slice(0, h), slice(behind, w)),
    ):
        tall, wide = (one.stop - one.start for one in part)
        roomy = tall >= lower - upper and wide >= behind - before
        shape = min(tall, wide) >= SHORTEST and max(tall, wide) <= LONGEST * min(tall, wide)
        if roomy and shape and tall * wide >= LEAST * mask.size:
            top, left = max(0, middle[0] - tall // 2), max(0, middle[1] - wide // 2)
            top, left = min(top, h - tall), min(left, w - wide)
            yield part, (slice(top, top + tall), slice(left, left + wide))


def lit(pixels: np.ndarray, mask: np.ndarray) -> Iterator[tuple[Box, Box]]:
    """The :func:`cuts` of a picture ``pixels`` [c h w] of 0 to 255 of which neither part is blank."""
    for both in cuts(mask):
        if all(pixels[:, y, x].std() >= FLAT for y, x in both):
            yield both


def fits(finding: Finding, marks: Marks) -> bool:
    """Whether a part of a picture surely does not show what is asked: every pixel is known, and it has no
    side, which a part may have of another."""
    return marks.unknown is None and finding.location.side is None


def rows(folder: Path, predictor: Predictor, limit: int | None = None) -> Iterator[Row]:
    """Every target of the validation pictures of a set (``limit``: at most so many) whose pixels all are
    known and that has no side, by its name. A picture in which it is marked as absent is asked as it is."""
    rng = np.random.default_rng(0)
    flat = (one for one in data.read_drawn(folder) if len(one[1].grid) == 2)
    for group, image, drawn in itertools.islice(flat, limit):
        for at, (finding, marks) in enumerate(drawn):
            if not fits(finding, marks):
                continue
            others = np.any([m.mask for i, (_, m) in enumerate(drawn) if i != at], axis=0)
            for way, pixels, mask in _shown(
                to_bytes(image), marks, np.broadcast_to(others, image.grid), rng, image
            ):
                yield Row(folder.resolve().name, group, way, *_asked(predictor, image, finding, pixels, mask))


def _shown(
    pixels: np.ndarray, marks: Marks, others: np.ndarray, rng: np.random.Generator, image: Image
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(way, pixels [c h w], mask [h w]) of everything that is asked of a picture and a target."""
    yield "whole", pixels, marks.mask
    if not marks.mask.any():
        return
    for boxes in lit(pixels, marks.mask):
        yield from (("cut", pixels[:, y, x], marks.mask[y, x]) for y, x in boxes)
    if image.modality in COVERED:
        gone, kept = (painted(pixels, marks.mask, others, hidden, rng) for hidden in (True, False))
        if gone is not None and kept is not None:
            yield "covered", gone, np.zeros_like(marks.mask)
            yield "covered", kept, marks.mask


def part_of(image: Image, pixels: np.ndarray) -> Image:
    """A picture of that kind of ``pixels`` [c h w] of 0 to 255."""
    return replace(image, data=np.ascontiguousarray(pixels, np.float32))


def _asked(
    predictor: Predictor, image: Image, finding: Finding, pixels: np.ndarray, mask: np.ndarray
) -> tuple[bool, bool, float]:
    said = predictor.segment(part_of(image, pixels), Prompt((finding.name,), (finding,)))
    seen = said.extras["presence"][0] >= float(predictor.card.get("presence_threshold", 0.5))
    answer = (said.prob[0] >= 0.5) & bool(seen)
    return bool(mask.any()), bool(answer.any()), float(dice(answer, mask)) if mask.any() else float("nan")


def table(found: Sequence[Row]) -> list[str]:
    """For a person: a line a set and way, with 95 % over groups."""
    lines = []
    for name in dict.fromkeys(row.set for row in found):
        for way in WAYS:
            own = [row for row in found if (row.set, row.way) == (name, way)]
            gone, here = [row for row in own if not row.there], [row for row in own if row.there]
            told = [f"{name:18s} {way:8s}"]
            if gone:
                told.append(f"not there ({len(gone)}): drawn {_mean(gone, [row.drawn for row in gone])}")
            if here:
                lost = _mean(here, [not row.drawn for row in here])
                told.append(
                    f"there ({len(here)}): lost {lost}, Dice {_mean(here, [row.dice for row in here])}"
                )
            lines += ["  ".join(told)] if own else []
    return lines


def _mean(own: Sequence[Row], values: Sequence[float]) -> str:
    return over_sets.mean_of(values, [row.group for row in own])


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    told = over_sets.run("views", "Pictures of the kind, without the thing.", rows, table, arguments)
    print(told or "no picture in which something is marked")


if __name__ == "__main__":
    sys.exit(one_line(main))
