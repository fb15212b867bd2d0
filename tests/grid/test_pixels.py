"""Size and values in which a picture is shown to the network: one rule for training and predicting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.grid.pixels import COLOURS, HAZY, coloured, to_bytes, working_size
from medsegr.results.overlay import window
from medsegr.types import Image

sides = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("grid", "modality", "size"),
    [
        ((512, 512), "CR", (256, 256)),
        ((64, 64), "CR", (256, 256)),
        ((41, 47), "MR", (160, 192)),  # a slice of a hippocampus: not at 256 px
        ((8, 8), "MR", (64, 64)),
        ((256, 256), "GM", (256, 256)),
        ((520, 696), "GM", (448, 608)),
        ((1024, 1024), "OP", (512, 512)),
        ((100, 1000), "CR", (192, 352)),
    ],
)
def test_what_is_shown_at_which_size(grid: tuple[int, int], modality: str, size: tuple[int, int]) -> None:
    assert working_size(grid, modality, 256) == size


@given(sides, sides, st.sampled_from([None, "CR", "GM", "OP"]))
def test_any_grid_fits_the_strides_and_the_memory(h: int, w: int, modality: str | None) -> None:
    size = working_size((h, w), modality, 256)
    assert all(side % 32 == 0 and side >= 64 for side in size)
    assert size[0] * size[1] <= 1.2 * 512**2
    assert working_size((w, h), modality, 256) == size[::-1]


def colours(low: float, high: float) -> np.ndarray:
    """Red falls and green rises between the two values; blue lies in the middle."""
    ramp = np.broadcast_to(np.linspace(low, high, 60), (50, 60))
    return np.stack([ramp[:, ::-1], ramp, np.full((50, 60), (low + high) / 2)]).astype(np.float32)


@pytest.mark.parametrize(("low", "high"), [(0, 255), (20, 150), (90, 90), (0, 0)])
def test_colour_stays_as_it_is_where_it_spans_what_was_learned_and_where_there_is_one_value(
    low: float, high: float
) -> None:
    assert np.array_equal(to_bytes(Image(colours(low, high))), colours(low, high).round())


@pytest.mark.parametrize(("low", "high"), [(90, 130), (0, 60), (200, 255), (0, 1)])
def test_a_hazy_or_dark_colour_picture_is_seen_as_its_clear_one_in_its_own_colours(
    low: float, high: float
) -> None:
    assert high - low < HAZY
    clear = to_bytes(Image(colours(0, 255))).astype(int)
    seen = to_bytes(Image(colours(low, high))).astype(int)
    assert abs(seen - clear).max() <= 5  # half a per cent at either end, and rounding
    assert seen.dtype == clear.dtype


@pytest.mark.parametrize("kind", sorted(COLOURS))
@pytest.mark.parametrize("channels", [1, 3])
def test_a_grey_picture_of_a_kind_learned_in_colour_gets_its_colours(kind: str, channels: int) -> None:
    ramp = np.linspace(60, 140, 3000).reshape(1, 50, 60).astype(np.float32)
    grey = np.repeat(ramp, channels, 0)
    seen = to_bytes(Image(grey, modality=kind))
    assert (seen.shape, seen.dtype) == ((3, 50, 60), np.uint8)
    red, green, blue = seen[:, 40, 30].astype(int)
    assert red > green > blue, "tissue is reddish"
    assert (np.diff(seen.reshape(3, -1).astype(int), axis=1) >= 0).all(), "brighter stays brighter"
    other = to_bytes(Image(0.3 * grey + 50, modality=kind))
    assert abs(other.astype(int) - seen).max() <= 2, "however faint"
    assert to_bytes(Image(ramp, modality="US")).shape == (1, 50, 60)
    assert to_bytes(Image(ramp)).shape == (1, 50, 60)


@pytest.mark.parametrize("kind", sorted(COLOURS))
def test_a_colour_picture_keeps_its_own_colours_and_a_coloured_label_is_none(kind: str) -> None:
    assert np.array_equal(to_bytes(Image(colours(0, 255), modality=kind)), colours(0, 255).round())
    labelled = np.full((3, 50, 60), 90, np.float32)
    labelled[:, 10:40] = 140
    labelled[1, 0, :3] = 255
    assert not coloured(labelled)
    assert (to_bytes(Image(labelled, modality=kind))[0] > to_bytes(Image(labelled, modality=kind))[2]).all()


def test_colour_is_three_channels_that_differ() -> None:
    assert coloured(colours(0, 255))
    assert not coloured(np.zeros((3, 4, 4), np.float32))
    assert not coloured(colours(0, 255)[:1])


@pytest.mark.parametrize("unit", [1e-12, 1e-9, 1e-3, 1e9, 1e30])
def test_a_picture_is_seen_the_same_in_any_unit(unit: float) -> None:
    ramp = np.linspace(0, 1, 3000).reshape(1, 50, 60)
    image = Image((unit * ramp).astype(np.float32))
    assert abs(to_bytes(image).astype(int) - to_bytes(Image(ramp.astype(np.float32)))).max() <= 1
    assert np.unique(window(image)).size == 256


def test_a_picture_of_one_value_is_black_and_a_speck_on_it_white() -> None:
    data = np.full((1, 50, 60), 7, np.float32)
    assert not to_bytes(Image(data)).any()
    data[0, 3, 4] = 8
    assert np.argwhere(to_bytes(Image(data))).tolist() == [[0, 3, 4]]


@given(st.floats(0.05, 1.0), st.floats(0.0, 1.0))
def test_any_grey_picture_is_seen_the_same_however_faint(contrast: float, offset: float) -> None:
    ramp = np.linspace(0, 1, 3000, dtype=np.float64).reshape(1, 50, 60)
    seen = to_bytes(Image((offset + contrast * ramp).astype(np.float32))).astype(int)
    assert abs(seen - to_bytes(Image(ramp.astype(np.float32))).astype(int)).max() <= 1


def test_ct_is_cut_to_soft_tissue_where_it_holds_hounsfield_units() -> None:
    whole = np.array([[-1000, -160, 70, 300, 2000]], np.float32)[None]
    assert to_bytes(Image(whole, modality="CT")).ravel().tolist() == [0, 0, 127, 255, 255]
    cut = np.linspace(-150, 250, 3000, dtype=np.float32).reshape(1, 50, 60)  # somebody's own window
    assert (to_bytes(Image(cut, modality="CT")) == to_bytes(Image(cut, modality="MR"))).all()


def test_a_few_odd_pixels_do_not_make_the_rest_dark() -> None:
    ramp = np.linspace(0, 1, 3000, dtype=np.float32).reshape(1, 50, 60)
    odd = ramp.copy()
    odd[0, 0, :5], odd[0, 1, :5] = 1000, -1000
    assert abs(to_bytes(Image(odd)).astype(int) - to_bytes(Image(ramp)))[:, 2:].max() <= 1


@pytest.mark.parametrize(("tint", "part", "told"), [(22, 0.06, True), (11, 0.06, False), (22, 0.03, False)])
def test_colour_is_a_tenth_of_the_brightest_in_more_pixels_than_a_label_has(
    tint: int, part: float, told: bool
) -> None:
    data = np.full((3, 40, 50), 200, np.float32)
    data[0].reshape(-1)[: round(part * 2000)] -= tint
    assert coloured(data) == told
