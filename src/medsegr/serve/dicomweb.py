"""Ask a configured DICOMweb server: search (QIDO-RS), fetch (WADO-RS, :mod:`medsegr.serve.fetch`), store
(STOW-RS).

No address comes from a request: the server is an :class:`Archive` out of a file, ids are checked before they
become part of a path, and an answer that leads to another host is refused. Messages name no patient, no UID
and no address.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from medsegr.errors import InputError, MissingExtra, RemoteError, UsageError
from medsegr.serve.archives import Archive

if TYPE_CHECKING:
    import requests
    from dicomweb_client import DICOMwebClient

PASSING = (408, 429, 502, 503, 504)  # answers that another try may change
PAGE = 500  # rows of one search; servers have limits of their own
LARGEST_PAGE = 32 * 2**20  # bytes
UID = re.compile(r"[0-9]{1,62}(\.[0-9]{1,62}){1,31}")
ESCAPED = re.compile(r"[^A-Za-z0-9_.~*?,-]")
FILTERS = (
    "PatientID",
    "PatientName",
    "StudyDate",
    "StudyInstanceUID",
    "AccessionNumber",
    "ModalitiesInStudy",
    "StudyDescription",
)
STUDY_FIELDS = {
    "study": "StudyInstanceUID",
    "date": "StudyDate",
    "time": "StudyTime",
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "accession": "AccessionNumber",
    "modalities": "ModalitiesInStudy",
    "description": "StudyDescription",
    "series": "NumberOfStudyRelatedSeries",
    "instances": "NumberOfStudyRelatedInstances",
}
SERIES_FIELDS = {
    "series": "SeriesInstanceUID",
    "modality": "Modality",
    "number": "SeriesNumber",
    "description": "SeriesDescription",
    "instances": "NumberOfSeriesRelatedInstances",
}
NO_IMAGES = frozenset(  # modalities of series that hold no image to be segmented
    (
        *("SEG", "SR", "PR", "KO", "DOC", "REG", "FID", "RWV", "PLAN", "RTSTRUCT", "RTPLAN", "RTDOSE"),
        *("RTRECORD", "AU", "ECG", "EPS", "HD", "RESP", "M3D", "ANN", "SMR"),
    )
)
FAILURES = {  # reasons of DICOM PS3.18, as far as they say something to a person
    0x0110: "the server could not process it",
    0x0111: "an object with this id is there already",
    0x0122: "the server does not take this kind of object",
    0x0124: "the server does not allow it",
    0xA700: "the server has no room left",
    0xA900: "the server says that the object does not fit its kind",
    0xC000: "the server does not understand it",
}


@dataclass(frozen=True)
class Link:
    """An open connection. ``sleep`` waits between tries."""

    archive: Archive
    session: "requests.Session"
    client: "DICOMwebClient"
    sleep: Callable[[float], None] = time.sleep

    def again(self, call: Callable[[], Any]) -> Any:
        """What ``call`` gives, tried again where the failure may pass. RemoteError in place of requests'."""
        import requests

        for attempt in range(self.archive.attempts):
            try:
                return call()
            except requests.RequestException as error:
                told, passing, wait = _told(error, self.archive.name)
                if not passing or attempt + 1 == self.archive.attempts:
                    raise told from error
                self.sleep(wait if wait is not None else min(0.5 * 2**attempt, 8.0))
        raise AssertionError("attempts is 1 or more")


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one object: ``stored``, ``changed`` (stored, with something altered) or ``failed``."""

    name: str  # of the file
    outcome: str
    reason: str | None = None


@contextmanager
def connect(archive: Archive, sleep: Callable[[float], None] = time.sleep) -> Iterator[Link]:
    """A connection with the archive's credentials, certificates and time limits. Nothing is sent yet.

    Proxies, .netrc and certificates of the environment are not looked at. Raises MissingExtra, or InputError
    where a credential cannot be read.
    """
    try:
        import requests
        from dicomweb_client import DICOMwebClient
    except ImportError as error:
        raise MissingExtra("DICOMweb needs the extra 'serve': pip install 'medsegr[serve]'") from error
    for name in ("dicomweb_client", "urllib3"):  # their lines hold addresses and UIDs
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with requests.Session() as session:
        session.trust_env = False
        session.verify = archive.ca_file or archive.verify
        if not archive.verify:
            import urllib3

            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        if archive.user is not None:
            session.auth = (archive.user, archive.password() or "")
        elif token := archive.token():
            session.auth = partial(_bearer, token)
        session.headers["Accept-Encoding"] = "identity"  # nothing that inflates
        session.headers["Accept"] = "application/dicom+json"
        session.hooks["response"].append(partial(_stay, archive.url))
        client = DICOMwebClient(
            archive.url, session, timeout=(archive.connect_s, archive.timeout_s), permissive_uid=True
        )
        client.set_http_retry_params(retry=False)  # Link.again does it, for broken connections too
        yield Link(archive, session, client, sleep)


def _bearer(token: str, request: "requests.PreparedRequest") -> "requests.PreparedRequest":
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _stay(url: str, response: "requests.Response", **_: Any) -> None:
    """Refuse to be led to another host: credentials and ids would go there."""
    if response.is_redirect:
        try:
            same = _origin(urljoin(response.url, response.headers["location"])) == _origin(url)
        except ValueError:
            same = False
        if not same:
            response.close()
            raise RemoteError(
                "the DICOMweb server leads to another host, which is not followed", "redirected"
            )


def _told(error: Exception, name: str) -> tuple[RemoteError, bool, float | None]:
    """The error in our words, whether it may pass, and how long the server asks to wait."""
    import requests

    who = f"DICOMweb server '{name}'"
    if isinstance(error, requests.exceptions.SSLError):
        told = "its certificate is not trusted; name its authority with ca_file"
        return RemoteError(f"{who}: {told}", "unreachable"), False, None
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
        if status in (401, 403):
            return (
                RemoteError(f"{who} refuses: check user and password, or its token", "refused"),
                False,
                None,
            )
        if status in (404, 410):
            told = "has nothing at this place: no such study or series, or another url"
            return RemoteError(f"{who} {told}", "not_found"), False, None
        asked = error.response.headers.get("Retry-After", "")
        wait = min(float(asked), 30.0) if asked.isascii() and asked.isdigit() else None
        return RemoteError(f"{who} answered with status {status}"), status in PASSING, wait
    if isinstance(
        error, (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    ):
        return (
            RemoteError(f"{who} cannot be reached, or broke off; is it running?", "unreachable"),
            True,
            None,
        )
    return RemoteError(f"{who} answers otherwise than DICOMweb does; check its url"), False, None


def checked_uid(value: str, what: str) -> str:
    """A DICOM UID as it came; UsageError for anything else. It becomes a part of a path."""
    if len(value) > 64 or not UID.fullmatch(value):
        raise UsageError(f"{what}: a DICOM UID (numbers with points, 64 characters at most) was expected")
    return value


def search_studies(
    archive: Archive, filters: Mapping[str, str], limit: int = 50, offset: int = 0
) -> list[dict[str, Any]]:
    """Studies that match, at most ``limit``, with few fields each (:data:`STUDY_FIELDS`).

    ``filters`` are QIDO's (:data:`FILTERS`), with ``*`` and ``?`` where the standard has them. Raises
    UsageError for other filters, RemoteError.

    A character that a URL escapes is asked for as ``?``, any one character: some servers (Orthanc's plug-in
    1.7) take the escape literally and find nobody called ``Doe%5EJane``.
    """
    for key, value in filters.items():
        if key not in FILTERS:
            raise UsageError(f"a search by '{key[:40]}' is not offered; by {', '.join(FILTERS)} it is")
        if not value or len(value) > 64 or not value.isprintable():
            raise UsageError(f"{key}: 1 to 64 printable characters were expected")
    plain = {key: ESCAPED.sub("?", value) for key, value in filters.items()}
    asked = [*plain.items(), ("includefield", "StudyDescription"), ("includefield", "ModalitiesInStudy")]
    with connect(archive) as link:
        rows = _page(link, "/studies", asked, (limit, offset))
    return [fields_of(row, STUDY_FIELDS) for row in rows[:limit]]


def search_series(archive: Archive, study: str) -> list[dict[str, Any]]:
    """The series of a study with few fields each (:data:`SERIES_FIELDS`), all of them. Raises RemoteError."""
    with connect(archive) as link:
        return series_of(link, study)


def series_of(link: Link, study: str) -> list[dict[str, Any]]:
    """As :func:`search_series`, over an open connection."""
    path = f"/studies/{checked_uid(study, 'study')}/series"
    rows = _every(link, path, [("includefield", "SeriesDescription")], "0020000E")
    return [fields_of(row, SERIES_FIELDS) for row in rows]


def instances_of(link: Link, study: str, series: str) -> list[str]:
    """UIDs of all objects of a series, as the server lists them now."""
    path = f"/studies/{checked_uid(study, 'study')}/series/{checked_uid(series, 'series')}/instances"
    rows = _every(link, path, [], "00080018")
    return [str(_first(row, "00080018")) for row in rows]


def _every(link: Link, path: str, asked: Sequence[tuple[str, str]], key: str) -> list[Mapping[str, Any]]:
    """All pages of a search; ends where a page brings nothing new, since some servers know no offset."""
    found: dict[Any, Mapping[str, Any]] = {}
    while True:
        page = _page(link, path, asked, (PAGE, len(found)))
        new = {uid: row for row in page if (uid := _first(row, key)) is not None and uid not in found}
        found |= new
        if not new or len(found) > link.archive.max_instances:
            return list(found.values())


def _page(
    link: Link, path: str, asked: Sequence[tuple[str, str]], window: tuple[int, int]
) -> list[Mapping[str, Any]]:
    """Rows of one search, at most ``LARGEST_PAGE`` bytes of them. ``window``: (limit, offset)."""
    limit, offset = window
    told = [*asked, ("limit", str(limit)), *([("offset", str(offset))] if offset else [])]
    query = urlencode(told, safe="*?,", quote_via=quote)
    answer = link.again(partial(_get_json, link, f"{link.archive.url}{path}?{query}"))
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise RemoteError("the DICOMweb server answers a search otherwise than DICOMweb does; check its url")
    return answer


def _get_json(link: Link, url: str) -> Any:
    timeout = (link.archive.connect_s, link.archive.timeout_s)
    with closing(link.session.get(url, timeout=timeout, stream=True)) as answer:
        answer.raise_for_status()
        body = bytearray()
        for chunk in answer.iter_content(2**16):
            body += chunk
            if len(body) > LARGEST_PAGE:
                raise RemoteError(
                    "the DICOMweb server's answer to a search is too large; narrow it", "too_large"
                )
    try:
        return json.loads(body) if body else []  # nothing found: 204, or an empty list
    except ValueError:
        return None


def _first(row: Mapping[str, Any], tag: str) -> Any:
    values = _values(row, tag)
    return values[0] if values else None


def _values(row: Mapping[str, Any], tag: str) -> list[Any]:
    element = row.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    told = values if isinstance(values, list) else []
    plain = [v.get("Alphabetic") if isinstance(v, dict) else v for v in told]
    return [v for v in plain if isinstance(v, str | int | float)]


def fields_of(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The named elements of a row of DICOM JSON; None where the server tells nothing."""
    from pydicom.datadict import tag_for_keyword

    told: dict[str, Any] = {}
    for name, keyword in names.items():
        tag = f"{tag_for_keyword(keyword):08X}"
        told[name] = _values(row, tag) if keyword == "ModalitiesInStudy" else _first(row, tag)
    return told


