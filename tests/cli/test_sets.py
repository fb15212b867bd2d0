"""``medsegr sets``: both kinds from the command line, and what is refused."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture


@pytest.fixture(name="polyps")
def polyps_of(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "polyps"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    yy, xx = np.mgrid[:120, :120]
    rows = []
    for i in range(2):
        mask = ((yy - 30) ** 2 + (xx - 30) ** 2 < 150) | ((yy - 90) ** 2 + (xx - 90 + 4 * i) ** 2 < 200)
        Picture.fromarray(np.stack([90 + 100 * mask] * 3, -1).astype(np.uint8)).save(
            folder / f"images/{i}.png"
        )
        Picture.fromarray(mask.astype(np.uint8) * 255).save(folder / f"masks/{i}.png")
        rows.append(f"{i},images/{i}.png,masks/{i}.png,polyp,colonoscopy,dev")
    head = "id,image,mask,target,modality,split\n"
    (folder / "samples.csv").write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    return folder


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "samples.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_reports(run: Any, polyps: Path, tmp_path: Path) -> None:
    ran = run("sets", "reports", polyps, "-o", tmp_path / "out", "--seed", "3")
    assert ran.code == 0, ran
    rows = table(tmp_path / "out")
    assert f"{len(rows)} described" in ran.out
    assert all(row["oracle"] == "1" and row["phrase"] in row["text"] for row in rows)
    one = run("sets", "reports", polyps, "-o", tmp_path / "one", "--whole", "--count", "1", "-q")
    assert (one.code, one.out) == (0, "")
    (row,) = table(tmp_path / "one")
    assert json.loads(row["attributes"])["shape"]["count"] == 2


def test_referring(run: Any, polyps: Path, tmp_path: Path) -> None:
    words = ("sets", "referring", "--kind", "lesions", "--data", polyps.parent, "--sets", "polyps")
    ran = run(*words, "-o", tmp_path / "out")
    assert ran.code == 0, ran
    assert len(table(tmp_path / "out")) == 4
    run(*words, "-o", tmp_path / "out").fails(3, "not empty")


def test_refusals_leave_nothing(run: Any, polyps: Path, tmp_path: Path) -> None:
    run("sets", "reports", tmp_path / "data", "-o", tmp_path / "out").fails(3, "samples.csv")
    run("sets", "reports", polyps, "-o", tmp_path / "out", "--part", "test").fails(2, "training")
    words = ("sets", "referring", "--data", polyps.parent, "-o", tmp_path / "out")
    run(*words, "--kind", "words").fails(2, "structures")
    run(*words, "--kind", "polyps").fails(3, "no set polyp_kvasir_seg")
    assert not (tmp_path / "out").exists()
    assert run("sets", "referring", "--help").code == 0
