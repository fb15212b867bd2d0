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
    ],
)
def test_refusals(run: Any, words: tuple[str, ...], code: int) -> None:
    ran = run("parse", *words)
    ran.fails(code, "")
    assert "nowhere" not in ran.err
