"""Sides that are told by another one, and sides that are no place of the finding."""

import pytest

from medsegr.report.parse import parse, skip_reason


def drawn(text: str, modality: str = "CR") -> list[tuple[str, str | None]]:
    found = parse(text, modality=modality).findings
    return [(f.name, f.location.side) for f in found if skip_reason(f) is None]


EFFUSION = "pleural effusion"


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("Left pneumothorax. Contralateral effusion.", "right"),
        ("Left pneumothorax. Ipsilateral effusion.", "left"),
        ("Left pneumothorax. The other lung shows an effusion.", "right"),
        ("Left pneumothorax. Small effusion on that side.", "left"),
        ("Left pneumothorax. Small effusion on the same side.", "left"),
        ("Left pneumothorax. Small effusion on the opposite side.", "right"),
        ("Left pneumothorax. On the other side there is an effusion.", "right"),
        ("Left pneumothorax and an effusion on that side.", "left"),
        ("Left pneumothorax, effusion on the other side.", "right"),
        ("Left pneumothorax with a small effusion on this side.", "left"),
        ("Consolidation of the left lower lobe. Small effusion on that side.", "left"),
        ("No pneumothorax. Contralateral effusion.", None),
        ("Left pneumothorax, right rib fracture. Contralateral effusion.", None),
    ],
)
def test_a_side_is_told_by_the_one_before(text: str, side: str | None) -> None:
    assert (EFFUSION, side) in drawn(text)
    assert all(name != EFFUSION or one == side for name, one in drawn(text))


@pytest.mark.parametrize("other", ["other", "opposite", "contralateral"])
@pytest.mark.parametrize("joint", [". The", "; the", ", the"])
def test_the_other_of_two_organs(other: str, joint: str) -> None:
    text = f"The right kidney contains a stone{joint} {other} kidney contains a cyst."
    assert drawn(text, "US") == [("kidney stone", "right"), ("kidney cyst", "left")]


def test_the_other_of_two_organs_is_healthy() -> None:
    assert drawn("Left ovary with a cyst, the opposite ovary unremarkable.", "US") == [
        ("ovarian cyst", "left")
    ]
    assert drawn("The other kidney contains a cyst.", "US") == [("kidney cyst", None)]


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("Right-sided central line with its tip in the left brachiocephalic vein.", "right"),
        ("Left PICC with tip in the right brachiocephalic vein.", "left"),
        ("Right IJ line crossing to the left with its tip in the left subclavian vein.", "right"),
        ("Left central line, tip in the superior vena cava.", "left"),
        ("Left PICC tip at the cavoatrial junction, R chest tube in place.", "left"),
    ],
)
def test_where_a_line_ends_is_not_where_it_comes_from(text: str, side: str) -> None:
    lines = [one for name, one in drawn(text) if name == "central venous catheter"]
    assert lines == [side]


@pytest.mark.parametrize(
    ("text", "modality", "wanted"),
    [
        ("More haemorrhages in the left eye than in the right.", "OP", [("haemorrhage", "bilateral")]),
        ("Right effusion larger than left.", "CR", [(EFFUSION, "bilateral")]),
        ("The right effusion is larger than the left.", "CR", [(EFFUSION, "bilateral")]),
        ("The right hippocampus is smaller than the left.", "MR", [("hippocampal sclerosis", "right")]),
        ("Plaque in the left ICA, right ICA patent.", "US", [("carotid plaque", "left")]),
    ],
)
def test_comparisons(text: str, modality: str, wanted: list[tuple[str, str]]) -> None:
    assert drawn(text, modality) == wanted


@pytest.mark.parametrize(
    ("text", "modality", "wanted"),
    [
        (
            "KIDNEYS: Right: stone. Left: cyst. ADRENALS: nodule.",
            "CT",
            [("kidney stone", "right"), ("kidney cyst", "left"), ("adrenal nodule", None)],
        ),
        (
            "LUNGS: Right: nodule. Left: clear. PLEURA: effusion.",
            "CR",
            [("nodule", "right"), (EFFUSION, None)],
        ),
        (
            "RIGHT LUNG\nNodule in the upper zone.\nLEFT LUNG\nClear.\nBONES\nRib fracture.",
            "CR",
            [("nodule", "right"), ("rib fracture", None)],
        ),
        (
            "CAROTIDS\nRIGHT:\nCCA: plaque.\nICA: normal.\nLEFT:\nCCA: normal.\nICA: plaque.",
            "US",
            [("carotid plaque", "right"), ("carotid plaque", "left")],
        ),
        ("LEFT BREAST\nMass at 2 o'clock.\nSKIN\nThickening.", "MG", [("breast mass", "left"), ("", "left")]),
    ],
)
def test_a_heading_keeps_its_side_no_longer_than_its_organ(
    text: str, modality: str, wanted: list[tuple[str, str | None]]
) -> None:
    found = [(name, side) for name, side in drawn(text, modality) if name != "carotid artery"]
    assert [side for _, side in found] == [side for _, side in wanted]
    assert all(name in ("", one) for (name, _), (one, _) in zip(wanted, found, strict=True))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Large left effusion displacing the heart to the right.", [(EFFUSION, "left")]),
        ("Heart displaced to the right, large left effusion.", [(EFFUSION, "left")]),
        ("Enlarged heart with effusion.", [("cardiomegaly", None), (EFFUSION, None)]),
        (
            "Opacity behind the heart on the left, effusion on the right.",
            [("opacity", "left"), (EFFUSION, "right")],
        ),
        (
            "Right effusion now larger, left effusion resolved, nodule left apex.",
            [(EFFUSION, "right"), ("nodule", "left")],
        ),
        (
            "Edema improved, left effusion resolved, cardiomegaly.",
            [("pulmonary edema", None), ("cardiomegaly", None)],
        ),
    ],
)
def test_words_of_one_finding_are_not_taken_by_another(
    text: str, wanted: list[tuple[str, str | None]]
) -> None:
    assert drawn(text) == wanted


@pytest.mark.parametrize(
    ("text", "modality", "wanted"),
    [
        ("Meningioma of the right sphenoid wing with compression of the left optic nerve.", "MR", ["right"]),
        ("The left lateral ventricle is compressed by a right thalamic glioma.", "MR", ["right"]),
        ("The left main bronchus is compressed by a mass.", "CR", ["left"]),
        ("Effacement of the left lateral ventricle and 6 mm shift to the right.", "CT", ["left"]),
        ("Previously right, now left-sided effusion.", "CR", ["left"]),
        ("Right kidney 10 cm, left kidney 11 cm with a cyst.", "US", ["left"]),
        ("Cysts: right kidney 10 mm, left kidney 12 mm.", "US", ["right", "left"]),
        ("Effusion on both sides, on the left with atelectasis.", "CR", ["bilateral", "left"]),
        ("Airspace opacities, left worse than right, with right effusion.", "CR", ["bilateral", "right"]),
        ("Right more than left effusions, left chest tube.", "CR", ["bilateral", "left"]),
        ("The right pneumothorax has resolved, but there is now one on the left.", "CR", ["left"]),
        ("Right ovary: cyst. Left ovary: normal. Free fluid.", "US", ["right", None]),
        ("LEFT OVARY: cyst. Free fluid in the pelvis.", "US", ["left", None]),
        ("Drusen in both eyes, haemorrhage only on the left.", "OP", ["bilateral", "left"]),
    ],
)
def test_sides_that_are_another_thing_s(text: str, modality: str, wanted: list[str | None]) -> None:
    assert [side for _, side in drawn(text, modality)] == wanted
