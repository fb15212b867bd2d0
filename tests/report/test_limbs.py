"""The side of a title reaches what lies in the one limb that it names, and nothing else."""

import pytest

from medsegr.findings import Finding, Location
from medsegr.report import lexicon
from medsegr.report.limb_names import may_lie_in_limb, of_limb
from medsegr.report.parse import parse


def told(text: str, modality: str | None = "MR") -> list[tuple[str, str | None]]:
    return [(f.name, f.location.side) for f in parse(text, modality=modality).findings]


def sides(text: str, modality: str | None = "MR") -> list[str | None]:
    return [side for _, side in told(text, modality)]


@pytest.mark.parametrize(
    ("title", "side", "words"),
    [
        ("MRI RIGHT KNEE", "right", ["RIGHT", "KNEE"]),
        ("MR Lt wrist", "left", ["Lt", "wrist"]),
        ("MR ANKLE RT WO", "right", ["ANKLE", "RT"]),
        ("MR arthrogram, L shoulder", "left", ["L", "shoulder"]),
        ("MRI LT THIGH PRE/POST GAD", "left", ["LT", "THIGH"]),
        ("Examination: MRI left ankle without contrast", "left", ["left", "ankle"]),
        ("Study: CT left tibia/fibula", "left", ["left", "tibia", "fibula"]),
        ("Procedure: Radiograph of the right great toe", "right", ["right", "toe"]),
        ("EXAM: Right foot", "right", ["Right", "foot"]),
        ("Exam: Venous duplex, RLE", "right", ["RLE"]),
        ("DUPLEX SCAN LOWER LIMB - LEFT", "left", ["LOWER LIMB", "LEFT"]),
        ("XR RIGHT HAND AND WRIST", "right", ["RIGHT", "HAND", "WRIST"]),
        ("XR LEFT ELBOW AND LEFT WRIST", "left", ["LEFT", "ELBOW", "LEFT", "WRIST"]),
        ("LEFT FOOT, 3 VIEWS", "left", ["LEFT", "FOOT"]),
        ("Rt wrist AP/lat. FOOSH.", "right", ["Rt", "wrist"]),
        ("MRI left knee - post meniscectomy", "left", ["left", "knee"]),
        ("CT RIGHT ANKLE FOR PREOPERATIVE PLANNING", "right", ["RIGHT", "ANKLE"]),
        ("Left shoulder MRI.", "left", ["Left", "shoulder"]),
        ("RIGHT KNEE", "right", ["RIGHT", "KNEE"]),
        ("MRI RIGHT KNEE | 12 May 2024 | Dr Smith", "right", ["RIGHT", "KNEE"]),
        ("Ultrasound of left forearm was performed using a linear probe.", "left", ["left", "forearm"]),
    ],
)
def test_a_title_tells_the_side_of_its_limb_and_its_words_are_traced(
    title: str, side: str, words: list[str]
) -> None:
    text = f"{title}\n\nFINDINGS: There is a ganglion cyst."
    (finding,) = parse(text, modality="MR").findings
    where = finding.location
    assert (where.side, where.side_frame, where.anatomy) == (side, "limb", ())
    assert [text[a:b] for a, b in where.spans] == words
    assert text[slice(*finding.span)] in text[text.index("FINDINGS") :]


def test_all_that_may_lie_there_stands_under_the_title() -> None:
    text = "XR RIGHT SHOULDER\nNo fracture. Osteophytes. Lesion of the humerus.\nIMPRESSION: Arthritis."
    assert set(sides(text, "CR")) == {"right"}


