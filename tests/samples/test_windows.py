"""Views with and without what is asked for: what is shown and what is said of it agree, and neither the cut
nor the words give it away."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from made_sets import blob
from medsegr.data import Case, Target
from medsegr.fitting.config import FitConfig
from medsegr.reasoning.codes import Code
from medsegr.samples import windows
from medsegr.samples.asking import Recipe
from medsegr.samples.batches import by_set, draw, render
from medsegr.samples.feed import samples_of
from medsegr.samples.windows import covered, painted, view_of

POLYP = (Code("concept:polyp"), Code("modality:ES"))
SIDE = 160
GROUND = np.random.default_rng(0).integers(70, 110, (3, SIDE, SIDE)).astype(np.uint8)
ALL_NEAR = Recipe(no_words=0, absent=0, near=1, clicks=0, soft=0, grain=0)


def spot(y: int, x: int, radius: int = 12) -> np.ndarray:
    return blob(y, x, size=SIDE, radius=radius)


def frame(mask: np.ndarray, *more: np.ndarray, codes: tuple[Code, ...] = POLYP) -> Case:
    """A frame with bright spots on a rough ground."""
    pixels = np.where(np.any([mask, *more], 0), np.uint8(230), GROUND)
    targets = tuple(Target(np.packbits(one), codes) for one in (mask, *more))
    return Case("a", "s", pixels, targets, "ES", True, False, False, "a")


ONE = frame(spot(50, 60))


@settings(max_examples=60)
@given(st.integers(20, 139), st.integers(20, 139), st.integers(3, 40), st.booleans(), st.integers(0, 99))
def test_a_view_holds_most_of_the_target_or_nothing(
    y: int, x: int, radius: int, shown: bool, seed: int
) -> None:
    mask = spot(y, x, radius)
    view = view_of(GROUND, mask, shown, np.random.default_rng(seed))
    if view is None:
        assert not shown or radius > 30  # a large one leaves little room beside it
        return
    top, left = (round((c - s / 2) * SIDE) for c, s in ((view.y, view.height), (view.x, view.width)))
    bottom, right = (round((c + s / 2) * SIDE) for c, s in ((view.y, view.height), (view.x, view.width)))
    assert 0 <= top < bottom <= SIDE
    assert 0 <= left < right <= SIDE
    held = mask[top:bottom, left:right].sum()
    assert held >= windows.SHOWN * mask.sum() if shown else held == 0
    assert max(view.height, view.width) <= windows.LONGEST * min(view.height, view.width) + 1e-9


def test_what_fills_the_picture_leaves_no_view_without_it_and_a_blank_picture_none() -> None:
    rng = np.random.default_rng(0)
    assert view_of(GROUND, np.ones((SIDE, SIDE), bool), False, rng) is None
    assert view_of(np.full((1, SIDE, SIDE), 40, np.uint8), spot(50, 60), False, rng) is None


def test_half_of_the_views_do_not_show_it_and_say_so() -> None:
    rng = np.random.default_rng(1)
    samples = [render(ONE, draw(ONE, by_set([ONE]), ALL_NEAR, rng), 96) for _ in range(200)]
    without = [s for s in samples if s.presence == 0]
    assert 60 < len(without) < 140
    for sample in samples:
        assert (sample.presence == 0) == (not sample.mask.any())
        smooth = F.avg_pool2d(sample.pixels.mean(0)[None], 7, 1)
        assert (smooth.max() - smooth.median() > 0.6) == sample.mask.any()  # the picture agrees
        assert any(code.text == "concept:polyp" for code in sample.codes)


def test_a_set_that_shows_it_in_every_picture_also_teaches_that_it_may_be_missing() -> None:
    config = FitConfig(sets={"s": 1.0})  # as people train: nothing said of the recipe
    stream = samples_of([replace(ONE, id=f"{i}", validation=False) for i in range(4)], config, 0)
    samples = []
    for case, rng in itertools.islice(stream, 300):
        samples.append(render(case, draw(case, by_set([case]), config.recipe, rng), 96))
    own = [s for s in samples if any(code.text == "concept:polyp" for code in s.codes)]
    missing = np.mean([s.presence == 0 for s in own])
    assert 0.15 < missing < 0.5, missing


def test_how_much_is_told_does_not_give_away_what_is_there() -> None:
    rng = np.random.default_rng(2)
    recipe = replace(ALL_NEAR, place=1, looks=1, all_looks=1, wrong_place=0, wrong_looks=0)
    samples = [render(ONE, draw(ONE, by_set([ONE]), recipe, rng), 96) for _ in range(300)]
    told = {
        there: np.mean([len({c.group for c in s.codes}) for s in samples if s.presence == there])
        for there in (0.0, 1.0)
    }
    assert abs(told[0.0] - told[1.0]) < 0.8, told


def test_a_side_is_not_asked_of_a_part_and_other_cases_are_left_alone() -> None:
    rng = np.random.default_rng(3)
    lung = frame(spot(50, 60), codes=(Code("concept:lung"), Code("side:left")))
    for case, recipe in (
        (lung, ALL_NEAR),
        (replace(ONE, made=True), ALL_NEAR),
        (replace(ONE, apart=True), ALL_NEAR),
        (replace(ONE, drawn=False), ALL_NEAR),
        (ONE, replace(ALL_NEAR, near=0)),
        (ONE, replace(ALL_NEAR, no_words=1)),
    ):
        plans = [draw(case, by_set([case]), recipe, rng) for _ in range(40)]
        sided = [p for p in plans if any(c.group == "side" for c in p.codes)]
        assert all(p.view is None for p in (sided if case is lung else plans))
    open_ = replace(ONE.targets[0], unknown=np.packbits(spot(120, 120)))
    half = replace(ONE, targets=(open_,))
    assert all(draw(half, by_set([half]), ALL_NEAR, rng).view is None for _ in range(40))


def test_a_covered_target_is_gone_and_nothing_else_is() -> None:
    rng = np.random.default_rng(4)
    two = frame(spot(40, 40), spot(120, 120))
    for case in (ONE, two):
        gone = covered(case, 0, True, rng)
        assert gone is not None
        assert gone.marks([0]).absent
        assert gone.pixels[:, case.mask(0)].max() < 200  # what was bright is ground now
        beside = ~spot(50 if case is ONE else 40, 60 if case is ONE else 40, 22)
        change = np.abs(gone.pixels.astype(int) - case.pixels)[:, beside]
        assert change.max() <= 2  # of a soft edge
        assert gone.targets[1:] == case.targets[1:]


def test_as_much_is_covered_elsewhere_and_the_target_stays() -> None:
    other = covered(ONE, 0, False, np.random.default_rng(5))
    assert other is not None
    assert np.array_equal(other.mask(0), ONE.mask(0))
    assert np.array_equal(other.pixels[:, ONE.mask(0)], ONE.pixels[:, ONE.mask(0)])
    changed = (other.pixels != ONE.pixels).any(0).sum()
    assert 0.5 * ONE.mask(0).sum() < changed < 4 * ONE.mask(0).sum()


def test_what_cannot_be_covered_is_left_alone() -> None:
    rng = np.random.default_rng(6)
    unknown = replace(ONE.targets[0], unknown=np.packbits(spot(120, 120)))
    for case in (
        replace(ONE, modality="CT"),
        replace(ONE, targets=(unknown,)),
        frame(np.zeros((SIDE, SIDE), bool)),
        frame(spot(80, 80, 60)),
        frame(spot(50, 60), spot(52, 70)),
        replace(ONE, pixels=np.where(ONE.mask(0), ONE.pixels, 3).astype(np.uint8)),
    ):
        assert covered(case, 0, True, rng) is None


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("hidden", [True, False])
def test_painting_keeps_the_given_picture_and_its_form(channels: int, hidden: bool) -> None:
    before = ONE.pixels[:channels].copy()
    kept = before.copy()
    after = painted(before, ONE.mask(0), np.zeros((SIDE, SIDE), bool), hidden, np.random.default_rng(7))
    assert after is not None
    assert after.dtype == np.uint8
    assert after.shape == before.shape
    assert np.array_equal(before, kept)
    assert (after != before).any()


def test_a_target_at_the_corner_is_covered() -> None:
    case = frame(spot(2, 3, 10))
    gone = covered(case, 0, True, np.random.default_rng(8))
    assert gone is not None
    assert gone.pixels[:, case.mask(0)].max() < 200
