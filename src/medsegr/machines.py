"""Ray, which runs workers on other machines: reaching a cluster, and whether its workers are like us.

All machines see the same files under the same paths and have the same medsegr and Python.
"""

import logging
import os
import platform
import re
import shutil
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import medsegr
from medsegr.errors import ClusterError, MissingExtra, UsageError

LOG = logging.getLogger("medsegr")
STARTS = 3  # tries to connect, or to start a Ray of our own
CONNECT = 10.0  # seconds for a connection to the cluster's address
PORT = 10001  # of Ray's client server, where the address names none
STORE = 80 * 2**20  # bytes of Ray's object store on this machine: jobs and rows are small
ADDRESS = re.compile(r"ray://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(\d{1,5}))?/?")


def python() -> str:
    """Python's version as far as workers must share it, for example "3.11"."""
    return ".".join(platform.python_version_tuple()[:2])


def check_address(address: str) -> None:
    """UsageError where ``--cluster`` says neither ``local``, ``auto`` nor ``ray://HOST:PORT``."""
    found = ADDRESS.fullmatch(address)
    if address not in ("local", "auto") and not (found and int(found[2] or PORT) < 2**16):
        raise UsageError(
            f"--cluster: '{address[:80]}' is no cluster; expected local, auto or ray://HOST:PORT"
        )


def imported() -> Any:
    """Ray as a module, its reports of usage switched off; MissingExtra where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A head that finds a token asks for it; Ray's client sends it only where told so before its import.
    if "ray" not in sys.modules and has_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("--cluster needs Ray: pip install 'medsegr[ray]'") from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    return ray


def has_token() -> bool:
    """Whether the secret that a Ray cluster may ask for lies where Ray looks for it."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return True
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        return (Path(named) if named else Path.home() / ".ray" / "auth_token").is_file()
    except (OSError, RuntimeError):  # a folder that may not be looked into, or no home at all
        return False


@contextmanager
def connected(address: str, processors: int) -> Iterator[Any]:
    """Ray, connected to ``address``; ``local`` is a Ray of our own on this machine, ended with the context.

    A process that has Ray running stays on it for ``local`` and ``auto``. ClusterError where the cluster does
    not answer.
    """
    ray = imported()
    if ray.is_initialized() and not ADDRESS.fullmatch(address):
        yield ray
        return
    with ExitStack() as end:
        with _reaching(address):
            if address == "local":
                short = "/tmp" if os.path.isdir("/tmp") else None  # names of sockets may not be long
                folder = tempfile.mkdtemp(prefix="ray-", dir=short)
                end.callback(shutil.rmtree, folder, ignore_errors=True)
                ours = {"include_dashboard": False, "object_store_memory": STORE, "_temp_dir": folder}
                _begin(ray, "local", {"num_cpus": processors, **ours})
            else:
                _begin(ray, _answering(address), {})
            end.callback(ray.shutdown)
        yield ray


def _begin(ray: Any, address: str, settings: dict[str, Any]) -> None:
    """Connect to a cluster, or start a Ray of our own.

    Ray gives either half a minute, which a busy machine may exceed: so it is tried again.
    """
    for left in reversed(range(STARTS)):
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **settings)
            return
        except Exception:
            ray.shutdown()
            if not left:
                raise
            LOG.info("Ray did not answer in time: it is tried again")


def _answering(address: str) -> str:
    """The address with its port, once something answers there: Ray itself would try for half a minute."""
    found = ADDRESS.fullmatch(address)
    if found is None:
        return address
    host, port = found[1], int(found[2] or PORT)
    socket.create_connection((host.strip("[]"), port), timeout=CONNECT).close()
    return f"ray://{host}:{port}"


@contextmanager
def _reaching(address: str) -> Iterator[None]:
    """Whatever goes wrong here is a cluster that does not answer; what Ray raises is of many kinds."""
    try:
        with warnings.catch_warnings():  # Ray warns before it raises
            warnings.simplefilter("ignore")
            yield
    except ImportError as error:
        raise MissingExtra("--cluster ray:// needs Ray's client: pip install 'medsegr[ray]'") from error
    except Exception as error:
        LOG.debug("the cluster was not reached", exc_info=error)
        told = ClusterError(_unanswered(address, type(error).__name__))
        told.add_note(address)
        raise told from error


def _unanswered(address: str, kind: str) -> str:
    if address == "local":
        return f"Ray did not start on this machine ({kind}); use --workers alone, or see with --debug why"
    return (
        f"no Ray cluster answers there ({kind}); check --cluster, that Ray runs there, that it is Ray "
        f"{imported().__version__} under Python {python()}, and that RAY_AUTH_TOKEN or ~/.ray/auth_token "
        "holds its token if it asks for one (and RAY_AUTH_MODE, if set, is token)"
    )


def cannot_run() -> ClusterError:
    """What workers that end before they begin mean."""
    return ClusterError(
        f"workers end before they begin: install medsegr {medsegr.__version__} under Python {python()} on "
        "every machine of the cluster (--debug shows what Ray said)"
    )


def check_hello(version: str, runs: str, sees: bool) -> None:
    """ClusterError where a worker's results would differ from ours, or not come here."""
    if (version, runs) != (medsegr.__version__, python()):
        raise ClusterError(
            f"a worker has medsegr {version} under Python {runs}, this is {medsegr.__version__} under "
            f"{python()}; install the same on every machine of the cluster"
        )
    if not sees:
        raise ClusterError(
            "a worker does not see the output folder; put images, jobs file and output on a file system that "
            "all machines of the cluster mount at the same path"
        )
