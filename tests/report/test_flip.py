"""A mirrored picture: reading the mirrored report is mirroring what was read."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsegr.report.describe import flip_all
from medsegr.report.parse import parse

SWAPS = {
    "horizontal": {"left": "right", "right": "left", "Left": "Right", "Right": "Left"},
    "vertical": {"upper": "lower", "lower": "upper", "Upper": "Lower", "Lower": "Upper"},
}
NAMES = st.sampled_from(
    ["nodule", "mass", "opacity", "consolidation", "effusion", "cyst", "atelectasis", "lesion"]
)
LOOKS = st.sampled_from(["", "small ", "round ", "ill-defined ", "calcified ", "8 mm "])
SIDES = st.sampled_from(["left", "right"])
ROWS = st.sampled_from(["upper", "lower"])
PLACES = st.one_of(
    st.builds("in the {} lung".format, SIDES),
    st.builds("in the {} {} lobe".format, SIDES, ROWS),
    st.builds("in the {} {} zone".format, SIDES, ROWS),
    st.builds("in the {} kidney".format, SIDES),
    st.builds("in the {} breast".format, SIDES),
    st.builds("on the {}".format, SIDES),
    st.builds("in the {} lobes".format, ROWS),
    st.builds("in the {} lobes of both lungs".format, ROWS),
    st.builds("in the {0} {1} lobe and the {2} {3} lobe".format, SIDES, ROWS, SIDES, ROWS),
    st.builds("in the {} {} of the image".format, ROWS, SIDES),
    st.just("in both lungs"),
    st.just(""),
)
CLAIMS = st.sampled_from(["There is a ", "No ", "Possible ", "No evidence of ", "Stable ", "Resolved "])
ONE = st.builds("{}{}{} {}.".format, CLAIMS, LOOKS, NAMES, PLACES)
LIST = st.builds("No {}, {} or {} {}.".format, NAMES, NAMES, NAMES, PLACES)
BEFORE = st.builds("{} {} lobe {}.".format, SIDES.map(str.title), ROWS, NAMES)
REPORTS = st.lists(st.one_of(ONE, LIST, BEFORE), min_size=1, max_size=4).map(" ".join)


def flip_text(text: str, axis: str) -> str:
    swap = SWAPS[axis]
    return re.sub(r"\b(?:" + "|".join(swap) + r")\b", lambda found: swap[found.group()], text)


def told(findings: Any) -> list[tuple[Any, ...]]:
    """What is compared: everything but the words themselves."""
    return [
        (f.name, f.polarity, f.location.side, f.location.rows, f.location.cols, f.location.anatomy)
        for f in findings
    ]


@settings(deadline=None, max_examples=100)
@given(REPORTS, st.sampled_from(["horizontal", "vertical"]), st.sampled_from(["patient", "viewer"]))
def test_reading_and_flipping_commute(text: str, axis: str, frame: Any) -> None:
    read = parse(text, frame=frame).findings
    assert told(parse(flip_text(text, axis), frame=frame).findings) == told(flip_all(read, axis))


@pytest.mark.parametrize(
    ("text", "axis", "side", "rows", "anatomy"),
    [
        ("Nodule in the left upper lobe.", "horizontal", "right", ("upper",), ("right upper lobe of lung",)),
        ("Nodule in the left upper lobe.", "vertical", "left", ("lower",), ("left lower lobe of lung",)),
        ("Nodules in both lungs.", "horizontal", "bilateral", (), ("lung",)),
    ],
)
def test_one_by_one(text: str, axis: str, side: str, rows: tuple[str, ...], anatomy: tuple[str, ...]) -> None:
    (found,) = flip_all(parse(text, modality="CR").findings, axis)
    assert (found.location.side, found.location.rows, found.location.anatomy) == (side, rows, anatomy)


def test_the_words_are_swapped_and_not_their_parts() -> None:
    assert flip_text("Left upper lobe, cleft, rightly.", "horizontal") == "Right upper lobe, cleft, rightly."
    assert flip_text("Left upper lobe.", "vertical") == "Left lower lobe."
