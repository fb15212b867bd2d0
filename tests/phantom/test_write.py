"""A written set: columns, files, exactness, repeatability."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made_sets import everything
from medsegr import phantom
from medsegr.errors import UsageError
from medsegr.phantom.write import COLUMNS, case_of


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_tables_and_files_agree(kind: str, tmp_path: Path) -> None:
    steps = []
    path = phantom.write_set(
        kind, 5, 4, 96, tmp_path, progress=lambda done, count: steps.append((done, count))
    )
    assert path == tmp_path / "samples.csv"
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert path.read_text(encoding="utf-8").splitlines()[0] == (
        "id,image,mask,text,phrase,target,modality,frame,others,attributes,split,group,notes"
    )
    table = rows(path)
    assert len({r["id"] for r in table}) == len(table)
    for row in table:
        assert set(row) == set(COLUMNS)
        assert row["phrase"] in row["text"]
        attributes = json.loads(row["attributes"])
        assert attributes["name"] == row["target"] == attributes["stated"]["name"]
        for name in [row["image"], row["mask"], *filter(None, row["others"].split(";"))]:
            assert (tmp_path / name).is_file()
        assert row["mask"] not in row["others"].split(";")
        assert (row["split"], row["notes"]) == ("dev", "5")
    assert "drawn by" in (tmp_path / "SOURCE.md").read_text(encoding="utf-8")
    assert not list(tmp_path.glob("*.part"))


def test_masks_and_images_are_those_of_the_case(tmp_path: Path) -> None:
    phantom.write_set("mucosa", 2, 2, 96, tmp_path)
    case = case_of("mucosa", 2, 1, 96)
    mine = [r for r in rows(tmp_path / "samples.csv") if r["group"] == "mucosa_2_00001"]
    told = [x for x in case.lesions if x.phrase is not None]
    assert [r["phrase"] for r in mine] == [x.phrase for x in told]
    for row, lesion in zip(mine, told, strict=True):
        drawn = np.asarray(Image.open(tmp_path / row["mask"]))
        assert np.array_equal(drawn, np.where(lesion.mask, 255, 0))
        assert np.array_equal(np.asarray(Image.open(tmp_path / row["image"])), case.image)
        assert len(list(filter(None, row["others"].split(";")))) == len(case.lesions) - 1


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("chest", {"right lung", "left lung", "heart"}),
        ("abdomen", {"liver", "spleen", "right kidney", "left kidney"}),
        ("thorax", {"right lung", "left lung"}),
        ("brain", {"brain"}),
    ],
)
def test_organs_have_a_table_of_their_own(kind: str, names: set[str], tmp_path: Path) -> None:
    phantom.write_set(kind, 1, 2, 96, tmp_path)
    table = rows(tmp_path / "organs.csv")
    assert {r["phrase"] for r in table} == names
    assert kind in re.findall(r"[a-z]+", (tmp_path / "SOURCE.md").read_text().partition("organs.csv")[2])
    for row in table:
        side = json.loads(row["attributes"])["location"]["side"]
        assert row["phrase"] == (f"{side} {row['target']}" if side else row["target"])
        assert np.asarray(Image.open(tmp_path / row["mask"])).any()


def test_kinds_without_organs_write_no_organ_table(tmp_path: Path) -> None:
    phantom.write_set("cells", 1, 1, 96, tmp_path)
    assert not (tmp_path / "organs.csv").exists()


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_same_seed_same_bytes_and_count_changes_no_image(kind: str, tmp_path: Path) -> None:
    for name, count in (("a", 2), ("b", 2), ("c", 3)):
        phantom.write_set(kind, 9, count, 96, tmp_path / name)
    one, two, longer = (everything(tmp_path / n) for n in "abc")
    assert one == two
    pictures = [n for n in one if n.endswith(".png")]
    assert pictures
    assert all(longer[n] == one[n] for n in pictures)
    phantom.write_set(kind, 10, 2, 96, tmp_path / "d")
    assert everything(tmp_path / "d") != one


@pytest.mark.parametrize(("kind", "count", "size"), [("knee", 1, 128), ("chest", 0, 128), ("chest", 1, 8)])
def test_refused_arguments_leave_nothing_behind(kind: str, count: int, size: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        phantom.write_set(kind, 1, count, size, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_body_without_lesions_has_a_row_with_an_empty_mask_for_each_concept(tmp_path: Path) -> None:
    table = rows(phantom.write_set("thorax", 4, 12, 96, tmp_path))
    normal = [i for i in range(12) if not case_of("thorax", 4, i, 96).lesions]
    assert 0 < len(normal) < 12
    for i in range(12):
        mine = [r for r in table if r["group"] == f"thorax_4_{i:05d}"]
        drawn = [bool(np.asarray(Image.open(tmp_path / r["mask"])).any()) for r in mine]
        assert mine
        assert all(one == (i not in normal) for one in drawn)
        if i in normal:
            assert {r["target"] for r in mine} == {"lung tumour", "nodule"}
            assert all(r["phrase"] == r["text"] == r["target"] and not r["others"] for r in mine)
