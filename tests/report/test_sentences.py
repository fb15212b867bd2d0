"""Sentences in the manner of reports of all fields: exactly what they state as present may be drawn."""

import tomllib
from pathlib import Path

import pytest

from medsegr.report.lexicon import concepts
from medsegr.report.parse import parse, skip_reason
from told_lines import told, wanted

FILES = sorted(Path(__file__).parent.glob("sentences*.toml"))
GROUPS = [group for file in FILES for group in tomllib.loads(file.read_text("utf-8"))["group"]]
LINES = [
    (group["modality"], *(part.strip() for part in line.rsplit("=>", 1)))
    for group in GROUPS
    for line in group["lines"].splitlines()
    if line.strip()
]


@pytest.mark.parametrize(("modality", "text", "expected"), LINES)
def test_exactly_what_is_stated_may_be_drawn(modality: str, text: str, expected: str) -> None:
    findings = parse(text.replace("\\n", "\n"), modality=modality or None).findings
    drawn = sorted(told(f) for f in findings if skip_reason(f) is None)
    assert drawn == wanted(expected)


def lines_of(mark: str) -> list[tuple[str, str]]:
    """Modality and text of every line of the groups that carry the mark ("trap", "normal")."""
    marked = [group for group in GROUPS if group.get(mark)]
    texts = [
        (group["modality"], line.rsplit("=>", 1)[0].strip())
        for group in marked
        for line in group["lines"].splitlines()
    ]
    return [(modality, text) for modality, text in texts if text]


@pytest.mark.parametrize(("modality", "text"), lines_of("normal"))
def test_what_is_normal_is_skipped_for_it_has_no_place(modality: str, text: str) -> None:
    findings = parse(text, modality=modality).findings
    assert findings
    assert {skip_reason(f) for f in findings} == {"no_place"}


def test_enough_traps_and_normal_statements() -> None:
    assert len(set(lines_of("trap"))) >= 120
    assert len(set(lines_of("normal"))) >= 25
    assert {modality for modality, _ in lines_of("normal")} >= {"CR", "CT", "MR", "US", "MG", "ES", "OP"}


def test_the_table_is_large_and_knows_its_words() -> None:
    expected = [wanted(words) for _, _, words in LINES]
    assert sum(not words for words in expected) >= 180
    assert sum(bool(words) for words in expected) >= 180
    assert {item[0] for words in expected for item in words} <= set(concepts())
