"""Node.js and Chromium for tests: skips that name the package; scripts of web/tests/browser, run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from medsegr.cli.view import free_port

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
STATIC = ROOT / "src" / "medsegr" / "serve" / "static"
REPORT = """CHEST RADIOGRAPH

FINDINGS: There is a hazy left middle zone opacity with poorly defined borders. A homogeneous right upper zone
pulmonary nodule measuring 36 x 35 mm is seen. No pneumothorax. Possible small pleural effusion.

IMPRESSION: Right upper zone nodule.
"""
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""


def shots() -> str:
    """Folder for pictures of the page: MEDSEGR_SHOTS, where somebody wants them."""
    folder = os.environ.get("MEDSEGR_SHOTS", "")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    return folder


def need_node() -> str:
    """Path of node; the test is skipped where Node.js or the viewer's packages are not here."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("the package nodejs is not here")
    if not (WEB / "node_modules" / "playwright-core").is_dir():
        pytest.skip("the viewer's packages are not here: run make viewer (needs nodejs and npm)")
    return node


def need_browser() -> str:
    """Path of node where also Chromium and the built page are here."""
    node = need_node()
    if not CHROMIUM:
        pytest.skip("the package chromium is not here")
    if not (STATIC / "index.html").is_file():
        pytest.skip("the page was not built: run make viewer")
    return node


def run(script: str, about: dict[str, Any], seconds: float = 900) -> list[dict[str, Any]]:
    """The JSON lines that a script of web/tests/browser printed."""
    done = subprocess.run(
        [need_browser(), str(WEB / "tests" / "browser" / script), json.dumps(about)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "CHROMIUM": CHROMIUM},
        cwd=WEB,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def walked(script: str, about: dict[str, Any]) -> dict[str, Any]:
    """How each step of a walk ended, by its name."""
    return {line["step"]: line for line in run(script, about)}


def step(walk: dict[str, Any], name: str) -> None:
    """One step of a walk, as a test: what went wrong is told."""
    assert name in walk, f"the walk broke off before '{name}': {list(walk)}"
    assert walk[name]["ok"], walk[name].get("error")


@dataclass
class Server:
    """``medsegr serve`` as a process of its own, which can be killed and started again on the same data."""

    data: Path
    flags: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        words = [sys.executable, "-m", "medsegr", "serve", "-q", "--rate", "0"]
        words += ["--data-dir", str(self.data), "--port", str(self.port), *self.flags]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.base}/healthz", timeout=1):
                    return
            except OSError:
                assert self.process.poll() is None, "the server ended"
                time.sleep(0.1)
        raise AssertionError("the server does not answer")

    def ready(self) -> None:
        """Wait until its worker has the model."""
        for _ in range(3000):
            try:
                with urllib.request.urlopen(f"{self.base}/readyz", timeout=10):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server is not ready")

    def drawn(self, name: str, data: bytes, words: dict[str, Any], **about: str) -> str:
        """The page's address of a case that is sent and done."""
        import httpx

        with httpx.Client(base_url=self.base, timeout=600) as client:
            sent = client.post("/v1/images", files=[("files", (name, data))], data=about)
            assert sent.status_code == 201, sent.text
            options = {"explain": True, "report_mask": True, "keep_text": True}
            job = client.post("/v1/jobs", json={"image": sent.json()["id"], **words, "options": options})
            assert job.status_code == 202, job.text
            own = job.json()["id"]
            client.get(f"/v1/jobs/{own}/events")  # until its end
            assert client.get(f"/v1/jobs/{own}").json()["state"] == "done"
        return f"#/job/{own}"

    @property
    def workers(self) -> list[int]:
        """Numbers of the processes that do its jobs."""
        import psutil

        assert self.process is not None
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]

    def kill(self) -> None:
        """As a power cut does: no farewell to anybody."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def serving(data: Path, *flags: str) -> Iterator[Server]:
    """A server for a browser, killed at the end; the test is skipped where one of the two is not here."""
    need_browser()
    pytest.importorskip("uvicorn", reason="the package uvicorn is not here (extra serve)")
    server = Server(data, flags)
    server.start()
    try:
        yield server
    finally:
        server.kill()
