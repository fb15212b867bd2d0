"""Files -> report text: plain text in the usual encodings, FHIR DiagnosticReport as JSON, DICOM SR."""

import sys
from pathlib import Path

from medsegr.errors import ReportError
from medsegr.report import dicom_sr
from medsegr.report.document import LIMIT
from medsegr.report.fhir import fhir_text

LARGEST_FILE = 16_000_000  # bytes of a file that holds more than the text: FHIR with attachments, DICOM
Warnings = tuple[tuple[str, str], ...]
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def read_report(path: Path | str) -> tuple[str, Warnings]:
    """Text of a report and (code, message) warnings.

    Args:
        path: a text file, a FHIR DiagnosticReport (or Bundle with one) as JSON, a DICOM SR, or ``-`` for the
        standard input. Of plain text every character is kept, but a byte order mark.

    Raises:
        ReportError: missing, empty, binary or larger than 1 MB; FHIR or DICOM without words that can be read.
    """
    data = _bytes(path)
    if dicom_sr.is_dicom(data):
        text, warnings = dicom_sr.sr_text(data)
    else:
        boxed = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"<") and len(data) <= LARGEST_FILE
        if not boxed:
            _check_size(len(data))
        text, warnings = decode(data)
        found = fhir_text(text, decode)
        if found is not None:
            text, warnings = found[0], (*warnings, *found[1])
    _check_size(len(text))
    if not text.strip():
        raise ReportError(
            "the report is empty; give a file with text, or nothing at all to segment without a report"
        )
    return text, warnings


def _check_size(size: int) -> None:
    if size > LIMIT:
        raise ReportError(
            f"the report has more than {LIMIT:,} bytes; give one report a file (many reports: parse --jobs)"
        )


def _bytes(path: Path | str) -> bytes:
    if str(path) == "-":
        if sys.stdin is None:
            raise ReportError("the standard input is closed; give the report as a file or through a pipe")
        return sys.stdin.buffer.read(LARGEST_FILE + 1)
    try:
        with Path(path).open("rb") as handle:
            return handle.read(LARGEST_FILE + 1)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ReportError(
            f"the report file cannot be opened ({reason}); give a text file or - for the standard input"
        ) from error


def decode(data: bytes) -> tuple[str, Warnings]:
    """Bytes as text: UTF-8, UTF-16 with a byte order mark, else Windows-1252 or Latin-1 with a warning.

    Raises:
        ReportError: the bytes are no text (a picture, a PDF, a Word file), or RTF.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _strictly(data, encoding), ()
    if data.startswith(b"%PDF") or _binary(data):
        raise ReportError("the report is a binary file, expected text (UTF-8); export it as plain text first")
    if data.lstrip().startswith(b"{\\rtf"):
        raise ReportError("the report is RTF, whose marks are no words; save it as plain text (UTF-8) first")
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
