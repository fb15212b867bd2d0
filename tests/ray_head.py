"""A Ray cluster of one machine with its client server, as ``ray start --head`` makes it: for what connects by
``ray://``.
"""

import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from orthanc_server import free_port

START = (
    "-m",
    "ray.scripts.scripts",
    "start",
    "--head",
    "--block",
    "--disable-usage-stats",
    "--num-gpus",
    "0",
)
SMALL = ("--include-dashboard", "false", "--object-store-memory", str(80 * 2**20))


@contextmanager
def swept() -> Iterator[None]:
    """For a Ray that was started in this process and has ended in the block: it waits for none of its own,
    and Python would tell that at any later time, as an error of whatever runs then."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def head(processors: int) -> Iterator[str]:
    """Its address, once jobs can be sent to it; all its processes have ended with the block.

    It asks for the token that lies in a home folder of its own; RAY_AUTH_TOKEN_PATH names it to us.
    """
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)  # names of sockets may not be long
        token = folder / "token"
        token.write_text("0123456789abcdef" * 4, encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch, (folder / "log").open("wb") as log:
            patch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
            for _ in range(3):  # another program may take the port before Ray does
                port = free_port()
                flags = ("--port", "0", "--ray-client-server-port", str(port), "--num-cpus", str(processors))
                process = subprocess.Popen(
                    [sys.executable, *START, *SMALL, *flags, "--temp-dir", str(folder / "t")],
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                try:
                    if _begun(process, folder / "log"):
                        yield f"ray://127.0.0.1:{port}"
                        return
                finally:
                    _stop(process)
            pytest.fail(f"Ray did not start: {(folder / 'log').read_text()[-500:]}")


def _begun(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    until = time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        if b"Ray runtime started" in log.read_bytes():
            return True
        time.sleep(0.2)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()  # it ends what it started
    with suppress(subprocess.TimeoutExpired):
        process.wait(60)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
