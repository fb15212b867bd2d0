"""Sizes are changed as torch changes them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from medsegr.grid.resize import resized

SIDES = st.tuples(st.integers(1, 70), st.integers(1, 70))


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, st.booleans(), st.integers(0, 2**31))
def test_it_is_what_torch_does(old: tuple[int, int], new: tuple[int, int], smooth: bool, seed: int) -> None:
    maps = np.random.default_rng(seed).standard_normal((2, 1, *old)).astype(np.float32)
    expected = F.interpolate(
        torch.from_numpy(maps), size=new, mode="bilinear", align_corners=False, antialias=smooth
    )
    assert np.allclose(resized(maps, new, smooth), expected, atol=1e-4)


@pytest.mark.parametrize("smooth", [True, False])
def test_bytes_are_taken_as_they_are(smooth: bool) -> None:
    maps = np.random.default_rng(0).integers(0, 256, (3, 40, 50), dtype=np.uint8)
    small = resized(maps, (20, 16), smooth)
    assert small.dtype == np.float32
    assert np.allclose(small, resized(maps.astype(np.float32), (20, 16), smooth), atol=1e-3)


def test_a_constant_stays_and_the_same_size_is_the_same_picture() -> None:
    flat = np.full((5, 9), 3.5, np.float32)
    assert np.allclose(resized(flat, (50, 4), smooth=True), 3.5, atol=1e-5)
    noise = np.random.default_rng(0).standard_normal((5, 9)).astype(np.float32)
    assert np.array_equal(resized(noise, (5, 9)), noise)


def test_the_mirror_image_is_resized_to_the_mirror_image() -> None:
    noise = np.random.default_rng(0).standard_normal((31, 47)).astype(np.float32)
    for size in ((64, 100), (16, 20)):
        assert np.allclose(
            resized(noise[:, ::-1], size, True), resized(noise, size, True)[:, ::-1], atol=1e-5
        )
