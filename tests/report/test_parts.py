"""Parts of organs that somebody asks for, told from the organ itself."""

import pytest

from medsegr.report import lexicon
from medsegr.report.parse import parse, parse_phrase
from medsegr.report.parts import kind_asked, part_asked

PARTS = {
    "left lower lobe": "left lower lobe of lung",
    "lower lobe of the left lung in a CT slice": "left lower lobe of lung",
    "right upper zone": "right upper lobe of lung",
    "left hilum": "left hilum",
    "apex of the right lung": "right apex of lung",
    "right lobe of the liver": "right lobe of liver",
    "segment 4 of the liver": "left segments of liver",
    "caudate lobe": "caudate lobe of liver",
    "lower pole of the left kidney": "left lower pole of kidney",
    "renal pelvis": "renal pelvis",
    "splenic hilum": "splenic hilum",
    "upper pole of the spleen": "upper pole of spleen",
    "left atrial appendage": "left atrial appendage",
    "left heart border": "left heart border",
    "gallbladder fundus": "gallbladder fundus",
    "left kidney hilum": "left hilum",
    "dome of the liver": "dome of liver",
    "upper half of the left lung": "half of lung",
    "the entire upper half of the left lung": "half of lung",
    "both lower thirds of the lungs": "third of lung",
    "whole cortex of the left kidney": "cortex of kidney",
    "wall of each kidney": "wall of kidney",
    "the lower thirds of both lungs": "third of lung",
    "anterior wall of the left atrium": "wall of left atrium",
    "upper liver": "upper part of liver",
    "lower left kidney": "lower part of kidney",
    "right heart": "right side of the heart",
    "anterior mediastinum": "anterior mediastinum",
    "carotid bulb": "carotid bulb",
    "left kidney wall": "wall of kidney",
}


@pytest.mark.parametrize(("phrase", "part"), PARTS.items())
def test_a_part_is_told(phrase: str, part: str) -> None:
    (found,) = parse_phrase(phrase, modality="CT").findings
    assert part_asked(found) == part


WHOLES = (
    "lungs",
    "left lung",
    "the entire right lung",
    "liver",
    "spleen in the left upper quadrant",
    "left kidney",
    "heart",
    "left atrium",
    "hippocampus",
    "body and tail of the hippocampus",  # a concept of its own: the posterior part
    "common carotid artery",
    "central airways",
    "retinal vessels in the upper temporal quadrant",
    "right breast",
    "fetal head",
    "outline of the left lung",  # who asks for the outline of a thing means the thing
    "border of the liver",
    "all parts of the liver",
    "the whole of the spleen",
    "all three thirds of the lungs",
    "both lobes of the liver",
    "the entire surface of the spleen",
    "left kidney behind the spleen",  # what stands behind the organ is no name of another thing
    "the heart behind the sternum",
    "the lungs surrounding the heart",
    "an ellipse around the left kidney",
    "oval around the liver",
)


@pytest.mark.parametrize("phrase", WHOLES)
def test_an_organ_is_itself(phrase: str) -> None:
    (found,) = parse_phrase(phrase, modality="CT").findings
    assert found.name
    assert part_asked(found) is None


@pytest.mark.parametrize(
    "text",
    [
        "Consolidation in the left lower lobe.",
        "A 2 cm cyst in the lower pole of the left kidney.",
        "Hepatomegaly, chiefly of the right lobe.",
        "Thrombus in the left atrial appendage.",
    ],
)
def test_a_finding_in_a_part_is_what_is_asked_for(text: str) -> None:
    found = parse(text, modality="CT").findings
    assert found
    assert all(part_asked(one) is None for one in found)


@pytest.mark.parametrize("phrase", ["stalk of the polyp", "head of the polyp", "base of the polyp"])
def test_what_a_polyp_hangs_on_is_no_polyp(phrase: str) -> None:
    assert [f.name for f in parse_phrase(phrase, modality="ES").findings] == [
        f"polyp {phrase.partition(' ')[0]}"
    ]


