"""What a later sentence or an addendum takes back is not drawn."""

import pytest

from medsegr.report.parse import parse, skip_reason


def drawn(text: str, modality: str = "CR") -> list[tuple[str, str | None]]:
    found = parse(text, modality=modality).findings
    return sorted((f.name, f.location.side) for f in found if skip_reason(f) is None)


@pytest.mark.parametrize(
    "text",
    [
        "There was a right pleural effusion on the film of 3 May. This has since resolved.",
        "There was a right pleural effusion on the previous film; this has resolved.",
        "Small left apical pneumothorax after biopsy. It has now completely resolved.",
    ],
)
def test_what_the_next_sentence_calls_resolved_is_not_drawn(text: str) -> None:
    assert drawn(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Left pleural effusion. This has not resolved.",
        "Left pleural effusion. This has increased.",
        "Left pleural effusion. The pneumothorax has resolved.",
    ],
)
def test_what_goes_on_or_is_another_thing_stays(text: str) -> None:
    assert drawn(text) == [("pleural effusion", "left")]


FINDINGS = "FINDINGS: 5 mm nodule in the left upper lobe. Small left pleural effusion.\n"


def test_an_addendum_moves_a_finding_to_the_other_side() -> None:
    text = (
        FINDINGS
        + "ADDENDUM: The 5 mm nodule is in the right upper lobe, not the left upper lobe as reported."
    )
    assert drawn(text, "CT") == [("nodule", "right"), ("pleural effusion", "left")]
    denied = next(f for f in parse(text, modality="CT").findings if f.polarity == "absent")
    assert denied.polarity_span is not None
    assert "nodule" in text[slice(*denied.polarity_span)]


def test_an_addendum_that_adds_a_finding_takes_none_back() -> None:
    text = FINDINGS + "ADDENDUM: There is also a 7 mm nodule in the right upper lobe."
    assert drawn(text, "CT") == [("nodule", "left"), ("nodule", "right"), ("pleural effusion", "left")]


@pytest.mark.parametrize(
    "said",
    [
        "ADDENDUM: The nodule lies in the right middle lobe, not the lower lobe.",
        "ADDENDUM 16:40: The nodule is in the right middle lobe rather than the right lower lobe.",
        "Addendum (3/4/2024): The lesion is in the right middle lobe instead of the lower lobe.",
    ],
)
def test_an_addendum_moves_a_lobe_and_the_size_goes_with_it(said: str) -> None:
    found = parse(f"FINDINGS: A 12 mm nodule in the right lower lobe.\n\n{said}", modality="CT").findings
    assert [(f.polarity, f.location.rows, f.shape.size_mm) for f in found] == [
        ("absent", ("lower",), (12.0,)),
        ("present", ("middle",), (12.0,)),
    ]


def test_an_addendum_may_use_a_wider_name() -> None:
    text = "FINDINGS: Right-sided ground-glass opacities. Nodule in the right lung.\n"
    text += "ADDENDUM: The opacities are on the left, not the right."
    assert drawn(text) == [("nodule", "right"), ("opacity", "left")]


@pytest.mark.parametrize("head", ["CORRECTED REPORT", "AMENDED REPORT 14:20", "Correction", "ERRATUM"])
def test_a_report_may_be_corrected_under_other_headings(head: str) -> None:
    text = f"{FINDINGS}\n{head}: The nodule is in the right upper lobe, not the left."
    assert drawn(text, "CT") == [("nodule", "right"), ("pleural effusion", "left")]


@pytest.mark.parametrize(
    "said",
    [
        "CORRECTION: The nodule is in the right upper lobe.",
        "AMENDMENT: laterality error - the nodule is in the RIGHT upper lobe.",
        "Corrected report: Instead of 'left upper lobe' read 'right upper lobe'.",
        'ERRATUM: For "left upper lobe" please read "right upper lobe".',
    ],
)
def test_a_wrong_side_is_put_right(said: str) -> None:
    assert drawn(f"{FINDINGS}\n{said}", "CT") == [("nodule", "right"), ("pleural effusion", "left")]


@pytest.mark.parametrize(
    "said",
    [
        "AMENDED REPORT: There is a further nodule in the right lung, which the first report missed.",
        "ERRATUM: For 'right kidney' read 'left kidney'.",
    ],
)
def test_an_amendment_of_something_else_moves_nothing(said: str) -> None:
    assert ("nodule", "left") in drawn(f"{FINDINGS}\n{said}", "CT")


def test_an_addendum_may_take_a_named_place_back() -> None:
    text = "FINDINGS: 10 mm polyp in the antrum.\n\n"
    text += "AMENDED REPORT: The polyp is in the gastric body and not in the antrum."
    found = parse(text, modality="ES").findings
    assert [(f.polarity, f.location.anatomy, f.shape.size_mm) for f in found] == [
        ("absent", ("antrum",), (10.0,)),
        ("present", ("gastric body",), (10.0,)),
    ]
