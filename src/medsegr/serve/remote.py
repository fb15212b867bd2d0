"""Requests to a server: tried again where that helps, answers checked, errors raised as ours."""

import json
import logging
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from medsegr.errors import (
    GeometryError,
    InputError,
    MissingExtra,
    RemoteError,
    ReportError,
    SeriesError,
    UsageError,
    WeightsError,
)
from medsegr.io.write import atomic_write

if TYPE_CHECKING:
    import httpx

LOG = logging.getLogger("medsegr")
LOCAL = ("localhost", "127.0.0.1", "::1")
OURS = {
    "input_refused": InputError,
    "geometry": GeometryError,
    "series_needed": SeriesError,
    "report_refused": ReportError,
    "wrong_arguments": UsageError,
    "invalid": UsageError,
    "weights": WeightsError,
}
AGAIN = (429, 503)
LONGEST_WAIT = 60.0  # seconds before a request is made again, whatever the server says
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # of members of an archive: the same folder is the same bytes
LAYERS = 64  # newest layers that are remembered, so that a step fetches only what changed
Parts = Sequence[tuple[str, IO[bytes]]]


class Remote:
    """One server's address, key and connections."""

    def __init__(self, url: str, key: str | None, timeout: float, tries: int, transport: Any) -> None:
        try:
            import httpx
        except ImportError as error:
            raise MissingExtra("the client needs httpx: pip install 'medsegr[client]'") from error
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise UsageError("the server's address: http://HOST:PORT or https://HOST was expected")
        if key is not None and parts.scheme == "http" and parts.hostname not in LOCAL:
            LOG.warning("the key goes to the server in plain text: use https beyond this machine")
        self.tries = max(1, tries)
        self._layers: dict[str, bytes] = {}
        self._http = httpx.Client(
            base_url=url.rstrip("/"),
            headers={} if key is None else {"authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(timeout),
            transport=transport,
            trust_env=parts.hostname not in LOCAL,  # no proxy on the way to this machine
        )

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def status(self, path: str) -> int:
        """The status of a GET, whatever it is. RemoteError where there is no answer."""
        return self._once("GET", path).status_code

    def json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The answer to a request as JSON; ``{}`` where it has no body."""
        more: dict[str, Any] = {}
        if body is not None:
            try:
                text = json.dumps(body, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise UsageError(
                    "what is asked holds values that are no finite numbers, or no text"
                ) from error
            more = {"content": text.encode(), "headers": {"content-type": "application/json"}}
        answer = self._asked(method, path, more)
        return {} if answer.status_code == 204 else dict(_json(answer))

    def send(self, path: str, parts: Parts, fields: Mapping[str, str]) -> dict[str, Any]:
        """Files in a multipart body, read as they are sent."""
        files = [("files", part) for part in parts]
        return dict(_json(self._asked("POST", path, {"files": files, "data": dict(fields)}, parts)))

    def layer(self, path: str) -> bytes:
        """A layer as it comes. One whose address holds its version is remembered."""
        if path in self._layers:
            return self._layers[path]
        found = self._asked("GET", path, {}).content
        if "?v=" in path:
            self._layers[path] = found
            while len(self._layers) > LAYERS:
                self._layers.pop(next(iter(self._layers)))
        return found

    def download(self, path: str, to: Path) -> Path:
        """An answer straight into a file, whole or not at all."""
        with atomic_write(to) as part, self._streamed(path, {}) as answer, part.open("wb") as out:
            for piece in answer.iter_bytes():
                out.write(piece)
        return to

    def events(self, path: str, after: int = 0) -> Iterator[dict[str, Any]]:
        """Server-sent events, gone on with where the connection was lost; ends where the server ends."""
        import httpx

        lost = 0
        while True:
            try:
                with self._streamed(path, {"last-event-id": str(after)}) as answer:
                    for event in _events(answer.iter_lines()):
                        after, lost = max(after, int(event["id"])), 0
                        yield event
                return
            except httpx.TransportError as error:
                lost += 1
                if lost >= self.tries:
                    raise _gone(error) from error
                time.sleep(min(2.0**lost / 10, LONGEST_WAIT))

    @contextmanager
    def _streamed(self, path: str, headers: Mapping[str, str]) -> "Iterator[httpx.Response]":
        for left in range(self.tries, 0, -1):
            with self._http.stream("GET", path, headers=dict(headers)) as answer:
                if answer.status_code in AGAIN and left > 1:
                    wait = _wait(answer)
                elif answer.is_error:
                    answer.read()
                    raise error_of(answer)
                else:
                    yield answer
                    return
            time.sleep(wait)

    def _asked(self, method: str, path: str, more: dict[str, Any], parts: Parts = ()) -> "httpx.Response":
        for left in range(self.tries, 0, -1):
            for _, file in parts:
                file.seek(0)
            answer = self._once(method, path, left if method == "GET" else 1, **more)
            if answer.status_code not in AGAIN or left == 1:
                break
            time.sleep(_wait(answer))
        if answer.is_error or answer.is_redirect:
            raise error_of(answer)
        return answer

    def _once(self, method: str, path: str, left: int = 1, **more: Any) -> "httpx.Response":
        """One request, made again at once where nothing came back and nothing can have been changed."""
        import httpx

        try:
            return self._http.request(method, path, **more)
        except httpx.TransportError as error:
            if left > 1 and not isinstance(error, httpx.ConnectError):
                return self._once(method, path, left - 1, **more)
            raise _gone(error) from error


def error_of(answer: "httpx.Response") -> Exception:
    """What a refusal is here: one of our errors by its code, else RemoteError."""
    try:
        told = answer.json()["error"]
        code, message = str(told["code"])[:80], " ".join(str(told["message"]).split())[:1000]
    except (ValueError, KeyError, TypeError):
        code, message = "bad_answer", f"the server answered {answer.status_code} without saying why"
    kind = OURS.get(code)
    return RemoteError(message, code) if kind is None else kind(message)


def _json(answer: "httpx.Response") -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise RemoteError("the address answers, but not as a medsegr server does", "bad_answer") from error


def _gone(error: Exception) -> RemoteError:
    return RemoteError(
        f"the server cannot be reached ({type(error).__name__}): is it running?", "unreachable"
    )


def _wait(answer: "httpx.Response") -> float:
    """Seconds until a request may be made again."""
    told = answer.headers.get("retry-after", "")
    return min(float(told) if told.isdecimal() else 1.0, LONGEST_WAIT)


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Events out of the lines of a stream: as the standard says, as far as our server uses it."""
    told: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            if name:  # a comment has none
                value = value.removeprefix(" ")
                told[name] = f"{told[name]}\n{value}" if name == "data" and name in told else value
        elif "data" in told:
            yield {
                "event": told.get("event", "message"),
                "id": int(told.get("id", "0")),
                "data": json.loads(told["data"]),
            }
            told = {}


@contextmanager
def parts_of(image: Any) -> Iterator[Parts]:
    """Name and open file of what is sent. Names are ours; of the user's only the ending is kept."""
    with ExitStack() as opened:
        if isinstance(image, np.ndarray):
            yield [("image.png", opened.enter_context(_png(image)))]
            return
        given = [image] if isinstance(image, (str, Path)) else list(image)
        paths = [Path(one) for one in given]
        if len(paths) == 1 and paths[0].is_dir():
            yield [("series.zip", opened.enter_context(_packed(paths[0])))]
            return
        try:
            files = [opened.enter_context(path.open("rb")) for path in paths]
        except OSError as error:
            refused = InputError(f"the image cannot be read ({error.strerror}); check the path")
            raise refused from error
        yield [
            (f"{n:04d}{ending(path)}", file)
            for n, (path, file) in enumerate(zip(paths, files, strict=True), 1)
        ]


def ending(path: Path) -> str:
    """``.png``, ``.nii.gz``; nothing where the name has none that could be one."""
    tail = [part for part in path.suffixes[-2:] if part[1:].isalnum() and len(part) <= 6]
    return "".join(tail[-2:] if tail[-1:] == [".gz"] else tail[-1:]).lower()


@contextmanager
def _png(values: np.ndarray) -> Iterator[IO[bytes]]:
    from PIL import Image

    if values.dtype != np.uint8 or values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] != 3):
        raise InputError(
            f"an array {values.shape} of {values.dtype} came: uint8 h w or h w 3 was expected; save anything "
            "else as a file and give its path"
        )
    with tempfile.TemporaryFile() as file:
        Image.fromarray(values).save(file, "PNG", compress_level=1)
        yield file


@contextmanager
def _packed(folder: Path) -> Iterator[IO[bytes]]:
    """The files of a folder as one archive without compression; links are left out."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    if not found:
        raise InputError("the folder holds no file; give the folder of one series")
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w") as archive:
            for n, path in enumerate(found, 1):
                info = zipfile.ZipInfo(f"{n:06d}{ending(path)}", LONG_AGO)
                with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as member:
                    shutil.copyfileobj(source, member, 2**20)
        yield file
