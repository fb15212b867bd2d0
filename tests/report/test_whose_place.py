"""Which place and which size a finding has where a report tells several."""

import pytest

from medsegr.report.parse import parse


@pytest.mark.parametrize(
    ("modality", "text", "place"),
    [
        ("ES", "Antrum normal, ulcer in the bulb.", ("duodenal bulb",)),
        ("ES", "D2 normal, D1 ulcer 8 mm.", ("duodenal bulb",)),
        ("ES", "Rectum healthy, diverticula in the sigmoid.", ("sigmoid colon",)),
        ("ES", "Caecum: 4 mm polyp, ileum normal.", ("cecum",)),
        ("ES", "Transverse: flat lesion 15 mm.", ("transverse colon",)),
        ("ES", "Fibroid at the fundus.", ()),
        ("ES", "Erosions in the fundus.", ("gastric fundus",)),
        ("CR", "PICC with its tip in the right atrium.", ("right atrium",)),
        ("CR", "The ETT could be pulled back by 1 cm.", ()),
        ("CR", "A mass of the back.", ("back",)),
        ("US", "Rt kidney 10.9 cm, normal cortex, cyst upper pole.", ("right upper pole of kidney",)),
        ("OP", "Laser scars in the temporal periphery.", ("temporal retina",)),
        ("XC", "R nasal ala - nodule 6 mm, small central ulcer.", ("right nose",)),
    ],
)
def test_a_healthy_place_and_a_verb_place_nothing(modality: str, text: str, place: tuple[str, ...]) -> None:
    found = parse(text, modality=modality).findings[-1]
    assert {*place} <= {*found.location.anatomy} or not place
    assert len(found.location.anatomy) <= len(place)


@pytest.mark.parametrize(
    ("text", "name", "places"),
    [
        ("Submucosal bulge in the ileum - ?GIST ?extrinsic compression.", "extrinsic compression", 1),
        ("Nodule in the antrum (?pancreatic rest).", "submucosal lesion", 1),
    ],
)
def test_what_is_asked_of_a_thing_lies_where_it_does(text: str, name: str, places: int) -> None:
    asked = parse(text, modality="ES").findings[-1]
    assert asked.name == name
    assert asked.polarity == "uncertain"
    assert len(asked.location.anatomy) == places


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("Two polyps in the sigmoid (12 and 9 mm).", (12.0,)),
        ("Two polyps of 4 and 9 mm.", (9.0,)),
        ("PICC could be pulled back 3 cm.", None),
        ("ETT should be advanced by 2 cm.", None),
        ("A mass of 3 cm pulled on the lung.", (30.0,)),
    ],
)
def test_how_far_to_move_a_line_is_no_size(text: str, size: tuple[float, ...] | None) -> None:
    assert parse(text, modality="CR").findings[0].shape.size_mm == size
