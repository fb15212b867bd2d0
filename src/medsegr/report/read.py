"""Files -> report text: plain text in the usual encodings, and FHIR DiagnosticReport as JSON."""

import base64
import binascii
import html
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medsegr.errors import ReportError

LIMIT = 1_000_000  # bytes; the longest real reports stay below 50,000
Warnings = tuple[tuple[str, str], ...]
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_BREAK = re.compile(r"<\s*(?:br|/p|/div|/li|/tr|/h\d)\b[^<>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,2000}>")


def read_report(path: Path | str) -> tuple[str, Warnings]:
    """Text of a report and (code, message) warnings.

    Args:
        path: a text file, a FHIR DiagnosticReport (or Bundle with one) as JSON, or ``-`` for the standard
        input.

    Raises:
        ReportError: missing, empty, binary or larger than 1 MB.
    """
    data = _bytes(path)
    if len(data) > LIMIT:
        raise ReportError(
            f"the report has more than {LIMIT:,} bytes; give one report a file (many reports: parse --jobs)"
        )
    text, warnings = decode(data)
    if text.lstrip()[:1] == "{":
        found = _fhir(text)
        text = text if found is None else found
    if not text.strip():
        raise ReportError(
            "the report is empty; give a file with text, or nothing at all to segment without a report"
        )
    return text, warnings


def _bytes(path: Path | str) -> bytes:
    if str(path) == "-":
        if sys.stdin is None:
            raise ReportError("the standard input is closed; give the report as a file or through a pipe")
        return sys.stdin.buffer.read(LIMIT + 1)
    try:
        with Path(path).open("rb") as handle:
            return handle.read(LIMIT + 1)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ReportError(
            f"the report file cannot be opened ({reason}); give a text file or - for the standard input"
        ) from error


def decode(data: bytes) -> tuple[str, Warnings]:
    """Bytes as text: UTF-8, UTF-16 with a byte order mark, else Windows-1252 or Latin-1 with a warning.

    Raises:
        ReportError: the bytes are no text (a picture, a PDF, a Word file).
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _strictly(data, encoding), ()
    if data.startswith(b"%PDF") or _binary(data):
        raise ReportError("the report is a binary file, expected text (UTF-8); export it as plain text first")
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError:
        pass
    try:
        text, name = data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        text, name = data.decode("latin-1"), "Latin-1"
    return text, (
        ("report_encoding", f"the report is not UTF-8 and was read as {name}; check accents and signs"),
    )


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ReportError(
            f"the report's byte order mark says {encoding}, but the bytes are not; save it again as UTF-8"
        ) from error


def _binary(data: bytes) -> bool:
    head = data[:4096]
    control = sum(byte < 32 and byte not in (9, 10, 11, 12, 13, 27) for byte in head)
    return b"\0" in head or control > max(3, len(head) // 50)


def _fhir(text: str) -> str | None:
    """Text of a FHIR DiagnosticReport; None when the JSON is something else, which is then read as it
    stands."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    if data.get("resourceType") == "Bundle":
        entries = data.get("entry")
        listed = entries if isinstance(entries, list) else []
        inside = [entry.get("resource") for entry in listed if isinstance(entry, dict)]
        data = next(
            (r for r in inside if isinstance(r, dict) and r.get("resourceType") == "DiagnosticReport"), {}
        )
    if data.get("resourceType") != "DiagnosticReport":
        return None
    parts = [_presented(data), _narrative(data)]
    body = next((part for part in parts if part.strip()), "")
    conclusion = data.get("conclusion")
    if isinstance(conclusion, str) and conclusion.strip() and conclusion.strip() not in body:
        body = f"{body}\n\nIMPRESSION: {conclusion}" if body else conclusion
    return body


def _narrative(data: Mapping[str, Any]) -> str:
    text = data.get("text")
    div = text.get("div") if isinstance(text, dict) else None
    if not isinstance(div, str):
        return ""
    return html.unescape(_TAG.sub(" ", _BREAK.sub("\n", div))).strip()


def _presented(data: Mapping[str, Any]) -> str:
    forms = data.get("presentedForm")
    for form in forms if isinstance(forms, list) else []:
        if not isinstance(form, dict) or not str(form.get("contentType", "")).startswith("text/"):
            continue
        try:
            raw = base64.b64decode(str(form.get("data", "")), validate=True)
        except (binascii.Error, ValueError):
            continue
        text = decode(raw)[0]
        return _narrative({"text": {"div": text}}) if "html" in str(form["contentType"]) else text
    return ""
