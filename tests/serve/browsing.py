"""Node.js and Chromium for tests: skips that name the package; scripts of web/tests/browser, run."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
STATIC = ROOT / "src" / "medsegr" / "serve" / "static"
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


def run(script: str, about: dict[str, Any], seconds: float = 300) -> list[dict[str, Any]]:
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
