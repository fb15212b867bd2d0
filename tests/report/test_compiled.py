"""The compiled lexicon says what the TOML files say, and one that does not fit is not used."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.report.lexicon import compiled
from medsegr.report.lexicon.entries import Lexicon, Terms, terms
from medsegr.report.lexicon.tables import read

TABLES = ("concept_terms", "places", "descriptors", "cues")
FIELDS = [name for name in Lexicon.__dataclass_fields__ if name not in TABLES]


@pytest.fixture(scope="module")
def told() -> Lexicon:
    return read()


def test_the_compiled_file_is_up_to_date() -> None:
    assert compiled.load() is not None, "run 'make lexicon' and commit report/lexicon/compiled.json"


def test_it_says_what_the_files_say(told: Lexicon) -> None:
    found = compiled.load()
    assert found is not None
    for name in FIELDS:
        assert getattr(found, name) == getattr(told, name), name
    for name in TABLES:
        assert dict(getattr(found, name)) == dict(getattr(told, name)), name
    assert list(found.concepts) == list(told.concepts)


def test_it_is_written_the_same_every_time(told: Lexicon) -> None:
    assert compiled.dumps(told) == compiled.FILE.read_text("utf-8")


def broken() -> Iterator[tuple[str, bytes]]:
    whole = compiled.FILE.read_bytes()
    yield "empty", b""
    yield "cut", whole[: len(whole) // 2]
    yield "no object", b"[1, 2]"
    yield "another stamp", whole.replace(compiled.stamp().encode(), b"0" * 64)
    plain = json.loads(whole)
    yield "a table is missing", json.dumps({k: v for k, v in plain.items() if k != "cues"}).encode()
    yield "a row is short", json.dumps({**plain, "concepts": [["lung"]]}).encode()
    yield "not UTF-8", b"\xff\xfe\xff"


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in broken()])
def test_a_file_that_does_not_fit_is_not_used(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "compiled.json"
    path.write_bytes(data)
    assert compiled.load(path) is None


def test_a_missing_file_is_no_error(tmp_path: Path) -> None:
    assert compiled.load(tmp_path / "none.json") is None


def test_the_stamp_does_not_depend_on_line_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in compiled.FOLDER.iterdir():
        if path.suffix in (".toml", ".py"):
            (tmp_path / path.name).write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = compiled.stamp()
    monkeypatch.setattr(compiled, "FOLDER", tmp_path)
    assert compiled.stamp() == before
    (tmp_path / "cues.toml").write_bytes(b"# changed")
    assert compiled.stamp() != before


WORD = st.sampled_from("abcd")
PHRASE = st.lists(WORD, min_size=1, max_size=4).map(tuple)


@given(st.dictionaries(PHRASE, st.integers(0, 3)), st.lists(WORD, min_size=1, max_size=8).map(tuple))
def test_a_table_of_phrases_is_a_mapping_and_finds_the_longest(
    known: dict[tuple[str, ...], int], norms: tuple[str, ...]
) -> None:
    table: Terms[int] = terms(known.items())
    assert dict(table) == known
    assert len(table) == len(known)
    for at in range(len(norms)):
        fitting = [n for n in range(1, len(norms) - at + 1) if norms[at : at + n] in known]
        best = max(fitting, default=None)
        assert table.longest(norms, at) == (None if best is None else (best, known[norms[at : at + best]]))


def test_the_first_of_two_entries_counts_and_an_empty_phrase_is_left_out() -> None:
    table = terms([(("a",), 1), (("a",), 2), (("a", "b"), 3), (("a", "b"), 4), ((), 5)])
    assert dict(table) == {("a",): 1, ("a", "b"): 3}
    assert () not in table
    assert ("a", "b", "c") not in table
