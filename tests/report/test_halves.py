"""Answers of a form for each side on one line: each counts for its own side."""

import pytest

from medsegr.findings import Finding
from medsegr.report.parse import parse, parse_phrase

YES_NO = [("present", "right"), ("absent", "left")]
NO_YES = [("absent", "right"), ("present", "left")]


def told(text: str, modality: str, name: str) -> list[tuple[str, str | None]]:
    found = parse(text, modality=modality).findings
    return [(f.polarity, f.location.side) for f in found if f.name == name]


@pytest.mark.parametrize(
    ("text", "modality", "name", "wanted"),
    [
        ("Haemorrhages OD: yes, OS: none", "OP", "haemorrhage", YES_NO),
        ("Drusen: OD present, OS absent", "OP", "drusen", YES_NO),
        ("Drusen OD +, OS -", "OP", "drusen", YES_NO),
        ("Drusen: OD (+), OS (-)", "OP", "drusen", YES_NO),
        ("Hard exudates (OD: none, OS: few)", "OP", "exudate", NO_YES),
        ("Microaneurysms RE: yes LE: no", "OP", "microaneurysm", YES_NO),
        ("effusion: right yes, left no", "CR", "pleural effusion", YES_NO),
        ("Effusion: right no, left yes.", "CR", "pleural effusion", NO_YES),
        ("Pleural effusion: R yes, L no", "CR", "pleural effusion", YES_NO),
        ("Pneumothorax - right: no; left: yes", "CR", "pneumothorax", NO_YES),
        ("Effusion: yes on the right, no on the left", "CR", "pleural effusion", YES_NO),
        ("Hydronephrosis: right kidney absent, left kidney present", "US", "hydronephrosis", NO_YES),
        ("Hydronephrosis: right none, left mild", "US", "hydronephrosis", NO_YES),
        ("Renal calculus: right - nil, left - 5 mm", "US", "kidney stone", NO_YES),
        ("Mass: right yes, left none", "MG", "breast mass", YES_NO),
        ("Effusion: right no, left no", "CR", "pleural effusion", [("absent", "right"), ("absent", "left")]),
        ("Effusion: left no.", "CR", "pleural effusion", [("absent", "left")]),
    ],
)
def test_each_side_has_its_own_answer(
    text: str, modality: str, name: str, wanted: list[tuple[str, str]]
) -> None:
    assert told(text, modality, name) == wanted


def test_the_words_of_the_side_and_of_the_answer_are_traced() -> None:
    text = "FINDINGS: The heart is large. Effusion: right yes, left no. Atelectasis on the left."
    no: Finding = next(f for f in parse(text, modality="CR").findings if f.polarity == "absent")
    assert [text[slice(*span)] for span in no.location.spans] == ["left"]
    assert no.polarity_span is not None
    assert text[slice(*no.polarity_span)] == "no"
    assert told(text, "CR", "atelectasis") == [("present", "left")]


def test_several_rows_on_a_line_and_a_direct_phrase() -> None:
    text = "Drusen OD yes OS no, haemorrhages OD no OS yes"
    assert told(text, "OP", "drusen") == YES_NO
    assert told(text, "OP", "haemorrhage") == NO_YES
    found = parse_phrase("drusen: OD yes, OS no", modality="OP").findings
    assert [(f.polarity, f.location.side) for f in found] == YES_NO


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Effusion: none, right or left", [("absent", "bilateral")]),
        ("Effusion: right, no change", [("present", "right")]),
        ("Effusion on the right, no pneumothorax on the left", [("present", "right")]),
        ("No effusion right, small effusion left", NO_YES),
        ("Effusion: right moderate, left small", [("present", "right"), ("present", "left")]),
        ("Right effusion: yes. Left effusion: no.", YES_NO),
    ],
)
def test_what_is_no_such_row_stays_as_it_was(text: str, wanted: list[tuple[str, str]]) -> None:
    assert told(text, "CR", "pleural effusion") == wanted


def test_an_earlier_finding_is_no_row() -> None:
    (past,) = parse("History of effusion: right yes, left no", modality="CR").findings
    assert past.time == "prior"
