"""A real Orthanc with its DICOMweb plug-in on loopback, in a folder of its own."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

PLUGIN = "libOrthancDicomWeb.so"
PLACES = ("/usr/share/orthanc/plugins", "/usr/local/share/orthanc/plugins", "/usr/lib/orthanc/plugins")
USER, PASSWORD = "medsegr", "a made password"


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Orthanc:
    """A running server: its root, its own REST interface, and how to configure it as an archive."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def rest(self, path: str, method: str = "GET", **more: Any) -> Any:
        """Orthanc's own interface, not DICOMweb: an independent witness."""
        address = f"http://127.0.0.1:{self.port}{path}"
        answer = requests.request(method, address, auth=(USER, PASSWORD), timeout=120, **more)
        answer.raise_for_status()
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.content

    def put(self, folder: Path) -> None:
        """Store every file of a folder."""
        for path in sorted(folder.iterdir()):
            self.rest("/instances", "POST", data=path.read_bytes())

    def config(self, **more: Any) -> Path:
        """A configuration file with this server, called ``orthanc``; more keys replace or add."""
        secret = self.folder / "password"
        secret.write_text(PASSWORD + "\n", encoding="utf-8")
        keys = {"name": "orthanc", "url": self.url, "user": USER, "password_file": "password", "push": True}
        path = self.folder / "dicomweb.toml"
        rows = [
            f"{key} = {json.dumps(value)}" for key, value in {**keys, **more}.items() if value is not None
        ]
        path.write_text("[[server]]\n" + "\n".join(rows) + "\n", encoding="utf-8")
        return path


@contextmanager
def running(folder: Path) -> Iterator[Orthanc]:
    """Orthanc, started in ``folder`` and stopped afterwards; skips where it is not installed."""
    binary = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    plugin = next((p for p in (Path(place) / PLUGIN for place in PLACES) if p.is_file()), None)
    if binary is None:
        pytest.skip("Orthanc is not here: install orthanc")
    if plugin is None:
        pytest.skip("Orthanc's DICOMweb plug-in is not here: install orthanc-dicomweb")
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as end:
        for last in (False, False, True):  # another program may take the port before Orthanc does
            server = Orthanc(free_port(), folder)
            process = _begun(server, binary, plugin)
            end.callback(_stop, process)
            if _answers(server, process):
                break
            if last or process.poll() is None:
                log = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
                pytest.fail(f"Orthanc did not start: {log[-500:]}")
        yield server


def _begun(server: Orthanc, binary: str, plugin: Path) -> "subprocess.Popen[bytes]":
    folder = server.folder
    told = {
        "Name": "made",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(plugin)],
        "HttpPort": server.port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(told), encoding="utf-8")
    with (folder / "log.txt").open("wb") as log:
        return subprocess.Popen(
            [binary, str(folder / "orthanc.json")], stdout=log, stderr=log, cwd=folder, start_new_session=True
        )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(60)


def _answers(server: Orthanc, process: "subprocess.Popen[bytes]") -> bool:
    """Wait until it answers; False where it ended, or says nothing for two minutes."""
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        try:
            server.rest("/dicom-web/studies?limit=1")
            return True
        except requests.RequestException:
            time.sleep(0.1)
    return False
