"""``medsegr parse``: the same findings one by one, as JSON, as a table and in bulk."""

import json
from pathlib import Path
from typing import Any

import pytest


def test_json_of_a_file(run: Any, report: Path) -> None:
    told = run("parse", "-r", report, "--json").json
    assert told["schema"] == "medsegr.parse/1"
    text = report.read_text()
    by_name = {f["name"]: f for f in told["findings"]}
    assert by_name["pneumothorax"]["reason"] == "absent"
    assert by_name["nodule"]["reason"] == "uncertain"
    assert by_name["opacity"]["reason"] is None
    for item in told["findings"]:
        assert text[slice(*item["span"])] == item["phrase"]
        assert isinstance(item["parents"], list)


def test_a_table_for_a_person(run: Any) -> None:
    out = run("parse", "-t", "Nodule in the left lung. No effusion.").out
    assert out.splitlines()[0].split() == ["id", "polarity", "side", "concept", "reason", "phrase"]
    assert len(out.splitlines()) == 3
    assert run("parse", "-t", "Thank you.").out.strip() == "no findings"


def test_a_passage_by_no_known_name_is_listed(run: Any) -> None:
    text = "The right hilum is wrongled. Nodule in the left lung."
    out = run("parse", "-t", text).out
    assert out.splitlines()[-1].split(maxsplit=3) == ["-", "unread", "?", "The right hilum is wrongled"]
    told = run("parse", "-t", text, "--json").json
    assert told["unread"] == [{"phrase": "The right hilum is wrongled", "span": [0, 27]}]
    assert told["report"]["unread"] == [[0, 27]]
    assert "passage_unread" in [note["code"] for note in told["warnings"]]


def test_many_inline_reports(run: Any, tmp_path: Path) -> None:
    jobs, out = tmp_path / "jobs.jsonl", tmp_path / "parsed.jsonl"
    lines: list[dict[str, Any]] = [
        {"id": "1", "report": "FINDINGS: Nodule in the left lung.", "modality": "DX", "extra": 1},
        {"id": 2, "text": "No pneumothorax."},
        {"id": "3", "report": ""},
    ]
    jobs.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert run("parse", "--jobs", jobs, "-o", out).code == 0
    told = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["id"] for row in told] == ["1", 2, "3"]
    assert [[f["name"] for f in row["findings"]] for row in told] == [["nodule"], ["pneumothorax"], []]
    assert run("parse", "--jobs", jobs).out == out.read_text()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("-t", "x", "-r", "y"), 2),
        (("-r", "/nowhere/at/all.txt"), 3),
        (("--jobs", "/nowhere/at/all.jsonl"), 3),
        (("-t", "x", "--frame", "doctor"), 2),
        (("-t", "x", "--modality", "crystal"), 2),
        (("-t", " "), 2),
    ],
)
def test_refusals(run: Any, words: tuple[str, ...], code: int) -> None:
    ran = run("parse", *words)
    ran.fails(code, "")
    for typed in (word for word in words if "nowhere" in word):
        assert ran.err.startswith(f"error: {typed}: ")
        assert "nowhere" not in run("parse", *words, "--log-json").err  # a log line carries no names


def test_warnings_reach_a_person_too(run: Any, tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_bytes("Nodule. Größe 5 mm.".encode("latin-1"))
    assert "report_encoding" in run("parse", "-r", tmp_path / "r.txt").err
    assert "nothing_read" in run("parse", "-t", "Thank you.").err
    assert run("parse", "-t", "Thank you.", "-q").err == ""


def test_a_phrase_cannot_command_the_terminal(run: Any) -> None:
    ran = run("parse", "-t", "Opacity \x1b[31m in the \u202eleft lung.")
    assert "opacity" in ran.out
    assert not {"\x1b", "\u202e"} & set(ran.out)


def test_a_report_of_too_many_findings_is_refused(run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    from medsegr import words

    monkeypatch.setattr(words, "MOST_FINDINGS", 2)
    run("parse", "-t", "Nodule. Mass. Opacity.").fails(3, "3 findings")
    assert run("parse", "-t", "Nodule. Mass.").code == 0
