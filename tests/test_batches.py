"""Samples: words and pixels are turned together, and what is asked agrees with what is drawn."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from medsegr import batches, data
from medsegr.asking import Recipe
from medsegr.batches import Plan, by_set, draw, render
from medsegr.data import Case, Target
from medsegr.reasoning.codes import Code


def case_of(
    masks: list[np.ndarray], codes: list[tuple[Code, ...]], made: bool = True, modality: str = "ES"
) -> Case:
    pixels = np.stack([np.where(np.any(masks, 0), 220, 40).astype(np.uint8)] * 3)
    targets = tuple(Target(np.packbits(m), c) for m, c in zip(masks, codes, strict=True))
    return Case("c", "s", pixels, targets, modality, True, made, False, "g")


def blob(y: int, x: int, size: int = 96, radius: int = 8) -> np.ndarray:
    yy, xx = np.mgrid[:size, :size]
    return (yy - y) ** 2 + (xx - x) ** 2 <= radius**2


def words(name: str, row: str, col: str) -> tuple[Code, ...]:
    return (Code(f"concept:{name}"), Code(f"row:{row}"), Code(f"col:{col}"))


TWO = case_of(
    [blob(16, 16), blob(80, 80)], [words("polyp", "upper", "left"), words("polyp", "lower", "right")]
)


def test_a_plain_plan_gives_back_the_picture() -> None:
    sample = render(TWO, Plan((0,), TWO.targets[0].codes, frozenset(), (), seed=0), 96)
    assert np.array_equal(sample.mask.numpy() > 0, TWO.mask(0))
    assert sample.presence == 1.0


def test_a_flip_mirrors_pixels_and_words() -> None:
    plan = Plan((0,), TWO.targets[0].codes, frozenset(), (), seed=0, flip=(True, False))
    sample = render(TWO, plan, 96)
    assert np.array_equal(sample.mask.numpy() > 0, TWO.mask(0)[:, ::-1])
    assert {c.text for c in sample.codes} == {"concept:polyp", "row:upper", "col:right"}


def test_blur_and_grain_change_the_picture_and_nothing_else() -> None:
    plan = Plan((0,), TWO.targets[0].codes, frozenset(), (), seed=0)
    plain, soft = (render(TWO, replace(plan, soft=s), 96) for s in (0.0, 1.5))
    grainy, again = (render(TWO, replace(plan, grain=0.05), 96) for _ in range(2))
    for other in (soft, grainy):
        assert torch.equal(plain.mask, other.mask)
        assert plain.codes == other.codes
    edges = [(s.pixels[:, :, 1:] - s.pixels[:, :, :-1]).abs().max() for s in (plain, soft)]
    assert edges[1] < 0.6 * edges[0]
    assert 0.1 < (grainy.pixels - plain.pixels).abs().max() < 4  # in units of 0.25 of the range
    assert torch.equal(grainy.pixels, again.pixels)


@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0, -90.0])
@pytest.mark.parametrize("flip", [(False, False), (True, False), (False, True), (True, True)])
def test_told_places_are_true_after_any_turn(angle: float, flip: tuple[bool, bool]) -> None:
    """Words made from a real picture's mask name the third in which the turned mask lies."""
    case = case_of([blob(16, 40)], [(Code("concept:polyp"),)], made=False)
    plan = Plan((0,), case.targets[0].codes, frozenset({"row", "col"}), (), seed=0, flip=flip, angle=angle)
    sample = render(case, plan, 96)
    ys, xs = np.nonzero(sample.mask.numpy())
    told = {c.text for c in sample.codes}
    assert f"row:{batches.ROWS[int(3 * ys.mean() / 96)]}" in told
    assert f"col:{batches.COLS[int(3 * xs.mean() / 96)]}" in told


def test_a_phantom_is_never_turned_upside_down() -> None:
    rng = np.random.default_rng(0)
    assert not any(draw(TWO, by_set([TWO]), Recipe(), rng).flip[1] for _ in range(200))


def test_what_is_asked_is_what_is_drawn() -> None:
    """Each lesion that fits all words is in the target, no other is; a foreign question has an empty mask."""
    rng = np.random.default_rng(1)
    other = case_of([blob(48, 48)], [words("ulcer", "middle", "centre")])
    empty = 0
    for _ in range(300):
        plan = draw(TWO, by_set([TWO, other]), Recipe(), rng)
        said = {c.text for c in plan.codes if c.group != "modality"}
        fitting = tuple(i for i, t in enumerate(TWO.targets) if said <= t.names)
        assert plan.targets == fitting
        empty += not plan.targets
    assert 30 < empty < 150


def test_wrong_words_do_not_move_a_real_mask() -> None:
    case = case_of([blob(16, 16)], [(Code("concept:polyp"),)], made=False)
    recipe = Recipe(no_words=0, absent=0, place=1, wrong_place=1, looks=0)
    plan = draw(case, by_set([case]), recipe, np.random.default_rng(0))
    assert plan.targets == (0,)
    assert {c.group for c in plan.noise} == {"row", "col"}
    told = [c for c in render(case, plan, 96).codes if c.group in ("row", "col")]
    assert sorted(told, key=str) == sorted(plan.noise, key=str)


