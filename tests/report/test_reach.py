"""How far a denial reaches, and what each side has: values that the table of sentences does not hold."""

import pytest

from medsegr.report.parse import parse
from medsegr.types import Finding


def read(text: str, modality: str = "CR") -> tuple[Finding, ...]:
    return parse(text, modality=modality).findings


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        (
            "Bilateral effusions, moderate on the left and small on the right.",
            {"left": "medium", "right": "small"},
        ),
        ("Large right and small left pleural effusions.", {"right": "large", "left": "small"}),
    ],
)
def test_each_side_has_its_own_amount(text: str, sizes: dict[str, str]) -> None:
    assert {f.location.side: f.shape.size_class for f in read(text)} == sizes


def test_each_side_has_its_own_measure() -> None:
    found = read("Bilateral pleural effusions measuring 3 cm on the right and 1 cm on the left.", "CT")
    assert {f.location.side: f.shape.size_mm for f in found} == {"right": (30.0,), "left": (10.0,)}


def test_a_distance_is_no_size() -> None:
    (nodule,) = read("A second nodule lies 2 cm posterior to this.", "CT")
    assert nodule.shape.size_mm is None


@pytest.mark.parametrize(
    ("text", "modality", "expected"),
    [
        ("The PCL is intact.", "MR", "- ligament tear"),
        ("ACL tear, PCL intact.", "MR", "+ ligament tear, - ligament tear"),
        ("The ACL is not intact.", "MR", "+ ligament tear"),
        ("FHL tendon intact with tear of ATFL.", "MR", "+ ligament tear"),
        ("Menisci intact.", "MR", "- meniscal tear"),
        ("Sternotomy wires intact.", "CR", "+ sternotomy wire"),
        # what is not seen may be left open
        ("No pneumothorax is seen, although a small one cannot be excluded.", "CR", "? pneumothorax"),
        (
            "Pneumothorax is not seen, and effusion has been excluded.",
            "CR",
            "- pneumothorax, - pleural effusion",
        ),
        # a denial takes a thing for there
        ("No thrombus within the aneurysm.", "CT", "- thrombus, + aortic aneurysm"),
        ("No calcification within the lesion.", "CT", "- calcification, - lesion"),
        ("No effusion in the chest, nodule or mass.", "CT", "- pleural effusion, - nodule, - mass"),
        ("No rupture of the aneurysm or dissection.", "CT", "+ aortic aneurysm, - aortic dissection"),
        # none of them does, or none is there
        ("None of the nodules has grown.", "CT", "+ nodule"),
        ("None of the nodules is visible.", "CT", "- nodule"),
        # forms
        ("[ ] Pneumothorax [x] Effusion", "CR", "- pneumothorax, + pleural effusion"),
        ("Consolidation: No\nPleural effusion: Yes", "CR", "- consolidation, + pleural effusion"),
        ("Pneumothorax: Y\nEffusion: N", "CR", "+ pneumothorax, - pleural effusion"),
        ("Effusion +, pneumothorax -.", "CR", "+ pleural effusion, - pneumothorax"),
        ("PTX neg, effusion pos.", "CR", "- pneumothorax, + pleural effusion"),
    ],
)
def test_how_far_a_denial_reaches(text: str, modality: str, expected: str) -> None:
    marks = {"present": "+", "absent": "-", "uncertain": "?"}
    assert ", ".join(f"{marks[f.polarity]} {f.name}" for f in read(text, modality)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("On the CT of 3 May 2021 there was an effusion.", "prior"),
        ("The film of 12 May showed an effusion.", "prior"),
        ("The film dated 12/5 showed an effusion.", "prior"),
        ("Cholecystectomy for gallstones.", "prior"),
        ("The film shows an effusion.", "current"),
    ],
)
def test_what_an_earlier_study_showed_is_told_by_its_date(text: str, expected: str) -> None:
    assert [f.time for f in read(text, "CT") if f.name in ("pleural effusion", "gallstone")] == [expected]


@pytest.mark.parametrize(
    ("text", "modality", "side", "cols"),
    [
        ("Polyp at the patient's left.", "ES", "left", ()),
        ("Nodule on the viewer's left.", "CR", None, ("left",)),
        ("Mass on the image's right side.", "US", None, ("right",)),
        ("The left testis is normal; the right contains a cyst.", "US", "right", ()),
    ],
)
def test_whose_side_it_is(text: str, modality: str, side: str | None, cols: tuple[str, ...]) -> None:
    (found,) = (f for f in read(text, modality) if f.polarity == "present" and f.drawable)
    assert (found.location.side, found.location.cols) == (side, cols)


@pytest.mark.parametrize("tube", ["endotracheal tube", "nasogastric tube", "tracheostomy tube"])
def test_a_tube_of_the_midline_has_no_side_of_a_catheter(tube: str) -> None:
    found = {f.name: f.location.side for f in read(f"Left subclavian line, {tube} and right chest drain.")}
    assert found[tube] is None
    assert found["central venous catheter"] == "left"


def test_a_title_is_not_in_a_picture_s_words() -> None:
    found = read("Right eye: image quality adequate. Drusen within one disc diameter of the fovea.", "OP")
    assert [(f.name, f.location.side) for f in found] == [("drusen", "right")]


def test_dr_in_capitals_is_a_disease() -> None:
    found = read("RE: no DR. LE: hard exudates.", "OP")
    assert [(f.location.side, f.polarity) for f in found if f.name == "exudate"] == [("left", "present")]
