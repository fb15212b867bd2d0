"""A multipart upload, straight to the disk: no file is held in memory, no name of the user's is used."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from medsegr.serve.refusal import Refusal

PIECE = 2**20  # bytes that are gathered before they are written
LONGEST_FIELD = 4096  # bytes of a field that is no file
LONGEST_HEAD = 16 * 2**10  # bytes of the headers of a part
FIELDS = ("modality", "frame", "series")
ENDINGS = re.compile(
    r"\.(png|jpe?g|tiff?|bmp|dcm|dicom|ima|nii|nii\.gz|nrrd|nhdr|mha|mhd|raw|zraw|zip|gz)", re.IGNORECASE
)


def ending(name: str) -> str:
    """The ending of a file name where it is one that readers know, in small letters; else nothing."""
    last = re.split(r"[/\\]", name)[-1]
    for dots in (2, 1):
        tail = "." + ".".join(last.split(".")[-dots:]) if last.count(".") >= dots else ""
        if ENDINGS.fullmatch(tail):
            return tail.lower()
    return ""


class Upload:
    """Parts as they come: files into ``folder`` as ``0001.dcm``, ``0002.dcm`` ..., the few fields into
    ``fields``."""

    def __init__(self, folder: Path, boundary: bytes, most: tuple[int, int]) -> None:
        """``most``: bytes of the body, and files in it."""
        self.folder, (self._bytes, self._files) = folder, most
        self.fields: dict[str, str] = {}
        self.files = 0
        self.ended = False
        self._size = 0
        self._header: list[bytes] = [b"", b""]
        self._headers: dict[bytes, bytes] = {}
        self._field: bytearray | None = None
        self._name = ""
        self._out: BinaryIO | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._gather(0),
                "on_header_value": self._gather(1),
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._all,
            },
        )

    def feed(self, piece: bytes) -> None:
        """The next bytes of the body. Refusal for what is too large or no multipart."""
        self._size += len(piece)
        if self._size > self._bytes:
            raise Refusal("too_large", f"the upload is larger than {self._bytes // 2**20} MB")
        try:
            self._parser.write(piece)
        except MultipartParseError as error:
            raise Refusal("bad_request", "the multipart body is damaged") from error

    def close(self) -> None:
        """End the file that is open."""
        if self._out is not None:
            self._out.close()
            self._out = None

    def _begin(self) -> None:
        self._headers, self._header = {}, [b"", b""]

    def _gather(self, which: int) -> Callable[[bytes, int, int], None]:
        def gather(data: bytes, start: int, end: int) -> None:
            self._header[which] += data[start:end]
            if sum(map(len, self._header)) > LONGEST_HEAD or len(self._headers) > 16:
                raise Refusal("bad_request", "a part has headers beyond all measure")

        return gather

    def _header_end(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = [b"", b""]

    def _headers_end(self) -> None:
        kind, told = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = told.get(b"name", b"").decode("utf-8", "replace")
        if kind != b"form-data":
            raise Refusal("bad_request", "a part is no form-data")
        if name == "files":
            self.files += 1
            if self.files > self._files:
                raise Refusal("too_large", f"there are more than {self._files:,} files in the upload")
            suffix = ending(told.get(b"filename", b"").decode("utf-8", "replace"))
            self._out = (self.folder / f"{self.files:04d}{suffix}").open("xb")
            return
        if name not in FIELDS or name in self.fields:
            raise Refusal(
                "bad_request", f"expected parts named files, and at most one of {', '.join(FIELDS)}"
            )
        self._name, self._field = name, bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._out is not None:
            self._out.write(memoryview(data)[start:end])
        elif self._field is not None:
            self._field += data[start:end]
            if len(self._field) > LONGEST_FIELD:
                raise Refusal("too_large", f"a field is longer than {LONGEST_FIELD} bytes")

    def _end(self) -> None:
        self.close()
        if self._field is not None:
            self.fields[self._name] = self._field.decode("utf-8", "replace").strip()
            self._field = None

    def _all(self) -> None:
        self.ended = True


async def receive(request: Request, folder: Path, most: tuple[int, int]) -> dict[str, str]:
    """Write the files of a multipart request into ``folder`` and return its fields.

    Refusal: another content type, a body that is damaged or cut short, beyond ``most`` (bytes, files), or
    without a file.
    """
    kind, told = parse_options_header(request.headers.get("content-type", ""))
    boundary = told.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise Refusal("unsupported_media_type", "multipart/form-data with parts named files was expected")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most[0]:
        raise Refusal("too_large", f"the upload is larger than {most[0] // 2**20} MB")
    upload = Upload(folder, boundary, most)
    try:
        gathered = bytearray()
        async for piece in request.stream():
            gathered += piece
            if len(gathered) >= PIECE:
                await run_in_threadpool(upload.feed, bytes(gathered))
                gathered.clear()
        await run_in_threadpool(upload.feed, bytes(gathered))
    finally:
        upload.close()
    if not upload.ended:
        raise Refusal("bad_request", "the upload was cut short")
    if not upload.files:
        raise Refusal("bad_request", "there is no part named files in the upload")
    return upload.fields
