"""One statement of several things: the place, the side, the number and the size of each."""

import pytest

from medsegr.report.parse import parse
from medsegr.types import Finding


def read(text: str, modality: str | None = "CR") -> list[Finding]:
    return list(parse(text, modality=modality).findings)


def counts(text: str) -> list[tuple[str | None, int | None]]:
    return [(f.location.side, f.shape.count) for f in read(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Two nodules in the right lung and one in the left.", [("right", 2), ("left", 1)]),
        ("Three cysts in the left kidney and 2 in the right.", [("left", 3), ("right", 2)]),
        ("A nodule in the right upper lobe and two in the left lower lobe.", [("right", None), ("left", 2)]),
        ("One nodule in the right apex and another in the left base.", [("right", 1), ("left", 1)]),
        ("Two nodules, in the right upper lobe and left apex.", [("right", 2), ("left", 2)]),
    ],
)
def test_each_place_has_its_own_number(text: str, expected: list[tuple[str, int]]) -> None:
    assert counts(text) == expected


def test_the_number_of_the_second_place_has_its_own_words() -> None:
    text = "Two nodules in the right lung and three in the left."
    first, second = read(text)
    assert text[slice(*first.shape.spans[0])] == "Two"
    assert text[slice(*second.shape.spans[0])] == "three"
    assert second.location.anatomy == ("left lung",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Nodules: right upper lobe 4 mm, left lower lobe 6 mm, lingula 3 mm.",
            [("right", (4.0,)), ("left", (6.0,)), ("left", (3.0,))],
        ),
        (
            "Effusions, 3 cm on the right and 2 cm on the left.",
            [("right", (30.0,)), ("left", (20.0,))],
        ),
        ("A nodule in the right upper lobe, 8 mm, previously 6 mm.", [("right", (8.0,))]),
    ],
)
def test_each_place_has_its_own_size(text: str, expected: list[tuple[str, tuple[float, ...]]]) -> None:
    assert [(f.location.side, f.shape.size_mm) for f in read(text, "CT")] == expected


def test_sizes_of_a_list_stand_in_their_part_of_the_text() -> None:
    text = "Three polyps: 4 mm ascending colon, 8 mm hepatic flexure, and 10 mm rectum."
    found = read(text, "ES")
    assert [f.location.anatomy for f in found] == [("ascending colon",), ("hepatic flexure",), ("rectum",)]
    assert [text[slice(*f.shape.spans[0])] for f in found] == ["4 mm", "8 mm", "10 mm"]
    assert {f.shape.count for f in found} == {None}


def test_a_list_of_places_makes_different_findings() -> None:
    found = read("Fractures of the left clavicle and left ribs.")
    assert [(f.name, f.location.anatomy) for f in found] == [
        ("clavicle fracture", ("left clavicle",)),
        ("rib fracture", ("left rib",)),
    ]
    liver, kidney = read("Cysts in the liver and both kidneys.", "CT")
    assert (liver.name, kidney.name, kidney.location.side) == ("liver cyst", "kidney cyst", "bilateral")
    assert liver.location.side != "bilateral"


def test_a_place_is_not_that_of_what_is_denied_behind_it() -> None:
    ectasia, mass = read("Duct ectasia behind the right nipple without mass.", "MG")
    assert (ectasia.location.side, ectasia.location.anatomy) == ("right", ("nipple",))
    assert (mass.polarity, mass.location.side) == ("absent", None)
    drusen, none = read("Drusen in the right eye, left eye without drusen.", "OP")
    assert (drusen.location.side, none.location.side, none.polarity) == ("right", "left", "absent")
    (cap,) = read("Right apical cap without underlying rib splaying.")
    assert cap.location.anatomy == ("right apex of lung",)


HEADED = (
    "LEFT BREAST: A mass at 2 o'clock. Skin thickening.\nRIGHT BREAST: Calcifications.\n\nLymphadenopathy."
)


def test_a_heading_gives_its_side_until_the_next_one() -> None:
    assert {f.name: f.location.side for f in read(HEADED, "MG")} == {
        "breast mass": "left",
        "skin thickening": "left",
        "calcification": "right",
        "lymphadenopathy": None,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Left lung: Nodule. The heart is enlarged. Small effusion.",
            {"nodule": "left", "pleural effusion": None},
        ),
        ("RIGHT KIDNEY: Cyst. Bladder stone.", {"kidney cyst": "right", "bladder stone": None}),
        (
            "On the right there is an opacity and a small effusion.",
            {"opacity": "right", "pleural effusion": "right"},
        ),
        (
            "On the right an opacity, on the left an effusion.",
            {"opacity": "right", "pleural effusion": "left"},
        ),
    ],
)
def test_a_side_that_stands_over_a_sentence(text: str, expected: dict[str, str | None]) -> None:
    sides = {f.name: f.location.side for f in read(text, "CT")}
    assert {name: sides.get(name) for name in expected} == expected


def test_the_side_of_a_heading_keeps_its_words() -> None:
    text = "LEFT BREAST: No mass. Skin thickening."
    skin = next(f for f in read(text, "MG") if f.name == "skin thickening")
    assert {text[slice(*span)] for span in skin.location.spans} == {"LEFT", "BREAST"}
    assert skin.phrase == "Skin thickening"


def test_versus_does_not_doubt_what_stands_before_another_doubt() -> None:
    found = {f.name: f.polarity for f in read("Nodule in the left apex, concerning for scar versus tumour.")}
    assert found["nodule"] == "present"
    assert {found["scar"], found["lung tumour"] if "lung tumour" in found else found["tumour"]} == {
        "uncertain"
    }


def test_a_tool_is_no_finding() -> None:
    assert [f.name for f in read("A polyp was found and resected with a cold snare.", "ES")] == ["polyp"]
    assert "instrument" in {f.name for f in read("A snare and a polyp are seen.", "ES")}


def test_the_look_of_a_border_belongs_to_what_has_it() -> None:
    nodule, other = read("Nodule with an irregular border and satellite lesions on the right calf.", "DMS")
    assert (nodule.shape.margin, other.shape.margin) == ("ill-defined", None)
    assert nodule.phrase.endswith("border")
    (opacity,) = read("Opacity with poorly defined borders.")
    assert opacity.phrase == "Opacity with poorly defined borders"


def test_apex_and_base_of_the_heart_are_not_those_of_the_lung() -> None:
    found = {f.name: f.location for f in read("Apical aneurysm of the left ventricle.", "MR")}
    assert found["ventricular aneurysm"].rows == ()
    assert not any("lung" in place for place in found["ventricular aneurysm"].anatomy)
