"""Whether a wrong place is told: a checkpoint that is asked for a polyp in the upper left where it lies in
the lower right should draw the polyp and say so.

``python -m medsegr.bench.places --data SET SET`` asks every target of the validation pictures by a sentence
of its name with the place that its mask has, and with the place across, both made from the mask (*oracle*).
It counts how often one of :data:`CHECKS` says that mask and words do not agree, and what the masks are worth.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medsegr import pipeline
from medsegr.bench import over_sets
from medsegr.bench.controls import controlled
from medsegr.bench.samples import chosen, read_sample, samples_of, thinned
from medsegr.errors import ReportError
from medsegr.metrics.overlap import dice
from medsegr.predict import Predictor
from medsegr.process.program import one_line
from medsegr.report.wording import sentence
from medsegr.types import Finding, Image, Location

CHECKS = ("place", "side", "agreement")
WAYS = ("place", "opposite")  # controls of medsegr.bench.controls
BAD = 0.5  # Dice below which a mask is lost


@dataclass(frozen=True, slots=True)
class Row:
    """One question. ``way`` of :data:`WAYS`; ``doubted``: a check says that the place does not fit;
    ``dice`` 0 where there is no mask."""

    set: str
    group: str
    way: str
    doubted: bool
    dice: float


def rows(folder: Path, predictor: Predictor, limit: int | None = None) -> Iterator[Row]:
    """Every target of the validation pictures of a set (``limit``: at most so many) that lies apart from the
    place across. No volumes; what cannot be said in one sentence is left out."""
    for sample in thinned(chosen(samples_of(folder), "validation"), limit):
        image, wanted = read_sample(sample)
        if len(image.grid) != 2:
            continue
        for one in wanted:
            asked = controlled(one, (), np.random.default_rng(0)) if one.mask.any() else {}
            if not (set(WAYS) <= set(asked) and _apart(*(asked[way].location for way in WAYS))):
                continue
            for way in WAYS:
                said = _asked(predictor, image, asked[way])
                if said is not None:
                    doubted, mask = said
                    yield Row(sample.set, sample.group, way, doubted, float(dice(mask, one.mask)))


def _apart(one: Location, other: Location) -> bool:
    """Whether two places have no part in common: the other side, or other thirds of height or width."""
    sides = {one.side, other.side} == {"left", "right"}
    rows, cols = (
        bool(a and b) and not set(a) & set(b) for a, b in ((one.rows, other.rows), (one.cols, other.cols))
    )
    return sides or rows or cols


def _asked(predictor: Predictor, image: Image, finding: Finding) -> tuple[bool, np.ndarray] | None:
    """Whether the place is doubted, and the mask [h w]; None for what cannot be said."""
    try:
        words = sentence(finding, modality=image.modality)
    except ReportError:
        return None
    result = pipeline.run(image, predictor, report=words)
    checks = [check for one in result.findings for check in one.checks]
    doubted = any(check.name in CHECKS and check.outcome != "pass" for check in checks)
    return doubted, over_sets.drawn_in(result)


def table(found: Sequence[Row]) -> list[str]:
    """For a person: a line a set and way."""
    lines = []
    for name in dict.fromkeys(row.set for row in found):
        for way, told in zip(WAYS, ("true place", "place across"), strict=True):
            own = [row for row in found if (row.set, row.way) == (name, way)]
            lost = [row for row in own if row.dice < BAD]
            if not own:
                continue
            lines.append(
                f"{name:18s} {told:12s} doubted {sum(row.doubted for row in own)} of {len(own)}, Dice "
                f"{np.mean([row.dice for row in own]):.3f}; below {BAD}: {len(lost)}, of which doubted "
                f"{sum(row.doubted for row in lost)}"
            )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    told = over_sets.run("places", "Whether a wrong place is told.", rows, table, arguments)
    print(told or "no target with a place")


if __name__ == "__main__":
    sys.exit(one_line(main))
