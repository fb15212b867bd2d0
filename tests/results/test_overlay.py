"""The picture: what it shows, what it never does with hostile text."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsegr.explain import blend, heat_map
from medsegr.results import overlay
from medsegr.types import Finding, FindingResult, Image, Result


def item(n: int, mask: np.ndarray | None, phrase: str = "nodule", reason: str | None = None) -> FindingResult:
    finding = Finding(f"f{n}", phrase, (0, len(phrase)), "nodule")
    return FindingResult(finding, "segmented" if reason is None else "skipped", reason, mask, score=0.5)


def result(image: Image, *items: FindingResult) -> Result:
    return Result(image, None, items, {"name": "m", "sha256": "", "licence": ""})


def image_of(shape: tuple[int, ...], **more: Any) -> Image:
    return Image(np.random.default_rng(0).normal(100, 20, (1, *shape)).astype(np.float32), **more)


def disc(h: int, w: int, y: int, x: int, r: int) -> np.ndarray:
    rows, cols = np.mgrid[:h, :w]
    return np.asarray((rows - y) ** 2 + (cols - x) ** 2 <= r * r)


def close_to(picture: Any, colour: tuple[int, int, int]) -> int:
    pixels = np.asarray(picture, int)
    return int((np.abs(pixels - colour).sum(axis=-1) < 12).sum())


def test_each_contour_has_its_own_colour_around_its_mask() -> None:
    picture = overlay.draw(
        result(
            image_of((100, 100), modality="CR"),
            item(1, disc(100, 100, 30, 30, 12)),
            item(2, disc(100, 100, 70, 70, 12)),
        )
    )
    assert picture.mode == "RGB"
    for colour in overlay.COLOURS[:2]:
        assert close_to(picture, colour) > 100
    assert close_to(picture, overlay.COLOURS[3]) == 0


@pytest.mark.parametrize(
    ("code", "shown"), [*((c, True) for c in overlay.OF_THE_IMAGE), ("frame_assumed", False)]
)
def test_doubts_of_the_image_itself_stand_in_its_legend(code: str, shown: bool) -> None:
    plain = result(image_of((64, 64)), item(1, disc(64, 64, 30, 30, 9)))
    picture = overlay.draw(replace(plain, warnings=((code, "the film may be mirrored"),)))
    assert (picture.height > overlay.draw(plain).height) == shown
    assert (close_to(picture, overlay.AMBER) > 0) == shown


def test_passages_that_were_not_understood_are_told_in_the_legend() -> None:
    plain = result(image_of((64, 64)), item(1, disc(64, 64, 30, 30, 9)))
    picture = overlay.draw(
        replace(plain, warnings=(("passage_unread", "1 passage names nothing known here"),))
    )
    assert picture.height > overlay.draw(plain).height
    assert close_to(picture, overlay.AMBER) == 0


@pytest.mark.parametrize("code", overlay.WITHOUT_ANY)
def test_a_picture_without_a_finding_says_why(code: str) -> None:
    plain = result(image_of((64, 64)))
    said = replace(plain, warnings=((code, "no words came, and nothing of what is looked for was seen"),))
    assert close_to(overlay.draw(said), overlay.GREY) > close_to(overlay.draw(plain), overlay.GREY) + 200
    other = replace(plain, warnings=(("frame_assumed", "no words came, and nothing was seen"),))
    assert close_to(overlay.draw(other), overlay.GREY) == close_to(overlay.draw(plain), overlay.GREY)


def test_the_page_and_the_picture_doubt_alike() -> None:
    words = (Path(__file__).parents[2] / "web" / "src" / "words.ts").read_text(encoding="utf-8")
    told = words[words.index("OF_THE_IMAGE") :]
    assert tuple(re.findall(r'"(\w+)"', told[: told.index("]")])) == overlay.OF_THE_IMAGE


def test_the_first_seven_colours_differ() -> None:
    assert len(set(overlay.COLOURS)) == 7


def test_a_finding_without_mask_is_listed() -> None:
    bare = overlay.draw(result(image_of((64, 64))))
    listed = overlay.draw(result(image_of((64, 64)), *[item(n, None, "edema", "absent") for n in range(9)]))
    assert listed.height > bare.height
    assert close_to(listed, overlay.GREY) > close_to(bare, overlay.GREY)


def test_many_findings_do_not_make_an_endless_picture() -> None:
    picture = overlay.draw(
        result(image_of((64, 64)), *[item(n, None, "word " * 99, "absent") for n in range(500)])
    )
    assert picture.height < 12_000


@pytest.mark.parametrize(
    ("frame", "axes", "expected"),
    [
        ("patient", None, ("R", "L")),
        ("patient", ("P", "R"), ("R", "L")),  # turned into the usual view
        ("patient", ("S", "A"), ("A", "P")),
        ("viewer", None, None),
    ],
)
def test_letters_of_a_picture(frame: Any, axes: tuple[str, ...] | None, expected: Any) -> None:
    views = overlay._views(result(image_of((20, 20), frame=frame, axes=axes)))
    assert views[0].letters == expected


@pytest.mark.parametrize("axes", [None, ("L", "P"), ("I", "A")])
def test_a_mammogram_has_no_sides(axes: tuple[str, ...] | None) -> None:
    assert overlay._views(result(image_of((20, 20), modality="MG", axes=axes)))[0].letters is None


def test_a_picture_stored_otherwise_is_shown_in_the_usual_view() -> None:
    data = np.zeros((1, 40, 30), np.float32)
    data[0, 38, 2] = 1  # far to the patient's left, in front
    mask = data[0] > 0
    image = Image(data, None, (1.0, 1.0), "CT", "patient", ("L", "P"))
    view = overlay._views(result(image, item(1, mask)))[0]
    assert view.pixels.shape[:2] == (30, 40)
    assert np.argwhere(view.masks[0][1]).tolist() == [[2, 38]]
    attention = FindingResult(item(1, None).finding, "segmented", attention=data[0])
    shown = heat_map(image, attention)
    assert shown is not None
    assert np.asarray(shown)[2, 38].sum() > 300


def test_letters_of_volumes_follow_the_slices() -> None:
    axial = image_of((20, 20, 6), affine=np.diag([1.0, 1, 4, 1]), spacing=(1.0, 1.0, 4.0))
    sagittal = image_of((6, 20, 20), affine=np.diag([4.0, 1, 1, 1]), spacing=(4.0, 1.0, 1.0))
    plain = image_of((6, 20, 20))
    letters = [overlay._views(result(image))[0].letters for image in (axial, sagittal, plain)]
    assert letters == [("R", "L"), ("A", "P"), None]


def test_a_volume_shows_the_slice_with_the_most_of_each_mask() -> None:
    image = image_of((30, 30, 10), affine=np.diag([1.0, 1, 4, 1]), spacing=(1.0, 1.0, 4.0))
    masks = []
    for z in (2, 7):
        mask = np.zeros((30, 30, 10), bool)
        mask[10:20, 10:20, z] = mask[14:16, 14:16, z + 1] = True
        masks.append(mask)
    views = overlay._views(result(image, item(1, masks[0]), item(2, masks[1])))
    assert [view.title for view in views] == ["slice 3 of 10", "slice 8 of 10"]
    assert [[index for index, _ in view.masks] for view in views] == [[0], [1]]


def test_slices_are_drawn_with_square_millimetres() -> None:
    image = image_of((20, 6, 20), affine=np.diag([1.0, 3, 1, 1]), spacing=(1.0, 3.0, 1.0), modality="MR")
    axial = image_of((20, 40, 30), affine=np.diag([3.0, 1, 1, 1]), spacing=(3.0, 1.0, 1.0))
    assert overlay._views(result(image))[0].pixels.shape[:2] == (20, 20)
    sagittal = overlay._views(result(axial))[0].pixels.shape[:2]
    assert sagittal == (30, 40)


@pytest.mark.parametrize("shape", [(8, 8), (1, 300), (500, 3), (9, 9, 9)])
def test_odd_grids_are_drawn(shape: tuple[int, ...]) -> None:
    picture = overlay.draw(result(image_of(shape), item(1, np.ones(shape, bool), "x" * 300)))
    assert picture.width >= 480


@pytest.mark.parametrize("value", [0.0, np.nan, 7.0])
def test_flat_and_broken_values_are_drawn(value: float) -> None:
    image = Image(np.full((1, 16, 16), value, np.float32))
    assert overlay.window(image).dtype == np.uint8


def test_colour_pictures_keep_their_colours() -> None:
    data = np.zeros((3, 4, 4), np.float32)
    data[0] = 200
    assert overlay.window(Image(data))[0, 0].tolist() == [200, 0, 0]


@given(st.text(max_size=300))
@settings(max_examples=40)
def test_clean_text_is_one_short_line_without_control_characters(text: str) -> None:
    cleaned = overlay.clean(text, 40)
    assert len(cleaned) <= 40
    assert cleaned == cleaned.strip()
    assert all(c.isprintable() for c in cleaned)


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=120))
@settings(max_examples=25)
def test_legend_lines_fit(text: str) -> None:
    font = overlay._font(16)
    for line in overlay._wrap(overlay.clean(text), font, 200):
        assert font.getlength(line) <= 200


def test_captions_do_not_overlap() -> None:
    mask = disc(100, 100, 50, 50, 20)
    picture = overlay.Picture.new("RGB", (600, 600))
    pen, taken = overlay.ImageDraw.Draw(picture), []
    for n in range(12):
        overlay._caption(pen, n, (200.0, 200.0, 300.0, 300.0), f"finding number {n}", taken)
    assert len(taken) == 12
    for n, chip in enumerate(taken):
        assert 0 <= chip[0] < chip[2] <= 600
        assert not any(overlay._overlap(chip, other) for other in taken[n + 1 :])
    assert mask.any()


def test_a_heat_map_is_brightest_where_the_words_acted() -> None:
    attention = np.zeros((20, 30), np.float32)
    attention[5, 6] = 1
    shown = blend(np.zeros((20, 30, 3), np.uint8), attention)
    assert shown[5, 6].sum() > 300
    assert shown[15, 20].sum() == 0


def test_heat_maps_of_pictures_volumes_and_nothing() -> None:
    flat = image_of((20, 30))
    deep = image_of((9, 20, 30))
    one = item(1, None)
    assert heat_map(flat, one) is None
    for image in (flat, deep):
        seen = FindingResult(one.finding, "segmented", attention=np.ones(image.grid, np.float32))
        picture = heat_map(image, seen)
        assert picture is not None
        assert picture.size == (30, 20)
