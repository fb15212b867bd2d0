"""Lists of what somebody asks for: every member comes back, alone or among others, in any order."""

import random

import pytest

from medsegr.findings import Finding
from medsegr.report.parse import parse, parse_phrase, skip_reason
from medsegr.report.parts import part_asked

WHOLE = {"heart": "heart", "liver": "liver", "spleen": "spleen", "left kidney": "kidney", "aorta": "aorta"}
PARTS = {
    "left lower lobe": "left lower lobe of lung",
    "splenic hilum": "splenic hilum",
    "left atrial appendage": "left atrial appendage",
    "upper pole of the right kidney": "right upper pole of kidney",
}
KINDS = {"internal carotid artery": "internal carotid artery", "chest tube": "chest tube"}
FINDINGS = {"gallstone": "gallstone", "pneumothorax": "pneumothorax", "nasogastric tube": "nasogastric tube"}
UNKNOWN = ("zork", "omentum majus", "hepatic veins")
JOINTS = (" and ", ", ", " plus ", " as well as ", " / ", "/", "; ", " & ", " and the ", " along with ")
THINGS = (*WHOLE, *PARTS, *KINDS, *FINDINGS, *UNKNOWN)


def meant(found: Finding) -> str:
    """The member of a list that a finding is of."""
    part = part_asked(found)
    names = {**WHOLE, **KINDS, **FINDINGS}
    told = (one for one, name in PARTS.items() if name == part)
    if part is None and found.name:
        return next(one for one, name in names.items() if name == found.name)
    return next(told, found.phrase.removeprefix("the "))


OWN = ({"spleen", "splenic hilum"}, {"left kidney", "upper pole of the right kidney"})


def fits(one: str, other: str, joint: str) -> bool:
    """Behind a comma or slash the place of a finding may be told, or whose part it is: that is no list."""
    if joint.strip() in (",", "/", ";") and ({one, other} in OWN or {one, other} & {*UNKNOWN[1:]}):
        return False
    tools = {*FINDINGS, "chest tube"}
    organs = {one, other} & {*WHOLE, *PARTS, "internal carotid artery"}
    placed = bool(organs) and bool({one, other} & tools) and joint.strip() in (",", "/", ";")
    return one != other and not placed


PAIRS = [
    f"{one}{joint}{other}"
    for joint in JOINTS
    for one in THINGS
    for other in THINGS
    if fits(one, other, joint)
]


def test_both_of_a_pair_come_back_in_their_order() -> None:
    assert len(PAIRS) > 2000
    wrong = []
    for joint in JOINTS:
        for one in THINGS:
            for other in (o for o in THINGS if fits(one, o, joint)):
                found = parse_phrase(f"{one}{joint}{other}", modality="CT").findings
                if [meant(f) for f in found] != [one, other]:
                    wrong.append((f"{one}{joint}{other}", [(f.name, f.phrase) for f in found]))
    assert not wrong


def test_a_member_is_read_as_alone() -> None:
    rng = random.Random(5)
    for _ in range(150):
        things = rng.sample([*WHOLE, *PARTS, "internal carotid artery"], rng.randint(2, 4))
        if any(own <= {*things} for own in OWN):
            continue
        text = f"{', '.join(things[:-1])}{rng.choice(JOINTS)}{things[-1]}"
        alone = [parse_phrase(thing, modality="CT").findings[0] for thing in things]
        found = parse_phrase(text, modality="CT").findings
        assert [(f.name, f.location.side, part_asked(f)) for f in found] == [
            (f.name, f.location.side, part_asked(f)) for f in alone
        ], text


@pytest.mark.parametrize("verb", ["Segment ", "Please outline the ", "Could you show me the "])
def test_a_request_in_a_report_loses_no_part(verb: str) -> None:
    found = parse(f"{verb}heart and left lower lobe.", modality="CR").findings
    assert [(f.name, part_asked(f)) for f in found] == [("heart", None), ("lung", "left lower lobe of lung")]


