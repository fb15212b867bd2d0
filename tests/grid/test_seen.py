"""An image as the network sees it: equal keys, equal pixels."""

import numpy as np
import pytest

from medsegr.grid.seen import look, stack_of
from medsegr.types import Image

GREY = np.random.default_rng(0).integers(0, 256, (1, 40, 50)).astype(np.float32)
HOUNSFIELD = GREY * 8 - 1000


def key(data: np.ndarray, modality: str | None) -> str:
    return look(Image(data, modality=modality), 64).key


def pixels(data: np.ndarray, modality: str | None) -> np.ndarray:
    image = Image(data, modality=modality)
    return stack_of(image, look(image, 64))


@pytest.mark.parametrize("modality", ["CR", "US", "MR", "MG"])
def test_a_kind_that_changes_nothing_is_seen_from_memory(modality: str) -> None:
    assert key(GREY, modality) == key(GREY, None)
    assert np.array_equal(pixels(GREY, modality), pixels(GREY, None))


@pytest.mark.parametrize(("data", "modality"), [(GREY, "ES"), (GREY, "OP"), (HOUNSFIELD, "CT")])
def test_a_kind_that_is_seen_otherwise_is_seen_anew(data: np.ndarray, modality: str) -> None:
    assert key(data, modality) != key(data, None)
    assert not np.array_equal(pixels(data, modality), pixels(data, None))


def test_other_pixels_are_seen_anew() -> None:
    assert key(GREY, None) != key(GREY + 1, None)


def test_pixels_that_are_not_square_are_shown_as_they_are_in_the_body() -> None:
    data = np.zeros((1, 100, 100), np.float32)
    for spacing, taller in (((2.0, 1.0), True), ((1.0, 2.0), False)):
        height, width = look(Image(data, spacing=spacing), 256).size
        assert (height > 1.5 * width) == taller
        assert (width > 1.5 * height) != taller


def test_slices_lie_as_far_apart_as_the_axis_says_that_is_cut_across() -> None:
    stack = Image(np.zeros((1, 20, 30, 40), np.float32), np.diag([1.0, 2.0, 5.0, 1.0]), (1.0, 2.0, 5.0))
    seen = look(stack, 64)
    assert (seen.count, seen.gap) == (40, 5.0)
