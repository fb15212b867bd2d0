"""What the network hears: places become organs, a denied place says nothing."""

import pytest

from medsegr.meaning.hearing import heard, rows_in_picture
from medsegr.types import Finding, Location, Shape, Texture


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
    finding = Finding("f1", "", (0, 0), "cyst", location=Location("right", rows=("lower",), anatomy=(place,)))
    texts = [code.text for code in heard(finding, "CR", "right")]
    assert f"anatomy:{organ}" in texts
    assert {"side:left", "row:lower"} <= set(texts)


def test_two_parts_of_one_organ_are_heard_once() -> None:
    both = Location(anatomy=("right lobe of liver", "left lobe of liver"))
    texts = [code.text for code in heard(Finding("f1", "", (0, 0), "cyst", location=both), None, None)]
    assert texts.count("anatomy:liver") == 1


@pytest.mark.parametrize(
    ("name", "heard_so"),
    [
        ("spleen", False),
        ("liver", False),
        ("left atrium", False),
        ("lung", True),
        ("kidney", True),
        ("cyst", True),
    ],
)
def test_the_side_of_an_organ_that_the_body_has_once_says_nothing(name: str, heard_so: bool) -> None:
    """A spleen "on the left" is the spleen, wherever it lies in the picture."""
    told = heard(Finding("f1", "", (0, 0), name, location=Location("left")), "CT", "right")
    assert ("side:right" in {code.text for code in told}) is heard_so


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


def told(name: str, where: Location, modality: str | None) -> set[str]:
    texts = [code.text for code in heard(Finding("f1", "", (0, 0), name, location=where), modality, "right")]
    return {text for text in texts if text.partition(":")[0] in ("side", "row", "col", "anatomy")}


def test_both_lungs_say_nothing_of_where_an_opacity_lies() -> None:
    """Real ones in both lungs were all but missed: made ones had taught that "lung" means a small piece."""
    assert told("ground-glass opacity", Location("bilateral", anatomy=("lung",)), "CR") == set()
    lower = Location("left", rows=("lower",), anatomy=("left lower lobe of lung",))
    assert told("consolidation", lower, "CR") == {"side:right", "row:lower"}
    assert told("lung", Location("bilateral"), "CR") == {"side:bilateral"}, "an organ is both of them"
    assert told("cyst", Location(anatomy=("liver",)), "CT") == {"anatomy:liver"}


@pytest.mark.parametrize(
    ("modality", "place", "rows"),
    [
        ("CR", "left upper quadrant", {"row:upper"}),
        ("CT", "left upper quadrant", set()),  # a slice shows it in front
        ("ES", "cecum", set()),
        (None, "left upper quadrant", {"row:upper"}),
        ("CT", "liver", {"row:upper"}),  # said of the picture
    ],
)
def test_how_high_a_named_place_lies_is_heard_in_upright_pictures(
    modality: str | None, place: str, rows: set[str]
) -> None:
    row = "lower" if place == "cecum" else "upper"
    heard_rows = told("cyst", Location(rows=(row,), anatomy=(place,)), modality)
    assert {text for text in heard_rows if text.startswith("row:")} == rows


def test_patchy_is_how_an_opacity_is_spread_and_no_outline() -> None:
    shape = Shape(form="patchy", size_class="large")
    texts = {c.text for c in heard(Finding("f1", "", (0, 0), "opacity", shape=shape), "CR", "right")}
    assert "size:large" in texts
    assert "form:patchy" not in texts
    polyp = {c.text for c in heard(Finding("f1", "", (0, 0), "polyp", shape=shape), "ES", None)}
    assert "form:patchy" in polyp


@pytest.mark.parametrize(("modality", "told"), [("ES", True), ("SM", True), ("DMS", False), ("OP", False)])
def test_a_colour_is_heard_in_pictures_that_taught_colours(modality: str, told: bool) -> None:
    look = Texture(colour="brown")
    texts = {c.text for c in heard(Finding("f1", "", (0, 0), "lesion", texture=look), modality, None)}
    assert ("colour:brown" in texts) == told


@pytest.mark.parametrize(
    ("modality", "place", "heard_too"),
    [
        ("US", "right lower inner quadrant", False),  # with its side as without
        ("US", "lower inner quadrant", False),
        ("MG", "right lower inner quadrant", False),  # a view from above shows no height
        ("MG", "7 o'clock", False),
        ("ES", "7 o'clock", True),  # of the picture
        ("CT", "left lower pole of kidney", False),
        ("CR", "right lower lobe of lung", True),
    ],
)
def test_a_place_with_its_side_is_that_place(modality: str, place: str, heard_too: bool) -> None:
    where = Location("right", rows=("lower",), anatomy=(place,))
    assert rows_in_picture(where, modality) == (("lower",) if heard_too else ())
    organs = {text for text in told("cyst", where, modality) if text.startswith("anatomy:")}
    assert organs <= {"anatomy:breast", "anatomy:kidney", "anatomy:lung", "anatomy:7 o'clock"}
