import base64
import io
import json
import sys

import pytest

from medsegr.errors import ReportError
from medsegr.report.parse import parse
from medsegr.report.read import decode, read_report

TEXT = "FINDINGS: Lésion of 5 mm.\r\nIMPRESSION: None."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "report.txt"
    path.write_bytes(TEXT.encode(encoding))
    assert read_report(path) == (TEXT, ())


def test_other_encodings_are_told(tmp_path):
    path = tmp_path / "report.txt"
    path.write_bytes(TEXT.encode("latin-1"))
    text, warnings = read_report(str(path))
    assert text == TEXT
    assert [code for code, _ in warnings] == ["report_encoding"]
    assert decode(b"\x81 caf\xe9")[0] == "\x81 café"


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a nodule")))
    assert read_report("-")[0] == "a nodule"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary"),
        (b"%PDF-1.7 text", "binary"),
        (b"{\\rtf1\\ansi A polyp.}", "RTF"),
        (b"\xff\xfe\x00", "byte order mark"),
        (b"a" * 1_000_001, "more than 1,000,000 bytes"),
    ],
)
def test_refused(tmp_path, data, words):
    path = tmp_path / "report.txt"
    path.write_bytes(data)
    with pytest.raises(ReportError, match=words):
        read_report(path)


def test_missing_file_is_refused_without_its_path(tmp_path):
    with pytest.raises(ReportError, match="cannot be opened") as caught:
        read_report(tmp_path / "secret_name.txt")
    assert "secret_name" not in str(caught.value)


def fhir(tmp_path, **fields):
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"resourceType": "DiagnosticReport", **fields}))
    return read_report(path)[0]


def test_fhir_narrative_and_conclusion(tmp_path):
    text = fhir(
        tmp_path,
        text={"div": "<div><p>Small &lt;5 mm&gt; nodule.</p><p>No mass</p></div>"},
        conclusion="Benign nodule.",
    )
    assert text.splitlines()[0].strip() == "Small <5 mm> nodule."
    assert text.endswith("IMPRESSION: Benign nodule.")


def test_fhir_presented_form_wins(tmp_path):
    form = {"contentType": "text/plain", "data": base64.b64encode(b"A polyp.").decode()}
    assert (
        fhir(
            tmp_path,
            presentedForm=[{"contentType": "application/pdf"}, form],
            text={"div": "<div>other</div>"},
        )
        == "A polyp."
    )


def test_fhir_conclusion_alone_and_bundle(tmp_path):
    assert fhir(tmp_path, conclusion="A mass.") == "A mass."
    path = tmp_path / "bundle.json"
    report = {"resourceType": "DiagnosticReport", "conclusion": "A cyst."}
    path.write_text(
        json.dumps(
            {
                "resourceType": "Bundle",
                "entry": [{"resource": {"resourceType": "Patient"}}, {"resource": report}],
            }
        )
    )
    assert read_report(path)[0] == "A cyst."


def test_fhir_without_text_is_empty(tmp_path):
    with pytest.raises(ReportError, match="empty"):
        fhir(tmp_path, conclusionCode=[])


def test_fhir_may_be_larger_than_its_text(tmp_path):
    pdf = {"contentType": "application/pdf", "data": "A" * 3_000_000}
    assert fhir(tmp_path, presentedForm=[pdf], conclusion="A mass.") == "A mass."
    with pytest.raises(ReportError, match="more than 1,000,000 bytes"):
        fhir(tmp_path, conclusion="A mass. " * 200_000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_spans_are_those_of_the_text_as_given(tmp_path, encoding):
    path = tmp_path / "report.txt"
    path.write_bytes("Befund für Müller\r\n\r\nNodule in the left lung.\r\n".encode(encoding))
    text = read_report(path)[0]
    (nodule,) = [f for f in parse(text).findings if f.name == "nodule"]
    assert text[slice(*nodule.span)] == nodule.phrase == "Nodule in the left lung"
    assert nodule.span[0] == len("Befund für Müller\r\n\r\n")


def test_other_json_is_read_as_it_stands(tmp_path):
    path = tmp_path / "other.json"
    for body in ('{"a": 1}', "{nodule"):
        path.write_text(body)
        assert read_report(path)[0] == body
