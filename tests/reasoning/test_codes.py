"""Findings to codes: sides become sides of the picture once, and mirroring is its own inverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.reasoning.attributes import encode_words
from medsegr.reasoning.codes import Code, codes_of, mirror, side_in_picture, vocabulary
from medsegr.types import COLS, ROWS, SIDES, Finding, Location, Shape, Texture

sides = st.sampled_from([None, *SIDES])
frames = st.sampled_from(["patient", "viewer"])
rows = st.lists(st.sampled_from(ROWS), unique=True)
cols = st.lists(st.sampled_from(COLS), unique=True)


def made(side: str | None, frame: str, rows: list[str], cols: list[str]) -> Finding:
    where = Location(side, frame, tuple(rows), tuple(cols))
    return Finding("f1", "", (0, 0), "polyp", location=where, texture=Texture("hypo"), shape=Shape(count=2))


@pytest.mark.parametrize(
    ("side", "frame", "patient_left", "seen"),
    [
        ("left", "patient", "right", "right"),  # radiological view
        ("left", "patient", "left", "left"),
        ("right", "patient", "right", "left"),
        ("left", "viewer", "right", "left"),
        ("left", "patient", None, None),  # lateral view: a side has no place in the picture
        ("left", "limb", "right", None),  # nor has the side of the one limb that is shown
        ("bilateral", "patient", None, "bilateral"),
        (None, "patient", "right", None),
    ],
)
def test_side_in_picture(side: str | None, frame: str, patient_left: str | None, seen: str | None) -> None:
    assert side_in_picture(side, frame, patient_left) == seen


def test_one_of_a_thing_is_not_told() -> None:
    """Training told numbers from two; "one polyp", never heard before, cost .07 of the mask."""
    one, two = (Finding("f1", "", (0, 0), "polyp", shape=Shape(count=n)) for n in (1, 2))
    assert [c for c in codes_of(one, None, None) if c.group == "count"] == []
    assert [c.scalar for c in codes_of(two, None, None) if c.group == "count"] == [2.0]


@given(sides, frames, rows, cols)
def test_mirror_twice_is_the_same(side: str | None, frame: str, rows: list[str], cols: list[str]) -> None:
    codes = codes_of(made(side, frame, rows, cols), "CR", "right")
    assert mirror(mirror(codes)) == codes


def test_mirrored_words_name_the_other_side_and_nothing_else() -> None:
    told = ("side:left", "col:right", "col:centre", "row:upper", "side:bilateral", "anatomy:left breast")
    other = ("side:right", "col:left", "col:centre", "row:upper", "side:bilateral", "anatomy:left breast")
    assert tuple(code.text for code in mirror(map(Code, told))) == other


@given(sides, rows, cols)
def test_mirrored_picture_equals_mirrored_codes(side: str | None, rows: list[str], cols: list[str]) -> None:
    """The flipped picture has the patient's left on its other side; only words about the picture itself
    (cols) differ."""
    finding = made(side, "patient", rows, cols)
    one = {c.text for c in codes_of(finding, None, "right") if c.group == "side"}
    other = {c.text for c in mirror(codes_of(finding, None, "left")) if c.group == "side"}
    assert one == other


def test_size_in_mm_says_nothing_without_a_spacing() -> None:
    finding = Finding("f1", "", (0, 0), "polyp", shape=Shape(size_mm=(20.0, 10.0)))
    assert not [c for c in codes_of(finding, None, None) if c.group == "extent"]
    told = [c for c in codes_of(finding, None, None, extent_mm=200.0) if c.group == "extent"]
    assert told == [Code("extent:", 0.1)]


def test_unknown_codes_are_left_out_of_a_batch() -> None:
    words = vocabulary(["polyp"], [], ["ES"])
    batch = encode_words([[Code("concept:polyp"), Code("concept:unicorn"), Code("row:upper")], []], words)
    assert batch.kind.tolist() == [[3, 0], [-1, -1]]
