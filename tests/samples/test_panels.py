"""Several real pictures in one: nothing of a panel is lost, and what is told says which is meant."""

from dataclasses import replace

import numpy as np
import pytest

from made_sets import blob
from medsegr.data import Case, Target
from medsegr.fitting.config import FitConfig
from medsegr.reasoning.codes import Code
from medsegr.samples.asking import Recipe
from medsegr.samples.batches import by_set, draw, render
from medsegr.samples.feed import samples_of
from medsegr.samples.panels import CELL, panels

SIDE = 128
ALL_PANELS = Recipe(
    no_words=0, absent=0, panels=1, joined_place=1, looks=0, clicks=0, soft=0, grain=0, modality=1
)


def picture(name: str, concept: str, modality: str, mask: np.ndarray, **changed: object) -> Case:
    pixels = np.where(mask, np.uint8(220), np.uint8(90))[None].repeat(3, 0)
    codes = (Code(f"concept:{concept}"), Code(f"modality:{modality}"))
    target = Target(np.packbits(mask), codes)
    case = Case(f"{name}/{concept}", concept, pixels, (target,), modality, True, False, False, name)
    return replace(case, **changed)  # type: ignore[arg-type]


def spot(y: int, x: int) -> np.ndarray:
    return blob(y, x, size=SIDE, radius=14)


def many(concept: str, modality: str) -> list[Case]:
    return [picture(str(i), concept, modality, spot(40 + 5 * i, 80 - 6 * i)) for i in range(6)]


POLYPS, NODULES, MOLES = many("polyp", "ES"), many("nodule", "US"), many("skin lesion", "DMS")
POOLS = [POLYPS, NODULES, MOLES]


def made(rng: np.random.Generator, times: int = 60) -> list[Case]:
    return [case for _ in range(times) if (case := panels(POLYPS[0], POOLS, rng))]


def test_each_panel_keeps_its_picture_and_its_target() -> None:
    cases = made(np.random.default_rng(0))
    assert len(cases) > 50
    for case in cases:
        drawn = [case.mask(i) for i in range(len(case.targets))]
        shown = [mask for mask in drawn if mask.any()]
        assert len(shown) in (2, 4)
        assert sum(mask.astype(int) for mask in shown).max() == 1  # type: ignore[union-attr]
        for mask in shown:
            assert case.pixels[0][mask].mean() > 190  # it lies on what it lay on
            scale = (CELL / SIDE) ** 2
            assert mask.sum() == pytest.approx(spot(64, 64).sum() * scale, rel=0.1)
        apart = [np.argwhere(mask).mean(0) for mask in shown]
        assert min(np.hypot(*(a - b)) for i, a in enumerate(apart) for b in apart[:i]) > CELL / 4
        assert "concept:polyp" in {name for target in case.targets for name in target.names}


def test_panels_of_one_kind_keep_their_kind_of_image_and_others_have_none() -> None:
    seen = set()
    for case in made(np.random.default_rng(1)):
        shown = [target for target in case.targets if target.packed.any()]
        kinds = {target.codes[0].text for target in shown}
        told = {code.group for target in shown for code in target.codes}
        seen.add(case.modality)
        assert (case.modality == "ES") == (kinds == {"concept:polyp"})
        assert ("modality" in told) == (case.modality == "ES")
    assert seen == {"ES", None}


def test_what_no_panel_shows_is_asked_for_and_is_not_there() -> None:
    strange = 0
    for case in made(np.random.default_rng(2), 100):
        shown = {t.codes[0].text for i, t in enumerate(case.targets) if case.mask(i).any()}
        gone = [t.codes[0].text for i, t in enumerate(case.targets) if not case.mask(i).any()]
        assert len(gone) <= 1
        assert not shown & set(gone)
        strange += len(gone)
    assert 10 < strange < 60