PLACES = [
    ("nodule, left lung", "nodule"),
    ("consolidation in the left lower lobe and right upper lobe", "consolidation"),
    ("two infected areas, upper left lung and lower right lung", "pulmonary infection"),
    ("mass, right kidney", "kidney tumour"),
    ("cyst, liver", "liver cyst"),
    ("nodule (8 mm), left lung", "nodule"),
    ("the nodule, the left lung", "nodule"),
    ("nodule, lung, left", "nodule"),
    ("hepatic lesions", "liver lesion"),
    ("left and right kidney cysts", "kidney cyst"),
    ("left lung, lower lobe", "lung"),
    ("upper pole, left kidney", "kidney"),
    ("left and right lung", "lung"),
    ("upper and lower lobes", "lung"),
    ("liver, no lesion", "liver"),
    ("liver in the CT, please", "liver"),
]


@pytest.mark.parametrize(("phrase", "name"), PLACES)
def test_places_and_courtesies_are_no_members(phrase: str, name: str) -> None:
    found = parse_phrase(phrase, modality="CT").findings
    assert {f.name for f in found if skip_reason(f) is None} == {name}


def test_organs_with_an_article_are_members_beside_a_finding() -> None:
    for text in (
        "Draw the heart, the left lung and any effusion.",
        "the effusion, the left lung and the heart",
    ):
        told = {(found.name, found.location.side) for found in parse_phrase(text, modality="CR").findings}
        assert told == {("heart", None), ("lung", "left"), ("pleural effusion", None)}, text
    placed = parse_phrase("nodule, left lung and heart", modality="CR").findings
    assert [found.name for found in placed] == ["nodule"]


def told(text: str, asked: bool) -> list[tuple[str, str, str | None]]:
    found = (parse_phrase if asked else parse)(text, modality="CT").findings
    return [(f.polarity, f.name, f.location.side) for f in found if f.drawable]


SPLEEN, LESION = ("present", "spleen", None), ("present", "lesion", "left")
LIVER, CYST = ("present", "liver lesion", "right"), ("present", "liver cyst", "right")
KIDNEY, BOTH = ("present", "kidney", "left"), ("present", "kidney cyst", "left")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("spleen and liver lesions", [SPLEEN, LIVER]),
        ("the spleen, liver lesions and the aorta", [SPLEEN, LIVER, ("present", "aorta", None)]),
        ("liver and spleen lesions", [("present", "liver", None), LESION]),
        ("left kidney and liver cysts", [KIDNEY, CYST]),
        ("hepatic and splenic lesions", [LIVER, LESION]),
        ("liver lesions and spleen", [LIVER, SPLEEN]),
    ],
)
def test_who_asks_for_an_organ_and_lesions_of_another_is_shown_both(
    text: str, wanted: list[tuple[str, str, str | None]]
) -> None:
    assert told(text, asked=True) == wanted
    assert told(f"Segment the {text.removeprefix('the ')}", asked=False) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Spleen and liver lesions are seen.", [LESION, LIVER]),
        ("Multiple spleen and liver lesions.", [LESION, LIVER]),
        ("Left kidney and liver cysts.", [BOTH, CYST]),
        ("No spleen or liver lesions.", [("absent", *LESION[1:]), ("absent", *LIVER[1:])]),
        ("Haematoma in the spleen and liver lesions.", [("present", "splenic haematoma", "left"), LIVER]),
        ("Pancreas and spleen normal, liver lesions.", [LIVER]),
        ("The spleen is normal and liver lesions are seen.", [LIVER]),
        ("Enlarged spleen and liver lesions.", [("present", "splenomegaly", "left")]),
    ],
)
def test_a_report_tells_of_lesions_of_both_organs(
    text: str, wanted: list[tuple[str, str, str | None]]
) -> None:
    found = told(text, asked=False)
    assert found[: len(wanted)] == wanted
    assert ("present", *LESION[1:]) not in found or LESION in wanted
