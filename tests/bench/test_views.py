"""Pictures of the kind without the thing: both parts of a picture are asked, and what is drawn is counted."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from bench_sets import add, disc, write_rows
from medsegr.bench import views
from medsegr.predict import Predictor
from medsegr.types import Image, Prompt, Segmentation

SIDE = 240


class Bright:
    """Draws what is bright; says that it is there where anything is, or always."""

    def __init__(self, always: bool = False) -> None:
        self.card = {"presence_threshold": 0.5}
        self.always = always

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        drawn = image.data.mean(0) > 200
        if self.always and not drawn.any():
            drawn[:9, :9] = True
        sure = np.array([0.9 if drawn.any() else 0.1])
        return Segmentation(drawn[None].astype(np.float32), prompt.targets, image.affine, {"presence": sure})


def folder_of(root: Path, modality: str = "US") -> Path:
    """Bright discs on a rough ground; twelve patients, of whom some are held out."""
    table = []
    for i in range(12):
        mask = disc((60 + 9 * i, 70), 20, (SIDE, SIDE))
        ground = np.random.default_rng(i).integers(100, 150, (SIDE, SIDE, 1)).astype(np.uint8)
        ground[-40:, -40:] = 0
        pixels = np.repeat(np.where(mask[..., None], np.uint8(230), ground), 3, axis=2)
        table.append({**add(root, f"p{i}", pixels, mask), "modality": modality})
    return write_rows(root, table)


def test_a_network_that_sees_is_told_from_one_that_always_draws(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "lit")
    seeing = list(views.rows(folder, cast(Predictor, Bright())))
    drawing = list(views.rows(folder, cast(Predictor, Bright(always=True))))
    assert {row.way for row in seeing} == set(views.WAYS)
    for row in seeing:
        assert row.drawn == row.there, row
        assert row.dice == 1.0 if row.there else np.isnan(row.dice)
    assert all(row.drawn for row in drawing)
    for way in ("cut", "covered"):
        own = [row.there for row in seeing if row.way == way]
        assert 0 < sum(own) == len(own) / 2


def test_nothing_is_covered_where_structures_have_their_places(tmp_path: Path) -> None:
    found = list(views.rows(folder_of(tmp_path / "ct", "CT"), cast(Predictor, Bright())))
    assert {row.way for row in found} == {"whole", "cut"}
    assert not list(views.rows(folder_of(tmp_path / "none", "CT"), cast(Predictor, Bright()), limit=0))


@pytest.mark.parametrize(
    ("y", "x", "radius"), [(120, 120, 20), (20, 120, 15), (120, 225, 10), (120, 120, 100)]
)
def test_one_part_holds_all_of_the_mask_and_the_other_none(y: int, x: int, radius: int) -> None:
    mask = disc((y, x), radius, (SIDE, SIDE))
    found = list(views.cuts(mask))
    assert bool(found) == (radius < 100)
    for part, other in found:
        assert not mask[part].any()
        assert mask[other].sum() == mask.sum()
        assert mask[part].shape == mask[other].shape
        assert min(mask[part].shape) >= views.SHORTEST


def test_the_table_counts_what_is_drawn_and_what_is_lost() -> None:
    rows = [
        views.Row("a", f"g{i}", "cut", there, drawn, 0.8 if there and drawn else 0.0)
        for i, (there, drawn) in enumerate([(False, True), (False, False), (True, True), (True, False)])
    ]
    (line,) = views.table(rows)
    assert line.startswith("a                  cut       not there (2): drawn 0.500 [")
    assert "there (2): lost 0.500 [" in line
    assert "Dice 0.400 [" in line
    alone = views.table([views.Row("b", "g", "whole", True, True, 0.7)])
    assert alone == ["b                  whole     there (1): lost 0.000 [one group], Dice 0.700 [one group]"]
