"""``medsegr parse --explain`` and ``--html``."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from medsegr.cli.shown import paint
from medsegr.report.parse import parse

WORDS = ("parse", "-t", "No effusion. Small nodule in the left lung.", "--modality", "CR")


def test_brackets_where_nobody_sees_colour(run: Any) -> None:
    out = run(*WORDS, "--explain").out
    assert out.splitlines()[0] == "{No} [f1 effusion]. [f2 (Small) nodule in the <left> <lung>]."
    assert "\x1b" not in out
    assert "denies it" in out


def painted(text: str) -> str:
    to = io.StringIO()
    paint(
        parse(text, modality="CR"), Console(file=to, force_terminal=True, color_system="standard", width=40)
    )
    return to.getvalue()


def test_colour_on_a_terminal() -> None:
    out = painted("No effusion. Small nodule in the left lung.")
    assert "\x1b[4;35mNo\x1b[0m" in out  # the cue: underlined magenta
    assert "\x1b[1;4;36mleft\x1b[0m" in out  # a place: underlined cyan
    assert "\x1b[1;4;34mSmall\x1b[0m" in out  # a look: underlined blue
    assert "\x1b[1;31meffusion\x1b[0m" in out  # a denied phrase: red


def test_a_report_cannot_steer_the_terminal() -> None:
    out = painted("\x1b[2J\x1b]0;title\x07 nodule [bold]x[/bold] \u202e mass :smile:")
    assert "\x1b[2J" not in out
    assert "\x07" not in out
    assert "\u202e" not in out
    assert "[bold]" in out  # markup of ours is not markup of theirs
    assert ":smile:" in out


def test_no_color_is_obeyed(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run(*WORDS, "--explain").out


def test_a_page(run: Any, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ran = run(*WORDS, "--html", page)
    assert ran.code == 0
    assert "nodule" in ran.out  # the usual table comes, too
    made = page.read_text(encoding="utf-8")
    assert made.startswith("<!DOCTYPE html>")
    assert "Not a medical device. For research." in made
    assert "<script" not in made


@pytest.mark.parametrize(
    "words",
    [("--explain", "--json"), ("--explain", "-o", "x.json")],
)
def test_flags_that_do_not_go_together(run: Any, words: tuple[str, ...]) -> None:
    run(*WORDS, *words).fails(2, "--explain")


def test_a_batch_is_not_shown(run: Any, tmp_path: Path) -> None:
    run("parse", "--jobs", tmp_path / "jobs.jsonl", "--html", tmp_path / "x.html").fails(2, "--jobs")


def test_a_page_that_cannot_be_written(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run(*WORDS, "--html", tmp_path / "file" / "x.html").fails(3, "cannot be written")
