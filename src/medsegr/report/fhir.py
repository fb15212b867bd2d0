"""HL7 FHIR DiagnosticReport (R4 and R5, JSON) -> its words. Nothing that it points to is fetched.

The words are, in this order: the attached text (``presentedForm``) or else the narrative (``text.div``); what
the results, notes and conclusion say beyond that. Codes without words are left and counted in a warning.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from medsegr.errors import ReportError
from medsegr.report import document
from medsegr.report.markup import html_text

Decode = Callable[[bytes], tuple[str, tuple[tuple[str, str], ...]]]
Found = tuple[str, list[tuple[str, str]]]
LARGEST_FORM = 1_000_000  # bytes of attached text, decoded: the limit of a report
MOST_RESULTS = 500
DEPTH = 3  # how far results of results are followed
ADVICE = "export the report as plain text (or as FHIR with text)"
WITHDRAWN = ("entered-in-error", "cancelled")
FINAL = ("final", "amended", "corrected", "appended", "modified")
_READABLE = ("text/plain", "text/html", "text/markdown", "application/xhtml+xml")
_FHIR_XML = re.compile(r"<\w[\w.-]{0,60}(?:\s[^<>]{0,2000})?\sxmlns\s*=\s*[\"']http://hl7\.org/fhir[\"']")


def fhir_text(text: str, decode: Decode) -> Found | None:
    """Words and (code, message) warnings of a FHIR report; None where ``text`` is no FHIR at all.

    ``decode`` turns the bytes of attached text into characters.

    Raises:
        ReportError: FHIR that holds no report to read: XML, another resource, several reports, one that was
        withdrawn, one whose words lie in a PDF or behind an address only.
    """
    if _FHIR_XML.search(text[:4000]):
        raise ReportError(f"FHIR as XML came, expected JSON; convert it, or {ADVICE}")
    data = _resource(text)
    if data is None:
        return None
    report, others = _report(data)
    status = report.get("status")
    if status in WITHDRAWN:
        raise ReportError(f"the FHIR report is marked {status}: it does not hold; give the report that does")
    notes: list[tuple[str, str]] = []
    if isinstance(status, str) and status not in FINAL:
        notes.append(("report_status", "the FHIR report is not marked final; what it says may change"))
    body, left = _attached(report, decode, notes)
    body = body or _narrative(report)
    words = _joined(body, [*_results(report, others), *_notes(report)])
    conclusion = report.get("conclusion")
    if isinstance(conclusion, str) and conclusion.strip() and _flat(conclusion) not in _flat(words):
        words = f"{words}\n\nIMPRESSION: {conclusion.strip()}" if words else conclusion
    if not words.strip() and left:
        raise ReportError(f"the FHIR report holds its words only as {left[0]}; {ADVICE}")
    notes += [("report_form_left", f"a form of the FHIR report was left: {reason}") for reason in left[:3]]
    codes = report.get("conclusionCode")
    if isinstance(codes, list) and codes:
        message = f"{len(codes)} conclusion codes of the FHIR report were left: only its words are read"
        notes.append(("report_codes_left", message))
    return words, notes


def _resource(text: str) -> Mapping[str, Any] | None:
    """The FHIR resource that ``text`` is; None for anything else."""
    if text.lstrip("\ufeff \t\r\n")[:1] != "{":
        return None
    try:
        data = json.loads(text)
    except RecursionError:
        raise ReportError("the JSON is nested too deeply, expected a FHIR DiagnosticReport") from None
    except ValueError:
        return None
    kind = data.get("resourceType") if isinstance(data, dict) else None
    return data if isinstance(kind, str) else None


def _report(data: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]]:
    """The one DiagnosticReport, and the resources beside it by the names that it may call them."""
    if data["resourceType"] == "DiagnosticReport":
        return data, _named(data, [])
    if data["resourceType"] != "Bundle":
        raise ReportError(
            "a FHIR resource of another kind came, expected a DiagnosticReport or a Bundle of one"
        )
    entries = [entry for entry in _list(data, "entry") if isinstance(entry, dict)]
    inside = [entry["resource"] for entry in entries if isinstance(entry.get("resource"), dict)]
    reports = [item for item in inside if item.get("resourceType") == "DiagnosticReport"]
    if len(reports) != 1:
        raise ReportError(
            f"the FHIR Bundle holds {len(reports)} DiagnosticReports, expected one; give one report a file"
        )
    return reports[0], _named(reports[0], entries)


def _named(report: Mapping[str, Any], entries: list[dict[str, Any]]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        item = entry.get("resource")
        if isinstance(item, dict):
            found[f"{item.get('resourceType')}/{item.get('id')}"] = item
            if isinstance(entry.get("fullUrl"), str):
                found[entry["fullUrl"]] = item
    for item in _list(report, "contained"):
        if isinstance(item, dict):
            found[f"#{item.get('id')}"] = item
    return found


def _attached(
    report: Mapping[str, Any], decode: Decode, notes: list[tuple[str, str]]
) -> tuple[str, list[str]]:
    """The first attached text that can be read, and why others cannot, in plain words."""
    left: list[str] = []
    words = ""
    for form in _list(report, "presentedForm"):
        if not isinstance(form, dict):
            continue
        kind = str(form.get("contentType", "")).partition(";")[0].strip().lower()
        data = form.get("data")
        if isinstance(data, str) and data and kind in _READABLE:
            if words:
                continue
            raw = _decoded(data)
            if raw is None:
                left.append("text whose base64 is broken")
                continue
            words, told = decode(raw)
            words = html_text(words) if "html" in kind else words
            notes += told
        elif isinstance(form.get("url"), str):
            left.append("an address, and nothing is fetched")
        else:
            left.append("a PDF" if "pdf" in kind else "a form that is no plain text or HTML")
    return words, left


def _decoded(data: str) -> bytes | None:
    if len(data) > LARGEST_FORM * 3 // 2:
        raise ReportError(
            f"the text in the FHIR report has more than {LARGEST_FORM:,} bytes; give one report"
        )
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _narrative(resource: Mapping[str, Any]) -> str:
    text = resource.get("text")
    div = text.get("div") if isinstance(text, dict) and text.get("status") != "empty" else None
    return html_text(div) if isinstance(div, str) else ""


def _results(report: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for every result that says something in words."""
    todo = [(reference, DEPTH) for reference in _list(report, "result")]
    done: set[str] = set()
    lines: list[str] = []
    while todo and len(done) < MOST_RESULTS:
        reference, depth = todo.pop(0)
        name = reference.get("reference") if isinstance(reference, dict) else None
        item = others.get(name) if isinstance(name, str) and name not in done else None
        if item is None or item.get("resourceType") != "Observation" or item.get("status") in WITHDRAWN:
            continue
        done.add(str(name))
        lines += _observed(item)
        lines += [
            line for part in _list(item, "component") if isinstance(part, dict) for line in _observed(part)
        ]
        if depth:
            todo += [(member, depth - 1) for member in _list(item, "hasMember")]
    return lines


