"""Flags read directly are those that typer would hand over; what is not plain is left to typer."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from medsegr.cli.app import typed
from medsegr.cli.direct import COMMANDS, read, refuse_twice
from medsegr.errors import UsageError

COMMAND = {name: import_module(f"medsegr.cli.{name}").command for name in COMMANDS}


def by_typer(name: str, words: list[str]) -> dict[str, Any]:
    def caught(**values: Any) -> Any:
        return values

    caught.__signature__ = inspect.signature(COMMAND[name])  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False)
    app.command()(typed(caught))
    return dict(app(args=words, standalone_mode=False))


PLAIN = (
    ("parse", "-t", "opacity left"),
    ("parse", "-r", "-", "--json"),
    ("parse", "--report=a b.txt", "-o", "out.json", "--modality", "CT", "-q"),
    ("parse", "--jobs", "many.jsonl", "--column", "findings", "--column", "impression"),
    ("parse", "-t", ""),
    ("parse", "-t", "a=b"),
    ("parse", "--text=a=b"),
    ("parse", "--llm-url", "http://localhost:1/v1", "--llm-model", "m", "--llm-remote"),
    ("segment", "-i", "a.png", "-p", "polyp", "-p", "left lung", "-o", "out", "--offline"),
    ("segment", "-i", "a.png"),
    ("measure", "-i", "a.png", "--json"),
    ("info", "--schema"),
    ("info",),
    ("doctor", "--json"),
    ("demo", "-o", "demo"),
)


@pytest.mark.parametrize("line", PLAIN, ids=" ".join)
def test_a_plain_line_is_read_as_typer_reads_it(line: tuple[str, ...]) -> None:
    name, *words = line
    found = read(COMMAND[name], words)
    try:
        told = by_typer(name, words)
    except typer._click.exceptions.ClickException:
        told = None
    assert found == told or (found is None and told is not None)


@pytest.mark.parametrize("line", PLAIN, ids=" ".join)
def test_nothing_plain_comes_twice(line: tuple[str, ...]) -> None:
    refuse_twice(COMMAND[line[0]], line[1:])


def test_a_flag_of_one_value_that_comes_twice_is_refused_whatever_the_value_looks_like() -> None:
    for words in (
        ("-t", "-r", "-t", "x"),
        ("--text=a", "-t", "b"),
        ("--json", "-t", "a", "-t", "a", "--help"),
    ):
        with pytest.raises(UsageError, match=r"-t came twice"):
            refuse_twice(COMMAND["parse"], words)
    refuse_twice(COMMAND["parse"], ("--json", "--json", "-t", "-t"))  # a switch, and a value


def test_most_plain_lines_are_read_directly() -> None:
    assert all(
        read(COMMAND[name], words) is not None for name, *words in PLAIN if name in ("parse", "segment")
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["-t"],
        ["-t", "a", "-t", "b"],
        ["-t", "-r"],
        ["-tx"],
        ["-t=x"],
        ["--json=yes"],
        ["-qv"],
        ["--"],
        ["word"],
        ["--tex", "a"],
        ["--llm-timeout", "3"],
        ["--no-json"],
        [""],
    ],
    ids=" ".join,
)
def test_what_is_not_plain_is_left_to_typer(words: list[str]) -> None:
    assert read(COMMAND["parse"], words) is None


def test_a_missing_argument_is_left_to_typer() -> None:
    assert read(COMMAND["models"], []) is None
    assert read(COMMAND["models"], ["list"]) is None


VALUE = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)
FLAG = st.sampled_from(
    ("-t", "-r", "--jobs", "-o", "--column", "--json", "--explain", "--frame", "-q", "--debug")
)
LINE = st.lists(st.one_of(FLAG, VALUE, st.tuples(FLAG, VALUE).map("=".join)), max_size=6)


@settings(max_examples=60, deadline=None)
@given(LINE)
def test_any_line_is_read_as_typer_reads_it_or_not_at_all(words: list[str]) -> None:
    found = read(COMMAND["parse"], words)
    if found is not None:
        assert found == by_typer("parse", words)


def test_paths_are_paths() -> None:
    found = read(COMMAND["parse"], ["--jobs", "a.jsonl"])
    assert found is not None
    assert found["jobs"] == Path("a.jsonl")
