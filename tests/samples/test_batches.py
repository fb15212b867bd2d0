"""Samples: words and pixels are turned together, and what is asked agrees with what is drawn."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from made_sets import blob
from medsegr import data
from medsegr.data import Case, Target
from medsegr.reasoning.codes import Code
from medsegr.samples import batches
from medsegr.samples.asking import Recipe
from medsegr.samples.batches import Plan, by_set, draw, render


def case_of(
    masks: list[np.ndarray], codes: list[tuple[Code, ...]], made: bool = True, modality: str = "ES"
) -> Case:
    pixels = np.stack([np.where(np.any(masks, 0), 220, 40).astype(np.uint8)] * 3)
    targets = tuple(Target(np.packbits(m), c) for m, c in zip(masks, codes, strict=True))
    return Case("c", "s", pixels, targets, modality, True, made, False, "g")


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


@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0, -90.0])
@pytest.mark.parametrize("flip", [(False, False), (True, False), (False, True), (True, True)])
def test_places_that_a_set_tells_are_told_anew_after_any_turn(angle: float, flip: tuple[bool, bool]) -> None:
    """What a table says of a place is true of the whole picture as it lies there."""
    case = case_of([blob(16, 40)], [words("polyp", "upper", "centre")], made=False)
    sample = render(case, Plan((0,), case.targets[0].codes, frozenset(), (), 0, flip, angle), 96)
    ys, xs = np.nonzero(sample.mask.numpy())
    here = {f"row:{batches.ROWS[int(3 * ys.mean() / 96)]}", f"col:{batches.COLS[int(3 * xs.mean() / 96)]}"}
    assert {c.text for c in sample.codes} == {"concept:polyp", *here}
    assert {c.text for c in sample.known if c.group in ("row", "col")} == here


def test_a_place_that_a_set_tells_of_scattered_things_is_told_anew_too() -> None:
    """Nothing else is said of where they lie."""
    many = np.any([blob(y, x, radius=2) for y in (10, 16, 22) for x in (50, 56, 62)], axis=0)
    case = case_of([many], [words("nucleus", "upper", "centre")], made=False)
    plan = Plan((0,), case.targets[0].codes, frozenset({"row", "col"}), (), 0, (False, True))
    told = [c.text for c in render(case, plan, 96).codes]
    assert sorted(told) == ["col:centre", "concept:nucleus", "row:lower"]


def test_a_place_that_a_set_tells_is_dropped_where_the_window_cuts_the_thing_away() -> None:
    case = case_of([blob(16, 40)], [words("polyp", "upper", "centre")], made=False)
    plan = Plan((0,), case.targets[0].codes, frozenset(), (), 0, whole=False, zoom=(0.3, 0.3), shift=(1, 1))
    sample = render(case, plan, 96)
    assert not sample.mask.any()
    assert {c.text for c in sample.codes} == {"concept:polyp"}


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


def test_an_empty_row_beside_a_drawn_one_of_its_name_is_no_foreign_question() -> None:
    """Two people drew the same target, one of them nothing: nobody may be taught that it is not there."""
    drawn = np.zeros((64, 64), bool)
    drawn[20:40, 20:40] = True
    name = (Code("concept:breast tumour"),)
    both = case_of([drawn, np.zeros((64, 64), bool)], [name, name], made=False, modality="US")
    rng = np.random.default_rng(0)
    samples = [render(both, draw(both, by_set([both]), Recipe(absent=1.0), rng), 64) for _ in range(20)]
    assert all(sample.presence != 0.0 for sample in samples)


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


def half_known(masks: list[np.ndarray], unknown: np.ndarray, modality: str = "ES") -> Case:
    """Real things of one name; of ``unknown`` nobody knows whether it is the first one, too."""
    case = case_of(masks, [(Code("concept:polyp"),)] * len(masks), made=False, modality=modality)
    first = replace(case.targets[0], unknown=np.packbits(unknown & ~masks[0]))
    return replace(case, targets=(first, *case.targets[1:]))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.booleans(), st.booleans()),
    st.floats(-180, 180),
    st.floats(0.5, 2.5),
    st.sampled_from([32, 64, 96]),
)
def test_what_is_unknown_is_turned_as_the_mask_is(
    seed: int, flip: tuple[bool, bool], angle: float, zoom: float, size: int
) -> None:
    """Weight 0 has exactly what would be drawn were the unknown pixels the target, and is not now."""
    rng = np.random.default_rng(seed)
    mask, widest = blob(30, 40, radius=14), blob(int(rng.integers(20, 76)), 56, radius=16)
    codes = [(Code("concept:polyp"),)]
    plan = Plan((0,), codes[0], frozenset(), (), 0, flip, angle, (zoom, zoom), shift=(0.2, -0.1))
    least = render(case_of([mask], codes, made=False), plan, size)
    most = render(case_of([mask | widest], codes, made=False), plan, size)
    sample = render(half_known([mask], widest), plan, size)
    assert torch.equal(sample.mask, least.mask)
    differs = (most.mask > 0) & ~(least.mask > 0)
    if not differs.any():
        assert sample.weight is None
    else:
        assert sample.weight is not None
        assert torch.equal(sample.weight == 0, differs)
        assert set(sample.weight.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("flip", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("turns", [0, 1, 2, -1])
def test_unknown_pixels_lie_where_the_picture_shows_them(flip: tuple[bool, bool], turns: int) -> None:
    case = half_known([blob(16, 40)], blob(60, 70))
    pixels = np.stack([np.where(blob(60, 70), 220, 40).astype(np.uint8)] * 3)
    plan = Plan((0,), case.targets[0].codes, frozenset(), (), 0, flip, angle=90.0 * turns)
    sample = render(replace(case, pixels=pixels), plan, 96)
    assert sample.weight is not None
    assert torch.equal(sample.weight == 0, sample.pixels[0] > 0)


def test_no_word_is_made_of_a_mask_beside_unknown_pixels() -> None:
    told = frozenset({"row", "col", *batches.LOOKS})
    case = half_known([blob(16, 40)], blob(16, 52))
    sample = render(case, Plan((0,), case.targets[0].codes, told, (), seed=0), 96)
    assert {code.group for code in sample.codes} == {"concept"}
    assert {code.group for code in sample.known} == {"concept"}
    assert sample.presence == 1.0
    # where the window leaves out what is unknown all is told again
    window = Plan((0,), case.targets[0].codes, told, (), seed=0, zoom=(0.5, 0.5), shift=(-0.6, -0.6))
    far = half_known([blob(20, 20)], blob(80, 80))
    seen = render(far, window, 96)
    assert seen.weight is None
    assert {"row", "col", "size"} <= {code.group for code in seen.codes}


def test_what_may_lie_in_unknown_pixels_is_neither_there_nor_not_there() -> None:
    nothing = np.zeros((96, 96), bool)
    case = half_known([nothing], blob(40, 40))
    rng = np.random.default_rng(0)
    asked = set()
    for _ in range(80):
        plan = draw(case, by_set([case]), Recipe(absent=1, no_words=0.3, clicks=0.5), rng)
        sample = render(case, plan, 64)
        asked.add(plan.targets)
        assert sample.presence == -1.0
        assert not sample.mask.any()
        assert sample.weight is not None
        assert (sample.kinds == 4).all()
    assert asked == {(0,)}


def test_what_is_drawn_of_one_target_is_known_whatever_the_other_says() -> None:
    case = half_known([blob(16, 40), blob(60, 60)], blob(60, 60, radius=12))
    plan = Plan((0, 1), case.targets[0].codes, frozenset(), (), seed=0)
    sample = render(case, plan, 96)
    assert sample.weight is not None
    assert (sample.weight[sample.mask > 0] == 1).all()
    assert np.array_equal(sample.weight.numpy() == 0, blob(60, 60, radius=12) & ~blob(60, 60))
    alone = render(case, replace(plan, targets=(1,)), 96)
    assert alone.weight is None  # the second one's row knows every pixel


def test_of_many_things_beside_unknown_pixels_all_are_meant() -> None:
    case = half_known([MANY], blob(48, 48, radius=20), "GM")
    plan = Plan((0,), case.targets[0].codes, frozenset({"row"}), (), seed=0, part=frozenset({"row"}))
    sample = render(case, plan, 96)
    assert np.array_equal(sample.mask.numpy() > 0, MANY)
    assert {code.group for code in sample.codes} == {"concept"}


def test_nobody_clicks_on_what_is_unknown() -> None:
    case = half_known([blob(40, 40)], ~blob(40, 40, radius=14))
    recipe = Recipe(no_words=0, absent=0, clicks=1)
    rng = np.random.default_rng(0)
    kinds: set[float] = set()
    for _ in range(60):
        sample = render(case, draw(case, by_set([case]), recipe, rng), 96)
        assert sample.weight is not None
        for (x, y), kind in zip(sample.points.numpy(), sample.kinds.tolist(), strict=True):
            kinds.add(kind)
            if kind < 4:
                assert sample.weight[int(y * 96), int(x * 96)] == 1
                assert sample.mask[int(y * 96), int(x * 96)] == kind
    assert kinds == {0.0, 1.0, 4.0}  # and no box, which would say where it ends


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


def test_of_an_image_of_unknown_kind_nobody_knows_what_is_not_there() -> None:
    """A polyp set whose modality nobody told was taught that its frames hold no ulcer."""
    drawn = case_of([blob(16, 40)], [(Code("concept:polyp"),)], made=False)
    other = case_of([blob(16, 40)], [(Code("concept:ulcer"),)], made=False)
    rng = np.random.default_rng(0)
    for here, there in ((None, "ES"), ("ES", None), (None, None), ("ES", "ES")):
        others = by_set([replace(other, modality=there, set="more")])
        plans = [draw(replace(drawn, modality=here), others, Recipe(absent=1), rng) for _ in range(50)]
        assert all(plan.targets for plan in plans)
    others = by_set([replace(other, modality="OP", set="more")])
    assert not any(draw(drawn, others, Recipe(absent=1), rng).targets for _ in range(50))


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
