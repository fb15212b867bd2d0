"""The page of Python names holds what the package makes public and what other pages use."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import medsegr

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
USING = [ROOT / "README.md", *sorted((ROOT / "docs").glob("how-to/*.md")), ROOT / "docs/start/first-run.md"]
OBJECTS = {"model": "Model", "session": "Session", "result": "Outcome", "outcome": "Outcome"}


def trees(page: Path) -> Iterator[ast.AST]:
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield ast.parse(block)


@pytest.mark.parametrize("name", [name for name in medsegr.__all__ if not name.startswith("__")])
def test_every_public_name_has_its_place(name: str) -> None:
    assert f"\n### medsegr.{name}\n" in PAGE


@pytest.mark.parametrize("page", USING, ids=lambda page: page.name)
def test_what_other_pages_import_and_call_is_told(page: Path) -> None:
    for node in (node for tree in trees(page) for node in ast.walk(tree)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("medsegr"):
            for one in node.names:
                assert re.search(rf"^### (medsegr\.)?{one.name}$", PAGE, re.MULTILINE), one.name
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner, name = OBJECTS.get(node.value.id), node.attr
            told = f"\n#### {owner}.{name}\n" in PAGE or f"\n- `{name}`: " in PAGE
            assert owner is None or told, f"{owner}.{name}"


def test_a_signature_a_field_and_an_argument_are_told_as_they_are_written() -> None:
    assert "    name: str = 'medsegr-tiny',\n" in PAGE
    assert "- `side_check`: `str` = `'warn'`\n" in PAGE
    assert "- `frame`: whose left is meant; None: by modality" in PAGE
    assert "| `UsageError` | `MedsegrError` | 2 |" in PAGE
    assert "\nSession(model: Model, image: Image, result: Result | None = None)\n" in PAGE
    assert ":func:" not in PAGE
    assert "``" not in PAGE.replace("```", "")
