"""Many masks as one label map, as layers, and what they share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_files import segment
from medsegr.io.segments import box_of, drawn, label_map, layers, overlaps, rounded


def blobs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    large, small, apart = (np.zeros((6, 8), bool) for _ in range(3))
    large[0:4, 0:5] = True
    small[1:3, 1:3] = True
    apart[5, 7] = True
    return large, small, apart


def test_an_empty_mask_is_no_segment_and_the_order_stays() -> None:
    large, small, _ = blobs()
    found = [segment(1, large), segment(2, None), segment(3, np.zeros((6, 8), bool)), segment(4, small)]
    assert [s.id for s in drawn(found)] == ["f1", "f4"]


def test_overlaps_are_counted_by_pair() -> None:
    found = [segment(n, mask) for n, mask in enumerate(blobs(), 1)]
    assert overlaps(found) == {("f1", "f2"): 4}
    assert overlaps(found[1:]) == {}


def test_the_smaller_mask_is_seen_in_the_label_map_whatever_the_order() -> None:
    large, small, apart = blobs()
    labels = label_map([segment(1, small), segment(2, large), segment(3, apart)])
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels == 1, small)
    np.testing.assert_array_equal(labels == 2, large & ~small)
    np.testing.assert_array_equal(label_map([segment(1, large), segment(2, small)]) == 2, small)
    beside = np.roll(small, 1, axis=1)  # of equally small ones the first is seen
    np.testing.assert_array_equal(label_map([segment(1, small), segment(2, beside)]) == 1, small)
    np.testing.assert_array_equal(label_map([segment(1, beside), segment(2, small)]) == 1, beside)


def test_more_than_255_masks_get_wider_labels() -> None:
    masks = np.eye(300, dtype=bool)[:, None]
    labels = label_map([segment(n, mask) for n, mask in enumerate(masks, 1)])
    assert (labels.dtype, labels.max()) == (np.uint16, 300)
    maps, places = layers([segment(n, mask) for n, mask in enumerate(masks, 1)])
    assert (len(maps), maps[0].max(), places[-1]) == (1, 300, (0, 300))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_layers_hold_every_voxel_of_every_mask(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    masks = [rng.random((3, 4, 5)) > rng.uniform(0.3, 0.99) for _ in range(count)]
    found = [segment(n, mask) for n, mask in enumerate(masks, 1)]
    maps, places = layers(found)
    for item, (layer, label) in zip(drawn(found), places, strict=True):
        np.testing.assert_array_equal(maps[layer] == label, item.mask)
    assert len(maps) <= max(1, len(drawn(found)))


@given(st.integers(0, 2**32 - 1))
def test_the_box_is_the_smallest(seed: int) -> None:
    mask = np.random.default_rng(seed).random((4, 5, 6)) > 0.95
    if not mask.any():
        mask[2, 3, 4] = True
    box = box_of(mask)
    assert mask[box].sum() == mask.sum()
    for axis, part in enumerate(box):
        assert mask.take(part.start, axis).any()
        assert mask.take(part.stop - 1, axis).any()


@pytest.mark.parametrize(
    ("value", "told"),
    [(1234.56789, 1234.5679), (-98.76543, -98.7654), (0.000812345, 0.0008123), (3e-10, 3e-10), (0.0, 0.0)],
)
def test_small_numbers_keep_their_digits(value: float, told: float) -> None:
    """Four decimals of a map of diffusion (mm2/s) would be one digit."""
    assert rounded(value) == told
