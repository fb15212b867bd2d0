"""The documentation holds: links lead somewhere, commands and flags exist, generated pages are fresh, code
runs.
"""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "examples" / "README.md"])
MADE_LATER = {"docs/assets/demo-chest.png"}  # drawn by the trained model
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:tests|src|docs|examples|configs)/[\w/.-]+\.\w+)")
RUN = re.compile(r"python -m\s+(medsegr[\w.]*\w)")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def fenced(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if name(there) in MADE_LATER and not there.exists():
            continue
        assert there.exists(), f"{target} leads nowhere"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_and_modules_that_are_named_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for path in FILE.findall(text):
        assert (ROOT / path).exists(), f"{path} is not there"
    for module in RUN.findall(text):
        assert importlib.util.find_spec(module) is not None, f"{module} is not there"


def commands(page: Path) -> Iterator[list[str]]:
    for line in page.read_text(encoding="utf-8").splitlines():
        words = line.strip().lstrip("$ ")
        if line.startswith("    ") and words.startswith("medsegr "):
            yield shlex.split(words, comments=True)[1:]


def application() -> Any:
    from typer.main import get_command

    from medsegr.cli.app import build

    return get_command(build())


@pytest.mark.parametrize("page", [page for page in PAGES if any(commands(page))], ids=name)
def test_commands_and_flags_exist(page: Path) -> None:
    known = application().commands
    for words in commands(page):
        command = known.get(words[0])
        assert command is not None, f"medsegr {words[0]} does not exist"
        command = getattr(command, "commands", {}).get(words[1] if len(words) > 1 else "", command)
        flags = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
        used = {word for word in words[1:] if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        assert used <= flags, f"medsegr {words[0]} has no {sorted(used - flags)}"


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        used = set(re.findall(r"^    make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
        assert used <= targets, f"{name(page)}: no target {sorted(used - targets)}"


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["cli.md", "cards.md", "codes.md", "hosts.md", "http-api.md", "python.md"])
def test_generated_pages_are_fresh(page: str) -> None:
    made = load(ROOT / "docs" / "generate.py").PAGES[page]()
    kept = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert kept == made, "run `make docs`"


def test_findings_page_names_every_field() -> None:
    from medsegr.results.schema import findings_schema

    page = (ROOT / "docs" / "reference" / "findings-json.md").read_text(encoding="utf-8")
    schema = findings_schema()

    def fields(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            held = node.get("properties")
            for key, value in held.items() if isinstance(held, dict) else ():
                yield key
                yield from fields(value)
            for key, value in node.items():
                if key != "properties":
                    yield from fields(value)
        elif isinstance(node, list):
            for value in node:
                yield from fields(value)

    found = set(fields(schema))
    assert {"findings", "polarity", "status", "reason"} <= found
    missing = sorted(field for field in found if f"`{field}`" not in page and not field.startswith("("))
    assert not missing, f"not told: {missing}"


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the pages speak of."""
    import numpy as np
    from PIL import Image

    from medsegr.phantom import make

    case = make("chest", np.random.default_rng(5), size=256)
    Image.fromarray(case.image).save(tmp_path / "chest.png")
    (tmp_path / "report.txt").write_text(case.report, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.weights
@pytest.mark.parametrize("page", [page for page in PAGES if fenced(page, "python")], ids=name)
def test_python_runs(page: Path, inputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = fenced(page, "python")
    if any("medsegr.load()" in block for block in blocks):
        embedded()
    names: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{name(page)}, block {number}", "exec"), names)
    capsys.readouterr()


def embedded() -> None:
    from medsegr import weights

    if not weights.names():
        pytest.skip("the embedded checkpoint is not here")
