"""The size at which a picture is shown to the network: one rule for training and predicting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.pixels import working_size

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