@pytest.mark.parametrize(
    "text",
    [
        "MRI BOTH KNEES\nThere is a ganglion cyst.",
        "MRI KNEES\nThere is a ganglion cyst.",
        "MRI RIGHT AND LEFT KNEE\nThere is a ganglion cyst.",
        "EXAM: MRI RIGHT KNEE\nMRI LEFT KNEE\nFINDINGS: There is a ganglion cyst.",
        "EXAM: MRI right knee. MRI left knee.\nFINDINGS: There is a ganglion cyst.",
        "MRI RIGHT KNEE AND RIGHT WRIST\nThere is a ganglion cyst.",
        "MRI PELVIS AND RIGHT HIP\nThere is a ganglion cyst.",
        "LEFT HIP 2 VIEWS WITH AP PELVIS\nThere is a ganglion cyst.",
        "MRI left shoulder, cervical spine\nThere is a ganglion cyst.",
        "MRI right shoulder. MRI cervical spine.\nThere is a ganglion cyst.",
        "MRI WRIST\nRight-handed. There is a ganglion cyst.",
        "MRI WRIST\nThe pin was left in place. There is a ganglion cyst.",
        "XR CLAVICLE, LEFT POSTERIOR OBLIQUE\nThere is a ganglion cyst.",
        "COMPARISON: MRI left knee 2020\nFINDINGS: There is a ganglion cyst.",
        "INDICATION: MRI left knee, pain\nFINDINGS: There is a ganglion cyst.",
        "Prior MRI of the left knee.\nThere is a ganglion cyst.",
        "MRI of the left knee is recommended.\nThere is a ganglion cyst.",
        "MRI left knee, previous study.\nThere is a ganglion cyst.",
        "MRI of the left knee for comparison.\nThere is a ganglion cyst.",
        "X-ray left foot 3 weeks ago.\nThere is a ganglion cyst.",
        "XR RIGHT FEMUR\nXR PELVIS\nThere is a ganglion cyst.",
        "There is a ganglion cyst.\nMRI LEFT KNEE",
        "There is a ganglion cyst. MRI right knee is done.",
    ],
)
def test_what_is_no_title_of_one_limb_tells_none(text: str) -> None:
    assert dict(told(text))["ganglion cyst"] is None


def test_what_lies_outside_the_limb_has_no_side_of_it() -> None:
    text = (
        "XR RIGHT SHOULDER\nCalcific tendinitis. No pneumothorax. Nodule in the lung. Old rib fracture."
        "\nPneumonia. Cardiomegaly. Hiatus hernia. Vertebral fracture."
    )
    found = dict(told(text, "CR"))
    assert found.pop("calcific tendinitis") == "right"
    assert len(found) >= 6
    assert set(found.values()) == {None}


def test_a_side_that_a_sentence_tells_stays() -> None:
    text = "MRI RIGHT KNEE\nBoth menisci are torn. Synovitis."
    assert told(text) == [("meniscal tear", "bilateral"), ("synovitis", "right")]
    (finding,) = parse("MRI RIGHT KNEE\nBaker cyst of the right knee.", modality="MR").findings
    assert (finding.location.side, finding.location.side_frame) == ("right", "limb")


def test_the_title_holds_until_a_sentence_speaks_of_the_other_limb() -> None:
    text = "MRI right knee\nSynovitis. The left knee was shown too and has a Baker cyst. Ganglion cyst."
    assert told(text) == [("synovitis", "right"), ("baker cyst", "left"), ("ganglion cyst", None)]
    text = "MRI right knee\nSynovitis. On the left, the ligaments are intact. Ganglion cyst."
    assert dict(told(text))["ganglion cyst"] is None
    text = "MRI right knee\nSynovitis, more than in 2020 and compared with the left knee. Ganglion cyst."
    assert sides(text) == ["right", "right"]
    text = "XR RIGHT SHOULDER\nLeft pleural effusion. Calcific tendinitis."
    assert sides(text, "CR") == ["left", "right"]


def test_each_study_of_a_report_has_its_own_title() -> None:
    text = (
        "XR LEFT WRIST\nFracture of the distal radius.\n\nXR RIGHT ANKLE\nSoft tissue swelling. No fracture."
    )
    assert sides(text, "CR") == ["left", "right", "right"]
    text = "EXAM: XR LEFT WRIST\nFINDINGS: Fracture of the radius.\nEXAM: CT HEAD\nFINDINGS: A lesion."
    assert sides(text, "CT") == ["left", None]
    text = "CT CHEST\nNodule in the right lung.\nCT LEFT LEG\nAbscess."
    assert sides(text, "CT") == ["right", "left"]
    text = "XR left humerus: bone cyst.\nXR right femur: bone cyst.\nXR skull: bone cyst. Ulcer."
    assert sides(text, "CR")[-2:] == [None, None]
    text = "1. X-ray left foot: swelling. Osteomyelitis.\n2. Chest X-ray: lesion."
    assert dict(told(text, "CR"))["osteomyelitis"] == "left"
    assert sides(text, "CR")[-1] is None


