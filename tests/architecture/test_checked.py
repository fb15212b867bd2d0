"""The checker of types and shapes: it stands behind every room that states shapes; and reading and writing
hold to their annotations, too, which one run with the checker behind everything shows.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
from PIL import Image as Picture

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
ALL = """
import sys
from jaxtyping import install_import_hook
install_import_hook(["medsegr"], "typechecking.checked")
import medsegr.cli.main
code = medsegr.cli.main.main(sys.argv[1:])
assert type(medsegr.report.parse.parse).__name__ == "function"
assert hasattr(medsegr.report.parse.parse, "__wrapped__"), "it was not checked"
sys.exit(code)
"""
REPORT = """CLINICAL HISTORY: Cough. Prior right upper lobe nodule, resolved.
COMPARISON: CT of 1 May.
FINDINGS: Ill-defined 12 x 9 mm ground-glass opacity in the right lower lobe, increased. No pneumothorax.
Possible small left pleural effusion; cannot exclude consolidation. Two calcified nodules, left upper zone.
IMPRESSION: 1. Opacity on the right. 2. Heart size is normal.
"""


def listed() -> tuple[list[str], str]:
    """The rooms that pyproject.toml names, and the checker."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (words,) = (w for w in told["tool"]["pytest"]["ini_options"]["addopts"] if "--jaxtyping-packages" in w)
    *rooms, checker = words.partition("=")[2].split(",")
    return rooms, checker


def stating() -> set[str]:
    """The modules that state shapes."""
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        for path in (SOURCE / "medsegr").rglob("*.py")
        if "from jaxtyping import" in path.read_text(encoding="utf-8")
    }


def test_every_room_that_states_shapes_is_checked_and_no_other_is_named() -> None:
    rooms, checker = listed()
    assert checker == "typechecking.checked"
    modules = stating()
    inside = {room: {m for m in modules if m == room or m.startswith(f"{room}.")} for room in rooms}
    assert modules == set().union(*inside.values())
    assert all(inside.values()), inside


def test_the_command_line_holds_to_its_annotations(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (40, 60), dtype=np.uint8)
    Picture.fromarray(values).save(tmp_path / "a.png")
    (tmp_path / "r.txt").write_text(REPORT, encoding="utf-8")
    words = ("segment", "-i", "a.png", "-r", "r.txt", "-o", "out", "--modality", "CR", "--model", "threshold")
    ran = subprocess.run(
        [sys.executable, "-c", ALL, *words, "--format", "png,nifti,nrrd,fhir"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), str(ROOT / "tests")])},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "out" / "findings.json").is_file()
