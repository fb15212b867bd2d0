"""Every failure of the page has tests, and every test that it names exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "explain" / "silent-failures.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (?!what went wrong|---)", line)]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def test_the_list_is_whole() -> None:
    assert len(ROWS) == 30
    assert len(NAMED) > len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_failure_has_a_test(row: str) -> None:
    assert re.search(r"`tests/[\w/]+\.py::test_\w+`", row)


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_every_named_test_exists(file: str, name: str) -> None:
    body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    assert name in [item.name for item in body if isinstance(item, ast.FunctionDef)]
