"""Fetch a study or a series by WADO-RS into a folder: streamed, within limits, whole or not at all."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from medsegr.errors import RemoteError
from medsegr.io.write import atomic_folder
from medsegr.serve.archives import Archive
from medsegr.serve.dicomweb import NO_IMAGES, Link, checked_uid, connect, instances_of, series_of

if TYPE_CHECKING:
    import requests
    from python_multipart.multipart import MultipartCallbacks

ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'  # as it is stored, not transcoded
CHUNK = 2**18
SHORT = "the study may still be on its way; try again later"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: number of objects, bytes, number of series."""

    instances: int
    bytes: int
    series: int


@dataclass
class Basket:
    """Parts of a multipart answer on their way into files ``0001.dcm`` ... of a folder, counted."""

    folder: Path
    archive: Archive
    first: int = 0  # files of series before
    before: int = 0  # bytes of series before
    files: list[Path] = field(default_factory=list)
    size: int = 0
    ended: bool = False
    _file: IO[bytes] | None = None

    def begin(self) -> None:
        """A part begins."""
        number = self.first + len(self.files) + 1
        if number > self.archive.max_instances:
            raise too_large(self.archive, "max_instances")
        path = self.folder / f"{number:05d}.dcm"
        self.files.append(path)
        self._file = path.open("xb")

    def take(self, data: bytes, start: int, end: int) -> None:
        """Some bytes of a part."""
        self.size += end - start
        if self.before + self.size > self.archive.max_bytes:
            raise too_large(self.archive, "max_bytes")
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])

    def close(self) -> None:
        """A part has ended, or all has."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def end(self) -> None:
        """The answer is whole."""
        self.ended = True

    def empty(self) -> None:
        """Throw away what came."""
        self.close()
        for path in self.files:
            path.unlink(missing_ok=True)
        self.files.clear()
        self.size = 0

    @property
    def callbacks(self) -> Mapping[str, Callable[..., None]]:
        """What the parser calls."""
        return {
            "on_part_begin": self.begin,
            "on_part_data": self.take,
            "on_part_end": self.close,
            "on_end": self.end,
        }


def too_large(archive: Archive, name: str) -> RemoteError:
    """The error of a pull beyond a limit, with how to raise it."""
    return RemoteError(
        f"what is asked of DICOMweb server '{archive.name}' is larger than {name} = "
        f"{getattr(archive, name):,}; ask for one series, or raise it in the configuration",
        "too_large",
    )


def pull(
    archive: Archive,
    study: str,
    series: str | None,
    folder: Path,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """All objects of a series, or of every series of images in a study, as files in ``folder``.

    The folder appears whole or not at all; names in it are ours. What comes must be what the server lists: an
    object that is missing, or of another study, refuses the pull. Raises UsageError for ids that are none,
    RemoteError (unreachable, refused, not_found, incomplete, foreign, too_large ...).
    """
    study = checked_uid(study, "study")
    wanted = None if series is None else [checked_uid(series, "series")]
    deadline = time.monotonic() + archive.total_s
    with connect(archive, sleep) as link, atomic_folder(folder) as part:
        names = wanted or _image_series(link, study)
        count = size = 0
        for name in names:
            basket = Basket(part, archive, first=count, before=size)
            _one_series(link, (study, name), basket, deadline)
            count, size = count + len(basket.files), size + basket.size
        return Fetched(count, size, len(names))


def _image_series(link: Link, study: str) -> list[str]:
    rows = series_of(link, study)
    named = [row["series"] for row in rows if row["modality"] not in NO_IMAGES and not _is_ours(row)]
    if not named:
        what = "no series of images in this study" if rows else "no such study"
        raise RemoteError(f"DICOMweb server '{link.archive.name}' has {what}", "not_found")
    return [checked_uid(str(name), "series") for name in named]


def _is_ours(row: Mapping[str, Any]) -> bool:
    """Whether a series is an overlay that medsegr stored beside the images: no image to read again."""
    return str(row["description"] or "").startswith("medsegr SC.")


def _one_series(link: Link, names: tuple[str, str], basket: Basket, deadline: float) -> None:
    study, series = names
    listed = instances_of(link, study, series)
    if not listed:
        raise RemoteError(f"DICOMweb server '{link.archive.name}' has no such series", "not_found")
    if basket.first + len(listed) > link.archive.max_instances:
        raise too_large(link.archive, "max_instances")
    url = f"{link.archive.url}/studies/{study}/series/{series}"

    def fetch() -> None:
        basket.empty()
        with _answer(link, url) as answer:
            _stream(answer, basket, deadline)

    try:
        link.again(fetch)
    except BaseException:
        basket.empty()
        raise
    came = {_identity(path, study) for path in basket.files}
    if missing := set(listed) - came:
        raise RemoteError(
            f"{len(missing)} of {len(listed)} objects of a series did not come; {SHORT}", "incomplete"
        )


@contextmanager
def _answer(link: Link, url: str) -> "Iterator[requests.Response]":
    timeout = (link.archive.connect_s, link.archive.timeout_s)
    with closing(link.session.get(url, headers={"Accept": ACCEPT}, stream=True, timeout=timeout)) as answer:
        answer.raise_for_status()
        yield answer


def _stream(answer: "requests.Response", basket: Basket, deadline: float) -> None:
    """Write the parts of an answer to files. Raises requests' errors for what may pass, RemoteError else."""
    import requests
    from python_multipart.exceptions import MultipartParseError
    from python_multipart.multipart import MultipartParser

    head = Message()
    head["Content-Type"] = answer.headers.get("Content-Type", "")
    boundary = head.get_boundary()
    if head.get_content_type() != "multipart/related" or not boundary:
        raise RemoteError("the DICOMweb server answers a fetch otherwise than DICOMweb does; check its url")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RemoteError("the DICOMweb server sends a fetch compressed, which was not asked for")
    parser = MultipartParser(boundary.encode("latin-1"), cast("MultipartCallbacks", basket.callbacks))
    try:
        for chunk in answer.iter_content(CHUNK):
            parser.write(chunk)
            if time.monotonic() > deadline:
                raise RemoteError("a fetch took longer than total_s; ask for one series, or raise it")
    except MultipartParseError as error:
        raise RemoteError("the DICOMweb server's answer cannot be taken apart; check its url") from error
    finally:
        basket.close()
    if not basket.ended:  # http/1.0 and some proxies end a broken body like a whole one
        raise requests.ConnectionError("the answer ended before its last part")


def _identity(path: Path, study: str) -> str:
    """UID of an object that came; RemoteError where it is no DICOM, or belongs to another study."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    tags = ["StudyInstanceUID", "SOPInstanceUID"]
    try:
        ds: Any = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags)
        own, uid = str(ds.StudyInstanceUID), str(ds.SOPInstanceUID)
    except (OSError, InvalidDicomError, AttributeError, ValueError, EOFError) as error:
        raise RemoteError("what the DICOMweb server sent is no DICOM object", "foreign") from error
    if own != study:
        raise RemoteError("the DICOMweb server sent an object of another study", "foreign")
    return uid
