"""The page stands alone, escapes what it is given, and shows what there is."""

import csv
import re
from pathlib import Path

import pytest

from bench_sets import Square, add, disc, picture, ready, write_rows
from medsegr.bench import run as bench
from medsegr.bench import svg
from medsegr.bench.methods import Method
from medsegr.bench.results import COLUMNS, write_all


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose file names try to be HTML."""
    folder = tmp_path / "s"
    names = ["<script>alert(1)<&script>", "b&b", "plain"]
    rows = [add(folder, n, picture(i), disc((15 + 10 * i, 20), 7)) for i, n in enumerate(names)]
    rows.append(add(folder, "none", picture(7), disc((9, 9), 3) & False))
    monkeypatch.setattr(bench, "built", lambda *_: ready(Square()))
    asked = bench.Plan(
        (write_rows(folder, rows),), (Method("square", "square"),), split="all", leaks="off", device="cpu"
    )
    bench.run(asked, tmp_path / "out")
    return tmp_path


def test_it_stands_alone(judged: Path) -> None:
    write_all(judged / "out", {"s": judged / "s"})
    text = (judged / "out/index.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert not re.findall(r"""(?:src|href)=["'](?!data:image/jpeg)""", text)
    assert "http" not in text.replace("http-equiv", "")
    assert (
        text.count('<img src="data:image/jpeg;base64,') == 4
    )  # best, median, worst, largest effect of words
    for words in (
        "oracle",
        "contradictory",
        "Worth its cost",
        "Not a medical device",
        "By area of the target",
    ):
        assert words in text


def test_without_the_set_there_are_words_instead_of_pictures(judged: Path) -> None:
    write_all(judged / "out", {})
    text = (judged / "out/index.html").read_text(encoding="utf-8")
    assert "<img" not in text
    assert "its picture could not be read" in text


def test_what_failed_is_told_at_the_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "s"
    rows = [add(folder, name, picture(i), disc((15, 20), 7)) for i, name in enumerate("abc")]
    write_rows(folder, rows)
    (folder / rows[1]["image"]).write_bytes(b"")
    monkeypatch.setattr(bench, "built", lambda *_: ready(Square()))
    asked = bench.Plan((folder,), (Method("square", "square"),), split="all", leaks="off", device="cpu")
    bench.run(asked, tmp_path / "out")
    write_all(tmp_path / "out", {"s": folder})
    head = (tmp_path / "out/index.html").read_text(encoding="utf-8").partition("<h2>")[0]
    assert "Not everything was judged, see what failed below: 1 of square." in head
    assert "at most" not in head


def test_scores_as_a_table(judged: Path) -> None:
    write_all(judged / "out", {})
    with (judged / "out/scores.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert tuple(rows[0]) == COLUMNS
    assert {row["words"] for row in rows} == {"oracle", "name"}
    absent = [row for row in rows if row["image"] == "s/images/none.png" and row["control"] == "right"]
    assert [(row["dice"], row["drawn"]) for row in absent] == [("", "True")]


def test_plots_show_what_is_missing() -> None:
    text = svg.dots("a <b>", [("one", 0.5, 0.4, 0.6), ("two", None, None, None)])
    assert "no value" in text
    assert "a &lt;b&gt;" in text
    assert "<polyline" in svg.reliability("r", [None, 0.5], [None, 0.4], [0, 3])
