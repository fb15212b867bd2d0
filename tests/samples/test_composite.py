"""Two lesions in one real picture: nothing of the first is lost, and the place says which is meant."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import made_sets
from medsegr.data import Case, Target
from medsegr.reasoning.codes import Code
from medsegr.samples.asking import Recipe
from medsegr.samples.batches import by_set, draw, render
from medsegr.samples.composite import joined

POLYP = (Code("concept:polyp"), Code("modality:ES"))


blob = partial(made_sets.blob, size=192, radius=14)


def picture(name: str, mask: np.ndarray, tone: int, **changed: object) -> Case:
    pixels = np.stack([np.where(mask, tone, 90).astype(np.uint8)] * 3)
    case = Case(name, "s", pixels, (Target(np.packbits(mask), POLYP),), "ES", True, False, False, name)
    return replace(case, **changed)  # type: ignore[arg-type]


def open_beside(case: Case) -> Case:
    """It, with a corner that nobody judged."""
    unknown = np.zeros(case.grid, bool)
    unknown[:9, :9] = True
    return replace(case, targets=(replace(case.targets[0], unknown=np.packbits(unknown)),))


FIRST = picture("a", blob(50, 50), 200)
SECOND = picture("b", blob(100, 120), 160)


def test_the_first_lesion_stays_as_it_was_and_the_second_lies_apart() -> None:
    rng = np.random.default_rng(0)
    made = [m for m in (joined(FIRST, SECOND, rng) for _ in range(30)) if m]
    assert len(made) > 10
    for case in made:
        one, two = case.mask(0), case.mask(1)
        assert np.array_equal(one, FIRST.mask(0))
        assert not (one & two).any()
        assert np.array_equal(case.pixels[:, one], FIRST.pixels[:, one])
        gap = np.argwhere(one).mean(0) - np.argwhere(two).mean(0)
        assert np.hypot(*gap) > 0.35 * 192
        inside, outside = case.pixels[0][two].mean(), case.pixels[0][~(one | two)].mean()
        assert inside > outside + 30  # it looks like what it is


@pytest.mark.parametrize(
    ("case", "other"),
    [
        (FIRST, FIRST),
        (FIRST, replace(SECOND, modality="US")),
        (replace(FIRST, made=True), SECOND),
        (replace(FIRST, modality="DX"), replace(SECOND, modality="DX")),
        (FIRST, picture("two", blob(40, 40) | blob(150, 150), 160)),
        (FIRST, picture("none", np.zeros((192, 192), bool), 160)),
        (picture("none", np.zeros((192, 192), bool), 160), SECOND),
        (picture("full", np.ones((192, 192), bool), 160), SECOND),
        (FIRST, picture("full", np.ones((192, 192), bool), 160)),
        (open_beside(FIRST), SECOND),
        (FIRST, open_beside(SECOND)),
    ],
)
def test_what_cannot_be_joined_is_left_alone(case: Case, other: Case) -> None:
    assert joined(case, other, np.random.default_rng(0)) is None


def test_nothing_is_pasted_into_a_black_corner() -> None:
    dark = FIRST.pixels.copy()
    dark[:, 90:], dark[:, :, 90:] = 0, 0
    assert joined(replace(FIRST, pixels=dark), SECOND, np.random.default_rng(0)) is None


def test_the_place_that_is_told_holds_the_mask_and_not_the_other() -> None:
    rng = np.random.default_rng(3)
    placed = both = 0
    for _ in range(150):
        case = joined(FIRST, SECOND, rng)
        if case is None:
            continue
        plan = draw(case, by_set([case]), Recipe(), rng)
        sample = render(case, plan, 128)
        if len(plan.targets) == 1:
            placed += 1
            assert {"row", "col"} <= plan.told
            if sample.presence == 1:
                assert {"row", "col"} <= {c.group for c in sample.codes}
        elif plan.targets:
            both += 1
            assert not {c.group for c in sample.codes} & {"row", "col"}
    assert placed > 30
    assert both > 5
