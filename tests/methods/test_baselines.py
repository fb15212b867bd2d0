import numpy as np
import pytest

from medsegr.methods.baselines import constant, otsu, place, threshold
from medsegr.types import Finding, Image, Location, Prompt


def picture(
    frame: str = "patient", axes: tuple[str, ...] | None = None, grid: tuple[int, ...] = (30, 60)
) -> Image:
    return Image(np.zeros((1, *grid), np.float32), frame=frame, axes=axes)  # type: ignore[arg-type]


def asked(location: Location, polarity: str = "present") -> Prompt:
    return Prompt(("x",), (Finding("f1", "x", (0, 1), "x", location=location, polarity=polarity),))  # type: ignore[arg-type]


def drawn(image: Image, location: Location, **more: str) -> np.ndarray:
    return place.build().segment(image, asked(location, **more)).prob[0]


def test_otsu_draws_the_smaller_part_by_default() -> None:
    data = np.full((1, 10, 10), 200, np.float32)
    data[0, 2:4, 3:6] = 10
    image = Image(data)
    minor, bright = (
        otsu.build().segment(image, Prompt(("a",))),
        otsu.build("bright").segment(image, Prompt(("a",))),
    )
    assert minor.prob.sum() == 6
    assert bright.prob.sum() == 94
    assert otsu.build("dark").segment(image, Prompt(("a",))).prob.sum() == 6


def test_otsu_of_a_flat_image_is_empty() -> None:
    assert otsu.build().segment(picture(), Prompt(("a", "b"))).prob.sum() == 0


def test_constant_is_a_centred_ellipse_of_its_width() -> None:
    mask = constant.build(0.5).segment(picture(grid=(100, 200)), Prompt(("a",))).prob[0]
    assert mask.mean() == pytest.approx(np.pi / 16, rel=0.02)
    np.testing.assert_array_equal(mask, mask[::-1])
    np.testing.assert_array_equal(mask, mask[:, ::-1])
    with pytest.raises(ValueError, match="width"):
        constant.build(0.0)


def test_the_patients_left_is_at_the_right_of_a_radiograph() -> None:
    left = drawn(picture(), Location(side="left"))
    assert left[:, 30:].all()
    assert not left[:, :30].any()


def test_a_radiograph_that_says_its_axes_is_believed() -> None:
    left = drawn(picture(axes=("I", "R")), Location(side="left"))
    assert left[:, :30].all()
    assert not left[:, 30:].any()


def test_the_viewers_left_is_at_the_left() -> None:
    for image in (picture("viewer"), picture("patient")):
        left = drawn(image, Location(side="left", side_frame="viewer"))
        assert left[:, :30].all()
        assert not left[:, 30:].any()


def test_words_of_one_kind_add_up_and_kinds_cut_each_other() -> None:
    mask = drawn(picture("viewer"), Location(rows=("upper", "lower"), cols=("centre",)))
    assert mask[:10, 20:40].all()
    assert mask[20:, 20:40].all()
    assert mask.sum() == 2 * 10 * 20


@pytest.mark.parametrize("location", [Location(), Location(side="bilateral")])
def test_no_place_is_everywhere(location: Location) -> None:
    assert drawn(picture(), location).all()


def test_the_midline_is_the_middle_third() -> None:
    assert drawn(picture(), Location(side="midline")).sum() == 30 * 20


def test_the_side_of_the_one_limb_that_is_shown_is_no_half_of_its_picture() -> None:
    assert drawn(picture(), Location(side="left", side_frame="limb")).all()


def test_a_negated_finding_names_no_place() -> None:
    assert drawn(picture(), Location(side="left"), polarity="absent").all()


def test_raw_words_count_where_there_is_no_finding() -> None:
    image = picture("viewer")
    mask = place.build().segment(image, Prompt(("opacity",), text="Opacity at the LEFT, lower part")).prob[0]
    assert mask[20:, :30].all()
    assert mask.sum() == 10 * 30
    both = place.build().segment(image, Prompt(("left and right lung",))).prob[0]
    assert both.all()


@pytest.mark.parametrize("letters", [("R", "A", "S"), ("L", "P", "S"), ("I", "R", "A"), ("P", "S", "L")])
def test_volumes_are_aimed_at_by_their_axes(letters: tuple[str, str, str]) -> None:
    image = Image(np.zeros((1, 12, 12, 12), np.float32), axes=letters)
    mask = drawn(image, Location(side="left", rows=("upper",)))
    centre = np.argwhere(mask).mean(axis=0) - 5.5
    towards = {letter: centre[axis] for axis, letter in enumerate(letters)}
    assert towards.get("L", -towards.get("R", 0.0)) > 0
    assert towards.get("S", -towards.get("I", 0.0)) > 0
    assert mask.sum() == 12**3 / 6


def test_threshold_draws_the_largest_bright_piece_alone() -> None:
    data = np.zeros((1, 5, 20, 20), np.float32)
    data[0, 1:3, 2:9, 2:9] = 100
    data[0, 4, 18, 18] = 900
    said = threshold.build().segment(Image(data), Prompt(("a", "b")))
    np.testing.assert_array_equal(said.prob[0] > 0, data[0] == 100)
    np.testing.assert_array_equal(said.prob[0], said.prob[1])
    assert threshold.build().segment(picture(), Prompt(("a",))).prob.sum() == 0
