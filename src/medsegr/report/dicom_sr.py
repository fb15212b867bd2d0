"""DICOM structured report (SR) -> its words, under the headings of its containers.

Text, coded findings and numbers of the content tree are read: Basic Text, Enhanced and Comprehensive SR and
what follows them. A measurement group (PS3.16, TID 1500 and below) becomes one sentence. Pixels, references
and persons are left. pydicom is imported when a file is read and not before.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from medsegr.errors import MedsegrError, ReportError
from medsegr.process.quiet import silent
from medsegr.report.document import HEADINGS
from medsegr.report.sr_words import Item, is_finding, measured, said_of

LARGEST = 8_000_000  # bytes; text and codes of the longest reports stay far below 1 MB
MOST_ITEMS = 50_000  # sequence items of any kind; each costs pydicom about 2 kB
DEEPEST = 32  # containers in containers
MAGIC = slice(128, 132)
_CLASS = "1.2.840.10008.5.1.4.1.1."
_SR = f"{_CLASS}88."
_NO_WORDS = (f"{_SR}59", f"{_SR}67", f"{_SR}68", f"{_SR}69.1")  # key objects, dose: lists without findings
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_ASIDE = ("HAS OBS CONTEXT", "HAS ACQ CONTEXT", "HAS CONCEPT MOD")  # who, how, in which language
# Section titles of PS3.16 CID 7001 that are no heading in our sense as they stand.
_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "previous finding": "comparison",
        "prior procedure description": "comparison",
        "prior finding": "comparison",
        "current procedure description": "technique",
        "procedure description": "technique",
        "request": "indication",
        "indication for procedure": "indication",
        "patient presentation": "history",
        "key image": "findings",
        "complication": "findings",
    }
)
_BY_WORDS = {" ".join(words.split()): name for name, listed in HEADINGS.items() for words in listed}
_GROUPS = frozenset(["measurement group", "tracking identifier"])


def is_dicom(data: bytes) -> bool:
    """Whether the bytes are a DICOM file (PS3.10: 128 bytes of anything, then DICM)."""
    return data[MAGIC] == b"DICM"


def sr_text(data: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Words and (code, message) warnings of a DICOM SR file.

    Raises:
        ReportError: another kind of DICOM object, one without words, one beyond the limits or damaged.
    """
    if len(data) > LARGEST or sum(data.count(tag) for tag in _ITEM_TAGS) > MOST_ITEMS:
        raise ReportError(
            f"the DICOM report has more than {LARGEST:,} bytes or {MOST_ITEMS:,} items; give one report"
        )
    if _DEFLATED in data[:4096]:
        raise ReportError("the DICOM report is deflated, expected uncompressed; convert it (dcmconv)")
    with _guarded():
        from pydicom import dcmread

        root = dcmread(io.BytesIO(data), stop_before_pixels=True)
        _check_kind(str(root.get("SOPClassUID", "")))
        words = _written(_walk(root, DEEPEST))
        notes = tuple(_flags(root))
    if not words.strip():
        raise ReportError("the DICOM SR holds no text, coded finding or measurement; export it as plain text")
    return words, notes


def _check_kind(uid: str) -> None:
    if uid.startswith(f"{_CLASS}104."):
        raise ReportError(
            "a document (PDF, CDA) inside DICOM came, expected an SR; export the report as plain text"
        )
    if not uid.startswith(_SR):
        raise ReportError(
            "a DICOM file that is no report came, expected a structured report (SR); give images with -i"
        )
    if uid in _NO_WORDS:
        raise ReportError("a DICOM list of images or doses came, expected an SR with findings or text")


def _flags(root: Any) -> Iterator[tuple[str, str]]:
    if root.get("CompletionFlag") == "PARTIAL":
        yield "sr_partial", "the DICOM SR is marked partial: not everything is in it"
    if root.get("PreliminaryFlag") == "PRELIMINARY":
        yield "sr_preliminary", "the DICOM SR is marked preliminary; what it says may change"
    if root.get("VerificationFlag") == "UNVERIFIED":
        yield "sr_unverified", "the DICOM SR is marked unverified: nobody has signed it"


@contextmanager
def _guarded() -> Iterator[None]:
    """Whatever pydicom raises on a damaged file is one ReportError, without its text, which may quote values;
    its warnings and log lines are silenced for the same reason."""
    try:
        with silent():
            yield
    except MedsegrError:
        raise
    except Exception as error:
        raise ReportError(
            f"the DICOM report cannot be decoded ({type(error).__name__}): it is truncated, damaged or "
            "nested too deeply; export it again or as plain text"
        ) from error


@dataclass(frozen=True, slots=True)
class _Line:
    """Words and the heading that they stand under ("" is none)."""

    heading: str
    words: str


def _nodes(node: Any, depth: int) -> list[Any]:
    if depth < 0:
        raise ReportError(f"the DICOM SR is nested deeper than {DEEPEST} levels, expected a report")
    return list(node.get("ContentSequence") or ())


def _walk(node: Any, depth: int, heading: str = "") -> Iterator[_Line]:
    """Lines of everything below ``node``, in the order of the tree."""
    for child in _nodes(node, depth):
        item = Item.of(child)
        if item.relation in _ASIDE:
            continue
        below = _under(item.name, heading)
        whole = is_finding(item) or (item.kind == "CONTAINER" and _is_group(child, item, depth - 1))
        inside = list(_below(child, depth - 1)) if whole else []
        if whole and item.kind == "CONTAINER":
            yield _Line(below, measured(inside))
        else:
            yield _Line(below, said_of(item, inside, _heading_of(item.name) is None))
        if not whole:
            yield from _walk(child, depth - 1, below)


def _below(node: Any, depth: int) -> Iterator[Item]:
    for child in _nodes(node, depth):
        yield Item.of(child)
        yield from _below(child, depth - 1)


def _is_group(node: Any, item: Item, depth: int) -> bool:
    """Whether a container is a measurement group: by its name, or because it tracks something."""
    if item.name.lower() in _GROUPS:
        return True
    inside = [Item.of(child) for child in _nodes(node, depth)]
    tracked = any(i.name.lower() in _GROUPS for i in inside)
    return tracked and all(i.kind != "CONTAINER" for i in inside)


def _heading_of(name: str) -> str | None:
    words = " ".join(name.lower().split())
    for form in (words, words.removesuffix("s")):
        if form in _TITLES or form in _BY_WORDS:
            return _TITLES.get(form) or _BY_WORDS[form]
    return None


def _under(name: str, heading: str) -> str:
    """The heading for an item called ``name`` inside ``heading``: a finding in the impression stays there."""
    own = _heading_of(name)
    return heading if own is None or (own == "findings" and heading) else own


def _written(lines: Iterator[_Line]) -> str:
    out: list[str] = []
    last = ""
    for line in lines:
        if not line.words.strip():
            continue
        if line.heading != last:
            last = line.heading
            out.append(f"\n{(last or 'findings').upper()}:")
        out.append(line.words)
    return "\n".join(out).strip()