def test_the_words_name_one_panel_or_something_that_is_not_there() -> None:
    rng = np.random.default_rng(3)
    one = placed_absent = 0
    for case in made(rng, 120):
        plan = draw(case, by_set([c for pool in POOLS for c in pool]), ALL_PANELS, rng)
        sample = render(case, plan, 128)
        groups = {c.group for c in sample.codes}
        assert {"row", "col"} <= groups  # also of what is not there: a place does not give it away
        if not plan.targets:
            placed_absent += 1
            assert sample.presence == 0
            assert not sample.mask.any()
            continue
        one += 1
        assert len(plan.targets) == 1
        assert sample.presence == 1
        centre = np.argwhere(sample.mask.numpy() > 0).mean(0) / 128
        third = ("left", "centre", "right")[int(3 * centre[1])]
        assert any(c.text == f"col:{third}" for c in sample.codes)
    assert one > 60
    assert placed_absent > 3


def test_the_name_alone_means_all_panels_of_that_name() -> None:
    rng = np.random.default_rng(4)
    for case in made(rng, 40):
        plan = draw(case, by_set(POLYPS), replace(ALL_PANELS, joined_place=0, place=0), rng)
        name = next(c.text for c in plan.codes if c.group == "concept")
        meant = [i for i, t in enumerate(case.targets) if name in t.names and case.mask(i).any()]
        assert sorted(plan.targets) == meant


def test_many_things_in_one_panel_get_the_place_of_the_panel() -> None:
    """Nuclei everywhere in a picture have no place; those of one of two pictures have."""
    dots = np.any(
        [blob(y, x, size=SIDE, radius=5) for y in range(12, 120, 24) for x in range(12, 120, 24)], 0
    )
    cells = [picture(str(i), "nucleus", "SM", dots) for i in range(3)]
    rng = np.random.default_rng(5)
    case = panels(cells[0], [cells], rng)
    while case is None or len(case.targets) != 2:
        case = panels(cells[0], [cells], rng)
    for _ in range(10):
        plan = draw(case, by_set(cells), replace(ALL_PANELS, part=1), rng)
        assert plan.part is None
        assert plan.whole
        assert {"row", "col"} <= {c.group for c in render(case, plan, 128).codes}


@pytest.mark.parametrize(
    "case",
    [
        replace(POLYPS[0], made=True),
        replace(POLYPS[0], drawn=False),
        replace(POLYPS[0], apart=True),
        replace(POLYPS[0], targets=()),
        replace(POLYPS[0], targets=POLYPS[0].targets * 2),
        picture("none", "polyp", "ES", np.zeros((SIDE, SIDE), bool)),
        replace(
            POLYPS[0],
            targets=(replace(POLYPS[0].targets[0], unknown=np.packbits(spot(20, 20))),),
        ),
        replace(
            POLYPS[0],
            targets=(replace(POLYPS[0].targets[0], codes=(*POLYPS[0].targets[0].codes, Code("side:left"))),),
        ),
    ],
)
def test_what_is_no_panel_stays_alone(case: Case) -> None:
    rng = np.random.default_rng(6)
    assert all(panels(case, [[case, *POLYPS[1:]], NODULES], rng) is None for _ in range(10))


def test_one_picture_is_not_put_beside_itself() -> None:
    rng = np.random.default_rng(7)
    assert all(panels(POLYPS[0], [POLYPS[:1]], rng) is None for _ in range(10))


def test_they_come_as_often_as_the_recipe_says() -> None:
    config = FitConfig(sets={"polyp": 1.0, "nodule": 1.0}, recipe=Recipe(panels=0.3, joined=0, covered=0))
    stream = samples_of([*POLYPS, *NODULES], config, 0)
    share = sum(next(stream)[0].apart for _ in range(400)) / 400
    assert 0.22 < share < 0.38
    none = samples_of([*POLYPS, *NODULES], replace(config, recipe=Recipe(joined=0, covered=0)), 0)
    assert not any(next(none)[0].apart for _ in range(50))