def test_a_mask_drawn_empty_on_purpose_means_not_there() -> None:
    normal = case_of(
        [np.zeros((64, 64), bool)], [(Code("concept:breast tumour"),)], made=False, modality="US"
    )
    rng = np.random.default_rng(0)
    for _ in range(50):
        sample = render(normal, draw(normal, by_set([normal]), Recipe(), rng), 64)
        assert sample.presence == 0.0
        assert not sample.mask.any()


def test_same_dice_same_sample() -> None:
    one, other = (
        render(TWO, draw(TWO, by_set([TWO]), Recipe(), np.random.default_rng(5)), 64) for _ in range(2)
    )
    assert np.array_equal(one.pixels.numpy(), other.pixels.numpy())
    assert one.codes == other.codes


def test_clicks_are_where_they_say() -> None:
    recipe = Recipe(no_words=0, absent=0, clicks=1)
    rng = np.random.default_rng(0)
    for _ in range(30):
        sample = render(TWO, draw(TWO, by_set([TWO]), recipe, rng), 96)
        mask = sample.mask.numpy() > 0
        for (x, y), kind in zip(sample.points.numpy(), sample.kinds.tolist(), strict=True):
            if kind in (0.0, 1.0):
                assert mask[int(y * 96), int(x * 96)] == bool(kind)


MANY = np.any([blob(y, x, radius=4) for y in range(8, 96, 16) for x in range(8, 96, 16)], axis=0)
CELLS = case_of([MANY], [(Code("concept:nucleus"),)], made=False, modality="GM")


@pytest.mark.parametrize("groups", [{"row"}, {"col"}, {"row", "col"}])
def test_a_part_of_many_things_is_told_by_the_third_that_it_lies_in(groups: set[str]) -> None:
    for seed in range(6):
        plan = Plan((0,), CELLS.targets[0].codes, frozenset({"col"}), (), seed, part=frozenset(groups))
        sample = render(CELLS, plan, 96)
        ys, xs = np.nonzero(sample.mask.numpy())
        rows, cols = ({int(3 * v / 96) for v in axis} for axis in (ys, xs))
        told = {code.text for code in sample.codes if code.group in ("row", "col", "side")}
        expected = {f"row:{batches.ROWS[r]}" for r in rows if "row" in groups}
        expected |= {f"col:{batches.COLS[c]}" for c in cols if "col" in groups}
        assert told == expected
        assert 0 < sample.mask.sum() < MANY.sum()


def test_the_place_of_all_of_many_things_is_not_told() -> None:
    plan = Plan((0,), CELLS.targets[0].codes, frozenset({"row", "col", "side", "form"}), (), seed=0)
    told = {code.group for code in render(CELLS, plan, 96).codes}
    assert told == {"concept", "form"}


def test_one_thing_is_no_part_of_many() -> None:
    case = case_of([blob(16, 40)], [(Code("concept:polyp"),)], made=False)
    plan = Plan((0,), case.targets[0].codes, frozenset(), (), seed=0, part=frozenset({"row"}))
    sample = render(case, plan, 96)
    assert np.array_equal(sample.mask.numpy() > 0, case.mask(0))
    assert {code.group for code in sample.codes} == {"concept"}


def test_rich_words_do_not_give_away_what_is_there() -> None:
    """Looks are told as often of what is not there: else many words alone would mean "there"."""
    here = case_of([blob(16, 40)], [(Code("concept:polyp"),)], made=False)
    other = case_of([blob(16, 40)], [(Code("concept:lung"),)], made=False, modality="CR")
    rng = np.random.default_rng(0)
    shares = []
    for absent in (0.0, 1.0):
        recipe = Recipe(no_words=0, absent=absent)
        plans = [draw(here, by_set([other]), recipe, rng) for _ in range(400)]
        assert all(bool(plan.targets) == (absent == 0) for plan in plans)
        told = [{c.group for c in plan.noise} | plan.told for plan in plans]
        shares.append(np.mean([bool(groups & set(batches.LOOKS)) for groups in told]))
    assert abs(shares[0] - shares[1]) < 0.12
    assert min(shares) > 0.25


def test_rare_sets_are_asked_from_as_often_as_large_ones() -> None:
    here = case_of([blob(16, 40)], [(Code("concept:polyp"),)], made=False)
    large = [case_of([blob(16, 40)], [(Code("concept:lung"),)], made=False, modality="CR")] * 200
    rare = case_of([blob(16, 40)], [(Code("concept:retinal vessels"),)], made=False, modality="OP")
    others = by_set([here, *(replace(c, set="large") for c in large), replace(rare, set="rare")])
    rng = np.random.default_rng(0)
    plans = [draw(here, others, Recipe(absent=1, looks=0, place=0), rng) for _ in range(200)]
    share = np.mean([plan.codes[0].text == "concept:retinal vessels" for plan in plans])
    assert 0.35 < share < 0.65


def test_every_phantom_kind_gives_samples() -> None:
    rng = np.random.default_rng(0)
    for kind in ("chest", "abdomen", "mucosa", "ultrasound", "cells"):
        cases = [data.phantom_case(m) for m in data.make_phantoms(kind, 5, 2, 96)]
        sample = render(cases[0], draw(cases[0], by_set(cases), Recipe(absent=0, no_words=0), rng), 64)
        assert np.isfinite(sample.pixels.numpy()).all()
        assert sample.codes
