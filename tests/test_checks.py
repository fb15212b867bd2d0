"""Checks of masks: every axis order for the side, every outcome for the rest."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medsegr import checks
from medsegr.grid.planes import axis_letters
from medsegr.report.parse import parse
from medsegr.types import Check, Finding, FindingResult, Image, Location


def finding(**place: Any) -> Finding:
    return Finding("f1", "opacity", (0, 7), "opacity", location=Location(**place))


def picture(modality: str = "CR", frame: Any = "patient", axes: tuple[str, ...] | None = None) -> Image:
    return Image(np.zeros((1, 30, 40), np.float32), None, None, modality, frame, axes)


def half(side: str, h: int = 30, w: int = 40) -> np.ndarray:
    mask = np.zeros((h, w), bool)
    if side == "left":
        mask[5:10, 3:12] = True
    else:
        mask[5:10, w - 12 : w - 3] = True
    return mask


def outcome(check: Check | None) -> str | None:
    return check.outcome if check else None


@pytest.mark.parametrize(
    ("frame", "axes", "side", "picture_half", "expected"),
    [
        ("patient", None, "left", "right", "pass"),  # radiological view: the patient's left is at the right
        ("patient", None, "left", "left", "fail"),
        ("patient", ("P", "R"), "left", "left", "pass"),  # a picture that names its axes is believed
        ("patient", ("P", "R"), "right", "left", "fail"),
        ("patient", ("I", "?"), "left", "right", "pass"),  # half named is not named: the convention
        ("viewer", None, "left", "left", "pass"),
        ("viewer", None, "right", "left", "fail"),
    ],
)
def test_side_of_a_picture(
    frame: str, axes: tuple[str, ...] | None, side: str, picture_half: str, expected: str
) -> None:
    image = picture(frame=frame, axes=axes)
    found = checks.side_check(image, finding(side=side, side_frame=frame), half(picture_half))
    assert outcome(found) == expected


@pytest.mark.parametrize("frame", ["patient", "viewer"])
def test_the_side_of_a_limb_is_no_half_of_its_picture(frame: str) -> None:
    for picture_half in ("left", "right"):
        told = finding(side="left", side_frame="limb")
        assert checks.side_check(picture(frame=frame), told, half(picture_half)) is None


@pytest.mark.parametrize(
    "text", ["MRI LEFT KNEE\nA lesion.", "A lesion of the left knee.", "XR left wrist\nLeft wrist: a lesion."]
)
def test_a_mask_of_a_limb_is_faulted_by_no_side(text: str) -> None:
    (told,) = parse(text, modality="MR").findings
    assert told.location.side == "left"
    for picture_half in ("left", "right"):
        mask = half(picture_half)
        found = checks.all_checks(picture("MR"), told, mask, mask, (None, 0.5))
        assert [check.name for check in found if check.outcome != "pass"] == []
        assert "side" not in {check.name for check in found}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_side_of_a_volume_in_all_48_orientations(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    grid = (12, 14, 16)
    rotation = np.zeros((4, 4))
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        rotation[world, axis] = sign
    rotation[3, 3] = 1
    image = Image(np.zeros((1, *grid), np.float32), rotation, (1.0, 1.0, 1.0), "CT", "patient", None)
    right_mm = np.tensordot(rotation[0, :3], np.indices(grid), 1)
    mask = right_mm < np.median(right_mm) - 1  # RAS+: the patient's left has the smaller first coordinate
    assert outcome(checks.side_check(image, finding(side="left"), mask)) == "pass"
    assert outcome(checks.side_check(image, finding(side="right"), mask)) == "fail"
    assert {"R", "L"} & set(axis_letters(rotation))


def test_a_slice_stored_with_its_columns_first_has_its_sides_along_the_rows() -> None:
    affine = np.diag(
        [-1.0, -1.0, 4.0, 1.0]
    )  # NIfTI: the first index grows to the patient's left, the second to the back
    image = Image(np.zeros((1, 40, 30), np.float32), affine, (1.0, 1.0), "CT", "patient", ("L", "P"))
    mask = np.zeros((40, 30), bool)
    mask[30:36, 3:8] = True
    assert outcome(checks.side_check(image, finding(side="left"), mask)) == "pass"
    assert outcome(checks.side_check(image, finding(side="right"), mask)) == "fail"
    assert outcome(checks.side_check(image, finding(side="right", side_frame="viewer"), mask)) == "pass"
    assert outcome(checks.place_check(image, finding(rows=("upper",), cols=("right",)), mask)) == "pass"
    assert outcome(checks.place_check(image, finding(rows=("lower",)), mask)) == "warn"


def test_side_near_the_middle_only_warns() -> None:
    mask = np.zeros((30, 40), bool)
    mask[5:10, 15:25] = True
    assert outcome(checks.side_check(picture(), finding(side="left"), mask)) == "warn"


def test_bilateral_wants_both_halves_and_midline_the_middle() -> None:
    both = half("left") | half("right")
    assert outcome(checks.side_check(picture(), finding(side="bilateral"), both)) == "pass"
    assert outcome(checks.side_check(picture(), finding(side="bilateral"), half("left"))) == "warn"
    assert outcome(checks.side_check(picture(), finding(side="midline"), both)) == "pass"
    for away in ("left", "right"):
        assert outcome(checks.side_check(picture(), finding(side="midline"), half(away))) == "warn"


@pytest.mark.parametrize(
    ("there", "expected"), [(60, "pass"), (59, "warn"), (40, "warn"), (39, "fail")], ids=str
)
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_share_of_a_side_passes_from_6_tenths_on_and_fails_below_4(
    side: str, there: int, expected: str
) -> None:
    named, other = (slice(20, 40), slice(0, 20)) if side == "left" else (slice(0, 20), slice(20, 40))
    mask = np.zeros((30, 40), bool)
    mask[:, named].flat[:there] = mask[:, other].flat[: 100 - there] = True
    assert outcome(checks.side_check(picture(), finding(side=side), mask)) == expected


@pytest.mark.parametrize(
    "image",
    [picture("MG"), picture(axes=("S", "A")), picture("US", "viewer")],
    ids=["one breast", "lateral view", "viewer's picture"],
)
def test_a_side_that_the_image_cannot_show_is_not_checked_and_said(image: Image) -> None:
    found = checks.side_check(image, finding(side="left", side_frame="patient"), half("left"))
    assert found is not None
    assert found.outcome == "warn"
    assert "not checked" in found.detail


def test_a_volume_without_geometry_has_no_sides() -> None:
    image = Image(np.zeros((1, 8, 9, 10), np.float32), None, None, "CT", "patient")
    found = checks.side_check(image, finding(side="left"), np.ones((8, 9, 10), bool))
    assert found is not None
    assert "not checked" in found.detail


def test_no_side_or_no_mask_no_side_check() -> None:
    assert checks.side_check(picture(), finding(), half("left")) is None
    assert checks.side_check(picture(), finding(side="left"), np.zeros((30, 40), bool)) is None


def test_an_odd_middle_column_counts_half() -> None:
    mask = np.zeros((3, 5), bool)
    mask[1, 2] = True
    assert checks.left_share(mask, 1, True) == checks.left_share(mask, 1, False) == 0.5


@pytest.mark.parametrize(
    ("rows", "cols", "expected"),
    [(("upper",), (), "pass"), (("lower",), (), "warn"), ((), ("left",), "pass"), ((), ("right",), "warn")],
)
def test_place(rows: tuple[str, ...], cols: tuple[str, ...], expected: str) -> None:
    found = checks.place_check(picture(), finding(rows=rows, cols=cols), half("left"))
    assert outcome(found) == expected


@pytest.mark.parametrize(("name", "first", "last"), [("left", 0, 14), ("centre", 5, 24), ("right", 15, 29)])
def test_a_third_is_widened_by_half_a_third_at_each_end(name: str, first: int, last: int) -> None:
    passed = []
    for column in range(30):
        mask = np.zeros((20, 30), bool)
        mask[9, column] = True
        image = Image(np.zeros((1, 20, 30), np.float32), frame="viewer")
        if outcome(checks.place_check(image, finding(cols=(name,)), mask)) == "pass":
            passed.append(column)
    assert passed == list(range(first, last + 1))


def test_half_of_the_mask_there_is_enough_and_rows_and_columns_must_both_fit() -> None:
    mask = np.zeros((30, 40), bool)
    mask[2, 2] = mask[28, 2] = True
    assert outcome(checks.place_check(picture(), finding(rows=("upper",)), mask)) == "pass"
    mask[28, 3] = True
    assert outcome(checks.place_check(picture(), finding(rows=("upper",)), mask)) == "warn"
    assert outcome(checks.place_check(picture(), finding(rows=("upper",), cols=("left",)), mask)) == "warn"
    assert outcome(checks.place_check(picture(), finding(rows=("lower",), cols=("right",)), mask)) == "warn"


def test_rows_of_a_volume_run_from_head_to_foot() -> None:
    image = Image(np.zeros((1, 8, 9, 30), np.float32), np.eye(4), (1.0, 1.0, 1.0), "CT", "patient")
    mask = np.zeros((8, 9, 30), bool)
    mask[2:4, 2:4, 25:29] = True  # the third axis grows towards the head
    assert outcome(checks.place_check(image, finding(rows=("upper",)), mask)) == "pass"
    assert outcome(checks.place_check(image, finding(rows=("lower",)), mask)) == "warn"


def test_border() -> None:
    mask = np.zeros((8, 8), bool)
    assert checks.border_check(mask) is None
    mask[3, 3] = True
    assert outcome(checks.border_check(mask)) == "pass"
    mask[7, 3] = True
    found = checks.border_check(mask)
    assert outcome(found) == "warn"
    assert found is not None
    assert "cut by border" in found.detail
    assert not checks.touches_border(np.ones((1, 1), bool)[:, :1] & False)


@pytest.mark.parametrize(
    ("presence", "polarity", "expected"),
    [
        (0.9, "present", "pass"),
        (0.55, "present", "warn"),
        (0.6, "present", "pass"),
        (0.9, "absent", "warn"),
        (0.5, "absent", "warn"),  # from its threshold on, the model sees it
        (0.1, "absent", "pass"),
    ],
)
def test_presence(presence: float, polarity: str, expected: str) -> None:
    assert outcome(checks.presence_check(presence, 0.5, polarity)) == expected


def test_a_model_without_presence_is_not_checked_for_it() -> None:
    assert checks.presence_check(None, 0.5) is None


def test_agreement_with_the_report_free_mask() -> None:
    left, right = half("left"), half("right")
    assert outcome(checks.agreement_check(left, left)) == "pass"
    assert outcome(checks.agreement_check(left, right)) == "warn"
    assert outcome(checks.agreement_check(left, np.zeros_like(left))) == "warn"
    assert checks.agreement_check(left, None) is None


def test_the_words_may_choose_a_part_of_the_report_free_mask() -> None:
    left, right = half("left"), half("right")
    chosen, same = checks.agreement_check(left, left | right), checks.agreement_check(left, left)
    assert chosen is not None
    assert chosen.outcome == "pass"
    assert "1 of its 2 parts" in chosen.detail
    assert same is not None
    assert "parts" not in same.detail
    core = np.zeros_like(left)
    core[6, 5] = True
    grown = checks.agreement_check(core, left | right)
    assert grown is not None
    assert grown.outcome == "pass", "all of it lies in the report-free mask, however large that is"
    nearly = left | right
    nearly[0, 0] = True  # a speck that the words leave out: the same mask, all but
    found = checks.agreement_check(left | right, nearly)
    assert found is not None
    assert "parts" not in found.detail


@pytest.mark.parametrize(
    ("cols", "expected"),
    [(("left",), "pass"), (("right",), "fail"), (("centre",), None), (("left", "centre"), None)],
)
def test_sides_of_the_picture_told_as_columns_are_checked(
    cols: tuple[str, ...], expected: str | None
) -> None:
    found = checks.side_check(picture("ES", "viewer"), finding(cols=cols), half("left"))
    assert outcome(found) == expected


def test_columns_of_a_volume_are_left_to_the_place_check() -> None:
    image = Image(np.zeros((1, 8, 9, 10), np.float32), None, None, "CT", "patient")
    assert checks.side_check(image, finding(cols=("left",)), np.ones((8, 9, 10), bool)) is None


@pytest.mark.parametrize(("other", "expected"), [(10, "pass"), (9, "warn")])
def test_bilateral_wants_a_tenth_in_each_half(other: int, expected: str) -> None:
    mask = np.zeros((30, 40), bool)
    mask[:, :20].flat[: 100 - other] = mask[:, 20:].flat[:other] = True
    assert outcome(checks.side_check(picture(), finding(side="bilateral"), mask)) == expected


def test_the_middle_is_a_third_of_the_width_and_a_pixel_is_where_its_centre_is() -> None:
    for columns, expected in (([9, 10], "pass"), ([8, 9], "warn"), ([19, 20], "pass"), ([20, 21], "warn")):
        mask = np.zeros((8, 30), bool)
        mask[3, columns] = True  # the middle third ends at the edges of the pixels 10 and 19
        image = Image(np.zeros((1, 8, 30), np.float32), modality="CR")
        assert outcome(checks.side_check(image, finding(side="midline"), mask)) == expected


def test_the_picture_s_left_is_that_of_the_usual_view() -> None:
    stored = picture(axes=("P", "R"))  # mirrored: its first columns are shown at the right
    found = checks.side_check(stored, finding(side="right", side_frame="viewer"), half("left"))
    assert outcome(found) == "pass"


def test_rows_are_not_looked_for_in_a_mammogram_from_above() -> None:
    told = finding(rows=("upper",))
    assert outcome(checks.place_check(picture("MG", axes=("I", "P")), told, half("left"))) == "pass"
    assert checks.place_check(picture("MG", axes=("L", "P")), told, half("left")) is None


def test_no_mask_no_place_check() -> None:
    assert checks.place_check(picture(), finding(rows=("upper",)), np.zeros((30, 40), bool)) is None


def test_a_volume_of_one_slice_is_not_cut_at_that_slice() -> None:
    mask = np.zeros((1, 9, 9), bool)
    mask[0, 4, 4] = True
    assert not checks.touches_border(mask)
    mask[0, 0, 4] = True
    assert checks.touches_border(mask)


@pytest.mark.parametrize(
    ("own", "both", "free", "expected"),
    [
        (100, 50, 900, "pass"),  # half of the mask lies there
        (100, 49, 900, "warn"),
        (100, 40, 0, "pass"),  # two fifths, which is all of the other: Dice .57
    ],
)
def test_agreement_is_half_of_the_mask_or_half_in_dice(own: int, both: int, free: int, expected: str) -> None:
    mask, other = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    mask.flat[:own] = other.flat[:both] = other.flat[own : own + free] = True
    assert outcome(checks.agreement_check(mask, other)) == expected


def test_a_mask_that_goes_beyond_the_other_is_no_choice_of_its_parts() -> None:
    left, right = half("left"), half("right")
    grown = left.copy()
    grown[10, 3:9] = True  # a ninth more
    found = checks.agreement_check(grown, left | right)
    assert found is not None
    assert "parts" not in found.detail


def organ(name: str, **place: Any) -> Finding:
    return Finding("f1", name, (0, len(name)), name, location=Location(**place))


@pytest.mark.parametrize(
    ("name", "where", "expected"),
    [
        ("spleen", "right", "pass"),
        ("spleen", "left", "warn"),
        ("liver", "left", "pass"),
        ("liver", "right", "warn"),
    ],
)
def test_a_whole_organ_lies_on_its_usual_side(name: str, where: str, expected: str) -> None:
    """Halves are the picture's: the patient's left is at its right."""
    check = checks.anatomy_check(picture("CT"), organ(name), half(where))
    assert check is not None
    assert (check.name, check.outcome) == ("anatomy", expected)


def test_axes_that_a_slice_names_are_believed() -> None:
    mirrored = picture("CT", axes=("P", "R"))
    assert outcome(checks.anatomy_check(mirrored, organ("spleen"), half("left"))) == "pass"


def test_an_organ_over_the_middle_may_do_so() -> None:
    mask = np.zeros((30, 40), bool)
    mask[5:10, 10:32] = True
    assert outcome(checks.anatomy_check(picture("CT"), organ("liver"), mask)) == "pass"


@pytest.mark.parametrize(
    ("image", "finding"),
    [
        (picture("US"), organ("liver")),  # a probe looks at one organ
        (picture("CT", frame="viewer"), organ("liver")),
        (picture("CT"), organ("liver", side="left")),  # the report says so: the side check is asked
        (picture("CT"), organ("kidney")),
        (picture("CT"), organ("liver tumour")),
    ],
)
def test_where_no_side_is_usual_none_is_checked(image: Image, finding: Finding) -> None:
    assert checks.anatomy_check(image, finding, half("right")) is None


@pytest.mark.parametrize("modality", ["MR", "PT"])
def test_slices_of_any_kind_are_checked(modality: str) -> None:
    assert outcome(checks.anatomy_check(picture(modality), organ("liver"), half("right"))) == "warn"


@pytest.mark.parametrize(("pixel", "checked"), [(2.0, False), (6.0, True)])
@pytest.mark.parametrize("axes", [None, ("L", "P")])
def test_an_image_cut_round_an_organ_is_not_checked(
    pixel: float, checked: bool, axes: tuple[str, ...] | None
) -> None:
    """By its width, along whichever axis that is."""
    width = (40 / 30 * pixel, 1.0) if axes else (1.0, pixel)
    image = replace(picture("CT", axes=axes), spacing=width)
    assert (checks.anatomy_check(image, organ("liver"), half("right")) is not None) == checked


def test_an_empty_mask_lies_on_no_side() -> None:
    assert checks.anatomy_check(picture("CT"), organ("liver"), np.zeros((30, 40), bool)) is None


@pytest.mark.parametrize(
    ("name", "wide", "expected"),
    [
        ("hippocampus", 35.0, "warn"),
        ("right kidney", 35.0, "warn"),  # as a place
        ("hippocampus", 180.0, "fail"),
        ("nodule", 35.0, "fail"),
    ],
)
def test_a_volume_cut_round_one_of_two_organs_has_no_sides(name: str, wide: float, expected: str) -> None:
    spacing = (wide / 20, 1.0, 1.0)
    image = Image(np.zeros((1, 20, 20, 20), np.float32), np.diag([*spacing, 1.0]), spacing, "MR")
    place = {"anatomy": (name,)} if name.startswith("right ") else {}
    told = Finding("f1", "", (0, 0), "cyst" if place else name, location=Location(side="right", **place))
    mask = np.zeros(image.grid, bool)
    mask[2:8] = True  # the low half of an axis that grows to the patient's right: the left
    assert outcome(checks.side_check(image, told, mask)) == expected


def drawn(number: int, mask: np.ndarray | None) -> FindingResult:
    status = "skipped" if mask is None else "segmented"
    return FindingResult(Finding(f"f{number}", "", (0, 0), "opacity"), status, mask=mask)


def test_findings_that_are_drawn_as_one_region_are_told() -> None:
    one, other = half("left"), half("right")
    nearly = one.copy()
    nearly[5, 3] = False
    whole = one | other
    results = [drawn(n, m) for n, m in enumerate([one, None, other, nearly, whole, one, ~one & False])]
    ((code, message),) = checks.one_region(results)
    assert code == "one_region"
    assert message.startswith("f0, f3, f5: ")
    assert checks.one_region(results[:3]) == []


@pytest.mark.parametrize("check", [checks.side_check, checks.anatomy_check])
def test_a_geometry_that_contradicts_itself_shows_no_sides(check: Any) -> None:
    image = Image(np.zeros((1, 4, 30, 40), np.float32), np.diag([0.0, 1.0, 1.0, 1.0]), None, "CT")
    told = organ("liver", side="left" if check is checks.side_check else None)
    found = check(image, told, np.ones(image.grid, bool))
    assert found is None or (found.outcome == "warn" and found.detail.startswith("not checked"))
