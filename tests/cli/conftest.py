"""The command line in this process: run it, and see code, stdout and stderr."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from medsegr.cli.main import main

REPORT = (
    "FINDINGS: Hazy opacity in the left lung. No pneumothorax. Possible nodule in the right upper lobe.\n"
)


def pixels(path: Path) -> np.ndarray:
    """A picture file as an array."""
    with Picture.open(path) as picture:
        return np.asarray(picture).copy()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small grey picture."""
    path = tmp_path / "source.png"
    Picture.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64), dtype=np.uint8)).save(path)
    return path


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def fails(self, code: int, word: str) -> None:
        """One line on stderr with this word, nothing else, and this exit code."""
        assert self.code == code, self
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        assert word in lines[0]


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str | Path) -> Ran:
        capsys.readouterr()
        code = main([str(word) for word in words])
        seen = capsys.readouterr()
        return Ran(code, seen.out, seen.err)

    return call


@pytest.fixture(name="pixels")
def pixels_of() -> Callable[[Path], np.ndarray]:
    return pixels


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    values = np.random.default_rng(0).integers(0, 255, (40, 60), dtype=np.uint8)
    Picture.fromarray(values).save(path)
    return path


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_text(REPORT, encoding="utf-8")
    return path
