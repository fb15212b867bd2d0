"""FHIR DiagnosticReport: where its words lie, and what is refused."""

import base64
import json
from typing import Any

import pytest

from medsegr.errors import ReportError
from medsegr.report.fhir import fhir_text
from medsegr.report.parse import parse
from medsegr.report.read import decode


def said(**fields: Any) -> str:
    return told(**fields)[0]


def told(**fields: Any) -> tuple[str, list[str]]:
    found = fhir_text(json.dumps({"resourceType": "DiagnosticReport", "status": "final", **fields}), decode)
    assert found is not None
    return found[0], [code for code, _ in found[1]]


def form(words: str, kind: str = "text/plain") -> dict[str, str]:
    return {"contentType": kind, "data": base64.b64encode(words.encode()).decode()}


def div(words: str) -> dict[str, str]:
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{words}</div>'}


def test_the_narrative_keeps_its_headings_and_lines() -> None:
    words = "<h2>History</h2><p>Cough.</p><h2>Findings</h2><p>Nodule in the\n  left lung.</p>"
    words += "<ul><li>No effusion</li></ul>"
    text = said(text=div(words))
    assert text.splitlines() == [
        "History",
        "",
        "Cough.",
        "",
        "Findings",
        "",
        "Nodule in the left lung.",
        "",
        "No effusion",
    ]
    assert [(f.name, f.polarity) for f in parse(text, modality="CR").findings] == [
        ("nodule", "present"),
        ("pleural effusion", "absent"),
    ]


def test_what_a_page_hides_is_not_read() -> None:
    words = "A mass.<script>var x = '<p>A cyst.</p>';</script><!-- A polyp. -->"
    words += "<style>p {}</style> Edema &lt;1 cm&gt; &amp; more."
    assert said(text=div(words)) == "A mass. Edema <1 cm> & more."


def test_an_empty_narrative_is_not_read() -> None:
    assert said(text=div("A mass.") | {"status": "empty"}, conclusion="A cyst.") == "A cyst."


def test_an_attached_page_and_the_charset_of_old_systems() -> None:
    assert said(presentedForm=[form("<p>A mass.</p>", "text/html; charset=utf-8")]) == "A mass."
    old = {"contentType": "text/plain", "data": base64.b64encode("Lésion.".encode("latin-1")).decode()}
    assert told(presentedForm=[old]) == ("Lésion.", ["report_encoding"])


def test_base64_may_be_wrapped() -> None:
    wrapped = form("A mass in the left breast.")
    wrapped["data"] = wrapped["data"][:8] + "\r\n " + wrapped["data"][8:]
    assert said(presentedForm=[wrapped]) == "A mass in the left breast."


def test_results_notes_and_conclusion_add_what_is_new() -> None:
    text = said(
        presentedForm=[form("Lungs are clear.")],
        contained=[
            {
                "resourceType": "Observation",
                "id": "a",
                "code": {"text": "Heart"},
                "valueString": "Enlarged heart.",
            },
            {"resourceType": "Observation", "id": "b", "valueString": "Lungs are clear."},
            {
                "resourceType": "Observation",
                "id": "c",
                "valueString": "A mass.",
                "status": "entered-in-error",
            },
            {
                "resourceType": "Observation",
                "id": "d",
                "valueQuantity": {"value": 3},
                "note": [{"text": "A cyst."}],
            },
        ],
        result=[{"reference": f"#{name}"} for name in "abcd"] * 2,
        note=[{"text": "Dr X phoned."}],
        conclusion="Cardiomegaly.",
    )
    assert text == (
        "Lungs are clear.\n\nHeart: Enlarged heart.\n\nA cyst.\n\nDr X phoned.\n\nIMPRESSION: Cardiomegaly."
    )


def test_results_behind_a_history_are_findings() -> None:
    contained = [{"resourceType": "Observation", "id": "a", "valueString": "A mass."}]
    text = said(text=div("<p>HISTORY: cough</p>"), contained=contained, result=[{"reference": "#a"}])
    assert [f.name for f in parse(text).findings] == ["mass"]


def test_a_bundle_of_one_report_with_its_results() -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "result": [{"reference": "urn:uuid:1"}, {"reference": "Observation/2"}],
    }
    first = {
        "resourceType": "Observation",
        "code": {"coding": [{"display": "Left lung"}]},
        "component": [{"code": {"text": "Base"}, "valueString": "Nodule."}, 3],
        "hasMember": [{"reference": "urn:uuid:1"}],
    }
    second = {"resourceType": "Observation", "id": "2", "valueString": "No effusion."}
    entries = [
        {"resource": report},
        {"fullUrl": "urn:uuid:1", "resource": first},
        {"resource": second},
        5,
        {},
    ]
    found = fhir_text(json.dumps({"resourceType": "Bundle", "entry": entries}), decode)
    assert found is not None
    assert found[0] == "Base: Nodule.\n\nNo effusion."


def test_what_is_left_is_told() -> None:
    pdf = {"contentType": "application/pdf", "data": "JVBERi0="}
    text, codes = told(
        conclusion="A mass.", presentedForm=[pdf], conclusionCode=[{"text": "x"}], status="preliminary"
    )
    assert text == "A mass."
    assert codes == ["report_status", "report_form_left", "report_codes_left"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"presentedForm": [{"contentType": "application/pdf", "data": "JVBERi0="}]}, "only as a PDF"),
        ({"presentedForm": [{"contentType": "text/plain", "url": "http://x/y"}]}, "nothing is fetched"),
        ({"presentedForm": [{"contentType": "text/plain", "data": "%%%"}]}, "base64 is broken"),
        ({"presentedForm": [{"contentType": "text/plain", "data": "A" * 1_600_000}]}, "more than 1,000,000"),
        ({"status": "entered-in-error", "conclusion": "A mass."}, "entered-in-error"),
        ({"resourceType": "Patient"}, "another kind"),
        ({"resourceType": "Bundle", "entry": []}, "0 DiagnosticReports"),
        (
            {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "DiagnosticReport"}}] * 2},
            "holds 2",
        ),
    ],
)
def test_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ReportError, match=words) as caught:
        told(**fields)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '<DiagnosticReport xmlns="http://hl7.org/fhir"><status value="final"/></DiagnosticReport>',
        "<?xml version='1.0'?>\n<Bundle a='1' xmlns = 'http://hl7.org/fhir'>",
    ],
)
def test_xml_is_refused_with_advice(text: str) -> None:
    with pytest.raises(ReportError, match="as XML came, expected JSON"):
        fhir_text(text, decode)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ReportError, match="too deeply"):
        fhir_text('{"resourceType":' * 100_000, decode)


WRONG: list[Any] = [
    None,
    3,
    "x",
    [],
    {},
    [None],
    [[[]]],
    {"div": 5},
    [{"reference": 1}],
    [{"contentType": 1, "data": 2}],
]


@pytest.mark.parametrize(
    "field", ["text", "presentedForm", "contained", "result", "note", "conclusion", "conclusionCode"]
)
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_wrong_types_are_passed_over(field: str, value: Any) -> None:
    try:
        text = (
            said(note=[{"text": "A mass."}])
            if field == "note"
            else said(**{"note": [{"text": "A mass."}], field: value})
        )
    except ReportError:
        return
    assert "A mass." in text


def test_other_texts_are_none_of_its_business() -> None:
    for text in ("A mass.", '{"a": 1}', "{nodule", "[1]", "<p>A mass.</p>", '{"resourceType": 5}', ""):
        assert fhir_text(text, decode) is None
