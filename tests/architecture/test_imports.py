"""Listing, helping and reading reports cost no torch. Each case runs in a fresh interpreter and looks at what
was loaded.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "monai", "transformers", "torchvision", "timm")
PROBE = """
import json, sys
before = set(sys.modules)
{code}
loaded = sorted({{m.split(".")[0] for m in set(sys.modules) - before}})
print("LOADED " + json.dumps(loaded))
"""


def loaded_by(code: str, folder: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE.format(code=code)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last = [line for line in done.stdout.splitlines() if line.startswith("LOADED ")][-1]
    return set(json.loads(last.removeprefix("LOADED ")))


def command(*words: str) -> str:
    return f"from medsegr.cli.main import main\ncode = main({list(words)!r})\nassert code == 0, code"


CASES = {
    "import": "import medsegr",
    "version": "import medsegr; medsegr.__version__",
    "values": "import medsegr; medsegr.Image, medsegr.Finding",
    "cards": "import medsegr.registry; medsegr.registry.cards()",
    "help": command("--help"),
    "segment-help": command("segment", "--help"),
    "info": command("info"),
    "models": command("models", "list"),
    "parse": command("parse", "-r", "report.txt", "--json"),
}


@pytest.mark.parametrize("code", CASES.values(), ids=CASES.keys())
def test_no_torch(code: str, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text(
        "Small nodule in the left upper lobe. No pneumothorax.", encoding="utf-8"
    )
    assert not loaded_by(code, tmp_path) & set(HEAVY)


def test_importing_loads_nothing_of_others(tmp_path: Path) -> None:
    assert not loaded_by("import medsegr", tmp_path) & {"numpy", "scipy", "pydantic", "typer", "PIL"}


LEAN = {"numpy", "jaxtyping", "pydantic", "typer", "rich", "torch", "tomllib", "scipy", "PIL", "pydicom"}


@pytest.mark.parametrize(
    "flags", [("-t", "Nodule on the left"), ("-r", "report.txt", "--json"), ("-t", "no mass", "-q")]
)
def test_reading_a_report_from_the_shell_loads_little(flags: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("Small nodule. No pneumothorax, oedeema.", encoding="utf-8")
    assert not loaded_by(command("parse", *flags), tmp_path) & LEAN


def test_reading_a_report_in_python_loads_little(tmp_path: Path) -> None:
    code = "import medsegr; assert medsegr.parse('Small nodule.').findings; medsegr.Finding, medsegr.Report"
    assert not loaded_by(code, tmp_path) & LEAN


def test_the_probe_sees_torch(tmp_path: Path) -> None:
    assert "torch" in loaded_by("import torch", tmp_path)