ELSEWHERE = (
    "the wall behind the polyp",
    "tissue surrounding the tumour",
    "the region next to the nucleus",
    "shadow behind the tumour",
    "outside of the lung",
    "space between the lungs",
    "what is behind the heart?",
    "rim of the tumour",
    "enhancing part of the glioma",
    "half of the nuclei",
    "core of the large polyp",
    "centre of each nucleus",
    "clean margin around the polyp",
    "everything outside the box around the polyp",
    "tumour core",
    "NG tube tip",
    "rim of the cyst",
)


@pytest.mark.parametrize("phrase", ELSEWHERE)
def test_what_only_tells_where_something_lies_is_not_asked_for(phrase: str) -> None:
    assert [f.name for f in parse_phrase(phrase).findings] == [""]
    assert [f.name for f in parse(f"Segment {phrase}").findings if f.name] == []


@pytest.mark.parametrize(
    ("phrase", "names"),
    [
        ("the mucosa around the polyp", ["mucosa"]),
        ("necrotic core of the tumour", ["necrosis"]),
        ("polyp near the fold", ["polyp"]),
        ("lesion in front of the heart", ["lesion"]),
        ("nodule around 5 mm", ["nodule"]),
        ("a cluster of around 30 nuclei", ["nucleus"]),
        ("tumour with surrounding oedema", ["tumour", "pulmonary edema"]),
        ("draw a box around the polyp", ["polyp"]),
        ("a contour around the tumour", ["tumour"]),
        ("a tight bounding box around the breast tumour", ["breast tumour"]),
        ("bounding box of the polyp", ["polyp"]),
        ("put a box around each polyp", ["polyp"]),
        ("a red ellipse closely around the fetal head", ["fetal head"]),
        ("a segmentation mask around the polyp", ["polyp"]),
        ("the third of three polyps", ["polyp"]),
        ("the entire surface of the polyp", ["polyp"]),
        ("line around the left lung", ["lung"]),
        ("border of the polyp", ["polyp"]),
        ("the lung around the opacity", ["lung"]),
    ],
)
def test_what_is_asked_for_beside_something_is_found(phrase: str, names: list[str]) -> None:
    assert [f.name for f in parse_phrase(phrase).findings] == names


@pytest.mark.parametrize("verb", ["Shows", "Demonstrates", "Marks", "Measures", "CXR: Shows"])
def test_what_a_study_shows_is_no_request(verb: str) -> None:
    found = parse(f"{verb} consolidation adjacent to the mass.", modality="CR").findings
    assert [f.name for f in found] == ["consolidation", "mass"]


def test_in_a_report_both_are_there() -> None:
    found = parse("There is mucosal oedema around the polyp.", modality="ES").findings
    assert "polyp" in [f.name for f in found]


def test_a_pedunculated_polyp_is_one() -> None:
    found = parse("A pedunculated polyp with a long stalk in the sigmoid colon.", modality="ES").findings
    assert [f.name for f in found] == ["polyp"]


KINDS = [
    ("US", "carotid artery", "internal carotid artery", "internal carotid artery"),
    ("US", "carotid artery", "left ECA", "external carotid artery"),
    ("US", "carotid artery", "tortuous ICA", "internal carotid artery"),
    ("OP", "retinal vessels", "retinal arterioles", "retinal artery"),
    ("OP", "retinal vessels", "arteries of the retina", "retinal artery"),
    ("OP", "retinal vessels", "retinal veins", "retinal vein"),
    ("OP", "retinal vessels", "tortuous retinal veins", "tortuous retinal veins"),
    ("OP", "retinal vessels", "superior temporal arcade", "vascular arcade"),
    ("SM", "nucleus", "tumour nuclei", "tumour nucleus"),
    ("SM", "nucleus", "nuclei of the lymphocytes", "inflammatory nucleus"),
    ("SM", "nucleus", "mitotic nuclei", "mitotic nucleus"),
    ("CR", "tube", "ET tube", "endotracheal tube"),
    ("CR", "tube", "chest drain", "chest tube"),
    ("CR", "nasogastric tube", "NJ tube", "nasojejunal tube"),
    ("CR", "tube", "PEG tube", "gastrostomy tube"),
    ("MR", "posterior hippocampus", "tail of the hippocampus", "hippocampal tail"),
    ("MR", "multiple sclerosis lesion", "black holes", "black hole"),
    ("ES", "polyp", "anal papilla", "anal papilla"),
    ("MG", "breast finding", "intramammary node", "intramammary lymph node"),
]