def _observed(item: Mapping[str, Any]) -> Iterator[str]:
    value = item.get("valueString")
    if isinstance(value, str) and value.strip():
        name = _called(item.get("code"))
        yield f"{name}: {value.strip()}" if name else value.strip()
    yield from _notes(item)


def _called(code: object) -> str:
    """The name of a coded question: its text, else what the first coding displays."""
    if not isinstance(code, dict):
        return ""
    shown = [c.get("display") for c in _list(code, "coding") if isinstance(c, dict)]
    name = next((n for n in (code.get("text"), *shown) if isinstance(n, str) and n.strip()), "")
    return " ".join(name.split())[:80].rstrip(":")


def _notes(item: Mapping[str, Any]) -> list[str]:
    """Annotations: R5 has them on the report, both have them on observations."""
    texts = [note.get("text") for note in _list(item, "note") if isinstance(note, dict)]
    return [text.strip() for text in texts if isinstance(text, str) and text.strip()]


def _joined(body: str, more: list[str]) -> str:
    """The body and further lines, a paragraph each, without those that stand in the body already."""
    out, seen = body, _flat(body)
    if body and document.sections(body)[-1].name not in document.READ:  # else they would be read as history
        more = ["FINDINGS:", *more] if more else []
    for part in more:
        flat = _flat(part)
        said = _flat(part.partition(": ")[2])
        if flat not in seen and not (len(said) > len("unremarkable") and said in seen):
            out = f"{out}\n\n{part}" if out else part
            seen = f"{seen} {flat}"
    return out


def _flat(text: str) -> str:
    return " ".join(text.split())


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []
