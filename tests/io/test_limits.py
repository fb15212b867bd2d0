import pytest

from medsegr.errors import InputError, UsageError
from medsegr.io.limits import DEFAULT_LIMITS, Limits, check, check_grid, check_ratio, limits_from_text


def test_a_refusal_says_the_limit_and_how_to_raise_it() -> None:
    with pytest.raises(InputError) as caught:
        check("pixels", 200_000_000, DEFAULT_LIMITS, "PNG picture")
    text = str(caught.value)
    assert "200,000,000" in text
    assert "100,000,000" in text
    assert "--limits pixels=200000000" in text
    check("pixels", 200_000_000, limits_from_text("pixels=200000000"), "PNG picture")


@pytest.mark.parametrize("shape", [(0, 4), (4, -1), (4,), (2, 2, 2, 2), ()])
def test_a_grid_without_pixels_or_with_other_axes_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="grid"):
        check_grid(shape, DEFAULT_LIMITS, "file")


def test_a_volume_is_limited_by_voxels_and_by_its_largest_plane() -> None:
    check_grid((512, 512, 1000), DEFAULT_LIMITS, "file")
    with pytest.raises(InputError, match="voxels"):
        check_grid((1000, 1000, 501), DEFAULT_LIMITS, "file")
    with pytest.raises(InputError, match="pixels"):
        check_grid((20000, 20000, 1), DEFAULT_LIMITS, "file")


def test_small_things_may_be_compressed_as_much_as_they_like() -> None:
    check_ratio(60_000_000, 10, DEFAULT_LIMITS, "zip file")
    with pytest.raises(InputError, match="grows from"):
        check_ratio(80_000_000, 10, DEFAULT_LIMITS, "zip file")
    with pytest.raises(InputError, match="inflated bytes"):
        check_ratio(2_000, 1_000, Limits(inflated_bytes=1_000), "zip file")


@pytest.mark.parametrize("text", ["pixels", "pixels=", "pixel=3", "pixels=0", "pixels=-4", "voxels=inf"])
def test_limits_text_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="NAME=NUMBER"):
        limits_from_text(text)


def test_limits_from_text_changes_only_what_it_names() -> None:
    assert limits_from_text("pixels=2e8, zip_members=3") == Limits(pixels=200_000_000, zip_members=3)
    assert limits_from_text("") == DEFAULT_LIMITS
