"""Words measured from masks: the same as a finished mask is described with, and safe on odd masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from made_sets import blob
from medsegr.portrait import portrait
from medsegr.reasoning.codes import codes_of
from medsegr.samples.oracle import describe
from medsegr.types import Image


def test_it_names_what_is_there() -> None:
    mask = blob(16, 80)
    grey = np.where(mask, 1.0, 0.0)
    told = {c.text for c in describe(mask, grey)}
    assert {"row:upper", "col:right", "side:right", "form:round", "density:hyper", "margin:smooth"} <= told
    assert "density:hypo" in {c.text for c in describe(mask, 1 - grey)}


def test_it_bears_one_pixel_and_a_full_picture() -> None:
    one = np.zeros((32, 32), bool)
    one[3, 4] = True
    assert "size:tiny" in {c.text for c in describe(one, np.zeros((32, 32)))}
    assert "size:large" in {c.text for c in describe(np.ones((32, 32), bool), np.zeros((32, 32)))}


@pytest.mark.parametrize("step", [0.15, 0.3, -0.3])
def test_training_and_portrait_say_the_same(step: float) -> None:
    """The words that a result is described with are the words that were learned: the point of one rule."""
    rng = np.random.default_rng(1)
    mask = blob(30, 64, radius=14)
    grey = np.where(mask, 0.5 + step, 0.5) + rng.normal(0, 0.02, mask.shape)
    grey = ndimage.gaussian_filter(grey, 1.0)
    grey[0, 0], grey[0, 1] = 0, 1  # the whole grey range is used
    image = Image((255 * grey[None]).astype(np.float32), modality="US", frame="viewer")
    finding = portrait(image, mask, "breast mass")
    groups = ("row", "density", "uniformity", "form", "margin", "size")
    written = {c.text for c in codes_of(finding, None, None) if c.group in groups}
    learned = {c.text for c in describe(mask, grey) if c.group in groups}
    assert learned == written


def test_a_colour_picture_tells_only_clear_contrast() -> None:
    mask = blob(40, 40)
    for step, told in ((0.05, set()), (0.4, {"density:hyper"}), (-0.4, {"density:hypo"})):
        codes = describe(mask, np.where(mask, 0.5 + step, 0.5), coloured=True)
        assert {c.text for c in codes if c.group in ("density", "uniformity", "margin")} == told


def test_number_is_told_of_several_parts_only() -> None:
    grey = np.zeros((96, 96))
    assert [c.scalar for c in describe(blob(20, 20) | blob(70, 70), grey) if c.group == "count"] == [2.0]
    assert not [c for c in describe(blob(20, 20), grey) if c.group == "count"]


@settings(max_examples=60, deadline=None)
@given(arrays(bool, (24, 31)), st.integers(0, 2**32 - 1))
def test_any_mask_can_be_described(mask: np.ndarray, seed: int) -> None:
    mask[11, 7] = True
    codes = describe(mask, np.random.default_rng(seed).random(mask.shape))
    assert len({c.group for c in codes if c.group == "size"}) == 1
    assert all(np.isfinite(c.scalar) for c in codes)