def test_only_pictures_of_the_inside_have_such_titles() -> None:
    assert sides("Left forearm\nUlcer.", "DMS") == [None]
    (finding,) = parse("XR RIGHT WRIST\nOsteomyelitis.", modality="CR", frame="viewer").findings
    assert finding.location.side is None  # the sides of the picture were asked for


def test_ultrasound_of_a_limb_has_the_patient_s_side_in_short_texts_too() -> None:
    (finding,) = parse("US RIGHT GROIN\nInguinal hernia.", modality="US").findings
    assert (finding.location.side, finding.location.cols) == ("right", ())
    assert {*sides("US LEFT AXILLA\nEnlarged lymph node.", "US")} == {"left"}


def test_the_right_hand_is_a_hand_and_the_right_hand_side_a_side() -> None:
    (finding,) = parse("Fracture of the right hand.", modality="CR").findings
    assert (finding.location.side, finding.location.anatomy) == ("right", ("right hand",))
    (finding,) = parse("An opacity on the left hand side.", modality="CR").findings
    assert (finding.location.side, finding.location.anatomy) == ("left", ())
    for text in ("Right hand dominant.", "Right-handed.", "Right-hand dominance."):
        assert sides(f"{text} There is a fracture.", "CR") == [None]


def test_a_finding_may_lie_in_a_limb_by_its_place_or_else_by_its_name() -> None:
    def at(name: str, *places: str) -> bool:
        return may_lie_in_limb(Finding("", name, (0, 1), name, location=Location(anatomy=places)))

    assert all(map(at, ("nodule", "wrist fracture", "osteophyte", "tendon tear", "hip prosthesis")))
    assert at("nodule", "medial", "right leg")
    assert not at("nodule", "lung")
    assert not any(map(at, ("pneumonia", "pelvic fracture", "disc degeneration", "rib fracture")))
    assert not any(map(at, ("liver abscess", "compression fracture", "femur", "normal study", "")))
    assert [of_limb(place) for place in ("left shoulder", "medial meniscus", "medial")] == [True, True, None]
    assert of_limb("liver") is False


def test_listed_names_are_those_of_the_lexicon() -> None:
    from medsegr.report.limb_names import _PLACES, GENERAL

    assert lexicon.concepts().keys() >= GENERAL
    assert {place.name for place in lexicon.places().values()} >= _PLACES


def test_the_same_thing_told_with_the_limb_s_side_and_the_patient_s_is_one() -> None:
    text = "MRI right knee\nBaker cyst. The left knee has an effusion.\nIMPRESSION: Right baker cyst."
    assert told(text) == [("baker cyst", "right"), ("joint effusion", "left")]


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("Effusion of the right knee. Synovitis.", ["limb", "patient"]),
        ("Fracture of the right hand. Erosion of the right wrist.", ["limb", "limb"]),
        ("XR HANDS\nFracture of the right hand.", ["patient"]),
        ("X-ray of both knees.\nEffusion of the right knee.", ["patient"]),
        ("Effusion of the right knee. Baker cyst of the left knee.", ["patient", "patient"]),
        ("Fracture of the right femur.", ["patient"]),  # it may be that of a picture of the pelvis
        ("Nodule in the right lung. Fracture of the right hand.", ["patient", "limb"]),
    ],
)
def test_a_side_that_a_sentence_tells_of_one_limb_is_treated_alike(text: str, frames: list[str]) -> None:
    found = parse(text, modality="CR").findings
    assert [f.location.side_frame for f in found] == frames
