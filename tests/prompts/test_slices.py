"""Slices as pictures, and a mask carried from one to the next."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.grid import planes
from medsegr.io.read import image_from_array
from medsegr.prompts.slices import get, put, slice_image, spread, stack_of
from medsegr.types import Image


def turned(order: tuple[int, ...], signs: tuple[int, ...]) -> Image:
    affine = np.zeros((4, 4))
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = sign * (3.0 if world == 2 else 1.0)
    affine[3, 3] = 1
    values = np.random.default_rng(0).uniform(0, 255, (5, 6, 7)).astype(np.float32)
    return image_from_array(values, affine=affine, modality="MR")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (-1, -1, 1)])
def test_a_slice_is_shown_as_the_volume_is(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    image = turned(order, signs)
    stack = stack_of(image)
    view = stack.count - 2 if stack.plane.flips[0] else 1
    shown = slice_image(stack, 1)
    assert shown.grid == stack.flat
    seen = planes.to_slices(shown.data, planes.plane_of(shown))
    assert (seen == planes.neighbours(stack.seen[0], view)).all()
    assert planes.patient_left(shown) == planes.patient_left(image)


@given(st.integers(0, 6))
def test_what_is_put_is_got(number: int) -> None:
    stack = stack_of(turned((0, 1, 2), (1, 1, 1)))
    volume = np.zeros(stack.image.grid, bool)
    mask = np.random.default_rng(number).random(stack.flat) > 0.5
    out = put(volume, stack, {number: mask})
    assert (get(out, stack, number) == mask).all()
    assert out.sum() == mask.sum()
    assert not volume.any()


def test_carrying_ends_at_no_and_at_the_second_empty_mask() -> None:
    full, none = np.ones((2, 2), bool), np.zeros((2, 2), bool)
    answers = {6: full, 7: none, 8: none, 4: full, 3: None}
    told = dict(spread(5, full, (0, 10), lambda number, _: answers[number]))
    assert sorted(told) == [3, 4, 6, 7, 8]
    assert not told[3].any()
    assert list(spread(5, full, (5, 5), lambda number, _: full)) == []
