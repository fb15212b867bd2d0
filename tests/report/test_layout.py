"""Boxes, spoken marks, cells and arrows as words and marks, letter for letter."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsegr.report.layout import laid_out
from medsegr.report.parse import parse, skip_reason


def drawn(text: str, modality: str = "ES") -> list[tuple[str, str | None]]:
    found = parse(text, modality=modality).findings
    return sorted((f.name, f.location.side) for f in found if skip_reason(f) is None)


def told(text: str, modality: str = "ES") -> list[tuple[str, str]]:
    return [(f.name, f.polarity) for f in parse(text, modality=modality).findings]


PIECES = [
    "[ ]",
    "[x]",
    "( )",
    "☐",
    "☒",
    " ",
    "  ",
    "polyp",
    "yes",
    "no",
    ":",
    ";",
    "|",
    "\n",
    "->",
    "period",
    " period ",
    " comma",
    " colon ",
    "next line",
    "number one",
    "left",
    "5 mm",
    "R",
]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.sampled_from(PIECES),
        max_size=30,
    ).map("".join)
)
def test_the_text_stays_as_long_as_it_was(text: str) -> None:
    assert len(laid_out(text)) == len(text)
    for finding in parse(text, modality="ES").findings:
        assert finding.phrase == text[slice(*finding.span)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[x] Polyp   [ ] Diverticula   [ ] Colitis", ["polyp"]),
        ("- [ ] polyp\n- [x] diverticula\n- [ ] cancer", ["diverticulosis"]),
        ("Ulcer: [ ] yes [x] no", []),
        ("Ulcer: [x] yes [ ] no", ["ulcer"]),
        ("Ulcer: [ ] yes [ ] no", []),
        ("Polyp: ( ) none (x) single ( ) multiple", ["polyp"]),
        ("Polyp: [x] none [ ] single [ ] multiple", []),
        ("Bleeding [ ] Y [x] N   Polyp [x] Y [ ] N", ["polyp"]),
        ("Findings (tick): Polyp \u2610 Ulcer \u2612 Cancer \u2610", ["ulcer"]),
        ("Polyp [x]  Ulcer [ ]  Cancer [ ]", ["polyp"]),
    ],
)
def test_a_box_that_is_not_ticked_draws_nothing(text: str, expected: list[str]) -> None:
    assert [name for name, _ in drawn(text)] == expected


def test_the_place_of_a_finding_is_the_one_that_is_ticked() -> None:
    text = "Polyp: site [ ] rectum [x] sigmoid [ ] caecum; [ ] flat [x] sessile"
    (finding,) = parse(text, modality="ES").findings
    assert finding.location.anatomy == ("sigmoid colon",)


def test_a_degree_that_is_not_ticked_says_nothing() -> None:
    text = "White matter lesions: [ ] none [x] few [ ] confluent\nHydrocephalus: [ ] yes [x] no"
    assert drawn(text, "MR") == [("white matter lesion", None)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Consolidation: [ ] R [x] L", [("consolidation", "left")]),
        ("Consolidation: R [x] L [ ]", [("consolidation", "right")]),
        ("Effusion: [ ] left [ ] right", []),
        ("Effusion: R [ ]  L [ ]", []),
    ],
)
def test_the_side_is_the_one_that_is_ticked(text: str, expected: list[tuple[str, str]]) -> None:
    assert drawn(text, "CR") == expected


DICTATED = (
    "in the transverse colon comma there is a polyp period no ulcer period "
    "rectum colon no haemorrhoids period"
)


def test_spoken_marks_are_marks() -> None:
    assert told(DICTATED) == [("polyp", "present"), ("ulcer", "absent"), ("haemorrhoid", "absent")]
    (polyp, *_) = parse(DICTATED, modality="ES").findings
    assert polyp.location.anatomy == ("transverse colon",)


def test_a_dictated_heading_and_number_begin_a_sentence() -> None:
    text = "no effusion period next line impression colon number one right pneumonia period "
    text += "number two no nodule period"
    report = parse(text, modality="CR")
    assert [s.name for s in report.sections] == ["findings", "impression"]
    assert [(f.name, f.polarity) for f in report.findings] == [
        ("pleural effusion", "absent"),
        ("pneumonia", "present"),
        ("nodule", "absent"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Followed over a period of two years. Polyp in the left colon. Menstrual period normal. Colon clean.",
        "Polyp in the colon. The colon is otherwise normal.",
    ],
)
def test_written_reports_have_no_spoken_marks(text: str) -> None:
    assert laid_out(text) == text


def test_what_stands_behind_an_arrow_is_asked_alone() -> None:
    text = "New papule with arborising vessels -> BCC?"
    assert [(f.name, f.polarity) for f in parse(text, modality="DMS").findings][-2:] == [
        ("arborising vessels", "present"),
        ("basal cell carcinoma", "uncertain"),
    ]
    assert laid_out("6 mm -> 9 mm") == "6 mm -> 9 mm"


def test_the_first_cell_of_a_row_is_what_the_others_are_told_of() -> None:
    text = "Segment | Finding\nCaecum | no polyp\nRectum | haemorrhoids, otherwise free"
    assert told(text) == [("polyp", "absent"), ("haemorrhoid", "present")]
    assert laid_out("HC: 228 mm | BPD: 63 mm") == "HC: 228 mm ; BPD: 63 mm"
