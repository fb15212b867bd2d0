"""Which names of a sentence name a finding, and which only share, describe or match another one."""

import pytest

from medsegr.report.parse import parse, skip_reason


def names(text: str, modality: str) -> list[tuple[str, str]]:
    return [(f.name, f.polarity) for f in parse(text, modality=modality).findings]


def test_names_that_share_their_last_word_are_each_denied():
    assert names("No pleural or pericardial effusion.", "CT") == [
        ("pleural effusion", "absent"),
        ("pericardial effusion", "absent"),
    ]
    told = names("No renal, ureteric or bladder calculi.", "CT")
    assert {state for _, state in told} == {"absent"}
    assert {"kidney stone", "bladder stone"} <= {name for name, _ in told}


def test_two_looks_of_one_thing_are_one_finding():
    assert len(names("Interstitial and alveolar opacities.", "CR")) == 1


@pytest.mark.parametrize("text", ["Glaucoma clinic.", "Stroke team informed.", "Lung cancer screening."])
def test_what_a_clinic_is_called_after_is_no_finding(text):
    assert not [f for f in parse(text, modality="CT").findings if skip_reason(f) is None]


@pytest.mark.parametrize(
    ("text", "modality", "expected"),
    [
        ("Nodule with increased uptake in the left lung.", "PT", ["nodule"]),
        ("Increased uptake in the left tonsil.", "PT", ["increased uptake"]),
        ("Collections of mixed density over the frontal lobes.", "CT", ["fluid collection"]),
        ("Simple cyst of 9 mm, corresponding to the mass on mammography.", "US", ["cyst"]),
        ("Simple cyst of 9 mm and a mass on the left.", "US", ["cyst", "mass"]),
    ],
)
def test_a_look_and_the_same_thing_once_more_are_no_second_finding(text, modality, expected):
    assert [name for name, _ in names(text, modality)] == expected


@pytest.mark.parametrize(
    ("text", "modality", "level"),
    [
        ("Haemangioma in the D12 body.", "MR", ["T12 vertebra"]),
        ("D1 and D2: ulcer.", "ES", []),
    ],
)
def test_a_level_may_be_told_with_a_d(text, modality, level):
    (found,) = parse(text, modality=modality).findings
    assert [place for place in found.location.anatomy if "vertebra" in place] == level


@pytest.mark.parametrize(
    "text",
    [
        "No defect.",
        "No defects.",
        "There is no defect in the liver.",
        "No defect seen in the rotator cuff.",
        "No bony defect is identified.",
        "No evidence of a defect.",
        "Without any focal defect.",
        "Defect: none",
        "No new defect.",
        "No abnormality.",
        "Lungs: no abnormality detected.",
    ],
)
def test_no_defect_denies(text: str) -> None:
    assert [f.polarity for f in parse(text, modality="CT").findings] == ["absent"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Defect in the skull.", []),
        ("No effusion. Defect in the skull.", [("pleural effusion", "absent")]),
        ("No effusion, a defect in the skull.", [("pleural effusion", "absent")]),
        ("No filling defect.", [("pulmonary embolism", "absent")]),
        ("A cartilage defect of the left knee.", [("cartilage defect", "present")]),
    ],
)
def test_a_defect_that_is_there_or_has_a_name_stays(text: str, wanted: list[tuple[str, str]]) -> None:
    assert [(f.name, f.polarity) for f in parse(text, modality="CT").findings] == wanted
