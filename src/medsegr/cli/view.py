"""``medsegr view``: the page on one result folder, on this machine alone, read only."""

import shutil
import signal
import socket
import tempfile
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from medsegr.cli.flags import LogFlags, argument, check_folder, grouped, naming, option
from medsegr.cli.logs import set_up
from medsegr.cli.serve import NEEDS, BindFlags, serve
from medsegr.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from medsegr.serve.service import Service
    from medsegr.serve.settings import Settings

FOREVER = 24.0 * 365  # hours: nothing is swept away while somebody looks at it


@dataclass(frozen=True)
class ViewFlags:
    """What is looked at, and where."""

    input: Annotated[
        Path | None,
        option("--input", "-i", help="The image that was segmented; without it the masks stand alone."),
    ] = None
    report: Annotated[
        Path | None,
        option("--report", "-r", help="Its report; not needed where 'segment' had --keep-text."),
    ] = None
    port: Annotated[int, option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 0
    no_browser: Annotated[bool, option("--no-browser", help="Say the address and open nothing.")] = False


@grouped
def command(
    folder: Annotated[Path, argument(help="Folder that 'medsegr segment' wrote.", metavar="OUT")],
    flags: ViewFlags,
    logs: LogFlags,
) -> int:
    """Open a result folder in the viewer: image, report, masks, checks.

    Nothing is changed, no model is loaded. Only this machine can reach the page; Ctrl-C ends it.
    """
    set_up(logs)
    check_folder(folder)
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        raise MissingExtra(f"view needs {', '.join(missing)}: pip install 'medsegr[serve]'")
    from medsegr.serve.page import STATIC
    from medsegr.serve.settings import Settings

    if not (STATIC / "index.html").is_file():
        raise MissingExtra("the page was not built into this installation: run 'make viewer' (needs Node.js)")
    with _shelf() as root:
        settings = Settings(
            data_dir=root, port=flags.port or free_port(), read_only=True, keep_hours=FOREVER, rate=0
        )
        job = put(settings, folder, flags)
        if not flags.no_browser:
            _open_later(f"http://127.0.0.1:{settings.port}/#/job/{job}", settings.port)
        return serve(settings, BindFlags(port=settings.port), quiet=logs.quiet)


@contextmanager
def _shelf() -> Iterator[Path]:
    """A folder of the server's own that is gone afterwards; it holds links, no copies, where links can be."""
    root = Path(tempfile.mkdtemp(prefix="medsegr-view-"))
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _ended) if main else None  # a plain end, so that we tidy up
    try:
        yield root
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)
        shutil.rmtree(root, ignore_errors=True)


def _ended(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def put(settings: "Settings", folder: Path, flags: ViewFlags) -> str:
    """Lay the folder, its image and its report into the server's data as a job that is done; its id.

    InputError for a folder that is not ours, for another image and for another report.
    """
    from medsegr.results.export import manifest_of
    from medsegr.results.reopen import findings_of
    from medsegr.serve.app import service_of
    from medsegr.serve.jobs import adopt
    from medsegr.serve.wire import Words

    with naming(folder):
        manifest_of(folder)
        told = findings_of(folder)
    text = _text(flags.report, told)
    service = service_of(settings)
    try:
        image = _image(service, told, flags.input)
        said = text if text and text.strip() else None
        words = Words(report=said, text=None, phrases=None)
        return adopt(service, image, words, lambda out: _link(folder, Path(str(out)))).id
    finally:
        service.store.close()


def _text(path: Path | None, told: dict[str, Any]) -> str | None:
    """The report as its spans count it; InputError for another one."""
    from medsegr.report.read import read_report
    from medsegr.results.schema import text_hash

    report = told.get("report") or {}
    if path is None:
        return report.get("text")
    with naming(path):
        text, _ = read_report(path)
        if text_hash(text) != report.get("sha256"):
            raise InputError(
                "the report is another one than that of the folder (its hash differs); give the one that "
                "'segment' had"
            )
    return text


def _image(service: "Service", told: dict[str, Any], path: Path | None) -> str:
    from medsegr.results.record import is_hash_of
    from medsegr.serve.ids import new_id
    from medsegr.serve.images import add
    from medsegr.serve.rows import ImageRow

    if path is None:
        own, now = new_id("i"), time.time()
        service.folders.image(own).mkdir(mode=0o700)
        service.store.add_image(ImageRow(own, "", now, now + service.settings.keep_seconds))
        return own
    shown = told["image"]
    asked = {"modality": shown.get("modality")}
    if shown.get("frame_from") == "flag":
        asked["frame"] = shown.get("frame")
    with naming(path):
        if not path.exists():
            raise InputError("there is no such image; give the one that was segmented")
        files = service.folders.root / "images" / f".part-{new_id('i')}"
        files.mkdir(mode=0o700)
        _link(path, files / f"0001{''.join(path.suffixes[-2:])}")
        image = add(service, files, {name: value for name, value in asked.items() if value}, "")
        if not is_hash_of(path, image.sha256, str(shown["sha256"])):
            raise InputError(
                "the image is another one than that of the folder (its hash differs); give the image that "
                "was segmented, unchanged"
            )
    return image.id


def _link(source: Path, target: Path) -> None:
    """``target`` leads to ``source``; a copy where the system makes no links."""
    try:
        target.symlink_to(source.absolute(), target_is_directory=source.is_dir())
    except OSError:
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _open_later(address: str, port: int) -> None:
    """Open the browser once the server answers."""

    def wait() -> None:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
            except OSError:
                time.sleep(0.1)
                continue
            webbrowser.open(address)
            return

    threading.Thread(target=wait, daemon=True).start()
