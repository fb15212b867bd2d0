"""Many reports in one file: JSON lines, JSON arrays, CSV and TSV, and what is refused."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.cli import tables
from medsegr.cli.jobs import jobs_in
from medsegr.cli.tables import Columns, Row, columns_of, read_rows
from medsegr.errors import InputError, UsageError

LONG = "Nodule in the left lung."


def rows(tmp_path: Path, name: str, content: str | bytes, *columns: str, ids: str | None = None) -> list[Row]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_rows(path, columns_of(columns, ids)))


def refused(tmp_path: Path, name: str, content: str | bytes, *columns: str, ids: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        rows(tmp_path, name, content, *columns, ids=ids)
    told = str(caught.value)
    assert "\n" not in told
    assert "PLANTED" not in told
    return told


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", f'id,words\n1,{LONG}\n2,"a ""b"", c\r\nd"\n'),
        ("t.CSV", f'\ufeffid;words\r\n1;{LONG}\r\n\r\n2;"a ""b"", c\r\nd"'),
        ("t.tsv", f'id\twords\n1\t{LONG}\n2\t"a ""b"", c\r\nd"\n'),
        (
            "t.jsonl",
            json.dumps({"id": "1", "words": LONG})
            + "\n\n"
            + json.dumps({"id": "2", "words": 'a "b", c\r\nd'}),
        ),
        ("t.json", json.dumps([{"id": "1", "words": LONG}, {"id": "2", "words": 'a "b", c\r\nd', "x": [1]}])),
        ("t.json", ' [ {"id":"1","words":"' + LONG + '"}\n,{"id":"2","words":"a \\"b\\", c\\r\\nd"} ] \n'),
    ],
)
def test_a_column_of_every_format(tmp_path: Path, name: str, content: str) -> None:
    assert rows(tmp_path, name, content, "words") == [Row("1", LONG), Row("2", 'a "b", c\r\nd')]


def test_joined_columns_are_sections_with_their_places(tmp_path: Path) -> None:
    table = "Impression,key,Findings,other\nA mass.,k1,A nodule.,x\n,k2,A cyst.,y\n"
    first, second = rows(tmp_path, "t.csv", table, "Findings", "Impression", ids="key")
    assert first.text == "FINDINGS:\nA nodule.\n\nIMPRESSION:\nA mass.\n\n"
    assert {name: first.text[slice(*span)] for name, span in first.parts.items()} == {
        "Findings": "A nodule.",
        "Impression": "A mass.",
    }
    assert (second.id, second.text, list(second.parts)) == ("k2", "FINDINGS:\nA cyst.\n\n", ["Findings"])


def test_a_section_may_be_told(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, "t.csv", "a=b,txt2\nCough.,A mass.\n", "a=b=history", "txt2=findings")
    assert row.text == "HISTORY:\nCough.\n\nFINDINGS:\nA mass.\n\n"
    (row,) = rows(tmp_path, "t.csv", "findings\nA mass.\n", "findings")
    assert (row.text, row.parts) == ("A mass.", {})


@pytest.mark.parametrize("names", [("text1", "text2"), ("findings", "text2"), ("findings", "findings")])
def test_columns_that_cannot_be_joined(names: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--column"):
        columns_of(names)


def test_ids_are_numbers_where_there_are_none(tmp_path: Path) -> None:
    assert [r.id for r in rows(tmp_path, "t.csv", "a\nx\ny\n", "a")] == [1, 2]
    assert [r.id for r in rows(tmp_path, "t.json", '[{"a": "x"}, {"a": null}, {"a": 5}]', "a")] == [1, 2, 3]


def test_our_own_fields_need_no_column(tmp_path: Path) -> None:
    table = "id,report,modality,frame\n1,A mass.,CT,patient\n2,,,\n"
    assert rows(tmp_path, "t.csv", table) == [Row("1", "A mass.", "CT", "patient"), Row("2", "")]
    assert rows(tmp_path, "t.json", '[{"id": 3, "text": "A cyst.", "more": 1}]') == [Row(3, "A cyst.")]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.csv", "id,words\n1,a\n1,b\n", "stands in line 2 already"),
        ("t.csv", "id,words\nA,a\na,b\n", "stands in line 2 already"),
        ("t.csv", 'id,words\n1,"PLANTED"x\n', "line 2: a broken quote"),
        ("t.csv", 'id,words\n1,"PLANTED\n', "a broken quote"),
        ("t.csv", 'id,words\n1,"' + "a\n" * 100_000, "a cell of more than 131,072 characters"),
        ("t.csv", "id,words\n1,PLANTED,b\n", "line 2: it has 3 cells and the first row has 2"),
        ("t.csv", "id,words\n1,PLAN\0TED\n", "line 2: a NUL"),
        ("t.csv", "id,words,words\n1,a,b\n", "each once"),
        ("t.csv", "id,words\n1,Gr\xfcn\n".encode("latin-1"), "not UTF-8"),
        ("t.csv", "id,words\n1,a\n".encode("utf-16"), "not UTF-8"),
        ("t.csv", "id,words\n", "holds no job"),
        ("t.csv", "", "holds no job"),
        ("t.csv", "id, Words \n1,PLANTED\n", "did you mean 'Words'"),
        ("t.csv", "PLANTED,b\n1,a\n", "no column 'words' among 2"),
        ("t.json", '{"id": 1, "words": "PLANTED"}', "a JSON array"),
        ("t.json", '[{"words": "a"} {"words": "b"}]', "line 2: a JSON array"),
        ("t.json", '[{"words": "a"}, "PLANTED"]', "line 2: a JSON object"),
        ("t.json", '[{"words": "a"}, {"words": PLANTED}]', "line 2: a JSON object"),
        ("t.json", '[{"words": "a"},', "ends too early"),
        ("t.json", '[{"words": "a"}', "ends too early"),
        ("t.json", '[{"words": "a', "line 1: a JSON object"),
        ("t.json", "[]", "holds no job"),
        ("t.json", "", "ends too early"),
        ("t.json", '[{"words": ' + "[" * 100_000, "line 1: a JSON object"),
        ("t.json", '[{"words": ["PLANTED"]}]', "a list, an object"),
        ("t.json", '[{"words": "a", "id": true}]', "the id is no text"),
        ("t.json", '[{"words": "a", "id": {"PLANTED": 1}}]', "the id is no text"),
        ("t.jsonl", '{"words": "a"}\n[]\n', "line 2: a JSON object"),
        ("t.jsonl", "{PLANTED\n", "line 1: a JSON object"),
    ],
)
def test_refused(tmp_path: Path, name: str, content: str | bytes, told: str) -> None:
    assert told in refused(tmp_path, name, content, "words")


def test_an_absent_id_column(tmp_path: Path) -> None:
    assert "no column 'key'" in refused(tmp_path, "t.csv", "id,words\n1,a\n", "words", ids="key")
    assert "is empty" in refused(tmp_path, "t.csv", "key,words\n,a\n", "words", ids="key")
    assert "--column NAME" in refused(tmp_path, "t.csv", "id,PLANTED\n1,a\n")


def test_a_row_without_end_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LONGEST_ROW", 200_000)
    for name in ("t.csv", "t.jsonl"):
        assert "more than 200,000 characters" in refused(
            tmp_path, name, "words\n" * (name == "t.csv") + "a" * 10**7, "words"
        )
    assert "at most 200,000" in refused(tmp_path, "t.json", '[{"words": "' + "a" * 10**7 + '"}]', "words")
    read: list[int] = []

    class Handle(io.TextIOBase):
        def readline(self, size: int = -1) -> str:  # type: ignore[override]
            read.append(size)
            return "a" * size

    with pytest.raises(InputError):
        list(tables._lines(Handle()))
    assert read == [200_001]


def test_rows_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text("[" + ",".join(json.dumps({"a": f"row {n}"}) for n in range(20_000)) + ", broken]")
    reader = read_rows(path, Columns((("a", ""),)))
    assert [next(reader).text for _ in range(3)] == ["row 0", "row 1", "row 2"]
    with pytest.raises(InputError, match="line 20001"):
        list(reader)


def test_many_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_JOBS", 2)
    assert "more than 2 rows" in refused(tmp_path, "t.csv", "words\na\nb\nc\n", "words")


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=6), max_size=3), max_size=6),
    st.integers(1, 9),
)
def test_an_array_is_read_as_json_reads_it(values: list[dict[str, str]], chunk: int) -> None:
    text = json.dumps(values, ensure_ascii=False, indent=chunk % 3 or None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "CHUNK", chunk)
        found = [value for _, value in tables._array(io.StringIO(text, newline=""))]
    assert found == values


def test_the_command_reads_a_table(run: Any, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "study,findings,impression\ns1,Nodule in the left lung.,No effusion.\n", encoding="utf-8"
    )
    out = tmp_path / "out.jsonl"
    words = ("--column", "findings", "--column", "impression", "--id-column", "study")
    assert run("parse", "--jobs", tmp_path / "t.csv", *words, "-o", out).code == 0
    (told,) = [json.loads(line) for line in out.read_text().splitlines()]
    assert told["id"] == "s1"
    assert [(f["name"], f["section"]) for f in told["findings"]] == [
        ("nodule", "findings"),
        ("pleural effusion", "impression"),
    ]
    start, stop = told["findings"][0]["span"]
    begin, _ = told["columns"]["findings"]
    assert "Nodule in the left lung."[start - begin : stop - begin] == told["findings"][0]["phrase"]
    assert run("parse", "--jobs", tmp_path / "t.csv", *words).out == out.read_text()


def test_a_bad_row_leaves_nothing_written(run: Any, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,text\n1,A mass.\n1,A cyst.\n", encoding="utf-8")
    ran = run("parse", "--jobs", tmp_path / "t.csv", "-o", tmp_path / "out.jsonl")
    ran.fails(3, "already")
    assert run("parse", "--jobs", tmp_path / "t.csv").out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_the_reports_are_not_written_over(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,text\n1,A mass.\n", encoding="utf-8")
    run("parse", "--jobs", path, "-o", path).fails(3, "another name")
    assert path.read_text() == "id,text\n1,A mass.\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_can_be_read_only_once_and_is_refused(run: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    run("parse", "--jobs", tmp_path / "t.csv").fails(3, "no regular file")


def test_a_real_table_is_read_as_the_standard_library_reads_it(shared_data: Path) -> None:
    path = shared_data / "text_reports" / "indiana_reports.csv"
    if not path.is_file():
        pytest.skip("the table of real reports is not here")
    with path.open(encoding="utf-8", newline="") as handle:
        expected = [(row["uid"], row["findings"]) for row in csv.DictReader(handle)]
    assert [(row.id, row.text) for row in read_rows(path, columns_of(["findings"], "uid"))] == expected


def test_a_report_that_fails_is_told_and_the_others_go_on(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,text,modality\n1,A mass.,crystal\n2,A mass.,CT\n", encoding="utf-8")
    ran = run("parse", "--jobs", path)
    assert ran.code == 4
    first, second = map(json.loads, ran.out.splitlines())
    assert "crystal" in first["error"]
    assert second["findings"][0]["name"] == "mass"


def test_a_file_of_jobs_for_segment_is_not_read_as_words(run: Any, tmp_path: Path) -> None:
    """There ``report`` names a file: as words its name tells no finding."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "a.txt").write_text("A mass.", encoding="utf-8")
    path = tmp_path / "jobs.csv"
    path.write_text("id,image,report\n1,a.png,reports/a.txt\n2,b.png,A mass.\n", encoding="utf-8")
    ran = run("parse", "--jobs", path)
    assert ran.code == 4
    first, second = map(json.loads, ran.out.splitlines())
    assert "parse -r" in first["error"]
    assert "a.txt" not in first["error"]
    assert second["findings"][0]["name"] == "mass"


