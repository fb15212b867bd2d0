"""Reports for a set: rows, masks, what is marked, and what is left alone."""

import json

import numpy as np
import pytest

from made_sets import disc, everything, picture, rows_of
from medsegr import data
from medsegr.errors import InputError
from medsegr.report.parse import parse, skip_reason
from medsegr.sets.reports import Writing, separate, write_reports

TWO = ("polyp", [(40, 40, 14), (120, 120, 20)])
PICTURES = [[TWO], [("polyp", [(80, 30, 16)])], [("polyp", [(30, 120, 12)])]]


def test_a_written_set(make_set, tmp_path):
    folder = make_set("polyps", "colonoscopy", PICTURES)
    steps = []
    rows, skipped = write_reports(folder, tmp_path / "out", Writing(), lambda: steps.append(1))
    table = rows_of(tmp_path / "out" / "samples.csv")
    assert (rows, skipped, len(steps)) == (len(table), 0, 3)
    for row in table:
        assert row["phrase"] in row["text"]
        assert row["oracle"] == "1"
        assert row["notes"].startswith("oracle")
        true = json.loads(row["attributes"])
        assert true["name"] == true["stated"]["name"] == row["target"] == "polyp"
        read = parse(row["text"], modality="ES").findings
        drawn = [f for f in read if skip_reason(f) is None]
        assert len(drawn) == sum(r["image"] == row["image"] for r in table)
        paths = [row["image"], row["mask"], *filter(None, row["others"].split(";"))]
        assert all((tmp_path / "out" / path).is_file() for path in paths)
        same = (folder / row["image"]).read_bytes() == (tmp_path / "out" / row["image"]).read_bytes()
        assert same
    cases = data.read_set(tmp_path / "out")
    assert sum(len(case.targets) for case in cases) == len(table)
    assert "oracle" in (tmp_path / "out" / "SOURCE.md").read_text(encoding="utf-8").lower()


def test_separate_lesions_are_lesions_of_their_own(make_set, tmp_path):
    folder = make_set("polyps", "colonoscopy", PICTURES[:1])
    for seed in range(4):
        write_reports(folder, tmp_path / f"{seed}", Writing(seed))
        for row in rows_of(tmp_path / f"{seed}" / "samples.csv"):
            mask, other = (picture(tmp_path / f"{seed}" / path) > 0 for path in (row["mask"], row["others"]))
            assert np.array_equal(mask | other, disc(160, *TWO[1]))
            assert not (mask & other).any()
    write_reports(folder, tmp_path / "whole", Writing(apart=False))
    (row,) = rows_of(tmp_path / "whole" / "samples.csv")
    assert row["others"] == ""
    assert json.loads(row["attributes"])["shape"]["count"] == 2


def test_the_same_seed_gives_the_same_bytes(make_set, tmp_path):
    folder = make_set("polyps", "colonoscopy", PICTURES)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_reports(folder, tmp_path / name, Writing(seed))
    assert everything(tmp_path / "a") == everything(tmp_path / "b") != everything(tmp_path / "c")


def test_what_is_empty_is_denied_and_organs_are_asked_for(make_set, tmp_path):
    pictures = [[("left lung", [(80, 120, 25)]), ("consolidation", [(90, 40, 12)]), ("pleural effusion", [])]]
    folder = make_set("chest", "chest X-ray", pictures, colour=False)
    seen = set()
    for seed in range(6):
        write_reports(folder, tmp_path / f"{seed}", Writing(seed))
        for row in rows_of(tmp_path / f"{seed}" / "samples.csv"):
            seen.add((row["target"], row["oracle"]))
            read = {f.name: f.polarity for f in parse(row["text"], modality="CR").findings}
            assert read["pleural effusion"] == "absent"
            if row["target"] == "lung":
                assert row["phrase"] == "left lung"
    assert seen == {("lung", "0"), ("consolidation", "1")}


def test_nothing_drawn_is_said(make_set, tmp_path):
    folder = make_set("polyps", "colonoscopy", [[("polyp", [])]])
    with pytest.raises(InputError, match="no image"):
        write_reports(folder, tmp_path / "out", Writing())
    assert not (tmp_path / "out" / "samples.csv").exists()


def test_crumbs_belong_to_the_nearest_lesion():
    mask = disc(160, (40, 40, 14), (120, 120, 20), (40, 60, 1))
    one, two = separate(mask)
    assert np.array_equal(one | two, mask)
    assert one[40, 60] != two[40, 60]
    assert (one if one[40, 40] else two)[40, 60]
    assert len(separate(disc(160, (40, 40, 14)))) == 1
    many = disc(160, *[(15 + 30 * (i // 5), 15 + 30 * (i % 5), 8) for i in range(15)])
    assert len(separate(many)) == 1
    assert len(separate(np.zeros((4, 5, 6), bool))) == 1
