"""``medsegr serve``: the server and its page."""

import os
import signal
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from medsegr.cli.flags import CachedRunFlags, Limit, grouped, listed, naming, option
from medsegr.cli.logs import LOG, set_up
from medsegr.cli.segment import stay_offline
from medsegr.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from medsegr.serve.settings import Settings

BACKLOG = 2048  # connections that wait to be taken, as uvicorn has it
NEEDS = ("fastapi", "uvicorn", "python_multipart")


@dataclass(frozen=True)
class BindFlags:
    """Where it listens."""

    host: Annotated[
        str, option("--host", help="Address to listen on; any but this machine's own needs --api-key-file.")
    ] = "127.0.0.1"
    port: Annotated[int, option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 1527
    tls_cert: Annotated[
        Path | None, option("--tls-cert", help="Certificate (PEM): the server then speaks HTTPS.")
    ] = None
    tls_key: Annotated[Path | None, option("--tls-key", help="Its private key (PEM).")] = None
    api_key_file: Annotated[
        Path | None, option("--api-key-file", help="Keys that are let in: a line each, NAME ROLE SHA256HEX.")
    ] = None
    new_key: Annotated[
        tuple[str, str, str],
        option(
            "--new-key",
            metavar="NAME ROLE FILE",
            help="Add a key to a key file, print it once, and end. ROLE: read, write or admin.",
        ),
    ] = ("", "", "")
    key_until: Annotated[
        str, option("--key-until", metavar="YYYY-MM-DD", help="Last day of the key that --new-key makes.")
    ] = ""
    allow_host: Annotated[
        list[str],
        option("--allow-host", metavar="HOST", help="A name under which clients may call this server."),
    ] = field(default_factory=list)
    allow_origin: Annotated[
        list[str],
        option("--allow-origin", metavar="ORIGIN", help="Another site whose pages may call this server."),
    ] = field(default_factory=list)
    rate: Annotated[
        int, option("--rate", min=0, help="Requests a minute of one key or address; 0: no limit.")
    ] = 600


@dataclass(frozen=True)
class QueueFlags:
    """What it keeps and how it works."""

    data_dir: Annotated[
        Path | None, option("--data-dir", help="Folder for images, jobs and results; for this user alone.")
    ] = None
    workers: Annotated[int, option("--workers", min=0, help="Processes that each hold the model.")] = 1
    keep: Annotated[
        float, option("--keep", metavar="HOURS", min=0, help="Hours after which results are deleted.")
    ] = 24.0
    queue: Annotated[
        int, option("--queue", min=1, help="Jobs that may wait; others are told to come again.")
    ] = 100
    job_seconds: Annotated[float, option("--job-seconds", min=0.1, help="Time limit of one job.")] = 600.0
    max_upload_mb: Annotated[int, option("--max-upload-mb", min=1, help="Size of one upload.")] = 2048
    dicomweb: Annotated[
        Path | None, option("--dicomweb", help="TOML file of the DICOMweb servers that may be asked.")
    ] = None
    cluster: Annotated[
        str | None,
        option(
            "--cluster",
            metavar="local|auto|ray://HOST:PORT",
            help="Ray cluster whose workers do the jobs. All see the data folder under the same path.",
        ),
    ] = None
    limits: Limit = ""


@grouped
def command(bind: BindFlags, work: QueueFlags, run: CachedRunFlags) -> int:
    """Serve the viewer and the HTTP interface: images and reports in, masks out.

    Listens on this machine only, where no key is needed. Any other address needs --api-key-file.
    """
    set_up(run)
    if any(bind.new_key) or bind.key_until:
        return add_key(bind)
    stay_offline()
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        raise MissingExtra(f"serve needs {', '.join(missing)}: pip install 'medsegr[serve]'")
    settings = settings_of(bind, work, run)
    check(settings)
    return serve(settings, bind, quiet=run.quiet)


def add_key(bind: BindFlags) -> int:
    """Add a key to a key file and print it: alone on stdout, so that it can be piped to where it is kept."""
    from datetime import date

    from medsegr.serve.keys import new_key

    name, role, file = bind.new_key
    if not (name and role and file):
        raise UsageError("--key-until needs --new-key NAME ROLE FILE beside it")
    try:
        last = date.fromisoformat(bind.key_until) if bind.key_until else None
    except ValueError as error:
        raise UsageError("--key-until: a day was expected, for example 2027-01-31") from error
    if last is not None and last < date.today():
        raise UsageError(f"--key-until: {last} is past, the key would open nothing; give a day to come")
    with naming(Path(file)):
        key = new_key(name, role, Path(file), last)
    print(key)
    print("the key is shown this once; its hash was added to the file", file=sys.stderr)
    return 0


def settings_of(bind: BindFlags, work: QueueFlags, run: CachedRunFlags) -> "Settings":
    """The settings that the flags name. UsageError for what makes no server."""
    from medsegr.io.limits import limits_from_text
    from medsegr.serve.settings import Settings, data_home

    if (bind.tls_cert is None) != (bind.tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together: give both or none")
    return Settings(
        data_dir=(work.data_dir or data_home()).absolute(),
        host=bind.host,
        port=bind.port,
        model=str(Path(run.model).absolute()) if Path(run.model).is_dir() else run.model,
        device=run.device,
        threads=run.threads,
        backend=run.runtime,
        precision=run.precision,
        features=run.features,
        limits=limits_from_text(work.limits),
        workers=work.workers,
        keep_hours=work.keep,
        queue=work.queue,
        job_seconds=work.job_seconds,
        max_upload_mb=work.max_upload_mb,
        api_key_file=bind.api_key_file,
        allow_hosts=tuple(host for given in bind.allow_host for host in listed(given)),
        allow_origins=tuple(origin for given in bind.allow_origin for origin in listed(given)),
        rate=bind.rate,
        dicomweb=work.dicomweb,
        cluster=work.cluster,
        tls=bind.tls_cert is not None,
    )


def check(settings: "Settings") -> None:
    """Refuse what would only show once the first job came (no such model, a damaged checkpoint), and files of
    keys and servers by their own names."""
    from medsegr import weights
    from medsegr.backends.names import check as check_backend
    from medsegr.machines import check_address, imported
    from medsegr.serve.archives import read_archives
    from medsegr.serve.keys import read_keys
    from medsegr.session import check_model

    if settings.cluster is not None:
        check_address(settings.cluster)
        imported()
    if settings.api_key_file is not None:
        with naming(settings.api_key_file):
            read_keys(settings.api_key_file)
    if settings.dicomweb is not None:
        with naming(settings.dicomweb):
            read_archives(settings.dicomweb)
    # On a cluster the number of threads is also that of the processors a worker takes.
    check_model(settings.model, settings.device, settings.threads if settings.cluster is None else None)
    check_backend(settings.backend, settings.precision, settings.device)
    if Path(settings.model).is_dir() or settings.model in weights.names():
        weights.verify(settings.model)


def serve(settings: "Settings", bind: BindFlags, quiet: bool) -> int:
    """Run until it is interrupted; jobs that run then are begun again at the next start."""
    import logging
    import socket

    import uvicorn

    from medsegr.serve.app import create_app
    from medsegr.serve.protocol import config_of

    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logging.getLogger(name).addHandler(logging.NullHandler())  # what they say may quote a request
        logging.getLogger(name).propagate = False
    with naming(settings.data_dir):
        app = create_app(settings)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol by name: asyncio sends small answers at once (TCP_NODELAY) only where it reads "TCP" here.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)  # whoever calls once the address is printed waits, and is not refused
    except OSError as error:
        listener.close()
        raise UsageError(
            f"--host and --port: nothing can listen there ({error.strerror}); another server may run"
        ) from error
    config = config_of(
        app,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=20,
        ssl_certfile=bind.tls_cert,
        ssl_keyfile=bind.tls_key,
    )
    server = uvicorn.Server(config)
    app.state.service.leaving.asked = lambda: server.should_exit
    port = listener.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    if not quiet:
        print(f"medsegr serves on http{'s' if settings.tls else ''}://{host}:{port}/  (Ctrl-C ends it)")
        print("Not a medical device. For research.", flush=True)
    LOG.info("process %d, data of %g hours are kept", os.getpid(), settings.keep_hours)
    before = {word: signal.signal(word, lambda *_: None) for word in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listener])  # it ends well at either signal, then raises it anew
    finally:
        listener.close()
        for word, handler in before.items():
            signal.signal(word, handler)
    return 0
