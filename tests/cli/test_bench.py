"""``medsegr bench reports`` on a few made reports."""

import sys
from pathlib import Path
from typing import Any

import pytest

BODY = """uid,MeSH,findings,impression
1,Opacity/lung/base/left,There is a patchy opacity in the left lung base.,
2,normal,Lungs are clear. No effusion.,No acute disease.
3,Pleural Effusion/right/small,,Small right pleural effusion.
"""


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    path = tmp_path / "reports.csv"
    path.write_text(BODY, encoding="utf-8")
    return path


def test_scores_of_every_reader(run: Any, reports: Path) -> None:
    ran = run("bench", "reports", "--reports", reports, "--json")
    assert ran.code == 0
    told = ran.json["readers"]
    assert set(told) == {"medsegr", "keywords"}
    assert (told["medsegr"]["f1"], told["medsegr"]["side"], told["medsegr"]["clean"]) == (1, 1, 1)
    assert told["medsegr"]["reports"] == 3


def test_a_line_a_number_and_a_row_a_concept(run: Any, reports: Path) -> None:
    short = run("bench", "reports", "--reports", reports).out
    assert "micro F1" in short
    assert "pleural effusion" not in short
    assert "pleural effusion" in run("bench", "reports", "--reports", reports, "--table").out


def test_refusals(run: Any, reports: Path, tmp_path: Path) -> None:
    run("bench", "reports", "--reports", tmp_path / "none.csv").fails(3, "cannot be read")
    run("bench", "reports", "--reports", reports, "--peer", "nobody").fails(2, "negspacy")
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    run("bench", "reports", "--reports", other).fails(3, "MeSH")


def test_a_missing_peer_is_named(run: Any, reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    ran = run("bench", "reports", "--reports", reports, "--peer", "negspacy")
    assert ran.code != 0
    assert "medsegr[dev]" in ran.err


def test_help(run: Any) -> None:
    assert "reports" in run("bench", "--help").out
    assert "--peer" in run("bench", "reports", "--help").out


def test_peers_refuses_what_cannot_be_compared(run: Any, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[phantoms]\ncells = 1.0\n", encoding="utf-8")
    begin = ("bench", "peers", "--config", config, "-o", tmp_path / "out")
    run(*begin).fails(2, "exactly one budget")
    run(*begin, "--minutes", "1", "--methods", tmp_path / "none.toml").fails(3, "none.toml")
    run("bench", "peers", "--config", tmp_path / "none", "-o", tmp_path / "out", "--minutes", "1").fails(
        3, "configuration"
    )
    run(*begin, "--steps", "1", "--controls", "right,rong").fails(
        2, "'rong' is not known; known are all, right"
    )
    assert not (tmp_path / "out" / "peers.json").exists()
    assert "--minutes" in run("bench", "peers", "--help").out
