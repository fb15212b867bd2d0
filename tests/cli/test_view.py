"""``medsegr view`` as a person types it: what is missing or foreign is one line; the rest is shown."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from medsegr.cli.main import main
from medsegr.io.read import read_image
from medsegr.report.parse import parse
from medsegr.results.record import save
from medsegr.serve import page
from medsegr.types import FindingResult, Result

pytest.importorskip("uvicorn", reason="the package uvicorn is not here (extra serve)")


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page that counts as built."""
    static = tmp_path / "static"
    static.mkdir()
    (static / "index.html").write_text("<title>page</title>", encoding="utf-8")
    monkeypatch.setattr(page, "STATIC", static)
    return static


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("name", "told"), [("none", "there is no such folder"), (".", "holds no manifest.json of medsegr")]
)
def test_what_is_no_result_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, told: str
) -> None:
    assert main(["view", str(tmp_path / name), "--no-browser"]) == 3
    assert told in capsys.readouterr().err


def test_without_the_page_it_says_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "STATIC", tmp_path)
    assert main(["view", str(tmp_path), "--no-browser"]) == 1
    assert "make viewer" in capsys.readouterr().err
    assert main(["view", str(tmp_path / "none"), "--no-browser"]) == 3
    assert "no such folder" in capsys.readouterr().err


def test_a_folder_is_served_until_it_is_ended_and_nothing_is_left(tmp_path: Path) -> None:
    if not (page.STATIC / "index.html").is_file():
        pytest.skip("the page was not built: run make viewer (needs nodejs and npm)")
    image = tmp_path / "a.png"
    Picture.fromarray(np.arange(80, dtype=np.uint8).reshape(8, 10)).save(image)
    read = read_image(image, modality="CR")
    words = parse("Nodule in the left lung.", modality="CR")
    mask = np.zeros(read.grid, bool)
    mask[2:4, 6:8] = True
    items = (FindingResult(words.findings[0], "segmented", mask=mask),)
    save(Result(read, words, items, {"name": "m", "sha256": "a", "licence": "x"}), tmp_path / "out")
    place = tmp_path / "tmp"
    place.mkdir()
    command = [sys.executable, "-m", "medsegr", "view", str(tmp_path / "out"), "-i", str(image)]
    server = subprocess.Popen(
        [*command, "--no-browser"],
        env={**os.environ, "TMPDIR": str(place)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        said = server.stdout.readline()  # it listens once it has said where
        found = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert found, said
        with urllib.request.urlopen(f"{found[0]}v1/jobs", timeout=120) as answer:
            (job,) = json.load(answer)["jobs"]
        with urllib.request.urlopen(f"{found[0]}v1/jobs/{job['id']}/view", timeout=120) as answer:
            view = json.load(answer)
        assert view["findings"][0]["phrase"] == "Nodule in the left lung"
        assert not view["image"]["blank"]
        assert list(place.iterdir())
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=120)
    assert list(place.iterdir()) == []
