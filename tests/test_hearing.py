"""What the network hears: places become organs, a denied place says nothing."""

import pytest

from medsegr.hearing import heard
from medsegr.types import Finding, Location


@pytest.mark.parametrize(
    ("place", "organ"),
    [
        ("right lower lobe of lung", "lung"),
        ("right lobe of liver", "liver"),
        ("spleen", "spleen"),
        ("x", "x"),
    ],
)
def test_a_part_is_heard_as_its_organ(place: str, organ: str) -> None:
    finding = Finding(
        "f1", "", (0, 0), "nodule", location=Location("right", rows=("lower",), anatomy=(place,))
    )
    texts = [code.text for code in heard(finding, "CR", "right")]
    assert f"anatomy:{organ}" in texts
    assert {"side:left", "row:lower"} <= set(texts)


def test_two_parts_of_one_organ_are_heard_once() -> None:
    both = Location(anatomy=("right lobe of liver", "left lobe of liver"))
    texts = [code.text for code in heard(Finding("f1", "", (0, 0), "cyst", location=both), None, None)]
    assert texts.count("anatomy:liver") == 1


def test_a_denied_place_is_not_heard() -> None:
    where = Location("left", rows=("upper",), cols=("left",), anatomy=("spleen",))
    denied = Finding("f1", "", (0, 0), "cyst", polarity="absent", location=where)
    assert {code.text for code in heard(denied, "CT", "right")} == {"concept:cyst", "modality:CT"}


@pytest.mark.parametrize(
    ("name", "organ"),
    [
        ("breast tumour", "breast"),
        ("kidney cyst", "kidney"),
        ("posterior hippocampus", None),  # no organ
        ("carotid artery", None),  # is one itself
        ("polyp", None),
        ("", None),
    ],
)
def test_an_organ_in_the_name_is_heard_as_if_it_were_told(name: str, organ: str | None) -> None:
    told = [code.text for code in heard(Finding("f1", "", (0, 0), name), None, None)]
    assert [text for text in told if text.startswith("anatomy:")] == ([f"anatomy:{organ}"] if organ else [])
    beside = Finding("f1", "", (0, 0), name, location=Location(anatomy=(organ or "spleen",)))
    assert sum(code.text.startswith("anatomy:") for code in heard(beside, None, None)) == 1