@pytest.mark.parametrize(("modality", "drawn", "phrase", "kind"), KINDS)
def test_a_kind_is_told_from_the_thing(modality: str, drawn: str, phrase: str, kind: str) -> None:
    for found in (parse_phrase(phrase, modality=modality), parse(f"Segment {phrase}.", modality=modality)):
        assert [kind_asked(one, drawn) for one in found.findings] == [kind]


THINGS = [
    ("US", "carotid artery", "the common carotid"),
    ("US", "carotid artery", "tortuous carotid"),
    ("OP", "retinal vessels", "retinal vessels"),
    ("OP", "retinal vessels", "vasculature"),
    ("OP", "retinal vessels", "arteries and veins"),
    ("OP", "retinal vessels", "veins and arteries of the retina"),
    ("SM", "nucleus", "stained nuclei"),
    ("SM", "nucleus", "large hyperchromatic nuclei"),
    ("CR", "tube", "tubing"),
    ("CR", "nasogastric tube", "feeding tube"),
    ("ES", "polyp", "adenoma"),
    ("DMS", "skin lesion", "melanoma"),
]


@pytest.mark.parametrize(("modality", "drawn", "phrase"), THINGS)
def test_another_name_is_no_kind(modality: str, drawn: str, phrase: str) -> None:
    found = parse_phrase(phrase, modality=modality).findings
    assert [kind_asked(one, drawn) for one in found] == [None]
    assert [part_asked(one) for one in found] == [None]


def test_plaque_of_a_kind_of_artery_is_that_of_the_artery() -> None:
    text = "Right carotid: ICA stenosis. ECA patent. CCA intimal thickening."
    found = parse(text, modality="US").findings
    assert [(f.name, f.location.side) for f in found if f.polarity == "present"] == [
        ("carotid stenosis", "right"),
        ("intimal thickening", "right"),
    ]


def test_a_kind_has_something_wider() -> None:
    assert all(concept.parents for concept in lexicon.concepts().values() if concept.apart)


def test_every_part_names_an_organ_that_can_be_asked_for_or_none() -> None:
    known = lexicon.concepts()
    organs = {place.of for place in lexicon.places().values() if place.of in known}
    assert {"lung", "liver", "kidney", "spleen", "left atrium"} <= organs
    assert all(known[name].kind == "anatomy" for name in ("lung", "liver", "kidney", "spleen"))


@pytest.mark.parametrize(
    ("phrase", "name", "place"),
    [
        ("base of the left lung opacity", "opacity", "left base of lung"),
        ("apex of the right lung nodule", "nodule", "right apex of lung"),
        ("upper pole of the left kidney cyst", "kidney cyst", "left upper pole of kidney"),
    ],
)
def test_a_part_of_the_organ_in_a_name_is_the_place_of_the_thing(phrase: str, name: str, place: str) -> None:
    (found,) = parse_phrase(phrase, modality="CT").findings
    assert (found.name, place in found.location.anatomy) == (name, True)


@pytest.mark.parametrize(
    ("phrase", "modality", "name"),
    [
        ("oedema around the glioma", None, "brain oedema"),
        ("oedema around the glioma", "CT", "brain oedema"),
        ("edema beside the infarct", "MR", "brain oedema"),
        ("oedema", "MR", "brain oedema"),
        ("pulmonary oedema", "MR", "pulmonary edema"),
        ("oedema in the left lung", "MR", "pulmonary edema"),
        ("oedema behind the heart", "CR", "pulmonary edema"),
        ("oedema", "CT", "pulmonary edema"),
        ("oedema", None, "pulmonary edema"),
    ],
)
def test_which_oedema_is_told_by_the_landmark_or_the_image(phrase: str, modality: str, name: str) -> None:
    assert [f.name for f in parse_phrase(phrase, modality=modality).findings] == [name]
    assert name in [f.name for f in parse(f"Segment the {phrase}.", modality=modality).findings]