def push(archive: Archive, files: Sequence[Path]) -> tuple[Stored, ...]:
    """Store DICOM objects, each in a request of its own: what becomes of one says nothing of the others.

    An object that is there already is stored again by its own UID, so a second push does no harm. Raises
    UsageError where the server is not set up for it, InputError for a file that is no DICOM, RemoteError
    where the server cannot be asked.
    """
    if not archive.push:
        raise UsageError(f"DICOMweb server '{archive.name}' is not set up to store: push = true was expected")
    with connect(archive) as link:
        return tuple(_store(link, path) for path in files)


def _store(link: Link, path: Path) -> Stored:
    import pydicom
    import requests
    from pydicom.errors import InvalidDicomError

    try:
        ds = pydicom.dcmread(path)
    except (OSError, InvalidDicomError, ValueError) as error:
        raise InputError("a file to store is no DICOM object; export it again") from error
    refused: list[requests.Response] = []

    def send() -> Any:
        try:
            return link.client.store_instances([ds])
        except requests.HTTPError as error:
            if error.response is not None and error.response.status_code in (400, 409, 413, 415, 422):
                refused.append(error.response)
                return None
            raise

    answer = link.again(send)
    if refused:
        return Stored(path.name, "failed", _refusal(refused[0], str(ds.SOPInstanceUID)))
    failed = _item(answer, "FailedSOPSequence", str(ds.SOPInstanceUID))
    if failed is not None:
        return Stored(path.name, "failed", _reason(failed.get("FailureReason")))
    kept = _item(answer, "ReferencedSOPSequence", str(ds.SOPInstanceUID))
    if kept is not None and "WarningReason" in kept:
        return Stored(path.name, "changed", "the server stored it and changed something in it")
    return Stored(path.name, "stored")


def _item(answer: Any, sequence: str, uid: str) -> Any:
    """The item of an answer that speaks of the object; a single one without an id speaks of it too."""
    items = list(answer.get(sequence) or ())
    same = [item for item in items if str(item.get("ReferencedSOPInstanceUID", "")) == uid]
    return (same or [item for item in items if "ReferencedSOPInstanceUID" not in item] or [None])[0]


def _refusal(response: "requests.Response", uid: str) -> str:
    import pydicom

    try:
        failed = _item(pydicom.Dataset.from_json(response.json()), "FailedSOPSequence", uid)
    except Exception:  # whatever stands there, the status is known
        failed = None
    if failed is not None:
        return _reason(failed.get("FailureReason"))
    return f"the server refused it with status {response.status_code}"


def _reason(code: Any) -> str:
    known = FAILURES.get(int(code)) if isinstance(code, int) else None
    return known or (f"failure reason {int(code):04X}H" if isinstance(code, int) else "no reason was given")
