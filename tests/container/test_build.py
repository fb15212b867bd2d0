"""The commands of the Containerfile, run in a fresh environment here: what the image would hold, and that it
starts, answers its health check and segments. Slow, and it asks the package index of this machine.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from containerfile_rules import Step, steps
from medsegr import phantom
from orthanc_server import free_port

ROOT = Path(__file__).resolve().parents[2]
STEPS = steps((ROOT / "Containerfile").read_text(encoding="utf-8"))
PREFIX = "/opt/medsegr"


def of(word: str, stage: int) -> list[Step]:
    return [step for step in STEPS if step.word == word and step.stage == stage]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that the stage of the wheel makes, in another place."""
    folder = tmp_path_factory.mktemp("image")
    context, venv = folder / "build", folder / "venv"
    context.mkdir()
    for step in of("COPY", 1):
        if "--from" not in step.rest:
            for name in step.rest.split()[:-1]:
                source = ROOT / name
                if source.is_dir():
                    shutil.copytree(source, context / name, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(source, context / name)
    env = {**os.environ, "PIP_CONSTRAINT": str(context / "constraints.txt"), "TORCH_INDEX": ""}
    env.pop("PYTHONPATH", None)
    for step in of("RUN", 1):
        line = re.sub(r"^python ", f"{sys.executable} ", step.rest).replace(PREFIX, str(venv))
        shell = ["sh", "-ec", line]
        done = subprocess.run(shell, cwd=context, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{step.rest}: {done.stderr[-2000:]}"
    shutil.rmtree(context)  # nothing of the sources is left in an image
    return venv


def run(venv: Path, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = [str(venv / "bin" / "medsegr"), *map(str, words)]
    return subprocess.run(told, cwd=venv.parent, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.network
def test_what_is_inside(built: Path) -> None:
    told = json.loads((built / "packages.json").read_text(encoding="utf-8"))
    inside = {p["metadata"]["name"].lower(): p["metadata"]["version"] for p in told["installed"]}
    assert {"medsegr", "torch", "fastapi", "uvicorn", "mcp", "dicomweb-client"} <= set(inside)
    assert not {"pytest", "ruff", "monai", "ray"} & set(inside)
    pins = dict(
        row.split("==") for row in (ROOT / "constraints.txt").read_text().splitlines() if "==" in row[:60]
    )
    other = {n: v for n, v in inside.items() if n in pins and v.partition("+")[0] != pins[n]}
    assert not other


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.weights
def test_it_segments(built: Path, tmp_path: Path) -> None:
    from PIL import Image

    case = phantom.make("chest", np.random.default_rng(5), size=256)
    Image.fromarray(case.image).save(tmp_path / "chest.png")
    (tmp_path / "report.txt").write_text(case.report, encoding="utf-8")
    words = ("-i", tmp_path / "chest.png", "-r", tmp_path / "report.txt", "-o", tmp_path / "out")
    done = run(built, "segment", *words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "overlay.png").is_file()
    assert run(built, "mcp").returncode == 2  # installed, and asks for --root


@contextmanager
def serving(venv: Path, port: int, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The image's own command, with its places put below ``folder``."""
    command = json.loads(of("CMD", 2)[0].rest)
    places = {"/data": str(folder / "data"), "/run/secrets/medsegr-keys": str(folder / "keys")}
    words = [places.get(word, word) for word in command]
    (folder / "keys").write_text(f"me admin {hashlib.sha256(b'a made key').hexdigest()}\n", encoding="utf-8")
    (folder / "keys").chmod(0o600)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(venv / "bin" / "medsegr"), *words, "--port", str(port)]
    process = subprocess.Popen(command, env=env, cwd=folder, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(120)


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.weights
def test_it_serves_and_is_found_healthy(built: Path, tmp_path: Path) -> None:
    check = json.loads(re.sub(r"^(--\S+\s+)*CMD\s+", "", of("HEALTHCHECK", 2)[0].rest))
    port = free_port()
    words = [word.replace(":1527", f":{port}") for word in check]
    words[0] = str(built / "bin" / words[0])
    with serving(built, port, tmp_path) as process:
        until = time.monotonic() + 180
        while (sick := subprocess.run(words, capture_output=True, check=False).returncode) != 0:
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.5)
        assert sick == 0
    assert subprocess.run(words, capture_output=True, check=False).returncode != 0
