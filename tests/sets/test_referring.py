"""Referring sets: the words fit one thing, the masks are where they say, groups keep patients together."""

import json

import numpy as np
import pytest

from made_sets import disc, everything, picture, rows_of
from medsegr.errors import InputError, UsageError
from medsegr.report.parse import parse, skip_reason
from medsegr.sets.referring import KINDS, SETS, WHAT, Wish, clusters, write_referring
from medsegr.types import COLS, ROWS

POLYPS = [[("polyp", [(40 + 8 * i, 40, 14)])] for i in range(6)]


def build(folder, tmp_path, kind, name, out="out", **wish):
    assert folder.is_dir()
    asked = Wish(kind, (name,), "all", **wish)
    count = write_referring(tmp_path / "data", asked, tmp_path / out)
    table = rows_of(tmp_path / out / "samples.csv")
    assert len(table) == count
    return table


def mask_of(tmp_path, path):
    return picture(tmp_path / "out" / path) > 0


def read_alone(row):
    found = parse(row["text"], modality=row["modality"] or None, frame=row["frame"]).findings
    (one,) = [f for f in found if skip_reason(f) is None]
    assert one.name == row["target"]
    return one


def in_place(mask, finding):
    y, x = (np.argwhere(mask).mean(0) + 0.5) / mask.shape
    rows, cols = finding.location.rows, finding.location.cols
    return (not rows or ROWS[int(3 * y)] in rows) and (not cols or COLS[int(3 * x)] in cols)


def test_every_kind_has_its_words():
    assert set(KINDS) == set(SETS) == set(WHAT)


def test_structures(make_set, tmp_path):
    organs = [("left lung", [(80, 120, 25)]), ("right lung", [(80, 40, 25)]), ("airways", [(30, 80, 8)])]
    folder = make_set("chest", "chest X-ray", [organs, organs[:1]], colour=False)
    table = build(folder, tmp_path, "structures", "chest")
    assert {row["phrase"] for row in table} == {"left lung", "right lung", "airways"}
    assert {row["oracle"] for row in table} == {"0"}
    for row in table:
        finding = read_alone(row)
        assert len(row["others"].split(";")) == 2
        side = {"left": (80, 120), "right": (80, 40), None: (30, 80)}[finding.location.side]
        assert mask_of(tmp_path, row["mask"])[side]


def test_nuclei(make_set, tmp_path):
    near = [(25, 25, 8), (25, 43, 8), (40, 30, 8)]
    folder = make_set("cells", "fluorescence microscopy", [[("nuclei", [*near, (130, 130, 9)])]])
    table = build(folder, tmp_path, "nuclei", "cells")
    assert len(table) == 2
    told = {json.loads(row["attributes"])["shape"]["count"]: row for row in table}
    assert np.array_equal(mask_of(tmp_path, told[3]["mask"]), disc(160, *near))
    assert "three" in told[3]["phrase"]
    for row in table:
        assert in_place(mask_of(tmp_path, row["mask"]), read_alone(row))
        assert not in_place(mask_of(tmp_path, row["others"]), read_alone(row))


def test_a_picture_with_one_cluster_asks_nothing(make_set, tmp_path):
    one, two = [("nuclei", [(30, 30, 8)])], [("nuclei", [(30, 30, 8), (130, 130, 9)])]
    table = build(make_set("cells", "microscopy", [one, two, one]), tmp_path, "nuclei", "cells")
    assert {row["image"] for row in table} == {"images/cells_p1.png"}


def test_clusters():
    single = 1 * disc(160, (30, 30, 8)) + 2 * disc(160, (30, 48, 8)) + 3 * disc(160, (100, 100, 8))
    found = clusters(single)
    assert sorted(len(np.unique(single[mask])) for mask in found) == [1, 2]
    assert clusters(np.zeros((8, 8), int)) == []


def test_polyps(make_set, tmp_path):
    several = [[("polyp", [(35, 35, 14), (125, 125, 14)])]]
    folder = make_set("polyps", "colonoscopy", POLYPS + several, groups=["a", "b", "c", "d", "e", "a", "g"])
    table = build(folder, tmp_path, "polyps", "polyps", seed=2)
    made = [row for row in table if "made:" in row["notes"]]
    assert made
    assert len(table) - len(made) == 2
    for row in table:
        finding = read_alone(row)
        assert row["notes"].startswith("oracle")
        assert in_place(mask_of(tmp_path, row["mask"]), finding)
        assert not any(in_place(mask_of(tmp_path, path), finding) for path in row["others"].split(";"))
    group = {row["image"]: row["group"] for row in table}
    own = {i: group.get(f"images/polyps_p{i}.png") for i in (0, 5)}
    assert own == {0: "polyps/a", 5: "polyps/a"}  # one patient, one group


def test_lesions_that_the_words_do_not_part_are_left_out(make_set, tmp_path):
    twins = [[("polyp", [(30, 20, 9), (30, 45, 9), (130, 130, 9)])]]
    folder = make_set("polyps", "colonoscopy", twins)
    (row,) = build(folder, tmp_path, "lesions", "polyps")
    assert mask_of(tmp_path, row["mask"])[130, 130]
    make_set("one", "colonoscopy", POLYPS[:1])
    with pytest.raises(InputError, match="no image"):
        write_referring(tmp_path / "data", Wish("lesions", ("one",), "all"), tmp_path / "none")


def test_mosaics(make_set, tmp_path):
    make_set("polyps", "colonoscopy", [[("polyp", [(80, 80, 20)])]] * 9)
    make_set("breast", "breast ultrasound", [[("breast tumor", [(80, 80, 20)])]] * 4, colour=False)
    wish = Wish("mosaics", ("polyps", "breast"), "all", seed=3)
    write_referring(tmp_path / "data", wish, tmp_path / "out")
    table = rows_of(tmp_path / "out" / "samples.csv")
    decided = {row["notes"].rpartition("; ")[2] for row in table}
    assert "the place decides" in decided
    for row in table:
        finding, by_name = read_alone(row), "the name decides" in row["notes"]
        assert row["oracle"] == str(int(not by_name))
        assert in_place(mask_of(tmp_path, row["mask"]), finding)
        if "the place decides" in row["notes"]:
            rivals = [r for r in row["others"].split(";") if in_place(mask_of(tmp_path, r), finding)]
            names = {r["mask"]: r["target"] for r in table}
            assert not [r for r in rivals if names.get(r) == row["target"]]
        if by_name:
            assert not (finding.location.rows)
            assert not (finding.location.cols)
    shapes = {picture(tmp_path / "out" / row["image"]).shape[:2] for row in table}
    assert shapes <= {(512, 256), (256, 512), (512, 512)}


def test_seed_and_count(make_set, tmp_path):
    folder = make_set("polyps", "colonoscopy", POLYPS)
    for out, seed in (("a", 1), ("b", 1)):
        build(folder, tmp_path, "polyps", "polyps", out, seed=seed, count=2)
    assert everything(tmp_path / "a") == everything(tmp_path / "b")
    assert len(list((tmp_path / "a" / "images").iterdir())) == 2


def test_unknown_kinds_are_refused(tmp_path):
    with pytest.raises(UsageError, match="structures"):
        write_referring(tmp_path, Wish("words"), tmp_path / "out")
    with pytest.raises(InputError, match=r"no set polyp_kvasir_seg; .* name others with --sets"):
        write_referring(tmp_path, Wish("polyps"), tmp_path / "out")
    with pytest.raises(InputError, match="no such folder"):
        write_referring(tmp_path / "nowhere", Wish("polyps"), tmp_path / "out")
