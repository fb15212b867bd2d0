"""Whether a wrong place is told: two ways of hearing places, and what is counted."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from bench_sets import Brightest, add, disc, picture, write_rows
from medsegr.bench import places
from medsegr.predict import Predictor
from medsegr.types import Image, Location, Prompt, Segmentation


class Everywhere(Brightest):
    """Draws wherever it is told to look."""

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        said = super().segment(image, prompt)
        drawn = np.zeros_like(said.prob)
        for mask, finding in zip(drawn, prompt.findings, strict=True):
            where, (h, w) = finding.location, image.grid
            if not (where.rows and where.cols):
                mask[:] = said.prob[0]
                continue
            y = ("upper", "middle", "lower").index(where.rows[0]) * h // 3
            x = ("left", "centre", "right").index(where.cols[0]) * w // 3
            mask[y + 4 : y + 14, x + 4 : x + 20] = 1
        return Segmentation(drawn, said.targets, image.affine, said.extras)


@pytest.fixture
def corners(tmp_path: Path) -> Path:
    """A bright disc in the upper left of each picture; twelve patients, of whom some are held out."""
    table = []
    for i in range(12):
        mask = disc((10, 12 + i % 4), 6)
        pixels = np.where(mask[..., None], np.uint8(220), picture(i) // 6)
        table.append(add(tmp_path / "corners", f"p{i}", pixels, mask))
    return write_rows(tmp_path / "corners", table)


def test_a_mask_that_stays_in_its_place_is_doubted_where_the_words_are_wrong(corners: Path) -> None:
    found = list(places.rows(corners, cast(Predictor, Brightest())))
    assert {row.way for row in found} == set(places.WAYS)
    for row in found:
        assert row.doubted == (row.way == "opposite"), row
        assert row.dice == 1.0


def test_a_mask_that_goes_where_the_words_are_is_doubted_by_the_mask_without_them(corners: Path) -> None:
    wrong = [r for r in places.rows(corners, cast(Predictor, Everywhere())) if r.way == "opposite"]
    assert wrong
    assert all(row.doubted and row.dice == 0.0 for row in wrong)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (Location("left"), Location("right"), True),
        (Location("midline"), Location("bilateral"), False),
        (Location(rows=("upper",)), Location(rows=("lower",)), True),
        (Location(rows=("upper", "middle")), Location(rows=("middle", "lower")), False),
        (Location(rows=("middle",), cols=("left",)), Location(rows=("middle",), cols=("right",)), True),
        (Location(), Location(rows=("upper",)), False),
    ],
)
def test_only_places_without_a_common_part_are_wrong(one: Location, other: Location, apart: bool) -> None:
    assert places._apart(one, other) == apart
    assert places._apart(other, one) == apart


def test_the_table_counts_what_is_doubted_and_what_is_lost() -> None:
    rows = [places.Row("a", f"g{i}", "opposite", i < 2, 0.2 if i else 0.9) for i in range(3)]
    rows.append(places.Row("a", "g0", "place", False, 1.0))
    lines = places.table(rows)
    assert lines[0].split()[:2] == ["a", "true"]
    assert "doubted 2 of 3, Dice 0.433; below 0.5: 2, of which doubted 1" in lines[1]
    assert len(places.table(rows[:3])) == 1
    assert places.table([]) == []
