"""What docs/how-to/serve.md tells to type at a shell does what it says, against a server that listens."""

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from live import Live, running
from medsegr.phantom import make
from medsegr.serve.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "serve.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    data = tmp_path_factory.mktemp("data")
    with running(Settings(data_dir=data, model="threshold", workers=0)) as server:
        yield server


@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl", "jq"))), reason="needs bash, curl and jq")
@pytest.mark.parametrize("block", BLOCKS, ids=["ask", "correct"])
def test_blocks_do_what_they_say(block: str, live: Live, tmp_path: Path) -> None:
    case = make("chest", np.random.default_rng(5), size=128)
    Image.fromarray(case.image).save(tmp_path / "chest.png")
    (tmp_path / "report.txt").write_text(case.report, encoding="utf-8")
    environment = {**os.environ, "URL": live.url, "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.replace("curl -s", "curl -sS --fail-with-body")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if "result.zip" in block:
        assert "event: end" in done.stdout
        assert "findings.json" in zipfile.ZipFile(tmp_path / "result.zip").namelist()
        assert (tmp_path / "measurements.csv").read_text(encoding="utf-8").startswith("id,")
    else:
        assert re.search(r"^j[\w-]{22}$", done.stdout, re.MULTILINE)
