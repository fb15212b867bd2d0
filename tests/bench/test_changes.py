"""Pictures that come otherwise: what is drawn moves along, and a table says what is lost."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from bench_sets import add, disc, picture, write_rows
from medsegr.bench import changes
from medsegr.predict import Predictor
from medsegr.types import Image, Prompt, Segmentation

NAMES = [change.name for change in changes.CHANGES]


class Brightest:
    """Draws what is brighter than the middle between darkest and brightest; is as sure as it is told."""

    def __init__(self, presence: float = 0.9) -> None:
        self.card = {"presence_threshold": 0.5}
        self.presence = presence

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        grey = image.data.mean(0)
        drawn = (grey > (grey.min() + grey.max()) / 2).astype(np.float32)
        k = len(prompt.targets)
        sure = np.full(k, self.presence)
        return Segmentation(np.stack([drawn] * k), prompt.targets, image.affine, {"presence": sure})


@pytest.fixture
def lit(tmp_path: Path) -> Path:
    """Bright discs on dark ground, none in the middle; twelve patients, of whom some are held out."""
    table = []
    for i in range(12):
        mask = disc((20, 24 + i), 9)
        table.append(
            add(tmp_path / "lit", f"p{i}", np.where(mask[..., None], np.uint8(220), picture(i) // 6), mask)
        )
    return write_rows(tmp_path / "lit", table)


def test_the_mask_moves_with_the_picture_and_only_the_negative_is_lost(lit: Path) -> None:
    found = list(changes.rows(lit, cast(Predictor, Brightest())))
    assert found
    for row in found:
        kept = dict(zip(NAMES, row.dice, strict=True))
        assert kept.pop("negative") < 0.2
        assert kept["as it is"] == 1.0
        assert min(kept.values()) > 0.9, kept


def test_what_is_not_sure_enough_is_nothing_drawn(lit: Path) -> None:
    found = list(changes.rows(lit, cast(Predictor, Brightest(presence=0.4))))
    assert {score for row in found for score in row.dice} == {0.0}
    assert len(list(changes.rows(lit, cast(Predictor, Brightest()), limit=0))) == 0


@pytest.mark.parametrize("change", changes.CHANGES, ids=NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_any_change_gives_a_picture_of_the_size_of_its_mask(change: changes.Change, channels: int) -> None:
    before = np.moveaxis(picture(1), -1, 0)[:channels]
    kept = before.copy()
    after = change.pixels(before)
    assert after.dtype == np.uint8
    assert after.shape == (channels, *change.mask(np.zeros(before.shape[1:], bool)).shape)
    assert np.array_equal(before, kept)
    if change.name not in ("as it is", "colours as grey"):
        assert after.shape != before.shape or not np.array_equal(after, before)


def test_the_table_says_what_is_lost_a_set() -> None:
    lost = [0.0 if name == "negative" else 0.8 for name in NAMES]
    rows = [changes.Row(which, f"{which}{i}", tuple(lost)) for which in ("a", "b") for i in range(3)]
    lines = changes.table(rows)
    assert lines[0] == "a: mean Dice of 3 targets in 3 groups"
    assert [line for line in lines if "negative" in line] == [
        "  negative           0.000   -0.800  [-0.800, -0.800]"
    ] * 2
    assert next(line for line in lines if "as it is" in line) == "  as it is           0.800"
    assert changes.table([]) == []
