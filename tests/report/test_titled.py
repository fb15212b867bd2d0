"""The side of a report's title reaches what lies in its organ, and nothing else."""

import pytest

from medsegr.report.parse import parse


def sides(text: str, modality: str | None = "US") -> list[str | None]:
    return [f.location.side for f in parse(text, modality=modality).findings]


@pytest.mark.parametrize(
    ("text", "modality", "side", "words"),
    [
        ("ULTRASOUND LEFT BREAST\n\nFINDINGS: A simple cyst.", "US", "left", ["LEFT", "BREAST"]),
        ("ULTRASOUND LEFT BREAST\n\nMass at 2 o'clock.", "US", "left", ["LEFT", "BREAST", "2 o'clock"]),
        ("ULTRASOUND LEFT BREAST\nThere is an abscess.", "US", "left", ["LEFT", "BREAST"]),
        ("US BREAST LEFT LIMITED\nSkin thickening.", "US", "left", ["BREAST", "LEFT"]),
        ("EXAM: MRI of the right breast without and with contrast\nFINDINGS: Mass.", "MR", "right", None),
        ("MAMMOGRAM, RIGHT BREAST, TWO VIEWS\nEnlarged axillary lymph node.", "MG", "right", None),
        ("Fundus photograph, left eye.\nDrusen at the macula.", "OP", "left", ["left eye", "macula"]),
        ("OCT OD\nEpiretinal membrane.", "OP", "right", ["OD"]),
    ],
)
def test_a_title_tells_the_side_and_its_words_are_traced(
    text: str, modality: str, side: str, words: list[str] | None
) -> None:
    (finding,) = parse(text, modality=modality).findings
    assert finding.location.side == side
    assert words is None or [text[a:b] for a, b in finding.location.spans] == words
    assert (
        text[slice(*finding.span)] in text[text.index("\n") :]
    )  # its own phrase does not begin in the title


def test_all_sections_stand_under_the_title() -> None:
    text = "ULTRASOUND LEFT BREAST\nFINDINGS: A cyst.\nIMPRESSION: Duct ectasia. A cyst."
    assert sides(text) == ["left", "left"]


@pytest.mark.parametrize(
    "text",
    [
        "ULTRASOUND BOTH BREASTS\nThere is a small simple cyst.",
        "BILATERAL BREAST ULTRASOUND\nThere is a small simple cyst.",
        "ULTRASOUND RIGHT AND LEFT BREAST\nThere is a small simple cyst.",
        "ULTRASOUND LEFT BREAST\nULTRASOUND RIGHT BREAST\nThere is a small simple cyst.",
        "COMPARISON: Ultrasound right breast\nFINDINGS: There is a small simple cyst.",
        "INDICATION: Ultrasound right breast\nFINDINGS: There is a small simple cyst.",
        "Prior ultrasound of the left breast.\nThere is a small simple cyst.",
        "Ultrasound of the left breast is recommended.\nThere is a small simple cyst.",
        "There is a small simple cyst.\nULTRASOUND LEFT BREAST",
        "CHEST RADIOGRAPH, LEFT LATERAL\nThere is a small simple cyst.",
        "CT CHEST AND LEFT BREAST\nThere is a small simple cyst.",
    ],
)
def test_what_is_no_title_of_one_side_tells_none(text: str) -> None:
    assert set(sides(text)) == {None}


def test_the_side_reaches_no_other_organ() -> None:
    text = (
        "ULTRASOUND LEFT BREAST\nA simple cyst. Small pleural effusion. Liver cyst. Rib fracture.\n"
        "LIVER: A mass."
    )
    found = {f.name: f.location.side for f in parse(text, modality="US").findings}
    assert found.pop("breast cyst") == "left"
    assert len(found) >= 3
    assert set(found.values()) == {None}


def test_a_report_that_says_the_other_side_is_left_alone() -> None:
    text = "ULTRASOUND LEFT BREAST\nA cyst.\nRIGHT BREAST: Skin thickening."
    assert sides(text) == [None, "right"]
    assert sides("ULTRASOUND LEFT BREAST\nCysts on both sides. Duct ectasia.")[1:] == [None]


@pytest.mark.parametrize("title", ["MAMMOGRAM, LEFT", "LEFT MAMMOGRAM (DIAGNOSTIC)", "Mammography left, CC"])
def test_a_mammogram_is_of_a_breast_named_or_not(title: str) -> None:
    assert sides(f"{title}\n\nA mass at 2 o'clock. Skin thickening.", "MG") == ["left", "left"]


def test_a_title_of_the_breast_may_name_its_axilla() -> None:
    text = "ULTRASOUND, RIGHT BREAST AND AXILLA\n\nA mass is seen. "
    text += "Axilla: a node with cortical thickening."
    assert sides(text) == ["right", "right"]


@pytest.mark.parametrize("modality", ["US", "MG", "MR"])
@pytest.mark.parametrize(
    "text",
    [
        "Ultrasound of the breast. Findings: solid lesion with irregular margins.",
        "BREAST MRI\nFINDINGS: lobulated lesion.",
        "Lesion of the breast.",
    ],
)
def test_a_lesion_of_a_breast_is_one_in_any_kind_of_image(text: str, modality: str) -> None:
    assert [f.name for f in parse(text, modality=modality).findings] == ["breast finding"]