def test_each_line_has_the_warnings_of_its_report(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    words = "id,text,modality\n1,Kein Pneumothorax.,CR\n2,Nodule in the lung.,CR\n"
    path.write_text(words, encoding="utf-8")
    first, second = map(json.loads, run("parse", "--jobs", path).out.splitlines())
    assert [note["code"] for note in first["warnings"]] == ["report_language", "nothing_read"]
    assert "warnings" not in second


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.json"])
@pytest.mark.parametrize("reader", ["rows", "jobs"])
def test_a_file_that_is_refused_or_left_is_closed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reader: str
) -> None:
    """Not when memory is tidied up: in the ring of a traceback the file may go before what reads it."""
    objects = [{"id": "1", "image": "a.png", "text": "A mass."}] * 3
    lines = "".join(json.dumps(one) + "\n" for one in objects)
    table = "id,image,text\n" + "1,a.png,A mass.\n" * 3
    path = tmp_path / name
    path.write_text({"t.csv": table, "t.jsonl": lines, "t.json": json.dumps(objects)}[name], encoding="utf-8")
    opened: list[Any] = []
    real = Path.open

    def seen(self: Path, *given: Any, **more: Any) -> Any:
        opened.append(real(self, *given, **more))
        return opened[-1]

    monkeypatch.setattr(Path, "open", seen)
    found = jobs_in(path) if reader == "jobs" else read_rows(path, columns_of((), None))
    with pytest.raises(InputError, match="already") as caught:
        list(found)
    assert [handle.closed for handle in opened] == [True], caught.value
    left = jobs_in(path) if reader == "jobs" else read_rows(path, columns_of((), None))
    next(left)
    left.close()
    assert [handle.closed for handle in opened] == [True, True]


def test_columns_belong_to_jobs(run: Any) -> None:
    run("parse", "-t", "A mass.", "--column", "a").fails(2, "--jobs")
    run("parse", "-t", "A mass.", "--id-column", "a").fails(2, "--jobs")
