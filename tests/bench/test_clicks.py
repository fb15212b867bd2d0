"""The simulated annotator, and the table that is made of what it does."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from made_discs import Disc
from medsegr.bench import click_table
from medsegr.bench.clicks import MODES, Plan, box_of, clicked, count, next_click, run
from medsegr.bench.samples import Wanted
from medsegr.cli.main import main
from medsegr.errors import InputError, UsageError
from medsegr.io.read import image_from_array
from medsegr.phantom import KINDS
from medsegr.report.describe import finding_from
from medsegr.samples.drawn import Marks

MASKS = arrays.arrays(bool, (9, 12))


@given(MASKS, MASKS)
def test_the_click_is_in_what_is_wrong(mask: np.ndarray, truth: np.ndarray) -> None:
    click = next_click(mask, truth)
    if click is None:
        assert (mask == truth).all()
        return
    x, y, inside = click
    assert truth[int(y), int(x)] == bool(inside)
    assert mask[int(y), int(x)] != bool(inside)


def test_it_clicks_into_the_middle_of_the_largest_piece() -> None:
    truth = np.zeros((20, 30), bool)
    truth[2:9, 3:10] = True
    assert next_click(np.zeros_like(truth), truth) == (6.0, 5.0, 1)
    mask = truth.copy()
    mask[10:20, 15:30] = True
    click = next_click(mask, truth)
    assert click is not None
    assert click[2] == 0
    assert box_of(truth) == (3.0, 2.0, 10.0, 9.0)


def test_a_run_goes_on_and_tells(tmp_path: Path) -> None:
    plan = Plan(phantoms=1, targets=1, most=3)
    assert count(plan) == len(KINDS)
    rows = run(plan, Disc(), tmp_path / "out")
    assert {row["mode"] for row in rows} == set(MODES)
    assert all(1 <= len(row["dice"]) <= 4 for row in rows)
    boxed = [row["dice"][0] for row in rows if row["mode"] == "box"]
    assert np.mean(boxed) > 0.5
    before = (tmp_path / "out" / "images.jsonl").read_text(encoding="utf-8")
    assert run(plan, Disc(), tmp_path / "out") == rows
    assert (tmp_path / "out" / "images.jsonl").read_text(encoding="utf-8") == before
    with pytest.raises(UsageError, match="asked otherwise"):
        run(Plan(phantoms=1, targets=1, most=4), Disc(), tmp_path / "out")
    told = click_table.write_all(tmp_path / "out", rows, {"name": "disc"}, plan.most)
    part = told["sets"]["phantoms"]
    assert {one["question"] for one in part["questions"]} == {q[0] for q in click_table.QUESTIONS}
    assert json.loads((tmp_path / "out" / "clicks.json").read_text(encoding="utf-8")) == told
    assert "<table>" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    lines = (tmp_path / "out" / "clicks.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + sum(len(row["dice"]) for row in rows)
    assert any("words and 1 click" in line for line in click_table.lines(told))
    said = "\n".join(click_table.lines(told))
    assert "Dice@3" in said
    assert "Dice@5" not in said  # three clicks were made at most
    assert list(part["modes"]["words"]["dice"]) == ["0", "1", "3"]
    fewer = click_table.summary(rows, 2)["phantoms"]["questions"]
    assert not any("3 clicks" in one["question"] for one in fewer)


def test_nobody_clicks_where_nobody_judged() -> None:
    image = image_from_array(np.zeros((32, 32), np.uint8), modality="US")
    truth = np.hypot(*np.mgrid[-16:16, -16:16]) <= 4
    name = finding_from({"name": "polyp", "location": {"side_frame": "viewer"}})
    rest = Wanted("polyp", name, name, Marks(truth, ~truth), "name")
    assert clicked(Disc(), image, rest, "words") == [1.0]  # a disc of 6 pixels holds it
    whole = replace(rest, marks=Marks(truth))
    assert clicked(Disc(), image, whole, "words", 2)[0] < 1


def test_one_group_has_no_interval() -> None:
    rows = [
        {
            "set": "s",
            "image": f"i{i}",
            "group": "one",
            "target": "polyp",
            "mode": mode,
            "dice": [0.2, 0.5 + i / 10],
        }
        for i in range(2)
        for mode in MODES
    ]
    told = {
        "sets": click_table.summary(rows, 1),
        "model": {"name": "m"},
        "most": 1,
        "words": [],
        "failures": [],
    }
    part = told["sets"]["s"]
    assert part["modes"]["words"]["dice"]["1"] == {"mean": pytest.approx(0.55), "low": None, "high": None}
    assert all(one["low"] is None for one in part["questions"])
    said = "\n".join(click_table.lines(told))
    assert "0.550 [one group]" in said
    assert (
        said.count("[one group]")
        == click_table.page(told).count("[one group]")
        == 2 * len(MODES) + len(part["questions"])
    )


def test_counting_clicks() -> None:
    row = {"dice": [0.2, 0.81, 0.7, 0.9]}
    assert click_table.noc(row, 0.8, 20) == (1, False)
    assert click_table.noc(row, 0.9, 20) == (3, False)
    assert click_table.noc(row, 0.9, 2) == (2, True)
    assert click_table.noc(row, 0.95, 20) == (20, True)
    assert click_table.dice_after(row, 10) == 0.9


def test_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to judge"):
        run(Plan(), Disc(), tmp_path / "out")
    assert main(["bench", "clicks", "-o", str(tmp_path / "x")]) == 2


@given(st.integers(0, 3))
def test_an_annotator_is_deterministic(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask, truth = rng.random((2, 40, 40)) > 0.5
    assert next_click(mask, truth) == next_click(mask, truth)
